//! Tables that a publication of everything, or of whole schemas, has on the source, and that the target's list of tables lacks.

use std::collections::BTreeSet;

use super::identity;
use super::object::{Catalog, Object};
use super::result::Difference;
use crate::human;
use crate::names::{self, Relation};
use crate::timescale::is_own;

/// So many are named.
const SHOWN: usize = 8;

/// The tables that both servers have, that the source publishes by a publication that names none of them, and the target does not.
/// `compares` says which tables are looked at.
pub(super) fn missing(
    publication: &str,
    (ours, theirs): (&Object, &Object),
    (source, target): (&Catalog, &Catalog),
    compares: impl Fn(&str) -> bool,
) -> Option<Difference> {
    let has_all = |object: &Object| object.says.get("content").is_some_and(|of| of.starts_with("all tables"));
    if has_all(theirs) {
        return None;
    }
    let wanted = schemas(source, publication);
    let whole = schemas(target, publication);
    let listed = listed(theirs.says.get("tables").map_or("", String::as_str));
    let lacks = |relation: &Relation| {
        (has_all(ours) || wanted.contains(&relation.schema))
            && !whole.contains(&relation.schema)
            && !is_own(&relation.schema)
            && !listed.contains(relation)
    };
    let published = source.objects.iter().filter(|((kind, identity), table)| {
        // A partition is published with its table.
        kind == "table"
            && !table.says.contains_key("bound")
            && table.says.get("persistence").is_none_or(|of| of != "unlogged")
            && target.objects.contains_key(&(kind.clone(), identity.clone()))
            && compares(identity)
    });
    let chunks: BTreeSet<&Relation> = source.chunks.values().collect();
    let missing: Vec<String> = published
        .filter_map(|((_, identity), _)| identity.parse::<Relation>().ok())
        .filter(|relation| lacks(relation) && !chunks.contains(relation))
        .map(|relation| relation.to_string())
        .collect();
    (!missing.is_empty()).then(|| Difference {
        kind: "published tables".into(),
        object: publication.to_owned(),
        expected: Some(if has_all(ours) { "all tables".into() } else { "all tables of its schemas".into() }),
        found: Some(format!("not these: {}", human::first(&missing, SHOWN))),
        ..Difference::default()
    })
}

/// The schemas that a publication has as a whole.
fn schemas(catalog: &Catalog, publication: &str) -> BTreeSet<String> {
    let of = |(kind, identity): &(String, String)| {
        let (schema, of) = identity::split_once(identity, " in ").filter(|_| kind == "publication schema")?;
        (of == publication).then(|| identity::name(schema))
    };
    catalog.objects.keys().filter_map(of).collect()
}

/// The tables of a list, each with its columns and its condition.
fn listed(text: &str) -> BTreeSet<Relation> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    loop {
        let (first, others) = identity::split_once(rest, ", ").unwrap_or((rest, ""));
        // What is left of a list of columns is no name with a schema, or that of a table that is not asked about.
        found.extend(names::read(first).map(|(table, _)| table));
        if others.is_empty() {
            return found;
        }
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_their_columns_and_conditions() {
        let tables = listed("a.t, \"A\".\"x, y\" (b, \"c, d\") where (b > 1), z.last");
        let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["\"A\".\"x, y\"", "a.t", "z.last"]);
    }
}
