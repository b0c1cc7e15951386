//! What somebody has dropped or renamed on the source while a run reads it.
//!
//! Rows are those of the snapshot, and so is the dump. But what prints names and definitions sees the server as it is now:
//! what is gone since cannot be compared, and the target has it as the dump had it. Tables are locked; everything else,
//! views and functions first, can be dropped at any time.

use std::collections::BTreeMap;

use super::identity::{self, Place};
use super::measured::Reading;
use super::reading::Reader;
use super::result::{Difference, Verification};
use super::sessions::attempt;
use super::work::Work;
use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;

/// Catalogs of objects with names, with the columns of name and schema.
const IN_SCHEMAS: [(&str, &str, &str); 12] = [
    ("pg_class", "relname", "relnamespace"),
    ("pg_proc", "proname", "pronamespace"),
    ("pg_type", "typname", "typnamespace"),
    ("pg_operator", "oprname", "oprnamespace"),
    ("pg_collation", "collname", "collnamespace"),
    ("pg_conversion", "conname", "connamespace"),
    ("pg_opclass", "opcname", "opcnamespace"),
    ("pg_opfamily", "opfname", "opfnamespace"),
    ("pg_ts_config", "cfgname", "cfgnamespace"),
    ("pg_ts_dict", "dictname", "dictnamespace"),
    ("pg_ts_parser", "prsname", "prsnamespace"),
    ("pg_statistic_ext", "stxname", "stxnamespace"),
];

/// Parts of relations that can be dropped without a lock of the tables: those of views. The place of one is its relation.
const OF_RELATIONS: [(&str, &str); 2] = [("pg_trigger", "tgrelid"), ("pg_rewrite", "ev_class")];

const ELSEWHERE: [(&str, &str); 7] = [
    ("pg_namespace", "nspname"),
    ("pg_extension", "extname"),
    ("pg_foreign_data_wrapper", "fdwname"),
    ("pg_foreign_server", "srvname"),
    ("pg_language", "lanname"),
    ("pg_event_trigger", "evtname"),
    ("pg_publication", "pubname"),
];

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// It is gone.
    Dropped,
    /// A trigger or a rule of it is gone.
    PartDropped,
    /// It has another name now: this.
    Renamed(String),
    /// This is its name now, and the other one was.
    Was(String),
}

impl Change {
    fn words(&self) -> String {
        match self {
            Self::Dropped => "was dropped".to_owned(),
            Self::PartDropped => "has lost a trigger or a rule".to_owned(),
            Self::Renamed(now) => format!("has another name now, {now}"),
            Self::Was(then) => format!("had another name, {then}"),
        }
    }
}

type Changes = BTreeMap<Relation, Change>;

fn shown(place: &Relation) -> String {
    if place.schema.is_empty() { crate::quote::quoted(&place.name) } else { place.to_string() }
}

/// Takes differences that follow from what the source has dropped or renamed since for what they are, and names each
/// such object.
///
/// # Errors
/// When the session is lost.
pub(super) async fn explain(session: &Session, verification: &mut Verification) -> Result<(), Error> {
    if !verification.differences.iter().any(may_follow) {
        return Ok(());
    }
    let changes = changes(session).await?;
    let (explained, left): (Vec<_>, Vec<_>) = std::mem::take(&mut verification.differences)
        .into_iter()
        .partition(|difference| may_follow(difference) && changes.contains_key(&place(difference)));
    verification.differences = left;
    let mut told = Changes::new();
    for difference in explained {
        let place = place(&difference);
        let Some(change) = changes.get(&place) else { continue };
        let reason = format!("on the source, since the plan was made, it {}", change.words());
        verification.announced.push(Difference { reason: Some(reason), ..difference });
        told.insert(place, change.clone());
    }
    let once = told.iter().filter(|(_, change)| !matches!(change, Change::Was(_)));
    verification.notes.extend(once.map(|(place, change)| {
        format!(
            "the source's schema has changed since the plan was made: {} {}; the target has it as it was, not compared",
            shown(place),
            change.words()
        )
    }));
    Ok(())
}

/// One server has it and the other does not: so it is with what was dropped or renamed.
fn may_follow(difference: &Difference) -> bool {
    let rows = ["rows", "content"].iter().any(|kind| difference.kind.ends_with(kind));
    !rows
        && (difference.expected.is_none()
            || difference.found.is_none()
            || difference.kind == "sequence value")
}

/// The object that a difference is about; one that is in no schema has an empty one here.
fn place(difference: &Difference) -> Relation {
    match identity::place(&difference.kind, &difference.object) {
        Place::Schema(relation) => relation,
        Place::Database(name) => Relation::new("", &name),
    }
}

/// Why a relation that was listed cannot be read any more, where somebody has dropped it since, or renamed one that nobody
/// locks: a table by another name is a difference.
///
/// # Errors
/// When the server does not say.
pub(super) async fn relation(
    source: &Reader<'_>,
    work: &Work,
    wanted: &Reading,
) -> Result<Option<String>, Error> {
    let Reading::Refused { code, .. } = wanted else { return Ok(None) };
    // No such name or schema, another kind of thing, or what functions that print say.
    if !["42P01", "3F000", "42809", "XX000"].contains(&code.as_str()) {
        return Ok(None);
    }
    let question = format!(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = {}",
        work.source.guard.oid
    );
    let rows = source.watch.ask(&question).await?;
    let now = rows.first().map(|row| row.relation(0)).transpose()?;
    Ok(match now {
        None => Some("it is gone on the source, dropped since they were listed".to_owned()),
        Some(now) if work.derived && now != work.relation => {
            Some(format!("the source has renamed it since they were listed: {now}"))
        }
        Some(_) => None,
    })
}

/// What the snapshot shows and the server does not have any more by this name.
async fn changes(session: &Session) -> Result<Changes, Error> {
    let of_schemas = IN_SCHEMAS.iter().map(|(catalog, name, schema)| {
        format!(
            "SELECT n.nspname, o.{name}, i.type, i.identity, false FROM pg_catalog.{catalog} o \
             JOIN pg_catalog.pg_namespace n ON n.oid = o.{schema}, \
             LATERAL pg_catalog.pg_identify_object(o.tableoid, o.oid, 0) i WHERE o.oid >= 16384"
        )
    });
    let of_relations = OF_RELATIONS.iter().map(|(catalog, relation)| {
        format!(
            "SELECT n.nspname, c.relname, i.type, i.identity, true FROM pg_catalog.{catalog} o \
             JOIN pg_catalog.pg_class c ON c.oid = o.{relation} JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, \
             LATERAL pg_catalog.pg_identify_object(o.tableoid, o.oid, 0) i WHERE o.oid >= 16384"
        )
    });
    let elsewhere = ELSEWHERE.iter().map(|(catalog, name)| {
        format!(
            "SELECT '', o.{name}, i.type, i.identity, false FROM pg_catalog.{catalog} o, \
             LATERAL pg_catalog.pg_identify_object(o.tableoid, o.oid, 0) i WHERE o.oid >= 16384"
        )
    });
    let all: Vec<String> = of_schemas.chain(of_relations).chain(elsewhere).collect();
    let mut changes = Changes::new();
    let Ok(rows) = attempt(session, &all.join(" UNION ALL ")).await? else { return Ok(changes) };
    for row in rows {
        let then = Relation::new(row.text(0)?, row.text(1)?);
        let Some(identity) = row.optional(3)? else {
            // Where all of it is gone, that is what is told.
            if row.flag(4)? {
                changes.entry(then).or_insert(Change::PartDropped);
            } else {
                changes.insert(then, Change::Dropped);
            }
            continue;
        };
        let now = match identity::place(row.optional(2)?.unwrap_or_default(), identity) {
            Place::Schema(relation) => relation,
            Place::Database(name) => Relation::new("", &name),
        };
        // An array's type, and what else has no name of its own, is not known by one.
        if now != then && !identity.ends_with("[]") {
            changes.insert(now.clone(), Change::Was(shown(&then)));
            changes.insert(then, Change::Renamed(shown(&now)));
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(kind: &str, object: &str, expected: Option<&str>, found: Option<&str>) -> Difference {
        let [expected, found] = [expected, found].map(|text| text.map(str::to_owned));
        Difference { kind: kind.into(), object: object.into(), expected, found, ..Difference::default() }
    }

    #[test]
    fn rows_and_what_both_have_are_never_explained_by_a_change_of_the_schema() {
        assert!(may_follow(&difference("view", "public.v", None, Some(""))));
        assert!(may_follow(&difference("view", "public.w", Some(""), None)));
        assert!(!may_follow(&difference("rows", "public.t", Some("1 rows"), None)));
        assert!(!may_follow(&difference("view definition", "public.v", Some("a"), Some("b"))));
    }

    #[test]
    fn parts_of_an_object_are_known_by_it() {
        for (kind, object) in
            [("view", "public.v"), ("comment", "on view public.v"), ("trigger", "t on public.v")]
        {
            assert_eq!(
                place(&difference(kind, object, None, Some(""))),
                Relation::new("public", "v"),
                "{object}"
            );
        }
        assert_eq!(place(&difference("schema", "s", None, Some(""))), Relation::new("", "s"));
    }
}
