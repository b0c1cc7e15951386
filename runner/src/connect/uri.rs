//! The text of connection strings as libpq reads it: URIs and `keyword=value` lists.

use super::keywords::{self, Use};

/// Parameters as they stand in the text, the last of the same name counting.
pub(super) type Pairs = Vec<(String, String)>;

/// Reads a URI (`postgres://user@host/db?sslmode=require`) or a list (`host=… dbname=…`).
///
/// Messages name keywords and never a value, for any may be part of a password.
pub(super) fn pairs(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let text = text.trim();
    let uri = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let pairs = match uri {
        Some(rest) => parse_uri(rest),
        None if text.contains('=') => parse_list(text),
        None => Err("it is neither a postgres:// URI nor a list of keyword=value"),
    };
    let mut known: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in pairs? {
        let keyword = keywords::find(&name).ok_or_else(|| keywords::unknown(&name))?;
        if let Use::Refused(next) = keyword.then
            && !value.is_empty()
        {
            return Err(format!("the parameter {name} is not supported; {next}"));
        }
        known.retain(|(other, _)| *other != keyword.name);
        known.push((keyword.name, value));
    }
    Ok(known)
}

fn parse_uri(rest: &str) -> Result<Pairs, &'static str> {
    let mut params = Pairs::new();
    let (whole, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = whole.split_once('/').unwrap_or((whole, ""));
    // Also where it has an @ before: what comes behind the / then ends with the host.
    if rest.contains('@') && !authority.contains('@') || database.contains('@') {
        return Err("its password has a / or ? in it; percent-encode / ? # & = @ : % there");
    }
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    // What is empty in a URI is as if it were not there.
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            params.push((name.to_owned(), value));
        }
    };
    put("user", decode(user)?);
    put("password", decode(password)?);
    put("dbname", decode(database)?);
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']').ok_or("an IPv6 address has no closing `]`")?;
                (name, port.strip_prefix(':').unwrap_or(port))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    if names.iter().any(|name| !name.is_empty()) {
        put("host", names.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        put("port", ports.join(","));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or("a parameter after the `?` has no `=`")?;
        match (decode(keyword)?, decode(value)?) {
            // For compatibility with JDBC, as libpq has it.
            (keyword, value) if keyword == "ssl" && value == "true" => {
                params.push(("sslmode".into(), "require".into()));
            }
            pair => params.push(pair),
        }
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
        match value {
            Some(0) => return Err("it has a zero byte (%00)"),
            Some(value) => bytes.push(value),
            None => {
                return Err("a `%` is not followed by two hexadecimal digits; write a `%` itself as `%25`");
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "its text is not UTF-8")
}

fn parse_list(text: &str) -> Result<Pairs, &'static str> {
    let mut params = Pairs::new();
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
        params.push((keyword.trim().to_owned(), value));
    }
}
