//! The window of a key that is open: how much came, from whom, and what is usual.

use std::net::IpAddr;

use super::super::alert::Evidence;
use super::super::bytes::{Get, Put};
use super::super::observation::Observation;
use super::super::rule::plain;
use super::baseline::{Baseline, MEASURES, Usual};
use super::norms::Norms;
use super::sketch::Sketch;
use super::top::{Most, Top};
use super::variety::{STRANGERS_LET, Variety};
use crate::shown::number;

/// Fewer sources than this are not many, whatever is usual.
const SOURCES_MIN: f64 = 50.0;
/// So many standard deviations above the usual are not chance: traffic comes in bursts, and is not spread as errors are.
const DEVIATIONS: f64 = 8.0;
/// So many where one source sends most of it, and of an hour that was never seen no more than so many times as much.
const DEVIATIONS_OF_ONE: f64 = 6.0;
const CAUTION_OF_ONE: f64 = 2.0;
/// Strangers may bring such a part of what raises an alert of others, in all windows beyond [`STRANGERS_LET`] of each.
const STRANGERS_MAX: f64 = 0.16;
/// They are told when three quarters of a window are over: fewer events have more sources each.
const TOLD: (i64, i64) = (3, 4);
/// Who sends less than this share is not named.
const SHARE_MIN: u64 = 5;
/// So many are named.
const NAMED_MAX: usize = 3;
/// A source stands for its network where it sends this share of what that sends, in percent.
const ALONE: u64 = 80;

/// A window.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) start_ns: i64,
    /// The latest event.
    newest_ns: i64,
    pub(super) count: u64,
    /// What is usual, and what is too much: of events, of sources.
    pub(super) usual: [Usual; MEASURES],
    limit: [f64; MEASURES],
    /// How many events are too many where one source sends most of them.
    limit_of_one: f64,
    /// How many sources so many events usually have, and the events that those of strangers are held against.
    variety: Variety,
    strangers_of: f64,
    pub(super) sources: Sketch,
    /// Different sources, as of the last look, and the count at which to look again: looking costs a pass over the sketch.
    different: f64,
    look_at: u64,
    top: Top,
    networks: Top,
    pub(super) evidence: Evidence,
}

impl Window {
    /// One that begins then.
    pub(super) fn open(start_ns: i64, baseline: Option<&Baseline>, norms: &Norms) -> Self {
        let usual = baseline.map(|of| of.usual(start_ns, norms));
        let at_least = norms.at_least as f64;
        let limit =
            |usual: &Usual, deviations, caution| norms.limit(usual, deviations) * usual.caution.min(caution);
        let limits = usual.map_or([at_least, f64::INFINITY], |usual| {
            let [events, sources] = usual.map(|usual| limit(&usual, DEVIATIONS, f64::INFINITY));
            [events.max(at_least), sources.max(SOURCES_MIN)]
        });
        let of_one = usual
            .map_or(at_least, |[events, _]| limit(&events, DEVIATIONS_OF_ONE, CAUTION_OF_ONE).max(at_least));
        let strangers_of = usual.map_or(f64::INFINITY, |[events, _]| {
            events.mean.max(events.late).max(at_least / norms.factor) * norms.factor
        });
        Self {
            start_ns,
            newest_ns: start_ns,
            count: 0,
            strangers_of,
            variety: baseline.map(|of| of.variety).unwrap_or_default(),
            usual: usual.unwrap_or_default(),
            limit: limits,
            limit_of_one: of_one,
            sources: Sketch::default(),
            different: 0.0,
            look_at: 0,
            top: Top::default(),
            networks: Top::default(),
            evidence: Evidence::default(),
        }
    }

    /// Takes in an event.
    pub(super) fn note(&mut self, of: &Observation) {
        self.count += 1;
        self.newest_ns = self.newest_ns.max(of.time_ns);
        if self.count.is_power_of_two() {
            // A few of many, from all of the window.
            self.evidence.note(of);
        }
        if of.traits.is_empty() {
            return;
        }
        let is_new = self.sources.add(of.value);
        if is_new && self.count >= self.look_at {
            self.look();
        }
        let name = String::from_utf8_lossy(&of.traits);
        if let Some(network) = network(&name) {
            self.networks.add(network.key, || network.name());
        }
        self.top.add(of.value, || name.into());
    }

    /// While sources are few that is exact, then within a sixteenth of the events.
    fn look(&mut self) {
        self.different = self.sources.count();
        self.look_at = match self.sources {
            Sketch::Few(_) => 0,
            Sketch::Many(_) => self.count + self.count / 16 + 1,
        };
    }

    /// Whether there is too much.
    pub(super) fn is_over(&self, norms: &Norms) -> bool {
        self.count >= norms.at_least && self.excess(norms) >= 1.0
    }

    /// How many times as much as is too much: by rate alone, by strangers where there is more than usual, or by one who sends
    /// two thirds of it.
    pub(super) fn excess(&self, norms: &Norms) -> f64 {
        let count = self.count as f64;
        let alone = (count / self.limit[0]).max(self.different / self.limit[1]);
        let is_told = self.newest_ns.saturating_sub(self.start_ns) / TOLD.0 >= norms.window_ns / TOLD.1;
        let strangers = if is_told { self.strangers(self.different) } else { 0.0 };
        // That they are strangers' makes a flood of it, but no graver one.
        let excess = alone.max((strangers / STRANGERS_MAX).min(1.0));
        let by_one = count / self.limit_of_one;
        let is_by_one = || self.top.first() * 3 >= self.count * 2;
        if excess < 1.0 && by_one >= 1.0 && is_by_one() { by_one } else { excess }
    }

    /// What strangers brought, in the last windows too, beyond what is let pass.
    fn strangers(&self, different: f64) -> f64 {
        let count = self.count as f64;
        if count < self.usual[0].mean {
            return 0.0;
        }
        let part = self.variety.strangers(count, different) / self.strangers_of;
        (f64::from(self.variety.lasting) + part - STRANGERS_LET).max(0.0)
    }

    /// What strangers brought, for the next window.
    pub(super) fn lasting(&self) -> f64 {
        self.strangers(self.sources.count()).min(STRANGERS_MAX)
    }

    /// What is to be learned of it: of a key that is watched no more than what raises an alert, and of a flood no more than
    /// what would raise one of an hour that is known.
    pub(super) fn learned(&self, is_watched: bool, norms: &Norms) -> [f64; MEASURES] {
        let counts = [self.count as f64, self.sources.count()];
        if !is_watched {
            return counts;
        }
        let is_over = self.is_over(norms);
        std::array::from_fn(|at| {
            let caution = if is_over { self.usual[at].caution } else { 1.0 };
            counts[at].min(self.limit[at] / caution)
        })
    }

    /// In words: `12,300 events within 12 s, usual are 180 ± 40 within 1m; 9,400 sources, usual are 150 ± 13, and
    /// 4,100 of so many events; 203.0.113.0/24 sends 41 %`.
    pub(super) fn words(&self, now_ns: i64, norms: &Norms) -> String {
        let seconds = now_ns.saturating_sub(self.start_ns) / 1_000_000_000 + 1;
        let within = plain(norms.window_ns);
        let usual = |of: usize| {
            let Usual { mean, deviation, .. } = self.usual[of];
            format!("{} ± {}", number(mean.round() as u64), number(deviation.round() as u64))
        };
        let is_known = self.usual[0].mean > 0.0;
        let usual_events = if is_known { usual(0) } else { format!("at most {}", number(norms.few())) };
        let mut words = format!(
            "{} events within {seconds} s, usual are {usual_events} within {within}",
            number(self.count)
        );
        let different = self.sources.count();
        if different > 0.0 {
            let mut usual = if is_known { format!(", usual are {}", usual(1)) } else { String::new() };
            if self.strangers(different) >= STRANGERS_MAX {
                let (of_so_many, _) = self.variety.usual(self.count as f64);
                usual += &format!(", and {} of so many events", number(of_so_many.round() as u64));
            }
            words += &format!("; {} sources{usual}", number(different.round() as u64));
        }
        for (at, most) in self.named().into_iter().enumerate() {
            let share = most.least() * 100 / self.count.max(1);
            words += &format!("{} {} sends {share} %", if at == 0 { ";" } else { "," }, most.name);
        }
        words
    }

    /// Who sends most: a network, or the one source that nearly all of it is from.
    fn named(&self) -> Vec<&Most> {
        let (sources, networks) = (self.top.most(), self.networks.most());
        let alone = |of: &Most| {
            let is_in = |source: &Most| network(&source.name).is_some_and(|network| network.key == of.key);
            let first = sources.iter().copied().find(|source| is_in(source));
            first.filter(|source| source.least() * 100 >= of.least() * ALONE)
        };
        let told: Vec<_> = if networks.is_empty() {
            sources
        } else {
            networks.iter().take(NAMED_MAX).map(|of| alone(of).unwrap_or(of)).collect()
        };
        told.into_iter().take(NAMED_MAX).filter(|of| of.least() * 100 >= self.count * SHARE_MIN).collect()
    }

    /// Memory beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.sources.bytes() + self.top.bytes() + self.networks.bytes() + self.evidence.bytes()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.start_ns);
        out.put_i64(self.newest_ns);
        out.put_u64(self.count);
        out.put_u64(self.different.to_bits());
        out.put_u64(self.look_at);
        self.sources.save(out);
        self.top.save(out);
        self.networks.save(out);
        self.evidence.save(out);
    }

    /// Reads it; what is usual follows from the baseline, which does not change while the window is open.
    pub(super) fn load(from: &mut Get<'_>, baseline: Option<&Baseline>, norms: &Norms) -> Option<Self> {
        let (start_ns, newest_ns, count) = (from.i64()?, from.i64()?, from.u64()?);
        let (different, look_at) = (f64::from_bits(from.u64()?), from.u64()?);
        let (sources, top, networks) = (Sketch::load(from)?, Top::load(from)?, Top::load(from)?);
        let evidence = Evidence::load(from)?;
        let open = Self::open(start_ns, baseline, norms);
        Some(Self { newest_ns, count, different, look_at, sources, top, networks, evidence, ..open })
    }
}

/// The network of an address: the first 24 bits, or 48.
struct Network {
    address: IpAddr,
    key: u64,
}

/// The network of a source that is an address, or a network in IPv6.
fn network(source: &str) -> Option<Network> {
    let address = source.split('/').next().unwrap_or_default();
    // Most sources that are none are told by their first letter.
    let address: IpAddr = address
        .starts_with(|of: char| of.is_ascii_hexdigit() || of == ':')
        .then_some(address)?
        .parse()
        .ok()?;
    let key = match address {
        IpAddr::V4(of) => u64::from(of.to_bits() >> 8),
        IpAddr::V6(of) => 1 << 63 | (of.to_bits() >> 80) as u64,
    };
    Some(Network { address, key })
}

impl Network {
    fn name(&self) -> Box<str> {
        let bits = if self.address.is_ipv4() { 24 } else { 48 };
        ipnet::IpNet::new(self.address, bits)
            .map_or_else(|_| self.address.to_string(), |of| of.trunc().to_string())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_somebody_has() {
        let name = |source| network(source).map(|of| of.name().to_string());
        assert_eq!(name("203.0.113.7").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(name("2001:db8:1:2::/64").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(name("::1").as_deref(), Some("::/48"));
        assert_eq!((name("shop.example"), name("beef"), name("")), (None, None, None));
    }
}
