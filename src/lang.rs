//! The pipeline language: text → tree → checked plan, and back to text.
//!
//! In: the text of `*.aludel` files and the signatures of all components. Out: what the pipelines mean, or every
//! error of the file at once. It never sees a component, a file or an event.

mod alerts;
pub mod ast;
pub mod builtin;
mod check;
pub mod codes;
mod diagnostics;
mod explain;
mod lex;
mod live;
pub mod outline;
mod parse;
pub mod plan;
mod print;

pub use check::{
    Condition, Detectors, Enrichers, Environment, Formats, Given, Signatures, check, compile, condition,
    read_files,
};
pub use explain::explain;
pub use outline::outline;
pub use parse::parse;
pub use plan::Plan;
pub use print::print;

#[cfg(test)]
mod tests;
