//! What `alerts to NAMES` stands for: a source that hands on the alerts of the pipeline's detectors, and a pipeline that
//! sends them, as if they had been written.
//!
//! ```text
//! source NAME.alerts = alerts { pipeline = "NAME" }
//! pipeline NAME.alerts {
//!   from NAME.alerts
//!   | parse .message as aludel.alert else reject "not an alert"
//!   | to NAMES
//! }
//! ```

use super::ast::{
    Component, Expr, ExprKind, FormatUse, Item, Literal, Name, Otherwise, Path, Pipeline, Setting, Spanned,
    StepKind,
};
use super::plan::ALERTS;
use crate::diag::Place;

/// The items that stand for each `alerts to`.
pub(super) fn hidden(items: &[Item]) -> Vec<Item> {
    let asked = items.iter().filter_map(|item| match item {
        Item::Pipeline(item) if !item.alerts.is_empty() => Some(item),
        _ => None,
    });
    asked.flat_map(|item| stands_for(&item.name, &item.alerts)).collect()
}

fn stands_for(pipeline: &Name, sinks: &[Name]) -> [Item; 2] {
    let place: Place = match (sinks.first(), sinks.last()) {
        (Some(first), Some(last)) => first.place.start..last.place.end,
        _ => pipeline.place.clone(),
    };
    let at = |node: &str| Spanned { node: node.to_owned(), place: place.clone() };
    let name = at(&format!("{}.{ALERTS}", pipeline.node));
    let literal = ExprKind::Literal(Literal::Text(pipeline.node.clone()));
    let value: Expr = Spanned { node: Box::new(literal), place: place.clone() };
    let source = Component {
        name: name.clone(),
        kind: at(ALERTS),
        arguments: Vec::new(),
        options: vec![Setting { name: at("pipeline"), value }],
        place: place.clone(),
    };
    let parse = StepKind::Parse {
        input: Path { keys: vec!["message".to_owned()], place: place.clone() },
        formats: vec![FormatUse { name: at("aludel.alert"), arguments: Vec::new(), options: Vec::new() }],
        into: None,
        otherwise: Some(Spanned { node: Otherwise::Reject("not an alert".to_owned()), place: place.clone() }),
    };
    let steps = [parse, StepKind::To(sinks.to_vec())];
    let steps = steps.map(|node| Spanned { node, place: place.clone() }).into();
    let pipeline = Pipeline { from: vec![name.clone()], name, steps, alerts: Vec::new(), place };
    [Item::Source(source), Item::Pipeline(pipeline)]
}
