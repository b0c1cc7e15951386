//! What a person decides: open errors by what is behind them.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::behind::Key;
use super::choice::{Choice, Way};
use super::entries::{Entries, Entry};
use super::leave_out::Losses;
use super::shape::PlaceEntry;
use crate::finding::{Missing, MissingName};
use crate::human::thousands;
use crate::quote::{in_one_line, quoted, shell_file};
use crate::rule::Finding;

/// Places of a decision's findings that are given.
const PLACES: usize = 12;

/// Names of what is missing that a title has.
const NAMES: usize = 4;

/// Statements that create what is missing in one command.
const CREATED: usize = 20;

/// Different advice of one decision that is shown.
const ADVICE: usize = 3;

/// What the roles' dump is called in commands.
const ROLES: &str = "roles.sql";

/// How roles are created where a check has to learn of them.
const CREATE_ROLES: &str = "Create what is missing on the target first, and check with --target, or with its name in \
                            existing-roles of tsmigrate.toml";

/// What standard input is called.
const STDIN: &str = "-";

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

/// The names of all that is missing, in the order in which they first are.
fn names<'a>(group: &[&'a Finding]) -> Vec<&'a MissingName> {
    let mut seen = HashSet::new();
    let missing = group.iter().filter_map(|finding| finding.server_error.as_ref()?.missing.as_ref());
    let all = missing.map(|(Missing::Role(name) | Missing::Schema(name))| name);
    all.filter(|known| seen.insert(known.name.as_str())).collect()
}

/// Names in a row, as many as a title has room for: `a`, `a, b and 3 more`.
fn in_title(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) as u64 {
        0 => shown,
        more => format!("{shown} and {} more", thousands(more)),
    }
}

/// `Role a is missing`, `Roles a, b and 3 more are missing`.
fn title_of_missing(kind: &str, names: &[&MissingName]) -> String {
    let (plural, verb) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
    let names: Vec<String> = names.iter().map(|known| quoted(&known.name)).collect();
    format!("{kind}{plural} {} {verb} missing", in_title(&names))
}

/// To create what is missing before the files are restored. A name that was not read whole is in no command.
fn create(kind: &str, what: &str, names: &[&MissingName], way: Way) -> Choice {
    let exact: Vec<String> =
        names.iter().filter(|known| known.is_exact).map(|known| in_one_line(&quoted(&known.name))).collect();
    let more = if exact.len() > CREATED { " …" } else { "" };
    let all: Vec<_> = exact.iter().take(CREATED).map(|name| format!("CREATE {kind} {name};")).collect();
    let other: Vec<String> =
        names.iter().filter(|known| !known.is_exact).map(|known| quoted(&known.name)).collect();
    let hidden = match other.as_slice() {
        [] => String::new(),
        [name] => format!(", {name} by the name in the file: it has bytes that are no UTF-8, shown as _"),
        names => format!(
            ", {} by the names in the file: they have bytes that are no UTF-8, shown as _",
            in_title(names)
        ),
    };
    let command = (!all.is_empty()).then(|| all.join(" ") + more);
    Choice { what: format!("{what}{hidden}"), lost: None, command, way }
}

/// Everything to decide, in the order of their numbers.
pub(super) fn decisions<'a>(findings: &Entries<'a>, inputs: &[&str]) -> Vec<Decision<'a>> {
    let mut groups: BTreeMap<u32, Vec<&'a Finding>> = BTreeMap::new();
    for finding in findings.findings() {
        if let Some(number) = findings.decision(finding) {
            groups.entry(number).or_default().push(finding);
        }
    }
    let losses = Losses::new(findings);
    groups.into_iter().map(|(number, group)| decision(number, group, findings, &losses, inputs)).collect()
}

fn decision<'a>(
    number: u32,
    group: Vec<&'a Finding>,
    findings: &Entries<'a>,
    losses: &Losses<'a>,
    inputs: &[&str],
) -> Decision<'a> {
    let entry = |finding: &&'a Finding| findings.entry(finding);
    let first = shown(&group).as_ref().map(entry);
    let mut rules = BTreeMap::new();
    for finding in &group {
        *rules.entry(finding.rule.id).or_insert(0) += 1;
    }
    let why = first.map_or("", |first| first.why);
    let (title, why, mut choices) = match (group.first().map(|finding| findings.key(finding)), &first) {
        (Some(Key::Roles), _) => {
            let missing = names(&group);
            let why = "These files create no such role, and a new service has only its own.";
            (title_of_missing("Role", &missing), why, role_choices(&missing, inputs))
        }
        (Some(Key::Schemas), _) => {
            let schemas = names(&group);
            let what = "Create what is missing before these files are restored";
            let create = create("SCHEMA", what, &schemas, Way::Elsewhere);
            let why = "These files do not create it, and a new service is empty.";
            (title_of_missing("Schema", &schemas), why, vec![create])
        }
        (_, Some(first)) if first.related.iter().any(|place| place.rule.is_some()) => {
            let cause = group.iter().find_map(|finding| finding.cause.as_deref());
            let why = cause.map_or(why, |cause| cause.rule.doc.why);
            let objects = in_title(&causes(&group));
            let change = format!("Change what needs {objects} on the source");
            (format!("The target will not have {objects}"), why, said(change))
        }
        (_, Some(_)) => {
            let roots: Vec<Entry<'a>> =
                group.iter().filter(|finding| finding.cause.is_none()).map(entry).collect();
            (title_of_roots(&roots), why, said(advice(&roots)))
        }
        (_, None) => (String::new(), why, Vec::new()),
    };
    choices.extend(losses.leave_out(number, findings));
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

/// The objects that findings miss, each once.
fn causes(group: &[&Finding]) -> Vec<String> {
    let mut seen = HashSet::new();
    let all = group.iter().filter_map(|finding| Some(finding.cause.as_deref()?.object.as_str()));
    all.filter(|object| seen.insert(*object)).map(str::to_owned).collect()
}

/// What the first says, and how many say the like of other things.
fn title_of_roots(roots: &[Entry<'_>]) -> String {
    let messages: HashSet<&str> = roots.iter().map(|root| root.message).collect();
    let first = roots.first().map_or("", |root| root.message);
    match messages.len().saturating_sub(1) as u64 {
        0 => first.to_owned(),
        more => format!("{first}, and {} more like it", thousands(more)),
    }
}

/// What to do about each: once where it is the same for all of them, else with what each is about.
fn advice(roots: &[Entry<'_>]) -> String {
    let mut seen = HashSet::new();
    let different = roots.iter().filter(|root| !root.help.is_empty() && seen.insert(root.help));
    let different: Vec<&Entry<'_>> = different.collect();
    if let [one] = different.as_slice() {
        return one.help.to_owned();
    }
    let about = |root: &&Entry<'_>| {
        root.object.map_or_else(|| root.help.to_owned(), |object| format!("{object}: {}", root.help))
    };
    let shown: Vec<String> = different.iter().take(ADVICE).map(about).collect();
    let more = if different.len() > ADVICE { " Each other finding says its own way." } else { "" };
    shown.join(" ") + more
}

fn said(what: String) -> Vec<Choice> {
    if what.is_empty() {
        return Vec::new();
    }
    vec![Choice { what, lost: None, command: None, way: Way::Elsewhere }]
}

fn role_choices(roles: &[&MissingName], inputs: &[&str]) -> Vec<Choice> {
    let files: Vec<String> = inputs.iter().map(|name| shell_file(name)).collect();
    let piped = if inputs.contains(&STDIN) { "… | " } else { "" };
    let add = Choice {
        what: "Add your roles dump".to_owned(),
        lost: None,
        command: Some(format!(
            "pg_dumpall --roles-only > {ROLES}; {piped}tsmigrate check {ROLES} {}",
            files.join(" ")
        )),
        way: Way::Roles,
    };
    let create = create("ROLE", CREATE_ROLES, roles, Way::Create);
    // The command would write over a file that was given, and that lacks the role.
    let is_given = inputs.iter().any(|name| name.rsplit('/').next() == Some(ROLES));
    (!is_given).then_some(add).into_iter().chain([create]).collect()
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
        let role = crate::finding::MissingName { name: "r".to_owned(), is_exact: true };
        let given = super::role_choices(&[&role], &["old/roles.sql", "a.sql"]);
        let commands: Vec<_> = given.iter().filter_map(|choice| choice.command.as_deref()).collect();
        assert_eq!(commands, ["CREATE ROLE r;"]);
    }

    /// What can be done about each decision, in words.
    fn choices(text: &[u8], accept: &[&str]) -> Vec<Vec<String>> {
        let target = Target::default();
        let accept = accept.iter().map(|rule| (*rule).to_owned()).collect();
        let options = Options { accept, ..Options::default() };
        let analysis = analyze(&[Input { name: "a.sql", text }], &target, &options).unwrap();
        let report = Report::new(&analysis, &target, &options);
        let written = |decision: &super::Decision<'_>| {
            decision.choices.iter().map(|all| all.written(str::to_owned, str::to_owned)).collect()
        };
        report.decisions.iter().map(written).collect()
    }

    #[test]
    fn what_one_command_decides_is_one_decision_that_says_all_it_loses() {
        let cast = |from: &str| format!("CREATE CAST ({from} AS date) WITH INOUT AS IMPLICIT;\n");
        let text: String = ["int4", "int8", "text", "bool", "numeric"].map(cast).concat();
        let decided = decided(&text);
        assert_eq!(decided.len(), 1);
        assert_eq!(
            (decided[0].0.as_str(), decided[0].1),
            ("cast (int4 AS date) is between types that the superuser owns, and 4 more like it", 5)
        );
        let choices = choices(text.as_bytes(), &[]);
        let lost = "(lost: cast (int4 AS date); cast (int8 AS date); cast (\"text\" AS date); and 2 more)";
        assert!(
            choices[0].iter().any(|choice| choice.contains("--accept SU-10") && choice.ends_with(lost)),
            "{choices:?}"
        );
    }

    #[test]
    fn statements_without_a_fix_are_lost_by_name_or_line() {
        let choices = choices(b"SELEC 1;\nSELEC 2;\n", &[]);
        assert_eq!(choices.len(), 1);
        let leave = choices[0].last().unwrap();
        assert_eq!(
            leave,
            "Leave out 2 statements: --accept IN-10 (lost: the statement on line 1; the statement on line 2)"
        );
    }

    #[test]
    fn a_database_that_is_left_out_is_no_statement() {
        let text = b"\\connect a\nCREATE TABLE t (x int);\n\\connect b\nCREATE TABLE u (x int);\nCREATE TABLE v (x int);\n";
        let choices = choices(text, &[]);
        let leave = choices[0].last().unwrap();
        assert_eq!(
            leave,
            "Leave out 1 database, with all objects and rows: --accept DB-02 (lost: database b)"
        );
    }

    #[test]
    fn what_a_command_takes_of_another_decision_is_said() {
        let text = b"CREATE TABLE t (x int);\nALTER TABLE t OWNER TO nobody_here;\nALTER TABLE gone OWNER TO tsdbadmin;\n";
        let all = choices(text, &[]);
        assert!(!all.is_empty());
        for decision in &all {
            let accept = decision.iter().find(|choice| choice.contains("--accept"));
            assert!(accept.is_none_or(|choice| choice.contains("(lost: ")), "{decision:?}");
        }
    }

    #[test]
    fn what_a_missing_role_makes_missing_is_decided_with_it() {
        let text = "CREATE SCHEMA s AUTHORIZATION nobody_here;\nCREATE TABLE s.t (x int);\n";
        let decided = decided(text);
        assert_eq!(
            decided.iter().map(|(title, ..)| title.as_str()).collect::<Vec<_>>(),
            ["Role nobody_here is missing"]
        );
    }

    #[test]
    fn a_name_with_a_line_end_is_in_a_command_on_one_line() {
        let text = b"CREATE TABLE t (x int);\nGRANT SELECT ON t TO \"line\nend\";\n";
        let choices = choices(text, &[]).concat();
        assert!(
            choices.iter().any(|choice| choice.ends_with(r#": CREATE ROLE U&"line\+00000Aend";"#)),
            "{choices:?}"
        );
    }

    #[test]
    fn a_name_that_is_no_utf8_is_in_no_command() {
        let text = b"SET client_encoding = 'LATIN1';\nCREATE TABLE t (x int);\nALTER TABLE t OWNER TO \"m\xfcller\";\nGRANT SELECT ON t TO r_r;\n";
        let choices = choices(text, &[]).concat();
        let create = choices.iter().find(|choice| choice.starts_with("Create")).unwrap();
        assert!(
            create.ends_with("shown as _: CREATE ROLE r_r;")
                && create.contains(", m_ller by the name in the file"),
            "{create}"
        );
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
