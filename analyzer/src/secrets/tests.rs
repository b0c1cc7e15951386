use super::*;

/// Every one of these holds `hunter2` in a place of its own.
const SECRETS: &[&str] = &[
    "ALTER ROLE r WITH LOGIN PASSWORD 'hunter2' VALID UNTIL '2030-01-01';",
    "CREATE ROLE r ENCRYPTED PASSWORD 'hunter2';",
    "CREATE USER r PASSWORD E'hunter2\\'';",
    "CREATE ROLE r PASSWORD $x$hunter2$x$;",
    "CREATE ROLE r PASSWORD U&'hunter2';",
    "ALTER DATABASE d SET app.api_token = 'hunter2';",
    "ALTER DATABASE d SET \"app\".\"api_token\" TO 'hunter2';",
    "ALTER ROLE r IN DATABASE d SET my.password TO hunter2;",
    "ALTER ROLE r SET my.secret_list TO 'a', 'hunter2', b;",
    "ALTER ROLE r SET app.jwt = \"hunter2\";",
    "ALTER ROLE r SET app.pin TO 4711;",
    "ALTER SYSTEM SET archive_command = 'curl -u x:hunter2 https://h';",
    "ALTER SYSTEM SET primary_conninfo = 'host=h user=u password=hunter2';",
    "SET app.credentials = 'hunter2';",
    "ALTER ROLE r SET aws.access = 'hunter2';",
    "ALTER DATABASE \"d\" SET \"aws.access\" TO 'hunter2';",
    "CREATE VIEW v AS SELECT a, 'hunter2'::text AS api_token FROM t;",
    "CREATE VIEW v AS SELECT 'hunter2'::character varying(40) AS \"Password\", 1;",
    "CREATE VIEW v AS SELECT 'hunter2' AS password;",
    "SET SESSION my.key TO 'hunter2';",
    "ALTER FUNCTION f() SET app.signing_key = 'hunter2';",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.token = 'hunter2' AS 'SELECT 1';",
    "CREATE VIEW v AS SELECT vault.create_secret('hunter2', 'a');",
    "SELECT set_config('app.' || 'x', 'y', true), 'password=' || 'hunter2';",
    "ALTER ROLE r SET my.password = 'a' 'hunter2';",
    "SELECT pg_catalog.set_config('app.token', 'hunter2', false);",
    "SELECT json_build_object('user', 'u', 'password', 'hunter2');",
    "CREATE USER MAPPING FOR r SERVER s OPTIONS (\"user\" 'u', password 'hunter2');",
    "CREATE USER MAPPING FOR r SERVER s OPTIONS (wallet 'hunter2');",
    "ALTER USER MAPPING FOR r SERVER s OPTIONS (SET password 'hunter2');",
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', service_account 'hunter2');",
    "CREATE FOREIGN TABLE t (a int OPTIONS (something 'hunter2')) SERVER s OPTIONS (program 'hunter2 | cat');",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h sslkey=hunter2' PUBLICATION p;",
    "ALTER SUBSCRIPTION s CONNECTION 'hunter2';",
    "SELECT dblink('postgres://u:hunter2@h/d', 'SELECT 1');",
    "SELECT dblink('host=h password=hunter2', 'SELECT 1');",
    "SELECT dblink_connect('c', 'hunter2');",
    "SELECT http_get('https://h/x?api_key=hunter2&y=1');",
    "COPY t TO PROGRAM 'aws s3 cp - s3://b --key hunter2';",
    "COPY t FROM PROGRAM $$hunter2$$ WITH (FORMAT csv);",
    "COMMENT ON ROLE r IS 'password: hunter2';",
    "CREATE TABLE t (password text DEFAULT 'hunter2', b int);",
    "CREATE TABLE t (api_token character varying(40) DEFAULT 'hunter2'::character varying);",
    "INSERT INTO users (name, password) VALUES ('a', 'hunter2');",
    "CREATE VIEW v AS SELECT pgp_sym_decrypt(a, 'hunter2') FROM t;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink_connect('c', 'host=h password=hunter2'); END $$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE v_token CONSTANT text := 'hunter2'; BEGIN END $$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE x PASSWORD ''hunter2'''; END $$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE x PASSWORD ' || quote_literal('hunter2'); END $$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('ALTER ROLE x PASSWORD %L', 'hunter2'); END $$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS $$\nAPI_KEY = \"hunter2\"\n$$;",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS $$\nit's = {'password': 'hunter2'}\n$$;",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT dblink(''host=h password=hunter2'')';",
    "SELECT 1 -- the password is in password=hunter2\n;",
    "SELECT add_job('f', '1h', config => '{\"token\": \"hunter2\"}');",
    "ALTER ROLE r PASSWORD 'abc\\' hunter2' \\'';",
    "ALTER ROLE r PASSWORD 'open hunter2",
    "\\c postgres://u:hunter2@h/d",
    "\\c \"host=h password=hunter2\"",
    "\\setenv PGPASSWORD hunter2",
    "\\set api_token hunter2",
    "\\! curl -u u:hunter2 h",
    "\\o | mail -s hunter2",
    "\\copy t to program 'x --opt hunter2'",
    "\\set x `echo hunter2`",
];

#[test]
fn no_secret_of_a_statement_is_shown() {
    for sql in SECRETS {
        let shown = in_sql(sql);
        assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{sql}\n{shown}");
        assert!(shown.contains(MASK), "{sql}\n{shown}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for sql in [
        "ALTER ROLE r SET search_path TO 'a', b;",
        "SET password_encryption = 'scram-sha-256';",
        "SET SESSION AUTHORIZATION 'postgres';",
        "CREATE ROLE r PASSWORD NULL VALID UNTIL 'infinity';",
        "ALTER DATABASE d SET app.token_check = on;",
        "COMMENT ON COLUMN t.password IS 'a hash';",
        "CREATE TABLE t (id int PRIMARY KEY, kind text DEFAULT 'a', password text NOT NULL);",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (kind = 'a');",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', dbname 'd', port '5432');",
        "CREATE POLICY p ON t USING (token = current_setting('app.tenant'));",
        "COPY t FROM '/etc/passwd';",
        "GRANT SELECT (password) ON t TO bob;",
        "GRANT SELECT ON TABLE \"passwords\" TO \"bob\";",
        "ALTER DOMAIN \"public\".\"pw\" OWNER TO \"bob\";",
        "ALTER TABLE t RENAME COLUMN \"password\" TO \"hash\";",
        "CREATE ACCESS METHOD m TYPE TABLE HANDLER h;",
        "ALTER TABLE t SET ACCESS METHOD \"m\";",
        "SET default_table_access_method = 'heap';",
        "CREATE VIEW v AS SELECT 'a'::text, token AS password, 'b' AS c FROM t;",
        "CREATE TABLE public.api_tokens (id integer, kind text DEFAULT 'a');",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.tokens TO on AS 'SELECT 1';",
        "CREATE FUNCTION f(token text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' || token $$;",
    ] {
        assert_eq!(in_sql(sql), sql);
    }
}

#[test]
fn a_body_is_shown_but_for_its_secrets() {
    let sql = "DO $$ BEGIN PERFORM dblink('host=h password=abc', 'SELECT 1'); COPY t TO '/tmp/x'; END $$;";
    assert_eq!(in_sql(sql), "DO $$ BEGIN PERFORM dblink('…', 'SELECT 1'); COPY t TO '/tmp/x'; END $$;");
}

#[test]
fn no_secret_of_a_message_is_shown() {
    for text in [
        "invalid value for parameter \"app.api_token\": \"hunter2\"",
        "could not connect: postgres://u:hunter2@h:1/d",
        "could not connect: postgres://u:hunt@hunter2@h:1/d?sslmode=require",
        "invalid connection string \"host=h password=hunter2\"",
        "Key (token)=(hunter2) already exists.",
        "Key (a, api_key, b)=(1, hunter2, 2) already exists.",
        "Failing row contains (1, bob, hunter2).",
        "COPY users, line 3: \"1\tbob\thunter2\"",
        "COPY users, line 3, column password: \"hunter2\"",
        "SCRAM-SHA-256$4096:hunter2==$a:b",
        "Authorization: Bearer hunter2",
        "header authorization: Basic hunter2=",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2",
        "{\"client_secret\": \"hunter2\"}",
        "{\\\"client_secret\\\": \\\"hunter2\\\"}",
    ] {
        let shown = in_text(text);
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
    for text in [
        "password authentication failed for user \"x\"",
        "fe_sendauth: no password supplied",
        "Key (id)=(5) already exists.",
        "COPY t, line 3, column n: \"abc\"",
        "duplicate key value violates unique constraint \"t_pkey\"",
        "permission denied to set parameter \"archive_command\"",
        "unrecognized configuration parameter \"app.token\"",
        "cannot connect to postgres://u@h:1/d",
        "Only roles with the CREATEROLE attribute and the ADMIN option on role \"key\" may alter this role.",
    ] {
        assert_eq!(in_text(text), text);
    }
}

#[test]
fn what_a_server_repeats_of_a_statement_is_hidden_by_its_value() {
    let values = values("ALTER ROLE r SET app.token = 'it''s'; ALTER ROLE r PASSWORD 'hunter2'");
    assert_eq!(without_values("bad: \"hunter2\", it's, it''s", &values), "bad: \"…\", …, …");
}

#[test]
fn any_text_can_be_looked_at() {
    for text in [
        "",
        "'",
        "$",
        "$$",
        "password",
        "password=",
        "key:",
        "://:@",
        "é://ü:ö@",
        "password: '",
        "COPY : \"",
        "Key ()=(",
    ] {
        let _ = (in_sql(text), in_text(text));
    }
}
