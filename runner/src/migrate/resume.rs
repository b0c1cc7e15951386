//! Resumed runs: what has to be the same as before.

use std::collections::BTreeSet;

use super::copy_plan::{self, CopyPlan, TableRanges};
use super::possession::{self, MARKS, take_possession};
use super::refusal::{anew_from_start, refused};
use super::scripts::Scripts;
use super::servers::Servers;
use super::snapshot::Snapshot;
use super::stages::restoring;
use super::{Args, Context, RunContext, beside, fingerprint, mended, others, renewal, rewind};
use crate::connect::{Session, Side};
use crate::engine::marks::Marks;
use crate::error::Error;
use crate::inspect::{self, Facts};
use crate::journal::{Event, Identity, State};
use crate::names::Relation;
use crate::quote::{quoted, shell_file};
use crate::record;
use crate::step::Step;
use crate::tables::Table;
use crate::workdir::SavedPlan;

/// The run to go on with, where one is wanted.
pub(super) fn past(context: &Context) -> Result<Option<State>, Error> {
    let verify = format!(
        "see whether the target still has what the source has: tsmigrate verify --work-dir {}",
        shell_file(&context.work.path().display().to_string())
    );
    let anew = "to have what was written to the source since, migrate anew into an empty database, with another --work-dir";
    past_run(context, vec![verify, anew.to_owned()])
}

/// The same of any run; `after_end` is what can be done where it has come to its end.
pub(super) fn past_run(context: &RunContext, after_end: Vec<String>) -> Result<Option<State>, Error> {
    let args = &context.tuning;
    let work = context.work.path();
    let directory = work.display();
    let past = context.past()?.filter(|past| !past.done);
    match past {
        Some(past) if args.resume => context.work.check(&past).map(|()| Some(past)),
        None if args.resume && context.work.past()?.is_some_and(|past| past.ending.is_some()) => {
            Err(Error::Refused {
                what: format!("the run in {directory} has come to its end: there is nothing to go on with"),
                next: after_end,
            })
        }
        None if args.resume => Err(Error::Refused {
            what: format!("there is no run to go on with in {directory}"),
            next: vec!["name its directory with --work-dir, or start without --resume".into()],
        }),
        // Whether it has changed anything its own version knows.
        Some(past) if !args.dry_run && past.format != record::FORMAT => {
            context.work.check(&past).map(|()| None)
        }
        // One that ended before it had changed anything is none to speak of.
        Some(past) if !args.dry_run && (past.snapshot.is_some() || past.jobs.is_some() || past.restoring) => {
            Err(Error::Refused {
                what: format!(
                    "{directory} has a run that began at {} and has not come to its end ({} steps are done{}{})",
                    past.started,
                    past.steps,
                    if past.restoring { ", the target may be in restoring mode" } else { "" },
                    match &past.jobs {
                        Some(jobs) => format!(", {} jobs of the source may be paused", jobs.len()),
                        None => String::new(),
                    },
                ),
                next: vec![
                    "go on with it: the same command with --resume".into(),
                    format!("or close what it left open: {}", record::cleanup(work, false)),
                    format!("or give it up, and empty the target: {}", record::cleanup(work, true)),
                ],
            })
        }
        _ => Ok(None),
    }
}

/// How the run had come out, where it was stopped after the target had forgotten it.
pub(super) async fn ended(context: &RunContext, past: &State) -> Result<Option<bool>, Error> {
    let Some(equal) = past.ending else { return Ok(None) };
    let owner = Marks::owner(&context.target.open().await?).await?;
    Ok(owner.is_none().then_some(equal))
}

/// Refuses to go on with anything but what was begun.
pub(super) async fn check_same_run(context: &Context, past: &State, servers: &Servers) -> Result<(), Error> {
    let (options, source) = (fingerprint::options_fingerprint(context), Identity::of(&servers.source));
    check_run(context, past, &source, &servers.target, (&options, fixed_options(context))).await
}

/// The same of one of several databases whose run has come to its end.
pub(super) async fn arrived(args: &Args) -> Result<(), Error> {
    let context = Context::new(args)?;
    let Some(past) = context.work.past()? else { return Ok(()) };
    let (source, target) = tokio::try_join!(context.source.open(), context.target.open())?;
    let source = inspect::inspect(&source, Side::Source).await?;
    let target = inspect::inspect(&target, Side::Target).await?;
    let options = fingerprint::options_fingerprint(&context);
    check_same(&context, &past, &Identity::of(&source), &target, (&options, fixed_options(&context)))
}

/// The options that a later start may not change.
fn fixed_options(context: &Context) -> &'static str {
    if context.tuning.beside {
        "--accept, --into-schema, --map-schema and --no-…"
    } else {
        "--accept, --include, --exclude, --exclude-data, --hypertable and --no-…"
    }
}

/// The same of any run, with a hash of its options and the names of those that have to stay as they were.
pub(super) async fn check_run(
    context: &RunContext,
    past: &State,
    source: &Identity,
    target_facts: &Facts,
    options: (&str, &str),
) -> Result<(), Error> {
    check_same(context, past, source, target_facts, options)?;
    let target = context.target.open().await?;
    match Marks::owner(&target).await? {
        Some(owner) if owner.format != record::FORMAT => {
            record::check(MARKS, owner.format, context.work.path(), &past.version)
        }
        Some(owner) if owner.id == past.run => Ok(()),
        Some(owner) => Err(refused(
            context,
            &format!(
                "the target belongs to another run ({}, begun at {} from {})",
                owner.id, owner.started, owner.source
            ),
        )),
        None if past.ending.is_some() || target_facts.objects.is_empty() => Ok(()),
        // What is there is of others: nothing was written yet.
        None if context.tuning.beside && past.steps == 0 => Ok(()),
        None => Err(refused(
            context,
            "the target does not know of the run any more (its schema _tsmigrate is gone), and is not empty",
        )),
    }
}

/// Refuses where the program, the servers or the options are not those of the run.
pub(super) fn check_same(
    context: &RunContext,
    past: &State,
    source: &Identity,
    target_facts: &Facts,
    (options, fixed): (&str, &str),
) -> Result<(), Error> {
    if past.version != env!("CARGO_PKG_VERSION") {
        return Err(refused(
            context,
            &format!(
                "the run was begun by version {}, and this is {}",
                past.version,
                env!("CARGO_PKG_VERSION")
            ),
        ));
    }
    for (side, before, now) in
        [("source", &past.source, source), ("target", &past.target, &Identity::of(target_facts))]
    {
        if before != now {
            return Err(refused(
                context,
                &format!(
                    "the {side} is another one: it was database {} ({}) of server {}, and is {} ({}) of {}",
                    quoted(&before.database),
                    before.oid,
                    before.system,
                    quoted(&now.database),
                    now.oid,
                    now.system
                ),
            ));
        }
    }
    if past.options != options {
        return Err(refused(
            context,
            &format!("the options have changed: {fixed} have to stay as they were"),
        ));
    }
    Ok(())
}

/// Ends what sessions of the run before may still do.
pub(super) async fn end_sessions(context: &RunContext, session: &Session) -> Result<(), Error> {
    // Ours are there too: only those that began before this process did.
    let older = format!(
        "FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
         AND usename = current_user AND pid <> pg_catalog.pg_backend_pid() AND application_name = {} \
         AND backend_start < pg_catalog.now() - {} * interval '1 second'",
        crate::quote::literal(&context.name()),
        context.age()
    );
    if context.work.past()?.is_some_and(|past| past.is_copy)
        && session.ask_flag(&format!("SELECT EXISTS (SELECT {older})")).await?
    {
        return Err(Error::Refused {
            what: format!(
                "{} is a copy of a work directory, and the run has sessions on the {}: it may be at work with the first one",
                context.work.path().display(),
                session.side().name()
            ),
            next: vec![
                "let that run end, or stop it with Ctrl-C where it runs, then go on in its own directory"
                    .into(),
                "if it was killed, wait until its sessions have ended, and start this again".into(),
            ],
        });
    }
    session.ask(&format!("SELECT pg_catalog.pg_terminate_backend(pid) {older}")).await.map(drop)
}

/// Tells plan and marks of a run beside others what the source brings that it did not when the run began.
async fn tell_of_later(
    context: &Context,
    servers: &Servers,
    scripts: &Scripts,
    target: &Session,
    plan: &mut SavedPlan,
) -> Result<(), Error> {
    if !plan.others.beside {
        return Ok(());
    }
    let brought = copy_plan::brought(context, servers, scripts).await?;
    if beside::later(target, scripts, &brought, &mut plan.others).await? {
        context.work.save_plan(plan)?;
        possession::tell(target, plan.clone()).await?;
    }
    Ok(())
}

/// Goes on: what is done stays, where it still fits.
pub(super) async fn continue_run(
    context: &Context,
    servers: &Servers,
    past: &State,
    snapshot: &Snapshot,
    scripts: &mut Scripts,
) -> Result<CopyPlan, Error> {
    let target = context.target.open().await?;
    end_sessions(context, &target).await?;
    let objects = others::known(&*snapshot.holder.turn().await?, context.moving().as_deref()).await?;
    let mut seen = (snapshot.state.clone(), scripts.hash.clone());
    let mut saved_plan = if past.snapshot.is_some() {
        context.work.saved_plan(&context.run)?
    } else {
        // It ended before anything was settled.
        let saved_plan = SavedPlan {
            others: beside::before(context, scripts, &copy_plan::brought(context, servers, scripts).await?)
                .await?,
            format: record::FORMAT,
            run: context.run.clone(),
            target: servers.target.clone(),
            tables: copy_plan::ranges(context, &snapshot.listing.tables),
            allow_violations: servers.violations_given.clone(),
            schema: mended::saved(scripts, objects.clone()),
        };
        context.work.save_plan(&saved_plan)?;
        saved_plan
    };
    saved_plan.allow_violations.clone_from(&servers.violations_given);
    if Marks::owner(&target).await?.is_none() {
        saved_plan.schema = mended::saved(scripts, objects);
        context.work.save_plan(&saved_plan)?;
        context.journal(read_at(seen))?;
        return Ok(CopyPlan { marks: take_possession(context).await?, tables: saved_plan.tables });
    }
    let marks = Marks::read(&target).await?;
    tell_of_later(context, servers, scripts, &target, &mut saved_plan).await?;
    // What was taken up before stands on the target, in the transaction that did it.
    if let Some(schema) = Marks::schema(&target).await? {
        saved_plan.schema = serde_json::from_str(&schema)
            .map_err(|error| Error::Defect(format!("the schema in {MARKS}: {error}")))?;
    }
    let unchanged = past.snapshot.as_ref().is_some_and(|(state, _)| *state == snapshot.state);
    if context.args.new_snapshot && !unchanged {
        rewind::run(context, servers, &marks, &saved_plan.schema, scripts).await?;
    }
    let has_catalogs = marks.done(&Step::Catalogs).is_some() && marks.done(&Step::Restored).is_none();
    if context.args.new_snapshot && servers.source.timescale.is_some() && has_catalogs {
        // Chunks come, go and are emptied like any table.
        restoring::turn_on(context).await?;
    }
    saved_plan.schema = mended::take_up(context, &marks, &saved_plan.schema, scripts, objects).await?;
    context.work.save_plan(&saved_plan)?;
    let (done, all) = progress(&marks, &saved_plan.tables);
    context
        .progress
        .line(&format!("  {} steps are done, {done} of {all} parts of tables among them", marks.count()));
    let tables = if unchanged {
        saved_plan.tables
    } else if done == 0 && marks.done(&Step::Catalogs).is_none() {
        // Nothing is read yet: tables as they are now, for those that were empty may have rows.
        let tables = copy_plan::ranges(context, &snapshot.listing.tables);
        context.work.save_plan(&crate::workdir::SavedPlan { tables: tables.clone(), ..saved_plan })?;
        tables
    } else if context.args.new_snapshot {
        renewal::renew(
            context,
            snapshot,
            &marks,
            saved_plan.tables,
            &target,
            &scripts.post_data,
            servers.filter.chosen(),
        )
        .await?
    } else if done == all && !has_new_rows(&saved_plan.tables, &snapshot.listing.tables) {
        context.progress.warn(
            "the source has been written to since its rows were copied; what was written later is not on the target: the \
             same command with --resume --new-snapshot copies anew what differs",
        );
        // The rows stay those of before, which a later start has to know.
        if let Some((state, _)) = &past.snapshot {
            seen.0.clone_from(state);
        }
        saved_plan.tables
    } else {
        return Err(Error::Refused {
            what: format!(
                "the snapshot that {done} of {all} parts were read from is gone, for its session has ended, and the source has \
                 been written to since: the rest would not fit them"
            ),
            next: vec![
                "compare what is there with the source as it is now, copy anew what differs, and read the rest: \
                 the same command with --resume --new-snapshot"
                    .into(),
                anew_from_start(context),
            ],
        });
    };
    let begun = |ranges: &TableRanges| {
        copy_plan::steps(std::slice::from_ref(ranges)).iter().any(|step| marks.done(step).is_some())
    };
    let to_copy =
        tables.iter().filter(|ranges| !begun(ranges)).map(|(table, _)| table.into.clone()).collect();
    others::before_rows(context, &target, &marks, &to_copy).await?;
    context.journal(read_at(seen))?;
    Ok(CopyPlan { marks, tables })
}

/// The state that the rows on the target are of, and the hash of the schema.
fn read_at((state, schema): (String, String)) -> Event {
    Event::Snapshot { state, schema }
}

/// Whether there are rows in tables that the run does not know.
fn has_new_rows(known: &[TableRanges], now: &[Table]) -> bool {
    let known: BTreeSet<&Relation> = known.iter().map(|(table, _)| &table.relation).collect();
    now.iter().any(|table| table.blocks > 0 && !known.contains(&table.relation))
}

fn progress(marks: &Marks, tables: &[TableRanges]) -> (usize, usize) {
    let all = copy_plan::steps(tables);
    (all.iter().filter(|step| marks.done(step).is_some()).count(), all.len())
}
