//! `detect`: which detector, on which fields, under which options.

use super::scope::{Known, Scope};
use super::steps::Walk;
use super::{Checker, codes};
use crate::diag::Place;
use crate::lang::ast::{Name, Path, Setting};
use crate::lang::builtin::{TIMESTAMP, detections};
use crate::lang::plan::DetectUse;
use crate::signature::Type;

impl Checker<'_> {
    /// A use of a detector in a pipeline.
    pub(super) fn detect(
        &mut self,
        detector: &Name,
        fields: &[Path],
        options: &[Setting],
        place: &Place,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Option<DetectUse> {
        for field in fields {
            self.looks_at(&detector.node, field, scope);
        }
        let in_lists = self.signatures.detectors.in_lists(&detector.node);
        for (path, ty) in detections(in_lists) {
            scope.give(path, Known::new(ty, true));
        }
        let (detectors, name) = (self.signatures.detectors, detector);
        let Some(specs) = detectors.options(&name.node) else {
            let names = detectors.names();
            self.unknown(codes::UNKNOWN_DETECTOR, "detector", name, names.iter().map(String::as_str));
            return None;
        };
        if fields.is_empty() {
            let help = format!("write `detect {} on .field`", name.node);
            let message = format!("`{}` looks at fields", name.node);
            self.error_with_help(codes::WRONG_CALL, place, message, Some(help));
            return None;
        }
        let settings: Vec<_> = options.iter().collect();
        let options = self.options(&name.node, specs, Vec::new(), &settings, &name.place)?;
        if let Err(error) = detectors.check(&name.node, &options) {
            self.error(codes::WRONG_OPTION, &name.place, error);
            return None;
        }
        let slot = |path: &str| walk.shared.layout.slot(path).unwrap_or(0);
        Some(DetectUse {
            name: name.node.clone(),
            inputs: fields.iter().map(|field| slot(&field.dotted())).collect(),
            options,
            gives: detections(in_lists).map(|(path, _)| slot(path)).collect(),
            time: in_lists.then(|| slot(TIMESTAMP)),
        })
    }

    /// Only text can be looked at, and addresses where there are lists of them.
    fn looks_at(&mut self, detector: &str, field: &Path, scope: &Scope) {
        let in_lists = self.signatures.detectors.in_lists(detector);
        if let Some(known) = self.lookup(field, scope)
            && !(in_lists && known.ty == Type::Ip)
            && !matches!(known.ty, Type::Text | Type::Any | Type::List | Type::Object)
        {
            let message = format!("`{detector}` looks at text, `.{}` is {}", field.dotted(), known.ty);
            self.error(codes::WRONG_TYPE, &field.place, message);
        }
    }
}
