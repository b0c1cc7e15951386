//! Sequences are not part of a snapshot: they are read when all rows are over, so that none is behind them.

use std::collections::BTreeMap;

use crate::connect::Session;
use crate::error::Error;
use crate::guard::Guard;
use crate::names::Relation;
use crate::quote::literal;

/// Sequences with their `last_value` and `is_called`.
pub type Values = BTreeMap<Relation, (i64, bool)>;

/// The server's code for a privilege that is missing.
const REFUSED: &str = "42501";

/// So many are asked for at once.
const BATCH: usize = 200;

/// Sequences of users, and those that extensions have dumped (`pg_extension.extconfig`).
const SEQUENCES: &str = "
SELECT n.nspname, c.relname, c.oid, c.oid IN (SELECT pg_catalog.unnest(extconfig) FROM pg_catalog.pg_extension)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.oid IN (SELECT pg_catalog.unnest(extconfig) FROM pg_catalog.pg_extension)
       OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.deptype = 'e'))";

/// Their names and object ids; those of users only where they are wanted.
async fn names(session: &Session, wanted: impl Fn(&Relation) -> bool) -> Result<Vec<(Relation, u32)>, Error> {
    let mut names = Vec::new();
    for row in session.ask(SEQUENCES).await? {
        let name = row.relation(0)?;
        if row.flag(3)? || wanted(&name) {
            names.push((name, row.number(2)?));
        }
    }
    Ok(names)
}

/// Reads those that are wanted, and all of extensions.
///
/// # Errors
/// When the server refuses a question, or a name stands for something else than the sequence that was listed.
pub async fn read(session: &Session, wanted: impl Fn(&Relation) -> bool) -> Result<Values, Error> {
    let names = names(session, wanted).await?;
    let mut values = Values::new();
    for batch in names.chunks(BATCH) {
        let guards: Vec<_> = batch.iter().map(|(name, oid)| Guard::of_sequence(&name.sql(), *oid)).collect();
        if let Err(answer) = Guard::hold_all(&guards, session, "BEGIN READ ONLY").await {
            session.run("ROLLBACK").await?;
            let (side, sql) = (session.side().name(), "reading sequences".to_owned());
            return Err(Error::Query { side, sql, answer: Box::new(answer) });
        }
        let questions: Vec<String> = batch
            .iter()
            .enumerate()
            .map(|(number, (name, _))| format!("SELECT {number}, last_value, is_called FROM {}", name.sql()))
            .collect();
        let rows = session.ask(&questions.join(" UNION ALL ")).await;
        session.run("ROLLBACK").await?;
        for row in rows? {
            if let Some((name, _)) = batch.get(row.number::<usize>(0)?) {
                values.insert(name.clone(), (row.number(1)?, row.flag(2)?));
            }
        }
    }
    Ok(values)
}

/// Sets those that the target has: how many, and those that it refuses to set, with its words. To do so twice does no
/// harm.
///
/// # Errors
/// When the target refuses a question.
pub async fn write(session: &Session, values: &Values) -> Result<(usize, Vec<(Relation, String)>), Error> {
    let there: std::collections::BTreeSet<Relation> =
        names(session, |_| true).await?.into_iter().map(|(name, _)| name).collect();
    let wanted: Vec<_> = values.iter().filter(|(name, _)| there.contains(*name)).collect();
    let mut refused = Vec::new();
    for batch in wanted.chunks(BATCH) {
        let calls: Vec<String> = batch
            .iter()
            .map(|(name, (value, called))| {
                format!("pg_catalog.setval({}::pg_catalog.regclass, {value}, {called})", literal(&name.sql()))
            })
            .collect();
        match session.run(&format!("SELECT {}", calls.join(", "))).await {
            Err(error) if error.code() == REFUSED => {}
            result => {
                result?;
                continue;
            }
        }
        // One that belongs to an extension stops the others: each by itself then.
        for ((name, value), call) in batch.iter().zip(&calls) {
            match session.run(&format!("SELECT {call}")).await {
                Err(error) if error.code() == REFUSED => {
                    let why = error.answer().map(|answer| answer.message.clone()).unwrap_or_default();
                    // As the extension itself has made it.
                    if **value != (1, false) {
                        refused.push(((*name).clone(), why));
                    }
                }
                result => result?,
            }
        }
    }
    Ok((wanted.len(), refused))
}
