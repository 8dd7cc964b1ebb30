//! How many sources so many events usually come from: what tells strangers from a busy hour.
//!
//! When more of the usual visitors come, sources grow as events do. Where strangers join them, each of whom sends little, there
//! are more sources than so many events usually have, and how many more says about how many events are theirs.

use super::super::bytes::Get;

/// Strangers may bring such a part of what raises an alert of others, in each window.
pub(super) const STRANGERS_LET: f64 = 0.05;
/// How much of what is known stays, from window to window.
const STEADY: f32 = 0.99;
/// So many standard deviations are chance.
const DEVIATIONS: f64 = 2.0;
/// And so many are the most that is learned.
const CHANCE_MAX: f64 = 4.0;
/// After so many events they are known.
const KNOWN_MIN: f32 = 500.0;
/// Where nearly each event has a source of its own, more sources tell little of strangers.
const TELLING_MIN: f64 = 0.2;

/// Sums over the last windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Variety {
    events: f32,
    sources: f32,
    /// By how many sources the windows were off.
    off: f32,
    /// What strangers brought of late beyond [`STRANGERS_LET`]: few of them for long are like many at once.
    pub(super) lasting: f32,
}

impl Variety {
    /// The sources of each event.
    fn share(&self) -> f64 {
        f64::from(self.sources / self.events.max(1.0)).min(1.0)
    }

    /// Sources that so many events usually have, and how far off chance is.
    pub(super) fn usual(&self, events: f64) -> (f64, f64) {
        let share = self.share();
        let chance = (events * share * (1.0 - share)).sqrt();
        // A mean deviation is less than a standard one.
        let deviation = 1.25 * f64::from(self.off / self.events.max(1.0)) * events;
        (share * events, deviation.max(chance))
    }

    /// How many of so many events are strangers', of whom each sends one, at least.
    pub(super) fn strangers(&self, events: f64, sources: f64) -> f64 {
        if self.events < KNOWN_MIN {
            return 0.0;
        }
        let (usual, deviation) = self.usual(events);
        let more = sources - usual - DEVIATIONS * deviation;
        (more / (1.0 - self.share()).max(TELLING_MIN)).clamp(0.0, events)
    }

    /// Takes in a window that is over, and what strangers brought with it. It counts for no more than so many events and is no
    /// farther off than chance may be, so that a flood changes little, whoever sent it.
    pub(super) fn learn(&mut self, events: f64, sources: f64, most: f64, lasting: f64) {
        self.lasting = lasting as f32;
        let (usual, deviation) = self.usual(events);
        let reach = if self.events < KNOWN_MIN { f64::INFINITY } else { CHANCE_MAX * deviation };
        let sources = sources.clamp(usual - reach, usual + reach);
        let off = if self.events > 0.0 { (sources - usual).abs() } else { 0.0 };
        let weight = (most / events.max(1.0)).min(1.0);
        for (sum, of) in [(&mut self.events, events), (&mut self.sources, sources), (&mut self.off, off)] {
            *sum = STEADY * *sum + (weight * of) as f32;
        }
    }

    /// Nothing came for so many windows, of each of which so much would have been let pass.
    pub(super) fn rest(&mut self, windows: i64) {
        self.lasting = (f64::from(self.lasting) - windows as f64 * STRANGERS_LET).max(0.0) as f32;
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        [self.events, self.sources, self.off, self.lasting]
            .iter()
            .for_each(|of| out.extend_from_slice(&of.to_le_bytes()));
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let mut float = || from.array().map(f32::from_le_bytes);
        Some(Self { events: float()?, sources: float()?, off: float()?, lasting: float()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_a_hundred_windows(events: f64, sources: f64) -> Variety {
        let mut variety = Variety::default();
        (0..100).for_each(|_| variety.learn(events, sources, events, 0.0));
        variety
    }

    /// Twice as many of the usual visitors are none; strangers are counted as such, but for what may be chance.
    #[test]
    fn strangers_are_told_from_a_busy_hour() {
        let variety = of_a_hundred_windows(90.0, 30.0);
        assert_eq!(variety.strangers(180.0, 60.0), 0.0);
        let strangers = variety.strangers(180.0, 30.0 + 90.0);
        assert!((60.0..90.0).contains(&strangers), "{strangers}");
        assert_eq!(variety.strangers(180.0, 1.0), 0.0);
        assert_eq!(Variety::default().strangers(180.0, 120.0), 0.0, "nothing is known");
    }

    /// While they are here, strangers stay strangers; what lasts for days is usual.
    #[test]
    fn strangers_become_usual_slowly() {
        let mut variety = of_a_hundred_windows(90.0, 30.0);
        let first = variety.strangers(180.0, 120.0);
        (0..15).for_each(|_| variety.learn(180.0, 120.0, 180.0, 0.0));
        let later = variety.strangers(180.0, 120.0);
        assert!(later > first / 2.0, "{first} {later}");
        (0..3000).for_each(|_| variety.learn(180.0, 120.0, 180.0, 0.0));
        assert_eq!(variety.strangers(180.0, 120.0), 0.0);
    }

    /// Nor do the usual visitors become strangers after a flood of one source.
    #[test]
    fn one_source_makes_no_strangers_of_others() {
        let mut variety = of_a_hundred_windows(90.0, 30.0);
        for _ in 0..30 {
            variety.learn(100_000.0, 31.0, 270.0, 0.0);
            assert!(variety.strangers(90.0, 30.0) < 5.0, "{variety:?}");
        }
    }

    #[test]
    fn what_lasted_is_forgotten_in_quiet_windows() {
        let mut variety = of_a_hundred_windows(90.0, 30.0);
        variety.learn(90.0, 30.0, 90.0, 0.12);
        variety.rest(1);
        assert!((variety.lasting - 0.07).abs() < 0.001, "{}", variety.lasting);
        variety.rest(i64::MAX);
        assert_eq!(variety.lasting, 0.0);
        let mut saved = Vec::new();
        variety.save(&mut saved);
        assert_eq!(Variety::load(&mut Get(&saved)), Some(variety));
        assert_eq!(Variety::load(&mut Get(&saved[1..])), None);
    }
}
