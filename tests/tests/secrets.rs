//! Secrets stay where they belong: in the dump that is written and in the one program that needs them.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program::{self, program, run_with};

/// Stands in for pg_dump and pg_dumpall: writes down what it was started with, and runs the real one.
const RECORDER: &str = r#"#!/bin/sh
case "$1" in --version|-V) exec "REAL/TOOL" "$@";; esac
note="NOTES/TOOL.$$"
env > "$note.env"
printf '%s\n' "$@" > "$note.args"
file=$(printf '%s\n' "$@" | sed -n "s/.*passfile='\([^']*\)'.*/\1/p")
printf '%s\n' "$file" > "$note.file"
stat -c '%a %u' "$file" "$(dirname "$file")" > "$note.mode"
cp "$file" "$note.passwords"
if [ -e NOTES/wait ]; then : > NOTES/waiting; exec sleep 60; fi
exec "REAL/TOOL" "$@"
"#;

/// A folder with recorders in the place of the tools, and one for what they note.
struct Recorder {
    folder: tempfile::TempDir,
}

impl Recorder {
    fn new(real: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("bin"))?;
        fs::create_dir(folder.path().join("notes"))?;
        let recorder = Self { folder };
        for tool in ["pg_dump", "pg_dumpall"] {
            let text = RECORDER
                .replace("REAL", &real.to_string_lossy())
                .replace("NOTES", &recorder.notes().to_string_lossy())
                .replace("TOOL", tool);
            let path = recorder.bin().join(tool);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(recorder)
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    /// The notes with this ending, of every start.
    fn read(&self, ending: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.notes())? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == ending) {
                found.push(fs::read_to_string(path)?);
            }
        }
        Ok(found)
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Outcome {
    let limit = Instant::now() + Duration::from_secs(120);
    while !holds() {
        if Instant::now() > limit {
            return Err(format!("{what} did not come").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Asks for a password of everybody who does not come through the server's own socket.
fn with_scram(stage: &Stage, password: &str) -> Outcome {
    let server = stage.lab.uri(stage.source_server)?.to_owned();
    let quoted = password.replace('\'', "''");
    stage.script(&server, &format!("ALTER ROLE postgres PASSWORD '{quoted}';\n"))?;
    stage.sql(
        &server,
        "COPY (SELECT unnest(ARRAY['local all all trust', 'host all all all scram-sha-256'])) TO PROGRAM 'cat > pg_hba.conf'",
    )?;
    stage.sql(&server, "SELECT pg_reload_conf()")?;
    Ok(())
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

#[test]
fn a_tool_gets_one_password_in_a_private_file_and_nothing_else_of_ours() -> Outcome {
    let test = "a_tool_gets_one_password_in_a_private_file_and_nothing_else_of_ours";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let recorder = Recorder::new(stage.lab.programs()?)?;
    let password = r"hunter2:\ pass'word# größe 表";
    with_scram(&stage, password)?;
    let at = stage.source.split_once('@').ok_or("a user")?.1.to_owned();
    let source = format!("postgres://postgres:{}@{at}", percent(password));
    let secret =
        stage.target.split(':').nth(2).and_then(|rest| rest.split('@').next()).ok_or("no password")?;
    let temporary = tempfile::tempdir()?;
    let command = |arguments: &[&str]| {
        let mut command = program();
        command.args(["migrate", "--pg-bin"]).arg(recorder.bin()).args(arguments);
        command.arg("--work-dir").arg(&stage.work);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", temporary.path()).env("SOURCE", &source).env("TARGET", &stage.target);
        command.env("PGOPTIONS", "-c app.token=hunter2options").env("PGPASSWORD", "hunter2environment");
        command.env("PGSERVICEFILE", "/nowhere/hunter2").env("MY_OWN_SECRET", "hunter2mine");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let left = || fs::read_dir(temporary.path()).map_or(usize::MAX, Iterator::count);
    let output = command(&["--dry-run"]).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("hunter2") && !said.contains(secret), "{said}");
    let environments = recorder.read("env")?;
    assert_eq!(environments.len(), 3, "roles, and the schema in two parts");
    for environment in &environments {
        let names: Vec<&str> =
            environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        // The shell that notes it adds some of its own.
        let allowed =
            ["PATH", "HOME", "LC_ALL", "PGCLIENTENCODING", "PGOPTIONS", "PWD", "OLDPWD", "SHLVL", "_"];
        assert!(names.iter().all(|name| allowed.contains(name)), "{environment}");
        let secrets =
            environment.lines().filter(|line| line.contains("hunter2") && !line.starts_with("PGOPTIONS="));
        assert_eq!(secrets.count(), 0, "{environment}");
        assert!(!environment.contains(secret), "{environment}");
    }
    let user = fs::metadata("/proc/self").map(|about| std::os::unix::fs::MetadataExt::uid(&about))?;
    for (ending, expected) in [
        ("mode", format!("600 {user}\n700 {user}\n")),
        ("passwords", r"*:*:*:*:hunter2\:\\ pass'word# größe 表".to_owned() + "\n"),
    ] {
        let found = recorder.read(ending)?;
        assert!(found.len() == 3 && found.iter().all(|found| *found == expected), "{ending}: {found:?}");
    }
    for arguments in recorder.read("args")? {
        assert!(!arguments.contains("hunter2") && !arguments.contains(secret), "{arguments}");
    }
    let gone = |files: &[String]| files.iter().all(|file| !Path::new(file.trim()).exists());
    assert!(gone(&recorder.read("file")?) && left() == 0, "the files are gone");

    // Whatever ends the program, they go.
    fs::write(recorder.notes().join("wait"), "")?;
    for signal in ["INT", "TERM", "KILL"] {
        let _ = fs::remove_file(recorder.notes().join("waiting"));
        let mut child = command(&["--dry-run"]).spawn()?;
        until("pg_dump", || recorder.notes().join("waiting").exists())?;
        assert!(left() > 0);
        let status = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status()?;
        assert!(status.success());
        child.wait()?;
        until(&format!("the end of the password files after {signal}"), || left() == 0)?;
    }
    fs::remove_file(recorder.notes().join("wait"))?;

    // A password that a file cannot hold is refused, with words.
    with_scram_line(&stage)?;
    let mut broken = command(&["--dry-run"]);
    let output = broken.env("SOURCE", format!("postgres://postgres:two%0Alines@{at}")).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("it has a line break") && said.contains("give the role another password"),
        "{said}"
    );
    Ok(())
}

/// A password of two lines.
fn with_scram_line(stage: &Stage) -> Outcome {
    let socket = stage.lab.folder().join("source17/run");
    let port =
        stage.source.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split('/').next()).ok_or("a port")?;
    let uri = format!("host={} port={port} user=postgres dbname=postgres", socket.display());
    stage.sql(&uri, "ALTER ROLE postgres PASSWORD E'two\\nlines'").map(drop)
}

/// A dump with a secret in every place that the analysis speaks of, each `hunter2` with a letter of its own.
const SECRETS: &str = "\
CREATE ROLE app;
ALTER ROLE app WITH SUPERUSER LOGIN PASSWORD 'hunter2a';
CREATE ROLE \"old\" WITH LOGIN PASSWORD 'md5hunter2';
ALTER ROLE app SET log_min_duration_statement TO '0';
ALTER ROLE app SET app.api_token TO 'hunter2b' ;
ALTER DATABASE shop SET my.password TO hunter2c;
ALTER SYSTEM SET archive_command = 'curl -u u:hunter2d https://h';
ALTER SYSTEM SET primary_conninfo = 'host=h password=hunter2e';
CREATE TABLESPACE fast OWNER app LOCATION 'postgres://u:hunter2f@h/d';
CREATE EXTENSION dblink;
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host 'h', wallet 'hunter2g');
CREATE USER MAPPING FOR app SERVER far OPTIONS (\"user\" 'u', password 'hunter2h');
CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2i' PUBLICATION p;
CREATE TABLE public.t (a integer, api_key text DEFAULT 'hunter2j') TABLESPACE fast;
CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dblink_connect('c', 'host=h password=hunter2k');
  COPY public.t TO PROGRAM 'aws s3 cp - s3://b --key hunter2l';
  EXECUTE 'ALTER ROLE app PASSWORD ''hunter2m''';
  COPY public.t TO '/tmp/x';
END $$;
COPY public.t FROM PROGRAM 'curl https://u:hunter2n@h/x';
SELECT dblink('postgres://u:hunter2o@h/d', 'SELECT 1');
COMMENT ON EXTENSION dblink IS 'password: hunter2p';
CREATE ROLE app PASSWORD 'hunter2q';
GRANT pg_read_server_files TO app; -- token=hunter2r
ALTER ROLE postgres PASSWORD 'hunter2s';
ALTER ROLE tsdbadmin PASSWORD 'hunter2t' NOSUPERUSER;
CREATE ROLE broken PASSWORD 'hunter2u' NONSENSE NONSENSE;
\\connect postgres://u:hunter2v@h/d
\\setenv PGPASSWORD hunter2w
\\! curl -u u:hunter2x h --token hunter2y
SET app.jwt = 'hunter2z'; SET default_tablespace = fast;
";

#[test]
fn no_format_shows_a_secret_and_the_rewrite_keeps_them_all() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("dump.sql"), SECRETS)?;
    let run = |arguments: &[&str]| -> Result<Output, std::io::Error> {
        program().current_dir(folder.path()).args(arguments).output()
    };
    let hidden = |what: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("hunter2")).collect();
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    };
    let accept = ["--accept", "EXT-01,FDW-01,REP-04,SU-23,FN-01,SU-19,IN-11,ROLE-01"];
    for format in ["text", "json", "sarif", "github", "markdown", "html"] {
        for accept in [&[][..], &accept] {
            let mut arguments = vec!["check", "dump.sql", "--format", format];
            if format == "text" || format == "github" {
                arguments.push("--all");
            }
            arguments.extend(accept);
            let output = run(&arguments)?;
            assert_eq!(output.status.code(), Some(1), "{format}: {output:?}");
            assert!(output.stdout.len() > 500, "{format}: {output:?}");
            hidden(format, &output.stdout);
            hidden(format, &output.stderr);
        }
    }
    let mut arguments = vec!["rewrite", "dump.sql", "--diff"];
    arguments.extend(accept);
    let output = run(&arguments)?;
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .contains("-ALTER ROLE app WITH SUPERUSER LOGIN PASSWORD '…';")
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("secrets are masked in the diff"), "{output:?}");
    hidden("--diff", &output.stdout);
    hidden("--diff", &output.stderr);
    let mut arguments = vec![
        "rewrite",
        "dump.sql",
        "-o",
        "new.sql",
        "--log",
        "log.txt",
        "--report",
        "report.html",
        "--report",
        "report.json",
    ];
    arguments.extend(accept);
    let output = run(&arguments)?;
    hidden("rewrite", &output.stdout);
    hidden("rewrite", &output.stderr);
    for name in ["log.txt", "report.html", "report.json"] {
        hidden(name, &fs::read(folder.path().join(name))?);
    }
    let new = fs::read_to_string(folder.path().join("new.sql"))?;
    for letter in 'a'..='z' {
        assert!(new.contains(&format!("hunter2{letter}")), "hunter2{letter} is lost");
    }
    Ok(())
}

/// Names that mean harm to a terminal, a page or a workflow.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\u{9b}31m\u{202e}\u{2066}";

/// What a terminal would take from a text, other than colours, which the program itself writes.
fn steering(text: &str) -> Vec<char> {
    let mut rest = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // ESC [ 1 ; 3 1 m
        if c == '\u{1b}' && chars.peek() == Some(&'[') {
            let ahead: String =
                chars.clone().skip(1).take_while(|c| c.is_ascii_digit() || *c == ';').collect();
            if chars.clone().nth(1 + ahead.len()) == Some('m') {
                chars.nth(1 + ahead.len());
                continue;
            }
        }
        rest.push(c);
    }
    rest.chars().filter(|c| !matches!(c, '\n' | '\t') && tsmigrate_analyzer::clean::steers(*c)).collect()
}

#[test]
fn no_output_steers_a_terminal_and_files_keep_every_byte() -> Outcome {
    let folder = tempfile::tempdir()?;
    let name = format!("t{HOSTILE}");
    let dump = format!(
        "CREATE ROLE \"{name}\";\nCREATE TABLE public.\"{name}\" (a integer) TABLESPACE \"{name}\";\n\
         ALTER TABLE public.\"{name}\" OWNER TO \"{name}\";\nCREATE EXTENSION \"{name}\";\n\
         COMMENT ON TABLE public.\"{name}\" IS '%0A::error::x | `b` [c](http://d) <script>';\n\
         GRANT pg_monitor TO \"{name}\n::error title=x::y\";\nSELECT {HOSTILE};\n\\connect \"{name}\"\n"
    );
    fs::write(folder.path().join("dump.sql"), &dump)?;
    for format in ["text", "json", "sarif", "github", "markdown", "html"] {
        let output = program()
            .current_dir(folder.path())
            .args(["--color", "always", "check", "dump.sql", "--format", format])
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        assert_eq!(steering(&said), [], "{format}: {said}");
        if format == "github" {
            let commands = said.lines().filter(|line| line.starts_with("::")).count();
            assert_eq!(commands, said.matches("title=").count() - said.matches("title=x").count(), "{said}");
            assert!(
                !said
                    .lines()
                    .any(|line| line.starts_with("::error title=x") || line.starts_with("::error::x"))
            );
        }
        assert_eq!(steering(&String::from_utf8(output.stderr)?), [], "{format}");
    }
    // To a pipe or a file every byte is the dump's.
    let output = program().current_dir(folder.path()).args(["rewrite", "-q", "dump.sql"]).output()?;
    assert!(String::from_utf8(output.stdout)?.contains(&format!("CREATE ROLE \"{name}\";\n")));
    for arguments in
        ["rewrite dump.sql", "rewrite dump.sql --diff", "rewrite dump.sql -o /dev/stdout", "check dump.sql"]
    {
        let command = format!("{} {arguments} 2>/dev/null", program::path().display());
        let test = "no_output_steers_a_terminal_and_files_keep_every_byte";
        let Some(said) = program::on_terminal(test, &command, folder.path(), &[])? else { return Ok(()) };
        // The terminal itself puts a CR before each line's end.
        let said = said.replace("\r\n", "\n");
        assert!(said.contains("␛[2J"), "{arguments}: {said}");
        assert_eq!(steering(&said), [], "{arguments}: {said}");
    }
    Ok(())
}

#[test]
fn links_in_an_output_directory_are_not_followed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("dump.sql"), "SET default_tablespace = a;\n")?;
    fs::write(path("victim"), "theirs")?;
    fs::create_dir(path("out"))?;
    symlink(path("victim"), path("out/dump.sql"))?;
    let run = |arguments: &[&str]| program().current_dir(folder.path()).args(arguments).output();
    let output = run(&["rewrite", "dump.sql", "--output-dir", "out"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("is a symbolic link"), "{said}");
    assert_eq!(fs::read_to_string(path("victim"))?, "theirs");
    // A link that was named itself stays a link, and is written through.
    symlink(path("victim"), path("named.sql"))?;
    let output = run(&["rewrite", "-q", "dump.sql", "-o", "named.sql"])?;
    assert!(output.status.success(), "{output:?}");
    assert!(
        path("named.sql").is_symlink()
            && fs::read_to_string(path("victim"))?.contains("default_tablespace = ''")
    );
    let output = run_with(program().args(["rewrite", "-q", "-", "-o", "/dev/stdout"]), b"SELECT 1;\n")?;
    assert_eq!(output.stdout, b"SELECT 1;\n");
    Ok(())
}

#[test]
fn a_migration_moves_secrets_and_tells_none() -> Outcome {
    let test = "a_migration_moves_secrets_and_tells_none";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE ROLE app LOGIN PASSWORD 'hunter2a'; ALTER ROLE app SET app.api_token = 'hunter2b with blanks';
         CREATE TABLE t (a int PRIMARY KEY, api_key text DEFAULT 'hunter2d');
         ALTER ROLE app SUPERUSER; ALTER ROLE app SET log_statement = 'all';
         CREATE EXTENSION dblink;
         CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COPY t TO PROGRAM 'curl hunter2f'; END $$;
         CREATE VIEW v AS SELECT * FROM dblink('host=h password=hunter2g', 'SELECT 1') AS t(a int);
         CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 password=hunter2h' PUBLICATION p WITH (connect = false);
         COMMENT ON TABLE t IS 'token: hunter2i'; INSERT INTO t VALUES (1), (2);",
    )?;
    let hidden = |what: &str, text: &str| {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("hunter2")).collect();
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    };
    let accept = ["--accept", "EXT-01,FDW-01,REP-04,SU-23,FN-01"];
    let (_, report, all) = stage.migrate(&[&["--dry-run"], &accept[..]].concat())?;
    hidden("--dry-run", &all);
    assert!(report["scripts"].to_string().contains("…"), "left-out.sql names what is masked: {report:#}");
    let (code, _, all) = stage.migrate(&accept)?;
    assert_eq!(code, 0, "{all}");
    hidden("migrate", &all);
    for entry in fs::read_dir(&stage.work)? {
        let path = entry?.path();
        hidden(&path.to_string_lossy(), &fs::read_to_string(&path)?);
    }
    let ask = |sql| stage.sql(&stage.admin, sql);
    assert_eq!(ask("SELECT api_key FROM t WHERE a = 1")?, "hunter2d");
    assert_eq!(ask("SELECT count(*) FROM pg_proc WHERE prosrc ~ 'curl hunter2f'")?, "1");
    assert_eq!(ask("SELECT obj_description('t'::regclass)")?, "token: hunter2i");
    // A difference of secrets is named, and not shown.
    stage.sql(&stage.source, "ALTER DATABASE shop SET my.password = 'hunter2c'")?;
    stage.sql(&stage.admin, "ALTER DATABASE tsdb SET my.password = 'hunter2x'; ALTER TABLE t ALTER api_key SET DEFAULT 'hunter2y'")?;
    let output =
        program().args(["verify", "--source", &stage.source]).env("TARGET", &stage.target).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("my.password='…'") && said.contains("t.api_key"), "{said}");
    hidden("verify", &said);
    Ok(())
}
