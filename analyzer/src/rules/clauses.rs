//! What rules about options and names share: the bytes of an option, of elements of a list in brackets,
//! and the places of a name in a tree.

use std::ops::Range;

use serde_json::Value;

use crate::facts::{Absence, ObjectId};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, Reference, canonical, pg};
use crate::rule::{Context, FixDraft};
use crate::target::known;

/// The first byte of an option.
pub(crate) fn start(option: &pg::DefElem) -> Option<usize> {
    usize::try_from(option.location).ok()
}

/// The bytes of an option that is one word, or a word and a name after it.
pub(crate) fn word_and_name(
    statement: &Statement<'_>,
    option: &pg::DefElem,
    named: bool,
) -> Option<Range<usize>> {
    let from = start(option)?;
    let word = statement.token_at(from)?;
    let end = if named { statement.name_at(word.end)?.end } else { word.end };
    Some(from..end)
}

/// What to delete so that these options go from a list in brackets, commas included. `None` where all go.
pub(crate) fn from_list(
    statement: &Statement<'_>,
    nodes: &[pg::Node],
    gone: &[usize],
) -> Option<Vec<Range<usize>>> {
    let starts: Vec<usize> = nodes
        .iter()
        .map(|node| match node.node.as_ref() {
            Some(NodeEnum::DefElem(option)) => start(option),
            _ => None,
        })
        .collect::<Option<_>>()?;
    if gone.len() >= starts.len() {
        return None;
    }
    let mut ranges = Vec::new();
    let mut index = 0;
    while index < starts.len() {
        if !gone.contains(&index) {
            index += 1;
            continue;
        }
        let from = *starts.get(index)?;
        while gone.contains(&index) {
            index += 1;
        }
        if let Some(next) = starts.get(index) {
            ranges.push(from..*next);
        } else {
            // From before the comma to before the bracket that closes the list.
            let depth = statement.token_at(from)?.depth;
            let close = statement.code().find(|t| t.start > from && t.depth + 1 == depth)?;
            let comma = statement.code().rfind(|t| t.end <= from)?;
            ranges.push(statement.end_before(comma.start)..statement.end_before(close.start));
        }
    }
    Some(ranges)
}

/// The bytes of an option's value: what stands after its word (and a `=`), up to the comma or bracket.
pub(crate) fn value(statement: &Statement<'_>, option: &pg::DefElem) -> Option<Range<usize>> {
    let from = start(option)?;
    let depth = statement.token_at(from)?.depth;
    let mut code = statement.code().skip_while(|t| t.start <= from).peekable();
    code.next_if(|t| t.text(statement.sql()) == "=");
    let first = code.peek()?.start;
    let end = code
        .take_while(|t| {
            let text = t.text(statement.sql());
            !(t.depth == depth && matches!(text, "," | ";") || t.depth < depth)
        })
        .last()?
        .end;
    Some(first..end)
}

/// The places in a tree that the test takes, as JSON pointers.
pub(crate) fn paths(tree: &Value, test: &dyn Fn(&Value) -> bool) -> Vec<String> {
    fn walk(value: &Value, path: &str, test: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
        if test(value) {
            found.push(path.to_owned());
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    walk(value, &format!("{path}/{name}"), test, found);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    walk(value, &format!("{path}/{index}"), test, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(tree, "", test, &mut found);
    found
}

/// Replaces a schema by another wherever it qualifies a name that the test takes. `None` where no such
/// name is there, or where tree and tokens do not agree on their number. Else the first such schema's
/// bytes, the whole name there, and the fix.
pub(crate) fn requalified(
    statement: &Statement<'_>,
    (from, to): (&str, &str),
    title: String,
    takes: impl Fn(&str) -> bool,
) -> Option<(Range<usize>, String, FixDraft)> {
    let sval = |value: &Value| Some(value.pointer("/String/sval")?.as_str()?.to_owned());
    let tree = canonical(statement.node());
    let lists = paths(&tree, &|value| {
        value.as_array().is_some_and(|list| {
            list.len() > 1
                && list.first().and_then(sval).as_deref() == Some(from)
                && list.get(1).and_then(sval).is_some_and(|name| takes(&name))
        })
    });
    let relations = paths(&tree, &|value| {
        value.get("schemaname").and_then(Value::as_str) == Some(from)
            && value.get("relname").and_then(Value::as_str).is_some_and(&takes)
    });
    let code: Vec<_> = statement.code().collect();
    let sql = statement.sql();
    let ranges: Vec<(Range<usize>, usize)> = code
        .windows(3)
        .enumerate()
        .filter(|(index, window)| {
            let before = index.checked_sub(1).and_then(|before| code.get(before));
            let name = window[2].identifier(sql).unwrap_or_else(|| window[2].text(sql).to_owned());
            before.is_none_or(|before| before.text(sql) != ".")
                && window[0].identifier(sql).as_deref() == Some(from)
                && window[1].text(sql) == "."
                && takes(&name)
        })
        .map(|(_, window)| (window[0].start..window[0].end, window[2].end))
        .collect();
    let (first, end) = ranges.first()?.clone();
    let name = sql.get(first.start..end)?.to_owned();
    if ranges.len() != lists.len() + relations.len() {
        return None;
    }
    let mut fix = FixDraft::edit(title);
    for (range, _) in ranges {
        fix = fix.replace(range, crate::facts::names::quoted(to));
    }
    for path in lists {
        fix = fix.change(Change::set_str(format!("{path}/0/String/sval"), to));
    }
    for path in relations {
        fix = fix.change(Change::set_str(format!("{path}/schemaname"), to));
    }
    Some((first, name, fix))
}

/// The functions that a SELECT list or a CALL calls, each with its place in the tree.
pub(crate) fn calls_at(node: &NodeEnum) -> Vec<(String, &pg::FuncCall)> {
    fn listed(index: usize, item: &pg::Node) -> Option<(String, &pg::FuncCall)> {
        let Some(NodeEnum::ResTarget(target)) = &item.node else { return None };
        let Some(NodeEnum::FuncCall(call)) = target.val.as_ref()?.node.as_ref() else { return None };
        Some((format!("/SelectStmt/target_list/{index}/ResTarget/val/FuncCall"), call))
    }
    match node {
        NodeEnum::SelectStmt(select) => {
            let items = select.target_list.iter().enumerate();
            items.filter_map(|(index, item)| listed(index, item)).collect()
        }
        NodeEnum::CallStmt(s) => {
            s.funccall.iter().map(|call| ("/CallStmt/funccall".to_owned(), &**call)).collect()
        }
        _ => Vec::new(),
    }
}

/// The functions that a SELECT list or a CALL calls. True where nothing else is in the statement: a call among
/// others is for a person.
pub(crate) fn calls(node: &NodeEnum) -> Vec<(&pg::FuncCall, bool)> {
    let only = match node {
        NodeEnum::SelectStmt(select) => select.target_list.len() == 1 && select.from_clause.is_empty(),
        _ => true,
    };
    calls_at(node).into_iter().map(|(_, call)| (call, only)).collect()
}

/// The extensions of the dump that stay, and those that the target has from the start.
pub(crate) fn has_extension(ctx: &Context<'_>, name: &str) -> bool {
    let absent = ctx.facts.absent.contains_key(&ObjectId::new(Class::Extension, None, name));
    ctx.facts.extensions.contains_key(name) && !absent || ctx.target.installed_in(name).is_some()
}

/// The extensions that bring a language, a foreign-data wrapper or an access method of this name.
pub(crate) fn providers(class: Class, name: &str) -> Vec<&'static str> {
    known().filter(|(_, members)| members.has(class, name)).map(|(extension, _)| extension).collect()
}

/// Why a language, foreign-data wrapper or access method will not be there: an earlier finding's object.
pub(crate) fn absence<'a>(ctx: &Context<'a>, class: Class, name: &str) -> Option<&'a Absence> {
    ctx.facts.missing(&Reference::new(class, None, name))
}

/// True where the dump itself makes this type (or the table whose rows it is): its owner may do with it
/// what a superuser may with all.
pub(crate) fn is_own_type(ctx: &Context<'_>, name: &pg::TypeName) -> bool {
    let Some((schema, base)) = crate::facts::names::qualified(&name.names) else { return false };
    [Class::Type, Class::Relation]
        .iter()
        .any(|class| ctx.facts.declares(&ctx.resolved(&ObjectId::new(*class, schema, base))))
}

/// True where this type is pg_catalog's or belongs to an extension: the superuser owns it.
pub(crate) fn is_superusers_type(ctx: &Context<'_>, name: &pg::TypeName) -> bool {
    let Some((schema, base)) = crate::facts::names::qualified(&name.names) else { return false };
    if is_own_type(ctx, name) {
        return false;
    }
    schema == Some("pg_catalog")
        || schema.is_none() && crate::target::is_builtin(Class::Type, base)
        || ctx.facts.extensions.keys().any(|e| ctx.facts.is_member_of(e, Class::Type, schema, base))
}
