//! The checked plan: what the pipelines of a file mean, with paths resolved to slots, expressions ready to run and
//! options typed. The catalog turns it into components; nothing in it needs to be asked again.

use std::sync::Arc;

use crate::event::{Layout, Options, Slot};
use crate::expr::{Constant, Expr};
use crate::position::PipelineTag;
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
