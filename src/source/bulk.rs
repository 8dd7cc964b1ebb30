//! Bulk.
mod parse;
