//! Texts in memory whose schemas move into other names, as `--into-schema` says.

use std::collections::BTreeMap;

use tsmigrate_analyzer::finding::{Unmoved, Why};
use tsmigrate_analyzer::moving::{DatabaseMap, MoveError, Mover, Moves, SchemaMap, Survey, Surveyor};
use tsmigrate_analyzer::parse::{TokenKind, Tokens};
use tsmigrate_analyzer::{Rewriter, Style};

use crate::analysis;
use crate::error::Error;
use crate::names::{self, Relation};
use crate::quote::quoted;

/// What a person says of schemas that move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::Args)]
pub struct Wish {
    /// Move public into this schema: [DB=]NAME
    #[arg(long, value_name = "NAME", help_heading = "Contents")]
    pub into_schema: Vec<String>,

    /// Move one schema: OLD=NEW or DB:OLD=NEW
    #[arg(long, value_name = "OLD=NEW", help_heading = "Contents")]
    pub map_schema: Vec<String>,
}

/// Texts of one database, moved.
#[derive(Debug)]
pub struct MovedTexts {
    /// The texts, in their order.
    pub texts: Vec<Vec<u8>>,
    /// What nothing proves; inputs are numbered as the texts are.
    pub unmoved: Vec<Unmoved>,
    /// Where things are.
    pub moving: Moving,
}

/// What becomes of the names of one database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moving {
    map: SchemaMap,
    survey: Survey,
}

impl Wish {
    /// True where nothing is to move.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.into_schema.is_empty() && self.map_schema.is_empty()
    }

    /// The schemas of all databases that it names; others are on the service beside each.
    ///
    /// # Errors
    /// [`Error::Refused`] where it cannot be read.
    pub fn read(&self) -> Result<SchemaMap, Error> {
        let map = SchemaMap::read(&self.into_schema, &self.map_schema);
        let mut map = map.map_err(|(option, what)| Error::Refused {
            what: format!("{option}: {what}"),
            next: vec!["give a name, DATABASE=NAME, or OLD=NEW: --help says which".into()],
        })?;
        map.beside_others = true;
        Ok(map)
    }

    /// The schemas of the database of this name; none where nothing is to move.
    ///
    /// # Errors
    /// [`Error::Refused`] where it cannot be read, or names other databases.
    pub fn of(&self, database: &str) -> Result<Option<SchemaMap>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let map = self.read()?;
        map.alone(database).map(Some).ok_or_else(|| Error::Refused {
            what: format!("--into-schema: the database is called {}, and is not named", quoted(database)),
            next: vec![format!("leave the other name out: --into-schema NAME, not DATABASE=NAME")],
        })
    }
}

/// Moves texts of one database. `installed` has the schemas of the extensions that the target has.
///
/// # Errors
/// [`Error::Refused`] where they cannot be moved.
pub fn move_texts(
    map: &SchemaMap,
    texts: &[&[u8]],
    installed: &BTreeMap<String, String>,
) -> Result<MovedTexts, Error> {
    analysis::on_large_stack(|| {
        let mut surveyor = Surveyor::new(map);
        for text in texts {
            surveyor.begin("");
            surveyor.feed(text);
            surveyor.end();
        }
        let mut survey = surveyor.finish();
        survey.installed(map, installed);
        let moving = Moving { map: map.clone(), survey };
        map.check(&moving.survey).map_err(|error| refused(&error))?;
        let mut mover = Mover::new(map, &moving.survey);
        for text in texts {
            mover.begin("");
            mover.feed(text);
            mover.end();
        }
        let Moves { planned, unmoved, .. } = mover.finish();
        let written = texts.iter().zip(&planned).map(|(text, planned)| {
            let mut out = Vec::with_capacity(text.len());
            let mut rewriter = Rewriter::new(planned, Style::Delete);
            rewriter.feed(text, &mut out);
            rewriter.finish(&mut out);
            out
        });
        Ok(MovedTexts { texts: written.collect(), unmoved, moving })
    })
}

impl Moving {
    /// The schema of an object of whatever kind then.
    #[must_use]
    pub fn schema_of(&self, object: &Relation) -> Option<String> {
        self.survey.schema_of_object(&self.map, &object.schema, &object.name)
    }

    /// The schema in which the target has a member of an extension, where it is another than it would come into.
    #[must_use]
    pub fn elsewhere(&self, object: &Relation) -> Option<String> {
        self.survey.elsewhere(&self.map, &object.schema, &object.name)
    }

    /// What a schema is called then; none where it keeps its name.
    #[must_use]
    pub fn schema(&self, name: &str) -> Option<String> {
        self.survey.schema(&self.map, name)
    }

    /// True for a role's `search_path` that is about another database of the cluster.
    #[must_use]
    pub fn is_path_of_another(&self, path: &[String]) -> bool {
        self.survey.is_path_of_another(&self.map, path)
    }

    /// What a `search_path` is then; none where it stays.
    #[must_use]
    pub fn path(&self, path: &[String]) -> Option<Vec<String>> {
        self.survey.path(&self.map, path)
    }

    /// A statement with qualified names, as a dump of the database has it then.
    ///
    /// # Errors
    /// A defect.
    pub fn statement(&self, sql: &str) -> Result<String, Error> {
        const HEAD: &str =
            "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE SCHEMA IF NOT EXISTS pg_temp;\n";
        let text = format!("{HEAD}{sql}");
        analysis::on_large_stack(|| {
            let mut mover = Mover::new(&self.map, &self.survey);
            mover.begin("");
            mover.feed(text.as_bytes());
            mover.end();
            let planned = mover.finish().planned.pop().unwrap_or_default();
            let mut out = Vec::with_capacity(text.len());
            let mut rewriter = Rewriter::new(&planned, Style::Delete);
            rewriter.feed(text.as_bytes(), &mut out);
            rewriter.finish(&mut out);
            let out = String::from_utf8_lossy(&out);
            // What stands before a database's first statement stands before this one.
            Ok(out
                .rsplit_once("IF NOT EXISTS pg_temp;\n")
                .map_or_else(|| out.to_string(), |(_, sql)| sql.to_owned()))
        })
    }

    /// What a table, or another object in a schema, is called on the source, by its name of then.
    #[must_use]
    pub fn before(&self, relation: &Relation) -> Relation {
        let schema = self.survey.schema_before(&self.map, &relation.schema);
        Relation::new(schema.as_ref().unwrap_or(&relation.schema), &relation.name)
    }

    /// The identity of an object, as servers print them with the word for its kind, then.
    #[must_use]
    pub fn identity(&self, identity: &str) -> String {
        if let Some(name) = identity.strip_prefix("schema ") {
            let plain = names::part(name).map_or_else(|| name.to_owned(), |(plain, _)| plain);
            return self
                .schema(&plain)
                .map_or_else(|| identity.to_owned(), |new| format!("schema {}", quoted(&new)));
        }
        renamed(identity, |schema, name| self.schema_of(&Relation::new(schema, name)), |_| None)
    }

    /// What a table or sequence is called then.
    #[must_use]
    pub fn relation(&self, relation: &Relation) -> Relation {
        let schema = self.survey.schema_of_relation(&self.map, &relation.schema, &relation.name);
        Relation::new(&schema, &relation.name)
    }
}

/// A text of a server's, whose names all have a schema, with other names of schemas: `schema_of` tells the one of an object by the one
/// that it has and its name, `string` what becomes of a string with its quotes.
#[must_use]
pub fn renamed(
    text: &str,
    schema_of: impl Fn(&str, &str) -> Option<String>,
    string: impl Fn(&str) -> Option<String>,
) -> String {
    let tokens = Tokens::scan(text);
    let tokens: Vec<_> = tokens.iter().collect();
    let is_dot = |at: usize| tokens.get(at).is_some_and(|token| token.text(text) == ".");
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, token) in tokens.iter().enumerate() {
        let new = if token.kind == TokenKind::String {
            string(token.text(text))
        } else {
            let behind_dot = at.checked_sub(1).is_some_and(is_dot);
            let schema = token.identifier(text).filter(|_| !behind_dot && is_dot(at + 1));
            let object = tokens.get(at + 2);
            schema.zip(object).and_then(|(schema, object)| {
                let name = object.identifier(text).unwrap_or_else(|| object.text(text).to_owned());
                schema_of(&schema, &name).map(|new| quoted(&new))
            })
        };
        if let Some(new) = new {
            out.push_str(text.get(done..token.start).unwrap_or_default());
            out.push_str(&new);
            done = token.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// The ways on for a database with hypertables, which cannot move; `how` is the command that lets it stay as it is.
#[must_use]
pub fn ways_of_hypertables(how: &str) -> Vec<String> {
    vec![
        format!("let it stay as it is, which one database can: it comes first, and the others into schemas beside it: {how}"),
        "a second one with hypertables needs a service of its own: into schemas of another its rows could only be copied anew, \
         compressed chunks decompressed, and continuous aggregates materialized once more"
            .to_owned(),
    ]
}

/// Places of a database that stays as it is which hold for the others on the service too; inputs are numbered as the texts are.
///
/// # Errors
/// A defect.
pub fn shared(texts: &[&[u8]]) -> Result<Vec<Unmoved>, Error> {
    let map = SchemaMap { only: Some(DatabaseMap::default()), beside_others: true, ..SchemaMap::default() };
    let mut unmoved = move_texts(&map, texts, &BTreeMap::new())?.unmoved;
    unmoved.retain(|place| place.why == Why::Shared);
    Ok(unmoved)
}

fn refused(error: &MoveError) -> Error {
    let next = match error {
        MoveError::Hypertables(_) => {
            let next = ways_of_hypertables(
                "restore: --database NAME, and --into-schema for the others; migrate: its --source without --into-schema",
            );
            return Error::Refused { what: format!("--into-schema: {error}"), next };
        }
        MoveError::TooLong(..) => "give it a shorter name: --map-schema OLD=NEW",
        MoveError::NoSchema(_) => "name a schema that the database has: --map-schema OLD=NEW",
        MoveError::Met(..) => "give one of them another name: --map-schema OLD=NEW",
        MoveError::NoDatabase(_) | MoveError::Several(_) => "name one database with --database",
    };
    Error::Refused { what: format!("--into-schema: {error}"), next: vec![next.into()] }
}
