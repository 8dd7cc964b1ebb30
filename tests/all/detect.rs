//! Detectors on lines of our own: `fixtures/detect/NAME/attack.txt` and `benign.txt`, whose first line says how many may
//! be wrong; and properties that hold of any bytes.

use std::fs;
use std::path::{Path, PathBuf};

use aludel::detect::{DETECTORS, Found, Judge, Kind, Pool};
use aludel::event::{OptionValue, Options};
use proptest::prelude::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/detect").join(name)
}

/// The budget of a file, and its lines.
fn cases(path: &Path) -> (usize, Vec<String>) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let budget = text.lines().next().and_then(|line| line.split(' ').next_back()?.parse().ok());
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    (budget.unwrap_or_else(|| panic!("{}: no budget", path.display())), lines)
}

fn find(judge: &Judge, field: &str, value: &str) -> Vec<Found> {
    let mut found = Vec::new();
    judge.find(value.as_bytes(), Kind::of_field(field), &Pool::default(), &mut Vec::new(), &mut found);
    found
}

#[test]
fn every_detector_finds_its_attacks_and_leaves_the_rest() {
    for kind in DETECTORS {
        let name = kind.signature.name;
        let classes = kind.classes.iter().map(|class| class.name.to_owned()).collect();
        let options = Options::new(Vec::new(), vec![("classes", OptionValue::Texts(classes))]);
        let judge = Judge::new(name, &options).expect("a detector");
        let (budget, attacks) = cases(&folder(name).join("attack.txt"));
        let mut wrong = Vec::new();
        for line in &attacks {
            let mut parts = line.splitn(3, ' ');
            let [class, field, value] = [(); 3].map(|()| parts.next().expect("CLASS FIELD VALUE"));
            let found = find(&judge, field, value);
            if !found.iter().any(|found| found.class.name == class) {
                let classes: Vec<_> = found.iter().map(|found| (found.class.name, found.hit.score)).collect();
                wrong.push(format!("missed: {line} (found {classes:?})"));
            }
        }
        assert_eq!(wrong.len(), budget, "{name}: the budget of attack.txt is off\n{}", wrong.join("\n"));
        for class in kind.classes {
            assert!(
                attacks.iter().any(|line| line.starts_with(class.name)),
                "{name}: no line of {}",
                class.name
            );
        }
        let (budget, benign) = cases(&folder(name).join("benign.txt"));
        wrong.clear();
        for line in &benign {
            let (field, value) = line.split_once(' ').expect("FIELD VALUE");
            let found = find(&judge, field, value);
            if let Some(first) = found.first() {
                wrong.push(format!("{}, {}, {}: {line}", first.class.name, first.hit.rule, first.hit.score));
            }
        }
        assert_eq!(wrong.len(), budget, "{name}: the budget of benign.txt is off\n{}", wrong.join("\n"));
    }
}

/// Pieces that detectors look for, so that random values are not all noise.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "--",
    "#",
    "/*",
    "*/",
    "/*!",
    "(",
    ")",
    ";",
    " or ",
    " and ",
    "select ",
    "union ",
    " from ",
    "1=1",
    "<",
    ">",
    "<script",
    " on",
    "=",
    "javascript:",
    "&#x3c;",
    "&lt;",
    "%27",
    "%2527",
    "%u0027",
    "%c0%af",
    "../",
    "..\\",
    "....//",
    "/etc/passwd",
    "$(",
    "${",
    "}",
    "${jndi:",
    "{{",
    "}}",
    "{%",
    "|",
    "&",
    "&&",
    "cat ",
    "$IFS",
    "\\",
    "\\x41",
    "\0",
    "\r\n",
    "+",
    " ",
    "a",
    "0x41",
    "::",
    "@@",
    "http://",
    "//",
    "[::1]",
    "127.0.0.1",
    "\u{ff1c}",
    "\u{fffd}",
    "<!ENTITY ",
    "<!DOCTYPE",
    "*)(",
    "[$ne]",
    "O:1:\"",
    "{a,b}",
    "while(",
    "<?",
    "?",
    "#{",
];

const KINDS: [Kind; 8] =
    [Kind::Url, Kind::Path, Kind::Query, Kind::Value, Kind::Agent, Kind::Referrer, Kind::Text, Kind::File];

fn judges() -> Vec<Judge> {
    let judge = |kind: &aludel::detect::DetectorKind| Judge::new(kind.signature.name, &Options::default());
    DETECTORS.iter().map(|kind| judge(kind).expect("a detector")).collect()
}

fn holds(judges: &[Judge], value: &[u8]) {
    let pool = Pool::default();
    for judge in judges {
        for kind in KINDS {
            let (mut hits, mut found, mut again) = (Vec::new(), Vec::new(), Vec::new());
            judge.find(value, kind, &pool, &mut hits, &mut found);
            judge.find(value, kind, &pool, &mut hits, &mut again);
            assert_eq!(found.len(), again.len());
            for (one, other) in found.iter().zip(&again) {
                assert_eq!(one.hit, other.hit);
                let range = &one.hit.range;
                assert!(range.start <= range.end && range.end <= value.len(), "{range:?} of {}", value.len());
                assert!(one.hit.score <= 100);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the bytes, no detector panics, each finds the same twice, and what it shows lies in the value.
    #[test]
    fn any_bytes_are_looked_at(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
        noise in prop::collection::vec(any::<u8>(), 0..24),
        at in any::<prop::sample::Index>(),
    ) {
        let mut value = pieces.concat().into_bytes();
        let at = at.index(value.len() + 1);
        value.splice(at..at, noise);
        holds(&judges(), &value);
    }
}

/// No piece makes a detector slow when it fills a value: time grows with the bytes, not with their square.
#[test]
#[allow(clippy::disallowed_methods, reason = "time is what is measured")]
fn time_is_linear_in_the_value() {
    let judges = judges();
    let time = |piece: &str, len: usize| {
        let value = piece.repeat(len / piece.len());
        let start = std::time::Instant::now();
        for judge in &judges {
            let mut found = Vec::new();
            judge.find(value.as_bytes(), Kind::Query, &Pool::default(), &mut Vec::new(), &mut found);
        }
        start.elapsed()
    };
    let pairs = PIECES.iter().map(|piece| (*piece).to_owned());
    let more =
        ["'or(", "1 or ", "not ", "select(", "<a on=", "a=", "${x", "{a,", "..;/", "or -", "%25", "=onx="]
            .map(str::to_owned);
    for piece in pairs.chain(more) {
        // The bound is far above what linear time needs and far below what a square would take.
        let taken = time(&piece, 16 * 1024);
        assert!(taken.as_secs() < 3, "{piece:?}: {taken:?}");
    }
}
