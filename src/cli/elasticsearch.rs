//! `aludel elasticsearch`: what a cluster should be told before events come.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{WRONG_USAGE, complain, load, print};
use crate::sink::elasticsearch::{KIND, Piece, Setup, setup};
use crate::sink::http::{HttpNetwork, ask};
use crate::sink::{Request, Response, Shape};

/// How long a node may take to answer.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Prepare an Elasticsearch cluster for what pipelines send
#[derive(Debug, Args)]
pub(super) struct Elasticsearch {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Templates and lifecycle, from the types in a pipeline file
    Setup(SetUp),
}

#[derive(Debug, Args)]
struct SetUp {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    what: What,
    /// Name of the sink; needed where the file has several
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Print the requests as they would be made
    #[arg(long)]
    print: bool,
    /// Make those that change something, and say which
    #[arg(long)]
    apply: bool,
}

impl Elasticsearch {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Setup(command) => command.run(),
        }
    }
}

impl SetUp {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Some(setup) = self.plan()? else { return Ok(ExitCode::from(WRONG_USAGE)) };
        if self.what.print {
            let requests = setup.pieces.iter().map(request).collect::<Result<Vec<_>, _>>()?;
            print(&requests.join("\n"))?;
        } else {
            apply(&setup)?;
        }
        setup.notes.iter().for_each(|note| complain(&format!("note: {note}")));
        Ok(ExitCode::SUCCESS)
    }

    /// What the sink needs. `None` where the file has errors, which have been shown.
    fn plan(&self) -> anyhow::Result<Option<Setup>> {
        let texts = load::texts(std::slice::from_ref(&self.file))?;
        let text = texts.first().context("no pipeline file")?;
        let checked = load::check(text);
        load::show(&checked.report);
        let Some(plan) = checked.plan else { return Ok(None) };
        let of_kind = |sink: &&crate::lang::plan::Component| sink.kind == KIND.signature.name;
        let names: Vec<_> = plan.sinks.iter().filter(of_kind).map(|sink| sink.name.as_str()).collect();
        if names.is_empty() {
            bail!("{} writes to no sink of kind `{}`", self.file.display(), KIND.signature.name);
        }
        let chosen = names[load::choose("sink", &names, self.sink.as_deref())?];
        let number =
            plan.sinks.iter().position(|sink| sink.name == chosen).context("the sink is in the plan")?;
        let lines = plan.pipelines.iter().filter(|line| line.sinks.contains(&number));
        let shapes: Vec<_> = lines
            .map(|line| Shape {
                layout: line.layout.clone(),
                types: line.types.clone(),
                pipeline: line.name.as_str().into(),
                tag: line.tag,
                sent: line.sent,
            })
            .collect();
        setup(chosen, &plan.sinks[number].options, &shapes).map(Some).map_err(anyhow::Error::msg)
    }
}

/// A request as the consoles of Elasticsearch and OpenSearch take it.
fn request(piece: &Piece) -> anyhow::Result<String> {
    Ok(format!("PUT {}\n{}\n", piece.path, serde_json::to_string_pretty(&piece.body)?))
}

fn apply(setup: &Setup) -> anyhow::Result<()> {
    let network = HttpNetwork::start().context("cannot start the network")?;
    for piece in &setup.pieces {
        let before = call(&network, setup, "GET", &piece.path, Vec::new())?;
        let known = match before.status {
            200..=299 => {
                Some(serde_json::from_slice(&before.body).context("the cluster's answer is not JSON")?)
            }
            404 => None,
            // A server without the interface answers so; the `PUT` says what is wrong in its words.
            400 | 405 => None,
            _ => bail!("GET {}: {}", piece.path, said(&before)),
        };
        let word = match known {
            Some(known) if piece.is_in(&known) => "unchanged",
            known => {
                let body = serde_json::to_vec(&piece.body)?;
                let after = call(&network, setup, "PUT", &piece.path, body)?;
                if !matches!(after.status, 200..=299) {
                    bail!("PUT {}: {}", piece.path, said(&after));
                }
                if known.is_some() { "updated" } else { "created" }
            }
        };
        print(&format!("{word:9} {}\n", piece.path))?;
    }
    Ok(())
}

/// Asks one node after another until one answers.
fn call(
    network: &HttpNetwork,
    setup: &Setup,
    method: &'static str,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<Response> {
    let mut faults = Vec::new();
    for endpoint in &setup.endpoints {
        let request = Request {
            method,
            path: path.to_owned(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.clone().into(),
            timeout: TIMEOUT,
        };
        match ask(network, endpoint, request) {
            Ok(response) => return Ok(response),
            Err(fault) => faults.push(format!("{}: {fault}", endpoint.url)),
        }
    }
    bail!("no node answers: {}", faults.join("; "))
}

fn said(response: &Response) -> String {
    format!("status {}: {}", response.status, String::from_utf8_lossy(&response.body).trim())
}
