//! Names of the data streams that rows were written for, told by the encoders to the sink.
//!
//! An encoder adds a name before it hands over the first body with a row for it, so that the sink has heard of every
//! name that it could find in a body, and need not look into any.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::DATA_STREAMS_MAX;

/// The names, shared between the encoders and the sink.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    order: Vec<Arc<str>>,
    known: HashSet<Arc<str>>,
}

impl Names {
    /// Adds a name, unless it is known or there are too many: rows for a name that was not added are still sent, only
    /// nothing is known of their data stream beforehand.
    pub(super) fn add(&self, name: &str) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.order.len() < DATA_STREAMS_MAX && !table.known.contains(name) {
            let name: Arc<str> = name.into();
            table.known.insert(Arc::clone(&name));
            table.order.push(name);
        }
    }

    /// The names that were added since there were `seen`.
    pub(super) fn since(&self, seen: usize) -> Vec<Arc<str>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.order.get(seen..).unwrap_or_default().to_vec()
    }
}
