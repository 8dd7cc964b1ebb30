//! `enrich`: which enricher, by which field, and where its fields go.

use super::collect::join;
use super::scope::{Known, Scope};
use super::steps::Walk;
use super::{Checker, codes};
use crate::event::Options;
use crate::lang::ast::{Enrichment, ExprKind, Path};
use crate::lang::plan::EnricherUse;
use crate::signature::{Field, Type};

/// A use of an enricher as far as it can be told without knowing the event.
pub(super) struct Used<'a> {
    input: Option<&'a Path>,
    options: Options,
    /// Dotted path of the object that takes the fields.
    pub(super) into: String,
    /// The fields, below that.
    pub(super) fields: Vec<Field>,
}

impl Checker<'_> {
    /// The enricher of a use, its options and fields.
    pub(super) fn enricher<'e>(&mut self, of: &'e Enrichment) -> Option<Used<'e>> {
        let (enrichers, name) = (self.signatures.enrichers, &of.enricher.name);
        let Some(specs) = enrichers.options(&name.node) else {
            let names = enrichers.names();
            self.unknown(codes::UNKNOWN_ENRICHER, "enricher", name, names.iter().map(String::as_str));
            return None;
        };
        let mut rest = of.enricher.clone();
        let mut input = None;
        if enrichers.takes(&name.node) {
            let first = of.enricher.arguments.first();
            input = first.and_then(|first| match &*first.node {
                ExprKind::Path(path) => Some(path),
                _ => None,
            });
            if input.is_none() {
                let place = first.map_or(&name.place, |first| &first.place);
                let message = format!("`{}` looks at a field", name.node);
                let help = format!("write `{}(.field)`", name.node);
                self.error_with_help(codes::WRONG_CALL, place, message, Some(help));
                return None;
            }
            rest.arguments.remove(0);
        }
        let options = self.format_options(&rest, specs)?;
        let fields = match enrichers.gives(&name.node, &options) {
            Ok(fields) => fields,
            Err(error) => {
                self.error(codes::WRONG_OPTION, &name.place, error);
                return None;
            }
        };
        let beside = |input: &Path| {
            let dotted = input.dotted();
            dotted.rsplit_once('.').map_or(String::new(), |(parent, _)| parent.to_owned())
        };
        let into = of.into.as_ref().map(Path::dotted).or_else(|| input.map(beside)).unwrap_or_default();
        Some(Used { input, options, into, fields })
    }

    /// A use in a pipeline.
    pub(super) fn enrich(
        &mut self,
        of: &Enrichment,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Option<EnricherUse> {
        let Some(used) = self.enricher(of) else {
            // After what was reported, any field may be meant.
            scope.open = true;
            return None;
        };
        if let Some(input) = used.input
            && let Some(known) = self.lookup(input, scope)
            && !matches!(known.ty, Type::Text | Type::Ip | Type::Any)
        {
            let message =
                format!("`{}` looks at text, `.{}` is {}", of.enricher.name.node, input.dotted(), known.ty);
            self.error(codes::WRONG_TYPE, &input.place, message);
        }
        let slot = |path: &str| walk.shared.layout.slot(path).unwrap_or(0);
        let mut fields = Vec::new();
        for field in &used.fields {
            let path = join(&used.into, &field.path);
            fields.push(slot(&path));
            scope.give(&path, Known::new(field.ty, true));
        }
        Some(EnricherUse {
            name: of.enricher.name.node.clone(),
            input: used.input.map_or(0, |input| slot(&input.dotted())),
            options: used.options,
            into: slot(&used.into),
            fields,
        })
    }
}
