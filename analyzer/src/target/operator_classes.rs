//! Which of PostgreSQL's own types have a default operator class for which access method.
//!
//! Source: `pg_opclass` of PostgreSQL 15.18, 17.12 and 18.6, which have the same.

/// Types with a default operator class of their own, by their names in `pg_type`. `anyarray` and its like are not named.
const DEFAULTS: [(&str, &str); 6] = [
    (
        "btree",
        "bit bool bpchar bytea char date float4 float8 inet int2 int4 int8 interval jsonb macaddr macaddr8 money name \
         numeric oid pg_lsn text time timestamp timestamptz timetz tsquery tsvector uuid varbit",
    ),
    ("gist", "box circle point polygon tsquery tsvector"),
    ("gin", "jsonb tsvector"),
    ("spgist", "box inet point polygon text"),
    (
        "hash",
        "aclitem bool bpchar bytea char cid date float4 float8 inet int2 int4 int8 interval jsonb macaddr macaddr8 name \
         numeric oid oidvector pg_lsn text tid time timestamp timestamptz timetz uuid xid xid8",
    ),
    (
        "brin",
        "bit box bpchar bytea char date float4 float8 inet int2 int4 int8 interval macaddr macaddr8 name numeric oid pg_lsn \
         text tid time timestamp timestamptz timetz uuid varbit",
    ),
];

/// Types that are judged: scalars of PostgreSQL's own. Those that are binary coercible to another stand with it.
const JUDGED: &str = "bit bool bpchar bytea char cidr circle box date float4 float8 inet int2 int4 int8 interval json jsonb \
    line lseg macaddr macaddr8 money name numeric oid path pg_lsn point polygon text time timestamp timestamptz timetz tsquery \
    tsvector uuid varbit varchar xid xml";

/// What a type is to an access method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexedType<'a> {
    /// One of PostgreSQL's own, by its name in `pg_type`.
    Own(&'a str),
    /// An enum.
    Enum,
    /// A composite type.
    Composite,
    /// A range.
    Range,
}

/// True where a column of this type needs no operator class in an index of this access method; `None` where that is not
/// known: other types and access methods.
#[must_use]
pub fn has_default_operator_class(method: &str, data_type: IndexedType<'_>) -> Option<bool> {
    let (_, types) = DEFAULTS.iter().find(|(name, _)| *name == method)?;
    let name = match data_type {
        // The classes for anyenum, record and anyrange.
        IndexedType::Enum | IndexedType::Composite => return Some(matches!(method, "btree" | "hash")),
        IndexedType::Range => return Some(method != "gin"),
        IndexedType::Own(name) => name,
    };
    JUDGED.split_whitespace().any(|judged| judged == name).then_some(())?;
    // What they are binary coercible to (pg_cast).
    let stands_for = match name {
        "varchar" => "text",
        "cidr" => "inet",
        other => other,
    };
    Some(types.split_whitespace().any(|name| name == stands_for))
}

/// True where a column of this type has a collation; `None` where that is not known.
#[must_use]
pub fn is_collatable(data_type: IndexedType<'_>) -> Option<bool> {
    let IndexedType::Own(name) = data_type else { return Some(false) };
    let is_judged = JUDGED.split_whitespace().any(|judged| judged == name);
    is_judged.then_some(matches!(name, "bpchar" | "name" | "text" | "varchar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_operator_classes_are_those_of_the_server() {
        for (method, data_type, has) in [
            ("gist", "int4", Some(false)),
            ("gist", "tsvector", Some(true)),
            ("gin", "text", Some(false)),
            ("spgist", "varchar", Some(true)),
            ("hash", "varchar", Some(true)),
            ("gist", "public.geometry", None),
            ("btree", "int4", Some(true)),
            ("btree", "json", Some(false)),
            ("hnsw", "int4", None),
            ("gin", "int4[]", None),
        ] {
            let judged = has_default_operator_class(method, IndexedType::Own(data_type));
            assert_eq!(judged, has, "{method} {data_type}");
        }
    }
}
