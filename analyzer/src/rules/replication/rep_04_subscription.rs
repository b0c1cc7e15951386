//! REP-04: subscriptions.

use crate::edit::Safety;
use crate::facts::names::{option, option_text, quoted};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "REP-04",
    name: "subscription",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("subscription", "Subscriptions."),
    also_answers: &["PG-16"],
    statements: &[StatementKind::CreateSubscriptionStmt],
    doc: Doc {
        summary: "CREATE SUBSCRIPTION.",
        what: "A subscription fetches changes from another server; its connection string, often with a password, \
               stands in the dump.",
        why: "Up to 15 only superusers can create one; from 16 on also members of pg_create_subscription, which \
               tsdbadmin is not.",
        server: &[
            "42501 permission denied to create subscription (16 and newer)",
            "DETAIL Only roles with privileges of the \"pg_create_subscription\" role may create subscriptions.",
            "42501 must be superuser to create subscriptions (15 and older)",
        ],
        help: "It is removed. The rows that it brought so far are in the dump; from there on the target gets no changes. Ask for the service's own ways to replicate into it, and change the password: it stands in the dump.",
        before: "CREATE SUBSCRIPTION s CONNECTION 'host=db.example.com dbname=shop' PUBLICATION p WITH (connect = false, slot_name = 's');",
        after: "-- tsmigrate REP-04: Remove it: the target cannot have subscriptions\n-- CREATE SUBSCRIPTION s CONNECTION 'host=db.example.com dbname=shop' PUBLICATION p WITH (connect = false, slot_name = 's');",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/subscriptioncmds.c, CreateSubscription"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::CreateSubscriptionStmt(s) = node else { return };
    let words = format!("subscription {}", quoted(&s.subname));
    let streaming = option(&s.options, "streaming").and_then(option_text);
    let server = if ctx.target.version <= 15 && streaming == Some("parallel") {
        ServerError::new("42601", "streaming requires a Boolean value")
    } else if ctx.target.version >= 16 {
        ServerError::new("42501", "permission denied to create subscription").detail(
            "Only roles with privileges of the \"pg_create_subscription\" role may create subscriptions.",
        )
    } else {
        ServerError::new("42501", "must be superuser to create subscriptions")
    };
    let mut draft = Draft::new(format!("tsdbadmin cannot create {words}"))
        .object(words.clone())
        .server(server)
        .fix(FixDraft::remove("the target cannot have subscriptions").lost(words));
    if s.conninfo.to_ascii_lowercase().contains("password") || s.conninfo.contains('@') {
        draft = draft.advice(
            "Its connection string holds a password in clear text: keep the dump safe, and change it.",
        );
    }
    ctx.report(draft);
}
