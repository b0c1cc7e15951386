//! What post-data holds, sorted by when it can be built: indexes and constraints of a table as soon as its rows are
//! there, foreign keys when all are, materialized views at the end, everything else in the dump's order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use crate::names::Relation;
use crate::quote::identifier;
use crate::quote::quoted;
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
    /// Checks all of them; long.
    pub check: Option<Build>,
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

/// What waits until TimescaleDB's restoring mode has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AfterRestoring {
    /// Those that refer to a hypertable.
    pub foreign_keys: Vec<ForeignKeys>,
    /// Of the tables at both servers of these keys.
    pub row_security: Vec<Statement>,
}

impl Builds {
    /// Takes out what cannot be done in restoring mode, where a hypertable looks empty: foreign keys that refer to one
    /// would be refused (23503), and TimescaleDB would not guard the referenced rows in its chunks.
    pub fn take_after_restoring(&mut self, hypertables: &BTreeSet<Relation>) -> AfterRestoring {
        let (foreign_keys, now): (Vec<_>, _) = std::mem::take(&mut self.foreign_keys)
            .into_iter()
            .partition(|keys| !keys.references.is_disjoint(hypertables));
        self.foreign_keys = now;
        let checked = |table: &Relation| {
            foreign_keys.iter().any(|keys| keys.table == *table || keys.references.contains(table))
        };
        let (late, now): (Vec<_>, _) =
            std::mem::take(&mut self.row_security).into_iter().partition(|(table, _)| checked(table));
        self.row_security = now;
        AfterRestoring {
            foreign_keys,
            row_security: late.into_iter().map(|(_, statement)| statement).collect(),
        }
    }
}

/// Sorts the statements of post-data. `tables` are those whose rows are copied; `plain` says of which tables the
/// constraints may be taken apart: not of hypertables and their chunks, where TimescaleDB has a say.
#[must_use]
pub fn sort(
    statements: Vec<Statement>,
    tables: &BTreeSet<Relation>,
    plain: impl Fn(&Relation) -> bool,
) -> Builds {
    let mut builds = Builds::default();
    let mut keys = BTreeMap::<Relation, ForeignKeys>::new();
    for (number, statement) in statements.into_iter().enumerate() {
        let parsed = parse::parse(&statement.sql, true).ok().flatten();
        let node = parsed.as_ref().map(tsmigrate_analyzer::parse::Parsed::node);
        let step = Step::Build(number);
        match node.map(what) {
            Some(What::Index(table, name)) if tables.contains(&table) => {
                let build = Build {
                    step,
                    name: format!("{} on {table}", quoted(&name)),
                    relation: table.clone(),
                    sql: vec![statement.sql.clone()],
                    statement,
                };
                builds.tables.entry(table).or_default().indexes.push(build);
            }
            Some(What::Constraint(table, constraint)) if tables.contains(&table) => {
                let index = if plain(&table) { index_first(&table, &constraint) } else { None };
                let name = format!("{} on {table}", quoted(&constraint.conname));
                let relation = table.clone();
                let of_table = builds.tables.entry(table).or_default();
                match index {
                    Some((create, add)) => {
                        let index = Build {
                            step: Step::Index(number),
                            name: name.clone(),
                            relation: relation.clone(),
                            sql: vec![create],
                            statement: statement.clone(),
                        };
                        of_table.indexes.push(index);
                        of_table.constraints.push(Build { step, name, relation, sql: vec![add], statement });
                    }
                    None => of_table.constraints.push(Build {
                        step,
                        name,
                        relation,
                        sql: vec![statement.sql.clone()],
                        statement,
                    }),
                }
            }
            Some(What::ForeignKey(table, constraint)) => {
                let entry = keys.entry(table.clone()).or_insert_with(|| ForeignKeys {
                    table: table.clone(),
                    references: BTreeSet::new(),
                    add: Vec::new(),
                    check: None,
                });
                entry.references.extend(relation(constraint.pktable.as_ref()));
                let name = format!("{} on {table}", quoted(&constraint.conname));
                // One that is not valid on the source stays so.
                let apart = plain(&table)
                    && tables.contains(&table)
                    && constraint.initially_valid
                    && enforced(&constraint);
                let mut sql = statement.sql.clone();
                if apart {
                    let end = sql.trim_end().trim_end_matches(';').len();
                    sql.truncate(end);
                    sql.push_str(" NOT VALID");
                    let validate = format!("VALIDATE CONSTRAINT {}", identifier(&constraint.conname));
                    match &mut entry.check {
                        Some(check) => {
                            if let Some(all) = check.sql.first_mut() {
                                all.push_str(", ");
                                all.push_str(&validate);
                            }
                            check.name = format!("foreign keys on {table}");
                        }
                        None => {
                            entry.check = Some(Build {
                                step: Step::Check(number),
                                name: name.clone(),
                                relation: table.clone(),
                                sql: vec![format!("ALTER TABLE ONLY {} {validate}", table.sql())],
                                statement: statement.clone(),
                            });
                        }
                    }
                }
                entry.add.push(Build { step, name, relation: table, sql: vec![sql], statement });
            }
            Some(What::Refresh(view)) => builds.refreshes.push(Build {
                step,
                name: view.to_string(),
                relation: view,
                sql: vec![statement.sql.clone()],
                statement,
            }),
            Some(What::RowSecurity(table)) => builds.row_security.push((table, statement)),
            _ => builds.rest.push(statement),
        }
    }
    builds.foreign_keys = keys.into_values().collect();
    builds
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

enum What {
    Index(Relation, String),
    Constraint(Relation, Box<pg::Constraint>),
    ForeignKey(Relation, Box<pg::Constraint>),
    Refresh(Relation),
    RowSecurity(Relation),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    fn sorted(sql: &str) -> Builds {
        let statements = script::statements("post-data", sql.as_bytes()).expect("statements");
        let tables = ["a", "b", "chunk"].map(|name| Relation::new("s", name)).into();
        sort(statements, &tables, |table| table.name != "chunk")
    }

    #[test]
    fn a_primary_key_is_built_as_an_index_first() {
        let builds = sorted(
            "ALTER TABLE ONLY \"s\".\"a\" ADD CONSTRAINT \"a_pkey\" PRIMARY KEY (\"id\", \"B\") INCLUDE (\"c\") WITH (fillfactor='70') DEFERRABLE INITIALLY DEFERRED;",
        );
        let of = &builds.tables[&Relation::new("s", "a")];
        assert_eq!(
            of.indexes[0].sql,
            [
                "CREATE UNIQUE INDEX \"a_pkey\" ON \"s\".\"a\" (\"id\", \"B\") INCLUDE (\"c\") WITH (fillfactor = '70')"
            ]
        );
        assert_eq!(
            of.constraints[0].sql,
            [
                "ALTER TABLE ONLY \"s\".\"a\" ADD CONSTRAINT \"a_pkey\" PRIMARY KEY USING INDEX \"a_pkey\" DEFERRABLE INITIALLY DEFERRED"
            ]
        );
    }

    #[test]
    fn a_chunks_constraint_stays_as_timescaledb_dumps_it() {
        let builds = sorted("ALTER TABLE ONLY s.chunk ADD CONSTRAINT u UNIQUE (id);");
        let of = &builds.tables[&Relation::new("s", "chunk")];
        assert!(of.indexes.is_empty());
        assert_eq!(of.constraints[0].sql, ["ALTER TABLE ONLY s.chunk ADD CONSTRAINT u UNIQUE (id);"]);
    }

    #[test]
    fn foreign_keys_of_a_table_are_checked_together() {
        let builds = sorted(
            "ALTER TABLE ONLY s.a ADD CONSTRAINT f1 FOREIGN KEY (x) REFERENCES s.b(id) ON DELETE CASCADE;
             ALTER TABLE ONLY s.a ADD CONSTRAINT f2 FOREIGN KEY (y) REFERENCES s.b(id);
             ALTER TABLE ONLY s.a ADD CONSTRAINT f3 FOREIGN KEY (z) REFERENCES s.b(id) NOT VALID;
             ALTER TABLE s.parted ADD CONSTRAINT f4 FOREIGN KEY (z) REFERENCES s.b(id);",
        );
        let [a, parted] = &builds.foreign_keys[..] else { panic!("two tables") };
        assert!(a.add[0].sql[0].ends_with("ON DELETE CASCADE NOT VALID"));
        assert!(a.add[2].sql[0].ends_with("NOT VALID;"));
        assert_eq!(
            a.check.as_ref().expect("a check").sql,
            ["ALTER TABLE ONLY \"s\".\"a\" VALIDATE CONSTRAINT \"f1\", VALIDATE CONSTRAINT \"f2\""]
        );
        assert_eq!(parted.check, None);
    }

    #[test]
    fn foreign_keys_to_hypertables_wait_until_restoring_mode_has_ended() {
        let mut builds = sorted(
            "ALTER TABLE ONLY s.a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.hyper(id);
             ALTER TABLE ONLY s.b ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.other(id);
             ALTER TABLE s.a ENABLE ROW LEVEL SECURITY;
             ALTER TABLE ONLY s.hyper FORCE ROW LEVEL SECURITY;
             ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;",
        );
        let late = builds.take_after_restoring(&[Relation::new("s", "hyper")].into());
        let tables =
            |keys: &[ForeignKeys]| keys.iter().map(|keys| keys.table.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (tables(&late.foreign_keys), tables(&builds.foreign_keys)),
            (vec!["a".into()], vec!["b".into()])
        );
        assert_eq!((late.row_security.len(), builds.row_security.len()), (2, 1));
    }

    #[test]
    fn row_security_waits_for_the_foreign_keys() {
        let builds = sorted(
            "ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON s.b USING (true);
             ALTER TABLE s.parted ADD CONSTRAINT f FOREIGN KEY (z) REFERENCES s.b(id);",
        );
        let sql: Vec<&str> =
            builds.row_security.iter().map(|(_, statement)| statement.sql.as_str()).collect();
        assert_eq!(sql, ["ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;"]);
        assert!(matches!(&builds.rest[..], [policy] if policy.sql.starts_with("CREATE POLICY")));
    }

    #[test]
    fn what_is_neither_stays_in_its_order() {
        let builds = sorted(
            "CREATE INDEX i ON s.a USING btree (x);
             CREATE INDEX j ON ONLY s.parted USING btree (x);
             ALTER INDEX s.j ATTACH PARTITION s.i;
             CREATE TRIGGER t AFTER INSERT ON s.a FOR EACH ROW EXECUTE FUNCTION f();
             REFRESH MATERIALIZED VIEW s.m;",
        );
        assert_eq!(builds.tables[&Relation::new("s", "a")].indexes.len(), 1);
        assert_eq!(builds.rest.len(), 3);
        assert_eq!(builds.refreshes[0].name, "s.m");
    }
}
