//! The catalogue of the service's limits, and what answers for each: a rule, a check against the live servers, or a reason
//! why a dump does not show it. A limit whose rule has its id stands in that rule's file.

use super::all;
use crate::rule::{Answers, Rule};

/// What answers for a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Rules find it in a dump: [`Limit::rules`].
    Rules,
    /// `tsmigrate migrate` does it or looks at the servers for it: a dump does not show it.
    Live,
    /// There is nothing to find: the target takes it, or nothing but a person can see it.
    Nothing,
}

/// A limit of the service, or something that is often taken for one.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its id.
    pub id: &'static str,
    /// Its name in short.
    pub slug: &'static str,
    /// What answers for it.
    pub cover: Cover,
    /// How, in a sentence.
    pub how: &'static str,
}

/// Limits that no rule has the id of.
const WITHOUT_OWN_RULE: &[Limit] = &[
    Limit {
        id: "SU-05",
        slug: "func.set-guc",
        cover: Cover::Rules,
        how: "Superusers' parameters in the SET clause of a function.",
    },
    Limit {
        id: "SU-15",
        slug: "conversion",
        cover: Cover::Rules,
        how: "A conversion with one of PostgreSQL's own functions is taken. One with a function in C is removed with that function.",
    },
    Limit { id: "SU-22", slug: "collation", cover: Cover::Rules, how: "Collations of the operating system." },
    Limit {
        id: "FN-02",
        slug: "function.atomic/deps",
        cover: Cover::Rules,
        how: "BEGIN ATOMIC bodies and views need at restore what they name; text bodies need it when they are called.",
    },
    Limit {
        id: "REP-05",
        slug: "replica-identity",
        cover: Cover::Rules,
        how: "Taken on plain tables as it is; ONLY on a hypertable is HT-01's. A note for each table would help nobody.",
    },
    Limit {
        id: "DATA-03",
        slug: "circular-fk",
        cover: Cover::Rules,
        how: "In a whole dump foreign keys come after the rows, so that a circle does no harm. pg_dump's warning in the file is IN-12's, DISABLE TRIGGER ALL of a dump of rows SU-18's.",
    },
    Limit {
        id: "DATA-04",
        slug: "not-valid / deferrable",
        cover: Cover::Nothing,
        how: "The target takes both as they are.",
    },
    Limit {
        id: "DATA-05",
        slug: "matview",
        cover: Cover::Nothing,
        how: "REFRESH runs as tsdbadmin like every statement of the dump. How long it takes is not seen in a dump.",
    },
    Limit {
        id: "DATA-06",
        slug: "inheritance",
        cover: Cover::Rules,
        how: "Taken as it is; in the way of a hypertable it is HT-05's.",
    },
    Limit {
        id: "DATA-07",
        slug: "disable-triggers",
        cover: Cover::Rules,
        how: "DISABLE TRIGGER ALL, and SET session_replication_role.",
    },
    Limit {
        id: "DATA-08",
        slug: "generated/identity",
        cover: Cover::Rules,
        how: "Taken as they are; virtual generated columns need 18.",
    },
    Limit { id: "DATA-09", slug: "rls", cover: Cover::Rules, how: "Row security." },
    Limit { id: "TS-05", slug: "ts.only-keyword", cover: Cover::Rules, how: "The same as HT-01." },
    Limit { id: "TS-07", slug: "ts.tablespace-rows", cover: Cover::Rules, how: "The same as TSP-07." },
    Limit {
        id: "TS-11",
        slug: "ts.concurrency",
        cover: Cover::Live,
        how: "The migration loads TimescaleDB's catalog before the chunks, and only then with several connections.",
    },
    Limit {
        id: "PG-13",
        slug: "target.13",
        cover: Cover::Rules,
        how: "Trusted extensions: no target is older than 15, and the service's own list decides.",
    },
    Limit {
        id: "PG-14",
        slug: "target.14",
        cover: Cover::Rules,
        how: "Predefined roles of data, functions on arrays, postfix operators.",
    },
    Limit {
        id: "PG-15",
        slug: "target.15",
        cover: Cover::Rules,
        how: "Schema public belongs to the database's owner, GRANT ON PARAMETER, publications of schemas.",
    },
    Limit {
        id: "PG-16",
        slug: "target.16",
        cover: Cover::Rules,
        how: "CREATEROLE needs ADMIN; other words of the server. Options of memberships are removed for 15.",
    },
    Limit {
        id: "PG-17",
        slug: "target.17",
        cover: Cover::Rules,
        how: "MAINTAIN, transaction_timeout, the builtin locale provider; parameters and extensions that went.",
    },
    Limit {
        id: "PG-18",
        slug: "target.18",
        cover: Cover::Rules,
        how: "Constraints and generated columns of 18, statistics in dumps, warnings about MD5.",
    },
    Limit {
        id: "NS-1",
        slug: "open.tsdbadmin",
        cover: Cover::Nothing,
        how: "The newest public list of tsdbadmin's attributes is of 2022 and 2024. The analysis takes the strictest reading: no REPLICATION, no BYPASSRLS, no pg_create_subscription, no event triggers.",
    },
    Limit {
        id: "NS-2",
        slug: "open.tsdb_admin-words",
        cover: Cover::Rules,
        how: "The words of the service's own module are known from its documentation only: such findings have no SQLSTATE.",
    },
    Limit {
        id: "NS-3",
        slug: "open.extension-list",
        cover: Cover::Rules,
        how: "The newest published list counts. The migration asks the service itself (pg_available_extensions).",
    },
    Limit {
        id: "NS-4",
        slug: "open.locale",
        cover: Cover::Live,
        how: "The migration reads both servers' locales and says where they differ.",
    },
    Limit {
        id: "NS-5",
        slug: "open.md5-logins",
        cover: Cover::Rules,
        how: "MD5 passwords are kept with a warning.",
    },
    Limit {
        id: "NS-6",
        slug: "open.source-12",
        cover: Cover::Nothing,
        how: "Dumps of 12 were not made for these rules; those of 13 to 18 and older ones from public projects were.",
    },
];

impl Limit {
    /// The rules that answer for it, that of its own id first.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let id = self.id;
        let own = all().filter(move |rule| rule.id == id && matches!(rule.answers, Answers::Limit { .. }));
        own.chain(all().filter(move |rule| rule.also_answers.contains(&id)))
    }
}

/// All limits, in the order of the rules' families and of their numbers; what is about versions and open questions comes
/// last.
#[must_use]
pub fn limits() -> Vec<Limit> {
    let own = all().filter_map(|rule| match rule.answers {
        Answers::Limit { slug, how } => Some(Limit { id: rule.id, slug, cover: Cover::Rules, how }),
        Answers::Others | Answers::Purpose(_) => None,
    });
    let mut limits: Vec<Limit> = own.chain(WITHOUT_OWN_RULE.iter().copied()).collect();
    let family = |id: &'static str| id.split('-').next().unwrap_or(id);
    let families: Vec<&str> = all().map(|rule| family(rule.id)).collect();
    limits.sort_by_key(|limit| {
        let place = families.iter().position(|name| *name == family(limit.id));
        // What is no family of rules comes by its name: NS behind PG.
        (place.unwrap_or(usize::MAX), std::cmp::Reverse(family(limit.id)), limit.id)
    });
    limits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_is_answered_for() {
        let limits = limits();
        for limit in &limits {
            assert!(limit.how.ends_with('.') && !limit.slug.is_empty(), "{}", limit.id);
            assert_eq!(limit.rules().next().is_some(), limit.cover == Cover::Rules, "{}", limit.id);
        }
        let ids: BTreeSet<&str> = limits.iter().map(|limit| limit.id).collect();
        assert_eq!(ids.len(), limits.len(), "a limit is there twice");
        for id in all().flat_map(|rule| rule.also_answers) {
            assert!(ids.contains(id), "a rule answers for {id}, which is no limit");
        }
    }

    #[test]
    fn every_rule_answers_for_a_limit_or_says_what_it_is_for() {
        for rule in all() {
            assert!(
                rule.answers != Answers::Others || !rule.also_answers.is_empty(),
                "{} answers for nothing: say so in `answers` or `also_answers` of its file",
                rule.id
            );
        }
    }
}
