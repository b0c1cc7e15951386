//! OWN-05: default privileges of another role.

use super::handover::{Handover, membership};
use super::own_03_grant::missing_grantees;
use super::privileges::impossible;
use crate::edit::Safety;
use crate::facts::names::{option, quoted, role, roles};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::{Known, known, missing_advice, missing_message};
use crate::rules::role::lists::{listed, role_range};

pub(crate) const RULE: Rule = Rule {
    id: "OWN-05",
    name: "default-privileges",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("acl.default-privileges", "ALTER DEFAULT PRIVILEGES FOR ROLE."),
    statements: &[StatementKind::AlterDefaultPrivilegesStmt],
    doc: Doc {
        summary: "ALTER DEFAULT PRIVILEGES FOR ROLE of a role that tsdbadmin is not.",
        what: "pg_dump writes default privileges with the role whose objects they are for.",
        why: "tsdbadmin must have the privileges of that role: from 16 on creating a role gives ADMIN on it, not its privileges. Nobody but the provider is superuser on the service.",
        server: &[
            "42501 permission denied to change default privileges (16 and newer)",
            "42501 must be member of role \"app\" (15 and older)",
            "42704 role \"app\" does not exist",
            "0LP01 cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS",
        ],
        help: "tsdbadmin becomes a member of the role first. What was for postgres is for tsdbadmin on the target: it creates the objects there that postgres created on the source.",
        before: "CREATE ROLE app;\nALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT SELECT ON TABLES  TO app;",
        after: "CREATE ROLE app;\nALTER DEFAULT PRIVILEGES FOR ROLE tsdbadmin IN SCHEMA public GRANT SELECT ON TABLES  TO app;",
        sources: Doc::sources(&["PostgreSQL src/backend/catalog/aclchk.c, ExecAlterDefaultPrivilegesStmt"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::AlterDefaultPrivilegesStmt(s))) = ctx.node() else { return };
    let Some(action) = &s.action else { return };
    if action.objtype == pg::ObjectType::ObjectLargeobject as i32 && ctx.target.version < 18 {
        let draft = Draft::new("default privileges for large objects came with PostgreSQL 18")
            .object("default privileges")
            .server(ServerError::new("42601", "syntax error at or near \"LARGE\""))
            .fix(
                FixDraft::remove(format!("PostgreSQL {} has none for large objects", ctx.target.version))
                    .lost("default privileges for large objects"),
            );
        ctx.report(draft);
        return;
    }
    let path = "/AlterDefaultPrivilegesStmt/action";
    if of_one_schema(ctx, s, action) || impossible(ctx, action, path, "default privileges") {
        return;
    }
    owners(ctx, s);
    let verb = statement.words(&[if action.is_grant { "GRANT" } else { "REVOKE" }]);
    let word = statement
        .words_from(verb.map_or(0, |verb| verb.end), &[if action.is_grant { "TO" } else { "FROM" }])
        .map_or(0, |word| word.end);
    let path = format!("{path}/grantees");
    missing_grantees(ctx, action, &path, word, "objects to come");
}

/// IN SCHEMA, for what is in no schema.
fn of_one_schema(ctx: &mut Context<'_>, s: &pg::AlterDefaultPrivilegesStmt, action: &pg::GrantStmt) -> bool {
    use pg::ObjectType as T;
    let kind = match T::try_from(action.objtype) {
        Ok(T::ObjectSchema) => "SCHEMAS",
        Ok(T::ObjectLargeobject) => "LARGE OBJECTS",
        _ => return false,
    };
    let is_found = option(&s.options, "schemas").is_some();
    if is_found {
        let text = format!("cannot use IN SCHEMA clause when using GRANT/REVOKE ON {kind}");
        let reason = format!("{} are in no schema", kind.to_lowercase());
        let draft =
            Draft::new(format!("default privileges on {} cannot be for one schema", kind.to_lowercase()))
                .object("default privileges")
                .server(ServerError::new("0LP01", text))
                .fix(FixDraft::remove(reason).review());
        ctx.report(draft);
    }
    is_found
}

fn owners(ctx: &mut Context<'_>, s: &pg::AlterDefaultPrivilegesStmt) {
    let Some(statement) = ctx.statement() else { return };
    let Some((option_index, list)) = s.options.iter().enumerate().find_map(|(index, node)| {
        let NodeEnum::DefElem(element) = node.node.as_ref()? else { return None };
        match (element.defname.as_str(), element.arg.as_ref()?.node.as_ref()?) {
            ("roles", NodeEnum::List(list)) => Some((index, list)),
            _ => None,
        }
    }) else {
        return;
    };
    let admin = ctx.target.admin.as_str();
    let new = ctx.target.version >= 16;
    let refused = |name: &str| {
        if new {
            ServerError::new("42501", "permission denied to change default privileges")
        } else {
            ServerError::new("42501", format!("must be member of role \"{name}\""))
        }
    };
    let specs: Vec<&pg::RoleSpec> = roles(&list.items).collect();
    let names = listed(specs.iter().filter_map(|spec| role(spec)));
    let object = format!("default privileges of {names}");

    // Superusers and other roles of the service.
    let service: Vec<(usize, &pg::RoleSpec, &str)> = specs
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| Some((index, *spec, role(spec)?)))
        .filter(|(_, _, name)| *name != admin && ctx.target.reserved_roles.contains_key(*name))
        .collect();
    if let Some((_, spec, name)) = service.first() {
        let mut fix = FixDraft::edit(format!("Set them for {admin} in the place of {name}"));
        for (index, spec, _) in &service {
            let Some(range) = role_range(statement, spec) else { return };
            let path = format!(
                "/AlterDefaultPrivilegesStmt/options/{option_index}/DefElem/arg/List/items/{index}/RoleSpec/rolename"
            );
            fix = fix.replace(range, quoted(admin)).change(Change::set_str(path, admin));
        }
        let mut draft = Draft::new(format!(
            "{admin} creates the objects on the target that {name} created: default privileges follow"
        ))
        .object(object.clone())
        .server(refused(name))
        .fix(fix);
        if let Some(range) = role_range(statement, spec) {
            draft = draft.at(range);
        }
        ctx.report(draft);
    }

    let (mut before, mut first) = (Vec::new(), None);
    for name in specs.iter().filter_map(|spec| role(spec)).filter(|name| *name != admin) {
        match known(ctx, name) {
            Known::Missing => {
                let draft = Draft::new(missing_message(name))
                    .object(object)
                    .server(ServerError::missing_role(name))
                    .advice(missing_advice(ctx))
                    .fix(
                        FixDraft::remove(format!("role {name} does not exist"))
                            .review()
                            .lost(format!("default privileges of {name}")),
                    );
                ctx.report(draft);
                return;
            }
            Known::Made | Known::Target if !ctx.target.reserved_roles.contains_key(name) => {
                let member = ctx.facts.is_member(name, admin);
                if !member {
                    if ctx.facts.reaches(admin, name) {
                        let draft =
                            Draft::new(format!("{name} is a member of {admin}, and cannot be served by it"))
                                .object(object)
                                .server(refused(name))
                                .fix(
                                    FixDraft::remove(format!("{name} is a member of {admin}"))
                                        .lost(format!("default privileges of {name}")),
                                );
                        ctx.report(draft);
                        return;
                    }
                    before.push(membership(ctx, name, admin));
                    ctx.states.of::<Handover>().lent_membership.insert(name.to_owned());
                }
                if ctx.states.get::<Handover>().is_some_and(|known| known.lent_membership.contains(name)) {
                    first.get_or_insert(name);
                }
            }
            Known::Made | Known::Target | Known::Provider(_) => {}
        }
    }
    let Some(name) = first else { return };
    let draft = Draft::new(format!("{admin} must be a member of {name} to change its default privileges"))
        .object(object)
        .server(refused(name))
        .fix(FixDraft::surround(format!("Let {admin} act for {name}"), before, Vec::new()));
    ctx.report(draft);
}
