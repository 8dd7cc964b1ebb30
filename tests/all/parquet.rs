//! `parquet`: what is in the files, who can read them, what a crash leaves, and its bounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use aludel::event::{Message, OptionValue, Options, Row, Span, Value};
use aludel::limits::{BUDGET_BODIES_BYTES, PARQUET_BUFFER_BYTES};
use aludel::position::{CursorRecord, IdPrefix, PipelineTag, Ranges, StreamId};
use aludel::signature::Type;
use aludel::sink::{
    Body, Encoder, EventRef, Next, Payload, Provenance, Settled, Shape, Sink, SinkPlan, parquet,
};
use arrow::array::{Array, AsArray, RecordBatch};

use super::disk::Disk;
use super::plain_sinks::{run, shape, stream, world};

pub(crate) const FIELDS: &[(&str, Type)] = &[
    ("@timestamp", Type::Timestamp),
    ("event.duration", Type::Duration),
    ("http.response.status_code", Type::Int),
    ("message", Type::Text),
    ("ok", Type::Bool),
    ("ratio", Type::Float),
    ("service.name", Type::Text),
    ("source.ip", Type::Ip),
    ("tags", Type::List),
    ("user.id", Type::Any),
];

/// 2026-11-23T06:00:00Z.
const SIX: i64 = 1_795_413_600_000_000_000;

pub(crate) fn plan(options: Vec<(&'static str, OptionValue)>, folder: &str) -> Box<dyn SinkPlan> {
    (parquet::KIND.plan)("archive", &Options::new(vec![folder.to_owned()], options)).expect("a plan")
}

pub(crate) fn texts(texts: &[&str]) -> OptionValue {
    OptionValue::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

pub(crate) fn partitions() -> Vec<(&'static str, OptionValue)> {
    vec![("partition", texts(&["date", "hour", "service.name"]))]
}

/// What a test sets in a row.
pub(crate) type Fill<'a> = &'a dyn Fn(&mut Row, u64);

/// Encodes the events `numbers` as one batch; event `n` is byte range `10 n .. 10 n + 10` of the stream.
pub(crate) fn batch(
    encoder: &mut dyn Encoder,
    shape: &Shape,
    number: u64,
    numbers: std::ops::Range<u64>,
    fill: Fill<'_>,
) -> Body {
    let mut row = Row::new(shape.layout.clone(), Arc::default());
    let stream = stream();
    let prefix = IdPrefix::new(stream.id, stream.generation, 0, PipelineTag::new("web"));
    let none = Span { start: 0, len: 0, buffer: Span::ARENA, facts: Default::default() };
    for n in numbers.clone() {
        row.clear();
        fill(&mut row, n);
        let message = Message { text: none, time: none, start: 10 * n, end: 10 * n + 10, lane: 0, part: 0 };
        encoder
            .push(&mut row, EventRef { ids: &prefix, message: &message, stream: &stream })
            .expect("encodes");
    }
    let ranges = vec![(Arc::new(stream), std::iter::once(10 * numbers.start..10 * numbers.end).collect())];
    let provenance = Arc::new(Provenance { batch: number, ranges });
    Body::joined(&provenance, encoder.finish(&provenance))
}

fn set(row: &mut Row, path: &str, value: Value) {
    let slot = row.layout().slot(path).expect("named");
    row.set(slot, value);
}

pub(crate) fn set_text(row: &mut Row, path: &str, text: &str) {
    let span = row.texts.push(text.as_bytes());
    set(row, path, Value::Text(span));
}

/// A row with everything, by its number; every third lacks most.
pub(crate) fn fill(row: &mut Row, n: u64) {
    set(row, "@timestamp", Value::Timestamp(SIX + n as i64 * 1_000_001_000));
    set_text(row, "message", &format!("line {n} \u{e9}"));
    set_text(row, "service.name", ["web", "shop/eu", "a b"][n as usize % 3]);
    if n.is_multiple_of(3) {
        return;
    }
    set(row, "event.duration", Value::Duration(1_500));
    set(row, "http.response.status_code", Value::Int(200 + n as i64));
    set(row, "ok", Value::Bool(n.is_multiple_of(2)));
    set(row, "ratio", Value::Float(0.5));
    let ip = row.texts.push(b"203.0.113.7");
    set(row, "source.ip", Value::Ip(ip));
    let list = row.texts.push(b"[\"a\",1]");
    set(row, "tags", Value::List(list));
    set(row, "user.id", Value::Int(7));
    let (key, value) = (row.texts.push(b"pool"), row.texts.push(b"blue"));
    row.add(row.layout().slot("http").expect("named"), key, Value::Text(value));
}

/// All rows that a reader finds, by folder.
fn rows(fs: &Disk, folder: &str) -> BTreeMap<PathBuf, Vec<RecordBatch>> {
    let mut found = BTreeMap::new();
    for path in fs.paths() {
        let below = path.strip_prefix(folder).expect("below the archive");
        if below.starts_with("_aludel") {
            continue;
        }
        let bytes = bytes::Bytes::from(fs.read(&path).expect("a file"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a parquet file");
        let batches: Vec<_> = reader.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
        let parent = below.parent().expect("a folder").to_owned();
        found.entry(parent).or_insert_with(Vec::new).extend(batches);
    }
    found
}

fn ids(rows: &BTreeMap<PathBuf, Vec<RecordBatch>>) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in rows.values().flatten() {
        let column = batch.column_by_name("event.id").expect("a column").as_string::<i32>();
        ids.extend(column.iter().map(|id| id.expect("an id").to_owned()));
    }
    ids.sort();
    ids
}

pub(crate) fn id(n: u64) -> String {
    let prefix = IdPrefix::new(StreamId(7), 0, 0, PipelineTag::new("web"));
    String::from_utf8(prefix.id(10 * n, 10 * n + 10, 0).to_vec()).expect("letters")
}

fn close(sink: &mut dyn Sink, settled: &mut Vec<Settled>) -> Next {
    sink.close();
    let mut now = Duration::ZERO;
    run(sink, &mut now, settled)
}

#[test]
fn rows_come_back_as_they_were() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let plan = plan(partitions(), "archive");
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let (mut sink, cursors) = plan.open(world(&disk)).expect("it opens");
    assert_eq!(cursors, []);
    let mut settled = Vec::new();
    sink.offer(batch(&mut *encoder, &shape, 0, 0..6, &fill), Duration::ZERO);
    sink.offer(batch(&mut *encoder, &shape, 1, 6..9, &fill), Duration::ZERO);
    assert!(matches!(sink.step(Duration::ZERO, &mut settled), Next::At(_)));
    assert!(settled.is_empty(), "nothing is settled before the commit");
    assert!(sink.released() > 0, "bodies are let go of before");
    assert_eq!(close(&mut *sink, &mut settled), Next::Done);
    assert_eq!(settled.iter().map(|s| s.delivered).collect::<Vec<_>>(), [6, 3]);

    let found = rows(&disk, "archive");
    let folders: Vec<_> = found.keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(
        folders,
        [
            "date=2026-11-23/hour=06/service.name=a%20b",
            "date=2026-11-23/hour=06/service.name=shop%2Feu",
            "date=2026-11-23/hour=06/service.name=web"
        ]
    );
    assert_eq!(ids(&found), {
        let mut all: Vec<_> = (0..9).map(id).collect();
        all.sort();
        all
    });
    let batch = &found[Path::new("date=2026-11-23/hour=06/service.name=shop%2Feu")][0];
    let column = |name| batch.column_by_name(name).expect("a column");
    let micros = column("@timestamp").as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
    assert_eq!(micros.value(0), SIX / 1000 + 1_000_001);
    assert_eq!(column("message").as_string::<i32>().value(1), "line 4 \u{e9}");
    assert_eq!(column("user.id").as_string::<i32>().value(0), "7");
    assert_eq!(column("tags").as_string::<i32>().value(0), "[\"a\",1]");
    let rest = column("rest").as_map().value(0);
    assert_eq!(rest.column(0).as_string::<i32>().value(0), "http.pool");
    assert_eq!(rest.column(1).as_string::<i32>().value(0), "blue");
    let lacking = &found[Path::new("date=2026-11-23/hour=06/service.name=web")][0];
    assert!(lacking.column_by_name("ok").expect("a column").is_null(0));
    assert!(lacking.column_by_name("rest").expect("a column").is_null(0));
}

/// What has no place in its column, or in the name of a folder, is in `rest`.
#[test]
fn an_odd_value_is_kept() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let plan = plan(partitions(), "archive");
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
    let odd = |row: &mut Row, _| {
        set_text(row, "http.response.status_code", "teapot");
        set_text(row, "http", "scalar where fields are named below");
        set_text(row, "service.name", &"x".repeat(200));
        set(row, "ratio", Value::Int(3));
        let broken = row.texts.push(b"caf\xe9");
        set(row, "message", Value::Text(broken));
    };
    sink.offer(batch(&mut *encoder, &shape, 0, 0..1, &odd), Duration::ZERO);
    close(&mut *sink, &mut Vec::new());
    let found = rows(&disk, "archive");
    let default = "__HIVE_DEFAULT_PARTITION__";
    let batch = &found[Path::new(&format!("date={default}/hour={default}/service.name={default}"))][0];
    assert!(batch.column_by_name("http.response.status_code").expect("a column").is_null(0));
    assert_eq!(
        batch
            .column_by_name("ratio")
            .expect("a column")
            .as_primitive::<arrow::datatypes::Float64Type>()
            .value(0),
        3.0
    );
    assert_eq!(batch.column_by_name("message").expect("a column").as_string::<i32>().value(0), "caf\u{fffd}");
    let rest = batch.column_by_name("rest").expect("a column").as_map().value(0);
    let keys: Vec<_> = rest.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(keys, ["http", "http.response.status_code", "service.name"]);
}

/// Frozen: readers of old archives, and those that join them with new ones, see these names and types.
#[test]
fn the_schema_is_golden() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let mut options = partitions();
    options.push(("sort_by", texts(&["http.response.status_code"])));
    options.push(("bloom", texts(&["source.ip"])));
    let plan = plan(options, "archive");
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
    sink.offer(batch(&mut *encoder, &shape, 0, 1..2, &fill), Duration::ZERO);
    close(&mut *sink, &mut Vec::new());
    let path = disk.paths().into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet"));
    let bytes = bytes::Bytes::from(disk.read(path.expect("a file")).expect("a file"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a parquet file");
    let mut text = Vec::new();
    let metadata = reader.metadata();
    ::parquet::schema::printer::print_schema(&mut text, metadata.file_metadata().schema());
    let mut text = String::from_utf8(text).expect("text");
    let group = metadata.row_group(0);
    for column in group.columns() {
        let mut encodings: Vec<_> = column.encodings().map(|encoding| encoding.to_string()).collect();
        encodings.sort();
        let bloom = if column.bloom_filter_offset().is_some() { " bloom" } else { "" };
        text +=
            &format!("{} {} {}{bloom}\n", column.column_path(), column.compression(), encodings.join("+"));
    }
    text += &format!("sorted by {:?}\n", group.sorting_columns());
    for pair in metadata.file_metadata().key_value_metadata().into_iter().flatten() {
        if pair.key != "ARROW:schema" {
            text += &format!("{} = {}\n", pair.key, pair.value.as_deref().unwrap_or(""));
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sink/parquet/schema.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&golden, &text).expect("written");
    }
    assert_eq!(text, std::fs::read_to_string(golden).unwrap_or_default(), "UPDATE_EXPECT=1 rewrites it");
}

#[test]
fn rows_are_sorted_within_a_row_group() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let plan = plan(
        vec![("sort_by", texts(&["http.response.status_code"])), ("row_group_rows", OptionValue::Int(1024))],
        "archive",
    );
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
    let status =
        |row: &mut Row, n| set(row, "http.response.status_code", Value::Int((n as i64 * 7919) % 1000));
    for n in 0..3 {
        sink.offer(batch(&mut *encoder, &shape, n, n * 1000..(n + 1) * 1000, &status), Duration::ZERO);
    }
    let mut settled = Vec::new();
    close(&mut *sink, &mut settled);
    assert_eq!(settled.len(), 3);
    assert_eq!(ids(&rows(&disk, "archive")).len(), 3000);
    let path = disk.paths().into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet"));
    let bytes = bytes::Bytes::from(disk.read(path.expect("a file")).expect("a file"));
    let open = || ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a parquet file");
    let groups = open().metadata().num_row_groups();
    assert_eq!(groups, 3);
    for group in 0..groups {
        let reader = open().with_row_groups(vec![group]).with_batch_size(4096).build().expect("a reader");
        for batch in reader {
            let batch = batch.expect("rows");
            let column = batch.column_by_name("http.response.status_code").expect("a column");
            assert!(column.as_primitive::<arrow::datatypes::Int64Type>().values().is_sorted());
        }
    }
}

/// Whether every position of a range is settled by what an archive says of itself.
pub(crate) fn settled_by(cursors: &[CursorRecord], range: std::ops::Range<u64>) -> bool {
    let mut all = Ranges::default();
    for cursor in cursors {
        all.insert(0..cursor.low);
        cursor.settled.iter().for_each(|range| all.insert(range));
    }
    all.covers(&range)
}

/// Offers the batches that are not settled by the archive's own account, as a restart does. Returns the numbers of
/// those that were settled in this life.
fn life(
    disk: &Disk,
    plan: &dyn SinkPlan,
    shape: &Shape,
    batches: u64,
    fill: Fill<'_>,
) -> Result<Vec<u64>, String> {
    let (mut sink, cursors) = plan.open(world(disk)).map_err(|error| error.to_string())?;
    let mut encoder = plan.encoder(shape)?;
    let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
    for n in 0..batches {
        let events = n * 4..n * 4 + 4;
        if settled_by(&cursors, events.start * 10..events.end * 10) {
            continue;
        }
        sink.offer(batch(&mut *encoder, shape, n, events, fill), now);
        sink.step(now, &mut settled);
        // Every other batch ends an epoch by its age.
        now += Duration::from_secs(if n % 2 == 0 { 1 } else { 600 });
        if sink.trouble().is_some() {
            break;
        }
    }
    sink.close();
    for _ in 0..20 {
        if sink.step(now, &mut settled) == Next::Done {
            break;
        }
        now += Duration::from_secs(2);
    }
    Ok(settled.iter().map(|settled| settled.provenance.batch).collect())
}

/// Wherever the power goes, and however often, after the next start no row is missing and none is there twice.
#[test]
fn a_crash_neither_loses_nor_repeats() {
    const BATCHES: u64 = 4;
    // Few columns, since this writes a thousand archives.
    let shape = shape(&[("http", Type::Object), ("message", Type::Text), ("service.name", Type::Text)]);
    let options =
        vec![("partition", texts(&["service.name"])), ("compression", OptionValue::Text("none".to_owned()))];
    let plan = plan(options, "archive");
    let fill = |row: &mut Row, n: u64| {
        set_text(row, "message", &format!("line {n}"));
        set_text(row, "service.name", ["web", "shop/eu"][n as usize % 2]);
    };
    let life = |disk: &Disk| life(disk, &*plan, &shape, BATCHES, &fill);
    let whole = Disk::default();
    life(&whole).expect("it opens");
    let operations = whole.operations();
    assert!(operations > 40, "{operations}");
    let mut all: Vec<_> = (0..BATCHES * 4).map(id).collect();
    all.sort();
    for lucky in [false, true] {
        for at in 0..operations {
            let disk = Disk::default();
            disk.power_goes_after(at);
            let first = life(&disk).unwrap_or_default();
            disk.reboot(lucky);
            // A second crash, while the first is being cleared up.
            disk.power_goes_after(at % 7);
            let second = life(&disk).unwrap_or_default();
            disk.reboot(lucky);
            let third = life(&disk).expect("it opens");
            let found = rows(&disk, "archive");
            assert_eq!(ids(&found), all, "power went after {at} of {operations} (lucky: {lucky})");
            for n in first.iter().chain(&second) {
                assert!(!third.contains(n), "batch {n} was settled and came again");
            }
            let aside =
                disk.paths().into_iter().filter(|path| path.starts_with("archive/_aludel/tmp")).count();
            assert_eq!(aside, 0, "rubbish is removed");
        }
    }
}

/// Many short lives and epochs: the records stay few, and still say all that is settled.
#[test]
fn commit_records_stay_few() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let plan = plan(Vec::new(), "archive");
    for lives in 1..=10 {
        life(&disk, &*plan, &shape, lives * 30, &fill).expect("it opens");
    }
    let records = disk.paths().into_iter().filter(|path| path.starts_with("archive/_aludel/commits")).count();
    assert!(records <= aludel::limits::PARQUET_COMMITS_MAX + 1, "{records} records");
    let (_, cursors) = plan.open(world(&disk)).expect("it opens");
    assert!(settled_by(&cursors, 0..300 * 40));
    assert_eq!(cursors.len(), 1);
    assert_eq!(ids(&rows(&disk, "archive")).len(), 1200);
}

#[test]
fn a_full_disk_loses_nothing() {
    let shape = shape(FIELDS);
    let plan = plan(partitions(), "archive");
    for room in [0, 100, 3000, 9000, 12_000] {
        let disk = Disk::default();
        let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
        let mut encoder = plan.encoder(&shape).expect("an encoder");
        disk.space(Some(room));
        let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
        for n in 0..3 {
            sink.offer(batch(&mut *encoder, &shape, n, n * 5..n * 5 + 5, &fill), now);
        }
        sink.close();
        for _ in 0..5 {
            sink.step(now, &mut settled);
            now += Duration::from_secs(2);
        }
        assert!(sink.trouble().expect("trouble").contains("archive"), "room {room}");
        assert!(settled.is_empty());
        disk.space(None);
        assert_eq!(run(&mut *sink, &mut now, &mut settled), Next::Done);
        assert_eq!(settled.len(), 3);
        assert_eq!(sink.trouble(), None);
        let mut all: Vec<_> = (0..15).map(id).collect();
        all.sort();
        assert_eq!(ids(&rows(&disk, "archive")), all);
    }
}

/// After a sync that failed, the next may succeed and mean nothing: the file is written again.
#[test]
fn a_failed_sync_is_not_believed() {
    let shape = shape(FIELDS);
    let plan = plan(partitions(), "archive");
    for failures in 1..4 {
        let disk = Disk::default();
        let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
        let mut encoder = plan.encoder(&shape).expect("an encoder");
        let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
        sink.offer(batch(&mut *encoder, &shape, 0, 0..6, &fill), now);
        sink.close();
        disk.syncs_fail(failures);
        for _ in 0..10 {
            if sink.step(now, &mut settled) == Next::Done {
                break;
            }
            assert!(sink.trouble().is_some() && settled.is_empty());
            now += Duration::from_secs(2);
        }
        assert_eq!(settled.len(), 1);
        disk.reboot(false);
        assert_eq!(ids(&rows(&disk, "archive")).len(), 6);
    }
}

/// Ten thousand partitions, interleaved: few files are open at once, and what bodies hold is given back.
#[test]
fn many_partitions_keep_the_bound() {
    let disk = Disk::default();
    let shape = shape(&[("message", Type::Text), ("user.id", Type::Text)]);
    let compression = ("compression", OptionValue::Text("none".to_owned()));
    let plan = plan(vec![("partition", texts(&["user.id"])), compression], "archive");
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let (mut sink, _) = plan.open(world(&disk)).expect("it opens");
    let user = |row: &mut Row, n| set_text(row, "user.id", &format!("u{n}"));
    let (mut settled, mut held) = (Vec::new(), 0);
    for n in 0..10 {
        let body = batch(&mut *encoder, &shape, n, n * 1000..(n + 1) * 1000, &user);
        held += body.bytes;
        sink.offer(body, Duration::ZERO);
        sink.step(Duration::ZERO, &mut settled);
        held -= sink.released();
        assert!(held < BUDGET_BODIES_BYTES.min(PARQUET_BUFFER_BYTES), "{held}");
    }
    close(&mut *sink, &mut settled);
    assert_eq!(settled.len(), 10);
    let found = rows(&disk, "archive");
    assert_eq!(found.len(), 10_000);
    assert_eq!(ids(&found).len(), 10_000);
}

/// A damaged commit record stops the start with a name and a way out, since guessing would lose or repeat rows.
#[test]
fn a_damaged_commit_record_is_named() {
    let disk = Disk::default();
    let shape = shape(FIELDS);
    let plan = plan(Vec::new(), "archive");
    life(&disk, &*plan, &shape, 2, &fill).expect("it opens");
    let path = Path::new("archive/_aludel/commits/000000000000.json");
    let mut bytes = disk.read(path).expect("a record");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    disk.put(path, &bytes);
    let error = plan.open(world(&disk)).err().expect("it does not open").to_string();
    assert!(error.contains("000000000000.json") && error.contains("damaged"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let shape = shape(&[("message", Type::Text)]);
    let cases = [
        (("partition", texts(&["date"])), "`.@timestamp`"),
        (("partition", texts(&["service.name"])), "`.service.name`"),
        (("level", OptionValue::Int(40)), "1 to 22"),
        (("row_group_rows", OptionValue::Int(1)), "`row_group_rows`"),
    ];
    for (option, expected) in cases {
        let options = Options::new(vec!["archive".to_owned()], vec![option]);
        let plan = (parquet::KIND.plan)("archive", &options);
        let error = match plan {
            Ok(plan) => plan.encoder(&shape).err(),
            Err(error) => Some(error),
        };
        assert!(error.as_ref().is_some_and(|error| error.contains(expected)), "{error:?}");
    }
}

#[test]
fn a_body_without_rows_settles_at_once() {
    let disk = Disk::default();
    let (mut sink, _) = plan(Vec::new(), "archive").open(world(&disk)).expect("it opens");
    let provenance = Arc::new(Provenance { batch: 0, ranges: Vec::new() });
    let body = Body::joined(&provenance, Vec::new());
    assert!(matches!(&body.payload, Payload::Bytes(_)));
    let mut settled = Vec::new();
    sink.offer(body, Duration::ZERO);
    assert_eq!(sink.step(Duration::ZERO, &mut settled), Next::Idle);
    assert_eq!(settled.len(), 1);
}
