//! What a target has besides, and nobody has moved there: superusers, memberships, what everybody may do.

use std::collections::BTreeSet;

use super::identity::{self, Place};
use super::object::{Catalog, Privilege, YES};
use crate::names::Relation;
use crate::quote::quoted;

/// So many names stand in a note.
const NAMES: usize = 8;

/// A role that is no superuser.
pub(super) fn is_ordinary(catalog: &Catalog, role: &str) -> bool {
    let role = catalog.objects.get(&("role".to_owned(), quoted(role)));
    role.and_then(|role| role.says.get("superuser")).is_some_and(|superuser| superuser != YES)
}

/// Superusers of the target that the source does not have at all, the provider's aside.
pub(super) fn superusers((source, target): (&Catalog, &Catalog)) -> Option<String> {
    let besides = target.objects.iter().filter(|(key, role)| {
        key.0 == "role"
            && key.1 != "postgres"
            && role.says.get("superuser").is_some_and(|superuser| superuser == YES)
            && !source.objects.contains_key(*key)
    });
    let besides: Vec<String> = besides.map(|((_, role), _)| role.clone()).collect();
    note("superusers on the target that are none on the source", &besides)
}

/// Settings of the source's roles that the target alone has.
pub(super) fn settings(
    (source, target): (&Catalog, &Catalog),
    reserved: impl Fn(&str) -> bool,
) -> Option<String> {
    let besides =
        target.objects.keys().filter(|key| key.0 == "role setting" && !source.objects.contains_key(*key));
    let of_source = besides.filter_map(|(_, identity)| {
        let (role, setting) = identity::rsplit_once(identity, " ")?;
        let is_there = source.objects.contains_key(&("role".to_owned(), role.to_owned()));
        (is_there && !reserved(&identity::name(role))).then(|| format!("{setting} of {role}"))
    });
    note("settings of roles that the target has besides", &of_source.collect::<Vec<_>>())
}

/// Settings of the database for everybody that the target alone has: those of a service, or of somebody after the move.
pub(super) fn database_settings((source, target): (&Catalog, &Catalog)) -> Option<String> {
    let besides = target.objects.keys().filter(|key| {
        key.0 == "database setting" && !key.1.contains(' ') && !source.objects.contains_key(*key)
    });
    let besides: Vec<String> = besides.map(|(_, identity)| identity.clone()).collect();
    note("settings of the database that the target has besides", &besides)
}

/// Memberships of the target alone, those of the service's own roles aside.
pub(super) fn memberships(
    (source, target): (&Catalog, &Catalog),
    reserved: impl Fn(&str) -> bool,
) -> Option<String> {
    let besides =
        target.objects.keys().filter(|key| key.0 == "membership" && !source.objects.contains_key(*key));
    let own = |identity: &str| {
        let (member, group) = identity::split_once(identity, " in ").unwrap_or((identity, ""));
        let (member, group) = (identity::name(member), identity::name(group));
        reserved(&member) || reserved(&group) && !group.starts_with("pg_")
    };
    let besides: Vec<String> =
        besides.filter(|(_, identity)| !own(identity)).map(|(_, identity)| identity.clone()).collect();
    note("memberships that the target has besides", &besides)
}

/// What a service's superuser has made in the target's database, and the source does not have: helpers of the vendor.
pub(super) struct OfService {
    schemas: BTreeSet<String>,
    /// Those of other schemas, with the words for their kinds.
    objects: BTreeSet<String>,
    /// The tables and their like among them, whose parts are theirs too.
    relations: BTreeSet<Relation>,
}

impl OfService {
    /// `superusers` are the target's, `user` is who connects there.
    pub(super) fn new(
        (source, target): (&Catalog, &Catalog),
        superusers: &BTreeSet<String>,
        user: &str,
    ) -> Self {
        let is_theirs = |owner: &Option<String>| {
            owner.as_ref().is_some_and(|owner| superusers.contains(owner) && owner != user)
        };
        let mut all = Self { schemas: BTreeSet::new(), objects: BTreeSet::new(), relations: BTreeSet::new() };
        for (key @ (kind, identity), object) in &target.objects {
            // A column is a part of its table.
            if !is_theirs(&object.owner) || source.objects.contains_key(key) || kind == "column" {
                continue;
            }
            match identity::place(kind, identity) {
                Place::Database(name) if kind == "schema" => drop(all.schemas.insert(name)),
                Place::Database(_) => {}
                Place::Schema(relation) => {
                    all.objects.insert(format!("{kind} {identity}"));
                    // Functions are told apart by their arguments, and have no parts.
                    if !identity.ends_with(')') {
                        all.relations.insert(relation);
                    }
                }
            }
        }
        all
    }

    /// Whether it is one of them, or a part of one.
    pub(super) fn has(&self, kind: &str, identity: &str) -> bool {
        let commented = identity.strip_prefix("on ").filter(|_| kind == "comment");
        let object = commented.map_or_else(|| format!("{kind} {identity}"), ToOwned::to_owned);
        self.objects.contains(&object)
            || match identity::place(kind, identity) {
                Place::Schema(relation) => {
                    self.schemas.contains(&relation.schema) || self.relations.contains(&relation)
                }
                Place::Database(name) => matches!(kind, "schema" | "comment") && self.schemas.contains(&name),
            }
    }

    /// Says which there are.
    pub(super) fn note(&self) -> Option<String> {
        let schemas = self.schemas.iter().map(|schema| format!("schema {}", quoted(schema)));
        let names: Vec<String> = schemas.chain(self.objects.iter().cloned()).collect();
        note("objects of the target's superuser, which are not compared", &names)
    }
}

fn note(what: &str, names: &[String]) -> Option<String> {
    let more = if names.len() > NAMES { format!(" and {} more", names.len() - NAMES) } else { String::new() };
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("{what}: {shown}{more}"))
}

/// Leaves out what a role has of a database as everybody has it. Who may log in at all may connect to a service.
pub(super) fn without_public(wanted: &mut BTreeSet<Privilege>, found: &mut BTreeSet<Privilege>) {
    let everybody = (String::new(), "CONNECT".to_owned(), false);
    if found.contains(&everybody) {
        wanted.insert(everybody);
    }
    for privileges in [wanted, found] {
        let public: BTreeSet<String> = privileges
            .iter()
            .filter(|(role, ..)| role.is_empty())
            .map(|(_, privilege, _)| privilege.clone())
            .collect();
        privileges.retain(|(role, privilege, grantable)| {
            role.is_empty() || *grantable || !public.contains(privilege)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_may_do_is_no_privilege_of_a_role() {
        let of = |list: &[(&str, &str)]| -> BTreeSet<Privilege> {
            list.iter()
                .map(|(role, privilege)| ((*role).to_owned(), (*privilege).to_owned(), false))
                .collect()
        };
        let mut wanted =
            of(&[("app", "CONNECT"), ("app", "CREATE"), ("app", "TEMPORARY"), ("", "TEMPORARY")]);
        let mut found = of(&[("", "CONNECT"), ("", "TEMPORARY"), ("app", "CREATE")]);
        without_public(&mut wanted, &mut found);
        assert_eq!(wanted, found);
        let mut lost = of(&[("", "CONNECT")]);
        without_public(&mut wanted, &mut lost);
        assert_ne!(wanted, lost);
    }

    #[test]
    fn many_names_are_counted() {
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(note("x", &names).as_deref(), Some("x: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"));
        assert_eq!(note("x", &[]), None);
    }
}
