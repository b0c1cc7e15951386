//! The report as SARIF 2.1.0 (OASIS, errata 01): for code scanning and editors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::diff::place;
use super::{Entry, NotJudgedEntry, Report, Verdict};
use crate::clean;
use crate::edit::{Action, Edit, Safety};
use crate::finding::Severity;
use crate::parse::Tokens;
use crate::rule::Rule;
use crate::rules;
use crate::secrets;
use crate::text::Span;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Other places of one result that are listed: an extension may have as many dependents as there are tables.
const RELATED: usize = 100;

/// The directory that relative names of files start from.
const ROOT: &str = "%SRCROOT%";

#[derive(Serialize)]
struct Log<'r, 'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'r, 'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r, 'a> {
    tool: Value,
    invocations: Value,
    original_uri_base_ids: Value,
    artifacts: Vec<Value>,
    column_kind: &'static str,
    results: Results<'r, 'a>,
    properties: Value,
}

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let fired = fired(report);
    let blocked = report.verdict != Verdict::Ready;
    let suppresses = !report.options.accept.is_empty() || report.counts.allowed > 0;
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: json!({ "driver": {
                "name": report.tool.name,
                "version": report.tool.version,
                "semanticVersion": report.tool.version,
                "rules": fired.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }}),
            invocations: json!([{
                "executionSuccessful": true,
                "exitCode": i32::from(blocked),
                "exitCodeDescription":
                    if blocked { "statements fail on the target" } else { "no statement is known to fail on the target" },
                "toolExecutionNotifications": report.not_judged.iter().map(notification).collect::<Vec<_>>(),
            }]),
            original_uri_base_ids: json!({
                ROOT: { "description": { "text": "The directory in which tsmigrate was started." } }
            }),
            artifacts: report
                .inputs
                .iter()
                .map(|input| {
                    json!({
                        "location": location(input.name),
                        "length": input.bytes,
                        "roles": ["analysisTarget"],
                        "mimeType": "application/sql",
                        "sourceLanguage": "sql",
                    })
                })
                .collect(),
            column_kind: "unicodeCodePoints",
            results: Results { report, fired: &fired, suppresses, seen: RefCell::default() },
            properties: json!({
                "verdict": report.verdict,
                "target": report.target_words(),
                "counts": report.counts,
                "notJudged": report.not_judged,
                "lost": report.lost,
            }),
        }],
    };
    clean::json(&log, out)?;
    writeln!(out)
}

/// What was not judged: a warning about the run, at its first place.
fn notification(entry: &NotJudgedEntry<'_>) -> Value {
    let mut physical = json!({ "artifactLocation": location(entry.place.file) });
    if entry.place.line > 0 {
        physical["region"] = json!({ "startLine": entry.place.line, "startColumn": entry.place.column });
    }
    json!({
        "level": "warning",
        "message": { "text": format!("Not judged: {}.", entry.what) },
        "locations": [{ "physicalLocation": physical }],
    })
}

fn fired(report: &Report<'_>) -> Vec<&'static Rule> {
    let fired: std::collections::HashSet<&str> =
        report.findings.findings().map(|finding| finding.rule.id).collect();
    rules::all().filter(|rule| fired.contains(rule.id)).collect()
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn descriptor(rule: &Rule) -> Value {
    let doc = &rule.doc;
    let mut markdown = format!("{}\n\n**Why.** {}\n\n**What to do.** {}\n", doc.what, doc.why, doc.help);
    let mut part = |title: &str, language: &str, lines: &str| {
        if !lines.is_empty() {
            let _ = write!(markdown, "\n**{title}**\n\n```{language}\n{lines}\n```\n");
        }
    };
    part("The server says", "", &doc.server.join("\n"));
    part("Example", "sql", doc.before);
    part("After tsmigrate rewrite", "sql", doc.after);
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": { "text": doc.summary },
        "fullDescription": { "text": doc.what },
        "help": { "text": format!("{}\n\n{}", doc.why, doc.help), "markdown": markdown },
        "helpUri": rule.link(),
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "precision": "very-high",
            "problem.severity": if rule.severity == Severity::Note { "recommendation" } else { level(rule.severity) },
            "tags": ["postgresql", "migration"],
        },
    })
}

/// All results, written one by one.
struct Results<'r, 'a> {
    report: &'r Report<'a>,
    fired: &'r [&'static Rule],
    /// Some of them are suppressed.
    suppresses: bool,
    /// How often each fingerprint was there already.
    seen: RefCell<HashMap<u64, u32>>,
}

impl Serialize for Results<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.seen.borrow_mut().clear();
        let mut list = serializer.serialize_seq(None)?;
        for entry in self.report.findings.iter() {
            list.serialize_element(&self.result(&entry))?;
        }
        list.end()
    }
}

impl Results<'_, '_> {
    fn result(&self, entry: &Entry<'_>) -> Value {
        let mut result = Map::new();
        result.insert("ruleId".into(), entry.rule.into());
        if let Some(index) = self.fired.iter().position(|rule| rule.id == entry.rule) {
            result.insert("ruleIndex".into(), index.into());
        }
        result.insert("kind".into(), "fail".into());
        result.insert("level".into(), level(entry.severity).into());
        result.insert("message".into(), json!({ "text": message(entry) }));
        let mut place = Map::new();
        place.insert("physicalLocation".into(), self.physical(entry));
        if let Some(object) = entry.object {
            place.insert("logicalLocations".into(), json!([{ "fullyQualifiedName": object }]));
        }
        result.insert("locations".into(), json!([place]));
        let related: Vec<Value> = entry
            .related
            .iter()
            .take(RELATED)
            .enumerate()
            .map(|(number, related)| {
                json!({
                    "id": number + 1,
                    "message": { "text": plain(related.message) },
                    "physicalLocation": {
                        "artifactLocation": self.artifact(related.file),
                        "region": {
                            "startLine": related.line,
                            "startColumn": related.column,
                            "byteOffset": related.span.start,
                            "byteLength": related.span.len(),
                        },
                    },
                })
            })
            .collect();
        if !related.is_empty() {
            result.insert("relatedLocations".into(), related.into());
        }
        let print = fingerprint(entry);
        let mut seen = self.seen.borrow_mut();
        let number = seen.entry(print).or_insert(0);
        *number += 1;
        result.insert(
            "partialFingerprints".into(),
            // The name that GitHub looks for; the number tells equal findings apart.
            json!({ "primaryLocationLineHash": format!("{print:016x}:{number}") }),
        );
        if let Some(fix) = self.fix(entry) {
            result.insert("fixes".into(), json!([fix]));
        }
        // Either every result of a run has suppressions, or none.
        if self.suppresses {
            let mut suppressions = Vec::new();
            if let Some(reason) = entry.allowed {
                let mut suppression = json!({ "kind": "inSource", "status": "accepted" });
                if !reason.is_empty() {
                    suppression["justification"] = reason.into();
                }
                suppressions.push(suppression);
            }
            if entry.accepted {
                let what = if entry.risk { "risk" } else { "loss" };
                let why = format!("its {what} was accepted with --accept");
                suppressions.push(json!({ "kind": "external", "status": "accepted", "justification": why }));
            }
            result.insert("suppressions".into(), suppressions.into());
        }
        let mut properties = Map::new();
        let places = entry.related.iter().count();
        if places > RELATED {
            properties.insert("relatedPlaces".into(), places.into());
        }
        properties.insert("solved".into(), entry.solved.into());
        if let Some(fix) = entry.fix {
            properties.insert("safety".into(), json!(fix.safety));
            properties.extend(fix.lost.as_ref().map(|lost| ("lost".to_owned(), json!(lost))));
        }
        result.insert("properties".into(), properties.into());
        result.into()
    }

    fn artifact(&self, file: &str) -> Value {
        let mut artifact = location(file);
        if let Some(index) = self.report.inputs.iter().position(|input| input.name == file) {
            artifact["index"] = index.into();
        }
        artifact
    }

    fn physical(&self, entry: &Entry<'_>) -> Value {
        if entry.line == 0 {
            // A live server has no lines.
            return json!({ "artifactLocation": self.artifact(entry.file) });
        }
        let mut region = region(entry, entry.span);
        region["startLine"] = entry.line.into();
        region["startColumn"] = entry.column.into();
        let shown = entry.excerpt;
        let mut physical = json!({ "artifactLocation": self.artifact(entry.file), "region": region });
        if !shown.text.is_empty() {
            if let Some(marked) = shown.text.get(shown.marked()).filter(|marked| !marked.is_empty()) {
                physical["region"]["snippet"] = json!({ "text": marked });
            }
            let lines = shown.text.matches('\n').count() as u64;
            physical["contextRegion"] = json!({
                "startLine": shown.line,
                "endLine": shown.line + lines,
                "snippet": { "text": shown.text },
            });
        }
        physical
    }

    fn fix(&self, entry: &Entry<'_>) -> Option<Value> {
        let fix = entry.fix.filter(|fix| fix.safety != Safety::None)?;
        let replacement = |edit: &Edit| {
            let mut replacement = json!({ "deletedRegion": region(entry, edit.span) });
            if !edit.text.is_empty() {
                replacement["insertedContent"] = json!({ "text": edit.text });
            }
            replacement
        };
        let lines = |statements: &[String]| format!("{}\n", statements.join("\n"));
        let replacements: Vec<Value> = match &fix.action {
            Action::Remove { span } => vec![replacement(&Edit::delete(*span))],
            Action::Edit { edits, .. } => edits.iter().map(replacement).collect(),
            Action::Surround { before, after, span } => [(before, span.start, ""), (after, span.end, "\n")]
                .into_iter()
                .filter(|(statements, ..)| !statements.is_empty())
                .map(|(statements, at, gap)| {
                    replacement(&Edit::insert(at, format!("{gap}{}", lines(statements))))
                })
                .collect(),
            Action::Replace { span, with } => vec![replacement(&Edit::replace(*span, with.join("\n")))],
        };
        // One that would put a secret into the report is left to the rewrite: masked, it would break the dump.
        let tells = |replacement: &Value| {
            let text = replacement["insertedContent"]["text"].as_str().unwrap_or_default();
            !secrets::masks(text, Tokens::scan(text).as_slice()).is_empty()
        };
        // A fix without a change is the work of another finding's fix.
        (!replacements.is_empty() && !replacements.iter().any(tells)).then(|| {
            json!({
                "description": { "text": plain(&fix.title) },
                "artifactChanges": [{
                    "artifactLocation": self.artifact(entry.file),
                    "replacements": replacements,
                }],
            })
        })
    }
}

fn message(entry: &Entry<'_>) -> String {
    let mut text = entry.message.to_owned();
    if let Some(error) = entry.server_error {
        let _ = write!(text, "\nThe server answers: {}", error.shown());
    }
    match entry.fix {
        Some(fix) if entry.solved => {
            let _ = write!(text, "\nThe rewrite fixes it: {}.", fix.title);
        }
        _ if !entry.help.is_empty() => {
            let _ = write!(text, "\n{}", entry.help);
        }
        _ => {}
    }
    plain(&text)
}

/// Text without links of its own: `[a](b)` would be one.
fn plain(text: &str) -> String {
    text.replace("](", "] (")
}

/// The bytes, and where the excerpt shows them, their lines and columns.
fn region(entry: &Entry<'_>, span: Span) -> Value {
    let mut region = json!({ "byteOffset": span.start, "byteLength": span.len() });
    if let (Some((line, column)), Some((end_line, end_column))) =
        (position(entry, span.start), position(entry, span.end))
    {
        region["startLine"] = line.into();
        region["startColumn"] = column.into();
        region["endLine"] = end_line.into();
        region["endColumn"] = end_column.into();
    }
    region
}

/// The line and the column of a byte that the excerpt shows.
fn position(entry: &Entry<'_>, byte: u64) -> Option<(u64, u64)> {
    let start = entry.excerpt.marked().start;
    if byte == entry.span.start {
        return Some((entry.line, entry.column));
    }
    let shown = entry.excerpt;
    let at = place(entry, byte)?;
    if at < start {
        // The excerpt begins on the line of the finding.
        let before = shown.text.get(at..start)?.chars().count() as u64;
        return Some((entry.line, entry.column.checked_sub(before)?));
    }
    let between = shown.text.get(start..at)?;
    Some(match between.rsplit_once('\n') {
        None => (entry.line, entry.column + between.chars().count() as u64),
        Some((lines, last)) => {
            (entry.line + 1 + lines.matches('\n').count() as u64, 1 + last.chars().count() as u64)
        }
    })
}

/// What a finding is, without where in its file it is (64-bit FNV-1a, so that it is the same everywhere).
fn fingerprint(entry: &Entry<'_>) -> u64 {
    let marked = entry.excerpt.text.get(entry.excerpt.marked()).unwrap_or_default();
    let parts = [entry.rule, entry.file, entry.object.unwrap_or_default(), entry.message, marked];
    parts.iter().flat_map(|part| part.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A file's name as a URI: relative to where the program was started, or absolute.
fn location(file: &str) -> Value {
    const DATABASE: &str = "postgres://";
    let database = file.strip_prefix(DATABASE);
    let mut uri = String::from(match database {
        Some(_) => DATABASE,
        None if file.starts_with('/') => "file://",
        None => "",
    });
    let name = match database {
        Some(database) => database,
        None if file == "-" => "stdin",
        None => file.strip_prefix("./").unwrap_or(file),
    };
    for byte in name.bytes() {
        // A colon stands before a port, and would be taken for a scheme's in a name.
        if database.is_some() && byte == b':' || byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    // What leads out of the base cannot be relative to it.
    if database.is_some() || file.starts_with('/') || name.split('/').any(|part| part == "..") {
        json!({ "uri": uri })
    } else {
        json!({ "uri": uri, "uriBaseId": ROOT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, Target, analyze};

    fn sarif(text: &str, options: &Options) -> Value {
        let target = Target::default();
        let analysis =
            analyze(&[Input { name: "a b.sql", text: text.as_bytes() }], &target, options).unwrap();
        let mut out = Vec::new();
        write(&Report::new(&analysis, &target, options), &mut out).unwrap();
        serde_json::from_slice::<Value>(&out).unwrap()["runs"][0].clone()
    }

    #[test]
    fn files_are_uris() {
        assert_eq!(location("a b/ä:1.sql"), json!({ "uri": "a%20b/%C3%A4%3A1.sql", "uriBaseId": ROOT }));
        assert_eq!(location("/tmp/x.sql"), json!({ "uri": "file:///tmp/x.sql" }));
        assert_eq!(location("../x.sql"), json!({ "uri": "../x.sql" }));
        assert_eq!(location("-"), json!({ "uri": "stdin", "uriBaseId": ROOT }));
    }

    #[test]
    fn regions_count_characters_and_bytes() {
        let run = sarif("/* é */ SET default_tablespace = größe;\n", &Options::default());
        let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!(region["snippet"]["text"], "größe");
        let numbers: Vec<u64> =
            ["startLine", "startColumn", "endLine", "endColumn", "byteOffset", "byteLength"]
                .iter()
                .map(|name| region[name].as_u64().unwrap())
                .collect();
        assert_eq!(numbers, [1, 34, 1, 39, 34, 7]);
    }

    #[test]
    fn fingerprints_hold_where_other_lines_change() {
        let prints = |text: &str| -> Vec<String> {
            let run = sarif(text, &Options::default());
            let results = run["results"].as_array().unwrap().clone();
            results.iter().map(|r| r["partialFingerprints"]["primaryLocationLineHash"].to_string()).collect()
        };
        let before = prints("SET default_tablespace = a;\nSET default_tablespace = a;");
        let after = prints("SELECT 1;\n\nSET default_tablespace = a;\nSELECT 2; SET default_tablespace = a;");
        assert_eq!(before, after);
        assert_ne!(before[0], before[1]);
        assert_ne!(before, prints("SET default_tablespace = b;\nSET default_tablespace = b;"));
    }

    #[test]
    fn accepted_losses_are_suppressed_and_the_others_say_that_they_are_not() {
        let text = "CREATE EXTENSION hll; SET default_tablespace = a;";
        let with = sarif(text, &Options { accept: ["EXT-01".to_owned()].into(), ..Options::default() });
        let kinds: Vec<usize> = with["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["suppressions"].as_array().unwrap().len())
            .collect();
        assert_eq!(kinds, [1, 0]);
        let without = sarif(text, &Options::default());
        assert!(without["results"].as_array().unwrap().iter().all(|r| r.get("suppressions").is_none()));
    }
}
