//! What tables are made of: traits of columns, constraints with their columns, indexes, partitions, rules, triggers and
//! publications. A few bytes each: a large schema has tens of thousands of them.

use super::names::{qualified, relation, string, strings};
use super::{Absence, Constraint, Facts, ObjectId, Symbol};
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, pg};

/// What is known of a column beside its name and type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u8);

impl Traits {
    /// NOT NULL.
    pub const NOT_NULL: Self = Self(1);
    /// Its default is the time of the statement or transaction.
    pub const NOW: Self = Self(2);
    /// Its default is a sequence's next value: serial, identity.
    pub const NUMBERED: Self = Self(4);
    /// GENERATED ALWAYS AS (expression).
    pub const GENERATED: Self = Self(8);

    /// True where all of these are known of the column.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These too.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An index that CREATE INDEX makes. Its place is that of its relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The schema of the table and the index.
    pub schema: Symbol,
    /// The table.
    pub table: Symbol,
    /// Its name; empty where the server chooses it.
    pub name: Symbol,
    /// Its columns; an expression is an empty name.
    pub columns: Box<[Symbol]>,
    /// UNIQUE.
    pub unique: bool,
    /// USING brin.
    pub brin: bool,
    /// Where.
    pub place: Place,
}

/// How a table is partitioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// PARTITION BY RANGE.
    Range,
    /// PARTITION BY LIST.
    List,
    /// PARTITION BY HASH.
    Hash,
    /// Child tables that inherit, each with a CHECK on a range.
    Inheritance,
}

/// A table whose rows lie in partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioned {
    /// How.
    pub strategy: Strategy,
    /// The columns that decide; an expression is an empty name.
    pub columns: Vec<Symbol>,
    /// Where the table is made.
    pub place: Place,
    /// How many partitions were seen.
    pub partitions: u32,
    /// The ranges of the first ones, as the dump writes their ends. A range over a list or an expression is not here.
    pub bounds: Vec<(Box<str>, Box<str>)>,
}

/// So many ranges tell the interval.
const BOUNDS: usize = 24;

/// What stands on a table and matters where it is to become a hypertable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A rule.
    Rule,
    /// A row trigger with transition tables.
    TransitionTrigger,
    /// A BEFORE INSERT row trigger: such triggers route rows to child tables.
    InsertTrigger,
    /// Row-level security is on.
    RowSecurity,
    /// A publication names the table.
    Publication,
}

/// One such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The table's schema.
    pub schema: Symbol,
    /// The table.
    pub table: Symbol,
    /// What it is.
    pub what: Attachment,
    /// Its name.
    pub name: Symbol,
    /// Where.
    pub place: Place,
}

impl Facts {
    /// The identity of a relation in a statement.
    #[must_use]
    pub fn table_id(&self, range: &pg::RangeVar) -> ObjectId {
        let (schema, name) = relation(range);
        self.resolved(&ObjectId::new(Class::Relation, schema, name))
    }

    fn pair(&mut self, id: &ObjectId) -> (Symbol, Symbol) {
        (self.names.symbol(id.schema.as_deref().unwrap_or("")), self.names.symbol(&id.name))
    }

    /// The symbols of a table's schema and name, where the dump has used both.
    #[must_use]
    pub fn symbols_of(&self, id: &ObjectId) -> Option<(Symbol, Symbol)> {
        Some((self.names.known(id.schema.as_deref().unwrap_or(""))?, self.names.known(&id.name)?))
    }

    /// The relation of two symbols.
    #[must_use]
    pub fn id_of(&self, schema: Symbol, table: Symbol) -> ObjectId {
        ObjectId::new(Class::Relation, Some(self.names.name(schema)), self.names.name(table))
    }

    /// Takes in what a statement says about the parts of a table.
    pub(super) fn tables(&mut self, node: &NodeEnum, place: Place, absence: Option<&Absence>) {
        match node {
            NodeEnum::CopyStmt(s) if s.is_from => {
                self.filling = s.relation.as_ref().map(|range| self.table_id(range));
                return;
            }
            NodeEnum::InsertStmt(s) if absence.is_none() => {
                if let Some(range) = &s.relation {
                    let id = self.table_id(range);
                    self.filled.insert(id);
                }
            }
            _ => {}
        }
        self.filling = None;
        if absence.is_some() {
            return;
        }
        match node {
            NodeEnum::CreateStmt(s) => self.table(s, place),
            NodeEnum::AlterTableStmt(s) => self.altered(s, place),
            NodeEnum::IndexStmt(s) => self.index(s, place),
            NodeEnum::RuleStmt(s) => {
                self.attach(s.relation.as_ref(), Attachment::Rule, &s.rulename, place);
            }
            NodeEnum::CreateTrigStmt(s) => {
                let what = if s.row && !s.transition_rels.is_empty() {
                    Attachment::TransitionTrigger
                } else if s.row && is_before_insert(s) {
                    Attachment::InsertTrigger
                } else {
                    return;
                };
                self.attach(s.relation.as_ref(), what, &s.trigname, place);
            }
            NodeEnum::CreatePublicationStmt(s) => self.published(&s.pubname, &s.pubobjects, place),
            NodeEnum::AlterPublicationStmt(s)
                if s.action != pg::AlterPublicationAction::ApDropObjects as i32 =>
            {
                self.published(&s.pubname, &s.pubobjects, place);
            }
            _ => {}
        }
    }

    /// Rows follow the COPY that was observed last.
    pub(crate) fn fill(&mut self) {
        if let Some(id) = self.filling.take() {
            self.filled.insert(id);
        }
    }

    fn attach(&mut self, table: Option<&pg::RangeVar>, what: Attachment, name: &str, place: Place) {
        let Some(range) = table else { return };
        let id = self.table_id(range);
        let (schema, table) = self.pair(&id);
        let name = self.names.symbol(name);
        self.attached.push(Attached { schema, table, what, name, place });
    }

    fn published(&mut self, name: &str, objects: &[pg::Node], place: Place) {
        for object in objects {
            if let Some(NodeEnum::PublicationObjSpec(object)) = &object.node
                && let Some(table) = &object.pubtable
            {
                self.attach(table.relation.as_ref(), Attachment::Publication, name, place);
            }
        }
    }

    fn table(&mut self, s: &pg::CreateStmt, place: Place) {
        let Some(range) = &s.relation else { return };
        let id = self.table_id(range);
        for element in &s.table_elts {
            match &element.node {
                Some(NodeEnum::Constraint(constraint)) => self.table_constraint(range, constraint, place),
                Some(NodeEnum::ColumnDef(column)) => self.column_constraints(range, column, place),
                _ => {}
            }
        }
        if let Some(by) = &s.partspec {
            let strategy = match pg::PartitionStrategy::try_from(by.strategy) {
                Ok(pg::PartitionStrategy::List) => Strategy::List,
                Ok(pg::PartitionStrategy::Hash) => Strategy::Hash,
                _ => Strategy::Range,
            };
            let columns = by.part_params.iter().map(|param| match &param.node {
                Some(NodeEnum::PartitionElem(element)) => self.names.symbol(&element.name),
                _ => self.names.symbol(""),
            });
            let columns = columns.collect();
            let new = Partitioned { strategy, columns, place, partitions: 0, bounds: Vec::new() };
            self.partitioned.insert(id.clone(), new);
        }
        let parents = self.relations.get(&id).map(|relation| relation.parents.clone()).unwrap_or_default();
        if let Some(bound) = &s.partbound {
            for parent in &parents {
                self.partition(parent, bounds(bound));
            }
        } else if let [parent] = &*parents {
            self.inherits(parent, s);
        }
    }

    /// A partition of a parent.
    fn partition(&mut self, parent: &ObjectId, bounds: Option<(Box<str>, Box<str>)>) {
        if let Some(partitioned) = self.partitioned.get_mut(parent) {
            partitioned.partitions += 1;
            if partitioned.bounds.len() < BOUNDS {
                partitioned.bounds.extend(bounds);
            }
        }
    }

    /// A child that inherits: with a CHECK on a range of one column it is a partition of the time before version 10.
    fn inherits(&mut self, parent: &ObjectId, s: &pg::CreateStmt) {
        let mut found = None;
        for element in &s.table_elts {
            if let Some(NodeEnum::Constraint(c)) = &element.node
                && c.contype == pg::ConstrType::ConstrCheck as i32
                && let Some(range) = c.raw_expr.as_ref().and_then(|expression| checked_range(expression))
            {
                found = Some(range);
            }
        }
        let Some((column, from, to)) = found else { return };
        let column = self.names.symbol(&column);
        let Some(place) = self.relations.get(parent).map(|relation| relation.place) else { return };
        let partitioned = self.partitioned.entry(parent.clone()).or_insert_with(|| Partitioned {
            strategy: Strategy::Inheritance,
            columns: vec![column],
            place,
            partitions: 0,
            bounds: Vec::new(),
        });
        if partitioned.strategy == Strategy::Inheritance && partitioned.columns.contains(&column) {
            self.partition(parent, Some((from, to)));
        }
    }

    fn altered(&mut self, s: &pg::AlterTableStmt, place: Place) {
        use pg::AlterTableType as A;
        let Some(range) = &s.relation else { return };
        let id = self.table_id(range);
        for command in &s.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
            let def = command.def.as_ref().and_then(|def| def.node.as_ref());
            match (A::try_from(command.subtype), def) {
                (Ok(A::AtAddConstraint), Some(NodeEnum::Constraint(constraint))) => {
                    self.table_constraint(range, constraint, place);
                }
                (Ok(A::AtAddColumn), Some(NodeEnum::ColumnDef(column))) => {
                    if let Some(new) = self.column(column)
                        && let Some(relation) = self.relations.get_mut(&id)
                    {
                        let mut columns = std::mem::take(&mut relation.columns).into_vec();
                        // Offsets count in the statement of the table: a column of another statement has none.
                        columns.push(super::Column { at: 0, ..new });
                        relation.columns = columns.into();
                    }
                    self.column_constraints(range, column, place);
                }
                (Ok(A::AtSetNotNull), _) => self.trait_of(&id, &command.name, Traits::NOT_NULL),
                (Ok(A::AtAddIdentity), _) => self.trait_of(&id, &command.name, Traits::NUMBERED),
                (Ok(A::AtColumnDefault), Some(default)) => {
                    self.trait_of(&id, &command.name, default_traits(default));
                }
                (Ok(A::AtEnableRowSecurity), _) => {
                    self.attach(Some(range), Attachment::RowSecurity, "", place);
                }
                (Ok(A::AtAttachPartition), Some(NodeEnum::PartitionCmd(partition))) => {
                    self.attach_partition(&id, partition);
                }
                (Ok(A::AtAddInherit), Some(NodeEnum::RangeVar(parent))) => {
                    let parent = self.table_id(parent);
                    if let Some(relation) = self.relations.get_mut(&id) {
                        relation.parents = vec![parent].into();
                    }
                }
                _ => {}
            }
        }
    }

    fn attach_partition(&mut self, parent: &ObjectId, partition: &pg::PartitionCmd) {
        // ALTER INDEX … ATTACH PARTITION is the same command.
        if !self.partitioned.contains_key(parent) {
            return;
        }
        let Some(child) = &partition.name else { return };
        let child = self.table_id(child);
        if let Some(relation) = self.relations.get_mut(&child) {
            relation.parents = vec![parent.clone()].into();
        }
        self.partition(parent, partition.bound.as_ref().and_then(bounds));
    }

    fn trait_of(&mut self, id: &ObjectId, column: &str, traits: Traits) {
        let Some(name) = self.names.known(column) else { return };
        if let Some(relation) = self.relations.get_mut(id)
            && let Some(column) = relation.columns.iter_mut().find(|column| column.name == name)
        {
            column.traits = column.traits.with(traits);
        }
    }

    fn table_constraint(&mut self, table: &pg::RangeVar, constraint: &pg::Constraint, place: Place) {
        use pg::ConstrType as C;
        let columns: Vec<&str> = match C::try_from(constraint.contype) {
            Ok(C::ConstrForeign) => strings(&constraint.fk_attrs),
            Ok(C::ConstrExclusion) => constraint.exclusions.iter().map(excluded).collect(),
            _ => strings(&constraint.keys),
        };
        self.constraint_of(table, constraint, &columns, place);
    }

    fn column_constraints(&mut self, table: &pg::RangeVar, column: &pg::ColumnDef, place: Place) {
        use pg::ConstrType as C;
        for constraint in &column.constraints {
            let Some(NodeEnum::Constraint(constraint)) = &constraint.node else { continue };
            if matches!(
                C::try_from(constraint.contype),
                Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrForeign | C::ConstrCheck)
            ) {
                self.constraint_of(table, constraint, &[&column.colname], place);
            }
        }
    }

    fn constraint_of(
        &mut self,
        table: &pg::RangeVar,
        constraint: &pg::Constraint,
        columns: &[&str],
        place: Place,
    ) {
        use pg::ConstrType as C;
        let id = self.table_id(table);
        let kind = C::try_from(constraint.contype);
        if matches!(kind, Ok(C::ConstrPrimary | C::ConstrNotnull)) {
            for column in columns {
                self.trait_of(&id, column, Traits::NOT_NULL);
            }
        }
        let references = constraint.pktable.as_ref().map(|range| {
            let id = self.table_id(range);
            self.pair(&id)
        });
        let (schema, table) = self.pair(&id);
        self.constraints.push(Constraint {
            schema,
            table,
            name: self.names.symbol(&constraint.conname),
            kind: constraint.contype,
            columns: columns.iter().map(|column| self.names.symbol(column)).collect(),
            references,
            no_inherit: constraint.is_no_inherit,
            place,
        });
    }

    fn index(&mut self, s: &pg::IndexStmt, place: Place) {
        let Some(range) = &s.relation else { return };
        let id = self.table_id(range);
        let (schema, table) = self.pair(&id);
        let column = |node: &pg::Node| match &node.node {
            Some(NodeEnum::IndexElem(element)) => self.names.symbol(&element.name),
            _ => self.names.symbol(""),
        };
        let columns = s.index_params.iter().map(column).collect();
        let name = self.names.symbol(&s.idxname);
        let brin = s.access_method == "brin";
        self.indexes.push(Index { schema, table, name, columns, unique: s.unique, brin, place });
    }

    /// A column's definition as a fact.
    pub(super) fn column(&mut self, column: &pg::ColumnDef) -> Option<super::Column> {
        let data_type = strings(&column.type_name.as_ref()?.names).join(".");
        Some(super::Column {
            name: self.names.symbol(&column.colname),
            data_type: self.names.symbol(&data_type),
            at: u32::try_from(column.location).unwrap_or(0),
            traits: column_traits(column, &data_type),
        })
    }
}

fn is_before_insert(s: &pg::CreateTrigStmt) -> bool {
    // pg_trigger.h: TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_INSERT.
    const BEFORE: i32 = 1 << 1;
    const INSERT: i32 = 1 << 2;
    s.timing & BEFORE != 0 && s.events & INSERT != 0
}

fn excluded(node: &pg::Node) -> &str {
    // An element and its operator.
    let element = match &node.node {
        Some(NodeEnum::List(list)) => list.items.first(),
        _ => None,
    };
    match element.and_then(|element| element.node.as_ref()) {
        Some(NodeEnum::IndexElem(element)) => &element.name,
        _ => "",
    }
}

fn column_traits(column: &pg::ColumnDef, data_type: &str) -> Traits {
    use pg::ConstrType as C;
    let mut traits = Traits::default();
    if data_type.ends_with("serial") || data_type.ends_with("serial4") || data_type.ends_with("serial8") {
        traits = traits.with(Traits::NUMBERED).with(Traits::NOT_NULL);
    }
    for constraint in &column.constraints {
        let Some(NodeEnum::Constraint(constraint)) = &constraint.node else { continue };
        traits = match C::try_from(constraint.contype) {
            Ok(C::ConstrNotnull | C::ConstrPrimary) => traits.with(Traits::NOT_NULL),
            Ok(C::ConstrIdentity) => traits.with(Traits::NUMBERED).with(Traits::NOT_NULL),
            Ok(C::ConstrGenerated) => traits.with(Traits::GENERATED),
            Ok(C::ConstrDefault) => {
                let default = constraint.raw_expr.as_ref().and_then(|expression| expression.node.as_ref());
                default.map_or(traits, |default| traits.with(default_traits(default)))
            }
            _ => traits,
        };
    }
    traits
}

fn default_traits(default: &NodeEnum) -> Traits {
    match default {
        NodeEnum::FuncCall(call) => match qualified(&call.funcname) {
            Some((
                None | Some("pg_catalog"),
                "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp",
            )) => Traits::NOW,
            Some((None | Some("pg_catalog"), "nextval")) => Traits::NUMBERED,
            // timezone('utc', now()) is what AT TIME ZONE becomes.
            Some((_, "timezone" | "date_trunc")) => call
                .args
                .last()
                .and_then(|arg| arg.node.as_ref())
                .map_or_else(Traits::default, default_traits),
            _ => Traits::default(),
        },
        NodeEnum::SqlvalueFunction(_) => {
            use pg::SqlValueFunctionOp as O;
            let NodeEnum::SqlvalueFunction(function) = default else { return Traits::default() };
            match O::try_from(function.op) {
                Ok(
                    O::SvfopCurrentDate
                    | O::SvfopCurrentTimestamp
                    | O::SvfopCurrentTimestampN
                    | O::SvfopLocaltimestamp
                    | O::SvfopLocaltimestampN,
                ) => Traits::NOW,
                _ => Traits::default(),
            }
        }
        NodeEnum::TypeCast(cast) => {
            let inner = cast.arg.as_ref().and_then(|arg| arg.node.as_ref());
            match inner {
                // 'now'::text::timestamp is how older servers keep now().
                Some(NodeEnum::AConst(_)) => {
                    let is_now = cast.arg.as_ref().and_then(|arg| super::names::text(arg)) == Some("now");
                    if is_now { Traits::NOW } else { Traits::default() }
                }
                Some(inner) => default_traits(inner),
                None => Traits::default(),
            }
        }
        _ => Traits::default(),
    }
}

/// FROM (a) TO (b) of one column.
fn bounds(bound: &pg::PartitionBoundSpec) -> Option<(Box<str>, Box<str>)> {
    match (bound.lowerdatums.as_slice(), bound.upperdatums.as_slice()) {
        ([from], [to]) => Some((constant(from)?.into(), constant(to)?.into())),
        _ => None,
    }
}

fn constant(node: &pg::Node) -> Option<String> {
    use pg::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        _ => None,
    }
}

/// `column >= 'a' AND column < 'b'`: the column and both ends.
fn checked_range(expression: &pg::Node) -> Option<(String, Box<str>, Box<str>)> {
    let NodeEnum::BoolExpr(both) = expression.node.as_ref()? else { return None };
    if both.boolop != pg::BoolExprType::AndExpr as i32 {
        return None;
    }
    let ends: Vec<(&str, (String, String))> = both.args.iter().filter_map(comparison).collect();
    // The last one counts.
    let end = |of: &str| ends.iter().rev().find(|(operator, _)| *operator == of).map(|(_, end)| end);
    let (from, to) = (end(">=").or_else(|| end(">"))?, end("<").or_else(|| end("<="))?);
    (from.0 == to.0).then(|| (from.0.clone(), from.1.as_str().into(), to.1.as_str().into()))
}

fn comparison(node: &pg::Node) -> Option<(&str, (String, String))> {
    let NodeEnum::AExpr(expression) = node.node.as_ref()? else { return None };
    let operator = expression.name.first().and_then(string)?;
    let NodeEnum::ColumnRef(column) = expression.lexpr.as_ref()?.node.as_ref()? else { return None };
    let column = column.fields.last().and_then(string)?;
    Some((operator, (column.to_owned(), constant(expression.rexpr.as_ref()?)?)))
}
