//! TimescaleDB's background workers, which run jobs: restoring mode stops them, and its end has to have started them.

use std::time::{Duration, Instant};

use crate::connect::Session;
use crate::error::Error;
use crate::migrate::RunContext;
use crate::quote::psql;

/// Whether the launcher of all databases is to be seen, and the scheduler of this one. They are named so in TimescaleDB's
/// `src/loader/bgw_launcher.c`; who may not read all statistics sees neither.
const WORKERS: &str = "
SELECT coalesce(bool_or(backend_type = 'TimescaleDB Background Worker Launcher'), false),
       coalesce(bool_or(backend_type = 'TimescaleDB Background Worker Scheduler' AND datname = pg_catalog.current_database()), false)
FROM pg_catalog.pg_stat_activity";

pub(in crate::migrate) const POST_RESTORE: &str = "SELECT public.timescaledb_post_restore()";

/// How long a scheduler may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the scheduler where there is none. The one that the end of restoring mode starts may have seen the mode still on,
/// and have ended at once.
pub(in crate::migrate) async fn start(context: &RunContext) -> Result<(), Error> {
    let session = context.target.open().await?;
    if scheduler_runs(&session, Duration::ZERO).await? {
        return Ok(());
    }
    let begun = Instant::now();
    session.run(POST_RESTORE).await?;
    if scheduler_runs(&session, PATIENCE).await? {
        let what = "TimescaleDB's scheduler did not run; started by a second post_restore";
        context.stage("workers", what.to_owned(), begun.elapsed());
        return Ok(());
    }
    let what = "TimescaleDB's scheduler does not run on the target, and so no job does";
    context.progress.warn(what);
    let mut report = context.report();
    report.warnings.push(what.to_owned());
    report.next.push(format!(
        "start TimescaleDB's scheduler, or ask the service's support why it ends: {}",
        psql("TARGET", POST_RESTORE)
    ));
    Ok(())
}

/// Whether it runs, at the latest after so long; also true where nobody can tell.
async fn scheduler_runs(session: &Session, patience: Duration) -> Result<bool, Error> {
    let begun = Instant::now();
    loop {
        let row = session.ask_row(WORKERS).await?;
        let (launcher, scheduler) = (row.flag(0)?, row.flag(1)?);
        if scheduler || !launcher {
            return Ok(true);
        }
        if begun.elapsed() >= patience {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
