//! EXT-11: changes of what belongs to an extension.

use crate::edit::{Fix, Safety};
use crate::facts::names::{quoted_path, relation};
use crate::facts::objects::subject;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::has_extension;
use crate::rules::ownership::own_03_grant::extension_of;
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "EXT-11",
    name: "extension-member",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("changes of what belongs to an extension"),
    statements: &[
        StatementKind::InsertStmt,
        StatementKind::UpdateStmt,
        StatementKind::DeleteStmt,
        StatementKind::TruncateStmt,
        StatementKind::CreateTrigStmt,
        StatementKind::CopyStmt,
        StatementKind::CommentStmt,
        StatementKind::AlterTableStmt,
        StatementKind::DropStmt,
        StatementKind::IndexStmt,
        StatementKind::CreatePolicyStmt,
        StatementKind::RuleStmt,
        StatementKind::AlterFunctionStmt,
        StatementKind::AlterEnumStmt,
        StatementKind::AlterDomainStmt,
        StatementKind::AlterSeqStmt,
        StatementKind::AlterTsdictionaryStmt,
        StatementKind::RenameStmt,
        StatementKind::AlterObjectSchemaStmt,
        StatementKind::AlterOwnerStmt,
        StatementKind::AlterOperatorStmt,
        StatementKind::CreateStmt,
        StatementKind::ViewStmt,
        StatementKind::CreateStatsStmt,
        StatementKind::CreatePublicationStmt,
        StatementKind::AlterPublicationStmt,
    ],
    after: &["EXT-02", "EXT-08", "OWN-01"],
    doc: Doc {
        summary: "A change of a table, function or type that belongs to an extension.",
        what: "ALTER, ENABLE ROW LEVEL SECURITY, CREATE POLICY, INDEX, TRIGGER and RULE, INSERT, UPDATE, DELETE and TRUNCATE, \
               COMMENT and DROP of a member of an extension that the target has or gets, foreign keys to one, statistics \
               and publications of one, CREATE OR REPLACE of a view of its. Rows of configuration tables are \
               EXT-08's, grants OWN-03's, owners of other roles OWN-01's.",
        why: "On the service extensions and what they bring belong to the superuser.",
        server: &[
            "42501 must be owner of table spatial_ref_sys",
            "42501 permission denied for table spatial_ref_sys",
            "42501 must be owner of function public.st_area",
        ],
        help: "Accept the loss to leave the statement out: --accept EXT-11. For rows of your own in an extension's table ask the \
               service's support.",
        before: "CREATE EXTENSION postgis WITH SCHEMA public;\nCREATE INDEX srs_name ON public.spatial_ref_sys (auth_name);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/aclchk.c, object_ownercheck, aclcheck_error",
            "seen on 15.18, 17.12 and 18.6 with postgis as tsdbadmin",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// What a statement asks for.
#[derive(Clone, Copy)]
enum Need {
    /// The object's owner.
    Owner,
    /// A privilege on the table.
    Privilege,
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let removed = |finding: &Finding| {
        finding.severity == Severity::Error && finding.fix.as_deref().is_none_or(Fix::only_removes)
    };
    if ctx.findings.iter().any(removed) {
        return;
    }
    for (object, need) in changed(node) {
        let id = ctx.resolved(&object.id);
        let id = id.table().unwrap_or(id);
        // Operators are told apart by their types, which are not looked at here: the schema tells whose they are.
        let is_known =
            matches!(id.class, Class::Relation | Class::Type | Class::Function | Class::OperatorClass);
        let is_operator = id.class == Class::Operator
            && object.id.schema.is_some()
            && !matches!(node, NodeEnum::DropStmt(_));
        let is_schema = id.class == Class::Schema && is_of_timescaledb(ctx, &id.name);
        if !is_known && !is_operator && !is_schema && !id.class.is_text_search() {
            continue;
        }
        // TimescaleDB's catalog is there to be written by a restore.
        let is_judged = |name: &&str| *name != "timescaledb" || is_altered(node, need);
        let own = is_schema.then_some("timescaledb");
        let Some(extension) = own.or_else(|| extension_of(ctx, &id).filter(is_judged)) else { continue };
        let extension = extension.to_owned();
        let path = quoted_path(id.schema.as_deref(), &id.name).replace('"', "");
        let word = object.word;
        let text = match need {
            Need::Owner if matches!(id.class, Class::Relation) => {
                format!("must be owner of {word} {}", id.name)
            }
            Need::Owner => format!("must be owner of {word} {path}"),
            Need::Privilege => format!("permission denied for {word} {}", id.name),
        };
        let words = Object { word, id }.to_string();
        let fix = FixDraft::remove(format!("{words} belongs to extension {extension}"));
        let fix = if only_owner(node) { fix } else { fix.review().lost(format!("change of {words}")) };
        ctx.report(
            Draft::new(format!("{words} belongs to extension {extension}: only a superuser can change it"))
                .object(words)
                .server(ServerError::new("42501", text))
                .fix(fix),
        );
        return;
    }
}

/// True for a schema that TimescaleDB makes, where it is there.
fn is_of_timescaledb(ctx: &Context<'_>, schema: &str) -> bool {
    has_extension(ctx, "timescaledb")
        && members("timescaledb").is_some_and(|of| of.schemas.contains(schema))
        && !ctx.facts.schemas.contains_key(schema)
}

/// True where a member of TimescaleDB is changed as a restore does not change it.
fn is_altered(node: &NodeEnum, need: Need) -> bool {
    matches!(need, Need::Owner)
        && match node {
            NodeEnum::AlterTableStmt(s) => s.cmds.iter().all(|command| {
                use pg::AlterTableType as T;
                let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return false };
                matches!(
                    T::try_from(command.subtype),
                    Ok(T::AtEnableRowSecurity
                        | T::AtForceRowSecurity
                        | T::AtAddColumn
                        | T::AtDropColumn
                        | T::AtAddConstraint
                        | T::AtDropConstraint)
                )
            }),
            NodeEnum::CommentStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::RuleStmt(_)
            | NodeEnum::CreateTrigStmt(_) => true,
            _ => false,
        }
}

/// What the statement changes, with what it needs for that.
fn changed(node: &NodeEnum) -> Vec<(Object, Need)> {
    let table = |range: Option<&pg::RangeVar>, word| {
        range.map(|range| {
            let (schema, name) = relation(range);
            Object { word, id: ObjectId::new(Class::Relation, schema, name) }
        })
    };
    let one = |object: Option<Object>, need| object.into_iter().map(|object| (object, need)).collect();
    match node {
        NodeEnum::InsertStmt(s) => one(table(s.relation.as_ref(), "table"), Need::Privilege),
        NodeEnum::UpdateStmt(s) => one(table(s.relation.as_ref(), "table"), Need::Privilege),
        NodeEnum::DeleteStmt(s) => one(table(s.relation.as_ref(), "table"), Need::Privilege),
        NodeEnum::TruncateStmt(s) => s
            .relations
            .iter()
            .filter_map(|node| match node.node.as_ref()? {
                NodeEnum::RangeVar(range) => table(Some(range), "table"),
                _ => None,
            })
            .map(|object| (object, Need::Privilege))
            .collect(),
        NodeEnum::CreateTrigStmt(s) => one(table(s.relation.as_ref(), "table"), Need::Privilege),
        NodeEnum::CopyStmt(s) if s.is_from => one(table(s.relation.as_ref(), "table"), Need::Privilege),
        // The owner of a column's table, not of a column.
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectColumn as i32 => {
            one(subject(node).map(|object| Object { word: "table", ..object }), Need::Owner)
        }
        NodeEnum::CommentStmt(s) if s.objtype != pg::ObjectType::ObjectExtension as i32 => {
            one(subject(node), Need::Owner)
        }
        NodeEnum::DropStmt(s) if s.remove_type != pg::ObjectType::ObjectExtension as i32 => {
            one(subject(node), Need::Owner)
        }
        NodeEnum::AlterTableStmt(s) => {
            let added = s.cmds.iter().filter_map(|command| match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => command.def.as_deref(),
                _ => None,
            });
            let keys = added.flat_map(referenced).filter_map(|range| table(Some(range), "table"));
            let own = subject(node).map(|object| (object, Need::Owner));
            own.into_iter().chain(keys.map(|object| (object, Need::Privilege))).collect()
        }
        NodeEnum::CreateStmt(s) => {
            let keys = s.table_elts.iter().flat_map(referenced);
            let keys = keys.filter_map(|range| Some((table(Some(range), "table")?, Need::Privilege)));
            owned(&s.inh_relations, &table).into_iter().chain(keys).collect()
        }
        NodeEnum::ViewStmt(s) if s.replace => one(table(s.view.as_ref(), "view"), Need::Owner),
        NodeEnum::CreateStatsStmt(s) => owned(&s.relations, &table),
        NodeEnum::CreatePublicationStmt(s) => owned(&s.pubobjects, &table),
        NodeEnum::AlterPublicationStmt(s) => owned(&s.pubobjects, &table),
        NodeEnum::IndexStmt(_)
        | NodeEnum::CreatePolicyStmt(_)
        | NodeEnum::RuleStmt(_)
        | NodeEnum::AlterFunctionStmt(_)
        | NodeEnum::AlterEnumStmt(_)
        | NodeEnum::AlterDomainStmt(_)
        | NodeEnum::AlterSeqStmt(_)
        | NodeEnum::AlterTsdictionaryStmt(_)
        | NodeEnum::RenameStmt(_)
        | NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::AlterOperatorStmt(_)
        | NodeEnum::AlterObjectSchemaStmt(_) => one(subject(node), Need::Owner),
        _ => Vec::new(),
    }
}

/// The tables that foreign keys of a column or table refer to.
fn referenced(element: &pg::Node) -> Vec<&pg::RangeVar> {
    match &element.node {
        Some(NodeEnum::Constraint(constraint)) => constraint.pktable.iter().collect(),
        Some(NodeEnum::ColumnDef(column)) => column.constraints.iter().flat_map(referenced).collect(),
        _ => Vec::new(),
    }
}

/// Tables of a list, each of which has to be one's own.
fn owned(
    nodes: &[pg::Node],
    table: &dyn Fn(Option<&pg::RangeVar>, &'static str) -> Option<Object>,
) -> Vec<(Object, Need)> {
    let range = |node: &pg::Node| match &node.node {
        Some(NodeEnum::RangeVar(range)) => table(Some(range), "table"),
        Some(NodeEnum::PublicationObjSpec(object)) => {
            table(object.pubtable.as_ref()?.relation.as_ref(), "table")
        }
        _ => None,
    };
    nodes.iter().filter_map(range).map(|object| (object, Need::Owner)).collect()
}

/// A statement that gives its object away, and does nothing else: the owner stays who it is.
fn only_owner(node: &NodeEnum) -> bool {
    let NodeEnum::AlterTableStmt(s) = node else { return matches!(node, NodeEnum::AlterOwnerStmt(_)) };
    s.cmds.iter().all(|command| {
        matches!(&command.node, Some(NodeEnum::AlterTableCmd(command))
            if command.subtype == pg::AlterTableType::AtChangeOwner as i32)
    })
}
