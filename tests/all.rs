//! The one integration test binary: one module per area, so that the crate is linked once.

#[path = "all/layers.rs"]
mod layers;
