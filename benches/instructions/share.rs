//! What detectors cost beside the rest of their pipeline, on access logs: of each log the second half of its lines, behind
//! the first.

use super::guard;
use super::{input, path};

/// Pipelines that differ in the step alone.
const STEPS: [&str; 2] =
    ["", "| detect web_attack on .url.original, .user_agent.original, .http.request.referrer"];

/// Prints of each log what a line costs without and with the step.
pub(super) fn print(logs: &[&str]) -> Result<(), String> {
    for log in logs {
        let text = std::fs::read(log).map_err(|error| format!("{log}: {error}"))?;
        let lines = input::count(&text) / 2 * 2;
        let mut costs = [0; 2];
        for (step, cost) in costs.iter_mut().enumerate() {
            let run = |lines: u64| guard::instructions(&["log", log, &step.to_string(), &lines.to_string()]);
            *cost = run(lines)?.saturating_sub(run(lines / 2)?) / (lines / 2).max(1);
        }
        let [without, with] = costs;
        let share = (with as f64 / without.max(1) as f64 - 1.0) * 100.0;
        eprintln!("{log}: {without} -> {with} instructions a line with detectors ({share:+.1} %)");
    }
    Ok(())
}

/// Takes the first lines of a log through one of the pipelines.
pub(super) fn run(log: &str, step: usize, lines: u64) -> Result<(), String> {
    let step = STEPS.get(step).ok_or("no such pipeline")?;
    let text = std::fs::read(log).map_err(|error| format!("{log}: {error}"))?;
    let pipeline = format!(
        r#"
source access = files "/var/log/containers/*.log" {{ format = lines, multiline = none }}
sink out = file "/out/events.ndjson"
pipeline web {{
  from access
  | parse .message as nginx.access else pass
  {step}
  | to out
}}"#
    );
    // What is made when it is first needed is made before: in a longer log it is nothing.
    let all = input::count(&text);
    path::take(&pipeline, text.clone(), false, all)?;
    path::take(&pipeline, input::first(&text, lines), false, lines)
}
