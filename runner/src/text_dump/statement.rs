//! What a statement of a dump is, as far as its place in a restore depends on it.

use tsmigrate_analyzer::facts::names::{set_configs, string, strings};
use tsmigrate_analyzer::parse::{NodeEnum, parse, pg};

use super::objects::Line;
use crate::names::{self, Relation};

/// What a statement is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `COPY … FROM stdin`, whose rows follow.
    Rows(Relation),
    /// Rows that stand in the statement.
    Insert(Relation),
    /// A sequence gets its value.
    Sequence,
    /// It is about roles, or about what all databases have together.
    Role,
    /// It is about a database as a whole.
    Database(String),
    /// A setting of the session, by its name.
    Setting(String),
    /// A restore does that by itself.
    Own,
    /// A piece of a large object's bytes.
    ObjectBytes,
    /// Creates a large object, or says whose it is and who may use it.
    AboutObject,
    /// `BEGIN`, `COMMIT`.
    Transaction,
    /// Drops what an empty target does not have.
    Drop,
    /// Creates an object of this kind, in `pg_dump`'s words, with `relkind` of a table.
    Creates(&'static str, Relation, u8),
    /// Anything else.
    Other,
}

/// Says what a statement is.
pub(super) fn what(sql: &str, standard_strings: bool) -> What {
    // Both may be long, and there may be many of them: no tree is needed.
    if let Some(insert) = sql.get(..11).filter(|words| words.eq_ignore_ascii_case("INSERT INTO")) {
        let name = sql.get(insert.len()..).unwrap_or_default().trim_start();
        return What::Insert(names::read(name).map(|(relation, _)| relation).unwrap_or_default());
    }
    // Statistics are made anew.
    if sql.starts_with("SELECT * FROM pg_catalog.pg_restore_") {
        return What::Own;
    }
    if Line::of(sql.as_bytes()).is_some() {
        return What::ObjectBytes;
    }
    let Some(parsed) = parse(sql, standard_strings).ok().flatten() else { return What::Other };
    of_tree(parsed.node())
}

fn of_tree(node: &NodeEnum) -> What {
    match node {
        NodeEnum::CopyStmt(copy) if copy.is_from && !copy.is_program && copy.filename.is_empty() => {
            What::Rows(relation(copy.relation.as_ref()))
        }
        NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::GrantRoleStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::AlterTableSpaceOptionsStmt(_) => What::Role,
        NodeEnum::AlterRoleSetStmt(set) if set.database.is_empty() => What::Role,
        NodeEnum::AlterRoleSetStmt(set) => What::Database(set.database.clone()),
        NodeEnum::CreatedbStmt(create) => What::Database(create.dbname.clone()),
        NodeEnum::AlterDatabaseStmt(alter) => What::Database(alter.dbname.clone()),
        NodeEnum::AlterDatabaseSetStmt(alter) => What::Database(alter.dbname.clone()),
        NodeEnum::AlterOwnerStmt(alter) => about(alter.object_type(), alter.object.as_deref()),
        NodeEnum::CommentStmt(comment) => about(comment.objtype(), comment.object.as_deref()),
        NodeEnum::SecLabelStmt(label) => about(label.objtype(), label.object.as_deref()),
        NodeEnum::GrantStmt(grant) => about(grant.objtype(), grant.objects.first()),
        NodeEnum::VariableSetStmt(set) => What::Setting(set.name.clone()),
        NodeEnum::TransactionStmt(_) => What::Transaction,
        NodeEnum::DropStmt(_)
        | NodeEnum::DropRoleStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::DropTableSpaceStmt(_) => What::Drop,
        NodeEnum::AlterTableStmt(alter) if !alter.cmds.is_empty() && alter.cmds.iter().all(drops) => {
            What::Drop
        }
        NodeEnum::CreateStmt(create) => {
            let kind = if create.partspec.is_some() { b'p' } else { b'r' };
            What::Creates("TABLE", relation(create.relation.as_ref()), kind)
        }
        NodeEnum::CreateForeignTableStmt(create) => {
            let table = create.base_stmt.as_ref().and_then(|base| base.relation.as_ref());
            What::Creates("FOREIGN TABLE", relation(table), b'f')
        }
        NodeEnum::ViewStmt(view) => What::Creates("VIEW", relation(view.view.as_ref()), b'v'),
        NodeEnum::CreateExtensionStmt(create) => {
            What::Creates("EXTENSION", Relation::new("", &create.extname), 0)
        }
        NodeEnum::CreateSchemaStmt(create) => {
            What::Creates("SCHEMA", Relation::new("", &create.schemaname), 0)
        }
        NodeEnum::CreateTrigStmt(create) => What::Creates("TRIGGER", Relation::new("", &create.trigname), 0),
        // pg_dumpall --clean makes a template one that can be dropped.
        NodeEnum::UpdateStmt(update) if relation(update.relation.as_ref()).name == "pg_database" => What::Own,
        NodeEnum::SelectStmt(select) => of_select(select),
        _ => What::Other,
    }
}

fn relation(range: Option<&pg::RangeVar>) -> Relation {
    range.map(|range| Relation::new(&range.schemaname, &range.relname)).unwrap_or_default()
}

/// What a statement about this object is.
fn about(kind: pg::ObjectType, object: Option<&pg::Node>) -> What {
    match kind {
        pg::ObjectType::ObjectRole
        | pg::ObjectType::ObjectTablespace
        | pg::ObjectType::ObjectParameterAcl => What::Role,
        pg::ObjectType::ObjectLargeobject => What::AboutObject,
        pg::ObjectType::ObjectDatabase => {
            object.and_then(string).map_or(What::Other, |name| What::Database(name.to_owned()))
        }
        _ => What::Other,
    }
}

/// A command of ALTER TABLE with which `pg_dump --clean` drops what a table has.
fn drops(command: &pg::Node) -> bool {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return false };
    match command.subtype() {
        pg::AlterTableType::AtDropConstraint | pg::AlterTableType::AtDetachPartition => true,
        pg::AlterTableType::AtColumnDefault => command.def.is_none(),
        _ => false,
    }
}

fn of_select(select: &pg::SelectStmt) -> What {
    if let Some((name, _, _)) = set_configs(select).next() {
        return What::Setting(name.to_owned());
    }
    let [pg::Node { node: Some(NodeEnum::ResTarget(target)) }] = &select.target_list[..] else {
        return What::Other;
    };
    let Some(NodeEnum::FuncCall(call)) = target.val.as_ref().and_then(|value| value.node.as_ref()) else {
        return What::Other;
    };
    match strings(&call.funcname).last().copied().unwrap_or_default() {
        "setval" => What::Sequence,
        "lo_create" => What::AboutObject,
        "lo_unlink" => What::Drop,
        // Restoring mode is the run's.
        "timescaledb_pre_restore" | "timescaledb_post_restore" => What::Own,
        _ => What::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        let of = |sql: &str| what(sql, true);
        let table = Relation::new("s", "My T");
        assert_eq!(of("COPY s.\"My T\" (a) FROM stdin;"), What::Rows(table.clone()));
        assert_eq!(of("INSERT INTO s.\"My T\" VALUES (1);"), What::Insert(table.clone()));
        assert_eq!(of("INSERT INTO s.\"My T\" (a, b) VALUES (1, ' (');"), What::Insert(table.clone()));
        assert_eq!(of("CREATE TABLE s.\"My T\" (a int);"), What::Creates("TABLE", table.clone(), b'r'));
        let root = of("CREATE TABLE s.\"My T\" (a int) PARTITION BY LIST (a);");
        assert_eq!(root, What::Creates("TABLE", table, b'p'));
        assert_eq!(of("SELECT pg_catalog.set_config('search_path', '', false);"), setting("search_path"));
        assert_eq!(of("SET client_encoding = 'UTF8';"), setting("client_encoding"));
        let shop = || What::Database("My shop".into());
        for sql in [
            "CREATE DATABASE \"My shop\" WITH TEMPLATE = template0;",
            "ALTER DATABASE \"My shop\" OWNER TO a;",
            "ALTER DATABASE \"My shop\" SET work_mem TO '7MB';",
            "ALTER ROLE a IN DATABASE \"My shop\" SET work_mem TO '7MB';",
            "GRANT CONNECT ON DATABASE \"My shop\" TO a;",
            "COMMENT ON DATABASE \"My shop\" IS 'x';",
        ] {
            assert_eq!(of(sql), shop(), "{sql}");
        }
        for sql in [
            "CREATE ROLE a;",
            "ALTER ROLE a SET work_mem TO '7MB';",
            "GRANT a TO b;",
            "COMMENT ON ROLE a IS 'x';",
            "CREATE TABLESPACE t OWNER a LOCATION '/x';",
            "GRANT ALL ON TABLESPACE t TO a;",
        ] {
            assert_eq!(of(sql), What::Role, "{sql}");
        }
        for sql in [
            "DROP TABLE IF EXISTS s.t;",
            "ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS k;",
            "ALTER TABLE s.t ALTER COLUMN a DROP DEFAULT;",
            "DROP ROLE a;",
            "SELECT pg_catalog.lo_unlink('7');",
        ] {
            assert_eq!(of(sql), What::Drop, "{sql}");
        }
        assert_eq!(of("ALTER TABLE s.t ALTER COLUMN a SET DEFAULT 1;"), What::Other);
        assert_eq!(of("SELECT pg_catalog.lo_open('7', 131072);"), What::ObjectBytes);
        assert_eq!(of("ALTER LARGE OBJECT 7 OWNER TO a;"), What::AboutObject);
        assert_eq!(of("SELECT public.timescaledb_pre_restore();"), What::Own);
        assert_eq!(
            of("SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer);"),
            What::Own
        );
        assert_eq!(of("SELECT pg_catalog.setval('s.q', 1, true);"), What::Sequence);
    }

    fn setting(name: &str) -> What {
        What::Setting(name.to_owned())
    }
}
