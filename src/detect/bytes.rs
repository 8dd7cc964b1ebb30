//! Which kinds of bytes a value has: one pass, told before anything else is asked.

/// A set of byte classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(u32);

macro_rules! classes {
    ($($name:ident = $bit:literal, $bytes:expr, $doc:literal;)*) => {
        impl Bytes {
            $(#[doc = $doc] pub const $name: Self = Self(1 << $bit);)*
        }
        const fn class_of(byte: u8) -> u32 {
            $(if among($bytes, byte) { return 1 << $bit; })*
            0
        }
    };
}

const fn among(bytes: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

classes! {
    DIGIT = 0, b"0123456789", "`0` to `9`.";
    LETTER = 1, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "ASCII letters.";
    WORD = 2, b"_~", "`_` and `~`.";
    DASH = 3, b"-", "`-`.";
    DOT = 4, b".", "`.`.";
    SLASH = 5, b"/", "`/`.";
    PERCENT = 6, b"%", "`%`.";
    PLUS = 7, b"+", "`+`.";
    SPACE = 8, b" ", "The blank.";
    QUOTE = 9, b"'\"`", "Quotes and the backtick.";
    SEMICOLON = 10, b";", "`;`.";
    ANGLE = 11, b"<>", "`<` and `>`.";
    DOLLAR = 12, b"$", "`$`.";
    ROUND = 13, b"()", "Parentheses.";
    CURLY = 14, b"{}", "Braces.";
    SQUARE = 15, b"[]", "Brackets.";
    BACKSLASH = 16, b"\\", "`\\`.";
    PIPE = 17, b"|", "`|`.";
    AMPERSAND = 18, b"&", "`&`.";
    EQUALS = 19, b"=", "`=`.";
    COLON = 20, b":", "`:`.";
    AT = 21, b"@", "`@`.";
    STAR = 22, b"*", "`*`.";
    HASH = 23, b"#", "`#`.";
    COMMA = 24, b",", "`,`.";
    QUESTION = 25, b"?", "`?`.";
    BANG = 26, b"!", "`!`.";
    CARET = 27, b"^", "`^`.";
    TAB = 28, b"\t", "The tab.";
    LINE = 29, b"\r\n", "Line ends.";
    NUL = 30, b"\0", "The zero byte.";
}

impl Bytes {
    /// Bytes beyond ASCII, and control bytes that have no class of their own.
    pub const OTHER: Self = Self(1 << 31);

    /// No class.
    pub const NONE: Self = Self(0);

    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let class = class_of(byte as u8);
            table[byte] = if class == 0 { 1 << 31 } else { class };
            byte += 1;
        }
        table
    };

    /// The classes of a value's bytes.
    #[inline]
    pub fn of(value: &[u8]) -> Self {
        // Four sums, so that the lookups do not wait for one another.
        let (mut a, mut b, mut c, mut d) = (0, 0, 0, 0);
        let mut chunks = value.chunks_exact(4);
        for chunk in &mut chunks {
            a |= Self::TABLE[chunk[0] as usize];
            b |= Self::TABLE[chunk[1] as usize];
            c |= Self::TABLE[chunk[2] as usize];
            d |= Self::TABLE[chunk[3] as usize];
        }
        let rest = chunks.remainder().iter().fold(0, |sum, byte| sum | Self::TABLE[*byte as usize]);
        Self(a | b | c | d | rest)
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two share a class.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no class beyond those of the other set.
    #[inline]
    pub const fn only(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_class() {
        for byte in 0..=255u8 {
            assert_eq!(Bytes::of(&[byte]).0.count_ones(), 1, "{byte}");
        }
    }

    #[test]
    fn a_value_has_the_classes_of_its_bytes() {
        let bytes = Bytes::of(b"id=1' --");
        assert!(bytes.any(Bytes::QUOTE) && bytes.any(Bytes::DASH) && !bytes.any(Bytes::SLASH));
        assert!(Bytes::of(b"plain").only(Bytes::LETTER) && !bytes.only(Bytes::LETTER));
        assert!(Bytes::of(&[0x80]).any(Bytes::OTHER) && Bytes::of(b"\0").any(Bytes::NUL));
    }
}
