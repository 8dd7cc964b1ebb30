//! The start of an archive in an object store: what the last life had committed is finished, or undone where it
//! cannot be; what it had not is removed.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::asks::{Asks, Verdict, settle};
use super::bucket::{Bucket, Keys, undo};
use super::commit::{FileEntry, Record, Sources, cursors, damaged};
use crate::position::CursorRecord;
use crate::seam::{Answer, Ask, Fs, Objects};
use crate::sink::s3::Place;
use crate::sink::{OpenError, World};

/// Digits of a writer's number.
const WRITER_LEN: usize = 16;

/// Opens an archive in a bucket.
pub(super) fn open(
    world: &World,
    place: &Place,
    sink: &str,
) -> Result<(Bucket, Vec<CursorRecord>), OpenError> {
    let own = world.data_dir.join("parquet").join(sink);
    let staging = own.join("staging");
    let writer = prepare(world, &own, &staging).map_err(|error| format!("{}: {error}", own.display()))?;
    let prefix = if place.prefix.is_empty() { String::new() } else { format!("{}/", place.prefix) };
    let keys = Keys { prefix, writer, life: format!("{:x}", world.clock.now_unix_ns()) };
    let mut objects = world.network.objects(place, Arc::clone(&world.wake))?;
    let found = recover(&mut *objects, &keys)?;
    let recovered = cursors(found.sources, sink);
    let bucket = Bucket::new(
        Arc::clone(&world.fs),
        place.to_string(),
        keys,
        staging,
        Asks::new(objects),
        found.next,
        (found.base, found.epochs),
    );
    Ok((bucket, recovered))
}

/// Empties the folder of files on their way, and returns the writer's number, which is made at the first start.
fn prepare(world: &World, own: &Path, staging: &Path) -> std::io::Result<String> {
    let fs = &*world.fs;
    fs.make_folder(staging)?;
    for (path, _) in fs.list(staging)? {
        fs.remove(&path)?;
    }
    let (path, aside) = (own.join("writer"), own.join("writer.new"));
    match read(fs, &path) {
        Ok(text) if text.len() == WRITER_LEN => return Ok(text),
        Ok(_) => return Err(std::io::Error::other("the file `writer` does not hold a writer's number")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut seed = Sha256::new();
    seed.update(&*world.host);
    seed.update(own.as_os_str().as_encoded_bytes());
    seed.update(world.clock.now_unix_ns().to_le_bytes());
    let mut writer = data_encoding::HEXLOWER.encode(&seed.finalize());
    writer.truncate(WRITER_LEN);
    let file = fs.open_append(&aside)?;
    file.truncate(0)?;
    file.append(writer.as_bytes())?;
    file.sync()?;
    fs.rename(&aside, &path)?;
    for folder in own.ancestors().take_while(|folder| folder.starts_with(&world.data_dir)) {
        fs.sync_folder(folder)?;
    }
    Ok(writer)
}

fn read(fs: &dyn Fs, path: &Path) -> std::io::Result<String> {
    let mut bytes = [0; 64];
    let length = fs.open(path)?.read_at(0, &mut bytes)?;
    Ok(String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned())
}

/// What a bucket holds of this writer.
struct Found {
    sources: Sources,
    base: Option<u64>,
    epochs: Vec<u64>,
    next: u64,
}

fn done(objects: &mut dyn Objects, ask: Ask) -> Result<Answer, OpenError> {
    match settle(objects, &ask)? {
        Verdict::Done(answer) => Ok(answer),
        other => Err(format!("{ask:?} is answered by {other:?}").into()),
    }
}

fn recover(objects: &mut dyn Objects, keys: &Keys) -> Result<Found, OpenError> {
    let Answer::Keys(names) = done(objects, Ask::List { folder: keys.records() })? else {
        return Err("a list is answered by something else".to_owned().into());
    };
    let own = format!("{}/", keys.records());
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(&own)).collect();
    let number = |name: &str, before: &str, after: &str| -> Option<u64> {
        name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    };
    let base = names.iter().filter_map(|name| number(name, "base-", ".json")).max();
    let mut epochs: Vec<u64> = names.iter().filter_map(|name| number(name, "", ".json")).collect();
    epochs.sort_unstable();
    let marked: Vec<u64> = names.iter().filter_map(|name| number(name, "", ".done")).collect();
    let merged = |epoch: &u64| base.is_some_and(|base| *epoch <= base);

    let mut sources = Sources::new();
    if let Some(base) = base {
        get(objects, &keys.base(base))?.add_to(&mut sources).map_err(|error| error.to_string())?;
    }
    let unmerged: Vec<u64> = epochs.iter().copied().filter(|epoch| !merged(epoch)).collect();
    let mut kept = Vec::new();
    let next = unmerged.last().copied().max(base).map_or(0, |last| last + 1);
    for epoch in &unmerged {
        let record = get(objects, &keys.record(*epoch))?;
        let unfinished = Some(epoch) == unmerged.last() && !marked.contains(epoch);
        if unfinished && !finish(objects, keys, &record)? {
            continue;
        }
        record.add_to(&mut sources).map_err(|error| error.to_string())?;
        kept.push(*epoch);
    }
    // What a merge did not come to: older bases, then records, each before its mark.
    let bases = names.iter().filter_map(|name| number(name, "base-", ".json"));
    let old = bases.filter(|epoch| Some(*epoch) != base).map(|epoch| keys.base(epoch));
    let records = epochs.iter().filter(|epoch| merged(epoch)).map(|epoch| keys.record(*epoch));
    let marks = marked.iter().filter(|epoch| !kept.contains(epoch)).filter(|epoch| merged(epoch));
    for key in old.chain(records).chain(marks.map(|epoch| keys.mark(*epoch))) {
        settle(objects, &Ask::Remove { key })?;
    }
    abort_orphans(objects, keys)?;
    Ok(Found { sources, base, epochs: kept, next })
}

fn get(objects: &mut dyn Objects, key: &str) -> Result<Record, OpenError> {
    match done(objects, Ask::Get { key: key.to_owned() })? {
        Answer::Object(bytes) => Ok(Record::decode(&bytes).map_err(|why| damaged(key, &why))?),
        other => Err(format!("{key} is answered by {other:?}").into()),
    }
}

/// Does what is left of a recorded epoch. False where that cannot be done and it was undone.
fn finish(objects: &mut dyn Objects, keys: &Keys, record: &Record) -> Result<bool, OpenError> {
    let mut whole = true;
    for file in &record.files {
        whole &= complete(objects, keys, file)?;
    }
    if whole {
        done(objects, Ask::Put { key: keys.mark(record.epoch), bytes: bytes::Bytes::new(), create: false })?;
        return Ok(true);
    }
    tracing::warn!(
        epoch = record.epoch,
        "uploads of a committed epoch are gone, so that it cannot be finished: it is undone, and its rows are \
         written again"
    );
    for ask in undo(keys, record) {
        settle(objects, &ask)?;
    }
    Ok(false)
}

fn complete(objects: &mut dyn Objects, keys: &Keys, file: &FileEntry) -> Result<bool, OpenError> {
    let key = format!("{}{}", keys.prefix, file.published);
    if let Some(upload) = file.upload.clone() {
        let ask = Ask::Complete { key: key.clone(), upload: upload.id, parts: upload.parts };
        if let Verdict::Done(_) = settle(objects, &ask)? {
            return Ok(true);
        }
    }
    let size = settle(objects, &Ask::Size { key })?;
    Ok(matches!(size, Verdict::Done(Answer::Size(size)) if size == file.bytes))
}

fn abort_orphans(objects: &mut dyn Objects, keys: &Keys) -> Result<(), OpenError> {
    let uploads = match settle(objects, &Ask::Uploads { prefix: keys.prefix.clone() }) {
        Ok(Verdict::Done(Answer::Uploads(uploads))) => uploads,
        Ok(other) => return Err(format!("a list of uploads is answered by {other:?}").into()),
        // They cost storage until the bucket's own rule removes them, but nobody sees them.
        Err(why) => {
            tracing::warn!(%why, "unfinished uploads of an earlier run cannot be listed, and stay");
            return Ok(());
        }
    };
    for (key, upload) in uploads.into_iter().filter(|(key, _)| keys.is_own(key)) {
        settle(objects, &Ask::Abort { key, upload })?;
    }
    Ok(())
}
