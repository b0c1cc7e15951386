//! A live source, as far as no dump tells it. The questions are asked elsewhere; here is what the answers mean.

pub(crate) use crate::human::{bytes, list};

use std::collections::BTreeMap;

/// What a live server was seen to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Where it is, without a password: `postgres://host:port/database`.
    pub name: String,
    /// `server_version`.
    pub version: String,
    /// The database.
    pub database: String,
    /// The user of the session.
    pub user: String,
    /// It is a standby.
    pub in_recovery: bool,
    /// The database's encoding.
    pub encoding: String,
    /// What text sorts by: the collation, with its provider where that is not libc.
    pub locale: String,
    /// The size of the database, in bytes.
    pub size: u64,
    /// The biggest tables with their sizes in bytes, chunks and partitions counted with their tables.
    pub tables: Vec<(String, u64)>,
    /// Other databases of the server with their sizes in bytes, where they may be known.
    pub databases: Vec<(String, Option<u64>)>,
    /// Tablespaces in use with the bytes in them.
    pub tablespaces: Vec<(String, u64)>,
    /// Extensions with their versions.
    pub extensions: BTreeMap<String, String>,
    /// TimescaleDB, where it is installed.
    pub timescale: Option<Timescale>,
    /// `wal_level`.
    pub wal_level: String,
    /// Logical replication slots of the database.
    pub slots: Vec<String>,
    /// Its subscriptions.
    pub subscriptions: Vec<String>,
    /// How many large objects it has.
    pub large_objects: u64,
    /// Prepared transactions.
    pub prepared: Vec<String>,
    /// Transactions that have been open for long, in words.
    pub long_transactions: Vec<String>,
    /// Tables and sequences that the user may not read.
    pub unreadable: Vec<String>,
    /// Tables of which row-level security shows the user only some rows.
    pub hidden_rows: Vec<String>,
    /// `shared_preload_libraries`.
    pub preload_libraries: Vec<String>,
    /// What a dump would damage.
    pub hazards: Vec<Hazard>,
    /// What of the target that was asked besides a migration stops at.
    pub in_the_way: Vec<Hazard>,
    /// What is there and in no dump.
    pub omitted: Vec<Omitted>,
    /// What fails late, or means something else after a move.
    pub states: Vec<Omitted>,
    /// What was asked and not answered.
    pub unanswered: Vec<String>,
}

/// What `pg_dump` and `pg_dumpall` do not write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// What: `table public.t`.
    pub object: String,
    /// Why no dump has it, or what that means.
    pub why: String,
    /// The target will not have it; else it has it in another state.
    pub is_lost: bool,
    /// What to do, in lines.
    pub next: Vec<String>,
}

/// TimescaleDB on a live source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timescale {
    /// `extversion`.
    pub version: String,
    /// `timescale` or `apache`.
    pub license: String,
    /// Restoring mode is on.
    pub restoring: bool,
    /// Continuous aggregates in the form before 2.7.
    pub old_aggregates: Vec<String>,
    /// Jobs that are scheduled.
    pub jobs: Vec<String>,
}

/// What goes wrong if nothing is done before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hazard {
    /// What is wrong.
    pub what: String,
    /// What to do, in lines.
    pub next: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Target, analysis::Analyzer};

    /// `severity rule` of what is found on a server.
    fn found(target: &Target, server: &Server) -> Vec<String> {
        let options = Options::default();
        let mut analyzer = Analyzer::new(target, &options);
        analyzer.server(server);
        let analysis = analyzer.finish();
        analysis.findings.iter().map(|f| format!("{} {}", f.severity.name(), f.rule.id)).collect()
    }

    #[test]
    fn an_empty_server_has_only_its_size() {
        let server = Server { locale: "C.UTF-8".into(), ..Server::default() };
        assert_eq!(found(&Target::default(), &server), ["note SRV-01"]);
    }

    #[test]
    fn every_rule_about_a_live_server_fires() {
        let some = || vec!["a.b".to_owned()];
        let server = Server {
            locale: "de_DE.UTF-8".into(),
            encoding: "LATIN1".into(),
            size: 500_000_000_000,
            databases: vec![("other".into(), Some(1))],
            tablespaces: vec![("fast".into(), 1)],
            extensions: BTreeMap::from([("hstore".to_owned(), "1.7".to_owned())]),
            timescale: Some(Timescale {
                version: "2.17.2".into(),
                license: "apache".into(),
                restoring: true,
                old_aggregates: some(),
                jobs: some(),
            }),
            slots: some(),
            subscriptions: some(),
            large_objects: 1,
            prepared: some(),
            long_transactions: some(),
            unreadable: some(),
            hidden_rows: some(),
            preload_libraries: vec!["pg_wait_sampling".into()],
            hazards: vec![Hazard { what: "w".into(), next: Vec::new() }],
            in_the_way: vec![Hazard { what: "t".into(), next: Vec::new() }],
            omitted: vec![Omitted { object: "table a.b".into(), ..Omitted::default() }],
            states: vec![Omitted { object: "view a.b".into(), ..Omitted::default() }],
            unanswered: some(),
            in_recovery: true,
            ..Server::default()
        };
        let versions = BTreeMap::from([
            ("hstore".to_owned(), "1.8".to_owned()),
            ("timescaledb".to_owned(), "2.19.3".to_owned()),
        ]);
        let target = Target { live_versions: Some(versions), ..Target::default() };
        let found = found(&target, &server);
        let missed: Vec<&str> = crate::rules::all()
            .filter(|rule| rule.pieces.contains(&crate::rule::Piece::Server))
            .map(|rule| rule.id)
            .filter(|id| !found.iter().any(|line| line.ends_with(id)))
            .collect();
        assert!(missed.is_empty(), "{missed:?} of {found:?}");
        assert!(found.contains(&"warning SRV-01".to_owned()), "{found:?}");
        assert!(found.contains(&"error SRV-06".to_owned()), "{found:?}");
    }

    #[test]
    fn only_an_encoding_that_cannot_be_converted_needs_a_decision() {
        for (encoding, expected) in
            [("LATIN1", "note IN-08"), ("SQL_ASCII", "warning IN-08"), ("MULE_INTERNAL", "error IN-08")]
        {
            let server = Server { locale: "C.UTF-8".into(), encoding: encoding.into(), ..Server::default() };
            assert!(found(&Target::default(), &server).contains(&expected.to_owned()), "{encoding}");
        }
    }

    #[test]
    fn what_the_target_is_known_to_have_is_what_counts() {
        let server = Server { locale: "de_DE.UTF-8".into(), ..Server::default() };
        let target = Target { live_locale: Some("de_DE.UTF-8".into()), ..Target::default() };
        assert_eq!(found(&target, &server), ["note SRV-01"]);
        assert_eq!(found(&Target::default(), &server), ["warning SRV-14", "note SRV-01"]);
    }
}
