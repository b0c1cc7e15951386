//! What this machine says of the person who runs the program.

use std::path::{Path, PathBuf};

use crate::private_file;

/// The person's folder.
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
        .or_else(|| passwd(5).map(PathBuf::from))
}

/// The system's name of the person: libpq's default for the user.
pub(super) fn user() -> Option<String> {
    passwd(0).or_else(|| std::env::var("USER").ok()).filter(|user| !user.is_empty())
}

fn passwd(field: usize) -> Option<String> {
    let uid = private_file::uid().to_string();
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
    line.split(':').nth(field).map(str::to_owned)
}

/// Where a server of this machine listens, if one does: the packages' folder, then that of PostgreSQL's sources.
pub(super) fn socket_folder(port: u16) -> Option<&'static str> {
    SOCKET_FOLDERS.into_iter().find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists())
}

/// Folders that libpq takes for its own default, depending on who built it.
pub(super) const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// What a password file calls this server: libpq names a socket in its usual folder `localhost` there.
pub(super) fn name_in_passfile(host: &str) -> &str {
    if SOCKET_FOLDERS.contains(&host) { "localhost" } else { host }
}
