//! TS-06: background jobs of another role.

use crate::edit::Safety;
use crate::facts::names::{quoted, quoted_path};
use crate::facts::rows::{CatalogTable, Row, rows_of_insert};
use crate::facts::timescale::unquoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "TS-06",
    name: "job-owner",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "ts.jobs",
        "Rows of jobs with owners that the target does not have; jobs that run on a live source.",
    ),
    statements: &[StatementKind::InsertStmt],
    pieces: &[Piece::Row],
    doc: Doc {
        summary: "Rows of TimescaleDB's jobs whose owner is not the restoring role.",
        what: "Rows of bgw_job (in _timescaledb_config, from 2.25 on in _timescaledb_catalog) with ids from 1000 on: \
               policies and user-defined actions.",
        why: "A role that does not exist makes the COPY of all jobs fail. The service hands postgres' jobs over to tsdbadmin and refuses those of other roles. Where no such trigger is, tsdbadmin could not even pause them, and a job whose owner does not own its hypertable fails each time it runs.",
        server: &[
            "42704 role \"jobber\" does not exist",
            "42501 insufficient permissions to alter job 1000 (later, in alter_job)",
            "42501 permission denied to start background process as role \"jobber\" (later, for an owner without LOGIN)",
        ],
        help: "The owner in the row becomes tsdbadmin, as hypertables and continuous aggregates are tsdbadmin's there. A \
               user-defined action then runs with tsdbadmin's privileges: look at what its procedure does. Pause jobs \
               until the rows are checked: SELECT public.alter_job(id, scheduled => false).",
        before: "COPY _timescaledb_config.bgw_job (id, application_name, proc_schema, proc_name, owner, scheduled) FROM stdin;\n1004	User-Defined Action [1004]	public	tidy	jobber	t\n\\.\n",
        after: "COPY _timescaledb_config.bgw_job (id, application_name, proc_schema, proc_name, owner, scheduled) FROM stdin;\n1004	User-Defined Action [1004]	public	tidy	tsdbadmin	t\n\\.\n",
        sources: Doc::sources(&[
            "timescale/docs, migrate/troubleshooting.md, Ownership of background jobs",
            "TimescaleDB tsl/src/bgw_policy/job_api.c; src/bgw/job.c, ts_bgw_job_validate_job_owner",
        ]),
        link: crate::rules::TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    match ctx.subject {
        Subject::Row(row) => {
            let admin = quoted(&ctx.target.admin);
            look(ctx, row, |fix, range| fix.replace(range, escaped(&admin)));
        }
        Subject::Statement(statement) if matches!(statement.node(), NodeEnum::InsertStmt(_)) => {
            for (number, row) in rows_of_insert(ctx.facts, statement).iter().enumerate() {
                let Some(column) = row.position("owner") else { continue };
                let admin = quoted(&ctx.target.admin);
                let path = format!(
                    "/InsertStmt/select_stmt/SelectStmt/values_lists/{number}/List/items/{column}/AConst/val/Sval/sval"
                );
                look(ctx, row, |fix, range| {
                    fix.replace(range, format!("'{}'", admin.replace('\'', "''")))
                        .change(Change::set_str(path, &admin))
                });
            }
        }
        _ => {}
    }
}

/// A field of COPY's text format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn look(ctx: &mut Context<'_>, row: &Row, edit: impl FnOnce(FixDraft, std::ops::Range<usize>) -> FixDraft) {
    if row.table != CatalogTable::Job || row.number("id").is_none_or(|id| id < 1000) {
        return;
    }
    let (Some(id), Some(owner), Some(range)) = (row.number("id"), row.get("owner"), row.range("owner"))
    else {
        return;
    };
    let (owner, admin) = (unquoted(owner), &ctx.target.admin);
    if owner == *admin || range.is_empty() {
        return;
    }
    let (schema, name) =
        (row.get("proc_schema").unwrap_or_default(), row.get("proc_name").unwrap_or_default());
    let is_action = !schema.starts_with("_timescaledb_");
    let what = if is_action {
        format!("job {id} ({})", quoted_path(Some(schema), name))
    } else {
        format!("job {id} ({name})")
    };
    let is_there = ctx.facts.makes_role(&owner) || ctx.target.has_role(&owner);
    let mut draft = Draft::new(match () {
        () if !is_there => format!("{what} is owned by {owner}, a role that these files do not create"),
        () if owner == "postgres" => {
            format!("{what} is owned by postgres: the service hands it over to {admin}")
        }
        () => format!("{what} is owned by {owner}: the service takes jobs of the role that restores only"),
    })
    .at(range.clone())
    .object(format!("job {id}"));
    if !is_there {
        draft = draft.server(ServerError::missing_role(&owner));
    } else if owner == "postgres" {
        draft = draft.severity(Severity::Warning);
    }
    if is_action {
        let former =
            if owner == "postgres" || ctx.facts.is_superuser(&owner) { ", a superuser's" } else { "" };
        draft = draft.advice(format!(
            "Look at {}: it runs with {admin}'s privileges then, no longer with {owner}'s{former}.",
            quoted_path(Some(schema), name)
        ));
    }
    let fix = FixDraft::edit(format!("Give it to {admin}"))
        .lost(format!("owner {owner} of job {id}: it runs as {admin}"));
    ctx.report(draft.fix(edit(fix, range)));
}
