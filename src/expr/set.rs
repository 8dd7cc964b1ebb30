//! Constant sets: what stands on the right of `in`.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Constant;
use super::compare::{address, int_with_float};
use crate::event::{Texts, Value};

/// A list of constants, looked up by hash.
#[derive(Debug, Default)]
pub struct Set {
    ints: HashSet<i64>,
    texts: HashSet<Box<[u8]>>,
    others: Vec<Constant>,
}

impl Set {
    /// A set of constants.
    pub fn new(items: &[Constant]) -> Self {
        let mut set = Self::default();
        for item in items {
            match item {
                Constant::Int(int) => drop(set.ints.insert(*int)),
                Constant::Text(text) => drop(set.texts.insert(text.as_bytes().into())),
                other => set.others.push(other.clone()),
            }
        }
        set
    }

    /// Whether it holds a value, by the rules of `==`.
    #[inline]
    pub fn contains(&self, value: Value, texts: &Texts) -> bool {
        match value {
            Value::Text(span) | Value::Ip(span) => self.texts.contains(texts.bytes(span)),
            Value::Int(int) if self.ints.contains(&int) => true,
            _ if self.others.is_empty() && !matches!(value, Value::Float(_)) => false,
            _ => self.contains_other(value, texts),
        }
    }

    fn contains_other(&self, value: Value, texts: &Texts) -> bool {
        if let Value::Float(float) = value
            && self.ints.iter().any(|int| int_with_float(*int, float).is_some_and(|order| order.is_eq()))
        {
            return true;
        }
        self.others.iter().any(|other| match (other, value) {
            (Constant::Null, Value::Null) => true,
            (Constant::Bool(a), Value::Bool(b)) => *a == b,
            (Constant::Float(a), Value::Float(b)) => *a == b,
            (Constant::Float(a), Value::Int(b)) => int_with_float(b, *a).is_some_and(|order| order.is_eq()),
            (Constant::Duration(a), Value::Duration(b)) => *a == b,
            (Constant::Timestamp(a), Value::Timestamp(b)) => *a == b,
            (Constant::List(_) | Constant::Object(_), Value::List(span) | Value::Object(span)) => {
                let mut json = Vec::new();
                other.write_json(&mut json);
                json == texts.bytes(span)
            }
            _ => false,
        })
    }
}

/// Networks in CIDR form (RFC 4632, RFC 4291 §2.3); an address alone is a network of one.
#[derive(Debug)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks.
    pub fn new(texts: &[&str]) -> Result<Self, String> {
        let read = |text: &&str| {
            text.parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("`{text}` is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\""))
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them contains the address that a value is.
    pub fn contain(&self, value: Value, texts: &Texts) -> bool {
        let (Value::Ip(span) | Value::Text(span)) = value else { return false };
        address(texts.bytes(span)).is_some_and(|address| self.contain_address(address))
    }

    /// Whether one of them contains an address. An IPv4 address in IPv6 form (RFC 4291 §2.5.5.2) counts as IPv4.
    pub fn contain_address(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        self.0.iter().any(|network| network.contains(&plain) || network.contains(&address))
    }
}
