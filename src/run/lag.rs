//! Which sinks keep up. One that does not is set apart, so that it costs the others nothing, and reads again by
//! itself what it missed.
//!
//! Pure: who runs the parts asks it which sinks a batch goes to ([`Lags::hand`]), tells it when a sink takes nothing
//! ([`Lags::part`]), when nothing is under way to that sink any more ([`Lags::quiet`]), and how its catch-up read is
//! going ([`Lags::begin`], [`Lags::join`], [`Lags::joined`]).
//!
//! ```text
//!  With ──part──▶ Apart ──quiet──▶ Ready ──begin──▶ Behind ──join──▶ Joining ──joined──▶ With
//! ```
//!
//! While a sink is not `With`, no batch goes to it but those of its own catch-up read. Nothing is under way to it
//! when that read begins, and in the last round (`Joining`) the sources rest: so every message reaches the sink by
//! exactly one of the two ways, in order.

/// Where a sink is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It is offered every batch.
    #[default]
    With,
    /// Set apart; what it was offered before is still under way.
    Apart,
    /// Everything that it was offered is settled: its catch-up read may begin.
    Ready,
    /// Its catch-up read is going on.
    Behind,
    /// The last round of its catch-up read: its sources rest.
    Joining,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    phase: Phase,
    /// Batches with a share for it that no worker is done with.
    on_way: u64,
    /// The newest batch that it was handed, if it keeps order.
    newest: u64,
}

/// All sinks of a plan.
#[derive(Clone, Debug)]
pub struct Lags {
    /// Sinks that each source feeds, as sets of bits.
    feeds: Vec<u64>,
    required: u64,
    /// Sinks that can be set apart: there is another one, and all their sources can be read again.
    able: u64,
    sinks: Vec<Lag>,
}

/// The place of a sink in a set of sinks.
pub(super) fn bit(sink: usize) -> u64 {
    1 << (sink % 64)
}

impl Lags {
    /// All sinks keep up. `feeds` has the set of sinks of each source, with whether it can be read again.
    pub fn new(sinks: usize, required: u64, feeds: &[(u64, bool)]) -> Self {
        let fixed = feeds.iter().filter(|(_, again)| !again).fold(0, |set, (sinks, _)| set | sinks);
        let all = (0..sinks).fold(0, |set, sink| set | bit(sink));
        Self {
            feeds: feeds.iter().map(|(sinks, _)| *sinks).collect(),
            required,
            // A sink that need not have everything can always be left out.
            able: if sinks > 1 { all & !(fixed & required) } else { 0 },
            sinks: vec![Lag::default(); sinks],
        }
    }

    /// Where a sink is.
    pub fn phase(&self, sink: usize) -> Phase {
        self.sinks.get(sink).map_or(Phase::With, |lag| lag.phase)
    }

    fn in_phase(&self, phase: Phase) -> u64 {
        let at = self.sinks.iter().enumerate().filter(|(_, lag)| lag.phase == phase);
        at.fold(0, |set, (sink, _)| set | bit(sink))
    }

    /// The sinks that a new batch of a source goes to; they count as under way until [`Lags::done`].
    pub fn hand(&mut self, source: usize) -> u64 {
        let sinks = self.feeds.get(source).copied().unwrap_or(0) & self.in_phase(Phase::With);
        self.count(sinks, 1);
        sinks
    }

    /// A batch of a sink's own catch-up read goes to it.
    pub fn hand_again(&mut self, sink: usize) -> u64 {
        self.count(bit(sink), 1);
        bit(sink)
    }

    /// A worker is done with a batch that went to these sinks.
    pub fn done(&mut self, sinks: u64) {
        self.count(sinks, -1);
    }

    fn count(&mut self, sinks: u64, by: i64) {
        for (sink, lag) in self.sinks.iter_mut().enumerate().filter(|(sink, _)| sinks & bit(*sink) != 0) {
            debug_assert!(lag.on_way.checked_add_signed(by).is_some(), "sink {sink}");
            lag.on_way = lag.on_way.saturating_add_signed(by);
        }
    }

    /// Sets a sink apart that takes nothing. False where it must be waited for: it is the last one that may take
    /// something, or a source of it cannot be read again.
    pub fn part(&mut self, sink: usize) -> bool {
        let others = self.sinks.iter().enumerate().any(|(other, lag)| {
            other != sink && lag.phase != Phase::Apart && self.feeds.iter().any(|fed| fed & bit(other) != 0)
        });
        let Some(lag) = self.sinks.get_mut(sink) else { return false };
        if lag.phase == Phase::With && (self.able & bit(sink) == 0 || !others) {
            return false;
        }
        if lag.phase == Phase::With {
            lag.phase = Phase::Apart;
        }
        // A catch-up read waits for its sink: nobody else does.
        lag.phase == Phase::Apart
    }

    /// Whether a batch goes to a sink that keeps order. Set apart, it still gets what is older than something that it
    /// has, room or not, and nothing that is newer: its catch-up read comes after all of it.
    pub fn goes(&mut self, sink: usize, batch: u64) -> bool {
        let Some(lag) = self.sinks.get_mut(sink) else { return true };
        if lag.phase == Phase::Apart {
            return batch < lag.newest;
        }
        lag.newest = lag.newest.max(batch);
        true
    }

    /// Sinks that are set apart and have nothing under way to a worker.
    pub fn apart(&self) -> impl Iterator<Item = usize> + '_ {
        let at = self.sinks.iter().enumerate();
        at.filter(|(_, lag)| lag.phase == Phase::Apart && lag.on_way == 0).map(|(sink, _)| sink)
    }

    /// Everything that a sink was offered is settled. One that need not have everything goes on with what comes.
    pub fn quiet(&mut self, sink: usize) {
        let required = self.required & bit(sink) != 0;
        if let Some(lag) = self.sinks.get_mut(sink).filter(|lag| lag.phase == Phase::Apart && lag.on_way == 0)
        {
            lag.phase = if required { Phase::Ready } else { Phase::With };
        }
    }

    /// The catch-up read of a sink begins.
    pub fn begin(&mut self, sink: usize) {
        self.step(sink, Phase::Ready, Phase::Behind);
    }

    /// The catch-up read of a sink has come close: its last round.
    pub fn join(&mut self, sink: usize) {
        self.step(sink, Phase::Behind, Phase::Joining);
    }

    /// The last round has been handed over.
    pub fn joined(&mut self, sink: usize) {
        self.step(sink, Phase::Joining, Phase::With);
    }

    fn step(&mut self, sink: usize, from: Phase, to: Phase) {
        if let Some(lag) = self.sinks.get_mut(sink).filter(|lag| lag.phase == from) {
            lag.phase = to;
        }
    }

    /// Whether a source must not read on: a sink of it is about to join, or no sink would get what it reads.
    pub fn rests(&self, source: usize) -> bool {
        let fed = self.feeds.get(source).copied().unwrap_or(0);
        let (with, required) = (self.in_phase(Phase::With), fed & self.required);
        fed & self.in_phase(Phase::Joining) != 0 || (required != 0 && required & with == 0)
    }

    /// Whether some required sink of a source does not have what the source has read.
    pub fn owes(&self, source: usize) -> bool {
        let fed = self.feeds.get(source).copied().unwrap_or(0);
        fed & self.required & !self.in_phase(Phase::With) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lags() -> Lags {
        Lags::new(3, 0b011, &[(0b111, true), (0b001, true)])
    }

    #[test]
    fn a_sink_that_takes_nothing_is_left_out_until_it_has_caught_up() {
        let mut lags = lags();
        let before = lags.hand(0);
        assert_eq!(before, 0b111);
        assert!(lags.part(0));
        assert_eq!((lags.hand(0), lags.hand(1)), (0b110, 0));
        assert!(lags.rests(1) && !lags.rests(0), "the second source would read for nobody");
        assert_eq!(lags.apart().count(), 0, "a batch is still under way");
        lags.done(before);
        assert_eq!(lags.apart().collect::<Vec<_>>(), [0]);
        lags.quiet(0);
        assert_eq!(lags.phase(0), Phase::Ready);
        lags.begin(0);
        lags.join(0);
        assert!(lags.rests(0) && lags.owes(0));
        lags.joined(0);
        assert!(!lags.rests(0) && !lags.owes(0));
        assert_eq!(lags.hand(0), 0b111);
    }

    #[test]
    fn what_keeps_order_gets_what_is_older_and_nothing_newer() {
        let mut lags = lags();
        assert!(lags.goes(0, 6) && lags.goes(0, 4));
        assert!(lags.part(0));
        assert!(lags.goes(0, 5) && !lags.goes(0, 7) && !lags.goes(0, 8));
    }

    #[test]
    fn somebody_is_always_waited_for() {
        let mut lags = lags();
        assert!(lags.part(0) && lags.part(1));
        assert!(!lags.part(2), "the last one");
        let mut alone = Lags::new(1, 1, &[(1, true)]);
        assert!(!alone.part(0));
        let mut fixed = Lags::new(2, 0b11, &[(0b11, false)]);
        assert!(!fixed.part(0), "its source cannot be read again");
    }

    #[test]
    fn a_sink_that_need_not_have_everything_goes_on_with_what_comes() {
        let mut lags = lags();
        assert!(lags.part(2));
        lags.quiet(2);
        assert_eq!(lags.phase(2), Phase::With);
    }
}
