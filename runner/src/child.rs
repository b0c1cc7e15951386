//! Programs that this one starts: an environment of what they need and no more, and the one password that they need.

use std::ffi::OsStr;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use tokio::process::Command;

use crate::private_file;

/// What a client of PostgreSQL reads of its environment that is neither a secret nor a choice of a server: where
/// programs, libraries and certificates are. Everything else (SOURCE, TARGET, PGPASSWORD, …) may be meant for another
/// server or for nobody.
const PASSED_ON: [&str; 7] = [
    "PATH",
    // ~/.postgresql has libpq's own certificates.
    "HOME",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "OPENSSL_CONF",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// A command for `program` with an environment built from nothing.
#[must_use]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PGCLIENTENCODING", "UTF8").stdin(Stdio::null());
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A password file of libpq for one child process: mode 0600, in a folder of its own with mode 0700. Both are removed
/// when it is dropped, and also where this process is killed: a shell waits for its end.
#[derive(Debug)]
pub(crate) struct PasswordFile {
    path: PathBuf,
    folder: TempDir,
    watcher: Option<Child>,
}

impl PasswordFile {
    /// Writes one with these lines.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(crate) fn write(lines: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tsmigrate-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base())?;
        // Before there is anything to remove.
        let watcher = watch(folder.path()).ok();
        let path = folder.path().join("passwords");
        let file = Self { path, folder, watcher };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file.path)?
            .write_all(lines.as_bytes())?;
        Ok(file)
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        // What cannot be removed here the watcher tries once more.
        let removed = std::fs::remove_dir_all(self.folder.path()).is_ok();
        if let Some(mut watcher) = self.watcher.take() {
            if removed {
                let _ = watcher.kill();
            } else {
                drop(watcher.stdin.take());
            }
            let _ = watcher.wait();
        }
    }
}

/// The user's own folder of this session, which no disk keeps, or that of temporary files.
fn base() -> PathBuf {
    let ours = |path: &PathBuf| {
        let about = std::fs::symlink_metadata(path).ok();
        about.is_some_and(|about| {
            about.is_dir()
                && about.uid() == private_file::uid()
                && about.permissions().mode() & 0o777 == 0o700
        })
    };
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    session.filter(ours).unwrap_or_else(std::env::temp_dir)
}

/// Starts a shell that removes `folder` when the pipe to it closes, which the kernel does at our end, whatever it is.
fn watch(folder: &Path) -> io::Result<Child> {
    std::process::Command::new("/bin/sh")
        .args(["-c", "trap '' HUP INT TERM; read -r _; rm -rf -- \"$1\"", "tsmigrate"])
        .arg(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_private_and_goes_with_its_folder() {
        let file = PasswordFile::write("*:*:*:*:x\n").expect("a file");
        let mode = |path: &Path| std::fs::symlink_metadata(path).expect("it is there").mode() & 0o777;
        let folder = file.path().parent().expect("a folder").to_owned();
        assert_eq!((mode(file.path()), mode(&folder)), (0o600, 0o700));
        assert_eq!(std::fs::read_to_string(file.path()).expect("ours"), "*:*:*:*:x\n");
        drop(file);
        assert!(!folder.exists());
    }

    #[test]
    fn the_watcher_removes_what_a_killed_process_leaves() {
        let folder = tempfile::tempdir().expect("a folder").keep();
        std::fs::write(folder.join("passwords"), "x").expect("written");
        let mut watcher = watch(&folder).expect("a shell");
        assert!(folder.exists(), "it waits");
        drop(watcher.stdin.take());
        watcher.wait().expect("it ends");
        assert!(!folder.exists());
    }
}
