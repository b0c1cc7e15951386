use super::*;

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

fn iot() -> Names {
    Names {
        schemas: ["public", "iot"].map(str::to_owned).into(),
        relations: vec![
            relation("public", "plain", 'r'),
            relation("iot", "metrics", 'r'),
            relation("iot", "daily", 'v'),
        ],
        hypertables: [key("iot", "metrics")].into(),
        aggregates: [key("iot", "daily")].into(),
        chunks: [(key("iot", "metrics"), vec![key("_timescaledb_internal", "_hyper_1_1_chunk")])].into(),
        chunk_schemas: ["_timescaledb_internal".to_owned()].into(),
        jobs: vec![("User-Defined Action [1000]".to_owned(), "public".to_owned())],
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
fn hypertables_come_and_their_rows_may_stay() {
    let error = filter(&iot(), &[], &["iot"], &[]).expect_err("hypertables come as a whole");
    assert!(error.contains("cannot be left out: iot.metrics, iot.daily"), "{error}");
    let error = filter(&iot(), &["public"], &[], &[]).expect_err("hypertables come as a whole");
    assert!(error.contains("--include 'iot.metrics,iot.daily'"), "{error}");
    let error =
        filter(&iot(), &[], &[], &["_timescaledb_internal._hyper*"]).expect_err("chunks have no pattern");
    assert!(error.contains("follow their hypertable"), "{error}");
    let error = filter(&iot(), &[], &[], &["iot.*"]).expect_err("an aggregate cannot be empty");
    assert!(error.contains("the rows of continuous aggregates cannot be left out: iot.daily"), "{error}");
    let error = filter(&iot(), &["iot"], &[], &[]).expect_err("a job needs it");
    assert!(error.contains("User-Defined Action [1000] runs a procedure of the schema public"), "{error}");
    let found = filter(&iot(), &["iot", "public"], &[], &["iot.metrics"]).expect("all of them are there");
    assert!(!found.keeps_rows(&key("iot", "metrics")));
    assert!(!found.keeps_rows(&key("_timescaledb_internal", "_hyper_1_1_chunk")));
    assert_eq!(
        found.data_arguments(),
        [
            "--schema=\"_timescaledb_internal\"",
            "--schema=\"iot\"",
            "--schema=\"public\"",
            "--extension=*",
            "--exclude-table-data=\"iot\".\"metrics\"",
            "--exclude-table-data=\"_timescaledb_internal\".\"_hyper_1_1_chunk\""
        ]
    );
}
