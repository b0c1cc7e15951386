//! `tsmigrate check` of live databases: what it finds on real servers, and that it changes nothing and tells no secret.

use std::error::Error;
use std::process::{Command, Stdio};

use serde_json::Value;
use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::program::program;

type Outcome = Result<(), Box<dyn Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/migrate");

/// A server of the lab with a database `shop`.
struct Stage {
    lab: Lab,
    server: Server,
    shop: String,
}

impl Stage {
    fn new(test: &str, server: Server, others: &[Server]) -> Result<Option<Self>, Box<dyn Error>> {
        let servers = [&[server], others].concat();
        let Some(lab) = Lab::start_or_skip(test, &servers)? else { return Ok(None) };
        let uri = lab.uri(server)?.to_owned();
        let base = uri.split('?').next().and_then(|uri| uri.rsplit_once('/')).ok_or("no database")?.0;
        let stage = Self { shop: format!("{base}/shop"), lab, server };
        stage.sql(&uri, "CREATE DATABASE shop")?;
        Ok(Some(stage))
    }

    /// Runs SQL, through standard input: the client may live in a root folder of its own.
    fn sql(&self, uri: &str, sql: &str) -> Result<String, Box<dyn Error>> {
        use std::io::Write;

        let mut child = Command::new(self.lab.programs()?.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().ok_or("no pipe")?.write_all(sql.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn fixture(&self, name: &str) -> Outcome {
        let text = std::fs::read_to_string(format!("{FIXTURES}/{name}"))?;
        self.sql(&self.shop, &text).map(drop)
    }

    /// The database as another user.
    fn shop_as(&self, user: &str) -> Result<String, Box<dyn Error>> {
        let at = self.shop.find('@').ok_or("no user")?;
        Ok(format!("postgres://{user}{}", &self.shop[at..]))
    }

    /// Its exit status, its report, and all that it wrote in both formats.
    fn check(&self, arguments: &[&str]) -> Result<(i32, Value, String), Box<dyn Error>> {
        let run = |format: &str| -> Result<_, Box<dyn Error>> {
            let mut command = program();
            command.args(["check", "--no-config", "--format", format, "--pg-bin"]);
            Ok(command.arg(self.lab.programs()?).args(arguments).output()?)
        };
        let (json, text) = (run("json")?, run("text")?);
        let all = [&json.stdout, &json.stderr, &text.stdout, &text.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .concat();
        assert_eq!(json.status, text.status, "{all}");
        let report = serde_json::from_slice(&json.stdout).map_err(|error| format!("{error}: {all}"))?;
        Ok((json.status.code().ok_or("killed")?, report, all))
    }

    /// How many transactions have written, and every setting and job that a careless look could change.
    fn state(&self) -> Result<String, Box<dyn Error>> {
        self.sql(
            self.lab.uri(self.server)?,
            "SELECT pg_current_snapshot(), (SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles), \
             (SELECT string_agg(s::text, ',' ORDER BY 1) FROM pg_db_role_setting s)",
        )
    }
}

/// The messages of a rule.
fn messages(report: &Value, rule: &str) -> Vec<String> {
    let findings = report["findings"].as_array().into_iter().flatten();
    findings
        .filter(|finding| finding["rule"] == rule)
        .map(|finding| finding["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_live_database_is_checked_with_what_only_its_server_knows() -> Outcome {
    let test = "a_live_database_is_checked_with_what_only_its_server_knows";
    let Some(stage) = Stage::new(test, Server::Source15, &[])? else { return Ok(()) };
    stage.fixture("plain.sql")?;
    let server = stage.lab.uri(stage.server)?.to_owned();
    stage.sql(&server, "CREATE DATABASE \"other one\"")?;
    stage.sql(
        &stage.shop,
        "ALTER ROLE ALL SET work_mem = '5MB'; CREATE TABLE app.held (x int); ALTER EXTENSION citext ADD TABLE app.held; \
         DO $$ BEGIN EXECUTE 'COMMENT ON TYPE ' || to_regtype('citext') || ' IS ''ours'''; END $$; \
         CREATE TABLE app.unchecked (id int REFERENCES app.customer); ALTER TABLE app.unchecked DISABLE TRIGGER ALL",
    )?;
    stage.sql(&stage.shop, "ANALYZE")?;
    let before = stage.state()?;
    let (code, report, all) = stage.check(&[&stage.shop])?;
    assert_eq!((code, &report["verdict"]), (1, &"ready-after-rewrite".into()), "{all}");
    assert_eq!(stage.state()?, before, "something was written");
    for secret in ["app-owner-secret", "weird-secret", "SCRAM-SHA-256"] {
        assert!(!all.contains(secret), "{secret} is in the output");
    }
    let names: Vec<&str> = report["inputs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|input| input["name"].as_str())
        .collect();
    let place = format!("postgres://{}", stage.shop.split('@').nth(1).ok_or("no host")?);
    assert_eq!(names, [place.as_str(), "pg_dumpall --roles-only", "pg_dump --schema-only"]);
    // From the dumps, and from the server.
    assert!(!messages(&report, "OWN-01").is_empty(), "{all}");
    assert!(messages(&report, "DB-02")[0].contains("\"other one\""), "{all}");
    assert!(messages(&report, "SRV-01")[0].contains("app.event"), "{all}");
    assert_eq!(messages(&report, "SRV-10"), ["large objects are moved one by one: 1"]);
    assert_eq!(messages(&report, "SRV-13"), [""; 0]);
    let omitted: Vec<_> = messages(&report, "SRV-15")
        .iter()
        .filter_map(|message| message.split_once(": ").map(|(object, _)| object.to_owned()))
        .collect();
    let expected = [
        "table app.held",
        "comment on type public.citext",
        "foreign key unchecked_id_fkey on app.unchecked",
        "setting work_mem of all roles",
    ];
    assert_eq!(omitted, expected, "{all}");
    let live = report["findings"].as_array().into_iter().flatten().find(|f| f["rule"] == "SRV-01");
    assert_eq!(live.map(|finding| (&finding["file"], &finding["line"])), Some((&place.into(), &0.into())));
    Ok(())
}

#[test]
fn what_stands_in_the_way_of_a_dump_is_found() -> Outcome {
    let test = "what_stands_in_the_way_of_a_dump_is_found";
    let Some(stage) = Stage::new(test, Server::Source15, &[])? else { return Ok(()) };
    stage.sql(
        &stage.shop,
        "CREATE ROLE reader LOGIN; CREATE TABLE open (x int); CREATE TABLE closed (x int); CREATE TABLE guarded (x int);
         GRANT SELECT ON open, guarded TO reader; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
         CREATE COLLATION german (provider = icu, locale = 'de-DE');",
    )?;
    // The lab's servers write no logical WAL and prepare nothing.
    let (code, report, all) = stage.check(&[&stage.shop_as("reader")?])?;
    assert_eq!(code, 1, "{all}");
    assert_eq!(messages(&report, "SRV-02"), ["reader cannot read public.closed: pg_dump fails there"]);
    assert_eq!(
        messages(&report, "SRV-03"),
        ["row-level security holds for reader: pg_dump cannot read public.guarded"]
    );
    assert!(messages(&report, "SRV-13")[0].contains("permission denied for table closed"), "{all}");
    assert!(!all.contains("--accept SRV"), "{all}");
    // The server says what the report says.
    let dump = |table: &str| -> Result<String, Box<dyn Error>> {
        let mut dump = Command::new(stage.lab.programs()?.join("pg_dump"));
        let dump = dump.args(["--table", table, "--dbname", &stage.shop_as("reader")?]).output()?;
        Ok(String::from_utf8_lossy(&dump.stderr).into_owned())
    };
    assert!(dump("closed")?.contains("permission denied for table closed"));
    assert!(
        dump("guarded")?
            .contains("query would be affected by row-level security policy for table \"guarded\"")
    );
    assert_eq!(dump("open")?, "");
    // As the owner nothing is in the way.
    let (_, report, _) = stage.check(&[&stage.shop])?;
    assert_eq!(messages(&report, "SRV-02").len() + messages(&report, "SRV-03").len(), 0);
    Ok(())
}

#[test]
fn a_live_target_says_itself_what_it_takes() -> Outcome {
    let test = "a_live_target_says_itself_what_it_takes";
    let Some(stage) = Stage::new(test, Server::Source17, &[Server::Target17])? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    let target = stage.lab.uri(Server::Target17)?.to_owned();
    let (_, report, all) = stage.check(&[&stage.shop, "--target", &target])?;
    // Both ends run the same version: nothing to say.
    assert_eq!(messages(&report, "SRV-06").iter().filter(|m| m.contains("has to run")).count(), 0, "{all}");
    assert_eq!(messages(&report, "SRV-08").len(), 1, "{all}");
    let secret = target.split(':').nth(2).and_then(|rest| rest.split('@').next()).ok_or("no password")?;
    assert!(!all.contains(secret), "the target's password is in the output");
    let (_, report, all) = stage.check(&[&stage.shop])?;
    assert_eq!(messages(&report, "SRV-06").iter().filter(|m| m.contains("has to run")).count(), 1, "{all}");
    // What a migration would stop at is said here as well.
    let admin = stage.lab.admin_uri(Server::Target17)?;
    let (_, report, all) = stage.check(&[&stage.shop, "--target", &target])?;
    assert_eq!(messages(&report, "SRV-17"), Vec::<String>::new(), "{all}");
    stage.sql(&stage.shop, "CREATE ROLE taken")?;
    stage.sql(admin, "CREATE ROLE taken")?;
    stage.sql(&target, "CREATE TABLE mine (i int)")?;
    stage.sql(admin, "ALTER ROLE tsdbadmin CONNECTION LIMIT 3")?;
    let (code, report, all) = stage.check(&[&stage.shop, "--target", &target])?;
    let found = messages(&report, "SRV-17");
    for begin in [
        "the target's database already has objects: ",
        "the target accepts ",
        "another has created the role taken",
    ] {
        assert!(found.iter().any(|found| found.starts_with(begin)), "{begin}: {found:?}\n{all}");
    }
    assert_eq!(code, 1, "{all}");
    stage.sql(&target, "DROP TABLE mine")?;
    stage.sql(admin, "ALTER ROLE tsdbadmin CONNECTION LIMIT -1")?;
    // A role that the target has is known of files too.
    stage.sql(stage.lab.admin_uri(Server::Target17)?, "CREATE ROLE already_there")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("roles.sql");
    std::fs::write(&file, "CREATE ROLE already_there;\n")?;
    let file = file.to_str().ok_or("an odd folder")?;
    let (code, report, _) = stage.check(&[file, "--target", &target])?;
    assert_eq!((code, messages(&report, "ROLE-01").len()), (1, 1));
    assert_eq!(stage.check(&[file])?.0, 0);
    Ok(())
}

#[test]
fn a_database_that_cannot_be_reached_is_an_error_without_its_password() -> Outcome {
    for arguments in [
        &["postgres://u:hunter2@127.0.0.1:1/d"][..],
        &["host=127.0.0.1 port=1 user=u password=hunter2 dbname=d"],
        &["postgres://u:hunter2%zz@h/d"],
        &["postgres://u:hunter2@h/d", "dump.sql"],
        &["postgres://u:hunter2@h/d", "postgres://u:hunter2@h/e"],
        &["dump.sql", "--target", "postgres://u:hunter2@127.0.0.1:1/d"],
    ] {
        let output = program().args(["check", "--no-config"]).args(arguments).output()?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("error: ") && !said.contains("hunter2"), "{said}");
    }
    Ok(())
}

/// States that catalogs tell, made by hand: indexes older than their collation, old transactions, checks of merged chunks.
#[test]
fn states_that_fail_late_are_named() -> Outcome {
    let test = "states_that_fail_late_are_named";
    let Some(stage) = Stage::new(test, Server::Source17, &[])? else { return Ok(()) };
    let server = stage.lab.uri(stage.server)?.to_owned();
    stage.sql(
        &server,
        "CREATE DATABASE \"by icu\" LOCALE_PROVIDER icu ICU_LOCALE 'de' TEMPLATE template0; ALTER SYSTEM SET autovacuum = off;
         SELECT pg_reload_conf()",
    )?;
    let uri = stage.shop.replace("/shop", "/by%20icu");
    stage.sql(
        &uri,
        "CREATE EXTENSION timescaledb; CREATE TABLE words (w text COLLATE \"sv-x-icu\" UNIQUE);
         CREATE TABLE m (at timestamptz NOT NULL, v int CONSTRAINT constraint_77 CHECK (v > 0));
         SELECT create_hypertable('m', 'at'); INSERT INTO m VALUES ('2024-01-01', 1), ('2024-03-01', 2);",
    )?;
    let (_, report, all) = stage.check(&[&uri])?;
    assert_eq!(messages(&report, "SRV-16"), Vec::<String>::new(), "{all}");
    stage.sql(
        &uri,
        "SET allow_system_table_mods = on; UPDATE pg_database SET datcollversion = '1.1' WHERE datname = 'by icu';
         UPDATE pg_collation SET collversion = '2.2' WHERE collname IN ('sv-x-icu', 'fi-x-icu');
         CREATE TABLE above (a int NOT NULL); CREATE TABLE below () INHERITS (above); ALTER TABLE below ALTER a DROP NOT NULL;
         UPDATE pg_constraint SET conname = 'constraint_999' WHERE contype = 'c' AND conname = 'constraint_2';
         UPDATE pg_database SET datfrozenxid = ((txid_current() - 1600000000 + 4294967296) % 4294967296)::text::xid
           WHERE datname = 'by icu'",
    )?;
    let (_, report, all) = stage.check(&[&uri])?;
    let mut found = messages(&report, "SRV-16");
    found.sort();
    let begins = [
        "NULLs of column public.below.a: it may be NULL, and may not in public.above",
        "checks of merged chunks: constraint_999 on _timescaledb_internal._hyper_1_2_chunk: ",
        "collation of database \"by icu\": its version was 1.1 when indexes were built, and is ",
        "collation pg_catalog.\"sv-x-icu\": its version was 2.2 when indexes were built, and is ",
        "database \"by icu\": its oldest transaction is 1600000",
    ];
    assert_eq!(found.len(), begins.len(), "{found:?} {all}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{begin}: {found}");
    }
    Ok(())
}

#[test]
fn what_somebody_altered_of_the_server_itself_and_rules_of_superusers_are_named() -> Outcome {
    let test = "what_somebody_altered_of_the_server_itself_and_rules_of_superusers_are_named";
    for server in [Server::Source15, Server::Source17] {
        let Some(stage) = Stage::new(test, server, &[])? else { return Ok(()) };
        let (_, report, all) = stage.check(&[&stage.shop])?;
        assert_eq!(messages(&report, "SRV-15"), Vec::<String>::new(), "{all}");
        stage.sql(
            &stage.shop,
            "ALTER TEXT SEARCH CONFIGURATION pg_catalog.english ALTER MAPPING FOR asciiword WITH simple;
             ALTER FUNCTION pg_catalog.lower(text) COST 55; COMMENT ON FUNCTION pg_catalog.now() IS 'ours';
             GRANT EXECUTE ON FUNCTION pg_catalog.upper(text) TO PUBLIC; COMMENT ON SCHEMA public IS 'in dumps';
             GRANT SELECT ON information_schema.tables TO PUBLIC;
             CREATE ROLE boss SUPERUSER; CREATE ROLE app; CREATE TABLE secret (i int); ALTER TABLE secret OWNER TO app;
             CREATE TABLE open (i int); CREATE RULE also AS ON INSERT TO open DO ALSO INSERT INTO secret VALUES (new.i);
             ALTER TABLE open OWNER TO boss",
        )?;
        let (_, report, all) = stage.check(&[&stage.shop])?;
        let found = messages(&report, "SRV-15");
        let begins = [
            "comment on function pg_catalog.now(): it was altered",
            "mappings of text search configuration pg_catalog.english: it was altered",
            "properties of function pg_catalog.lower(pg_catalog.text): it was altered",
        ];
        assert_eq!(found.len(), begins.len(), "{server:?} {found:?} {all}");
        for (found, begin) in found.iter().zip(begins) {
            assert!(found.starts_with(begin), "{server:?} {begin}: {found}");
        }
        let of_rules = messages(&report, "SRV-16");
        let begin = "rules of table public.open: its owner boss uses public.secret as a superuser alone";
        assert!(matches!(&of_rules[..], [one] if one.starts_with(begin)), "{server:?} {of_rules:?} {all}");
    }
    Ok(())
}
