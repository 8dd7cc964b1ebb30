//! Asks a DNS server for the names of addresses (RFC 1035; reverse names: §3.5, RFC 3596 §2.5), and keeps a bounded number
//! of them for a bounded time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::limits::{DNS_ASKS_MAX, DNS_NAME_KEPT, DNS_NAMES_MAX, DNS_WAIT};

/// Names that are known; an address that has none is known too.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<IpAddr, Known>);

impl Names {
    /// The name of an address, if it is known whether it has one.
    pub fn of(&self, address: IpAddr) -> Option<Option<&str>> {
        self.0.get(&address).map(|known| known.name.as_deref())
    }
}

#[derive(Clone, Debug)]
struct Known {
    name: Option<Box<str>>,
    /// When it is asked for again.
    until: Duration,
}

/// Asks a server, many questions at a time.
pub struct Resolver {
    socket: UdpSocket,
    names: Names,
    /// Questions without an answer, by their number, with when they are given up.
    open: HashMap<u16, (IpAddr, Duration)>,
    next: u16,
}

impl Resolver {
    /// Makes one for a server.
    pub(super) fn open(server: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        // Connected: answers of others do not come in.
        socket.connect(server)?;
        Ok(Self { socket, names: Names::default(), open: HashMap::new(), next: 1 })
    }

    /// Asks, takes answers, forgets. Gives the names if they are others than before.
    pub(super) fn step(
        &mut self,
        asked: impl Iterator<Item = IpAddr>,
        now: Duration,
        wait: Duration,
    ) -> Option<Names> {
        let before = self.names.0.len();
        self.names.0.retain(|_, known| known.until > now);
        let mut changed = self.names.0.len() != before;
        for address in asked {
            let pending = self.open.values().any(|(open, _)| *open == address);
            if pending || self.names.0.contains_key(&address) || self.open.len() >= DNS_ASKS_MAX {
                continue;
            }
            self.next = self.next.wrapping_add(1);
            // A question that is not sent is asked again by a later event.
            if self.socket.send(&question(self.next, address)).is_ok() {
                self.open.insert(self.next, (address, now + DNS_WAIT));
            }
        }
        changed |= self.answers(now, wait);
        let late: Vec<u16> =
            self.open.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| *id).collect();
        for id in late {
            if let Some((address, _)) = self.open.remove(&id) {
                changed |= self.learn(address, None, now);
            }
        }
        changed.then(|| self.names.clone())
    }

    fn answers(&mut self, now: Duration, wait: Duration) -> bool {
        let (mut changed, mut packet) = (false, [0; 1232]);
        // Only the first one is waited for.
        let mut wait = wait.max(Duration::from_millis(1));
        while !self.open.is_empty() && self.socket.set_read_timeout(Some(wait)).is_ok() {
            let Ok(len) = self.socket.recv(&mut packet) else { break };
            wait = Duration::from_millis(1);
            if let Some((id, name)) = packet.get(..len).and_then(answer)
                && let Some((address, _)) = self.open.remove(&id)
            {
                changed |= self.learn(address, name, now);
            }
        }
        changed
    }

    fn learn(&mut self, address: IpAddr, name: Option<Box<str>>, now: Duration) -> bool {
        let room = self.names.0.len() < DNS_NAMES_MAX;
        if room {
            self.names.0.insert(address, Known { name, until: now + DNS_NAME_KEPT });
        }
        room
    }
}

/// A question for `PTR` (RFC 1035 §4.1).
fn question(id: u16, address: IpAddr) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    // Recursion desired; one question.
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut label = |label: &[u8]| {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label);
    };
    match address {
        IpAddr::V4(address) => {
            address.octets().iter().rev().for_each(|byte| label(byte.to_string().as_bytes()));
            label(b"in-addr");
        }
        IpAddr::V6(address) => {
            for byte in address.octets().iter().rev() {
                for digit in [byte & 15, byte >> 4] {
                    label(&[b"0123456789abcdef"[usize::from(digit)]]);
                }
            }
            label(b"ip6");
        }
    }
    label(b"arpa");
    // Type PTR, class IN.
    packet.extend([0, 0, 12, 0, 1]);
    packet
}

/// The number of an answer, and the first name in it.
fn answer(packet: &[u8]) -> Option<(u16, Option<Box<str>>)> {
    let word = |at: usize| packet.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let (id, flags, questions, answers) = (word(0)?, word(2)?, word(4)?, word(6)?);
    if flags & 0x8000 == 0 {
        return None;
    }
    let mut at = 12;
    for _ in 0..questions {
        at = behind(packet, at)? + 4;
    }
    for _ in 0..answers {
        at = behind(packet, at)?;
        let (kind, len) = (word(at)?, usize::from(word(at + 8)?));
        at += 10;
        if kind == 12 {
            return Some((id, name(packet, at)));
        }
        at += len;
    }
    Some((id, None))
}

/// The place behind a name (RFC 1035 §4.1.4).
fn behind(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match packet.get(at)? {
            0 => return Some(at + 1),
            len if len & 0xc0 == 0xc0 => return Some(at + 2),
            len => at += usize::from(*len) + 1,
        }
    }
}

/// A name; nothing for one that is not of letters, digits, dashes and underscores: it is put into events.
fn name(packet: &[u8], mut at: usize) -> Option<Box<str>> {
    let mut name = String::new();
    // Each turn takes a label or follows a pointer; a name has at most 127 labels.
    for _ in 0..256 {
        let len = usize::from(*packet.get(at)?);
        if len == 0 {
            return Some(name).filter(|name| !name.is_empty()).map(String::into_boxed_str);
        }
        if len & 0xc0 == 0xc0 {
            at = (len & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
            continue;
        }
        let label = packet.get(at + 1..at + 1 + len)?;
        if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|&byte| char::from(byte.to_ascii_lowercase())));
        if name.len() > 255 {
            return None;
        }
        at += len + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        /// Nothing in a packet makes the resolver panic.
        #[test]
        fn nothing_panics(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = super::answer(&packet);
        }
    }
}
