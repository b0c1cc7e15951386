//! Statements about databases that come before it is known which database is kept: pg_dumpall writes settings of roles
//! in databases, and older ones settings and privileges of databases, before the first `\connect`.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::{Action, Safety};
use crate::facts::Facts;
use crate::rule::{Context, Draft, Finding, Finish};

/// What is said of such statements if their databases are left out.
#[derive(Clone, Debug, Default)]
struct Undecided(Vec<(Vec<Box<str>>, Finding)>);

/// Databases that initdb makes.
pub(super) fn is_of_the_server(name: &str) -> bool {
    matches!(name, "postgres" | "template0" | "template1")
}

fn statement(finding: &Finding) -> (usize, u64) {
    (finding.place.input, finding.place.statement)
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
            );
            finding.advice = Some("Run again with --database and the name of the one to keep.".into());
            if let Some(fix) = &mut finding.fix {
                fix.safety = Safety::Review;
            }
        }
        finding
    }));
}
