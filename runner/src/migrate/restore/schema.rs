//! Roles and schema of an archive: analysed, rewritten, and sorted into the stages they belong to.

use std::time::Instant;

use tsmigrate_analyzer::archive::Section;
use tsmigrate_analyzer::parse::{NodeEnum, parse, pg};

use super::context::Restore;
use crate::analysis::{self, Analysed};
use crate::converted::Conversions;
use crate::error::Error;
use crate::filter::Filter;
use crate::inspect::Facts;
use crate::migrate::scripts::Scripts;
use crate::migrate::{administrator, beside, ownership, schema};
use crate::moving;
use crate::results::Missing;
use crate::script::{self, Class, Input, Statement};

/// What is known of the database that was dumped, with the roles that come with it.
pub(super) fn source(context: &Restore) -> Result<Facts, Error> {
    let mut facts = context.contents.facts.clone();
    for statement in script::statements("roles", &context.roles)? {
        facts.superusers.extend(superuser(&statement.sql));
        if let Class::CreateRole(name) = statement.class {
            facts.roles.insert(name);
        }
    }
    Ok(facts)
}

/// The role that a statement of a roles' dump makes a superuser.
fn superuser(sql: &str) -> Option<String> {
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::AlterRoleStmt(alter) = parsed.node() else { return None };
    let is_superuser = |option: &pg::Node| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == "superuser" => {
            matches!(option.arg.as_ref().and_then(|arg| arg.node.as_ref()), Some(NodeEnum::Boolean(on)) if on.boolval)
        }
        _ => false,
    };
    alter.options.iter().any(is_superuser).then(|| alter.role.as_ref().map(|role| role.rolename.clone()))?
}

/// Analyses roles and schema; false where findings stand in the way.
pub(super) fn analyse(context: &Restore, source: &Facts, target: &Facts) -> Result<(Scripts, bool), Error> {
    let start = Instant::now();
    let contents = &context.contents;
    let (mut pre, post) = (contents.section(Section::PreData), contents.section(Section::PostData));
    let manifest = contents.manifest.as_ref();
    pre.extend(manifest.iter().flat_map(|manifest| manifest.settings_of_all_roles.bytes()));
    let objects = contents.about_objects();
    let hash = schema::hash(&[&context.roles, &pre, &post, &objects]);
    let reserved = administrator::reserved(target);
    let (roles, memberships) = administrator::without_memberships(&context.roles, &reserved);
    let inputs = [
        Input { part: "roles", text: &roles },
        Input { part: "pre-data", text: &pre },
        Input { part: "post-data", text: &post },
        Input { part: "data", text: &objects },
    ];
    let chosen = (&Filter::default(), &Conversions::default());
    let shared = if context.args.one_of_several && contents.map.is_none() {
        moving::shared(&inputs.map(|input| input.text))?
    } else {
        Vec::new()
    };
    let mut unmoved = if contents.map.is_some() { contents.unmoved().to_vec() } else { shared };
    let looks_in_public = beside::looks_in_public(&mut unmoved, target, &context.args.accept);
    let Analysed { findings, decisions, scripts: later, mut texts } =
        analysis::analyse(&inputs, &unmoved, source, target, &context.args.accept, chosen)?;
    let lost = || Error::Defect("the analysis lost a part of the archive".into());
    let objects_text = texts.pop().ok_or_else(lost)?;
    let mut scripts = schema::sort(texts.try_into().map_err(|_| lost())?, target)?;
    scripts.looks_in_public = looks_in_public;
    // The objects themselves are created with their bytes.
    let creates = |statement: &Statement| statement.sql.trim_start().starts_with("SELECT");
    let about = script::statements("data", &objects_text)?.into_iter();
    let about = about.filter(|statement| statement.class != Class::Setting && !creates(statement));
    scripts.access.extend(about.map(|statement| ("data", statement)));
    let all = [&scripts.roles, &scripts.extensions, &scripts.pre_data, &scripts.post_data];
    for statement in all.into_iter().flatten().chain(scripts.access.iter().map(|(_, statement)| statement)) {
        refuse_transaction(statement)?;
    }
    if context.tuning.beside {
        beside::share_roles(&mut scripts, target);
    }
    scripts.hash = hash;
    // pg_dumpall may have been told to leave passwords out, or not have been allowed to read them.
    let has_passwords = scripts.roles.iter().any(|role| role.sql.contains(" PASSWORD '"));
    let log_in = scripts.roles.iter().filter(|_| !has_passwords).filter_map(|role| script::login(&role.sql));
    let log_in = log_in.collect();
    ownership::logins_at_the_end(&mut scripts, target);
    let open = findings.iter().filter(|finding| finding.severity == "error" && !finding.solved);
    let clear = open.filter(|finding| !finding.accepted).count() == 0;
    let errors = findings.iter().filter(|finding| finding.severity == "error").count();
    let result = format!("{errors} errors, {} findings", findings.len());
    {
        let mut report = context.report();
        report.passwords_to_set = log_in;
        report.findings = findings;
        let (omitted, states) =
            manifest.map(|manifest| (manifest.omitted.clone(), manifest.states.clone())).unwrap_or_default();
        report.findings.extend(omitted.into_iter().map(|note| analysis::omitted(note.into())));
        report.findings.extend(states.into_iter().map(|note| analysis::state(note.into())));
        report.decisions = decisions;
        report.missing.extend(memberships.iter().map(|left| Missing {
            what: left.name(),
            why: left.why(&reserved),
            sql: None,
        }));
        report.scripts = later;
    }
    context.stage("analysis", result, start.elapsed());
    Ok((scripts, clear))
}

/// Refuses a statement that would end the transaction of its step: no dump has one.
fn refuse_transaction(statement: &Statement) -> Result<(), Error> {
    let parsed = parse(&statement.sql, true).ok().flatten();
    match parsed.as_ref().map(tsmigrate_analyzer::parse::Parsed::node) {
        Some(NodeEnum::TransactionStmt(_)) => Err(Error::Refused {
            what: format!(
                "the archive holds a statement that begins or ends a transaction: {}",
                crate::redact::statement(&statement.sql)
            ),
            next: vec!["pg_dump writes no such archive: dump it again".into()],
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superusers_of_a_roles_dump_are_known() {
        let of = |sql: &str| superuser(sql);
        assert_eq!(of("ALTER ROLE \"P g\" WITH SUPERUSER INHERIT LOGIN;"), Some("P g".to_owned()));
        assert_eq!(of("ALTER ROLE app WITH NOSUPERUSER LOGIN;"), None);
        assert_eq!(of("CREATE ROLE app;"), None);
    }
}
