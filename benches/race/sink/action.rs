//! The action lines of a bulk body: `{"create":{"_index":"logs","_id":"…"}}`.

use memchr::memmem::Finder;

/// What an action line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action<'a> {
    pub(crate) operation: Operation,
    /// The name of an index or data stream, where it is not in the URL.
    pub(crate) index: Option<&'a [u8]>,
    pub(crate) id: Option<&'a [u8]>,
}

/// What is done with the document; the race knows no updates and no deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Index,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Index => "index",
        }
    }
}

/// Reads action lines; made once.
pub(crate) struct Actions {
    index: Finder<'static>,
    id: Finder<'static>,
}

impl Default for Actions {
    fn default() -> Self {
        Self { index: Finder::new("\"_index\""), id: Finder::new("\"_id\"") }
    }
}

impl Actions {
    /// `None` for a line that is no action.
    pub(crate) fn read<'a>(&self, line: &'a [u8]) -> Option<Action<'a>> {
        let inner = line.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
        let operation = if inner.starts_with(b"\"create\"") {
            Operation::Create
        } else if inner.starts_with(b"\"index\"") {
            Operation::Index
        } else {
            return None;
        };
        Some(Action { operation, index: text(&self.index, inner), id: text(&self.id, inner) })
    }
}

/// The text after a key. Names of indices and ids hold no escapes.
fn text<'a>(key: &Finder<'_>, line: &'a [u8]) -> Option<&'a [u8]> {
    let rest = line.get(key.find(line)? + key.needle().len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    rest.get(..memchr::memchr(b'"', rest)?)
}
