//! Time as logs write it: each event a little later than the one before.

use super::draw::Draw;

/// 2026-11-23T10:00:00Z; no time of the machine gets into the data.
const START_SECONDS: u64 = 1_795_428_000;
/// Nanoseconds between two events, at most.
const GAP_NS: u64 = 400_000;
const NS: u64 = 1_000_000_000;

/// A clock that writes itself in several formats. What changes once a second is written once a second.
pub(crate) struct Stamp {
    ns: u64,
    second: u64,
    iso: String,
    clf: String,
    java: String,
}

impl Default for Stamp {
    fn default() -> Self {
        let mut stamp = Self {
            ns: START_SECONDS * NS,
            second: 0,
            iso: String::new(),
            clf: String::new(),
            java: String::new(),
        };
        stamp.refresh();
        stamp
    }
}

impl Stamp {
    pub(crate) fn tick(&mut self, draw: &mut Draw) {
        self.ns += draw.between(1, GAP_NS);
        self.refresh();
    }

    fn refresh(&mut self) {
        let second = self.ns / NS;
        if second == self.second {
            return;
        }
        self.second = second;
        let time =
            jiff::Timestamp::from_second(second as i64).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
        self.iso = time.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
        self.clf = time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        self.java = time.strftime("%Y-%m-%d %H:%M:%S,").to_string();
    }

    /// `2026-11-23T10:00:00.000000001Z`
    pub(crate) fn iso(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.iso.as_bytes());
        digits(self.ns % NS, 9, out);
        out.push(b'Z');
    }

    /// `23/Nov/2026:10:00:00 +0000`
    pub(crate) fn clf(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.clf.as_bytes());
    }

    /// `2026-11-23 10:00:00,000`
    pub(crate) fn java(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.java.as_bytes());
        digits(self.ns % NS / 1_000_000, 3, out);
    }

    /// `2026-11-23T10:00:00.000001Z`: RFC 5424 allows six digits.
    pub(crate) fn micros(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.iso.as_bytes());
        digits(self.ns % NS / 1_000, 6, out);
        out.push(b'Z');
    }

    /// The start of a CRI line: time, stream, and whether it is whole (`F`) or goes on (`P`).
    pub(crate) fn cri(&self, tag: u8, out: &mut Vec<u8>) {
        self.iso(out);
        out.extend_from_slice(b" stdout ");
        out.extend_from_slice(&[tag, b' ']);
    }
}

/// Writes the last `width` digits of a number, zeros in front.
pub(crate) fn digits(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
