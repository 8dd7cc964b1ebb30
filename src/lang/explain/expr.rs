//! Checked expressions as text of the language, nearly as they were written.

use crate::event::{Layout, Row, Span, Value};
use crate::expr::{Constant, Expr, Operator};

/// Longest text or list that is shown, in letters.
const SHOWN_MAX: usize = 60;

/// An expression in words.
pub(super) fn text(of: &Expr, layout: &Layout, constants: &[u8]) -> String {
    let inner = |of: &Expr| text(of, layout, constants);
    let operand = |of: &Expr| match of {
        Expr::And(_) | Expr::Or(_) | Expr::Else(_) | Expr::If(_) | Expr::Arithmetic(..) => {
            format!("({})", inner(of))
        }
        _ => inner(of),
    };
    let pair = |sign: &str, pair: &[Expr; 2]| format!("{} {sign} {}", operand(&pair[0]), operand(&pair[1]));
    match of {
        Expr::Missing => "missing".to_owned(),
        Expr::Constant(constant) => value(*constant, constants),
        Expr::Field(slot) => format!(".{}", layout.path(*slot)),
        Expr::Has(slot) => format!("has(.{})", layout.path(*slot)),
        Expr::Not(of) => format!("not {}", operand(of)),
        Expr::Negate(of) => format!("-{}", operand(of)),
        Expr::Widen(of) => inner(of),
        Expr::And(of) => pair("and", of),
        Expr::Or(of) => pair("or", of),
        Expr::Else(of) => pair("??", of),
        Expr::If(of) => format!("if {} then {} else {}", inner(&of[0]), operand(&of[1]), operand(&of[2])),
        Expr::Compare(op, of) | Expr::Arithmetic(op, of) | Expr::Relation(op, of) => {
            pair(Operator::symbol(*op), of)
        }
        Expr::InSet(of) => format!("{} in [constants]", operand(&of.0)),
        Expr::InNetworks(of) => format!("{} in [networks]", operand(&of.0)),
        Expr::Matches(of) => {
            format!("{} matches {}", operand(&of.0), short(&format!("r{:?}", of.1.as_str())))
        }
        Expr::ContainsText(of) => {
            let needle = String::from_utf8_lossy(of.1.needle()).into_owned();
            format!("{} contains {}", operand(&of.0), short(&format!("{needle:?}")))
        }
        Expr::ListOf(items) => format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Expr::ObjectOf(members) => {
            let one = |(key, value): &(Box<[u8]>, Expr)| {
                format!("{} = {}", String::from_utf8_lossy(key).trim_end_matches(':'), inner(value))
            };
            format!("{{ {} }}", members.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Expr::Call(call) => {
            // The debug form begins with the function's name.
            let debug = format!("{call:?}");
            format!("{}(…)", debug.split('(').next().unwrap_or_default())
        }
    }
}

fn value(of: Value, constants: &[u8]) -> String {
    if let Value::Duration(ns) = of {
        return duration(ns);
    }
    let layout = std::sync::Arc::new(crate::event::LayoutBuilder::default().build());
    let row = Row::new(layout, constants.into());
    let mut out = Vec::new();
    debug_assert!(of.span().is_none_or(|span| span.buffer == Span::CONSTANTS));
    row.write_json(of, &mut out);
    short(&String::from_utf8_lossy(&out))
}

/// A constant as it is written.
pub(super) fn constant(of: &Constant) -> String {
    match of {
        Constant::Null => "null".to_owned(),
        Constant::Bool(truth) => truth.to_string(),
        Constant::Int(int) => int.to_string(),
        Constant::Float(float) => format!("{float:?}"),
        Constant::Duration(ns) => duration(*ns),
        Constant::Timestamp(ns) => {
            let mut out = Vec::new();
            crate::event::write_timestamp(*ns, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        Constant::Text(text) => short(&format!("{text:?}")),
        Constant::List(items) => {
            short(&format!("[{}]", items.iter().map(constant).collect::<Vec<_>>().join(", ")))
        }
        Constant::Object(_) => "{ … }".to_owned(),
    }
}

/// Nanoseconds in the largest unit that holds them whole.
fn duration(ns: i64) -> String {
    let units =
        [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];
    let units = units.into_iter().chain([("ms", 1_000_000), ("us", 1_000)]);
    let whole = units.into_iter().find(|(_, unit)| ns != 0 && ns % unit == 0);
    whole.map_or_else(|| format!("{ns}ns"), |(name, unit)| format!("{}{name}", ns / unit))
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}
