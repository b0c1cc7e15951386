//! Differences that findings have announced: what will not be there, or will be different, and by which rule.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::facts::names::shown_type;

use super::changed::{self, Change, STAYED, is_word_of_kind};
use super::identity::{self, Place};
use super::options::Expect;
use super::result::Difference;
use crate::inspect::Facts;
use crate::quote::quoted;

/// What findings said will not be there, or will be different.
pub(super) struct Announced {
    /// By object: the rule that takes the whole of it away.
    gone: BTreeMap<String, String>,
    /// By function: how many of its name are taken away, and are still to be found missing. Rules name no arguments.
    functions: RefCell<BTreeMap<String, usize>>,
    /// What is rewritten of objects that arrive.
    changed: Vec<Change>,
    /// What is lost in the rules' words: `log_statement of role app`.
    settings: Vec<(String, String)>,
    /// By type and language: the rule that takes it away.
    transforms: BTreeMap<(String, String), String>,
    source: BTreeSet<String>,
    /// Tables whose keys get the columns of their hypertable.
    keys: BTreeSet<String>,
}

impl Announced {
    pub(super) fn new(expect: &Expect<'_>) -> Self {
        let (mut gone, mut changed, mut settings) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut transforms = BTreeMap::new();
        let mut functions: BTreeMap<String, BTreeSet<(&str, u64)>> = BTreeMap::new();
        for finding in expect.findings.iter().filter(|finding| finding.severity != "note") {
            let lost = finding.lost.as_deref().map(announced);
            settings.extend(lost.clone().map(|lost| (lost, finding.rule.to_string())));
            // OWN-01 takes an owner away, never the object.
            let object = finding.object.as_deref().filter(|_| finding.rule != "OWN-01");
            let refused = finding.severity == "error" && !finding.solved;
            // A rewrite may take a parameter of a table away, or a comment on it: the table is gone where that is what is lost.
            let takes = refused
                || lost
                    .as_deref()
                    .zip(object)
                    .is_some_and(|(lost, object)| is_whole(lost, &announced(object)));
            let whole = object.filter(|_| takes);
            transforms.extend(whole.and_then(transform).map(|it| (it, finding.rule.to_string())));
            for key in whole.map(announced).into_iter().chain(lost.clone()) {
                if FUNCTIONS.iter().any(|kind| key.starts_with(kind)) {
                    functions.entry(key.clone()).or_default().insert((finding.part, finding.line));
                }
                gone.entry(key).or_insert_with(|| finding.rule.to_string());
            }
            let rewritten = object.filter(|_| refused || lost.is_some() || finding.solved).map(announced);
            let all: BTreeSet<String> = rewritten.into_iter().chain(lost).collect();
            changed.extend(all.iter().map(|words| Change::new(words, &finding.rule)));
        }
        let functions = functions.into_iter().map(|(name, places)| (name, places.len())).collect();
        changed.extend(expect.skipped.iter().map(|table| Change::new(&plain(&table.to_string()), STAYED)));
        let functions = RefCell::new(functions);
        let source = extensions_left(expect.source, expect.target);
        let of_keys = expect.findings.iter().filter(|finding| finding.rule == "HT-02" && finding.solved);
        let keys = of_keys.filter_map(|finding| Some(announced(finding.object.as_deref()?))).collect();
        Self { gone, functions, changed, settings, transforms, source, keys }
    }

    /// Why a difference was to be expected. What the target has and the source does not was announced by nobody.
    pub(super) fn reason(&self, difference: &Difference) -> Option<String> {
        difference.expected.as_ref()?;
        let object = plain(&difference.object);
        if difference.kind == "extension" && self.source.contains(&object) {
            return Some("the service does not have it".into());
        }
        if matches!(difference.kind.as_str(), "role setting" | "database setting") {
            // What a database says to everybody has no role.
            let (whose, setting) = identity::rsplit_once(&object, " ").unwrap_or(("", &object));
            let lost = format!("{setting} of role {whose}");
            let of_database = difference.kind == "database setting";
            let found = self
                .settings
                .iter()
                .find(|(text, _)| text.ends_with(&lost) || of_database && is_of_database(text, setting));
            return found.map(|(_, rule)| rule.clone());
        }
        if difference.kind.starts_with("extension member ") {
            let (body, properties) = (format!("body of {object}"), format!("properties of {object}"));
            let found = self.settings.iter().find(|(lost, _)| *lost == body || *lost == properties);
            return found.map(|(_, rule)| rule.clone());
        }
        if matches!(difference.kind.as_str(), "index definition" | "table constraint definition")
            && let Some((_, table)) = identity::split_once(&object, " on ")
            && self.keys.contains(&format!("table {table}"))
        {
            return Some("HT-02".into());
        }
        if difference.kind == "transform" && difference.found.is_none() {
            let (kind, language) =
                object.strip_prefix("for ").and_then(|it| identity::split_once(it, " language "))?;
            return self.transforms.get(&(kind.to_owned(), language.to_owned())).cloned();
        }
        if difference.kind == "publication schema" {
            // A publication that arrives may have tables in its place.
            let (_, publication) = identity::split_once(&object, " in ")?;
            return changed::reason(&self.changed, difference, publication);
        }
        if let Some(expected) = difference.expected.as_ref().filter(|_| difference.found.is_some()) {
            // A table is kept by the usual access method where its own cannot be.
            let method = (difference.kind == "table access method")
                .then(|| format!("access method {}", quoted(expected)));
            let is_gone = |said: &str| {
                let rest = method.as_ref().and_then(|method| said.strip_prefix(method.as_str()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" of the tables that follow"))
            };
            let gone = || self.gone.iter().find(|(said, _)| is_gone(said)).map(|(_, rule)| rule.clone());
            return changed::reason(&self.changed, difference, &object).or_else(gone);
        }
        let words = [format!("{} {object}", difference.kind), object.clone()];
        let table = identity::split_once(&object, " on ").map(|(_, table)| table.to_owned());
        let of_column = object.strip_prefix("for ").unwrap_or(&object);
        let without_column = identity::rsplit_once(of_column, ".").map(|(table, _)| table.to_owned());
        // A comment goes with what it is on, and with the view that its column is of.
        let comment = object.strip_prefix("on ").filter(|_| difference.kind == "comment");
        let commented = comment.into_iter().flat_map(|on| {
            let place = match identity::place("comment", &object) {
                Place::Schema(relation) => relation.to_string(),
                Place::Database(_) => on.to_owned(),
            };
            // A constraint is announced without the words for its kind.
            let constraint = on.strip_prefix("table constraint ").unwrap_or(on);
            [on.to_owned(), place, constraint.to_owned()]
        });
        // An index, an operator class and a family are known by their names: not by their table, nor by what they are for.
        let known = match difference.kind.as_str() {
            // Rows that break it are announced by its name alone.
            "index" => identity::split_once(&object, " on ").map(|(name, _)| name.to_owned()),
            kind @ ("operator class" | "operator family") => {
                identity::split_once(&object, " USING ").map(|(name, _)| format!("{kind} {name}"))
            }
            _ => None,
        };
        // A part goes with its table.
        let candidates =
            words.into_iter().chain(known).chain(commented).chain(table).chain(
                without_column.filter(|_| matches!(difference.kind.as_str(), "column" | "default value")),
            );
        candidates.into_iter().find_map(|name| {
            let name = identity::before(&name, "(").trim().to_owned();
            self.gone
                .iter()
                .find(|(object, _)| says(object, &name))
                .filter(|(object, _)| difference.kind == "comment" || self.is_another(object))
                .map(|(_, rule)| rule.clone())
        })
    }

    /// False where all functions of this name that were announced as lost have been found missing.
    fn is_another(&self, function: &str) -> bool {
        match self.functions.borrow_mut().get_mut(function) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

/// This parameter, as the database or all roles have it, is what is lost.
fn is_of_database(lost: &str, parameter: &str) -> bool {
    let lost = lost.strip_prefix("setting ").unwrap_or(lost);
    lost.strip_prefix(parameter)
        .is_some_and(|of| of.is_empty() || of.starts_with(" of database ") || of == " of role \"ALL\"")
}

/// What has overloads.
const FUNCTIONS: [&str; 3] = ["function ", "procedure ", "aggregate "];

/// What is lost is the object itself, perhaps with a word about it: `tablespace t: what was in it goes …`.
fn is_whole(lost: &str, object: &str) -> bool {
    lost.strip_prefix(object).is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ':']))
}

/// An announcement is about the object of this name alone: it is the name, behind nothing but the words for its kind. The trigger of a
/// table, a setting of a role, the comment on a view are others.
fn says(announced: &str, name: &str) -> bool {
    let Some(kind) = announced.strip_suffix(name) else { return false };
    let Some(kind) = kind.strip_suffix(' ') else { return kind.is_empty() };
    kind == "membership of" || kind.split(' ').all(is_word_of_kind)
}

fn extensions_left(source: &Facts, target: &Facts) -> BTreeSet<String> {
    let here = |name: &&String| !target.extensions.contains_key(*name) && !target.creatable.contains(*name);
    source.extensions.keys().filter(here).cloned().collect()
}

/// The type and the language of `transform (for int4 language "sql")`, as the server writes them.
fn transform(object: &str) -> Option<(String, String)> {
    let inside = object.strip_prefix("transform (for ")?.strip_suffix(')')?;
    let (kind, language) = identity::split_once(inside, " language ")?;
    Some((shown_type(&identity::plain(kind)).to_owned(), identity::plain(language)))
}

/// An object in the words of a rule, which write roles without quotes: `setting work_mem of role a b`.
fn announced(object: &str) -> String {
    match object.rsplit_once("role ").filter(|(_, name)| !name.starts_with('"')) {
        Some((words, name)) if words.is_empty() || words.ends_with(' ') => {
            format!("{} role {}", plain(words), quoted(name)).trim_start().to_owned()
        }
        _ => plain(object),
    }
}

/// An object in the words of a rule or a server, without its arguments, and with quotes where names need them.
fn plain(object: &str) -> String {
    identity::plain(identity::before(object, "(").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_takes_away_is_known_by_the_names_of_the_server() {
        let gone = [
            "index public.\"A\"",
            "operator class public.ioc",
            "operator family public.ioc",
            "access method am2",
            "access method am4 of the tables that follow: they are heap tables",
        ];
        let gone: BTreeMap<_, _> = gone.map(|object| (object.to_owned(), "A".to_owned())).into();
        let transforms =
            ["transform (for int4 language \"sql\")", "transform (for public.\"T\" language \"plperl\")"];
        let announced = Announced {
            changed: Vec::new(),
            gone,
            functions: RefCell::default(),
            settings: Vec::new(),
            transforms: transforms.iter().filter_map(|it| Some((transform(it)?, "B".to_owned()))).collect(),
            source: BTreeSet::new(),
            keys: BTreeSet::new(),
        };
        let reason = |kind: &str, object: &str, expected: &str, found: Option<&str>| {
            announced.reason(&Difference {
                kind: kind.into(),
                object: object.into(),
                expected: Some(expected.into()),
                found: found.map(Into::into),
                ..Difference::default()
            })
        };
        for (kind, object, rule) in [
            ("index", "public.\"A\" on public.t", Some("A")),
            ("index", "public.b on public.t", None),
            ("operator class", "public.ioc USING btree", Some("A")),
            ("operator family", "public.ioc USING btree", Some("A")),
            ("operator class", "public.other USING btree", None),
            ("transform", "for integer language sql", Some("B")),
            ("transform", "for public.\"T\" language plperl", Some("B")),
            ("transform", "for bigint language sql", None),
        ] {
            assert_eq!(reason(kind, object, "there", None).as_deref(), rule, "{kind} {object}");
        }
        assert_eq!(reason("table access method", "public.t", "am2", Some("heap")).as_deref(), Some("A"));
        assert_eq!(reason("table access method", "public.t", "am3", Some("heap")), None);
        assert_eq!(reason("table access method", "public.t", "am4", Some("heap")).as_deref(), Some("A"));
    }
}
