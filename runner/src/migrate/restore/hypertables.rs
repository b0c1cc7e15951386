//! What an archive tells of TimescaleDB: rows of its catalogs, read before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};

use tsmigrate_analyzer::archive::Entry;

use super::dump::Dump;
use super::{entries, refused};
use crate::connect::Session;
use crate::engine::config::{self, ConfigTable};
use crate::error::{Blocker, Error};
use crate::inspect::Timescale;
use crate::jobs::{self, Job};
use crate::migrate::beside::FIRST_JOB;
use crate::names::{self, Relation};
use crate::tables::Table;
use crate::timescale::{self, INTERNAL};

/// The schema of TimescaleDB's functions on every target.
const SCHEMA: &str = "public";

/// Catalogs whose rows tell of the database's own objects.
const READ: [&str; 6] =
    ["metadata", "hypertable", "continuous_agg", "chunk", "compression_settings", "bgw_job"];

/// TimescaleDB in an archive.
#[derive(Debug, Default)]
pub(super) struct Hypertables {
    /// What a server would have told, but for its edition.
    pub(super) timescale: Timescale,
    /// The catalogs that have rows in the archive, or could have, with their columns.
    pub(super) catalogs: BTreeMap<Relation, Vec<String>>,
    /// Jobs of users and policies, as the source had them.
    pub(super) jobs: Vec<Job>,
    /// Tables and views that TimescaleDB knows.
    known: BTreeSet<Relation>,
}

/// True for the rows of one of TimescaleDB's catalogs, of which no archive creates the table.
pub(super) fn is_catalog(table: &Relation, created: &BTreeSet<Relation>) -> bool {
    timescale::is_own(&table.schema) && !created.contains(table)
}

impl Hypertables {
    /// Reads the catalogs of an archive that has the extension.
    ///
    /// # Errors
    /// When their rows cannot be read.
    pub(super) fn read(dump: &Dump, created: &BTreeSet<Relation>) -> io::Result<Option<Self>> {
        let entries = dump.entries();
        if !entries.iter().any(|entry| entry.is("EXTENSION") && entry.tag == b"timescaledb") {
            return Ok(None);
        }
        let mut found = Self::default();
        SCHEMA.clone_into(&mut found.timescale.schema);
        for entry in entries.iter().filter(|entry| entry.has_data && entry.is("TABLE DATA")) {
            let Some(table) = entries::table(entry, 0).filter(|table| is_catalog(&table.relation, created))
            else {
                continue;
            };
            let columns: Vec<String> = names::list(&table.columns).collect();
            if !READ.contains(&table.relation.name.as_str()) {
                found.catalogs.insert(table.relation, columns);
                continue;
            }
            for line in BufReader::new(dump.rows(entry)?).split(b'\n') {
                let line = line?;
                let values = line.split(|byte| *byte == b'\t').map(value);
                let row = columns.iter().map(String::as_str).zip(values).collect();
                found.row(&table.relation.name, &Row(row));
            }
            found.catalogs.insert(table.relation, columns);
        }
        Ok(Some(found))
    }

    /// Takes a row of a catalog in. Which columns there are depends on the version (see [`timescale::Catalogs`]).
    fn row(&mut self, catalog: &str, row: &Row<'_>) {
        let Self { timescale, known, jobs, .. } = self;
        match catalog {
            "metadata" if row.get("key") == Some("timescaledb_version") => {
                row.get("value").unwrap_or_default().clone_into(&mut timescale.version);
            }
            "hypertable" => {
                let table = row.relation("schema_name", "table_name");
                known.extend(table.clone());
                timescale.hypertables.extend(table);
            }
            "continuous_agg" => {
                let view = row.relation("user_view_schema", "user_view_name");
                known.extend(view.clone());
                timescale.aggregates.extend(view);
            }
            "chunk" if row.get("dropped") != Some("t") => {
                let chunk = row.relation("schema_name", "table_name").or_else(|| row.of_oid("relid"));
                known.extend(chunk.clone());
                timescale.chunks.extend(chunk.filter(|chunk| chunk.schema != INTERNAL));
            }
            "compression_settings" => {
                let chunk = row.of_oid("compress_relid");
                known.extend(chunk.clone());
                timescale.chunks.extend(chunk.filter(|chunk| chunk.schema != INTERNAL));
            }
            "bgw_job" => jobs.extend(row.job()),
            _ => {}
        }
    }

    /// True where the archive has hypertables, aggregates or jobs of its own.
    pub(super) fn has_own(&self) -> bool {
        !self.timescale.hypertables.is_empty()
            || !self.timescale.aggregates.is_empty()
            || self.jobs.iter().any(|job| job.id >= FIRST_JOB)
    }

    /// What of it cannot be restored; `created` are tables and views that the archive creates.
    pub(super) fn blockers(&self, created: &BTreeSet<Relation>) -> Vec<Blocker> {
        if self.timescale.version.is_empty() {
            return vec![refused::no_version()];
        }
        let missing: Vec<&Relation> = self.known.difference(created).collect();
        if missing.is_empty() { Vec::new() } else { vec![refused::hypertables(&missing)] }
    }
}

/// A row of a catalog: its columns with their values.
struct Row<'a>(BTreeMap<&'a str, Option<String>>);

impl Row<'_> {
    fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    fn relation(&self, schema: &str, name: &str) -> Option<Relation> {
        Some(Relation::new(self.get(schema)?, self.get(name)?))
    }

    /// A relation that is named by its object id: `pg_dump` writes such names with their schema.
    fn of_oid(&self, column: &str) -> Option<Relation> {
        names::read(self.get(column)?).map(|(relation, _)| relation)
    }

    fn job(&self) -> Option<Job> {
        Some(Job {
            id: self.get("id")?.parse().ok()?,
            name: self.get("application_name")?.to_owned(),
            owner: jobs::unquoted(self.get("owner")?),
            scheduled: self.get("scheduled")? == "t",
        })
    }
}

/// A value as COPY writes it in text.
fn value(field: &[u8]) -> Option<String> {
    if field == br"\N" {
        return None;
    }
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        let escaped = if *byte == b'\\' { bytes.next() } else { None };
        out.push(match escaped {
            None => *byte,
            Some(b'b') => 8,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'v') => 11,
            Some(b'f') => 12,
            Some(b'r') => b'\r',
            Some(other) => *other,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// The catalogs of the target in the order they have to be filled, with what the archive has of each.
///
/// # Errors
/// When the target refuses a question.
pub(super) async fn catalogs(
    session: &Session,
    of_archive: &BTreeMap<Relation, Vec<String>>,
) -> Result<Vec<ConfigTable>, Error> {
    let tables = config::list(session, None).await?.into_iter();
    let with_columns = |table: ConfigTable| {
        let columns = of_archive.get(table.relation())?.clone();
        Some(table.of_archive(columns))
    };
    Ok(tables.filter_map(with_columns).collect())
}

/// Positions of columns of compressed rows, by table, where the archive's TimescaleDB writes batches of NULLs that no restore
/// reads.
///
/// # Errors
/// When the target refuses the question.
pub(super) async fn null_batches(
    session: &Session,
    timescale: Option<&Timescale>,
    tables: impl Iterator<Item = &Table>,
) -> Result<BTreeMap<Relation, Vec<usize>>, Error> {
    if !timescale.is_some_and(|timescale| timescale::writes_null_batches(&timescale.version)) {
        return Ok(BTreeMap::new());
    }
    let mut compressed = BTreeMap::<Relation, BTreeSet<String>>::new();
    for row in session.ask(COMPRESSED).await? {
        compressed.entry(row.relation(0)?).or_default().insert(row.text(2)?.to_owned());
    }
    let of_table = |table: &Table| {
        let columns = compressed.get(&table.relation)?;
        let positions = names::list(&table.columns).enumerate().filter(|(_, name)| columns.contains(name));
        Some((table.relation.clone(), positions.map(|(position, _)| position).collect()))
    };
    Ok(tables.filter_map(of_table).collect())
}

const COMPRESSED: &str = "
SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'timescaledb'
WHERE t.typname = 'compressed_data' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";

/// What an archive has of hypertables although it has not the extension: tables of chunks, and triggers of TimescaleDB's.
pub(super) fn without_extension(entries: &[Entry], created: &BTreeSet<Relation>) -> Option<Blocker> {
    if entries.iter().any(|entry| entry.is("EXTENSION") && entry.tag == b"timescaledb") {
        return None;
    }
    let chunks = created.iter().filter(|table| timescale::is_own(&table.schema)).map(ToString::to_string);
    let schemas = ["_timescaledb_functions", INTERNAL];
    let calls = |entry: &&Entry| {
        schemas.iter().any(|schema| memchr::memmem::find(&entry.definition, schema.as_bytes()).is_some())
    };
    let triggers = entries.iter().filter(|entry| entry.is("TRIGGER")).filter(calls);
    let triggers = triggers.map(|entry| format!("trigger {}", String::from_utf8_lossy(&entry.tag)));
    let found: Vec<String> = chunks.chain(triggers).collect();
    (!found.is_empty()).then(|| refused::no_extension(&found))
}

/// Tables and views that an archive creates.
pub(super) fn relations(entries: &[Entry]) -> BTreeSet<Relation> {
    let is_one = |entry: &&Entry| ["TABLE", "FOREIGN TABLE", "VIEW"].iter().any(|kind| entry.is(kind));
    entries.iter().filter(is_one).filter_map(entries::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogs_of_old_and_new_versions_name_what_timescaledb_keeps() {
        let mut found = Hypertables::default();
        let mut take = |catalog: &str, row: &[(&'static str, &str)]| {
            let row = row.iter().map(|(column, text)| (*column, value(text.as_bytes()))).collect();
            found.row(catalog, &Row(row));
        };
        take("metadata", &[("key", "exported_uuid"), ("value", "x")]);
        take("metadata", &[("key", "timescaledb_version"), ("value", "2.19.3")]);
        take("hypertable", &[("schema_name", "a\\tb"), ("table_name", "My \"T\"")]);
        take("continuous_agg", &[("user_view_schema", "s"), ("user_view_name", "daily")]);
        take("chunk", &[("schema_name", INTERNAL), ("table_name", "_hyper_1_1_chunk"), ("dropped", "f")]);
        take("chunk", &[("schema_name", INTERNAL), ("table_name", "_hyper_1_2_chunk"), ("dropped", "t")]);
        take("chunk", &[("relid", "\"Own\".\"c \"\"1\"")]);
        take("compression_settings", &[("relid", "s.t"), ("compress_relid", "\\N")]);
        take("compression_settings", &[("relid", "s.t"), ("compress_relid", "own.packed")]);
        take(
            "bgw_job",
            &[("id", "1000"), ("application_name", "x"), ("owner", "\"A b\""), ("scheduled", "t")],
        );
        let names = |all: &[Relation]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(found.timescale.version, "2.19.3");
        assert_eq!(found.timescale.hypertables, [Relation::new("a\tb", "My \"T\"")]);
        assert_eq!(names(&found.timescale.aggregates), "s.daily");
        assert_eq!(names(&found.timescale.chunks), "\"Own\".\"c \"\"1\" own.packed");
        assert_eq!(found.jobs[0].owner, "A b");
        let checks: Vec<_> = found.blockers(&BTreeSet::new()).iter().map(|blocker| blocker.check).collect();
        assert_eq!(checks, ["archive-hypertables"]);
        assert!(found.blockers(&found.known.clone()).is_empty());
        assert_eq!(Hypertables::default().blockers(&BTreeSet::new())[0].check, "archive-timescaledb-version");
    }
}
