//! Path patterns, matched folder by folder, so that only folders that can hold a match are listed.
//!
//! In: `/var/log/pods/*/*/*.log`, `logs/**/*.log`. Out: the files and folders of a walk, or whether one path fits.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::seam::{FileId, FileKind, Fs};

/// Folders below one another that a walk enters; symbolic links make a tree deeper than any disk.
const DEPTH_MAX: usize = 64;

/// Parts of one pattern.
const PARTS_MAX: usize = 63;

/// One part of a pattern, between slashes.
#[derive(Clone, Debug)]
enum Part {
    Name(Box<OsStr>),
    Glob(GlobMatcher),
    /// `**`: any number of folders.
    Any,
}

/// Parts that may come next, as bits.
type Parts = u64;

/// A checked pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    base: PathBuf,
    parts: Vec<Part>,
}

fn matcher(glob: &str) -> Result<GlobMatcher, String> {
    let built = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

fn is_plain(part: &str) -> bool {
    !part.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

impl Pattern {
    /// Checks a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern names files, as in `/var/log/*.log`".into());
        }
        let (mut base, mut parts) = (PathBuf::new(), Vec::new());
        for component in Path::new(text).components() {
            let Component::Normal(name) = component else {
                if !parts.is_empty() {
                    return Err(format!("`{text}`: `.` and `..` cannot follow a wildcard"));
                }
                base.push(component);
                continue;
            };
            let part = name.to_str().unwrap_or_default();
            parts.push(match part {
                "**" => Part::Any,
                plain if is_plain(plain) => Part::Name(name.into()),
                glob if glob.matches('{').count() != glob.matches('}').count() => {
                    return Err(format!("`{text}`: braces cannot hold a slash; write two patterns"));
                }
                glob => Part::Glob(matcher(glob).map_err(|error| format!("`{text}`: {error}"))?),
            });
        }
        // Plain folders up front need not be matched. The last part stays: it is the file's name.
        let plain = parts.iter().take_while(|part| matches!(part, Part::Name(_))).count();
        for part in parts.drain(..plain.min(parts.len().saturating_sub(1))) {
            if let Part::Name(name) = part {
                base.push(&*name);
            }
        }
        match parts.last() {
            None => return Err(format!("`{text}` names a folder; add `/*.log` or `/**`")),
            Some(Part::Any) => parts.push(Part::Glob(matcher("*")?)),
            Some(_) => {}
        }
        if parts.len() > PARTS_MAX {
            return Err(format!("`{text}` has more than {PARTS_MAX} parts"));
        }
        Ok(Self { base, parts })
    }

    /// `**` may also stand for nothing.
    fn closure(&self, mut state: Parts) -> Parts {
        for (at, part) in self.parts.iter().enumerate() {
            if matches!(part, Part::Any) && state >> at & 1 == 1 {
                state |= 1 << (at + 1);
            }
        }
        state
    }

    fn next(&self, state: Parts, name: &OsStr) -> Parts {
        let mut next = 0;
        for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| state >> at & 1 == 1) {
            match part {
                Part::Name(known) if **known == *name => next |= 1 << (at + 1),
                Part::Glob(glob) if glob.is_match(Path::new(name)) => next |= 1 << (at + 1),
                Part::Any => next |= 1 << at,
                _ => {}
            }
        }
        self.closure(next)
    }

    fn is_whole(&self, state: Parts) -> bool {
        state >> self.parts.len() & 1 == 1
    }

    fn goes_on(&self, state: Parts) -> bool {
        state & ((1 << self.parts.len()) - 1) != 0
    }

    /// What a path is to the pattern: a file that it means, a folder that may hold some.
    pub(super) fn fits(&self, path: &Path) -> (bool, bool) {
        let Ok(below) = path.strip_prefix(&self.base) else {
            return (false, self.base.starts_with(path));
        };
        let state =
            below.components().fold(self.closure(1), |state, part| self.next(state, part.as_os_str()));
        (self.is_whole(state), self.goes_on(state))
    }

    /// Walks the folders below `from` (a folder that [`Pattern::fits`]), or all of them.
    pub(super) fn walk(&self, fs: &dyn Fs, from: Option<&Path>, visit: &mut dyn Visit) {
        let start = self.closure(1);
        let mut above = Vec::new();
        match from.and_then(|from| Some((from, from.strip_prefix(&self.base).ok()?))) {
            Some((from, below)) => {
                let state = below.components().fold(start, |state, part| self.next(state, part.as_os_str()));
                self.folder(fs, from, state, &mut above, visit);
            }
            None => self.folder(fs, &self.base, start, &mut above, visit),
        }
    }

    fn folder(
        &self,
        fs: &dyn Fs,
        folder: &Path,
        state: Parts,
        above: &mut Vec<FileId>,
        visit: &mut dyn Visit,
    ) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if above.len() >= DEPTH_MAX || !self.goes_on(state) {
            return;
        }
        let id = match fs.stat(folder) {
            Ok(stat) if stat.kind == FileKind::Folder => stat.id,
            Ok(_) => return,
            Err(error) => return visit.failed(folder, &error),
        };
        // A link to a folder above would go round for ever.
        if above.contains(&id) {
            return;
        }
        visit.folder(folder);
        above.push(id);
        match self.entries(fs, folder, state) {
            Ok(entries) => {
                for (path, kind) in entries {
                    self.entry(fs, &path, kind, state, above, visit);
                }
            }
            Err(error) => visit.failed(folder, &error),
        }
        above.pop();
    }

    /// The names to look at: those that the pattern gives, where it gives them, else all of the folder.
    fn entries(&self, fs: &dyn Fs, folder: &Path, state: Parts) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let next =
            || self.parts.iter().enumerate().filter(|(at, _)| state >> at & 1 == 1).map(|(_, part)| part);
        if !next().all(|part| matches!(part, Part::Name(_))) {
            return fs.list(folder);
        }
        let named = next()
            .filter_map(|part| if let Part::Name(name) = part { Some(folder.join(&**name)) } else { None });
        Ok(named.map(|path| (path, FileKind::Link)).collect())
    }

    fn entry(
        &self,
        fs: &dyn Fs,
        path: &Path,
        kind: FileKind,
        state: Parts,
        above: &mut Vec<FileId>,
        visit: &mut dyn Visit,
    ) {
        let Some(name) = path.file_name() else { return };
        let state = self.next(state, name);
        if state == 0 || visit.excludes(path) {
            return;
        }
        let linked = kind == FileKind::Link;
        let kind = match kind {
            FileKind::Link => fs.stat(path).map_or(FileKind::Other, |stat| stat.kind),
            kind => kind,
        };
        match kind {
            FileKind::File if self.is_whole(state) => visit.file(path, linked),
            FileKind::Folder => self.folder(fs, path, state, above, visit),
            _ => {}
        }
    }
}

/// What a walk finds.
pub(super) trait Visit {
    /// Whether a path is left out, with all below it.
    fn excludes(&self, path: &Path) -> bool;
    /// A folder whose names matter.
    fn folder(&mut self, path: &Path);
    /// A file that is meant; `linked` where its own folder may not be the one it is named in.
    fn file(&mut self, path: &Path, linked: bool);
    /// A folder that cannot be read, or is not there.
    fn failed(&mut self, path: &Path, error: &io::Error);
}

/// Paths to leave out. A pattern without a slash is about the last name.
#[derive(Clone, Debug, Default)]
pub(super) struct Excludes(Vec<(GlobMatcher, bool)>);

impl Excludes {
    /// Checks the patterns.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        let one = |text: &String| {
            let glob = matcher(text).map_err(|error| format!("exclude `{text}`: {error}"))?;
            Ok((glob, text.contains('/')))
        };
        texts.iter().map(one).collect::<Result<_, String>>().map(Self)
    }

    /// Whether a path is left out.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let name = || path.file_name().map_or(path, Path::new);
        self.0.iter().any(|(glob, whole)| glob.is_match(if *whole { path } else { name() }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::seam::sim::{SimClock, SimFs};

    struct Found(Vec<String>, usize);

    impl Visit for Found {
        fn excludes(&self, path: &Path) -> bool {
            path.ends_with("secret")
        }
        fn folder(&mut self, _: &Path) {
            self.1 += 1;
        }
        fn file(&mut self, path: &Path, _: bool) {
            self.0.push(path.display().to_string());
        }
        fn failed(&mut self, _: &Path, _: &io::Error) {}
    }

    /// A walk finds exactly the paths that fit, and enters no folder that cannot hold one.
    #[test]
    fn a_walk_finds_what_fits() {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let paths = [
            "/l/a.log",
            "/l/a.txt",
            "/l/x/a.log",
            "/l/x/y/b.log",
            "/l/x/secret/c.log",
            "/l/p/n/c.log",
            "/m/a.log",
        ];
        for path in paths.map(Path::new) {
            fs.make_folder(path.parent().expect("a folder")).expect("made");
            fs.write(path, b"").expect("made");
        }
        for (pattern, folders, expected) in [
            ("/l/*.log", 1, &["/l/a.log"][..]),
            ("/l/**/*.log", 6, &["/l/a.log", "/l/p/n/c.log", "/l/x/a.log", "/l/x/y/b.log"]),
            ("/l/**/y/*.log", 6, &["/l/x/y/b.log"]),
            ("/l/x/**", 2, &["/l/x/a.log", "/l/x/y/b.log"]),
            ("/l/?/n/{b,c}.log", 4, &["/l/p/n/c.log"]),
            ("/l/*/a.log", 3, &["/l/x/a.log"]),
            ("/m/a.log", 1, &["/m/a.log"]),
            ("/nowhere/*", 0, &[]),
        ] {
            let pattern = Pattern::parse(pattern).expect(pattern);
            let mut found = Found(Vec::new(), 0);
            pattern.walk(&fs, None, &mut found);
            found.0.sort();
            assert_eq!(found.0, expected, "{pattern:?}");
            assert!(found.1 <= folders, "{pattern:?}: {} folders", found.1);
            for path in paths.iter().filter(|path| !path.contains("secret")) {
                assert_eq!(pattern.fits(Path::new(path)).0, expected.contains(path), "{pattern:?} {path}");
            }
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_is_refused() {
        for pattern in ["", "/", "/l/{a,b/c}.log", "/l/[a", "/l/*/../x"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
