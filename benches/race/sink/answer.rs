//! The answer to a bulk request, member for member as Elasticsearch writes it, and `filter_path`.
//!
//! In: what became of each document. Out: the body. A client that asks for less gets less, as from the real one:
//! what a shipper must read is part of what it costs.

use super::action::{Action, Operation};
use super::tally::Fate;

/// Members of an item, in the order in which they are written.
const MEMBERS: [&str; 10] = [
    "_index",
    "_id",
    "_version",
    "result",
    "_shards",
    "_seq_no",
    "_primary_term",
    "status",
    "error.type",
    "error.reason",
];
const OPERATIONS: [Operation; 2] = [Operation::Create, Operation::Index];

/// Which members a client wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    errors: bool,
    took: bool,
    /// By operation and member.
    members: [[bool; MEMBERS.len()]; 2],
}

impl Wanted {
    /// From the value of `filter_path`: patterns with commas between; `*` is one step of a path, `**` any number,
    /// `-` in front leaves out.
    pub(crate) fn new(filter: Option<&str>) -> Self {
        let patterns: Vec<&str> = filter.into_iter().flat_map(|filter| filter.split(',')).collect();
        let is_wanted = |path: &str| {
            let (mut wanted, mut any) = (false, false);
            for pattern in &patterns {
                match pattern.strip_prefix('-') {
                    Some(pattern) if covers(pattern, path) => return false,
                    Some(_) => {}
                    None => {
                        any = true;
                        wanted |= covers(pattern, path);
                    }
                }
            }
            wanted || !any
        };
        Self {
            errors: is_wanted("errors"),
            took: is_wanted("took"),
            members: OPERATIONS.map(|operation| {
                MEMBERS.map(|member| is_wanted(&format!("items.{}.{member}", operation.name())))
            }),
        }
    }
}

/// Whether a pattern takes a path, or something above it.
fn covers(pattern: &str, path: &str) -> bool {
    let (step, pattern) = pattern.split_once('.').map_or((pattern, None), |(step, rest)| (step, Some(rest)));
    let (name, path) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    if step == "**" {
        let here = pattern.is_none_or(|pattern| covers(pattern, &join(name, path)));
        return here || path.is_some_and(|path| covers(&join(step, pattern), path));
    }
    if !fits(step, name) {
        return false;
    }
    match (pattern, path) {
        (None, _) => true,
        (Some(pattern), Some(path)) => covers(pattern, path),
        (Some(_), None) => false,
    }
}

fn join(first: &str, rest: Option<&str>) -> String {
    rest.map_or_else(|| first.to_owned(), |rest| format!("{first}.{rest}"))
}

/// One step: `*` stands for any characters.
fn fits(step: &str, name: &str) -> bool {
    match step.split_once('*') {
        None => step == name,
        Some((head, tail)) => name
            .strip_prefix(head)
            .is_some_and(|rest| rest.ends_with(tail) || (tail.contains('*') && fits(tail, rest))),
    }
}

/// An answer that is being written.
pub(crate) struct Answer<'a> {
    wanted: &'a Wanted,
    items: &'a mut Vec<u8>,
    errors: bool,
    /// The data stream or index in the URL.
    index: &'a [u8],
}

impl<'a> Answer<'a> {
    /// `items` is emptied and used again.
    pub(crate) fn new(wanted: &'a Wanted, index: &'a [u8], items: &'a mut Vec<u8>) -> Self {
        items.clear();
        Self { wanted, items, errors: false, index }
    }

    /// One document. `number` counts the documents of the index, and makes the id where the client gave none.
    pub(crate) fn item(&mut self, action: &Action<'_>, fate: Fate, number: u64) {
        let members = &self.wanted.members[action.operation as usize];
        let conflict = fate == Fate::Present && action.operation == Operation::Create;
        self.errors |= conflict;
        let mut digits = itoa::Buffer::new();
        let number = digits.format(number).as_bytes();
        let id = action.id.unwrap_or(number);
        let index = action.index.unwrap_or(self.index);
        let out = &mut *self.items;
        let start = out.len();
        if start > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(action.operation.name().as_bytes());
        out.extend_from_slice(b"\":{");
        let open = out.len();
        let mut member = |which: usize, parts: &[&[u8]]| {
            if members[which] {
                if out.len() > open {
                    out.push(b',');
                }
                for part in parts {
                    out.extend_from_slice(part);
                }
            }
        };
        member(0, &[b"\"_index\":\".ds-", index, b"-2026.11.23-000001\""]);
        member(1, &[b"\"_id\":\"", id, b"\""]);
        if conflict {
            member(7, &[b"\"status\":409"]);
            error(members, id, &mut member);
        } else if fate == Fate::Present {
            member(2, &[b"\"_version\":2"]);
            member(3, &[b"\"result\":\"updated\""]);
            stored(number, &mut member);
            member(7, &[b"\"status\":200"]);
        } else {
            member(2, &[b"\"_version\":1"]);
            member(3, &[b"\"result\":\"created\""]);
            stored(number, &mut member);
            member(7, &[b"\"status\":201"]);
        }
        // An item of which nothing is wanted is not there.
        if out.len() == open {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"}}");
        }
    }

    /// The whole body.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        out.push(b'{');
        if self.wanted.errors {
            out.extend_from_slice(if self.errors { b"\"errors\":true," } else { b"\"errors\":false," });
        }
        if self.wanted.took {
            out.extend_from_slice(b"\"took\":3,");
        }
        if !self.items.is_empty() {
            out.extend_from_slice(b"\"items\":[");
            out.extend_from_slice(self.items);
            out.push(b']');
        } else if out.ends_with(b",") {
            out.pop();
        }
        out.push(b'}');
    }
}

fn stored(number: &[u8], member: &mut impl FnMut(usize, &[&[u8]])) {
    member(4, &[b"\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0}"]);
    member(5, &[b"\"_seq_no\":", number]);
    member(6, &[b"\"_primary_term\":1"]);
}

fn error(members: &[bool; MEMBERS.len()], id: &[u8], member: &mut impl FnMut(usize, &[&[u8]])) {
    let kind: &[u8] = b"\"type\":\"version_conflict_engine_exception\"";
    let reason: [&[u8]; 3] =
        [b"\"reason\":\"[", id, b"]: version conflict, document already exists (current version [1])\""];
    match (members[8], members[9]) {
        (true, true) => member(8, &[b"\"error\":{", kind, b",", reason[0], reason[1], reason[2], b"}"]),
        (true, false) => member(8, &[b"\"error\":{", kind, b"}"]),
        (false, true) => member(9, &[b"\"error\":{", reason[0], reason[1], reason[2], b"}"]),
        (false, false) => {}
    }
}
