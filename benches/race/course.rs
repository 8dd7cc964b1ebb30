//! The workloads: what is read, what is done, where it goes.

use crate::sink::tally::Watch;
use crate::workload::Kind;

/// Where the events of a workload go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// `_bulk` of the local server; documents hold all lines of their event where `whole` is set.
    Bulk { whole: bool },
    /// One file, to which lines are appended.
    File,
    /// Parquet files, read once the contestant has ended.
    Parquet,
}

/// One workload.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) goal: Goal,
    /// The ceiling program for it.
    pub(crate) ceiling: Option<&'static str>,
    /// What it is, for the report.
    pub(crate) what: &'static str,
}

/// All of them.
pub(crate) const COURSES: [Course; 7] = [
    Course {
        name: "W1",
        kind: Kind::Nginx,
        goal: Goal::Bulk { whole: false },
        ceiling: Some("w1"),
        what: "CRI nginx access lines → fields → _bulk",
    },
    Course {
        name: "W1z",
        kind: Kind::Nginx,
        goal: Goal::Bulk { whole: false },
        ceiling: Some("w1-gzip"),
        what: "W1 with gzip bodies",
    },
    Course {
        name: "W2",
        kind: Kind::Json,
        goal: Goal::Bulk { whole: false },
        ceiling: Some("w2"),
        what: "docker lines of application JSON → 2 renamed, 3 dropped → _bulk",
    },
    Course {
        name: "W3",
        kind: Kind::Java,
        goal: Goal::Bulk { whole: true },
        ceiling: Some("w3"),
        what: "CRI Java lines, traces joined → _bulk",
    },
    Course {
        name: "W4",
        kind: Kind::Nginx,
        goal: Goal::File,
        ceiling: Some("w4"),
        what: "W1's files, lines to one file",
    },
    Course {
        name: "W5",
        kind: Kind::Nginx,
        goal: Goal::Parquet,
        ceiling: Some("w5"),
        what: "W1 → Parquet, 11 columns, zstd 1",
    },
    Course {
        name: "mixed",
        kind: Kind::Mixed,
        goal: Goal::Bulk { whole: true },
        ceiling: None,
        what: "nginx, JSON and Java files → _bulk",
    },
];

impl Course {
    /// The workload of a name, in any case.
    pub(crate) fn named(name: &str) -> Option<&'static Course> {
        COURSES.iter().find(|course| course.name.eq_ignore_ascii_case(name))
    }

    /// What the sink looks at.
    pub(crate) fn watch(&self) -> Watch {
        Watch { whole: self.goal == Goal::Bulk { whole: true }, arrivals: false }
    }
}
