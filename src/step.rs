//! Pipeline steps, one per file, and how they are run over a row.
