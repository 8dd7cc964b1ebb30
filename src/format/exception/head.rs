//! The name of an error, and what stands around it.

/// How names of errors end.
const ENDS: [&[u8]; 9] = [
    b"Exception",
    b"Error",
    b"Throwable",
    b"Failure",
    b"Interrupt",
    b"Fault",
    b"Rejection",
    b"Warning",
    b"Exit",
];

/// Bytes of a name.
fn inside(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'\\' | b'`') || byte >= 0x80
}

/// The length of a qualified name; `::` may stand in it.
fn name(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let len = text.get(at..).unwrap_or_default().iter().take_while(|&&byte| inside(byte)).count();
        crate::event::work::count(1 + len);
        at += len;
        match text.get(at..) {
            Some([b':', b':', next, ..]) if at > 0 && inside(*next) => at += 2,
            _ => return at,
        }
    }
}

/// Whether what stands behind a name lets it be that of an error: its message, a code, or nothing.
fn ends_name(behind: &[u8]) -> bool {
    behind.is_empty()
        || behind.starts_with(b": ")
        || behind == b":"
        || behind.starts_with(b" [")
        || behind.starts_with(b" (")
        || behind.starts_with(b"[")
}

/// The length of the name at the start of a line that an error begins.
pub(super) fn at_start(line: &[u8]) -> Option<usize> {
    let len = name(line);
    let (name, behind) = line.split_at_checked(len).filter(|(name, _)| !name.is_empty())?;
    let known = ENDS.iter().any(|end| name.ends_with(end));
    // Classes that are not named for what they are, by their package.
    let parts = name.rsplit(|byte| matches!(byte, b'.' | b':' | b'\\'));
    let class = name.contains(&b'.') || name.contains(&b'\\') || name.windows(2).any(|pair| pair == b"::");
    let class = class
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && parts.map(|part| part.first()).next().flatten().is_some_and(u8::is_ascii_uppercase)
        && (behind.is_empty() || behind.starts_with(b": "));
    ((known && ends_name(behind)) || class).then_some(len)
}

/// The first name of an error within a line, and its length: `Request failed: java.io.IOException: gone`.
pub(super) fn within(line: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while at < line.len() {
        let rest = line.get(at..)?;
        let len = name(rest);
        if len == 0 {
            at += 1;
            continue;
        }
        let (name, behind) = rest.split_at_checked(len)?;
        let dotted = name.contains(&b'.') || name.contains(&b'\\');
        if ENDS.iter().any(|end| name.ends_with(end))
            && (ends_name(behind) || (dotted && behind.starts_with(b")")))
        {
            return Some((at, len));
        }
        at += len;
    }
    None
}

/// The length of what stands between a name and the message: `: `, and a code that Node puts before it.
pub(super) fn separator(behind: &[u8]) -> usize {
    let code = match behind.strip_prefix(b" [") {
        Some(rest) => memchr::memmem::find(rest, b"]: ").map_or(0, |at| at + 3),
        None => 0,
    };
    let rest = behind.get(code..).unwrap_or_default();
    code + if rest.starts_with(b": ") { 2 } else { usize::from(rest.starts_with(b":")) }
}

/// The length of the name in the last line of a Python traceback: dotted words before a colon or the end.
pub(super) fn python(line: &[u8]) -> usize {
    let len = line
        .iter()
        .take_while(|&&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || byte >= 0x80)
        .count();
    let behind = line.get(len..).unwrap_or_default();
    if behind.is_empty() || behind.starts_with(b":") { len } else { 0 }
}

/// Where the message of a PHP error ends: before ` in FILE:LINE`.
pub(super) fn before_place(line: &[u8], at: usize) -> usize {
    let is_place = |place: &[u8]| place.last().is_some_and(u8::is_ascii_digit) && place.contains(&b':');
    match memchr::memmem::rfind(line, b" in ") {
        Some(end) if line.get(end..).is_some_and(is_place) => at + end,
        _ => at + line.len(),
    }
}
