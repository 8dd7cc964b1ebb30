//! Definitions of patterns by name: those that come with aludel, files of the user's own, and what is written in place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Which names the patterns give their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Elastic Common Schema, as Logstash's `ecs_compatibility => v1` has it.
    Ecs,
    /// The names from before that.
    Legacy,
}

/// The files that come with aludel. A capture there is `%{INT:legacy name|[ecs][name]:int}`; `%{-INT:…}` may be a
/// dash instead, `%{~INT:…}` so in the ECS set only. A definition that begins with `legacy` or `ecs` is of that set
/// only.
const FILES: &[&str] = &[
    include_str!("../../../grammars/grok/basic.patterns"),
    include_str!("../../../grammars/grok/web.patterns"),
    include_str!("../../../grammars/grok/syslog.patterns"),
    include_str!("../../../grammars/grok/java.patterns"),
    include_str!("../../../grammars/grok/cisco.patterns"),
    include_str!("../../../grammars/grok/firewall.patterns"),
    include_str!("../../../grammars/grok/zeek.patterns"),
    include_str!("../../../grammars/grok/nagios.patterns"),
    include_str!("../../../grammars/grok/bacula.patterns"),
    include_str!("../../../grammars/grok/programs.patterns"),
];

/// Definitions of one set.
type Known = HashMap<&'static str, Cow<'static, str>>;

/// The patterns that come with aludel.
fn standard(names: Names) -> &'static Known {
    static ECS: LazyLock<Known> = LazyLock::new(|| load(Names::Ecs));
    static LEGACY: LazyLock<Known> = LazyLock::new(|| load(Names::Legacy));
    match names {
        Names::Ecs => &ECS,
        Names::Legacy => &LEGACY,
    }
}

fn load(names: Names) -> Known {
    let mut known = Known::new();
    for (name, body) in FILES.iter().flat_map(|file| definitions(file)) {
        let (set, name, body) = match name {
            "ecs" | "legacy" => match body.split_once(' ') {
                Some((real, body)) => (name, real, body),
                None => continue,
            },
            _ => ("", name, body),
        };
        let other = if names == Names::Ecs { "legacy" } else { "ecs" };
        if set != other {
            known.insert(name, one_name(body, names));
        }
    }
    known
}

/// A body whose captures have the names of one set: `%{X:a|[b]:int}` becomes `%{X:a}` or `%{X:[b]:int}`, a capture
/// without a name there `%{X}`.
fn one_name(body: &'static str, names: Names) -> Cow<'static, str> {
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, inner)) = rest.split_once("%{") {
        let Some((inner, after)) = inner.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&reference(inner, names));
        rest = after;
    }
    if out.is_empty() {
        return Cow::Borrowed(body);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn reference(inner: &str, names: Names) -> String {
    let (dash, inner) = match inner.as_bytes().first() {
        Some(b'-') => (true, inner.trim_start_matches('-')),
        Some(b'~') => (names == Names::Ecs, inner.trim_start_matches('~')),
        _ => (false, inner),
    };
    let both = inner.split_once(':').and_then(|(name, field)| Some((name, field.split_once('|')?)));
    let plain = match both {
        // Legacy patterns convert few values; those that do say so before the bar.
        Some((name, (legacy, ecs))) => {
            let field = if names == Names::Ecs { ecs } else { legacy };
            if field.is_empty() { format!("%{{{name}}}") } else { format!("%{{{name}:{field}}}") }
        }
        None => format!("%{{{inner}}}"),
    };
    if dash { format!("(?:-|{plain})") } else { plain }
}

/// Definitions of a file: a name, blanks, and the pattern up to the end of the line. `#` begins a line of comment.
pub(super) fn definitions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, body) = line.trim_start().split_once([' ', '\t'])?;
        Some((name, body.trim_start()))
    })
}

/// What the names in a pattern stand for.
#[derive(Debug)]
pub(crate) struct Library {
    names: Names,
    own: HashMap<String, String>,
}

impl Library {
    /// The patterns of a set.
    pub(crate) fn new(names: Names) -> Self {
        Self { names, own: HashMap::new() }
    }

    /// Adds the definitions of a file of the user's own; they go before those that are known.
    pub(crate) fn add(&mut self, text: &str) {
        let definitions = definitions(text).map(|(name, body)| (name.to_owned(), body.to_owned()));
        self.own.extend(definitions);
    }

    /// What a name stands for.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let own = self.own.get(name).map(String::as_str);
        own.or_else(|| standard(self.names).get(name).map(AsRef::as_ref))
    }

    /// All names, for "did you mean" and tests.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str).chain(standard(self.names).keys().copied())
    }
}
