//! Patterns of a command line, resolved to the names of a source.

use std::collections::{BTreeMap, BTreeSet};

use super::decided::Filter;
use super::glob::{self, Pattern};
use super::names::{Listed, Names, Used};
use crate::error::Blocker;
use crate::names::Relation;
use crate::quote::{identifier, quoted};

/// So many of what is missing are named.
const SHOWN: usize = 8;

/// Patterns on their way to names.
pub(super) struct Resolver<'a> {
    pub(super) names: &'a Names,
    /// What is wrong with them.
    pub(super) blockers: Vec<Blocker>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, blockers: Vec::new() }
    }

    pub(super) fn block(&mut self, what: String, next: impl IntoIterator<Item = String>) {
        self.blockers.push(Blocker { check: "selection", what, next: next.into_iter().collect() });
    }

    /// Patterns that can be read and match something.
    pub(super) fn read(&mut self, option: &'static str, texts: &[String]) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for text in glob::joined(texts) {
            match Pattern::new(&text) {
                Ok(pattern) => {
                    self.check(option, &pattern);
                    patterns.push(pattern);
                }
                Err(why) => self.block(
                    format!("{option} {text}: {why}"),
                    ["write a schema (sales) or a table of one (sales.orders, sales.*); put a name with other \
                      characters into double quotes (\"Odd.Name\".\"T\")"
                        .to_owned()],
                ),
            }
        }
        patterns
    }

    fn check(&mut self, option: &'static str, pattern: &Pattern) {
        let mut relations = self.names.relations.iter().filter(|listed| pattern.takes(&listed.name));
        let found = if pattern.is_schema() {
            self.names.schemas.iter().any(|schema| pattern.takes_schema(schema))
        } else if option == "--exclude-data" {
            relations.any(|listed| self.has_rows(listed))
        } else {
            relations.next().is_some()
        };
        if found {
            return;
        }
        let nothing = if option == "--exclude-data" { "no table with rows" } else { "nothing" };
        let what = format!("{option} {} matches {nothing} in the source", pattern.text());
        let mut next = Vec::new();
        if pattern.text().trim_matches('"').starts_with("_timescaledb_") {
            next.push(
                "TimescaleDB's own tables follow their hypertable: name that one with --exclude-data"
                    .to_owned(),
            );
        } else {
            let near = self.nearest(pattern);
            if !near.is_empty() {
                next.push(format!("the nearest names are {}", near.join(", ")));
            }
            if self.names.schemas.iter().any(|schema| schema.chars().any(char::is_uppercase)) {
                next.push("a name with upper-case letters has to be quoted: \"Sales\"".to_owned());
            }
        }
        self.block(what, next);
    }

    /// Up to three names that look most like a pattern.
    fn nearest(&self, pattern: &Pattern) -> Vec<String> {
        let wanted = pattern.text().replace('"', "");
        let relation = |listed: &Listed| {
            let Relation { schema, name } = &listed.name;
            (format!("{schema}.{name}"), listed.name.to_string())
        };
        let schema = |schema: &String| (schema.clone(), quoted(schema));
        let names: Vec<_> = if pattern.is_schema() {
            // Who writes a table's name without its schema is told where the table is.
            let same = self.names.relations.iter().filter(|listed| listed.name.name == wanted);
            let tables = same.map(|listed| (listed.name.name.clone(), listed.name.to_string()));
            self.names.schemas.iter().map(schema).chain(tables).collect()
        } else {
            self.names.relations.iter().map(relation).collect()
        };
        let mut near: Vec<_> = names
            .into_iter()
            .map(|(plain, shown)| (strsim::jaro_winkler(&wanted, &plain), shown))
            .filter(|(likeness, _)| *likeness > 0.7)
            .collect();
        near.sort_by(|left, right| right.0.total_cmp(&left.0));
        near.truncate(3);
        near.into_iter().map(|(_, shown)| shown).collect()
    }

    /// What patterns that can be read mean.
    pub(super) fn resolve(&mut self, include: &[Pattern], exclude: &[Pattern], empty: &[Pattern]) -> Filter {
        let mut filter = Filter::default();
        if include.is_empty() && exclude.is_empty() && empty.is_empty() {
            return filter;
        }
        let included = self.taken(include);
        let excluded = self.taken(exclude);
        let whole = |schema: &str| include.is_empty() || include.iter().any(|p| p.takes_schema(schema));
        let dropped = |schema: &str| exclude.iter().any(|pattern| pattern.takes_schema(schema));
        let comes = |table: &Relation| {
            (whole(&table.schema) || included.contains(table))
                && !dropped(&table.schema)
                && !excluded.contains(table)
        };
        let mut come = BTreeSet::new();
        for listed in &self.names.relations {
            // A column's sequence is part of its table.
            if comes(listed.owner.as_ref().unwrap_or(&listed.name)) {
                come.insert(listed.name.clone());
            }
        }
        let everything = include.is_empty();
        self.schemas(&mut filter, everything, &whole, &dropped, &come);
        let names = self.names.relations.iter();
        filter.left_out =
            names.clone().map(|listed| &listed.name).filter(|name| !come.contains(*name)).cloned().collect();
        let empty = self.taken(empty);
        let empty = names.filter(|listed| come.contains(&listed.name) && empty.contains(&listed.name));
        filter.empty =
            empty.filter(|listed| self.has_rows(listed)).map(|listed| listed.name.clone()).collect();
        self.hypertables(&mut filter, everything, &|schema| whole(schema) && !dropped(schema), &come);
        let without = filter.left_out.iter().filter(|name| filter.has_schema(&name.schema));
        filter.without = without.cloned().collect();
        self.judge(&come);
        self.judge_aggregates(!everything, &come);
        filter.needs = self.needs(&filter, !everything, &come);
        filter.lines = self.describe(&filter, &come);
        filter
    }

    fn schemas(
        &mut self,
        filter: &mut Filter,
        everything: bool,
        whole: &dyn Fn(&str) -> bool,
        dropped: &dyn Fn(&str) -> bool,
        come: &BTreeSet<Relation>,
    ) {
        for (schema, extensions) in &self.names.extension_schemas {
            if dropped(schema) {
                self.block(
                    format!(
                        "the schema {} cannot be left out: the extension {} is in it",
                        quoted(schema),
                        extensions.iter().map(|extension| quoted(extension)).collect::<Vec<_>>().join(", ")
                    ),
                    [format!("leave its tables out with --exclude '{}.*'", identifier(schema))],
                );
            }
        }
        let hypertables = self.names.hypertables.iter().filter(|(name, _)| come.contains(*name));
        let kept: BTreeSet<&String> = hypertables
            .flat_map(|(_, hypertable)| hypertable.kept())
            .map(|relation| &relation.schema)
            .collect();
        for schema in kept.iter().filter(|schema| dropped(schema)) {
            self.block(
                format!("the schema {} cannot be left out: it holds chunks of hypertables", quoted(schema)),
                [format!("leave its other tables out with --exclude '{}.*'", identifier(schema))],
            );
        }
        if everything {
            let schemas = self.names.schemas.iter();
            filter.without_schemas = schemas.filter(|schema| dropped(schema)).cloned().collect();
            return;
        }
        let schemas = self.names.schemas.iter().filter(|schema| {
            !dropped(schema)
                && (whole(schema)
                    || come.iter().any(|table| table.schema == **schema)
                    || self.names.extension_schemas.contains_key(*schema))
        });
        let schemas: BTreeSet<_> = schemas.chain(kept).cloned().collect();
        if schemas.is_empty()
            || (come.is_empty() && !self.names.schemas.iter().any(|s| whole(s) && !dropped(s)))
        {
            self.block(
                "--exclude takes away all that --include names".to_owned(),
                ["nothing would come over; name less with --exclude".to_owned()],
            );
        }
        filter.schemas = Some(schemas);
    }

    /// Whether there are rows to leave behind: those of a continuous aggregate are in a table of their own.
    fn has_rows(&self, listed: &Listed) -> bool {
        listed.has_rows() || self.names.hypertables.contains_key(&listed.name)
    }

    /// What cannot be left out.
    fn judge(&mut self, come: &BTreeSet<Relation>) {
        let names = self.names;
        for Listed { name, parent, .. } in &names.relations {
            let Some(parent) = parent else { continue };
            if come.contains(name) && !come.contains(parent) {
                self.block(
                    format!("{name} is a partition of {parent}, which is left out"),
                    [format!("include {parent} and leave out the partitions that are not wanted")],
                );
            }
        }
    }

    /// What is left out and used by what comes.
    fn needs(&self, filter: &Filter, by_include: bool, come: &BTreeSet<Relation>) -> Vec<String> {
        let listed: BTreeSet<&Relation> = self.names.relations.iter().map(|listed| &listed.name).collect();
        let mut needed = BTreeMap::<String, (String, &Relation)>::new();
        for (by, used) in self.names.uses.iter().filter(|(by, _)| come.contains(by)) {
            let (what, option) = match used {
                Used::Relation(relation) if listed.contains(relation) && !come.contains(relation) => {
                    (relation.to_string(), relation.to_string())
                }
                Used::Schema(schema) if !filter.has_schema(schema) => {
                    (format!("something of the schema {}", quoted(schema)), quoted(schema))
                }
                _ => continue,
            };
            needed.entry(option).or_insert((what, by));
        }
        let way = |(option, (what, by)): (String, (String, &Relation))| {
            let option = argument(&[option]);
            if by_include {
                format!("{by} uses {what}, which is left out: --include {option} adds it")
            } else {
                let both = argument(&[by.to_string()]);
                format!("{by} uses {what}, which is left out: keep it, or leave out both: --exclude {both}")
            }
        };
        needed.into_iter().map(way).take(SHOWN).collect()
    }

    /// The relations that patterns take, with the partitions of those that are partitioned.
    fn taken(&self, patterns: &[Pattern]) -> BTreeSet<Relation> {
        let all = self.names.relations.iter().map(|listed| &listed.name);
        let chosen =
            all.filter(|name| patterns.iter().any(|p| p.takes(name) || p.takes_schema(&name.schema)));
        let mut taken: BTreeSet<_> = chosen.cloned().collect();
        let mut children: BTreeMap<&Relation, Vec<&Relation>> = BTreeMap::new();
        for Listed { name, parent, .. } in &self.names.relations {
            if let Some(parent) = parent {
                children.entry(parent).or_default().push(name);
            }
        }
        let mut open: Vec<_> = taken.iter().cloned().collect();
        while let Some(table) = open.pop() {
            for &child in children.get(&table).into_iter().flatten() {
                if taken.insert(child.clone()) {
                    open.push(child.clone());
                }
            }
        }
        taken
    }

    fn describe(&self, filter: &Filter, come: &BTreeSet<Relation>) -> Vec<String> {
        let mut lines = Vec::new();
        let tables = self.names.relations.iter().filter(|listed| !matches!(listed.kind, 'S' | 'v'));
        let (with, without): (Vec<_>, Vec<_>) =
            tables.map(|listed| &listed.name).partition(|name| come.contains(*name));
        if filter.schemas.is_some() || !without.is_empty() {
            lines.push(format!("{} of {} tables come over", with.len(), with.len() + without.len()));
        }
        if !without.is_empty() {
            lines.push(format!("left out: {}", list(without.iter().map(ToString::to_string).collect())));
        }
        lines.extend(filter.needs.iter().cloned());
        if filter.schemas.is_some() {
            lines.push(
                "with --include come the extensions and all of the schemas' types and functions, but nothing that \
                 is in no schema: publications, subscriptions, event triggers, casts, foreign servers, large objects"
                    .to_owned(),
            );
        }
        if !filter.empty.is_empty() {
            lines.push(format!(
                "without rows: {}",
                list(filter.empty.iter().map(ToString::to_string).collect())
            ));
        }
        lines.extend(self.describe_hypertables(filter, come));
        lines
    }
}

/// Names as an argument for a shell.
pub(super) fn argument(names: &[String]) -> String {
    format!("'{}'", names.join(",").replace('\'', r"'\''"))
}

/// Some of them, and how many more there are.
pub(super) fn list(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
