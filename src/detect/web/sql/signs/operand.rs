//! Operands: what stands on either side of an operator, and whether a text goes on behind one.

use super::super::lex::Kind;
use super::super::words::Word;
use super::{OPERANDS_MAX, Signs};

impl<'t> Signs<'t> {
    pub(super) fn is_end(&self, at: usize) -> bool {
        matches!(self.kind(at), None | Some(Kind::Tail | Kind::End | Kind::Leave | Kind::Comma | Kind::Open))
    }

    /// Whether a word stands on its own: a name right behind a quote is an apostrophe's second half.
    pub(super) fn stands(&self, at: usize) -> bool {
        if !self.quoted || at != 1 {
            return true;
        }
        let Some(token) = self.tokens.get(1) else { return false };
        let quote = token.start as usize;
        let before = quote.checked_sub(2).and_then(|at| self.text.get(at));
        let glued = before.is_some_and(u8::is_ascii_alphabetic) && self.tokens[0].end == token.start;
        // `x'or y*0='0`: no second half of a name computes.
        let computes = || self.single(2).is_some_and(|(end, _)| self.goes_on(end));
        !glued
            || !token.of(self.text)[0].is_ascii_alphabetic()
            || matches!(
                self.kind(2),
                Some(
                    Kind::Text
                        | Kind::Open
                        | Kind::Number
                        | Kind::Enter
                        | Kind::Variable
                        | Kind::Word(Word::Logic | Word::Like)
                )
            )
            || computes()
    }

    /// One past the operand that begins at a token, with what it is made of.
    pub(super) fn operand(&self, from: usize) -> Option<(usize, Operand)> {
        let mut at = from;
        let mut found: Option<Operand> = None;
        for _ in 0..OPERANDS_MAX {
            while self.is(at, "-")
                || self.is(at, "+")
                || self.is(at, "~")
                || self.is(at, "!")
                || self.is(at, "not")
                || self.is(at, "binary")
                || self.word(at) == Some(Word::Part)
            {
                at += 1;
            }
            let (next, operand) = self.single(at)?;
            found = Some(found.map_or(operand, |before| before.max(operand)));
            at = next;
            if self.kind(at) != Some(Kind::Compute) || self.single(at + 1).is_none() {
                break;
            }
            at += 1;
        }
        found.map(|found| (at, found))
    }

    pub(super) fn single(&self, at: usize) -> Option<(usize, Operand)> {
        match self.kind(at)? {
            Kind::Number | Kind::Text | Kind::Open | Kind::Variable | Kind::Word(Word::Value) => {
                let cast = self.kind(at + 1) == Some(Kind::Variable) && self.text(at + 1).starts_with(b"::");
                Some((at + 1 + usize::from(cast), Operand::Literal))
            }
            Kind::Enter => {
                let end = self.closes[at];
                Some((if end == u32::MAX { self.tokens.len() } else { end as usize + 1 }, Operand::Call))
            }
            // `array['a','b']`
            Kind::Name if self.is(at, "array") && self.is(at + 1, "[") => {
                let end = (at + 2..self.tokens.len()).find(|end| self.is(*end, "]"));
                Some((end.map_or(self.tokens.len(), |end| end + 1), Operand::Literal))
            }
            Kind::Name
            | Kind::Word(
                Word::Call
                | Word::Common
                | Word::Danger
                | Word::Catalog
                | Word::Case
                | Word::Select
                | Word::Verb
                | Word::Thing,
            ) => {
                let mut at = at + 1;
                while self.kind(at) == Some(Kind::Dot) && self.kind(at + 1).is_some() {
                    at += 2;
                }
                if self.kind(at) != Some(Kind::Enter) {
                    return Some((at, Operand::Name));
                }
                let end = self.closes[at];
                Some((if end == u32::MAX { self.tokens.len() } else { end as usize + 1 }, Operand::Call))
            }
            _ => None,
        }
    }

    /// Whether an expression goes on with an operator, up to the end of the value or of the statement.
    pub(super) fn goes_on(&self, from: usize) -> bool {
        let mut at = from;
        let mut dash = true;
        for _ in 0..OPERANDS_MAX {
            let begin = at;
            while matches!(
                self.kind(at),
                Some(
                    Kind::Compute
                        | Kind::Compare
                        | Kind::Word(Word::Like | Word::Logic | Word::Part | Word::From)
                )
            ) {
                // `boys' and girls-only`
                dash &= self.is(at, "-");
                at += 1;
                // `similar to`
                at += usize::from(self.is(at, "to"));
            }
            if at == begin {
                break;
            }
            let Some((next, _)) = self.single(at) else { return false };
            at = next;
        }
        // The statement's own quote closes what is left open: a short value, not the rest of a sentence.
        if let Some(open) = self.tokens.get(at.wrapping_sub(1)).filter(|token| token.kind == Kind::Open) {
            let rest = open.of(self.text).trim_ascii();
            return !dash && rest.len() <= 8 && !rest.contains(&b' ') && !rest.contains(&b'+');
        }
        let end = self.is_end(at) && !matches!(self.kind(at), Some(Kind::Comma | Kind::Open));
        let sure = matches!(self.kind(at), Some(Kind::Tail | Kind::End))
            || matches!(self.kind(at.wrapping_sub(1)), Some(Kind::Number | Kind::Leave));
        at > from && end && !dash && sure
    }
}

/// What an operand is made of; the greatest part names the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operand {
    Literal,
    Name,
    Call,
}

/// Whether two literals are the same, one of them perhaps not closed.
pub(super) fn alike(left: &[u8], right: &[u8]) -> bool {
    let bare = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"' | b'(' | b')')).collect()
    };
    bare(left) == bare(right)
}
