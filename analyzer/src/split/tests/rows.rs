//! Rows of COPY and meta-commands.

use super::*;

#[test]
fn rows_follow_a_copy_from_stdin() {
    for copy in [
        "COPY public.t (a, \"from\") FROM stdin;",
        "copy t  from STDIN with (format csv, header);",
        "Copy t(a)FROM/* */stdin;",
        "COPY \"a;b\".\"stdin\" FROM stdin WITH DELIMITER ';' NULL 'x';",
        "COPY BINARY t FROM stdin WITH OIDS;",
        "COPY d.s.t FROM stdin WHERE a > 0;",
        "COPY t FROM stdout;",
    ] {
        assert_eq!(
            pieces(&format!("{copy}\n1;\t'\n\\N\t\\\\.\n\\.\nSELECT 1;")),
            [
                (Kind::Statement, copy.into()),
                (Kind::CopyData, "1;\t'\n\\N\t\\\\.\n".into()),
                (Kind::CopyEnd, "\\.\n".into()),
                (Kind::Statement, "SELECT 1;".into()),
            ]
        );
    }
}

#[test]
fn other_copies_have_no_rows() {
    for text in [
        "COPY t FROM '/tmp/stdin';",
        "COPY t FROM PROGRAM 'cat stdin';",
        "COPY t TO stdout;",
        "COPY t TO STDIN;",
        "COPY (SELECT a FROM stdin) TO STDOUT;",
        "COPY t (a, stdin) TO '/tmp/a';",
        "COPY \"from\" (stdin) TO '/tmp/from';",
        "SELECT 'COPY t FROM stdin;';",
        "DO $$ COPY t FROM stdin; $$;",
        "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC COPY t FROM stdin; END;",
        "SELECT copy FROM stdin;",
        "COPY t FROM stdin_;",
    ] {
        assert_eq!(statements(&format!("{text}\nSELECT 1;")), [text, "SELECT 1;"]);
    }
}

#[test]
fn rows_end_with_a_line_that_is_the_mark_and_nothing_else() {
    let text = "COPY t FROM stdin;\n\\.x\n \\.\n\\\\.\n\\.\r\\.\n\\. \n\\.\r\nSELECT 1;";
    assert_eq!(
        pieces(text)[1..],
        [
            (Kind::CopyData, "\\.x\n \\.\n\\\\.\n\\.\r\\.\n\\. \n".into()),
            (Kind::CopyEnd, "\\.\r\n".into()),
            (Kind::Statement, "SELECT 1;".into()),
        ]
    );
}

#[test]
fn a_copy_may_have_no_rows() {
    assert_eq!(kinds("COPY t FROM stdin;\n\\.\n"), [Kind::Statement, Kind::CopyEnd]);
}

#[test]
fn crlf_files_have_crlf_rows() {
    assert_eq!(
        pieces("COPY t FROM stdin;\r\n1\r\n\\.\r\n")[1..],
        [(Kind::CopyData, "1\r\n".into()), (Kind::CopyEnd, "\\.\r\n".into())]
    );
}

#[test]
fn rows_begin_on_the_line_after_the_copy() {
    assert_eq!(
        pieces("COPY t FROM stdin; -- rows;\n1\n\\.\n")[1..],
        [(Kind::Comment, "-- rows;".into()), (Kind::CopyData, "1\n".into()), (Kind::CopyEnd, "\\.\n".into())]
    );
}

#[test]
fn what_stands_behind_a_copy_goes_on_after_its_rows() {
    assert_eq!(
        pieces("COPY t FROM stdin; SELECT 1; SELECT '\n;\n\\.\n;';SELECT 2;")[1..],
        [
            (Kind::Statement, "SELECT 1;".into()),
            (Kind::Statement, "SELECT '\n".into()),
            (Kind::CopyData, ";\n".into()),
            (Kind::CopyEnd, "\\.\n".into()),
            (Kind::Statement, ";';".into()),
            (Kind::Statement, "SELECT 2;".into()),
        ]
    );
    assert_eq!(
        ends("COPY t FROM stdin; SELECT (1 --;\n\\.\n; 2);")[1..],
        [("SELECT (1".into(), End::Broken), ("; 2);".into(), End::Complete)]
    );
}

#[test]
fn two_copies_on_a_line_take_their_rows_in_turn() {
    let two =
        [Kind::Statement, Kind::Statement, Kind::CopyData, Kind::CopyEnd, Kind::CopyData, Kind::CopyEnd];
    assert_eq!(kinds("COPY t FROM stdin; COPY t FROM stdin;\n1\n\\.\n2\n\\.\n"), two);
    assert_eq!(kinds("COPY t FROM stdin\\; SELECT 1\\; COPY t FROM stdin;\n1\n\\.\n2\n\\.\n"), two[1..]);
}

#[test]
fn meta_commands_end_with_their_line() {
    assert_eq!(
        pieces("\\connect -reuse-previous=on \"dbname='we ird'\"\r\n  \\restrict aB3\n\\unrestrict aB3"),
        [
            (Kind::Meta, "\\connect -reuse-previous=on \"dbname='we ird'\"".into()),
            (Kind::Meta, "\\restrict aB3".into()),
            (Kind::Meta, "\\unrestrict aB3".into()),
        ]
    );
    assert_eq!(
        pieces("\\.\n\\N\tx;\\\\\n"),
        [(Kind::Meta, "\\.".into()), (Kind::Meta, "\\N\tx;\\\\".into())]
    );
}

#[test]
fn meta_commands_may_share_a_line() {
    assert_eq!(
        pieces(
            "\\echo a;\\echo '\\\\' \"\\\\\" `\\\\` \\\\ SELECT 1; \\g | cat \\\\ SELECT\n\\! ls \\\\ x\n"
        ),
        [
            (Kind::Meta, "\\echo a;".into()),
            (Kind::Meta, "\\echo '\\\\' \"\\\\\" `\\\\` \\\\".into()),
            (Kind::Statement, "SELECT 1;".into()),
            (Kind::Meta, "\\g | cat \\\\ SELECT".into()),
            (Kind::Meta, "\\! ls \\\\ x".into()),
        ]
    );
    // An open quote makes psql throw away the rest of the line, and no more.
    assert_eq!(statements("\\echo 'open \\\\ SELECT 1;\nSELECT 2;"), ["SELECT 2;"]);
}

#[test]
fn a_meta_command_breaks_a_statement_off() {
    assert_eq!(
        ends("SELECT (1 -- one\n \\echo x\n; 2); SELECT 3 \\g\nSELECT (4 \\r\nSELECT 5;"),
        [
            ("SELECT (1".into(), End::Broken),
            ("; 2);".into(), End::Complete),
            ("SELECT 3".into(), End::Broken),
            ("SELECT (4".into(), End::Broken),
            ("SELECT 5;".into(), End::Complete),
        ]
    );
}

#[test]
fn escaped_semicolons_and_colons_are_part_of_the_statement() {
    assert_eq!(statements("SELECT 1\\; SELECT 2 \\: 3;\\;;"), ["SELECT 1\\; SELECT 2 \\: 3;", "\\;;"]);
}

#[test]
fn rows_follow_the_copy_commands_of_psql_too() {
    let copied = [Kind::CopyData, Kind::CopyEnd];
    assert_eq!(kinds("\\copy t (a) from stdin csv\n1\n\\.\n")[1..], copied);
    assert_eq!(kinds("\\copy t from pstdin\n\\d\n"), [Kind::Meta, Kind::Meta]);
    assert_eq!(kinds("\\copy (select a from stdin) to 'x'\n\\d\n"), [Kind::Meta, Kind::Meta]);
    assert_eq!(kinds("COPY t FROM stdin \\g\n1\n\\.\n")[2..], copied);
    assert_eq!(kinds("COPY t FROM stdin \\r\n1;"), [Kind::Statement, Kind::Meta, Kind::Statement]);
}
