//! A checksum of a table that does not depend on the order of its rows, computed by the servers.
//!
//! A row's hash is `hashtextextended(hash_record_extended(ROW(columns), 1)::text, 2)`, a table's is the sum of its rows'
//! hashes as `numeric`, which never overflows. A sum, not an exclusive or: two equal rows do not cancel. The outer hash
//! is needed because `hash_record_extended` is linear in its columns' hashes (31 × h + next): without it two rows that
//! have swapped one value would give the same sum. Columns stand in the order of their names, for a restored child table
//! may have them in another order than the source.
//!
//! `hash_record_extended` calls each type's own hash function, and several of those say the same for values that are not:
//! bigint and timestamp hash 32 bits of their 64, numeric forgets trailing zeros, float the sign of zero, enums hash their
//! object id. Such columns are hashed in the bytes that a binary COPY would send (`int8send`, `numeric_send`), and types
//! that are not the server's own as text: as what their output function gives, in a row, for a cast of such a type may
//! call its owner's function (CREATE CAST).
//!
//! Measured on PostgreSQL 17 with two tables of 1.5 GB together (6 M rows of bigint, integer, timestamptz, numeric, two
//! text, jsonb; 8 M rows of seven short columns), one process, its processor time in a second each for the first and the
//! second table, parallel workers divide it:
//!
//! | what is summed                                     | 6 M rows | 8 M rows | per GB |
//! |----------------------------------------------------|---------:|---------:|-------:|
//! | nothing: `count(*)`                                |      0.2 |      0.3 |    0.3 |
//! | `hash_record_extended(ROW(…))`, not exact          |      2.1 |      1.6 |    2.5 |
//! | the same with the outer hash, not exact            |      2.4 |      2.0 |    2.9 |
//! | **as above, exact, with the outer hash**           |      3.5 |      2.8 |    4.2 |
//! | `hash_record_extended(ROW(record_send(ROW(…))))`   |      4.1 |      3.4 |    5.0 |
//! | `hashtextextended(ROW(…)::text)`                   |      4.5 |      4.9 |    6.3 |
//! | the same with two seeds                            |          |          |   12.0 |
//! | half of `md5(ROW(…)::text)`                        |     10.6 |     12.1 |   15.2 |
//!
//! Two tables that differ by chance have the same sum once in 2^64 times.

use super::relations::Column;

use crate::quote::identifier;

/// How a row is hashed; the same on both servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Formula {
    /// By md5: one of the servers is older than PostgreSQL 14, or they hash in different ways (another processor).
    pub(super) md5: bool,
    /// Text in the client's encoding: the databases have different ones.
    pub(super) encoded: bool,
    /// Long values by their md5: a row of several of them is more than the 1 GB that a value may have.
    pub(super) wide: bool,
}

/// Types whose hash functions look at all of a value, and at nothing else.
const EXACT: [&str; 12] = [
    "bool", "int2", "int4", "date", "uuid", "bytea", "name", "oid", "macaddr", "macaddr8", "text", "varchar",
];

/// Types that are hashed as text. The values of some are names of objects, whose ids are others on the target. In others
/// stand floating-point numbers: processors make NaN with and without a sign, and a copy as text brings one of them only.
fn as_text(name: &str) -> bool {
    let element = name.trim_start_matches('_');
    let geometric = ["point", "line", "lseg", "box", "path", "polygon", "circle"];
    element.starts_with("reg")
        || element == "aclitem"
        || geometric.contains(&element)
        || name.starts_with("_float")
}

impl Formula {
    /// The hash of one row of a table with these columns, `int8`.
    pub(super) fn row(self, columns: &[Column]) -> String {
        self.hash(&columns.iter().map(|column| self.column(column)).collect::<Vec<_>>())
    }

    /// The hash of these expressions.
    pub(super) fn hash(self, expressions: &[String]) -> String {
        let row = expressions.join(", ");
        if self.md5 {
            return format!(
                "('x' || pg_catalog.substr(pg_catalog.md5(ROW({row})::pg_catalog.text), 1, 16))::bit(64)::int8"
            );
        }
        format!(
            "pg_catalog.hashtextextended(pg_catalog.hash_record_extended(ROW({row}), 1)::pg_catalog.text, 2)"
        )
    }

    /// What of a column goes into the hash.
    pub(super) fn column(self, column: &Column) -> String {
        let name = identifier(&column.name);
        let own = column.type_schema == "pg_catalog"
            && (column.element.is_empty() || column.element_schema == "pg_catalog")
            && ["b", "r", "m"].contains(&column.type_kind.as_str())
            && !as_text(&column.type_name);
        if self.wide && own && ["text", "varchar", "bytea"].contains(&column.type_name.as_str()) {
            let value = if column.type_name == "bytea" { name } else { format!("{name}::pg_catalog.text") };
            return format!("pg_catalog.md5({value})");
        }
        if own && EXACT.contains(&column.type_name.as_str()) {
            return match column.type_name.as_str() {
                "text" | "varchar" if self.encoded => format!("pg_catalog.textsend({name})"),
                "text" | "varchar" => format!("{name} COLLATE pg_catalog.\"C\""),
                "name" => format!("{name}::pg_catalog.text COLLATE pg_catalog.\"C\""),
                _ => name,
            };
        }
        if own && ["float4", "float8"].contains(&column.type_name.as_str()) {
            let send = format!("pg_catalog.{}send", column.type_name);
            return format!("{send}(CASE WHEN {name} = 'NaN' THEN 'NaN' ELSE {name} END)");
        }
        let compressed = column.is_compressed();
        if (own || compressed) && column.send != "-" && !column.send.is_empty() {
            let send = if column.send.contains('.') {
                column.send.clone()
            } else {
                format!("pg_catalog.{}", column.send)
            };
            // A batch of NULLs, which goes over as NULL where its own form cannot (`Table::null_batches`).
            return if compressed {
                format!("nullif({send}({name}), '\\x06'::pg_catalog.bytea)")
            } else {
                format!("{send}({name})")
            };
        }
        let text = format!("{} COLLATE pg_catalog.\"C\"", text(&name));
        if self.encoded { format!("pg_catalog.textsend({text})") } else { text }
    }
}

/// A value of any type as its output function writes it, in parentheses. A plain cast would take a user's.
pub(super) fn text(value: &str) -> String {
    format!("ROW({value})::pg_catalog.text")
}

/// The same for people.
pub(super) fn shown(column: &Column) -> String {
    let name = identifier(&column.name);
    if column.type_schema == "pg_catalog" && column.type_kind != "?" && column.element_schema.is_empty() {
        format!("{name}::pg_catalog.text")
    } else {
        format!("pg_catalog.btrim({}, '()')", text(&name))
    }
}

/// Types whose hash functions are good enough to choose rows by, beside those in [`EXACT`].
const CHOOSING: [&str; 4] = ["int8", "timestamp", "timestamptz", "float8"];

/// What chooses the rows of a sample of `percent`: the same rows on both servers, for it asks for their content alone. It is
/// asked for every row, and need not tell all values apart.
pub(super) fn chosen(formula: Formula, key: &[Column], percent: f64) -> String {
    // Hundredths of a percent; what is given lies between 0 and 100.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let part = (percent * 100.0).round().clamp(1.0, 10_000.0) as u32;
    let plain =
        |column: &Column| column.type_schema == "pg_catalog" && CHOOSING.contains(&column.type_name.as_str());
    let key: Vec<_> = key
        .iter()
        .map(|column| if plain(column) { identifier(&column.name) } else { formula.column(column) })
        .collect();
    let hash = if formula.md5 {
        formula.hash(&key)
    } else {
        format!("pg_catalog.hash_record_extended(ROW({}), 3)", key.join(", "))
    };
    format!("({hash} & 9223372036854775807) % 10000 < {part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, schema: &str, kind: &str, type_name: &str, send: &str) -> Column {
        Column {
            name: name.into(),
            type_schema: schema.into(),
            type_name: type_name.into(),
            type_kind: kind.into(),
            send: send.into(),
            ..Column::default()
        }
    }

    #[test]
    fn values_that_hash_alike_are_hashed_by_their_bytes() {
        let formula = Formula::default();
        let of = |name, send| formula.column(&column("c", "pg_catalog", "b", name, send));
        assert_eq!(of("int8", "int8send"), "pg_catalog.int8send(\"c\")");
        assert_eq!(of("numeric", "numeric_send"), "pg_catalog.numeric_send(\"c\")");
        assert_eq!(of("int4", "int4send"), "\"c\"");
        assert_eq!(of("money", "cash_send"), "pg_catalog.cash_send(\"c\")");
    }

    #[test]
    fn ids_of_objects_never_go_into_a_hash() {
        let formula = Formula::default();
        let of = |schema, kind, name, send| formula.column(&column("c", schema, kind, name, send));
        for text in [
            of("app", "e", "mood", "enum_send"),
            of("pg_catalog", "b", "regclass", "regclasssend"),
            of("pg_catalog", "b", "_regrole", "array_send"),
            of("app", "d", "positive", "int4send"),
            of("app", "c", "pair", "record_send"),
            of("pg_catalog", "b", "_float8", "array_send"),
            of("ext", "b", "hstore", "ext.hstore_send"),
        ] {
            assert_eq!(text, "ROW(\"c\")::pg_catalog.text COLLATE pg_catalog.\"C\"");
        }
    }

    #[test]
    fn an_array_of_a_type_of_the_users_is_hashed_as_text() {
        let mut array = column("c", "pg_catalog", "b", "_mood", "array_send");
        array.element = "mood".into();
        array.element_schema = "app".into();
        assert!(Formula::default().column(&array).contains("text"));
        array.element_schema = "pg_catalog".into();
        assert_eq!(Formula::default().column(&array), "pg_catalog.array_send(\"c\")");
    }

    #[test]
    fn a_sample_is_never_empty_by_its_size() {
        let key = [column("id", "pg_catalog", "b", "int4", "int4send")];
        assert!(chosen(Formula::default(), &key, 0.0001).ends_with("< 1"));
        assert!(chosen(Formula::default(), &key, 12.5).ends_with("< 1250"));
    }
}
