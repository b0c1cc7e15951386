//! TS-04: a dump of the schema alone holds no hypertable.

use std::fmt::Write as _;

use super::hypertable_script;
use super::orphans::{Orphans, aggregate_of, look, materialization};
use crate::edit::{Action, Fix, Safety};
use crate::facts::timescale::INTERNAL;
use crate::facts::{Facts, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::options::Options;
use crate::parse::{Class, StatementKind};
use crate::rewrite::{Planned, Rewriter, Style, plan_fix};
use crate::rule::{About, Answers, Context, Doc, Draft, Finding, Finish, Piece, Rule, Subject};
use crate::text::Span;

/// The file of the script.
const FILE: &str = "hypertables.sql";

const TITLE: &str = "Remove it: hypertables.sql creates the hypertables and aggregates again";

pub(crate) const RULE: Rule = Rule {
    id: "TS-04",
    name: "schema-only-hypertables",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("ts.schema-only", "Hypertables of a schema-only dump come back as plain tables."),
    statements: StatementKind::ALL,
    pieces: &[Piece::Unparsed, Piece::Meta],
    about: About::File,
    doc: Doc {
        summary: "A dump of the schema alone loses every hypertable and continuous aggregate, without an error.",
        what: "Chunks, triggers and views of TimescaleDB in a dump that has no rows of TimescaleDB's catalogs: one that \
               pg_dump wrote with --schema-only or --section=pre-data, or without the schemas of TimescaleDB.",
        why: "What makes a table a hypertable are rows in _timescaledb_catalog, and a dump of the schema has no rows. It \
              restores without an error: hypertables become plain tables, each chunk a table that nobody fills, \
              continuous aggregates views on tables that nobody refreshes.",
        server: &[
            "42P01 relation \"_timescaledb_internal._materialized_hypertable_2\" does not exist (where the dump excludes TimescaleDB's schemas)",
        ],
        help: "The rewrite removes chunks, TimescaleDB's triggers and its views, and hypertables.sql creates the rest again: hypertables with their dimensions and intervals as the chunks show them, compression settings as the compressed chunks show them, continuous aggregates with their own queries, and what depends on those. Run it after the schema and before the rows are loaded. Policies and jobs are not in such a dump. tsmigrate migrate moves all of it from the live source. If the rows of the catalogs are in another file of the same dump, check the files together.",
        before: "CREATE TABLE app.metrics (\n    ts timestamp with time zone NOT NULL\n);\nCREATE TABLE _timescaledb_internal._hyper_1_1_chunk (\n    CONSTRAINT constraint_1 CHECK (((ts >= '2024-01-01 00:00:00+00'::timestamp with time zone) AND (ts < '2024-01-02 00:00:00+00'::timestamp with time zone)))\n)\nINHERITS (app.metrics);\n",
        after: "CREATE TABLE app.metrics (\n    ts timestamp with time zone NOT NULL\n);\n-- tsmigrate TS-04: Remove it: hypertables.sql creates the hypertables and aggregates again\n-- CREATE TABLE _timescaledb_internal._hyper_1_1_chunk (\n--     CONSTRAINT constraint_1 CHECK (((ts >= '2024-01-01 00:00:00+00'::timestamp with time zone) AND (ts < '2024-01-02 00:00:00+00'::timestamp with time zone)))\n-- )\n-- INHERITS (app.metrics);\n",
        sources: Doc::sources(&[
            "TimescaleDB src/chunk_constraint.c, create_dimension_check_constraint; src/hypertable.c, insert_blocker_trigger_add",
            "TimescaleDB sql/pre_install/tables.sql",
        ]),
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// True where the hypertables of the dumps have to be made again.
pub(crate) fn applies(facts: &Facts, options: &Options) -> bool {
    is_without_catalogs(facts, options) && facts.timescale.chunk_rows.is_none()
}

fn is_without_catalogs(facts: &Facts, options: &Options) -> bool {
    facts.timescale.is_used()
        && facts.timescale.catalogs.is_none()
        && !options.catalogs_follow
        && !options.is_off(RULE.id)
}

fn check(ctx: &mut Context<'_>) {
    match ctx.subject {
        Subject::Statement(statement) => {
            look(ctx, statement);
            if let Some(id) = aggregate_of(statement) {
                let table = ObjectId::new(Class::Relation, Some(INTERNAL), &materialization(id));
                if !ctx.facts.relations.contains_key(&table) && !ctx.options.catalogs_follow {
                    let name = table.path();
                    ctx.report(
                        Draft::new(format!("the materialization {name} of this continuous aggregate is not in the dump"))
                            .server(ServerError::new("42P01", format!("relation \"{name}\" does not exist")))
                            .advice(
                                "Dump the schema without --exclude-schema: the queries of continuous aggregates are in \
                                 _timescaledb_internal.",
                            ),
                    );
                }
            }
        }
        Subject::Meta { .. } | Subject::Unparsed { .. } => ctx.states.of::<Orphans>().interrupt(),
        _ => {}
    }
}

fn finish(all: &mut Finish<'_>) {
    if !is_without_catalogs(all.facts, all.options) {
        return;
    }
    let timescale = &all.facts.timescale;
    let places = timescale.hypertables.values().map(|table| table.place);
    let first = places.chain(timescale.aggregates.values().map(|one| one.place)).flatten().min();
    let Some(place) = first else { return };
    let (tables, aggregates) = (timescale.hypertables.len(), timescale.aggregates.len());
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut what = many(tables, "hypertable");
    if aggregates > 0 {
        what = format!("{what} and {}", many(aggregates, "continuous aggregate"));
    }
    if let Some(rows) = timescale.chunk_rows {
        all.report(
            rows,
            Draft::new(format!(
                "rows of chunks are in the dump, but not the rows of TimescaleDB's catalogs: {what} would be lost, and \
                 these rows would lie in tables that nobody reads"
            ))
            .advice(
                "Dump the whole database, without --exclude-schema and --table, or use tsmigrate migrate. For the schema \
                 alone use --schema-only: then the rewrite comes with a script that makes the hypertables again.",
            ),
        );
        return;
    }
    let Some(orphans) = all.states.get::<Orphans>().filter(|orphans| !orphans.runs.is_empty()) else {
        return;
    };
    all.findings.retain(|finding| {
        let place = finding.place;
        place.statement == 0
            || *finding.rule == RULE
            || !orphans.covers(place.input, place.span.start)
            || orphans.moves(place.input, place.statement)
    });
    let written = hypertable_script::write(all.facts);
    let doubts = written.doubts.len();
    let script = script(all, orphans, &what, &written.sql);
    all.script(
        FILE,
        "Creates the hypertables again: run it after the rewritten schema, before the rows",
        script,
    );

    let mut advice =
        format!("Run {FILE} as {} after the rewritten schema and before rows are loaded.", all.target.admin);
    if doubts > 0 {
        let _ = write!(advice, " It has {} marked CHECK: look at them first.", many(doubts, "place"));
    }
    advice
        .push_str(" Or use tsmigrate migrate, which moves hypertables as they are, with policies and jobs.");
    let span = orphans.runs.iter().find(|(input, _)| *input == place.input);
    let span = span.map_or(Span::new(place.span.start, place.span.start), |(_, span)| *span);
    all.report(
        place,
        Draft::new(format!(
            "the dump has no rows of TimescaleDB's catalogs: {what} would be lost without an error"
        ))
        .advice(advice),
    );
    if let Some(finding) = all.findings.last_mut().filter(|_| !span.is_empty()) {
        finding.solved = true;
        finding.fix = Some(Box::new(Fix {
            title: TITLE.into(),
            safety: Safety::Safe,
            present: false,
            action: Action::Remove { span },
            lost: Some("policies and jobs: a dump of the schema has none".into()),
        }));
    }
}

/// The changes of an input that take out what belongs to TimescaleDB, in place of all changes inside of that.
pub(crate) fn plan(runs: &[(usize, Span)], input: usize, planned: &mut Vec<Planned>) {
    let runs: Vec<Span> = runs.iter().filter(|(i, _)| *i == input).map(|(_, span)| *span).collect();
    let inside = |span: Span| {
        let behind = runs.partition_point(|run| run.start <= span.start);
        let run = behind.checked_sub(1).and_then(|last| runs.get(last));
        run.is_some_and(|run| span.start < run.end || span.is_empty() && span.start == run.end)
    };
    planned.retain(|planned| !inside(planned.span()));
    planned.extend(runs.iter().map(|span| Planned::Remove {
        span: *span,
        rule: RULE.id,
        title: TITLE.into(),
    }));
}

fn script(all: &Finish<'_>, orphans: &Orphans, what: &str, body: &str) -> String {
    let mut sql = format!(
        "-- Makes {what} again that a dump of the schema does not hold.\n\
         -- Run it as {} in the service's database, after the rewritten schema and before the rows:\n\
         --   psql -X -v ON_ERROR_STOP=1 -f {FILE}\n\n\
         SET search_path = public, pg_catalog;\n\n{body}",
        all.target.admin
    );
    let later: Vec<String> = orphans
        .later
        .iter()
        .map(|later| {
            later.instead.clone().unwrap_or_else(|| {
                let own = |finding: &&Finding| {
                    finding.solved
                        && (finding.place.input, finding.place.statement) == (later.input, later.statement)
                };
                rewritten(&later.sql, later.span.start, all.findings.iter().filter(own))
            })
        })
        .filter(|text| !text.trim().is_empty())
        .collect();
    if !later.is_empty() {
        sql.push_str("-- What depends on continuous aggregates.\n");
        sql.push_str(&later.join("\n"));
        sql.push_str("\n\n");
    }
    sql.push_str(
        "-- Policies and jobs are not in a dump of the schema. On the source:\n\
         --   SELECT job_id, proc_schema, proc_name, hypertable_schema, hypertable_name, schedule_interval, config\n\
         --   FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id;\n\
         -- Add them once the rows are loaded: add_retention_policy, add_compression_policy,\n\
         -- add_continuous_aggregate_policy, add_reorder_policy, add_job. Refresh continuous aggregates then too:\n\
         --   CALL public.refresh_continuous_aggregate('…', NULL, NULL);\n",
    );
    sql
}

/// A statement as the fixes of its findings make it.
fn rewritten<'f>(sql: &str, start: u64, findings: impl Iterator<Item = &'f Finding>) -> String {
    let mut planned = Vec::new();
    for finding in findings {
        if let Some(fix) = &finding.fix {
            plan_fix(&mut planned, finding.rule.id, fix);
        }
    }
    let back = |span: Span| Span::new(span.start.saturating_sub(start), span.end.saturating_sub(start));
    for one in &mut planned {
        match one {
            Planned::Replace(edit) => edit.span = back(edit.span),
            Planned::Remove { span, .. } => *span = back(*span),
        }
    }
    planned.sort_by_key(|planned| (planned.span().start, planned.span().end));
    planned.dedup();
    let mut rewriter = Rewriter::new(&planned, Style::Delete);
    let mut out = Vec::new();
    rewriter.feed(sql.as_bytes(), &mut out);
    rewriter.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}
