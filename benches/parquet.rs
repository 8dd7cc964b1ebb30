//! The Parquet archive of the race (W5), in bytes of access log per second of one core: `columns` is the worker's
//! half (rows → Arrow columns), `file` the sink's (columns → pages, compressed with zstd 1, on a disk that takes
//! everything).

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;
#[path = "support/rows.rs"]
mod rows;

use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aludel::seam::{File, FileId, FileKind, FileStat, Fs, RealClock};
use aludel::sink::{Body, Endpoint, Network, Payload, Sink, Transport, World};
use course::W5;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rows::Rows;

/// Rows of one batch, all different, so that they compress as a log does: about what a reader hands on.
const ROWS: usize = 2000;
/// Batches of a file.
const BATCHES: u64 = 40;

/// A disk that takes everything and keeps nothing.
struct Nowhere;

impl File for Nowhere {
    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        black_box(bytes);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn stat(&self) -> io::Result<FileStat> {
        let id = FileId { device: 0, inode: 0, birth_ns: 0 };
        Ok(FileStat { id, size: 0, modified_ns: 0, links: 1, kind: FileKind::File })
    }
}

impl Fs for Nowhere {
    fn open(&self, _: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }
    fn open_append(&self, _: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }
    fn stat(&self, _: &Path) -> io::Result<FileStat> {
        File::stat(&Nowhere)
    }
    fn list(&self, _: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        Ok(Vec::new())
    }
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

struct NoNetwork;

impl Network for NoNetwork {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("no network here".to_owned())
    }
}

fn world() -> World {
    World {
        fs: Arc::new(Nowhere),
        clock: Arc::new(RealClock::start()),
        network: Arc::new(NoNetwork),
        data_dir: "/data".into(),
        host: Arc::from(&b"bench"[..]),
        wake: Arc::new(|| {}),
    }
}

fn archive(criterion: &mut Criterion) {
    let plan = W5.runnable();
    let (archive, mut rows) = (&plan.sinks[0].plan, Rows::new(&W5, ROWS));
    let mut encoder = archive.encoder(&rows.shape).expect("an encoder");
    let bytes = rows.input_bytes;
    let mut group = criterion.benchmark_group("parquet");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("W5/columns", |bench| {
        bench.iter(|| black_box(rows.encode(&mut *encoder, 1, 0)));
    });
    let bodies: Vec<Body> = (0..BATCHES).flat_map(|batch| rows.encode(&mut *encoder, 1, batch)).collect();
    group.throughput(Throughput::Bytes(bytes * BATCHES));
    group.sample_size(10);
    group.bench_function("W5/file", |bench| {
        bench.iter(|| {
            let (mut sink, _) = archive.open(world()).expect("it opens");
            write(&mut *sink, &bodies)
        });
    });
    group.finish();
}

fn write(sink: &mut dyn Sink, bodies: &[Body]) -> usize {
    let mut settled = Vec::new();
    for body in bodies {
        let Payload::Columns(columns) = &body.payload else { continue };
        let copy = Body {
            provenance: Arc::clone(&body.provenance),
            payload: Payload::Columns(columns.clone()),
            row_ends: Vec::new(),
            rows: body.rows,
            bytes: body.bytes,
        };
        sink.offer(copy, Duration::ZERO);
        sink.step(Duration::ZERO, &mut settled);
    }
    sink.close();
    sink.step(Duration::ZERO, &mut settled);
    settled.len()
}

criterion_group!(benches, archive);
criterion_main!(benches);
