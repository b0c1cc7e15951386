//! The constraints of tables, by name: two of one name on a table, two primary keys, and relations that have the name of
//! one that the server makes for a table.

use std::collections::BTreeMap;

use crate::facts::names::{is_temporary, option, relation, strings};
use crate::facts::objects::{dropped, subject};
use crate::facts::{Object, ObjectId};
use crate::finding::{Place, ServerError};
use crate::grow;
use crate::parse::{Class, NodeEnum, columns_in, pg};
use crate::rule::{Context, Unjudged};

/// Constraints that exist, by table, and where each was created.
#[derive(Clone, Default)]
pub(super) struct Constraints {
    tables: BTreeMap<ObjectId, Vec<Known>>,
    /// The tables of indexes and sequences that the server makes, by their names.
    made: BTreeMap<ObjectId, ObjectId>,
}

impl Constraints {
    /// The relation of this name that the server has made.
    fn relation(&self, id: &ObjectId) -> Option<&Known> {
        let known = self.tables.get(self.made.get(id)?)?;
        known.iter().find(|known| known.kind.has_relation() && *known.name == *id.name)
    }
}

#[derive(Clone)]
struct Known {
    name: Box<str>,
    kind: Kind,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check,
    PrimaryKey,
    /// Unique or exclusion: it has an index of its name.
    Index,
    ForeignKey,
    /// No constraint: the sequence of a column, an index without a name.
    Relation,
}

impl Kind {
    const fn has_index(self) -> bool {
        matches!(self, Self::PrimaryKey | Self::Index)
    }

    /// It has a relation of its name, too.
    const fn has_relation(self) -> bool {
        matches!(self, Self::PrimaryKey | Self::Index | Self::Relation)
    }
}

/// A constraint that exists already.
pub(super) struct Duplicate {
    /// The table.
    pub(super) table: ObjectId,
    /// Which one, in words.
    pub(super) words: String,
    /// The first.
    pub(super) place: Place,
    pub(super) error: ServerError,
    /// True where the statement does nothing else.
    pub(super) is_alone: bool,
}

/// The first constraint of a statement that its table has already.
pub(super) fn duplicate(ctx: &Context<'_>, node: &NodeEnum, place: Place) -> Option<Duplicate> {
    let (range, added) = added(node)?;
    let table = table(ctx, range);
    let before = ctx.states.get::<Constraints>().and_then(|all| all.tables.get(&table));
    let creates = matches!(node, NodeEnum::CreateStmt(_));
    let mut own: Vec<Known> = Vec::new();
    for constraint in &added {
        let Some(kind) = kind(constraint) else { continue };
        let name = &*constraint.conname;
        let mut all = before.into_iter().flatten().filter(|_| !creates).chain(&own);
        let found =
            all.find_map(|known| Some((refusal(known, constraint, kind, &range.relname)?, known.place)));
        if let Some((error, place)) = found {
            let words = if name.is_empty() || error.sqlstate == "42P16" {
                "a primary key".to_owned()
            } else {
                format!("constraint {name}")
            };
            return Some(Duplicate { table, words, place, error, is_alone: !creates && is_alone(node) });
        }
        own.push(Known { name: name.into(), kind, place });
    }
    None
}

/// The server's words where a constraint is another of the same name, or another primary key.
fn refusal(known: &Known, new: &pg::Constraint, kind: Kind, table: &str) -> Option<ServerError> {
    if known.kind == Kind::PrimaryKey && kind == Kind::PrimaryKey {
        let text = format!("multiple primary keys for table \"{table}\" are not allowed");
        return Some(ServerError::new("42P16", text));
    }
    let name = &*new.conname;
    // Of a constraint that takes an index, the index has the name already.
    if name.is_empty() || *known.name != *name || !new.indexname.is_empty() {
        return None;
    }
    Some(if known.kind.has_relation() && kind.has_index() {
        ServerError::new("42P07", format!("relation \"{name}\" already exists"))
    } else if known.kind == Kind::Relation {
        return None;
    } else {
        ServerError::new("42710", format!("constraint \"{name}\" for relation \"{table}\" already exists"))
    })
}

/// Keeps what a statement adds, and forgets what it takes away.
pub(super) fn observe(ctx: &mut Context<'_>, node: &NodeEnum, place: Place, fails: bool) {
    if let NodeEnum::CreateStmt(s) = node
        && s.if_not_exists
        && s.relation.as_ref().is_some_and(|range| ctx.facts.relations.contains_key(&table(ctx, range)))
    {
        return;
    }
    if fails {
        return;
    }
    forget(ctx, node);
    let Some((range, new)) = new_names(ctx, node) else { return };
    let table = table(ctx, range);
    let is_script = !ctx.facts.is_dump;
    let all = ctx.states.of::<Constraints>();
    for NewName { is_given, name, kind } in new {
        // pg_dump names all: what the server chooses is only in the way in scripts.
        if kind.has_relation() && !name.is_empty() && (is_script || !is_given) {
            let id = ObjectId { name: name.as_str().into(), ..table.clone() };
            all.made.insert(id, table.clone());
        }
        if kind == Kind::PrimaryKey || !name.is_empty() {
            let known = Known { name: name.into(), kind, place };
            grow::push_exact(all.tables.entry(table.clone()).or_default(), known);
        }
    }
}

/// A new constraint or relation.
struct NewName {
    /// The statement names it.
    is_given: bool,
    /// Empty where it cannot be told.
    name: String,
    kind: Kind,
}

/// The table of a statement, and its new constraints and relations.
fn new_names<'a>(ctx: &Context<'_>, node: &'a NodeEnum) -> Option<(&'a pg::RangeVar, Vec<NewName>)> {
    let mut names = Vec::new();
    if let NodeEnum::IndexStmt(s) = node {
        let range = s.relation.as_ref().filter(|range| s.idxname.is_empty() && !is_temporary(range))?;
        let columns =
            s.index_params.iter().chain(&s.index_including_params).map(|column| match &column.node {
                Some(NodeEnum::IndexElem(element)) => {
                    Some(element.name.as_str()).filter(|name| !name.is_empty())
                }
                _ => None,
            });
        let columns = columns.collect::<Option<Vec<_>>>()?.join("_");
        let name = chosen(ctx, range, &columns, "idx", &names);
        names.push(NewName { is_given: false, name, kind: Kind::Relation });
        return Some((range, names));
    }
    let (range, elements) = elements(node)?;
    let all: Vec<_> = elements.iter().flat_map(|element| of_element(element)).collect();
    for &(column, constraint) in &all {
        let Some(kind) = kind(constraint) else { continue };
        let is_given = !constraint.conname.is_empty();
        // Of keys over the same columns the server makes one index: `id serial UNIQUE PRIMARY KEY`.
        let is_same = |other: &(Option<&str>, &pg::Constraint)| {
            !std::ptr::eq(other.1, constraint)
                && key(*other).is_some_and(|columns| Some(columns) == key((column, constraint)))
        };
        if kind == Kind::Index && !is_given && all.iter().any(is_same) {
            continue;
        }
        let name = if is_given {
            constraint.conname.clone()
        } else if constraint.indexname.is_empty() {
            let (columns, label) = label(constraint, kind, column);
            columns.map_or_else(String::new, |columns| chosen(ctx, range, &columns, label, &names))
        } else {
            constraint.indexname.clone()
        };
        names.push(NewName { is_given, name, kind });
    }
    for element in elements {
        if let Some(NodeEnum::ColumnDef(column)) = &element.node
            && has_sequence(column)
        {
            let name = chosen(ctx, range, &column.colname, "seq", &names);
            names.push(NewName { is_given: false, name, kind: Kind::Relation });
        }
    }
    Some((range, names))
}

/// The columns of a primary key or UNIQUE.
fn key<'a>((column, constraint): (Option<&'a str>, &'a pg::Constraint)) -> Option<Vec<&'a str>> {
    use pg::ConstrType as C;
    matches!(C::try_from(constraint.contype), Ok(C::ConstrPrimary | C::ConstrUnique))
        .then(|| column.map_or_else(|| strings(&constraint.keys), |column| vec![column]))
}

/// What the server makes a constraint's name of: its columns, where they can be told, and a word.
fn label(constraint: &pg::Constraint, kind: Kind, column: Option<&str>) -> (Option<String>, &'static str) {
    let listed = |nodes: &[pg::Node]| {
        let own = column.map_or_else(|| strings(nodes).join("_"), Into::into);
        Some(own).filter(|columns| !columns.is_empty())
    };
    match kind {
        Kind::PrimaryKey => (Some(String::new()), "pkey"),
        Kind::ForeignKey => (listed(&constraint.fk_attrs), "fkey"),
        Kind::Check => {
            let columns =
                constraint.raw_expr.as_ref().and_then(|check| columns_in(std::slice::from_ref(check)));
            let mut names: Vec<String> =
                columns.into_iter().flatten().filter_map(|mut column| column.names.pop()).collect();
            names.dedup();
            (Some(if names.len() == 1 { names.remove(0) } else { String::new() }), "check")
        }
        // Of an exclusion more than columns counts.
        Kind::Index if constraint.contype == pg::ConstrType::ConstrUnique as i32 => {
            let columns: Vec<&str> =
                strings(&constraint.keys).into_iter().chain(strings(&constraint.including)).collect();
            (Some(column.map_or_else(|| columns.join("_"), Into::into)), "key")
        }
        Kind::Index | Kind::Relation => (None, ""),
    }
}

/// The name that the server chooses (ChooseRelationName, ChooseConstraintName): the first of `t_a_key`, `t_a_key1` and so on
/// that is free. Empty where it would have to be cut.
fn chosen(ctx: &Context<'_>, range: &pg::RangeVar, columns: &str, label: &str, own: &[NewName]) -> String {
    /// Bytes of a name: NAMEDATALEN - 1.
    const LONGEST: usize = 63;
    let parts = [&*range.relname, columns, label];
    let base = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    let table = table(ctx, range);
    let all = ctx.states.get::<Constraints>();
    let is_taken = |name: &str| {
        let id = ObjectId { name: name.into(), ..table.clone() };
        own.iter().any(|own| own.name == name)
            || ctx.facts.exists(&id)
            || all.is_some_and(|all| {
                all.relation(&id).is_some()
                    || all.tables.get(&table).into_iter().flatten().any(|known| *known.name == *name)
            })
    };
    let mut name = base.clone();
    let mut number = 0;
    while is_taken(&name) {
        number += 1;
        name = format!("{base}{number}");
    }
    if name.len() > LONGEST { String::new() } else { name }
}

/// serial, or an identity whose sequence has no name given.
fn has_sequence(column: &pg::ColumnDef) -> bool {
    let is_serial = column.type_name.as_ref().is_some_and(|name| {
        matches!(
            strings(&name.names).as_slice(),
            ["serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8"]
        )
    });
    let identity = |node: &pg::Node| match &node.node {
        Some(NodeEnum::Constraint(c)) => {
            c.contype == pg::ConstrType::ConstrIdentity as i32
                && option(&c.options, "sequence_name").is_none()
        }
        _ => false,
    };
    is_serial || column.constraints.iter().any(identity)
}

/// The relation of this name that exists already, in words, and where it was created: one that the server has made for a
/// table. What may be gone is not judged.
pub(super) fn made(ctx: &mut Context<'_>, id: &ObjectId) -> Option<(String, Place)> {
    let all = ctx.states.get::<Constraints>()?;
    let table = all.made.get(id)?;
    let words = format!("a relation that the server has created for table {}", table.path());
    let found = all.relation(id).map(|known| (words, known.place));
    if found.is_none() {
        ctx.not_judged(Unjudged::Objects);
    }
    found
}

/// The first constraint of a statement whose index has the name of another relation: the name, the other in words, its
/// place.
pub(super) fn taken(ctx: &mut Context<'_>, node: &NodeEnum) -> Option<(String, String, Place)> {
    let (range, added) = added(node)?;
    let table = table(ctx, range);
    let named = |constraint: &&&pg::Constraint| {
        kind(constraint).is_some_and(Kind::has_index)
            && !constraint.conname.is_empty()
            && constraint.indexname.is_empty()
    };
    added.iter().filter(named).find_map(|constraint| {
        let id = ObjectId { name: constraint.conname.as_str().into(), ..table.clone() };
        let relation = ctx.facts.relations.get(&id).filter(|_| ctx.facts.exists(&id));
        let relation =
            relation.map(|found| (Object { word: found.word, id: id.clone() }.to_string(), found.place));
        let (words, place) = relation.or_else(|| made(ctx, &id))?;
        Some((constraint.conname.clone(), words, place))
    })
}

/// Forgets what may be gone: more rather than less.
fn forget(ctx: &mut Context<'_>, node: &NodeEnum) {
    use pg::TransactionStmtKind as T;
    let gone: Vec<ObjectId> = match node {
        NodeEnum::TransactionStmt(s) => {
            let goes_back = matches!(T::try_from(s.kind), Ok(T::TransStmtRollback | T::TransStmtRollbackTo));
            if goes_back {
                ctx.states.of::<Constraints>().tables.clear();
            }
            return;
        }
        NodeEnum::DropStmt(s) if s.behavior != pg::DropBehavior::DropCascade as i32 => {
            dropped(s).into_iter().map(|object| ctx.resolved(&object.id)).collect()
        }
        NodeEnum::RenameStmt(s) if s.rename_type != pg::ObjectType::ObjectSchema as i32 => {
            subject(node).map(|object| ctx.resolved(&object.id)).into_iter().collect()
        }
        NodeEnum::AlterObjectSchemaStmt(_) => {
            subject(node).map(|object| ctx.resolved(&object.id)).into_iter().collect()
        }
        NodeEnum::AlterTableStmt(s) => {
            if s.cmds.iter().any(cascades) {
                ctx.states.of::<Constraints>().tables.clear();
            }
            let takes = s.cmds.iter().any(takes_away);
            s.relation.as_ref().filter(|_| takes).map(|range| table(ctx, range)).into_iter().collect()
        }
        NodeEnum::CreateStmt(s) => {
            let range = s.relation.as_ref().filter(|range| !is_temporary(range));
            range.map(|range| table(ctx, range)).into_iter().collect()
        }
        NodeEnum::DropStmt(_) | NodeEnum::RenameStmt(_) | NodeEnum::DropOwnedStmt(_) => {
            ctx.states.of::<Constraints>().tables.clear();
            return;
        }
        _ => return,
    };
    let all = ctx.states.of::<Constraints>();
    for id in gone {
        // An index or sequence by its own name.
        all.made.remove(&id);
        let table = id.table().unwrap_or(id);
        all.tables.remove(&table);
        if matches!(node, NodeEnum::DropStmt(_)) {
            all.made.retain(|_, of| *of != table);
        }
    }
}

fn command(node: &pg::Node) -> Option<&pg::AlterTableCmd> {
    match &node.node {
        Some(NodeEnum::AlterTableCmd(command)) => Some(command),
        _ => None,
    }
}

fn takes_away(node: &pg::Node) -> bool {
    use pg::AlterTableType as T;
    let kind = command(node).and_then(|command| T::try_from(command.subtype).ok());
    matches!(kind, Some(T::AtDropConstraint | T::AtDropColumn | T::AtDetachPartition | T::AtDropInherit))
}

fn cascades(node: &pg::Node) -> bool {
    command(node).is_some_and(|command| command.behavior == pg::DropBehavior::DropCascade as i32)
}

fn is_alone(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::AlterTableStmt(s) if s.cmds.len() == 1
    && s.cmds.iter().filter_map(command).all(|one| {
        one.subtype == pg::AlterTableType::AtAddConstraint as i32
    }))
}

fn table(ctx: &Context<'_>, range: &pg::RangeVar) -> ObjectId {
    let (schema, name) = relation(range);
    ctx.resolved(&ObjectId::new(Class::Relation, schema, name))
}

/// The table, and the constraints that a statement adds to it.
fn added(node: &NodeEnum) -> Option<(&pg::RangeVar, Vec<&pg::Constraint>)> {
    let (range, elements) = elements(node)?;
    Some((range, elements.into_iter().flat_map(of_element).map(|(_, constraint)| constraint).collect()))
}

/// The table, and the columns and constraints that a statement adds to it.
fn elements(node: &NodeEnum) -> Option<(&pg::RangeVar, Vec<&pg::Node>)> {
    match node {
        NodeEnum::CreateStmt(s) => {
            let range = s.relation.as_ref().filter(|range| !is_temporary(range))?;
            Some((range, s.table_elts.iter().collect()))
        }
        NodeEnum::AlterTableStmt(s) => {
            let elements = s.cmds.iter().filter_map(command).filter_map(|command| command.def.as_deref());
            Some((s.relation.as_ref()?, elements.collect()))
        }
        _ => None,
    }
}

/// The constraint that an element of a table is, or those of a column, with its name.
fn of_element(element: &pg::Node) -> impl Iterator<Item = (Option<&str>, &pg::Constraint)> {
    let (column, nodes) = match &element.node {
        Some(NodeEnum::Constraint(_)) => (None, std::slice::from_ref(element)),
        Some(NodeEnum::ColumnDef(column)) => (Some(&*column.colname), column.constraints.as_slice()),
        _ => (None, &[][..]),
    };
    nodes.iter().filter_map(move |node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) => Some((column, &**constraint)),
        _ => None,
    })
}

fn kind(constraint: &pg::Constraint) -> Option<Kind> {
    use pg::ConstrType as C;
    Some(match C::try_from(constraint.contype).ok()? {
        C::ConstrCheck => Kind::Check,
        C::ConstrPrimary => Kind::PrimaryKey,
        C::ConstrUnique | C::ConstrExclusion => Kind::Index,
        C::ConstrForeign => Kind::ForeignKey,
        _ => return None,
    })
}
