//! SU-24: VACUUM and ANALYZE of everything.

use std::collections::BTreeSet;

use crate::edit::Safety;
use crate::finding::Severity;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SU-24",
    name: "analyze-all",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit("analyze", "ANALYZE and VACUUM of everything warn and go on."),
    statements: &[StatementKind::VacuumStmt],
    doc: Doc {
        summary: "ANALYZE or VACUUM without a table: the server warns of each catalog that it skips.",
        what: "ANALYZE; and VACUUM; of the whole database, as scripts end with. Reported once for an input.",
        why: "tsdbadmin owns the tables that it restores and not the system's catalogs. The server goes on after each \
              warning: the user's own tables are done.",
        server: &[
            "WARNING 42501 skipping \"pg_authid\" --- only superuser can analyze it (15)",
            "WARNING 42501 permission denied to analyze \"pg_authid\", skipping it (16 and newer)",
        ],
        help: "Nothing has to be done. The warnings do no harm.",
        before: "ANALYZE;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/vacuum.c, vacuum_is_permitted_for_relation",
            "timescale/docs, migrate/troubleshooting.md",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-analyze.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Inputs whose ANALYZE of everything was reported.
#[derive(Clone, Debug, Default)]
struct AnalyzingInputs(BTreeSet<usize>);

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::VacuumStmt(s))) = ctx.node() else { return };
    if !s.rels.is_empty()
        || !ctx.states.of::<AnalyzingInputs>().0.insert(statement.place(&statement.range()).input)
    {
        return;
    }
    let verb = if s.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
    ctx.report(Draft::new(format!("{verb} warns of every system catalog that it skips: that does no harm")));
}
