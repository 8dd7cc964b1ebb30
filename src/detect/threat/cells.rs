//! Records of CSV: their cells (RFC 4180), and which columns are told from a header.

use std::borrow::Cow;

use super::read::Intake;

/// Usual names of columns that hold indicators.
pub(super) const VALUES: &[&str] = &[
    "indicator",
    "ioc",
    "ioc_value",
    "value",
    "ip",
    "ips",
    "ip_address",
    "ipaddress",
    "address",
    "dst_ip",
    "src_ip",
    "cidr",
    "network",
    "netblock",
    "domain",
    "domain_name",
    "hostname",
    "fqdn",
    "url",
    "hash",
    "file_hash",
    "md5",
    "md5_hash",
    "sha1",
    "sha1_hash",
    "sha256",
    "sha256_hash",
    "sha512",
    "sha512_hash",
];
/// Of columns that say how sure an entry is.
pub(super) const CONFIDENCES: &[&str] = &["confidence", "confidence_level"];
/// Of columns that say how long an entry is valid.
pub(super) const EXPIRIES: &[&str] =
    &["expires", "expires_at", "expiry", "expiration", "expiration_date", "valid_until"];
/// Of columns that name what an entry belongs to.
pub(super) const NAMES: &[&str] =
    &["name", "malware", "malware_printable", "signature", "threat", "listingreason"];

/// Which cells are what.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) delimiter: u8,
    pub(super) values: Vec<usize>,
    pub(super) confidence: Option<usize>,
    pub(super) expires: Option<usize>,
    pub(super) name: Option<usize>,
    /// Whether an entry is meant for detection (MISP's `to_ids`).
    pub(super) meant: Option<usize>,
}

/// The name of a column as it is compared.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

/// The columns of a header, if one of them is known to hold indicators.
pub(super) fn header(text: &[u8], intake: &Intake<'_>) -> Option<Columns> {
    let [value, sure, until] = &intake.terms.columns;
    for delimiter in *b",;\t|" {
        let names: Vec<String> =
            cells(text, delimiter).iter().map(|cell| plain(&String::from_utf8_lossy(cell))).collect();
        let named = |name: &str| {
            let name = plain(name);
            names.iter().position(|known| *known == name)
        };
        let usual = |of: &[&str]| names.iter().position(|name| of.contains(&name.as_str()));
        let values: Vec<usize> = match value {
            Some(value) => named(value).into_iter().collect(),
            None => (0..names.len()).filter(|at| VALUES.contains(&names[*at].as_str())).collect(),
        };
        let pick = |option: &Option<String>, of: &[&str]| match option {
            Some(name) => named(name).map(Some),
            None => Some(usual(of)),
        };
        if let (false, Some(confidence), Some(expires)) =
            (values.is_empty(), pick(sure, CONFIDENCES), pick(until, EXPIRIES))
        {
            let (name, meant) = (usual(NAMES), usual(&["to_ids"]));
            return Some(Columns { delimiter, values, confidence, expires, name, meant });
        }
    }
    None
}

/// Whether the last cell of a record is in quotes that are not closed.
pub(super) fn has_open_quote(text: &[u8], delimiter: u8) -> bool {
    memchr::memchr_iter(b'"', text).count() % 2 == 1 && split(text, delimiter).1
}

/// The cells of a record (RFC 4180); blanks around quotes are dropped.
pub(super) fn cells(text: &[u8], delimiter: u8) -> Vec<Cow<'_, [u8]>> {
    split(text, delimiter).0
}

/// The cells, and whether the last is in quotes that are not closed.
fn split(text: &[u8], delimiter: u8) -> (Vec<Cow<'_, [u8]>>, bool) {
    let (mut cells, mut is_open) = (Vec::new(), false);
    let mut rest = Some(text);
    while let Some(text) = rest {
        let blanks = text.iter().take_while(|byte| **byte == b' ').count();
        let quoted = text.get(blanks..).and_then(|text| text.strip_prefix(b"\""));
        let Some(quoted) = quoted else {
            let end = memchr::memchr(delimiter, text).unwrap_or(text.len());
            cells.push(Cow::Borrowed(text.get(..end).unwrap_or_default()));
            rest = text.get(end + 1..);
            continue;
        };
        let (mut cell, mut at) = (Vec::new(), 0);
        is_open = true;
        while let Some(&byte) = quoted.get(at) {
            at += 1;
            if byte != b'"' {
                cell.push(byte);
            } else if quoted.get(at) == Some(&b'"') {
                cell.push(b'"');
                at += 1;
            } else {
                is_open = false;
                break;
            }
        }
        let behind = quoted.get(at..).unwrap_or_default();
        let end = memchr::memchr(delimiter, behind).unwrap_or(behind.len());
        cells.push(Cow::Owned(cell));
        rest = behind.get(end + 1..);
    }
    (cells, is_open)
}
