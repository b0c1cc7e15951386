//! What a dump without TimescaleDB's catalogs leaves over: chunks, materializations and views that belong to nothing on
//! the target, and statements that need a continuous aggregate which only a script can make again.

use std::collections::BTreeSet;

use crate::facts::names::{quoted_path, string};
use crate::facts::objects::subject;
use crate::facts::timescale::{INTERNAL, number_after};
use crate::facts::{Facts, ObjectId};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum};
use crate::rule::Context;
use crate::text::Span;

/// Statements of a dump that its rewrite leaves out if the dump has no rows of TimescaleDB's catalogs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orphans {
    /// Runs of such statements with the comments between them: input and bytes, in order.
    pub(crate) runs: Vec<(usize, Span)>,
    /// Statements that a script runs once the continuous aggregates are there.
    pub(crate) later: Vec<Later>,
    /// Continuous aggregates, and what needs them.
    moved: BTreeSet<ObjectId>,
    /// The last statement that was looked at: input and number.
    seen: (usize, u32),
    /// Nothing stands between it and the end of the last run.
    open: bool,
}

/// A statement that moves to the script.
#[derive(Clone, Debug)]
pub(crate) struct Later {
    pub input: usize,
    pub statement: u32,
    pub span: Span,
    /// Its text in the dump; changes of other rules are still to be applied.
    pub sql: String,
    /// Its text in the script, where that is another.
    pub instead: Option<String>,
}

/// What becomes of a statement where hypertables have to be made again.
enum Fate {
    Stays,
    Goes,
    /// Goes to the script, there with this text in its place.
    Later(Option<String>),
}

/// The names of TimescaleDB's own tables and views in `_timescaledb_internal`.
const OWN: &[&str] = &[
    "_hyper_",
    "_dist_hyper_",
    "compress_hyper_",
    "_compressed_hypertable_",
    "_materialized_hypertable_",
    "_partial_view_",
    "_direct_view_",
];

impl Orphans {
    /// True where these bytes lie in a run.
    pub(crate) fn covers(&self, input: usize, at: u64) -> bool {
        let behind = self.runs.partition_point(|(i, span)| (*i, span.start) <= (input, at));
        behind
            .checked_sub(1)
            .and_then(|last| self.runs.get(last))
            .is_some_and(|(i, span)| *i == input && at < span.end)
    }

    /// The statement that moves to the script, where this one does.
    pub(crate) fn moves(&self, input: usize, statement: u32) -> bool {
        self.later.binary_search_by_key(&(input, statement), |later| (later.input, later.statement)).is_ok()
    }

    /// Something else comes: a run ends here.
    pub(crate) fn interrupt(&mut self) {
        self.open = false;
    }
}

/// Looks at a statement of the dump, each only once: later rounds see it changed.
pub(crate) fn look(ctx: &mut Context<'_>, statement: &Statement<'_>) {
    let place = statement.place(&statement.range());
    let now = (place.input, place.statement);
    let orphans = ctx.states.of::<Orphans>();
    if orphans.seen == now {
        return;
    }
    let follows = orphans.open && orphans.seen == (now.0, now.1.saturating_sub(1));
    let fate = fate(ctx, statement);
    let orphans = ctx.states.of::<Orphans>();
    orphans.seen = now;
    orphans.open = !matches!(fate, Fate::Stays);
    if !orphans.open {
        return;
    }
    match orphans.runs.last_mut().filter(|_| follows) {
        Some((_, run)) => run.end = place.span.end,
        None => orphans.runs.push((place.input, place.span)),
    }
    if let Fate::Later(instead) = fate {
        orphans.later.push(Later {
            input: place.input,
            statement: place.statement,
            span: place.span,
            sql: statement.sql().to_owned(),
            instead,
        });
    }
}

fn fate(ctx: &mut Context<'_>, statement: &Statement<'_>) -> Fate {
    let node = statement.node();
    if matches!(node, NodeEnum::CopyStmt(_) | NodeEnum::InsertStmt(_)) {
        return Fate::Stays;
    }
    if let NodeEnum::CreateTrigStmt(s) = node
        && s.funcname.first().and_then(string).is_some_and(|schema| schema.starts_with("_timescaledb_"))
    {
        return Fate::Goes;
    }
    let about = subject(node)
        .map(|object| ctx.resolved(&object.id))
        .or_else(|| ctx.created(node).map(|object| object.id));
    let about = about.map(|id| id.table().unwrap_or(id));
    if about.as_ref().is_some_and(|id| is_own(ctx.facts, id)) {
        return match node {
            NodeEnum::IndexStmt(_) => {
                users_index(ctx, statement).map_or(Fate::Goes, |sql| Fate::Later(Some(sql)))
            }
            _ => Fate::Goes,
        };
    }
    let made = ctx.created(node).map(|object| object.id);
    if let Some(id) = aggregate_of(statement) {
        // Without its materialization and its query the view is not to be made again from this dump.
        let table = ObjectId::new(Class::Relation, Some(INTERNAL), &materialization(id));
        let known = ctx.facts.timescale.aggregates.get(&id).is_some_and(|one| one.definition.is_some());
        if let Some(view) = made.filter(|_| known && ctx.facts.relations.contains_key(&table)) {
            ctx.states.of::<Orphans>().moved.insert(view);
            return Fate::Goes;
        }
        return Fate::Stays;
    }
    let Some(moved) = ctx.states.get::<Orphans>().map(|orphans| &orphans.moved).filter(|m| !m.is_empty())
    else {
        return Fate::Stays;
    };
    let needs = about.is_some_and(|id| moved.contains(&id))
        || statement.references().iter().any(|reference| {
            let names = |class| {
                let id = ObjectId::new(class, reference.schema.as_deref(), &reference.name);
                moved.contains(&ctx.resolved(&id))
            };
            names(reference.class) || reference.class == Class::Type && names(Class::Relation)
        });
    if !needs {
        return Fate::Stays;
    }
    ctx.states.of::<Orphans>().moved.extend(made);
    Fate::Later(None)
}

/// The name of a materialization hypertable.
pub(crate) fn materialization(id: i64) -> String {
    format!("_materialized_hypertable_{id}")
}

/// The continuous aggregate whose view a statement makes: the id of its materialization.
pub(crate) fn aggregate_of(statement: &Statement<'_>) -> Option<i64> {
    let NodeEnum::ViewStmt(view) = statement.node() else { return None };
    if view.view.as_ref().is_none_or(|range| range.schemaname.starts_with("_timescaledb_")) {
        return None;
    }
    statement
        .references()
        .iter()
        .filter(|r| r.class == Class::Relation && r.schema.as_deref() == Some(INTERNAL))
        .find_map(|r| number_after(&r.name, "_materialized_hypertable_"))
}

/// True for the names of TimescaleDB's own tables and views in its internal schema.
pub(crate) fn has_own_name(name: &str) -> bool {
    OWN.iter().any(|prefix| name.starts_with(prefix))
}

/// True for TimescaleDB's own tables, views and indexes.
fn is_own(facts: &Facts, id: &ObjectId) -> bool {
    if id.schema.as_deref() != Some(INTERNAL) {
        return false;
    }
    match facts.relations.get(id) {
        Some(relation) if relation.word == "index" => {
            relation.parents.first().is_some_and(|table| has_own_name(&table.name))
        }
        // An index that a constraint makes has no statement of its own.
        None if id.class == Class::Relation => true,
        _ => has_own_name(&id.name),
    }
}

/// An index that a user put on a continuous aggregate, as a statement on its view.
fn users_index(ctx: &Context<'_>, statement: &Statement<'_>) -> Option<String> {
    let NodeEnum::IndexStmt(index) = statement.node() else { return None };
    let range = index.relation.as_ref()?;
    let id = number_after(&range.relname, "_materialized_hypertable_")?;
    if index.idxname.starts_with("_materialized_hypertable_") {
        return None;
    }
    let view = ctx.facts.timescale.aggregates.get(&id)?.view.as_ref()?;
    let name = statement.name_at(usize::try_from(range.location).ok()?)?;
    let sql = statement.sql();
    let body = statement.body();
    let view = quoted_path(view.schema.as_deref(), &view.name);
    Some(format!("{}{view}{};", sql.get(..name.start)?, sql.get(name.end..body.end)?))
}
