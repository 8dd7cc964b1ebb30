//! What a user comes with: where from, over which network, with which device, to what. A worker writes it into an
//! observation; the profile of the user is held against it.

use sha2::{Digest, Sha256};

use super::bytes::{Get, Put};

/// What is told apart by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// The country that the user comes from.
    Country,
    /// The network, by its number.
    Network,
    /// Program and machine.
    Device,
    /// What the user gets at.
    Resource,
}

impl Aspect {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Country, Self::Network, Self::Device, Self::Resource];

    /// Its name: that of the option.
    pub fn name(self) -> &'static str {
        ["country", "network", "device", "resource"][self as usize]
    }
}

/// What one event says of its user. An empty text is one that the event lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traits<'a> {
    /// Latitude and longitude in degrees.
    pub location: Option<(f64, f64)>,
    /// What the place is called.
    pub place: &'a [u8],
    /// The texts of the aspects, and their hashes, which [`Traits::write`] makes.
    pub aspects: [(&'a [u8], u64); 4],
}

impl<'a> Traits<'a> {
    /// Appends them.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (latitude, longitude) = self.location.unwrap_or((f64::NAN, f64::NAN));
        out.put_u64(latitude.to_bits());
        out.put_u64(longitude.to_bits());
        out.put_bytes(self.place);
        for (text, _) in self.aspects {
            out.put_bytes(text);
            if !text.is_empty() {
                out.extend_from_slice(Sha256::digest(text).first_chunk::<8>().unwrap_or(&[0; 8]));
            }
        }
    }

    /// Reads what was written; `None` where it is something else.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Get(bytes);
        let (latitude, longitude) = (f64::from_bits(from.u64()?), f64::from_bits(from.u64()?));
        let on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        let mut traits = Self {
            location: on_earth.then_some((latitude, longitude)),
            place: from.bytes()?,
            ..Self::default()
        };
        for aspect in &mut traits.aspects {
            let text = from.bytes()?;
            *aspect = (text, if text.is_empty() { 0 } else { from.u64()? });
        }
        Some(traits)
    }
}
