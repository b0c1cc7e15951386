//! Enums that have got more values on the source: the target's get them too, and stay what they are.

use std::collections::BTreeSet;

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::quote::literal;
use crate::script::{self, Statement};
use crate::workdir::SavedStatement;

/// Enums that have got more values: they are added. Their names. Added values can be used only when that is committed.
pub(super) async fn grown(
    session: &Session,
    new: impl Iterator<Item = &Statement>,
    gone: &[&SavedStatement],
) -> Result<BTreeSet<String>, Error> {
    let mut grown = BTreeSet::new();
    for statement in new {
        let Some(parsed) = parse::parse(&statement.sql, true).ok().flatten() else { continue };
        let NodeEnum::CreateEnumStmt(create) = parsed.node() else { continue };
        let Some((_, name)) = script::subject(&statement.sql) else { continue };
        if !gone.iter().any(|gone| gone.name.as_deref() == Some(&name)) {
            continue;
        }
        let Some(kind) = enum_name(create) else { continue };
        let question = format!(
            "SELECT e.enumlabel FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid \
             JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
             WHERE n.nspname = {} AND t.typname = {} ORDER BY e.enumsortorder",
            literal(&kind.schema),
            literal(&kind.name)
        );
        let old: Vec<String> = session.ask_list(&question).await?;
        let Some(added) = added(&old, &strings(&create.vals)) else { continue };
        for value in added {
            session.run(&format!("ALTER TYPE {} ADD VALUE IF NOT EXISTS {value}", kind.sql())).await?;
        }
        grown.insert(name);
    }
    Ok(grown)
}

fn enum_name(create: &pg::CreateEnumStmt) -> Option<Relation> {
    match strings(&create.type_name)[..] {
        [schema, name] => Some(Relation::new(schema, name)),
        _ => None,
    }
}

/// Values that an enum has got, each with its place; none where it has lost some, or has them in another order.
fn added(old: &[String], new: &[&str]) -> Option<Vec<String>> {
    let first = old.first()?;
    let mut rest = old.iter().peekable();
    let mut added = Vec::new();
    let mut before: Option<&str> = None;
    for value in new {
        if rest.next_if(|old| old == value).is_none() {
            let place = before.map_or_else(
                || format!("BEFORE {}", literal(first)),
                |value| format!("AFTER {}", literal(value)),
            );
            added.push(format!("{} {place}", literal(value)));
        }
        before = Some(value);
    }
    rest.next().is_none().then_some(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_grows_where_its_old_values_stay_in_their_order() {
        let old = ["b", "d"].map(str::to_owned);
        assert_eq!(
            added(&old, &["a", "b", "c", "d", "e'"]).expect("it has grown"),
            ["'a' BEFORE 'b'", "'c' AFTER 'b'", "'e''' AFTER 'd'"]
        );
        assert_eq!(added(&old, &["a", "z", "b", "d"]).expect("two"), ["'a' BEFORE 'b'", "'z' AFTER 'a'"]);
        assert_eq!(added(&old, &["d", "b"]), None);
        assert_eq!(added(&old, &["b"]), None);
        assert_eq!(added(&[], &["a"]), None);
    }
}
