//! What keeps objects of a database's users from running as us while we read its relations.
//!
//! We read as a superuser on the source and as the administrator on the target, and four things of a user's could answer:
//! a relation of the same name in place of the one that was listed, a column of another type with a cast of the user's,
//! a view's query, and functions that the planner calls. A [`Guard`] rules out the first three: it names the relation by
//! its object id and its columns by their types, and [`Guard::hold`] locks it and looks again, without planning anything.
//! `tableoid` tells tables from views, which have no such column. `FOLDED` knows the last: PostgreSQL simplifies the
//! expressions of a table's indexes, statistics and partition key whenever a query on the table is planned, and so calls
//! their immutable functions as whoever asks (`RelationGetIndexExpressions`, `get_relation_statistics`,
//! `RelationBuildPartitionKey`). COPY of a table plans nothing.

use futures_util::future;

use crate::connect::Session;
use crate::error::Server;
use crate::quote::identifier;

/// Of the relation `{oid}` and all that inherits from it: functions of users in expressions that planning simplifies.
/// Trusted are functions of superusers and of the user who asks. Operators count as their functions.
const FOLDED: &str = "EXISTS (
  WITH RECURSIVE tree(oid) AS (
    SELECT {oid}::pg_catalog.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid),
  object(class, oid) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.oid FROM tree t
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
    FROM tree t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid
    FROM tree t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid)
  SELECT FROM object x, LATERAL (
    SELECT coalesce(o.oprcode::pg_catalog.oid, d.refobjid) AS function FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_operator o
      ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.refobjid
    WHERE d.classid = x.class AND d.objid = x.oid AND d.refclassid IN
      ('pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
    OFFSET 0) f
  JOIN pg_catalog.pg_proc p ON p.oid = f.function
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper AND r.rolname <> current_user)";

/// A condition that is true where planning a query on a relation would call functions of users. `oid` is an expression.
#[must_use]
pub fn folded(oid: &str) -> String {
    FOLDED.replace("{oid}", oid)
}

/// A relation as it was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Its name as SQL writes it, with ONLY where only it is read.
    pub from: String,
    /// Its object id.
    pub oid: u32,
    /// The columns that are read, with the ids of their types. An id of 0 is any type: PostgreSQL describes a domain by
    /// the type below it, and what reads the column takes every type.
    pub columns: Vec<(String, u32)>,
}

impl Guard {
    /// A sequence, by its name as SQL writes it.
    #[must_use]
    pub fn of_sequence(from: &str, oid: u32) -> Self {
        // int8, bool
        let columns = vec![("last_value".to_owned(), 20), ("is_called".to_owned(), 16)];
        Self { from: from.to_owned(), oid, columns }
    }

    /// The question that locks the relation, and whose description tells what it is.
    fn question(&self) -> String {
        let columns = self.columns.iter().map(|(name, _)| identifier(name));
        let columns: Vec<_> = std::iter::once("tableoid".to_owned()).chain(columns).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.from)
    }

    fn is(&self, found: &tokio_postgres::Statement) -> bool {
        let mut columns = found.columns().iter();
        let same = columns.next().is_some_and(|first| first.table_oid() == Some(self.oid));
        same && self.columns.iter().zip(columns).all(|((_, wanted), found)| {
            found.table_oid() == Some(self.oid) && (*wanted == 0 || found.type_().oid() == *wanted)
        })
    }

    /// Locks the relation until the transaction or its savepoint ends, and looks whether it is still what was listed. Sent
    /// behind `first`, without waiting for its answer. Nothing of the relation runs: the question is parsed, not planned.
    ///
    /// # Errors
    /// What the server answers; code `42P01` where the name stands for something else by now.
    pub async fn hold(&self, session: &Session, first: &str) -> Result<(), Server> {
        Self::hold_all(std::slice::from_ref(self), session, first).await
    }

    /// The same for several.
    ///
    /// # Errors
    /// As [`Guard::hold`].
    pub async fn hold_all(guards: &[Self], session: &Session, first: &str) -> Result<(), Server> {
        let questions: Vec<String> = guards.iter().map(Self::question).collect();
        let client = session.client();
        // The driver sends in the order of the first poll.
        let descriptions = future::join_all(questions.iter().map(|question| client.prepare(question)));
        let (before, found) = future::join(client.batch_execute(first), descriptions).await;
        before.map_err(|error| Server::new(&error))?;
        for (guard, found) in guards.iter().zip(found) {
            let found = found.map_err(|error| Server::new(&error))?;
            if !guard.is(&found) {
                return Err(Server {
                    code: "42P01".into(),
                    message: format!("{} is not the relation any more that was listed", guard.from),
                    ..Server::default()
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_every_column_and_reads_none() {
        let columns = vec![("a".to_owned(), 23), ("B\"".to_owned(), 0)];
        let guard = Guard { from: "ONLY \"s\".\"t\"".into(), oid: 7, columns };
        assert_eq!(guard.question(), "SELECT tableoid, \"a\", \"B\"\"\" FROM ONLY \"s\".\"t\"");
    }

    #[test]
    fn the_condition_is_about_the_relation_that_is_asked_for() {
        let condition = folded("c.oid");
        assert!(condition.contains("SELECT c.oid::pg_catalog.oid") && !condition.contains('{'));
    }
}
