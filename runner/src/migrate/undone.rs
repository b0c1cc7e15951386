//! What takes back what a statement of the dump has done, by its tree.

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use crate::engine::builds;
use crate::names::Relation;
use crate::quote::{identifier, literal};
use crate::workdir::Behind;

/// What is to be done about a statement that has no place in a schema any more: nothing.
const NOTHING: &str = "SELECT";

/// The statement that takes back what a statement before the rows has done, with what depends on it. None where there is no
/// such statement.
pub(super) fn undo(node: &NodeEnum, sql: &str) -> Option<String> {
    let relation = |relation: Option<&pg::RangeVar>| {
        relation.map(|relation| Relation::new(&relation.schemaname, &relation.relname).sql())
    };
    let drop = |what: &str, name: &str| Some(format!("DROP {what} IF EXISTS {name} CASCADE"));
    match node {
        NodeEnum::CreateStmt(create) => drop("TABLE", &relation(create.relation.as_ref())?),
        NodeEnum::CreateForeignTableStmt(create) => {
            drop("FOREIGN TABLE", &relation(create.base_stmt.as_ref()?.relation.as_ref())?)
        }
        NodeEnum::ViewStmt(create) => drop("VIEW", &relation(create.view.as_ref())?),
        NodeEnum::CreateTableAsStmt(create) => {
            drop("MATERIALIZED VIEW", &relation(create.into.as_ref()?.rel.as_ref())?)
        }
        NodeEnum::CreateSeqStmt(create) => drop("SEQUENCE", &relation(create.sequence.as_ref())?),
        NodeEnum::CompositeTypeStmt(create) => drop("TYPE", &relation(create.typevar.as_ref())?),
        NodeEnum::CreateEnumStmt(create) => drop("TYPE", &name(&create.type_name)?),
        NodeEnum::CreateRangeStmt(create) => drop("TYPE", &name(&create.type_name)?),
        NodeEnum::CreateDomainStmt(create) => drop("DOMAIN", &name(&create.domainname)?),
        // What was in a schema is gone by itself: nothing else may go with it.
        NodeEnum::CreateSchemaStmt(create) => {
            Some(format!("DROP SCHEMA IF EXISTS {}", identifier(&create.schemaname)))
        }
        NodeEnum::CreateForeignServerStmt(create) => drop("SERVER", &identifier(&create.servername)),
        NodeEnum::CreateFunctionStmt(create) => routines(&create.funcname),
        NodeEnum::DefineStmt(define) => match define.kind() {
            pg::ObjectType::ObjectAggregate => routines(&define.defnames),
            pg::ObjectType::ObjectCollation => drop("COLLATION", &name(&define.defnames)?),
            pg::ObjectType::ObjectTsconfiguration => {
                drop("TEXT SEARCH CONFIGURATION", &name(&define.defnames)?)
            }
            pg::ObjectType::ObjectTsdictionary => drop("TEXT SEARCH DICTIONARY", &name(&define.defnames)?),
            _ => None,
        },
        NodeEnum::AlterTableStmt(alter) => of_alter(alter),
        NodeEnum::AlterSeqStmt(alter) => {
            Some(format!("ALTER SEQUENCE IF EXISTS {} OWNED BY NONE", relation(alter.sequence.as_ref())?))
        }
        // Of a comment whose object has ` IS ` in its name the old text stays, and the comparison says so.
        NodeEnum::CommentStmt(_) => {
            let about = sql.split(" IS ").next().unwrap_or_default();
            let removed = format!("{about} IS NULL");
            Some(if parse::parse(&removed, true).is_ok_and(|parsed| parsed.is_some()) {
                removed
            } else {
                NOTHING.to_owned()
            })
        }
        NodeEnum::VariableSetStmt(_) | NodeEnum::SelectStmt(_) => Some(NOTHING.to_owned()),
        _ => None,
    }
}

/// How a statement of post-data is taken back that comes behind the rows of all tables. What can be said twice is.
pub(super) fn behind(node: &NodeEnum) -> Behind {
    let known = |undo: Option<String>| undo.map_or(Behind::Unknown, Behind::Undone);
    match node {
        NodeEnum::IndexStmt(_) | NodeEnum::RefreshMatViewStmt(_) => Behind::No,
        NodeEnum::AlterTableStmt(alter) => behind_alter(alter, node),
        NodeEnum::CreateTrigStmt(_) | NodeEnum::RuleStmt(_) | NodeEnum::CreatePolicyStmt(_) => {
            known(builds::undo(node))
        }
        NodeEnum::CreateStatsStmt(create) => {
            known(name(&create.defnames).map(|name| format!("DROP STATISTICS IF EXISTS {name}")))
        }
        NodeEnum::CreatePublicationStmt(create) => {
            known(Some(format!("DROP PUBLICATION IF EXISTS {}", identifier(&create.pubname))))
        }
        NodeEnum::ViewStmt(view) if view.replace => known(Some(NOTHING.to_owned())),
        NodeEnum::CommentStmt(_)
        | NodeEnum::AlterPublicationStmt(_)
        | NodeEnum::AlterStatsStmt(_)
        | NodeEnum::AlterObjectDependsStmt(_)
        | NodeEnum::AlterDefaultPrivilegesStmt(_)
        | NodeEnum::GrantStmt(_)
        | NodeEnum::VariableSetStmt(_)
        | NodeEnum::SelectStmt(_) => known(Some(NOTHING.to_owned())),
        _ => Behind::Unknown,
    }
}

fn behind_alter(alter: &pg::AlterTableStmt, node: &NodeEnum) -> Behind {
    use pg::AlterTableType as Type;
    let ([pg::Node { node: Some(NodeEnum::AlterTableCmd(command)) }], Some(range)) =
        (&alter.cmds[..], &alter.relation)
    else {
        return Behind::Unknown;
    };
    let table = Relation::new(&range.schemaname, &range.relname).sql();
    let back = |what: &str| Behind::Undone(format!("ALTER TABLE IF EXISTS {table} {what}"));
    match (command.subtype(), command.def.as_ref().and_then(|def| def.node.as_ref())) {
        (Type::AtEnableRowSecurity, _) => back("DISABLE ROW LEVEL SECURITY"),
        (Type::AtForceRowSecurity, _) => back("NO FORCE ROW LEVEL SECURITY"),
        (Type::AtAddConstraint, Some(NodeEnum::Constraint(constraint))) => match constraint.contype() {
            pg::ConstrType::ConstrPrimary
            | pg::ConstrType::ConstrUnique
            | pg::ConstrType::ConstrExclusion => Behind::No,
            pg::ConstrType::ConstrForeign => builds::undo(node).map_or(Behind::Unknown, Behind::Undone),
            _ => back(&format!("DROP CONSTRAINT IF EXISTS {}", identifier(&constraint.conname))),
        },
        (
            Type::AtClusterOn
            | Type::AtReplicaIdentity
            | Type::AtAttachPartition
            | Type::AtSetStatistics
            | Type::AtEnableTrig
            | Type::AtEnableAlwaysTrig
            | Type::AtEnableReplicaTrig
            | Type::AtDisableTrig
            | Type::AtEnableRule
            | Type::AtEnableAlwaysRule
            | Type::AtEnableReplicaRule
            | Type::AtDisableRule,
            _,
        ) => Behind::Undone(NOTHING.to_owned()),
        _ => Behind::Unknown,
    }
}

/// A default is dropped; a table that something else was done to is created anew.
fn of_alter(alter: &pg::AlterTableStmt) -> Option<String> {
    let range = alter.relation.as_ref()?;
    let table = Relation::new(&range.schemaname, &range.relname).sql();
    if let [pg::Node { node: Some(NodeEnum::AlterTableCmd(command)) }] = &alter.cmds[..] {
        if command.subtype() == pg::AlterTableType::AtColumnDefault {
            return Some(format!(
                "ALTER TABLE IF EXISTS {table} ALTER COLUMN {} DROP DEFAULT",
                identifier(&command.name)
            ));
        }
        // Not the whole, but the partition that has other bounds, or none.
        if let Some(NodeEnum::PartitionCmd(attach)) = command.def.as_ref().and_then(|def| def.node.as_ref()) {
            let range = attach.name.as_ref()?;
            let partition = Relation::new(&range.schemaname, &range.relname).sql();
            return Some(format!("DROP TABLE IF EXISTS {partition} CASCADE"));
        }
    }
    let is_table = alter.objtype() == pg::ObjectType::ObjectTable;
    is_table.then(|| format!("DROP TABLE IF EXISTS {table} CASCADE"))
}

/// Drops all functions of a name: the statements that create them run once more.
fn routines(names: &[pg::Node]) -> Option<String> {
    let [schema, name] = strings(names)[..] else { return None };
    let drop = format!(
        "DECLARE all_of_it text; BEGIN \
         SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', ') INTO all_of_it \
         FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = {} AND p.proname = {}; \
         IF all_of_it IS NOT NULL THEN EXECUTE 'DROP ROUTINE IF EXISTS ' || all_of_it || ' CASCADE'; END IF; END",
        literal(schema),
        literal(name)
    );
    Some(format!("DO {}", literal(&drop)))
}

/// The statement that takes back a grant to one role, or an owner, as `pg_dump` writes them.
pub(super) fn taken_back(sql: &str) -> Option<String> {
    let is_grant = |sql: &str| {
        let parsed = parse::parse(sql, true).ok().flatten()?;
        match parsed.node() {
            NodeEnum::GrantStmt(grant) => Some((grant.is_grant, grant.grantees.len())),
            _ => None,
        }
    };
    let said = sql.trim().strip_suffix(';')?;
    if let Some((what, _)) = split(said, " OWNER TO ").filter(|_| said.starts_with("ALTER ")) {
        let back = format!("{what} OWNER TO CURRENT_USER");
        return parse::parse(&back, true).is_ok_and(|parsed| parsed.is_some()).then_some(back);
    }
    let grant = said.strip_suffix(" WITH GRANT OPTION").unwrap_or(said);
    let what = grant.strip_prefix("GRANT ").filter(|_| is_grant(sql) == Some((true, 1)))?;
    let (what, role) = split(what, " TO ")?;
    let revoke = format!("REVOKE {what} FROM {role}");
    (is_grant(&revoke) == Some((false, 1))).then_some(revoke)
}

/// A text around the last such word that no name in quotes holds.
fn split<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut words = text.rmatch_indices(word).map(|(at, _)| (&text[..at], &text[at + word.len()..]));
    words.find(|(_, rest)| rest.matches('"').count() % 2 == 0)
}

/// Whether it drops something, and not a part of it alone.
pub(super) fn drops(undo: &str) -> bool {
    undo.starts_with("DROP ") || undo.starts_with("DO ")
}

/// A name with its schema; what has none is nothing that a dump creates.
fn name(nodes: &[pg::Node]) -> Option<String> {
    match strings(nodes)[..] {
        [schema, name] => Some(Relation::new(schema, name).sql()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_statement_creates_is_dropped_by_its_kind_and_name() {
        for (sql, expected) in [
            ("CREATE TABLE s.\"T\" (a int);", "DROP TABLE IF EXISTS \"s\".\"T\" CASCADE"),
            ("CREATE VIEW s.v AS SELECT 1;", "DROP VIEW IF EXISTS \"s\".\"v\" CASCADE"),
            (
                "CREATE MATERIALIZED VIEW s.m AS SELECT 1 WITH NO DATA;",
                "DROP MATERIALIZED VIEW IF EXISTS \"s\".\"m\" CASCADE",
            ),
            ("CREATE SEQUENCE s.q;", "DROP SEQUENCE IF EXISTS \"s\".\"q\" CASCADE"),
            ("CREATE TYPE s.e AS ENUM ('a');", "DROP TYPE IF EXISTS \"s\".\"e\" CASCADE"),
            ("CREATE TYPE s.c AS (a int);", "DROP TYPE IF EXISTS \"s\".\"c\" CASCADE"),
            ("CREATE DOMAIN s.d AS int;", "DROP DOMAIN IF EXISTS \"s\".\"d\" CASCADE"),
            ("CREATE SCHEMA s;", "DROP SCHEMA IF EXISTS \"s\""),
            ("COMMENT ON TABLE s.t IS 'it IS so';", "COMMENT ON TABLE s.t IS NULL"),
            ("COMMENT ON TABLE s.\"a IS b\" IS 'c';", "SELECT"),
            (
                "ALTER TABLE ONLY s.t ALTER COLUMN a SET DEFAULT 7;",
                "ALTER TABLE IF EXISTS \"s\".\"t\" ALTER COLUMN \"a\" DROP DEFAULT",
            ),
            (
                "ALTER TABLE ONLY s.t ATTACH PARTITION s.p FOR VALUES IN (1);",
                "DROP TABLE IF EXISTS \"s\".\"p\" CASCADE",
            ),
            (
                "ALTER TABLE ONLY s.t ALTER COLUMN a SET STATISTICS 7;",
                "DROP TABLE IF EXISTS \"s\".\"t\" CASCADE",
            ),
            ("SET default_tablespace = '';", "SELECT"),
        ] {
            let parsed = parse::parse(sql, true).ok().flatten().expect(sql);
            assert_eq!(undo(parsed.node(), sql).as_deref(), Some(expected), "{sql}");
        }
        let sql = "CREATE FUNCTION s.\"f'\"(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';";
        let parsed = parse::parse(sql, true).ok().flatten().expect("a function");
        let drop = undo(parsed.node(), sql).expect("it can be dropped");
        assert!(drops(&drop) && drop.contains("DROP ROUTINE"), "{drop}");
        assert!(parse::parse(&drop, true).is_ok_and(|parsed| parsed.is_some()), "{drop}");
        assert_eq!(
            taken_back("GRANT SELECT(a),UPDATE(a) ON TABLE s.\"a TO b\" TO \"c TO d\" WITH GRANT OPTION;")
                .as_deref(),
            Some("REVOKE SELECT(a),UPDATE(a) ON TABLE s.\"a TO b\" FROM \"c TO d\"")
        );
        assert_eq!(taken_back("REVOKE ALL ON SCHEMA s FROM PUBLIC;"), None);
        assert_eq!(taken_back("GRANT a TO b;"), None);
        assert_eq!(
            taken_back("ALTER TABLE s.\" OWNER TO \" OWNER TO \"b c\";").as_deref(),
            Some("ALTER TABLE s.\" OWNER TO \" OWNER TO CURRENT_USER")
        );
        assert_eq!(taken_back("ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;"), None);
        let cast = "CREATE CAST (s.a AS s.b) WITHOUT FUNCTION;";
        let parsed = parse::parse(cast, true).ok().flatten().expect("a cast");
        assert_eq!(undo(parsed.node(), cast), None);
    }

    #[test]
    fn what_comes_behind_rows_is_taken_back_and_what_can_be_said_twice_is() {
        let undone = |sql: &str| Behind::Undone(sql.to_owned());
        for (sql, expected) in [
            ("CREATE INDEX i ON s.t (a);", Behind::No),
            ("ALTER TABLE ONLY s.t ADD CONSTRAINT k PRIMARY KEY (a);", Behind::No),
            ("REFRESH MATERIALIZED VIEW s.m;", Behind::No),
            (
                "CREATE TRIGGER g BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();",
                undone("DROP TRIGGER IF EXISTS \"g\" ON \"s\".\"t\""),
            ),
            (
                "ALTER TABLE ONLY s.t ADD CONSTRAINT r FOREIGN KEY (a) REFERENCES s.u(a);",
                undone("ALTER TABLE IF EXISTS \"s\".\"t\" DROP CONSTRAINT IF EXISTS \"r\""),
            ),
            (
                "ALTER TABLE s.t ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID;",
                undone("ALTER TABLE IF EXISTS \"s\".\"t\" DROP CONSTRAINT IF EXISTS \"c\""),
            ),
            (
                "ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;",
                undone("ALTER TABLE IF EXISTS \"s\".\"t\" DISABLE ROW LEVEL SECURITY"),
            ),
            (
                "ALTER TABLE ONLY s.t FORCE ROW LEVEL SECURITY;",
                undone("ALTER TABLE IF EXISTS \"s\".\"t\" NO FORCE ROW LEVEL SECURITY"),
            ),
            ("CREATE STATISTICS s.n ON a, b FROM s.t;", undone("DROP STATISTICS IF EXISTS \"s\".\"n\"")),
            ("CREATE PUBLICATION p;", undone("DROP PUBLICATION IF EXISTS \"p\"")),
            ("ALTER TABLE s.t DISABLE TRIGGER g;", undone(NOTHING)),
            ("ALTER TABLE ONLY s.t REPLICA IDENTITY FULL;", undone(NOTHING)),
            ("COMMENT ON TRIGGER g ON s.t IS 'x';", undone(NOTHING)),
            ("CREATE SUBSCRIPTION n CONNECTION '' PUBLICATION p;", Behind::Unknown),
        ] {
            let parsed = parse::parse(sql, true).ok().flatten().expect(sql);
            assert_eq!(behind(parsed.node()), expected, "{sql}");
        }
    }
}
