//! What the messages of one stream were told as: how sure that is, and when it changed.

/// Messages that the present answer rests on.
const WINDOW: usize = 64;

/// Formats of one stream that are counted by name; there are hardly more than two.
const NAMES_MAX: usize = 16;

/// A format and its share of a stream's messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its name.
    pub name: &'static str,
    /// Messages that it took.
    pub messages: u64,
    /// The same as a share of all, from 0 to 1.
    pub share: f64,
}

/// What the messages of one stream were told as. It only watches: which format takes a message does not depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    names: Vec<(&'static str, u64)>,
    messages: u64,
    /// Of the last messages, the place of the name, oldest first from `oldest` on; `None` for those nobody took.
    window: Vec<Option<u8>>,
    oldest: usize,
    current: Option<u8>,
    changes: Vec<(u64, &'static str)>,
    change_count: u64,
}

/// Changes that are kept with their place; more are only counted.
const CHANGES_MAX: usize = 16;

impl Told {
    /// Notes which format took the next message.
    pub fn note(&mut self, name: Option<&'static str>) {
        self.messages += 1;
        let place = name.and_then(|name| self.place(name));
        if self.window.len() < WINDOW {
            self.window.push(place);
        } else if let Some(old) = self.window.get_mut(self.oldest) {
            *old = place;
            self.oldest = (self.oldest + 1) % WINDOW;
        }
        if place.is_some() && place != self.current && self.leads(place) {
            if self.current.is_some() {
                self.change_count += 1;
                if let Some(name) = name.filter(|_| self.changes.len() < CHANGES_MAX) {
                    self.changes.push((self.messages, name));
                }
            }
            self.current = place;
        }
    }

    fn place(&mut self, name: &'static str) -> Option<u8> {
        let known = self.names.iter().position(|(known, _)| *known == name);
        let place = known.unwrap_or(self.names.len());
        if place == NAMES_MAX {
            return None;
        }
        if known.is_none() {
            self.names.push((name, 0));
        }
        self.names.get_mut(place)?.1 += 1;
        u8::try_from(place).ok()
    }

    /// Whether one takes more than half of the last messages: an access and an error log on one stream do not make
    /// the answer change with every line.
    fn leads(&self, place: Option<u8>) -> bool {
        self.current.is_none()
            || 2 * self.window.iter().filter(|other| **other == place).count() > self.window.len()
    }

    /// Messages so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The format that leads now, and its share of the last messages.
    pub fn now(&self) -> Option<(&'static str, f64)> {
        let (name, _) = self.names.get(usize::from(self.current?))?;
        let count = self.window.iter().filter(|place| **place == self.current).count();
        Some((name, count as f64 / self.window.len() as f64))
    }

    /// The formats and their shares of all messages, the greatest first; of equals the one that came first.
    pub fn shares(&self) -> Vec<Share> {
        let of = |&(name, messages): &(&'static str, u64)| Share {
            name,
            messages,
            share: messages as f64 / self.messages.max(1) as f64,
        };
        let mut shares: Vec<_> = self.names.iter().map(of).collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.messages));
        shares
    }

    /// How often another format came to lead.
    pub fn change_count(&self) -> u64 {
        self.change_count
    }

    /// The first changes: the number of the message, from 1, and the format that leads since.
    pub fn changes(&self) -> &[(u64, &'static str)] {
        &self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_stream_keeps_its_answer_and_a_new_format_changes_it() {
        let mut told = Told::default();
        for at in 0..200 {
            told.note(Some(if at % 5 == 3 { "error" } else { "access" }));
        }
        assert_eq!((told.now(), told.change_count()), (Some(("access", 51.0 / 64.0)), 0));
        for _ in 0..100 {
            told.note(Some("json"));
        }
        assert_eq!(told.now(), Some(("json", 1.0)));
        assert_eq!(told.changes(), [(233, "json")]);
        let shares: Vec<_> = told.shares().iter().map(|share| (share.name, share.messages)).collect();
        assert_eq!(shares, [("access", 160), ("json", 100), ("error", 40)]);
    }

    #[test]
    fn what_nobody_took_lowers_the_confidence() {
        let mut told = Told::default();
        assert_eq!(told.now(), None);
        for name in [None, Some("json"), None, None] {
            told.note(name);
        }
        assert_eq!(told.now(), Some(("json", 0.25)));
        assert_eq!(told.messages(), 4);
    }
}
