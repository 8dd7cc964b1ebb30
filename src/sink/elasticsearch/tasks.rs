//! Whether requests of before are still at work on the server, though nobody waits for them any more.
//!
//! In: the answer of `_tasks`. Out: whether one of ours is among them whose answer was lost, or that a process of before sent. Each request of rows carries
//! an `X-Opaque-Id` that Elasticsearch shows with the task: sink, life of the process and a number. A number is used
//! again once its request was answered, so that there are few (the server keeps books by these ids), and never where
//! the answer was lost.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

use crate::limits::LOST_REQUESTS_MAX;

/// What is asked: all that create rows, on all nodes.
pub(super) const PATH: &str = "/_tasks?actions=indices:data/write/bulk*&group_by=none&filter_path=tasks.headers,node_failures,task_failures";

/// The ids of requests, and what was heard of them.
pub(super) struct Tasks {
    /// What the ids of this sink begin with, whichever process sent them.
    sink: String,
    /// The same of this process.
    life: String,
    free: Vec<u32>,
    next: u32,
    /// Those whose answer was lost, the last ones.
    lost: VecDeque<u32>,
    /// When it was asked whether old ones are at work, and the answer was no.
    quiet: Option<Duration>,
    /// It is being asked.
    asked: bool,
    /// The cluster does not say.
    untold: bool,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(default)]
    node_failures: Vec<serde_json::Value>,
    #[serde(default)]
    task_failures: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Task {
    #[serde(default)]
    headers: Headers,
}

#[derive(Default, Deserialize)]
struct Headers {
    #[serde(default, rename = "X-Opaque-Id")]
    id: String,
}

impl Tasks {
    /// For a sink of an agent; `life` is another for each process.
    pub(super) fn new(agent: &str, name: &str, life: i64) -> Self {
        let sink = format!("aludel/{agent}/{name}/");
        let life = format!("{sink}{life:x}/");
        Self {
            sink,
            life,
            free: Vec::new(),
            next: 0,
            lost: VecDeque::new(),
            quiet: None,
            asked: false,
            untold: false,
        }
    }

    /// A number for a request.
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next
        })
    }

    /// The request was answered: the server is done with it.
    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }

    /// No answer came, or none of the server itself: it may be at work on the request.
    pub(super) fn lose(&mut self, number: u32) {
        self.lost.push_back(number);
        if self.lost.len() > LOST_REQUESTS_MAX {
            self.lost.pop_front();
        }
    }

    /// The id of a request.
    pub(super) fn id(&self, number: u32) -> String {
        format!("{}{number}", self.life)
    }

    /// Whether it is to be asked for what began at `since`: that is so unless the cluster does not say, or has said since.
    pub(super) fn must_ask(&self, since: Duration) -> bool {
        !self.untold && self.quiet.is_none_or(|at| at < since)
    }

    /// When it was last heard that all is quiet: what was asked for before that says less.
    pub(super) fn quiet(&self) -> Duration {
        self.quiet.unwrap_or_default()
    }

    /// Whether to ask now; not while the last question is open.
    pub(super) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    /// The cluster does not say, and is not asked again. Whether that is new.
    pub(super) fn give_up(&mut self) -> bool {
        self.asked = false;
        !std::mem::replace(&mut self.untold, true)
    }

    /// Takes an answer to what was asked at `sent`. `None` where it cannot be read; false where an old request is at work
    /// still: in both cases it is to be asked again.
    pub(super) fn read(&mut self, body: &[u8], sent: Duration) -> Option<bool> {
        let listing: Listing = serde_json::from_slice(body).ok()?;
        if !listing.node_failures.is_empty() || !listing.task_failures.is_empty() {
            return None;
        }
        // A number that is in flight now may have been answered since, and the other way round; a lost one stays lost.
        let old = |task: &Task| match task.headers.id.strip_prefix(&self.life) {
            Some(number) => number.parse().is_ok_and(|number| self.lost.contains(&number)),
            None => task.headers.id.starts_with(&self.sink),
        };
        if listing.tasks.iter().any(old) {
            return Some(false);
        }
        (self.quiet, self.asked) = (Some(sent), false);
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_secs(9);

    #[test]
    fn only_old_requests_of_this_sink_count() {
        let mut tasks = Tasks::new("cafe", "es", 0x1f);
        let (first, second) = (tasks.take(), tasks.take());
        assert_eq!(tasks.id(second), "aludel/cafe/es/1f/2");
        tasks.give_back(second);
        assert_eq!(tasks.take(), second);
        let of = |id: &str| {
            format!("{{\"tasks\":[{{\"headers\":{{}}}},{{\"headers\":{{\"X-Opaque-Id\":\"{id}\"}}}}]}}")
        };
        assert!(tasks.must_ask(Duration::ZERO) && tasks.begin() && !tasks.begin());
        tasks.lose(first);
        for (id, quiet) in [
            ("aludel/cafe/es/1f/1", false),
            ("aludel/cafe/es/1f/2", true),
            ("aludel/cafe/es/1e/2", false),
            ("aludel/cafe/es2/1e/1", true),
            ("aludel/beef/es/1e/1", true),
        ] {
            tasks.quiet = None;
            assert_eq!(tasks.read(of(id).as_bytes(), AT), Some(quiet), "{id}");
            assert_eq!(tasks.must_ask(AT), !quiet);
        }
        assert!(tasks.must_ask(AT + Duration::from_nanos(1)));
        assert_eq!(tasks.read(b"{}", AT), Some(true));
        assert_eq!(tasks.read(b"{\"node_failures\":[{}]}", AT), None);
        assert_eq!(tasks.read(b"<html>", AT), None);
        assert!(tasks.give_up() && !tasks.give_up() && !tasks.must_ask(AT * 2));
    }
}
