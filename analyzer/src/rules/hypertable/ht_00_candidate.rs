//! HT-00: tables that could be hypertables, and the script that converts them; tables that become hypertables while they
//! are restored.

use super::interval;
use super::interval::time_type;
use super::links::PAGE;
use super::making::{Making, chosen, making};
use super::obstacle::{Obstacle, When};
use super::obstacles::obstacles;
use super::score::candidates;
use super::script::{self, Section};
use super::tables::Tables;
use crate::conversion::Conversion;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::{Facts, ObjectId};
use crate::finding::Severity;
use crate::parse::StatementKind;
use crate::quote::literal;
use crate::rule::{Answers, Context, Doc, Draft, Finish, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-00",
    name: "hypertable-candidate",
    severity: Severity::Note,
    fix: Safety::Safe,
    answers: Answers::limit("ht.candidates", "Tables that may become hypertables."),
    statements: &[StatementKind::CreateStmt, StatementKind::SelectStmt],
    doc: Doc {
        summary: "A table that could be a hypertable.",
        what: "Tables whose rows are points in time: partitioned by ranges of time (by PostgreSQL, by inheritance, by pg_partman), or named and built like metrics, events, logs and measurements. Each gets a score whose parts the finding spells out; from 5 on, and where the table's name, its partitions, a BRIN index or measured values speak of a series, it is suggested. A table that was chosen (--hypertable) is created a hypertable right behind its CREATE TABLE.",
        why: "A hypertable creates its partitions by itself, compresses old ones, drops them by a policy and reads only \
              those that a query needs. A plain table does none of that. This is advice: the dump restores without \
              it.",
        server: &[],
        help: "Run convert-to-hypertables.sql after the restore: it has a section for each table, and says what \
               stands in the way. Or choose a table, and the rewritten dump restores it as a hypertable: --hypertable \
               schema.table:column[:interval].",
        before: "CREATE TABLE public.readings (\n    \"time\" timestamp with time zone DEFAULT now() NOT NULL,\n    \
                 sensor_id integer NOT NULL,\n    value double precision\n);\nCREATE INDEX readings_sensor_id_time_idx \
                 ON public.readings USING btree (sensor_id, \"time\" DESC);",
        after: "",
        sources: Doc::sources(&[
            "https://www.tigerdata.com/docs (livesync: choosing tables)",
            "TimescaleDB sql/ddl_api.sql, create_hypertable",
        ]),
        link: PAGE,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    match making(ctx) {
        None => {}
        Some(Making::Called { table, columns, migrates }) => {
            let columns: Vec<&str> = columns.iter().map(|column| &**column).collect();
            for obstacle in now(ctx.facts, &table, &columns, migrates) {
                report(ctx, obstacle, true);
            }
        }
        Some(Making::Dimension { table, columns }) => {
            let columns: Vec<&str> = columns.iter().map(|column| &**column).collect();
            let found = now(ctx.facts, &table, &columns, true);
            for obstacle in found.into_iter().filter(|one| one.rule.id == super::ht_02_unique::RULE.id) {
                report(ctx, obstacle, true);
            }
        }
        Some(Making::Declared) => {
            let Some(facts) = with_statement(ctx) else { return };
            let place = ctx.statement().map(|statement| statement.place(&statement.range()));
            let new = facts.converted.iter().find(|(_, hypertable)| Some(hypertable.place) == place);
            let Some((table, hypertable)) = new else { return };
            let columns: Vec<&str> = hypertable.columns.iter().map(|column| &**column).collect();
            for obstacle in now(&facts, table, &columns, true) {
                report(ctx, obstacle, false);
            }
        }
        Some(Making::Chosen { table }) => make_chosen(ctx, &table),
    }
}

/// The facts as they are behind the statement.
fn with_statement(ctx: &Context<'_>) -> Option<Facts> {
    let mut facts = ctx.facts.clone();
    facts.observe(ctx.statement()?, None);
    Some(facts)
}

fn now(facts: &Facts, table: &ObjectId, columns: &[&str], migrates: bool) -> Vec<Obstacle> {
    let tables = Tables::new(facts);
    tables
        .get(table)
        .map_or_else(Vec::new, |table| obstacles(&tables, &table, columns, When::Now { migrates }))
}

/// Reports an obstacle under its own rule.
fn report(ctx: &mut Context<'_>, obstacle: Obstacle, is_elsewhere: bool) {
    let own = std::mem::replace(&mut ctx.rule, obstacle.rule);
    let mut draft = Draft::new(obstacle.message).severity(obstacle.severity).advice(obstacle.advice);
    if let Some(server) = obstacle.server {
        draft = draft.server(server);
    }
    if let Some(object) = obstacle.object {
        draft = draft.object(object);
    }
    if is_elsewhere {
        draft = draft.related(obstacle.place, "made here");
    }
    ctx.report(draft);
    ctx.rule = own;
}

/// A table that the person chose: it becomes a hypertable before its rows come.
fn make_chosen(ctx: &mut Context<'_>, table: &ObjectId) {
    let (Some(conversion), Some(facts)) = (chosen(ctx, table), with_statement(ctx)) else { return };
    let tables = Tables::new(&facts);
    let Some(found) = tables.get(table) else { return };
    let Some(column) = found.column(&conversion.column) else { return };
    let kind = time_type(found.data_type(column)).unwrap_or(interval::TimeType::TimestampTz);
    let stands = obstacles(&tables, &found, &[&conversion.column], When::Now { migrates: true });
    let is_refused = stands.iter().any(|obstacle| obstacle.severity == Severity::Error);
    for obstacle in stands {
        report(ctx, obstacle, false);
    }
    if is_refused {
        return;
    }
    let call = call(table, conversion, kind);
    let draft = Draft::new(format!(
        "{} becomes a hypertable on the column {}",
        table.path(),
        quoted(&conversion.column)
    ))
    .object(format!("table {}", table.path()))
    .advice("Everything that comes behind in the dump is changed where a hypertable needs it.")
    .fix(FixDraft::surround("Make it a hypertable, as was asked for", Vec::new(), vec![call]));
    ctx.report(draft);
}

fn call(table: &ObjectId, conversion: &Conversion, kind: interval::TimeType) -> String {
    let interval = match &conversion.interval {
        Some(given) if given.parse::<i64>().is_ok() => given.trim().to_owned(),
        Some(given) => format!("INTERVAL {}", literal(given)),
        None => interval::interval(kind, &conversion.column, None, None).sql,
    };
    format!(
        "SELECT public.create_hypertable({}, public.by_range({}, {interval}), create_default_indexes => false);",
        literal(&table.path()),
        literal(&conversion.column)
    )
}

fn finish(all: &mut Finish<'_>) {
    let facts = all.facts;
    let tables = Tables::new(facts);
    let candidates = candidates(&tables);
    if candidates.is_empty() {
        return;
    }
    let ids: Vec<&ObjectId> = candidates.iter().map(|candidate| candidate.table.id).collect();
    let mut sections = Vec::new();
    for candidate in &candidates {
        let found = obstacles(&tables, &candidate.table, &[candidate.column], When::Later(&ids));
        let section = Section { candidate, obstacles: found };
        suggest(all, &section);
        // Where it was asked for, its obstacles are errors already.
        let id = candidate.table.id;
        let is_asked_for = facts.refused_hypertables.contains(id)
            || all
                .options
                .convert
                .contains_key(&(id.schema.as_deref().unwrap_or("").into(), id.name.to_string()));
        for obstacle in section.obstacles.iter().filter(|_| !is_asked_for) {
            note(all, obstacle);
        }
        sections.push(section);
    }
    all.script(script::FILE, script::TITLE, script::script(facts, &sections));
}

fn suggest(all: &mut Finish<'_>, section: &Section<'_>) {
    let Section { candidate, obstacles: found } = section;
    let path = candidate.table.id.path();
    let stands = if found.is_empty() {
        "Nothing stands in the way.".to_owned()
    } else {
        let each = |one: &Obstacle| format!("{} ({}, line {})", one.rule.id, one.message, one.place.line);
        format!("To be looked at: {}.", found.iter().map(each).collect::<Vec<_>>().join("; "))
    };
    let advice = format!(
        "Score {}: {}. {stands} {} in {} converts it after the restore: {}",
        candidate.total(),
        candidate.spelled(),
        if section.is_undecided() { "Its section, once you have decided," } else { "Its section" },
        script::FILE,
        script::call(candidate),
    );
    let mut draft = Draft::new(format!(
        "{path} could be a hypertable on the column {} (score {})",
        quoted(candidate.column),
        candidate.total()
    ))
    .object(format!("table {path}"))
    .advice(advice);
    for one in found.iter().filter(|one| one.place != candidate.table.relation.place) {
        draft = draft.related(one.place, format!("{}: {}", one.rule.id, one.message));
    }
    all.report(candidate.table.relation.place, draft);
}

/// What stands in the way, under its own rule: advice, as nothing has been asked for.
fn note(all: &mut Finish<'_>, obstacle: &Obstacle) {
    let own = std::mem::replace(&mut all.rule, obstacle.rule);
    let mut draft = Draft::new(format!("before it can be a hypertable: {}", obstacle.message))
        .severity(Severity::Note)
        .advice(&*obstacle.advice);
    if let Some(server) = &obstacle.server {
        draft = draft.server(server.clone());
    }
    if let Some(object) = &obstacle.object {
        draft = draft.object(&**object);
    }
    all.report(obstacle.place, draft);
    all.rule = own;
}
