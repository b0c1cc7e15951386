//! GUC-03: a stored `local_preload_libraries`, which logins may fail over.

use super::settings::{sets, settings};
use crate::edit::Safety;
use crate::finding::Severity;
use crate::parse::StatementKind;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "GUC-03",
    name: "stored-preloaded-library",
    severity: Severity::Warning,
    fix: Safety::Safe,
    answers: Answers::limit("guc.local_preload_libraries", "Stored libraries that logins fail over."),
    also_answers: &["EXT-09"],
    statement_groups: &[StatementKind::SETTING],
    doc: Doc {
        summary: "local_preload_libraries, stored for a role or the database.",
        what: "ALTER ROLE … SET and ALTER DATABASE … SET of local_preload_libraries.",
        why: "The server stores any value. At the next login it looks for the library, and where it does not find it \
              the login fails.",
        server: &[
            "FATAL 58P01 could not access file \"$libdir/plugins/x\": No such file or directory (at login)",
        ],
        help: "The setting is removed and listed: the libraries of a service are the service's.",
        before: "CREATE ROLE app;\nALTER ROLE app SET local_preload_libraries TO '$libdir/plugins/x';",
        after: "CREATE ROLE app;\n-- tsmigrate GUC-03: Remove it: logins may fail over local_preload_libraries\n-- ALTER ROLE app SET local_preload_libraries TO '$libdir/plugins/x';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/init/miscinit.c, process_session_preload_libraries",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(statement) = ctx.statement() else { return };
    for setting in settings(ctx) {
        let name = setting.set.name.as_str();
        if setting.stored.is_none()
            || !sets(ctx, &setting)
            || setting.set.args.is_empty()
            || !name.eq_ignore_ascii_case("local_preload_libraries")
        {
            continue;
        }
        let stored = setting.stored.clone().unwrap_or_default();
        let mut draft = Draft::new(format!("{stored} would load libraries of the source at every login"))
            .object(setting.lost())
            .fix(setting.without(statement, format!("logins may fail over {name}")).lost(setting.lost()));
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        ctx.report(draft);
    }
}
