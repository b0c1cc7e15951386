//! Dumps whose schemas have moved, for tests that look at the result.

use tsmigrate_analyzer::moving::{Mover, SchemaMap, Surveyor};
use tsmigrate_analyzer::{Rewriter, Style};

/// The texts with their schemas moved as `--into-schema` says with these words, and those words as they are
/// understood. A text that connects to no database is of one called `dump`.
///
/// # Errors
/// Where they cannot be moved.
pub fn moved(texts: &[Vec<u8>], into: &[&str]) -> Result<(Vec<Vec<u8>>, SchemaMap), String> {
    let into: Vec<String> = into.iter().map(|&word| word.to_owned()).collect();
    let map = SchemaMap::read(&into, &[]).map_err(|(option, what)| format!("{option}: {what}"))?;
    let mut surveyor = Surveyor::new(&map);
    for text in texts {
        surveyor.begin("dump");
        surveyor.feed(text);
        surveyor.end();
    }
    let survey = surveyor.finish();
    map.check(&survey).map_err(|error| error.to_string())?;
    let mut second = Mover::new(&map, &survey);
    for text in texts {
        second.begin("dump");
        second.feed(text);
        second.end();
    }
    let moves = second.finish();
    let written = texts.iter().zip(&moves.planned).map(|(text, planned)| {
        let mut out = Vec::with_capacity(text.len());
        let mut rewriter = Rewriter::new(planned, Style::Delete);
        rewriter.feed(text, &mut out);
        rewriter.finish(&mut out);
        out
    });
    Ok((written.collect(), map))
}
