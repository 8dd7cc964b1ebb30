//! Lists against models of them that are too plain to be wrong, the words of what is left out, and files that change.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::indicator::Net;
use super::*;
use crate::event::OptionValue;
use crate::seam::RealFs;

fn listed(text: &str) -> Result<(List, Report), String> {
    read(&mut text.as_bytes(), &Terms::default())
}

fn find<'a>(list: &'a List, value: &str, at_ns: i64) -> Vec<(By, Note<'a>)> {
    let (mut probe, mut found) = (Probe::default(), Vec::new());
    if probe.set(value.as_bytes(), true) {
        list.find(&probe, at_ns, &mut found);
    }
    found.iter().map(|of| (of.by, list.note(of.note).expect("a note"))).collect()
}

/// An entry of a model: a network, how long it is valid, how sure.
type Entry = (IpAddr, u8, i64, u8);

/// Addresses close to each other, so that networks hold and touch one another.
fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..64, any::<bool>()).prop_map(|(low, far)| {
            IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + low + if far { 0x0100_0000 } else { 0 }))
        }),
        (0u128..64, prop::sample::select(vec![0, 56, 64, 70]))
            .prop_map(|(low, shift)| { IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | low << shift)) }),
        (0u128..4).prop_map(|low| IpAddr::V6(Ipv6Addr::from_bits(0xffff_c000_0200 + low))),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (addresses(), 0u8..=40, 0i64..4, 1u8..4).prop_map(|(address, cut, until, sure)| {
        let width = if address.is_ipv4() { 32 } else { 128 };
        (address, width - cut.min(width), until, sure)
    });
    prop::collection::vec(entry, 0..40)
}

/// The bits of an address as one of IPv6, so that both families are one line of numbers.
fn line(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

proptest! {
    /// Of the networks that hold an address and are valid, the narrowest counts; of equal ones the one that is valid
    /// longest.
    #[test]
    fn networks_are_found_as_a_search_through_all_of_them_does(
        entries in entries(), values in prop::collection::vec(addresses(), 1..20), at in 0i64..4,
    ) {
        let mut builder = Builder::default();
        for (address, len, until, sure) in &entries {
            let net = Net::new(*address, *len).expect("a length that fits");
            let note = Note { confidence: *sure, expires_ns: *until, name: None };
            builder.add(&indicator::Indicator::Net(net), &[], &note).expect("room");
        }
        let list = builder.finish();
        for value in values {
            let found = find(&list, &value.to_string(), at);
            let expected = entries
                .iter()
                .filter(|(address, len, until, _)| {
                    // A network of mapped addresses is one of IPv4; a wider one holds none of IPv4.
                    let mapped = |of: &IpAddr| of.to_canonical().is_ipv4();
                    let width = if address.is_ipv4() { 32 - u32::from(*len) } else { 128 - u32::from(*len) };
                    let is_v4 = mapped(address) && width <= 32;
                    *until > at
                        && is_v4 == mapped(&value)
                        && line(*address).checked_shr(width).unwrap_or(0) == line(value).checked_shr(width).unwrap_or(0)
                })
                .map(|(address, len, until, sure)| {
                    let len = if address.is_ipv4() { len + 96 } else { *len };
                    (len, *until, *sure)
                })
                .max();
            let told = found.first().map(|(by, note)| {
                let By::Net(len) = by else { panic!("{by:?}") };
                let len = if value.to_canonical().is_ipv4() { len + 96 } else { *len };
                (len, note.expires_ns, note.confidence)
            });
            prop_assert_eq!(told, expected, "{} in {:?}", value, entries);
        }
    }

    /// A name is found where it or one above it is listed, and nothing else is.
    #[test]
    fn names_are_found_as_a_search_through_all_of_them_does(
        names in prop::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){1,3}", 0..60),
        values in prop::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){1,4}", 1..20),
    ) {
        let mut builder = Builder::default();
        let note = Note { confidence: 50, expires_ns: i64::MAX, name: None };
        for name in &names {
            builder.add(&indicator::Indicator::Domain, name.as_bytes(), &note).expect("room");
        }
        let list = builder.finish();
        for value in values {
            let expected = names
                .iter()
                .filter(|name| value == **name || value.ends_with(&format!(".{name}")))
                .map(|name| name.len())
                .max();
            let told = find(&list, &value, 0).first().map(|(by, _)| match by {
                By::Domain(len) => *len,
                by => panic!("{by:?}"),
            });
            prop_assert_eq!(told, expected, "{} in {:?}", value, names);
        }
    }

    /// Texts and keys that are in a set are found with their notes, all others are not.
    #[test]
    fn sets_hold_what_was_put_in(
        texts in prop::collection::vec((prop::collection::vec(prop::sample::select(b"ab/\xff\0".to_vec()), 0..12), 0u32..3), 0..200),
        others in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab/\xff\0".to_vec()), 0..12), 0..50),
        wide in any::<bool>(),
    ) {
        let rank = |one: u32, other: u32| one.cmp(&other);
        let scale = if wide { 100_000 } else { 1 };
        let mut builder = names::NamesBuilder::default();
        let mut keys = keys::KeysBuilder::<4, 8>::default();
        let (mut model, mut numbers) = (HashMap::new(), HashMap::new());
        let key = |text: &[u8]| { let mut key = [0; 4]; for (to, from) in key.iter_mut().zip(text) { *to = *from; } key };
        for (text, note) in &texts {
            let note = note * scale;
            assert!(builder.push(text.iter().copied(), note));
            keys.push(&key(text), note);
            let kept = model.entry(text.clone()).or_insert(note);
            *kept = note.min(*kept);
            let kept = numbers.entry(key(text)).or_insert(note);
            *kept = note.min(*kept);
        }
        let (set, keys) = (builder.finish(&rank), keys.finish(&rank));
        prop_assert_eq!((set.len(), keys.len()), (model.len(), numbers.len()));
        for text in texts.iter().map(|(text, _)| text).chain(&others) {
            prop_assert_eq!(set.find(text), model.get(text).copied());
            prop_assert_eq!(keys.find(&key(text)), numbers.get(&key(text)).copied());
            prop_assert!(set.may(names::Hash::of(text)) || !model.contains_key(text));
        }
    }

    /// No file and no value makes a list panic, and what is written once is found as it is written.
    #[test]
    fn nothing_panics(
        front in prop::sample::select(vec!["", "{", "[\"", "ip,confidence\n", "# \"url\";\"x\"\n", "[{\"type\":\"url\",\"value\":\"", "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"pattern\":\"["]),
        parts in prop::collection::vec(prop::sample::select(vec![
            "192.0.2.1", "/24", "-", ",", "\"", "\n", " ", "#", ";", "evil.example", "http://", "[", "]", ":", "%4", "%41", "::", "@", "'", "OR", "0.0.0.0 ", "||", "^", "\\", "}", "\u{e9}", "=",
        ]), 0..24),
    ) {
        let text = front.to_owned() + &parts.concat();
        if let Ok((list, report)) = listed(&text) {
            prop_assert_eq!(report.entries, list.len());
        }
        let (list, _) = listed("evil.example").expect("a list");
        find(&list, &parts.concat(), 0);
    }
}

/// Notes come back as they were, however many differ, and whatever of a second they are.
#[test]
fn every_entry_has_its_own_note() {
    for (entries, step_ns) in [(1_000_u32, 1_000_000_000), (70_000, 1_000_000_000), (70_000, 1_500_000_000)] {
        let mut builder = Builder::default();
        let names = ["a", "b", "c"];
        let note = |number: u32| Note {
            confidence: (number % 101) as u8,
            expires_ns: if number.is_multiple_of(7) { i64::MAX } else { i64::from(number) * step_ns },
            name: names.get(number as usize % 4).copied(),
        };
        for number in 0..entries {
            let net = Net::V4(number.reverse_bits(), 32);
            builder.add(&indicator::Indicator::Net(net), &[], &note(number)).expect("room");
            let name = format!("h{number}.example");
            builder.add(&indicator::Indicator::Domain, name.as_bytes(), &note(number + 1)).expect("room");
        }
        let list = builder.finish();
        for number in (1..entries).step_by(77) {
            let address = Ipv4Addr::from_bits(number.reverse_bits()).to_string();
            assert_eq!(find(&list, &address, 0), [(By::Net(32), note(number))]);
            let found = find(&list, &format!("h{number}.example"), 0);
            assert_eq!(found.first().map(|(_, note)| *note), Some(note(number + 1)));
        }
        // An address and a domain with notes of their own need no more than this beside the keys.
        let columns = if step_ns == 1_000_000_000 { 4 + 1 + 1 } else { 8 + 1 + 1 };
        let keys = 4 + 1 + 12;
        assert!(
            list.bytes() < entries as usize * (keys + 2 * columns) + 4096,
            "{} of {entries}",
            list.bytes()
        );
    }
}

/// Files, what of them is listed, and what is said of the rest.
const FILES: &[(&str, usize, &str)] = &[
    ("", 0, "it is empty (a list without entries has a comment)"),
    ("# no entry today\n", 0, ""),
    ("192.0.2.1\r\n\r\n192.0.2.1\n", 1, ""),
    ("\u{feff}evil.example\n", 1, ""),
    (
        "evil.example\nnot one\n192.0.2.1\n",
        2,
        "2 entries; 1 left out that are no indicators, the first is line 2, `not one`: an indicator is an address, a \
         network, a domain, a URL or a hash (MD5, SHA-1, SHA-256, SHA-512)",
    ),
    (
        "evil.example\n192.0.2.9-192.0.2.1\n",
        1,
        "1 entries; 1 left out that are no indicators, the first is line 2, `192.0.2.9-192.0.2.1`: a range goes from an \
         address to a higher one",
    ),
    ("192.0.2.1 - 192.0.2.6\n", 4, ""),
    ("indicator\nevil.example\n", 1, ""),
    ("192.0.2.1,443,Quokka\n192.0.2.2,80,\n", 2, ""),
    ("2026-11-01,evil.example\n2026-11-01,worse.example\n", 2, ""),
    ("Type|Indicator|Confidence\nip|192.0.2.1|high\nip|192.0.2.2|none\n", 1, ""),
    (
        "domain,expires\nevil.example,2026-12-01\nworse.example,soon\nbad.example,\n",
        2,
        "2 entries; 1 left out that are no indicators, the first is line 3, `worse.example,soon`: when it expires is a time \
         such as 2026-12-31T00:00:00Z",
    ),
    (
        "ip,confidence\n192.0.2.1,101\n192.0.2.2,5\n",
        1,
        "1 entries; 1 left out that are no indicators, the first is line 2, `192.0.2.1,101`: a confidence is a number from \
         0 to 100, or low, medium, high",
    ),
    ("ip,comment\n192.0.2.1,\"two\nlines\"\n192.0.2.2,6\" long\n192.0.2.3,x\n", 3, ""),
    (
        "ip,comment\n192.0.2.1,x\n192.0.2.2,\"open\n192.0.2.3,y\n",
        1,
        "1 entries; 1 left out that are no indicators, the first is line 3, `192.0.2.2,\"open\\n192.0.2.3,y`: a quote is \
         not closed",
    ),
    ("[]", 0, ""),
    (
        "ip,confidence\n192.0.2.1,0\n",
        0,
        "0 entries; all 1 are revoked, not meant for detection, or below the threshold",
    ),
    (
        r#"{"more":false,"objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix"}]}"#,
        1,
        "",
    ),
    (
        concat!(
            r#"{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix"}"#,
            "\n",
            r#"{"type":"indicator","pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix"}"#,
        ),
        2,
        "",
    ),
    (
        concat!(
            r#"{"objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.1']"},{"#,
            r#""type":"identity","name":"x"},{"type":"indicator","pattern":"[file:name = 'x']"}],"type":"bundle"}"#,
            "\n",
            r#"{"type":"domain","value":"evil.example"} {"objects":[]}"#,
        ),
        2,
        "2 entries; 1 not understood, the first is an indicator without id, `file:name`",
    ),
    (
        concat!(
            r#"{"cidr":"192.0.2.0/24","sblid":"SBL1"}"#,
            "\n",
            r#"{"cidr":"198.51.100.0/24"}"#,
            "\n",
            r#"{"type":"metadata","records":2}"#
        ),
        2,
        "",
    ),
    (
        r#"[{"ip":"192.0.2.1","confidence":90,"expires":"2026-12-01"},{"Domain":"evil.example","malware":"Quokka","ip":null}]"#,
        2,
        "",
    ),
    (
        r#"[{"ip":"192.0.2.1"},{"ip":"192.0.2.2","confidence":"much"}]"#,
        1,
        "1 entries; 1 left out that are no indicators, the first is item 2, `{\"ip\":\"192.0.2.2\",\"confidence\":\"much\"}`: \
         a confidence is a number from 0 to 100, or low, medium, high",
    ),
    ("uuid,type,value,to_ids\nx,ip-dst,192.0.2.1,1\ny,domain,evil.example,0\n", 1, ""),
    (
        "[Adblock Plus 2.0]\n! a title\n||evil.example^\n||x.example^$third-party\n@@||fine.example^\nfine.example##.ad\n\
         ||worse.example^$important\n",
        2,
        "2 entries; 3 not understood, the first is line 4, `||x.example^$third-party`",
    ),
    (r#"["192.0.2.1", "evil.example"]"#, 2, ""),
    (
        r#"[{"type":"url","value":"http://evil.example/"},{"type":"url","value":"http://evil.example/b","to_ids":false}]"#,
        1,
        "",
    ),
    (r#"{"Attribute":[{"type":"ip-dst","value":"192.0.2.1"}]}"#, 1, ""),
    (
        r#"{"response":{"Attribute":[{"type":"ip-dst","value":"192.0.2.1"},{"type":"mutex","value":"x"}]}}"#,
        1,
        "1 entries; 1 not understood, the first is attribute 2, `mutex`",
    ),
    (r#"{"type":"hostname","list":["evil.example"]}"#, 1, ""),
    (
        r#"{"type":"regex","list":["evil.*"]}"#,
        0,
        "0 entries; 1 not understood, the first is item 1, `evil.*`",
    ),
];

#[test]
fn what_is_left_out_is_told_of() {
    for (text, entries, said) in FILES {
        let (list, report) = listed(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((list.len(), report.said().as_deref().unwrap_or("")), (*entries, *said), "{text}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let refused = [
        (
            "<html>\n<h1>404</h1>\n192.0.2.1\n",
            "this is no list: 2 of 3 entries are no indicators, the first is line 1, `<html>`",
        ),
        ("{\"error\": \"quota\"}", "the document, `{\"error\": \"quota\"}`: this is JSON of an unknown kind"),
        ("{\"type\": \"bundle\", ", "the JSON is broken or cut off: EOF while parsing"),
        ("{\"objects\": [{\"type\":\"identity\"}, {", "the JSON is broken or cut off: EOF while parsing"),
        ("{\"objects\": [{}] x", "the JSON is broken or cut off: expected `,` or `}` at line 1 column 18"),
        ("{\"objects\": 3}", "expected a list of objects"),
        ("{\"a\": \"objects\", \"b\": \"\"objects\"}", "the JSON is broken"),
        ("{\"a\": {\"objects\": []}}", "this is JSON of an unknown kind"),
        ("PK\u{3}\u{4}list.csv", "this is no list: it is a ZIP archive, unpack it first"),
        ("{\"response\":{\"response\":{\"response\":{\"response\":[]}}}}", "JSON of an unknown kind"),
    ];
    for (text, expected) in refused {
        let error = listed(text).map(|(list, _)| list.len()).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let columns = [Some("Adresse".to_owned()), None, None];
    let named =
        |text: &str| read(&mut text.as_bytes(), &Terms { columns: columns.clone(), ..Terms::default() });
    assert_eq!(named("nr;adresse\n1;192.0.2.1\n").expect("a list").0.len(), 1);
    let error = named("nr,ip\n1,192.0.2.1\n").map(|(list, _)| list.len()).expect_err("no such column");
    assert_eq!(error, "line 1: there is no header with a column `Adresse`");
}

#[test]
fn a_line_that_is_too_long_is_left_out() {
    let long = "a".repeat(crate::limits::THREAT_LINE_BYTES_MAX + 1);
    let (list, report) = listed(&format!("evil.example\n{long}\nworse.example\n")).expect("a list");
    assert_eq!(list.len(), 2);
    assert!(report.said().is_some_and(|said| said.contains("line 2, `aaa")), "{report:?}");
}

#[test]
fn an_entry_is_valid_until_it_expires_and_the_longest_counts() {
    let text = "ip,expires,confidence,malware\n192.0.2.1,1970-01-01T00:00:10Z,90,a\n192.0.2.1,1970-01-01T00:00:20Z,20,b\n192.0.2.0/24,,5,c\n";
    let (list, _) = listed(text).expect("a list");
    let at = |second: i64| {
        let found = find(&list, "192.0.2.1", second * 1_000_000_000);
        found
            .into_iter()
            .map(|(by, note)| (by, note.confidence, note.name.map(String::from)))
            .collect::<Vec<_>>()
    };
    let longest = vec![(By::Net(32), 20, Some("b".to_owned()))];
    assert_eq!(at(0), longest);
    assert_eq!(at(19), longest);
    assert_eq!(at(20), vec![(By::Net(24), 5, Some("c".to_owned()))]);
    // Below the threshold an entry is as if it were not there.
    let terms = Terms { threshold: 50, ..Terms::default() };
    let (list, report) = read(&mut text.as_bytes(), &terms).expect("a list");
    assert_eq!((list.len(), report.unused), (1, 2));
    assert_eq!(find(&list, "192.0.2.1", 15_000_000_000), Vec::new());
}

/// Keys of a large set are told without the bytes that its index tells, and exactly.
#[test]
fn a_large_set_holds_its_keys_and_no_others() {
    let key = |number: u32| number.wrapping_mul(2_654_435_761).to_be_bytes();
    let mut builder = keys::KeysBuilder::<4, 8>::default();
    // So many that the index tells two bytes.
    let all = 600_000;
    (0..all).for_each(|number| builder.push(&key(number), number));
    let set = builder.finish(&|one, other| one.cmp(&other));
    assert!(set.bytes() < all as usize * 7);
    for number in 0..all {
        assert_eq!((set.find(&key(number)), set.find(&key(number + all))), (Some(number), None));
    }
}

/// Names are held once each, however many, and notes too.
#[test]
fn names_of_entries_are_theirs() {
    for different in [3, 1000, 100_000] {
        let line = |number: u32| {
            let [_, b, c, d] = number.to_be_bytes();
            format!("10.{b}.{c}.{d},{},family {}\n", number % 101, number % different)
        };
        let text: String = (0..100_000).map(line).collect();
        let (list, _) = listed(&format!("ip,confidence,malware\n{text}")).expect("a list");
        let mut probe = Probe::default();
        for number in (1..100_000).step_by(97).filter(|number| number % 101 > 0) {
            let (text, mut found) = (line(number), Vec::new());
            probe.set(text.split(',').next().expect("an address").as_bytes(), true);
            list.find(&probe, 0, &mut found);
            let note = list.note(found[0].note).expect("a note");
            let name = format!("family {}", number % different);
            assert_eq!((u32::from(note.confidence), note.name), (number % 101, Some(name.as_str())));
        }
    }
}

/// Lists are read anew when they change; one that became bad leaves what was there; a detection says whose it is.
#[test]
fn lists_that_change_are_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let put = |name: &str, text: &str| {
        std::fs::write(path("aside"), text).unwrap();
        std::fs::rename(path("aside"), path(name)).unwrap();
    };
    put("one.txt", "192.0.2.1\nno\n");
    put("two.txt", "192.0.2.0/24\nevil.example\n");
    put("own.txt", "192.0.2.7\n");
    let options = |lists: &str| {
        let paths = |of: &str| OptionValue::Paths(vec![path(of)]);
        Options::new(Vec::new(), vec![("lists", paths(lists)), ("except", paths("own.txt"))])
    };
    let mut data = Data::default();
    let threat = Threat::new(&options("t*.txt"), &mut data, &RealFs).expect("lists");
    let mut held = Held::default();
    data.meet(&mut held);
    assert_eq!(threat.size(&held).0, 2);
    let mut data = Data::default();
    let threat = Threat::new(&options("[ot][nw][eo].txt"), &mut data, &RealFs).expect("lists");
    let said = data.said();
    assert!(said.len() == 1 && said[0].contains("one.txt: 1 entries; 1 left out"), "{said:?}");
    assert_eq!(data.said(), Vec::<String>::new());
    let mut desk = Desk::default();
    let mut feeds = |data: &Data, value: &str| {
        let mut held = Held::default();
        data.meet(&mut held);
        desk.clear();
        threat.find(value.as_bytes(), 0, &held, &mut desk);
        desk.listed.iter().map(|of| threat.feed(of, &held).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(feeds(&data, "192.0.2.1"), ["one", "two"]);
    assert_eq!(feeds(&data, "192.0.2.7"), Vec::<String>::new());
    assert_eq!(feeds(&data, "http://192.0.2.7/"), Vec::<String>::new());
    put("one.txt", "192.0.2.3\n");
    assert_eq!(data.refresh(&RealFs), [format!("{} was changed and is read anew", path("one.txt"))]);
    assert_eq!(feeds(&data, "192.0.2.1"), ["two"]);
    assert_eq!(feeds(&data, "192.0.2.3"), ["one", "two"]);
    put("one.txt", "<html>\n");
    let said = data.refresh(&RealFs);
    assert!(said.len() == 1 && said[0].contains("what was read before is still used"), "{said:?}");
    assert_eq!(feeds(&data, "192.0.2.3"), ["one", "two"]);
    for (lists, expected) in
        [("none.txt", "cannot read"), ("none*.txt", "no file is named"), ("aside[", "no file")]
    {
        let error = Threat::new(&options(lists), &mut Data::default(), &RealFs).expect_err(lists);
        assert!(error.contains(expected) || lists == "aside[", "{error}");
    }
}

/// A folder of feeds: a list that comes is taken up at the next look, one that goes is dropped, and a bad one is told of
/// once and takes nothing from the others.
#[test]
fn lists_come_and_go_with_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let put = |name: &str, text: &str| {
        std::fs::write(folder.path().join(".aside"), text).unwrap();
        std::fs::rename(folder.path().join(".aside"), path(name)).unwrap();
    };
    put("b.txt", "192.0.2.0/24\n");
    put("own.lst", "192.0.2.99\n");
    let paths = |of: &str| OptionValue::Paths(vec![path(of)]);
    let options = Options::new(Vec::new(), vec![("lists", paths("*.txt")), ("except", paths("*.lst"))]);
    let mut data = Data::default();
    let threat = Threat::new(&options, &mut data, &RealFs).expect("lists");
    let feeds = |value: &str| {
        let (mut held, mut desk) = (Held::default(), Desk::default());
        data.meet(&mut held);
        threat.find(value.as_bytes(), 0, &held, &mut desk);
        let told = |of: &Listed| {
            let mut out = Vec::new();
            threat.write(of, "ip", value.as_bytes(), &desk, &held, &mut out);
            assert!(String::from_utf8_lossy(&out).contains(threat.feed(of, &held)));
            threat.feed(of, &held).to_owned()
        };
        desk.listed.iter().map(told).collect::<Vec<_>>()
    };
    let told = |expected: &[(&str, &str)]| {
        let said = data.refresh(&RealFs);
        let fits =
            |(said, (name, what)): (&String, &(&str, &str))| said.contains(name) && said.contains(what);
        assert!(said.len() == expected.len() && said.iter().zip(expected).all(fits), "{said:?}");
    };
    told(&[]);
    assert_eq!(feeds("192.0.2.1"), ["b"]);
    // They come, in front and behind, and one that is hidden.
    put("a.txt", "192.0.2.1\n");
    put("c.txt", "192.0.2.1\nno\n");
    put(".d.txt", "192.0.2.1\n");
    told(&[("a.txt", "is new and is read"), ("c.txt", "is read: 1 entries; 1 left out")]);
    assert_eq!(feeds("192.0.2.1"), ["a", "b", "c"]);
    put("a.txt", "192.0.2.2\n");
    put("x.lst", "192.0.2.3\n");
    told(&[("a.txt", "is read anew"), ("x.lst", "is new")]);
    assert_eq!(
        (feeds("192.0.2.1"), feeds("192.0.2.2")),
        (vec!["b".into(), "c".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!((feeds("192.0.2.3"), feeds("192.0.2.99")), (vec![], Vec::<String>::new()));
    // They go, and what was bad from the start is told of once.
    std::fs::remove_file(path("b.txt")).unwrap();
    std::fs::remove_file(path("own.lst")).unwrap();
    put("e.txt", "<html>\n");
    told(&[("b.txt", "is gone"), ("e.txt", "nothing of it is used until"), ("own.lst", "is gone")]);
    told(&[]);
    assert_eq!((feeds("192.0.2.99"), feeds("192.0.2.2")), (vec![], vec!["a".to_owned()]));
    put("own.lst", "192.0.2.2\n");
    put("e.txt", "192.0.2.77\n");
    told(&[("e.txt", "is new and is read"), ("own.lst", "is new")]);
    assert_eq!((feeds("192.0.2.77"), feeds("192.0.2.2")), (vec!["e".to_owned()], vec![]));
    // With the last of them all are gone; without the folder it is only not known.
    for name in ["a.txt", "c.txt"] {
        std::fs::remove_file(path(name)).unwrap();
    }
    put("e.txt", "broken\n");
    told(&[("a.txt", "gone"), ("c.txt", "gone"), ("e.txt", "what was read before is still used")]);
    assert_eq!(feeds("192.0.2.77"), ["e"]);
    let aside = folder.path().with_extension("aside");
    std::fs::rename(folder.path(), &aside).unwrap();
    told(&[("", "what was read before is still used"), ("", "what was read before is still used")]);
    told(&[]);
    assert_eq!(feeds("192.0.2.77"), ["e"]);
    std::fs::rename(&aside, folder.path()).unwrap();
    std::fs::remove_file(path("e.txt")).unwrap();
    told(&[("e.txt", "is gone")]);
    assert_eq!(feeds("192.0.2.77"), Vec::<String>::new());
    // More than may be: those that are read stay.
    (0..THREAT_LISTS_MAX).for_each(|number| put(&format!("m{number:03}.txt"), "192.0.2.5\n"));
    assert_eq!(data.refresh(&RealFs).len(), THREAT_LISTS_MAX);
    put("k.txt", "192.0.2.5\n");
    told(&[("*.txt", "names 257 files, at most 256 are read; those that came last are left out")]);
    told(&[]);
    assert_eq!(feeds("192.0.2.5").len(), THREAT_LISTS_MAX);
}
