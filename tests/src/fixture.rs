//! Fixtures of rules: `fixtures/rules/ID/CASE.sql`.
//!
//! Lines of the form `-- KEY: VALUE` are directives and no part of the dump:
//! `expect` (the rules of all findings, in order, or `nothing`; needed), `target` (major version), `accept` (rules),
//! `database` (of a cluster dump, the one to keep), `hypertable` and `chunk` (`schema.table`), `convert`
//! (`schema.table:column[:interval]`), `catalogs` (`follow`: the rows of TimescaleDB's catalogs come by another way),
//! `timescaledb` (the target's version), `input` (another input begins, with this name), `call` and `runs` (a statement
//! to run after the dump was restored: it fails with a SQLSTATE that a finding on a body states, or it passes), and
//! `unasked` (why a server is not asked about this fixture).

use std::path::{Path, PathBuf};

use tsmigrate_analyzer::facts::timescale::Version;
use tsmigrate_analyzer::{Analysis, Input, InputError, Options, Target, analyze};

/// A fixture.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// `ID/CASE`.
    pub name: String,
    /// The rules of its findings, in order.
    pub expected: Vec<String>,
    /// The destination it is judged for.
    pub target: Target,
    /// The options of the analysis.
    pub options: Options,
    /// Its inputs: name and text.
    pub inputs: Vec<(String, String)>,
    /// Statements that fail after the dump was restored, with a SQLSTATE that a finding on a body states.
    pub calls: Vec<String>,
    /// Statements that pass after the dump was restored.
    pub runs: Vec<String>,
    /// Why a server is not asked about it.
    pub unasked: Option<String>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut fixture = Self {
            name: path
                .components()
                .rev()
                .take(2)
                .map(|c| c.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join(" of "),
            expected: Vec::new(),
            target: Target::default(),
            options: Options::default(),
            inputs: vec![("dump.sql".into(), String::new())],
            calls: Vec::new(),
            runs: Vec::new(),
            unasked: None,
        };
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let mut stated = false;
        for line in text.split_inclusive('\n') {
            let directive = |name: &str| {
                line.strip_prefix("-- ")?.strip_prefix(name)?.strip_prefix(": ").map(str::trim_end)
            };
            if let Some(rules) = directive("expect") {
                stated = true;
                fixture.expected =
                    rules.split_whitespace().filter(|r| *r != "nothing").map(Into::into).collect();
            } else if let Some(version) = directive("target") {
                let version = version.parse().map_err(|_| wrong("the target is no version"))?;
                fixture.target = fixture.target.with_version(version);
            } else if let Some(rules) = directive("accept") {
                fixture.options.accept.extend(rules.split_whitespace().map(Into::into));
            } else if let Some(database) = directive("database") {
                fixture.options.database = Some(database.into());
            } else if let Some(table) = directive("hypertable") {
                let (schema, name) =
                    table.split_once('.').ok_or_else(|| wrong("the hypertable lacks its schema"))?;
                fixture.options.hypertables.insert((schema.into(), name.into()));
            } else if let Some(table) = directive("chunk") {
                let (schema, name) =
                    table.split_once('.').ok_or_else(|| wrong("the chunk lacks its schema"))?;
                fixture.options.chunks.insert((schema.into(), name.into()));
            } else if let Some(call) = directive("call") {
                fixture.calls.push(call.into());
            } else if let Some(call) = directive("runs") {
                fixture.runs.push(call.into());
            } else if let Some(wish) = directive("convert") {
                let (table, conversion) =
                    tsmigrate_analyzer::conversion::conversion(wish).map_err(|error| wrong(&error))?;
                fixture.options.convert.insert(table, conversion);
            } else if directive("catalogs") == Some("follow") {
                fixture.options.catalogs_follow = true;
            } else if directive("chunks") == Some("handed over") {
                fixture.options.hands_over_chunks = true;
            } else if let Some(version) = directive("timescaledb") {
                let version =
                    Version::read(version).ok_or_else(|| wrong("this is no version of TimescaleDB"))?;
                fixture.target.timescaledb.installed = Some(version);
            } else if let Some(why) = directive("unasked") {
                fixture.unasked = Some(why.into());
            } else if let Some(name) = directive("input") {
                fixture.inputs.retain(|(_, text)| !text.trim().is_empty());
                fixture.inputs.push((name.into(), String::new()));
            } else if let Some((_, text)) = fixture.inputs.last_mut() {
                text.push_str(line);
            }
        }
        if stated { Ok(fixture) } else { Err(wrong("it states no expectation")) }
    }

    /// All fixtures of a rule, or of all rules, in the order of their paths.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn all(rule: Option<&str>) -> Result<Vec<Self>, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
        let list = |folder: &Path| -> Vec<PathBuf> {
            let mut paths: Vec<_> =
                std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
            paths.sort();
            paths
        };
        let folders = rule.map_or_else(|| list(&root), |rule| vec![root.join(rule)]);
        let files = folders.iter().flat_map(|folder| list(folder));
        files
            .filter(|path| path.extension().is_some_and(|x| x == "sql"))
            .map(|path| Self::read(&path))
            .collect()
    }

    /// Analyses it.
    ///
    /// # Errors
    /// As [`analyze()`].
    pub fn analyse(&self) -> Result<Analysis, InputError> {
        let inputs: Vec<Input<'_>> =
            self.inputs.iter().map(|(name, text)| Input { name, text: text.as_bytes() }).collect();
        analyze(&inputs, &self.target, &self.options)
    }
}

/// The files of SQL in these folders, in the order of their names; a folder that is not there has none.
#[must_use]
pub fn sql_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files
}
