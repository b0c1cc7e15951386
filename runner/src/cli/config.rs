//! `tsmigrate.toml`: what a project says once instead of on every command line.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tsmigrate_analyzer::analysis::LevelError;
use tsmigrate_analyzer::rules::{matching, nearest, rule};
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};
use tsmigrate_analyzer::{Level, Options, Target};

use super::failure::Failure;

/// The file's name.
pub(super) const FILE: &str = "tsmigrate.toml";

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// Its path, as people are told it.
    pub(super) path: PathBuf,
    pub(super) accept: Vec<String>,
    pub(super) database: Option<String>,
    /// Rules and families with their levels: families first, so that a rule's own line counts more.
    pub(super) levels: Vec<(String, Level)>,
    pub(super) version: Option<u32>,
    /// Another destination, as JSON: its path.
    pub(super) target_file: Option<PathBuf>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) replaced: Option<Vec<String>>,
    pub(super) reserved_roles: Vec<String>,
    pub(super) existing_roles: Vec<String>,
}

impl Config {
    /// The file that counts in this directory: its own, or that of the nearest directory above it, up to the root of
    /// the repository that it is in.
    pub(super) fn find() -> Option<PathBuf> {
        let start = std::env::current_dir().ok()?;
        let mut shown = PathBuf::new();
        for directory in start.ancestors() {
            if directory.join(FILE).is_file() {
                return Some(shown.join(FILE));
            }
            if directory.join(".git").exists() {
                return None;
            }
            shown.push("..");
        }
        None
    }

    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::new("there is no such configuration file")
                .at(path.display())
                .next("name one that exists, or leave --config out"),
            _ => Failure::io("the configuration cannot be read", path, &error),
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let reader = Reader { text, path };
        let table = DeTable::parse(text).map_err(|error| {
            reader.failure(error.span().unwrap_or(0..0), format!("this is no TOML: {}", error.message()))
        })?;
        let mut config = Self { path: path.to_owned(), ..Self::default() };
        for (key, value) in table.get_ref() {
            match reader.key(key, &["accept", "database", "severity", "target"])? {
                "accept" => config.accept = reader.rules(value)?,
                "database" => config.database = Some(reader.string(value)?),
                "severity" => config.levels = reader.levels(value)?,
                _ => config.target(&reader, value)?,
            }
        }
        Ok(config)
    }

    fn target(&mut self, reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
        for (key, value) in reader.table(value)? {
            match reader.key(key, &["version", "file", "extensions", "reserved-roles", "existing-roles"])? {
                "version" => self.version = Some(reader.version(value)?),
                "file" => {
                    // Beside the configuration, wherever the command is run.
                    let folder = self.path.parent().unwrap_or(Path::new(""));
                    self.target_file = Some(folder.join(reader.string(value)?));
                }
                "reserved-roles" => self.reserved_roles = reader.strings(value)?,
                "existing-roles" => self.existing_roles = reader.strings(value)?,
                _ => self.extensions(reader, value)?,
            }
        }
        Ok(())
    }

    fn extensions(&mut self, reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
        for (key, value) in reader.table(value)? {
            match reader.key(key, &["add", "remove", "replace"])? {
                "add" => self.added = reader.strings(value)?,
                "remove" => self.removed = reader.strings(value)?,
                _ => self.replaced = Some(reader.strings(value)?),
            }
        }
        if let Some(both) = self.added.iter().find(|name| self.removed.contains(name)) {
            let what = format!("extension {both} is both added and removed");
            return Err(reader.failure(value.span(), what));
        }
        Ok(())
    }

    /// Corrects a destination by what the file says.
    pub(super) fn correct(&self, mut target: Target) -> Target {
        if let Some(names) = &self.replaced {
            target.replace_extensions(names.iter().cloned(), &self.path.to_string_lossy());
        }
        self.added.iter().for_each(|name| target.take_extension(name));
        self.removed.iter().for_each(|name| target.refuse_extension(name));
        self.reserved_roles.iter().for_each(|name| target.reserve_role(name));
        target.existing_roles.extend(self.existing_roles.iter().cloned());
        match self.version {
            Some(version) => target.with_version(version),
            None => target,
        }
    }

    /// The options that the file gives.
    pub(super) fn options(&self) -> Options {
        let mut options = Options {
            database: self.database.clone(),
            configuration: Some(self.path.to_string_lossy().into_owned()),
            ..Options::default()
        };
        for (pattern, level) in &self.levels {
            // What cannot be set was refused when the file was read.
            let _ = options.set_level(pattern, *level);
        }
        for given in &self.accept {
            let _ = options.accept(given);
        }
        options
    }
}

/// The text of a file, for the places of its errors.
struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
}

type Table<'a, 'b> = &'b DeTable<'a>;

impl Reader<'_> {
    /// A failure at the place of these bytes: `tsmigrate.toml:3:1`.
    fn failure(&self, span: Range<usize>, what: String) -> Failure {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Failure::new(what).at(format!("{}:{line}:{column}", self.path.display()))
    }

    /// The key, where it is one of these.
    fn key<'k>(&self, key: &Spanned<impl AsRef<str>>, known: &[&'k str]) -> Result<&'k str, Failure> {
        let name = key.get_ref().as_ref();
        if let Some(known) = known.iter().find(|known| **known == name) {
            return Ok(known);
        }
        let near = known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .min()
            .filter(|(distance, known)| distance * 2 <= known.len());
        let failure = self.failure(key.span(), format!("there is no setting {name} here"));
        Err(failure.next(match near {
            Some((_, near)) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        }))
    }

    fn wanted(&self, value: &Spanned<DeValue<'_>>, wanted: &str) -> Failure {
        let given = value.get_ref().type_str();
        self.failure(value.span(), format!("this is to be {wanted}, and is of type {given}"))
    }

    fn table<'a, 'b>(&self, value: &'b Spanned<DeValue<'a>>) -> Result<Table<'a, 'b>, Failure> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wanted(value, "a table of settings")),
        }
    }

    fn string(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Failure> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                Err(self.failure(value.span(), "this is empty".to_owned()))
            }
            DeValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(self.wanted(value, "a string")),
        }
    }

    fn list<'a, 'b>(&self, value: &'b Spanned<DeValue<'a>>) -> Result<&'b [Spanned<DeValue<'a>>], Failure> {
        match value.get_ref() {
            DeValue::Array(list) => Ok(list),
            _ => Err(self.wanted(value, "a list of strings")),
        }
    }

    fn strings(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Failure> {
        self.list(value)?.iter().map(|value| self.string(value)).collect()
    }

    fn rules(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Failure> {
        let read = |value: &Spanned<DeValue<'_>>| {
            let given = self.string(value)?;
            match rule(&given) {
                Some(rule) => Ok(rule.id.to_owned()),
                None => Err(self.unknown_rule(value.span(), &given)),
            }
        };
        self.list(value)?.iter().map(read).collect()
    }

    fn unknown_rule(&self, span: Range<usize>, given: &str) -> Failure {
        let family = given.ends_with('*');
        let what = format!("there is no {} {given}", if family { "family of rules" } else { "rule" });
        self.failure(span, what).next(match nearest(given).filter(|_| !family) {
            Some(id) => format!("did you mean {id}? tsmigrate rules lists all rules"),
            None => "tsmigrate rules lists all rules; a family is written as TSP-*".to_owned(),
        })
    }

    fn levels(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<(String, Level)>, Failure> {
        let mut levels = Vec::new();
        for (key, value) in self.table(value)? {
            let pattern: &str = key.get_ref().as_ref();
            if matching(pattern).is_empty() {
                return Err(self.unknown_rule(key.span(), pattern));
            }
            let word = self.string(value)?;
            let level = Level::named(&word).ok_or_else(|| {
                let words: Vec<&str> = Level::ALL.iter().map(|(word, _)| *word).collect();
                self.failure(value.span(), format!("there is no severity {word}"))
                    .next(format!("one of {}", words.join(", ")))
            })?;
            // Of a family, all but those that must stay are off.
            if let Err(error @ LevelError::NeverOff(_)) = Options::default().set_level(pattern, level)
                && !pattern.ends_with('*')
            {
                return Err(self.failure(value.span(), error.to_string()).next("note is the least"));
            }
            levels.push((pattern.to_owned(), level));
        }
        levels.sort_by_key(|(pattern, _)| !pattern.ends_with('*'));
        Ok(levels)
    }

    fn version(&self, value: &Spanned<DeValue<'_>>) -> Result<u32, Failure> {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.wanted(value, "a number"));
        };
        match number.as_str().parse() {
            Ok(version) if (OLDEST_VERSION..=NEWEST_VERSION).contains(&version) => Ok(version),
            _ => Err(self.failure(
                value.span(),
                format!("a service has PostgreSQL {OLDEST_VERSION} to {NEWEST_VERSION}, not {number}"),
            )),
        }
    }
}
