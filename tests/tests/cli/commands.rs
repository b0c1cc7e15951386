//! Commands that are printed are commands that run.

use crate::folder::{Folder, Ran};
use std::fs;
use std::process::Command;
use tsmigrate_tests::program::run_with;

/// A dump with a decision, a missing role, something that is fixed, and a script to run by hand.
const DUMP: &str = "SET default_tablespace = fast;\nCREATE EXTENSION hll;\nCREATE TABLE public.t (u hll);\n\
                    CREATE TABLE public.readings (\"time\" timestamptz NOT NULL, device integer, value float8);\n\
                    CREATE INDEX ON public.readings (\"time\" DESC);\nALTER TABLE public.readings OWNER TO nobody_here;\n";

/// The commands of this program that a text ends with, but for those that need servers.
fn printed(text: &str) -> Vec<String> {
    let behind = text.split("\nnext: ").nth(1).unwrap_or(text);
    let lines = behind.lines().filter_map(|line| {
        let at = line.find("… | tsmigrate ").or_else(|| line.find("tsmigrate "))?;
        line.get(at..).map(str::to_owned)
    });
    lines.filter(|line| !line.contains("tsmigrate migrate ")).collect()
}

/// Runs a printed command as a shell does; what is piped into it comes from a file.
fn shell(folder: &Folder, command: &str, piped: &str) -> Ran {
    let program = tsmigrate_tests::program::path().display().to_string();
    let command =
        command.replace("… |", &format!("cat {piped} |")).replace("tsmigrate ", &format!("{program} "));
    Ran::new(Command::new("sh").args(["-c", &command]).current_dir(folder.0.path()).output().unwrap())
}

/// Runs every command that a text prints. There has to be one that rewrites.
fn all_run(folder: &Folder, text: &str, piped: &str) {
    let commands = printed(text);
    assert!(commands.iter().any(|command| command.contains("tsmigrate rewrite ")), "{text}");
    for command in commands {
        let ran = shell(folder, &command, piped);
        assert!(ran.code < 2, "{command}\n{}", ran.all());
    }
}

#[test]
fn what_check_prints_runs() {
    let folder = Folder::new();
    folder.write("dump.sql", DUMP).write("-dump.sql", DUMP).write("my dump.sql", DUMP);
    for name in ["a", "b"] {
        fs::create_dir(folder.path(name)).unwrap();
        folder.write(&format!("{name}/dump.sql"), DUMP.replace("readings", &format!("readings_{name}")));
    }
    folder.write("ready.sql", "SET default_tablespace = fast;\n");
    for files in [
        &["dump.sql"][..],
        &["my dump.sql"],
        &["--", "-dump.sql"],
        &["a/dump.sql", "b/dump.sql"],
        &["ready.sql"],
    ] {
        let ran = folder.run(&[&["check"], files].concat());
        assert_eq!(ran.code, 1, "{files:?}\n{}", ran.all());
        // Once more: what the first time has written does not stand in the way.
        for _ in 0..2 {
            all_run(&folder, &ran.out, "dump.sql");
        }
        all_run(&folder, &folder.run(&[&["check"], files].concat()).out, "dump.sql");
    }
    let names: Vec<String> = fs::read_dir(folder.path("rewritten"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&"dump.sql".to_owned()) && names.contains(&"dump-2.sql".to_owned()), "{names:?}");
}

#[test]
fn what_check_prints_of_a_pipe_runs() {
    let folder = Folder::new();
    folder.write("piped.sql", DUMP);
    for args in [&["check", "-"][..], &["check", "roles.sql", "-"]] {
        let ran = Ran::new(run_with(&mut folder.command(args), DUMP.as_bytes()).unwrap());
        assert_eq!(ran.code, 1, "{}", ran.all());
        all_run(&folder, &ran.out, "piped.sql");
    }
    assert!(folder.read("rewritten/stdin.sql").contains("readings"));
}

#[test]
fn what_rewrite_prints_runs() {
    let folder = Folder::new();
    folder.write("-dump.sql", DUMP);
    let ran = folder.run(&["rewrite", "-o", "out.sql", "--", "-dump.sql"]);
    let next = printed(&ran.err).pop().unwrap();
    assert_eq!((ran.code, next.as_str()), (1, "tsmigrate check ./-dump.sql"), "{}", ran.all());
    assert_eq!(shell(&folder, &next, "").code, 1);
    // Each command names itself.
    let nothing = Ran::new(folder.command(&["rewrite"]).stdin(std::process::Stdio::null()).output().unwrap());
    assert!(
        nothing.err.contains("next: name the files: tsmigrate rewrite schema.sql -o "),
        "{}",
        nothing.err
    );
    assert_eq!(shell(&folder, &printed(&nothing.err)[0], "").code, 1);
}

#[test]
fn scripts_of_another_dump_are_not_written_over_by_a_printed_command() {
    let folder = Folder::new();
    folder.write("dump.sql", DUMP);
    all_run(&folder, &folder.run(&["check", "dump.sql"]).out, "");
    let first = folder.read("scripts/convert-to-hypertables.sql");
    folder.write("dump.sql", DUMP.replace("readings", "others"));
    let said = folder.run(&["check", "dump.sql"]).out;
    assert!(said.contains(" --scripts scripts-2 "), "{said}");
    all_run(&folder, &said, "");
    assert_eq!(folder.read("scripts/convert-to-hypertables.sql"), first);
    assert!(folder.read("scripts-2/convert-to-hypertables.sql").contains("others"));
}

#[test]
fn what_is_lost_with_a_missing_role_comes_behind_what_keeps_it() {
    let folder = Folder::new();
    folder.write("dump.sql", DUMP);
    let said = folder.run(&["check", "dump.sql"]).out;
    let next = said.split("\nnext: ").nth(1).unwrap();
    let keep = next.find("pg_dumpall --roles-only > roles.sql; tsmigrate check roles.sql dump.sql").unwrap();
    assert!(keep < next.find("or leave out all that is to decide").unwrap(), "{said}");
    // How the next check learns of a role that was created by hand.
    let create = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let words =
        "check with --target, or with its name in existing-roles of tsmigrate.toml: CREATE ROLE nobody_here;";
    assert!(create.contains(words), "{said}");
    folder.write("tsmigrate.toml", "[target]\nexisting-roles = ['nobody_here']\n");
    assert!(!folder.run(&["check", "dump.sql"]).out.contains("nobody_here is missing"));
}
