//! Where systems put PostgreSQL's client tools, and what their packages are called.

use std::path::{Path, PathBuf};

/// Folders of which each version has one of its own: the parent, how the version's name begins, and what follows it.
/// Debian; RHEL and Fedora (postgresql.org's packages); SUSE; Alpine; Homebrew on both kinds of Mac and on Linux; MacPorts;
/// EDB's installers; Postgres.app.
const PARENTS: [(&str, &str, &str); 13] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/opt/homebrew/opt", "libpq", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/usr/local/opt", "libpq", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/opt/PostgreSQL", "", "bin"),
    ("/Library/PostgreSQL", "", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The folders of the search path, then every other on this machine that has a `pg_dump`, each once.
pub(super) fn folders() -> Vec<PathBuf> {
    let path: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    below(Path::new("/"), path)
}

/// The same with another root folder.
fn below(root: &Path, mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    for (parent, start, end) in PARENTS {
        let Ok(entries) = std::fs::read_dir(root.join(parent.trim_start_matches('/'))) else { continue };
        let of_version = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(start);
        let mut found: Vec<_> =
            entries.flatten().filter(of_version).map(|entry| entry.path().join(end)).collect();
        found.sort();
        folders.append(&mut found);
    }
    let mut kept = Vec::<PathBuf>::new();
    let mut seen = std::collections::BTreeSet::new();
    for folder in folders.into_iter().filter(|folder| folder.join("pg_dump").exists()) {
        // Links lead to folders that have their own entry (Homebrew's `postgresql`, Postgres.app's `latest`).
        if seen.insert(std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone())) {
            kept.push(folder);
        }
    }
    kept
}

/// How to install the client tools of a major version on this machine: an imperative.
pub(super) fn install(major: u32) -> String {
    let system = if cfg!(target_os = "macos") {
        "ID=macos".to_owned()
    } else {
        std::fs::read_to_string("/etc/os-release").unwrap_or_default()
    };
    install_on(&system, major)
}

/// The same for a system whose `/etc/os-release` is this.
fn install_on(release: &str, major: u32) -> String {
    let names: Vec<&str> = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .collect();
    let is = |some: &[&str]| names.iter().any(|name| some.contains(name));
    if is(&["debian", "ubuntu"]) {
        format!(
            "install postgresql-client-{major} (apt install postgresql-client-{major}; where apt does not know it, package \
             postgresql-common has /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh)"
        )
    } else if is(&["rhel", "fedora", "centos"]) {
        format!("install postgresql{major} (dnf install postgresql{major}, from https://yum.postgresql.org)")
    } else if is(&["suse", "opensuse"]) {
        format!("install postgresql{major} (zypper install postgresql{major})")
    } else if is(&["alpine"]) {
        format!("install postgresql{major}-client (apk add postgresql{major}-client)")
    } else if is(&["macos"]) {
        format!("install postgresql@{major} (brew install postgresql@{major})")
    } else {
        format!("install the client tools of PostgreSQL {major} (https://www.postgresql.org/download/)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_systems_folders_are_found_once() {
        let root = tempfile::tempdir().expect("a folder");
        let folders = [
            "usr/bin",
            "usr/lib/postgresql/17/bin",
            "usr/pgsql-16/bin",
            "usr/lib/postgresql15/bin",
            "usr/libexec/postgresql18",
            "opt/homebrew/opt/postgresql@17/bin",
            "opt/local/lib/postgresql14/bin",
            "Library/PostgreSQL/13/bin",
            "Applications/Postgres.app/Contents/Versions/17/bin",
        ];
        for folder in folders {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join("pg_dump"), "").expect("a file");
        }
        std::fs::create_dir_all(root.path().join("usr/lib/postgresql/12/bin"))
            .expect("a folder without pg_dump");
        let path = vec![root.path().join("usr/bin"), root.path().join("usr/lib/postgresql/17/bin")];
        let found = below(root.path(), path);
        let found: std::collections::BTreeSet<_> =
            found.iter().map(|folder| folder.strip_prefix(root.path()).expect("below it")).collect();
        assert_eq!(found, folders.iter().map(Path::new).collect());
        assert_eq!(
            below(root.path(), Vec::new()).len(),
            folders.len() - 1,
            "each once, and none that is nobody's"
        );
    }

    #[test]
    fn the_package_is_named_as_the_system_names_it() {
        let on = |release: &str| install_on(release, 17);
        assert!(on("NAME=x\nID=debian\n").starts_with("install postgresql-client-17 "));
        assert!(on("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").starts_with("install postgresql-client-17 "));
        assert!(
            on("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n").starts_with("install postgresql17 (dnf")
        );
        assert!(on("ID=alpine\n").contains("apk add postgresql17-client"));
        assert!(
            on("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n").contains("zypper install postgresql17")
        );
        assert!(on("ID=macos").contains("brew install postgresql@17"));
        assert!(on("").contains("PostgreSQL 17"));
    }
}
