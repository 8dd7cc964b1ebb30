//! The functions of the language: one explicit list, each with its types, documentation and examples.
//!
//! A function sees the values of its arguments and the row's texts, nothing else. What has to be known when the
//! pipeline is compiled (a pattern, a zone, a table) is prepared once, in [`Body::Prepared`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{Constant, Constants, Expr};
use crate::event::{Facts, LayoutBuilder, Row, Span, Texts, Value, raw};
use crate::limits::{JSON_DEPTH_MAX, ROW_ARENA_BYTES_MAX};
use crate::signature::{Example, Param, Signature, Type};

mod convert;
mod cut;
mod encode;
mod instant;
mod json;
mod letters;
mod list;
mod lookup;
mod network;
mod number;
mod object;
mod pattern;
mod pieces;
mod scan;
mod special;
mod time;
mod url;

/// All functions, in the order of the documentation.
pub fn functions() -> &'static [&'static Function] {
    FUNCTIONS
}

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().copied().find(|function| function.signature.name == name)
}

static FUNCTIONS: &[&Function] = &[
    &special::HAS,
    &special::COALESCE,
    &special::TYPE_OF,
    &convert::INT,
    &convert::FLOAT,
    &convert::BOOL,
    &convert::TEXT,
    &convert::IP,
    &convert::DURATION,
    &convert::SIZE,
    &time::TIMESTAMP,
    &time::FORMAT_TIMESTAMP,
    &time::TRUNCATE_TIMESTAMP,
    &time::YEAR,
    &time::MONTH,
    &time::DAY,
    &time::WEEKDAY,
    &time::HOUR,
    &time::MINUTE,
    &time::SECOND,
    &number::ABS,
    &number::CEIL,
    &number::FLOOR,
    &number::ROUND,
    &number::MIN,
    &number::MAX,
    &letters::LOWER,
    &letters::UPPER,
    &letters::LENGTH,
    &letters::REVERSE,
    &letters::PAD_START,
    &cut::TRIM,
    &cut::TRIM_START,
    &cut::TRIM_END,
    &cut::STRIP_PREFIX,
    &cut::STRIP_SUFFIX,
    &cut::SUBSTRING,
    &cut::TRUNCATE,
    &cut::INDEX_OF,
    &pieces::SPLIT,
    &pieces::LINES,
    &pieces::WORDS,
    &pieces::JOIN,
    &pieces::REPLACE,
    &pieces::REPLACE_FIRST,
    &pattern::CAPTURE,
    &pattern::CAPTURES,
    &pattern::CAPTURES_ALL,
    &pattern::FIND_ALL,
    &pattern::REGEX_REPLACE,
    &network::IN_CIDR,
    &network::IS_PRIVATE,
    &network::IP_VERSION,
    &url::PARSE_URL,
    &url::PARSE_QUERY,
    &url::URL_DECODE,
    &url::URL_ENCODE,
    &encode::MD5,
    &encode::SHA256,
    &encode::SHA512,
    &encode::CRC32,
    &encode::BASE64_ENCODE,
    &encode::BASE64_DECODE,
    &encode::HEX_ENCODE,
    &encode::HEX_DECODE,
    &list::FIRST,
    &list::LAST,
    &list::NTH,
    &list::SLICE,
    &list::APPEND,
    &list::UNIQUE,
    &list::SORT,
    &object::KEYS,
    &object::VALUES,
    &object::GET,
    &object::MERGE,
    &object::FLATTEN,
    &json::PARSE_JSON,
    &json::TO_JSON,
    &lookup::LOOKUP,
];

/// Most parameters that a function has.
pub const PARAMS_MAX: usize = 8;

/// What a call does with its arguments' values. An optional argument that was left out is absent or
/// [`Value::Null`].
pub type Eval = fn(&[Value], &mut Texts) -> Option<Value>;

/// A function that was given its constants.
pub type Prepared = Box<dyn Fn(&[Value], &mut Texts) -> Option<Value> + Send + Sync>;

/// Makes a function ready for a call. `None` stands for an argument that is not constant or was left out. The error
/// names what is wrong.
pub type Prepare = fn(&[Option<Constant>], &dyn Files) -> Result<Prepared, String>;

/// How a function works.
#[derive(Clone, Copy)]
pub enum Body {
    /// By the values alone.
    Pure(Eval),
    /// By something made from its constant arguments when the pipeline is compiled.
    Prepared(Prepare),
    /// By another expression in its place.
    Rewrite(fn(Vec<Expr>) -> Result<Expr, String>),
}

/// A function of the language.
#[derive(Clone, Copy)]
pub struct Function {
    /// Name, documentation and examples.
    pub signature: &'static Signature,
    /// Its parameters; at most [`PARAMS_MAX`].
    pub params: &'static [Param],
    /// The type of the result for arguments of these types.
    pub returns: fn(&[Type]) -> Type,
    /// Whether it may fail though all arguments are there, so that the call needs `??` or a guard.
    pub fallible: bool,
    /// Whether its arguments may be missing.
    pub accepts_missing: bool,
    /// How it works.
    pub body: Body,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature.form)
    }
}

/// The files that a pipeline names, for functions that read one while it is compiled.
pub trait Files {
    /// The bytes of a file; its path is relative to the pipeline file. The error names file and reason, also where
    /// it is longer than `bytes_max`.
    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, String>;

    /// The paths of the files in a folder, in the order of their names; a path that is no folder is itself.
    fn in_folder(&self, path: &str) -> Result<Vec<String>, String> {
        Ok(vec![path.to_owned()])
    }
}

impl Function {
    /// The type of a call with arguments of these types (`None`: left out), or the index of the argument that does
    /// not fit (one past the last where arguments lack) and why.
    pub fn check(&self, args: &[Option<Type>]) -> Result<Type, (usize, String)> {
        let form = self.signature.form;
        if args.len() > self.params.len() {
            return Err((self.params.len(), format!("too many arguments: {form}")));
        }
        for (at, param) in self.params.iter().enumerate() {
            match args.get(at).copied().flatten() {
                None if !param.optional => {
                    return Err((at, format!("the argument `{}` is missing: {form}", param.name)));
                }
                Some(ty) if !fits(ty, param.types) => {
                    let names: Vec<_> = param.types.iter().map(Type::to_string).collect();
                    return Err((
                        at,
                        format!("`{}` must be {}, this is {ty}", param.name, names.join(" or ")),
                    ));
                }
                _ => {}
            }
        }
        let types: Vec<_> = args.iter().map(|ty| ty.unwrap_or(Type::Any)).collect();
        Ok((self.returns)(&types))
    }

    /// Whether a call with arguments of these types may fail: the function may, or an `any` may not fit.
    pub fn may_fail(&self, args: &[Option<Type>]) -> bool {
        let open = |(ty, param): (&Option<Type>, &Param)| {
            *ty == Some(Type::Any) && !param.constant && !param.types.contains(&Type::Any)
        };
        self.fallible || args.iter().zip(self.params).any(open)
    }
}

fn fits(ty: Type, types: &[Type]) -> bool {
    ty == Type::Any
        || types.contains(&Type::Any)
        || types.contains(&ty)
        || (ty == Type::Int && types.contains(&Type::Float))
        || (ty == Type::Ip && types.contains(&Type::Text))
}

/// A call, ready to run.
pub struct Call {
    function: &'static Function,
    args: Box<[Expr]>,
    prepared: Option<Prepared>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.function.signature.name, self.args)
    }
}

impl Call {
    /// The value of the call. Past the bound of derived bytes every call fails.
    pub fn eval(&self, row: &mut Row) -> Option<Value> {
        let mut values = [Value::Null; PARAMS_MAX];
        for (value, arg) in values.iter_mut().zip(&self.args) {
            if !matches!(arg, Expr::Missing) {
                *value = arg.eval(row)?;
            }
        }
        if row.texts.derived_bytes() > ROW_ARENA_BYTES_MAX {
            return None;
        }
        let values = values.get(..self.args.len())?;
        match (&self.prepared, self.function.body) {
            (Some(prepared), _) => prepared(values, &mut row.texts),
            (None, Body::Pure(eval)) => eval(values, &mut row.texts),
            (None, _) => None,
        }
    }
}

impl Call {
    /// The arguments.
    pub(super) fn args(&self) -> &[Expr] {
        &self.args
    }

    /// The value of a call of constants, if it needs no text: `timestamp("2024-01-01")` is read once.
    fn folded(&self, constants: &[Option<Constant>]) -> Option<Value> {
        let mut held = Constants::default();
        let mut values = Vec::with_capacity(self.args.len());
        for (at, arg) in self.args.iter().enumerate() {
            values.push(match arg {
                Expr::Missing => Value::Null,
                Expr::Constant(value) if value.span().is_none() => *value,
                _ => held.value(constants.get(at)?.as_ref()?),
            });
        }
        let mut row = Row::new(Arc::new(LayoutBuilder::default().build()), held.finish());
        let value = match (&self.prepared, self.function.body) {
            (Some(prepared), _) => prepared(&values, &mut row.texts),
            (None, Body::Pure(eval)) => eval(&values, &mut row.texts),
            (None, _) => None,
        };
        value.filter(|value| value.span().is_none())
    }
}

impl Expr {
    /// A call of a function whose arguments have been checked with [`Function::check`], in the order of its
    /// parameters; one that is left out before a given one is [`Expr::Missing`]. `constants` holds, by argument,
    /// the values that are known now. The error says what is wrong with a constant.
    pub fn call(
        function: &'static Function,
        args: Vec<Expr>,
        constants: &[Option<Constant>],
        files: &dyn Files,
    ) -> Result<Self, String> {
        if args.len() > PARAMS_MAX {
            return Err(format!("too many arguments: {}", function.signature.form));
        }
        for (at, param) in function.params.iter().enumerate() {
            let given = args.get(at).is_some_and(|arg| !matches!(arg, Expr::Missing));
            if param.constant && given && constants.get(at).is_none_or(Option::is_none) {
                return Err(format!("`{}` must be a constant", param.name));
            }
        }
        let prepared = match function.body {
            Body::Rewrite(rewrite) => return rewrite(args),
            Body::Prepared(prepare) => Some(prepare(constants, files)?),
            Body::Pure(_) => None,
        };
        let call = Call { function, args: args.into(), prepared };
        Ok(call.folded(constants).map_or_else(|| Self::Call(Box::new(call)), Self::Constant))
    }
}

/// A parameter that a call must give.
const fn needs(name: &'static str, types: &'static [Type]) -> Param {
    Param { name, types, optional: false, constant: false }
}

/// A parameter that a call may leave out.
const fn may(name: &'static str, types: &'static [Type]) -> Param {
    Param { name, types, optional: true, constant: false }
}

/// A parameter that a call must give as a constant.
const fn fixed(name: &'static str, types: &'static [Type]) -> Param {
    Param { name, types, optional: false, constant: true }
}

/// A parameter that a call may leave out, else a constant.
const fn may_fixed(name: &'static str, types: &'static [Type]) -> Param {
    Param { name, types, optional: true, constant: true }
}

/// An example: an expression and its value as JSON.
const fn example(title: &'static str, source: &'static str, result: &'static str) -> Example {
    Example { title, source, input: "", result }
}

/// Whether the JSON form of a text is the text between quotes.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\' || *byte == 0x7f;
    !bytes.iter().any(escaped) && simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Bytes that may still be derived for this event.
pub(super) fn room(texts: &Texts) -> usize {
    ROW_ARENA_BYTES_MAX.saturating_sub(texts.derived_bytes())
}

/// Moves a scratch buffer into the arena, if that has room.
pub(super) fn keep(texts: &mut Texts, out: Vec<u8>) -> Option<Span> {
    keep_with(texts, out, Facts::UNKNOWN)
}

/// The same for bytes of which something is known.
pub(super) fn keep_with(texts: &mut Texts, mut out: Vec<u8>, facts: Facts) -> Option<Span> {
    let fits = out.len() <= room(texts);
    if !fits {
        // Give the buffer back, so that the next scratch need not allocate.
        out.clear();
    }
    let span = texts.keep(out);
    fits.then(|| span.with(facts))
}

/// The span of a textual argument.
pub(super) fn span(args: &[Value], at: usize) -> Option<Span> {
    match args.get(at)? {
        Value::Text(span) | Value::Ip(span) => Some(*span),
        _ => None,
    }
}

/// The text of a span; what is no UTF-8 is repaired with U+FFFD.
fn lossy(texts: &Texts, span: Span) -> Cow<'_, str> {
    match texts.text(span) {
        Some(text) => Cow::Borrowed(text),
        None => String::from_utf8_lossy(texts.bytes(span)),
    }
}

/// The items of a list argument.
fn items(args: &[Value], at: usize, texts: &mut Texts) -> Option<Vec<Value>> {
    let Some(Value::List(list)) = args.get(at) else { return None };
    let ranges = raw::items(texts.bytes(*list));
    Some(ranges.into_iter().map(|range| raw::value(texts, list.part(range.start, range.len()))).collect())
}

/// How deep lists and objects are nested in a JSON text; no more than counted where the text is none.
pub(super) fn json_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0usize, 0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                at += 1;
                while let Some(byte) = text.get(at) {
                    match byte {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Moves the JSON text of a new list or object into the arena, unless it is nested too deep.
pub(super) fn keep_json(texts: &mut Texts, out: Vec<u8>) -> Option<Span> {
    if json_depth(&out) > JSON_DEPTH_MAX {
        return None;
    }
    keep(texts, out)
}
