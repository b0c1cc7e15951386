use super::*;

fn found(body: &str) -> Vec<(Kind, String, bool)> {
    fragments(body)
        .into_iter()
        .map(|f| {
            let mut text = body[f.range.clone()].to_owned();
            if let Some(into) = f.into {
                text.replace_range(into.start - f.range.start..into.end - f.range.start, "§");
            }
            (f.kind, text, f.conditional)
        })
        .collect()
}

fn texts(body: &str) -> Vec<String> {
    found(body).into_iter().map(|(_, text, _)| text).collect()
}

#[test]
fn declarations_give_types_values_and_queries() {
    let body = "<<outer>> DECLARE a app.kind := app.f(1); b app.t%ROWTYPE; c app.t.x%TYPE NOT NULL = 1 + 1;
        d ALIAS FOR $1; e CURSOR (k int) FOR SELECT k FROM app.u; f CONSTANT numeric(3,1) DEFAULT 1;
        g NO SCROLL CURSOR IS SELECT 2; h a%TYPE; BEGIN END";
    let expected = [
        "app.kind",
        "app.f(1)",
        "app.t",
        "app.t",
        "1 + 1",
        "SELECT k FROM app.u",
        "numeric(3,1)",
        "SELECT 2",
    ];
    assert_eq!(texts(body), expected);
}

#[test]
fn variables_of_into_are_no_sql() {
    let body = "BEGIN SELECT a, b INTO STRICT r.x, y FROM t; INSERT INTO t VALUES (1) RETURNING id INTO z;
        SELECT INTO q a FROM t; WITH n AS (INSERT INTO t SELECT 1) SELECT 1 INTO c; END";
    let expected = [
        "SELECT a, b § FROM t",
        "INSERT INTO t VALUES (1) RETURNING id §",
        "SELECT § a FROM t",
        "WITH n AS (INSERT INTO t SELECT 1) SELECT 1 §",
    ];
    assert_eq!(texts(body), expected);
}

#[test]
fn every_statement_of_the_language_is_read() {
    let body = "BEGIN
        x := f(1); r.a[g(2)] = h(3); IF i(4) THEN PERFORM j(5); ELSIF k(6) THEN NULL; ELSE CALL l(7); END IF;
        CASE m(8) WHEN n(9), 2 THEN NULL; END CASE; CASE WHEN o(1) THEN NULL; ELSE NULL; END CASE;
        WHILE p(2) LOOP EXIT WHEN q(3); END LOOP; FOR i IN REVERSE r(4)..s(5) BY t(6) LOOP END LOOP;
        FOR rec IN SELECT u(7) LOOP END LOOP; FOR rec IN EXECUTE v(8) USING w(9), 1 LOOP CONTINUE; END LOOP;
        FOREACH a SLICE 1 IN ARRAY x(1) LOOP END LOOP; RETURN NEXT y(2); RETURN QUERY SELECT z(3);
        RETURN QUERY EXECUTE aa(4) USING 1; RAISE NOTICE 'a % %', ab(5), 1 USING HINT = ac(6), DETAIL = ad(7);
        ASSERT ae(8), 'x'; OPEN c FOR SELECT af(9); OPEN d FOR EXECUTE ag(1); OPEN e(1); FETCH c INTO b;
        GET DIAGNOSTICS n = ROW_COUNT; EXECUTE ah(2) INTO STRICT b USING ai(3), aj(4); CLOSE c; RETURN ak(5);
        END";
    let all = texts(body).join(" ");
    for name in [
        "f(1)",
        "h(3)",
        "i(4)",
        "j(5)",
        "k(6)",
        "l(7)",
        "m(8)",
        "n(9)",
        "o(1)",
        "p(2)",
        "q(3)",
        "r(4)",
        "s(5)",
        "t(6)",
        "u(7)",
        "v(8)",
        "w(9)",
        "x(1)",
        "y(2)",
        "z(3)",
        "aa(4)",
        "ab(5)",
        "ac(6)",
        "ad(7)",
        "ae(8)",
        "af(9)",
        "ag(1)",
        "ah(2)",
        "ai(3), aj(4)",
        "ak(5)",
    ] {
        assert!(all.contains(name), "{name} in {all}");
    }
    assert!(!all.contains("INTO") && !all.contains("LOOP") && !all.contains("THEN"), "{all}");
}

#[test]
fn what_may_not_be_reached_is_conditional() {
    let body = "BEGIN PERFORM a(); IF x() THEN PERFORM b(); END IF; PERFORM c();
        BEGIN PERFORM d(); EXCEPTION WHEN OTHERS THEN PERFORM e(); END; PERFORM f(); RETURN; PERFORM g(); END";
    let reached: Vec<_> = found(body).into_iter().filter(|f| !f.2).map(|f| f.1).collect();
    assert_eq!(reached, ["PERFORM a()", "x()", "PERFORM c()", "PERFORM f()"]);
}

#[test]
fn what_is_no_body_ends_quietly() {
    for body in [
        "",
        ";",
        "BEGIN",
        "END",
        "IF",
        "FOR",
        "FOR x IN",
        "RAISE",
        "EXIT",
        "a.",
        "a[",
        "a[1",
        "SELECT INTO",
        "CASE",
        "DECLARE",
        "DECLARE x",
        "RETURN",
        "EXECUTE",
        "OPEN",
        "<<",
        "SELECT a INTO",
        "SELECT a INTO b,",
        "'",
        "EXCEPTION WHEN",
        ")))",
        "(((",
        "DECLARE a%",
        "x INTO .",
        "FOREACH",
        "RETURN QUERY",
    ] {
        let _ = fragments(body);
    }
    let deep = "BEGIN ".repeat(100_000);
    assert!(fragments(&deep).is_empty());
}
