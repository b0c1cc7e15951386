//! The order of a migration. Each step takes what the one before it found out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::resume::{self, Begun};
use super::schema::{self, Scripts};
use super::snapshot::Snapshot;
use super::weigh::{self, Weight};
use super::{Check, Context, Reached, limits, write};
use crate::clashes;
use crate::connect::{Session, Side, identifier, pooler};
use crate::converted::Conversions;
use crate::engine::part::{self, Part, Split};
use crate::engine::retry::retrying;
use crate::engine::table::{Relation, Table};
use crate::error::{Blocker, Error};
use crate::filter::Filter;
use crate::hazards;
use crate::inspect::{self, Facts};
use crate::jobs::{self, Job};
use crate::journal::{Event, Identity};
use crate::plan;
use crate::report::{Missing, Outcome};
use crate::tools::{self, Tools};
use crate::verify;
use crate::watch;
use crate::workdir::Settled;

/// Writes what is left to write, and compares; whether both ends are equal.
async fn carry_on(
    context: &Arc<Context>,
    ends: &Ends,
    scripts: Scripts,
    snapshot: &Snapshot,
    begun: Begun,
) -> Result<bool, Error> {
    let loaded = write::write(context, ends, scripts, snapshot, begun).await?;
    let analyzed = write::analyze(context, loaded.hypertables.clone());
    let (equal, ()) = tokio::join!(verify(context, ends, snapshot, &loaded), analyzed);
    equal
}

/// Takes a snapshot of what is to come over.
async fn take(context: &Context, ends: &Ends) -> Result<Snapshot, Error> {
    let (source, args) = (&context.source, &context.args);
    let mut snapshot =
        Snapshot::take(source, args.lock_timeout, &context.progress, |table| ends.filter.keeps_rows(table))
            .await?;
    snapshot.listing.tables.iter_mut().for_each(|table| ends.convert.direct(table));
    Ok(snapshot)
}

/// So often a session that waits for our locks is let through before anything is read.
const LET_THROUGH: u32 = 5;

/// Takes a snapshot, and the schema as it shows it. `pg_dump` asks for locks that our own session holds: an ALTER TABLE
/// that came in between waits for the one and stops the other. Nothing is read yet, so all is given back, and it goes first.
async fn read_schema(context: &Context, ends: &Ends) -> Result<(Snapshot, Scripts, bool), Error> {
    let mut attempt = 0;
    loop {
        let snapshot = take(context, ends).await?;
        let error = match schema::analyse(context, ends, Some(snapshot.holder.snapshot())).await {
            Ok((scripts, clear)) => return Ok((snapshot, scripts, clear)),
            Err(error) if tools::stopped_by_a_lock(&error) => error,
            Err(error) => return Err(error),
        };
        drop(snapshot);
        attempt += 1;
        if attempt > LET_THROUGH {
            return Err(error);
        }
        let pause = Duration::from_secs(u64::from(attempt));
        let why = "another session changes tables of the source, and goes first";
        context.progress.retry("pg_dump", why, pause, attempt, LET_THROUGH);
        tokio::time::sleep(pause).await;
    }
}

/// Both ends, looked at.
pub(super) struct Ends {
    pub(super) source: Facts,
    /// As it was before anything was written.
    pub(super) target: Facts,
    pub(super) tools: Tools,
    /// The source's jobs as they were before any was paused.
    pub(super) jobs: Vec<Job>,
    hazards: Vec<Blocker>,
    /// What comes over.
    pub(super) filter: Filter,
    pub(super) weight: Weight,
    /// Tables that become hypertables.
    pub(super) convert: Conversions,
}

impl Ends {
    /// What was chosen to come over, and how.
    pub(super) fn chosen(&self) -> (&Filter, &Conversions) {
        (&self.filter, &self.convert)
    }
}

/// Runs a whole migration, or the rest of one.
pub(super) async fn migrate(context: Arc<Context>) -> Result<Outcome, Error> {
    let past = resume::past(&context)?;
    let _watch = [&context.source, &context.target].map(|end| watch::start(end, &context.progress));
    let mut ends = look_patiently(&context, past.is_some()).await?;
    if let Some(past) = &past {
        resume::same_ends(&context, past, &ends).await?;
        // What has been paused was scheduled.
        for (id, scheduled) in past.jobs.iter().flat_map(|(_, jobs)| jobs).map(|job| (job.id, job.scheduled))
        {
            ends.jobs.iter_mut().filter(|job| job.id == id).for_each(|job| job.scheduled = scheduled);
        }
        if past.snapshot.is_some() {
            ends.target = context.work.settled()?.target;
        }
    }
    let ends = ends;
    let pauses = pausable(&ends).next().is_some();
    if past.is_some() {
        context.open_journal(Event::Resume)?;
        // Whatever ends this start too: what the one before left open is closed.
        let mut undo = context.undo();
        undo.reached = Reached::Written;
        undo.restoring = past.as_ref().is_some_and(|past| past.restoring);
        if let Some((schema, jobs)) = past.as_ref().and_then(|past| past.jobs.clone()) {
            (undo.jobs_schema, undo.jobs) = (schema, jobs);
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
        let (scripts, clear) = schema::analyse(&context, &ends, None).await?;
        let stopped = !may_begin(&context, &ends, &scripts, clear);
        if stopped || context.args.dry_run {
            return Ok(if stopped { Outcome::Blocked } else { Outcome::Planned });
        }
    }
    if past.is_none() {
        context.open_journal(Event::Start {
            format: crate::record::FORMAT,
            run: context.run.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: identity(&ends.source),
            target: identity(&ends.target),
            options: options(&context),
        })?;
    }
    if pauses {
        pause_jobs(&context, &ends).await?;
    }
    // What was analysed may have changed since: what is run is what the snapshot shows.
    let (mut snapshot, mut scripts, clear) = read_schema(&context, &ends).await?;
    if past.is_none() && !may_begin(&context, &ends, &scripts, clear) {
        return Ok(Outcome::Blocked);
    }
    let mut begun = match &past {
        Some(past) => resume::go_on(&context, &ends, past, &snapshot, &scripts).await?,
        None => begin(&context, &ends, &snapshot, &scripts).await?,
    };
    let mut lost = 0;
    let equal = loop {
        let error = match carry_on(&context, &ends, scripts, &snapshot, begun).await {
            Ok(equal) => break equal,
            Err(error) => error,
        };
        let gone = matches!(error, Error::SnapshotLost) || snapshot.holder.lost();
        if !gone || lost == context.args.retries {
            return Err(error);
        }
        lost += 1;
        context.progress.warn(
            "the source has ended the session that keeps the snapshot; if nobody has written there since, it goes on",
        );
        (snapshot, scripts, _) =
            retrying(context.patience(), &context.progress, "snapshot", || read_schema(&context, &ends))
                .await?;
        let past = context.work.past()?.ok_or_else(|| Error::Defect("the journal is gone".into()))?;
        begun = resume::go_on(&context, &ends, &past, &snapshot, &scripts).await?;
    };
    // Who waits for its locks goes on.
    drop(snapshot);
    write::start_jobs(&context, &ends, equal).await?;
    write::give_back(&context, equal).await?;
    after(&context, &ends, equal);
    Ok(if equal { Outcome::Migrated } else { Outcome::Differs })
}

/// So often a table that another session holds is asked for.
const LOCK_TRIES: u32 = 20;

/// Looks at both ends, and waits for whoever has a table of the source for itself: its size cannot be told before.
async fn look_patiently(context: &Context, resumed: bool) -> Result<Ends, Error> {
    let mut attempt = 0;
    loop {
        let error = match Box::pin(look(context, resumed)).await {
            Err(error) if error.code() == "55P03" && attempt < LOCK_TRIES => error,
            result => return result,
        };
        attempt += 1;
        let holders = match &error {
            Error::Query { side: "source", .. } => {
                watch::holders(&context.source.open().await?, std::iter::empty()).await?
            }
            _ => Vec::new(),
        };
        let who = if holders.is_empty() { "another session".to_owned() } else { holders.join("; ") };
        let why = format!("a table is held by {who}");
        let pause = Duration::from_secs(u64::from(attempt.min(10)));
        context.progress.retry("lock", &why, pause, attempt, LOCK_TRIES);
        tokio::time::sleep(pause).await;
    }
}

async fn look(context: &Context, resumed: bool) -> Result<Ends, Error> {
    let start = Instant::now();
    let (source, target) = limits::open(context).await?;
    source.run(&format!("SET lock_timeout = {}", context.args.lock_timeout.as_millis())).await?;
    let (source_facts, target_facts) =
        tokio::try_join!(inspect::inspect(&source, Side::Source), inspect::inspect(&target, Side::Target))?;
    let mut blockers = plan::preflight(&source_facts, &target_facts);
    if resumed {
        blockers.retain(|blocker| !["target-not-empty", "target-restoring"].contains(&blocker.check));
    } else {
        blockers.splice(0..0, resume::left_over(context, &target).await?);
        blockers.extend(clashes::find(&source, &target, &source_facts, &target_facts).await?);
    }
    if !blockers.is_empty() {
        blockers.extend(poolers(context).await?);
        return Err(Error::Preflight(blockers));
    }
    let connections = limits::sessions(context, &source, &target).await?;
    let (found, poolers, asked) =
        tokio::try_join!(tools::find(context.args.pg_bin.as_deref()), poolers(context), async {
            let timescale = source_facts.timescale.as_ref();
            let jobs = if timescale.is_some() { jobs::list(&source).await? } else { Vec::new() };
            let hazards = match timescale {
                Some(timescale) => hazards::find(&source, timescale).await?,
                None => Vec::new(),
            };
            let filter = Filter::ask(&source, &source_facts, &context.args.wish()).await?;
            let convert =
                Conversions::ask(&source, &source_facts, &target_facts, &context.args.hypertable).await?;
            if let Some(blocker) = unreadable(&source, &source_facts).await? {
                return Err(Error::Preflight(vec![blocker]));
            }
            let weight = weigh::weigh(context, &filter, &source, &target, connections).await?;
            limits::room(context, &weight, &filter, &source, &target).await?;
            Ok((jobs, hazards, filter, convert, weight))
        })?;
    if !poolers.is_empty() {
        return Err(Error::Preflight(poolers));
    }
    let (jobs, hazards, filter, convert, weight) = asked;
    // A pooler that was accepted refuses what it does not know.
    if !context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(pooler::SESSIONS)) {
        context.source.endpoint().pin();
    }
    let Some(tools) = tools::choose(&found, source_facts.major(), target_facts.major()).cloned() else {
        return Err(tools::missing(&found, &source_facts, target_facts.major()).await);
    };
    let result = format!("PostgreSQL {} to {}", source_facts.major(), target_facts.major());
    context.stage("preflight", result, start.elapsed());
    Ok(Ends { source: source_facts, target: target_facts, tools, jobs, hazards, filter, weight, convert })
}

/// Rows that the source would keep from us: none may stay behind in silence.
async fn unreadable(source: &Session, facts: &Facts) -> Result<Option<Blocker>, Error> {
    let found = inspect::unreadable(source).await?;
    let Some((_, policy)) = found.first() else { return Ok(None) };
    let names: Vec<&str> = found.iter().take(8).map(|(name, _)| name.as_str()).collect();
    let user = identifier(&facts.user);
    let grant = format!("GRANT pg_read_all_data TO {user}");
    Ok(Some(Blocker {
        check: "source-unreadable",
        what: format!(
            "{} tables and sequences of the source cannot be read as a whole by {}: {}{}",
            found.len(),
            facts.user,
            names.join(", "),
            if found.len() > names.len() { ", …" } else { "" }
        ),
        next: vec![
            "name a user with --source that may read everything, a superuser or the owner, or there:"
                .to_owned(),
            format!(
                "  {grant}{}",
                if *policy { format!("; ALTER ROLE {user} BYPASSRLS") } else { String::new() }
            ),
        ],
    }))
}

/// Connection poolers in between, but those that were accepted.
async fn poolers(context: &Context) -> Result<Vec<Blocker>, Error> {
    let (source, target) = tokio::try_join!(pooler::find(&context.source), pooler::find(&context.target))?;
    let found = [(&context.source, source), (&context.target, target)].into_iter();
    let found = found.filter_map(|(connector, pooler)| Some(pooler::blocker(connector, pooler?)));
    let accepted = |check: &str| context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(check));
    Ok(found.filter(|found| found.check != pooler::SESSIONS || !accepted(found.check)).collect())
}

/// Writes the plan into the report; false where something stands in the way.
fn may_begin(context: &Context, ends: &Ends, scripts: &Scripts, clear: bool) -> bool {
    let version = plan::timescale_version(&ends.source, &ends.target);
    let hazards = ends.hazards.iter().filter(|hazard| {
        !hazards::ACCEPTABLE.contains(&hazard.check)
            || !context.args.accept.iter().any(|accepted| accepted.eq_ignore_ascii_case(hazard.check))
    });
    let stops: Vec<Blocker> = version.into_iter().chain(hazards.cloned()).collect();
    let free = stops.is_empty() && clear;
    let mut report = context.report();
    report.blockers = stops;
    let mut plan = weigh::plan(context, ends, scripts);
    plan.notes.extend(context.workers.get().map(|(_, why)| why.clone()));
    plan.notes.extend(ends.filter.lines().iter().cloned());
    plan.notes.extend(ends.convert.lines());
    report.plan = Some(plan);
    free
}

/// Takes possession of the target.
async fn begin(
    context: &Context,
    ends: &Ends,
    snapshot: &Snapshot,
    scripts: &Scripts,
) -> Result<Begun, Error> {
    let settled = Settled {
        format: crate::record::FORMAT,
        run: context.run.clone(),
        target: ends.target.clone(),
        tables: parts(context, &snapshot.listing.tables),
    };
    context.work.settle(&settled)?;
    context.journal(Event::Snapshot { state: snapshot.state.clone(), schema: scripts.hash.clone() })?;
    let marks = resume::take_possession(context).await?;
    Ok(Begun { marks, tables: settled.tables })
}

/// Tables with their parts.
pub(super) fn parts(context: &Context, tables: &[Table]) -> Vec<(Table, Vec<Part>)> {
    let split = match context.args.split_larger_than {
        Some(size) => Split { above: size.as_u64(), into: size.as_u64() },
        None => Split::balanced(tables.iter().map(|table| table.bytes), context.jobs()),
    };
    tables.iter().map(|table| (table.clone(), part::parts(table, split))).collect()
}

/// A server's database as the journal knows it.
pub(super) fn identity(facts: &Facts) -> Identity {
    Identity {
        system: facts.system.clone(),
        database: facts.database.clone(),
        oid: facts.database_oid.clone(),
    }
}

/// A hash of the options that decide what arrives; how fast it arrives may change from start to start.
pub(super) fn options(context: &Context) -> String {
    let args = &context.args;
    let mut accept = args.accept.clone();
    accept.sort();
    let flags = [args.no_roles, args.no_owner, args.no_privileges, args.no_comments, args.no_publications];
    let all = (accept, &args.include, &args.exclude, &args.exclude_data, &args.hypertable, flags);
    let text = serde_json::to_vec(&all).unwrap_or_default();
    crate::human::hex(&Sha256::digest(&text))
}

/// Jobs of the source that have to be paused.
fn pausable(ends: &Ends) -> impl Iterator<Item = &Job> {
    let runs = ends.source.timescale.as_ref().is_some_and(|timescale| timescale.license != "apache");
    ends.jobs.iter().filter(move |job| runs && job.scheduled)
}

async fn pause_jobs(context: &Context, ends: &Ends) -> Result<(), Error> {
    let Some(timescale) = &ends.source.timescale else { return Ok(()) };
    let scheduled: Vec<Job> = pausable(ends).cloned().collect();
    let start = Instant::now();
    let session = context.source.open().await?;
    // Written down first: whatever happens to us, the next start knows.
    context.pausing(&timescale.schema, &scheduled)?;
    if !scheduled.is_empty() {
        let alter = jobs::Alter::find(&session).await?;
        for job in &scheduled {
            alter.schedule(&session, job.id, false, None).await?;
        }
    }
    let running = jobs::settle(&session, &scheduled).await?;
    for name in &running {
        context.progress.warn(&format!("{name} of the source still runs; what it drops now may be missed"));
    }
    context.stage("pause jobs", format!("{} jobs of the source", scheduled.len()), start.elapsed());
    Ok(())
}

async fn verify(
    context: &Context,
    ends: &Ends,
    snapshot: &Snapshot,
    loaded: &write::Loaded,
) -> Result<bool, Error> {
    if context.args.verify == Check::None {
        return Ok(true);
    }
    let start = Instant::now();
    let sessions = verify::Sessions {
        source: &context.source,
        target: &context.target,
        snapshot: snapshot.holder.snapshot(),
        holder: Some(&snapshot.holder),
    };
    let findings = context.report().findings.clone();
    let expect = verify::Expect {
        source: &ends.source,
        target: &ends.target,
        rows: &loaded.rows,
        skipped: &loaded.skipped,
        sequences: &loaded.sequences,
        findings,
    };
    let chosen = verify::Chosen { filter: ends.filter.clone(), convert: ends.convert.clone() };
    let args = &context.args;
    let without = verify::Without {
        roles: args.no_roles,
        owners: args.no_owner,
        privileges: args.no_privileges,
        comments: args.no_comments,
        publications: args.no_publications,
    };
    let how = verify::How {
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        chosen,
        without,
        ..args.verify.into()
    };
    let verification = verify::verify(&sessions, &expect, how, &context.progress).await?;
    let result = verification.summary();
    let equal = verification.differences.is_empty();
    context.report().verification = Some(verification);
    context.stage("verify", result, start.elapsed());
    Ok(equal)
}

fn after(context: &Context, ends: &Ends, equal: bool) {
    let mut report = context.report();
    for role in report.passwords_to_set.clone() {
        report.next.push(format!("ALTER ROLE {} PASSWORD '…';", identifier(&role)));
    }
    for name in ends.source.extensions.keys() {
        if !ends.target.extensions.contains_key(name) && !ends.target.creatable.contains(name) {
            report.missing.push(Missing {
                what: format!("extension {name}"),
                why: "the service does not have it".into(),
            });
        }
    }
    report.next.push(if equal {
        "point the applications at the target".to_owned()
    } else {
        "look at the differences before any application uses the target".to_owned()
    });
}

/// The relations of `tables`.
pub(super) fn relations(tables: &[(Table, Vec<Part>)]) -> BTreeSet<Relation> {
    tables.iter().map(|(table, _)| table.relation.clone()).collect()
}
