//! From what a file says to a grammar that can be bound: parts are put in place, texts get their ends, fields
//! their types.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::file::{self, NAME, OPEN, SAMPLE, SYNTAX, TYPES};
use super::kind::Kind;
use super::written::{Constant, Form, Item, Member, Need, Shape, Written};
use super::{Grammar, Line, MESSAGE, list, plan};
use crate::diag::{Diagnostic, Place, nearest};
use crate::format::exception;
use crate::signature::{Field, Type};

/// Items that one line may have once its parts are in place: parts of parts multiply.
const ITEMS_MAX: usize = 4096;

/// Resolves a file, or gives everything that is wrong with it.
pub(super) fn resolve(written: Written) -> Result<Grammar, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    names(&written, &mut wrong);
    put_together(written, wrong)
}

/// The same for a file whose samples are still to be chosen.
pub(super) fn resolve_unproven(written: Written) -> Result<Grammar, Vec<Diagnostic>> {
    put_together(written, Vec::new())
}

fn put_together(written: Written, mut wrong: Vec<Diagnostic>) -> Result<Grammar, Vec<Diagnostic>> {
    let mut parts: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    for part in common().iter().chain(&written.parts) {
        if let Shape::Text(items) = &part.shape {
            let items = splice(items, &parts, &mut wrong);
            parts.insert(&part.name, items);
        }
    }
    let mut lines = Vec::new();
    let mut fields = Fields::default();
    for line in &written.lines {
        let shape = each(&line.shape, |items| splice(items, &parts, &mut wrong));
        if shape.sequences().map(count).sum::<usize>() > ITEMS_MAX {
            let message = format!("this line has more than {ITEMS_MAX} pieces");
            wrong.push(Diagnostic::error(OPEN, line.place.clone(), message));
            continue;
        }
        fields.begin();
        for set in &written.sets {
            fields.add(&set.path, constant_type(&set.value), false, &written.name_place, &mut wrong);
        }
        fields.shape(&shape, &line.place, &mut wrong);
        shape.sequences().for_each(|items| text_only(items, &mut wrong));
        let object = line.members.as_ref().map(|members| plan::Object {
            notation: line.notation,
            ..object(members, &parts, &mut fields, &mut wrong)
        });
        fields.end();
        let shape = each(&shape, |items| ends(items, &End::Whole, &mut wrong));
        lines.push(Line { name: line.name.clone(), shape, object, fallback: line.fallback });
    }
    fields.begin();
    fields.add("event.timezone", Type::Text, true, &written.name_place, &mut wrong);
    for gather in &written.gathers {
        for from in &gather.from {
            known(from, &gather.place, &fields, &mut wrong);
        }
        fields.add(&gather.path, Type::List, true, &gather.place, &mut wrong);
    }
    if let Some((path, place)) = &written.inner {
        known(path, place, &fields, &mut wrong);
    }
    fields.end();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    lines.sort_by_key(|line| line.fallback);
    let mut fields = fields.finish();
    let traces = add_traces(&mut fields);
    Ok(Grammar {
        name: written.name,
        summary: written.summary,
        see: written.see,
        told: written.told,
        inner: written.inner.map(|(path, _)| path),
        sets: written.sets,
        gathers: written.gathers,
        lines,
        samples: written.samples,
        refused: written.refused,
        fields,
        traces,
    })
}

/// Complains of a field that no line gives.
fn known(path: &str, place: &Place, fields: &Fields, wrong: &mut Vec<Diagnostic>) {
    if fields.all.contains_key(path) {
        return;
    }
    let mut diagnostic = Diagnostic::error(NAME, place.clone(), format!("no line gives `{path}`"));
    let near = nearest(path, fields.all.keys().map(String::as_str));
    diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
    wrong.push(diagnostic);
}

/// A message may hold a trace, and then gives its parts. Not where the grammar names them itself.
fn add_traces(fields: &mut Vec<Field>) -> bool {
    let named = |path: &str| fields.iter().any(|field| field.path == path);
    if !named(MESSAGE) || exception::FIELDS.iter().any(|path| named(path)) {
        return false;
    }
    fields.extend(exception::fields());
    fields.sort_by(|one, other| one.path.cmp(&other.path));
    true
}

/// Parts that every grammar may name: the file of them is no grammar, since it has no line.
fn common() -> &'static [Form] {
    static COMMON: LazyLock<Vec<Form>> =
        LazyLock::new(|| file::parse(list::COMMON).expect("a test reads the file of common parts").parts);
    &COMMON
}

/// Puts the members of a JSON object in place.
fn object(
    members: &[Member],
    parts: &BTreeMap<&str, Vec<Item>>,
    fields: &mut Fields,
    wrong: &mut Vec<Diagnostic>,
) -> plan::Object {
    let mut object = plan::Object::default();
    for (at, member) in members.iter().enumerate() {
        let Member { path, place, need, items } = member;
        if let Some(first) = members[..at].iter().find(|other| other.path == *path) {
            let diagnostic = Diagnostic::error(NAME, place.clone(), format!("`.{path}` is there twice"));
            wrong.push(diagnostic.related(first.place.clone(), "the first"));
        }
        let items = splice(items, parts, wrong);
        if path == "*" {
            match &items[..] {
                [Item::Capture { path, kind: Kind::Object, .. }] if !path.is_empty() => {
                    fields.add(path, Type::Object, true, place, wrong);
                    object.rest.clone_from(path);
                }
                _ => {
                    let help = "write `.* = {name: object}`; without it they stay where they are";
                    let message = "all other members go below an object";
                    wrong.push(Diagnostic::error(SYNTAX, place.clone(), message).help(help));
                }
            }
            continue;
        }
        if !matches!(&items[..], [Item::Capture { .. }]) {
            text_only(&items, wrong);
        }
        fields.sequence(&items, *need == Need::May, place, wrong);
        let items = ends(&items, &End::Whole, wrong);
        object.members.push(plan::Member { path: path.clone(), need: *need, items });
    }
    object
}

/// Pieces of a text have no values of JSON among them.
fn text_only(items: &[Item], wrong: &mut Vec<Diagnostic>) {
    for item in items {
        match item {
            Item::Capture { kind, place, .. } if kind.is_json() => {
                let message = "this kind is only for a whole member of a `json` form";
                wrong.push(Diagnostic::error(SYNTAX, place.clone(), message));
            }
            Item::Group { alternatives, .. } | Item::Many(alternatives) => {
                alternatives.iter().for_each(|items| text_only(items, wrong));
            }
            Item::Ahead(items) => text_only(items, wrong),
            _ => {}
        }
    }
}

/// Names must be there, once.
fn names(written: &Written, wrong: &mut Vec<Diagnostic>) {
    if written.lines.is_empty() {
        let message = "a grammar needs a line";
        wrong.push(Diagnostic::error(NAME, written.name_place.clone(), message));
    }
    for forms in [&written.lines, &written.parts] {
        for (at, form) in forms.iter().enumerate() {
            if let Some(first) = forms[..at].iter().find(|other| other.name == form.name) {
                let diagnostic =
                    Diagnostic::error(NAME, form.place.clone(), format!("`{}` is there twice", form.name));
                wrong.push(diagnostic.related(first.place.clone(), "the first"));
            }
        }
    }
    let known = |name: &str| written.lines.iter().any(|line| line.name == name);
    for sample in &written.samples {
        if !known(&sample.line) {
            let message = format!("there is no line `{}`", sample.line);
            let mut diagnostic = Diagnostic::error(SAMPLE, sample.place.clone(), message);
            let near = nearest(&sample.line, written.lines.iter().map(|line| line.name.as_str()));
            diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
            wrong.push(diagnostic);
        }
    }
    for Form { name, place, .. } in &written.lines {
        if !written.samples.iter().any(|sample| sample.line == *name) {
            let diagnostic = Diagnostic::error(SAMPLE, place.clone(), format!("line `{name}` has no sample"));
            wrong.push(diagnostic.help(format!("add `sample {name}` with a text that the program wrote")));
        }
    }
}

/// The same form with each of its sequences made into another.
fn each<A, B>(shape: &Shape<A>, mut f: impl FnMut(&[A]) -> Vec<B>) -> Shape<B> {
    match shape {
        Shape::Text(items) => Shape::Text(f(items)),
        Shape::Columns { separator, columns } => Shape::Columns {
            separator: separator.clone(),
            columns: columns.iter().map(|items| f(items)).collect(),
        },
    }
}

/// Puts parts in place of their names. Parts see only those above them, so that none can hold itself.
fn splice(items: &[Item], parts: &BTreeMap<&str, Vec<Item>>, wrong: &mut Vec<Diagnostic>) -> Vec<Item> {
    let mut spliced = Vec::new();
    for item in items {
        match item {
            Item::Part { name, place } => match parts.get(name.as_str()) {
                Some(items) if spliced.len() + items.len() <= ITEMS_MAX => {
                    spliced.extend(items.iter().cloned())
                }
                Some(_) => {
                    wrong.push(Diagnostic::error(OPEN, place.clone(), "this line has too many pieces"))
                }
                None => {
                    let message = format!("no part `{name}` stands above");
                    let mut diagnostic = Diagnostic::error(NAME, place.clone(), message);
                    diagnostic.help =
                        nearest(name, parts.keys().copied()).map(|near| format!("did you mean `{near}`?"));
                    wrong.push(diagnostic);
                }
            },
            Item::Group { alternatives, optional } => spliced.push(Item::Group {
                alternatives: alternatives.iter().map(|items| splice(items, parts, wrong)).collect(),
                optional: *optional,
            }),
            Item::Many(alternatives) => spliced
                .push(Item::Many(alternatives.iter().map(|items| splice(items, parts, wrong)).collect())),
            Item::Ahead(items) => spliced.push(Item::Ahead(splice(items, parts, wrong))),
            other => spliced.push(other.clone()),
        }
    }
    spliced
}

fn count(items: &[Item]) -> usize {
    let inner = |item: &Item| match item {
        Item::Group { alternatives, .. } | Item::Many(alternatives) => {
            1 + alternatives.iter().map(|items| count(items)).sum::<usize>()
        }
        Item::Ahead(items) => 1 + count(items),
        _ => 1,
    };
    items.iter().map(inner).sum()
}

/// What stands behind a piece.
#[derive(Clone)]
enum End {
    /// The end of the message.
    Whole,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A blank.
    Blank,
    /// Several things, or one that has no first byte.
    Unclear,
}

/// Gives every text its end.
fn ends(items: &[Item], behind: &End, wrong: &mut Vec<Diagnostic>) -> Vec<plan::Item> {
    let mut resolved = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        resolved.push(match item {
            Item::Literal(bytes) => plan::Item::Literal(bytes.clone()),
            Item::Blanks { required } => plan::Item::Blanks { required: *required },
            Item::Constant(set) => plan::Item::Constant(set.clone()),
            Item::Part { .. } => continue,
            Item::Ahead(items) => plan::Item::Ahead(ends(items, &End::Unclear, wrong)),
            // What follows one of many is another, or what stands behind them.
            Item::Many(alternatives) => {
                plan::Item::Many(alternatives.iter().map(|items| ends(items, &End::Unclear, wrong)).collect())
            }
            Item::Group { alternatives, optional } => {
                let behind = first(&items[at + 1..], behind);
                let mut groups: Vec<_> =
                    alternatives.iter().map(|items| ends(items, &behind, wrong)).collect();
                if *optional {
                    groups.push(Vec::new());
                }
                plan::Item::Group(groups)
            }
            Item::Capture { path, kind, absent, place } => {
                let kind = match kind {
                    Kind::Text => end_of(first(&items[at + 1..], behind), place, wrong),
                    Kind::Split(separators, whole) if matches!(**whole, Kind::Text) => {
                        let whole = end_of(first(&items[at + 1..], behind), place, wrong);
                        Kind::Split(separators.clone(), Box::new(whole))
                    }
                    other => other.clone(),
                };
                plan::Item::Capture { path: path.clone(), kind, absent: absent.clone() }
            }
        });
    }
    resolved
}

fn end_of(end: End, place: &Place, wrong: &mut Vec<Diagnostic>) -> Kind {
    match end {
        End::Whole => Kind::Rest,
        End::Bytes(bytes) => Kind::Until(bytes),
        End::Blank => Kind::Word,
        End::Unclear => {
            let message = "nothing says where this text ends";
            let help = "put a literal or `_` behind it, or say `until \"…\"`, `word` or `rest`";
            wrong.push(Diagnostic::error(OPEN, place.clone(), message).help(help));
            Kind::Rest
        }
    }
}

/// How a sequence begins.
fn first(items: &[Item], behind: &End) -> End {
    for item in items {
        return match item {
            Item::Constant(_) | Item::Part { .. } | Item::Ahead(_) => continue,
            Item::Literal(bytes) if bytes.is_empty() => continue,
            Item::Literal(bytes) => End::Bytes(bytes.clone()),
            Item::Blanks { required: true } => End::Blank,
            _ => End::Unclear,
        };
    }
    behind.clone()
}

fn constant_type(value: &Constant) -> Type {
    match value {
        Constant::Text(_) => Type::Text,
        Constant::Int(_) => Type::Int,
        Constant::Bool(_) => Type::Bool,
        Constant::Texts(_) => Type::List,
    }
}

/// Collects fields: a field is always there only if every line always gives it.
#[derive(Default)]
struct Fields {
    all: BTreeMap<String, (Type, bool, usize)>,
    lines: usize,
    line: BTreeMap<String, (Type, bool)>,
}

impl Fields {
    fn begin(&mut self) {
        self.line.clear();
    }

    fn end(&mut self) {
        for (path, (ty, maybe)) in std::mem::take(&mut self.line) {
            let entry = self.all.entry(path).or_insert((ty, maybe, 0));
            entry.1 |= maybe;
            entry.2 += 1;
        }
        self.lines += 1;
    }

    fn shape(&mut self, shape: &Shape<Item>, place: &Place, wrong: &mut Vec<Diagnostic>) {
        match shape {
            Shape::Text(items) => self.sequence(items, false, place, wrong),
            Shape::Columns { columns, .. } => {
                columns.iter().for_each(|items| self.sequence(items, false, place, wrong));
            }
        }
    }

    fn sequence(&mut self, items: &[Item], maybe: bool, place: &Place, wrong: &mut Vec<Diagnostic>) {
        for item in items {
            match item {
                Item::Capture { path, kind, absent, place } => {
                    for (path, ty, empty) in kind.fields(path) {
                        self.add(&path, ty, maybe || empty || !absent.is_empty(), place, wrong);
                    }
                }
                Item::Constant(set) => self.add(&set.path, constant_type(&set.value), maybe, place, wrong),
                Item::Group { alternatives, .. } | Item::Many(alternatives) => {
                    // What stands in a group is taken as optional, even where all alternatives give it.
                    for items in alternatives {
                        self.sequence(items, true, place, wrong);
                    }
                }
                Item::Ahead(items) => self.sequence(items, maybe, place, wrong),
                _ => {}
            }
        }
    }

    fn add(&mut self, path: &str, ty: Type, maybe: bool, place: &Place, wrong: &mut Vec<Diagnostic>) {
        let known = self.line.get(path).map(|(ty, _)| *ty).or(self.all.get(path).map(|(ty, ..)| *ty));
        if let Some(known) = known.filter(|known| *known != ty) {
            let message = format!("`{path}` is {ty} here and {known} elsewhere");
            wrong.push(Diagnostic::error(TYPES, place.clone(), message));
        }
        self.line.entry(path.to_owned()).or_insert((ty, maybe)).1 &= maybe;
    }

    fn finish(self) -> Vec<Field> {
        let lines = self.lines;
        let mut all: BTreeMap<String, Field> = BTreeMap::new();
        for (path, (ty, maybe, count)) in self.all {
            let maybe = maybe || count < lines;
            all.insert(path.clone(), Field { path, ty, maybe, doc: String::new() });
        }
        all.into_values().collect()
    }
}
