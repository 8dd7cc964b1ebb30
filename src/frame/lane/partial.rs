//! A line whose end has not come yet: CRI `P`, docker without line feed, a plain line longer than a block.

use crate::frame::class::LOOK_BYTES;
use crate::frame::config::FrameConfig;
use crate::frame::emit::{Env, Piece};

/// The unfinished line of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// What has come of it.
    pub pieces: Vec<Piece>,
    /// The first bytes of its text: all that is copied of it.
    pub head: Vec<u8>,
    bytes: usize,
    /// Parts that have left because the line went over the bound.
    parts: u16,
    whole_start: u64,
}

impl Partial {
    /// Whether a line is unfinished.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.pieces.is_empty() || self.parts > 0
    }

    /// Whether parts of it have left.
    pub(super) fn is_cut(&self) -> bool {
        self.parts > 0
    }

    /// Whether the piece takes the line over a bound.
    pub(super) fn would_overflow(&self, piece: &Piece, config: &FrameConfig) -> bool {
        self.bytes + piece.len as usize > config.message_bytes || self.pieces.len() >= config.message_lines
    }

    /// Adds a piece; parts that are over the bound leave.
    pub(super) fn push(
        &mut self,
        mut piece: Piece,
        lane: u8,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
    ) {
        piece.first = self.pieces.is_empty();
        while self.would_overflow(&piece, config) {
            // Escaped text is cut between pieces only: an escape must stay whole.
            let room = config.message_bytes.saturating_sub(self.bytes);
            let room = if piece.escaped || self.pieces.len() >= config.message_lines { 0 } else { room };
            let room = if env.is_wide() { room & !1 } else { room };
            let fit = env.text(&piece).map_or(room, |text| boundary(text, room));
            // A character that is longer than the bound itself is cut all the same.
            let room = if fit == 0 && self.pieces.is_empty() { room } else { fit };
            if room > 0 {
                let (front, back) = piece.split(room as u32);
                self.pieces.push(front);
                piece = back;
            } else if self.pieces.is_empty() {
                break;
            }
            self.leave(lane, env);
            piece.first = true;
        }
        if self.parts == 0 && self.head.len() < LOOK_BYTES {
            env.append_text(&piece, LOOK_BYTES * 6, &mut self.head);
            self.head.truncate(LOOK_BYTES);
        }
        self.bytes += piece.len as usize;
        self.pieces.push(piece);
    }

    fn leave(&mut self, lane: u8, env: &mut Env<'_, '_, '_>) {
        self.bytes = 0;
        if self.pieces.iter().all(|piece| piece.len == 0) {
            self.pieces.drain(..).for_each(|piece| env.account(&piece));
            return;
        }
        if self.parts == 0 {
            self.whole_start = self.pieces.first().map_or(0, |piece| piece.start);
        }
        self.parts = self.parts.saturating_add(1);
        env.pieces(&self.pieces, lane, self.parts);
        self.pieces.clear();
    }

    /// The end of a line of which parts have left.
    pub(super) fn finish_cut(&mut self, lane: u8, env: &mut Env<'_, '_, '_>) {
        self.leave(lane, env);
        self.clear();
    }

    /// Forgets all but the room.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.bytes = 0;
        self.parts = 0;
    }

    /// Position of the line's first byte, parts that have left included.
    pub(super) fn open_start(&self) -> Option<u64> {
        if self.parts > 0 { Some(self.whole_start) } else { self.pieces.first().map(|piece| piece.start) }
    }
}

/// The largest cut at or below `room` that is not inside a UTF-8 character, if one is near; `room` otherwise.
fn boundary(text: &[u8], room: usize) -> usize {
    let is_start = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (room.saturating_sub(3)..=room).rev().find(is_start).unwrap_or(room)
}
