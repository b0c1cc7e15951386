//! SEC-01: security labels.

use crate::edit::Safety;
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SEC-01",
    name: "security-label",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("security.label", "SECURITY LABEL."),
    also_answers: &["ROLE-11"],
    statements: &[StatementKind::SecLabelStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "SECURITY LABEL: masking rules of anon, SELinux labels.",
        what: "SECURITY LABEL FOR provider ON …, as anon uses for masking rules and sepgsql for SELinux.",
        why: "A label needs its provider's library in the server. The service has none.",
        server: &[
            "22023 security label provider \"anon\" is not loaded",
            "22023 no security label providers have been loaded",
        ],
        help: "What the labels protected is not protected on the target: a masked column shows its real values to \
               whoever can read it. Replace masks by views, or by privileges on columns, then remove the labels with \
               --accept SEC-01.",
        before: "CREATE TABLE public.t (c text);\nSECURITY LABEL FOR anon ON COLUMN public.t.c IS 'MASKED WITH VALUE NULL';",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/seclabel.c, ExecSecLabelStmt"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::SecLabelStmt(s) = node else { return };
    let object = subject(node);
    if object.as_ref().is_some_and(|object| ctx.facts.absence(&object.id).is_some()) {
        return;
    }
    let mut words = object.map_or_else(|| "an object".into(), |object| ctx.describe(&object));
    if s.objtype == pg::ObjectType::ObjectColumn as i32
        && let Some(NodeEnum::List(list)) = s.object.as_deref().and_then(|o| o.node.as_ref())
        && let Some(column) = list.items.last().and_then(crate::facts::names::string)
    {
        words = format!("column {column} of {words}");
    }
    let (from, error) = if s.provider.is_empty() {
        (String::new(), "no security label providers have been loaded".to_owned())
    } else {
        (format!(" of {}", s.provider), format!("security label provider \"{}\" is not loaded", s.provider))
    };
    let masked = s.label.to_ascii_uppercase().contains("MASKED");
    let mut draft = Draft::new(format!("the target takes no security label{from} on {words}"))
        .object(words.clone())
        .server(ServerError::new("22023", error))
        .fix(
            FixDraft::remove(format!("the target has no security label{from}"))
                .review()
                .lost(format!("security label{from} on {words}")),
        );
    if masked {
        draft = draft.advice(
            "Without the mask whoever can read it sees the real values: use a view or privileges on columns.",
        );
    }
    ctx.report(draft);
}
