//! Tags and attributes, as the tokenizer of HTML takes them.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{See, scheme};

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

/// Bytes of one tag.
const TAG_BYTES_MAX: usize = 2048;

/// A tag that opens at `<`.
pub(super) fn tag(text: &[u8], at: usize, document: bool, see: &mut See<'_>) {
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
pub(super) fn attributes(text: &[u8], from: usize, to: usize, in_tag: bool, see: &mut See<'_>) {
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

fn is_event(name: &[u8]) -> bool {
    static TABLE: LazyLock<HashSet<&'static [u8]>> =
        LazyLock::new(|| EVENTS.split_ascii_whitespace().map(str::as_bytes).collect());
    TABLE.contains(name)
}
