//! libpq's connection parameters: their names, their environment variables, and what this program makes of them.
//! Source: the list PQconninfoOptions of PostgreSQL 18 (src/interfaces/libpq/fe-connect.c).

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is used here, and `pg_dump` gets it.
    Both,
    /// It is used here alone: what follows from it is told to `pg_dump`.
    Here,
    /// It changes nothing for us; sessions of ours set this themselves.
    Ours,
    /// It has a meaning that this program cannot keep, so it is refused: why, and what to do.
    Refused(&'static str),
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) variable: Option<&'static str>,
    pub(super) then: Use,
}

const fn keyword(name: &'static str, variable: &'static str, then: Use) -> Keyword {
    Keyword { name, variable: Some(variable), then }
}

const fn plain(name: &'static str, then: Use) -> Keyword {
    Keyword { name, variable: None, then }
}

const NO_OAUTH: Use = Use::Refused("log in with a password or a certificate");
const NO_KEYS: Use = Use::Refused("give a password");

pub(super) const KEYWORDS: [Keyword; 53] = [
    keyword("service", "PGSERVICE", Use::Here),
    keyword("servicefile", "PGSERVICEFILE", Use::Here),
    keyword("user", "PGUSER", Use::Both),
    keyword("password", "PGPASSWORD", Use::Here),
    keyword("passfile", "PGPASSFILE", Use::Here),
    keyword("dbname", "PGDATABASE", Use::Both),
    keyword("host", "PGHOST", Use::Here),
    keyword("hostaddr", "PGHOSTADDR", Use::Here),
    keyword("port", "PGPORT", Use::Here),
    keyword("options", "PGOPTIONS", Use::Both),
    keyword("connect_timeout", "PGCONNECT_TIMEOUT", Use::Both),
    keyword("target_session_attrs", "PGTARGETSESSIONATTRS", Use::Here),
    keyword("load_balance_hosts", "PGLOADBALANCEHOSTS", Use::Here),
    keyword("channel_binding", "PGCHANNELBINDING", Use::Both),
    plain("keepalives", Use::Both),
    plain("keepalives_idle", Use::Both),
    plain("keepalives_interval", Use::Both),
    plain("keepalives_count", Use::Both),
    plain("tcp_user_timeout", Use::Both),
    keyword("sslmode", "PGSSLMODE", Use::Both),
    keyword("sslnegotiation", "PGSSLNEGOTIATION", Use::Both),
    keyword("sslcert", "PGSSLCERT", Use::Both),
    keyword("sslkey", "PGSSLKEY", Use::Both),
    keyword("sslcertmode", "PGSSLCERTMODE", Use::Both),
    keyword("sslrootcert", "PGSSLROOTCERT", Use::Both),
    keyword("sslcrl", "PGSSLCRL", Use::Both),
    keyword("sslsni", "PGSSLSNI", Use::Both),
    keyword("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Use::Both),
    keyword("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Use::Both),
    keyword("sslcompression", "PGSSLCOMPRESSION", Use::Ours),
    keyword("client_encoding", "PGCLIENTENCODING", Use::Ours),
    keyword("application_name", "PGAPPNAME", Use::Ours),
    plain("fallback_application_name", Use::Ours),
    keyword("gssencmode", "PGGSSENCMODE", Use::Both),
    keyword("krbsrvname", "PGKRBSRVNAME", Use::Ours),
    keyword("gsslib", "PGGSSLIB", Use::Ours),
    keyword("gssdelegation", "PGGSSDELEGATION", Use::Ours),
    keyword("min_protocol_version", "PGMINPROTOCOLVERSION", Use::Ours),
    keyword("max_protocol_version", "PGMAXPROTOCOLVERSION", Use::Ours),
    keyword("sslcrldir", "PGSSLCRLDIR", Use::Refused("name one file of revoked certificates with sslcrl")),
    plain(
        "sslpassword",
        Use::Refused("decrypt the key into a file that only you can read, and name that one with sslkey"),
    ),
    plain("sslkeylogfile", Use::Refused("leave it out: it would write the keys of the session into a file")),
    keyword(
        "requirepeer",
        "PGREQUIREPEER",
        Use::Refused("use verify-full over TCP to be sure of the server"),
    ),
    keyword(
        "require_auth",
        "PGREQUIREAUTH",
        Use::Refused("use channel_binding=require to be sure of the server"),
    ),
    plain("replication", Use::Refused("leave it out: this is no replication connection")),
    plain("scram_client_key", NO_KEYS),
    plain("scram_server_key", NO_KEYS),
    plain("oauth_issuer", NO_OAUTH),
    plain("oauth_client_id", NO_OAUTH),
    plain("oauth_client_secret", NO_OAUTH),
    plain("oauth_scope", NO_OAUTH),
    // Older names that libpq still takes and ignores.
    plain("authtype", Use::Ours),
    plain("tty", Use::Ours),
];

/// The parameter of this name.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// An answer to a name that is none. It shows the name only where it looks like one: a password that is not
/// percent-encoded can end up in its place.
pub(super) fn unknown(name: &str) -> String {
    let looks_so = name.len() <= 30 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !looks_so || name.is_empty() {
        return "it has a parameter that libpq does not know; in a URI, percent-encode / ? # & = @ : % in the password"
            .to_owned();
    }
    let near = KEYWORDS
        .iter()
        .map(|keyword| (strsim::jaro_winkler(name, keyword.name), keyword.name))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(likeness, _)| *likeness > 0.85);
    match near {
        Some((_, near)) => format!("libpq knows no parameter {name}; did you mean {near}?"),
        None => format!("libpq knows no parameter {name}"),
    }
}
