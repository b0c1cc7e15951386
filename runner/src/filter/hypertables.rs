//! What of TimescaleDB comes over: hypertables, continuous aggregates and jobs, with all that TimescaleDB keeps for them.

use std::collections::BTreeSet;

use super::decided::Filter;
use super::names::{Hypertable, Job, Names};
use super::resolver::{Resolver, argument, list};
use crate::names::Relation;
use crate::quote::quoted;
use crate::timescale::{Chosen, INTERNAL};

impl Resolver<'_> {
    /// Notes what comes with the relations that do, and what has to stay behind with the others. A policy goes with its
    /// hypertable; a user's job with the whole schema of its procedure, where any hypertable comes.
    pub(super) fn hypertables(
        &self,
        filter: &mut Filter,
        everything: bool,
        whole: &dyn Fn(&str) -> bool,
        come: &BTreeSet<Relation>,
    ) {
        let names = self.names;
        let mut chosen = Chosen::default();
        if everything {
            chosen.hypertables.extend(&names.other_hypertables);
        }
        for (name, hypertable) in &names.hypertables {
            if !come.contains(name) {
                filter.left_out.extend(hypertable.kept().cloned());
                continue;
            }
            chosen.hypertables.extend(&hypertable.ids);
            if filter.empty.contains(name) {
                chosen.empty.extend(&hypertable.ids);
                filter.left_out.extend(hypertable.chunks.iter().cloned());
            }
            let mut made =
                names.hypertables.iter().filter(|(_, of)| of.made_from.as_ref() == Some(name)).peekable();
            if made.peek().is_some() && made.all(|(aggregate, _)| !come.contains(aggregate)) {
                filter.unwatched.extend(std::iter::once(name).chain(hypertable.kept()).cloned());
            }
        }
        // To bring nothing but jobs takes a target of the same version as all of TimescaleDB does.
        let none = chosen.hypertables.is_empty() && !names.hypertables.is_empty();
        let jobs = names.jobs.iter().filter(|job| match job.hypertable {
            _ if none => false,
            Some(hypertable) => chosen.hypertables.contains(&hypertable),
            None if names.schemas.contains(&job.schema) => whole(&job.schema),
            None => everything,
        });
        chosen.jobs = jobs.map(|job| job.id).collect();
        let all = names.hypertables.keys().all(|name| come.contains(name))
            && chosen.hypertables.is_superset(&names.other_hypertables)
            && chosen.empty.is_empty()
            && chosen.jobs.len() == names.jobs.len();
        if everything && chosen.is_nothing() && !all {
            // All chunks at once.
            filter.without_schemas.insert(INTERNAL.to_owned());
        }
        filter.chosen = (!all).then_some(chosen);
    }

    /// Aggregates cannot come without what they are made from.
    pub(super) fn judge_aggregates(&mut self, by_include: bool, come: &BTreeSet<Relation>) {
        for (name, Hypertable { made_from, .. }) in &self.names.hypertables {
            let Some(of) = made_from.as_ref().filter(|of| come.contains(name) && !come.contains(*of)) else {
                continue;
            };
            let next = if by_include {
                format!("name it as well: --include {}", argument(&[of.to_string()]))
            } else {
                format!("leave the aggregate out as well: --exclude {}", argument(&[name.to_string()]))
            };
            self.block(
                format!("the continuous aggregate {name} is made from {of}, which is left out"),
                [next],
            );
        }
    }

    /// What it means for TimescaleDB.
    pub(super) fn describe_hypertables(&self, filter: &Filter, come: &BTreeSet<Relation>) -> Vec<String> {
        let Some(chosen) = &filter.chosen else { return Vec::new() };
        let mut lines = Vec::new();
        let Names { hypertables, jobs, .. } = self.names;
        let aggregates: Vec<String> = hypertables
            .iter()
            .filter(|(name, hypertable)| hypertable.made_from.is_some() && !come.contains(*name))
            .map(|(name, _)| name.to_string())
            .collect();
        if !aggregates.is_empty() {
            lines.push(format!("continuous aggregates left out: {}", list(aggregates)));
        }
        if chosen.is_nothing() {
            lines.push("no hypertable comes over, and nothing of TimescaleDB's catalogs".to_owned());
        } else {
            let kept =
                hypertables.keys().filter(|name| come.contains(*name)).map(ToString::to_string).collect();
            lines.push(format!("of TimescaleDB's catalogs come the rows of {}", list(kept)));
        }
        let left = |Job { id, name, schema, .. }: &Job| {
            (!chosen.jobs.contains(id)).then(|| {
                if self.names.schemas.contains(schema) {
                    format!("{name} (of the schema {})", quoted(schema))
                } else {
                    name.clone()
                }
            })
        };
        let left: Vec<String> = jobs.iter().filter_map(left).collect();
        if !left.is_empty() {
            lines.push(format!("jobs left out: {}", list(left)));
        }
        if !chosen.empty.is_empty() {
            let empty =
                hypertables.keys().filter(|name| filter.empty.contains(*name)).map(ToString::to_string);
            lines.push(format!("without chunks: {}", list(empty.collect())));
        }
        lines
    }
}
