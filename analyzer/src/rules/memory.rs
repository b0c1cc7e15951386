//! What rules remember from one statement to later ones, beyond the facts of the dump.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::body::BodyPart;
use crate::facts::ObjectId;
use crate::finding::{Place, ServerError};
use crate::parse::Class;
use crate::rules::timescaledb::orphans::Orphans;
use crate::rules::timescaledb::ts_12_internal_object::NamesChunk;

/// State that rules share.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Inputs whose `\restrict` was reported.
    pub restricted_inputs: BTreeSet<usize>,
    /// Inputs whose rows come as INSERT statements.
    pub inserting_inputs: BTreeSet<usize>,
    /// CREATE on a schema that a new owner needs only while ownership is handed over: by schema and role.
    pub borrowed_create: BTreeMap<(String, String), Loan>,
    /// Roles that a fix, and not the dump, made the restoring role a member of.
    pub lent_membership: BTreeSet<String>,
    /// Roles that are superusers on the source, whatever becomes of them.
    pub source_superusers: BTreeSet<String>,
    /// Roles that bypass row-level security on the source.
    pub source_bypass: BTreeSet<String>,
    /// Owners that schemas have on the target, where that is not the restoring role.
    pub schema_owners: BTreeMap<String, String>,
    /// The table whose column a sequence belongs to: its owner is the table's.
    pub sequence_tables: BTreeMap<ObjectId, ObjectId>,
    /// Views of continuous aggregates.
    pub continuous_aggregates: BTreeSet<ObjectId>,
    /// Row-level security of tables: enabled, forced.
    pub row_security: BTreeMap<ObjectId, (bool, bool)>,
    /// `SET row_security = off` is in force.
    pub row_security_off: bool,
    /// A statement of this session has loaded PL/pgSQL, with its parameters.
    pub plpgsql_loaded: bool,
    /// A fix has loaded it.
    pub plpgsql_lent: bool,
    /// BEGIN was seen, and no COMMIT or ROLLBACK since.
    pub in_transaction: bool,
    /// Extensions that the target has in another schema than the dump.
    pub moved_extensions: Vec<Moved>,
    /// What TimescaleDB's own objects leave over where the dump has no rows of its catalogs.
    pub orphans: Orphans,
    /// Views and functions that name a chunk.
    pub(crate) names_chunks: Vec<NamesChunk>,
    /// Aggregates and operators whose argument types were changed.
    pub retyped: BTreeSet<ObjectId>,
    /// The SQL in the body of the statement at hand.
    pub body: Option<BodyAtHand>,
    /// What bodies need, to be looked at when all is known.
    pub awaited: Awaited,
    /// Functions, procedures and views that fail whenever they are used: with the server's words, and where.
    pub failing: BTreeMap<ObjectId, Failing>,
    /// Tables with PARTITION BY.
    pub partitioned_tables: BTreeSet<ObjectId>,
    /// Tables that are partitioned by ranges of text in the order of the database.
    pub text_partitions: BTreeSet<ObjectId>,
    /// Databases of the dump that sort as the C locale does.
    pub c_databases: BTreeSet<Box<str>>,
    /// Numbers of the large objects that are there.
    pub large_objects: BTreeSet<u32>,
    /// Operators that stand behind their operand, by name.
    pub postfix_operators: BTreeSet<Box<str>>,
    /// Inputs whose ANALYZE of everything was reported.
    pub analyzing_inputs: BTreeSet<usize>,
}

/// The names that bodies use and the dump has not made yet.
#[derive(Clone, Debug, Default)]
pub struct Awaited {
    /// The bodies.
    pub bodies: Vec<AwaitingBody>,
    /// Where each name is used.
    pub(crate) names: BTreeMap<Name, Vec<Use>>,
}

/// Class, schema and name of an object.
pub(crate) type Name = (Class, Option<Box<str>>, Box<str>);

/// A function or procedure whose body needs what the dump has not made yet.
#[derive(Clone, Debug)]
pub struct AwaitingBody {
    /// Its words.
    pub words: Box<str>,
    /// Its search path; `None` where it sets none.
    pub path: Option<Arc<[Box<str>]>>,
}

/// Where a body uses a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The body's place in the list.
    pub body: usize,
    /// Where.
    pub place: Place,
    /// It may not be reached.
    pub conditional: bool,
}

/// The SQL in the body of one statement.
#[derive(Clone, Debug)]
pub struct BodyAtHand {
    /// The statement's input, first byte and length.
    pub key: (usize, u64, usize),
    /// The pieces.
    pub parts: Arc<Vec<BodyPart>>,
}

/// Why a function or view fails.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The server's words.
    pub error: Option<ServerError>,
    /// What fails in it.
    pub message: String,
    /// Where.
    pub place: Place,
}

/// A privilege that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The last statement that needed it.
    pub place: Place,
    /// The dump itself granted it since: it stays.
    pub kept: bool,
}

impl Memory {
    /// A role has this attribute on the source.
    pub fn source_attribute(&mut self, role: &str, attribute: &str) {
        match attribute {
            "superuser" => self.source_superusers.insert(role.to_owned()),
            "bypassrls" => self.source_bypass.insert(role.to_owned()),
            _ => false,
        };
    }
}

/// An extension in another schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The extension.
    pub extension: String,
    /// The schema that the dump has it in.
    pub from: String,
    /// The schema that the target has it in.
    pub to: String,
}
