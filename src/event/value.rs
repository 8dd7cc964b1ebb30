//! One value of one field: 16 bytes, `Copy`, owning nothing.

/// What is known of a span's bytes, so that nobody has to look again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts(u8);

impl Facts {
    /// Nothing is known: the bytes may not even be UTF-8.
    pub const UNKNOWN: Self = Self(0);
    /// UTF-8 without a quote, a backslash or a control character: its JSON form is the bytes between quotes.
    pub const PLAIN: Self = Self(1);

    /// The text of a message in which something could not be decoded: behind it in its buffer stand the bytes that it
    /// was decoded from, their length first, as four bytes, the least one first.
    pub const REPLACED: Self = Self(2);

    /// Whether these are [`Facts::REPLACED`].
    pub const fn is_replaced(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether the JSON form is a plain copy.
    pub const fn is_plain(self) -> bool {
        self.0 & 1 != 0
    }
}

/// A stretch of bytes in one of a row's buffers.
///
/// Buffer 0 is the row's arena, buffer 1 the plan's constants, buffer `n + 2` segment `n` of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte, counted from the start of the buffer.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Which buffer.
    pub buffer: u16,
    /// What is known of the bytes.
    pub facts: Facts,
}

impl Span {
    /// The arena of the row.
    pub const ARENA: u16 = 0;
    /// The constants of the plan.
    pub const CONSTANTS: u16 = 1;
    /// The first segment of the batch.
    pub const SEGMENTS: u16 = 2;

    /// The part of this span that starts `from` bytes in and is `len` bytes long, with the same facts.
    /// Clamped to the span, so that no arithmetic slip can reach a neighbour's bytes.
    #[must_use]
    pub fn part(self, from: usize, len: usize) -> Self {
        let from = from.min(self.len as usize) as u32;
        let len = (len as u64).min(u64::from(self.len - from)) as u32;
        Self { start: self.start + from, len, ..self }
    }

    /// The same bytes with other facts.
    #[must_use]
    pub fn with(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }
}

/// One value. Text and everything textual is a [`Span`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// JSON `null`: present, and nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction; never NaN or infinite.
    Float(f64),
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Nanoseconds.
    Duration(i64),
    /// The text of an IP address (RFC 791, RFC 4291) that was checked to be one.
    Ip(Span),
    /// Text. Should be UTF-8; what is not is written with U+FFFD.
    Text(Span),
    /// A number beyond `i64` and `f64`, as its JSON text (RFC 8259 §6).
    Number(Span),
    /// A JSON object, as validated text: UTF-8, well-formed, depth in bounds, no line feed, no duplicate keys.
    Object(Span),
    /// A JSON array, as validated text under the same rules.
    List(Span),
}

const _: () = assert!(size_of::<Value>() == 16);

impl Value {
    /// The span of a textual value.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Ip(span)
            | Self::Text(span)
            | Self::Number(span)
            | Self::Object(span)
            | Self::List(span) => Some(span),
            _ => None,
        }
    }
}
