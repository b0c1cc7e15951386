//! Statements of a dump about what was dropped while it was dumped.
//!
//! `pg_dump` lists statistics objects under its snapshot and asks for their definitions as they are now
//! (`pg_get_statisticsobjdef`). Its lock of a table lets others drop those, and such a dump has their owner and comment
//! without what they belong to. Everything else that is asked for in this way is kept by the lock.

use std::collections::BTreeSet;

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::scripts::Scripts;
use crate::quote::quoted;
use crate::script::Statement;

/// Takes out what is about statistics objects that the dump does not create, and names them.
pub(super) fn without_torn(scripts: &mut Scripts) -> BTreeSet<String> {
    let about = |statement: &Statement| statistics(&statement.sql);
    let created: BTreeSet<String> = scripts
        .post_data
        .iter()
        .filter_map(about)
        .filter_map(|(name, creates)| creates.then_some(name))
        .collect();
    let mut torn = BTreeSet::new();
    let mut stays = |statement: &Statement| match statistics(&statement.sql) {
        Some((name, false)) if !created.contains(&name) => {
            torn.insert(name);
            false
        }
        _ => true,
    };
    scripts.post_data.retain(&mut stays);
    scripts.access.retain(|(_, statement)| stays(statement));
    torn
}

/// The statistics object that a statement of a dump is about, and whether it creates it.
fn statistics(sql: &str) -> Option<(String, bool)> {
    // Few statements are: the others are not parsed.
    if !sql.to_ascii_uppercase().contains("STATISTICS") {
        return None;
    }
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let kind = pg::ObjectType::ObjectStatisticExt;
    let (names, creates) = match parsed.node() {
        NodeEnum::CreateStatsStmt(create) => (strings(&create.defnames), true),
        NodeEnum::AlterStatsStmt(alter) => (strings(&alter.defnames), false),
        NodeEnum::AlterOwnerStmt(alter) if alter.object_type() == kind => {
            (list(alter.object.as_deref()?)?, false)
        }
        NodeEnum::CommentStmt(comment) if comment.objtype() == kind => {
            (list(comment.object.as_deref()?)?, false)
        }
        _ => return None,
    };
    Some((names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join("."), creates))
}

fn list(node: &pg::Node) -> Option<Vec<&str>> {
    match &node.node {
        Some(NodeEnum::List(list)) => Some(strings(&list.items)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn statistics_that_were_dropped_during_the_dump_lose_their_owner_and_comment_too() {
        let dumped = "CREATE STATISTICS app.kept ON a, b FROM app.t;\nALTER STATISTICS app.kept OWNER TO app;\n;\n\n\
                      ALTER STATISTICS app.\"Gone 1\" OWNER TO app;\nCOMMENT ON STATISTICS app.\"Gone 1\" IS 'STATISTICS';\n\
                      ALTER STATISTICS app.\"Gone 1\" SET STATISTICS 5;\nCOMMENT ON TABLE app.t IS 'statistics';\n";
        let (access, post_data) = script::statements("post-data", dumped.as_bytes())
            .unwrap()
            .into_iter()
            .partition::<Vec<_>, _>(|statement| statement.class == script::Class::Access);
        let mut scripts = Scripts {
            post_data,
            access: access.into_iter().map(|statement| ("post-data", statement)).collect(),
            ..Scripts::default()
        };
        assert_eq!(without_torn(&mut scripts), BTreeSet::from(["app.\"Gone 1\"".to_owned()]));
        let left: Vec<_> =
            scripts.post_data.iter().chain(scripts.access.iter().map(|(_, access)| access)).collect();
        // The empty statement does nothing.
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(left.iter().all(|statement| !statement.sql.contains("Gone")), "{left:?}");
    }
}
