//! Personal data by its shape: e-mail addresses around an `@`; cards, accounts, social security and telephone numbers, IP
//! addresses where digits begin. Check digits and ranges decide, not the shape alone.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::chars::{after_escape, alnum, digit, hex, run};
use super::{Class, Classes};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Card,
    Iban,
    Ssn,
    Phone,
    Ip,
}

/// Longest local part and domain of an address (RFC 5321 §4.5.3.1).
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 253;
/// Top levels that nobody can register: those of names inside (RFC 6762 §3 and appendix G), by which directories of
/// companies name their people, and those for examples and tests (RFC 2606 §2).
const INSIDE: &[&[u8]] = &[
    b"local",
    b"internal",
    b"intranet",
    b"corp",
    b"lan",
    b"home",
    b"private",
    b"example",
    b"test",
    b"invalid",
];

/// Gives every e-mail address.
pub(super) fn emails(text: &[u8], give: &mut dyn FnMut(Range<usize>)) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'@', b'%', text) {
        let sign = if text[at] == b'@' { 1 } else { 3 };
        if at < done || sign == 3 && text.get(at..at + 3) != Some(b"%40") {
            continue;
        }
        let local = local_start(&text[done..at]) + done;
        let end = at + sign + domain(&text[at + sign..]);
        if local < at && end > at + sign {
            give(local..end);
            done = end;
        }
    }
}

/// Where the local part begins that ends where `before` does.
fn local_start(before: &[u8]) -> usize {
    let of_local = |byte: u8| alnum(byte) || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'\'');
    let len = before.iter().rev().take(LOCAL_MAX).take_while(|byte| of_local(**byte)).count();
    let mut start = before.len() - len;
    // An escape's letters are no part of it, nor a quote or dot before it.
    if start > 0 && start < before.len() && matches!(before[start - 1], b'%' | b'\\') {
        let ends = (start + 1..=before.len()).take(5);
        start = ends.into_iter().find(|end| after_escape(&before[..*end])).unwrap_or(start);
    }
    while start < before.len() && matches!(before[start], b'.' | b'\'' | b'-') {
        start += 1;
    }
    let local = &before[start..];
    let sound =
        local.last().is_some_and(|last| *last != b'.') && memchr::memmem::find(local, b"..").is_none();
    if sound { start } else { before.len() }
}

/// The length of the domain that begins here, of a known top level; 0 where there is none.
fn domain(rest: &[u8]) -> usize {
    let mut len = run(rest, |byte| alnum(byte) || byte == b'.' || byte == b'-', DOMAIN_MAX);
    while len > 0 && matches!(rest[len - 1], b'.' | b'-') {
        len -= 1;
    }
    let domain = &rest[..len];
    let label =
        |label: &[u8]| (1..=63).contains(&label.len()) && label[0] != b'-' && label[label.len() - 1] != b'-';
    let Some(dot) = memchr::memrchr(b'.', domain) else { return 0 };
    let top = domain[dot + 1..].to_ascii_lowercase();
    let letters =
        top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_lowercase()) || top.starts_with(b"xn--");
    let known = letters
        && (INSIDE.contains(&top.as_slice()) || psl::suffix(&top).is_some_and(|suffix| suffix.is_known()));
    let goes_on = rest.get(len).is_some_and(|byte| *byte == b'_');
    if known && !goes_on && domain.split(|byte| *byte == b'.').all(label) { len } else { 0 }
}

/// Gives every number of these classes.
pub(super) fn numbers(text: &[u8], classes: Classes, give: &mut dyn FnMut(Number, Range<usize>)) {
    let of = |class| classes.contains(class);
    let (card, ssn, phone, ip, iban) =
        (of(Class::Card), of(Class::Ssn), of(Class::Phone), of(Class::Ip), of(Class::Iban));
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let before = at.checked_sub(1).map(|before| text[before]);
        let in_word =
            before.is_some_and(|before| alnum(before) || before == b'_') && !after_escape(&text[..at]);
        let colon = ip && (byte == b':' || byte.is_ascii_hexdigit());
        if in_word || !(digit(byte) || byte == b'+' || byte == b'(' || byte.is_ascii_uppercase() || colon) {
            at += 1;
            continue;
        }
        let rest = &text[at..];
        let apart = !matches!(before, Some(b'.' | b'-' | b'/' | b'#' | b'+'));
        let none = None;
        let found = none
            .or_else(|| {
                (card && digit(byte) && apart)
                    .then(|| payment_card(rest))
                    .flatten()
                    .map(|len| (Number::Card, len))
            })
            .or_else(|| {
                (ssn && digit(byte) && apart).then(|| social(rest)).flatten().map(|len| (Number::Ssn, len))
            })
            .or_else(|| {
                (iban && byte.is_ascii_uppercase())
                    .then(|| account(rest))
                    .flatten()
                    .map(|len| (Number::Iban, len))
            })
            .or_else(|| (phone && apart).then(|| telephone(rest)).flatten().map(|len| (Number::Phone, len)))
            .or_else(|| ip.then(|| address(rest, &text[..at])).flatten().map(|len| (Number::Ip, len)));
        match found {
            Some((kind, len)) => {
                give(kind, at..at + len);
                at += len;
            }
            // The rest of a run is no start of another.
            None => at += if digit(byte) { run(rest, digit, rest.len()) } else { 1 },
        }
    }
}

/// Whether what follows a number is no part of it.
fn over(rest: &[u8], len: usize) -> bool {
    match rest.get(len) {
        None => true,
        Some(byte) if alnum(*byte) || *byte == b'_' => false,
        Some(b'.' | b'-' | b'/' | b':') => !rest.get(len + 1).is_some_and(|byte| digit(*byte)),
        Some(_) => true,
    }
}

/// Issuers: first digits from and to (six of them), and lengths.
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (400_000, 499_999, &[16, 19]),
    (510_000, 559_999, &[16]),
    (222_100, 272_099, &[16]),
    (340_000, 349_999, &[15]),
    (370_000, 379_999, &[15]),
    (601_100, 601_199, &[16, 19]),
    (644_000, 659_999, &[16, 19]),
    (300_000, 305_999, &[14]),
    (360_000, 369_999, &[14]),
    (380_000, 399_999, &[14]),
    (352_800, 358_999, &[16]),
    (620_000, 629_999, &[16, 17, 18, 19]),
    (501_800, 501_899, &[16]),
    (502_000, 502_099, &[16]),
    (503_800, 503_899, &[16]),
    (589_300, 589_399, &[16]),
    (630_400, 630_499, &[16]),
    (675_900, 675_999, &[16]),
    (676_100, 676_399, &[16]),
];

/// Lengths of groups in which cards are written.
const GROUPS: &[&[usize]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3]];

/// A card's number at the start: one run of digits, or groups of them.
fn payment_card(rest: &[u8]) -> Option<usize> {
    let mut digits = [0u8; 19];
    let (mut count, mut len) = (0, 0);
    let mut groups = [0usize; 5];
    let mut group = 0;
    let mut separator = None;
    loop {
        let more = run(&rest[len..], digit, 20);
        if count + more > digits.len() || more == 0 || group == groups.len() {
            return None;
        }
        digits[count..count + more].copy_from_slice(&rest[len..len + more]);
        groups[group] = more;
        (count, len, group) = (count + more, len + more, group + 1);
        match rest.get(len).copied() {
            Some(sign @ (b' ' | b'-')) if more < 14 && separator.is_none_or(|known| known == sign) => {
                let next = rest.get(len + 1).is_some_and(|byte| digit(*byte));
                // A full card before a blank and another number.
                let whole = GROUPS.contains(&&groups[..group]);
                if !next || whole && sign == b' ' {
                    break;
                }
                separator = Some(sign);
                len += 1;
            }
            _ => break,
        }
    }
    let digits = &digits[..count];
    let written = group == 1 || GROUPS.contains(&&groups[..group]);
    let head = digits.get(..6)?.iter().fold(0u32, |head, digit| head * 10 + u32::from(digit - b'0'));
    let issued =
        ISSUERS.iter().any(|(from, to, lengths)| (*from..=*to).contains(&head) && lengths.contains(&count));
    (written && issued && over(rest, len) && luhn(digits)).then_some(len)
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let value = |(at, digit): (usize, &u8)| {
        let digit = u32::from(digit - b'0');
        match (at % 2, digit) {
            (0, digit) => digit,
            (_, digit @ 0..=4) => digit * 2,
            (_, digit) => digit * 2 - 9,
        }
    };
    digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// `AAA-GG-SSSS`, of numbers that are given out (SSA: no 000, 666 or 900 and up; no 00; no 0000; not those of
/// advertisements).
fn social(rest: &[u8]) -> Option<usize> {
    let number = rest.get(..11)?;
    let shape = number
        .iter()
        .enumerate()
        .all(|(at, byte)| if at == 3 || at == 6 { *byte == b'-' } else { digit(*byte) });
    let (area, group, serial) = (&number[..3], &number[4..6], &number[7..]);
    let given = area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000";
    let shown = [&b"078-05-1120"[..], b"219-09-9999", b"123-45-6789"].contains(&number);
    let after = !matches!(rest.get(11), Some(b'-')) && over(rest, 11);
    (shape && given && !shown && after).then_some(11)
}

/// Countries and the lengths of their account numbers (the registry of ISO 13616).
const COUNTRIES: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// An account number at the start, in one piece or in groups of four.
fn account(rest: &[u8]) -> Option<usize> {
    let country = rest.get(..2)?;
    let (_, length) = COUNTRIES.iter().find(|(code, _)| code[..] == *country)?;
    if !rest.get(2..4)?.iter().all(|byte| digit(*byte)) {
        return None;
    }
    let mut plain = [0u8; 34];
    let (mut count, mut len) = (0, 0);
    while count < *length {
        match *rest.get(len)? {
            byte if byte.is_ascii_uppercase() || digit(byte) => {
                plain[count] = byte;
                count += 1;
            }
            b' ' if count % 4 == 0 && rest[len - 1] != b' ' => {}
            _ => return None,
        }
        len += 1;
    }
    let plain = &plain[..count];
    let value = |remainder: u32, byte: &u8| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    };
    let checked = plain[4..].iter().chain(&plain[..4]).fold(0, value) == 1;
    (checked && over(rest, len)).then_some(len)
}

/// Country codes of one and two digits (ITU-T E.164); all others have three and begin with one of [`LONG_CODES`].
const CODES: &[&[u8]] = &[
    b"1", b"7", b"20", b"27", b"30", b"31", b"32", b"33", b"34", b"36", b"39", b"40", b"41", b"43", b"44",
    b"45", b"46", b"47", b"48", b"49", b"51", b"52", b"53", b"54", b"55", b"56", b"57", b"58", b"60", b"61",
    b"62", b"63", b"64", b"65", b"66", b"81", b"82", b"84", b"86", b"90", b"91", b"92", b"93", b"94", b"95",
    b"98",
];
const LONG_CODES: &[&[u8]] = &[
    b"21", b"22", b"23", b"24", b"25", b"26", b"29", b"35", b"37", b"38", b"42", b"50", b"59", b"67", b"68",
    b"69", b"85", b"88", b"96", b"97", b"99",
];

/// A telephone number at the start: `+` and its country, or `(212) 555-0123` and `212-555-0123`.
fn telephone(rest: &[u8]) -> Option<usize> {
    let international = rest[0] == b'+';
    if !(international || rest[0] == b'(' || digit(rest[0])) {
        return None;
    }
    let mut digits = [0u8; 16];
    let (mut count, mut len, mut separators) = (0, usize::from(international), 0);
    while len < rest.len() && count < digits.len() {
        let next = rest.get(len + 1).copied().unwrap_or(0);
        match rest[len] {
            byte if digit(byte) => {
                digits[count] = byte;
                count += 1;
            }
            b' ' | b'-' | b'.' if digit(next) || next == b'(' => separators += 1,
            b'(' if digit(next) => separators += 1,
            b')' if digit(next) || matches!(next, b' ' | b'-') => separators += 1,
            _ => break,
        }
        len += 1;
    }
    let digits = &digits[..count];
    let american = |number: &[u8]| {
        number.len() == 10 && number[0] >= b'2' && number[3] >= b'2' && number[1..3] != *b"11"
    };
    if !over(rest, len) || count == 16 {
        return None;
    }
    if !international {
        let number = digits.strip_prefix(b"1").filter(|_| digits.len() == 11).unwrap_or(digits);
        let written = &rest[..len];
        let tail = written.len().checked_sub(9).map(|from| &written[from..])?;
        let shape = matches!(tail[0], b' ' | b'-' | b')') && tail[4] == b'-' && separators <= 4;
        let dashes = written.iter().filter(|byte| **byte == b'-').count();
        return (american(number) && shape && (dashes >= 2 || written.contains(&b')'))).then_some(len);
    }
    let code = CODES.iter().find(|code| digits.starts_with(code));
    let sound = match code {
        Some(&b"1") => american(&digits[1..]),
        Some(code) => (code.len() + 7..=15).contains(&count),
        None => LONG_CODES.iter().any(|code| digits.starts_with(code)) && (10..=15).contains(&count),
    };
    sound.then_some(len)
}

/// An address at the start.
fn address(rest: &[u8], before: &[u8]) -> Option<usize> {
    if matches!(before.last(), Some(b'.' | b':'))
        && digit(rest[0])
        && before.len() >= 2
        && alnum(before[before.len() - 2])
        && before.last() == Some(&b'.')
    {
        return None;
    }
    let quad = run(rest, |byte| digit(byte) || byte == b'.', 16);
    let trimmed = if quad > 0 && rest[quad - 1] == b'.' { quad - 1 } else { quad };
    if let Ok(text) = std::str::from_utf8(&rest[..trimmed])
        && text.parse::<Ipv4Addr>().is_ok()
        && !rest.get(trimmed).is_some_and(|byte| alnum(*byte) || *byte == b'_')
    {
        return Some(trimmed);
    }
    let mut len = run(rest, |byte| hex(byte) || matches!(byte, b':' | b'.'), 46);
    if len > 45
        || memchr::memchr_iter(b':', &rest[..len]).count() < 2
        || !rest[..len].iter().any(|byte| digit(*byte))
    {
        return None;
    }
    if rest.get(len).is_some_and(|byte| alnum(*byte) || *byte == b'_') {
        return None;
    }
    while len > 2 && matches!(rest[len - 1], b'.' | b':') && !rest[..len].ends_with(b"::") {
        len -= 1;
    }
    let text = std::str::from_utf8(&rest[..len]).ok()?;
    text.parse::<Ipv6Addr>().is_ok().then_some(len)
}
