//! One list: what its file holds, in sets that are made to be looked up in.
//!
//! Networks of one length are a set of keys, so that a range costs as much as an address; the longest length is asked
//! first, and so the most specific network that is valid is what is told.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;

use super::indicator::{self, Indicator, Net};
use super::keys::{Keys, KeysBuilder};
use super::names::{Hash, Names, NamesBuilder};
use super::notes::{Note, Notes, NotesBuilder};
use crate::limits::THREAT_ENTRIES_MAX;

/// Networks: a set for each length that there is, the longest first.
type Nets<const N: usize> = Box<[(u8, Keys<N>)]>;

/// The entries of one file.
#[derive(Debug)]
pub struct List {
    v4: Nets<4>,
    /// Networks of at most 64 bits.
    v6_short: Nets<8>,
    v6: Nets<16>,
    /// Domains, their bytes in reverse.
    domains: Names,
    urls: Names,
    md5: Keys<16>,
    sha1: Keys<20>,
    sha256: Keys<32>,
    sha512: Keys<64>,
    notes: Notes,
}

/// What a list holds of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// How the value is in it.
    pub by: By,
    /// The number of the note; see [`List::note`].
    pub note: u32,
}

/// How a value is in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Its address, by a network of so many bits.
    Net(u8),
    /// Its domain, or the last so many bytes of it, which are the name of one above.
    Domain(usize),
    /// Its URL.
    Url,
    /// Its hash.
    Hash,
}

/// A value, made ready to be looked up in any number of lists.
#[derive(Debug, Default)]
pub struct Probe {
    address: Option<IpAddr>,
    /// The domain in reverse.
    reversed: Vec<u8>,
    /// Names within it that are looked for, the longest first: how long they are, and their hashes.
    names: Vec<(usize, Hash)>,
    /// The URL, its hash, and that of the URL without its scheme, which begins at this byte.
    url: Option<(Hash, Hash, usize)>,
    is_hash: bool,
    /// The URL as it is compared, or the hash in binary.
    text: Vec<u8>,
    host: Vec<u8>,
}

impl Probe {
    /// Makes a value ready. False where it is nothing that a list can hold. A value with a URL is also its host.
    pub fn set(&mut self, value: &[u8], subdomains: bool) -> bool {
        (self.address, self.url, self.is_hash) = (None, None, false);
        self.names.clear();
        match indicator::read(value, &mut self.text) {
            Some(Indicator::Net(net)) => self.set_address(net),
            Some(Indicator::Hash) => self.is_hash = true,
            Some(Indicator::Domain) => {
                std::mem::swap(&mut self.text, &mut self.host);
                self.set_domain(subdomains);
            }
            Some(Indicator::Url { host }) => {
                let scheme = host.start.saturating_sub(2);
                let hash = Hash::of(&self.text);
                let without =
                    if scheme > 0 { Hash::of(self.text.get(scheme..).unwrap_or_default()) } else { hash };
                self.url = Some((hash, without, scheme));
                let name = self.text.get(host).unwrap_or_default();
                let name = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
                match indicator::read(name, &mut self.host) {
                    Some(Indicator::Net(net)) => self.set_address(net),
                    Some(Indicator::Domain) => self.set_domain(subdomains),
                    _ => {}
                }
            }
            None => return false,
        }
        true
    }

    fn set_address(&mut self, net: Net) {
        self.address = match net {
            Net::V4(bits, 32) => Some(IpAddr::V4(bits.into())),
            Net::V6(bits, 128) => Some(IpAddr::V6(bits.into())),
            _ => None,
        };
    }

    /// The domain of `host`, and the names above it down to the one that somebody registered: what stands above that one
    /// (`com`, `co.uk`, `github.io`) belongs to no one, and is only itself.
    fn set_domain(&mut self, subdomains: bool) {
        self.reversed.clear();
        self.reversed.extend(self.host.iter().rev());
        let registered = psl::domain(&self.host).map_or(self.host.len(), |domain| domain.as_bytes().len());
        let mut hash = Hash::default();
        for (len, byte) in self.reversed.iter().enumerate() {
            if *byte == b'.' && subdomains && len >= registered {
                self.names.push((len, hash));
            }
            hash = hash.with(*byte);
        }
        self.names.push((self.reversed.len(), hash));
        self.names.reverse();
    }

    /// The address of the value.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The last so many bytes of the domain of the value.
    pub fn domain(&self, len: usize) -> &[u8] {
        self.host.get(self.host.len().saturating_sub(len)..).unwrap_or_default()
    }

    /// The URL as it is compared, or the hash in binary.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

impl List {
    /// What a list says of an entry.
    pub fn note(&self, number: u32) -> Option<Note<'_>> {
        self.notes.get(number)
    }

    /// What it holds of a value that is valid at a time: a URL or a hash, and a host.
    pub fn find(&self, probe: &Probe, at_ns: i64, found: &mut Vec<Match>) {
        let valid = |note: &u32| self.notes.is_valid(*note, at_ns);
        if probe.is_hash {
            let note = match probe.text.len() {
                16 => find(&self.md5, &probe.text),
                20 => find(&self.sha1, &probe.text),
                32 => find(&self.sha256, &probe.text),
                _ => find(&self.sha512, &probe.text),
            };
            found.extend(note.filter(valid).map(|note| Match { by: By::Hash, note }));
        }
        if let Some((hash, without, scheme)) = probe.url {
            let look = |hash: Hash, from: usize| {
                let text = probe.text.get(from..).filter(|_| self.urls.may(hash))?;
                self.urls.find(text).filter(valid)
            };
            let note = look(hash, 0).or_else(|| look(without, scheme));
            found.extend(note.map(|note| Match { by: By::Url, note }));
        }
        for (len, hash) in &probe.names {
            if self.domains.may(*hash)
                && let Some(name) = probe.reversed.get(..*len)
                && let Some(note) = self.domains.find(name).filter(valid)
            {
                found.push(Match { by: By::Domain(*len), note });
                break;
            }
        }
        let net = match probe.address {
            Some(IpAddr::V4(address)) => {
                let bits = address.to_bits();
                let key = |len| (indicator::cut(bits.into(), len, 32) as u32).to_be_bytes();
                nets(&self.v4, key, valid)
            }
            Some(IpAddr::V6(address)) => {
                let bits = address.to_bits();
                let key = |len| indicator::cut(bits, len, 128).to_be_bytes();
                let short = |len| ((indicator::cut(bits, len, 128) >> 64) as u64).to_be_bytes();
                nets(&self.v6, key, valid).or_else(|| nets(&self.v6_short, short, valid))
            }
            None => None,
        };
        found.extend(net);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        fn all<const N: usize>(nets: &Nets<N>) -> usize {
            nets.iter().map(|(_, keys)| keys.len()).sum()
        }
        let nets = all(&self.v4) + all(&self.v6_short) + all(&self.v6);
        let hashes = self.md5.len() + self.sha1.len() + self.sha256.len() + self.sha512.len();
        nets + self.domains.len() + self.urls.len() + hashes
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        fn all<const N: usize>(nets: &Nets<N>) -> usize {
            nets.iter().map(|(_, keys)| keys.bytes()).sum::<usize>() + size_of_val(&**nets)
        }
        let nets = all(&self.v4) + all(&self.v6_short) + all(&self.v6);
        let hashes = self.md5.bytes() + self.sha1.bytes() + self.sha256.bytes() + self.sha512.bytes();
        size_of::<Self>() + nets + hashes + self.domains.bytes() + self.urls.bytes() + self.notes.bytes()
    }
}

fn find<const N: usize>(keys: &Keys<N>, key: &[u8]) -> Option<u32> {
    keys.find(key.try_into().ok()?)
}

fn nets<const N: usize>(
    nets: &Nets<N>,
    key: impl Fn(u8) -> [u8; N],
    valid: impl Fn(&u32) -> bool,
) -> Option<Match> {
    nets.iter().find_map(|(len, keys)| {
        let note = keys.find(&key(*len)).filter(&valid)?;
        Some(Match { by: By::Net(*len), note })
    })
}

/// A list while its file is read.
#[derive(Debug, Default)]
pub struct Builder {
    v4: HashMap<u8, KeysBuilder<4, 8>>,
    v6_short: HashMap<u8, KeysBuilder<8, 12>>,
    v6: HashMap<u8, KeysBuilder<16, 20>>,
    domains: NamesBuilder,
    urls: NamesBuilder,
    md5: KeysBuilder<16, 20>,
    sha1: KeysBuilder<20, 24>,
    sha256: KeysBuilder<32, 36>,
    sha512: KeysBuilder<64, 68>,
    notes: NotesBuilder,
    len: usize,
}

impl Builder {
    /// Adds an entry; `text` is that of a domain, URL or hash. The error is that there are too many.
    pub(super) fn add(&mut self, of: &Indicator, text: &[u8], note: &Note<'_>) -> Result<(), String> {
        self.len += 1;
        if self.len > THREAT_ENTRIES_MAX {
            return Err(format!("there are more than {THREAT_ENTRIES_MAX} entries; split the list"));
        }
        let note = self.notes.number(note);
        let has_room = match of {
            Indicator::Net(Net::V4(bits, len)) => {
                push(self.v4.entry(*len).or_default(), &bits.to_be_bytes(), note)
            }
            Indicator::Net(Net::V6(bits, len @ ..=64)) => {
                let bits = (bits >> 64) as u64;
                push(self.v6_short.entry(*len).or_default(), &bits.to_be_bytes(), note)
            }
            Indicator::Net(Net::V6(bits, len)) => {
                push(self.v6.entry(*len).or_default(), &bits.to_be_bytes(), note)
            }
            Indicator::Domain => self.domains.push(text.iter().rev().copied(), note),
            Indicator::Url { .. } => self.urls.push(text.iter().copied(), note),
            Indicator::Hash => match text.len() {
                16 => push(&mut self.md5, text, note),
                20 => push(&mut self.sha1, text, note),
                32 => push(&mut self.sha256, text, note),
                _ => push(&mut self.sha512, text, note),
            },
        };
        if has_room { Ok(()) } else { Err("its texts have more than 4 GiB".to_owned()) }
    }

    /// The list.
    pub fn finish(self) -> List {
        let Self { v4, v6_short, v6, domains, urls, md5, sha1, sha256, sha512, notes, .. } = self;
        let order = |one: u32, other: u32| notes.order(one, other);
        fn nets<const N: usize, const M: usize>(
            of: HashMap<u8, KeysBuilder<N, M>>,
            order: &dyn Fn(u32, u32) -> Ordering,
        ) -> Nets<N> {
            let mut nets: Vec<_> = of.into_iter().map(|(len, keys)| (len, keys.finish(order))).collect();
            nets.sort_unstable_by_key(|(len, _)| std::cmp::Reverse(*len));
            nets.into()
        }
        let (mut v4, mut v6_short, mut v6) = (nets(v4, &order), nets(v6_short, &order), nets(v6, &order));
        let (mut domains, mut urls) = (domains.finish(&order), urls.finish(&order));
        let (mut md5, mut sha1) = (md5.finish(&order), sha1.finish(&order));
        let (mut sha256, mut sha512) = (sha256.finish(&order), sha512.finish(&order));
        let of_names = [domains.column(), urls.column()];
        let of_hashes = [md5.column(), sha1.column(), sha256.column(), sha512.column()];
        let columns = v4.iter_mut().map(|(_, keys)| keys.column());
        let columns = columns.chain(v6_short.iter_mut().map(|(_, keys)| keys.column()));
        let columns = columns.chain(v6.iter_mut().map(|(_, keys)| keys.column()));
        let notes = notes.finish(columns.chain(of_names).chain(of_hashes));
        List { v4, v6_short, v6, domains, urls, md5, sha1, sha256, sha512, notes }
    }
}

/// Adds a key; true, for there is always room.
fn push<const N: usize, const M: usize>(keys: &mut KeysBuilder<N, M>, text: &[u8], note: u32) -> bool {
    if let Ok(key) = text.try_into() {
        keys.push(key, note);
    }
    true
}
