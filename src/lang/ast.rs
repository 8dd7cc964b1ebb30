//! What was written: the tree of a pipeline file, with the place of every part.
//!
//! The written form only says what the user wrote. Names, types and arguments are checked later; nothing here is
//! known to make sense.

use crate::diag::Place;
/// The operators are those that expressions run on: what is written and what runs name the same thing.
pub use crate::expr::{Operator as BinaryOp, Unary as UnaryOp};

/// A part and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The part.
    pub node: T,
    /// Where it stands.
    pub place: Place,
}

/// A name: of a source, a sink, a function, an option.
pub type Name = Spanned<String>;

/// A pipeline file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its items, in order.
    pub items: Vec<Item>,
    /// What its `alerts to` stand for.
    pub hidden: Vec<Item>,
    /// Comments, in order; the printer puts them back.
    pub comments: Vec<Spanned<String>>,
}

impl File {
    /// All items, those that stand for something else last.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().chain(&self.hidden)
    }
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `const NAME = EXPR`
    Const(Const),
    /// `source NAME = KIND ARGUMENTS { OPTIONS }`
    Source(Component),
    /// `sink NAME = KIND ARGUMENTS { OPTIONS }`
    Sink(Component),
    /// `fragment NAME { | STEPS }`
    Fragment(Fragment),
    /// `pipeline NAME { from SOURCES | STEPS }`
    Pipeline(Pipeline),
    /// `test "TITLE" { … }`
    Test(Test),
}

/// `const NAME = EXPR`
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub value: Expr,
    /// The whole item.
    pub place: Place,
}

/// A source or sink: `source NAME = KIND "ARGUMENT", … { OPTION = VALUE, … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// The name that identifies its cursors.
    pub name: Name,
    /// What it is: `files`, `elasticsearch` …
    pub kind: Name,
    /// What stands before the braces.
    pub arguments: Vec<Expr>,
    /// What stands in the braces.
    pub options: Vec<Setting>,
    /// The whole item.
    pub place: Place,
}

/// `NAME = EXPR` in braces or parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Name.
    pub name: Name,
    /// Value.
    pub value: Expr,
}

/// Steps under a name, for use in several pipelines.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// Its name.
    pub name: Name,
    /// The steps.
    pub steps: Vec<Step>,
    /// The whole item.
    pub place: Place,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its name.
    pub name: Name,
    /// Names of sources.
    pub from: Vec<Name>,
    /// The steps, `to` included.
    pub steps: Vec<Step>,
    /// `alerts to NAMES`: the sinks that get the alerts of its detectors.
    pub alerts: Vec<Name>,
    /// The whole item.
    pub place: Place,
}

/// One use of an enricher.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrichment {
    /// The enricher; its first argument is the field that it looks at.
    pub enricher: FormatUse,
    /// The object that takes the fields; the one that the field is in when absent.
    pub into: Option<Path>,
}

/// One step of a pipeline, with its place from the `|` on.
pub type Step = Spanned<StepKind>;

/// The steps.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `parse PATH as FORMAT or FORMAT … [into PATH] else OTHERWISE`
    Parse {
        /// The field that is parsed.
        input: Path,
        /// Formats, tried in order.
        formats: Vec<FormatUse>,
        /// The object that takes the fields; the event itself when absent.
        into: Option<Path>,
        /// What happens to events that no format takes.
        otherwise: Option<Spanned<Otherwise>>,
    },
    /// `enrich ENRICHER(PATH, OPTION = VALUE …) [into PATH], …`
    Enrich(Vec<Enrichment>),
    /// `detect DETECTOR on PATH, … { OPTIONS }`
    Detect {
        /// The detector.
        detector: Name,
        /// The fields that it looks at.
        fields: Vec<Path>,
        /// What stands in the braces.
        options: Vec<Setting>,
    },
    /// `unroll PATH [into PATH]`
    Unroll {
        /// The list.
        list: Path,
        /// Where each item goes; the list's own place when absent.
        into: Option<Path>,
    },
    /// `redact CLASS, … [on PATH, …] [using { OPTIONS }]`
    Redact {
        /// What is redacted.
        classes: Vec<Name>,
        /// Where; everywhere when empty.
        on: Vec<Path>,
        /// How.
        options: Vec<Setting>,
    },
    /// `set PATH = EXPR, PATH = EXPR …`
    Set(Vec<(Path, Expr)>),
    /// `rename PATH to PATH, …`
    Rename(Vec<(Path, Path)>),
    /// `remove PATH, …`
    Remove(Vec<Path>),
    /// `keep PATH, …`
    Keep(Vec<Path>),
    /// `drop "REASON" when EXPR`; without `when`, every event.
    Drop {
        /// The reason, counted and shown.
        reason: Spanned<String>,
        /// The condition.
        when: Option<Expr>,
    },
    /// `reject "REASON" when EXPR`: to the dead letters.
    Reject {
        /// The reason, counted and shown.
        reason: Spanned<String>,
        /// The condition.
        when: Option<Expr>,
    },
    /// `when EXPR { STEPS } else { STEPS }`
    When {
        /// Condition.
        condition: Expr,
        /// Steps where it holds.
        then: Vec<Step>,
        /// Steps where it does not.
        otherwise: Vec<Step>,
    },
    /// `match EXPR { PATTERN, … => { STEPS } … else => { STEPS } }`
    Match {
        /// What is looked at.
        subject: Expr,
        /// Arms, tried in order.
        arms: Vec<Arm>,
        /// Steps where no arm fits.
        otherwise: Vec<Step>,
    },
    /// `use FRAGMENT`
    Use(Name),
    /// `to SINK, …`
    To(Vec<Name>),
    /// A step of the catalog with arguments: `NAME EXPR, … { OPTIONS }` (for steps that later issues add).
    Call {
        /// The step's name.
        name: Name,
        /// Arguments.
        arguments: Vec<Expr>,
        /// Options.
        options: Vec<Setting>,
    },
    /// What the parser could not read; an error has been reported.
    Broken,
}

/// What happens to an event that a step cannot handle.
#[derive(Clone, Debug, PartialEq)]
pub enum Otherwise {
    /// It goes on as it was.
    Pass,
    /// It is dropped and counted.
    Drop(String),
    /// It goes to the dead letters.
    Reject(String),
}

/// A format or grammar with its options: `nginx.access`, `csv(columns = ["a", "b"])`, `regex("…")`.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatUse {
    /// Dotted name.
    pub name: Name,
    /// Positional arguments.
    pub arguments: Vec<Expr>,
    /// Named options.
    pub options: Vec<Setting>,
}

/// One arm of a `match`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Values any of which fits; constants.
    pub patterns: Vec<Expr>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The whole arm.
    pub place: Place,
}

/// A field path: `.http.request.method`, `."odd key".x`; the empty path `.` is the event.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its keys.
    pub keys: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

impl Path {
    /// The dotted form without the leading dot.
    pub fn dotted(&self) -> String {
        self.keys.join(".")
    }
}

/// An expression.
pub type Expr = Spanned<Box<ExprKind>>;

/// Visits an expression and all that are inside of it.
pub fn each<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(expr);
    match &*expr.node {
        ExprKind::List(items) => items.iter().for_each(|item| each(item, visit)),
        ExprKind::Object(members) => members.iter().for_each(|member| each(&member.value, visit)),
        ExprKind::Call { arguments, options, .. } => {
            arguments.iter().for_each(|argument| each(argument, visit));
            options.iter().for_each(|option| each(&option.value, visit));
        }
        ExprKind::Unary(_, of) => each(of, visit),
        ExprKind::Binary(_, left, right) => [left, right].into_iter().for_each(|of| each(of, visit)),
        ExprKind::If(condition, then, otherwise) => {
            [condition, then, otherwise].into_iter().for_each(|of| each(of, visit));
        }
        ExprKind::Path(_) | ExprKind::Literal(_) | ExprKind::Word(_) | ExprKind::Broken => {}
    }
}

/// The expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `null`, `missing`, `true`, `1`, `2.5`, `"text"`, `5m`, `16KiB`, `99.9%`
    Literal(Literal),
    /// A field.
    Path(Path),
    /// A constant's name, a word option (`cri`), or a dotted word (`service.name`).
    Word(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{ a = 1 }`
    Object(Vec<Setting>),
    /// `f(a, b, name = c)`
    Call {
        /// The function.
        name: Name,
        /// Positional arguments.
        arguments: Vec<Expr>,
        /// Named arguments.
        options: Vec<Setting>,
    },
    /// `not a`, `-a`
    Unary(UnaryOp, Expr),
    /// `a + b`, `a and b`, `a ?? b` …
    Binary(BinaryOp, Expr, Expr),
    /// `if a then b else c`
    If(Expr, Expr, Expr),
    /// What the parser could not read; an error has been reported.
    Broken,
}

/// A literal; the printer writes numbers with units as they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `missing`: no value; a field set to it is removed.
    Missing,
    /// `true`, `false`
    Bool(bool),
    /// `42`, `1_000`
    Int(i64),
    /// `2.5`, `1e3`
    Float(f64),
    /// `"text"` with escapes resolved, or `r"text"`.
    Text(String),
    /// `5m`, `1h30m`: nanoseconds and as written.
    Duration(i64, String),
    /// `16KiB`, `2MB`: bytes and as written.
    Size(i64, String),
    /// `99.9%`: as a fraction (0.999) and as written.
    Percent(f64, String),
    /// `5 per 1m`: how many, the time in nanoseconds and as written.
    Rate(i64, i64, String),
}

/// A test block.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows.
    pub title: Spanned<String>,
    /// What it runs and what must come.
    pub clauses: Vec<Clause>,
    /// The whole item.
    pub place: Place,
}

/// One line of a test block.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// `input "FILE" [as "PATH"] [from SOURCE]`
    InputFile {
        /// The file with raw bytes, relative to the pipeline file.
        file: Spanned<String>,
        /// The path under which the pipeline sees it.
        path: Option<Spanned<String>>,
        /// The source that reads it, where the pipeline has several.
        source: Option<Name>,
    },
    /// `input text "BYTES" [as "PATH"] [from SOURCE]`; `"""` opens a block text.
    InputText {
        /// The bytes.
        text: Spanned<String>,
        /// The path under which the pipeline sees them.
        path: Option<Spanned<String>>,
        /// The source that reads them.
        source: Option<Name>,
    },
    /// `expect count [(EXPR)] == N` over all sinks' events, or `expect sink NAME count …`
    Count {
        /// Only events of this sink.
        sink: Option<Name>,
        /// Only events for which this holds.
        condition: Option<Expr>,
        /// Comparison.
        op: BinaryOp,
        /// Number of events.
        count: Spanned<i64>,
        /// The clause.
        place: Place,
    },
    /// `expect [sink NAME] event N EXPR`: the expression holds for the N-th event (from 1).
    Event {
        /// Only events of this sink.
        sink: Option<Name>,
        /// Which, from 1.
        index: Spanned<i64>,
        /// What must hold.
        condition: Expr,
    },
    /// `expect all EXPR`: it holds for every event.
    All {
        /// Only events of this sink.
        sink: Option<Name>,
        /// What must hold.
        condition: Expr,
    },
    /// `expect dropped "REASON" == N` or `expect rejected "REASON" == N`
    Outcome {
        /// `dropped` or `rejected`.
        rejected: bool,
        /// The reason.
        reason: Spanned<String>,
        /// Number of events.
        count: Spanned<i64>,
        /// The clause.
        place: Place,
    },
    /// `expect sink NAME golden "FILE"`: NDJSON, one event a line; `aludel test --bless` rewrites it.
    Golden {
        /// The sink.
        sink: Name,
        /// The file, relative to the pipeline file.
        file: Spanned<String>,
    },
}
