//! The order of a migration. Each step takes what the one before it found out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::data::{self, Loaded, Need};
use super::{Context, Reached, restore};
use crate::analysis::{self, Analysed, Input};
use crate::connect::{Session, Side, identifier};
use crate::error::{Blocker, Error};
use crate::hazards;
use crate::inspect::{self, Facts};
use crate::jobs::{self, Job};
use crate::plan::{self, Counts};
use crate::report::{Missing, MovedJob, Outcome};
use crate::script::{self, Class, Statement};
use crate::stream::Stream;
use crate::tools::{self, Tools};
use crate::verify;

/// Both ends, looked at.
struct Ends {
    source: Facts,
    target: Facts,
    tools: Tools,
    jobs: Vec<Job>,
    hazards: Vec<Blocker>,
}

/// The statements of a dump, rewritten and sorted into the stages they belong to.
#[derive(Default)]
struct Scripts {
    roles: Vec<Statement>,
    extensions: Vec<Statement>,
    pre_data: Vec<Statement>,
    post_data: Vec<Statement>,
    access: Vec<(&'static str, Statement)>,
    /// The roles' dump as it came, for what stands in the data.
    roles_text: Vec<u8>,
    pre_data_text: Vec<u8>,
}

/// Runs a whole migration.
pub(super) async fn migrate(context: Arc<Context>) -> Result<Outcome, Error> {
    let context = &*context;
    let ends = look(context).await?;
    let (scripts, clear) = analyse(context, &ends, None).await?;
    let version = plan::timescale_version(&ends.source, &ends.target);
    let hazards = ends.hazards.iter().filter(|hazard| {
        !hazards::ACCEPTABLE.contains(&hazard.check)
            || !context.args.accept.iter().any(|accepted| accepted.eq_ignore_ascii_case(hazard.check))
    });
    let stops: Vec<Blocker> = version.into_iter().chain(hazards.cloned()).collect();
    let blocked = !stops.is_empty() || !clear;
    context.report().blockers.extend(stops);
    context.report().plan =
        Some(plan::plan(&ends.source, &ends.target, &ends.tools, counts(&scripts), &ends.jobs));
    if blocked {
        return Ok(Outcome::Blocked);
    }
    if context.args.dry_run {
        return Ok(Outcome::Planned);
    }
    pause_jobs(context, &ends).await?;
    let reader = context.source.open().await?;
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let snapshot = reader.ask_one("SELECT pg_catalog.pg_export_snapshot()").await?.unwrap_or_default();
    // What was analysed may have changed since: what is run is what the snapshot shows.
    let (mut scripts, clear) = analyse(context, &ends, Some(&snapshot)).await?;
    if !clear {
        return Ok(Outcome::Blocked);
    }
    let sizes = sizes(&reader).await?;
    let loaded = write(context, &ends, &mut scripts, &snapshot, &sizes).await?;
    let sessions = verify::Sessions { source: &context.source, target: &context.target, snapshot: &snapshot };
    let start = Instant::now();
    let expect = verify::Expect {
        source: &ends.source,
        target: &ends.target,
        rows: &loaded.rows,
        skipped: &loaded.skipped,
        sequences: &loaded.sequences,
        findings: context.report().findings.clone(),
    };
    let verification = verify::verify(&sessions, &expect, &context.progress).await?;
    let result = verification.summary();
    let equal = verification.differences.is_empty();
    context.report().verification = Some(verification);
    context.stage("verify", result, start.elapsed());
    start_jobs(context, &ends, &loaded, equal).await?;
    drop(reader);
    after(context, &ends, equal);
    Ok(if equal { Outcome::Migrated } else { Outcome::Differs })
}

async fn look(context: &Context) -> Result<Ends, Error> {
    let start = Instant::now();
    let (source, target) = tokio::try_join!(context.source.open(), context.target.open())?;
    let (source_facts, target_facts) =
        tokio::try_join!(inspect::inspect(&source, Side::Source), inspect::inspect(&target, Side::Target))?;
    let jobs = if source_facts.timescale.is_some() { jobs::list(&source).await? } else { Vec::new() };
    let hazards = match &source_facts.timescale {
        Some(timescale) => hazards::find(&source, timescale).await?,
        None => Vec::new(),
    };
    let found = tools::find(context.args.pg_bin.as_deref()).await?;
    let tools = tools::choose(&found, source_facts.major(), target_facts.major())
        .cloned()
        .ok_or_else(|| tools::missing(&found, source_facts.major(), target_facts.major()))?;
    let blockers = plan::preflight(&source_facts, &target_facts);
    if !blockers.is_empty() {
        return Err(Error::Preflight(blockers));
    }
    let result = format!("PostgreSQL {} to {}", source_facts.major(), target_facts.major());
    context.stage("preflight", result, start.elapsed());
    Ok(Ends { source: source_facts, target: target_facts, tools, jobs, hazards })
}

/// Dumps roles and schema and has them analysed; false where findings stand in the way.
async fn analyse(context: &Context, ends: &Ends, snapshot: Option<&str>) -> Result<(Scripts, bool), Error> {
    let start = Instant::now();
    let endpoint = context.source.endpoint();
    let (roles, passwords) = dump_roles(context, ends).await?;
    let option = snapshot.map(|snapshot| format!("--snapshot={snapshot}"));
    let section = |name: &'static str| {
        let mut arguments = vec![name, "--encoding=UTF8", "--lock-wait-timeout=60s"];
        if name == "--section=pre-data" {
            // The database's own settings come with --create, and only with it.
            arguments.push("--create");
        }
        arguments.extend(option.as_deref());
        let tools = &ends.tools;
        async move { tools.output("pg_dump", endpoint, &arguments).await }
    };
    let pre = section("--section=pre-data").await?;
    let post = section("--section=post-data").await?;
    let inputs = [
        Input { part: "roles", text: &roles },
        Input { part: "pre-data", text: &pre },
        Input { part: "post-data", text: &post },
    ];
    let Analysed { findings, texts } =
        analysis::analyse(&inputs, &ends.source, &ends.target, &context.args.accept)?;
    let [roles_text, pre_text, post_text] = &texts[..] else {
        return Err(Error::Defect("the analysis lost a part of the dump".into()));
    };
    let mut scripts = sort(roles_text, pre_text, post_text, &ends.target)?;
    scripts.roles_text = roles;
    scripts.pre_data_text = pre;
    let open = findings.iter().filter(|finding| finding.severity == "error" && !finding.solved);
    let clear = open.filter(|finding| !finding.accepted).count() == 0;
    {
        let mut report = context.report();
        report.passwords_to_set = if passwords { Vec::new() } else { logins(&scripts.roles) };
        report.findings = findings;
    }
    if snapshot.is_none() {
        let report = context.report();
        let errors = report.findings.iter().filter(|finding| finding.severity == "error").count();
        let result = format!("{errors} errors, {} findings", report.findings.len());
        drop(report);
        context.stage("analysis", result, start.elapsed());
    }
    Ok((scripts, clear))
}

/// The roles' dump, and whether it has passwords: to read those takes a superuser.
async fn dump_roles(context: &Context, ends: &Ends) -> Result<(Vec<u8>, bool), Error> {
    let endpoint = context.source.endpoint();
    let database = endpoint.database();
    let with = ["--roles-only", "--database", database];
    match ends.tools.output("pg_dumpall", endpoint, &with).await {
        Err(Error::ToolFailed { output, .. }) if output.contains("pg_authid") => {
            let without = ["--roles-only", "--no-role-passwords", "--database", database];
            Ok((ends.tools.output("pg_dumpall", endpoint, &without).await?, false))
        }
        result => result.map(|roles| (roles, true)),
    }
}

fn logins(roles: &[Statement]) -> Vec<String> {
    let login = |statement: &&Statement| {
        let upper = statement.sql.to_ascii_uppercase();
        upper.starts_with("ALTER ROLE") && upper.contains(" LOGIN")
    };
    roles.iter().filter(login).filter_map(|statement| statement.object.clone()).collect()
}

fn sort(roles: &[u8], pre: &[u8], post: &[u8], target: &Facts) -> Result<Scripts, Error> {
    let mut scripts = Scripts::default();
    for statement in script::statements("roles", roles)? {
        scripts.roles.push(statement);
    }
    let pre = script::statements("pre-data", pre)?;
    let wanted: BTreeSet<String> = pre
        .iter()
        .filter_map(|statement| match &statement.class {
            Class::CreateExtension { schema, .. } => schema.clone(),
            _ => None,
        })
        .collect();
    for statement in pre {
        match &statement.class {
            Class::Access => scripts.access.push(("pre-data", statement)),
            Class::CreateExtension { name, .. } if target.extensions.contains_key(name) => {}
            Class::CreateExtension { .. } => scripts.extensions.push(statement),
            Class::CreateSchema(name) if wanted.contains(name) => scripts.extensions.push(statement),
            _ => scripts.pre_data.push(statement),
        }
    }
    // Schemas first, whatever the dump's order: an extension needs its schema.
    scripts.extensions.sort_by_key(|statement| !matches!(statement.class, Class::CreateSchema(_)));
    for statement in script::statements("post-data", post)? {
        match statement.class {
            Class::Access => scripts.access.push(("post-data", statement)),
            _ => scripts.post_data.push(statement),
        }
    }
    Ok(scripts)
}

fn counts(scripts: &Scripts) -> Counts {
    let extension = |statement: &&Statement| matches!(statement.class, Class::CreateExtension { .. });
    Counts {
        roles: scripts.roles.len(),
        extensions: scripts.extensions.iter().filter(extension).count(),
        pre_data: scripts.pre_data.len(),
        post_data: scripts.post_data.len(),
        access: scripts.access.len(),
    }
}

async fn pause_jobs(context: &Context, ends: &Ends) -> Result<(), Error> {
    let Some(timescale) = &ends.source.timescale else { return Ok(()) };
    let scheduled: Vec<_> = ends.jobs.iter().filter(|job| job.scheduled).cloned().collect();
    if scheduled.is_empty() {
        return Ok(());
    }
    if timescale.license == "apache" {
        context.progress.warn("the source's Apache edition runs no jobs: nothing is paused");
        return Ok(());
    }
    let start = Instant::now();
    let session = context.source.open().await?;
    context.undo().jobs_schema.clone_from(&timescale.schema);
    for job in &scheduled {
        // Remembered first: a job that was not paused is put back to where it was.
        context.undo().jobs.push(job.clone());
        jobs::schedule(&session, &timescale.schema, job.id, false).await?;
    }
    let running = jobs::settle(&session, &scheduled).await?;
    for name in &running {
        context.progress.warn(&format!("{name} of the source still runs; what it drops now may be missed"));
    }
    context.stage("pause jobs", format!("{} jobs of the source", scheduled.len()), start.elapsed());
    Ok(())
}

/// Bytes of every table of the source, the scale of the progress.
async fn sizes(reader: &Session) -> Result<BTreeMap<String, u64>, Error> {
    let rows = reader
        .ask(
            "SELECT n.nspname || '.' || c.relname, pg_catalog.pg_table_size(c.oid) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        )
        .await?;
    let size = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().flatten();
        Some((row.next()?, row.next()?.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(size).collect())
}

/// Everything that writes to the target.
async fn write(
    context: &Context,
    ends: &Ends,
    scripts: &mut Scripts,
    snapshot: &str,
    sizes: &BTreeMap<String, u64>,
) -> Result<Loaded, Error> {
    let mut session = context.target.open().await?;
    {
        let mut undo = context.undo();
        undo.reached = Reached::Written;
        undo.timescale = ends.source.timescale.is_some();
        undo.admin.clone_from(&ends.target.user);
        undo.roles.extend(scripts.roles.iter().filter_map(|statement| match &statement.class {
            Class::CreateRole(name) => Some(name.clone()),
            _ => None,
        }));
    }
    roles(context, &session, &scripts.roles).await?;
    extensions(context, ends, &scripts.extensions).await?;
    let timescale = ends.source.timescale.is_some();
    if timescale {
        let start = Instant::now();
        context.undo().restoring = true;
        restore::enter_restoring(&context.target.open().await?).await?;
        context.stage("restoring", "on".into(), start.elapsed());
        // A setting of the database reaches sessions that begin after it.
        session = context.target.open().await?;
    }
    session.run("SET synchronous_commit = off").await?;
    run_all(context, &session, "pre-data", &scripts.pre_data).await?;
    let relations = relations(&session).await?;
    let need = Need { admin: &ends.target.user, relations: &relations, sizes };
    let arguments = ["--section=data", "--encoding=UTF8", "--lock-wait-timeout=60s", "--snapshot", snapshot];
    let child = ends.tools.spawn("pg_dump", context.source.endpoint(), &arguments)?;
    let loaded = data::load(context, &mut Stream::new(child)?, &session, &need).await?;
    run_all(context, &session, "post-data", &scripts.post_data).await?;
    if timescale {
        let start = Instant::now();
        restore::leave_restoring(&context.target).await?;
        context.undo().restoring = false;
        context.stage("restored", "restoring mode is off".into(), start.elapsed());
        session = context.target.open().await?;
    }
    access(context, ends, &session, scripts, &loaded).await?;
    let start = Instant::now();
    // Shared catalogs are not ours to analyse, and the server warns of each of them.
    session.run("SET client_min_messages = error; ANALYZE; SET client_min_messages = warning").await?;
    context.stage("analyze", "the planner's statistics".into(), start.elapsed());
    let warnings = session.take_notices();
    context.report().warnings.extend(warnings);
    Ok(loaded)
}

async fn roles(context: &Context, session: &Session, statements: &[Statement]) -> Result<(), Error> {
    let start = Instant::now();
    let mut existing = 0;
    for statement in statements {
        match restore::execute(session, "roles", statement).await {
            // A role of an earlier run, or of somebody else: its attributes follow from the statements after it.
            Err(error)
                if matches!(statement.class, Class::CreateRole(_)) && restore::code(&error) == "42710" =>
            {
                existing += 1;
            }
            result => result?,
        }
    }
    let existed = if existing > 0 { format!(", {existing} roles existed") } else { String::new() };
    let result = format!("{} statements{existed}", statements.len());
    context.report().moved.statements += statements.len() as u64;
    context.stage("roles", result, start.elapsed());
    Ok(())
}

async fn extensions(context: &Context, ends: &Ends, statements: &[Statement]) -> Result<(), Error> {
    let start = Instant::now();
    let mut created = 0;
    for statement in statements {
        // A session of its own for each: an extension is refused where temporary objects are, and TimescaleDB
        // where another version of it has been loaded.
        let session = context.target.open().await?;
        match (&statement.class, &ends.source.timescale) {
            (Class::CreateExtension { name, .. }, Some(timescale)) if name == "timescaledb" => {
                let version = identifier(&timescale.version);
                let sql = format!("CREATE EXTENSION timescaledb WITH SCHEMA public VERSION {version}");
                restore::execute(&session, "pre-data", &Statement { sql, ..statement.clone() }).await?;
                created += 1;
            }
            (class, _) => {
                restore::execute(&session, "pre-data", statement).await?;
                created += usize::from(matches!(class, Class::CreateExtension { .. }));
            }
        }
    }
    if !statements.is_empty() {
        context.report().moved.statements += statements.len() as u64;
        context.stage("extensions", format!("{created} created"), start.elapsed());
    }
    Ok(())
}

async fn run_all(
    context: &Context,
    session: &Session,
    part: &'static str,
    statements: &[Statement],
) -> Result<(), Error> {
    let start = Instant::now();
    for statement in statements {
        restore::execute(session, part, statement).await?;
    }
    let warnings = session.take_notices();
    context.report().warnings.extend(warnings);
    context.report().moved.statements += statements.len() as u64;
    context.stage(part, format!("{} statements", statements.len()), start.elapsed());
    Ok(())
}

async fn relations(session: &Session) -> Result<BTreeSet<String>, Error> {
    let rows = session
        .ask(
            "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')",
        )
        .await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Owners and privileges, once everything is there.
async fn access(
    context: &Context,
    ends: &Ends,
    session: &Session,
    scripts: &mut Scripts,
    loaded: &Loaded,
) -> Result<(), Error> {
    let start = Instant::now();
    if !loaded.access.is_empty() {
        let text: Vec<_> = loaded.access.iter().map(|statement| statement.sql.as_str()).collect();
        let text = text.join("\n");
        let inputs = [
            Input { part: "roles", text: &scripts.roles_text },
            Input { part: "pre-data", text: &scripts.pre_data_text },
            Input { part: "data", text: text.as_bytes() },
        ];
        let mut analysed = analysis::analyse(&inputs, &ends.source, &ends.target, &context.args.accept)?;
        let text = analysed.texts.pop().unwrap_or_default();
        scripts
            .access
            .extend(script::statements("data", &text)?.into_iter().map(|statement| ("data", statement)));
        let found = analysed.findings.into_iter().filter(|finding| finding.part == "data");
        context.report().findings.extend(found);
    }
    context.undo().reached = Reached::Given;
    for (part, statement) in &scripts.access {
        match restore::execute(session, part, statement).await {
            // A sequence belongs to its table's owner, and a hypertable stays the administrator's.
            Err(error) if restore::linked_sequence(&error) => {
                let Some(sql) = script::grant_instead_of_owner(&statement.sql) else { return Err(error) };
                restore::execute(session, part, &Statement { sql, ..statement.clone() }).await?;
            }
            // Owners of large objects: what cannot be given stays the administrator's, and the verification judges it.
            Err(error) if *part == "data" && ["42501", "42704"].contains(&restore::code(&error)) => {
                let why = match &error {
                    Error::Statement(refused) => refused.server.message.clone(),
                    error => error.to_string(),
                };
                context.report().missing.push(Missing { what: statement.sql.clone(), why });
            }
            result => result?,
        }
    }
    context.report().moved.statements += scripts.access.len() as u64;
    context.stage(
        "access",
        format!("{} owners, privileges and settings", scripts.access.len()),
        start.elapsed(),
    );
    Ok(())
}

/// Jobs come over paused, so that none of them drops a chunk that is still to be counted.
async fn start_jobs(context: &Context, ends: &Ends, loaded: &Loaded, equal: bool) -> Result<(), Error> {
    if loaded.jobs.is_empty() {
        return Ok(());
    }
    let before: BTreeMap<i64, bool> = ends.jobs.iter().map(|job| (job.id, job.scheduled)).collect();
    let session = context.target.open().await?;
    let table = jobs::table(&session).await?.unwrap_or("_timescaledb_config.bgw_job");
    for job in &loaded.jobs {
        let wanted = job.id < 1000 || before.get(&job.id).copied().unwrap_or(true);
        let scheduled = wanted && equal;
        if scheduled && jobs::schedule(&session, "public", job.id, true).await.is_err() {
            // The Apache edition has no alter_job.
            session.run(&format!("UPDATE {table} SET scheduled = true WHERE id = {}", job.id)).await?;
        }
        if wanted && !scheduled {
            context.report().next.push(format!("start the job: {};", jobs::command("public", job.id, true)));
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

fn after(context: &Context, ends: &Ends, equal: bool) {
    let mut report = context.report();
    for role in report.passwords_to_set.clone() {
        report.next.push(format!("ALTER ROLE {} PASSWORD '…';", identifier(&role)));
    }
    for name in ends.source.extensions.keys() {
        if !ends.target.extensions.contains_key(name) && !ends.target.creatable.contains(name) {
            report.missing.push(Missing {
                what: format!("extension {name}"),
                why: "the service does not have it".into(),
            });
        }
    }
    report.next.push(if equal {
        "point the applications at the target".to_owned()
    } else {
        "look at the differences before any application uses the target".to_owned()
    });
}
