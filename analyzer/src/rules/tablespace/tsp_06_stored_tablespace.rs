//! TSP-06: A tablespace in a setting that is stored with a role, database or function, or in temp_tablespaces.

use std::ops::Range;

use super::tsp_03_default_tablespace::{is_usable, no_tablespace};
use crate::edit::Safety;
use crate::facts::names::{options, qualified, quoted_path, role, set_config, text};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-06",
    name: "stored-tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.role-db-guc",
        "default_tablespace and temp_tablespaces stored for roles, databases and functions.",
    ),
    statements: &[StatementKind::SelectStmt],
    statement_groups: &[StatementKind::SETTING],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "A tablespace in a setting that is stored with a role, database or function, or in temp_tablespaces.",
        what: "ALTER ROLE or ALTER DATABASE … SET default_tablespace or temp_tablespaces, the same in the definition of a function, and SET temp_tablespaces.",
        why: "The server stores such a setting with a notice only. Then every login of the role warns, and every call of the function fails. Where the bodies of functions are checked, CREATE FUNCTION fails already. SET temp_tablespaces fails at once.",
        server: &[
            "NOTICE 42704 tablespace \"ts1\" does not exist",
            "WARNING 22023 invalid value for parameter \"default_tablespace\": \"ts1\" (at login)",
            "22023 invalid value for parameter \"default_tablespace\": \"ts1\" (when the function is called)",
            "42704 tablespace \"ts1\" does not exist (SET temp_tablespaces)",
        ],
        help: "The setting is removed: the target's own storage is used.",
        before: "ALTER ROLE app SET default_tablespace TO 'ts1';",
        after: "-- tsmigrate TSP-06: Remove it: the target has no tablespaces of its users\n-- ALTER ROLE app SET default_tablespace TO 'ts1';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tablespace.c, check_default_tablespace and check_temp_tablespaces; catalog/pg_proc.c, ProcedureCreate",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::VariableSetStmt(set) if set.name == "temp_tablespaces" => {
            if let Some((_, name)) = foreign(set) {
                session(ctx, &name);
            }
        }
        NodeEnum::SelectStmt(select) => {
            if let Some((parameter, value)) = set_config(select)
                && parameter.eq_ignore_ascii_case("temp_tablespaces")
                && let Some(name) =
                    value.split(',').map(|name| name.trim().trim_matches('"')).find(|name| !is_usable(name))
            {
                session(ctx, name);
            }
        }
        NodeEnum::AlterRoleSetStmt(s) => {
            let who =
                s.role.as_ref().and_then(role).map_or_else(|| "all roles".into(), |r| format!("role {r}"));
            stored(ctx, s.setstmt.as_ref(), &who);
        }
        NodeEnum::AlterDatabaseSetStmt(s) => {
            stored(ctx, s.setstmt.as_ref(), &format!("database {}", s.dbname));
        }
        NodeEnum::CreateFunctionStmt(s) => {
            let object = path(&s.funcname, s.is_procedure);
            function(ctx, statement, &s.options, "/CreateFunctionStmt/options", &object, false);
        }
        NodeEnum::AlterFunctionStmt(s) => {
            let name = s.func.as_ref().map_or(&[][..], |func| &func.objname);
            let object = path(name, false);
            function(ctx, statement, &s.actions, "/AlterFunctionStmt/actions", &object, true);
        }
        _ => {}
    }
}

/// The parameter, and the first tablespace in its value that the target does not have.
fn foreign(set: &pg::VariableSetStmt) -> Option<(&str, String)> {
    if !matches!(&*set.name, "default_tablespace" | "temp_tablespaces") {
        return None;
    }
    let names = set.args.iter().filter_map(text).flat_map(|value| value.split(','));
    let name = names.map(|name| name.trim().trim_matches('"')).find(|name| !is_usable(name))?;
    Some((&set.name, name.to_owned()))
}

fn session(ctx: &mut Context<'_>, name: &str) {
    ctx.report(
        Draft::new(format!("tablespace \"{name}\" does not exist on the target"))
            .object(format!("tablespace {name}"))
            .server(no_tablespace(name))
            .fix(FixDraft::remove("the target has its own storage")),
    );
}

fn stored(ctx: &mut Context<'_>, set: Option<&pg::VariableSetStmt>, who: &str) {
    let Some((parameter, name)) = set.and_then(foreign) else { return };
    let login = ServerError::new("22023", format!("invalid value for parameter \"{parameter}\": \"{name}\""));
    ctx.report(
        Draft::new(format!("{parameter} of {who} names tablespace \"{name}\": every login would warn"))
            .severity(Severity::Warning)
            .object(who)
            .server(login)
            .fix(
                FixDraft::remove("the target has no tablespaces of its users")
                    .lost(format!("{parameter} of {who}")),
            ),
    );
}

fn path(name: &[pg::Node], procedure: bool) -> String {
    let word = if procedure { "procedure" } else { "function" };
    let name = qualified(name).map(|(schema, name)| quoted_path(schema, name)).unwrap_or_default();
    format!("{word} {name}")
}

fn function(
    ctx: &mut Context<'_>,
    statement: &Statement<'_>,
    nodes: &[pg::Node],
    list: &str,
    object: &str,
    alter: bool,
) {
    for (index, option) in options(nodes).enumerate() {
        let Some(NodeEnum::VariableSetStmt(set)) = option.arg.as_ref().and_then(|arg| arg.node.as_ref())
        else {
            continue;
        };
        let Some((parameter, name)) = foreign(set) else { continue };
        let Some(range) = clause(statement, option) else { return };
        let error = match parameter {
            "temp_tablespaces" => no_tablespace(&name),
            _ if name == "pg_global" => no_tablespace(&name),
            _ => {
                ServerError::new("22023", format!("invalid value for parameter \"{parameter}\": \"{name}\""))
                    .detail(format!("Tablespace \"{name}\" does not exist."))
            }
        };
        let fix = if alter && nodes.len() == 1 {
            FixDraft::remove("the target has its own storage")
        } else {
            FixDraft::edit("Use the target's own storage")
                .delete(statement.with_gap(&range))
                .change(Change::Remove(format!("{list}/{index}")))
        };
        let later = alter || ctx.facts.session.now.unchecked_bodies || name == "pg_global";
        let draft = if later {
            Draft::new(format!("{object} fails when it is called: tablespace \"{name}\" does not exist"))
                .severity(Severity::Warning)
        } else {
            Draft::new(format!("{object} cannot be created: tablespace \"{name}\" does not exist"))
        };
        ctx.report(draft.at(range).object(object).server(error).fix(fix));
    }
}

/// `SET name = value, value` or `SET name TO value`.
fn clause(statement: &Statement<'_>, option: &pg::DefElem) -> Option<Range<usize>> {
    let start = usize::try_from(option.location).ok()?;
    let sql = statement.sql();
    let mut code = statement.code().skip_while(|token| token.start < start);
    code.next().filter(|token| token.is_word(sql, "SET"))?;
    // The name and the sign or TO.
    code.nth(1)?;
    let mut end = code.next()?.end;
    while let (Some(comma), Some(value)) = (code.next(), code.next()) {
        if comma.text(sql) != "," {
            break;
        }
        end = value.end;
    }
    Some(start..end)
}
