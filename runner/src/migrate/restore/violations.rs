//! Constraints that an archive's rows may break: what a person has named, and keys to tables whose rows it does not have.

use std::collections::BTreeMap;
use std::io;

use tsmigrate_analyzer::parse::{NodeEnum, parse, pg};

use super::contents::Contents;
use crate::engine::builds::{self, BuiltBy};
use crate::error::{Blocker, Error};
use crate::migrate::excluded::excluded_rows;
use crate::migrate::scripts::Scripts;
use crate::migrate::violations::{self, Violation, named, refused};
use crate::names::Relation;
use crate::quote::quoted;
use crate::script::Statement;
use crate::timescale;

/// Finds the constraints that a person has named, among those that are created when all rows are there. What is not `is_own` is
/// another database's.
///
/// # Errors
/// Where a name stands for none of them.
pub(super) fn find(
    given: &[String],
    scripts: &Scripts,
    is_own: impl Fn(&Relation) -> bool,
) -> Result<Vec<Violation>, Error> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let post_data = &scripts.post_data;
    let (all, roots) = (builds::built(post_data), roots(&scripts.pre_data));
    let sql = |built: &BuiltBy| {
        post_data.get(built.number).map(|statement| statement.sql.clone()).unwrap_or_default()
    };
    let mut found: Vec<Violation> = Vec::new();
    for given in given {
        let form = "write schema.table.constraint, each as SQL writes it";
        let (mut table, name) =
            named(given).ok_or_else(|| refused(given, "it is no name of that form", form))?;
        if !is_own(&table) {
            continue;
        }
        let of = |table: &Relation| {
            all.iter().find(|built| built.relation == *table && built.name.as_ref() == Some(&name))
        };
        // A partition has it from its root.
        while let Some(root) = roots.get(&table).filter(|_| of(&table).is_none()) {
            table = root.clone();
        }
        let Some(built) = of(&table) else {
            let what = "the archive has no foreign key, unique index or exclusion constraint of that name; a CHECK cannot stay away";
            return Err(refused(given, what, "correct the rows on the source, and dump it again"));
        };
        if timescale::is_own(&table.schema) {
            let why = format!("{table} is TimescaleDB's, whose constraints cannot stay away");
            return Err(refused(given, &why, "correct the rows on the source, and dump it again"));
        }
        // Which key of the table each of them needs, the target knows: others are added as they are.
        let needs = all
            .iter()
            .filter(|other| built.references.is_none() && other.references.as_ref() == Some(&table));
        let needs =
            needs.map(|other| (other.relation.clone(), other.name.clone().unwrap_or_default(), sql(other)));
        let is_key = is_foreign_key(post_data, built);
        found.push(Violation::behind_rows(is_key, (table.clone(), name.clone(), sql(built)), needs));
    }
    Ok(found)
}

fn is_foreign_key(post_data: &[Statement], built: &BuiltBy) -> bool {
    built.references.is_some()
        || post_data.get(built.number).is_some_and(|statement| builds::is_about_key(&statement.sql))
}

/// Keys to tables whose rows the archive does not have: the target would refuse them when all other rows are there.
///
/// # Errors
/// When rows cannot be read.
pub(super) fn without_rows(
    contents: &Contents,
    scripts: &Scripts,
    violations: &[Violation],
) -> io::Result<Option<Blocker>> {
    let without = contents.without_rows();
    if without.is_empty() {
        return Ok(None);
    }
    let roots = roots(&scripts.pre_data);
    let mut keys = Vec::new();
    for built in builds::built(&scripts.post_data) {
        let (Some(name), Some(other)) = (built.name, built.references) else { continue };
        let table = built.relation;
        if table == other || !without.contains(&other) || violations.iter().any(|one| one.is(&table, &name)) {
            continue;
        }
        let is_part = |part: &&Relation| {
            std::iter::successors(Some(*part), |part| roots.get(*part)).any(|part| *part == table)
        };
        let mut has_rows = false;
        for part in contents.with_rows().filter(is_part) {
            has_rows = has_rows || contents.has_rows(part)?;
        }
        if has_rows {
            keys.push((format!("{table}.{}", quoted(&name)), other));
        }
    }
    let first = "dump the source again with the rows of those tables";
    Ok(excluded_rows(&keys, "whose rows are not in the archive", first))
}

/// Partitions, and what each is a part of.
fn roots(pre_data: &[Statement]) -> BTreeMap<Relation, Relation> {
    pre_data.iter().filter_map(|statement| attached(&statement.sql)).collect()
}

fn attached(sql: &str) -> Option<(Relation, Relation)> {
    // Few statements do: the others are not parsed.
    if !sql.contains(" ATTACH PARTITION ") {
        return None;
    }
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::AlterTableStmt(alter) = parsed.node() else { return None };
    let [pg::Node { node: Some(NodeEnum::AlterTableCmd(command)) }] = &alter.cmds[..] else { return None };
    let Some(NodeEnum::PartitionCmd(attach)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
        return None;
    };
    let relation = |of: &pg::RangeVar| Relation::new(&of.schemaname, &of.relname);
    Some((relation(attach.name.as_ref()?), relation(alter.relation.as_ref()?)))
}

/// What of it is given, by this start and those before.
pub(super) fn given(context: &super::context::Restore, resumed: bool) -> Vec<String> {
    violations::given(context, &context.args.allow_violations, resumed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn keys_are_found_by_their_names_and_those_of_roots_by_their_partitions() {
        let scripts = Scripts {
            pre_data: script::statements(
                "pre-data",
                b"CREATE TABLE s.\"Root\" (a int) PARTITION BY LIST (a); CREATE TABLE s.part (a int);
                  ALTER TABLE ONLY s.\"Root\" ATTACH PARTITION s.part FOR VALUES IN (1);",
            )
            .expect("statements"),
            post_data: script::statements(
                "post-data",
                b"ALTER TABLE ONLY s.p ADD CONSTRAINT p_pkey PRIMARY KEY (a);
                  ALTER TABLE s.\"Root\" ADD CONSTRAINT \"F k\" FOREIGN KEY (a) REFERENCES s.p(a);
                  CREATE UNIQUE INDEX u ON s.p USING btree (a);",
            )
            .expect("statements"),
            ..Scripts::default()
        };
        let of = |given: &str| find(&[given.to_owned()], &scripts, |_| true);
        let found = of("s.part.\"F k\"").expect("it is the root's");
        assert!(found[0].is(&Relation::new("s", "Root"), "F k"));
        assert!(of("S.P.P_PKEY").expect("a key")[0].is(&Relation::new("s", "p"), "p_pkey"));
        assert!(of("s.p.u").is_ok());
        let others = find(&["s.q.u".to_owned()], &scripts, |_| false);
        assert!(others.is_ok_and(|found| found.is_empty()));
        for wrong in ["s.p.none", "p_pkey", "s.q.u"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
