//! Everything that can stop a migration: what happened, where, and what to do next.

use std::fmt;

use tsmigrate_analyzer::secrets;

/// Why a migration stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A connection string cannot be read.
    #[error("the {side}'s connection string cannot be read: {why}")]
    Uri {
        /// `source` or `target`.
        side: &'static str,
        /// What is wrong with it, without its text.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS to the {side} cannot be set up: {why}")]
    Tls {
        /// `source` or `target`.
        side: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A server cannot be reached or refuses the login.
    #[error("cannot connect to the {side} {endpoint}\n  cause: {why}{}", steps(next))]
    Connect {
        /// `source` or `target`.
        side: &'static str,
        /// Where it is, without the password.
        endpoint: String,
        /// The server's or the network's answer.
        why: Box<Server>,
        /// What to do about it.
        next: Vec<String>,
    },
    /// A server refused a query of our own.
    #[error("{}: {answer}\n  query: {sql}", failed_query(side, answer))]
    Query {
        /// `source` or `target`.
        side: &'static str,
        /// The query, shortened.
        sql: String,
        /// The server's answer.
        answer: Box<Server>,
    },
    /// A server's answer to a query of our own is not what it must be.
    #[error("the {side}'s answer cannot be read: {why}\n  query: {sql}")]
    Answer {
        /// `source` or `target`.
        side: &'static str,
        /// Which column, and what is wrong with it.
        why: String,
        /// The query, shortened.
        sql: String,
    },
    /// The target refused a statement of the dump.
    #[error("the target refused a statement\n{0}")]
    Statement(Box<Refused>),
    /// A client tool is missing or too old.
    #[error("{what}\n  next: {next}")]
    Tool {
        /// What is missing.
        what: String,
        /// What to install or say.
        next: String,
    },
    /// A client tool failed.
    #[error("{tool} failed ({status}): {output}")]
    ToolFailed {
        /// The tool's name.
        tool: &'static str,
        /// Its exit status.
        status: String,
        /// What it wrote to its error output.
        output: String,
    },
    /// A connection pooler gives transactions any backend: no session of ours is kept.
    #[error("{}{}", .0.what, steps(&.0.next))]
    Pooler(Box<Blocker>),
    /// One end is not in a state to migrate from or to.
    #[error("the preflight failed:\n{}", list(.0))]
    Preflight(Vec<Blocker>),
    /// The analyzer could not work on a dump.
    #[error("the dump cannot be analysed: {0}")]
    Analysis(String),
    /// The dump ended too early.
    #[error("the dump from {tool} is cut off in line {line}: {what}")]
    CutOff {
        /// Which tool wrote it.
        tool: &'static str,
        /// Where.
        line: u64,
        /// In the middle of what.
        what: String,
    },
    /// A pattern of `--include` or `--exclude` that matches nothing.
    #[error(
        "no table of the source matches {0}\n  next: write schema or schema.table as PostgreSQL writes names; * stands for any text"
    )]
    Pattern(String),
    /// The user stopped the run.
    #[error("stopped by {0}")]
    Interrupted(&'static str),
    /// The rows of a table did not go over.
    #[error("{table} could not be copied: the {side} said\n  {answer}")]
    Copy {
        /// The table, and the part of it.
        table: String,
        /// `source` or `target`.
        side: &'static str,
        /// The server's answer.
        answer: Box<Server>,
    },
    /// Rows break constraints or unique indexes: each is an error of its own.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rows(Vec<Error>),
    /// The session that keeps the source's snapshot has ended.
    #[error("the snapshot of the source is gone: its session has ended")]
    SnapshotLost,
    /// A run cannot begin, or go on, as things are.
    #[error("{what}{}", steps(next))]
    Refused {
        /// What is in the way.
        what: String,
        /// What to do about it.
        next: Vec<String>,
    },
    /// A file of ours.
    #[error("cannot {what}: {error}")]
    File {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        error: std::io::Error,
    },
    /// A defect of ours: the run stops in order instead of tearing everything down.
    #[error("a defect in tsmigrate: {0}; please report it")]
    Defect(String),
}

impl Error {
    /// What a server or the network answered, where one did.
    #[must_use]
    pub fn answer(&self) -> Option<&Server> {
        match self {
            Self::Connect { why: answer, .. } | Self::Query { answer, .. } | Self::Copy { answer, .. } => {
                Some(answer)
            }
            Self::Statement(refused) => Some(&refused.server),
            Self::Rows(all) => all.first().and_then(Self::answer),
            _ => None,
        }
    }

    /// A server went away.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.answer().is_some_and(Server::is_gone)
    }

    /// What happened, why, and what to do, where a server cannot be used at all.
    #[must_use]
    pub fn unreachable(&self) -> Option<Unreachable> {
        let (what, cause, next) = match self {
            Self::Connect { side, endpoint, why, next } => {
                (format!("cannot connect to the {side} {endpoint}"), why.to_string(), next.clone())
            }
            Self::Uri { side, why } => (
                format!("the {side}'s connection string cannot be read"),
                why.clone(),
                vec![format!("correct --{side}; its form is postgres://user@host:port/database")],
            ),
            Self::Tls { side, why } => (
                format!("TLS to the {side} cannot be set up"),
                why.clone(),
                vec![format!("correct sslmode, sslrootcert, sslcert and sslkey in --{side}")],
            ),
            _ => return None,
        };
        Some(Unreachable { what, cause, next })
    }

    /// The SQLSTATE of a server's answer; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.answer().map_or("", |answer| &answer.code)
    }
}

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// What failed, and where.
    pub what: String,
    /// The server's or the system's words.
    pub cause: String,
    /// What to do about it.
    pub next: Vec<String>,
}

/// Something to be put right before a migration can start.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Blocker {
    /// A short name, such as `timescaledb-version`.
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do about it: sentences, or commands to copy.
    pub next: Vec<String>,
}

impl Blocker {
    /// One with these ways on.
    pub(crate) fn new(check: &'static str, what: impl Into<String>, next: &[&str]) -> Self {
        Self { check, what: what.into(), next: next.iter().map(|&next| next.to_owned()).collect() }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "✗ {}: {}", self.check, self.what)?;
        self.next.iter().try_for_each(|next| write!(f, "\n    {next}"))
    }
}

/// A server that went away has refused nothing.
fn failed_query(side: &str, answer: &Server) -> String {
    let did = if answer.is_gone() { "went away at" } else { "refused" };
    format!("the {side} {did} a query")
}

fn steps(next: &[String]) -> String {
    next.iter().flat_map(|next| ["\n  next: ", next]).collect()
}

fn list(blockers: &[Blocker]) -> String {
    blockers.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A statement that the target refused.
#[derive(Debug)]
pub struct Refused {
    /// Which part of the dump: `roles`, `pre-data`, `data`, `post-data`.
    pub part: &'static str,
    /// Line in that part.
    pub line: u64,
    /// Column in that line.
    pub column: u32,
    /// The object it was about, as far as it is known.
    pub object: Option<String>,
    /// Its first lines, without secrets.
    pub sql: String,
    /// The server's answer.
    pub server: Server,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.server)?;
        if let Some(object) = &self.object {
            writeln!(f, "  object: {object}")?;
        }
        writeln!(f, "  place: {} of the dump, line {}, column {}", self.part, self.line, self.column)?;
        write!(f, "  statement: {}", self.sql.replace('\n', "\n    "))
    }
}

/// Whether a SQLSTATE says that another session has a lock: one that is not to be had in time, or is waited for in a
/// circle.
#[must_use]
pub fn is_locked(code: &str) -> bool {
    ["55P03", "40P01"].contains(&code)
}

/// A server's answer to something it refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// SQLSTATE; empty where the connection failed.
    pub code: String,
    /// The message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// CONTEXT: for COPY it names the line and the column.
    pub context: Option<String>,
    /// The constraint or the unique index that rows break: schema, table or domain, name, with quotes where SQL needs
    /// them.
    pub constraint: Option<String>,
    /// What was refused was tried in a transaction that was rolled back: its rows are not on the target.
    pub rolled_back: bool,
    /// The keys of rows that break the constraint, where they were found out.
    pub rows: Option<String>,
}

impl Server {
    /// The server went away, or the connection did: no SQLSTATE, a shutdown or crash (57P01 to 57P03), a connection's
    /// errors (class 08).
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.code.is_empty() || self.code.starts_with("57P0") || self.code.starts_with("08")
    }

    /// Takes a driver's error apart. What the server repeats of secrets and rows is left out.
    #[must_use]
    pub fn new(error: &tokio_postgres::Error) -> Self {
        if let Some(answer) = error.as_db_error() {
            return Self {
                code: answer.code().code().to_owned(),
                message: secrets::in_text(answer.message()),
                detail: answer.detail().map(secrets::in_text),
                hint: answer.hint().map(secrets::in_text),
                context: answer.where_().map(secrets::in_text),
                constraint: constraint(answer),
                rolled_back: false,
                rows: None,
            };
        }
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self { message: secrets::in_text(&message), ..Self::default() }
    }

    /// The answer to this statement, without the statement's own secrets.
    #[must_use]
    pub fn to(mut self, sql: &str) -> Self {
        let values = secrets::values(sql);
        if !values.is_empty() {
            let texts = [self.detail.as_mut(), self.hint.as_mut(), self.context.as_mut()];
            for text in std::iter::once(&mut self.message).chain(texts.into_iter().flatten()) {
                *text = secrets::without_values(text, &values);
            }
        }
        self
    }
}

fn constraint(answer: &tokio_postgres::error::DbError) -> Option<String> {
    let table = answer.table().or_else(|| answer.datatype())?;
    let parts = [answer.schema()?, table, answer.constraint()?];
    Some(parts.map(tsmigrate_analyzer::quote::quote_ident).join("."))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "ERROR {}: {}", self.code, self.message)?;
        for (name, text) in [("DETAIL", &self.detail), ("HINT", &self.hint), ("CONTEXT", &self.context)] {
            if let Some(text) = text {
                write!(f, "\n  {name}: {}", crate::redact::message(text))?;
            }
        }
        if let Some(rows) = &self.rows {
            write!(f, "\n  rows: {rows}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_no_secret_of_its_statement() {
        let answer = Server {
            code: "22023".into(),
            message: "invalid value: \"hunter2\"".into(),
            detail: Some("hunter2 is too short".into()),
            ..Server::default()
        };
        let shown = answer.to("ALTER ROLE r SET app.token = 'hunter2'").to_string();
        assert_eq!(shown, "ERROR 22023: invalid value: \"…\"\n  DETAIL: … is too short");
    }
}
