//! EXT-05: an extension of a certain version.

use crate::edit::Safety;
use crate::facts::names::{option_text, options, quoted};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-05",
    name: "extension-version",
    severity: Severity::Warning,
    fix: Safety::Safe,
    answers: Answers::limit("extension.version", "VERSION of an extension; versions of live servers."),
    statements: &[StatementKind::AlterExtensionStmt, StatementKind::CreateExtensionStmt],
    doc: Doc {
        summary: "CREATE EXTENSION … VERSION x, and ALTER EXTENSION … UPDATE TO x.",
        what: "pg_dump never writes a version; scripts do.",
        why: "The service has the versions that it has, and its default is the one to use. A version that does not exist is an error.",
        server: &["22023 extension \"citext\" has no installation script nor update path for version \"99\""],
        help: "The clause is removed: the target's default version is created. Look at the extension's release notes where its major version differs.",
        before: "CREATE EXTENSION citext WITH SCHEMA public VERSION '1.5';",
        after: "CREATE EXTENSION citext WITH SCHEMA public;",
        sources: Doc::sources(&[
            "PostgreSQL src/bin/pg_dump/pg_dump.c, dumpExtension; src/backend/commands/extension.c, \
                   CreateExtensionInternal",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (nodes, name, path): (&[pg::Node], _, _) = match node {
        NodeEnum::CreateExtensionStmt(s) => (&s.options, &s.extname, "/CreateExtensionStmt/options"),
        NodeEnum::AlterExtensionStmt(s) => (&s.options, &s.extname, "/AlterExtensionStmt/options"),
        _ => return,
    };
    if !ctx.target.allows_extension(name) {
        return;
    }
    let found = options(nodes).enumerate().find(|(_, option)| option.defname == "new_version");
    let Some((index, option)) = found else { return };
    let Some(version) = option_text(option) else { return };
    // VERSION x, or TO x behind UPDATE.
    let Some(word) = statement.words(&["VERSION"]).or_else(|| statement.words(&["TO"])) else { return };
    let Some(value) = statement.code().find(|token| token.start >= word.end) else { return };
    let range = word.start..value.end;
    let draft = Draft::new(format!("the target may not have version {version} of extension \"{name}\""))
        .at(range.clone())
        .object(format!("extension {}", quoted(name)))
        .server(ServerError::new(
            "22023",
            format!(
                "extension \"{name}\" has no installation script nor update path for version \"{version}\""
            ),
        ))
        .fix(
            FixDraft::edit("Take the target's default version")
                .delete(statement.with_gap(&range))
                .change(Change::Remove(format!("{path}/{index}")))
                .lost(format!("version {version} of extension {name}: the target's default is created")),
        );
    ctx.report(draft);
}
