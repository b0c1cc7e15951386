//! Tests of what post-data is sorted into.

use super::*;
use crate::engine::allowed::May;
use crate::script;

fn sorted(sql: &str) -> Builds {
    let statements = script::statements("post-data", sql.as_bytes()).expect("statements");
    let tables = ["a", "b", "chunk"].map(|name| Relation::new("s", name)).into();
    let mut allowed = Allowed::default();
    allowed.add(&Relation::new("s", "a"), "loose", May::BreakIt);
    sort(statements, &tables, |table| table.name != "chunk", &allowed)
}

#[test]
fn a_primary_key_is_built_as_an_index_first() {
    let builds = sorted(
        "ALTER TABLE ONLY \"s\".\"a\" ADD CONSTRAINT \"a_pkey\" PRIMARY KEY (\"id\", \"B\") INCLUDE (\"c\") WITH (fillfactor='70') DEFERRABLE INITIALLY DEFERRED;",
    );
    let of = &builds.tables[&Relation::new("s", "a")];
    assert_eq!(
        of.indexes[0].sql,
        [
            "CREATE UNIQUE INDEX \"a_pkey\" ON \"s\".\"a\" (\"id\", \"B\") INCLUDE (\"c\") WITH (fillfactor = '70')"
        ]
    );
    assert_eq!(
        of.constraints[0].sql,
        [
            "ALTER TABLE ONLY \"s\".\"a\" ADD CONSTRAINT \"a_pkey\" PRIMARY KEY USING INDEX \"a_pkey\" DEFERRABLE INITIALLY DEFERRED"
        ]
    );
}

#[test]
fn a_chunks_constraint_stays_as_timescaledb_dumps_it() {
    let builds = sorted("ALTER TABLE ONLY s.chunk ADD CONSTRAINT u UNIQUE (id);");
    let of = &builds.tables[&Relation::new("s", "chunk")];
    assert!(of.indexes.is_empty());
    assert_eq!(of.constraints[0].sql, ["ALTER TABLE ONLY s.chunk ADD CONSTRAINT u UNIQUE (id);"]);
}

#[test]
fn foreign_keys_of_a_table_are_checked_together() {
    let builds = sorted(
        "ALTER TABLE ONLY s.a ADD CONSTRAINT f1 FOREIGN KEY (x) REFERENCES s.b(id) ON DELETE CASCADE;
         ALTER TABLE ONLY s.a ADD CONSTRAINT f2 FOREIGN KEY (y) REFERENCES s.b(id);
         ALTER TABLE ONLY s.a ADD CONSTRAINT f3 FOREIGN KEY (z) REFERENCES s.b(id) NOT VALID;
         ALTER TABLE s.parted ADD CONSTRAINT f4 FOREIGN KEY (z) REFERENCES s.b(id);
         COMMENT ON CONSTRAINT f4 ON s.parted IS 'with its key; whenever that is added';",
    );
    assert_eq!(builds.rest, []);
    let [a, parted] = &builds.foreign_keys[..] else { panic!("two tables") };
    assert!(a.add[0].sql[0].ends_with("ON DELETE CASCADE NOT VALID"));
    assert!(a.add[2].sql[0].ends_with("NOT VALID;"));
    assert_eq!(
        a.checks[0].sql,
        ["ALTER TABLE ONLY \"s\".\"a\" VALIDATE CONSTRAINT \"f1\", VALIDATE CONSTRAINT \"f2\""]
    );
    assert_eq!((&parted.checks[..], parted.add[0].sql.len()), (&[][..], 2));
}

#[test]
fn a_key_that_rows_may_break_is_checked_by_itself_and_may_stay_away() {
    let builds = sorted(
        "ALTER TABLE ONLY s.a ADD CONSTRAINT loose FOREIGN KEY (x) REFERENCES s.b(id);
         ALTER TABLE ONLY s.a ADD CONSTRAINT f2 FOREIGN KEY (y) REFERENCES s.b(id);
         CREATE UNIQUE INDEX loose ON s.a USING btree (x);",
    );
    let [loose, f2] = &builds.foreign_keys[0].checks[..] else { panic!("two checks") };
    assert!(loose.instead.as_ref().is_some_and(|instead| instead.sql == [""] && instead.answers("23503")));
    assert!(f2.instead.is_none() && f2.sql[0].ends_with("VALIDATE CONSTRAINT \"f2\""));
    let index = &builds.tables[&Relation::new("s", "a")].indexes[0];
    assert!(index.instead.as_ref().is_some_and(|instead| instead.answers("23505")));
}

#[test]
fn foreign_keys_to_hypertables_wait_until_restoring_mode_has_ended() {
    let mut builds = sorted(
        "ALTER TABLE ONLY s.a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.hyper(id);
         ALTER TABLE ONLY s.b ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.other(id);
         ALTER TABLE s.a ENABLE ROW LEVEL SECURITY;
         ALTER TABLE ONLY s.hyper FORCE ROW LEVEL SECURITY;
         ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;",
    );
    let late = builds.take_after_restoring(&[Relation::new("s", "hyper")].into(), &BTreeSet::new());
    let tables = |keys: &[ForeignKeys]| keys.iter().map(|keys| keys.table.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (tables(&late.foreign_keys), tables(&builds.foreign_keys)),
        (vec!["a".into()], vec!["b".into()])
    );
    assert_eq!((late.row_security.len(), builds.row_security.len()), (2, 1));
}

#[test]
fn what_would_be_in_the_way_of_a_table_that_becomes_a_hypertable_waits() {
    let mut builds = sorted(
        "ALTER TABLE ONLY s.a ADD CONSTRAINT to_b FOREIGN KEY (x) REFERENCES s.b(id);
         CREATE TRIGGER t BEFORE INSERT ON s.b FOR EACH ROW EXECUTE FUNCTION f();
         COMMENT ON TRIGGER t ON s.b IS 'it fires on every row';
         ALTER TABLE s.b ENABLE ALWAYS TRIGGER t;
         CREATE TRIGGER t BEFORE INSERT ON s.a FOR EACH ROW EXECUTE FUNCTION f();
         ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;",
    );
    let late = builds.take_after_restoring(&BTreeSet::new(), &[Relation::new("s", "b")].into());
    assert_eq!((late.foreign_keys.len(), late.row_security.len(), late.of_converted.len()), (1, 1, 3));
    assert!(matches!(&builds.rest[..], [trigger] if trigger.sql.contains("ON s.a")));
}

#[test]
fn row_security_waits_for_the_foreign_keys() {
    let builds = sorted(
        "ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON s.b USING (true);
         ALTER TABLE s.parted ADD CONSTRAINT f FOREIGN KEY (z) REFERENCES s.b(id);",
    );
    let sql: Vec<&str> = builds.row_security.iter().map(|(_, statement)| statement.sql.as_str()).collect();
    assert_eq!(sql, ["ALTER TABLE s.b ENABLE ROW LEVEL SECURITY;"]);
    assert!(matches!(&builds.rest[..], [policy] if policy.sql.starts_with("CREATE POLICY")));
}

#[test]
fn what_is_neither_stays_in_its_order() {
    let builds = sorted(
        "CREATE INDEX i ON s.a USING btree (x);
         CREATE INDEX j ON ONLY s.parted USING btree (x);
         ALTER INDEX s.j ATTACH PARTITION s.i;
         CREATE TRIGGER t AFTER INSERT ON s.a FOR EACH ROW EXECUTE FUNCTION f();
         REFRESH MATERIALIZED VIEW s.m;",
    );
    assert_eq!(builds.tables[&Relation::new("s", "a")].indexes.len(), 1);
    assert_eq!(builds.rest.len(), 3);
    assert_eq!(builds.refreshes[0].name, "s.m");
}
