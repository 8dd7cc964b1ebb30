//! W5: CRI lines with nginx's combined format → one Parquet file: eleven columns, dictionaries, zstd level 1.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::access::{self, Access};
use super::cri::{self, Joiner};
use super::input::Log;

/// Rows handed to the writer at once: they stay in the second-level cache.
const BATCH_ROWS: usize = 4096;

/// The columns of text, in the order in which `Columns::push` fills them.
const TEXTS: [&str; 8] = [
    "log.iostream",
    "source.ip",
    "user.name",
    "http.request.method",
    "url.original",
    "http.version",
    "http.request.referrer",
    "user_agent.original",
];

pub(super) fn run(files: &[Log], out: &Path) -> Result<(), String> {
    let file = File::create(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut columns = Columns::new();
    let mut writer = ArrowWriter::try_new(file, columns.schema.clone(), Some(properties()?)).map_err(text)?;
    for log in files {
        let mut joiner = Joiner::default();
        log.lines(|line| {
            let Some(line) = cri::split(line) else { return Err(format!("not a CRI line: {line}")) };
            let Some(row) = joiner.message(&line, |message| {
                let access = access::parse(message);
                access.map(|access| columns.push(&access, line.stream())).ok_or_else(|| message.to_owned())
            }) else {
                return Ok(());
            };
            row.map_err(|message| format!("not an access line: {message}"))?;
            if columns.rows == BATCH_ROWS { writer.write(&columns.take()?).map_err(text) } else { Ok(()) }
        })?;
    }
    writer.write(&columns.take()?).map_err(text)?;
    writer.close().map(drop).map_err(text)
}

fn properties() -> Result<WriterProperties, String> {
    let time = || ColumnPath::from("@timestamp");
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(text)?))
        .set_dictionary_enabled(true)
        .set_column_dictionary_enabled(time(), false)
        .set_column_encoding(time(), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build())
}

struct Columns {
    schema: Arc<Schema>,
    time: TimestampNanosecondBuilder,
    texts: [StringBuilder; TEXTS.len()],
    status: Int64Builder,
    body_bytes: Int64Builder,
    rows: usize,
}

impl Columns {
    fn new() -> Self {
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let mut fields = vec![Field::new("@timestamp", utc, false)];
        fields.extend(TEXTS.map(|name| Field::new(name, DataType::Utf8, true)));
        fields.push(Field::new("http.response.status_code", DataType::Int64, false));
        fields.push(Field::new("http.response.body.bytes", DataType::Int64, false));
        Self {
            schema: Arc::new(Schema::new(fields)),
            time: TimestampNanosecondBuilder::with_capacity(BATCH_ROWS).with_timezone("UTC"),
            texts: TEXTS.map(|_| StringBuilder::with_capacity(BATCH_ROWS, BATCH_ROWS * 32)),
            status: Int64Builder::with_capacity(BATCH_ROWS),
            body_bytes: Int64Builder::with_capacity(BATCH_ROWS),
            rows: 0,
        }
    }

    #[inline]
    fn push(&mut self, access: &Access<'_>, stream: &str) {
        self.time.append_value(access.time.ns());
        let [iostream, address, user, method, url, version, referrer, agent] = &mut self.texts;
        iostream.append_value(stream);
        append(address, access.address);
        append(user, access.user);
        append(method, access.method);
        append(url, access.url);
        append(version, access.version);
        append(referrer, access.referrer);
        append(agent, access.agent);
        self.status.append_value(access::value(access.status));
        self.body_bytes.append_value(access::value(access.body_bytes));
        self.rows += 1;
    }

    fn take(&mut self) -> Result<RecordBatch, String> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.time.finish())];
        for text in &mut self.texts {
            columns.push(Arc::new(text.finish()));
        }
        columns.push(Arc::new(self.status.finish()));
        columns.push(Arc::new(self.body_bytes.finish()));
        RecordBatch::try_new(self.schema.clone(), columns).map_err(text)
    }
}

/// `-` is a missing value.
#[inline]
fn append(column: &mut StringBuilder, value: &str) {
    match value {
        "-" => column.append_null(),
        value => column.append_value(value),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
