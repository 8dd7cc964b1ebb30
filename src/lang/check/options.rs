//! Sources, sinks and formats: their kinds, arguments and options.

use std::time::Duration;

use super::{Checker, codes};
use crate::diag::Place;
use crate::event::{OptionValue, Options, Template};
use crate::expr::{Constant, Files};
use crate::lang::ast::{self, Expr, ExprKind, Literal, Setting};
use crate::lang::plan;
use crate::limits::{PATTERN_FILE_BYTES_MAX, PATTERN_FILES_MAX};
use crate::signature::{OptionSpec, OptionType, Signature};

/// The option that the language itself gives every sink.
const REQUIRED: &str = "required";

impl Checker<'_> {
    /// A source or sink.
    pub(super) fn component(
        &mut self,
        item: &ast::Component,
        kinds: &[&'static Signature],
        is_sink: bool,
    ) -> Option<plan::Component> {
        if item.kind.node.is_empty() {
            // It could not be read, which has been reported.
            return None;
        }
        let Some(kind) = kinds.iter().find(|kind| kind.name == item.kind.node) else {
            let what = if is_sink { "kind of sink" } else { "kind of source" };
            self.unknown(codes::UNKNOWN_KIND, what, &item.kind, kinds.iter().map(|kind| kind.name));
            return None;
        };
        let mut required = true;
        let mut settings = Vec::new();
        for setting in &item.options {
            if is_sink && setting.name.node == REQUIRED {
                match self.constant(&setting.value) {
                    Some(Constant::Bool(value)) => required = value,
                    Some(_) => self.mistyped(&setting.value.place, REQUIRED, "true or false"),
                    None => {}
                }
            } else {
                settings.push(setting);
            }
        }
        let mut arguments = Vec::new();
        for argument in &item.arguments {
            match self.constant(argument) {
                Some(value) => match value.texts() {
                    Some(texts) => arguments.extend(texts.into_iter().map(str::to_owned)),
                    None => self.error(codes::WRONG_OPTION, &argument.place, "this must be a text"),
                },
                None => return None,
            }
        }
        let options = self.options(kind.name, kind.options, arguments, &settings, &item.kind.place)?;
        Some(plan::Component { name: item.name.node.clone(), kind: kind.name, options, required })
    }

    /// A format's options; arguments without a name are its options in order.
    pub(super) fn format_options(
        &mut self,
        of: &ast::FormatUse,
        specs: &'static [OptionSpec],
    ) -> Option<Options> {
        let mut values = Vec::new();
        for (at, argument) in of.arguments.iter().enumerate() {
            let Some(spec) = specs.get(at) else {
                let message = format!("`{}` takes {} arguments", of.name.node, specs.len());
                self.error(codes::WRONG_CALL, &argument.place, message);
                return None;
            };
            values.push((spec.name, self.option(spec, argument)?));
        }
        let settings: Vec<_> = of.options.iter().collect();
        self.options_with(&of.name.node, specs, Vec::new(), &settings, &of.name.place, values)
    }

    pub(super) fn options(
        &mut self,
        owner: &str,
        specs: &'static [OptionSpec],
        arguments: Vec<String>,
        settings: &[&Setting],
        place: &Place,
    ) -> Option<Options> {
        self.options_with(owner, specs, arguments, settings, place, Vec::new())
    }

    fn options_with(
        &mut self,
        owner: &str,
        specs: &'static [OptionSpec],
        arguments: Vec<String>,
        settings: &[&Setting],
        place: &Place,
        mut values: Vec<(&'static str, OptionValue)>,
    ) -> Option<Options> {
        let mut whole = true;
        let mut of_events = Vec::new();
        for setting in settings {
            let Some(spec) = specs.iter().find(|spec| spec.name == setting.name.node) else {
                let what = format!("option of `{owner}`");
                self.unknown(codes::UNKNOWN_OPTION, &what, &setting.name, specs.iter().map(|spec| spec.name));
                whole = false;
                continue;
            };
            if values.iter().any(|(name, _)| *name == spec.name) || of_events.contains(&spec.name) {
                let message = format!("the option `{}` is given twice", spec.name);
                self.error(codes::NAME_TWICE, &setting.name.place, message);
                whole = false;
                continue;
            }
            // What looks at events is the caller's.
            if matches!(spec.ty, OptionType::Condition | OptionType::Exprs) {
                of_events.push(spec.name);
                continue;
            }
            match self.option(spec, &setting.value) {
                Some(value) => values.push((spec.name, value)),
                None => whole = false,
            }
        }
        for spec in specs {
            if values.iter().any(|(name, _)| *name == spec.name) || of_events.contains(&spec.name) {
                continue;
            }
            match spec.default {
                None => {
                    let message = format!("`{owner}` needs the option `{}`", spec.name);
                    let help = Some(format!("{}: {}", spec.name, spec.doc));
                    self.error_with_help(codes::MISSING_OPTION, place, message, help);
                    whole = false;
                }
                Some("") => {}
                Some(default) => values.extend(default_value(spec, default).map(|value| (spec.name, value))),
            }
        }
        whole.then(|| Options::new(arguments, values))
    }

    fn mistyped(&mut self, place: &Place, name: &str, wanted: &str) {
        self.error(codes::WRONG_OPTION, place, format!("the option `{name}` takes {wanted}"));
    }

    /// The value of one option.
    fn option(&mut self, spec: &OptionSpec, value: &Expr) -> Option<OptionValue> {
        let found = match spec.ty {
            OptionType::Secret => return self.secret_option(spec, value),
            OptionType::Fields => fields(value).map(OptionValue::Texts),
            OptionType::Word(words) => {
                let word = match &*value.node {
                    ExprKind::Word(word) => Some(word.clone()),
                    ExprKind::Literal(Literal::Text(text)) => Some(text.clone()),
                    _ => None,
                };
                return match word.filter(|word| words.contains(&word.as_str())) {
                    Some(word) => Some(OptionValue::Text(word)),
                    None => {
                        self.mistyped(&value.place, spec.name, &format!("one of: {}", words.join(", ")));
                        None
                    }
                };
            }
            OptionType::Multiline => words(value).map(OptionValue::Texts),
            OptionType::Rate => match &*value.node {
                ExprKind::Literal(Literal::Rate(count, ns, _)) => {
                    let period = Duration::from_nanos(u64::try_from(*ns).unwrap_or_default());
                    return Some(OptionValue::Rate(*count, period));
                }
                _ => None,
            },
            OptionType::Files => return self.files_option(spec, value),
            _ => {
                let constant = self.constant(value)?;
                return match typed(spec.ty, constant) {
                    Ok(value) => Some(value),
                    Err(wanted) => {
                        self.mistyped(&value.place, spec.name, &wanted);
                        None
                    }
                };
            }
        };
        if found.is_none() {
            let wanted = match spec.ty {
                OptionType::Fields => "a list of fields, as in [.a, .b.c]",
                OptionType::Rate => "how many within which time, as in `5 per 1m`",
                _ => "a preset",
            };
            self.mistyped(&value.place, spec.name, wanted);
        }
        found
    }

    /// Files that are read now, so that what is made of them is pure.
    fn files_option(&mut self, spec: &OptionSpec, value: &Expr) -> Option<OptionValue> {
        let constant = self.constant(value)?;
        let Some(paths) = constant.texts() else {
            self.mistyped(&value.place, spec.name, "the path of a file or folder, or a list of them");
            return None;
        };
        match read_files(self.environment, &paths) {
            Ok(files) => Some(OptionValue::Files(files)),
            Err(error) => {
                self.error(codes::WRONG_OPTION, &value.place, error);
                None
            }
        }
    }

    fn secret_option(&mut self, spec: &OptionSpec, value: &Expr) -> Option<OptionValue> {
        if let Some(secret) = self.secret(value) {
            return secret.ok().map(OptionValue::Text);
        }
        match self.constant(value)? {
            Constant::Text(text) => Some(OptionValue::Text(text)),
            _ => {
                self.mistyped(&value.place, spec.name, "`secret(\"file:/…\")` or `env(\"NAME\")`");
                None
            }
        }
    }
}

/// Reads files, and those of folders.
pub fn read_files(files: &(impl Files + ?Sized), paths: &[&str]) -> Result<Vec<(String, String)>, String> {
    let mut read = Vec::new();
    for path in paths {
        for path in files.in_folder(path)? {
            let bytes = files.read(&path, PATTERN_FILE_BYTES_MAX)?;
            let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))?;
            read.push((path, text));
        }
        if read.len() > PATTERN_FILES_MAX {
            return Err(format!("{path}: at most {PATTERN_FILES_MAX} files are read"));
        }
    }
    Ok(read)
}

fn typed(ty: OptionType, constant: Constant) -> Result<OptionValue, String> {
    match (ty, constant) {
        (OptionType::Text, Constant::Text(text)) => Ok(OptionValue::Text(text)),
        (OptionType::Text, _) => Err("a text".to_owned()),
        (OptionType::Path, Constant::Text(path)) => Ok(OptionValue::Path(path)),
        (OptionType::Path, _) => Err("the path of a file".to_owned()),
        (OptionType::Paths, constant) => match constant.texts() {
            Some(paths) => Ok(OptionValue::Paths(paths.into_iter().map(str::to_owned).collect())),
            None => Err("the path of a file or a list of paths".to_owned()),
        },
        (OptionType::Template, Constant::Text(text)) => Template::parse(&text)
            .map(OptionValue::Template)
            .map_err(|(at, why)| format!("a template; byte {at}: {why}")),
        (OptionType::Template, _) => Err("a text with {.field} holes".to_owned()),
        (OptionType::Int, Constant::Int(int)) => Ok(OptionValue::Int(int)),
        (OptionType::Int, _) => Err("a whole number".to_owned()),
        (OptionType::Size, Constant::Int(bytes)) if bytes >= 0 => Ok(OptionValue::Int(bytes)),
        (OptionType::Size, _) => Err("a size, such as 16KiB".to_owned()),
        (OptionType::Bool, Constant::Bool(bool)) => Ok(OptionValue::Bool(bool)),
        (OptionType::Bool, _) => Err("true or false".to_owned()),
        (OptionType::Duration, Constant::Duration(ns)) if ns >= 0 => {
            Ok(OptionValue::Duration(Duration::from_nanos(ns as u64)))
        }
        (OptionType::Duration, _) => Err("a length of time, such as 5s".to_owned()),
        (OptionType::Texts, constant) => match constant.texts() {
            Some(texts) => Ok(OptionValue::Texts(texts.into_iter().map(str::to_owned).collect())),
            None => Err("a text or a list of texts".to_owned()),
        },
        (_, _) => Err("another kind of value".to_owned()),
    }
}

/// Fields of a list such as `[date, hour, service.name, .url.path]`, without leading dots.
pub(super) fn fields(value: &Expr) -> Option<Vec<String>> {
    let one = |expr: &Expr| match &*expr.node {
        ExprKind::Word(word) => Some(word.clone()),
        ExprKind::Path(path) => Some(path.dotted()),
        ExprKind::Literal(Literal::Text(text)) => Some(text.trim_start_matches('.').to_owned()),
        _ => None,
    };
    match &*value.node {
        ExprKind::List(items) => items.iter().map(one).collect(),
        _ => one(value).map(|field| vec![field]),
    }
}

/// Words or texts, one or a list.
fn words(value: &Expr) -> Option<Vec<String>> {
    let one = |expr: &Expr| match &*expr.node {
        ExprKind::Word(word) => Some(word.clone()),
        ExprKind::Literal(Literal::Text(text)) => Some(text.clone()),
        _ => None,
    };
    match &*value.node {
        ExprKind::List(items) => items.iter().map(one).collect(),
        _ => one(value).map(|word| vec![word]),
    }
}

/// A default, which its component wrote as text of the language.
fn default_value(spec: &OptionSpec, default: &str) -> Option<OptionValue> {
    let text = format!("const default = {default}\n");
    let (file, _) = crate::lang::parse(&text);
    let Some(ast::Item::Const(item)) = file.items.first() else { return None };
    match spec.ty {
        OptionType::Word(_) => Some(OptionValue::Text(default.trim_matches('"').to_owned())),
        OptionType::Secret => Some(OptionValue::Text(default.trim_matches('"').to_owned())),
        OptionType::Fields => fields(&item.value).map(OptionValue::Texts),
        OptionType::Multiline => words(&item.value).map(OptionValue::Texts),
        // A word stands for its own text, so that defaults need no quotes in quotes.
        _ => match &*item.value.node {
            ExprKind::Word(word) => typed(spec.ty, Constant::Text(word.clone())).ok(),
            ExprKind::List(items) => {
                let items = items.iter().filter_map(|item| match &*item.node {
                    ExprKind::Literal(literal) => super::constant::literal_value(literal),
                    ExprKind::Word(word) => Some(Constant::Text(word.clone())),
                    _ => None,
                });
                typed(spec.ty, Constant::List(items.collect())).ok()
            }
            ExprKind::Literal(literal) => {
                let value =
                    super::constant::literal_value(literal).and_then(|value| typed(spec.ty, value).ok());
                // A default such as `UTC` may be written without quotes and read as something else.
                value.or_else(|| typed(spec.ty, Constant::Text(default.to_owned())).ok())
            }
            _ => typed(spec.ty, Constant::Text(default.to_owned())).ok(),
        },
    }
}
