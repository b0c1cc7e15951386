//! The target before anything is written, and what stands in the way there.

use std::time::Instant;

use tsmigrate_analyzer::archive::Section;

use super::context::Restore;
use super::refused;
use crate::capacity::{self, LEAST_TARGET, Workers};
use crate::clashes;
use crate::connect::{Session, Side, pooler};
use crate::error::{Blocker, Error};
use crate::hazards;
use crate::human::count;
use crate::inspect::{self, Facts};
use crate::migrate::manifest::Hazard;
use crate::migrate::{bridging, possession, wrappers};
use crate::plan;
use crate::quote::quoted;

/// Inspects the target, and settles how many tables are copied at once. `source` is what is known of the database that was
/// dumped, with the roles that come with it.
///
/// # Errors
/// [`Error::Preflight`] with all that stands in the way.
pub(super) async fn inspect(context: &Restore, source: &Facts, resumed: bool) -> Result<Facts, Error> {
    let start = Instant::now();
    let session = context.target.open().await?;
    let mut facts = inspect::inspect(&session, Side::Target).await?;
    let mut blockers = plan::preflight(source, &facts);
    // Nothing is asked of the source's server: dumps of older ones than a migration reads are restored too.
    blockers.retain(|blocker| blocker.check != "source-version");
    let mut begun = resumed;
    if !resumed {
        let left = possession::left_over(&session).await?;
        begun = left.is_some();
        blockers.splice(0..0, left);
        let hazards = context.contents.manifest.iter().flat_map(|manifest| &manifest.hazards);
        let is_open = |hazard: &&Hazard| {
            let accepted = context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(&hazard.check));
            !accepted || !hazards::ACCEPTABLE.contains(&hazard.check.as_str())
        };
        blockers.extend(hazards.filter(is_open).map(refused::hazard));
        blockers.extend(clashes::roles(&session, source, &facts).await?);
        blockers.extend(clashes::settings(&session, &facts).await?);
    }
    if !begun {
        blockers.extend(bridging::obstacle_of_archive(&context.target, source, &facts).await?);
    }
    if begun {
        // The run's own objects are there.
        blockers.retain(|blocker| !["target-not-empty", "target-restoring"].contains(&blocker.check));
    }
    if context.tuning.beside {
        // What meets is found when it is known what is created.
        blockers.retain(|blocker| blocker.check != "target-not-empty");
    }
    if facts.superuser {
        blockers.push(Blocker::new(
            "target-superuser",
            format!("{} is a superuser, and what an archive holds would run as one", quoted(&facts.user)),
            &["name the service's administrator with --target"],
        ));
    }
    if let Some(pooler) = pooler::find(&context.target).await? {
        let found = pooler::blocker(Side::Target, context.target.endpoint(), pooler);
        let is_accepted = context.args.accept.iter().any(|given| given.eq_ignore_ascii_case(found.check));
        blockers.extend(Some(found).filter(|found| found.check != pooler::SESSIONS || !is_accepted));
    }
    blockers.extend(context.work.full(context.contents.tables.len() as u64));
    blockers.extend(workers(context, &session).await?);
    if !blockers.is_empty() {
        return Err(Error::Preflight(blockers));
    }
    let used = wrappers::used_in(&context.contents.section(Section::PreData))?;
    facts.refused_wrappers = wrappers::refused(used, &session, &facts).await?;
    let result = format!("PostgreSQL {} to {}", source.major(), facts.major());
    context.stage("preflight", result, start.elapsed());
    Ok(facts)
}

/// Settles how many copies and builds run at once; a blocker where the target takes too few sessions.
async fn workers(context: &Restore, session: &Session) -> Result<Option<Blocker>, Error> {
    let (found, round_trip) =
        tokio::try_join!(capacity::connections(session), capacity::round_trip(session))?;
    let bytes = context.contents.tables.iter().map(|table| table.bytes).sum();
    let wanted = context.args.workers(Workers::by_distance(round_trip, bytes, found.left));
    let Some(fitted) = wanted.fitted(u64::MAX, found.left).filter(|_| found.left >= LEAST_TARGET) else {
        return Ok(Some(Blocker::new(
            "target-sessions",
            format!(
                "the target accepts {}, and a restore needs {LEAST_TARGET} at the least",
                count(found.left, "session")
            ),
            &["close other sessions there, or raise the limit"],
        )));
    };
    let mut lines = Vec::new();
    if context.args.jobs.is_none() {
        lines.push(wanted.reason(Side::Target, round_trip, bytes, found.left));
    }
    if fitted != wanted {
        let line = format!(
            "{} at once, not {}: the target accepts {}",
            count(fitted.jobs, "table"),
            wanted.jobs,
            count(found.left, "session")
        );
        context.progress.warn(&line);
        lines.push(line);
    }
    // A second look at the server changes nothing.
    let _ = context.workers.set((fitted, lines));
    Ok(None)
}
