//! EXT-08: rows of an extension's own tables.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted_path, relation};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "EXT-08",
    name: "extension-rows",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("extension.members", "Rows and changes of an extension's own tables."),
    statements: &[StatementKind::CopyStmt, StatementKind::InsertStmt, StatementKind::SelectStmt],
    doc: Doc {
        summary: "Rows (and sequence values) of a table that belongs to an extension.",
        what: "A dump never holds an extension's objects, but it holds the rows of its configuration tables: \
               cron.job, partman.part_config, topology.topology, public.spatial_ref_sys and their like, even where \
               there are none.",
        why: "The tables of an extension that the target refuses do not exist. Those of one that it takes belong to the superuser: tsdbadmin can read them, and not write.",
        server: &[
            "42P01 relation \"cron.job\" does not exist",
            "42501 permission denied for table spatial_ref_sys",
        ],
        help: "A COPY without rows is removed. Rows are yours: copy them by hand, then leave them out here with --accept EXT-08. Jobs of pg_cron become SELECT add_job('procedure', '1 day'); coordinate systems of your own and topologies need the service's support.",
        before: "CREATE EXTENSION postgis WITH SCHEMA public;\nCOPY public.spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text) FROM stdin;\n990001	mine	1	LOCAL_CS[]	\n\\.\n",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL doc/src/sgml/extend.sgml, Extension Configuration Tables",
            "control and script files of the extensions",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let found = match node {
        NodeEnum::CopyStmt(s) if s.is_from => s.relation.as_ref().map(relation),
        NodeEnum::InsertStmt(s) => s.relation.as_ref().map(relation),
        // SELECT pg_catalog.setval('cron.jobid_seq', 7, true)
        NodeEnum::SelectStmt(_) => {
            let references = statement.references();
            let sets = references.iter().any(|r| r.class == Class::Function && &*r.name == "setval");
            references
                .iter()
                .find(|r| sets && r.class == Class::Relation)
                .map(|r| (r.schema.as_deref(), &*r.name))
        }
        _ => None,
    };
    let Some((schema, name)) = found else { return };
    if ctx.facts.declares(&ctx.resolved(&ObjectId::new(Class::Relation, schema, name))) {
        return;
    }
    // TimescaleDB's catalog is there to be written by a restore.
    let owner = ctx.facts.extensions.keys().find(|extension| {
        &***extension != "timescaledb"
            && ctx.facts.is_member_of(extension, Class::Relation, schema, name)
            && members(extension).is_some_and(|known| known.is_config(schema, name))
    });
    let Some(extension) = owner.cloned() else { return };
    let words = format!("table {}", quoted_path(schema, name));
    let absence = ctx.facts.absent.get(&ObjectId::new(Class::Extension, None, &extension)).cloned();
    let is_sequence = matches!(node, NodeEnum::SelectStmt(_));
    let (words, kind) = if is_sequence {
        (format!("sequence {}", quoted_path(schema, name)), "sequence")
    } else {
        (words, "table")
    };
    let lost = if is_sequence { format!("value of {words}") } else { format!("rows of {words}") };
    let mut draft = match &absence {
        Some(absence) => {
            Draft::new(format!("{words} belongs to extension {extension}, which the target will not have"))
                .server(ServerError::new(
                    "42P01",
                    format!("relation \"{}\" does not exist", quoted_path(schema, name)),
                ))
                .cause(ctx.registry.cause(absence))
        }
        None => {
            Draft::new(format!("{words} belongs to extension {extension}: only a superuser can write it"))
                .server(ServerError::new("42501", format!("permission denied for {kind} {name}")))
        }
    };
    draft = draft.object(words).fix(FixDraft::remove(format!("it is {extension}'s own")).review().lost(lost));
    if &*extension == "pg_cron" && name == "job" {
        draft = draft.advice(
            "Make each row a job of the service: SELECT add_job('procedure', schedule_interval => '…').",
        );
    } else if let Some(advice) = ctx.target.extension_advice.get(&*extension).filter(|_| absence.is_some()) {
        draft = draft.advice(advice);
    }
    ctx.report(draft);
}
