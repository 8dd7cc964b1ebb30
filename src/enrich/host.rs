//! Facts of the machine that this runs on: its name and system, and what its cloud says of it. Read once, when the
//! pipeline is built.

use std::path::Path;

use super::{Enricher, EnricherKind, fields};
use crate::event::{Slot, Span, Texts, Value};
use crate::format::{Fields, Target};
use crate::lookup::Held;
use crate::signature::{OptionSpec, OptionType, Signature, Type};

const FIELDS: [(&str, Type); 12] = [
    ("host.name", Type::Text),
    ("host.hostname", Type::Text),
    ("host.id", Type::Text),
    ("host.architecture", Type::Text),
    ("host.os.type", Type::Text),
    ("host.os.name", Type::Text),
    ("host.os.version", Type::Text),
    ("host.os.kernel", Type::Text),
    ("cloud.provider", Type::Text),
    ("cloud.region", Type::Text),
    ("cloud.availability_zone", Type::Text),
    ("cloud.instance.id", Type::Text),
];

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "host",
        summary: "name and system of the machine, and its place in the cloud",
        doc: "Fields `host.*` from the kernel and `/etc/os-release`, `cloud.*` from what cloud-init left behind; nothing is \
              asked over the network. Meant for agents: the events must be of this machine.",
        form: "host",
        options: &[OptionSpec {
            name: "root",
            ty: OptionType::Path,
            default: Some("\"/\""),
            doc: "folder below which the machine's `/etc`, `/proc` and `/run` are, for an agent in a container",
        }],
        examples: &[],
    },
    takes: false,
    gives: |_| Ok(fields(&FIELDS)),
    bind: |bind, _| {
        let facts = facts(Path::new(bind.options.text("root").unwrap_or("/")));
        let mut values = Vec::new();
        for ((path, _), fact) in FIELDS.iter().zip(facts) {
            if let Some(fact) = fact.filter(|fact| !fact.is_empty()) {
                values.push((bind.slot(path)?, bind.constant(fact.as_bytes())));
            }
        }
        Ok(Box::new(Host { values }))
    },
};

/// The facts in the order of the fields.
fn facts(root: &Path) -> [Option<String>; 12] {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let line = |path: &str| read(path).map(|text| text.trim().to_owned());
    let release = read("etc/os-release").or_else(|| read("usr/lib/os-release")).unwrap_or_default();
    let of_release = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned())
    };
    let cloud = read("run/cloud-init/instance-data.json");
    let cloud: serde_json::Value =
        cloud.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let of_cloud = |keys: [&str; 2]| keys.iter().find_map(|key| cloud["v1"][key].as_str()).map(str::to_owned);
    let name = line("proc/sys/kernel/hostname");
    [
        name.clone().map(|name| name.to_lowercase()),
        name,
        line("etc/machine-id"),
        Some(std::env::consts::ARCH.to_owned()),
        Some(std::env::consts::OS.to_owned()),
        of_release("NAME"),
        of_release("VERSION_ID"),
        line("proc/sys/kernel/osrelease"),
        of_cloud(["cloud_name", "cloud-name"]),
        of_cloud(["region", "region"]),
        of_cloud(["availability_zone", "availability-zone"]),
        of_cloud(["instance_id", "instance-id"]),
    ]
}

struct Host {
    values: Vec<(Slot, Span)>,
}

impl Enricher for Host {
    fn enrich(&self, _: Span, _: &mut Texts, fields: &mut Fields, _: &mut Held) {
        fields.extend(self.values.iter().map(|(slot, span)| (Target::Slot(*slot), Value::Text(*span))));
    }
}
