//! What turns benign values away: which bytes a kind of field usually has, and one search for the words that say
//! something even among those.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

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
static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let own =
        ["..", "--", "127.", "169.254.", "100.100.", "192.0.0.192", "0.0.0.0", ":/\\", ":///", "@", "=~-"];
    let plain = |word: &&str| Bytes::of(word.as_bytes()).only(REFERRER);
    let words =
        own.into_iter().chain(files::words()).chain(code::words()).chain(remote::words()).chain(sql::plain());
    let words = words.chain(xss::NAMES);
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words.filter(plain))
        .ok()
});

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
    if !bytes.only(usual) || value.len() > PLAIN_BYTES_MAX {
        return true;
    }
    match kind {
        Kind::Agent => agent(value),
        Kind::Text | Kind::File | Kind::Document => false,
        Kind::Value => says(value) || is_packed(value, b""),
        // What is no URL stands where one should.
        Kind::Referrer if !is_url(value) => value != b"-",
        Kind::Path => says(value),
        Kind::Url | Kind::Referrer => {
            says(value) || memchr::memchr(b'?', value).is_some_and(|at| is_packed(&value[at + 1..], b"&="))
        }
        _ => says(value) || is_packed(value, b"&=; "),
    }
}

fn is_url(value: &[u8]) -> bool {
    value.starts_with(b"http://") || value.starts_with(b"https://") || value.starts_with(b"/")
}

fn says(value: &[u8]) -> bool {
    WORDS.as_ref().is_none_or(|words| words.is_match(value))
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
    behind || memchr::memmem::find(value, b"..").is_some() || scanner::look(value).is_some()
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
        ];
        no.iter().for_each(|(value, kind)| assert!(!may(value, *kind), "{value}"));
        let yes = [
            ("/a/../b", Kind::Path),
            ("/.git/config", Kind::Path),
            ("t=INFORMATION_SCHEMA", Kind::Query),
            ("u=127.0.0.1", Kind::Query),
            ("id=7%27", Kind::Query),
            ("nikto/2.1", Kind::Agent),
            ("id", Kind::Agent),
            ("a/1; id", Kind::Agent),
        ];
        yes.iter().for_each(|(value, kind)| assert!(may(value, *kind), "{value}"));
    }
}
