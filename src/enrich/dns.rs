//! Names of addresses, from a DNS server. An event never waits: an address whose name is not known goes on without, and
//! is asked for at the end of its batch, so that later events have it.

use std::net::SocketAddr;

use super::geo::address;
use super::{Enricher, EnricherKind, fields, text};
use crate::event::{Slot, Span, Texts};
use crate::format::Fields;
use crate::lookup::{Held, Names};
use crate::signature::{OptionSpec, OptionType, Signature, Type};

const FIELDS: [(&str, Type); 1] = [("domain", Type::Text)];

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "reverse_dns",
        summary: "the name of an address, from the second event on",
        doc: "Field `domain` beside the address. No event waits for an answer: the first ones with an address go on without \
              its name, those after the answer have it. Names are kept for a while; a replay asks nobody and gives none.",
        form: "reverse_dns(.FIELD)",
        options: &[OptionSpec {
            name: "server",
            ty: OptionType::Text,
            default: Some(""),
            doc: "the server as `address:port`; the first of `/etc/resolv.conf` unless given",
        }],
        examples: &[],
    },
    takes: true,
    gives: |_| Ok(fields(&FIELDS)),
    bind: |bind, data| {
        let server = match bind.options.text("server").filter(|server| !server.is_empty()) {
            Some(server) => {
                let wrong = |_| format!("`{server}` is no server such as 127.0.0.1:53");
                Some(server.parse().map_err(wrong)?)
            }
            None => of_system(),
        };
        Ok(Box::new(Reverse { data: data.names(server), slot: bind.slot("domain")? }))
    },
};

fn of_system() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let server = text.lines().find_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())?;
    Some(SocketAddr::new(server, 53))
}

struct Reverse {
    data: usize,
    slot: Slot,
}

impl Enricher for Reverse {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, held: &mut Held) {
        let Some(address) = address(input, texts) else { return };
        match held.get::<Names>(self.data).and_then(|names| names.of(address)) {
            Some(Some(name)) => text(texts, fields, self.slot, name.as_bytes()),
            Some(None) => {}
            None => held.ask(self.data, address),
        }
    }
}
