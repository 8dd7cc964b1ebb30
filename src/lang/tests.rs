//! Properties of reading and printing, over trees that are made up and over text that is broken.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::ast::*;
use super::{parse, print};

/// The tree without places, as text.
fn bare(file: &File) -> String {
    // A text that looks like a place loses the same letters on both sides.
    static PLACE: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"place: [0-9]+\.\.[0-9]+").expect("a pattern"));
    PLACE.replace_all(&format!("{:?}", file.items), "").into_owned()
}

fn at<T>(node: T) -> Spanned<T> {
    Spanned { node, place: 0..0 }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z_0-9]{0,6}x".prop_map(|word| word)
}

fn name() -> impl Strategy<Value = Name> {
    word().prop_map(at)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z .{}/\\\\\"]{0,12}", 1 => any::<String>()]
}

fn path() -> impl Strategy<Value = Path> {
    let key = prop_oneof![4 => "[a-z@_][a-z0-9_]{0,5}", 1 => "[a-z \"\u{e9}-]{1,6}"];
    prop::collection::vec(key, 0..4).prop_map(|keys| Path { keys, place: 0..0 })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        Just(Literal::Missing),
        any::<bool>().prop_map(Literal::Bool),
        (0..=i64::MAX).prop_map(Literal::Int),
        (0.0..1e300f64).prop_map(Literal::Float),
        text().prop_map(Literal::Text),
        (1..100i64).prop_map(|m| Literal::Duration(m * 60_000_000_000 + 5, format!("{m}m5ns"))),
        (1..100i64).prop_map(|k| Literal::Size(k << 10, format!("{k}KiB"))),
        Just(Literal::Percent(0.995, "99.5%".into())),
        (0..=i64::MAX).prop_map(|n| Literal::Rate(n, 60_000_000_000, "1m".into())),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        literal().prop_map(ExprKind::Literal),
        path().prop_map(ExprKind::Path),
        word().prop_map(ExprKind::Word),
        Just(ExprKind::Word("service.name".into())),
    ];
    let boxed = |kind| at(Box::new(kind));
    leaf.prop_map(boxed).prop_recursive(5, 48, 4, move |inner| {
        let operators = prop::sample::select(super::parse::BINARY.map(|(_, op, _)| op).to_vec());
        let list = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            list.clone().prop_map(ExprKind::List),
            prop::collection::vec(setting(inner.clone()), 1..4).prop_map(ExprKind::Object),
            (name(), list, prop::collection::vec(setting(inner.clone()), 0..3))
                .prop_map(|(name, arguments, options)| ExprKind::Call { name, arguments, options }),
            inner.clone().prop_map(|e| ExprKind::Unary(UnaryOp::Not, e)),
            inner.clone().prop_map(|e| ExprKind::Unary(UnaryOp::Negate, e)),
            (operators, inner.clone(), inner.clone()).prop_map(|(op, a, b)| ExprKind::Binary(op, a, b)),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| ExprKind::If(a, b, c)),
        ]
        .prop_map(boxed)
    })
}

fn setting(value: impl Strategy<Value = Expr>) -> impl Strategy<Value = Setting> {
    (name(), value).prop_map(|(name, value)| Setting { name, value })
}

fn otherwise() -> impl Strategy<Value = Option<Spanned<Otherwise>>> {
    prop_oneof![
        Just(None),
        Just(Some(at(Otherwise::Pass))),
        text().prop_map(|reason| Some(at(Otherwise::Drop(reason)))),
        text().prop_map(|reason| Some(at(Otherwise::Reject(reason)))),
    ]
}

fn format_use() -> impl Strategy<Value = FormatUse> {
    let options = prop::collection::vec(setting(expr()), 0..2);
    (name(), prop::collection::vec(expr(), 0..2), options).prop_map(|(name, arguments, options)| FormatUse {
        name,
        arguments,
        options,
    })
}

fn redact_options() -> impl Strategy<Value = Vec<Setting>> {
    prop::collection::vec(setting(expr()), 0..2)
}

fn step() -> impl Strategy<Value = Step> {
    let formats = prop::collection::vec(format_use(), 1..4);
    let paths = || prop::collection::vec(path(), 1..4);
    let leaf = prop_oneof![
        (path(), formats, prop::option::of(path()), otherwise()).prop_map(
            |(input, formats, into, otherwise)| { StepKind::Parse { input, formats, into, otherwise } }
        ),
        prop::collection::vec((format_use(), prop::option::of(path())), 1..3).prop_map(|list| {
            let list = list.into_iter().map(|(enricher, into)| Enrichment { enricher, into });
            StepKind::Enrich(list.collect())
        }),
        prop::collection::vec((path(), expr()), 1..4).prop_map(StepKind::Set),
        prop::collection::vec((path(), path()), 1..4).prop_map(StepKind::Rename),
        (prop::collection::vec(name(), 1..4), prop::collection::vec(path(), 0..3), redact_options())
            .prop_map(|(classes, on, options)| StepKind::Redact { classes, on, options }),
        paths().prop_map(StepKind::Remove),
        paths().prop_map(StepKind::Keep),
        (text(), prop::option::of(expr())).prop_map(|(r, when)| StepKind::Drop { reason: at(r), when }),
        (text(), prop::option::of(expr())).prop_map(|(r, when)| StepKind::Reject { reason: at(r), when }),
        name().prop_map(StepKind::Use),
        prop::collection::vec(name(), 1..4).prop_map(StepKind::To),
        (prop::collection::vec(expr(), 0..3), prop::collection::vec(setting(expr()), 0..3)).prop_filter_map(
            "an object as the first argument reads as options",
            |(arguments, options)| {
                let object = arguments.first().is_some_and(starts_with_brace);
                (!object).then(|| StepKind::Call { name: at("annotate".into()), arguments, options })
            }
        ),
    ];
    leaf.prop_map(at).prop_recursive(3, 12, 3, |inner| {
        let steps = move || prop::collection::vec(inner.clone(), 0..3);
        let arm = (prop::collection::vec(expr(), 1..3), steps()).prop_map(|(patterns, steps)| Arm {
            patterns,
            steps,
            place: 0..0,
        });
        prop_oneof![
            (expr(), steps(), steps()).prop_map(|(condition, then, otherwise)| StepKind::When {
                condition,
                then,
                otherwise
            }),
            (expr(), prop::collection::vec(arm, 0..3), steps())
                .prop_map(|(subject, arms, otherwise)| StepKind::Match { subject, arms, otherwise }),
        ]
        .prop_map(at)
    })
}

/// Whether the printed form begins with `{`.
fn starts_with_brace(expr: &Expr) -> bool {
    match &*expr.node {
        ExprKind::Object(_) => true,
        ExprKind::Binary(_, left, _) => starts_with_brace(left),
        ExprKind::Unary(UnaryOp::Not, inner) => starts_with_brace(inner),
        _ => false,
    }
}

fn clause() -> impl Strategy<Value = Clause> {
    let count = || (0..1000i64).prop_map(at);
    let sink = || prop::option::of(name());
    prop_oneof![
        (text(), prop::option::of(text()), sink()).prop_map(|(file, path, source)| Clause::InputFile {
            file: at(file),
            path: path.map(at),
            source
        }),
        (text(), sink()).prop_map(|(text, source)| Clause::InputText { text: at(text), path: None, source }),
        (sink(), prop::option::of(expr()), count()).prop_map(|(sink, condition, count)| Clause::Count {
            sink,
            condition,
            op: BinaryOp::GreaterEqual,
            count,
            place: 0..0
        }),
        (sink(), count(), expr()).prop_map(|(sink, index, condition)| Clause::Event {
            sink,
            index,
            condition
        }),
        (sink(), expr()).prop_map(|(sink, condition)| Clause::All { sink, condition }),
        (any::<bool>(), text(), count()).prop_map(|(rejected, reason, count)| Clause::Outcome {
            rejected,
            reason: at(reason),
            count,
            place: 0..0
        }),
        (name(), text()).prop_map(|(sink, file)| Clause::Golden { sink, file: at(file) }),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let component = || {
        let rest = (prop::collection::vec(expr(), 0..3), prop::collection::vec(setting(expr()), 0..4));
        (name(), name(), rest).prop_filter_map("braces", |(name, kind, (arguments, options))| {
            let object = arguments.first().is_some_and(starts_with_brace);
            (!object).then_some(Component { name, kind, arguments, options, place: 0..0 })
        })
    };
    let steps = || prop::collection::vec(step(), 0..5);
    prop_oneof![
        (name(), expr()).prop_map(|(name, value)| Item::Const(Const { name, value, place: 0..0 })),
        component().prop_map(Item::Source),
        component().prop_map(Item::Sink),
        (name(), steps()).prop_map(|(name, steps)| Item::Fragment(Fragment { name, steps, place: 0..0 })),
        (name(), prop::collection::vec(name(), 0..3), steps(), prop::collection::vec(name(), 0..3)).prop_map(
            |(name, from, steps, alerts)| Item::Pipeline(Pipeline { name, from, steps, alerts, place: 0..0 })
        ),
        (text(), prop::collection::vec(clause(), 0..4)).prop_map(|(title, clauses)| Item::Test(Test {
            title: at(title),
            clauses,
            place: 0..0
        })),
    ]
}

fn file() -> impl Strategy<Value = File> {
    prop::collection::vec(item(), 0..4).prop_map(|items| File {
        items,
        hidden: Vec::new(),
        comments: Vec::new(),
    })
}

const SAMPLE: &str = include_str!("../../fixtures/lang/sample.aludel");

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Printing a tree and reading it back gives the same tree, and printing it again the same text.
    #[test]
    fn what_is_printed_reads_back(file in file()) {
        let printed = print(&file, "");
        let (read, errors) = parse(&printed);
        prop_assert!(errors.is_empty(), "{printed}\n{errors:?}");
        prop_assert_eq!(bare(&read), bare(&file), "{}", printed);
        let again = print(&read, &printed);
        prop_assert_eq!(&again, &printed);
    }

    /// No text makes the parser or the printer panic.
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let (file, _) = parse(&text);
        print(&file, &text);
    }

    /// A file with a stretch cut out, doubled or overwritten is read, reported, and never fatal.
    #[test]
    fn no_broken_file_panics(from in 0..SAMPLE.len(), len in 0..80usize, put in "[\\[\\](){}|\"'=.a-z0-9 \n#]{0,8}", twice in any::<bool>()) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        let to = (from + len).min(bytes.len());
        let cut: Vec<u8> = bytes.splice(from..to, put.bytes()).collect();
        if twice {
            bytes.splice(from..from, cut);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (file, errors) = parse(&text);
        let printed = print(&file, &text);
        if errors.is_empty() {
            let (read, errors) = parse(&printed);
            prop_assert!(errors.is_empty(), "{text}\n---\n{printed}\n{errors:?}");
            prop_assert_eq!(bare(&read), bare(&file), "{}", printed);
            prop_assert_eq!(print(&read, &printed), printed);
        } else {
            let source = std::sync::Arc::new(crate::diag::SourceText { name: "x".into(), text });
            crate::diag::render(&crate::diag::Report { source, diagnostics: errors }, true);
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let head = "pipeline p {\n from a\n | set .x = ";
    let deep = [
        "(".repeat(100_000),
        "[".repeat(100_000),
        "-".repeat(100_000),
        "not ".repeat(100_000),
        "1 + ".repeat(100_000),
        "f(".repeat(100_000),
        "if ".repeat(100_000),
        "{a=".repeat(100_000),
        format!("1 | when .x {}", "{ when .x ".repeat(50_000)),
        format!("1 | match .x {}", "{ 1 => { match .x ".repeat(50_000)),
        format!("1 | when .x {{}} {}", "else when .x {} ".repeat(50_000)),
    ];
    for text in deep {
        let (file, errors) = parse(&format!("{head}{text}"));
        assert!(
            errors.iter().any(|error| error.code == super::codes::TOO_DEEP),
            "{}",
            text.get(..20).unwrap_or_default()
        );
        print(&file, &text);
    }
}

#[test]
fn the_sample_is_canonical() {
    let (file, errors) = parse(SAMPLE);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(print(&file, SAMPLE), SAMPLE);
}
