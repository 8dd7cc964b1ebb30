//! Programs that look for weaknesses, by the name they give themselves.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{Sign, gate};

/// Names in a `User-Agent`, in lower case, and how clear they are.
const NAMES: &[(&str, u8)] = &[
    ("sqlmap", 95),
    ("nikto", 95),
    ("nessus", 92),
    ("openvas", 95),
    ("acunetix", 95),
    ("netsparker", 95),
    ("invicti", 90),
    ("qualys", 80),
    ("nmap scripting", 95),
    ("nmap nse", 95),
    ("masscan", 95),
    ("zgrab", 90),
    ("wpscan", 95),
    ("joomscan", 95),
    ("dirbuster", 95),
    ("dirb ", 80),
    ("gobuster", 95),
    ("feroxbuster", 95),
    ("ffuf", 92),
    ("wfuzz", 95),
    ("fuzz faster u fool", 95),
    ("nuclei", 92),
    ("w3af", 95),
    ("arachni", 95),
    ("skipfish", 95),
    ("havij", 95),
    ("commix", 95),
    ("xsser", 90),
    ("xsstrike", 95),
    ("metasploit", 95),
    ("hydra", 70),
    ("thc-hydra", 95),
    ("whatweb", 88),
    ("burpcollaborator", 95),
    ("burp suite", 90),
    ("zaproxy", 90),
    ("owasp zap", 92),
    ("vega/", 72),
    ("webinspect", 90),
    ("appscan", 85),
    ("paros", 85),
    ("golismero", 92),
    ("jaeles", 92),
    ("jorgee", 95),
    ("morfeus", 95),
    ("zmeu", 95),
    ("muieblackcat", 95),
    ("grendel-scan", 95),
    ("absinthe", 80),
    ("bsqlbf", 95),
    ("sqlninja", 95),
    ("pangolin", 80),
    ("sqlbrute", 95),
    ("webshag", 95),
    ("blackwidow", 75),
    ("brutus", 80),
    ("cgichk", 90),
    ("datacha0s", 90),
    ("fimap", 92),
    ("n-stealth", 95),
    ("nsauditor", 90),
    ("scanbot", 80),
    ("webtrends security", 90),
    ("whitehat", 70),
    ("x-scan", 90),
    ("l9explore", 90),
    ("l9tcpid", 90),
    ("leakix", 85),
    ("censysinspect", 70),
    ("expanse", 62),
    ("internet-measurement", 62),
    ("dirsearch", 95),
    ("gospider", 80),
    ("hakrawler", 85),
    ("katana", 62),
    ("subfinder", 90),
    ("httpx - open-source", 82),
    ("sysscan", 85),
    ("toata dragostea", 95),
    ("webvulnscan", 95),
    ("wapiti", 92),
    ("tplmap", 95),
    ("ysoserial", 92),
    ("interactsh", 92),
    ("log4j", 70),
    ("shellshock", 85),
    ("cve-20", 80),
    ("fhscan", 92),
    ("hello, world", 66),
    ("kinza", 40),
    ("patator", 92),
    ("medusa", 66),
    ("crowbar", 60),
    ("caido", 70),
];

/// The program that a `User-Agent` in lower case names.
pub(super) fn look(text: &[u8]) -> Option<Sign> {
    static FIND: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| gate::finder(NAMES.iter().map(|(name, _)| name)));
    let find = FIND.as_ref()?;
    let found = find.find_iter(text).filter(|found| {
        let before = found.start().checked_sub(1).map(|at| text[at]);
        before.is_none_or(|byte| !byte.is_ascii_alphabetic())
    });
    let best = found.max_by_key(|found| NAMES[found.pattern().as_usize()].1)?;
    let score = NAMES[best.pattern().as_usize()].1;
    Some(Sign { rule: "tool", score, range: best.range() })
}
