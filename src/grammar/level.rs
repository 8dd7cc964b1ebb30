//! Levels of severity as programs write them, and their names.

use crate::event::{Facts, Span, Value};
use crate::format::Bind;

/// What is written (in lower case) and the name it gets where that differs.
const LEVELS: &[(&str, &str)] = &[
    ("info", ""),
    ("error", ""),
    ("warn", ""),
    ("warning", ""),
    ("debug", ""),
    ("notice", ""),
    ("trace", ""),
    ("fatal", ""),
    ("critical", ""),
    ("crit", ""),
    ("log", ""),
    ("i", "info"),
    ("w", "warning"),
    ("e", "error"),
    ("f", "fatal"),
    ("d", "debug"),
    ("t", "trace"),
    ("v", "verbose"),
    ("err", "error"),
    ("information", "info"),
    ("informational", "info"),
    ("alert", ""),
    ("emerg", ""),
    ("emergency", "emerg"),
    ("panic", ""),
    ("dpanic", ""),
    ("severe", ""),
    ("fine", ""),
    ("finer", ""),
    ("finest", ""),
    ("config", ""),
    ("verbose", ""),
    ("exception", "error"),
    ("off", ""),
    ("all", ""),
    ("debug1", ""),
    ("debug2", ""),
    ("debug3", ""),
    ("debug4", ""),
    ("debug5", ""),
    ("trace1", ""),
    ("trace2", ""),
    ("trace3", ""),
    ("trace4", ""),
    ("trace5", ""),
    ("trace6", ""),
    ("trace7", ""),
    ("trace8", ""),
    ("audit", ""),
    ("security", ""),
    ("note", "notice"),
    ("system", ""),
    ("detail", ""),
    ("hint", ""),
    ("statement", ""),
    ("context", ""),
    ("query", ""),
    ("location", ""),
];

/// Longest name above.
const LONGEST: usize = 13;

/// The names as constants of a plan.
#[derive(Debug)]
pub(super) struct Levels(Vec<Span>);

impl Levels {
    pub(super) fn new(bind: &mut Bind<'_>) -> Self {
        let name =
            |(written, name): &(&'static str, &'static str)| if name.is_empty() { *written } else { *name };
        Self(LEVELS.iter().map(|level| bind.constant(name(level).as_bytes())).collect())
    }

    /// The level at the front of the input: its name and the length of what is written.
    pub(super) fn scan(&self, input: &[u8]) -> Option<(Value, usize)> {
        let mut lower = [0; LONGEST];
        let mut len = 0;
        while let Some(byte) = input.get(len).filter(|byte| byte.is_ascii_alphanumeric()) {
            *lower.get_mut(len)? = byte.to_ascii_lowercase();
            len += 1;
        }
        let word = &lower[..len];
        let at = LEVELS.iter().position(|(name, _)| name.as_bytes() == word)?;
        Some((Value::Text(self.0[at].with(Facts::PLAIN)), len))
    }
}
