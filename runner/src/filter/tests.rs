use super::*;
use crate::inspect::{Facts, Timescale};
use crate::names::Relation;
use crate::timescale::Chosen;

fn relation(schema: &str, name: &str, kind: char) -> Listed {
    Listed { name: key(schema, name), kind, ..Listed::default() }
}

fn key(schema: &str, name: &str) -> Relation {
    Relation::new(schema, name)
}

/// `sales` with a partitioned table of two levels and an identity, `Odd.Name`, and an empty `ext` with an extension.
fn shop() -> Names {
    let part = |name: &str, kind, parent: &str| Listed {
        parent: Some(key("sales", parent)),
        ..relation("sales", name, kind)
    };
    Names {
        schemas: ["sales", "Odd.Name", "ext", "old"].map(str::to_owned).into(),
        relations: vec![
            relation("sales", "orders", 'p'),
            part("orders_2020", 'p', "orders"),
            part("orders_2020_1", 'r', "orders_2020"),
            relation("sales", "customers", 'r'),
            Listed { owner: Some(key("sales", "customers")), ..relation("sales", "customers_id_seq", 'S') },
            relation("sales", "rich", 'v'),
            relation("Odd.Name", "T,\"x", 'r'),
            relation("old", "stuff", 'r'),
        ],
        extension_schemas: [("ext".to_owned(), vec!["hstore".to_owned()])].into(),
        ..Names::default()
    }
}

fn inner(name: &str) -> Relation {
    key("_timescaledb_internal", name)
}

fn job(id: i64, hypertable: i64) -> Job {
    let schema = "_timescaledb_functions".to_owned();
    Job { id, name: format!("Policy [{id}]"), schema, hypertable: Some(hypertable) }
}

/// A hypertable with compressed rows and a continuous aggregate, with policies, and a job of a user's.
fn iot() -> Names {
    Names {
        schemas: ["public", "iot"].map(str::to_owned).into(),
        relations: vec![
            relation("public", "plain", 'r'),
            relation("iot", "metrics", 'r'),
            relation("iot", "daily", 'v'),
        ],
        hypertables: [
            (
                key("iot", "metrics"),
                Hypertable {
                    ids: [1, 2].into(),
                    chunks: [inner("_hyper_1_1_chunk"), inner("compress_hyper_2_3_chunk")].into(),
                    inside: [inner("_compressed_hypertable_2")].into(),
                    made_from: None,
                },
            ),
            (
                key("iot", "daily"),
                Hypertable {
                    ids: [3].into(),
                    chunks: [inner("_hyper_3_2_chunk")].into(),
                    inside: [inner("_materialized_hypertable_3"), inner("_direct_view_3")].into(),
                    made_from: Some(key("iot", "metrics")),
                },
            ),
        ]
        .into(),
        jobs: vec![
            Job {
                id: 1000,
                name: "User-Defined Action [1000]".into(),
                schema: "public".into(),
                hypertable: None,
            },
            job(1001, 1),
            job(1002, 3),
        ],
        ..Names::default()
    }
}

fn filter(names: &Names, include: &[&str], exclude: &[&str], data: &[&str]) -> Result<Filter, String> {
    let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let wish = Wish { include: own(include), exclude: own(exclude), exclude_data: own(data) };
    Filter::new(&wish, names)
        .map_err(|blockers| blockers.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn without_patterns_everything_comes() {
    let filter = filter(&shop(), &[], &[], &[]).expect("nothing is wrong");
    assert!(filter.is_whole() && filter.arguments().is_empty() && filter.keeps_rows(&key("any", "thing")));
}

#[test]
fn partitions_and_sequences_follow_their_table() {
    let filter = filter(&shop(), &[], &["sales.orders", "sales.customers"], &[]).expect("they are there");
    for name in ["orders", "orders_2020", "orders_2020_1", "customers", "customers_id_seq"] {
        assert!(!filter.has(&key("sales", name)), "{name}");
    }
    assert!(filter.has(&key("sales", "rich")) && filter.has(&key("old", "stuff")));
    assert_eq!(
        filter.arguments(),
        [
            "--exclude-table=\"sales\".\"customers\"|\"customers_id_seq\"|\"orders\"|\"orders_2020\"|\"orders_2020_1\""
        ]
    );
}

#[test]
fn an_included_table_brings_its_schema_and_every_extension_but_no_other_table() {
    let filter = filter(&shop(), &["sales.customers"], &[], &[]).expect("it is there");
    assert!(filter.has(&key("sales", "customers")) && filter.has(&key("sales", "customers_id_seq")));
    assert!(
        !filter.has(&key("sales", "rich")) && !filter.has(&key("old", "stuff")) && !filter.has_schema("old")
    );
    assert_eq!(
        filter.arguments(),
        [
            "--schema=\"ext\"",
            "--schema=\"sales\"",
            "--extension=*",
            "--exclude-table=\"sales\".\"orders\"|\"orders_2020\"|\"orders_2020_1\"|\"rich\""
        ]
    );
}

#[test]
fn names_are_folded_unless_quoted_and_may_hold_commas_and_dots() {
    // What a comma inside quotes has torn apart.
    let found =
        filter(&shop(), &["\"Odd.Name\".\"T", "\"\"x\"", "SALES.Cust*"], &[], &[]).expect("they are there");
    assert!(found.has(&key("Odd.Name", "T,\"x")) && found.has(&key("sales", "customers")));
    let error = filter(&shop(), &["\"SALES\""], &[], &[]).expect_err("it is written otherwise");
    assert!(error.contains("\"SALES\" matches nothing"), "{error}");
    // A wildcard in quotes is a character.
    assert!(filter(&shop(), &["\"s*\""], &[], &[]).is_err());
    assert!(filter(&shop(), &["s?les"], &[], &[]).is_ok());
}

#[test]
fn what_matches_nothing_is_named_with_what_is_near() {
    let error = filter(&shop(), &["sale.ordrs"], &["nothing"], &["sales.rich"]).expect_err("none is there");
    for part in
        ["--include sale.ordrs matches nothing", "sales.orders", "--exclude nothing", "no table with rows"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = filter(&shop(), &["customers"], &[], &[]).expect_err("no such schema");
    assert!(error.contains("the nearest names are sales.customers"), "{error}");
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused() {
    for text in ["a.b.c", "\"a", "a.", ".b", ""] {
        let error = filter(&shop(), &[text], &[], &[]).expect_err(text);
        assert!(error.contains("--include"), "{error}");
    }
}

#[test]
fn rows_stay_behind_with_those_of_the_partitions() {
    let filter = filter(&shop(), &[], &[], &["sales.orders", "old"]).expect("they are there");
    for (schema, name) in [("sales", "orders"), ("sales", "orders_2020_1"), ("old", "stuff")] {
        assert!(filter.has(&key(schema, name)) && !filter.keeps_rows(&key(schema, name)), "{name}");
    }
    assert!(filter.keeps_rows(&key("sales", "customers")));
}

#[test]
fn what_others_need_cannot_be_left_out() {
    let error = filter(&shop(), &[], &["ext"], &[]).expect_err("an extension is in it");
    assert!(error.contains("the extension hstore is in it"), "{error}");
    let error = filter(&shop(), &["sales.orders_2020"], &[], &[]).expect_err("its parent is missing");
    assert!(error.contains("sales.orders_2020 is a partition of sales.orders"), "{error}");
    let error = filter(&shop(), &["sales"], &["sales"], &[]).expect_err("nothing is left");
    assert!(error.contains("takes away all"), "{error}");
}

#[test]
fn plain_tables_come_without_anything_of_timescaledb() {
    let found = filter(&iot(), &["public.plain"], &[], &[]).expect("it is there");
    assert_eq!(found.arguments(), ["--schema=\"public\"", "--extension=*"]);
    assert!(found.chosen().is_some_and(Chosen::is_nothing) && !found.has_job(1000));
    assert!(!found.has(&inner("_hyper_1_1_chunk")) && !found.has_schema("_timescaledb_internal"));
    let mut facts = Facts { timescale: Some(Timescale::default()), ..Facts::default() };
    found.restrict(&mut facts);
    assert_eq!(facts.timescale, None);
    // The same by leaving out all the others.
    let found = filter(&iot(), &[], &["iot"], &[]).expect("it is there");
    assert_eq!(found.arguments(), ["--exclude-schema=\"_timescaledb_internal\"", "--exclude-schema=\"iot\""]);
    assert!(found.chosen().is_some_and(Chosen::is_nothing));
    let lines = found.lines().join("\n");
    assert!(
        lines.contains("jobs left out: User-Defined Action [1000] (of the schema public), Policy [1001]"),
        "{lines}"
    );
}

#[test]
fn a_hypertable_comes_with_all_that_is_kept_for_it() {
    let found = filter(&iot(), &["iot.metrics"], &[], &[]).expect("it is there");
    let wanted = Chosen { hypertables: [1, 2].into(), jobs: [1001].into(), ..Chosen::default() };
    assert_eq!(found.chosen(), Some(&wanted));
    assert_eq!(
        found.arguments(),
        [
            "--schema=\"_timescaledb_internal\"",
            "--schema=\"iot\"",
            "--extension=*",
            "--exclude-table=\"_timescaledb_internal\".\"_direct_view_3\"|\"_hyper_3_2_chunk\"|\"_materialized_hypertable_3\"",
            "--exclude-table=\"iot\".\"daily\""
        ]
    );
    assert!(found.has(&inner("compress_hyper_2_3_chunk")) && !found.has(&inner("_hyper_3_2_chunk")));
    // Nobody reads what its trigger would note.
    assert!(found.is_unwatched(&inner("_hyper_1_1_chunk")) && found.is_unwatched(&key("iot", "metrics")));
    let found = filter(&iot(), &["iot"], &[], &[]).expect("both are there");
    assert!(!found.is_unwatched(&key("iot", "metrics")) && !found.has_job(1000) && found.has_job(1002));
    let error = filter(&iot(), &["iot.daily"], &[], &[]).expect_err("its hypertable is missing");
    assert!(
        error.contains("iot.daily is made from iot.metrics") && error.contains("--include 'iot.metrics'"),
        "{error}"
    );
    let error = filter(&iot(), &[], &["iot.metrics"], &[]).expect_err("its hypertable is missing");
    assert!(error.contains("leave the aggregate out as well: --exclude 'iot.daily'"), "{error}");
    assert!(filter(&iot(), &["iot", "public"], &[], &[]).expect("all").chosen().is_none());
}

#[test]
fn rows_of_hypertables_stay_behind_with_their_chunks() {
    let error =
        filter(&iot(), &[], &[], &["_timescaledb_internal._hyper*"]).expect_err("chunks have no pattern");
    assert!(error.contains("follow their hypertable"), "{error}");
    let found = filter(&iot(), &[], &[], &["iot.metrics"]).expect("it is there");
    let wanted =
        Chosen { hypertables: [1, 2, 3].into(), empty: [1, 2].into(), jobs: [1000, 1001, 1002].into() };
    assert_eq!(found.chosen(), Some(&wanted));
    assert!(!found.keeps_rows(&key("iot", "metrics")) && !found.has(&inner("_hyper_1_1_chunk")));
    assert!(found.has(&inner("_compressed_hypertable_2")) && found.has(&inner("_hyper_3_2_chunk")));
    let found = filter(&iot(), &[], &[], &["iot.daily"]).expect("an aggregate has rows, too");
    assert!(found.leaves_rows(&key("iot", "daily")) && !found.has(&inner("_hyper_3_2_chunk")));
    assert!(found.has(&inner("_materialized_hypertable_3")) && found.has(&key("iot", "daily")));
}

#[test]
fn what_is_used_and_left_out_is_named_with_the_option_that_adds_it() {
    let uses = vec![
        (key("sales", "customers"), Used::Relation(key("old", "stuff"))),
        (key("sales", "customers"), Used::Schema("old".to_owned())),
        (key("sales", "customers"), Used::Relation(key("sales", "customers_id_seq"))),
    ];
    let names = Names { uses, ..shop() };
    let found = filter(&names, &["sales"], &[], &[]).expect("they are there");
    assert_eq!(
        found.needs(),
        [
            "sales.customers uses something of the schema old, which is left out: --include 'old' adds it",
            "sales.customers uses old.stuff, which is left out: --include 'old.stuff' adds it"
        ]
    );
    let found = filter(&names, &[], &["old.stuff"], &[]).expect("they are there");
    assert!(found.needs().concat().contains("leave out both: --exclude 'sales.customers'"));
}
