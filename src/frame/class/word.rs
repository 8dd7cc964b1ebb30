//! Small looks at the front of a line, shared by the classifiers.

use memchr::memmem;

/// The length of the run of bytes in front that `belongs` accepts.
pub(super) fn run(line: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    line.iter().position(|&byte| !belongs(byte)).unwrap_or(line.len())
}

/// Whether a line begins with digits and then `after`.
pub(super) fn number_then(line: &[u8], after: &[u8]) -> bool {
    let digits = run(line, |byte| byte.is_ascii_digit());
    digits > 0 && line.get(digits..).is_some_and(|rest| rest.starts_with(after))
}

/// Whether `needle` is followed by a digit somewhere in the line: `.go:3`.
pub(super) fn has_numbered(line: &[u8], needle: &[u8]) -> bool {
    memmem::find_iter(line, needle).any(|at| line.get(at + needle.len()).is_some_and(u8::is_ascii_digit))
}

/// Whether a line begins with a Ruby place: `x.rb:3:in `.
pub(super) fn is_ruby_place(line: &[u8]) -> bool {
    memmem::find(line, b".rb:").is_some_and(|at| {
        line.get(at + 4..).is_some_and(|rest| number_then(rest, b":in "))
            && !line.get(..at).is_some_and(|path| path.contains(&b' '))
    })
}

/// Whether a line is a place in JavaScript and nothing else: `/app/x.js:3`.
pub(super) fn is_node_place(line: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', line) else { return false };
    let (path, number) = line.split_at(colon);
    let number = number.get(1..).unwrap_or_default();
    !number.is_empty()
        && number.iter().all(u8::is_ascii_digit)
        && !path.contains(&b' ')
        && (path.starts_with(b"node:")
            || [&b".js"[..], b".cjs", b".mjs", b".ts", b".jsx", b".tsx"]
                .iter()
                .any(|end| path.ends_with(end)))
}

/// The length of an exception's name in front of a line, or `None` where it does not begin with one: dotted
/// words, the last of which ends as exceptions do.
pub(super) fn exception_name(line: &[u8]) -> Option<usize> {
    let len = run(line, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'\\'));
    let name = line.get(..len)?;
    // Ruby and PHP write `Net::ReadTimeoutError: …` and `App\X`.
    if line.get(len..)?.starts_with(b"::") {
        return exception_name(line.get(len + 2..)?).map(|rest| len + 2 + rest);
    }
    let ends = [&b"Exception"[..], b"Error", b"Throwable", b"Failure", b"Interrupt", b"Fault", b"Rejection"];
    ends.iter().any(|end| name.ends_with(end)).then_some(len)
}
