//! A target that has what comes behind rows, where the source has gone on: it goes back to where rows can be copied.
//!
//! Triggers would fire, row security would hide rows, and foreign keys to hypertables hold only outside of restoring mode. So
//! all of that is taken back, and done again behind the new rows. What was copied, its indexes and keys stay.

use super::mended::too_late;
use super::refusal::begin_anew;
use super::scripts::Scripts;
use super::servers::Servers;
use super::stages::restoring;
use super::{Context, bridging};
use crate::connect::Session;
use crate::engine::marks::Marks;
use crate::engine::statements::BATCH;
use crate::error::Error;
use crate::human;
use crate::quote::{identifier, literal, quoted};
use crate::script;
use crate::step::{List, Step};
use crate::workdir::{Behind, SavedSchema};

/// Takes back what the target has behind its rows; nothing where it has nothing of it. Whatever ends that half way, the next
/// start does it again.
///
/// # Errors
/// Where nobody knows how something of it is taken back, somebody is at work on the target already, or it refuses.
pub(super) async fn run(
    context: &Context,
    servers: &Servers,
    marks: &Marks,
    before: &SavedSchema,
    scripts: &Scripts,
) -> Result<(), Error> {
    let late = [Step::Restored, Step::Access];
    let mut steps: Vec<Step> = List::BEHIND_ROWS.iter().flat_map(|list| marks.of_list(*list)).collect();
    steps.extend(late.into_iter().filter(|step| marks.done(step).is_some()));
    if steps.is_empty() {
        return Ok(());
    }
    if bridging::is_back(context, &servers.source, &servers.target).await? {
        return Err(too_late(context, &["TimescaleDB, which was updated".to_owned()]));
    }
    if marks.has_list(List::Hypertables) {
        let tables: Vec<String> =
            servers.convert.late().iter().map(|table| format!("{table}, a hypertable now")).collect();
        return Err(too_late(context, &tables));
    }
    let mut undo = Vec::new();
    for (number, statement) in before.post_data.iter().enumerate().rev() {
        match &statement.behind {
            Behind::Undone(sql) => undo.push(sql.as_str()),
            Behind::Unknown => return Err(too_late(context, statement.name.as_slice())),
            // A materialized view is filled again.
            Behind::No if statement.undo.as_deref() == Some("SELECT") => steps.push(Step::Build(number)),
            Behind::No => {}
        }
        if statement.key {
            steps.extend([Step::Build(number), Step::Check(number)]);
        }
    }
    undo.retain(|sql| *sql != "SELECT");
    let session = context.target.open().await?;
    if marks.done(&Step::Access).is_some() {
        steps.push(Step::Roles);
        lock_out(context, &session, scripts).await?;
    }
    // TimescaleDB would look at a chunk as at a part of its hypertable.
    let session = if servers.source.timescale.is_some() {
        restoring::turn_on(context).await?;
        context.target.open().await?
    } else {
        session
    };
    for batch in undo.chunks(BATCH) {
        session.run(&batch.join("; ")).await?;
    }
    session.run(&Marks::forget_sql(&steps)).await?;
    marks.forget(&steps);
    context.progress.line(&format!(
        "  triggers, keys and the like ({}) are taken back on the target, and done again behind the new rows",
        human::count(undo.len() as u64, "statement")
    ));
    Ok(())
}

/// Lets nobody log in who could not before the run, as it is until its end; refuses where one of them is there.
async fn lock_out(context: &Context, session: &Session, scripts: &Scripts) -> Result<(), Error> {
    let let_in = scripts.access.iter().filter(|(part, _)| *part == "roles");
    let roles: Vec<String> = let_in.filter_map(|(_, statement)| script::login(&statement.sql)).collect();
    if roles.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = roles.iter().map(|role| literal(role)).collect();
    let found: Vec<String> = session
        .ask_list(&format!("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ({})", names.join(", ")))
        .await?;
    let locks: Vec<String> =
        found.iter().map(|role| format!("ALTER ROLE {} NOLOGIN", identifier(role))).collect();
    if !locks.is_empty() {
        session.run(&locks.join("; ")).await?;
    }
    let at_work: Vec<String> = session
        .ask_list(&format!(
            "SELECT DISTINCT usename::text FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
             AND usename IN ({}) ORDER BY 1",
            names.join(", ")
        ))
        .await?;
    if at_work.is_empty() {
        return Ok(());
    }
    let names = human::first(at_work.iter().map(|role| human::line(&quoted(role))), 4);
    Err(Error::Refused {
        what: format!(
            "--resume --new-snapshot: {names} works on the target already, whose rows would be copied anew"
        ),
        next: vec![
            "end those sessions, then the same command again: nobody of them can log in until the run is done".into(),
            begin_anew(context),
        ],
    })
}
