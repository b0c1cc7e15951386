//! What tables are made of: traits of columns, constraints with their columns, indexes, partitions, rules, triggers and
//! publications. A few bytes each: a large schema has tens of thousands of them.

use std::collections::BTreeSet;

use super::column_traits::{column_traits, default_traits, excluded};
use super::names::{relation, strings};
use super::objects::identity_sequence;
use super::partition_bounds::{bounds, checked_range};
use super::state::Facts;
pub use super::table_types::{Attached, Attachment, Index, Partitioned, Strategy, Traits};
use super::{Absence, Column, Constraint, ObjectId, Relation, Symbol};
use crate::finding::Place;
use crate::grow;
use crate::parse::{Class, NodeEnum, pg};

/// So many ranges tell the interval.
const BOUNDS: usize = 24;

/// Columns that every table has.
/// System columns of every table since PostgreSQL 12, which has no `oid` any more.
pub(crate) const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"];

impl Facts {
    /// The identity of a relation in a statement.
    #[must_use]
    pub fn table_id(&self, range: &pg::RangeVar) -> ObjectId {
        let (schema, name) = relation(range);
        self.resolved(&ObjectId::new(Class::Relation, schema, name))
    }

    /// The relation that rows go to, where the inputs create it and nothing unknown may have dropped it.
    pub(crate) fn filled_by(&self, range: Option<&pg::RangeVar>) -> Option<&Relation> {
        let id = self.table_id(range?);
        self.relations.get(&id).filter(|_| self.exists(&id) && !self.dynamic)
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
            NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectColumn as i32 => {
                self.rename_column(s);
            }
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
        grow::push(&mut self.attached, Attached { schema, table, what, name, place });
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
                        && relation.columns.iter().all(|known| known.name != new.name)
                    {
                        let mut columns = std::mem::take(&mut relation.columns).into_vec();
                        // Offsets count in the statement of the table: a column of another statement has none.
                        columns.push(Column { at: 0, ..new });
                        relation.columns = columns.into();
                    }
                    self.column_constraints(range, column, place);
                }
                (Ok(A::AtDropColumn), _) => {
                    let Some(name) = self.names.known(&command.name) else { continue };
                    if let Some(relation) = self.relations.get_mut(&id) {
                        let left = relation.columns.iter().filter(|column| column.name != name);
                        relation.columns = left.copied().collect();
                    }
                    if !range.inh {
                        self.keep_inherited(&id);
                    }
                }
                (Ok(A::AtAlterColumnType), Some(NodeEnum::ColumnDef(column))) => {
                    self.retype(&id, &command.name, column);
                }
                (Ok(A::AtSetNotNull), _) => self.trait_of(&id, &command.name, Traits::NOT_NULL),
                (Ok(A::AtAddIdentity), def) => {
                    self.trait_of(&id, &command.name, Traits::NUMBERED);
                    if let Some(NodeEnum::Constraint(constraint)) = def {
                        self.identity(range, constraint);
                    }
                }
                (Ok(A::AtColumnDefault), Some(default)) => {
                    self.trait_of(&id, &command.name, default_traits(default));
                }
                (Ok(A::AtEnableRowSecurity), _) => {
                    self.attach(Some(range), Attachment::RowSecurity, "", place);
                }
                (Ok(A::AtAttachPartition), Some(NodeEnum::PartitionCmd(partition))) => {
                    self.attach_partition(&id, partition);
                }
                (Ok(A::AtDropInherit), _) => self.has_more_columns(&id),
                (
                    Ok(A::AtDetachPartition | A::AtDetachPartitionFinalize),
                    Some(NodeEnum::PartitionCmd(partition)),
                ) => {
                    if let Some(range) = &partition.name {
                        let id = self.table_id(range);
                        self.has_more_columns(&id);
                    }
                }
                (Ok(A::AtAddInherit), Some(NodeEnum::RangeVar(parent))) => {
                    self.has_more_columns(&id);
                    let parent = self.table_id(parent);
                    if let Some(relation) = self.relations.get_mut(&id) {
                        relation.parents = vec![parent].into();
                    }
                }
                _ => {}
            }
        }
    }

    /// A table keeps columns that it has had from a parent.
    fn has_more_columns(&mut self, id: &ObjectId) {
        if let Some(relation) = self.relations.get_mut(id).filter(|relation| !relation.parents.is_empty()) {
            relation.has_more_columns = true;
        }
    }

    /// ALTER TABLE ONLY … DROP COLUMN: children keep the column.
    fn keep_inherited(&mut self, parent: &ObjectId) {
        let children = self.relations.values_mut().filter(|relation| relation.parents.contains(parent));
        children.for_each(|child| child.has_more_columns = true);
    }

    fn rename_column(&mut self, s: &pg::RenameStmt) {
        let id = s.relation.as_ref().map(|range| self.table_id(range));
        let (old, new) = (self.names.symbol(&s.subname), self.names.symbol(&s.newname));
        if let Some(relation) = id.and_then(|id| self.relations.get_mut(&id))
            && let Some(column) = relation.columns.iter_mut().find(|column| column.name == old)
        {
            column.name = new;
        }
        let Some((schema, table)) =
            s.relation.as_ref().map(|range| self.table_id(range)).map(|id| self.pair(&id))
        else {
            return;
        };
        let of_keys = self
            .constraints
            .iter_mut()
            .filter(|one| (one.schema, one.table) == (schema, table))
            .map(|one| &mut one.columns);
        let of_indexes = self
            .indexes
            .iter_mut()
            .filter(|one| (one.schema, one.table) == (schema, table))
            .map(|one| &mut one.columns);
        for columns in of_keys.chain(of_indexes) {
            columns.iter_mut().filter(|column| **column == old).for_each(|column| *column = new);
        }
    }

    /// Whether a table has a column of this name; `None` where it cannot be told.
    #[must_use]
    pub fn has_column(&self, table: &ObjectId, name: &str) -> Option<bool> {
        if SYSTEM_COLUMNS.contains(&name) {
            return Some(true);
        }
        let symbol = self.names.known(name);
        let (mut next, mut seen) = (vec![table], BTreeSet::new());
        let mut all_known = true;
        while let Some(table) = next.pop() {
            if !seen.insert(table) {
                continue;
            }
            match self.relations.get(table).filter(|_| !self.absent.contains_key(table)) {
                Some(found) if found.columns.iter().any(|column| Some(column.name) == symbol) => {
                    return Some(true);
                }
                Some(found) => {
                    all_known &= !found.has_more_columns;
                    next.extend(&found.parents);
                }
                None => all_known = false,
            }
        }
        all_known.then_some(false)
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

    /// ALTER COLUMN … TYPE.
    fn retype(&mut self, id: &ObjectId, column: &str, definition: &pg::ColumnDef) {
        let Some(new) = self.column(definition) else { return };
        let Some(name) = self.names.known(column) else { return };
        if let Some(relation) = self.relations.get_mut(id)
            && let Some(column) = relation.columns.iter_mut().find(|column| column.name == name)
        {
            column.data_type = new.data_type;
            column.traits = column.traits.without(Traits::ARRAY).with(new.traits);
        }
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
            match C::try_from(constraint.contype) {
                Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrForeign | C::ConstrCheck) => {
                    self.constraint_of(table, constraint, &[&column.colname], place);
                }
                Ok(C::ConstrIdentity) => self.identity(table, constraint),
                _ => {}
            }
        }
    }

    /// An identity column brings a sequence, whose name need not begin with the table's.
    fn identity(&mut self, table: &pg::RangeVar, constraint: &pg::Constraint) {
        if let Some(mut sequence) = identity_sequence(table, constraint) {
            sequence.schema = sequence.schema.or_else(|| self.table_id(table).schema);
            self.identity_sequences.insert(sequence);
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
        let new = Constraint {
            schema,
            table,
            name: self.names.symbol(&constraint.conname),
            kind: constraint.contype,
            columns: columns.iter().map(|column| self.names.symbol(column)).collect(),
            references,
            no_inherit: constraint.is_no_inherit,
            place,
        };
        grow::push(&mut self.constraints, new);
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
        let method = self.names.symbol(&s.access_method);
        let index = Index { schema, table, name, columns, unique: s.unique, method, place };
        grow::push(&mut self.indexes, index);
    }

    /// A column's definition as a fact.
    pub(super) fn column(&mut self, column: &pg::ColumnDef) -> Option<Column> {
        let data_type = strings(&column.type_name.as_ref()?.names).join(".");
        Some(Column {
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
