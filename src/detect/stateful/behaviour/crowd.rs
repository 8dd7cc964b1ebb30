//! What all users do: how often something is new to a user, which values are taken up, over which networks people seem
//! to jump. What is usual for the crowd is little of a surprise in one of it.

use std::collections::BTreeMap;

use super::super::bytes::{Get, Put};
use super::super::traits::Aspect;
use super::hours::ODDNESS;
use super::rate::{Rate, bits, get_f32, get_f64, put_f32, put_f64};
use super::travel::WAYS;
use crate::limits::BEHAVIOUR_CROWD_VALUES_MAX;

/// What is believed before anything was seen: of a hundred hours of a user, in two something is new …
const NEW: (f64, f64) = (0.02, 50.0);
/// … and in four hundred they cannot have travelled as it seems, each way.
const JUMPS: (f64, f64) = (0.0025, 50.0);
/// Hours that are odd by a step more are half as frequent, as long as nothing else is known.
const ODD_STRENGTH: f64 = 20.0;
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
    /// How many hours were at least so odd; of the first all.
    odd: [f32; ODDNESS],
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
        let again: f64 = row.windows(2).take(before).map(|pair| bits(again(pair))).sum();
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

    /// How probable hours are that are so odd together, for a user who had so many of those. Notes it; `before` was noted.
    pub(super) fn odd(&mut self, before: usize, oddness: usize, user: Rate, weight: f64) -> f64 {
        let oddness = oddness.min(ODDNESS - 1);
        let crowd = Rate { of: self.odd[oddness], all: self.odd[0] };
        let usual = crowd.share((-(oddness as f64)).exp2(), ODD_STRENGTH, weight);
        self.odd[0] += weight as f32;
        self.odd
            .iter_mut()
            .take(oddness + 1)
            .skip(before + 1)
            .for_each(|count| *count += first(user, weight));
        user.of_user(usual, weight)
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
        self.jumps.iter_mut().chain([&mut self.every, &mut self.hours]).for_each(|count| *count *= by);
        self.in_a_row.iter_mut().flatten().for_each(|count| *count *= by);
        self.readiness.iter_mut().for_each(|sum| *sum *= f64::from(by));
        self.odd.iter_mut().for_each(|count| *count *= by);
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        self.new.iter().for_each(|rate| rate.save(out));
        self.jumps.iter().chain([&self.every, &self.hours]).for_each(|count| put_f32(out, *count));
        self.in_a_row.iter().flatten().for_each(|count| put_f32(out, *count));
        self.readiness.iter().for_each(|sum| put_f64(out, *sum));
        self.odd.iter().for_each(|count| put_f32(out, *count));
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
        for count in &mut crowd.odd {
            *count = get_f32(from)?;
        }
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
