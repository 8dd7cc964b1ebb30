//! Requests to a few sites over some weeks, made from a seed: days, nights and weekends, good days and bad ones, with what
//! honest traffic does, and floods hidden in it, of which it is known where they are.
//!
//! Honest oddities: traffic in bursts, a job that comes every night, campaigns that bring twice as many visitors for hours,
//! outages and the rush after them, crawlers, offices behind one address.

use aludel::seam::sim::Dice;

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

/// How often things happen, and how large floods are.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) days: i64,
    /// How far days and minutes are from their mean, in percent.
    pub(super) day_spread: f64,
    pub(super) minute_spread: f64,
    /// Once in so many days of a site, each.
    pub(super) campaign: u64,
    pub(super) outage: u64,
    pub(super) crawler: u64,
    /// Cases of each kind.
    pub(super) cases: usize,
    /// How many times the usual a flood is.
    pub(super) strength: f64,
}

/// What is planted.
pub(super) const KINDS: [&str; 5] =
    ["one source", "many sources", "slow ramp", "at night, less than by day", "new sources, twice as much"];

/// A flood.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Which of [`KINDS`].
    pub(super) kind: usize,
    pub(super) site: usize,
    /// Seconds.
    pub(super) from: i64,
    pub(super) to: i64,
}

/// One request: when, to which site, from which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    pub(super) time: i64,
    pub(super) site: usize,
    pub(super) source: u32,
}

/// Requests per minute on average, whether they are for work, and the hours from UTC of those who come.
const SITES: [(f64, bool, i64); 6] =
    [(60.0, false, 1), (30.0, true, 1), (15.0, false, -5), (8.0, true, 5), (4.0, false, 0), (2.0, true, 9)];

/// Dice for numbers that are no whole ones.
struct Chance<'a>(&'a mut Dice);

impl Chance<'_> {
    fn unit(&mut self) -> f64 {
        (self.0.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Near 0, with a deviation of 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// How many come where so many do on average.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// What a minute of a site has on average.
fn usual(site: usize, time: i64) -> f64 {
    let (mean, is_work, offset) = SITES[site];
    let local = time + offset * HOUR;
    let hour = local.rem_euclid(DAY) as f64 / HOUR as f64;
    // 1970-01-01 was a Thursday.
    let is_weekend = (local.div_euclid(DAY) + 3).rem_euclid(7) >= 5;
    let bell = |at: f64, width: f64| (-((hour - at) / width).powi(2)).exp();
    let (day, weekend) = match is_work {
        true => (0.1 + 2.2 * bell(10.5, 2.5) + 2.2 * bell(15.0, 2.5), 0.12),
        false => (0.2 + 1.2 * bell(13.0, 4.0) + 1.5 * bell(20.5, 3.0), 1.15),
    };
    mean * day * if is_weekend { weekend } else { 1.0 }
}

/// An honest source: an office now and then, else somebody who comes for some minutes.
fn visitor(dice: &mut Dice, site: usize, time: i64, rate: f64) -> u32 {
    if dice.one_in(8) {
        return 0x0a00_0000 + (site as u32) * 256 + dice.below(3) as u32;
    }
    let now = (rate / 3.0).ceil().max(1.0) as u64;
    let place = time / (5 * MINUTE) * 7919 + dice.below(now) as i64;
    0x6400_0000 + ((place as u32).wrapping_mul(2_654_435_761) >> 8) + site as u32
}

/// All requests, in order, and the floods that are hidden in them.
pub(super) fn sites(setting: &Setting, start: i64) -> (Vec<Request>, Vec<Case>) {
    let mut dice = Dice::new(setting.seed);
    let cases = plan(&mut dice, setting, start);
    let mut out = Vec::new();
    for site in 0..SITES.len() {
        honest(&mut dice, setting, start, site, &mut out);
    }
    for case in &cases {
        flood(&mut dice, setting, case, &mut out);
    }
    out.sort_unstable();
    (out, cases)
}

fn honest(dice: &mut Dice, setting: &Setting, start: i64, site: usize, out: &mut Vec<Request>) {
    let mut burst = 0.0;
    for day in 0..setting.days {
        let midnight = start + day * DAY;
        let level = 1.0 + setting.day_spread / 100.0 * Chance(dice).normal();
        let mut some = |once_in| dice.one_in(once_in).then(|| midnight + dice.below(DAY as u64) as i64);
        let (campaign, outage) = (some(setting.campaign), some(setting.outage));
        let crawler = some(setting.crawler);
        let crawled = dice.below(20) as f64 + 5.0;
        for minute in 0..DAY / MINUTE {
            let time = midnight + minute * MINUTE;
            burst = 0.9 * burst + setting.minute_spread / 100.0 * 0.44 * Chance(dice).normal();
            let mut rate = usual(site, time) * level.max(0.3) * (1.0_f64 + burst).max(0.2);
            if let Some(since) =
                campaign.map(|begun| time - begun).filter(|since| (0..2 * HOUR).contains(since))
            {
                // It takes a quarter of an hour until all have read of it.
                rate *= 1.0 + 0.9 * (since as f64 / (15 * MINUTE) as f64).min(1.0);
            }
            match outage.map(|begun| time - begun) {
                Some(since) if (0..20 * MINUTE).contains(&since) => rate = 0.0,
                Some(since) if (20 * MINUTE..25 * MINUTE).contains(&since) => rate *= 1.7,
                _ => {}
            }
            let mut send = |dice: &mut Dice, count: u64, source: &mut dyn FnMut(&mut Dice) -> u32| {
                for _ in 0..count {
                    let time = time + dice.below(MINUTE as u64) as i64;
                    out.push(Request { time, site, source: source(dice) });
                }
            };
            let count = Chance(dice).poisson(rate);
            send(dice, count, &mut |dice| visitor(dice, site, time, rate));
            if crawler.is_some_and(|begun| (begun..begun + 3 * HOUR).contains(&time)) {
                let count = Chance(dice).poisson(crawled);
                send(dice, count, &mut |_| 0x4200_0001 + site as u32);
            }
            // A job of the night, on two of the sites.
            if site < 2 && (185..187).contains(&minute) {
                send(dice, 150, &mut |dice| 0x0a01_0000 + dice.below(3) as u32);
            }
        }
    }
}

/// Places for the floods: after the first days, none within three hours of another of its site.
fn plan(dice: &mut Dice, setting: &Setting, start: i64) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for kind in 0..KINDS.len() {
        let mut left = setting.cases;
        while left > 0 {
            let day = 3 + dice.below((setting.days - 3) as u64) as i64;
            // What is less than by day can only be at a site that has much by day.
            let site = dice.below(if kind >= 3 { 1 } else { SITES.len() as u64 }) as usize;
            let second = match kind {
                3 => 2 * HOUR + dice.below(2 * HOUR as u64) as i64 - SITES[site].2 * HOUR,
                4 => 12 * HOUR + dice.below(8 * HOUR as u64) as i64,
                _ => dice.below((DAY - 3 * HOUR) as u64) as i64,
            };
            let from = start + day * DAY + second;
            let minutes = match kind {
                2 => 60 + dice.below(60) as i64,
                _ => 5 + dice.below(10) as i64,
            };
            let to = from + minutes * MINUTE;
            let is_near = |of: &Case| of.site == site && from - 3 * HOUR < of.to && of.from < to + 3 * HOUR;
            if !cases.iter().any(is_near) {
                cases.push(Case { kind, site, from, to });
                left -= 1;
            }
        }
    }
    cases
}

/// Adds the requests of a flood.
fn flood(dice: &mut Dice, setting: &Setting, case: &Case, out: &mut Vec<Request>) {
    let Case { kind, site, from, to } = *case;
    let bots = 3000 + dice.below(5000) as u32;
    let attacker = 0xcb00_7100 + dice.below(200) as u32;
    for minute in 0..(to - from) / MINUTE {
        let time = from + minute * MINUTE;
        // Of the day's mean where it is quieter now: whoever floods a site wants it down.
        let full = setting.strength * usual(site, time).max(SITES[site].0).max(15.0);
        let rate = match kind {
            2 => full * (minute * MINUTE) as f64 / (to - from) as f64,
            3 => SITES[site].0 * 1.2,
            4 => usual(site, time) * 1.2,
            _ => full,
        };
        for _ in 0..Chance(dice).poisson(rate) {
            let time = time + dice.below(MINUTE as u64) as i64;
            let source = match kind {
                0 => attacker,
                _ => 0xc000_0000 + (dice.below(u64::from(bots)) as u32).wrapping_mul(2_654_435_761) / 5,
            };
            out.push(Request { time, site, source });
        }
    }
}
