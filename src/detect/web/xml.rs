//! Documents and queries of XML: entities that read files or ask other servers, inclusions, paths.

use std::sync::LazyLock;

use super::Sign;
use super::forms::{Form, Forms};
use super::query::{Best, find};
use crate::detect::Kind;

/// What documents and queries of XML have.
const DOCUMENTS: &[Form] = &[
    ("<!element", 78),
    ("<!attlist", 78),
    ("<!notation", 80),
    ("xi:include", 88),
    ("xinclude", 82),
    ("xsi:schemalocation", 70),
    ("<xsl:", 76),
    ("<?xml-stylesheet", 55),
    ("+adw-", 70),
    ("<![cdata[", 62),
    ("/child::", 70),
    ("ancestor::", 70),
    ("descendant::", 70),
    ("parent::", 66),
    ("following-sibling::", 70),
    ("child::node()", 74),
    ("name(/", 70),
    ("string-length(/", 74),
    ("count(/", 72),
    ("document('", 62),
    ("or position()", 70),
    ("//*[", 68),
    ("text()=", 68),
    ("soap:envelope", 60),
    ("<methodcall>", 62),
];

/// External entities, inclusions and queries of XML.
pub(super) fn look(text: &[u8], kind: Kind) -> Option<Sign> {
    let mut best = Best(None);
    references(text, &mut best);
    // A path to every node there is.
    if text.trim_ascii_start().starts_with(b"//*") {
        best.see("every_node", 64, 0..text.len());
    }
    if let Some(declared) = text.trim_ascii_start().strip_prefix(b"<?xml ") {
        let end = find(declared, "?>");
        // A value that is but this asks whether somebody reads it, in which encoding.
        let alone = end.is_some_and(|end| declared[end + 2..].trim_ascii().is_empty());
        if kind != Kind::Document
            && alone
            && find(declared, "encoding=").is_some()
            && find(declared, "utf-8").is_none()
        {
            best.see("declaration", 62, 0..text.len());
        }
        // Encodings that those who look do not read.
        let declared = &declared[..end.unwrap_or(declared.len())];
        if ["utf-7", "utf-16", "ucs-2", "ucs-4", "utf-32", "ibm037", "cp037"]
            .iter()
            .any(|name| find(declared, name).is_some())
        {
            best.see("encoding", 70, 0..text.len());
        }
    }
    let entity = find(text, "<!entity");
    let doctype = find(text, "<!doctype");
    let external = find(text, " system").or_else(|| find(text, " public")).is_some();
    if let Some(at) = entity {
        let score = if external || find(&text[at..], "%").is_some() { 94 } else { 84 };
        best.see("entity", score, at..text.len());
    }
    if let Some(at) = doctype {
        let html = find(&text[at..], "html").is_some_and(|found| found < 14);
        let subset = find(&text[at..], "[").is_some();
        best.see(
            "doctype",
            if external && !html {
                86
            } else if subset {
                80
            } else if html {
                20
            } else {
                66
            },
            at..text.len(),
        );
    }
    static FOUND: LazyLock<Forms> = LazyLock::new(|| Forms::new(DOCUMENTS));
    FOUND.each(text, &mut |score, range| best.see("xml", score, range.start..text.len()));
    best.0
}

/// Names of characters that HTML has (HTML 4.01 §24) and others do not resolve.
const CHARACTERS: &str = "quot amp lt gt apos nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg \
    plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest agrave aacute acirc atilde auml aring aelig \
    ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml times oslash ugrave uacute ucirc \
    uuml yacute thorn szlig divide yuml fnof alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf \
    sigma tau upsilon phi chi psi omega thetasym upsih piv bull hellip prime oline frasl weierp image real trade alefsym larr uarr rarr \
    darr harr crarr forall part exist empty nabla isin notin ni prod sum minus lowast radic prop infin ang and or cap cup int there4 sim \
    cong asymp ne equiv le ge sub sup nsub sube supe oplus otimes perp sdot lceil rceil lfloor rfloor lang rang loz spades clubs hearts \
    diams oelig scaron circ tilde ensp emsp thinsp zwnj zwj lrm rlm ndash mdash lsquo rsquo sbquo ldquo rdquo bdquo dagger permil lsaquo \
    rsaquo euro check hyphen star phone";

/// Entities that only a document's own type can say: the whole value, or what stands in an element.
fn references(text: &[u8], best: &mut Best) {
    let name = |text: &[u8]| {
        let len = text
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            .count();
        (len > 1 && text[0].is_ascii_alphabetic() && text.get(len) == Some(&b';')).then_some(len)
    };
    let value = text.trim_ascii();
    if let [b'%' | b'&', rest @ ..] = value
        && let Some(len) = name(rest)
        && len + 1 == rest.len()
        && !is_character(&rest[..len])
    {
        best.see("reference", 64, 0..text.len());
    }
    if memchr::memchr(b'<', text).is_none() {
        return;
    }
    for at in memchr::memchr_iter(b'&', text).take(32) {
        let rest = &text[at + 1..];
        let Some(len) = name(rest).filter(|len| !is_character(&rest[..*len])) else { continue };
        // `>…&name;…</`
        let before = memchr::memrchr2(b'<', b'>', &text[..at]).is_some_and(|mark| text[mark] == b'>');
        let after = memchr::memchr(b'<', &rest[len..]).map(|mark| &rest[len + mark..]);
        if before && after.is_some_and(|after| after.starts_with(b"</")) {
            best.see("reference", 66, at..text.len());
        }
    }
}

fn is_character(name: &[u8]) -> bool {
    CHARACTERS.split_ascii_whitespace().any(|known| known.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_do_more_than_say_something() {
        let of = |text: &str| look(text.as_bytes(), Kind::Value).map_or(0, |sign| sign.score);
        let attacks = [
            "<!doctype a [<!entity b system \"file:///c\">]>",
            "<xi:include href=\"x\"/>",
            "%remote;",
            "//*[name()='x']",
            "<a><b>x &secret; y</b></a>",
            "<?xml version='1.0' encoding='utf-7'?>+adw-a+ad4-",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign = [
            "<!doctype html>",
            "a < b",
            "&eacute;",
            "100% sure; maybe",
            "<p>caf&eacute; &mdash; open</p>",
            "<?xml version=\"1.0\"?><a/>",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
