//! Lines that only traces have, by themselves.

use memchr::memmem;

/// What a line says of the trace that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `Traceback (most recent call last):`
    Traceback,
    /// `  + Exception Group Traceback (most recent call last):`
    Group,
    /// `goroutine 1 [running]:`
    Goroutine,
    /// Tab, a path, `.go:3`
    GoFile,
    /// `thread 'main' panicked at …`
    Panicked,
    /// `x.rb:3:in 'f'`
    Ruby,
    /// `Stack trace:`, `[stacktrace]`
    Php,
    /// `#0  main`
    Numbered,
    /// `at x.y(z)`, `Caused by: …`, ` ---> …`
    Frame,
}

/// The mark of a line, if it has one.
pub(super) fn of(line: &[u8]) -> Option<Mark> {
    crate::event::work::count(1 + line.len());
    let text = line.trim_ascii_start();
    let indented = text.len() < line.len();
    match text.first()? {
        b'T' if text.starts_with(b"Traceback (most recent call last):") => Some(Mark::Traceback),
        b'+' if indented && text.starts_with(b"+ Exception Group Traceback (most") => Some(Mark::Group),
        b'g' if text.starts_with(b"goroutine ") && text.ends_with(b"]:") => Some(Mark::Goroutine),
        b't' if text.starts_with(b"thread '") && memmem::find(text, b" panicked at ").is_some() => {
            Some(Mark::Panicked)
        }
        b'S' if text == b"Stack trace:" => Some(Mark::Php),
        b'[' if text.starts_with(b"[stacktrace]") => Some(Mark::Php),
        b'C' if text.starts_with(b"Caused by:") => Some(Mark::Frame),
        b'S' if text.starts_with(b"Suppressed: ") => Some(Mark::Frame),
        b'S' | b's' if text.eq_ignore_ascii_case(b"stack backtrace:") => Some(Mark::Frame),
        b'-' if text.starts_with(b"---> ") || text.starts_with(b"--- End of ") => Some(Mark::Frame),
        b'#' if text.starts_with(b"#0 ") => Some(Mark::Numbered),
        b'a' if indented && text.strip_prefix(b"at ").is_some_and(is_place) => Some(Mark::Frame),
        _ if line.first() == Some(&b'\t') && numbered(text, b".go:").is_some() => Some(Mark::GoFile),
        _ => numbered(text, b".rb:").filter(|rest| rest.starts_with(b":in ")).map(|_| Mark::Ruby),
    }
}

/// What stands behind `needle` and a number.
fn numbered<'a>(text: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let rest = text.get(memmem::find(text, needle)? + needle.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..).filter(|_| digits > 0)
}

/// `x.y(Z.java:3)`, `/app/x.js:52:3`, `A.B.C() in c:/x.cs:line 3`; prose behind `at ` is none of them.
fn is_place(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_end();
    let call = rest.ends_with(b")")
        && memchr::memchr2(b'.', b':', rest).is_some()
        && memchr::memchr(b'(', rest).is_some();
    let file = rest.last().is_some_and(u8::is_ascii_digit) && memchr::memchr(b':', rest).is_some();
    // What runtimes put behind a call: `(native)`, `(<anonymous>)`, `(internal)`; and properties in braces.
    let known = [&b"(native)"[..], b"(<anonymous>)", b"(Native Method)", b"(Unknown Source)"];
    call || file
        || known.iter().any(|end| rest.ends_with(end))
        || rest.ends_with(b") {")
        || memmem::find(rest, b":line ").is_some()
}
