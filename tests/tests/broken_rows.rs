//! Rows that break what the target checks: each stop shows them by key, and how to go on.

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};

/// Keys of partitions, a key of two columns that is all or nothing, a CHECK and an index that lost its rows.
const KEYS: &str = "
CREATE TABLE parent(id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 3);
CREATE TABLE parts(id int, p int, CONSTRAINT of_parts FOREIGN KEY (p) REFERENCES parent) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE pair(a int, b int, PRIMARY KEY (a, b)); INSERT INTO pair VALUES (1, 1);
CREATE TABLE of_pair(a int, b int, CONSTRAINT whole FOREIGN KEY (a, b) REFERENCES pair MATCH FULL);
CREATE TABLE \"Checked\"(\"The id\" int PRIMARY KEY, v int);
INSERT INTO \"Checked\" VALUES (1, -1), (2, 1), (3, -3);
ALTER TABLE \"Checked\" ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'positive';
CREATE TABLE keyed(id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE keyed_0 PARTITION OF keyed FOR VALUES IN (0); INSERT INTO keyed VALUES (7, 0);
CREATE TABLE of_keyed(id int, k int, CONSTRAINT to_keyed FOREIGN KEY (id, k) REFERENCES keyed); INSERT INTO of_keyed VALUES (7, 0);
UPDATE pg_index SET indisready = false WHERE indexrelid = 'keyed_0_pkey'::regclass;
";

#[test]
fn each_row_that_breaks_a_key_or_a_check_is_shown_at_one_stop() -> Outcome {
    let test = "each_row_that_breaks_a_key_or_a_check_is_shown_at_one_stop";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(KEYS)?;
    stage.sql_text(
        "INSERT INTO keyed_0 VALUES (7, 0); UPDATE pg_index SET indisready = true WHERE indexrelid = 'keyed_0_pkey'::regclass;
         SET session_replication_role = replica;
         INSERT INTO parts VALUES (1, 50), (2, 51); INSERT INTO of_pair VALUES (1, NULL), (3, 4), (NULL, NULL)",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    let error = report["error"].as_str().unwrap_or_default();
    for rows in [
        "(p) = (50), (51)",
        "(a, b) = (1, NULL), (3, 4)",
        "(The id) = (1), (3)",
        "(id, k) = (7, 0) in 2 rows",
    ] {
        assert!(code == 2 && error.contains(rows), "{rows}: {error}\n{all}");
    }
    let next = report["next"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let option = next.clone().find_map(|next| next.split_once("--allow-violations "));
    let (_, names) = option.ok_or_else(|| format!("no way on: {all}"))?;
    let names: Vec<&str> = names.split(' ').map(|name| name.trim_matches('\'')).collect();
    let mut arguments = vec!["--resume"];
    arguments.extend(names.iter().flat_map(|name| ["--allow-violations", name]));
    let (code, report, all) = stage.migrate(&arguments)?;
    assert_eq!(code, 0, "{}\n{all}", report["verification"]);
    let counts = "SELECT (SELECT count(*) FROM parts), (SELECT count(*) FROM of_pair), (SELECT count(*) FROM \"Checked\"), \
                  (SELECT count(*) FROM keyed)";
    assert_eq!(stage.sql(&stage.admin, counts)?, "2|3|3|2");
    Ok(())
}

/// Rows that break two CHECKs, a unique index and a foreign key of one table, a CHECK that partitions inherit, and a key of another
/// table that refers to one whose rows are refused: written while nobody looked.
const BROKEN: &str = "
CREATE TABLE p(id int PRIMARY KEY); INSERT INTO p VALUES (1);
CREATE TABLE \"Many\"(id int PRIMARY KEY, v int, w int, u int, p int CONSTRAINT to_p REFERENCES p);
CREATE UNIQUE INDEX by_u ON \"Many\"(u);
CREATE TABLE child(m int CONSTRAINT to_many REFERENCES \"Many\"); CREATE TABLE good(m int CONSTRAINT good_key REFERENCES \"Many\");
CREATE TABLE parted(id int, v int) PARTITION BY LIST (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
UPDATE pg_index SET indisready = false WHERE indexrelid = 'by_u'::regclass;
SET session_replication_role = replica;
INSERT INTO \"Many\" SELECT i, i, i, i % 400, CASE WHEN i = 7 THEN 99 ELSE 1 END FROM generate_series(1, 500) i;
INSERT INTO child VALUES (1), (9999); INSERT INTO good VALUES (500); INSERT INTO parted VALUES (1, -1);
UPDATE pg_index SET indisready = true WHERE indexrelid = 'by_u'::regclass;
ALTER TABLE \"Many\" ADD CONSTRAINT small CHECK (v < 500) NOT VALID, ADD CONSTRAINT \"Few\" CHECK (w < 490) NOT VALID,
  ADD CONSTRAINT fine CHECK (id > 0);
ALTER TABLE parted ADD CONSTRAINT positive CHECK (v > 0) NOT VALID, ADD CONSTRAINT odd CHECK (v <> -1) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname IN ('small', 'Few', 'positive', 'odd');
";

#[test]
fn all_that_rows_break_is_named_at_one_stop() -> Outcome {
    let test = "all_that_rows_break_is_named_at_one_stop";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BROKEN)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    let mut next = report["next"].as_array().into_iter().flatten().filter_map(|next| next.as_str());
    let names = next.find_map(|next| next.split_once("--allow-violations ")).ok_or("no way on")?.1;
    let names: Vec<&str> = names.split(' ').map(|name| name.trim_matches('\'')).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let expected = [
        "public.\"Many\".\"Few\"",
        "public.\"Many\".by_u",
        "public.\"Many\".small",
        "public.\"Many\".to_p",
        "public.child.to_many",
        "public.parted_1.odd",
        "public.parted_1.positive",
    ];
    assert_eq!(sorted, expected, "{all}");
    // Rows that were tried are not there, so that keys that refer to them are not looked up.
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM \"Many\"")?, "0");
    let error = report["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("(9999)") && !error.contains("(m) = (500)") && !error.contains("(m) = (1)"),
        "{error}"
    );
    assert!(error.contains("rows: (id) = (490), (491)") && error.contains("rows: (id) = (500)"), "{error}");
    let checks =
        "SELECT count(*) FROM pg_constraint WHERE conname IN ('small', 'Few', 'fine', 'positive', 'odd')";
    assert_eq!(stage.sql(&stage.admin, checks)?, "7", "the trial is taken back");
    let mut arguments = vec!["--resume", "--new-snapshot"];
    arguments.extend(names.iter().flat_map(|name| ["--allow-violations", name]));
    let (code, report, all) = stage.migrate(&arguments)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM \"Many\"")?, "500");
    let valid = "SELECT string_agg(conname, ' ' ORDER BY conname COLLATE \"C\") FROM pg_constraint \
                 WHERE convalidated AND contype IN ('c', 'f') AND connamespace = 'public'::regnamespace";
    assert_eq!(stage.sql(&stage.admin, valid)?, "fine good_key");
    Ok(())
}

/// Temporal keys of ranges and of multiranges, whose rows several others cover together, and one that has no period at all.
const PERIODS: &str = "
CREATE EXTENSION btree_gist;
CREATE TABLE price(id int, \"the time\" daterange, PRIMARY KEY (id, \"the time\" WITHOUT OVERLAPS));
CREATE TABLE sale(id int, during daterange,
  CONSTRAINT of_price FOREIGN KEY (id, PERIOD during) REFERENCES price (id, PERIOD \"the time\"));
CREATE TABLE shift(id int, hours int4multirange, PRIMARY KEY (id, hours WITHOUT OVERLAPS));
CREATE TABLE task(id int, hours int4multirange,
  CONSTRAINT in_shift FOREIGN KEY (id, PERIOD hours) REFERENCES shift (id, PERIOD hours));
INSERT INTO price VALUES (1, '[2024-01-01,2024-06-01)'), (1, '[2024-06-01,2025-01-01)'), (3, '[2024-01-01,)');
INSERT INTO sale VALUES (1, '[2024-05-01,2024-07-01)'), (1, '[2024-01-01,2025-01-01)'), (NULL, '[2030-01-01,)');
INSERT INTO shift VALUES (1, '{[1,5),[7,9)}'), (1, '{[5,6)}'); INSERT INTO task VALUES (1, '{[2,6),[7,8)}')";

#[test]
fn rows_that_several_periods_cover_together_break_no_key() -> Outcome {
    let test = "rows_that_several_periods_cover_together_break_no_key";
    let Some(stage) = Stage::new(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    stage.sql_text(PERIODS)?;
    let (code, _, all) = stage.migrate(&["--dry-run"])?;
    assert!(code == 0 && !all.contains("rows of foreign key"), "{all}");
    stage.sql_text(
        "SET session_replication_role = replica; INSERT INTO task VALUES (1, '{[2,7)}');
         INSERT INTO sale VALUES (1, '[2024-12-01,2025-02-01)'), (2, '[2024-01-01,2024-02-01)'), (1, 'empty')",
    )?;
    let (_, report, all) = stage.migrate(&["--dry-run"])?;
    let report = report.to_string();
    for rows in [
        "(id, during) = (1, [2024-12-01,2025-02-01)), (1, empty), (2, [2024-01-01,2024-02-01))",
        "(id, hours) = (1, {[2,7)})",
    ] {
        assert!(report.contains(rows), "{rows}: {all}");
    }
    Ok(())
}
