//! Conditions that hold whatever the row: tautologies, and comparisons of what a user does not compare.

use super::super::lex::Kind;
use super::super::words::Word;
use super::operand::{Operand, alike};
use super::{CONDITION, Signs, TAUTOLOGY};

impl<'t> Signs<'t> {
    pub(super) fn condition(&mut self, at: usize) {
        if !self.stands(at)
            || !self.tokens[at].behind(self.tokens.get(at.wrapping_sub(1)), self.text)
                && self.kind(at.wrapping_sub(1)) != Some(Kind::Number)
        {
            return;
        }
        let mut from = at + 1;
        while self.is(from, "not") || self.is(from, "exists") {
            from += 1;
        }
        let behind_break = self.quoted && at == self.free;
        let Some((end, left)) = self.operand(from) else { return };
        let bare_open = self.kind(end - 1) == Some(Kind::Open) && self.word(at) == Some(Word::Logic);
        // PostgreSQL asks a JSON text for a key with `?`.
        let asks = left == Operand::Literal && self.is(end, "?");
        if asks || matches!(self.kind(end), Some(Kind::Compare | Kind::Word(Word::Like))) {
            let symbol = self.kind(end) == Some(Kind::Compare);
            let mut next = end + 1;
            while matches!(self.kind(next), Some(Kind::Word(Word::Like | Word::Logic))) {
                next += 1;
            }
            if let Some((_, right)) = self.operand(next) {
                let same = self.text(from).trim_ascii() == self.text(next)
                    || alike(self.text(from), self.text(next));
                let weight = match (left, right) {
                    (Operand::Literal, Operand::Literal) if same => 0.9,
                    (Operand::Literal, Operand::Literal) => 0.75,
                    (Operand::Call, _) | (_, Operand::Call) => 0.75,
                    // `or x=x`: a column is itself.
                    (Operand::Name, Operand::Name) if same && self.is(end, "=") => 0.75,
                    // `or x=y` and nothing else.
                    (Operand::Name, Operand::Name) if at == 0 && symbol && self.tokens.len() <= 5 => 0.62,
                    (Operand::Name, Operand::Literal) => 0.35,
                    _ => 0.25,
                };
                let weight = if symbol || right != Operand::Name { weight } else { weight / 2.0 };
                self.add(TAUTOLOGY, if behind_break { f32::max(weight, 0.75) } else { weight }, at);
                return;
            }
            if symbol && (behind_break || left == Operand::Literal && self.kind(next).is_none()) {
                self.add(CONDITION, 0.62, at);
            }
            return;
        }
        let last = self.is_end(end) || bare_open;
        // `16" or 18"`: two inch marks.
        if self.quoted
            && self.text(0).ends_with(b"\"")
            && self.text(0).iter().rev().nth(1).is_some_and(u8::is_ascii_digit)
            && self.kind(from) == Some(Kind::Number)
            && self.kind(end) == Some(Kind::Open)
            && !self.text(end).iter().any(|byte| matches!(byte, b'=' | b'#' | b'-' | b'('))
        {
            return;
        }
        let tail = self.kind(end) == Some(Kind::Tail);
        let weight = match (left, last) {
            (Operand::Call, true) => {
                if self.quoted || tail {
                    0.7
                } else {
                    0.5
                }
            }
            (Operand::Literal, true) if behind_break => 0.75,
            (Operand::Literal, true) => {
                if tail {
                    0.65
                } else if bare_open {
                    0.62
                } else if at == 0 && self.tokens.len() == 2 {
                    // `and 1`, and nothing else.
                    0.61
                } else {
                    0.35
                }
            }
            (Operand::Name, false)
                if behind_break
                    && matches!(self.kind(end), Some(Kind::Compute | Kind::Other))
                    && end + 1 == self.tokens.len() =>
            {
                0.61
            }
            // `' or x^'1`, `' and x not like y--`
            (_, false) if behind_break && self.goes_on(end) => 0.62,
            (Operand::Name, true) if behind_break => {
                if tail {
                    0.6
                } else {
                    0.3
                }
            }
            (Operand::Call, false) => 0.4,
            _ => 0.0,
        };
        self.add(CONDITION, weight, at);
    }
}
