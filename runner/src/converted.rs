//! `--hypertable`: plain tables that become hypertables on the way; where hypertables of the source come too, at the end.
//!
//! The analyzer writes `create_hypertable` behind the table's CREATE TABLE and mends what hypertables refuse, or says why
//! it cannot. Here is what takes the source to know: whether table and column are there, whether rows fit, and which
//! partitions' rows go into the hypertable that takes a partitioned table's place.
//!
//! For the engine: rows of [`Conversions::target`] go by plain `COPY` into the table it names, never `ONLY` or with
//! `FREEZE`; partitions are not made, their rows go into their root. Constraints of a hypertable cannot be added through
//! an index that is there (HT-14), nor be validated apart.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::conversion::{Conversion, conversion};
use tsmigrate_analyzer::parse::{NodeEnum, Tokens, parse};
use tsmigrate_analyzer::split::{Kind, Splitter};

use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::guard::{self, Guard};
use crate::guarded;
use crate::inspect::Facts;
use crate::names::Relation;
use crate::quote::quoted;
use crate::quote::{identifier, literal};
use crate::script::{self, Statement};
use crate::tables::Table;

/// Tables that become hypertables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversions {
    /// By schema and name.
    wanted: BTreeMap<(String, String), Conversion>,
    /// Those of them that are partitioned.
    partitioned: BTreeSet<Relation>,
    /// Partitions of all levels, each with the table whose place the hypertable takes.
    partitions: BTreeMap<Relation, Relation>,
    /// TimescaleDB's catalogs come over too.
    is_late: bool,
}

impl Conversions {
    /// Reads the wishes (`schema.table:column[:interval]`) and looks at their tables.
    ///
    /// # Errors
    /// When the server refuses a question, or [`Error::Preflight`] with everything that stands in the way.
    pub async fn ask(
        session: &Session,
        source: &Facts,
        target: &Facts,
        wishes: &[String],
    ) -> Result<Self, Error> {
        let mut found = Self { is_late: source.timescale.is_some(), ..Self::default() };
        if wishes.is_empty() {
            return Ok(found);
        }
        let mut blockers: Vec<Blocker> = without_timescale(target).into_iter().collect();
        for wish in wishes {
            match conversion(wish) {
                Ok((table, conversion)) => {
                    blockers.extend(found.look(session, table, conversion).await?);
                }
                Err(why) => blockers.push(block(
                    format!("--hypertable {wish}: {why}"),
                    ["write it like --hypertable public.readings:time or --hypertable 'public.readings:time:1 day'"],
                )),
            }
        }
        if blockers.is_empty() { Ok(found) } else { Err(Error::Preflight(blockers)) }
    }

    /// What the analyzer has to know.
    #[must_use]
    pub fn wanted(&self) -> &BTreeMap<(String, String), Conversion> {
        &self.wanted
    }

    /// Whether the table becomes a hypertable.
    #[must_use]
    pub fn has(&self, table: &Relation) -> bool {
        !self.wanted.is_empty() && self.wanted.contains_key(&(table.schema.clone(), table.name.clone()))
    }

    /// The partitioned tables that become hypertables.
    pub fn partitioned(&self) -> impl Iterator<Item = &Relation> {
        self.partitioned.iter()
    }

    /// The hypertable that rows of this table of the source go into.
    #[must_use]
    pub fn target<'a>(&'a self, table: &'a Relation) -> Option<&'a Relation> {
        self.partitions.get(table).or_else(|| self.has(table).then_some(table))
    }

    /// Whether the table is a partition that the target will not have.
    #[must_use]
    pub fn is_partition(&self, table: &Relation) -> bool {
        self.partitions.contains_key(table)
    }

    /// Sends the rows of a table where they belong.
    pub fn direct(&self, table: &mut Table) {
        if let Some(target) = self.target(&table.relation) {
            table.into = target.clone();
            table.routed = true;
        }
    }

    /// The tables that have their rows before they become hypertables.
    #[must_use]
    pub fn late(&self) -> BTreeSet<Relation> {
        let names = self.wanted.keys().filter(|_| self.is_late);
        names.map(|(schema, name)| Relation::new(schema, name)).collect()
    }

    /// Takes the calls that make hypertables out of the statements before rows, where hypertables of the source come over: an
    /// id that such a call takes would be one of theirs, and in restoring mode no row finds its chunk. They move the rows
    /// that are there by then.
    ///
    /// # Errors
    /// When a call is not in the form that is known.
    pub fn take_late(&self, pre_data: &mut Vec<Statement>) -> Result<Vec<Statement>, Error> {
        if !self.is_late || self.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let is_call = |statement: &Statement| statement.sql.starts_with("SELECT public.create_hypertable(");
        let (mut calls, rest): (Vec<_>, _) = std::mem::take(pre_data).into_iter().partition(is_call);
        *pre_data = rest;
        for call in &mut calls {
            let Some(open) = call.sql.trim_end().strip_suffix(");") else {
                return Err(Error::Defect(format!("{} is not in the form that is known", call.sql)));
            };
            call.sql = format!("{open}, migrate_data => true);");
        }
        Ok(calls)
    }

    /// Partitions: the target will not have them.
    pub fn left_out(&self) -> impl Iterator<Item = &Relation> {
        self.partitions.keys()
    }

    /// Statements that give hypertables to their owners, taken from those that run when everything is loaded. That is too
    /// late: a hypertable with chunks cannot be given away, and one without can, and its chunks are its owner's then. What
    /// TimescaleDB does to chunks it does as their owner, who has to reach the schema: the second list takes that back, and
    /// comes before the privileges of the source.
    #[must_use]
    pub fn owners(
        &self,
        access: &[(&'static str, Statement)],
        admin: &str,
    ) -> (Vec<Statement>, Vec<(&'static str, Statement)>) {
        let (mut give, mut take_back) = (Vec::new(), Vec::new());
        if self.wanted.is_empty() {
            return (give, take_back);
        }
        let with_schema: BTreeSet<_> =
            access.iter().filter_map(|(_, statement)| script::new_owner_of_schema(&statement.sql)).collect();
        for (part, statement) in access {
            let Some((table, owner)) = script::new_owner(&statement.sql).filter(|(table, _)| self.has(table))
            else {
                continue;
            };
            let (schema, role) = (identifier(&table.schema), identifier(&owner));
            let at = |sql: &str| script::statement(sql, statement.line, statement.column, true);
            give.push(at(&format!("GRANT {role} TO {};", identifier(admin))));
            give.push(at(&format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};")));
            give.push(statement.clone());
            // It would be the owner's own.
            if !with_schema.contains(&(table.schema, owner)) {
                take_back.push((*part, at(&format!("REVOKE USAGE, CREATE ON SCHEMA {schema} FROM {role};"))));
            }
        }
        (give, take_back)
    }

    /// Arguments for a `pg_dump` of the schema: partitions stay behind.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let argument = |table: &Relation| format!("--exclude-table={}", table.sql());
        self.partitions.keys().map(argument).collect()
    }

    /// A dump without the PARTITION BY of tables that become hypertables.
    ///
    /// # Errors
    /// When such a table's statement is not in the form that is known.
    pub fn flatten(&self, dump: Vec<u8>) -> Result<Vec<u8>, Error> {
        if self.partitioned.is_empty() {
            return Ok(dump);
        }
        let mut out = Vec::with_capacity(dump.len());
        let mut unknown = None;
        let mut sink = |piece: tsmigrate_analyzer::split::Piece<'_>| {
            let sql = std::str::from_utf8(piece.text).ok().filter(|_| piece.kind == Kind::Statement);
            let table = sql.and_then(|sql| self.partitioned_by(sql, piece.standard_strings));
            match sql.zip(table) {
                Some((sql, table)) => match without_partitions(sql, piece.standard_strings) {
                    Some(plain) => out.extend_from_slice(plain.as_bytes()),
                    None => unknown = Some(table),
                },
                None => out.extend_from_slice(piece.text),
            }
        };
        let mut splitter = Splitter::new();
        splitter.feed(&dump, &mut sink);
        splitter.finish(&mut sink);
        match unknown {
            None => Ok(out),
            Some(table) => {
                Err(Error::Defect(format!("PARTITION BY of {table} is not in the form that is known")))
            }
        }
    }

    /// The table of ours that a statement makes with PARTITION BY.
    fn partitioned_by(&self, sql: &str, standard_strings: bool) -> Option<Relation> {
        if !sql.starts_with("CREATE ") {
            return None;
        }
        let parsed = parse(sql, standard_strings).ok().flatten()?;
        let NodeEnum::CreateStmt(create) = parsed.node() else { return None };
        let range = create.relation.as_ref().filter(|_| create.partspec.is_some())?;
        Some(Relation::new(&range.schemaname, &range.relname))
            .filter(|table| self.partitioned.contains(table))
    }

    /// What it means, for a plan.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |((schema, name), conversion): (&(String, String), &Conversion)| {
            let table = Relation::new(schema, name);
            let count = self.partitions.values().filter(|root| **root == table).count();
            let of = if self.partitioned.contains(&table) {
                format!(
                    "; it takes the rows of its {count} partitions, whose own indexes, triggers, privileges and comments stay behind"
                )
            } else {
                String::new()
            };
            let late =
                if self.is_late { "; its rows move into chunks when all rows have arrived" } else { "" };
            format!("{table} becomes a hypertable by {}{of}{late}", quoted(&conversion.column))
        };
        self.wanted.iter().map(line).collect()
    }

    async fn look(
        &mut self,
        session: &Session,
        (schema, name): (String, String),
        conversion: Conversion,
    ) -> Result<Option<Blocker>, Error> {
        let table = Relation::new(&schema, &name);
        let regclass = literal(&table.sql());
        let row = session
            .ask(&format!(
                "SELECT c.relkind, c.relispartition, a.attname IS NOT NULL, coalesce(a.attnotnull, false), \
                 (SELECT pg_catalog.string_agg(attname, ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute t \
                  WHERE t.attrelid = c.oid AND attnum > 0 AND NOT attisdropped), c.oid \
                 FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
                 AND a.attname = {} AND a.attnum > 0 AND NOT a.attisdropped \
                 WHERE c.oid = pg_catalog.to_regclass({regclass})",
                literal(&conversion.column)
            ))
            .await?;
        let option = format!("--hypertable {table}");
        let names = "names are written as in SQL, with double quotes where they need them";
        let Some(row) = row.first() else {
            return Ok(Some(block(format!("{option}: the source has no such table"), [names])));
        };
        let kind = row.text(0)?;
        if !matches!(kind, "r" | "p") {
            return Ok(Some(block(format!("{option}: it is no table"), [names])));
        }
        if row.flag(1)? {
            return Ok(Some(block(
                format!("{option}: it is a partition of another table"),
                ["name the partitioned table: its hypertable takes the rows of all partitions"],
            )));
        }
        if !row.flag(2)? {
            let what = format!("{option}: it has no column {}", identifier(&conversion.column));
            return Ok(Some(block(
                what,
                [format!("its columns are {}", row.optional(4)?.unwrap_or_default())],
            )));
        }
        if kind == "p"
            && let Some(blocker) = self.partitions(session, &table, &regclass, &option).await?
        {
            return Ok(Some(blocker));
        }
        let column = identifier(&conversion.column);
        if !row.flag(3)? {
            let guard = Guard {
                from: table.sql(),
                oid: row.number(5)?,
                columns: vec![(conversion.column.clone(), 0)],
                alone: false,
            };
            if has_null(session, &guard, &column).await? {
                let sql = table.sql();
                return Ok(Some(block(
                    format!(
                        "{option}: rows have NULL in {column}, and a hypertable has a time for every row"
                    ),
                    [
                        format!("give them one, or leave them out: DELETE FROM {sql} WHERE {column} IS NULL"),
                        format!("then: ALTER TABLE {sql} ALTER COLUMN {column} SET NOT NULL"),
                    ],
                )));
            }
        }
        self.wanted.insert((schema, name), conversion);
        Ok(None)
    }

    async fn partitions(
        &mut self,
        session: &Session,
        table: &Relation,
        regclass: &str,
        option: &str,
    ) -> Result<Option<Blocker>, Error> {
        let rows = session
            .ask(&format!(
                "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_partition_tree({regclass}) t \
                 JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE t.level > 0"
            ))
            .await?;
        for row in rows {
            let partition = row.relation(0)?;
            if row.text(2)? == "f" {
                return Ok(Some(block(
                    format!(
                        "{option}: its partition {partition} is a foreign table, whose rows are elsewhere"
                    ),
                    [format!(
                        "detach it first: ALTER TABLE {} DETACH PARTITION {}",
                        table.sql(),
                        partition.sql()
                    )],
                )));
            }
            self.partitions.insert(partition, table.clone());
        }
        self.partitioned.insert(table.clone());
        Ok(None)
    }
}

/// Whether a column has a NULL. Where planning the question would call functions of users as us, or users would wait too long
/// for the answer, nobody is told: then the target refuses such a row.
async fn has_null(session: &Session, guard: &Guard, column: &str) -> Result<bool, Error> {
    let question = format!("SELECT FROM {} WHERE {column} IS NULL LIMIT 1", guard.from);
    match guarded::ask(session, std::slice::from_ref(guard), "30s", &question).await? {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(answer) if [guard::FOLDED, "57014"].contains(&answer.code.as_str()) => Ok(false),
        Err(answer) => {
            let (side, sql) = (session.side().name(), question);
            Err(Error::Query { side, sql, answer: Box::new(answer) })
        }
    }
}

fn block<T: Into<String>>(what: String, next: impl IntoIterator<Item = T>) -> Blocker {
    Blocker { check: "hypertable", what, next: next.into_iter().map(Into::into).collect() }
}

fn without_timescale(target: &Facts) -> Option<Blocker> {
    if target.timescale.is_none() {
        let next = if target.creatable.contains("timescaledb") {
            "create it there: CREATE EXTENSION timescaledb"
        } else {
            "choose a service of the type \"time-series and analytics\""
        };
        return Some(block(
            "--hypertable needs TimescaleDB, which the target does not have".to_owned(),
            [next],
        ));
    }
    None
}

/// `CREATE TABLE … (…) PARTITION BY …` without the last clause, proved by parsing it again.
fn without_partitions(sql: &str, standard_strings: bool) -> Option<String> {
    let tokens = Tokens::scan(sql);
    let outer: Vec<_> = tokens.iter().filter(|token| token.depth == 0).collect();
    let at = outer.windows(2).position(
        |pair| matches!(pair, [one, two] if one.is_word(sql, "partition") && two.is_word(sql, "by")),
    )?;
    let start = outer.get(at)?.start;
    let close = outer.get(at + 2..)?.iter().find(|token| token.text(sql) == ")")?;
    let plain = format!("{}{}", sql.get(..start)?.trim_end(), sql.get(close.end..)?);
    let before = parse(sql, standard_strings).ok().flatten()?;
    let after = parse(&plain, standard_strings).ok().flatten()?;
    let (NodeEnum::CreateStmt(before), NodeEnum::CreateStmt(after)) = (before.node(), after.node()) else {
        return None;
    };
    // Locations aside, nothing but the clause may have changed; they stand before it and so are the same.
    let mut before = before.clone();
    before.partspec = None;
    (before == *after).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversions() -> Conversions {
        let root = Relation::new("iot", "p");
        Conversions {
            wanted: [(
                ("iot".to_owned(), "p".to_owned()),
                Conversion { column: "ts".into(), interval: None },
            )]
            .into(),
            partitioned: [root.clone()].into(),
            partitions: [(Relation::new("iot", "p_1"), root)].into(),
            is_late: false,
        }
    }

    #[test]
    fn a_partitioned_table_loses_its_partitions_and_nothing_else() {
        let dump = "-- head\nCREATE TABLE \"iot\".\"p\" (\n    \"a\" text DEFAULT 'PARTITION BY x (y)',\n    \"ts\" date\n)\n\
                    PARTITION BY RANGE (\"ts\", ((1 + (2))));\n\nCREATE TABLE \"iot\".\"q\" (\"ts\" date)\nPARTITION BY RANGE (\"ts\");\n";
        let flat = conversions().flatten(dump.as_bytes().to_vec()).expect("it is known");
        let flat = String::from_utf8(flat).expect("text");
        assert_eq!(flat, dump.replace("\nPARTITION BY RANGE (\"ts\", ((1 + (2))))", ""));
    }

    #[test]
    fn rows_of_a_partition_go_into_the_hypertable() {
        let found = conversions();
        let (root, partition) = (Relation::new("iot", "p"), Relation::new("iot", "p_1"));
        assert_eq!(found.target(&partition), Some(&root));
        assert_eq!(found.target(&root), Some(&root));
        assert_eq!(found.target(&Relation::new("iot", "q")), None);
        assert_eq!(found.arguments(), ["--exclude-table=\"iot\".\"p_1\""]);
    }
}
