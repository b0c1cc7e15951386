//! Everything that writes to the target, stage by stage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tsmigrate_analyzer::report::count;

use super::resume::Begun;
use super::schema::Scripts;
use super::snapshot::Snapshot;
use super::steps::{self, Ends};
use super::{Context, Reached, evaluation, owners};
use crate::analysis::{self, Input};
use crate::connect::{Connector, Session, identifier};
use crate::engine::builds::{self, Build};
use crate::engine::ends::{LiveSource, LiveTarget};
use crate::engine::format::Format;
use crate::engine::marks::Marks;
use crate::engine::pool::{Engine, Load};
use crate::engine::retry::{self, retrying};
use crate::engine::statements::{self, List};
use crate::engine::step::{self, Step};
use crate::engine::table::{self, Relation, Table};
use crate::engine::{config, objects, sequences};
use crate::error::Error;
use crate::journal::Event;
use crate::progress::{TaskKind, rate};
use crate::report::{Missing, MovedJob};
use crate::script::{self, Class, Statement};
use crate::timescale::{self, Catalogs};
use crate::{human, inspect, jobs};

/// What the stages learnt for those after them.
#[derive(Default)]
pub(super) struct Loaded {
    /// Rows that the target took.
    pub(super) rows: BTreeMap<Relation, u64>,
    /// Tables whose rows stayed behind.
    pub(super) skipped: BTreeSet<Relation>,
    /// Sequences as they were set: `last_value` and `is_called`.
    pub(super) sequences: sequences::Values,
    /// Hypertables of the target, whose statistics are still to be made.
    pub(super) hypertables: Vec<Relation>,
}

/// Opens a session, and waits for a server that has just gone away.
async fn open(context: &Context, end: &Connector) -> Result<Session, Error> {
    retrying(context.patience(), &context.progress, "connection", || end.open()).await
}

/// Settings of every session that writes.
const SETUP: &str = "SET synchronous_commit = off; SET check_function_bodies = off";

/// Runs all stages that write.
pub(super) async fn write(
    context: &Arc<Context>,
    ends: &Ends,
    scripts: Scripts,
    snapshot: &Snapshot,
    begun: Begun,
) -> Result<Loaded, Error> {
    {
        let mut undo = context.undo();
        undo.reached = Reached::Written;
        undo.timescale = ends.source.timescale.is_some();
    }
    let mut loaded = Loaded::default();
    let Begun { marks, mut tables } = begun;
    let engine = Arc::new(engine(context, snapshot, marks).await?);
    roles(context, &engine, &scripts.roles).await?;
    extensions(context, &engine, ends, &scripts.extensions).await?;
    let restored = engine.marks.done(&Step::Restored).is_some();
    let has_timescale = ends.source.timescale.is_some();
    if has_timescale && !restored {
        enter_restoring(context).await?;
    }
    run_list(context, &engine, step::List::PreData, &scripts.pre_data).await?;
    hand_over(context, &engine, &scripts.access).await?;
    let session = open(context, &engine.target).await?;
    let shapes = table::shapes(&session).await?;
    fill_config(context, &engine, ends, &shapes, &mut loaded).await?;
    fit(context, snapshot, &mut tables, &shapes, &mut loaded).await?;
    let relations = steps::relations(&tables);
    let hypertables: BTreeSet<Relation> =
        ends.source.timescale.iter().flat_map(inspect::Timescale::tables).cloned().collect();
    let plain = |table: &Relation| {
        !timescale::is_own(&table.schema) && !hypertables.contains(table) && !ends.convert.has(table)
    };
    let mut builds = builds::sort(scripts.post_data, &relations, plain);
    let after_restoring = builds.take_after_restoring(&hypertables);
    // Between tables that are built here a foreign key need not wait for anything else.
    let (early, late): (Vec<_>, Vec<_>) = builds.foreign_keys.into_iter().partition(|keys| {
        keys.check.is_some() && relations.contains(&keys.table) && keys.references.is_subset(&relations)
    });
    let load = Load {
        tables,
        objects: if with_objects(context) {
            objects::list(&*snapshot.holder.turn().await?).await?
        } else {
            Vec::new()
        },
        builds: builds.tables,
        foreign_keys: early,
        analyzed_with_root: Arc::new(|_| false),
    };
    data(context, &engine, load, &mut loaded).await?;
    set_sequences(context, &engine, &mut loaded).await?;
    run_list(context, &engine, step::List::PostData, &builds.rest).await?;
    foreign_keys(context, &engine, late).await?;
    let row_security: Vec<_> = builds.row_security.into_iter().map(|(_, statement)| statement).collect();
    run_list(context, &engine, step::List::RowSecurity, &row_security).await?;
    if has_timescale && !restored {
        leave_restoring(context, &engine).await?;
    }
    foreign_keys(context, &engine, after_restoring.foreign_keys).await?;
    run_list(context, &engine, step::List::LateRowSecurity, &after_restoring.row_security).await?;
    let session = open(context, &engine.target).await?;
    session.run(SETUP).await?;
    analyze_roots(context, &engine, &session, &mut loaded).await?;
    let objects = LargeObjects { roles: &scripts.roles_text, pre_data: &scripts.pre_data_text };
    access(context, &engine, ends, &session, scripts.access, &objects, snapshot).await?;
    refresh(context, &engine, builds.refreshes).await?;
    let warnings = session.take_notices();
    context.report().warnings.extend(warnings);
    match lost(context, &engine).await?.len() {
        0 => Ok(loaded),
        number => Err(Error::Refused {
            what: format!("the target's server has crashed and lost {number} steps that it had confirmed"),
            next: vec!["do them again: the same command with --resume".into()],
        }),
    }
}

/// Large objects are in no schema: where schemas are named, they stay behind, as with `pg_dump`.
fn with_objects(context: &Context) -> bool {
    context.args.include.is_empty()
}

async fn engine(context: &Arc<Context>, snapshot: &Snapshot, marks: Marks) -> Result<Engine, Error> {
    let args = &context.args;
    let session = context.target.open().await?;
    let builders = usize::try_from(context.builders()).unwrap_or(1);
    let setup = format!("{SETUP}{}", evaluation::settings(context, &session).await?);
    let (build_setup, processors) = size_of(&session, builders, &setup).await?;
    let watcher = context.clone();
    Ok(Engine {
        source: context.source.clone(),
        target: context.target.clone(),
        holder: snapshot.holder.clone(),
        marks,
        progress: context.progress.clone(),
        patience: context.patience(),
        rate: crate::engine::rate::Rate::new(args.max_rate.map(|rate| rate.as_u64())),
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        builders,
        setup,
        build_setup,
        processors,
        busy: std::sync::atomic::AtomicUsize::new(0),
        on_step: Box::new(move |step, rows| watcher.step(step, rows)),
        begun: context.begun,
        done: std::sync::Mutex::default(),
    })
}

/// Memory for builds and the number of processors, from what the target's settings say of its size. `shared_buffers` is
/// about a quarter of a service's memory; all builds together get half as much, and none less than the server gives by
/// itself. A service's `max_parallel_workers` is the number of its processors (timescaledb-tune).
async fn size_of(session: &Session, builders: usize, setup: &str) -> Result<(String, usize), Error> {
    let row = session
        .ask(
            "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) >> 20, \
             pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) >> 20, \
             pg_catalog.current_setting('max_parallel_workers')",
        )
        .await?;
    let numbers: Vec<u64> =
        row.into_iter().flatten().flatten().filter_map(|value| value.parse().ok()).collect();
    let [buffers, memory, processors] = numbers[..] else { return Ok((setup.to_owned(), 1)) };
    let builders = u64::try_from(builders).unwrap_or(1).max(1);
    let memory = (buffers / 2 / builders).clamp(64, 2048).max(memory);
    let setup = format!("{setup}; SET maintenance_work_mem = '{memory}MB'");
    Ok((setup, usize::try_from(processors).unwrap_or(1)))
}

async fn roles(context: &Context, engine: &Engine, statements: &[Statement]) -> Result<(), Error> {
    const STEP: &str = "roles";
    if engine.marks.done(&Step::Roles).is_some() || statements.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    let existing = retrying(engine.patience, &engine.progress, STEP, || async {
        let session = open(context, &engine.target).await?;
        let mut existing = 0;
        for statement in statements {
            match statements::execute(&session, STEP, statement).await {
                // A role of an earlier run, or of somebody else: its attributes follow from the statements after it.
                Err(error) if matches!(statement.class, Class::CreateRole(_)) && error.code() == "42710" => {
                    existing += 1;
                }
                result => result?,
            }
        }
        engine.marks.set(&session, &Step::Roles).await.map(|()| existing)
    })
    .await?;
    context.step(&Step::Roles, 0);
    let existed = if existing > 0 { format!(", {existing} roles existed") } else { String::new() };
    context.report().moved.statements += statements.len() as u64;
    context.stage(STEP, format!("{} statements{existed}", statements.len()), start.elapsed());
    Ok(())
}

async fn extensions(
    context: &Context,
    engine: &Engine,
    ends: &Ends,
    statements: &[Statement],
) -> Result<(), Error> {
    let start = Instant::now();
    let mut created = 0;
    for (number, statement) in statements.iter().enumerate() {
        let step = Step::Extension(number);
        if engine.marks.done(&step).is_some() {
            continue;
        }
        let mut statement = statement.clone();
        if let (Class::CreateExtension { name, .. }, Some(timescale)) =
            (&statement.class, &ends.source.timescale)
            && name == "timescaledb"
        {
            let version = identifier(&timescale.version);
            statement.sql = format!("CREATE EXTENSION timescaledb WITH SCHEMA public VERSION {version}");
        }
        retrying(engine.patience, &engine.progress, "extensions", || async {
            // A session of its own for each: an extension is refused where temporary objects are, and TimescaleDB
            // where another version of it has been loaded.
            let mut target = LiveTarget::new(&engine.target, "");
            if target.transaction(&step).await? {
                statements::execute(target.session().await?, "pre-data", &statement).await?;
                target.end(0).await?;
            }
            Ok(())
        })
        .await?;
        engine.marks.note(&step, 0);
        context.step(&step, 0);
        created += usize::from(matches!(statement.class, Class::CreateExtension { .. }));
    }
    if created > 0 {
        context.report().moved.statements += statements.len() as u64;
        context.stage("extensions", format!("{created} created"), start.elapsed());
    }
    Ok(())
}

/// Turns restoring mode on. Always with the schema: a dump empties `search_path`. A setting of the database reaches
/// sessions that begin after it.
async fn enter_restoring(context: &Context) -> Result<(), Error> {
    let start = Instant::now();
    context.journal(Event::Restoring)?;
    context.undo().restoring = true;
    retrying(context.patience(), &context.progress, "restoring mode", || async {
        context.target.open().await?.run("SELECT public.timescaledb_pre_restore()").await
    })
    .await?;
    context.stage("restoring", "on".into(), start.elapsed());
    Ok(())
}

/// Turns restoring mode off, in a session of its own: the others may be gone.
pub(super) async fn end_restoring(target: &Connector) -> Result<(), Error> {
    target.open().await?.run("SELECT public.timescaledb_post_restore()").await
}

async fn leave_restoring(context: &Context, engine: &Engine) -> Result<(), Error> {
    let start = Instant::now();
    retrying(engine.patience, &engine.progress, "restoring mode", || end_restoring(&context.target)).await?;
    context.undo().restoring = false;
    context.journal(Event::Restored)?;
    let session = open(context, &engine.target).await?;
    engine.marks.set(&session, &Step::Restored).await?;
    context.stage("restored", "restoring mode is off".into(), start.elapsed());
    Ok(())
}

async fn run_list(
    context: &Context,
    engine: &Engine,
    list: step::List,
    all: &[Statement],
) -> Result<(), Error> {
    if all.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    let name = list.name();
    let list = List { list, statements: all };
    let target = tokio::sync::Mutex::new(LiveTarget::new(&engine.target, &engine.setup));
    let mut fresh = true;
    let mut run = 0;
    for (step, range) in list.steps() {
        if engine.marks.done(&step).is_some() {
            continue;
        }
        run += range.len();
        let first = AtomicBool::new(fresh);
        retrying(engine.patience, &engine.progress, name, || async {
            let mut target = target.lock().await;
            let result =
                list.run(&mut target, &step, range.clone(), first.swap(false, Ordering::Relaxed)).await;
            if result.is_err() {
                target.reset().await;
                first.store(true, Ordering::Relaxed);
            }
            result
        })
        .await?;
        fresh = first.into_inner();
        engine.marks.note(&step, 0);
        context.step(&step, 0);
    }
    // What the server said goes with its connection.
    if let Ok(session) = target.into_inner().session().await {
        context.report().warnings.extend(session.take_notices());
    }
    context.report().moved.statements += run as u64;
    context.stage(name, format!("{run} statements"), start.elapsed());
    Ok(())
}

/// Gives owners and grants before anything is loaded.
async fn hand_over(
    context: &Context,
    engine: &Engine,
    access: &[(&'static str, Statement)],
) -> Result<(), Error> {
    if engine.marks.done(&Step::Owners).is_some() {
        return Ok(());
    }
    let start = Instant::now();
    context.undo().reached = Reached::Given;
    let count = retrying(engine.patience, &engine.progress, "owners", || async {
        let session = open(context, &engine.target).await?;
        session.run(SETUP).await?;
        let count = owners::hand_over(&session, access).await?;
        engine.marks.set(&session, &Step::Owners).await.map(|()| count)
    })
    .await?;
    context.step(&Step::Owners, 0);
    context.stage("owners", format!("{count} owners and grants"), start.elapsed());
    Ok(())
}

async fn fill_config(
    context: &Context,
    engine: &Engine,
    ends: &Ends,
    shapes: &table::Shapes,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    if engine.marks.done(&Step::Catalogs).is_some() {
        return Ok(());
    }
    let start = Instant::now();
    let sides = tokio::sync::Mutex::new((
        LiveSource::new(&engine.source, &engine.holder),
        LiveTarget::new(&engine.target, SETUP),
    ));
    let filled = retrying(engine.patience, &engine.progress, "extensions' tables", || async {
        let mut sides = sides.lock().await;
        let (source, target) = &mut *sides;
        let tables = config::list(source.session().await?).await?;
        if tables.is_empty() {
            return Ok(None);
        }
        let filled = config::carry(source, target, &tables, shapes, &ends.target.user).await;
        if filled.is_err() {
            tokio::join!(source.reset(), target.reset());
        }
        filled
    })
    .await?;
    let Some(filled) = filled else { return Ok(()) };
    let rows: u64 = filled.rows.values().sum();
    engine.marks.note(&Step::Catalogs, rows);
    context.step(&Step::Catalogs, rows);
    engine.done().bytes += filled.bytes;
    loaded.rows.extend(filled.rows);
    loaded.skipped.extend(filled.skipped);
    context.report().missing.extend(filled.missing);
    let result = format!("{rows} rows of extensions' own tables");
    context.stage("catalogs", result, start.elapsed());
    Ok(())
}

/// Leaves out tables that are not on the target, and takes the text format where the target's columns are others.
async fn fit(
    context: &Context,
    snapshot: &Snapshot,
    tables: &mut Vec<(Table, Vec<crate::engine::part::Part>)>,
    shapes: &table::Shapes,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let ours = table::shapes(&*snapshot.holder.turn().await?).await?;
    let mut missing = Vec::new();
    tables.retain(|(table, parts)| {
        let there = shapes.contains_key(&table.into);
        if !there {
            loaded.skipped.insert(table.relation.clone());
            if !parts.is_empty() {
                let what = format!("about {} rows of {}", table.rows, table.relation);
                missing.push(Missing { what, why: "its table is not on the target".into() });
            }
        }
        there
    });
    context.report().missing.extend(missing);
    for (table, _) in tables.iter_mut() {
        let shape = |shapes: &table::Shapes, relation| shapes.get(relation).map(|(_, shape)| shape.clone());
        if shape(shapes, &table.into) != shape(&ours, &table.relation) {
            table.format = Format::Text;
        }
    }
    Ok(())
}

/// Steps that a crash of the target has taken back.
async fn lost(context: &Context, engine: &Engine) -> Result<Vec<Step>, Error> {
    retrying(context.patience(), &context.progress, "confirmation", || async {
        engine.marks.lost(&engine.target.open().await?).await
    })
    .await
}

async fn data(
    context: &Context,
    engine: &Arc<Engine>,
    mut load: Load,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let start = Instant::now();
    let tables = &load.tables;
    let total: u64 = tables.iter().flat_map(|(_, parts)| parts).map(|part| part.bytes).sum();
    context.progress.start("data", total);
    let steps: Vec<(Relation, Vec<Step>)> = tables
        .iter()
        .map(|(table, parts)| (table.relation.clone(), parts.iter().map(|part| part.step(table)).collect()))
        .collect();
    let roots = roots(&open(context, &engine.target).await?).await?;
    let none = context.args.no_analyze;
    load.analyzed_with_root =
        Arc::new(move |table| none || roots.children.contains(table) || table.schema == timescale::INTERNAL);
    let result = loop {
        if let Err(error) = engine.load(load.clone()).await {
            break Err(error);
        }
        match lost(context, engine).await {
            Ok(lost) if lost.is_empty() => break Ok(()),
            Ok(lost) => context.progress.warn(&format!(
                "the target's server has crashed and lost {} steps that it had confirmed: they are done again",
                lost.len()
            )),
            Err(error) => break Err(error),
        }
    };
    context.progress.stop();
    result?;
    for (table, steps) in steps {
        let rows = steps.iter().filter_map(|step| engine.marks.done(step)).sum();
        loaded.rows.insert(table, rows);
    }
    let took = start.elapsed();
    let (tables, rows, bytes, built, last) = {
        let done = engine.done();
        let rows: u64 = done.tables.values().map(|table| table.rows).sum();
        (done.tables.values().cloned().collect::<Vec<_>>(), rows, done.bytes, done.built.len(), done.last)
    };
    {
        let mut report = context.report();
        report.moved.rows = loaded.rows.values().sum();
        report.moved.tables = loaded.rows.values().filter(|&&rows| rows > 0).count() as u64;
        report.moved.bytes = bytes;
        report.moved.seconds = last.map_or(0.0, |last| last.saturating_duration_since(start).as_secs_f64());
        report.tables = tables;
    }
    let (rows, indexes) = (count(rows, "row"), if built == 1 { "index" } else { "indexes" });
    let (size, per_second) = (human::bytes(bytes), human::rate(rate(bytes, took)));
    context.stage("data", format!("{rows}, {size}, {per_second}, {built} {indexes}"), took);
    Ok(())
}

/// Partitions, whose statistics come with those of the table they are part of.
struct Roots {
    roots: Vec<Relation>,
    children: BTreeSet<Relation>,
}

async fn roots(session: &Session) -> Result<Roots, Error> {
    let rows = session
        .ask(
            "SELECT n.nspname, c.relname, c.relispartition FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relispartition AND c.relkind = 'r' OR c.relkind = 'p' AND NOT c.relispartition",
        )
        .await?;
    let mut found = Roots { roots: Vec::new(), children: BTreeSet::new() };
    for row in rows {
        let [Some(schema), Some(name), part] = &row[..] else { continue };
        let relation = Relation::new(schema, name);
        if part.as_deref() == Some("t") {
            found.children.insert(relation);
        } else {
            found.roots.push(relation);
        }
    }
    Ok(found)
}

async fn set_sequences(context: &Context, engine: &Engine, loaded: &mut Loaded) -> Result<(), Error> {
    let start = Instant::now();
    let (set, values) = retrying(engine.patience, &engine.progress, "sequences", || async {
        let source = context.source.open().await?;
        let values = sequences::read(&source).await?;
        let set = sequences::write(&engine.target.open().await?, &values).await?;
        Ok((set, values))
    })
    .await?;
    loaded.sequences = values;
    if set > 0 {
        context.stage("sequences", format!("{set} set"), start.elapsed());
    }
    Ok(())
}

async fn foreign_keys(
    context: &Context,
    engine: &Arc<Engine>,
    keys: Vec<builds::ForeignKeys>,
) -> Result<(), Error> {
    let start = Instant::now();
    let count: usize = keys.iter().map(|keys| keys.add.len()).sum();
    if count == 0 {
        return Ok(());
    }
    // One after the other: each takes a short lock on two tables.
    let mut add = Vec::new();
    let mut check = Vec::new();
    for keys in keys {
        add.extend(keys.add);
        check.extend(keys.check);
    }
    engine.build_in_order(TaskKind::ForeignKey, add).await?;
    engine.build(TaskKind::ForeignKey, check, |_, error| Err(error)).await?;
    let built = engine.done().built.split_off(0);
    context.report().built.extend(built);
    context.stage("foreign keys", format!("{count} added and checked"), start.elapsed());
    Ok(())
}

/// Statistics of whatever has parts, as a whole, while what is built is taken into the report.
async fn analyze_roots(
    context: &Context,
    engine: &Engine,
    session: &Session,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    let built = engine.done().built.split_off(0);
    context.report().built.extend(built);
    if context.args.no_analyze {
        return Ok(());
    }
    let catalogs = Catalogs::read(session).await?;
    if !catalogs.is_empty() {
        let rows = session
            .ask(&format!("SELECT schema_name, table_name FROM ({}) t", catalogs.hypertables()?))
            .await?;
        loaded.hypertables.extend(rows.into_iter().filter_map(|row| match &row[..] {
            [Some(schema), Some(name)] => Some(Relation::new(schema, name)),
            _ => None,
        }));
    }
    // Before they are given to others; hypertables stay the administrator's, and come later.
    analyze(context, roots(session).await?.roots).await;
    Ok(())
}

/// Makes statistics. Those that cannot be made now make themselves after a while: not worth a failed run.
pub(super) async fn analyze(context: &Context, relations: Vec<Relation>) {
    if relations.is_empty() {
        return;
    }
    let start = Instant::now();
    let count = relations.len();
    let queue = std::sync::Mutex::new(relations);
    let worker = || async {
        let session = open(context, &context.target).await?;
        // Shared catalogs are not ours to analyse, and the server warns of each of them.
        session.run(&format!("{SETUP}; SET client_min_messages = error")).await?;
        loop {
            let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let Some(relation) = next else { return Ok::<(), Error>(()) };
            session.run(&format!("ANALYZE {}", relation.sql())).await?;
        }
    };
    let workers: Vec<_> =
        (0..usize::try_from(context.builders()).unwrap_or(1).min(count)).map(|_| worker()).collect();
    for error in futures_util::future::join_all(workers).await.into_iter().filter_map(Result::err) {
        context.progress.warn(&format!("statistics: {error}"));
    }
    context.stage("analyze", format!("statistics of {count} tables with parts"), start.elapsed());
}

/// What the statements of large objects are analysed with.
struct LargeObjects<'a> {
    roles: &'a [u8],
    pre_data: &'a [u8],
}

/// Owners and privileges in the dump's order, once everything is there.
async fn access(
    context: &Context,
    engine: &Engine,
    ends: &Ends,
    session: &Session,
    mut statements: Vec<(&'static str, Statement)>,
    objects: &LargeObjects<'_>,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    const STEP: &str = "access";
    if engine.marks.done(&Step::Access).is_some() {
        return Ok(());
    }
    let start = Instant::now();
    let args = &context.args;
    let text = if with_objects(context) {
        objects::access(&*snapshot.holder.turn().await?).await?
    } else {
        String::new()
    };
    let text: String = text
        .lines()
        .filter(|line| {
            !(args.no_owner && line.starts_with("ALTER")
                || args.no_privileges && line.starts_with("GRANT")
                || args.no_comments && line.starts_with("COMMENT"))
        })
        .fold(String::new(), |text, line| text + line + "\n");
    if !text.is_empty() {
        let inputs = [
            Input { part: "roles", text: objects.roles },
            Input { part: "pre-data", text: objects.pre_data },
            Input { part: "data", text: text.as_bytes() },
        ];
        let mut analysed =
            analysis::analyse(&inputs, &ends.source, &ends.target, &args.accept, ends.chosen())?;
        let text = analysed.texts.pop().unwrap_or_default();
        statements
            .extend(script::statements("data", &text)?.into_iter().map(|statement| ("data", statement)));
        let found = analysed.findings.into_iter().filter(|finding| finding.part == "data");
        context.report().findings.extend(found);
    }
    context.undo().reached = Reached::Given;
    let missing =
        retrying(engine.patience, &engine.progress, STEP, || give(engine, session, &statements)).await?;
    context.report().missing.extend(missing);
    engine.marks.note(&Step::Access, 0);
    context.step(&Step::Access, 0);
    context.report().moved.statements += statements.len() as u64;
    context.stage("access", format!("{} owners, privileges and settings", statements.len()), start.elapsed());
    Ok(())
}

/// Gives everything to its owners. To do so twice does no harm.
async fn give(
    engine: &Engine,
    session: &Session,
    statements: &[(&'static str, Statement)],
) -> Result<Vec<Missing>, Error> {
    let opened;
    let session = if session.client().is_closed() {
        opened = engine.target.open().await?;
        &opened
    } else {
        session
    };
    let mut missing = Vec::new();
    for (part, statement) in statements {
        match statements::execute(session, part, statement).await {
            // A sequence belongs to its table's owner, and a hypertable stays the administrator's.
            Err(error) if linked_sequence(&error) => {
                let Some(sql) = script::grant_instead_of_owner(&statement.sql) else { return Err(error) };
                statements::execute(session, part, &Statement { sql, ..statement.clone() }).await?;
            }
            // Of an earlier try: the grantee can pass the privilege on already, and is taken for the grantor.
            Err(error) if error.code() == "0LP01" => {}
            // Owners of large objects: what cannot be given stays the administrator's, and the verification judges it.
            Err(error) if *part == "data" && ["42501", "42704"].contains(&error.code()) => {
                let why = error.answer().map(|answer| answer.message.clone()).unwrap_or_default();
                missing.push(Missing { what: statement.sql.clone(), why });
            }
            result => result?,
        }
    }
    session.run(&Marks::sql(&Step::Access, 0)).await?;
    Ok(missing)
}

/// True where an owner was refused because a sequence follows its table.
pub(super) fn linked_sequence(error: &Error) -> bool {
    error.code() == "0A000"
        && error.answer().is_some_and(|answer| answer.message.starts_with("cannot change owner of sequence"))
}

/// Fills materialized views, as their owners: so that they hold what those may see, as on the source.
async fn refresh(context: &Arc<Context>, engine: &Arc<Engine>, views: Vec<Build>) -> Result<(), Error> {
    if views.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    let count = views.len();
    let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let views = views
        .into_iter()
        .map(|mut view| {
            view.sql.insert(0, "SET LOCAL row_security = on".to_owned());
            view
        })
        .collect();
    for level in levels(context, views).await? {
        let failed = failed.clone();
        engine
            .build(TaskKind::Refresh, level, move |view, error| {
                // The view is there, and can be filled once what it lacks is mended.
                if retry::transient(&error) {
                    return Err(error);
                }
                let why = error.answer().map_or_else(|| error.to_string(), ToString::to_string);
                let what = format!("rows of the materialized view {} ({})", view.name, view.statement.sql);
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Missing { what, why });
                Ok(())
            })
            .await?;
    }
    let failed = std::mem::take(&mut *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let empty = if failed.is_empty() { String::new() } else { format!(", {} could not be", failed.len()) };
    let built = engine.done().built.split_off(0);
    {
        let mut report = context.report();
        report.missing.extend(failed);
        report.built.extend(built);
    }
    context.stage("refresh", format!("{count} materialized views{empty}"), start.elapsed());
    Ok(())
}

/// Materialized views by what they read: those of one level can be filled side by side.
async fn levels(context: &Context, views: Vec<Build>) -> Result<Vec<Vec<Build>>, Error> {
    let rows = context
        .source
        .open()
        .await?
        .ask(
            "WITH RECURSIVE reads(view, relation) AS (\
               SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r \
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class), \
             all_reads(view, relation) AS (\
               SELECT view, relation FROM reads UNION SELECT a.view, r.relation FROM all_reads a JOIN reads r ON r.view = a.relation) \
             SELECT n.nspname, c.relname, m.nspname, b.relname FROM all_reads a \
             JOIN pg_catalog.pg_class c ON c.oid = a.view AND c.relkind = 'm' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class b ON b.oid = a.relation AND b.relkind = 'm' JOIN pg_catalog.pg_namespace m ON m.oid = b.relnamespace",
        )
        .await?;
    let mut needs = BTreeMap::<Relation, BTreeSet<Relation>>::new();
    for row in rows {
        if let [Some(schema), Some(view), Some(of), Some(needed)] = &row[..] {
            let view = Relation::new(schema, view);
            needs.entry(view).or_default().insert(Relation::new(of, needed));
        }
    }
    let mut levels = Vec::new();
    let mut left = views;
    while !left.is_empty() {
        let names: BTreeSet<Relation> = left.iter().map(|view| view.relation.clone()).collect();
        let free = |view: &Build| needs.get(&view.relation).is_none_or(|needs| needs.is_disjoint(&names));
        let (ready, rest): (Vec<Build>, Vec<Build>) = left.into_iter().partition(free);
        if ready.is_empty() {
            levels.extend(rest.into_iter().map(|view| vec![view]));
            break;
        }
        levels.push(ready);
        left = rest;
    }
    Ok(levels)
}

/// Jobs come over paused, so that none of them drops a chunk that is still to be counted. They start when they are due on
/// the source: what a dump does not carry would let them all run at once.
pub(super) async fn start_jobs(context: &Context, ends: &Ends, equal: bool) -> Result<(), Error> {
    if ends.source.timescale.is_none() {
        return Ok(());
    }
    let session = context.target.open().await?;
    let Some(table) = jobs::table(&session).await? else { return Ok(()) };
    let alter = jobs::Alter::find(&session).await?;
    let there: BTreeSet<i64> = jobs::list(&session).await?.into_iter().map(|job| job.id).collect();
    let due = retrying(context.patience(), &context.progress, "jobs", || async {
        jobs::due(&context.source.open().await?).await
    })
    .await?;
    for job in ends.jobs.iter().filter(|job| there.contains(&job.id)) {
        let scheduled = job.scheduled && equal;
        let due = due.get(&job.id).map(String::as_str);
        if scheduled && alter.schedule(&session, job.id, true, due).await.is_err() {
            // The Apache edition has no alter_job.
            session.run(&format!("UPDATE {table} SET scheduled = true WHERE id = {}", job.id)).await?;
        }
        if job.scheduled && !scheduled {
            let start = jobs::start_command("public", job.id, due);
            context.report().next.push(format!("start the job: {start};"));
        }
        context.report().jobs.push(MovedJob {
            id: job.id,
            name: job.name.clone(),
            owner: job.owner.clone(),
            new_owner: ends.target.user.clone(),
            scheduled,
        });
    }
    Ok(())
}

/// Gives the target back: nothing of ours stays there.
pub(super) async fn give_back(context: &Context, equal: bool) -> Result<(), Error> {
    context.journal(Event::Ending { equal })?;
    retrying(context.patience(), &context.progress, "the end", || async {
        Marks::drop(&context.target.open().await?).await
    })
    .await?;
    context.undo().reached = Reached::Nothing;
    Ok(())
}
