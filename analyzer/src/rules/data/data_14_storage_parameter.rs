//! DATA-14: storage parameters that the target does not have.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::hypertables::is_own;
use crate::facts::names::{option_is_on, options, qualified, relation};
use crate::facts::objects::{created, subject};
use crate::facts::timescale::Version;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, StatementKind, Token, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule};
use crate::rules::clauses::from_list;
use crate::target::{Storage, has_storage_parameter, refused_storage_value};

pub(crate) const RULE: Rule = Rule {
    id: "DATA-14",
    name: "storage-parameter",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("storage parameters of another version or of a fork"),
    statements: &[
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::ViewStmt,
        StatementKind::IndexStmt,
        StatementKind::AlterTableStmt,
    ],
    after: &["IN-06"],
    doc: Doc {
        summary: "A storage parameter that the target does not have, or with a value that it refuses.",
        what: "WITH (…) of tables, views, materialized views and indexes, and ALTER … SET (…), with a name that the target's \
               version does not know for that kind of relation: appendonly of Greenplum, colocation of YugabyteDB, a \
               parameter of an index on a table. Any parameter of a table in partitions. A value out of range, or of another \
               type. Parameters of an extension's access \
               method are not looked at.",
        why: "The server takes the parameters that it knows, and refuses the statement for any other.",
        server: &[
            "22023 unrecognized parameter \"appendonly\"",
            "22023 unrecognized parameter namespace \"nosuch\"",
            "22023 value 5 out of bounds for option \"fillfactor\"",
            "42809 cannot specify storage parameters for a partitioned table (17, 18)",
        ],
        help: "Remove the parameter: it says how rows are stored, not what they are. Give parameters of a table in partitions to \
               its partitions.",
        before: "CREATE TABLE public.events (id integer) WITH (appendonly=true, fillfactor=70);",
        after: "CREATE TABLE public.events (id integer) WITH (fillfactor=70);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/access/common/reloptions.c, parseRelOptions, transformRelOptions, partitioned_table_reloptions",
            "asked of 15.18, 17.12 and 18.6 (target/storage.rs)",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS",
    },
    check,
    ..Rule::DEFAULT
};

/// A list of storage parameters, with its place in the tree.
struct Parameters<'a> {
    nodes: &'a [pg::Node],
    path: String,
    /// What they are for; `None` for a table in partitions.
    storage: Option<Storage<'a>>,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.is_removed() {
        return;
    }
    if let Some(draft) = hypertable_by_parameters(ctx, node) {
        ctx.report(draft);
        return;
    }
    for list in lists(ctx, node) {
        report(ctx, statement, node, &list);
    }
}

/// The first version that makes a hypertable of CREATE TABLE … WITH (TimescaleDB's CHANGELOG, 2.20.0).
const BY_PARAMETERS: Version = Version(2, 20, 0);

/// A hypertable made by parameters of CREATE TABLE, which an older TimescaleDB does not know. Without them it would be a plain
/// table, so that nothing is taken out.
fn hypertable_by_parameters(ctx: &Context<'_>, node: &NodeEnum) -> Option<Draft> {
    let NodeEnum::CreateStmt(s) = node else { return None };
    let installed = ctx.target.timescaledb.installed.filter(|installed| *installed < BY_PARAMETERS)?;
    let namespace = &options(&s.options).find(|option| is_own(option))?.defnamespace;
    let words = created(node).map_or_else(|| "this table".to_owned(), |object| ctx.describe(&object));
    let text = format!("unrecognized parameter namespace \"{namespace}\"");
    Some(
        Draft::new(format!(
            "{words} becomes a hypertable by parameters, which the target's TimescaleDB {}.{} does not know",
            installed.0, installed.1
        ))
        .object(words)
        .server(ServerError::new("22023", text))
        .advice("Create the table without them, then call create_hypertable() on it."),
    )
}

/// The lists of storage parameters in a statement.
fn lists<'a>(ctx: &Context<'_>, node: &'a NodeEnum) -> Vec<Parameters<'a>> {
    use pg::AlterTableType as T;
    let one = |nodes, path: &str, storage| vec![Parameters { nodes, path: path.to_owned(), storage }];
    match node {
        NodeEnum::CreateStmt(s) => {
            let storage = s.partspec.is_none().then_some(Storage::Table);
            let own = matches!(&*s.access_method, "" | "heap")
                .then(|| one(s.options.as_slice(), "/CreateStmt/options", storage));
            let elements = s.table_elts.iter().enumerate().flat_map(|(index, element)| {
                of_constraint(element.node.as_ref(), &format!("/CreateStmt/table_elts/{index}"))
            });
            own.into_iter().flatten().chain(elements).collect()
        }
        NodeEnum::CreateTableAsStmt(s) => s.into.as_ref().map_or_else(Vec::new, |into| {
            one(into.options.as_slice(), "/CreateTableAsStmt/into/options", Some(Storage::Table))
        }),
        NodeEnum::ViewStmt(s) => one(s.options.as_slice(), "/ViewStmt/options", Some(Storage::View)),
        NodeEnum::IndexStmt(s) => {
            one(s.options.as_slice(), "/IndexStmt/options", Some(Storage::Index(&s.access_method)))
        }
        NodeEnum::AlterTableStmt(s) => {
            let storage = match pg::ObjectType::try_from(s.objtype) {
                Ok(pg::ObjectType::ObjectTable | pg::ObjectType::ObjectMatview) => Storage::Table,
                Ok(pg::ObjectType::ObjectView) => Storage::View,
                // The access method is not in the statement.
                Ok(pg::ObjectType::ObjectIndex) => {
                    s.relation.as_ref().map_or(Storage::AnyIndex, |range| of_index(ctx, range))
                }
                _ => return Vec::new(),
            };
            let commands = s.cmds.iter().enumerate().flat_map(|(index, command)| {
                let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return Vec::new() };
                let path = format!("/AlterTableStmt/cmds/{index}/AlterTableCmd/def");
                match command.def.as_ref().and_then(|def| def.node.as_ref()) {
                    Some(NodeEnum::List(list)) if command.subtype == T::AtSetRelOptions as i32 => {
                        one(list.items.as_slice(), &format!("{path}/List/items"), Some(storage))
                    }
                    definition => of_constraint(definition, &path),
                }
            });
            commands.collect()
        }
        _ => Vec::new(),
    }
}

/// What an index that the files create takes.
fn of_index(ctx: &Context<'_>, range: &pg::RangeVar) -> Storage<'static> {
    let (schema, name) = relation(range);
    let id = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let Some((schema, name)) = ctx.facts.symbols_of(&id) else { return Storage::AnyIndex };
    let mut all = ctx.facts.indexes.iter().rev();
    let found = all.find(|index| index.schema == schema && index.name == name);
    found.map_or(Storage::AnyIndex, |index| Storage::of_index(ctx.facts.names.name(index.method)))
}

/// The parameters of the index of a key or an exclusion constraint, also of one behind a column.
fn of_constraint<'a>(element: Option<&'a NodeEnum>, path: &str) -> Vec<Parameters<'a>> {
    match element {
        // Others have options of their own: those of a sequence.
        Some(NodeEnum::Constraint(one)) if has_index(one) => {
            let method = if one.access_method.is_empty() { "btree" } else { &one.access_method };
            // Without a method an exclusion is by gist.
            let is_exclusion = one.contype == pg::ConstrType::ConstrExclusion as i32;
            let method = if is_exclusion && one.access_method.is_empty() { "gist" } else { method };
            let path = format!("{path}/Constraint/options");
            vec![Parameters { nodes: one.options.as_slice(), path, storage: Some(Storage::Index(method)) }]
        }
        Some(NodeEnum::ColumnDef(column)) => {
            let constraints = column.constraints.iter().enumerate();
            constraints
                .flat_map(|(index, one)| {
                    of_constraint(one.node.as_ref(), &format!("{path}/ColumnDef/constraints/{index}"))
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn has_index(constraint: &pg::Constraint) -> bool {
    use pg::ConstrType as C;
    matches!(C::try_from(constraint.contype), Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrExclusion))
}

/// Why the server refuses a parameter.
fn refusal(ctx: &Context<'_>, storage: Option<Storage<'_>>, option: &pg::DefElem) -> Option<ServerError> {
    let name = &*option.defname;
    let unknown = || Some(ServerError::new("22023", format!("unrecognized parameter \"{name}\"")));
    let Some(storage) = storage else {
        return match &*option.defnamespace {
            "" if name == "oids" && !option_is_on(option) => None,
            "" if ctx.target.version < 17 => unknown(),
            "" => {
                Some(ServerError::new("42809", "cannot specify storage parameters for a partitioned table"))
            }
            _ => None,
        };
    };
    let storage = match (storage, &*option.defnamespace) {
        (storage, "") => storage,
        (Storage::Table, "toast") => Storage::Toast,
        // TimescaleDB's own, which it takes away before PostgreSQL looks.
        (_, "timescaledb" | "tsdb") => return None,
        (_, namespace) => {
            let text = format!("unrecognized parameter namespace \"{namespace}\"");
            return Some(ServerError::new("22023", text));
        }
    };
    if name == "oids" && matches!(storage, Storage::Table) && option_is_on(option) {
        return Some(ServerError::new("0A000", "tables declared WITH OIDS are not supported"));
    }
    match has_storage_parameter(storage, name, ctx.target.version) {
        Some(true) => {
            let text = refused_storage_value(name, &value(option)?)?;
            Some(ServerError::new("22023", text))
        }
        Some(false) => unknown(),
        None => None,
    }
}

/// The value of a parameter as the server reads it: `true` where there is none.
fn value(option: &pg::DefElem) -> Option<String> {
    match option.arg.as_ref().map(|arg| arg.node.as_ref()) {
        None => Some("true".to_owned()),
        Some(Some(NodeEnum::Integer(integer))) => Some(integer.ival.to_string()),
        Some(Some(NodeEnum::Float(float))) => Some(float.fval.clone()),
        Some(Some(NodeEnum::Boolean(boolean))) => Some(boolean.boolval.to_string()),
        Some(Some(NodeEnum::String(string))) => Some(string.sval.clone()),
        // A bare word.
        Some(Some(NodeEnum::TypeName(name))) => qualified(&name.names).map(|(_, name)| name.to_owned()),
        Some(_) => None,
    }
}

fn report(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum, list: &Parameters<'_>) {
    let found: Vec<(usize, &pg::DefElem, ServerError)> = options(list.nodes)
        .enumerate()
        .filter_map(|(index, option)| Some((index, option, refusal(ctx, list.storage, option)?)))
        .collect();
    let Some((_, first, error)) = found.first() else { return };
    let said = |finding: &Finding| finding.server_error.as_ref().is_some_and(|said| said.text == error.text);
    if ctx.findings.iter().any(said) {
        return;
    }
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let names: Vec<String> = found.iter().map(|(_, option, _)| name(option)).collect();
    let message = match list.storage {
        None => format!(
            "{words} is partitioned: the server refuses storage parameters for it ({})",
            names.join(", ")
        ),
        Some(_) if has_value(error) => {
            format!("the server refuses a value of storage parameter {} for {words}", names.join(", "))
        }
        Some(_) => format!(
            "PostgreSQL {} has no storage parameter {} for {words}",
            ctx.target.version,
            names.join(", ")
        ),
    };
    let mut draft = Draft::new(message).object(words.clone()).server(error.clone());
    if let Some(range) = usize::try_from(first.location).ok().and_then(|at| statement.name_at(at)) {
        draft = draft.at(range);
    }
    let gone: Vec<usize> = found.iter().map(|(index, ..)| *index).collect();
    let title = format!("Remove {}", names.join(", "));
    let fix = match from_list(statement, list.nodes, &gone) {
        Some(ranges) => Some(ranges.into_iter().fold(FixDraft::edit(title), FixDraft::delete)),
        None => whole(statement, node, first, title),
    };
    if let Some(fix) = fix {
        let edits = !sets(node) || gone.len() < list.nodes.len();
        let fix = if edits {
            gone.iter().fold(fix, |fix, index| fix.change(Change::Remove(format!("{}/{index}", list.path))))
        } else {
            fix
        };
        draft = draft.fix(fix.lost(format!("storage parameter {} of {words}", names.join(", "))));
    }
    ctx.report(draft);
}

/// True where it is the value that the server refuses.
fn has_value(error: &ServerError) -> bool {
    error.text.starts_with("value ") || error.text.starts_with("invalid value")
}

/// Removes all of a statement's storage parameters: the clause, or an ALTER that does nothing else.
fn whole(statement: &Statement<'_>, node: &NodeEnum, first: &pg::DefElem, title: String) -> Option<FixDraft> {
    if let NodeEnum::AlterTableStmt(s) = node
        && sets(node)
    {
        return (s.cmds.len() == 1).then(|| FixDraft::removal(title));
    }
    let first = usize::try_from(first.location).ok()?;
    let code: Vec<&Token> = statement.code().collect();
    let is_open = |token: &Token| token.text(statement.sql()) == "(";
    let is_with =
        |two: &[&Token]| two[0].is_word(statement.sql(), "WITH") && is_open(two[1]) && two[1].start < first;
    let at = code.windows(2).rposition(is_with)?;
    let depth = code[at].depth;
    let close =
        code.iter().skip(at + 2).find(|token| token.depth == depth && token.text(statement.sql()) == ")")?;
    Some(FixDraft::edit(title).delete(statement.with_gap(&(code[at].start..close.end))))
}

/// ALTER … SET (…): without its parameters nothing is left of it.
fn sets(node: &NodeEnum) -> bool {
    let is_set = |command: &pg::Node| {
        matches!(&command.node, Some(NodeEnum::AlterTableCmd(one))
            if one.subtype == pg::AlterTableType::AtSetRelOptions as i32)
    };
    matches!(node, NodeEnum::AlterTableStmt(s) if s.cmds.iter().any(is_set))
}

fn name(option: &pg::DefElem) -> String {
    if option.defnamespace.is_empty() {
        option.defname.clone()
    } else {
        format!("{}.{}", option.defnamespace, option.defname)
    }
}
