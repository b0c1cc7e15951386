//! The splitter against the real thing: what psql sends for a file is what the splitter calls a statement.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use tsmigrate_analyzer::split::{End, Kind, split};
use tsmigrate_tests::lab::{Lab, Server};

type Outcome = Result<(), Box<dyn Error>>;

/// A server and the psql of its version.
struct Psql {
    program: PathBuf,
    server: String,
    /// Later psqls read past the rows of a COPY that failed; this one takes them for statements.
    takes_rows: bool,
}

impl Psql {
    const SERVERS: [Server; 3] = [Server::Source15, Server::Source17, Server::Source18];

    fn all(lab: &Lab) -> Result<Vec<Self>, Box<dyn Error>> {
        let programs = ["PG15_BIN", "PG_BIN", "PG18_BIN"];
        let mut all = Vec::new();
        for (server, key) in Self::SERVERS.into_iter().zip(programs) {
            let folder = lab.keys().get(key).ok_or(key)?;
            let program = Path::new(folder).join("psql");
            let version = Command::new(&program).arg("--version").output()?.stdout;
            let version = String::from_utf8(version)?;
            let mut numbers = version.split(' ').nth(2).unwrap_or_default().split('.').map(str::parse::<u32>);
            let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
                return Err(format!("{version} is no version").into());
            };
            let takes_rows = match major {
                15 => minor < 19,
                17 => minor < 11,
                18 => minor < 6,
                _ => false,
            };
            all.push(Self { program, server: lab.uri(server)?.to_owned(), takes_rows });
        }
        Ok(all)
    }

    /// Every query that psql sends for the file `text`, taken from psql's own log.
    fn sends(&self, text: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let (file, log) = (folder.path().join("file.sql"), folder.path().join("log"));
        std::fs::write(&file, text)?;
        let run = Command::new(&self.program)
            .args(["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_ROLLBACK=on"])
            .args(["--command=CREATE TEMPORARY TABLE t (a text); SET client_min_messages = error"])
            .arg(format!("--log-file={}", log.display()))
            .arg(format!("--file={}", file.display()))
            .arg(&self.server)
            .env("PGCLIENTENCODING", "UTF8")
            .output()?;
        let log = std::fs::read(&log).map_err(|_| String::from_utf8_lossy(&run.stderr).into_owned())?;
        Ok(queries(&log).into_iter().skip(1).collect())
    }
}

/// The queries in a log of psql's `--log-file`, of version 15 and of later ones.
fn queries(log: &[u8]) -> Vec<Vec<u8>> {
    let mut queries = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for line in log.split(|&byte| byte == b'\n') {
        match (line, &mut open) {
            (b"********* QUERY **********" | b"/******** QUERY *********/", None) => open = Some(Vec::new()),
            (b"**************************" | b"/************************/", Some(_)) => {
                queries.extend(open.take());
            }
            (line, Some(query)) => query.extend_from_slice(line),
            (_, None) => {}
        }
    }
    queries
}

/// Every query that psql would send, by the splitter's pieces.
fn splitter_sends(text: &[u8]) -> Vec<Vec<u8>> {
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut query = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    for piece in split(text) {
        let mut ends = false;
        match piece.kind {
            Kind::Statement => {
                query.extend_from_slice(piece.text);
                ends = piece.end == End::Complete;
            }
            // psql keeps a comment once it has something to send; a `/* */` comment is something.
            Kind::Comment if !query.is_empty() || piece.text.starts_with(b"/*") => {
                query.extend_from_slice(piece.text);
            }
            Kind::Meta if piece.text.starts_with(b"\\g") => {
                ends = true;
                if query.is_empty() {
                    query.clone_from(&before);
                }
            }
            Kind::Meta if piece.text.starts_with(b"\\r") => query.clear(),
            _ => {}
        }
        if ends && !query.is_empty() {
            before = std::mem::take(&mut query);
            sent.push(before.clone());
        }
    }
    if !query.is_empty() {
        sent.push(query);
    }
    sent
}

/// White space aside, of which psql drops some, and backslashes, which it drops from `\;`.
fn bare(queries: &[Vec<u8>]) -> Vec<String> {
    let dropped = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b || *byte == b'\\';
    queries
        .iter()
        .map(|query| query.iter().copied().filter(|byte| !dropped(byte)).collect::<Vec<_>>())
        .filter(|query| !query.is_empty())
        .map(|query| String::from_utf8_lossy(&query).into_owned())
        .collect()
}

fn compare(psql: &Psql, text: &[u8]) -> Outcome {
    let (theirs, ours) = (bare(&psql.sends(text)?), bare(&splitter_sends(text)));
    let agreed = theirs.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
    assert!(
        theirs == ours,
        "query {agreed}: {} sends {:?}, the splitter says {:?}, of {:?}",
        psql.program.display(),
        theirs.get(agreed),
        ours.get(agreed),
        String::from_utf8_lossy(text),
    );
    Ok(())
}

const AWKWARD: &str = r#"
SELECT 1; SELECT ';' ; select 'it''s;', "a"";b", $$;$$, $a$ $$;$ $a $b$ ; $a$, a$b$, $1;
/* one /* two; */ still; */ -- and ; this
SELECT E'\';', e'a\\', U&'\', U&"d\", b'1;', x'f;', n';' /* ; */ -- ;
;
SELECT '\'; SELECT ';
';
SET standard_conforming_strings = off;
SELECT 'a\';', E'\';', U&'\', B'1', 'x\\';
SET SESSION standard_conforming_strings TO on;
SELECT '\';
SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);
SELECT '\';';
RESET standard_conforming_strings;
SELECT '\';
SELECT E'a'
'b\';
SELECT '
;';
CREATE TEMPORARY VIEW v AS SELECT a FROM t;
CREATE RULE r AS ON INSERT TO v DO INSTEAD (INSERT INTO t VALUES (';'); INSERT INTO t VALUES ('b'););
CREATE FUNCTION pg_temp.f(begin int) RETURNS int LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN 1 = 1 THEN 2 END; -- end
  SELECT (CASE 1 WHEN 2 THEN 3 END);
END;
create or replace procedure pg_temp.p() begin atomic; select 1; end;
CREATE OR REPLACE FUNCTION pg_temp.g() RETURNS int LANGUAGE plpgsql AS $begin$ BEGIN RETURN 1; END $begin$;
CREATE TABLE begin (a int); SELECT 2;
SELECT 1+--comment;
2, 3*/*;*/4, 5/ 6, 7@-8, '['::text, (ARRAY[1,2])[1:2], 1.5e3, .5, 1e5, 0x1F, 1.;
SELECT a:b, ':c', :'d', :"e", g::text, h:=i;
COPY t FROM stdin;
1;
\.x
 \.
'
\.
COPY t (a) FROM STDIN WITH (FORMAT csv); SELECT 'behind the rows', '
"a;
'"
\.
continues';
copy t from stdout;
\.
COPY t FROM stdin; COPY t FROM stdin;
one
\.
two
\.
COPY (SELECT a FROM t) TO STDOUT;
SELECT 1\; SELECT 2;
SELECT 3 \; COPY t FROM stdin \; SELECT 4;
row
\.
SELECT (1 \echo not the end;
+ 2; 3);
SELECT 5 \g
\g
SELECT 6 (\r
SELECT 7;
\echo one \\ SELECT 8;
\echo 'two \\ ' \\ SELECT 9; SELECT 10
\nonsense SELECT; \\ SELECT;
\\ SELECT 'thrown away';
;
;;
ENDE
"#;

#[test]
fn psql_sends_what_the_splitter_calls_a_statement() -> Outcome {
    const NAME: &str = "psql_sends_what_the_splitter_calls_a_statement";
    let Some(lab) = Lab::start_or_skip(NAME, &Psql::SERVERS)? else { return Ok(()) };
    for psql in Psql::all(&lab)? {
        compare(&psql, AWKWARD.as_bytes())?;
        compare(&psql, AWKWARD.replace('\n', "\r\n").as_bytes())?;
        compare(&psql, format!("\u{feff}{AWKWARD}").as_bytes())?;
        compare(&psql, b"SELECT 'a'\r'b\\'; SELECT E'a'\r'b\\'; --'\r SELECT 1;")?;
        compare(&psql, b"SELECT 'cut off; SELECT 2;\n")?;
        compare(&psql, b"SELECT (1; SELECT 2;\n")?;
    }
    Ok(())
}

/// A small generator of its own: the same texts on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self) -> String {
        let length = 1 + self.next() % 40;
        let count = FRAGMENTS.len() as u64;
        (0..length)
            .map(|_| usize::try_from(self.next() % count).map_or("", |chosen| FRAGMENTS[chosen]))
            .collect()
    }
}

/// Tokens and parts of tokens. Not among them: a vertical tab, which is white space since version 16 only.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    " ", "\n", "\n", "\r", "\t", "\u{c}", ";", ";", ";\n", "'", "''", "'", "\"", "\"\"", "$$", "$a$", "$a$",
    "$é$", "$", "$1", "a$", "(", ")", "[", "]", "E'", "e'", "U&'", "u&\"", "u&", "B'", "x'", "N'", "E''",
    "--", "/*", "*/", "/", "*", "-", "+", "\\'", "select ", "SELECT 1;\n", "create ", "or ", "replace ",
    "function ", "procedure ", "begin ", "end ", "case ", "CREATE FUNCTION f() ", "from ", "stdin ", "to ",
    "COPY t FROM stdin;\n1\n\\.\nSELECT 2;\n", "COPY t FROM stdin; SELECT 2; ", "1", "1.", ".5", "1e5", "0x1",
    "1_0", "..", ".", "::", ":=", ":", ":a", ":'a'", ":\"a\"", "é", "_", "e", "b", "n", "u", "x", "=", "<",
    "@", "#", "`", "?", "|", ",", "\\;", "\\echo a\n", "\\echo 'a' \\\\ ", "\\g\n", "\\r\n",
    "SET standard_conforming_strings = off;\n", "SET standard_conforming_strings = on;\n", "\\.\n", "\n\\.\n",
    "row\n",
];

#[test]
fn psql_and_the_splitter_agree_on_texts_that_nobody_would_write() -> Outcome {
    const NAME: &str = "psql_and_the_splitter_agree_on_texts_that_nobody_would_write";
    let Some(lab) = Lab::start_or_skip(NAME, &Psql::SERVERS)? else { return Ok(()) };
    for psql in Psql::all(&lab)? {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for text in (0..200).map(|_| numbers.text()) {
            if !(psql.takes_rows && text.contains("COPY")) {
                compare(&psql, text.as_bytes())?;
            }
        }
    }
    Ok(())
}
