//! Whoever waits for a program to end waits for a while, not for ever: one that hangs is a failed test that says so.

use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than the slowest program needs on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(300);

/// While it lives, a child that does not end in time is killed: who waits for it goes on, and finds that it was.
pub(crate) struct Patience {
    over: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    /// Has patience with a child. Drop it once the child has been waited for.
    pub(crate) fn with(child: &Child) -> Self {
        Self::of(child.id(), LIMIT)
    }

    fn of(pid: u32, limit: Duration) -> Self {
        let (over, waits) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            if waits.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("process {pid} has not ended within {limit:?} and is killed");
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self { over: Some(over), thread: Some(thread) }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn what_hangs_is_killed_and_what_ends_is_not() {
    let sleep = |seconds: &str| Command::new("sleep").arg(seconds).spawn().expect("it starts");
    let mut hangs = sleep("600");
    let patience = Patience::of(hangs.id(), Duration::from_millis(50));
    assert!(!hangs.wait().expect("it is killed").success());
    drop(patience);
    let mut ends = sleep("0");
    let patience = Patience::with(&ends);
    assert!(ends.wait().expect("it ends").success());
    drop(patience);
}
