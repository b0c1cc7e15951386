//! Dumps whose schemas move into other names: the two passes before the analysis.

use tsmigrate_analyzer::finding::{Unmoved, Why};
use tsmigrate_analyzer::moving::{MoveError, Mover, SchemaMap, Surveyor, into_schema};
use tsmigrate_analyzer::quote::shell;

use super::failure::Failure;
use super::input::Input;
use super::reading::Progress;

/// Plans the changes of every input, which are made from then on wherever it is read. What cannot be proved is returned.
pub(super) fn prepare(inputs: &mut [Input], schemas: &SchemaMap) -> Result<Vec<Unmoved>, Failure> {
    if schemas.is_empty() {
        return Ok(Vec::new());
    }
    let mut surveyor = Surveyor::new(schemas);
    for input in inputs.iter_mut() {
        input.keep()?;
        surveyor.begin(&input.database());
        let progress = Progress::new("reading", &input.name, input.length());
        input.read(&progress, |chunk| {
            surveyor.feed(chunk);
            Ok(())
        })?;
        surveyor.end();
    }
    let survey = surveyor.finish();
    schemas.check(&survey).map_err(|error| refused(&error, survey.databases.keys()))?;
    let mut second = Mover::new(schemas, &survey);
    for input in inputs.iter_mut() {
        second.begin(&input.database());
        let progress = Progress::new("moving", &input.name, input.length());
        input.read(&progress, |chunk| {
            second.feed(chunk);
            Ok(())
        })?;
        second.end();
    }
    let moves = second.finish();
    for (input, planned) in inputs.iter_mut().zip(moves.planned) {
        input.moves = planned;
    }
    let mut unmoved = moves.unmoved;
    // Who may create there, only the target tells.
    unmoved.retain(|place| place.why != Why::Open);
    Ok(unmoved)
}

fn refused<'a>(error: &MoveError, names: impl Iterator<Item = &'a String>) -> Failure {
    let next = match error {
        MoveError::NoDatabase(_) => {
            let names: Vec<String> = names.map(|name| shell(name)).collect();
            format!("name one of these: {}", names.join(", "))
        }
        MoveError::Several(names) => {
            let words: Vec<String> =
                names.iter().map(|name| format!("--into-schema {}", shell(&into_schema(name)))).collect();
            format!("give each a schema of its own: {}", words.join(" "))
        }
        MoveError::Hypertables(_) => {
            "move this database as it is to the service, and the others into schemas beside it".to_owned()
        }
        MoveError::TooLong(..) => "give it a shorter name: --map-schema OLD=NEW".to_owned(),
        MoveError::NoSchema(_) => "name a schema that the database has: --map-schema OLD=NEW".to_owned(),
        MoveError::Met(..) => "give one of them another name: --map-schema OLD=NEW".to_owned(),
    };
    Failure::new(error.to_string()).at("--into-schema").next(next)
}
