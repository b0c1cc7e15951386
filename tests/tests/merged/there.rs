//! A database that comes beside others: what those could plant, where the target has extensions, and settings of roles of others.

use tsmigrate_tests::lab::Server;

use crate::stage::{Outcome, at, stage};

/// Functions that look for names, an extension in a schema of its own, and a role of another database.
const OWN: &str = "CREATE ROLE mrg_there; CREATE ROLE mrg_else; ALTER ROLE mrg_else SET search_path = elsewhere, public;
    CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION hstore;
    CREATE TABLE t (c ext.citext DEFAULT 'x'::ext.citext); INSERT INTO t VALUES ('Q');
    CREATE FUNCTION tag(x numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'own' $$;
    CREATE FUNCTION ok(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN tag(i) = 'own'; END $$;
    CREATE TABLE u (i int CHECK (ok(i))); INSERT INTO u VALUES (1);
    CREATE FUNCTION found() RETURNS int LANGUAGE plpgsql SET search_path = public, ext AS $$
      BEGIN RETURN (SELECT count(*) FROM t WHERE c = 'q' AND c = 'q'::ext.citext); END $$;
    CREATE FUNCTION seen() RETURNS int LANGUAGE plpgsql AS $$ DECLARE x ext.citext := 'A'; BEGIN
      RETURN (SELECT count(*) FROM t WHERE x OPERATOR(ext.=) 'a' AND c = 'q'); END $$;
    CREATE FUNCTION with_one(ext.citext) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION with_one(ext.citext) OWNER TO mrg_there;
    CREATE VIEW v AS SELECT count(*) FROM t WHERE c OPERATOR(ext.=) 'q'::ext.citext;";

/// What somebody puts where it would be found: it fits better.
const PLANTED: &str =
    "CREATE FUNCTION public.tag(x int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'planted' $$;";

#[test]
fn what_others_could_plant_or_have_elsewhere_is_looked_at() -> Outcome {
    let test = "what_others_could_plant_or_have_elsewhere_is_looked_at";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let admin = stage.lab.admin_uri(Server::Target17)?.to_owned();
    stage.psql(&from, &["-c", "CREATE DATABASE own"])?;
    let own = at(&from, "own");
    stage.psql(&own, &["-c", OWN])?;
    stage.psql(
        &admin,
        &["-c", "CREATE EXTENSION citext; CREATE ROLE mrg_other; GRANT CREATE, USAGE ON SCHEMA public TO mrg_other"],
    )?;
    stage.psql(&admin, &["-c", "SET ROLE mrg_other", "-c", PLANTED])?;
    let into = ["--into-schema", "own"];
    let (status, words) = stage.migrate(&own, &to, &into)?;
    assert!(status == 1 && words.contains("decision 1") && words.contains("MAP-06"), "{words}");
    assert!(words.contains("REVOKE CREATE ON SCHEMA public FROM mrg_other"), "{words}");
    // What it has there is looked at although it may create no more.
    stage.psql(&to, &["-c", "REVOKE CREATE ON SCHEMA public FROM mrg_other"])?;
    let (status, words) = stage.migrate(&own, &to, &into)?;
    assert!(status == 1 && words.contains("MAP-06"), "{words}");
    stage.psql(&admin, &["-c", "DROP FUNCTION public.tag(int)"])?;
    let (status, words) = stage.migrate(&own, &to, &into)?;
    assert_eq!(status, 0, "{words}");
    assert!(!words.contains("MAP-05"), "{words}");
    // The target has citext in public, and an application sees it as it did.
    let answers = "SET search_path = own, public; SELECT found(), seen(), ok(1), with_one('x'), (SELECT count FROM v), \
                   (SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = 'mrg_else')";
    assert_eq!(stage.psql(&to, &["-c", answers])?, "1|1|t|1|1|0");
    let dump = stage.file("own.dump");
    let tools = stage.programs.join("pg_dump");
    crate::stage::said(std::process::Command::new(tools).args(["-Fc", "-d", &own, "-f", &dump]))?;
    let again = [dump.as_str(), "--into-schema", "again", "--accept", "OWN-01,OWN-03", "--work-dir", "again"];
    let (status, words) = stage.restore(&to, &again)?;
    assert_eq!(status, 0, "{words}");
    let answers = answers.replace("own, public", "again, public");
    assert_eq!(stage.psql(&to, &["-c", &answers])?, "1|1|t|1|1|0");
    Ok(())
}
