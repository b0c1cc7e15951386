//! Owners, privileges and settings in the dump's order, once everything has been created.

use crate::analysis;
use crate::connect::Session;
use crate::engine::marks::Marks;
use crate::engine::retry::retrying;
use crate::engine::{objects, statements};
use crate::error::Error;
use crate::migrate::driver::{Run, StageResult, TargetRun};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::handover::Handover;
use crate::migrate::ownership::is_linked_sequence;
use crate::migrate::scripts::AccessStatement;
use crate::migrate::{Context, Reached};
use crate::results::{Finding, Missing};
use crate::script::{self, Input, Statement};
use crate::step::Step;

/// The dumps that statements about large objects are analysed with.
pub(in crate::migrate) struct Dumped<'a> {
    pub(in crate::migrate) roles: &'a [u8],
    pub(in crate::migrate) pre_data: &'a [u8],
}

/// Large objects are in no schema: where schemas are named, they stay behind, as with `pg_dump`.
pub(in crate::migrate) fn with_large_objects(context: &Context) -> bool {
    context.args.include.is_empty()
}

/// Gives everything to its owners and grants what others had.
pub(in crate::migrate) async fn run(
    run: &Run<'_>,
    session: &mut Session,
    mut statements: Vec<AccessStatement>,
    dumped: &Dumped<'_>,
    handover: &Handover,
) -> Result<StageResult, Error> {
    let mut findings = Vec::new();
    if with_large_objects(run.context) {
        let (of_large_objects, found) = of_large_objects(run, dumped).await?;
        statements.extend(of_large_objects);
        findings = found;
    }
    let result = apply_in_order(run, session, &statements, handover).await?;
    Ok(StageResult { findings, ..result })
}

/// Runs the statements in their order, but for those of hypertables.
pub(in crate::migrate) async fn apply_in_order(
    run: &TargetRun<'_>,
    session: &mut Session,
    statements: &[AccessStatement],
    handover: &Handover,
) -> Result<StageResult, Error> {
    let engine = &run.engine;
    run.context.undo().reached = Reached::Given;
    let session = run.still(session).await?;
    let statements = handover.statements(session, statements, false).await?;
    let missing =
        retrying(engine.retry_policy, &engine.progress, "access", || finish(run, session, &statements))
            .await?;
    Ok(StageResult {
        statements: statements.len() as u64,
        missing,
        ..StageResult::done(format!("{} owners, privileges and settings", statements.len()))
    })
}

/// Grants what others had on hypertables and all that is kept for them, while restoring mode is on.
pub(in crate::migrate) async fn of_hypertables(
    run: &TargetRun<'_>,
    access: &[AccessStatement],
    handover: &Handover,
) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let count = retrying(engine.retry_policy, &engine.progress, "privileges", || async {
        let session = run.target().await?;
        session.run(SETUP).await?;
        let statements = handover.statements(&session, access, true).await?;
        apply(&session, &statements).await.map(|_| statements.len())
    })
    .await?;
    let summary = (count > 0).then(|| format!("{count} of hypertables and their chunks"));
    Ok(StageResult { statements: count as u64, summary, ..StageResult::default() })
}

/// Owners, privileges and comments of large objects, analysed and rewritten; `pg_dump -B` leaves them out.
async fn of_large_objects(
    run: &Run<'_>,
    dumped: &Dumped<'_>,
) -> Result<(Vec<AccessStatement>, Vec<Finding>), Error> {
    let args = &run.context.args;
    let text = objects::access(&*run.snapshot.holder.turn().await?).await?;
    let text: String = text
        .lines()
        .filter(|line| {
            !((args.no_owner || args.no_roles) && line.starts_with("ALTER")
                || (args.no_privileges || args.no_roles) && line.starts_with("GRANT")
                || args.no_comments && line.starts_with("COMMENT"))
        })
        .fold(String::new(), |text, line| text + line + "\n");
    if text.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let inputs = [
        Input { part: "roles", text: dumped.roles },
        Input { part: "pre-data", text: dumped.pre_data },
        Input { part: "data", text: text.as_bytes() },
    ];
    let servers = run.servers;
    let mut analysed =
        analysis::analyse(&inputs, &[], &servers.source, &servers.target, &args.accept, servers.chosen())?;
    let text = analysed.texts.pop().unwrap_or_default();
    let statements = script::statements("data", &text)?;
    // The large objects themselves have arrived: no dump creates them.
    analysed.findings.retain(|finding| finding.part == "data" && finding.rule != "DEP-02");
    Ok((statements.into_iter().map(|statement| ("data", statement)).collect(), analysed.findings))
}

/// Runs the statements, and marks that.
async fn finish(
    run: &TargetRun<'_>,
    session: &Session,
    statements: &[AccessStatement],
) -> Result<Vec<Missing>, Error> {
    let opened;
    let session = if session.client().is_closed() {
        opened = run.engine.target.open().await?;
        &opened
    } else {
        session
    };
    let missing = apply(session, statements).await?;
    session.run(&Marks::sql(&Step::Access, 0)).await?;
    Ok(missing)
}

/// Runs the statements. To run them twice does no harm.
async fn apply(session: &Session, statements: &[AccessStatement]) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    let sql = statements.iter().map(|(_, statement)| statement.sql.as_str()).collect();
    let mut order = statements::InOrder::new(sql);
    while let Some(number) = order.refused(session).await {
        let Some((part, statement)) = statements.get(number) else { break };
        match statements::execute(session, part, statement).await {
            // A sequence has its table's owner.
            Err(error) if is_linked_sequence(&error) => {
                let Some(sql) = script::grant_instead_of_owner(&statement.sql) else { return Err(error) };
                statements::execute(session, part, &Statement { sql, ..statement.clone() }).await?;
            }
            // Of an earlier try: the grantee can pass the privilege on already, and is taken for the grantor.
            Err(error) if error.code() == "0LP01" => {}
            // Large objects whose ownership cannot be handed over stay the administrator's, and the verification judges it.
            Err(error) if *part == "data" && ["42501", "42704"].contains(&error.code()) => {
                let why = error.answer().map(|answer| answer.message.clone()).unwrap_or_default();
                missing.push(Missing { what: statement.sql.clone(), why, sql: None });
            }
            result => result?,
        }
    }
    Ok(missing)
}
