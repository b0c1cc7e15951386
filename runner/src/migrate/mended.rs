//! A schema that was mended on the source between two starts: what has changed is taken up, and done again on the target.
//!
//! Steps are known by the numbers of their statements. So the statements of before keep their numbers, those that are gone
//! leave an empty place, and new ones come behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sha2::{Digest, Sha256};
use tsmigrate_analyzer::parse;

use super::anew::{self, Change};
use super::refusal::{anew_from_start, begin_anew};
use super::scripts::Scripts;
use super::{Context, undone};
use crate::engine::builds;
use crate::engine::marks::Marks;
use crate::error::Error;
use crate::human::{self, count, hex};
use crate::quote::quoted;
use crate::script::{self, Class, Statement};
use crate::step::{self, Step};
use crate::workdir::{Behind, SavedSchema, SavedStatement};

/// So many changes are named.
const SHOWN: usize = 6;

/// What a run has to know of its schema when it goes on. `objects` are those of the source.
pub(super) fn saved(scripts: &Scripts, objects: BTreeSet<String>) -> SavedSchema {
    let all = |statements: &[Statement], before_rows| {
        statements.iter().map(|statement| saved_statement(statement, before_rows)).collect()
    };
    let schemas = scripts.extensions.iter();
    let extensions = scripts.extensions.iter().filter(|statement| created_schema(statement).is_none());
    SavedSchema {
        roles: hash(scripts.roles.iter().map(|statement| statement.sql.as_str())),
        access: hash(scripts.access.iter().map(|(_, statement)| statement.sql.as_str())),
        grants: scripts
            .access
            .iter()
            .filter_map(|(_, statement)| undone::taken_back(&statement.sql))
            .collect(),
        extensions: hash(extensions.map(|statement| statement.sql.as_str())),
        schemas: schemas.filter_map(|one| Some((created_schema(one)?, one.sql.clone()))).collect(),
        pre_data: all(&scripts.pre_data, true),
        post_data: all(&scripts.post_data, false),
        objects,
    }
}

fn created_schema(statement: &Statement) -> Option<String> {
    match &statement.class {
        Class::CreateSchema(name) => Some(name.clone()),
        _ => None,
    }
}

/// Of the schemas that are created before extensions, the statements of those that are new, and the names of those that are
/// gone. The second is what both are called.
fn changed_schemas(before: &SavedSchema, now: &SavedSchema) -> ((Vec<String>, Vec<String>), Vec<String>) {
    let missing = |of: &SavedSchema, from: &SavedSchema| {
        of.schemas.keys().filter(|name| !from.schemas.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    let (new, gone) = (missing(now, before), missing(before, now));
    let names = new.iter().chain(&gone).map(|name| format!("schema {}", quoted(name))).collect();
    ((new.iter().filter_map(|name| now.schemas.get(name).cloned()).collect(), gone), names)
}

fn saved_statement(statement: &Statement, before_rows: bool) -> SavedStatement {
    if statement.sql.is_empty() {
        return SavedStatement::default();
    }
    let parsed = parse::parse(&statement.sql, true).ok().flatten();
    let node = parsed.as_ref().map(parse::Parsed::node);
    let undo = |node| if before_rows { undone::undo(node, &statement.sql) } else { builds::undo(node) };
    SavedStatement {
        // One that was replaced is the same the next time.
        hash: hash([statement.sql.replacen("CREATE OR REPLACE ", "CREATE ", 1).as_str()].into_iter()),
        name: node.and_then(|node| script::subject_of(node, &statement.sql)).map(|(_, name)| name),
        undo: node.and_then(undo),
        key: node.is_some_and(builds::is_key),
        behind: node.filter(|_| !before_rows).map_or(Behind::No, undone::behind),
    }
}

fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// Takes up what has changed since the run was begun, or was taken up before: afterwards `scripts` has the numbers that the
/// marks on the target have. What was built of statements that are gone is dropped, and with `--new-snapshot` whatever else
/// is gone or has changed.
///
/// # Errors
/// Where something has changed that cannot be done again, or the target refuses.
pub(super) async fn take_up(
    context: &Context,
    marks: &Marks,
    before: &SavedSchema,
    scripts: &mut Scripts,
    objects: BTreeSet<String>,
) -> Result<SavedSchema, Error> {
    let known = before.objects.union(&objects).cloned().collect();
    let now = saved(scripts, BTreeSet::new());
    let mut again = Vec::new();
    if now.roles != before.roles {
        again.push(Step::Roles);
    }
    if now.access != before.access {
        again.extend([Step::Owners, Step::Access]);
    }
    let begun = marks.steps().iter().any(|step| matches!(step, Step::Extension(_)));
    if now.extensions != before.extensions && begun {
        return Err(too_late(context, &["its extensions".to_owned()]));
    }
    let (schemas, changed) = changed_schemas(before, &now);
    // What runs in the dump's order has run, or a part of it: others have no place there any more.
    let in_order = step::List::BEHIND_ROWS.iter().any(|list| marks.has_list(*list));
    let end = marks.end_of(step::List::PreData);
    if !changed.is_empty() && begun && end == 0 {
        return Err(too_late(context, &changed));
    }
    let done = end.min(before.pre_data.len());
    let all_done = end >= before.pre_data.len() && end > 0;
    let pre_data = std::mem::take(&mut scripts.pre_data);
    let mut pre = align(&before.pre_data, done, pre_data.clone(), true);
    let mut hopeless = not_again(&mut pre, before, done, all_done);
    // Those that are still to be created come with the extensions.
    hopeless.extend(changed.into_iter().filter(|_| begun));
    if !hopeless.is_empty() && in_order {
        return Err(too_late(context, &hopeless));
    }
    if !hopeless.is_empty() && !context.args.new_snapshot {
        return Err(only_with_new_rows(context, &hopeless));
    }
    let post =
        align(&before.post_data, before.post_data.len(), std::mem::take(&mut scripts.post_data), false);
    let undo = built_before(context, before, &post, in_order, &mut again)?;
    let gone: Vec<&SavedStatement> =
        pre.gone.iter().filter_map(|number| before.pre_data.get(*number)).collect();
    let new_here = if all_done || !hopeless.is_empty() { &pre.new[..] } else { &[] };
    let new: Vec<String> = new_here.iter().chain(&post.new).cloned().collect();
    let names: Vec<String> = gone
        .iter()
        .filter_map(|gone| gone.name.clone())
        .chain(post.gone.iter().map(|number| name_of(before, *number)))
        .collect();
    // Where their stage is still to come, it runs them.
    let places =
        (all_done && pre.statements.len() > end || !hopeless.is_empty()).then_some(pre.statements.len());
    let order = pre_data.into_iter().zip(pre.known).collect();
    let revoked = before.grants.difference(&now.grants).cloned().collect();
    let change = Change { order, gone, undo, again, places, known, revoked, schemas };
    scripts.pre_data = pre.statements;
    scripts.post_data = post.statements;
    let schema = saved(scripts, objects);
    if begun && end > 0 {
        // All of them are done, whatever numbers they have now.
        scripts.extensions.clear();
    }
    if hopeless.is_empty() && change.again.is_empty() && new.is_empty() && names.is_empty() {
        return Ok(schema);
    }
    anew::apply(context, marks, &change, &scripts.post_data, &schema).await?;
    context.progress.line(&format!(
        "  the source's schema has changed since, which is taken up: {} ({}), {} ({})",
        count(new.len() as u64, "new statement"),
        shown(&new),
        count(names.len() as u64, "gone statement"),
        shown(&names)
    ));
    Ok(schema)
}

/// What drops that which was built of statements after the rows that are gone; the steps that are not done then are added
/// to `again`.
fn built_before(
    context: &Context,
    before: &SavedSchema,
    post: &Aligned,
    in_order: bool,
    again: &mut Vec<Step>,
) -> Result<Vec<String>, Error> {
    let later = post.statements.iter().skip(before.post_data.len());
    if let Some(new) = later.filter(|_| in_order).find(|statement| !builds::is_about_key(&statement.sql)) {
        let name = script::subject(&new.sql).map(|(_, name)| name);
        return Err(too_late(context, &name.into_iter().collect::<Vec<_>>()));
    }
    let mut undo = Vec::new();
    for number in &post.gone {
        let Some(statement) = before.post_data.get(*number) else { continue };
        if in_order && !statement.key {
            return Err(too_late(context, &[name_of(before, *number)]));
        }
        undo.extend(statement.undo.clone());
        again.extend([Step::Build(*number), Step::Index(*number), Step::Check(*number)]);
    }
    Ok(undo)
}

fn name_of(before: &SavedSchema, number: usize) -> String {
    let statement = before.post_data.get(number).and_then(|statement| statement.name.clone());
    statement.unwrap_or_else(|| format!("statement {number} of post-data"))
}

/// Of the statements before the rows, those that the target has run stay in their places; others run behind them, where they
/// can be said twice. Returns the names of those that cannot, and of what is gone and nothing new stands for.
fn not_again(pre: &mut Aligned, before: &SavedSchema, done: usize, all_done: bool) -> Vec<String> {
    let gone = pre.gone.iter().filter_map(|number| before.pre_data.get(*number));
    let names: Vec<Option<String>> = gone.map(|gone| gone.name.clone()).collect();
    let mut hopeless = Vec::new();
    let mut said = BTreeSet::new();
    for statement in pre.statements.iter_mut().skip(done) {
        let Some((kind, name)) = script::subject(&statement.sql) else { continue };
        let replaced = names.contains(&Some(name.clone()));
        match kind {
            script::Subject::Replaceable if replaced => {
                statement.sql = script::or_replace(&statement.sql);
            }
            script::Subject::Other if all_done || replaced => hopeless.push(name.clone()),
            _ => {}
        }
        said.insert(name);
    }
    hopeless.extend(names.iter().flatten().filter(|name| !said.contains(*name)).cloned());
    if names.iter().any(Option::is_none) {
        hopeless.push("settings".to_owned());
    }
    hopeless.sort();
    hopeless.dedup();
    hopeless
}

/// The target has what comes behind rows, triggers that would fire and owners' policies, and cannot be rid of it.
pub(super) fn too_late(context: &Context, what: &[String]) -> Error {
    if !context.args.new_snapshot {
        return only_with_new_rows(context, what);
    }
    Error::Refused {
        what: format!(
            "--resume: the source's schema has changed since the run began, in what the target has already: {}; and the target \
             is past the point where that can be done again",
            shown(what)
        ),
        next: vec![begin_anew(context)],
    }
}

fn only_with_new_rows(context: &Context, what: &[String]) -> Error {
    Error::Refused {
        what: format!(
            "--resume: the source's schema has changed since the run began, in what the target has already: {}",
            shown(what)
        ),
        next: vec![
            "have the target follow, and copy anew what differs: the same command with --resume --new-snapshot".into(),
            anew_from_start(context),
        ],
    }
}

fn shown(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { human::first(names, SHOWN) }
}

struct Aligned {
    statements: Vec<Statement>,
    /// Of those that were aligned, in their own order: whether they have a place of before.
    known: Vec<bool>,
    /// Names of those that are new.
    new: Vec<String>,
    /// Numbers of those that are gone.
    gone: Vec<usize>,
}

/// Puts `now` into the places that the first `fixed` statements of before had; the others follow in their order.
fn align(before: &[SavedStatement], fixed: usize, now: Vec<Statement>, before_rows: bool) -> Aligned {
    let mut by_hash: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
    for (number, statement) in
        before.iter().enumerate().take(fixed).filter(|(_, before)| !before.hash.is_empty())
    {
        by_hash.entry(statement.hash.clone()).or_default().push_back(number);
    }
    let mut places: Vec<Option<Statement>> = Vec::new();
    places.resize_with(fixed.min(before.len()), || None);
    let (mut rest, mut new, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for statement in now {
        let hash = saved_statement(&statement, before_rows).hash;
        let place = by_hash.get_mut(&hash).and_then(VecDeque::pop_front);
        known.push(place.is_some());
        if let Some(place) = place.and_then(|number| places.get_mut(number)) {
            *place = Some(statement);
        } else {
            new.extend(script::subject(&statement.sql).map(|(_, name)| name));
            rest.push(statement);
        }
    }
    let was = |number: &usize| before.get(*number).is_some_and(|before| !before.hash.is_empty());
    let gone = places.iter().enumerate().filter(|(_, place)| place.is_none()).map(|(number, _)| number);
    let gone = gone.filter(was).collect();
    let statements = places.into_iter().map(|place| place.unwrap_or_else(nothing)).chain(rest).collect();
    Aligned { statements, known, new, gone }
}

fn nothing() -> Statement {
    script::statement("", 0, 0, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_keep_their_numbers_whatever_comes_and_goes() {
        let statements = |sql: &str| script::statements("post-data", sql.as_bytes()).expect("statements");
        let first = statements(
            "CREATE INDEX i ON s.a (x); CREATE INDEX j ON s.a (y); CREATE INDEX j ON s.a (y); CREATE INDEX k ON s.a (z);",
        );
        let before: Vec<_> = first.iter().map(|statement| saved_statement(statement, false)).collect();
        let now = statements(
            "CREATE INDEX n ON s.a (x); CREATE INDEX k ON s.a (z); CREATE INDEX j ON s.a (y); CREATE INDEX j ON s.a (y);",
        );
        let aligned = align(&before, 4, now.clone(), false);
        let sql: Vec<&str> = aligned.statements.iter().map(|statement| statement.sql.as_str()).collect();
        assert_eq!(sql[0], "");
        assert_eq!(sql[1..4].iter().map(|sql| &sql[13..14]).collect::<String>(), "jjk");
        assert!(sql[4].starts_with("CREATE INDEX n"));
        assert_eq!(aligned.known, [false, true, true, true]);
        assert_eq!((aligned.gone, aligned.new), (vec![0], vec!["index s.n".to_owned()]));
        // The next time the numbers are those of this time.
        let before: Vec<_> =
            aligned.statements.iter().map(|statement| saved_statement(statement, false)).collect();
        let again = align(&before, before.len(), now, false);
        assert_eq!(again.statements, aligned.statements);
        assert!(again.gone.is_empty() && again.new.is_empty());
    }
}
