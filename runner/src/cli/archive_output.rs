//! Rewritten archives: which outputs are some, and writing them.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use tsmigrate::archive::{Rewritten, Unwritable};
use tsmigrate::os;
use tsmigrate_analyzer::archive::Damage;
use tsmigrate_analyzer::report::count;
use tsmigrate_analyzer::{Analysis, Style};

use super::failure::Failure;
use super::input::{self, Input};
use super::output::{Made, beside};
use super::packed::archive_failure;
use super::terminal::note;

/// What a rewritten archive becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A script for psql
    #[value(alias = "p")]
    Plain,
    /// A custom archive for pg_restore
    #[value(alias = "c")]
    Custom,
}

/// Endings that say of an output that it is an archive, where nobody says it.
const ENDINGS: [&str; 3] = ["dump", "pgdump", "backup"];

impl Format {
    /// What is to be written of this input into this file; none is standard output.
    pub(super) fn of(wanted: Option<Self>, input: &Input, path: Option<&Path>) -> Self {
        let ending = path.and_then(Path::extension).and_then(|ending| ending.to_str());
        let by_name = || ENDINGS.iter().any(|known| ending.is_some_and(|ending| ending == *known));
        match wanted {
            _ if !input.is_archive() => Self::Plain,
            Some(wanted) => wanted,
            None if by_name() => Self::Custom,
            None => Self::Plain,
        }
    }

    /// Refuses a wish that none of the files can fulfil.
    pub(super) fn check(wanted: Option<Self>, files: &[Input]) -> Result<(), Failure> {
        if wanted == Some(Self::Custom) && !files.iter().any(Input::is_archive) {
            return Err(Failure::new("only an archive becomes an archive, and no input is one")
                .at("--as custom")
                .next("leave the option out: text becomes text"));
        }
        Ok(())
    }
}

/// Refuses what an archive cannot be written with.
pub(super) fn check(moves_schemas: bool, is_stdout: bool) -> Result<(), Failure> {
    if moves_schemas {
        return Err(Failure::new("schemas that move are written as text only")
            .at("--as custom")
            .next("write a script: --as plain"));
    }
    if is_stdout && io::stdout().is_terminal() {
        return Err(Failure::new("an archive is not written to a terminal")
            .at("--as custom")
            .next("name a file: -o rewritten.dump"));
    }
    Ok(())
}

/// Writes what becomes of an archive into a file, or to standard output where there is none.
pub(super) fn write(
    analysis: &Analysis,
    (index, style): (usize, Style),
    input: &Input,
    path: Option<&Path>,
    quiet: bool,
) -> Result<Made, Failure> {
    let (Some(archive), Some(summary)) = (input.archive(), analysis.inputs.get(index)) else {
        return Ok(None);
    };
    let mut rewriter = analysis.rewriter(index, style);
    let mut rewritten = Rewritten::new(archive, &mut |old, new| rewriter.feed(old, new))
        .map_err(|unwritable| refused(&input.name, unwritable))?;
    if rewritten.read != summary.bytes {
        return Err(input::changed(&input.name));
    }
    if rewritten.own_lines > 0 && !quiet {
        let lines = count(rewritten.own_lines, "change");
        note(&format!(
            "{lines} of the first lines of a script, which pg_restore writes by itself: use the pg_restore of the target's version"
        ));
    }
    let unread = |error: io::Error| archive_failure(&input.name, &Damage::Io(error));
    let Some(path) = path else {
        let stdout = os::duplicate(&io::stdout()).map_err(|error| Failure::output(&error))?;
        let mut out = Failing::new(stdout);
        let written = rewritten.write(&mut out);
        return out.end(written, &Failure::output, &unread).and_then(|()| input.unchanged()).map(|()| None);
    };
    let failed = |error: &io::Error| Failure::io("the output cannot be written", path, error);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let file = std::fs::OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
        let mut out = Failing::new(file);
        let written = rewritten.write(&mut out);
        return out.end(written, &failed, &unread).and_then(|()| input.unchanged()).map(|()| None);
    }
    let (file, path) = beside(path, input.mode())?;
    let mut out = Failing::new(file.as_file());
    let written = rewritten.write_with_places(&mut out);
    let toc = out.end(written, &failed, &unread)?;
    os::write_all_at(file.as_file(), &toc, 0)
        .and_then(|()| file.as_file().sync_data())
        .map_err(|error| failed(&error))?;
    input.unchanged()?;
    Ok(Some((file, path)))
}

fn refused(name: &str, unwritable: Unwritable) -> Failure {
    match unwritable {
        Unwritable::Io(error) => archive_failure(name, &Damage::Io(error)),
        Unwritable::Change(..) => Failure::new(unwritable.to_string())
            .at(name)
            .next("write the rewritten script instead: --as plain -o rewritten.sql"),
    }
}

/// An output that keeps in mind that it was the one that failed.
struct Failing<W: Write> {
    out: BufWriter<W>,
    failed: Option<io::Error>,
}

impl<W: Write> Failing<W> {
    fn new(out: W) -> Self {
        Self { out: BufWriter::with_capacity(256 << 10, out), failed: None }
    }

    /// What has failed: the output, or what it was read from.
    fn end<T>(
        self,
        written: io::Result<T>,
        failed: &dyn Fn(&io::Error) -> Failure,
        unread: &dyn Fn(io::Error) -> Failure,
    ) -> Result<T, Failure> {
        match (self.failed, written) {
            (_, Ok(written)) => Ok(written),
            (Some(error), _) => Err(failed(&error)),
            (None, Err(error)) => Err(unread(error)),
        }
    }

    fn kept<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let same = io::Error::new(error.kind(), error.to_string());
            self.failed = Some(error);
            same
        })
    }
}

impl<W: Write> Write for Failing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.kept(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.kept(flushed)
    }
}
