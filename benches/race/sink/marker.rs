//! Finds the markers `seq-NNNNNNNNN` by which events say their number.

use memchr::memmem::Finder;

const PREFIX: &[u8] = b"seq-";
const DIGITS: usize = 9;

/// Finds markers in bytes; made once, used for every document.
pub(crate) struct Markers(Finder<'static>);

/// What the markers of one document say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The number of the first marker.
    pub(crate) number: Option<u32>,
    /// How many markers there are; a document may hold its text more than once.
    pub(crate) count: u32,
    /// Whether there are markers with other numbers: events that do not belong together.
    pub(crate) several: bool,
}

impl Default for Markers {
    fn default() -> Self {
        Self(Finder::new(PREFIX))
    }
}

impl Markers {
    /// The numbers in `text`, in order.
    pub(crate) fn numbers<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        self.0.find_iter(text).filter_map(|at| digits(text.get(at + PREFIX.len()..)?))
    }

    /// What the markers in one document say.
    pub(crate) fn read(&self, text: &[u8]) -> Marked {
        let mut marked = Marked::default();
        for number in self.numbers(text) {
            marked.several |= marked.number.is_some_and(|first| first != number);
            marked.number.get_or_insert(number);
            marked.count += 1;
        }
        marked
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    text.get(..DIGITS)?
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}
