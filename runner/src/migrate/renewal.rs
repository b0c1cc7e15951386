//! A resumed run with a new snapshot: what is on the target is compared with the source as it is now, and what differs is
//! copied anew.

use std::collections::BTreeMap;

use super::copy_plan::{self, TableRanges};
use super::refusal::begin_anew;
use super::snapshot::Snapshot;
use super::{Context, others};
use crate::connect::Session;
use crate::engine::builds::{BehindRows, behind_rows};
use crate::engine::config;
use crate::engine::marks::Marks;
use crate::error::Error;
use crate::names::Relation;
use crate::quote::{identifier, literal, shell};
use crate::script::Statement;
use crate::step::Step;
use crate::timescale::Chosen;
use crate::workdir::SavedPlan;
use crate::{timescale, verify};

/// Brings what is there to the new snapshot: whole tables that are the same stay, all others are emptied. Foreign keys
/// that touch those are dropped, and added again with the statements of `post_data`.
///
/// # Errors
/// When rows have changed that cannot be replaced any more, or a server refuses.
pub(super) async fn renew(
    context: &Context,
    snapshot: &Snapshot,
    marks: &Marks,
    tables: Vec<TableRanges>,
    target: &Session,
    post_data: &[Statement],
    chosen: Option<&Chosen>,
) -> Result<Vec<TableRanges>, Error> {
    // The session that has every lock: nobody who waits for one stops it.
    let source = snapshot.holder.turn().await?;
    let (watch_source, watch_target) = tokio::try_join!(context.source.open(), context.target.open())?;
    let both = ((&*source, &watch_source), (target, &watch_target));
    catalogs(context, marks, &source, target, chosen).await?;
    // In restoring mode, where it is on: TimescaleDB would look at a chunk as at a part of its hypertable.
    let writer = context.target.open().await?;
    let mut now: BTreeMap<_, _> = copy_plan::ranges(context, &snapshot.listing.tables)
        .into_iter()
        .map(|(table, ranges)| (table.relation.clone(), (table, ranges)))
        .collect();
    let behind = behind_rows(post_data);
    let mut kept = 0;
    let mut result = Vec::new();
    let mut shared: BTreeMap<Relation, Vec<Step>> = BTreeMap::new();
    for (table, ranges) in tables {
        // One that is gone was dropped with its rows.
        let Some(as_now) = now.remove(&table.relation) else { continue };
        let steps: Vec<Step> = ranges.iter().map(|range| range.step(&table)).collect();
        exists(context, target, &table.into).await?;
        let done = steps.iter().filter(|step| marks.done(step).is_some()).count();
        if table.into != table.relation {
            // Whose rows they are cannot be told any more.
            shared.entry(table.into.clone()).or_default().extend(steps);
            result.push(as_now);
            continue;
        }
        let names = (table.from.as_ref().unwrap_or(&table.relation), &table.relation);
        if done == steps.len() && done > 0 && verify::same(both.0, both.1, names).await? {
            kept += 1;
            result.push((table, ranges));
            continue;
        }
        if done > 0 {
            replaceable(context, target, marks, &table.into).await?;
            let (drop, built) = keys_of(context, target, &table.into, &behind).await?;
            let steps: Vec<Step> = steps.into_iter().chain(built).collect();
            writer.run("BEGIN").await?;
            others::rows(context, &writer, marks, &table.into).await?;
            writer
                .run(&format!(
                    "{drop}TRUNCATE ONLY {}; {}; COMMIT",
                    table.into.sql(),
                    Marks::forget_sql(&steps)
                ))
                .await?;
            marks.forget(&steps);
        }
        // Its parts as they are now.
        result.push(as_now);
    }
    for (into, steps) in
        shared.iter().filter(|(_, steps)| steps.iter().any(|step| marks.done(step).is_some()))
    {
        writer.run("BEGIN").await?;
        for table in others::parts(&writer, into).await? {
            others::rows(context, &writer, marks, &table).await?;
        }
        writer.run(&format!("TRUNCATE {}; {}; COMMIT", into.sql(), Marks::forget_sql(steps))).await?;
        marks.forget(steps);
    }
    let objects = marks.large_objects();
    if !objects.is_empty() {
        // Their owners and privileges go with them.
        let steps: Vec<Step> = objects.into_iter().chain([Step::Access]).collect();
        target.run(&format!("BEGIN; {}; {}; COMMIT", Marks::unlink_sql(), Marks::forget_sql(&steps))).await?;
        marks.forget(&steps);
    }
    // Those that the source has got since.
    result.extend(now.into_values());
    context.progress.line(&format!(
        "  {kept} tables that were copied are the same on the source now; the others are copied anew"
    ));
    let saved_plan = SavedPlan { tables: result.clone(), ..context.work.saved_plan(&context.run)? };
    context.work.save_plan(&saved_plan)?;
    Ok(result)
}

/// Has rows of extensions' own tables copied once more, TimescaleDB's catalogs above all, where the source has others now.
async fn catalogs(
    context: &Context,
    marks: &Marks,
    source: &Session,
    target: &Session,
    chosen: Option<&Chosen>,
) -> Result<(), Error> {
    if marks.done(&Step::Catalogs).is_none() {
        return Ok(());
    }
    let mut tables = config::list(source, chosen).await?;
    // TimescaleDB's are those of another database by then.
    tables.retain(|table| !context.tuning.beside || !timescale::is_own(&table.relation().schema));
    let mut differs = None;
    for table in &tables {
        if !config::same(source, target, table).await? {
            differs = Some(table.relation());
            break;
        }
    }
    let Some(differs) = differs else { return Ok(()) };
    let late = |why: &str| Error::Refused {
        what: format!("--resume --new-snapshot: the rows of {differs} have changed since, and {why}"),
        next: vec![begin_anew(context)],
    };
    if marks.done(&Step::Restored).is_some() {
        return Err(late("the target works with those of before already"));
    }
    if context.tuning.beside {
        return Err(late("other databases on the target have rows there too"));
    }
    let steps = [Step::Catalogs];
    let empty = config::empty_sql(target, &tables).await?;
    let sql = format!("BEGIN; {empty}{}; COMMIT", Marks::forget_sql(&steps));
    target.run(&sql).await.map_err(|error| late(&error.to_string()))?;
    marks.forget(&steps);
    Ok(())
}

/// Refuses where somebody else has dropped or renamed a table of the run.
async fn exists(context: &Context, target: &Session, table: &Relation) -> Result<(), Error> {
    let there = format!("SELECT pg_catalog.to_regclass({}) IS NOT NULL", literal(&table.sql()));
    if target.ask_flag(&there).await? {
        return Ok(());
    }
    let what = format!(
        "somebody else has dropped or renamed {table} on the target, which the run has created there"
    );
    Err(others::not_ours(
        context,
        &what,
        "put it back, where it was renamed, then the same command again".into(),
    ))
}

/// Refuses where rows of a table cannot be replaced without more being done again: its triggers would fire.
async fn replaceable(
    context: &Context,
    target: &Session,
    marks: &Marks,
    table: &Relation,
) -> Result<(), Error> {
    let question = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = {}::pg_catalog.regclass AND NOT t.tgisinternal \
         AND t.tgenabled <> 'D')",
        literal(&table.sql())
    );
    let over = [Step::Restored, Step::Access].iter().any(|step| marks.done(step).is_some());
    if over || target.ask_flag(&question).await? {
        return Err(Error::Refused {
            what: format!(
                "--resume --new-snapshot: the rows of {table} have changed since, and the target has what comes behind rows \
                 already"
            ),
            next: vec![begin_anew(context)],
        });
    }
    Ok(())
}

/// The foreign keys of the target that touch a table: the statements that drop them, and the steps to be done again.
/// Views that were filled are filled again.
async fn keys_of(
    context: &Context,
    target: &Session,
    table: &Relation,
    behind: &[BehindRows],
) -> Result<(String, Vec<Step>), Error> {
    let table = literal(&table.sql());
    let question = format!(
        "SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k \
         JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'f' AND k.conparentid = 0 \
         AND {table}::pg_catalog.regclass IN (k.conrelid, k.confrelid)"
    );
    let mut drop = Vec::new();
    let mut steps = Vec::new();
    for row in target.ask(&question).await? {
        let (of, name) = (row.relation(0)?, row.text(2)?);
        let is_ours = |key: &&BehindRows| key.relation == of && key.foreign_key.as_deref() == Some(name);
        if of.schema != timescale::INTERNAL && !behind.iter().any(|key| is_ours(&key)) {
            let what = format!(
                "somebody else has added the foreign key {} on the target, and its rows would have to be copied anew",
                of.part(name)
            );
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT {}", of.sql(), identifier(name));
            return Err(others::not_ours(
                context,
                &what,
                format!("drop it, then the same command again: psql -X \"$TARGET\" -c {}", shell(&drop)),
            ));
        }
        drop.push(format!("ALTER TABLE {} DROP CONSTRAINT {}; ", of.sql(), identifier(name)));
        for key in behind.iter().filter(|key| key.relation == of) {
            // One check is for all keys of a table, by the number of the first.
            steps.push(Step::Check(key.number));
            if key.foreign_key.as_deref() == Some(name) {
                steps.push(Step::Build(key.number));
            }
        }
    }
    steps
        .extend(behind.iter().filter(|view| view.foreign_key.is_none()).map(|view| Step::Build(view.number)));
    Ok((drop.concat(), steps))
}
