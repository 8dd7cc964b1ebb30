//! Expressions: checked trees over slots, the functions they call, and their evaluation.
//!
//! Pure: no clock, no file, no lock. What fails or is missing evaluates to `None`; the checker has made sure that
//! someone handles it.
