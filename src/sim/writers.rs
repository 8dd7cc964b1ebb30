//! The programs whose logs are read, and what rotates those: they append, rename, copy, cut, remove and swap at any
//! moment, and note the truth of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use globset::{GlobBuilder, GlobMatcher};

use super::lines;
use super::subject::{Feed, Form};
use super::token;
use super::trace::Trace;
use super::truth::{Kind, State, Truth};
use crate::limits::SIM_ROTATED_FILES_MAX;
use crate::seam::sim::{Dice, SimClock, SimFs};
use crate::seam::{Clock, Fs};

/// A program that writes one log.
struct Program {
    source: usize,
    form: Form,
    /// Where the source looks for it.
    path: PathBuf,
    /// Where its descriptor points: a rotated file, until it is told to open its log anew.
    open: PathBuf,
    content: Option<usize>,
    /// What follows, as kinds: a trace that is being written.
    script: Vec<Kind>,
    lane: u8,
    /// The second part of a line of which only the first is written.
    rest: Option<(String, usize)>,
    rotated: u32,
    /// Rotated files that are still there, with the content of each, oldest first.
    old: Vec<(PathBuf, usize)>,
    /// A rotated file that is being compressed.
    packing: Option<Packing>,
    linked: bool,
    target: u32,
}

/// A rotated file of which a part stands compressed beside it.
struct Packing {
    from: PathBuf,
    to: PathBuf,
    /// Compressed bytes that are not written yet.
    rest: Vec<u8>,
}

/// All programs, and what they wrote.
pub(super) struct Writers {
    fs: SimFs,
    programs: Vec<Program>,
    matchers: Vec<Vec<GlobMatcher>>,
    /// What was written.
    pub(super) truth: Truth,
    /// Lines to write in all.
    pub(super) lines: u32,
    dice: Dice,
}

/// A path that a pattern finds; `number` tells several from one another.
fn instance(glob: &str, number: u64) -> String {
    let mut out = String::new();
    let mut letters = glob.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.peek() == Some(&'*') => {
                letters.next();
                out.push_str("srv");
            }
            // The name of a link to a container's log: what a pipeline does with it depends on it.
            '*' => out.push_str(&format!("web-{number}_shop_cart-{:064x}", 0xfeed + number)),
            '?' => out.push(char::from(b'a' + (number % 26) as u8)),
            '{' => {
                let inner: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                out.push_str(inner.split(',').next().unwrap_or_default());
            }
            '[' => {
                let inner: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
                out.extend(inner.chars().find(|letter| *letter != '!' && *letter != '^'));
            }
            letter => out.push(letter),
        }
    }
    out
}

fn matcher(glob: &str) -> Option<GlobMatcher> {
    Some(GlobBuilder::new(glob).literal_separator(true).build().ok()?.compile_matcher())
}

fn compress(bytes: &[u8], zstd: bool) -> io::Result<Vec<u8>> {
    if zstd {
        return zstd::encode_all(bytes, 3);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

impl Writers {
    /// Programs for the feeds of all sources.
    pub(super) fn new(seed: u64, fs: &SimFs, feeds: &[Feed], lines: u32) -> Self {
        let mut dice = Dice::new(seed ^ 0x3717_e125);
        let fs = fs.world();
        let mut programs: Vec<Program> = Vec::new();
        for (source, feed) in feeds.iter().enumerate() {
            for (at, glob) in feed.globs.iter().enumerate() {
                for number in 0..1 + dice.below(2) {
                    let path = PathBuf::from(instance(glob, 10 * at as u64 + number));
                    if programs.iter().any(|program| program.path == path) {
                        continue;
                    }
                    let form = feed.forms[dice.below(feed.forms.len() as u64) as usize];
                    // Memory cannot fail to make a folder.
                    let _ = path.parent().map(|folder| fs.make_folder(folder));
                    programs.push(Program {
                        source,
                        form,
                        open: path.clone(),
                        path,
                        content: None,
                        script: Vec::new(),
                        lane: 0,
                        rest: None,
                        rotated: 0,
                        old: Vec::new(),
                        packing: None,
                        linked: dice.one_in(6),
                        target: 0,
                    });
                }
            }
        }
        let matchers =
            feeds.iter().map(|feed| feed.globs.iter().filter_map(|glob| matcher(glob)).collect()).collect();
        Self { fs, programs, matchers, truth: Truth::default(), lines, dice }
    }

    /// Folders in which programs write.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.programs.iter().filter_map(|program| Some(program.path.parent()?.to_path_buf())).collect()
    }

    /// Whether all lines are written.
    pub(super) fn is_done(&self) -> bool {
        self.truth.next_mark() >= self.lines && self.programs.iter().all(|program| program.rest.is_none())
    }

    /// One program appends something. `calm` programs write whole lines only.
    pub(super) fn write(&mut self, clock: &SimClock, calm: bool, trace: &mut Trace) {
        let at = self.dice.below(self.programs.len() as u64) as usize;
        self.write_to(at, clock, calm, trace);
    }

    /// Ends what is begun, one program after the other.
    pub(super) fn finish(&mut self, clock: &SimClock, trace: &mut Trace) {
        for at in 0..self.programs.len() {
            self.end_packing(at, clock.monotonic(), trace);
            while self.programs[at].rest.is_some() {
                self.write_to(at, clock, true, trace);
            }
        }
        while !self.is_done() {
            self.write(clock, true, trace);
        }
    }

    fn write_to(&mut self, at: usize, clock: &SimClock, calm: bool, trace: &mut Trace) {
        let mut text = String::new();
        if let Some((rest, line)) = self.programs[at].rest.take() {
            text.push_str(&rest);
            self.grow(at, line, rest.len(), true);
        }
        let lines = if text.is_empty() { 1 + self.dice.below(5) } else { self.dice.below(2) };
        for _ in 0..lines {
            if self.truth.next_mark() >= self.lines {
                break;
            }
            let (line, mark, one) = self.line(at, clock.now_unix_ns());
            if !calm && self.dice.one_in(8) {
                let cut = self.cut(&one, mark);
                let (first, second) = one.split_at(cut);
                text.push_str(first);
                self.grow(at, line, first.len(), false);
                self.programs[at].rest = Some((second.to_owned(), line));
                break;
            }
            text.push_str(&one);
            self.grow(at, line, one.len(), true);
        }
        self.append(at, &text, clock, trace);
    }

    /// A place to cut a line, not within its mark: the mark is how it is found again.
    fn cut(&mut self, line: &str, mark: u32) -> usize {
        let cut = 1 + self.dice.below(line.len() as u64 - 1) as usize;
        let start = line.find(&token::write(mark)).unwrap_or(0);
        let end = start + token::write(mark).len();
        let cut = if cut > start && cut < end { end } else { cut };
        if line.is_char_boundary(cut) && cut < line.len() { cut } else { 1 }
    }

    /// The next line of a program, as it stands in the file.
    fn line(&mut self, at: usize, unix_ns: i64) -> (usize, u32, String) {
        let content = self.content(at);
        let dice = &mut self.dice;
        let program = &mut self.programs[at];
        let kind = program.script.pop().unwrap_or_else(|| {
            if program.form != Form::Plain {
                program.lane = dice.below(2) as u8;
            }
            match dice.below(12) {
                0 | 1 => {
                    program.script = vec![Kind::Trace; 1 + dice.below(4) as usize];
                    Kind::Report
                }
                2 => Kind::Json,
                3 | 4 => Kind::Noise,
                5 if program.form == Form::Cri => Kind::Partial,
                _ => Kind::Text,
            }
        });
        // Lines of the other lane come between those of a trace.
        let interleaved = program.form != Form::Plain && kind == Kind::Trace && dice.one_in(4);
        let (kind, lane) = if interleaved {
            program.script.push(Kind::Trace);
            (Kind::Text, 1 - program.lane)
        } else {
            (kind, program.lane)
        };
        let mark = self.truth.next_mark();
        let line = self.truth.add(content, kind, lane);
        let text = lines::text(kind, mark, unix_ns, dice);
        let mut out = String::new();
        if kind == Kind::Partial {
            let padding = "p".repeat(dice.below(200) as usize);
            out.push_str(&lines::wrap(program.form, &padding, lane, false, unix_ns));
        }
        out.push_str(&lines::wrap(program.form, &text, lane, true, unix_ns));
        (line, mark, out)
    }

    /// The content that a program appends to.
    fn content(&mut self, at: usize) -> usize {
        let program = &mut self.programs[at];
        *program.content.get_or_insert_with(|| self.truth.begin(program.source, program.path.clone()))
    }

    fn grow(&mut self, at: usize, line: usize, bytes: usize, whole: bool) {
        let content = self.content(at);
        let content = &mut self.truth.contents[content];
        content.size += bytes as u64;
        let line = &mut content.lines[line];
        line.end += bytes as u64;
        line.whole = whole;
        line.split |= !whole;
    }

    fn append(&mut self, at: usize, text: &str, clock: &SimClock, trace: &mut Trace) {
        if text.is_empty() {
            return;
        }
        let program = &mut self.programs[at];
        if program.linked && program.open == program.path && !self.fs.is_link(&program.path) {
            Self::point(&self.fs, program);
        }
        let open = program.open.clone();
        // The world's disk is always well.
        let _ = self.fs.write(&open, text.as_bytes());
        trace.say(clock.monotonic(), || {
            format!("{} + {} bytes {:?}", open.display(), text.len(), token::all(text.as_bytes()))
        });
    }

    /// Points the link of a program to a fresh file beside it.
    fn point(fs: &SimFs, program: &mut Program) {
        program.target += 1;
        let mut name = program.path.file_name().unwrap_or_default().to_os_string();
        name.push(format!("-target-{}", program.target));
        fs.link(&program.path, Path::new(&name));
    }

    fn is_found(&self, source: usize, path: &Path) -> bool {
        self.matchers[source].iter().any(|glob| glob.is_match(path))
    }

    /// Something is done to one program's log that programs which rotate logs do, at an awkward moment.
    pub(super) fn rotate(&mut self, clock: &SimClock, trace: &mut Trace) {
        let at = self.dice.below(self.programs.len() as u64) as usize;
        let now = clock.monotonic();
        if self.end_packing(at, now, trace) {
            return;
        }
        if self.programs[at].open != self.programs[at].path {
            // It was renamed before: now its program opens the log anew.
            self.reopen(at);
            return trace.say(now, || format!("{}: opened anew", self.programs[at].path.display()));
        }
        if self.programs[at].content.is_none() || self.fs.content(&self.programs[at].path).is_err() {
            return;
        }
        let shown = self.programs[at].path.display().to_string();
        if self.programs[at].linked {
            self.set_state(at, State::Moved);
            Self::point(&self.fs, &mut self.programs[at]);
            self.drop_content(at);
            return trace.fault(now, "symlink swap", || shown);
        }
        match self.dice.below(10) {
            8 | 9 => self.pack(at, now, trace),
            0..3 => {
                let reopened = self.dice.one_in(2);
                self.rename(at, reopened);
                trace.fault(now, "rename", || shown);
            }
            3 | 4 => {
                if self.copy_truncate(at) {
                    trace.fault(now, "copytruncate", || shown);
                }
            }
            5 => {
                self.set_state(at, State::Destroyed);
                let _ = self.fs.remove(&self.programs[at].path);
                self.drop_content(at);
                trace.fault(now, "delete", || shown);
            }
            6 => {
                self.truncate(at);
                trace.fault(now, "truncate", || shown);
            }
            _ => {
                let size = self.programs[at].content.map_or(0, |content| self.truth.contents[content].size);
                self.truncate(at);
                // Written again past where it was, before anybody has looked.
                let content = self.content(at);
                while self.truth.contents[content].size <= size && self.truth.next_mark() < self.lines {
                    self.write_to(at, clock, true, trace);
                }
                trace.fault(now, "truncate and regrow", || shown);
            }
        }
    }

    fn set_state(&mut self, at: usize, state: State) {
        if let Some(content) = self.programs[at].content {
            self.truth.contents[content].state = state;
        }
    }

    /// A program's next line begins a new content; the rest of a torn one is never written.
    fn drop_content(&mut self, at: usize) {
        self.programs[at].content = None;
        self.programs[at].rest = None;
    }

    fn rotated_name(&mut self, at: usize) -> PathBuf {
        let program = &mut self.programs[at];
        program.rotated += 1;
        let mut name = program.path.clone().into_os_string();
        name.push(format!(".{}", program.rotated));
        name.into()
    }

    fn rename(&mut self, at: usize, reopened: bool) {
        let to = self.rotated_name(at);
        let source = self.programs[at].source;
        if !self.is_found(source, &to) {
            self.set_state(at, State::Moved);
        }
        let _ = self.fs.rename(&self.programs[at].path, &to);
        self.keep_old(at, to.clone());
        if reopened {
            self.drop_content(at);
        } else {
            // Its program goes on writing to it until it is told.
            self.programs[at].open = to;
        }
    }

    fn reopen(&mut self, at: usize) {
        self.programs[at].open = self.programs[at].path.clone();
        self.drop_content(at);
    }

    fn copy_truncate(&mut self, at: usize) -> bool {
        let to = self.rotated_name(at);
        let program = &self.programs[at];
        // A copy that the patterns find is a file of its own, as the documentation says.
        if self.is_found(program.source, &to) || program.rest.is_some() {
            return false;
        }
        let Ok(bytes) = self.fs.content(&program.path) else { return false };
        let _ = self.fs.write(&to, &bytes);
        self.set_state(at, State::Moved);
        self.keep_old(at, to);
        self.cut_off(at);
        true
    }

    /// Begins to compress a rotated file that its program has let go of.
    fn pack(&mut self, at: usize, now: Duration, trace: &mut Trace) {
        let (zstd, number) = (self.dice.one_in(3), self.dice.below(SIM_ROTATED_FILES_MAX as u64) as usize);
        let program = &mut self.programs[at];
        let Some((from, _)) = program.old.get(number).filter(|(path, _)| *path != program.open) else {
            return;
        };
        let packed = |path: &Path| path.extension().is_some_and(|end| end == "gz" || end == "zst");
        let Ok(bytes) = self.fs.content(from).map_err(drop).and_then(|bytes| match packed(from) {
            true => Err(()),
            false => compress(&bytes, zstd).map_err(drop),
        }) else {
            return;
        };
        let mut to = from.clone().into_os_string();
        to.push(if zstd { ".zst" } else { ".gz" });
        let to = PathBuf::from(to);
        let part = self.dice.below(bytes.len() as u64 + 1) as usize;
        let _ = self.fs.write(&to, &bytes[..part]);
        let kind = if zstd { "rotate to zstd" } else { "rotate to gzip" };
        trace.fault(now, kind, || format!("{}, {part} of {} bytes", to.display(), bytes.len()));
        program.packing = Some(Packing { from: from.clone(), to, rest: bytes[part..].to_vec() });
        if self.dice.one_in(2) {
            self.end_packing(at, now, trace);
        }
    }

    /// Writes what is left of a compressed file, and removes the one that it was made of. False where there is none.
    fn end_packing(&mut self, at: usize, now: Duration, trace: &mut Trace) -> bool {
        let program = &mut self.programs[at];
        let Some(Packing { from, to, rest }) = program.packing.take() else { return false };
        let _ = self.fs.write(&to, &rest);
        let _ = self.fs.remove(&from);
        trace.say(now, || format!("{} is written and {} removed", to.display(), from.display()));
        if let Some((path, _)) = program.old.iter_mut().find(|(path, _)| *path == from) {
            *path = to;
        }
        true
    }

    fn truncate(&mut self, at: usize) {
        self.set_state(at, State::Destroyed);
        self.cut_off(at);
    }

    fn cut_off(&mut self, at: usize) {
        let _ = self.fs.open_append(&self.programs[at].path).and_then(|file| file.truncate(0));
        self.drop_content(at);
    }

    /// Notes a rotated file, and removes the oldest where there are too many.
    fn keep_old(&mut self, at: usize, path: PathBuf) {
        let Some(content) = self.programs[at].content else { return };
        let program = &mut self.programs[at];
        program.old.push((path, content));
        if program.old.len() > SIM_ROTATED_FILES_MAX {
            let (path, content) = program.old.remove(0);
            if let Some(packing) = program.packing.take_if(|packing| packing.from == path) {
                let _ = self.fs.remove(&packing.to);
            }
            let _ = self.fs.remove(&path);
            self.truth.contents[content].state = State::Destroyed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_its_instance() {
        for glob in ["/var/log/containers/*.log", "/srv/**/app-?.log", "/a/{b,c}/[x-z]*", "/x.log"] {
            let path = instance(glob, 3);
            assert!(matcher(glob).is_some_and(|matcher| matcher.is_match(&path)), "{glob} {path}");
        }
    }
}
