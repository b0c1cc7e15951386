//! `tsmigrate restore` of dumps that are text, plain and compressed, of one database and of all.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tsmigrate_tests::dumps::{Dumps, MANY_ROWS, checks};
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, told};

/// Large objects, odd names, and rows that go through the root of their table.
const MORE: &str = r#"
SELECT lo_from_bytea(4300, decode(repeat('00ff', 1500000), 'hex')), lo_create(4301), lo_from_bytea(4302, 'x');
COMMENT ON LARGE OBJECT 4301 IS 'empty';
GRANT SELECT ON LARGE OBJECT 4302 TO PUBLIC;
CREATE SCHEMA "My ""S";
CREATE TABLE "My ""S"."T; Type: TABLE DATA; Schema: x" ("a b" text, c bytea, at timestamptz DEFAULT '2026-01-02 03:04+00');
INSERT INTO "My ""S"."T; Type: TABLE DATA; Schema: x" VALUES (E'\\.\n\\.', 'x\000y'), (E'COPY x FROM stdin;\r\n\t', NULL), ('', '');
CREATE TABLE "My ""S".root (k int, v text) PARTITION BY HASH (k);
CREATE TABLE "My ""S".leaf0 PARTITION OF "My ""S".root FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "My ""S".leaf1 PARTITION OF "My ""S".root FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "My ""S".root SELECT n, 'v' || n FROM generate_series(1, 500) n;
CREATE TABLE "My ""S".empty (a int);
CREATE TABLE "My ""S".bare ();
INSERT INTO "My ""S".bare DEFAULT VALUES;
CREATE TABLE "My ""S"."VALUES (" (id int GENERATED ALWAYS AS IDENTITY, "DEFAULT" text, n int GENERATED ALWAYS AS (length("DEFAULT")) STORED,
    b bit(4), v varbit, f float8, t bool, d date, a text[]);
INSERT INTO "My ""S"."VALUES (" ("DEFAULT", b, v, f, t, d, a) VALUES ('it''s', b'0101', b'1', 'NaN', true, 'infinity', ARRAY['a''b', E'c\\d', NULL]),
    (E'INSERT INTO x VALUES (''a'');\r\n\t', NULL, b'', '-1e-7', false, NULL, '{}');
CREATE FUNCTION "My ""S".f() RETURNS text LANGUAGE sql AS $$ SELECT '-- PostgreSQL database dump' $$;
"#;

/// A file, compressed by gzip.
fn packed(path: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let name = PathBuf::from(format!("{}.gz", path.display()));
    let mut gzip = flate2::write::GzEncoder::new(fs::File::create(&name)?, flate2::Compression::fast());
    gzip.write_all(&fs::read(path)?)?;
    gzip.finish()?;
    Ok(name)
}

fn restore(
    dumps: &Dumps,
    files: &[&Path],
    arguments: &[&str],
) -> Result<(i32, Value, String), Box<dyn Error>> {
    told(&dumps.command_of(files, arguments).output()?)
}

#[test]
fn texts_arrive_as_a_migration_does() -> Outcome {
    let name = "texts_arrive_as_a_migration_does";
    let Some(dumps) = Dumps::new(name, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    stage.sql_text(MORE)?;
    let roles = dumps.path("roles.sql");
    let plain = dumps.dump(&["-Fp"], "shop.sql")?;
    let gzip = dumps.dump(&["-Fp", "-C", "-Z6", "--load-via-partition-root"], "shop.sql.gz")?;
    let zstd = dumps.dump(&["-Fp", "--clean", "--if-exists", "-Zzstd"], "shop.sql.zst")?;
    let sections: Vec<PathBuf> = ["pre-data", "data", "post-data"]
        .iter()
        .map(|part| dumps.dump(&["-Fp", &format!("--section={part}")], &format!("{part}.sql")))
        .collect::<Result<_, _>>()?;
    let parts: Vec<&Path> = sections.iter().chain([&roles]).map(PathBuf::as_path).collect();
    // Its name does not say how it is packed.
    let lz4 = dumps.dump(&["-Fp", "-Zlz4"], "shop.dump")?;
    let inserts = dumps.dump(&["-Fp", "--rows-per-insert=7", "--load-via-partition-root"], "inserts")?;
    let archive = dumps.dump(&["-Fc"], "archive")?;
    let all: [(&str, &[&Path]); 7] = [
        ("plain", &[&roles, &plain]),
        ("gzip", &[&gzip, &roles]),
        ("zstd", &[&roles, &zstd]),
        ("lz4", &[&roles, &lz4]),
        ("inserts", &[&inserts, &roles]),
        ("sections", &parts),
        ("an archive", &[&roles, &archive]),
    ];
    for (what, files) in all {
        let (code, report, said) = restore(&dumps, files, &["--dry-run"])?;
        assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{what}: {said}");
        let is_without_database = report["plan"]["notes"].to_string().contains("without --create");
        assert_eq!(
            is_without_database,
            ["plain", "zstd", "lz4", "inserts", "sections"].contains(&what),
            "{what}: {said}"
        );
        let (code, report, said) = restore(&dumps, files, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{what}: {said}");
        let verification = &report["verification"];
        assert!(verification["rows"]["counted"].as_u64() > Some(3500), "{what}: {said}");
        assert_eq!(
            (&verification["differences"], &verification["notes"]),
            (&Value::Array(Vec::new()), &Value::Array(Vec::new())),
            "{what}: {said}"
        );
        let (code, told) = dumps.verify()?;
        assert_eq!(code, 0, "{what}: {told}");
        assert_eq!(stage.left_behind()?, [""; 0]);
        stage.empty_target()?;
    }
    Ok(())
}

#[test]
fn one_database_of_all_arrives() -> Outcome {
    let name = "one_database_of_all_arrives";
    let Some(dumps) = Dumps::new(name, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    stage.sql_text(MORE)?;
    stage.sql(&stage.source, "ALTER DATABASE shop SET work_mem = '7MB'")?;
    let cluster = dumps.run("pg_dumpall", &[], "cluster.sql")?;
    let (code, report, said) = restore(&dumps, &[&cluster], &[])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    let (code, told) = dumps.verify()?;
    assert_eq!(code, 0, "{told}");
    stage.empty_target()?;

    // Another database beside it, with objects of the same names.
    stage.sql(&stage.source, "CREATE DATABASE \"Other 'one\"")?;
    stage.sql(&stage.source, "ALTER DATABASE \"Other 'one\" SET work_mem = '5MB'")?;
    let other = stage.source.replace("/shop", "/Other%20'one");
    stage.sql(&other, "CREATE TABLE public.theirs (a int); INSERT INTO public.theirs VALUES (1)")?;
    let cluster = packed(&dumps.run("pg_dumpall", &["--clean"], "cluster.sql")?)?;
    let (code, report, said) = restore(&dumps, &[&cluster], &[])?;
    let error = report["error"].as_str().unwrap_or_default();
    assert!(
        code == 2
            && error.contains("has 2 databases")
            && error.contains("\"Other 'one\"")
            && error.contains("shop"),
        "{said}"
    );
    assert!(report["next"].to_string().contains("--database NAME"), "{said}");
    let (code, report, said) = restore(&dumps, &[&cluster], &["--database", "none"])?;
    assert!(code == 2 && report["error"].to_string().contains("it has"), "{said}");
    let (code, report, said) = restore(&dumps, &[&cluster], &["--database", "shop"])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    assert!(!said.contains("theirs"), "{said}");
    let (code, told) = dumps.verify()?;
    assert_eq!(code, 0, "{told}");
    stage.empty_target()?;
    // pg_dump writes \encoding before each \connect to such a name, and connects twice where the database has settings.
    let (code, report, said) = restore(&dumps, &[&cluster], &["--database", "Other 'one"])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    assert_eq!(stage.sql(&stage.admin, "SELECT a FROM public.theirs")?, "1");
    Ok(())
}

#[test]
fn texts_that_are_not_restored_are_refused_by_name_before_anything_is_written() -> Outcome {
    let name = "texts_that_are_not_restored_are_refused_by_name_before_anything_is_written";
    let Some(dumps) = Dumps::new(name, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    let untouched = stage.target_objects()?;
    let plain = dumps.dump(&["-Fp"], "shop.sql")?;
    let text = fs::read_to_string(&plain)?;
    let other = dumps.path("other.sql");
    let write = |text: &str| fs::write(&other, text);
    let refused = |expected: &[&str]| -> Outcome {
        let (code, report, said) = dumps.restore(&other, &[])?;
        assert_eq!((code, checks(&report)), (2, expected.to_vec()), "{said}");
        Ok(())
    };
    let inserts = fs::read_to_string(dumps.dump(&["-Fp", "--inserts"], "inserts.sql")?)?;
    write(&inserts.replacen("VALUES (", "VALUES (now(), ", 1))?;
    refused(&["archive-inserts"])?;
    fs::copy(dumps.dump(&["-Fp", "--encoding=SQL_ASCII"], "ascii.sql")?, &other)?;
    refused(&["archive-encoding"])?;
    write(&text.replace('\n', "\r\n"))?;
    refused(&["text-line-ends"])?;
    write(&format!("{text}\\i more.sql\n"))?;
    refused(&["text-psql"])?;
    write(&text.replacen("-- Dumped from database", "-- From", 1))?;
    refused(&["text-version"])?;
    let (head, rest) = text.split_once("-- Data for Name").ok_or("no rows")?;
    write(&format!("{head}COPY t (a) FROM stdin;\n\\.\n-- Data for Name{rest}"))?;
    refused(&["text-names"])?;
    // What belongs behind rows stands before some.
    write(&format!("{text}{text}"))?;
    let (code, report, said) = dumps.restore(&other, &[])?;
    assert!(code == 2 && checks(&report).contains(&"text-order"), "{said}");

    let why = |path: &Path| -> Result<String, Box<dyn Error>> {
        let (code, report, said) = dumps.restore(path, &[])?;
        assert_eq!(code, 2, "{said}");
        Ok(format!("{} {}", report["error"].as_str().unwrap_or_default(), report["next"]))
    };
    // Cut off in a row, in a string, and between two statements.
    let cuts = ["\n\\.\n", "$$", "-- PostgreSQL database dump complete"];
    for cut in cuts {
        let at = text.find(cut).ok_or(cut)?;
        write(text.get(..at).ok_or("no text")?)?;
        let said = why(&other)?;
        assert!(said.contains("cut off"), "{cut}: {said}");
    }
    for bytes in [packed(&plain)?, dumps.dump(&["-Fp", "-Zzstd"], "shop.sql.zst")?] {
        let whole = fs::read(&bytes)?;
        fs::write(&bytes, &whole[..whole.len() / 2])?;
        let said = why(&bytes)?;
        assert!(said.contains("cut off") && said.contains(" -t "), "{said}");
        let mut damaged = whole.clone();
        damaged[whole.len() / 2..whole.len() / 2 + 8].fill(0x55);
        fs::write(&bytes, damaged)?;
        let said = why(&bytes)?;
        assert!(said.contains("damaged") || said.contains("cut off"), "{said}");
    }
    write("")?;
    assert!(why(&other)?.contains("it is empty"));
    write("-- MySQL dump 10.13\nCREATE TABLE `t` (`a` int) ENGINE=InnoDB;\n")?;
    assert!(why(&other)?.contains("MySQL"));
    assert!(why(Path::new("-"))?.contains("read only once"));
    let command = dumps.command(Path::new("/dev/stdin"), &[]).stdin(Stdio::piped()).output()?;
    assert!(String::from_utf8_lossy(&command.stdout).contains("read only once"));
    let (code, report, said) = restore(&dumps, &[&dumps.path("roles.sql")], &[])?;
    assert!(code == 2 && report["error"].to_string().contains("no database"), "{said}");
    let archive = dumps.dump(&["-Fc"], "archive")?;
    let (code, report, said) = restore(&dumps, &[&archive, &plain], &[])?;
    assert!(code == 2 && report["error"].to_string().contains("more than one database"), "{said}");
    assert_eq!(stage.target_objects()?, untouched);
    Ok(())
}

#[test]
fn a_killed_restore_of_text_goes_on() -> Outcome {
    let name = "a_killed_restore_of_text_goes_on";
    let Some(dumps) = Dumps::new(name, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    stage.sql_text(MANY_ROWS)?;
    let plain = dumps.dump(&["-Fp"], "shop.sql")?;
    let gzip = packed(&plain)?;
    let mut killed = 0;
    for (steps, file) in [(1, &plain), (9, &gzip), (14, &gzip)] {
        killed += usize::from(dumps.kill_restore(file, steps)?);
        let (code, report, said) = dumps.restore(file, &["--resume"])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "after {steps} steps: {said}");
        let (code, told) = dumps.verify()?;
        assert_eq!(code, 0, "after {steps} steps: {told}");
        stage.empty_target()?;
    }
    assert!(killed > 0, "none was killed while it ran");

    // A row that the target refuses rolls its table back; once it is mended, the same run goes on.
    let text = fs::read_to_string(&plain)?;
    let (head, rest) = text.split_once("COPY many.t7 (id, a, b, at, raw) FROM stdin;\n").ok_or("no rows")?;
    let broken = dumps.path("broken.sql");
    fs::write(&broken, format!("{head}COPY many.t7 (id, a, b, at, raw) FROM stdin;\nno number{rest}"))?;
    let (code, _, said) = dumps.restore(&broken, &["--jobs", "1"])?;
    assert!(code == 2 && said.contains("many.t7"), "{said}");
    fs::write(&broken, &text)?;
    let (code, report, said) = dumps.restore(&broken, &["--resume"])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    let (code, told) = dumps.verify()?;
    assert_eq!(code, 0, "{told}");
    Ok(())
}

#[test]
fn texts_of_hypertables_arrive() -> Outcome {
    let name = "texts_of_hypertables_arrive";
    for (source, options) in [(Server::Source17, ["-Fp", "-Zgzip"]), (Server::Source18, ["-Fp", "-C"])] {
        let Some(dumps) = Dumps::new(name, source, "timescale.sql")? else { return Ok(()) };
        let file = dumps.dump(&options, "dump.sql")?;
        let (code, report, said) = dumps.restore(&file, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{options:?}: {said}");
        assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{said}");
        assert_eq!(dumps.stage.left_behind()?, [""; 0]);
        let (_, told) = dumps.verify()?;
        let report = told.split_once("\n}").map_or(told.as_str(), |(report, _)| report).to_owned() + "\n}";
        let report: Value = serde_json::from_str(&report).map_err(|error| format!("{error}: {told}"))?;
        let differences = report["verification"]["differences"].as_array().ok_or(told.clone())?;
        assert!(differences.iter().all(|difference| difference["kind"] == "job scheduled"), "{told}");
    }
    Ok(())
}
