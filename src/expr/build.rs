//! Building expressions: patterns, sets and needles that are constant are prepared here, once.

use regex::bytes::{Regex, RegexBuilder};

use super::{Constant, Expr, Networks, Operator, Set, Unary};
use crate::event::Texts;
use crate::limits::REGEX_BYTES_MAX;
use crate::signature::Type;

/// Compiles a pattern within the bounds of the product. Matching is linear in the text.
pub fn checked_regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build().map_err(
        |error| match error {
            // The crate draws the pattern over several lines; the last one says what is wrong.
            regex::Error::Syntax(text) => {
                let last = text.lines().last().unwrap_or_default();
                format!("the pattern is wrong: {}", last.strip_prefix("error: ").unwrap_or(last))
            }
            regex::Error::CompiledTooBig(limit) => {
                format!("the pattern compiles to more than {} MiB", limit / 1024 / 1024)
            }
            other => format!("the pattern is wrong: {other}"),
        },
    )
}

impl Expr {
    /// `OP of`. The types have been checked with [`Unary::type_of`].
    pub fn unary(operator: Unary, of: Expr) -> Self {
        match operator {
            Unary::Not => Self::Not(Box::new(of)),
            Unary::Negate => Self::Negate(Box::new(of)),
        }
    }

    /// `left OP right`, with the operands' types (which have been checked with [`Operator::type_of`]) and the value
    /// of the right one where that is constant. The error says what is wrong with it.
    pub fn binary(
        operator: Operator,
        (left, left_type): (Expr, Type),
        (right, right_type): (Expr, Type),
        constant: Option<&Constant>,
    ) -> Result<Self, String> {
        Ok(match operator {
            Operator::Or => Self::Or(Box::new([left, right])),
            Operator::And => Self::And(Box::new([left, right])),
            Operator::Else => {
                let [left, right] = widen((left, left_type), (right, right_type));
                Self::Else(Box::new([left, right]))
            }
            Operator::Matches => {
                let pattern = constant.and_then(Constant::text);
                let pattern = pattern.ok_or("`matches` needs a pattern that is a constant text")?;
                Self::Matches(Box::new((left, checked_regex(pattern)?)))
            }
            Operator::In => match constant {
                Some(constant) => in_constant(left, left_type, right, constant)?,
                None => Self::Relation(operator, Box::new([left, right])),
            },
            Operator::Contains if constant.is_some_and(|constant| constant.text().is_some()) => {
                let needle = constant.and_then(Constant::text).unwrap_or_default().as_bytes();
                Self::ContainsText(Box::new((left, memchr::memmem::Finder::new(needle).into_owned())))
            }
            Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
                Self::Relation(operator, Box::new([left, right]))
            }
            operator if operator.is_arithmetic() => match (&left, &right) {
                (Self::Constant(a), Self::Constant(b)) if a.span().is_none() && b.span().is_none() => {
                    // `10 * 1m` is a number like any other; what overflows stays to be missing in every event.
                    let folded = super::arithmetic::apply(operator, *a, *b, &mut Texts::default());
                    folded.map_or_else(|| Self::Arithmetic(operator, Box::new([left, right])), Self::Constant)
                }
                _ => Self::Arithmetic(operator, Box::new([left, right])),
            },
            _ => Self::Compare(operator, Box::new([left, right])),
        })
    }

    /// `if condition then a else b`, with the types of both.
    pub fn choose(condition: Expr, then: (Expr, Type), otherwise: (Expr, Type)) -> Self {
        let [then, otherwise] = widen(then, otherwise);
        Self::If(Box::new([condition, then, otherwise]))
    }
}

/// Where one side is an `int` and the other a `float`, both give floats, so that the type of the whole is true.
fn widen(left: (Expr, Type), right: (Expr, Type)) -> [Expr; 2] {
    let mix = |mine: Type, other: Type| mine == Type::Int && other == Type::Float;
    let one = |expr: Expr, wide: bool| if wide { Expr::Widen(Box::new(expr)) } else { expr };
    let (wide_left, wide_right) = (mix(left.1, right.1), mix(right.1, left.1));
    [one(left.0, wide_left), one(right.0, wide_right)]
}

/// `left in CONSTANT`: networks where an address or a prefix length says so, else a set.
fn in_constant(left: Expr, left_type: Type, right: Expr, constant: &Constant) -> Result<Expr, String> {
    let texts = constant.texts().filter(|texts| !texts.is_empty());
    let networks = texts.map(|texts| (texts.iter().any(|text| text.contains('/')), Networks::new(&texts)));
    match (networks, constant) {
        (Some((_, networks)), _) if left_type == Type::Ip => {
            Ok(Expr::InNetworks(Box::new((left, networks?))))
        }
        (Some((_, networks)), Constant::Text(_)) => Ok(Expr::InNetworks(Box::new((left, networks?)))),
        (Some((true, Ok(networks))), _) => Ok(Expr::InNetworks(Box::new((left, networks)))),
        (_, Constant::List(items)) => Ok(Expr::InSet(Box::new((left, Set::new(items))))),
        _ => Ok(Expr::Relation(Operator::In, Box::new([left, right]))),
    }
}
