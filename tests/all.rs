//! The one integration test binary: one module per area, so that the crate is linked once.

#[path = "all/cursor_log.rs"]
mod cursor_log;
#[path = "all/disk.rs"]
mod disk;
#[path = "all/layers.rs"]
mod layers;
#[path = "all/plain_sinks.rs"]
mod plain_sinks;
