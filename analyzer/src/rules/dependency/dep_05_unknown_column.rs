//! DEP-05: columns that their tables do not have.

use crate::edit::{Action, Safety};
use crate::facts::ObjectId;
use crate::facts::names::{option, qualified, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, ColumnName, NodeEnum, StatementKind, columns_in, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, Rule, Unjudged};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-05",
    name: "unknown-column",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("columns that a script misspells"),
    statements: &[
        StatementKind::InsertStmt,
        StatementKind::UpdateStmt,
        StatementKind::CopyStmt,
        StatementKind::IndexStmt,
        StatementKind::CreateStmt,
        StatementKind::AlterTableStmt,
        StatementKind::RenameStmt,
        StatementKind::CommentStmt,
        StatementKind::GrantStmt,
        StatementKind::CreateTrigStmt,
        StatementKind::CreateStatsStmt,
        StatementKind::CreateSeqStmt,
        StatementKind::AlterSeqStmt,
        StatementKind::SelectStmt,
    ],
    after: &["*", "DEP-01", "DEP-02"],
    doc: Doc {
        summary: "A column that the table does not have.",
        what: "Columns in the lists of INSERT, UPDATE, COPY, GRANT, triggers, indexes, statistics and keys, in checks, \
               partition keys and expressions of indexes, those that ALTER TABLE, COMMENT and OWNED BY name, and those that create_hypertable names, of tables \
               whose columns the files tell. Queries and views are not looked at: a script with any is not called ready.",
        why: "The server looks the column up when the statement runs.",
        server: &[
            "42703 column \"totl\" of relation \"orders\" does not exist",
            "42703 column \"totl\" does not exist",
            "42703 column \"totl\" named in key does not exist",
            "42703 column \"totl\" referenced in foreign key constraint does not exist",
        ],
        help: "Write the column's name as CREATE TABLE does, or add the column before.",
        before: "CREATE TABLE public.orders (id integer, total numeric);\nINSERT INTO public.orders (id, totl) VALUES (1, 2);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/parser/parse_target.c, checkInsertTargets; parse_utilcmd.c, transformIndexConstraint; \
             commands/copy.c, CopyGetAttnums; commands/tablecmds.c",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-alter.html",
    },
    check,
    ..Rule::DEFAULT
};

/// How the server names the column in its answer.
#[derive(Clone, Copy)]
enum Use {
    /// Of its table.
    Listed,
    /// By itself.
    Plain,
    Key,
    ForeignKey,
    PartitionKey,
}

/// A column that a statement names.
struct Named {
    table: ObjectId,
    column: String,
    /// Byte offset in the statement.
    location: Option<u32>,
    used: Use,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.findings.iter().any(says_it_all) {
        return;
    }
    let mut names = Names { ctx: &*ctx, own: Own::of(ctx, node), found: None, is_unknown: false };
    names.statement(node);
    let Names { found, is_unknown, .. } = names;
    if is_unknown && !ctx.facts.is_dump {
        ctx.not_judged(Unjudged::Columns);
    }
    let found = found.or_else(|| of_hypertable(ctx, node));
    let Some(Named { table, column, location, used }) = found else { return };
    if ctx.facts.dynamic {
        ctx.not_judged(Unjudged::Objects);
        return;
    }
    let what = match used {
        Use::Listed => format!(" of relation \"{}\"", table.name),
        Use::Plain => String::new(),
        Use::Key => " named in key".to_owned(),
        Use::ForeignKey => " referenced in foreign key constraint".to_owned(),
        Use::PartitionKey => " named in partition key".to_owned(),
    };
    let mut draft = Draft::new(format!("table {} has no column {column}", table.path()))
        .object(format!("table {}", table.path()))
        .server(ServerError::new("42703", format!("column \"{column}\"{what} does not exist")));
    if let Some(first) = ctx.facts.relations.get(&table) {
        draft = draft.related(first.place, "the table");
    }
    let range = location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
    if let Some(range) = range.filter(|range| !range.is_empty()) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// A column that decides about chunks, of those that create_hypertable names.
fn of_hypertable(ctx: &Context<'_>, node: &NodeEnum) -> Option<Named> {
    let call = ctx.facts.hypertable_call(node)?;
    let column = call.columns.iter().find(|name| ctx.facts.has_column(&call.table, name) == Some(false))?;
    Some(Named { column: column.to_string(), table: call.table, location: None, used: Use::Plain })
}

/// Another rule has said that the statement fails or goes as a whole.
fn says_it_all(finding: &Finding) -> bool {
    let action = finding.fix.as_ref().map(|fix| &fix.action);
    finding.severity == Severity::Error
        && !matches!(action, Some(Action::Edit { .. } | Action::Surround { .. }))
}

/// The table that a statement creates or changes, and the columns that it gives it.
struct Own<'a> {
    table: Option<ObjectId>,
    creates: bool,
    columns: Vec<&'a str>,
    /// Tables whose columns it takes.
    parents: Vec<ObjectId>,
    /// It takes others that are not listed.
    has_more: bool,
}

impl<'a> Own<'a> {
    fn of(ctx: &Context<'_>, node: &'a NodeEnum) -> Self {
        let mut own =
            Self { table: None, creates: false, columns: Vec::new(), parents: Vec::new(), has_more: false };
        match node {
            NodeEnum::CreateStmt(s) => {
                own.table = ctx.created(node).map(|object| object.id);
                own.creates = true;
                own.has_more = s.of_typename.is_some();
                for element in &s.table_elts {
                    own.element(element.node.as_ref());
                }
                for parent in &s.inh_relations {
                    if let Some(NodeEnum::RangeVar(range)) = &parent.node {
                        own.parents.push(ctx.facts.table_id(range));
                    }
                }
            }
            NodeEnum::AlterTableStmt(s) => {
                own.table = s.relation.as_ref().map(|range| ctx.facts.table_id(range));
                for command in s.cmds.iter().filter_map(command) {
                    if command.subtype == pg::AlterTableType::AtAddColumn as i32 {
                        own.element(command.def.as_ref().and_then(|def| def.node.as_ref()));
                    }
                }
            }
            _ => {}
        }
        own
    }

    fn element(&mut self, element: Option<&'a NodeEnum>) {
        match element {
            Some(NodeEnum::ColumnDef(column)) => self.columns.push(&column.colname),
            Some(NodeEnum::TableLikeClause(_)) => self.has_more = true,
            _ => {}
        }
    }
}

/// Looks for the first column that does not exist.
struct Names<'a, 'c> {
    ctx: &'c Context<'c>,
    own: Own<'a>,
    found: Option<Named>,
    /// Not all columns of some table are known.
    is_unknown: bool,
}

impl Names<'_, '_> {
    fn has(&self, table: &ObjectId, column: &str) -> Option<bool> {
        let own = &self.own;
        let of_facts = |table| self.ctx.facts.has_column(table, column);
        if own.table.as_ref() != Some(table) {
            return of_facts(table);
        }
        if own.columns.contains(&column) {
            return Some(true);
        }
        if !own.creates {
            return of_facts(table);
        }
        let of_parents = own.parents.iter().map(of_facts);
        of_parents.fold((!own.has_more).then_some(false), |has, of_parent| match (has, of_parent) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        })
    }

    fn name(&mut self, table: &ObjectId, column: &str, location: Option<u32>, used: Use) {
        if self.found.is_some() || column.is_empty() {
            return;
        }
        match self.has(table, column) {
            Some(true) => {}
            None => self.is_unknown = true,
            Some(false) => {
                self.found = Some(Named { table: table.clone(), column: column.to_owned(), location, used });
            }
        }
    }

    /// Names, index elements, and what else lists columns or expressions.
    fn list(&mut self, table: &ObjectId, columns: &[pg::Node], used: Use) {
        for column in columns {
            match &column.node {
                Some(NodeEnum::String(name)) => self.name(table, &name.sval, None, used),
                Some(NodeEnum::ResTarget(target)) => {
                    self.name(table, &target.name, u32::try_from(target.location).ok(), used);
                }
                Some(NodeEnum::IndexElem(element)) => {
                    self.name(table, &element.name, None, used);
                    self.expression(table, element.expr.as_deref());
                }
                Some(NodeEnum::PartitionElem(element)) => {
                    self.name(table, &element.name, u32::try_from(element.location).ok(), used);
                    self.expression(table, element.expr.as_deref());
                }
                Some(NodeEnum::StatsElem(element)) => {
                    self.name(table, &element.name, None, used);
                    self.expression(table, element.expr.as_deref());
                }
                // Of an exclusion: the element and its operator.
                Some(NodeEnum::List(list)) => self.list(table, list.items.get(..1).unwrap_or_default(), used),
                _ => {}
            }
        }
    }

    /// An expression over the columns of one table.
    fn expression(&mut self, table: &ObjectId, expression: Option<&pg::Node>) {
        let Some(expression) = expression else { return };
        let Some(columns) = columns_in(std::slice::from_ref(expression)) else {
            self.is_unknown = true;
            return;
        };
        for ColumnName { names, location } in columns {
            match names.as_slice() {
                [row] if **row == *table.name => {}
                [row, star] if **row == *table.name && star == "*" => {}
                [.., star] if star == "*" => self.is_unknown = true,
                [column] => self.name(table, column, location, Use::Plain),
                // What is no column may be a function of the row: `t.f` is `f(t)` then.
                [of, column] if **of == *table.name && self.has(table, column) == Some(true) => {}
                _ => self.is_unknown = true,
            }
        }
    }

    fn statement(&mut self, node: &NodeEnum) {
        let facts = self.ctx.facts;
        let table = |range: Option<&pg::RangeVar>| range.map(|range| facts.table_id(range));
        match node {
            NodeEnum::InsertStmt(s) => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.list(&table, &s.cols, Use::Listed);
                if let Some(conflict) = &s.on_conflict_clause {
                    let elements = conflict.infer.as_ref().map_or(&[][..], |infer| &infer.index_elems);
                    self.list(&table, elements, Use::Plain);
                    self.list(&table, &conflict.target_list, Use::Listed);
                }
            }
            NodeEnum::UpdateStmt(s) => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.list(&table, &s.target_list, Use::Listed);
            }
            NodeEnum::CopyStmt(s) => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.list(&table, &s.attlist, Use::Listed);
            }
            NodeEnum::IndexStmt(s) => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.list(&table, &s.index_params, Use::Plain);
                self.list(&table, &s.index_including_params, Use::Plain);
                self.expression(&table, s.where_clause.as_deref());
            }
            NodeEnum::CreateTrigStmt(s) => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.list(&table, &s.columns, Use::Listed);
            }
            NodeEnum::CreateStatsStmt(s) => {
                let [pg::Node { node: Some(NodeEnum::RangeVar(range)) }] = s.relations.as_slice() else {
                    return;
                };
                self.list(&facts.table_id(range), &s.exprs, Use::Plain);
            }
            NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectColumn as i32 => {
                let Some(table) = table(s.relation.as_ref()) else { return };
                self.name(&table, &s.subname, None, Use::Plain);
            }
            NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectColumn as i32 => {
                if let Some(NodeEnum::List(list)) = s.object.as_ref().and_then(|object| object.node.as_ref())
                {
                    self.path(&list.items);
                }
            }
            NodeEnum::CreateSeqStmt(s) => self.owned_by(&s.options),
            NodeEnum::AlterSeqStmt(s) => self.owned_by(&s.options),
            NodeEnum::GrantStmt(s) => self.privileges(s),
            NodeEnum::CreateStmt(s) => self.table(s),
            NodeEnum::AlterTableStmt(s) => self.altered(s),
            _ => {}
        }
    }

    /// A column behind its table: `schema.table.column`.
    fn path(&mut self, names: &[pg::Node]) {
        if let Some((column, table)) = names.split_last()
            && let (Some(column), Some((schema, table))) = (string(column), qualified(table))
        {
            let table = self.ctx.resolved(&ObjectId::new(Class::Relation, schema, table));
            self.name(&table, column, None, Use::Listed);
        }
    }

    fn owned_by(&mut self, options: &[pg::Node]) {
        let owner = option(options, "owned_by").and_then(|option| option.arg.as_ref()?.node.as_ref());
        if let Some(NodeEnum::List(list)) = owner {
            self.path(&list.items);
        }
    }

    fn privileges(&mut self, s: &pg::GrantStmt) {
        let columns = s.privileges.iter().filter_map(|privilege| match &privilege.node {
            Some(NodeEnum::AccessPriv(privilege)) => Some(privilege.cols.as_slice()),
            _ => None,
        });
        for columns in columns {
            for object in &s.objects {
                if let Some(NodeEnum::RangeVar(range)) = &object.node {
                    self.list(&self.ctx.facts.table_id(range), columns, Use::Listed);
                }
            }
        }
    }

    fn table(&mut self, s: &pg::CreateStmt) {
        let Some(table) = self.own.table.clone() else { return };
        for element in &s.table_elts {
            self.element(&table, element);
        }
        let by = s.partspec.as_ref().map_or(&[][..], |by| &by.part_params);
        self.list(&table, by, Use::PartitionKey);
    }

    /// A column's constraints, or one of the table.
    fn element(&mut self, table: &ObjectId, element: &pg::Node) {
        use pg::ConstrType as C;
        match &element.node {
            Some(NodeEnum::ColumnDef(column)) => {
                for constraint in &column.constraints {
                    self.element(table, constraint);
                }
            }
            Some(NodeEnum::Constraint(c)) => {
                self.list(table, &c.keys, Use::Key);
                self.list(table, &c.including, Use::Key);
                self.list(table, &c.exclusions, Use::Key);
                self.list(table, &c.fk_attrs, Use::ForeignKey);
                if let Some(referenced) = &c.pktable {
                    self.list(&self.ctx.facts.table_id(referenced), &c.pk_attrs, Use::ForeignKey);
                }
                if matches!(C::try_from(c.contype), Ok(C::ConstrCheck | C::ConstrGenerated)) {
                    self.expression(table, c.raw_expr.as_deref());
                }
                self.expression(table, c.where_clause.as_deref());
            }
            _ => {}
        }
    }

    fn altered(&mut self, s: &pg::AlterTableStmt) {
        use pg::AlterTableType as A;
        use pg::ObjectType as T;
        let Some(table) = self.own.table.clone() else { return };
        if !matches!(T::try_from(s.objtype), Ok(T::ObjectTable | T::ObjectForeignTable)) {
            return;
        }
        for command in s.cmds.iter().filter_map(command).filter(|command| !command.missing_ok) {
            match A::try_from(command.subtype) {
                Ok(A::AtAddColumn | A::AtAddConstraint) => {
                    if let Some(element) = &command.def {
                        self.element(&table, element);
                    }
                }
                Ok(
                    A::AtAlterColumnType
                    | A::AtColumnDefault
                    | A::AtDropNotNull
                    | A::AtSetNotNull
                    | A::AtSetExpression
                    | A::AtDropExpression
                    | A::AtSetStatistics
                    | A::AtSetOptions
                    | A::AtResetOptions
                    | A::AtSetStorage
                    | A::AtSetCompression
                    | A::AtAddIdentity
                    | A::AtSetIdentity
                    | A::AtDropIdentity
                    | A::AtDropColumn,
                ) => self.name(&table, &command.name, None, Use::Listed),
                _ => {}
            }
        }
    }
}

fn command(node: &pg::Node) -> Option<&pg::AlterTableCmd> {
    match &node.node {
        Some(NodeEnum::AlterTableCmd(command)) => Some(command),
        _ => None,
    }
}
