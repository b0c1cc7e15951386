//! Statements that create a hypertable on the target, and what is one by now.

use super::names::{is_true, option, option_text, options, qualified, text};
use super::state::Facts;
pub use super::table_types::Hypertable;
use super::{Absence, ObjectId};
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, Tokens, pg};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// `create_hypertable`.
    Create,
    /// `add_dimension`.
    AddDimension,
}

/// `SELECT create_hypertable(…)`, `SELECT add_dimension(…)`, in any of their forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub kind: CallKind,
    /// The table, its schema resolved.
    pub table: ObjectId,
    /// The columns: the time column, then those for partitions in space.
    pub columns: Vec<Box<str>>,
    /// `migrate_data => true`.
    pub migrates: bool,
    /// `if_not_exists => true`.
    pub if_not_exists: bool,
}

/// What CREATE TABLE … WITH (tsdb.hypertable, …) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// `tsdb.partition_column`.
    pub column: Option<Box<str>>,
}

impl Facts {
    /// The hypertable that a relation is at this point.
    #[must_use]
    pub fn hypertable(&self, range: &pg::RangeVar) -> Option<(ObjectId, &Hypertable)> {
        if self.converted.is_empty() {
            return None;
        }
        let id = self.table_id(range);
        let hypertable = self.converted.get(&id)?;
        Some((id, hypertable))
    }

    /// The call that a statement consists of.
    #[must_use]
    pub fn hypertable_call(&self, node: &NodeEnum) -> Option<Call> {
        let NodeEnum::SelectStmt(select) = node else { return None };
        let call = called(select)?;
        let (_, function) = qualified(&call.funcname)?;
        let kind = match function {
            "create_hypertable" => CallKind::Create,
            "add_dimension" => CallKind::AddDimension,
            _ => return None,
        };
        let argument = |position: usize, name: &str| argument(call, position, name);
        let first = if kind == CallKind::Create { "relation" } else { "hypertable" };
        let table = argument(0, first).and_then(text).and_then(regclass)?;
        let table = self.resolved(&ObjectId::new(Class::Relation, table.0.as_deref(), &table.1));
        let mut columns: Vec<Box<str>> = Vec::new();
        let second = if kind == CallKind::Create { "time_column_name" } else { "column_name" };
        columns.extend(argument(1, second).or_else(|| named(call, "dimension")).and_then(dimension));
        columns.extend(argument(2, "partitioning_column").and_then(text).map(Into::into));
        if kind == CallKind::AddDimension {
            columns.truncate(1);
        }
        let is_on = |name| named(call, name).is_some_and(is_true);
        Some(Call {
            kind,
            table,
            columns,
            migrates: is_on("migrate_data"),
            if_not_exists: is_on("if_not_exists"),
        })
    }

    pub(super) fn becomes_hypertable(&mut self, node: &NodeEnum, place: Place, absence: Option<&Absence>) {
        if absence.is_some() {
            if let Some(call) = self.hypertable_call(node) {
                self.refused_hypertables.insert(call.table);
            }
            return;
        }
        match node {
            NodeEnum::SelectStmt(_) => {
                let Some(call) = self.hypertable_call(node) else { return };
                match call.kind {
                    CallKind::Create => {
                        let new = Hypertable { columns: call.columns, place, columnstore: false };
                        self.converted.entry(call.table).or_insert(new);
                    }
                    CallKind::AddDimension => {
                        if let Some(hypertable) = self.converted.get_mut(&call.table) {
                            hypertable.columns.extend(call.columns);
                        }
                    }
                }
            }
            NodeEnum::CreateStmt(s) => {
                let (Some(declaration), Some(range)) = (declared(s), &s.relation) else { return };
                let id = self.table_id(range);
                let column = declaration.column.or_else(|| self.only_time_column(&id));
                let columns = column.into_iter().collect();
                self.converted.insert(id, Hypertable { columns, place, columnstore: true });
            }
            NodeEnum::AlterTableStmt(s) => {
                let Some(range) = &s.relation else { return };
                let on = s.cmds.iter().any(|command| {
                    matches!(&command.node,
                    Some(NodeEnum::AlterTableCmd(command)) if sets_columnstore(command))
                });
                if on {
                    let id = self.table_id(range);
                    if let Some(hypertable) = self.converted.get_mut(&id) {
                        hypertable.columnstore = true;
                    }
                }
            }
            NodeEnum::DropStmt(s) if !self.converted.is_empty() => {
                for object in &s.objects {
                    if let Some(NodeEnum::List(list)) = &object.node
                        && let Some((schema, name)) = qualified(&list.items)
                    {
                        let id = self.resolved(&ObjectId::new(Class::Relation, schema, name));
                        self.converted.remove(&id);
                    }
                }
            }
            _ => {}
        }
    }

    /// The first column of a time type: what TimescaleDB takes where nothing else is said.
    fn only_time_column(&self, id: &ObjectId) -> Option<Box<str>> {
        let columns = &self.relations.get(id)?.columns;
        let is_time = |data_type: &str| data_type.contains("timestamp") || data_type.ends_with("date");
        let column = columns.iter().find(|column| is_time(self.names.name(column.data_type)))?;
        Some(self.names.name(column.name).into())
    }
}

/// The options of CREATE TABLE that create a hypertable.
#[must_use]
pub fn declared(s: &pg::CreateStmt) -> Option<Declaration> {
    let own: Vec<&pg::DefElem> = options(&s.options).filter(|option| is_own(option)).collect();
    own.iter().find(|option| option.defname == "hypertable" && super::names::option_is_on(option))?;
    let column = own.iter().find(|option| option.defname == "partition_column");
    Some(Declaration { column: column.and_then(|option| option_text(option)).map(Into::into) })
}

/// True for a parameter of TimescaleDB's.
pub(crate) fn is_own(option: &pg::DefElem) -> bool {
    matches!(option.defnamespace.as_str(), "tsdb" | "timescaledb")
}

/// ALTER TABLE … SET (timescaledb.compress), under any of its names.
#[must_use]
pub fn sets_columnstore(command: &pg::AlterTableCmd) -> bool {
    let Some(NodeEnum::List(list)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
        return false;
    };
    ["compress", "enable_columnstore", "columnstore"].iter().any(|name| {
        option(&list.items, name).is_some_and(|option| is_own(option) && super::names::option_is_on(option))
    })
}

/// The text that names a table in a call of TimescaleDB: its first argument, or the one of that name.
#[must_use]
pub fn named_table(node: &NodeEnum) -> Option<&str> {
    let call = match node {
        NodeEnum::SelectStmt(select) => called(select)?,
        NodeEnum::CallStmt(s) => s.funccall.as_ref()?,
        _ => return None,
    };
    ["relation", "hypertable", "continuous_aggregate"]
        .iter()
        .find_map(|name| argument(call, 0, name))
        .and_then(text)
}

/// The function that a SELECT calls, and that is all it does.
pub(crate) fn called(select: &pg::SelectStmt) -> Option<&pg::FuncCall> {
    let [NodeEnum::ResTarget(target)] =
        select.target_list.iter().filter_map(|node| node.node.as_ref()).collect::<Vec<_>>()[..]
    else {
        return None;
    };
    if let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? {
        return Some(call);
    }
    // SELECT * FROM create_hypertable(…), SELECT … FROM create_hypertable(…).
    let [from] = select.from_clause.as_slice() else { return None };
    let NodeEnum::RangeFunction(function) = from.node.as_ref()? else { return None };
    let NodeEnum::List(list) = function.functions.first()?.node.as_ref()? else { return None };
    match list.items.first()?.node.as_ref()? {
        NodeEnum::FuncCall(call) => Some(call),
        _ => None,
    }
}

fn named<'a>(call: &'a pg::FuncCall, name: &str) -> Option<&'a pg::Node> {
    call.args.iter().find_map(|arg| match arg.node.as_ref()? {
        NodeEnum::NamedArgExpr(given) if given.name == name => given.arg.as_deref(),
        _ => None,
    })
}

fn argument<'a>(call: &'a pg::FuncCall, position: usize, name: &str) -> Option<&'a pg::Node> {
    let given = call.args.get(position).filter(|arg| !matches!(&arg.node, Some(NodeEnum::NamedArgExpr(_))));
    given.or_else(|| named(call, name))
}

/// `'ts'`, `by_range('ts', …)`, `by_hash('id', 4)`.
fn dimension(node: &pg::Node) -> Option<Box<str>> {
    match node.node.as_ref()? {
        NodeEnum::FuncCall(call) => {
            let (_, function) = qualified(&call.funcname)?;
            let column = argument(call, 0, "column_name").and_then(text);
            column.filter(|_| matches!(function, "by_range" | "by_hash")).map(Into::into)
        }
        _ => text(node).map(Into::into),
    }
}

/// The schema and the name in the text of a regclass: `app."T"`.
#[must_use]
pub fn regclass(text: &str) -> Option<(Option<String>, String)> {
    let tokens = Tokens::scan(text);
    let parts: Vec<_> = tokens.iter().filter_map(|token| token.identifier(text)).collect();
    match parts.as_slice() {
        [name] => Some((None, name.clone())),
        [schema, name] | [_, schema, name] => Some((Some(schema.clone()), name.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, Target, analyze};

    fn facts(sql: &str) -> Facts {
        analyze(&[Input { name: "d", text: sql.as_bytes() }], &Target::default(), &Options::default())
            .unwrap()
            .facts
    }

    #[test]
    fn hypertables_are_known_in_every_form_of_the_call() {
        for call in [
            "SELECT create_hypertable('app.m', 'ts');",
            "SELECT public.create_hypertable('app.m'::regclass, public.by_range('ts', INTERVAL '1 day'));",
            "SELECT * FROM create_hypertable('app.\"m\"', by_range('ts'), if_not_exists => TRUE);",
            "SELECT create_hypertable(relation => 'app.m', time_column_name => 'ts');",
            "SELECT create_hypertable('app.m', dimension => by_range(column_name => 'ts'));",
        ] {
            let facts = facts(&format!("CREATE TABLE app.m (ts timestamptz NOT NULL, a int);\n{call}\n"));
            let id = ObjectId::new(Class::Relation, Some("app"), "m");
            let columns = facts.converted.get(&id).map(|hypertable| hypertable.columns.clone());
            assert_eq!(columns, Some(vec!["ts".into()]), "{call}");
        }
    }

    #[test]
    fn a_dimension_in_space_is_a_second_column() {
        let sql = "CREATE TABLE m (ts timestamptz NOT NULL, a int, b int);\n\
                   SELECT create_hypertable('m', 'ts', 'a', 4);\nSELECT add_dimension('m', by_hash('b', 4));\n";
        let facts = facts(sql);
        let columns = facts.converted.into_values().next().unwrap().columns;
        assert_eq!(columns, ["ts", "a", "b"].map(Box::<str>::from));
    }

    #[test]
    fn a_table_can_be_declared_a_hypertable() {
        let sql = "CREATE TABLE m (ts timestamptz NOT NULL, a int) WITH (tsdb.hypertable, tsdb.partition_column='ts');";
        let hypertable = facts(sql).converted.into_values().next().unwrap();
        assert_eq!((hypertable.columns, hypertable.columnstore), (vec!["ts".into()], true));
    }
}
