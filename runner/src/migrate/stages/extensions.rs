//! Extensions, and the schemas that they need: created before everything else.

use crate::engine::retry::retrying;
use crate::engine::statements;
use crate::engine::target::LiveTarget;
use crate::error::Error;
use crate::inspect::Timescale;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::quote::identifier;
use crate::script::{Class, Statement};
use crate::step::Step;

/// Creates them, each in a transaction and a session of its own: an extension is refused where temporary objects are, and
/// TimescaleDB where another version of it has been loaded. TimescaleDB comes in the source's version.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    extensions: &[Statement],
    timescale: Option<&Timescale>,
) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let mut created = 0;
    for (number, statement) in extensions.iter().enumerate() {
        let step = Step::Extension(number);
        if run.is_done(&step) {
            continue;
        }
        let mut statement = statement.clone();
        if let (Class::CreateExtension { name, .. }, Some(timescale)) = (&statement.class, timescale)
            && name == "timescaledb"
        {
            let version = identifier(&timescale.version);
            statement.sql = format!("CREATE EXTENSION timescaledb WITH SCHEMA public VERSION {version}");
        }
        retrying(engine.retry_policy, &engine.progress, "extensions", || async {
            let mut target = LiveTarget::new(&engine.target, "");
            if target.transaction(std::slice::from_ref(&step)).await? {
                statements::execute(target.session().await?, "pre-data", &statement).await?;
                target.end(&[0]).await?;
            }
            Ok(())
        })
        .await?;
        engine.finished(&step, 0);
        created += usize::from(matches!(statement.class, Class::CreateExtension { .. }));
    }
    if created == 0 {
        return Ok(StageResult::default());
    }
    Ok(StageResult { statements: extensions.len() as u64, ..StageResult::done(format!("{created} created")) })
}
