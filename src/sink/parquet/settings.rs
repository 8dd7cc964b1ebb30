//! The options of a `parquet` sink, checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parquet::basic::{Compression, ZstdLevel};

use crate::event::{OptionValue, Options};
use crate::limits::{OBJECT_PART_BYTES, OBJECT_PARTS_MAX};
use crate::signature::{OptionSpec, OptionType};
use crate::sink::s3::Place;

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
    OptionSpec {
        name: "staging",
        ty: OptionType::Size,
        default: Some(""),
        doc: "for `s3://`: most bytes of files that wait in the data folder; at this many they are closed and \
              published, while the next may fill (1GiB if left out)",
    },
    OptionSpec {
        name: "region",
        ty: OptionType::Text,
        default: Some(""),
        doc: "for `s3://`: the bucket's region; else `AWS_REGION`, else `us-east-1`",
    },
    OptionSpec {
        name: "endpoint",
        ty: OptionType::Text,
        default: Some(""),
        doc: "for `s3://`: URL of a store that is not Amazon's, such as `https://minio.local:9000`",
    },
    OptionSpec {
        name: "access_key_id",
        ty: OptionType::Text,
        default: Some(""),
        doc: "for `s3://`: name of the access key, together with `secret_access_key`",
    },
    OptionSpec {
        name: "secret_access_key",
        ty: OptionType::Secret,
        default: Some(""),
        doc: "for `s3://`: secret of the access key",
    },
    OptionSpec {
        name: "session_token",
        ty: OptionType::Secret,
        default: Some(""),
        doc: "for `s3://`: token that belongs to a temporary access key",
    },
    OptionSpec {
        name: "ca_file",
        ty: OptionType::Text,
        default: Some(""),
        doc: "for `s3://`: PEM file with certificates to trust beside the public ones",
    },
    OptionSpec {
        name: "timeout",
        ty: OptionType::Duration,
        default: Some(""),
        doc: "for `s3://`: a request without an answer after this long is made again (1m if left out)",
    },
];

/// Options that an archive on the disk has no use for.
const S3_ONLY: &[&str] = &[
    "staging",
    "region",
    "endpoint",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "ca_file",
    "timeout",
];

/// Most bytes of files that wait to be published, where `staging` does not say.
const STAGING_BYTES: u64 = 1 << 30;

/// Where an archive is.
#[derive(Clone, Debug)]
pub(super) enum At {
    Folder(PathBuf),
    Bucket(Place),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(place) => place.fmt(f),
        }
    }
}

/// Checked options.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) at: At,
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
    staging: Option<u64>,
}

impl Settings {
    /// Checks what the signature cannot.
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let at = match options.arguments.as_slice() {
            [url] if url.starts_with("s3://") => At::Bucket(bucket(url, options)?),
            [path] if !path.is_empty() => At::Folder(PathBuf::from(path)),
            _ => return Err("a parquet sink takes one folder: `parquet \"archive/\"`".to_owned()),
        };
        let is_bucket = matches!(at, At::Bucket(_));
        if let Some(name) = S3_ONLY.iter().find(|name| !is_bucket && is_given(options, name)) {
            return Err(format!("`{name}` is for archives in `s3://`"));
        }
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
        let roll_bytes = at_least("roll_bytes", 64 * 1024, 128 * 1024 * 1024)?;
        let most = OBJECT_PART_BYTES as u64 * (OBJECT_PARTS_MAX / 2);
        if is_bucket && roll_bytes > most {
            return Err(format!("`roll_bytes` is at most {most} in S3, which takes so many parts of a file"));
        }
        let staging =
            is_bucket.then(|| at_least("staging", 1024 * 1024, STAGING_BYTES as i64)).transpose()?;
        Ok(Self {
            at,
            partition: options.texts("partition").to_vec(),
            compression,
            sort_by: options.texts("sort_by").to_vec(),
            bloom: options.texts("bloom").to_vec(),
            // A filter takes 9.6 bits a value at 1 % of false answers: 12 MiB a field at the upper end.
            bloom_values: at_least("bloom_values", 1, 100_000)?.min(10_000_000),
            nanos: options.text("timestamps") == Some("nanos"),
            row_group_rows: at_least("row_group_rows", 1024, 122_880)? as usize,
            roll_bytes,
            roll_rows: at_least("roll_rows", 1, 10_000_000)?,
            roll_age,
            staging,
        })
    }

    /// Most bytes that files may hold before their epoch is published.
    pub(super) fn staging_bytes(&self) -> u64 {
        self.staging.unwrap_or(u64::MAX)
    }
}

fn is_given(options: &Options, name: &str) -> bool {
    match options.get(name) {
        None => false,
        Some(OptionValue::Text(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn bucket(url: &str, options: &Options) -> Result<Place, String> {
    let text = |name: &str| options.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let rest = url.strip_prefix("s3://").unwrap_or(url);
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if bucket.is_empty() || bucket.contains(['@', ':', '?']) {
        return Err(format!("`{url}` names no bucket: write `s3://bucket/prefix`"));
    }
    if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.contains("//") {
        return Err(format!(
            "`{prefix}` is not a prefix of names: it has an empty part, or one of dots only"
        ));
    }
    let access_key = match (text("access_key_id"), text("secret_access_key")) {
        (Some(id), Some(secret)) => Some((id, secret)),
        (None, None) => None,
        _ => return Err("`access_key_id` and `secret_access_key` belong together".to_owned()),
    };
    if access_key.is_none() && is_given(options, "session_token") {
        return Err("`session_token` belongs to `access_key_id` and `secret_access_key`".to_owned());
    }
    let endpoint = text("endpoint");
    if let Some(endpoint) = &endpoint
        && !endpoint.starts_with("http://")
        && !endpoint.starts_with("https://")
    {
        return Err(format!("`{endpoint}` is not a URL: it begins with `http://` or `https://`"));
    }
    let timeout = options.duration("timeout").unwrap_or(Duration::from_secs(60));
    if timeout < Duration::from_secs(1) {
        return Err("`timeout` is at least 1s".to_owned());
    }
    Ok(Place {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        region: text("region"),
        endpoint,
        access_key,
        session_token: text("session_token"),
        ca_file: text("ca_file"),
        timeout,
    })
}
