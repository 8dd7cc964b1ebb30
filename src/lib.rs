//! aludel: a lossless, typed log and event pipeline.
//!
//! The way of one line, which is also the order of the modules:
//!
//! ```text
//!  source ─▶ frame ─▶ parse ─▶ steps ─▶ detect ─▶ encode ─▶ sink
//!  bytes     message   event    event     event      bytes    bytes
//!    ▲                                                          │
//!    └────────────────── settled ranges, per sink ◀─────────────┘
//! ```
//!
//! A module imports only from modules above it in this table; `tests/all/layers.rs` reads the `use crate::`
//! lines and fails on any other.
//!
//! | module | what it holds | may import |
//! |---|---|---|
//! | [`limits`] [`diag`] [`signature`] [`position`] [`event`] [`seam`] [`shown`] | words: bounds, diagnostics, component signatures, streams and ids, values and rows, the outside world as traits, numbers as people read them | each other |
//! | [`sensitive`] | secrets and personal data in text: the rules, and what stands in their place | words |
//! | [`frame`] | lines, container partials, multi-line messages | words |
//! | [`format`](mod@format), [`grammar`] | parsers in nom; grammar files and their plans | words, (grammar → format) |
//! | [`expr`], [`lang`] | functions and evaluation; lex, parse, check, print | words, (lang → expr) |
//! | [`lookup`] | what fields are looked up in: files that are read anew when they change, names of a DNS server | words |
//! | [`enrich`] | facts by a field: where an address is, what a table says; one per file | words, format, lookup |
//! | [`detect`] | what is an attack, a leak or an anomaly in a field; one per file | words, expr, format, lookup |
//! | [`step`] | one pipeline step per file | words, expr, format, grammar, lookup, enrich, detect |
//! | [`spool`] | what is kept on disk so that nothing is lost | words |
//! | [`source`], [`sink`] | the rims, as state machines over the seams | words, frame, spool, (sink → detect) |
//! | [`catalog`] | the lists: the only file that names every component | all above |
//! | [`run`], [`replay`], [`observe`] | plan → workers, budget, shutdown; virtual-time runs; metrics | grammar, catalog, lang |
//! | [`profile`] | recorded bytes through a plan with probes around its parts: what costs what | all above |
//! | [`sim`] | the whole product on a virtual disk, clock and network, from a seed | all above but profile |
//! | [`cli`] | one file per subcommand | all |

pub mod catalog;
pub mod cli;
pub mod detect;
pub mod diag;
pub mod enrich;
pub mod event;
pub mod expr;
pub mod format;
pub mod frame;
pub mod grammar;
pub mod lang;
pub mod limits;
pub mod lookup;
pub mod observe;
pub mod position;
pub mod profile;
pub mod replay;
pub mod run;
pub mod seam;
pub mod sensitive;
pub mod shown;
pub mod signature;
pub mod sim;
pub mod sink;
pub mod source;
pub mod spool;
pub mod step;
