//! DB-06: Privileges on a database, or its comment, under the source's name.

use std::ops::Range;

use super::db_04_database_setting::refusal;
use super::undecided::{self, Fate, fate};
use crate::edit::Safety;
use crate::facts::names::{quoted, roles, string, strings};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-06",
    name: "database-privileges",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("database.acl-comment", "Privileges and comments of databases."),
    statements: &[StatementKind::CommentStmt, StatementKind::GrantStmt],
    doc: Doc {
        summary: "Privileges on a database, or its comment, under the source's name.",
        what: "GRANT and REVOKE ON DATABASE, COMMENT ON DATABASE, as pg_dumpall and pg_dump --create write them.",
        why: "The service's database is called tsdb. For a comment the server only warns and goes on without it. REVOKE CONNECT … FROM PUBLIC on it could lock out roles with which the service looks after it.",
        server: &[
            "3D000 database \"shop\" does not exist",
            "WARNING 3D000 database \"shop\" does not exist (COMMENT)",
            "42501 must be owner of database postgres",
        ],
        help: "The database's name is replaced by the target's: privileges and comment are kept. CONNECT stays with PUBLIC: every role with LOGIN can connect.",
        before: "GRANT CONNECT ON DATABASE shop TO tsdbowner;",
        after: "GRANT CONNECT ON DATABASE tsdb TO tsdbowner;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/aclchk.c; commands/comment.c, CommentObject",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let database = pg::ObjectType::ObjectDatabase as i32;
    match node {
        NodeEnum::CommentStmt(s) if s.objtype == database => {
            if let Some(name) = s.object.as_ref().and_then(|object| string(object)) {
                comment(ctx, statement, name);
            }
        }
        NodeEnum::GrantStmt(s) if s.objtype == database => privileges(ctx, statement, s),
        _ => {}
    }
}

/// The names behind ON DATABASE.
fn names(statement: &Statement<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = statement.words(&["ON", "DATABASE"]).map(|words| words.end);
    while let Some(name) = from.and_then(|from| statement.name_at(from)) {
        let comma = statement.code().find(|token| token.start >= name.end);
        from = comma.filter(|comma| comma.text(statement.sql()) == ",").map(|comma| comma.end);
        found.push(name);
    }
    found
}

fn comment(ctx: &mut Context<'_>, statement: &Statement<'_>, name: &str) {
    let Some(range) = names(statement).into_iter().next() else { return };
    let draft = || {
        let error = refusal(name);
        let severity = if error.sqlstate == "3D000" { Severity::Warning } else { Severity::Error };
        let draft = Draft::new("").at(range.clone()).object(format!("database {name}"));
        draft.severity(severity).server(error)
    };
    let gone =
        FixDraft::remove("it is another database's comment").lost(format!("comment on database {name}"));
    undecided::report(ctx, name, range.clone(), &draft, gone, "/CommentStmt/object/String/sval");
}

fn privileges(ctx: &mut Context<'_>, statement: &Statement<'_>, s: &pg::GrantStmt) {
    let database = &ctx.target.database;
    let all = strings(&s.objects);
    let fates: Vec<Fate> = all.iter().map(|name| fate(ctx.facts, ctx.target, ctx.options, name)).collect();
    let listed = all.join(", ");
    let refused = all.iter().zip(&fates).find(|(_, fate)| **fate != Fate::Own).map(|(name, _)| *name);
    let error = refused.map(|name| {
        match refusal(name) {
            // On the server's own databases it only warns.
            error if error.sqlstate == "42501" => {
                let done = if s.is_grant { "were granted" } else { "could be revoked" };
                let state = if s.is_grant { "01007" } else { "01006" };
                ServerError::new(state, format!("no privileges {done} for \"{name}\""))
            }
            error => error,
        }
    });
    let severity = match &error {
        Some(error) if error.sqlstate == "3D000" => Severity::Error,
        _ => Severity::Warning,
    };
    let draft = |message| {
        let draft = Draft::new(message).object(format!("database {listed}")).severity(severity);
        error.iter().fold(draft, |draft, error| draft.server(error.clone()))
    };
    let verb = if s.is_grant { "GRANT" } else { "REVOKE" };
    let gone = || {
        let fix = FixDraft::remove("they are another database's privileges")
            .lost(format!("{verb} on database {listed}"));
        draft(format!("database \"{listed}\" is not on the target")).fix(fix)
    };
    let is_here = |fate: &Fate| *fate != Fate::LeftOut;
    if !fates.iter().any(is_here) {
        ctx.report(gone());
        return;
    }
    if undecided::is_open(ctx.facts) {
        let open: Vec<&str> =
            all.iter().zip(&fates).filter(|(_, fate)| is_here(fate)).map(|(name, _)| *name).collect();
        undecided::keep(ctx, &open, gone());
    }
    let revoked = taken_from_public(s);
    let connect = revoked.as_ref().and_then(|names| names.iter().position(|name| name == "CONNECT"));
    let locks_out = |what: &str| {
        draft(format!(
            "PUBLIC would lose {what}: roles of the service itself might not reach {database} any more"
        ))
    };
    let lost = |what: &str, all: &str| {
        format!("REVOKE {what} ON DATABASE {listed} FROM PUBLIC: every role can connect{all}")
    };
    let token = statement.code().find(|token| token.is_word(statement.sql(), "connect"));
    let (draft, fix) = match (&revoked, connect.zip(token)) {
        (Some(names), Some((index, token))) if names.len() > 1 => {
            let fix = FixDraft::edit("Leave PUBLIC its CONNECT")
                .delete(statement.list_item(&(token.start..token.end)))
                .change(Change::Remove(format!("/GrantStmt/privileges/{index}")))
                .lost(lost("CONNECT", ""));
            (locks_out("CONNECT"), fix)
        }
        (Some(names), connect) if names.is_empty() || connect.is_some() => {
            let (what, all) =
                if names.is_empty() { ("ALL", ", and create temporary tables") } else { ("CONNECT", "") };
            let fix = FixDraft::remove("PUBLIC may go on to connect").lost(lost(what, all));
            ctx.report(locks_out(what).fix(fix));
            return;
        }
        _ if fates.iter().all(|fate| *fate == Fate::Own) => return,
        _ => {
            let message = format!("database \"{listed}\" is called {database} on the target");
            (draft(message), FixDraft::edit(format!("Say {database}")))
        }
    };
    ctx.report(draft.fix(renamed(ctx, statement, &fates, fix)));
}

/// The target's name for the databases that arrive, and nothing for those that do not.
fn renamed(ctx: &Context<'_>, statement: &Statement<'_>, fates: &[Fate], mut fix: FixDraft) -> FixDraft {
    let database = &ctx.target.database;
    for (index, (fate, range)) in fates.iter().zip(names(statement)).enumerate() {
        let path = format!("/GrantStmt/objects/{index}");
        fix = match fate {
            Fate::Own => fix,
            Fate::Renamed => fix
                .replace(range, quoted(database))
                .change(Change::set_str(format!("{path}/String/sval"), database)),
            Fate::LeftOut => fix.delete(statement.list_item(&range)).change(Change::Remove(path)),
        };
    }
    fix
}

/// The privileges that are taken from PUBLIC, none for all of them.
fn taken_from_public(s: &pg::GrantStmt) -> Option<Vec<String>> {
    let public = roles(&s.grantees).any(|role| role.roletype == pg::RoleSpecType::RolespecPublic as i32);
    if s.is_grant || s.grant_option || !public {
        return None;
    }
    let name = |privilege: &pg::Node| match privilege.node.as_ref()? {
        NodeEnum::AccessPriv(privilege) => Some(privilege.priv_name.to_ascii_uppercase()),
        _ => None,
    };
    Some(s.privileges.iter().filter_map(name).collect())
}
