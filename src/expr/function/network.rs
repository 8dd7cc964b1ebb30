//! Addresses and networks.

use super::{Body, Function, example, fixed, needs, span};
use crate::event::{Texts, Value};
use crate::expr::compare::address;
use crate::expr::{Constant, Networks};
use crate::signature::{Signature, Type};

const ADDRESS: &[Type] = &[Type::Ip, Type::Text];

/// Networks of RFC 1918, RFC 4193, RFC 6598 and the loopback and link-local ones of RFC 6890.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// `in_cidr(ip, networks)`
pub(super) static IN_CIDR: Function = Function {
    signature: &Signature {
        name: "in_cidr",
        summary: "whether an address is in a network, or in one of several",
        doc: "Networks are constants in CIDR form (RFC 4632). An IPv4 address in IPv6 form counts as IPv4. The \
              operator `in` does the same: `.source.ip in \"10.0.0.0/8\"`.",
        form: "in_cidr(ip: ip | text, networks: text | list) -> bool",
        options: &[],
        examples: &[
            example("one", "in_cidr(\"10.1.2.3\", \"10.0.0.0/8\")", "true"),
            example("several", "in_cidr(\"2001:db8::1\", [\"10.0.0.0/8\", \"2001:db8::/32\"])", "true"),
            example("no address", "in_cidr(\"x\", \"10.0.0.0/8\")", "false"),
        ],
    },
    params: &[needs("ip", ADDRESS), fixed("networks", &[Type::Text, Type::List])],
    returns: |_| Type::Bool,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let texts = constants.get(1).and_then(Option::as_ref).and_then(Constant::texts);
        let networks = Networks::new(&texts.ok_or("`networks` must be a text or a list of texts")?)?;
        Ok(Box::new(move |args, texts| contain(&networks, args, texts)))
    }),
};

/// `is_private(ip)`
pub(super) static IS_PRIVATE: Function = Function {
    signature: &Signature {
        name: "is_private",
        summary: "whether an address is not from the public internet",
        doc: "Private, shared, loopback and link-local networks (RFC 1918, 4193, 6598, 6890).",
        form: "is_private(ip: ip | text) -> bool",
        options: &[],
        examples: &[
            example("private", "is_private(\"192.168.1.1\")", "true"),
            example("public", "is_private(\"8.8.8.8\")", "false"),
        ],
    },
    params: &[needs("ip", ADDRESS)],
    returns: |_| Type::Bool,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|_, _| {
        let networks = Networks::new(PRIVATE)?;
        Ok(Box::new(move |args, texts| contain(&networks, args, texts)))
    }),
};

fn contain(networks: &Networks, args: &[Value], texts: &Texts) -> Option<Value> {
    Some(Value::Bool(networks.contain(*args.first()?, texts)))
}

/// `ip_version(ip)`
pub(super) static IP_VERSION: Function = Function {
    signature: &Signature {
        name: "ip_version",
        summary: "4 or 6",
        doc: "Missing where a text is no address.",
        form: "ip_version(ip: ip | text) -> int",
        options: &[],
        examples: &[
            example("six", "ip_version(\"::1\")", "6"),
            example("none", "ip_version(\"x\")", "missing"),
        ],
    },
    params: &[needs("ip", ADDRESS)],
    returns: |_| Type::Int,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let address = address(texts.bytes(span(args, 0)?))?;
        Some(Value::Int(if address.is_ipv4() { 4 } else { 6 }))
    }),
};
