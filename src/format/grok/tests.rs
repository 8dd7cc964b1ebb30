//! Patterns against texts; against the `regex` crate; counted work.

use proptest::prelude::*;

use super::library::{Library, Names};
use super::machine::{Fault, Machine, NOWHERE};
use super::program;
use super::syntax::Reader;

/// The places that a pattern finds: `field=text`, or why there is none.
fn found(pattern: &str, text: &str) -> Result<Vec<String>, String> {
    let library = Library::new(Names::Ecs);
    let mut reader = Reader::new(&library);
    let node = reader.read(pattern)?;
    let program = program::compile(&node, reader.captures.len())?;
    let mut machine = Machine::default();
    machine.find(&program, text.as_bytes()).map_err(|fault| format!("{fault:?}"))?;
    let captures = reader.captures.iter().enumerate().filter_map(|(number, capture)| {
        let (start, end) = (machine.slots[number * 2], machine.slots[number * 2 + 1]);
        let text = String::from_utf8_lossy(text.as_bytes().get(start as usize..end as usize)?).into_owned();
        (end != NOWHERE).then(|| format!("{}={text}", capture.path))
    });
    Ok(captures.collect())
}

/// Patterns, texts, and what is found.
const FOUND: &[(&str, &str, &[&str])] = &[
    ("%{WORD:a} %{INT:b:int}", "x 12", &["a=x", "b=12"]),
    ("(?<a>.*)-(?<b>.*)", "1-2-3", &["a=1-2", "b=3"]),
    ("(?<a>.*?)-(?<b>.*)", "1-2-3", &["a=1", "b=2-3"]),
    ("^(?<a>[a-c]+)(?<b>c)$", "abccc", &["a=abcc", "b=c"]),
    ("(?:a|ab)(?<r>c|bcd)(?<s>d*)", "abcd", &["r=bcd", "s="]),
    ("(?<a>(?:x|y)*)z", "xyxz", &["a=xyx"]),
    ("(?<a>(?:x?)*)z", "xxz", &["a=xx"]),
    ("(?<![0-9])(?<a>[0-9]{2})(?![0-9])", "123 45 6", &["a=45"]),
    ("(?>a+)(?<b>b)", "aaab", &["b=b"]),
    ("(?i)(?<a>error)", "an ErRoR", &["a=ErRoR"]),
    ("(?i)a %{MONTH:a} b", "A jUN B", &["a=jUN"]),
    ("(?<a>\\w*)@x", "aaa!aa@x", &["a=aa"]),
    ("(?<a>[[[:alnum:]]_%-]+)", "!ä_-%!", &["a=ä_-%"]),
    ("(?<a>.{2})$", "aöü", &["a=öü"]),
    ("%%{WORD:a}", "%ASA", &["a=ASA"]),
    ("(?<a>[^\\]]+)\\]", "x]", &["a=x"]),
    ("(?<a>\\h{4}) \\x41", "beef A", &["a=beef"]),
    ("%{IP:a}:%{POSINT:p}", "fe80::1:53", &["a=fe80::1", "p=53"]),
    ("%{IPV4:a}", "x256.1.1.1 1.2.3.4.", &["a=1.2.3.4"]),
    ("%{IPV4:a}:%{INT:b}", "010.020.003.255:80", &["a=010.020.003.255", "b=80"]),
    ("%{IPV4:a}", "1.2.3 1.2.3.4567 11.2.3.4", &["a=11.2.3.4"]),
    ("%{IP:a} ", "x ::ffff:1.2.3.4 ", &["a=::ffff:1.2.3.4"]),
    ("a.b(?<r>.)", "a\nb\n", &["r=\n"]),
    ("^(?<a>b)$", "a\nb\nc", &["a=b"]),
    ("(?<a>m(?:a|ä)?r)", "mär", &["a=mär"]),
    ("%{DATA:[a][b]}\t%{GREEDYDATA:c}", "x\ty\tz", &["a.b=x", "c=y\tz"]),
    ("(?<a>x{2,3}?)(?<b>x*)", "xxxx", &["a=xx", "b=xx"]),
    ("(?=%{GREEDYDATA:m})(?<a>\\w+)", "ab c", &["m=ab c", "a=ab"]),
    ("(?<a>a++)b|(?<c>a+)", "aac", &["c=aa"]),
];

#[test]
fn patterns_find_what_they_should() {
    for (pattern, text, expected) in FOUND {
        assert_eq!(
            found(pattern, text).as_deref(),
            Ok(*expected).map(|fields| fields.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
            "{pattern} on {text}"
        );
    }
}

/// Patterns that do not match, or that are refused with their place.
const REFUSED: &[(&str, &str, &str)] = &[
    ("(?>a+)ab", "aaab", "None"),
    ("a++a", "aaa", "None"),
    ("\\bab\\b", "xab", "None"),
    ("(a)\\1", "", "at byte 3 of the pattern: back-references cannot be matched in linear time"),
    ("x(?=a*b)", "", "at byte 1 of the pattern: a look-around is known only for texts of a fixed length"),
    ("(?(1)a|b)", "", "conditions and absent parts"),
    ("%{NUMBR:x}", "", "there is no pattern NUMBR; did you mean NUMBER?"),
    ("%{INT:x:in}", "", "`in` is no type"),
    ("(a", "", "at byte 0 of the pattern: this `(` is not closed"),
    ("a)", "", "a `)` without its `(`"),
    ("*a", "", "nothing to repeat"),
    ("[a", "", "this `[` is not closed"),
    ("[z-a]", "", "this range is empty"),
    ("a{2000}", "", "repeated more than"),
];

#[test]
fn what_cannot_match_says_why_and_where() {
    for (pattern, text, why) in REFUSED {
        let fault = found(pattern, text).expect_err(pattern);
        assert!(fault.contains(why), "{pattern}: {fault}");
    }
}

/// Every pattern of both sets can be compiled, and so can a pattern that has it as a part.
#[test]
fn every_pattern_of_the_library_compiles() {
    for names in [Names::Ecs, Names::Legacy] {
        let library = Library::new(names);
        for name in library.names() {
            let mut reader = Reader::new(&library);
            let node =
                reader.read(&format!("^%{{{name}:all}}$")).unwrap_or_else(|error| panic!("{name}: {error}"));
            program::compile(&node, reader.captures.len()).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// Work for a text of so many repetitions.
fn steps(pattern: &str, part: &str, times: usize) -> (u64, Result<(), Fault>) {
    let library = Library::new(Names::Ecs);
    let mut reader = Reader::new(&library);
    let node = reader.read(pattern).expect("a pattern");
    let program = program::compile(&node, reader.captures.len()).expect("a program");
    let mut machine = Machine::default();
    let found = machine.find(&program, part.repeat(times).as_bytes());
    (machine.steps, found)
}

/// Twice the text is at most about twice the work, whatever the pattern.
#[test]
fn work_is_linear_in_the_text() {
    let hard = [
        ("(a*)*b", "a"),
        ("(a|aa)+$x", "a"),
        ("(.*)(.*)(.*)(.*)x", "ab"),
        ("\\w*@\\w*\\.", "abc"),
        ("(?:x+x+)+y", "x"),
        ("%{DATA} %{DATA} %{DATA} %{DATA}=$", "a b "),
        ("%{GREEDYDATA} %{GREEDYDATA} %{GREEDYDATA}=$", "a b "),
        ("(?:%{HOSTNAME}\\.)+!", "a."),
        ("[a-z]{2,20}[a-z]{2,20}9", "a"),
        ("%{URIPATH}%{URIPATH}=>", "/a"),
    ];
    for (pattern, part) in hard {
        let (one, _) = steps(pattern, part, 4000);
        let (two, fault) = steps(pattern, part, 8000);
        assert_eq!(fault, Err(Fault::None), "{pattern}");
        assert!(two < one * 5 / 2 + 100_000, "{pattern}: {one} steps, {two} for twice the text");
    }
}

/// A part of a pattern that is written alike for the `regex` crate.
fn part() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[abc]",
        Just("[ab]".to_owned()),
        Just("[^a]".to_owned()),
        Just(".".to_owned()),
        Just("\\b".to_owned())
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            // What is repeated takes something: Ruby and `regex` differ in rounds that take nothing.
            ("[abc]{1,2}(\\|[abc]{1,2})?", "[*+?]\\??|\\{1,2\\}|\\{2\\}")
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The first match and its parts are those that the `regex` crate finds.
    #[test]
    fn finds_what_regex_finds(a in part(), b in part(), text in "[abc]{0,12}") {
        // An empty round of a repetition may be told apart by what it captures only.
        let pattern = format!("(?<all>(?<x>{a})(?<y>{b}))");
        let regex = regex::RegexBuilder::new(&pattern).dot_matches_new_line(true).build().expect("a regex");
        let theirs = regex.captures(&text).map(|found| {
            ["all", "x", "y"].map(|name| format!("{name}={}", &found[name])).to_vec()
        });
        prop_assert_eq!(found(&pattern, &text).ok(), theirs);
    }

    /// No pattern and no text makes it panic.
    #[test]
    fn nothing_panics(pattern in "[ab%{}()|*+?\\[\\]^$.<>!=:,0-9A-Zä\\\\-]{0,24}", text in ".{0,40}") {
        let _ = found(&pattern, &text);
    }
}
