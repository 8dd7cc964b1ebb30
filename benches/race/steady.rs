//! A writer that appends events to files at a steady rate, and remembers when it wrote each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::arguments::Options;
use crate::sink::clock;
use crate::sink::expect::Expected;
use crate::workload::{Events, Kind, Spec, file_name, stamp};

/// Different events; further ones repeat their text under new numbers.
const TEMPLATES: usize = 20_000;
/// Between two writes.
const STEP: Duration = Duration::from_millis(2);

/// Events that only lack their number.
pub(crate) struct Templates {
    text: Vec<u8>,
    /// Ends of the events, and where the digits of their numbers begin.
    events: Vec<(usize, usize)>,
}

impl Templates {
    pub(crate) fn new(kind: Kind, options: &Options) -> Self {
        let mut source = Events::new(&options.spec(kind), 0);
        let (mut text, mut events) = (Vec::new(), Vec::with_capacity(TEMPLATES));
        for number in 0..TEMPLATES as u32 {
            let start = text.len();
            source.write(number, &mut text);
            let marker = memchr::memmem::find(&text[start..], b"seq-").map_or(start, |at| start + at + 4);
            events.push((text.len(), marker));
        }
        Self { text, events }
    }

    /// Bytes of an event, on average.
    pub(crate) fn event_bytes(&self) -> f64 {
        self.text.len() as f64 / TEMPLATES as f64
    }

    /// Appends event `number`.
    fn write(&self, number: u32, out: &mut Vec<u8>) {
        let at = number as usize % TEMPLATES;
        let start = at.checked_sub(1).map_or(0, |before| self.events[before].0);
        let (end, marker) = self.events[at];
        let base = out.len();
        out.extend_from_slice(&self.text[start..end]);
        let mut digits = Vec::with_capacity(9);
        stamp::digits(u64::from(number), 9, &mut digits);
        let place = base + marker - start;
        out[place..place + digits.len()].copy_from_slice(&digits);
    }
}

/// What a steady writer will have written: so many events, one line each as far as anybody counts.
pub(crate) fn expected(events: usize) -> Expected {
    Expected { lines_of: vec![1; events], ..Expected::default() }
}

/// The files that will be written to, empty, below `folder/containers`.
pub(crate) fn files(spec: &Spec, folder: &Path) -> io::Result<Vec<File>> {
    let containers = folder.join("containers");
    fs::create_dir_all(&containers)?;
    (0..spec.files).map(|file| File::create(containers.join(file_name(spec, file)))).collect()
}

/// Writes `events` events at `rate` events per second, in turn to all files. Returns when each was written;
/// `each` is called after each write, with the time.
pub(crate) fn write(
    templates: &Templates,
    files: &mut [File],
    events: usize,
    rate: f64,
    mut each: impl FnMut(u64),
) -> io::Result<Vec<u64>> {
    let mut sent = Vec::with_capacity(events);
    let mut buffer = Vec::new();
    let start = clock::now();
    for file in (0..files.len()).cycle() {
        let now = clock::now();
        let due = (((now - start) as f64 / 1e9 * rate) as usize).min(events);
        if sent.len() < due {
            buffer.clear();
            for number in sent.len()..due {
                templates.write(number as u32, &mut buffer);
            }
            let now = clock::now();
            sent.resize(due, now);
            files[file].write_all(&buffer)?;
        }
        each(now);
        if sent.len() == events {
            break;
        }
        thread::sleep(STEP);
    }
    Ok(sent)
}
