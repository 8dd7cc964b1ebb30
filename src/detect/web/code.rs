//! Code for an interpreter behind the page: PHP, Java, JavaScript on the server, Perl, Python, Ruby; and objects that
//! become code when they are read back.
//!
//! A call counts by what is called (names that reach the system, the files or the interpreter itself) and by whether
//! it is called: a name, blanks or comments, a parenthesis. Names that are words as well need something inside of it.

mod calls;
mod settings;

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};
use crate::detect::Kind;
use calls::{CALLS_MAX, calls};
use settings::{SESSIONS, is_session, setting};

/// What only code has, and how clear that is.
const FORMS: &[Form] = &[
    ("<?php", 92),
    ("<?=", 88),
    ("[php]", 78),
    ("[/php]", 78),
    ("[\\php]", 76),
    ("{php}", 78),
    ("{/php}", 78),
    ("<%@", 84),
    ("$_get", 86),
    ("$_post", 86),
    ("$_request", 86),
    ("$_server", 86),
    ("$_cookie", 84),
    ("$_files", 86),
    ("$_env", 84),
    ("$_session", 84),
    ("$globals", 84),
    ("$http_raw_post_data", 84),
    ("$http_", 70),
    ("$argv", 72),
    ("$_s erver", 76),
    ("auto_prepend_file", 86),
    ("auto_append_file", 86),
    ("allow_url_include", 86),
    ("allow_url_fopen", 84),
    ("disable_functions", 84),
    ("open_basedir", 82),
    ("suhosin.simulation", 84),
    ("cgi.force_redirect", 84),
    ("java.lang.", 84),
    ("java.io.", 78),
    ("java.util.", 74),
    ("java.net.", 76),
    ("java.rmi.", 82),
    ("java.beans", 82),
    ("javax.", 72),
    ("java.evil", 72),
    ("org.apache.", 70),
    ("org.springframework", 76),
    ("org.omg.corba", 80),
    ("com.opensymphony", 84),
    ("com.sun.", 76),
    ("com.bea.", 82),
    ("classloader", 74),
    ("processbuilder", 80),
    ("getruntime", 84),
    ("runtime.exec", 84),
    ("clonetransformer", 84),
    ("forclosure", 76),
    ("instantiatefactory", 84),
    ("instantiatetransformer", 84),
    ("invokertransformer", 84),
    ("prototypeclonefactory", 84),
    ("prototypeserializationfactory", 84),
    ("whileclosure", 82),
    ("xmldecoder", 80),
    ("filewriter(", 70),
    ("getparameter(", 72),
    ("getproperty(", 70),
    ("#_memberaccess", 90),
    ("@java", 84),
    ("#context[", 84),
    ("ognl.", 80),
    ("xwork.", 80),
    ("freemarker.template", 86),
    ("scriptengine", 80),
    ("t(java", 84),
    ("child_process", 88),
    ("process.mainmodule", 88),
    ("process.binding", 86),
    ("process.env", 76),
    ("process.exit", 76),
    ("process.kill", 78),
    ("global.process", 84),
    ("require.main", 82),
    ("module.constructor", 80),
    ("constructor._load", 86),
    ("_$$nd_func$$_", 92),
    ("__js_function", 88),
    ("__proto__", 82),
    ("constructor.prototype", 82),
    ("constructor[prototype]", 82),
    ("[constructor][prototype]", 82),
    ("__defineproperty__", 82),
    ("__definegetter__", 80),
    ("__class__", 84),
    ("__globals__", 88),
    ("__builtins__", 88),
    ("__subclasses__", 90),
    ("__mro__", 88),
    ("__base__", 80),
    ("__init__", 80),
    ("__import__", 86),
    ("__dict__", 74),
    (".mro()", 78),
    (".subclasses()", 82),
    ("os.popen", 86),
    ("os.system", 86),
    ("os.execute", 84),
    ("io.popen", 82),
    ("subprocess.", 78),
    ("process.open", 72),
    ("process.spawn", 78),
    ("process.clock_gettime", 72),
    ("kernel.system", 80),
    ("object.const_get", 78),
    ("object.class", 62),
    ("instance_eval", 78),
    ("eval.call", 76),
    ("s:4:\"", 40),
    ("!!python/", 88),
    ("!ruby/", 86),
    ("!!javax.", 88),
    ("<!--#exec", 90),
    ("<!--#include", 86),
    ("<!--#echo", 80),
    ("<!--#", 72),
    ("while(1)", 66),
    ("while(true)", 66),
    // Numbers that old PHP (CVE-2010-4645) and Java (CVE-2010-4476) never finished reading.
    ("2.2250738585072011e-308", 80),
    ("2.2250738585072012e-308", 80),
];

/// AC ED 00 05, with which serialized Java objects begin, in base64 at its three offsets: the letters that do not depend
/// on what stands around it.
const SERIALIZED: [&str; 3] = ["rO0AB", "KztAA", "s7QAF"];

/// Ends of names that servers run.
const SCRIPTS: &[&str] = &[
    ".php",
    ".php2",
    ".php3",
    ".php4",
    ".php5",
    ".php6",
    ".php7",
    ".php8",
    ".phtml",
    ".pht",
    ".phar",
    ".phps",
    ".phpt",
    ".pgif",
    ".shtml",
    ".inc.php",
    ".jsp",
    ".jspx",
    ".jspf",
    ".jsw",
    ".jsv",
    ".asp",
    ".aspx",
    ".asa",
    ".asax",
    ".ascx",
    ".ashx",
    ".asmx",
    ".cer",
    ".cfm",
    ".cfml",
    ".cgi",
    ".do",
    ".exe",
    ".war",
    ".htaccess",
];

/// Words that say something in a plain value.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(form, _)| *form).chain(SERIALIZED).chain(SESSIONS).chain([
        "_session",
        ".session",
        "-session",
        "sessionid",
        "session_id",
        "session-id",
        ".sid",
        "_sid",
        ".sess",
        ":sess",
        "login_token",
        "-token",
        "_dir=",
    ])
}

/// The best sign; `exact` is the same text before it was made lower case, and empty where references were resolved in it.
pub(super) fn look(lower: &[u8], exact: &[u8], kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    calls(lower, &mut see);
    forms(lower, kind, exact.is_empty(), &mut see);
    serialized(lower, exact, &mut see);
    if kind == Kind::File {
        upload(lower, 0, lower.len(), &mut see);
    }
    if let Some(at) = words::find(lower, b"filename=") {
        let end = memchr::memchr2(b'\n', b';', &lower[at + 9..]).map_or(lower.len(), |len| at + 9 + len);
        upload(lower, at + 9, end, &mut see);
    }
    if matches!(kind, Kind::Query | Kind::Value) && setting(lower) {
        see("setting", 66, 0..lower.len());
    }
    if matches!(kind, Kind::Name | Kind::Query) && is_session(lower) {
        see("session", 62, 0..lower.len());
    }
    best
}

fn forms(text: &[u8], kind: Kind, escaped: bool, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    static FIND: LazyLock<Forms> = LazyLock::new(|| Forms::new(FORMS));
    let weak = if kind == Kind::Path { 20 } else { 0 };
    for ((form, score), found) in FIND.apart(text).take(CALLS_MAX) {
        let begins = form.as_bytes()[0].is_ascii_alphabetic();
        if begins && found.start() > 0 && text[found.start() - 1].is_ascii_alphanumeric() {
            continue;
        }
        see("form", score.saturating_sub(if *score < 86 { weak } else { 0 }), found.range());
    }
    // `<?` and a blank or a word: an instruction of XML has its own names.
    for at in words::find_iter(text, b"<?").take(8) {
        let rest = &text[at + 2..];
        let known =
            [&b"xml"[..], b"xsl", b"xpacket", b"import", b"mso"].iter().any(|name| rest.starts_with(name));
        let code = rest.iter().take(200).any(|byte| matches!(byte, b'(' | b';' | b'$' | b'`'));
        let blank = matches!(rest.first(), Some(b' ' | b'\t' | b'\n'));
        // `<?xml` has its version behind it; `x<?` waits for what the page adds.
        let named = rest.strip_prefix(b"xml").is_none_or(|rest| {
            let rest = rest.trim_ascii_start();
            rest.is_empty() || rest.starts_with(b"-") || rest[0].is_ascii_alphabetic() || rest[0] == b'?'
        });
        if rest.is_empty() || !named && code {
            see("instruction", 66, at..text.len());
        }
        // `&lt;? a question`: a text that was made safe.
        if !known && (code || blank && !escaped) {
            see("instruction", if code { 80 } else { 66 }, at..text.len());
        }
    }
    // `while(!false)`: a loop that does not end.
    for at in words::find_iter(text, b"while").take(4) {
        let rest = text[at + 5..].trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"(") {
            let end = memchr::memchr(b')', inside).unwrap_or(inside.len());
            let constant = &inside[..end];
            let is_constant = constant.len() <= 24
                && !constant.is_empty()
                && constant.iter().all(|byte| {
                    byte.is_ascii_digit()
                        || matches!(
                            byte,
                            b'!' | b'-'
                                | b'+'
                                | b' '
                                | b'"'
                                | b'\''
                                | b'{'
                                | b'}'
                                | b'['
                                | b']'
                                | b'('
                                | b'~'
                                | b'.'
                                | b'/'
                                | b'*'
                                | b'|'
                                | b'&'
                                | b'<'
                                | b'>'
                                | b'='
                        )
                });
            let word = constant.strip_prefix(b"!").unwrap_or(constant);
            let word = word.strip_prefix(b"(").unwrap_or(word);
            let behind = inside.get(end + 1..).unwrap_or_default().trim_ascii_start();
            let alone = text.len() < 64
                && matches!(behind.first(), None | Some(b'{' | b';' | b')'))
                && !constant.is_empty()
                && constant.iter().all(|byte| {
                    byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'!' | b'-' | b'+' | b'`')
                });
            if is_constant
                || alone
                || [&b"true"[..], b"false", b"null", b"undefined", b"''", b"nan", b"infinity"]
                    .contains(&word.trim_ascii())
            {
                see("endless_loop", 72, at..text.len());
            }
        }
    }
    // `$ {'name'}`, `${$a}`: a variable whose name is computed.
    for at in memchr::memchr_iter(b'$', text).take(8) {
        let rest = text[at + 1..].trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"{") {
            let inside = inside.trim_ascii_start();
            let end = memchr::memchr(b'}', inside);
            // `${${` is a lookup's.
            let computed = match inside {
                [b'\'' | b'"', ..] => true,
                [b'$', next, ..] => next.is_ascii_alphabetic() || *next == b'_',
                _ => false,
            };
            if computed && end.is_some_and(|end| end > 1) {
                see("variable", 66, at..text.len());
            }
        }
    }
    // `@{[ … ]}`: Perl's interpolation.
    if let Some(at) = words::find(text, b"@{") {
        let rest = text[at + 2..].trim_ascii_start();
        if rest.starts_with(b"[") {
            see("interpolation", 80, at..text.len());
        }
    }
    // `java` or `runtime` with a name of the library behind it.
    if let Some(at) = words::find(text, b"java").filter(|at| words::find(&text[*at..], b"runtime").is_some())
    {
        see("form", 76, at..text.len());
    }
}

fn serialized(lower: &[u8], exact: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    for magic in SERIALIZED {
        if let Some(at) = words::find(exact, magic.as_bytes()) {
            let begins = at < 4 || !exact[at - 1].is_ascii_alphanumeric();
            see("serialized", if begins { 86 } else { 62 }, at..exact.len().min(at + 64));
        }
    }
    if let Some(at) = words::find(exact, b"\xac\xed\x00\x05") {
        see("serialized", 92, at..exact.len());
    }
    // PHP: `O:8:"ClassName":1:{`.
    for at in words::find_iter(lower, b"o:").take(16) {
        let rest = &lower[at + 2..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'+').count();
        if digits > 0 && rest[digits..].starts_with(b":\"") && words::find(rest, b":{").is_some() {
            see("serialized", 88, at..lower.len());
        }
    }
}

/// A file name that a server would run.
fn upload(text: &[u8], from: usize, to: usize, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let name: Vec<u8> =
        text[from..to].iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'' | b'\r' | b' ')).collect();
    // `a.php.`, `a.php .png`, `a.php;.jpg`: what servers take off.
    for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
        let part = &name[at..];
        let end =
            part[1..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(part.len(), |end| end + 1);
        if SCRIPTS.iter().any(|script| script.as_bytes() == &part[..end])
            || part.len() > 4 && part.starts_with(b".php") && part[4].is_ascii_digit()
        {
            see("upload", 74, from..to);
        }
    }
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if base.starts_with(b"sess_") && base.len() > 20 {
        see("upload", 70, from..to);
    }
}
