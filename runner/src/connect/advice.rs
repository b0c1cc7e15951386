//! What to do where a server cannot be reached, or refuses the login: by its answer, in commands that hold no password.

use super::endpoint::{Endpoint, Host};
use super::side::Side;
use crate::error::Server;
use crate::quote::{quoted, shell};

/// What to do about the answer of one server. Names in an answer are the server's: they are not repeated in commands.
pub(super) fn next(side: Side, endpoint: &Endpoint, host: Option<&Host>, answer: &Server) -> Vec<String> {
    let place = Place { side, endpoint, host };
    if answer.code.is_empty() { place.unreachable(&answer.message) } else { place.refused(answer) }
}

/// The server that failed.
struct Place<'a> {
    side: Side,
    endpoint: &'a Endpoint,
    host: Option<&'a Host>,
}

impl Place<'_> {
    fn option(&self) -> String {
        format!("--{}", self.side.name())
    }

    /// The command that tries the same with PostgreSQL's own program.
    fn try_it(&self) -> String {
        format!("psql -X \"${}\" -c 'SELECT 1'", self.side.name().to_uppercase())
    }

    fn host(&self) -> (String, u16) {
        self.host.map_or_else(|| ("localhost".to_owned(), 5432), |host| (host.name.clone(), host.port))
    }

    fn is_ready(&self) -> String {
        let (name, port) = self.host();
        format!("pg_isready -h {} -p {port}", shell(&name))
    }

    /// Another database of the same server, where a person looks for the right one.
    fn list(&self) -> String {
        let (name, port) = self.host();
        let database = if self.side == Side::Target { "tsdb" } else { "postgres" };
        format!("psql -X -h {} -p {port} -U {} -d {database} -l", shell(&name), shell(self.endpoint.user()))
    }

    /// No server has answered in its own words.
    fn unreachable(&self, message: &str) -> Vec<String> {
        let has = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        let option = self.option();
        let (name, port) = self.host();
        if has(&["password missing"]) {
            return self.password("give one");
        }
        if has(&["failed to lookup", "Name or service", "nodename nor servname", "Temporary failure in name"])
        {
            return vec![
                format!("correct the host's name in {option}: no address is known for it"),
                format!("getent hosts {}", shell(&name)),
            ];
        }
        if self.host.is_some_and(Host::is_socket) && has(&["No such file", "Connection refused"]) {
            return vec![
                format!("start the server, or correct folder and port of its socket in {option}:"),
                format!("ls -la {}", shell(&format!("{name}/.s.PGSQL.{port}"))),
            ];
        }
        if has(&["Permission denied"]) {
            return vec![
                format!(
                    "name an address in place of the socket in {option}, or have this user admitted to its folder:"
                ),
                format!("ls -ld {}", shell(&name)),
            ];
        }
        if has(&["Connection refused"]) {
            return vec![
                format!(
                    "start the server, or correct host and port in {option}: nobody listens at {}",
                    place(&name, port)
                ),
                self.is_ready(),
            ];
        }
        if has(&["no answer within", "timed out", "No route", "unreachable"]) {
            return vec![
                format!(
                    "correct host and port in {option}, or let this machine through: firewalls, security groups and the \
                     service's list of addresses decide that"
                ),
                self.is_ready(),
            ];
        }
        if has(&["does not support TLS"]) {
            return vec![
                "turn TLS on there (ssl = on), or take sslmode=require off, where the network between is yours alone"
                    .to_owned(),
                format!("with sslmode=disable in {option} nothing is encrypted"),
            ];
        }
        if has(&["certificate", "Certificate"]) {
            return vec![self.certificate(message)];
        }
        if has(&["TLS", "tls", "handshake"]) {
            return vec![
                format!(
                    "correct sslmode, sslnegotiation and the port in {option}: the two sides do not agree on TLS"
                ),
                self.try_it(),
            ];
        }
        if has(&["pooler"]) {
            return vec![format!("name the server itself in {option}, not the pooler in front of it")];
        }
        if has(&["read-only", "in recovery", "standby", "read-write", "primary"]) {
            return vec![format!("name a server in {option} that is what target_session_attrs asks for")];
        }
        vec![
            format!("correct host and port in {option}, if something else than PostgreSQL answers there:"),
            self.is_ready(),
        ]
    }

    fn certificate(&self, message: &str) -> String {
        let option = self.option();
        if message.contains("NotValidForName") || message.contains("not valid for name") {
            return format!(
                "write the host in {option} as the server's certificate has it (hostaddr= can name the address besides)"
            );
        }
        if message.contains("xpired") {
            return "have the server's certificate renewed; look at the clock of this machine too: date"
                .to_owned();
        }
        if message.contains("UnknownIssuer")
            || message.contains("BadSignature")
            || message.contains("SelfSigned")
        {
            return format!(
                "name the authority that has signed the server's certificate in {option}: sslrootcert=FILE, or \
                 sslrootcert=system"
            );
        }
        format!("correct sslrootcert, sslcert, sslkey and sslcrl in {option}")
    }

    /// The server has answered.
    fn refused(&self, answer: &Server) -> Vec<String> {
        let option = self.option();
        let message = answer.message.as_str();
        let user = self.endpoint.user();
        let database = self.endpoint.database();
        match answer.code.as_str() {
            "28P01" => self.password("correct it"),
            "28000" if message.contains("pg_hba.conf") => self.hba(message),
            "28000" if message.contains("does not exist") => {
                vec![format!("correct the user in {option}: the server has no role {}", quoted(user))]
            }
            "28000" if message.contains("not permitted to log in") => {
                vec![format!(
                    "name another user in {option}, or as its administrator: ALTER ROLE {} LOGIN",
                    quoted(user)
                )]
            }
            code if code.starts_with("28") => {
                vec![format!("correct user and certificate in {option}"), self.try_it()]
            }
            "3D000" => vec![
                format!("correct the database in {option}; the server's own are listed by:"),
                self.list(),
            ],
            "42501" => vec![format!(
                "as an administrator of the {}: GRANT CONNECT ON DATABASE {} TO {}",
                self.side.name(),
                quoted(database),
                quoted(user)
            )],
            "53300" => vec![
                format!("end sessions of the {} that nobody needs, or wait for them:", self.side.name()),
                "SELECT pid, usename, application_name, state, state_change FROM pg_stat_activity ORDER BY state_change"
                    .to_owned(),
                "then the same command, with a smaller --jobs where it has one".to_owned(),
            ],
            "57P03" | "57P01" | "57P02" => {
                vec!["wait until the server takes connections, then the same command:".to_owned(), self.is_ready()]
            }
            "55000" => vec![format!(
                "name another database in {option}, or as an administrator: ALTER DATABASE {} ALLOW_CONNECTIONS true",
                quoted(database)
            )],
            "08P01" => vec![
                format!("name the server itself in {option}, where a pooler stands in front of it"),
                self.try_it(),
            ],
            _ => vec![format!("remove the cause, and try it with the same string: {}", self.try_it())],
        }
    }

    /// A password that is wrong or missing: what is wrong with the password file stands first.
    fn password(&self, what: &str) -> Vec<String> {
        let (name, port) = self.host();
        let warnings = self.endpoint.warnings().iter();
        let mut next: Vec<String> =
            warnings.filter(|warning| warning.starts_with("the password file")).cloned().collect();
        next.push(format!(
            "{what} in ~/.pgpass (mode 0600), PGPASSWORD or the variable {}; of ~/.pgpass the line begins with {}:{port}:",
            self.side.name().to_uppercase(),
            if self.host.is_some_and(Host::is_socket) { "localhost" } else { name.as_str() },
        ));
        next.push(self.try_it());
        next
    }

    fn hba(&self, message: &str) -> Vec<String> {
        let option = self.option();
        let mut next = Vec::new();
        if message.contains("no encryption") {
            next.push(format!("ask for TLS: sslmode=require in {option}"));
        }
        if self.side == Side::Target {
            next.push(format!(
                "correct user and database in {option}, or let this machine's address in at the service"
            ));
            return next;
        }
        // The address as the server sees it: networks translate them.
        let seen = message.split_once("host \"").and_then(|(_, rest)| rest.split_once('"'));
        let address = seen.and_then(|(address, _)| address.parse::<std::net::IpAddr>().ok());
        let line = match address {
            Some(address) => {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                format!(
                    "host {} {} {address}/{bits} scram-sha-256",
                    in_hba(self.endpoint.database()),
                    in_hba(self.endpoint.user())
                )
            }
            None => format!(
                "local {} {} scram-sha-256",
                in_hba(self.endpoint.database()),
                in_hba(self.endpoint.user())
            ),
        };
        next.push(
            "let it in there: this line in pg_hba.conf above those that refuse, then SELECT pg_reload_conf()"
                .to_owned(),
        );
        next.push(format!("  {line}"));
        next
    }
}

fn place(name: &str, port: u16) -> String {
    if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
}

/// A name as pg_hba.conf takes it: in quotes where it is no plain word, or would mean something else.
fn in_hba(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let word = ["all", "sameuser", "samerole", "samegroup", "replication"].contains(&name);
    if plain && !word && !name.is_empty() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(uri: &str, code: &str, message: &str) -> String {
        let endpoint = Endpoint::resolve(uri, &|_| None).expect("a good string");
        let answer = Server { code: code.into(), message: message.into(), ..Server::default() };
        next(Side::Source, &endpoint, endpoint.hosts().first(), &answer).join("\n")
    }

    #[test]
    fn every_answer_has_a_way_on_without_the_password() {
        let uri = "postgres://me:hunter2@db.example:5433/shop";
        for (code, message, way) in [
            (
                "",
                "error connecting to server: failed to lookup address information: x",
                "getent hosts db.example",
            ),
            (
                "",
                "error connecting to server: Connection refused (os error 111)",
                "pg_isready -h db.example -p 5433",
            ),
            ("", "no answer within 5 s (connect_timeout)", "firewalls"),
            ("", "error performing TLS handshake: server does not support TLS", "sslmode=disable"),
            ("", "invalid peer certificate: UnknownIssuer", "sslrootcert=FILE"),
            (
                "",
                "invalid peer certificate: certificate not valid for name \"x\"",
                "as the server's certificate has it",
            ),
            ("", "invalid configuration: password missing", "db.example:5433:"),
            ("", "unexpected message from server", "something else than PostgreSQL"),
            ("28P01", "password authentication failed for user \"me\"", "PGPASSWORD"),
            ("3D000", "database \"shop\" does not exist", "-d postgres -l"),
            (
                "28000",
                "no pg_hba.conf entry for host \"10.1.2.3\", user \"me\"",
                "host shop me 10.1.2.3/32 scram-sha-256",
            ),
            ("28000", "role \"me\" does not exist", "has no role me"),
            ("42501", "permission denied for database \"shop\"", "GRANT CONNECT ON DATABASE shop TO me"),
            ("53300", "sorry, too many clients already", "--jobs"),
            ("57P03", "the database system is starting up", "pg_isready"),
            ("XX000", "anything", "psql -X \"$SOURCE\""),
        ] {
            let said = said(uri, code, message);
            assert!(said.contains(way), "{code} {message}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_command() {
        let said = said("host='$(x)' user='a b' dbname=d", "3D000", "does not exist");
        assert!(said.contains("-h '$(x)' -p 5432 -U 'a b'"), "{said}");
        assert_eq!(in_hba("all"), "\"all\"");
        assert_eq!(in_hba("a b"), "\"a b\"");
    }
}
