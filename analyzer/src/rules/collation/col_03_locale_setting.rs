//! COL-03: locales for dates, numbers and money that the target does not have.

use crate::edit::Safety;
use crate::facts::names::text;
use crate::finding::{ServerError, Severity};
use crate::parse::StatementKind;
use crate::parse::pg::VariableSetKind;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::setting::settings::settings;

pub(crate) const RULE: Rule = Rule {
    id: "COL-03",
    name: "locale-setting",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "locale-settings",
        "lc_time, lc_numeric and lc_monetary of missing locales; lc_messages is GUC-01's.",
    ),
    statement_groups: &[StatementKind::SETTING],
    doc: Doc {
        summary: "lc_time, lc_numeric or lc_monetary with a locale that the target does not have.",
        what: "ALTER ROLE … SET and ALTER DATABASE … SET, the SET clause of a function, and SET by itself. lc_messages \
               is for superusers only (GUC-01); lc_collate and lc_ctype are properties of the database (DB-01).",
        why: "The server looks the locale up when the value is stored. The service has C, POSIX, C.UTF-8 and \
              en_US.UTF-8 only.",
        server: &["22023 invalid value for parameter \"lc_time\": \"de_DE.utf8\""],
        help: "The setting is removed. to_char with the TM prefix then writes English names of days and months, with the L and D patterns the signs of the C locale; type money shows dollars or no sign.",
        before: "CREATE ROLE app;\nALTER ROLE app SET lc_time TO 'de_DE.utf8';",
        after: "CREATE ROLE app;\n-- tsmigrate COL-03: Remove it: there is no locale de_DE.utf8\n-- ALTER ROLE app SET lc_time TO 'de_DE.utf8';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/adt/pg_locale.c, check_locale_time and its like",
        ]),
        link: "https://www.postgresql.org/docs/current/runtime-config-client.html#RUNTIME-CONFIG-CLIENT-FORMAT",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(statement) = ctx.statement() else { return };
    for setting in settings(ctx) {
        let name = setting.set.name.to_ascii_lowercase();
        if setting.set.kind != VariableSetKind::VarSetValue as i32
            || !matches!(&*name, "lc_time" | "lc_numeric" | "lc_monetary")
        {
            continue;
        }
        let Some(value) = setting.set.args.first().and_then(text) else { continue };
        if ctx.target.has_locale(value) {
            continue;
        }
        let title = format!("there is no locale {value}");
        let mut draft = Draft::new(format!("the target has no locale {value} for {name}"))
            .object(setting.lost())
            .server(ServerError::new(
                "22023",
                format!("invalid value for parameter \"{}\": \"{value}\"", setting.set.name),
            ))
            .fix(setting.without(statement, title).lost(setting.lost()));
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        ctx.report(draft);
    }
}
