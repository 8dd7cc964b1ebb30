//! Values that are known when a file is compiled: literals, constants, `env(…)`, lists of such.

use super::{Checker, codes};
use crate::expr::Constant;
use crate::lang::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};

impl Checker<'_> {
    /// The value of an expression that has to be constant. An error is reported where it is not.
    pub(super) fn constant(&mut self, expr: &Expr) -> Option<Constant> {
        if let Some(value) = self.fold(expr) {
            return Some(value);
        }
        if !self.diagnostics.covers(expr.place.start) {
            let help = "a literal, a constant, `env(\"NAME\", \"default\")`, or a list of these".to_owned();
            let message = "this must be known before any event is seen";
            self.error_with_help(codes::NOT_CONSTANT, &expr.place, message, Some(help));
        }
        None
    }

    /// The value of an expression, if it is known now.
    pub(super) fn fold(&mut self, expr: &Expr) -> Option<Constant> {
        Some(match &*expr.node {
            ExprKind::Literal(literal) => literal_value(literal)?,
            ExprKind::Word(word) => self.constants.get(word.as_str())?.clone(),
            ExprKind::List(items) => {
                Constant::List(items.iter().map(|item| self.fold(item)).collect::<Option<_>>()?)
            }
            ExprKind::Object(members) => Constant::Object(
                members
                    .iter()
                    .map(|member| Some((member.name.node.clone(), self.fold(&member.value)?)))
                    .collect::<Option<_>>()?,
            ),
            ExprKind::Unary(UnaryOp::Negate, of) => match self.fold(of)? {
                Constant::Int(int) => Constant::Int(int.checked_neg()?),
                Constant::Float(float) => Constant::Float(-float),
                Constant::Duration(ns) => Constant::Duration(ns.checked_neg()?),
                _ => return None,
            },
            ExprKind::Binary(BinaryOp::Add, left, right) => match (self.fold(left)?, self.fold(right)?) {
                (Constant::Text(left), Constant::Text(right)) => Constant::Text(left + &right),
                (Constant::Int(left), Constant::Int(right)) => Constant::Int(left.checked_add(right)?),
                (Constant::Duration(left), Constant::Duration(right)) => {
                    Constant::Duration(left.checked_add(right)?)
                }
                _ => return None,
            },
            ExprKind::Call { name, arguments, .. } if name.node == "env" => self.variable(expr, arguments)?,
            _ => return None,
        })
    }

    /// `env("NAME", default)`
    fn variable(&mut self, call: &Expr, arguments: &[Expr]) -> Option<Constant> {
        let name = arguments.first().and_then(|name| self.fold(name));
        let Some(name) = name.as_ref().and_then(Constant::text).filter(|_| arguments.len() <= 2) else {
            let help = "env(\"NAME\") or env(\"NAME\", \"default\")".to_owned();
            self.error_with_help(
                codes::WRONG_CALL,
                &call.place,
                "`env` takes a name and a default",
                Some(help),
            );
            return None;
        };
        if let Some(value) = self.environment.variable(name) {
            return Some(Constant::Text(value));
        }
        match arguments.get(1) {
            Some(default) => self.constant(default),
            None => {
                let message = format!("the environment variable `{name}` is not set");
                let help = format!("set it, or give a default: env(\"{name}\", \"…\")");
                self.error_with_help(codes::NO_VARIABLE, &call.place, message, Some(help));
                None
            }
        }
    }

    /// `secret("file:/…")`, which only some options take.
    pub(super) fn secret(&mut self, expr: &Expr) -> Option<Result<String, ()>> {
        let ExprKind::Call { name, arguments, .. } = &*expr.node else { return None };
        if name.node != "secret" {
            return None;
        }
        let reference = arguments.first().and_then(|reference| self.fold(reference));
        let Some(reference) = reference.as_ref().and_then(Constant::text) else {
            let help = "secret(\"file:/run/secrets/key\")".to_owned();
            self.error_with_help(codes::WRONG_CALL, &expr.place, "`secret` takes a reference", Some(help));
            return Some(Err(()));
        };
        Some(self.environment.secret(reference).map_err(|error| {
            self.error(codes::NO_SECRET, &expr.place, error);
        }))
    }
}

/// The value of a literal; `missing` has none.
pub(super) fn literal_value(literal: &Literal) -> Option<Constant> {
    Some(match literal {
        Literal::Null => Constant::Null,
        // A rate stands in options only.
        Literal::Missing | Literal::Rate(..) => return None,
        Literal::Bool(bool) => Constant::Bool(*bool),
        Literal::Int(int) | Literal::Size(int, _) => Constant::Int(*int),
        Literal::Float(float) | Literal::Percent(float, _) => Constant::Float(*float),
        Literal::Text(text) => Constant::Text(text.clone()),
        Literal::Duration(ns, _) => Constant::Duration(*ns),
    })
}
