//! `benches/instructions.txt`: the stored figures.

use std::path::PathBuf;

/// The figures and what they were counted on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) machine: String,
    pub(super) counts: Vec<Count>,
}

/// What one path cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) path: String,
    pub(super) events: u64,
    pub(super) instructions: u64,
}

impl Count {
    /// Instructions of one event.
    pub(super) fn per_event(&self) -> u64 {
        self.instructions / self.events.max(1)
    }
}

/// Where they are kept: in the checkout that cargo runs this from, which is not always the one that it was built in where
/// checkouts share their builds.
pub(super) fn file() -> PathBuf {
    let checkout = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    checkout.join("benches/instructions.txt")
}

impl Stored {
    /// Reads the file's text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut stored = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            if let Some(machine) = line.strip_prefix("on ") {
                stored.machine = machine.trim().to_owned();
                continue;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            let count = match words.as_slice() {
                [path, events, instructions, _] => events
                    .parse()
                    .ok()
                    .zip(instructions.parse().ok())
                    .map(|(events, instructions)| Count { path: (*path).to_owned(), events, instructions }),
                _ => None,
            };
            stored.counts.push(count.ok_or_else(|| format!("{}: not a figure: {line}", file().display()))?);
        }
        Ok(stored)
    }

    /// The file's text.
    pub(super) fn print(&self) -> String {
        let mut text = format!(
            "# Instructions of the main paths, set-up not counted. Written by\n\
             # cargo run --release --bin instructions -- store\n\
             on {}\n# path, events, instructions, per event\n",
            self.machine
        );
        for count in &self.counts {
            let Count { path, events, instructions } = count;
            text.push_str(&format!("{path} {events:>6} {instructions:>12} {:>7}\n", count.per_event()));
        }
        text
    }
}
