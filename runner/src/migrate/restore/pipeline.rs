//! The order of a restore. Each step takes what the one before it found out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Restore;
use super::{hypertables, known, large_objects, schema, target, verify, violations};
use crate::connect::Session;
use crate::converted::Conversions;
use crate::engine::builds::Build;
use crate::engine::config::ConfigTable;
use crate::engine::load::Load;
use crate::engine::marks::Marks;
use crate::engine::pool::OnStep;
use crate::engine::rate::Rate;
use crate::engine::retry::retrying;
use crate::engine::rows::{ArchiveRows, Rows};
use crate::engine::sequences;
use crate::error::{Blocker, Error};
use crate::human::count;
use crate::inspect::Facts;
use crate::journal::{Event, Identity, State};
use crate::migrate::copied::Copied;
use crate::migrate::copy_plan::{self, CopyPlan, TableRanges};
use crate::migrate::driver::{StageResult, TargetRun};
use crate::migrate::handover::Handover;
use crate::migrate::loaded::Loaded;
use crate::migrate::manifest::Manifest;
use crate::migrate::run_context::Reached;
use crate::migrate::scripts::Scripts;
use crate::migrate::sorted_builds::SortedBuilds;
use crate::migrate::stages::{
    access, analyze, catalogs, data, extensions, foreign_keys, jobs, ownership, refresh, restoring, roles,
    statements, workers,
};
use crate::migrate::violations::{Unfulfilled, Violation};
use crate::migrate::{
    self, bridging, ending, engine_setup, others, possession, refusal, release, resume, servers, ways_on,
};
use crate::names::Relation;
use crate::plan::{Plan, Step as Planned};
use crate::quote::{identifier, literal, quoted, shell_file};
use crate::record;
use crate::report::Outcome;
use crate::results::Missing;
use crate::step::{List, Step};
use crate::tables;
use crate::tables::range::CopyRange;
use crate::verify::known::{self as announced, Known};
use crate::watch;
use crate::workdir::{SavedPlan, SavedSchema};

/// Runs a whole restore, or the rest of one.
pub(super) async fn restore(context: Arc<Restore>) -> Result<Outcome, Error> {
    let again = "to restore it once more, name an empty database, with another --work-dir";
    let past = resume::past_run(&context, vec![again.to_owned()])?;
    let before = context.past()?.map(|past| past.run);
    let _watch = watch::start(&context.target, &context.progress);
    let source = schema::source(&context)?;
    let mut facts = target::inspect(&context, &source, past.is_some()).await?;
    if let Some(past) = &past {
        let options = context.fingerprint();
        let fixed = (options.as_str(), "--accept and --roles");
        resume::check_run(&context, past, &context.contents.identity, &facts, fixed).await?;
        if past.snapshot.is_some() {
            facts = context.work.saved_plan(&context.run.run)?.target;
        }
        context.open_journal(before.as_deref(), Event::Resume)?;
        {
            let mut undo = context.undo();
            undo.reached = Reached::Written;
            undo.restoring = past.restoring;
        }
        if let Some(equal) = resume::ended(&context, past).await? {
            context.undo().reached = Reached::Nothing;
            context.progress.line("  everything had arrived; what was still open is closed");
            return Ok(outcome(equal));
        }
    }
    let (scripts, clear) = schema::analyse(&context, &source, &facts)?;
    let given = violations::given(&context, past.is_some());
    let violations = violations::find(&given, &scripts)?;
    if past.is_none() {
        let found = violations::without_rows(&context.contents, &scripts, &violations);
        let failed = |error| Error::File { what: "read the archive".to_owned(), error };
        let found: Vec<Blocker> = found.map_err(failed)?.into_iter().collect();
        if !found.is_empty() {
            return Err(Error::Preflight(found));
        }
    }
    if past.is_none() {
        let may_begin = plan(&context, &scripts, clear);
        if !may_begin || context.args.dry_run {
            return Ok(if may_begin { Outcome::Planned } else { Outcome::Blocked });
        }
        let start = Event::Start {
            format: record::FORMAT,
            run: context.run.run.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: context.contents.identity.clone(),
            target: Identity::of(&facts),
            options: context.fingerprint(),
        };
        context.open_journal(before.as_deref(), start)?;
    }
    let CopyPlan { marks, tables } = match &past {
        None => begin(&context, &facts, &scripts, &given).await?,
        Some(past) => go_on(&context, &facts, &scripts, past, &given).await?,
    };
    context.undo().reached = Reached::Written;
    *context.copied() = Copied::new(&tables, &marks);
    if let Some(timescale) = &source.timescale {
        bridging::cross(&context, &source, &facts).await?;
        servers::check_target(&context, Some(&timescale.version)).await?;
    }
    let session = context.target.open().await?;
    let watcher = context.clone();
    let on_step: OnStep = Box::new(move |step, rows| watcher.step(step, rows));
    let manifest = context.contents.manifest.as_ref();
    let sums = manifest.map(Manifest::sums).unwrap_or_default();
    let archive = Arc::new(ArchiveRows::new(context.contents.rows(), sums));
    let rows = Rows::Archive(archive.clone());
    let engine = engine_setup::of_run(&context, &session, rows, marks, "", Rate::new(None), on_step).await?;
    drop(session);
    let run = TargetRun { context: &context, engine: Arc::new(engine) };
    let contents = &context.contents;
    let moved = jobs::Moved {
        jobs: &contents.hypertables.jobs,
        source: &source,
        target: &facts,
        due: manifest.map(|manifest| &manifest.due),
        start: context.args.start_jobs,
    };
    let equal = write(&context, &run, &archive, &moved, (scripts, &violations), tables).await?;
    if source.timescale.is_some() {
        workers::start(&context).await?;
        jobs::start(&context, &moved, equal).await?;
        let update = equal && context.args.update_timescaledb;
        bridging::back(&context, &source, &facts, update).await?;
    }
    // What differs can be looked at, and compared again: a run that goes on needs its marks.
    if equal {
        release::target(&context, equal).await?;
    }
    after(&context, &facts, equal);
    Ok(outcome(equal))
}

fn outcome(equal: bool) -> Outcome {
    if equal { Outcome::Restored } else { Outcome::Differs }
}

/// Writes the plan into the report; false where something stands in the way.
fn plan(context: &Restore, scripts: &Scripts, clear: bool) -> bool {
    let contents = &context.contents;
    let mut steps = Vec::new();
    let mut step = |name, number: usize, noun: &str, what: &str| {
        steps.push(Planned { name, what: format!("{}{what}", count(number as u64, noun)) });
    };
    step("roles", scripts.roles.len(), "statement", "");
    step("extensions", scripts.extensions.len(), "statement", "");
    step(
        "pre-data",
        scripts.pre_data.len(),
        "statement",
        ": tables, functions, views, as yet without indexes",
    );
    let catalogs = contents.hypertables.catalogs.len();
    if catalogs > 0 {
        step(
            "catalogs",
            catalogs,
            "table",
            " of TimescaleDB's own; in restoring mode until indexes and keys exist",
        );
    }
    let bytes: u64 = contents.tables.iter().map(|table| table.bytes).sum();
    let size =
        format!(" with rows, {} in the archive; {} at once", crate::human::bytes(bytes), context.jobs());
    step("data", contents.tables.len(), "table", &size);
    if contents.lists_of_objects() > 0 {
        step("large objects", contents.lists_of_objects(), "list", " of them, each in one transaction");
    }
    step("sequences", contents.sequences.len(), "value", "");
    step("post-data", scripts.post_data.len(), "statement", ": indexes, keys, triggers");
    step("access", scripts.access.len(), "statement", ": owners, privileges, settings");
    if !context.args.no_verify {
        step("verify", contents.tables.len(), "table", ": rows and their checksums, archive against target");
    }
    let mut report = context.report();
    let mut notes = [&contents.notes[..], &contents.lacks].concat();
    notes.extend(context.workers.get().iter().flat_map(|(_, why)| why.iter().cloned()));
    report.plan = Some(Plan { steps, notes, ..Plan::default() });
    report.next =
        if clear { Vec::new() } else { ways_on::ways_on(&report.findings, &ending::command(context)) };
    if !clear && context.roles.is_empty() {
        let first = "if roles are missing, give them: pg_dumpall --roles-only > roles.sql on the source, then the same \
                     command with --roles roles.sql";
        report.next.insert(0, first.to_owned());
    }
    clear
}

/// Settles what is copied, and takes possession of the target.
async fn begin(
    context: &Restore,
    facts: &Facts,
    scripts: &Scripts,
    given: &[String],
) -> Result<CopyPlan, Error> {
    context.contents.lacks.iter().for_each(|lack| context.progress.warn(lack));
    let whole = |bytes| vec![CopyRange { number: 0, of: 1, blocks: None, bytes }];
    let tables: Vec<TableRanges> =
        context.contents.tables.iter().map(|table| (table.clone(), whole(table.bytes))).collect();
    context.work.save_plan(&SavedPlan {
        format: record::FORMAT,
        run: context.run.run.clone(),
        target: facts.clone(),
        tables: tables.clone(),
        allow_violations: given.to_vec(),
        schema: SavedSchema::default(),
    })?;
    let state = context.contents.identity.oid.clone();
    context.journal(Event::Snapshot { state, schema: scripts.hash.clone() })?;
    Ok(CopyPlan { marks: possession::take_possession(context).await?, tables })
}

/// Goes on with a run of before: what is done stays.
async fn go_on(
    context: &Restore,
    facts: &Facts,
    scripts: &Scripts,
    past: &State,
    given: &[String],
) -> Result<CopyPlan, Error> {
    let session = context.target.open().await?;
    resume::end_sessions(context, &session).await?;
    if past.snapshot.is_none() || Marks::owner(&session).await?.is_none() {
        // It ended before anything was written.
        return begin(context, facts, scripts, given).await;
    }
    if past.snapshot.as_ref().is_some_and(|(_, schema)| *schema != scripts.hash) {
        return Err(refusal::refused(context, "the archive or the roles are others than before"));
    }
    let mut saved = context.work.saved_plan(&context.run.run)?;
    given.clone_into(&mut saved.allow_violations);
    context.work.save_plan(&saved)?;
    let tables = saved.tables;
    let marks = Marks::read(&session).await?;
    let is_open =
        |(table, ranges): &&TableRanges| !ranges.iter().any(|range| marks.done(&range.step(table)).is_some());
    // Of an extension's own tables the rows that came with it are there before ours.
    let is_created = |relation: &&Relation| context.contents.created.contains(*relation);
    let to_copy = tables.iter().filter(is_open).map(|(table, _)| &table.into).filter(is_created);
    others::before_rows(context, &session, &marks, &to_copy.cloned().collect()).await?;
    let done = tables.len() - tables.iter().filter(is_open).count();
    context.progress.line(&format!(
        "  {} steps are done, {done} of {} tables among them",
        marks.count(),
        tables.len()
    ));
    Ok(CopyPlan { marks, tables })
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
    let referenced = sorted.after_restoring.foreign_keys.iter().flat_map(|keys| keys.references.clone());
    handover.wait_for(&referenced.collect(), &scripts.access);
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
    run.stage("refresh", refresh::run(run, refreshes, &[], &context.target)).await?;
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

/// What is left to do.
fn after(context: &Restore, facts: &Facts, equal: bool) {
    let mut report = context.report();
    for role in report.passwords_to_set.clone() {
        report.next.push(format!("ALTER ROLE {} PASSWORD '…';", identifier(&role)));
    }
    for name in context.contents.facts.extensions.keys() {
        if !facts.extensions.contains_key(name) && !facts.creatable.contains(name) {
            report.missing.push(Missing {
                what: format!("extension {}", quoted(name)),
                why: "the service does not have it".into(),
                sql: None,
            });
        }
    }
    if !equal {
        let resume = ending::again(std::env::args(), true);
        report.next.extend([
            "look at the differences before any application uses the target".to_owned(),
            format!("then compare again: {resume}"),
            format!(
                "or keep it as it is, without the run's own schema: {}",
                record::cleanup(context.work.path(), false)
            ),
        ]);
    }
    let files: Vec<_> =
        context.args.files.iter().map(|file| shell_file(&file.display().to_string())).collect();
    report
        .next
        .push(format!("keep {} until the applications have used the target for a while", files.join(" ")));
}
