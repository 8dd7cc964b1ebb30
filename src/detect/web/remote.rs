//! Requests that the server would make for the attacker (SSRF), files that it would include from elsewhere (RFI), and
//! places that it would send a browser to: a value that is a URL (RFC 3986), judged by scheme and by host.

pub(super) mod hosts;

use std::ops::Range;

use self::hosts::host_score;
use super::{Sign, words};
use crate::detect::Kind;

/// Schemes that clients of servers speak and browsers' links do not.
const SCHEMES: &[(&str, u8)] = &[
    ("gopher", 88),
    ("dict", 86),
    ("ldap", 80),
    ("ldaps", 80),
    ("tftp", 82),
    ("sftp", 76),
    ("ftp", 72),
    ("ftps", 72),
    ("smb", 80),
    ("imap", 76),
    ("pop3", 76),
    ("smtp", 78),
    ("jar", 82),
    ("netdoc", 86),
    ("rmi", 82),
    ("iiop", 82),
    ("corba", 80),
    ("telnet", 76),
    ("ssh", 70),
    ("scp", 72),
    ("svn", 72),
    ("git", 64),
    ("rsync", 76),
    ("nfs", 76),
    ("phar", 88),
    ("php", 88),
    ("expect", 88),
    ("ssh2", 86),
    ("ssh2.exec", 90),
    ("zip", 84),
    ("rar", 84),
    ("ogg", 82),
    ("glob", 84),
    ("zlib", 86),
    ("compress.zlib", 88),
    ("compress.bzip2", 88),
    ("data", 74),
    ("view-source", 74),
    ("acap", 76),
    ("cap", 70),
    ("cvs", 70),
    ("dns", 76),
    ("file", 86),
    ("finger", 78),
    ("news", 62),
    ("redis", 80),
    ("mysql", 78),
    ("postgres", 78),
    ("mongodb", 78),
    ("jdbc", 78),
    ("ws", 50),
    ("wss", 50),
    ("about", 62),
    ("chrome", 70),
    ("classpath", 84),
    ("res", 70),
    ("local_file", 84),
    ("url", 66),
    ("mailto", 20),
];

/// The best sign of a value in lower case.
pub(super) fn look(text: &[u8], kind: Kind) -> Option<Sign> {
    if matches!(kind, Kind::Agent | Kind::Text) {
        return None;
    }
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    let (from, value) = (0, text);
    let blanks = value.iter().take_while(|byte| matches!(byte, 0..=32 | b'"' | b'\'' | b'(')).count();
    url(&value[blanks..], from + blanks, kind, &mut see);
    if kind != Kind::Path {
        led(value, &mut see);
    }
    // A URL inside of a path or of other text: only what is inside counts.
    for at in words::find_iter(text, b"://").take(8) {
        let start = text[..at]
            .iter()
            .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
            .map_or(0, |at| at + 1);
        let (host, _) = split(&text[at + 3..]);
        let score = host_score(host);
        if score >= 60 && start != from + blanks {
            see("host", score - 6, start..text.len());
        }
        if kind == Kind::Path && start > 0 && at > start {
            see("path_url", 62, start..text.len());
        }
    }
    best
}

/// What stands in front of a URL or a host so that a filter takes it for a path, and a browser does not.
fn led(value: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let lead = value.iter().take_while(|byte| matches!(byte, b'/' | b'\\' | b'<' | b'>' | b'.')).count();
    let rest = &value[lead..];
    let url = rest.starts_with(b"http://") || rest.starts_with(b"https://");
    if lead > 0 && url || value[..lead].starts_with(b"<>") && value[..lead].ends_with(b"//") {
        see("slashes", 66, 0..value.len());
    }
    // A mark that no word begins with (iteration and length marks of Japanese), and a host: some take it for a slash.
    let rest = value.strip_prefix(b"/").unwrap_or(value);
    if let Some(mark) = rest.get(..3).and_then(|mark| std::str::from_utf8(mark).ok())
        && matches!(
            mark.chars().next(),
            Some('\u{3031}'..='\u{3035}' | '\u{309d}' | '\u{309e}' | '\u{30fc}'..='\u{30fe}' | '\u{ff70}')
        )
    {
        let host = split(&rest[3..]).0;
        let named = memchr::memchr(b'.', host).is_some_and(|dot| dot > 0 && dot + 2 < host.len());
        if named && host.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
            see("other_host", 64, 0..value.len());
        }
    }
}

/// Host and what is behind it.
fn split(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\' | b' ' | b'"' | b'\'' | b'<' | b'>'))
        .unwrap_or(rest.len());
    (&rest[..end], &rest[end..])
}

/// `name:password`, as some write it before a host: with a dot it may be taken for the host itself.
fn is_login(user: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-');
    user.iter().all(plain) && memchr::memchr_iter(b':', user).count() == 1 && !user.starts_with(b":")
}

fn url(value: &[u8], at: usize, kind: Kind, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let all = at..at + value.len();
    let len = value
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_'))
        .count();
    if len > 1 && value.get(len) == Some(&b':') {
        let (scheme, rest) = (&value[..len], &value[len + 1..]);
        let slashes = rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
        if let Some((_, score)) = SCHEMES.iter().find(|(name, _)| name.as_bytes() == scheme)
            && (slashes > 0
                || matches!(
                    scheme,
                    b"data" | b"jar" | b"dict" | b"netdoc" | b"view-source" | b"about" | b"php" | b"url"
                ))
        {
            see("scheme", if slashes > 0 { *score } else { score.saturating_sub(8) }, all.clone());
        }
        if matches!(scheme, b"http" | b"https") {
            let (host, tail) = split(&rest[slashes..]);
            see("host", host_score(host), all.clone());
            // `http:x`, `http:/x`, `http:///x`: what browsers repair and filters miss.
            if slashes != 2 && !host.is_empty() {
                see("slashes", 66, all.clone());
            }
            if rest[..slashes].contains(&b'\\') {
                see("slashes", 70, all.clone());
            }
            // All up to the first slash, whatever it is made of, and what a client takes for the end of the host.
            let authority = rest[slashes..].split(|byte| *byte == b'/').next().unwrap_or_default();
            let end = authority.iter().position(|byte| matches!(byte, b'#' | b'?'));
            let user = &authority[..end.unwrap_or(authority.len())];
            if memchr::memrchr(b'@', user).is_some_and(|at| !is_login(&user[..at]))
                || end.is_some_and(|end| authority.get(end + 1) == Some(&b'@'))
            {
                see("userinfo", 68, all.clone());
            }
            if host.first().is_none_or(|byte| *byte <= b' ') && rest.len() > slashes || user.contains(&b'&') {
                see("slashes", 66, all.clone());
            }
            let script = memchr::memchr(b'?', tail).map_or(tail, |at| &tail[..at]);
            let ends = |end: &str| script.ends_with(end.as_bytes());
            if tail.ends_with(b"?") || tail.ends_with(b"?\0") || tail.ends_with(b"%00") {
                see("inclusion", 74, all.clone());
            } else if kind != Kind::Path
                && (ends(".php") || ends(".txt") || ends(".phtml") || ends(".dat"))
                && tail.len() < 80
                && script.len() > 4
                && !host.starts_with(b"www.")
            {
                see("inclusion", 61, all.clone());
            }
        }
        return;
    }
    // `//host`, `/\host`, `\/host`: another host without a scheme.
    let slashes = value.iter().take_while(|byte| matches!(byte, b'/' | b'\\' | b'\t' | b'\n')).count();
    if slashes >= 2 && kind != Kind::Path {
        let (host, _) = split(&value[slashes..]);
        let named = memchr::memchr(b'.', host).is_some_and(|dot| dot > 0 && dot + 2 < host.len())
            && host.iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'@' | b':' | b'%' | 0x80..)
            });
        let odd = value[..slashes].iter().any(|byte| *byte != b'/') || slashes > 2;
        if named {
            see("other_host", if odd { 68 } else { 62 }, all.clone());
        } else if host_score(host) >= 60 {
            see("host", host_score(host), all.clone());
        }
    }
    // A host without anything: only those that nobody outside can mean.
    let (host, _) = split(value);
    let named = host.first().is_some_and(|byte| !byte.is_ascii_digit())
        || memchr::memchr_iter(b'.', host).count() == 3;
    // A name alone may be any server's: `server=localhost`.
    let told = host.contains(&b'.') || host.contains(&b':') || value.len() > host.len();
    if slashes == 0 && named && told && host_score(host) >= 70 {
        see("host", host_score(host), all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_schemes() {
        let of = |text: &str| look(text.as_bytes(), Kind::Value).map_or(0, |sign| sign.score);
        let attacks = [
            "http://127.0.0.1/x",
            "http://169.254.169.254/latest",
            "gopher://a:70/_x",
            "http://0x7f.1/",
            "http://2130706433/",
            "//evil.example",
            "/\\evil.example",
            "http://[::1]/",
            "http://localhost:22",
            "http://a.example/shell.txt?",
            "http://good.example@evil.example/",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign = [
            "https://example.com/a?b=c",
            "1.5",
            "example.com",
            "/a/b",
            "//",
            "a//b",
            "mailto:a@example.com",
            "10:30",
            "note: this",
            "http://www.example.com/",
            "2024.1.2",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
