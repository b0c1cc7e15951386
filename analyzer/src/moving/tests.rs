//! What moves, and what does not.

use super::{Mover, SchemaMap, Surveyor};
use crate::finding::Why;
use crate::rewrite::{Rewriter, Style};

/// The text with its schemas moved, and what is in doubt: why and which text.
fn moved(sql: &str, into: &[&str]) -> (String, Vec<(Why, String)>) {
    let into: Vec<String> = into.iter().map(|&word| word.to_owned()).collect();
    let (text, mut doubts) = onto(sql, &SchemaMap::read(&into, &[]).unwrap(), &[]);
    // Who may create in public, only a service tells.
    doubts.retain(|(why, _)| *why != Why::Open);
    (text, doubts)
}

/// The same on a service that has these extensions in these schemas.
fn onto(sql: &str, map: &SchemaMap, installed: &[(&str, &str)]) -> (String, Vec<(Why, String)>) {
    let mut surveyor = Surveyor::new(map);
    surveyor.begin("dump");
    surveyor.feed(sql.as_bytes());
    surveyor.end();
    let mut survey = surveyor.finish();
    map.check(&survey).unwrap();
    let installed = installed.iter().map(|&(name, schema)| (name.to_owned(), schema.to_owned())).collect();
    survey.installed(map, &installed);
    let mut second = Mover::new(map, &survey);
    second.begin("dump");
    second.feed(sql.as_bytes());
    second.end();
    let moves = second.finish();
    let mut out = Vec::new();
    let mut rewriter = Rewriter::new(&moves.planned[0], Style::Delete);
    rewriter.feed(sql.as_bytes(), &mut out);
    rewriter.finish(&mut out);
    let doubts = moves.unmoved.iter().map(|unmoved| {
        let (start, end) = (unmoved.place.span.start, unmoved.place.span.end);
        (unmoved.why, sql[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].to_owned())
    });
    (String::from_utf8(out).unwrap(), doubts.collect())
}

/// Each line becomes the next one, in a dump that has set its path, with `crm` for `public`.
fn each(pairs: &[(&str, &str)]) {
    const HEAD: &str = "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE SCHEMA audit;\n\
                        CREATE TABLE public.users (id int);\nCREATE TABLE audit.log (id int);\n\
                        CREATE EXTENSION hstore WITH SCHEMA public;\n";
    for (before, after) in pairs {
        let (text, doubts) = moved(&format!("{HEAD}{before}\n"), &["crm"]);
        assert_eq!(text.lines().nth(5), Some(*after), "{doubts:?}");
        assert_eq!(text.lines().count(), 6);
        assert_eq!(doubts, [], "{before}");
    }
}

#[test]
fn a_schema_is_created_in_place_of_public_and_no_line_is_added() {
    let (text, _) = moved("SET x.y = 1;\nCREATE TABLE t (a int);\nCREATE TABLE public.u ();", &["crm"]);
    assert_eq!(
        text,
        "SET x.y = 1;\nCREATE SCHEMA crm; GRANT USAGE ON SCHEMA crm TO PUBLIC; SET search_path TO crm; CREATE TABLE t (a int);\n\
         CREATE TABLE crm.u ();"
    );
}

#[test]
fn names_move_wherever_a_statement_has_them() {
    each(&[
        (
            "ALTER ROLE a IN DATABASE d SET \"search_path\" TO 'public', 'audit';",
            "ALTER ROLE a IN DATABASE d SET \"search_path\" TO 'crm', 'public', 'crm_audit';",
        ),
        (
            "ALTER TABLE ONLY public.users ADD FOREIGN KEY (a) REFERENCES audit.log(id);",
            "ALTER TABLE ONLY crm.users ADD FOREIGN KEY (a) REFERENCES crm_audit.log(id);",
        ),
        (
            "CREATE TABLE public.t (a public.mood DEFAULT 'x'::public.mood, b text COLLATE audit.c, CHECK (public.ok(b) AND b OPERATOR(audit.@@) b));",
            "CREATE TABLE crm.t (a crm.mood DEFAULT 'x'::crm.mood, b text COLLATE crm_audit.c, CHECK (crm.ok(b) AND b OPERATOR(crm_audit.@@) b));",
        ),
        (
            "ALTER TABLE public.users ALTER id SET DEFAULT nextval('public.users_id_seq'::regclass);",
            "ALTER TABLE crm.users ALTER id SET DEFAULT nextval('crm.users_id_seq'::regclass);",
        ),
        (
            "SELECT pg_catalog.setval('public.\"Seq\"', 7, true);",
            "SELECT pg_catalog.setval('crm.\"Seq\"', 7, true);",
        ),
        ("GRANT ALL ON SCHEMA public TO PUBLIC;", "GRANT ALL ON SCHEMA crm TO PUBLIC;"),
        (
            "GRANT SELECT ON ALL TABLES IN SCHEMA audit TO public;",
            "GRANT SELECT ON ALL TABLES IN SCHEMA crm_audit TO public;",
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE r IN SCHEMA public GRANT SELECT ON TABLES TO x;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE r IN SCHEMA crm GRANT SELECT ON TABLES TO x;",
        ),
        (
            "COMMENT ON COLUMN public.users.id IS 'public.users';",
            "COMMENT ON COLUMN crm.users.id IS 'public.users';",
        ),
        ("COMMENT ON CONSTRAINT c ON public.users IS 'x';", "COMMENT ON CONSTRAINT c ON crm.users IS 'x';"),
        (
            "COMMENT ON FUNCTION public.f(public.mood, integer) IS 'x';",
            "COMMENT ON FUNCTION crm.f(crm.mood, integer) IS 'x';",
        ),
        ("COMMENT ON TYPE audit.t IS 'x';", "COMMENT ON TYPE crm_audit.t IS 'x';"),
        (
            "COMMENT ON OPERATOR CLASS public.oc USING btree IS 'x';",
            "COMMENT ON OPERATOR CLASS crm.oc USING btree IS 'x';",
        ),
        (
            "ALTER OPERATOR FAMILY public.f USING btree OWNER TO r;",
            "ALTER OPERATOR FAMILY crm.f USING btree OWNER TO r;",
        ),
        ("DROP TABLE IF EXISTS public.users, audit.log;", "DROP TABLE IF EXISTS crm.users, crm_audit.log;"),
        ("DROP TRIGGER t ON public.users;", "DROP TRIGGER t ON crm.users;"),
        ("COPY public.users (id) FROM stdin;", "COPY crm.users (id) FROM stdin;"),
        (
            "CREATE TRIGGER t BEFORE INSERT ON public.users FOR EACH ROW EXECUTE FUNCTION audit.f('a');",
            "CREATE TRIGGER t BEFORE INSERT ON crm.users FOR EACH ROW EXECUTE FUNCTION crm_audit.f('a');",
        ),
        (
            "CREATE PUBLICATION p FOR TABLES IN SCHEMA audit, TABLE public.users;",
            "CREATE PUBLICATION p FOR TABLES IN SCHEMA crm_audit, TABLE crm.users;",
        ),
        ("ALTER SEQUENCE public.s OWNED BY public.users.id;", "ALTER SEQUENCE crm.s OWNED BY crm.users.id;"),
        (
            "ALTER TABLE public.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.s START WITH 1);",
            "ALTER TABLE crm.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME crm.s START WITH 1);",
        ),
        (
            "CREATE AGGREGATE public.agg(integer) (SFUNC = public.sf, STYPE = audit.t, SORTOP = OPERATOR(audit.<));",
            "CREATE AGGREGATE crm.agg(integer) (SFUNC = crm.sf, STYPE = crm_audit.t, SORTOP = OPERATOR(crm_audit.<));",
        ),
        (
            "CREATE INDEX i ON public.users USING gin (a audit.ops);",
            "CREATE INDEX i ON crm.users USING gin (a crm_audit.ops);",
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION public.c ADD MAPPING FOR word WITH audit.d, english_stem;",
            "ALTER TEXT SEARCH CONFIGURATION crm.c ADD MAPPING FOR word WITH crm_audit.d, english_stem;",
        ),
        (
            "ALTER ROLE app SET search_path TO 'public', 'audit';",
            "ALTER ROLE app SET search_path TO 'crm', 'public', 'crm_audit';",
        ),
        ("SET search_path = audit, pg_catalog;", "SET search_path = 'crm_audit', 'pg_catalog';"),
        (
            "SELECT pg_catalog.set_config('search_path', '\"$user\", public', false);",
            "SELECT pg_catalog.set_config('search_path', '\"$user\", crm, public', false);",
        ),
        (
            "ALTER TABLE public.p ATTACH PARTITION audit.log FOR VALUES IN ('public');",
            "ALTER TABLE crm.p ATTACH PARTITION crm_audit.log FOR VALUES IN ('public');",
        ),
        (
            "CREATE VIEW public.v AS SELECT public.users.id, public.users.* FROM public.users;",
            "CREATE VIEW crm.v AS SELECT crm.users.id, crm.users.* FROM crm.users;",
        ),
        (
            "INSERT INTO public.users VALUES (1, 'public.users', DEFAULT);",
            "INSERT INTO crm.users VALUES (1, 'public.users', DEFAULT);",
        ),
    ]);
}

#[test]
fn what_only_has_the_name_of_a_schema_stays() {
    each(&[
        (
            "CREATE TABLE public.public (public text, audit int);",
            "CREATE TABLE crm.public (public text, audit int);",
        ),
        (
            "CREATE VIEW public.w AS SELECT audit.id, public.public FROM audit.log audit, public.public;",
            "CREATE VIEW crm.w AS SELECT audit.id, public.public FROM crm_audit.log audit, crm.public;",
        ),
        ("GRANT SELECT ON TABLE public.users TO PUBLIC;", "GRANT SELECT ON TABLE crm.users TO PUBLIC;"),
        (
            "CREATE TABLE public.h (a public.hstore, b pg_catalog.int4 DEFAULT public.hstore_to_json(a));",
            "CREATE TABLE crm.h (a public.hstore, b pg_catalog.int4 DEFAULT public.hstore_to_json(a));",
        ),
        (
            "CREATE TABLE public.q (a text DEFAULT 'public', b text DEFAULT 'public '::text);",
            "CREATE TABLE crm.q (a text DEFAULT 'public', b text DEFAULT 'public '::text);",
        ),
        ("CREATE TABLE \"public\".x (\"public\" int);", "CREATE TABLE crm.x (\"public\" int);"),
    ]);
}

#[test]
fn extensions_move_with_a_schema_of_the_database_alone() {
    let (text, _) = moved(
        "CREATE SCHEMA app;\nCREATE SCHEMA ext;\nCREATE EXTENSION hstore SCHEMA app;\nCREATE EXTENSION citext SCHEMA ext;\n\
         CREATE TABLE app.t (a app.hstore, b ext.citext);",
        &["crm"],
    );
    let expected = [
        "CREATE SCHEMA crm; GRANT USAGE ON SCHEMA crm TO PUBLIC; SET search_path TO crm; CREATE SCHEMA crm_app;",
        "CREATE SCHEMA ext;",
        "CREATE EXTENSION hstore SCHEMA crm_app;",
        "CREATE EXTENSION citext SCHEMA ext;",
        "CREATE TABLE crm_app.t (a crm_app.hstore, b ext.citext);",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_database_creates_beside_an_unknown_extension_moves_with_its_uses() {
    let (text, _) = moved(
        "CREATE EXTENSION foo WITH SCHEMA public;\nCREATE TYPE public.comp AS (a int);\n\
         CREATE COLLATION public.germ (provider = icu, locale = 'de');\n\
         CREATE AGGREGATE public.s(integer) (SFUNC = int4pl, STYPE = integer);\n\
         CREATE OPERATOR public.=== (FUNCTION = public.f, LEFTARG = integer, RIGHTARG = integer);\n\
         CREATE TEXT SEARCH DICTIONARY public.d (TEMPLATE = pg_catalog.simple);\n\
         CREATE TABLE public.t (a public.comp, b text COLLATE public.germ, c public.of_foo);",
        &["crm"],
    );
    for line in
        ["TYPE crm.comp", "COLLATION crm.germ", "AGGREGATE crm.s", "OPERATOR crm.===", "DICTIONARY crm.d"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(
        text.contains("CREATE TABLE crm.t (a crm.comp, b text COLLATE crm.germ, c public.of_foo)"),
        "{text}"
    );
}

#[test]
fn what_is_not_in_a_tree_is_in_doubt_where_it_speaks_of_a_schema() {
    let rows = |row: &str| {
        let rows: Vec<String> = (0..20_000).map(|_| "(1, 'public.x')".to_owned()).collect();
        format!(
            "CREATE TABLE public.t (a int, b text);\nINSERT INTO public.t VALUES {}, {row};",
            rows.join(", ")
        )
    };
    let (text, doubts) = moved(&rows("(2, 'public.y')"), &["crm"]);
    assert!(text.contains("\nINSERT INTO crm.t VALUES (1, 'public.x'), ") && doubts.is_empty(), "{doubts:?}");
    let (text, doubts) = moved(&rows("(public.f(), 'x')"), &["crm"]);
    assert!(text.ends_with("(crm.f(), 'x');") && doubts.is_empty(), "{doubts:?}");
    let calls = vec!["(nextval('public.s'), 'x')"; 20_000].join(", ");
    let sql = format!("CREATE TABLE public.t (a int, b text);\nINSERT INTO public.t VALUES {calls};");
    // Rows behind the first ones are in no tree: the whole statement is in doubt.
    let doubts = moved(&sql, &["crm"]).1;
    assert!(
        matches!(doubts.as_slice(), [(Why::Text, text)] if text.starts_with("INSERT")),
        "{}",
        doubts.len()
    );
    assert_eq!(moved("CREATE TABLE t (); SELEC public.t;", &["crm"]).1, [(Why::Text, "public".into())]);
    assert_eq!(
        moved("CREATE TABLE t ();\n\\copy public.t from x", &["crm"]).1,
        [(Why::Text, "public".into())]
    );
}

#[test]
fn what_two_databases_share_is_created_once_or_in_doubt() {
    let sql = "\\connect a\nCREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE public.t (a int);\n\
               ALTER ROLE r IN DATABASE a SET search_path TO public;\n\
               \\connect b\nCREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE public.t (a ext.hstore);\n\
               ALTER ROLE r IN DATABASE b SET search_path TO public;\nCREATE EXTENSION citext SCHEMA public;\n\
               \\connect a\nCREATE EXTENSION citext SCHEMA ext;";
    let (text, doubts) = moved(sql, &["a=a", "b=b"]);
    assert!(text.contains("\nCREATE SCHEMA b; GRANT USAGE ON SCHEMA b TO PUBLIC; SET search_path TO b, public; CREATE SCHEMA IF NOT EXISTS ext;"), "{text}");
    assert!(
        text.contains("SET search_path TO 'a';") && text.contains("SET search_path TO 'b', 'public';"),
        "{text}"
    );
    assert_eq!(
        doubts,
        [
            (Why::Shared, "ALTER ROLE r IN DATABASE b SET search_path TO public".into()),
            (Why::Shared, "CREATE EXTENSION citext SCHEMA ext".into())
        ]
    );
}

#[test]
fn names_in_bodies_move() {
    each(&[
        (
            "CREATE FUNCTION public.f() RETURNS SETOF public.users LANGUAGE sql AS $$ SELECT * FROM public.users; $$;",
            "CREATE FUNCTION crm.f() RETURNS SETOF crm.users LANGUAGE sql AS $$ SELECT * FROM crm.users; $$;",
        ),
        (
            "CREATE FUNCTION public.g() RETURNS int LANGUAGE plpgsql AS $$ DECLARE u public.users%ROWTYPE; i public.users.id%TYPE; j audit.t[]; BEGIN PERFORM audit.h('it''s'); INSERT INTO public.users VALUES (1) RETURNING id INTO i; RETURN i; END $$;",
            "CREATE FUNCTION crm.g() RETURNS int LANGUAGE plpgsql AS $$ DECLARE u crm.users%ROWTYPE; i crm.users.id%TYPE; j crm_audit.t[]; BEGIN PERFORM crm_audit.h('it''s'); INSERT INTO crm.users VALUES (1) RETURNING id INTO i; RETURN i; END $$;",
        ),
        (
            "CREATE FUNCTION public.q() RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''DELETE FROM public.users WHERE id = ''''''''''; RETURN nextval(''public.s''); END';",
            "CREATE FUNCTION crm.q() RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''DELETE FROM crm.users WHERE id = ''''''''''; RETURN nextval(''crm.s''); END';",
        ),
        (
            "CREATE FUNCTION public.e() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TRUNCATE public.users'; EXECUTE format('DELETE FROM audit.log WHERE a = %L', 1); END $$;",
            "CREATE FUNCTION crm.e() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TRUNCATE crm.users'; EXECUTE format('DELETE FROM crm_audit.log WHERE a = %L', 1); END $$;",
        ),
        (
            "CREATE FUNCTION public.s() RETURNS int LANGUAGE sql SET search_path TO 'public', 'pg_temp' AS $$ SELECT 1 FROM users $$;",
            "CREATE FUNCTION crm.s() RETURNS int LANGUAGE sql SET search_path TO 'crm', 'public', 'pg_temp' AS $$ SELECT 1 FROM users $$;",
        ),
        (
            "CREATE FUNCTION public.a() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT users.id FROM public.users; END;",
            "CREATE FUNCTION crm.a() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT users.id FROM crm.users; END;",
        ),
        ("DO $$ BEGIN PERFORM public.f(); END $$;", "DO $$ BEGIN PERFORM crm.f(); END $$;"),
    ]);
}

#[test]
fn unqualified_names_get_the_path_that_they_had() {
    each(&[
        (
            "CREATE FUNCTION public.f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM users $$;",
            "CREATE FUNCTION crm.f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM users $$ SET search_path TO crm, public;",
        ),
        (
            "CREATE FUNCTION public.g() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN DELETE FROM log; RETURN 1; END $$;",
            "CREATE FUNCTION crm.g() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN DELETE FROM log; RETURN 1; END $$ SET search_path TO crm, public, crm_audit;",
        ),
        (
            "CREATE FUNCTION public.n() RETURNS int LANGUAGE sql AS $$ SELECT length('x') $$;",
            "CREATE FUNCTION crm.n() RETURNS int LANGUAGE sql AS $$ SELECT length('x') $$;",
        ),
    ]);
}

#[test]
fn what_is_not_proved_is_in_doubt() {
    let doubts = |body: &str| {
        let sql = format!("CREATE SCHEMA audit; CREATE TABLE public.t (a int);\n{body}");
        moved(&sql, &["crm"]).1
    };
    let plpgsql = |body: &str| {
        doubts(&format!("CREATE FUNCTION public.f(t text) RETURNS void LANGUAGE plpgsql AS $$ {body} $$;"))
    };
    assert_eq!(plpgsql("BEGIN EXECUTE t; END"), [(Why::Dynamic, "t".into())]);
    assert_eq!(
        plpgsql("BEGIN EXECUTE format('TRUNCATE %s', t); END"),
        [(Why::Dynamic, "format('TRUNCATE %s', t)".into())]
    );
    assert_eq!(plpgsql("BEGIN EXECUTE format('TRUNCATE public.%I', t); END"), []);
    assert_eq!(plpgsql("BEGIN t := 'audit.x' || t; END"), [(Why::Text, "audit".into())]);
    assert_eq!(
        plpgsql("BEGIN IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'audit') THEN NULL; END IF; END"),
        [(Why::Text, "'audit'".into())]
    );
    assert_eq!(
        doubts(
            "CREATE FUNCTION public.p() RETURNS void LANGUAGE plpython3u AS $$ plpy.execute('select audit.x()') $$;"
        ),
        [(Why::Text, "audit".into())]
    );
    assert_eq!(doubts("CREATE TABLE public.u (a regclass);"), [(Why::Rows, "a".into())]);
    assert_eq!(doubts("CREATE VIEW public.v AS SELECT f('audit.t');"), [(Why::Text, "'audit.t'".into())]);
    assert_eq!(
        doubts("CREATE TRIGGER t BEFORE INSERT ON public.v FOR EACH ROW EXECUTE FUNCTION f('a', 'audit.t');"),
        [(Why::Text, "'audit.t'".into())]
    );
    let of_user = "CREATE ROLE audit;\nALTER ROLE audit SET search_path TO \"$user\", public;";
    assert_eq!(
        doubts(of_user),
        [(Why::Text, "ALTER ROLE audit SET search_path TO \"$user\", public;".into())]
    );
    assert_eq!(doubts("DO $$ BEGIN DELETE FROM t; END $$;"), [(Why::Path, "DELETE FROM t".into())]);
}

/// The map of a database called crm, with others on the service.
fn crm() -> SchemaMap {
    SchemaMap { beside_others: true, ..SchemaMap::read(&["crm".to_owned()], &[]).unwrap() }
}

/// What is in doubt where other databases are on the service.
fn beside(sql: &str) -> Vec<(Why, String)> {
    onto(sql, &crm(), &[]).1
}

#[test]
fn what_holds_for_the_whole_service_is_a_decision() {
    let head = "CREATE TABLE public.t (a int);\n";
    for sql in [
        "ALTER DATABASE crm SET work_mem TO '1MB'",
        "ALTER ROLE app SET search_path TO public",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader",
        "CREATE PUBLICATION p FOR ALL TABLES",
    ] {
        assert_eq!(beside(&format!("{head}{sql};")), [(Why::Shared, sql.to_owned())], "{sql}");
    }
    for sql in [
        "ALTER ROLE app IN DATABASE crm SET search_path TO public",
        "ALTER ROLE app SET work_mem TO '1MB'",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO reader",
        "CREATE PUBLICATION p FOR TABLE public.t",
    ] {
        assert_eq!(beside(&format!("{head}{sql};")), [], "{sql}");
    }
}

#[test]
fn a_path_of_another_database_is_left_to_it() {
    let head = "CREATE SCHEMA audit;\nCREATE TABLE public.t (a int);\n";
    for (path, left) in [
        ("other, public", "\n"),
        ("other, audit", "ALTER ROLE app SET search_path TO 'crm_other', 'crm_audit';\n"),
    ] {
        let (text, doubts) = onto(&format!("{head}ALTER ROLE app SET search_path TO {path};\n"), &crm(), &[]);
        assert!(text.ends_with(&format!("(a int);\n{left}")), "{text}");
        assert_eq!(doubts.is_empty(), left.len() == 1, "{doubts:?}");
    }
}

#[test]
fn members_of_an_extension_are_named_where_the_service_has_it() {
    let sql = "SET search_path = '';\nCREATE SCHEMA ext;\nCREATE EXTENSION citext WITH SCHEMA ext;\nCREATE EXTENSION hstore WITH SCHEMA ext;\n\
        CREATE TABLE public.t (c ext.citext DEFAULT 'x'::ext.citext, h ext.hstore);\n\
        ALTER FUNCTION public.g(ext.citext) OWNER TO xo;\n\
        CREATE FUNCTION public.b() RETURNS bool LANGUAGE plpgsql SET search_path TO 'public', 'ext' AS $$ DECLARE x ext.citext; BEGIN RETURN x OPERATOR(ext.=) 'a'; END $$;\n\
        CREATE FUNCTION public.d() RETURNS int LANGUAGE sql AS $$ SELECT count(*) FROM t $$;\n";
    let (text, doubts) = onto(sql, &crm(), &[("citext", "public"), ("hstore", "ext"), ("ltree", "x")]);
    let lines: Vec<&str> = text.lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            "CREATE TABLE crm.t (c public.citext DEFAULT 'x'::public.citext, h ext.hstore);",
            "ALTER FUNCTION crm.g(public.citext) OWNER TO xo;",
            "CREATE FUNCTION crm.b() RETURNS bool LANGUAGE plpgsql SET search_path TO 'crm', 'ext', 'public' AS $$ DECLARE x public.citext; BEGIN RETURN x OPERATOR(public.=) 'a'; END $$;",
            "CREATE FUNCTION crm.d() RETURNS int LANGUAGE sql AS $$ SELECT count(*) FROM t $$ SET search_path TO crm, ext, public;",
        ],
        "{doubts:?}"
    );
    assert!(doubts.iter().all(|(why, _)| *why == Why::Open) && doubts.len() == 2, "{doubts:?}");
}

#[test]
fn functions_that_look_where_others_create_are_places() {
    let sql = "CREATE TABLE public.t (a int);\nCREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$ SELECT a FROM t $$;\n";
    let open = |head: &str| {
        onto(&format!("{head}{sql}"), &crm(), &[]).1.iter().filter(|(why, _)| *why == Why::Open).count()
    };
    assert_eq!((open(""), open("CREATE EXTENSION citext WITH SCHEMA public;\n")), (0, 1));
}

#[test]
fn a_name_that_postgresql_would_cut_off_is_refused() {
    let map = SchemaMap::read(&["a".repeat(60)], &[]).unwrap();
    let mut surveyor = Surveyor::new(&map);
    surveyor.begin("");
    surveyor.feed(b"CREATE SCHEMA audit; CREATE TABLE audit.t ();");
    surveyor.end();
    let error = map.check(&surveyor.finish()).unwrap_err();
    assert!(matches!(&error, super::MoveError::TooLong(schema, _) if schema == "audit"), "{error}");
}
