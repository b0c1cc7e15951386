//! DB-01: CREATE DATABASE.

use crate::edit::Safety;
use crate::facts::names::{option_text, options};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-01",
    name: "database",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("database.create", "CREATE DATABASE."),
    also_answers: &["TSP-05", "COL-01", "NS-2"],
    statements: &[StatementKind::CreatedbStmt],
    doc: Doc {
        summary: "CREATE DATABASE.",
        what: "pg_dumpall and pg_dump --create create the database before they fill it.",
        why: "A service has one database and refuses to create another. Plain PostgreSQL would allow it to tsdbadmin; the service's own module does not.",
        server: &[
            "tsdb_admin: database shop is not an allowed database name",
            "HINT Contact your administrator to configure the \"tsdb_admin.allowed_databases\".",
            "42P04 database \"tsdb\" already exists",
        ],
        help: "The statement is removed: the objects go into the service's database. Its encoding is UTF8; where the source's locale differs, text may sort in another order.",
        before: "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';",
        after: "-- tsmigrate DB-01: Remove it: its objects go into tsdb\n-- CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';",
        sources: Doc::sources(&["timescale/docs, _troubleshooting/cloud-singledb.md"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::CreatedbStmt(s))) = ctx.node() else { return };
    let name = &s.dbname;
    let target = &ctx.target.database;
    let error = if name == target {
        ServerError::new("42P04", format!("database \"{name}\" already exists"))
    } else {
        // The service's module is not public: its SQLSTATE is not known.
        ServerError::new("", format!("tsdb_admin: database {name} is not an allowed database name"))
            .hint("Contact your administrator to configure the \"tsdb_admin.allowed_databases\"")
    };
    // What the database was made with, and the target's may not have.
    let made_with: Vec<String> = options(&s.options)
        .filter_map(|option| {
            let value = option_text(option)?;
            let own = match &*option.defname {
                "encoding" => !value.eq_ignore_ascii_case("utf8") && !value.eq_ignore_ascii_case("utf-8"),
                "locale" | "lc_collate" | "lc_ctype" => !value.eq_ignore_ascii_case("C.UTF-8"),
                "locale_provider" => !value.eq_ignore_ascii_case("libc"),
                "icu_locale" | "icu_rules" | "builtin_locale" => true,
                _ => false,
            };
            own.then(|| format!("{} {value}", option.defname.to_ascii_uppercase()))
        })
        .collect();
    let mut fix = FixDraft::remove(format!("its objects go into {target}"));
    if !made_with.is_empty() {
        fix =
            fix.lost(format!("{} of database {name}: text may sort in another order", made_with.join(", ")));
    }
    let mut draft =
        Draft::new(format!("the target's one database is {target}: \"{name}\" cannot be created"))
            .object(format!("database {name}"))
            .server(error)
            .fix(fix);
    if let Some(range) = statement.words(&["DATABASE"]).and_then(|word| statement.name_at(word.end)) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
