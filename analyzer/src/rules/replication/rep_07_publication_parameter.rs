//! REP-07: parameters of publications that the target does not take.

use crate::edit::Safety;
use crate::facts::names::{option_text, options, quoted, strict_truth};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "REP-07",
    name: "publication-parameter",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("parameters of publications that a server refuses"),
    statements: &[StatementKind::CreatePublicationStmt, StatementKind::AlterPublicationStmt],
    after: &["IN-06", "REP-01", "REP-02"],
    doc: Doc {
        summary: "A parameter of a publication that the target does not have, or with a value that it refuses.",
        what: "WITH (…) of CREATE PUBLICATION and SET (…) of ALTER PUBLICATION. What is newer than the target is IN-06's.",
        why: "The server takes publish, publish_via_partition_root and, from 18 on, publish_generated_columns.",
        server: &[
            "42601 unrecognized publication parameter: \"nosuch\"",
            "42601 unrecognized value for publication option \"publish\": \"nosuch\"",
            "42601 publish_via_partition_root requires a Boolean value",
        ],
        help: "Remove the parameter, or write a value that the server takes.",
        before: "CREATE PUBLICATION shop WITH (publish = 'insert, upsert');",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/publicationcmds.c, parse_publication_options",
            "asked of 15.18, 17.12 and 18.6",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createpublication.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let (name, given) = match node {
        NodeEnum::CreatePublicationStmt(s) => (&s.pubname, &s.options),
        NodeEnum::AlterPublicationStmt(s) => (&s.pubname, &s.options),
        _ => return,
    };
    if ctx.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    let Some(text) = refusal(given, ctx.target.version) else { return };
    let words = format!("publication {}", quoted(name));
    let draft = Draft::new(format!("{words}: {text}"));
    ctx.report(draft.object(words).server(ServerError::new("42601", text)));
}

/// The server's words for the first parameter that it refuses.
fn refusal(given: &[pg::Node], version: u32) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    for option in options(given) {
        let name = option.defname.as_str();
        let refused = match name {
            "publish" if !seen.contains(&name) => option_text(option).and_then(publish),
            "publish_via_partition_root" if !seen.contains(&name) => {
                strict_truth(option).is_none().then(|| format!("{name} requires a Boolean value"))
            }
            "publish_generated_columns" if version >= 18 && !seen.contains(&name) => {
                let value = option_text(option)?;
                let is_known = ["none", "stored"].iter().any(|known| value.eq_ignore_ascii_case(known));
                (!is_known)
                    .then(|| format!("invalid value for publication parameter \"{name}\": \"{value}\""))
            }
            "publish" | "publish_via_partition_root" | "publish_generated_columns"
                if seen.contains(&name) =>
            {
                Some("conflicting or redundant options".to_owned())
            }
            _ => Some(format!("unrecognized publication parameter: \"{name}\"")),
        };
        if refused.is_some() {
            return refused;
        }
        seen.push(name);
    }
    None
}

fn publish(value: &str) -> Option<String> {
    if value.trim().is_empty() || value.contains('"') {
        return None;
    }
    value.split(',').map(str::trim).find_map(|word| {
        let lower = word.to_ascii_lowercase();
        if word.is_empty() || word.contains(char::is_whitespace) {
            return Some("invalid list syntax in parameter \"publish\"".to_owned());
        }
        (!matches!(&*lower, "insert" | "update" | "delete" | "truncate"))
            .then(|| format!("unrecognized value for publication option \"publish\": \"{lower}\""))
    })
}
