//! What the destination can do, as data with its sources.

mod builtin;
mod catalog_columns;
mod icu;
mod members;
mod names;
mod operator_classes;
mod parameters;
mod session_values;
mod storage;
mod timescale;

pub use builtin::{
    builtin_of_internal, has_stemmer, is_builtin, is_builtin_operator, is_builtin_operator_class,
    is_builtin_template, is_in_information_schema, is_variadic_builtin, may_be_builtin_call,
    may_be_in_catalog, result_of_call,
};
pub use catalog_columns::{GoneColumn, gone_columns};
pub use icu::{icu_of_locale, is_locale, is_newer_collation, is_no_icu_collation, may_be_collation};
pub use members::{Members, known, members};
pub use names::Names;
pub use operator_classes::{
    IndexedType, NamedClass, has_default_operator_class, has_known_classes, is_collatable, is_scalar,
    is_toastable, named_operator_class,
};
pub use parameters::{Parameter, parameter};
pub use session_values::is_encoding;
pub use storage::{Storage, has_storage_parameter, refused_storage_value};
pub use timescale::Timescale;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

const TIMESCALE: &str = include_str!("timescale.json");

/// The oldest major version of PostgreSQL that the service offers.
pub const OLDEST_VERSION: u32 = 15;
/// The newest major version of PostgreSQL that the service offers.
pub const NEWEST_VERSION: u32 = 18;

/// A published list of the extensions that the service takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionList {
    /// A short name to choose it by.
    pub name: String,
    /// The day it was last seen, as `YYYY-MM-DD`.
    pub date: String,
    /// Where it was published.
    pub source: String,
    /// SQL names of the extensions.
    pub extensions: BTreeSet<String>,
}

/// The destination of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What to call it.
    pub name: String,
    /// Major version of PostgreSQL.
    pub version: u32,
    /// The role that restores.
    pub admin: String,
    /// Its only database.
    pub database: String,
    /// Published lists of extensions, oldest first. The last one counts.
    pub extension_lists: Vec<ExtensionList>,
    /// What is to know about an extension that it takes.
    #[serde(default)]
    pub extension_notes: BTreeMap<String, String>,
    /// What to use in place of an extension.
    #[serde(default)]
    pub extension_advice: BTreeMap<String, String>,
    /// Extensions that this destination takes though no list names them: see [`Target::take_extension`].
    #[serde(default)]
    pub added_extensions: BTreeSet<String>,
    /// Extensions that this destination does not take whatever the lists say: see [`Target::refuse_extension`].
    #[serde(default)]
    pub refused_extensions: BTreeSet<String>,
    /// Extensions that the server has on disk though the list does not name them: the refusal is in other
    /// words for those.
    #[serde(default)]
    pub packaged_extensions: BTreeSet<String>,
    /// Locales of the operating system (`locale -a`).
    #[serde(default)]
    pub locales: BTreeSet<String>,
    /// Extensions that work only where the server preloads their library.
    #[serde(default)]
    pub preloaded_extensions: BTreeSet<String>,
    /// Extensions that a new database of the service has from the start, in schema public.
    #[serde(default)]
    pub installed_extensions: BTreeSet<String>,
    /// Roles that exist on the target from the start, with what they are.
    pub reserved_roles: BTreeMap<String, String>,
    /// Roles of other providers, by provider: no application needs them on the target.
    #[serde(default)]
    pub provider_roles: BTreeMap<String, BTreeSet<String>>,
    /// Roles of the target that the restoring role may grant to others.
    #[serde(default)]
    pub grantable_roles: BTreeSet<String>,
    /// PostgreSQL's predefined roles with the major version that brought them (predefined-roles.sgml).
    #[serde(default)]
    pub predefined_roles: BTreeMap<String, u32>,
    /// Parameters that only a superuser can set (`context = superuser` in pg_settings of 14 to 18).
    #[serde(default)]
    pub superuser_parameters: BTreeSet<String>,
    /// Functions of pg_catalog that the restoring role may not execute (`has_function_privilege` on 15 to 18).
    #[serde(default)]
    pub closed_functions: BTreeSet<String>,
    /// Functions of pg_catalog that ask for the REPLICATION attribute when they run.
    #[serde(default)]
    pub replication_functions: BTreeSet<String>,
    /// Tables and views of pg_catalog that the restoring role may not read, with the word for each
    /// (`has_any_column_privilege` on 15 to 18).
    #[serde(default)]
    pub closed_relations: BTreeMap<String, String>,
    /// Parameters that are gone, with the first major version that lacks them.
    #[serde(default)]
    pub removed_parameters: BTreeMap<String, u32>,
    /// Its versions of TimescaleDB.
    #[serde(default)]
    pub timescaledb: Timescale,
    /// Roles that a live target was seen to have beyond the reserved ones.
    #[serde(default)]
    pub existing_roles: BTreeSet<String>,
    /// Extensions that a live target has, with the schema they are in. Replaces
    /// `installed_extensions` where it is given.
    #[serde(default)]
    pub live_extensions: Option<BTreeMap<String, String>>,
    /// What text sorts by in a live target's database.
    #[serde(default)]
    pub live_locale: Option<String>,
    /// Collations of `pg_catalog` that a live target has.
    #[serde(skip)]
    pub live_collations: Option<BTreeSet<String>>,
    /// Foreign-data wrappers that a live target does not let the administrator use.
    #[serde(skip)]
    pub refused_wrappers: BTreeSet<String>,
    /// Versions of the extensions that a live target has or would create.
    #[serde(default)]
    pub live_versions: Option<BTreeMap<String, String>>,
}

impl Default for Target {
    fn default() -> Self {
        Self::from_json(TIMESCALE).unwrap_or_else(|_| Self {
            // Unreachable: a test reads the built-in file. An empty target would refuse everything.
            name: String::new(),
            version: 17,
            admin: "tsdbadmin".into(),
            database: "tsdb".into(),
            extension_lists: Vec::new(),
            extension_notes: BTreeMap::new(),
            extension_advice: BTreeMap::new(),
            added_extensions: BTreeSet::new(),
            refused_extensions: BTreeSet::new(),
            packaged_extensions: BTreeSet::new(),
            locales: BTreeSet::new(),
            preloaded_extensions: BTreeSet::new(),
            installed_extensions: BTreeSet::new(),
            reserved_roles: BTreeMap::new(),
            provider_roles: BTreeMap::new(),
            grantable_roles: BTreeSet::new(),
            predefined_roles: BTreeMap::new(),
            superuser_parameters: BTreeSet::new(),
            closed_functions: BTreeSet::new(),
            replication_functions: BTreeSet::new(),
            closed_relations: BTreeMap::new(),
            removed_parameters: BTreeMap::new(),
            timescaledb: Timescale::default(),
            existing_roles: BTreeSet::new(),
            live_extensions: None,
            live_locale: None,
            live_collations: None,
            refused_wrappers: BTreeSet::new(),
            live_versions: None,
        })
    }
}

impl Target {
    /// Reads a target from its JSON form (the built-in one is `analyzer/src/target/timescale.json`).
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let target: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&target.version) {
            return Err(format!("version is {}, not {OLDEST_VERSION} to {NEWEST_VERSION}", target.version));
        }
        Ok(target)
    }

    /// True where its operating system has this locale; the empty name is the environment's. The C library reads
    /// `C.UTF8`, `C.utf8` and `C.UTF-8` as the same.
    #[must_use]
    pub fn has_locale(&self, name: &str) -> bool {
        let spelt = |name: &str| {
            let (language, page) = name.split_once('.').unwrap_or((name, ""));
            (language.to_owned(), page.replace('-', "").to_ascii_lowercase())
        };
        name.is_empty() || self.locales.iter().any(|known| spelt(known) == spelt(name))
    }

    /// The same destination with another major version.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The list of extensions that counts.
    #[must_use]
    pub fn extension_list(&self) -> Option<&ExtensionList> {
        self.extension_lists.last()
    }

    /// True where the target takes this extension.
    #[must_use]
    pub fn allows_extension(&self, name: &str) -> bool {
        !self.refused_extensions.contains(name)
            && (self.added_extensions.contains(name)
                || self.extension_list().is_some_and(|list| list.extensions.contains(name)))
    }

    /// This destination takes the extension, whatever the lists say.
    pub fn take_extension(&mut self, name: &str) {
        self.refused_extensions.remove(name);
        self.added_extensions.insert(name.to_owned());
    }

    /// This destination does not take the extension, whatever the lists say.
    pub fn refuse_extension(&mut self, name: &str) {
        self.added_extensions.remove(name);
        self.refused_extensions.insert(name.to_owned());
    }

    /// Puts a list of one's own in the place of the one that counts. `source` says where it comes from.
    pub fn replace_extensions(&mut self, names: impl IntoIterator<Item = String>, source: &str) {
        // plpgsql is in every database, whoever writes the list.
        let extensions = names.into_iter().chain(["plpgsql".to_owned()]).collect();
        let date = self.extension_list().map_or_else(String::new, |list| list.date.clone());
        self.extension_lists =
            vec![ExtensionList { name: "configured".into(), date, source: source.to_owned(), extensions }];
    }

    /// A role that belongs to the destination: no dump creates or changes it.
    pub fn reserve_role(&mut self, name: &str) {
        self.reserved_roles.entry(name.to_owned()).or_insert_with(|| "a role of the service".to_owned());
    }

    /// The lists that name this extension though the one that counts does not.
    pub fn once_listed(&self, name: &str) -> impl Iterator<Item = &ExtensionList> {
        self.extension_lists.iter().filter(move |list| list.extensions.contains(name))
    }

    /// The schema in which the target already has this extension.
    #[must_use]
    pub fn installed_in(&self, extension: &str) -> Option<&str> {
        match &self.live_extensions {
            Some(live) => live.get(extension).map(String::as_str),
            None if extension == "plpgsql" => Some("pg_catalog"),
            None => self.installed_extensions.contains(extension).then_some("public"),
        }
    }

    /// The provider whose own role this is.
    #[must_use]
    pub fn provider_of(&self, role: &str) -> Option<&str> {
        self.provider_roles
            .iter()
            .find(|(_, roles)| roles.contains(role))
            .map(|(provider, _)| provider.as_str())
    }

    /// True where the role is there before the dump is restored.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.reserved_roles.contains_key(role)
            || self.existing_roles.contains(role)
            || self.predefined_roles.get(role).is_some_and(|since| *since <= self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_target_is_readable_and_complete() {
        let target = Target::from_json(TIMESCALE).unwrap();
        assert_eq!(target, Target::default());
        assert_eq!(target.extension_lists.len(), 4);
        assert!(target.extension_lists.windows(2).all(|w| w[0].date < w[1].date));
    }

    #[test]
    fn the_newest_list_decides() {
        let target = Target::default();
        assert!(target.allows_extension("pg_buffercache"));
        assert!(!target.allows_extension("old_snapshot"));
        assert_eq!(target.once_listed("old_snapshot").count(), 2);
    }

    #[test]
    fn a_predefined_role_exists_from_its_version_on() {
        assert!(!Target::default().with_version(16).has_role("pg_maintain"));
        assert!(Target::default().with_version(17).has_role("pg_maintain"));
    }

    #[test]
    fn a_faulty_target_file_says_what_is_wrong() {
        let error = Target::from_json("{\"name\": 1}").unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }
}
