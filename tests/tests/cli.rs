//! The command line as people meet it: texts, exit statuses, and that nothing is written where it should not be.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::naive_bytecount,
    clippy::similar_names,
    clippy::format_push_string
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tsmigrate_tests::program::{program, run_with};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cli");

/// A directory with the fixtures in it, gone at the end of the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["roles.sql", "schema.sql"] {
            fs::copy(Path::new(FIXTURES).join(name), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.0.path()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::new(self.command(args).output().unwrap())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn all(&self) -> String {
        format!(
            "exit status {}\n---- standard output\n{}---- standard error\n{}",
            self.code, self.out, self.err
        )
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.all()))
    }
}

#[test]
fn check_explains_what_it_found() {
    let ran = Folder::new().run(&["check", "roles.sql", "schema.sql"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("check", ran.all());
}

#[test]
fn check_groups_what_is_found_many_times() {
    let folder = Folder::new();
    folder.write("many.sql", "SET default_tablespace = a;\n".repeat(40));
    let ran = folder.run(&["check", "many.sql"]);
    insta::assert_snapshot!("check_many", ran.all());
    let all = folder.run(&["check", "--all", "many.sql"]);
    assert_eq!(all.out.matches("error[TSP-03] default-tablespace").count(), 40);
}

#[test]
fn a_dump_that_restores_as_it_is_is_ready() {
    let folder = Folder::new();
    let ran = folder.write("a.sql", "CREATE TABLE public.a (b integer);\n").run(&["check", "a.sql"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    insta::assert_snapshot!("check_ready", ran.all());
}

#[test]
fn a_gate_fails_on_what_it_is_asked_to_fail_on() {
    let folder = Folder::new();
    folder.write("ready.sql", "CREATE TABLE public.a (b integer);\n");
    folder.write(
        "warning.sql",
        "GRANT CONNECT ON DATABASE template1 TO PUBLIC;\nCREATE TABLE public.a (b integer);\n",
    );
    folder.write("solved.sql", "SET default_tablespace = fast;\nCREATE TABLE public.a (b integer);\n");
    folder.write("decision.sql", "CREATE FUNCTION public.f() RETURNS integer LANGUAGE c AS 'mylib', 'f';\n");
    let codes = |what: &str| {
        ["ready.sql", "warning.sql", "solved.sql", "decision.sql"]
            .map(|name| folder.run(&["check", "--quiet", "--fail-on", what, name]).code)
    };
    assert_eq!(codes("error"), [0, 0, 1, 1]);
    assert_eq!(codes("decision"), [0, 0, 0, 1]);
    assert_eq!(codes("warning"), [0, 1, 1, 1]);
    assert_eq!(codes("never"), [0, 0, 0, 0]);
    // A check that cannot be made is no check.
    assert_eq!(folder.run(&["check", "--fail-on", "never", "missing.sql"]).code, 2);
}

#[test]
fn the_json_report_has_every_field() {
    let ran = Folder::new().run(&["check", "--format", "json", "roles.sql", "schema.sql"]);
    let report = ran.json();
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let shape = serde_json::json!({
        "keys": keys(&report),
        "finding keys": keys(&report["findings"][0]),
        "counts": report["counts"],
        "inputs": report["inputs"],
        "verdict": report["verdict"],
        "lost": report["lost"],
        "an edit": report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "TSP-03"),
        "a dependent": report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "DEP-01"),
    });
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&shape).unwrap());
    // In the order of the inputs and of their bytes.
    let places: Vec<(usize, u64)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (usize::from(f["file"] != "roles.sql"), f["span"]["start"].as_u64().unwrap()))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    // The bytes that a span names are the dump's.
    let text = Folder::new().read("schema.sql");
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "TSP-03").unwrap();
    let at = |end: &str| usize::try_from(finding["span"][end].as_u64().unwrap()).unwrap();
    assert_eq!(&text[at("start")..at("end")], "fast_ssd");
}

#[test]
fn owners_are_known_from_the_roles_that_come_with_the_schema() {
    let folder = Folder::new();
    let owners = |args: &[&str]| {
        let report = folder.run(args).json();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|f| f["rule"] == "OWN-01" && f["solved"] == true).count()
    };
    let alone = owners(&["check", "--format", "json", "schema.sql"]);
    let together = owners(&["check", "--format", "json", "roles.sql", "schema.sql"]);
    assert!(together > alone, "{together} {alone}");
}

#[test]
fn secrets_are_never_shown_by_check() {
    let folder = Folder::new();
    folder.write(
        "secrets.sql",
        "ALTER ROLE app WITH SUPERUSER PASSWORD 'geheim1';\nALTER ROLE app WITH PASSWORD 'geheim2' SUPERUSER\n;\n\
         ALTER ROLE app PASSWORT 'x' PASSWORD 'geheim3';\n\
         CREATE SUBSCRIPTION s CONNECTION 'host=h password=geheim4' PUBLICATION p;\n\
         CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'u', password 'geheim5');\n",
    );
    for format in ["text", "json"] {
        let ran =
            folder.run(&["check", "--all", "--format", format, "roles.sql", "schema.sql", "secrets.sql"]);
        for secret in ["geheim", "SCRAM-SHA-256", "c3RvcmVk"] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{secret}\n{}", ran.all());
        }
    }
    let ran = folder.run(&["rewrite", "roles.sql", "-o", "out.sql"]);
    assert!(!ran.err.contains("SCRAM"), "{}", ran.err);
    assert!(folder.read("out.sql").contains("SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:a2V5a2V5"));
}

#[test]
fn input_that_is_no_whole_dump_is_refused_and_nothing_is_written() {
    let folder = Folder::new();
    let schema = folder.read("schema.sql");
    let utf16: Vec<u8> = schema.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let half = schema.split("2024-05-02").next().unwrap();
    folder
        .write("empty.sql", "")
        .write("custom.dump", b"PGDMP\x01\x10\x00\x04\x08\x01\x01\x01\0\0\0\0")
        .write("dump.sql.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")
        .write("utf16.sql", [b"\xff\xfe".as_slice(), &utf16].concat())
        .write("half.sql", half)
        .write("string.sql", "SELECT 'it ends here")
        .write("deep.sql", format!("SELECT {}1{};\n", "(".repeat(10_000), ")".repeat(10_000)))
        .write("blank.sql", "\n\n")
        .write("before.sql", "an older output");
    fs::create_dir(folder.path("folder")).unwrap();
    fs::create_dir(folder.path("dumpdir")).unwrap();
    fs::write(folder.path("dumpdir/toc.dat"), "PGDMP").unwrap();
    fs::create_dir(folder.path("same")).unwrap();
    fs::copy(folder.path("schema.sql"), folder.path("same/schema.sql")).unwrap();
    fs::hard_link(folder.path("schema.sql"), folder.path("linked.sql")).unwrap();
    let before = folder.names();

    let mut said = String::new();
    let inputs: &[&[&str]] = &[
        &["missing.sql"],
        &["empty.sql"],
        &["blank.sql"],
        &["custom.dump"],
        &["dump.sql.gz"],
        &["dumpdir"],
        &["folder"],
        &["utf16.sql"],
        &["half.sql"],
        &["string.sql"],
        &["deep.sql"],
        // A file that can be opened and not read, also by root.
        &["/proc/self/mem"],
        &["schema.sql", "schema.sql"],
        &["schema.sql", "linked.sql"],
        &["schema.sql", "--accept", "TSP-3"],
        &["schema.sql", "--accept", "nonsense-without-likeness"],
        &["schema.sql", "--target-file", "schema.sql"],
        &["schema.sql", "--target-file", "nowhere.json"],
    ];
    for args in inputs {
        for command in
            [&["check"][..], &["rewrite", "--output-dir", "folder"], &["rewrite", "-o", "before.sql"]]
        {
            if command.contains(&"-o") && args.iter().filter(|arg| arg.contains("sql")).count() > 1 {
                continue;
            }
            let ran = folder.run(&[command, *args].concat());
            assert_eq!(ran.code, 2, "{command:?} {args:?}\n{}", ran.all());
            assert_eq!(ran.out, "", "{command:?} {args:?}");
            if command == ["check"] {
                said += &format!("$ tsmigrate check {}\n{}\n", args.join(" "), ran.err);
            }
        }
    }
    let outputs: &[&[&str]] = &[
        &["schema.sql", "-o", "schema.sql"],
        &["schema.sql", "-o", "linked.sql"],
        &["schema.sql", "-o", "folder"],
        &["schema.sql", "-o", "nowhere/out.sql"],
        &["schema.sql", "--log", "roles.sql", "--with", "roles.sql"],
        &["schema.sql", "-o", "x.sql", "--log", "x.sql"],
        &["schema.sql", "--output-dir", "roles.sql"],
        &["schema.sql", "--output-dir", "."],
        &["schema.sql", "same/schema.sql", "--output-dir", "folder"],
        &["roles.sql", "schema.sql"],
    ];
    for args in outputs {
        let ran = folder.run(&[&["rewrite"], *args].concat());
        assert_eq!(ran.code, 2, "{args:?}\n{}", ran.all());
        assert_eq!(ran.out, "", "{args:?}");
        said += &format!("$ tsmigrate rewrite {}\n{}\n", args.join(" "), ran.err);
    }
    insta::assert_snapshot!("refused", said);

    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("before.sql"), "an older output");
    assert_eq!(folder.read("schema.sql"), schema);
    assert_eq!(fs::read_dir(folder.path("folder")).unwrap().count(), 0);
}

#[test]
fn a_dump_that_is_piped_in_is_read_once_for_check_and_kept_for_rewrite() {
    let folder = Folder::new();
    let schema = folder.read("schema.sql");
    let check = Ran::new(run_with(&mut folder.command(&["check", "-"]), schema.as_bytes()).unwrap());
    assert_eq!((check.code, check.err.as_str()), (1, ""));
    let piped = Ran::new(run_with(&mut folder.command(&["rewrite", "-"]), schema.as_bytes()).unwrap());
    let named = folder.run(&["rewrite", "schema.sql"]);
    assert_eq!(piped.out, named.out);
    assert!(piped.err.contains("standard input: cannot be read twice"), "{}", piped.err);
    // A file on standard input can be read twice.
    let file = fs::File::open(folder.path("schema.sql")).unwrap();
    let redirected = Ran::new(folder.command(&["rewrite", "-"]).stdin(file).output().unwrap());
    assert_eq!(redirected.out, named.out);
    assert!(!redirected.err.contains("cannot be read twice"));
    // Half a dump gives no output at all.
    let half = schema.split("2024-05-02").next().unwrap();
    let ran = Ran::new(run_with(&mut folder.command(&["rewrite", "-"]), half.as_bytes()).unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
}

#[test]
fn rewrite_says_what_it_changed_and_what_is_left() {
    let folder = Folder::new();
    let ran = folder.run(&["rewrite", "--with", "roles.sql", "schema.sql", "-o", "out.sql"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("rewrite", format!("{}---- out.sql\n{}", ran.all(), folder.read("out.sql")));
    assert_eq!(folder.names(), ["out.sql", "roles.sql", "schema.sql"]);

    let quiet =
        folder.run(&["rewrite", "--quiet", "--accept", "ext-01", "--with", "roles.sql", "schema.sql"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""), "{}", quiet.all());
    // The rows of a table that is left out go with it.
    assert!(quiet.out.contains("-- 2024-05-01\t"), "{}", quiet.out);
    let deleted = folder.run(&[
        "rewrite",
        "-q",
        "--delete-removed",
        "--accept=EXT-01",
        "--with=roles.sql",
        "schema.sql",
    ]);
    assert!(!deleted.out.contains("visitors (") && !deleted.out.contains("2024-05-01\t"), "{}", deleted.out);
}

#[test]
fn rewritten_files_pass_the_check() {
    let folder = Folder::new();
    let files = ["roles.sql", "schema.sql"];
    let ran = folder.run(&[&["rewrite", "--accept", "EXT-01", "--output-dir", "new"][..], &files].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let again = folder.run(&["check", "--format", "json", "new/roles.sql", "new/schema.sql"]);
    assert_eq!(again.json()["counts"]["unsolved"], 0, "{}", again.out);
}

#[test]
fn the_output_directory_is_created_and_goes_again_where_nothing_is_written() {
    let folder = Folder::new();
    folder.write("half.sql", folder.read("schema.sql").split("2024-05-02").next().unwrap());
    let before = folder.names();
    let refused: &[&[&str]] = &[
        // Found before anything is read, and after.
        &["schema.sql", "./schema.sql", "--output-dir", "new/deep"],
        &["half.sql", "--output-dir", "new/deep"],
    ];
    for args in refused {
        let ran = folder.run(&[&["rewrite"], *args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.all());
        assert_eq!(folder.names(), before, "{args:?}");
    }
    let args = [
        "rewrite",
        "roles.sql",
        "schema.sql",
        "--output-dir",
        "new/deep",
        "--report",
        "new/deep/report.html",
    ];
    let ran = folder.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.all());
    for name in ["roles.sql", "schema.sql", "report.html"] {
        assert!(folder.path("new/deep").join(name).is_file(), "{name}: {}", ran.all());
    }
}

#[test]
fn the_log_has_every_change() {
    let folder = Folder::new();
    folder.write("many.sql", "SET default_tablespace = a;\n".repeat(40));
    let ran = folder.run(&["rewrite", "many.sql", "-o", "out.sql"]);
    assert!(ran.err.contains("… and 30 more TSP-03"), "{}", ran.err);
    let ran = folder.run(&["rewrite", "many.sql", "-o", "out.sql", "--log", "log.txt"]);
    assert_eq!(ran.code, 0);
    assert_eq!(folder.read("log.txt").lines().count(), 40);
    let ran = folder.run(&["rewrite", "many.sql", "-o", "out.sql", "--log", "stderr"]);
    assert_eq!(ran.err.matches("many.sql:").count(), 40);
}

#[test]
fn patch_makes_the_rewritten_dump_of_the_diff() {
    let folder = Folder::new();
    let diff = folder.run(&["rewrite", "--quiet", "--diff", "roles.sql", "schema.sql"]);
    insta::assert_snapshot!("diff", diff.out);
    // Secrets are masked in it, so that patch cannot place those lines: here without them.
    let open =
        |line: &str| line.split_once(" PASSWORD '").map_or(line.to_owned(), |(line, _)| format!("{line};"));
    let roles: Vec<String> = folder.read("roles.sql").lines().map(open).collect();
    folder.write("roles.sql", roles.join("\n") + "\n");
    let diff = folder.run(&["rewrite", "--quiet", "--diff", "roles.sql", "schema.sql"]);
    folder.run(&["rewrite", "roles.sql", "schema.sql", "--output-dir", "new"]);
    folder.write("diff", &diff.out);
    let mut patch = Command::new("patch");
    patch.args(["-p0", "--fuzz=0", "--quiet", "-i", "diff"]).current_dir(folder.0.path());
    let Ok(status) = patch.status() else {
        tsmigrate_tests::lab::skipped("patch_makes_the_rewritten_dump_of_the_diff", "patch is missing");
        return;
    };
    assert!(status.success());
    for name in ["roles.sql", "schema.sql"] {
        assert_eq!(folder.read(name), folder.read(&format!("new/{name}")));
    }
}

#[test]
fn an_output_keeps_who_may_read_it_and_a_link_stays_a_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = Folder::new();
    let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(folder.path("roles.sql"), fs::Permissions::from_mode(0o600)).unwrap();
    folder.run(&["rewrite", "roles.sql", "-o", "out.sql"]);
    assert_eq!(mode("out.sql"), 0o600);
    symlink("out.sql", folder.path("link.sql")).unwrap();
    folder.run(&["rewrite", "roles.sql", "-o", "link.sql", "--delete-removed"]);
    assert!(fs::symlink_metadata(folder.path("link.sql")).unwrap().is_symlink());
    // What is no file is written as it is.
    let ran = folder.run(&["rewrite", "-q", "roles.sql", "-o", "/dev/stdout", "--delete-removed"]);
    assert_eq!(ran.out, folder.read("out.sql"));
}

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::new();
    let plain = folder.run(&["check", "schema.sql"]);
    assert!(!plain.out.contains('\u{1b}'));
    let always = folder.run(&["check", "--color", "always", "schema.sql"]);
    assert!(always.out.contains("\u{1b}["));
    // What script(1) runs has a terminal.
    let on_terminal = |set: &[(&str, &str)]| {
        let program = tsmigrate_tests::program::path().display();
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{program} check schema.sql"), "/dev/null"]);
        script.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CI").envs(set.iter().copied());
        let output = script.current_dir(folder.0.path()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Ok(shown) = on_terminal(&[]) else { return };
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

#[test]
fn what_a_comment_allows_is_shown_and_does_not_count() {
    let folder = Folder::new();
    folder.write(
        "allowed.sql",
        "-- tsmigrate: allow TSP-03 made by the hoster\nSET default_tablespace = fast;\n\
         CREATE EXTENSION dblink; -- tsmigrate: allow EXT-01 enabled by support\n",
    );
    insta::assert_snapshot!("allowed", folder.run(&["check", "allowed.sql"]).all());
    let ran = folder.run(&["rewrite", "allowed.sql"]);
    assert_eq!((ran.code, ran.out), (0, folder.read("allowed.sql")));
}

#[test]
fn a_report_goes_to_files_in_the_format_of_their_names() {
    let folder = Folder::new();
    let ran = folder.run(&[
        "check",
        "roles.sql",
        "schema.sql",
        "-o",
        "a.html",
        "--report",
        "b.sarif",
        "--report",
        "markdown=summary",
        "--report",
        "c.json",
        "--report",
        "d.txt",
        "--report",
        "github=/dev/null",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.all());
    assert!(ran.err.contains("wrote a.html") && ran.err.contains("Needs work: "), "{}", ran.err);
    assert!(folder.read("a.html").starts_with("<!doctype html>"));
    assert!(folder.read("b.sarif").contains("\"version\":\"2.1.0\""));
    assert!(folder.read("summary").starts_with("## "));
    assert_eq!(
        folder.read("c.json"),
        folder.run(&["check", "--format", "json", "roles.sql", "schema.sql"]).out
    );
    assert_eq!(folder.read("d.txt"), folder.run(&["check", "roles.sql", "schema.sql"]).out);
    let ran = folder.run(&["rewrite", "schema.sql", "-o", "out.sql", "-q", "--report", "of-rewrite.html"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.all());
    assert!(folder.read("of-rewrite.html").starts_with("<!doctype html>"));

    let before = folder.names();
    let mut said = String::new();
    for args in [
        &["check", "schema.sql", "--format", "pdf"][..],
        &["check", "schema.sql", "--report", "a.pdf"],
        &["check", "schema.sql", "-o", "schema.sql"],
        &["check", "schema.sql", "--report", "html=schema.sql"],
        &["check", "schema.sql", "--report", "nowhere/a.html"],
        &["check", "schema.sql", "-o", "x.html", "--report", "x.html"],
        &["check", "schema.sql", "--format", "sarif", "--max-findings", "3"],
        &["check", "schema.sql", "--format", "html", "--quiet"],
        &["check", "schema.sql", "--force"],
        &["check", "schema.sql", "--scripts", "roles.sql"],
        &["rewrite", "schema.sql", "-o", "x.sql", "--report", "json=x.sql"],
    ] {
        let ran = folder.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}\n{}", ran.all());
        said += &format!("$ tsmigrate {}\n{}\n", args.join(" "), ran.err);
    }
    insta::assert_snapshot!("report_refused", said);
    assert_eq!(folder.names(), before);
}

#[test]
fn the_verdict_alone_is_one_line_and_nothing_where_all_is_well() {
    let folder = Folder::new();
    let ran = folder.run(&["check", "--quiet", "roles.sql", "schema.sql"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert_eq!(ran.out, "Needs work: 4 errors remain that the rewrite does not solve by itself.\n");
    let ran = folder.write("a.sql", "CREATE TABLE public.a (b integer);\n").run(&["check", "-q", "a.sql"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn fewer_findings_are_shown_and_all_are_counted() {
    let folder = Folder::new();
    let all = folder.run(&["check", "roles.sql", "schema.sql"]);
    let few = folder.run(&["check", "--max-findings", "2", "roles.sql", "schema.sql"]);
    let errors = |text: &str| text.matches("\nerror[").count() + usize::from(text.starts_with("error["));
    assert_eq!(errors(&few.out), 2, "{}", few.out);
    let counts =
        |text: &str| text.lines().find(|line| line.contains(" solved by the rewrite, ")).map(str::to_owned);
    assert!(few.out.contains(" more findings\n") && counts(&few.out).is_some());
    assert_eq!(counts(&few.out), counts(&all.out));
}

#[test]
fn the_schema_of_reports_is_printed() {
    let schema = Folder::new().run(&["schema"]);
    assert_eq!((schema.code, schema.err.as_str()), (0, ""));
    assert_eq!(schema.json()["title"], "A report of tsmigrate");
}

#[test]
fn a_fix_that_is_left_is_not_applied_and_its_statement_stays_an_error() {
    let folder = Folder::new();
    folder.write("small.sql", "SET default_tablespace = fast;\nSET default_tablespace = slow;\n");
    let all = folder.run(&["rewrite", "small.sql", "--quiet"]);
    assert_eq!(all.code, 0, "{}", all.err);
    let left = folder.run(&["rewrite", "small.sql", "--quiet", "--leave", "TSP-03@small.sql:2"]);
    assert_eq!(left.code, 1, "{}", left.err);
    assert!(left.out.contains("\nSET default_tablespace = slow;"), "{}", left.out);
    assert!(!left.out.contains("\nSET default_tablespace = fast;"), "{}", left.out);
    let said = folder.run(&["check", "small.sql", "--leave", "default-tablespace@2"]);
    assert!(said.out.contains("(left, as --leave says)"), "{}", said.out);
    let wrong = folder.run(&["check", "small.sql", "--leave", "TSP-03@here"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("RULE@FILE:LINE"), "{}", wrong.err);
}
