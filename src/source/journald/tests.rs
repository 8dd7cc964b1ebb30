//! Journal files that systemd wrote, read natively.

use std::io::Read;
use std::path::Path;
use std::sync::Mutex;

use proptest::prelude::*;

use super::format::header;
use super::tail::Tail;
use super::*;
use crate::event::OptionValue;
use crate::position::{Stream, StreamId};
use crate::source::recorded::Bytes;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/source/journald");
    let packed = std::fs::read(folder.join(name)).expect("a fixture");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn tail(bytes: Vec<u8>, from: u64) -> Option<Tail> {
    let stream = Stream { id: StreamId(1), generation: 0, source: "j".into(), path: "/j".into() };
    let file = Box::new(Bytes(bytes));
    let header = header(&*file).ok()?;
    Some(Tail::new(Arc::new(stream), file, header, from))
}

/// All entries from a position on: ranges and texts.
fn entries(bytes: Vec<u8>, from: u64, filter: &Filter) -> Vec<(std::ops::Range<u64>, String)> {
    let mut tail = tail(bytes, from).expect("a journal");
    let mut found = Vec::new();
    let mut out = Vec::new();
    while let Some(read) = tail.next(filter, &mut out) {
        assert_eq!((read.lost, read.partly), (None, None));
        found.push((read.range, String::from_utf8(std::mem::take(&mut out)).expect("text")));
    }
    assert_eq!(tail.broken, None);
    found
}

fn all() -> Filter {
    Filter::new(&Options::default())
}

#[test]
fn every_layout_gives_the_same_entries() {
    let wanted = include_str!("../../../fixtures/source/journald/special.ndjson");
    let [compact, regular] = ["compact.journal.gz", "regular.journal.gz"].map(|name| {
        let found = entries(fixture(name), 0, &all());
        found.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    });
    assert_eq!(compact, regular);
    assert_eq!(compact.len(), 66);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write("fixtures/source/journald/special.ndjson", compact[..6].join("\n") + "\n")
            .expect("written");
    }
    assert_eq!(compact[..6].join("\n") + "\n", wanted);
    assert!(compact[65].contains("\"message\":\"request 59\""));
}

/// Ranges follow each other without a gap, and reading on at any of their ends gives the rest.
#[test]
fn reading_may_begin_behind_any_entry() {
    let bytes = fixture("grown.journal.gz");
    let whole = entries(bytes.clone(), 0, &all());
    assert_eq!(whole.len(), 366);
    assert_eq!(whole[0].0.start, 0);
    assert!(whole.windows(2).all(|pair| pair[0].0.end == pair[1].0.start));
    for at in [0, 1, 5, 64, 65, 66, 200, 364, 365] {
        assert!(entries(bytes.clone(), whole[at].0.end, &all()) == whole[at + 1..], "behind entry {at}");
    }
    // What was there before is the same bytes in the file that has grown.
    assert!(entries(fixture("compact.journal.gz"), 0, &all()) == whole[..66]);
}

#[test]
fn only_what_is_wanted_is_read() {
    let count = |values: Vec<(&'static str, OptionValue)>| {
        let filter = Filter::new(&Options::new(Vec::new(), values));
        entries(fixture("compact.journal.gz"), 0, &filter).iter().filter(|(_, text)| !text.is_empty()).count()
    };
    let texts = |texts: &[&str]| OptionValue::Texts(texts.iter().map(ToString::to_string).collect());
    assert_eq!(count(vec![("units", texts(&["shop"]))]), 2);
    assert_eq!(count(vec![("units", texts(&["shop.service", "init.scope"]))]), 3);
    assert_eq!(count(vec![("identifiers", texts(&["init"]))]), 1);
    // What the manager says of a unit belongs to it.
    assert_eq!(count(vec![("units", texts(&["web"])), ("priority", OptionValue::Text("notice".into()))]), 2);
    assert_eq!(count(vec![("priority", OptionValue::Text("error".into()))]), 1);
}

#[test]
fn what_is_no_journal_is_refused() {
    let said = |bytes: Vec<u8>| header(&Bytes(bytes)).expect_err("must be refused").to_string();
    assert_eq!(said(Vec::new()), "no end of an object at byte 0");
    assert_eq!(said(vec![0; 4096]), "no journal header at byte 0");
    let mut later = fixture("compact.journal.gz");
    later[12] |= 0x80;
    assert!(said(later).contains("features that this program does not know"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is damaged, nothing panics, and reading comes to an end.
    #[test]
    fn damage_does_not_panic(places in prop::collection::vec((0usize..40_000, any::<u8>()), 1..40)) {
        static WHOLE: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let mut bytes = {
            let mut whole = WHOLE.lock().expect("a lock");
            if whole.is_empty() {
                let used = fixture("compact.journal.gz");
                // Header, hash tables and what is behind them; the rest is zeros.
                let end = used.iter().rposition(|byte| *byte != 0).expect("bytes");
                *whole = used[..end + 1].to_vec();
            }
            whole.clone()
        };
        // The tables in front are not read: damage falls on the objects behind them, or on the header.
        let objects = bytes.len().saturating_sub(40_000);
        for (place, value) in places {
            let at = if place < 208 { place } else { objects + place };
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        if let Some(mut tail) = tail(bytes, 0) {
            let (filter, mut out) = (all(), Vec::new());
            let mut count = 0;
            while tail.next(&filter, &mut out).is_some() {
                out.clear();
                count += 1;
                prop_assert!(count < 100_000);
            }
        }
    }
}
