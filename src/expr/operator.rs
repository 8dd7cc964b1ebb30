//! The operators and their rules of types: what the checker asks.

use super::Constant;
use crate::signature::Type;

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `in`
    In,
    /// `matches`
    Matches,
    /// `contains`
    Contains,
    /// `starts_with`
    StartsWith,
    /// `ends_with`
    EndsWith,
    /// `??`
    Else,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `not`
    Not,
    /// `-`
    Negate,
}

impl Unary {
    /// The type of `-a` or `not a`, or why it makes no sense.
    pub fn type_of(self, operand: Type) -> Result<Type, String> {
        match (self, operand) {
            (Self::Not, Type::Bool | Type::Any) => Ok(Type::Bool),
            (Self::Not, other) => Err(format!("`not` needs a bool, this is {other}")),
            (Self::Negate, Type::Int | Type::Float | Type::Duration | Type::Any) => Ok(operand),
            (Self::Negate, other) => Err(format!("`-` needs a number or a duration, this is {other}")),
        }
    }
}

/// The type of a value that is one or the other: equal types stay, `int` beside `float` widens.
pub fn unify(left: Type, right: Type) -> Type {
    match (left, right) {
        _ if left == right => left,
        (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
        _ => Type::Any,
    }
}

impl Operator {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::Matches => "matches",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Else => "??",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// Whether it computes a value, so that both operands must be present.
    pub fn is_arithmetic(self) -> bool {
        matches!(self, Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder)
    }

    /// The type of `left OP right`, or why it makes no sense.
    pub fn type_of(self, left: Type, right: Type) -> Result<Type, String> {
        let fits = match self {
            Self::Or | Self::And => is(left, &[Type::Bool]) && is(right, &[Type::Bool]),
            Self::Equal | Self::NotEqual => alike(left, right),
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => {
                let unordered = [Type::Bool, Type::List, Type::Object];
                alike(left, right) && !unordered.contains(&left) && !unordered.contains(&right)
            }
            Self::In => {
                is(right, &[Type::List]) || (right == Type::Text && is(left, &[Type::Ip, Type::Text]))
            }
            Self::Contains => left == Type::List || (is(left, TEXTS) && is(right, TEXTS)),
            Self::Matches | Self::StartsWith | Self::EndsWith => is(left, TEXTS) && is(right, TEXTS),
            Self::Else => return Ok(unify(left, right)),
            _ => return self.arithmetic(left, right).ok_or_else(|| self.misfit(left, right)),
        };
        if fits { Ok(Type::Bool) } else { Err(self.misfit(left, right)) }
    }

    /// Whether the result may be missing though both operands are there. Overflow of an `int` is not counted: it
    /// makes the value missing too, but nobody should have to guard a sum.
    pub fn may_fail(self, left: Type, right: Type, right_constant: Option<&Constant>) -> bool {
        if !self.is_arithmetic() {
            return false;
        }
        let zero = match right_constant {
            Some(Constant::Int(int) | Constant::Duration(int)) => *int == 0,
            Some(Constant::Float(float)) => *float == 0.0,
            _ => true,
        };
        left == Type::Any || right == Type::Any || (matches!(self, Self::Divide | Self::Remainder) && zero)
    }

    fn arithmetic(self, left: Type, right: Type) -> Option<Type> {
        use Type::{Any, Duration, Float, Int, Text, Timestamp};
        Some(match (self, left, right) {
            (Self::Divide, Int | Float, Int | Float) | (Self::Divide, Duration, Duration) => Float,
            (Self::Divide, Duration, Int | Float) => Duration,
            (Self::Divide, Duration | Int | Float | Any, Any) => Any,
            (Self::Divide, Any, Int | Float | Duration) => Any,
            (_, Int, Int) => Int,
            (_, Int | Float, Int | Float) => Float,
            (Self::Add, Text, Text | Any) | (Self::Add, Any, Text) => Text,
            (Self::Add | Self::Subtract | Self::Remainder, Duration, Duration) => Duration,
            (Self::Add | Self::Subtract, Timestamp, Duration) => Timestamp,
            (Self::Add, Duration, Timestamp) => Timestamp,
            (Self::Subtract, Timestamp, Timestamp) => Duration,
            (Self::Multiply, Duration, Int | Float | Any) => Duration,
            (Self::Multiply, Int | Float | Any, Duration) => Duration,
            (Self::Add | Self::Subtract, Any, Timestamp | Duration) => Any,
            (Self::Add | Self::Subtract, Timestamp | Duration, Any) => Any,
            (_, Any, Any | Int | Float) | (_, Int | Float, Any) => Any,
            (Self::Remainder, Any, Duration) | (Self::Remainder, Duration, Any) => Duration,
            _ => return None,
        })
    }

    fn misfit(self, left: Type, right: Type) -> String {
        let symbol = self.symbol();
        match self {
            Self::Equal | Self::NotEqual => format!("{left} and {right} are never equal"),
            Self::And | Self::Or => format!("`{symbol}` needs two bools, these are {left} and {right}"),
            Self::In => format!(
                "`in` needs a list, or an ip and a network such as \"10.0.0.0/8\"; these are {left} and {right}"
            ),
            Self::Add if left == Type::Text || right == Type::Text => {
                format!(
                    "`+` joins text to text only, these are {left} and {right}; write `text(…)` around the other"
                )
            }
            _ => format!("`{symbol}` does not work on {left} and {right}"),
        }
    }
}

const TEXTS: &[Type] = &[Type::Text, Type::Ip];

fn is(ty: Type, wanted: &[Type]) -> bool {
    ty == Type::Any || wanted.contains(&ty)
}

/// Whether values of two types can be equal.
fn alike(left: Type, right: Type) -> bool {
    use Type::{Any, Float, Int, Ip, Text};
    left == right
        || matches!(
            (left, right),
            (Any, _) | (_, Any) | (Int, Float) | (Float, Int) | (Ip, Text) | (Text, Ip)
        )
}
