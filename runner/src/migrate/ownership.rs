//! Ownership before rows and indexes: what a function of the source's is called by, while the target is filled.
//!
//! An index is built as its table's owner, and a function that is SECURITY DEFINER runs as its own. While everything is
//! still the administrator's, both are the administrator: a user's function would run as it. So owners come directly after
//! the objects, as in what `pg_dump` writes. Grants come with them, for an index's function may read what its table's
//! owner was granted. Nothing is revoked yet, for that may take away what loading needs; at the end all of it is run again
//! in the dump's order (`access`), and to do so twice does no harm. No role that the run creates can log in before that:
//! the owner of a table could give it a trigger, which our COPY would run.

use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::handover::Handover;
use super::scripts::{AccessStatement, Scripts};
use crate::connect::Session;
use crate::engine::statements::{BATCH, refused, sent};
use crate::error::{Error, Server};
use crate::inspect::Facts;
use crate::quote::identifier;
use crate::script::{self, Statement};

/// What a statement does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Early {
    /// Gives an owner.
    Owner,
    /// Grants something.
    Grant,
    /// Has to wait.
    No,
}

fn early(sql: &str) -> Early {
    let parsed = parse::parse(sql, true).ok().flatten();
    match parsed.as_ref().map(parse::Parsed::node) {
        Some(NodeEnum::AlterOwnerStmt(alter)) if alter.object_type() == pg::ObjectType::ObjectDatabase => {
            Early::No
        }
        Some(NodeEnum::AlterOwnerStmt(_) | NodeEnum::AlterTableStmt(_)) => Early::Owner,
        Some(NodeEnum::GrantRoleStmt(grant)) if grant.is_grant => Early::Owner,
        // Who may pass a privilege on is taken for the one who grants and revokes it from then on.
        Some(NodeEnum::GrantStmt(grant)) if grant.is_grant && !grant.grant_option => Early::Grant,
        _ => Early::No,
    }
}

/// Runs those of the access statements that may come early, but for what [`Handover`] hands over; their number.
///
/// # Errors
/// The first owner that the target refuses.
pub(super) async fn apply_early(
    session: &Session,
    access: &[AccessStatement],
    handover: &Handover,
) -> Result<usize, Error> {
    let statements: Vec<(Early, &Statement)> = access
        .iter()
        .filter(|(part, statement)| *part == "pre-data" && !handover.has(statement))
        .map(|(_, statement)| (early(&statement.sql), statement))
        .filter(|(early, _)| *early != Early::No)
        .collect();
    for batch in statements.chunks(BATCH) {
        // Each is a transaction of its own.
        let sql: Vec<&Statement> = batch.iter().map(|(_, statement)| *statement).collect();
        let answers = sent(session, &sql).await;
        for ((early, statement), answer) in batch.iter().zip(answers) {
            let Err(error) = answer else { continue };
            let error = refused("pre-data", statement, Server::new(&error));
            // A grant that fails here is judged at the end, as is a sequence that follows its table.
            if session.client().is_closed() || *early == Early::Owner && !is_linked_sequence(&error) {
                return Err(error);
            }
        }
    }
    Ok(statements.len())
}

/// True where an owner was refused because a sequence follows its table.
pub(super) fn is_linked_sequence(error: &Error) -> bool {
    error.code() == "0A000"
        && error.answer().is_some_and(|answer| answer.message.starts_with("cannot change owner of sequence"))
}

/// Lets no role log in that could not before, until everything is handed over: one that the run creates, or lets log in.
pub(super) fn logins_at_the_end(scripts: &mut Scripts, target: &Facts) {
    for statement in &mut scripts.roles {
        let Some(role) = script::login(&statement.sql).filter(|role| !target.logins.contains(role)) else {
            continue;
        };
        let alter = |word: &str| format!("ALTER ROLE {} {word};", identifier(&role));
        let at_the_end = script::statement(&alter("LOGIN"), statement.line, statement.column, true);
        scripts.access.push(("roles", at_the_end));
        // In one message, and so in one transaction.
        statement.sql.push('\n');
        statement.sql.push_str(&alter("NOLOGIN"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_grants_come_early_and_nothing_is_taken_away() {
        for (sql, expected) in [
            ("ALTER TABLE s.t OWNER TO app;", Early::Owner),
            ("ALTER FUNCTION s.f(integer) OWNER TO app;", Early::Owner),
            ("GRANT app TO tsdbadmin;", Early::Owner),
            ("GRANT CREATE ON SCHEMA s TO app;", Early::Grant),
            ("GRANT SELECT ON TABLE s.t TO app;", Early::Grant),
            ("GRANT SELECT ON TABLE s.t TO app WITH GRANT OPTION;", Early::No),
            ("REVOKE ALL ON TABLE s.t FROM app;", Early::No),
            ("REVOKE app FROM tsdbadmin;", Early::No),
            ("ALTER DATABASE tsdb OWNER TO app;", Early::No),
            ("ALTER DATABASE tsdb SET search_path TO app;", Early::No),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO PUBLIC;", Early::No),
        ] {
            assert_eq!(early(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_new_role_logs_in_when_everything_is_handed_over() {
        let roles = [
            "CREATE ROLE app;",
            "ALTER ROLE app WITH INHERIT LOGIN PASSWORD 'hidden';",
            "ALTER ROLE old WITH LOGIN;",
            "ALTER ROLE dormant WITH LOGIN;",
        ];
        let roles = roles.map(|sql| script::statement(sql, 1, 1, true)).into();
        let mut scripts = Scripts { roles, ..Scripts::default() };
        let [old, dormant] = ["old", "dormant"].map(str::to_owned);
        let target = Facts { roles: [old.clone(), dormant].into(), logins: [old].into(), ..Facts::default() };
        logins_at_the_end(&mut scripts, &target);
        assert!(scripts.roles[1].sql.ends_with("\nALTER ROLE \"app\" NOLOGIN;"));
        assert!(!crate::redact::statement(&scripts.roles[1].sql).contains("hidden"));
        assert_eq!(scripts.roles[2].sql, "ALTER ROLE old WITH LOGIN;");
        let late: Vec<_> = scripts.access.iter().map(|(_, statement)| statement.sql.as_str()).collect();
        assert_eq!(late, ["ALTER ROLE \"app\" LOGIN;", "ALTER ROLE \"dormant\" LOGIN;"]);
    }
}
