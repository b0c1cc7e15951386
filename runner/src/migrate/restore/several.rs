//! Several databases of the files that were named, the one after the other; nothing is written before all of them can be.

use tsmigrate_analyzer::archive::Section;

use super::contents::Contents;
use super::options::Args;
use crate::error::{Blocker, Error};
use crate::human;
use crate::migrate::beside::Brought;
use crate::migrate::scripts::Scripts;
use crate::migrate::several::{One, Place};
use crate::quote::quoted;
use crate::script;

/// So many are named.
const SHOWN: usize = 8;

/// The runs that a person asks for; none where it is one database.
///
/// # Errors
/// When what is asked for cannot be read, or two of the databases would meet.
pub(super) fn several(args: &Args) -> Result<Vec<One<Args>>, Error> {
    let map = args.schemas.read()?;
    if map.databases.len() < 2 {
        return Ok(Vec::new());
    }
    if args.database.is_some() {
        return Err(Error::Refused {
            what: "--database names one database, and --into-schema several".into(),
            next: vec!["leave one of the two out".into()],
        });
    }
    let mut all = Vec::new();
    for database in map.databases.keys() {
        let Place { work_dir, report, goes_on, has_ended } =
            Place::of(database, (args.work_dir.as_deref(), args.report.as_deref()), args.resume)?;
        let own = Args {
            database: Some(database.clone()),
            work_dir: Some(work_dir),
            report,
            resume: goes_on,
            ..args.clone()
        };
        all.push(One { name: database.clone(), args: (!has_ended).then_some(own), goes_on });
    }
    meets(&all)?;
    Ok(all)
}

/// Refuses where two of them bring the same.
fn meets(all: &[One<Args>]) -> Result<(), Error> {
    let mut seen: Vec<(&str, Brought)> = Vec::new();
    let mut blockers = Vec::new();
    for One { name, args, .. } in all {
        let Some(args) = args else { continue };
        let (contents, _) = Contents::open(args)?;
        let read = |section, part| script::statements(part, &contents.section(section));
        let scripts = Scripts {
            pre_data: read(Section::PreData, "pre-data")?,
            post_data: read(Section::PostData, "post-data")?,
            ..Scripts::default()
        };
        let brought = contents.brought(&scripts)?;
        for (other, its) in &seen {
            let both = brought.also_in(its);
            if !both.is_empty() {
                blockers.push(Blocker::new(
                    "databases-meet",
                    format!(
                        "databases {} and {} have both: {}",
                        quoted(other),
                        quoted(name),
                        human::first(&both, SHOWN)
                    ),
                    &["rename it in one of them, or give its schema another name: --map-schema DATABASE:OLD=NEW"],
                ));
            }
        }
        seen.push((name, brought));
    }
    if blockers.is_empty() { Ok(()) } else { Err(Error::Preflight(blockers)) }
}
