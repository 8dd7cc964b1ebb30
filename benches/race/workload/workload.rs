//! The race's input: container logs, deterministic by seed, in which every event says its number.
//!
//! In: what to write (kind, size, files, seed, shape). Out: `containers/*.log`, and what they hold.
//! Every event carries one marker `seq-NNNNNNNNN`, dense from 0 over all files, so that a sink can tell what
//! was lost, repeated or wrongly joined. `nginx.rs` is the smallest writer; begin there.

pub(crate) mod draw;
pub(crate) mod java;
pub(crate) mod json;
pub(crate) mod nginx;
pub(crate) mod stamp;
pub(crate) mod syslog;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use draw::Draw;
use stamp::Stamp;

/// Part of the name of generated folders: raised when the same seed gives other bytes.
const VERSION: u32 = 1;
/// Bytes that are gathered before they are written to a file.
const WRITE_BYTES: usize = 1 << 20;

/// What the lines of a workload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// CRI lines with nginx's combined format; one event in a hundred is split into a `P` and an `F` line.
    Nginx,
    /// Docker json-file lines, each with an application's JSON object in `log`.
    Json,
    /// CRI lines of a Java service; one event in ten is a stack trace.
    Java,
    /// RFC 5424 messages, one a line.
    Syslog,
    /// All of the container formats, each file its own.
    Mixed,
}

impl Kind {
    /// The name in folder names and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Json => "json",
            Kind::Java => "java",
            Kind::Syslog => "syslog",
            Kind::Mixed => "mixed",
        }
    }

    /// The kind of one file; all but [`Kind::Mixed`] are the same in all files.
    fn of_file(self, file: usize) -> Kind {
        match (self, file % 3) {
            (Kind::Mixed, 0) => Kind::Nginx,
            (Kind::Mixed, 1) => Kind::Json,
            (Kind::Mixed, _) => Kind::Java,
            (kind, _) => kind,
        }
    }
}

/// How far the lines are from the usual ones: the figures must not hang on one shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Shape {
    /// As in production.
    #[default]
    Default,
    /// Long URLs and referrers, long texts, deep traces.
    Long,
    /// The shortest lines that still are of the format.
    Short,
    /// Members of objects in any order, other texts first, the marker elsewhere.
    Reordered,
}

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    /// What the lines are.
    pub(crate) kind: Kind,
    /// Their shape.
    pub(crate) shape: Shape,
    /// Size of all files together, in KiB.
    pub(crate) kib: usize,
    /// Number of files.
    pub(crate) files: usize,
    /// The same seed gives the same bytes.
    pub(crate) seed: u64,
}

/// Writes the events of one file, one after the other.
pub(crate) enum Events {
    Nginx(nginx::Nginx),
    Json(json::Json),
    Java(java::Java),
    Syslog(syslog::Syslog),
}

impl Events {
    /// The events of file number `file`.
    pub(crate) fn new(spec: &Spec, file: usize) -> Self {
        let kind = spec.kind.of_file(file);
        let mut draw = Draw::new(spec.seed ^ ((kind as u64) << 56) ^ ((file as u64) << 32));
        let stamp = Stamp::default();
        match kind {
            Kind::Nginx | Kind::Mixed => Self::Nginx(nginx::Nginx::new(&mut draw, stamp, spec.shape)),
            Kind::Json => Self::Json(json::Json::new(&mut draw, stamp, spec.shape)),
            Kind::Java => Self::Java(java::Java::new(&mut draw, stamp, spec.shape)),
            Kind::Syslog => Self::Syslog(syslog::Syslog::new(&mut draw, stamp, spec.shape)),
        }
    }

    /// Appends the lines of event `number`.
    pub(crate) fn write(&mut self, number: u32, out: &mut Vec<u8>) {
        match self {
            Self::Nginx(events) => events.write(number, out),
            Self::Json(events) => events.write(number, out),
            Self::Java(events) => events.write(number, out),
            Self::Syslog(events) => events.write(number, out),
        }
    }
}

/// Appends the marker of event `number`.
pub(crate) fn marker(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"seq-");
    stamp::digits(u64::from(number), 9, out);
}

/// The name of a container's log file, as a kubelet names it.
pub(crate) fn file_name(spec: &Spec, file: usize) -> String {
    let mut draw = Draw::new(spec.seed ^ 0x1d ^ ((file as u64) << 20));
    let id: String = (0..4).map(|_| format!("{:016x}", draw.next())).collect();
    let app = spec.kind.of_file(file).name();
    format!("{app}-{file}_default_{app}-{id}.log")
}

/// Writes the files below `folder` where they are not there yet, and returns the folder that holds
/// `containers/`.
pub(crate) fn generate(spec: &Spec, folder: &Path) -> io::Result<PathBuf> {
    let Spec { kind, shape, kib, files, seed } = *spec;
    let name = format!("{}-{shape:?}-{kib}k-{files}f-{seed}-v{VERSION}", kind.name()).to_lowercase();
    let data = folder.join(name);
    let done = data.join("done");
    if done.try_exists()? {
        return Ok(data);
    }
    let containers = data.join("containers");
    fs::create_dir_all(&containers)?;
    let mut number = 0;
    for file in 0..files {
        let mut out = fs::File::create(containers.join(file_name(spec, file)))?;
        number = write_file(spec, file, number, &mut out)?;
    }
    fs::write(done, number.to_string())?;
    Ok(data)
}

/// Writes one file from event `number` on; returns the number after its last event.
pub(crate) fn write_file(spec: &Spec, file: usize, mut number: u32, out: &mut impl Write) -> io::Result<u32> {
    let size = spec.kib * 1024 / spec.files.max(1);
    let mut events = Events::new(spec, file);
    let mut buffer = Vec::with_capacity(WRITE_BYTES + 64 * 1024);
    let mut written = 0;
    while written + buffer.len() < size {
        events.write(number, &mut buffer);
        number += 1;
        if buffer.len() >= WRITE_BYTES {
            out.write_all(&buffer)?;
            written += buffer.len();
            buffer.clear();
        }
    }
    out.write_all(&buffer)?;
    Ok(number)
}
