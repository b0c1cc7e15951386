//! What others have created on the target, or written into it, while a run is not over: none of it may go together with what
//! the run created and has to drop or to empty.
//!
//! An object is the run's where the source has one of that name now, or had it when the run last read its schema. A row is
//! the run's where a transaction has written it that has left a mark of the run.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::RunContext;
use super::refusal::begin_anew;
use crate::connect::{Row, Session};
use crate::engine::marks::{Marks, SCHEMA};
use crate::error::Error;
use crate::guard::Plans;
use crate::human::{self, count, hex};
use crate::moving::Moving;
use crate::names::Relation;
use crate::quote::{literal, shell};
use crate::step::Step;

/// Told of each thing that is closed, in a line.
pub(super) type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// So many are named.
const SHOWN: usize = 5;

/// So many bytes of a hash tell objects apart.
const HASH: usize = 8;

/// Objects that can go with others, by their identity, and columns of tables. Not those of extensions and their parts, of TimescaleDB,
/// those of other sessions, and those that the server names by itself: they go and come with what they belong to.
const OBJECTS: &str = "
WITH found AS (
  SELECT DISTINCT d.classid, d.objid FROM pg_catalog.pg_depend d
  WHERE d.objid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i JOIN pg_catalog.pg_depend e ON e.classid = i.refclassid
    AND e.objid = i.refobjid AND e.deptype = 'e' WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid AND n.nspname ~ '^(pg_|_timescaledb_|_tsmigrate$)')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid AND (t.typrelid <> 0 OR t.typelem <> 0))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
    WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid AND (k.conparentid <> 0 AND k.contype = 'f' OR k.contype = 'n'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
    WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid
    AND (t.tgisinternal OR t.tgparentid <> 0 OR t.tgname = 'ts_insert_blocker')))
SELECT i.type || ' ' || i.identity FROM found f, LATERAL pg_catalog.pg_identify_object(f.classid, f.objid, 0) i
WHERE i.identity !~ '(^|for |on |in )(pg_temp|pg_toast|_timescaledb_|_tsmigrate)'
UNION SELECT pg_catalog.format('column %I.%I.%I', n.nspname, c.relname, a.attname)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
AND n.nspname !~ '^(pg_|_timescaledb_|_tsmigrate$)'";

/// Objects of a server.
pub(super) async fn objects(session: &Session) -> Result<BTreeSet<String>, Error> {
    session.ask_list(OBJECTS).await
}

/// The same as a run keeps them; by the names that they get on the target, where schemas move.
pub(super) async fn known(source: &Session, moving: Option<&Moving>) -> Result<BTreeSet<String>, Error> {
    let of = |object: &String| moving.map_or_else(|| hash(object), |moving| hash(&moving.identity(object)));
    Ok(objects(source).await?.iter().map(of).collect())
}

/// How the identity of an object is kept.
pub(super) fn hash(object: &str) -> String {
    hex(&Sha256::digest(object)[..HASH])
}

/// Objects that have gone and that the run does not know.
pub(super) fn unknown(
    before: &BTreeSet<String>,
    now: &BTreeSet<String>,
    known: &BTreeSet<String>,
) -> Vec<String> {
    before.difference(now).filter(|object| !known.contains(&hash(object))).cloned().collect()
}

/// Refuses where objects of the target have gone that the run does not know.
///
/// # Errors
/// With their names; what has dropped them has to be rolled back.
pub(super) async fn gone_with_ours(
    context: &RunContext,
    session: &Session,
    before: &BTreeSet<String>,
    known: &BTreeSet<String>,
) -> Result<(), Error> {
    let now = objects(session).await?;
    let theirs = unknown(before, &now, known);
    let theirs: Vec<&String> = theirs.iter().collect();
    if theirs.is_empty() {
        return Ok(());
    }
    Err(not_ours(
        context,
        &format!(
            "{} on the target would go together with what has changed on the source, and is not the run's: {}",
            human::first(&theirs, SHOWN),
            if theirs.len() == 1 { "somebody else created it" } else { "somebody else created them" }
        ),
        "keep it elsewhere and drop it, where nobody needs it there, then the same command again".to_owned(),
    ))
}

/// Refuses to touch what is not the run's.
pub(super) fn not_ours(context: &RunContext, what: &str, way: String) -> Error {
    Error::Refused { what: format!("--resume: {what}"), next: vec![way, begin_anew(context)] }
}

/// The table's object id, if it is a plain one.
fn plain(table: &Relation) -> String {
    format!(
        "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {} AND c.relkind = 'r'",
        literal(&table.schema),
        literal(&table.name)
    )
}

/// What drops, of the table `{oid}`, all that planning could evaluate: it is rolled back.
const EVALUATED: &str = "
SELECT CASE WHEN k.oid IS NULL THEN 'DROP INDEX IF EXISTS ' || i.root::pg_catalog.regclass
  ELSE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', k.conrelid::pg_catalog.regclass, k.conname) END
FROM (SELECT DISTINCT coalesce(pg_catalog.pg_partition_root(x.indexrelid)::pg_catalog.oid, x.indexrelid) AS root
  FROM pg_catalog.pg_index x WHERE x.indrelid = {oid} AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)) i
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.root AND k.contype IN ('p', 'u', 'x')
UNION ALL SELECT pg_catalog.format('DROP STATISTICS IF EXISTS %I.%I', n.nspname, s.stxname)
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxrelid = {oid} AND s.stxexprs IS NOT NULL";

/// Whose rows a table has.
pub(super) enum Rows {
    /// The run's, or none.
    Own,
    /// Nobody can tell: a query would run its owner's functions.
    Untold,
    /// Others have added so many, and so many of those that were copied are not there as they were.
    Others {
        /// Rows that the run did not write.
        added: u64,
        /// Rows that it wrote, and that are deleted or changed.
        missing: u64,
        /// Rows that it wrote.
        copied: u64,
    },
}

/// Whose rows a table has. The session is in a transaction, which keeps everybody from writing there until it ends.
///
/// # Errors
/// When the server refuses the question.
pub(super) async fn found(session: &Session, marks: &Marks, table: &Relation) -> Result<Rows, Error> {
    let Some(oid) = session.ask_one(&plain(table)).await? else { return Ok(Rows::Own) };
    let oid: u32 =
        oid.parse().map_err(|_| Error::Defect(format!("the object id of {table} is no number: {oid}")))?;
    let name = table.sql();
    session.run(&format!("LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE; SAVEPOINT looked")).await?;
    let calls = async || {
        Ok::<_, Error>(Plans::answer(&session.ask(&Plans::question(&[oid])).await?) == Plans::CallsUsers)
    };
    // With the lock nobody gives it more of that.
    if calls().await? {
        let drops: Vec<String> = session.ask_list(&EVALUATED.replace("{oid}", &oid.to_string())).await?;
        session.run(&drops.join("; ")).await?;
        if calls().await? {
            return Ok(Rows::Untold);
        }
    }
    let (copied, question) = counting(marks, table);
    let row = session.ask_row(&question).await?;
    session.run("ROLLBACK TO SAVEPOINT looked; RELEASE SAVEPOINT looked").await?;
    judged(copied, &row)
}

/// How many rows the marks say were copied, where there are some of the table; and the question how many there are, how many
/// without the table's own marks, how many without any, and whether it is a partition.
fn counting(marks: &Marks, table: &Relation) -> (Option<u64>, String) {
    let own: Vec<(Step, u64)> = marks
        .steps()
        .into_iter()
        .filter(|step| matches!(step, Step::Table(of) | Step::CopyRange(of, _, _) if of == table))
        .filter_map(|step| marks.done(&step).map(|rows| (step, rows)))
        .collect();
    // What comes through another table has its mark.
    let steps: Vec<String> = own.iter().map(|(step, _)| literal(&step.to_string())).collect();
    let of =
        if steps.is_empty() { String::new() } else { format!(" WHERE d.step IN ({})", steps.join(", ")) };
    let question = format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE t.xmin NOT IN (SELECT d.xmin FROM {SCHEMA}.done d{of})), \
           pg_catalog.count(*) FILTER (WHERE t.xmin NOT IN (SELECT d.xmin FROM {SCHEMA}.done d)), \
           (SELECT c.relispartition FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({})::pg_catalog.oid) \
         FROM ONLY {} t",
        literal(&table.sql()),
        table.sql()
    );
    let copied = (!own.is_empty()).then(|| own.iter().map(|(_, rows)| rows).sum());
    (copied, question)
}

/// Whose rows they are by the answer to [`counting`], where the marks say that `copied` were copied. Rows of a partition may have
/// gone through its root into another one than on the source: hashes of enums differ from server to server.
fn judged(copied: Option<u64>, row: &Row) -> Result<Rows, Error> {
    let (all, is_part) = (row.number::<u64>(0)?, row.flag(3)?);
    let added: u64 = row.number(if is_part { 2 } else { 1 })?;
    let copied = copied.filter(|_| !is_part);
    let missing = copied.map_or(0, |copied| copied.saturating_sub(all.saturating_sub(added)));
    Ok(if all == 0 || added == 0 && missing == 0 {
        Rows::Own
    } else {
        Rows::Others { added, missing, copied: copied.unwrap_or_default() }
    })
}

/// Whose rows some tables have, in one question; none where that cannot be told of one of them without more. The session is in a
/// transaction, as in [`found`].
///
/// # Errors
/// When the server refuses the question.
pub(super) async fn found_in(
    session: &Session,
    marks: &Marks,
    tables: &[Relation],
) -> Result<Option<Vec<Rows>>, Error> {
    let names: Vec<String> = tables.iter().map(Relation::sql).collect();
    session.run(&format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", names.join(", ONLY "))).await?;
    let oids: Vec<String> = names
        .iter()
        .map(|name| format!("pg_catalog.to_regclass({})::pg_catalog.oid", literal(name)))
        .collect();
    let asked = format!("SELECT o FROM pg_catalog.unnest(ARRAY[{}]) o", oids.join(", "));
    let oids: Vec<u32> =
        session.ask(&asked).await?.iter().map(|row| row.number(0)).collect::<Result<_, _>>()?;
    // With the locks nobody gives them more of that.
    if Plans::answer(&session.ask(&Plans::question(&oids)).await?) == Plans::CallsUsers {
        return Ok(None);
    }
    let (copied, questions): (Vec<Option<u64>>, Vec<String>) =
        tables.iter().map(|table| counting(marks, table)).unzip();
    let questions = questions.iter().enumerate();
    let questions: Vec<String> =
        questions.map(|(place, sql)| format!("SELECT q.*, {place} AS place FROM ({sql}) q")).collect();
    let rows = session.ask(&format!("{} ORDER BY place", questions.join(" UNION ALL "))).await?;
    copied.iter().zip(&rows).map(|(copied, row)| judged(*copied, row)).collect::<Result<_, Error>>().map(Some)
}

/// Refuses where a table that is about to be dropped or emptied has other rows than the run has copied into it. The session is
/// in a transaction, which keeps everybody from writing there until it ends.
///
/// # Errors
/// With their number.
pub(super) async fn rows(
    context: &RunContext,
    session: &Session,
    marks: &Marks,
    table: &Relation,
) -> Result<(), Error> {
    let what = match found(session, marks, table).await? {
        Rows::Own => return Ok(()),
        Rows::Untold => {
            format!(
                "whether all rows of {table} are the run's cannot be told: a query would run its owner's functions"
            )
        }
        Rows::Others { added, missing, copied } => format!(
            "somebody else has written to {table} on the target, whose rows are to be copied there: {} of it {} not copied by \
             the run, and {missing} of {copied} copied rows are deleted or changed",
            count(added, "row"),
            if added == 1 { "is" } else { "are" }
        ),
    };
    Err(not_ours(context, &what, emptied(table)))
}

/// A table and all that inherits from it, as its chunks do.
pub(super) async fn parts(session: &Session, table: &Relation) -> Result<Vec<Relation>, Error> {
    let sql = format!(
        "WITH RECURSIVE tree(oid) AS (SELECT pg_catalog.to_regclass({})::pg_catalog.oid \
         UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid) \
         SELECT n.nspname, c.relname FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
        literal(&table.sql())
    );
    session.ask(&sql).await?.iter().map(|row| row.relation(0)).collect()
}

/// The way on where somebody else's rows are not needed.
fn emptied(table: &Relation) -> String {
    format!(
        "keep elsewhere what is needed of it, and empty it: psql -X \"$TARGET\" -c {}; then the same command again",
        shell(&format!("TRUNCATE {}", table.sql()))
    )
}

/// Tables of the target with rows although none of them is copied yet: the copy would take them away, or put its own beside
/// them.
const FILLED: &str = "
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= 16384 AND pg_catalog.pg_relation_size(c.oid) > 0";

/// Refuses where one of `tables`, whose rows are still to be copied, has some of somebody else's.
///
/// # Errors
/// With their number.
pub(super) async fn before_rows(
    context: &RunContext,
    session: &Session,
    marks: &Marks,
    tables: &BTreeSet<Relation>,
) -> Result<(), Error> {
    let mut filled = Vec::new();
    for row in session.ask(FILLED).await? {
        filled.push(row.relation(0)?);
    }
    for table in filled.iter().filter(|table| tables.contains(table)) {
        session.run("BEGIN").await?;
        rows(context, session, marks, table).await?;
        session.run("COMMIT").await?;
    }
    Ok(())
}
