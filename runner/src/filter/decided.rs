//! What comes over of a source, by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::inspect::Facts;
use crate::names::Relation;
use crate::quote::identifier;
use crate::timescale::{self, Chosen};

/// How many names one argument of `pg_dump` holds: one query of its own each would take long for thousands.
const NAMES_IN_ARGUMENT: usize = 50;

/// The names that come over, and those that come without rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Schemas to name to `pg_dump`, where `--include` was given.
    pub(super) schemas: Option<BTreeSet<String>>,
    /// Schemas that stay behind with all that is in them.
    pub(super) without_schemas: BTreeSet<String>,
    /// Relations that stay behind although something of their schema comes.
    pub(super) without: BTreeSet<Relation>,
    /// Relations whose rows stay behind.
    pub(super) empty: BTreeSet<Relation>,
    /// What of TimescaleDB comes, where not all of it does.
    pub(super) chosen: Option<Chosen>,
    /// Hypertables with their chunks that come without the continuous aggregates that are made from them.
    pub(super) unwatched: BTreeSet<Relation>,
    /// Every relation that does not come over.
    pub(super) left_out: BTreeSet<Relation>,
    /// What it means.
    pub(super) lines: Vec<String>,
    /// What stays behind and is used.
    pub(super) needs: Vec<String>,
}

impl Filter {
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
            && !(timescale::is_own(schema) && self.chosen.as_ref().is_some_and(Chosen::is_nothing))
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

    /// What of TimescaleDB comes over; none where all of it does.
    #[must_use]
    pub fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Leaves out of a source's facts what of TimescaleDB stays behind: a source of which nothing of it comes is like one
    /// without.
    pub fn restrict(&self, facts: &mut Facts) {
        let Some(chosen) = &self.chosen else { return };
        if chosen.is_nothing() {
            facts.timescale = None;
        } else if let Some(timescale) = &mut facts.timescale {
            for relations in [&mut timescale.hypertables, &mut timescale.aggregates, &mut timescale.chunks] {
                relations.retain(|relation| self.has(relation));
            }
        }
    }

    /// Whether the job comes over.
    #[must_use]
    pub fn has_job(&self, job: i64) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.jobs.contains(&job))
    }

    /// Whether the trigger stays behind that notes what changes in a hypertable or a chunk for continuous aggregates: none
    /// of them comes over.
    #[must_use]
    pub fn is_unwatched(&self, relation: &Relation) -> bool {
        self.unwatched.contains(relation)
    }

    /// Whether the relation comes over without its rows.
    #[must_use]
    pub fn leaves_rows(&self, relation: &Relation) -> bool {
        self.empty.contains(relation)
    }

    /// Whether the rows of any table stay behind.
    #[must_use]
    pub fn leaves_any_rows(&self) -> bool {
        !self.empty.is_empty()
    }

    /// Every relation of the source that does not come over.
    #[must_use]
    pub fn left_out(&self) -> &BTreeSet<Relation> {
        &self.left_out
    }

    /// What stays behind although something that comes over uses it, each with the option that adds it.
    #[must_use]
    pub fn needs(&self) -> &[String] {
        &self.needs
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
