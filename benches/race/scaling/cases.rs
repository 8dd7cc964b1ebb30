//! The cases of the scaling report: what grows, in which steps, over which input and through which pipeline.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::arguments::Options;
use crate::workload::draw::Draw;
use crate::workload::stamp::Stamp;
use crate::workload::{Kind, Spec, generate, marker};

/// One thing that grows.
pub(super) struct Grows {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) steps: &'static [usize],
}

pub(super) const GROWING: [Grows; 7] = [
    Grows { name: "cores", what: "throughput with more cores, without a sink", steps: &[1, 2] },
    Grows {
        name: "files",
        what: "cost with more files, the input the same",
        steps: &[1, 10, 100, 1_000, 10_000],
    },
    Grows {
        name: "bytes",
        what: "cost with larger events, not parsed",
        steps: &[100, 1_000, 10_000, 100_000, 1_000_000],
    },
    Grows { name: "fields", what: "cost with more members of a JSON object", steps: &[4, 16, 64, 256] },
    Grows { name: "steps", what: "cost with more steps, each sets a field", steps: &[1, 4, 16, 64] },
    Grows { name: "rules", what: "cost with more rules, each looks for a text", steps: &[1, 4, 16, 64, 256] },
    Grows {
        name: "pipelines",
        what: "cost with more pipelines, each parses for itself",
        steps: &[1, 2, 4, 8],
    },
];

/// Input and pipeline.
pub(super) struct Case {
    pub(super) data: PathBuf,
    pub(super) pipeline: String,
}

/// The input of the cores' cases, in times that of the others.
const CORES_TIMES: usize = 4;

const BULK: &str = "sink sink = elasticsearch env(\"RACE_URL\") { data_stream = \"logs-race-default\" }\n";
const NOWHERE: &str = "sink nowhere = blackhole { format = ndjson }\n";
const SOURCE: &str = "source pods = files env(\"RACE_FILES\") { start = beginning, multiline = none }\n";
const PARSE: &str = "  | parse .message as nginx.access else pass\n";

impl Grows {
    /// The case of one step.
    pub(super) fn case(&self, at: usize, options: &Options) -> io::Result<Case> {
        let mut steps = String::new();
        let mut rest = String::new();
        let mut data = None;
        match self.name {
            "fields" => {
                steps.push_str("  | parse .message as json else pass\n");
                data = Some(lines(options, &format!("fields-{at}"), |number, out| object(at, number, out))?);
            }
            "bytes" => {
                data = Some(lines(options, &format!("bytes-{at}"), |number, out| filled(at, number, out))?)
            }
            _ => steps.push_str(PARSE),
        }
        for number in 0..at {
            // What does not fit into a text is impossible here: writing to one never fails.
            let _ = match self.name {
                "steps" => {
                    writeln!(steps, "  | set .labels.step_{number} = .http.response.status_code ?? {number}")
                }
                "rules" => {
                    writeln!(
                        steps,
                        "  | drop \"rule {number}\" when .url.original contains \"needle-{number:04}\""
                    )
                }
                "pipelines" if number > 0 => {
                    write!(rest, "pipeline other_{number} {{\n  from pods\n{PARSE}  | to nowhere\n}}\n")
                }
                _ => Ok(()),
            };
        }
        let mut sinks = String::new();
        if self.name != "cores" {
            sinks.push_str(BULK);
        }
        if self.name == "cores" || !rest.is_empty() {
            sinks.push_str(NOWHERE);
        }
        let goal = if self.name == "cores" { "nowhere" } else { "sink" };
        let pipeline =
            format!("{SOURCE}{sinks}pipeline race {{\n  from pods\n{steps}  | to {goal}\n}}\n{rest}");
        let files = if self.name == "files" { at } else { options.files };
        let mut spec = Spec { files, ..options.spec(Kind::Nginx) };
        if self.name == "cores" {
            // Long enough for the start of the process not to count.
            spec.kib *= CORES_TIMES;
        }
        let data = match data {
            Some(data) => data,
            None => generate(&spec, &options.out.join("data"))?,
        };
        Ok(Case { data: fs::canonicalize(data)?, pipeline })
    }
}

/// One file of CRI lines, each made by `event`, as large as the other workloads.
fn lines(options: &Options, name: &str, mut event: impl FnMut(u32, &mut Vec<u8>)) -> io::Result<PathBuf> {
    let data = options.out.join("data").join(format!("{name}-{}m-{}", options.mib, options.seed));
    let path = data.join("containers").join(format!("{name}_default_{name}-{:064}.log", 0));
    if path.try_exists()? {
        return Ok(data);
    }
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let (mut stamp, mut draw) = (Stamp::default(), Draw::new(options.seed));
    let mut text = Vec::new();
    for number in 0.. {
        if text.len() >= options.mib << 20 {
            break;
        }
        stamp.tick(&mut draw);
        stamp.cri(b'F', &mut text);
        event(number, &mut text);
        text.push(b'\n');
    }
    fs::write(path, text)?;
    Ok(data)
}

/// A text of so many bytes, with the CRI prefix before it.
fn filled(bytes: usize, number: u32, out: &mut Vec<u8>) {
    const PREFIX: usize = "2026-11-23T10:00:00.000000000Z stdout F ".len();
    const WORDS: &[u8] = b" one event as large as it is asked to be,";
    let start = out.len();
    marker(number, out);
    let wanted = bytes.saturating_sub(PREFIX + out.len() - start);
    out.extend(WORDS.iter().cycle().take(wanted));
}

/// An object of so many members: texts and numbers in turn.
fn object(members: usize, number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event_id\":\"");
    marker(number, out);
    out.push(b'"');
    for member in 1..members {
        let value = (number as usize).wrapping_mul(31).wrapping_add(member * 7) % 100_000;
        let text = match member % 2 {
            0 => format!(",\"number_{member}\":{value}"),
            _ => format!(",\"text_{member}\":\"value {value}\""),
        };
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'}');
}
