//! What no dump has, or none can say: it arrives, or is named before anything is written and by the comparison.

use std::process::Command;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

/// Objects of all kinds that a user made members of an extension, a changed member, keys whose checks are off.
const ADDED: &str = "
CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm;
CREATE TABLE mine(id int); INSERT INTO mine VALUES (1); ALTER EXTENSION ltree ADD TABLE mine;
CREATE SCHEMA needed; ALTER EXTENSION ltree ADD SCHEMA needed; CREATE TABLE needed.inside(id int);
CREATE COLLATION coll (provider = icu, locale = 'de'); ALTER EXTENSION ltree ADD COLLATION coll;
CREATE TEXT SEARCH DICTIONARY dict (template = simple); ALTER EXTENSION ltree ADD TEXT SEARCH DICTIONARY dict;
CREATE TEXT SEARCH CONFIGURATION cfg (copy = simple); ALTER EXTENSION ltree ADD TEXT SEARCH CONFIGURATION cfg;
CREATE FUNCTION always(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR ### (function = always, leftarg = text, rightarg = text); ALTER EXTENSION ltree ADD OPERATOR ### (text, text);
CREATE OPERATOR FAMILY fam USING btree; ALTER EXTENSION ltree ADD OPERATOR FAMILY fam USING btree;
CREATE OPERATOR CLASS cls FOR TYPE int4 USING btree FAMILY fam AS OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4);
ALTER EXTENSION ltree ADD OPERATOR CLASS cls USING btree;
CREATE CAST (text AS ltree) WITH INOUT; ALTER EXTENSION ltree ADD CAST (text AS ltree);
CREATE TYPE comp AS (a int); ALTER EXTENSION ltree ADD TYPE comp;
CREATE TYPE rng AS RANGE (subtype = int4); ALTER EXTENSION ltree ADD TYPE rng;
CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; ALTER EXTENSION ltree ADD CONVERSION conv;
ALTER FUNCTION similarity(text, text) COST 4242;
REVOKE ALL ON FUNCTION lquery_in(cstring) FROM PUBLIC;
CREATE TABLE late(id int, r int4range, UNIQUE (id) DEFERRABLE, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
ALTER TABLE late DISABLE TRIGGER ALL;
CREATE TABLE parent(id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE child(id int, p int REFERENCES parent) PARTITION BY LIST (id);
CREATE TABLE child_1 PARTITION OF child FOR VALUES IN (1);
CREATE TABLE child_2 PARTITION OF child FOR VALUES IN (2);
INSERT INTO child VALUES (1, 1), (2, 2);
ALTER TABLE child_1 DISABLE TRIGGER ALL;
";

/// What is lost of it.
const LOST: [&str; 12] = [
    "cast (pg_catalog.text AS public.ltree)",
    "collation public.coll",
    "conversion public.conv",
    "operator class public.cls USING btree",
    "operator family public.fam USING btree",
    "operator public.###(pg_catalog.text,pg_catalog.text)",
    "owner, privileges and comment of schema needed",
    "table public.mine",
    "text search configuration public.cfg",
    "text search dictionary public.dict",
    "type public.comp",
    "type public.rng",
];

/// A text of each entry of a list, in the order of the alphabet.
fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let mut texts: Vec<_> =
        list.as_array().into_iter().flatten().filter_map(|entry| entry[key].as_str()).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn what_was_made_a_part_of_an_extension_is_named_whatever_it_is() -> Outcome {
    let test = "what_was_made_a_part_of_an_extension_is_named_whatever_it_is";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(ADDED)?;
    a_role_of_everybody_ends_no_check(&stage)?;
    a_role_of_another_is_known_before(&stage)?;
    a_wrapper_that_is_kept_from_the_administrator_is_known_before(&stage)?;
    what_needs_a_path_is_known_before(&stage)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    let findings = report["findings"].as_array().ok_or("no findings")?;
    let of_rule =
        |rule: &str| -> Vec<&Value> { findings.iter().filter(|found| found["rule"] == rule).collect() };
    let mut lost: Vec<_> = of_rule("SRV-15").iter().filter_map(|found| found["lost"].as_str()).collect();
    lost.sort_unstable();
    assert_eq!(lost, LOST, "{all}");
    let mut unchecked: Vec<_> = of_rule("SRV-15")
        .iter()
        .filter(|found| found["lost"].is_null())
        .filter_map(|found| found["object"].as_str())
        .collect();
    unchecked.sort_unstable();
    assert_eq!(
        unchecked,
        [
            "deferrable key late_id_key on public.late",
            "exclusion constraint late_r_excl on public.late",
            "foreign key child_p_fkey on public.child_1"
        ],
        "{all}"
    );
    // The trigger of one partition is in the dump, by a name of the source's.
    assert!(
        !of_rule("SU-18").is_empty() && of_rule("SU-18").iter().all(|found| found["solved"] == true),
        "{all}"
    );
    assert!(of_rule("DEP-02").iter().all(|found| !found.to_string().contains("lquery_in")), "{all}");
    let verification = &report["verification"];
    let changed = texts(&verification["differences"], "object");
    assert_eq!(changed, ["function public.similarity(pg_catalog.text,pg_catalog.text)"], "{all}");
    let announced = texts(&verification["announced"], "object");
    let members: Vec<_> = LOST.into_iter().filter(|lost| !lost.contains("schema")).collect();
    assert_eq!(
        announced.into_iter().filter(|object| members.contains(object)).count(),
        members.len(),
        "{all}"
    );
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM child")?, "2");
    let valid = "SELECT bool_and(convalidated)::text FROM pg_constraint WHERE conname ~ 'child_p'";
    assert_eq!(stage.sql(&stage.admin, valid)?, "true");
    Ok(())
}

/// `ALTER ROLE ALL SET role` makes every session another's, `pg_dump`'s too.
fn a_role_of_everybody_ends_no_check(stage: &Stage) -> Outcome {
    stage.sql(
        &stage.source,
        "CREATE ROLE nobody; ALTER ROLE ALL SET role = nobody; ALTER ROLE ALL SET idle_session_timeout = 20",
    )?;
    let output = Command::new(program::path())
        .args(["check", &stage.source, "--format", "json", "--pg-bin"])
        .arg(stage.lab.programs()?)
        .output()?;
    let own = format!("{}?options=-c%20role%3Dnone%20-c%20idle_session_timeout%3D0", stage.source);
    stage.sql(&own, "ALTER ROLE ALL RESET ALL")?;
    let (code, report, all) = told(&output)?;
    assert!(code < 2 && report["findings"].is_array(), "{all}");
    Ok(())
}

fn a_role_of_another_is_known_before(stage: &Stage) -> Outcome {
    stage.sql(&stage.source, "CREATE ROLE \"Odd one\"")?;
    stage.sql(&stage.admin, "CREATE ROLE \"Odd one\"")?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 2, "{all}");
    assert_eq!(texts(&report["blockers"], "check"), ["role-of-another"], "{all}");
    // What it says to do is what it takes.
    let next = report["blockers"][0]["next"].to_string();
    assert!(next.contains("GRANT \\\"Odd one\\\" TO tsdbadmin WITH ADMIN OPTION;"), "{next}");
    stage.sql(&stage.admin, "GRANT \"Odd one\" TO tsdbadmin WITH ADMIN OPTION")?;
    Ok(())
}

/// Keys that rows break, found when all rows are there: corrected on the source, they are taken up.
const BROKEN: &str = "
CREATE TABLE parent(id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE child(id int PRIMARY KEY, p int REFERENCES parent);
CREATE TABLE other(id int PRIMARY KEY, p int REFERENCES parent); INSERT INTO other VALUES (1, 1);
CREATE MATERIALIZED VIEW summed AS SELECT count(*) AS n FROM child;
CREATE EXTENSION postgis; CREATE EXTENSION postgis_topology; CREATE EXTENSION fuzzystrmatch; CREATE EXTENSION postgis_tiger_geocoder;
CREATE TABLE places(id int PRIMARY KEY, g geometry(Point,4326)); INSERT INTO places VALUES (1, 'SRID=4326;POINT(1 2)');
UPDATE spatial_ref_sys SET proj4text = 'ours' WHERE srid = 2000; DELETE FROM spatial_ref_sys WHERE srid = 3857;
INSERT INTO spatial_ref_sys (srid) VALUES (900914); INSERT INTO tiger.loader_platform (os) VALUES ('ours');
CREATE INDEX of_names ON spatial_ref_sys (auth_name); ALTER TABLE spatial_ref_sys ADD COLUMN note text;
ALTER TABLE child DISABLE TRIGGER ALL;
INSERT INTO child VALUES (1, 1), (2, 99);
";

#[test]
fn a_new_snapshot_takes_up_what_was_corrected_when_all_rows_were_there() -> Outcome {
    let test = "a_new_snapshot_takes_up_what_was_corrected_when_all_rows_were_there";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BROKEN)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && all.contains("child_p_fkey") && all.contains("(p)=(99)"), "{all}");
    assert!(
        report["next"][0].as_str().is_some_and(|next| next.ends_with("--resume --new-snapshot")),
        "{all}"
    );
    // The table that is referred to is emptied too: the key that is there already stands in the way.
    stage.sql(
        &stage.source,
        "DELETE FROM child WHERE id = 2; INSERT INTO child VALUES (3, 3); INSERT INTO parent VALUES (3)",
    )?;
    // A start that keeps the rows of before does not take them for those of now.
    let (code, _, all) = stage.migrate(&["--resume"])?;
    assert!(code == 2 && all.contains("the source has been written to since"), "{all}");
    let (code, _, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!(code, 0, "{all}");
    let keys = "SELECT string_agg(conname || convalidated, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace";
    assert_eq!(stage.sql(&stage.admin, keys)?, "child_p_fkeytrue other_p_fkeytrue");
    assert_eq!(stage.sql(&stage.admin, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM child")?, "1 3");
    // What every database of the usual image has: their schemas and sequences are no obstacle.
    assert_eq!(stage.sql(&stage.admin, "SELECT public.st_astext(g) FROM places")?, "POINT(1 2)");
    // What was changed in an extension is not there, and each thing is named.
    for named in [
        "index public.of_names",
        "table column public.spatial_ref_sys.note",
        "1 changed row of table public.spatial_ref_sys",
        "1 row of table public.spatial_ref_sys",
        "1 changed row of table tiger.loader_platform",
        "(8,499 there, 8,500 on the target)",
    ] {
        assert!(all.contains(named), "{named}: {all}");
    }
    Ok(())
}

/// Rows that break what the source says of them: written while nobody looked.
const VIOLATED: &str = "
CREATE ROLE late;
CREATE TABLE parent(id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE child(id int PRIMARY KEY, p int CONSTRAINT \"a.key\" REFERENCES parent);
COMMENT ON CONSTRAINT \"a.key\" ON child IS 'not kept';
CREATE TABLE parted(id int, p int, CONSTRAINT parted_key FOREIGN KEY (p) REFERENCES parent) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
COMMENT ON CONSTRAINT parted_key ON parted IS 'of partitions';
CREATE TABLE held(id int, v int) PARTITION BY LIST (id); CREATE TABLE held_1 PARTITION OF held FOR VALUES IN (1);
INSERT INTO held VALUES (1, -1);
ALTER TABLE held ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'positive';
COMMENT ON CONSTRAINT positive ON held IS 'kept'; COMMENT ON CONSTRAINT positive ON held_1 IS 'kept, too';
CREATE TABLE named(id int, name text); INSERT INTO named VALUES (1, 'a'), (2, 'b');
CREATE UNIQUE INDEX by_name ON named(name); ALTER TABLE named CLUSTER ON by_name; COMMENT ON INDEX by_name IS 'goes too';
CREATE TABLE names(name text CONSTRAINT of_name REFERENCES named(name));
CREATE FUNCTION three(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF i = 3 THEN RAISE 'no three'; END IF; RETURN i; END $$;
CREATE INDEX by_three ON named(three(id));
UPDATE pg_index SET indisready = false WHERE indexrelid IN ('by_name'::regclass, 'by_three'::regclass);
";

#[test]
fn rows_that_break_keys_are_shown_and_may_stay_and_a_mended_schema_is_taken_up() -> Outcome {
    let test = "rows_that_break_keys_are_shown_and_may_stay_and_a_mended_schema_is_taken_up";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(VIOLATED)?;
    stage.sql_text(
        "INSERT INTO named VALUES (3, 'a');
         UPDATE pg_index SET indisready = true WHERE indexrelid IN ('by_name'::regclass, 'by_three'::regclass);
         SET session_replication_role = replica;
         INSERT INTO child VALUES (1, 1), (2, 99), (3, 99); INSERT INTO parted VALUES (1, 77)",
    )?;
    what_fails_late_is_named_before(&stage)?;
    let (code, _, all) = stage.migrate(&["--allow-violations", "public.named.no_such"])?;
    assert!(code == 2 && all.contains("no foreign key, CHECK, unique index"), "{all}");
    // Which of them comes first nobody knows, nor whether the function that fails comes before: each stop says how to go on,
    // and all that rows break is named at once.
    let mut stops = 0;
    let mut allowed: Vec<String> = Vec::new();
    let mut said = String::new();
    let report = loop {
        let mut arguments = vec!["--jobs", "1"];
        arguments.extend(["--resume", "--new-snapshot"].iter().filter(|_| !said.is_empty()));
        arguments.extend(allowed.iter().flat_map(|name| ["--allow-violations", name]));
        let (code, report, all) = stage.migrate(&arguments)?;
        said.push_str(&all);
        if code == 0 {
            break report;
        }
        let mut next = report["next"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names = next.find_map(|next| next.split_once("--resume --allow-violations "));
        if let Some((_, names)) = names {
            stops += 1;
            allowed.extend(names.split(' ').map(|name| name.trim_matches('\'').to_owned()));
        } else if all.contains("no three") {
            // What was corrected in the schema is taken up: a function, an index, an owner, a comment.
            stage.sql_text(
                "CREATE OR REPLACE FUNCTION three(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i; END';
                 DROP INDEX by_three; CREATE INDEX by_three_anew ON named(three(id)); ALTER TABLE held OWNER TO late;
                 COMMENT ON TABLE held IS 'later'",
            )?;
        } else {
            return Err(all.into());
        }
        assert!(allowed.len() < 6, "{said}");
    };
    assert_eq!(stops, 1, "{said}");
    allowed.sort_unstable();
    let expected = [
        "public.child.\"a.key\"",
        "public.held_1.positive",
        "public.named.by_name",
        "public.parted_1.parted_key",
    ];
    assert_eq!(allowed, expected, "{said}");
    for part in [
        "rows: (name) = (a) in 2 rows",
        "rows: (p) = (99) in 2 rows",
        "tables are copied whole",
        "without these checks on the target",
        "schema has changed since, which is taken up",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{report}");
    let missing = texts(&report["missing"], "what").join("; ");
    for part in ["by_name on public.named", "of_name on public.names", "parted_key on public.parted"] {
        assert!(missing.split("; ").any(|what| what == part), "{part}: {missing}");
    }
    let left_out = std::fs::read_to_string(stage.work.join("left-out.sql"))?;
    for part in [
        "-- ALTER TABLE \"public\".\"child\" VALIDATE CONSTRAINT \"a.key\";",
        "-- CREATE UNIQUE INDEX by_name ON public.named USING btree (name);",
        "-- ALTER TABLE \"public\".\"parted\" ADD CONSTRAINT \"parted_key\" FOREIGN KEY (p) REFERENCES public.parent(id);",
    ] {
        assert!(left_out.contains(part), "{part}: {left_out}");
    }
    let states = "SELECT string_agg(conname || ' ' || convalidated, ', ' ORDER BY conname, conrelid::regclass::text) \
                  FROM pg_constraint WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace";
    assert_eq!(
        stage.sql(&stage.admin, states)?,
        "a.key false, late false, late false, positive false, positive false"
    );
    let comments = "SELECT string_agg(description, ', ' ORDER BY description) FROM pg_description d \
                    JOIN pg_constraint k ON k.oid = d.objoid WHERE k.conname = 'positive'";
    assert_eq!(stage.sql(&stage.admin, comments)?, "kept, kept, too");
    let indexes =
        "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE indrelid = 'named'::regclass";
    assert_eq!(stage.sql(&stage.admin, indexes)?, "by_three_anew");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM named")?, "3");
    a_later_comparison_knows_what_was_announced(&stage)
}

fn a_later_comparison_knows_what_was_announced(stage: &Stage) -> Outcome {
    let verify = |arguments: &[&str]| -> Result<(Option<i32>, String), Box<dyn std::error::Error>> {
        let mut command = std::process::Command::new(tsmigrate_tests::program::path());
        command.arg("verify").args(arguments).env("SOURCE", &stage.source).env("TARGET", &stage.target);
        let output = command.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (code, said) = verify(&[])?;
    assert!(code == Some(1) && said.contains("next: look at the differences"), "{said}");
    assert!(said.contains("tsmigrate verify --work-dir DIR"), "{said}");
    let work = stage.work.display().to_string();
    let (code, said) = verify(&["--work-dir", &work])?;
    assert!(code == Some(0) && said.contains("✓ equal"), "{said}");
    assert!(said.contains("as announced") && said.contains("--allow-violations"), "{said}");
    assert!(said.contains("next: point the applications at the target"), "{said}");
    // A row that came later is a difference all the same.
    stage.sql_text("INSERT INTO above VALUES (9), (9), (9)")?;
    let (code, said) = verify(&["--work-dir", &work])?;
    assert!(code == Some(1) && said.contains("3 rows missing on the target"), "{said}");
    assert!(said.contains("migrate anew into an empty database"), "{said}");
    let (code, report, all) = stage.migrate(&["--resume"])?;
    assert_eq!(code, 2, "{all}");
    assert!(
        report["error"].to_string().contains("has come to its end")
            && all.contains("tsmigrate verify --work-dir"),
        "{all}"
    );
    let (code, said) = verify(&["--work-dir", &stage.lab.folder().display().to_string()])?;
    assert!(code == Some(2) && said.contains("tells of no migration"), "{said}");
    Ok(())
}

/// Nothing in a dump is wrong, and yet it ends in an error or in something else.
fn what_fails_late_is_named_before(stage: &Stage) -> Outcome {
    stage.sql_text(
        "CREATE ROLE boss SUPERUSER; CREATE ROLE seer SUPERUSER; ALTER TABLE names OWNER TO late; GRANT SELECT ON names TO seer;
         CREATE VIEW v_boss AS SELECT * FROM names; ALTER VIEW v_boss OWNER TO boss;
         CREATE VIEW v_seer AS SELECT * FROM names; ALTER VIEW v_seer OWNER TO seer;
         CREATE TABLE ids(x xid8, t bigint DEFAULT txid_current());
         CREATE TABLE above(a int); ALTER TABLE above ADD CONSTRAINT late CHECK (a > 0) NOT VALID;
         CREATE TABLE below(b int) INHERITS (above); ALTER TABLE above ADD COLUMN c int;
         CREATE TYPE mood AS ENUM ('a', 'b', 'c'); CREATE TABLE moods(m mood[]) PARTITION BY HASH (m);
         CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 3, REMAINDER 0);
         CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 3, REMAINDER 1);
         CREATE TABLE moods_2 PARTITION OF moods FOR VALUES WITH (MODULUS 3, REMAINDER 2);
         INSERT INTO moods SELECT ARRAY[(enum_range(NULL::mood))[1 + i % 3], (enum_range(NULL::mood))[1 + i % 2]]
           FROM generate_series(1, 60) i;
         CREATE TABLE regs(r regclass[]); INSERT INTO regs VALUES ('{named}'); INSERT INTO below VALUES (1, 2, 3);
         ALTER TABLE child DISABLE TRIGGER ALL; ALTER SYSTEM SET timezone = 'Asia/Tokyo'; SELECT pg_reload_conf();",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    stage.sql_text("ALTER TABLE child ENABLE TRIGGER ALL")?;
    assert!(all.contains("when all rows are there: (p) = (99) in 2 rows"), "{all}");
    assert_eq!(code, 0, "{all}");
    let findings = report["findings"].as_array().ok_or("no findings")?;
    let mut states: Vec<_> = findings
        .iter()
        .filter(|found| found["rule"] == "SRV-16")
        .filter_map(|found| found["object"].as_str())
        .collect();
    states.sort_unstable();
    let expected = [
        "check late on public.below",
        "names in public.regs.r (regclass)",
        "order of the columns of table public.below",
        "rows of foreign key public.child.\"a.key\"",
        "setting TimeZone of the server",
        "transaction ids in public.ids.t, public.ids.x",
        "view public.v_boss",
    ];
    assert_eq!(states, expected, "{all}");
    let (code, report, all) = stage.migrate(&["--dry-run", "--exclude-data", "public.parent"])?;
    assert_eq!(code, 2, "{all}");
    assert_eq!(texts(&report["blockers"], "check"), ["excluded-rows"], "{all}");
    let next = report["blockers"][0]["next"].to_string();
    assert!(next.contains("public.parted.parted_key") && next.contains("a.key"), "{next}");
    stage.sql_text(
        "CREATE TABLE rooted(id int PRIMARY KEY) PARTITION BY LIST (id);
         CREATE TABLE rooted_1 PARTITION OF rooted FOR VALUES IN (1); INSERT INTO rooted VALUES (1);
         CREATE TABLE to_rooted(id int CONSTRAINT to_root REFERENCES rooted); INSERT INTO to_rooted VALUES (1)",
    )?;
    for option in ["--exclude", "--exclude-data"] {
        let (code, report, all) = stage.migrate(&["--dry-run", option, "public.rooted_1"])?;
        assert_eq!((code, texts(&report["blockers"], "check")), (2, vec!["excluded-rows"]), "{all}");
    }
    stage.sql(&stage.source, "DROP TABLE to_rooted, rooted")?;
    Ok(())
}

/// The extension is there only in a transaction that is rolled back, when the dry run asks for its wrapper.
fn a_wrapper_that_is_kept_from_the_administrator_is_known_before(stage: &Stage) -> Outcome {
    stage
        .sql_text("CREATE EXTENSION postgres_fdw; CREATE SERVER \"F s\" FOREIGN DATA WRAPPER postgres_fdw")?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 1, "{all}");
    let next = report["next"].to_string();
    for part in ["GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO tsdbadmin", "--accept FDW-01"] {
        assert!(next.contains(part), "{part}: {all}");
    }
    assert!(all.contains("it cannot create server \\\"F s\\\""), "{all}");
    let (code, report, all) = stage.migrate(&["--dry-run", "--accept", "FDW-01"])?;
    assert_eq!((code, &report["blockers"]), (0, &serde_json::json!([])), "{all}");
    assert_eq!(
        stage.sql(&stage.admin, "SELECT count(*) FROM pg_extension WHERE extname = 'postgres_fdw'")?,
        "0"
    );
    stage.sql_text("DROP SERVER \"F s\"; DROP EXTENSION postgres_fdw")
}

/// Functions of indexes, generated columns and checks that would not find what they need.
fn what_needs_a_path_is_known_before(stage: &Stage) -> Outcome {
    stage.sql_text(
        "CREATE SCHEMA p; CREATE TABLE p.words(val text PRIMARY KEY); INSERT INTO p.words VALUES ('a');
         CREATE FUNCTION own_lower(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
         CREATE FUNCTION p.slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN own_lower(t); END $$;
         CREATE FUNCTION p.known(t text) RETURNS bool LANGUAGE sql AS $$ SELECT EXISTS (SELECT 1 FROM p.words WHERE val = t) $$;
         CREATE TABLE p.art(t text CONSTRAINT c CHECK (p.known(t)), s text GENERATED ALWAYS AS (p.slug(t)) STORED);
         CREATE MATERIALIZED VIEW p.slugs AS SELECT p.slug(t) FROM p.art; INSERT INTO p.art VALUES ('a');
         CREATE EXTENSION unaccent; CREATE TABLE p.names(name text);
         CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public AS $$ SELECT unaccent($1) $$;
         CREATE INDEX names_name ON p.names(f_unaccent(name)); ALTER FUNCTION f_unaccent RESET search_path; INSERT INTO p.names VALUES ('Éclair')",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 1, "{all}");
    let findings = report["findings"].as_array().ok_or("no findings")?;
    let mut found: Vec<_> = findings
        .iter()
        .filter(|found| found["severity"] == "error" && found["solved"] == false)
        .filter_map(|found| found["message"].as_str()?.split(": ").next())
        .collect();
    found.sort_unstable();
    let expected = [
        "CHECK c of table p.art may refuse rows",
        "generated column s of table p.art refuses rows",
        "index names_name of table p.\"names\" cannot be built",
    ];
    assert_eq!(found, expected, "{all}");
    assert!(all.contains("materialized view p.slugs stays empty"), "{all}");
    let next = report["next"].to_string();
    assert!(
        next.contains("--accept FN-04") && next.contains("ALTER FUNCTION p.slug SET search_path"),
        "{all}"
    );
    // As it says.
    stage.sql_text(
        "ALTER FUNCTION p.slug SET search_path = p, public, pg_temp;
         ALTER FUNCTION f_unaccent SET search_path = public, pg_temp; REFRESH MATERIALIZED VIEW p.slugs;
         ALTER TABLE p.art DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (p.known(t)) NOT VALID",
    )
}
