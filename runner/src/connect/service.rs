//! `service=…`: connection parameters from libpq's service files.

use std::path::PathBuf;

use super::keywords;
use super::local::home;

/// The parameters of a service: the person's own file first, then the system's.
pub(super) fn parameters(service: &str, file: Option<&str>) -> Result<Vec<(&'static str, String)>, String> {
    let own = file.map(PathBuf::from).or_else(|| Some(home()?.join(".pg_service.conf")));
    let folder = std::env::var_os("PGSYSCONFDIR");
    let system = folder.into_iter().map(PathBuf::from);
    // Where PostgreSQL's packages for Debian and for Red Hat look, and a build from its sources.
    let system = system
        .chain(["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"].map(PathBuf::from))
        .map(|folder| folder.join("pg_service.conf"));
    for path in own.into_iter().chain(system) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if file.is_some_and(|file| path.as_os_str() == file) => {
                return Err(format!("the service file {} cannot be read: {error}", path.display()));
            }
            Err(_) => continue,
        };
        let found = section(&text, service).map_err(|why| format!("{}, {why}", path.display()))?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(format!("there is no service {service} in the service files (PGSERVICEFILE, ~/.pg_service.conf)"))
}

/// The parameters below `[service]`; of two for the same keyword the first counts.
fn section(text: &str, service: &str) -> Result<Option<Vec<(&'static str, String)>>, String> {
    let mut found: Option<Vec<(&'static str, String)>> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = |why: &str| format!("line {}: {why}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.split_once(']').is_some_and(|(name, _)| name == service) {
                found = Some(Vec::new());
            }
            continue;
        }
        let Some(parameters) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(place("a service from LDAP is not supported"));
        }
        let (name, value) = line.split_once('=').ok_or_else(|| place("there is no `=`"))?;
        let keyword = keywords::find(name).ok_or_else(|| place(&keywords::unknown(name)))?;
        if matches!(keyword.name, "service" | "servicefile") {
            return Err(place("a service cannot name another one"));
        }
        if !parameters.iter().any(|(known, _)| *known == keyword.name) {
            parameters.push((keyword.name, value.to_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_as_libpq_reads_it() {
        let text = "# all\n[other]\nhost=no\n\n[mine]\nhost=h\nport=1\nhost=late\n[next]\nport=2\n";
        assert_eq!(section(text, "mine"), Ok(Some(vec![("host", "h".into()), ("port", "1".into())])));
        assert_eq!(section(text, "none"), Ok(None));
        let error = section("[s]\nhots=secret", "s").expect_err("no such parameter");
        assert!(error.contains("line 2") && error.contains("did you mean host") && !error.contains("secret"));
        assert!(section("[s]\nservice=t", "s").is_err());
    }
}
