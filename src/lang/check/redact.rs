//! `redact`: which classes, where, and what stands in their place.

use super::scope::Scope;
use super::steps::Walk;
use super::{Checker, codes};
use crate::diag::Place;
use crate::expr::Constant;
use crate::lang::ast::{Expr, ExprKind, Name, Path, Setting};
use crate::lang::plan::Step;
use crate::sensitive::{Class, Classes, Mac, Policy};

/// Words for what becomes of what is found.
const POLICIES: &str = "`mask`, `hash(secret(\"file:…\"))`, `drop` or `tokenise`";

impl Checker<'_> {
    /// A `redact` of a pipeline.
    pub(super) fn redact(
        &mut self,
        names: &[Name],
        on: &[Path],
        options: &[Setting],
        place: &Place,
        scope: &Scope,
        walk: &Walk<'_, '_>,
    ) -> Option<Step> {
        let mut classes = Classes::default();
        for name in names {
            match Class::named(&name.node) {
                Some(class) => classes.insert(class),
                None => {
                    let known = Class::ALL.map(Class::name);
                    self.unknown(codes::UNKNOWN_CLASS, "class of what is redacted", name, known);
                }
            }
        }
        for path in on {
            self.part(path, "named here; without `on` all of it is redacted");
            self.lookup(path, scope);
        }
        if scope.sent {
            let help = "put `redact` before the first `to`; a sink that may have everything gets it from a pipeline of its own";
            let message = "events are sent to a sink before they are redacted";
            self.error_with_help(codes::SENT_UNREDACTED, place, message, Some(help.to_owned()));
        }
        let mut policy = Policy::Mask;
        for setting in options {
            if setting.name.node == "policy" {
                policy = self.policy(&setting.value)?;
            } else {
                self.unknown(codes::UNKNOWN_OPTION, "option of `redact`", &setting.name, ["policy"]);
            }
        }
        let fields = on.iter().map(|path| walk.slot(path)).collect();
        Some(Step::Redact { classes, policy, fields, place: place.clone() })
    }

    fn policy(&mut self, value: &Expr) -> Option<Policy> {
        match &*value.node {
            ExprKind::Word(word) if word == "mask" => return Some(Policy::Mask),
            ExprKind::Word(word) if word == "drop" => return Some(Policy::Drop),
            ExprKind::Word(word) if word == "tokenise" => return Some(Policy::Tokenise),
            ExprKind::Call { name, arguments, .. } if name.node == "hash" => {
                let [key] = arguments.as_slice() else {
                    let help = "hash(secret(\"file:/run/secrets/key\"))".to_owned();
                    self.error_with_help(codes::WRONG_CALL, &value.place, "`hash` takes a key", Some(help));
                    return None;
                };
                return self.key(key).map(|key| Policy::Hash(Mac::new(key.as_bytes())));
            }
            _ => {}
        }
        let message = format!("the option `policy` is one of: {POLICIES}");
        self.error(codes::WRONG_OPTION, &value.place, message);
        None
    }

    fn key(&mut self, key: &Expr) -> Option<String> {
        let text = match self.secret(key) {
            Some(secret) => secret.ok()?,
            None => match self.constant(key)? {
                Constant::Text(text) => text,
                _ => String::new(),
            },
        };
        if text.len() >= KEY_BYTES_MIN {
            return Some(text);
        }
        let message =
            format!("a key is a text of at least {KEY_BYTES_MIN} bytes: a shorter one can be guessed");
        self.error(codes::WRONG_OPTION, &key.place, message);
        None
    }
}

/// Shortest key of a hash.
const KEY_BYTES_MIN: usize = 16;
