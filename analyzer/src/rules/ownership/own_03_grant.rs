//! OWN-03: privileges on objects that are not tsdbadmin's to grant, or for roles that are not there.

use super::own_02_schema::{is_service_schema, schema_of};
use super::privileges::impossible;
use crate::edit::Safety;
use crate::facts::names::{role, roles, string};
use crate::facts::objects::granted;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::extension::moved::MovedExtensions;
use crate::rules::role::known::{missing_advice, missing_message};
use crate::rules::role::lists::{granted_by, items, listed, role_range, trim};
use crate::rules::role::membership::{Trouble, presence_trouble};
use crate::target::{is_builtin, members};

pub(crate) const RULE: Rule = Rule {
    id: "OWN-03",
    name: "grant",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "acl.grant",
        "Privileges on what tsdbadmin does not own, to roles that do not exist, in another's name.",
    ),
    statements: &[StatementKind::GrantStmt],
    doc: Doc {
        summary: "GRANT or REVOKE on an object of the service, for a role that does not exist, or in another's name.",
        what: "Privileges on functions and tables of pg_catalog, one by one or all in the schema, on languages, foreign-data wrappers, TimescaleDB's \
               own objects and those of other extensions; privileges that no object of its kind has, and grant \
               options for PUBLIC; privileges for roles that neither the dumps create nor the \
               target has; GRANTED BY.",
        why: "Only an object's owner grants privileges on it. Where tsdbadmin has some privilege itself, the server \
              warns and does nothing; where it has none, the statement fails.",
        server: &[
            "42501 permission denied for function pg_ls_dir",
            "WARNING 01007 no privileges were granted for \"plpgsql\"",
            "WARNING 01006 no privileges could be revoked for \"pg_user\"",
            "42704 role \"app\" does not exist",
            "0A000 grantor must be current user",
            "0LP01 grant options can only be granted to roles",
        ],
        help: "Privileges on objects of the dump are kept. Those on objects of the service are removed and listed. A role that does not exist has to be created first: give the roles dump together with the others.",
        before: "CREATE ROLE grp;\nGRANT ALL ON FUNCTION pg_catalog.pg_ls_dir(text) TO grp;",
        after: "CREATE ROLE grp;\n-- tsmigrate OWN-03: Remove it: function pg_catalog.pg_ls_dir belongs to the service\n-- GRANT ALL ON FUNCTION pg_catalog.pg_ls_dir(text) TO grp;",
        sources: Doc::sources(&["PostgreSQL src/backend/catalog/aclchk.c, restrict_and_check_grant"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Functions of pg_catalog on which tsdbadmin has no privilege at all (asked of 15, 17 and 18).
const CLOSED_FUNCTIONS: &[&str] = &[
    "lo_export",
    "lo_import",
    "pg_backup_start",
    "pg_backup_stop",
    "pg_config",
    "pg_create_restore_point",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_log_backend_memory_contexts",
    "pg_log_standby_snapshot",
    "pg_ls_dir",
    "pg_promote",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_reload_conf",
    "pg_replication_origin_advance",
    "pg_replication_origin_create",
    "pg_replication_origin_drop",
    "pg_replication_origin_oid",
    "pg_replication_origin_progress",
    "pg_replication_origin_session_is_setup",
    "pg_replication_origin_session_progress",
    "pg_replication_origin_session_reset",
    "pg_replication_origin_session_setup",
    "pg_replication_origin_xact_reset",
    "pg_replication_origin_xact_setup",
    "pg_rotate_logfile",
    "pg_show_all_file_settings",
    "pg_show_replication_origin_status",
    "pg_stat_file",
    "pg_stat_have_stats",
    "pg_stat_reset",
    "pg_stat_reset_backend_stats",
    "pg_stat_reset_replication_slot",
    "pg_stat_reset_shared",
    "pg_stat_reset_single_function_counters",
    "pg_stat_reset_single_table_counters",
    "pg_stat_reset_slru",
    "pg_stat_reset_subscription_stats",
    "pg_switch_wal",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
];

/// Tables and views of pg_catalog on which it has none.
const CLOSED_TABLES: &[&str] = &[
    "pg_authid",
    "pg_config",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_largeobject",
    "pg_replication_origin_status",
    "pg_shadow",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_user_mapping",
];

/// Functions that are gone since PostgreSQL 15.
const GONE_FUNCTIONS: &[&str] = &["pg_start_backup", "pg_stop_backup"];

fn check(ctx: &mut Context<'_>) {
    use pg::ObjectType as T;
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::GrantStmt(s) = node else { return };
    if matches!(T::try_from(s.objtype), Ok(T::ObjectTablespace | T::ObjectParameterAcl) | Err(_)) {
        return;
    }
    // What will not be there is DEP-01's.
    let absent = s.targtype == pg::GrantTargetType::AclTargetObject as i32
        && ctx.facts.subject_absence(node).is_some();
    if absent {
        return;
    }
    if impossible(ctx, s, "/GrantStmt", &what(ctx, s)) {
        return;
    }
    let objects = foreign_objects(ctx, s);
    if !objects.is_empty() {
        foreign(ctx, s, &objects);
        return;
    }
    let word = statement.words(&[if s.is_grant { "TO" } else { "FROM" }]);
    missing_grantees(ctx, s, "/GrantStmt/grantees", word.map_or(0, |word| word.end), &what(ctx, s));
    if let Some(spec) = &s.grantor
        && let Some(name) = role(spec).filter(|name| *name != ctx.target.admin)
        && let Some(range) = granted_by(statement, spec)
    {
        let draft = Draft::new(format!("{} cannot grant in the name of {name}", ctx.target.admin))
            .at(range.clone())
            .object(what(ctx, s))
            .server(ServerError::new("0A000", "grantor must be current user"))
            .fix(
                FixDraft::edit(format!("Remove GRANTED BY {name}"))
                    .delete(statement.with_gap(&range))
                    .change(Change::unset("/GrantStmt/grantor")),
            );
        ctx.report(draft);
    }
}

/// The objects that the statement is about, in words.
fn what(ctx: &Context<'_>, s: &pg::GrantStmt) -> String {
    if s.targtype == pg::GrantTargetType::AclTargetAllInSchema as i32 {
        let schemas = s.objects.iter().filter_map(crate::facts::names::string);
        return format!("all objects in schema {}", listed(schemas));
    }
    let objects = s.objects.iter().filter_map(|node| granted(s, node).map(|object| ctx.describe(&object)));
    objects.collect::<Vec<_>>().join(", ")
}

/// An object that is not tsdbadmin's.
struct Foreign {
    index: usize,
    words: String,
    keeper: String,
    error: Option<ServerError>,
}

fn foreign_objects(ctx: &Context<'_>, s: &pg::GrantStmt) -> Vec<Foreign> {
    if s.targtype != pg::GrantTargetType::AclTargetObject as i32 {
        let schemas = s.objects.iter().filter_map(string).enumerate();
        return schemas.filter_map(|(index, schema)| all_in_schema(ctx, s, schema, index)).collect();
    }
    let objects = s.objects.iter().enumerate().filter_map(|(index, node)| {
        let object = granted(s, node)?;
        let id = ctx.resolved(&object.id);
        if ctx.facts.absence(&object.id).is_some() {
            return None;
        }
        let (keeper, error) = keeper(ctx, &object, &id)?;
        Some(Foreign { index, words: ctx.describe(&object), keeper, error })
    });
    objects.collect()
}

/// All tables or functions of a schema where some are closed to all but superusers.
fn all_in_schema(ctx: &Context<'_>, s: &pg::GrantStmt, schema: &str, index: usize) -> Option<Foreign> {
    use pg::ObjectType as T;
    let has_statements = || {
        let made = ctx.facts.extensions.get("pg_stat_statements");
        let there = made.map_or_else(
            || ctx.target.installed_in("pg_stat_statements"),
            |made| Some(made.schema.as_deref().unwrap_or("public")),
        );
        there == Some(schema)
    };
    let (kind, closed) = match (schema, T::try_from(s.objtype).ok()?) {
        (_, T::ObjectFunction | T::ObjectRoutine) if has_statements() => {
            ("functions", "function pg_stat_statements_reset")
        }
        ("pg_catalog", T::ObjectTable) => ("tables", "table pg_statistic"),
        ("information_schema", T::ObjectTable) => ("tables", "table sql_parts"),
        ("pg_catalog", T::ObjectFunction | T::ObjectRoutine) => ("functions", "function lo_import"),
        _ => return None,
    };
    let error = ServerError::new("42501", format!("permission denied for {closed}"));
    let keeper = if closed.ends_with("_reset") { "extension pg_stat_statements" } else { "the service" };
    let (words, keeper) = (format!("all {kind} in schema {schema}"), keeper.to_owned());
    Some(Foreign { index, words, keeper, error: Some(error) })
}

/// Who owns an object that the dump does not make, and what the server says where it says more than a
/// warning.
fn keeper(ctx: &Context<'_>, object: &Object, id: &ObjectId) -> Option<(String, Option<ServerError>)> {
    let name = &*id.name;
    let denied = |word: &str| ServerError::new("42501", format!("permission denied for {word} {name}"));
    let service = || "the service".to_owned();
    match id.class {
        // A language or wrapper that the dump makes by hand is refused: see EXT-10 and FDW-01.
        Class::Language | Class::ForeignDataWrapper if ctx.facts.declares(id) => return None,
        Class::Language | Class::ForeignDataWrapper if !is_there(ctx, id) => {
            let text = format!("{} \"{name}\" does not exist", object.word);
            return Some((service(), Some(ServerError::new("42704", text))));
        }
        Class::Language if matches!(name, "c" | "internal") => {
            return Some((
                service(),
                Some(ServerError::new("42809", format!("language \"{name}\" is not trusted"))),
            ));
        }
        // The service lets tsdbadmin use postgres_fdw, not hand it on.
        Class::Language | Class::ForeignDataWrapper => return Some((service(), None)),
        _ => {}
    }
    let schema = schema_of(id);
    // Of a dump that creates them once more, the server's stay.
    if ctx.facts.declares(id) && !matches!(schema, Some("pg_catalog" | "information_schema")) {
        return None;
    }
    let schema = schema?;
    if schema == "pg_catalog" {
        let error = match id.class {
            Class::Function if GONE_FUNCTIONS.contains(&name) => {
                Some(ServerError::new("42883", format!("function pg_catalog.{name}(…) does not exist")))
            }
            Class::Function if CLOSED_FUNCTIONS.contains(&name) => Some(denied("function")),
            Class::Function if name == "pg_current_logfile" && ctx.target.version <= 15 => {
                Some(denied("function"))
            }
            Class::Relation if CLOSED_TABLES.contains(&name) => Some(denied("table")),
            Class::Relation if !is_builtin(Class::Relation, name) => {
                Some(ServerError::new("42P01", format!("relation \"pg_catalog.{name}\" does not exist")))
            }
            Class::Function if !is_builtin(Class::Function, name) => {
                Some(ServerError::new("42883", format!("function pg_catalog.{name}(…) does not exist")))
            }
            _ => None,
        };
        return Some((service(), error));
    }
    if is_service_schema(schema) {
        let keeper = if schema == "information_schema" { service() } else { "TimescaleDB".into() };
        return Some((keeper, None));
    }
    let extension = extension_of(ctx, id)?;
    let closed = name.starts_with("pg_stat_statements_reset") || name == "pg_stat_statements_info";
    Some((
        format!("extension {extension}"),
        (closed && object.word == "function").then(|| denied("function")),
    ))
}

/// True for a language or wrapper that the target has, or that an extension brings.
fn is_there(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let name = &*id.name;
    let made = ctx.facts.extensions.keys().map(|name| &**name);
    let mut there = made.chain(ctx.target.installed_extensions.iter().map(String::as_str));
    is_builtin(id.class, name)
        || name == "postgres_fdw"
        || ctx.target.live_extensions.is_some()
        || there.any(|extension| members(extension).is_none_or(|of| of.has(id.class, name)))
}

/// The extension that brings this object, which the dump does not make.
pub(crate) fn extension_of<'a>(ctx: &Context<'a>, id: &ObjectId) -> Option<&'a str> {
    if ctx.facts.declares(id) {
        return None;
    }
    let schema = id.schema.as_deref();
    let made = ctx.facts.extensions.keys().map(|name| &**name);
    let there = ctx.target.installed_extensions.iter().map(String::as_str);
    // A fix may move one: the dump's own statements still name the old schema.
    let moved = ctx.states.get::<MovedExtensions>().map_or(&[][..], |moved| &moved.0);
    made.chain(there).find(|name| {
        let Some(brought) = members(name) else { return false };
        let given = ctx.facts.extensions.get(*name).and_then(|extension| extension.schema.as_deref());
        let home = brought.schema.or(given).unwrap_or("public");
        let is_there = schema == Some(home)
            || moved.iter().any(|moved| moved.extension == **name && schema == Some(&*moved.from));
        match id.class {
            // Named with its schema where the extension fixes one.
            Class::Relation => [&brought.tables, &brought.config_tables].into_iter().any(|names| {
                let path = schema.map(|schema| format!("{schema}.{}", id.name));
                path.is_some_and(|path| names.contains(&path)) || is_there && names.contains(&id.name)
            }),
            Class::Schema => false,
            class => is_there && (brought.has(class, &id.name) || brought.overloads(class, &id.name)),
        }
    })
}

fn foreign(ctx: &mut Context<'_>, s: &pg::GrantStmt, objects: &[Foreign]) {
    let Some(statement) = ctx.statement() else { return };
    let Some(first) = objects.first() else { return };
    let words = objects.iter().map(|object| object.words.as_str()).collect::<Vec<_>>().join(", ");
    let is_list = s.targtype != pg::GrantTargetType::AclTargetObject as i32;
    let belongs = if is_list { "include some of" } else { "belongs to" };
    let title = format!("{words} {belongs} {}", first.keeper);
    let fix = if objects.len() == s.objects.len() {
        Some(FixDraft::remove(&title))
    } else if is_list {
        None
    } else {
        // `ON TABLE a, b TO …`: the words before the first name are the kind's.
        let drop: Vec<usize> = objects.iter().map(|object| object.index).collect();
        statement.words(&["ON"]).and_then(|on| {
            let from = kind_end(statement, on.end, s.objtype);
            let items = items(statement, from, &["TO", "FROM"]);
            trim(FixDraft::without(&title), &items, s.objects.len(), "/GrantStmt/objects", &drop)
        })
    };
    let verb = if s.is_grant { "granted" } else { "revoked" };
    let it = if is_list { "them" } else { "it" };
    let mut draft = Draft::new(format!("{title}: privileges on {it} cannot be {verb}")).object(words.clone());
    // The user's own are among them.
    let is_review = is_list && first.keeper != "the service";
    if is_review {
        draft = draft.advice("Name your own functions one by one, and leave the statement out.");
    }
    // The server looks for roles before all else.
    let missing = roles(&s.grantees)
        .filter_map(role)
        .find(|name| matches!(presence_trouble(ctx, name), Some(Trouble::Missing | Trouble::NotYet(_))));
    let missing = missing.map(ServerError::missing_role);
    draft = match missing.or_else(|| objects.iter().find_map(|object| object.error.clone())) {
        Some(error) => draft.server(error),
        None => draft.severity(Severity::Warning),
    };
    if let Some(fix) = fix {
        let who: Vec<&str> = roles(&s.grantees).map(|spec| role(spec).unwrap_or("PUBLIC")).collect();
        let lost = if s.is_grant {
            format!("privileges of {} on {words}", who.join(", "))
        } else {
            format!("REVOKE from {} on {words}: what the target grants stays", who.join(", "))
        };
        let fix = fix.lost(lost);
        draft = draft.fix(if is_review { fix.review() } else { fix });
    }
    ctx.report(draft);
}

/// The end of the words for the kind of object, behind ON.
fn kind_end(statement: &crate::locate::Statement<'_>, from: usize, objtype: i32) -> usize {
    let word = crate::facts::objects::word_and_class(objtype).map_or("", |(word, _)| word);
    let words: Vec<&str> = word.split(' ').collect();
    match statement.words_from(from, &words) {
        Some(found) if statement.code().find(|t| t.start >= from).is_some_and(|t| t.start == found.start) => {
            found.end
        }
        _ => from,
    }
}

/// Reports grantees that are not there. `from` is the first byte of their list.
pub(crate) fn missing_grantees(
    ctx: &mut Context<'_>,
    s: &pg::GrantStmt,
    path: &str,
    from: usize,
    what: &str,
) {
    let Some(statement) = ctx.statement() else { return };
    let specs: Vec<&pg::RoleSpec> = roles(&s.grantees).collect();
    let found: Vec<(usize, &str, Trouble<'_>)> = specs
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| {
            let name = role(spec)?;
            let trouble = presence_trouble(ctx, name)?;
            matches!(trouble, Trouble::Missing | Trouble::NotYet(_)).then_some((index, name, trouble))
        })
        .collect();
    // The target may have one that is only missing here: it decides, wherever it stands.
    let missing = found.iter().find(|(.., trouble)| *trouble == Trouble::Missing);
    let Some((first, name, trouble)) = missing.or(found.first()) else { return };
    let names = listed(found.iter().map(|(_, name, _)| *name));
    let title = format!("{names} does not exist");
    let mut fix = if found.len() == specs.len() {
        Some(FixDraft::remove(title))
    } else {
        let drop: Vec<usize> = found.iter().map(|(index, ..)| *index).collect();
        let items = items(statement, from, &["WITH", "GRANTED", "CASCADE", "RESTRICT"]);
        trim(FixDraft::without(title), &items, specs.len(), path, &drop)
    };
    let mut draft = if let Trouble::NotYet(since) = trouble {
        Draft::new(format!("role {name} came with PostgreSQL {since}"))
    } else {
        fix = fix.map(FixDraft::review);
        Draft::new(missing_message(name)).advice(missing_advice(ctx))
    };
    draft = draft.object(what).server(ServerError::missing_role(name));
    if let Some(range) = specs.get(*first).and_then(|spec| role_range(statement, spec)) {
        draft = draft.at(range);
    }
    if let Some(mut fix) = fix {
        if s.is_grant {
            fix = fix.lost(format!("privileges of {names} on {what}"));
        }
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}
