//! Kinds of captures: what a hole in a line can be, and the fields it gives.

use crate::format::time::TimeForm;
use crate::signature::Type;

/// What a capture reads.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Everything before the next literal of the line; the rest where there is none.
    Text,
    /// Everything before the first of these bytes.
    Until(Vec<u8>),
    /// Everything before the last of these bytes; the second ones, where there are some, end what is looked at.
    UntilLast(Vec<u8>, Vec<u8>),
    /// `"…"` with its quotes; a backslash hides a quote.
    Quoted,
    /// Everything to the end.
    Rest,
    /// Everything that is not blank.
    Word,
    /// Letters, digits, `_` and `-`.
    Label,
    /// The same and `.` and `$`.
    Dotted,
    /// A dotted name of a program, module or logger.
    Name,
    /// A whole number within bounds.
    Int(i64, i64),
    /// A number.
    Float,
    /// Decimal digits, kept as text.
    Digits,
    /// Hexadecimal digits, kept as text.
    Hex,
    /// An IP address.
    Ip,
    /// A host name or address.
    Host,
    /// A host name or address: `.address`, and `.ip` or `.domain`.
    Address,
    /// Addresses as proxies list them (`a, b, c`): that of the first public one, else the first.
    Addresses,
    /// The same with an optional `:port`.
    Endpoint,
    /// A point in time.
    Time(TimeForm),
    /// `true` or `false`.
    Bool,
    /// A member of a JSON object, whatever it is.
    Any,
    /// A member that is an object, with what is in it.
    Object,
    /// A member that is a list.
    List,
    /// A level of severity, in any case; its name in lower case.
    Level,
    /// A list: pieces of a text, which any of these bytes separate. One without a letter or digit is passed over.
    Split(Vec<u8>, Box<Kind>),
    /// Words with `, ` or ` : ` between, as nginx writes what its upstreams did: a list.
    Series,
    /// Structured data of RFC 5424: `<id>.<name>` below the field.
    StructuredData,
    /// One of these words.
    OneOf(Vec<Vec<u8>>),
    /// A number in a unit of so many nanoseconds: a length of time.
    Duration(i64),
    /// An HTTP status code; also gives `event.outcome`.
    Status,
    /// `GET /path?query HTTP/1.1`, up to a quote.
    Request,
    /// The target of a request, up to a blank or quote.
    Url,
}

/// Names of all kinds, for errors.
pub(super) const NAMES: &[&str] = &[
    "text",
    "until",
    "quoted",
    "rest",
    "word",
    "label",
    "dotted",
    "name",
    "int",
    "float",
    "digits",
    "hex",
    "ip",
    "host",
    "address",
    "addresses",
    "endpoint",
    "time",
    "bool",
    "any",
    "object",
    "list",
    "level",
    "split",
    "series",
    "structured_data",
    "one",
    "nanos",
    "micros",
    "millis",
    "seconds",
    "status",
    "request",
    "url",
];

/// Fields of a request line: path, type, whether some lines lack it.
pub(super) const REQUEST_FIELDS: &[(&str, Type)] = &[
    ("http.request.method", Type::Text),
    ("http.version", Type::Text),
    ("url.domain", Type::Text),
    ("url.extension", Type::Text),
    ("url.original", Type::Text),
    ("url.path", Type::Text),
    ("url.port", Type::Int),
    ("url.query", Type::Text),
    ("url.scheme", Type::Text),
];

impl Kind {
    /// The fields that a capture at `path` gives: path, type, and whether it may give none even where it matches.
    pub fn fields(&self, path: &str) -> Vec<(String, Type, bool)> {
        let below = |key: &str| format!("{path}.{key}");
        match self {
            Self::Request => {
                REQUEST_FIELDS.iter().map(|(path, ty)| ((*path).to_owned(), *ty, true)).collect()
            }
            Self::Url => REQUEST_FIELDS
                .iter()
                .filter(|(path, _)| path.starts_with("url."))
                .map(|(path, ty)| ((*path).to_owned(), *ty, *path != "url.original"))
                .collect(),
            Self::Status => {
                vec![(path.to_owned(), Type::Int, false), ("event.outcome".to_owned(), Type::Text, false)]
            }
            _ if path.is_empty() => Vec::new(),
            Self::Address | Self::Addresses => vec![
                (below("address"), Type::Text, false),
                (below("ip"), Type::Ip, true),
                (below("domain"), Type::Text, true),
            ],
            Self::Endpoint => vec![
                (below("address"), Type::Text, false),
                (below("ip"), Type::Ip, true),
                (below("domain"), Type::Text, true),
                (below("port"), Type::Int, true),
            ],
            other => vec![(path.to_owned(), other.ty(), other.may_be_empty())],
        }
    }

    fn ty(&self) -> Type {
        match self {
            Self::Int(..) | Self::Status => Type::Int,
            Self::Float => Type::Float,
            Self::Bool => Type::Bool,
            Self::Any => Type::Any,
            Self::Object | Self::StructuredData => Type::Object,
            Self::List => Type::List,
            Self::Ip => Type::Ip,
            Self::Time(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::Split(..) | Self::Series => Type::List,
            _ => Type::Text,
        }
    }

    /// Whether it is only for members of JSON objects, since text has no such thing.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Any | Self::Object | Self::List)
    }

    /// Empty text is not kept, so what can be empty can be missing.
    fn may_be_empty(&self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Until(_)
                | Self::UntilLast(..)
                | Self::Quoted
                | Self::Rest
                | Self::Split(..)
                | Self::Series
                | Self::StructuredData
        )
    }
}
