//! `web_attack`: attacks on web applications, as requests and logs show them.
//!
//! A field is split into its parts ([`split`]); each part is looked at by one file per class, in the view that the
//! class needs. Every class scores by structure: what the text would be to the interpreter that it is meant for.

mod body;
mod code;
mod files;
mod forms;
mod gate;
mod jndi;
mod query;
mod remote;
mod scanner;
mod shell;
mod split;
mod sql;
mod template;
mod words;
mod xml;
mod xss;

use std::ops::Range;

use super::{Bytes, Class, Detector, DetectorKind, Hit, Kind, OPTIONS, Technique, View, Views};
use crate::signature::{Example, Signature};

const EXPLOIT: Technique = Technique {
    id: "T1190",
    name: "Exploit Public-Facing Application",
    tactic_id: "TA0001",
    tactic: "Initial Access",
};
const DRIVE_BY: Technique =
    Technique { id: "T1189", name: "Drive-by Compromise", tactic_id: "TA0001", tactic: "Initial Access" };
const INTERPRETER: Technique = Technique {
    id: "T1059",
    name: "Command and Scripting Interpreter",
    tactic_id: "TA0002",
    tactic: "Execution",
};
const DISCOVERY: Technique =
    Technique { id: "T1083", name: "File and Directory Discovery", tactic_id: "TA0007", tactic: "Discovery" };

const SCANNING: Technique =
    Technique { id: "T1595", name: "Active Scanning", tactic_id: "TA0043", tactic: "Reconnaissance" };

const fn class(name: &'static str, doc: &'static str, technique: &'static Technique) -> Class {
    Class { name, doc, technique, secret: false }
}

const JNDI: u8 = 0;
const SQLI: u8 = 1;
const XSS: u8 = 2;
const TRAVERSAL: u8 = 3;
const CMDI: u8 = 4;
const CODE: u8 = 5;
const SSTI: u8 = 6;
const SSRF: u8 = 7;
const XXE: u8 = 8;
const NOSQL: u8 = 9;
const LDAP: u8 = 10;
const CRLF: u8 = 11;
const SCANNER: u8 = 12;

/// The classes, by number.
const CLASSES: &[Class] = &[
    class("jndi", "a lookup that a logger would follow", &EXPLOIT),
    class("sqli", "SQL that a value adds to a statement", &EXPLOIT),
    class("xss", "HTML or script that would run in another's browser", &DRIVE_BY),
    class("traversal", "a path out of the folder that is served, or to a file of the system", &DISCOVERY),
    class("cmdi", "a command for a shell", &INTERPRETER),
    class("code", "code for the interpreter behind the page, or an object that becomes code", &INTERPRETER),
    class("ssti", "an expression for a template engine", &EXPLOIT),
    class("ssrf", "a URL that the server would fetch or include, or lead away to", &EXPLOIT),
    class("xxe", "an entity, an inclusion or a query for an XML reader", &EXPLOIT),
    class("nosql", "an operator or a condition for a document store", &EXPLOIT),
    class("ldap", "a filter for a directory", &EXPLOIT),
    class("crlf", "a line end, and a line of a protocol behind it", &EXPLOIT),
    class("scanner", "a program that looks for weaknesses", &SCANNING),
];

/// The kind as the list has it.
pub(super) const KIND: DetectorKind = DetectorKind {
    signature: &Signature {
        name: "web_attack",
        summary: "attacks on web applications in paths, queries, headers and values",
        doc: "Classes: `jndi`, `sqli`, `xss`, `traversal` (local files too), `cmdi`, `code`, `ssti`, `ssrf` (remote files and \
              redirects too), `xxe`, `nosql`, `ldap`, `crlf`, `scanner`. Each parameter of a query is looked at by itself, decoded \
              up to three times. In free text (`message`) a score counts a quarter less, since prose may speak of an attack.",
        form: "web_attack",
        options: OPTIONS,
        examples: &[Example {
            title: "a parameter that adds a condition",
            source: "detect web_attack on .url.query",
            input: r#"{"url":{"query":"id=7%27+or+7%3D7--+-"}}"#,
            result: r#"{"detections":[{"detector":"web_attack","class":"sqli","rule":"tautology","field":"url.query","evidence":"%27+or+7%3D7--+-","technique":"T1190","score":94}],"event":{"kind":"alert"},"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0001"],"name":["Initial Access"]},"technique":{"id":["T1190"],"name":["Exploit Public-Facing Application"]}},"url":{"query":"id=7%27+or+7%3D7--+-"}}"#,
        }],
    },
    classes: CLASSES,
    make: |_| Ok(Box::new(WebAttack)),
};

/// What a class saw in a view: rule, score, range of the view.
struct Sign {
    rule: &'static str,
    score: u8,
    range: Range<usize>,
}

struct WebAttack;

/// Bytes that plain values are made of.
const PLAIN: Bytes = Bytes::DIGIT.with(Bytes::LETTER);

impl Detector for WebAttack {
    #[inline]
    fn may(&self, value: &[u8], bytes: Bytes, kind: Kind) -> bool {
        gate::may(value, bytes, kind)
    }

    fn find(&self, views: &Views<'_>, hits: &mut Vec<Hit>) {
        let text = views.kind == Kind::Text;
        let mut tokens = Vec::new();
        split::parts(views, &mut |part, place| {
            // What would be turned away alone says no more beside others.
            if !gate::may(part.raw, part.bytes, part.kind) {
                return;
            }
            look(part, &mut tokens, &mut |class, view, sign| {
                // What another site's query asks for is that site's affair.
                if class == SSRF && views.kind == Kind::Referrer {
                    return;
                }
                let range = place.range(view.raw(sign.range));
                let score = if text { sign.score - sign.score / 4 } else { sign.score };
                hits.push(Hit { class, rule: sign.rule, score, range, secret: false });
            });
        });
    }
}

/// Bytes that no language but that of names needs.
const NAMES: Bytes = PLAIN.with(Bytes::WORD).with(Bytes::DASH).with(Bytes::DOT).with(Bytes::EQUALS);

type Seer<'s> = dyn FnMut(u8, &View, Sign) + 's;

/// Looks at one part for every class.
fn look(part: &Views<'_>, tokens: &mut Vec<sql::Token>, see: &mut Seer<'_>) {
    let lower = part.lower();
    if part.kind == Kind::Document {
        return look_at_document(part, see);
    }
    if part.kind == Kind::Agent {
        tell(see, SCANNER, scanner::look(lower.bytes()), lower);
    }
    tell(see, TRAVERSAL, files::look(part.path(), lower, part.kind), part.path());
    jndi(part, see);
    let bytes = Bytes::of(lower.bytes());
    look_at(lower, part.decoded().bytes(), bytes, part.kind, tokens, see);
    if is_name(lower.bytes(), bytes, part.kind) {
        return;
    }
    let unescaped = part.unescaped();
    tell(see, XSS, xss::look(unescaped.bytes(), part.kind), unescaped);
    tell(see, XXE, xml::look(unescaped.bytes(), part.kind), unescaped);
    // What reads entities or escapes before it reads the value.
    if unescaped.bytes() != lower.bytes() {
        let bytes = Bytes::of(unescaped.bytes());
        look_at(unescaped, b"", bytes, part.kind, tokens, see);
    }
}

/// Whether a text is but a name, which only few languages take for more: `~-` is the shell's, `window.location` a
/// script's, and a program that calls itself by a command's name is none.
fn is_name(text: &[u8], bytes: Bytes, kind: Kind) -> bool {
    bytes.only(NAMES)
        && kind != Kind::Agent
        && !text.starts_with(b"~")
        && !(kind != Kind::Path && xss::NAMES.iter().any(|name| text.starts_with(name.as_bytes())))
}

fn tell(see: &mut Seer<'_>, class: u8, sign: Option<Sign>, view: &View) {
    if let Some(sign) = sign {
        see(class, view, sign);
    }
}

/// Lookups, in what a logger would be given and in what a page would make of it.
fn jndi(part: &Views<'_>, see: &mut Seer<'_>) {
    let (decoded, bytes) = (part.decoded(), Bytes::of(part.decoded().bytes()));
    if bytes.any(Bytes::DOLLAR) && bytes.any(Bytes::CURLY) {
        let range = jndi::lookup(decoded.bytes());
        tell(see, JNDI, range.map(|range| Sign { rule: "lookup", score: 100, range }), decoded);
    }
    if bytes.any(Bytes::DOLLAR.with(Bytes::AMPERSAND).with(Bytes::BACKSLASH)) {
        // Escaped, or put together from lookups that give signs.
        tell(see, JNDI, jndi::disguised(part.unescaped().bytes()), part.unescaped());
    }
}

/// What a document itself can do, apart from its values.
fn look_at_document(part: &Views<'_>, see: &mut Seer<'_>) {
    let (lower, unescaped) = (part.lower(), part.unescaped());
    if lower.bytes().trim_ascii_start().starts_with(b"<") {
        tell(see, XXE, xml::look(lower.bytes(), part.kind), lower);
    } else {
        tell(see, NOSQL, query::nosql(unescaped.bytes()), unescaped);
    }
}

/// Looks at one view for the classes that read it as it is; `exact` is the same before it was made lower case, and empty
/// where references were resolved in it.
fn look_at(
    view: &View,
    exact: &[u8],
    bytes: Bytes,
    kind: Kind,
    tokens: &mut Vec<sql::Token>,
    see: &mut Seer<'_>,
) {
    let text = view.bytes();
    tell(see, CODE, code::look(text, exact, kind), view);
    tell(see, SSRF, remote::look(text, kind), view);
    if !bytes.only(NAMES) || bytes.any(Bytes::WORD) || sql::is_catalog(text) {
        tell(see, SQLI, sql::score(text, tokens), view);
    }
    if is_name(text, bytes, kind) {
        return;
    }
    tell(see, CMDI, shell::look(text, kind), view);
    if bytes.any(
        Bytes::CURLY
            .with(Bytes::SQUARE)
            .with(Bytes::ANGLE)
            .with(Bytes::AT)
            .with(Bytes::PIPE)
            .with(Bytes::HASH),
    ) {
        tell(see, SSTI, template::look(text), view);
    }
    if bytes.any(Bytes::DOLLAR.with(Bytes::EQUALS).with(Bytes::DOT).with(Bytes::SEMICOLON)) {
        tell(see, NOSQL, query::nosql(text), view);
    }
    if bytes.any(LDAP_MARKS) && kind != Kind::Text {
        tell(see, LDAP, query::ldap(text), view);
    }
    if bytes.any(Bytes::LINE) {
        tell(see, CRLF, query::lines(text), view);
    }
}

/// Bytes one of which a filter of LDAP has.
const LDAP_MARKS: Bytes =
    Bytes::ROUND.with(Bytes::STAR).with(Bytes::PIPE).with(Bytes::BANG).with(Bytes::AMPERSAND);
