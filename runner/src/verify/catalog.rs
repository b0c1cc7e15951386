//! Everything a database holds, by kind and name, with owners, privileges and definitions.

use std::collections::BTreeMap;

use futures_util::stream::FuturesOrdered;
use futures_util::{TryStreamExt, future};

use super::identity::{self, Place};
use super::object::{Catalog, Object, Says, YES, not_member};
use super::{kinds, timescale};
use crate::connect::{Row, Session};
use crate::error::{Error, Server};
use crate::guard::Guard;
use crate::names::Relation;

/// So many questions are asked without waiting for an answer.
const AT_ONCE: usize = 8;

/// Reads all of it in the session's snapshot.
pub(super) async fn read(session: &Session) -> Result<Catalog, Error> {
    let version = session.ask_row("SELECT pg_catalog.current_setting('server_version_num')").await?;
    let major = version.number::<u32>(0)? / 10000;
    let mut catalog = Catalog { major, ..Catalog::default() };
    let mut questions = kinds::questions(major);
    questions.extend(timescale::questions(session).await?);
    // Which words need quotes depends on a server's version: `json` does from 17 on.
    session.run("SET LOCAL quote_all_identifiers = on").await?;
    // Sent in their order: the way there and back counts more than most answers.
    let (mut asked, mut questions) = (FuturesOrdered::new(), questions.iter());
    loop {
        asked.extend(questions.by_ref().take(AT_ONCE - asked.len()).map(|question| session.ask(question)));
        let Some(rows) = asked.try_next().await? else { break };
        for row in rows {
            let object = Object {
                owner: row.optional(2)?.map(str::to_owned),
                privileges: row.json(3)?,
                says: said(row.json(4)?),
            };
            // What has no name, such as a part of an object that was dropped in the meantime, is no object.
            let Some(identity) = row.optional(1)? else { continue };
            catalog.objects.insert((row.text(0)?.to_owned(), identity::plain(identity)), object);
        }
    }
    // The marks of a run that is not over.
    catalog.objects.retain(|(kind, identity), _| !of_marks(kind, identity));
    catalog.added = super::members::added(session).await?;
    session.run("SET LOCAL quote_all_identifiers = off").await?;
    timescale::take_chunks(&mut catalog);
    catalog.aggregates = timescale::aggregates(session).await?;
    catalog.sequences = sequences(session).await?;
    Ok(catalog)
}

/// The schema of a run's marks, or what is in it.
fn of_marks(kind: &str, identity: &str) -> bool {
    let ours = crate::engine::marks::SCHEMA;
    match identity::place(kind, identity) {
        Place::Schema(relation) => relation.schema == ours,
        Place::Database(name) => kind == "schema" && name == ours,
    }
}

/// A JSON object as texts, without what is null.
fn said(object: serde_json::Map<String, serde_json::Value>) -> Says {
    object
        .into_iter()
        .filter_map(|(name, value)| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some((name, text)),
            serde_json::Value::Bool(yes) => Some((name, if yes { YES } else { "no" }.to_owned())),
            value => Some((name, value.to_string())),
        })
        .collect()
}

async fn sequences(session: &Session) -> Result<BTreeMap<Relation, String>, Error> {
    let question = format!(
        "SELECT n.nspname, c.relname, c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> '{}' AND {}",
        crate::engine::marks::SCHEMA,
        not_member("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid")
    );
    let mut all = Vec::new();
    for row in session.ask(&question).await? {
        let name = row.relation(0)?;
        all.push((Guard::of_sequence(&name.sql(), row.number(2)?), name));
    }
    let mut found = BTreeMap::new();
    for batch in all.chunks(100) {
        let guards: Vec<_> = batch.iter().map(|(guard, _)| guard.clone()).collect();
        let questions: Vec<_> = guards
            .iter()
            .enumerate()
            .map(|(number, guard)| {
                let name = &guard.from;
                format!("SELECT {number}, last_value || CASE WHEN is_called THEN ' called' ELSE '' END FROM {name}")
            })
            .collect();
        let together = attempt(session, &guards, &questions.join(" UNION ALL ")).await?;
        let rows = if let Ok(rows) = together {
            rows
        } else {
            // One that may not be read takes the others with it: each by itself then.
            let mut rows = Vec::new();
            for ((guard, name), question) in batch.iter().zip(&questions) {
                match attempt(session, std::slice::from_ref(guard), question).await? {
                    Ok(row) => rows.extend(row),
                    Err(server) => {
                        found.insert(name.clone(), format!("no value ({})", server.message));
                    }
                }
            }
            rows
        };
        for row in rows {
            if let Some((_, name)) = batch.get(row.number::<usize>(0)?) {
                found.insert(name.clone(), row.text(1)?.to_owned());
            }
        }
    }
    Ok(found)
}

/// Asks about sequences, which are locked and looked at before.
async fn attempt(session: &Session, guards: &[Guard], sql: &str) -> Result<Result<Vec<Row>, Server>, Error> {
    let back = session.run("ROLLBACK TO SAVEPOINT sequences; RELEASE SAVEPOINT sequences");
    if let Err(server) = Guard::hold_all(guards, session, "SAVEPOINT sequences").await {
        back.await?;
        return Ok(Err(server));
    }
    let (answer, ended) = future::join(session.try_ask(sql), back).await;
    ended?;
    Ok(answer.map_err(|error| Server::new(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_schema_of_the_marks_is_ours() {
        assert!(of_marks("schema", "_tsmigrate") && of_marks("table", "_tsmigrate.done"));
        assert!(of_marks("table constraint", "done_pkey on _tsmigrate.done"));
        for identity in
            ["app._tsmigrate", "app.\"_tsmigrate.done\"", "\"_tsmigrate.x\".t", "app.my_tsmigrate_log"]
        {
            assert!(!of_marks("table", identity), "{identity}");
        }
    }

    #[test]
    fn what_is_null_is_not_said() {
        let says = said(serde_json::from_str(r#"{"a": "x", "b": null, "c": 5, "d": true}"#).expect("JSON"));
        let expected = [("a", "x"), ("c", "5"), ("d", "yes")];
        assert_eq!(says, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    }
}
