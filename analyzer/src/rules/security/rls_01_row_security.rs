//! RLS-01: row-level security: roles that bypassed it, policies for roles that are not there, rows that
//! are loaded too late.

use std::collections::BTreeMap;

use super::readers::{Owners, Views, read};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{relation, role, roles, truth};
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::{SourceAttributes, missing_advice, missing_message};
use crate::rules::role::lists::{items, listed, role_range, trim};
use crate::rules::role::membership::{Trouble, presence_trouble};

pub(crate) const RULE: Rule = Rule {
    id: "RLS-01",
    name: "row-security",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit(
        "rls.owner-bypass",
        "Roles that bypassed policies, policies of missing roles, rows that are loaded too late; rows that policies hide from the dump.",
    ),
    also_answers: &["DATA-09"],
    statements: &[
        StatementKind::AlterTableStmt,
        StatementKind::CopyStmt,
        StatementKind::CreatePolicyStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::DeleteStmt,
        StatementKind::InsertStmt,
        StatementKind::MergeStmt,
        StatementKind::RefreshMatViewStmt,
        StatementKind::SelectStmt,
        StatementKind::UpdateStmt,
        StatementKind::VariableSetStmt,
        StatementKind::ViewStmt,
    ],
    pieces: &[Piece::Meta, Piece::End],
    doc: Doc {
        summary: "Row-level security that works differently on the target.",
        what: "ENABLE ROW LEVEL SECURITY where the roles dump has superusers or BYPASSRLS roles with names of their own; CREATE POLICY for a role that does not exist; COPY into a table whose row security is already forced; REFRESH of a materialized view of such a table, or of one that policies show in part to the owner of the view, be it through other views; other queries and changes of its rows under row_security = off.",
        why: "No role has SUPERUSER or BYPASSRLS on the target: such a role sees only what policies let it see. A \
              policy needs its roles. And COPY is not possible where policies apply to tsdbadmin itself.",
        server: &[
            "42704 role \"app\" does not exist",
            "0A000 COPY FROM not supported with row-level security",
            "42501 query would be affected by row-level security policy for table \"t\" (row_security off)",
        ],
        help: "Give a role that has to see all rows a policy of its own: CREATE POLICY all_rows ON t TO role USING \
               (true) WITH CHECK (true). Load rows before row security is forced, as a dump of the whole database \
               does.",
        before: "CREATE TABLE public.t (a integer);\nCREATE POLICY p ON public.t TO app USING (true);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/misc/rls.c, check_enable_rls; commands/copy.c, DoCopy",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Row-level security as the dump has set it.
#[derive(Clone, Debug, Default)]
struct RowSecurity {
    /// Of tables: enabled, forced.
    tables: BTreeMap<ObjectId, (bool, bool)>,
    /// `SET row_security = off` is in force.
    off: bool,
}

/// How a table's row security applies to who reads it.
#[derive(Clone, Copy, Debug)]
struct Gate<'a> {
    /// Who reads it.
    reader: &'a str,
    /// The reader owns the table: it is only because row security is forced.
    is_owner: bool,
    /// The reader saw all rows on the source.
    saw_all: bool,
}

fn check(ctx: &mut Context<'_>) {
    if matches!(ctx.subject, Subject::End { .. } | Subject::Meta { .. }) {
        ctx.states.of::<RowSecurity>().off = false;
    }
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::VariableSetStmt(set) if set.name.eq_ignore_ascii_case("row_security") => {
            ctx.states.of::<RowSecurity>().off = set.args.first().and_then(truth) == Some(false);
        }
        NodeEnum::AlterTableStmt(s) => switched(ctx, s),
        NodeEnum::CreatePolicyStmt(s) => policy(ctx, s),
        NodeEnum::CopyStmt(s) if s.is_from => copy(ctx, s),
        NodeEnum::ViewStmt(_) => Views::keep(ctx, statement),
        NodeEnum::CreateTableAsStmt(s) => {
            if s.objtype == pg::ObjectType::ObjectMatview as i32 {
                Views::keep(ctx, statement);
            }
            if !s.into.as_ref().is_some_and(|into| into.skip_data) {
                query(ctx, statement);
            }
        }
        NodeEnum::RefreshMatViewStmt(s) if !s.skip_data => refresh(ctx, s),
        NodeEnum::CopyStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::InsertStmt(_)
        | NodeEnum::MergeStmt(_)
        | NodeEnum::SelectStmt(_)
        | NodeEnum::UpdateStmt(_) => query(ctx, statement),
        _ => {}
    }
}

fn table(ctx: &Context<'_>, range: &pg::RangeVar) -> ObjectId {
    let (schema, name) = relation(range);
    ctx.resolved(&ObjectId::new(Class::Relation, schema, name))
}

fn switched(ctx: &mut Context<'_>, s: &pg::AlterTableStmt) {
    use pg::AlterTableType as A;
    let Some(range) = &s.relation else { return };
    let id = table(ctx, range);
    for command in &s.cmds {
        let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
        let Ok(what) = A::try_from(command.subtype) else { continue };
        let on = matches!(what, A::AtEnableRowSecurity | A::AtForceRowSecurity);
        match what {
            A::AtEnableRowSecurity | A::AtDisableRowSecurity => {
                ctx.states.of::<RowSecurity>().tables.entry(id.clone()).or_default().0 = on;
            }
            A::AtForceRowSecurity | A::AtNoForceRowSecurity => {
                ctx.states.of::<RowSecurity>().tables.entry(id.clone()).or_default().1 = on;
            }
            A::AtAddConstraint => {
                validated(ctx, &id, command);
                continue;
            }
            _ => continue,
        }
        if what == A::AtEnableRowSecurity {
            bypassed(ctx, &id);
        }
    }
}

/// Roles that saw all rows and no longer do.
fn bypassed(ctx: &mut Context<'_>, id: &ObjectId) {
    if ctx.facts.absent.contains_key(id) {
        return;
    }
    let owner = ctx.facts.owner(id);
    let Some(source) = ctx.states.get::<SourceAttributes>() else { return };
    let sees_all = source.superusers.iter().chain(&source.bypass);
    // An owner bypasses the policies of its own tables everywhere.
    let mut names: Vec<&str> = sees_all
        .map(String::as_str)
        .filter(|name| ctx.facts.makes_role(name) && owner != Some(*name))
        .collect();
    names.sort_unstable();
    names.dedup();
    let Some(first) = names.first() else { return };
    let verb = if names.len() == 1 { "sees" } else { "see" };
    let draft = Draft::new(format!(
        "{} saw all rows of {} and {verb} only what policies allow on the target",
        names.join(", "),
        id.path()
    ))
    .severity(Severity::Warning)
    .object(format!("table {}", id.path()))
    .advice(format!(
        "Where it has to see all: CREATE POLICY all_rows ON {} TO {} USING (true) WITH CHECK (true);",
        id.path(),
        crate::facts::names::quoted(first)
    ));
    ctx.report(draft);
}

fn policy(ctx: &mut Context<'_>, s: &pg::CreatePolicyStmt) {
    let Some(statement) = ctx.statement() else { return };
    let Some(range) = &s.table else { return };
    let id = table(ctx, range);
    if ctx.facts.absent.contains_key(&id) {
        return;
    }
    let specs: Vec<&pg::RoleSpec> = roles(&s.roles).collect();
    let found: Vec<(usize, &str, Trouble<'_>)> = specs
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| {
            let name = role(spec)?;
            Some((index, name, presence_trouble(ctx, name)?))
        })
        .collect();
    let Some((first, name, trouble)) = found.first() else { return };
    let names = listed(found.iter().map(|(_, name, _)| *name));
    let words = format!("policy {} on {}", s.policy_name, id.path());
    let unsure = found.iter().any(|(_, _, trouble)| *trouble == Trouble::Missing);
    let fix = if found.len() == specs.len() {
        Some(FixDraft::remove(format!("{names} does not exist")).lost(words.clone()))
    } else {
        let drop: Vec<usize> = found.iter().map(|(index, ..)| *index).collect();
        statement.words(&["TO"]).and_then(|to| {
            let items = items(statement, to.end, &["USING", "WITH"]);
            let title = format!("{names} does not exist");
            trim(FixDraft::without(title), &items, specs.len(), "/CreatePolicyStmt/roles", &drop)
        })
    };
    let mut draft = match trouble {
        Trouble::Provider(from) => Draft::new(format!("{name} is a role of {from}: {words} cannot name it")),
        Trouble::NotYet(since) => Draft::new(format!("role {name} came with PostgreSQL {since}")),
        _ => Draft::new(missing_message(name)).advice(missing_advice(ctx)),
    };
    draft = draft.object(words).server(ServerError::missing_role(name));
    if let Some(range) = specs.get(*first).and_then(|spec| role_range(statement, spec)) {
        draft = draft.at(range);
    }
    if let Some(fix) = fix {
        draft = draft.fix(if unsure { fix.review() } else { fix });
    }
    ctx.report(draft);
}

/// What is known of row security, where a query fails that policies apply to.
fn known<'a>(ctx: &'a Context<'_>) -> Option<&'a RowSecurity> {
    ctx.states.get::<RowSecurity>().filter(|all| all.off && !all.tables.is_empty())
}

/// Who runs the statement.
fn acting<'a>(ctx: &'a Context<'_>) -> &'a str {
    ctx.facts.session.now.role.as_deref().unwrap_or(&ctx.target.admin)
}

/// Finds the tables that `reader` reads in this relation and whose policies apply to it.
fn gates<'a>(
    ctx: &'a Context<'_>,
    all: &'a RowSecurity,
    (id, reader): (&ObjectId, &'a str),
    seen: &mut Vec<(ObjectId, &'a str)>,
    found: &mut Vec<(ObjectId, Gate<'a>)>,
) {
    if seen.iter().any(|(known, by)| known == id && *by == reader) {
        return;
    }
    seen.push((id.clone(), reader));
    if let Some((true, is_forced)) = all.tables.get(id) {
        let is_owner = Owners::of(ctx).owns(reader, id);
        if !is_owner || *is_forced {
            let source = ctx.states.get::<SourceAttributes>();
            let saw_all = *reader == *ctx.target.admin
                || source.is_some_and(|all| all.superusers.contains(reader) || all.bypass.contains(reader));
            found.push((id.clone(), Gate { reader, is_owner, saw_all }));
        }
    }
    let views = ctx.states.get::<Views>();
    let Some(view) = views.and_then(|views| views.0.get(id)).filter(|view| !view.is_filled) else { return };
    let reader = if view.as_invoker { reader } else { Owners::of(ctx).owner(id) };
    for id in &view.reads {
        gates(ctx, all, (id, reader), seen, found);
    }
}

/// A materialized view is filled as its owner.
fn refresh(ctx: &mut Context<'_>, s: &pg::RefreshMatViewStmt) {
    let Some(range) = &s.relation else { return };
    let id = table(ctx, range);
    let draft = known(ctx).and_then(|all| {
        let view = ctx.states.get::<Views>()?.0.get(&id)?;
        let words = format!("materialized view {}", id.path());
        let what = format!("{words} from being filled");
        refused(ctx, all, &view.reads, Owners::of(ctx).owner(&id), (&words, &what))
    });
    if let Some(draft) = draft {
        ctx.report(draft);
    }
}

/// Any other query, and changes of rows.
fn query(ctx: &mut Context<'_>, statement: &Statement<'_>) {
    let draft = known(ctx).and_then(|all| {
        let words = ctx.created(statement.node()).or_else(|| subject(statement.node()));
        let words = words.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
        refused(ctx, all, &read(ctx, statement), acting(ctx), (&words, "the statement from being run"))
    });
    if let Some(draft) = draft {
        ctx.report(draft);
    }
}

/// A foreign key is validated by a query of both tables, where the acting role owns them.
fn validated(ctx: &mut Context<'_>, id: &ObjectId, command: &pg::AlterTableCmd) {
    let Some(NodeEnum::Constraint(key)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
        return;
    };
    let Some(range) = key.pktable.as_ref().filter(|_| !key.skip_validation) else { return };
    let other = table(ctx, range);
    let reader = acting(ctx);
    let owns = |id: &ObjectId| Owners::of(ctx).owns(reader, id);
    let draft = known(ctx).filter(|_| owns(id) && owns(&other)).and_then(|all| {
        let words = format!("table {}", id.path());
        refused(ctx, all, &[id.clone(), other], reader, (&words, "its foreign key from being validated"))
    });
    if let Some(draft) = draft {
        ctx.report(draft);
    }
}

/// What is said of a query whose rows policies would decide about: `row_security = off` refuses it. `words` are for the
/// object, and for what cannot be done.
fn refused(
    ctx: &Context<'_>,
    all: &RowSecurity,
    reads: &[ObjectId],
    reader: &str,
    words: (&str, &str),
) -> Option<Draft> {
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for id in reads {
        gates(ctx, all, (id, reader), &mut seen, &mut found);
    }
    let (id, first) = found.first()?;
    let (path, reader) = (id.path(), first.reader);
    let why = if first.is_owner { "is forced" } else { &*format!("applies to {reader}") };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (id, gate) in found.iter().filter(|(_, gate)| gate.saw_all) {
        let (off, on) = if gate.is_owner { ("NO FORCE", "FORCE") } else { ("DISABLE", "ENABLE") };
        before.push(format!("ALTER TABLE {} {off} ROW LEVEL SECURITY;", id.path()));
        after.push(format!("ALTER TABLE {} {on} ROW LEVEL SECURITY;", id.path()));
    }
    let title = match found.iter().map(|(_, gate)| gate).find(|gate| !gate.saw_all) {
        Some(gate) => {
            before.push("SET row_security = on;".into());
            after.push("SET row_security = off;".into());
            format!("Let policies decide which rows {} reads, as on the source", gate.reader)
        }
        None if first.is_owner => format!("Lift the forced row security of {path} for it"),
        None => format!("Lift the row security of {path} for it"),
    };
    let text = format!("query would be affected by row-level security policy for table \"{}\"", id.name);
    let message = format!("row security of {path} {why}, and keeps {}", words.1);
    let draft = Draft::new(message).object(words.0).server(ServerError::new("42501", text));
    Some(draft.fix(FixDraft::surround(title, before, after)))
}

fn copy(ctx: &mut Context<'_>, s: &pg::CopyStmt) {
    let Some(range) = &s.relation else { return };
    let id = table(ctx, range);
    if ctx.states.of::<RowSecurity>().tables.get(&id) != Some(&(true, true)) {
        return;
    }
    let error = if ctx.states.of::<RowSecurity>().off {
        ServerError::new(
            "42501",
            format!("query would be affected by row-level security policy for table \"{}\"", id.name),
        )
        .hint("To disable the policy for the table's owner, use ALTER TABLE NO FORCE ROW LEVEL SECURITY.")
    } else {
        ServerError::new("0A000", "COPY FROM not supported with row-level security")
            .hint("Use INSERT statements instead.")
    };
    let draft = Draft::new(format!("row security of {} is forced before its rows are loaded", id.path()))
        .object(format!("table {}", id.path()))
        .server(error)
        .advice(format!(
            "Load the rows first, or run ALTER TABLE {0} NO FORCE ROW LEVEL SECURITY before and FORCE after.",
            id.path()
        ));
    ctx.report(draft);
}
