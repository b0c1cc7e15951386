//! Whose the target is: marks of a run that is not over, and taking possession for a new one.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{RunContext, session_name};
use crate::connect::Session;
use crate::engine::marks::{Marks, Owner};
use crate::error::{Blocker, Error};
use crate::human::count;
use crate::record;
use crate::watch;
use crate::workdir::{SavedOthers, SavedPlan};

/// What the marks of a run beside others tell, for whoever gives it up without its work directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    /// What of others was there, and what the run brings.
    pub(super) others: SavedOthers,
    /// Hashes of the objects that the source had, by the names that they get; none of a restore.
    pub(super) own: BTreeSet<String>,
}

impl Told {
    /// What a plan tells.
    pub(super) fn of(plan: SavedPlan) -> Self {
        Self { others: plan.others, own: plan.schema.objects }
    }
}

/// Marks the target as this run's.
pub(super) async fn take_possession(context: &RunContext) -> Result<Marks, Error> {
    let session = context.target.open().await?;
    let source = context.report().source.clone();
    let plan = context.work.saved_plan(&context.run)?;
    let told = plan.others.beside.then(|| told(plan)).transpose()?;
    match Marks::create(&session, &context.run, &source, told.as_deref()).await {
        // Another run with another work directory was faster.
        Err(error) if ["42P06", "42P07", "23505"].contains(&error.code()) => {
            let target = context.target.open().await?;
            let left = left_over(&target).await?;
            Err(left.map_or(error, |blocker| Error::Refused { what: blocker.what, next: blocker.next }))
        }
        result => result,
    }
}

/// What the marks tell of a plan.
fn told(plan: SavedPlan) -> Result<String, Error> {
    serde_json::to_string(&Told::of(plan))
        .map_err(|error| Error::Defect(format!("names cannot be written down: {error}")))
}

/// Tells the marks of a run what it brings beyond what it began with.
///
/// # Errors
/// When the target refuses.
pub(super) async fn tell(target: &Session, plan: SavedPlan) -> Result<(), Error> {
    Marks::save_others(target, &told(plan)?).await
}

/// What a run before has left on the target, where this one is a new one.
pub(super) async fn left_over(target: &Session) -> Result<Option<Blocker>, Error> {
    let Some(Owner { format, id, started, source }) = Marks::owner(target).await? else {
        if let Some(role) = Marks::other_owner(target).await? {
            return Ok(Some(Blocker {
                check: "target-unfinished",
                what: format!("{MARKS} belongs to {role}: it may hold a part of another run"),
                next: vec![format!(
                    "connect to the target as {role}: go on with that run, or give it up with cleanup"
                )],
            }));
        }
        return Ok(Marks::has_schema(target).await?.then(|| Blocker {
            check: "target-unfinished",
            what: format!("{MARKS} holds no run that this version of tsmigrate knows"),
            next: vec![
                "go on with the version that created it, or have that one clean up".into(),
                "or remove it, where nobody needs it: psql -X \"$TARGET\" -c 'DROP SCHEMA _tsmigrate CASCADE'".into(),
            ],
        }));
    };
    // Of a run that is not ours nobody here knows the directory.
    let work = Path::new("DIR");
    if format != record::FORMAT {
        return Ok(Some(Blocker {
            check: "target-unfinished",
            what: format!(
                "the target holds a part of another run ({id}, begun at {started} from {source}): {}",
                record::problem(MARKS, format)
            ),
            next: record::next(work, ""),
        }));
    }
    let sessions = watch::named(target, &session_name(&id)).await?;
    if let Some(first) = sessions.first() {
        return Ok(Some(Blocker {
            check: "target-unfinished",
            what: format!(
                "another run ({id}, begun at {started} from {source}) is at work on the target: it has {} there, such as \
                 {first}",
                count(sessions.len() as u64, "session")
            ),
            next: vec!["wait for its end, or stop it where it runs (Ctrl-C)".into()],
        }));
    }
    Ok(Some(Blocker {
        check: "target-unfinished",
        what: format!(
            "the target holds a part of another run ({id}, begun at {started} from {source}), which has not come to its end"
        ),
        next: vec![
            "go on with it: --resume, with the --work-dir that it had".to_owned(),
            format!(
                "or give it up, and drop what it wrote, where DIR is that directory: {}",
                record::cleanup(work, true)
            ),
        ],
    }))
}

/// Where marks are, in words.
pub(super) const MARKS: &str = "the schema _tsmigrate of the target";
