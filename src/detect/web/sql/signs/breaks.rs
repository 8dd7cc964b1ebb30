//! How a value leaves the quote or bracket that it is put into.

use super::super::lex::Kind;
use super::super::words::Word;
use super::operand::Operand;
use super::{BRACKET_BREAK, COMMENT, QUOTE_BREAK, Signs};

impl<'t> Signs<'t> {
    /// What stands right behind the quote or parentheses that end what the value was put in.
    pub(super) fn breaks(&mut self) {
        let mut free = self.free;
        let bracket = if self.quoted {
            free > 1
        } else {
            // `1) and …`: more is closed than was opened.
            free = match self.leading_close() {
                Some(at) => at,
                None => return,
            };
            true
        };
        let next = self.kind(free);
        let goes_on = match next {
            Some(Kind::Word(
                Word::Logic | Word::Like | Word::Union | Word::Where | Word::Clause | Word::From,
            )) => self.stands(free),
            Some(Kind::Compare | Kind::Compute | Kind::End | Kind::Tail | Kind::Comma) => true,
            Some(Kind::Word(Word::Part)) => self.is(free, "as"),
            _ => false,
        };
        if bracket && goes_on {
            self.add(BRACKET_BREAK, 0.5, free);
        }
        if !self.quoted {
            return;
        }
        if self.is_phrase() {
            return;
        }
        let alone = self.tokens[0].end == 1 && memchr::memchr2(b'\'', b'"', &self.text[1..]).is_none();
        match next {
            Some(Kind::Word(Word::Verb | Word::Union)) if alone && self.tokens.len() > 2 => {
                self.add(QUOTE_BREAK, 0.62, free);
            }
            Some(Kind::Tail) => {
                let tail = self.text(free).len();
                self.add(COMMENT, if tail <= 16 { 0.72 } else { 0.4 }, free);
            }
            Some(Kind::End) => {
                let last = free + 1 == self.tokens.len();
                self.add(QUOTE_BREAK, if last { 0.62 } else { 0.4 }, free);
            }
            Some(Kind::Compute | Kind::Compare | Kind::Word(Word::Like)) if self.stands(free) => {
                self.operator_behind_quote(free);
            }
            // `' not like '`
            Some(Kind::Word(Word::Logic))
                if self.is(free, "not") && self.word(free + 1) == Some(Word::Like) && self.stands(free) =>
            {
                self.operator_behind_quote(free + 1);
            }
            _ => {}
        }
    }

    /// Whether double quotes are those of prose: around a phrase, or an inch behind a number.
    pub(super) fn is_phrase(&self) -> bool {
        let text = self.text.trim_ascii();
        let [b'"', inner @ .., b'"'] = text else { return false };
        let inside = |byte: &u8| *byte != b'"' && !matches!(*byte, b'=' | b';' | b'#' | b'(');
        let words = inner.first().is_some_and(u8::is_ascii_alphanumeric)
            && inner.last().is_some_and(u8::is_ascii_alphanumeric);
        words && inner.iter().all(inside)
    }

    /// Where the text behind leading closing parentheses begins, for a value that is in none.
    pub(super) fn leading_close(&self) -> Option<usize> {
        let mut at = 0;
        while matches!(
            self.kind(at),
            Some(
                Kind::Number
                    | Kind::Name
                    | Kind::Text
                    | Kind::Compute
                    | Kind::Variable
                    | Kind::Word(Word::Value)
            )
        ) && at < 4
        {
            at += 1;
        }
        let start = at;
        while self.kind(at) == Some(Kind::Leave) {
            at += 1;
        }
        (at > start).then_some(at)
    }

    pub(super) fn operator_behind_quote(&mut self, at: usize) {
        let mut from = at + 1;
        while self.word(from).is_some_and(|word| matches!(word, Word::Logic | Word::Like)) {
            from += 1;
        }
        if self.text(0).ends_with(b"'") && self.goes_on(at) {
            self.add(QUOTE_BREAK, 0.64, at);
        }
        let Some((end, operand)) = self.operand(from) else { return };
        let ends = self.is_end(end)
            || self.kind(end - 1) == Some(Kind::Open)
            || self.word(end).is_some()
            || self.kind(end) == Some(Kind::Compare);
        let concat = self.is(at, "||") || self.kind(at) == Some(Kind::Compare);
        let mark = self.text(0).last().copied().unwrap_or(0);
        let opens = self.text(from).first().copied();
        // Prose parts phrases in double quotes by such signs, and closes a quote by its own kind.
        let parts = self.text.len() > 4
            && matches!(self.text(at), b"-" | b"&" | b"+")
            && (mark == b'"' || matches!(opens, Some(b'"' | b'`')) && opens != Some(mark));
        let like = self.kind(at) == Some(Kind::Word(Word::Like));
        let weight = match (operand, ends) {
            (Operand::Call, _) => 0.7,
            (Operand::Literal, _)
                if parts || like && mark == b'"' && opens == Some(b'"') && from == at + 1 =>
            {
                0.4
            }
            (Operand::Literal, true) if self.kind(end - 1) == Some(Kind::Number) => 0.45,
            (Operand::Literal, true) if concat => 0.72,
            // `'like'`, `'mod'`: between two quotes prose has other words.
            (Operand::Literal, true) if self.kind(at) == Some(Kind::Word(Word::Like)) => {
                if matches!(self.text(at), b"in" | b"is" | b"between" | b"match" | b"escape") {
                    0.4
                } else {
                    0.66
                }
            }
            (Operand::Literal, true) => {
                if self.text.len() <= 16 {
                    0.62
                } else {
                    0.55
                }
            }
            (Operand::Name, true) if matches!(self.kind(end), Some(Kind::Tail)) => 0.6,
            _ => 0.15,
        };
        self.add(QUOTE_BREAK, weight, at);
    }
}
