//! Expressions, by precedence climbing (Pratt, "Top Down Operator Precedence", 1973).
//!
//! From loose to tight: `or`, `and`, `not`, comparisons (one, not a chain), `??`, `+ -`, `* / %`, unary `-`.

use super::super::ast::{BinaryOp, Expr, ExprKind, Literal, Name, Setting, Spanned, UnaryOp};
use super::super::codes;
use super::super::lex::Token;
use super::{Parsed, Parser};

/// How tightly `not` binds.
pub(in crate::lang) const NOT: u8 = 3;
/// How tightly the comparisons bind.
pub(in crate::lang) const COMPARISON: u8 = 4;
/// How tightly unary `-` binds.
pub(in crate::lang) const NEGATE: u8 = 8;

/// The operators with two operands: as written, and how tightly they bind.
pub(in crate::lang) const BINARY: [(&str, BinaryOp, u8); 19] = [
    ("or", BinaryOp::Or, 1),
    ("and", BinaryOp::And, 2),
    ("==", BinaryOp::Equal, COMPARISON),
    ("!=", BinaryOp::NotEqual, COMPARISON),
    ("<", BinaryOp::Less, COMPARISON),
    ("<=", BinaryOp::LessEqual, COMPARISON),
    (">", BinaryOp::Greater, COMPARISON),
    (">=", BinaryOp::GreaterEqual, COMPARISON),
    ("in", BinaryOp::In, COMPARISON),
    ("matches", BinaryOp::Matches, COMPARISON),
    ("contains", BinaryOp::Contains, COMPARISON),
    ("starts_with", BinaryOp::StartsWith, COMPARISON),
    ("ends_with", BinaryOp::EndsWith, COMPARISON),
    ("??", BinaryOp::Else, 5),
    ("+", BinaryOp::Add, 6),
    ("-", BinaryOp::Subtract, 6),
    ("*", BinaryOp::Multiply, 7),
    ("/", BinaryOp::Divide, 7),
    ("%", BinaryOp::Remainder, 7),
];

/// Words that an expression gives a meaning of its own, so that no constant may have them as its name.
pub(in crate::lang) const RESERVED: [&str; 16] = [
    "or",
    "and",
    "not",
    "in",
    "matches",
    "contains",
    "starts_with",
    "ends_with",
    "if",
    "then",
    "else",
    "true",
    "false",
    "null",
    "missing",
    "when",
];

/// Positional arguments, then named ones.
type Arguments = (Vec<Expr>, Vec<Setting>);

fn expr(kind: ExprKind, place: crate::diag::Place) -> Expr {
    Spanned { node: Box::new(kind), place }
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.binary(0)
    }

    fn operator(&self, ahead: usize) -> Option<(BinaryOp, u8)> {
        let written = match &self.look(ahead).token {
            Token::Word(word) => word.as_str(),
            Token::Sign(sign) => sign,
            _ => return None,
        };
        BINARY.iter().find(|(known, ..)| *known == written).map(|(_, op, tight)| (*op, *tight))
    }

    fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = self.deeper(|parser| parser.unary(least))?;
        let mut compared = false;
        loop {
            // `a not in b` reads better than `not a in b`, and is the same.
            let negated =
                self.is_word("not") && self.operator(1).is_some_and(|(_, tight)| tight == COMPARISON);
            if self.is("=") && least <= COMPARISON {
                return self.fail(codes::ASSIGNMENT, "`=` does not compare", "write `==`");
            }
            let Some((op, tight)) = self.operator(usize::from(negated)) else { return Ok(left) };
            if tight < least || negated && NOT < least {
                return Ok(left);
            }
            if tight == COMPARISON && compared {
                let help = "put one comparison in parentheses, or write `a < b and b < c`";
                return self.fail(codes::CHAINED, "comparisons do not chain", help);
            }
            compared = tight == COMPARISON;
            let below = self.height;
            self.take();
            if negated {
                self.take();
            }
            let right = self.binary(tight + 1)?;
            let place = left.place.start..right.place.end;
            self.raise(below.max(self.height), &place)?;
            left = expr(ExprKind::Binary(op, left, right), place.clone());
            if negated {
                self.raise(self.height, &place)?;
                left = expr(ExprKind::Unary(UnaryOp::Not, left), place);
            }
        }
    }

    fn unary(&mut self, least: u8) -> Parsed<Expr> {
        let start = self.place().start;
        if self.is_word("not") || self.is_word("if") {
            let word = self.word().unwrap_or_default().to_owned();
            if least > if word == "not" { NOT } else { 0 } {
                return self.expected("a value", &format!("put `{word} …` in parentheses"));
            }
            self.take();
            if word == "if" {
                return self.condition(start);
            }
            let inner = self.binary(NOT)?;
            let place = self.since(start);
            self.raise(self.height, &place)?;
            return Ok(expr(ExprKind::Unary(UnaryOp::Not, inner), place));
        }
        if self.eat("-") {
            let inner = self.binary(NEGATE)?;
            let place = self.since(start);
            self.raise(self.height, &place)?;
            return Ok(expr(ExprKind::Unary(UnaryOp::Negate, inner), place));
        }
        self.primary()
    }

    fn condition(&mut self, start: usize) -> Parsed<Expr> {
        let condition = self.binary(0)?;
        let mut height = self.height;
        self.expect_word("then", "and a value, as in `if a then b else c`")?;
        let then = self.binary(0)?;
        height = height.max(self.height);
        self.expect_word("else", "and a value, as in `if a then b else c`")?;
        let otherwise = self.binary(0)?;
        height = height.max(self.height);
        let place = self.since(start);
        self.raise(height, &place)?;
        Ok(expr(ExprKind::If(condition, then, otherwise), place))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        self.height = 1;
        let place = self.place();
        let literal = match self.peek() {
            Token::Int(int) => match (&self.look(1).token, &self.look(2).token) {
                (Token::Word(per), Token::Duration(ns, written)) if per == "per" => {
                    let literal = Literal::Rate(*int, *ns, written.clone());
                    self.take();
                    self.take();
                    literal
                }
                _ => Literal::Int(*int),
            },
            Token::Float(float) => Literal::Float(*float),
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Duration(ns, written) => Literal::Duration(*ns, written.clone()),
            Token::Size(bytes, written) => Literal::Size(*bytes, written.clone()),
            Token::Percent(fraction, written) => Literal::Percent(*fraction, written.clone()),
            Token::Path(_) => {
                let path = self.path()?;
                return Ok(expr(ExprKind::Path(path), place));
            }
            Token::Word(_) => return self.word_expr(),
            Token::Sign("(") => return self.parentheses(),
            Token::Sign("[") => return self.list_expr(),
            Token::Sign("{") => {
                let settings = self.settings("{", "}")?;
                return self.object(settings, place.start);
            }
            _ => return self.expected("a value", ""),
        };
        self.take();
        Ok(expr(ExprKind::Literal(literal), place))
    }

    fn object(&mut self, settings: Vec<Setting>, start: usize) -> Parsed<Expr> {
        // `settings` went through values one by one: the height of the last says nothing of the others, so the
        // bound on nesting stands for it.
        let height = settings.iter().map(|setting| height(&setting.value)).max().unwrap_or(0);
        let place = self.since(start);
        self.raise(height, &place)?;
        Ok(expr(ExprKind::Object(settings), place))
    }

    fn parentheses(&mut self) -> Parsed<Expr> {
        let opened = self.take().place;
        let inner = self.binary(0)?;
        let height = self.height;
        self.close(")", opened)?;
        self.height = height;
        Ok(inner)
    }

    fn list_expr(&mut self) -> Parsed<Expr> {
        let opened = self.take().place;
        let (mut items, mut height) = (Vec::new(), 0);
        while !self.is("]") {
            items.push(self.binary(0)?);
            height = height.max(self.height);
            if !self.eat(",") {
                break;
            }
        }
        self.close("]", opened.clone())?;
        let place = self.since(opened.start);
        self.raise(height, &place)?;
        Ok(expr(ExprKind::List(items), place))
    }

    fn word_expr(&mut self) -> Parsed<Expr> {
        let word = self.word().unwrap_or_default().to_owned();
        let literal = match word.as_str() {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "null" => Some(Literal::Null),
            "missing" => Some(Literal::Missing),
            _ => None,
        };
        if literal.is_none() && RESERVED.contains(&word.as_str()) {
            return self.expected("a value", "");
        }
        let place = self.take().place;
        if let Some(literal) = literal {
            return Ok(expr(ExprKind::Literal(literal), place));
        }
        if self.is("(") && !self.look(0).first {
            let name: Name = Spanned { node: word, place: place.clone() };
            let (arguments, options) = self.call_arguments()?;
            let values = arguments.iter().chain(options.iter().map(|option| &option.value));
            let height = values.map(height).max().unwrap_or(0);
            let place = self.since(place.start);
            self.raise(height, &place)?;
            return Ok(expr(ExprKind::Call { name, arguments, options }, place));
        }
        Ok(expr(ExprKind::Word(word), place))
    }

    /// `(a, b, name = c)`
    pub(super) fn call_arguments(&mut self) -> Parsed<Arguments> {
        let opened = self.place();
        self.expect("(", "")?;
        let (mut arguments, mut options) = (Vec::new(), Vec::new());
        while !self.is(")") {
            let named = matches!(self.peek(), Token::Word(_)) && self.look(1).token == Token::Sign("=");
            if named {
                let name = self.setting_name()?;
                self.take();
                options.push(Setting { name, value: self.binary(0)? });
            } else if options.is_empty() {
                arguments.push(self.binary(0)?);
            } else {
                return self.expected("`name = value`", "named arguments stand last");
            }
            if !self.eat(",") {
                break;
            }
        }
        self.close(")", opened)?;
        Ok((arguments, options))
    }
}

/// How tightly an operator binds.
pub(in crate::lang) fn tight_of(op: BinaryOp) -> u8 {
    BINARY.iter().find(|(_, known, _)| *known == op).map_or(0, |(.., tight)| *tight)
}

/// Height of a tree; its parts were bounded when they were made.
fn height(expr: &Expr) -> usize {
    let below = match &*expr.node {
        ExprKind::Literal(_) | ExprKind::Path(_) | ExprKind::Word(_) | ExprKind::Broken => 0,
        ExprKind::List(items) => items.iter().map(height).max().unwrap_or(0),
        ExprKind::Object(settings) => settings.iter().map(|s| height(&s.value)).max().unwrap_or(0),
        ExprKind::Call { arguments, options, .. } => {
            arguments.iter().chain(options.iter().map(|s| &s.value)).map(height).max().unwrap_or(0)
        }
        ExprKind::Unary(_, inner) => height(inner),
        ExprKind::Binary(_, left, right) => height(left).max(height(right)),
        ExprKind::If(a, b, c) => height(a).max(height(b)).max(height(c)),
    };
    below + 1
}
