//! Statements about databases that come before it is known which database is kept: pg_dumpall writes settings of roles
//! in databases, and older ones settings and privileges of databases, before the first `\connect`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::edit::{Action, Safety};
use crate::facts::Facts;
use crate::facts::names::quoted;
use crate::options::Options;
use crate::parse::Change;
use crate::rule::{Context, Draft, Finding, Finish, FixDraft};
use crate::target::Target;

/// What is said of such statements if their databases are left out.
#[derive(Clone, Debug, Default)]
struct Undecided(Vec<(Vec<Box<str>>, Finding)>);

/// Databases that initdb makes.
pub(super) fn is_of_the_server(name: &str) -> bool {
    matches!(name, "postgres" | "template0" | "template1")
}

fn statement(finding: &Finding) -> (usize, u32) {
    (finding.place.input, finding.place.statement)
}

/// What becomes of the database that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is the target's own.
    Own,
    /// It is the one that is migrated: the target's takes its place.
    Renamed,
    /// It is left out, or one that every server has: the statement goes.
    LeftOut,
}

/// What becomes of this database, as far as it is known at this place.
pub(super) fn fate(facts: &Facts, target: &Target, options: &Options, name: &str) -> Fate {
    if options.moved.contains(name) {
        return if name == target.database { Fate::Own } else { Fate::Renamed };
    }
    let kept = match (&facts.kept_database, &facts.current_database) {
        (Some(kept), _) => Some(&**kept),
        (None, current) => current.as_deref(),
    };
    match kept {
        Some(kept) if kept == name => {}
        // A script for the target itself, and no part of a cluster dump.
        None if is_of_the_server(name) => return Fate::LeftOut,
        None => {}
        Some(_) if name == target.database && !facts.databases.contains_key(name) => return Fate::Own,
        Some(_) => return Fate::LeftOut,
    }
    if name == target.database { Fate::Own } else { Fate::Renamed }
}

/// True where it is not known at this point which database is kept.
pub(super) fn is_open(facts: &Facts) -> bool {
    facts.kept_database.is_none() && facts.current_database.is_none()
}

/// Keeps what is said of the statement at hand if none of its databases is the one that is kept.
pub(super) fn keep(ctx: &mut Context<'_>, names: &[&str], draft: Draft) {
    ctx.report(draft);
    let Some(finding) = ctx.findings.pop() else { return };
    let all = &mut ctx.states.of::<Undecided>().0;
    // After a fix the statement is looked at once more, and names the target's database.
    if all.last().is_none_or(|(_, last)| statement(last) != statement(&finding)) {
        all.push((names.iter().map(|&name| name.into()).collect(), finding));
    }
}

/// Reports a statement that names one database, in this range and at this path of its tree: it is removed with a database
/// that is left out, kept until the inputs have ended, or names the target's. `draft` has no message yet.
pub(super) fn report(
    ctx: &mut Context<'_>,
    name: &str,
    range: Range<usize>,
    draft: &dyn Fn() -> Draft,
    gone: FixDraft,
    path: &str,
) {
    let fate = fate(ctx.facts, ctx.target, ctx.options, name);
    let is_open = is_open(ctx.facts) && fate != Fate::LeftOut;
    if fate == Fate::LeftOut || is_open {
        let gone = draft().message(format!("database \"{name}\" is not on the target")).fix(gone);
        if is_open {
            keep(ctx, &[name], gone);
        } else {
            ctx.report(gone);
        }
    }
    if fate == Fate::Renamed {
        let database = &ctx.target.database;
        let fix = FixDraft::edit(format!("Say {database}"))
            .replace(range, quoted(database))
            .change(Change::set_str(path, database));
        let message = format!("database \"{name}\" is called {database} on the target");
        ctx.report(draft().message(message).fix(fix));
    }
}

/// Says it of the statements whose databases are not kept, in place of what was said when they came.
pub(super) fn finish(finish: &mut Finish<'_>) {
    let Some(Undecided(all)) = finish.states.get() else { return };
    let facts = finish.facts;
    // Those of settings: a database with privileges alone may be left for another script.
    let of_settings = all.iter().filter(|(_, finding)| *finding.rule == *finish.rule);
    let of_settings = of_settings.flat_map(|(names, _)| names);
    let known: BTreeSet<&str> = facts
        .databases
        .keys()
        .chain(of_settings)
        .map(|name| &**name)
        .filter(|name| *name != finish.target.database && !is_of_the_server(name))
        .collect();
    let is_kept = |name: &str| match &facts.kept_database {
        _ if finish.options.moved.contains(name) => true,
        Some(kept) => **kept == *name,
        None => known.iter().all(|other| *other == name),
    };
    let gone: BTreeMap<_, _> = all
        .iter()
        .filter(|(names, _)| !names.iter().any(|name| is_kept(name)))
        .map(|(names, finding)| (statement(finding), (names, finding)))
        .collect();
    finish.findings.retain(|finding| {
        gone.get(&statement(finding)).is_none_or(|(_, instead)| instead.rule != finding.rule)
    });
    if facts.kept_database.is_none() {
        // Nothing of the statement is rewritten: edits of several fixes may be one.
        let edited = finish.findings.iter_mut().filter(|finding| gone.contains_key(&statement(finding)));
        for finding in edited {
            finding.solved &=
                !matches!(finding.fix.as_ref().map(|fix| &fix.action), Some(Action::Edit { .. }));
        }
    }
    finish.findings.extend(gone.into_values().map(|(names, finding)| {
        let mut finding = finding.clone();
        if facts.kept_database.is_none() {
            let names = names.join("\", \"");
            finding.message = format!(
                "database \"{names}\" is one of several, and these files do not tell which one is kept"
            )
            .into();
            finding.advice = Some("Run again with --database and the name of the one to keep.".into());
            if let Some(fix) = &mut finding.fix {
                fix.safety = Safety::Review;
            }
        }
        finding
    }));
}
