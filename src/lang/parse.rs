//! Tokens → tree, by recursive descent, with a Pratt parser for expressions.
//!
//! An error is reported where it is found and the parser goes on at the next `|`, `}` or top-level word, so that
//! one run shows every error of a file. Nesting is bounded by [`LANG_DEPTH_MAX`], the height of any expression by
//! [`LANG_HEIGHT_MAX`], so that nothing that walks the tree can run out of stack.

mod clause;
mod expr;
mod item;
mod step;

pub(super) use expr::{BINARY, NEGATE, NOT, tight_of};

use crate::diag::{Code, Diagnostic, Place};
use crate::limits::{LANG_DEPTH_MAX, LANG_HEIGHT_MAX, SOURCE_TEXT_BYTES_MAX};

use super::ast::{File, Name, Path, Spanned};
use super::codes;
use super::diagnostics::Diagnostics;
use super::lex::{Lexed, Token, lex};

/// Words that begin a top-level item.
pub(super) const ITEMS: [&str; 6] = ["const", "source", "sink", "fragment", "pipeline", "test"];

/// Reads a pipeline file. The tree holds what could be read; it is whole when there is no error.
pub fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    let mut out = Diagnostics::default();
    let file = parse_into(text, &mut out);
    (file, out.finish())
}

pub(super) fn parse_into(text: &str, out: &mut Diagnostics) -> File {
    if text.len() > SOURCE_TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {SOURCE_TEXT_BYTES_MAX}", text.len());
        out.push(Diagnostic::error(codes::TOO_LARGE, 0..0, message));
        return File::default();
    }
    let (tokens, comments) = lex(text, out);
    let mut parser = Parser { tokens, at: 0, depth: 0, height: 0, out };
    let items = parser.items();
    File { hidden: super::alerts::hidden(&items), items, comments }
}

/// An error was reported; the caller goes on at the next place where that makes sense.
#[derive(Debug)]
pub(super) struct Failed;

type Parsed<T> = Result<T, Failed>;

struct Parser<'a> {
    tokens: Vec<Lexed>,
    at: usize,
    depth: usize,
    /// Height of the expression that was read last.
    height: usize,
    out: &'a mut Diagnostics,
}

impl Parser<'_> {
    fn look(&self, ahead: usize) -> &Lexed {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    fn peek(&self) -> &Token {
        &self.look(0).token
    }

    fn place(&self) -> Place {
        self.look(0).place.clone()
    }

    /// One past the last token that was taken.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].place.end)
    }

    fn since(&self, start: usize) -> Place {
        start..self.end().max(start)
    }

    fn take(&mut self) -> Lexed {
        let taken = self.look(0).clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        taken
    }

    fn word(&self) -> Option<&str> {
        match self.peek() {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.take();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.take();
        }
        found
    }

    /// What stands here, for messages.
    fn found(&self) -> String {
        match self.peek() {
            Token::Word(word) => format!("`{word}`"),
            Token::Path(keys) => format!("the field `.{}`", keys.join(".")),
            Token::Text(_) => "a text".to_owned(),
            Token::Int(_) | Token::Float(_) | Token::Percent(..) => "a number".to_owned(),
            Token::Duration(..) => "a length of time".to_owned(),
            Token::Size(..) => "a size".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end of the file".to_owned(),
        }
    }

    fn fail<T>(&mut self, code: Code, message: impl Into<String>, help: &str) -> Parsed<T> {
        let place = self.place();
        self.fail_at(place, code, message, help)
    }

    fn fail_at<T>(&mut self, place: Place, code: Code, message: impl Into<String>, help: &str) -> Parsed<T> {
        // The lexer's word on a broken token is better than the parser's on what became of it.
        if !self.out.covers(place.start) {
            let error = Diagnostic::error(code, place, message);
            self.out.push(if help.is_empty() { error } else { error.help(help) });
        }
        Err(Failed)
    }

    fn expected<T>(&mut self, what: &str, help: &str) -> Parsed<T> {
        let message = format!("expected {what}, found {}", self.found());
        self.fail(codes::EXPECTED, message, help)
    }

    fn expect(&mut self, sign: &str, after: &str) -> Parsed<()> {
        if self.eat(sign) { Ok(()) } else { self.expected(&format!("`{sign}` {after}"), "") }
    }

    fn expect_word(&mut self, word: &str, after: &str) -> Parsed<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(&format!("`{word}` {after}"), "") }
    }

    /// A closing bracket; an error points at the opening one too.
    fn close(&mut self, sign: &str, open: Place) -> Parsed<()> {
        if self.eat(sign) {
            return Ok(());
        }
        let place = self.place();
        if !self.out.covers(place.start) {
            let message = format!("expected `{sign}`, found {}", self.found());
            let error = Diagnostic::error(codes::CLOSING, place, message);
            self.out.push(error.related(open, format!("closed by `{sign}`")));
        }
        Err(Failed)
    }

    /// A name: one word without dots.
    fn name(&mut self, what: &str) -> Parsed<Name> {
        match self.word() {
            Some(word) if !word.contains('.') => {
                let node = word.to_owned();
                Ok(Spanned { node, place: self.take().place })
            }
            Some(_) => self.fail(codes::EXPECTED, format!("{what} has no dots"), "use `_` between its words"),
            None => self.expected(what, ""),
        }
    }

    fn dotted(&mut self, what: &str) -> Parsed<Name> {
        match self.word() {
            Some(word) => {
                let node = word.to_owned();
                Ok(Spanned { node, place: self.take().place })
            }
            None => self.expected(what, ""),
        }
    }

    fn names(&mut self, what: &str) -> Parsed<Vec<Name>> {
        self.list(|parser| parser.name(what))
    }

    fn text(&mut self, what: &str) -> Parsed<Spanned<String>> {
        match self.peek() {
            Token::Text(text) => {
                let node = text.clone();
                Ok(Spanned { node, place: self.take().place })
            }
            _ => self.expected(what, ""),
        }
    }

    fn path(&mut self) -> Parsed<Path> {
        match self.peek() {
            Token::Path(keys) => {
                let keys = keys.clone();
                Ok(Path { keys, place: self.take().place })
            }
            Token::Word(word) => {
                let help = format!("write `.{word}`");
                let message = format!("a field begins with a dot, `{word}` does not");
                self.fail(codes::FIELD_DOT, message, &help)
            }
            _ => self.expected("a field such as `.url.path`", ""),
        }
    }

    /// One or more, separated by commas.
    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.eat(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= LANG_DEPTH_MAX {
            return self.fail(codes::TOO_DEEP, format!("nested more than {LANG_DEPTH_MAX} deep"), "");
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Notes the height of an expression made of parts of at most `below`.
    fn raise(&mut self, below: usize, place: &Place) -> Parsed<()> {
        self.height = below + 1;
        if self.height <= LANG_HEIGHT_MAX {
            return Ok(());
        }
        let help = "use a list with `in`, or split it over several steps";
        let message = format!("more than {LANG_HEIGHT_MAX} operators in one expression");
        self.fail_at(place.clone(), codes::TOO_DEEP, message, help)
    }

    /// Whether a top-level item begins here: its word first on a line, and what must follow it.
    fn at_item(&self) -> bool {
        let begins = self.look(0).first && self.word().is_some_and(|word| ITEMS.contains(&word));
        begins && matches!(self.look(1).token, Token::Word(_) | Token::Text(_))
    }

    /// Skips to where `stop` holds outside of brackets opened meanwhile, to a `}` or `|` there, or to a new item.
    fn skip(&mut self, stop: impl Fn(&Self) -> bool) {
        let mut depth = 0usize;
        while *self.peek() != Token::End && !self.at_item() {
            match self.peek() {
                Token::Sign("{" | "(" | "[") => depth += 1,
                Token::Sign("}" | ")" | "]") if depth > 0 => depth -= 1,
                Token::Sign("}" | "|") if depth == 0 => return,
                _ if depth == 0 && stop(self) => return,
                _ => {}
            }
            self.take();
        }
    }
}
