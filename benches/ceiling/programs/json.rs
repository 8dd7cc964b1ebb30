//! JSON without values: a string unescaped, an object's members found and checked, eight bytes at a time.

/// Bytes looked at in one step.
const STEP: usize = 8;
/// Objects and lists within each other. Past it the text is not taken for JSON.
const DEPTH_MAX: u32 = 64;

/// Text made of unescaped strings. A zero follows it, which no JSON has, so that a scan cannot run past its end.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    len: usize,
}

impl Text {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Puts bytes before the text.
    pub(super) fn prepend(&mut self, before: &[u8]) {
        self.bytes.splice(..0, before.iter().copied());
        self.len += before.len();
    }

    /// Takes a last line feed away; false if there is none.
    pub(super) fn strip_line_feed(&mut self) -> bool {
        let stripped = self.bytes().last() == Some(&b'\n');
        if stripped {
            self.len -= 1;
            self.bytes[self.len] = 0;
        }
        stripped
    }

    /// Appends the string that begins after its opening quote; returns what follows the closing one.
    pub(super) fn unescape<'a>(&mut self, from: &'a [u8]) -> Option<&'a [u8]> {
        // Never longer than the escaped form; the step that is written whole and the zero come on top.
        let room = self.len + from.len() + 2 * STEP;
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        let (mut at, mut to) = (0, self.len);
        loop {
            let step: [u8; STEP] = from.get(at..at + STEP)?.try_into().ok()?;
            // Written whole; what is past a special byte is overwritten by the next step.
            self.bytes.get_mut(to..to + STEP)?.copy_from_slice(&step);
            let special = special(step);
            at += special;
            to += special;
            if special == STEP {
                continue;
            }
            match *from.get(at)? {
                b'"' => break,
                b'\\' => {}
                _ => return None,
            }
            let byte = match *from.get(at + 1)? {
                byte @ (b'"' | b'\\' | b'/') => byte,
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                b'u' => {
                    let (letter, used) = escaped_letter(from.get(at..)?)?;
                    let mut utf8 = [0; 4];
                    for byte in letter.encode_utf8(&mut utf8).bytes() {
                        self.bytes[to] = byte;
                        to += 1;
                    }
                    at += used;
                    continue;
                }
                _ => return None,
            };
            self.bytes[to] = byte;
            to += 1;
            at += 2;
        }
        self.len = to;
        self.bytes[to] = 0;
        from.get(at + 1..)
    }

    /// Hands on each member of the one object that the text is: its key without quotes, and where the member and
    /// its value begin and the member ends. `None` if it is anything else, or holds a control byte or a line feed.
    pub(super) fn members(&self, mut each: impl FnMut(&[u8], Member)) -> Option<()> {
        let text = &self.bytes[..];
        let mut at = space(text, 0);
        if text[at] != b'{' {
            return None;
        }
        at = space(text, at + 1);
        while text[at] != b'}' {
            let start = at;
            let key_end = string(text, at)?;
            let value = after_colon(text, key_end)?;
            let end = value_end(text, value, DEPTH_MAX)?;
            each(&text[start + 1..key_end - 1], Member { start, value, end });
            at = space(text, end);
            match text[at] {
                b',' => {
                    at = space(text, at + 1);
                    if text[at] != b'"' {
                        return None;
                    }
                }
                b'}' => {}
                _ => return None,
            }
        }
        (space(text, at + 1) == self.len).then_some(())
    }

    /// A part of the text by its positions.
    pub(super) fn part(&self, start: usize, end: usize) -> &[u8] {
        &self.bytes[start..end]
    }
}

/// Where a member stands.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) start: usize,
    pub(super) value: usize,
    pub(super) end: usize,
}

/// Index of the first quote, backslash or control byte, or `STEP`. A borrow can only falsify bytes past the first.
#[inline]
fn special(step: [u8; STEP]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(step);
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found =
        (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control) & HIGH;
    (found.trailing_zeros() / 8) as usize
}

#[inline]
fn space(text: &[u8], mut at: usize) -> usize {
    while text[at] == b' ' {
        at += 1;
    }
    at
}

#[inline]
fn after_colon(text: &[u8], at: usize) -> Option<usize> {
    let at = space(text, at);
    (text[at] == b':').then(|| space(text, at + 1))
}

/// The end of the string that begins with a quote here.
#[inline]
fn string(text: &[u8], at: usize) -> Option<usize> {
    if text[at] != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        // Two steps of zeros follow every text, so that this ends only at a zero's refusal.
        let step: [u8; STEP] = text.get(at..at + STEP)?.try_into().ok()?;
        let special = special(step);
        at += special;
        if special == STEP {
            continue;
        }
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => match text[at + 1] {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => at += escaped_letter(&text[at..])?.1,
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn value_end(text: &[u8], at: usize, depth: u32) -> Option<usize> {
    match text[at] {
        b'"' => string(text, at),
        b'{' | b'[' if depth == 0 => None,
        b'{' => {
            let mut at = space(text, at + 1);
            if text[at] == b'}' {
                return Some(at + 1);
            }
            loop {
                let value = after_colon(text, string(text, at)?)?;
                at = space(text, value_end(text, value, depth - 1)?);
                match text[at] {
                    b',' => at = space(text, at + 1),
                    b'}' => return Some(at + 1),
                    _ => return None,
                }
            }
        }
        b'[' => {
            let mut at = space(text, at + 1);
            if text[at] == b']' {
                return Some(at + 1);
            }
            loop {
                at = space(text, value_end(text, at, depth - 1)?);
                match text[at] {
                    b',' => at = space(text, at + 1),
                    b']' => return Some(at + 1),
                    _ => return None,
                }
            }
        }
        b't' => text[at..].starts_with(b"true").then_some(at + 4),
        b'f' => text[at..].starts_with(b"false").then_some(at + 5),
        b'n' => text[at..].starts_with(b"null").then_some(at + 4),
        _ => number(text, at),
    }
}

/// `[ minus ] int [ frac ] [ exp ]` (RFC 8259 §6).
#[inline]
fn number(text: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let mut at = from;
        while text[at].is_ascii_digit() {
            at += 1;
        }
        (at > from).then_some(at)
    };
    let start = at + usize::from(text[at] == b'-');
    let mut at = digits(start)?;
    if text[start] == b'0' && at > start + 1 {
        return None;
    }
    if text[at] == b'.' {
        at = digits(at + 1)?;
    }
    if matches!(text[at], b'e' | b'E') {
        at += 1;
        at = digits(at + usize::from(matches!(text[at], b'+' | b'-')))?;
    }
    Some(at)
}

/// `\uXXXX`, or two of them that are a surrogate pair: the letter, and the bytes that it took.
fn escaped_letter(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
}
