//! Cross-site scripting: the value is read as HTML by the states of the tokenizer (HTML Standard §13.2.5), in the places
//! it may be put in: as content, in an attribute's value, in a script's string.
//!
//! What counts is what would run: elements that run or load something, attributes that are event handlers, URLs whose
//! scheme is code, CSS that is code, and a string of a script that ends early and calls something.

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};
use crate::detect::Kind;

/// Elements that run, load or lead away, and how clear that is.
const ELEMENTS: &[(&str, u8)] = &[
    ("script", 96),
    ("iframe", 92),
    ("frame", 88),
    ("frameset", 88),
    ("object", 88),
    ("embed", 88),
    ("applet", 92),
    ("meta", 85),
    ("base", 85),
    ("link", 82),
    ("style", 82),
    ("svg", 82),
    ("math", 78),
    ("xml", 80),
    ("xss", 80),
    ("import", 80),
    ("layer", 80),
    ("ilayer", 80),
    ("bgsound", 80),
    ("isindex", 80),
    ("template", 75),
    ("noscript", 75),
    ("portal", 78),
    ("html", 75),
    ("head", 70),
    ("body", 75),
    ("form", 72),
    ("input", 72),
    ("button", 70),
    ("textarea", 70),
    ("select", 62),
    ("title", 66),
    ("video", 72),
    ("audio", 72),
    ("source", 70),
    ("marquee", 72),
    ("img", 72),
    ("image", 72),
    ("keygen", 72),
    ("details", 70),
    ("dialog", 68),
    ("event-source", 75),
    ("div", 62),
    ("span", 60),
    ("table", 62),
    ("td", 60),
    ("a", 62),
    ("p", 50),
    ("b", 50),
    ("i", 50),
    ("br", 50),
    ("h1", 55),
    ("center", 55),
    ("font", 55),
    ("comment", 60),
    ("plaintext", 70),
    ("noembed", 70),
    ("listing", 62),
    ("xmp", 70),
    ("animate", 72),
    ("set", 70),
    ("use", 66),
    ("foreignobject", 75),
    ("param", 66),
    ("label", 55),
    ("blink", 60),
    ("canvas", 60),
    ("!entity", 75),
    ("!doctype", 62),
    ("!element", 62),
    ("!attlist", 62),
];

/// Event handlers of HTML, SVG and of browsers gone by, without their `on`.
const EVENTS: &str = "abort activate afterprint afterscriptexecute animationcancel animationend animationiteration animationstart \
    auxclick beforeactivate beforecopy beforecut beforedeactivate beforeeditfocus beforeinput beforepaste beforeprint beforescriptexecute beforetoggle beforeunload begin \
    blur bounce cancel canplay canplaythrough cellchange change click close contextmenu controlselect copy cuechange cut dataavailable \
    datasetchanged datasetcomplete dblclick deactivate drag dragend dragenter dragexit dragleave dragover dragstart drop durationchange emptied end ended error \
    errorupdate filterchange finish focus focusin focusout formchange formdata forminput fullscreenchange gotpointercapture hashchange help input invalid keydown keypress \
    keyup languagechange layoutcomplete load loadeddata loadedmetadata loadend loadstart losecapture lostpointercapture mediacomplete mediaerror message \
    messageerror mousedown mouseenter mouseleave mousemove mouseout mouseover mouseup mousewheel move moveend movestart mozfullscreenchange offline online outofsync pagehide \
    pageshow paste pause play playing pointercancel pointerdown pointerenter pointerleave pointermove pointerout pointerover pointerrawupdate pointerup popstate progress \
    propertychange ratechange readystatechange rejectionhandled repeat reset resize resizeend resizestart resume reverse rowdelete rowenter rowexit rowinserted rowsdelete \
    rowsenter rowsinserted scroll scrollend search securitypolicyviolation seek seeked seeking select selectionchange selectstart show slotchange stalled start stop \
    storage submit suspend syncrestored timeerror timeupdate toggle touchcancel touchend touchmove touchstart trackchange transitioncancel transitionend transitionrun \
    transitionstart unhandledrejection unload urlflip volumechange waiting webkitanimationend webkitanimationiteration webkitanimationstart webkitmouseforcechanged \
    webkittransitionend wheel zoom visibilitychange beforematch contentvisibilityautostatechange snapchanged pagereveal pageswap webkitplaybacktargetavailabilitychanged webkitpresentationmodechanged";

/// Schemes whose URLs are code or documents.
const SCHEMES: &[&str] = &[
    "javascript:",
    "vbscript:",
    "livescript:",
    "mocha:",
    "data:text/html",
    "data:image/svg",
    "jar:",
    "view-source:",
    "data:application/x",
    "feed:javascript",
    "data:,",
    "data:;",
    "data:text/",
];

/// Names that scripts are made of, in the forms that matter in an injection.
const SINKS: &[Form] = &[
    ("document.cookie", 88),
    ("document.write", 88),
    ("document.domain", 82),
    ("document.location", 85),
    ("document.url", 75),
    ("document.body", 78),
    ("document.documentelement", 78),
    ("document.createelement", 88),
    ("document.getelement", 80),
    ("document.queryselector", 80),
    ("document.implementation", 75),
    ("document.vulnerable", 70),
    ("document[", 80),
    ("window.location", 82),
    ("window.open", 78),
    ("window.name", 75),
    ("window[", 82),
    ("self[", 78),
    ("this[", 70),
    ("top[", 78),
    ("parent[", 70),
    ("globalthis", 70),
    ("location.href", 78),
    ("location.hash", 78),
    ("location.assign", 82),
    ("location.replace", 80),
    ("location=", 75),
    (".innerhtml", 82),
    (".outerhtml", 82),
    (".insertadjacenthtml", 85),
    (".parentnode", 72),
    (".constructor", 66),
    (".fromcharcode", 88),
    ("fromcodepoint", 80),
    (".fromelement", 70),
    ("localstorage", 72),
    ("sessionstorage", 72),
    ("xmlhttprequest", 80),
    ("activexobject", 85),
    (".createobject", 72),
    ("importscripts", 80),
    ("dynamicimport", 70),
    ("unescape(", 66),
    ("decodeuricomponent(", 62),
    ("atob(", 70),
    ("eval(", 80),
    ("execscript(", 88),
    ("setattribute(", 70),
    ("settimeout(", 80),
    ("setinterval(", 80),
    ("setimmediate(", 80),
    ("msgbox(", 78),
    ("alert(", 82),
    ("alert`", 82),
    ("prompt(", 78),
    ("prompt`", 80),
    ("confirm(", 78),
    ("confirm`", 80),
    ("print(", 55),
    ("fetch(", 66),
    ("$.get", 62),
    ("$.getscript", 80),
    ("jquery.", 60),
    ("function(){", 66),
    ("new function", 76),
    ("function(", 50),
    ("reflect.", 62),
    (".onerror", 72),
    ("throw onerror", 80),
    ("fscommand", 75),
    ("seeksegmenttime", 75),
    ("@import ", 72),
    ("@import'", 76),
    ("@import\"", 76),
    ("expression(", 82),
    ("-moz-binding", 85),
    ("behavior:url", 80),
    ("behaviour:", 70),
    ("binding:url", 80),
    ("url(javascript", 82),
];

/// Names that only scripts use.
pub(super) const NAMES: [&str; 6] = [
    "document.cookie",
    "document.domain",
    "document.write",
    "document.location",
    "window.location",
    "window.name",
];

/// The best sign of a text in lower case, in which references and escapes are resolved.
pub(super) fn look(text: &[u8], kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    // A document of XML has elements of its own.
    let document = text.trim_ascii_start().starts_with(b"<?xml");
    for at in memchr::memchr_iter(b'<', text).take(TAGS_MAX) {
        tag(text, at, document, &mut see);
    }
    attributes(text, 0, text.len().min(ATTRIBUTES_BYTES_MAX), false, &mut see);
    scheme(text, 0..text.len(), &mut see);
    // The path of a page about scripts names what they use.
    if kind != Kind::Path
        || memchr::memchr2(b'(', b'<', text).is_some()
        || memchr::memchr2(b'\'', b'=', text).is_some()
    {
        script(text, &mut see);
    }
    broken(text, &mut see);
    symbols(text, &mut see);
    best
}

/// Tags that are read; those behind them say no more.
const TAGS_MAX: usize = 64;
/// Bytes in which attributes without a tag are looked for.
const ATTRIBUTES_BYTES_MAX: usize = 8192;
/// Bytes of one tag.
const TAG_BYTES_MAX: usize = 2048;

type See<'s> = dyn FnMut(&'static str, u8, Range<usize>) + 's;

/// A tag that opens at `<`.
fn tag(text: &[u8], at: usize, document: bool, see: &mut See<'_>) {
    let mut from = at + 1;
    // `</x`, `<\x00x`, `< x`: some readers skip what does not belong.
    while matches!(text.get(from), Some(b'/' | 0..=32 | b'\\')) && from < at + 8 {
        from += 1;
    }
    let closing = text[at + 1..from].contains(&b'/');
    let spaced = text[at + 1..from].contains(&b' ');
    let rest = text.get(from..).unwrap_or_default();
    if rest.starts_with(b"!--") {
        return see("comment", 66, at..from + 3);
    }
    if rest.starts_with(b"![cdata[") || rest.starts_with(b"![endif") || rest.starts_with(b"!--[if") {
        return see("section", 72, at..from + 8);
    }
    if rest.starts_with(b"?import") {
        return see("instruction", 70, at..(from + 8).min(text.len()));
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b':' | b'-' | b'!' | b'_');
    let name_len = rest.iter().take_while(is_name).count();
    let name = &rest[..name_len];
    if name.is_empty() || !matches!(name[0], b'a'..=b'z' | b'!') {
        return;
    }
    let local = memchr::memrchr(b':', name).map_or(name, |colon| &name[colon + 1..]);
    let known = ELEMENTS.iter().find(|(element, _)| element.as_bytes() == local).map(|(_, score)| *score);
    // `<scr<script>ipt>` and `<scriptx`: what is left when a filter has taken something out.
    let split = known.is_none() && name.starts_with(b"scr") && name_len <= 6;
    let end = (from + name_len..text.len().min(from + TAG_BYTES_MAX)).find(|at| text[*at] == b'>');
    let to = end.unwrap_or(text.len().min(from + TAG_BYTES_MAX));
    let ended =
        matches!(rest.get(name_len), None | Some(b'>' | b'/' | b'<' | b'#' | 0..=32 | b'"' | b'\'' | b'`'));
    let known = if document && local != b"script" { None } else { known };
    let score = match known {
        Some(score) if spaced && !closing => score.saturating_sub(20),
        Some(score) if ended => {
            if closing {
                score.saturating_sub(10).max(55)
            } else {
                score
            }
        }
        Some(score) => score.saturating_sub(12),
        None if split => 66,
        // A name with a dash is a custom element; `a<b` is a comparison.
        None if !document && end.is_some() && name_len > 1 && ended => 45,
        None => 0,
    };
    if score > 0 {
        see(if closing { "end_tag" } else { "element" }, score, at..to);
    }
    if !closing {
        attributes(text, from + name_len, to, true, see);
        scheme(text, from..to, see);
    }
}

/// Event handlers and style in what may be attributes.
fn attributes(text: &[u8], from: usize, to: usize, in_tag: bool, see: &mut See<'_>) {
    let part = text.get(from..to).unwrap_or_default();
    for equals in memchr::memchr_iter(b'=', part) {
        let mut end = equals;
        while end > 0 && (part[end - 1] <= b' ') {
            end -= 1;
        }
        let start = part[..end].iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        let name = &part[start..end];
        let before = start.checked_sub(1).map(|at| part[at]);
        if name.len() > 4 && name.starts_with(b"on") && end - start < 48 {
            let known = is_event(&name[2..]);
            let broken =
                matches!(before, Some(b'"' | b'\'' | b'`' | b'/' | 0..=32 | b'>' | b'+' | b';' | 0x7f..));
            let value = part.get(equals + 1..).unwrap_or_default().trim_ascii_start();
            let score = match (in_tag, known) {
                (true, true) => 94,
                (true, false) => 66,
                (false, true) if broken && !value.is_empty() => 84,
                (false, true) if before.is_none() => {
                    if value.contains(&b'(') {
                        80
                    } else {
                        50
                    }
                }
                (false, true) => 55,
                (false, false) => {
                    if broken && before != Some(b' ') && value.contains(&b'(') {
                        62
                    } else {
                        0
                    }
                }
            };
            if score > 0 {
                see("handler", score, from + start..to);
            }
        }
        if in_tag && name == b"style" {
            see("style", 68, from + start..to);
        }
        if in_tag
            && matches!(
                name,
                b"src"
                    | b"href"
                    | b"action"
                    | b"formaction"
                    | b"data"
                    | b"background"
                    | b"dynsrc"
                    | b"lowsrc"
                    | b"srcdoc"
                    | b"codebase"
                    | b"poster"
                    | b"datasrc"
                    | b"xlink"
            )
        {
            see("loads", if name == b"srcdoc" { 90 } else { 74 }, from + start..to);
        }
    }
}

/// An attribute's value that ends early: `">…</a>`, `" x="…" />`.
fn broken(text: &[u8], see: &mut See<'_>) {
    let ends = words::find(text, b"\">").or_else(|| words::find(text, b"'>"));
    if let Some(at) = ends
        && words::find(&text[at..], b"</").is_some()
    {
        see("attribute_end", 66, at..text.len());
    }
    if let Some(at) = words::find(text, b"=\"")
        && words::find(&text[at..], b"/>").is_some()
        && memchr::memchr(b'<', text).is_none()
    {
        see("attribute_end", 64, at..text.len());
    }
    if words::find(text, b"-->").is_some() {
        see("comment_end", 62, 0..text.len());
    }
}

fn is_event(name: &[u8]) -> bool {
    static TABLE: LazyLock<std::collections::HashSet<&'static [u8]>> =
        LazyLock::new(|| EVENTS.split_ascii_whitespace().map(str::as_bytes).collect());
    TABLE.contains(name)
}

/// A URL that is code. Browsers skip blanks and control bytes inside of a scheme.
fn scheme(text: &[u8], range: Range<usize>, see: &mut See<'_>) {
    let part = text.get(range.clone()).unwrap_or_default();
    for colon in memchr::memchr_iter(b':', part).take(TAGS_MAX) {
        // The letters before the colon, backwards, without blanks.
        let (mut letters, mut at) = ([0u8; 16], colon);
        let mut len = 0;
        while at > 0 && len < letters.len() && colon - at < 64 {
            let byte = part[at - 1];
            if byte.is_ascii_alphabetic() || byte == b'-' {
                len += 1;
                letters[16 - len] = byte;
            } else if byte > b' ' && byte != b'\\' || len == 0 && byte == b' ' {
                break;
            }
            at -= 1;
        }
        let word = &letters[16 - len..];
        let is = |scheme: &str| {
            let (name, rest) = scheme.split_once(':').unwrap_or((scheme, ""));
            word.ends_with(name.as_bytes()) && part[colon + 1..].starts_with(rest.as_bytes())
        };
        if let Some(found) = SCHEMES.iter().find(|scheme| is(scheme)) {
            let code = found.starts_with("data:,")
                || found.starts_with("data:;")
                || found.starts_with("jar")
                || *found == "data:text/";
            see("scheme", if code { 66 } else { 86 }, range.start + at..range.end);
        }
    }
}

/// Words of scripts, and a string that ends early.
fn script(text: &[u8], see: &mut See<'_>) {
    static FIND: LazyLock<Forms> = LazyLock::new(|| Forms::new(SINKS));
    let (mut best, mut seen, mut range) = (0u8, 0u32, 0..0);
    for (&(word, score), found) in FIND.apart(text).take(TAGS_MAX) {
        let start = found.start();
        let glued =
            start > 0 && text[start - 1].is_ascii_alphanumeric() && !word.starts_with(['.', '-', '@']);
        // Filters take brackets away and leave `scriptdocument.cookie`.
        let glued = glued && !text[..start].ends_with(b"script");
        if glued {
            continue;
        }
        // A call with something in it, `a.b` with something done to it.
        seen += 1;
        // Nothing is called with nothing.
        let score = if word.ends_with('(') && found.end() == text.len() { score - 30 } else { score };
        if score > best {
            (best, range) = (score, start..found.end());
        }
    }
    if best > 0 {
        let broken = text
            .iter()
            .take(range.start)
            .any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'<' | b'>' | b';' | b'}' | b'(' | b'='));
        let score =
            best.saturating_add(if seen > 1 { 6 } else { 0 }).saturating_add(if broken { 6 } else { 0 });
        see("script", score.min(97), range);
    }
    // A call whose name is built: `[]['x']('…')`, `a=eval,a(…)`.
    if let Some(at) = words::find(text, b"](")
        && text[..at].contains(&b'[')
    {
        let strings = text[..at].iter().filter(|byte| matches!(byte, b'\'' | b'"' | b'`')).count();
        if strings >= 2 {
            see("built_call", 66, 0..at + 2);
        }
    }
}

/// Code that is written in brackets and signs alone.
fn symbols(text: &[u8], see: &mut See<'_>) {
    if text.len() < 24 {
        return;
    }
    let signs = text
        .iter()
        .filter(|byte| matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+' | b'{' | b'}' | b'$' | b'_'))
        .count();
    let calls = text.iter().filter(|byte| matches!(byte, b'(' | b'[')).count();
    if signs * 5 > text.len() * 4 && calls >= 4 {
        see("symbols", 82, 0..text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u8 {
        look(text.to_ascii_lowercase().as_bytes(), Kind::Value).map_or(0, |sign| sign.score)
    }

    #[test]
    fn what_would_run_scores() {
        let attacks = [
            "<script>x()</script>",
            "<ScRiPt src=//a.example>",
            "\"><img src=x onerror=f(1)>",
            "' onfocus=f() autofocus x='",
            "java\tscript:f()",
            "<a href=\"jav&#x09;ascript:f()\">",
            "<svg/onload=f()>",
            "';alert(7)//",
            "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>",
            "<div style='width:expression(f())'>",
            "[][(![]+[])[+[]]+([![]]+[][[]])[+!+[]+[+[]]]]",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign = [
            "a < b and c > d",
            "x<y",
            "I <3 you",
            "once=1 only=2",
            "condition=new",
            "one two: three",
            "price: 5 (alert me)",
            "script for a play",
            "description: text",
            "http://example.com/?a=b",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
