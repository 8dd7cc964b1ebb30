//! Columns of a table by a key: a CSV or JSON file that is read anew when it is changed.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Enricher, EnricherKind};
use crate::event::{Options, Slot, Span, Texts, Value};
use crate::format::{Fields, Target, scan};
use crate::lookup::{Held, Read};
use crate::seam::RealFs;
use crate::signature::{Field, OptionSpec, OptionType, Signature, Type};

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "table",
        summary: "columns of a CSV or JSON table, by a key",
        doc: "A CSV file (RFC 4180) names its columns in the first row; a JSON file is a list of objects, or one a line \
              (`.ndjson`). The first row whose key is the text of the field counts. A column is a field path with `:int`, \
              `:float` or `:bool` behind it where it is not text; empty cells are no fields. The file is read anew when \
              it is changed.",
        form: "table(.FIELD, file = \"FILE\", columns = [\"COLUMN\"])",
        options: &[
            OptionSpec {
                name: "file",
                ty: OptionType::Path,
                default: None,
                doc: "the table: `.csv`, `.tsv`, `.json` or `.ndjson`",
            },
            OptionSpec {
                name: "columns",
                ty: OptionType::Texts,
                default: None,
                doc: "columns that become fields",
            },
            OptionSpec {
                name: "key",
                ty: OptionType::Text,
                default: Some(""),
                doc: "column that is compared: the first of a CSV table, `key` of a JSON table, unless given",
            },
        ],
        examples: &[],
    },
    takes: true,
    gives: |options| {
        let columns = columns(options);
        if columns.is_empty() {
            return Err("a table needs the columns that become fields".into());
        }
        let field = |(path, ty): (String, Type)| Field { path, ty, maybe: true, doc: String::new() };
        Ok(columns.into_iter().map(field).collect())
    },
    bind: |bind, data| {
        let columns = columns(bind.options);
        let slots =
            columns.iter().map(|(path, ty)| Ok((bind.slot(path)?, *ty))).collect::<Result<_, String>>()?;
        let path = bind.options.text("file").ok_or("a file is missing")?.to_owned();
        let key = bind.options.text("key").filter(|key| !key.is_empty()).map(str::to_owned);
        let names: Vec<String> = columns.into_iter().map(|(path, _)| path).collect();
        let ending = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let read = move |bytes: &[u8]| {
            let table = match ending.as_str() {
                "json" | "ndjson" | "jsonl" => from_json(bytes, key.as_deref(), &names)?,
                "tsv" => from_csv(bytes, b'\t', key.as_deref(), &names)?,
                _ => from_csv(bytes, b',', key.as_deref(), &names)?,
            };
            Ok(Arc::new(table) as Read)
        };
        Ok(Box::new(Lookup { data: data.file(&RealFs, &path, Box::new(read))?, columns: slots }))
    },
};

/// Columns with their types.
fn columns(options: &Options) -> Vec<(String, Type)> {
    let typed = |column: &String| match column.rsplit_once(':') {
        Some((name, "int")) => (name.to_owned(), Type::Int),
        Some((name, "float")) => (name.to_owned(), Type::Float),
        Some((name, "bool")) => (name.to_owned(), Type::Bool),
        _ => (column.clone(), Type::Text),
    };
    options.texts("columns").iter().map(typed).collect()
}

/// Cells of the wanted columns, by key.
type Table = HashMap<Box<[u8]>, Box<[Box<[u8]>]>>;

fn from_csv(bytes: &[u8], delimiter: u8, key: Option<&str>, names: &[String]) -> Result<Table, String> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(delimiter).flexible(true).trim(csv::Trim::Headers).from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let position = |name: &str| {
        let known = || header.iter().take(32).collect::<Vec<_>>().join(", ");
        let found = header.iter().position(|known| known == name);
        found.ok_or_else(|| format!("there is no column `{name}`; there are {}", known()))
    };
    let key = key.map_or(Ok(0), position)?;
    let columns = names.iter().map(|name| position(name)).collect::<Result<Vec<_>, _>>()?;
    let (mut table, mut record) = (Table::new(), csv::ByteRecord::new());
    while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
        if let Some(key) = record.get(key) {
            let cells = columns.iter().map(|&at| record.get(at).unwrap_or_default().into());
            table.entry(key.into()).or_insert_with(|| cells.collect());
        }
    }
    Ok(table)
}

fn from_json(bytes: &[u8], key: Option<&str>, names: &[String]) -> Result<Table, String> {
    let mut rows: Vec<serde_json::Value> = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter() {
        match value.map_err(|error: serde_json::Error| error.to_string())? {
            serde_json::Value::Array(list) => rows.extend(list),
            row => rows.push(row),
        }
    }
    let plain = |value: Option<&serde_json::Value>| -> Box<[u8]> {
        match value {
            None | Some(serde_json::Value::Null) => Box::default(),
            Some(serde_json::Value::String(text)) => text.as_bytes().into(),
            Some(other) => other.to_string().into_bytes().into(),
        }
    };
    let mut table = Table::new();
    for row in &rows {
        let key = plain(row.get(key.unwrap_or("key")));
        if !key.is_empty() {
            let nested = |name: &String| row.pointer(&format!("/{}", name.replace('.', "/")));
            let cell = |name: &String| plain(row.get(name).or_else(|| nested(name)));
            table.entry(key).or_insert_with(|| names.iter().map(cell).collect());
        }
    }
    Ok(table)
}

struct Lookup {
    data: usize,
    columns: Box<[(Slot, Type)]>,
}

impl Enricher for Lookup {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, held: &mut Held) {
        let row = held.get::<Table>(self.data).and_then(|table| table.get(texts.bytes(input)));
        for ((slot, ty), cell) in self.columns.iter().zip(row.into_iter().flatten()) {
            if cell.is_empty() {
                continue;
            }
            let whole = |len: usize| len == cell.len();
            let value = match ty {
                Type::Int => scan::int(cell).filter(|(_, len)| whole(*len)).map(|(int, _)| Value::Int(int)),
                Type::Float => {
                    scan::float(cell).filter(|(_, len)| whole(*len)).map(|(float, _)| Value::Float(float))
                }
                Type::Bool => match &**cell {
                    b"true" => Some(Value::Bool(true)),
                    b"false" => Some(Value::Bool(false)),
                    _ => None,
                },
                _ => Some(Value::Text(texts.push(cell))),
            };
            fields.extend(value.map(|value| (Target::Slot(*slot), value)));
        }
    }
}
