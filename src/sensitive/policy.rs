//! What is put in the place of a secret.

use super::{Class, Mac};
use crate::limits::SENSITIVE_NEEDLES_MAX;

/// What becomes of what is found.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Its class stands in its place: `[redacted:email]`.
    Mask,
    /// Its class and the start of its keyed hash: the same value gives the same text everywhere.
    Hash(Mac),
    /// The whole value goes that it is in.
    Drop,
    /// Its class and a number, by which values of one event can be told apart: `[email-1]`.
    Tokenise,
}

/// Values that were given numbers, of one event.
#[derive(Debug, Default)]
pub struct Tokens(Vec<Box<[u8]>>);

impl Tokens {
    /// Forgets all, for the next event.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn number(&mut self, secret: &[u8]) -> usize {
        let known = self.0.iter().position(|known| **known == *secret);
        match known {
            Some(at) => at + 1,
            // Beyond the bound all have one number.
            None if self.0.len() >= SENSITIVE_NEEDLES_MAX => SENSITIVE_NEEDLES_MAX + 1,
            None => {
                self.0.push(secret.into());
                self.0.len()
            }
        }
    }
}

impl Policy {
    /// Its word in a pipeline.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Hash(_) => "hash",
            Self::Drop => "drop",
            Self::Tokenise => "tokenise",
        }
    }

    /// The text in the place of a secret. It needs no escapes in JSON, and nothing is found in it.
    pub fn text(&self, class: Class, secret: &[u8], tokens: &mut Tokens, out: &mut Vec<u8>) {
        let class = class.one();
        let text = match self {
            Self::Mask | Self::Drop => format!("[redacted:{class}]"),
            Self::Hash(mac) => {
                let hash = mac.of(secret);
                format!("[redacted:{class}:{}]", data_encoding::HEXLOWER.encode(&hash[..8]))
            }
            Self::Tokenise => format!("[redacted:{class}-{}]", tokens.number(secret)),
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// The number in the place of one: a field of numbers stays one.
    pub fn number(&self, secret: &[u8], tokens: &mut Tokens) -> i64 {
        match self {
            Self::Mask | Self::Drop => 0,
            // What a floating number holds whole, since not every reader has more.
            Self::Hash(mac) => {
                let hash = mac.of(secret);
                let head = hash.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
                (head >> 11) as i64
            }
            Self::Tokenise => tokens.number(secret) as i64,
        }
    }

    /// The address in the place of one, in the net of documentation (RFC 3849) or of private use (RFC 4193).
    pub fn address(&self, secret: &[u8], tokens: &mut Tokens) -> String {
        match self {
            Self::Mask | Self::Drop => "::".to_owned(),
            Self::Hash(mac) => {
                let hash = mac.of(secret);
                let part = |at: usize| u16::from_be_bytes([hash[at], hash[at + 1]]);
                let address = [0xfd00, 0, 0, 0, part(0), part(2), part(4), part(6)];
                std::net::Ipv6Addr::from(address).to_string()
            }
            Self::Tokenise => format!("2001:db8::{:x}", tokens.number(secret)),
        }
    }
}
