//! Connection strings as libpq reads them: URIs and `keyword=value` lists.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Error;

/// Where a server is and how to log in. Never shows its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    params: BTreeMap<String, String>,
}

/// What tokio-postgres takes by itself; the other keywords are libpq's and go to `pg_dump` alone.
const DRIVER_KEYWORDS: [&str; 16] = [
    "user",
    "password",
    "dbname",
    "options",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "target_session_attrs",
    "channel_binding",
    "sslnegotiation",
    "load_balance_hosts",
];

const SECRET_KEYWORDS: [&str; 2] = ["password", "sslpassword"];

impl Endpoint {
    /// Reads a URI (`postgres://user@host/db?sslmode=require`) or a list (`host=… dbname=…`).
    ///
    /// # Errors
    /// When the text is neither; the message does not repeat it, for it may hold a password.
    pub fn parse(side: &'static str, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let uri = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let params = match uri {
            Some(rest) => parse_uri(rest),
            None if text.contains('=') => parse_list(text),
            None => Err("it is neither a postgres:// URI nor a list of keyword=value"),
        };
        let mut params = params.map_err(|why| Error::Uri { side, why: why.to_owned() })?;
        params.retain(|_, value| !value.is_empty());
        let user = params
            .entry("user".into())
            .or_insert_with(|| std::env::var("PGUSER").or_else(|_| std::env::var("USER")).unwrap_or_default())
            .clone();
        params.entry("dbname".into()).or_insert(user);
        params.entry("host".into()).or_insert_with(|| std::env::var("PGHOST").unwrap_or("localhost".into()));
        if !params.contains_key("password")
            && let Some(password) = super::passfile::password(&params)
        {
            params.insert("password".into(), password);
        }
        Ok(Self { params })
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

    /// The password, for the environment of a child process and nothing else.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.get("password")
    }

    /// A connection string for `pg_dump` without any secret: arguments are open to every user of the machine.
    #[must_use]
    pub fn conninfo(&self) -> String {
        self.list(|keyword| !SECRET_KEYWORDS.contains(&keyword))
    }

    fn list(&self, wanted: impl Fn(&str) -> bool) -> String {
        let wanted = self.params.iter().filter(|(keyword, _)| wanted(keyword));
        let pairs = wanted.map(|(keyword, value)| {
            let value = value.replace('\\', r"\\").replace('\'', r"\'");
            format!("{keyword}='{value}'")
        });
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// The same for the driver.
    ///
    /// # Errors
    /// When the driver does not take a value, such as a port that is no number.
    pub fn driver(&self, side: &'static str) -> Result<tokio_postgres::Config, Error> {
        let list = self.list(|keyword| DRIVER_KEYWORDS.contains(&keyword));
        // The driver's text names the keyword and never its value.
        list.parse().map_err(|error: tokio_postgres::Error| Error::Uri {
            side,
            why: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.get("host").or_else(|| self.get("hostaddr")).unwrap_or("localhost");
        write!(f, "{}@{host}", self.get("user").unwrap_or_default())?;
        if let Some(port) = self.get("port") {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.database())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

type Params = BTreeMap<String, String>;

fn parse_uri(rest: &str) -> Result<Params, &'static str> {
    let mut params = Params::new();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    params.insert("user".into(), decode(user)?);
    params.insert("password".into(), decode(password)?);
    params.insert("dbname".into(), decode(database)?);
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
        let (name, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
            Some((name, port)) => (name, port.strip_prefix(':').unwrap_or("")),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    params.insert("host".into(), names.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        params.insert("port".into(), ports.join(","));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or("a parameter after the `?` has no `=`")?;
        let (keyword, value) = match (decode(keyword)?, decode(value)?) {
            (keyword, value) if keyword == "ssl" && value == "true" => ("sslmode".into(), "require".into()),
            pair => pair,
        };
        params.insert(keyword, value);
    }
    Ok(params)
}

fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or(b'!'), rest.next().unwrap_or(b'!')];
        let value = std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(
            value.ok_or("a `%` is not followed by two hexadecimal digits; write a `%` itself as `%25`")?,
        );
    }
    String::from_utf8(bytes).map_err(|_| "its text is not UTF-8")
}

fn parse_list(text: &str) -> Result<Params, &'static str> {
    let mut params = Params::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(params);
        }
        let mut keyword = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            keyword.push(c);
        }
        if chars.next().is_none() {
            return Err("a keyword has no `=`");
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return Err("a quoted value has no end"),
                None => break,
            }
        }
        params.insert(keyword.trim().to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_as_libpq_reads_it() {
        let text = "postgres://us%40er:p%3Aw%25@[::1]:6000,db.example.com/my%20db?sslmode=verify-full&sslrootcert=/c.pem";
        let endpoint = Endpoint::parse("source", text).expect("a valid URI");
        assert_eq!(endpoint.get("user"), Some("us@er"));
        assert_eq!(endpoint.password(), Some("p:w%"));
        assert_eq!(endpoint.get("host"), Some("::1,db.example.com"));
        assert_eq!(endpoint.get("port"), Some("6000,"));
        assert_eq!(endpoint.database(), "my db");
        assert_eq!(endpoint.get("sslmode"), Some("verify-full"));
    }

    #[test]
    fn a_list_is_read_with_its_quotes() {
        let endpoint =
            Endpoint::parse("source", r"host=h user = u password='it\'s a \\' dbname=d").expect("valid");
        assert_eq!(endpoint.password(), Some(r"it's a \"));
        assert_eq!(endpoint.conninfo(), "dbname='d' host='h' user='u'");
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let endpoint = Endpoint::parse("source", "postgres://u:hunter2@h:1/d").expect("valid");
        for text in [format!("{endpoint}"), format!("{endpoint:?}"), endpoint.conninfo()] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        let error = Endpoint::parse("source", "postgres://u:hunter2%zz@h/d").expect_err("a bad escape");
        assert!(!error.to_string().contains("hunter2"));
    }
}
