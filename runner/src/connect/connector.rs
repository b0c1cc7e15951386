//! How a server is reached: opens sessions on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, CancelToken};

use super::backends::{self, Pooler};
use super::endpoint::{Endpoint, Host};
use super::session::{CANCEL, Notices, Opened, Session};
use super::side::Side;
use super::stream::Streams;
use super::tls::Tls;
use super::wanted::Wanted;
use super::{advice, pinned, settings, tls};
use crate::error::{Error, Server};

/// How a server is reached, checked once and used for every session.
#[derive(Clone)]
pub struct Connector {
    side: Side,
    endpoint: Endpoint,
    name: String,
    config: tokio_postgres::Config,
    /// `None`: no limit.
    timeout: Option<Duration>,
    wanted: Wanted,
    tls: Tls,
    /// The server was asked for TLS and has none.
    no_tls: Arc<AtomicBool>,
    running: Arc<Mutex<Vec<(CancelToken, Streams)>>>,
    /// What a pooler in between does with sessions, once that was looked at.
    pooler: Arc<OnceCell<Option<Pooler>>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector({} {})", self.side.name(), self.endpoint)
    }
}

impl Connector {
    /// Reads a connection string.
    ///
    /// # Errors
    /// When it cannot be read, or names certificates that cannot.
    pub fn new(side: Side, uri: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(side.name(), uri)?;
        let settings = settings::read(&endpoint).map_err(|why| Error::Uri { side: side.name(), why })?;
        let tls = tls::connector(side.name(), &endpoint)?;
        let mut connector = Self {
            side,
            endpoint,
            name: String::new(),
            config: settings.config,
            timeout: settings.timeout,
            wanted: settings.wanted,
            tls,
            no_tls: Arc::default(),
            running: Arc::default(),
            pooler: Arc::default(),
        };
        connector.named("tsmigrate");
        Ok(connector)
    }

    /// Gives all later sessions, and those of `pg_dump`, this `application_name`.
    pub fn named(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.config.application_name(name);
        self.endpoint.rename(name);
    }

    /// What its sessions call themselves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which server this is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where the server is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a session with the settings that every session of ours has ([`pinned`]).
    ///
    /// Of several servers it is the one of the session before, else the first that answers and is what
    /// `target_session_attrs` wants.
    ///
    /// # Errors
    /// When no server can be reached or takes the login.
    pub async fn open(&self) -> Result<Session, Error> {
        loop {
            let options = self.endpoint.options_at_login();
            match self.open_once().await {
                // Another login may have learned it meanwhile.
                Err(error) if self.pin_at_login(&error) && options != self.endpoint.options_at_login() => {}
                Err(error) => return Err(ended(error)),
                Ok(session) => return Ok(session),
            }
        }
    }

    /// Has all later logins set what has just ended a session; false where that is no such setting.
    /// Not from the start, for poolers refuse such logins, and older servers do not know all of them.
    fn pin_at_login(&self, error: &Error) -> bool {
        // An idle session may be closed before its last words are read.
        let closed = matches!(error, Error::Query { .. }) && error.code().is_empty();
        let ends = |(code, name): &&(&str, &'static str)| {
            *code == error.code() || closed && *name == "idle_session_timeout"
        };
        let setting = ENDING.iter().find(ends).map(|(_, setting)| *setting);
        setting.inspect(|setting| self.endpoint.pin_at_login(setting)).is_some()
    }

    async fn open_once(&self) -> Result<Session, Error> {
        // Settings of ours would stay with a backend that others get next.
        if let Some(found) = Box::pin(self.pooler_of_transactions()).await? {
            return Err(Error::Pooler(Box::new(backends::blocker(self.side, &self.endpoint, found))));
        }
        let session = self.bare().await?;
        session.run(&pinned::sql(self.side)).await?;
        Ok(session)
    }

    /// Opens a session without any setting of ours.
    pub(super) async fn bare(&self) -> Result<Session, Error> {
        let Opened { client, notices, streams } = self.connect().await?;
        let running = (client.cancel_token(), streams.clone());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(running);
        Ok(Session { side: self.side, client, notices, streams })
    }

    /// A pooler that gives each transaction any backend; looked for once.
    pub(super) async fn pooler_of_transactions(&self) -> Result<Option<Pooler>, Error> {
        let look = || async {
            let two = async { tokio::try_join!(Box::pin(self.bare()), Box::pin(self.bare())) };
            match backends::transactions(two).await {
                // A timeout of the role or the database may end these questions, and a full server takes one session
                // perhaps: the session that is wanted says so itself.
                Err(Error::Query { .. }) => Ok(None),
                Err(error) if error.code() == "53300" => Ok(None),
                result => result,
            }
        };
        self.pooler.get_or_try_init(look).await.copied()
    }

    /// Opens a session and runs one command in it before anything else, without the settings of our sessions: TimescaleDB is
    /// updated by a session that has not used it yet.
    ///
    /// # Errors
    /// When no server can be reached or takes the login, or what it answers.
    pub async fn run_first(&self, sql: &str) -> Result<(), Error> {
        let Opened { client, notices, streams } = self.connect().await?;
        let session = Session { side: self.side, client, notices, streams };
        session.run(sql).await
    }

    /// A server that takes no more sessions is asked again: ours that were closed a moment ago may still count.
    async fn connect(&self) -> Result<Opened, Error> {
        let mut tries = 0;
        loop {
            match self.connect_once().await {
                Err(error) if error.code() == "53300" && tries < FULL.0 => {
                    tries += 1;
                    tokio::time::sleep(FULL.1).await;
                }
                result => return result,
            }
        }
    }

    async fn connect_once(&self) -> Result<Opened, Error> {
        let mut failures: Vec<(String, Server)> = Vec::new();
        let several = self.endpoint.hosts().len() > 1;
        'all: for wanted in self.wanted.rounds() {
            for number in self.order() {
                let Some(host) = self.endpoint.hosts().get(number) else { continue };
                let failure = match self.attempt(host).await {
                    Ok(connected) => match wanted.refuses(&connected.client).await {
                        Ok(None) => {
                            self.endpoint.choose(number);
                            return Ok(connected);
                        }
                        Ok(Some(why)) => Server { message: why.to_owned(), ..Server::default() },
                        Err(error) => Server::new(&error),
                    },
                    Err(why) => why,
                };
                // libpq: a login that is refused is not tried on the next server.
                let stop = failure.code.starts_with("28");
                failures.push((host.to_string(), failure));
                if stop {
                    break 'all;
                }
            }
        }
        let mut why = failures.last().map(|(_, why)| why.clone()).unwrap_or_default();
        let failed = failures.last().map(|(name, _)| name.as_str());
        let host = self.endpoint.hosts().iter().find(|host| Some(host.to_string().as_str()) == failed);
        let next = advice::next(self.side, &self.endpoint, host, &why);
        let next = next.iter().map(|step| self.endpoint.hide(step)).collect();
        if several {
            let each = failures.iter().map(|(host, why)| format!("{host}: {}", why.message));
            why.message = each.collect::<Vec<_>>().join("; ");
        }
        if why.message.contains("unsupported startup parameter") {
            why.message.push_str(" (that is a connection pooler's answer: name the server itself)");
        }
        why.message = self.endpoint.hide(&why.message);
        Err(Error::Connect {
            side: self.side.name(),
            endpoint: self.endpoint.to_string(),
            why: Box::new(why),
            next,
        })
    }

    /// The numbers of the servers, in the order to try them.
    fn order(&self) -> Vec<usize> {
        let count = self.endpoint.hosts().len();
        let first = self.endpoint.chosen_number().unwrap_or_else(|| {
            let random = self.endpoint.get("load_balance_hosts") == Some("random");
            if random { settings::random(count) } else { 0 }
        });
        std::iter::once(first).chain((0..count).filter(|number| *number != first)).collect()
    }

    /// One server, with and without TLS as `sslmode` has it.
    async fn attempt(&self, host: &Host) -> Result<Opened, Server> {
        let mut config = self.config.clone();
        if let Some(options) = self.endpoint.options_at_login() {
            config.options(options);
        }
        config.host(&host.name).port(host.port);
        if let Some(address) = host.address {
            config.hostaddr(address);
        }
        if let Some(password) = host.password() {
            config.password(password);
        }
        let modes: &[SslMode] = match self.tls.modes {
            _ if host.is_socket() => &[SslMode::Disable],
            [SslMode::Prefer, SslMode::Disable] if self.no_tls.load(Ordering::Relaxed) => {
                &[SslMode::Disable, SslMode::Prefer]
            }
            modes => modes,
        };
        let mut answer = Server::default();
        for mode in modes {
            config.ssl_mode(*mode).ssl_negotiation(self.tls.negotiation);
            let tls = self.tls.connect.clone();
            // The driver has no TLS on a socket, and so no place for a stream of ours.
            let streams = if *mode == SslMode::Disable && !host.is_socket() {
                Streams::bare(tls, &mut config)
            } else {
                Streams::secure(tls)
            };
            let connecting = config.connect(streams.clone());
            let connected = match self.timeout {
                Some(limit) => tokio::time::timeout(limit, connecting).await.map_err(|_| Server {
                    message: format!("no answer within {} s (connect_timeout)", limit.as_secs()),
                    ..Server::default()
                })?,
                None => connecting.await,
            };
            match connected {
                Ok((client, mut connection)) => {
                    let notices: Notices = Arc::default();
                    let sink = notices.clone();
                    tokio::spawn(async move {
                        while let Some(Ok(message)) =
                            std::future::poll_fn(|cx| connection.poll_message(cx)).await
                        {
                            if let AsyncMessage::Notice(notice) = message {
                                let message = tsmigrate_analyzer::secrets::in_text(notice.message());
                                let text = format!("{}: {message}", notice.severity());
                                sink.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                            }
                        }
                    });
                    if *mode == SslMode::Prefer && !streams.used() {
                        self.no_tls.store(true, Ordering::Relaxed);
                    }
                    return Ok(Opened { client, notices, streams });
                }
                Err(error) => answer = Server::new(&error),
            }
            // Another mode can help where this one is refused, not where nobody listens or the password is wrong.
            if answer.code != "28000" && !answer.message.contains("TLS") {
                break;
            }
        }
        Err(answer)
    }

    /// Asks the server to stop whatever our sessions run, so that nothing goes on after we have ended.
    pub async fn cancel_all(&self) {
        let tokens = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for (token, streams) in tokens {
            // A session that is gone or idle has nothing to stop: the answer does not matter.
            let _ = tokio::time::timeout(CANCEL, token.cancel_query(streams)).await;
        }
    }
}

/// Settings that end a session at once where they are very small, by the code that the server ends it with.
const ENDING: [(&str, &str); 2] = [("57P05", "idle_session_timeout"), ("25P04", "transaction_timeout")];

/// Names the setting where the server ends our sessions all the same.
fn ended(mut error: Error) -> Error {
    let setting = ENDING.iter().find(|(code, _)| *code == error.code()).map(|(_, setting)| *setting);
    if let (Some(setting), Error::Connect { why, .. } | Error::Query { answer: why, .. }) =
        (setting, &mut error)
    {
        let told = format!(
            " ({setting} of the server, the database or the role ends our sessions: ALTER DATABASE … RESET {setting}, \
             ALTER ROLE … RESET {setting})"
        );
        why.message.push_str(&told);
    }
    error
}

/// How often, and after which pause, a server that is full is asked once more.
pub(crate) const FULL: (u32, Duration) = (10, Duration::from_millis(200));
