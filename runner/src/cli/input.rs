//! Files and standard input, opened with care and read once or twice.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tsmigrate::archive::{self, Archive};
use tsmigrate::os::{self, Identity};
use tsmigrate::workers::Workers;
use tsmigrate_analyzer::facts::ObjectId;
use tsmigrate_analyzer::facts::names::quoted;
use tsmigrate_analyzer::finding::Unmoved;
use tsmigrate_analyzer::input::Problem;
use tsmigrate_analyzer::order::{HEAD, begins};
use tsmigrate_analyzer::parse::Class;
use tsmigrate_analyzer::quote::{shell, shell_file};
use tsmigrate_analyzer::rewrite::Planned;
use tsmigrate_analyzer::{Analysis, Analyzer, InputError, Options, Rewriter, Style, Target};

use super::failure::Failure;
use super::packed::{self, Unpacked, archive_failure};
use super::reading::Progress;
use super::terminal::note;

/// So much is read at a time.
const CHUNK: usize = 256 << 10;

/// What standard input is called.
pub(super) const STDIN: &str = "-";

/// What a dump from standard input is called in a directory.
const PIPED: &str = "stdin.sql";

/// A dump to read.
#[derive(Debug)]
pub(super) struct Input {
    /// Its path as it was given, or `-`.
    pub(super) name: String,
    /// Its path; `None` for standard input.
    pub(super) path: Option<PathBuf>,
    file: File,
    /// Where the dump begins: standard input may stand in the middle of a file.
    start: u64,
    /// Its length, for what can be read twice.
    length: Option<u64>,
    modified: Option<SystemTime>,
    /// Which file it is; `None` of a pipe.
    identity: Option<Identity>,
    mode: u32,
    /// What it is, where it is no text.
    archive: Option<Archive>,
    /// Rows of an archive are read.
    with_rows: bool,
    /// Changes of its text that are made while it is read.
    pub(super) moves: Vec<Planned>,
}

impl Input {
    fn open(path: &Path, with_rows: bool) -> Result<Self, Failure> {
        if path == Path::new(STDIN) {
            return Self::stdin();
        }
        let failed = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new("there is no such file")
                .at(path.display())
                .next("look at the name and the directory: pwd; ls -l"),
            _ => Failure::io("the file cannot be read", path, error),
        };
        let metadata = path.metadata().map_err(|error| failed(&error))?;
        let name = path.to_string_lossy().into_owned();
        let mut input = if metadata.is_dir() {
            if !archive::is_directory(path) {
                return Err(directory(path));
            }
            let toc = path.join("toc.dat");
            let file =
                File::open(&toc).map_err(|error| Failure::io("the file cannot be read", &toc, &error))?;
            let mut input = Self::new(name, Some(path.to_owned()), file)?;
            let archive = Archive::of_directory(path);
            input.archive = Some(archive.map_err(|damage| archive_failure(&input.name, &damage))?);
            input
        } else {
            let file = File::open(path).map_err(|error| failed(&error))?;
            let mut input = Self::new(name, Some(path.to_owned()), file)?;
            input.archive = input.look_for_archive()?;
            input
        };
        input.with_rows = with_rows;
        Ok(input)
    }

    /// The archive that the file is.
    fn look_for_archive(&self) -> Result<Option<Archive>, Failure> {
        if self.length.is_none() {
            return Ok(None);
        }
        let failed = |error: &io::Error| Failure::io("the file cannot be read", Path::new(&self.name), error);
        let mut head = vec![0; HEAD];
        let read = os::read_at(&self.file, &mut head, self.start).map_err(|error| failed(&error))?;
        if !archive::begins(head.get(..read).unwrap_or_default()) {
            return Ok(None);
        }
        if archive::is_of_cluster(Path::new(&self.name)) {
            return Err(of_cluster(Path::new(&self.name)));
        }
        // What was read of it moves the place in the file on Windows.
        let mut file = self.file.try_clone().map_err(|error| failed(&error))?;
        file.seek(SeekFrom::Start(self.start)).map_err(|error| failed(&error))?;
        Archive::of_file(file).map(Some).map_err(|damage| {
            match archive::directory_of(Path::new(&self.name)) {
                Some(directory) => Failure::new("this is one file of an archive that is a directory")
                    .at(&self.name)
                    .next(format!("name the directory: {}", shell_file(&directory.to_string_lossy()))),
                None => archive_failure(&self.name, &damage),
            }
        })
    }

    fn stdin() -> Result<Self, Failure> {
        if io::stdin().is_terminal() {
            return Err(Failure::new("standard input is a terminal")
                .at(STDIN)
                .next("pipe a dump in: pg_dump --schema-only … | tsmigrate check -"));
        }
        let file = os::duplicate(&io::stdin())
            .map_err(|error| Failure::io("standard input cannot be read", Path::new(STDIN), &error))?;
        Self::new(STDIN.to_owned(), None, file)
    }

    fn new(name: String, path: Option<PathBuf>, mut file: File) -> Result<Self, Failure> {
        let metadata = match file.metadata() {
            // Windows tells nothing of a pipe.
            Err(_) if cfg!(windows) => None,
            metadata => Some(
                metadata.map_err(|error| Failure::io("the file cannot be read", Path::new(&name), &error))?,
            ),
        };
        let plain = metadata.as_ref().filter(|metadata| metadata.is_file());
        let start = if plain.is_some() { file.stream_position().unwrap_or(0) } else { 0 };
        Ok(Self {
            name,
            path,
            start,
            length: plain.map(|metadata| metadata.len().saturating_sub(start)),
            modified: metadata.as_ref().and_then(|metadata| metadata.modified().ok()),
            identity: Identity::of(&file),
            file,
            mode: metadata.as_ref().map_or(0o666, os::mode) & 0o666,
            archive: None,
            with_rows: false,
            moves: Vec::new(),
        })
    }

    /// True where it is that file.
    pub(super) fn is(&self, file: &Identity) -> bool {
        self.identity.as_ref() == Some(file)
    }

    /// Who may read and write it.
    pub(super) fn mode(&self) -> u32 {
        if self.path.is_some() { self.mode } else { 0o666 }
    }

    /// Its name as a shell reads it.
    pub(super) fn word(&self) -> String {
        if self.path.is_some() { shell_file(&self.name) } else { "FILE".to_owned() }
    }

    /// How many bytes are read of it, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length.filter(|_| self.archive.is_none())
    }

    /// The file's name without the ending that says how it is packed. An archive's text is another kind of file.
    pub(super) fn file_name(&self) -> Option<PathBuf> {
        let Some(path) = self.path.as_ref() else { return Some(PIPED.into()) };
        let name = path.file_name()?;
        if self.archive.is_some() {
            return Some(Path::new(name).with_extension("sql"));
        }
        Some(name.to_str().map_or_else(|| name.into(), |name| packed::unpacked_name(name).into()))
    }

    /// Its text from its start.
    fn unpacked(&mut self) -> Result<Unpacked, Failure> {
        let failed = |error: &io::Error| Failure::io("the file cannot be read", Path::new(&self.name), error);
        if let Some(archive) = &self.archive {
            let script = archive.script(self.with_rows);
            let script = script.map_err(|error| archive_failure(&self.name, &error.into()))?;
            return Ok(Unpacked::of_archive(script));
        }
        if self.length.is_some() {
            self.file.seek(SeekFrom::Start(self.start)).map_err(|error| failed(&error))?;
        }
        self.file.try_clone().and_then(Unpacked::new).map_err(|error| failed(&error))
    }

    /// Keeps what cannot be read twice in a temporary file.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        if self.length.is_some() {
            return Ok(());
        }
        let mut kept = tempfile::tempfile().map_err(|error| not_kept(&error))?;
        let progress = Progress::new("keeping", &self.name, None);
        let read = self.read(&progress, |chunk| kept.write_all(chunk).map_err(|error| not_kept(&error)))?;
        self.modified = kept.metadata().and_then(|metadata| metadata.modified()).ok();
        (self.file, self.start, self.length) = (kept, 0, Some(read));
        Ok(())
    }

    /// The name of the database that its own name tells: that of the file without its endings.
    pub(super) fn database(&self) -> String {
        let name = self.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        name.split_once('.').map_or(&*name, |(stem, _)| stem).to_owned()
    }

    /// Reads it from its start to its end.
    pub(super) fn read(
        &mut self,
        progress: &Progress,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let mut unpacked = self.unpacked()?;
        let mut chunk = vec![0; CHUNK];
        let mut read = 0;
        let mut moved = Rewriter::new(&self.moves, Style::Delete);
        let mut out = Vec::new();
        loop {
            match unpacked.read(&mut chunk) {
                Ok(0) => {
                    out.clear();
                    moved.finish(&mut out);
                    if !out.is_empty() {
                        take(&out)?;
                    }
                    return Ok(read);
                }
                Ok(length) => {
                    read += length as u64;
                    let chunk = chunk.get(..length).unwrap_or_default();
                    if self.moves.is_empty() {
                        take(chunk)?;
                    } else {
                        out.clear();
                        moved.feed(chunk, &mut out);
                        take(&out)?;
                    }
                    progress.advance(unpacked.advanced());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unpacked.failure(&self.name, &error)),
            }
        }
    }

    /// Reads it again.
    pub(super) fn read_again(
        &mut self,
        first: u64,
        progress: &Progress,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut left = first;
        let name = self.name.clone();
        self.read(progress, |chunk| {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(|| changed(&name))?;
            take(chunk)
        })?;
        if left > 0 { Err(changed(&name)) } else { self.unchanged() }
    }

    /// Refuses what was written to since it was opened.
    pub(super) fn unchanged(&self) -> Result<(), Failure> {
        let modified = self.file.metadata().and_then(|metadata| metadata.modified()).ok();
        if modified == self.modified { Ok(()) } else { Err(changed(&self.name)) }
    }

    /// What it is, where it is no text.
    pub(super) fn archive(&self) -> Option<&Archive> {
        self.archive.as_ref()
    }

    /// True where it is no text.
    pub(super) fn is_archive(&self) -> bool {
        self.archive.is_some()
    }

    /// Of an archive, rows are not read.
    pub(super) fn leave_rows(&mut self) {
        self.with_rows = false;
    }
}

/// What was written to while it was read.
pub(super) fn changed(name: &str) -> Failure {
    Failure::new("the file was changed while it was being read")
        .at(name)
        .next("run the command again when nothing writes to the file any more")
}

fn of_cluster(path: &Path) -> Failure {
    Failure::new("this is an archive of a whole cluster (pg_dumpall of PostgreSQL 19), which is not read")
        .at(path.display())
        .next(archive::text_of_cluster(path))
}

fn directory(path: &Path) -> Failure {
    if archive::is_of_cluster(path) {
        return of_cluster(path);
    }
    if path.join("toc.dat.gz").exists() {
        let next =
            format!("unpack it first: gunzip {}", shell_file(&path.join("toc.dat.gz").to_string_lossy()));
        Failure::new("the table of contents of this dump is compressed").at(path.display()).next(next)
    } else {
        Failure::new("this is a directory, not a dump").at(path.display()).next("name the files in it")
    }
}

/// The files that were named, or standard input where a dump is piped in. `example` is a command that names some.
pub(super) fn named(paths: &[PathBuf], example: &str) -> Result<Vec<PathBuf>, Failure> {
    let is_piped = || os::duplicate(&io::stdin()).is_ok_and(|stdin| os::holds_bytes(&stdin));
    if !paths.is_empty() {
        return Ok(paths.to_vec());
    }
    if is_piped() {
        return Ok(vec![STDIN.into()]);
    }
    Err(Failure::new("no dump is named, and none is piped in").next(format!("name the files: {example}")))
}

/// Opens all files, before anything is read. Rows of archives are read only where somebody wants them.
pub(super) fn open(paths: &[PathBuf], with_rows: bool) -> Result<Vec<Input>, Failure> {
    let mut inputs: Vec<Input> = Vec::with_capacity(paths.len());
    for path in paths {
        let input = Input::open(path, with_rows)?;
        let same = |other: &&Input| match (&input.path, &other.path) {
            (None, None) => true,
            _ => input.identity.is_some() && other.identity == input.identity,
        };
        if let Some(other) = inputs.iter().find(same) {
            let place = if other.name == input.name {
                input.name.clone()
            } else {
                format!("{} and {}", other.name, input.name)
            };
            return Err(Failure::new("the same file is given twice").at(place).next("name each file once"));
        }
        inputs.push(input);
    }
    in_order(&mut inputs)?;
    Ok(inputs)
}

/// Puts the inputs into the order in which they are restored. What cannot be read twice is taken for a schema.
fn in_order(inputs: &mut Vec<Input>) -> Result<(), Failure> {
    if inputs.len() < 2 {
        return Ok(());
    }
    let mut ranked = Vec::with_capacity(inputs.len());
    for mut input in inputs.drain(..) {
        let mut head = Vec::new();
        if input.length.is_some() {
            let mut unpacked = input.unpacked()?;
            let read = unpacked.by_ref().take(HEAD as u64).read_to_end(&mut head);
            read.map_err(|error| unpacked.failure(&input.name, &error))?;
        }
        ranked.push((begins(&head), input));
    }
    ranked.sort_by_key(|(begins, _)| *begins);
    inputs.extend(ranked.into_iter().map(|(_, input)| input));
    Ok(())
}

/// Analyses the inputs in their order. What cannot be read twice is kept where `keep` says that it
/// will have to be.
pub(super) fn analyse(
    inputs: &mut [Input],
    target: &Target,
    options: &Options,
    unmoved: &[Unmoved],
    keep: bool,
    quiet: bool,
) -> Result<Analysis, Failure> {
    let workers = Workers::start();
    let mut analyzer = Analyzer::with_executor(target, options, &workers);
    for input in inputs.iter_mut() {
        let word = input.word();
        let bad = |error: InputError| bad_input(&error, &word);
        analyzer.begin(&input.name);
        let progress = Progress::new("reading", &input.name, input.length());
        let mut kept = match (keep, input.length) {
            (true, None) => Some(tempfile::tempfile().map_err(|error| not_kept(&error))?),
            _ => None,
        };
        if kept.is_some() && !quiet {
            note(&format!(
                "{}: cannot be read twice, so it is kept in a temporary file until the end ({})",
                if input.path.is_none() { "standard input" } else { &input.name },
                std::env::temp_dir().display()
            ));
        }
        let read = input.read(&progress, |chunk| {
            if let Some(kept) = &mut kept {
                kept.write_all(chunk).map_err(|error| not_kept(&error))?;
            }
            analyzer.feed(chunk).map_err(bad)
        })?;
        analyzer.end().map_err(bad)?;
        if let Some(kept) = kept {
            input.modified = kept.metadata().and_then(|metadata| metadata.modified()).ok();
            (input.file, input.start, input.length) = (kept, 0, Some(read));
        }
    }
    analyzer.unmoved(unmoved);
    let mut analysis = analyzer.finish();
    chosen_are_there(&analysis, options, target)?;
    // Of a large schema they are as large as a third of the findings, and nobody asks for more than the headers now.
    analysis.facts.headers = std::mem::take(&mut analysis.facts).headers;
    Ok(analysis)
}

/// The database that a person wants to keep has to be one of the dump's, and a table that is to be a hypertable has to be in it,
/// with its column.
fn chosen_are_there(analysis: &Analysis, options: &Options, target: &Target) -> Result<(), Failure> {
    let facts = &analysis.facts;
    // A rewritten dump speaks of the target's database in place of the one that was chosen.
    let is_of_target = facts.databases.keys().all(|name| **name == *target.database);
    if let Some(database) = &options.database
        && !is_of_target
        && !facts.databases.contains_key(database.as_str())
    {
        let names: Vec<String> = facts.databases.keys().map(|name| shell(name)).collect();
        return Err(Failure::new(format!("no dump has a database {}", quoted(database)))
            .at("--database")
            .next(format!("name one of these: {}", names.join(", "))));
    }
    for ((schema, name), conversion) in &options.convert {
        let id = ObjectId::new(Class::Relation, Some(schema), name);
        let table = facts.relations.get(&id).filter(|relation| relation.word == "table");
        let wrong = match table {
            None => format!("no dump creates table {}", id.path()),
            Some(table) if table.columns.iter().all(|c| facts.names.name(c.name) != conversion.column) => {
                format!("{} has no column {}", id.path(), quoted(&conversion.column))
            }
            Some(_) => continue,
        };
        let next = "names are written as in SQL, with double quotes where they need them";
        return Err(Failure::new(wrong).at("--hypertable").next(next));
    }
    Ok(())
}

fn not_kept(error: &io::Error) -> Failure {
    Failure::io("the input cannot be kept in a temporary file", &std::env::temp_dir(), error)
        .next("set TMPDIR to a directory with room for the whole dump, or give the dump as a file")
}

fn bad_input(error: &InputError, word: &str) -> Failure {
    let problem = &error.problem;
    let name = if error.input == STDIN { "standard input" } else { &error.input };
    let place = match problem.line() {
        Some(line) => format!("{name}, line {line}"),
        None => name.to_owned(),
    };
    let is_archive = matches!(problem, Problem::CustomFormat | Problem::Tar);
    let next = if is_archive && packed::unpacked_name(name) != name {
        let (command, file) = archive::unpacking(name, packed::packing_of(name));
        format!("unpack it first: {command}; then name {}", shell_file(&file))
    } else {
        problem.next(word)
    };
    Failure::new(problem.what()).at(place).next(next)
}
