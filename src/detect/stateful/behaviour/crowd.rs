//! What all users do: how often something is new to a user, which values are taken up, over which networks people seem
//! to jump. What is usual for the crowd is little of a surprise in one of it.

use std::collections::BTreeMap;

use super::super::bytes::{Get, Put};
use super::super::traits::Aspect;
use super::hours::{Hours, ODDNESS};
use super::profile::Oddness;
use super::rate::{Rate, bits, get_f32, get_f64, put_f32, put_f64};
use super::travel::WAYS;
use crate::limits::BEHAVIOUR_CROWD_VALUES_MAX;

/// What is believed before anything was seen: of a hundred hours of a user, in two something is new …
const NEW: (f64, f64) = (0.02, 50.0);
/// … and in four hundred they cannot have travelled as it seems, each way.
const JUMPS: (f64, f64) = (0.0025, 50.0);
/// Of a thousand hours twenty are odd, and half as many each by a step more, as long as nothing else is known.
const ODD: (f64, f64) = (0.02, 50.0);
/// Who is awake once looks once, and misuse seldom is a single look: each of the first three that is missing tells so many bits
/// less, where looks at such hours are common …
const LONE: f64 = 3.0;
/// … which they are not from so many bits on, nor fully within [`LONE`] of that.
const RARE: f64 = 14.0;
/// Whose day's work goes on into the night is seldom somebody else: so many bits less …
const GOES_ON: f64 = 6.0;
/// … and who comes at an odd hour has nothing else that is new, so that it tells more than its bits.
const ALONE: f64 = 1.4;
/// Looks that are more than being awake.
const LOOKS_ENOUGH: usize = 3;
/// Of odd sessions half are odder by a step.
const ODDER: (f64, f64) = (0.5, 50.0);
/// How many looks at odd hours there were, as far as that is told apart: who works all night has a new shift sooner than an
/// intruder.
const LOOKS: usize = 6;
/// So many hours stand for what is not known yet of one network.
const NETWORK_STRENGTH: f64 = 5.0;
/// Something new follows something new within a session once in four times.
const AGAIN: (f64, f64) = (0.25, 20.0);
/// How many new values within a session are told apart.
const IN_A_ROW: usize = 8;
/// What a value may add to the surprise, or take away, in bits.
const PULL: (f64, f64) = (-6.0, 2.0);

/// What is known of a value over all users.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    /// Users whose profile has it.
    users: u32,
    /// The last hour in which it was seen, since the epoch.
    hour: i32,
    /// Users who are known well and took it up, decayed.
    taken_up: f32,
    /// Of a network: jumps from or to it, and hours of users.
    jumps: Rate,
}

/// The crowd.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    values: BTreeMap<(Aspect, u64), Value>,
    /// How often something is new to users who are known well.
    new: [Rate; 4],
    /// How often so many were new within a session, or more.
    in_a_row: [[f32; IN_A_ROW]; 4],
    /// The sum of how readily the values that were new are taken up, in bits.
    readiness: [f64; 4],
    /// Jumps of each way, all of them each time, and hours with a place.
    jumps: [f32; WAYS],
    every: f32,
    hours: f32,
    /// In how many sessions an hour was at least so odd, with so many looks at odd hours, of those that went on after others
    /// and those that began afresh; and the hours of all.
    odd: [[[f32; LOOKS]; ODDNESS]; 2],
    judged_hours: f32,
    /// At which hours users come.
    pub(super) week: Hours,
}

/// How much of a surprise something new is.
#[derive(Clone, Copy, Debug)]
pub(super) struct New {
    /// In bits, together with what was new before it in the session.
    pub(super) bits: f64,
    /// How many users have it.
    pub(super) users: u32,
}

impl Crowd {
    /// How surprising it is that a value is new to a user, who has new ones at this rate and had so many in the session,
    /// among so many users. Notes it.
    pub(super) fn is_new(
        &mut self,
        of: (Aspect, u64),
        user: Rate,
        before: usize,
        users: usize,
        weight: f64,
    ) -> New {
        let at = of.0 as usize;
        let rate = self.new[at];
        let probability = user.of_user(rate.share(NEW.0, NEW.1, weight), weight);
        let value = self.values.entry(of).or_default();
        let others = (users as f64 - f64::from(value.users)).max(0.0) + 1.0;
        let readily = ((f64::from(value.taken_up) / weight + 0.5) / others).log2();
        // Beside what is usual for things that are new; nothing where that is not known yet.
        let seen = f64::from(rate.of) / weight;
        let usual = self.readiness[at] / f64::from(rate.of).max(f64::MIN_POSITIVE);
        let pull = ((usual - readily) * seen / (seen + 5.0)).clamp(PULL.0, PULL.1);
        // What nobody has used before is a new service more often than a target.
        let is_service = of.0 == Aspect::Resource && value.users == 0;
        let pull = if is_service { pull.min(0.0) } else { pull };
        let row = &mut self.in_a_row[at];
        let before = before.min(IN_A_ROW - 1);
        let again = |pair: &[f32]| Rate { of: pair[1], all: pair[0] }.share(AGAIN.0, AGAIN.1, weight);
        // Who looks around gets at one resource after the other; of the rest one comes with the next: a journey has its networks.
        let told = if of.0 == Aspect::Resource { before } else { 0 };
        let again: f64 = row.windows(2).take(told).map(|pair| bits(again(pair))).sum();
        row[before] += first(user, weight);
        let new = New { bits: bits(probability) + again + pull, users: value.users };
        value.taken_up += weight as f32;
        if before == 0 {
            let count = first(user, weight);
            self.new[at].of += count;
            self.readiness[at] += readily * f64::from(count);
        }
        new
    }

    /// A user who is known well did something for an hour of which this aspect is known.
    pub(super) fn hour_of(&mut self, aspect: Aspect, weight: f64) {
        self.new[aspect as usize].all += weight as f32;
    }

    /// A value was seen in an hour of a user; whether it comes into the profile of one more.
    pub(super) fn seen(&mut self, of: (Aspect, u64), hour: i32, one_more: bool, weight: f64) {
        let value = self.values.entry(of).or_default();
        value.hour = value.hour.max(hour);
        value.users = value.users.saturating_add(u32::from(one_more));
        value.jumps.all += weight as f32;
    }

    /// A value left a profile.
    pub(super) fn left(&mut self, of: (Aspect, u64)) {
        if let Some(value) = self.values.get_mut(&of) {
            value.users = value.users.saturating_sub(1);
        }
    }

    /// How probable it is that a user who jumps that way at this rate seems to jump between two networks. Notes it.
    pub(super) fn jumps(&mut self, way: usize, user: Rate, networks: [u64; 2], weight: f64) -> f64 {
        let jumps = &mut self.jumps[way % WAYS];
        let usual = Rate { of: *jumps, all: self.hours }.share(JUMPS.0, JUMPS.1, weight);
        *jumps += first(user, weight);
        let every = Rate { of: self.every, all: self.hours }.share(JUMPS.0, JUMPS.1, weight);
        self.every += weight as f32;
        let mut likelier: f64 = 0.25;
        for network in networks.into_iter().filter(|network| *network != 0) {
            let value = self.values.entry((Aspect::Network, network)).or_default();
            likelier = likelier.max(value.jumps.share(every, NETWORK_STRENGTH, weight) / every);
            value.jumps.of += weight as f32;
        }
        // Where networks are not known they say nothing.
        let likelier = if networks == [0, 0] { 1.0 } else { likelier };
        (user.of_user(usual, weight) * likelier).min(1.0)
    }

    /// An hour of a user with a place.
    pub(super) fn hour_somewhere(&mut self, weight: f64) {
        self.hours += weight as f32;
    }

    /// How improbable odd hours are, in bits, for a user who has such at this rate: that one is so odd, and that so much was
    /// done in them, which says more than the first: who is awake once looks once. Notes it; `before` was noted.
    pub(super) fn odd(&mut self, before: Option<Oddness>, now: Oddness, user: Rate, weight: f64) -> f64 {
        let rows = &mut self.odd[usize::from(now.afresh)];
        // Each step from the one before it, so that the first who gets there is not taken for the first of all times.
        let odd = Rate { of: rows[0][0], all: self.judged_hours }.share(ODD.0, ODD.1, weight);
        let odder =
            |at: usize| Rate { of: rows[at + 1][0], all: rows[at][0] }.share(ODDER.0, ODDER.1, weight);
        let usual = (0..now.step).map(odder).product::<f64>() * odd;
        let looks = |of: Oddness| of.looks.clamp(1, LOOKS);
        let again = |pair: &[f32]| Rate { of: pair[1], all: pair[0] }.share(AGAIN.0, AGAIN.1, weight);
        let again: f64 = rows[now.step].windows(2).take(looks(now) - 1).map(|pair| bits(again(pair))).sum();
        let count = first(user, weight);
        for (step, row) in rows.iter_mut().enumerate().take(now.step + 1) {
            let noted = before.filter(|before| step <= before.step).map_or(0, looks);
            row.iter_mut().take(looks(now)).skip(noted).for_each(|of| *of += count);
        }
        let goes_on = if now.afresh { 0.0 } else { GOES_ON };
        let common = ((RARE - bits(usual)) / LONE).clamp(0.0, 1.0);
        let lone = LONE * common * LOOKS_ENOUGH.saturating_sub(now.looks) as f64;
        bits(user.of_user(usual, weight)) + again + ALONE - lone - goes_on
    }

    /// An hour of a user who is known well.
    pub(super) fn judged_hour(&mut self, weight: f64) {
        self.judged_hours += weight as f32;
    }

    /// Forgets the values that were not seen for longest, where there are too many.
    pub(super) fn make_room(&mut self) {
        if self.values.len() <= BEHAVIOUR_CROWD_VALUES_MAX {
            return;
        }
        let mut hours: Vec<i32> = self.values.values().map(|value| value.hour).collect();
        let (_, last, _) = hours.select_nth_unstable(BEHAVIOUR_CROWD_VALUES_MAX / 8);
        let last = *last;
        let mut most = BEHAVIOUR_CROWD_VALUES_MAX / 4;
        self.values.retain(|_, value| {
            let stays = value.hour > last || most == 0;
            most -= usize::from(!stays);
            stays
        });
    }

    /// Forgets values that nobody has and that were not seen since an hour.
    pub(super) fn forget(&mut self, hour: i32) {
        self.values.retain(|_, value| value.users > 0 || value.hour >= hour);
    }

    pub(super) fn bytes(&self) -> usize {
        self.values.len() * (size_of::<((Aspect, u64), Value)>() + 16)
    }

    pub(super) fn scale(&mut self, by: f32) {
        for value in self.values.values_mut() {
            value.taken_up *= by;
            value.jumps.scale(by);
        }
        self.new.iter_mut().for_each(|rate| rate.scale(by));
        let counts = [&mut self.every, &mut self.hours, &mut self.judged_hours];
        self.jumps.iter_mut().chain(counts).for_each(|count| *count *= by);
        self.in_a_row.iter_mut().flatten().for_each(|count| *count *= by);
        self.readiness.iter_mut().for_each(|sum| *sum *= f64::from(by));
        self.odd.iter_mut().flatten().flatten().for_each(|count| *count *= by);
        self.week.scale(by);
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        self.new.iter().for_each(|rate| rate.save(out));
        self.jumps.iter().chain([&self.every, &self.hours]).for_each(|count| put_f32(out, *count));
        self.in_a_row.iter().flatten().for_each(|count| put_f32(out, *count));
        self.readiness.iter().for_each(|sum| put_f64(out, *sum));
        self.odd
            .iter()
            .flatten()
            .flatten()
            .chain([&self.judged_hours])
            .for_each(|count| put_f32(out, *count));
        self.week.save(out);
        out.put_u64(self.values.len() as u64);
        for ((aspect, hash), value) in &self.values {
            out.push(*aspect as u8);
            out.put_u64(*hash);
            out.extend_from_slice(&value.users.to_le_bytes());
            out.extend_from_slice(&value.hour.to_le_bytes());
            put_f32(out, value.taken_up);
            value.jumps.save(out);
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let mut crowd = Self::default();
        for rate in &mut crowd.new {
            *rate = Rate::load(from)?;
        }
        for count in crowd.jumps.iter_mut().chain([&mut crowd.every, &mut crowd.hours]) {
            *count = get_f32(from)?;
        }
        for count in crowd.in_a_row.iter_mut().flatten() {
            *count = get_f32(from)?;
        }
        for sum in &mut crowd.readiness {
            *sum = get_f64(from)?;
        }
        for count in crowd.odd.iter_mut().flatten().flatten().chain([&mut crowd.judged_hours]) {
            *count = get_f32(from)?;
        }
        crowd.week = Hours::load(from)?;
        for _ in 0..from.count()? {
            let aspect = *Aspect::ALL.get(usize::from(from.byte()?))?;
            let hash = from.u64()?;
            let (users, hour) = (u32::from_le_bytes(from.array()?), i32::from_le_bytes(from.array()?));
            let (taken_up, jumps) = (get_f32(from)?, Rate::load(from)?);
            crowd.values.insert((aspect, hash), Value { users, hour, taken_up, jumps });
        }
        Some(crowd)
    }
}

/// What something counts for the crowd that happened to a user as often before. Who does it all the time has a rate of
/// their own; the crowd's is for those who do not.
fn first(user: Rate, weight: f64) -> f32 {
    (weight / (1.0 + f64::from(user.of) / weight)) as f32
}
