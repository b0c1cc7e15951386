//! What a person decides: open errors by what is behind them.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::behind::Key;
use super::entries::{Entries, Entry, to_accept};
use super::shape::PlaceEntry;
use crate::edit::Safety;
use crate::finding::{Missing, Severity};
use crate::human::{count, thousands};
use crate::quote::{quoted, shell};
use crate::rule::Finding;

/// Places of a decision's findings that are given.
const PLACES: usize = 12;

/// Names of what is missing that a title has.
const NAMES: usize = 4;

/// Statements that create what is missing in one command.
const CREATED: usize = 20;

/// What the roles' dump is called in commands.
const ROLES: &str = "roles.sql";

/// Something to decide.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decision<'a> {
    /// Its number, from 1: the one that blocks most comes first.
    pub number: u32,
    /// What is the matter.
    pub title: String,
    /// Why the target refuses it.
    pub why: &'static str,
    /// How many open errors it is behind.
    pub blocks: u64,
    /// Their rules, with how many of each.
    pub rules: BTreeMap<&'a str, u64>,
    /// The first of their places.
    pub places: Vec<PlaceEntry<'a>>,
    /// What can be done, the best first: any one of them is enough.
    pub choices: Vec<Choice>,
    /// A page to read on.
    pub docs: &'static str,
    /// The open errors, in the order of the inputs and of their bytes.
    #[serde(skip)]
    pub findings: Vec<&'a Finding>,
}

impl<'a> Decision<'a> {
    /// The finding to show: the rule's own, where there are others that follow from it.
    #[must_use]
    pub fn shown(&self) -> Option<&'a Finding> {
        shown(&self.findings)
    }
}

fn shown<'a>(findings: &[&'a Finding]) -> Option<&'a Finding> {
    findings.iter().find(|finding| finding.cause.is_none()).or(findings.first()).copied()
}

/// One way to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Choice {
    /// What to do.
    pub what: String,
    /// What the target will not have then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// What to type: a command, an option of the same command, or SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What of it that is.
    #[serde(skip)]
    pub way: Way,
}

/// How one goes the way of a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Something is changed on the source, or on the target.
    #[default]
    Elsewhere,
    /// The roles' dump is added to the files.
    Roles,
    /// The same command is given again with an option.
    Option,
}

/// The names of all that is missing, in the order in which they first are.
fn names(group: &[&Finding]) -> Vec<String> {
    let mut seen = HashSet::new();
    let missing = group.iter().filter_map(|finding| finding.server_error.as_ref()?.missing.as_ref());
    let all = missing.map(|(Missing::Role(name) | Missing::Schema(name))| name.as_str());
    all.filter(|name| seen.insert(*name)).map(quoted).collect()
}

/// `Role a is missing`, `Roles a, b and 3 more are missing`.
fn title_of_missing(kind: &str, names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES) as u64;
    let shown = names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match (names.len(), more) {
        (1, _) => format!("{kind} {shown} is missing"),
        (_, 0) => format!("{kind}s {shown} are missing"),
        (_, more) => format!("{kind}s {shown} and {} more are missing", thousands(more)),
    }
}

/// Statements that create each, as far as a line holds them.
fn create(kind: &str, names: &[String]) -> String {
    let more = if names.len() > CREATED { " …" } else { "" };
    let all: Vec<_> = names.iter().take(CREATED).map(|name| format!("CREATE {kind} {name};")).collect();
    all.join(" ") + more
}

impl Choice {
    /// It in one line, with its words and its command as a format writes each.
    pub fn written(&self, words: impl Fn(&str) -> String, command: impl Fn(&str) -> String) -> String {
        let what = match self.command {
            Some(_) => self.what.trim_end_matches('.'),
            None => &self.what,
        };
        let command = self.command.as_ref().map_or_else(String::new, |it| format!(": {}", command(it)));
        let lost = self.lost.as_ref().map_or_else(String::new, |lost| format!(" (lost: {})", words(lost)));
        format!("{}{command}{lost}", words(what))
    }
}

/// Everything to decide, in the order of their numbers.
pub(super) fn decisions<'a>(findings: &Entries<'a>, inputs: &[&str]) -> Vec<Decision<'a>> {
    let mut groups: BTreeMap<u32, Vec<&'a Finding>> = BTreeMap::new();
    for finding in findings.findings() {
        if let Some(number) = findings.decision(finding) {
            groups.entry(number).or_default().push(finding);
        }
    }
    groups.into_iter().map(|(number, group)| decision(number, group, findings, inputs)).collect()
}

fn decision<'a>(
    number: u32,
    group: Vec<&'a Finding>,
    findings: &Entries<'a>,
    inputs: &[&str],
) -> Decision<'a> {
    let entry = |finding: &&'a Finding| findings.entry(finding);
    let first = shown(&group).as_ref().map(entry);
    let mut rules = BTreeMap::new();
    for finding in &group {
        *rules.entry(finding.rule.id).or_insert(0) += 1;
    }
    let key = group.first().map(|finding| findings.key(finding));
    let leave = leave_out(key, &group, findings);
    let why = first.map_or("", |first| first.why);
    let (title, why, mut choices) = match (key, &first) {
        (Some(Key::Roles), _) => {
            let missing = names(&group);
            let why = "These files create no such role, and a new service has only its own.";
            (title_of_missing("Role", &missing), why, role_choices(&missing, inputs))
        }
        (Some(Key::Schemas), _) => {
            let schemas = names(&group);
            let create = Choice {
                what: "Create what is missing before these files are restored".to_owned(),
                lost: None,
                command: Some(create("SCHEMA", &schemas)),
                way: Way::Elsewhere,
            };
            let why = "These files do not create it, and a new service is empty.";
            (title_of_missing("Schema", &schemas), why, vec![create])
        }
        (Some(Key::Object(_, object)), Some(first))
            if first.related.iter().any(|place| place.rule.is_some()) =>
        {
            let cause = group.iter().find_map(|finding| finding.cause.as_deref());
            let why = cause.map_or(why, |cause| cause.rule.doc.why);
            let change = format!("Change what needs {object} on the source");
            (format!("The target will not have {object}"), why, advice(&change))
        }
        (_, Some(first)) => (first.message.to_owned(), why, advice(first.help)),
        (_, None) => (String::new(), why, Vec::new()),
    };
    choices.extend(leave);
    let place = |entry: Entry<'a>| PlaceEntry {
        file: entry.file,
        line: entry.line,
        column: entry.column,
        span: entry.span,
    };
    Decision {
        number,
        title,
        why,
        blocks: group.len() as u64,
        rules,
        places: group.iter().take(PLACES).map(|finding| place(entry(finding))).collect(),
        choices,
        docs: first.map_or("", |first| first.docs),
        findings: group,
    }
}

fn advice(help: &str) -> Vec<Choice> {
    let what = Some(help).filter(|help| !help.is_empty());
    what.map(|what| Choice { what: what.to_owned(), lost: None, command: None, way: Way::Elsewhere })
        .into_iter()
        .collect()
}

fn role_choices(roles: &[String], inputs: &[&str]) -> Vec<Choice> {
    let files: Vec<String> = inputs.iter().map(|name| shell(name)).collect();
    let add = Choice {
        what: "Add your roles dump".to_owned(),
        lost: None,
        command: Some(format!(
            "pg_dumpall --roles-only > {ROLES}; tsmigrate check {ROLES} {}",
            files.join(" ")
        )),
        way: Way::Roles,
    };
    let create = Choice {
        what: "Create what is missing on the target first".to_owned(),
        lost: None,
        command: Some(create("ROLE", roles)),
        way: Way::Elsewhere,
    };
    // The command would write over a file that was given, and that lacks the role.
    let is_given = inputs.iter().any(|name| name.rsplit('/').next() == Some(ROLES));
    (!is_given).then_some(add).into_iter().chain([create]).collect()
}

/// To leave the statements as they cannot be, or parts of them; none where nothing can be left out, as of a live server.
fn leave_out(key: Option<Key<'_>>, group: &[&Finding], findings: &Entries<'_>) -> Option<Choice> {
    let fails = |entry: &Entry<'_>| {
        entry.own_severity.unwrap_or(entry.severity) == Severity::Error && entry.line > 0 && !entry.left
    };
    let mut accept: Vec<&str> = Vec::new();
    let (mut out, mut changed, mut lost) = (0, 0, Vec::new());
    let mut title = None;
    for entry in group.iter().map(|finding| findings.entry(finding)).filter(fails) {
        match entry.fix {
            Some(fix) if fix.safety == Safety::Review => {
                changed += 1;
                title = title.or(Some(fix.title.as_str()));
                lost.extend(fix.lost.as_deref());
            }
            Some(_) => continue,
            None => out += 1,
        }
        accept.extend(to_accept(&entry));
    }
    accept.sort_unstable();
    accept.dedup();
    let what = match (changed, out, title) {
        (0, 0, _) => return None,
        (..) if matches!(key, Some(Key::Object(..))) => {
            format!("Leave out what needs it ({})", count(changed + out, "statement"))
        }
        (1, 0, Some(title)) => title.to_owned(),
        (0, 1, _) => "Leave the statement out".to_owned(),
        (0, out, _) => format!("Leave out {}", count(out, "statement")),
        (changed, out, Some(title)) => {
            let all = count(changed + out, "statement");
            format!("Accept changes of {all}, such as: {title}")
        }
        (_, _, None) => return None,
    };
    let more = lost.len().saturating_sub(1) as u64;
    let lost = lost.first().map(|first| match more {
        0 => (*first).to_owned(),
        more => format!("{first}, and {} more", thousands(more)),
    });
    Some(Choice { what, lost, command: Some(format!("--accept {}", accept.join(","))), way: Way::Option })
}

#[cfg(test)]
mod tests {
    use crate::report::Report;
    use crate::{Input, Options, Target, analyze};

    fn decided(text: &str) -> Vec<(String, u64, Vec<String>)> {
        let (target, options) = (Target::default(), Options::default());
        let inputs = [Input { name: "a b.sql", text: text.as_bytes() }];
        let analysis = analyze(&inputs, &target, &options).unwrap();
        let report = Report::new(&analysis, &target, &options);
        let open = report.findings.iter().filter(|entry| entry.decision.is_some()).count() as u64;
        assert_eq!(open, report.counts.unsolved);
        assert_eq!(report.decisions.iter().map(|decision| decision.blocks).sum::<u64>(), open);
        let commands = |decision: &super::Decision<'_>| {
            decision.choices.iter().filter_map(|choice| choice.command.clone()).collect()
        };
        report.decisions.iter().map(|all| (all.title.clone(), all.blocks, commands(all))).collect()
    }

    #[test]
    fn missing_roles_are_decided_once() {
        let text = "CREATE TABLE a (x int);\nALTER TABLE a OWNER TO \"R r\";\nCREATE TABLE b (x int);\nALTER TABLE b \
                    OWNER TO \"R r\";\nGRANT SELECT ON a TO \"R r\";\nGRANT SELECT ON a TO other;\n";
        let decided = decided(text);
        let titles: Vec<_> = decided.iter().map(|(title, blocks, _)| (title.as_str(), *blocks)).collect();
        assert_eq!(titles, [("Roles \"R r\", other are missing", 4)]);
        assert_eq!(
            decided[0].2,
            [
                "pg_dumpall --roles-only > roles.sql; tsmigrate check roles.sql 'a b.sql'",
                "CREATE ROLE \"R r\"; CREATE ROLE other;",
                "--accept OWN-01,OWN-03"
            ]
        );
        // Nobody's file is written over.
        let given = super::role_choices(&["r".to_owned()], &["old/roles.sql", "a.sql"]);
        let commands: Vec<_> = given.iter().filter_map(|choice| choice.command.as_deref()).collect();
        assert_eq!(commands, ["CREATE ROLE r;"]);
    }

    #[test]
    fn what_depends_on_an_extension_is_decided_with_it() {
        let decided =
            decided("CREATE EXTENSION hll;\nCREATE TABLE t (u hll);\nCREATE TABLE v (u hll);\nSELEC 1;\n");
        let all: Vec<_> = decided.iter().map(|(title, blocks, _)| (title.as_str(), *blocks)).collect();
        assert_eq!(all[0], ("The target will not have extension hll", 2));
        assert_eq!((all.len(), all[1].1), (2, 1));
        assert_eq!(decided[0].2, ["--accept EXT-01"]);
    }
}
