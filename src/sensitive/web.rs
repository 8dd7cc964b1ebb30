//! Checkers of tokens that are more than a prefix and a run: those with a checksum, those that are known by what stands in
//! their middle, headers, URLs, key files.

use std::ops::Range;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

use super::assign::is_placeholder;
use super::chars::{
    alnum, base64, digit, entropy, fresh, hex, lower_hex, padded, random, run, tilde, upper, word,
};
use crate::limits::SENSITIVE_VALUE_BYTES_MAX;

/// The start of the run of such bytes that ends before `end`, at most `most` of them.
fn back(text: &[u8], end: usize, set: impl Fn(u8) -> bool, most: usize) -> usize {
    end - text[..end].iter().rev().take(most).take_while(|byte| set(**byte)).count()
}

/// Whether the word ends at `end`.
fn ends(text: &[u8], end: usize) -> bool {
    !text.get(end).is_some_and(|byte| alnum(*byte) || *byte == b'_')
}

/// The base64 of a run with its padding, which may be percent-encoded.
fn base64_run(text: &[u8], at: usize, most: usize) -> Range<usize> {
    let mut end = at;
    while end < text.len() && end - at < most {
        let rest = &text[end..];
        if padded(rest[0]) {
            end += 1;
        } else if rest.len() >= 3
            && rest[0] == b'%'
            && matches!(&rest[1..3], b"2B" | b"2b" | b"2F" | b"2f" | b"3D" | b"3d")
        {
            end += 3;
        } else {
            break;
        }
    }
    at..end
}

/// A key of 64 bytes, or of 32 for a bus: `AccountKey=…==`.
pub(super) fn azure_key(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let range = base64_run(text, at.end, 120);
    let key = BASE64.decode(&text[range.clone()]).ok()?;
    (matches!(key.len(), 32 | 64) && random(&text[range.clone()])).then_some(range)
}

/// `sig=` with the base64 of 32 bytes, in a link that says until when it is good (`se=`) or of which version (`sv=`) it is.
pub(super) fn azure_signature(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let before = at.start.checked_sub(1).map(|before| text[before]);
    if !matches!(before, None | Some(b'?' | b'&' | b';' | b' ' | b'"')) {
        return None;
    }
    let range = base64_run(text, at.end, 80);
    let mut plain = Vec::new();
    let mut bytes = text[range.clone()].iter();
    while let Some(&byte) = bytes.next() {
        let escaped = byte == b'%';
        plain.push(match escaped.then(|| (bytes.next(), bytes.next())) {
            Some((Some(b'2'), Some(b'B' | b'b'))) => b'+',
            Some((Some(b'2'), _)) => b'/',
            Some(_) => b'=',
            None => byte,
        });
    }
    let near = &text[at.start.saturating_sub(400)..text.len().min(range.end + 400)];
    let link = [&b"sv="[..], b"se="].iter().any(|part| memchr::memmem::find(near, part).is_some());
    (link && BASE64.decode(&plain).is_ok_and(|bytes| bytes.len() == 32)).then_some(range)
}

/// Three characters, a digit, `Q~`, and 31 to 34 more.
pub(super) fn azure_secret(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let start = at.start.checked_sub(4)?;
    let head = text[start..at.start].iter().all(|byte| tilde(*byte)) && digit(text[at.start - 1]);
    let len = run(&text[at.end..], tilde, 40);
    let body = &text[at.end..at.end + len];
    let exact = text[at.clone()] == *b"Q~" && fresh(text, start) && (31..=34).contains(&len);
    (head && exact && random(body)).then_some(start..at.end + len)
}

/// Fourteen letters and digits, `.atlasv1.`, and 60 to 70 more.
pub(super) fn atlas(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let start = back(text, at.start, alnum, 15);
    let len = run(&text[at.end..], word, 80);
    let sound = at.start - start == 14 && fresh(text, start) && (60..=70).contains(&len);
    (sound && random(&text[at.end..at.end + len])).then_some(start..at.end + len)
}

/// A prefix, 30 letters and digits, and six more that are the CRC-32 of the thirty in base 62.
pub(super) fn github(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let body = text.get(at.end..at.end + 36)?;
    let exact = text[at.clone()].iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    if !exact || !fresh(text, at.start) || !body.iter().all(|byte| alnum(*byte)) || !ends(text, at.end + 36) {
        return None;
    }
    let (random, check) = body.split_at(30);
    (*check == base62(crc32fast::hash(random))).then_some(at.start..at.end + 36)
}

/// Six digits of base 62: `0-9A-Za-z`.
pub(super) fn base62(mut number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(number % 62) as usize];
        number /= 62;
    }
    digits
}

/// The bot's number, `:AA`, and 33 more.
pub(super) fn telegram(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let start = back(text, at.start, digit, 11);
    let len = run(&text[at.end..], word, 40);
    let sound = (8..=10).contains(&(at.start - start)) && text[at.clone()] == *b":AA" && len == 33;
    // In a URL it stands behind `bot`.
    let begins = fresh(text, start) || text[..start].ends_with(b"/bot");
    (sound && begins && random(&text[at.end..at.end + len])).then_some(start..at.end + len)
}

/// 32 hexadecimal digits, `-us`, and the number of the data centre.
pub(super) fn mailchimp(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let start = back(text, at.start, lower_hex, 33);
    let digits = run(&text[at.end..], digit, 3);
    let end = at.end + digits;
    let sound = at.start - start == 32 && fresh(text, start) && matches!(digits, 1 | 2) && ends(text, end);
    (sound && random(&text[start..at.start])).then_some(start..end)
}

/// `sk-…T3BlbkFJ…`: the middle is `OpenAI` in base64.
pub(super) fn openai(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let start = back(text, at.start, word, 120);
    let len = run(&text[at.end..], word, 121);
    let sound = text[start..].starts_with(b"sk-") && text[at.clone()] == *b"T3BlbkFJ" && fresh(text, start);
    let long = at.start - start >= 20 && (20..=120).contains(&len);
    (sound && long && random(&text[start..at.start])).then_some(start..at.end + len)
}

/// A bech32 text of 58 characters (BIP 173's alphabet, in capitals).
pub(super) fn age(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let bech32 = |byte| upper(byte) && !matches!(byte, b'1' | b'B' | b'I' | b'O');
    let len = run(&text[at.end..], bech32, 59);
    let exact = text[at.clone()] == *b"AGE-SECRET-KEY-1" && fresh(text, at.start) && len == 58;
    (exact && ends(text, at.end + len) && random(&text[at.end..at.end + len]))
        .then_some(at.start..at.end + len)
}

/// Three parts of base64url with dots between (RFC 7519), the first a JSON object with an algorithm. One that is cut off
/// behind its payload is one too: a log cuts where it likes.
pub(super) fn jwt(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    if text[at.clone()] != *b"eyJ" || !fresh(text, at.start) {
        return None;
    }
    let head = run(&text[at.start..], word, 1024);
    let dot = at.start + head;
    if text.get(dot) != Some(&b'.') {
        return None;
    }
    let header = BASE64URL_NOPAD.decode(&text[at.start..dot]).ok()?;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&header).ok()?;
    let payload = run(&text[dot + 1..], word, SENSITIVE_VALUE_BYTES_MAX);
    if !header.get("alg").is_some_and(serde_json::Value::is_string) || payload < 8 {
        return None;
    }
    let mut end = dot + 1 + payload;
    // Encrypted ones have five parts (RFC 7516).
    for _ in 0..3 {
        let len = if text.get(end) == Some(&b'.') {
            run(&text[end + 1..], word, SENSITIVE_VALUE_BYTES_MAX)
        } else {
            0
        };
        if len == 0 {
            break;
        }
        end += 1 + len;
    }
    Some(at.start..end)
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or as far as it goes on where that is cut off.
pub(super) fn pem(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let label =
        run(&text[at.end..], |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit(), 48);
    let head = &text[at.end..at.end + label];
    let private = head.ends_with(b"PRIVATE KEY") || head.ends_with(b"PRIVATE KEY BLOCK");
    if text[at.clone()] != *b"-----BEGIN " || !private || !text[at.end + label..].starts_with(b"-----") {
        return None;
    }
    let body = at.end + label + 5;
    let window = &text[body..text.len().min(body + SENSITIVE_VALUE_BYTES_MAX)];
    if let Some(end) = memchr::memmem::find(window, b"-----END ") {
        let tail = run(
            &window[end + 9..],
            |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit(),
            48,
        );
        let end = body + end + 9 + tail;
        let dashes = run(&text[end..], |byte| byte == b'-', 5);
        return Some(at.start..end + dashes);
    }
    // Base64 with line feeds, which may be escaped, and the headers of old forms.
    let key =
        |byte: u8| padded(byte) || byte.is_ascii_whitespace() || matches!(byte, b'\\' | b':' | b',' | b'-');
    let len = run(window, key, window.len());
    (len >= 40).then_some(at.start..body + len)
}

/// `$2b$12$` and 53 characters; `$6$salt$` and 86; `$argon2id$v=…$m=…$salt$hash`.
pub(super) fn crypt(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let hash64 = |byte: u8| alnum(byte) || byte == b'.' || byte == b'/';
    if at.start > 0 && (alnum(text[at.start - 1]) || text[at.start - 1] == b'$') {
        return None;
    }
    let mut end = at.end;
    let lead = text[at.clone()].to_ascii_lowercase();
    let mut part = |set: fn(u8) -> bool, most: usize| {
        let len = run(&text[end..], set, most + 1);
        end += len;
        let more = text.get(end) == Some(&b'$');
        end += usize::from(more);
        (len, more)
    };
    let plain: fn(u8) -> bool = |byte| alnum(byte) || matches!(byte, b'.' | b'/');
    let named: fn(u8) -> bool = |byte| alnum(byte) || matches!(byte, b'=' | b',' | b'.' | b'/' | b'+');
    let sound = match &*lead {
        b"$2a$" | b"$2b$" | b"$2y$" => part(digit, 2) == (2, true) && part(plain, 53) == (53, false),
        b"$1$" | b"$5$" | b"$6$" => {
            let least = match lead[1] {
                b'1' => 22,
                b'5' => 43,
                _ => 86,
            };
            let mut salt = part(named, 24);
            if text[at.end..].starts_with(b"rounds=") {
                salt = part(plain, 16);
            }
            (1..=16).contains(&salt.0) && salt.1 && part(plain, least) == (least, false)
        }
        b"$y$" => {
            let (cost, salt) = (part(plain, 8), part(plain, 86));
            cost.1 && salt.1 && salt.0 >= 8 && part(plain, 43) == (43, false)
        }
        _ => {
            let parts: Vec<_> = (0..4).map(|_| part(named, 512)).collect();
            parts[..3].iter().all(|(len, more)| *len >= 3 && *more) && parts[3].0 >= 16 && !parts[3].1
        }
    };
    let tail = &text[at.end..end];
    let last = &tail[tail.iter().rposition(|byte| *byte == b'$').map_or(0, |at| at + 1)..];
    (sound && last.iter().all(|byte| hash64(*byte) || *byte == b'+') && random(last)).then_some(at.start..end)
}

/// What stands between `:` and `@` of a URL's authority (RFC 3986 §3.2.1).
pub(super) fn url_password(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let scheme = at.start.checked_sub(1).is_some_and(|before| alnum(text[before]));
    let stops =
        |byte: u8| byte <= b' ' || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`');
    let len = run(&text[at.end..], |byte| !stops(byte), 512);
    let authority = &text[at.end..at.end + len];
    if authority.starts_with(b"[redacted:") {
        return None;
    }
    let host = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..host])?;
    let password = at.end + colon + 1..at.end + host;
    // A host follows, and not the next sign of a sentence.
    let sound = scheme && authority.get(host + 1).is_some_and(|byte| alnum(*byte) || *byte == b'[');
    (sound && !password.is_empty() && !is_placeholder(&text[password.clone()])).then_some(password)
}

/// `Basic` and the base64 of `user:password` (RFC 7617).
pub(super) fn basic(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    if !fresh(text, at.start) {
        return None;
    }
    let range = base64_run(text, at.end, 1024);
    let given = &text[range.clone()];
    let plain = BASE64.decode(given).or_else(|_| BASE64_NOPAD.decode(given)).ok()?;
    let colon = memchr::memchr(b':', &plain)?;
    let printable = plain.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    (printable && colon > 0 && plain.len() > colon + 1).then_some(range)
}

/// `Bearer` and a token (RFC 6750 §2.1).
pub(super) fn bearer(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    let token = |byte: u8| padded(byte) || byte == b'.' || byte == b'~';
    let len = run(&text[at.end..], token, SENSITIVE_VALUE_BYTES_MAX);
    let given = &text[at.end..at.end + len];
    let mixed = given.iter().any(u8::is_ascii_digit) && given.iter().any(u8::is_ascii_alphabetic);
    (fresh(text, at.start)
        && len >= 16
        && mixed
        && entropy(given) >= 3.0
        && !given.iter().all(|byte| !base64(*byte) || hex(*byte) && len < 16))
    .then_some(at.end..at.end + len)
}
