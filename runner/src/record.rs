//! The form in which a run is recorded (its journal, its plan, its marks on the target), which has a number: what another
//! version has recorded is not gone on with, but it is cleaned up.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use tsmigrate_analyzer::quote::shell_file;

use crate::error::Error;

/// The number of this version's form. It grows when a step, an event or a field changes its name or meaning.
pub const FORMAT: u32 = 6;

/// The number of records that have none: those of the first version.
#[must_use]
pub const fn first() -> u32 {
    1
}

/// What stands for a number that cannot be read: none has it.
pub const UNREADABLE: u32 = 0;

/// The number in a record of any version: what is no such number is [`UNREADABLE`].
///
/// # Errors
/// Where there is no value at all.
pub fn any<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(value)?;
    Ok(value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(UNREADABLE))
}

/// The command that gives a run up, or closes what it left open. It takes source and target from the environment; they may
/// hold passwords, and are not repeated.
#[must_use]
pub fn cleanup(work: &Path, give_up: bool) -> String {
    let give_up = if give_up { " --drop-target" } else { "" };
    let work = shell_file(&work.display().to_string());
    format!(
        "tsmigrate cleanup{give_up} --work-dir {work}  # with the run's --target, and --source of a migration"
    )
}

/// What is wrong with a record of another form. `place` is the file or the schema, with its word.
#[must_use]
pub fn problem(place: &str, format: u32) -> String {
    if format == UNREADABLE {
        return format!(
            "{place} does not say which format it has, and this version of tsmigrate reads and writes format {FORMAT}"
        );
    }
    format!("{place} has format {format}, and this version of tsmigrate reads and writes format {FORMAT}")
}

/// What to do about it. `begun_by` is the version that began the run, where it is known.
#[must_use]
pub fn next(work: &Path, begun_by: &str) -> Vec<String> {
    let begun_by =
        if begun_by.is_empty() { "that began it".to_owned() } else { format!("{begun_by} that began it") };
    vec![
        format!("close what the run left open: {}", cleanup(work, false)),
        format!("or give it up, and empty the target: {}", cleanup(work, true)),
        format!("or go on with it: --resume with the version {begun_by}"),
    ]
}

/// Refuses to go on with a record of another form.
///
/// # Errors
/// Where it is of another form.
pub fn check(place: &str, format: u32, work: &Path, begun_by: &str) -> Result<(), Error> {
    if format == FORMAT {
        return Ok(());
    }
    Err(Error::Refused { what: problem(place, format), next: next(work, begun_by) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        assert_eq!(
            cleanup(Path::new("a/tsmigrate-shop"), false),
            "tsmigrate cleanup --work-dir a/tsmigrate-shop  # with the run's --target, and --source of a migration"
        );
        assert_eq!(
            cleanup(Path::new("my db's"), true),
            r"tsmigrate cleanup --drop-target --work-dir 'my db'\''s'  # with the run's --target, and --source of a migration"
        );
    }

    #[test]
    fn another_number_is_refused_with_what_to_do() {
        let work = Path::new("w");
        assert!(check("the journal w/journal.jsonl", FORMAT, work, "").is_ok());
        for format in [1, FORMAT + 1] {
            let error = check("the journal w/journal.jsonl", format, work, "0.0.9").expect_err("another one");
            let text = error.to_string();
            for part in [
                "the journal w/journal.jsonl".to_owned(),
                format!("format {format},"),
                "tsmigrate cleanup --drop-target --work-dir w".to_owned(),
                "the version 0.0.9 that began it".to_owned(),
            ] {
                assert!(text.contains(&part), "{part}: {text}");
            }
        }
    }
}
