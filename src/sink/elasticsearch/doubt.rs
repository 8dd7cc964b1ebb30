//! Rows in doubt: sent, and not answered. They are looked up before they are created again.
//!
//! In: a parcel of such rows, and for each of their data streams the backing indices where they can be. Out:
//! requests, one backing index at a time (`_mget` by id reads what no refresh has shown yet), and the rows that are
//! there already.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::parcel::Parcel;
use super::row;

/// Why the rows of a parcel are in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// When it began: backing indices that were asked for before say nothing.
    pub(super) since: Duration,
    /// When the request was sent whose answer is missing. The server may still be at it.
    pub(super) sent: Duration,
}

/// A parcel that is looked up.
pub(super) struct Look {
    pub(super) parcel: Parcel,
    pub(super) doubt: Doubt,
    /// When the backing indices that are looked in were asked for.
    pub(super) at: Duration,
    pub(super) tries: u32,
    plain: Bytes,
    /// Data streams of its rows.
    streams: Vec<Arc<str>>,
    /// Of each row the number of its data stream, and where its id is in `plain`.
    rows: Vec<(usize, Range<usize>)>,
    /// Requests to come: a backing index, and the rows that can be there.
    rounds: VecDeque<(Arc<str>, Arc<[u32]>)>,
    /// Rows asked for by the request under way.
    asked: Vec<u32>,
    found: Vec<bool>,
}

impl Look {
    /// `None` where the rows cannot be read again, which only damaged memory explains; then the parcel is given back.
    pub(super) fn new(parcel: Parcel, doubt: Doubt) -> Result<Box<Self>, Box<Parcel>> {
        let Some(plain) = parcel.plain() else { return Err(Box::new(parcel)) };
        let (mut streams, mut rows) = (Vec::<Arc<str>>::new(), Vec::with_capacity(parcel.len()));
        let (mut last, mut number): (&[u8], usize) = (b"", 0);
        for at in 0..parcel.len() as u32 {
            let encoded = parcel.slice(&plain, at);
            let Some(parts) = row::parts(encoded) else { return Err(Box::new(parcel)) };
            if parts.stream != last {
                let Some(name) = row::name(parts.stream) else { return Err(Box::new(parcel)) };
                number = streams.iter().position(|known| **known == *name).unwrap_or(streams.len());
                if number == streams.len() {
                    streams.push(name.into());
                }
                last = parts.stream;
            }
            let id = parts.id.as_ptr() as usize - plain.as_ptr() as usize;
            rows.push((number, id..id + parts.id.len()));
        }
        let found = vec![false; rows.len()];
        let (rounds, asked) = (VecDeque::new(), Vec::new());
        Ok(Box::new(Self {
            parcel,
            doubt,
            at: Duration::ZERO,
            tries: 0,
            plain,
            streams,
            rows,
            rounds,
            asked,
            found,
        }))
    }

    /// Data streams of its rows.
    pub(super) fn streams(&self) -> &[Arc<str>] {
        &self.streams
    }

    /// Sets the backing indices to look in, oldest first, for the rows of one data stream.
    pub(super) fn look_in(&mut self, stream: &str, indices: &[Arc<str>]) {
        let of = |row: &&(usize, Range<usize>)| self.streams.get(row.0).is_some_and(|name| **name == *stream);
        let rows = self.rows.iter().enumerate().filter(|(_, row)| of(row)).map(|(at, _)| at as u32);
        let rows: Arc<[u32]> = rows.collect();
        self.rounds.extend(indices.iter().map(|index| (Arc::clone(index), Arc::clone(&rows))));
    }

    /// The next request, as path and body; `None` when all have been made.
    pub(super) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        while let Some((index, rows)) = self.rounds.front() {
            let left =
                rows.iter().copied().filter(|row| !self.found.get(*row as usize).is_none_or(|found| *found));
            self.asked = left.collect();
            if self.asked.is_empty() {
                self.rounds.pop_front();
                continue;
            }
            let path =
                format!("/{}/_mget?_source=false&filter_path=docs.found,docs.error.type", encode(index));
            let mut body = b"{\"ids\":[".to_vec();
            for row in &self.asked {
                let (_, id) = self.rows.get(*row as usize)?;
                body.push(b'"');
                body.extend_from_slice(self.plain.get(id.clone())?);
                body.extend_from_slice(b"\",");
            }
            body.pop();
            body.extend_from_slice(b"]}");
            return Some((path, body));
        }
        None
    }

    /// Takes the answer to the last request. False where it does not fit: then the same is to be asked again.
    pub(super) fn read(&mut self, body: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return false };
        // A shard that could not be read is no answer; an index that is gone is.
        let whole = |doc: &Doc| match (&doc.found, &doc.error) {
            (Some(_), None) => true,
            (None, Some(error)) => error.kind == "index_not_found_exception",
            _ => false,
        };
        if answer.docs.len() != self.asked.len() || !answer.docs.iter().all(whole) {
            return false;
        }
        for (row, doc) in self.asked.iter().zip(answer.docs) {
            if let (Some(true), Some(found)) = (doc.found, self.found.get_mut(*row as usize)) {
                *found = true;
            }
        }
        self.pass();
        true
    }

    /// Leaves the present backing index: it has been looked in, or is gone.
    pub(super) fn pass(&mut self) {
        self.rounds.pop_front();
        self.tries = 0;
    }

    /// The parcel, its rows as bytes, and which are nowhere.
    pub(super) fn end(self) -> (Parcel, Bytes, Vec<u32>) {
        let missing = self.found.iter().enumerate().filter(|(_, found)| !**found).map(|(at, _)| at as u32);
        let missing = missing.collect();
        (self.parcel, self.plain, missing)
    }
}

#[derive(Deserialize)]
struct Answer {
    docs: Vec<Doc>,
}

#[derive(Deserialize)]
struct Doc {
    found: Option<bool>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "type")]
    kind: String,
}

/// The backing indices of a data stream, oldest first, from the answer of `_resolve/index`. A plain index is its own
/// and only one; those of an alias come in the order of their names, which is that of their numbers.
pub(super) fn backing(body: &[u8], stream: &str) -> Option<Vec<Arc<str>>> {
    #[derive(Deserialize)]
    struct Resolved {
        #[serde(default)]
        indices: Vec<Named>,
        #[serde(default)]
        aliases: Vec<Named>,
        #[serde(default)]
        data_streams: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
        #[serde(default)]
        backing_indices: Many,
        #[serde(default)]
        indices: Many,
    }
    /// OpenSearch gives one name as a text.
    #[derive(Default, Deserialize)]
    #[serde(untagged)]
    enum Many {
        #[default]
        None,
        One(String),
        Several(Vec<String>),
    }
    let many = |many: Many| match many {
        Many::None => Vec::new(),
        Many::One(one) => vec![Arc::from(one)],
        Many::Several(several) => several.into_iter().map(Arc::from).collect(),
    };
    let resolved: Resolved = serde_json::from_slice(body).ok()?;
    let of = |named: Vec<Named>| named.into_iter().find(|named| named.name == stream);
    if let Some(found) = of(resolved.data_streams) {
        return Some(many(found.backing_indices));
    }
    if let Some(found) = of(resolved.aliases) {
        let mut indices = many(found.indices);
        indices.sort();
        return Some(indices);
    }
    Some(of(resolved.indices).map(|index| Arc::from(index.name)).into_iter().collect())
}

/// A name as a part of a path (RFC 3986 §2.1).
pub(super) fn encode(name: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::buffer::Buffers;
    use super::*;

    fn look(streams: &[&str]) -> Box<Look> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (n, stream) in streams.iter().enumerate() {
            let row =
                format!("{{\"create\":{{\"_index\":\"{stream}\",\"_id\":\"id{n}\"}}}}\n{{\"n\":{n}}}\n");
            bytes.extend_from_slice(row.as_bytes());
            ends.push(bytes.len() as u32);
        }
        let (payload, _) = Buffers::new(64).seal(bytes);
        let doubt = Doubt { since: Duration::ZERO, sent: Duration::ZERO };
        Look::new(Parcel::whole(1, payload, ends, false), doubt).unwrap_or_else(|_| panic!("rows"))
    }

    #[test]
    fn each_row_is_looked_for_where_it_can_be_until_it_is_found() {
        let mut look = look(&["a", "b", "a"]);
        assert_eq!(look.streams(), [Arc::from("a"), Arc::from("b")]);
        look.look_in("a", &["a1".into(), "a2".into()]);
        look.look_in("b", &["b 1".into()]);
        let asked = |look: &mut Look| {
            let (path, body) = look.request()?;
            Some((path.split('?').next().expect("a path").to_owned(), String::from_utf8(body).expect("text")))
        };
        let step = |path: &str, body: &str| Some((path.to_owned(), body.to_owned()));
        assert_eq!(asked(&mut look), step("/a1/_mget", "{\"ids\":[\"id0\",\"id2\"]}"));
        for unfit in ["", "{}", "{\"docs\":[]}", "{\"docs\":[{\"found\":true},{}]}"] {
            assert!(!look.read(unfit.as_bytes()), "{unfit}");
        }
        assert!(!look.read(b"{\"docs\":[{\"found\":true},{\"error\":{\"type\":\"no_shard_available\"}}]}"));
        assert!(look.read(b"{\"docs\":[{\"found\":false},{\"found\":true}]}"));
        assert_eq!(asked(&mut look), step("/a2/_mget", "{\"ids\":[\"id0\"]}"));
        assert!(look.read(b"{\"docs\":[{\"error\":{\"type\":\"index_not_found_exception\"}}]}"));
        assert_eq!(asked(&mut look), step("/b%201/_mget", "{\"ids\":[\"id1\"]}"));
        look.pass();
        assert_eq!(asked(&mut look), None);
        assert_eq!(look.end().2, [0, 1]);
    }

    #[test]
    fn backing_indices_come_from_what_the_name_is() {
        let names = |body: &str| {
            backing(body.as_bytes(), "x").map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        let stream = r#"{"indices":[],"aliases":[],"data_streams":[{"name":"x","backing_indices":[".ds-x-1",".ds-x-2"]}]}"#;
        assert_eq!(names(stream), some(&[".ds-x-1", ".ds-x-2"]));
        assert_eq!(
            names(r#"{"data_streams":[{"name":"x","backing_indices":".ds-x-1"}]}"#),
            some(&[".ds-x-1"])
        );
        assert_eq!(names(r#"{"aliases":[{"name":"x","indices":["x-2","x-1"]}]}"#), some(&["x-1", "x-2"]));
        assert_eq!(names(r#"{"indices":[{"name":"x","attributes":["open"]}]}"#), some(&["x"]));
        assert_eq!(names(r#"{"indices":[],"aliases":[],"data_streams":[]}"#), some(&[]));
        assert_eq!(names("<html>"), None);
    }
}
