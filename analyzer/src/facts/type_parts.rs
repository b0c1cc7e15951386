//! What types of the dump are made of: labels of enums, attributes of composite types, constraints of domains.

use super::declared::{TypeKind, TypeParts};
use super::names::{string, strings};
use super::objects::{ObjectId, subject};
use super::state::Facts;
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, pg};

impl Facts {
    /// What a type is made of at this point, where the dump creates it.
    #[must_use]
    pub fn type_parts(&self, id: &ObjectId) -> Option<&TypeParts> {
        self.exists(id).then_some(())?;
        self.types.get(&self.objects.get(id)?.place)
    }

    pub(super) fn new_type(&mut self, node: &NodeEnum, place: Place) {
        let boxed = |names: Vec<&str>| names.into_iter().map(Into::into).collect();
        let parts = match node {
            NodeEnum::CreateEnumStmt(s) => TypeParts::new(TypeKind::Enum, boxed(strings(&s.vals))),
            NodeEnum::CompositeTypeStmt(s) => {
                TypeParts::new(TypeKind::Composite, boxed(attributes(&s.coldeflist).collect()))
            }
            NodeEnum::CreateRangeStmt(_) => TypeParts::new(TypeKind::Range, Vec::new()),
            NodeEnum::CreateDomainStmt(s) => {
                let names = constraints(&s.constraints)
                    .map(|one| one.conname.as_str())
                    .filter(|name| !name.is_empty())
                    .collect();
                TypeParts {
                    base: s.type_name.as_ref().map_or("".into(), |name| written(name).into()),
                    has_unnamed: constraints(&s.constraints).any(|one| one.conname.is_empty()),
                    ..TypeParts::new(TypeKind::Domain, boxed(names))
                }
            }
            _ => return,
        };
        self.types.insert(place, parts);
    }

    /// Follows what a statement adds to a type, takes from it or renames in it.
    pub(super) fn change_type(&mut self, node: &NodeEnum) {
        use pg::AlterTableType as T;
        let Some(parts) = self.changed(node) else { return };
        match node {
            NodeEnum::AlterEnumStmt(s) if s.old_val.is_empty() => parts.add(&s.new_val),
            NodeEnum::AlterEnumStmt(s) => parts.rename(&s.old_val, &s.new_val),
            NodeEnum::AlterDomainStmt(s) if s.subtype == "C" => {
                if let Some(NodeEnum::Constraint(one)) = s.def.as_ref().and_then(|def| def.node.as_ref()) {
                    if one.conname.is_empty() {
                        parts.has_unnamed = true;
                    } else {
                        parts.add(&one.conname);
                    }
                }
            }
            NodeEnum::AlterDomainStmt(s) if s.subtype == "X" => parts.remove(&s.name),
            NodeEnum::RenameStmt(s) => parts.rename(&s.subname, &s.newname),
            NodeEnum::AlterTableStmt(s) => {
                for command in &s.cmds {
                    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
                    match T::try_from(command.subtype) {
                        Ok(T::AtAddColumn) => {
                            attributes(command.def.as_deref()).for_each(|name| parts.add(name));
                        }
                        Ok(T::AtDropColumn) => parts.remove(&command.name),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// The type whose labels, attributes or constraints a statement is about.
    fn changed(&mut self, node: &NodeEnum) -> Option<&mut TypeParts> {
        use pg::ObjectType as T;
        let is_about = match node {
            NodeEnum::AlterEnumStmt(_) | NodeEnum::AlterDomainStmt(_) => true,
            NodeEnum::AlterTableStmt(s) => s.objtype == T::ObjectType as i32,
            NodeEnum::RenameStmt(s) => {
                matches!(T::try_from(s.rename_type), Ok(T::ObjectAttribute | T::ObjectDomconstraint))
            }
            _ => false,
        };
        let id = if is_about { changed_type(self, node) } else { None }?;
        let place = self.objects.get(&id).filter(|_| self.exists(&id))?.place;
        self.types.get_mut(&place)
    }
}

/// The type that a statement changes, by its identity.
#[must_use]
pub fn changed_type(facts: &Facts, node: &NodeEnum) -> Option<ObjectId> {
    let id = subject(node)?.id;
    let id = id.table().unwrap_or(id);
    // A composite type is altered as a table is.
    Some(facts.resolved(&ObjectId { class: Class::Type, ..id }))
}

/// The names of attributes.
pub fn attributes<'a>(definitions: impl IntoIterator<Item = &'a pg::Node>) -> impl Iterator<Item = &'a str> {
    definitions.into_iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::ColumnDef(column) => Some(column.colname.as_str()),
        _ => None,
    })
}

fn constraints(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::Constraint> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::Constraint(constraint) => Some(constraint.as_ref()),
        _ => None,
    })
}

/// A type's name as the dump writes it.
fn written(name: &pg::TypeName) -> String {
    let path: Vec<&str> = name.names.iter().filter_map(string).collect();
    format!("{}{}", path.join("."), "[]".repeat(name.array_bounds.len()))
}
