//! What a dump declares, each fact with its place: collected in one forward pass, statement by statement.
//! At any time they tell what the target has at this point of the restore.

mod absence;
mod changes;
mod collect;
mod column_traits;
mod declared;
pub mod encoding;
pub mod hypertables;
mod intern;
mod memberships;
pub mod names;
pub mod objects;
mod partition_bounds;
pub mod partman;
pub(crate) mod row_shape;
pub mod rows;
pub mod session;
mod session_changes;
mod state;
mod table_types;
pub mod tables;
pub mod timescale;
mod transaction;
pub mod type_parts;

pub use declared::{
    Absence, Column, Constraint, Database, Declared, Extension, Header, Membership, Overload, Owner, Partman,
    Privilege, Relation, Role, Scope, Setting, TypeKind, TypeParts,
};
pub use encoding::Encoding;
pub use intern::{Names, Symbol};
pub use objects::{Object, ObjectId};
pub use session::{Session, Settings};
pub use state::Facts;
pub use transaction::Transaction;
