//! Where a server is and how to log in: what the connection string, a service, the environment and the password file
//! say together, in libpq's order.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::keywords::{KEYWORDS, Use};
use super::{local, passfile, pinned, service, uri};
use crate::error::Error;

/// No server has answered yet.
const NONE: usize = usize::MAX;

/// One server of a connection string.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Its name, its address, or the folder of its socket.
    pub(super) name: String,
    /// Its address, where that is given.
    pub(super) address: Option<IpAddr>,
    /// Its port.
    pub(super) port: u16,
    /// The password for it.
    password: Option<String>,
}

impl Host {
    /// The password for it.
    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// A socket of this machine, where TLS and keepalives mean nothing.
    pub(super) fn is_socket(&self) -> bool {
        self.address.is_none() && self.name.starts_with('/')
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Where a server is and how to log in. Never shows its password.
#[derive(Clone)]
pub struct Endpoint {
    params: BTreeMap<&'static str, String>,
    hosts: Vec<Host>,
    /// The one that was connected to: all sessions and `pg_dump` go to the same server.
    chosen: Arc<AtomicUsize>,
    /// Settings of `pg_dump`'s sessions are pinned.
    pinned: Arc<AtomicBool>,
    /// Settings that every login sets to 0: one of the server's ended a session before its first statement.
    at_login: Arc<Mutex<Vec<&'static str>>>,
    warnings: Vec<String>,
}

impl Endpoint {
    /// Reads a URI (`postgres://user@host/db?sslmode=require`) or a list (`host=… dbname=…`), and takes from a service,
    /// the environment and the password file what it does not say.
    ///
    /// # Errors
    /// When the text is neither or says what cannot be; the message repeats no value, for any may be a password.
    pub fn parse(side: &'static str, text: &str) -> Result<Self, Error> {
        Self::resolve(text, &|variable| std::env::var(variable).ok()).map_err(|why| Error::Uri { side, why })
    }

    /// [`Endpoint::parse`] with an environment of its own.
    pub(super) fn resolve(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut params: BTreeMap<&'static str, String> = uri::pairs(text)?.into_iter().collect();
        let mut warnings = Vec::new();
        if params.get("password").is_some_and(|password| !password.is_empty()) && is_argument(text) {
            warnings.push(
                "the connection string on the command line holds a password, which others can read in the list of \
                 processes: the environment variables SOURCE, TARGET and PGPASSWORD, or ~/.pgpass, keep it"
                    .to_owned(),
            );
        }
        let named = params.get("service").cloned().or_else(|| environment("PGSERVICE"));
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            let file = params.get("servicefile").cloned().or_else(|| environment("PGSERVICEFILE"));
            for (keyword, value) in service::parameters(&name, file.as_deref())? {
                params.entry(keyword).or_insert(value);
            }
        }
        for keyword in &KEYWORDS {
            let Some(variable) = keyword.variable.filter(|_| !params.contains_key(keyword.name)) else {
                continue;
            };
            if let Some(value) = environment(variable) {
                params.insert(keyword.name, value);
            }
        }
        if !params.contains_key("sslmode")
            && environment("PGREQUIRESSL").is_some_and(|value| value.starts_with('1'))
        {
            params.insert("sslmode", "require".to_owned());
        }
        params.retain(|_, value| !value.is_empty());
        for keyword in &KEYWORDS {
            if let Use::Refused(next) = keyword.then
                && params.contains_key(keyword.name)
            {
                let name = keyword.variable.unwrap_or(keyword.name);
                return Err(format!("the parameter {name} is not supported; {next}"));
            }
        }
        if params.get("gssencmode").is_some_and(|mode| mode == "require") {
            return Err("gssencmode=require is not supported; use TLS (sslmode=verify-full)".to_owned());
        }
        if !params.contains_key("user") {
            let user = local::user().ok_or("it names no user, and the system does not say who you are")?;
            params.insert("user", user);
        }
        if !params.contains_key("dbname") {
            params.insert("dbname", params.get("user").cloned().unwrap_or_default());
        }
        let mut hosts = hosts(&params)?;
        warnings.extend(passwords(&params, &mut hosts));
        Ok(Self {
            params,
            hosts,
            chosen: Arc::new(AtomicUsize::new(NONE)),
            pinned: Arc::default(),
            at_login: Arc::default(),
            warnings,
        })
    }

    /// One parameter by its libpq name.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.params.get(keyword).map(String::as_str)
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.get("dbname").unwrap_or_default()
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    /// The server and the database, without the user.
    #[must_use]
    pub fn place(&self) -> String {
        let hosts: Vec<_> = match self.chosen() {
            Some(host) => vec![host.to_string()],
            None => self.hosts.iter().map(ToString::to_string).collect(),
        };
        format!("{}/{}", hosts.join(","), self.database())
    }

    /// What to tell about the connection string before it is used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The password for the server that our sessions are on.
    #[cfg(test)]
    fn password(&self) -> Option<&str> {
        self.chosen().or(self.hosts.first())?.password()
    }

    /// The lines of a password file for a child process: the password of the server that it goes to, and no other.
    ///
    /// # Errors
    /// Why such a file cannot hold the password.
    pub fn password_file(&self) -> Result<String, &'static str> {
        let hosts = self.hosts_of_child();
        let mut lines = String::new();
        for host in &hosts {
            let Some(password) = host.password() else { continue };
            if !passfile::can_hold(password) {
                return Err("it has a line break, and a password file has one password on a line");
            }
            let place = match hosts.as_slice() {
                [_] => "*:*".to_owned(),
                _ => format!("{}:{}", passfile::escaped(local::name_in_passfile(&host.name)), host.port),
            };
            lines += &[&place, ":*:*:", &passfile::escaped(password), "\n"].concat();
        }
        Ok(lines)
    }

    /// `text` with every password of ours left out.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let passwords = self.hosts.iter().filter_map(Host::password);
        // A password of one or two characters is part of many words, and hiding those would tell it.
        passwords
            .filter(|password| password.len() > 2)
            .fold(text.to_owned(), |text, password| text.replace(password, "***"))
    }

    /// A connection string for `pg_dump` without any secret: arguments are open to every user of the machine. It leads to
    /// the server that our sessions are on; its password is in `passwords`. Left out are the `options`, which may set
    /// anything: they go through the environment.
    #[must_use]
    pub fn conninfo(&self, passwords: Option<&Path>) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let both = KEYWORDS.iter().filter(|keyword| keyword.then == Use::Both && keyword.name != "options");
        for keyword in both {
            pairs.extend(self.params.get(keyword.name).map(|value| (keyword.name, value.clone())));
        }
        pairs.extend(self.params.get("application_name").map(|name| ("application_name", name.clone())));
        pairs.extend(passwords.map(|path| ("passfile", path.to_string_lossy().into_owned())));
        let hosts = self.hosts_of_child();
        let join =
            |of: &dyn Fn(&Host) -> String| hosts.iter().map(|host| of(host)).collect::<Vec<_>>().join(",");
        pairs.push(("host", join(&|host| host.name.clone())));
        if hosts.iter().any(|host| host.address.is_some()) {
            pairs.push((
                "hostaddr",
                join(&|host| host.address.map(|address| address.to_string()).unwrap_or_default()),
            ));
        }
        pairs.push(("port", join(&|host| host.port.to_string())));
        if self.chosen().is_none() {
            let several = ["target_session_attrs", "load_balance_hosts"].into_iter();
            pairs.extend(several.filter_map(|name| Some((name, self.params.get(name)?.clone()))));
        }
        let pair = |(keyword, value): (&str, String)| {
            format!("{keyword}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
        };
        pairs.into_iter().map(pair).collect::<Vec<_>>().join(" ")
    }

    /// The server that our sessions are on; all of them where none has answered yet.
    fn hosts_of_child(&self) -> Vec<&Host> {
        self.chosen().map_or_else(|| self.hosts.iter().collect(), |host| vec![host])
    }

    /// Pins the settings of `pg_dump`'s sessions too: [`pinned::OPTIONS`]. Poolers refuse them.
    pub fn pin(&self) {
        self.pinned.store(true, Ordering::Relaxed);
    }

    /// Has all later logins, and those of `pg_dump`, set this to 0.
    pub(super) fn pin_at_login(&self, setting: &'static str) {
        let mut all = self.at_login.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&setting) {
            all.push(setting);
        }
    }

    /// The `options` of our sessions, where logins have to set more than was given.
    pub(super) fn options_at_login(&self) -> Option<String> {
        let all = self.at_login.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.get("options").unwrap_or_default().to_owned();
        (!all.is_empty()).then(|| all.iter().fold(given, |all, setting| format!("{all} -c {setting}=0")))
    }

    /// The `options` of `pg_dump`'s sessions, for its environment.
    #[must_use]
    pub fn options_of_child(&self) -> Option<String> {
        let given = self.options_at_login().or_else(|| self.params.get("options").cloned());
        let pinned = self.pinned.load(Ordering::Relaxed).then(|| pinned::OPTIONS.to_owned());
        let all: Vec<_> = given.into_iter().chain(pinned).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// Sets what sessions call themselves.
    pub(super) fn rename(&mut self, name: &str) {
        self.params.insert("application_name", name.to_owned());
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Remembers the server that answered.
    pub(super) fn choose(&self, number: usize) {
        self.chosen.store(number, Ordering::Relaxed);
    }

    /// The number of the server that answered.
    pub(super) fn chosen_number(&self) -> Option<usize> {
        Some(self.chosen.load(Ordering::Relaxed)).filter(|number| *number < self.hosts.len())
    }

    fn chosen(&self) -> Option<&Host> {
        self.hosts.get(self.chosen_number()?)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user(), self.place())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Whether a connection string stands in the arguments of this process.
fn is_argument(text: &str) -> bool {
    std::env::args_os().any(|argument| argument.to_string_lossy().contains(text))
}

fn hosts(params: &BTreeMap<&'static str, String>) -> Result<Vec<Host>, String> {
    let list = |keyword: &str| {
        params
            .get(keyword)
            .map(|value| value.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>())
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = addresses.as_ref().or(names.as_ref()).map_or(1, Vec::len);
    if names.as_ref().is_some_and(|names| names.len() != count) {
        return Err("host and hostaddr name different numbers of servers".to_owned());
    }
    let ports = ports.unwrap_or_default();
    if ports.len() > 1 && ports.len() != count {
        return Err(format!("it has {} ports for {count} servers", ports.len()));
    }
    let host = |number: usize| {
        let item = |list: &Option<Vec<String>>| {
            list.as_ref().and_then(|list| list.get(number)).filter(|item| !item.is_empty()).cloned()
        };
        let port = ports.get(number).or(ports.first()).filter(|port| !port.is_empty());
        let port = port.map_or(Ok(5432), |port| port.parse::<u16>()).ok().filter(|port| *port > 0);
        let port = port.ok_or(
            "a port is no number from 1 to 65535; in a URI, percent-encode / ? # & = @ : % in the password",
        )?;
        let address = item(&addresses).map(|address| address.parse::<IpAddr>()).transpose();
        let address = address.map_err(|_| "hostaddr is no IP address".to_owned())?;
        let name = item(&names).or_else(|| address.map(|address| address.to_string()));
        let name = name.or_else(|| local::socket_folder(port).map(str::to_owned));
        Ok(Host { name: name.unwrap_or_else(|| "localhost".to_owned()), address, port, password: None })
    };
    (0..count).map(host).collect()
}

/// Gives each server its password: that of the parameters, else the first of the password file that fits.
fn passwords(params: &BTreeMap<&'static str, String>, hosts: &mut [Host]) -> Option<String> {
    if let Some(password) = params.get("password") {
        for host in hosts {
            host.password = Some(password.clone());
        }
        return None;
    }
    let file = match passfile::read(params.get("passfile").map(String::as_str)) {
        Ok(file) => file,
        Err(warning) => return warning,
    };
    let get = |keyword| params.get(keyword).map(String::as_str).unwrap_or_default();
    for host in hosts {
        let port = host.port.to_string();
        let name = local::name_in_passfile(&host.name);
        host.password = passfile::find(&file, [name, &port, get("dbname"), get("user")]);
    }
    None
}

#[cfg(test)]
mod tests;
