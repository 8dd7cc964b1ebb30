//! `detect` with a detector that keeps state: what it would count of an event goes to the state's owner.
//!
//! The step decides on the worker whether an event counts, and for which key; the event itself stays as it is.

use sha2::{Digest, Sha256};

use super::{Context, Flow, Step};
use crate::detect::stateful::{self, Aspect, Seen, Sign};
use crate::event::{Row, Slot, Texts, Value, write_plain, write_string, write_value};
use crate::expr::Expr;
use crate::limits::{OBSERVE_EVIDENCE_BYTES_MAX, OBSERVE_KEY_BYTES_MAX};

/// What a worker's observations are written with, used again for every event.
#[derive(Debug, Default)]
pub(super) struct Desk {
    plain: Vec<u8>,
    labels: Vec<u8>,
    evidence: Vec<u8>,
    seen: Vec<u8>,
    /// The name of what varies.
    names: Vec<u8>,
    /// Texts of traits, one after the other.
    texts: Vec<u8>,
    traits: Vec<u8>,
}

/// What a profile is held against.
pub struct Traits {
    location: Option<(Expr, Expr)>,
    /// The name of the place, then the aspects; values of a list count together.
    texts: [Box<[Expr]>; 5],
}

impl Traits {
    /// From the expressions of each option.
    pub fn new(mut of: Vec<(&'static str, Vec<Expr>)>) -> Self {
        let mut take = |name: &str| -> Vec<Expr> {
            let at = of.iter().position(|(known, _)| *known == name);
            at.map_or(Vec::new(), |at| of.swap_remove(at).1)
        };
        let mut location = take("location").into_iter();
        let location = location.next().zip(location.next());
        let names = ["place"].into_iter().chain(Aspect::ALL.map(Aspect::name));
        let mut texts: [Box<[Expr]>; 5] = Default::default();
        names.zip(&mut texts).for_each(|(name, texts)| *texts = take(name).into());
        Self { location, texts }
    }
}

/// `detect rate { … }` and its kin.
pub struct Observe {
    /// The sink that owns the state.
    pub sink: usize,
    /// Number of the rule within the pipeline.
    pub rule: usize,
    /// The parts of the key with the names that they have in alerts.
    pub keys: Box<[(String, Expr)]>,
    /// What varies.
    pub distinct: Box<[Expr]>,
    /// Whether the detector wants to know its name too.
    pub named: bool,
    /// Which events count; all where there is none.
    pub when: Option<Expr>,
    /// Which events are successes.
    pub success: Option<Expr>,
    /// What a profile is held against, where the detector keeps some.
    pub traits: Option<Traits>,
    /// Which events do not say where their user is.
    pub egress: Option<Expr>,
    /// Fields that the alert shows, with their names.
    pub evidence: Box<[(String, Slot)]>,
    /// Bits of an IPv6 address that count.
    pub ipv6_bits: u8,
}

impl Observe {
    /// Whether the event counts, and as what.
    fn sign(&self, row: &mut Row) -> Option<Sign> {
        if self.when.as_ref().is_none_or(|when| when.test(row)) {
            return Some(Sign::Hit);
        }
        self.success.as_ref().is_some_and(|success| success.test(row)).then_some(Sign::Success)
    }

    /// Writes what is seen of the event; false where it does not count.
    fn see(&self, row: &mut Row, desk: &mut Desk) -> bool {
        let Some(sign) = self.sign(row) else { return false };
        desk.labels.clear();
        desk.labels.push(b'{');
        for (name, key) in &self.keys {
            let Some(value) = key.eval(row).filter(|value| *value != Value::Null) else { return false };
            self.key(&row.texts, value, &mut desk.plain);
            member(name, &desk.plain, &mut desk.labels);
        }
        desk.labels.push(b'}');
        let mut value_hash = Sha256::new();
        desk.names.clear();
        if sign == Sign::Hit {
            for part in &self.distinct {
                let Some(value) = part.eval(row).filter(|value| *value != Value::Null) else { return false };
                self.key(&row.texts, value, &mut desk.plain);
                value_hash.update((desk.plain.len() as u64).to_be_bytes());
                value_hash.update(&desk.plain);
                if self.named {
                    let between: &[u8] = if desk.names.is_empty() { b"" } else { b" " };
                    desk.names.extend_from_slice(between);
                    desk.names.extend_from_slice(&desk.plain);
                }
            }
        }
        self.show(row, desk);
        self.compare(row, desk);
        desk.traits.extend_from_slice(&desk.names);
        desk.seen.clear();
        let Desk { labels, evidence, seen, traits, .. } = desk;
        let (rule, key) = (self.rule, first(Sha256::digest(&*labels).as_slice()));
        let value = if self.distinct.is_empty() { 0 } else { first(value_hash.finalize().as_slice()) };
        Seen { rule, sign, key, value, labels, evidence, traits }.write(seen);
        true
    }

    /// A value as a part of a key: an IPv6 address by its network, a long one by its start and a hash.
    fn key(&self, texts: &Texts, value: Value, out: &mut Vec<u8>) {
        out.clear();
        write_plain(texts, value, out);
        if matches!(value, Value::Ip(_) | Value::Text(_))
            && self.ipv6_bits < 128
            && out.contains(&b':')
            && let Some(network) = network(out, self.ipv6_bits)
        {
            out.clear();
            out.extend_from_slice(network.as_bytes());
        }
        if out.len() > OBSERVE_KEY_BYTES_MAX {
            let hash = first(Sha256::digest(&*out).as_slice());
            out.truncate(OBSERVE_KEY_BYTES_MAX - 24);
            out.extend_from_slice(format!("…{hash:016x}").as_bytes());
        }
    }

    /// Writes what a profile is held against.
    fn compare(&self, row: &mut Row, desk: &mut Desk) {
        desk.traits.clear();
        let Some(of) = &self.traits else { return };
        let is_there = !self.egress.as_ref().is_some_and(|egress| egress.test(row));
        let location = of.location.as_ref().filter(|_| is_there);
        let location = location.and_then(|(lat, lon)| Some((degrees(lat, row)?, degrees(lon, row)?)));
        desk.texts.clear();
        let mut ends = [0; 5];
        for (at, exprs) in of.texts.iter().enumerate() {
            // The name of the place, country and network are of the address.
            if is_there || at > Aspect::Network as usize + 1 {
                self.text(row, exprs, desk);
            }
            ends[at] = desk.texts.len();
        }
        let text =
            |at: usize| desk.texts.get(if at == 0 { 0 } else { ends[at - 1] }..ends[at]).unwrap_or_default();
        let aspects = [1, 2, 3, 4].map(|at| (text(at), 0));
        stateful::Traits { location, place: text(0), aspects }.write(&mut desk.traits);
    }

    /// Appends values as one text; nothing where one of them is missing.
    fn text(&self, row: &mut Row, exprs: &[Expr], desk: &mut Desk) {
        let start = desk.texts.len();
        for (at, expr) in exprs.iter().enumerate() {
            let Some(value) = expr.eval(row).filter(|value| *value != Value::Null) else {
                desk.texts.truncate(start);
                return;
            };
            self.key(&row.texts, value, &mut desk.plain);
            if at > 0 {
                desk.texts.push(b' ');
            }
            desk.texts.extend_from_slice(&desk.plain);
        }
    }

    /// What an alert may show of the event.
    fn show(&self, row: &mut Row, desk: &mut Desk) {
        desk.evidence.clear();
        desk.evidence.push(b'{');
        for (name, slot) in &self.evidence {
            let Some(value) = row.read(*slot) else { continue };
            desk.plain.clear();
            if let Value::Int(_) | Value::Float(_) | Value::Bool(_) = value {
                write_value(&row.texts, value, &mut desk.plain);
                name_of(name, &mut desk.evidence);
                desk.evidence.extend_from_slice(&desk.plain);
                continue;
            }
            write_plain(&row.texts, value, &mut desk.plain);
            if desk.plain.len() > OBSERVE_EVIDENCE_BYTES_MAX {
                desk.plain.truncate(OBSERVE_EVIDENCE_BYTES_MAX - 3);
                desk.plain.extend_from_slice("…".as_bytes());
            }
            member(name, &desk.plain, &mut desk.evidence);
        }
        desk.evidence.push(b'}');
    }
}

impl Step for Observe {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let desk = &mut cx.work.observe;
        let counts = self.see(row, desk);
        cx.outputs.observe(self.sink, row, counts.then_some(&desk.seen));
        Flow::Next
    }
}

/// Degrees of a location: a number, or its text.
fn degrees(of: &Expr, row: &mut Row) -> Option<f64> {
    match of.eval(row)? {
        Value::Float(degrees) => Some(degrees),
        Value::Int(degrees) => Some(degrees as f64),
        Value::Text(text) => row.texts.text(text)?.trim().parse().ok(),
        _ => None,
    }
}

/// Appends the name of a member, behind a comma where it is not the first.
fn name_of(name: &str, out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
    write_string(name, out);
    out.push(b':');
}

/// Appends a member whose value is a text.
fn member(name: &str, value: &[u8], out: &mut Vec<u8>) {
    name_of(name, out);
    write_string(&String::from_utf8_lossy(value), out);
}

/// The network that an IPv6 address is in; one that holds an IPv4 address is that.
fn network(text: &[u8], bits: u8) -> Option<String> {
    let address: std::net::Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    if let Some(v4) = address.to_ipv4_mapped() {
        return Some(v4.to_string());
    }
    ipnet::Ipv6Net::new(address, bits).ok().map(|net| net.trunc().to_string())
}

fn first(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
