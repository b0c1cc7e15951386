//! Several databases in one: moved into schemas of their own by `rewrite`, `restore` and `migrate`, and asked by their applications.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::program::program;

type Outcome = Result<(), Box<dyn Error>>;

const ROLES: &str = "CREATE ROLE mrg_shop LOGIN; CREATE ROLE mrg_crm LOGIN; CREATE ROLE mrg_reader; GRANT mrg_reader TO mrg_crm;";

/// What an application asks, with the `search_path` that it has there and here.
struct Application {
    database: &'static str,
    before: &'static str,
    after: &'static str,
    questions: &'static [&'static str],
}

const APPLICATIONS: [Application; 3] = [
    Application {
        database: "shop",
        before: "public, audit",
        after: "shop, public, shop_audit",
        questions: &[
            "SELECT string_agg(t::text, ';' ORDER BY name) FROM totals t",
            "SELECT string_agg(s::text, ';' ORDER BY name) FROM spent_all() s",
            "SELECT string_agg(s::text, ';' ORDER BY state) FROM states s",
            "SELECT string_agg(o::text, ';' ORDER BY o) FROM odd o",
            "SELECT string_agg(concat_ws(',', id, state, placed, total, is_paid(o)), ';' ORDER BY id) FROM orders o",
            "SELECT string_agg(concat_ws(',', id, what), ';' ORDER BY id) FROM log WHERE what NOT LIKE 'public%'",
            "INSERT INTO orders (user_id, placed, total) VALUES (1, '2026-05-05', 1) RETURNING id",
            "CALL pay(7)",
            "SELECT string_agg(what, ';' ORDER BY id) FROM log WHERE id > 500 AND what NOT LIKE 'public%'",
            "INSERT INTO users (name) VALUES ('new') RETURNING id, extra",
            "SELECT enum_range(NULL::status), obj_description('users'::regclass), pg_get_serial_sequence('users', 'id') IS NOT NULL",
            "SELECT polname, polroles::regrole[] FROM pg_policy WHERE polrelid = 'users'::regclass",
            "SELECT has_table_privilege('mrg_reader', 'totals', 'SELECT'), has_table_privilege('mrg_reader', 'log', 'SELECT')",
            "SELECT tablename FROM pg_publication_tables WHERE pubname = 'mrg_orders' ORDER BY 1",
            "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'orders'::regclass ORDER BY 1",
        ],
    },
    Application {
        database: "crm",
        before: "public, crm, audit, \"Odd Name\"",
        after: "crm, public, crm_crm, crm_audit, \"crm_Odd Name\"",
        questions: &[
            "SELECT string_agg(p::text, ';' ORDER BY id) FROM people_like('anna') p",
            "SELECT string_agg(t::text, ';' ORDER BY t) FROM tree(1) t",
            "SELECT string_agg(l::text, ';' ORDER BY id) FROM leads l",
            "SELECT string_agg(n::text, ';' ORDER BY id) FROM near n",
            "INSERT INTO people VALUES (4, 'anne') RETURNING state",
            "SELECT string_agg(l::text, ';' ORDER BY id) FROM log l",
            "SELECT longest(name) FROM people",
            "SELECT string_agg(t::text, ';' ORDER BY id) FROM \"T 1\" t",
            "DELETE FROM people WHERE id = 1 RETURNING name",
            "SELECT count(*) FROM \"T 1\"",
            "SELECT string_agg(u::text, ';') FROM users u",
            "SELECT string_agg(c::text, ';' ORDER BY crm) FROM crm c",
            "SELECT id FROM log WHERE to_tsvector('words', note) @@ 'otto'::tsquery",
            "SELECT has_table_privilege('mrg_reader', 'people', 'INSERT')",
        ],
    },
    Application {
        database: "blog",
        before: "public",
        after: "public",
        questions: &["SELECT string_agg(s::text, ';' ORDER BY id) FROM slugs s"],
    },
];

/// The two servers and the folder for files.
struct Stage {
    lab: Lab,
    programs: PathBuf,
}

fn said(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}

impl Stage {
    fn psql(&self, uri: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(self.programs.join("psql"));
        said(command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri]).args(arguments))
    }

    fn file(&self, name: &str) -> String {
        self.lab.folder().join(name).to_string_lossy().into_owned()
    }

    fn ask(&self, uri: &str, path: &str, application: &Application) -> Result<Vec<String>, Box<dyn Error>> {
        let mut answers = Vec::new();
        for question in application.questions {
            let sql = format!("SET search_path = {path}; {question}");
            answers.push(self.psql(uri, &["-c", &sql]).map_err(|error| format!("{question}: {error}"))?);
        }
        Ok(answers)
    }
}

fn at(uri: &str, database: &str) -> String {
    let (server, _) = uri.rsplit_once('/').unwrap_or((uri, ""));
    format!("{server}/{database}")
}

/// Both servers, with the addresses of the source and the target; none where the lab cannot run.
type Staged = Option<(Stage, String, String)>;

/// The databases on the source, and a target that is empty.
fn stage(test: &str, source: Server, target: Server) -> Result<Staged, Box<dyn Error>> {
    let Some(lab) = Lab::start_or_skip(test, &[source, target])? else { return Ok(None) };
    let stage = Stage { programs: lab.programs_of(source)?.to_owned(), lab };
    let from = stage.lab.uri(source)?.to_owned();
    let to = stage.lab.uri(target)?.to_owned();
    stage.psql(&from, &["-c", ROLES])?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/merged");
    for application in &APPLICATIONS {
        stage.psql(&from, &["-c", &format!("CREATE DATABASE {}", application.database)])?;
        let file = fixtures.join(format!("{}.sql", application.database));
        stage.psql(&at(&from, application.database), &["-f", &file.to_string_lossy()])?;
    }
    Ok(Some((stage, from, to)))
}

impl Stage {
    fn all(&self, from: &str) -> Result<String, Box<dyn Error>> {
        let all = self.file("all.sql");
        said(Command::new(self.programs.join("pg_dumpall")).args(["-d", from, "-f", &all]))?;
        Ok(all)
    }

    /// What the applications ask has the same answers on both sides.
    fn answers(&self, from: &str, to: &str) -> Outcome {
        for application in &APPLICATIONS {
            let before = self.ask(&at(from, application.database), application.before, application)?;
            let after = self.ask(to, application.after, application)?;
            for ((question, before), after) in application.questions.iter().zip(before).zip(after) {
                assert_eq!(before, after, "{}: {question}", application.database);
            }
        }
        Ok(())
    }

    /// `tsmigrate restore`: its status, and what it says.
    fn restore(&self, to: &str, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        self.tsmigrate(&[&["restore", "--target", to, "--progress", "none"], arguments].concat())
    }

    /// `tsmigrate migrate` of one database.
    fn migrate(&self, from: &str, to: &str, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        let tools = self.programs.to_string_lossy();
        let servers = ["migrate", "--source", from, "--target", to, "--progress", "none", "--pg-bin", &tools];
        self.tsmigrate(&[&servers, arguments].concat())
    }

    fn tsmigrate(&self, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        let output = program().args(arguments).current_dir(self.lab.folder()).output()?;
        let words = [output.stdout, output.stderr].concat();
        Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&words).into_owned()))
    }
}

/// Where each database goes.
const INTO: [&str; 6] =
    ["--into-schema", "shop=shop", "--into-schema", "crm=crm", "--map-schema", "blog:public=public"];

fn rewritten(test: &str, source: Server, target: Server) -> Outcome {
    let Some((stage, from, to)) = stage(test, source, target)? else { return Ok(()) };
    let all = stage.all(&from)?;
    let rewritten = stage.file("merged.sql");
    let output = program().args(["rewrite", &all, "-o", &rewritten, "--no-config"]).args(INTO).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}\n{}", String::from_utf8_lossy(&output.stdout));
    stage.psql(&to, &["-f", &rewritten]).map_err(|error| {
        let kept = std::env::temp_dir().join("merged.sql");
        let _ = fs::copy(&rewritten, &kept);
        format!("{error}\n({})", kept.display())
    })?;
    stage.answers(&from, &to)
}

#[test]
fn three_databases_answer_from_one_on_17() -> Outcome {
    rewritten("three_databases_answer_from_one_on_17", Server::Source17, Server::Target17)
}

#[test]
fn three_databases_answer_from_one_on_18() -> Outcome {
    rewritten("three_databases_answer_from_one_on_18", Server::Source18, Server::Target18)
}

#[test]
fn a_cluster_is_restored_into_schemas_of_one_database() -> Outcome {
    let test = "a_cluster_is_restored_into_schemas_of_one_database";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let all = stage.all(&from)?;
    let several = [&[all.as_str()], &INTO[..]].concat();
    let meeting = ["--map-schema", "crm:audit=shop_audit"];
    let (status, words) = stage.restore(&to, &[&several[..], &meeting].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("databases-meet") && words.contains("schema shop_audit"), "{words}");
    assert!(words.contains("nothing was written"), "{words}");
    let (status, words) = stage.restore(&to, &several)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("restored and verified").count(), 3, "{words}");
    stage.answers(&from, &to)?;
    // What applications have asked has left traces: compared is what nobody writes to.
    let found = compared(&stage, &at(&from, "blog"), &to, "tsmigrate-blog")?;
    assert_eq!(found, None);
    // All of it is known to have arrived; and once more it would meet itself.
    let (status, words) = stage.restore(&to, &[&several[..], &["--resume"]].concat())?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 3), "{words}");
    let again = [&several[..], &["--work-dir", "again"]].concat();
    let (status, words) = stage.restore(&to, &again)?;
    assert_eq!(status, 2, "{words}");
    for found in ["name-exists", "public.posts", "cannot begin, and nothing was written of any"] {
        assert!(words.contains(found), "{found}: {words}");
    }
    Ok(())
}

#[test]
fn archives_come_into_schemas_beside_each_other_and_are_given_up_alone() -> Outcome {
    let test = "archives_come_into_schemas_beside_each_other_and_are_given_up_alone";
    let Some((stage, from, to)) = stage(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let roles = stage.file("roles.sql");
    said(Command::new(stage.programs.join("pg_dumpall")).args(["-d", &from, "--roles-only", "-f", &roles]))?;
    // A row that the target refuses, so that the run ends in the middle.
    stage.psql(
        &at(&from, "crm"),
        &["-c", "CREATE TABLE crm.kept (of regclass); INSERT INTO crm.kept VALUES ('crm.people')"],
    )?;
    stage.psql(&at(&from, "crm"), &["-c", "SELECT lo_from_bytea(7700, 'x')"])?;
    stage.psql(&at(&from, "shop"), &["-c", "SELECT lo_from_bytea(7701, 'y')"])?;
    for (database, format) in [("shop", "-Fc"), ("crm", "-Fd"), ("blog", "-Ft")] {
        let file = stage.file(database);
        said(Command::new(stage.programs.join("pg_dump")).args([
            format,
            "-C",
            "-d",
            &at(&from, database),
            "-f",
            &file,
        ]))?;
    }
    let with = ["--roles", roles.as_str()];
    let (status, words) = stage.restore(&to, &[&["shop", "--into-schema", "shop"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?, None);
    let shop = "SELECT count(*), sum(total) FROM shop.orders";
    let before = stage.psql(&to, &["-c", shop])?;
    let crm = [&["crm", "--into-schema", "crm"], &with[..]].concat();
    let (status, words) = stage.restore(&to, &crm)?;
    assert_eq!(status, 1, "a column of names is a decision: {words}");
    assert!(words.contains("MAP-04"), "{words}");
    let (status, words) = stage.restore(&to, &[&crm[..], &["--accept", "MAP-04"]].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("crm_crm.kept"), "{words}");
    assert_eq!(stage.psql(&to, &["-c", "SELECT to_regclass('crm_crm.people') IS NOT NULL"])?, "t");
    let output = program()
        .args(["cleanup", "--drop-target", "--work-dir", "tsmigrate-crm", "--target", &to])
        .current_dir(stage.lab.folder())
        .output()?;
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}");
    let left = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^(crm|shop|_tsmigrate)'";
    assert_eq!(stage.psql(&to, &["-c", left])?, "shop shop_audit");
    assert_eq!(stage.psql(&to, &["-c", shop])?, before);
    assert_eq!(
        stage.psql(&to, &["-c", "SELECT string_agg(oid::text, ' ') FROM pg_largeobject_metadata"])?,
        "7701"
    );
    // The name is not in the way any more, and the rows are as the target wants them.
    stage.psql(&at(&from, "crm"), &["-c", "DROP TABLE crm.kept"])?;
    let crm_again = ["-Fc", "-C", "-d", &at(&from, "crm"), "-f", &stage.file("crm2")];
    said(Command::new(stage.programs.join("pg_dump")).args(crm_again))?;
    let (status, words) = stage.restore(&to, &[&["crm2", "--into-schema", "crm"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    let (status, words) =
        stage.restore(&to, &[&["blog", "--map-schema", "public=public"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    stage.answers(&from, &to)
}

/// Whether a table that is filled is on the target.
const LOG_IS_THERE: &str = "SELECT to_regclass('crm_audit.log') IS NOT NULL";

#[test]
fn a_restore_beside_others_that_was_killed_goes_on() -> Outcome {
    let test = "a_restore_beside_others_that_was_killed_goes_on";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 60000) n";
    stage.psql(&at(&from, "crm"), &["-c", &format!("SET search_path = audit; {rows}")])?;
    let all = stage.all(&from)?;
    let arguments = [&[all.as_str()], &INTO[..], &["--target", to.as_str(), "--progress", "none"]].concat();
    let mut killed = 0;
    for round in 0..3_u64 {
        let mut command = program();
        command.arg("restore").args(&arguments).current_dir(stage.lab.folder());
        if round > 0 {
            command.arg("--resume");
        }
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        // The first as soon as it has begun to write, however fast the machine is; the others at a later time.
        while round == 0 && child.try_wait()?.is_none() && stage.psql(&to, &["-c", LOG_IS_THERE])? != "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        std::thread::sleep(std::time::Duration::from_millis(200 + 2_800 * round));
        killed += u32::from(child.try_wait()?.is_none());
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait()?;
    }
    assert!(killed > 0, "none was killed while it ran");
    let (status, words) = stage.restore(&to, &[&[all.as_str()], &INTO[..], &["--resume"]].concat())?;
    assert_eq!(status, 0, "{words}");
    stage.answers(&from, &to)
}

/// What a comparison finds different; none where it says that all is equal.
fn compared(stage: &Stage, from: &str, to: &str, work: &str) -> Result<Option<String>, Box<dyn Error>> {
    let arguments = ["verify", "--source", from, "--target", to, "--work-dir", work];
    let (status, words) = stage.tsmigrate(&arguments)?;
    assert!([0, 1].contains(&status), "{words}");
    Ok((status == 1).then_some(words))
}

fn migrated(test: &str, source: Server, target: Server) -> Outcome {
    let Some((stage, from, to)) = stage(test, source, target)? else { return Ok(()) };
    let (shop, crm) = (at(&from, "shop"), at(&from, "crm"));
    let both = ["--into-schema", "shop", "--source", &crm, "--into-schema", "crm"];
    let (status, words) = stage.migrate(&shop, &to, &both)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("migrated and verified").count(), 2, "{words}");
    let (status, words) = stage.migrate(&shop, &to, &[&both[..], &["--resume"]].concat())?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 2), "{words}");
    let (status, words) = stage.migrate(&at(&from, "blog"), &to, &["--map-schema", "public=public"])?;
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("migrated and verified"), "{words}");
    for database in ["shop", "crm", "blog"] {
        let found = compared(&stage, &at(&from, database), &to, &format!("tsmigrate-{database}"))?;
        assert_eq!(found, None, "{database}");
    }
    // What is said to stay as it is, is no difference.
    stage.psql(&from, &["-c", "CREATE DATABASE texts"])?;
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/merged/texts.sql");
    stage.psql(&at(&from, "texts"), &["-f", &texts.to_string_lossy()])?;
    let (status, words) = stage.migrate(&at(&from, "texts"), &to, &["--into-schema", "texts"])?;
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("trigger watch on") && words.contains("MAP-01"), "{words}");
    let accepted = ["--into-schema", "texts", "--accept", "MAP-01,MAP-02,MAP-03"];
    let (status, words) = stage.migrate(&at(&from, "texts"), &to, &accepted)?;
    assert_eq!(status, 0, "{words}");
    let two = ["--into-schema", "one", "--map-schema", "audit=one"];
    let (status, words) = stage.migrate(&shop, &to, &[&two[..], &["--work-dir", "one"]].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("would both become one"), "{words}");
    // The comparison sees what is not as it was, and that alone.
    stage.psql(&to, &["-c", "ALTER FUNCTION shop.spent(int) RESET search_path"])?;
    stage.psql(&to, &["-c", "CREATE TABLE shop.more (a int); REVOKE SELECT ON shop.totals FROM mrg_reader; \
        UPDATE shop_audit.log SET what = 'changed' WHERE id = 1; COMMENT ON TABLE shop.users IS 'users of the shop'"])?;
    let words = compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?.ok_or("it is equal")?;
    for found in ["shop.spent", "shop.more", "shop.totals", "shop_audit.log", "on table shop.users"] {
        assert!(words.contains(found), "{found}: {words}");
    }
    assert!(words.contains("6 differences"), "{words}");
    assert_eq!(compared(&stage, &at(&from, "crm"), &to, "tsmigrate-crm")?, None);
    // What a second one would meet is known before.
    let (status, words) =
        stage.migrate(&at(&from, "blog"), &to, &["--into-schema", "crm", "--work-dir", "again"])?;
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("schema-exists") && words.contains("nothing was written"), "{words}");
    Ok(())
}

#[test]
fn databases_migrate_beside_each_other_and_are_equal_on_17() -> Outcome {
    migrated("databases_migrate_beside_each_other_and_are_equal_on_17", Server::Source17, Server::Target17)
}

#[test]
fn databases_migrate_beside_each_other_and_are_equal_on_18() -> Outcome {
    migrated("databases_migrate_beside_each_other_and_are_equal_on_18", Server::Source18, Server::Target18)
}

#[test]
fn a_migration_beside_others_that_was_killed_goes_on_or_is_given_up_alone() -> Outcome {
    let test = "a_migration_beside_others_that_was_killed_goes_on_or_is_given_up_alone";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 90000) n";
    stage.psql(&at(&from, "crm"), &["-c", &format!("SET search_path = audit; {rows}")])?;
    let (status, words) = stage.migrate(&at(&from, "shop"), &to, &["--into-schema", "shop"])?;
    assert_eq!(status, 0, "{words}");
    let crm = at(&from, "crm");
    let tools = stage.programs.to_string_lossy().into_owned();
    // As soon as it has begun to copy.
    let kill = || -> Result<bool, Box<dyn Error>> {
        let mut command = program();
        command.args([
            "migrate",
            "--source",
            &crm,
            "--target",
            &to,
            "--progress",
            "none",
            "--pg-bin",
            &tools,
        ]);
        command.args(["--into-schema", "crm", "--max-rate", "2MB"]).current_dir(stage.lab.folder());
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        while child.try_wait()?.is_none() && stage.psql(&to, &["-c", LOG_IS_THERE])? != "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        std::thread::sleep(std::time::Duration::from_millis(700));
        let killed = child.try_wait()?.is_none();
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait()?;
        Ok(killed)
    };
    assert!(kill()?, "it was not killed while it ran");
    let cleanup =
        ["cleanup", "--drop-target", "--work-dir", "tsmigrate-crm", "--source", &crm, "--target", &to];
    let (status, words) = stage.tsmigrate(&cleanup)?;
    assert_eq!(status, 0, "{words}");
    let left = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^(crm|shop|_tsmigrate)'";
    assert_eq!(stage.psql(&to, &["-c", left])?, "shop shop_audit");
    assert!(kill()?, "it was not killed while it ran");
    let (status, words) = stage.migrate(&crm, &to, &["--into-schema", "crm", "--resume"])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &crm, &to, "tsmigrate-crm")?, None);
    assert_eq!(compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?, None);
    Ok(())
}
