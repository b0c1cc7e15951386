//! What arrives beside the rows: roles, owners, privileges, policies, publications; and what cannot, with its reason.

use std::error::Error;
use std::fs;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};

/// Roles of all kinds, who owns what, who may do what.
const PEOPLE: &str = r#"
CREATE ROLE arr_owner NOLOGIN CREATEROLE CREATEDB CONNECTION LIMIT 7;
CREATE ROLE "Arr User" LOGIN PASSWORD 'old password' VALID UNTIL '2099-01-01 00:00:00+00';
CREATE ROLE arr_admin LOGIN NOINHERIT PASSWORD 'another one';
CREATE ROLE arr_reader NOLOGIN;
GRANT arr_reader TO "Arr User";
GRANT arr_owner TO arr_admin WITH ADMIN OPTION;
GRANT pg_read_all_data TO arr_reader;
ALTER ROLE "Arr User" SET work_mem = '9MB';
ALTER ROLE arr_admin IN DATABASE shop SET statement_timeout = '3min';
COMMENT ON ROLE arr_reader IS 'reads; it''s harmless';
CREATE SCHEMA arr AUTHORIZATION arr_owner;
GRANT USAGE ON SCHEMA arr TO arr_reader;
SET ROLE arr_owner;
CREATE TABLE arr.salaries (id int PRIMARY KEY, name text, amount numeric);
CREATE TABLE arr.notes (id int PRIMARY KEY, owner name DEFAULT current_user, note text);
CREATE VIEW arr.names AS SELECT id, name FROM arr.salaries;
CREATE SEQUENCE arr.numbers;
CREATE FUNCTION arr.total() RETURNS numeric LANGUAGE sql SECURITY DEFINER SET search_path = arr, pg_temp
  AS 'SELECT sum(amount) FROM arr.salaries';
REVOKE ALL ON FUNCTION arr.total() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION arr.total() TO "Arr User";
GRANT SELECT (id, name), UPDATE (name) ON arr.salaries TO "Arr User" WITH GRANT OPTION;
GRANT ALL ON arr.notes TO "Arr User";
GRANT USAGE ON SEQUENCE arr.numbers TO "Arr User";
ALTER TABLE arr.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON arr.notes TO "Arr User" USING (owner = current_user) WITH CHECK (note <> 'secret');
CREATE POLICY never ON arr.notes AS RESTRICTIVE FOR DELETE USING (false);
COMMENT ON TABLE arr.salaries IS 'who gets what';
COMMENT ON COLUMN arr.salaries.amount IS E'a line\nand another';
COMMENT ON FUNCTION arr.total() IS 'all of it';
COMMENT ON POLICY own ON arr.notes IS 'one''s own';
ALTER DEFAULT PRIVILEGES IN SCHEMA arr GRANT SELECT ON TABLES TO arr_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
RESET ROLE;
GRANT USAGE ON SCHEMA arr TO "Arr User";
CREATE PUBLICATION arr_names FOR TABLE arr.salaries WITH (publish = 'insert, update');
COMMENT ON PUBLICATION arr_names IS 'for the other house';
INSERT INTO arr.salaries VALUES (1, 'a', 10), (2, 'b', 32);
INSERT INTO arr.notes VALUES (1, 'Arr User', 'mine'), (2, 'somebody', 'not mine');
"#;

/// The same questions to both servers.
const QUESTIONS: [(&str, &str); 11] = [
    (
        "roles",
        "SELECT string_agg(concat_ws(' ', rolname, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, \
         rolvaliduntil AT TIME ZONE 'UTC', shobj_description(oid, 'pg_authid')), '; ' ORDER BY rolname) FROM pg_roles \
         WHERE rolname ~* '^arr'",
    ),
    (
        "memberships",
        "SELECT string_agg(concat_ws(' ', m.rolname, r.rolname, a.admin_option), '; ' ORDER BY m.rolname, r.rolname) \
         FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member \
         WHERE m.rolname ~* '^arr' AND r.rolname ~* '^arr'",
    ),
    (
        "settings",
        "SELECT string_agg(concat_ws(' ', r.rolname, d.datname IS NOT NULL, setconfig::text), '; ' ORDER BY 1) \
         FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase \
         WHERE r.rolname ~* '^arr'",
    ),
    (
        "owners",
        "SELECT string_agg(relname || ' ' || relowner::regrole, '; ' ORDER BY relname) FROM pg_class \
         WHERE relnamespace = 'arr'::regnamespace AND relkind IN ('r', 'v', 'S')",
    ),
    ("schema", "SELECT nspowner::regrole || ' ' || nspacl::text FROM pg_namespace WHERE nspname = 'arr'"),
    (
        "privileges",
        "SELECT string_agg(relname || ' ' || (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(relacl) acl), \
         '; ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'arr'::regnamespace AND relkind IN ('r', 'v', 'S')",
    ),
    (
        "columns",
        "SELECT string_agg(attname || ' ' || attacl::text, '; ' ORDER BY attname) FROM pg_attribute \
         WHERE attrelid = 'arr.salaries'::regclass AND attacl IS NOT NULL",
    ),
    (
        "default privileges",
        "SELECT string_agg(concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype, \
         defaclacl), '; ' ORDER BY defaclobjtype) FROM pg_default_acl WHERE defaclrole::regrole::text = 'arr_owner'",
    ),
    (
        "function",
        "SELECT proowner::regrole || ' ' || prosecdef || ' ' || proconfig::text || ' ' || proacl::text || ' ' || \
         obj_description(oid, 'pg_proc') FROM pg_proc WHERE proname = 'total'",
    ),
    (
        "policies",
        "SELECT string_agg(concat_ws(' ', policyname, permissive, roles, cmd, qual, with_check, \
         (SELECT relrowsecurity FROM pg_class WHERE oid = 'arr.notes'::regclass)), '; ' ORDER BY policyname) \
         FROM pg_policies WHERE schemaname = 'arr'",
    ),
    (
        "publication and comments",
        "SELECT pubowner IS NOT NULL || concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate, \
         (SELECT string_agg(tablename, ',') FROM pg_publication_tables p WHERE p.pubname = b.pubname), \
         obj_description(oid, 'pg_publication'), obj_description('arr.salaries'::regclass), \
         col_description('arr.salaries'::regclass, 3), \
         (SELECT obj_description(oid, 'pg_policy') FROM pg_policy WHERE polname = 'own')) \
         FROM pg_publication b WHERE pubname = 'arr_names'",
    ),
];

fn finished(stage: &Stage, arguments: &[&str]) -> Result<(Value, String), Box<dyn Error>> {
    let (code, report, all) = stage.migrate(arguments)?;
    if code != 0 {
        return Err(all.into());
    }
    Ok((report, all))
}

/// `uri` as another role.
fn as_role(uri: &str, role: &str, password: &str) -> Result<String, Box<dyn Error>> {
    let (_, place) = uri.split_once('@').ok_or("no user in the URI")?;
    Ok(format!("postgres://{}:{}@{place}", role.replace(' ', "%20"), password.replace(' ', "%20")))
}

fn people_arrive(test: &str, source: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, Server::Target17)? else { return Ok(()) };
    stage.sql_text(PEOPLE)?;
    let (report, _) = finished(&stage, &[])?;
    for (what, question) in QUESTIONS {
        let wanted = stage.sql(&stage.source, question)?;
        assert!(!wanted.is_empty(), "{what}: the source has none");
        // An owner has all privileges, and 17 has one more (MAINTAIN).
        let found = stage.sql(&stage.admin, question)?.replace("arwdDxtm", "arwdDxt");
        assert_eq!(found, wanted.replace("arwdDxtm", "arwdDxt"), "{what}");
    }
    // The hash came over: whoever knew the password knows it still, and sees what policies show.
    assert_eq!(report["passwords_to_set"], serde_json::json!([]), "{report}");
    let user = as_role(&stage.target, "Arr User", "old password")?;
    assert_eq!(stage.sql(&user, "SELECT string_agg(note, ',') FROM arr.notes")?, "mine");
    assert_eq!(stage.sql(&user, "SELECT arr.total()")?, "42");
    assert_eq!(stage.sql(&user, "SHOW work_mem")?, "9MB");
    let refused = stage.sql(&user, "SELECT amount FROM arr.salaries").err().ok_or("it reads all")?;
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    let wrong = as_role(&stage.target, "Arr User", "not the password")?;
    assert!(stage.sql(&wrong, "SELECT 1").is_err());
    Ok(())
}

#[test]
fn people_and_their_rights_arrive_from_15() -> Outcome {
    people_arrive("people_and_their_rights_arrive_from_15", Server::Source15)
}

#[test]
fn people_and_their_rights_arrive_from_17() -> Outcome {
    people_arrive("people_and_their_rights_arrive_from_17", Server::Source17)
}

#[test]
fn options_of_memberships_arrive() -> Outcome {
    let Some(stage) = Stage::new("options_of_memberships_arrive", Server::Source17, Server::Target17)? else {
        return Ok(());
    };
    stage.sql_text(
        "CREATE ROLE arr_g1; CREATE ROLE arr_g2; CREATE ROLE arr_g3; CREATE ROLE arr_m LOGIN;
         GRANT arr_g1 TO arr_m WITH INHERIT FALSE, SET TRUE; GRANT arr_g2 TO arr_m WITH INHERIT TRUE, SET FALSE;
         GRANT arr_g3 TO arr_m WITH ADMIN TRUE, INHERIT FALSE, SET FALSE; CREATE TABLE t (x int);",
    )?;
    finished(&stage, &[])?;
    let question = "SELECT string_agg(concat_ws(' ', r.rolname, admin_option, inherit_option, set_option), '; ' ORDER BY r.rolname) \
                    FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member \
                    WHERE m.rolname = 'arr_m'";
    assert_eq!(stage.sql(&stage.admin, question)?, "arr_g1 f f t; arr_g2 f t f; arr_g3 t f f");
    Ok(())
}

#[test]
fn without_a_superuser_the_passwords_to_set_are_listed() -> Outcome {
    let test = "without_a_superuser_the_passwords_to_set_are_listed";
    let Some(mut stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(PEOPLE)?;
    // What users own is read as a whole, and no query of ours is planned with what they may create meanwhile.
    stage.sql_text(
        "SET ROLE arr_owner; CREATE TABLE arr.wide AS SELECT g AS id, repeat('x', 300) AS v FROM generate_series(1, 2000) g;
         CREATE MATERIALIZED VIEW arr.seen AS SELECT id FROM arr.wide; RESET ROLE;
         CREATE ROLE arr_mover LOGIN PASSWORD 'm' BYPASSRLS; GRANT USAGE ON SCHEMA arr TO arr_mover;
         GRANT SELECT ON ALL TABLES IN SCHEMA arr TO arr_mover; GRANT SELECT ON ALL SEQUENCES IN SCHEMA arr TO arr_mover;",
    )?;
    stage.source = stage.source.replace("postgres@", "arr_mover:m@");
    let (report, all) = finished(&stage, &["--split-larger-than", "64KiB"])?;
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM arr.wide")?, "2000");
    let notes = report["verification"]["notes"].to_string();
    assert!(notes.contains("arr.seen: its rows were not compared: its owner"), "{notes}");
    assert!(!notes.contains("arr.wide"), "{notes}");
    let listed: Vec<_> = report["passwords_to_set"].as_array().ok_or("no list")?.iter().collect();
    for role in ["Arr User", "arr_admin"] {
        let named = |listed: &&Value| listed.as_str().is_some_and(|text| text.contains(role));
        assert!(listed.iter().any(named), "{role}: {listed:?}");
    }
    assert!(all.contains("ALTER ROLE \\\"Arr User\\\" PASSWORD"), "{all}");
    let set = "SELECT count(*) FROM pg_authid WHERE rolname ~* '^arr' AND rolpassword IS NOT NULL";
    assert_eq!(stage.sql(&stage.admin, set)?, "0");
    Ok(())
}

#[test]
fn what_cannot_arrive_is_told_and_kept_for_later() -> Outcome {
    let test = "what_cannot_arrive_is_told_and_kept_for_later";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION dblink;
         CREATE VIEW far AS SELECT * FROM dblink('dbname=shop password=hunter2', 'SELECT 1') AS t(x int);
         CREATE TABLE near (x int); INSERT INTO near VALUES (1);
         CREATE ROLE arr_super SUPERUSER REPLICATION LOGIN PASSWORD 'hunter2';
         CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION watch();
         CREATE PUBLICATION everything FOR ALL TABLES;",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    let rules: Vec<&str> = report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["severity"] == "error" && finding["solved"] == false)
        .filter_map(|finding| finding["rule"].as_str())
        .collect();
    let accepted = rules.join(",");
    let (report, all) = finished(&stage, &["--accept", &accepted])?;
    assert_eq!(stage.sql(&stage.target, "SELECT count(*) FROM near")?, "1");
    for file in ["left-out.sql", "report.json", "report.html"] {
        let kept = fs::read_to_string(stage.work.join(file))?;
        assert!(!kept.contains("hunter2") && !kept.contains("SCRAM-SHA-256$"), "{file}: {kept}");
        for part in ["dblink", "EXT-01"] {
            assert!(kept.contains(part), "{part} is not in {file}: {kept}");
        }
    }
    assert!(!all.contains("hunter2"), "{all}");
    let later = fs::read_to_string(stage.work.join("left-out.sql"))?;
    for part in [
        "-- CREATE EXTENSION IF NOT EXISTS \"dblink\"",
        "-- CREATE VIEW \"public\".\"far\" AS",
        "-- CREATE EVENT TRIGGER \"watcher\"",
        "-- CREATE PUBLICATION \"everything\" FOR ALL TABLES",
        "SU-13",
    ] {
        assert!(later.contains(part), "{part} is not in {later}");
    }
    // It can be run as it is, and does nothing: every line is a comment.
    assert!(later.lines().all(|line| line.is_empty() || line.starts_with("--")), "{later}");
    assert!(report["scripts"].to_string().contains("left-out.sql"), "{report}");
    Ok(())
}

/// A plain source with a table for each obstacle.
const SERIES: &str = r"
CREATE SCHEMA iot; CREATE ROLE arr_app NOLOGIN;
CREATE TABLE iot.dev (id int PRIMARY KEY);
CREATE TABLE iot.m (ts timestamptz NOT NULL, dev int REFERENCES iot.dev, v float8, PRIMARY KEY (dev, ts));
CREATE INDEX m_ts ON iot.m (ts DESC);
CREATE TABLE iot.p (id bigint GENERATED ALWAYS AS IDENTITY, ts timestamptz NOT NULL, v int,
  g int GENERATED ALWAYS AS (v * 2) STORED, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts);
CREATE TABLE iot.p_1 PARTITION OF iot.p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE iot.p_2 (v int, ts timestamptz NOT NULL, id bigint NOT NULL, g int GENERATED ALWAYS AS (v * 2) STORED);
ALTER TABLE iot.p ATTACH PARTITION iot.p_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE iot.p_d PARTITION OF iot.p DEFAULT PARTITION BY RANGE (ts);
CREATE TABLE iot.p_d1 PARTITION OF iot.p_d DEFAULT;
CREATE INDEX p_v ON iot.p (v);
CREATE FUNCTION iot.add() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v + 100; RETURN NEW; END';
CREATE TABLE iot.ints (at bigint NOT NULL, v int);
CREATE TABLE iot.nulls (ts timestamptz, v int);
CREATE TABLE iot.key (id int PRIMARY KEY, ts timestamptz NOT NULL);
INSERT INTO iot.dev SELECT generate_series(1, 5);
INSERT INTO iot.m SELECT '2024-01-01'::timestamptz + i * interval '1 hour', 1 + i % 5, i FROM generate_series(1, 2000) i;
INSERT INTO iot.p (ts, v) SELECT '2024-01-01'::timestamptz + i * interval '1 hour', i FROM generate_series(1, 2000) i;
INSERT INTO iot.ints SELECT i, i FROM generate_series(1, 2000) i;
INSERT INTO iot.nulls VALUES (now(), 1), (NULL, 2);
INSERT INTO iot.key VALUES (1, now());
CREATE TRIGGER add BEFORE INSERT ON iot.m FOR EACH ROW EXECUTE FUNCTION iot.add();
CREATE TRIGGER add BEFORE INSERT ON iot.p FOR EACH ROW EXECUTE FUNCTION iot.add();
GRANT SELECT ON iot.p TO arr_app; ALTER TABLE iot.m OWNER TO arr_app;
";

#[test]
fn tables_become_hypertables_on_the_way() -> Outcome {
    let test = "tables_become_hypertables_on_the_way";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(SERIES)?;
    let before = stage.target_objects()?;
    let wishes =
        ["--hypertable", "iot.m:ts", "--hypertable", "iot.p:ts:1 day", "--hypertable", "iot.ints:at:1000"];
    for (wish, part) in [
        ("iot.none:ts", "the source has no such table"),
        ("iot.m:when", "it has no column"),
        ("iot.p_1:ts", "it is a partition of another table"),
        ("iot.nulls:ts", "rows have NULL in"),
        ("iot.m", "is not of the form"),
    ] {
        let (code, report, all) = stage.migrate(&["--hypertable", wish])?;
        assert_ne!(code, 0, "{all}");
        assert!(report["blockers"].to_string().contains(part), "{wish}: {all}");
    }
    // A key without the time column is a finding: it can be accepted.
    let (code, report, all) = stage.migrate(&["--hypertable", "iot.key:ts"])?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert!(report["findings"].to_string().contains("HT-02"), "{all}");
    // What reads a partition cannot come.
    stage.sql_text("CREATE VIEW iot.january AS SELECT * FROM iot.p_1")?;
    let (code, report, all) = stage.migrate(&wishes)?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert!(report["findings"].to_string().contains("needs table iot.p_1"), "{all}");
    assert_eq!(stage.target_objects()?, before);
    stage.sql_text("DROP VIEW iot.january")?;
    let (report, _) = finished(&stage, &wishes)?;
    assert_eq!(report["verification"]["differences"], serde_json::json!([]));
    let hypertables = "SELECT string_agg(hypertable_name || ' ' || owner || ' ' || num_chunks, ', ' ORDER BY 1) \
                       FROM timescaledb_information.hypertables";
    assert_eq!(stage.sql(&stage.admin, hypertables)?, "ints tsdbadmin 3, m arr_app 13, p tsdbadmin 84");
    for question in [
        "SELECT count(*), sum(v), min(ts), max(ts) FROM iot.m",
        "SELECT count(*), sum(v), sum(g), max(id) FROM iot.p",
        "SELECT count(*), sum(v) FROM iot.ints",
        "SELECT string_agg(indexname, ',' ORDER BY indexname) FROM pg_indexes WHERE tablename IN ('m', 'p')",
    ] {
        assert_eq!(stage.sql(&stage.admin, question)?, stage.sql(&stage.source, question)?, "{question}");
    }
    // The identity goes on where it was, and triggers fire from now on.
    let insert = "INSERT INTO iot.p (ts, v) VALUES ('2024-05-05', 1) RETURNING id, v";
    assert_eq!(stage.sql(&stage.target, insert)?, "2001|101");
    Ok(())
}
/// Materialized views of a superuser, and one of a role that policies hold for, over tables with row security.
const PAST_POLICIES: &str = "
CREATE ROLE tenant; CREATE ROLE reader; GRANT CREATE ON SCHEMA public TO reader;
CREATE TABLE held(id int, who text); INSERT INTO held SELECT g, 'nobody' FROM generate_series(1, 5) g;
ALTER TABLE held OWNER TO tenant; ALTER TABLE held ENABLE ROW LEVEL SECURITY; ALTER TABLE held FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON held USING (who = current_user); GRANT SELECT ON held TO reader;
CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM held;
CREATE VIEW between AS SELECT id FROM held; CREATE VIEW asked WITH (security_invoker = true) AS SELECT id FROM held;
CREATE MATERIALIZED VIEW through AS SELECT count(*) AS n FROM between;
GRANT SELECT ON asked TO reader; SET ROLE reader;
CREATE MATERIALIZED VIEW restricted AS SELECT count(*) AS n FROM asked; RESET ROLE;
CREATE ROLE \"the Boss\" SUPERUSER; CREATE SCHEMA \"se cret\" AUTHORIZATION tenant;
CREATE TABLE \"se cret\".t(id int); INSERT INTO \"se cret\".t VALUES (1), (2); ALTER TABLE \"se cret\".t OWNER TO tenant;
CREATE MATERIALIZED VIEW bossy AS SELECT count(*) AS n FROM \"se cret\".t; ALTER MATERIALIZED VIEW bossy OWNER TO \"the Boss\";
";

#[test]
fn materialized_views_of_a_superuser_hold_what_it_saw() -> Outcome {
    let test = "materialized_views_of_a_superuser_hold_what_it_saw";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(PAST_POLICIES)?;
    let filled =
        "SELECT (SELECT n FROM seen) || ' ' || (SELECT n FROM through) || ' ' || (SELECT n FROM restricted)";
    assert_eq!(stage.sql(&stage.source, filled)?, "5 5 0");
    // A service has helpers of its superuser's: they are in nobody's way, but for a name that the source has too.
    stage.sql(
        &stage.admin,
        "CREATE TABLE helper(id int PRIMARY KEY); CREATE FUNCTION help(text) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         CREATE SCHEMA vendor; CREATE TABLE vendor.t(a int); COMMENT ON SCHEMA vendor IS 'theirs'",
    )?;
    stage.sql(
        &stage.source,
        "CREATE TABLE helper(a int); CREATE FUNCTION help(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!((code, report["blockers"][0]["check"].as_str()), (2, Some("name-of-superuser")), "{all}");
    stage.sql(&stage.source, "DROP TABLE helper")?;
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 0, "{all}");
    assert_eq!(stage.sql(&stage.admin, filled)?, "5 5 0");
    // What was lent for that is taken back.
    let of_boss = "SELECT (SELECT n FROM bossy) || ' ' || has_table_privilege('the Boss', '\"se cret\".t', 'SELECT') \
                   || ' ' || has_schema_privilege('the Boss', 'se cret', 'USAGE')";
    assert_eq!(stage.sql(&stage.admin, of_boss)?, "2 false false");
    assert!(all.contains("it is filled once, and a REFRESH is refused there"), "{all}");
    let security = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'held'::regclass";
    assert_eq!(stage.sql(&stage.admin, security)?, "t");
    Ok(())
}
