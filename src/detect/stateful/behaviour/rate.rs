//! How often something happens out of all the times that it could have; both decayed.

use super::super::bytes::{Get, Put};

/// How alike users are: 1 is a spread as wide as the mean, less is wider.
const SHAPE: f64 = 0.5;

/// Counts in weights that grow with time, of which only the ratios mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) of: f32,
    pub(super) all: f32,
}

impl Rate {
    /// The share, where a `prior` counts as much as so many times; `weight` is that of the present.
    pub(super) fn share(self, prior: f64, strength: f64, weight: f64) -> f64 {
        let (of, all) = (f64::from(self.of) / weight, f64::from(self.all) / weight);
        ((of + strength * prior) / (all + strength)).clamp(1e-12, 1.0)
    }

    /// The rate of one user, where `usual` is that of the crowd: rates of users are spread around it (a gamma
    /// distribution), so that having done something once says much, and not having done what is rare says little.
    pub(super) fn of_user(self, usual: f64, weight: f64) -> f64 {
        let (of, all) = (f64::from(self.of) / weight, f64::from(self.all) / weight);
        ((of + SHAPE) / (all + SHAPE / usual)).clamp(1e-12, 1.0)
    }

    pub(super) fn scale(&mut self, by: f32) {
        self.of *= by;
        self.all *= by;
    }

    pub(super) fn save(self, out: &mut Vec<u8>) {
        put_f32(out, self.of);
        put_f32(out, self.all);
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        Some(Self { of: get_f32(from)?, all: get_f32(from)? })
    }
}

/// Appends a number, bit for bit.
pub(super) fn put_f32(out: &mut Vec<u8>, number: f32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Reads it.
pub(super) fn get_f32(from: &mut Get<'_>) -> Option<f32> {
    from.array().map(f32::from_le_bytes)
}

/// Appends a number, bit for bit.
pub(super) fn put_f64(out: &mut Vec<u8>, number: f64) {
    out.put_u64(number.to_bits());
}

/// Reads it.
pub(super) fn get_f64(from: &mut Get<'_>) -> Option<f64> {
    from.u64().map(f64::from_bits)
}

/// Bits of surprise at what happens with a probability.
pub(super) fn bits(probability: f64) -> f64 {
    -probability.clamp(1e-12, 1.0).log2()
}
