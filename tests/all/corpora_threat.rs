//! Feeds as they are published: how many entries of each are used, against a count by hand rules; and that what a feed
//! revoked or a warning list excepts is not.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::path::Path;

use super::scores::{self, corpus};
use super::threat::Lists;

/// Feeds, and how many distinct entries each has: lines that are no comment, rows, values of patterns, attributes that
/// are meant for detection.
const FEEDS: &[(&str, Count)] = &[
    ("ipsum/ipsum-head.txt", Count::Lines),
    ("ipsum/level-3.txt", Count::Lines),
    ("ipsum/level-5.txt", Count::Lines),
    ("ipsum/level-7.txt", Count::Lines),
    ("firehol/bbcan177_ms3.excerpt.netset", Count::Lines),
    ("abuse.ch/feodo-ipblocklist.csv", Count::Rows),
    ("stix/indicator-to-campaign-relationship.json", Count::Of(1)),
    ("stix/indicators-for-C2-with-COA.json", Count::Of(2)),
    ("stix/malicious-email-indicator-with-attachment.json", Count::Of(0)),
    ("stix/poisonivy.json", Count::Values),
    ("misp-events/misp.event_2021-06-10_backdoordiplomacy.json", Count::Attributes),
    ("misp-warninglists/cloudflare.json", Count::Items),
    ("misp-warninglists/googlebot.json", Count::Items),
    ("misp-warninglists/ipv6-linklocal.json", Count::Items),
    ("misp-warninglists/rfc1918.json", Count::Items),
];

#[derive(Clone, Copy)]
enum Count {
    /// Lines that are no comment, by their first word.
    Lines,
    /// Lines in quotes but the header, by their second cell.
    Rows,
    /// Values of comparisons of addresses and domains without blanks.
    Values,
    /// Values of attributes.
    Attributes,
    /// Items of a list.
    Items,
    /// So many.
    Of(usize),
}

impl Count {
    fn of(self, text: &str) -> usize {
        let all: HashSet<String> = match self {
            Self::Of(count) => return count,
            Self::Lines => {
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
            }
            Self::Rows => {
                let rows = text.lines().filter(|line| line.starts_with('"')).skip(1);
                rows.filter_map(|line| line.split('"').nth(3)).map(str::to_owned).collect()
            }
            Self::Values => {
                let values = text.split(":value = '").skip(1).filter_map(|rest| rest.split('\'').next());
                values.filter(|value| !value.contains(' ')).map(str::to_lowercase).collect()
            }
            Self::Items => {
                let json: serde_json::Value = serde_json::from_str(text).expect("json");
                json["list"].as_array().expect("a list").iter().map(ToString::to_string).collect()
            }
            Self::Attributes => {
                let json: serde_json::Value = serde_json::from_str(text).expect("json");
                let mut all = HashSet::new();
                attributes(&json, &mut all);
                all
            }
        };
        all.len()
    }
}

/// Values of attributes that are meant for detection, of the types that are looked up.
fn attributes(json: &serde_json::Value, all: &mut HashSet<String>) {
    const TYPES: &[&str] =
        &["ip-src", "ip-dst", "domain", "hostname", "url", "md5", "sha1", "sha256", "sha512"];
    match json {
        serde_json::Value::Array(items) => items.iter().for_each(|item| attributes(item, all)),
        serde_json::Value::Object(members) => {
            let text = |key: &str| members.get(key).and_then(|value| value.as_str());
            if let (Some(kind), Some(value)) = (text("type"), text("value"))
                && members.get("to_ids").and_then(serde_json::Value::as_bool) == Some(true)
            {
                let last = kind.rsplit('|').next().unwrap_or(kind);
                if TYPES.contains(&last) {
                    all.insert(value.rsplit('|').next().unwrap_or(value).to_lowercase());
                }
            }
            members.values().for_each(|value| attributes(value, all));
        }
        _ => {}
    }
}

#[test]
fn entries_of_published_feeds_are_used() {
    let Some(folder) = corpus("threat-intel") else { return };
    let (mut good, mut total) = (0, 0);
    for (name, count) in FEEDS {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).expect("a feed");
        let (expected, lists) = (count.of(&text), Lists::new(&[path], &[]));
        let entries = lists.as_ref().map_or(0, Lists::entries);
        let said = lists.map_or_else(|error| error, |lists| lists.said.join("; "));
        println!("{name}: {entries} of {expected} {said}");
        total += expected;
        good += expected - expected.abs_diff(entries).min(expected);
    }
    scores::report("threat-intel", "entries of feeds used", good as u64, total as u64, 99.9);
}

#[test]
fn every_address_of_a_feed_is_found_and_no_other() {
    let Some(folder) = corpus("threat-intel") else { return };
    let path = folder.join("ipsum/level-3.txt");
    let text = std::fs::read_to_string(&path).expect("a feed");
    let listed: HashSet<&str> = text.lines().collect();
    let mut lists = Lists::new(&[path], &[]).expect("a list");
    let (mut good, mut total) = (0, 0_u64);
    for address in &listed {
        let next: std::net::Ipv4Addr = address.parse().expect("an address");
        let next = std::net::Ipv4Addr::from_bits(next.to_bits().wrapping_add(1)).to_string();
        for value in [*address, &next] {
            total += 1;
            good += usize::from(lists.find(value, 0).is_empty() != listed.contains(value));
        }
    }
    scores::report("threat-intel", "addresses told right", good as u64, total, 100.0);
}

/// Private addresses that feeds list by mistake are never reported where a warning list excepts them.
#[test]
fn warning_lists_stop_what_is_listed_by_mistake() {
    let Some(folder) = corpus("threat-intel") else { return };
    let list = folder.join("stix/indicators-for-C2-with-COA.json");
    let find = |except: &[&Path]| {
        let except: Vec<_> = except.iter().map(|path| path.to_path_buf()).collect();
        Lists::new(std::slice::from_ref(&list), &except).expect("lists").find("10.0.0.0", 0).len()
    };
    assert_eq!((find(&[]), find(&[&folder.join("misp-warninglists/rfc1918.json")])), (1, 0));
}
