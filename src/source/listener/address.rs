//! Addresses to listen on, as a pipeline file writes them.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

/// How an address is listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `udp://`.
    Udp,
    /// `tcp://`, `http://`, or nothing.
    Tcp,
    /// `tls://`, `https://`.
    Tls,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How.
    pub protocol: Protocol,
    /// Where.
    pub socket: SocketAddr,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
        };
        write!(f, "{protocol}://{}", self.socket)
    }
}

/// The schemes of a source, each with what it means; `""` is for addresses that name none.
pub type Schemes = &'static [(&'static str, Protocol)];

impl Address {
    /// Reads `scheme://host:port`, with a port of `default_port` where none is given. A name is looked up once, here.
    pub fn parse(text: &str, schemes: Schemes, default_port: Option<u16>) -> Result<Self, String> {
        let (scheme, place) = text.split_once("://").unwrap_or(("", text));
        let place = place.strip_suffix('/').unwrap_or(place);
        let known = schemes.iter().find(|(name, _)| *name == scheme);
        let (_, protocol) = known.ok_or_else(|| {
            let names: Vec<_> =
                schemes.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
            let names: Vec<_> = names.iter().map(|name| format!("`{name}://`")).collect();
            format!("`{text}`: an address begins with {}", names.join(" or "))
        })?;
        let socket = match (place.parse::<SocketAddr>(), default_port) {
            (Ok(socket), _) => socket,
            (Err(_), Some(port)) if !place.is_empty() && !has_port(place) => {
                resolve(&format!("{place}:{port}"), text)?
            }
            (Err(_), _) if !has_port(place) => {
                return Err(format!("`{text}` names no port"));
            }
            (Err(_), _) => resolve(place, text)?,
        };
        Ok(Self { protocol: *protocol, socket })
    }
}

/// Whether a number stands behind the last colon, outside of the brackets of an IPv6 address.
fn has_port(place: &str) -> bool {
    let outside = place.rsplit_once(']').map_or(place, |(_, after)| after);
    outside.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty())
}

fn resolve(place: &str, text: &str) -> Result<SocketAddr, String> {
    let mut found =
        place.to_socket_addrs().map_err(|error| format!("`{text}` cannot be resolved: {error}"))?;
    found.next().ok_or_else(|| format!("`{text}` has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: Schemes = &[("udp", Protocol::Udp), ("tcp", Protocol::Tcp), ("tls", Protocol::Tls)];

    #[test]
    fn addresses_are_read() {
        for (text, wanted) in [
            ("udp://0.0.0.0:514", "udp://0.0.0.0:514"),
            ("tcp://[::1]:1514", "tcp://[::1]:1514"),
            ("tls://127.0.0.1", "tls://127.0.0.1:514"),
            ("tcp://[::1]/", "tcp://[::1]:514"),
        ] {
            assert_eq!(Address::parse(text, SCHEMES, Some(514)).expect("an address").to_string(), wanted);
        }
        for (text, wanted) in [
            ("127.0.0.1:514", "begins with `udp://` or `tcp://` or `tls://`"),
            ("http://127.0.0.1:514", "begins with"),
            ("tcp://127.0.0.1:", "cannot be resolved"),
            ("tcp://127.0.0.1:99999", "cannot be resolved"),
        ] {
            let said = Address::parse(text, SCHEMES, Some(514)).expect_err("must be refused");
            assert!(said.contains(wanted), "{said}");
        }
        assert!(
            Address::parse("tcp://127.0.0.1", SCHEMES, None).expect_err("no port").contains("names no port")
        );
    }
}
