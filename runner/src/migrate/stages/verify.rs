//! The comparison of both servers at the end.

use std::time::Instant;

use crate::error::Error;
use crate::journal::Identity;
use crate::migrate::driver::Run;
use crate::migrate::loaded::Loaded;
use crate::migrate::violations::Unfulfilled;
use crate::verify::{self, Check, Difference, Known, Verification, known};

/// Compares them; true where they are equal as far as they were compared.
pub(in crate::migrate) async fn run(run: &Run<'_>, loaded: &Loaded) -> Result<bool, Error> {
    let context = run.context;
    let start = Instant::now();
    let Some(verification) = compare(run, loaded).await? else { return Ok(true) };
    let summary = verification.summary();
    let equal = verification.differences.is_empty();
    context.report().verification = Some(verification);
    context.stage("verify", summary, start.elapsed());
    Ok(equal)
}

/// Compares them once more, after the target's TimescaleDB was updated: rows, values, owners, privileges and jobs. How
/// TimescaleDB keeps its hypertables (triggers, constraints and indexes of chunks, settings) differs between versions, and was
/// compared before the update.
pub(in crate::migrate) async fn updated(run: &Run<'_>, loaded: &Loaded) -> Result<bool, Error> {
    let context = run.context;
    let start = Instant::now();
    let Some(mut verification) = compare(run, loaded).await? else { return Ok(true) };
    verification.differences.retain(of_any_version);
    let summary = verification.summary();
    let equal = verification.differences.is_empty();
    context.report().verification = Some(verification);
    context.stage("verify", format!("after the update: {summary}"), start.elapsed());
    Ok(equal)
}

/// A difference that no version of TimescaleDB makes.
fn of_any_version(difference: &Difference) -> bool {
    let kind = difference.kind.as_str();
    let own = kind.starts_with("TimescaleDB catalog");
    let about = ["rows", "content", "values", "owner", "privilege", "job"];
    !own && about.iter().any(|about| kind.contains(about))
}

async fn compare(run: &Run<'_>, loaded: &Loaded) -> Result<Option<Verification>, Error> {
    let (context, servers) = (run.context, run.servers);
    let args = &context.args;
    let mut findings = context.report().findings.clone();
    findings.extend(loaded.unfulfilled.iter().map(Unfulfilled::finding));
    let without = verify::Without {
        roles: args.no_roles,
        owners: args.no_owner,
        privileges: args.no_privileges,
        comments: args.no_comments,
        publications: args.no_publications,
    };
    let mut known = Known {
        format: crate::record::FORMAT,
        source: Identity::of(&servers.source),
        target: Identity::of(&servers.target),
        before: servers.target.clone(),
        announcements: findings.iter().map(Into::into).collect(),
        skipped: loaded.skipped.clone(),
        kept: loaded.kept.clone(),
        wish: args.wish(),
        moving: context.moving().as_deref().cloned(),
        hypertable: args.hypertable.clone(),
        has_others: args.one_of_several,
        without,
        jobs_wait: !args.start_jobs,
        seen: None,
    };
    // Only a later comparison asks for it.
    let keep = |known: &Known| {
        if let Err(error) = context.work.keep(known::FILE, known) {
            context.progress.warn(&error.to_string());
        }
    };
    keep(&known);
    if args.verify == Check::None {
        return Ok(None);
    }
    let sessions = verify::Sessions {
        source: &context.source,
        target: &context.target,
        snapshot: run.snapshot.holder.snapshot(),
        holder: Some(&run.snapshot.holder),
    };
    let expect = verify::Expect {
        source: &servers.source,
        target: &servers.target,
        rows: &loaded.rows,
        skipped: &loaded.skipped,
        sequences: &loaded.sequences,
        findings,
        kept: Some(&loaded.kept),
        jobs_wait: known.jobs_wait,
        seen: None,
    };
    let chosen = verify::Chosen {
        filter: servers.filter.clone(),
        convert: servers.convert.clone(),
        moving: context.moving(),
        has_others: false,
    };
    let options = verify::VerifyOptions {
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        chosen,
        without,
        ..args.verify.into()
    };
    let verification = verify::verify(&sessions, &expect, options, &context.progress).await?;
    known.seen = Some(verification.seen());
    keep(&known);
    Ok(Some(verification))
}
