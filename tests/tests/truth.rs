//! The truth about reports: what a locked-down server says of every statement of real dumps, and of single statements
//! whose answers were recorded on PostgreSQL 14 to 18, against what the report says.
//!
//! Definitions (the numbers themselves are explained at [`tsmigrate_tests::score::Score`]):
//! - A *prediction* is an error finding whose place is in the statement. Warnings and notes never count.
//! - A refusal is *predicted* where the statement has a prediction with the server's SQLSTATE, or where both are about
//!   something missing. A prediction with another SQLSTATE is counted apart (*otherwise*) and lowers the recall.
//! - A refusal without a prediction is left out of recall and precision where it is only the consequence of a predicted
//!   one: it names what an earlier statement was to make, and that statement's refusal was predicted; or it misses a
//!   schema or language whose absence was predicted above. With a cause that was missed it is missed too, but only the cause is
//!   listed.
//! - *Recall*: predicted refusals of all refusals that could be predicted. *Precision*: refused statements of all
//!   statements with a prediction.
//! - *Unjudged* statements count nowhere: parts of other databases, which the report leaves out; CREATE DATABASE, which
//!   only the service's own module refuses; and statements for which it decides that the lab's server has not the
//!   extensions of the service (Debian packages neither vectorscale nor `timescaledb_toolkit` nor, for PostgreSQL 15,
//!   TimescaleDB): the report for a target with the lab's extensions predicts them otherwise than that for the service;
//!   and what is refused because the lab's TimescaleDB is not of the source's version, which the service can have.
//! - *After* the rewrite with safe fixes, a refusal has to be *announced*: an error of the report stays unsolved on it.
//!
//! Each dump is replayed statement by statement, rows of COPY included, as tsdbadmin on a server as it is from the
//! start, once as it is and once rewritten. The lines of the tables are kept as snapshots; every difference but those
//! that follow from another stands in a reviewed file (`truth/*.txt`) with the reason why it stays. A difference that
//! is not there fails the test, and so does a line there that is no longer so. `TRUTH_UPDATE=1` writes the files anew
//! (with `INSTA_UPDATE=always` the tables too); `TRUTH_ONLY=WORD` looks at dumps with this word in their names only and
//! compares nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tsmigrate_analyzer::parse::STACK;
use tsmigrate_analyzer::target::ExtensionList;
use tsmigrate_analyzer::{Analysis, Input, Options, Target, analyze};
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::replay::{Answer, LIKE_THE_SERVICE, Reply, ServerMessage, replay, run, steps};
use tsmigrate_tests::reviewed::Seen;
use tsmigrate_tests::score::{Announced, Difference, Judged, Score, Unjudged};
use tsmigrate_tests::sent::{Sent, sent, sent_after};

type Failure = Box<dyn Error + Send + Sync>;
type Outcome = Result<(), Failure>;

const TARGETS: [(Server, u32); 3] = [(Server::Target15, 15), (Server::Target17, 17), (Server::Target18, 18)];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a server tells of its extensions: asked in the only way that a replay can answer.
fn told(uri: &str, query: &str) -> Result<Vec<String>, Failure> {
    let ask = format!(
        "DO $$ DECLARE line text; BEGIN FOR line IN {query} LOOP RAISE NOTICE '%', line; END LOOP; END $$;"
    );
    let replies = replay(uri, &steps(ask.as_bytes()))?;
    if let Some(Answer::Refused(message)) = replies.first().map(|reply| &reply.answer) {
        return Err(format!("{query}: {message:?}").into());
    }
    Ok(replies.iter().flat_map(|reply| &reply.notices).map(|notice| notice.message.clone()).collect())
}

/// The service with the extensions of this server in place of its own.
fn as_the_server(service: &Target, uri: &str) -> Result<Target, Failure> {
    let listed = "SELECT unnest(string_to_array(current_setting('extwlist.extensions'), ','))";
    let live = "SELECT extname || ' ' || extnamespace::regnamespace FROM pg_extension";
    let list = ExtensionList {
        name: "lab".into(),
        date: "2026-01-01".into(),
        source: "the lab's server".into(),
        extensions: told(uri, listed)?.into_iter().collect(),
    };
    let live = told(uri, live)?;
    let live = live.iter().filter_map(|line| line.split_once(' '));
    Ok(Target {
        extension_lists: vec![list],
        packaged_extensions: told(uri, "SELECT name FROM pg_available_extensions")?.into_iter().collect(),
        live_extensions: Some(live.map(|(name, schema)| (name.to_owned(), schema.to_owned())).collect()),
        ..service.clone()
    })
}

/// The servers are started once; the tests take turns at them.
static LAB: Mutex<Option<Lab>> = Mutex::new(None);

/// The lab, or nothing where it says that the test is skipped.
fn lab(test: &str) -> Result<MutexGuard<'static, Option<Lab>>, Failure> {
    let mut lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    if lab.is_none() {
        *lab = Lab::start_or_skip(test, &TARGETS.map(|(server, _)| server))?;
    }
    Ok(lab)
}

/// The extensions that the service takes and this server does not have.
fn lacking(service: &Target, here: &Target) -> BTreeSet<String> {
    let all = service.extension_list().into_iter().flat_map(|list| &list.extensions);
    all.filter(|name| !here.allows_extension(name) && here.installed_in(name).is_none()).cloned().collect()
}

/// One or several files that make one input of an analysis.
struct Dump {
    name: String,
    files: Vec<PathBuf>,
}

/// What came of a dump on one version.
struct Line {
    dump: String,
    score: Score,
    /// Why statements are not judged, and how many.
    unjudged: BTreeMap<Unjudged, usize>,
    /// By file.
    differences: Vec<(String, Vec<Difference>)>,
}

impl Line {
    fn of(name: String, judged: &Judged) -> Self {
        let mut unjudged = BTreeMap::new();
        for why in judged.unjudged.values() {
            *unjudged.entry(*why).or_default() += 1;
        }
        Self { dump: name, score: judged.score, unjudged, differences: Vec::new() }
    }
}

fn analysed(dump: &Dump, texts: &[Vec<u8>], target: &Target) -> Result<Analysis, Failure> {
    let inputs: Vec<Input<'_>> =
        texts.iter().map(|text| Input { name: &dump.name, text: text.as_slice() }).collect();
    Ok(analyze(&inputs, target, &Options::default())?)
}

/// Replays statements and gives the answers by the statements' numbers.
fn answers<'a>(uri: &str, statements: &[&'a Sent]) -> Result<Vec<(&'a Sent, Reply)>, Failure> {
    let sent: Vec<_> = statements.iter().map(|sent| sent.step.clone()).collect();
    Ok(statements.iter().copied().zip(replay(uri, &sent)?).collect())
}

fn judge(lab: &Lab, at: (Server, u32), dump: &Dump) -> Result<Line, Failure> {
    let (server, version) = at;
    let texts: Vec<Vec<u8>> = dump.files.iter().map(fs::read).collect::<Result<_, _>>()?;
    let reset = || -> Outcome {
        lab.reset(server)?;
        Ok(run(lab.admin_uri(server)?, LIKE_THE_SERVICE)?)
    };
    reset()?;
    let uri = lab.uri(server)?;
    let service = Target::default().with_version(version);
    let here = as_the_server(&service, uri)?;
    let lacking = lacking(&service, &here);
    let (service, here) = (analysed(dump, &texts, &service)?, analysed(dump, &texts, &here)?);

    let mut judged = Vec::new();
    for (input, text) in texts.iter().enumerate() {
        let statements = sent(text);
        let unsent: BTreeMap<u64, Unjudged> = statements
            .iter()
            .filter_map(|sent| Some((sent.statement?, Unjudged::before_sending(&service, input, sent)?)))
            .collect();
        let asked: Vec<&Sent> =
            statements.iter().filter(|s| s.statement.is_some_and(|n| !unsent.contains_key(&n))).collect();
        let replies = answers(uri, &asked)?
            .into_iter()
            .filter_map(|(sent, reply)| Some((sent.statement?, reply)))
            .collect();
        let (service, here) = (Announced::of(&service, input), Announced::of(&here, input));
        let lines: BTreeMap<u64, u64> =
            statements.iter().filter_map(|sent| Some((sent.statement?, sent.line))).collect();
        judged.push((
            Judged::before(&service, &here, &statements, &unsent, &lacking, &replies),
            service,
            lines,
        ));
    }

    reset()?;
    let mut line = Line {
        dump: dump.name.clone(),
        score: Score::default(),
        unjudged: BTreeMap::new(),
        differences: Vec::new(),
    };
    for (input, (text, (mut judged, announced, lines))) in texts.iter().zip(judged).enumerate() {
        let statements = sent_after(&service, input, text);
        let replies = answers(uri, &statements.iter().collect::<Vec<_>>())?;
        let replies: Vec<(&Sent, &Reply)> = replies.iter().map(|(sent, reply)| (*sent, reply)).collect();
        judged.after(&announced, &lines, &replies);
        line.score += judged.score;
        for why in judged.unjudged.values() {
            *line.unjudged.entry(*why).or_default() += 1;
        }
        let file = dump.files.get(input).and_then(|file| file.file_name()).unwrap_or_default();
        line.differences.push((file.to_string_lossy().into_owned(), judged.differences));
    }
    Ok(line)
}

/// All dumps on all versions, each version in a thread of its own: the analysis asks for a large stack.
fn judge_all(lab: &Lab, dumps: &[Dump]) -> Result<Vec<(u32, Vec<Line>)>, Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = TARGETS
            .iter()
            .map(|&at| {
                let work = move || -> Result<Vec<Line>, Failure> {
                    dumps
                        .iter()
                        .map(|dump| {
                            judge(lab, at, dump)
                                .map_err(|error| format!("{} on {}: {error}", dump.name, at.1).into())
                        })
                        .collect()
                };
                std::thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, work)
                    .map(|thread| (at.1, thread))
            })
            .collect::<Result<_, _>>()?;
        threads
            .into_iter()
            .map(|(version, thread)| match thread.join() {
                Ok(lines) => Ok((version, lines?)),
                Err(_) => Err(format!("the thread of version {version} ended early").into()),
            })
            .collect()
    })
}

/// A line for each, and the totals of those that count.
fn table(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.dump.len()).max().unwrap_or(0);
    let mut out = format!("{:width$} {}\n", "", Score::HEAD);
    let (mut total, mut unjudged) = (Score::default(), BTreeMap::<Unjudged, usize>::new());
    for line in lines {
        let _ = writeln!(out, "{:width$} {}", line.dump, line.score);
        // What nobody can migrate to is for information.
        if line.dump.ends_with(" 14") {
            continue;
        }
        total += line.score;
        for (why, count) in &line.unjudged {
            *unjudged.entry(*why).or_default() += count;
        }
    }
    let _ = writeln!(out, "{:width$} {total}", "total");
    let _ = writeln!(out, "recall {}, precision {}", total.recall(), total.precision());
    let unjudged: Vec<String> = unjudged.iter().map(|(why, count)| format!("{why:?} {count}")).collect();
    let _ =
        writeln!(out, "unjudged: {}", if unjudged.is_empty() { "none".into() } else { unjudged.join(", ") });
    out
}

/// Judges the dumps and compares with what was reviewed.
fn check(test: &str, name: &str, dumps: &[Dump]) -> Outcome {
    let lab = lab(test)?;
    let Some(lab) = lab.as_ref() else { return Ok(()) };
    let only = std::env::var("TRUTH_ONLY").ok();
    let chosen: Vec<Dump> = dumps
        .iter()
        .filter(|dump| only.as_ref().is_none_or(|word| dump.name.contains(word.as_str())))
        .map(|dump| Dump { name: dump.name.clone(), files: dump.files.clone() })
        .collect();
    let versions = judge_all(lab, &chosen)?;
    let mut seen = Seen::default();
    for (version, lines) in &versions {
        for (file, differences) in lines.iter().flat_map(|line| &line.differences) {
            seen.add(file, *version, differences);
        }
        eprintln!("{name} on {version}\n{}", table(lines));
    }
    if only.is_some() {
        for line in seen.told() {
            eprintln!("{line}");
        }
        return Ok(());
    }
    let wrong = seen.compare(&here(&format!("truth/{name}.txt")))?;
    for (version, lines) in &versions {
        insta::assert_snapshot!(format!("{name}_{version}"), table(lines));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} differences:\n{}", wrong.len(), wrong.join("\n")).into())
    }
}

#[test]
fn reports_on_our_own_dumps_say_what_the_server_says() -> Outcome {
    let dumps = fs::read_dir(here("fixtures/dumps"))?.collect::<Result<Vec<_>, _>>()?;
    let files: BTreeSet<PathBuf> = dumps
        .iter()
        .map(fs::DirEntry::path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    let named =
        |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|n| here("fixtures/dumps").join(n)).collect() };
    let dumps = [
        Dump { name: "cluster-15".into(), files: named(&["cluster-15.sql"]) },
        Dump { name: "database-17".into(), files: named(&["roles-17.sql", "database-17.sql"]) },
        Dump { name: "parts-18".into(), files: named(&["schema-18.sql", "data-18.sql"]) },
    ];
    let used: BTreeSet<PathBuf> = dumps.iter().flat_map(|dump| dump.files.clone()).collect();
    assert!(
        files.difference(&used).all(|path| path.ends_with("make.sql")),
        "a dump is not judged: {files:?}"
    );
    check("reports_on_our_own_dumps_say_what_the_server_says", "own", &dumps)
}

#[test]
fn reports_on_real_dumps_say_what_the_server_says() -> Outcome {
    let test = "reports_on_real_dumps_say_what_the_server_says";
    let mut dumps = Vec::new();
    for folder in ["dumps", "corpus"] {
        let Ok(entries) = fs::read_dir(here("../../shared").join(folder)) else { continue };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
        files.sort();
        dumps.extend(files.into_iter().map(|file| Dump {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            files: vec![file],
        }));
    }
    if dumps.is_empty() {
        skipped(test, "../shared with its dumps is not here");
        return Ok(());
    }
    check(test, "corpus", &dumps)
}

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

/// How a report compares with the answers of one version.
struct Compared {
    file: &'static str,
    version: u32,
    line: Line,
    differences: Vec<Difference>,
}

impl Singles<'_> {
    fn judged(&self, target: &Target, answers: &BTreeMap<u64, Reply>) -> Result<Judged, Failure> {
        let inputs = [
            Input { name: "setup", text: self.setup.own.as_bytes() },
            Input { name: "statements", text: self.text },
        ];
        let announced = Announced::of(&analyze(&inputs, target, &Options::default())?, 1);
        let unjudged = unrecorded(&self.statements, answers);
        Ok(Judged::before(&announced, &announced, &self.statements, &unjudged, &BTreeSet::new(), answers))
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
