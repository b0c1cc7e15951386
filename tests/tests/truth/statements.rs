//! Single statements, whose answers were recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tsmigrate_analyzer::parse::STACK;
use tsmigrate_analyzer::target::ExtensionList;
use tsmigrate_analyzer::{Input, Options, Target, analyze};
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::replay::{Answer, LIKE_THE_SERVICE, Reply, ServerMessage, run};
use tsmigrate_tests::reviewed::Seen;
use tsmigrate_tests::score::{Announced, Difference, Judged, Unjudged};
use tsmigrate_tests::sent::{Sent, sent};

use crate::servers::{TARGETS, answers, as_the_server, lab};
use crate::table::{Line, table};
use crate::{Failure, Outcome, here};

/// A statement with the answers that servers of versions 14 to 18 gave to a session of tsdbadmin: `ok`, or a message
/// `SEVERITY: SQLSTATE: TEXT | DETAIL: … | HINT: … | LOCATION: …`.
#[derive(serde::Deserialize)]
struct Recorded {
    sql: String,
    answers: BTreeMap<String, String>,
}

impl Recorded {
    /// The answer of this version as a server gives it.
    fn answer(&self, version: u32) -> Answer {
        let Some(said) = self.answers.get(&version.to_string()) else {
            return Answer::NotSent("no answer was recorded".into());
        };
        match said.strip_prefix("ERROR: ").and_then(|said| said.split_once(": ")) {
            Some((sqlstate, text)) => Answer::Refused(ServerMessage {
                severity: "ERROR".into(),
                sqlstate: sqlstate.into(),
                message: text.split(" | ").next().unwrap_or_default().into(),
                ..ServerMessage::default()
            }),
            None => Answer::Ok,
        }
    }
}

/// The plain PostgreSQL server on which the answers were recorded: its extensions are those that anybody may create
/// (`trusted = true` in their control files) and one that the setup creates, and tsdbadmin holds four roles.
fn recorded_target(version: u32, setup: &Setup) -> Target {
    let set = |words: &str| words.split_whitespace().map(Into::into).collect::<BTreeSet<String>>();
    let trusted = "btree_gin btree_gist citext cube dict_int fuzzystrmatch hstore intarray isn lo ltree pgcrypto \
                   pg_trgm plpgsql seg tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp";
    let others = "dblink postgres_fdw file_fdw pg_stat_statements earthdistance";
    Target {
        extension_lists: vec![ExtensionList {
            name: "trusted".into(),
            date: "2026-01-01".into(),
            source: "PostgreSQL's control files".into(),
            extensions: set(trusted),
        }],
        packaged_extensions: set(&format!("{trusted} {others}")),
        live_extensions: Some(setup.extensions()),
        grantable_roles: set("pg_monitor pg_signal_backend pg_read_all_stats pg_stat_scan_tables"),
        existing_roles: setup.roles(),
        ..Target::default().with_version(version)
    }
}

/// What the recording made in a statement that the list has left out.
const NOT_IN_THE_LIST: &str = "CREATE FUNCTION app.fset2() RETURNS void LANGUAGE sql AS 'select';";

/// The setup of the recording: what its administrator made, and what tsdbadmin made.
struct Setup {
    cluster: String,
    admin: String,
    own: String,
}

impl Setup {
    fn read(text: &str) -> Result<Self, Failure> {
        let (cluster, rest) = text.split_once("\\connect tsdb\n").ok_or("no \\connect tsdb in the setup")?;
        let (admin, own) =
            rest.split_once("\\connect tsdb tsdbadmin\n").ok_or("no part of tsdbadmin in the setup")?;
        // The lab's target has the service's roles and its database.
        let there = |line: &&str| !line.contains("tsdbadmin") && !line.contains("tsdbowner");
        let cluster = cluster.lines().filter(there).collect::<Vec<_>>().join("\n");
        Ok(Self { cluster, admin: admin.into(), own: own.into() })
    }

    fn roles(&self) -> BTreeSet<String> {
        let words =
            self.cluster.lines().filter_map(|line| line.strip_prefix("CREATE ROLE ")?.split(' ').next());
        words.map(Into::into).collect()
    }

    fn extensions(&self) -> BTreeMap<String, String> {
        let made =
            self.admin.lines().filter_map(|line| line.strip_prefix("CREATE EXTENSION ")?.strip_suffix(';'));
        let made = made.map(|name| (name.to_owned(), "public".to_owned()));
        std::iter::once(("plpgsql".to_owned(), "pg_catalog".to_owned())).chain(made).collect()
    }
}

/// Statements whose recorded answers are about what the service never has, and why.
fn unrecorded(statements: &[Sent], answers: &BTreeMap<u64, Reply>) -> BTreeMap<u64, Unjudged> {
    let about = |sent: &Sent, answer: &Answer| {
        let sql = String::from_utf8_lossy(sent.step.sql()).into_owned();
        let gone = matches!(answer, Answer::Refused(message) if message.sqlstate == "3D000");
        if sql.contains("DATABASE") && sql.contains("otherdb") && !gone {
            Some(Unjudged::CreateDatabase)
        } else if sql.split(|c: char| !c.is_alphanumeric()).any(|word| word == "ts1") {
            Some(Unjudged::Tablespace)
        } else {
            None
        }
    };
    statements
        .iter()
        .filter_map(|sent| {
            let number = sent.statement?;
            Some((number, about(sent, &answers.get(&number)?.answer)?))
        })
        .collect()
}

#[test]
fn reports_on_single_statements_say_what_servers_said() -> Outcome {
    let test = "reports_on_single_statements_say_what_servers_said";
    let folder = here("../../shared/truth");
    let Ok(recording) = fs::read_to_string(folder.join("statements.jsonl")) else {
        skipped(test, "../shared/truth is not here");
        return Ok(());
    };
    let recorded: Vec<Recorded> = recording.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let setup = Setup::read(&fs::read_to_string(folder.join("setup.sql"))?)?;
    // One statement on each line: the line is its number.
    let listed: String = recorded.iter().map(|recorded| recorded.sql.replace('\n', " ") + "\n").collect();
    let statements = sent(listed.as_bytes());
    assert_eq!(statements.len(), recorded.len(), "each line is one statement");
    let singles = Singles { recorded: &recorded, setup: &setup, text: listed.as_bytes(), statements };
    let lab = lab(test)?;
    let lab = lab.as_ref();
    // The recordings and the servers in a thread each: the analysis asks for a large stack.
    let compared = std::thread::scope(|scope| {
        let recordings =
            || (14..=18).map(|version| singles.recorded_on(version)).collect::<Result<Vec<_>, Failure>>();
        let servers = || lab.iter().flat_map(|lab| TARGETS.map(|at| singles.in_the_lab(lab, at))).collect();
        let thread = || std::thread::Builder::new().stack_size(STACK);
        let threads = [thread().spawn_scoped(scope, recordings)?, thread().spawn_scoped(scope, servers)?];
        let mut compared = Vec::new();
        for thread in threads {
            compared.extend(thread.join().map_err(|_| "the thread ended early")??);
        }
        Ok::<_, Failure>(compared)
    })?;
    let (mut seen, mut lines) = (Seen::default(), Vec::new());
    for Compared { file, version, line, differences } in compared {
        seen.add(file, version, &differences);
        lines.push(line);
    }
    let table = table(&lines);
    eprintln!("{table}");
    let wrong = seen.compare(&here("truth/statements.txt"))?;
    if lab.is_some() {
        insta::assert_snapshot!("statements", table);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} differences:\n{}", wrong.len(), wrong.join("\n")).into())
    }
}

/// Single statements with what was recorded of them.
struct Singles<'a> {
    recorded: &'a [Recorded],
    setup: &'a Setup,
    text: &'a [u8],
    statements: Vec<Sent>,
}

impl Singles<'_> {
    fn judged(&self, target: &Target, answers: &BTreeMap<u64, Reply>) -> Result<Judged, Failure> {
        let inputs = [
            Input { name: "setup", text: self.setup.own.as_bytes() },
            Input { name: "statements", text: self.text },
        ];
        let announced = Announced::of(&analyze(&inputs, target, &Options::default())?, 1);
        let unjudged = unrecorded(&self.statements, answers);
        Ok(Judged::before(
            &announced,
            &announced,
            &self.statements,
            &unjudged,
            &BTreeSet::new(),
            &BTreeSet::new(),
            answers,
        ))
    }

    fn recorded_on(&self, version: u32) -> Result<Compared, Failure> {
        let answers = (1..)
            .zip(self.recorded)
            .map(|(number, recorded)| {
                let answer = recorded.answer(version);
                (number, Reply { number: 0, answer, notices: Vec::new(), new_session: false })
            })
            .collect();
        let judged = self.judged(&recorded_target(version, self.setup), &answers)?;
        let line = Line::of(format!("recorded on {version}"), &judged);
        Ok(Compared { file: "recorded", version, line, differences: judged.differences })
    }

    fn in_the_lab(&self, lab: &Lab, (server, version): (Server, u32)) -> Result<Compared, Failure> {
        lab.reset(server)?;
        let (admin, uri) = (lab.admin_uri(server)?, lab.uri(server)?);
        run(admin, &self.setup.cluster)?;
        run(admin, &self.setup.admin)?;
        run(admin, LIKE_THE_SERVICE)?;
        run(uri, &self.setup.own)?;
        run(uri, NOT_IN_THE_LIST)?;
        let target = Target::default().with_version(version);
        let target = Target { existing_roles: self.setup.roles(), ..as_the_server(&target, uri)? };
        let replies = answers(uri, &self.statements.iter().collect::<Vec<_>>())?;
        let answers: BTreeMap<u64, Reply> =
            replies.into_iter().filter_map(|(sent, reply)| Some((sent.statement?, reply))).collect();
        let judged = self.judged(&target, &answers)?;
        let line = Line::of(format!("the lab's {version}"), &judged);
        let mut differences = judged.differences;
        // Whether the lab is what the recording says of the service.
        let state = |answer: &Answer| match answer {
            Answer::Refused(message) => message.sqlstate.clone(),
            _ => "ok".to_owned(),
        };
        for (sent, recorded) in self.statements.iter().zip(self.recorded) {
            let Some(now) = sent.statement.and_then(|number| answers.get(&number)) else { continue };
            let (then, now) = (state(&recorded.answer(version)), state(&now.answer));
            if then != now {
                let words = format!("recorded {then}: {}", sent.words(60));
                differences.push(Difference::of_lab(sent.line, &now, words));
            }
        }
        Ok(Compared { file: "lab", version, line, differences })
    }
}

/// How a report compares with the answers of one version.
struct Compared {
    file: &'static str,
    version: u32,
    line: Line,
    differences: Vec<Difference>,
}
