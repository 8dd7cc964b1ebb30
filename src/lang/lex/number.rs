//! Numbers and their units: `1_000`, `2.5`, `1h30m`, `16KiB`, `99.9%`.

use super::super::codes;
use super::{Lexer, Token};
use crate::diag::nearest;

/// Units of time, in nanoseconds.
const TIMES: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
];

/// Units of size, in bytes.
const SIZES: [(&str, i64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// What other languages call them.
const COMMON: [(&str, &str); 12] = [
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minutes", "m"),
    ("hours", "h"),
    ("days", "d"),
    ("k", "KiB"),
    ("K", "KiB"),
    ("M", "MiB"),
    ("G", "GiB"),
];

fn unit(units: &[(&str, i64)], name: &str) -> Option<i64> {
    units.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
}

/// `digits.fraction` of a unit, exactly; what is below one nanosecond or byte is cut.
fn scale(digits: &str, fraction: &str, unit: i64) -> Option<i64> {
    let fraction = fraction.get(..fraction.len().min(15)).unwrap_or(fraction);
    let whole = digits.parse::<i128>().ok()?.checked_mul(i128::from(unit))?;
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? * i128::from(unit) };
    i64::try_from(whole.checked_add(part / 10i128.pow(fraction.len() as u32))?).ok()
}

impl Lexer<'_> {
    fn digits(&mut self) -> String {
        self.take_while(|c| c.is_ascii_digit() || c == '_').replace('_', "")
    }

    /// Digits after a dot, if digits stand there.
    fn fraction(&mut self) -> String {
        if self.peek() == Some('.') && self.second().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            return self.digits();
        }
        String::new()
    }

    fn exponent(&mut self) -> String {
        let mut rest = self.rest().chars();
        let signed = rest.next() == Some('e')
            && match rest.next() {
                Some('+' | '-') => rest.next().is_some_and(|c| c.is_ascii_digit()),
                next => next.is_some_and(|c| c.is_ascii_digit()),
            };
        if !signed {
            return String::new();
        }
        self.at += 1;
        let sign = if matches!(self.peek(), Some('+' | '-')) { self.bump() } else { None };
        format!("e{}{}", sign.unwrap_or('+'), self.digits())
    }

    pub(super) fn number(&mut self) {
        let start = self.at;
        let (digits, fraction) = (self.digits(), self.fraction());
        let exponent = self.exponent();
        let float =
            || format!("{digits}.{fraction}0{exponent}").parse::<f64>().ok().filter(|f| f.is_finite());
        let token = match self.peek() {
            Some('%') => {
                self.at += 1;
                // The decimal point is moved in the text, since a division would give 0.9990000000000001.
                let moved = format!("{digits}.{fraction}0e-2").parse().ok().filter(|_| exponent.is_empty());
                moved.map(|part| Token::Percent(part, self.written(start)))
            }
            Some(c) if c.is_ascii_alphabetic() && exponent.is_empty() => {
                return self.with_unit(start, &digits, &fraction);
            }
            _ if fraction.is_empty() && exponent.is_empty() => digits.parse().ok().map(Token::Int),
            _ => float().map(Token::Float),
        };
        let stray = !self.take_while(super::in_word).is_empty();
        match token {
            Some(token) if !stray => self.push(token, start),
            _ => self.bad_number(start, if stray { "not a number" } else { "a number out of range" }, ""),
        }
    }

    /// The first unit decides whether it is a time, of which several may follow each other, or a size.
    fn with_unit(&mut self, start: usize, digits: &str, fraction: &str) {
        let name = self.take_while(|c| c.is_ascii_alphabetic());
        let sum = match (unit(&SIZES, name), unit(&TIMES, name)) {
            (Some(size), _) => scale(digits, fraction, size).map(|bytes| (bytes, true)),
            (None, Some(time)) => self.times(scale(digits, fraction, time)).map(|ns| (ns, false)),
            (None, None) => {
                self.take_while(super::in_word);
                let units = TIMES.iter().chain(&SIZES).map(|(name, _)| *name);
                let common = COMMON.iter().find(|(common, _)| *common == name).map(|(_, unit)| *unit);
                let folded = units.clone().find(|unit| unit.eq_ignore_ascii_case(name));
                let help = match common.or(folded).or_else(|| nearest(name, units)) {
                    Some(unit) => format!("did you mean `{digits}{unit}`?"),
                    None => "units are ns us ms s m h d w, and B KB MB GB TB KiB MiB GiB TiB".to_owned(),
                };
                return self.bad_number(start, &format!("`{name}` is not a unit"), &help);
            }
        };
        let stray = !self.take_while(super::in_word).is_empty();
        match sum {
            Some((bytes, true)) if !stray => self.push(Token::Size(bytes, self.written(start)), start),
            Some((ns, false)) if !stray => self.push(Token::Duration(ns, self.written(start)), start),
            _ => self.bad_number(start, "not a length of time or a size, or out of range", ""),
        }
    }

    /// What follows the first unit of `1h30m`.
    fn times(&mut self, first: Option<i64>) -> Option<i64> {
        let mut sum = first;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            let (digits, fraction) = (self.digits(), self.fraction());
            let name = self.take_while(|c| c.is_ascii_alphabetic());
            let more = unit(&TIMES, name).and_then(|time| scale(&digits, &fraction, time));
            sum = sum.zip(more).and_then(|(sum, more)| sum.checked_add(more));
        }
        sum
    }

    fn written(&self, start: usize) -> String {
        self.text.get(start..self.at).unwrap_or("").to_owned()
    }

    fn bad_number(&mut self, start: usize, message: &str, help: &str) {
        self.error(codes::NUMBER, start..self.at, message.to_owned(), help);
        self.push(Token::Int(0), start);
    }
}
