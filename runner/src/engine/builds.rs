//! What post-data holds, sorted by when it can be built: indexes and constraints of a table as soon as its rows are
//! there, foreign keys when all are, materialized views at the end, everything else in the dump's order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

pub use self::late::AfterRestoring;
use super::allowed::{self, Allowed, Instead};
use crate::names::Relation;
use crate::quote::identifier;
use crate::script::Statement;
use crate::step::Step;

/// One thing to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Which step it is.
    pub step: Step,
    /// What people call it.
    pub name: String,
    /// The table that it is built on, or the materialized view.
    pub relation: Relation,
    /// The statements: more than one where an index becomes a constraint.
    pub sql: Vec<String>,
    /// The statement of the dump that it comes from.
    pub statement: Statement,
    /// What is tried in its place, where it may stay away.
    pub instead: Option<Instead>,
}

/// What is built on one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfTable {
    /// Indexes, which can be built side by side.
    pub indexes: Vec<Build>,
    /// Constraints, which lock the table: one after the other, after the indexes.
    pub constraints: Vec<Build>,
}

/// A foreign key that is added without a look at the rows first, and checked later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeys {
    /// Their table.
    pub table: Relation,
    /// The tables that they refer to.
    pub references: BTreeSet<Relation>,
    /// Adds each of them; short.
    pub add: Vec<Build>,
    /// Checks them, together but for those that may fail; long.
    pub checks: Vec<Build>,
}

/// All of post-data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builds {
    /// By table.
    pub tables: BTreeMap<Relation, OfTable>,
    /// In the dump's order, after all indexes.
    pub rest: Vec<Statement>,
    /// By table, after the rest.
    pub foreign_keys: Vec<ForeignKeys>,
    /// Row security, once foreign keys are checked: where it is forced, a check by the owner would see too few rows
    /// and is refused (42501). `pg_dump` writes it in this order too. Each with its table.
    pub row_security: Vec<(Relation, Statement)>,
    /// Materialized views to fill, in the dump's order, which is the order of their dependencies.
    pub refreshes: Vec<Build>,
}

impl Builds {
    /// Empties what is about indexes that do not exist. Its place stays, for steps are known by numbers.
    pub fn without(&mut self, indexes: &BTreeSet<Relation>) {
        if indexes.is_empty() {
            return;
        }
        let about = self.rest.iter_mut().filter(|statement| allowed::is_about(&statement.sql, indexes));
        about.for_each(|statement| statement.sql.clear());
    }

    /// Takes out the foreign keys: those between `tables`, whose rows are copied, wait for nothing else; the others come
    /// after all rows.
    pub fn take_while_copying(
        &mut self,
        tables: &BTreeSet<Relation>,
    ) -> (Vec<ForeignKeys>, Vec<ForeignKeys>) {
        std::mem::take(&mut self.foreign_keys).into_iter().partition(|keys| {
            !keys.checks.is_empty() && tables.contains(&keys.table) && keys.references.is_subset(tables)
        })
    }
}

/// Sorts the statements of post-data. `tables` are those whose rows are copied; `plain` says of which tables the
/// constraints may be taken apart: not of hypertables and their chunks, where TimescaleDB has a say; `allowed` what may
/// stay away.
#[must_use]
pub fn sort(
    statements: Vec<Statement>,
    tables: &BTreeSet<Relation>,
    plain: impl Fn(&Relation) -> bool,
    allowed: &Allowed,
) -> Builds {
    let mut builds = Builds::default();
    let mut keys = BTreeMap::<Relation, ForeignKeys>::new();
    // An empty one keeps the place of a statement that is gone.
    for (number, statement) in statements.into_iter().enumerate().filter(|(_, one)| !one.sql.is_empty()) {
        let parsed = parse::parse(&statement.sql, true).ok().flatten();
        let node = parsed.as_ref().map(tsmigrate_analyzer::parse::Parsed::node);
        let step = Step::Build(number);
        match node.map(what) {
            Some(What::Index(table, name)) if tables.contains(&table) => {
                let build = Build {
                    step,
                    name: table.part(&name),
                    instead: allowed.instead(&table, &name, &[]),
                    relation: table.clone(),
                    sql: vec![statement.sql.clone()],
                    statement,
                };
                builds.tables.entry(table).or_default().indexes.push(build);
            }
            Some(What::Constraint(table, constraint)) if tables.contains(&table) => {
                let index = if plain(&table) { index_first(&table, &constraint) } else { None };
                let build = Build {
                    step,
                    name: table.part(&constraint.conname),
                    relation: table.clone(),
                    sql: vec![statement.sql.clone()],
                    instead: allowed.instead(&table, &constraint.conname, &[]),
                    statement,
                };
                let of_table = builds.tables.entry(table).or_default();
                match index {
                    Some((create, add)) => {
                        let step = Step::Index(number);
                        of_table.indexes.push(Build { step, sql: vec![create], ..build.clone() });
                        of_table.constraints.push(Build { sql: vec![add], ..build });
                    }
                    None => of_table.constraints.push(build),
                }
            }
            Some(What::ForeignKey(table, constraint)) => {
                // One that is not valid on the source stays so.
                let apart = plain(&table)
                    && tables.contains(&table)
                    && constraint.initially_valid
                    && enforced(&constraint);
                let entry = keys.entry(table.clone()).or_insert_with(|| ForeignKeys {
                    table,
                    references: BTreeSet::new(),
                    add: Vec::new(),
                    checks: Vec::new(),
                });
                entry.take(number, &constraint, statement, apart, allowed);
            }
            Some(What::Refresh(view)) => builds.refreshes.push(Build {
                step,
                name: view.to_string(),
                relation: view,
                sql: vec![statement.sql.clone()],
                statement,
                instead: None,
            }),
            Some(What::RowSecurity(table)) => builds.row_security.push((table, statement)),
            // It follows its constraint: that of a foreign key comes with it, whenever that is added.
            Some(What::Comment(table, name))
                if keys.get_mut(&table).is_some_and(|keys| keys.comment(&name, &statement)) => {}
            _ => builds.rest.push(statement),
        }
    }
    builds.foreign_keys = keys.into_values().collect();
    builds
}

impl ForeignKeys {
    /// Has the comment of a key come with it; false where the key is none of these.
    fn comment(&mut self, name: &str, statement: &Statement) -> bool {
        let name = self.table.part(name);
        let Some(build) = self.add.iter_mut().find(|build| build.name == name) else { return false };
        let text = statement.sql.trim_end().trim_end_matches(';');
        let others = build.instead.iter_mut().flat_map(|instead| &mut instead.sql);
        for sql in others.filter(|sql| !sql.is_empty()) {
            *sql = format!("{sql};\n{text}");
        }
        build.sql.push(text.to_owned());
        true
    }

    /// Takes a key in; `apart` is one that is added first and checked later.
    fn take(
        &mut self,
        number: usize,
        key: &pg::Constraint,
        statement: Statement,
        apart: bool,
        allowed: &Allowed,
    ) {
        self.references.extend(relation(key.pktable.as_ref()));
        let end = statement.sql.trim_end().trim_end_matches(';').len();
        let not_valid = format!("{} NOT VALID", statement.sql.get(..end).unwrap_or_default());
        let without_check = if apart || !key.initially_valid { Vec::new() } else { vec![not_valid.clone()] };
        let build = Build {
            step: Step::Build(number),
            name: self.table.part(&key.conname),
            relation: self.table.clone(),
            sql: vec![if apart { not_valid } else { statement.sql.clone() }],
            instead: allowed.instead(&self.table, &key.conname, &without_check),
            statement,
        };
        if apart {
            let validate = format!("VALIDATE CONSTRAINT {}", identifier(&key.conname));
            let together = self.checks.iter_mut().find(|check| check.instead.is_none());
            if let Some(check) = together.filter(|_| build.instead.is_none()) {
                if let Some(all) = check.sql.first_mut() {
                    all.push_str(", ");
                    all.push_str(&validate);
                }
                check.name = format!("foreign keys on {}", self.table);
            } else {
                let check = format!("ALTER TABLE ONLY {} {validate}", self.table.sql());
                self.checks.push(Build { step: Step::Check(number), sql: vec![check], ..build.clone() });
            }
        }
        self.add.push(build);
    }
}

/// Whether a statement of post-data is about a foreign key, which has no place among those that run in their order.
#[must_use]
pub fn is_about_key(sql: &str) -> bool {
    let parsed = parse::parse(sql, true).ok().flatten();
    parsed.is_some_and(|parsed| is_key(parsed.node()))
}

/// The index that a statement of post-data makes, by itself or of a constraint.
#[must_use]
pub fn index_of(sql: &str) -> Option<Relation> {
    let parsed = parse::parse(sql, true).ok().flatten()?;
    match what(parsed.node()) {
        What::Index(table, name) => Some(Relation::new(&table.schema, &name)),
        What::Constraint(table, key) => Some(Relation::new(&table.schema, &key.conname)),
        _ => None,
    }
}

/// Whether a tree is about a foreign key.
#[must_use]
pub fn is_key(node: &NodeEnum) -> bool {
    matches!(what(node), What::ForeignKey(..) | What::Comment(..))
}

/// The statement that drops what a statement of post-data, by its tree, builds.
#[must_use]
pub fn undo(node: &NodeEnum) -> Option<String> {
    let drop = |what: &str, name: &str, on: &Relation| {
        Some(format!("DROP {what} IF EXISTS {} ON {}", identifier(name), on.sql()))
    };
    match what(node) {
        What::Index(table, name) => {
            Some(format!("DROP INDEX IF EXISTS {} CASCADE", Relation::new(&table.schema, &name).sql()))
        }
        What::Constraint(table, key) => Some(format!(
            "ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {} CASCADE; DROP INDEX IF EXISTS {} CASCADE",
            table.sql(),
            identifier(&key.conname),
            Relation::new(&table.schema, &key.conname).sql()
        )),
        What::ForeignKey(table, key) => Some(format!(
            "ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {}",
            table.sql(),
            identifier(&key.conname)
        )),
        What::Refresh(_) => Some("SELECT".to_owned()),
        What::Other => match node {
            NodeEnum::CreateTrigStmt(create) => {
                drop("TRIGGER", &create.trigname, &relation(create.relation.as_ref())?)
            }
            NodeEnum::RuleStmt(create) => {
                drop("RULE", &create.rulename, &relation(create.relation.as_ref())?)
            }
            NodeEnum::CreatePolicyStmt(create) => {
                drop("POLICY", &create.policy_name, &relation(create.table.as_ref())?)
            }
            NodeEnum::CommentStmt(_) => Some("SELECT".to_owned()),
            _ => None,
        },
        What::RowSecurity(_) | What::Comment(..) => None,
    }
}

/// A statement of post-data whose effect depends on the rows of several tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BehindRows {
    /// Its number, as in [`Step::Build`].
    pub number: usize,
    /// The table or materialized view.
    pub relation: Relation,
    /// The key's name; none where a view is filled.
    pub foreign_key: Option<String>,
}

/// Foreign keys and the filling of materialized views.
#[must_use]
pub fn behind_rows(statements: &[Statement]) -> Vec<BehindRows> {
    let of = |(number, statement): (usize, &Statement)| {
        let parsed = parse::parse(&statement.sql, true).ok().flatten()?;
        match what(parsed.node()) {
            What::ForeignKey(relation, key) => {
                Some(BehindRows { number, relation, foreign_key: Some(key.conname.clone()) })
            }
            What::Refresh(relation) => Some(BehindRows { number, relation, foreign_key: None }),
            _ => None,
        }
    };
    statements.iter().enumerate().filter_map(of).collect()
}

/// What a statement of post-data builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltBy {
    /// Its number, as in [`Step::Build`].
    pub number: usize,
    /// The table that it is built on, or the materialized view.
    pub relation: Relation,
    /// The name of the index or the constraint; none where a view is filled.
    pub name: Option<String>,
    /// The table that a foreign key refers to, where rows are checked.
    pub references: Option<Relation>,
}

/// Indexes, constraints, foreign keys and the filling of materialized views.
#[must_use]
pub fn built(statements: &[Statement]) -> Vec<BuiltBy> {
    let of = |(number, statement): (usize, &Statement)| {
        let parsed = parse::parse(&statement.sql, true).ok().flatten()?;
        let (relation, name, references) = match what(parsed.node()) {
            What::Index(relation, name) => (relation, Some(name), None),
            What::Constraint(relation, key) => (relation, Some(key.conname.clone()), None),
            What::ForeignKey(table, key) => {
                let is_checked = key.initially_valid && enforced(&key);
                (table, Some(key.conname.clone()), relation(key.pktable.as_ref()).filter(|_| is_checked))
            }
            What::Refresh(relation) => (relation, None, None),
            What::RowSecurity(_) | What::Comment(..) | What::Other => return None,
        };
        Some(BuiltBy { number, relation, name, references })
    };
    statements.iter().enumerate().filter_map(of).collect()
}

enum What {
    Index(Relation, String),
    Constraint(Relation, Box<pg::Constraint>),
    ForeignKey(Relation, Box<pg::Constraint>),
    Refresh(Relation),
    RowSecurity(Relation),
    /// A comment on a table's constraint of that name.
    Comment(Relation, String),
    Other,
}

fn what(node: &NodeEnum) -> What {
    match node {
        NodeEnum::IndexStmt(index) => match relation(index.relation.as_ref()) {
            Some(table) => What::Index(table, index.idxname.clone()),
            None => What::Other,
        },
        NodeEnum::RefreshMatViewStmt(refresh) => {
            relation(refresh.relation.as_ref()).map_or(What::Other, What::Refresh)
        }
        NodeEnum::CommentStmt(comment) if comment.objtype() == pg::ObjectType::ObjectTabconstraint => {
            match &allowed::commented(comment)[..] {
                [schema, table, name] => What::Comment(Relation::new(schema, table), (*name).to_owned()),
                _ => What::Other,
            }
        }
        NodeEnum::AlterTableStmt(alter) => {
            let [pg::Node { node: Some(NodeEnum::AlterTableCmd(command)) }] = &alter.cmds[..] else {
                return What::Other;
            };
            if matches!(
                command.subtype(),
                pg::AlterTableType::AtEnableRowSecurity | pg::AlterTableType::AtForceRowSecurity
            ) {
                return relation(alter.relation.as_ref()).map_or(What::Other, What::RowSecurity);
            }
            let constraint = command.def.as_ref().and_then(|def| def.node.as_ref());
            let (Some(NodeEnum::Constraint(constraint)), Some(table)) =
                (constraint, relation(alter.relation.as_ref()))
            else {
                return What::Other;
            };
            match constraint.contype() {
                pg::ConstrType::ConstrPrimary
                | pg::ConstrType::ConstrUnique
                | pg::ConstrType::ConstrExclusion => What::Constraint(table, constraint.clone()),
                pg::ConstrType::ConstrForeign => What::ForeignKey(table, constraint.clone()),
                _ => What::Other,
            }
        }
        _ => What::Other,
    }
}

fn relation(relation: Option<&pg::RangeVar>) -> Option<Relation> {
    relation.map(|relation| Relation::new(&relation.schemaname, &relation.relname))
}

fn enforced(constraint: &pg::Constraint) -> bool {
    constraint.is_enforced
}

/// `CREATE UNIQUE INDEX` and `ADD CONSTRAINT … USING INDEX`, which takes its lock for a moment only. None where a
/// constraint is more than such an index.
fn index_first(table: &Relation, constraint: &pg::Constraint) -> Option<(String, String)> {
    let word = match constraint.contype() {
        pg::ConstrType::ConstrPrimary => "PRIMARY KEY",
        pg::ConstrType::ConstrUnique => "UNIQUE",
        _ => return None,
    };
    if constraint.without_overlaps || !constraint.indexspace.is_empty() || constraint.keys.is_empty() {
        return None;
    }
    let names = |nodes: &[pg::Node]| -> Option<String> {
        let names: Option<Vec<String>> = nodes
            .iter()
            .map(|node| match &node.node {
                Some(NodeEnum::String(name)) => Some(identifier(&name.sval)),
                _ => None,
            })
            .collect();
        names.map(|names| names.join(", "))
    };
    let name = identifier(&constraint.conname);
    // Writing to a String cannot fail.
    let mut create = format!("CREATE UNIQUE INDEX {name} ON {} ({})", table.sql(), names(&constraint.keys)?);
    if !constraint.including.is_empty() {
        let _ = write!(create, " INCLUDE ({})", names(&constraint.including)?);
    }
    if constraint.nulls_not_distinct {
        create.push_str(" NULLS NOT DISTINCT");
    }
    if !constraint.options.is_empty() {
        let _ = write!(create, " WITH ({})", options(&constraint.options)?);
    }
    let mut add = format!("ALTER TABLE ONLY {} ADD CONSTRAINT {name} {word} USING INDEX {name}", table.sql());
    if constraint.deferrable {
        add.push_str(" DEFERRABLE");
    }
    if constraint.initdeferred {
        add.push_str(" INITIALLY DEFERRED");
    }
    Some((create, add))
}

/// Storage parameters, whose values are words and numbers. None where one is anything else.
fn options(nodes: &[pg::Node]) -> Option<String> {
    let options: Option<Vec<String>> = nodes
        .iter()
        .map(|node| {
            let Some(NodeEnum::DefElem(option)) = &node.node else { return None };
            let value = match option.arg.as_ref()?.node.as_ref()? {
                NodeEnum::String(value) => value.sval.clone(),
                NodeEnum::Integer(value) => value.ival.to_string(),
                NodeEnum::Float(value) => value.fval.clone(),
                _ => return None,
            };
            Some(format!("{} = {}", option.defname, crate::quote::literal(&value)))
        })
        .collect();
    options.map(|options| options.join(", "))
}

mod late;
#[cfg(test)]
mod tests;
