//! What the person chose, as the page writes it.

use serde::{Deserialize, Serialize};
use tsmigrate_analyzer::conversion::conversion;
use tsmigrate_analyzer::facts::timescale::Version;
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};
use tsmigrate_analyzer::{Level, Options, Target};

/// What the person chose. Every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Major version of PostgreSQL on the target.
    pub(crate) target_version: Option<u32>,
    /// Version of TimescaleDB on the target.
    pub(crate) timescaledb: Option<String>,
    /// The name of one of the target's published lists of extensions; the newest where it is left out.
    pub(crate) extension_list: Option<String>,
    /// Extensions that the target takes besides.
    pub(crate) take: Vec<String>,
    /// Extensions that it does not take.
    pub(crate) refuse: Vec<String>,
    /// Rules (ids or names) whose losses are accepted.
    pub(crate) accept: Vec<String>,
    /// Fixes that are not applied: `RULE`, `RULE@LINE` or `RULE@FILE:LINE`.
    pub(crate) leave: Vec<String>,
    /// What rules or families count as: pairs of a pattern and a word (off, note, warning, error).
    pub(crate) levels: Vec<(String, String)>,
    /// Of a dump of a whole cluster, the database to keep.
    pub(crate) database: Option<String>,
    /// Tables to restore as hypertables: `schema.table:column[:interval]`.
    pub(crate) hypertables: Vec<String>,
}

impl Settings {
    /// Reads what the page wrote, and says what of it cannot be.
    pub(crate) fn read(json: &str) -> Result<(Target, Options), String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        Ok((settings.target()?, settings.options()?))
    }

    fn target(&self) -> Result<Target, String> {
        let mut target = Target::default();
        if let Some(version) = self.target_version {
            if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&version) {
                return Err(format!(
                    "the service has PostgreSQL {OLDEST_VERSION} to {NEWEST_VERSION}, not {version}"
                ));
            }
            target = target.with_version(version);
        }
        if let Some(version) = &self.timescaledb {
            target.timescaledb.installed = Some(Version::try_from(version.clone())?);
        }
        if let Some(name) = &self.extension_list {
            let at = target.extension_lists.iter().position(|list| list.name == *name);
            let Some(at) = at else { return Err(format!("there is no list of extensions called {name}")) };
            target.extension_lists.truncate(at + 1);
        }
        self.take.iter().for_each(|name| target.take_extension(name));
        self.refuse.iter().for_each(|name| target.refuse_extension(name));
        Ok(target)
    }

    fn options(&self) -> Result<Options, String> {
        let mut options = Options { database: self.database.clone(), ..Options::default() };
        for (pattern, word) in &self.levels {
            let level = Level::named(word).ok_or_else(|| format!("there is no level {word}"))?;
            options.set_level(pattern, level).map_err(|error| error.to_string())?;
        }
        for rule in &self.accept {
            options.accept(rule).map_err(|error| error.to_string())?;
        }
        for given in &self.leave {
            options.leave(given).map_err(|error| error.to_string())?;
        }
        for given in &self.hypertables {
            let (table, how) = conversion(given)?;
            options.convert.insert(table, how);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_built_in_target() {
        let (target, options) = Settings::read("{}").unwrap();
        assert_eq!((target, options), (Target::default(), Options::default()));
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        for (json, words) in [
            ("{\"targetVersion\": 12}", "15 to 18"),
            ("{\"accept\": [\"NO-99\"]}", "NO-99"),
            ("{\"levels\": [[\"IN-10\", \"off\"]]}", "IN-10"),
            ("{\"extensionList\": \"mine\"}", "mine"),
            ("{\"hypertables\": [\"t\"]}", "schema.table:column"),
            ("{\"surprise\": 1}", "surprise"),
        ] {
            let error = Settings::read(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
