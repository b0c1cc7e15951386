//! Archives of `pg_dump`: `pg_restore` is the oracle of the script that is read from them.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tsmigrate::archive::Archive;
use tsmigrate_analyzer::archive::Section;
use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::program;

type Outcome = Result<(), Box<dyn Error>>;

/// Options of `pg_dump`, and the first version that has them.
const OPTIONS: &[(u32, &[&str])] = &[
    (15, &["-Fc"]),
    (15, &["-Fc", "-Z0"]),
    (15, &["-Fd", "-j2"]),
    (15, &["-Ft"]),
    (15, &["-Fc", "--inserts"]),
    (15, &["-Fc", "--load-via-partition-root", "--disable-triggers"]),
    (15, &["-Fc", "--schema-only", "--quote-all-identifiers"]),
    (15, &["-Fd", "--data-only", "-Z0"]),
    (15, &["-Fc", "--create", "--clean", "--no-owner"]),
    (17, &["-Fc", "-Zlz4"]),
    (17, &["-Fc", "-Zzstd"]),
    (17, &["-Fd", "-Zlz4"]),
    (17, &["-Fd", "-Zzstd"]),
    (18, &["-Fc", "--statistics"]),
];

/// Two large objects of one owner and of equal privileges are one entry since version 17.
const LARGE_OBJECTS: &str = "SELECT lo_from_bytea(4242, '\\x00ff'), lo_from_bytea(4243, decode(repeat('ab', 40000), 'hex')), \
                             lo_create(4244), lo_create(4245); COMMENT ON LARGE OBJECT 4244 IS 'empty'; \
                             GRANT SELECT ON LARGE OBJECT 4242, 4243 TO PUBLIC;";

fn run(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// A script without its key, which is another each time.
fn without_key(script: &[u8]) -> Vec<u8> {
    let is_key = |line: &&[u8]| !line.starts_with(b"\\restrict ") && !line.starts_with(b"\\unrestrict ");
    script.split_inclusive(|byte| *byte == b'\n').filter(is_key).collect::<Vec<_>>().concat()
}

fn opened(path: &Path) -> Result<Archive, Box<dyn Error>> {
    Ok(if path.is_dir() { Archive::of_directory(path)? } else { Archive::of_file(File::open(path)?)? })
}

fn script(path: &Path, with_data: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut script = Vec::new();
    let read = opened(path)?.script(with_data)?.read_to_end(&mut script);
    read.map_err(|error| {
        format!("{error} behind {}", String::from_utf8_lossy(&script[script.len().saturating_sub(300)..]))
    })?;
    Ok(script)
}

/// Fails at the first line that differs.
fn assert_same(ours: &[u8], theirs: &[u8], what: &str) {
    let (ours, theirs) = (without_key(ours), without_key(theirs));
    let lines = |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
    for (number, (our, their)) in lines(&ours).iter().zip(lines(&theirs)).enumerate() {
        assert_eq!(*our, their, "{what}, line {}", number + 1);
    }
    assert!(ours == theirs, "{what}: {} and {} bytes", ours.len(), theirs.len());
}

#[test]
fn an_archive_reads_as_pg_restore_prints_it() -> Outcome {
    let servers = [(15, Server::Source15), (17, Server::Source17), (18, Server::Source18)];
    let test = "an_archive_reads_as_pg_restore_prints_it";
    let Some(lab) = Lab::start_or_skip(test, &servers.map(|(_, server)| server))? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    for (version, server) in servers {
        let (uri, programs) = (lab.uri(server)?, lab.programs_of(server)?);
        let psql = |database: &str| {
            let mut psql = Command::new(programs.join("psql"));
            psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database]);
            psql
        };
        let dumps = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps");
        run(psql(uri).current_dir(dumps).args(["-f", "make.sql"]))?;
        let shop = uri.rsplit_once('/').map_or_else(String::new, |(server, _)| format!("{server}/shop"));
        run(psql(&shop).args(["-c", LARGE_OBJECTS]))?;
        for (number, (_, options)) in OPTIONS.iter().enumerate().filter(|(_, (since, _))| *since <= version) {
            let archive = folder.path().join(format!("{version}.{number}"));
            let what = format!("pg_dump {version} {}", options.join(" "));
            run(Command::new(programs.join("pg_dump"))
                .args(*options)
                .args(["-d", &shop, "-f"])
                .arg(&archive))?;
            let theirs = run(Command::new(programs.join("pg_restore")).args(["-f", "-"]).arg(&archive))?;
            assert_same(&script(&archive, true)?, &theirs, &what);
            // The database itself stands before the rows.
            for (section, arguments) in [
                (Section::PreData, &["--section=pre-data", "--create"][..]),
                (Section::PostData, &["--section=post-data"]),
            ] {
                let mut restore = Command::new(programs.join("pg_restore"));
                let theirs = run(restore.args(arguments).args(["-f", "-"]).arg(&archive))?;
                let ours = opened(&archive)?.text(|of, _| of == section);
                assert_same(&ours, &theirs, &format!("{what}, {arguments:?}"));
            }
            // Without rows it is what pg_restore prints of the schema, and each COPY.
            let schema = script(&archive, false)?;
            let copies = |script: &[u8]| {
                String::from_utf8_lossy(script).lines().filter(|line| line.starts_with("COPY ")).count()
            };
            assert_eq!(copies(&schema), copies(&theirs), "{what}");
        }
        let losing: &[&str] = &["--delete-removed", "--accept", "EXT-01,FDW-01,SU-06"];
        for (of, format, more) in
            [(15, "-Fc", &[][..]), (17, "-Fd", losing), (17, "-Ft", &[]), (18, "-Fc", losing)]
        {
            if of == version {
                let archive = folder.path().join(format!("{version}{format}"));
                let mut dump = Command::new(programs.join("pg_dump"));
                run(dump.args([format, "-d", &shop, "-f"]).arg(&archive))?;
                rewritten_as_its_script(programs, &archive, more, &format!("{version} {format}"))?;
            }
        }
        // A writer that cannot go back leaves the places of the data open.
        let piped = folder.path().join("piped");
        let mut dump = Command::new(programs.join("pg_dump"));
        fs::write(&piped, run(dump.args(["-Fc", "-d", &shop]))?)?;
        let theirs = run(Command::new(programs.join("pg_restore")).args(["-f", "-"]).arg(&piped))?;
        assert_same(&script(&piped, true)?, &theirs, "a piped archive");
        if version == 17 {
            rewritten_as_its_script(programs, &piped, losing, "a piped archive")?;
        }
    }
    whole_runs(&lab, folder.path())?;
    let programs = lab.programs_of(Server::Source17)?;
    damaged_entries(programs, &folder.path().join("17.0"))?;
    cut_off(&folder.path().join("17.0"))
}

/// A table of contents of which a kind or a name is another than it was is refused, although `pg_restore` reads it.
fn damaged_entries(programs: &Path, path: &Path) -> Outcome {
    let whole = fs::read(path)?;
    let damaged = path.with_extension("damaged");
    // A text has its length before it.
    let text = |text: &str| {
        [&[0][..], &u32::try_from(text.len()).unwrap_or_default().to_le_bytes(), text.as_bytes()].concat()
    };
    let named = |kind: &str| {
        let archive = opened(path)?;
        let mut entries = archive.toc().entries.iter();
        let entry = entries.find(|entry| entry.is(kind) && !entry.drop.is_empty()).ok_or(kind.to_owned())?;
        Ok::<_, Box<dyn Error>>(String::from_utf8(entry.tag.clone())?)
    };
    let kinds = ["TABLE", "TABLE DATA", "FK CONSTRAINT", "INDEX", "ACL"]
        .map(|kind| (text(kind), "writes no such kind"));
    let tags = [
        ([text(&named("INDEX")?), text("INDEX")].concat(), "have another name"),
        ([text(&named("SCHEMA")?), text("SCHEMA")].concat(), "have another name"),
    ];
    for (number, (bytes, why)) in kinds.into_iter().chain(tags).enumerate() {
        let at = whole.windows(bytes.len()).position(|window| window == bytes).ok_or("not found")?;
        let mut other = whole.clone();
        // The first byte behind the first length.
        if let Some(byte) = other.get_mut(at + 5) {
            *byte ^= 1;
        }
        fs::write(&damaged, other)?;
        run(Command::new(programs.join("pg_restore")).arg("--list").arg(&damaged))?;
        let output = program::program().args(["check", "--no-config"]).arg(&damaged).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains("is damaged: entry ") && said.contains(why),
            "{number}: {said}"
        );
    }
    Ok(())
}

/// The statements of a script, without comments, keys and settings that are made anew for each entry.
fn statements(script: &[u8]) -> Vec<u8> {
    let left_out: [&[u8]; 4] = [b"--", b"\\", b"SET default_tablespace", b"SET default_table_access_method"];
    let is_kept = |line: &&[u8]| line.len() > 1 && !left_out.iter().any(|words| line.starts_with(words));
    script.split_inclusive(|byte| *byte == b'\n').filter(is_kept).collect::<Vec<_>>().concat()
}

/// Of an archive that was rewritten, `pg_restore` prints what the rewritten script says; also where nobody could go back while
/// it was written.
fn rewritten_as_its_script(programs: &Path, archive: &Path, more: &[&str], what: &str) -> Outcome {
    let rewrite = |format: &str| -> Result<Vec<u8>, Box<dyn Error>> {
        let mut rewrite = program::program();
        let output =
            rewrite.args(["rewrite", "--no-config", "-q", "-F", format]).args(more).arg(archive).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        Ok(output.stdout)
    };
    let text = rewrite("plain")?;
    let new = archive.with_extension("rewritten.dump");
    let mut command = program::program();
    command.args(["rewrite", "--no-config", "-q", "-o"]).arg(&new).args(more).arg(archive).output()?;
    let piped = archive.with_extension("piped.dump");
    fs::write(&piped, rewrite("c")?)?;
    for new in [&new, &piped] {
        let mut restore = Command::new(programs.join("pg_restore"));
        let printed = run(restore.args(["-f", "-"]).arg(new))?;
        assert_same(&statements(&printed), &statements(&text), what);
        assert!(!String::from_utf8_lossy(&statements(&printed)).contains("TABLESPACE fast"), "{what}");
    }
    let (new, piped) = (fs::read(new)?, fs::read(piped)?);
    assert!(new != piped && new.len() == piped.len(), "{what}: one says where its data is");
    Ok(())
}

/// `check` and `rewrite` say of an archive what they say of its text.
fn whole_runs(lab: &Lab, folder: &Path) -> Outcome {
    let archive = folder.join("17.0");
    let text = folder.join("text.sql");
    let programs = lab.programs_of(Server::Source17)?;
    run(Command::new(programs.join("pg_restore")).arg("-f").arg(&text).arg(&archive))?;
    let findings = |file: &Path| -> Result<Vec<(String, String)>, Box<dyn Error>> {
        let output =
            program::program().args(["check", "--no-config", "--format", "json"]).arg(file).output()?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let all = report["findings"].as_array().ok_or("no findings")?;
        Ok(all.iter().map(|f| (f["rule"].to_string(), f["object"].to_string())).collect())
    };
    let of_archive = findings(&archive)?;
    assert!(!of_archive.is_empty());
    assert_eq!(of_archive, findings(&text)?);

    let rewritten = |file: &Path| -> Result<Vec<u8>, Box<dyn Error>> {
        let out = folder.join("out.sql");
        let output =
            program::program().args(["rewrite", "--no-config", "-q", "-o"]).args([&out, file]).output()?;
        fs::read(out).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
    };
    assert_same(&rewritten(&archive)?, &rewritten(&text)?, "rewritten");
    Ok(())
}

/// An archive that ends early, wherever it does, is refused: never a part of it taken for all.
fn cut_off(path: &Path) -> Outcome {
    let whole = fs::read(path)?;
    let cut = path.with_extension("cut");
    for end in (0..whole.len()).step_by(whole.len() / 20) {
        fs::write(&cut, whole.get(..end).unwrap_or_default())?;
        assert!(script(&cut, true).is_err(), "{end} of {} bytes were taken for all", whole.len());
    }
    // Whatever a byte says instead, it ends with an answer.
    for at in (0..whole.len()).step_by(whole.len() / 200) {
        let mut other = whole.clone();
        if let Some(byte) = other.get_mut(at) {
            *byte = !*byte;
        }
        fs::write(&cut, other)?;
        let _answer = script(&cut, true);
    }
    fs::write(&cut, whole.get(..whole.len() / 2).unwrap_or_default())?;
    let output = program::program()
        .args(["rewrite", "--no-config", "-o"])
        .args([&cut.with_extension("sql"), &cut])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("cut off"), "{said}");
    assert!(!cut.with_extension("sql").exists());
    Ok(())
}
