//! What the tests of expressions share: a reader for the expressions of examples, and their value as JSON.
//!
//! The reader knows literals, lists, objects, paths, calls and chains of operators of one rank; the language proper
//! is in `crate::lang`, which this module may not see.

use std::sync::Arc;

use super::{Constant, Constants, Expr, Files, Operator, Unary, function};
use crate::event::{LayoutBuilder, Row, Value, write_value};
use crate::signature::Type;

/// The files that examples name.
pub(super) struct ExampleFiles;

impl Files for ExampleFiles {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/expr");
        let bytes = std::fs::read(format!("{folder}/{path}")).map_err(|error| format!("{path}: {error}"))?;
        if bytes.len() > bytes_max { Err(format!("{path} is too long")) } else { Ok(bytes) }
    }
}

/// The value of an expression as JSON, or `missing`.
pub(super) fn evaluate(source: &str) -> Result<String, String> {
    let mut layout = LayoutBuilder::default();
    layout.add("no.such.field");
    let layout = Arc::new(layout.build());
    let mut reader = Reader { rest: source, constants: Constants::default() };
    let (expr, _, _) = reader.chain()?;
    if !reader.rest.trim().is_empty() {
        return Err(format!("left over: {}", reader.rest));
    }
    let mut row = Row::new(layout, reader.constants.finish());
    Ok(show(&expr, &mut row))
}

/// The value of an expression as JSON, or `missing`.
pub(super) fn show(expr: &Expr, row: &mut Row) -> String {
    match expr.eval(row) {
        None => "missing".to_owned(),
        Some(value) => json(value, row),
    }
}

/// A value as JSON.
pub(super) fn json(value: Value, row: &Row) -> String {
    let mut out = Vec::new();
    write_value(&row.texts, value, &mut out);
    String::from_utf8(out).expect("json is text")
}

/// The expression that a text is.
pub(super) fn parse(source: &str) -> Result<Expr, String> {
    let mut reader = Reader { rest: source, constants: Constants::default() };
    reader.chain().map(|(expr, _, _)| expr)
}

const OPERATORS: &[(&str, Operator)] = &[
    ("??", Operator::Else),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessEqual),
    (">=", Operator::GreaterEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in ", Operator::In),
    ("matches ", Operator::Matches),
    ("contains ", Operator::Contains),
    ("starts_with ", Operator::StartsWith),
    ("ends_with ", Operator::EndsWith),
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("%", Operator::Remainder),
];

type Read = (Expr, Type, Option<Constant>);

struct Reader<'a> {
    rest: &'a str,
    constants: Constants,
}

impl Reader<'_> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest.trim_start();
        let (word, rest) = rest.split_at(rest.find(|c| !fits(c)).unwrap_or(rest.len()));
        self.rest = rest;
        word.to_owned()
    }

    fn chain(&mut self) -> Result<Read, String> {
        let mut left = self.one()?;
        while let Some((_, operator)) = OPERATORS.iter().find(|(token, _)| self.eat(token)) {
            let right = self.one()?;
            let ty = operator.type_of(left.1, right.1)?;
            let built = Expr::binary(*operator, (left.0, left.1), (right.0, right.1), right.2.as_ref())?;
            left = (built, ty, None);
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Read, String> {
        let next = self.rest.trim_start().chars().next().ok_or("an expression ends early")?;
        match next {
            '.' => {
                self.take(|c| c.is_alphanumeric() || c == '.');
                Ok((Expr::Field(1), Type::Any, None))
            }
            'a'..='z' if !self.rest.trim_start().starts_with("r\"") => self.word(),
            _ => {
                let constant = self.constant()?;
                let value = self.constants.value(&constant);
                Ok((Expr::Constant(value), type_of(&constant), Some(constant)))
            }
        }
    }

    fn word(&mut self) -> Result<Read, String> {
        let name = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        if name == "not" {
            let (of, ty, _) = self.one()?;
            return Ok((Expr::unary(Unary::Not, of), Unary::Not.type_of(ty)?, None));
        }
        let constant = match name.as_str() {
            "null" => Constant::Null,
            "true" => Constant::Bool(true),
            "false" => Constant::Bool(false),
            _ => return self.call(&name),
        };
        Ok((Expr::Constant(self.constants.value(&constant)), type_of(&constant), Some(constant)))
    }

    fn call(&mut self, name: &str) -> Result<Read, String> {
        let function = function::find(name).ok_or_else(|| format!("no function {name}"))?;
        let (mut args, mut types, mut constants) = (Vec::new(), Vec::new(), Vec::new());
        if !self.eat("(") {
            return Err(format!("`(` after {name}"));
        }
        while !self.eat(")") {
            let named = function.params.iter().position(|param| {
                let rest = self.rest.trim_start().strip_prefix(param.name);
                let rest = rest.and_then(|rest| rest.strip_prefix(" = "));
                self.rest = rest.unwrap_or(self.rest);
                rest.is_some()
            });
            while named.is_some_and(|at| args.len() < at) {
                args.push(Expr::Missing);
                types.push(None);
                constants.push(None);
            }
            let (expr, ty, constant) = self.chain()?;
            args.push(expr);
            types.push(Some(ty));
            constants.push(constant);
            self.eat(",");
        }
        let ty = function.check(&types).map_err(|(_, error)| error)?;
        Ok((Expr::call(function, args, &constants, &ExampleFiles)?, ty, None))
    }

    fn constant(&mut self) -> Result<Constant, String> {
        if self.eat("[") {
            let mut items = Vec::new();
            while !self.eat("]") {
                items.push(self.constant()?);
                self.eat(",");
            }
            return Ok(Constant::List(items));
        }
        if self.eat("{") {
            let mut members = Vec::new();
            while !self.eat("}") {
                let key = self.take(|c| c.is_alphanumeric());
                self.eat("=");
                members.push((key, self.constant()?));
                self.eat(",");
            }
            return Ok(Constant::Object(members));
        }
        if self.eat("r\"") {
            let text = self.rest.split('"').next().unwrap_or_default().to_owned();
            self.rest = self.rest.get(text.len() + 1..).unwrap_or("");
            return Ok(Constant::Text(text));
        }
        let rest = self.rest.trim_start();
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = values.next().ok_or("a text")?.map_err(|error| format!("{rest}: {error}"))?;
            self.rest = rest.get(values.byte_offset()..).unwrap_or("");
            return Ok(Constant::Text(text));
        }
        match self.take(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-').as_str() {
            "null" => Ok(Constant::Null),
            "true" => Ok(Constant::Bool(true)),
            word => number(word),
        }
    }
}

fn number(word: &str) -> Result<Constant, String> {
    let int = |digits: &str| digits.parse::<i64>().map_err(|error| format!("{word}: {error}"));
    for (unit, ns) in [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)] {
        if let Some(digits) = word.strip_suffix(unit) {
            return Ok(Constant::Duration(int(digits)? * ns));
        }
    }
    match word.parse::<f64>() {
        Ok(float) if word.contains('.') => Ok(Constant::Float(float)),
        _ => int(word).map(Constant::Int),
    }
}

fn type_of(constant: &Constant) -> Type {
    match constant {
        Constant::Null => Type::Any,
        Constant::Bool(_) => Type::Bool,
        Constant::Int(_) => Type::Int,
        Constant::Float(_) => Type::Float,
        Constant::Duration(_) => Type::Duration,
        Constant::Timestamp(_) => Type::Timestamp,
        Constant::Text(_) => Type::Text,
        Constant::List(_) => Type::List,
        Constant::Object(_) => Type::Object,
    }
}
