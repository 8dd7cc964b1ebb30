//! The lists: the only file that names every component, and what turns a checked plan into one that runs.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::detect::{self, stateful, threat};
use crate::enrich;
use crate::event::{Layout, Mask, Options, Slot};
use crate::expr::Files;
use crate::format::{Bind, Format, Reference};
use crate::grammar;
use crate::lang::{Detectors, Enrichers, Environment, Formats, Given, Signatures, plan as lang};
use crate::limits::{LEDGER_HOURS_MAX, SECRET_BYTES_MAX};
use crate::lookup;
use crate::observe::Stats;
use crate::seam::RealFs;
use crate::sensitive::{Classes, Policy, Redactor};
use crate::signature::{Field, OptionSpec};
use crate::sink::{Shape, SinkKind, SinkPlan};
use crate::source::{SourceKind, SourcePlan};
use crate::spool::LetterRules;
use crate::step::{self, Block, Flow, Step};

/// All kinds of sources.
pub static SOURCES: &[SourceKind] = &[
    crate::source::files::KIND,
    crate::source::stdin::KIND,
    crate::source::journald::KIND,
    crate::source::kafka::KIND,
    crate::source::syslog::KIND,
    crate::source::http::KIND,
    crate::source::bulk::KIND,
    crate::source::own::LETTERS,
    crate::source::own::GAPS,
    crate::source::own::ALERTS,
];

/// All kinds of sinks.
pub static SINKS: &[SinkKind] = &[
    crate::sink::stdout::KIND,
    crate::sink::file::KIND,
    crate::sink::parquet::KIND,
    crate::sink::blackhole::KIND,
    crate::sink::elasticsearch::KIND,
    crate::sink::kafka::KIND,
    crate::sink::notify::SLACK,
    crate::sink::notify::PAGERDUTY,
    crate::sink::notify::ALERTMANAGER,
    crate::sink::notify::WEBHOOK,
    crate::sink::notify::EMAIL,
];

/// A plan that can run.
pub struct Runnable {
    /// Sources by number.
    pub sources: Vec<NamedSource>,
    /// Pipelines by number.
    pub pipelines: Vec<Pipeline>,
    /// Sinks by number.
    pub sinks: Vec<NamedSink>,
    /// Decides the year of times that have none; moved with the data.
    pub reference: Reference,
    /// What fields are looked up in.
    pub data: Arc<lookup::Data>,
    /// The version of the pipeline files that it was made from, for dead letters.
    pub version: String,
    /// How many dead letters are kept.
    pub letters: LetterRules,
    /// Hours for which the ledger on disk is kept.
    pub ledger_hours: u64,
    /// The data folder that gets the dead letters, where it is not that of the run: letters that are replayed and
    /// refused again come to the others.
    pub letters_in: Option<PathBuf>,
}

/// A source of a plan.
pub struct NamedSource {
    /// Its name in the pipeline file.
    pub name: String,
    /// Opens it.
    pub plan: Box<dyn SourcePlan>,
    /// Its options, which also say how its bytes are framed.
    pub options: Options,
}

/// A sink of a plan.
pub struct NamedSink {
    /// Its name in the pipeline file.
    pub name: String,
    /// Opens it and makes its encoders.
    pub plan: Box<dyn SinkPlan>,
    /// Whether sources wait for it.
    pub required: bool,
}

/// A pipeline of a plan.
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Numbers of the sources it reads.
    pub sources: Vec<usize>,
    /// Numbers of the sinks it writes to.
    pub sinks: Vec<usize>,
    /// The same as a set of bits.
    pub sinks_mask: u64,
    /// Fields, types, tag.
    pub shape: Shape,
    /// What constant spans point into.
    pub constants: Arc<[u8]>,
    /// The steps.
    pub steps: Block,
    /// The fields that anyone looks at from the first step on.
    pub wanted: Mask,
    /// Reasons for dropping and rejecting, by their number.
    pub reasons: Vec<Arc<str>>,
    /// Which of them only a `parse` gives.
    parse_reasons: Vec<bool>,
    /// Takes out of dead letters what its steps redact.
    pub redactor: Option<Arc<Redactor>>,
    /// Formats of all its `parse` steps, by their number.
    pub formats: Vec<FormatName>,
}

/// A format of a `parse` step.
pub struct FormatName {
    /// Its name.
    pub name: String,
    /// Whether it is the first of its step: the one whose reasons tell why an event was not parsed.
    pub first: bool,
}

impl Pipeline {
    /// Whether a reason for rejecting is that of a `parse`.
    pub fn is_parse(&self, reason: u16) -> bool {
        self.parse_reasons.get(usize::from(reason)).is_some_and(|parse| *parse)
    }
}

impl Runnable {
    /// Fresh counters for its parts.
    pub fn stats(&self) -> Arc<Stats> {
        let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
        Arc::new(Stats::new(
            &names(&mut self.sources.iter().map(|source| &source.name)),
            &names(&mut self.pipelines.iter().map(|pipeline| &pipeline.name)),
            &names(&mut self.sinks.iter().map(|sink| &sink.name)),
        ))
    }

    /// Whether only one pipeline takes events from a source to a sink, so that an event which it does not send
    /// never gets there.
    pub fn is_only_way(&self, source: usize, sink: usize) -> bool {
        let ways = self.pipelines.iter().filter(|line| line.sources.contains(&source));
        ways.filter(|line| line.sinks.contains(&sink)).count() == 1
    }

    /// Numbers of the required sinks that a source's events can reach.
    pub fn required_sinks(&self, source: usize) -> Vec<usize> {
        let fed = |sink: &usize| {
            self.pipelines.iter().any(|line| line.sources.contains(&source) && line.sinks.contains(sink))
        };
        (0..self.sinks.len()).filter(|sink| self.sinks[*sink].required).filter(fed).collect()
    }
}

/// Sinks that can run together: they fit one word of bits.
const SINKS_MAX: usize = 64;

/// What the checker is told of all components.
pub fn signatures() -> Signatures<'static> {
    Signatures {
        sources: SOURCES.iter().map(|kind| kind.signature).collect(),
        sinks: SINKS.iter().map(|kind| kind.signature).collect(),
        formats: &AllFormats,
        enrichers: &AllEnrichers,
        detectors: &AllDetectors,
    }
}

/// The enrichers, as the checker is told of them.
struct AllEnrichers;

impl Enrichers for AllEnrichers {
    fn names(&self) -> Vec<String> {
        enrich::ENRICHERS.iter().map(|kind| kind.signature.name.to_owned()).collect()
    }

    fn options(&self, name: &str) -> Option<&'static [OptionSpec]> {
        enrich::kind(name).map(|kind| kind.signature.options)
    }

    fn takes(&self, name: &str) -> bool {
        enrich::kind(name).is_some_and(|kind| kind.takes)
    }

    fn gives(&self, name: &str, options: &Options) -> Result<Vec<Field>, String> {
        (enrich::kind(name).ok_or_else(|| format!("unknown enricher `{name}`"))?.gives)(options)
    }
}

/// The detectors, as the checker is told of them.
struct AllDetectors;

impl Detectors for AllDetectors {
    fn names(&self) -> Vec<String> {
        detect::signatures().map(|of| of.name.to_owned()).collect()
    }

    fn options(&self, name: &str) -> Option<&'static [OptionSpec]> {
        detect::signatures().find(|of| of.name == name).map(|of| of.options)
    }

    fn keeps_state(&self, name: &str) -> bool {
        stateful::kind(name).is_some()
    }

    fn in_lists(&self, name: &str) -> bool {
        name == threat::NAME
    }

    fn check(&self, name: &str, options: &Options) -> Result<(), String> {
        if self.keeps_state(name) {
            return stateful::Rule::new("", name, options, &[], "").map(drop);
        }
        if self.in_lists(name) {
            return threat::check(options);
        }
        detect::Judge::new(name, options).map(drop)
    }
}

/// Formats and grammars under one roof.
struct AllFormats;

impl Formats for AllFormats {
    fn names(&self) -> Vec<String> {
        grammar::names().chain([grammar::AUTO]).map(str::to_owned).collect()
    }

    fn options(&self, name: &str) -> Option<&'static [OptionSpec]> {
        grammar::parser(name).map(grammar::Parser::options)
    }

    fn gives(&self, name: &str, options: &Options) -> Result<Given, String> {
        let parser = grammar::parser(name).ok_or_else(|| format!("unknown format `{name}`"))?;
        let gives = parser.gives(options)?;
        Ok(Given { fields: gives.fields, open: gives.open })
    }
}

/// The machine, for compiling a pipeline file in `folder`.
pub struct Machine {
    /// The folder that relative paths start from.
    pub folder: PathBuf,
}

impl Files for Machine {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        let path = self.folder.join(path);
        let wrong = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let size = std::fs::metadata(&path).map_err(wrong)?.len();
        if size > bytes_max as u64 {
            return Err(format!("{} has {size} bytes, at most {bytes_max} are read", path.display()));
        }
        std::fs::read(&path).map_err(wrong)
    }

    fn in_folder(&self, path: &str) -> Result<Vec<String>, String> {
        let folder = self.folder.join(path);
        let wrong = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
        if !std::fs::metadata(&folder).map_err(wrong)?.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            if entry.file_type().map_err(wrong)?.is_file() {
                files.push(Path::new(path).join(entry.file_name()).to_string_lossy().into_owned());
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

impl Environment for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn secret(&self, reference: &str) -> Result<String, String> {
        let Some(path) = reference.strip_prefix("file:") else {
            return Err("a secret is named by `file:` and a path".to_owned());
        };
        let bytes = self.read(path, SECRET_BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Kinds of sources and sinks whose arguments are paths.
const OF_PATHS: &[&str] = &["files", "journald", "file", "parquet"];

/// Lets relative paths of sources and sinks start from the folder of their pipeline file, so that a file means the
/// same from wherever it is run.
pub fn root_paths(plan: &mut lang::Plan, folder: &Path) {
    let of_paths = plan.sources.iter_mut().chain(&mut plan.sinks).filter(|of| OF_PATHS.contains(&of.kind));
    let start = |path: &str| plain(&folder.join(path)).to_string_lossy().into_owned();
    for line in &mut plan.pipelines {
        each_options(&mut line.steps, &mut |options| options.each_path(start));
    }
    for argument in of_paths.flat_map(|of| &mut of.options.arguments) {
        if !argument.contains("://") {
            *argument = plain(&folder.join(&*argument)).to_string_lossy().into_owned();
        }
    }
}

/// Visits the options of enrichers and detectors below these steps.
fn each_options(steps: &mut [lang::Step], visit: &mut dyn FnMut(&mut Options)) {
    for step in steps {
        match step {
            lang::Step::Enrich(uses) => uses.iter_mut().for_each(|of| visit(&mut of.options)),
            lang::Step::Detect(of) => visit(&mut of.options),
            lang::Step::When { then, otherwise, .. } => {
                each_options(then, visit);
                each_options(otherwise, visit);
            }
            lang::Step::Match { arms, otherwise, .. } => {
                arms.iter_mut().for_each(|(_, steps)| each_options(steps, visit));
                each_options(otherwise, visit);
            }
            _ => {}
        }
    }
}

/// A path without `.` and `..`, by its text alone: a pattern has no links to follow yet.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// Puts something around parts of a plan while they are built, to watch them; a run has none. Parts are numbered
/// as [`crate::lang::outline()`] lists them.
pub trait Around {
    /// A step is built.
    fn step(&mut self, _number: usize, step: Box<dyn Step>) -> Box<dyn Step> {
        step
    }
    /// The steps of a pipeline or of a branch are built.
    fn block(&mut self, _number: usize, block: Block) -> Block {
        block
    }
    /// The formats of a `parse` are built; the first has this number.
    fn formats(&mut self, _first: usize, formats: Vec<Box<dyn Format>>) -> Vec<Box<dyn Format>> {
        formats
    }
}

impl Around for () {}

/// Makes components of a checked plan. The error names the source, sink or format and what is wrong with it.
pub fn build(plan: lang::Plan) -> Result<Runnable, String> {
    build_around(plan, &mut ())
}

/// The same, with something around its parts.
pub fn build_around(plan: lang::Plan, around: &mut dyn Around) -> Result<Runnable, String> {
    if plan.sinks.len() > SINKS_MAX {
        return Err(format!("there are {} sinks; at most {SINKS_MAX} can run together", plan.sinks.len()));
    }
    let sources = plan.sources.into_iter().map(source).collect::<Result<_, _>>()?;
    let mut sinks = Vec::new();
    for (number, of) in plan.sinks.into_iter().enumerate() {
        sinks.push(if of.kind == lang::ALERTS { alerts(number, of, &plan.pipelines)? } else { sink(of)? });
    }
    let reference = Reference::default();
    let mut next = 0;
    let mut data = lookup::Data::default();
    let pipelines =
        plan.pipelines.into_iter().map(|of| pipeline(of, &reference, &mut data, &mut *around, &mut next));
    let pipelines = pipelines.collect::<Result<_, _>>()?;
    let (version, letters) = (String::new(), LetterRules::default());
    Ok(Runnable {
        sources,
        pipelines,
        sinks,
        reference,
        data: Arc::new(data),
        version,
        letters,
        ledger_hours: LEDGER_HOURS_MAX,
        letters_in: None,
    })
}

fn source(of: lang::Component) -> Result<NamedSource, String> {
    let kind = SOURCES.iter().find(|kind| kind.signature.name == of.kind).ok_or("unknown kind of source")?;
    let plan = (kind.plan)(&of.name, &of.options).map_err(|error| format!("source {}: {error}", of.name))?;
    Ok(NamedSource { name: of.name, plan, options: of.options })
}

fn sink(of: lang::Component) -> Result<NamedSink, String> {
    let kind = SINKS.iter().find(|kind| kind.signature.name == of.kind).ok_or("unknown kind of sink")?;
    let plan = (kind.plan)(&of.name, &of.options).map_err(|error| format!("sink {}: {error}", of.name))?;
    Ok(NamedSink { name: of.name, plan, required: of.required })
}

/// The sink that owns the state of a pipeline's detectors.
fn alerts(number: usize, of: lang::Component, pipelines: &[lang::Pipeline]) -> Result<NamedSink, String> {
    let line = pipelines.iter().find(|line| line.sinks.contains(&number));
    let line = line.ok_or_else(|| format!("no pipeline has the detectors of {}", of.name))?;
    let mut uses = Vec::new();
    lang::each_observer(&line.steps, &mut |of| uses.push(of));
    uses.sort_by_key(|of| of.rule);
    let rule = |of: &lang::ObserveUse| {
        let keys: Vec<_> = of.keys.iter().map(|(name, _)| name.clone()).collect();
        let distinct: Vec<_> = of.distinct.iter().map(|(name, _)| name.as_str()).collect();
        stateful::Rule::new(&line.name, &of.name, &of.options, &keys, &distinct.join(" and "))
    };
    let rules = uses.into_iter().map(rule).collect::<Result<_, _>>();
    let rules = rules.map_err(|error| format!("pipeline {}: {error}", line.name))?;
    let plan = crate::sink::alerts::plan(&of.name, &line.name, rules);
    Ok(NamedSink { name: of.name, plan, required: of.required })
}

fn pipeline(
    of: lang::Pipeline,
    reference: &Reference,
    data: &mut lookup::Data,
    around: &mut dyn Around,
    next: &mut usize,
) -> Result<Pipeline, String> {
    let mut builder = Builder {
        layout: of.layout.clone(),
        formats: Vec::new(),
        constants: of.constants.to_vec(),
        reference: reference.clone(),
        data,
        around,
        next,
    };
    let parse_reasons = parse_reasons(&of.steps, of.reasons.len());
    let redactor = redactor(&of.steps)?;
    let steps = builder.block(of.steps).map_err(|error| format!("pipeline {}: {error}", of.name))?;
    let shape = Shape {
        layout: of.layout,
        types: of.types,
        pipeline: of.name.as_str().into(),
        tag: of.tag,
        sent: of.sent,
    };
    Ok(Pipeline {
        name: of.name,
        sources: of.sources,
        sinks_mask: of.sinks.iter().fold(0, |mask, sink| mask | 1 << (sink % 64)),
        sinks: of.sinks,
        shape,
        constants: builder.constants.into(),
        steps,
        wanted: of.wanted,
        reasons: of.reasons.into_iter().map(Arc::from).collect(),
        parse_reasons,
        redactor,
        formats: builder.formats,
    })
}

/// Which of so many reasons for rejecting are given by a `parse` and by no other step.
fn parse_reasons(steps: &[lang::Step], count: usize) -> Vec<bool> {
    fn walk(steps: &[lang::Step], visit: &mut dyn FnMut(u16, bool)) {
        for step in steps {
            match step {
                lang::Step::Parse { otherwise: lang::Otherwise::Reject(reason), .. } => visit(*reason, true),
                lang::Step::Reject { reason, .. } => visit(*reason, false),
                lang::Step::When { then, otherwise, .. } => {
                    walk(then, visit);
                    walk(otherwise, visit);
                }
                lang::Step::Match { arms, otherwise, .. } => {
                    arms.iter().for_each(|(_, steps)| walk(steps, visit));
                    walk(otherwise, visit);
                }
                _ => {}
            }
        }
    }
    let mut by = vec![(false, false); count];
    walk(steps, &mut |reason, parse| {
        if let Some((parses, others)) = by.get_mut(usize::from(reason)) {
            *parses |= parse;
            *others |= !parse;
        }
    });
    by.into_iter().map(|(parses, others)| parses && !others).collect()
}

/// What any of the steps redacts, wherever it stands: a letter holds the whole event.
fn redactor(steps: &[lang::Step]) -> Result<Option<Arc<Redactor>>, String> {
    fn walk(steps: &[lang::Step], all: &mut Classes, first: &mut Option<Policy>) {
        for step in steps {
            match step {
                lang::Step::Redact { classes, policy, .. } => {
                    all.add(*classes);
                    first.get_or_insert_with(|| policy.clone());
                }
                lang::Step::When { then, otherwise, .. } => {
                    walk(then, all, first);
                    walk(otherwise, all, first);
                }
                lang::Step::Match { arms, otherwise, .. } => {
                    arms.iter().for_each(|(_, steps)| walk(steps, all, first));
                    walk(otherwise, all, first);
                }
                _ => {}
            }
        }
    }
    let (mut all, mut first) = (Classes::default(), None);
    walk(steps, &mut all, &mut first);
    first.map(|policy| Ok(Arc::new(Redactor::new(all, policy)?))).transpose()
}

struct Builder<'a> {
    layout: Arc<Layout>,
    formats: Vec<FormatName>,
    constants: Vec<u8>,
    reference: Reference,
    data: &'a mut lookup::Data,
    around: &'a mut dyn Around,
    /// The number of the next part.
    next: &'a mut usize,
}

impl Builder<'_> {
    fn number(&mut self) -> usize {
        *self.next += 1;
        *self.next - 1
    }

    /// The steps of a pipeline or of a branch.
    fn block(&mut self, steps: Vec<lang::Step>) -> Result<Block, String> {
        let number = self.number();
        let steps = self.sequence(&mut steps.into_iter())?;
        Ok(self.around.block(number, steps))
    }

    /// Steps in order; those behind an `unroll` are its own.
    fn sequence(&mut self, steps: &mut std::vec::IntoIter<lang::Step>) -> Result<Block, String> {
        let mut ready = Vec::new();
        while let Some(step) = steps.next() {
            if let lang::Step::Unroll { list, into, too_many } = step {
                let number = self.number();
                let then = self.sequence(steps)?;
                let unroll = Box::new(step::Unroll { list, into, too_many, then });
                ready.push(self.around.step(number, unroll));
                break;
            }
            ready.push(self.step(step)?);
        }
        Ok(Block(ready))
    }

    fn step(&mut self, step: lang::Step) -> Result<Box<dyn Step>, String> {
        let number = self.number();
        let step = self.bare(step, number)?;
        Ok(self.around.step(number, step))
    }

    fn bare(&mut self, step: lang::Step, number: usize) -> Result<Box<dyn Step>, String> {
        Ok(match step {
            lang::Step::Parse { input, formats, into, otherwise, wanted } => {
                let otherwise = match otherwise {
                    lang::Otherwise::Pass => Flow::Next,
                    lang::Otherwise::Drop(reason) => Flow::Drop(reason),
                    lang::Otherwise::Reject(reason) => Flow::Reject(reason),
                };
                let (first_count, first_number) = (self.formats.len(), *self.next);
                let mut bound = Vec::new();
                for (at, format) in formats.into_iter().enumerate() {
                    self.number();
                    bound.push(self.bind(&format.name, &format.options, into, wanted)?);
                    self.formats.push(FormatName { name: format.name, first: at == 0 });
                }
                let formats = self.around.formats(first_number, bound).into();
                Box::new(step::Parse { input, formats, first_count, otherwise })
            }
            lang::Step::Enrich(uses) => {
                let enrichers = uses.iter().map(|of| self.enricher(of)).collect::<Result<_, _>>()?;
                Box::new(step::Enrich { enrichers })
            }
            lang::Step::Detect(lang::DetectUse { inputs, options, gives, time: Some(time), .. }) => {
                let lists = threat::Threat::new(&options, self.data, &RealFs)?;
                let time = (time, self.reference.clone());
                Box::new(step::Threat::new(&self.layout, &inputs, lists, &gives, time)?)
            }
            lang::Step::Detect(of) => Box::new(step::Detect::new(
                &self.layout,
                &of.inputs,
                detect::Judge::new(&of.name, &of.options)?,
                &of.gives,
                number as u32,
            )?),
            lang::Step::Observe(of) => {
                let of = *of;
                let profiles = stateful::keeps_profiles(&of.name);
                let named = stateful::names_sources(&of.name);
                Box::new(step::Observe {
                    sink: of.sink,
                    rule: of.rule,
                    ipv6_bits: of.options.int("ipv6").and_then(|bits| bits.try_into().ok()).unwrap_or(128),
                    keys: of.keys.into(),
                    distinct: of.distinct.into_iter().map(|(_, expr)| expr).collect(),
                    named,
                    when: of.when,
                    success: of.success,
                    traits: profiles.then(|| step::Traits::new(of.traits)),
                    egress: of.egress,
                    evidence: of.evidence.into(),
                })
            }
            lang::Step::Unroll { .. } => return Err("an `unroll` takes the steps behind it".into()),
            lang::Step::Redact { classes, policy, fields, .. } => {
                let redactor = Arc::new(Redactor::new(classes, policy)?);
                Box::new(step::Redact { redactor, fields: fields.into() })
            }
            lang::Step::Set(fields) => Box::new(step::Set { fields: fields.into() }),
            lang::Step::Rename(fields) => Box::new(step::Rename { fields: fields.into() }),
            lang::Step::Remove(fields) => Box::new(step::Remove { fields: fields.into() }),
            lang::Step::Keep(fields) => Box::new(step::Keep::new(&self.layout, &fields)),
            lang::Step::Drop { reason, when } => Box::new(step::Drop { reason, when }),
            lang::Step::Reject { reason, when } => Box::new(step::Reject { reason, when }),
            lang::Step::When { condition, then, otherwise } => {
                Box::new(step::When { condition, then: self.block(then)?, otherwise: self.block(otherwise)? })
            }
            lang::Step::Match { subject, arms, otherwise } => {
                let arms = arms
                    .into_iter()
                    .map(|(patterns, steps)| Ok((patterns, self.block(steps)?)))
                    .collect::<Result<_, String>>()?;
                Box::new(step::Match::new(subject, arms, self.block(otherwise)?))
            }
            lang::Step::To(sinks) => Box::new(step::To { sinks: sinks.into() }),
        })
    }

    /// An enricher, bound to the layout.
    fn enricher(&mut self, of: &lang::EnricherUse) -> Result<step::Looked, String> {
        let layout = self.layout.clone();
        let mut bind = Bind {
            layout: &layout,
            prefix: layout.path(of.into),
            options: &of.options,
            constants: &mut self.constants,
            reference: self.reference.clone(),
            wanted: Mask::ALL,
        };
        let kind = enrich::kind(&of.name).ok_or_else(|| format!("unknown enricher `{}`", of.name))?;
        let bound = (kind.bind)(&mut bind, self.data).map_err(|error| format!("{}: {error}", of.name))?;
        Ok((kind.takes.then_some(of.input), bound))
    }

    /// A grammar or a format, bound to the layout.
    fn bind(
        &mut self,
        name: &str,
        options: &Options,
        into: Slot,
        wanted: Mask,
    ) -> Result<Box<dyn Format>, String> {
        let layout = self.layout.clone();
        let mut bind = Bind {
            layout: &layout,
            prefix: layout.path(into),
            options,
            constants: &mut self.constants,
            reference: self.reference.clone(),
            wanted,
        };
        grammar::parser(name).ok_or_else(|| format!("unknown format `{name}`"))?.bind(&mut bind)
    }
}
