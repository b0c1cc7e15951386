//! The order of a migration, from the inspection of both servers to the end. Each step takes what the one before it found
//! out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::copied::Copied;
use super::copy_plan::{self, CopyPlan, TableRanges};
use super::driver::Run;
use super::handover::Handover;
use super::inspection::inspect_servers;
use super::loaded::Loaded;
use super::schema;
use super::scripts::Scripts;
use super::servers::{self, Servers};
use super::snapshot::Snapshot;
use super::sorted_builds::SortedBuilds;
use super::stages::{
    access, analyze, catalogs, data, extensions, foreign_keys, jobs, match_tables, ownership,
    refresh::{self, Readers},
    restoring, roles, sequences, statements, verify, workers,
};
use super::{
    Context, Reached, beside, bridging, ending, engine_setup, evaluation, fingerprint, planning, release,
    resume, violations, ways_on, written,
};
use crate::connect::Session;
use crate::engine::load::Load;
use crate::engine::objects;
use crate::engine::retry::retrying;
use crate::error::{Blocker, Error};
use crate::filter::Filter;
use crate::inspect::{Facts, Timescale};
use crate::journal::{Event, Identity};
use crate::migrate::tries::Tries;
use crate::quote::{identifier, quoted};
use crate::report::Outcome;
use crate::results::Missing;
use crate::step::{List, Step};
use crate::tables;
use crate::{hazards, inspect, record, tools, watch};

/// Runs a whole migration, or the rest of one.
pub(super) async fn migrate(context: Arc<Context>) -> Result<Outcome, Error> {
    let past = resume::past(&context)?;
    let before = context.past()?.map(|past| past.run);
    let _watch = [&context.source, &context.target].map(|server| watch::start(server, &context.progress));
    let mut servers = inspect_servers(&context, past.is_some()).await?;
    if let Some(past) = &past {
        resume::check_same_run(&context, past, &servers).await?;
        // What has been paused was scheduled.
        for (id, scheduled) in past.jobs.iter().flatten().map(|job| (job.id, job.scheduled)) {
            servers.jobs.iter_mut().filter(|job| job.id == id).for_each(|job| job.scheduled = scheduled);
        }
        if past.snapshot.is_some() {
            servers.target = context.work.saved_plan(&context.run)?.target;
        }
    }
    let pauses = jobs::pausable(&context, &servers).next().is_some();
    if past.is_some() {
        context.open_journal(before.as_deref(), Event::Resume)?;
        // Whatever servers this start too: what the one before left open is closed.
        let mut undo = context.undo();
        undo.reached = Reached::Written;
        undo.restoring = past.as_ref().is_some_and(|past| past.restoring);
        if let Some(jobs) = past.as_ref().and_then(|past| past.jobs.clone()) {
            undo.jobs = jobs;
        }
    }
    if let Some(past) = &past
        && let Some(equal) = resume::ended(&context, past).await?
    {
        context.undo().reached = Reached::Nothing;
        context.progress.line("  everything had arrived; what was still open is closed");
        return Ok(if equal { Outcome::Migrated } else { Outcome::Differs });
    }
    // What is dumped twice is dumped so that nothing is paused for a plan that nobody can run.
    if context.args.dry_run || pauses && past.is_none() {
        let (scripts, clear) = analyse_now(&context, &mut servers).await?;
        let stopped = !may_begin(&context, &servers, &scripts, clear).await?;
        if stopped || context.args.dry_run {
            return Ok(if stopped { Outcome::Blocked } else { Outcome::Planned });
        }
    }
    if past.is_none() {
        let start = Event::Start {
            format: record::FORMAT,
            run: context.run.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: Identity::of(&servers.source),
            target: Identity::of(&servers.target),
            options: fingerprint::options_fingerprint(&context),
            file: 0,
        };
        context.open_journal(before.as_deref(), start)?;
    }
    if pauses {
        let start = Instant::now();
        let result = jobs::pause(&context, &servers).await?;
        context.stage("pause jobs", result.summary.unwrap_or_default(), start.elapsed());
    }
    // What was analysed may have changed since: what is run is what the snapshot shows.
    let (mut snapshot, mut scripts, clear) = read_chosen(&context, &mut servers, false).await?;
    if past.is_none() && !may_begin(&context, &servers, &scripts, clear).await? {
        return Ok(Outcome::Blocked);
    }
    let mut begun = match &past {
        Some(past) => resume::continue_run(&context, &servers, past, &snapshot, &mut scripts).await?,
        None => copy_plan::begin(&context, &servers, &snapshot, &scripts).await?,
    };
    let (mut lost, mut tries) = (0, Tries::default());
    let equal = loop {
        tries.begin(&context);
        let written = write_and_compare(&context, &servers, scripts.clone(), &snapshot, begun);
        let error = match Box::pin(written).await {
            Ok(equal) => break equal,
            Err(error) => error,
        };
        let gone = matches!(error, Error::SnapshotLost) || snapshot.holder.lost();
        if gone && lost < context.args.retries {
            lost += 1;
            context.progress.warn(
                "the source has ended the session that keeps the snapshot; if nobody has written there since, it goes on",
            );
            (snapshot, scripts, _) = read_chosen(&context, &mut servers, true).await?;
        } else if gone || !tries.goes_on(&context, &error).await {
            return Err(error);
        }
        let past = context.work.past()?.ok_or_else(|| Error::Defect("the journal is gone".into()))?;
        begun = resume::continue_run(&context, &servers, &past, &snapshot, &mut scripts).await?;
    };
    let written = written::since(&context.source, &snapshot.writes, &snapshot.listing).await;
    // Who waits for its locks goes on.
    drop(snapshot);
    if servers.source.timescale.is_some() {
        workers::start(&context).await?;
        jobs::start_moved(&context, &servers, equal).await?;
    }
    // What differs can be mended, and copied: a run that goes on needs its marks.
    if equal {
        release::target(&context, equal).await?;
    }
    after(&context, &servers, equal, written);
    Ok(if equal { Outcome::Migrated } else { Outcome::Differs })
}

/// Takes a snapshot of what is to come over.
async fn take(context: &Context, servers: &Servers) -> Result<Snapshot, Error> {
    let (source, args) = (&context.source, &context.args);
    let mut snapshot = Snapshot::take(source, args.lock_timeout, &context.progress, |table| {
        servers.filter.keeps_rows(table)
    })
    .await?;
    snapshot.listing.tables.iter_mut().for_each(|table| servers.convert.direct(table));
    Ok(snapshot)
}

/// So often a session that waits for our locks is let through before anything is read.
const LET_THROUGH: u32 = 5;

/// So often what is chosen is looked up anew before anything is read.
const CHOICES: u32 = 10;

/// What is chosen, and what of it is TimescaleDB's.
type Choice = (Filter, Option<Timescale>);

/// The choice as the session sees it, where that has changed: hypertables get chunks at any time.
async fn chosen_anew(
    context: &Context,
    servers: &Servers,
    session: &Session,
) -> Result<Option<Choice>, Error> {
    let filter = Filter::ask(session, &context.args.wish()).await?;
    let timescale = match &servers.source.timescale {
        Some(timescale) => Some(inspect::listed(session, timescale).await?),
        None => None,
    };
    let mut now = Facts { timescale, ..Facts::default() };
    filter.restrict(&mut now);
    let is_same = filter == servers.filter && now.timescale == servers.source.timescale;
    Ok((!is_same).then_some((filter, now.timescale)))
}

fn changes_too_often() -> Error {
    Error::Refused {
        what: "what is to come over of the source changes faster than it can be read: tables or chunks are created and \
               dropped there all the time"
            .into(),
        next: vec!["wait for that to end, or migrate all of the database, without --include and --exclude".into()],
    }
}

/// Takes a snapshot, and the schema of what is chosen as it shows it.
async fn read_chosen(
    context: &Context,
    servers: &mut Servers,
    again: bool,
) -> Result<(Snapshot, Scripts, bool), Error> {
    for _ in 0..CHOICES {
        let read = if again {
            let read = || read_schema(context, servers);
            retrying(context.retry_policy(), &context.progress, "snapshot", read).await?
        } else {
            read_schema(context, servers).await?
        };
        match read {
            Ok(read) => return Ok(read),
            Err(choice) => (servers.filter, servers.source.timescale) = choice,
        }
    }
    Err(changes_too_often())
}

/// Takes a snapshot, and the schema as it shows it, or what is chosen where that is something else there. `pg_dump` asks for locks that our own session holds: an ALTER TABLE
/// that came in between waits for the one and stops the other. Nothing is read yet, so all is given back, and it goes first.
async fn read_schema(
    context: &Context,
    servers: &Servers,
) -> Result<Result<(Snapshot, Scripts, bool), Choice>, Error> {
    let mut attempt = 0;
    loop {
        let mut snapshot = take(context, servers).await?;
        if let Some(choice) = chosen_anew(context, servers, &*snapshot.holder.turn().await?).await? {
            return Ok(Err(choice));
        }
        let error = match schema::analyse(context, servers, Some(snapshot.holder.snapshot())).await {
            Ok((scripts, clear)) => {
                if let Some(moving) = context.moving() {
                    let tables = snapshot.listing.tables.iter_mut();
                    tables.for_each(|table| table.rename(|name| moving.relation(name)));
                }
                return Ok(Ok((snapshot, scripts, clear)));
            }
            Err(error) if tools::stopped_by_a_lock(&error) => error,
            Err(error) => return Err(error),
        };
        drop(snapshot);
        goes_first(context, error, &mut attempt).await?;
    }
}

/// Dumps and analyses without a snapshot of ours.
async fn analyse_now(context: &Context, servers: &mut Servers) -> Result<(Scripts, bool), Error> {
    let (mut attempt, mut choices) = (0, 0);
    loop {
        let analysed = schema::analyse(context, servers, None).await;
        if let Some(choice) = chosen_anew(context, servers, &context.source.open().await?).await? {
            choices += 1;
            if choices == CHOICES {
                return Err(changes_too_often());
            }
            (servers.filter, servers.source.timescale) = choice;
            continue;
        }
        match analysed {
            Err(error) if tools::stopped_by_a_lock(&error) => {
                goes_first(context, error, &mut attempt).await?;
            }
            Err(error) => return Err(watch::explain(error, &context.source).await),
            analysed => return analysed,
        }
    }
}

/// Waits a moment for who changes tables that a dump stopped at, a limited number of times.
async fn goes_first(context: &Context, error: Error, attempt: &mut u32) -> Result<(), Error> {
    *attempt += 1;
    if *attempt > LET_THROUGH {
        return Err(watch::explain(error, &context.source).await);
    }
    let pause = Duration::from_secs(u64::from(*attempt));
    let why = "another session changes tables of the source, and goes first";
    context.progress.retry("pg_dump", why, pause, *attempt, LET_THROUGH);
    tokio::time::sleep(pause).await;
    Ok(())
}

/// Writes the plan into the report; false where something stands in the way.
async fn may_begin(
    context: &Context,
    servers: &Servers,
    scripts: &Scripts,
    clear: bool,
) -> Result<bool, Error> {
    let version = bridging::obstacle(context, servers).await?;
    let later = bridging::notes(context, servers).await?;
    let hazards = servers.hazards.iter().filter(|hazard| {
        !hazards::ACCEPTABLE.contains(&hazard.check)
            || !context.args.accept.iter().any(|accepted| accepted.eq_ignore_ascii_case(hazard.check))
    });
    let mut open = None;
    let mut stops: Vec<Blocker> = version.into_iter().chain(hazards.cloned()).collect();
    if context.tuning.beside || context.args.one_of_several {
        let brought = copy_plan::brought(context, servers, scripts).await?;
        if context.tuning.beside {
            let target = context.target.open().await?;
            stops.extend(beside::meets(&target, &brought).await?);
            open = beside::open_public(&servers.target, &brought);
        }
        context.set_brought(brought);
    }
    let free = stops.is_empty() && clear;
    let mut report = context.report();
    report.blockers = stops;
    let mut plan = planning::plan(context, servers, scripts);
    plan.notes.extend(context.workers.get().iter().flat_map(|(_, why)| why.iter().cloned()));
    plan.notes.extend(beside::note(scripts).into_iter().chain(open));
    plan.notes.extend(servers.filter.lines().iter().cloned());
    plan.notes.extend(servers.convert.lines());
    plan.notes.extend(later);
    report.plan = Some(plan);
    report.next =
        if free { Vec::new() } else { ways_on::ways_on(&report.findings, &ending::command(context)) };
    if !clear {
        // What is missing may only have been left out.
        report.next.splice(0..0, servers.filter.needs().iter().cloned());
    }
    Ok(free)
}

/// Writes what is left to write, and compares; true where both servers are equal.
async fn write_and_compare(
    context: &Arc<Context>,
    servers: &Servers,
    scripts: Scripts,
    snapshot: &Snapshot,
    plan: CopyPlan,
) -> Result<bool, Error> {
    {
        let mut undo = context.undo();
        undo.reached = Reached::Written;
        undo.timescale = servers.source.timescale.is_some();
    }
    let CopyPlan { marks, tables } = plan;
    // A run that was stopped while it compared once more.
    let updated = marks.done(&Step::Access).is_some()
        && bridging::is_back(context, &servers.source, &servers.target).await?;
    if servers.source.timescale.is_some() && !updated {
        bridging::cross(context, &servers.source, &servers.target).await?;
        servers::check_versions(context).await?;
    }
    *context.copied() = Copied::new(&tables, &marks);
    let engine = Arc::new(engine_setup::engine(context, snapshot, marks).await?);
    let run = Run::new(context, servers, snapshot, engine);
    let loaded = write(&run, scripts, tables).await?;
    if updated {
        return verify::updated(&run, &loaded).await;
    }
    let analyzed = analyze::hypertables(context, loaded.hypertables.clone());
    let (equal, ()) = tokio::join!(verify::run(&run, &loaded), analyzed);
    let equal = equal?;
    let update = equal && context.args.update_timescaledb;
    if bridging::back(context, &servers.source, &servers.target, update).await? {
        return verify::updated(&run, &loaded).await;
    }
    Ok(equal)
}

/// Runs all stages that write.
async fn write(run: &Run<'_>, scripts: Scripts, tables: Vec<TableRanges>) -> Result<Loaded, Error> {
    let (context, servers) = (run.context, run.servers);
    let mut loaded = Loaded::default();
    let admin = &servers.target.user;
    run.step("roles", Step::Roles, roles::run(run, &scripts.roles)).await?;
    let timescale = servers.source.timescale.as_ref();
    run.stage("extensions", extensions::run(run, &scripts.extensions, timescale)).await?;
    let restoring = servers.source.timescale.is_some() && !run.is_done(&Step::Restored);
    if restoring {
        run.stage("restoring", restoring::enter(run)).await?;
    }
    statements::stage(run, List::PreData, &scripts.pre_data).await?;
    let mut handover = Handover::new(servers.source.timescale.as_ref(), &scripts.access);
    let owners = ownership::run(run, &scripts.access, &handover, admin, &mut loaded);
    run.step("owners", Step::Owners, owners).await?;
    let session = run.target().await?;
    let shapes = tables::shapes(&session).await?;
    let partitions = analyze::partitioned(&session).await?.partitions;
    drop(session);
    let of_extensions = catalogs::of_source(run).await?;
    if run.is_done(&Step::Catalogs) {
        catalogs::left_behind(run, &of_extensions, &shapes, &mut loaded).await?;
    }
    let catalogs = catalogs::run(run, &of_extensions, &shapes, admin, &mut loaded);
    run.step("catalogs", Step::Catalogs, catalogs).await?;
    let mut tables = tables;
    run.stage("tables", match_tables::run(run, &mut tables, &shapes, &mut loaded)).await?;
    let relations = copy_plan::relations(&tables);
    let violations = violations::on_target(context, &servers.violations)?;
    let allowed = violations::allowed(&violations);
    let mut sorted = SortedBuilds::new(scripts.post_data, &relations, timescale, &servers.convert, &allowed);
    let may_break = !violations.is_empty();
    if may_break {
        violations::before_rows(&run.target().await?, &violations).await?;
    }
    let steps = copy_plan::by_table(&tables);
    let load = Load {
        tables,
        objects: if access::with_large_objects(context) {
            objects::list(&*run.snapshot.holder.turn().await?).await?
        } else {
            Vec::new()
        },
        builds: std::mem::take(&mut sorted.builds.tables),
        foreign_keys: sorted.while_copying,
        analyzed_with_root: Arc::new(|_| false),
    };
    if let Err(error) = run.stage("data", data::run(run, load, partitions, &mut loaded)).await {
        return Err(foreign_keys::with_later(run, error, &steps, sorted.after_rows).await?);
    }
    run.stage("sequences", sequences::run(run, &mut loaded)).await?;
    if may_break {
        let target = run.target().await?;
        violations::after_rows(&target, &violations).await?;
        sorted.builds.without(&violations::keys_left_out(&target, &violations).await?);
    }
    statements::without_built(run, &mut sorted.builds.rest).await?;
    statements::stage(run, List::PostData, &sorted.builds.rest).await?;
    run.stage("foreign keys", foreign_keys::run(run, sorted.after_rows)).await?;
    let row_security: Vec<_> =
        sorted.builds.row_security.into_iter().map(|(_, statement)| statement).collect();
    statements::stage(run, List::RowSecurity, &row_security).await?;
    handover.wait_for(&sorted.after_restoring.foreign_keys, &scripts.access);
    if restoring {
        servers::check_versions(context).await?;
        run.stage("privileges", access::of_hypertables(run, &scripts.access, &handover)).await?;
        run.stage("restored", restoring::leave(run)).await?;
    }
    statements::stage(run, List::Hypertables, &scripts.hypertables).await?;
    statements::stage(run, List::OfHypertables, &sorted.after_restoring.of_converted).await?;
    run.stage("foreign keys", foreign_keys::run(run, sorted.after_restoring.foreign_keys)).await?;
    statements::stage(run, List::LateRowSecurity, &sorted.after_restoring.row_security).await?;
    let mut session = run.target().await?;
    session.run(engine_setup::SETUP).await?;
    // Before tables are given to their owners, who alone may analyze them.
    run.stage("analyze", analyze::run(run, &session, &mut loaded)).await?;
    let dumped = access::Dumped { roles: &scripts.roles_text, pre_data: &scripts.pre_data_text };
    let access = access::run(run, &mut session, scripts.access, &dumped, &handover);
    run.step("access", Step::Access, access).await?;
    context.report().warnings.extend(session.take_notices());
    let kept = ownership::kept(run.still(&mut session).await?, &handover, admin, &mut loaded);
    run.stage("owners", kept).await?;
    let stay = context.args.no_owner || context.args.no_roles;
    if !stay {
        run.stage("jobs", jobs::hand_over(run, &jobs::moved(servers, None), &mut loaded)).await?;
    }
    let styles = evaluation::of_refresh(context).await?;
    let past = refresh::past_policies(context).await?;
    let readers = past.as_ref().map_or(Readers::Source(&context.source), Readers::Dump);
    let refreshed = refresh::run(run, sorted.builds.refreshes, &styles, readers);
    run.stage("refresh", refreshed).await?;
    if may_break {
        let (missing, unfulfilled) =
            violations::unfulfilled(run.still(&mut session).await?, &violations).await?;
        loaded.unfulfilled = unfulfilled;
        context.report().missing.extend(missing);
    }
    context.report().warnings.extend(session.take_notices());
    data::nothing_is_lost(run).await?;
    Ok(loaded)
}

fn after(context: &Context, servers: &Servers, equal: bool, written: Option<String>) {
    let mut report = context.report();
    for role in report.passwords_to_set.clone() {
        report.next.push(format!("ALTER ROLE {} PASSWORD '…';", identifier(&role)));
    }
    for name in servers.source.extensions.keys() {
        if !servers.target.extensions.contains_key(name) && !servers.target.creatable.contains(name) {
            report.missing.push(Missing {
                what: format!("extension {}", quoted(name)),
                why: "the service does not have it".into(),
                sql: None,
            });
        }
    }
    let last = match (equal, &written) {
        (true, Some(_)) => "point the applications at the target when it has all of it, or can do without",
        (true, None) => "point the applications at the target",
        (false, _) => "look at the differences before any application uses the target",
    };
    report.next.extend(written);
    report.next.push(last.to_owned());
    if !equal {
        let (resume, work) = (ending::again(std::env::args(), true), context.work.path());
        let anew = if context.args.new_snapshot { "" } else { " --new-snapshot" };
        report.next.extend([
            format!("then copy what has changed on the source, and compare again: {resume}{anew}"),
            format!("or keep it as it is, without the run's own schema: {}", record::cleanup(work, false)),
        ]);
    }
}
