//! What the benches share: the race's inputs and its pipelines, cut where a bench begins to measure.
//!
//! A bench of one stage sees what that stage sees in the race: W1 (CRI, nginx), W2 (docker, JSON), W3 (CRI, Java
//! traces), W4 (lines as they are), W5 (W1 as an archive). The input is the same everywhere, by its seed.

#[path = "../race/workload/workload.rs"]
#[expect(dead_code, reason = "the race also writes files")]
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::{self, Runnable};
use aludel::event::Batch;
use aludel::expr::Files;
use aludel::frame::FrameConfig;
use aludel::lang::{self, Environment};
use aludel::run::{Read, Reader};
use aludel::source::recorded::{Bytes, Recorded, Recording};
pub(crate) use workload::Kind;

/// The path of the input, from which a pod is known.
pub(crate) const PATH: &str = "/var/log/containers/web-0_shop_web-0123456789abcdef.log";

/// A pipeline of the race.
#[derive(Clone, Copy)]
pub(crate) struct Course {
    /// Its name in the race.
    pub(crate) name: &'static str,
    /// The lines that it reads.
    pub(crate) kind: Kind,
    text: &'static str,
}

macro_rules! course {
    ($name:literal, $kind:ident) => {
        Course {
            name: $name,
            kind: Kind::$kind,
            text: include_str!(concat!("../race/configs/aludel/", $name, ".aludel")),
        }
    };
}

pub(crate) const W1: Course = course!("W1", Nginx);
pub(crate) const W1Z: Course = course!("W1z", Nginx);
pub(crate) const W2: Course = course!("W2", Json);
pub(crate) const W3: Course = course!("W3", Java);
pub(crate) const W4: Course = course!("W4", Nginx);
pub(crate) const W5: Course = course!("W5", Nginx);

/// What the race's pipelines are told by the environment.
struct Race;

impl Files for Race {
    fn read(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        Err(format!("{path}: a bench reads no file"))
    }
}

impl Environment for Race {
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "RACE_FILES" => "/var/log/containers/*.log",
            "RACE_URL" => "http://localhost:9200",
            "RACE_OUT" => "out",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn secret(&self, reference: &str) -> Result<String, String> {
        Err(format!("{reference}: a bench has no secrets"))
    }
}

/// Log lines of a kind, of so many bytes or a little more.
pub(crate) fn input(kind: Kind, bytes: usize) -> Vec<u8> {
    let spec = workload::Spec {
        kind,
        shape: workload::Shape::Default,
        kib: bytes.div_ceil(1024),
        files: 1,
        seed: 7,
    };
    let mut out = Vec::with_capacity(bytes + 64 * 1024);
    workload::write_file(&spec, 0, 0, &mut out).expect("memory takes everything");
    out
}

/// A pipeline file, ready to run; its paths start from the folder of the pipelines that come with aludel.
pub(crate) fn runnable(text: &str) -> Runnable {
    let (_, plan, errors) = lang::compile(text, &catalog::signatures(), &Race);
    let mut plan = plan.unwrap_or_else(|| panic!("{errors:?}"));
    catalog::root_paths(&mut plan, &Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines"));
    catalog::build(plan).expect("it can be built")
}

impl Course {
    /// Its pipeline, ready to run.
    pub(crate) fn runnable(&self) -> Runnable {
        runnable(self.text)
    }

    /// How its source frames.
    pub(crate) fn framing(&self) -> Arc<FrameConfig> {
        Arc::new(FrameConfig::from_options(&self.runnable().sources[0].options).expect("options"))
    }

    /// A reader over input, as the race's source would be.
    pub(crate) fn reader(&self, plan: &Runnable, input: &[u8]) -> Reader {
        let file = Box::new(Bytes(input.to_vec()));
        let recording = Recording { path: PATH.into(), file, size: input.len() as u64 };
        Reader::new(Box::new(Recorded::new("pods", self.framing(), vec![recording])), 0, plan.stats())
    }

    /// The first batch of its input.
    pub(crate) fn batch(&self) -> Batch {
        let input = input(self.kind, aludel::limits::BATCH_BYTES);
        let mut reader = self.reader(&self.runnable(), &input);
        loop {
            match reader.step(Duration::ZERO, 0, &mut Vec::new()) {
                Read::Batch(batch) => return batch,
                Read::End => panic!("the input is empty"),
                Read::More | Read::Wait(_) => {}
            }
        }
    }
}
