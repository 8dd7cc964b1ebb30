//! What comes of a connection's bytes, whole and in pieces.

use proptest::prelude::*;

use super::*;

/// Messages of bytes that come in these pieces, and how many were misframed.
fn messages(mode: Mode, message_bytes: usize, pieces: &[&[u8]]) -> (Vec<String>, u64) {
    let mut framing = Framing::new(mode, message_bytes);
    let mut found = Vec::new();
    let mut out = |message: &[u8]| found.push(String::from_utf8_lossy(message).into_owned());
    for piece in pieces {
        framing.push(piece, &mut out);
        assert!(framing.held_bytes() <= message_bytes.max(COUNT_DIGITS_MAX + 2));
    }
    framing.finish(&mut out);
    assert!(!framing.is_open());
    (found, framing.take_misframed())
}

#[test]
fn each_framing_is_told_by_the_first_bytes() {
    for (bytes, wanted) in [
        (&b"5 <1>ab7 <2>cd\nf"[..], &["<1>ab", "<2>cd\nf"][..]),
        (b"6 <1>ab\n7 <2>cdef", &["<1>ab", "<2>cdef"]),
        (b"5 <1>ab\r\n5 <2>cd\n", &["<1>ab", "<2>cd"]),
        (b"<1>a b\n<2>c\r\n\n<3>d", &["<1>a b", "<2>c", "<3>d"]),
        (b"<1>a\0<2>b\0", &["<1>a", "<2>b"]),
        (b"12 monkeys\n12 <b>\n", &["12 monkeys", "12 <b>"]),
        (b"2026-11-26 a\n", &["2026-11-26 a"]),
        (b"012 <1>a\n", &["012 <1>a"]),
        (b"123456789 <1>a\n", &["123456789 <1>a"]),
        (b"12", &["12"]),
        (b"\n\n", &[]),
        (b"", &[]),
    ] {
        let (found, misframed) = messages(Mode::Auto, 64, &[bytes]);
        assert_eq!(
            (found.as_slice(), misframed),
            (&wanted.iter().map(ToString::to_string).collect::<Vec<_>>()[..], 0)
        );
    }
}

#[test]
fn a_told_framing_is_kept_to() {
    let of = |mode, bytes: &[u8]| messages(mode, 64, &[bytes]).0;
    assert_eq!(of(Mode::Counted, b"3 a\nb2 cd"), ["a\nb", "cd"]);
    assert_eq!(of(Mode::LineFeed, b"5 <1>a\0b\n"), ["5 <1>a\0b"]);
    assert_eq!(of(Mode::Nul, b"<1>a\nb\0<2>c"), ["<1>a\nb", "<2>c"]);
}

/// A wrong count costs the message that it is of, and nothing after the next trailer.
#[test]
fn a_wrong_count_does_not_wedge_the_connection() {
    let (found, misframed) = messages(Mode::Auto, 64, &[b"4 <1>abc\n5 <2>de5 <3>fg"]);
    assert_eq!((found.join("|"), misframed), ("<1>a|bc|<2>de|<3>fg".to_owned(), 1));
    let (found, misframed) = messages(Mode::Auto, 64, &[b"7 <1>ab\n5 <2>de\n5 <3>fg"]);
    assert_eq!((found.join("|"), misframed), ("<1>ab\n5| <2>de|<3>fg".to_owned(), 1));
}

#[test]
fn what_is_too_long_comes_in_pieces() {
    let long = "x".repeat(150);
    for (mode, bytes) in [
        (Mode::Auto, format!("<1>{long}\n<2>z\n")),
        (Mode::Auto, format!("153 <1>{long}4 <2>z")),
        (Mode::Nul, format!("<1>{long}\0<2>z\0")),
    ] {
        let (found, misframed) = messages(mode, 64, &[bytes.as_bytes()]);
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [64, 64, 25, 4]);
        assert_eq!(misframed, 0);
    }
}

#[test]
fn a_datagram_is_a_message() {
    assert_eq!(trimmed(b"<1>a\nb\n\0"), b"<1>a\nb");
    assert_eq!(trimmed(b"\n"), b"");
}

/// Text of what framings are made of.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "[0-9]{1,9}".prop_map(String::into_bytes),
        "[ <>a\n\r\0]{1,4}".prop_map(String::into_bytes),
        "[a-z]{0,40}".prop_map(|text| format!("{} <1>{text}", text.len() + 3).into_bytes()),
        "[a-z]{0,40}".prop_map(|text| format!("<1>{text}\n").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Auto), Just(Mode::Counted), Just(Mode::LineFeed), Just(Mode::Nul)]
}

proptest! {
    /// However the bytes are cut, the messages are the same.
    #[test]
    fn pieces_do_not_matter(bytes in traffic(), mode in any_mode(), cuts in prop::collection::vec(0usize..400, 0..12)) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(messages(mode, 32, &pieces), messages(mode, 32, &[&bytes]));
    }

    /// Nothing but counts and trailers is left out.
    #[test]
    fn nothing_is_lost(texts in prop::collection::vec("<[a-z]{1,40}", 1..9), counted: bool) {
        let bytes: String = texts.iter()
            .map(|text| if counted { format!("{} {text}", text.len()) } else { format!("{text}\n") })
            .collect();
        prop_assert_eq!(messages(Mode::Auto, 64, &[bytes.as_bytes()]), (texts, 0));
    }
}
