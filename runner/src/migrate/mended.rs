//! A schema that was mended on the source between two starts: what has changed is taken up, and done again on the target.
//!
//! Steps are known by the numbers of their statements. So the statements of before keep their numbers, those that are gone
//! leave an empty place, and new ones come behind.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};
use tsmigrate_analyzer::parse;

use super::Context;
use super::refusal::refused;
use super::scripts::Scripts;
use crate::connect::Session;
use crate::engine::builds;
use crate::engine::marks::Marks;
use crate::engine::statements;
use crate::error::Error;
use crate::human::{count, hex};
use crate::script::{self, Class, Statement};
use crate::step::{self, Step};
use crate::workdir::{SavedSchema, SavedStatement};

/// So many changes are named.
const SHOWN: usize = 6;

/// What a run has to know of its schema when it goes on.
pub(super) fn saved(scripts: &Scripts) -> SavedSchema {
    let all = |statements: &[Statement]| statements.iter().map(saved_statement).collect();
    SavedSchema {
        roles: hash(scripts.roles.iter().map(|statement| statement.sql.as_str())),
        access: hash(scripts.access.iter().map(|(_, statement)| statement.sql.as_str())),
        extensions: hash(scripts.extensions.iter().map(|statement| statement.sql.as_str())),
        pre_data: all(&scripts.pre_data),
        post_data: all(&scripts.post_data),
    }
}

fn saved_statement(statement: &Statement) -> SavedStatement {
    if statement.sql.is_empty() {
        return SavedStatement::default();
    }
    let parsed = parse::parse(&statement.sql, true).ok().flatten();
    let node = parsed.as_ref().map(parse::Parsed::node);
    SavedStatement {
        // One that was replaced is the same the next time.
        hash: hash([statement.sql.replacen("CREATE OR REPLACE ", "CREATE ", 1).as_str()].into_iter()),
        name: node.and_then(|node| script::subject_of(node, &statement.sql)).map(|(_, name)| name),
        undo: node.and_then(builds::undo),
        key: node.is_some_and(builds::is_key),
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
/// marks on the target have. What was built of statements that are gone is dropped.
///
/// # Errors
/// Where something has changed that cannot be done again, or the target refuses.
pub(super) async fn take_up(
    context: &Context,
    target: &Session,
    marks: &Marks,
    before: &SavedSchema,
    scripts: &mut Scripts,
) -> Result<SavedSchema, Error> {
    let now = saved(scripts);
    let mut again = Vec::new();
    if now.roles != before.roles {
        again.push(Step::Roles);
    }
    if now.access != before.access {
        again.extend([Step::Owners, Step::Access]);
    }
    let has_extension =
        (0..scripts.extensions.len()).any(|number| marks.done(&Step::Extension(number)).is_some());
    if now.extensions != before.extensions && has_extension {
        return Err(changed(context, &["its extensions".to_owned()]));
    }
    let (new, mut gone) = pre_data(context, target, marks, before, scripts).await?;
    let Aligned { statements, new: built, gone: unbuilt } =
        align(&before.post_data, before.post_data.len(), std::mem::take(&mut scripts.post_data));
    scripts.post_data = statements;
    let all = new.into_iter().chain(built).collect::<Vec<String>>();
    let lists = [step::List::PostData, step::List::RowSecurity, step::List::LateRowSecurity];
    // What runs in the dump's order has run, or a part of it: others have no place there any more.
    let in_order = lists.iter().any(|list| marks.has_list(*list));
    let later = scripts.post_data.iter().skip(before.post_data.len());
    if let Some(new) = later.filter(|_| in_order).find(|statement| !builds::is_about_key(&statement.sql)) {
        return Err(changed(
            context,
            &script::subject(&new.sql).map(|(_, name)| name).into_iter().collect::<Vec<_>>(),
        ));
    }
    let mut undo = String::new();
    for number in unbuilt {
        let Some(statement) = before.post_data.get(number) else { continue };
        let name = statement.name.clone().unwrap_or_else(|| format!("statement {number} of post-data"));
        if in_order && !statement.key {
            return Err(changed(context, &[name]));
        }
        undo.extend(statement.undo.iter().map(|undo| format!("{undo}; ")));
        again.extend([Step::Build(number), Step::Index(number), Step::Check(number)]);
        gone.push(name);
    }
    if again.is_empty() && all.is_empty() && gone.is_empty() {
        return Ok(saved(scripts));
    }
    if !again.is_empty() {
        target.run(&format!("BEGIN; {undo}{}; COMMIT", Marks::forget_sql(&again))).await?;
        marks.forget(&again);
    }
    context.progress.line(&format!(
        "  the source's schema has changed since, which is taken up: {} ({}), {} ({})",
        count(all.len() as u64, "new statement"),
        shown(&all),
        count(gone.len() as u64, "gone statement"),
        shown(&gone)
    ));
    Ok(saved(scripts))
}

/// Of the statements before the rows, those that the target has run stay in their places. Where it has run all, new ones run
/// here, as far as they may be said twice; returns the names of what is new and what is gone.
async fn pre_data(
    context: &Context,
    target: &Session,
    marks: &Marks,
    before: &SavedSchema,
    scripts: &mut Scripts,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let end = marks.end_of(step::List::PreData);
    let done = end.min(before.pre_data.len());
    let mut aligned = align(&before.pre_data, done, std::mem::take(&mut scripts.pre_data));
    let complete = end >= before.pre_data.len() && end > 0;
    let mut hopeless = Vec::new();
    let names: Vec<Option<String>> = aligned
        .gone
        .iter()
        .map(|number| before.pre_data.get(*number).and_then(|gone| gone.name.clone()))
        .collect();
    let mut said = std::collections::BTreeSet::new();
    for statement in aligned.statements.iter_mut().skip(done) {
        let Some((kind, name)) = script::subject(&statement.sql) else { continue };
        let replaced = names.contains(&Some(name.clone()));
        match kind {
            script::Subject::Replaceable if replaced => {
                statement.sql = statement.sql.replacen("CREATE ", "CREATE OR REPLACE ", 1);
            }
            script::Subject::Other if complete || replaced => hopeless.push(name.clone()),
            _ => {}
        }
        said.insert(name);
    }
    // What is gone and nothing new stands for.
    hopeless.extend(names.iter().flatten().filter(|name| !said.contains(*name)).cloned());
    if names.iter().any(Option::is_none) {
        hopeless.push("something else".to_owned());
    }
    if !hopeless.is_empty() {
        hopeless.sort();
        hopeless.dedup();
        return Err(changed(context, &hopeless));
    }
    scripts.pre_data = aligned.statements;
    if end > done && end != scripts.pre_data.len() {
        return Err(changed(context, &["what was taken up before".to_owned()]));
    }
    // Where the last start ended in between, the target has them already.
    let new = scripts.pre_data.get(end..).unwrap_or_default();
    if complete && !new.is_empty() {
        let old: Vec<Step> =
            statements::steps(step::List::PreData, done).into_iter().map(|(step, _)| step).collect();
        let all = statements::steps(step::List::PreData, scripts.pre_data.len());
        let new_marks: Vec<String> = all.iter().map(|(step, _)| Marks::sql(step, 0)).collect();
        target.run("SET check_function_bodies = off; BEGIN").await?;
        for statement in new.iter().filter(|statement| statement.class != Class::Setting) {
            statements::execute(target, "pre-data", statement).await?;
        }
        target.run(&format!("{}; {}; COMMIT", Marks::forget_sql(&old), new_marks.join("; "))).await?;
        marks.forget(&old);
        for (step, _) in &all {
            marks.note(step, 0);
        }
    }
    Ok((if complete { aligned.new } else { Vec::new() }, names.into_iter().flatten().collect()))
}

fn changed(context: &Context, what: &[String]) -> Error {
    refused(
        context,
        &format!(
            "the source's schema has changed since in what is on the target already: {} (a new chunk of a hypertable is such a \
             change)",
            shown(what)
        ),
    )
}

fn shown(names: &[String]) -> String {
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let names: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { format!("{}{more}", names.join(", ")) }
}

struct Aligned {
    statements: Vec<Statement>,
    /// Names of those that are new.
    new: Vec<String>,
    /// Numbers of those that are gone.
    gone: Vec<usize>,
}

/// Puts `now` into the places that the first `fixed` statements of before had; the others follow in their order.
fn align(before: &[SavedStatement], fixed: usize, now: Vec<Statement>) -> Aligned {
    let mut by_hash: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
    for (number, statement) in
        before.iter().enumerate().take(fixed).filter(|(_, before)| !before.hash.is_empty())
    {
        by_hash.entry(statement.hash.clone()).or_default().push_back(number);
    }
    let mut places: Vec<Option<Statement>> = Vec::new();
    places.resize_with(fixed.min(before.len()), || None);
    let (mut rest, mut new) = (Vec::new(), Vec::new());
    for statement in now {
        let place = by_hash.get_mut(&saved_statement(&statement).hash).and_then(VecDeque::pop_front);
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
    Aligned { statements, new, gone }
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
        let before: Vec<_> = first.iter().map(saved_statement).collect();
        let now = statements(
            "CREATE INDEX n ON s.a (x); CREATE INDEX k ON s.a (z); CREATE INDEX j ON s.a (y); CREATE INDEX j ON s.a (y);",
        );
        let aligned = align(&before, 4, now.clone());
        let sql: Vec<&str> = aligned.statements.iter().map(|statement| statement.sql.as_str()).collect();
        assert_eq!(sql[0], "");
        assert_eq!(sql[1..4].iter().map(|sql| &sql[13..14]).collect::<String>(), "jjk");
        assert!(sql[4].starts_with("CREATE INDEX n"));
        assert_eq!((aligned.gone, aligned.new), (vec![0], vec!["index s.n".to_owned()]));
        // The next time the numbers are those of this time.
        let before: Vec<_> = aligned.statements.iter().map(saved_statement).collect();
        let again = align(&before, before.len(), now);
        assert_eq!(again.statements, aligned.statements);
        assert!(again.gone.is_empty() && again.new.is_empty());
    }
}
