//! What a stateful `detect` looks for, as the pipeline file has it: the detectors, their options, and a rule that was
//! checked.

use std::time::Duration;

use super::behaviour::Norms;
use super::flood::{self, FLOOD};
use super::gcra::{Quota, Semantics};
use super::window::Span;
use crate::event::Options;
use crate::limits::WINDOW_LIMIT_MAX;
use crate::signature::{Example, OptionSpec, OptionType, Signature};

pub(super) const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

pub(super) const fn option(
    name: &'static str,
    ty: OptionType,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionSpec {
    OptionSpec { name, ty, default, doc }
}

pub(super) const KEY: &str = "whose events belong together: a field, an expression, or a list of them. An event without one of \
                   them does not count. Addresses in IPv6 are taken by network, see `ipv6`";
const LIMIT: &str = "how many, and within which time: `5 per 1m`";
pub(super) const NAME: OptionSpec = option(
    "name",
    OptionType::Text,
    Some(""),
    "the rule's name in alerts; the detector's where it is left out",
);
const QUIET: OptionSpec = option(
    "quiet",
    OptionType::Duration,
    Some("1h"),
    "a key that raised an alert raises another one only after it kept to the limit for so long; once it did, another alert says that \
     it is over (`state` `resolved`), as soon as an event tells that so much time has passed. It is at least as long as the time of `limit` where that is a window",
);
/// What stands for `quiet` where a detector has no such option.
const QUIET_USUAL: Duration = Duration::from_secs(3600);
pub(super) const TECHNIQUE: &str = "the technique in MITRE ATT&CK";
pub(super) const SEVERITY: &str = "how grave it is";
pub(super) const IPV6: OptionSpec = option(
    "ipv6",
    OptionType::Int,
    Some("64"),
    "bits of an IPv6 address that count in a key: who has one address of a /64 has them all",
);
pub(super) const EVIDENCE: OptionSpec = option(
    "evidence",
    OptionType::Fields,
    Some(""),
    "fields of the events that the alert shows, each cut to 160 bytes; those that the rule looks at where it is left out",
);

static RATE: Signature = Signature {
    name: "rate",
    summary: "a key comes more often than it may",
    doc: "Each key has a bucket that drains steadily (the generic cell rate algorithm); an event that does not fit \
          raises an alert. **`semantics` says what `burst` means**: as `nginx` has it, `1 + burst` come at once; a `bucket` \
          of `burst` holds as many. `limit = 5 per 1m, burst = 2` lets three come at once in nginx and two in others. Without \
          `key` all events share one bucket. One detector keeps a million keys; what finds no place is counted and \
          raises an alert.",
    form: "detect rate { key = .FIELD, limit = N per TIME, burst = N }",
    options: &[
        option("key", OptionType::Exprs, Some(""), KEY),
        option("when", OptionType::Condition, Some(""), "which events count; all where it is left out"),
        option("limit", OptionType::Rate, None, LIMIT),
        option("burst", OptionType::Int, Some(""), "how many may come at once; see `semantics`"),
        option("semantics", OptionType::Word(&["nginx", "bucket"]), Some("nginx"), "what `burst` means"),
        option("severity", OptionType::Word(&SEVERITIES), Some("medium"), SEVERITY),
        option("technique", OptionType::Text, Some("\"T1499\""), TECHNIQUE),
        NAME,
        QUIET,
        IPV6,
        EVIDENCE,
    ],
    examples: &[Example {
        title: "the event goes on as it is",
        source: "detect rate { key = .client, limit = 60 per 1m, burst = 10 }",
        input: r#"{"client":"203.0.113.7"}"#,
        result: r#"{"client":"203.0.113.7"}"#,
    }],
};

static BRUTE_FORCE: Signature = Signature {
    name: "brute_force",
    summary: "a key fails too often within a time",
    doc: "Failures are counted exactly within a window that slides with the events: the fifth within the time raises the \
          alert. Where `success` is given, a success of a key that raised one is an alert of its own, `critical`: the \
          guess was right. Of a key that succeeded nothing is said to be over: whether somebody who got in is gone does not \
          show in failures.",
    form: "detect brute_force { key = .FIELD, when = CONDITION, limit = N per TIME }",
    options: &[
        option("key", OptionType::Exprs, None, KEY),
        option("when", OptionType::Condition, None, "which events are failures"),
        option("limit", OptionType::Rate, None, LIMIT),
        option("success", OptionType::Condition, Some(""), "which events are successes"),
        option("severity", OptionType::Word(&SEVERITIES), Some("high"), SEVERITY),
        option("technique", OptionType::Text, Some("\"T1110\""), TECHNIQUE),
        NAME,
        QUIET,
        IPV6,
        EVIDENCE,
    ],
    examples: &[Example {
        title: "the event goes on as it is",
        source: "detect brute_force { key = .client, when = .outcome == \"failure\", limit = 5 per 1m }",
        input: r#"{"client":"203.0.113.7","outcome":"failure"}"#,
        result: r#"{"client":"203.0.113.7","outcome":"failure"}"#,
    }],
};

static SPREAD: Signature = Signature {
    name: "spread",
    summary: "a key comes with too many different values within a time",
    doc: "One address that tries many users (credential stuffing, a password spray), one user from many addresses, one \
          address on many paths or ports (a scan): how many *different* values of `distinct` the events of a key have is \
          counted exactly within a window that slides with the events.",
    form: "detect spread { key = .FIELD, distinct = .FIELD, limit = N per TIME }",
    options: &[
        option("key", OptionType::Exprs, Some(""), KEY),
        option("distinct", OptionType::Exprs, None, "whose different values count"),
        option("when", OptionType::Condition, Some(""), "which events count; all where it is left out"),
        option("limit", OptionType::Rate, None, LIMIT),
        option("severity", OptionType::Word(&SEVERITIES), Some("high"), SEVERITY),
        option("technique", OptionType::Text, Some("\"T1110.003\""), TECHNIQUE),
        NAME,
        QUIET,
        IPV6,
        EVIDENCE,
    ],
    examples: &[Example {
        title: "the event goes on as it is",
        source: "detect spread { key = .client, distinct = .user, limit = 10 per 10m }",
        input: r#"{"client":"203.0.113.7","user":"ada"}"#,
        result: r#"{"client":"203.0.113.7","user":"ada"}"#,
    }],
};

static USER_BEHAVIOUR: Signature = Signature {
    name: "user_behaviour",
    summary: "a user does something else than usual",
    doc: "**What it finds**: travel that cannot have been; a country, network, device or resource that is new for a user; \
          hours at which they hardly ever come; and, above all, several of these together. Each user has a profile that \
          fades with `half_life`. What is not known of the user yet is taken from all users, so that a value which everybody \
          takes up (a new service, a new browser), a network over which many seem to jump (a VPN, a mobile carrier) and things \
          that are new all the time count little. \
          **The score** is in bits: each more is half as likely, ten are a thousandth. What is surprising within `within` is \
          judged together: how many new values there are, how odd the hours were. What one event comes with is weighed \
          against two stories: somebody else has the account (place, travel and device; less where network or device are \
          the user's own, and for a new country to which one can have travelled), or the user does what they never did \
          (hours and resources; less for the first few resources, and where a day's work goes on into the night). The \
          gravest event counts. An alert is raised at `threshold` (`low`) and again at each 4 bits more; 6 more are \
          `medium`, 12 `high`, 20 `critical`. Its `score` ranks the alerts of a day, its reason \
          tells each point with its bits. Nothing says that it is over: what a user did is done, and that they are quiet \
          since does not undo it. \
          **Travel** is judged between successive locations, less twice `radius`. To a place where the user has been, within \
          a country, within a network and with the same device jumps have rates of their own. Hours are those of the sun \
          where the user is, UTC without a location, and are judged where the user mostly is. \
          **What it misses**: users who are new (`learn`, `learn_hours`), and what becomes usual slowly. \
          Program and system tell devices better than a whole user agent, which changes with each update: \
          `device = [.user_agent.name, .user_agent.os.name]`. Bounded: some 15,000 users, 64 values of each kind per user; \
          those not seen for longest are forgotten, which is told, and is an alert where they were known well.",
    form: "detect user_behaviour { key = .user.name, location = [.LAT, .LON], country = .FIELD, network = .FIELD, device = .FIELD, resource = .FIELD }",
    options: &[
        option("key", OptionType::Exprs, None, "who: the field with the user"),
        option(
            "when",
            OptionType::Condition,
            Some(""),
            "which events count, such as logins that went well; all where it is left out",
        ),
        option(
            "location",
            OptionType::Exprs,
            Some(""),
            "latitude and longitude in degrees, as `enrich geoip` gives them",
        ),
        option(
            "place",
            OptionType::Exprs,
            Some(""),
            "what the place is called in alerts; the country where it is left out",
        ),
        option("country", OptionType::Exprs, Some(""), "the country"),
        option(
            "network",
            OptionType::Exprs,
            Some(""),
            "the network: number or owner, as `enrich asn` gives them",
        ),
        option(
            "device",
            OptionType::Exprs,
            Some(""),
            "what tells devices apart; values of a list count together",
        ),
        option("resource", OptionType::Exprs, Some(""), "what the user gets at: a host, a service, a share"),
        option(
            "egress",
            OptionType::Condition,
            Some(""),
            "which events come through a VPN, a proxy or a cloud, as `in_cidr(.source.ip, \"…\")` tells: their address does not say where \
             the user is, so location, country and network do not count",
        ),
        option("hours", OptionType::Bool, Some("true"), "whether hours of the week are looked at"),
        option(
            "half_life",
            OptionType::Duration,
            Some("30d"),
            "after so long a visit counts half; what came once is new again after three",
        ),
        option("learn", OptionType::Duration, Some("14d"), "a user is only learned from for so long …"),
        option("learn_hours", OptionType::Int, Some("20"), "… and until they were active in so many hours"),
        option("speed", OptionType::Int, Some("1000"), "nobody travels faster, in km/h"),
        option(
            "radius",
            OptionType::Int,
            Some("100"),
            "a location may be wrong by so many kilometres; what is nearer is the same place",
        ),
        option(
            "within",
            OptionType::Duration,
            Some("4h"),
            "what is surprising within this time is judged together",
        ),
        option("threshold", OptionType::Int, Some("10"), "the least score that raises an alert, in bits"),
        option("technique", OptionType::Text, Some("\"T1078\""), TECHNIQUE),
        NAME,
        EVIDENCE,
    ],
    examples: &[Example {
        title: "the event goes on as it is",
        source: "detect user_behaviour { key = .user, country = .country, resource = .host }",
        input: r#"{"user":"ada","country":"DE","host":"wiki"}"#,
        result: r#"{"user":"ada","country":"DE","host":"wiki"}"#,
    }],
};

/// The detectors that keep state.
pub static KINDS: &[&Signature] = &[&RATE, &BRUTE_FORCE, &SPREAD, &FLOOD, &USER_BEHAVIOUR];

/// The stateful detector of a name.
pub fn kind(name: &str) -> Option<&'static Signature> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// Grows with each change of what a snapshot holds of profiles.
const PROFILES_LAYOUT: u32 = 3;

/// The same of keys with a limit.
const LIMITS_LAYOUT: u32 = 2;

/// Whether a detector holds events against profiles.
pub fn keeps_profiles(name: &str) -> bool {
    name == USER_BEHAVIOUR.name
}

/// Whether a detector says who sends most, and so has to know the names of what varies.
pub fn names_sources(name: &str) -> bool {
    name == FLOOD.name
}

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measure {
    /// How often a key comes.
    Rate(Quota),
    /// How much a key did within a window.
    Window(Span),
    /// How much a key usually brings.
    Flood(flood::Norms),
    /// What users usually do.
    Behaviour(Norms),
}

/// A rule that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Its detector.
    pub detector: &'static str,
    /// How grave it is.
    pub severity: &'static str,
    /// The technique in MITRE ATT&CK.
    pub technique: String,
    pub(super) measure: Measure,
    pub(super) quiet_ns: i64,
    /// What an alert says: `5 failures within 1m`.
    pub(super) words: String,
    /// What the state depends on; another one starts anew.
    pub(super) schema: String,
}

impl Rule {
    /// A rule by its detector and options. `keys` names the parts of the key, `distinct` what varies. The error says
    /// what is wrong.
    pub fn new(
        pipeline: &str,
        detector: &str,
        options: &Options,
        keys: &[String],
        distinct: &str,
    ) -> Result<Self, String> {
        let detector = kind(detector).ok_or_else(|| format!("unknown detector `{detector}`"))?.name;
        let (measure, words) = if keeps_profiles(detector) {
            (Measure::Behaviour(Norms::new(options)?), String::new())
        } else if names_sources(detector) {
            (Measure::Flood(flood::Norms::new(options)?), String::new())
        } else {
            limited(detector, options, distinct)?
        };
        if !(16..=128).contains(&options.int("ipv6").unwrap_or(64)) {
            return Err("the option `ipv6` takes 16 to 128 bits".to_owned());
        }
        let severity = options.text("severity").unwrap_or("medium");
        let quiet = options.duration("quiet").unwrap_or(QUIET_USUAL);
        let quiet_ns = i64::try_from(quiet.as_nanos()).map_err(|_| "`quiet` is too long".to_owned())?;
        // While the window holds what raised an alert nobody is quiet, and of two alerts each has a start of its own.
        let quiet_ns = match measure {
            Measure::Window(span) => quiet_ns.max(span.period_ns),
            _ => quiet_ns.max(1),
        };
        Ok(Self {
            name: options.text("name").unwrap_or(detector).to_owned(),
            pipeline: pipeline.to_owned(),
            detector,
            severity: SEVERITIES.into_iter().find(|known| *known == severity).unwrap_or("medium"),
            technique: options.text("technique").unwrap_or_default().to_owned(),
            schema: format!(
                "{1} {detector} {measure:?} {quiet_ns} {keys:?} {distinct} {0:?}",
                options.int("ipv6"),
                match measure {
                    Measure::Behaviour(_) => PROFILES_LAYOUT,
                    Measure::Rate(_) | Measure::Window(_) => LIMITS_LAYOUT,
                    Measure::Flood(_) => 1,
                },
            ),
            measure,
            quiet_ns,
            words,
        })
    }
}

/// What a rule with a limit counts, and what its alerts say.
fn limited(detector: &str, options: &Options, distinct: &str) -> Result<(Measure, String), String> {
    let (limit, period) = options.rate("limit").ok_or("the option `limit` takes a rate: `5 per 1m`")?;
    let period_ns = i64::try_from(period.as_nanos()).ok().filter(|period| *period > 0);
    let period_ns = period_ns.ok_or("a rate has a time that is not zero")?;
    let within = plain(period_ns);
    let window = |distinct| {
        let limit = (1..=WINDOW_LIMIT_MAX).contains(&limit).then_some(limit as usize);
        let limit = limit.ok_or(format!("the `limit` of `{detector}` is 1 to {WINDOW_LIMIT_MAX}"))?;
        Ok::<_, String>(Measure::Window(Span { period_ns, limit, distinct }))
    };
    Ok(match detector {
        "rate" => {
            let semantics = if options.text("semantics") == Some("bucket") {
                Semantics::Bucket
            } else {
                Semantics::Nginx
            };
            let burst = options.int("burst");
            let said = burst.map_or(String::new(), |burst| {
                format!(" and a burst of {burst} ({})", options.text("semantics").unwrap_or("nginx"))
            });
            let quota = Quota::new(limit, period_ns, burst, semantics)?;
            (Measure::Rate(quota), format!("more than {limit} per {within}{said}"))
        }
        "spread" => (window(true)?, format!("{limit} different values of {distinct} within {within}")),
        _ => (window(false)?, format!("{limit} failures within {within}")),
    })
}

/// A length of time as people write it.
pub(super) fn plain(ns: i64) -> String {
    const UNITS: [(&str, i64); 4] =
        [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];
    match UNITS.iter().find(|(_, unit)| ns % unit == 0) {
        Some((name, unit)) => format!("{}{name}", ns / unit),
        None => format!("{}ms", ns / 1_000_000),
    }
}
