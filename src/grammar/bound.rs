//! A grammar bound to a layout: the plan that runs.

use std::ops::Range;

use memchr::memmem::{Finder, FinderRev};

use super::columns::Columns;
use super::kind::Kind;
use super::level::Levels;
use super::object::{self, Objects};
use super::plan::Item;
use super::request::RequestSlots;
use super::run::Run;
use super::written::{Constant, Gather, Set, Shape};
use super::{Grammar, MESSAGE};
use crate::event::{Facts, Mask, Slot, Span, Texts, Value};
use crate::format::time::TimeForm;
use crate::format::{Bind, Calendar, Fields, Format, Mismatch, Target, exception};

/// One operation of the plan.
#[derive(Debug)]
pub(super) enum Op {
    /// This byte.
    Byte(u8),
    /// These bytes.
    Literal(Literal),
    /// Blanks, at least as many as given.
    Blanks(usize),
    /// The first sequence that fits.
    Group(Group),
    /// As many of the sequences as fit, one behind the other.
    Many(Box<[Box<[Op]>]>),
    /// What fits here, without going on behind it.
    Ahead(Box<[Op]>),
    /// A field that is given here.
    Put(Slot, Value),
    /// A capture of one field (or none, where it is only checked), with the texts that mean absence.
    Capture(Scan, Option<Slot>, Box<[Box<[u8]>]>),
    /// A host or address, with an optional port.
    Peer(PeerSlots, Box<[Box<[u8]>]>),
    /// A list of hosts or addresses.
    Peers(PeerSlots, Box<[Box<[u8]>]>),
    /// A status code, and the slot of the outcome.
    Status(Option<Slot>, Option<Slot>),
    /// A request line.
    Request(Box<RequestSlots>),
    /// A request's target.
    Url(Box<RequestSlots>),
}

impl Op {
    /// Whether it begins with the bracket of a JSON list.
    pub(super) fn is_bracket(&self) -> bool {
        match self {
            Self::Byte(byte) => *byte == b'[',
            Self::Literal(literal) => literal.bytes.first() == Some(&b'['),
            _ => false,
        }
    }

    /// The fields that it may give.
    pub(super) fn gives(&self, gives: &mut Mask) {
        let mut insert = |slots: &[Option<Slot>]| slots.iter().flatten().for_each(|slot| gives.insert(*slot));
        match self {
            Self::Byte(_) | Self::Literal(_) | Self::Blanks(_) => {}
            Self::Group(Group { sequences, .. }) | Self::Many(sequences) => {
                sequences.iter().flatten().for_each(|op| op.gives(gives));
            }
            Self::Ahead(ops) => ops.iter().for_each(|op| op.gives(gives)),
            Self::Put(slot, _) => gives.insert(*slot),
            Self::Capture(_, slot, _) => insert(&[*slot]),
            Self::Peer(slots, _) | Self::Peers(slots, _) => {
                insert(&[slots.address, slots.ip, slots.domain, slots.port]);
            }
            Self::Status(slot, outcome) => insert(&[*slot, *outcome]),
            Self::Request(slots) | Self::Url(slots) => insert(&slots.all()),
        }
    }
}

/// Sequences of which the first that fits is taken.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) sequences: Box<[Box<[Op]>]>,
    /// For a group that may be left out: the byte that all of it begins with. Most of what may be left out is.
    pub(super) begins: Option<u8>,
}

impl Group {
    fn new(sequences: Box<[Box<[Op]>]>) -> Self {
        let begins = match &*sequences {
            [first, last] if last.is_empty() => match first.first() {
                Some(Op::Byte(byte)) => Some(*byte),
                Some(Op::Literal(literal)) => literal.bytes.first().copied(),
                _ => None,
            },
            _ => None,
        };
        Self { sequences, begins }
    }
}

/// Text that a message must have at a place.
#[derive(Debug)]
pub(super) struct Literal {
    bytes: Box<[u8]>,
    /// The first eight bytes as a number, and which of its bits count: a comparison of slices is a call.
    front: (u64, u64),
}

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let (mut front, mut mask) = ([0; 8], [0; 8]);
        for ((byte, mask), from) in front.iter_mut().zip(&mut mask).zip(bytes) {
            (*byte, *mask) = (*from, u8::MAX);
        }
        Self { bytes: bytes.into(), front: (u64::from_ne_bytes(front), u64::from_ne_bytes(mask)) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a text begins so.
    #[inline]
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<8>() {
            Some(front) => {
                let (value, mask) = self.front;
                u64::from_ne_bytes(*front) & mask == value
                    && (self.bytes.len() <= 8 || text.starts_with(&self.bytes))
            }
            None => text.starts_with(&self.bytes),
        }
    }
}

/// What a capture of one field reads.
#[derive(Debug)]
pub(super) enum Scan {
    UntilByte(u8),
    Until(Box<Finder<'static>>),
    UntilLast(Box<FinderRev<'static>>, Option<Box<Finder<'static>>>),
    Quoted,
    Rest,
    Word,
    Label,
    Dotted,
    Name,
    Int(i64, i64),
    Float,
    Digits,
    Hex,
    Ip,
    Host,
    Bool,
    Time(TimeForm),
    Level,
    Split(Box<[u8]>, Box<Scan>),
    Series,
    StructuredData,
    OneOf(Box<[Box<[u8]>]>),
    Duration(i64),
}

/// Where the parts of an address go.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerSlots {
    pub(super) address: Option<Slot>,
    pub(super) ip: Option<Slot>,
    pub(super) domain: Option<Slot>,
    pub(super) port: Option<Slot>,
    /// Whether a port may follow.
    pub(super) with_port: bool,
}

/// One line form.
pub(super) enum Line {
    /// A text.
    Text(Box<[Op]>),
    /// Separated values.
    Columns(Columns),
    /// A JSON object.
    Object(object::Form),
}

/// The plan.
pub(super) struct Bound {
    lines: Box<[Line]>,
    /// For lines that are JSON objects: how those are read.
    objects: Option<Objects>,
    sets: Box<[(Target, Value)]>,
    /// The zone that was given, which is that of times without one; a line that names its own has the last word.
    zone: Option<(Target, Value)>,
    /// Lists, and the fields that they are gathered from.
    gathers: Gathers,
    pub(super) calendar: Calendar,
    pub(super) levels: Levels,
    pub(super) success: Value,
    pub(super) failure: Value,
    /// Where the message goes, and the parts of a trace in it, for grammars that give them.
    trace: Option<(Slot, exception::Slots)>,
}

impl Bound {
    pub(super) fn new(grammar: &Grammar, bind: &mut Bind<'_>) -> Result<Self, String> {
        let gathers = gathers(&grammar.gathers, bind)?;
        let sets = grammar
            .sets
            .iter()
            .map(|set| constant(set, bind).map(|of| of.map(|(slot, value)| (Target::Slot(slot), value))))
            .filter_map(Result::transpose);
        let sets = sets.collect::<Result<_, _>>()?;
        let objects = Objects::new(grammar.lines.iter().filter_map(|line| line.object.as_ref()), bind)?;
        let line = |line: &super::Line| match (&line.object, &objects) {
            (Some(object), Some(objects)) => objects.form(object, bind).map(Line::Object),
            _ => Ok(match &line.shape {
                Shape::Text(items) => Line::Text(sequence(items, bind)?),
                Shape::Columns { separator, columns } => {
                    Line::Columns(Columns::new(separator, columns, bind)?)
                }
            }),
        };
        let lines = grammar.lines.iter().map(line).collect::<Result<_, _>>()?;
        Ok(Self {
            lines,
            objects,
            sets,
            zone: zone(bind)?,
            gathers,
            calendar: bind.calendar()?,
            levels: Levels::new(bind),
            success: Value::Text(bind.constant(b"success")),
            failure: Value::Text(bind.constant(b"failure")),
            trace: trace(grammar, bind)?,
        })
    }

    /// Tries some of the line forms in order; gives the number of the first that fits.
    pub(super) fn find(
        &self,
        tried: Range<usize>,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<usize, Mismatch> {
        if let Some(objects) = &self.objects {
            let forms = self.lines.iter().enumerate().take(tried.end).skip(tried.start);
            let forms = forms.filter_map(|(at, line)| match line {
                Line::Object(form) => Some((at, form)),
                Line::Text(_) | Line::Columns(_) => None,
            });
            let mark = fields.len();
            fields.extend(self.zone);
            let found = objects.find(self, forms, input, texts, fields);
            match found {
                Ok(_) => {
                    fields.extend_from_slice(&self.sets);
                    self.gather(mark, texts, fields);
                }
                Err(_) => fields.truncate(mark),
            }
            if found.is_ok() || self.lines.iter().all(|line| matches!(line, Line::Object(_))) {
                return found;
            }
        }
        let bytes = texts.bytes(input);
        let text = input.part(0, bytes.strip_suffix(b"\r").unwrap_or(bytes).len());
        // A joined message holds line feeds, which its segment does not count as unclean.
        let joined = memchr::memchr(b'\n', bytes).is_some();
        let plain = !joined && texts.is_clean(input);
        fields.extend(self.zone);
        let mark = fields.len();
        let mut furthest = Mismatch::at(0, "an empty message");
        for (at, line) in self.lines.iter().enumerate().take(tried.end).skip(tried.start) {
            let done = match line {
                Line::Text(ops) => self.run(ops, (text, plain), texts, fields),
                Line::Columns(columns) => columns.parse(self, text, texts, fields),
                Line::Object(_) => continue,
            };
            match done {
                Ok(()) => {
                    fields.extend_from_slice(&self.sets);
                    if joined {
                        self.take_trace(mark, texts, fields);
                    }
                    self.gather(mark, texts, fields);
                    return Ok(at);
                }
                Err(mismatch) if mismatch.offset >= furthest.offset => furthest = mismatch,
                Err(_) => {}
            }
            fields.truncate(mark);
        }
        Err(furthest)
    }

    /// Reads a text with a sequence, which must take all of it. On an error, what was appended is dropped by the caller.
    #[inline]
    pub(super) fn run(
        &self,
        ops: &[Op],
        (text, plain): (Span, bool),
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let base = texts.derived_bytes();
        let mut derived = texts.scratch();
        let mut run = Run::new(self, (texts.bytes(text), text, plain), fields, (base, &mut derived));
        let done = run.whole(ops);
        texts.keep(derived);
        done
    }

    /// A trace in the message is told apart.
    #[cold]
    fn take_trace(&self, mark: usize, texts: &Texts, fields: &mut Fields) {
        let Some((slot, slots)) = &self.trace else { return };
        let found = fields.get(mark..).unwrap_or_default().iter().rev();
        let message =
            found.filter(|(target, _)| *target == Target::Slot(*slot)).find_map(|(_, value)| match value {
                Value::Text(span) => Some(*span),
                _ => None,
            });
        if let Some(message) = message {
            slots.put(message, texts, fields);
        }
    }

    /// Puts the lists.
    fn gather(&self, mark: usize, texts: &mut Texts, fields: &mut Fields) {
        for (list, from) in &self.gathers {
            let mut kept = [NOTHING; GATHERED_MAX];
            let mut count = 0;
            for (target, value) in fields.iter().skip(mark) {
                let Target::Slot(slot) = target else { continue };
                if !from.contains(slot) || count == GATHERED_MAX {
                    continue;
                }
                let Some(span) = value.span() else { continue };
                let bytes = texts.bytes(span);
                if !kept[..count].iter().any(|other| texts.bytes(*other) == bytes) {
                    kept[count] = span;
                    count += 1;
                }
            }
            if count == 0 {
                continue;
            }
            let mut json = texts.scratch();
            for (at, span) in kept[..count].iter().enumerate() {
                json.push(if at == 0 { b'[' } else { b',' });
                write_text(texts.bytes(*span), span.facts.is_plain(), &mut json);
            }
            json.push(b']');
            let span = texts.keep(json);
            fields.push((Target::Slot(*list), Value::List(span)));
        }
    }
}

/// Values that one list may gather; grammars name fewer fields.
const GATHERED_MAX: usize = 8;

const NOTHING: Span = Span { start: 0, len: 0, buffer: Span::ARENA, facts: Facts::UNKNOWN };

/// Appends text as JSON.
#[inline]
pub(super) fn write_text(text: &[u8], plain: bool, json: &mut Vec<u8>) {
    if plain {
        json.push(b'"');
        json.extend_from_slice(text);
        json.push(b'"');
    } else {
        crate::event::write_string(&String::from_utf8_lossy(text), json);
    }
}

/// Whether anyone wants the trace in a message, and the grammar leaves it to us.
fn trace(grammar: &Grammar, bind: &Bind<'_>) -> Result<Option<(Slot, exception::Slots)>, String> {
    if !grammar.traces {
        return Ok(None);
    }
    let slots = exception::Slots::new(bind)?;
    Ok(if slots.any() { Some((bind.slot(MESSAGE)?, slots)) } else { None })
}

impl Format for Bound {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        self.find(0..self.lines.len(), input, texts, fields).map(drop)
    }

    fn parse_by(
        &self,
        forms: Range<usize>,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<usize, Mismatch> {
        self.find(forms, input, texts, fields)
    }

    fn refuses(&self, form: usize, input: Span, texts: &mut Texts, fields: &mut Fields) -> bool {
        match (self.lines.get(form), &self.objects) {
            (Some(Line::Object(form)), Some(_)) => form.refuses(self, input, texts, fields),
            _ => false,
        }
    }
}

/// A constant and where it goes, if anyone wants it.
fn constant(set: &Set, bind: &mut Bind<'_>) -> Result<Option<(Slot, Value)>, String> {
    let Some(slot) = bind.wanted_slot(&set.path)? else { return Ok(None) };
    let value = match &set.value {
        Constant::Text(text) => Value::Text(bind.constant(text.as_bytes())),
        Constant::Int(int) => Value::Int(*int),
        Constant::Bool(bool) => Value::Bool(*bool),
        Constant::Texts(texts) => {
            let mut json = vec![b'['];
            for (at, text) in texts.iter().enumerate() {
                if at > 0 {
                    json.push(b',');
                }
                crate::event::write_string(text, &mut json);
            }
            json.push(b']');
            Value::List(bind.constant(&json))
        }
    };
    Ok(Some((slot, value)))
}

/// The zone of the options, unless it is that which times have anyway.
fn zone(bind: &mut Bind<'_>) -> Result<Option<(Target, Value)>, String> {
    let options = bind.options;
    let Some(zone) = options.text("zone").filter(|zone| !matches!(*zone, "" | "UTC")) else {
        return Ok(None);
    };
    let slot = bind.wanted_slot("event.timezone")?;
    Ok(slot.map(|slot| (Target::Slot(slot), Value::Text(bind.constant(zone.as_bytes())))))
}

/// Lists that are gathered: the slot of each, and those of its items.
type Gathers = Box<[(Slot, Box<[Slot]>)]>;

/// The lists that anyone wants.
fn gathers(written: &[Gather], bind: &mut Bind<'_>) -> Result<Gathers, String> {
    let mut gathers = Vec::new();
    for gather in written {
        if let Some(list) = bind.wanted_slot(&gather.path)? {
            let from: Box<[Slot]> =
                gather.from.iter().map(|path| bind.slot(path)).collect::<Result<_, _>>()?;
            // Who wants the list wants what it is made of.
            from.iter().for_each(|slot| bind.wanted.insert(*slot));
            gathers.push((list, from));
        }
    }
    Ok(gathers.into())
}

/// The operations of a sequence.
pub(super) fn sequence(items: &[Item], bind: &mut Bind<'_>) -> Result<Box<[Op]>, String> {
    items.iter().filter_map(|item| op(item, bind).transpose()).collect()
}

/// The operation of an item; a constant that nobody wants has none.
fn op(item: &Item, bind: &mut Bind<'_>) -> Result<Option<Op>, String> {
    Ok(Some(match item {
        Item::Literal(bytes) => match bytes[..] {
            [byte] => Op::Byte(byte),
            _ => Op::Literal(Literal::new(bytes)),
        },
        Item::Blanks { required } => Op::Blanks(usize::from(*required)),
        Item::Group(groups) => {
            let sequences = groups.iter().map(|items| sequence(items, bind)).collect::<Result<_, _>>()?;
            Op::Group(Group::new(sequences))
        }
        Item::Many(groups) => {
            Op::Many(groups.iter().map(|items| sequence(items, bind)).collect::<Result<_, _>>()?)
        }
        Item::Ahead(items) => Op::Ahead(sequence(items, bind)?),
        Item::Constant(set) => {
            let Some((slot, value)) = constant(set, bind)? else { return Ok(None) };
            Op::Put(slot, value)
        }
        Item::Capture { path, kind, absent } => capture(path, kind, absent, bind)?,
    }))
}

fn capture(path: &str, kind: &Kind, absent: &[Vec<u8>], bind: &Bind<'_>) -> Result<Op, String> {
    let slot = match path {
        "" => None,
        // The trace in it may be wanted.
        MESSAGE => bind.slot(path).ok(),
        _ => bind.wanted_slot(path).ok().flatten(),
    };
    let absent = absent.iter().map(|text| text.as_slice().into()).collect();
    let scan = match kind {
        Kind::Split(separators, whole) => {
            Scan::Split(separators.as_slice().into(), Box::new(text_scan(whole)))
        }
        Kind::Request => return Ok(Op::Request(Box::new(RequestSlots::new(bind, true)?))),
        Kind::Url => return Ok(Op::Url(Box::new(RequestSlots::new(bind, false)?))),
        Kind::Status => return Ok(Op::Status(slot, bind.wanted_slot("event.outcome")?)),
        Kind::Address | Kind::Addresses | Kind::Endpoint if !path.is_empty() => {
            let below = |key: &str| bind.wanted_slot(&format!("{path}.{key}"));
            let with_port = matches!(kind, Kind::Endpoint);
            let port = if with_port { below("port")? } else { None };
            let slots = PeerSlots {
                address: below("address")?,
                ip: below("ip")?,
                domain: below("domain")?,
                port,
                with_port,
            };
            let list = matches!(kind, Kind::Addresses);
            return Ok(if list { Op::Peers(slots, absent) } else { Op::Peer(slots, absent) });
        }
        Kind::Until(_) | Kind::UntilLast(..) | Kind::Quoted | Kind::Text | Kind::Rest | Kind::Word => {
            text_scan(kind)
        }
        Kind::Label => Scan::Label,
        Kind::Dotted => Scan::Dotted,
        Kind::Name => Scan::Name,
        Kind::Int(least, most) => Scan::Int(*least, *most),
        Kind::Float => Scan::Float,
        Kind::Digits => Scan::Digits,
        Kind::Hex => Scan::Hex,
        Kind::Ip => Scan::Ip,
        Kind::Host | Kind::Address | Kind::Addresses | Kind::Endpoint => Scan::Host,
        Kind::Time(form) => Scan::Time(form.clone()),
        Kind::Bool => Scan::Bool,
        // The check keeps these out of texts.
        Kind::Any | Kind::Object | Kind::List => Scan::Rest,
        Kind::Level => Scan::Level,
        // The longest that fits: `CRON` must not take half of `CRONTAB`.
        Kind::OneOf(words) => {
            let mut words: Vec<Box<[u8]>> = words.iter().map(|word| word.as_slice().into()).collect();
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
            Scan::OneOf(words.into())
        }
        Kind::Series => Scan::Series,
        Kind::StructuredData => Scan::StructuredData,
        Kind::Duration(unit) => Scan::Duration(*unit),
    };
    if !path.is_empty() {
        bind.slot(path)?;
    }
    Ok(Op::Capture(scan, slot, absent))
}

/// How a text is read that only its end tells.
fn text_scan(kind: &Kind) -> Scan {
    match kind {
        Kind::Until(end) => match end[..] {
            [byte] => Scan::UntilByte(byte),
            _ => Scan::Until(Box::new(Finder::new(end).into_owned())),
        },
        Kind::UntilLast(end, before) => {
            let before = (!before.is_empty()).then(|| Box::new(Finder::new(before).into_owned()));
            Scan::UntilLast(Box::new(FinderRev::new(end).into_owned()), before)
        }
        Kind::Quoted => Scan::Quoted,
        Kind::Word => Scan::Word,
        _ => Scan::Rest,
    }
}
