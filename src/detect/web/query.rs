//! Small languages that a value may be put into: filters of LDAP, conditions of document stores, and the lines of
//! protocols.

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};

pub(super) fn find(text: &[u8], needle: &str) -> Option<usize> {
    words::find(text, needle.as_bytes())
}

/// The best sign so far.
#[derive(Default)]
pub(super) struct Best(pub(super) Option<Sign>);

impl Best {
    pub(super) fn see(&mut self, rule: &'static str, score: u8, range: Range<usize>) {
        if self.0.as_ref().is_none_or(|best| best.score < score) {
            self.0 = Some(Sign { rule, score, range });
        }
    }
}

/// Operators of MongoDB and its kin, without their `$`.
const OPERATORS: [&str; 26] = [
    "ne",
    "eq",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "nin",
    "regex",
    "where",
    "exists",
    "or",
    "and",
    "nor",
    "not",
    "elemmatch",
    "expr",
    "function",
    "mod",
    "type",
    "all",
    "size",
    "text",
    "comment",
    "lookup",
    "jsonschema",
];

/// What scripts in a document store do.
const SCRIPTS: &[Form] = &[
    ("this.password", 74),
    ("this.username", 70),
    ("db.getcollection", 76),
    ("db.injection", 72),
    ("mapreduce(", 70),
    (".insert({", 78),
    (".find({", 66),
    (".drop()", 66),
    (";return true", 72),
    ("; return true", 72),
    (";return(true)", 72),
    ("return this.", 66),
    ("sleep(5000)", 66),
];

/// Pieces of a filter that no name has.
const FILTERS: &[Form] = &[
    ("*(|(", 82),
    ("(|(", 72),
    ("(&(", 72),
    ("(!(", 70),
    ("*)(|", 80),
    ("*)((", 78),
    (")((|", 74),
    ("*)(&", 80),
    ("*))%00", 80),
    ("*()|", 74),
    ("(objectclass=", 82),
    ("(uid=*", 78),
    ("(cn=*", 78),
    ("(mail=*", 76),
    (")(|", 66),
    (")(&", 66),
];

/// Conditions of document stores: an operator as a key, or JavaScript that is always true.
pub(super) fn nosql(text: &[u8]) -> Option<Sign> {
    let mut best = Best(None);
    for at in memchr::memchr_iter(b'$', text).take(32) {
        let rest = &text[at + 1..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if !OPERATORS.iter().any(|operator| operator.as_bytes() == &rest[..len]) {
            continue;
        }
        let before = text[..at].trim_ascii_end().last().copied();
        let after = rest[len..].trim_ascii_start().first().copied();
        let key = matches!(
            (before, after),
            (Some(b'['), Some(b']'))
                | (Some(b'"' | b'\''), Some(b'"' | b'\''))
                | (Some(b'{' | b',' | b'"' | b'\'') | None, Some(b':'))
        );
        if key {
            best.see("operator", 84, at..text.len());
        }
    }
    static FOUND: LazyLock<Forms> = LazyLock::new(|| Forms::new(SCRIPTS));
    FOUND.each(text, &mut |score, range| best.see("script", score, range));
    // `'||'1'=='1`, `|| 1==1`: a condition of JavaScript.
    for logic in ["||", "&&"] {
        if let Some(at) = find(text, logic)
            && let Some(equal) = find(&text[at..], "==")
        {
            let left = text[at + 2..at + equal].trim_ascii();
            if left.len() <= 24
                && !left.is_empty()
                && left
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'\'' | b'"' | b'.' | b'_'))
            {
                best.see("condition", 68, at..text.len());
            }
        }
    }
    if matches!(text.trim_ascii(), [b'\'', b'\\', b'"', ..] | [b'"', b'\\', b'\'', ..])
        && text.contains(&b';')
    {
        best.see("probe", 66, 0..text.len());
    }
    best.0
}

/// Filters of LDAP (RFC 4515): a value that closes its assertion and adds another, or is a pattern where a name is meant.
pub(super) fn ldap(text: &[u8]) -> Option<Sign> {
    let mut best = Best(None);
    let value = text.trim_ascii();
    // Marks of a filter and nothing else: somebody asks whether they are escaped. Stars ask for all, and exclamation
    // marks are an exclamation.
    let marks = |of: &[u8]| value.iter().all(|byte| of.contains(byte));
    let said = marks(b"*") || marks(b"!");
    if !value.is_empty() && value.len() <= 8 && marks(b"()|&!*") && !said || value == b"@*" {
        best.see("probe", 60, 0..text.len());
    }
    // An account, and what else begins so: a name that is looked up has no star.
    if value.strip_suffix(b"*").is_some_and(is_account) {
        best.see("account", 64, 0..text.len());
    }
    for at in memchr::memchr_iter(b')', text).take(32) {
        let rest = text[at + 1..].trim_ascii_start();
        let [b'(', inner @ ..] = rest else { continue };
        let star = text[..at].ends_with(b"*") || rest.ends_with(b"*") || find(inner, "=*").is_some();
        match inner.first() {
            Some(b'|' | b'&' | b'!') => best.see("filter", 80, at..text.len()),
            Some(byte) if byte.is_ascii_alphabetic() => {
                let name =
                    inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
                if matches!(inner.get(name), Some(b'=' | b'~' | b'>' | b'<')) {
                    best.see("filter", if star { 82 } else { 66 }, at..text.len());
                }
            }
            _ => {}
        }
    }
    static FOUND: LazyLock<Forms> = LazyLock::new(|| Forms::new(FILTERS));
    FOUND.each(text, &mut |score, range| best.see("filter", score, range.start..text.len()));
    if value.starts_with(b"*)") {
        best.see("filter", 68, 0..text.len());
    }
    best.0
}

/// Whether a name is that of an account which systems have from the beginning, or an attribute that accounts have.
fn is_account(name: &[u8]) -> bool {
    let known = [
        &b"admin"[..],
        b"administrator",
        b"root",
        b"uid=",
        b"cn=",
        b"sn=",
        b"mail=",
        b"samaccountname=",
        b"userpassword=",
        b"objectclass=",
    ];
    known.contains(&name)
}

/// Fields of HTTP that an answer or a request would get (RFC 9110 §5), in lower case.
const FIELDS: &[&str] = &[
    "set-cookie",
    "location",
    "content-type",
    "content-length",
    "content-disposition",
    "content-encoding",
    "transfer-encoding",
    "refresh",
    "host",
    "cookie",
    "connection",
    "cache-control",
    "access-control-allow-origin",
    "link",
    "link-type",
    "status",
    "referer",
    "user-agent",
    "authorization",
    "proxy-connection",
    "server",
    "date",
    "pragma",
    "expires",
    "etag",
    "vary",
    "via",
    "bcc",
    "cc",
    "to",
    "from",
    "subject",
    "reply-to",
    "mime-version",
    "last-modified",
    "accept",
];

/// Commands of mail and file protocols (RFC 5321, 3501, 1939, 959).
const COMMANDS: &[&str] = &[
    "mail from:",
    "rcpt to:",
    "ehlo ",
    "helo ",
    "vrfy ",
    "expn ",
    "data",
    "rset",
    "noop",
    "quit",
    "stat",
    "capa",
    "starttls",
    "auth ",
    "user ",
    "pass ",
    "retr ",
    "dele ",
    "list",
    "stls",
    "top ",
    "uidl",
];
const IMAP: &[&str] = &[
    "append",
    "authenticate",
    "capability",
    "check",
    "close",
    "copy",
    "create",
    "delete",
    "examine",
    "expunge",
    "fetch",
    "list",
    "login",
    "logout",
    "lsub",
    "noop",
    "rename",
    "search",
    "select",
    "starttls",
    "status",
    "store",
    "subscribe",
    "uid",
    "unsubscribe",
    "quit",
    "stat",
    "rset",
    "capa",
    "retr",
    "dele",
];

/// Line ends in a value, behind which a line of a protocol stands.
pub(super) fn lines(text: &[u8]) -> Option<Sign> {
    let mut best = Best(None);
    for at in memchr::memchr2_iter(b'\r', b'\n', text).take(64) {
        let crlf = text[at] == b'\r' || at > 0 && text[at - 1] == b'\r';
        let rest = &text[at + 1..];
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        if let Some(colon) = memchr::memchr(b':', &line[..line.len().min(64)]) {
            let name = line[..colon].trim_ascii();
            if FIELDS.iter().any(|field| field.as_bytes() == name)
                || crlf && name.starts_with(b"x-") && name.len() > 3
            {
                best.see("header", if crlf || name.contains(&b'-') { 84 } else { 64 }, at..text.len());
            }
        }
        if find(line, "http/1.").is_some() || line.starts_with(b"<script") || line.starts_with(b"<html") {
            best.see("message", 86, at..text.len());
        }
        if !crlf {
            continue;
        }
        let whole = line.trim_ascii();
        let word = |command: &str| match command.strip_suffix([' ', ':']) {
            Some(_) => whole.starts_with(command.as_bytes()),
            None => whole == command.as_bytes(),
        };
        if COMMANDS.iter().any(|command| word(command)) {
            best.see("command", 70, at..text.len());
        }
        // `a001 LOGIN x y`
        let tag = whole.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if (1..=8).contains(&tag)
            && whole[..tag].iter().any(u8::is_ascii_digit)
            && whole.get(tag) == Some(&b' ')
        {
            let rest = whole[tag..].trim_ascii_start();
            let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if IMAP.iter().any(|command| command.as_bytes() == &rest[..len]) {
                best.see("command", 74, at..text.len());
            }
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Look = fn(&[u8]) -> Option<Sign>;
    type Case = (Look, &'static str);

    fn of(look: Look, text: &str) -> u8 {
        look(text.as_bytes()).map_or(0, |sign| sign.score)
    }

    #[test]
    fn each_language_has_its_marks() {
        let yes: &[Case] = &[
            (nosql, "user[$ne]=x"),
            (nosql, "{\"$gt\":\"\"}"),
            (nosql, "' || '1'=='1"),
            (ldap, "*)(uid=*))(|(uid=*"),
            (ldap, "x)(&(a=b)"),
            (ldap, "administrator*"),
            (lines, "a\r\nset-cookie: b=c"),
            (lines, "a\r\nrcpt to:<b@example.com>"),
            (lines, "x\r\na001 logout"),
        ];
        yes.iter().for_each(|(look, text)| assert!(of(*look, text) >= 60, "{text}"));
        let no: &[Case] = &[
            (nosql, "costs $5 or $in total"),
            (nosql, "a || b"),
            (ldap, "f(x) (y)"),
            (ldap, "1) (2"),
            (ldap, "*"),
            (ldap, "*/*"),
            (ldap, "!!!"),
            (ldap, "shoes*"),
            (lines, "first\nsecond: line"),
            (lines, "dear sir\r\nwe write to you"),
        ];
        no.iter().for_each(|(look, text)| assert!(of(*look, text) < 60, "{text}"));
    }
}
