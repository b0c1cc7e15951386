//! What a run tells, and whom it trusts: secrets of a source stay out of every report.

use std::fs;

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program::program;

/// Secrets in settings, options and definitions, each `hunter2` with a letter of its own.
const SECRETS: &str = "
CREATE ROLE app LOGIN;
ALTER ROLE app SET app.api_token = 'hunter2a with blanks';
ALTER ROLE app SET aws.access = 'hunter2b';
ALTER ROLE app IN DATABASE shop SET x.secret_key = 'hunter2c';
ALTER DATABASE shop SET x.secret_key = 'hunter2d';
ALTER DATABASE shop SET \"vault.Pass\" = 'hunter2e';
ALTER DATABASE shop SET app.dbpass = 'hunter2f';
CREATE FOREIGN DATA WRAPPER w OPTIONS (credential 'hunter2g');
CREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (host 'h', wallet 'hunter2h, and more=hunter2h');
CREATE FOREIGN TABLE ft (a int OPTIONS (something 'hunter2i')) SERVER far OPTIONS (bucket 'hunter2j');
CREATE USER MAPPING FOR app SERVER far OPTIONS (\"user\" 'u', wallet 'hunter2k');
CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.signing_key = 'hunter2l' AS 'SELECT 1';
CREATE DOMAIN pw AS text DEFAULT 'hunter2m';
CREATE TABLE t (a int PRIMARY KEY);
CREATE VIEW v AS SELECT a, 'hunter2n'::text AS api_token FROM t;
INSERT INTO t VALUES (1);";

/// The same on the target with other values.
const OTHERS: &str = "
ALTER ROLE app SET aws.access = 'hunter3b';
ALTER DATABASE tsdb SET x.secret_key = 'hunter3d';
CREATE FOREIGN DATA WRAPPER w OPTIONS (credential 'hunter3g');
CREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (host 'i', wallet 'hunter3h');
CREATE FOREIGN TABLE ft (a int OPTIONS (something 'hunter3i')) SERVER far OPTIONS (bucket 'hunter3j');
ALTER DOMAIN pw SET DEFAULT 'hunter3m';
CREATE OR REPLACE VIEW v AS SELECT a, 'hunter3n'::text AS api_token FROM t;";

#[test]
fn secrets_of_settings_and_options_stay_out_of_reports() -> Outcome {
    let test = "secrets_of_settings_and_options_stay_out_of_reports";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(SECRETS)?;
    let hidden = |what: &str, text: &str| {
        let secret = |line: &&str| line.contains("hunter2") || line.contains("hunter3");
        let lines: Vec<&str> = text.lines().filter(secret).collect();
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    };
    let accept = ["--accept", "FDW-01,DEP-01,GUC-02"];
    let (code, report, all) = stage.migrate(&accept)?;
    assert_eq!(code, 0, "{all}");
    hidden("migrate", &all);
    for setting in ["aws.access='…'", "x.secret_key='…'", "app.dbpass='…'"] {
        assert!(report["verification"]["announced"].to_string().contains(setting), "{setting}: {report:#}");
    }
    for entry in fs::read_dir(&stage.work)? {
        let path = entry?.path();
        hidden(&path.to_string_lossy(), &fs::read_to_string(&path)?);
    }
    stage.script(&stage.admin, OTHERS)?;
    let run = |arguments: &[&str]| {
        let output =
            program().args(arguments).env("SOURCE", &stage.source).env("TARGET", &stage.target).output();
        output.map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let pg_bin = stage.programs.to_string_lossy().into_owned();
    for arguments in [
        &["verify"][..],
        &["verify", "--format", "json"],
        &["check", &stage.source, "--all", "--pg-bin", &pg_bin],
        &["check", &stage.source, "--format", "html", "--pg-bin", &pg_bin],
    ] {
        let said = run(arguments)?;
        assert!(said.contains("aws.access") && said.contains("far"), "{arguments:?}: {said}");
        hidden(&format!("{arguments:?}"), &said);
    }
    let said = run(&["verify"])?;
    for line in [
        "aws.access='…' → aws.access='…'",
        "host 'h', wallet '…' → host 'i', wallet '…'",
        "something '…' → something '…'",
        "type default",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    Ok(())
}
