//! `tests/needs`: what a build needs on a machine, decided by what works. Bash sources it here with another root folder,
//! another user and another apt-get.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

/// A machine: a root folder with libraries, and a folder of programs that come before this machine's own.
struct Machine(TempDir);

impl Machine {
    fn new() -> Result<Self, Box<dyn Error>> {
        let machine = Self(tempfile::tempdir()?);
        fs::create_dir_all(machine.0.path().join("usr/lib/llvm-14/lib"))?;
        fs::create_dir(machine.0.path().join("bin"))?;
        // It writes down what it was asked, and installs nothing.
        machine.program("apt-get", &format!("echo \"$*\" >>{}", machine.0.path().join("apt").display()))?;
        Ok(machine)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn program(&self, name: &str, body: &str) -> Outcome {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    fn library(&self, name: &str, text: &str) -> Outcome {
        Ok(fs::write(self.path().join("usr/lib/llvm-14/lib").join(name), text)?)
    }

    /// Runs bash after `tests/needs` was sourced there.
    fn run(&self, script: &str, set: &[(&str, &Path)]) -> Result<Output, Box<dyn Error>> {
        let path = std::env::var("PATH")?;
        let needs = concat!(env!("CARGO_MANIFEST_DIR"), "/needs");
        let script = format!("set -euo pipefail; . {needs}; needs_root=$1; {script}");
        Ok(Command::new("bash")
            .args(["-c", &script, "needs"])
            .arg(self.path())
            .env("PATH", format!("{}:{path}", self.path().join("bin").display()))
            .env("CARGO_TARGET_DIR", self.path().join("target"))
            // This machine's own libclang is none of that machine's.
            .env("LLVM_CONFIG_PATH", "/nonexistent/llvm-config")
            .env_remove("LIBCLANG_PATH")
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("LIBRARY_PATH")
            .env_remove("BINDGEN_EXTRA_CLANG_ARGS")
            .envs(set.iter().copied())
            .output()?)
    }

    /// What apt-get was asked, a line for each time.
    fn asked(&self) -> String {
        fs::read_to_string(self.path().join("apt")).unwrap_or_default()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_libraries_of_clang_for_cpp_are_no_libclang() -> Outcome {
    let machine = Machine::new()?;
    for name in ["libclang-cpp.so.14", "libclang-cpp.so", "libclangBasic.a", "libclangIndex.so"] {
        machine.library(name, "")?;
    }
    assert_eq!(out(&machine.run("libclangs \"$1\"", &[])?), "");

    // The highest number comes first, as in bindgen's own search.
    for name in ["libclang.so", "libclang-9.so.1", "libclang-14.so.13", "libclang-14.so.14.0.6"] {
        machine.library(name, "")?;
    }
    let found = out(&machine.run("libclangs \"$1\"", &[])?);
    let names: Vec<_> = found.lines().filter_map(|line| line.rsplit('/').next()).collect();
    assert_eq!(names, ["libclang-14.so.14.0.6", "libclang-14.so.13", "libclang-9.so.1", "libclang.so"]);
    Ok(())
}

#[test]
fn a_missing_libclang_is_installed_by_root_and_named_to_others() -> Outcome {
    let machine = Machine::new()?;
    machine.library("libclang-cpp.so.14", "")?;

    let told = machine.run("is_root() { false; }; need native", &[])?;
    assert_eq!(told.status.code(), Some(1));
    let next = "next, as root: apt-get update && apt-get install --no-install-recommends libclang-dev\n";
    assert_eq!(err(&told), format!("missing: libclang\n{next}"));
    assert_eq!(machine.asked(), "");

    // What was installed in vain is not installed for ever.
    let root = machine.run("is_root() { true; }; need native", &[])?;
    assert_eq!(root.status.code(), Some(1));
    assert_eq!(err(&root), format!("missing: libclang\n{next}"));
    let asked = machine.asked();
    assert_eq!(asked.lines().count(), 2, "{asked}");
    assert!(
        asked.starts_with("update ") && asked.ends_with(" install --no-install-recommends libclang-dev\n"),
        "{asked}"
    );
    Ok(())
}

#[test]
fn a_libclang_that_does_not_load_is_none() -> Outcome {
    let machine = Machine::new()?;
    machine.library("libclang-14.so.1", "half a file")?;
    let told = machine.run("is_root() { false; }; need native", &[])?;
    assert_eq!(told.status.code(), Some(1));
    let said = err(&told);
    assert!(said.contains("missing: libclang that works (") && said.contains("libclang-14.so.1"), "{said}");
    assert!(said.ends_with(" libclang-dev\n"), "{said}");

    // Elsewhere than in Debian's folders, nothing that Debian has helps.
    let elsewhere = machine.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    let told = machine.run("is_root() { true; }; need native", &[("LIBCLANG_PATH", &elsewhere)])?;
    let said = err(&told);
    assert_eq!(told.status.code(), Some(1));
    assert!(said.contains("unset LIBCLANG_PATH") && said.contains("elsewhere"), "{said}");
    assert_eq!(machine.asked(), "");
    Ok(())
}

#[test]
fn a_compiler_without_headers_is_none() -> Outcome {
    let machine = Machine::new()?;
    machine
        .program("cc", "echo 'try.c:1:10: fatal error: dlfcn.h: No such file or directory' >&2; exit 1")?;
    let told = machine.run("is_root() { false; }; need native", &[])?;
    let said = err(&told);
    assert!(said.contains("a C compiler that works: try.c:1:10: fatal error: dlfcn.h"), "{said}");
    assert!(said.ends_with("--no-install-recommends gcc libc6-dev libclang-dev\n"), "{said}");
    Ok(())
}

#[test]
fn a_failed_build_is_told_in_a_few_lines() -> Outcome {
    let machine = Machine::new()?;
    let noise = "  cargo:rerun-if-changed=libpg_query/x.c\n".repeat(200);
    let log = format!(
        "   Compiling pg_query v18.1.0\n    Building [====>   ] 12/260: pg_query\r\
         error: failed to run custom build command for `pg_query v18.1.0`\n\nCaused by:\n  \
         process didn't exit successfully: `build-script-build` (exit status: 101)\n  --- stdout\n{noise}\n  \
         --- stderr\n  thread 'main' panicked at bindgen-0.66.1/lib.rs:604:31:\n  Unable to find libclang: \
         \"couldn't find any valid shared libraries matching: ['libclang.so', 'libclang-*.so']\"\n  \
         note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
    );
    fs::write(machine.path().join("log"), log)?;
    let told = machine.run("explain \"$1/log\"", &[])?;
    let said = err(&told);
    assert!(said.contains("Unable to find libclang"), "{said}");
    assert!(said.contains("next: install libclang (Debian: apt-get install libclang-dev)"), "{said}");
    assert!(said.lines().count() < 12 && !said.contains("cargo:") && !said.contains("Building ["), "{said}");
    Ok(())
}

#[test]
fn a_long_command_shows_signs_of_life_and_keeps_its_exit_code() -> Outcome {
    let machine = Machine::new()?;
    // The command ends when it was seen: nothing here depends on how fast this machine is.
    let script = r#"
        code=0
        watched "$1/log" sh -c 'printf "    Building [==>  ] 7/260: pg_query\r"
            until grep -q pg_query "$1/shown"; do sleep 0.1; done; exit 7' sh "$1" >"$1/shown" || code=$?
        cat "$1/shown"
        exit "$code""#;
    let ran = machine.run(&format!("needs_every=1; {script}"), &[])?;
    assert_eq!(ran.status.code(), Some(7), "{}", err(&ran));
    assert!(out(&ran).contains(" s: building 7/260: pg_query\n"), "{}", out(&ran));
    Ok(())
}
