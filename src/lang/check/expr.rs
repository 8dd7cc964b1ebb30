//! Expressions: types, missing values, and the tree that runs.

use super::scope::{Known, Scope};
use super::{Checker, codes};
use crate::diag::{Place, nearest};
use crate::event::{Layout, Value};
use crate::expr::{Constant, Constants, Expr as Ready, Operator, Unary, function, unify};
use crate::lang::ast::{BinaryOp, Expr, ExprKind, Literal, Path, Setting, UnaryOp};
use crate::signature::Type;

/// A checked expression.
pub(super) struct Typed {
    /// Ready to run.
    pub(super) ready: Ready,
    /// Its type.
    pub(super) ty: Type,
    /// Whether it may be missing or fail, and nobody has said what then.
    pub(super) maybe: bool,
    /// Whether it may be missing, said or not.
    pub(super) may_miss: bool,
    /// Its value, where that is known now.
    pub(super) constant: Option<Constant>,
}

impl Typed {
    fn new(ready: Ready, ty: Type, maybe: bool) -> Self {
        Self { ready, ty, maybe, may_miss: maybe, constant: None }
    }

    /// What stands for a part that was reported.
    fn broken() -> Self {
        Self::new(Ready::Missing, Type::Any, false)
    }
}

/// What expressions of one pipeline share.
pub(super) struct Shared<'l> {
    /// The layout that paths are resolved in.
    pub(super) layout: &'l Layout,
    /// The texts of constants.
    pub(super) constants: Constants,
}

impl Checker<'_> {
    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope, shared: &mut Shared<'_>) -> Ready {
        let typed = self.expr(expr, scope, shared);
        if !matches!(typed.ty, Type::Bool | Type::Any) {
            let message = format!("a condition must be true or false, this is {}", typed.ty);
            self.error(codes::WRONG_TYPE, &expr.place, message);
        }
        typed.ready
    }

    /// Checks an expression where these fields are known.
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope, shared: &mut Shared<'_>) -> Typed {
        match &*expr.node {
            ExprKind::Literal(Literal::Missing) => {
                Typed { may_miss: true, ..Typed::new(Ready::Missing, Type::Any, false) }
            }
            ExprKind::Path(path) => self.field(path, scope, shared),
            ExprKind::Unary(op, of) => self.unary(expr, *op, of, scope, shared),
            ExprKind::Binary(op, left, right) => self.binary(expr, *op, left, right, scope, shared),
            ExprKind::If(condition, then, otherwise) => {
                self.choose(condition, then, otherwise, scope, shared)
            }
            ExprKind::Call { name, arguments, options } if name.node != "env" => {
                self.call(expr, name, arguments, options, scope, shared)
            }
            ExprKind::List(items) if self.fold(expr).is_none() => {
                let items: Vec<_> = items.iter().map(|item| self.expr(item, scope, shared).ready).collect();
                Typed::new(Ready::ListOf(items.into()), Type::List, false)
            }
            ExprKind::Object(members) if self.fold(expr).is_none() => self.object(members, scope, shared),
            ExprKind::Broken => Typed::broken(),
            _ => self.known(expr, scope, shared),
        }
    }

    /// A constant.
    fn known(&mut self, expr: &Expr, scope: &Scope, shared: &mut Shared<'_>) -> Typed {
        let Some(constant) = self.fold(expr) else {
            if let ExprKind::Word(word) = &*expr.node {
                self.unknown_word(word, &expr.place, scope);
            }
            return Typed::broken();
        };
        let ty = type_of(&constant);
        let value: Value = shared.constants.value(&constant);
        Typed { constant: Some(constant), ..Typed::new(Ready::Constant(value), ty, false) }
    }

    fn unknown_word(&mut self, word: &str, place: &Place, scope: &Scope) {
        let message = format!("there is no constant named `{word}`");
        let help = if scope.get(word).is_some() {
            Some(format!("a field has a leading dot: `.{word}`"))
        } else {
            nearest(word, self.constants.keys().copied()).map(|near| format!("did you mean `{near}`?"))
        };
        let help = help.or_else(|| Some(format!("text has quotes: \"{word}\"")));
        self.error_with_help(codes::UNKNOWN_WORD, place, message, help);
    }

    fn field(&mut self, path: &Path, scope: &Scope, shared: &mut Shared<'_>) -> Typed {
        let Some(Known { ty, maybe, .. }) = self.lookup(path, scope) else { return Typed::broken() };
        match shared.layout.slot(&path.dotted()) {
            Some(slot) => Typed::new(Ready::Field(slot), ty, maybe),
            // Only when the layout is full, which has been reported.
            None => Typed::broken(),
        }
    }

    /// What is known of a field; reported where there can be none.
    pub(super) fn lookup(&mut self, path: &Path, scope: &Scope) -> Option<Known> {
        let dotted = path.dotted();
        let known = scope.get(&dotted);
        if known.is_none() {
            let message = format!("no field `.{dotted}` can be there");
            let help = match nearest(&dotted, scope.names()) {
                Some(near) => format!("did you mean `.{near}`?"),
                None => "no format before this gives it, and no step sets it".to_owned(),
            };
            self.error_with_help(codes::UNKNOWN_FIELD, &path.place, message, Some(help));
        }
        known
    }

    fn unary(
        &mut self,
        expr: &Expr,
        op: UnaryOp,
        of: &Expr,
        scope: &Scope,
        shared: &mut Shared<'_>,
    ) -> Typed {
        if op == UnaryOp::Negate && self.fold(expr).is_some() {
            return self.known(expr, scope, shared);
        }
        let typed = self.expr(of, scope, shared);
        let maybe = op == Unary::Negate && (typed.maybe || typed.ty == Type::Any);
        if op == Unary::Negate {
            self.needs(&typed, of);
        }
        match op.type_of(typed.ty) {
            Ok(ty) => Typed::new(Ready::unary(op, typed.ready), ty, maybe),
            Err(error) => {
                self.error(codes::WRONG_TYPE, &expr.place, error);
                Typed::broken()
            }
        }
    }

    fn binary(
        &mut self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        scope: &Scope,
        shared: &mut Shared<'_>,
    ) -> Typed {
        let said = usize::from(op == BinaryOp::Else);
        self.tolerant += said;
        let a = self.expr(left, scope, shared);
        self.tolerant -= said;
        // The right side of `and` and `or` runs only where the left one left it open.
        let mut narrowed;
        let scope = match op {
            BinaryOp::And | BinaryOp::Or => {
                narrowed = scope.clone();
                super::guard::assume(left, op == BinaryOp::And, &mut narrowed);
                &narrowed
            }
            _ => scope,
        };
        let b = self.expr(right, scope, shared);
        if !matches!(op, Operator::Else | Operator::And | Operator::Or) {
            self.one_type(left, scope);
            self.one_type(right, scope);
        }
        let ty = match op.type_of(a.ty, b.ty) {
            Ok(ty) => ty,
            Err(error) => {
                self.error(codes::WRONG_TYPE, &expr.place, error);
                return Typed::broken();
            }
        };
        let (maybe, may_miss) = match op {
            Operator::Else => (b.maybe, b.may_miss),
            _ if op.is_arithmetic() => {
                self.needs(&a, left);
                self.needs(&b, right);
                let zero = matches!(b.constant, Some(Constant::Int(0) | Constant::Duration(0)));
                if matches!(op, Operator::Divide | Operator::Remainder) && zero {
                    self.error(codes::DIVISION, &right.place, "this divides by zero");
                }
                let fails = a.may_miss || b.may_miss || op.may_fail(a.ty, b.ty, b.constant.as_ref());
                (fails, fails)
            }
            _ => (false, false),
        };
        match Ready::binary(op, (a.ready, a.ty), (b.ready, b.ty), b.constant.as_ref()) {
            Ok(ready) => Typed { may_miss, ..Typed::new(ready, ty, maybe) },
            Err(error) => {
                self.error(codes::WRONG_CONSTANT, &right.place, error);
                Typed::broken()
            }
        }
    }

    fn choose(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        scope: &Scope,
        shared: &mut Shared<'_>,
    ) -> Typed {
        let ready = self.condition(condition, scope, shared);
        let (mut yes, mut no) = (scope.clone(), scope.clone());
        super::guard::assume(condition, true, &mut yes);
        super::guard::assume(condition, false, &mut no);
        let (a, b) = (self.expr(then, &yes, shared), self.expr(otherwise, &no, shared));
        let ready = Ready::choose(ready, (a.ready, a.ty), (b.ready, b.ty));
        let may_miss = a.may_miss || b.may_miss;
        Typed { may_miss, ..Typed::new(ready, unify(a.ty, b.ty), a.maybe || b.maybe) }
    }

    fn object(&mut self, members: &[Setting], scope: &Scope, shared: &mut Shared<'_>) -> Typed {
        let members: Vec<_> = members
            .iter()
            .map(|member| {
                let mut fragment = Vec::new();
                crate::event::write_string(&member.name.node, &mut fragment);
                fragment.push(b':');
                (fragment.into_boxed_slice(), self.expr(&member.value, scope, shared).ready)
            })
            .collect();
        Typed::new(Ready::ObjectOf(members.into()), Type::Object, false)
    }

    /// Reports a field to which formats or branches give different types, where an operator needs one.
    fn one_type(&mut self, of: &Expr, scope: &Scope) {
        let ExprKind::Path(path) = &*of.node else { return };
        if scope.get(&path.dotted()).is_some_and(|known| known.mixed) {
            let dotted = path.dotted();
            let message = format!("`.{dotted}` has one type or another, by the way it came");
            let help = format!("convert it first, as in `text(.{dotted})` or `int(.{dotted}) ?? 0`");
            self.error_with_help(codes::MIXED_TYPES, &of.place, message, Some(help));
        }
    }

    /// Reports a value that may be missing where one is needed.
    fn needs(&mut self, typed: &Typed, expr: &Expr) {
        // Why a part of it may be missing is said, if it is.
        if self.tolerant > 0 || self.diagnostics.has_error_in(&expr.place) {
            return;
        }
        if typed.maybe || matches!(typed.ready, Ready::Missing) && typed.may_miss {
            let help = "say what then: `(… ?? default)`, or guard it: `when has(.field) { … }`".to_owned();
            self.error_with_help(codes::MAYBE_MISSING, &expr.place, "this may be missing", Some(help));
        }
    }

    fn call(
        &mut self,
        expr: &Expr,
        name: &crate::lang::ast::Name,
        arguments: &[Expr],
        options: &[Setting],
        scope: &Scope,
        shared: &mut Shared<'_>,
    ) -> Typed {
        let Some(function) = function::find(&name.node) else {
            if name.node == "secret" {
                let help = "it may only be the value of an option that is never shown".to_owned();
                self.error_with_help(
                    codes::WRONG_CALL,
                    &name.place,
                    "a secret is no value of an event",
                    Some(help),
                );
                return Typed::broken();
            }
            let names = crate::expr::functions().iter().map(|function| function.signature.name);
            self.unknown(codes::UNKNOWN_FUNCTION, "function", name, names);
            return Typed::broken();
        };
        let Some(given) = self.arguments(function, name, arguments, options) else { return Typed::broken() };
        let typed: Vec<Option<Typed>> = given
            .iter()
            .map(|argument| argument.map(|argument| self.expr(argument, scope, shared)))
            .collect();
        let types: Vec<_> = typed.iter().map(|typed| typed.as_ref().map(|typed| typed.ty)).collect();
        let ty = match function.check(&types) {
            Ok(ty) => ty,
            Err((at, error)) => {
                let place = given.get(at).copied().flatten().map_or(&expr.place, |argument| &argument.place);
                let help = Some(format!("{}: {}", function.signature.form, function.signature.summary));
                self.error_with_help(codes::WRONG_CALL, place, error, help);
                return Typed::broken();
            }
        };
        let mut may_miss = false;
        if !function.accepts_missing {
            may_miss = typed.iter().flatten().any(|typed| typed.may_miss);
            for (typed, argument) in typed.iter().zip(&given) {
                if let (Some(typed), Some(argument)) = (typed, argument) {
                    self.needs(typed, argument);
                }
            }
        }
        let constants: Vec<_> = typed.iter().map(|typed| typed.as_ref()?.constant.clone()).collect();
        let ready =
            typed.into_iter().map(|typed| typed.map_or(Ready::Missing, |typed| typed.ready)).collect();
        match Ready::call(function, ready, &constants, self.environment) {
            Ok(ready) => Typed::new(ready, ty, may_miss || function.may_fail(&types)),
            Err(error) => {
                self.error(codes::WRONG_CONSTANT, &expr.place, error);
                Typed::broken()
            }
        }
    }

    /// The arguments of a call in the order of the function's parameters.
    fn arguments<'e>(
        &mut self,
        function: &'static function::Function,
        name: &crate::lang::ast::Name,
        arguments: &'e [Expr],
        options: &'e [Setting],
    ) -> Option<Vec<Option<&'e Expr>>> {
        let mut given: Vec<Option<&Expr>> = arguments.iter().map(Some).collect();
        for option in options {
            let names = function.params.iter().map(|param| param.name);
            let Some(at) = names.clone().position(|param| param == option.name.node) else {
                self.unknown(
                    codes::WRONG_CALL,
                    &format!("parameter of `{}`", name.node),
                    &option.name,
                    names,
                );
                return None;
            };
            if given.len() <= at {
                given.resize(at + 1, None);
            }
            if given[at].replace(&option.value).is_some() {
                let message = format!("`{}` is given twice", option.name.node);
                self.error(codes::WRONG_CALL, &option.name.place, message);
                return None;
            }
        }
        Some(given)
    }
}

pub(super) fn type_of(constant: &Constant) -> Type {
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
