//! `parquet`: a Hive-partitioned archive of Parquet files that DuckDB, Spark, Trino and pyarrow read as it is.
//!
//! Columns are built on the workers (`encoder`); the sink (`archive`) writes them into one open file per
//! partition (`epoch`), and publishes the files of all partitions together, as an epoch, so that after a crash no
//! row is there twice and none is missing: on the disk (`folder`), or in an object store (`bucket`, `start`). Begin
//! with `schema`, which says what a column is.

mod archive;
mod asks;
mod bucket;
mod column;
mod commit;
mod encoder;
mod epoch;
mod folder;
mod part;
mod partition;
mod properties;
mod schema;
mod settings;
mod start;
mod upload;

use std::sync::Arc;

use archive::{Archive, Home};
use settings::{At, OPTIONS, Settings};

use super::{Encoder, OpenError, Shape, Sink, SinkKind, SinkPlan, World};
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
              after `roll_age`, and at the end of a run. Until then they are where readers do not look. What an \
              epoch holds is recorded with it, so that after a crash rows are neither lost nor repeated. \
              Few files are open at once, within one bound of memory: rows that go to very many folders in turn make \
              more and smaller files.\n\n\
              **On the disk** files on their way are in `_aludel/tmp` of the archive. One process writes to one \
              archive.\n\n\
              **In S3**, or what speaks its protocol: `parquet \"s3://bucket/prefix\" { region = \"eu-west-1\" }`. \
              Files on their way are in the data folder and are sent in parts; the uploads are completed when \
              the epoch is committed, so that readers see whole files of committed epochs only. Many nodes may write to \
              one prefix. Credentials are taken from the options, else as AWS has it: `AWS_…` of the environment, a \
              web identity, the container's or the machine's role. They must allow `GetObject`, `PutObject`, \
              `DeleteObject`, `ListBucket`, `AbortMultipartUpload`, and better also `ListBucketMultipartUploads`, by \
              which the uploads of a killed run are found and removed. The store must know `If-None-Match` for puts, \
              as S3, R2 and MinIO do.",
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

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        let failed = |error: String| format!("cannot open {}: {error}", self.place());
        let (home, cursors): (Box<dyn Home>, _) = match &self.settings.at {
            At::Folder(path) => {
                let opened = folder::Folder::open(&world, path, &self.name);
                let (home, cursors) = opened.map_err(|error| failed(error.to_string()))?;
                (Box::new(home), cursors)
            }
            At::Bucket(place) => {
                let (home, cursors) = start::open(&world, place, &self.name)
                    .map_err(|error| error.of(&format!("cannot open {}", self.place())))?;
                (Box::new(home), cursors)
            }
        };
        Ok((Box::new(Archive::new(home, Arc::clone(&world.fs), self.settings.clone())), cursors))
    }

    fn joined(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        "exactly once: an epoch's files are published together, with a record of the bytes they were made of"
    }

    fn place(&self) -> String {
        self.settings.at.to_string()
    }
}
