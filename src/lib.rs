//! aludel: a lossless, typed log and event pipeline.
