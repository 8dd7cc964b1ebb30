//! The mark that each written line carries, by which it is found again in whatever a sink made of it.

use memchr::memmem;

/// Before the number.
const BEFORE: &[u8] = b"aludelsim";
/// Digits of the number.
const DIGITS: usize = 7;

/// The mark of a line.
pub(super) fn write(number: u32) -> String {
    format!("aludelsim{number:07}")
}

/// The numbers of all marks in some bytes, in order.
pub(super) fn find_all(bytes: &[u8], each: &mut dyn FnMut(u32)) {
    for at in memmem::find_iter(bytes, BEFORE) {
        let digits = bytes.get(at + BEFORE.len()..at + BEFORE.len() + DIGITS).unwrap_or_default();
        if digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit) {
            each(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')));
        }
    }
}

/// The same, as a list.
pub(super) fn all(bytes: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    find_all(bytes, &mut |number| found.push(number));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_and_torn_ones_are_not() {
        let text =
            format!("a {} b{}\", {}", write(7), write(1_234_567), write(8).get(..12).expect("letters"));
        assert_eq!(all(text.as_bytes()), [7, 1_234_567]);
    }
}
