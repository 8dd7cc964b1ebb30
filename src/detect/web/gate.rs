//! What turns benign values away: which bytes a kind of field usually has, and one search for the words that say
//! something even among those.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::words::Words;
use super::{Bytes, Kind, code, files, remote, scanner, split, sql, xss};

/// Bytes that names and numbers are made of.
const NAMES: Bytes = Bytes::DIGIT.with(Bytes::LETTER).with(Bytes::WORD).with(Bytes::DASH).with(Bytes::DOT);
const PATH: Bytes = NAMES.with(Bytes::SLASH).with(Bytes::AT);
const QUERY: Bytes = NAMES.with(Bytes::EQUALS).with(Bytes::AMPERSAND).with(Bytes::COMMA);
const URL: Bytes = PATH.with(QUERY).with(Bytes::QUESTION);
const REFERRER: Bytes = URL.with(Bytes::COLON);
const AGENT: Bytes = PATH
    .with(Bytes::SPACE)
    .with(Bytes::SEMICOLON)
    .with(Bytes::ROUND)
    .with(Bytes::COMMA)
    .with(Bytes::COLON)
    .with(Bytes::PLUS);

/// A longer value is looked at whatever its bytes.
const PLAIN_BYTES_MAX: usize = 512;

/// Words that say something without any other sign.
static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let own = ["127.", "169.254.", "100.100.", "192.0.0.192", "0.0.0.0", ":///", "script:", "data:"];
    let plain = |word: &&str| Bytes::of(word.as_bytes()).only(REFERRER);
    let words = own
        .into_iter()
        .chain(files::words())
        .chain(code::words())
        .chain(remote::hosts::words())
        .chain(sql::plain());
    let words = words.chain(xss::NAMES);
    Words::new(words.filter(plain))
});

/// Whether a value has a word or signs that say something without any other.
#[inline]
fn word(value: &[u8]) -> bool {
    let behind = |at: usize| value[at + 1..].starts_with(b"//") || value[at + 1..].starts_with(b"~-");
    let begins = value.starts_with(b"//") || value.starts_with(b"~-");
    begins || twice(value, b".-@") || memchr::memchr_iter(b'=', value).any(behind) || WORDS.any(value)
}

/// Whether one of these bytes stands beside itself: of all bytes at once, without a branch.
#[inline]
fn twice<const N: usize>(value: &[u8], of: &[u8; N]) -> bool {
    let next = value.get(1..).unwrap_or_default();
    let same = |byte: u8, next: u8| (byte == next) & of.iter().fold(false, |is, known| is | (byte == *known));
    value.iter().zip(next).fold(false, |twice, (byte, next)| twice | same(*byte, *next))
}

/// Whether a value is worth a look.
#[inline]
pub(super) fn may(value: &[u8], bytes: Bytes, kind: Kind) -> bool {
    let usual = match kind {
        Kind::Path => PATH,
        Kind::Query | Kind::Body | Kind::Name => QUERY,
        Kind::Cookie => QUERY.with(Bytes::SPACE).with(Bytes::SEMICOLON),
        Kind::Url => URL,
        Kind::Referrer => REFERRER,
        Kind::Agent => AGENT,
        // Of one value nothing is known but that digits alone are no attack.
        Kind::Value | Kind::Text => Bytes::DIGIT.with(Bytes::LETTER),
        Kind::File | Kind::Document => Bytes::NONE,
    };
    if value.is_empty() {
        return false;
    }
    if value.len() > PLAIN_BYTES_MAX {
        return true;
    }
    if bytes.only(usual) {
        return says(value, kind);
    }
    // A query's escapes and blanks are most of what is left of it: what they stand for is asked instead.
    let escaped = matches!(kind, Kind::Query | Kind::Url | Kind::Referrer | Kind::Path | Kind::Body);
    let escaped = escaped && bytes.only(usual.with(Bytes::PERCENT).with(Bytes::PLUS));
    !escaped || unescaped(value, usual, kind)
}

/// Whether a value with escapes and blanks is worth a look.
fn unescaped(value: &[u8], usual: Bytes, kind: Kind) -> bool {
    // A value begins behind the sign that parts it from its name.
    let mut plain = [b'='; PLAIN_BYTES_MAX + 1];
    let (mut len, mut at, mut letters) = (1, 0, true);
    while let Some(&byte) = value.get(at) {
        let (byte, step) = match byte {
            b'%' => match escape(&value[at + 1..]) {
                Some(byte) => (byte, 3),
                None => return true,
            },
            b'+' if kind != Kind::Path => (b' ', 1),
            _ => (byte, 1),
        };
        // An escape of an escape, or of what might be a longer form of ASCII.
        if step == 3
            && matches!(byte, b'%' | 0x80..=0xc2 | 0xe2 | 0xe3 | 0xef..)
            && !is_tail(&plain[..len], byte)
        {
            return true;
        }
        // What parts names from values is part of a value here.
        if step == 3 && matches!(byte, b'=' | b'&' | b'?' | b'~') && kind != Kind::Referrer {
            return true;
        }
        letters &= byte < 0x80;
        (plain[len], len, at) = (byte, len + 1, at + step);
    }
    let (behind, plain) = (&plain[..len], &plain[1..len]);
    let more = usual.with(Bytes::SPACE);
    // Letters of other alphabets are letters.
    let more = if letters { more } else { more.with(Bytes::OTHER) };
    // What another site's query leads to is that site's affair.
    let more = if kind == Kind::Referrer { more.with(Bytes::SLASH).with(Bytes::COLON) } else { more };
    !Bytes::of(plain).only(more) || says(plain, kind) || speaks(behind)
}

/// The byte that two digits stand for.
fn escape(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|digit| (*digit as char).to_digit(16));
    Some((digit(0)? << 4 | digit(1)?) as u8)
}

/// Whether a byte goes on with the letter that stands before it (UTF-8).
fn is_tail(before: &[u8], byte: u8) -> bool {
    (0x80..0xc0).contains(&byte)
        && before.last().is_some_and(|last| matches!(last, 0x80..0xc0 | 0xc3..=0xdf | 0xe0..=0xee))
}

/// Words that parts of statements have between blanks, and what commands have behind one.
static BETWEEN_BLANKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = "or  and  xor  not  by  like  in  is  as  if  do  div  mod  then  exec  drop  case  when  where  having  values  select  insert  update  \
        delete  union  except  intersect  minus  limit  order  rlike  regexp  alter  create  truncate  declare  from  into  procedure";
    let words = words.split("  ").flat_map(|word| [format!(" {word} "), format!("={word} ")]);
    let signs = [
        "=time ", "=sudo ", "=nohup ", "=env ", "=xargs ", " -", " /", " .", " =", "= ", " 1", " 0", "  ",
        " --",
    ]
    .map(str::to_owned);
    finder(words.chain(signs))
});

/// Finds words in any case, a step a byte: they are looked for in nearly every request.
pub(super) fn finder<W: AsRef<[u8]>>(words: impl Iterator<Item = W>) -> Option<AhoCorasick> {
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(words).ok()
}

/// Whether words with blanks between them may be more than a search.
fn speaks(plain: &[u8]) -> bool {
    memchr::memchr(b' ', plain).is_some()
        && (BETWEEN_BLANKS.as_ref().is_none_or(|words| words.is_match(plain)) || has_file(plain))
}

/// Whether a word with a dot stands behind a blank, as files do behind commands.
fn has_file(plain: &[u8]) -> bool {
    let blank = memchr::memchr(b' ', plain).unwrap_or(plain.len());
    memchr::memchr(b'.', &plain[blank..]).is_some()
}

/// Whether a value of usual bytes says something.
fn says(value: &[u8], kind: Kind) -> bool {
    match kind {
        Kind::Agent => value != b"-" && agent(value),
        Kind::Text | Kind::File | Kind::Document => false,
        Kind::Value => word(value) || is_packed(value, b""),
        // What is no URL stands where one should.
        Kind::Referrer if !is_url(value) => value != b"-",
        Kind::Path => word(value),
        Kind::Url | Kind::Referrer => {
            word(value) || memchr::memchr(b'?', value).is_some_and(|at| is_packed(&value[at + 1..], b"&="))
        }
        _ => word(value) || is_packed(value, b"&=; "),
    }
}

fn is_url(value: &[u8]) -> bool {
    value.starts_with(b"http://") || value.starts_with(b"https://") || value.starts_with(b"/")
}

/// Whether a value that is parted by these bytes has a text in base64.
fn is_packed(value: &[u8], parted: &[u8]) -> bool {
    value.len() >= 16 && value.split(|byte| parted.contains(byte)).any(|part| split::unpacked(part).is_some())
}

/// A `User-Agent` is a list of products and comments in parentheses; what is otherwise is worth a look.
fn agent(value: &[u8]) -> bool {
    let product =
        value.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(**byte, b'-' | b'.' | b'_'));
    let product = product.count();
    if product < 2 || value.get(product) != Some(&b'/') {
        return true;
    }
    // Semicolons part comments; one behind the last comment parts something else.
    let behind = memchr::memrchr(b';', value) > memchr::memrchr(b')', value);
    behind || twice(value, b".") || scanner::look(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benign_values_do_not_get_past_it() {
        let may = |value: &str, kind| may(value.as_bytes(), Bytes::of(value.as_bytes()), kind);
        let no = [
            ("/static/js/app.min.js", Kind::Path),
            ("id=7&sort=name", Kind::Query),
            ("https://shop.example/cart?id=7", Kind::Referrer),
            ("-", Kind::Referrer),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", Kind::Agent),
            ("4711", Kind::Value),
            ("q=running+shoes&page=2", Kind::Query),
            ("/a%20b/c?q=San+Jos%C3%A9", Kind::Url),
            ("https://a.example/?url=http%3A%2F%2Fb.example%2Fc", Kind::Referrer),
            ("/images/logo@2x.png", Kind::Path),
            ("", Kind::Agent),
            ("-", Kind::Agent),
        ];
        no.iter().for_each(|(value, kind)| assert!(!may(value, *kind), "{value}"));
        let yes = [
            ("/a/../b", Kind::Path),
            ("/.git/config", Kind::Path),
            ("t=INFORMATION_SCHEMA", Kind::Query),
            ("u=127.0.0.1", Kind::Query),
            ("id=7%27", Kind::Query),
            ("id=7+or+7=7", Kind::Query),
            ("id=7%20union%20all", Kind::Query),
            ("h=cat+notes.txt", Kind::Query),
            ("h=ping+-c+9+a", Kind::Query),
            ("f=%252e", Kind::Query),
            ("f=%c0%ae", Kind::Query),
            ("f=%EF%BC%8E", Kind::Query),
            ("/a?next=//b.example", Kind::Url),
            ("nikto/2.1", Kind::Agent),
            ("id", Kind::Agent),
            ("a/1; id", Kind::Agent),
        ];
        yes.iter().for_each(|(value, kind)| assert!(may(value, *kind), "{value}"));
    }
}
