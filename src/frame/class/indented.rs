//! Lines that begin with spaces or tabs: most lines of most traces.

use memchr::memmem;

use super::Class;
use super::word::{exception_name, has_numbered, is_ruby_place, number_then, run};

pub(super) fn classify(line: &[u8]) -> Class {
    let depth = run(line, |byte| matches!(byte, b' ' | b'\t'));
    let text = line.get(depth..).unwrap_or_default();
    let tab = line.first() == Some(&b'\t');
    let known = match text.first() {
        Some(b'a') => text.strip_prefix(b"at ").is_some_and(is_call).then_some(Class::Frame),
        Some(b'e') => text.starts_with(b"eval at ").then_some(Class::Frame),
        Some(b'.') => {
            text.strip_prefix(b"... ").is_some_and(|rest| number_then(rest, b" ")).then_some(Class::Frame)
        }
        Some(b'-') => {
            (text.starts_with(b"--- End of ") || text.starts_with(b"---> ")).then_some(Class::Frame)
        }
        Some(b'S') => text.starts_with(b"Suppressed: ").then_some(Class::Caused),
        Some(b'C') => text.starts_with(b"Caused by: ").then_some(Class::Caused),
        Some(b'F') => (text.starts_with(b"File \"") && memmem::find(text, b"\", line ").is_some())
            .then_some(Class::PyFile),
        Some(b'+') => memmem::find(text, b"Traceback (most recent call last):").map(|_| Class::PyStack),
        Some(b'f') if text.starts_with(b"from ") => memmem::find(text, b":in ").map(|_| Class::RubyFrame),
        _ => None,
    };
    known.unwrap_or_else(|| {
        if tab && has_numbered(text, b".go:") {
            Class::GoFile
        } else if is_ruby_place(text) {
            Class::RubyFrame
        } else if depth == 1 && is_rails_head(text) {
            Class::Exception
        } else {
            Class::Indented
        }
    })
}

/// What stands behind `at `: a call, not prose.
fn is_call(rest: &[u8]) -> bool {
    let rest = [&b"new "[..], b"async "].iter().find_map(|word| rest.strip_prefix(*word)).unwrap_or(rest);
    let mut name = 0;
    for &byte in rest {
        match byte {
            // Nearly always within the first word: `at com.…`
            b'.' | b'(' | b'<' | b'/' | b':' => return true,
            b' ' => break,
            _ => name += 1,
        }
    }
    name > 0 && rest.get(name + 1).is_some_and(|byte| matches!(byte, b'(' | b'['))
}

/// Rails: ` NoMethodError (undefined method …):`
fn is_rails_head(text: &[u8]) -> bool {
    let behind = exception_name(text).and_then(|len| text.get(len..));
    behind.is_some_and(|behind| behind.starts_with(b" (") && behind.ends_with(b"):"))
}
