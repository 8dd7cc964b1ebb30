//! SQL tokens of a text in lower case.

use super::super::words::find;
use super::words::{self, Word};

/// Where the text was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Context {
    /// Where a number or a name stands.
    Bare,
    /// Between these quotes.
    Quoted(u8),
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number, hexadecimal ones too.
    Number,
    /// A text that is closed.
    Text,
    /// A text that is not: the statement's own quote closes it.
    Open,
    /// The text that the value was put in, up to the quote that ends it.
    Broken,
    /// A word of SQL.
    Word(Word),
    /// Any other name.
    Name,
    /// `@x`, `@@x`, `:x`, `?`.
    Variable,
    /// `=`, `<>`, `like` and others that compare.
    Compare,
    /// `+`, `-`, `||` and others that compute.
    Compute,
    /// `(`
    Enter,
    /// `)`
    Leave,
    /// `,`
    Comma,
    /// `;`
    End,
    /// `.`
    Dot,
    /// A comment to the end, such as `--`.
    Tail,
    /// A comment that is closed; it parts words as a blank does.
    Comment,
    /// Braces, brackets and what SQL has no use for.
    Other,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Token {
    /// Its text.
    pub(super) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Whether a blank or nothing stands before it.
    fn apart(&self, text: &[u8]) -> bool {
        self.start == 0 || text.get(self.start as usize - 1).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    }

    /// Whether something parts it from the token before: a blank, or the mark of a comment that is run.
    pub(super) fn behind(&self, before: Option<&Self>, text: &[u8]) -> bool {
        self.apart(text) || before.is_some_and(|before| before.end < self.start)
    }
}

/// Tokens that are looked at; a longer statement has shown itself by then.
const TOKENS_MAX: usize = 2048;

/// Cuts a text into tokens.
pub(super) fn tokens(text: &[u8], context: Context, out: &mut Vec<Token>) {
    let mut at = 0;
    if let Context::Quoted(quote) = context {
        let end = close(text, 0, quote).unwrap_or(text.len());
        out.push(Token { kind: Kind::Broken, start: 0, end: end as u32 });
        at = end;
    }
    while at < text.len() && out.len() < TOKENS_MAX {
        let byte = text[at];
        if byte <= b' ' || byte == 0x7f || byte == 0xa0 {
            at += 1;
            continue;
        }
        let rest = &text[at..];
        let (kind, len) = token(rest, at == 0);
        // What MySQL reads although it is in a comment.
        if kind == Kind::Comment && rest.starts_with(b"/*!") {
            at += 3 + rest[3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            continue;
        }
        // Behind the end of its line the statement goes on.
        let kind = if kind == Kind::Tail && at + len < text.len() { Kind::Comment } else { kind };
        if kind != Kind::Comment {
            out.push(Token { kind, start: at as u32, end: (at + len) as u32 });
        }
        at += len.max(1);
    }
}

/// One past the quote that closes a text which begins at `from`: doubled and escaped quotes do not.
fn close(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(quote, b'\\', text.get(at..)?)?;
        match (text[at], text.get(at + 1)) {
            // A value that ends in its own quote twice is `''`: an end and a beginning.
            (b'\\', _) => at += 2,
            (_, Some(next)) if *next == quote && from > 0 => at += 2,
            _ => return Some(at + 1),
        }
    }
}

fn run(rest: &[u8], of: impl Fn(u8) -> bool) -> usize {
    rest.iter().take_while(|byte| of(**byte)).count()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

fn token(rest: &[u8], first: bool) -> (Kind, usize) {
    match *rest {
        [quote @ (b'\'' | b'"' | b'`'), ..] => match close(rest, 1, quote) {
            Some(len) if quote == b'`' => (Kind::Name, len),
            Some(len) => (Kind::Text, len),
            None => (Kind::Open, rest.len()),
        },
        [b'-', b'-', ..] => (Kind::Tail, line(rest)),
        // Operators of PostgreSQL on JSON.
        [b'#', b'>', ..] | [b'<', b'@', ..] | [b'@', b'>' | b'?', ..] => (Kind::Compare, 2),
        [b'-', b'>', b'>', ..] => (Kind::Compare, 3),
        [b'-', b'>', ..] => (Kind::Compare, 2),
        [b'?', b'|' | b'&', ..] => (Kind::Compare, 2),
        [b'?', ..] => (Kind::Variable, 1),
        [b'#', ..] => (Kind::Tail, line(rest)),
        [b'/', b'*', ..] => match find(&rest[2..], b"*/") {
            Some(at) => (Kind::Comment, at + 4),
            None => (Kind::Tail, rest.len()),
        },
        // The end of what MySQL reads although it is in a comment.
        [b'*', b'/', ..] if !first => (Kind::Comment, 2),
        [b'0', b'x' | b'b', next, ..] if next.is_ascii_hexdigit() => {
            (Kind::Number, 2 + run(&rest[2..], |byte| byte.is_ascii_hexdigit()))
        }
        [b'.', next, ..] if next.is_ascii_digit() => number(rest),
        [b'0'..=b'9', ..] => number(rest),
        [b'n' | b'x' | b'b' | b'e' | b'q' | b'u', b'\'', ..] => match close(&rest[1..], 1, b'\'') {
            Some(len) => (Kind::Text, len + 1),
            None => (Kind::Open, rest.len()),
        },
        // `:x`, `@x`, `@@x`, and PostgreSQL's cast `::type`.
        [b'@' | b':', next, ..] if is_name(next) || next == b'@' || rest.starts_with(b"::") => {
            let signs = run(rest, |byte| matches!(byte, b'@' | b':'));
            (Kind::Variable, signs + run(&rest[signs..], is_name))
        }
        // A byte of an escape that this server did not undo.
        [b'(', ..] => (Kind::Enter, 1),
        [b')', ..] => (Kind::Leave, 1),
        [b',', ..] => (Kind::Comma, 1),
        [b';', ..] => (Kind::End, 1),
        [b'.', ..] => (Kind::Dot, 1),
        [b'<', b'=', b'>', ..] => (Kind::Compare, 3),
        [b'<' | b'>' | b'!' | b'=', b'=' | b'>' | b'<', ..] | [b'!' | b'~', b'~', ..] => (Kind::Compare, 2),
        [b':', b'=', ..] => (Kind::Compare, 2),
        [b'=' | b'<' | b'>', ..] => (Kind::Compare, 1),
        [b'&', b'&', ..] => (Kind::Word(Word::Logic), 2),
        [b'|', b'|', ..] => (Kind::Compute, 2),
        [b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'~' | b'!', ..] => (Kind::Compute, 1),
        [byte, ..] if is_name(byte) => {
            let len = run(rest, is_name);
            (words::of(&rest[..len]).map_or(Kind::Name, Kind::Word), len)
        }
        _ => (Kind::Other, 1),
    }
}

fn line(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

/// A number, and what of it was written as a float. Letters right behind it begin a word, as in MySQL's `1union`.
fn number(rest: &[u8]) -> (Kind, usize) {
    let digits = run(rest, |byte| byte.is_ascii_digit() || byte == b'.');
    let exponent = match &rest[digits..] {
        [b'e', b'+' | b'-', next, ..] if next.is_ascii_digit() => 2,
        [b'e', next, ..] if next.is_ascii_digit() => 1,
        _ => 0,
    };
    let len = match exponent {
        0 => digits,
        sign => digits + sign + run(&rest[digits + sign..], |byte| byte.is_ascii_digit()),
    };
    // An id such as `41842m67n9c55` is a name, not a number beside a name.
    let tail = run(&rest[len..], is_name);
    if tail > 0 && words::of(&rest[len..len + tail]).is_none() {
        return (Kind::Name, len + tail);
    }
    (Kind::Number, len)
}
