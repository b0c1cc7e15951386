//! Which objects on the target are a restore's own, for a cleanup that no source tells: what the target has once the statements
//! before the rows have run, and what those behind them create.

use std::collections::BTreeSet;

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use crate::engine::marks::Marks;
use crate::error::Error;
use crate::migrate::driver::TargetRun;
use crate::migrate::others;
use crate::names::Relation;
use crate::quote::quoted;
use crate::script::{Statement, relation_name};
use crate::workdir::SavedSchema;

/// Keeps them in the marks on the target. To be called when the statements before the rows have run; once kept they stay, for
/// others may have created more since.
pub(super) async fn keep(run: &TargetRun<'_>, behind_rows: BTreeSet<String>) -> Result<(), Error> {
    let session = run.target().await?;
    if Marks::schema(&session).await?.is_some() {
        return Ok(());
    }
    let mut objects = others::known(&session, None).await?;
    // On a target that had other databases, what it had then is theirs.
    let theirs = run.context.work.saved_plan(&run.context.run)?.others.objects;
    objects.retain(|object| !theirs.contains(object));
    objects.extend(behind_rows.iter().map(|object| others::hash(object)));
    let saved = serde_json::to_string(&SavedSchema { objects, ..SavedSchema::default() })
        .map_err(|error| Error::Defect(format!("names cannot be written down: {error}")))?;
    session.run(&Marks::schema_sql(&saved)).await
}

/// What statements behind the rows create, as the server identifies it.
pub(super) fn behind_rows(statements: &[Statement]) -> BTreeSet<String> {
    let parsed = statements.iter().filter_map(|one| parse::parse(&one.sql, true).ok().flatten());
    parsed.flat_map(|parsed| created(parsed.node())).collect()
}

fn created(node: &NodeEnum) -> Vec<String> {
    let on = |kind: &str, name: &str, table: &Option<pg::RangeVar>| -> Vec<String> {
        table.iter().map(|table| format!("{kind} {} on {}", quoted(name), relation_name(table))).collect()
    };
    match node {
        NodeEnum::IndexStmt(index) => {
            index.relation.iter().map(|table| beside(table, &index.idxname)).collect()
        }
        NodeEnum::CreateTrigStmt(trigger) => on("trigger", &trigger.trigname, &trigger.relation),
        NodeEnum::RuleStmt(rule) => on("rule", &rule.rulename, &rule.relation),
        NodeEnum::CreatePolicyStmt(policy) => on("policy", &policy.policy_name, &policy.table),
        NodeEnum::CreateEventTrigStmt(trigger) => {
            vec![format!("event trigger {}", quoted(&trigger.trigname))]
        }
        NodeEnum::CreatePublicationStmt(publication) => {
            vec![format!("publication {}", quoted(&publication.pubname))]
        }
        NodeEnum::CreateStatsStmt(statistics) => {
            let name: Vec<String> = strings(&statistics.defnames).into_iter().map(quoted).collect();
            vec![format!("statistics object {}", name.join("."))]
        }
        NodeEnum::AlterDomainStmt(alter) => {
            let Some(NodeEnum::Constraint(constraint)) = alter.def.as_ref().and_then(|def| def.node.as_ref())
            else {
                return Vec::new();
            };
            let domain: Vec<String> = strings(&alter.type_name).into_iter().map(quoted).collect();
            vec![format!("domain constraint {} on {}", quoted(&constraint.conname), domain.join("."))]
        }
        NodeEnum::AlterTableStmt(alter) => {
            let of = |command: &pg::Node| match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => {
                    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
                        Some(NodeEnum::Constraint(constraint)) => Some(constraint.conname.clone()),
                        _ => None,
                    }
                }
                _ => None,
            };
            let names = alter.cmds.iter().filter_map(of);
            let both = |name: String| {
                let index = alter.relation.iter().map(|table| beside(table, &name)).collect::<Vec<_>>();
                on("table constraint", &name, &alter.relation).into_iter().chain(index)
            };
            names.flat_map(both).collect()
        }
        _ => Vec::new(),
    }
}

/// An index is in its table's schema.
fn beside(table: &pg::RangeVar, index: &str) -> String {
    format!("index {}", Relation::new(&table.schemaname, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn objects_have_the_names_that_the_server_gives_them() {
        let sql = "CREATE UNIQUE INDEX i ON \"S s\".t USING btree (a);
            ALTER TABLE ONLY \"S s\".t ADD CONSTRAINT \"K\" PRIMARY KEY (a);
            CREATE TRIGGER w AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
            CREATE POLICY p ON s.t USING (true); CREATE STATISTICS s.pair ON a, b FROM s.t;
            CREATE PUBLICATION everything; ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;
            ALTER DOMAIN s.d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID;";
        let statements = script::statements("post-data", sql.as_bytes()).expect("statements");
        let expected = [
            "domain constraint c on s.d",
            "index \"S s\".\"K\"",
            "index \"S s\".i",
            "policy p on s.t",
            "publication everything",
            "statistics object s.pair",
            "table constraint \"K\" on \"S s\".t",
            "trigger w on s.t",
        ];
        assert_eq!(behind_rows(&statements).into_iter().collect::<Vec<_>>(), expected);
    }
}
