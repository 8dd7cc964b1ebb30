//! What a framer is told to do, checked: nothing here can fail later.

use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use super::class::{Language, Languages};
use super::coding::Written;
use super::header::HeaderLines;
use crate::event::{Options, Origin};
use crate::limits;

/// How lines are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Told by the first lines of each stream; anything that is not clearly wrapped stays plain lines.
    #[default]
    Auto,
    /// Plain lines.
    Lines,
    /// Kubernetes CRI log lines.
    Cri,
    /// Docker's json-file driver.
    Docker,
}

/// Whether a trace joins the log line that it directly follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// It does, where that line looks like the log line that reports it.
    #[default]
    Previous,
    /// It is a message of its own.
    None,
}

/// Which lines belong together.
#[derive(Clone, Debug)]
pub enum Multiline {
    /// Every line is a message.
    None,
    /// The traces of these languages.
    Languages(Languages),
    /// What the user's patterns say.
    Patterns(Patterns),
}

impl Multiline {
    /// All lines of a lane are one message: for bytes that are known to be one.
    pub fn whole() -> Self {
        let next = Regex::new("").ok();
        Self::Patterns(Patterns { start: None, next, open: None })
    }
}

/// A user's own rule. The patterns look at the first [`super::class::LOOK_BYTES`] of a line.
#[derive(Clone, Debug)]
pub struct Patterns {
    start: Option<Regex>,
    next: Option<Regex>,
    open: Option<Regex>,
}

impl Patterns {
    /// Whether a line belongs to the message that is open before it.
    pub(super) fn continues(&self, line: &[u8]) -> bool {
        let starts = self.start.as_ref().map(|start| start.is_match(line));
        let goes_on = self.next.as_ref().map(|next| next.is_match(line));
        match (starts, goes_on) {
            (Some(true), _) => false,
            (_, Some(goes_on)) => goes_on,
            (Some(false), None) => true,
            (None, None) => false,
        }
    }

    /// Whether the next line belongs to the message that a line is in.
    pub(super) fn is_open(&self, line: &[u8]) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_match(line))
    }
}

/// What a framer is told to do.
#[derive(Clone, Debug)]
pub struct FrameConfig {
    /// How lines are wrapped.
    pub format: Format,
    /// What the text is written in.
    pub encoding: Written,
    /// Whether control sequences of terminals are taken out of the text.
    pub strip_ansi: bool,
    /// Which lines say what the columns of others are.
    pub header: HeaderLines,
    /// Which lines belong together.
    pub multiline: Multiline,
    /// Whether a trace joins the log line before it.
    pub attach: Attach,
    /// Longest message, in bytes of its text; past it linked parts come out.
    pub message_bytes: usize,
    /// Most lines (physical ones, partials included) of one message; past it linked parts come out.
    pub message_lines: usize,
    /// How long an open message waits for its next line.
    pub wait: Duration,
}

impl Default for FrameConfig {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            encoding: Written::Auto,
            strip_ansi: false,
            header: HeaderLines::None,
            multiline: Multiline::Languages(Languages::ALL),
            attach: Attach::Previous,
            message_bytes: limits::MESSAGE_BYTES_MAX,
            message_lines: limits::MESSAGE_LINES_MAX,
            wait: limits::MESSAGE_WAIT,
        }
    }
}

impl FrameConfig {
    /// Reads the options that [`super::OPTIONS`] lists; what is left out has its default. The error is a
    /// sentence that names the option.
    pub fn from_options(options: &Options) -> Result<Self, String> {
        let default = Self::default();
        let encoding = options.text("encoding").map_or(Ok(default.encoding), Written::named)?;
        let format = match options.text("format") {
            None | Some("auto") => Format::Auto,
            Some("lines") => Format::Lines,
            Some("cri" | "docker") if encoding.is_wide() => {
                return Err("what a container runtime wraps is never written in UTF-16".into());
            }
            Some("cri") => Format::Cri,
            Some("docker") => Format::Docker,
            Some(other) => return Err(format!("format is auto, lines, cri or docker, not `{other}`")),
        };
        Ok(Self {
            format,
            encoding,
            strip_ansi: match options.text("ansi") {
                None | Some("keep") => false,
                Some("strip") => true,
                Some(other) => return Err(format!("ansi is keep or strip, not `{other}`")),
            },
            header: match options.text("header") {
                None | Some("none") => HeaderLines::None,
                Some("first") => HeaderLines::First,
                Some("hash") => HeaderLines::Hash,
                Some(other) => return Err(format!("header is none, first or hash, not `{other}`")),
            },
            multiline: multiline(options)?,
            attach: match options.text("attach") {
                None | Some("previous") => Attach::Previous,
                Some("none") => Attach::None,
                Some(other) => return Err(format!("attach is previous or none, not `{other}`")),
            },
            message_bytes: bound(options, "message_bytes", default.message_bytes, limits::MESSAGE_BYTES_MAX)?,
            message_lines: bound(options, "message_lines", default.message_lines, limits::MESSAGE_LINES_MAX)?,
            wait: options.duration("wait").unwrap_or(default.wait),
        })
    }
}

impl FrameConfig {
    /// The same for a stream of which it is known how its lines are wrapped: in its middle, the first lines that are
    /// read after a restart might tell otherwise.
    pub fn known_as(&self, origin: Origin) -> Self {
        let format = match (self.format, origin) {
            (Format::Auto, Origin::Lines) => Format::Lines,
            (Format::Auto, Origin::Cri) => Format::Cri,
            (Format::Auto, Origin::Docker) => Format::Docker,
            (told, _) => told,
        };
        Self { format, ..self.clone() }
    }
}

fn bound(options: &Options, name: &str, default: usize, max: usize) -> Result<usize, String> {
    let Some(given) = options.int(name) else { return Ok(default) };
    match usize::try_from(given) {
        Ok(given) if (1..=max).contains(&given) => Ok(given),
        _ => Err(format!("{name} is between 1 and {max}, not {given}")),
    }
}

fn multiline(options: &Options) -> Result<Multiline, String> {
    let start = options.text("start_pattern").filter(|text| !text.is_empty());
    let next = options.text("continue_pattern").filter(|text| !text.is_empty());
    let open = options.text("open_pattern").filter(|text| !text.is_empty());
    if start.is_some() || next.is_some() || open.is_some() {
        return Ok(Multiline::Patterns(Patterns {
            start: start.map(|text| pattern("start_pattern", text)).transpose()?,
            next: next.map(|text| pattern("continue_pattern", text)).transpose()?,
            open: open.map(|text| pattern("open_pattern", text)).transpose()?,
        }));
    }
    let mut languages = Languages::NONE;
    match options.texts("multiline") {
        [] => return Ok(FrameConfig::default().multiline),
        [one] if one == "none" => return Ok(Multiline::None),
        names => {
            for name in names {
                languages = languages.with(match name.as_str() {
                    "auto" => Languages::ALL,
                    name => Language::named(name).map(Languages::from).ok_or_else(|| unknown(name))?,
                });
            }
        }
    }
    Ok(Multiline::Languages(languages))
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = Language::ALL.iter().map(|language| language.name()).collect();
    format!("multiline is none, auto, or some of {}; not `{name}`", known.join(", "))
}

fn pattern(name: &str, text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(limits::REGEX_BYTES_MAX)
        .build()
        .map_err(|error| format!("{name} is not a regular expression: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OptionValue;

    fn options(values: &[(&'static str, &str)]) -> Options {
        let text = |(name, text): &(&'static str, &str)| (*name, OptionValue::Text((*text).to_owned()));
        Options::new(Vec::new(), values.iter().map(text).collect())
    }

    #[test]
    fn a_wrong_option_is_named() {
        for (given, part) in [
            (("format", "xml"), "format is auto"),
            (("encoding", "klingon"), "label of the WHATWG"),
            (("encoding", "iso-2022-kr"), "label of the WHATWG"),
            (("ansi", "fold"), "ansi is keep or strip"),
            (("multiline", "cobol"), "some of java, python"),
            (("attach", "next"), "attach is previous"),
            (("start_pattern", "("), "start_pattern is not a regular expression"),
        ] {
            let error = FrameConfig::from_options(&options(&[given])).expect_err("must be refused");
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_start_pattern_rules_unless_a_continue_pattern_is_given() {
        let both = options(&[("start_pattern", "^\\["), ("continue_pattern", "^\\s")]);
        let Ok(FrameConfig { multiline: Multiline::Patterns(patterns), .. }) =
            FrameConfig::from_options(&both)
        else {
            panic!("two patterns");
        };
        assert!(!patterns.continues(b"[x]") && patterns.continues(b"  x") && !patterns.continues(b"x"));
    }
}
