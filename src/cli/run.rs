//! `aludel run`: runs pipelines until stopped.
//!
//! SIGTERM and Ctrl-C stop reading and let what was read go through; a second one, or the end of `--drain-timeout`, quits
//! at once (nothing is lost: what was not settled is read again). A reload drains without an end of its own. SIGHUP reads the files again; if they do not compile, the old ones run on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{WRONG_USAGE, bytes, complain, dlq, load, span, summary};
use crate::catalog::Runnable;
use crate::limits::{RETRY_PAUSE_MIN, START_PAUSE_MAX};
use crate::observe::{Admin, Health};
use crate::run::{Engine, Ledger, Settings};
use crate::seam::{RealClock, RealFs};
use crate::sink::OpenError;
use crate::sink::http::HttpNetwork;
use crate::spool::{DataDir, LetterRules, WhenFull};

/// How often the summary on a terminal is drawn again.
const REDRAW: Duration = Duration::from_millis(500);
/// How often the process looks whether it has finished.
const LOOK: Duration = Duration::from_millis(20);

/// The default of `--drain-timeout`, as [`crate::limits::DRAIN_TIMEOUT`].
const DRAIN: &str = "40s";

/// Run pipelines: read, parse, ship, until stopped
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Pipeline files, or folders with `*.aludel` files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// End when everything that is there has been read and settled
    #[arg(long)]
    once: bool,
    /// Folder for cursors, file identities and dead letters
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
    /// Address of /metrics, /livez and /readyz, or `off`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9600", env = "ALUDEL_ADMIN")]
    admin: String,
    /// Worker threads; as many as there are processors if not given
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Bytes of dead letters that are kept, such as 512MiB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", env = "ALUDEL_DEAD_LETTERS_LIMIT", value_parser = bytes)]
    dead_letters_limit: u64,
    /// What happens then: `block` lets what is refused wait, and in time the sources; `drop-oldest` counts what goes
    #[arg(long, value_name = "WHAT", default_value = "block", env = "ALUDEL_DEAD_LETTERS_FULL")]
    dead_letters_full: Full,
    /// How long the hours of the ledger are kept on disk
    #[arg(long, value_name = "TIME", default_value = "31d", env = "ALUDEL_LEDGER_KEEP", value_parser = span)]
    ledger_keep: Duration,
    /// How long what was read may take to go through after SIGTERM; what has not settled by then is sent by the next run
    #[arg(long, value_name = "TIME", default_value = DRAIN, env = "ALUDEL_DRAIN_TIMEOUT", value_parser = span)]
    drain_timeout: Duration,
    /// Print no summary, only warnings and the ledger
    #[arg(long, short)]
    quiet: bool,
}

/// What happens when the dead letters have reached their limit.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Full {
    Block,
    DropOldest,
}

/// Why the main loop went on.
enum Wake {
    Tick,
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self, wait: Duration) -> Wake {
        tokio::select! {
            _ = self.terminate.recv() => Wake::Stop,
            _ = self.interrupt.recv() => Wake::Stop,
            _ = self.hangup.recv() => Wake::Reload,
            () = tokio::time::sleep(wait) => Wake::Tick,
        }
    }
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(plan) = self.load()? else { return Ok(ExitCode::from(WRONG_USAGE)) };
        let folder = DataDir::lock(&self.data_dir)?;
        let settings = Settings {
            data_dir: folder.path().to_path_buf(),
            workers: self
                .workers
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
            once: self.once,
            fs: Arc::new(RealFs),
            clock: Arc::new(RealClock::start()),
            network: Arc::new(HttpNetwork::start()?),
        };
        dlq::remember(folder.path(), &self.files)?;
        let health = Arc::new(Health::default());
        let admin = self.admin(health.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let code = runtime.block_on(self.supervise(Arc::new(plan), &settings, &health, admin.as_ref()));
        drop(admin);
        code
    }

    fn load(&self) -> anyhow::Result<Option<Runnable>> {
        let mut plan = load::load(&self.files)?;
        if let Some(plan) = &mut plan {
            let when_full = match self.dead_letters_full {
                Full::Block => WhenFull::Block,
                Full::DropOldest => WhenFull::DropOldest,
            };
            plan.ledger_hours = self.ledger_keep.as_secs().div_ceil(3600).max(1);
            plan.letters = LetterRules { bytes_max: self.dead_letters_limit, when_full };
        }
        Ok(plan)
    }

    fn admin(&self, health: Arc<Health>) -> anyhow::Result<Option<Admin>> {
        if self.admin == "off" {
            return Ok(None);
        }
        let address: SocketAddr =
            self.admin.parse().with_context(|| format!("--admin {}: not HOST:PORT or `off`", self.admin))?;
        match Admin::start(address, health) {
            Ok(admin) => Ok(Some(admin)),
            // A second instance on one machine is common (a trial beside the service): it still runs.
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && self.once => {
                complain(&format!("warning: {address} is in use, running without the admin pages"));
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| {
                format!(
                    "cannot listen on {address} for /metrics; choose another with --admin, or `--admin off`"
                )
            }),
        }
    }

    async fn supervise(
        &self,
        mut plan: Arc<Runnable>,
        settings: &Settings,
        health: &Health,
        admin: Option<&Admin>,
    ) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::listen()?;
        loop {
            let engine = match self.begin(&mut plan, settings, &mut signals).await? {
                Some(engine) => engine,
                None => return Ok(ExitCode::SUCCESS),
            };
            health.set_stats(engine.stats());
            health.set_ready(true);
            let mut screen = summary::Screen::new(&plan, self.quiet, admin.map(Admin::address));
            let end = self.watch(&engine, &mut signals, &mut screen, settings).await;
            health.set_ready(false);
            if let End::Quit(code, why) = end {
                screen.leave();
                complain(&format!("{why}: what was not settled is sent by the next run"));
                std::process::exit(code);
            }
            let stats = engine.stats();
            let ledger = engine.join().map_err(anyhow::Error::msg)?;
            screen.last(&stats.snapshot(), &ledger);
            match end {
                End::Reload(next) => plan = Arc::new(next),
                _ => return Ok(outcome(&ledger)),
            }
        }
    }

    /// Starts the engine, as soon as all sinks that must be asked something first can be reached. `None`: stopped before.
    async fn begin(
        &self,
        plan: &mut Arc<Runnable>,
        settings: &Settings,
        signals: &mut Signals,
    ) -> anyhow::Result<Option<Engine>> {
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let why = match Engine::start(plan.clone(), settings) {
                Ok(engine) => return Ok(Some(engine)),
                Err(OpenError::Wrong(why)) => anyhow::bail!(why),
                Err(OpenError::NotYet(why)) => why,
            };
            pause = (2 * pause).min(START_PAUSE_MAX);
            complain(&format!("warning: {why}; nothing is read until it can be reached, trying again"));
            match signals.next(pause).await {
                Wake::Stop => return Ok(None),
                Wake::Reload => {
                    if let Ok(Some(next)) = self.load() {
                        *plan = Arc::new(next);
                    }
                }
                Wake::Tick => {}
            }
        }
    }

    /// Watches a running engine until it has finished.
    async fn watch(
        &self,
        engine: &Engine,
        signals: &mut Signals,
        screen: &mut summary::Screen,
        settings: &Settings,
    ) -> End {
        let mut stopping = false;
        let mut deadline = None;
        let mut reload = None;
        let mut drawn = Duration::ZERO;
        while !engine.is_finished() {
            match signals.next(LOOK).await {
                // A reload that waits for a dead sink may be stopped too.
                Wake::Stop if deadline.is_some() => return End::Quit(130, "quit at once"),
                Wake::Stop => {
                    stopping = true;
                    deadline = Some(settings.clock.monotonic() + self.drain_timeout);
                    reload = None;
                    screen.say("stopping: what was read goes through; once more to quit at once");
                    engine.stop();
                }
                Wake::Reload if !stopping => match self.load() {
                    Ok(Some(next)) => {
                        screen.say("reloading: the new files compile, switching over");
                        reload = Some(next);
                        stopping = true;
                        engine.stop();
                    }
                    Ok(None) => screen.say("not reloaded: the files do not compile, the old ones run on"),
                    Err(error) => screen.say(&format!("not reloaded, the old files run on: {error:#}")),
                },
                Wake::Reload | Wake::Tick => {}
            }
            for warning in engine.warnings() {
                screen.say(&format!("warning: {warning}"));
            }
            let now = settings.clock.monotonic();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return End::Quit(1, "not all that was read has gone through in time (--drain-timeout)");
            }
            if now >= drawn + REDRAW {
                drawn = now;
                screen.draw(&engine.stats().snapshot());
            }
        }
        for warning in engine.warnings() {
            screen.say(&format!("warning: {warning}"));
        }
        reload.map_or(End::Finished, End::Reload)
    }
}

enum End {
    Finished,
    Reload(Runnable),
    /// With a code, and why.
    Quit(i32, &'static str),
}

/// Success unless bytes were lost or the books do not balance.
fn outcome(ledger: &Ledger) -> ExitCode {
    if ledger.balances() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_limit() {
        assert_eq!(span(DRAIN), Ok(crate::limits::DRAIN_TIMEOUT));
    }
}
