//! Materialized views: filled as their owners, so that they hold what those may see, as on the source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::connect::{Connector, Session};
use crate::engine::builds::Build;
use crate::engine::retry;
use crate::error::Error;
use crate::migrate::Context;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::names::Relation;
use crate::progress::TaskKind;
use crate::quote::literal;
use crate::results::Missing;

/// What both questions begin with: which view reads which relation, by itself.
const READS: &str = "
WITH RECURSIVE reads(view, relation) AS (
  SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class),";

/// Which materialized view reads which, through any number of others.
const OTHERS: &str = "
all_reads(view, relation) AS (
  SELECT view, relation FROM reads UNION SELECT a.view, r.relation FROM all_reads a JOIN reads r ON r.view = a.relation)
SELECT n.nspname, c.relname, m.nspname, b.relname FROM all_reads a
JOIN pg_catalog.pg_class c ON c.oid = a.view AND c.relkind = 'm' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class b ON b.oid = a.relation AND b.relkind = 'm' JOIN pg_catalog.pg_namespace m ON m.oid = b.relnamespace";

/// Tables with row security that a materialized view read past all policies: its owner, or that of a view between them, is a
/// superuser or has BYPASSRLS there. A view with `security_invoker` reads as who asks.
const PAST_POLICIES: &str = "
past(view) AS ({past}),
through(view, at, is_past) AS (
  SELECT m.oid, m.oid, EXISTS (SELECT FROM past p WHERE p.view = m.oid) FROM pg_catalog.pg_class m WHERE m.relkind = 'm'
  UNION
  SELECT t.view, v.oid, CASE WHEN pg_catalog.array_to_string(v.reloptions, ',') ~ 'security_invoker=(true|on|yes|1)'
    THEN t.is_past ELSE EXISTS (SELECT FROM past p WHERE p.view = v.oid) END
  FROM through t JOIN reads r ON r.view = t.at JOIN pg_catalog.pg_class v ON v.oid = r.relation AND v.relkind = 'v')
SELECT n.nspname, m.relname, tn.nspname, c.relname FROM through t
JOIN pg_catalog.pg_class m ON m.oid = t.view JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
JOIN reads r ON r.view = t.at
JOIN pg_catalog.pg_class c ON c.oid = r.relation AND c.relkind IN ('r', 'p') AND c.relrowsecurity
JOIN pg_catalog.pg_namespace tn ON tn.oid = c.relnamespace
GROUP BY 1, 2, 3, 4 HAVING pg_catalog.bool_and(t.is_past)";

/// Views of a server whose owners read past policies there.
const OF_ROLES: &str =
    "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
  WHERE c.relkind IN ('m', 'v') AND (o.rolsuper OR o.rolbypassrls)";

/// Where it is known what views have read.
pub(in crate::migrate) enum Readers<'a> {
    /// On the source.
    Source(&'a Connector),
    /// Nowhere but in a dump: these views' owners read past policies.
    Dump(&'a BTreeSet<Relation>),
}

/// Views whose owners read past policies on the source, by the names that they have on the target; none where no schema moves,
/// and the source can be asked about its own names.
pub(in crate::migrate) async fn past_policies(
    context: &Context,
) -> Result<Option<BTreeSet<Relation>>, Error> {
    let Some(moving) = context.moving() else { return Ok(None) };
    let question = format!(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN ({OF_ROLES})"
    );
    let views = context.source.open().await?.ask(&question).await?;
    views.iter().map(|row| Ok(moving.relation(&row.relation(0)?))).collect::<Result<_, Error>>().map(Some)
}

impl Readers<'_> {
    /// The question after tables that views read past all policies.
    fn past_policies(&self) -> String {
        let past = match self {
            Self::Source(_) => OF_ROLES.to_owned(),
            Self::Dump(views) => {
                let names = views.iter().map(|view| {
                    format!("(pg_catalog.to_regclass({})::pg_catalog.oid)", literal(&view.sql()))
                });
                let names = names.chain(["(NULL::pg_catalog.oid)".to_owned()]).collect::<Vec<_>>();
                format!("VALUES {}", names.join(", "))
            }
        };
        PAST_POLICIES.replace("{past}", &past)
    }
}

/// What a materialized view reads as a superuser alone: the view, the relation, its schema's name and the role in SQL, and
/// whether the role has a privilege of its own on each of the two.
const AS_SUPERUSER: &str = "
through(view, at, reader) AS (
  SELECT m.oid, m.oid, m.relowner FROM pg_catalog.pg_class m WHERE m.relkind = 'm'
  UNION
  SELECT t.view, v.oid, CASE WHEN pg_catalog.array_to_string(v.reloptions, ',') ~ 'security_invoker=(true|on|yes|1)'
    THEN t.reader ELSE v.relowner END
  FROM through t JOIN reads r ON r.view = t.at JOIN pg_catalog.pg_class v ON v.oid = r.relation AND v.relkind = 'v')
SELECT DISTINCT n.nspname, m.relname, tn.nspname, c.relname, pg_catalog.quote_ident(tn.nspname), pg_catalog.quote_ident(o.rolname),
  c.relowner = t.reader OR EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) a
    WHERE a.privilege_type = 'SELECT' AND a.grantee IN (0, t.reader)),
  tn.nspowner = t.reader OR EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(tn.nspacl, pg_catalog.acldefault('n', tn.nspowner))) a
    WHERE a.privilege_type = 'USAGE' AND a.grantee IN (0, t.reader))
FROM through t
JOIN pg_catalog.pg_class m ON m.oid = t.view JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = t.reader AND o.rolsuper AND o.oid >= 16384
JOIN reads r ON r.view = t.at
JOIN pg_catalog.pg_class c ON c.oid = r.relation AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace tn ON tn.oid = c.relnamespace";

/// For each materialized view the statements that lend its readers what they had as superusers, and those that take it back.
async fn lent(server: &Session) -> Result<BTreeMap<Relation, (Vec<String>, Vec<String>)>, Error> {
    let mut all = BTreeMap::<Relation, (Vec<String>, Vec<String>)>::new();
    for row in server.ask(&format!("{READS}{AS_SUPERUSER}")).await? {
        let (table, schema, role) = (row.relation(2)?.sql(), row.text(4)?, row.text(5)?);
        let (give, take) = all.entry(row.relation(0)?).or_default();
        let mut lend = |what: String| {
            let (given, taken) = (format!("GRANT {what} TO {role}"), format!("REVOKE {what} FROM {role}"));
            if !give.contains(&given) {
                give.push(given);
                take.push(taken);
            }
        };
        if !row.flag(6)? {
            lend(format!("SELECT ON {table}"));
        }
        if !row.flag(7)? {
            lend(format!("USAGE ON SCHEMA {schema}"));
        }
    }
    Ok(all)
}

/// Fills them, level by level. One that cannot be filled exists, and can be filled once what it lacks is put right.
/// `styles` are the statements that each transaction begins with.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    views: Vec<Build>,
    styles: &[String],
    readers: Readers<'_>,
) -> Result<StageResult, Error> {
    if views.is_empty() {
        return Ok(StageResult::default());
    }
    let engine = &run.engine;
    let count = views.len();
    let failed = Arc::new(Mutex::new(Vec::new()));
    let session = match readers {
        Readers::Source(source) => source.open().await?,
        Readers::Dump(_) => run.target().await?,
    };
    let (reads, past) = (pairs(&session, OTHERS).await?, pairs(&session, &readers.past_policies()).await?);
    // A dump tells no superusers: the target's views are nobody's who was one.
    let lent = lent(&session).await?;
    let views = views
        .into_iter()
        .map(|mut view| {
            let tables = past.get(&view.relation).into_iter().flatten();
            let switch = |what: &str| {
                let sql = |table| format!("ALTER TABLE {table} {what} ROW LEVEL SECURITY");
                tables.clone().map(sql).collect::<Vec<_>>()
            };
            // Nobody else sees it: the switches and the privileges are in the view's own transaction.
            let (give, take) = lent.get(&view.relation).cloned().unwrap_or_default();
            let before =
                ["SET LOCAL row_security = on".to_owned()].into_iter().chain(switch("DISABLE")).chain(give);
            let after: Vec<String> = switch("ENABLE").into_iter().chain(take).collect();
            view.sql.splice(0..0, styles.iter().cloned().chain(before));
            view.sql.extend(after);
            view
        })
        .collect();
    let alone: BTreeSet<Relation> = past.keys().chain(lent.keys()).cloned().collect();
    for level in levels(views, &reads, &alone) {
        let failed = failed.clone();
        engine
            .build(TaskKind::Refresh, level, move |view, error| {
                if retry::transient(&error) {
                    return Err(error);
                }
                let why = error.answer().map_or_else(|| error.to_string(), ToString::to_string);
                let what = format!("rows of the materialized view {}", view.name);
                let missing = Missing { what, why, sql: Some(view.statement.sql.clone()) };
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(missing);
                Ok(())
            })
            .await?;
    }
    let missing = std::mem::take(&mut *failed.lock().unwrap_or_else(PoisonError::into_inner));
    let empty = if missing.is_empty() { String::new() } else { format!(", {} could not be", missing.len()) };
    Ok(StageResult {
        missing,
        built: engine.take_built(),
        ..StageResult::done(format!("{count} materialized views{empty}"))
    })
}

type Reads = BTreeMap<Relation, BTreeSet<Relation>>;

async fn pairs(server: &Session, question: &str) -> Result<Reads, Error> {
    let mut reads = Reads::new();
    for row in server.ask(&format!("{READS}{question}")).await? {
        reads.entry(row.relation(0)?).or_default().insert(row.relation(2)?);
    }
    Ok(reads)
}

/// Materialized views by what they read: those of one level can be filled side by side. Those `alone`, whose
/// transactions lock tables or change privileges, come one by one.
fn levels(views: Vec<Build>, reads: &Reads, alone: &BTreeSet<Relation>) -> Vec<Vec<Build>> {
    let mut levels = Vec::new();
    let mut left = views;
    while !left.is_empty() {
        let names: BTreeSet<Relation> = left.iter().map(|view| view.relation.clone()).collect();
        let free = |view: &Build| reads.get(&view.relation).is_none_or(|reads| reads.is_disjoint(&names));
        let (next, rest): (Vec<Build>, Vec<Build>) = left.into_iter().partition(free);
        if next.is_empty() {
            levels.extend(rest.into_iter().map(|view| vec![view]));
            break;
        }
        let (one_by_one, together): (Vec<Build>, Vec<Build>) =
            next.into_iter().partition(|view| alone.contains(&view.relation));
        levels.extend(std::iter::once(together).filter(|level| !level.is_empty()));
        levels.extend(one_by_one.into_iter().map(|view| vec![view]));
        left = rest;
    }
    levels
}
