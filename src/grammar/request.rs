//! Request lines of HTTP as access logs hold them (RFC 9112 §3).

use super::run::Run;
use crate::event::{Slot, Value};
use crate::format::{Bind, scan, url};

/// The slots of a request's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestSlots {
    method: Option<Slot>,
    version: Option<Slot>,
    original: Option<Slot>,
    path: Option<Slot>,
    query: Option<Slot>,
    scheme: Option<Slot>,
    domain: Option<Slot>,
    extension: Option<Slot>,
    port: Option<Slot>,
}

impl RequestSlots {
    /// `whole` is false where only the target is written.
    pub(super) fn new(bind: &Bind<'_>, whole: bool) -> Result<Self, String> {
        let when = |path: &str| if whole { bind.wanted_slot(path) } else { Ok(None) };
        Ok(Self {
            method: when("http.request.method")?,
            version: when("http.version")?,
            original: bind.wanted_slot("url.original")?,
            path: bind.wanted_slot("url.path")?,
            query: bind.wanted_slot("url.query")?,
            scheme: bind.wanted_slot("url.scheme")?,
            domain: bind.wanted_slot("url.domain")?,
            extension: bind.wanted_slot("url.extension")?,
            port: bind.wanted_slot("url.port")?,
        })
    }

    /// Every slot of it.
    pub(super) fn all(&self) -> [Option<Slot>; 9] {
        let Self { method, version, original, path, query, scheme, domain, extension, port } = self;
        [*method, *version, *original, *path, *query, *scheme, *domain, *extension, *port]
    }

    /// Whether anyone wants more of the target than its text.
    fn any_part(&self) -> bool {
        [self.path, self.query, self.scheme, self.domain, self.extension, self.port]
            .iter()
            .any(Option::is_some)
    }
}

/// Reads a request line up to a quote that no backslash hides. What is not one (a TLS handshake on a plain port, an
/// empty line, `-`) gives no field.
#[inline]
pub(super) fn line(run: &mut Run<'_>, at: usize, slots: &RequestSlots) -> Option<usize> {
    let rest = run.rest(at);
    let Some(len) = scan::quoted(rest, b'"') else { return run.fail(at, "no quote behind the request") };
    let line = &rest[..len];
    let parts = first_blank(line).and_then(|method| {
        let is_method = matches!(line, [b'G', b'E', b'T', ..] | [b'P', b'O', b'S', b'T', ..]) && method <= 4
            || method > 0
                && line[..method]
                    .iter()
                    .all(|byte| byte.is_ascii_alphabetic() || *byte == b'-' || *byte == b'_');
        let last = last_blank(line).filter(|&last| last > method);
        let version = last.filter(|&last| line.get(last + 1..last + 6) == Some(b"HTTP/"));
        is_method.then_some((method, version))
    });
    if let Some((method, version)) = parts {
        run.quote_free(slots.method, at, method);
        let end = version.unwrap_or(len);
        target(run, at + method + 1, end - method - 1, slots);
        if let Some(version) = version {
            run.quote_free(slots.version, at + version + 6, len - version - 6);
        }
    }
    Some(at + len)
}

/// The first blank. A method is short, and setting up a search costs more than a look at each of its letters.
#[inline]
fn first_blank(line: &[u8]) -> Option<usize> {
    const METHOD: usize = 8;
    let near = line.iter().take(METHOD).position(|&byte| byte == b' ');
    near.or_else(|| memchr::memchr(b' ', line.get(METHOD..)?).map(|at| at + METHOD))
}

/// The last blank: nearly always the one before ` HTTP/1.1`.
#[inline]
fn last_blank(line: &[u8]) -> Option<usize> {
    match line.last_chunk() {
        Some([b' ', b'H', b'T', b'T', b'P', b'/', _, b'.', version]) if *version != b' ' => {
            Some(line.len() - 9)
        }
        _ => memchr::memrchr(b' ', line),
    }
}

/// Where the extension of a path's last piece begins.
fn extension(path: &[u8]) -> Option<usize> {
    // The last piece is short: less than a search costs.
    let at = path.iter().rposition(|&byte| byte == b'.' || byte == b'/').filter(|&at| path[at] == b'.')?;
    Some(at + 1).filter(|&from| from < path.len())
}

/// Puts the fields of a target.
#[inline]
pub(super) fn target(run: &mut Run<'_>, at: usize, len: usize, slots: &RequestSlots) {
    run.quote_free(slots.original, at, len);
    if !slots.any_part() {
        return;
    }
    let url = url::target(run.rest(at).get(..len).unwrap_or_default());
    for (part, slot) in [(&url.path, slots.path), (&url.query, slots.query), (&url.host, slots.domain)] {
        if let Some(part) = part {
            run.quote_free(slot, at + part.start, part.len());
        }
    }
    if let Some(path) = &url.path
        && slots.extension.is_some()
    {
        let bytes = run.rest(at + path.start).get(..path.len()).unwrap_or_default();
        if let Some(dot) = extension(bytes) {
            run.quote_free(slots.extension, at + path.start + dot, path.len() - dot);
        }
    }
    if let Some(scheme) = url.scheme {
        run.quote_free(slots.scheme, at + scheme.start, scheme.len());
    }
    if let Some(port) = url.port {
        run.value(slots.port, Value::Int(i64::from(port)));
    }
}
