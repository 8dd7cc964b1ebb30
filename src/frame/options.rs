//! The options of framing, for the signatures of sources that read lines.

use crate::signature::{OptionSpec, OptionType};

const FORMATS: &[&str] = &["auto", "lines", "cri", "docker"];
const HEADERS: &[&str] = &["none", "first", "hash"];
const ANSI: &[&str] = &["keep", "strip"];
const ATTACH: &[&str] = &["previous", "none"];

/// Options that every source of lines takes, read by [`super::FrameConfig::from_options`].
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "format",
        ty: OptionType::Word(FORMATS),
        default: Some("auto"),
        doc: "How lines are wrapped. `auto` tells CRI and docker json-file lines from plain ones, for each stream by itself.",
    },
    OptionSpec {
        name: "encoding",
        ty: OptionType::Text,
        default: Some("\"auto\""),
        doc: "What the text is written in: `utf-8`, `utf-16le`, `utf-16be`, `latin1`, or any other label of the WHATWG Encoding Standard. `auto` tells UTF-16 by the byte-order mark at the start of the stream, and takes all else as UTF-8. Positions, ids and the ledger count the bytes of the stream as it is. What is not valid becomes U+FFFD; such an event carries `log.flags` with `invalid_encoding`, and the bytes of its message in `log.original_base64`, if they are not too many. Of a stream that cannot be read again, name the encoding: its start is not there any more after a restart.",
    },
    OptionSpec {
        name: "ansi",
        ty: OptionType::Word(ANSI),
        default: Some("keep"),
        doc: "What becomes of the control sequences that colour a terminal: `keep`, or `strip` to take them out of the text before anything looks at it.",
    },
    OptionSpec {
        name: "header",
        ty: OptionType::Word(HEADERS),
        default: Some("none"),
        doc: "Which lines are no messages but say what the columns of those below them are, for the formats `csv`, `w3c` and `zeek_tsv`: the `first` of a stream, or all that begin with `#` (`hash`). After a restart they are read again from the front of the file; of a stream that cannot be read again they are known from its start on.",
    },
    OptionSpec {
        name: "multiline",
        ty: OptionType::Multiline,
        default: Some("auto"),
        doc: "Joins stack traces into one message: `none`, `auto` (all presets), or one or several of `java`, `python`, `go`, `ruby`, `node`, `dotnet`, `rust`, `php`, `dart`. Container stdout and stderr are joined apart.",
    },
    OptionSpec {
        name: "start_pattern",
        ty: OptionType::Text,
        default: Some(""),
        doc: "A regular expression for the first line of a message; used instead of `multiline`. Lines that do not match continue the message, unless `continue_pattern` is given as well.",
    },
    OptionSpec {
        name: "continue_pattern",
        ty: OptionType::Text,
        default: Some(""),
        doc: "A regular expression for lines that continue the message before them; used instead of `multiline`.",
    },
    OptionSpec {
        name: "open_pattern",
        ty: OptionType::Text,
        default: Some(""),
        doc: "A regular expression for lines that the next line belongs to, such as `\\\\$` for those that end in a backslash; used instead of `multiline`, alone or beside the other patterns. All three look at the first KiB of a line.",
    },
    OptionSpec {
        name: "attach",
        ty: OptionType::Word(ATTACH),
        default: Some("previous"),
        doc: "Whether a trace joins the log line it directly follows, where that line looks like its report (a time stamp or level in front, and not of level info or below without a word of failure), or is a message of its own.",
    },
    OptionSpec {
        name: "message_bytes",
        ty: OptionType::Size,
        default: Some("1MiB"),
        doc: "Longest message. A longer one leaves in linked parts; nothing is discarded.",
    },
    OptionSpec {
        name: "message_lines",
        ty: OptionType::Int,
        default: Some("4096"),
        doc: "Most lines of one message. A longer one leaves in linked parts; nothing is discarded.",
    },
    OptionSpec {
        name: "wait",
        ty: OptionType::Duration,
        default: Some("2s"),
        doc: "How long an open message waits for its next line, at the least. A stream whose lines of one message were seen to come further apart is given more time, up to eight times as much.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn the_defaults_are_the_limits() {
        let default = |name| OPTIONS.iter().find(|spec| spec.name == name).and_then(|spec| spec.default);
        assert_eq!(limits::MESSAGE_BYTES_MAX, 1 << 20);
        assert_eq!(default("message_bytes"), Some("1MiB"));
        assert_eq!(default("message_lines"), Some(limits::MESSAGE_LINES_MAX.to_string().as_str()));
        assert_eq!(default("wait"), Some(format!("{}s", limits::MESSAGE_WAIT.as_secs()).as_str()));
    }
}
