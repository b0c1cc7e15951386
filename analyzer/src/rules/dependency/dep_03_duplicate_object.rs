//! DEP-03: objects that the files create twice.

use super::constraints;
use super::order;
use super::replaced::replaced;
use crate::edit::{Fix, Safety};
use crate::facts::hypertables::CallKind;
use crate::facts::names::is_temporary;
use crate::facts::objects::{created_range, new_name, signature, subject};
use crate::facts::tables::SYSTEM_COLUMNS;
use crate::facts::type_parts::attributes;
use crate::facts::{Object, ObjectId};
use crate::finding::{Place, ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule, Unjudged};
use crate::rules::clauses::has_extension;

pub(crate) const RULE: Rule = Rule {
    id: "DEP-03",
    name: "duplicate-object",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("objects that the files create twice"),
    statement_groups: &[StatementKind::CREATING],
    statements: &[
        StatementKind::IndexStmt,
        StatementKind::CreateOpClassStmt,
        StatementKind::CreateOpFamilyStmt,
        StatementKind::CreateSchemaStmt,
        StatementKind::CreateForeignServerStmt,
        StatementKind::CreateEventTrigStmt,
        StatementKind::CreateExtensionStmt,
        StatementKind::CreateStatsStmt,
        StatementKind::CreateConversionStmt,
        StatementKind::SelectStmt,
        StatementKind::CreatePublicationStmt,
        StatementKind::CreateSubscriptionStmt,
        StatementKind::CreateTrigStmt,
        StatementKind::RuleStmt,
        StatementKind::CreatePolicyStmt,
        StatementKind::AlterTableStmt,
        StatementKind::AlterObjectSchemaStmt,
        StatementKind::RenameStmt,
        StatementKind::DropStmt,
        StatementKind::DropOwnedStmt,
        StatementKind::TransactionStmt,
    ],
    after: &["*"],
    doc: Doc {
        summary: "An object that the files have created before.",
        what: "A second CREATE of a table, view, sequence, index, type, function or operator with the same arguments, operator class, trigger, policy, \
               extension or schema, a second create_hypertable, a second column or constraint of one name or a second primary key of a table, a type with a table's name, what has the name of an index or sequence that the server creates for a key or a serial column, what an extension has created, without OR REPLACE or IF NOT EXISTS and without a DROP between: a dump that was given twice, two dumps \
               that overlap, a script that was appended. Not looked for where a DROP … CASCADE, a DO, a CALL or a call \
               of a function could have dropped the first. OR REPLACE of a function with another result, other names of \
               arguments or fewer defaults, and of a view whose first columns are others.",
        why: "The server refuses the second, and what follows it changes the first.",
        server: &[
            "42P07 relation \"orders\" already exists",
            "42710 type \"mood\" already exists",
            "42723 function \"f\" already exists with same argument types",
            "42710 constraint \"orders_check\" for relation \"orders\" already exists",
            "42P16 multiple primary keys for table \"orders\" are not allowed",
            "42P13 cannot change return type of existing function",
            "42P16 cannot drop columns from view",
        ],
        help: "Give each dump once. Where the two differ, decide which is right and remove the other.",
        before: "CREATE TABLE public.orders (id integer);\nCREATE TABLE public.orders (id bigint);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/heap.c, heap_create_with_catalog; pg_type.c, TypeCreate; pg_proc.c, \
             ProcedureCreate; commands/trigger.c, policy.c, schemacmds.c",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createtable.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let place = statement.place(&statement.range());
    hypertable(ctx, node);
    object(ctx, node);
    renamed(ctx, node);
    other_shape(ctx, node, place);
    let fails = ctx.findings.iter().any(says_it_all);
    let found = if fails { None } else { constraints::duplicate(ctx, node, place) };
    let found = found.filter(|found| is_surely_there(ctx, found.place));
    let taken = if fails || found.is_some() { None } else { constraints::taken(ctx, node) };
    let taken = taken.filter(|(.., first)| is_surely_there(ctx, *first));
    constraints::observe(ctx, node, place, fails || found.is_some() || taken.is_some());
    if let Some((name, other, first)) = taken {
        // The table exists, be it without this constraint.
        let present = matches!(node, NodeEnum::AlterTableStmt(_));
        ctx.report(same_name(&format!("constraint {name}"), &name, &other, first, present));
    }
    if let Some(draft) = column(ctx, node) {
        ctx.report(draft);
    }
    let Some(constraints::Duplicate { table, words, place, error, is_alone }) = found else { return };
    if order::may_have_failed(ctx, &table) {
        return;
    }
    let table = Object { word: "table", id: table }.to_string();
    let mut draft = Draft::new(format!("{table} has {words} already: it exists since line {}", place.line))
        .object(table)
        .server(error)
        .related(place, "the first");
    if is_alone {
        let reason = format!("{words} exists");
        draft = draft.fix(FixDraft::remove(reason).review().present().lost("what differs from the first"));
    }
    ctx.report(draft);
}

/// A column that the table has already.
fn column(ctx: &mut Context<'_>, node: &NodeEnum) -> Option<Draft> {
    if let NodeEnum::CreateStmt(s) = node {
        let names: Vec<&str> = attributes(&s.table_elts).collect();
        if let Some(name) = names.iter().find(|name| SYSTEM_COLUMNS.contains(name)) {
            let table = ctx.created(node)?.to_string();
            let text = format!("column name \"{name}\" conflicts with a system column name");
            let draft = Draft::new(format!(
                "{table} cannot have a column {name}: every table has a system column of that name"
            ));
            return (!ctx.findings.iter().any(says_it_all))
                .then(|| draft.object(table).server(ServerError::new("42701", text)));
        }
        let is_second = |(at, name): &(usize, &&str)| names.iter().take(*at).any(|first| first == *name);
        let (_, name) = names.iter().enumerate().find(is_second)?;
        let table = ctx.created(node)?.to_string();
        let error = ServerError::new("42701", format!("column \"{name}\" specified more than once"));
        let fails = ctx.findings.iter().any(says_it_all);
        return (!fails)
            .then(|| Draft::new(format!("{table} has column {name} twice")).object(table).server(error));
    }
    let NodeEnum::AlterTableStmt(s) = node else { return None };
    if ctx.findings.iter().any(says_it_all) {
        return None;
    }
    let id = ctx.facts.table_id(s.relation.as_ref()?);
    let name = s.cmds.iter().find_map(|command| match &command.node {
        Some(NodeEnum::AlterTableCmd(command))
            if command.subtype == pg::AlterTableType::AtAddColumn as i32 && !command.missing_ok =>
        {
            let Some(NodeEnum::ColumnDef(column)) = &command.def.as_ref()?.node else { return None };
            (ctx.facts.has_column(&id, &column.colname) == Some(true)).then(|| column.colname.clone())
        }
        _ => None,
    })?;
    let first = ctx.facts.relations.get(&id).map(|found| found.place)?;
    if !is_surely_there(ctx, first) {
        return None;
    }
    let table = Object { word: "table", id: id.clone() }.to_string();
    let text = format!("column \"{name}\" of relation \"{}\" already exists", id.name);
    let draft = Draft::new(format!("{table} has column {name} already"))
        .object(table)
        .server(ServerError::new("42701", text))
        .related(first, "the table");
    let fix = FixDraft::remove(format!("column {name} exists")).review().present();
    Some(if s.cmds.len() == 1 { draft.fix(fix.lost("what differs from the first")) } else { draft })
}

/// A new name, or another schema, where something has that name already.
fn renamed(ctx: &mut Context<'_>, node: &NodeEnum) {
    let old = match node {
        NodeEnum::RenameStmt(_) | NodeEnum::AlterObjectSchemaStmt(_) => subject(node),
        _ => None,
    };
    let Some(old) = old.filter(|_| !ctx.findings.iter().any(says_it_all)) else { return };
    let id = ctx.resolved(&old.id);
    let (new, moved) = match node {
        NodeEnum::AlterObjectSchemaStmt(s) => {
            (ObjectId { schema: Some(s.newschema.as_str().into()), ..id.clone() }, Some(s.newschema.as_str()))
        }
        _ => match new_name(node) {
            Some(new) => (ObjectId { schema: id.schema.clone(), ..new }, None),
            None => return,
        },
    };
    let facts = ctx.facts;
    let first = match id.class {
        Class::Relation => facts.relations.get(&new).map(|found| found.place),
        Class::Type => facts.objects.get(&new).map(|found| found.place),
        Class::Schema => facts.schemas.get(&*new.name).map(|found| found.place),
        _ => None,
    };
    let Some(first) = first.filter(|_| new != id && !facts.absent.contains_key(&new)) else { return };
    // It is there only if it was moved before, and that has failed.
    let is_elsewhere = facts.renamed.get(&id).is_some_and(|place| order::has_failed(ctx, *place));
    if is_elsewhere || !is_surely_there(ctx, first) {
        return;
    }
    let error = error(&Object { word: old.word, id: new.clone() }, &new);
    let error = match moved {
        Some(schema) => ServerError::new(error.sqlstate, format!("{} in schema \"{schema}\"", error.text)),
        None => error,
    };
    let (old, new) = (Object { id, ..old }.to_string(), Object { word: old.word, id: new });
    let what = if moved.is_some() { "moved" } else { "renamed" };
    ctx.report(
        Draft::new(format!("{old} cannot be {what}: {new} exists since line {}", first.line))
            .object(old)
            .server(error)
            .related(first, new.to_string())
            .advice("Give it another name, or rename the other one before."),
    );
}

/// Another rule has said that the statement fails as a whole.
fn says_it_all(finding: &Finding) -> bool {
    finding.severity == Severity::Error && finding.fix.as_deref().is_none_or(Fix::only_removes)
}

/// True for what was created at this place, and that nothing can have dropped since. Else the statement is not judged.
fn is_surely_there(ctx: &mut Context<'_>, place: Place) -> bool {
    let is_there = !ctx.facts.dynamic && ctx.facts.cascaded.is_none_or(|cascaded| cascaded < place);
    if !is_there {
        ctx.not_judged(Unjudged::Objects);
    }
    is_there
}

/// A table that is a hypertable already.
fn hypertable(ctx: &mut Context<'_>, node: &NodeEnum) {
    let Some(call) = ctx.facts.hypertable_call(node) else { return };
    let first = ctx.facts.converted.get(&call.table).map(|hypertable| hypertable.place);
    let Some(first) = first.filter(|first| is_surely_there(ctx, *first)) else { return };
    if call.kind != CallKind::Create || call.if_not_exists || ctx.findings.iter().any(says_it_all) {
        return;
    }
    let table = Object { word: "table", id: call.table.clone() }.to_string();
    let error = ServerError::new("TS110", format!("table \"{}\" is already a hypertable", call.table.name));
    ctx.report(
        Draft::new(format!("{table} is a hypertable already: since line {}", first.line))
            .object(table)
            .server(error)
            .related(first, "the first")
            .fix(
                FixDraft::remove("the table is a hypertable")
                    .review()
                    .present()
                    .lost("what differs from the first"),
            ),
    );
}

/// An object that exists already.
fn object(ctx: &mut Context<'_>, node: &NodeEnum) {
    let Some(object) = ctx.created(node) else { return };
    let temporary = created_range(node).is_some_and(is_temporary);
    if temporary || may_exist(node) || ctx.findings.iter().any(says_it_all) {
        return;
    }
    let id = object.id.clone();
    let words = Object { word: object.word, id: id.clone() }.to_string();
    if let Some((other, place, server)) = namesake(ctx, node, &object)
        && is_surely_there(ctx, place)
    {
        let reason = format!("{other} has its name");
        let has_row_type = server.sqlstate == "42710";
        let draft =
            Draft::new(format!("{words} has the name of {other}, which exists since line {}", place.line))
                .object(words.clone())
                .server(server)
                .related(place, other)
                .advice("A table or view has a row type of its name: give one of the two another name.");
        ctx.report(match id.class {
            // What uses the type finds the row type.
            Class::Type if has_row_type => draft.fix(FixDraft::remove(reason).review().present().lost(words)),
            _ => draft,
        });
        return;
    }
    if ctx.facts.absent.contains_key(&id) || order::may_have_failed(ctx, &id) {
        return;
    }
    let Some(first) = first(ctx, node, &object) else {
        if id.class == Class::Relation
            && let Some((other, place)) = constraints::made(ctx, &id)
            && is_surely_there(ctx, place)
        {
            // What uses it finds the other one, which is of the same kind.
            let present = matches!(object.word, "index" | "sequence");
            ctx.report(same_name(&words, &id.name, &other, place, present).object(words));
        }
        return;
    };
    if !is_surely_there(ctx, first) {
        return;
    }
    let draft = Draft::new(format!("{words} is created a second time: it exists since line {}", first.line))
        .object(words.clone())
        .server(error(&object, &id))
        .related(first, "the first")
        .fix(
            FixDraft::remove(format!("{words} exists"))
                .review()
                .present()
                .lost("what differs from the first"),
        );
    ctx.report(draft);
}

/// What OR REPLACE cannot replace.
fn other_shape(ctx: &mut Context<'_>, node: &NodeEnum, place: Place) {
    let Some((first, error)) = replaced(ctx, node, place) else { return };
    let Some(object) = ctx.created(node).filter(|_| is_surely_there(ctx, first)) else { return };
    if ctx.findings.iter().any(says_it_all) {
        return;
    }
    let words = object.to_string();
    let draft = Draft::new(format!(
        "{words} cannot be replaced: it exists in another shape since line {}",
        first.line
    ));
    let fix =
        FixDraft::remove(format!("{words} exists")).review().present().lost("what differs from the first");
    let draft = draft.object(words).server(error).related(first, "the first").fix(fix);
    ctx.report(draft.advice("Write a DROP of the first before it, and create again what that needs."));
}

/// What has the name of another relation, which exists since this place. With `present`, what needs it is not in trouble.
fn same_name(words: &str, name: &str, other: &str, first: Place, present: bool) -> Draft {
    let draft =
        Draft::new(format!("{words} has the name of {other}, which exists since line {}", first.line))
            .server(ServerError::new("42P07", format!("relation \"{name}\" already exists")))
            .related(first, other)
            .advice("Give one of the two another name.");
    if !present {
        return draft;
    }
    let reason = format!("relation {name} exists");
    draft.fix(FixDraft::remove(reason).review().present().lost(words))
}

/// A type with the name of a table or view, or the other way round: each relation has a row type.
fn namesake(ctx: &Context<'_>, node: &NodeEnum, object: &Object) -> Option<(String, Place, ServerError)> {
    let with = |class| ObjectId { class, ..object.id.clone() };
    let exists = |text: String, code| ServerError::new(code, text);
    let name = &object.id.name;
    if let Some((extension, place)) = extension_with(ctx, &object.id) {
        return Some((format!("a member of extension {extension}"), place, error(object, &object.id)));
    }
    match object.id.class {
        Class::Relation if object.word != "index" => {
            let id = with(Class::Type);
            let place = ctx.facts.objects.get(&id).filter(|_| ctx.facts.exists(&id))?.place;
            Some((
                format!("type {}", id.path()),
                place,
                exists(format!("type \"{name}\" already exists"), "42710"),
            ))
        }
        Class::Type => {
            let id = with(Class::Relation);
            let relation = ctx.facts.relations.get(&id).filter(|_| ctx.facts.exists(&id))?;
            let has_row_type = !matches!(relation.word, "index" | "sequence");
            let error = match node {
                _ if has_row_type => exists(format!("type \"{name}\" already exists"), "42710"),
                NodeEnum::CompositeTypeStmt(_) => {
                    exists(format!("relation \"{name}\" already exists"), "42P07")
                }
                _ => return None,
            };
            let other = Object { word: relation.word, id: id.clone() }.to_string();
            Some((other, relation.place, error))
        }
        _ => None,
    }
}

/// The extension that has a type or relation of this name in the same schema.
fn extension_with<'a>(ctx: &Context<'a>, id: &ObjectId) -> Option<(&'a str, Place)> {
    let facts = ctx.facts;
    let has_it = |name: &str| {
        matches!(id.class, Class::Type | Class::Relation)
            && facts.is_member_of(name, id.class, id.schema.as_deref(), &id.name)
            && has_extension(ctx, name)
    };
    // What a script created of an extension goes anyway, and fails on no server that lacks the extension.
    let goes = |finding: &Finding| finding.fix.as_deref().is_some_and(Fix::only_removes);
    if ctx.findings.iter().any(goes) {
        return None;
    }
    let (name, extension) = facts.extensions.iter().find(|(name, _)| has_it(name))?;
    Some((name, extension.place))
}

/// Where the object was created first.
fn first(ctx: &Context<'_>, node: &NodeEnum, Object { word, id }: &Object) -> Option<Place> {
    let facts = ctx.facts;
    match id.class {
        Class::Relation => facts.relations.get(id).map(|found| found.place),
        Class::Schema => facts.schemas.get(&*id.name).map(|found| found.place),
        // Of those that the target has another rule speaks.
        Class::Extension if ctx.target.installed_in(&id.name).is_none() => {
            facts.extensions.get(&*id.name).map(|found| found.place)
        }
        // Others of this class are told apart by more than their names.
        Class::Nameless
            if matches!(
                node,
                NodeEnum::CreateStatsStmt(_)
                    | NodeEnum::CreateConversionStmt(_)
                    | NodeEnum::CreateCastStmt(_)
            ) =>
        {
            facts.objects.get(id).filter(|found| found.word == *word).map(|found| found.place)
        }
        Class::Function | Class::Operator | Class::OperatorClass => {
            let signature = signature(node)?;
            let same = |overload: &crate::facts::Overload| overload.signature.types == signature.types;
            facts.overloads.get(id).is_some_and(|all| all.iter().any(same)).then_some(())?;
            facts.objects.get(id).map(|found| found.place)
        }
        Class::Type
        | Class::Collation
        | Class::Attached
        | Class::EventTrigger
        | Class::Publication
        | Class::Subscription
        | Class::Server => facts.objects.get(id).map(|found| found.place),
        class if class.is_text_search() => facts.objects.get(id).map(|found| found.place),
        // Others are told apart by more than their names, or have rules of their own.
        _ => None,
    }
}

/// The server's words.
fn error(object: &Object, id: &ObjectId) -> ServerError {
    let name = &id.name;
    match (id.class, id.part.as_deref()) {
        (Class::Relation, _) => ServerError::new("42P07", format!("relation \"{name}\" already exists")),
        (Class::Schema, _) => ServerError::new("42P06", format!("schema \"{name}\" already exists")),
        (Class::Function, _) => {
            ServerError::new("42723", format!("function \"{name}\" already exists with same argument types"))
        }
        (Class::Operator, _) => ServerError::new("42723", format!("operator {name} already exists")),
        (Class::Attached, Some(part)) => {
            let of = if object.word == "policy" { "table" } else { "relation" };
            let text = format!("{} \"{part}\" for {of} \"{name}\" already exists", object.word);
            ServerError::new("42710", text)
        }
        (Class::Nameless, _) if object.word == "cast" => {
            let types = name.trim_matches(['(', ')']).replacen(" AS ", " to type ", 1);
            ServerError::new("42710", format!("cast from type {types} already exists"))
        }
        // A domain, too.
        (Class::Nameless, _) if object.word == "statistics" => {
            ServerError::new("42710", format!("statistics object \"{name}\" already exists"))
        }
        (Class::Type, _) => ServerError::new("42710", format!("type \"{name}\" already exists")),
        _ => ServerError::new("42710", format!("{} \"{name}\" already exists", object.word)),
    }
}

/// OR REPLACE or IF NOT EXISTS.
fn may_exist(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::CreateStmt(s) => s.if_not_exists,
        NodeEnum::CreateForeignTableStmt(s) => s.base_stmt.as_ref().is_some_and(|base| base.if_not_exists),
        NodeEnum::CreateTableAsStmt(s) => s.if_not_exists,
        NodeEnum::ViewStmt(s) => s.replace,
        NodeEnum::CreateSeqStmt(s) => s.if_not_exists,
        NodeEnum::IndexStmt(s) => s.if_not_exists,
        NodeEnum::CreateFunctionStmt(s) => s.replace,
        NodeEnum::DefineStmt(s) => s.replace || s.if_not_exists,
        NodeEnum::CreateSchemaStmt(s) => s.if_not_exists,
        NodeEnum::CreateTrigStmt(s) => s.replace,
        NodeEnum::RuleStmt(s) => s.replace,
        NodeEnum::CreateForeignServerStmt(s) => s.if_not_exists,
        NodeEnum::CreateExtensionStmt(s) => s.if_not_exists,
        NodeEnum::CreateStatsStmt(s) => s.if_not_exists,
        _ => false,
    }
}
