//! One line form: what most messages have in common, column by column.

use super::chunk::{Chunk, What};

/// Messages of a hundred that must be alike for a column to be taken.
const ALIKE_PERCENT: usize = 90;

/// Columns of one form.
const COLUMNS_MAX: usize = 24;

/// Columns ahead among which one that is more than a word shows that prose has not begun.
const AHEAD: usize = 3;

/// Shapes of one column that are told apart.
const DISTINCT_MAX: usize = 64;

/// A form and what it was learnt from.
pub(super) struct Form {
    /// The items, as a grammar writes them.
    pub(super) text: String,
    /// How many messages it is of.
    pub(super) messages: usize,
}

/// Fields of the grammar's forms so far, with what each is.
pub(super) type Types = Vec<(String, std::mem::Discriminant<What>)>;

type Message<'a> = (&'a str, Vec<Chunk<'a>>);

/// Learns the form of most messages, and gives those that it does not take. `None` where they have nothing in common.
pub(super) fn learn<'a>(
    name: &str,
    messages: Vec<Message<'a>>,
    types: &mut Types,
) -> Option<(Form, Vec<Message<'a>>)> {
    let mut taken: Vec<Message<'a>> = messages;
    let mut left = Vec::new();
    let mut out = Writer { name, text: String::new(), used: Vec::new(), types, typed: 0 };
    let mut ends = false;
    for column in 0..COLUMNS_MAX {
        // All end here: so does the form.
        let over = taken.iter().filter(|(_, chunks)| chunks.len() <= column).count();
        if over * 100 >= taken.len() * ALIKE_PERCENT {
            ends = column > 0;
            split(&mut taken, &mut left, |(_, chunks)| chunks.len() <= column);
            break;
        }
        let Some(shape) = shape(&taken, column) else { break };
        let fits = |(_, chunks): &Message<'a>| chunks.get(column).is_some_and(|chunk| shape.fits(chunk));
        if !shape.is_more_than_a_word() && !is_structure(&taken, column) {
            break;
        }
        split(&mut taken, &mut left, fits);
        let chunks: Vec<&Chunk<'_>> = taken.iter().filter_map(|(_, chunks)| chunks.get(column)).collect();
        out.column(&shape, &chunks);
    }
    if out.typed == 0 {
        return None;
    }
    if !ends {
        out.rest();
    }
    let messages = taken.len();
    Some((Form { text: out.text.trim_end().to_owned(), messages }, left))
}

/// Moves what does not fit to the others.
fn split<'a>(taken: &mut Vec<Message<'a>>, left: &mut Vec<Message<'a>>, fits: impl Fn(&Message<'a>) -> bool) {
    let (fit, other) = std::mem::take(taken).into_iter().partition(fits);
    *taken = fit;
    left.extend::<Vec<_>>(other);
}

/// What the chunks of a column have in common.
struct Shape<'a> {
    before: &'a str,
    behind: &'a str,
    what: What,
    /// No blank follows, as between a name and its bracket.
    tight: bool,
}

impl Shape<'_> {
    fn fits(&self, chunk: &Chunk<'_>) -> bool {
        let kind = match &self.what {
            What::Word => !matches!(chunk.what, What::Time(_)),
            What::Float => matches!(chunk.what, What::Float | What::Int),
            What::Marks => chunk.what == What::Marks,
            what => chunk.what == *what || (chunk.text == "-" && matches!(what, What::Int | What::Ip)),
        };
        kind && chunk.before == self.before
            && chunk.behind == self.behind
            && chunk.blanks.is_empty() == self.tight
    }

    /// Not a bare word or number, of which prose has many.
    fn is_framed(&self) -> bool {
        self.is_more_than_a_word()
            && (matches!(self.what, What::Time(_) | What::Level | What::Request)
                || !self.before.is_empty()
                || self.tight
                || !self.behind.is_empty())
    }

    fn is_more_than_a_word(&self) -> bool {
        self.what != What::Word
            || !self.before.is_empty()
            || self.tight
            || matches!(self.behind, ":" | "|" | "]")
    }
}

/// The narrowest shape that most messages have at a column; that of the greatest part where none has so many.
fn shape<'a>(messages: &[Message<'a>], column: usize) -> Option<Shape<'a>> {
    let chunks: Vec<&Chunk<'a>> = messages.iter().filter_map(|(_, chunks)| chunks.get(column)).collect();
    let frame = |chunk: &Chunk<'a>| (chunk.before, chunk.behind, chunk.blanks.is_empty());
    let (before, behind, tight) = greatest(chunks.iter().map(|chunk| frame(chunk)))?;
    let framed: Vec<_> = chunks.iter().filter(|chunk| frame(chunk) == (before, behind, tight)).collect();
    let what = greatest(framed.iter().filter(|chunk| chunk.text != "-").map(|chunk| chunk.what.clone()))
        .unwrap_or(What::Marks);
    let shape = Shape { before, behind, what, tight };
    let enough = |shape: &Shape<'a>| {
        framed.iter().filter(|chunk| shape.fits(chunk)).count() * 100 >= framed.len() * ALIKE_PERCENT
    };
    // In the first column what most have makes the form: others get one of their own.
    if column == 0 || enough(&shape) || matches!(shape.what, What::Time(_)) {
        return Some(shape);
    }
    Some(Shape { what: What::Word, ..shape })
}

/// What occurs most; of equals the first.
fn greatest<T: PartialEq>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for one in all {
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == one) {
            *count += 1;
        } else if counts.len() < DISTINCT_MAX {
            counts.push((one, 1));
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(one, _)| one)
}

/// Whether a column soon behind this one is more than a word in nearly all messages: then this one is a field too.
fn is_structure(messages: &[Message<'_>], column: usize) -> bool {
    (column + 1..=column + AHEAD).any(|ahead| {
        shape(messages, ahead).is_some_and(|shape| {
            let fits = messages
                .iter()
                .filter(|(_, chunks)| chunks.get(ahead).is_some_and(|chunk| shape.fits(chunk)));
            shape.is_framed() && fits.count() * 100 >= messages.len() * (ALIKE_PERCENT + 5)
        })
    })
}

/// Writes the items of a form.
struct Writer<'n> {
    name: &'n str,
    types: &'n mut Types,
    text: String,
    used: Vec<String>,
    typed: usize,
}

impl Writer<'_> {
    fn column(&mut self, shape: &Shape<'_>, chunks: &[&Chunk<'_>]) {
        self.literal(shape.before);
        let texts = || chunks.iter().map(|chunk| chunk.text);
        let first = texts().next().unwrap_or_default();
        let single = chunks.iter().all(|chunk| chunk.blanks == " ");
        // A colon may stand within a name as well: the blank behind it tells which is the last.
        let blank = if !shape.tight && single { " " } else { "" };
        let end = Some(format!("{}{blank}", shape.behind)).filter(|_| !shape.behind.is_empty());
        let next = chunks.first().and_then(|chunk| chunk.next);
        let dash = texts().any(|text| text == "-");
        match &shape.what {
            What::Marks if texts().all(|text| text == first) && first != "-" => self.literal(first),
            what => {
                let path = self.path(shape);
                let kind = match what {
                    What::Time(form) => format!(": time {form}"),
                    What::Level => ": level".into(),
                    What::Int => ": int".into(),
                    What::Float => ": float".into(),
                    What::Ip => ": ip".into(),
                    What::Request => String::new(),
                    What::Marks | What::Word => match end {
                        Some(end) => format!(": until {}", quote(&end)),
                        // A name before its bracket.
                        None if shape.tight && next.is_some() => {
                            format!(": until {}", quote(&next.map(String::from).unwrap_or_default()))
                        }
                        None => ": word".into(),
                    },
                };
                let absent =
                    if dash && !matches!(what, What::Time(_) | What::Request) { " | \"-\"" } else { "" };
                self.typed +=
                    usize::from(!matches!(what, What::Word | What::Marks) || !shape.before.is_empty());
                if *what == What::Request {
                    self.text += "{request} ";
                } else {
                    self.text += &format!("{{{path}{kind}{absent}}} ");
                }
            }
        }
        self.literal(shape.behind);
        if !shape.tight {
            self.text += if single { "\" \" " } else { "_ " };
        }
    }

    fn literal(&mut self, text: &str) {
        if !text.is_empty() {
            self.text += &quote(text);
            self.text.push(' ');
        }
    }

    /// Everything that is left.
    fn rest(&mut self) {
        self.text += "{message: rest}";
    }

    /// A name for a field: that of ECS where what it is tells, else what stands before it, else a number.
    fn path(&mut self, shape: &Shape<'_>) -> String {
        let key: String = shape
            .before
            .trim_end_matches(['=', '"', '[', '(', '<'])
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' })
            .collect();
        let key = key.trim_matches('.').to_ascii_lowercase();
        let known = match &shape.what {
            What::Time(_) => Some("@timestamp"),
            What::Level => Some("log.level"),
            What::Ip => Some("source.ip"),
            What::Int if shape.before == "[" && shape.behind.starts_with(']') => Some("process.pid"),
            What::Word if shape.tight => Some("process.name"),
            _ => None,
        };
        let own = |key: &str| format!("{}.{key}", self.name);
        let wish = match known {
            Some(known) if !self.used.iter().any(|used| used == known) => known.to_owned(),
            _ if !key.is_empty() => own(&key),
            _ => own(&format!("field{}", self.used.len() + 1)),
        };
        let kind = std::mem::discriminant(&shape.what);
        let mut path = wish.clone();
        let clashes = |path: &str, used: &Vec<String>| {
            let below = |one: &str, other: &str| {
                one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            used.iter().any(|used| below(used, path) || below(path, used))
        };
        let mut number = 2;
        while clashes(&path, &self.used) || self.types.iter().any(|(known, of)| *known == path && *of != kind)
        {
            path = format!("{wish}_{number}");
            number += 1;
        }
        self.used.push(path.clone());
        self.types.push((path.clone(), kind));
        path
    }
}

/// A text as grammars write it.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
