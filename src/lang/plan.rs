//! The checked plan: what the pipelines of a file mean, with paths resolved to slots, expressions ready to run and
//! options typed. The catalog turns it into components; nothing in it needs to be asked again.

use std::sync::Arc;

use crate::diag::Place;
use crate::event::{Layout, Mask, Options, Slot};
use crate::expr::{Constant, Expr};
use crate::position::PipelineTag;
use crate::sensitive::{Classes, Policy};
use crate::signature::{Field, Type};

/// A checked file, or several that run together.
#[derive(Debug, Default)]
pub struct Plan {
    /// Sources by number; only those that a pipeline reads.
    pub sources: Vec<Component>,
    /// Sinks by number; only those that a pipeline writes to.
    pub sinks: Vec<Component>,
    /// Pipelines by number.
    pub pipelines: Vec<Pipeline>,
}

/// A source or sink with checked options.
#[derive(Debug)]
pub struct Component {
    /// Its name in the file.
    pub name: String,
    /// Its kind, such as `files`.
    pub kind: &'static str,
    /// Its options, defaults filled in.
    pub options: Options,
    /// For a sink: whether sources wait for it.
    pub required: bool,
}

/// A checked pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Stands for it in event ids.
    pub tag: PipelineTag,
    /// Numbers of its sources.
    pub sources: Vec<usize>,
    /// Numbers of all sinks that it can reach.
    pub sinks: Vec<usize>,
    /// The fields.
    pub layout: Arc<Layout>,
    /// The type of each slot as far as it is known, by slot number.
    pub types: Arc<[Type]>,
    /// What constant spans point into.
    pub constants: Arc<[u8]>,
    /// Reasons for dropping and rejecting, by number.
    pub reasons: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The fields that anyone looks at from the first step on.
    pub wanted: Mask,
    /// The fields that an event may have at some `to`.
    pub sent: Mask,
}

/// What becomes of an event that no format took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It goes on.
    Pass,
    /// It is dropped.
    Drop(u16),
    /// It goes to the dead letters.
    Reject(u16),
}

/// A format of a `parse` step.
#[derive(Debug)]
pub struct FormatUse {
    /// Its name: a grammar's or a format's.
    pub name: String,
    /// Its options, defaults filled in.
    pub options: Options,
    /// The fields that it gives.
    pub fields: Vec<Field>,
}

/// An enricher of an `enrich` step.
#[derive(Debug)]
pub struct EnricherUse {
    /// Its name.
    pub name: String,
    /// The field that it looks at; 0 where it looks at none.
    pub input: Slot,
    /// Its options, defaults filled in.
    pub options: Options,
    /// The object that takes the fields; 0 is the event.
    pub into: Slot,
    /// The fields that it gives.
    pub fields: Vec<Slot>,
}

/// A detector of a `detect` step.
#[derive(Debug)]
pub struct DetectUse {
    /// Its name.
    pub name: String,
    /// The fields that it looks at.
    pub inputs: Vec<Slot>,
    /// Its options, defaults filled in.
    pub options: Options,
    /// Where detections go: the slots of [`super::builtin::detections()`].
    pub gives: Vec<Slot>,
    /// The time of the event, of a detector that looks in lists.
    pub time: Option<Slot>,
}

/// A detector of a `detect` step that keeps state.
#[derive(Debug)]
pub struct ObserveUse {
    /// Its name.
    pub name: String,
    /// Number of the sink that owns its state.
    pub sink: usize,
    /// Number of the rule within the pipeline.
    pub rule: usize,
    /// Its options, defaults filled in; those that are expressions are below.
    pub options: Options,
    /// The parts of the key, with their names.
    pub keys: Vec<(String, Expr)>,
    /// What varies, with its name.
    pub distinct: Vec<(String, Expr)>,
    /// Which events count; all where there is none.
    pub when: Option<Expr>,
    /// Which events are successes.
    pub success: Option<Expr>,
    /// What a profile is held against, by the names of the options.
    pub traits: Vec<(&'static str, Vec<Expr>)>,
    /// Which events do not say where their user is.
    pub egress: Option<Expr>,
    /// Fields that alerts show, with their names.
    pub evidence: Vec<(String, Slot)>,
}

/// The kind of the sinks that own the state of detectors. No file can name it: the compiler adds one to each pipeline
/// that needs it.
pub const ALERTS: &str = "alerts";

/// A checked step.
#[derive(Debug)]
pub enum Step {
    /// `parse`
    Parse {
        /// The field that is parsed.
        input: Slot,
        /// The formats, in order.
        formats: Vec<FormatUse>,
        /// The object that takes the fields; 0 is the event.
        into: Slot,
        /// What becomes of the others.
        otherwise: Otherwise,
        /// The fields that anyone looks at behind it; others need not be made.
        wanted: Mask,
    },
    /// `enrich`
    Enrich(Vec<EnricherUse>),
    /// `detect`
    Detect(DetectUse),
    /// `detect`, with a detector that keeps state.
    Observe(Box<ObserveUse>),
    /// `unroll`; the steps behind it run for each item.
    Unroll {
        /// The list.
        list: Slot,
        /// Where each item goes.
        into: Slot,
        /// Why an event with too many items is refused.
        too_many: u16,
    },
    /// `redact`
    Redact {
        /// What.
        classes: Classes,
        /// What stands in its place.
        policy: Policy,
        /// Where; everywhere when empty.
        fields: Vec<Slot>,
        /// Where it is written.
        place: Place,
    },
    /// `set`
    Set(Vec<(Slot, Expr)>),
    /// `rename`
    Rename(Vec<(Slot, Slot)>),
    /// `remove`
    Remove(Vec<Slot>),
    /// `keep`
    Keep(Vec<Slot>),
    /// `drop`
    Drop {
        /// Why.
        reason: u16,
        /// When; `None` is always.
        when: Option<Expr>,
    },
    /// `reject`
    Reject {
        /// Why.
        reason: u16,
        /// When; `None` is always.
        when: Option<Expr>,
    },
    /// `when`
    When {
        /// The condition.
        condition: Expr,
        /// Steps where it holds.
        then: Vec<Step>,
        /// Steps where it does not.
        otherwise: Vec<Step>,
    },
    /// `match`
    Match {
        /// What is looked at.
        subject: Expr,
        /// Patterns and steps.
        arms: Vec<(Vec<Constant>, Vec<Step>)>,
        /// Steps where no arm fits.
        otherwise: Vec<Step>,
    },
    /// `to`
    To(Vec<usize>),
}

impl Plan {
    /// Adds another file's plan to this one. Sources and sinks keep their names, which identify cursors, so a name
    /// may stand in one file only.
    pub fn append(&mut self, mut other: Plan) -> Result<(), String> {
        let (sources, sinks) = (self.sources.len(), self.sinks.len());
        for (what, mine, theirs) in
            [("source", &self.sources, &other.sources), ("sink", &self.sinks, &other.sinks)]
        {
            if let Some(twice) = theirs.iter().find(|their| mine.iter().any(|my| my.name == their.name)) {
                return Err(format!(
                    "two files name a {what} `{}`; its name identifies its cursors",
                    twice.name
                ));
            }
        }
        if let Some(twice) =
            other.pipelines.iter().find(|their| self.pipelines.iter().any(|my| my.name == their.name))
        {
            return Err(format!("two files name a pipeline `{}`; its name is part of event ids", twice.name));
        }
        for pipeline in &mut other.pipelines {
            pipeline.sources.iter_mut().for_each(|source| *source += sources);
            pipeline.sinks.iter_mut().for_each(|sink| *sink += sinks);
            each_sink(&mut pipeline.steps, &mut |sink| *sink += sinks);
        }
        self.sources.append(&mut other.sources);
        self.sinks.append(&mut other.sinks);
        self.pipelines.append(&mut other.pipelines);
        Ok(())
    }
}

/// Visits every detector that keeps state below these steps, in the order in which they stand.
pub fn each_observer<'a>(steps: &'a [Step], visit: &mut dyn FnMut(&'a ObserveUse)) {
    for step in steps {
        match step {
            Step::Observe(of) => visit(of),
            Step::When { then, otherwise, .. } => {
                each_observer(then, visit);
                each_observer(otherwise, visit);
            }
            Step::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|(_, steps)| each_observer(steps, visit));
                each_observer(otherwise, visit);
            }
            _ => {}
        }
    }
}

/// Visits the number of every sink below these steps.
pub(super) fn each_sink(steps: &mut [Step], visit: &mut dyn FnMut(&mut usize)) {
    for step in steps {
        match step {
            Step::To(sinks) => sinks.iter_mut().for_each(&mut *visit),
            Step::Observe(of) => visit(&mut of.sink),
            Step::When { then, otherwise, .. } => {
                each_sink(then, visit);
                each_sink(otherwise, visit);
            }
            Step::Match { arms, otherwise, .. } => {
                arms.iter_mut().for_each(|(_, steps)| each_sink(steps, visit));
                each_sink(otherwise, visit);
            }
            _ => {}
        }
    }
}
