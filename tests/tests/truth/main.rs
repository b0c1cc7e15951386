//! The truth about reports: what a locked-down server says of every statement of real dumps, and of single statements
//! whose answers were recorded on PostgreSQL 14 to 18, against what the report says.
//!
//! Definitions (the numbers themselves are explained at [`tsmigrate_tests::score::Score`]):
//! - A *prediction* is an error finding whose place is in the statement. Warnings and notes never count.
//! - A refusal is *predicted* where the statement has a prediction with the server's SQLSTATE, or where both are about
//!   something missing. A prediction with another SQLSTATE is counted apart (*otherwise*) and lowers the recall.
//! - A refusal without a prediction is left out of recall and precision where it is only the consequence of a predicted
//!   one: it names what an earlier statement was to make, and that statement's refusal was predicted; or it misses a
//!   schema or language whose absence was predicted above. With a cause that was missed it is missed too, but only the cause is
//!   listed.
//! - *Recall*: predicted refusals of all refusals that could be predicted. *Precision*: refused statements of all
//!   statements with a prediction.
//! - *Unjudged* statements count nowhere: parts of other databases, which the report leaves out; CREATE DATABASE, which
//!   only the service's own module refuses; and statements for which it decides that the lab's server has not the
//!   extensions of the service (Debian packages neither vectorscale nor `timescaledb_toolkit` nor, for PostgreSQL 15,
//!   TimescaleDB): the report for a target with the lab's extensions predicts them otherwise than that for the service;
//!   what is refused because the lab's TimescaleDB is not of the source's version, which the service can have; and what
//!   TimescaleDB refuses of a hypertable because the replay is not in the restoring mode that the report asks for.
//! - *After* the rewrite with safe fixes, a refusal has to be *announced*: an error of the report stays unsolved on it.
//!
//! Each dump is replayed statement by statement, rows of COPY included, as tsdbadmin on a server as it is from the
//! start, once as it is and once rewritten. The lines of the tables are kept as snapshots; every difference but those
//! that follow from another stands in a reviewed file (`truth/*.txt`) with the reason why it stays. A difference that
//! is not there fails the test, and so does a line there that is no longer so. `TRUTH_UPDATE=1` writes the files anew
//! (with `INSTA_UPDATE=always` the tables too); `TRUTH_ONLY=WORD` looks at dumps with this word in their names only and
//! compares nothing.

mod dumps;
mod servers;
mod statements;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) type Outcome = Result<(), Failure>;

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
