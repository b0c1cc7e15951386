//! The order of inputs: roles first, then schema, rows, and what is built on rows, in whatever order they are given.

use crate::facts::names::{set_config, strings};
use crate::parse::{NodeEnum, parse, pg};
use crate::split::{Kind, Splitter};
use crate::text::parseable;

/// So many bytes of an input tell what it holds.
pub const HEAD: usize = 64 << 10;

/// So many statements are looked at.
const MAX_STATEMENTS: usize = 200;

/// What an input begins with, in the order in which inputs are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Begins {
    /// Roles and tablespaces, and nothing else: `pg_dumpall --globals-only`; or a whole cluster.
    Roles,
    /// Tables and their like, or anything else.
    Schema,
    /// Rows: `pg_dump --data-only`.
    Rows,
    /// Indexes, constraints and triggers: `pg_dump --section=post-data`.
    PostData,
}

/// Tells from its first bytes what an input begins with. Of scripts only those of roles alone are told apart: the order of
/// others is for who wrote them.
///
/// ```
/// use tsmigrate_analyzer::order::{Begins, begins};
///
/// assert_eq!(begins(b"CREATE ROLE app;\nGRANT app TO admin;\n"), Begins::Roles);
/// assert_eq!(begins(b"CREATE ROLE app;\nGRANT SELECT ON t TO app;\n"), Begins::Schema);
/// ```
#[must_use]
pub fn begins(head: &[u8]) -> Begins {
    let (mut is_dump, mut is_cluster, mut seen) = (false, false, 0);
    let mut first = None;
    let mut only_roles = true;
    let mut take = |piece: crate::split::Piece<'_>| match piece.kind {
        Kind::Comment => {
            is_dump |= piece.text.trim_ascii() == b"-- PostgreSQL database dump";
            is_cluster |= piece.text.trim_ascii() == b"-- PostgreSQL database cluster dump";
        }
        Kind::Statement if seen < MAX_STATEMENTS => {
            seen += 1;
            let sql = parseable(piece.text);
            let kind = match parse(&sql, piece.standard_strings) {
                Ok(Some(parsed)) => kind(parsed.node()),
                Ok(None) => None,
                Err(_) => Some(Begins::Schema),
            };
            only_roles &= kind.is_none_or(|kind| kind == Begins::Roles);
            first = first.or(kind);
        }
        _ => {}
    };
    let mut splitter = Splitter::new();
    splitter.feed(head, &mut take);
    if head.len() < HEAD {
        splitter.finish(&mut take);
    }
    match first {
        Some(_) if is_cluster => Begins::Roles,
        Some(Begins::Roles) if only_roles => Begins::Roles,
        Some(kind) if is_dump && kind != Begins::Roles => kind,
        _ => Begins::Schema,
    }
}

/// What a statement is part of; `None` where it tells nothing.
fn kind(node: &NodeEnum) -> Option<Begins> {
    use pg::ObjectType as T;
    match node {
        NodeEnum::VariableSetStmt(_) | NodeEnum::DropStmt(_) | NodeEnum::TransactionStmt(_) => None,
        NodeEnum::SelectStmt(s) if set_config(s).is_some() => None,
        NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::AlterRoleSetStmt(_)
        | NodeEnum::DropRoleStmt(_)
        | NodeEnum::GrantRoleStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_) => Some(Begins::Roles),
        NodeEnum::CommentStmt(s)
            if matches!(T::try_from(s.objtype), Ok(T::ObjectRole | T::ObjectTablespace)) =>
        {
            Some(Begins::Roles)
        }
        NodeEnum::CopyStmt(_) | NodeEnum::InsertStmt(_) => Some(Begins::Rows),
        NodeEnum::SelectStmt(s) => calls_of_rows(s).then_some(Begins::Rows).or(Some(Begins::Schema)),
        NodeEnum::IndexStmt(_) | NodeEnum::CreateTrigStmt(_) => Some(Begins::PostData),
        NodeEnum::AlterTableStmt(s) => {
            let subtype = |command: &pg::Node| match command.node.as_ref()? {
                NodeEnum::AlterTableCmd(command) => pg::AlterTableType::try_from(command.subtype).ok(),
                _ => None,
            };
            match s.cmds.first().and_then(subtype) {
                Some(pg::AlterTableType::AtAddConstraint | pg::AlterTableType::AtClusterOn) => {
                    Some(Begins::PostData)
                }
                // Of pg_dump --clean, or of --disable-triggers.
                Some(
                    pg::AlterTableType::AtDropConstraint
                    | pg::AlterTableType::AtColumnDefault
                    | pg::AlterTableType::AtDisableTrigAll,
                ) => None,
                _ => Some(Begins::Schema),
            }
        }
        _ => Some(Begins::Schema),
    }
}

/// `SELECT pg_catalog.setval(…)`, `lo_open` and their like.
fn calls_of_rows(select: &pg::SelectStmt) -> bool {
    select.target_list.iter().any(|item| {
        let Some(NodeEnum::ResTarget(target)) = &item.node else { return false };
        match target.val.as_ref().and_then(|value| value.node.as_ref()) {
            Some(NodeEnum::FuncCall(call)) => strings(&call.funcname).last().is_some_and(|name| {
                *name == "setval" || name.starts_with("lo_") || name.starts_with("lowrite")
            }),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_dump_are_told_apart() {
        let dump =
            |sql: &str| format!("--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n{sql}");
        for (sql, expected) in [
            (dump("CREATE TABLE public.t (a int);\n"), Begins::Schema),
            (dump("DROP TABLE public.t;\nCREATE TABLE public.t (a int);\n"), Begins::Schema),
            (dump("COPY public.t (a) FROM stdin;\n1\n\\.\n"), Begins::Rows),
            (dump("SELECT pg_catalog.setval('public.s', 1, true);\n"), Begins::Rows),
            (dump("ALTER TABLE ONLY public.t ADD CONSTRAINT c PRIMARY KEY (a);\n"), Begins::PostData),
            (dump("CREATE INDEX i ON public.t USING btree (a);\n"), Begins::PostData),
            (dump(""), Begins::Schema),
            (
                "-- PostgreSQL database cluster dump\nCREATE ROLE a;\n\\connect x\nCREATE TABLE t (a int);"
                    .into(),
                Begins::Roles,
            ),
            (
                "CREATE ROLE a;\nALTER ROLE a WITH LOGIN;\nGRANT a TO b;\nCOMMENT ON ROLE a IS 'x';".into(),
                Begins::Roles,
            ),
            ("CREATE ROLE a;\nCREATE TABLE t (a int);".into(), Begins::Schema),
            ("INSERT INTO t VALUES (1);".into(), Begins::Schema),
            ("CREATE INDEX i ON t (a);".into(), Begins::Schema),
            ("SELECT 'open".into(), Begins::Schema),
            (String::new(), Begins::Schema),
        ] {
            assert_eq!(begins(sql.as_bytes()), expected, "{sql}");
        }
    }
}
