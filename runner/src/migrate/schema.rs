//! Roles and schema of the source: dumped, analysed, rewritten, and sorted into the stages they belong to.

use std::time::Instant;

use sha2::{Digest, Sha256};
use tsmigrate_analyzer::finding::Unmoved;

use super::scripts::Scripts;
use super::servers::Servers;
use super::{Context, administrator, all_roles, beside, ownership, torn, unchecked};
use crate::analysis::{self, Analysed};
use crate::connect::Endpoint;
use crate::error::Error;
use crate::inspect::Facts;
use crate::moving::{self, MovedTexts};
use crate::omitted;
use crate::plan::Counts;
use crate::results::Missing;
use crate::script::{self, Class, Input, Statement};
use crate::states;
use crate::timescale::INVALIDATION_TRIGGER;
use crate::tools::{self, Tools};

/// Dumps roles and schema and has them analysed; false where findings stand in the way.
pub(super) async fn analyse(
    context: &Context,
    servers: &Servers,
    snapshot: Option<&str>,
) -> Result<(Scripts, bool), Error> {
    let start = Instant::now();
    let args = &context.args;
    let (roles, mut pre, post, all_roles) = dumped(context, servers, snapshot).await?;
    let (source, target) = tokio::try_join!(context.source.open(), context.target.open())?;
    let (omitted, mut states, between, broken) = tokio::try_join!(
        omitted::find(&source),
        states::find(&source),
        states::between((&source, &servers.source), (&target, &servers.target)),
        unchecked::find(&context.source, |table| servers.filter.has(table))
    )?;
    states.extend(between.into_iter().chain(broken));
    drop((source, target));
    pre.extend(all_roles);
    let (roles, passwords) = roles;
    let hash = hash(&[&roles, &pre, &post]);
    let reserved = administrator::reserved(&servers.target);
    let (roles, memberships) = administrator::without_memberships(&roles, &reserved);
    let pre = servers.convert.flatten(pre)?;
    let ([roles, pre, post], mut unmoved) = moved(context, servers, [roles, pre, post])?;
    let looks_in_public = beside::looks_in_public(&mut unmoved, &servers.target, &args.accept);
    let inputs = [
        Input { part: "roles", text: &roles },
        Input { part: "pre-data", text: &pre },
        Input { part: "post-data", text: &post },
    ];
    let Analysed { findings, decisions, scripts: later, texts } = analysis::analyse(
        &inputs,
        &unmoved,
        &servers.source,
        &servers.target,
        &context.args.accept,
        servers.chosen(),
    )?;
    // What is no longer needed goes first: a large dump is held as text, rewritten, and as statements.
    drop(post);
    let pre = if args.dry_run { Vec::new() } else { pre };
    let texts = texts.try_into().map_err(|_| Error::Defect("the analysis lost a part of the dump".into()))?;
    let mut scripts = sort(texts, &servers.target)?;
    scripts.looks_in_public = looks_in_public;
    for name in torn::without_torn(&mut scripts) {
        context.progress.warn(&format!(
            "the statistics object {name} was dropped on the source while it was dumped: it is left out"
        ));
    }
    if context.tuning.beside {
        beside::share_roles(&mut scripts, &servers.target);
    }
    // What changes in a hypertable would be noted for nobody, for ever.
    scripts.post_data.retain(|statement| {
        script::table_of_trigger(&statement.sql, INVALIDATION_TRIGGER)
            .is_none_or(|table| !servers.filter.is_unwatched(&table))
    });
    let (give, take_back) = servers.convert.owners(&scripts.access, &servers.target.user);
    scripts.pre_data.extend(give);
    scripts.hypertables = servers.convert.take_late(&mut scripts.pre_data)?;
    scripts.access.splice(0..0, take_back);
    scripts.roles_text = roles;
    scripts.pre_data_text = pre;
    scripts.hash = hash;
    let log_in = if passwords {
        Vec::new()
    } else {
        scripts.roles.iter().filter_map(|role| script::login(&role.sql)).collect()
    };
    ownership::logins_at_the_end(&mut scripts, &servers.target);
    let open = findings.iter().filter(|finding| finding.severity == "error" && !finding.solved);
    let clear = open.filter(|finding| !finding.accepted).count() == 0;
    {
        let mut report = context.report();
        report.passwords_to_set = log_in;
        report.findings = findings;
        report.decisions = decisions;
        report.findings.extend(omitted.into_iter().map(analysis::omitted));
        report.findings.extend(states.into_iter().map(analysis::state));
        let left =
            memberships.iter().map(|left| Missing { what: left.name(), why: left.why(&reserved), sql: None });
        // The source is analysed twice where its jobs are paused.
        report.missing.retain(|missing| !memberships.iter().any(|left| left.name() == missing.what));
        report.missing.extend(left);
        report.scripts = later;
    }
    let result = {
        let report = context.report();
        let errors = report.findings.iter().filter(|finding| finding.severity == "error").count();
        format!("{errors} errors, {} findings", report.findings.len())
    };
    context.stage("analysis", result, start.elapsed());
    Ok((scripts, clear))
}

/// The roles' dump with whether it has passwords, what comes before the rows, what behind them, and settings of all roles.
async fn dumped(
    context: &Context,
    servers: &Servers,
    snapshot: Option<&str>,
) -> Result<((Vec<u8>, bool), Vec<u8>, Vec<u8>, Vec<u8>), Error> {
    let args = &context.args;
    let mut chosen = servers.filter.arguments();
    chosen.extend(servers.convert.arguments());
    chosen.extend(snapshot.map(|snapshot| format!("--snapshot={snapshot}")));
    let wait = format!("--lock-wait-timeout={}", args.lock_timeout.as_millis());
    let section = async |name: &'static str| {
        // -B: large objects go over by themselves, and up to 16 pg_dump creates them before all data. The long form of the
        // option changed its name in 17.
        let mut arguments = vec![name, "--encoding=UTF8", &wait, "-B"];
        if name == "--section=pre-data" {
            // The database's own settings come with --create, and only with it.
            arguments.push("--create");
        }
        let flags = [
            // Nobody else is there to own or to use anything.
            (args.no_owner || args.no_roles, "--no-owner"),
            (args.no_privileges || args.no_roles, "--no-privileges"),
            (args.no_comments, "--no-comments"),
            (args.no_publications, "--no-publications"),
        ];
        arguments.extend(flags.into_iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag));
        arguments.extend(chosen.iter().map(String::as_str));
        servers.tools.output("pg_dump", context.source.endpoint(), &arguments).await
    };
    tokio::try_join!(
        roles(context, servers),
        section("--section=pre-data"),
        section("--section=post-data"),
        all_roles::settings(&context.source)
    )
}

/// The parts with their schemas moved, where that is asked for, and the places that nothing proves, or that others share.
fn moved(
    context: &Context,
    servers: &Servers,
    parts: [Vec<u8>; 3],
) -> Result<([Vec<u8>; 3], Vec<Unmoved>), Error> {
    let texts = parts.each_ref().map(Vec::as_slice);
    let Some(map) = context.args.schemas.of(&servers.source.database)? else {
        let shared = if context.args.one_of_several { moving::shared(&texts)? } else { Vec::new() };
        return Ok((parts, shared));
    };
    let MovedTexts { texts, unmoved, moving } =
        moving::move_texts(&map, &texts, &servers.target.schemas_of_extensions())?;
    context.set_moving(moving);
    let texts =
        texts.try_into().map_err(|_| Error::Defect("a part of the dump was lost as it moved".into()))?;
    Ok((texts, unmoved))
}

/// A hash of a dump, which is the same as long as the schema is. Comments name versions of tools, and `\\restrict` a
/// random word.
pub(super) fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for line in parts.iter().flat_map(|part| part.split(|byte| *byte == b'\n')) {
        if !line.starts_with(b"--") && !line.starts_with(b"\\") {
            hash.update(line);
            hash.update(b"\n");
        }
    }
    crate::human::hex(&hash.finalize())
}

/// The roles' dump, where roles come over.
async fn roles(context: &Context, servers: &Servers) -> Result<(Vec<u8>, bool), Error> {
    if context.args.no_roles {
        return Ok((Vec::new(), true));
    }
    dump_roles(&servers.tools, context.source.endpoint()).await
}

/// The roles' dump, and whether it has passwords: to read those takes a superuser.
pub(super) async fn dump_roles(tools: &Tools, endpoint: &Endpoint) -> Result<(Vec<u8>, bool), Error> {
    let database = &tools::database(endpoint.database());
    let with = ["--roles-only", "--database", database];
    match tools.output("pg_dumpall", endpoint, &with).await {
        Err(Error::ToolFailed { output, .. }) if output.contains("pg_authid") => {
            let without = ["--roles-only", "--no-role-passwords", "--database", database];
            Ok((tools.output("pg_dumpall", endpoint, &without).await?, false))
        }
        result => result.map(|roles| (roles, true)),
    }
}

/// Sorts the statements of a dump (roles, pre-data, post-data) into the stages that they belong to.
pub(super) fn sort([roles, pre, post]: [Vec<u8>; 3], target: &Facts) -> Result<Scripts, Error> {
    let mut scripts = Scripts { roles: script::statements("roles", &roles)?, ..Scripts::default() };
    let sorted = script::statements("pre-data", &pre)?;
    drop(pre);
    let pre = sorted;
    let creates = |statement: &Statement| matches!(&statement.class, Class::CreateExtension { name, .. } if !target.extensions.contains_key(name));
    let has_new = pre.iter().any(creates);
    for statement in pre {
        match &statement.class {
            Class::Access => scripts.access.push(("pre-data", statement)),
            Class::CreateExtension { name, .. } if target.extensions.contains_key(name) => {}
            Class::CreateExtension { .. } => scripts.extensions.push(statement),
            Class::CreateSchema(_) if has_new => scripts.extensions.push(statement),
            _ => scripts.pre_data.push(statement),
        }
    }
    // Schemas first, as in the dump: an extension needs its own, and a script such as PostGIS's makes another one only
    // where it does not exist.
    scripts.extensions.sort_by_key(|statement| !matches!(statement.class, Class::CreateSchema(_)));
    for statement in script::statements("post-data", &post)? {
        match statement.class {
            Class::Access => scripts.access.push(("post-data", statement)),
            _ => scripts.post_data.push(statement),
        }
    }
    Ok(scripts)
}

pub(super) fn counts(scripts: &Scripts) -> Counts {
    let extension = |statement: &&Statement| matches!(statement.class, Class::CreateExtension { .. });
    Counts {
        roles: scripts.roles.len(),
        extensions: scripts.extensions.iter().filter(extension).count(),
        pre_data: scripts.pre_data.len(),
        post_data: scripts.post_data.len(),
        access: scripts.access.len(),
    }
}
