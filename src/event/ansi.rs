//! Control sequences of terminals, as programs write them that colour their logs.

/// `ESC` (ECMA-48 §8.3.48).
pub const ESCAPE: u8 = 0x1b;

/// Takes control sequences out of the text from `start` on: colours and other renditions, movements, links, titles.
/// What is not a whole one stays.
pub fn strip_ansi(text: &mut Vec<u8>, start: usize) {
    let Some(first) = memchr::memchr(ESCAPE, text.get(start..).unwrap_or_default()) else { return };
    let (mut from, mut to) = (start + first, start + first);
    while from < text.len() {
        from += sequence(text.get(from..).unwrap_or_default());
        let rest = text.get(from..).unwrap_or_default();
        // A byte that begins no sequence is text.
        let plain = memchr::memchr(ESCAPE, rest.get(1..).unwrap_or_default()).map_or(rest.len(), |at| at + 1);
        let plain = if sequence(rest) > 0 { 0 } else { plain };
        text.copy_within(from..from + plain, to);
        (from, to) = (from + plain, to + plain);
    }
    text.truncate(to);
}

/// The length of the control sequence at the start of some text; 0 where there is none.
fn sequence(text: &[u8]) -> usize {
    let run = |from: usize, of: std::ops::RangeInclusive<u8>| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| of.contains(byte)).count()
    };
    match text {
        // `CSI P…P I…I F` (ECMA-48 §5.4).
        [ESCAPE, b'[', ..] => {
            let end = run(run(2, 0x30..=0x3f), 0x20..=0x2f);
            if matches!(text.get(end), Some(0x40..=0x7e)) { end + 1 } else { 0 }
        }
        // `OSC … ST` (§8.3.89); terminals take a BEL for its end as well. It holds no other escape.
        [ESCAPE, b']', rest @ ..] => match memchr::memchr2(0x07, ESCAPE, rest) {
            Some(at) if rest.get(at) == Some(&0x07) => 2 + at + 1,
            Some(at) if rest.get(at + 1) == Some(&b'\\') => 2 + at + 2,
            _ => 0,
        },
        // `ESC I…I F` (ECMA-35 §13.2): the choice of a character set, as `tput sgr0` writes it.
        [ESCAPE, 0x20..=0x2f, ..] => {
            let end = run(1, 0x20..=0x2f);
            if matches!(text.get(end), Some(0x30..=0x7e)) { end + 1 } else { 0 }
        }
        // `ESC F`: save and restore, reset, shifts.
        [ESCAPE, b'7' | b'8' | b'=' | b'>' | b'D' | b'E' | b'H' | b'M' | b'N' | b'O' | b'c' | b'\\', ..] => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stripped(text: &str) -> String {
        let mut out = text.as_bytes().to_vec();
        strip_ansi(&mut out, 0);
        String::from_utf8(out).expect("nothing but whole sequences goes")
    }

    #[test]
    fn control_sequences_are_taken_out() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\x1b[32mINFO\x1b[0m ready", "INFO ready"),
            ("\x1b[1;38;5;214mx\x1b[m", "x"),
            ("\x1b[38:2::1:2:3mx\x1b[K", "x"),
            ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x07b", "alinkb"),
            ("\x1b(B\x1b[mdone", "done"),
            ("\x1b[?25lx\x1b7\x1b8", "x"),
            // What is no whole sequence is text.
            ("\x1b", "\x1b"),
            ("a\x1b[3", "a\x1b[3"),
            ("\x1b]0;title", "\x1b]0;title"),
            ("\x1b\x1b[1mx", "\x1bx"),
            ("\x1b[1\u{e9}", "\x1b[1\u{e9}"),
        ] {
            assert_eq!(stripped(text), expected, "{text:?}");
        }
    }

    proptest! {
        /// Whatever is stripped, the rest is what the text was without the sequences, and none is left.
        #[test]
        fn what_is_left_has_no_sequence(text in "[\x1b\\[\\](;0-9mKB\x07a\u{e9} ]{0,40}") {
            let once = stripped(&text);
            prop_assert!(once.len() <= text.len());
            if !text.contains('\x1b') {
                prop_assert_eq!(once, text);
            }
        }
    }
}
