//! Asks a server about every statement of a dump: statements in, the server's answer to each out.
//!
//! The statements go over one session, each on its own and byte for byte, the way `psql -f` sends them without
//! `ON_ERROR_STOP`: a refused statement does not stop the run, and what it leaves undone makes later ones fail as it
//! would for a user.
//!
//! It speaks PostgreSQL's simple protocol itself. tokio-postgres sends COPY by the extended protocol and loses count of
//! the answers when the server refuses the COPY before the first row (it answers both Syncs), and it knows UTF-8 only.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;
use serde::Serialize;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tsmigrate_analyzer::split::{End, Kind, Piece, Splitter};

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayStep {
    /// An SQL statement.
    Statement {
        /// Its text as it stands in the dump.
        sql: Vec<u8>,
        /// Its number in the dump.
        number: usize,
    },
    /// A `COPY … FROM stdin` and its rows.
    Copy {
        /// The text of the COPY statement as it stands in the dump.
        sql: Vec<u8>,
        /// Its number in the dump.
        number: usize,
        /// The rows, without the line `\.` that ends them.
        data: Vec<u8>,
    },
}

impl ReplayStep {
    /// The number of the statement in the dump.
    #[must_use]
    pub fn number(&self) -> usize {
        match self {
            Self::Statement { number, .. } | Self::Copy { number, .. } => *number,
        }
    }

    /// The text of the statement as it stands in the dump.
    #[must_use]
    pub fn sql(&self) -> &[u8] {
        match self {
            Self::Statement { sql, .. } | Self::Copy { sql, .. } => sql,
        }
    }
}

/// The server's answer to one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The number of the step.
    pub number: usize,
    /// What came of it.
    pub answer: Answer,
    /// Notices and warnings that came with the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<ServerMessage>,
    /// The session had ended, and this step was the first of a new one: what `SET` had set is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub new_session: bool,
}

impl Reply {
    /// The SQLSTATE of the refusal; `None` if the statement passed or was not sent.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match &self.answer {
            Answer::Refused(message) => Some(&message.sqlstate),
            Answer::Ok | Answer::NotSent(_) => None,
        }
    }
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The server did it.
    Ok,
    /// The server refused it.
    Refused(ServerMessage),
    /// No answer of the server: the statement cannot be sent (it holds a zero byte), or the session ended without a word.
    NotSent(String),
}

/// An error, warning or notice in the server's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerMessage {
    /// `ERROR`, `FATAL`, `WARNING`, `NOTICE` …
    pub severity: String,
    /// The five characters of the SQLSTATE.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// The message's detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The message's hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The character of the statement that the message is about, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The function, file and line in the server's source, as in `truth/statements.jsonl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl ServerMessage {
    fn read(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        let mut message = Self::default();
        let (mut routine, mut file, mut line) = (String::new(), String::new(), String::new());
        while let Some(field) = fields.next()? {
            let value = text(field.value_bytes());
            match field.type_() {
                // The severity in the server's language comes first; this is the one in English.
                b'V' => message.severity = value,
                b'C' => message.sqlstate = value,
                b'M' => message.message = value,
                b'D' => message.detail = Some(value),
                b'H' => message.hint = Some(value),
                b'P' => message.position = value.parse().ok(),
                b'R' => routine = value,
                b'F' => file = value,
                b'L' => line = value,
                _ => {}
            }
        }
        if !routine.is_empty() {
            message.location = Some(format!("{routine}, {file}:{line}"));
        }
        Ok(message)
    }

    fn ends_session(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

/// Why a replay could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The URI is none, or asks for what a replay cannot do.
    #[error("no replay with this URI: {0}")]
    Uri(String),
    /// There is no session to be had, or none any more.
    #[error("no session with the server")]
    Connect(#[from] io::Error),
    /// The server refused the session.
    #[error("the server refused the session: {0:?}")]
    Refused(Box<ServerMessage>),
}

/// How long a server may be silent over one step. The slowest that a dump asks for here is a big index; what takes
/// longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// How long a step may take to end after it has been cancelled.
const GRACE: Duration = Duration::from_secs(10);

/// Rows are sent in messages of this size.
const ROWS: usize = 64 << 10;

/// Makes the lab's target like the service, which has this from the start: the wrapper that tsdbadmin may use.
pub const LIKE_THE_SERVICE: &str =
    "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO tsdbadmin;";

/// Runs statements that have to pass.
///
/// # Errors
/// Where the server is not reached, and what it says to the first statement that does not pass.
pub fn run(uri: &str, sql: &str) -> Result<(), String> {
    let replies = replay(uri, &steps(sql.as_bytes())).map_err(|error| error.to_string())?;
    let refused = replies.into_iter().find(|reply| reply.answer != Answer::Ok);
    refused.map_or(Ok(()), |reply| Err(format!("{reply:?}")))
}

/// Replays the steps on the server at `uri`, and gives one reply for each, in order.
///
/// # Errors
/// When there is no session to be had. A statement that fails is an answer, not an error.
pub fn replay(uri: &str, steps: &[ReplayStep]) -> Result<Vec<Reply>, ReplayError> {
    let mut session = Session::open(uri)?;
    let mut replies = Vec::with_capacity(steps.len());
    for step in steps {
        let new_session = session.ended;
        if new_session {
            session = Session::open(uri)?;
        }
        let (answer, notices) = session.ask(step);
        replies.push(Reply { number: step.number(), answer, notices, new_session });
    }
    Ok(replies)
}

/// Cuts a dump into steps. psql's own commands are left out: one replay is one session with one database.
///
/// ```
/// use tsmigrate_tests::replay::{ReplayStep, steps};
///
/// let steps = steps(b"SET a = 1; COPY t FROM stdin;\n1\n\\.\n\\connect other\n");
/// assert_eq!(steps[0], ReplayStep::Statement { sql: b"SET a = 1;".to_vec(), number: 1 });
/// assert_eq!(
///     steps[1],
///     ReplayStep::Copy { sql: b"COPY t FROM stdin;".to_vec(), number: 2, data: b"1\n".to_vec() }
/// );
/// assert_eq!(steps.len(), 2);
/// ```
#[must_use]
pub fn steps(dump: &[u8]) -> Vec<ReplayStep> {
    let mut steps = Vec::new();
    // The splitter cuts a statement where a psql command stands in its middle.
    let mut continues = false;
    let mut take = |piece: Piece<'_>| {
        let number = steps.len() + 1;
        match piece.kind {
            Kind::Statement => {
                match steps.last_mut() {
                    Some(ReplayStep::Statement { sql, .. }) if continues => sql.extend_from_slice(piece.text),
                    _ => steps.push(ReplayStep::Statement { sql: piece.text.to_vec(), number }),
                }
                continues = piece.end == End::Broken;
            }
            Kind::CopyData | Kind::CopyEnd => {
                let rows: &[u8] = if piece.kind == Kind::CopyData { piece.text } else { b"" };
                match steps.pop() {
                    Some(ReplayStep::Statement { sql, number }) => {
                        steps.push(ReplayStep::Copy { sql, number, data: rows.to_vec() });
                    }
                    Some(ReplayStep::Copy { sql, number, mut data }) => {
                        data.extend_from_slice(rows);
                        steps.push(ReplayStep::Copy { sql, number, data });
                    }
                    None => {}
                }
            }
            Kind::Meta | Kind::Comment | Kind::Blank | Kind::Noise => {}
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(dump, &mut take);
    splitter.finish(&mut take);
    steps
}

struct Session {
    stream: TcpStream,
    received: BytesMut,
    /// What a request to cancel has to show.
    key: (i32, i32),
    ended: bool,
}

impl Session {
    fn open(uri: &str) -> Result<Self, ReplayError> {
        let config: Config = uri.parse().map_err(|error| ReplayError::Uri(format!("{error}")))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(ReplayError::Uri("TLS is not spoken here".to_owned()));
        }
        let [Host::Tcp(host)] = config.get_hosts() else {
            return Err(ReplayError::Uri("it must name one host".to_owned()));
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let stream = TcpStream::connect((host.as_str(), port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut session = Self { stream, received: BytesMut::new(), key: (0, 0), ended: false };
        session.log_in(&config)?;
        Ok(session)
    }

    fn log_in(&mut self, config: &Config) -> Result<(), ReplayError> {
        let user = config.get_user().unwrap_or("postgres");
        let password = config.get_password().unwrap_or_default();
        let database = config.get_dbname().unwrap_or(user);
        self.send(|out| frontend::startup_message([("user", user), ("database", database)], out))?;
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        loop {
            match self.receive()? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::BackendKeyData(key) => self.key = (key.process_id(), key.secret_key()),
                Message::ErrorResponse(body) => {
                    return Err(ReplayError::Refused(ServerMessage::read(body.fields())?.into()));
                }
                Message::AuthenticationCleartextPassword => {
                    self.send(|out| frontend::password_message(password, out))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(user.as_bytes(), password, body.salt());
                    self.send(|out| frontend::password_message(hash.as_bytes(), out))?;
                }
                Message::AuthenticationSasl(_) => {
                    self.send(|out| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), out))?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data())?;
                    self.send(|out| frontend::sasl_response(scram.message(), out))?;
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
                Message::AuthenticationOk | Message::ParameterStatus(_) | Message::NoticeResponse(_) => {}
                _ => {
                    return Err(io::Error::new(
                        ErrorKind::Unsupported,
                        "a way to log in that is not known here",
                    )
                    .into());
                }
            }
        }
    }

    /// The server's answer to a step, and the notices that came with it.
    fn ask(&mut self, step: &ReplayStep) -> (Answer, Vec<ServerMessage>) {
        if step.sql().contains(&0) {
            return (Answer::NotSent("a statement with a zero byte cannot be sent".to_owned()), Vec::new());
        }
        let mut refusal = None;
        let mut notices = Vec::new();
        let result = self.exchange(step, &mut refusal, &mut notices);
        if result.is_err() || refusal.as_ref().is_some_and(ServerMessage::ends_session) {
            self.ended = true;
        }
        let answer = match (refusal, result) {
            (Some(refusal), _) => Answer::Refused(refusal),
            (None, Ok(())) => Answer::Ok,
            (None, Err(error)) => Answer::NotSent(error.to_string()),
        };
        (answer, notices)
    }

    fn exchange(
        &mut self,
        step: &ReplayStep,
        refusal: &mut Option<ServerMessage>,
        notices: &mut Vec<ServerMessage>,
    ) -> io::Result<()> {
        let mut query = BytesMut::with_capacity(step.sql().len() + 6);
        let length = i32::try_from(step.sql().len() + 5).map_err(io::Error::other)?;
        query.put_u8(b'Q');
        query.put_i32(length);
        query.put_slice(step.sql());
        query.put_u8(0);
        self.stream.write_all(&query)?;

        thread::scope(|scope| {
            let mut cancelled = false;
            loop {
                match self.receive() {
                    Ok(Message::ReadyForQuery(_)) => {
                        self.stream.set_read_timeout(Some(LIMIT))?;
                        return Ok(());
                    }
                    Ok(Message::ErrorResponse(body)) => {
                        // The first is the cause; what follows it is about the session.
                        let error = ServerMessage::read(body.fields())?;
                        refusal.get_or_insert(error);
                    }
                    Ok(Message::NoticeResponse(body)) => notices.push(ServerMessage::read(body.fields())?),
                    Ok(Message::CopyInResponse(_)) => {
                        let rows = match step {
                            ReplayStep::Copy { data, .. } => data.as_slice(),
                            ReplayStep::Statement { .. } => &[],
                        };
                        let stream = self.stream.try_clone()?;
                        // Beside the reading: a server whose notices nobody takes stops taking rows. A failure to write
                        // is seen in reading too.
                        scope.spawn(move || write_rows(stream, rows));
                    }
                    // Rows and what else tells that the statement passed.
                    Ok(_) => {}
                    Err(error) if is_timeout(&error) && !cancelled => {
                        cancelled = true;
                        self.stream.set_read_timeout(Some(GRACE))?;
                        self.cancel()?;
                    }
                    Err(error) => {
                        // Lets go of who writes rows; there is nothing to be done if it fails.
                        let _ = self.stream.shutdown(Shutdown::Both);
                        return Err(error);
                    }
                }
            }
        })
    }

    /// Asks the server, by a connection of its own, to give up the statement at hand.
    fn cancel(&self) -> io::Result<()> {
        let mut request = BytesMut::new();
        frontend::cancel_request(self.key.0, self.key.1, &mut request);
        TcpStream::connect(self.stream.peer_addr()?)?.write_all(&request)
    }

    fn send(&mut self, message: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut out = BytesMut::new();
        message(&mut out)?;
        self.stream.write_all(&out)
    }

    fn receive(&mut self) -> io::Result<Message> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            match self.stream.read(&mut chunk)? {
                0 => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the server ended the session without a word",
                    ));
                }
                count => self.received.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A courtesy: the server logs a lost connection otherwise.
        let _ = self.send(|out| {
            frontend::terminate(out);
            Ok(())
        });
    }
}

fn write_rows(mut stream: TcpStream, rows: &[u8]) -> io::Result<()> {
    let mut message = BytesMut::with_capacity(ROWS + 5);
    for part in rows.chunks(ROWS) {
        message.clear();
        frontend::CopyData::new(part)?.write(&mut message);
        stream.write_all(&message)?;
    }
    message.clear();
    frontend::copy_done(&mut message);
    stream.write_all(&message)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A message of the server, which comes in the encoding that the dump asked for: UTF-8, else read as LATIN1. The few
/// characters in which other encodings differ come out wrong.
fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
