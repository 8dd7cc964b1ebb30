//! HTTP.
pub(super) mod body;
pub(super) mod content;
