//! Values of names that say that they are secret: `password=…`, `"api_key": "…"`, `Authorization: …`, `--token …`.
//!
//! The name must end in a word of the list (`refresh_token`, not `token_type`), and the value must not be what stands for
//! one (`***`, `null`, `${TOKEN}`). A password may be any text; a token or key must look random, since programs name many
//! harmless things so.

use std::ops::Range;

use super::chars::{after_escape, alnum, entropy, random, run};
use crate::limits::SENSITIVE_VALUE_BYTES_MAX;

/// Words in names of secrets.
pub(super) const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "userpass",
    "_pass",
    "pass=",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "secretkey",
    "private_key",
    "privatekey",
    "private-key",
    "auth_key",
    "authkey",
    "encryption_key",
    "signing_key",
    "credential",
    "jsessionid",
    "phpsessid",
    "connect.sid",
    "authorization",
];

/// What a name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Any text may be one.
    Password,
    /// Must look random.
    Token,
    /// A scheme and what it needs.
    Authorization,
}

/// How a value is given: how much a name next to it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As the value of a field, or in quotes, or behind `=`.
    Given,
    /// Behind a colon, where prose has one too.
    Prose,
}

/// What a name says of its value, if it is that of a secret.
fn family(name: &[u8]) -> Option<Family> {
    let mut plain = [0u8; 64];
    let mut len = 0;
    for byte in name.iter().rev().filter(|byte| byte.is_ascii_alphabetic()).take(64) {
        plain[63 - len] = byte.to_ascii_lowercase();
        len += 1;
    }
    let plain = &plain[64 - len..];
    let ends = |words: &[&[u8]]| words.iter().any(|word| plain.ends_with(word));
    if ends(&[b"authorization"]) {
        return Some(Family::Authorization);
    }
    if ends(&[b"password", b"passwd", b"passphrase", b"pwd", b"userpass", b"dbpass"]) {
        return Some(Family::Password);
    }
    if *plain == *b"pass" || name.to_ascii_lowercase().ends_with(b"_pass") {
        return Some(Family::Password);
    }
    // The key of an assembly of .NET is public, and a page's token tells where to go on.
    if ends(&[b"publickeytoken", b"nexttoken", b"pagetoken", b"continuationtoken", b"synctoken"]) {
        return None;
    }
    let token = ends(&[
        b"secret",
        b"token",
        b"apikey",
        b"accesskey",
        b"secretkey",
        b"privatekey",
        b"authkey",
        b"encryptionkey",
        b"signingkey",
        b"credential",
        b"credentials",
        b"jsessionid",
        b"phpsessid",
        b"connectsid",
    ]);
    token.then_some(Family::Token)
}

/// Whether a field of this name and value holds a secret.
pub fn is_secret_value(name: &[u8], value: &[u8]) -> bool {
    let Some(family) = family(name) else { return false };
    match family {
        Family::Authorization => authorization(value, 0).is_some(),
        family => accepts(family, Manner::Given, name, value),
    }
}

/// Whether a value only stands for one.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Some(&first) = value.first() else { return true };
    if value.iter().all(|byte| *byte == first) {
        return true;
    }
    let lead: [&[u8]; 13] = [
        b"<",
        b"${",
        b"{{",
        b"%(",
        b"$(",
        b"%s",
        b"%v",
        b"%d",
        b"%{",
        b"[redacted",
        b"[filtered",
        b"[masked",
        b"[hidden",
    ];
    let head = value[..value.len().min(16)].to_ascii_lowercase();
    if lead.iter().any(|lead| head.starts_with(lead)) {
        return true;
    }
    let stars = value.iter().filter(|byte| matches!(byte, b'*' | b'.' | b'#')).count();
    if stars * 2 > value.len() {
        return true;
    }
    // A variable of a shell.
    if first == b'$'
        && value.len() > 1
        && value[1..].iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    {
        return true;
    }
    let words: [&[u8]; 22] = [
        b"null",
        b"(null)",
        b"nil",
        b"<nil>",
        b"none",
        b"undefined",
        b"true",
        b"false",
        b"yes",
        b"no",
        b"n/a",
        b"empty",
        b"redacted",
        b"hidden",
        b"masked",
        b"removed",
        b"filtered",
        b"required",
        b"optional",
        b"missing",
        b"invalid",
        b"[object",
    ];
    words.contains(&&*head)
}

/// Whether a value of this family is a secret.
fn accepts(family: Family, manner: Manner, name: &[u8], value: &[u8]) -> bool {
    if is_placeholder(value) {
        return false;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if family == Family::Password {
        // `PWD` is a folder, too, and `pass=3` a count.
        let folder = value[0] == b'/' || value[0] == b'~' || value.get(1..3) == Some(b":\\");
        if folder && name.to_ascii_lowercase().ends_with(b"pwd")
            || value.len() < 3
            || digits == value.len() && digits < 4
        {
            return false;
        }
        let plain_word = letters == value.len() && !value[1..].iter().any(u8::is_ascii_uppercase);
        return manner == Manner::Given || !plain_word && digits > 0 && value.len() >= 5;
    }
    let cases =
        value.windows(2).filter(|pair| pair[0].is_ascii_lowercase() != pair[1].is_ascii_lowercase()).count();
    let long = value.len() >= 20 && cases >= 6;
    if value.len() < 8 || digits == 0 && !long || letters == 0 || value.len() > SENSITIVE_VALUE_BYTES_MAX {
        return false;
    }
    // A path, a URL, an object of a program (`Token{…}`, `a.b.C@1f`), a call.
    let odd = |byte: &u8| matches!(byte, b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'@' | b'<' | b'>' | b' ');
    if matches!(value[0], b'/' | b'~' | b'.' | b'#')
        || value.iter().any(odd)
        || memchr::memmem::find(value, b"://").is_some()
    {
        return false;
    }
    // Words with numbers: `build-token-2`, `v1.2.3`, `2024-05-06T…`.
    let longest = value.split(|byte| !alnum(*byte)).map(mixed).max().unwrap_or(0);
    longest >= 8 && entropy(value) >= 2.8 && random(value)
}

/// The length of a part that has letters and digits in turn; 0 of one that is a word or a number.
fn mixed(part: &[u8]) -> usize {
    let turns = part.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    let cases =
        part.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    if turns + cases >= 2 { part.len() } else { 0 }
}

/// Bytes of a name.
fn of_name(byte: u8) -> bool {
    alnum(byte) || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// The whole name around an anchor.
fn name_around(text: &[u8], at: &Range<usize>) -> Range<usize> {
    let mut start = at.start;
    while start > 0 && at.start - start < 48 && of_name(text[start - 1]) && !after_escape(&text[..start]) {
        start -= 1;
    }
    let mut end = at.end;
    if text[end - 1] == b'=' {
        end -= 1;
    }
    end += run(&text[end..], of_name, 24);
    start..end
}

/// The value behind a name, if it is a secret.
pub(super) fn value(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let name = name_around(text, &at);
    // The last word of a name is looked at by its own anchor.
    let family = family(&text[name.clone()])?;
    let (from, manner, quote) = separator(text, &name)?;
    let range = match (family, quote) {
        (Family::Authorization, _) => return authorization(text, from),
        (_, Some(quote)) => quoted(text, from, quote)?,
        _ => bare(text, from, manner == Manner::Prose),
    };
    let whole = &text[range.clone()];
    accepts(family, manner, &text[name], whole).then_some(range)
}

/// What opens a value in quotes and closes it again.
type Quote = &'static [u8];

/// The quote that stands at `at`.
fn quote(text: &[u8], at: usize) -> Option<Quote> {
    let quotes: [Quote; 7] = [b"\\\\\\\"", b"\\\"", b"\"", b"\\'", b"'", b"%22", b"`"];
    quotes.into_iter().find(|quote| text.get(at..).is_some_and(|rest| rest.starts_with(quote)))
}

/// Where the value behind a name begins, how it is given, and its quote.
fn separator(text: &[u8], name: &Range<usize>) -> Option<(usize, Manner, Option<Quote>)> {
    let mut at = name.end;
    let closed = quote(text, at);
    at += closed.map_or(0, <[u8]>::len);
    if name.start >= 1 && text[..name.start].ends_with(b"<") && text.get(at) == Some(&b'>') {
        return Some((at + 1, Manner::Given, None));
    }
    let option = text[name.start..].starts_with(b"--");
    let blanks = |at: usize| run(&text[at.min(text.len())..], |byte| byte == b' ' || byte == b'\t', 8);
    let space = blanks(at);
    let signs: [(&[u8], Manner); 7] = [
        (b"=>", Manner::Given),
        (b":=", Manner::Given),
        (b"=", Manner::Given),
        (b"%3D", Manner::Given),
        (b"%3d", Manner::Given),
        (b"%3A", Manner::Prose),
        (b":", Manner::Prose),
    ];
    let rest = text.get(at + space..)?;
    let (len, manner) = match signs.iter().find(|(sign, _)| rest.starts_with(sign)) {
        Some((sign, manner)) => (sign.len(), *manner),
        None if option && space > 0 => (0, Manner::Given),
        None => return None,
    };
    at += space + len;
    // A comparison gives no value.
    if text.get(at) == Some(&b'=') {
        return None;
    }
    at += blanks(at);
    let opened = quote(text, at);
    let manner = if closed.is_some() || opened.is_some() { Manner::Given } else { manner };
    Some((at + opened.map_or(0, <[u8]>::len), manner, opened))
}

/// Up to the closing quote, or to the end of the line where that is cut off.
fn quoted(text: &[u8], from: usize, quote: Quote) -> Option<Range<usize>> {
    let window = &text[from..text.len().min(from + SENSITIVE_VALUE_BYTES_MAX)];
    let mut at = 0;
    while at < window.len() {
        if window[at..].starts_with(quote) {
            return Some(from..from + at);
        }
        match window[at] {
            b'\n' => break,
            b'\\' if quote.len() == 1 => at += 2,
            _ => at += 1,
        }
    }
    Some(from..from + at.min(window.len()))
}

/// A value without quotes: up to a blank or to what cannot be in it.
fn bare(text: &[u8], from: usize, prose: bool) -> Range<usize> {
    let window = &text[from..text.len().min(from + SENSITIVE_VALUE_BYTES_MAX)];
    let ends = |at: usize| {
        let next = window.get(at + 1).copied();
        let over = next.is_none_or(|next| {
            next.is_ascii_whitespace()
                || matches!(next, b'"' | b'\'' | b'\\' | b',' | b';' | b')' | b'}' | b']')
        });
        match window[at] {
            0..=b' ' | b'&' | b'<' | b'"' | b'\'' | b'`' | 0x7f => true,
            b')' | b']' | b'}' | b'>' | b'|' => over,
            b',' | b';' => over || names_something(&window[at + 1..]),
            b'.' | b':' => prose && over,
            b'\\' => next.is_some_and(|next| matches!(next, b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')),
            b'%' => matches!(window.get(at + 1..at + 3), Some(b"26" | b"22" | b"20")),
            _ => false,
        }
    };
    let len = (0..window.len()).find(|at| ends(*at)).unwrap_or(window.len());
    from..from + len
}

/// Whether another `name=` follows.
fn names_something(rest: &[u8]) -> bool {
    let len = run(rest, of_name, 48);
    len > 0 && matches!(rest.get(len), Some(b'=' | b':'))
}

/// What an `Authorization` carries: behind the name of a scheme, or alone.
fn authorization(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let word = run(rest, |byte| alnum(byte) || byte == b'-', 32);
    let scheme = rest[..word].to_ascii_lowercase();
    let known: [&[u8]; 11] = [
        b"basic",
        b"bearer",
        b"digest",
        b"token",
        b"apikey",
        b"negotiate",
        b"ntlm",
        b"aws4-hmac-sha256",
        b"hawk",
        b"key",
        b"mac",
    ];
    let (start, scheme) = match known.contains(&&*scheme) && rest.get(word) == Some(&b' ') {
        true => (from + word + 1, true),
        false => (from, false),
    };
    let window = &text[start..text.len().min(start + SENSITIVE_VALUE_BYTES_MAX)];
    let many = matches!(
        &*text[from..start].to_ascii_lowercase(),
        b"digest " | b"hawk " | b"mac " | b"aws4-hmac-sha256 "
    );
    let len = if many {
        // Pairs with quotes and commas of their own.
        run(window, |byte| byte != b'\n' && byte != b'\r', window.len())
    } else {
        bare(text, start, false).len()
    };
    let given = &window[..len];
    let sound = if scheme {
        len >= 4 && !is_placeholder(given)
    } else {
        accepts(Family::Token, Manner::Given, b"", given)
    };
    sound.then_some(start..start + len)
}

/// `IDENTIFIED BY 'password'`
pub(super) fn sql(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let rest = &text[at.end..];
    let space = run(rest, |byte| byte.is_ascii_whitespace(), 8);
    let word: &[u8] = b"PASSWORD ";
    let word = if rest[space..].starts_with(word) { word.len() } else { 0 };
    let from = at.end + space + word;
    let quote = quote(text, from)?;
    let range = quoted(text, from + quote.len(), quote)?;
    (space > 0 && !is_placeholder(&text[range.clone()])).then_some(range)
}

/// The 40 characters behind `aws_secret_access_key`.
pub(super) fn aws_secret(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let name = name_around(text, &at);
    let (from, _, _) = separator(text, &name)?;
    let len = run(&text[from..], super::chars::base64, 41);
    (len == 40 && text.get(from + 40) != Some(&b'=') && random(&text[from..from + 40]))
        .then_some(from..from + 40)
}
