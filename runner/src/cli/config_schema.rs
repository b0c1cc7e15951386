//! The JSON Schema of `tsmigrate.toml`, for editors and other checks.

use serde_json::{Value, json};
use tsmigrate_analyzer::Level;
use tsmigrate_analyzer::rules::all;
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};

/// The schema.
pub(super) fn schema() -> Value {
    let strings = |what: &str| json!({ "description": what, "type": "array", "items": { "type": "string", "minLength": 1 } });
    let rules = all().flat_map(|rule| [rule.id, rule.name]);
    let levels: Vec<&str> = Level::ALL.iter().map(|(word, _)| *word).collect();
    let mut severities = serde_json::Map::new();
    for rule in all() {
        let allowed: Vec<&str> =
            levels.iter().copied().filter(|level| rule.may_be_off || *level != Level::Off.name()).collect();
        let value = json!({ "description": rule.doc.summary, "enum": allowed });
        severities.insert(rule.id.to_owned(), value.clone());
        severities.insert(rule.name.to_owned(), value);
        let family = rule.id.split('-').next().unwrap_or_default();
        let words = format!("All rules of {family}");
        severities.entry(format!("{family}-*")).or_insert(json!({ "description": words, "enum": levels }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tsmigrate.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "accept": {
                "description": "Rules whose losses are accepted, as with --accept",
                "type": "array",
                "items": { "enum": rules.collect::<Vec<_>>() },
            },
            "database": {
                "description": "Database to keep, of a dump of a whole cluster",
                "type": "string",
                "minLength": 1,
            },
            "severity": {
                "description": "What findings count as: by id, name or family of their rules",
                "type": "object",
                "additionalProperties": false,
                "properties": severities,
            },
            "target": {
                "description": "The service",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "version": {
                        "description": "PostgreSQL version of the service",
                        "type": "integer",
                        "minimum": OLDEST_VERSION,
                        "maximum": NEWEST_VERSION,
                    },
                    "file": {
                        "description": "Target profile (JSON), beside this file",
                        "type": "string",
                        "minLength": 1,
                    },
                    "reserved-roles": strings("Roles that belong to the service"),
                    "existing-roles": strings("Roles that the target has"),
                    "extensions": {
                        "description": "Corrections of the list of extensions",
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                            "add": strings("Extensions that the service has too"),
                            "remove": strings("Extensions that it does not have"),
                            "replace": strings("All extensions that it has"),
                        },
                    },
                },
            },
        },
    })
}
