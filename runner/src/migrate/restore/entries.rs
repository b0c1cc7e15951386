//! Entries of an archive that hold rows or set a sequence, read with PostgreSQL's parser: nothing of their text is run.

use tsmigrate_analyzer::archive::Entry;
use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{NodeEnum, parse, pg};

use crate::names::{self, Relation};
use crate::quote::identifier;
use crate::tables::Table;
use crate::tables::format::Format;

/// An entry's own name, with its schema.
pub(in crate::migrate) fn name(entry: &Entry) -> Option<Relation> {
    let schema = str::from_utf8(entry.schema.as_deref()?).ok()?;
    Some(Relation::new(schema, str::from_utf8(&entry.tag).ok()?))
}

/// The table whose rows an entry holds, which take `bytes` in the archive; none where it says anything but COPY from
/// standard input.
pub(in crate::migrate) fn table(entry: &Entry, bytes: u64) -> Option<Table> {
    let sql = str::from_utf8(&entry.copy).ok()?;
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::CopyStmt(copy) = parsed.node() else { return None };
    let is_plain = copy.is_from
        && !copy.is_program
        && copy.filename.is_empty()
        && copy.options.is_empty()
        && copy.query.is_none()
        && copy.where_clause.is_none();
    let into = copy.relation.as_ref().filter(|_| is_plain)?;
    let relation = name(entry)?;
    let into = Relation::new(&into.schemaname, &into.relname);
    let columns = strings(&copy.attlist);
    Some(Table {
        // Rows of a table that goes through another one come where that one puts them.
        routed: into != relation,
        into,
        relation,
        from: None,
        columns: columns.into_iter().map(identifier).collect::<Vec<_>>().join(", "),
        blocks: 0,
        bytes,
        rows: 0,
        ranges: false,
        format: Format::Text,
        null_batches: Vec::new(),
    })
}

/// True for a table in partitions, which has no rows of its own. Archives of `pg_dump` 16 and older do not say so beside the
/// statement.
pub(super) fn is_partitioned(entry: &Entry) -> bool {
    let by_statement = || {
        let sql = str::from_utf8(&entry.definition).ok().filter(|sql| sql.contains("PARTITION BY"))?;
        let parsed = parse(sql, true).ok()??;
        Some(matches!(parsed.node(), NodeEnum::CreateStmt(create) if create.partspec.is_some()))
    };
    entry.relation_kind == b'p' || entry.relation_kind == 0 && by_statement().unwrap_or(false)
}

/// The sequence that an entry sets, with its value and whether it was called; none where it does anything else.
pub(super) fn sequence(entry: &Entry) -> Option<(Relation, (i64, bool))> {
    let parsed = parse(str::from_utf8(&entry.definition).ok()?, true).ok()??;
    let NodeEnum::SelectStmt(select) = parsed.node() else { return None };
    let [pg::Node { node: Some(NodeEnum::ResTarget(target)) }] = &select.target_list[..] else { return None };
    let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
    if strings(&call.funcname) != ["pg_catalog", "setval"] || !select.from_clause.is_empty() {
        return None;
    }
    let [sequence, value, called] = &call.args[..] else { return None };
    let constant = |node: &pg::Node| match node.node.as_ref()? {
        NodeEnum::AConst(constant) => constant.val.clone(),
        _ => None,
    };
    let pg::a_const::Val::Sval(sequence) = constant(sequence)? else { return None };
    let (relation, "") = names::read(&sequence.sval)? else { return None };
    let value = number(value)?;
    let pg::a_const::Val::Boolval(called) = constant(called)? else { return None };
    Some((relation, (value, called.boolval)))
}

/// A whole number, which may have a sign before it.
fn number(node: &pg::Node) -> Option<i64> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            pg::a_const::Val::Ival(value) => Some(value.ival.into()),
            pg::a_const::Val::Fval(value) => value.fval.parse().ok(),
            _ => None,
        },
        NodeEnum::AExpr(minus) if strings(&minus.name) == ["-"] && minus.lexpr.is_none() => {
            number(minus.rexpr.as_deref()?)?.checked_neg()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tsmigrate_analyzer::archive::{Place, Section};

    fn entry(copy: &str, definition: &str) -> Entry {
        Entry {
            id: 1,
            object: (0, 0),
            has_data: true,
            tag: b"T".to_vec(),
            kind: b"TABLE DATA".to_vec(),
            section: Section::Data,
            definition: definition.as_bytes().to_vec(),
            drop: Vec::new(),
            copy: copy.as_bytes().to_vec(),
            schema: Some(b"s".to_vec()),
            tablespace: None,
            access_method: None,
            relation_kind: 0,
            owner: None,
            needs: Vec::new(),
            place: Place::Nowhere,
        }
    }

    #[test]
    fn rows_go_where_their_copy_says_and_nothing_else_is_taken_for_one() {
        let of = |copy: &str| table(&entry(copy, ""), 7);
        let found = of("COPY s.\"T\" (id, \"a \"\"b\") FROM stdin;\n").expect("it is one");
        assert_eq!(found.columns, "\"id\", \"a \"\"b\"");
        assert_eq!((found.into == found.relation, found.routed, found.bytes), (true, false, 7));
        let found = of("COPY s.root (id) FROM stdin;\n").expect("it is one");
        assert_eq!((found.into, found.routed), (Relation::new("s", "root"), true));
        for other in [
            "COPY s.t FROM PROGRAM 'rm';",
            "COPY s.t FROM '/etc/passwd';",
            "COPY s.t TO stdout;",
            "COPY s.t FROM stdin; DROP TABLE s.t;",
            "DELETE FROM s.t;",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn values_of_sequences_are_read_and_nothing_is_run() {
        let of = |sql: &str| sequence(&entry("", sql));
        let read = of("SELECT pg_catalog.setval('s.\"My Seq\"', 9223372036854775807, true);\n");
        assert_eq!(read, Some((Relation::new("s", "My Seq"), (i64::MAX, true))));
        let read = of("SELECT pg_catalog.setval('public.t_id_seq', -5, false);\n");
        assert_eq!(read, Some((Relation::new("public", "t_id_seq"), (-5, false))));
        for other in [
            "SELECT pg_catalog.setval('s.t', (SELECT evil()), true);",
            "SELECT evil('s.t', 1, true);",
            "DROP TABLE t;",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
