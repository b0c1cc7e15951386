//! Rows that a CHECK refuses, tried without it: what else they break is known at the same stop. All of it happens in one
//! transaction, which is rolled back.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, TokenKind, Tokens, pg};
use tsmigrate_analyzer::secrets;

use super::allowed::BY_ROWS;
use super::broken::validations;
use super::broken_keys;
use super::builds::{Build, OfTable};
use super::copy::{Source, pump};
use super::pool::Engine;
use super::queue::Plan;
use super::rows::RowSource;
use super::statements::refused;
use super::target::LiveTarget;
use crate::connect::Row;
use crate::error::{Error, Server};
use crate::guarded;
use crate::human;
use crate::names::Relation;
use crate::quote::literal;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// The code of a row that a CHECK refuses, `check_violation`.
const BY_CHECK: &str = "23514";

/// Tables with more bytes than that in all are not copied for a trial.
const MOST: u64 = 1 << 30;

/// CHECKs of the table `{table}` and of all that it inherits from: where each comes from, its name, its definition, whether it
/// is inherited, whether it is the table's own, and what it says.
const CHECKS: &str = "
WITH RECURSIVE up(oid) AS (SELECT pg_catalog.to_regclass({table})::pg_catalog.oid
  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid),
       k.coninhcount > 0, c.oid = pg_catalog.to_regclass({table})::pg_catalog.oid, pg_catalog.pg_get_expr(k.conbin, k.conrelid)
FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' ORDER BY 1, 2";

/// CHECKs of the domains that columns of the table `{table}` are of: the domain, the CHECK's name, its definition, what it says of VALUE,
/// and the column.
const OF_DOMAINS: &str = "
WITH RECURSIVE types(oid, attname) AS (
  SELECT a.atttypid, a.attname FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = pg_catalog.to_regclass({table}) AND a.attnum > 0 AND NOT a.attisdropped
  UNION SELECT t.typbasetype, d.attname FROM types d JOIN pg_catalog.pg_type t ON t.oid = d.oid AND t.typtype = 'd')
SELECT pg_catalog.format('%I.%I', n.nspname, t.typname), pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid),
       pg_catalog.pg_get_expr(k.conbin, 0), pg_catalog.quote_ident(d.attname)
FROM types d JOIN pg_catalog.pg_type t ON t.oid = d.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'c' ORDER BY 1, 2, 5";

/// A CHECK of a domain, and a column of that domain.
struct OfDomain {
    domain: String,
    name: String,
    definition: String,
    /// What it says of the column.
    says: String,
}

impl OfDomain {
    async fn all(target: &mut LiveTarget, table: &Table) -> Result<Vec<Self>, Error> {
        let question = OF_DOMAINS.replace("{table}", &literal(&table.into.sql()));
        let rows = target.session().await?.ask(&question).await?;
        let read = |row: &Row| {
            Ok(Self {
                domain: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                definition: row.text(2)?.trim_end_matches(" NOT VALID").to_owned(),
                says: of_column(row.text(3)?, row.text(4)?),
            })
        };
        rows.iter().map(read).collect()
    }

    fn drop(&self) -> String {
        format!("ALTER DOMAIN {} DROP CONSTRAINT IF EXISTS {}", self.domain, self.name)
    }

    /// As a check of new rows: those that are there are looked at by [`Self::says`].
    fn add(&self) -> String {
        format!("ALTER DOMAIN {} ADD CONSTRAINT {} {} NOT VALID", self.domain, self.name, self.definition)
    }
}

/// A domain's expression, as the server prints it, said of a column.
fn of_column(expression: &str, column: &str) -> String {
    let tokens = Tokens::scan(expression);
    let mut out = String::with_capacity(expression.len());
    let mut done = 0;
    // In quotes it would be a name.
    for token in
        tokens.iter().filter(|token| token.kind != TokenKind::String && token.text(expression) == "VALUE")
    {
        out.push_str(expression.get(done..token.start).unwrap_or_default());
        out.push_str("a.");
        out.push_str(column);
        done = token.end;
    }
    out + expression.get(done..).unwrap_or_default()
}

impl Engine {
    /// Looks what else is broken by the rows of tables that were given up, of which these parts are not copied. That it cannot be
    /// found out is no error: what is known is said all the same.
    pub(super) async fn try_refused(&self, plan: &Plan, parts: &[Vec<CopyRange>]) {
        let mut given_up: Vec<(usize, &Table, u64)> = Vec::new();
        for number in &plan.builds().given_up {
            let bytes = parts.get(*number).into_iter().flatten().map(|part| part.bytes).sum();
            given_up.extend(plan.tables.get(*number).map(|table| (*number, table, bytes)));
        }
        given_up.sort_by_key(|(number, _, bytes)| (*bytes, *number));
        let mut all = 0;
        let (tried, large): (Vec<_>, Vec<_>) = given_up.into_iter().partition(|(_, _, bytes)| {
            all += bytes;
            all <= MOST
        });
        if !large.is_empty() {
            let names = large.iter().map(|(_, table, _)| table.relation.to_string());
            self.progress.warn(&format!(
                "what else rows break of large tables is known when they are copied: {}",
                human::first(names, 5)
            ));
        }
        if tried.is_empty() {
            return;
        }
        let tables: Vec<(usize, &Table)> = tried.iter().map(|(number, table, _)| (*number, *table)).collect();
        let mut target = LiveTarget::new(&self.target, &self.setup);
        if let Err(error) = self.all_of(&mut target, plan, &tables, parts).await {
            self.progress.warn(&format!("what else these rows break could not be found out: {error}"));
        }
        target.reset().await;
    }

    async fn all_of(
        &self,
        target: &mut LiveTarget,
        plan: &Plan,
        tables: &[(usize, &Table)],
        parts: &[Vec<CopyRange>],
    ) -> Result<(), Error> {
        let mut source = RowSource::new(&self.rows, &self.progress);
        target.begin_trial().await?;
        let mut there = BTreeSet::new();
        for (number, table) in tables {
            let parts = parts.get(*number).map(Vec::as_slice).unwrap_or_default();
            let key = plan.builds().of.get(*number).map(primary_key).unwrap_or_default();
            if self.rows_of(&mut source, target, (table, &key), parts).await? {
                there.insert(*number);
            }
        }
        for number in &there {
            let of = plan.builds().of.get(*number).cloned().unwrap_or_default();
            for build in of.indexes.iter().chain(&of.constraints) {
                let is_key = build.sql.iter().any(|sql| !sql.starts_with("CREATE INDEX "));
                if is_key && self.marks.done(&build.step).is_none() {
                    self.try_build(target, build).await?;
                }
            }
        }
        let keys: Vec<(Vec<Build>, Vec<Build>)> = plan
            .builds()
            .keys
            .iter()
            .filter(|waiting| waiting.tables.is_subset(&there))
            .map(|waiting| (waiting.keys.add.clone(), waiting.keys.checks.clone()))
            .collect();
        for (add, checks) in &keys {
            for build in add {
                self.try_build(target, build).await?;
            }
            for build in checks {
                for sql in build.sql.iter().flat_map(|sql| validations(sql)) {
                    self.try_build(target, &Build { sql: vec![sql], ..build.clone() }).await?;
                }
            }
        }
        Ok(())
    }

    /// Copies the rows of a table without its CHECKs, and tries each of those; false where the target refuses rows all the same.
    async fn rows_of(
        &self,
        source: &mut RowSource,
        target: &mut LiveTarget,
        (table, key): (&Table, &[String]),
        parts: &[CopyRange],
    ) -> Result<bool, Error> {
        let question = CHECKS.replace("{table}", &literal(&table.into.sql()));
        let (mut drops, mut adds) = (Vec::new(), Vec::new());
        for row in target.session().await?.ask(&question).await? {
            let (relation, name, definition) = (row.text(0)?, row.text(1)?, row.text(2)?);
            if !row.flag(3)? {
                drops.push(format!("ALTER TABLE {relation} DROP CONSTRAINT {name}"));
            }
            if row.flag(4)? {
                let add = format!("ALTER TABLE {} ADD CONSTRAINT {name} {definition}", table.into.sql());
                adds.push((add, row.text(5)?.to_owned()));
            }
        }
        let of_domains = OfDomain::all(target, table).await?;
        drops.extend(of_domains.iter().map(OfDomain::drop));
        if attempt(target, &drops.join("; "), true).await?.is_err() {
            return Ok(false);
        }
        target.session().await?.run("SAVEPOINT rows").await?;
        for part in parts.iter().filter(|part| self.marks.done(&part.step(table)).is_none()) {
            let copied = async {
                target.begin_part(table, part).await?;
                source.begin(table, part).await?;
                pump(source, target, &self.rate, &|_| {}).await?;
                target.copied().await
            };
            if let Err(error) = copied.await {
                source.reset().await;
                if error.answer().is_none_or(|answer| answer.code.is_empty()) {
                    return Err(error);
                }
                target.session().await?.run("ROLLBACK TO SAVEPOINT rows").await?;
                return Ok(false);
            }
        }
        for (add, check) in adds {
            if let Err(answer) = attempt(target, &add, false).await? {
                let rows = breaking(target, table, key, &check).await?;
                self.found(&table.relation, Server { rows, ..answer });
            }
        }
        self.domains(target, (table, key), of_domains).await?;
        Ok(true)
    }

    /// Looks which rows break CHECKs of domains, and puts those back for the tables that follow.
    async fn domains(
        &self,
        target: &mut LiveTarget,
        (table, key): (&Table, &[String]),
        all: Vec<OfDomain>,
    ) -> Result<(), Error> {
        for of in &all {
            if let Some(rows) = breaking(target, table, key, &of.says).await? {
                let answer = Server {
                    code: BY_CHECK.into(),
                    message: format!("value for domain {} violates check constraint {}", of.domain, of.name),
                    constraint: Some(format!("{}.{}", of.domain, of.name)),
                    rolled_back: true,
                    rows: Some(rows),
                    ..Server::default()
                };
                self.found_in_column(&table.relation, &of.name, answer);
            }
        }
        let adds: BTreeSet<String> = all.iter().map(OfDomain::add).collect();
        let adds: Vec<String> = adds.into_iter().collect();
        // Where that is refused, the tables that follow are tried without them.
        let _ = attempt(target, &adds.join("; "), true).await?;
        Ok(())
    }

    async fn try_build(&self, target: &mut LiveTarget, build: &Build) -> Result<(), Error> {
        if let Err(answer) = attempt(target, &build.sql.join(";\n"), true).await?
            && BY_ROWS.contains(&answer.code.as_str())
        {
            // Anything but rows as the reason follows from what was left out here.
            let _ = self.put_off(refused("post-data", &build.statement, answer));
        }
        Ok(())
    }

    /// What a domain's CHECK of this name refuses: the server names the domain that the column is of, which may be one above it.
    fn found_in_column(&self, table: &Relation, name: &str, answer: Server) {
        let named = format!(".{name}");
        let is_same = |error: &Error| match error {
            Error::Copy { table: other, answer, .. } => {
                *other == table.to_string()
                    && answer.rows.is_none()
                    && answer.constraint.as_ref().is_some_and(|constraint| constraint.ends_with(&named))
            }
            _ => false,
        };
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).retain(|error| !is_same(error));
        self.found(table, answer);
    }

    fn found(&self, table: &Relation, answer: Server) {
        if BY_ROWS.contains(&answer.code.as_str()) {
            let error = Error::Copy { table: table.to_string(), side: "target", answer: Box::new(answer) };
            let _ = self.put_off(error);
        }
    }
}

/// The columns of a table's primary key, which is not built yet; empty where it has none.
fn primary_key(of: &OfTable) -> Vec<String> {
    let of_build = |build: &Build| -> Vec<String> {
        let parsed = parse::parse(&build.statement.sql, true).ok().flatten();
        let Some(NodeEnum::AlterTableStmt(alter)) = parsed.as_ref().map(parse::Parsed::node) else {
            return Vec::new();
        };
        let definitions = alter.cmds.iter().filter_map(|command| match &command.node {
            Some(NodeEnum::AlterTableCmd(command)) => command.def.as_ref()?.node.as_ref(),
            _ => None,
        });
        let keys = definitions.filter_map(|definition| match definition {
            NodeEnum::Constraint(key) if key.contype() == pg::ConstrType::ConstrPrimary => {
                Some(strings(&key.keys))
            }
            _ => None,
        });
        keys.flatten().map(str::to_owned).collect()
    };
    of.indexes.iter().chain(&of.constraints).map(of_build).find(|key| !key.is_empty()).unwrap_or_default()
}

/// The keys of rows within the transaction that break a CHECK; none where they are not to be told. The server has just
/// looked at them by the same expression.
async fn breaking(
    target: &mut LiveTarget,
    table: &Table,
    key: &[String],
    check: &str,
) -> Result<Option<String>, Error> {
    if key.is_empty() || key.iter().any(|column| secrets::is_secret(column)) {
        return Ok(None);
    }
    let session = target.session().await?;
    let Some(guard) = guarded::find(session, &table.into, key).await? else { return Ok(None) };
    let broken = format!("FROM {} a WHERE NOT ({check})", guard.from);
    session.run("SAVEPOINT trial").await?;
    let rows = session.try_ask(&broken_keys::question(key, &broken, "")).await;
    session.run("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial").await?;
    rows.map_or(Ok(None), |rows| broken_keys::words(key, &rows))
}

/// Runs statements within the transaction, which goes on whatever the answer is; what they did stays in it with `keep`.
async fn attempt(target: &mut LiveTarget, sql: &str, keep: bool) -> Result<Result<(), Server>, Error> {
    let session = target.session().await?;
    session.run("SAVEPOINT trial").await?;
    let answer = session.client().batch_execute(sql).await;
    let answer = answer.map_err(|error| Server { rolled_back: true, ..Server::new(&error) });
    let back = if answer.is_ok() && keep { "" } else { "ROLLBACK TO SAVEPOINT trial; " };
    session.run(&format!("{back}RELEASE SAVEPOINT trial")).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::of_column;

    #[test]
    fn what_a_domain_says_is_said_of_a_column() {
        let says = "((VALUE > 0) AND (\"VALUE\"(VALUE) <> 'VALUE'::text))";
        assert_eq!(
            of_column(says, "\"x y\""),
            "((a.\"x y\" > 0) AND (\"VALUE\"(a.\"x y\") <> 'VALUE'::text))"
        );
    }
}
