//! `lookup`: a value from a CSV table that was read when the pipeline was compiled.

use std::collections::HashMap;

use super::{Body, Files, Function, Prepared, example, fixed, keep, may_fixed, needs};
use crate::event::{Value, write_plain};
use crate::expr::Constant;
use crate::limits::TABLE_BYTES_MAX;
use crate::signature::{Signature, Type};

/// `lookup(file, value, column, key)`
pub(super) static LOOKUP: Function = Function {
    signature: &Signature {
        name: "lookup",
        summary: "a value from a CSV table",
        doc: "The file (RFC 4180, first row names the columns) is read when the pipeline is compiled. The row is the \
              first whose key column equals the value; the key is the first column unless another is named. Missing \
              where there is no such row, or its cell is empty.",
        form: "lookup(file: text, value: any, column: text, key?: text) -> text",
        options: &[],
        examples: &[
            example("by the first column", "lookup(\"hosts.csv\", \"web-1\", \"owner\")", "\"shop\""),
            example("by another", "lookup(\"hosts.csv\", 17, \"host\", key = \"rack\")", "\"web-1\""),
            example("no such row", "lookup(\"hosts.csv\", \"web-9\", \"owner\")", "missing"),
        ],
    },
    params: &[
        fixed("file", &[Type::Text]),
        needs("value", &[Type::Any]),
        fixed("column", &[Type::Text]),
        may_fixed("key", &[Type::Text]),
    ],
    returns: |_| Type::Text,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(lookup),
};

fn lookup(constants: &[Option<Constant>], files: &dyn Files) -> Result<Prepared, String> {
    let text = |at: usize| constants.get(at).and_then(Option::as_ref).and_then(Constant::text);
    let file = text(0).ok_or("`file` must be a constant text")?;
    let column = text(2).ok_or("`column` must be a constant text")?;
    let table = table(file, column, text(3), files)?;
    Ok(Box::new(move |args, texts| {
        let mut wanted = texts.scratch();
        write_plain(texts, *args.get(1)?, &mut wanted);
        let cell = table.get(&*wanted);
        wanted.clear();
        wanted.extend_from_slice(cell.map_or(&[], |cell| cell));
        let span = keep(texts, wanted)?;
        (span.len > 0).then_some(Value::Text(span))
    }))
}

type Table = HashMap<Box<[u8]>, Box<[u8]>>;

fn table(file: &str, column: &str, key: Option<&str>, files: &dyn Files) -> Result<Table, String> {
    let bytes = files.read(file, TABLE_BYTES_MAX)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(&*bytes);
    let header = reader.headers().map_err(|error| format!("{file}: {error}"))?.clone();
    let position = |name: &str| {
        header.iter().position(|known| known == name).ok_or_else(|| {
            let known: Vec<_> = header.iter().take(32).collect();
            format!("{file} has no column `{name}`; it has {}", known.join(", "))
        })
    };
    let (key, column) = (key.map_or(Ok(0), position)?, position(column)?);
    let mut table = Table::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| format!("{file}: {error}"))? {
        if let (Some(key), Some(cell)) = (record.get(key), record.get(column)) {
            table.entry(key.into()).or_insert_with(|| cell.into());
        }
    }
    Ok(table)
}
