//! A flood that is going on: when it began, how large it is in all, and what is said when it is over.

use super::super::alert::{Alert, Over, Raised};
use super::super::bytes::{Get, Put};
use super::super::observation::Observation;
use super::super::rule::{Rule, SEVERITIES, plain};
use super::norms::Norms;
use super::sketch::Sketch;
use super::window::Window;
use crate::shown::number;

/// An alert is raised again when a flood is so many times as large.
const STEP: f64 = 10.0;
/// So many alerts of one flood.
const STEPS_MAX: u8 = 3;

/// A flood.
#[derive(Debug, PartialEq)]
pub(super) struct Ongoing {
    /// The window in which it began.
    since_ns: i64,
    /// The last window that was too full.
    pub(super) last_ns: i64,
    /// How grave the last alert was, in steps.
    step: u8,
    /// Events of the windows that were too full and are over.
    events: u64,
    /// Those of the fullest.
    most: u64,
    /// Their sources.
    sources: Sketch,
    /// The key, for what is said at the end.
    labels: Box<[u8]>,
}

impl Ongoing {
    pub(super) fn new(start_ns: i64, labels: &[u8]) -> Self {
        let (events, most, sources) = (0, 0, Sketch::default());
        Self { since_ns: start_ns, last_ns: start_ns, step: 0, events, most, sources, labels: labels.into() }
    }

    /// The window is too full. An alert, where the flood is a step graver than the last one said.
    pub(super) fn goes_on(
        &mut self,
        rule: &Rule,
        of: &Observation,
        window: &mut Window,
        norms: &Norms,
    ) -> Option<Alert> {
        self.last_ns = window.start_ns;
        let step = (1 + window.excess(norms).log(STEP).max(0.0) as u8).min(STEPS_MAX);
        if step <= self.step {
            return None;
        }
        self.step = step;
        window.evidence.note(of);
        let raised = Raised {
            by: of,
            start_ns: self.since_ns,
            count: window.count,
            reason: window.words(of.time_ns, norms),
            severity: self.severity(rule),
            score: None,
            stage: step,
            evidence: &window.evidence,
        };
        Some(Alert::new(rule, raised))
    }

    /// How grave it is: the rule says how grave the first step is.
    fn severity(&self, rule: &Rule) -> Option<&'static str> {
        let first = SEVERITIES.iter().position(|known| *known == rule.severity).unwrap_or_default();
        let at = first + usize::from(self.step.saturating_sub(1));
        SEVERITIES.get(at).or(SEVERITIES.last()).copied()
    }

    /// A window that was too full is over.
    pub(super) fn add(&mut self, window: &Window) {
        self.events += window.count;
        self.most = self.most.max(window.count);
        self.sources.merge(&window.sources);
    }

    /// The word that it is over, as of a time.
    pub(super) fn ends(&self, rule: &Rule, over_ns: i64, norms: &Norms) -> Alert {
        let lasted_ns = self.last_ns.saturating_sub(self.since_ns).saturating_add(norms.window_ns);
        let mut reason = format!(
            "the flood is over after {}: {} events, at most {} within {}",
            plain(lasted_ns),
            number(self.events),
            number(self.most),
            plain(norms.window_ns)
        );
        let sources = self.sources.count().round() as u64;
        if sources > 0 {
            reason += &format!("; {} sources", number(sources));
        }
        let (labels, severity) = (&self.labels, self.severity(rule));
        let (start_ns, count) = (self.since_ns, self.events);
        Alert::over(rule, Over { labels, start_ns, over_ns, count, reason, severity })
    }

    /// Memory beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.sources.bytes() + self.labels.len()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.since_ns);
        out.put_i64(self.last_ns);
        out.push(self.step);
        out.put_u64(self.events);
        out.put_u64(self.most);
        self.sources.save(out);
        out.put_bytes(&self.labels);
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let (since_ns, last_ns, step) = (from.i64()?, from.i64()?, from.byte()?);
        let (events, most) = (from.u64()?, from.u64()?);
        let (sources, labels) = (Sketch::load(from)?, from.bytes()?.into());
        Some(Self { since_ns, last_ns, step, events, most, sources, labels })
    }
}
