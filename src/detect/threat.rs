//! `threat`: addresses, domains, URLs and hashes that lists of threat intelligence name.
//!
//! What it finds: a value that is in a list, exactly; an address also within a network, a domain also below one. Why it
//! matters: somebody else has seen it attack. Example: a DNS query for a host of a botnet. What it misses: what is in no
//! list, and what is spelled otherwise than [`indicator`] makes equal. Sources: STIX 2.1
//! (<https://docs.oasis-open.org/cti/stix/v2.1/stix-v2.1.html>), the core format of MISP
//! (<https://www.misp-standard.org/rfc/misp-standard-core.html>), RFC 3986 §6.2.

mod documents;
mod indicator;
mod keys;
mod lines;
mod list;
mod names;
mod notes;
mod pattern;
mod read;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::judge::{evidence, write_open};
use super::{Class, Technique};
use crate::event::{Options, write_string, write_timestamp};
use crate::limits::{THREAT_FILE_BYTES_MAX, THREAT_LISTS_MAX};
use crate::lookup::{Data, Held, Read};
use crate::seam::{FileKind, Fs};
use crate::signature::{Example, OptionSpec, OptionType, Signature};

pub use list::{Builder, By, List, Match, Probe};
pub use notes::Note;
pub use read::{Report, Terms, read, time};

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

const fn text(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec { name, ty: OptionType::Text, default: Some(""), doc }
}

/// What `threat` says of itself.
pub static SIGNATURE: Signature = Signature {
    name: NAME,
    summary: "addresses, domains, URLs and hashes that lists of threat intelligence name",
    doc: "A list is a file: an indicator a line (netsets, ranges, hosts files, `hxxp` and `[.]` understood, `#` and `;` begin \
          comments), CSV (a header names the columns; without one the first column that holds indicators counts), a \
          bundle of STIX 2.1, events of MISP (attributes with `to_ids`), or a warning list of MISP. Which it is, is told \
          from what is in it. Files are read anew when they are changed; one that became bad leaves what was read \
          before. Lines that are no indicators are left out and told of; a file that has more of them than entries is \
          refused.\n\n\
          What a value is, is told from the value, not from the field: an address (with or without port; \
          `::ffff:192.0.2.1` is 192.0.2.1), a domain, a URL (which is also its host), a hash in hexadecimal. A list of \
          values is looked up item by item. URLs are compared whole, scheme and host in lower case, without user, default \
          port and fragment, escapes of unreserved characters undone; one that is listed without scheme stands for any. A \
          domain that is listed stands for those below it too, unless it is a public suffix such as `co.uk`. Of networks \
          that hold an address the narrowest that is still valid counts. Every list that has the value gives a \
          detection, with `feed`, `indicator`, `confidence`, and where the list says so `expires` and `name`. An entry \
          is valid until it expires by the time of the event (the time at which it was read, if it has none). The surest \
          of them goes to `threat.indicator.*` and `threat.feed.name`.",
    form: "detect threat on .FIELD, … { lists = [\"FILE\"] }",
    options: &[
        OptionSpec {
            name: "lists",
            ty: OptionType::Paths,
            default: None,
            doc: "the files; `*`, `?` and `[…]` in the name stand for all that are there when the pipeline starts",
        },
        OptionSpec {
            name: "except",
            ty: OptionType::Paths,
            default: Some(""),
            doc: "lists of what is never reported, whatever others say: addresses of one's own, warning lists",
        },
        text("feed", "the name of the feed; that of the file without its ending, unless given"),
        OptionSpec {
            name: "confidence",
            ty: OptionType::Int,
            default: Some("50"),
            doc: "how sure an entry is that does not say so, 0 to 100",
        },
        OptionSpec {
            name: "threshold",
            ty: OptionType::Int,
            default: Some("1"),
            doc: "the least confidence with which an entry is used",
        },
        OptionSpec {
            name: "subdomains",
            ty: OptionType::Bool,
            default: Some("true"),
            doc: "whether a domain that is listed stands for those below it",
        },
        text("column", "the column of the indicators in CSV, where its name is no usual one"),
        text("confidence_column", "the column of the confidence in CSV, where its name is no usual one"),
        text("expires_column", "the column of the time of expiry in CSV, where its name is no usual one"),
    ],
    examples: &[Example {
        title: "a network of a netset, a name of a hosts file",
        source: "detect threat on .source.ip, .dns.question.name { lists = [\"fixtures/detect/threat/lists/networks.netset\", \"fixtures/detect/threat/lists/hosts.txt\"] }",
        input: r#"{"source":{"ip":"192.0.2.77"},"dns":{"question":{"name":"www.fine.example"}}}"#,
        result: r#"{"detections":[{"detector":"threat","class":"ip","rule":"network","field":"source.ip","evidence":"192.0.2.77","technique":"T1583","score":50,"feed":"networks","indicator":"192.0.2.64/26","confidence":50}],"dns":{"question":{"name":"www.fine.example"}},"event":{"kind":"alert"},"source":{"ip":"192.0.2.77"},"threat":{"feed":{"name":"networks"},"framework":"MITRE ATT&CK","indicator":{"confidence":"Medium","ip":"192.0.2.77","name":"192.0.2.64/26","type":"ipv4-addr"},"tactic":{"id":["TA0042"],"name":["Resource Development"]},"technique":{"id":["T1583"],"name":["Acquire Infrastructure"]}}}"#,
    }],
};

/// Lists that values are looked up in, and how.
#[derive(Debug)]
pub struct Threat {
    /// The name of the feed of each list, and its number among what was declared.
    lists: Vec<(Box<str>, usize)>,
    except: Vec<usize>,
    subdomains: bool,
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
    list: usize,
    note: u32,
    indicator: Range<usize>,
    rule: &'static str,
}

/// What options say of lists.
fn terms(options: &Options) -> Result<Terms, String> {
    let usual = Terms::default();
    let percent = |name: &str, least: i64, usual: u8| {
        let of = options.int(name).unwrap_or(usual.into());
        let fits = (least..=100).contains(&of).then_some(of as u8);
        fits.ok_or_else(|| format!("the option `{name}` takes a confidence from {least} to 100"))
    };
    let column = |name: &str| options.given(name).map(str::to_owned);
    let columns = [column("column"), column("confidence_column"), column("expires_column")];
    Ok(Terms {
        confidence: percent("confidence", 0, usual.confidence)?,
        threshold: percent("threshold", 0, usual.threshold)?,
        columns,
    })
}

/// Says what is wrong with options, without a look at files.
pub fn check(options: &Options) -> Result<(), String> {
    if options.texts("lists").is_empty() {
        return Err("the option `lists` names one file at least".to_owned());
    }
    terms(options).map(drop)
}

impl Threat {
    /// Reads the lists that options name, so that they are read anew when they change.
    pub fn new(options: &Options, data: &mut Data, fs: &dyn Fs) -> Result<Self, String> {
        check(options)?;
        let own = terms(options)?;
        // What is never reported is so however sure its list is.
        let any = Terms { threshold: 0, ..own.clone() };
        let mut declare = |name: &str, terms: &Terms| {
            let mut numbers = Vec::new();
            for path in options
                .texts(name)
                .iter()
                .map(|path| files(fs, path))
                .collect::<Result<Vec<_>, _>>()?
                .concat()
            {
                let terms = terms.clone();
                let read = move |reading: &mut crate::lookup::Reading| {
                    let size = reading.size();
                    let (list, report) = read(reading, size, &terms)?;
                    Ok((Arc::new(list) as Read, report.said()))
                };
                numbers.push((
                    feed(options, &path),
                    data.reading(fs, &path, THREAT_FILE_BYTES_MAX, Box::new(read))?,
                ));
            }
            if numbers.len() > THREAT_LISTS_MAX {
                return Err(format!(
                    "`{name}` names {} files, at most {THREAT_LISTS_MAX} are read",
                    numbers.len()
                ));
            }
            Ok::<_, String>(numbers)
        };
        let lists = declare("lists", &own)?;
        let except = declare("except", &any)?.into_iter().map(|(_, number)| number).collect();
        let subdomains = options.get("subdomains").is_none() || options.is("subdomains");
        Ok(Self { lists, except, subdomains })
    }

    /// Appends what the lists hold of a value at a time, in nanoseconds since the epoch: of each list a URL or a hash, and
    /// a host.
    pub fn find(&self, value: &[u8], at_ns: i64, held: &Held, desk: &mut Desk) {
        if !desk.probe.set(value, self.subdomains) {
            return;
        }
        let from = desk.listed.len();
        for (at, (_, number)) in self.lists.iter().enumerate() {
            let Some(list) = held.get::<List>(*number) else { continue };
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
            if let Some(list) = held.get::<List>(*number) {
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
    pub fn feed(&self, of: &Listed) -> &str {
        self.lists.get(of.list).map_or("", |(feed, _)| feed)
    }

    /// What the list says of a detection.
    pub fn note<'h>(&self, of: &Listed, held: &'h Held) -> Option<Note<'h>> {
        held.get::<List>(self.lists.get(of.list)?.1)?.note(of.note)
    }

    /// Writes a detection as a JSON object.
    pub fn write(&self, of: &Listed, field: &str, value: &[u8], desk: &Desk, held: &Held, out: &mut Vec<u8>) {
        write_open(NAME, of.class, of.rule, field, &evidence(value, &of.value), of.confidence, out);
        out.extend_from_slice(b",\"feed\":");
        write_string(self.feed(of), out);
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
        let lists = self.lists.iter().filter_map(|(_, number)| held.get::<List>(*number));
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

/// The name of a file's feed.
fn feed(options: &Options, path: &str) -> Box<str> {
    let stem = || Path::new(path).file_stem().map_or_else(|| path.into(), |stem| stem.to_string_lossy());
    options.given("feed").map_or_else(|| stem().as_ref().into(), Box::from)
}

/// The files of a path whose name may stand for many.
fn files(fs: &dyn Fs, path: &str) -> Result<Vec<String>, String> {
    let whole = Path::new(path);
    let name = whole.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if !name.contains(['*', '?', '[']) || fs.stat(whole).is_ok() {
        return Ok(vec![path.to_owned()]);
    }
    let folder = whole.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let glob = globset::Glob::new(&name).map_err(|error| format!("`{path}`: {error}"))?.compile_matcher();
    let all = fs.list(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut files: Vec<String> = all
        .into_iter()
        .filter(|(_, kind)| matches!(kind, FileKind::File | FileKind::Link))
        .filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| glob.is_match(name))
        .map(|name| folder.join(name).to_string_lossy().into_owned())
        .collect();
    files.sort_unstable();
    if files.is_empty() { Err(format!("no file is named `{path}`")) } else { Ok(files) }
}
