//! Fields that the live mapping of a data stream cannot take: asked for before the first row is sent there, after a
//! row was refused for one, and when it has rolled over. Their values are set aside, and the rows land.
//!
//! Costs nothing as long as no field is suspected. Then rows are searched for the field's last key, and those that
//! have it are looked at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::Finder;

use super::aside::{CONFLICT, set_aside, value};
use super::doubt::encode;
use super::mapping::{Mapping, fits, offender};
use super::parcel::Parcel;
use super::row;
use super::ship::{Errand, Shipper};
use crate::event::write_string;
use crate::limits::{ASIDE_FIELDS_MAX, SUSPECTS_MAX};
use crate::sink::Response;

/// How often the mapping of one data stream is asked for at most because rows are refused.
const MAPPING_PAUSE: Duration = Duration::from_secs(10);

/// A field that was seen not to fit, or cannot.
pub(super) struct Suspect {
    /// What it is mapped to; `None` where that is not known.
    ty: Option<String>,
    /// Finds its last key in a document.
    key: Finder<'static>,
    /// It was said once.
    said: bool,
}

/// Suspected fields of a data stream, by path.
pub(super) type Suspects = BTreeMap<String, Suspect>;

/// The mapping of the present write index, or, where there is none yet, the one that it would have.
pub(super) fn mapping_request(stream: &str, write_index: Option<&str>) -> (&'static str, String) {
    match write_index {
        Some(index) => ("GET", format!("/{}/_mapping", encode(index))),
        None => ("POST", format!("/_index_template/_simulate_index/{}", encode(stream))),
    }
}

impl Shipper {
    /// Asks for the mapping of a data stream; `exists` where it is known to be there, by whatever backing index.
    pub(super) fn ask_mapping(&mut self, stream: &Arc<str>, exists: bool) {
        let Some(target) = self.targets.get_mut(stream) else { return };
        target.asked_mapping = true;
        let write_index = target.write_index().or_else(|| exists.then(|| Arc::clone(stream)));
        self.asks.push_back(Errand::Mapping(Arc::clone(stream), write_index));
    }

    /// Takes in the mapping of a data stream, or that it is not to be had.
    pub(super) fn mapped(&mut self, stream: &Arc<str>, response: &Response) {
        let good = matches!(response.status, 200..=299);
        let mapping = if good { Mapping::read(&response.body) } else { None }.unwrap_or_default();
        let conflicts = mapping.conflicts(&self.fields());
        let Some(target) = self.targets.get_mut(stream) else { return };
        // What was learned from refusals may fit the new mapping, as far as it is known there.
        for (path, suspect) in &mut target.suspects {
            if let Some(ty) = mapping.get(path) {
                suspect.ty = Some(ty.to_owned());
            }
        }
        for (path, ty) in conflicts {
            suspect(&mut target.suspects, &path, Some(ty));
        }
        self.suspecting |= !target.suspects.is_empty();
        self.learned(stream);
    }

    /// Sets aside what does not fit in the rows of a parcel.
    pub(super) fn fit(&mut self, parcel: Parcel) -> Parcel {
        if !self.suspecting {
            return parcel;
        }
        let Some(plain) = parcel.plain() else { return parcel };
        let (mut changed, mut rows) = (false, Vec::with_capacity(parcel.len()));
        let (mut last, mut stream): (&[u8], Option<Arc<str>>) = (b"", None);
        for at in 0..parcel.len() as u32 {
            let encoded = parcel.slice(&plain, at);
            rows.push(Cow::Borrowed(encoded));
            let Some(parts) = row::parts(encoded) else { continue };
            if parts.stream != last {
                last = parts.stream;
                stream = row::name(last)
                    .and_then(|name| Some(self.targets.get_key_value(name.as_str())?.0.clone()));
            }
            let Some(target) = stream.as_ref().and_then(|stream| self.targets.get(stream)) else { continue };
            let unfit: Vec<String> = unfit(&target.suspects, parts.document).cloned().collect();
            let paths: Vec<&str> = unfit.iter().map(String::as_str).collect();
            let aside = if paths.is_empty() { None } else { set_aside(parts.document, &paths) };
            if let (Some(document), Some(slot), Some(stream)) = (aside, rows.last_mut(), &stream) {
                *slot = Cow::Owned(row::with_document(encoded, parts, &document));
                changed = true;
                let stream = Arc::clone(stream);
                unfit.iter().for_each(|path| self.count_aside(&stream, path));
            }
        }
        if changed { parcel.with_rows(&rows, &self.buffers) } else { parcel }
    }

    /// Of rows that were refused, those that can land without a field: they go again, without it. Gives the others.
    pub(super) fn set_aside_offenders(
        &mut self,
        parcel: &Parcel,
        plain: &[u8],
        refused: Vec<(u32, String)>,
        now: Duration,
    ) -> Vec<(u32, String)> {
        let (mut rejected, mut at_all, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (at, why) in refused {
            match self.without_offender(parcel, parcel.slice(plain, at), &why, now) {
                Some(row) => {
                    at_all.push(at);
                    rows.push(Cow::Owned(row));
                }
                None => rejected.push((at, why)),
            }
        }
        if !rows.is_empty() {
            self.add_parcel(parcel.body);
            let again = parcel.select(plain, &at_all, &self.buffers).with_rows(&rows, &self.buffers);
            self.ready.push_front(again.set_aside_again());
        }
        rejected
    }

    /// A row without the field that it was refused for.
    fn without_offender(
        &mut self,
        parcel: &Parcel,
        encoded: &[u8],
        why: &str,
        now: Duration,
    ) -> Option<Vec<u8>> {
        let (path, ty) = offender(why)?;
        let first = path.split('.').next();
        if path == "@timestamp" || first == Some(CONFLICT) || parcel.asides >= ASIDE_FIELDS_MAX {
            return None;
        }
        let parts = row::parts(encoded)?;
        let stream: Arc<str> = row::name(parts.stream)?.into();
        let document = set_aside(parts.document, &[&path])?;
        let target = self.targets.entry(Arc::clone(&stream)).or_default();
        suspect(&mut target.suspects, &path, ty);
        if target.refused.is_none_or(|at| now >= at + MAPPING_PAUSE) {
            target.refused = Some(now);
            self.ask_mapping(&stream, true);
        }
        self.suspecting = true;
        self.count_aside(&stream, &path);
        Some(row::with_document(encoded, parts, &document))
    }

    /// Counts, and says it once.
    fn count_aside(&mut self, stream: &Arc<str>, path: &str) {
        let name = format!("{stream} {path}");
        let known = self.set_aside.contains_key(&name);
        if known || self.set_aside.len() < SUSPECTS_MAX {
            *self.set_aside.entry(name).or_default() += 1;
        }
        let Some(suspect) = self.targets.get_mut(stream).and_then(|target| target.suspects.get_mut(path))
        else {
            return;
        };
        if !std::mem::replace(&mut suspect.said, true) {
            let ty = suspect.ty.as_deref().unwrap_or("something else");
            self.warnings.push(format!(
                "the field `{path}` does not fit its mapping in {stream} ({ty}): it is put into `{CONFLICT}` as text, and \
                 the events are sent"
            ));
        }
    }
}

/// Adds a suspected field.
fn suspect(suspects: &mut Suspects, path: &str, ty: Option<String>) {
    if let Some(known) = suspects.get_mut(path) {
        known.ty = ty.or(known.ty.take());
        return;
    }
    // Without a time nothing lands.
    if suspects.len() < SUSPECTS_MAX && path != "@timestamp" {
        let mut key = Vec::new();
        // A key may hold dots; then this finds no more than its last part, and the row is sent as it is at first.
        write_string(path.rsplit('.').next().unwrap_or(path), &mut key);
        key.push(b':');
        let key = Finder::new(&key).into_owned();
        suspects.insert(path.to_owned(), Suspect { ty, key, said: false });
    }
}

/// Suspected fields that a document has, with a value that does not fit.
fn unfit<'a>(suspects: &'a Suspects, document: &[u8]) -> impl Iterator<Item = &'a String> {
    suspects.iter().filter_map(move |(path, suspect)| {
        suspect.key.find(document)?;
        let value = value(document, path)?;
        (!fits(suspect.ty.as_deref().unwrap_or_default(), value)).then_some(path)
    })
}
