//! Layout by groups that are written on one line where they fit (after Wadler, "A prettier printer", 2003).

/// What is to be written.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    /// Text without line feeds.
    Text(String),
    /// Text that a broken group leaves out.
    Flat(&'static str),
    /// A space, or a new line where the group is broken.
    Line,
    /// Nothing, or a new line where the group is broken.
    Soft,
    /// A new line; breaks every group around it.
    Hard,
    /// Parts in order.
    All(Vec<Doc>),
    /// Parts indented by so many columns.
    Indent(usize, Box<Doc>),
    /// On one line where it fits.
    Group(Box<Doc>),
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn indent(by: usize, inner: Self) -> Self {
        Self::Indent(by, Box::new(inner))
    }

    pub(super) fn group(parts: Vec<Self>) -> Self {
        Self::Group(Box::new(Self::All(parts)))
    }

    /// Parts with something between them.
    pub(super) fn join(parts: impl IntoIterator<Item = Self>, between: &[Self]) -> Self {
        let mut all = Vec::new();
        for part in parts {
            if !all.is_empty() {
                all.extend(between.iter().cloned());
            }
            all.push(part);
        }
        Self::All(all)
    }
}

/// The text, with no line longer than `width` columns where breaking can help it.
pub(super) fn render(doc: &Doc, width: usize) -> String {
    let mut out = Writer { out: String::new(), column: 0, width };
    let mut stack = vec![(0, false, doc)];
    while let Some((indent, flat, doc)) = stack.pop() {
        match doc {
            Doc::Text(text) => out.text(indent, text),
            Doc::Flat(text) if flat => out.text(indent, text),
            Doc::Flat(_) => {}
            Doc::Line if flat => out.text(indent, " "),
            Doc::Soft if flat => {}
            Doc::Line | Doc::Soft | Doc::Hard => out.line(),
            Doc::All(parts) => stack.extend(parts.iter().rev().map(|part| (indent, flat, part))),
            Doc::Indent(by, inner) => stack.push((indent + by, flat, inner)),
            Doc::Group(inner) => {
                let used = if out.column == 0 { indent } else { out.column };
                let room = width.checked_sub(used);
                let fits = room.is_some_and(|room| fits(inner, room, &stack));
                stack.push((indent, fits, inner));
            }
        }
    }
    out.out
}

struct Writer {
    out: String,
    column: usize,
    width: usize,
}

impl Writer {
    fn text(&mut self, indent: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.column == 0 {
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.column = indent;
        }
        self.out.push_str(text);
        self.column += text.chars().take(self.width + 1).count();
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }
}

/// Whether a group fits on the rest of the line, with what follows it up to the next possible line break.
fn fits(inner: &Doc, room: usize, after: &[(usize, bool, &Doc)]) -> bool {
    let mut left = room;
    let mut stack = vec![(true, inner)];
    let mut after = after.iter().rev();
    loop {
        let (flat, doc) = match stack.pop() {
            Some(next) => next,
            None => match after.next() {
                Some((_, flat, doc)) => (*flat, *doc),
                None => return true,
            },
        };
        let used = match doc {
            Doc::Text(text) => text.chars().take(room + 1).count(),
            Doc::Flat(text) if flat => text.len(),
            Doc::Flat(_) => 0,
            Doc::Line if flat => 1,
            Doc::Soft if flat => 0,
            // Inside the group a forced break; after it, the end of the line.
            Doc::Hard => return !flat,
            Doc::Line | Doc::Soft => return true,
            Doc::All(parts) => {
                stack.extend(parts.iter().rev().map(|part| (flat, part)));
                0
            }
            Doc::Indent(_, inner) => {
                stack.push((flat, inner));
                0
            }
            // A group that follows may break by itself.
            Doc::Group(inner) => {
                stack.push((flat, inner));
                0
            }
        };
        if used > left {
            return false;
        }
        left -= used;
    }
}
