//! The files of one declaration: one that is named, or all whose names match a pattern, those too that come later.

use std::path::{Path, PathBuf};

use super::{Read, ReadFn, load};
use crate::seam::{FileKind, Fs};

/// What tells that a file was changed: size, time of the last change, inode.
type Mark = (u64, i64, u64);

/// Files that are looked things up in, and how they are read.
pub(super) struct Files {
    /// A path, or a pattern of names in a folder.
    path: String,
    /// How many the pattern may stand for; one where the path is none.
    files_max: usize,
    bytes_max: u64,
    read: ReadFn,
}

/// What was read of them.
#[derive(Default)]
pub(super) struct Seen {
    /// In the order of paths.
    files: Vec<SeenFile>,
    /// What was last wrong with the pattern, so that it is said once.
    wrong: Option<String>,
}

struct SeenFile {
    path: PathBuf,
    mark: Mark,
    /// Nothing where it could not be read yet.
    read: Option<Read>,
}

impl Seen {
    /// What was read, in the order of paths.
    pub(super) fn state(&self) -> Vec<Read> {
        self.files.iter().filter_map(|file| file.read.clone()).collect()
    }
}

impl Files {
    /// Those of a path. One whose name has `*`, `?` or `[` is a pattern, unless a file is named so itself.
    pub(super) fn new(fs: &dyn Fs, path: &str, files_max: usize, bytes_max: u64, read: ReadFn) -> Self {
        let name = Path::new(path).file_name().map_or(String::new(), |name| name.to_string_lossy().into());
        let is_pattern = name.contains(['*', '?', '[']) && fs.stat(Path::new(path)).is_err();
        Self { path: path.to_owned(), files_max: if is_pattern { files_max } else { 1 }, bytes_max, read }
    }

    /// Reads them all for the first time; gives what a person should know beside. All must be good.
    pub(super) fn first(&self, fs: &dyn Fs) -> Result<(Seen, Vec<String>), String> {
        let (mut seen, mut said) = (Seen::default(), Vec::new());
        let paths = self.paths(fs)?;
        if paths.is_empty() {
            return Err(format!("no file is named `{}`", self.path));
        }
        if paths.len() > self.files_max {
            return Err(self.too_many(paths.len()));
        }
        for path in paths {
            let mark = mark(fs, &path)?;
            let (read, more) = load(fs, &path, self.bytes_max, &self.read)?;
            said.extend(more.map(|more| format!("{}: {more}", path.display())));
            seen.files.push(SeenFile { path, mark, read: Some(read) });
        }
        Ok((seen, said))
    }

    /// Looks for files that came, changed or went; `changed` takes the state after each, so that what is replaced is freed
    /// before the next is read. One that cannot be read leaves what was read before.
    pub(super) fn look(
        &self,
        fs: &dyn Fs,
        seen: &mut Seen,
        said: &mut Vec<String>,
        mut changed: impl FnMut(Vec<Read>),
    ) {
        let mut paths = match self.paths(fs) {
            Ok(paths) => paths,
            // A folder that cannot be read says nothing of its files.
            Err(error) => {
                let error = format!("{error}; what was read before is still used");
                return say(&mut seen.wrong, Some(error), said);
            }
        };
        let mut wrong = None;
        let known = |seen: &Seen, path: &Path| seen.files.iter().any(|file| file.path == path);
        if paths.len() > self.files_max {
            wrong = Some(format!("{}; those that came last are left out", self.too_many(paths.len())));
            // Those that are read stay.
            paths.sort_by_key(|path| !known(seen, path));
            paths.truncate(self.files_max);
        }
        say(&mut seen.wrong, wrong, said);
        let gone: Vec<_> = seen.files.extract_if(.., |file| !paths.contains(&file.path)).collect();
        if !gone.is_empty() {
            let used = gone.iter().filter(|file| file.read.is_some());
            said.extend(used.map(|file| format!("{} is gone and is no longer used", file.path.display())));
            changed(seen.state());
            drop(gone);
        }
        for path in paths {
            if self.look_at(fs, &path, seen, said) {
                changed(seen.state());
            }
        }
    }

    /// Reads a file that is new or was changed; true where what is held is another now.
    fn look_at(&self, fs: &dyn Fs, path: &Path, seen: &mut Seen, said: &mut Vec<String>) -> bool {
        let at = seen.files.binary_search_by(|file| file.path.as_path().cmp(path));
        let now = mark(fs, path);
        let file = match (at, &now) {
            (Ok(at), Ok(now)) if seen.files.get(at).is_some_and(|file| file.mark == *now) => return false,
            // A file that is being replaced may be away for a moment.
            (Ok(_), Err(_)) => return false,
            (Ok(at), _) => seen.files.get_mut(at),
            (Err(at), _) => {
                let mark = Mark::default();
                seen.files.insert(at, SeenFile { path: path.to_owned(), mark, read: None });
                seen.files.get_mut(at)
            }
        };
        let Some(file) = file else { return false };
        // Noted even where it cannot be read, so that it is said once.
        file.mark = now.as_ref().map_or(Mark::default(), |now| *now);
        let is_empty = now.as_ref().is_ok_and(|(bytes, ..)| *bytes == 0);
        let read = match now {
            // It is what a download that failed, or has only begun, leaves in the place of a file.
            Ok(_) if is_empty && file.read.is_some() => Err(format!("{} is empty", path.display())),
            Ok(_) => load(fs, path, self.bytes_max, &self.read),
            Err(error) => Err(error),
        };
        match read {
            Ok((read, more)) => {
                let what =
                    if file.read.is_some() { "was changed and is read anew" } else { "is new and is read" };
                let more = more.map_or(String::new(), |more| format!(": {more}"));
                said.push(format!("{} {what}{more}", path.display()));
                file.read = Some(read);
                true
            }
            Err(error) => {
                let then = match file.read {
                    Some(_) => "what was read before is still used",
                    None => "nothing of it is used until it is changed",
                };
                said.push(format!("{error}; {then}"));
                false
            }
        }
    }

    /// The file, or those that the pattern stands for now.
    fn paths(&self, fs: &dyn Fs) -> Result<Vec<PathBuf>, String> {
        let path = &self.path;
        if self.files_max == 1 {
            return Ok(vec![PathBuf::from(path)]);
        }
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let glob = globset::Glob::new(&name).map_err(|error| format!("`{path}`: {error}"))?.compile_matcher();
        let folder = self.folder();
        let all = fs.list(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        let mut files: Vec<PathBuf> = all
            .into_iter()
            .filter(|(_, kind)| matches!(kind, FileKind::File | FileKind::Link))
            .filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned()))
            // As in a shell: hidden ones are what others write aside.
            .filter(|file| glob.is_match(file) && (!file.starts_with('.') || name.starts_with('.')))
            .map(|file| folder.join(file))
            .collect();
        files.sort_unstable();
        Ok(files)
    }

    fn folder(&self) -> &Path {
        let folder = Path::new(&self.path).parent();
        folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn too_many(&self, files: usize) -> String {
        format!("`{}` names {files} files, at most {} are read", self.path, self.files_max)
    }
}

/// Says what is wrong where it was not said before.
fn say(before: &mut Option<String>, wrong: Option<String>, said: &mut Vec<String>) {
    if *before != wrong {
        said.extend(wrong.clone());
        *before = wrong;
    }
}

fn mark(fs: &dyn Fs, path: &Path) -> Result<Mark, String> {
    let stat = fs.stat(path).map_err(|error| {
        let in_folder = path.parent().is_some_and(|folder| folder.to_string_lossy().contains(['*', '?']));
        let hint =
            if in_folder { "; only the name of a file may be a pattern, not that of a folder" } else { "" };
        format!("cannot read {}: {error}{hint}", path.display())
    })?;
    Ok((stat.size, stat.modified_ns, stat.id.inode))
}
