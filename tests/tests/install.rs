//! `.github/install.sh`: a release is installed by one line, and only what its checksums are of.
#![cfg(target_os = "linux")]

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

/// A folder with releases, and the home of who installs them. The program of a release only says its version.
struct Releases(TempDir);

impl Releases {
    fn new() -> Result<Self, Box<dyn Error>> {
        let releases = Self(tempfile::Builder::new().prefix("re leases").tempdir()?);
        releases.release("latest/download", "2.0.0")?;
        releases.release("download/v1.0.0", "1.0.0")?;
        Ok(releases)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn release(&self, folder: &str, version: &str) -> Outcome {
        let folder = self.path(folder);
        let target = format!("tsmigrate-{}-unknown-linux-musl", std::env::consts::ARCH);
        fs::create_dir_all(folder.join(&target))?;
        program(&folder.join(&target).join("tsmigrate"), &format!("echo tsmigrate {version}"))?;
        let pack = format!(
            "tar -czf {target}.tar.gz {target} && sha256sum {target}.tar.gz >SHA256SUMS && rm -r {target}"
        );
        assert!(Command::new("sh").args(["-c", &pack]).current_dir(folder).status()?.success());
        Ok(())
    }

    fn install(&self, set: &[(&str, &str)]) -> Result<Output, Box<dyn Error>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/install.sh");
        // As curl passes it on.
        let mut command = Command::new("sh");
        command.stdin(fs::File::open(script)?).env("HOME", self.path("home"));
        command.env("TSMIGRATE_FROM", format!("file://{}", self.0.path().display()).replace(' ', "%20"));
        Ok(command.envs(set.iter().copied()).output()?)
    }

    /// What the installed program says; none where there is none.
    fn installed(&self, folder: &str) -> Option<String> {
        let said = Command::new(self.path(folder).join("tsmigrate")).output().ok()?.stdout;
        Some(String::from_utf8_lossy(&said).trim().to_owned())
    }
}

fn program(path: &Path, body: &str) -> Outcome {
    fs::write(path, format!("#!/bin/sh\n{body}\n"))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_newest_release_is_installed_and_one_that_is_named_takes_its_place() -> Outcome {
    let releases = Releases::new()?;
    let newest = releases.install(&[])?;
    assert_eq!(
        releases.installed("home/.local/bin").as_deref(),
        Some("tsmigrate 2.0.0"),
        "{}",
        said(&newest)
    );
    assert!(said(&newest).contains("next: add ") && newest.status.success(), "{}", said(&newest));
    let older = releases.install(&[("TSMIGRATE_VERSION", "v1.0.0")])?;
    assert_eq!(releases.installed("home/.local/bin").as_deref(), Some("tsmigrate 1.0.0"), "{}", said(&older));
    let to = releases.path("a folder");
    releases.install(&[("TSMIGRATE_TO", to.to_str().ok_or("no text")?)])?;
    assert_eq!(releases.installed("a folder").as_deref(), Some("tsmigrate 2.0.0"));
    Ok(())
}

#[test]
fn an_archive_that_the_checksums_are_not_of_is_not_installed() -> Outcome {
    let releases = Releases::new()?;
    let sums = releases.path("latest/download/SHA256SUMS");
    let right = fs::read_to_string(&sums)?;
    for wrong in [right.replace(char::is_numeric, "0"), String::new(), right.replace("musl", "gnu")] {
        fs::write(&sums, &wrong)?;
        let output = releases.install(&[])?;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", said(&output));
        assert!(
            said(&output).contains("not the file that the release's checksums are of"),
            "{}",
            said(&output)
        );
        assert_eq!(releases.installed("home/.local/bin"), None);
    }
    fs::remove_file(sums)?;
    assert!(said(&releases.install(&[])?).contains("SHA256SUMS cannot be downloaded"));
    Ok(())
}

#[test]
fn a_system_without_a_release_is_told_what_works_there() -> Outcome {
    let releases = Releases::new()?;
    fs::create_dir(releases.path("bin"))?;
    program(&releases.path("bin/uname"), "case $1 in -s) echo SunOS ;; *) echo sparc ;; esac")?;
    let path = format!("{}:{}", releases.path("bin").display(), std::env::var("PATH")?);
    let output = releases.install(&[("PATH", &path)])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no tsmigrate for SunOS on sparc"), "{}", said(&output));
    assert!(said(&output).contains("tsmigrate-analyzer"));
    Ok(())
}

#[test]
fn a_script_that_is_cut_off_does_nothing() -> Outcome {
    let releases = Releases::new()?;
    let script = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/install.sh"))?;
    let lines: Vec<&str> = script.lines().collect();
    for cut in 1..lines.len() - 1 {
        let part = lines.get(..cut).unwrap_or_default().join("\n");
        let from = format!("file://{}", releases.0.path().display()).replace(' ', "%20");
        let mut command = Command::new("sh");
        command.args(["-c", &part]).env("HOME", releases.path("home")).env("TSMIGRATE_FROM", from);
        command.output()?;
        assert_eq!(releases.installed("home/.local/bin"), None, "cut at line {cut}");
    }
    Ok(())
}
