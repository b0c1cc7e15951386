//! What an analysis is told on the command line, with what the configuration says where that leaves it open.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tsmigrate_analyzer::analysis::LevelError;
use tsmigrate_analyzer::conversion::conversion;
use tsmigrate_analyzer::facts::timescale::Version;
use tsmigrate_analyzer::moving::SchemaMap;
use tsmigrate_analyzer::quote::{shell, shell_file};
use tsmigrate_analyzer::rule::Rule;
use tsmigrate_analyzer::rules::{all, matching, rule};
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};
use tsmigrate_analyzer::{Level, Options, Target};

use super::config::Config;
use super::failure::Failure;
use super::rules;
use super::terminal::note;

/// What an analysis is told, whatever is done with it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Analysed {
    /// Accept what these rules lose: RULE,RULE
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub(super) accept: Vec<String>,

    /// Leave these as they are: RULE, RULE@LINE, RULE@FILE:LINE
    #[arg(long, value_name = "FIX", help_heading = "Rules")]
    pub(super) leave: Vec<String>,

    /// Turn these rules off: TSP-03, or a family such as HT-*
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub(super) ignore: Vec<String>,

    /// Turn all other rules off
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Rules")]
    pub(super) select: Vec<String>,

    /// Database to keep, of a dump of a whole cluster
    #[arg(long, value_name = "NAME", help_heading = "Source")]
    pub(super) database: Option<String>,

    /// Move public into this schema: [DB=]NAME
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub(super) into_schema: Vec<String>,

    /// Move one schema: [DB:]OLD=NEW
    #[arg(long, value_name = "MAP", help_heading = "Target")]
    pub(super) map_schema: Vec<String>,

    /// Make a hypertable: TABLE:COLUMN[:INTERVAL]
    #[arg(long, value_name = "TABLE", help_heading = "Target")]
    pub(super) hypertable: Vec<String>,

    /// PostgreSQL version of the service, 15 to 18
    #[arg(
        long,
        value_name = "MAJOR",
        value_parser = clap::value_parser!(u32).range(i64::from(OLDEST_VERSION)..=i64::from(NEWEST_VERSION)),
        help_heading = "Target"
    )]
    pub(super) target_version: Option<u32>,

    /// TimescaleDB version of the service: 2.19.3
    #[arg(long, value_name = "VER", value_parser = timescale_version, help_heading = "Target")]
    pub(super) target_timescaledb: Option<Version>,

    /// Target profile (JSON)
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(super) target_file: Option<PathBuf>,

    /// Read this file, not the nearest tsmigrate.toml
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Configuration")]
    pub(super) config: Option<PathBuf>,

    /// Read no configuration
    #[arg(long, help_heading = "Configuration")]
    pub(super) no_config: bool,
}

/// What an analysis is done with: the command line's word, and what it leaves open as the configuration says.
pub(super) struct Setup {
    pub(super) target: Target,
    pub(super) options: Options,
    /// The file that the destination is read from, where it is not the built-in one.
    pub(super) target_file: Option<PathBuf>,
    pub(super) config: Option<Config>,
    /// What becomes of schemas.
    pub(super) schemas: SchemaMap,
}

/// The fixes that a `--leave` names. Commas separate them, but for those in the name of a file, which a line has to follow.
fn fixes(given: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let is_open = |fix: &str| {
        let line = fix.split_once('@').and_then(|(_, place)| place.rsplit(':').next());
        line.is_some_and(|line| line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_digit()))
    };
    for part in given.split(',') {
        match all.last_mut().filter(|last| is_open(last)) {
            Some(last) => {
                last.push(',');
                last.push_str(part);
            }
            None => all.push(part.trim().to_owned()),
        }
    }
    all.retain(|fix| !fix.is_empty());
    all
}

/// A version of TimescaleDB on the command line.
fn timescale_version(text: &str) -> Result<Version, String> {
    Version::try_from(text.to_owned())
}

impl Analysed {
    pub(super) fn setup(&self) -> Result<Setup, Failure> {
        let path = match &self.config {
            _ if self.no_config => None,
            Some(path) => Some(path.clone()),
            None => Config::find(),
        };
        let config = path.as_deref().map(Config::read).transpose()?;
        let of_config = config.as_ref().and_then(|config| config.target_file.as_ref());
        let target_file = self.target_file.as_ref().or(of_config).cloned();
        let target = self.target(target_file.as_deref(), config.as_ref())?;
        let schemas = self.schemas()?;
        let mut options = self.options(config.as_ref())?;
        options.moved = schemas.names();
        if !schemas.is_empty() {
            // The configuration's choice is for checks of one database.
            options.database = None;
        }
        Ok(Setup { target, options, target_file, config, schemas })
    }

    fn schemas(&self) -> Result<SchemaMap, Failure> {
        let mut schemas = SchemaMap::read(&self.into_schema, &self.map_schema).map_err(|(option, what)| {
            Failure::new(what)
                .at(option)
                .next("write it like --into-schema crm --map-schema audit=crm_log; where the dump has several databases, --into-schema shop=shop --map-schema shop:audit=shop_log")
        })?;
        if schemas.is_empty() {
            return Ok(schemas);
        }
        if !self.hypertable.is_empty() {
            return Err(Failure::new("--hypertable is not possible where schemas move")
                .at("--hypertable")
                .next("write the moved dump with tsmigrate rewrite first, and use the option on that"));
        }
        if let Some(database) = &self.database {
            schemas.with_database(database).map_err(|what| {
                Failure::new(what).at("--database").next("leave one of the two out for that database")
            })?;
        }
        Ok(schemas)
    }

    fn target(&self, file: Option<&Path>, config: Option<&Config>) -> Result<Target, Failure> {
        let target = match file {
            None => Target::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::io("the target file cannot be read", path, &error))?;
                Target::from_json(&text).map_err(|error| {
                    Failure::new(format!("the target file cannot be used: {error}"))
                        .at(path.display())
                        .next("its form is that of analyzer/src/target/timescale.json")
                })?
            }
        };
        let target = match config {
            Some(config) => config.correct(target),
            None => target,
        };
        let mut target = match self.target_version {
            Some(version) => target.with_version(version),
            None => target,
        };
        target.timescaledb.installed = self.target_timescaledb.or(target.timescaledb.installed);
        Ok(target)
    }

    fn options(&self, config: Option<&Config>) -> Result<Options, Failure> {
        let mut options = config.map(Config::options).unwrap_or_default();
        if let Some(database) = &self.database {
            options.database = Some(database.clone());
        }
        for given in self.accept.iter().map(|given| given.trim()).filter(|given| !given.is_empty()) {
            let rule = rule(given).ok_or_else(|| rules::unknown(given).at("--accept"))?;
            options.accept.insert(rule.id.to_owned());
        }
        self.levels(&mut options)?;
        for given in self.leave.iter().flat_map(|given| fixes(given)) {
            options.leave(&given).map_err(|error| {
                Failure::new(error.to_string())
                    .at("--leave")
                    .next("write it like --leave TSP-03 or --leave TSP-03@schema.sql:120")
            })?;
        }
        for given in &self.hypertable {
            let (table, conversion) = conversion(given).map_err(|error| {
                Failure::new(error)
                    .at("--hypertable")
                    .next("write it like --hypertable public.readings:time or --hypertable 'public.readings:time:1 day'")
            })?;
            options.convert.insert(table, conversion);
        }
        Ok(options)
    }

    /// Rules that are turned off.
    fn levels(&self, options: &mut Options) -> Result<(), Failure> {
        let words = |given: &[String]| -> Vec<String> {
            given.iter().map(|given| given.trim().to_owned()).filter(|given| !given.is_empty()).collect()
        };
        let all_rules = |option: &str| {
            Failure::new(format!("{option} takes rules and families, and * is all of them"))
                .at(option)
                .next("name a family, such as 'HT-*'; --select RULE turns off all others")
        };
        for (option, given) in [("--ignore", &self.ignore), ("--select", &self.select)] {
            if given.iter().any(|given| given.trim().chars().all(|c| c == '*') && given.contains('*')) {
                return Err(all_rules(option));
            }
        }
        let selected = words(&self.select);
        let mut kept = BTreeSet::new();
        for given in &selected {
            let rules = matching(given);
            if rules.is_empty() {
                return Err(rules::unknown(given).at("--select"));
            }
            kept.extend(rules.iter().map(|rule| rule.id));
        }
        // What must be known stays on, whatever was selected.
        let may_go = |rule: &&Rule| rule.may_be_off && !kept.contains(rule.id);
        for rule in all().filter(|_| !selected.is_empty()).filter(may_go) {
            let _ = options.set_level(rule.id, Level::Off);
        }
        for given in words(&self.ignore) {
            match options.set_level(&given, Level::Off) {
                Err(LevelError::UnknownRule(_)) => return Err(rules::unknown(&given).at("--ignore")),
                Err(error @ LevelError::NeverOff(_)) if !given.ends_with('*') => {
                    return Err(Failure::new(error.to_string())
                        .at("--ignore")
                        .next("note is the least it can count as: [severity] of tsmigrate.toml"));
                }
                // Of a family, all but those that must stay are off.
                Err(LevelError::NeverOff(_)) => {
                    let stay = matching(&given).into_iter().filter(|rule| !rule.may_be_off);
                    let stay: Vec<&str> = stay.map(|rule| rule.id).collect();
                    let verb = if stay.len() == 1 { "stays" } else { "stay" };
                    note(&format!(
                        "--ignore {given}: {} {verb} on, for what is found must be known",
                        stay.join(", ")
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The options for databases and their schemas, as words of a command, where schemas move.
    pub(super) fn words_of_schemas(&self) -> Option<String> {
        let moves = !self.into_schema.is_empty() || !self.map_schema.is_empty();
        moves.then(|| self.words_of_databases())
    }

    fn words_of_databases(&self) -> String {
        let mut words = String::new();
        if let Some(database) = &self.database {
            let _ = write!(words, " --database {}", shell(database));
        }
        for (option, all) in [("--into-schema", &self.into_schema), ("--map-schema", &self.map_schema)] {
            for given in all {
                let _ = write!(words, " {option} {}", shell(given));
            }
        }
        words
    }

    /// The same options as words of a command.
    pub(super) fn words(&self, more: &[&str]) -> String {
        let mut accept: Vec<&str> = self.accept.iter().map(String::as_str).collect();
        accept.extend(more.iter().filter(|id| !self.accept.iter().any(|given| given == **id)));
        let mut words = String::new();
        if !accept.is_empty() {
            let _ = write!(words, " --accept {}", accept.join(","));
        }
        for (option, rules) in [("--ignore", &self.ignore), ("--select", &self.select)] {
            if !rules.is_empty() {
                let _ = write!(words, " {option} {}", shell(&rules.join(",")));
            }
        }
        if !self.leave.is_empty() {
            let _ = write!(words, " --leave {}", shell(&self.leave.join(",")));
        }
        words.push_str(&self.words_of_databases());
        for given in &self.hypertable {
            let _ = write!(words, " --hypertable {}", shell(given));
        }
        if let Some(version) = self.target_version {
            let _ = write!(words, " --target-version {version}");
        }
        if let Some(version) = self.target_timescaledb {
            let _ = write!(words, " --target-timescaledb {version}");
        }
        if let Some(path) = &self.target_file {
            let _ = write!(words, " --target-file {}", shell_file(&path.to_string_lossy()));
        }
        if let Some(path) = &self.config {
            let _ = write!(words, " --config {}", shell_file(&path.to_string_lossy()));
        }
        if self.no_config {
            words.push_str(" --no-config");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use tsmigrate_analyzer::rules::nearest;

    use super::*;

    #[test]
    fn a_rule_that_was_mistyped_is_suggested() {
        assert_eq!(nearest("TSP-3"), Some("TSP-03"));
        assert_eq!(nearest("ext01"), Some("EXT-01"));
        assert_eq!(nearest("default-tablespaces"), Some("TSP-03"));
        assert_eq!(nearest("completely different"), None);
    }

    #[test]
    fn commas_separate_fixes_and_may_be_in_names_of_files() {
        assert_eq!(fixes("TSP-03, TSP-04@2,"), ["TSP-03", "TSP-04@2"]);
        assert_eq!(fixes("TSP-03@a.sql:1,TSP-04@b.sql:2"), ["TSP-03@a.sql:1", "TSP-04@b.sql:2"]);
        assert_eq!(fixes("TSP-03@a, b,c.sql:1,TSP-04"), ["TSP-03@a, b,c.sql:1", "TSP-04"]);
        // What is wrong is said of what was given.
        assert_eq!(fixes("TSP-03@here"), ["TSP-03@here"]);
        assert_eq!(fixes(""), Vec::<String>::new());
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(shell("dump.sql"), "dump.sql");
        assert_eq!(shell("my dump.sql"), "'my dump.sql'");
        assert_eq!(shell("it's"), "'it'\\''s'");
    }
}
