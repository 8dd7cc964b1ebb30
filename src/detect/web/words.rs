//! Whether one of many words stands in a text, in any case: asked of nearly every value, and nearly always answered no.
//!
//! An automaton takes a step a byte, and each waits for the one before. Here each place is asked by itself: the four bytes
//! that stand there are spread over a table, in which every word has marked its rarest four.

/// Where a needle stands first. The values are short, and the needles are few bytes that are known: nothing is prepared.
#[inline]
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    find_iter(text, needle).next()
}

/// Where a needle stands; those that overlap, too.
#[inline]
pub(super) fn find_iter<'t>(text: &'t [u8], needle: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    let (first, rest) = needle.split_first().unwrap_or((&0, &[]));
    memchr::memchr_iter(*first, text).filter(move |at| text[at + 1..].starts_with(rest))
}

/// Bytes of a word that are marked.
const GRAM: usize = 4;
/// Bytes that are read at once, and how many grams they have.
const BLOCK: usize = 8;
const GRAMS: usize = BLOCK - GRAM + 1;
/// Marks of the table: with some 400 words one gram in forty is looked at more closely for nothing.
const MARKS: usize = 1 << 14;

/// The words.
#[derive(Debug)]
pub(super) struct Words {
    /// What tells the four bytes of a word from others that share their mark; 0 where there are none.
    marks: Box<[u8; MARKS]>,
    /// The four bytes of each word, where in it they stand, and the word; in order.
    grams: Vec<(u32, usize, Box<[u8]>)>,
    /// Those that are too short to be marked: signs, not letters.
    short: Vec<Box<[u8]>>,
}

impl Words {
    /// These words.
    pub(super) fn new<W: AsRef<[u8]>>(words: impl Iterator<Item = W>) -> Self {
        let (mut marks, mut grams, mut short) = (Box::new([0; MARKS]), Vec::new(), Vec::new());
        for word in words {
            let word = word.as_ref();
            let rarity = |at: &usize| word[*at..at + GRAM].iter().map(|byte| commonness(*byte)).sum::<u32>();
            let places = 0..(word.len() + 1).saturating_sub(GRAM);
            let Some(at) = places.min_by_key(rarity) else {
                short.push(word.into());
                continue;
            };
            let gram = fold(u32::from_le_bytes([word[at], word[at + 1], word[at + 2], word[at + 3]]));
            let mark = &mut marks[mark(gram)];
            *mark = if matches!(*mark, 0) || *mark == tag(gram) { tag(gram) } else { MIXED };
            grams.push((gram, at, word.to_ascii_lowercase().into()));
        }
        grams.sort_unstable();
        Self { marks, grams, short }
    }

    /// Whether one of them stands in the text.
    #[inline]
    pub(super) fn any(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while at + GRAM <= text.len() {
            let block = match text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
                Some(block) => u64::from_le_bytes(*block),
                None => last(&text[at..]),
            };
            if self.marked(block) && self.stands(text, at) {
                return true;
            }
            at += GRAMS;
        }
        self.short.iter().any(|word| find(text, word).is_some())
    }

    /// Whether one of the four bytes of a block may be a word's: no branch among them.
    #[inline]
    fn marked(&self, block: u64) -> bool {
        (0..GRAMS).fold(0, |seen, at| seen | self.marks[mark(fold((block >> (8 * at)) as u32))]) != 0
    }

    /// Whether a word has its four bytes in the block that begins at `at`.
    #[cold]
    fn stands(&self, text: &[u8], at: usize) -> bool {
        text[at..].windows(GRAM).take(GRAMS).enumerate().any(|(step, bytes)| {
            let gram = fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            if !matches!(self.marks[mark(gram)], MIXED) && self.marks[mark(gram)] != tag(gram) {
                return false;
            }
            let first = self.grams.partition_point(|known| known.0 < gram);
            self.grams[first..].iter().take_while(|known| known.0 == gram).any(|(_, offset, word)| {
                let start = (at + step).checked_sub(*offset);
                let there = start.and_then(|start| text.get(start..start + word.len()));
                there.is_some_and(|there| there.eq_ignore_ascii_case(word))
            })
        })
    }
}

/// The last bytes of a text as a block.
#[cold]
fn last(rest: &[u8]) -> u64 {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(block)
}

/// Letters of either case are the same; of other bytes some that differ are, too, which the whole word tells.
#[inline]
fn fold(gram: u32) -> u32 {
    gram | 0x2020_2020
}

/// Where in the table: upper bits of a product, which depend on all bytes.
#[inline]
fn mark(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - MARKS.ilog2())) as usize
}

/// A mark that several have.
const MIXED: u8 = 0xff;

/// What stands there: other bits of the product.
#[inline]
fn tag(gram: u32) -> u8 {
    (gram.wrapping_mul(0x9e37_79b1) >> 11) as u8 & 0x7f | 1
}

/// How often a byte stands in requests and agents, roughly.
fn commonness(byte: u8) -> u32 {
    const LETTERS: &[u8] = b"eotainsrlcmhdpugfbwkvyxjqz";
    match byte.to_ascii_lowercase() {
        b'/' | b'.' | b' ' => 24,
        b'0'..=b'9' => 14,
        b'-' => 12,
        letter => LETTERS.iter().position(|known| *known == letter).map_or(4, |rank| 26 - rank as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands_in_any_case() {
        let list = ["etc/passwd", ".env", "sqlmap", "nikto", "information_schema", "127.", "x_[y]", "(|("];
        let words = Words::new(list.iter());
        for word in list {
            for text in [word.to_owned(), format!("a{word}"), format!("{word}b"), format!("a b{word}c d")] {
                assert!(words.any(text.as_bytes()), "{text}");
                assert!(words.any(text.to_ascii_uppercase().as_bytes()), "{text}");
            }
            let bytes = word.as_bytes();
            for cut in [&bytes[1..], &bytes[..bytes.len() - 1]] {
                assert!(!words.any(cut), "{word} cut");
            }
        }
        for text in ["", "a", "sqlma", "/etc/pass/wd", "X_{Y}", "e\u{e9}tc"] {
            assert!(!words.any(text.as_bytes()), "{text}");
        }
    }
}
