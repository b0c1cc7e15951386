//! What no server takes in a GRANT: grant options for everyone, privileges that a kind of object does not have.

use crate::facts::ObjectId;
use crate::facts::names::{relation, roles};
use crate::finding::ServerError;
use crate::parse::{Change, Class, NodeEnum, pg};
use crate::rule::{Context, Draft, FixDraft};
use crate::rules::role::lists::{items, trim};

/// All privileges. What else stands in a GRANT is refused as unknown; MAINTAIN and RULE, which not every version knows,
/// are rule IN-06's.
const ALL: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "truncate",
    "references",
    "trigger",
    "execute",
    "usage",
    "create",
    "temporary",
    "temp",
    "connect",
    "set",
    "alter system",
    "maintain",
    "rule",
];

/// Reports a privilege or a grant option that cannot be given. `path` is the tree's way to the statement.
pub(crate) fn impossible(ctx: &mut Context<'_>, s: &pg::GrantStmt, path: &str, what: &str) -> bool {
    let draft = grant_option(ctx, s, path).or_else(|| unfit(ctx, s, path)).map(|draft| draft.object(what));
    let Some(draft) = draft else { return false };
    ctx.report(draft);
    true
}

/// WITH GRANT OPTION for PUBLIC.
fn grant_option(ctx: &Context<'_>, s: &pg::GrantStmt, path: &str) -> Option<Draft> {
    let is_public = |spec: &&pg::RoleSpec| spec.roletype == pg::RoleSpecType::RolespecPublic as i32;
    if !s.is_grant || !s.grant_option || !roles(&s.grantees).any(|spec| is_public(&spec)) {
        return None;
    }
    let draft = Draft::new("PUBLIC cannot be given the grant option: only roles can")
        .server(ServerError::new("0LP01", "grant options can only be granted to roles"));
    let statement = ctx.statement()?;
    let clause = statement.words(&["WITH", "GRANT", "OPTION"])?;
    let fix = FixDraft::edit("Remove WITH GRANT OPTION")
        .delete(statement.with_gap(&clause))
        .change(Change::Set(format!("{path}/grant_option"), false.into()));
    let is_all = roles(&s.grantees).all(|spec| is_public(&spec));
    // The other grantees lose it.
    Some(draft.at(clause).fix(if is_all {
        fix
    } else {
        fix.review().lost("grant options of the other roles")
    }))
}

/// A privilege that objects of this kind do not have.
fn unfit(ctx: &Context<'_>, s: &pg::GrantStmt, path: &str) -> Option<Draft> {
    let (word, kind) = kind(ctx, s)?;
    let refusal = |p: &pg::Node| {
        let NodeEnum::AccessPriv(privilege) = p.node.as_ref()? else { return None };
        let name = privilege.priv_name.as_str();
        let (fits, word): (&[&str], _) = if privilege.cols.is_empty() {
            (kind, word)
        } else {
            (&["select", "insert", "update", "references"], "column")
        };
        if name.is_empty() || fits.contains(&name) || matches!(name, "maintain" | "rule") {
            return None;
        }
        let shown = name.to_ascii_uppercase();
        Some(if ALL.contains(&name) {
            let shown = if name == "temp" { "TEMPORARY" } else { &*shown };
            let text = format!("invalid privilege type {shown} for {word}");
            (format!("a {word} has no privilege {shown}"), ServerError::new("0LP01", text))
        } else {
            let text = format!("unrecognized privilege type \"{name}\"");
            (format!("there is no privilege {shown}"), ServerError::new("42601", text))
        })
    };
    let found: Vec<_> =
        s.privileges.iter().enumerate().filter_map(|(index, p)| Some((index, refusal(p)?))).collect();
    let (_, (message, error)) = found.first()?;
    let draft = Draft::new(message.clone()).server(error.clone());
    let title = format!("Remove it: {message}");
    let fix = if found.len() == s.privileges.len() {
        Some(FixDraft::removal(title))
    } else {
        let statement = ctx.statement()?;
        let from = statement.words(&[if s.is_grant { "GRANT" } else { "REVOKE" }])?.end;
        let from = statement
            .words_from(from, &["OPTION", "FOR"])
            .filter(|_| s.grant_option)
            .map_or(from, |words| words.end);
        let drop: Vec<usize> = found.iter().map(|(index, _)| *index).collect();
        let path = format!("{path}/privileges");
        trim(FixDraft::edit(title), &items(statement, from, &["ON"]), s.privileges.len(), &path, &drop)
    };
    Some(match fix {
        Some(fix) => draft.fix(fix.review()),
        None => draft,
    })
}

/// The server's word for the kind of the objects, and the privileges that it has.
fn kind(ctx: &Context<'_>, s: &pg::GrantStmt) -> Option<(&'static str, &'static [&'static str])> {
    use pg::ObjectType as T;
    let is_table = |node: &pg::Node| match &node.node {
        Some(NodeEnum::RangeVar(range)) => {
            let (schema, name) = relation(range);
            let id = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
            ctx.facts.relations.get(&id).is_some_and(|relation| relation.word != "sequence")
        }
        _ => false,
    };
    let of_tables: &[&str] =
        &["select", "insert", "update", "delete", "truncate", "references", "trigger", "usage"];
    Some(match T::try_from(s.objtype).ok()? {
        T::ObjectTable if s.objects.iter().any(is_table) => {
            let has =
                |p: &pg::Node| matches!(&p.node, Some(NodeEnum::AccessPriv(p)) if p.priv_name == "usage");
            let is_usage = s.privileges.iter().any(has);
            (if is_usage { "table" } else { "relation" }, of_tables.split_last()?.1)
        }
        // It may be a sequence.
        T::ObjectTable => ("relation", of_tables),
        T::ObjectSequence => ("sequence", &["usage", "select", "update"]),
        T::ObjectDatabase => ("database", &["create", "temporary", "temp", "connect"]),
        T::ObjectFunction => ("function", &["execute"]),
        T::ObjectProcedure => ("procedure", &["execute"]),
        T::ObjectRoutine => ("routine", &["execute"]),
        T::ObjectLanguage => ("language", &["usage"]),
        T::ObjectLargeobject => ("large object", &["select", "update"]),
        T::ObjectSchema => ("schema", &["create", "usage"]),
        T::ObjectType => ("type", &["usage"]),
        T::ObjectDomain => ("domain", &["usage"]),
        T::ObjectFdw => ("foreign-data wrapper", &["usage"]),
        T::ObjectForeignServer => ("foreign server", &["usage"]),
        _ => return None,
    })
}
