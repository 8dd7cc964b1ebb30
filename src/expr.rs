//! Expressions: checked trees over slots, the functions they call, and their evaluation.
//!
//! In: a [`Row`]. Out: a value, or `None` where something was missing or failed; the checker has made sure that
//! someone handles it. Pure: no clock, no file, no lock, and no allocation but in the row's arena. A tree is built
//! through [`Expr::binary`], [`Expr::choose`] and [`Expr::call`], which prepare patterns, sets and tables once;
//! `operator.rs` has the rules of types. Begin with [`Expr::eval`].

mod arithmetic;
mod build;
mod compare;
mod constant;
mod each;
pub mod function;
mod operator;
mod set;

use crate::event::{Row, Slot, Value, write_value};

pub use build::checked_regex;
pub use constant::{Constant, Constants};
pub use function::{Body, Call, Files, Function, functions};
pub use operator::{Operator, Unary, unify};
pub use set::{Networks, Set};

/// A checked expression: paths are slots, patterns are compiled.
#[derive(Debug)]
pub enum Expr {
    /// The word `missing`, and an argument that a call leaves out.
    Missing,
    /// A value known when the pipeline was compiled; text lies in [`crate::event::Span::CONSTANTS`].
    Constant(Value),
    /// A field.
    Field(Slot),
    /// Whether a field is present.
    Has(Slot),
    /// `not a`
    Not(Box<Expr>),
    /// `-a`
    Negate(Box<Expr>),
    /// An `int` where the type of the whole is `float`.
    Widen(Box<Expr>),
    /// `a and b`
    And(Box<[Expr; 2]>),
    /// `a or b`
    Or(Box<[Expr; 2]>),
    /// `a ?? b`
    Else(Box<[Expr; 2]>),
    /// `if a then b else c`
    If(Box<[Expr; 3]>),
    /// `a == b` and its kin.
    Compare(Operator, Box<[Expr; 2]>),
    /// `a + b` and its kin.
    Arithmetic(Operator, Box<[Expr; 2]>),
    /// `a in b`, `a contains b`, `a starts_with b`, `a ends_with b`.
    Relation(Operator, Box<[Expr; 2]>),
    /// `a in [1, 2, 3]` with constants.
    InSet(Box<(Expr, Set)>),
    /// `a in ["10.0.0.0/8"]` with constants.
    InNetworks(Box<(Expr, Networks)>),
    /// `a matches "…"`.
    Matches(Box<(Expr, regex::bytes::Regex)>),
    /// `a contains "…"`, searched with a prepared needle.
    ContainsText(Box<(Expr, memchr::memmem::Finder<'static>)>),
    /// `[a, b]`; missing items are left out.
    ListOf(Box<[Expr]>),
    /// `{ a = 1 }`: the JSON text `"key":` and the value; missing ones are left out.
    ObjectOf(Box<[(Box<[u8]>, Expr)]>),
    /// `f(a, b)`
    Call(Box<Call>),
}

impl Expr {
    /// The value for this event; `None` where it is missing or the evaluation failed.
    pub fn eval(&self, row: &mut Row) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Field(slot) => row.read(*slot).or_else(|| each::of_items(row, *slot)),
            Self::Missing => None,
            Self::Negate(of) => arithmetic::negate(of.eval(row)?),
            Self::Widen(of) => Some(match of.eval(row)? {
                Value::Int(int) => Value::Float(int as f64),
                other => other,
            }),
            Self::Else(pair) => match pair[0].eval(row) {
                Some(value) => Some(value),
                None => pair[1].eval(row),
            },
            Self::If(parts) => if parts[0].test(row) { &parts[1] } else { &parts[2] }.eval(row),
            Self::Arithmetic(operator, pair) => {
                let (left, right) = (pair[0].eval(row)?, pair[1].eval(row)?);
                arithmetic::apply(*operator, left, right, &mut row.texts)
            }
            Self::ListOf(items) => list_of(items, row),
            Self::ObjectOf(members) => object_of(members, row),
            Self::Call(call) => call.eval(row),
            _ => Some(Value::Bool(self.test(row))),
        }
    }

    /// Whether the expression holds; what is missing or no truth value does not.
    pub fn test(&self, row: &mut Row) -> bool {
        match self {
            Self::Has(slot) => row.has(*slot),
            Self::Not(of) => !of.test(row),
            Self::And(pair) => pair[0].test(row) && pair[1].test(row),
            Self::Or(pair) => pair[0].test(row) || pair[1].test(row),
            Self::Compare(operator, pair) => {
                if let Some(holds) = each::compare(*operator, pair, row) {
                    return holds;
                }
                let (left, right) = (pair[0].eval(row), pair[1].eval(row));
                compare::compare(*operator, left, right, &row.texts)
            }
            Self::Relation(operator, pair) => {
                let (Some(left), Some(right)) = (pair[0].eval(row), pair[1].eval(row)) else {
                    return false;
                };
                compare::relation(*operator, left, right, &mut row.texts)
            }
            Self::InSet(of) => of.0.eval(row).is_some_and(|value| of.1.contains(value, &row.texts)),
            Self::InNetworks(of) => of.0.eval(row).is_some_and(|value| of.1.contain(value, &row.texts)),
            Self::Matches(of) => of.0.text(row).is_some_and(|text| of.1.is_match(text)),
            Self::ContainsText(of) => match of.0.eval(row) {
                Some(Value::Text(span) | Value::Ip(span)) => of.1.find(row.texts.bytes(span)).is_some(),
                Some(Value::List(list)) => compare::list_holds_text(list, of.1.needle(), &mut row.texts),
                _ => false,
            },
            _ => matches!(self.eval(row), Some(Value::Bool(true))),
        }
    }

    /// Visits every field that the expression looks at; what is below such a field may be looked at too.
    pub fn reads(&self, visit: &mut dyn FnMut(Slot)) {
        match self {
            Self::Missing | Self::Constant(_) => {}
            Self::Field(slot) | Self::Has(slot) => visit(*slot),
            Self::Not(of) | Self::Negate(of) | Self::Widen(of) => of.reads(visit),
            Self::And(pair)
            | Self::Or(pair)
            | Self::Else(pair)
            | Self::Compare(_, pair)
            | Self::Arithmetic(_, pair)
            | Self::Relation(_, pair) => pair.iter().for_each(|of| of.reads(visit)),
            Self::If(parts) => parts.iter().for_each(|of| of.reads(visit)),
            Self::InSet(of) => of.0.reads(visit),
            Self::InNetworks(of) => of.0.reads(visit),
            Self::Matches(of) => of.0.reads(visit),
            Self::ContainsText(of) => of.0.reads(visit),
            Self::ListOf(items) => items.iter().for_each(|of| of.reads(visit)),
            Self::ObjectOf(members) => members.iter().for_each(|(_, of)| of.reads(visit)),
            Self::Call(call) => call.args().iter().for_each(|of| of.reads(visit)),
        }
    }

    /// The bytes of a textual value.
    fn text<'row>(&self, row: &'row mut Row) -> Option<&'row [u8]> {
        match self.eval(row)? {
            Value::Text(span) | Value::Ip(span) => Some(row.texts.bytes(span)),
            _ => None,
        }
    }
}

fn list_of(items: &[Expr], row: &mut Row) -> Option<Value> {
    let mut out = row.texts.scratch();
    out.push(b'[');
    for item in items {
        if let Some(value) = item.eval(row) {
            write_value(&row.texts, value, &mut out);
            out.push(b',');
        }
    }
    close(&mut out, b']');
    function::keep_json(&mut row.texts, out).map(Value::List)
}

fn object_of(members: &[(Box<[u8]>, Expr)], row: &mut Row) -> Option<Value> {
    let mut out = row.texts.scratch();
    out.push(b'{');
    for (fragment, member) in members {
        if let Some(value) = member.eval(row) {
            out.extend_from_slice(fragment);
            write_value(&row.texts, value, &mut out);
            out.push(b',');
        }
    }
    close(&mut out, b'}');
    function::keep_json(&mut row.texts, out).map(Value::Object)
}

/// Ends a JSON list or object whose every part was followed by a comma.
fn close(out: &mut Vec<u8>, bracket: u8) {
    match out.last_mut() {
        Some(last) if *last == b',' => *last = bracket,
        _ => out.push(bracket),
    }
}

#[cfg(test)]
mod tests;
