//! Texts without which a format takes no line: where none of them is in a line, the format need not be tried.
//!
//! In: a line form. Out: a few texts of which every line that it takes holds one. Of the texts that a
//! form asks for, those are taken that the fewest samples of other grammars hold.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};

use memchr::memmem::{self, Finder};

use super::super::kind::Kind;
use super::super::plan::{Item, Object};
use super::super::written::{Need, Notation, Shape};
use super::super::{Grammar, Line};

/// Texts of a candidate, at most: more are slower to look for than the candidate is to try.
const TEXTS_MAX: usize = 48;

/// So many of the texts that a form asks for are kept: which of them the lines of another hold is seen later.
const CHOICES_MAX: usize = 12;

/// Shorter texts stand in nearly every line.
const TEXT_BYTES_MIN: usize = 2;

/// One in so many samples may hold a text that is looked for.
const SAMPLES_PER_HIT: usize = 4;

/// Texts, of which one must be in a line.
pub(super) type AnyOf = Vec<Vec<u8>>;

/// Texts that some forms need, by their number.
pub(super) type NeedId = u16;

/// What all forms need, each list of texts once.
#[derive(Default)]
pub(super) struct Needs(Box<[AnyOf]>);

impl Needs {
    /// Of the lists of all forms; and the numbers of each form's.
    pub(super) fn new(forms: &[Vec<AnyOf>]) -> (Self, Vec<Box<[NeedId]>>) {
        let all: BTreeSet<&AnyOf> = forms.iter().flatten().collect();
        let all: Box<[AnyOf]> = all.into_iter().take(NeedId::MAX as usize).cloned().collect();
        let number = |any: &AnyOf| all.binary_search(any).ok().map(|at| at as NeedId);
        let numbers = forms.iter().map(|form| form.iter().filter_map(number).collect()).collect();
        (Self(all), numbers)
    }

    /// What a line lacks of them.
    pub(super) fn lacking<'a>(&'a self, line: &'a [u8]) -> Lacking<'a> {
        Lacking { needs: &self.0, line, known: vec![None; self.0.len()] }
    }
}

/// What a line lacks, looked for once each.
pub(super) struct Lacking<'a> {
    needs: &'a [AnyOf],
    line: &'a [u8],
    known: Vec<Option<bool>>,
}

impl<'a> Lacking<'a> {
    /// Whether the line holds none of the texts.
    pub(super) fn lacks(&mut self, need: NeedId) -> bool {
        let find = || self.texts(need).iter().all(|text| memmem::find(self.line, text).is_none());
        match self.known.get(need as usize) {
            Some(Some(lacks)) => *lacks,
            _ => {
                let lacks = find();
                if let Some(known) = self.known.get_mut(need as usize) {
                    *known = Some(lacks);
                }
                lacks
            }
        }
    }

    pub(super) fn texts(&self, need: NeedId) -> &'a [Vec<u8>] {
        self.needs.get(need as usize).map_or(&[], Vec::as_slice)
    }

    /// Bytes of the line.
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }
}

/// The samples of all grammars: how rare a text is.
pub(super) struct Rarity(Vec<(&'static str, &'static [u8])>);

impl Rarity {
    pub(super) fn new() -> Self {
        let samples = super::super::all().iter().flat_map(|grammar| {
            grammar.samples().map(|(_, text)| (grammar.name(), text.as_bytes())).collect::<Vec<_>>()
        });
        Self(samples.collect())
    }

    /// How many samples of others hold one of these texts.
    fn hits(&self, own: &str, texts: &AnyOf) -> usize {
        let finders: Vec<_> = texts.iter().map(Finder::new).collect();
        let others = self.0.iter().filter(|(name, _)| *name != own);
        others.filter(|(_, sample)| finders.iter().any(|finder| finder.find(sample).is_some())).count()
    }

    /// Those of some texts that are rare, the rarest first.
    fn rare(&self, own: &str, all: Vec<AnyOf>) -> Vec<AnyOf> {
        let fit = all.into_iter().filter(|texts| {
            !texts.is_empty()
                && texts.len() <= TEXTS_MAX
                && texts.iter().all(|text| text.len() >= TEXT_BYTES_MIN)
        });
        let mut all: Vec<_> = fit.map(|texts| (self.hits(own, &texts), texts)).collect();
        all.retain(|(hits, _)| hits * SAMPLES_PER_HIT <= self.0.len());
        all.sort();
        all.truncate(CHOICES_MAX);
        all.into_iter().map(|(_, texts)| texts).collect()
    }

    /// What the lines of a form need, the rarest first; nothing where they hold no text that is told by.
    pub(super) fn of_line(&self, grammar: &Grammar, line: &Line) -> Vec<AnyOf> {
        let own = grammar.name();
        let mut all = match (&line.object, &line.shape) {
            (Some(object), _) => keys(object),
            (None, Shape::Text(items)) => self.of_items(own, items),
            // Quotes in a value are written twice.
            (None, Shape::Columns { .. }) => Vec::new(),
        };
        if !grammar.told().is_empty() {
            all.push(grammar.told().iter().map(|text| text.as_bytes().to_vec()).collect());
        }
        self.rare(own, all)
    }

    /// What a format that is code needs.
    pub(super) fn of_code(&self, name: &str) -> Vec<AnyOf> {
        let all: &[&[&[u8]]] = match name {
            "cef" => &[&[b"CEF:"]],
            "leef" => &[&[b"LEEF:"]],
            "cri" => &[&[b" stdout ", b" stderr "]],
            "docker" => &[&[b"log\""], &[b"stream\""], &[b"time\""]],
            _ => &[],
        };
        all.iter().map(|texts| texts.iter().map(|text| text.to_vec()).collect()).collect()
    }

    /// All that a sequence asks for: one of each.
    fn of_items(&self, own: &str, items: &[Item]) -> Vec<AnyOf> {
        let mut all = Vec::new();
        // Texts that follow each other are one.
        let mut open: Vec<u8> = Vec::new();
        for item in items {
            if let Item::Literal(text) = item {
                open.extend_from_slice(text);
                continue;
            }
            if !matches!(item, Item::Constant(_) | Item::Ahead(_)) && !open.is_empty() {
                all.push(vec![std::mem::take(&mut open)]);
            }
            match item {
                Item::Group(groups) => {
                    let each = groups
                        .iter()
                        .map(|items| self.rare(own, self.of_items(own, items)).into_iter().next());
                    all.extend(each.collect::<Option<Vec<_>>>().map(|each| each.concat()));
                }
                Item::Ahead(items) => all.append(&mut self.of_items(own, items)),
                // What stands in its place ends in the same.
                Item::Capture { kind: Kind::Until(end) | Kind::UntilLast(end, _), .. } => {
                    all.push(vec![end.clone()])
                }
                Item::Capture { kind: Kind::OneOf(words), absent, .. } => {
                    all.push(words.iter().chain(absent).cloned().collect());
                }
                _ => {}
            }
        }
        if !open.is_empty() {
            all.push(vec![open]);
        }
        all
    }
}

/// Keys of members that must be there, as they are written.
fn keys(object: &Object) -> Vec<AnyOf> {
    let must = object.members.iter().filter(|member| member.need == Need::Must);
    let keys = must.map(|member| {
        let key = member.path.rsplit('.').next().unwrap_or_default();
        vec![match object.notation {
            Notation::Xml => key.trim_start_matches(['@', '#']).as_bytes().to_vec(),
            Notation::Json => format!("{key}\"").into_bytes(),
            Notation::Pairs => format!("{key}=").into_bytes(),
        }]
    });
    keys.collect()
}

/// Texts that are looked for at once: more make a search by vectors slow.
const PACKED_TEXTS: usize = 48;

/// Bytes by which a search by vectors tells where a text may stand, at most.
const PACKED_BYTES: usize = 4;

/// What it costs to compare texts at a place where one may stand, and to look through a line once more, about, in
/// nanoseconds.
const COMPARE_NS: usize = 5;
const PASS_NS: usize = 15;

/// Searches by vectors, one behind the other, that are no slower than one without them.
const PACKED_MAX: usize = 4;

/// Whether texts that are told by their first bytes would be compared so often that a second search is cheaper.
fn is_crowded(texts: &[Vec<u8>], bytes: usize, line: &[u8]) -> bool {
    let long = texts.iter().filter(|text| text.len() >= PACKED_BYTES);
    let fronts: BTreeSet<_> = long.filter_map(|text| text.get(..bytes)).collect();
    let places = line.windows(bytes).filter(|place| fronts.contains(place)).count();
    places * COMPARE_NS > PASS_NS + line.len() / 16
}

/// Looks for texts.
pub(super) enum Search {
    /// A single one.
    One(Box<Finder<'static>>),
    /// With vector instructions.
    Packed(Vec<packed::Searcher>),
    /// Where they cannot be had, or the texts are too many.
    Plain(AhoCorasick),
}

impl Search {
    /// A search for these in lines much like one; nothing where there are none.
    pub(super) fn new(texts: &[Vec<u8>], line: &[u8]) -> Option<Self> {
        match texts {
            [] => return None,
            [text] => return Some(Self::One(Box::new(Finder::new(text).into_owned()))),
            _ => {}
        }
        let groups = match texts.iter().map(Vec::len).min() {
            // All would be told by as few bytes as the shortest has, and so be compared at many places of the line.
            Some(shortest @ ..PACKED_BYTES) if is_crowded(texts, shortest, line) => {
                let (short, long) = texts.iter().partition(|text| text.len() < PACKED_BYTES);
                vec![short, long]
            }
            _ => vec![texts.iter().collect::<Vec<_>>()],
        };
        let chunks: Vec<_> = groups.iter().flat_map(|texts| texts.chunks(PACKED_TEXTS)).collect();
        let few = texts.len() <= PACKED_TEXTS * PACKED_MAX;
        let packed = || chunks.into_iter().map(packed::Searcher::new).collect::<Option<_>>();
        few.then(packed).flatten().map(Self::Packed).or_else(|| {
            let small = Some(AhoCorasickKind::ContiguousNFA);
            AhoCorasick::builder().kind(small).build(texts).ok().map(Self::Plain)
        })
    }

    /// What it costs to look for so many texts in a line of a length, about, in nanoseconds.
    pub(super) fn cost(texts: usize, len: usize) -> usize {
        match texts {
            0 => 0,
            1 => 5 + len / 16,
            _ if texts <= PACKED_TEXTS * PACKED_MAX => texts.div_ceil(PACKED_TEXTS) * (10 + len / 8),
            _ => 10 + 2 * len,
        }
    }

    /// Whether a line holds one of them.
    #[inline]
    pub(super) fn is_in(&self, line: &[u8]) -> bool {
        match self {
            Self::One(finder) => finder.find(line).is_some(),
            Self::Packed(searches) => searches.iter().any(|search| search.find(line).is_some()),
            Self::Plain(search) => search.is_match(line),
        }
    }
}
