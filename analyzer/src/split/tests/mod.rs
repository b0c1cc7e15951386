mod any_input;
mod rows;

use super::*;
use crate::text::Span;
use proptest::prelude::*;
use proptest::sample::Index;

use std::path::Path;

/// Pieces as kind and text, blanks left out, joined text checked.
fn pieces(text: &str) -> Vec<(Kind, String)> {
    let all = split(text.as_bytes());
    assert_tiles(text.as_bytes(), &all);
    all.iter()
        .filter(|piece| piece.kind != Kind::Blank)
        .map(|piece| (piece.kind, String::from_utf8_lossy(piece.text).into_owned()))
        .collect()
}

fn statements(text: &str) -> Vec<String> {
    pieces(text).into_iter().filter(|(kind, _)| *kind == Kind::Statement).map(|(_, text)| text).collect()
}

fn last_end(text: &str) -> End {
    split(text.as_bytes()).last().expect("a piece").end
}

fn assert_tiles(text: &[u8], pieces: &[Piece<'_>]) {
    let mut offset = 0;
    let mut at = Position { line: 1, column: 1 };
    for piece in pieces {
        assert_eq!(piece.span, Span::new(offset, offset + piece.text.len() as u64));
        assert_eq!(piece.at, at);
        offset = piece.span.end;
        at = crate::text::position(piece.text, at, piece.text.len());
    }
    let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.text).copied().collect();
    assert!(joined == text, "pieces joined differ from the input");
}

#[derive(Debug, PartialEq, Eq)]
struct Owned {
    kind: Kind,
    text: Vec<u8>,
    span: Span,
    at: Position,
    end: End,
    standard_strings: bool,
}

/// The pieces with neighbouring rows merged, since chunks may cut those anywhere.
fn collect(into: &mut Vec<Owned>, piece: &Piece<'_>) {
    if let Some(before) = into.last_mut()
        && before.kind == Kind::CopyData
        && piece.kind == Kind::CopyData
    {
        before.text.extend_from_slice(piece.text);
        before.span.end = piece.span.end;
        before.end = piece.end;
        return;
    }
    into.push(Owned {
        kind: piece.kind,
        text: piece.text.to_vec(),
        span: piece.span,
        at: piece.at,
        end: piece.end,
        standard_strings: piece.standard_strings,
    });
}

fn in_chunks<'c>(chunks: impl Iterator<Item = &'c [u8]>, longest: usize) -> Vec<Owned> {
    let mut owned = Vec::new();
    let mut splitter = Splitter::with_longest(longest);
    for chunk in chunks {
        splitter.feed(chunk, &mut |piece| collect(&mut owned, &piece));
    }
    splitter.finish(&mut |piece| collect(&mut owned, &piece));
    owned
}

fn kinds(text: &str) -> Vec<Kind> {
    pieces(text).into_iter().map(|(kind, _)| kind).collect()
}

/// The statement pieces with how they ended.
fn ends(text: &str) -> Vec<(String, End)> {
    split(text.as_bytes())
        .iter()
        .filter(|piece| piece.kind == Kind::Statement)
        .map(|piece| (String::from_utf8_lossy(piece.text).into_owned(), piece.end))
        .collect()
}

/// Asserts that each of the texts is one whole statement.
fn assert_whole(texts: &[&str]) {
    for text in texts {
        assert_eq!(statements(&format!("{text}\nSELECT 0;")), [text, "SELECT 0;"]);
    }
}

#[test]
fn an_empty_input_has_no_pieces() {
    assert!(split(b"").is_empty());
}

#[test]
fn semicolons_end_statements() {
    assert_eq!(
        statements("SELECT 1;SELECT 2 ;\n;\nSELECT\n3;"),
        ["SELECT 1;", "SELECT 2 ;", ";", "SELECT\n3;"]
    );
}

#[test]
fn places_count_lines_and_characters() {
    let all = split("SELECT 'ä'; SELECT 2;\r\n\tSELECT 3;".as_bytes());
    let at: Vec<_> = all
        .iter()
        .filter(|piece| piece.kind == Kind::Statement)
        .map(|piece| (piece.at.line, piece.at.column))
        .collect();
    assert_eq!(at, [(1, 1), (1, 13), (2, 2)]);
}

#[test]
fn comments_and_white_space_between_statements_are_pieces_of_their_own() {
    assert_eq!(
        pieces("--\n-- Name: a; b\n\n/* c; */ SELECT 1;-- d"),
        [
            (Kind::Comment, "--".into()),
            (Kind::Comment, "-- Name: a; b".into()),
            (Kind::Comment, "/* c; */".into()),
            (Kind::Statement, "SELECT 1;".into()),
            (Kind::Comment, "-- d".into()),
        ]
    );
    let blanks: Vec<_> = split(b" \n\t\x0b\x0c\r\n--\r\n\n;").iter().map(|piece| piece.text.len()).collect();
    assert_eq!(blanks, [7, 2, 3, 1]);
}

#[test]
fn comments_inside_a_statement_belong_to_it() {
    assert_whole(&["SELECT -- one;\n1 /* two; /* three; */ ; */ + 2;", "SELECT 1 --'\r;", "SELECT 1--/*\n;"]);
}

#[test]
fn comments_nest_and_share_no_character() {
    assert_whole(&[
        "SELECT/**/1;",
        "SELECT/*/;*/1;",
        "SELECT/*/*;*/;*/1;",
        "SELECT/***;**/1;",
        "SELECT 1 /*//*;*/*/;",
    ]);
}

#[test]
fn a_comment_starts_inside_a_run_of_operator_characters() {
    assert_whole(&["SELECT 1+--;\n2;", "SELECT 1*/*;*/2;", "SELECT 1-/*;*/2;", "SELECT @--;\n1;"]);
}

#[test]
fn quotes_hide_semicolons() {
    assert_whole(&[
        "SELECT ';', 'it''s;', '';",
        "SELECT \"a;\"\"b;\";",
        "SELECT E'\\';', e'\\\\', E'\\\\\\';', E'\\x27;';",
        "SELECT U&'d\\;', U&\"d\\;\", u&'\\';",
        "SELECT B'1;', b'', x'f;', N'it''s;', n'\\';",
        "SELECT '\\';",
        "SELECT 'a\nb;\n\n';",
    ]);
}

#[test]
fn letters_before_a_quote_matter_only_on_their_own() {
    // `typeE` is a name, so its string is a plain one that ends at the quote behind the backslash.
    assert_eq!(statements("SELECT typeE'\\'; SELECT 2;"), ["SELECT typeE'\\';", "SELECT 2;"]);
    assert_eq!(statements("SELECT 1E'\\'; SELECT 2;"), ["SELECT 1E'\\';", "SELECT 2;"]);
    assert_eq!(statements("SELECT 1.E'\\'; SELECT 2;"), ["SELECT 1.E'\\';", "SELECT 2;"]);
    assert_eq!(statements("SELECT $1E'\\'; SELECT 2;"), ["SELECT $1E'\\';", "SELECT 2;"]);
    assert_whole(&["SELECT t.E'\\';';", "SELECT 1..E'\\';';", "SELECT (E'\\';');", "SELECT $E'\\';';"]);
}

#[test]
fn numbers_end_where_those_of_psql_end() {
    assert_whole(&["SELECT 1_0e+5, 1e5--;\n;", "SELECT .5.E'\\';';"]);
    assert_eq!(statements("SELECT 1.5e--; ;"), ["SELECT 1.5e--;", ";"]);
    assert_eq!(statements("SELECT 1e--;\n2;"), ["SELECT 1e--;", "2;"]);
    assert_eq!(statements("SELECT 1_0$a$;$a$;"), ["SELECT 1_0$a$;", "$a$;"]);
    assert_whole(&["SELECT 1$a$;$a$;", "SELECT 1e-5$a$;$a$;", "SELECT $1$a$;$a$;"]);
}

#[test]
fn dollar_quotes_end_with_their_own_tag() {
    assert_whole(&[
        "SELECT $$;$a$;'$$;",
        "DO $a$ ; $$ $b$ $A$ $a $a$;",
        "SELECT $_1$;$_1$, $é$;$é$, $a$$b$;$a$;",
        "SELECT $a$;$$a$;",
        "SELECT a$b$, $1, $2$a$;$a$, $;",
        "SELECT $1a$;",
    ]);
    assert_eq!(statements("SELECT a$b$;c$b$;"), ["SELECT a$b$;", "c$b$;"]);
    assert_eq!(statements("SELECT :a$b$;$b$;"), ["SELECT :a$b$;$b$;"]);
}

#[test]
fn parentheses_hold_a_statement_together() {
    assert_whole(&[
        "CREATE RULE r AS ON INSERT TO v DO INSTEAD (INSERT INTO t VALUES (1); DELETE FROM u; );",
    ]);
    assert_eq!(statements("SELECT 1); SELECT '['; SELECT [;"), ["SELECT 1);", "SELECT '[';", "SELECT [;"]);
}

#[test]
fn atomic_bodies_hold_a_statement_together() {
    assert_whole(&[
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;",
        "create or replace procedure p(begin int) begin atomic; insert into t values (case when b then 3 end); end;",
        "CREATE FUNCTION f() RETURNS int RETURN 1;",
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN; $$ LANGUAGE plpgsql;",
        "CREATE FUNCTION f() RETURNS int AS 'BEGIN;' LANGUAGE plpgsql;",
        "BEGIN;",
        "CREATE TABLE begin ();",
        "CREATE VIEW v AS SELECT begin FROM function;",
    ]);
    assert_eq!(statements("begin; select 1; end; case;"), ["begin;", "select 1;", "end;", "case;"]);
}

#[test]
fn the_setting_of_standard_conforming_strings_is_followed() {
    for off in [
        "SET standard_conforming_strings = off;",
        "set Session STANDARD_CONFORMING_STRINGS to 'off';",
        "SET LOCAL standard_conforming_strings /* no */ TO false;",
        "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);",
        "SELECT set_config('search_path', '', false), set_config('standard_conforming_strings', 'NO', true);",
    ] {
        let text = format!("{off}\nSELECT '\\';';\nSET standard_conforming_strings = on;\nSELECT '\\';");
        let all = split(text.as_bytes());
        let found: Vec<_> = all
            .iter()
            .filter(|piece| piece.kind == Kind::Statement)
            .map(|piece| (String::from_utf8_lossy(piece.text), piece.standard_strings))
            .collect();
        assert_eq!(
            found,
            [
                (off.into(), true),
                ("SELECT '\\';';".into(), false),
                ("SET standard_conforming_strings = on;".into(), false),
                ("SELECT '\\';".into(), true),
            ]
        );
    }
}

#[test]
fn other_statements_leave_standard_conforming_strings_alone() {
    for other in [
        "SET standard_conforming_strings_not = off;",
        "SET search_path = standard_conforming_strings, off;",
        "ALTER DATABASE d SET standard_conforming_strings = off;",
        "SELECT 'SET standard_conforming_strings = off;';",
        "SET standard_conforming_strings = maybe;",
        "-- SET standard_conforming_strings = off;\n",
    ] {
        assert!(split(other.as_bytes()).iter().all(|piece| piece.standard_strings));
        let after = format!("{other} SELECT 1;");
        assert!(split(after.as_bytes()).last().expect("a piece").standard_strings, "{other}");
    }
}

#[test]
fn a_new_session_or_a_reset_puts_standard_conforming_strings_back() {
    for back in [
        "\\connect other",
        "\\c - someone",
        "RESET standard_conforming_strings;",
        "RESET ALL;",
        "DISCARD ALL;",
    ] {
        let text = format!("SET standard_conforming_strings = off;\n{back}\nSELECT 1;");
        assert!(split(text.as_bytes()).last().expect("a piece").standard_strings, "{back}");
    }
}

#[test]
fn any_line_ending_ends_a_comment_but_only_lf_a_meta_command() {
    assert_eq!(statements("-- a\rSELECT 1;\r-- b\r\nSELECT 2;"), ["SELECT 1;", "SELECT 2;"]);
    assert_eq!(pieces("\\echo a\rb\nc;")[0], (Kind::Meta, "\\echo a\rb".into()));
}

#[test]
fn a_string_goes_on_behind_a_lone_cr_but_not_behind_lf_as_in_psql() {
    assert_whole(&["SELECT E'a'\r'\\';';", "SELECT E'a' --b\r '\\';';"]);
    assert_eq!(statements("SELECT E'a'\n'\\'; SELECT 2;"), ["SELECT E'a'\n'\\';", "SELECT 2;"]);
    assert_eq!(statements("SELECT E'a'\r\n'\\'; SELECT 2;"), ["SELECT E'a'\r\n'\\';", "SELECT 2;"]);
    assert_eq!(statements("SELECT E'a', '\\'; SELECT 2;"), ["SELECT E'a', '\\';", "SELECT 2;"]);
}

#[test]
fn a_byte_order_mark_is_blank_at_the_start_only() {
    let text = "\u{feff}\n\u{feff}SELECT 1;";
    assert_eq!(split(text.as_bytes())[0].text, "\u{feff}\n".as_bytes());
    assert_eq!(statements(text), ["\u{feff}SELECT 1;"]);
    assert_eq!(kinds("\u{feff}pg_dump: warning: x\n"), [Kind::Noise]);
    assert_eq!(split(b"\xef\xbb")[0].kind, Kind::Statement);
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    let latin9 = b"INSERT INTO t VALUES ('\xe9;', $\xe9$;$\xe9$, E'\xe9\\\xe9');\0;";
    let all = split(latin9);
    assert_tiles(latin9, &all);
    assert_eq!(all.iter().map(|piece| piece.text.len()).collect::<Vec<_>>(), [latin9.len() - 2, 2]);
}

#[test]
fn output_of_tools_is_noise() {
    let text = "pg_dump: warning: there are circular foreign-key constraints; on this table:\n\
        pg_dump: detail: x\r\npg_dumpall: executing SELECT 1;\npg_restore: error: y\n\
        psql:dump.sql:12: NOTICE:  z\nWARNING:  w\nDETAIL:  v\nHINT:  u\n-- comment\nNOTICE:  t";
    let kinds = kinds(text);
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Noise).count(), 9);
    assert_eq!(kinds.len(), 10);
    assert_eq!(pieces(text)[1].1, "pg_dump: detail: x");
}

#[test]
fn noise_never_swallows_sql() {
    for text in [
        "WARNING;",
        "WARNING: x;",
        "NOTICE :  x;",
        "warning:  x;",
        "pg_dump:x;",
        "pg_dump;",
        "pg_dumpall_view: x;",
        "HINT:  alone;",
        "SELECT 1 AS\nWARNING:  x;",
        "SELECT '\npg_dump: x';",
    ] {
        assert_eq!(statements(text), [text]);
    }
    assert_eq!(kinds("SELECT 1; pg_dump: x;"), [Kind::Statement, Kind::Statement]);
    assert_eq!(kinds("pg_dump: x\n\nHINT:  far;"), [Kind::Noise, Kind::Statement]);
    assert_eq!(kinds("WARNING:  x\rSELECT 1;"), [Kind::Noise, Kind::Statement]);
}

#[test]
fn a_last_statement_may_lack_its_semicolon() {
    assert_eq!(ends("SELECT 1 -- end\n\n"), [("SELECT 1".into(), End::InputEnded)]);
    assert_eq!(kinds("SELECT 1 -- end\n/* */"), [Kind::Statement, Kind::Comment, Kind::Comment]);
    assert_eq!(ends("SELECT 1."), [("SELECT 1.".into(), End::InputEnded)]);
    assert_eq!(ends("SELECT $a"), [("SELECT $a".into(), End::InputEnded)]);
    assert_eq!(ends("SELECT u&"), [("SELECT u&".into(), End::InputEnded)]);
}

#[test]
fn a_file_that_is_cut_off_says_inside_what() {
    for (text, open) in [
        ("SELECT 'a;", Open::Quote),
        ("SELECT E'a\\'", Open::Quote),
        ("SELECT E'a\\", Open::Quote),
        ("SELECT (B'", Open::Quote),
        ("SELECT \"a;", Open::Identifier),
        ("SELECT $$a;$", Open::DollarQuote),
        ("SELECT $a$a;$a", Open::DollarQuote),
        ("SELECT /* a; /* */", Open::Comment),
        ("/* a; *", Open::Comment),
        ("SELECT (1; 2", Open::Parenthesis),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", Open::Body),
        ("COPY t FROM stdin;", Open::CopyData),
        ("COPY t FROM stdin;\n", Open::CopyData),
        ("COPY t FROM stdin;\n1\n", Open::CopyData),
        ("COPY t FROM stdin;\n1\n2", Open::CopyData),
        ("COPY t FROM stdin;\n1\n\\", Open::CopyData),
        ("COPY t FROM stdin;\n1\n\\.x", Open::CopyData),
    ] {
        assert_eq!(last_end(text), End::CutOff(open), "{text}");
    }
}

#[test]
fn the_mark_that_ends_rows_may_be_the_last_line_without_its_ending() {
    for mark in ["\\.", "\\.\r"] {
        let text = format!("COPY t FROM stdin;\n1\n{mark}");
        assert_eq!(pieces(&text).last(), Some(&(Kind::CopyEnd, mark.into())));
        assert_eq!(last_end(&text), End::InputEnded);
    }
}

#[test]
fn a_statement_that_is_too_long_is_cut() {
    let text = format!("SELECT '{}'; SELECT 2;", "x".repeat(250));
    let owned = in_chunks([text.as_bytes()].into_iter(), 100);
    let lengths: Vec<_> = owned.iter().map(|piece| (piece.text.len(), piece.end)).collect();
    assert_eq!(
        lengths,
        [(100, End::Broken), (100, End::Broken), (60, End::Complete), (1, End::Complete), (9, End::Complete)]
    );
}

#[test]
fn rows_are_lent_from_the_chunk_and_never_gathered() {
    let mut splitter = Splitter::new();
    splitter.feed(b"COPY t FROM stdin;\n", &mut |_| {});
    let chunk = b"1\n2\n3\n4".repeat(1000);
    let mut lent = 0;
    for _ in 0..1000 {
        let range = chunk.as_ptr_range();
        splitter.feed(&chunk, &mut |piece| lent += usize::from(range.contains(&piece.text.as_ptr())));
    }
    assert_eq!(lent, 1000);
    assert!(splitter.held.capacity() < 1000);
}

#[test]
fn a_splitter_can_be_used_again() {
    let mut splitter = Splitter::new();
    let mut spans = Vec::new();
    for _ in 0..2 {
        splitter.feed(b"SET standard_conforming_strings = off; SELECT (", &mut |_| {});
        splitter.finish(&mut |piece| spans.push((piece.span, piece.standard_strings)));
    }
    assert_eq!(spans, [(Span::new(39, 47), false); 2]);
}
