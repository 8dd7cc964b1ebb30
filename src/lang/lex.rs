//! Text → tokens and comments.
//!
//! Newlines are not tokens: each token knows whether one stands before it, since they only matter where items of
//! a list in braces are told apart. What cannot be read is reported and skipped, or read as what was meant.

mod number;
mod text;

use crate::diag::{Diagnostic, Place};

use super::ast::Spanned;
use super::codes;
use super::diagnostics::Diagnostics;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word, with dots inside where written: `pipeline`, `nginx.access`.
    Word(String),
    /// A field path; empty for the event itself.
    Path(Vec<String>),
    /// Text, escapes resolved.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Nanoseconds, and as written.
    Duration(i64, String),
    /// Bytes, and as written.
    Size(i64, String),
    /// A fraction, and as written with `%`.
    Percent(f64, String),
    /// Brackets, separators and operators of signs.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Lexed {
    /// The token.
    pub(super) token: Token,
    /// Its bytes.
    pub(super) place: Place,
    /// Whether it is the first of its line.
    pub(super) first: bool,
}

/// Longest first, so that `==` is not two `=`.
const SIGNS: [&str; 23] = [
    "==", "!=", "<=", ">=", "=>", "??", "{", "}", "[", "]", "(", ")", ",", "|", "=", "<", ">", "+", "-", "*",
    "/", "%", ".",
];

/// What other languages write, what it is read as, and what to say.
const FOREIGN: [(&str, Option<Token>, &str); 8] = [
    ("&&", None, "write `and`"),
    ("||", None, "write `or`"),
    ("=~", None, "write `matches`"),
    ("!~", None, "write `not … matches …`"),
    ("!", None, "write `not`"),
    (":", Some(Token::Sign("=")), "write `name = value`"),
    (";", None, "a new line or a comma separates items"),
    ("&", None, "write `and`"),
];

/// The tokens of a text, ended by [`Token::End`], and its comments with their `#`.
pub(super) fn lex(text: &str, out: &mut Diagnostics) -> (Vec<Lexed>, Vec<Spanned<String>>) {
    let mut lexer = Lexer { text, at: 0, first: true, tokens: Vec::new(), comments: Vec::new(), out };
    while lexer.next() {}
    let end = text.len();
    lexer.tokens.push(Lexed { token: Token::End, place: end..end, first: true });
    (lexer.tokens, lexer.comments)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    first: bool,
    tokens: Vec<Lexed>,
    comments: Vec<Spanned<String>>,
    out: &'a mut Diagnostics,
}

/// Whether a bare key or word may begin with this.
pub(super) fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == '@'
}

/// Whether a bare key or word may go on with this.
pub(super) fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '@'
}

/// Whether a key needs no quotes.
pub(super) fn is_bare(key: &str) -> bool {
    key.chars().next().is_some_and(begins_word) && key.chars().all(in_word)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The character after the next.
    fn second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or("")
    }

    fn push(&mut self, token: Token, start: usize) {
        self.tokens.push(Lexed { token, place: start..self.at, first: self.first });
        self.first = false;
    }

    fn error(&mut self, code: crate::diag::Code, place: Place, message: impl Into<String>, help: &str) {
        let error = Diagnostic::error(code, place, message);
        self.out.push(if help.is_empty() { error } else { error.help(help) });
    }

    fn next(&mut self) -> bool {
        let Some(c) = self.peek() else { return false };
        let start = self.at;
        match c {
            '\n' => {
                self.at += 1;
                self.first = true;
            }
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '\u{feff}' if start == 0 => self.at += c.len_utf8(),
            '#' => self.comment(),
            '/' if self.second() == Some('/') => {
                let place = start..start + 2;
                self.error(codes::SLASHES, place, "`//` does not begin a comment", "comments begin with `#`");
                self.comment();
            }
            '"' | '\'' => self.text(),
            'r' if self.raw_hashes().is_some() => self.raw_text(),
            '.' if self.second().is_some_and(|c| begins_word(c) || c == '"') => self.path(),
            '0'..='9' => self.number(),
            c if begins_word(c) => self.word(),
            _ => self.sign(),
        }
        true
    }

    fn comment(&mut self) {
        let start = self.at;
        let text = self.take_while(|c| c != '\n').trim_end();
        self.comments.push(Spanned { node: text.to_owned(), place: start..start + text.len() });
    }

    fn word(&mut self) {
        let start = self.at;
        let mut word = self.take_while(in_word).to_owned();
        while self.peek() == Some('.') && self.second().is_some_and(begins_word) {
            self.at += 1;
            word.push('.');
            word.push_str(self.take_while(in_word));
        }
        self.push(Token::Word(word), start);
    }

    fn path(&mut self) {
        let start = self.at;
        let mut keys = Vec::new();
        while self.peek() == Some('.') && self.second().is_some_and(|c| begins_word(c) || c == '"') {
            self.at += 1;
            if self.peek() == Some('"') {
                let from = self.at;
                let key = self.quoted('"');
                if key.split('.').any(str::is_empty) {
                    let help = "a key has at least one letter on each side of a dot";
                    self.error(codes::EMPTY_KEY, from..self.at, "a path with an empty key", help);
                }
                keys.push(key);
            } else {
                keys.push(self.take_while(in_word).to_owned());
            }
        }
        self.push(Token::Path(keys), start);
    }

    fn sign(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let found = |sign: &&&str| rest.starts_with(**sign);
        let foreign = FOREIGN.iter().find(|(sign, ..)| rest.starts_with(sign) && !rest.starts_with("!="));
        if let Some((sign, token, help)) = foreign {
            self.at += sign.len();
            self.error(
                codes::FOREIGN_SIGN,
                start..self.at,
                format!("`{sign}` is not of this language"),
                help,
            );
            let word = match *sign {
                "&&" | "&" => Some("and"),
                "||" => Some("or"),
                "=~" | "!~" => Some("matches"),
                "!" => Some("not"),
                _ => None,
            };
            match (word, token) {
                (Some(word), _) => self.push(Token::Word(word.to_owned()), start),
                (None, Some(token)) => self.push(token.clone(), start),
                (None, None) => self.first = true,
            }
        } else if let Some(sign) = SIGNS.iter().find(found) {
            self.at += sign.len();
            self.push(if *sign == "." { Token::Path(Vec::new()) } else { Token::Sign(sign) }, start);
        } else {
            // A run of strange bytes is one fault, not a hundred.
            let ours = |c: char| c.is_whitespace() || c.is_ascii_graphic();
            self.bump();
            self.take_while(|c| !ours(c));
            let shown: String = self.text.get(start..self.at).unwrap_or("").chars().take(8).collect();
            let message = format!("unexpected `{}`", shown.escape_debug());
            self.error(codes::UNEXPECTED_CHARACTER, start..self.at, message, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> (Vec<Token>, Vec<&'static str>) {
        let mut out = Diagnostics::default();
        let (tokens, _) = lex(text, &mut out);
        (
            tokens.into_iter().map(|lexed| lexed.token).filter(|token| *token != Token::End).collect(),
            out.finish().iter().map(|d| d.code.0).collect(),
        )
    }

    #[test]
    fn paths_words_and_signs() {
        let (found, errors) = tokens(r#".a."odd key".@timestamp nginx.access >= . # ignored"#);
        let path = |keys: &[&str]| Token::Path(keys.iter().map(|&key| key.to_owned()).collect());
        let word = Token::Word("nginx.access".into());
        assert_eq!(found, [path(&["a", "odd key", "@timestamp"]), word, Token::Sign(">="), path(&[])]);
        assert!(errors.is_empty());
    }

    #[test]
    fn numbers_carry_their_units() {
        let (found, errors) = tokens("1_000 2.5 1e3 1h30m 250ms 1.5s 16KiB 2MB 99.9% 9223372036854775807");
        assert_eq!(
            found,
            [
                Token::Int(1000),
                Token::Float(2.5),
                Token::Float(1000.0),
                Token::Duration(5_400_000_000_000, "1h30m".into()),
                Token::Duration(250_000_000, "250ms".into()),
                Token::Duration(1_500_000_000, "1.5s".into()),
                Token::Size(16384, "16KiB".into()),
                Token::Size(2_000_000, "2MB".into()),
                Token::Percent(0.999, "99.9%".into()),
                Token::Int(i64::MAX),
            ]
        );
        assert!(errors.is_empty());
        for wrong in ["9223372036854775808", "5q", "1h30q", "5m3", "1e999", "99999999w", "16KiB2"] {
            assert_eq!(tokens(wrong).1, [codes::NUMBER.0], "{wrong}");
        }
    }

    #[test]
    fn texts_plain_raw_and_block() {
        let source =
            "\"a\\n\\u{e9}\\\"\" r\"\\d+\" r#\"say \"x\"\"# \"\"\"\n    one\n      two\n\n    \"\"\"";
        let (found, errors) = tokens(source);
        let text = |text: &str| Token::Text(text.into());
        assert_eq!(found, [text("a\n\u{e9}\""), text("\\d+"), text("say \"x\""), text("one\n  two\n\n")]);
        assert!(errors.is_empty());
    }
}
