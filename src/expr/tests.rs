//! Tests over the whole list of functions, and properties of evaluation.

use std::collections::HashSet;

use super::{Body, Constant, Constants, Expr, Files, Operator, functions};
use crate::event::Value;
use crate::signature::Type;

/// A function without a summary, an example, or parameters that can be told apart is not finished.
#[test]
fn every_function_documents_itself() {
    let mut names = HashSet::new();
    for function in functions() {
        let signature = function.signature;
        assert!(names.insert(signature.name), "{} is listed twice", signature.name);
        assert!(signature.form.starts_with(signature.name), "{}", signature.form);
        assert!(!signature.summary.is_empty() && !signature.examples.is_empty(), "{}", signature.name);
        assert!(signature.summary.starts_with(|c: char| !c.is_lowercase() || c.is_alphabetic()));
        assert!(function.params.len() <= super::function::PARAMS_MAX, "{}", signature.name);
        let optional: Vec<_> = function.params.iter().map(|param| param.optional).collect();
        assert!(optional.is_sorted(), "{}: optional parameters come last", signature.name);
        let fails = signature.examples.iter().any(|example| example.result == "missing");
        let may = function.fallible || matches!(function.body, Body::Rewrite(_));
        assert!(may || !fails, "{} fails in an example but does not say that it may", signature.name);
    }
}

/// What depends on constants only is computed once.
#[test]
fn calls_of_constants_are_folded() {
    let folded = |name: &str, text: &str| {
        let text = Constant::Text(text.into());
        let arg = Expr::Constant(Constants::default().value(&text));
        let function = super::function::find(name).expect("known");
        match Expr::call(function, vec![arg], &[Some(text)], &ExampleFiles) {
            Ok(Expr::Constant(value)) => Some(value),
            _ => None,
        }
    };
    assert_eq!(folded("timestamp", "1970-01-01T00:00:01Z"), Some(Value::Timestamp(1_000_000_000)));
    assert_eq!(folded("length", "größe"), Some(Value::Int(5)));
    assert_eq!(folded("lower", "A"), None);
    assert_eq!(folded("int", "x"), None);
    let minute = || (Expr::Constant(Value::Duration(60)), Type::Duration);
    let sum = Expr::binary(Operator::Add, minute(), minute(), None);
    assert!(matches!(sum, Ok(Expr::Constant(Value::Duration(120)))));
}

/// The files that examples name.
struct ExampleFiles;

impl Files for ExampleFiles {
    fn read(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        match path {
            "hosts.csv" => Ok(include_bytes!("../../fixtures/expr/hosts.csv").to_vec()),
            _ => Err(format!("{path}: there is no such file")),
        }
    }
}

mod properties {
    //! Properties: evaluation never panics, arithmetic is that of whole numbers, texts behave as `str` does.

    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;

    use super::super::function::Prepared;
    use super::super::{Body, Constant, Expr, Function, Operator, function, functions};
    use super::ExampleFiles;
    use crate::event::{Facts, LayoutBuilder, Row, Texts, Value, write_value};

    fn row() -> Row {
        let mut layout = LayoutBuilder::default();
        layout.add("a");
        layout.add("b.c");
        Row::new(Arc::new(layout.build()), Arc::default())
    }

    /// A value before its bytes are in a row.
    #[derive(Clone, Debug)]
    enum Seed {
        Scalar(Value),
        Text(Vec<u8>),
        Json(serde_json::Value),
    }

    impl Seed {
        fn value(&self, texts: &mut Texts) -> Value {
            match self {
                Self::Scalar(value) => *value,
                Self::Text(bytes) => Value::Text(texts.push(bytes)),
                Self::Json(json) => {
                    let span = texts.push(json.to_string().as_bytes());
                    if json.is_array() { Value::List(span) } else { Value::Object(span) }
                }
            }
        }
    }

    fn json_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            ".{0,6}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-c.\"]{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn seed() -> impl Strategy<Value = Seed> {
        let time =
            "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:?[0-9]{2})?";
        prop_oneof![
            Just(Seed::Scalar(Value::Null)),
            any::<bool>().prop_map(|bool| Seed::Scalar(Value::Bool(bool))),
            any::<i64>().prop_map(|int| Seed::Scalar(Value::Int(int))),
            (-3i64..40).prop_map(|int| Seed::Scalar(Value::Int(int))),
            any::<f64>()
                .prop_filter("finite", |float| float.is_finite())
                .prop_map(|float| Seed::Scalar(Value::Float(float))),
            any::<i64>().prop_map(|ns| Seed::Scalar(Value::Timestamp(ns))),
            any::<i64>().prop_map(|ns| Seed::Scalar(Value::Duration(ns))),
            prop::collection::vec(any::<u8>(), 0..24).prop_map(Seed::Text),
            "\\PC{0,16}".prop_map(|text| Seed::Text(text.into_bytes())),
            "[a-z0-9:/?#@%&=.+ -]{0,30}".prop_map(|text| Seed::Text(text.into_bytes())),
            "[0-9.:smhdwKMGBP-]{0,12}".prop_map(|text| Seed::Text(text.into_bytes())),
            time.prop_map(|text| Seed::Text(text.into_bytes())),
            json_value()
                .prop_filter("a container", |json| json.is_array() || json.is_object())
                .prop_map(Seed::Json),
        ]
    }

    /// Constants that make every function ready to run.
    fn constants(name: &str) -> Vec<Option<Constant>> {
        let text = |text: &str| Some(Constant::Text(text.into()));
        match name {
            "capture" | "captures" | "captures_all" | "find_all" => {
                vec![None, text("(?<a>.)(?-u:.)(?<b>.?)")]
            }
            "regex_replace" => vec![None, text(".?(?<a>.)?"), text("<$a$$${0}>")],
            "in_cidr" => vec![None, text("::/1")],
            "lookup" => vec![text("hosts.csv"), None, text("owner")],
            _ => vec![None; 8],
        }
    }

    /// All functions, those that must be prepared once.
    static READY: LazyLock<Vec<(&Function, Option<Prepared>)>> = LazyLock::new(|| {
        let ready = |function: &&'static Function| match function.body {
            Body::Prepared(prepare) => {
                let constants = constants(function.signature.name);
                (*function, Some(prepare(&constants, &ExampleFiles).expect("ready")))
            }
            _ => (*function, None),
        };
        functions().iter().map(ready).collect()
    });

    /// A value as JSON.
    fn json(value: Value, row: &Row) -> String {
        let mut out = Vec::new();
        write_value(&row.texts, value, &mut out);
        String::from_utf8(out).expect("json is text")
    }

    fn check_json(value: Value, row: &Row) {
        let text = json(value, row);
        prop_json(&text);
    }

    fn prop_json(text: &str) {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "no json: {text}");
        assert!(!text.contains('\n'));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// No function panics, whatever it is given, and what it gives can be written as JSON.
        #[test]
        fn no_function_panics(args in prop::collection::vec(seed(), 8)) {
            let mut row = row();
            for (function, prepared) in READY.iter() {
                for count in 1..=function.params.len() {
                    let values: Vec<_> = args.iter().take(count).map(|seed| seed.value(&mut row.texts)).collect();
                    let found = match (function.body, prepared) {
                        (Body::Pure(eval), _) => eval(&values, &mut row.texts),
                        (_, Some(prepared)) => prepared(&values, &mut row.texts),
                        _ => None,
                    };
                    if let Some(value) = found {
                        check_json(value, &row);
                    }
                }
                row.clear();
            }
        }

        /// No operator panics, whatever it is given.
        #[test]
        fn no_operator_panics(left in seed(), right in seed()) {
            use Operator::*;
            let mut row = row();
            let (left, right) = (left.value(&mut row.texts), right.value(&mut row.texts));
            for operator in [
                Or, And, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, In, Contains, StartsWith, EndsWith,
                Else, Add, Subtract, Multiply, Divide, Remainder,
            ] {
                let pair = || ((Expr::Constant(left), crate::signature::Type::Any),
                    (Expr::Constant(right), crate::signature::Type::Any));
                let (a, b) = pair();
                let expr = Expr::binary(operator, a, b, None).expect("built");
                if let Some(value) = expr.eval(&mut row) {
                    check_json(value, &row);
                }
            }
            let list = Expr::ListOf(Box::new([Expr::Constant(left), Expr::Missing, Expr::Constant(right)]));
            let object = Expr::ObjectOf(Box::new([(b"\"k\":".as_slice().into(), list)]));
            let value = object.eval(&mut row).expect("an object");
            check_json(value, &row);
        }

        /// Arithmetic on ints is exact or missing.
        #[test]
        fn arithmetic_agrees_with_wide_integers(a: i64, b in prop_oneof![any::<i64>(), -9i64..9]) {
            use Operator::{Add, Multiply, Remainder, Subtract};
            let mut row = row();
            let (wide_a, wide_b) = (i128::from(a), i128::from(b));
            let table = [
                (Add, Some(wide_a + wide_b)),
                (Subtract, Some(wide_a - wide_b)),
                (Multiply, Some(wide_a * wide_b)),
                (Remainder, wide_a.checked_rem(wide_b)),
            ];
            for (operator, wide) in table {
                let pair = Box::new([Expr::Constant(Value::Int(a)), Expr::Constant(Value::Int(b))]);
                let found = Expr::Arithmetic(operator, pair).eval(&mut row);
                let exact = wide.and_then(|wide| i64::try_from(wide).ok()).map(Value::Int);
                // The one remainder that an i64 can hold but cannot compute.
                if !(operator == Remainder && a == i64::MIN && b == -1) {
                    prop_assert_eq!(found, exact);
                }
            }
        }

        /// An int compares with a float as their exact values do.
        #[test]
        fn ints_compare_with_floats_by_value(int: i64, near in -3.0f64..3.0) {
            let float = int as f64 + near;
            let exact = i128::from(int).cmp(&(float as i128)).then_with(|| {
                float.trunc().partial_cmp(&float).unwrap_or(std::cmp::Ordering::Equal)
            });
            prop_assert_eq!(super::super::compare::int_with_float(int, float), Some(exact));
        }

        /// Functions on texts do what `str` does.
        #[test]
        fn texts_behave_as_str_does(text in "\\PC{0,12}", other in "\\PC{0,3}", plain: bool) {
            let mut row = row();
            let mut call = |name: &str, args: &[&str]| {
                let values: Vec<_> = args.iter().map(|text| {
                    let facts = if plain && function::is_plain(text.as_bytes()) { Facts::PLAIN } else { Facts::UNKNOWN };
                    Value::Text(row.texts.push(text.as_bytes()).with(facts))
                }).collect();
                let Body::Pure(eval) = function::find(name).expect("known").body else { panic!("prepared") };
                let value = eval(&values, &mut row.texts).expect("a value");
                match value {
                    Value::Text(span) => {
                        assert!(!span.facts.is_plain() || function::is_plain(row.texts.bytes(span)));
                        row.texts.text(span).expect("text").to_owned()
                    }
                    other => json(other, &row),
                }
            };
            prop_assert_eq!(call("lower", &[&text]), text.to_lowercase());
            prop_assert_eq!(call("upper", &[&text]), text.to_uppercase());
            prop_assert_eq!(call("trim", &[&text]), text.trim());
            prop_assert_eq!(call("trim_start", &[&text]), text.trim_start());
            prop_assert_eq!(call("trim_end", &[&text]), text.trim_end());
            prop_assert_eq!(call("length", &[&text]), text.chars().count().to_string());
            prop_assert_eq!(call("reverse", &[&text]), text.chars().rev().collect::<String>());
            prop_assert_eq!(call("strip_prefix", &[&text, &other]), text.strip_prefix(&*other).unwrap_or(&text));
            prop_assert_eq!(call("strip_suffix", &[&text, &other]), text.strip_suffix(&*other).unwrap_or(&text));
            if !other.is_empty() {
                prop_assert_eq!(call("replace", &[&text, &other, "$"]), text.replace(&other, "$"));
                let pieces: Vec<_> = text.split(&other).collect();
                let found: Vec<String> = serde_json::from_str(&call("split", &[&text, &other])).expect("a list");
                prop_assert_eq!(found, pieces);
            }
            for (there, back) in [
                ("url_encode", "url_decode"),
                ("base64_encode", "base64_decode"),
                ("hex_encode", "hex_decode"),
            ] {
                let encoded = call(there, &[&text]);
                prop_assert_eq!(&call(back, &[&encoded]), &text);
            }
        }
    }
}
