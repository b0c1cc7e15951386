//! Texts of other programs that are no dump of PostgreSQL: each gets one answer in place of an error for every statement.

/// So many bytes tell what a text is.
pub(crate) const KNOWN_BY: usize = 16 << 10;

/// What to do with a file that is no dump at all.
const DUMP: &str = "dump the PostgreSQL database with pg_dump --schema-only";
/// What to do with the dump of another database system.
const MOVE: &str =
    "load it into PostgreSQL first (pgloader does that), then dump that database with pg_dump --schema-only";

/// What a text is, and what to do in its place.
pub(super) type Foreign = (&'static str, &'static str);

pub(super) const SQLITE_FILE: Foreign = ("this is a database of SQLite, not a dump of PostgreSQL", MOVE);
const PAGE: Foreign = ("this is a web page or XML, not a dump", DUMP);
const DOCUMENT: Foreign = ("this is a document (PDF, PostScript or RTF), not a dump", DUMP);
const JSON: Foreign = ("this is JSON, not a dump", DUMP);
const MYSQL: Foreign = ("this is a dump of MySQL or MariaDB, not of PostgreSQL", MOVE);
const SQL_SERVER: Foreign = ("this is a script of SQL Server (T-SQL), not of PostgreSQL", MOVE);
const SQLITE: Foreign = ("this is a dump of SQLite, not of PostgreSQL", MOVE);
const ORACLE: Foreign = ("this is a script of Oracle, not of PostgreSQL", MOVE);

/// What a text is by its beginning, where it is certainly no dump of PostgreSQL.
pub(super) fn foreign(head: &[u8]) -> Option<Foreign> {
    let text = String::from_utf8_lossy(head.get(..KNOWN_BY).unwrap_or(head)).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // What stands behind this mark, in a comment or a row, is the dump's own affair.
    let ours = ["-- postgresql database dump", "-- postgresql database cluster dump"];
    if text.lines().any(|line| ours.iter().any(|mark| line.starts_with(mark))) {
        return None;
    }
    if ["<!doctype", "<html", "<?xml"].iter().any(|begin| text.starts_with(begin)) {
        return Some(PAGE);
    }
    if ["%pdf-", "%!ps", "{\\rtf"].iter().any(|begin| text.starts_with(begin)) {
        return Some(DOCUMENT);
    }
    if is_json(text) {
        return Some(JSON);
    }
    let is_mysql = |line: &str| {
        let of_tables = ["create table ", "drop table ", "lock tables ", "insert into "];
        let name = |begin: &&str| {
            let rest = line.strip_prefix(begin)?;
            ["if not exists ", "if exists "].iter().find_map(|word| rest.strip_prefix(word)).or(Some(rest))
        };
        line.starts_with("-- mysql dump ")
            || line.starts_with("-- mariadb dump ")
            || line.starts_with("/*m!")
            || line.strip_prefix("/*!").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            || line.strip_prefix(") engine").is_some_and(|rest| rest.trim_start().starts_with('='))
            || of_tables.iter().filter_map(name).any(|name| name.starts_with('`'))
    };
    let is_sql_server = |line: &str| {
        let begins =
            ["set ansi_nulls o", "set quoted_identifier o", "/****** object: ", "use [", "create table ["];
        begins.iter().any(|begin| line.starts_with(begin)) || line == "go" && text.contains("dbo")
    };
    let is_sqlite = |line: &str| line.replace(' ', "").starts_with("pragmaforeign_keys=off;");
    // PostgreSQL may have a type of that name: it takes more than the word.
    let is_oracle = |line: &str| {
        let of_table = line.strip_prefix("create table \"").is_some_and(|name| name.contains("\".\""));
        (of_table || line.starts_with("rem ") || line.starts_with("prompt ")) && text.contains("varchar2")
    };
    text.lines().map(str::trim).find_map(|line| match line {
        line if is_mysql(line) => Some(MYSQL),
        line if is_sql_server(line) => Some(SQL_SERVER),
        line if is_sqlite(line) => Some(SQLITE),
        line if is_oracle(line) => Some(ORACLE),
        _ => None,
    })
}

/// True where a text begins as JSON and no SQL does: with a bracket, and behind it a value or a key.
fn is_json(text: &str) -> bool {
    let rest =
        |open: char| text.strip_prefix(open).map(|rest| rest.trim_start().chars().next().unwrap_or(' '));
    rest('{').is_some_and(|next| matches!(next, '"' | '}'))
        || rest('[').is_some_and(|next| matches!(next, '{' | '[' | '"' | ']') || next.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_other_programs_are_told_apart() {
        for (text, kind) in [
            ("-- MySQL dump 10.13  Distrib 8.0.36\n--\n", MYSQL),
            ("/*M!999999\\- enable the sandbox mode */ \n", MYSQL),
            ("CREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB;\n", MYSQL),
            ("CREATE TABLE IF NOT EXISTS `t` (\n  id int\n);\n", MYSQL),
            ("CREATE TABLE t (\n  id int\n) ENGINE = MyISAM;\n", MYSQL),
            ("USE [shop]\r\nGO\r\n", SQL_SERVER),
            ("create table dbo.t (id int)\r\nGO\r\n", SQL_SERVER),
            ("\u{feff}SET ANSI_NULLS ON\r\n", SQL_SERVER),
            ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", SQLITE),
            ("REM INSERTING into T\nCREATE TABLE T (A VARCHAR2(10));\n", ORACLE),
            ("CREATE TABLE \"HR\".\"T\" (\"A\" VARCHAR2(10 BYTE));\n", ORACLE),
            ("{\n  \"tables\": []\n}\n", JSON),
            ("[1, 2]", JSON),
            ("<!DOCTYPE html>\n<html>", PAGE),
            ("%PDF-1.7\n1 0 obj\n", DOCUMENT),
            ("{\\rtf1\\ansi CREATE TABLE t (a int);}", DOCUMENT),
        ] {
            assert_eq!(foreign(text.as_bytes()), Some(kind), "{text}");
        }
    }

    #[test]
    fn what_may_be_of_postgresql_is_not_refused() {
        for text in [
            "-- PostgreSQL database dump\n\nCOMMENT ON TABLE t IS '\n-- MySQL dump \n';\n",
            // The code of a state, in a row.
            "COPY states FROM stdin;\nGO\nRJ\n\\.\n",
            // The type of an extension.
            "CREATE TABLE t (a oracle.varchar2(10));\n",
            "/* `name` is the key */ SELECT 1;\n",
            "CREATE TABLE public.\"`x`\" (a int);\n",
            "SELECT '{\"a\": 1}';\n",
            "",
        ] {
            assert_eq!(foreign(text.as_bytes()), None, "{text}");
        }
    }
}
