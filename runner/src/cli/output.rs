//! Files that are written: whole or not at all, and never over an input.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tsmigrate::os::{self, Identity};
use tsmigrate_analyzer::clean::Cleaner;
use tsmigrate_analyzer::quote::shell_file;

use super::diff::Paint;
use super::failure::Failure;
use super::input::Input;

/// A file that is whole and waits to take its place; nothing where it was written in its place already.
pub(super) type Made = Option<(NamedTempFile, PathBuf)>;

/// What is said where an output is an input.
pub(super) fn overwrites(name: &str) -> Failure {
    Failure::new("the output would overwrite an input")
        .at(name)
        .next("choose another file: a dump is never changed in its place")
}

/// Looks whether this file can be written, before anything is read.
pub(super) fn check(path: &Path, inputs: &[Input]) -> Result<(), Failure> {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::new("the output is a directory").at(path.display()).next("name a file in it"))
        }
        Ok(_) => match Identity::at(path).and_then(|file| inputs.iter().find(|input| input.is(&file))) {
            Some(input) => Err(overwrites(&input.name)),
            None => Ok(()),
        },
        Err(_) => {
            let parent = parent(path);
            if parent.is_dir() {
                return Ok(());
            }
            let word = shell_file(&parent.to_string_lossy());
            Err(Failure::new("the output's directory does not exist")
                .at(path.display())
                .next(format!("create it first: mkdir -p {word}")))
        }
    }
}

/// Directories that were created for outputs. Those that are still empty when this is dropped are removed again.
#[derive(Debug)]
pub(super) struct Created(Vec<PathBuf>);

/// Creates a directory, and those above it, where they are missing.
pub(super) fn create_directory(dir: &Path) -> Result<Created, Failure> {
    if dir.exists() && !dir.is_dir() {
        return Err(Failure::new("the output directory is no directory").at(dir.display()));
    }
    let missing = dir.ancestors().take_while(|dir| *dir != Path::new("") && !dir.exists());
    let created = Created(missing.map(Path::to_owned).collect());
    std::fs::create_dir_all(dir)
        .map_err(|error| Failure::io("the output directory cannot be created", dir, &error))?;
    Ok(created)
}

impl Drop for Created {
    fn drop(&mut self) {
        for dir in &self.0 {
            // It fails where something was written.
            drop(std::fs::remove_dir(dir));
        }
    }
}

/// Refuses a link in a directory that was named: its name was not, and nobody knows where it leads.
pub(super) fn check_no_link(path: &Path) -> Result<(), Failure> {
    match std::fs::read_link(path) {
        Ok(to) => Err(Failure::new(format!("the output is a symbolic link (to {})", to.display()))
            .at(path.display())
            .next("remove the link, or name the file itself")),
        Err(_) => Ok(()),
    }
}

/// Looks that all of these files are different ones. Each comes with what it is: `the report`.
pub(super) fn check_different<'a>(
    files: impl IntoIterator<Item = (&'static str, &'a Path)>,
) -> Result<(), Failure> {
    let mut seen: Vec<(&'static str, PathBuf)> = Vec::new();
    for (what, path) in files {
        let same = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // A pipe or a device may be written more than once.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            continue;
        }
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == same) {
            let what = if what == *other {
                "two of the outputs are the same file".to_owned()
            } else {
                format!("{what} and {other} are the same file")
            };
            return Err(Failure::new(what).at(path.display()));
        }
        seen.push((what, same));
    }
    Ok(())
}

/// The directory of a file.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A temporary file beside the file that it will become. A link stays a link.
pub(super) fn beside(path: &Path, mode: u32) -> Result<(NamedTempFile, PathBuf), Failure> {
    let failed = |error: &io::Error| Failure::io("the output cannot be written", path, error);
    let (path, mode) = match path.canonicalize().and_then(|path| Ok((path.metadata()?, path))) {
        Ok((metadata, existing)) => (existing, os::mode(&metadata)),
        Err(_) => (path.to_owned(), mode),
    };
    let mut builder = tempfile::Builder::new();
    os::set_mode(builder.prefix(".tsmigrate-"), mode);
    let file = builder.tempfile_in(parent(&path)).map_err(|error| failed(&error))?;
    Ok((file, path))
}

/// Writes a file, or straight into what is no file, such as a pipe. `what` names it: `the report`.
pub(super) fn make(
    what: &str,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Made, Failure> {
    let failed = |error: &io::Error| Failure::io(&format!("{what} cannot be written"), path, error);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let file = std::fs::OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
        let mut out = BufWriter::new(file);
        write(&mut out).and_then(|()| out.flush()).map_err(|error| failed(&error))?;
        return Ok(None);
    }
    let (file, path) = beside(path, 0o666)?;
    let mut out = BufWriter::new(file.as_file());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| failed(&error))?;
    drop(out);
    Ok(Some((file, path)))
}

/// Writes a file that stands for itself.
#[cfg(unix)]
pub(super) fn write(
    what: &str,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    place(make(what, path, write)?)
}

/// Everything is whole: now, and only now, it takes its place.
pub(super) fn place(made: impl IntoIterator<Item = (NamedTempFile, PathBuf)>) -> Result<(), Failure> {
    for (file, path) in made {
        file.persist(&path)
            .map_err(|error| Failure::io("the output cannot be put in its place", &path, &error.error))?;
    }
    Ok(())
}

/// Where a dump is written: to a terminal as it may show it, everywhere else byte for byte.
pub(super) enum Out<W> {
    /// A file or a pipe.
    Bytes(W),
    /// A terminal.
    Shown(W, Cleaner),
    /// A diff for people, in colour.
    Painted(W, Cleaner, Paint),
}

impl<W: Write> Out<W> {
    /// Writes the rest.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Bytes(_) => {}
            Self::Shown(out, cleaner) => out.write_all(cleaner.finish().as_bytes())?,
            Self::Painted(out, cleaner, paint) => {
                out.write_all(paint.paint(&cleaner.finish()).as_bytes())?;
            }
        }
        self.flush()
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(out) => out.write(bytes),
            Self::Shown(out, cleaner) => {
                out.write_all(cleaner.feed(bytes).as_bytes())?;
                Ok(bytes.len())
            }
            Self::Painted(out, cleaner, paint) => {
                out.write_all(paint.paint(&cleaner.feed(bytes)).as_bytes())?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Bytes(out) | Self::Shown(out, _) | Self::Painted(out, ..) => out.flush(),
        }
    }
}
