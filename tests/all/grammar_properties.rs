//! Claims about all grammars and formats, whatever they are given.

use std::cell::RefCell;

use aludel::event::{OptionValue, Options};
use aludel::format::{self, Reference};
use aludel::grammar::{self, Found, Reader};
use proptest::prelude::*;

/// A reader for each of them, with the options that some need.
pub(crate) fn readers() -> Vec<(&'static str, Reader)> {
    grammar::names()
        .chain([grammar::AUTO])
        .map(|name| {
            let values = match name {
                "csv" => vec![(
                    "columns",
                    OptionValue::Texts(vec!["a".into(), "b:int".into(), "c:timestamp".into()]),
                )],
                "regex" => vec![("pattern", OptionValue::Text("(?<a__b>[a-z]+) (?<n__int>[0-9]+)".into()))],
                "grok" => vec![("pattern", OptionValue::Text("%{SYSLOGLINE}".into()))],
                "dissect" => vec![("pattern", OptionValue::Text("%{a} %{+a} [%{*k}=%{&k}] %{n|int}".into()))],
                _ => Vec::new(),
            };
            (
                name,
                Reader::new(name, &Options::new(Vec::new(), values), Reference::at(1 << 60))
                    .expect("a format"),
            )
        })
        .collect()
}

thread_local! {
    /// Binding all of them takes longer than a text does.
    static READERS: RefCell<Vec<(&'static str, Reader)>> = RefCell::new(readers());
}

/// Texts that grammars and formats are shown with.
fn samples() -> Vec<Vec<u8>> {
    let grammars =
        grammar::all().iter().flat_map(|grammar| grammar.samples().map(|(_, text)| text.as_bytes().to_vec()));
    let examples = format::formats().iter().flat_map(|format| format.signature.examples);
    let message = |input: &str| {
        let event: serde_json::Value = serde_json::from_str(input).ok()?;
        Some(event.as_object()?.values().next()?.as_str()?.as_bytes().to_vec())
    };
    grammars.chain(examples.filter_map(|example| message(example.input))).collect()
}

/// No text makes any of them panic, and what comes out is always one line of JSON that holds the text.
fn holds(readers: &mut [(&'static str, Reader)], text: &[u8]) {
    let mut out = Vec::new();
    for (name, reader) in readers {
        out.clear();
        reader.parse(text, Found::default(), &mut out);
        assert_eq!(memchr::memchr_iter(b'\n', &out).count(), 1, "{name}: more than a line for {text:?}");
        let event: serde_json::Value = match serde_json::from_slice(&out) {
            Ok(event) => event,
            // Numbers beyond `f64` keep their text, which `serde_json` refuses.
            Err(error) if error.to_string().contains("number out of range") => continue,
            Err(error) => panic!("{name}: {error} for {text:?}: {}", String::from_utf8_lossy(&out)),
        };
        let original = event["event"]["original"].as_str().unwrap_or_default();
        assert_eq!(original, String::from_utf8_lossy(text), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes without any meaning.
    #[test]
    fn bytes_never_panic(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 16)) {
        for text in texts {
            READERS.with_borrow_mut(|readers| holds(readers, &text));
        }
    }

    /// Samples with bytes changed, taken out, doubled and cut.
    #[test]
    fn mutated_samples_never_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 32),
    ) {
        let samples = samples();
        for (which, at, byte, how) in cuts {
            let mut text = which.get(&samples).clone();
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => { text.remove(at); }
                2 => { let tail = text[at..].to_vec(); text.extend(tail); }
                _ => text.truncate(at),
            }
            READERS.with_borrow_mut(|readers| holds(readers, &text));
        }
    }

    /// Grammar files: whatever is changed in one, loading gives a grammar or a report, never a panic.
    #[test]
    fn grammar_files_never_panic(
        which: prop::sample::Index, at: prop::sample::Index, len in 0..40usize, put in "[ -~\\n]{0,6}",
    ) {
        let (name, text) = which.get(grammar::files());
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = (at + len).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        if let Err(report) = grammar::Grammar::load(name, &String::from_utf8_lossy(&bytes)) {
            prop_assert!(!report.diagnostics.is_empty());
            aludel::diag::render(&report, false);
        }
    }
}
