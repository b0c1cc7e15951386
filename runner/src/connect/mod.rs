//! Sessions on the two servers.

mod advice;
mod backends;
mod connector;
mod endpoint;
mod keywords;
mod local;
mod merged;
mod passfile;
pub mod pinned;
pub mod pooler;
mod row;
mod service;
mod session;
mod settings;
mod side;
mod stream;
mod tls;
mod uri;
mod wanted;

pub use connector::Connector;
pub(crate) use connector::FULL;
pub use endpoint::Endpoint;
pub use row::Row;
pub use session::Session;
pub use side::Side;
pub use tsmigrate_analyzer::quote::{identifier, literal};
