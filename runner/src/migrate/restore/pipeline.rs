//! The order of a restore. Each step takes what the one before it found out.

use super::Args;
use super::context::Restore;
use super::schema;
use super::target;
use super::violations;
use super::writing;
use crate::engine::marks::Marks;
use crate::error::Blocker;
use crate::error::Error;
use crate::human::count;
use crate::inspect::Facts;
use crate::journal::Event;
use crate::journal::Identity;
use crate::journal::State;
use crate::migrate::beside;
use crate::migrate::bridging;
use crate::migrate::copy_plan::CopyPlan;
use crate::migrate::copy_plan::TableRanges;
use crate::migrate::ending;
use crate::migrate::others;
use crate::migrate::possession;
use crate::migrate::refusal;
use crate::migrate::release;
use crate::migrate::resume;
use crate::migrate::run_context::Reached;
use crate::migrate::scripts::Scripts;
use crate::migrate::servers;
use crate::migrate::stages::jobs;
use crate::migrate::stages::workers;
use crate::migrate::tries::Tries;
use crate::migrate::violations::Violation;
use crate::migrate::ways_on;
use crate::names::Relation;
use crate::plan::Plan;
use crate::plan::Step as Planned;
use crate::quote::identifier;
use crate::quote::quoted;
use crate::quote::shell_file;
use crate::record;
use crate::report::Outcome;
use crate::results::Missing;
use crate::tables::range::CopyRange;
use crate::watch;
use crate::workdir::SavedPlan;
use crate::workdir::SavedSchema;
use std::sync::Arc;

/// Refuses where the run of one of several databases that has come to its end was another.
pub(super) async fn arrived(args: &Args) -> Result<(), Error> {
    let context = Restore::new(args).await?;
    let Some(past) = context.work.past()? else { return Ok(()) };
    let facts = target::inspect(&context, &schema::source(&context)?, true).await?;
    let options = context.fingerprint();
    let fixed = (options.as_str(), fixed_options(&context));
    resume::check_same(&context, &past, &context.contents.identity, &facts, fixed)
}

/// Runs a whole restore, or the rest of one.
pub(super) async fn restore(context: Arc<Restore>) -> Result<Outcome, Error> {
    let again = "to restore it once more, name an empty database, with another --work-dir";
    let past = resume::past_run(&context, vec![again.to_owned()])?;
    let before = context.past()?.map(|past| past.run);
    let _watch = watch::start(&context.target, &context.progress);
    let source = schema::source(&context)?;
    let mut facts = target::inspect(&context, &source, past.is_some()).await?;
    if let Some(past) = &past {
        let options = context.fingerprint();
        let fixed = (options.as_str(), fixed_options(&context));
        resume::check_run(&context, past, &context.contents.identity, &facts, fixed).await?;
        if past.snapshot.is_some() {
            facts = context.work.saved_plan(&context.run.run)?.target;
        }
        context.open_journal(before.as_deref(), Event::Resume)?;
        {
            let mut undo = context.undo();
            undo.reached = Reached::Written;
            undo.restoring = past.restoring;
        }
        if let Some(equal) = resume::ended(&context, past).await? {
            context.undo().reached = Reached::Nothing;
            context.progress.line("  everything had arrived; what was still open is closed");
            return Ok(outcome(equal));
        }
    }
    let (scripts, clear) = schema::analyse(&context, &source, &facts)?;
    let given = violations::given(&context, past.is_some());
    let is_own = |table: &Relation| {
        let created = &context.contents.created;
        !context.args.one_of_several || created.iter().any(|own| own.schema == table.schema)
    };
    let violations = violations::find(&given, &scripts, is_own)?;
    if past.is_none() {
        let (found, open) = obstacles(&context, &facts, &scripts, &violations).await?;
        if !found.is_empty() {
            return Err(Error::Preflight(found));
        }
        let may_begin = plan(&context, &scripts, clear);
        if let Some(plan) = &mut context.report().plan {
            plan.notes.extend(open);
        }
        if !may_begin || context.args.dry_run {
            return Ok(if may_begin { Outcome::Planned } else { Outcome::Blocked });
        }
        let start = Event::Start {
            format: record::FORMAT,
            run: context.run.run.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: context.contents.identity.clone(),
            target: Identity::of(&facts),
            options: context.fingerprint(),
            file: 0,
        };
        context.open_journal(before.as_deref(), start)?;
    }
    let mut begun = match &past {
        None => begin(&context, &facts, &scripts, &given).await?,
        Some(past) => go_on(&context, &facts, &scripts, past, &given).await?,
    };
    context.undo().reached = Reached::Written;
    if let Some(timescale) = &source.timescale {
        bridging::cross(&context, &source, &facts).await?;
        servers::check_target(&context, Some(&timescale.version)).await?;
    }
    let moved = writing::moved(&context, &source, &facts);
    let mut tries = Tries::default();
    let equal = loop {
        tries.begin(&context);
        let error =
            match writing::write_and_compare(&context, &moved, scripts.clone(), &violations, begun).await {
                Ok(equal) => break equal,
                Err(error) => error,
            };
        if !tries.goes_on(&context, &error).await {
            return Err(error);
        }
        let past = context.work.past()?.ok_or_else(|| Error::Defect("the journal is gone".into()))?;
        begun = go_on(&context, &facts, &scripts, &past, &given).await?;
    };
    if source.timescale.is_some() {
        workers::start(&context).await?;
        jobs::start(&context, &moved, equal).await?;
        let update = equal && context.args.update_timescaledb;
        bridging::back(&context, &source, &facts, update).await?;
    }
    // What differs can be looked at, and compared again: a run that goes on needs its marks.
    if equal {
        release::target(&context, equal).await?;
    }
    after(&context, &facts, equal);
    Ok(outcome(equal))
}

/// The options that a later start may not change.
fn fixed_options(context: &Restore) -> &'static str {
    if context.tuning.beside {
        "--accept, --roles, --into-schema and --map-schema"
    } else {
        "--accept and --roles"
    }
}

/// What of the archive stands in the way, by itself and beside what others have on the target; and what a person has to know
/// of those.
async fn obstacles(
    context: &Restore,
    facts: &Facts,
    scripts: &Scripts,
    violations: &[Violation],
) -> Result<(Vec<Blocker>, Option<String>), Error> {
    let found = violations::without_rows(&context.contents, scripts, violations);
    let failed = |error| Error::File { what: "read the archive".to_owned(), error };
    let mut found: Vec<Blocker> = found.map_err(failed)?.into_iter().collect();
    let mut open = None;
    if context.tuning.beside || context.args.one_of_several {
        let brought = context.contents.brought(scripts, &facts.user)?;
        if context.tuning.beside {
            let target = context.target.open().await?;
            found.extend(beside::meets(&target, &brought).await?);
            open = beside::open_public(facts, &brought);
        }
        context.set_brought(brought);
    }
    Ok((found, open))
}

fn outcome(equal: bool) -> Outcome {
    if equal { Outcome::Restored } else { Outcome::Differs }
}

/// Writes the plan into the report; false where something stands in the way.
fn plan(context: &Restore, scripts: &Scripts, clear: bool) -> bool {
    let contents = &context.contents;
    let mut steps = Vec::new();
    let mut step = |name, number: usize, noun: &str, what: &str| {
        steps.push(Planned { name, what: format!("{}{what}", count(number as u64, noun)) });
    };
    step("roles", scripts.roles.len(), "statement", "");
    step("extensions", scripts.extensions.len(), "statement", "");
    step(
        "pre-data",
        scripts.pre_data.len(),
        "statement",
        ": tables, functions, views, as yet without indexes",
    );
    let catalogs = contents.hypertables.catalogs.len();
    if catalogs > 0 {
        step(
            "catalogs",
            catalogs,
            "table",
            " of TimescaleDB's own; in restoring mode until indexes and keys exist",
        );
    }
    let bytes: u64 = contents.tables.iter().map(|table| table.bytes).sum();
    let size =
        format!(" with rows, {} in the archive; {} at once", crate::human::bytes(bytes), context.jobs());
    step("data", contents.tables.len(), "table", &size);
    if contents.lists_of_objects() > 0 {
        step("large objects", contents.lists_of_objects(), "list", " of them, each in one transaction");
    }
    step("sequences", contents.sequences.len(), "value", "");
    step("post-data", scripts.post_data.len(), "statement", ": indexes, keys, triggers");
    step("access", scripts.access.len(), "statement", ": owners, privileges, settings");
    if !context.args.no_verify {
        step("verify", contents.tables.len(), "table", ": rows and their checksums, archive against target");
    }
    let mut report = context.report();
    let mut notes = [&contents.notes[..], &contents.lacks].concat();
    notes.extend(beside::note(scripts));
    notes.extend(context.workers.get().iter().flat_map(|(_, why)| why.iter().cloned()));
    report.plan = Some(Plan { steps, notes, ..Plan::default() });
    report.next =
        if clear { Vec::new() } else { ways_on::ways_on(&report.findings, &ending::command(context)) };
    if !clear && context.roles.is_empty() {
        let first = "if roles are missing, give them: pg_dumpall --roles-only > roles.sql on the source, then the same \
                     command with --roles roles.sql";
        report.next.insert(0, first.to_owned());
    }
    clear
}

/// Settles what is copied, and takes possession of the target.
async fn begin(
    context: &Restore,
    facts: &Facts,
    scripts: &Scripts,
    given: &[String],
) -> Result<CopyPlan, Error> {
    context.contents.lacks.iter().for_each(|lack| context.progress.warn(lack));
    let whole = |bytes| vec![CopyRange { number: 0, of: 1, blocks: None, bytes }];
    let tables: Vec<TableRanges> =
        context.contents.tables.iter().map(|table| (table.clone(), whole(table.bytes))).collect();
    context.work.save_plan(&SavedPlan {
        format: record::FORMAT,
        run: context.run.run.clone(),
        target: facts.clone(),
        tables: tables.clone(),
        allow_violations: given.to_vec(),
        schema: SavedSchema::default(),
        others: beside::before(context, scripts, &context.contents.brought(scripts, &facts.user)?).await?,
    })?;
    let state = context.contents.identity.oid.clone();
    context.journal(Event::Snapshot { state, schema: scripts.hash.clone() })?;
    Ok(CopyPlan { marks: possession::take_possession(context).await?, tables })
}

/// Goes on with a run of before: what is done stays.
async fn go_on(
    context: &Restore,
    facts: &Facts,
    scripts: &Scripts,
    past: &State,
    given: &[String],
) -> Result<CopyPlan, Error> {
    let session = context.target.open().await?;
    resume::end_sessions(context, &session).await?;
    if past.snapshot.is_none() || Marks::owner(&session).await?.is_none() {
        // It ended before anything was written.
        return begin(context, facts, scripts, given).await;
    }
    if past.snapshot.as_ref().is_some_and(|(_, schema)| *schema != scripts.hash) {
        return Err(refusal::refused(context, "the archive or the roles are others than before"));
    }
    let mut saved = context.work.saved_plan(&context.run.run)?;
    given.clone_into(&mut saved.allow_violations);
    context.work.save_plan(&saved)?;
    let tables = saved.tables;
    let marks = Marks::read(&session).await?;
    let is_open =
        |(table, ranges): &&TableRanges| !ranges.iter().any(|range| marks.done(&range.step(table)).is_some());
    // Of an extension's own tables the rows that came with it are there before ours.
    let is_created = |relation: &&Relation| context.contents.created.contains(*relation);
    let to_copy = tables.iter().filter(is_open).map(|(table, _)| &table.into).filter(is_created);
    others::before_rows(context, &session, &marks, &to_copy.cloned().collect()).await?;
    let done = tables.len() - tables.iter().filter(is_open).count();
    context.progress.line(&format!(
        "  {} steps are done, {done} of {} tables among them",
        marks.count(),
        tables.len()
    ));
    Ok(CopyPlan { marks, tables })
}

/// What is left to do.
fn after(context: &Restore, facts: &Facts, equal: bool) {
    let mut report = context.report();
    for role in report.passwords_to_set.clone() {
        report.next.push(format!("ALTER ROLE {} PASSWORD '…';", identifier(&role)));
    }
    for name in context.contents.facts.extensions.keys() {
        if !facts.extensions.contains_key(name) && !facts.creatable.contains(name) {
            report.missing.push(Missing {
                what: format!("extension {}", quoted(name)),
                why: "the service does not have it".into(),
                sql: None,
            });
        }
    }
    if !equal {
        let resume = ending::again(std::env::args(), true);
        report.next.extend([
            "look at the differences before any application uses the target".to_owned(),
            format!("then compare again: {resume}"),
            format!(
                "or keep it as it is, without the run's own schema: {}",
                record::cleanup(context.work.path(), false)
            ),
        ]);
    }
    let files: Vec<_> =
        context.args.files.iter().map(|file| shell_file(&file.display().to_string())).collect();
    report
        .next
        .push(format!("keep {} until the applications have used the target for a while", files.join(" ")));
}
