//! `parquet`: a Hive-partitioned archive of Parquet files that DuckDB, Spark, Trino and pyarrow read as it is.
//!
//! Columns are built on the workers (`encoder`); the sink (`archive`) writes them into one open file per
//! partition, and publishes the files of all partitions together, as an epoch, so that after a crash no row is
//! there twice and none is missing (`commit`). Begin with `schema`, which says what a column is.

mod archive;
mod column;
mod commit;
mod encoder;
mod part;
mod partition;
mod properties;
mod schema;
mod settings;

use settings::{OPTIONS, Settings};

use super::{Encoder, Shape, Sink, SinkKind, SinkPlan, World};
use crate::event::Options;
use crate::position::CursorRecord;
use crate::signature::Signature;

/// As the catalog lists it.
pub const KIND: SinkKind = SinkKind {
    signature: &Signature {
        name: "parquet",
        summary: "a Hive-partitioned archive of Parquet files",
        doc: "One column per field that the pipeline knows, named by its dotted path and typed as the compiler \
              knows it, plus `event.id`, plus `rest`: a map for everything else, so that nothing is lost. Fields \
              named in `partition` become folders (`date=2026-11-23/hour=06/service.name=web`) and are not in the \
              files; rows that lack one go to `__HIVE_DEFAULT_PARTITION__`.\n\n\
              Files are published together, as an epoch, when one of them reaches `roll_bytes` or `roll_rows`, or \
              after `roll_age`, and at the end of a run. Until then they are in `_aludel/tmp`, where readers do \
              not look. What an epoch holds is recorded with it, so that after a crash rows are neither lost nor \
              repeated. One process writes to one archive.",
        form: "parquet \"archive/\" { partition = [date, hour] }",
        options: OPTIONS,
        examples: &[],
    },
    plan,
};

fn plan(name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    Ok(Box::new(Plan { name: name.to_owned(), settings: Settings::new(options)? }))
}

struct Plan {
    name: String,
    settings: Settings,
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        let plan = schema::plan(shape, &self.settings)?;
        // Rows that wait to be sorted are kept; a slice would keep its whole batch.
        let apart = !self.settings.sort_by.is_empty();
        Ok(Box::new(encoder::ColumnEncoder::new(plan, apart)))
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), String> {
        let opened = archive::Archive::open(&world, self.settings.clone(), &self.name);
        let (sink, cursors) =
            opened.map_err(|error| format!("cannot open {}: {error}", self.settings.folder.display()))?;
        Ok((Box::new(sink), cursors))
    }

    fn joined(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        "exactly once: an epoch's files are published together, with a record of the bytes they were made of"
    }

    fn place(&self) -> String {
        self.settings.folder.display().to_string()
    }
}
