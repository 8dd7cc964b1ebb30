//! Watches the books while a run goes on: they must balance at every flush, and everyone may see them.
//!
//! In: the settler's accounts and what the sources have not read. Out: the figures for the metrics, a note in the
//! ledger on disk, and a warning where a byte is in no account or in two. An imbalance is a fault of the program: it
//! is said loudly, and stops nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::settler::Settler;
use crate::limits::LEDGER_UNREAD_EVERY;
use crate::observe::{AccountStats, LetterStats, Stats};
use crate::spool::{Account, What};

/// What was seen at the last look.
#[derive(Default)]
pub(super) struct Watch {
    /// Bytes by which an account does not balance, where it does not.
    wrong: BTreeMap<String, u64>,
    unread_at: Option<Duration>,
}

impl Watch {
    /// Looks at the books; gives what a person must know.
    pub(super) fn look(&mut self, settler: &mut Settler, stats: &Stats, now: Duration) -> Vec<String> {
        let mut warnings = Vec::new();
        let ledger = settler.ledger();
        for (source, sink, account) in &ledger.accounts {
            let (of, bytes) = (format!("{source} → {sink}"), account.imbalance());
            if bytes != self.wrong.get(&of).copied().unwrap_or_default() {
                settler.note(What::Imbalance, &of, bytes);
                warnings.push(format!(
                    "THE LEDGER OF {of} DOES NOT BALANCE by {bytes} bytes; this is a fault of aludel, please report it"
                ));
                self.wrong.insert(of, bytes);
            }
        }
        let letters = settler.letters();
        let letters = LetterStats {
            written: letters.written(),
            dropped: letters.dropped_in_all(),
            bytes: letters.used(),
            waiting: letters.waiting(),
            is_full: letters.is_full(),
        };
        let unread: Vec<(String, u64)> = {
            let mut all = stats.lock();
            all.ledger = ledger.accounts.iter().map(figures).collect();
            all.letters = letters;
            all.sources.iter().map(|(name, source)| (name.clone(), source.unread_bytes)).collect()
        };
        if self.unread_at.is_none_or(|at| now >= at + LEDGER_UNREAD_EVERY) {
            self.unread_at = Some(now);
            unread.iter().for_each(|(source, bytes)| settler.note(What::Unread, source, *bytes));
        }
        warnings
    }
}

/// One account in figures of bounded number: reasons are added up.
fn figures((source, sink, account): &(String, String, Account)) -> AccountStats {
    let sum = |reasons: &BTreeMap<std::sync::Arc<str>, u64>| reasons.values().sum();
    AccountStats {
        source: source.clone(),
        sink: sink.clone(),
        imbalance: account.imbalance(),
        states: [
            ("read", account.head),
            ("settled_before", account.earlier),
            ("delivered", account.delivered),
            ("dropped", sum(&account.dropped)),
            ("dead_lettered", sum(&account.rejected)),
            ("gap", account.gap),
            ("in_flight", account.in_flight),
        ],
    }
}
