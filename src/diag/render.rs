//! Diagnostics as people read them: place, line, caret, reason, help.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Place, Report, Severity, SourceText};

/// Widest text of a diagnostic, in columns. Longer lines are cut around what is pointed at.
const WIDTH: usize = 140;
/// Longest line that is handed to the renderer, in bytes. A longer one is clipped first, since the renderer's
/// time grows with it.
const LINE_BYTES_MAX: usize = 4096;

/// The text of all diagnostics, each followed by an empty line; with colours for a terminal on demand.
pub fn render(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    for diagnostic in &report.diagnostics {
        out.push_str(&render_one(&report.source, diagnostic, colour));
        out.push_str("\n\n");
    }
    out
}

fn render_one(source: &SourceText, diagnostic: &Diagnostic, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let window = Window::around(&source.text, diagnostic);
    let label = (!diagnostic.label.is_empty()).then(|| clean(&diagnostic.label));
    let mut snippet = Snippet::source(window.text)
        .path(clean(&source.name))
        .line_start(window.line)
        .annotation(AnnotationKind::Primary.span(window.inside(&diagnostic.place)).label(label));
    for (place, label) in &diagnostic.related {
        let label = (!label.is_empty()).then(|| clean(label));
        snippet = snippet.annotation(AnnotationKind::Context.span(window.inside(place)).label(label));
    }
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.0);
    let mut group: Group<'_> = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[group])
}

/// Control characters must not reach a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The lines that a diagnostic points into; a monstrous line is cut around the place.
struct Window<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Window<'a> {
    fn around(text: &'a str, diagnostic: &Diagnostic) -> Self {
        let places = || std::iter::once(&diagnostic.place).chain(diagnostic.related.iter().map(|(p, _)| p));
        let from = places().map(|place| place.start).min().unwrap_or(0).min(text.len());
        let to = places().map(|place| place.end).max().unwrap_or(0).clamp(from, text.len());
        let bytes = text.as_bytes();
        let mut start = bytes.get(..from).and_then(|b| memchr::memrchr(b'\n', b)).map_or(0, |at| at + 1);
        let mut end = bytes.get(to..).and_then(|b| memchr::memchr(b'\n', b)).map_or(text.len(), |at| to + at);
        if from - start > LINE_BYTES_MAX {
            start = floor(text, from - LINE_BYTES_MAX / 2);
        }
        if end - to > LINE_BYTES_MAX {
            end = floor(text, to + LINE_BYTES_MAX / 2);
        }
        let line = 1 + memchr::memchr_iter(b'\n', bytes.get(..start).unwrap_or(&[])).count();
        Self { text: text.get(start..end).unwrap_or(""), start, line }
    }

    /// A place relative to the window, on letter boundaries.
    fn inside(&self, place: &Place) -> Place {
        let at = |offset: usize| floor(self.text, offset.saturating_sub(self.start));
        let (start, mut end) = (at(place.start), at(place.end));
        if end < start || place.end < place.start {
            end = start;
        }
        start..end
    }
}

/// The letter boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
