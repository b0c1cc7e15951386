//! Two catalogs in, differences out. Pure.

use std::collections::BTreeSet;

use super::announced::Announced;
use super::besides;
use super::definition;
use super::identity::{self, Place};
use super::kept;
use super::kinds::DATABASE;
use super::members;
use super::moved::Moved;
use super::object::{Catalog, Object, Privilege, Says, YES, listed};
use super::options::{Expect, VerifyOptions};
use super::published;
use super::result::{Difference, Verification};
use super::select::Selection;
use super::text::plural;
use crate::names::Relation;
use crate::quote::quoted;
use crate::timescale::{INTERNAL, is_own};

/// Compares everything but rows.
pub(super) fn compare(
    source: &Catalog,
    target: &Catalog,
    expect: &Expect<'_>,
    options: &VerifyOptions,
    (selection, moved): (&Selection, Option<&Moved<'_>>),
) -> Verification {
    let own = expect.source.timescale.iter().flat_map(|timescale| &timescale.chunks);
    let world = World {
        expect,
        lost: lost_roles(source, target),
        versions: (source, target),
        renumbered: renumbered(source, target),
        chunks: own.map(ToString::to_string).collect(),
        options,
        selection,
        moved,
    };
    let mut comparison =
        Comparison { world, announced: Announced::new(expect), result: Verification::default() };
    for ((kind, identity), ours) in &source.objects {
        comparison.object(kind, identity, ours);
    }
    comparison.additional_objects();
    for (name, value) in &source.sequences {
        comparison.sequence(name, value);
    }
    comparison.notes();
    comparison.result
}

/// A comparison under way.
struct Comparison<'a> {
    world: World<'a>,
    announced: Announced,
    result: Verification,
}

impl Comparison<'_> {
    /// Keeps a difference: with its reason, where it was announced.
    fn differ(&mut self, difference: Difference) {
        let announced = || self.announced.reason(&difference).filter(|_| self.is_as_before(&difference));
        match difference.reason.clone().or_else(announced) {
            Some(reason) => self.result.announced.push(Difference { reason: Some(reason), ..difference }),
            None => self.result.differences.push(difference),
        }
    }

    /// No comparison before has seen the target with something else there.
    fn is_as_before(&self, difference: &Difference) -> bool {
        let mut now = difference.clone();
        now.hide_secrets();
        let (Some(seen), Some((object, hash))) = (self.world.expect.seen, now.seen()) else { return true };
        seen.get(&object) == Some(&hash)
    }

    fn count(&mut self, kind: impl Into<String>) {
        *self.result.compared.entry(kind.into()).or_default() += 1;
    }

    /// Compares an object of the source with the target's.
    fn object(&mut self, kind: &str, identity: &str, ours: &Object) {
        if !expected(kind, identity, &self.world) {
            return;
        }
        // Statistics have a name of their own, and go with their table.
        let table = ours.says.get("table").filter(|_| kind == "statistics object");
        if table.is_some_and(|table| !self.world.selection.has_object(kind, &identity::plain(table))) {
            return;
        }
        let identity = map_identity(kind, identity, &self.world);
        self.count(plural(kind));
        let (_, target) = self.world.versions;
        let Some(theirs) = target.objects.get(&(kind.to_owned(), identity.clone())) else {
            let definition = ours.says.get("").cloned().unwrap_or_default();
            self.differ(difference(kind, &identity, Some(definition), None));
            return;
        };
        for difference in said(kind, &identity, &ours.says, &theirs.says, &self.world) {
            self.differ(difference);
        }
        if kind == "publication" {
            let compares = |table: &str| compares("table", table, &self.world);
            let missing = published::missing(&identity, (ours, theirs), self.world.versions, compares);
            // Whoever announced a list of tables has not announced that some are not in it.
            self.result.differences.extend(missing);
        }
        self.owner((kind, &identity), ours, theirs);
        if self.world.options.without.has("privileges") {
            return;
        }
        self.count("privileges");
        let (mut wanted, mut found) = privileges(ours, theirs, (kind, &identity), &self.world);
        if kind == DATABASE {
            besides::without_public(&mut wanted, &mut found);
        }
        if wanted != found {
            let (wanted, found) = (listed(wanted.difference(&found)), listed(found.difference(&wanted)));
            self.differ(difference("privileges", &of(kind, &identity), Some(wanted), Some(found)));
        }
    }

    fn owner(&mut self, (kind, identity): (&str, &str), ours: &Object, theirs: &Object) {
        if kind == "column" || kind == DATABASE || self.world.options.without.has("owner") {
            return;
        }
        let (Some(owner), Some(found)) = (&ours.owner, &theirs.owner) else { return };
        self.count("owners");
        // A sequence follows the table it belongs to.
        let table = ours.says.get("owned by").filter(|_| kind == "sequence");
        let named = table.map_or_else(|| identity.to_owned(), |table| identity::plain(table));
        let expected = owner_on_target(owner, kind, &self.world);
        // Where two ordinary servers are compared, nothing has to have another owner.
        // Until 14, public is the superuser's; then whose the database is.
        let of_database = found == "pg_database_owner" && expected == self.world.expect.target.user;
        if expected != *found && owner != found && !(kind == "schema" && of_database) {
            let mut difference =
                difference("owner", &of(kind, identity), Some(quoted(&expected)), Some(quoted(found)));
            let reason = kept::reason(owner, found, (kind, &named), self.world.expect);
            difference.reason = reason.map(ToOwned::to_owned);
            self.differ(difference);
        }
    }

    /// What the target has and the source does not.
    fn additional_objects(&mut self) {
        let (source, target) = self.world.versions;
        let ours: BTreeSet<_> = source
            .objects
            .keys()
            .map(|(kind, identity)| (kind.clone(), map_identity(kind, identity, &self.world)))
            .collect();
        let expect = self.world.expect;
        let of_service =
            besides::OfService::new((source, target), &expect.target.superusers, &expect.target.user);
        self.result.notes.extend(of_service.note());
        for key @ (kind, identity) in target.objects.keys() {
            if !ours.contains(key)
                && !of_service.has(kind, identity)
                && !may_be_more(kind, identity, &self.world)
                && compares(kind, identity, &self.world)
            {
                self.differ(difference(kind, identity, None, Some(String::new())));
            }
        }
    }

    fn sequence(&mut self, name: &Relation, value: &String) {
        if !self.world.selection.has(name) {
            return;
        }
        self.count("sequences' values");
        let (_, target) = self.world.versions;
        let found = target.sequences.get(name);
        if found == Some(value) {
            return;
        }
        let dumped = self.world.expect.sequences.get(name);
        let dumped = dumped.map(|(value, called)| format!("{value}{}", if *called { " called" } else { "" }));
        let mut difference =
            difference("sequence value", &name.to_string(), Some(value.clone()), found.cloned());
        if dumped.is_some() && dumped.as_ref() == found {
            // A sequence is not part of a snapshot: the source has gone on since the dump.
            difference.reason = Some("the source has drawn numbers since the dump".into());
        }
        self.differ(difference);
    }

    /// What was not compared.
    fn notes(&mut self) {
        let Verification { compared, notes, .. } = &mut self.result;
        let without = self.world.options.without.names();
        if !without.is_empty() {
            notes.push(format!("{} stayed behind, as asked for, and were not compared", without.join(", ")));
        }
        if let Some(count @ 1..) = compared.get("foreign tables") {
            let have = if *count == 1 { "foreign table has its" } else { "foreign tables have their" };
            notes.push(format!("{count} {have} rows on another server: definitions were compared"));
        }
        let versions = self.world.versions;
        let reserved = |role: &str| self.world.reserved(role);
        notes.extend(besides::superusers(versions));
        if compared.contains_key("roles") {
            notes.extend(besides::memberships(versions, reserved));
            notes.extend(besides::settings(versions, reserved));
            notes.extend(besides::database_settings(versions));
        }
        if compared.contains_key("roles") {
            notes.push("passwords were not compared: only a superuser can read them".to_owned());
        }
    }
}

/// The object of a difference in its owner or its privileges.
fn of(kind: &str, identity: &str) -> String {
    if kind == DATABASE {
        return "of the database".to_owned();
    }
    if kind == "column" { identity.to_owned() } else { format!("of {kind} {identity}") }
}

fn difference(kind: &str, object: &str, expected: Option<String>, found: Option<String>) -> Difference {
    Difference { kind: kind.into(), object: object.into(), expected, found, ..Difference::default() }
}

/// What is compared, and which roles did not come over.
struct World<'a> {
    expect: &'a Expect<'a>,
    lost: BTreeSet<String>,
    versions: (&'a Catalog, &'a Catalog),
    /// The same chunks have other numbers on the target.
    renumbered: bool,
    /// Chunks in schemas of the user's own.
    chunks: BTreeSet<String>,
    options: &'a VerifyOptions,
    selection: &'a Selection,
    /// The source's names were others.
    moved: Option<&'a Moved<'a>>,
}

impl World<'_> {
    /// Roles that a service has of its own. A superuser of the source with another name comes over as an ordinary
    /// role.
    fn reserved(&self, role: &str) -> bool {
        self.expect.target.superusers.contains(role) && !besides::is_ordinary(self.versions.0, role)
            || self.expect.target.user == role
            || ["tsdbadmin", "tsdbowner", "tsdbexplorer", "tsdbquerier", "standby", "postgres"]
                .contains(&role)
            || role.starts_with("pg_")
    }

    /// Roles that can neither own nor use anything on the target.
    fn gone(&self, role: &str) -> bool {
        self.reserved(role) || self.lost.contains(role)
    }
}

/// Their absence is a difference of its own, unless it was announced; what they owned is the administrator's.
fn lost_roles(source: &Catalog, target: &Catalog) -> BTreeSet<String> {
    let roles = source.objects.keys().filter(|(kind, _)| kind == "role");
    roles.filter(|key| !target.objects.contains_key(*key)).map(|(_, name)| identity::name(name)).collect()
}

/// What is looked at on both servers.
fn compares(kind: &str, identity: &str, world: &World<'_>) -> bool {
    let (source, target) = world.versions;
    match kind {
        _ if world.options.without.has(kind) => false,
        // Before 18 they have no names.
        "not-null constraint" if source.major.min(target.major) < 18 => false,
        // The tables that chunks are have other names where the chunks have other numbers; their ranges are compared.
        _ if (world.renumbered || world.selection.converts()) && numbered(kind, identity) => false,
        // The source has none of these where its tables became hypertables.
        _ if world.selection.converts() && super::timescale::KINDS.contains(&kind) => false,
        "TimescaleDB catalog" => world.selection.is_all(),
        _ => world.selection.has_object(kind, identity),
    }
}

/// The same chunks have other numbers on the target.
fn renumbered(source: &Catalog, target: &Catalog) -> bool {
    source.chunks.iter().any(|(chunk, table)| target.chunks.get(chunk).is_some_and(|other| other != table))
}

/// A name that TimescaleDB has made from a number.
fn numbered(kind: &str, identity: &str) -> bool {
    let Place::Schema(relation) = identity::place(kind, identity) else { return false };
    let names = [
        "_hyper_",
        "compress_hyper_",
        "_compressed_hypertable_",
        "_materialized_hypertable_",
        "_direct_view_",
        "_partial_view_",
    ];
    relation.schema == INTERNAL && names.iter().any(|name| relation.name.starts_with(name))
}

/// What is not the same of an object that both servers have.
fn said(kind: &str, identity: &str, ours: &Says, theirs: &Says, world: &World<'_>) -> Vec<Difference> {
    let (source, target) = world.versions;
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let (wanted, has) = (ours.get(name), theirs.get(name));
        let equal = match (wanted, has) {
            // An index of a partitioned table that became a hypertable.
            (Some(wanted), Some(has)) if world.selection.converts() && kind == "index" => {
                let whole = identity::split_once(wanted, " ON ONLY ");
                let wanted =
                    whole.map_or_else(|| wanted.clone(), |(index, table)| format!("{index} ON {table}"));
                definition::same(kind, name, &wanted, has, source, target)
            }
            (Some(wanted), Some(has)) => {
                let moved = || {
                    world.moved.is_some_and(|moved| moved.same((kind, identity, name), has, (source, target)))
                };
                definition::same(kind, name, wanted, has, source, target) || moved()
            }
            _ => wanted == has,
        };
        let told =
            world.selection.reshapes(kind, name, identity) || world.selection.empties(kind, name, identity);
        if equal || told || !counts(kind, name, world) {
            continue;
        }
        let mut difference = difference(
            &if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") },
            identity,
            Some(shown(kind, wanted)),
            Some(shown(kind, has)),
        );
        difference.reason = reason((kind, name), identity, has, world)
            .or_else(|| definition::icu_locale(kind, wanted?, has?, source, target))
            .or_else(|| {
                (kind == "publication" && world.selection.leaves_out()).then_some("tables were left out")
            })
            .map(ToOwned::to_owned);
        found.push(difference);
    }
    found
}

/// A value for people: the servers quote every name, and people only some.
fn shown(kind: &str, value: Option<&String>) -> String {
    let value = value.map(String::as_str).unwrap_or_default();
    // Words of the user's own.
    let own = matches!(kind, "comment" | "security label" | "role setting" | "database setting");
    if own { value.to_owned() } else { identity::plain(value) }
}

/// False where a value says nothing about the data or its use.
fn counts(kind: &str, name: &str, world: &World<'_>) -> bool {
    let (source, target) = world.versions;
    match (kind, name) {
        // A migration has them paused on both servers, and starts them at its end.
        ("job", "scheduled") => world.options.scheduled,
        // Grants have these options since 16.
        ("membership", "inherit" | "set") => source.major.min(target.major) >= 16,
        _ => true,
    }
}

/// Why a value cannot be the same on a service, whoever has moved it there.
fn reason(
    (kind, name): (&str, &str),
    identity: &str,
    has: Option<&String>,
    world: &World<'_>,
) -> Option<&'static str> {
    match (kind, name) {
        // What it keeps fits its own version only.
        ("extension", "version") if identity != "timescaledb" || world.expect.source.timescale.is_none() => {
            Some("the target has its own version of it")
        }
        ("job", "scheduled") if world.expect.jobs_wait && has.is_some_and(|has| has != YES) => {
            Some("the run has not started it: start-jobs.sql of its work directory does")
        }
        ("column", "position below others") => Some("a dump writes the columns of a table's parents first"),
        // Who has it there and not on the source was given it by somebody.
        ("role", "bypassrls" | "replication" | "superuser") if has.is_none_or(|has| has != YES) => {
            Some("the service does not grant it")
        }
        _ => None,
    }
}

fn expected(kind: &str, identity: &str, world: &World<'_>) -> bool {
    if !compares(kind, identity, world) {
        return false;
    }
    match kind {
        "role" => !world.reserved(&identity::name(identity)),
        members::KIND => members::comparable(identity, world.versions),
        "membership" => {
            let (member, group) = identity::split_once(identity, " in ").unwrap_or((identity, ""));
            let (member, group) = (identity::name(member), identity::name(group));
            !world.gone(&member) && (!world.gone(&group) || group.starts_with("pg_"))
        }
        "comment" => !identity.strip_prefix("on role ").is_some_and(|role| world.gone(&identity::name(role))),
        // The service grants its own.
        "default privileges" => identity::split_once(identity, " in _timescaledb_").is_none(),
        "role setting" | "database setting" => {
            !identity::split_once(identity, " ").is_some_and(|(role, _)| world.gone(&identity::name(role)))
        }
        _ => true,
    }
}

fn may_be_more(kind: &str, identity: &str, world: &World<'_>) -> bool {
    match kind {
        // The service's own.
        "comment" => identity == "on database",
        // The service's own, and those of an earlier run.
        "role" | "membership" | "extension" | "role setting" | "database setting" | members::KIND => true,
        "schema" if world.versions.0.added.contains(&format!("schema {identity}")) => true,
        // Empty ones of a target that has it ready for a source without.
        // The source has none of these where its tables became hypertables.
        _ if world.selection.converts() && super::timescale::KINDS.contains(&kind) => false,
        "TimescaleDB catalog" => world.expect.source.timescale.is_none(),
        // The service's own, such as those that come with its TimescaleDB.
        "default privileges" => world.gone(&role_of_default(identity).0),
        _ => false,
    }
}

/// The name of an object on the target, where a role is part of it.
fn map_identity(kind: &str, identity: &str, world: &World<'_>) -> String {
    if kind != "default privileges" {
        return identity.to_owned();
    }
    match role_of_default(identity) {
        (role, rest) if world.gone(&role) => {
            format!("for {} on {rest}", quoted(&world.expect.target.user))
        }
        _ => identity.to_owned(),
    }
}

/// `for "role" on …`: the role, and the rest.
fn role_of_default(identity: &str) -> (String, &str) {
    let rest = identity.strip_prefix("for ").unwrap_or(identity);
    let (role, rest) = identity::split_once(rest, " on ").unwrap_or((rest, ""));
    (identity::name(role), rest)
}

/// The owner that an object of the source has to have on the target.
fn owner_on_target(owner: &str, kind: &str, world: &World<'_>) -> String {
    let stays = kind == "schema" && owner == "pg_database_owner";
    if world.gone(owner) && !stays { world.expect.target.user.clone() } else { owner.to_owned() }
}

/// Privileges as they should be and as they are, without what an owner has by being one.
fn privileges(
    ours: &Object,
    theirs: &Object,
    (kind, identity): (&str, &str),
    world: &World<'_>,
) -> (BTreeSet<Privilege>, BTreeSet<Privilege>) {
    let older = world.expect.source.major() < 17;
    let keep = |(role, privilege, _): &&Privilege| {
        !world.gone(role)
            && ours.owner.as_ref() != Some(role)
            && theirs.owner.as_ref() != Some(role)
            // GRANT ALL means one more from 17 on.
            && !(older && privilege == "MAINTAIN")
    };
    let mut wanted: BTreeSet<_> = ours.privileges.iter().filter(keep).cloned().collect();
    let mut found: BTreeSet<_> = theirs.privileges.iter().filter(keep).cloned().collect();
    if kind == DATABASE && (world.moved.is_some() || world.options.chosen.has_others) {
        // Others that move into it grant on it for theirs.
        found.retain(|privilege| wanted.contains(privilege));
    }
    // What TimescaleDB keeps for a hypertable is reached through the hypertable.
    let inside = is_own(identity) || world.chunks.contains(identity);
    if kind != "column"
        && kind != DATABASE
        && !inside
        && let (Some(owner), Some(now)) = (&ours.owner, &theirs.owner)
        && owner != now
        && !world.gone(owner)
    {
        // The former owner of a hypertable keeps all privileges; whether they may be handed on is not asked.
        let plain = |(role, privilege, _): &Privilege| (role.clone(), privilege.clone(), false);
        let of = |object: &Object| -> BTreeSet<Privilege> {
            let mine = object.privileges.iter().filter(|(role, ..)| role == owner);
            mine.filter(|(_, privilege, _)| !(older && privilege == "MAINTAIN")).map(plain).collect()
        };
        wanted.extend(of(ours));
        found.extend(of(theirs));
    }
    (wanted, found)
}

#[cfg(test)]
mod tests;
