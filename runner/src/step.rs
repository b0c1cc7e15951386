//! Steps of a run: what is done as a whole or not at all, and what its mark on the target is called.

use std::fmt;
use std::str::FromStr;

use crate::names::{self, Relation};

/// One step. Its text (`data/app.orders 1/4`) stands in the target's marks and in the journal; no two steps have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// All roles.
    Roles,
    /// A statement of those before all others: a schema of an extension, or an extension.
    Extension(usize),
    /// The rows of extensions' own tables.
    Catalogs,
    /// Statements of a list of the dump, from the first number up to the second.
    Statements(List, usize, usize),
    /// The rows of a table.
    Table(Relation),
    /// A part of a table's rows: its number from 1, and how many there are.
    CopyRange(Relation, usize, usize),
    /// A batch of large objects.
    LargeObjects(usize),
    /// What a statement of post-data builds.
    Build(usize),
    /// The index of a constraint, which is built first.
    Index(usize),
    /// The check of foreign keys that were added without one.
    Check(usize),
    /// Owners and grants, before any row.
    Owners,
    /// The target has left restoring mode.
    Restored,
    /// Owners, privileges and settings.
    Access,
    /// Everything before it is on the target's disk.
    Confirmed,
}

/// A list of statements that run in the dump's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// Tables, functions, types.
    PreData,
    /// What of post-data is not built by itself.
    PostData,
    /// Row security, when foreign keys are checked.
    RowSecurity,
    /// That of tables with foreign keys to hypertables, which are checked later.
    LateRowSecurity,
    /// Calls that make hypertables of tables that have their rows.
    Hypertables,
    /// What of post-data is about those tables, and would be in the way of their rows.
    OfHypertables,
}

impl List {
    const ALL: [Self; 6] = [
        Self::PreData,
        Self::PostData,
        Self::RowSecurity,
        Self::LateRowSecurity,
        Self::Hypertables,
        Self::OfHypertables,
    ];

    /// Those that run when rows are there.
    pub const BEHIND_ROWS: [Self; 5] =
        [Self::PostData, Self::RowSecurity, Self::LateRowSecurity, Self::Hypertables, Self::OfHypertables];

    /// Its name for people, and in steps.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreData => "pre-data",
            Self::PostData => "post-data",
            Self::RowSecurity => "row-security",
            Self::LateRowSecurity => "row-sec-late",
            Self::Hypertables => "hypertables",
            Self::OfHypertables => "triggers",
        }
    }

    /// The part of the dump that its statements come from.
    #[must_use]
    pub fn part(self) -> &'static str {
        match self {
            Self::PreData | Self::Hypertables => "pre-data",
            Self::PostData | Self::RowSecurity | Self::LateRowSecurity | Self::OfHypertables => "post-data",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles => f.write_str("roles"),
            Self::Extension(number) => write!(f, "extension/{number}"),
            Self::Catalogs => f.write_str("catalogs"),
            Self::Statements(list, from, to) => write!(f, "{}/{from}-{to}", list.name()),
            Self::Table(table) => write!(f, "data/{table}"),
            Self::CopyRange(table, number, of) => write!(f, "data/{table} {number}/{of}"),
            Self::LargeObjects(number) => write!(f, "large-objects/{number}"),
            Self::Build(number) => write!(f, "build/{number}"),
            Self::Index(number) => write!(f, "index/{number}"),
            Self::Check(number) => write!(f, "check/{number}"),
            Self::Owners => f.write_str("owners"),
            Self::Restored => f.write_str("restored"),
            Self::Access => f.write_str("access"),
            Self::Confirmed => f.write_str("confirmed"),
        }
    }
}

/// A text that names no step of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no step of this version of tsmigrate")]
pub struct NoStep(String);

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        read(text).ok_or_else(|| NoStep(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Step> {
    let Some((kind, rest)) = text.split_once('/') else {
        return match text {
            "roles" => Some(Step::Roles),
            "catalogs" => Some(Step::Catalogs),
            "owners" => Some(Step::Owners),
            "restored" => Some(Step::Restored),
            "access" => Some(Step::Access),
            "confirmed" => Some(Step::Confirmed),
            _ => None,
        };
    };
    let number = || rest.parse().ok();
    match kind {
        "extension" => number().map(Step::Extension),
        "large-objects" => number().map(Step::LargeObjects),
        "build" => number().map(Step::Build),
        "index" => number().map(Step::Index),
        "check" => number().map(Step::Check),
        "data" => match names::read(rest)? {
            (table, "") => Some(Step::Table(table)),
            (table, part) => {
                let (number, of) = part.strip_prefix(' ')?.split_once('/')?;
                Some(Step::CopyRange(table, number.parse().ok()?, of.parse().ok()?))
            }
        },
        _ => {
            let list = List::ALL.into_iter().find(|list| list.name() == kind)?;
            let (from, to) = rest.split_once('-')?;
            Some(Step::Statements(list, from.parse().ok()?, to.parse().ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_steps_have_one_text_and_every_text_is_read_back() {
        let mut steps =
            vec![Step::Roles, Step::Catalogs, Step::Owners, Step::Restored, Step::Access, Step::Confirmed];
        for number in [0, 7, 200] {
            steps.extend([
                Step::Extension(number),
                Step::LargeObjects(number),
                Step::Build(number),
                Step::Index(number),
                Step::Check(number),
            ]);
            steps.extend(List::ALL.map(|list| Step::Statements(list, number, number + 200)));
        }
        let odd = ["a.b", "a", "b.c", "c", "t", "t 1/2", "data/t", "t\" 1/2", "build/7", " ", "roles", "\n"];
        for (schema, name) in odd.iter().flat_map(|schema| odd.iter().map(move |name| (schema, name))) {
            let table = Relation::new(schema, name);
            steps.extend([
                Step::CopyRange(table.clone(), 1, 2),
                Step::CopyRange(table.clone(), 2, 2),
                Step::Table(table),
            ]);
        }
        let mut seen = std::collections::BTreeSet::new();
        for step in steps {
            let text = step.to_string();
            assert_eq!(text.parse(), Ok(step));
            assert!(seen.insert(text.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_step_is_refused() {
        for text in [
            "",
            "role",
            "data/t",
            "data/a.b 1",
            "data/a.b 1/x",
            "data/a.b.c",
            "post-data/1",
            "large objects/1",
        ] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }
}
