//! Grammars: formats that are data. A `*.grammar` file says what a line looks like; it compiles to a plan that
//! looks at each byte about once.
//!
//! In: grammar files, then messages. Out: typed fields in ECS names. A file carries its own evidence: every line
//! form has a sample, and every sample matches exactly one form, whole, with exactly the values given.
//!
//! A `line` is a text; a `json` form is an object, whose members are made of the same pieces: `.key = …` must be there
//! and be so, `.key? = …` stays under its own name where it is not, `.key` only has to be there, `!.key` must not, and
//! `.* = {name: object}` says where all others go. Keys with dots are paths. A JSON dialect is one such file.
//! A `pairs` form is the same for logfmt.
//! An `xml` form is the same for a document: attributes are keys with `@`, and elements with an attribute `Name` are
//! named by it.
//!
//! Where others write lines of the same form, `told "…" | "…"` says by which texts `auto` tells that one is this
//! program's. Where one of the fields holds what another program wrote, `inner message` names it, and `auto` tells that
//! as well: its fields are added, and where both give one it is the inner one's.
//!
//! The written form ([`written`]) is what the file says; [`Grammar`] has its parts put in place and its fields
//! typed; [`Grammar::bind`] gives the plan for one pipeline's layout.

mod auto;
mod bound;
mod columns;
mod file;
mod infer;
mod kind;
mod level;
mod list;
mod message;
mod object;
mod plan;
mod request;
mod resolve;
mod run;
mod sample;
pub mod written;

use std::sync::{LazyLock, OnceLock};

use crate::diag::Report;
use crate::event::Options;
use crate::format::{self, Bind, Format, FormatKind, Gives};
use crate::signature::{Field, OptionSpec, OptionType};
pub use auto::{AUTO, Detector, Share, TELLABLE, Told, may_be, order};
pub use infer::infer;
pub use message::{Found, Reader};
pub use sample::{Parsed, Trial, bless, parse_fields};
use written::{Gather, Sample, Set};

/// Options that every grammar takes.
pub const OPTIONS: &[OptionSpec] = &[ZONE];

/// The zone of times that do not name theirs.
pub const ZONE: OptionSpec = OptionSpec {
    name: "zone",
    ty: OptionType::Text,
    default: Some("\"UTC\""),
    doc: "zone of times that do not name theirs: an offset such as `+02:00`, or a name such as `Europe/Berlin`",
};

/// A checked grammar.
#[derive(Clone, Debug)]
pub struct Grammar {
    name: String,
    summary: String,
    see: String,
    told: Vec<String>,
    inner: Option<String>,
    sets: Vec<Set>,
    gathers: Vec<Gather>,
    lines: Vec<Line>,
    samples: Vec<Sample>,
    refused: Vec<Sample>,
    fields: Vec<Field>,
    /// Whether the parts of a trace in its message are fields too.
    traces: bool,
}

/// The field in which a trace is looked for.
const MESSAGE: &str = "message";

/// One line form with its parts in place.
#[derive(Clone, Debug)]
struct Line {
    name: String,
    shape: plan::Form,
    /// Where the message is a JSON object: its members instead.
    object: Option<plan::Object>,
    /// Tried only where no other fits.
    fallback: bool,
}

impl Grammar {
    /// Reads a grammar file and checks all that it claims. The report holds every error of the file.
    pub fn load(name: &str, text: &str) -> Result<Self, Report> {
        let source =
            std::sync::Arc::new(crate::diag::SourceText { name: name.to_owned(), text: text.to_owned() });
        let fail = |diagnostics| Report { source: source.clone(), diagnostics };
        let grammar = file::parse(text).and_then(resolve::resolve).map_err(fail)?;
        let wrong = sample::check(&grammar);
        if wrong.is_empty() { Ok(grammar) } else { Err(fail(wrong)) }
    }

    /// Its name, such as `nginx.access`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line: what it reads.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Where the format is described.
    pub fn see(&self) -> &str {
        &self.see
    }

    /// Texts of which a message holds one if `auto` is to tell it as this; none where any may be.
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// The field that holds what another program wrote, if there is one: `auto` tells that too.
    pub fn inner(&self) -> Option<&str> {
        self.inner.as_deref()
    }

    /// The fields that it gives.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Texts that it reads, with the line form that each is of.
    pub fn samples(&self) -> impl Iterator<Item = (&str, &str)> {
        self.samples.iter().map(|sample| (sample.line.as_str(), sample.text.as_str()))
    }

    /// Whether the data may bring fields that the file does not name.
    fn is_open(&self) -> bool {
        self.lines.iter().any(|line| line.object.as_ref().is_some_and(|object| object.rest.is_empty()))
    }

    /// Binds it to the layout of a pipeline.
    pub fn bind(&self, bind: &mut Bind<'_>) -> Result<Box<dyn Format>, String> {
        Ok(Box::new(bound::Bound::new(self, bind)?))
    }
}

/// The grammars that come with aludel, in the order of their names.
pub fn all() -> &'static [Grammar] {
    static ALL: LazyLock<Vec<Grammar>> = LazyLock::new(|| {
        // The samples are checked by a test, not at every start.
        list::FILES.iter().filter_map(|(_, text)| file::parse(text).and_then(resolve::resolve).ok()).collect()
    });
    &ALL
}

/// Grammars of the user's own.
static INSTALLED: OnceLock<Vec<Grammar>> = OnceLock::new();

/// Adds grammars of the user's own, once and for the life of the process.
pub fn install(grammars: Vec<Grammar>) -> Result<(), String> {
    for (at, grammar) in grammars.iter().enumerate() {
        let twice = grammars[..at].iter().any(|other| other.name == grammar.name);
        if twice || parser(&grammar.name).is_some() {
            return Err(format!("there is a grammar or format `{}` already", grammar.name));
        }
    }
    INSTALLED.set(grammars).map_err(|_| "grammars were added before".to_owned())
}

/// The grammar of a name.
pub fn get(name: &str) -> Option<&'static Grammar> {
    all().iter().chain(INSTALLED.get().into_iter().flatten()).find(|grammar| grammar.name == name)
}

/// Anything that `parse … as NAME` can name.
#[derive(Clone, Copy)]
pub enum Parser {
    /// A format that is data.
    Grammar(&'static Grammar),
    /// A format that is code.
    Format(&'static FormatKind),
    /// Whichever of them is like the text.
    Auto,
}

/// The grammar or format of a name.
pub fn parser(name: &str) -> Option<Parser> {
    let format = || format::formats().iter().find(|format| format.signature.name == name).map(Parser::Format);
    if name == AUTO {
        return Some(Parser::Auto);
    }
    get(name).map(Parser::Grammar).or_else(format)
}

/// The names of all grammars and formats.
pub fn names() -> impl Iterator<Item = &'static str> {
    let formats = format::formats().iter().map(|format| format.signature.name);
    let installed = INSTALLED.get().into_iter().flatten();
    all().iter().chain(installed).map(|grammar| grammar.name.as_str()).chain(formats)
}

impl Parser {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grammar(grammar) => &grammar.name,
            Self::Format(format) => format.signature.name,
            Self::Auto => AUTO,
        }
    }

    /// Options that it takes.
    pub fn options(self) -> &'static [OptionSpec] {
        match self {
            Self::Grammar(_) | Self::Auto => OPTIONS,
            Self::Format(format) => format.signature.options,
        }
    }

    /// The fields it gives.
    pub fn gives(self, options: &Options) -> Result<Gives, String> {
        match self {
            Self::Grammar(grammar) => Ok(Gives { fields: grammar.fields.clone(), open: grammar.is_open() }),
            Self::Format(format) => (format.gives)(options),
            Self::Auto => auto::gives(),
        }
    }

    /// Binds it to a layout that names all these fields.
    pub fn bind(self, bind: &mut Bind<'_>) -> Result<Box<dyn Format>, String> {
        match self {
            Self::Grammar(grammar) => grammar.bind(bind),
            Self::Format(format) => (format.bind)(bind),
            Self::Auto => Ok(Box::new(auto::Auto::new(bind)?)),
        }
    }
}

/// The files that come with aludel: name and text.
pub fn files() -> &'static [(&'static str, &'static str)] {
    list::FILES
}
