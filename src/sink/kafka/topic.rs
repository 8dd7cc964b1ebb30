//! Names of topics: what Kafka takes, and what becomes of a field's value in a name.

use crate::sink::router::Rules;

/// Longest name (`org.apache.kafka.common.internals.Topic`).
const NAME_BYTES_MAX: usize = 249;

/// Longest value of one hole, in bytes: what is left of it still tells topics apart.
const HOLE_BYTES_MAX: usize = 100;

/// What Kafka takes as the name of a topic.
pub(super) const RULES: Rules = Rules { option: "topic", other: "logs-other", check, push_part };

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Whether Kafka takes a topic of this name; the error says why not.
pub(super) fn check(name: &str) -> Result<(), String> {
    let fault = if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.len() > NAME_BYTES_MAX {
        Some(format!("is longer than {NAME_BYTES_MAX} bytes"))
    } else if matches!(name, "." | "..") {
        Some("is a folder".to_owned())
    } else if name.starts_with("__") {
        Some("begins with `__`, as Kafka's own topics do".to_owned())
    } else {
        name.chars().find(|&c| !is_allowed(c)).map(|c| format!("holds {c:?}"))
    };
    fault.map_or(Ok(()), |fault| Err(format!("`{name}` cannot be the name of a topic: it {fault}")))
}

/// Appends a value as a part of a name: what no name may hold as `_`, cut to [`HOLE_BYTES_MAX`]. `.` is replaced too:
/// Kafka's metrics cannot tell it from `_`, and a broker warns of topics that differ in it only.
fn push_part(value: &[u8], name: &mut String) -> bool {
    let start = name.len();
    for c in String::from_utf8_lossy(value).chars().take(HOLE_BYTES_MAX) {
        name.push(if is_allowed(c) && c != '.' { c } else { '_' });
    }
    name.get(start..).is_some_and(|part| part.contains(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["logs", "logs-web.eu_1", "A"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["", ".", "..", "__consumer_offsets", "a b", "caf\u{e9}", &"x".repeat(250)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever a field holds, the name is one that Kafka takes.
        #[test]
        fn every_value_makes_a_good_name(value in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut name = "logs-".to_owned();
            if push_part(&value, &mut name) {
                prop_assert_eq!(check(&name), Ok(()));
            }
        }
    }
}
