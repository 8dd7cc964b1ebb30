//! `threat`: addresses, domains, URLs and hashes that lists of threat intelligence name.
//!
//! What it finds: a value that is in a list, exactly; an address also within a network, a domain also below one. Why it
//! matters: somebody else has seen it attack. Example: a DNS query for a host of a botnet. What it misses: what is in no
//! list, and what is spelled otherwise than [`indicator`] makes equal. Sources: STIX 2.1
//! (<https://docs.oasis-open.org/cti/stix/v2.1/stix-v2.1.html>), the core format of MISP
//! (<https://www.misp-standard.org/rfc/misp-standard-core.html>), RFC 3986 §6.2.

mod bundle;
mod cells;
mod documents;
mod indicator;
mod keys;
mod lines;
mod list;
mod names;
mod notes;
mod options;
mod pattern;
mod read;
mod room;
mod rows;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use super::judge::{evidence, write_open};
use super::{Class, Technique};
use crate::event::{Options, write_string, write_timestamp};
use crate::limits::{THREAT_FILE_BYTES_MAX, THREAT_LISTS_MAX};
use crate::lookup::{Data, Held, Read, Reading};
use crate::seam::Fs;

pub use list::{Builder, By, List, Match, Probe};
pub use notes::Note;
pub use options::{SIGNATURE, check};
pub use read::{Report, Terms, read, time};

use options::terms;

/// Its name.
pub const NAME: &str = "threat";

const INFRASTRUCTURE: Technique = Technique {
    id: "T1583",
    name: "Acquire Infrastructure",
    tactic_id: "TA0042",
    tactic: "Resource Development",
};
const CAPABILITIES: Technique = Technique {
    id: "T1588",
    name: "Obtain Capabilities",
    tactic_id: "TA0042",
    tactic: "Resource Development",
};

const fn class(name: &'static str, doc: &'static str, technique: &'static Technique) -> Class {
    Class { name, doc, technique, secret: false }
}

static IP: Class = class("ip", "an address, or one within a network", &INFRASTRUCTURE);
static DOMAIN: Class = class("domain", "a domain, or one below it", &INFRASTRUCTURE);
static URL: Class = class("url", "a URL", &INFRASTRUCTURE);
static HASH: Class = class("hash", "the hash of a file", &CAPABILITIES);

/// Lists that values are looked up in, and how.
#[derive(Debug)]
pub struct Threat {
    /// The numbers of what was declared: of each name or pattern.
    lists: Vec<usize>,
    except: Vec<usize>,
    subdomains: bool,
}

/// A list that was read, and the name of its feed.
#[derive(Debug)]
struct Feed {
    name: Box<str>,
    list: List,
}

/// What a worker looks values up with, used again for every event.
#[derive(Debug, Default)]
pub struct Desk {
    probe: Probe,
    matches: Vec<Match>,
    except: Vec<Match>,
    /// Indicators as they are listed.
    texts: Vec<u8>,
    /// What was found since [`Desk::clear`].
    pub listed: Vec<Listed>,
}

impl Desk {
    /// Forgets what was found.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.listed.clear();
    }

    /// The indicator as it is listed.
    pub fn indicator(&self, of: &Listed) -> &[u8] {
        self.texts.get(of.indicator.clone()).unwrap_or_default()
    }
}

/// A value that is in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is.
    pub class: &'static Class,
    /// How it is in the list.
    pub by: By,
    /// Which of the fields it is the value of; the user sets it.
    pub field: usize,
    /// Where in the field the value is; the user sets it.
    pub value: Range<usize>,
    /// How sure the list is.
    pub confidence: u8,
    /// Where its list is.
    list: (usize, usize),
    note: u32,
    indicator: Range<usize>,
    rule: &'static str,
}

impl Threat {
    /// Reads the lists that options name, so that they are read anew when they change.
    pub fn new(options: &Options, data: &mut Data, fs: &dyn Fs) -> Result<Self, String> {
        check(options)?;
        let own = terms(options)?;
        // What is never reported is so however sure its list is.
        let any = Terms { threshold: 0, ..own.clone() };
        let mut declare = |name: &str, terms: &Terms| {
            let paths = options.texts(name);
            if paths.len() > THREAT_LISTS_MAX {
                let all = paths.len();
                return Err(format!("`{name}` has {all} names, at most {THREAT_LISTS_MAX} are read"));
            }
            let one = |path: &String| {
                let (terms, feed) = (terms.clone(), options.given("feed").map(Box::from));
                let read = move |reading: &mut Reading| {
                    let name = feed.clone().unwrap_or_else(|| reading.name().into());
                    let (list, report) = read(reading, &terms)?;
                    Ok((Arc::new(Feed { name, list }) as Read, report.said()))
                };
                data.files(fs, path, THREAT_LISTS_MAX, THREAT_FILE_BYTES_MAX, Box::new(read))
            };
            paths.iter().map(one).collect()
        };
        let (lists, except) = (declare("lists", &own)?, declare("except", &any)?);
        let subdomains = options.get("subdomains").is_none() || options.is("subdomains");
        Ok(Self { lists, except, subdomains })
    }

    /// The lists, each with where it is: the number of what was declared, and that of the file among its own.
    fn lists<'h>(&self, held: &'h Held) -> impl Iterator<Item = ((usize, usize), &'h Feed)> {
        let of = |number: usize| {
            held.all::<Feed>(number).enumerate().map(move |(file, feed)| ((number, file), feed))
        };
        self.lists.iter().copied().flat_map(of)
    }

    /// Appends what the lists hold of a value at a time, in nanoseconds since the epoch: of each list a URL or a hash, and
    /// a host.
    pub fn find(&self, value: &[u8], at_ns: i64, held: &Held, desk: &mut Desk) {
        if !desk.probe.set(value, self.subdomains) {
            return;
        }
        let from = desk.listed.len();
        for (at, Feed { list, .. }) in self.lists(held) {
            desk.matches.clear();
            list.find(&desk.probe, at_ns, &mut desk.matches);
            for found in &desk.matches {
                let Some(note) = list.note(found.note) else { continue };
                let start = desk.texts.len();
                let (class, rule) = describe(found.by, &desk.probe, &mut desk.texts);
                desk.listed.push(Listed {
                    class,
                    by: found.by,
                    field: 0,
                    value: 0..value.len(),
                    confidence: note.confidence,
                    list: at,
                    note: found.note,
                    indicator: start..desk.texts.len(),
                    rule,
                });
            }
        }
        if desk.listed.len() > from && !self.except.is_empty() {
            self.except(from, at_ns, held, desk);
        }
    }

    /// Takes back what is never to be reported: a host where the host is excepted, a URL or hash where it is itself.
    fn except(&self, from: usize, at_ns: i64, held: &Held, desk: &mut Desk) {
        desk.except.clear();
        for number in &self.except {
            for Feed { list, .. } in held.all(*number) {
                list.find(&desk.probe, at_ns, &mut desk.except);
            }
        }
        let is_host = |by: By| matches!(by, By::Net(_) | By::Domain(_));
        let mut at = from;
        while let Some(listed) = desk.listed.get(at) {
            if desk.except.iter().any(|of| is_host(of.by) == is_host(listed.by)) {
                desk.listed.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// The name of the feed of a detection.
    pub fn feed<'h>(&self, of: &Listed, held: &'h Held) -> &'h str {
        held.all::<Feed>(of.list.0).nth(of.list.1).map_or("", |feed| &feed.name)
    }

    /// What the list says of a detection.
    pub fn note<'h>(&self, of: &Listed, held: &'h Held) -> Option<Note<'h>> {
        held.all::<Feed>(of.list.0).nth(of.list.1)?.list.note(of.note)
    }

    /// Writes a detection as a JSON object.
    pub fn write(&self, of: &Listed, field: &str, value: &[u8], desk: &Desk, held: &Held, out: &mut Vec<u8>) {
        write_open(NAME, of.class, of.rule, field, &evidence(value, &of.value), of.confidence, out);
        out.extend_from_slice(b",\"feed\":");
        write_string(self.feed(of, held), out);
        out.extend_from_slice(b",\"indicator\":");
        write_string(&String::from_utf8_lossy(desk.indicator(of)), out);
        out.extend_from_slice(b",\"confidence\":");
        out.extend_from_slice(itoa::Buffer::new().format(of.confidence).as_bytes());
        let Some(note) = self.note(of, held) else { return out.push(b'}') };
        if note.expires_ns != i64::MAX {
            out.extend_from_slice(b",\"expires\":\"");
            write_timestamp(note.expires_ns, out);
            out.push(b'"');
        }
        if let Some(name) = note.name {
            out.extend_from_slice(b",\"name\":");
            write_string(name, out);
        }
        out.push(b'}');
    }

    /// How many entries the lists have, and how many bytes they hold.
    pub fn size(&self, held: &Held) -> (usize, usize) {
        let lists = self.lists(held).map(|(_, feed)| &feed.list);
        lists.fold((0, 0), |(entries, bytes), list| (entries + list.len(), bytes + list.bytes()))
    }
}

/// The address that a value is or holds: with a port, or as the host of a URL.
pub fn address(value: &[u8]) -> Option<std::net::IpAddr> {
    let mut probe = Probe::default();
    probe.set(value, false).then(|| probe.address()).flatten()
}

/// The class and rule of a match; its indicator is appended as text.
fn describe(by: By, probe: &Probe, out: &mut Vec<u8>) -> (&'static Class, &'static str) {
    match by {
        By::Net(len) => {
            let net = probe.address().and_then(|address| indicator::Net::new(address, len));
            out.extend_from_slice(net.map_or(String::new(), |net| net.to_string()).as_bytes());
            (&IP, if net.is_some_and(indicator::Net::is_address) { "address" } else { "network" })
        }
        By::Domain(len) => {
            let (name, whole) = (probe.domain(len), probe.domain(usize::MAX));
            out.extend_from_slice(name);
            (&DOMAIN, if name.len() == whole.len() { "domain" } else { "subdomain" })
        }
        By::Url => {
            out.extend_from_slice(probe.text());
            (&URL, "url")
        }
        By::Hash => {
            out.extend_from_slice(data_encoding::HEXLOWER.encode(probe.text()).as_bytes());
            let rule = match probe.text().len() {
                16 => "md5",
                20 => "sha1",
                32 => "sha256",
                _ => "sha512",
            };
            (&HASH, rule)
        }
    }
}
