//! The stages of a restore that write, in their order.

use super::context::Restore;
use super::hypertables;
use super::known;
use super::large_objects;
use super::past_policies;
use super::verify;
use crate::connect::Session;
use crate::converted::Conversions;
use crate::engine::builds::Build;
use crate::engine::config::ConfigTable;
use crate::engine::load::Load;
use crate::engine::pool::OnStep;
use crate::engine::rate::Rate;
use crate::engine::retry::retrying;
use crate::engine::rows::ArchiveRows;
use crate::engine::rows::Rows;
use crate::engine::sequences;
use crate::error::Error;
use crate::inspect::Facts;
use crate::journal::Identity;
use crate::migrate;
use crate::migrate::copied::Copied;
use crate::migrate::copy_plan;
use crate::migrate::copy_plan::CopyPlan;
use crate::migrate::copy_plan::TableRanges;
use crate::migrate::driver::StageResult;
use crate::migrate::driver::TargetRun;
use crate::migrate::engine_setup;
use crate::migrate::handover::Handover;
use crate::migrate::loaded::Loaded;
use crate::migrate::manifest::Manifest;
use crate::migrate::scripts::Scripts;
use crate::migrate::servers;
use crate::migrate::sorted_builds::SortedBuilds;
use crate::migrate::stages::access;
use crate::migrate::stages::analyze;
use crate::migrate::stages::catalogs;
use crate::migrate::stages::data;
use crate::migrate::stages::extensions;
use crate::migrate::stages::foreign_keys;
use crate::migrate::stages::jobs;
use crate::migrate::stages::ownership;
use crate::migrate::stages::refresh::{self, Readers};
use crate::migrate::stages::restoring;
use crate::migrate::stages::roles;
use crate::migrate::stages::statements;
use crate::migrate::violations::Unfulfilled;
use crate::migrate::violations::Violation;
use crate::quote::literal;
use crate::record;
use crate::results::Missing;
use crate::step::List;
use crate::step::Step;
use crate::tables;
use crate::verify::known as announced;
use crate::verify::known::Known;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a restore has of jobs, and what it starts.
pub(super) fn moved<'a>(context: &'a Restore, source: &'a Facts, target: &'a Facts) -> jobs::Moved<'a> {
    jobs::Moved {
        jobs: &context.contents.hypertables.jobs,
        source,
        target,
        due: context.contents.manifest.as_ref().map(|manifest| &manifest.due),
        start: context.args.start_jobs,
    }
}

/// Writes what is not marked as done; true where the target's rows are the archive's, as far as they were compared.
pub(super) async fn write_and_compare(
    context: &Arc<Restore>,
    moved: &jobs::Moved<'_>,
    scripts: Scripts,
    violations: &[Violation],
    begun: CopyPlan,
) -> Result<bool, Error> {
    let CopyPlan { marks, tables } = begun;
    *context.copied() = Copied::new(&tables, &marks);
    let session = context.target.open().await?;
    let watcher = context.clone();
    let on_step: OnStep = Box::new(move |step, rows| watcher.step(step, rows));
    let sums = context.contents.manifest.as_ref().map(Manifest::sums).unwrap_or_default();
    let archive = Arc::new(ArchiveRows::new(context.contents.rows(), sums, !context.args.no_verify));
    let rows = Rows::Archive(archive.clone());
    let engine = engine_setup::of_run(context, &session, rows, marks, "", Rate::new(None), on_step).await?;
    drop(session);
    let run = TargetRun { context, engine: Arc::new(engine) };
    write(context, &run, &archive, moved, (scripts, violations), tables).await
}

/// Runs all stages that write; true where the target's rows are the archive's, as far as they were compared.
async fn write(
    context: &Restore,
    run: &TargetRun<'_>,
    archive: &Arc<ArchiveRows>,
    moved: &jobs::Moved<'_>,
    (mut scripts, violations): (Scripts, &[Violation]),
    mut tables: Vec<TableRanges>,
) -> Result<bool, Error> {
    let mut loaded = Loaded::default();
    let timescale = moved.source.timescale.as_ref();
    let restoring = timescale.is_some() && !run.is_done(&Step::Restored);
    let mut handover = Handover::new(timescale, &scripts.access);
    create(run, &scripts, moved, &handover, restoring, &mut loaded).await?;
    let session = run.target().await?;
    run.stage("tables", match_tables(context, &session, &mut tables)).await?;
    let partitions = analyze::partitioned(&session).await?.partitions;
    let catalogs = hypertables::catalogs(&session, &context.contents.hypertables.catalogs).await?;
    let mut compared = verify::Compared::new(&session, &tables, &context.contents.created).await?;
    compared.with_catalogs(&catalogs);
    let copied = tables.iter().map(|(table, _)| table);
    let null_batches = hypertables::null_batches(&session, timescale, copied).await?;
    // There is one start in each process.
    let _ = archive.shapes.set(compared.shapes.clone());
    let _ = archive.shapes_of_source.set(compared.shapes_of_source.clone());
    let _ = archive.null_batches.set(null_batches);
    fill_catalogs(run, &session, &catalogs, moved, &mut loaded).await?;
    drop(session);
    let relations = copy_plan::relations(&tables);
    let post_data = std::mem::take(&mut scripts.post_data);
    let allowed = migrate::violations::allowed(violations);
    let mut sorted = SortedBuilds::new(post_data, &relations, timescale, &Conversions::default(), &allowed);
    let steps = copy_plan::by_table(&tables);
    let load = Load {
        tables,
        objects: Vec::new(),
        builds: std::mem::take(&mut sorted.builds.tables),
        foreign_keys: sorted.while_copying,
        analyzed_with_root: Arc::new(|_| false),
    };
    if let Err(error) = run.stage("data", data::run(run, load, partitions, &mut loaded)).await {
        return Err(foreign_keys::with_later(run, error, &steps, sorted.after_rows).await?);
    }
    run.stage("large objects", large_objects::run(run, &context.contents)).await?;
    run.stage("sequences", set_sequences(context, run)).await?;
    sorted.builds.without(&migrate::violations::keys_left_out(&run.target().await?, violations).await?);
    statements::stage(run, List::PostData, &sorted.builds.rest).await?;
    run.stage("foreign keys", foreign_keys::run(run, sorted.after_rows)).await?;
    // As long as nothing is hidden from who has copied it.
    let equal = verify::run(context, archive, &compared).await?;
    let row_security: Vec<_> =
        sorted.builds.row_security.into_iter().map(|(_, statement)| statement).collect();
    statements::stage(run, List::RowSecurity, &row_security).await?;
    handover.wait_for(&sorted.after_restoring.foreign_keys, &scripts.access);
    if restoring {
        servers::check_target(context, timescale.map(|timescale| timescale.version.as_str())).await?;
        run.stage("privileges", access::of_hypertables(run, &scripts.access, &handover)).await?;
        run.stage("restored", restoring::leave(run)).await?;
    }
    run.stage("foreign keys", foreign_keys::run(run, sorted.after_restoring.foreign_keys)).await?;
    statements::stage(run, List::LateRowSecurity, &sorted.after_restoring.row_security).await?;
    finish(context, run, &scripts, moved, &handover, sorted.builds.refreshes, &mut loaded).await?;
    let (missing, unfulfilled) = migrate::violations::unfulfilled(&run.target().await?, violations).await?;
    context.report().missing.extend(missing);
    announce(context, moved, &loaded, &unfulfilled);
    Ok(equal)
}

/// Keeps what the restore has announced, for a comparison with the database that was dumped, where that can be had.
fn announce(context: &Restore, moved: &jobs::Moved<'_>, loaded: &Loaded, unfulfilled: &[Unfulfilled]) {
    let mut findings = context.report().findings.clone();
    findings.extend(unfulfilled.iter().map(Unfulfilled::finding));
    let known = Known {
        format: record::FORMAT,
        source: context.contents.identity.clone(),
        target: Identity::of(moved.target),
        before: moved.target.clone(),
        announcements: findings.iter().map(Into::into).collect(),
        skipped: context.contents.without_rows().into_iter().chain(loaded.skipped.clone()).collect(),
        kept: loaded.kept.clone(),
        jobs_wait: !context.args.start_jobs,
        moving: context.contents.moving().cloned(),
        has_others: context.args.one_of_several,
        ..Known::default()
    };
    if let Err(error) = context.work.keep(announced::FILE, &known) {
        context.progress.warn(&error.to_string());
    }
}

/// Creates everything that rows go into, with its owners.
async fn create(
    run: &TargetRun<'_>,
    scripts: &Scripts,
    moved: &jobs::Moved<'_>,
    handover: &Handover,
    restoring: bool,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    run.step("roles", Step::Roles, roles::run(run, &scripts.roles)).await?;
    let timescale = moved.source.timescale.as_ref();
    run.stage("extensions", extensions::run(run, &scripts.extensions, timescale)).await?;
    if restoring {
        run.stage("restoring", restoring::enter(run)).await?;
    }
    statements::stage(run, List::PreData, &scripts.pre_data).await?;
    known::keep(run, known::behind_rows(&scripts.post_data)).await?;
    let owners = ownership::run(run, &scripts.access, handover, &moved.target.user, loaded);
    run.step("owners", Step::Owners, owners).await
}

/// Fills TimescaleDB's catalogs.
async fn fill_catalogs(
    run: &TargetRun<'_>,
    session: &Session,
    catalogs: &[ConfigTable],
    moved: &jobs::Moved<'_>,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let shapes = tables::shapes(session).await?;
    let filled = catalogs::run(run, catalogs, &shapes, &moved.target.user, loaded);
    run.step("catalogs", Step::Catalogs, filled).await
}

/// What comes when all rows and constraints are there.
async fn finish(
    context: &Restore,
    run: &TargetRun<'_>,
    scripts: &Scripts,
    moved: &jobs::Moved<'_>,
    handover: &Handover,
    refreshes: Vec<Build>,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let mut session = run.target().await?;
    session.run(engine_setup::SETUP).await?;
    run.stage("analyze", analyze::run(run, &session, loaded)).await?;
    analyze::hypertables(context, std::mem::take(&mut loaded.hypertables)).await;
    let access = access::apply_in_order(run, &mut session, &scripts.access, handover);
    run.step("access", Step::Access, access).await?;
    context.report().warnings.extend(session.take_notices());
    let admin = &moved.target.user;
    let kept = ownership::kept(run.still(&mut session).await?, handover, admin, loaded);
    run.stage("owners", kept).await?;
    run.stage("jobs", jobs::hand_over(run, moved, loaded)).await?;
    let past = if refreshes.is_empty() { BTreeSet::new() } else { past_policies::views(context) };
    run.stage("refresh", refresh::run(run, refreshes, &[], Readers::Dump(&past))).await?;
    context.report().warnings.extend(session.take_notices());
    data::nothing_is_lost(run).await
}

/// Leaves out tables that the target does not have, and those of extensions that nobody but a superuser can write.
async fn match_tables(
    context: &Restore,
    session: &Session,
    tables: &mut Vec<TableRanges>,
) -> Result<StageResult, Error> {
    let shapes = tables::shapes(session).await?;
    let of_extensions: Vec<String> = tables
        .iter()
        .map(|(table, _)| &table.into)
        .filter(|into| !context.contents.created.contains(*into) && shapes.contains_key(*into))
        .map(|into| format!("({})", literal(&into.sql())))
        .collect();
    let mut closed = BTreeSet::new();
    if !of_extensions.is_empty() {
        let question = format!(
            "SELECT v.name FROM (VALUES {}) v(name) WHERE NOT pg_catalog.has_table_privilege(v.name, 'INSERT')",
            of_extensions.join(", ")
        );
        closed = session.ask_list(&question).await?;
    }
    name_columns(session, tables).await?;
    let mut missing = Vec::new();
    tables.retain(|(table, _)| {
        let why = if !shapes.contains_key(&table.into) {
            "its table is not on the target"
        } else if closed.contains(&table.into.sql()) {
            "its extension lets nobody but a superuser write them"
        } else {
            return true;
        };
        missing.push(Missing { what: format!("rows of {}", table.relation), why: why.into(), sql: None });
        false
    });
    Ok(StageResult { missing, ..StageResult::default() })
}

/// Names the columns of tables whose rows are in statements that name none: the values stand in the order of the table's columns.
async fn name_columns(session: &Session, tables: &mut [TableRanges]) -> Result<(), Error> {
    for (table, _) in tables.iter_mut().filter(|(table, _)| table.columns.is_empty()) {
        let question = format!(
            "SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass({}) \
             AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            literal(&table.into.sql())
        );
        let names = session.ask(&question).await?;
        let names: Vec<&str> = names.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
        table.columns = names.join(", ");
    }
    Ok(())
}

/// Gives sequences the values that they have in the archive.
async fn set_sequences(context: &Restore, run: &TargetRun<'_>) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let values = &context.contents.sequences;
    let (set, refused) = retrying(engine.retry_policy, &engine.progress, "sequences", || async {
        sequences::write(&engine.target.open().await?, values).await
    })
    .await?;
    let missing = refused.into_iter().map(|(name, why)| Missing {
        what: format!("value of sequence {name}"),
        why,
        sql: values.get(&name).map(|(value, called)| {
            format!("SELECT pg_catalog.setval({}, {value}, {called});", literal(&name.sql()))
        }),
    });
    let summary = (set > 0).then(|| format!("{set} set"));
    Ok(StageResult { summary, missing: missing.collect(), ..StageResult::default() })
}
