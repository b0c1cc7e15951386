//! tsmigrate.toml: where it is found, what it changes, and what is wrong in it.

use crate::folder::{Folder, Ran};
use std::fs;

#[test]
fn a_configuration_is_found_above_up_to_the_root_of_the_repository() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("repository/.git")).unwrap();
    fs::create_dir_all(folder.path("repository/db/dumps")).unwrap();
    fs::copy(folder.path("schema.sql"), folder.path("repository/db/dumps/schema.sql")).unwrap();
    let used = |args: &[&str]| {
        let mut command = folder.command(&[&["check", "--format", "json", "schema.sql"], args].concat());
        let ran = Ran::new(command.current_dir(folder.path("repository/db/dumps")).output().unwrap());
        ran.json()["options"]["configuration"].clone()
    };
    folder.write("tsmigrate.toml", "database = 'outside'\n");
    assert_eq!(used(&[]), serde_json::Value::Null);
    folder.write("repository/tsmigrate.toml", "database = 'root'\n");
    assert_eq!(used(&[]), "../../tsmigrate.toml");
    folder.write("repository/db/tsmigrate.toml", "database = 'nearer'\n");
    assert_eq!(used(&[]), "../tsmigrate.toml");
    assert_eq!(used(&["--no-config"]), serde_json::Value::Null);
    assert_eq!(used(&["--config", "../../tsmigrate.toml"]), "../../tsmigrate.toml");
}

#[test]
fn a_configuration_changes_what_counts_and_what_the_target_takes() {
    let folder = Folder::new();
    let counts = |args: &[&str]| {
        let ran = folder.run(&[&["check", "--format", "json", "roles.sql", "schema.sql"], args].concat());
        (ran.code, ran.json()["counts"].clone(), ran.json()["verdict"].clone())
    };
    let (_, plain, _) = counts(&[]);
    assert_eq!((&plain["error"], &plain["unsolved"]), (&13.into(), &4.into()));
    folder.write("tsmigrate.toml", "[severity]\n'EXT-*' = 'note'\nDEP-01 = 'warning'\n");
    let (code, lowered, verdict) = counts(&[]);
    assert_eq!(
        (code, &lowered["unsolved"], verdict),
        (1, &0.into(), "ready-after-rewrite".into()),
        "{lowered}"
    );
    assert!(lowered["lowered"].as_u64() > Some(0), "{lowered}");
    insta::assert_snapshot!("configured", folder.run(&["check", "roles.sql", "schema.sql"]).all());
    // The rewrite is the same, but for those that are off.
    let rewritten = |args: &[&str]| {
        folder.run(&[&["rewrite", "-q", "--with", "roles.sql", "schema.sql"], args].concat()).out
    };
    assert_eq!(rewritten(&[]), rewritten(&["--no-config"]));
    folder.write("tsmigrate.toml", "[severity]\n'TSP-*' = 'off'\n");
    assert!(!rewritten(&["--no-config"]).contains("SET default_tablespace = fast_ssd;"));
    assert!(rewritten(&[]).contains("SET default_tablespace = fast_ssd;"));
    // What the target is known to take needs no change.
    folder.write("tsmigrate.toml", "[target]\nextensions = { add = ['hll'] }\n");
    assert_eq!(counts(&[]).1["unsolved"], 0);
    folder.write("tsmigrate.toml", "[target.extensions]\nreplace = ['hll']\nremove = ['plpgsql']\n");
    assert_eq!(counts(&[]).1["unsolved"], 0);
    // A role that the service has is not made.
    let made = "CREATE ROLE app;";
    assert!(folder.read("roles.sql").contains(made));
    folder.write("tsmigrate.toml", "[target]\nreserved-roles = ['app']\n");
    let roles = folder.run(&["rewrite", "-q", "roles.sql"]).out;
    assert!(roles.contains(&format!("-- {made}")), "{roles}");
    // The command line's word counts more; what is accepted adds up.
    folder.write("tsmigrate.toml", "accept = ['EXT-01']\ndatabase = 'a'\n[target]\nversion = 16\n");
    let shown =
        folder.run(&["check", "--show-config", "--target-version=18", "--database=b", "--accept=dep-01"]);
    insta::assert_snapshot!("show_config", shown.all());
    // What is printed can be read.
    folder.write("tsmigrate.toml", &shown.out);
    let again = folder.run(&["check", "--show-config"]);
    assert_eq!(again.out, shown.out);
}

#[test]
fn a_mistake_in_the_configuration_is_shown_with_its_place() {
    let folder = Folder::new();
    let mut said = String::new();
    for text in [
        "acept = []",
        "[severity]\nTSP-3 = 'note'",
        "[severity]\n'HTT-*' = 'note'",
        "[severity]\nTSP-03 = 'warn'",
        "[severity]\nTSP-03 = 1",
        "[severity]\nDB-02 = 'off'",
        "severity = 'note'",
        "accept = [\n  'EXT-01',\n  'EXT-O2',\n]",
        "accept = 'EXT-01'",
        "database = ''",
        "[target]\nversion = 14",
        "[target]\nversion = '17'",
        "[target]\nfile = 'nowhere.json'",
        "[target]\nextensions = ['hll']",
        "[target.extensions]\nadd = ['hll']\nremove = ['hll']",
        "[target]\nreserved_roles = ['app']",
        "[target]\nentirely-different = 1",
        "database = 'a'\ndatabase = 'b'",
        "[severity\nTSP-03 = 'note'",
    ] {
        folder.write("tsmigrate.toml", format!("# ours\n{text}\n"));
        let ran = folder.run(&["check", "schema.sql"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text}\n{}", ran.all());
        said += &format!("$ cat tsmigrate.toml\n# ours\n{text}\n{}\n", ran.err);
    }
    insta::assert_snapshot!("misconfigured", said);
    folder.write("tsmigrate.toml", b"accept = ['\xff']");
    assert_eq!(folder.run(&["check", "schema.sql"]).code, 2);
    assert_eq!(folder.run(&["check", "--no-config", "schema.sql"]).code, 1);
    assert_eq!(folder.run(&["check", "--config", "missing.toml", "schema.sql"]).code, 2);
    assert_eq!(folder.run(&["check", "--config", "tsmigrate.toml", "--no-config", "schema.sql"]).code, 2);
}
