use super::*;

fn with<T>(raw: &[u8], kind: Kind, of: impl Fn(&Views<'_>) -> T) -> T {
    let pool = Pool::default();
    of(&Views::new(raw, kind, Bytes::of(raw), &pool))
}

fn text(view: &View) -> String {
    String::from_utf8_lossy(view.bytes()).into_owned()
}

#[test]
fn escapes_are_resolved_as_servers_do() {
    let table = [
        ("plain", "plain"),
        ("a%20b", "a b"),
        ("%2527", "'"),
        ("%25252527", "%27"),
        ("%u0027%u003cx", "'<x"),
        ("..%c0%af..%e0%80%af%f0%80%80%af", "../..//"),
        ("%uff0e%uff0e%uff0f", "../"),
        ("\u{ff1c}script\u{ff1e}", "<script>"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("caf%C3%A9", "caf\u{e9}"),
    ];
    for (raw, decoded) in table {
        assert_eq!(with(raw.as_bytes(), Kind::Value, |of| text(of.decoded())), decoded, "{raw}");
    }
    assert_eq!(with(b"a+b", Kind::Query, |of| text(of.decoded())), "a b");
    assert_eq!(with(b"a+b", Kind::Path, |of| text(of.decoded())), "a+b");
}

#[test]
fn other_views_build_on_it() {
    let unescaped = |raw: &str| with(raw.as_bytes(), Kind::Value, |of| text(of.unescaped()));
    assert_eq!(unescaped("&#x3c;&lt;&LT&#60&#0000060;&colon;&copy;&ampx"), "<<<<<:&copy;&ampx");
    assert_eq!(unescaped(r"\x3cb\u003e\u{3c}\n"), r"<b><\n");
    assert_eq!(with(b"SELECT%41", Kind::Value, |of| text(of.lower())), "selecta");
    assert_eq!(with(b"/a\\..//.//./b/..", Kind::Path, |of| text(of.path())), "/a/../b/..");
    assert_eq!(with(b"4111-1111", Kind::Value, |of| text(of.digits())), "41111111");
}

#[test]
fn every_byte_knows_its_origin() {
    let raw = b"x=%2527 or%201";
    with(raw, Kind::Value, |of| {
        let lower = of.lower();
        let at = lower.bytes().iter().position(|byte| *byte == b'\'').expect("there");
        assert_eq!(&raw[lower.raw(at..at + 1)], b"%2527");
        assert_eq!(&raw[lower.raw(at..lower.bytes().len())], b"%2527 or%201");
        assert_eq!(lower.raw(90..99), raw.len()..raw.len());
        assert_eq!(of.digits().raw(0..1).start, 3);
    });
}
