//! Schemas that move into other names.

use tsmigrate_tests::program::run_with;

use crate::folder::{Folder, Ran};

const ALL: &str = "\\connect shop\nCREATE TABLE public.t (a int);\n\\connect crm\nCREATE SCHEMA audit;\n\
                   CREATE TABLE public.t (b int);\n\\connect old\nCREATE TABLE public.t (c int);\n";

#[test]
fn databases_of_a_cluster_move_into_schemas_and_others_are_left_out_by_name() {
    let folder = Folder::new();
    folder.write("all.sql", ALL);
    let both =
        ["--into-schema", "shop=shop", "--into-schema", "crm=crm", "--map-schema", "crm:audit=history"];
    let moved =
        folder.run(&[&["rewrite", "all.sql", "--no-config", "-q", "--accept", "DB-02"][..], &both].concat());
    assert_eq!(moved.code, 0, "{moved:?}");
    assert_eq!(
        moved.out,
        "-- tsmigrate IN-03: Remove it: everything goes into tsdb\n-- \\connect shop\n\
         CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO PUBLIC; SET search_path TO shop; CREATE TABLE shop.t (a int);\n\
         -- tsmigrate IN-03: Remove it: everything goes into tsdb\n-- \\connect crm\n\
         CREATE SCHEMA crm; GRANT USAGE ON SCHEMA crm TO PUBLIC; SET search_path TO crm; CREATE SCHEMA history;\n\
         CREATE TABLE crm.t (b int);\n\
         -- tsmigrate DB-02: left out: database old\n-- \\connect old\n-- CREATE TABLE public.t (c int);\n"
    );
    let told = folder.run(&["check", "all.sql", "--no-config"]);
    let ways = [
        "Keep them all, each in schemas of its own: --into-schema shop=shop --into-schema crm=crm --into-schema old=old",
        "tsmigrate restore all.sql --target \"$TARGET\" --into-schema shop=shop --into-schema crm=crm",
        "tsmigrate migrate --target \"$TARGET\" --source \"$SOURCE_1\" --into-schema shop --source \"$SOURCE_2\" --into-schema crm",
    ];
    let plain = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for way in ways {
        assert!(plain.contains(way), "{way}: {}", told.out);
    }
    // The one that stays, by the same option in each command.
    let kept = folder.run(
        &[
            &["rewrite", "all.sql", "--no-config", "-q", "--database", "shop"][..],
            &["--into-schema", "crm=crm", "--into-schema", "old=o"],
        ]
        .concat(),
    );
    assert_eq!(kept.code, 0, "{kept:?}");
    for found in ["CREATE TABLE public.t (a int)", "CREATE TABLE crm.t (b int)", "CREATE TABLE o.t (c int)"] {
        assert!(kept.out.contains(found), "{found}: {}", kept.out);
    }
}

#[test]
fn what_cannot_move_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.write("all.sql", ALL);
    folder.write("ts.sql", "CREATE TABLE _timescaledb_internal.x (a int);\n");
    for (words, said) in [
        (
            &["all.sql", "--into-schema", "x"][..],
            "give each a schema of its own: --into-schema crm=crm --into-schema old=old",
        ),
        (&["all.sql", "--into-schema", "nosuch=x"], "no dump has a database nosuch"),
        (&["all.sql", "--into-schema", "it's"], "has a quote"),
        (
            &["all.sql", "--into-schema", "shop=a", "--into-schema", "crm=c", "--database", "shop"],
            "shop is to stay as it is, and --into-schema moves it",
        ),
        (&["all.sql", "--into-schema", "shop=a", "--diff"], "--diff does not show schemas that move"),
        (&["ts.sql", "--into-schema", "x"], "has hypertables"),
    ] {
        let run = folder.run(&[&["rewrite", "--no-config"][..], words].concat());
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{words:?} {run:?}");
        assert!(run.err.contains(said), "{words:?}\n{}", run.err);
    }
}

#[test]
fn a_text_that_may_name_a_schema_is_a_decision_until_it_is_accepted() {
    let folder = Folder::new();
    folder.write(
        "crm.sql",
        "CREATE TABLE public.t (a int);\n\nCREATE VIEW public.v AS SELECT lower('public.t');\n",
    );
    let check = |more: &[&str]| {
        let words = ["check", "crm.sql", "--no-config", "--into-schema", "crm"];
        folder.run(&[&words[..], more].concat())
    };
    let open = check(&[]);
    assert_eq!(open.code, 1);
    assert!(open.out.contains("crm.sql:3:") && open.out.contains("MAP-01"), "{}", open.out);
    assert!(open.out.contains("Take the risk that it fails, and keep it: --accept MAP-01"), "{}", open.out);
    // Nothing is left out, and a migration would move no schema.
    assert!(
        open.out.contains("keep all that is to decide") && !open.out.contains("tsmigrate migrate"),
        "{}",
        open.out
    );
    assert_eq!(check(&["--accept", "MAP-01"]).code, 0);
    let written = folder.run(&[
        "rewrite",
        "crm.sql",
        "--no-config",
        "-q",
        "--into-schema",
        "crm",
        "--accept",
        "MAP-01",
    ]);
    assert!(written.out.ends_with("\n\nCREATE VIEW crm.v AS SELECT lower('public.t');\n"), "{}", written.out);
}

#[test]
fn parts_of_one_dump_move_together() {
    let folder = Folder::new();
    folder.write("schema.sql", "CREATE TABLE public.t (a int);\n");
    folder.write("data.sql", "COPY public.t (a) FROM stdin;\n1\n\\.\n");
    let words = [
        "rewrite",
        "schema.sql",
        "data.sql",
        "--no-config",
        "-q",
        "--into-schema",
        "crm",
        "--output-dir",
        "out",
    ];
    let written = folder.run(&words);
    assert_eq!(written.code, 0, "{written:?}");
    assert!(folder.read("out/data.sql").ends_with("COPY crm.t (a) FROM stdin;\n1\n\\.\n"));
    // The schema is created once.
    let created =
        ["out/schema.sql", "out/data.sql"].map(|file| folder.read(file).contains("CREATE SCHEMA crm"));
    assert_eq!(created, [true, false]);
}

#[test]
fn a_dump_from_a_pipe_is_read_as_often_as_it_takes() {
    let folder = Folder::new();
    let mut command = folder.command(&["rewrite", "-", "--no-config", "-q", "--into-schema", "crm"]);
    let written = Ran::new(run_with(&mut command, b"CREATE TABLE public.t (a int);\n").unwrap());
    assert!(written.out.ends_with("CREATE TABLE crm.t (a int);\n"), "{written:?}");
}
