//! Lines of a CRI container runtime: `TIME STREAM TAG TEXT`.

use super::time;

/// One line, taken apart.
pub(super) struct Line<'a> {
    /// RFC 3339, as written.
    pub(super) time: &'a str,
    /// Written to stderr, not stdout.
    pub(super) stderr: bool,
    /// The runtime cut the message here; the stream's next line goes on with it.
    pub(super) partial: bool,
    pub(super) text: &'a str,
}

impl Line<'_> {
    /// The stream's name.
    pub(super) fn stream(&self) -> &'static str {
        if self.stderr { "stderr" } else { "stdout" }
    }
}

/// Takes a line apart; `None` is a line that no runtime wrote.
#[inline]
pub(super) fn split(line: &str) -> Option<Line<'_>> {
    let bytes = line.as_bytes();
    // Nine digits of a second are the rule and make the time 30 bytes long.
    let space = if bytes.get(30) == Some(&b' ') && bytes.get(29) == Some(&b'Z') {
        30
    } else {
        bytes.iter().position(|byte| *byte == b' ')?
    };
    let stderr = match bytes.get(space + 1..space + 8)? {
        b"stdout " => false,
        b"stderr " => true,
        _ => return None,
    };
    time::rfc3339(bytes.get(..space)?)?;
    let partial = match bytes.get(space + 8..space + 10)? {
        b"F " => false,
        b"P " => true,
        _ => return None,
    };
    Some(Line { time: line.get(..space)?, stderr, partial, text: line.get(space + 10..)? })
}

/// Rejoins what the runtime cut, for one file.
#[derive(Default)]
pub(super) struct Joiner {
    held: [String; 2],
}

impl Joiner {
    /// Hands on the whole message that a line ends; the line's time and stream are the message's.
    #[inline]
    pub(super) fn message<T>(&mut self, line: &Line<'_>, each: impl FnOnce(&str) -> T) -> Option<T> {
        let held = &mut self.held[usize::from(line.stderr)];
        if line.partial {
            held.push_str(line.text);
            None
        } else if held.is_empty() {
            Some(each(line.text))
        } else {
            held.push_str(line.text);
            let result = each(held);
            held.clear();
            Some(result)
        }
    }
}
