//! Which schema becomes which: what a person asked for, of each database.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The longest name that PostgreSQL keeps whole, in bytes (`NAMEDATALEN`).
pub(super) const LONGEST: usize = 63;

/// What becomes of the schemas of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseMap {
    /// What `public` becomes; every other schema gets this name and a line before its own.
    pub into: Option<String>,
    /// Schemas that become another one than that: old name, new name.
    pub given: BTreeMap<String, String>,
}

impl DatabaseMap {
    /// The new name of a schema; `None` where it stays. Those of PostgreSQL and TimescaleDB always stay.
    #[must_use]
    pub fn moved(&self, schema: &str) -> Option<String> {
        if is_of_the_server(schema) {
            return None;
        }
        let new = match (self.given.get(schema), &self.into) {
            (Some(given), _) => given.clone(),
            (None, Some(into)) if schema == "public" => into.clone(),
            (None, Some(into)) => format!("{into}_{schema}"),
            (None, None) => return None,
        };
        (new != schema).then_some(new)
    }
}

impl DatabaseMap {
    /// True where every schema keeps its name.
    #[must_use]
    pub fn moves_nothing(&self) -> bool {
        self.into.is_none() && self.given.iter().all(|(old, new)| old == new)
    }
}

/// True for schemas that every database has, or that TimescaleDB makes.
pub(super) fn is_of_the_server(schema: &str) -> bool {
    schema.is_empty()
        || matches!(schema, "information_schema" | "$user")
        || ["pg_", "_timescaledb", "timescaledb_", "toolkit_"].iter().any(|start| schema.starts_with(start))
}

/// What becomes of the schemas of all databases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaMap {
    /// Those of databases that were named.
    pub databases: BTreeMap<String, DatabaseMap>,
    /// Those of the one database of the dump, whatever its name is.
    pub only: Option<DatabaseMap>,
    /// Other databases are on the service, or will be: what holds for all of it is shared with them.
    pub beside_others: bool,
}

impl SchemaMap {
    /// Reads the words of `--into-schema` (`NAME` or `DATABASE=NAME`) and `--map-schema` (`OLD=NEW` or `DATABASE:OLD=NEW`).
    ///
    /// # Errors
    /// The option and what is wrong with its value.
    pub fn read(into: &[String], given: &[String]) -> Result<Self, (&'static str, String)> {
        let mut map = Self::default();
        for word in into {
            let fails = |what: String| Err(("--into-schema", what));
            let (database, name) = word.rsplit_once('=').map_or((None, word.as_str()), |(d, n)| (Some(d), n));
            if let Err(what) = is_a_name(name) {
                return fails(what);
            }
            if is_of_the_server(name) {
                return fails(format!("{name} is a schema of PostgreSQL or TimescaleDB"));
            }
            let slot = &mut map.of(database).into;
            if slot.as_deref().is_some_and(|other| other != name) {
                return fails(format!("{word} names a second schema for one database"));
            }
            *slot = Some(name.to_owned());
        }
        for word in given {
            let fails = |what: String| Err(("--map-schema", what));
            let Some((old, new)) = word.split_once('=') else {
                return fails(format!("{word} has no ="));
            };
            let (database, old) = old.split_once(':').map_or((None, old), |(d, o)| (Some(d), o));
            if let Err(what) = is_a_name(old).and_then(|()| is_a_name(new)) {
                return fails(what);
            }
            if is_of_the_server(old) || is_of_the_server(new) && old != new {
                return fails(format!("{word} names a schema of PostgreSQL or TimescaleDB"));
            }
            map.of(database).given.insert(old.to_owned(), new.to_owned());
        }
        if map.only.is_some() && !map.databases.is_empty() {
            let what = "one names a database and another does not: name it in each".to_owned();
            return Err((if into.is_empty() { "--map-schema" } else { "--into-schema" }, what));
        }
        Ok(map)
    }

    /// Takes what `--database` names: beside databases that move it stays as it is; where no database is named for moving, it is
    /// the one that moves.
    ///
    /// # Errors
    /// Where it is to move as one of several.
    pub fn with_database(&mut self, database: &str) -> Result<(), String> {
        if let Some(only) = self.only.take() {
            self.databases.insert(database.to_owned(), only);
            return Ok(());
        }
        if self.databases.len() > 1 && self.databases.contains_key(database) {
            return Err(format!("{database} is to stay as it is, and --into-schema moves it"));
        }
        self.databases.entry(database.to_owned()).or_default();
        Ok(())
    }

    fn of(&mut self, database: Option<&str>) -> &mut DatabaseMap {
        match database {
            Some(name) => self.databases.entry(name.to_owned()).or_default(),
            None => self.only.get_or_insert_default(),
        }
    }

    /// True where nothing is moved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.only.is_none()
    }

    /// What becomes of the schemas of this database.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&DatabaseMap> {
        self.only.as_ref().or_else(|| self.databases.get(name))
    }

    /// The map of one database, as that of the only one of a dump; `None` where it is not named.
    #[must_use]
    pub fn alone(&self, name: &str) -> Option<Self> {
        let only = Some(self.database(name)?.clone());
        Some(Self { only, beside_others: self.beside_others, ..Self::default() })
    }

    /// What a database is kept under: all inputs are of the one database where none is named.
    pub(super) fn key<'n>(&self, name: &'n str) -> &'n str {
        if self.only.is_some() { "" } else { name }
    }

    /// The databases that were named.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.databases.keys().cloned().collect()
    }
}

/// What `--into-schema` takes for a database of this name: the schema is named like it, as far as schemas can be.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::moving::into_schema("it's"), "it's=it_s");
/// ```
#[must_use]
pub fn into_schema(database: &str) -> String {
    let is_odd = |c: char| OF_QUOTES.contains(&c) || c == '=' || c.is_control();
    format!("{database}={}", database.replace(is_odd, "_"))
}

/// Bodies hold names in quotes of several kinds: these marks would need another form in each.
const OF_QUOTES: [char; 5] = ['\'', '"', '\\', '$', '\0'];

fn is_a_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a name is missing".to_owned());
    }
    if name.contains(OF_QUOTES) || name.contains(char::is_control) {
        return Err(format!("{name} has a quote, backslash or dollar sign"));
    }
    if name.len() > LONGEST {
        return Err(format!("{name} is longer than {LONGEST} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(into: &[&str], given: &[&str]) -> Result<SchemaMap, (&'static str, String)> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        SchemaMap::read(&owned(into), &owned(given))
    }

    #[test]
    fn public_gets_the_name_and_others_get_it_in_front() {
        let map = read(&["crm"], &["log=history"]).unwrap();
        let database = map.database("whatever").unwrap();
        let moved =
            ["public", "audit", "log", "pg_catalog", "_timescaledb_internal"].map(|s| database.moved(s));
        assert_eq!(moved, [Some("crm".into()), Some("crm_audit".into()), Some("history".into()), None, None]);
    }

    #[test]
    fn databases_have_maps_of_their_own() {
        let map = read(&["shop=shop", "crm=people"], &["crm:public=crm"]).unwrap();
        assert_eq!(map.database("shop").unwrap().moved("public").as_deref(), Some("shop"));
        assert_eq!(map.database("crm").unwrap().moved("public").as_deref(), Some("crm"));
        assert_eq!(map.database("crm").unwrap().moved("a").as_deref(), Some("people_a"));
        assert!(map.database("blog").is_none());
    }

    #[test]
    fn a_database_stays_beside_those_that_move() {
        let with = |into: &[&str], database| {
            let mut map = read(into, &[]).unwrap();
            map.with_database(database).map(|()| map)
        };
        let moves = |map: &SchemaMap, name: &str| map.database(name).map(|map| !map.moves_nothing());
        let map = with(&["shop=s"], "metrics").unwrap();
        assert_eq!(
            (moves(&map, "metrics"), moves(&map, "shop"), moves(&map, "x")),
            (Some(false), Some(true), None)
        );
        let map = with(&["s"], "shop").unwrap();
        assert_eq!((moves(&map, "shop"), moves(&map, "metrics")), (Some(true), None));
        assert_eq!(with(&["shop=s"], "shop").map(|map| moves(&map, "shop")), Ok(Some(true)));
        assert!(with(&["shop=s", "crm=c"], "shop").is_err());
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (into, given) in [
            (&["a", "b"][..], &[][..]),
            (&["a", "shop=b"], &[]),
            (&["it's"], &[]),
            (&[""], &[]),
            (&[], &["a"]),
            (&[], &["pg_catalog=a"]),
            (&[], &["a=pg_temp"]),
            (&["pg_shop"], &[]),
            (&["shop=_timescaledb_internal"], &[]),
        ] {
            assert!(read(into, given).is_err(), "{into:?} {given:?}");
        }
    }
}
