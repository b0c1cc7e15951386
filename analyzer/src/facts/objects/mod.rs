//! Objects: their identity, and what a statement does with them.

mod created;
mod named;
mod signature;

pub use created::{also_created, created, created_range, identity_sequence, is_user_object, new_name};
pub use named::{
    Object, ObjectId, added_constraint, cast_types, dropped, granted, of_part, relation_word, subject,
    type_text, word_and_class,
};
pub use signature::{Signature, argument, signature};
