//! Sources that migrations of old ended badly with, each with what has to come of it: it arrives as it was, or is named before.

use std::collections::BTreeMap;
use std::path::Path;

use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::migration::{Outcome, Stage, database};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/live");

/// What stands at the head of a file: `-- word: value`.
#[derive(Default)]
struct Case {
    said: BTreeMap<String, Vec<String>>,
    sql: String,
}

impl Case {
    fn read(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let sql = std::fs::read_to_string(path)?;
        let mut case = Self::default();
        for line in sql.lines().map_while(|line| line.strip_prefix("-- ")) {
            let Some((word, value)) = line.split_once(": ") else { break };
            case.said.entry(word.to_owned()).or_default().push(value.to_owned());
        }
        Ok(Self { sql, ..case })
    }

    fn one(&self, word: &str) -> Option<&str> {
        self.said.get(word)?.first().map(String::as_str)
    }

    fn words(&self, word: &str) -> Vec<&str> {
        self.one(word).map(|value| value.split(' ').collect()).unwrap_or_default()
    }
}

/// Runs a case on servers that hold nothing yet.
fn run(stage: &mut Stage, case: &Case) -> Outcome {
    stage.source_server = if case.one("source") == Some("15") { Server::Source15 } else { Server::Source17 };
    stage.lab.reset(stage.source_server)?;
    stage.empty_target()?;
    let server = stage.lab.uri(stage.source_server)?.to_owned();
    let name = case.one("database").unwrap_or("shop");
    if let Some(first) = case.one("first") {
        stage.script(&server, first)?;
    }
    stage.sql(&server, &format!("CREATE DATABASE \"{name}\" {}", case.one("create").unwrap_or_default()))?;
    stage.source = database(&server, name);
    stage.sql_text(&case.sql)?;
    if let Some(sql) = case.one("on target") {
        stage.sql_on_target(sql)?;
    }
    let options = case.words("options");
    let (status, report, said) = stage.migrate(&options)?;
    let expected: i32 = case.one("exit").ok_or("no exit")?.parse()?;
    if status != expected {
        return Err(format!("exit {status}: {said}").into());
    }
    let report = serde_json::to_string(&report)?;
    for words in case.said.get("says").into_iter().flatten() {
        if !report.contains(words.as_str()) {
            return Err(format!("says nothing of {words}: {report}").into());
        }
    }
    if let Some(sql) = case.one("then") {
        stage.sql(&stage.source, sql)?;
    }
    if case.one("again").is_some() {
        let (status, _, said) = stage.migrate(&[&options[..], &case.words("again")].concat())?;
        if status != 0 {
            return Err(format!("exit {status}, again: {said}").into());
        }
    }
    if let (Some(question), Some(answer)) = (case.one("ask"), case.one("answer")) {
        let is = stage.sql(&stage.admin, question)?;
        if is != answer {
            return Err(format!("the target answers {is}, not {answer}").into());
        }
    }
    Ok(())
}

#[test]
fn every_case_arrives_or_is_named() -> Outcome {
    let servers = [Server::Source15, Server::Source17, Server::Target17];
    let Some(lab) = Lab::start_or_skip("every_case_arrives_or_is_named", &servers)? else { return Ok(()) };
    let mut stage = Stage::of(lab, Server::Source17, Server::Target17)?;
    let mut files: Vec<_> = std::fs::read_dir(FIXTURES)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    assert_eq!(files.len(), 28);
    let mut failed = Vec::new();
    for file in files {
        if let Err(error) = run(&mut stage, &Case::read(&file)?) {
            failed.push(format!("{}: {error}", file.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}
