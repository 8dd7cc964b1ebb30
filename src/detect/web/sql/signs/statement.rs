//! Statements and their pieces: unions, selects, further statements, clauses, calls that do harm.

use super::super::lex::{Kind, Token};
use super::super::words::Word;
use super::operand::Operand;
use super::{CALL, CLAUSE, COLUMNS_MAX, FUNCTION, SELECT, STATEMENT, Signs, UNION};

impl<'t> Signs<'t> {
    pub(super) fn union(&mut self, at: usize) {
        let mut next = at + 1;
        while matches!(self.kind(next), Some(Kind::Word(Word::Part) | Kind::Enter)) && next < at + 8 {
            next += 1;
        }
        if self.word(next) == Some(Word::Select) {
            self.add(UNION, 0.95, at);
        } else if self.is(next, "values") && self.kind(next + 1) == Some(Kind::Enter) {
            self.add(UNION, 0.8, at);
        } else if next > at + 1 && (self.is(next, "values") || self.kind(next).is_none()) {
            self.add(UNION, 0.6, at);
        }
    }

    pub(super) fn select(&mut self, at: usize) {
        let mut next = at + 1;
        while self.word(next) == Some(Word::Part) {
            next += 1;
        }
        let (mut names, mut marks, mut from) = (0, 0, None);
        for column in next..(next + COLUMNS_MAX).min(self.tokens.len()) {
            match self.tokens[column].kind {
                Kind::Word(Word::From) => {
                    from = Some(column);
                    break;
                }
                Kind::Name => names += 1,
                Kind::Comma
                | Kind::Enter
                | Kind::Compute
                | Kind::Dot
                | Kind::Number
                | Kind::Text
                | Kind::Variable => marks += 1,
                Kind::End | Kind::Tail => break,
                _ => {}
            }
        }
        // `*` multiplies elsewhere; behind `select` it is every column.
        let star = self.is(next, "*");
        let follows = match self.single(next) {
            Some((end, Operand::Literal)) => self.is_end(end) || self.word(end) == Some(Word::From),
            Some((_, Operand::Call)) => true,
            _ => false,
        };
        let target = from.is_some_and(|from| {
            matches!(
                self.kind(from + 1),
                Some(Kind::Name | Kind::Enter | Kind::Word(_) | Kind::Text | Kind::Open)
            )
        });
        let weight = match (from.is_some(), target) {
            (true, _) if star => 0.85,
            (true, true) if marks > 0 && names <= marks * 2 => 0.75,
            (true, true) if names == 1 => 0.55,
            (true, false) if marks > 0 => 0.6,
            (true, _) => 0.2,
            _ if follows => 0.6,
            _ if star => 0.4,
            _ => 0.0,
        };
        let inside = at.checked_sub(1).and_then(|before| self.kind(before)) == Some(Kind::Enter);
        self.add(SELECT, if inside && weight > 0.0 { f32::min(weight + 0.2, 0.9) } else { weight }, at);
    }

    pub(super) fn statement(&mut self, at: usize) {
        let before = at.checked_sub(1).and_then(|before| self.kind(before));
        let begins = matches!(before, None | Some(Kind::Broken)) || at == self.free;
        let stacked = before == Some(Kind::End);
        let next = self.kind(at + 1);
        let thing = self.word(at + 1) == Some(Word::Thing);
        let named = matches!(next, Some(Kind::Name | Kind::Word(_)));
        let base: f32 = match self.text(at) {
            b"drop" | b"create" | b"alter" | b"truncate" if thing && (stacked || self.quoted) => 0.6,
            // Alone it is what people look for, too.
            b"drop" | b"create" | b"alter" | b"truncate" if thing => 0.5,
            b"insert" if self.is(at + 1, "into") => 0.5,
            b"delete" if self.is(at + 1, "from") && named => 0.5,
            b"update" if (at + 2..at + 5).any(|next| self.is(next, "set")) => 0.6,
            b"waitfor" if matches!(self.text(at + 1), b"delay" | b"time") => 0.85,
            b"declare" | b"set" if next == Some(Kind::Variable) => 0.7,
            b"exec" | b"execute"
                if matches!(next, Some(Kind::Variable | Kind::Word(Word::Danger)))
                    || next == Some(Kind::Enter) && self.kind(at + 2).is_some() =>
            {
                0.7
            }
            b"exec" | b"execute" if named => 0.3,
            b"shutdown" if stacked || self.quoted && begins => 0.6,
            b"call" | b"do" if self.single(at + 1).is_some_and(|(_, operand)| operand == Operand::Call) => {
                0.5
            }
            b"begin" if stacked => 0.5,
            b"if" | b"while" if stacked && next == Some(Kind::Enter) => 0.5,
            b"copy" | b"grant" | b"revoke" | b"merge" | b"backup" | b"restore" | b"load" | b"use"
            | b"handler" | b"attach" | b"pragma"
                if stacked && named =>
            {
                0.4
            }
            _ if stacked && named => 0.2,
            _ => 0.0,
        };
        if base > 0.0 {
            let led = stacked && at > 1 || self.quoted && at == self.free;
            self.add(STATEMENT, if led { (base + 0.25).min(0.92) } else { base }, at);
        }
    }

    pub(super) fn clause(&mut self, at: usize) {
        let behind_break = self.quoted && at == self.free;
        if self.word(at + 1) == Some(Word::By) {
            let Some((end, operand)) = self.operand(at + 2) else { return };
            let ends = self.is_end(end);
            let weight = match operand {
                Operand::Literal if ends => 0.62,
                Operand::Call => 0.6,
                Operand::Name if ends && behind_break => 0.6,
                _ => 0.15,
            };
            self.add(CLAUSE, if behind_break { weight + 0.2 } else { weight }, at);
        } else if self.is(at, "limit") && self.kind(at + 1) == Some(Kind::Number) {
            self.add(CLAUSE, if behind_break { 0.6 } else { 0.25 }, at);
        } else if self.is(at, "procedure") && self.is(at + 1, "analyse") {
            self.add(CLAUSE, 0.8, at);
        }
    }

    pub(super) fn danger(&mut self, at: usize) {
        let text = self.text(at);
        let called = self.kind(at + 1) == Some(Kind::Enter);
        let own = memchr::memchr(b'_', text).is_some();
        let weight = match (own, called, self.kind(at + 1) == Some(Kind::Dot)) {
            (true, true, _) | (true, _, true) => 0.85,
            (true, ..) => 0.66,
            (false, true, _) => 0.7,
            _ => 0.0,
        };
        self.add(FUNCTION, weight, at);
    }

    /// What is but a piece of a statement: a call that is not closed, a call of what tells about the database inside of
    /// another, the rest of a statement behind its `select`.
    pub(super) fn pieces(&mut self) {
        let called = |signs: &Self, at: usize| {
            let name = matches!(signs.word(at), Some(Word::Call | Word::Common | Word::Value))
                || matches!(signs.text(at), b"database" | b"schema" | b"insert");
            name && signs.kind(at + 1) == Some(Kind::Enter)
        };
        let first = usize::from(self.quoted);
        if !self.quoted && called(self, 0) && self.tokens.len() == 2 {
            self.add(CALL, 0.62, 0);
        }
        for at in first..self.tokens.len() {
            if called(self, at) {
                let close = self.closes[at + 1];
                let about = matches!(
                    self.text(at + 2),
                    b"user"
                        | b"version"
                        | b"database"
                        | b"schema"
                        | b"current_user"
                        | b"session_user"
                        | b"system_user"
                );
                if about && self.kind(at + 3) == Some(Kind::Enter) && self.kind(at + 4) == Some(Kind::Leave) {
                    self.add(CALL, 0.66, at);
                }
                let hex = |token: &Token| {
                    token.kind == Kind::Number
                        && token.end - token.start >= 10
                        && token.of(self.text).starts_with(b"0x")
                };
                let inside = at + 2..(close as usize).min(self.tokens.len()).max(at + 2);
                if self.tokens.get(inside).is_some_and(|tokens| tokens.iter().any(hex)) {
                    self.add(CALL, 0.64, at);
                }
            }
            // `from x where y = 'z'`
            if at == first
                && self.is(at, "from")
                && matches!(self.kind(at + 1), Some(Kind::Name))
                && self.is(at + 2, "where")
                && let Some((end, Operand::Name)) = self.operand(at + 3)
                && self.kind(end) == Some(Kind::Compare)
                && let Some((_, Operand::Literal)) = self.operand(end + 1)
            {
                self.add(CLAUSE, 0.66, at);
            }
        }
        // `drop x;--`: whatever it is, it is done to something and the rest is cut off.
        if self.word(first) == Some(Word::Verb)
            && self.kind(first + 1) == Some(Kind::Name)
            && self.kind(first + 2) == Some(Kind::End)
            && self.kind(first + 3) == Some(Kind::Tail)
        {
            self.add(STATEMENT, 0.64, first);
        }
        // `drop/**/x`
        if self.word(first) == Some(Word::Verb)
            && self.tokens.len() > first + 1
            && self.text.get(self.tokens[first].end as usize..).is_some_and(|rest| rest.starts_with(b"/*"))
        {
            self.add(STATEMENT, 0.5, first);
        }
    }
}
