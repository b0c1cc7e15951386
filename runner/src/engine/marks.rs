//! What is done, told by the target itself: a row for each step, written in the transaction of the step's own effect.
//! So a step is done exactly if its mark is there, whoever was killed, cut off or restarted in between, and although
//! `synchronous_commit` is off.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::connect::Session;
use crate::error::Error;
use crate::quote::literal;
use crate::record;
use crate::step::{List, NoStep, Step};

/// The schema of the marks. It is gone at the end of a run.
pub const SCHEMA: &str = "_tsmigrate";

/// Everybody but their owner who has a privilege on the marks, as SQL names them.
const OTHERS: &str = "
SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r',
LATERAL (SELECT (pg_catalog.aclexplode(n.nspacl)).grantee UNION SELECT (pg_catalog.aclexplode(c.relacl)).grantee) a
WHERE n.nspname = '_tsmigrate' AND a.grantee <> n.nspowner";

/// The run that a target belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The form of its marks: [`record::FORMAT`].
    pub format: u32,
    /// Its id.
    pub id: String,
    /// When it began, in the server's words.
    pub started: String,
    /// Its source.
    pub source: String,
}

/// Steps that are done, with their rows.
#[derive(Debug, Default)]
pub struct Marks(Mutex<BTreeMap<Step, u64>>);

impl Marks {
    /// Takes possession of the target for the run `id`. `others` is what the run has to know of others on the target when it is
    /// given up, wherever its work directory is; none where there were none.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn create(
        session: &Session,
        id: &str,
        source: &str,
        others: Option<&str>,
    ) -> Result<Self, Error> {
        let others = others
            .map(|saved| format!("; INSERT INTO {SCHEMA}.others VALUES ({})", literal(saved)))
            .unwrap_or_default();
        session
            .run(&format!(
                "BEGIN; CREATE SCHEMA {SCHEMA}; \
                 CREATE TABLE {SCHEMA}.run (format integer NOT NULL, id text NOT NULL, started timestamptz NOT NULL DEFAULT pg_catalog.now(), source text); \
                 CREATE TABLE {SCHEMA}.done (step text PRIMARY KEY, rows bigint NOT NULL); \
                 CREATE TABLE {SCHEMA}.schema (saved text NOT NULL); \
                 CREATE TABLE {SCHEMA}.large_objects (oid oid NOT NULL); \
                 CREATE TABLE {SCHEMA}.others (saved text NOT NULL); \
                 INSERT INTO {SCHEMA}.run (format, id, source) VALUES ({}, {}, {}){others}",
                record::FORMAT,
                literal(id),
                literal(source)
            ))
            .await?;
        // Whoever may write the marks, or give them a trigger, runs as us: default privileges may say so.
        let others: Vec<String> = session.ask_list(OTHERS).await?;
        for role in others {
            session
                .run(&format!(
                    "REVOKE ALL ON SCHEMA {SCHEMA} FROM {role} CASCADE; \
                     REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {role} CASCADE"
                ))
                .await?;
        }
        session.run("COMMIT").await?;
        Ok(Self::default())
    }

    /// Whose target it is, where a run of any version is under way or was left.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn owner(session: &Session) -> Result<Option<Owner>, Error> {
        if !Self::has_own(session, "run").await? {
            return Ok(None);
        }
        // Other versions may have other columns.
        let rows = session
            .ask(&format!(
                "SELECT j ->> 'id', j ->> 'started', j ->> 'source', j ->> 'format' \
                 FROM (SELECT pg_catalog.to_jsonb(r) AS j FROM {SCHEMA}.run r) r"
            ))
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let text = |column| Ok::<_, Error>(row.optional(column)?.unwrap_or_default().to_owned());
        // The first version had no such column.
        let format = row.optional(3)?;
        let format = format.map_or(record::first(), |number| number.parse().unwrap_or(record::UNREADABLE));
        Ok(Some(Owner { format, id: text(0)?, started: text(1)?, source: text(2)? }))
    }

    /// Whether the schema has this table. A relation of that name that is somebody else's is none of ours, and a view would run
    /// as us.
    async fn has_own(session: &Session, table: &str) -> Result<bool, Error> {
        let there = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('{SCHEMA}.{table}') \
             AND c.relkind = 'r' AND pg_catalog.pg_get_userbyid(c.relowner) = current_user)"
        );
        session.ask_flag(&there).await
    }

    /// What the run had to know of others when it began; none where it kept nothing, or is of a version that did not.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn others(session: &Session) -> Result<Option<String>, Error> {
        if !Self::has_own(session, "others").await? {
            return Ok(None);
        }
        session.ask_one(&format!("SELECT saved FROM {SCHEMA}.others")).await
    }

    /// Keeps another word of what the run has to know of others.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn save_others(session: &Session, saved: &str) -> Result<(), Error> {
        session.run(&format!("UPDATE {SCHEMA}.others SET saved = {}", literal(saved))).await
    }

    /// Whose the schema is, in SQL, where it is not the session's user's.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn other_owner(session: &Session) -> Result<Option<String>, Error> {
        session
            .ask_one(&format!(
                "SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)) FROM pg_catalog.pg_namespace n \
                 WHERE n.nspname = '{SCHEMA}' AND pg_catalog.pg_get_userbyid(n.nspowner) <> current_user"
            ))
            .await
    }

    /// Whether the target has a schema of this name at all.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn has_schema(session: &Session) -> Result<bool, Error> {
        let there = format!("SELECT pg_catalog.to_regnamespace('{SCHEMA}') IS NOT NULL");
        session.ask_flag(&there).await
    }

    /// Reads the marks of a run that goes on.
    ///
    /// # Errors
    /// When the target refuses the question, or has a mark that is none of ours.
    pub async fn read(session: &Session) -> Result<Self, Error> {
        let mut marks = BTreeMap::new();
        for row in session.ask(&format!("SELECT step, rows FROM {SCHEMA}.done")).await? {
            let step = row.text(0)?;
            let unknown = |error: NoStep| Error::Defect(format!("the mark {step} in {SCHEMA}.done: {error}"));
            marks.insert(step.parse().map_err(unknown)?, row.number(1)?);
        }
        Ok(Self(Mutex::new(marks)))
    }

    /// The rows of a step that is done.
    #[must_use]
    pub fn done(&self, step: &Step) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(step).copied()
    }

    /// What the run has to know of its schema, where it has taken up a change of it.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn schema(session: &Session) -> Result<Option<String>, Error> {
        session.ask_one(&format!("SELECT saved FROM {SCHEMA}.schema")).await
    }

    /// The statements that keep it, to stand in the transaction that takes a change up.
    #[must_use]
    pub fn schema_sql(saved: &str) -> String {
        format!("DELETE FROM {SCHEMA}.schema; INSERT INTO {SCHEMA}.schema VALUES ({})", literal(saved))
    }

    /// The statement that notes large objects as the run's, to stand in the transaction that creates them.
    #[must_use]
    pub fn objects_sql(ids: &[u32]) -> String {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        format!(
            "INSERT INTO {SCHEMA}.large_objects SELECT pg_catalog.unnest('{{{}}}'::pg_catalog.oid[])",
            ids.join(",")
        )
    }

    /// The statements that remove all large objects of the run, and no others.
    #[must_use]
    pub fn unlink_sql() -> String {
        format!(
            "SELECT pg_catalog.lo_unlink(m.oid) FROM pg_catalog.pg_largeobject_metadata m \
             WHERE m.oid IN (SELECT o.oid FROM {SCHEMA}.large_objects o); DELETE FROM {SCHEMA}.large_objects"
        )
    }

    /// All steps that are done.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The steps of a list that are done.
    #[must_use]
    pub fn of_list(&self, list: List) -> Vec<Step> {
        let mut steps = self.steps();
        steps.retain(|step| matches!(step, Step::Statements(of, _, _) if *of == list));
        steps
    }

    /// Batches of large objects that are done.
    #[must_use]
    pub fn large_objects(&self) -> Vec<Step> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.keys().filter(|step| matches!(step, Step::LargeObjects(_))).cloned().collect()
    }

    /// Up to which statement a list is done.
    #[must_use]
    pub fn end_of(&self, list: List) -> usize {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = marks.keys().filter_map(|step| match step {
            Step::Statements(of, _, to) if *of == list => Some(*to),
            _ => None,
        });
        ends.max().unwrap_or(0)
    }

    /// Whether any step of a list is done.
    #[must_use]
    pub fn has_list(&self, list: List) -> bool {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.keys().any(|step| matches!(step, Step::Statements(of, _, _) if *of == list))
    }

    /// How many steps are done.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The statement that marks a step, to stand in the transaction of its effect.
    #[must_use]
    pub fn sql(step: &Step, rows: u64) -> String {
        format!(
            "INSERT INTO {SCHEMA}.done VALUES ({}, {rows}) ON CONFLICT (step) DO UPDATE SET rows = excluded.rows",
            literal(&step.to_string())
        )
    }

    /// The statement that marks steps which a transaction begins: a row for each that nobody has done.
    #[must_use]
    pub fn begin_sql(steps: &[Step]) -> String {
        let values: Vec<_> =
            steps.iter().map(|step| format!("({}, 0)", literal(&step.to_string()))).collect();
        format!(
            "INSERT INTO {SCHEMA}.done VALUES {} ON CONFLICT (step) DO NOTHING RETURNING 1",
            values.join(", ")
        )
    }

    /// The statement that gives steps their rows in the transaction that has marked them: it finds no marks elsewhere.
    #[must_use]
    pub fn update_sql(steps: &[Step], rows: &[u64]) -> String {
        let values = steps.iter().zip(rows);
        let values: Vec<_> =
            values.map(|(step, rows)| format!("({}, {rows})", literal(&step.to_string()))).collect();
        format!(
            "UPDATE {SCHEMA}.done d SET rows = v.rows FROM (VALUES {}) v (step, rows) WHERE d.step = v.step",
            values.join(", ")
        )
    }

    /// Takes the mark of a committed step down here too.
    pub fn note(&self, step: &Step, rows: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(step.clone(), rows);
    }

    /// Marks a step whose effect was not ours to put into a transaction, or may be had twice.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn set(&self, session: &Session, step: &Step) -> Result<(), Error> {
        session.run(&Self::sql(step, 0)).await?;
        self.note(step, 0);
        Ok(())
    }

    /// Steps that were done, and that the target does not know any more: a server that crashes forgets what it had
    /// confirmed a moment before, for `synchronous_commit` is off. They are forgotten here too. What is there now stays.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn lost(&self, session: &Session) -> Result<Vec<Step>, Error> {
        session.run("SET synchronous_commit = on").await?;
        // With this commit everything before it is on the disk.
        session.run(&Self::sql(&Step::Confirmed, 0)).await?;
        let there = Self::read(session).await?;
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost: Vec<Step> = marks.keys().filter(|step| there.done(step).is_none()).cloned().collect();
        marks.retain(|step, _| !lost.contains(step));
        Ok(lost)
    }

    /// Forgets steps, in the transaction that undoes them.
    #[must_use]
    pub fn forget_sql(steps: &[Step]) -> String {
        let steps: Vec<String> = steps.iter().map(|step| literal(&step.to_string())).collect();
        format!("DELETE FROM {SCHEMA}.done WHERE step IN ({})", steps.join(", "))
    }

    /// Forgets them here too.
    pub fn forget(&self, steps: &[Step]) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for step in steps {
            marks.remove(step);
        }
    }

    /// Gives the target back.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn drop(session: &Session) -> Result<(), Error> {
        session.run(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
    }
}
