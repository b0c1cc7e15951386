//! The two servers, the databases on the source, and what their applications ask.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::program::program;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

const ROLES: &str = "CREATE ROLE mrg_shop LOGIN; CREATE ROLE mrg_crm LOGIN; CREATE ROLE mrg_reader; CREATE ROLE mrg_metrics LOGIN; GRANT mrg_reader TO mrg_crm;";

/// What an application asks, with the `search_path` that it has there and here.
pub(crate) struct Application {
    pub(crate) database: &'static str,
    before: &'static str,
    after: &'static str,
    questions: &'static [&'static str],
}

pub(crate) const APPLICATIONS: [Application; 3] = [
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

/// The one with hypertables, which stays as it is.
pub(crate) const METRICS: Application = Application {
    database: "metrics",
    before: "public, \"Raw\"",
    after: "public, \"Raw\"",
    questions: &[
        "SELECT count(*), sum(value), max(at) FROM readings",
        "SELECT count(*), max(line) FROM \"Lines 1\"",
        "SELECT string_agg(l::text, ';' ORDER BY name) FROM latest l",
        "SELECT string_agg(w::text, ';' ORDER BY week, device) FROM weeks w",
        "SELECT hypertable_name, num_chunks, owner FROM timescaledb_information.hypertables ORDER BY 1",
        "SELECT time_bucket('30 days', at), count(*) FROM readings GROUP BY 1 ORDER BY 1",
        "INSERT INTO devices VALUES (7, 'new', 'on', 'a=>1') RETURNING id",
        "INSERT INTO readings VALUES ('2027-01-01 00:00+00', 7, 1) RETURNING value",
        "SELECT what FROM log ORDER BY id DESC LIMIT 1",
        "SELECT num_chunks FROM timescaledb_information.hypertables ORDER BY hypertable_name",
        "SELECT has_table_privilege('mrg_reader', 'latest', 'SELECT'), obj_description('readings'::regclass)",
        "SELECT tablename FROM pg_publication_tables WHERE pubname = 'mrg_devices'",
    ],
};

/// The two servers and the folder for files.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pub(crate) programs: PathBuf,
}

pub(crate) fn said(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}

impl Stage {
    pub(crate) fn psql(&self, uri: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(self.programs.join("psql"));
        said(command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri]).args(arguments))
    }

    pub(crate) fn file(&self, name: &str) -> String {
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

pub(crate) fn at(uri: &str, database: &str) -> String {
    let (server, _) = uri.rsplit_once('/').unwrap_or((uri, ""));
    format!("{server}/{database}")
}

/// Both servers, with the addresses of the source and the target; none where the lab cannot run.
pub(crate) type Staged = Option<(Stage, String, String)>;

/// The databases on the source, and a target that is empty.
pub(crate) fn stage(test: &str, source: Server, target: Server) -> Result<Staged, Box<dyn Error>> {
    let Some(lab) = Lab::start_or_skip(test, &[source, target])? else { return Ok(None) };
    let stage = Stage { programs: lab.programs_of(source)?.to_owned(), lab };
    let from = stage.lab.uri(source)?.to_owned();
    let to = stage.lab.uri(target)?.to_owned();
    stage.psql(&from, &["-c", ROLES])?;
    for application in &APPLICATIONS {
        stage.create(&from, application)?;
    }
    Ok(Some((stage, from, to)))
}

impl Stage {
    /// Creates the database of an application on the source.
    pub(crate) fn create(&self, from: &str, application: &Application) -> Outcome {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/merged");
        self.psql(from, &["-c", &format!("CREATE DATABASE {}", application.database)])?;
        let file = fixtures.join(format!("{}.sql", application.database));
        self.psql(&at(from, application.database), &["-f", &file.to_string_lossy()]).map(drop)
    }

    pub(crate) fn all(&self, from: &str) -> Result<String, Box<dyn Error>> {
        let all = self.file("all.sql");
        said(Command::new(self.programs.join("pg_dumpall")).args(["-d", from, "-f", &all]))?;
        Ok(all)
    }

    /// What the applications ask has the same answers on both sides.
    pub(crate) fn answers(&self, from: &str, to: &str) -> Outcome {
        self.answers_of(&APPLICATIONS.each_ref(), from, to)
    }

    /// The same of some of them.
    pub(crate) fn answers_of(&self, applications: &[&Application], from: &str, to: &str) -> Outcome {
        for application in applications {
            let before = self.ask(&at(from, application.database), application.before, application)?;
            let after = self.ask(to, application.after, application)?;
            for ((question, before), after) in application.questions.iter().zip(before).zip(after) {
                assert_eq!(before, after, "{}: {question}", application.database);
            }
        }
        Ok(())
    }

    /// `tsmigrate restore`: its status, and what it says.
    pub(crate) fn restore(&self, to: &str, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        self.tsmigrate(&[&["restore", "--target", to, "--progress", "none"], arguments].concat())
    }

    /// `tsmigrate migrate` of one database.
    pub(crate) fn migrate(
        &self,
        from: &str,
        to: &str,
        arguments: &[&str],
    ) -> Result<(i32, String), Box<dyn Error>> {
        let tools = self.programs.to_string_lossy();
        let servers = ["migrate", "--source", from, "--target", to, "--progress", "none", "--pg-bin", &tools];
        self.tsmigrate(&[&servers, arguments].concat())
    }

    /// Kills a migration that `arguments` say the rest of, once `there` is true on the target.
    pub(crate) fn killed(&self, to: &str, arguments: &[String], there: &str) -> Outcome {
        let tools = self.programs.to_string_lossy();
        let mut command = program();
        command.args(["migrate", "--target", to, "--progress", "none", "--pg-bin", &tools]);
        let file = std::fs::File::create(self.file("killed.txt"))?;
        command.args(arguments).current_dir(self.lab.folder());
        let mut child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        // What is asked for may not be there yet, and the question fails.
        while child.try_wait()?.is_none() && !self.psql(to, &["-c", there]).is_ok_and(|answer| answer == "t")
        {
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(Duration::from_millis(400));
        if child.try_wait()?.is_some() {
            let said = std::fs::read_to_string(self.file("killed.txt"))?;
            return Err(format!("it was not killed while it ran: {said}").into());
        }
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait().map(drop).map_err(Into::into)
    }

    pub(crate) fn tsmigrate(&self, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        let output = program().args(arguments).current_dir(self.lab.folder()).output()?;
        let words = [output.stdout, output.stderr].concat();
        Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&words).into_owned()))
    }
}

/// Where each database goes.
pub(crate) const INTO: [&str; 6] =
    ["--into-schema", "shop=shop", "--into-schema", "crm=crm", "--map-schema", "blog:public=public"];

/// What a comparison finds different; none where it says that all is equal.
pub(crate) fn compared(
    stage: &Stage,
    from: &str,
    to: &str,
    work: &str,
) -> Result<Option<String>, Box<dyn Error>> {
    let arguments = ["verify", "--source", from, "--target", to, "--work-dir", work];
    let (status, words) = stage.tsmigrate(&arguments)?;
    assert!([0, 1].contains(&status), "{words}");
    Ok((status == 1).then_some(words))
}
