//! Constant sets: what stands on the right of `in`.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Constant;
use super::compare::{address, int_with_float, same_json};
use crate::event::{Texts, Value};

/// Constants, looked up by hash: which of several groups holds a value.
#[derive(Debug, Default)]
pub struct Set {
    ints: HashMap<i64, usize>,
    texts: HashMap<Box<[u8]>, usize>,
    others: Vec<(Constant, usize)>,
}

impl Set {
    /// One group of constants.
    pub fn new(items: &[Constant]) -> Self {
        let mut set = Self::default();
        set.add(items, 0);
        set
    }

    /// Several groups; what stands in more than one belongs to the first.
    pub fn of_groups<'a>(groups: impl IntoIterator<Item = &'a [Constant]>) -> Self {
        let mut set = Self::default();
        for (group, items) in groups.into_iter().enumerate() {
            set.add(items, group);
        }
        set
    }

    fn add(&mut self, items: &[Constant], group: usize) {
        for item in items {
            match item {
                Constant::Int(int) => drop(self.ints.entry(*int).or_insert(group)),
                Constant::Text(text) => drop(self.texts.entry(text.as_bytes().into()).or_insert(group)),
                other => self.others.push((other.clone(), group)),
            }
        }
    }

    /// Whether it holds a value, by the rules of `==`.
    #[inline]
    pub fn contains(&self, value: Value, texts: &Texts) -> bool {
        self.group(value, texts).is_some()
    }

    /// The group that holds a value.
    #[inline]
    pub fn group(&self, value: Value, texts: &Texts) -> Option<usize> {
        match value {
            Value::Text(span) => self.texts.get(texts.bytes(span)).copied(),
            Value::Ip(span) => {
                self.texts.get(texts.bytes(span)).copied().or_else(|| self.address(texts.bytes(span)))
            }
            Value::Int(int) if self.others.is_empty() => self.ints.get(&int).copied(),
            _ => self.other(value, texts),
        }
    }

    /// An address that is written otherwise than in the set.
    fn address(&self, text: &[u8]) -> Option<usize> {
        let wanted = address(text).filter(std::net::IpAddr::is_ipv6)?;
        let found = self.texts.iter().filter(|(text, _)| address(text) == Some(wanted));
        found.map(|(_, group)| *group).min()
    }

    fn other(&self, value: Value, texts: &Texts) -> Option<usize> {
        let same = |int: i64, float: f64| int_with_float(int, float).is_some_and(|order| order.is_eq());
        let int = match value {
            Value::Int(int) => self.ints.get(&int).copied(),
            Value::Float(float) => {
                self.ints.iter().filter(|(int, _)| same(**int, float)).map(|(_, group)| *group).min()
            }
            _ => None,
        };
        let holds = |(other, _): &&(Constant, usize)| match (other, value) {
            (Constant::Null, Value::Null) => true,
            (Constant::Bool(a), Value::Bool(b)) => *a == b,
            (Constant::Float(a), Value::Float(b)) => *a == b,
            (Constant::Float(a), Value::Int(b)) => same(b, *a),
            (Constant::Duration(a), Value::Duration(b)) => *a == b,
            (Constant::Timestamp(a), Value::Timestamp(b)) => *a == b,
            (Constant::List(_), Value::List(span)) | (Constant::Object(_), Value::Object(span)) => {
                let mut json = Vec::new();
                other.write_json(&mut json);
                same_json(&json, texts.bytes(span))
            }
            _ => false,
        };
        let other = self.others.iter().find(holds).map(|(_, group)| *group);
        match (int, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
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
