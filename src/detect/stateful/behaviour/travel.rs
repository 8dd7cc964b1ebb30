//! Places, how far they are from each other, and whether anybody can have travelled between them.

use super::super::bytes::{Get, Put};
use super::norms::Norms;
use super::rate::{get_f32, get_f64, put_f32, put_f64};
use crate::limits::BEHAVIOUR_PLACES_MAX;
use crate::shown::number;

/// Radius of the earth in kilometres (mean, IUGG).
const EARTH_KM: f64 = 6371.0;
/// Clocks of servers differ, and addresses are logged when a request ends.
const CLOCKS_NS: i64 = 60_000_000_000;
/// Nanoseconds of an hour.
const HOUR_NS: f64 = 3.6e12;

/// Kilometres between two places, along the earth.
pub(super) fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let (lat, lon) = (half(from.0, to.0), half(from.1, to.1));
    let chord = lat + from.0.to_radians().cos() * to.0.to_radians().cos() * lon;
    2.0 * EARTH_KM * chord.clamp(0.0, 1.0).sqrt().asin()
}

/// Ways to seem to jump that are told apart, see [`Jump::way`].
pub(super) const WAYS: usize = 16;

/// Where a user was last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Last {
    pub(super) time_ns: i64,
    pub(super) at: (f64, f64),
    pub(super) country: u64,
    pub(super) network: u64,
    pub(super) device: u64,
    /// What it is called.
    pub(super) name: Box<str>,
}

/// A travel that cannot have been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Jump {
    pub(super) km: f64,
    pub(super) took_ns: i64,
    /// How sure it is that it cannot have been, 0 to 1: twice the speed is.
    pub(super) sure: f64,
    /// Which kind of jump: each has a rate of its own. To where the user has been before, within a network or within a
    /// country an address is moved by its carrier, or by a VPN; to a new place abroad hardly ever. A phone that roams is
    /// another device than the one before.
    pub(super) way: usize,
}

impl Last {
    /// What is impossible about being there next; `is_known` where the user has been there before.
    pub(super) fn jump(&self, to: &Last, is_known: bool, norms: &Norms) -> Option<Jump> {
        if self.at == to.at {
            return None;
        }
        let km = distance_km(self.at, to.at);
        let took_ns = to.time_ns.saturating_sub(self.time_ns).saturating_abs();
        // Both locations may be wrong.
        let least_km = km - 2.0 * norms.radius_km;
        let least_kmh = least_km / (took_ns.max(CLOCKS_NS) as f64 / HOUR_NS);
        let over = least_kmh / norms.speed_kmh - 1.0;
        let same = |a: u64, b: u64| usize::from(a == b && a != 0);
        let way = usize::from(is_known)
            | same(self.network, to.network) << 1
            | same(self.country, to.country) << 2
            | same(self.device, to.device) << 3;
        (over > 0.0).then(|| Jump { km, took_ns, sure: over.min(1.0), way })
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.time_ns);
        put_f64(out, self.at.0);
        put_f64(out, self.at.1);
        out.put_u64(self.country);
        out.put_u64(self.network);
        out.put_u64(self.device);
        out.put_bytes(self.name.as_bytes());
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let (time_ns, at) = (from.i64()?, (get_f64(from)?, get_f64(from)?));
        let (country, network, device) = (from.u64()?, from.u64()?, from.u64()?);
        let name = String::from_utf8_lossy(from.bytes()?).into();
        Some(Self { time_ns, at, country, network, device, name })
    }
}

impl Jump {
    /// In words: `8,900 km in 28 min, 19,000 km/h`.
    pub(super) fn words(&self) -> String {
        let kmh = self.km / (self.took_ns.max(1_000_000_000) as f64 / HOUR_NS);
        format!("{} km in {}, {} km/h", round(self.km), length(self.took_ns), round(kmh))
    }
}

/// A place is usual where so much is done, as a share of what is done at the most usual one.
const USUAL_SHARE: f32 = 0.1;

/// The places at which a user was, with what they weigh.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Vec<(f32, f32, f32)>);

impl Places {
    /// Takes a place in. Returns whether it was known.
    pub(super) fn see(&mut self, at: (f64, f64), weight: f32, norms: &Norms) -> bool {
        let near = |of: &(f32, f32, f32)| {
            let known = (f64::from(of.0), f64::from(of.1));
            (of.0, of.1) == (at.0 as f32, at.1 as f32) || distance_km(known, at) <= norms.radius_km
        };
        if let Some(known) = self.0.iter_mut().find(|of| near(of)) {
            let is_known = known.2 >= weight / 8.0;
            known.2 += weight;
            return is_known;
        }
        if self.0.len() >= BEHAVIOUR_PLACES_MAX {
            let lightest = (0..self.0.len()).min_by(|a, b| self.0[*a].2.total_cmp(&self.0[*b].2));
            lightest.map(|at| self.0.swap_remove(at));
        }
        self.0.push((at.0 as f32, at.1 as f32, weight));
        false
    }

    /// Whether a place is one where the user mostly is, or one of several.
    pub(super) fn is_usual(&self, at: (f64, f64), norms: &Norms) -> bool {
        let most = self.0.iter().map(|of| of.2).fold(0.0, f32::max);
        let here =
            self.0.iter().find(|of| distance_km((f64::from(of.0), f64::from(of.1)), at) <= norms.radius_km);
        here.is_some_and(|of| of.2 >= most * USUAL_SHARE)
    }

    /// Longitude of the place at which most was done.
    pub(super) fn usual(&self) -> Option<f64> {
        self.0.iter().max_by(|a, b| a.2.total_cmp(&b.2)).map(|of| f64::from(of.1))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<(f32, f32, f32)>()
    }

    pub(super) fn scale(&mut self, by: f32) {
        self.0.iter_mut().for_each(|of| of.2 *= by);
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.0.len() as u64);
        self.0.iter().for_each(|of| [of.0, of.1, of.2].into_iter().for_each(|of| put_f32(out, of)));
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let count = from.count()?;
        let read = |_| Some((get_f32(from)?, get_f32(from)?, get_f32(from)?));
        (0..count).map(read).collect::<Option<_>>().map(Self)
    }
}

/// A number to two digits, with its thousands apart.
fn round(of: f64) -> String {
    let unit = 10_f64.powi((of.max(1.0).log10().floor() as i32 - 1).max(0));
    number(((of / unit).round() * unit) as u64)
}

/// A length of time as people say it.
fn length(ns: i64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_words_are_as_people_know_them() {
        let (berlin, tokyo) = ((52.52, 13.405), (35.69, 139.69));
        let km = distance_km(berlin, tokyo);
        assert!((8_900.0..8_950.0).contains(&km), "{km}");
        assert!(distance_km((0.0, 179.9), (0.0, -179.9)) < 25.0);
        assert!((20_000.0..20_020.0).contains(&distance_km((90.0, 0.0), (-90.0, 0.0))));
        let jump = Jump { km, took_ns: 28 * 60_000_000_000, sure: 1.0, way: 0 };
        assert_eq!(jump.words(), "8,900 km in 28 min, 19,000 km/h");
        assert_eq!((round(7.4), round(123_456.0)), ("7".to_owned(), "120,000".to_owned()));
        assert_eq!(length(8_100_000_000_000), "2 h 15 min");
    }
}
