//! The constraints of tables, by name: two of one name on a table, and two primary keys.

use std::collections::BTreeMap;

use crate::facts::ObjectId;
use crate::facts::names::{is_temporary, relation};
use crate::facts::objects::{dropped, subject};
use crate::finding::{Place, ServerError};
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;

/// Constraints that exist, by table, and where each was created.
#[derive(Clone, Default)]
pub(super) struct Constraints(BTreeMap<ObjectId, Vec<Known>>);

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
}

impl Kind {
    const fn has_index(self) -> bool {
        matches!(self, Self::PrimaryKey | Self::Index)
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
    let before = ctx.states.get::<Constraints>().and_then(|all| all.0.get(&table));
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
    Some(if known.kind.has_index() && kind.has_index() {
        ServerError::new("42P07", format!("relation \"{name}\" already exists"))
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
    let Some((range, added)) = added(node) else { return };
    let new: Vec<Known> = added
        .into_iter()
        .filter_map(|constraint| {
            let kind = kind(constraint)
                .filter(|kind| *kind == Kind::PrimaryKey || !constraint.conname.is_empty())?;
            Some(Known { name: constraint.conname.as_str().into(), kind, place })
        })
        .collect();
    if !new.is_empty() {
        let table = table(ctx, range);
        ctx.states.of::<Constraints>().0.entry(table).or_default().extend(new);
    }
}

/// Forgets what may be gone: more rather than less.
fn forget(ctx: &mut Context<'_>, node: &NodeEnum) {
    use pg::TransactionStmtKind as T;
    let gone: Vec<ObjectId> = match node {
        NodeEnum::TransactionStmt(s) => {
            let goes_back = matches!(T::try_from(s.kind), Ok(T::TransStmtRollback | T::TransStmtRollbackTo));
            if goes_back {
                ctx.states.of::<Constraints>().0.clear();
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
                ctx.states.of::<Constraints>().0.clear();
            }
            let takes = s.cmds.iter().any(takes_away);
            s.relation.as_ref().filter(|_| takes).map(|range| table(ctx, range)).into_iter().collect()
        }
        NodeEnum::CreateStmt(s) => {
            let range = s.relation.as_ref().filter(|range| !is_temporary(range));
            range.map(|range| table(ctx, range)).into_iter().collect()
        }
        NodeEnum::DropStmt(_) | NodeEnum::RenameStmt(_) | NodeEnum::DropOwnedStmt(_) => {
            ctx.states.of::<Constraints>().0.clear();
            return;
        }
        _ => return,
    };
    for id in gone {
        let table = id.table().unwrap_or(id);
        ctx.states.of::<Constraints>().0.remove(&table);
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
    match node {
        NodeEnum::CreateStmt(s) => {
            let range = s.relation.as_ref().filter(|range| !is_temporary(range))?;
            Some((range, s.table_elts.iter().flat_map(of_element).collect()))
        }
        NodeEnum::AlterTableStmt(s) => {
            let elements = s.cmds.iter().filter_map(command).filter_map(|command| command.def.as_deref());
            Some((s.relation.as_ref()?, elements.flat_map(of_element).collect()))
        }
        _ => None,
    }
}

/// The constraint that an element of a table is, or those of a column.
fn of_element(element: &pg::Node) -> impl Iterator<Item = &pg::Constraint> {
    let nodes = match &element.node {
        Some(NodeEnum::Constraint(_)) => std::slice::from_ref(element),
        Some(NodeEnum::ColumnDef(column)) => column.constraints.as_slice(),
        _ => &[],
    };
    nodes.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) => Some(&**constraint),
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
