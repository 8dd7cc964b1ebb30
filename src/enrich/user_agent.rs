//! What a `User-Agent` header (RFC 9110 §10.1.5) says: program, version, system and device.
//!
//! By rules of our own for the programs that most requests come from, the most telling first; any other is named by its
//! first product.

use super::{Enricher, EnricherKind, fields, slots, text};
use crate::event::{Slot, Span, Texts};
use crate::format::Fields;
use crate::lookup::Held;
use crate::signature::{Example, Signature, Type};

const FIELDS: [(&str, Type); 6] = [
    ("name", Type::Text),
    ("version", Type::Text),
    ("os.name", Type::Text),
    ("os.version", Type::Text),
    ("os.full", Type::Text),
    ("device.name", Type::Text),
];

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "useragent",
        summary: "program, version, system and device of a User-Agent",
        doc: "Fields `name`, `version`, `os.name`, `os.version`, `os.full` and `device.name` beside the header. Robots have \
              the device `Spider`.",
        form: "useragent(.FIELD)",
        options: &[],
        examples: &[Example {
            title: "a browser",
            source: "enrich useragent(.user_agent.original)",
            input: r#"{"user_agent":{"original":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"}}"#,
            result: r#"{"user_agent":{"device":{"name":"Other"},"name":"Chrome","original":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36","os":{"full":"Windows 10","name":"Windows","version":"10"},"version":"124.0.0.0"}}"#,
        }],
    },
    takes: true,
    gives: |_| Ok(fields(&FIELDS)),
    bind: |bind, _| Ok(Box::new(UserAgent { slots: slots(bind, &FIELDS)? })),
};

/// A token of a program and its name; the first that is there counts. The version stands behind the token.
const PROGRAMS: &[(&str, &str)] = &[
    ("Googlebot/", "Googlebot"),
    ("Googlebot-Image/", "Googlebot-Image"),
    ("AdsBot-Google", "AdsBot-Google"),
    ("bingbot/", "bingbot"),
    ("YandexBot/", "YandexBot"),
    ("Baiduspider/", "Baiduspider"),
    ("DuckDuckBot/", "DuckDuckBot"),
    ("Applebot/", "Applebot"),
    ("AhrefsBot/", "AhrefsBot"),
    ("SemrushBot/", "SemrushBot"),
    ("MJ12bot/", "MJ12bot"),
    ("PetalBot", "PetalBot"),
    ("GPTBot/", "GPTBot"),
    ("ClaudeBot/", "ClaudeBot"),
    ("Twitterbot/", "Twitterbot"),
    ("facebookexternalhit/", "FacebookBot"),
    ("LinkedInBot/", "LinkedInBot"),
    ("Slackbot", "Slackbot"),
    ("HeadlessChrome/", "HeadlessChrome"),
    ("EdgiOS/", "Edge Mobile"),
    ("EdgA/", "Edge Mobile"),
    ("Edg/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("UCBrowser/", "UC Browser"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox iOS"),
    ("CriOS/", "Chrome Mobile iOS"),
    ("SeaMonkey/", "SeaMonkey"),
    ("Thunderbird/", "Thunderbird"),
    ("Firefox/", "Firefox"),
    ("Electron/", "Electron"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "IE"),
    ("Trident/", "IE"),
];

/// Names of programs that are no browser, as their header begins.
const TOOLS: &[(&str, &str)] = &[
    ("python-requests/", "Python Requests"),
    ("Python-urllib/", "Python-urllib"),
    ("Go-http-client/", "Go-http-client"),
    ("Apache-HttpClient/", "Apache-HttpClient"),
    ("kube-probe/", "kube-probe"),
    ("ELB-HealthChecker/", "ELB-HealthChecker"),
    ("Opera/", "Opera"),
];

/// Versions of Windows by the number of its kernel.
const WINDOWS: &[(&str, &str)] = &[
    ("10.0", "10"),
    ("6.3", "8.1"),
    ("6.2", "8"),
    ("6.1", "7"),
    ("6.0", "Vista"),
    ("5.2", "XP"),
    ("5.1", "XP"),
];

/// Distributions that some programs name.
const LINUX: [&str; 5] = ["Ubuntu", "Fedora", "Debian", "CentOS", "Red Hat"];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) os: String,
    pub(super) os_version: String,
    pub(super) device: String,
}

/// Reads a header.
pub(super) fn read(header: &str) -> Agent {
    let (mut name, mut version) = program(header);
    let mobile = header.contains("Mobile");
    if name == "Chrome" && mobile {
        name = if header.contains("; wv)") { "Chrome Mobile WebView" } else { "Chrome Mobile" }.to_owned();
    }
    if name == "Firefox" && (header.contains("(Android") || header.contains("Mobile;")) {
        name = "Firefox Mobile".to_owned();
    }
    if name.is_empty() && header.contains("Safari/") {
        name = if mobile { "Mobile Safari" } else { "Safari" }.to_owned();
        version = behind(header, "Version/");
    }
    if header.contains("Trident/") && header.contains("rv:") {
        version = behind(header, "rv:");
    }
    let bot = is_bot(header);
    if name.is_empty() {
        (name, version) = first(header, bot);
    }
    let (os, os_version) = system(header);
    let device = if bot { "Spider".to_owned() } else { device(header) };
    Agent { name, version, os, os_version, device }
}

fn is_bot(header: &str) -> bool {
    let lower = header.to_ascii_lowercase();
    ["bot", "spider", "crawl", "facebookexternalhit"].iter().any(|word| lower.contains(word))
}

fn program(header: &str) -> (String, String) {
    let tool = TOOLS.iter().find(|(token, _)| header.starts_with(token));
    let found = tool.or_else(|| PROGRAMS.iter().find(|(token, _)| header.contains(token)));
    match found {
        Some((token, name)) => ((*name).to_owned(), behind(header, token)),
        None => Default::default(),
    }
}

/// The version behind a token.
fn behind(header: &str, token: &str) -> String {
    let rest = header.split_once(token).map_or("", |(_, rest)| rest).trim_start_matches(['/', ' ', 'v']);
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '.' | '_' | '-'));
    let version = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    if version.starts_with(|letter: char| letter.is_ascii_digit()) {
        version.to_owned()
    } else {
        String::new()
    }
}

/// The first product of a header; of a robot the one that says so.
fn first(header: &str, bot: bool) -> (String, String) {
    let products = header.split([' ', ';', '(', ')', ',']).filter(|word| !word.is_empty());
    let telling = |word: &&str| !bot || is_bot(word) && !word.contains("://");
    let product = products.clone().find(telling).or_else(|| products.clone().next()).unwrap_or_default();
    let (name, version) = product.split_once('/').unwrap_or((product, ""));
    if name == "Mozilla" {
        ("Other".to_owned(), String::new())
    } else {
        (name.to_owned(), version.to_owned())
    }
}

fn system(header: &str) -> (String, String) {
    let is = |name: &str, version: String| (name.to_owned(), version);
    if header.contains("Windows Phone") {
        return is("Windows Phone", behind(header, "Windows Phone"));
    }
    if header.contains("Windows") {
        let kernel = behind(header, "Windows NT");
        let version = WINDOWS.iter().find(|(number, _)| *number == kernel).map_or("", |(_, version)| version);
        return is("Windows", version.to_owned());
    }
    if header.contains("iPhone") || header.contains("iPad") || header.contains("iPod") {
        let version = [behind(header, "iPhone OS"), behind(header, "CPU OS"), behind(header, "iOS")];
        let version = version.into_iter().find(|version| !version.is_empty());
        return is("iOS", version.unwrap_or_default().replace('_', "."));
    }
    if header.contains("Mac OS X") || header.contains("Macintosh") {
        return is("Mac OS X", behind(header, "Mac OS X").replace('_', "."));
    }
    if header.contains("Android") {
        return is("Android", behind(header, "Android"));
    }
    if header.contains("CrOS") {
        let version = header.split_once("CrOS ").and_then(|(_, rest)| rest.split([' ', ')']).nth(1));
        return is("Chrome OS", version.unwrap_or_default().to_owned());
    }
    if let Some(name) = LINUX.iter().find(|name| header.contains(*name)) {
        return is(name, behind(header, name));
    }
    let other =
        ["Linux", "FreeBSD", "OpenBSD", "NetBSD", "SunOS"].into_iter().find(|name| header.contains(name));
    is(other.unwrap_or_default(), String::new())
}

fn device(header: &str) -> String {
    for name in ["iPhone", "iPad", "iPod"] {
        if header.contains(name) {
            return name.to_owned();
        }
    }
    if header.contains("Macintosh") {
        return "Mac".to_owned();
    }
    // `(Linux; Android 13; Pixel 7 Build/…)`: the part behind the system's.
    let model = header.split_once("Android").and_then(|(_, rest)| {
        let part = rest.split(')').next()?.split(';').nth(1)?.trim();
        let model = part.split(" Build/").next()?.trim();
        (!model.is_empty() && !["wv", "K", "Mobile", "Tablet"].contains(&model) && !model.starts_with("rv:"))
            .then(|| model.to_owned())
    });
    model.unwrap_or_else(|| "Other".to_owned())
}

struct UserAgent {
    slots: [Slot; 6],
}

impl Enricher for UserAgent {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, _: &mut Held) {
        let header = texts.text(input).map(|header| header.trim());
        let Some(header) = header.filter(|header| !header.is_empty() && *header != "-") else { return };
        let Agent { name, version, os, os_version, device } = read(header);
        let full = if os_version.is_empty() { String::new() } else { format!("{os} {os_version}") };
        for (slot, value) in self.slots.iter().zip([name, version, os, os_version, full, device]) {
            text(texts, fields, *slot, value.as_bytes());
        }
    }
}
