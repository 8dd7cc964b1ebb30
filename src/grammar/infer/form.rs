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

/// Letters and digits of texts that all messages begin with, which are as good as a capture that is typed.
const FIXED_MIN: usize = 3;

/// What follows where no tail fits.
const REST: &str = "_? {message: rest}";

/// A form and what it was learnt from.
pub(super) struct Form {
    /// The items up to the time, or the first capture with a type: what a message of this form must have.
    pub(super) header: String,
    /// What may stand behind it, the most frequent first; anything may.
    pub(super) tails: Vec<String>,
    /// A looser header: whatever stands before the bracket that the time is in.
    pub(super) front: Option<String>,
    /// How many messages it is of.
    pub(super) messages: usize,
}

impl Form {
    /// The items, as a grammar writes them.
    pub(super) fn text(&self) -> String {
        let tails: Vec<_> = self.tails.iter().filter(|tail| !tail.is_empty()).collect();
        let mut text = self.header.clone();
        if tails.is_empty() {
            text += &format!("\n  {REST}");
        } else {
            text += "\n  ( ";
            tails.iter().for_each(|tail| text += &format!("{tail} {REST}\n  | "));
            text += &format!("{REST} )");
        }
        match &self.front {
            Some(front) => format!("( {text}\n  | {front} {REST} )"),
            None => text,
        }
    }

    /// Puts a form with the same header into this one.
    pub(super) fn join(&mut self, other: Form) {
        other.tails.into_iter().for_each(|tail| {
            if !self.tails.contains(&tail) {
                self.tails.push(tail);
            }
        });
        self.messages += other.messages;
    }
}

/// Fields of the grammar's forms so far, with what each is.
pub(super) type Types = Vec<(String, std::mem::Discriminant<What>)>;

type Message<'a> = (&'a str, Vec<Chunk<'a>>);

/// Learns the form of most messages, and gives those that it does not take. `None` where they have nothing in common.
pub(super) fn learn<'a>(
    name: &str,
    messages: &[Message<'a>],
    types: &mut Types,
) -> Option<(Form, Vec<Message<'a>>)> {
    // What has its time in another place, or none, is of another form.
    let time = greatest(messages.iter().filter_map(time_of));
    let (alike, others): (Vec<_>, Vec<_>) =
        messages.iter().cloned().partition(|message| time.is_none() || time_of(message) == time);
    let (form, mut left) =
        columns(name, alike, types, Known { time: time.map(|(column, _)| column), fixed: false })?;
    left.extend(others);
    Some((form, left))
}

/// Where a message has its time, and of which form.
fn time_of<'c>((_, chunks): &'c Message<'_>) -> Option<(usize, &'c str)> {
    chunks.iter().enumerate().find_map(|(column, chunk)| match &chunk.what {
        What::Time(form) => Some((column, form.as_str())),
        _ => None,
    })
}

/// What is known of messages before their columns are looked at.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The column of their time.
    time: Option<usize>,
    /// They begin with the same words.
    fixed: bool,
}

/// The same for messages that begin with the same words: those of them that have most. What all of these say is a
/// literal of the form.
pub(super) fn learn_alike<'a>(
    name: &str,
    messages: &[Message<'a>],
    types: &mut Types,
) -> Option<(Form, Vec<Message<'a>>)> {
    let key = greatest(messages.iter().filter_map(beginning))?;
    let is_of = |message: &&Message<'a>| beginning(message) == Some(key);
    let (alike, others): (Vec<_>, Vec<_>) = messages.iter().partition(is_of);
    if alike.len() < 2 {
        return None;
    }
    let alike = alike.into_iter().cloned().collect();
    let (form, mut left) = columns(name, alike, types, Known { time: None, fixed: true })?;
    left.extend(others.into_iter().cloned());
    Some((form, left))
}

/// The first words of a message: one that says something, or two; of one that has digits only what is around it.
fn beginning<'a>((_, chunks): &Message<'a>) -> Option<[&'a str; 6]> {
    let key = |chunk: &Chunk<'a>| {
        let text = if chunk.text.bytes().any(|byte| byte.is_ascii_digit()) { "" } else { chunk.text };
        (chunk.before, text, chunk.behind)
    };
    let (before, text, behind) = key(chunks.first()?);
    let says = text.bytes().filter(u8::is_ascii_alphabetic).count() >= FIXED_MIN;
    let second = chunks.get(1).filter(|_| !says).map(key).unwrap_or_default();
    Some([before, text, behind, second.0, second.1, second.2])
}

fn columns<'a>(
    name: &str,
    mut taken: Vec<Message<'a>>,
    types: &mut Types,
    known: Known,
) -> Option<(Form, Vec<Message<'a>>)> {
    let mut left = Vec::new();
    let mut out =
        Writer { name, text: String::new(), used: Vec::new(), types, header: None, front: None, letters: 0 };
    for column in 0..COLUMNS_MAX {
        // All end here: so does the form.
        let over = taken.iter().filter(|(_, chunks)| chunks.len() <= column).count();
        if over * 100 >= taken.len() * ALIKE_PERCENT {
            split(&mut taken, &mut left, |(_, chunks)| chunks.len() <= column);
            break;
        }
        let Some(mut shape) = shape(&taken, column) else { break };
        let of = |(_, chunks): &Message<'a>| chunks.get(column).map(|chunk| chunk.text);
        let first = taken.first().and_then(of);
        shape.same =
            known.fixed && shape.what == What::Word && taken.iter().all(|message| of(message) == first);
        let fits = |(_, chunks): &Message<'a>| chunks.get(column).is_some_and(|chunk| shape.fits(chunk));
        let is_before_time = known.time.is_some_and(|time| column < time);
        if !is_before_time && !shape.is_more_than_a_word() && !is_structure(&taken, column) {
            break;
        }
        split(&mut taken, &mut left, fits);
        let chunks: Vec<&Chunk<'_>> = taken.iter().filter_map(|(_, chunks)| chunks.get(column)).collect();
        out.column(&shape, column, &chunks);
    }
    let (header, tail) = out.text.split_at_checked(out.header?)?;
    // Blanks before the message are in `REST`.
    let tails = vec![tail.trim_end_matches(['_', ' ']).trim_end_matches("\" \"").trim().to_owned()];
    let form = Form { header: header.trim_end().to_owned(), tails, front: out.front, messages: taken.len() };
    Some((form, left))
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
    /// All messages say the same.
    same: bool,
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
            || self.same
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
    let shape = Shape { before, behind, what, tight, same: false };
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
    /// Where the header ends in the text, once there is one.
    header: Option<usize>,
    front: Option<String>,
    /// Letters and digits of literals so far.
    letters: usize,
}

impl Writer<'_> {
    fn column(&mut self, shape: &Shape<'_>, column: usize, chunks: &[&Chunk<'_>]) {
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
            What::Word if shape.same => {
                self.letters += first.bytes().filter(u8::is_ascii_alphanumeric).count();
                self.literal(first);
            }
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
                if *what == What::Request {
                    self.text += "{request} ";
                } else {
                    self.text += &format!("{{{path}{kind}{absent}}} ");
                }
            }
        }
        self.literal(shape.behind);
        self.end_header(shape, column);
        if !shape.tight {
            self.text += if single { "\" \" " } else { "_ " };
        }
    }

    /// The header ends behind the time, or where there is none behind the first capture with a type.
    fn end_header(&mut self, shape: &Shape<'_>, column: usize) {
        let typed = !matches!(shape.what, What::Word | What::Marks) || !shape.before.is_empty();
        if let What::Time(form) = &shape.what {
            self.header = Some(self.text.len());
            if column > 0 && !shape.before.is_empty() {
                let (before, behind) = (quote(shape.before), quote(shape.behind));
                let front = format!(
                    "{{{}.front: until {before}}} {before} {{@timestamp: time {form}}} {behind}",
                    self.name
                );
                self.front = Some(front.trim_end_matches("\"\"").trim_end().to_owned());
            }
        } else if self.header.is_none() && (typed || self.letters >= FIXED_MIN) {
            self.header = Some(self.text.len());
        }
    }

    fn literal(&mut self, text: &str) {
        if !text.is_empty() {
            self.text += &quote(text);
            self.text.push(' ');
        }
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
