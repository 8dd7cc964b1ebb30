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
    /// What it is, for the report.
    pub(crate) what: &'static str,
}

/// All of them.
pub(crate) const COURSES: [Course; 7] = [
    Course {
        name: "W1",
        kind: Kind::Nginx,
        goal: Goal::Bulk { whole: false },
        what: "CRI nginx access lines → fields → _bulk",
    },
    Course { name: "W1z", kind: Kind::Nginx, goal: Goal::Bulk { whole: false }, what: "W1 with gzip bodies" },
    Course {
        name: "W2",
        kind: Kind::Json,
        goal: Goal::Bulk { whole: false },
        what: "docker lines of application JSON → 2 renamed, 3 dropped → _bulk",
    },
    Course {
        name: "W3",
        kind: Kind::Java,
        goal: Goal::Bulk { whole: true },
        what: "CRI Java lines, traces joined → _bulk",
    },
    Course { name: "W4", kind: Kind::Nginx, goal: Goal::File, what: "W1's files, lines to one file" },
    Course { name: "W5", kind: Kind::Nginx, goal: Goal::Parquet, what: "W1 → Parquet, 11 columns, zstd 1" },
    Course {
        name: "mixed",
        kind: Kind::Mixed,
        goal: Goal::Bulk { whole: true },
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
