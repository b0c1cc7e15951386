//! Connection strings among files.

use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The connection string among the arguments, where they are one.
pub(super) fn of(files: &[PathBuf]) -> Result<Option<&str>, Failure> {
    let uris: Vec<&str> = files.iter().filter_map(|file| as_uri(file)).collect();
    match uris.as_slice() {
        [] => Ok(None),
        [uri] if files.len() == 1 => Ok(Some(uri)),
        _ => Err(Failure::new("a database is checked by itself, without files and other databases")
            .next("run tsmigrate check once for each")),
    }
}

fn as_uri(file: &Path) -> Option<&str> {
    let text = file.to_str()?;
    let is_list = || {
        let keyword = text.split_once('=').map_or("", |(keyword, _)| keyword.trim());
        let known = ["host", "hostaddr", "port", "dbname", "user", "service", "password", "sslmode"];
        known.contains(&keyword) && !file.exists()
    };
    // A scheme with a slip of the pen may hold a password: as a file's name it would be shown.
    let is_slip = || (text.contains("://") || text.contains('@') && text.contains(':')) && !file.exists();
    let is_uri = text.starts_with("postgres://") || text.starts_with("postgresql://");
    (is_uri || is_list() || is_slip()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_told_from_a_file() {
        let uri = |text: &str| as_uri(Path::new(text)).is_some();
        assert!(uri("postgres://h/d") && uri("postgresql://u@h") && uri("host=h dbname='my db'"));
        assert!(uri("postgre://u:secret@h/d") && uri("u:secret@h/d"));
        assert!(!uri("dump.sql") && !uri("a=b.sql") && !uri("-"));
    }
}
