//! What all commands share, and those that read no dump.

use crate::folder::{Folder, Ran};
use std::process::Command;

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::new();
    let plain = folder.run(&["check", "schema.sql"]);
    assert!(!plain.out.contains('\u{1b}'));
    let always = folder.run(&["check", "--color", "always", "schema.sql"]);
    assert!(always.out.contains("\u{1b}["));
    let on_terminal = |set: &[(&str, &str)]| {
        let command = format!("{} check schema.sql", tsmigrate_tests::program::path().display());
        let test = "colours_are_for_terminals";
        tsmigrate_tests::program::on_terminal(test, &command, folder.0.path(), set).unwrap()
    };
    let Some(shown) = on_terminal(&[]) else { return };
    assert!(shown.contains("\u{1b}["), "{shown}");
    assert!(!on_terminal(&[("NO_COLOR", "1")]).unwrap().contains("\u{1b}["));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    folder.write("many.sql", "SET default_tablespace = a;\n".repeat(4000));
    let shell = |command: &str| {
        let command = command.replace("tsmigrate", &tsmigrate_tests::program::path().display().to_string());
        let mut shell = Command::new("sh");
        Ran::new(shell.args(["-c", &command]).current_dir(folder.0.path()).output().unwrap())
    };
    for command in [
        "tsmigrate check --all many.sql | head -1",
        "tsmigrate check --format json many.sql | head -1",
        "tsmigrate rewrite -q many.sql | head -1",
        "tsmigrate rules | head -1",
    ] {
        assert_eq!(shell(command).err, "", "{command}");
    }
    // The status is still that of what was found.
    let status = shell("{ tsmigrate rewrite -q many.sql; echo $? >&3; } 3>status | head -1; cat status");
    assert!(status.out.ends_with("\n0\n"), "{status:?}");
}

#[test]
fn rules_are_listed_and_explained() {
    let folder = Folder::new();
    let list = folder.run(&["rules"]);
    assert_eq!(list.code, 0);
    for rule in tsmigrate_analyzer::rules::all() {
        assert!(list.out.contains(rule.id) && list.out.contains(rule.name), "{}", rule.id);
    }
    insta::assert_snapshot!("rule", folder.run(&["rules", "default-tablespace"]).all());
    let family = folder.run(&["rules", "own-*", "--format", "json"]).json();
    let ids = |list: &serde_json::Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(ids(&family).len() > 3 && ids(&family).iter().all(|id| id.starts_with("OWN-")), "{family}");
    assert!(
        ids(&folder.run(&["rules", "*default-table*", "--format", "json"]).json()).contains(&"TSP-03".into())
    );
    assert_eq!(folder.run(&["rules", "ZZ-*"]).code, 2);
    let json = folder.run(&["rules", "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), tsmigrate_analyzer::rules::all().count());
    let page = folder.run(&["rules", "--format", "markdown"]);
    assert_eq!(page.out, tsmigrate_analyzer::rules::markdown());
    let one = folder.run(&["rules", "TSP-03", "--format", "markdown"]);
    assert!(one.all().contains("leave RULE out"), "{}", one.all());
    let unknown = folder.run(&["rules", "TSP-3"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("did you mean TSP-03?"), "{}", unknown.err);
}

#[test]
fn a_dump_cannot_steer_the_terminal() {
    let folder = Folder::new();
    folder.write(
        "evil.sql",
        "SET default_tablespace = \"a\u{1b}]0;owned\u{7}\u{1b}[2Jb\";\nSELEC '\u{1b}[31m';\n",
    );
    for args in [&["check", "evil.sql"][..], &["rewrite", "evil.sql", "-o", "out.sql"]] {
        let ran = folder.run(args);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{}", ran.all());
    }
}

#[test]
fn the_schema_of_reports_is_printed() {
    let schema = Folder::new().run(&["schema"]);
    assert_eq!((schema.code, schema.err.as_str()), (0, ""));
    assert_eq!(schema.json()["title"], "A report of tsmigrate");
}
