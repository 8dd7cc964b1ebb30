//! The options of a `parquet` sink, checked.

use std::path::PathBuf;
use std::time::Duration;

use parquet::basic::{Compression, ZstdLevel};

use crate::event::Options;
use crate::signature::{OptionSpec, OptionType};

/// What an operator may set.
pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "partition",
        ty: OptionType::Fields,
        default: Some(""),
        doc: "fields that name the folders, outermost first; `date` and `hour` are those of `@timestamp` in UTC",
    },
    OptionSpec {
        name: "compression",
        ty: OptionType::Word(&["zstd", "none"]),
        default: Some("zstd"),
        doc: "how pages are compressed",
    },
    OptionSpec {
        name: "level",
        ty: OptionType::Int,
        default: Some("1"),
        doc: "zstd's level, 1 to 22: higher makes smaller files and takes more time",
    },
    OptionSpec {
        name: "sort_by",
        ty: OptionType::Fields,
        default: Some(""),
        doc: "fields by which the rows of each row group are sorted, missing values last",
    },
    OptionSpec {
        name: "bloom",
        ty: OptionType::Fields,
        default: Some(""),
        doc: "fields that get a bloom filter in each row group, so that a search for one value skips most of them",
    },
    OptionSpec {
        name: "bloom_values",
        ty: OptionType::Int,
        default: Some("100000"),
        doc: "different values of such a field expected in a row group",
    },
    OptionSpec {
        name: "timestamps",
        ty: OptionType::Word(&["micros", "nanos"]),
        default: Some("micros"),
        doc: "the unit of time stamps in the files; `nanos` loses nothing, and some readers lack it",
    },
    OptionSpec {
        name: "row_group_rows",
        ty: OptionType::Int,
        default: Some("122880"),
        doc: "most rows of a row group; fewer where memory asks for it",
    },
    OptionSpec {
        name: "roll_bytes",
        ty: OptionType::Size,
        default: Some("128MiB"),
        doc: "the files are closed and published when one of them is this large",
    },
    OptionSpec {
        name: "roll_rows",
        ty: OptionType::Int,
        default: Some("10000000"),
        doc: "the files are closed and published when one of them has so many rows",
    },
    OptionSpec {
        name: "roll_age",
        ty: OptionType::Duration,
        default: Some("5m"),
        doc: "the files are closed and published this long after their first row",
    },
];

/// Checked options.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) folder: PathBuf,
    pub(super) partition: Vec<String>,
    pub(super) compression: Compression,
    pub(super) sort_by: Vec<String>,
    pub(super) bloom: Vec<String>,
    pub(super) bloom_values: u64,
    pub(super) nanos: bool,
    pub(super) row_group_rows: usize,
    pub(super) roll_bytes: u64,
    pub(super) roll_rows: u64,
    pub(super) roll_age: Duration,
}

impl Settings {
    /// Checks what the signature cannot.
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let folder = match options.arguments.as_slice() {
            [path] if !path.is_empty() => PathBuf::from(path),
            _ => return Err("a parquet sink takes one folder: `parquet \"archive/\"`".to_owned()),
        };
        let level = options.int("level").unwrap_or(1);
        let compression = match options.text("compression") {
            Some("none") => Compression::UNCOMPRESSED,
            _ => {
                let level = i32::try_from(level).ok().and_then(|level| ZstdLevel::try_new(level).ok());
                Compression::ZSTD(level.ok_or("`level` is zstd's: 1 to 22")?)
            }
        };
        let at_least = |name: &str, least: i64, default: i64| {
            let value = options.int(name).unwrap_or(default);
            if value < least { Err(format!("`{name}` is at least {least}")) } else { Ok(value as u64) }
        };
        let roll_age = options.duration("roll_age").unwrap_or(Duration::from_secs(300));
        if roll_age < Duration::from_secs(1) {
            return Err("`roll_age` is at least 1s".to_owned());
        }
        Ok(Self {
            folder,
            partition: options.texts("partition").to_vec(),
            compression,
            sort_by: options.texts("sort_by").to_vec(),
            bloom: options.texts("bloom").to_vec(),
            // A filter takes 9.6 bits a value at 1 % of false answers: 12 MiB a field at the upper end.
            bloom_values: at_least("bloom_values", 1, 100_000)?.min(10_000_000),
            nanos: options.text("timestamps") == Some("nanos"),
            row_group_rows: at_least("row_group_rows", 1024, 122_880)? as usize,
            roll_bytes: at_least("roll_bytes", 64 * 1024, 128 * 1024 * 1024)?,
            roll_rows: at_least("roll_rows", 1, 10_000_000)?,
            roll_age,
        })
    }
}
