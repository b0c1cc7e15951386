//! What `rewrite` writes, and where.

use crate::folder::Folder;
use std::fs;
use std::process::Command;

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
