//! Ownership of hypertables and continuous aggregates, with all that TimescaleDB keeps for them: chunks, tables of compressed
//! rows and of materialized ones, views.
//!
//! A new owner needs CREATE on the schema of what it gets, and on the schema of chunks nobody but the administrator has it.
//! So each of them goes into a schema of ours, where the owner has it, changes its owner there, and goes back. One
//! transaction does this for a batch, and makes and drops the schema too: whatever ends it, nobody has seen the schema, and
//! everything is where it was. In restoring mode TimescaleDB looks away; after it, it hands over no hypertable without its
//! chunks, and refuses those. Hypertables and aggregates themselves come last, so that none has an owner who may not work
//! on its chunks.

use std::collections::{BTreeMap, BTreeSet};

use super::scripts::AccessStatement;
use crate::capacity;
use crate::connect::Session;
use crate::engine::builds::ForeignKeys;
use crate::engine::retry::transient;
use crate::error::Error;
use crate::inspect::Timescale;
use crate::names::Relation;
use crate::quote::{identifier, quoted};
use crate::results::Missing;
use crate::script::{self, Statement};
use crate::timescale::INTERNAL;

/// The schema that everything passes through; where the target has one of this name, a number follows it.
const SCHEMA: &str = "_tsmigrate_owners";

/// As many are moved in one transaction at most.
const BATCH: u64 = 200;

/// Locks of one: its own, its TOAST table's and that one's index, its own indexes, and room for those of others.
const LOCKS: u64 = 16;

/// What TimescaleDB has to do with a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A hypertable or a continuous aggregate: the word for it.
    Root(&'static str),
    /// What it keeps for one.
    Inner,
}

/// Owners of hypertables and aggregates by what they own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Handover {
    /// The source has TimescaleDB.
    has_parts: bool,
    parts: BTreeMap<Relation, Part>,
    /// Those whose privileges wait until restoring mode has ended.
    late: BTreeSet<Relation>,
    /// By their names: what each is to own.
    owners: BTreeMap<String, Owned>,
}

/// What one role is to own.
#[derive(Debug, Default, PartialEq, Eq)]
struct Owned {
    roots: BTreeSet<Relation>,
    inner: BTreeSet<Relation>,
}

/// Owners that the target refused, and why.
pub(super) type Refused = BTreeMap<String, String>;

impl Handover {
    /// What `access` says of the owners of a source's hypertables.
    pub(super) fn new(timescale: Option<&Timescale>, access: &[AccessStatement]) -> Self {
        let Some(timescale) = timescale else { return Self::default() };
        let mut parts = BTreeMap::new();
        let word = |word| move |relation: &Relation| (relation.clone(), Part::Root(word));
        parts.extend(timescale.hypertables.iter().map(word("hypertable")));
        parts.extend(timescale.aggregates.iter().map(word("continuous aggregate")));
        parts.extend(timescale.chunks.iter().map(|chunk| (chunk.clone(), Part::Inner)));
        let mut handover = Self { has_parts: true, parts, ..Self::default() };
        for (_, statement) in access {
            let Some((relation, owner)) = script::new_owner(&statement.sql) else { continue };
            let part = handover.part(&relation);
            match part {
                Some(Part::Root(_)) => handover.owners.entry(owner).or_default().roots.insert(relation),
                Some(Part::Inner) => handover.owners.entry(owner).or_default().inner.insert(relation),
                None => continue,
            };
        }
        handover
    }

    fn part(&self, relation: &Relation) -> Option<Part> {
        if !self.has_parts {
            None
        } else if relation.schema == INTERNAL {
            Some(Part::Inner)
        } else {
            self.parts.get(relation).copied()
        }
    }

    /// A statement gives an owner to what is handed over here.
    pub(super) fn has(&self, statement: &Statement) -> bool {
        script::new_owner(&statement.sql).is_some_and(|(relation, _)| self.part(&relation).is_some())
    }

    /// How much there is to hand over.
    pub(super) fn count(&self) -> usize {
        self.owners.values().map(|owned| owned.roots.len() + owned.inner.len()).sum()
    }

    /// Hands everything over that has another owner yet. Where the target refuses, all that one role was to own stays the
    /// administrator's, `admin`.
    ///
    /// # Errors
    /// What may pass: to do it again goes on where it ended.
    pub(super) async fn apply(&self, session: &Session, admin: &str) -> Result<Refused, Error> {
        let mut refused = Refused::new();
        if self.owners.is_empty() {
            return Ok(refused);
        }
        // Nobody else's relations change their owners while one role gets its own.
        let (now, schema, batch) = tokio::try_join!(owners(session), free_schema(session), batch(session))?;
        for (owner, owned) in &self.owners {
            match owned.hand_over(session, owner, &now, &schema, batch).await {
                Ok(()) => {}
                Err(error) if transient(&error) || session.client().is_closed() => return Err(error),
                Err(error) => {
                    session.run("ROLLBACK").await?;
                    owned.take_back(session, owner, admin).await?;
                    let why =
                        error.answer().map_or_else(|| error.to_string(), |answer| answer.message.clone());
                    refused.insert(owner.clone(), why);
                }
            }
        }
        Ok(refused)
    }

    /// Waits with what is revoked on hypertables that the `late` foreign keys refer to, which are added after restoring
    /// mode: until then nothing may be revoked that adding a key needs.
    pub(super) fn wait_for(&mut self, late: &[ForeignKeys], access: &[AccessStatement]) {
        let referenced = |relation: &Relation| late.iter().any(|keys| keys.references.contains(relation));
        let revoked = access.iter().filter_map(|(_, statement)| script::privileges(&statement.sql));
        let revoked = revoked.filter(|(relation, grants)| !grants && referenced(relation));
        self.late = revoked.map(|(relation, _)| relation).collect();
    }

    /// The statements to run in their order while restoring mode is on (`in_restoring`), and those to run after it.
    /// Privileges of what is handed over come in it, since TimescaleDB would give those of a hypertable to all of its chunks
    /// too, which may have others. Owners are left out, with grants in the place of those that were refused.
    pub(super) async fn statements(
        &self,
        session: &Session,
        statements: &[AccessStatement],
        in_restoring: bool,
    ) -> Result<Vec<AccessStatement>, Error> {
        let kept = self.kept(session).await?;
        let mut all = Vec::new();
        for (part, statement) in statements {
            let change = script::new_owner(&statement.sql);
            let relation = match &change {
                Some((relation, _)) => Some(relation.clone()),
                None => script::privileges(&statement.sql).map(|(relation, _)| relation),
            };
            let found = relation.and_then(|relation| Some((self.part(&relation)?, relation)));
            if in_restoring != found.as_ref().is_some_and(|(_, relation)| !self.late.contains(relation)) {
                continue;
            }
            match (found, change) {
                (Some((Part::Root(_), root)), Some((_, owner))) if kept.contains_key(&owner) => {
                    let instead = |sql| (*part, Statement { sql, ..statement.clone() });
                    all.extend(grants(session, &root, &owner).await?.into_iter().map(instead));
                }
                (Some(_), Some(_)) => {}
                _ => all.push((*part, statement.clone())),
            }
        }
        Ok(all)
    }

    /// Roles of which the administrator keeps hypertables or aggregates, with those.
    pub(super) async fn kept(&self, session: &Session) -> Result<BTreeMap<String, Vec<Relation>>, Error> {
        let mut kept = BTreeMap::new();
        if self.owners.is_empty() {
            return Ok(kept);
        }
        let now = owners(session).await?;
        for (owner, owned) in &self.owners {
            let others = |relation: &&Relation| now.get(*relation).is_some_and(|now| now != owner);
            let roots: Vec<_> = owned.roots.iter().filter(others).cloned().collect();
            if !roots.is_empty() {
                kept.insert(owner.clone(), roots);
            }
        }
        Ok(kept)
    }

    /// What was kept, for the report.
    pub(super) fn missing(
        &self,
        kept: &BTreeMap<String, Vec<Relation>>,
        refused: &Refused,
        admin: &str,
    ) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (owner, roots) in kept {
            let (role, admin) = (quoted(owner), quoted(admin));
            let why = refused.get(owner).map_or("when it was tried", String::as_str);
            missing.extend(roots.iter().map(|root| {
                let word = match self.part(root) {
                    Some(Part::Root(word)) => word,
                    _ => "relation",
                };
                Missing {
                    what: format!("owner {role} of {word} {root}"),
                    why: format!(
                        "the target refused to hand over its chunks ({why}): {admin} owns it, {role} has all privileges on it"
                    ),
                    sql: None,
                }
            }));
        }
        missing
    }
}

impl Owned {
    /// Hands over what others own by `now`: through `schema`, `batch` of them in each message.
    async fn hand_over(
        &self,
        session: &Session,
        owner: &str,
        now: &BTreeMap<Relation, String>,
        schema: &str,
        batch: usize,
    ) -> Result<(), Error> {
        let others = |relation: &&Relation| now.get(*relation).is_some_and(|now| now != owner);
        let inner: Vec<&Relation> = self.inner.iter().filter(others).collect();
        for some in inner.chunks(batch) {
            session.run(&moves(some, owner, schema)).await?;
        }
        let roots: Vec<String> = self.roots.iter().filter(others).map(|root| change(root, owner)).collect();
        for some in roots.chunks(batch) {
            session.run(&some.join(";\n")).await?;
        }
        Ok(())
    }

    /// Makes everything the administrator's that the role has got.
    async fn take_back(&self, session: &Session, owner: &str, admin: &str) -> Result<(), Error> {
        let now = owners(session).await?;
        let given = |relation: &&Relation| now.get(*relation).is_some_and(|now| now == owner);
        for relation in self.roots.iter().chain(&self.inner).filter(given) {
            match session.run(&change(relation, admin)).await {
                Err(error) if transient(&error) || session.client().is_closed() => return Err(error),
                // The administrator is a member of its owner, and can do with it what it could before.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Relations of the session's database with their owners.
async fn owners(session: &Session) -> Result<BTreeMap<Relation, String>, Error> {
    let rows = session
        .ask(
            "SELECT n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f')",
        )
        .await?;
    rows.iter().map(|row| Ok((row.relation(0)?, row.text(2)?.to_owned()))).collect()
}

/// How many may be locked in one transaction.
async fn batch(session: &Session) -> Result<usize, Error> {
    let room = capacity::locks(session).await?.left() / LOCKS;
    Ok(usize::try_from(room.clamp(1, BATCH)).unwrap_or(1))
}

fn change(relation: &Relation, owner: &str) -> String {
    format!("ALTER TABLE {} OWNER TO {}", relation.sql(), identifier(owner))
}

/// A name that no schema of the target has.
async fn free_schema(session: &Session) -> Result<String, Error> {
    let question = format!(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE pg_catalog.starts_with(nspname::text, '{SCHEMA}')"
    );
    let taken: BTreeSet<String> = session.ask_list(&question).await?;
    let numbered = (2..).map(|number| format!("{SCHEMA}_{number}"));
    let names = std::iter::once(SCHEMA.to_owned()).chain(numbered);
    Ok(names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default())
}

/// One transaction: there, to the owner, and back. ALTER TABLE takes views too.
fn moves(relations: &[&Relation], owner: &str, schema: &str) -> String {
    let role = identifier(owner);
    let begin = format!("BEGIN; CREATE SCHEMA {schema}; GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};");
    let one = |relation: &&Relation| {
        let there = Relation::new(schema, &relation.name);
        format!(
            "ALTER TABLE {} SET SCHEMA {schema}; {}; ALTER TABLE {} SET SCHEMA {};",
            relation.sql(),
            change(&there, owner),
            there.sql(),
            identifier(&relation.schema)
        )
    };
    let end = format!("DROP SCHEMA {schema}; COMMIT");
    let lines: Vec<_> = std::iter::once(begin).chain(relations.iter().map(one)).chain([end]).collect();
    lines.join("\n")
}

/// What gives a role the use of a hypertable or an aggregate without its ownership. The sequences of its identity columns
/// have no statement of their own.
async fn grants(session: &Session, root: &Relation, owner: &str) -> Result<Vec<String>, Error> {
    let role = identifier(owner);
    let sequences = session
        .ask(&format!(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_depend d \
             JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid AND d.deptype = 'i' \
               AND d.refobjid = pg_catalog.to_regclass({})",
            crate::quote::literal(&root.sql())
        ))
        .await?;
    let mut grants = vec![format!("GRANT ALL ON TABLE {} TO {role}", root.sql())];
    for row in sequences {
        grants.push(format!("GRANT ALL ON SEQUENCE {} TO {role}", row.relation(0)?.sql()));
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(sql: &str) -> AccessStatement {
        ("pre-data", script::statement(sql, 1, 1, true))
    }

    #[test]
    fn hypertables_and_what_is_kept_for_them_are_told_from_other_tables() {
        let timescale = Timescale {
            hypertables: vec![Relation::new("m", "h"), Relation::new(INTERNAL, "_materialized_hypertable_2")],
            aggregates: vec![Relation::new("m", "daily")],
            chunks: vec![Relation::new("own", "chk_1_chunk")],
            ..Timescale::default()
        };
        let access = [
            "ALTER TABLE m.h OWNER TO app;",
            "ALTER TABLE m.plain OWNER TO app;",
            "ALTER VIEW m.daily OWNER TO \"Odd Role\";",
            "ALTER TABLE own.chk_1_chunk OWNER TO app;",
            "ALTER TABLE _timescaledb_internal._hyper_1_2_chunk OWNER TO app;",
            "ALTER TABLE _timescaledb_internal._materialized_hypertable_2 OWNER TO \"Odd Role\";",
            "GRANT SELECT ON TABLE m.h TO app;",
        ]
        .map(access);
        let handover = Handover::new(Some(&timescale), &access);
        let names =
            |all: &BTreeSet<Relation>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let shown: Vec<_> = handover
            .owners
            .iter()
            .map(|(owner, owned)| format!("{owner}: {} with {}", names(&owned.roots), names(&owned.inner)))
            .collect();
        assert_eq!(
            shown,
            [
                "Odd Role: m.daily with _timescaledb_internal._materialized_hypertable_2",
                "app: m.h with _timescaledb_internal._hyper_1_2_chunk own.chk_1_chunk",
            ]
        );
        let here: Vec<_> = access.iter().map(|(_, statement)| handover.has(statement)).collect();
        assert_eq!(here, [true, false, true, true, true, true, false]);
        assert_eq!(Handover::new(None, &access), Handover::default());
    }

    #[test]
    fn the_schema_of_a_batch_lives_as_long_as_its_transaction() {
        let (one, two) = (Relation::new(INTERNAL, "_hyper_1_2_chunk"), Relation::new("Own", "a b"));
        assert_eq!(
            moves(&[&one, &two], "app", "of_ours"),
            "BEGIN; CREATE SCHEMA of_ours; GRANT USAGE, CREATE ON SCHEMA of_ours TO \"app\";\n\
             ALTER TABLE \"_timescaledb_internal\".\"_hyper_1_2_chunk\" SET SCHEMA of_ours; \
             ALTER TABLE \"of_ours\".\"_hyper_1_2_chunk\" OWNER TO \"app\"; \
             ALTER TABLE \"of_ours\".\"_hyper_1_2_chunk\" SET SCHEMA \"_timescaledb_internal\";\n\
             ALTER TABLE \"Own\".\"a b\" SET SCHEMA of_ours; ALTER TABLE \"of_ours\".\"a b\" OWNER TO \"app\"; \
             ALTER TABLE \"of_ours\".\"a b\" SET SCHEMA \"Own\";\n\
             DROP SCHEMA of_ours; COMMIT"
        );
    }
}
