//! Drives a framer over bytes in memory, as a source would, and gives its messages as text.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Message, Span};
use aludel::frame::{Block, FrameConfig, Framed, Framer};
use aludel::position::Ranges;

/// A message with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) lane: u8,
    pub(crate) part: u16,
    pub(crate) time: String,
    pub(crate) text: Vec<u8>,
    /// The bytes that the text was decoded from, where some were not valid.
    pub(crate) was: Option<Vec<u8>>,
}

impl Cut {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

const BUFFER: u16 = Span::SEGMENTS + 1;

fn cut(message: &Message, block: &[u8], joined: &[u8]) -> Cut {
    let bytes = |span: Span| {
        let buffer = if span.buffer == Span::SEGMENTS { joined } else { block };
        let start = span.start as usize;
        if span.len == 0 { Vec::new() } else { buffer[start..start + span.len as usize].to_vec() }
    };
    Cut {
        start: message.start,
        end: message.end,
        lane: message.lane,
        part: message.part,
        time: String::from_utf8_lossy(&bytes(message.time)).into_owned(),
        text: bytes(message.text),
        was: message.text.facts.is_replaced().then(|| {
            let end = message.text.start + message.text.len;
            let behind = |start, len| bytes(Span { start, len, ..message.text });
            let len = u32::from_le_bytes(behind(end, 4).try_into().expect("four bytes"));
            behind(end + 4, len)
        }),
    }
}

/// A framer and all it has given.
pub(crate) struct Bench<'a> {
    input: &'a [u8],
    pub(crate) framer: Framer,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) ranges: Ranges,
    pub(crate) total: u64,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(input: &'a [u8], config: &Arc<FrameConfig>) -> Self {
        let framer = Framer::new(config.clone());
        Self { input, framer, cuts: Vec::new(), ranges: Ranges::default(), total: 0 }
    }

    fn collect(
        &mut self,
        block: Range<usize>,
        act: impl FnOnce(&mut Framer, Block<'_>, &mut Framed<'_>) -> usize,
    ) -> usize {
        let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        let input = self.input;
        let position = block.start as u64;
        let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| -> io::Result<()> {
            assert!(range.end <= position, "what is in the block is not asked for again");
            out.extend_from_slice(&input[range.start as usize..range.end as usize]);
            Ok(())
        };
        let bytes = &input[block.clone()];
        let block = Block {
            position,
            bytes,
            buffer: BUFFER,
            last: block.end == input.len(),
            now: Duration::ZERO,
            fetch: &mut fetch,
        };
        let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
        let consumed = act(&mut self.framer, block, &mut out);
        assert!(messages.is_sorted_by_key(|message| message.end), "messages in the order of their last byte");
        self.cuts.extend(messages.iter().map(|message| cut(message, bytes, &joined)));
        for range in ranges {
            self.total += range.end - range.start;
            self.ranges.insert(range);
        }
        consumed
    }

    /// Offers the bytes in blocks that end at these positions, and at the end of the input.
    pub(crate) fn offer(&mut self, ends: impl IntoIterator<Item = usize>) {
        let mut at = 0;
        for end in ends.into_iter().chain([self.input.len()]) {
            let end = end.min(self.input.len());
            if end > at {
                at += self.collect(at..end, |framer, block, out| framer.frame(block, out));
            }
        }
        assert_eq!(at, self.input.len(), "the last block is consumed whole");
    }

    /// Ends the stream and checks that every byte was accounted for once.
    pub(crate) fn finish(mut self) -> Vec<Cut> {
        let len = self.input.len();
        self.collect(len..len, |framer, block, out| {
            framer.finish(block.fetch, out);
            0
        });
        assert_eq!(self.total, len as u64, "no byte is accounted for twice");
        assert!(self.ranges.covers(&(0..len as u64)), "every byte is accounted for");
        assert_eq!(self.framer.open_start(), None);
        assert_eq!(self.framer.deadline(), None);
        self.cuts.sort_by_key(|cut| (cut.start, cut.end));
        self.cuts
    }
}

/// The messages of an input, in the order of their first byte, with blocks that end at these positions.
pub(crate) fn cuts(
    input: &[u8],
    config: &Arc<FrameConfig>,
    ends: impl IntoIterator<Item = usize>,
) -> Vec<Cut> {
    let mut bench = Bench::new(input, config);
    bench.offer(ends);
    bench.finish()
}

/// The texts of the messages of an input.
pub(crate) fn texts(input: &[u8], config: &Arc<FrameConfig>) -> Vec<String> {
    cuts(input, config, []).iter().map(Cut::text).collect()
}
