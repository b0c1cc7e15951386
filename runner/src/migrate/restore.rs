//! Statements of a dump on the target, and TimescaleDB's restoring mode around them.

use crate::connect::{Connector, Session};
use crate::error::{Error, Refused, Server};
use crate::script::Statement;

/// Turns restoring mode on. Always with the schema: a dump empties `search_path`.
pub(super) async fn enter_restoring(session: &Session) -> Result<(), Error> {
    session.run("SELECT public.timescaledb_pre_restore()").await
}

/// Turns restoring mode off, in a session of its own: the others may be gone.
pub(super) async fn leave_restoring(target: &Connector) -> Result<(), Error> {
    let session = target.open().await?;
    session.run("SELECT public.timescaledb_post_restore()").await
}

/// Runs one statement.
pub(super) async fn execute(
    session: &Session,
    part: &'static str,
    statement: &Statement,
) -> Result<(), Error> {
    session
        .client()
        .batch_execute(&statement.sql)
        .await
        .map_err(|error| refused(part, statement, Server::new(&error)))
}

pub(super) fn refused(part: &'static str, statement: &Statement, server: Server) -> Error {
    Error::Statement(Box::new(Refused {
        part,
        line: statement.line,
        column: statement.column,
        object: statement.object.clone(),
        sql: crate::redact::statement(&statement.sql),
        server,
    }))
}

/// The SQLSTATE of a refusal.
pub(super) fn code(error: &Error) -> &str {
    match error {
        Error::Statement(refused) => &refused.server.code,
        _ => "",
    }
}

/// True where an owner was refused because a sequence follows its table.
pub(super) fn linked_sequence(error: &Error) -> bool {
    matches!(error, Error::Statement(refused) if refused.server.code == "0A000"
        && refused.server.message.starts_with("cannot change owner of sequence"))
}
