//! Several databases in one: dumped by `pg_dumpall`, moved into schemas of their own, restored as tsdbadmin, and asked by
//! their applications.

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

fn merged(test: &str, source: Server, target: Server) -> Outcome {
    let Some(lab) = Lab::start_or_skip(test, &[source, target])? else { return Ok(()) };
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
    let all = stage.file("all.sql");
    said(Command::new(stage.programs.join("pg_dumpall")).args(["-d", &from, "-f", &all]))?;
    let rewritten = stage.file("merged.sql");
    let output = program()
        .args(["rewrite", &all, "-o", &rewritten, "--no-config"])
        .args([
            "--into-schema",
            "shop=shop",
            "--into-schema",
            "crm=crm",
            "--map-schema",
            "blog:public=public",
        ])
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}\n{}", String::from_utf8_lossy(&output.stdout));
    stage.psql(&to, &["-f", &rewritten]).map_err(|error| {
        let kept = std::env::temp_dir().join("merged.sql");
        let _ = fs::copy(&rewritten, &kept);
        format!("{error}\n({})", kept.display())
    })?;
    for application in &APPLICATIONS {
        let before = stage.ask(&at(&from, application.database), application.before, application)?;
        let after = stage.ask(&to, application.after, application)?;
        for ((question, before), after) in application.questions.iter().zip(before).zip(after) {
            assert_eq!(before, after, "{}: {question}", application.database);
        }
    }
    Ok(())
}

#[test]
fn three_databases_answer_from_one_on_17() -> Outcome {
    merged("three_databases_answer_from_one_on_17", Server::Source17, Server::Target17)
}

#[test]
fn three_databases_answer_from_one_on_18() -> Outcome {
    merged("three_databases_answer_from_one_on_18", Server::Source18, Server::Target18)
}
