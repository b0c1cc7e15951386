//! What refused statements were to create: later statements fail for the want of it.

use std::collections::HashMap;

use tsmigrate_analyzer::facts::objects::{also_created, created, signature};
use tsmigrate_analyzer::parse::parse;
use tsmigrate_analyzer::text::parseable;

use crate::replay::ServerMessage;
use crate::sent::Sent;

/// What the server says where something is missing that a name stands for: schema, table, column, other object,
/// function; a foreign key's key; a type that is a shell only.
pub(crate) const MISSING: [&str; 7] = ["3F000", "42P01", "42703", "42704", "42883", "42830", "3D000"];

/// What refused statements were to make, by name.
#[derive(Debug, Default)]
pub(crate) struct Unmade(HashMap<String, Vec<Refused>>);

/// One of the objects of a name.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    /// The types of a function's arguments: another function of the same name is another object.
    types: Option<Box<str>>,
    /// Whether the refusal was predicted.
    predicted: bool,
}

impl Unmade {
    pub(crate) fn add(&mut self, sent: &Sent, predicted: bool) {
        let sql = parseable(sent.step.sql());
        let Ok(Some(parsed)) = parse(&sql, true) else {
            // Its name is among its first words.
            for word in sql.split_whitespace().take(5).map(|word| last(word.trim_end_matches(['(', ';']))) {
                self.0.insert(word, vec![Refused { types: None, predicted }]);
            }
            return;
        };
        let node = parsed.node();
        let made = created(node).map(|object| object.id).into_iter().chain(also_created(node));
        let types = signature(node).map(|signature| signature.types);
        for id in made {
            let name = id.part.unwrap_or(id.name);
            self.0.entry(name.to_string()).or_default().push(Refused { types: types.clone(), predicted });
        }
    }

    /// A refusal that was predicted: the schema or language that it misses is known to be missing from here on. The
    /// report says so once, where it makes the schema or creates the language's extension.
    pub(crate) fn foreseen(&mut self, refusal: &ServerMessage) {
        if refusal.sqlstate == "3F000" || refusal.message.starts_with("language ") {
            let missing = || vec![Refused { types: None, predicted: true }];
            self.0.extend(names(&refusal.message).into_iter().map(|name| (name, missing())));
        }
    }

    pub(crate) fn made(&mut self, sent: &Sent) {
        if self.0.is_empty() {
            return;
        }
        let sql = parseable(sent.step.sql());
        let Ok(Some(parsed)) = parse(&sql, true) else { return };
        let Some(object) = created(parsed.node()) else { return };
        let types = signature(parsed.node()).map(|signature| signature.types);
        if let Some(refused) = self.0.get_mut(object.id.part.as_deref().unwrap_or(&object.id.name)) {
            refused.retain(|refused| refused.types != types);
        }
    }

    /// Whether the refusal is about something in here: then, whether its cause was predicted.
    pub(crate) fn cause(&self, refusal: &ServerMessage) -> Option<bool> {
        if !MISSING.contains(&refusal.sqlstate.as_str()) {
            return None;
        }
        let known = |name: &String| self.0.get(name).filter(|refused| !refused.is_empty());
        let refused = names(&refusal.message).iter().find_map(known)?;
        Some(refused.iter().all(|refused| refused.predicted))
    }
}

/// The names in a message of the server: what stands in quotes, and functions.
fn names(message: &str) -> Vec<String> {
    let mut names: Vec<String> = message.split('"').skip(1).step_by(2).map(last).collect();
    if let Some((_, rest)) = message.split_once("function ")
        && let Some((name, _)) = rest.split_once('(')
    {
        names.push(last(name));
    }
    if let Some((_, operator)) = message.split_once("operator does not exist: ") {
        names.extend(operator.split(' ').map(last));
    }
    names
}

fn last(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).trim_matches('"').to_owned()
}
