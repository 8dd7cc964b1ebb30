//! How the lines of a grammar begin and end: states that take the beginning of every line that the grammar takes, and of
//! few others.
//!
//! In: the items of a line form. Out: states of an [`Automaton`]. What is not described here stands for any text, so
//! that a new kind costs time and never a line.

use super::super::kind::Kind;
use super::super::plan::Item;
use super::automaton::{Automaton, Bytes, State, set_of};
use crate::format::time::{PatternPiece, TimeForm};

/// Bytes, at the least, of a line's beginning that its states describe.
const LEAD_BYTES: usize = 48;

/// Bytes, at the least, of a look ahead that are described in place of what comes behind it.
const AHEAD_BYTES: usize = 3;

/// Bytes of hosts and addresses, beside those beyond ASCII.
const HOST: &[u8] = b"A-Za-z0-9._:%-";

/// Seconds, a fraction and a zone, behind hours and minutes.
const TAIL: &[u8] = b"[0-9.,:]*[ \xe2\x80\xaf]*[AaPp]?[.]?[Mm]?[.]? ?[-+0-9:]*[A-Zz]*";

/// `[Europe/Berlin]` behind them.
const ZONE_NAME: &[u8] = b"[[][A-Za-z0-9_+-]+/[A-Za-z0-9/_+-]+]";

impl Automaton {
    /// A whole line form.
    pub(super) fn line(&mut self, items: &[Item]) -> u32 {
        let mut bytes = 0;
        let front = items.iter().take_while(|item| {
            let enough = bytes >= LEAD_BYTES;
            bytes += least(item);
            !enough
        });
        let count = front.count();
        let behind = if count == items.len() { self.add(State::End) } else { self.open() };
        self.sequence(&items[..count], behind)
    }

    /// A line of values with a separator between: the first of them, unless it is in quotes.
    pub(super) fn columns(&mut self, separator: &str, columns: &[Vec<Item>]) -> u32 {
        let open = self.open();
        let Some((first, others)) = columns.split_first() else { return open };
        let quoted = self.text(b"\"", open);
        // Values that are missing are empty texts.
        let must_go_on = others.iter().flatten().any(|item| least(item) > 0);
        let end = if must_go_on { self.text(separator.as_bytes(), open) } else { open };
        let bare = self.sequence(first, end);
        self.add(State::Either(vec![quoted, bare]))
    }

    fn sequence(&mut self, items: &[Item], next: u32) -> u32 {
        items.iter().rev().fold(next, |next, item| self.item(item, next))
    }

    fn item(&mut self, item: &Item, next: u32) -> u32 {
        match item {
            Item::Literal(bytes) => self.text(bytes, next),
            Item::Blanks { required: true } => self.some(set_of(b" \t"), next),
            Item::Blanks { required: false } => self.many(set_of(b" \t"), next),
            Item::Group(groups) => {
                let groups = groups.iter().map(|items| self.sequence(items, next)).collect();
                self.add(State::Either(groups))
            }
            Item::Many(groups) => {
                let hub = self.add(State::Either(Vec::new()));
                let mut all: Vec<_> = groups.iter().map(|items| self.sequence(items, hub)).collect();
                all.push(next);
                self.states[hub as usize] = State::Either(all);
                hub
            }
            // What it looks at is read again behind it; where that is no more than a few bytes it tells more.
            Item::Ahead(items) if tells(items) => {
                let open = self.open();
                self.sequence(items, open)
            }
            Item::Ahead(_) | Item::Constant(_) => next,
            Item::Capture { kind, absent, .. } => {
                let mut all = vec![self.kind(kind, next)];
                all.extend(absent.iter().map(|text| self.text(text, next)));
                self.add(State::Either(all))
            }
            #[allow(unreachable_patterns, reason = "an item that is not known here is any text")]
            _ => self.open(),
        }
    }

    fn kind(&mut self, kind: &Kind, next: u32) -> u32 {
        match kind {
            Kind::Until(end) if end.len() == 1 => self.many(Bytes::that(|byte| byte != end[0]), next),
            Kind::Quoted => {
                let end = self.text(b"\"", next);
                let body = self.many(Bytes::ANY, end);
                self.text(b"\"", body)
            }
            Kind::StructuredData => {
                let end = self.text(b"]", next);
                let body = self.many(Bytes::ANY, end);
                self.text(b"[", body)
            }
            Kind::Word => self.some(Bytes::that(|byte| !matches!(byte, b' ' | b'\t' | b'\n')), next),
            Kind::Url => self.many(Bytes::that(|byte| !matches!(byte, b' ' | b'"' | b'\t')), next),
            Kind::OneOf(words) => {
                let words = words.iter().map(|word| self.text(word, next)).collect();
                self.add(State::Either(words))
            }
            Kind::Time(form) => self.time(form, next),
            Kind::Addresses => self.addresses(next),
            Kind::Int(..) => self.shape(b"[+-]?9+", next),
            Kind::Level => self.shape(b"a+9?", next),
            Kind::Status => self.shape(b"[+-]?99?9?", next),
            _ => match bytes_of(kind) {
                Some(bytes) => self.some(bytes, next),
                None => self.open(),
            },
        }
    }

    /// Hosts or addresses: behind a comma also with blanks only between them.
    fn addresses(&mut self, next: u32) -> u32 {
        let more = self.add(State::Either(Vec::new()));
        let comma = self.shape(b", ?", more);
        let blank = self.text(b" ", more);
        let behind = self.add(State::Either(vec![comma, blank, next]));
        let another = self.host(behind);
        self.states[more as usize] = State::Either(vec![another]);
        let behind_first = self.add(State::Either(vec![comma, next]));
        self.host(behind_first)
    }

    /// One of them, with quotes or without.
    fn host(&mut self, next: u32) -> u32 {
        let behind = self.shape(b"\"?", next);
        let body = self.some(set_of(HOST).or(Bytes::that(|byte| byte >= 0x80)), behind);
        self.shape(b"\"?", body)
    }

    fn time(&mut self, form: &TimeForm, next: u32) -> u32 {
        let shape: &[u8] = match form {
            // Week dates and single digits too.
            TimeForm::Iso => b"9999[-/.][0-9W][-/.0-9]+[ \tTt_]+99?:99",
            TimeForm::Rfc2822 => b"aaa[a-z]*, +99?[- ]aaa[- ]999?9?[ -]+99?:99",
            TimeForm::MonthFirst => b"aaa[a-z]* +99?,? +9999[ ,-]+99?:99",
            TimeForm::Us => b"99?/99?/99[0-9, T-]+:99",
            TimeForm::European => b"99?[-/.]99?[-/.]99[0-9, T-]+:99",
            TimeForm::Rfc3339 => b"9999-99-99[Tt]99:99",
            TimeForm::Clf => b"99/aaa/9999:99:99",
            TimeForm::Rfc3164 => return self.shape(b"aaa [ 0-9]*:99[0-9.,: ]*", next),
            TimeForm::Asctime => return self.shape(b"aaa[ ,]+aaa [ 0-9]*:99[-+0-9.,: A-Z]*", next),
            TimeForm::DayFirst => b"99?[- /]aaa[- /0-9T:]+:99",
            TimeForm::Klog => b"9[0-9 ]+:99",
            TimeForm::Clock => b"99?:99",
            TimeForm::Compact => return self.shape(b"99999999[0-9.,TZ:+-]*", next),
            TimeForm::Epoch => return self.shape(b"[-0-9.,]+", next),
            TimeForm::Pattern(pattern) => {
                let pieces: Vec<_> = pattern.pieces().collect();
                return pieces.into_iter().rev().fold(next, |next, piece| match piece {
                    PatternPiece::Byte(byte) => self.text(&[byte], next),
                    PatternPiece::Blanks => self.some(set_of(b" \t"), next),
                    PatternPiece::Digits(least, most) if most <= 4 => {
                        self.shape(&[&b"9999"[..least], &b"9?9?9?"[..2 * (most - least)]].concat(), next)
                    }
                    PatternPiece::Digits(..) => self.shape(b"9+", next),
                    PatternPiece::Letters => self.shape(b"a+", next),
                    PatternPiece::Zone => self.some(set_of(b"A-Za-z0-9:+-"), next),
                    PatternPiece::Other => self.open(),
                });
            }
            #[allow(unreachable_patterns, reason = "a form that is not known here is any text")]
            _ => return self.open(),
        };
        let zone = self.shape(ZONE_NAME, next);
        let behind = self.add(State::Either(vec![zone, next]));
        let tail = self.shape(TAIL, behind);
        self.shape(shape, tail)
    }
}

/// The bytes of which a capture takes at least one, for kinds that are no more than that.
fn bytes_of(kind: &Kind) -> Option<Bytes> {
    let host = set_of(HOST).or(Bytes::that(|byte| byte >= 0x80));
    Some(match kind {
        Kind::Label => set_of(b"A-Za-z0-9_-"),
        Kind::Dotted => set_of(b"A-Za-z0-9_.$-"),
        Kind::Name => host.or(set_of(b"/$@#+~*")),
        Kind::Int(..) | Kind::Status => set_of(b"0-9+-"),
        Kind::Float | Kind::Duration(_) => set_of(b"0-9+.eE-"),
        Kind::Digits => set_of(b"0-9"),
        Kind::Hex => set_of(b"0-9a-fA-Fx"),
        // What stands behind its end may be read as a port by what follows.
        Kind::Ip => set_of(b"0-9a-fA-F:."),
        Kind::Host | Kind::Address => host,
        Kind::Endpoint => host.or(set_of(b"[]")),
        Kind::Addresses => host.or(set_of(b", \"")),
        Kind::Level => set_of(b"A-Za-z0-9"),
        _ => return None,
    })
}

/// Whether a look ahead says how it begins, for more than a byte or two.
fn tells(items: &[Item]) -> bool {
    let begins = match items.first() {
        Some(Item::Literal(_) | Item::Capture { kind: Kind::Word | Kind::OneOf(_), .. }) => true,
        Some(Item::Capture { kind, .. }) => bytes_of(kind).is_some(),
        Some(Item::Blanks { .. }) => items.get(1..).is_some_and(tells),
        Some(Item::Group(groups)) => groups.iter().all(|items| tells(items)),
        _ => false,
    };
    begins && items.iter().map(least).sum::<usize>() >= AHEAD_BYTES
}

/// Bytes that an item takes at the least, about.
fn least(item: &Item) -> usize {
    match item {
        Item::Literal(bytes) => bytes.len(),
        Item::Group(groups) => {
            groups.iter().map(|items| items.iter().map(least).sum()).min().unwrap_or_default()
        }
        Item::Capture { kind: Kind::Time(_), absent, .. } if absent.is_empty() => 15,
        Item::Capture { .. } | Item::Blanks { required: true } => 1,
        _ => 0,
    }
}

/// The bytes that a line of this form can end in; `None` where it can be any.
pub(super) fn last(items: &[Item]) -> Option<Bytes> {
    let mut all = Bytes::default();
    for (at, item) in items.iter().enumerate().rev() {
        let (bytes, empty) = match item {
            Item::Literal(text) => match text.last() {
                Some(&byte) => (Bytes::one(byte), false),
                None => (Bytes::default(), true),
            },
            Item::Blanks { required } => (set_of(b" \t"), !required),
            Item::Ahead(_) | Item::Constant(_) => (Bytes::default(), true),
            Item::Group(groups) => {
                // An alternative that is empty, or begins with what may be, ends in what stands before the group.
                let (mut bytes, mut empty) = (Bytes::default(), false);
                for items in groups {
                    let bare = items.iter().all(|item| least(item) == 0);
                    empty |= bare;
                    if !items.is_empty() {
                        bytes = bytes.or(if bare { return None } else { last(items)? });
                    }
                }
                (bytes, empty)
            }
            Item::Capture { kind, absent, .. } => {
                let mut bytes = match kind {
                    Kind::OneOf(words) => words
                        .iter()
                        .filter_map(|word| word.last())
                        .fold(Bytes::default(), |set, &byte| set.or(Bytes::one(byte))),
                    Kind::Quoted => Bytes::one(b'"'),
                    Kind::StructuredData => Bytes::one(b']'),
                    kind => bytes_of(kind)?,
                };
                for text in absent {
                    bytes = bytes.or(Bytes::one(*text.last()?));
                }
                (bytes, false)
            }
            #[allow(unreachable_patterns, reason = "an item that is not known here is any text")]
            _ => return None,
        };
        all = all.or(bytes);
        if !empty {
            return Some(all);
        }
        if at == 0 {
            return None;
        }
    }
    None
}
