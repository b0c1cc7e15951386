//! Both servers as they are before anything is written: what they hold, what stands in the way, what is to be copied.

use std::time::{Duration, Instant};

use super::servers::Servers;
use super::weigh;
use super::{Context, beside, excluded, limits, possession, snapshot, stages, violations, wrappers};
use crate::connect::{Session, Side, pooler};
use crate::converted::Conversions;
use crate::error::{Blocker, Error};
use crate::filter::Filter;
use crate::human;
use crate::inspect::{self, Facts};
use crate::jobs;
use crate::names::Relation;
use crate::quote::quoted;
use crate::tools;
use crate::{clashes, hazards, plan, watch};

/// How often a table that another session holds is asked for.
const LOCK_TRIES: u32 = 20;

/// Inspects both servers, and waits for whoever has a table of the source for itself: its size cannot be told before.
pub(super) async fn inspect_servers(context: &Context, resumed: bool) -> Result<Servers, Error> {
    let mut attempt = 0;
    loop {
        let error = match Box::pin(inspect_once(context, resumed)).await {
            Err(error) if error.code() == "55P03" && attempt < LOCK_TRIES => error,
            Err(error @ Error::Query { side: "source", .. }) => {
                return Err(watch::explain(error, &context.source).await);
            }
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

async fn inspect_once(context: &Context, resumed: bool) -> Result<Servers, Error> {
    let start = Instant::now();
    let (source, target) = limits::open(context).await?;
    source.run(&format!("SET lock_timeout = {}", context.args.lock_timeout.as_millis())).await?;
    let (mut source_facts, mut target_facts) =
        tokio::try_join!(inspect::inspect(&source, Side::Source), inspect::inspect(&target, Side::Target))?;
    let filter = Filter::ask(&source, &context.args.wish()).await?;
    filter.restrict(&mut source_facts);
    // Whatever asks for such a name fails.
    hazards::refuse_cut_names(&source, |table| filter.has(table)).await?;
    let beside = context.tuning.beside;
    let of_timescale =
        if beside { beside::without_timescale(&source, &mut source_facts).await? } else { None };
    let source_facts = source_facts;
    let mut blockers = plan::preflight(&source_facts, &target_facts);
    blockers.extend(of_timescale);
    let mut begun = resumed;
    if !resumed {
        let (left, clashes, roles) = tokio::try_join!(
            possession::left_over(&target),
            clashes::find(&source, &target, &source_facts, &target_facts, &filter),
            clashes::roles(&target, &source_facts, &target_facts)
        )?;
        begun = left.is_some();
        blockers.splice(0..0, left);
        // Where schemas move, names are others on the target.
        let is_of_names = |clash: &Blocker| clash.check != clashes::SETTING;
        blockers.extend(clashes.into_iter().filter(|clash| !beside || !is_of_names(clash)));
        blockers.extend(roles.filter(|_| !context.args.no_roles));
    }
    if begun {
        // A run has put the target into restoring mode, and its objects there.
        blockers.retain(|blocker| !["target-not-empty", "target-restoring"].contains(&blocker.check));
    }
    if beside {
        // What meets is found when it is known what is created.
        blockers.retain(|blocker| blocker.check != "target-not-empty");
    }
    if !blockers.is_empty() {
        blockers.extend(poolers(context).await?);
        return Err(Error::Preflight(blockers));
    }
    let used = wrappers::used(&source).await?;
    target_facts.refused_wrappers = wrappers::refused(used, &target, &target_facts).await?;
    let target_facts = target_facts;
    let given = violations::given(context, &context.args.allow_violations, resumed);
    let reach = limits::sessions(context, source_facts.size, &source, &target).await?;
    let tools = tools::find(context.args.pg_bin.as_deref(), source_facts.major(), target_facts.major());
    let (found, poolers, asked) = tokio::try_join!(tools, poolers(context), async {
        let timescale = source_facts.timescale.as_ref();
        let mut jobs = if timescale.is_some() { jobs::list(&source).await? } else { Vec::new() };
        jobs.retain(|job| filter.has_job(job.id));
        // One stop names all of them.
        let mut blockers = Vec::new();
        blockers.extend(
            stages::jobs::not_pausable(context.args.no_pause_jobs, &source, &source_facts, &jobs).await?,
        );
        let hazards = match timescale {
            Some(timescale) => hazards::find(&source, timescale, |table| filter.has(table)).await?,
            None => Vec::new(),
        };
        let convert = Conversions::ask(&source, &source_facts, &target_facts, &context.args.hypertable).await;
        let convert = held(&mut blockers, convert)?;
        blockers.extend(snapshot::of_one_server(&context.source, &source).await?);
        let unreadable = unreadable(&source, &source_facts, |table| filter.has(table)).await?;
        let is_readable = unreadable.is_none();
        blockers.extend(unreadable);
        let weight = weigh::weigh(context, &filter, &source, &target, reach).await?;
        held(&mut blockers, limits::room(context, &weight, &filter, &source, &target).await)?;
        let violations = if is_readable {
            violations::find(context, &given, &source, &source_facts).await?
        } else {
            Vec::new()
        };
        let without_rows = excluded::without_rows(&source, &filter, &violations).await?;
        blockers.extend(without_rows.filter(|_| !resumed));
        Ok((blockers, (jobs, hazards, convert, weight, violations)))
    })?;
    let (mut blockers, (jobs, hazards, convert, weight, violations)) = asked;
    blockers.extend(poolers);
    let (Some(convert), true) = (convert, blockers.is_empty()) else {
        return Err(Error::Preflight(blockers));
    };
    // A pooler that was accepted refuses what it does not know.
    if !context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(pooler::SESSIONS)) {
        context.source.endpoint().pin();
    }
    let Some(tools) = tools::choose(&found, source_facts.major(), target_facts.major()).cloned() else {
        return Err(tools::missing(&found, &source_facts, target_facts.major()).await);
    };
    let result = format!("PostgreSQL {} to {}", source_facts.major(), target_facts.major());
    context.stage("preflight", result, start.elapsed());
    Ok(Servers {
        source: source_facts,
        target: target_facts,
        tools,
        jobs,
        hazards,
        filter,
        weight,
        convert,
        violations,
        violations_given: given,
    })
}

/// Takes what stands in the way out of a result, for others to come beside it.
fn held<T>(blockers: &mut Vec<Blocker>, result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(Error::Preflight(found)) => {
            blockers.extend(found);
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// Rows that the source would keep from us: none may stay behind in silence.
pub(super) async fn unreadable(
    source: &Session,
    facts: &Facts,
    comes: impl Fn(&Relation) -> bool,
) -> Result<Option<Blocker>, Error> {
    let found = inspect::unreadable(source, comes).await?;
    let Some((_, policy)) = found.first() else { return Ok(None) };
    let names = found.iter().map(|(name, _)| name);
    let user = quoted(&facts.user);
    let grant = format!("GRANT pg_read_all_data TO {user}");
    Ok(Some(Blocker {
        check: "source-unreadable",
        what: format!(
            "{} tables and sequences of the source cannot be read as a whole by {}: {}",
            found.len(),
            user,
            human::first(names, 8)
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
    let found = found.filter_map(|(connector, pooler)| {
        Some(pooler::blocker(connector.side(), connector.endpoint(), pooler?))
    });
    let accepted = |check: &str| context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(check));
    Ok(found.filter(|found| found.check != pooler::SESSIONS || !accepted(found.check)).collect())
}
