//! What `check` says, and in which form.

use crate::folder::Folder;

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
    assert!(ran.err.contains("wrote a.html") && ran.err.contains("Needs "), "{}", ran.err);
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
    assert_eq!(ran.out, "Needs 1 decision: 4 errors remain that the rewrite does not fix by itself.\n");
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
        |text: &str| text.lines().find(|line| line.contains(" fixed by the rewrite, ")).map(str::to_owned);
    assert!(few.out.contains(" more findings\n") && counts(&few.out).is_some());
    assert_eq!(counts(&few.out), counts(&all.out));
}

#[test]
fn rules_are_ignored_and_selected_but_for_those_that_must_be_known() {
    let folder = Folder::new();
    folder.write("a.sql", "SET default_tablespace = fast;\nCREATE EXTENSION dblink;\nSELEC 1;\n");
    let rules = |args: &[&str]| {
        let report = folder.run(&[&["check", "a.sql", "--format", "json"], args].concat()).json();
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(rules(&[]), "TSP-03 EXT-01 IN-10");
    assert_eq!(rules(&["--ignore", "TSP-*,unsupported-extension"]), "IN-10");
    assert_eq!(rules(&["--ignore", "IN-*"]), "TSP-03 EXT-01 IN-10");
    assert_eq!(rules(&["--select", "EXT-01"]), "EXT-01 IN-10");
    assert_eq!(rules(&["--select", "EXT-*", "--ignore", "EXT-01"]), "IN-10");
    for (args, why) in [
        (["--ignore", "IN-10"], "IN-10 cannot be off"),
        (["--ignore", "DB-02"], "DB-02 cannot be off"),
        (["--ignore", "TSP-3"], "did you mean TSP-03?"),
        (["--select", "nonsense"], "there is no rule nonsense"),
        (["--ignore", "*"], "* is all of them"),
    ] {
        let ran = folder.run(&[&["check", "a.sql"][..], &args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(why) && ran.err.contains(args[0]), "{}", ran.err);
    }
    let family = folder.run(&["check", "a.sql", "--ignore", "IN-*"]);
    assert!(family.err.contains("--ignore IN-*: IN-10 stays on"), "{}", family.err);
    // Nothing is left where the rule has found nothing.
    let left = folder.run(&["check", "a.sql", "--leave", "TSP-03@999", "--leave", "TSP-03@1"]);
    assert_eq!(left.err, "--leave TSP-03@999: this rule has found nothing there, so nothing is left\n");
    // What is said to be done next is done with the same rules.
    let said = folder.run(&["check", "a.sql", "--ignore", "EXT-*"]).out;
    assert!(said.contains(" --ignore 'EXT-*'"), "{said}");
}

#[test]
fn gitlab_gets_every_finding_with_a_fingerprint_that_stays() {
    let folder = Folder::new();
    let line = "SET default_tablespace = fast;\n";
    folder.write(
        "a.sql",
        format!("{line}{line}SELEC 1;\nCREATE TABLE t (a int); -- tsmigrate: allow HT-* x\n"),
    );
    let issues = || {
        let ran = folder.run(&["check", "a.sql", "--format", "gitlab"]);
        assert_eq!(ran.code, 1);
        ran.json().as_array().unwrap().clone()
    };
    let first = issues();
    let fields = |issue: &serde_json::Value| {
        let text = |key: &str| issue[key].as_str().unwrap().to_owned();
        (text("check_name"), text("severity"), issue["location"]["lines"]["begin"].as_u64().unwrap())
    };
    let all: Vec<_> = first.iter().map(fields).filter(|(_, severity, _)| severity != "info").collect();
    assert_eq!(
        all,
        [
            ("TSP-03".to_owned(), "major".to_owned(), 1),
            ("TSP-03".to_owned(), "major".to_owned(), 2),
            ("IN-10".to_owned(), "critical".to_owned(), 3)
        ]
    );
    assert_eq!(first[0]["location"]["path"], "a.sql");
    let prints = |issues: &[serde_json::Value]| {
        issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = prints(&first);
    assert_eq!(before.iter().collect::<std::collections::BTreeSet<_>>().len(), before.len());
    folder.write("a.sql", format!("\n\n-- moved\n{}", folder.read("a.sql")));
    assert_eq!(prints(&issues()), before);
    folder.write("a.sql", "SELECT 1;\n");
    assert_eq!(folder.run(&["check", "a.sql", "--format", "gitlab"]).out, "[]\n");
}
