//! `stdout`: events on standard output, as JSON lines for programs or as text for people.
//!
//! Ordered. Writing blocks where the reader is slow, which is the back-pressure; the sink has a thread of its own.
//! A reader that leaves (`aludel … | head`) is a clean end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::lines::{Form, Lines};
use super::reorder::Reorder;
use super::{Body, Encoder, Next, OpenError, Payload, Settled, Shape, Sink, SinkKind, SinkPlan, World};
use crate::event::Options;
use crate::position::CursorRecord;
use crate::signature::{OptionSpec, OptionType, Signature};

/// How long to wait before another try, when standard output fails with something else than a reader that left.
const RETRY: Duration = Duration::from_secs(1);

/// As the catalog lists it.
pub const KIND: SinkKind = SinkKind {
    signature: &Signature {
        name: "stdout",
        summary: "events on standard output",
        doc: "`pretty` is for people: time, level, service, message, then the other fields as `key=value`; further \
              lines of a message are indented. It has colour on a terminal unless `NO_COLOR` is set. `ndjson` is \
              one JSON object a line. `auto` is `pretty` on a terminal and `ndjson` anywhere else.",
        form: "stdout { format = auto }",
        options: &[OptionSpec {
            name: "format",
            ty: OptionType::Word(&["auto", "pretty", "ndjson"]),
            default: Some("auto"),
            doc: "what a line looks like",
        }],
        examples: &[],
    },
    plan: |_, options| Ok(Box::new(Plan { form: form(options) })),
};

fn form(options: &Options) -> Form {
    let terminal = io::stdout().is_terminal();
    // <https://no-color.org>: set and not empty.
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match options.text("format") {
        Some("ndjson") => Form::Ndjson,
        Some("pretty") => Form::Pretty { colour },
        _ if terminal => Form::Pretty { colour },
        _ => Form::Ndjson,
    }
}

struct Plan {
    form: Form,
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(Lines::new(Some(self.form), shape)))
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        Ok((Box::new(Stdout::new(world.fs.output())), Vec::new()))
    }

    fn ordered(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        "in order; at least once, as far as the reader of standard output takes it"
    }

    fn place(&self) -> String {
        "standard output".to_owned()
    }
}

/// Standard output, or what a test gives in its place.
pub struct Stdout<W> {
    to: W,
    window: Reorder,
    /// The body that is being written, and how much of it is.
    open: Option<(Body, usize)>,
    trouble: Option<String>,
    closed: bool,
    gone: bool,
}

impl<W: Write + Send> Stdout<W> {
    /// A sink that writes there.
    pub fn new(to: W) -> Self {
        Self { to, window: Reorder::default(), open: None, trouble: None, closed: false, gone: false }
    }

    /// Writes what is left of the open body.
    #[expect(clippy::disallowed_methods, reason = "what was taken must be known when the next write fails")]
    fn write(&mut self) -> io::Result<()> {
        let Some((body, written)) = &mut self.open else { return Ok(()) };
        let Payload::Bytes(bytes) = &body.payload else { return Ok(()) };
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => *written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.to.flush()
    }
}

impl<W: Write + Send> Sink for Stdout<W> {
    fn begin(&mut self, first_batch: u64) {
        self.window.begin(first_batch);
    }

    fn offer(&mut self, body: Body, _: Duration) {
        if !self.gone {
            self.window.push(body);
        }
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        while !self.gone {
            if self.open.is_none() {
                let body = if self.closed { self.window.pop_any() } else { self.window.pop() };
                let Some(body) = body else { break };
                self.open = Some((body, 0));
            }
            match self.write() {
                Ok(()) => settled.extend(self.open.take().map(|(body, _)| Settled::whole(body))),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.gone = true;
                    self.open = None;
                    self.window = Reorder::default();
                }
                // Somebody made the terminal non-blocking, which is shared with us.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Next::At(now + Duration::from_millis(10));
                }
                Err(error) => {
                    self.trouble = Some(format!("standard output: {error}"));
                    return Next::At(now + RETRY);
                }
            }
            self.trouble = None;
        }
        if self.closed || self.gone { Next::Done } else { Next::Idle }
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}
