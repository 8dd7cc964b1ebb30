//! XML (W3C, "Extensible Markup Language (XML) 1.0", 5th edition) as an object: what logs hold of it, read in one pass.
//!
//! An element with neither attributes nor elements in it is its text. Entities that a document defines are not
//! expanded: a document could make gigabytes of a few of them.

mod read;
mod write;

use super::members::{Derived, part};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Options, Slot, Span, Texts, Value};
use crate::signature::{Example, OptionSpec, OptionType, Signature};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "xml",
        summary: "an XML document; its elements become objects",
        doc: "An element that holds only text is that text; else attributes, elements and text are its members. Elements of \
              one name in one element are a list. Blanks around text do not count. Values are text.",
        form: "xml",
        options: &[
            OptionSpec {
                name: "attribute_prefix",
                ty: OptionType::Text,
                default: Some("\"@\""),
                doc: "what stands before the names of attributes",
            },
            OptionSpec {
                name: "text_key",
                ty: OptionType::Text,
                default: Some("\"#text\""),
                doc: "the key of text in an element that holds more",
            },
            OptionSpec {
                name: "named_by",
                ty: OptionType::Text,
                default: Some("\"\""),
                doc: "an attribute that names elements of one name, which become members instead of a list (`Name`: Windows events)",
            },
        ],
        examples: &[
            Example {
                title: "attributes and a list",
                source: "parse .message as xml",
                input: r#"{"message": "<order id=\"7\"><item>pen</item><item n=\"2\">ink &amp; nib</item><note/></order>"}"#,
                result: r##"{"message": "<order id=\"7\"><item>pen</item><item n=\"2\">ink &amp; nib</item><note/></order>", "order": {"@id": "7", "item": ["pen", {"@n": "2", "#text": "ink & nib"}], "note": ""}}"##,
            },
            Example {
                title: "elements named by an attribute",
                source: "parse .message as xml(named_by = \"Name\")",
                input: r#"{"message": "<d><Data Name=\"user\">eve</Data><Data Name=\"host\">web-1</Data></d>"}"#,
                result: r#"{"message": "<d><Data Name=\"user\">eve</Data><Data Name=\"host\">web-1</Data></d>", "d": {"Data": {"user": "eve", "host": "web-1"}}}"#,
            },
        ],
    },
    gives: |options| {
        Shape::new(options)?;
        Ok(Gives { fields: Vec::new(), open: true })
    },
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Xml { root: bind.root()?, shape: Shape::new(bind.options)? })),
};

/// How elements become objects.
#[derive(Clone, Debug)]
pub struct Shape {
    attribute: Box<str>,
    text: Box<str>,
    named_by: Box<str>,
}

impl Shape {
    fn new(options: &Options) -> Result<Self, String> {
        let text = |name, default| options.text(name).unwrap_or(default);
        let shape = Self {
            attribute: text("attribute_prefix", "@").into(),
            text: text("text_key", "#text").into(),
            named_by: text("named_by", "").into(),
        };
        if shape.text.is_empty() {
            return Err("`text_key` may not be empty".into());
        }
        Ok(shape)
    }

    /// That of grammars: attributes with `@`, and elements named by their attribute `Name`.
    pub fn of_grammars() -> Self {
        Self { attribute: "@".into(), text: "#text".into(), named_by: "Name".into() }
    }
}

/// Writes a document as one member of a JSON object, `{"root": …}`, to `out`.
pub fn to_json(xml: &[u8], shape: &Shape, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let document = read::document(xml)?;
    out.push(b'{');
    write::member(&document, xml, shape, out);
    out.push(b'}');
    Ok(())
}

struct Xml {
    root: Slot,
    shape: Shape,
}

impl Format for Xml {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        if texts.text(input).is_none() {
            return Err(Mismatch::at(0, "not utf-8"));
        }
        let mut derived = Derived::new(texts);
        let done = read::document(texts.bytes(input)).map(|document| {
            let name = document.name();
            let object = write::value(&document, texts.bytes(input), &self.shape, &mut derived.bytes);
            let span = derived.span(0);
            let value = if object {
                Value::Object(span)
            } else {
                // The text of the root alone, without the quotes of JSON.
                derived.bytes.clear();
                write::text(&document, texts.bytes(input), &mut derived.bytes);
                Value::Text(derived.span(0))
            };
            fields.push((Target::Key(self.root, part(input, name.start, name.len())), value));
        });
        derived.finish(texts);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(xml: &str) -> String {
        let mut out = Vec::new();
        match to_json(xml.as_bytes(), &Shape::of_grammars(), &mut out) {
            Ok(()) => String::from_utf8(out).expect("json is text"),
            Err(mismatch) => format!("{}: {}", mismatch.offset, mismatch.reason),
        }
    }

    #[test]
    fn elements_become_members() {
        for (xml, expected) in [
            ("<a/>", r#"{"a":""}"#),
            (
                "\u{feff}<?xml version=\"1.0\"?>\n<!-- x --><a>&lt;b&gt; &#65;&#x42; &other;</a>",
                r#"{"a":"<b> AB &other;"}"#,
            ),
            ("<a x='1' y=\"&quot;2&quot;\"> t </a>", r##"{"a":{"@x":"1","@y":"\"2\"","#text":"t"}}"##),
            ("<a><b>1</b><c/><b>2</b></a>", r#"{"a":{"b":["1","2"],"c":""}}"#),
            ("<a><![CDATA[<b>&amp;]]></a>", r#"{"a":"<b>&amp;"}"#),
            (
                "<e><d Name='u'>x</d><d Name='u'>y</d><d Name='v'>z</d></e>",
                r#"{"e":{"d":{"u":["x","y"],"v":"z"}}}"#,
            ),
            ("<e><d Name='u'>x</d><d>y</d></e>", r##"{"e":{"d":[{"@Name":"u","#text":"x"},"y"]}}"##),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", r#"{"a":"&x;"}"#),
            ("<n:a xmlns:n='u'>1</n:a>", r##"{"n:a":{"@xmlns:n":"u","#text":"1"}}"##),
        ] {
            assert_eq!(json(xml), expected, "{xml}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (xml, expected) in [
            ("", "0: no xml element"),
            ("text", "0: no xml element"),
            ("<a>", "3: an xml element is not closed"),
            ("<a></b>", "3: an xml element is closed by another's name"),
            ("<a></a><b/>", "7: text behind the xml document"),
            ("<a x>", "3: not an xml attribute"),
            ("<a x=1>", "3: not an xml attribute"),
            ("<a x='1' x='2'/>", "9: an xml attribute is there twice"),
            ("<a><!-- </a>", "3: an xml comment is not closed"),
        ] {
            assert_eq!(json(xml), expected, "{xml}");
        }
        let deep = "<a>".repeat(100_000);
        assert!(json(&deep).ends_with("xml is nested too deeply"));
    }
}
