//! What runs during the restore and is not judged: code in DO blocks, and functions of the inputs.

use std::collections::BTreeSet;

use super::state::Pass;
use crate::body::parts;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, role, roles, set_configs, truth};
use crate::facts::objects::{dropped, subject};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, names_columns, pg};
use crate::rule::Unjudged;
use crate::rules;
use crate::text::parse_bool;

/// Tables, views and types that call functions of the inputs when rows come, or when they are read.
#[derive(Clone, Default)]
struct Callers(BTreeSet<ObjectId>);

/// Functions of PostgreSQL and of tablefunc that run SQL which they are given as text.
const RUN_TEXT: [&str; 6] =
    ["query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat", "crosstab", "connectby"];

impl Pass<'_> {
    /// Notes what a statement that the server takes does without a judgement.
    pub(super) fn note_unjudged(&mut self, statement: &Statement<'_>) {
        let node = statement.node();
        if !self.analysis.facts.is_dump && self.has_unread_columns(statement) {
            self.not_judged(Unjudged::Columns, statement.place(&statement.range()));
        }
        if !self.analysis.facts.is_dump && self.drops_own(node) {
            self.not_judged(Unjudged::Drops, statement.place(&statement.range()));
        }
        if becomes_read_only(node) {
            self.not_judged(Unjudged::ReadOnly, statement.place(&statement.range()));
        }
        let fills = match node {
            NodeEnum::CopyStmt(s) => s.is_from,
            NodeEnum::RefreshMatViewStmt(s) => !s.skip_data,
            _ => false,
        };
        let runs = fills || rules::runs(node);
        let runs_text =
            |called: &Reference| called.class == Class::Function && RUN_TEXT.contains(&&*called.name);
        let what = match node {
            NodeEnum::DoStmt(_) | NodeEnum::ExecuteStmt(_) => Unjudged::Code,
            _ if runs && statement.references().iter().any(runs_text) => Unjudged::Code,
            _ if self.analysis.facts.overloads.is_empty() || !self.calls(statement) => return,
            _ if runs || self.keep_caller(node) => Unjudged::Calls,
            _ => return,
        };
        self.not_judged(what, statement.place(&statement.range()));
    }

    /// True where a statement drops what the inputs have created, and others may need.
    fn drops_own(&self, node: &NodeEnum) -> bool {
        let facts = &self.analysis.facts;
        match node {
            NodeEnum::DropStmt(s) => dropped(s).iter().any(|object| {
                let is_part = object.id.class == Class::Attached || object.word == "index";
                !is_part && facts.exists(&facts.resolved(&object.id))
            }),
            NodeEnum::DropRoleStmt(s) => roles(&s.roles)
                .filter_map(role)
                .any(|name| facts.roles.get(name).is_some_and(|role| role.created.is_some())),
            _ => false,
        }
    }

    /// True where a statement names columns that no rule looks for: in a query, a view, the body of a function in SQL.
    fn has_unread_columns(&self, statement: &Statement<'_>) -> bool {
        match statement.node() {
            // DEP-05 reads these, and a domain has no columns.
            NodeEnum::CreateStmt(_)
            | NodeEnum::CreateForeignTableStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::CreateDomainStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::VariableSetStmt(_) => false,
            NodeEnum::AlterTableStmt(s) => {
                let converts = |command: &pg::Node| match &command.node {
                    Some(NodeEnum::AlterTableCmd(command)) => {
                        command.subtype == pg::AlterTableType::AtAlterColumnType as i32
                    }
                    _ => false,
                };
                s.cmds.iter().any(converts) && names_columns(statement.node())
            }
            NodeEnum::CreateFunctionStmt(s) if s.sql_body.is_none() => {
                let is_sql = option(&s.options, "language").and_then(option_text) == Some("sql");
                is_sql
                    && !self.analysis.facts.session.now.unchecked_bodies
                    && parts(statement).iter().any(|part| names_columns(part.parsed().node()))
            }
            node => names_columns(node),
        }
    }

    /// True where a statement names a function of the inputs, or what calls one.
    fn calls(&self, statement: &Statement<'_>) -> bool {
        let facts = &self.analysis.facts;
        let callers = self.states.get::<Callers>();
        let subject = subject(statement.node())
            .map(|object| Reference::new(object.id.class, object.id.schema.as_deref(), &object.id.name));
        statement.references().iter().chain(&subject).any(|called| {
            let id = facts.resolved(&ObjectId::new(called.class, called.schema.as_deref(), &called.name));
            facts.overloads.contains_key(&id) && called.class == Class::Function
                || callers.is_some_and(|callers| callers.0.contains(&id))
        })
    }

    /// Keeps the table, view or type that calls a function from here on. True where its rows are there already.
    fn keep_caller(&mut self, node: &NodeEnum) -> bool {
        let facts = &self.analysis.facts;
        let object = match node {
            // Policies do not bind who restores.
            NodeEnum::CreatePolicyStmt(_) => None,
            _ => subject(node).map(|object| facts.resolved(&object.id)),
        };
        let object = object.or_else(|| facts.created(node).map(|object| object.id));
        let Some(id) = object.filter(|id| matches!(id.class, Class::Relation | Class::Type)) else {
            return false;
        };
        let evaluates = matches!(node, NodeEnum::IndexStmt(_) | NodeEnum::AlterTableStmt(_));
        let is_filled = evaluates && facts.filled.contains(&id);
        self.states.of::<Callers>().0.insert(id);
        is_filled
    }
}

/// True for a statement from which on the session or the transaction may only read.
fn becomes_read_only(node: &NodeEnum) -> bool {
    let is_named = |name: &str| matches!(name, "transaction_read_only" | "default_transaction_read_only");
    let sets = |s: &pg::VariableSetStmt| {
        let value = s.args.first();
        is_named(&s.name) && value.and_then(truth) == Some(true) || has_read_only(&s.args)
    };
    match node {
        NodeEnum::VariableSetStmt(s) => sets(s),
        NodeEnum::AlterDatabaseSetStmt(s) => s.setstmt.as_ref().is_some_and(sets),
        NodeEnum::TransactionStmt(s) => has_read_only(&s.options),
        NodeEnum::SelectStmt(s) => {
            set_configs(s).any(|(name, value, _)| is_named(name) && parse_bool(value) == Some(true))
        }
        _ => false,
    }
}

/// READ ONLY among the modes of a transaction.
fn has_read_only(modes: &[pg::Node]) -> bool {
    let mode = option(modes, "transaction_read_only").and_then(|mode| mode.arg.as_ref());
    mode.and_then(|value| truth(value)) == Some(true)
}

#[cfg(test)]
mod tests {
    use crate::report::{Report, Verdict};
    use crate::{Analyzer, Level, Options, Target};

    /// The verdict's title, and `kind count line` of all that was not judged; fed in chunks of this size.
    fn chunked(text: &[u8], options: &Options, size: usize) -> (String, Vec<String>, Vec<String>) {
        let target = Target::default();
        let mut analyzer = Analyzer::new(&target, options);
        analyzer.begin("d.sql");
        text.chunks(size).for_each(|chunk| analyzer.feed(chunk).unwrap());
        analyzer.end().unwrap();
        let analysis = analyzer.finish();
        let report = Report::new(&analysis, &target, options);
        let entries = report.not_judged.iter();
        let kind = |entry| serde_json::to_value(entry).unwrap().as_str().unwrap().to_owned();
        let entries = entries.map(|e| format!("{} {} {}", kind(e.kind), e.count, e.place.line)).collect();
        let errors = report.findings.findings().map(|f| format!("{} {}", f.rule.id, f.place.line)).collect();
        (report.title(), entries, errors)
    }

    fn judged(text: &[u8]) -> (String, Vec<String>, Vec<String>) {
        let whole = chunked(text, &Options::default(), usize::MAX);
        for size in [1, 3, 7] {
            assert_eq!(chunked(text, &Options::default(), size), whole);
        }
        whole
    }

    #[test]
    fn ready_is_only_said_where_all_was_judged() {
        for (text, not_judged) in [
            ("CREATE TABLE t (a int);\nINSERT INTO t SELECT 1;", None),
            ("DO $$ BEGIN NULL; END $$;\nDO 'BEGIN END';", Some("code 2 1")),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\nSELECT f();\nSELECT 1;",
                Some("calls 1 2"),
            ),
            ("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN END';\nCALL p();", Some("calls 1 2")),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\nCREATE VIEW v AS SELECT f();\n\
                 CREATE TABLE t (a int DEFAULT f());",
                None,
            ),
            (
                "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT 1::text';\nCREATE TABLE t (a text DEFAULT f());\n\
                 COPY t FROM stdin;\n1\n\\.\nINSERT INTO t SELECT 1;",
                Some("calls 2 3"),
            ),
            (
                "CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql AS 'SELECT true';\n\
                 CREATE DOMAIN d AS int CHECK (f(VALUE));\nCREATE TABLE t (a d);\nINSERT INTO t SELECT 1;",
                Some("calls 1 4"),
            ),
            (
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n\
                 CREATE TABLE t (a int);\nINSERT INTO t SELECT 1;\n\
                 CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f();\nINSERT INTO t SELECT 1;",
                Some("calls 1 5"),
            ),
            (
                "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';\n\
                 CREATE TABLE t (a int);\nINSERT INTO t SELECT 1;\nCREATE INDEX i ON t (f(a));",
                Some("calls 1 4"),
            ),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\nCREATE VIEW v AS SELECT f();\n\
                 CREATE MATERIALIZED VIEW m AS SELECT * FROM v WITH NO DATA;\nREFRESH MATERIALIZED VIEW m;",
                Some("calls 1 4"),
            ),
            ("SELECT query_to_xml('CREATE ROLE r', true, true, '');", Some("code 1 1")),
            ("SELECT 1;\nCREATE VIEW v AS SELECT * FROM there;", Some("objects 1 2")),
            ("CREATE TABLE t (a mood);", Some("objects 1 1")),
            ("CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE t (a mood, b varchar(3), c serial);", None),
            ("CREATE TABLE t (a int CHECK (a > 0));\nCREATE VIEW v AS SELECT b FROM t;", Some("columns 1 2")),
            ("CREATE TABLE t (a int);\nUPDATE t SET a = 1;\nDELETE FROM t WHERE b = 1;", Some("columns 1 3")),
            ("CREATE TABLE t (a int);\nCREATE TABLE u (LIKE t, CHECK (a > 0));", Some("columns 1 2")),
            ("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';", Some("columns 1 1")),
            ("CREATE TABLE t (a int);\nSET default_transaction_read_only = on;", Some("read-only 1 2")),
            ("SET default_transaction_read_only = off;", None),
            ("BEGIN READ ONLY;\nCREATE TABLE t (a int);\nCOMMIT;", Some("read-only 1 1")),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;", Some("read-only 1 1")),
            ("BEGIN READ WRITE;\nCOMMIT;", None),
            ("SELECT set_config('transaction_read_only', 'on', true);", Some("read-only 1 1")),
            (
                "CREATE TABLE t (a text);\nCOPY t FROM stdin;\na\\\\000\n\\N\nb\\000\n\\.\n",
                Some("escapes 1 5"),
            ),
            ("CREATE TABLE t (a text);\nCOPY t FROM stdin;\n\\\\x00\n\\tb\n\\.\n", None),
            ("CREATE TABLE t (a text);\nCOPY t FROM stdin (FORMAT csv);\n\\000\n\\.\n", None),
            ("CREATE TABLE t (a date);\nINSERT INTO t VALUES ('0000-00-00');", Some("values 1 2")),
            ("CREATE TABLE t (a int);\nCOPY t FROM stdin;\nx\n\\.\n", Some("values 1 2")),
            (
                "CREATE ROLE r;\nCREATE TABLE t (a int);\nGRANT SELECT ON t TO r;\nDROP ROLE r;",
                Some("drops 1 4"),
            ),
            ("CREATE SCHEMA s;\nCREATE TABLE s.t (a int);\nDROP SCHEMA s CASCADE;", Some("drops 1 3")),
            ("CREATE TABLE t (a int);\nCREATE INDEX i ON t (a);\nDROP INDEX i;", None),
            ("SELECT 'é';", Some("encoding 1 1")),
            ("SET client_encoding = 'UTF8';\nSELECT 'é';", None),
            ("SET NAMES 'utf-8';\nSELECT 'é';", None),
            ("SET client_encoding TO EUC_JP;\nSELECT 'é';", Some("conversion 1 2")),
        ] {
            let (title, entries, _) = judged(text.as_bytes());
            assert_eq!(entries, not_judged.into_iter().collect::<Vec<_>>(), "{text}");
            let expected = if not_judged.is_none() { "Ready" } else { "No known incompatibility" };
            assert_eq!(title, expected, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_errors_wherever_chunks_end() {
        let rows = |encoding: &str, copy: &str, row: &[u8]| {
            let head = format!(
                "SET client_encoding = '{encoding}';\nCREATE TABLE t (a text);\nCOPY t FROM stdin{copy};\nä\n"
            );
            [head.as_bytes(), row, b"\nb\n\\.\n"].concat()
        };
        let error = (vec![], vec!["IN-08 5".to_owned()]);
        for (text, (entries, errors)) in [
            (rows("UTF8", "", "日本".as_bytes()), (vec![], vec![])),
            (rows("UTF8", "", b"caf\xe9"), error.clone()),
            (rows("UTF8", "", b"\xf0\x9f\x98"), error.clone()),
            (rows("UTF8", " (ENCODING 'LATIN1')", b"caf\xe9"), (vec![], vec![])),
            // The server stores them: a warning says what that means.
            (rows("SQL_ASCII", "", b"caf\xe9"), (vec![], vec!["IN-08 1".to_owned(), "IN-08 5".to_owned()])),
            (rows("LATIN1", "", b"caf\xe9"), (vec![], vec![])),
        ] {
            let (_, entries_found, errors_found) = judged(&text);
            assert_eq!(
                (entries_found, errors_found),
                (entries, errors),
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
        let undeclared = b"CREATE TABLE t (a text);\nCOPY t FROM stdin;\na\nb\xff\nc\n\\.\n";
        let (_, entries, errors) = judged(undeclared);
        assert_eq!((entries, errors), (vec!["encoding 1 4".into()], vec!["IN-08 4".into()]));
        let (title, entries, errors) = judged(b"SELECT 1;\nSELECT 'caf\xe9';\n");
        assert_eq!(
            (title.as_str(), entries, errors),
            ("Needs 1 decision", vec!["encoding 1 2".into()], vec!["IN-08 2".into()])
        );
    }

    #[test]
    fn a_nul_byte_behind_the_head_is_said_however_the_bytes_come() {
        let rows = &b"CREATE TABLE t (a text);\nCOPY t FROM stdin;\na\nb\0c\0\n\0\n\\.\n"[..];
        for (text, entry) in [(&b"SELECT 'a\0b';\n"[..], "nul-byte 1 61"), (rows, "nul-byte 1 64")] {
            let text = [&b"SELECT 1;\n".repeat(60)[..], text].concat();
            let (title, entries, errors) = judged(&text);
            assert_eq!(
                (title.as_str(), entries, errors),
                ("No known incompatibility", vec![entry.into()], vec![])
            );
        }
    }

    #[test]
    fn what_settings_and_comments_leave_out_is_said() {
        let text = b"CREATE EXTENSION hll;\nCREATE LANGUAGE plperlu;\n-- tsmigrate: allow SU-13 ours\nCREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();\n";
        for level in [Level::Note, Level::Off] {
            let mut options = Options::default();
            options.set_level("EXT-*", level).unwrap();
            options.set_level("DEP-*", level).unwrap();
            let (title, mut entries, _) = chunked(text, &options, usize::MAX);
            entries.retain(|entry| !entry.starts_with("objects"));
            assert_eq!(title, "No known incompatibility");
            assert_eq!(entries, ["settings 2 1", "comments 1 4"], "{level:?}");
        }
        let target = Target::default();
        let mut options = Options::default();
        options.set_level("EXT-*", Level::Note).unwrap();
        let input = crate::Input { name: "d", text: b"CREATE EXTENSION hll;" };
        let analysis = crate::analyze(&[input], &target, &options).unwrap();
        let report = Report::new(&analysis, &target, &options);
        assert_eq!(
            (report.verdict, &*report.sentence()),
            (Verdict::Ready, "1 error is ignored by your settings.")
        );
    }
}
