//! Inputs that are refused, and one that is piped in.

use crate::folder::{Folder, Ran};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tsmigrate_tests::program::run_with;

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
        .write("blank.sql", "\n\n")
        .write(
            "mysql.sql",
            "-- MySQL dump 10.13\n\nCREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB;\n",
        )
        .write("tables.json", "{\n  \"tables\": []\n}\n")
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
        &["mysql.sql"],
        &["tables.json"],
        &["string.sql"],
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
fn a_named_pipe_is_opened_once() {
    let folder = Folder::new();
    let (pipe, schema) = (folder.path("pipe"), folder.read("schema.sql"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for args in [&["check", "pipe"][..], &["rewrite", "pipe", "-o", "rewritten.sql"]] {
        let (to, text) = (pipe.clone(), schema.clone());
        let writer = std::thread::spawn(move || fs::write(to, text));
        let mut child = folder.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.is_some(), "{args:?} waits for a second writer");
        writer.join().unwrap().unwrap();
    }
}

#[test]
fn a_database_that_no_dump_has_is_not_kept() {
    let folder = Folder::new();
    let cluster = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/dumps/cluster-15.sql");
    for command in ["check", "rewrite"] {
        let ran = folder.run(&[command, cluster, "--database", "nope"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.all());
        assert!(ran.err.contains("no dump has a database nope"), "{}", ran.err);
        assert!(ran.err.contains("name one of these: postgres, shop, template1"), "{}", ran.err);
    }
    // A dump of one database does not say its name.
    assert_eq!(folder.run(&["check", "schema.sql", "--database", "any"]).code, 1);
}

#[test]
fn an_archive_of_a_cluster_is_refused_with_the_command_that_makes_text_of_it() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("all")).unwrap();
    folder.write("all/toc.glo", b"PGDMP\x01\x11\x00\x04\x08\x05").write("all/map.dat", "16384 shop\n");
    for (name, command) in [("all", "check"), ("all/toc.glo", "check"), ("all", "rewrite")] {
        let ran = folder.run(&[command, name]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        let said = ["pg_dumpall of PostgreSQL 19", "pg_restore --create --file=dump.sql all"];
        assert!(said.iter().all(|words| ran.err.contains(words)), "{}", ran.err);
    }
    let ran =
        folder.run(&["restore", "all", "--target", "postgres://nobody@127.0.0.1:1/x", "--work-dir", "wd"]);
    let all = ran.all();
    assert!(ran.code == 2 && all.contains("pg_dumpall of PostgreSQL 19"), "{all}");
}
