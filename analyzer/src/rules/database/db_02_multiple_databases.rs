//! DB-02: a second database with objects of its own.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::options::Options;
use crate::quote::shell;
use crate::rule::{Answers, Context, Doc, Draft, Piece, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-02",
    name: "multiple-databases",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "database.multiple",
        "Several databases in one dump. Which one is kept is a person's choice (--database), or all of them are, each in schemas of its own (--into-schema).",
    ),
    also_answers: &["IN-03"],
    pieces: &[Piece::Server],
    of_databases: true,
    // Without it a database would be left out in silence.
    may_be_off: false,
    doc: Doc {
        summary: "More than one database with objects; a service has one.",
        what: "A pg_dumpall file holds every database of the cluster, each behind a \\connect. The first one that creates an object is kept, but never template1; the parts of the others are left out of the rewritten dump.",
        why: "A service has exactly one database, tsdb. Restored into it one after the other, databases would \
              overwrite each other's tables of the same name.",
        server: &[],
        help: "Keep several in one service, each in schemas of its own. check, rewrite and restore: --into-schema DATABASE=NAME \
               for each; public of DATABASE becomes NAME. Live databases: tsmigrate migrate --source URI --into-schema NAME \
               --source URI --into-schema NAME. One may stay as it is, and one with hypertables has to: --database DATABASE, \
               or in migrate its --source without --into-schema. Or move each to a service of its own: run with --database \
               DATABASE once for each. To keep the first and leave the others behind: --accept DB-02.",
        before: "\\connect shop\nCREATE TABLE public.orders (id integer);\n\\connect blog\nCREATE TABLE public.posts (id integer);",
        after: "",
        sources: Doc::sources(&[
            "timescale/docs, migrate/troubleshooting.md, Only one database per instance",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// The part of database `current` is left out, since `kept` has objects already or was asked for.
#[must_use]
pub fn draft(kept: &str, current: &str, options: &Options) -> Draft {
    let draft = if options.database.is_some() {
        Draft::new(format!("database \"{current}\" is left out, as --database {} asks", shell(kept)))
            .severity(Severity::Note)
    } else {
        Draft::new(format!(
            "database \"{current}\" has objects too, and only \"{kept}\" fits the target: its part is left out"
        ))
        .advice(
            "Keep them all in one service, each in schemas of its own (--into-schema in check, rewrite, restore and migrate), or \
             run again with --database NAME to get one for a service of its own.",
        )
    };
    // Its part is left out in any case: accepting that says that somebody knows.
    let draft = if options.database.is_none() && RULE.is_accepted(options) {
        draft.severity(Severity::Warning)
    } else {
        draft
    };
    draft.object(format!("database {current}"))
}

/// The part of database `current` is left out, since it has no objects.
#[must_use]
pub fn empty(current: &str) -> Draft {
    Draft::new(format!("database \"{current}\" has no objects of its own: its part is left out"))
        .severity(Severity::Note)
        .object(format!("database {current}"))
}

/// The part of the database that new ones are copies of is left out.
#[must_use]
pub fn pattern(current: &str) -> Draft {
    Draft::new(format!("database \"{current}\" is the pattern for new databases: its part is left out"))
        .severity(Severity::Warning)
        .advice(format!(
            "A database that was created after these objects has its own copies of them. To keep this part: --database {}.",
            shell(current)
        ))
        .object(format!("database {current}"))
}

/// Of a live server: its other databases. Of a dump: see [`draft`].
fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server().filter(|server| !server.databases.is_empty()) else { return };
    let names: Vec<String> = server
        .databases
        .iter()
        .map(|(name, size)| match size {
            Some(size) => format!("{} {}", crate::facts::names::quoted(name), crate::server::bytes(*size)),
            None => crate::facts::names::quoted(name),
        })
        .collect();
    ctx.report(
        Draft::new(format!(
            "the server has other databases, and a service has one: {}",
            crate::server::list(&names)
        ))
        .severity(Severity::Note)
        .advice(
            "Check and move each to a service of its own, or into schemas of its own beside this one, which may stay as it is: \
             tsmigrate migrate --target \"$TARGET\" --source \"$SOURCE\" --source \"$SOURCE_2\" --into-schema NAME",
        ),
    );
}
