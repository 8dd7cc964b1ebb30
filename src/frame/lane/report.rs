//! Is this log line the report of the trace behind it?

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::frame::class::{Class, LOOK_BYTES, classify as by_languages};
use crate::frame::config::{FrameConfig, Multiline};

/// The class of a line under a configuration.
#[inline]
pub(super) fn classify(line: &[u8], config: &FrameConfig) -> Class {
    match &config.multiline {
        Multiline::Languages(languages) => by_languages(line, *languages),
        Multiline::None => Class::Starts,
        Multiline::Patterns(_) if line.is_empty() => Class::Blank,
        Multiline::Patterns(patterns) => {
            let line = line.get(..LOOK_BYTES).unwrap_or(line);
            match (patterns.continues(line), patterns.is_open(line)) {
                (true, false) => Class::Continues,
                (true, true) => Class::ContinuesOpen,
                (false, false) => Class::Starts,
                (false, true) => Class::StartsOpen,
            }
        }
    }
}

/// Words of a log line, in any case. The first ones say that all is well; then those that say it is not.
const WORDS: &[&str] = &[
    "info",
    "debug",
    "trace",
    "notice",
    "verbose",
    "information",
    "inf",
    "dbg",
    "trce",
    "dbug",
    "config",
    "fine",
    "finer",
    "finest", // calm
    "error",
    "errors",
    "exception",
    "exceptions",
    "fail",
    "failed",
    "fails",
    "failure",
    "failing",
    "fatal",
    "severe",
    "crit",
    "critical",
    "panic",
    "panicked",
    "warn",
    "warning",
    "alert",
    "emerg",
    "unhandled",
    "uncaught",
    "caught",
    "traceback",
    "throwable",
    "crash",
    "crashed",
    "abort",
    "aborted",
    "err",
    "wrn",
];
const CALM: usize = 14;

/// Whether a log line reports a failure: it has a word of one, or no level that says that all is well.
pub(super) fn reports_failure(line: &[u8]) -> bool {
    static FIND: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS).ok());
    let Some(find) = FIND.as_ref() else { return true };
    let mut calm = false;
    for found in find.find_overlapping_iter(line) {
        let edge = |at: Option<usize>| {
            at.and_then(|at| line.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
        };
        if edge(found.start().checked_sub(1)) && edge(Some(found.end())) {
            if found.pattern().as_usize() >= CALM {
                return true;
            }
            calm = true;
        }
    }
    // klog: `I0102 15:04:05`
    let klog = line.first() == Some(&b'I') && line.get(1).is_some_and(u8::is_ascii_digit);
    !calm && !klog
}

/// Whether a log line is itself the first line of a Go panic.
pub(super) fn is_panic(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"panic").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_words() {
        for line in [
            "2024-05-01 12:00:00,361 ERROR [x] c.e.P - Request",
            "[2015-12-06 01:44:53,269][DEBUG][action] [Zach] failed to put mappings",
            "2024-05-01 12:00:00 cannot open",
            "E0102 15:04:05 x",
            "fail: Microsoft.X[13]",
        ] {
            assert!(reports_failure(line.as_bytes()), "{line}");
        }
        for line in [
            "17/06/09 20:11:10 INFO executor.Executor: Finished task",
            "[Sun Dec 04 06:42:11 2005] [notice] jk2_init() Found child",
            "2024-05-01 12:00:00,604 INFO  [x] c.e.shop.SqlExceptionHelper - Handled",
            "I0102 15:04:05 x",
        ] {
            assert!(!reports_failure(line.as_bytes()), "{line}");
        }
    }
}
