//! Who races, and how each is started for a workload.
//!
//! Configurations lie in `configs/NAME/WORKLOAD.*`; in those of peers `@DATA@`, `@WORK@`, `@OUT@`, `@PORT@` and `@FILES@`
//! (their number) are replaced, aludel reads its own from the environment.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Options;
use crate::course::{Course, Goal};
use crate::sink::expect::logs;

/// A shipper that can race.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: &'static str,
    /// Suffix of its main configuration.
    suffix: &'static str,
    /// Arguments; `@CONFIG@` is the rendered configuration.
    arguments: &'static [&'static str],
    version: &'static [&'static str],
}

/// All peers that there are configurations for, or that a configuration can be given for.
pub(crate) const PEERS: [Peer; 7] = [
    Peer {
        name: "rsyslog",
        program: "rsyslogd",
        suffix: "conf",
        arguments: &["-n", "-f", "@CONFIG@", "-i", "@WORK@/pid"],
        version: &["-v"],
    },
    Peer {
        name: "syslog-ng",
        program: "syslog-ng",
        suffix: "conf",
        arguments: &[
            "-F",
            "--no-caps",
            "-f",
            "@CONFIG@",
            "-R",
            "@WORK@/persist",
            "-c",
            "@WORK@/control",
            "-p",
            "@WORK@/pid",
        ],
        version: &["-V"],
    },
    Peer {
        name: "vector",
        program: "vector",
        suffix: "yaml",
        arguments: &["--quiet", "--config", "@CONFIG@"],
        version: &["--version"],
    },
    Peer {
        name: "fluent-bit",
        program: "fluent-bit",
        suffix: "yaml",
        arguments: &["-c", "@CONFIG@"],
        version: &["-V"],
    },
    Peer {
        name: "filebeat",
        program: "filebeat",
        suffix: "yml",
        arguments: &[
            "-e",
            "-c",
            "@CONFIG@",
            "--path.data",
            "@WORK@/data",
            "--path.logs",
            "@WORK@",
            "--strict.perms=false",
        ],
        version: &["version"],
    },
    Peer {
        name: "logstash",
        program: "logstash",
        suffix: "conf",
        arguments: &["-f", "@CONFIG@", "--path.data", "@WORK@/data", "--path.logs", "@WORK@"],
        version: &["--version"],
    },
    Peer {
        name: "otelcol",
        program: "otelcol-contrib",
        suffix: "yaml",
        arguments: &["--config", "@CONFIG@"],
        version: &["--version"],
    },
];

/// How a contestant is started.
#[derive(Debug)]
enum How {
    Aludel,
    Ceiling,
    Peer(&'static Peer),
}

/// One that races.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    program: PathBuf,
    how: How,
}

/// The places of one run.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// Holds `containers/`.
    pub(crate) data: &'a Path,
    /// For the contestant's own files; empty.
    pub(crate) work: &'a Path,
    /// For what it writes: a file for W4, a folder or file for W5.
    pub(crate) out: &'a Path,
    /// Of the local server.
    pub(crate) port: u16,
}

/// Aludel with a pipeline file.
pub(crate) fn aludel(program: &Path, pipeline: &Path, places: &Places<'_>) -> Command {
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(pipeline)
        .args(["--quiet", "--admin", "off", "--data-dir"])
        .arg(places.work.join("data"));
    command.env("RACE_FILES", places.data.join("containers/*.log"));
    command.env("RACE_URL", format!("http://127.0.0.1:{}", places.port));
    command.env("RACE_OUT", places.out);
    command
}

/// The aludel that races.
pub(crate) fn program(options: &Options) -> PathBuf {
    options.aludel.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_aludel").into())
}

/// Aludel, the ceiling, and every peer that is there.
pub(crate) fn find(options: &Options) -> io::Result<Vec<Contestant>> {
    let aludel = program(options);
    let aludel = Contestant {
        name: "aludel",
        version: version(&aludel, &["--version"]),
        program: aludel,
        how: How::Aludel,
    };
    let ceiling = Contestant {
        name: "ceiling",
        version: "hand-written, benches/ceiling".into(),
        program: env::current_exe()?,
        how: How::Ceiling,
    };
    let mut all = vec![aludel, ceiling];
    for peer in &PEERS {
        if let Some(program) = locate(peer, options) {
            all.push(Contestant {
                name: peer.name,
                version: version(&program, peer.version),
                program,
                how: How::Peer(peer),
            });
        }
    }
    if let Some(unknown) = options.only.iter().find(|name| all.iter().all(|one| one.name != name.as_str())) {
        return Err(io::Error::other(format!(
            "{unknown} is not here: install it, or give --peer {unknown}=PATH"
        )));
    }
    all.retain(|one| options.only.is_empty() || options.only.iter().any(|name| name == one.name));
    Ok(all)
}

/// A peer's program: as given, unpacked by `install.sh`, or on the path.
fn locate(peer: &Peer, options: &Options) -> Option<PathBuf> {
    let given =
        options.peers.iter().filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == peer.name);
    if let Some((_, path)) = given {
        return Some(path.into());
    }
    let unpacked = options.out.join("peers/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(unpacked)
        .chain(env::split_paths(&path))
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(peer.program))
        .find(|path| path.is_file())
        .and_then(|path| fs::canonicalize(path).ok())
}

/// The first line that a program says of itself.
fn version(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown version").trim().to_owned()
}

impl Contestant {
    /// Whether it goes on with files that grow; the ceiling reads them once.
    pub(crate) fn tails(&self) -> bool {
        !matches!(self.how, How::Ceiling)
    }

    /// Whether it ends by itself when all is delivered.
    pub(crate) fn ends(&self, course: &Course) -> bool {
        course.goal == Goal::Parquet || matches!(self.how, How::Ceiling)
    }

    /// The command for a workload; `None` where there is no configuration for it.
    pub(crate) fn command(&self, course: &Course, places: &Places<'_>) -> io::Result<Option<Command>> {
        let mut command = Command::new(&self.program);
        match &self.how {
            How::Ceiling => {
                let Some(program) = course.ceiling else { return Ok(None) };
                command.args(["ceiling", program, "--data"]).arg(places.data);
                match course.goal {
                    Goal::Bulk { .. } => command.arg("--port").arg(places.port.to_string()),
                    Goal::File | Goal::Parquet => command.arg("--out").arg(places.out),
                };
            }
            How::Aludel => {
                let config = configs().join("aludel").join(format!("{}.aludel", course.name));
                command = aludel(&self.program, &config, places);
                if self.ends(course) {
                    command.arg("--once");
                }
            }
            How::Peer(peer) => {
                let Some(config) = render(peer, course, places)? else { return Ok(None) };
                let config = config.to_string_lossy();
                command
                    .args(peer.arguments.iter().map(|text| fill(text, places).replace("@CONFIG@", &config)));
            }
        }
        Ok(Some(command))
    }
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/race/configs")
}

fn fill(text: &str, places: &Places<'_>) -> String {
    text.replace("@DATA@", &places.data.to_string_lossy())
        .replace("@WORK@", &places.work.to_string_lossy())
        .replace("@OUT@", &places.out.to_string_lossy())
        .replace("@PORT@", &places.port.to_string())
        .replace("@FILES@", &logs(places.data).map_or(0, |logs| logs.len()).to_string())
}

/// Writes a peer's files of a workload into its work folder; returns the main one.
fn render(peer: &Peer, course: &Course, places: &Places<'_>) -> io::Result<Option<PathBuf>> {
    let folder = configs().join(peer.name);
    let main = folder.join(format!("{}.{}", course.name, peer.suffix));
    if !main.is_file() {
        return Ok(None);
    }
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let text = fs::read_to_string(entry.path())?;
        fs::write(places.work.join(entry.file_name()), fill(&text, places))?;
    }
    Ok(main.file_name().map(|name| places.work.join(name)))
}
