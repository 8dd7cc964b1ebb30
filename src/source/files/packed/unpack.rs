//! Decodes gzip (RFC 1952, any number of members) and Zstandard (RFC 8878, any number of frames) step by step: it can
//! stop at any byte and go on when more have come.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::Packing;
use crate::limits::UNPACK_WINDOW_LOG_MAX;
use crate::seam::File;

/// Compressed bytes of one read.
const INPUT_BYTES: usize = 64 * 1024;

/// Uncompressed bytes of one step.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Longest header of a gzip member that is believed: it holds a name and a comment of any length.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// What a step gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// Bytes, perhaps none yet.
    Some,
    /// The compressed bytes end in the middle.
    Starved,
    /// They end where they may.
    End,
    /// They cannot be decoded.
    Damaged,
}

enum Engine {
    Gzip(Box<Gzip>),
    Zstd(Decoder<'static>),
}

struct Gzip {
    inflate: Decompress,
    stage: Stage,
    crc: crc32fast::Hasher,
    length: u32,
    /// A member has ended: what follows may be zeros that fill a block.
    later: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Body,
    Trailer,
}

/// What an engine did with some bytes.
enum Step {
    /// It took so many.
    Took(usize),
    /// It needs more of them at once.
    Short,
    Bad,
}

/// A decoder at some place of a compressed file.
pub(super) struct Unpacker {
    engine: Engine,
    /// Compressed bytes that were read and not taken: from `at` on.
    input: Vec<u8>,
    at: usize,
    /// Where the next read begins.
    next: u64,
    /// Here the file may end.
    boundary: bool,
    damaged: bool,
}

impl Unpacker {
    pub(super) fn new(packing: Packing) -> io::Result<Self> {
        let engine = match packing {
            Packing::Gzip => Engine::Gzip(Box::new(Gzip {
                inflate: Decompress::new(false),
                stage: Stage::Header,
                crc: crc32fast::Hasher::new(),
                length: 0,
                later: false,
            })),
            Packing::Zstd => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(UNPACK_WINDOW_LOG_MAX))?;
                Engine::Zstd(decoder)
            }
        };
        Ok(Self { engine, input: Vec::new(), at: 0, next: 0, boundary: true, damaged: false })
    }

    /// Decodes some more behind `out`.
    pub(super) fn more(&mut self, file: &dyn File, out: &mut Vec<u8>) -> io::Result<More> {
        if self.damaged {
            return Ok(More::Damaged);
        }
        // At the end of the input there may still be output that found no room.
        if self.at == self.input.len() && !self.read(file)? && self.boundary {
            return Ok(More::End);
        }
        loop {
            let input = self.input.get(self.at..).unwrap_or_default();
            let filled = out.len();
            out.resize(filled + OUTPUT_BYTES, 0);
            let output = out.get_mut(filled..).unwrap_or_default();
            let (step, written, boundary) = match &mut self.engine {
                Engine::Gzip(gzip) => gzip.step(input, output),
                Engine::Zstd(decoder) => zstd_step(decoder, input, output),
            };
            out.truncate(filled + written);
            match step {
                Step::Took(taken) => {
                    self.at += taken;
                    // A step that takes and gives nothing says nothing of where it is.
                    if taken > 0 || written > 0 {
                        self.boundary = boundary;
                    } else if !self.read(file)? {
                        return Ok(More::Starved);
                    }
                    return Ok(More::Some);
                }
                Step::Short if self.read(file)? => {}
                Step::Short => return Ok(More::Starved),
                Step::Bad => {
                    self.damaged = true;
                    return Ok(More::Damaged);
                }
            }
        }
    }

    /// Reads more compressed bytes behind those that are left; whether there were any.
    fn read(&mut self, file: &dyn File) -> io::Result<bool> {
        self.input.drain(..self.at);
        self.at = 0;
        let filled = self.input.len();
        self.input.resize(filled + INPUT_BYTES, 0);
        let read = file.read_at(self.next, self.input.get_mut(filled..).unwrap_or_default());
        self.input.truncate(filled + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.next += read as u64;
        Ok(read > 0)
    }
}

/// Steps give (what became of the input, bytes of output, whether the file may end here).
type Stepped = (Step, usize, bool);

fn zstd_step(decoder: &mut Decoder<'static>, input: &[u8], output: &mut [u8]) -> Stepped {
    match decoder.run_on_buffers(input, output) {
        Ok(status) => (Step::Took(status.bytes_read), status.bytes_written, status.remaining == 0),
        Err(_) => (Step::Bad, 0, false),
    }
}

impl Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Stepped {
        match self.stage {
            Stage::Header => self.header(input),
            Stage::Body => self.body(input, output),
            Stage::Trailer => self.trailer(input),
        }
    }

    fn header(&mut self, input: &[u8]) -> Stepped {
        let zeros = input.iter().take_while(|byte| **byte == 0).count();
        if self.later && zeros > 0 {
            return (Step::Took(zeros), 0, true);
        }
        match header_len(input) {
            Some(Some(len)) => {
                self.stage = Stage::Body;
                self.inflate.reset(false);
                self.crc = crc32fast::Hasher::new();
                self.length = 0;
                (Step::Took(len), 0, false)
            }
            Some(None) if input.len() < HEADER_BYTES_MAX => (Step::Short, 0, false),
            _ => (Step::Bad, 0, false),
        }
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Stepped {
        let (taken, written) = (self.inflate.total_in(), self.inflate.total_out());
        let Ok(status) = self.inflate.decompress(input, output, FlushDecompress::None) else {
            return (Step::Bad, 0, false);
        };
        let taken = (self.inflate.total_in() - taken) as usize;
        let written = (self.inflate.total_out() - written) as usize;
        self.crc.update(output.get(..written).unwrap_or_default());
        self.length = self.length.wrapping_add(written as u32);
        if status == Status::StreamEnd {
            self.stage = Stage::Trailer;
        }
        (Step::Took(taken), written, false)
    }

    /// CRC-32 and length (RFC 1952 §2.3.1).
    fn trailer(&mut self, input: &[u8]) -> Stepped {
        let word = |at: usize| input.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (Some(crc), Some(length)) = (word(0), word(4)) else { return (Step::Short, 0, false) };
        if crc != self.crc.clone().finalize() || length != self.length {
            return (Step::Bad, 0, false);
        }
        (self.stage, self.later) = (Stage::Header, true);
        (Step::Took(8), 0, true)
    }
}

/// Length of a member's header (RFC 1952 §2.3): `None` where it is not one, `Some(None)` where its end is missing.
fn header_len(input: &[u8]) -> Option<Option<usize>> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CRC: u8 = 2;
    let magic = [0x1f, 0x8b, 8];
    if !input.iter().zip(magic).all(|(byte, magic)| *byte == magic) {
        return None;
    }
    let rest = || -> Option<usize> {
        let flags = *input.get(3)?;
        let mut at = 10;
        if flags & EXTRA != 0 {
            let len = input.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)?;
            at += 2 + usize::from(len);
        }
        for flag in [NAME, COMMENT] {
            if flags & flag != 0 {
                at += memchr::memchr(0, input.get(at..)?)? + 1;
            }
        }
        at += if flags & CRC != 0 { 2 } else { 0 };
        (at <= input.len()).then_some(at)
    };
    Some(rest())
}
