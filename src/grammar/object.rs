//! Messages that are JSON objects, XML documents or pairs of logfmt: members that the grammar names become fields, by the same pieces that texts are made
//! of; all others stay as they are, below an object of the grammar's choice.
//!
//! The keys of all forms of a grammar make a layout of their own; the object is read into that, in one pass, and what
//! was found is then moved to where the event has it.

use memchr::memmem::Finder;

use super::bound::{Bound, Op, Scan, sequence};
use super::kind::Kind;
use super::plan;
use super::written::{Need, Notation};
use crate::event::{Facts, Layout, LayoutBuilder, Mask, Slot, Span, Texts, Value, work, write_plain};
use crate::format::json::Json;
use crate::format::{Bind, Fields, Format, Mismatch, Target, logfmt, xml};

/// How the objects of a grammar are read.
#[derive(Debug)]
pub(super) struct Objects {
    json: Json,
    layout: Layout,
    /// The path of each key of the layout, as a constant.
    paths: Box<[Span]>,
}

/// One form, bound.
#[derive(Debug)]
pub(super) struct Form {
    /// What is said of a key, by its slot in the layout of the keys.
    members: Box<[Option<(Need, Take)>]>,
    must: Mask,
    /// Where all other members go.
    rest: Slot,
    /// Last keys of the members that must be there, with the quote behind them: a look for them is cheaper than
    /// reading the object.
    needles: Box<[(Finder<'static>, Slot)]>,
    notation: Notation,
    /// Members that share a field, in the order of the file: whatever order an object has them in, the first of them
    /// that is there says the field, and the others keep their own names.
    rivals: Box<[Slot]>,
}

/// Members of one form that may share fields; those behind are taken as they come.
const RIVALS_MAX: usize = 16;

/// What becomes of a member.
#[derive(Debug)]
enum Take {
    /// It only has to be there, or not.
    Look,
    /// It is taken as it is.
    Value(Kind, Option<Slot>),
    /// Its text is taken apart.
    Text(Box<[Op]>),
}

impl Objects {
    /// For these forms; nothing where there are none.
    pub(super) fn new<'a>(
        forms: impl Iterator<Item = &'a plan::Object>,
        bind: &mut Bind<'_>,
    ) -> Result<Option<Self>, String> {
        let mut builder = LayoutBuilder::default();
        let mut any = false;
        for form in forms {
            any = true;
            if form.members.iter().any(|member| !builder.add(&member.path)) {
                return Err("more keys than a json form may name".into());
            }
        }
        if !any {
            return Ok(None);
        }
        let layout = builder.build();
        let json = Json::apart(&layout);
        let paths =
            (0..layout.len()).map(|slot| bind.constant(layout.path(slot as Slot).as_bytes())).collect();
        Ok(Some(Self { json, layout, paths }))
    }

    /// Binds a form.
    pub(super) fn form(&self, object: &plan::Object, bind: &mut Bind<'_>) -> Result<Form, String> {
        let mut members: Vec<_> = std::iter::repeat_with(|| None).take(self.layout.len()).collect();
        let (mut must, mut needles) = (Mask::default(), Vec::new());
        for member in &object.members {
            let slot = self.layout.slot(&member.path).ok_or("a key is not in its own layout")?;
            if member.need == Need::Must {
                must.insert(slot);
                let key = self.layout.key(slot);
                let needle = match object.notation {
                    Notation::Xml => key.trim_start_matches(['@', '#']).into(),
                    Notation::Json => format!("{key}\""),
                    Notation::Pairs => format!("{key}="),
                };
                needles.push((Finder::new(&needle).into_owned(), slot));
            }
            let take = match &member.items[..] {
                [] => Take::Look,
                [plan::Item::Capture { path, kind, .. }] if kind.is_json() => {
                    let slot = if path.is_empty() { None } else { bind.wanted_slot(path)? };
                    Take::Value(kind.clone(), slot)
                }
                items => Take::Text(sequence(items, bind)?),
            };
            members[usize::from(slot)] = Some((member.need, take));
        }
        let rivals = self.rivals(object, &members);
        let rest = if object.rest.is_empty() { bind.root()? } else { bind.slot(&object.rest)? };
        Ok(Form {
            members: members.into(),
            must,
            rest,
            needles: needles.into(),
            notation: object.notation,
            rivals,
        })
    }

    /// The members of a form that give a field which another of them gives too.
    fn rivals(&self, object: &plan::Object, members: &[Option<(Need, Take)>]) -> Box<[Slot]> {
        let gives = |slot: &Slot| {
            let mut gives = Mask::default();
            if let Some((_, take)) = &members[usize::from(*slot)] {
                take.gives(&mut gives);
            }
            gives
        };
        let slots: Vec<_> =
            object.members.iter().filter_map(|member| self.layout.slot(&member.path)).collect();
        let (mut once, mut twice) = (Mask::default(), Mask::default());
        for slot in &slots {
            let mut both = gives(slot);
            let all = both;
            both.keep(&once);
            twice.add(&both);
            once.add(&all);
        }
        slots.into_iter().filter(|slot| gives(slot).meets(&twice)).take(RIVALS_MAX).collect()
    }

    /// Gives the number of the first form that fits, with its fields.
    pub(super) fn find<'a>(
        &self,
        plan: &Bound,
        forms: impl Iterator<Item = (usize, &'a Form)>,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<usize, Mismatch> {
        let notation = match texts.bytes(input).trim_ascii_start() {
            [b'{', ..] => Notation::Json,
            [b'<', ..] => Notation::Xml,
            _ => Notation::Pairs,
        };
        let mut forms = forms.filter(|(_, form)| form.notation == notation).peekable();
        if forms.peek().is_none() && notation == Notation::Pairs {
            return Err(Mismatch::at(0, "not a json object"));
        }
        let mut missing = Mismatch::at(0, "a key of the format is missing");
        let mark = fields.len();
        let mut found = None;
        for (at, form) in forms {
            if found.is_none() {
                let bytes = texts.bytes(input);
                if !form.needles.iter().all(|(needle, _)| needle.find(bytes).is_some()) {
                    continue;
                }
                let object = match notation {
                    Notation::Json => input,
                    other => document(other, input, texts)?,
                };
                self.json.parse(object, texts, fields)?;
                found = Some(fields.len());
            }
            let end = found.unwrap_or(mark);
            match self.fill(plan, form, mark..end, texts, fields) {
                Ok(()) => {
                    fields.drain(mark..end);
                    return Ok(at);
                }
                Err(mismatch) => missing = mismatch,
            }
            fields.truncate(end);
        }
        fields.truncate(mark);
        Err(missing)
    }

    /// Moves the members, which stand in a range of `fields`, to where a form has them.
    fn fill(
        &self,
        plan: &Bound,
        form: &Form,
        members: std::ops::Range<usize>,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let mut must = form.must;
        let mut rivals = [None; RIVALS_MAX];
        for at in members {
            let (target, value) = fields[at];
            work::count(1);
            let slot = self.slot(target, texts);
            // An object whose members are named stands there as its members only.
            let mut above = match (slot, target) {
                (Some(slot), _) | (None, Target::Slot(slot)) => self.layout.parent(slot),
                (None, Target::Key(parent, _) | Target::Rest(parent, _)) => parent,
            };
            while above != 0 {
                must.remove(above);
                above = self.layout.parent(above);
            }
            if let Some((slot, (need, take))) =
                slot.and_then(|slot| Some((slot, form.members[usize::from(slot)].as_ref()?)))
            {
                if let Some(rank) = form.rivals.iter().position(|rival| *rival == slot) {
                    rivals[rank] = Some(at);
                    continue;
                }
                match need {
                    Need::Never => return Err(Mismatch::at(0, "a key that the format has not")),
                    _ if take.run(plan, value, texts, fields) => {
                        must.remove(slot);
                        if !take.is_part_of(value) {
                            continue;
                        }
                    }
                    Need::Must if !matches!(take, Take::Look) => {
                        return Err(Mismatch::at(0, "a member is not as the format has it"));
                    }
                    _ => must.remove(slot),
                }
            }
            self.keep(form, (target, value), texts, fields);
        }
        let mut given = Mask::default();
        for (rank, slot) in form.rivals.iter().enumerate() {
            let Some(at) = rivals[rank] else { continue };
            let Some((need, take)) = form.members[usize::from(*slot)].as_ref() else { continue };
            let (target, value) = fields[at];
            let mark = fields.len();
            if *need == Need::Never {
                return Err(Mismatch::at(0, "a key that the format has not"));
            }
            let taken = take.run(plan, value, texts, fields);
            if !taken && *need == Need::Must && !matches!(take, Take::Look) {
                return Err(Mismatch::at(0, "a member is not as the format has it"));
            }
            must.remove(*slot);
            let late = is_late(mark, &mut given, fields);
            if !taken || late || take.is_part_of(value) {
                self.keep(form, (target, value), texts, fields);
            }
        }
        if must == Mask::default() { Ok(()) } else { Err(Mismatch::at(0, "a key of the format is missing")) }
    }

    /// Puts a member that no form takes below the object for those.
    fn keep(&self, form: &Form, (target, value): (Target, Value), texts: &mut Texts, fields: &mut Fields) {
        let key = self.key(target, texts);
        fields.push((Target::Key(form.rest, key), value));
    }

    /// The slot of a member that a form may name.
    #[inline]
    fn slot(&self, target: Target, texts: &Texts) -> Option<Slot> {
        match target {
            Target::Slot(slot) => Some(slot),
            Target::Key(parent, key) => {
                let key = texts.bytes(key);
                memchr::memchr(b'.', key)?;
                key.split(|&byte| byte == b'.').try_fold(parent, |at, key| self.layout.child(at, key))
            }
            Target::Rest(..) => None,
        }
    }

    /// The key of a member that no form takes, from the object itself on.
    fn key(&self, target: Target, texts: &mut Texts) -> Span {
        match target {
            Target::Slot(slot) => self.paths[usize::from(slot)],
            Target::Key(0, key) | Target::Rest(0, key) => key,
            Target::Key(parent, key) | Target::Rest(parent, key) => {
                let mut path = texts.scratch();
                path.extend_from_slice(self.layout.path(parent).as_bytes());
                path.push(b'.');
                path.extend_from_slice(texts.bytes(key));
                texts.keep(path).with(key.facts)
            }
        }
    }
}

impl Form {
    /// Whether one of the members that must be there is not as the form has it. Only one whose key is there once is
    /// looked at: of more, reading all tells which counts.
    pub(super) fn refuses(&self, plan: &Bound, input: Span, texts: &mut Texts, fields: &mut Fields) -> bool {
        if self.notation != Notation::Json || texts.text(input).is_none() {
            return false;
        }
        self.needles.iter().any(|(needle, slot)| {
            let bytes = texts.bytes(input);
            let Some(at) = needle.find(bytes) else { return true };
            let end = at + needle.needle().len();
            let is_key = at.checked_sub(1).is_some_and(|before| bytes[before] == b'"');
            let is_once = || needle.find(&bytes[end..]).is_none();
            let take = match &self.members[usize::from(*slot)] {
                None | Some((_, Take::Look)) => return false,
                Some((_, take)) if is_key && !self.rivals.contains(slot) && is_once() => take,
                Some(_) => return false,
            };
            match Json::value_behind(end, input, texts) {
                // Of an object the members may be named.
                None | Some(Value::Object(_)) => false,
                Some(value) => !take.run(plan, value, texts, fields),
            }
        })
    }
}

/// Leaves out of what a member gave, from `mark` on, the fields that one before it gave; says whether those were all.
fn is_late(mark: usize, given: &mut Mask, fields: &mut Fields) -> bool {
    let (before, count) = (*given, fields.len() - mark);
    let mut at = mark;
    while let Some((target, _)) = fields.get(at) {
        match target {
            Target::Slot(slot) if before.contains(*slot) => drop(fields.remove(at)),
            Target::Slot(slot) => {
                given.insert(*slot);
                at += 1;
            }
            Target::Key(..) | Target::Rest(..) => at += 1,
        }
    }
    count > 0 && at == mark
}

/// What is written otherwise as an object of JSON.
fn document(notation: Notation, input: Span, texts: &mut Texts) -> Result<Span, Mismatch> {
    if texts.text(input).is_none() {
        return Err(Mismatch::at(0, "not utf-8"));
    }
    let mut json = texts.scratch();
    let bytes = texts.bytes(input);
    let done = match notation {
        Notation::Pairs => logfmt::to_json(bytes, &mut json),
        _ => xml::to_json(bytes, &xml::Shape::of_grammars(), &mut json),
    };
    let span = texts.keep(json);
    done.map(|()| span)
}

impl Take {
    /// Whether a value stays though it was taken: of a list that is taken apart, few pieces take all.
    fn is_part_of(&self, value: Value) -> bool {
        matches!((self, value), (Self::Text(_), Value::List(_)))
    }

    /// The fields that it may give.
    fn gives(&self, gives: &mut Mask) {
        match self {
            Self::Look | Self::Value(_, None) => {}
            Self::Value(_, Some(slot)) => gives.insert(*slot),
            Self::Text(ops) => ops.iter().for_each(|op| op.gives(gives)),
        }
    }

    /// Takes a value, if it is as the form says.
    fn run(&self, plan: &Bound, value: Value, texts: &mut Texts, fields: &mut Fields) -> bool {
        let ops = match self {
            Self::Look => return false,
            Self::Value(kind, slot) => {
                let fits = match kind {
                    Kind::Object => matches!(value, Value::Object(_)),
                    Kind::List => matches!(value, Value::List(_)),
                    _ => true,
                };
                if let Some(slot) = slot.filter(|_| fits) {
                    fields.push((Target::Slot(slot), value));
                }
                return fits;
            }
            Self::Text(ops) => ops,
        };
        // What needs no look at the text is most of what there is.
        if let [Op::Capture(scan, slot, absent)] = &**ops
            && absent.is_empty()
        {
            let same = match (scan, value) {
                (Scan::Rest, Value::Text(span)) => span.len > 0,
                (Scan::Int(least, most), Value::Int(int)) => (*least..=*most).contains(&int),
                (Scan::Float, Value::Float(_)) | (Scan::Bool, Value::Bool(_)) => true,
                _ => false,
            };
            if same {
                fields.extend(slot.map(|slot| (Target::Slot(slot), value)));
                return true;
            }
        }
        let span = match value {
            Value::Text(span) => span,
            // A list is taken apart as it is written, by who asks for its bracket.
            Value::List(span) if matches!(ops.first(), Some(op) if op.is_bracket()) => span,
            Value::Null | Value::Object(_) | Value::List(_) => return false,
            number => {
                let mut text = texts.scratch();
                write_plain(texts, number, &mut text);
                texts.keep(text).with(Facts::PLAIN)
            }
        };
        let mark = fields.len();
        if plan.run(ops, (span, span.facts.is_plain()), texts, fields).is_ok() {
            return true;
        }
        fields.truncate(mark);
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::grammar::{Grammar, parse_fields};

    const FILE: &str = r#"grammar test "a test"

json record =
  .kind  = "order"
  .user  = {user.name: rest}
  .user.id? = {user.id: rest}
  .at
  !.secret
  .http.status? = {http.response.status_code: int 100..599}
  .peers? = "[\"" {source.ip: ip} "\"" {rest}
  .more? = {test.more: any}
  .begin? = {event.start: time iso}
  .start? = ( {event.start: time iso} | {event.start: time epoch} )
  .* = {test: object}

sample record
  {"kind":"order","user":"eve","at":1}
  => test.at=1 user.name=eve
"#;

    fn fields(text: &str) -> String {
        let grammar = Grammar::load("test", FILE).expect("a grammar");
        match parse_fields(&grammar, text) {
            Ok(fields) => fields.iter().map(|(path, value)| format!("{path}={value} ")).collect(),
            Err(message) => message,
        }
    }

    #[test]
    fn what_no_member_says_goes_below_the_object_and_keeps_its_name() {
        let base = r#"{"kind":"order","user":"eve","at":null"#;
        let cases = [
            // A key with dots is a path, as everywhere.
            (
                r#","http.status":204,"http":{"size":3}"#,
                "http.response.status_code=204 test.at= test.http.size=3 user.name=eve ",
            ),
            // What is not as the form says stays.
            (r#","http":{"status":99}"#, "test.at= test.http.status=99 user.name=eve "),
            (
                r#","peers":["192.0.2.1","x"]"#,
                "source.ip=192.0.2.1 test.at= test.peers=[\"192.0.2.1\",\"x\"] user.name=eve ",
            ),
            (r#","peers":"192.0.2.1""#, "test.at= test.peers=192.0.2.1 user.name=eve "),
            (r#","more":[1,{"a":2}]"#, "test.at= test.more=[1,{\"a\":2}] user.name=eve "),
            // Of two that say one field the first of the file counts, whatever order they are in.
            (
                r#","start":1700000000,"begin":"2024-05-06T07:08:09Z""#,
                "event.start=2024-05-06T07:08:09.000Z test.at= test.start=1700000000 user.name=eve ",
            ),
            (r#","start":1700000000"#, "event.start=2023-11-14T22:13:20.000Z test.at= user.name=eve "),
            (r#","a":{"b":{"c":1}}"#, "test.a={\"b\":{\"c\":1}} test.at= user.name=eve "),
            // The last of equal keys counts, whichever spelling it has.
            (r#","more":1,"mor\u0065":2"#, "test.at= test.more=2 user.name=eve "),
        ];
        for (more, expected) in cases {
            assert_eq!(fields(&format!("{base}{more}}}")), expected, "{more}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused_with_a_reason() {
        for (text, reason) in [
            ("order", "not a json object"),
            (r#"{"kind":"order","user":"eve""#, "a key of the format is missing"),
            (r#"{"kind":"order","user":"eve","at":"#, "not a json value"),
            (r#"{"kind":"order","at":"user"}"#, "a key of the format is missing"),
            (r#"{"kind":"other","user":"eve","at":1}"#, "a member is not as the format has it"),
            (r#"{"kind":"order","user":"eve","at":1,"secret":0}"#, "a key that the format has not"),
        ] {
            assert_eq!(fields(text), reason, "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_refused() {
        for (written, message) in [
            (".a = {x: object} \"b\"", "this kind is only for a whole member"),
            (".a .a", "`.a` is there twice"),
            (".* = {x: int}", "all other members go below an object"),
            ("a = {x: int}", "this is no member of a json object"),
            (".a = ", "nothing says what this member is"),
        ] {
            let text = format!("grammar t \"t\"\n\njson l =\n  {written}\n\nsample l\n  {{\"a\":1}}\n");
            let report = Grammar::load("t", &text).expect_err(written);
            let found = report.diagnostics.iter().any(|diagnostic| diagnostic.message.contains(message));
            assert!(found, "{written}: {:?}", report.diagnostics);
        }
    }
}
