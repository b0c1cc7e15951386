//! The server is the judge: every fixture of every rule is run on a locked-down server as tsdbadmin. What a rule calls an
//! error the server must refuse, with the SQLSTATE it names; all else it must take; and what the rewrite makes of it
//! must pass, but for the statements whose errors the report leaves open.
//!
//! Fixtures are short: a statement may speak of a table that the fixture does not make. The schemas are made for it;
//! where the server misses anything else, the statement is counted as not judged, and the counts are said.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Mutex;

use tsmigrate_analyzer::facts::names::quoted;
use tsmigrate_analyzer::facts::objects::{created, subject};
use tsmigrate_analyzer::parse::{STACK, parse, references};
use tsmigrate_analyzer::text::parseable;
use tsmigrate_analyzer::{Analysis, Severity};
use tsmigrate_tests::fixture::Fixture;
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::replay::{Answer, ReplayStep, Reply, replay, steps};

type Outcome = Result<(), Box<dyn Error>>;

fn server(version: u32) -> Option<Server> {
    match version {
        15 => Some(Server::Target15),
        17 => Some(Server::Target17),
        18 => Some(Server::Target18),
        _ => None,
    }
}

/// The statements of an input, and the server's answers.
type Answered = (Vec<ReplayStep>, Vec<Reply>);

/// The inputs one after the other, each in a session of its own.
fn run(uri: &str, texts: &[Vec<u8>]) -> Result<Vec<Answered>, Box<dyn Error>> {
    texts
        .iter()
        .map(|text| {
            let steps = steps(text);
            let replies = replay(uri, &steps)?;
            Ok((steps, replies))
        })
        .collect()
}

/// The errors that a report announces for each statement of an input: their SQLSTATEs.
fn announced(analysis: &Analysis, input: usize) -> BTreeMap<usize, BTreeSet<&'static str>> {
    let mut announced: BTreeMap<usize, BTreeSet<&'static str>> = BTreeMap::new();
    for finding in &analysis.findings {
        if finding.severity == Severity::Error && finding.place.input == input && finding.place.statement > 0
        {
            let states = announced.entry(usize::try_from(finding.place.statement).unwrap_or(0)).or_default();
            states.extend(finding.server_error.as_ref().map(|error| error.sqlstate));
        }
    }
    announced
}

/// What the server says where something is not there: schema, table, other object, function.
const MISSING: [&str; 4] = ["3F000", "42P01", "42704", "42883"];

/// Statements that make the schemas a fixture takes for granted.
fn schemas(fixture: &Fixture) -> Vec<ReplayStep> {
    let mut wanted = BTreeSet::new();
    for (_, text) in &fixture.inputs {
        for step in steps(text.as_bytes()) {
            let sql = parseable(step.sql()).into_owned();
            let Ok(Some(parsed)) = parse(&sql, true) else { continue };
            wanted.extend(references(parsed.node()).into_iter().filter_map(|reference| reference.schema));
            let objects = subject(parsed.node()).into_iter().chain(created(parsed.node()));
            wanted.extend(objects.filter_map(|object| Some(object.id.schema?.as_str().into())));
        }
    }
    let made = |name: &str| {
        fixture.inputs.iter().any(|(_, text)| text.contains("CREATE SCHEMA") && text.contains(name))
    };
    let known = |name: &str| {
        name.starts_with("pg_")
            || name.starts_with("_timescaledb")
            || name == "information_schema"
            || name == "public"
    };
    wanted
        .iter()
        .filter(|name| !known(name) && !made(name))
        .map(|name| ReplayStep::Statement {
            sql: format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name)).into(),
            number: 0,
        })
        .collect()
}

fn first_line(sql: &[u8]) -> String {
    String::from_utf8_lossy(sql).lines().next().unwrap_or_default().chars().take(120).collect()
}

/// What came of a fixture: contradictions, and how many statements of how many could be judged.
#[derive(Default)]
struct Verdict {
    wrong: Vec<String>,
    judged: usize,
    unjudged: usize,
}

impl Verdict {
    fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        self.judged += other.judged;
        self.unjudged += other.unjudged;
    }
}

fn judge(fixture: &Fixture, lab: &Lab, at: Server) -> Result<Verdict, Box<dyn Error>> {
    let uri = lab.uri(at)?;
    let analysis = fixture.analyse()?;
    let Verdict { mut wrong, mut judged, mut unjudged } = Verdict::default();
    let schemas = schemas(fixture);

    lab.reset(at)?;
    replay(uri, &schemas)?;
    // What is wrong only because the rewrite makes hypertables is fine without it.
    let asked = fixture.inputs.iter().filter(|_| fixture.options.convert.is_empty());
    let before: Vec<Vec<u8>> = asked.map(|(_, text)| text.clone().into_bytes()).collect();
    for (input, (steps, replies)) in run(uri, &before)?.into_iter().enumerate() {
        let announced = announced(&analysis, input);
        let mut failed_before = false;
        for (step, reply) in steps.iter().zip(&replies) {
            let states = announced.get(&step.number());
            // What an earlier failure left undone is missing first of all. An extension may be unknown to the server or
            // only forbidden: which of the two depends on its packages.
            let missing = |state: &str| failed_before && MISSING.contains(&state);
            let extension = |state: &str| ["58P01", "0A000"].contains(&state);
            let foreseen = |states: &BTreeSet<&str>, state: &str| {
                states.contains(state) || missing(state) || states.contains("42501") && extension(state)
            };
            judged += 1;
            let what = match (&reply.answer, states) {
                (Answer::Ok, None) => continue,
                (Answer::Refused(answer), _)
                    if MISSING.contains(&answer.sqlstate.as_str())
                        && !states.is_some_and(|states| states.contains(answer.sqlstate.as_str())) =>
                {
                    failed_before = true;
                    judged -= 1;
                    unjudged += 1;
                    continue;
                }
                (Answer::Refused(answer), Some(states)) if foreseen(states, &answer.sqlstate) => {
                    failed_before = true;
                    continue;
                }
                (Answer::Ok, Some(_)) => "the server takes what a rule calls an error".to_owned(),
                (Answer::Refused(answer), None) => {
                    format!("no rule foresees {} {}", answer.sqlstate, answer.message)
                }
                (Answer::Refused(answer), Some(states)) => {
                    format!("foreseen {states:?}, but the server says {} {}", answer.sqlstate, answer.message)
                }
                (Answer::NotSent(why), _) => format!("not sent: {why}"),
            };
            wrong.push(format!("{}: {what}: {}", fixture.name, first_line(step.sql())));
        }
    }

    let after: Vec<Vec<u8>> = fixture
        .inputs
        .iter()
        .enumerate()
        .map(|(i, (_, text))| analysis.rewritten(i, text.as_bytes()))
        .collect();
    // What the rewrite leaves as it is was asked already.
    if after == before {
        return Ok(Verdict { wrong, judged, unjudged });
    }
    lab.reset(at)?;
    replay(uri, &schemas)?;
    let open: BTreeSet<Vec<u8>> = analysis
        .unsolved()
        .chain(analysis.findings.iter().filter(|finding| finding.allowed.is_some()))
        .filter_map(|finding| {
            let text = fixture.inputs.get(finding.place.input)?.1.as_bytes();
            let number = usize::try_from(finding.place.statement).ok()?;
            steps(text).into_iter().find(|step| step.number() == number).map(|step| step.sql().to_vec())
        })
        .collect();
    for (steps, replies) in run(uri, &after)? {
        for (step, reply) in steps.iter().zip(&replies) {
            if let Answer::Refused(answer) = &reply.answer
                && !open.contains(step.sql())
                && !MISSING.contains(&answer.sqlstate.as_str())
            {
                wrong.push(format!(
                    "{}: after the rewrite: {} {}: {}",
                    fixture.name,
                    answer.sqlstate,
                    answer.message,
                    first_line(step.sql())
                ));
            }
        }
    }
    Ok(Verdict { wrong, judged, unjudged })
}

/// What fails only when it is called: the dump is restored, and each call has to fail with a SQLSTATE that a finding on
/// a body states.
fn judge_calls(fixture: &Fixture, lab: &Lab, at: Server, version: u32) -> Result<Verdict, Box<dyn Error>> {
    let mut verdict = Verdict::default();
    let uri = lab.uri(at)?;
    let mut fixture = fixture.clone();
    fixture.target = fixture.target.with_version(version);
    let analysis = fixture.analyse()?;
    let stated: BTreeSet<&str> = analysis
        .findings
        .iter()
        .filter(|finding| finding.rule.id.starts_with("FN-"))
        .filter_map(|finding| finding.server_error.as_ref().map(|error| error.sqlstate))
        .collect();
    lab.reset(at)?;
    replay(uri, &schemas(&fixture))?;
    let texts: Vec<Vec<u8>> = fixture.inputs.iter().map(|(_, text)| text.clone().into_bytes()).collect();
    run(uri, &texts)?;
    let calls =
        fixture.calls.iter().map(|sql| (sql, true)).chain(fixture.runs.iter().map(|sql| (sql, false)));
    for (sql, fails) in calls {
        let steps = [ReplayStep::Statement { sql: sql.clone().into_bytes(), number: 0 }];
        let replies = replay(uri, &steps)?;
        verdict.judged += 1;
        let wrong = match replies.first().map(|reply| &reply.answer) {
            Some(Answer::Refused(answer)) if fails && stated.contains(answer.sqlstate.as_str()) => continue,
            Some(Answer::Refused(answer)) => {
                format!("the server says {} {}, stated are {stated:?}", answer.sqlstate, answer.message)
            }
            Some(Answer::Ok) if !fails => continue,
            Some(Answer::Ok) => "it passes".to_owned(),
            _ => "it was not sent".to_owned(),
        };
        verdict.wrong.push(format!("{} on {version}: call {sql}: {wrong}", fixture.name));
    }
    Ok(verdict)
}

#[test]
fn what_a_body_does_fails_when_it_is_called_as_the_report_says() -> Outcome {
    const NAME: &str = "what_a_body_does_fails_when_it_is_called_as_the_report_says";
    let servers = [(Server::Target15, 15), (Server::Target17, 17), (Server::Target18, 18)];
    let Some(lab) = Lab::start_or_skip(NAME, &servers.map(|(server, _)| server))? else { return Ok(()) };
    let only = std::env::var("FIXTURE").ok();
    let mut total = Verdict::default();
    for fixture in Fixture::all(None)? {
        if only.as_ref().is_some_and(|only| !fixture.name.contains(only.as_str()))
            || fixture.calls.is_empty() && fixture.runs.is_empty()
        {
            continue;
        }
        for (at, version) in servers {
            total.add(judge_calls(&fixture, &lab, at, version)?);
        }
    }
    let Verdict { wrong, judged, .. } = total;
    eprintln!("{judged} calls judged");
    assert!(wrong.is_empty(), "{judged} calls, {} contradictions:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn the_server_confirms_every_fixture_before_and_after_its_rewrite() -> Outcome {
    const NAME: &str = "the_server_confirms_every_fixture_before_and_after_its_rewrite";
    let servers = [Server::Target15, Server::Target17, Server::Target18];
    // A fixture waits for its server most of the time: two labs share them.
    let mut labs = Vec::new();
    for _ in 0..2 {
        let Some(lab) = Lab::start_or_skip(NAME, &servers)? else { return Ok(()) };
        labs.push(lab);
    }
    let only = std::env::var("FIXTURE").ok();
    let mut judgeable = Vec::new();
    for fixture in Fixture::all(None)? {
        if only.as_ref().is_some_and(|only| !fixture.name.contains(only.as_str())) {
            continue;
        }
        match (server(fixture.target.version), &fixture.unasked) {
            (_, Some(why)) => skipped(&format!("{NAME}: {}", fixture.name), why),
            (None, None) => {
                skipped(&format!("{NAME}: {}", fixture.name), "the lab has no server of this version");
            }
            (Some(server), None) => judgeable.push((fixture, server)),
        }
    }
    let asked = judgeable.len();
    let next = Mutex::new(judgeable.into_iter());
    let next = || next.lock().ok()?.next();
    let total = std::thread::scope(|scope| {
        let work = |lab: &Lab| -> Result<Verdict, String> {
            let mut total = Verdict::default();
            while let Some((fixture, server)) = next() {
                let verdict =
                    judge(&fixture, lab, server).map_err(|error| format!("{}: {error}", fixture.name))?;
                total.add(verdict);
            }
            Ok(total)
        };
        let threads: Vec<_> = labs
            .iter()
            .map(|lab| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || work(lab)))
            .collect();
        let mut total = Verdict::default();
        for thread in threads {
            total.add(thread?.join().map_err(|_| "a thread ended early")??);
        }
        Ok::<_, Box<dyn Error>>(total)
    })?;
    let Verdict { wrong, judged, unjudged } = total;
    eprintln!(
        "{asked} fixtures: {judged} statements judged, {unjudged} speak of what their fixture does not make"
    );
    assert!(
        wrong.is_empty(),
        "{asked} fixtures asked, {} contradictions:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}
