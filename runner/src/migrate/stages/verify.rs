//! The comparison of both servers at the end.

use std::time::Instant;

use crate::error::Error;
use crate::migrate::driver::Run;
use crate::migrate::loaded::Loaded;
use crate::verify::{self, Check};

/// Compares them; true where they are equal as far as they were compared.
pub(in crate::migrate) async fn run(run: &Run<'_>, loaded: &Loaded) -> Result<bool, Error> {
    let (context, servers) = (run.context, run.servers);
    let args = &context.args;
    if args.verify == Check::None {
        return Ok(true);
    }
    let start = Instant::now();
    let sessions = verify::Sessions {
        source: &context.source,
        target: &context.target,
        snapshot: run.snapshot.holder.snapshot(),
        holder: Some(&run.snapshot.holder),
    };
    let findings = context.report().findings.clone();
    let expect = verify::Expect {
        source: &servers.source,
        target: &servers.target,
        rows: &loaded.rows,
        skipped: &loaded.skipped,
        sequences: &loaded.sequences,
        findings,
        kept: Some(&loaded.kept),
    };
    let chosen = verify::Chosen { filter: servers.filter.clone(), convert: servers.convert.clone() };
    let without = verify::Without {
        roles: args.no_roles,
        owners: args.no_owner,
        privileges: args.no_privileges,
        comments: args.no_comments,
        publications: args.no_publications,
    };
    let options = verify::VerifyOptions {
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        chosen,
        without,
        ..args.verify.into()
    };
    let verification = verify::verify(&sessions, &expect, options, &context.progress).await?;
    let summary = verification.summary();
    let equal = verification.differences.is_empty();
    context.report().verification = Some(verification);
    context.stage("verify", summary, start.elapsed());
    Ok(equal)
}
