//! One event held against the profile of its user: what of it is surprising, and by how many bits. The profile takes it
//! in at once.

use super::super::traits::{Aspect, Traits};
use super::crowd::Crowd;
use super::hours::{ODD_MIN, of_week};
use super::norms::Norms;
use super::profile::{AWAY_HOURS, Oddness, Profile, Recent};
use super::rate::{Rate, bits};
use super::session::{GROUPS, Group, Point};
use super::stays::offset;
use super::travel::Last;
use crate::limits::BEHAVIOUR_PLACE_BYTES_MAX;
use crate::shown::number;

/// Nanoseconds of an hour.
pub(super) const HOUR_NS: i64 = 3_600_000_000_000;
/// Less is not worth a word: it happens to everybody every few days.
const BITS_MIN: f64 = 4.0;
/// What is done within five minutes is one look.
const LOOK_NS: i64 = HOUR_NS / 12;
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
    /// What is surprising in this event, in bits.
    pub(super) kinds: [f64; GROUPS.len()],
    /// Which aspects the event has that are not new in the session.
    pub(super) known: [bool; 4],
    /// Whether the user seems to have jumped to where they were before.
    pub(super) is_back: bool,
    /// Hours between UTC and the sun at the place of the event, where the user can be.
    pub(super) offset: Option<i8>,
}

impl Visit<'_> {
    /// Whether more is surprising than before in the user's session.
    pub(super) fn surprises(mut self) -> bool {
        self.place();
        Aspect::ALL.into_iter().for_each(|aspect| self.aspect(aspect));
        self.active();
        self.profile.session.event(self.kinds, self.known)
    }

    /// Hours since the epoch.
    fn hour(&self) -> i32 {
        i32::try_from(self.time_ns.div_euclid(HOUR_NS)).unwrap_or_default()
    }

    fn point(&mut self, group: Group, of: u64, bits: f64, words: impl FnOnce(&Self) -> String) {
        if !self.is_watched || bits < BITS_MIN {
            return;
        }
        let words = words(self).into();
        self.kind(group, bits);
        self.profile.session.add(Point { time_ns: self.time_ns, group, of, bits: bits as f32, words });
    }

    /// A group is surprising by so many bits in this event.
    fn kind(&mut self, group: Group, bits: f64) {
        let most = &mut self.kinds[group.number()];
        *most = most.max(bits);
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
        if self.profile.place_hour < hour {
            self.profile.place_hour = hour;
            self.profile.place_hours += weight as f32;
            self.crowd.hour_somewhere(weight);
        }
        let is_known = self.profile.places.see(at, weight as f32, self.norms);
        let spot = spot(at);
        self.kind(Group::Travel, self.profile.session.bits_of(Group::Travel, spot));
        self.profile.stays.note(hour, offset(at.1));
        // Where they were a moment ago, as most are.
        if self.profile.last.as_ref().is_some_and(|last| last.at == at) {
            self.offset = Some(offset(at.1));
        }
        if let Some(last) = self.profile.last.as_mut().filter(|last| last.at == at) {
            last.time_ns = last.time_ns.max(self.time_ns);
            last.device = self.traits.aspects[Aspect::Device as usize].1;
            return;
        }
        let [country, network, device] =
            [Aspect::Country, Aspect::Network, Aspect::Device].map(|of| self.traits.aspects[of as usize].1);
        let here = Last { time_ns: self.time_ns, at, country, network, device, name: self.name(at).into() };
        let before = self.profile.last.clone();
        let jump = before.as_ref().and_then(|last| last.jump(&here, is_known, self.norms));
        self.is_back = is_known && jump.is_some();
        if let (Some(last), Some(jump)) = (&before, jump) {
            let user = self.before(Group::Travel, self.profile.jumps[jump.way], self.profile.place_hours);
            let probability = self.crowd.jumps(jump.way, user, [last.network, network], weight);
            if self.is_first(Group::Travel) {
                self.profile.jumps[jump.way] += weight as f32;
            }
            let sure = jump.sure;
            // At a place where the user has been before only the jump itself is odd.
            let spot = if is_known { 0 } else { spot };
            self.point(Group::Travel, spot, bits(probability) * sure, |of| {
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
        self.offset = jump.is_none().then(|| offset(at.1));
        if before.is_none_or(|last| last.time_ns <= self.time_ns) {
            self.profile.last = Some(here);
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
        self.kind(Group::Of(aspect), self.profile.session.bits_of(Group::Of(aspect), hash));
        let (hour, weight) = (self.hour(), self.weight);
        let known = &mut self.profile.known[aspect as usize];
        let look = known.see(hash, hour, weight as f32);
        // What is new where the user seems to jump back to was so when they came.
        if self.is_back && !look.is_new && matches!(aspect, Aspect::Country | Aspect::Network) {
            self.kinds[Group::Of(aspect).number()] = 0.0;
        }
        self.known[aspect as usize] = !look.is_new && self.kinds[Group::Of(aspect).number()] == 0.0;
        if self.is_watched && known.hour < hour {
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
            self.point(group, hash, new.bits, |of| {
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
        let (hour, weight) = (self.hour(), self.weight as f32);
        let look = 1_u16 << (self.time_ns.rem_euclid(HOUR_NS) / LOOK_NS).clamp(0, 11);
        let within_hours = i32::try_from(self.norms.within_ns / HOUR_NS).unwrap_or(i32::MAX);
        let before = self.profile.odd_since(hour.saturating_sub(within_hours));
        // A log that lags comes back to hours of late.
        if self.profile.was_active(hour) {
            if let Some(at) = self.profile.odd_again(hour, look) {
                self.odd(before, at, within_hours);
            }
            if self.profile.is_odd(hour) {
                self.kind(Group::Hour, self.profile.session.bits_of(Group::Hour, 0));
            }
            return;
        }
        let afresh = hour.saturating_sub(self.profile.hour) > AWAY_HOURS;
        self.profile.hour = self.profile.hour.max(hour);
        let (at, mut odd) = self.oddness(hour);
        self.crowd.week.note(at, weight);
        // Who is on a journey keeps other hours.
        let is_usual = self.traits.location.is_none_or(|at| self.profile.places.is_usual(at, self.norms));
        let is_judged =
            self.is_watched && self.norms.hours && !self.profile.session.is_elsewhere() && is_usual;
        if is_judged {
            self.profile.judged_hours += weight;
            self.crowd.judged_hour(self.weight);
        }
        if !is_judged || odd < ODD_MIN {
            odd = 0.0;
        }
        let recent = Recent { hour, of_week: at as u8, weight, odd: odd as f32, looks: look, afresh };
        self.profile.active(recent, within_hours);
        if odd > 0.0 {
            self.odd(before, at, within_hours);
        }
    }

    /// The hour of the week by the sun, and how odd it is: where the user mostly is, was most of late, and is now as it seems.
    /// What one of them explains is not odd.
    fn oddness(&self, hour: i32) -> (usize, f64) {
        let most = self.profile.stays.most(hour);
        let usual = self.profile.places.usual().map_or(most, offset);
        let offsets = [usual, most, self.offset.unwrap_or(most)];
        let mut of = offsets.map(|offset| {
            let at = of_week(hour.wrapping_add(i32::from(offset)));
            (at, self.profile.hours.oddness(at, &self.crowd.week, self.weight))
        });
        of.sort_by(|a, b| a.1.total_cmp(&b.1));
        of[0]
    }

    /// One more look at an odd hour, with `before` of the session.
    fn odd(&mut self, before: Option<Oddness>, at: usize, within_hours: i32) {
        let Some(now) = self.profile.odd_since(self.hour().saturating_sub(within_hours)) else { return };
        let weight = self.weight as f32;
        let counted = before.filter(|before| now.step <= before.step).map_or(0.0, |_| weight);
        let user = Rate {
            of: (self.profile.odd[usize::from(now.afresh)][now.step] - counted).max(0.0),
            all: self.profile.judged_hours,
        };
        let bits = self.crowd.odd(before, now, user, self.weight);
        let fresh = before.map_or(0, |before| before.step + 1);
        self.profile.odd[usize::from(now.afresh)]
            .iter_mut()
            .take(now.step + 1)
            .skip(fresh)
            .for_each(|count| *count += weight);
        let (hour, day) = (self.hour(), DAYS[at / 24 % DAYS.len()]);
        let offset = (at as i32 - of_week(hour) as i32 + 84).rem_euclid(168) - 84;
        self.point(Group::Hour, 0, bits, |_| {
            format!("active on {day} at {:02} h (UTC{offset:+}), hardly ever before", at % 24)
        });
    }
}

/// A place as a number.
fn spot(at: (f64, f64)) -> u64 {
    (u64::from((at.0 as f32).to_bits()) << 32 | u64::from((at.1 as f32).to_bits())).max(1)
}

/// The time of day in UTC.
fn clock(unix_ns: i64) -> String {
    let minutes = unix_ns.div_euclid(60_000_000_000).rem_euclid(1440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
