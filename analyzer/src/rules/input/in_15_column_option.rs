//! IN-15: options of a column that the target does not know.

use crate::edit::Safety;
use crate::facts::names::{options, quoted};
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "IN-15",
    name: "column-option",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose(
        "options of columns that no other server takes, such as PostgreSQL 17.12's own",
    ),
    statements: &[StatementKind::AlterTableStmt],
    doc: Doc {
        summary: "An option of a column that the target does not know, such as PostgreSQL 17.12's own pg_attver.",
        what: "ALTER TABLE … ALTER COLUMN … SET (…) with anything but n_distinct and n_distinct_inherited. PostgreSQL \
               17.12 keeps an option pg_attver of every column for itself; its own pg_dump leaves it out, and pg_dump \
               18 writes it for each of them.",
        why: "A server takes the options that it knows, and no other has this one: the restore stops at the first \
              table. Servers of 17 from 17.12 on take it and give the column a number of their own.",
        server: &["22023 unrecognized parameter \"pg_attver\" (18.6, 15.18)"],
        help: "The rewrite removes pg_attver: nothing is lost, for a server that has it sets it itself. An option of \
               another name is removed once you accept it.",
        before: "ALTER TABLE ONLY public.orders ALTER COLUMN id SET (pg_attver=26459784, n_distinct=-0.5);",
        after: "ALTER TABLE ONLY public.orders ALTER COLUMN id SET (n_distinct=-0.5);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/access/common/reloptions.c, attribute_reloptions",
            "seen on 15.18, 17.12 and 18.6",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-altertable.html",
    },
    check,
    ..Rule::DEFAULT
};

/// What every version has (`reloptions.c` of 13 to 18).
const KNOWN: [&str; 2] = ["n_distinct", "n_distinct_inherited"];

/// What a server sets itself: not to have it from the dump loses nothing.
const OF_SERVERS: [&str; 1] = ["pg_attver"];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node @ NodeEnum::AlterTableStmt(s))) = ctx.node() else { return };
    let mut drafts = Vec::new();
    for (index, command) in s.cmds.iter().enumerate() {
        let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
        if command.subtype != pg::AlterTableType::AtSetOptions as i32 {
            continue;
        }
        let Some(NodeEnum::List(list)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
            continue;
        };
        let all: Vec<&pg::DefElem> = options(&list.items).collect();
        let unknown = |option: &pg::DefElem| {
            option.defnamespace.is_empty()
                && !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(&option.defname))
        };
        let found: Vec<usize> = (0..all.len()).filter(|&place| unknown(all[place])).collect();
        let own = |place: &usize| OF_SERVERS.contains(&&*all[*place].defname);
        let of_server = found.iter().all(own);
        // What loses something is what is spoken of.
        let Some(first) = found.iter().find(|place| of_server || !own(place)).map(|&place| all[place]) else {
            continue;
        };
        let name = &first.defname;
        let table = subject(node).map(|object| ctx.describe(&object)).unwrap_or_default();
        let column = format!("column {} of {table}", quoted(&command.name));
        let message = if of_server {
            format!("{name} of {column} is another server's own: the target refuses it from a dump")
        } else {
            format!("no column has an option {name}: {column}")
        };
        let mut draft = Draft::new(message)
            .object(table)
            .server(ServerError::new("22023", format!("unrecognized parameter \"{name}\"")));
        // Servers from 17.12 on take it, and no dump tells which the target is.
        if of_server && ctx.target.version == 17 {
            draft = draft.severity(Severity::Warning);
        }
        if let Some(item) = item(statement, first) {
            draft = draft.at(item);
        }
        let fix = if found.len() < all.len() {
            kept(statement, &all, &found).map(|(range, text)| {
                found.iter().fold(
                    FixDraft::edit(format!("Remove {name}")).replace(range, text),
                    |fix, place| {
                        let path =
                            format!("/AlterTableStmt/cmds/{index}/AlterTableCmd/def/List/items/{place}");
                        fix.change(Change::Remove(path))
                    },
                )
            })
        } else if s.cmds.len() == 1 {
            Some(FixDraft::remove(format!("the target has no {name}")))
        } else {
            None
        };
        if let Some(mut fix) = fix {
            if !of_server {
                fix = fix.lost(format!("option {name} of {column}"));
            }
            draft = draft.fix(fix);
        }
        drafts.push(draft);
    }
    for draft in drafts {
        ctx.report(draft);
    }
}

/// An option with its value.
fn item(statement: &Statement<'_>, option: &pg::DefElem) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(option.location).ok()?;
    let depth = statement.token_at(start)?.depth;
    let inside = statement.code().skip_while(|token| token.start < start);
    let last = inside
        .take_while(|token| {
            token.depth > depth || token.depth == depth && !matches!(token.text(statement.sql()), "," | ")")
        })
        .last()?;
    Some(start..last.end)
}

/// The options that stay, and the bytes of all of them.
fn kept(
    statement: &Statement<'_>,
    all: &[&pg::DefElem],
    without: &[usize],
) -> Option<(std::ops::Range<usize>, String)> {
    let items: Vec<_> = all.iter().map(|option| item(statement, option)).collect::<Option<_>>()?;
    let whole = items.first()?.start..items.last()?.end;
    let stay = items.iter().enumerate().filter(|(place, _)| !without.contains(place));
    let texts: Vec<&str> = stay.filter_map(|(_, item)| statement.sql().get(item.clone())).collect();
    Some((whole, texts.join(", ")))
}
