//! The machine that figures belong to.

use std::fs;

use serde_json::{Value, json};

/// CPU, cores, memory, kernel and system.
pub(crate) fn facts() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str, mark: char| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_once(mark))
            .map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "cpu": after(&read("/proc/cpuinfo"), "model name", ':'),
        "cores": cores,
        "memory": after(&read("/proc/meminfo"), "MemTotal", ':'),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "system": after(&read("/etc/os-release"), "PRETTY_NAME", '='),
        "load": read("/proc/loadavg").split(' ').next(),
    })
}
