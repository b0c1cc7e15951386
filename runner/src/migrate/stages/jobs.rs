//! Background jobs: paused on the source before it is read, started on the target when everything has arrived.

use std::collections::{BTreeMap, BTreeSet};

use crate::connect::Session;
use crate::engine::retry::{retrying, transient};
use crate::error::{Blocker, Error};
use crate::human;
use crate::inspect::{Facts, Timescale};
use crate::jobs::{self, Job};
use crate::migrate::driver::{StageResult, TargetRun};
use crate::migrate::loaded::Loaded;
use crate::migrate::servers::Servers;
use crate::migrate::stages::workers::POST_RESTORE;
use crate::migrate::{Context, RunContext, administrator};
use crate::plan::RUNNING;
use crate::quote::{identifier, literal, psql, quoted};
use crate::results::{Missing, MovedJob, Script};

/// Jobs of the source that have to be paused.
pub(in crate::migrate) fn pausable<'a>(
    context: &Context,
    servers: &'a Servers,
) -> impl Iterator<Item = &'a Job> {
    let runs = servers.source.timescale.as_ref().is_some_and(Timescale::runs_jobs);
    let pauses = runs && !context.args.no_pause_jobs;
    servers.jobs.iter().filter(move |job| pauses && job.scheduled)
}

/// Jobs that run while they are copied, for the user may not pause them.
pub(in crate::migrate) async fn not_pausable(
    are_left_alone: bool,
    session: &Session,
    source: &Facts,
    jobs: &[Job],
) -> Result<Option<Blocker>, Error> {
    let runs = source.timescale.as_ref().is_some_and(Timescale::runs_jobs);
    if !runs || are_left_alone {
        return Ok(None);
    }
    let found = jobs::not_ours(session, jobs).await?;
    let owners: BTreeSet<&String> = found.iter().map(|job| &job.owner).collect();
    let grants = owners.is_disjoint(&source.superusers.iter().collect());
    let Some(first) = found.first() else { return Ok(None) };
    let user = quoted(&source.user);
    let owners: Vec<String> = owners.into_iter().map(|owner| identifier(owner)).collect();
    let grant = psql("SOURCE", &format!("GRANT {} TO {}", owners.join(", "), identifier(&source.user)));
    let mut next = if grants {
        vec![
            "name a superuser with --source, or let that user act for the jobs' owners:".into(),
            format!("  {grant}"),
        ]
    } else {
        vec!["name a superuser with --source".into()]
    };
    next.push(format!("or add --no-pause-jobs: {RUNNING}"));
    Ok(Some(Blocker {
        check: "source-jobs",
        what: format!(
            "{user} cannot pause {} of the source, such as {} of {}",
            human::count(found.len() as u64, "job"),
            human::line(&first.name),
            quoted(&first.owner)
        ),
        next,
    }))
}

/// Pauses them, and waits for those that run. The journal knows before: whatever ends this process, the next start puts
/// them back.
pub(in crate::migrate) async fn pause(context: &Context, servers: &Servers) -> Result<StageResult, Error> {
    if servers.source.timescale.is_none() {
        return Ok(StageResult::default());
    }
    let scheduled: Vec<Job> = pausable(context, servers).cloned().collect();
    let session = context.source.open().await?;
    context.pausing(&scheduled)?;
    for name in &jobs::pause(&session, &scheduled).await? {
        context.progress.warn(&format!("{name} of the source still runs; what it drops now may be missed"));
    }
    Ok(StageResult::done(format!("{} of the source", human::count(scheduled.len() as u64, "job"))))
}

/// Gives copied jobs the owners that they have on the source, so that what they call runs as those. They still wait. A
/// service may refuse jobs of others than its administrator.
pub(in crate::migrate) async fn hand_over(
    run: &TargetRun<'_>,
    moved: &Moved<'_>,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let context = run.context;
    if moved.source.timescale.is_none() || moved.jobs.is_empty() {
        return Ok(StageResult::default());
    }
    let kept = &loaded.kept.owners;
    let once = || hand_over_once(run, moved, kept);
    let (count, missing) = retrying(context.retry_policy(), &context.progress, "jobs", once).await?;
    loaded.kept.jobs.extend(missing.iter().map(|(id, _)| *id));
    Ok(StageResult {
        summary: (count > 0).then(|| format!("{} handed over", human::count(count, "job"))),
        missing: missing.into_iter().map(|(_, missing)| missing).collect(),
        ..StageResult::default()
    })
}

/// How many were handed over, and those that were not. To do it twice does no harm.
async fn hand_over_once(
    run: &TargetRun<'_>,
    moved: &Moved<'_>,
    kept: &BTreeSet<String>,
) -> Result<(u64, Vec<(i64, Missing)>), Error> {
    let (mut count, mut missing) = (0, Vec::new());
    let session = run.target().await?;
    let Some(table) = jobs::table(&session).await? else { return Ok((count, missing)) };
    let admin = &moved.target.user;
    let reserved = administrator::reserved(moved.target);
    let roles: BTreeSet<String> = session.ask_list("SELECT rolname FROM pg_catalog.pg_roles").await?;
    let copied = copied(&session, &table).await?;
    for job in moved.jobs {
        let Some(found) = copied.get(&job.id) else { continue };
        if found.owner == job.owner || reserved.contains(&job.owner) || !roles.contains(&job.owner) {
            continue;
        }
        let why = if !found.action && kept.contains(&job.owner) {
            "it works on hypertables that could not be handed over".to_owned()
        } else {
            let owner = literal(&identifier(&job.owner));
            let sql = format!("UPDATE {table} SET owner = {owner}::pg_catalog.regrole WHERE id = {}", job.id);
            match session.run(&sql).await {
                Ok(()) => {
                    count += 1;
                    continue;
                }
                Err(error) if transient(&error) => return Err(error),
                Err(error) => {
                    error.answer().map_or_else(|| error.to_string(), |answer| answer.message.clone())
                }
            }
        };
        let what = format!("owner {} of job {} ({})", quoted(&job.owner), job.id, job.name);
        missing.push((job.id, Missing { what, why: format!("{why}: {} owns it", quoted(admin)), sql: None }));
    }
    Ok((count, missing))
}

/// A job of the target.
struct Copied {
    owner: String,
    /// It calls a procedure of a user's, not one of TimescaleDB's.
    action: bool,
}

async fn copied(session: &Session, table: &str) -> Result<BTreeMap<i64, Copied>, Error> {
    let rows = session
        .ask(&format!(
            "SELECT id, pg_catalog.pg_get_userbyid(owner::pg_catalog.oid), \
             NOT pg_catalog.starts_with(proc_schema::text, '_timescaledb_') FROM {table} WHERE id >= 1000"
        ))
        .await?;
    rows.iter()
        .map(|row| Ok((row.number(0)?, Copied { owner: row.text(1)?.to_owned(), action: row.flag(2)? })))
        .collect()
}

/// Jobs that come over, and what is known of their servers.
pub(in crate::migrate) struct Moved<'a> {
    /// As the source had them.
    pub(in crate::migrate) jobs: &'a [Job],
    pub(in crate::migrate) source: &'a Facts,
    pub(in crate::migrate) target: &'a Facts,
    /// When each of them is due; none where nobody can tell.
    pub(in crate::migrate) due: Option<&'a BTreeMap<i64, String>>,
    /// They are started at the end.
    pub(in crate::migrate) start: bool,
}

/// Those of a source.
pub(in crate::migrate) fn moved<'a>(
    servers: &'a Servers,
    due: Option<&'a BTreeMap<i64, String>>,
) -> Moved<'a> {
    Moved { jobs: &servers.jobs, source: &servers.source, target: &servers.target, due, start: false }
}

/// Starts those of a source when they are due there, or leaves a script that does it.
pub(in crate::migrate) async fn start_moved(
    context: &Context,
    servers: &Servers,
    equal: bool,
) -> Result<(), Error> {
    let due = retrying(context.retry_policy(), &context.progress, "jobs", || async {
        jobs::due(&context.source.open().await?).await
    })
    .await?;
    let moved = Moved { start: context.args.start_jobs, ..moved(servers, Some(&due)) };
    start(context, &moved, equal).await
}

/// What starts the copied jobs later.
pub(in crate::migrate) const SCRIPT: &str = "start-jobs.sql";

/// How a copied job is started.
enum Start {
    /// By TimescaleDB's own call.
    Call,
    /// In its tables: the call would run a function of the owner's, a check or what says the time, as who makes it. The job itself
    /// runs as its owner.
    Tables,
    /// By somebody who has looked at it first.
    ByHand(String),
}

impl Start {
    fn of(job: &Job, found: &Copied, moved: &Moved<'_>, alter: &jobs::Alter, writes_tables: bool) -> Self {
        let admin = &moved.target.user;
        let of_user = job.owner != *admin && !moved.source.superusers.contains(&job.owner);
        if !of_user {
            return Self::Call;
        }
        if found.action && found.owner == *admin {
            let admin = quoted(admin);
            return Self::ByHand(format!("look at what job {} calls, for it runs as {admin} now; ", job.id));
        }
        if !alter.has_check(job.id) {
            return Self::Call;
        }
        if writes_tables && found.owner != *admin {
            return Self::Tables;
        }
        Self::ByHand(format!(
            "job {} calls a user's function as who starts it, a check or what says the time: connect as {}, or look at it first; ",
            job.id,
            quoted(&found.owner)
        ))
    }
}

/// Starts the copied jobs, where that is asked for, when they are due on the source: what a dump does not carry would let
/// them all run at once. Otherwise the run leaves a script that does it. They came paused, so that none of them drops a chunk that is still to be counted. What a user's job calls is not started as
/// the administrator, and what checks its configuration, or says the time for it, is not called as one.
pub(in crate::migrate) async fn start(
    context: &RunContext,
    moved: &Moved<'_>,
    equal: bool,
) -> Result<(), Error> {
    let session = context.target.open().await?;
    let Some(table) = jobs::table(&session).await? else { return Ok(()) };
    let alter = jobs::Alter::find(&session).await?;
    let writes_tables = alter.writes_tables(&session).await?;
    let copied = copied(&session, &table).await?;
    let apache = moved.target.timescale.as_ref().is_some_and(|timescale| !timescale.runs_jobs());
    let (mut calls, mut in_tables) = (Vec::new(), Vec::new());
    for job in moved.jobs {
        let Some(found) = copied.get(&job.id) else { continue };
        let due = moved.due.and_then(|due| due.get(&job.id)).map(String::as_str);
        let way = Start::of(job, found, moved, &alter, writes_tables);
        match &way {
            _ if !job.scheduled => {}
            Start::ByHand(first) => {
                let start = alter.start(job.id, due);
                context.report().next.push(format!("{first}start the job: {start};"));
            }
            Start::Tables => in_tables.push((job, due, alter.start_in_tables(job.id, due))),
            // Its edition has no alter_job.
            Start::Call if apache => {
                calls.push((job, due, format!("UPDATE {table} SET scheduled = true WHERE id = {}", job.id)));
            }
            Start::Call => calls.push((job, due, alter.start(job.id, due))),
        }
        context.report().jobs.push(MovedJob {
            id: job.id,
            name: job.name.clone(),
            owner: job.owner.clone(),
            new_owner: found.owner.clone(),
            scheduled: job.scheduled && equal && moved.start && !matches!(way, Start::ByHand(_)),
        });
    }
    // The scheduler reads the tables again when it is called for a job, so calls come last.
    let wakes = (calls.is_empty() && !in_tables.is_empty()).then_some(POST_RESTORE);
    let all = in_tables.into_iter().chain(calls);
    if equal && moved.start {
        for (job, due, sql) in all {
            if let Err(error) = session.run(&sql).await {
                // Who may not act for a job's owner may still write down when it is due.
                if transient(&error) || !writes_tables {
                    return Err(error);
                }
                session.run(&alter.start_in_tables(job.id, due)).await?;
            }
        }
        return match wakes {
            Some(wakes) => session.run(wakes).await,
            None => Ok(()),
        };
    }
    let lines: Vec<String> =
        all.map(|(job, _, sql)| format!("{sql}; -- {}", human::line(&job.name))).collect();
    if !lines.is_empty() {
        start_later(context, &lines, wakes, moved.due.is_some());
    }
    Ok(())
}

/// Leaves a script that starts jobs, and says how it is run.
fn start_later(context: &RunContext, calls: &[String], wakes: Option<&str>, is_known: bool) {
    let jobs = human::count(calls.len() as u64, "job");
    let when = if is_known {
        "each when it is due on the source"
    } else {
        "at once, for no archive tells when they were due"
    };
    let title = format!("Starts {jobs} on the target, {when}; run it when the target is in use.");
    let path = context.work.path().join(SCRIPT);
    let mut report = context.report();
    report.next.push(format!(
        "start {jobs} on the target, {when}: psql -X \"$TARGET\" -f {}",
        tsmigrate_analyzer::quote::shell(&path.display().to_string())
    ));
    report.scripts.push(Script {
        file: SCRIPT.to_owned(),
        sql: format!(
            "-- {title}\n{}\n{}",
            calls.join("\n"),
            wakes.map_or_else(String::new, |wakes| format!("{wakes}; -- so that they are seen\n"))
        ),
        title,
        rule: String::new(),
    });
}
