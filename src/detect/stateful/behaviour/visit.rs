//! One event held against the profile of its user: what of it is surprising, and by how many bits. The profile takes it
//! in at once.

use super::super::traits::{Aspect, Traits};
use super::crowd::Crowd;
use super::hours::{ODDNESS, STEP_BITS, of_week};
use super::norms::Norms;
use super::profile::Profile;
use super::rate::{Rate, bits};
use super::session::{Group, Point};
use super::travel::Last;
use crate::limits::BEHAVIOUR_PLACE_BYTES_MAX;
use crate::shown::number;

/// Nanoseconds of an hour.
pub(super) const HOUR_NS: i64 = 3_600_000_000_000;
/// Less is not worth a word: it happens to everybody every few days.
const BITS_MIN: f64 = 4.0;
/// An hour is odd from so many bits on; below that it is the edge of a day's work.
const ODD_MIN: f64 = 3.0;
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// An event, its user and all others.
pub(super) struct Visit<'a> {
    pub(super) norms: &'a Norms,
    pub(super) crowd: &'a mut Crowd,
    pub(super) profile: &'a mut Profile,
    pub(super) traits: &'a Traits<'a>,
    pub(super) time_ns: i64,
    pub(super) weight: f64,
    /// Profiles that there are.
    pub(super) users: usize,
    /// Whether the user is known well; else this is to learn from only.
    pub(super) is_watched: bool,
    pub(super) is_surprising: bool,
}

impl Visit<'_> {
    /// Whether anything is surprising; then it is a point of the user's session.
    pub(super) fn surprises(mut self) -> bool {
        self.place();
        Aspect::ALL.into_iter().for_each(|aspect| self.aspect(aspect));
        self.active();
        self.is_surprising
    }

    /// Hours since the epoch.
    fn hour(&self) -> i32 {
        i32::try_from(self.time_ns.div_euclid(HOUR_NS)).unwrap_or_default()
    }

    fn point(&mut self, group: Group, bits: f64, words: impl FnOnce(&Self) -> String) {
        if !self.is_watched || bits < BITS_MIN {
            return;
        }
        let words = words(self).into();
        self.is_surprising = true;
        self.profile.session.add(Point { time_ns: self.time_ns, group, bits: bits as f32, words });
    }

    /// Whether a rate does not have this session yet. It counts once: what is surprising does not make the same again usual
    /// at once.
    fn is_first(&self, group: Group) -> bool {
        self.profile.session.count(group) == 0
    }

    /// A rate as it was before the session.
    fn before(&self, group: Group, of: f32, all: f32) -> Rate {
        let now = if self.is_first(group) { 0.0 } else { self.weight as f32 };
        Rate { of: (of - now).max(0.0), all }
    }

    /// The place: whether one can have travelled there.
    fn place(&mut self) {
        let Some(at) = self.traits.location else { return };
        let (hour, weight) = (self.hour(), self.weight);
        if self.profile.place_hour != hour {
            self.profile.place_hour = hour;
            self.profile.place_hours += weight as f32;
            self.crowd.hour_somewhere(weight);
        }
        let is_known = self.profile.places.see(at, weight as f32, self.norms);
        // Where they were a moment ago, as most are.
        if let Some(last) = self.profile.last.as_mut().filter(|last| last.at == at) {
            last.time_ns = last.time_ns.max(self.time_ns);
            return;
        }
        let [country, network] =
            [Aspect::Country, Aspect::Network].map(|of| self.traits.aspects[of as usize].1);
        let here = Last { time_ns: self.time_ns, at, country, network, name: self.name(at).into() };
        let before = self.profile.last.clone();
        let jump = before.as_ref().and_then(|last| last.jump(&here, is_known, self.norms));
        if let (Some(last), Some(jump)) = (&before, jump) {
            let user = self.before(Group::Travel, self.profile.jumps[jump.way], self.profile.place_hours);
            let probability = self.crowd.jumps(jump.way, user, [last.network, network], weight);
            if self.is_first(Group::Travel) {
                self.profile.jumps[jump.way] += weight as f32;
            }
            let sure = jump.sure;
            self.point(Group::Travel, bits(probability) * sure, |of| {
                let here = (of.time_ns, of.name(at));
                let there = (last.time_ns, last.name.to_string());
                let (first, second) = if there.0 <= here.0 { (there, here) } else { (here, there) };
                let [first, second] =
                    [first, second].map(|(ns, name)| format!("at {} from {name}", clock(ns)));
                format!(
                    "{first}, {second}: {}; fastest plausible {} km/h",
                    jump.words(),
                    number(of.norms.speed_kmh as u64)
                )
            });
        }
        self.moved(at, jump.is_some());
        if before.is_none_or(|last| last.time_ns <= self.time_ns) {
            self.profile.last = Some(here);
        }
    }

    /// Follows the sun where the user truly is: who travels and keeps the hours of the place is not odd, and an address
    /// that seems elsewhere moves nobody.
    fn moved(&mut self, at: (f64, f64), is_jump: bool) {
        if !is_jump {
            self.profile.offset = (at.1 / 15.0).round() as i8;
        }
    }

    /// What the place of this event is called.
    fn name(&self, at: (f64, f64)) -> String {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let country = self.traits.aspects[Aspect::Country as usize].0;
        let mut name = match (self.traits.place, country) {
            ([], []) => format!("{:.1}, {:.1}", at.0, at.1),
            ([], name) | (name, _) => text(name),
        };
        let cut = (0..=BEHAVIOUR_PLACE_BYTES_MAX).rev().find(|cut| name.is_char_boundary(*cut));
        if name.len() > BEHAVIOUR_PLACE_BYTES_MAX {
            name.truncate(cut.unwrap_or_default());
        }
        name
    }

    /// One of country, network, device, resource: whether it is new.
    fn aspect(&mut self, aspect: Aspect) {
        let (text, hash) = self.traits.aspects[aspect as usize];
        if text.is_empty() {
            return;
        }
        let (hour, weight) = (self.hour(), self.weight);
        let known = &mut self.profile.known[aspect as usize];
        let look = known.see(hash, hour, weight as f32);
        if self.is_watched && known.hour != hour {
            known.hour = hour;
            known.rate.all += weight as f32;
            self.crowd.hour_of(aspect, weight);
        }
        if self.is_watched && look.is_new {
            let rate = known.rate;
            let group = Group::Of(aspect);
            let before = self.profile.session.count(group);
            if before == 0 {
                known.rate.of += weight as f32;
            }
            let rate = self.before(group, rate.of, rate.all);
            let new = self.crowd.is_new((aspect, hash), rate, before, self.users, weight);
            self.point(group, new.bits, |of| {
                format!(
                    "{} {} for the first time, after {} others; {} of {} users have it",
                    aspect.name(),
                    String::from_utf8_lossy(text),
                    look.others,
                    new.users,
                    of.users
                )
            });
        }
        if look.in_hour {
            self.crowd.seen((aspect, hash), hour, look.came, weight);
        }
        if let Some(left) = look.left {
            self.crowd.left((aspect, left));
        }
    }

    /// The hour, by the sun.
    fn active(&mut self) {
        let (hour, weight) = (self.hour(), self.weight);
        if self.profile.hour == hour {
            return;
        }
        self.profile.hour = hour;
        let at = of_week(hour.wrapping_add(i32::from(self.profile.offset)));
        let within_hours = i32::try_from(self.norms.within_ns / HOUR_NS).unwrap_or(i32::MAX);
        let mut odd = 0.0;
        // Who is on a journey keeps other hours.
        if self.is_watched && self.norms.hours && !self.profile.session.is_elsewhere() {
            odd = self.profile.hours.oddness(at, weight);
            if odd < ODD_MIN {
                odd = 0.0;
            }
            // That one went on says more than that one was there.
            let since = self.profile.odd_since(hour.saturating_sub(within_hours));
            let steps = |bits: f64| ((bits / STEP_BITS) as usize).min(ODDNESS - 1);
            let before = steps(since);
            let oddness = if odd > 0.0 { steps(since + odd) } else { 0 };
            let user = Rate { of: self.profile.odd[oddness], all: self.profile.odd[0] };
            let probability = self.crowd.odd(before, oddness, user, weight);
            self.profile.odd[0] += weight as f32;
            let counts = self.profile.odd.iter_mut().take(oddness + 1).skip(before + 1);
            counts.for_each(|count| *count += weight as f32);
            if odd > 0.0 {
                self.point(Group::Hour, bits(probability), |of| {
                    let day = DAYS[at / 24 % DAYS.len()];
                    let offset = of.profile.offset;
                    format!("active on {day} at {:02} h (UTC{offset:+}), hardly ever before", at % 24)
                });
            }
        }
        self.profile.active(hour, at, weight as f32, odd, within_hours);
    }
}

/// The time of day in UTC.
fn clock(unix_ns: i64) -> String {
    let minutes = unix_ns.div_euclid(60_000_000_000).rem_euclid(1440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
