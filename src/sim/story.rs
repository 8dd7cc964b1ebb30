//! How bad a seed is: rates of faults, bounds, how often it is rotated and killed.

use std::time::Duration;

use super::cluster::ClusterRates;
use super::process::Bounds;
use crate::limits::SIM_LINES_MAX;
use crate::seam::sim::{Dice, FaultRates};

/// What a seed has in store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    /// Lines that are written.
    pub(super) lines: u32,
    /// Virtual time during which things go wrong.
    pub(super) troubled: Duration,
    /// Average pause between two writes.
    pub(super) pause: Duration,
    /// One write in so many is a rotation; 0 for never.
    pub(super) rotation: u64,
    /// The disk.
    pub(super) disk: FaultRates,
    /// The disk is full for a while.
    pub(super) full: bool,
    /// The clusters.
    pub(super) cluster: ClusterRates,
    /// Lives that end before the last one.
    pub(super) lives: u32,
    /// The wall clock jumps.
    pub(super) jumps: bool,
    /// Lines are written in two parts.
    pub(super) torn_lines: bool,
    /// Queues and pools.
    pub(super) bounds: Bounds,
    /// Workers.
    pub(super) workers: usize,
}

impl Story {
    /// Nothing goes wrong; lines are still written in parts.
    pub(super) fn calm(torn_lines: bool) -> Self {
        Self {
            lines: SIM_LINES_MAX,
            troubled: Duration::from_secs(20),
            pause: Duration::from_millis(200),
            rotation: 0,
            disk: FaultRates::default(),
            full: false,
            cluster: ClusterRates::default(),
            lives: 0,
            jumps: false,
            torn_lines,
            bounds: Bounds { input: 1 << 20, bodies: 6 << 20, items: 64 },
            workers: 2,
        }
    }

    /// The story of a seed. Not every seed has every kind of trouble: one alone is found more easily.
    pub(super) fn of(dice: &mut Dice) -> Self {
        let mut some = |often: u64, rate: u64| {
            if dice.one_in(often) { rate / 2 + dice.below(rate) } else { 0 }
        };
        let disk = FaultRates {
            read: some(4, 60),
            short_read: some(2, 8),
            write: some(4, 30),
            sync: some(3, 20),
            name: some(4, 60),
            sync_folder: some(4, 10),
        };
        let cluster =
            ClusterRates { request: some(2, 4).max(u64::from(disk.read > 0)), rejected: some(4, 30) };
        let cluster =
            ClusterRates { request: if cluster.request == 1 { 3 } else { cluster.request }, ..cluster };
        let rotation = some(2, 12).max(some(2, 30));
        Self {
            lines: 20 + dice.below(u64::from(SIM_LINES_MAX) - 20) as u32,
            troubled: Duration::from_secs(5 + dice.below(40)),
            pause: Duration::from_millis(1 << dice.below(11)),
            rotation,
            disk,
            full: dice.one_in(4),
            cluster,
            lives: dice.below(6) as u32,
            jumps: dice.one_in(4),
            torn_lines: !dice.one_in(4),
            bounds: Bounds {
                input: if dice.one_in(2) { 300 } else { 1 << 20 },
                bodies: if dice.one_in(2) { 4096 } else { 6 << 20 },
                items: 1 + dice.below(8) as usize,
            },
            workers: 1 + dice.below(3) as usize,
        }
    }
}
