//! How each column is written: encodings, dictionaries, statistics, filters.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::schema::{ID, SCHEMA_HASH};
use super::settings::Settings;

/// Columns whose values are nearly all different and long: a dictionary would be made and thrown away, and
/// statistics of them help no search.
const FREE_TEXT: &[&str] = &["message", "event.original"];

/// The properties of a file with this schema.
pub(super) fn properties(
    schema: &Arc<Schema>,
    settings: &Settings,
) -> Result<WriterProperties, ParquetError> {
    let metadata = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let hash = schema.metadata.get(SCHEMA_HASH).map_or("", String::as_str);
    let sorting: Vec<SortingColumn> = settings
        .sort_by
        .iter()
        .filter_map(|path| schema.index_of(path).ok())
        .map(|column| SortingColumn { column_idx: column as i32, descending: false, nulls_first: false })
        .collect();
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("aludel version {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![
            metadata("aludel.version", env!("CARGO_PKG_VERSION")),
            metadata(SCHEMA_HASH, hash),
        ]))
        .set_compression(settings.compression)
        .set_max_row_group_row_count(Some(settings.row_group_rows))
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting))
        .set_statistics_enabled(EnabledStatistics::Page);
    for field in schema.fields() {
        let path = || ColumnPath::new(vec![field.name().clone()]);
        if matches!(field.data_type(), DataType::Timestamp(..)) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        }
        if field.name() == ID {
            // Neighbours share a long prefix.
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BYTE_ARRAY);
        }
        if FREE_TEXT.contains(&field.name().as_str()) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_statistics_enabled(path(), EnabledStatistics::None);
        }
    }
    for field in settings.bloom.iter().filter(|field| schema.index_of(field).is_ok()) {
        let path = || ColumnPath::new(vec![field.clone()]);
        builder = builder
            .set_column_bloom_filter_enabled(path(), true)
            .set_column_bloom_filter_fpp(path(), 0.01)
            .set_column_bloom_filter_max_ndv(path(), settings.bloom_values);
    }
    Ok(builder.build())
}
