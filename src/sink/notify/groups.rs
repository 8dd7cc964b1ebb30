//! Which alerts go together, and when: pure, over a wall clock that it is told.
//!
//! An alert joins the group that has its values of `group_by`. A new group waits `group_wait` for more, so that one
//! cause is one notification; what joins a group of which people were told waits until `group_interval` after that.
//! An id that is in the group already changes nothing but how long it lasts. A group that stays quiet for
//! `resolve_after` is resolved: people are told, and it is forgotten; and at once where all that it tells of was said to
//! be over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Labels, Severity};
use crate::limits::{NOTIFY_ALERTS_MAX, NOTIFY_GROUPS_MAX, NOTIFY_IDS_MAX};

/// When notifications go.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Dotted paths that tell groups apart.
    pub(super) group_by: Vec<String>,
    pub(super) group_wait: Duration,
    pub(super) group_interval: Duration,
    pub(super) resolve_after: Duration,
    /// Whether the destination holds each alert for itself, and is told of each that it is over.
    pub(super) each: bool,
}

impl Rules {
    /// Alerts that a group keeps of those that people were told of.
    fn kept(&self) -> usize {
        if self.each { NOTIFY_IDS_MAX } else { KEPT }
    }
}

/// A row of a body, to be settled when people were told of it.
pub(super) type Handle = (u64, u32);

/// Alerts that are told of together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group {
    /// The values of `group_by`.
    pub(super) labels: Labels,
    /// The last alerts that people were told of, for the notification that says that it is over.
    pub(super) told: VecDeque<Alert>,
    /// Ids of alerts that people were told of, the last ones.
    ids: VecDeque<String>,
    /// Alerts that people were told of, in all.
    pub(super) count: u64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    /// When an alert last came, by the wall clock.
    seen_ns: i64,
    /// When people were last told.
    told_ns: Option<i64>,
    /// What it tells of and nobody said is over, by rule and labels; no more than [`NOTIFY_IDS_MAX`].
    #[serde(default)]
    firing: BTreeSet<String>,
    /// When the last of those was said to be over.
    #[serde(default)]
    over_ns: Option<i64>,
    /// Alerts that people are to be told of, with their rows.
    #[serde(skip)]
    new: Vec<(Alert, Vec<Handle>)>,
    /// The rows of those beyond what is kept.
    #[serde(skip)]
    more: Vec<Handle>,
    /// Rows that said that something is over.
    #[serde(skip)]
    ends: Vec<Handle>,
    /// When people are to be told.
    #[serde(skip)]
    due_ns: Option<i64>,
}

/// What people are to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    /// The group, by its key.
    pub(super) key: String,
    pub(super) resolved: bool,
    pub(super) labels: Labels,
    pub(super) alerts: Vec<Alert>,
    /// Alerts beside those.
    pub(super) more: u64,
    pub(super) severity: Severity,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    /// Until when it holds, if nothing more comes.
    pub(super) until_ns: i64,
}

impl Notice {
    /// How many alerts it is about.
    pub(super) fn count(&self) -> u64 {
        self.alerts.len() as u64 + self.more
    }
}

/// All groups of one sink, by key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Groups(BTreeMap<String, Group>);

fn ns(of: Duration) -> i64 {
    i64::try_from(of.as_nanos()).unwrap_or(i64::MAX)
}

impl Groups {
    /// Takes an alert. Returns the row where there is nothing to tell: it was told of before.
    pub(super) fn add(
        &mut self,
        rules: &Rules,
        alert: Alert,
        row: Handle,
        now_ns: i64,
    ) -> Result<(), Handle> {
        let mut labels: Labels = Labels::new();
        for path in &rules.group_by {
            labels.insert(path.clone(), alert.value(path).unwrap_or_default());
        }
        let mut key = key_of(&labels);
        if self.0.len() >= NOTIFY_GROUPS_MAX && !self.0.contains_key(&key) {
            // Not lost, only less well told apart.
            labels.values_mut().for_each(|value| *value = "more than can be told apart".into());
            key = key_of(&labels);
        }
        if alert.is_end {
            return self.ends(&key, &alert, row, now_ns);
        }
        let group = self.0.entry(key).or_insert_with(|| Group {
            labels,
            told: VecDeque::new(),
            ids: VecDeque::new(),
            count: 0,
            first_ns: alert.time_ns,
            last_ns: alert.time_ns,
            seen_ns: now_ns,
            told_ns: None,
            firing: BTreeSet::new(),
            over_ns: None,
            new: Vec::new(),
            more: Vec::new(),
            ends: Vec::new(),
            due_ns: None,
        });
        group.seen_ns = now_ns;
        group.first_ns = group.first_ns.min(alert.time_ns);
        group.last_ns = group.last_ns.max(alert.time_ns);
        if group.ids.contains(&alert.id) {
            return Err(row);
        }
        // One that is not kept is never said to be over: quiet tells, as it does of all others.
        if group.firing.len() < NOTIFY_IDS_MAX {
            group.firing.insert(alert.condition());
        }
        group.over_ns = None;
        if let Some((_, rows)) = group.new.iter_mut().find(|(known, _)| known.id == alert.id) {
            rows.push(row);
            return Ok(());
        }
        group.due_ns.get_or_insert(match group.told_ns {
            None => now_ns.saturating_add(ns(rules.group_wait)),
            Some(told) => told.saturating_add(ns(rules.group_interval)).max(now_ns),
        });
        match group.new.len() < NOTIFY_ALERTS_MAX {
            true => group.new.push((alert, vec![row])),
            false => group.more.push(row),
        }
        Ok(())
    }

    /// Something is over: people are told once nothing is left of its group. Returns the row where there is nothing to tell.
    fn ends(&mut self, key: &str, alert: &Alert, row: Handle, now_ns: i64) -> Result<(), Handle> {
        let Some(group) = self.0.get_mut(key) else { return Err(row) };
        let was_full = group.firing.len() >= NOTIFY_IDS_MAX;
        if group.firing.remove(&alert.condition()) && group.firing.is_empty() && !was_full {
            group.over_ns = Some(now_ns);
        }
        if group.over_ns.is_none() {
            return Err(row);
        }
        group.ends.push(row);
        Ok(())
    }

    /// When there is something to tell next.
    pub(super) fn next_due(&self, rules: &Rules, closing: bool) -> Option<i64> {
        self.0.values().filter_map(|group| group.due(rules, closing)).min()
    }

    /// What to tell now: the group that waits longest.
    pub(super) fn due(&self, rules: &Rules, closing: bool, now_ns: i64) -> Option<Notice> {
        let due = self.0.iter().filter_map(|(key, group)| Some((group.due(rules, closing)?, key, group)));
        let (_, key, group) = due.filter(|(at, ..)| *at <= now_ns).min_by_key(|(at, ..)| *at)?;
        let resolved = group.new.is_empty();
        let alerts: Vec<Alert> = match resolved {
            true => group.told.iter().cloned().collect(),
            false => group.new.iter().map(|(alert, _)| alert.clone()).collect(),
        };
        let beside =
            if resolved { group.count.saturating_sub(alerts.len() as u64) } else { group.more.len() as u64 };
        Some(Notice {
            key: key.clone(),
            resolved,
            labels: group.labels.clone(),
            severity: alerts.iter().map(|alert| alert.severity).max().unwrap_or_default(),
            more: beside,
            alerts,
            first_ns: group.first_ns,
            last_ns: group.last_ns,
            until_ns: if resolved { now_ns } else { now_ns.saturating_add(ns(rules.resolve_after)) },
        })
    }

    /// People were told: the rows that this settles. Alerts that came since then wait for the next time.
    pub(super) fn told(&mut self, rules: &Rules, notice: &Notice, now_ns: i64) -> Vec<Handle> {
        let Some(group) = self.0.get_mut(&notice.key) else { return Vec::new() };
        let ends = std::mem::take(&mut group.ends);
        if notice.resolved {
            if group.new.is_empty() {
                self.0.remove(&notice.key);
                return ends;
            }
            // What comes after the end is a beginning.
            (group.told_ns, group.count) = (None, 0);
            group.told.clear();
            group.ids.clear();
            group.first_ns = group.new.iter().map(|(alert, _)| alert.time_ns).min().unwrap_or(now_ns);
            return ends;
        }
        let mut rows: Vec<Handle> = group.more.drain(..group.more.len().min(notice.more as usize)).collect();
        // Those of the end wait for its word, unless it goes on.
        match group.over_ns {
            Some(_) => group.ends = ends,
            None => rows.extend(ends),
        }
        for (alert, of) in group.new.drain(..group.new.len().min(notice.alerts.len())) {
            rows.extend(of);
            group.ids.push_back(alert.id.clone());
            if rules.each {
                // The same alert again; and what tells them apart are their labels.
                group.told.retain(|of| of.severity != alert.severity || of.condition() != alert.condition());
                group.told.push_back(Alert { event: serde_json::Value::Null, ..alert });
            } else {
                group.told.push_back(alert);
            }
        }
        let over = group.ids.len().saturating_sub(NOTIFY_IDS_MAX);
        group.ids.drain(..over);
        let over = group.told.len().saturating_sub(rules.kept());
        group.told.drain(..over);
        group.count += notice.count();
        group.told_ns = Some(now_ns);
        group.due_ns = (!group.new.is_empty() || !group.more.is_empty())
            .then(|| now_ns.saturating_add(ns(rules.group_interval)));
        rows
    }

    /// The destination will never take it: the rows of which people will not be told.
    pub(super) fn refused(&mut self, notice: &Notice) -> Vec<Handle> {
        if notice.resolved {
            return self.0.remove(&notice.key).map_or(Vec::new(), |group| group.ends);
        }
        let Some(group) = self.0.get_mut(&notice.key) else { return Vec::new() };
        let mut rows: Vec<Handle> = group.more.drain(..group.more.len().min(notice.more as usize)).collect();
        rows.extend(group.new.drain(..group.new.len().min(notice.alerts.len())).flat_map(|(_, of)| of));
        if group.new.is_empty() && group.more.is_empty() {
            group.due_ns = None;
            if group.told_ns.is_none() {
                rows.extend(self.0.remove(&notice.key).map_or(Vec::new(), |group| group.ends));
            }
        }
        rows
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Alerts that a group keeps of those that people were told of, where they are shown.
const KEPT: usize = 5;

impl Group {
    fn due(&self, rules: &Rules, closing: bool) -> Option<i64> {
        match self.due_ns {
            // At the end nobody waits for more.
            Some(_) if closing => Some(i64::MIN),
            Some(due) => Some(due),
            None if self.over_ns.is_some() => self.over_ns.filter(|_| self.told_ns.is_some()),
            None if closing => None,
            None => {
                self.told_ns.filter(|_| self.new.is_empty())?;
                Some(self.seen_ns.saturating_add(ns(rules.resolve_after)))
            }
        }
    }
}

/// What tells groups apart, whatever the labels hold.
fn key_of(labels: &Labels) -> String {
    let mut key = String::new();
    for (name, value) in labels {
        key.push_str(&format!("{name}={value:?};"));
    }
    key
}
