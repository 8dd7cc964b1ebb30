//! Journal files that systemd wrote, read natively.

use std::io::Read;
use std::path::Path;
use std::sync::Mutex;

use proptest::prelude::*;

use super::format::header;
use super::tail::Tail;
use super::*;
use crate::event::OptionValue;
use crate::position::{Ranges, Resume, Stream, StreamId};
use crate::source::Progress;
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
    let file = Arc::new(Bytes(bytes));
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

/// What one sink has settled: all below a position.
struct Below(Option<u64>);

impl Resume for Below {
    fn position(&self, _: StreamId, _: u16) -> Option<u64> {
        self.0
    }

    fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
        let mut below = Ranges::default();
        below.insert(0..self.0?);
        Some(Arc::from([below]))
    }
}

fn read_all(source: &mut dyn Source) -> Vec<(Arc<Stream>, crate::event::Message, String)> {
    let mut found = Vec::new();
    loop {
        let mut batch = crate::event::Batch::default();
        let progress = source.step(Duration::from_secs(9), &mut batch);
        for run in &batch.runs {
            for message in &batch.messages[run.messages.start as usize..run.messages.end as usize] {
                let segment =
                    &batch.segments[usize::from(message.text.buffer - crate::event::Span::SEGMENTS)];
                let start = message.text.start as usize;
                let text = &segment.bytes()[start..start + message.text.len as usize];
                found.push((run.stream.clone(), *message, String::from_utf8(text.to_vec()).expect("text")));
            }
        }
        match progress {
            Progress::More => {}
            Progress::End => return found,
            Progress::Wait(_) => panic!("it was told to finish"),
        }
    }
}

/// A sink that was away reads again what it missed, and a dead letter finds its entry.
#[test]
fn entries_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("system.journal"), fixture("grown.journal.gz")).expect("written");
    let options = Options::new(vec![folder.path().display().to_string()], Vec::new());
    let world = World {
        fs: Arc::new(crate::seam::RealFs),
        clock: Arc::new(crate::seam::RealClock::start()),
        data_dir: folder.path().join("data"),
        host: Arc::from(&b"host"[..]),
    };
    let plan = plan("j", &options).expect("a plan");
    let mut source = plan.open(world, Arc::new(Below(None))).expect("it opens");
    source.finish();
    let all = read_all(&mut *source);
    assert_eq!(all.len(), 366);
    assert!(source.catch_up(0, &Below(Some(all[365].1.end))).is_none());
    let mut again = source.catch_up(0, &Below(Some(all[99].1.end))).expect("there is something to read");
    let places = |of: &[(Arc<Stream>, crate::event::Message, String)]| {
        of.iter().map(|(_, message, text)| (message.start, message.end, text.clone())).collect::<Vec<_>>()
    };
    assert!(places(&read_all(&mut *again)) == places(&all[100..]));
    let (stream, message, text) = &all[200];
    assert_eq!(source.original(stream, message.start..message.end).as_deref(), Some(text.as_bytes()));
    assert_eq!(source.original(stream, message.start..message.end + 1), None);
    source.settled(stream, all[365].1.end);
    assert!(source.notices().is_empty());
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
