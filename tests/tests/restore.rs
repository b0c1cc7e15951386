//! `tsmigrate restore` of archives that real servers' `pg_dump` wrote, to a target that refuses what the service refuses.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tsmigrate_tests::dumps::{Dumps, MANY_ROWS, checks, data_files};
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

/// Long, empty, granted and with a comment.
const LARGE_OBJECTS: &str = "
SELECT lo_from_bytea(4300, decode(repeat('00ff', 1500000), 'hex')), lo_create(4301), lo_from_bytea(4302, 'x');
COMMENT ON LARGE OBJECT 4301 IS 'empty';
GRANT SELECT ON LARGE OBJECT 4302 TO PUBLIC;";

/// Roles that read past row security, and materialized views of theirs, by themselves and through a view.
const PAST_POLICIES: &str = "
CREATE ROLE keeper; CREATE ROLE bypasser BYPASSRLS;
CREATE SCHEMA rls; GRANT ALL ON SCHEMA rls TO keeper, bypasser;
CREATE TABLE rls.t AS SELECT g AS id, CASE WHEN g % 10 = 0 THEN 'keeper' ELSE 'x' END AS who FROM generate_series(1, 100) g;
ALTER TABLE rls.t OWNER TO keeper;
ALTER TABLE rls.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON rls.t USING (who = current_user);
CREATE VIEW rls.v AS SELECT * FROM rls.t;
CREATE MATERIALIZED VIEW rls.of_superuser AS SELECT count(*) FROM rls.t;
CREATE MATERIALIZED VIEW rls.through AS SELECT count(*) FROM rls.v;
GRANT SELECT ON rls.t TO bypasser;
CREATE MATERIALIZED VIEW rls.of_bypasser AS SELECT count(*) FROM rls.t;
ALTER MATERIALIZED VIEW rls.of_bypasser OWNER TO bypasser;
CREATE MATERIALIZED VIEW rls.of_owner AS SELECT count(*) FROM rls.t WITH NO DATA;
ALTER MATERIALIZED VIEW rls.of_owner OWNER TO keeper;
REFRESH MATERIALIZED VIEW rls.of_owner;";

#[test]
fn materialized_views_hold_what_their_owners_saw_past_row_security() -> Outcome {
    let test = "materialized_views_hold_what_their_owners_saw_past_row_security";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(PAST_POLICIES)?;
    let dumps = Dumps::of(stage)?;
    let seen = "SELECT (TABLE rls.of_superuser), (TABLE rls.through), (TABLE rls.of_bypasser), (TABLE rls.of_owner), relrowsecurity \
        FROM pg_class WHERE oid = 'rls.t'::regclass";
    let before = dumps.stage.sql(&dumps.stage.source, seen)?;
    assert_eq!(before, "100|100|100|10|t");
    let archive = dumps.dump(&["-Fc"], "archive")?;
    let (code, _, all) = dumps.restore(&archive, &[])?;
    assert_eq!(code, 0, "{all}");
    assert_eq!(dumps.stage.sql(&dumps.stage.admin, seen)?, before);
    Ok(())
}

#[test]
fn a_rewritten_archive_is_restored_by_pg_restore() -> Outcome {
    let test = "a_rewritten_archive_is_restored_by_pg_restore";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    dumps.stage.sql_text(LARGE_OBJECTS)?;
    let programs = dumps.stage.lab.programs_of(Server::Source17)?;
    let new = dumps.path("new");
    for (number, format) in [&["-Fc", "-Zzstd"][..], &["-Ft"]].into_iter().enumerate() {
        let archive = dumps.dump(format, &format!("shop.{number}"))?;
        let mut rewrite = program::program();
        rewrite.args(["rewrite", "--no-config", "-q", "-F", "custom"]).arg("--output-dir").arg(&new);
        let mut roles = Command::new(programs.join("psql"));
        roles
            .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &dumps.stage.target, "-f"])
            .arg(new.join("roles.sql"));
        let mut restore = Command::new(programs.join("pg_restore"));
        restore.args(["--exit-on-error", "-j2", "-d", &dumps.stage.target]).arg(new.join("shop.dump"));
        for command in [rewrite.arg(dumps.path("roles.sql")).arg(&archive), &mut roles, &mut restore] {
            let output = command.output()?;
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let (code, said) = dumps.verify()?;
        assert_eq!(code, 0, "{format:?}: {said}");
        dumps.stage.empty_target()?;
    }
    Ok(())
}

#[test]
fn archives_of_every_format_arrive_as_a_migration_does() -> Outcome {
    let test = "archives_of_every_format_arrive_as_a_migration_does";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    dumps.stage.sql_text(LARGE_OBJECTS)?;
    dumps.stage.sql(&dumps.stage.source, "ALTER DATABASE shop SET work_mem = '7MB'")?;
    let formats: [&[&str]; 4] =
        [&["-Fd", "-j2"], &["-Fc"], &["-Ft", "--inserts"], &["-Fd", "-Zzstd", "--column-inserts"]];
    for (number, format) in formats.into_iter().enumerate() {
        let archive = dumps.dump(format, &format!("archive.{number}"))?;
        let (code, report, all) = dumps.restore(&archive, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{format:?}: {all}");
        let verification = &report["verification"];
        assert!(verification["rows"]["counted"].as_u64() > Some(3000), "{all}");
        assert_eq!(
            (&verification["differences"], &verification["notes"]),
            (&Value::Array(Vec::new()), &Value::Array(Vec::new())),
            "{all}"
        );
        let (code, said) = dumps.verify()?;
        assert_eq!(code, 0, "{format:?}: {said}");
        assert_eq!(dumps.stage.left_behind()?, [""; 0]);
        // A second run would write over it.
        fs::remove_dir_all(&dumps.stage.work)?;
        let (code, report, all) = dumps.restore(&archive, &[])?;
        assert_eq!((code, checks(&report)), (2, vec!["target-not-empty"]), "{all}");
        dumps.stage.empty_target()?;
    }
    // One that was written into a pipe does not say where its data is; behind a file's end (>>) its head is written twice.
    let piped = dumps.path("piped");
    let programs = dumps.stage.lab.programs_of(Server::Source17)?;
    let output = Command::new(programs.join("pg_dump")).args(["-Fc", "-d", &dumps.stage.source]).output()?;
    let twice = output.stdout.get(..1000).ok_or("a short archive")?;
    fs::write(&piped, [&output.stdout, twice].concat())?;
    let (code, report, all) = dumps.restore(&piped, &["--dry-run"])?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    assert!(!dumps.stage.work.exists(), "a dry run writes nothing");
    let (code, _, all) = dumps.restore(&piped, &["--jobs", "2"])?;
    assert_eq!(code, 0, "{all}");
    assert_eq!(dumps.verify()?.0, 0);
    Ok(())
}

#[test]
fn archives_of_other_versions_arrive() -> Outcome {
    for (source, format) in [(Server::Source15, "-Fd"), (Server::Source18, "-Fc")] {
        let test = "archives_of_other_versions_arrive";
        let Some(dumps) = Dumps::new(test, source, "plain.sql")? else { return Ok(()) };
        dumps.stage.sql_text(LARGE_OBJECTS)?;
        // A table in partitions has no rows of its own, which older archives do not say.
        dumps.stage.sql_text(
            "CREATE TABLE app.parted (a int PRIMARY KEY) PARTITION BY RANGE (a);
             CREATE TABLE app.parted_0 PARTITION OF app.parted FOR VALUES FROM (0) TO (10); INSERT INTO app.parted VALUES (1);
             CREATE TABLE app.of_parted (a int REFERENCES app.parted); INSERT INTO app.of_parted VALUES (1);",
        )?;
        let archive = dumps.dump(&[format], "archive")?;
        let (code, report, all) = dumps.restore(&archive, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{format}: {all}");
        let (code, said) = dumps.verify()?;
        assert_eq!(code, 0, "{format}: {said}");
    }
    Ok(())
}

#[test]
fn what_is_not_restored_is_refused_by_name_before_anything_is_written() -> Outcome {
    let test = "what_is_not_restored_is_refused_by_name_before_anything_is_written";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    let untouched = stage.target_objects()?;
    a_wrapper_that_is_kept_from_the_administrator_is_known_before(&dumps)?;
    let refused = |archive: &Path, expected: &[&str]| -> Outcome {
        let (code, report, all) = dumps.restore(archive, &[])?;
        assert_eq!((code, checks(&report)), (2, expected.to_vec()), "{all}");
        Ok(())
    };
    refused(&dumps.dump(&["-Fc", "-B", "--encoding=SQL_ASCII"], "ascii")?, &["archive-encoding"])?;
    stage.sql(
        &stage.source,
        "DROP EXTENSION IF EXISTS hstore CASCADE; DROP EXTENSION IF EXISTS citext CASCADE",
    )?;
    let alone = dumps.dump(&["-Fc", "-B", "--data-only"], "alone")?;
    refused(&alone, &["archive-rows-alone"])?;

    let why = |archive: &Path| -> Result<String, Box<dyn Error>> {
        let (code, report, all) = dumps.restore(archive, &[])?;
        assert_eq!(code, 2, "{all}");
        Ok(format!("{} {}", report["error"].as_str().unwrap_or_default(), report["next"]))
    };
    packed_archives_and_parts_of_one(&dumps, &why)?;
    let whole = dumps.dump(&["-Fc", "-B"], "whole")?;
    let bytes = fs::read(&whole)?;
    let cut = dumps.path("cut");
    fs::write(&cut, &bytes[..bytes.len() / 10])?;
    assert!(why(&cut)?.contains("cut off"));
    fs::write(&cut, b"PK\x03\x04 and so on")?;
    assert!(why(&cut)?.contains("zip file"));
    fs::write(&cut, [0xff, 0, 0xfe, 7])?;
    assert!(why(&cut)?.contains("encrypted"));
    assert!(why(&dumps.path("nothing"))?.contains("nothing"));
    let directory = dumps.dump(&["-Fd", "-B"], "directory")?;
    fs::remove_file(&data_files(&directory)?[0])?;
    let missing = why(&directory)?;
    assert!(missing.contains("data of ") && missing.contains("it has no "), "{missing}");
    fs::remove_file(directory.join("toc.dat"))?;
    assert!(why(&directory)?.contains("without toc.dat"));
    // Roles are not there, so that a person has to decide.
    let (code, report, all) = told(
        &Command::new(program::path())
            .args(["restore", "--format", "json", "--work-dir"])
            .args([&stage.work, &whole])
            .env("TARGET", &stage.target)
            .output()?,
    )?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert!(report["next"][0].to_string().contains("--roles roles.sql"), "{all}");
    // Neither a superuser, nor roles that come with databases.
    let mut command = dumps.command(&whole, &[]);
    let (_, report, all) = told(&command.env("TARGET", &stage.admin).output()?)?;
    assert!(checks(&report).contains(&"target-superuser"), "{all}");
    fs::write(dumps.path("roles.sql"), "CREATE ROLE a;\n\\connect shop\n")?;
    assert!(why(&whole)?.contains("it holds databases too"));
    assert_eq!(stage.target_objects()?, untouched);
    Ok(())
}

/// Its extension is not there yet, and whom it lets use it is asked all the same.
fn a_wrapper_that_is_kept_from_the_administrator_is_known_before(dumps: &Dumps) -> Outcome {
    let source = |sql: &str| dumps.stage.sql(&dumps.stage.source, sql);
    source("CREATE EXTENSION postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw")?;
    let (code, report, all) = dumps.restore(&dumps.dump(&["-Fc", "-B"], "foreign")?, &["--dry-run"])?;
    assert_eq!(code, 1, "{all}");
    assert!(report["next"].to_string().contains("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw"), "{all}");
    source("DROP EXTENSION postgres_fdw CASCADE").map(drop)
}

#[test]
fn a_killed_restore_goes_on_and_damaged_rows_stay_away() -> Outcome {
    let test = "a_killed_restore_goes_on_and_damaged_rows_stay_away";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    stage.sql_text(MANY_ROWS)?;
    let archive = dumps.dump(&["-Fd", "-Z0"], "archive")?;
    let mut killed = 0;
    let long = std::env::var("TSMIGRATE_FAULTS").is_ok_and(|wish| wish == "long");
    let moments: Vec<u32> = if long { (1..=20).collect() } else { vec![1, 6, 14] };
    for steps in &moments {
        killed += usize::from(dumps.kill_restore(&archive, *steps)?);
        if stage.steps_done()? != 0 {
            // Without --resume nothing is begun beside it.
            let (code, _, all) = dumps.restore(&archive, &[])?;
            assert!(code == 2 && all.contains("--resume"), "{all}");
        }
        let (code, report, all) = dumps.restore(&archive, &["--resume"])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "after {steps} steps: {all}");
        let (code, said) = dumps.verify()?;
        assert_eq!(code, 0, "after {steps} steps: {said}");
        stage.empty_target()?;
    }
    assert!(killed * 2 > moments.len(), "{killed} of {} were killed while they ran", moments.len());

    // A damaged table is rolled back; once it is whole, the same run goes on.
    let files = data_files(&archive)?;
    let file = files.first().ok_or("no rows")?;
    let whole = fs::read(file)?;
    fs::write(file, &whole[..whole.len() - 1000])?;
    let (code, report, all) = dumps.restore(&archive, &["--jobs", "1"])?;
    assert_eq!(code, 2, "{all}");
    let error = report["error"].as_str().unwrap_or_default();
    assert!(error.contains("the rows of many.t") && error.contains("damaged or cut off"), "{all}");
    let filled = "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND relkind = 'r' AND pg_relation_size(oid) > 0";
    let filled: u32 = stage.sql(&stage.admin, filled)?.parse()?;
    assert!(0 < filled && filled < 12, "{filled}: its rows are on the target");
    let some = "SELECT min(relname) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND relkind = 'r' AND pg_relation_size(oid) > 0";
    let changed = stage.sql(&stage.admin, some)?;
    stage.sql(&stage.admin, &format!("UPDATE many.{changed} SET at = at + interval '1 us' WHERE id = 7"))?;
    // A line that ends the rows before their end.
    let mut early = whole.clone();
    early[..4].copy_from_slice(b"\\.\n\n");
    fs::write(file, early)?;
    let (code, _, all) = dumps.restore(&archive, &["--resume"])?;
    assert_eq!(code, 2, "{all}");
    // Another archive is not taken for the same.
    let other = dumps.dump(&["-Fd"], "other")?;
    let (code, _, all) = dumps.restore(&other, &["--resume"])?;
    assert!(code == 2 && all.contains("the source is another one"), "{all}");
    fs::write(file, whole)?;
    let (code, report, all) = dumps.restore(&archive, &["--resume"])?;
    assert_eq!((code, &report["outcome"]), (2, &"differs".into()), "{all}");
    let differences = report["verification"]["differences"].as_array().ok_or("no differences")?;
    assert_eq!(
        (differences.len(), &differences[0]["object"]),
        (1, &format!("many.{changed}").into()),
        "{all}"
    );
    // It keeps its marks: it can be compared again, or kept as it is.
    let (code, report, all) = dumps.restore(&archive, &["--resume"])?;
    assert_eq!((code, &report["outcome"]), (2, &"differs".into()), "{all}");
    let cleanup =
        report["next"].as_array().into_iter().flatten().find(|next| next.to_string().contains("cleanup"));
    assert!(cleanup.is_some_and(|next| !next.to_string().contains("--drop-target")), "{all}");
    let (code, said) = stage.cleanup(&[])?;
    assert!(code == 0 && said.contains("stays as it is"), "{said}");
    assert_eq!(stage.sql(&stage.admin, "SELECT to_regnamespace('_tsmigrate') IS NULL")?, "t");
    assert_eq!(stage.sql(&stage.admin, &format!("SELECT count(*) FROM many.{changed}"))?, "20000");
    let (code, _, all) = dumps.restore(&archive, &["--resume"])?;
    assert!(code == 2 && all.contains("there is no run to go on with"), "{all}");
    Ok(())
}

/// An archive that was compressed once more, and the table of contents of one: what to name in its place.
fn packed_archives_and_parts_of_one(
    dumps: &Dumps,
    why: &impl Fn(&Path) -> Result<String, Box<dyn Error>>,
) -> Outcome {
    for kind in ["-Fc", "-Ft"] {
        let archive = dumps.dump(&[kind], &format!("once{kind}.dump"))?;
        let packed = archive.with_extension("dump.gz");
        let mut gzip = flate2::write::GzEncoder::new(fs::File::create(&packed)?, flate2::Compression::fast());
        std::io::copy(&mut fs::File::open(&archive)?, &mut gzip)?;
        gzip.finish()?;
        let name = archive.display();
        let way = format!("unpack it first: gunzip -k {name}.gz; then name {name}");
        let said = why(&packed)?;
        assert!(
            said.contains("an archive that was compressed once more, by gzip") && said.contains(&way),
            "{said}"
        );
        let output = Command::new(program::path()).arg("check").arg(&packed).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(&way), "{said}");
    }
    let directory = dumps.dump(&["-Fd"], "parts")?;
    let way = format!("name the directory: {}", directory.display());
    let said = why(&directory.join("toc.dat"))?;
    assert!(said.contains("one file of an archive that is a directory") && said.contains(&way), "{said}");
    let output = Command::new(program::path()).arg("check").arg(directory.join("toc.dat")).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains(&way), "{said}");
    Ok(())
}

#[test]
fn a_restore_that_is_given_up_leaves_an_empty_target() -> Outcome {
    let test = "a_restore_that_is_given_up_leaves_an_empty_target";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    let archive = dumps.dump(&["-Fd", "-Z0"], "archive")?;
    let files = data_files(&archive)?;
    let file = files.first().ok_or("no rows")?;
    let whole = fs::read(file)?;
    fs::write(file, &whole[..whole.len() - 7])?;
    assert_eq!(dumps.restore(&archive, &[])?.0, 2);
    let cleanup = |arguments: &[&str]| -> Result<(i32, String), Box<dyn Error>> {
        let output = Command::new(program::path())
            .args(["cleanup", "--drop-target", "--work-dir"])
            .arg(&stage.work)
            .args(arguments)
            .env_remove("SOURCE")
            .env("TARGET", &stage.target)
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&said).into_owned()))
    };
    // What others have created meanwhile is told from what the archive's own statements have, without the source.
    stage.sql(&stage.target, "CREATE TABLE public.\"Theirs, too\" (a int PRIMARY KEY)")?;
    stage.sql(&stage.target, "CREATE VIEW public.of_others AS SELECT 1 AS a")?;
    let (code, said) = cleanup(&[])?;
    assert!(code == 2 && said.contains("--with-others"), "{said}");
    for object in ["table public.\"Theirs, too\"", "view public.of_others"] {
        assert!(said.contains(object), "{object}: {said}");
    }
    let theirs = said.split_once("others have created").ok_or("nothing is named")?.1;
    assert!(!theirs.contains("app."), "the archive's own: {said}");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM public.of_others")?, "1");
    stage.sql(&stage.target, "DROP TABLE public.\"Theirs, too\"; DROP VIEW public.of_others")?;
    let (code, said) = cleanup(&[])?;
    assert!(code == 0 && said.contains("is removed") && !said.contains("nobody can tell"), "{said}");
    fs::write(file, whole)?;
    let (code, report, all) = dumps.restore(&archive, &[])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{all}");
    assert_eq!(dumps.verify()?.0, 0);
    Ok(())
}

/// Rows without partners, in a partition too; two equal ones; a table that is left out of a dump.
const BROKEN: &str = "
CREATE SCHEMA broken; CREATE TABLE broken.\"Par.ent\" (id int PRIMARY KEY); INSERT INTO broken.\"Par.ent\" VALUES (1), (2);
CREATE TABLE broken.child (id int REFERENCES broken.\"Par.ent\"); INSERT INTO broken.child VALUES (1), (NULL);
CREATE TABLE broken.root (id int CONSTRAINT \"F k\" REFERENCES broken.\"Par.ent\") PARTITION BY RANGE (id);
CREATE TABLE broken.part PARTITION OF broken.root FOR VALUES FROM (0) TO (10); INSERT INTO broken.root VALUES (2);
CREATE TABLE broken.idle (id int REFERENCES broken.\"Par.ent\");";

#[test]
fn rows_that_break_keys_are_named_before_or_let_through() -> Outcome {
    let test = "rows_that_break_keys_are_named_before_or_let_through";
    let Some(dumps) = Dumps::new(test, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    stage.sql_text(BROKEN)?;
    let untouched = stage.target_objects()?;
    let without = dumps.dump(&["-Fd", "--exclude-table-data=broken.\"Par.ent\""], "without")?;
    let (code, report, all) = dumps.restore(&without, &[])?;
    assert_eq!((code, checks(&report)), (2, vec!["excluded-rows"]), "{all}");
    let said = report["blockers"][0].to_string();
    assert!(said.contains("2 foreign keys refer") && said.contains("not in the archive"), "{said}");
    assert!(said.contains("child_id_fkey") && said.contains("F k") && !said.contains("idle"), "{said}");
    assert_eq!(stage.target_objects()?, untouched);
    let (code, _, all) = dumps.restore(&without, &["--allow-violations", "broken.child.none"])?;
    assert!(code == 2 && all.contains("has no foreign key"), "{all}");
    let allow = ["--allow-violations", "broken.child.child_id_fkey", "broken.part.\"F k\""];
    let (code, report, all) = dumps.restore(&without, &allow)?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{all}");
    let lacks = "the dump has no rows of 1 table: broken.\\\"Par.ent\\\"";
    assert!(report["verification"]["notes"].to_string().contains(lacks), "{all}");
    let missing = report["missing"].to_string();
    assert!(missing.contains("NOT VALID") && missing.contains("VALIDATE CONSTRAINT"), "{missing}");
    let valid = "SELECT string_agg(conrelid::regclass || ' ' || convalidated, ', ' ORDER BY conrelid::regclass::text) FROM pg_constraint \
                 WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'broken'::regnamespace";
    assert_eq!(
        stage.sql(&stage.admin, valid)?,
        // No key of a partitioned table can be NOT VALID.
        "broken.child false, broken.idle true",
        "{all}"
    );
    // What it has announced is no difference to the database that was dumped.
    let (code, said) = stage.verify_known()?;
    assert_eq!(code, Some(0), "{said}");
    stage.empty_target()?;

    // Rows of which no table of contents tells.
    stage.sql_text("SET session_replication_role = replica; INSERT INTO broken.child VALUES (77);")?;
    let archive = dumps.dump(&["-Fc"], "archive")?;
    let (code, report, all) = dumps.restore(&archive, &[])?;
    assert_eq!(code, 2, "{all}");
    assert!(report["error"].to_string().contains("(id) = (77)"), "{all}");
    assert!(
        report["next"][0].to_string().contains("--resume --allow-violations broken.child.child_id_fkey"),
        "{all}"
    );
    let (code, report, all) =
        dumps.restore(&archive, &["--resume", "--allow-violations", "broken.child.child_id_fkey"])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{all}");
    assert_eq!(
        stage.sql(&stage.admin, valid)?,
        "broken.child false, broken.idle true, broken.root true",
        "{all}"
    );
    let (code, said) = stage.verify_known()?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}
