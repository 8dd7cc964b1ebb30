//! What `flood` says of itself.

use super::super::rule::{EVIDENCE, IPV6, KEY, NAME, SEVERITIES, SEVERITY, TECHNIQUE, option};
use crate::signature::{Example, OptionType, Signature};

pub(in super::super) static FLOOD: Signature = Signature {
    name: "flood",
    summary: "far more comes than usual, or from far more sources",
    doc: "**What it finds**: a flood of requests (DDoS), whoever sends it: one address, a network, or ten thousand addresses of \
          which each stays within every limit; a slow ramp; and, without `source`, a log that runs over. Events of a key \
          are counted in windows and held against what that hour of the week usually has: the mean, the deviation and the fullest \
          window. More than `factor` times the mean, eight deviations above it (six where one source sends most), and well above the fullest is a flood, \
          as soon as the window has so many. The number of different sources is held against its own baseline in the same way. \
          Less is one, down to half as much again, where strangers bring it: more sources than so many events usually have, within \
          one window or some in a row; a busy hour of the usual visitors is not. \
          Without `key` all events count together. \
          **What an alert says**: how much came and what is usual, from how many sources and how many are usual, and who sent \
          most: addresses, or their networks (/24, /48) where these say more. When it has become ten times as much, \
          there is another, a step graver. \
          **Learning**: a key is only learned from for `learn`: what comes then is taken for usual. A window counts for no \
          more than what would raise an alert, so that an attack hardly becomes usual, and what is the new usual does within days. \
          Of an hour of the week that was never seen little is known: two days may both be days of rest, and rate alone must then \
          be ten times as much, so that the first Monday is no flood; strangers, or one who sends most of it, are told as ever. \
          **What it misses**: floods below `at_least` or `factor`, and whether a flood is an attack: many people who come at \
          once are one too. Bounded: some 4,000 busy keys; those not seen for longest are forgotten, which is told, \
          and is an alert where they were known well. Sources are counted exactly up to 256, then by a sketch of 4 KiB (± 1.6 %).",
    form: "detect flood { key = .FIELD, source = .source.ip }",
    options: &[
        option("key", OptionType::Exprs, Some(""), KEY),
        option(
            "source",
            OptionType::Exprs,
            Some(""),
            "who sends it; their number is watched and the alert names them. An event without one does not count",
        ),
        option("when", OptionType::Condition, Some(""), "which events count; all where it is left out"),
        option("window", OptionType::Duration, Some("1m"), "events are counted over so long, up to an hour"),
        option("at_least", OptionType::Int, Some("100"), "a window with fewer events is no flood"),
        option(
            "factor",
            OptionType::Int,
            Some("3"),
            "nor is one of the usual sources with fewer than so many times the usual",
        ),
        option(
            "season",
            OptionType::Word(&["none", "day", "week"]),
            Some("week"),
            "what is usual depends on: the hour of the `week`, of the `day`, or on nothing (UTC); the less, the more keys \
             have room",
        ),
        option("learn", OptionType::Duration, Some("2d"), "a key is only learned from for so long"),
        option("half_life", OptionType::Duration, Some("14d"), "after so long what was learned counts half"),
        option("severity", OptionType::Word(&SEVERITIES), Some("high"), SEVERITY),
        option("technique", OptionType::Text, Some("\"T1499.002\""), TECHNIQUE),
        NAME,
        option(
            "quiet",
            OptionType::Duration,
            Some("10m"),
            "a flood is over when it was no more than usual for so long",
        ),
        IPV6,
        EVIDENCE,
    ],
    examples: &[Example {
        title: "the event goes on as it is",
        source: "detect flood { key = .site, source = .client }",
        input: r#"{"site":"shop","client":"203.0.113.7"}"#,
        result: r#"{"site":"shop","client":"203.0.113.7"}"#,
    }],
};
