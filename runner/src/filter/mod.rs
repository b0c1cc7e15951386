//! What comes over: `--include`, `--exclude` and `--exclude-data`, resolved to the names of a source.
//!
//! A pattern is a schema (`sales`) or a table of one (`sales.orders`), written as PostgreSQL writes names: folded to
//! lower case unless quoted. Outside quotes `*` stands for any text and `?` for one character. `--exclude` wins over
//! `--include`. What belongs together comes together: a partitioned table with its partitions, a table with the
//! sequences of its columns, an included table with the types and functions of its schema.
//!
//! TimescaleDB's catalogs are copied as a whole, so hypertables and continuous aggregates all come over. The rows of a
//! hypertable can stay behind: its chunks arrive empty, and `drop_chunks` removes them.

mod glob;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use glob::Pattern;
pub(crate) use glob::joined;
pub use names::{Listed, Names, names};

use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::inspect::Facts;
use crate::names::Relation;
use crate::quote::{identifier, quoted};

/// How many names one argument of `pg_dump` holds: one query of its own each would take long for thousands.
const NAMES_IN_ARGUMENT: usize = 50;

/// The patterns of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// `--include`.
    pub include: Vec<String>,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--exclude-data`.
    pub exclude_data: Vec<String>,
}

/// The names that come over, and those that come without rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Schemas to name to `pg_dump`, where `--include` was given.
    schemas: Option<BTreeSet<String>>,
    /// Schemas that stay behind with all that is in them.
    without_schemas: BTreeSet<String>,
    /// Relations that stay behind although something of their schema comes.
    without: BTreeSet<Relation>,
    /// Relations whose rows stay behind.
    empty: BTreeSet<Relation>,
    /// Chunks whose rows stay behind, with those that hold the compressed rows.
    empty_chunks: BTreeSet<Relation>,
    /// Every relation that does not come over.
    left_out: BTreeSet<Relation>,
    lines: Vec<String>,
}

impl Filter {
    /// Asks a source for its names and resolves the patterns of a command line to them.
    ///
    /// # Errors
    /// When the server refuses a question, or [`Error::Preflight`] with everything that is wrong with the patterns.
    pub async fn ask(session: &Session, facts: &Facts, wish: &Wish) -> Result<Self, Error> {
        if *wish == Wish::default() {
            return Ok(Self::default());
        }
        Self::new(wish, &names::names(session, facts).await?).map_err(Error::Preflight)
    }

    /// Resolves the patterns of a command line.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with what to do.
    pub fn new(wish: &Wish, names: &Names) -> Result<Self, Vec<Blocker>> {
        let mut resolver = Resolver { names, blockers: Vec::new() };
        let include = resolver.read("--include", &wish.include);
        let exclude = resolver.read("--exclude", &wish.exclude);
        let empty = resolver.read("--exclude-data", &wish.exclude_data);
        if !resolver.blockers.is_empty() {
            return Err(resolver.blockers);
        }
        let filter = resolver.resolve(&include, &exclude, &empty);
        if resolver.blockers.is_empty() { Ok(filter) } else { Err(resolver.blockers) }
    }

    /// True where everything comes over.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `--include` names what comes over: what is in no schema stays behind then.
    #[must_use]
    pub fn names_schemas(&self) -> bool {
        self.schemas.is_some()
    }

    /// Whether objects of `schema` come over. Extensions and what is in them always do.
    #[must_use]
    pub fn has_schema(&self, schema: &str) -> bool {
        self.schemas.as_ref().is_none_or(|schemas| schemas.contains(schema))
            && !self.without_schemas.contains(schema)
    }

    /// Whether the relation comes over. Extensions' own tables always do: ask for others only.
    #[must_use]
    pub fn has(&self, relation: &Relation) -> bool {
        self.has_schema(&relation.schema) && !self.without.contains(relation)
    }

    /// Whether the relation's rows come over; for a materialized view, whether it is to be refreshed. Sequences keep
    /// their values. Extensions' own tables always keep their rows: ask for others only.
    #[must_use]
    pub fn keeps_rows(&self, relation: &Relation) -> bool {
        self.has(relation) && !self.leaves_rows(relation)
    }

    /// Arguments for a `pg_dump` of the schema. All names are exact.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(schemas) = &self.schemas {
            arguments.extend(schemas.iter().map(|schema| format!("--schema={}", identifier(schema))));
            // pg_dump leaves extensions out as soon as schemas are named.
            arguments.push("--extension=*".to_owned());
        }
        let without = self.without_schemas.iter();
        arguments.extend(without.map(|schema| format!("--exclude-schema={}", identifier(schema))));
        arguments.extend(named("--exclude-table", &self.without));
        arguments.extend(named("--exclude-table-data", &self.empty));
        arguments
    }

    /// Arguments for a `pg_dump` of the rows: those of [`Filter::arguments`] and the chunks without rows.
    #[must_use]
    pub fn data_arguments(&self) -> Vec<String> {
        let mut arguments = self.arguments();
        arguments.extend(named("--exclude-table-data", &self.empty_chunks));
        arguments
    }

    /// Whether the relation comes over without its rows.
    #[must_use]
    pub fn leaves_rows(&self, relation: &Relation) -> bool {
        self.empty.contains(relation) || self.empty_chunks.contains(relation)
    }

    /// Whether the rows of any table stay behind.
    #[must_use]
    pub fn leaves_any_rows(&self) -> bool {
        !self.empty.is_empty() || !self.empty_chunks.is_empty()
    }

    /// Every relation of the source that does not come over.
    #[must_use]
    pub fn left_out(&self) -> &BTreeSet<Relation> {
        &self.left_out
    }

    /// What it means, for a plan and a report.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// `--option="schema"."a"|"b"|…`: `pg_dump` reads names as regular expressions, where a bar stands for `or`.
fn named(option: &str, relations: &BTreeSet<Relation>) -> Vec<String> {
    let mut schemas: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Relation { schema, name } in relations {
        schemas.entry(schema).or_default().push(identifier(name));
    }
    let argument = |(schema, names): (&str, Vec<String>)| {
        let chunks = names.chunks(NAMES_IN_ARGUMENT);
        chunks.map(|chunk| format!("{option}={}.{}", identifier(schema), chunk.join("|"))).collect::<Vec<_>>()
    };
    schemas.into_iter().flat_map(argument).collect()
}

struct Resolver<'a> {
    names: &'a Names,
    blockers: Vec<Blocker>,
}

impl Resolver<'_> {
    fn block(&mut self, what: String, next: impl IntoIterator<Item = String>) {
        self.blockers.push(Blocker { check: "selection", what, next: next.into_iter().collect() });
    }

    /// Patterns that can be read and match something.
    fn read(&mut self, option: &'static str, texts: &[String]) -> Vec<Pattern> {
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
            relations.any(Listed::has_rows)
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

    fn resolve(&mut self, include: &[Pattern], exclude: &[Pattern], empty: &[Pattern]) -> Filter {
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
        self.schemas(&mut filter, include.is_empty(), &whole, &dropped, &come);
        let names = self.names.relations.iter().map(|listed| &listed.name);
        filter.left_out = names.filter(|name| !come.contains(*name)).cloned().collect();
        let without = filter.left_out.iter().filter(|name| filter.has_schema(&name.schema));
        filter.without = without.cloned().collect();
        self.rows(&mut filter, empty, &come);
        self.judge(include, &come);
        self.jobs(&filter);
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
        for schema in self.names.chunk_schemas.iter().filter(|schema| dropped(schema)) {
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
        let schemas: BTreeSet<_> = schemas.chain(&self.names.chunk_schemas).cloned().collect();
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

    fn rows(&mut self, filter: &mut Filter, empty: &[Pattern], come: &BTreeSet<Relation>) {
        let mut aggregates = Vec::new();
        for key in self.taken(empty) {
            if !come.contains(&key) {
                continue;
            }
            if self.names.aggregates.contains(&key) {
                aggregates.push(key.to_string());
            }
            if let Some(chunks) = self.names.chunks.get(&key) {
                filter.empty_chunks.extend(chunks.iter().cloned());
            }
            let listed = self.names.relations.iter().find(|listed| listed.name == key);
            if listed.is_some_and(Listed::has_rows) {
                filter.empty.insert(key);
            }
        }
        if !aggregates.is_empty() {
            self.block(
                format!("the rows of continuous aggregates cannot be left out: {}", aggregates.join(", ")),
                [
                    "TimescaleDB's catalogs say which of their ranges are materialized and come over as a whole: they \
                     would read as empty and never be refreshed; name tables with --exclude-data"
                        .to_owned(),
                ],
            );
        }
    }

    /// What cannot be left out.
    fn judge(&mut self, include: &[Pattern], come: &BTreeSet<Relation>) {
        let names = self.names;
        let tables: Vec<_> = names.hypertables.iter().filter(|key| !come.contains(*key)).collect();
        let aggregates: Vec<_> = names.aggregates.iter().filter(|key| !come.contains(*key)).collect();
        let left: Vec<_> = tables.iter().chain(&aggregates).map(ToString::to_string).collect();
        if !left.is_empty() {
            let mut next = vec!["TimescaleDB's catalogs come over as a whole, and they name them".to_owned()];
            if include.is_empty() {
                next.push("leave them in, and drop them on the target afterwards".to_owned());
            } else {
                next.push(format!("name them as well: --include {}", argument(&left)));
            }
            if !tables.is_empty() {
                let tables: Vec<_> = tables.into_iter().map(ToString::to_string).collect();
                next.push(format!(
                    "the rows of hypertables can stay behind: --exclude-data {}",
                    argument(&tables)
                ));
            }
            self.block(
                format!("hypertables and continuous aggregates cannot be left out: {}", left.join(", ")),
                next,
            );
        }
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

    fn jobs(&mut self, filter: &Filter) {
        for (job, schema) in self.names.jobs.iter().filter(|(_, schema)| !filter.has_schema(schema)) {
            let schema = quoted(schema);
            self.block(
                format!("the job {job} runs a procedure of the schema {schema}, which is left out"),
                [format!("take {schema} in, or remove the job from the source with delete_job()")],
            );
        }
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
        let list = |names: Vec<String>| {
            let more = names.len().saturating_sub(8);
            let shown = names.into_iter().take(8).collect::<Vec<_>>().join(", ");
            if more > 0 { format!("{shown} and {more} more") } else { shown }
        };
        let tables = self.names.relations.iter().filter(|listed| !matches!(listed.kind, 'S' | 'v'));
        let (with, without): (Vec<_>, Vec<_>) =
            tables.map(|listed| &listed.name).partition(|name| come.contains(*name));
        if filter.schemas.is_some() || !without.is_empty() {
            lines.push(format!("{} of {} tables come over", with.len(), with.len() + without.len()));
        }
        if !without.is_empty() {
            lines.push(format!("left out: {}", list(without.iter().map(ToString::to_string).collect())));
        }
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
        if !filter.empty_chunks.is_empty() {
            lines.push(format!(
                "{} chunks arrive empty; remove them on the target with drop_chunks",
                filter.empty_chunks.len()
            ));
        }
        lines
    }
}

/// Names as an argument for a shell.
fn argument(names: &[String]) -> String {
    format!("'{}'", names.join(",").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
