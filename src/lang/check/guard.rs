//! What a condition shows of the fields it names: `has(.x)` and every comparison that holds show that they are there.

use super::scope::Scope;
use crate::lang::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// Notes what must be so where the condition gave `truth`.
pub(super) fn assume(condition: &Expr, truth: bool, scope: &mut Scope) {
    match &*condition.node {
        ExprKind::Unary(UnaryOp::Not, of) => assume(of, !truth, scope),
        ExprKind::Binary(BinaryOp::And, left, right) if truth => {
            assume(left, true, scope);
            assume(right, true, scope);
        }
        ExprKind::Binary(BinaryOp::Or, left, right) if !truth => {
            assume(left, false, scope);
            assume(right, false, scope);
        }
        ExprKind::Binary(BinaryOp::NotEqual, left, right) if !truth => both(left, right, scope),
        ExprKind::Binary(op, left, right) if truth && compares(*op) => both(left, right, scope),
        ExprKind::Call { name, arguments, .. } if truth && name.node == "has" => {
            arguments.iter().for_each(|argument| present(argument, scope));
        }
        ExprKind::Path(_) if truth => present(condition, scope),
        _ => {}
    }
}

/// Operators that hold only where both sides are there.
fn compares(op: BinaryOp) -> bool {
    use BinaryOp::{
        Contains, EndsWith, Equal, Greater, GreaterEqual, In, Less, LessEqual, Matches, StartsWith,
    };
    matches!(
        op,
        Equal | Less | LessEqual | Greater | GreaterEqual | In | Matches | Contains | StartsWith | EndsWith
    )
}

fn both(left: &Expr, right: &Expr, scope: &mut Scope) {
    present(left, scope);
    present(right, scope);
}

fn present(of: &Expr, scope: &mut Scope) {
    if let ExprKind::Path(path) = &*of.node {
        scope.certain(&path.dotted());
    }
}
