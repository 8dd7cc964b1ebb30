//! What can be said of threat lists: the options of `threat`, and what is wrong with them.

use super::{NAME, Terms};
use crate::event::Options;
use crate::signature::{Example, OptionSpec, OptionType, Signature};

const fn text(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec { name, ty: OptionType::Text, default: Some(""), doc }
}

/// What `threat` says of itself.
pub static SIGNATURE: Signature = Signature {
    name: NAME,
    summary: "addresses, domains, URLs and hashes that lists of threat intelligence name",
    doc: "A list is a file: an indicator a line (netsets, ranges, hosts files, `hxxp` and `[.]` understood, `#` and `;` begin \
          comments), CSV (a header names the columns; without one the first column that holds indicators counts), a \
          bundle of STIX 2.1 (or its indicators, a line each), events of MISP (attributes with `to_ids`), a warning list of MISP, or \
          objects of JSON whose members are named as columns are. Which it is, is told \
          from what is in it. Files are looked at every five seconds and read anew when they are changed; one that became bad leaves what was \
          read before. Lines that are no indicators are left out and told of; a file that has more of them than entries is \
          refused.\n\n\
          What a value is, is told from the value, not from the field: an address (with or without port; \
          `::ffff:192.0.2.1` is 192.0.2.1), a domain, a URL (which is also its host), a hash in hexadecimal. A list of \
          values is looked up item by item. URLs are compared whole, scheme and host in lower case, without user, default \
          port and fragment, escapes of unreserved characters undone; one that is listed without scheme stands for any. A \
          domain that is listed stands for those below it too, unless it is a public suffix such as `co.uk`. Of networks \
          that hold an address the narrowest that is still valid counts. Every list that has the value gives a \
          detection, with `feed`, `indicator`, `confidence`, and where the list says so `expires` and `name`. An entry \
          is valid until it expires by the time of the event (the time at which it was read, if it has none). The surest \
          of them goes to `threat.indicator.*` and `threat.feed.name`.",
    form: "detect threat on .FIELD, … { lists = [\"FILE\"] }",
    options: &[
        OptionSpec {
            name: "lists",
            ty: OptionType::Paths,
            default: None,
            doc: "the files; `*`, `?` and `[…]` in the name stand for all that are there, also for those that come later; one that goes is no longer used. A list that is \
                  written in place may be read by halves: write it aside and rename it",
        },
        OptionSpec {
            name: "except",
            ty: OptionType::Paths,
            default: Some(""),
            doc: "lists of what is never reported, whatever others say: addresses of one's own, warning lists",
        },
        text("feed", "the name of the feed; that of the file without its ending, unless given"),
        OptionSpec {
            name: "confidence",
            ty: OptionType::Int,
            default: Some("50"),
            doc: "how sure an entry is that does not say so, 0 to 100",
        },
        OptionSpec {
            name: "threshold",
            ty: OptionType::Int,
            default: Some("1"),
            doc: "the least confidence with which an entry is used",
        },
        OptionSpec {
            name: "subdomains",
            ty: OptionType::Bool,
            default: Some("true"),
            doc: "whether a domain that is listed stands for those below it",
        },
        text("column", "the column of the indicators in CSV, where its name is no usual one"),
        text("confidence_column", "the column of the confidence in CSV, where its name is no usual one"),
        text("expires_column", "the column of the time of expiry in CSV, where its name is no usual one"),
    ],
    examples: &[Example {
        title: "a network of a netset, a name of a hosts file",
        source: "detect threat on .source.ip, .dns.question.name { lists = [\"fixtures/detect/threat/lists/networks.netset\", \"fixtures/detect/threat/lists/hosts.txt\"] }",
        input: r#"{"source":{"ip":"192.0.2.77"},"dns":{"question":{"name":"www.fine.example"}}}"#,
        result: r#"{"detections":[{"detector":"threat","class":"ip","rule":"network","field":"source.ip","evidence":"192.0.2.77","technique":"T1583","score":50,"feed":"networks","indicator":"192.0.2.64/26","confidence":50}],"dns":{"question":{"name":"www.fine.example"}},"event":{"kind":"alert"},"source":{"ip":"192.0.2.77"},"threat":{"feed":{"name":"networks"},"framework":"MITRE ATT&CK","indicator":{"confidence":"Medium","ip":"192.0.2.77","name":"192.0.2.64/26","type":"ipv4-addr"},"tactic":{"id":["TA0042"],"name":["Resource Development"]},"technique":{"id":["T1583"],"name":["Acquire Infrastructure"]}}}"#,
    }],
};

/// What options say of lists.
pub(super) fn terms(options: &Options) -> Result<Terms, String> {
    let usual = Terms::default();
    let percent = |name: &str, least: i64, usual: u8| {
        let of = options.int(name).unwrap_or(usual.into());
        let fits = (least..=100).contains(&of).then_some(of as u8);
        fits.ok_or_else(|| format!("the option `{name}` takes a confidence from {least} to 100"))
    };
    let column = |name: &str| options.given(name).map(str::to_owned);
    let columns = [column("column"), column("confidence_column"), column("expires_column")];
    Ok(Terms {
        confidence: percent("confidence", 0, usual.confidence)?,
        threshold: percent("threshold", 0, usual.threshold)?,
        columns,
    })
}

/// Says what is wrong with options, without a look at files.
pub fn check(options: &Options) -> Result<(), String> {
    if options.texts("lists").is_empty() {
        return Err("the option `lists` names one file at least".to_owned());
    }
    terms(options).map(drop)
}
