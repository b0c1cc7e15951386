//! Which types have which operator classes for which access method: PostgreSQL's own and those of common extensions.

use std::sync::LazyLock;

const CLASSES: &str = include_str!("operator_classes.txt");

/// Types that are judged: scalars of PostgreSQL's own. Those that are binary coercible to another stand with it.
const JUDGED: &str = "bit bool bpchar bytea char cidr circle box date float4 float8 inet int2 int4 int8 interval json jsonb \
    line lseg macaddr macaddr8 money name numeric oid path pg_lsn point polygon text time timestamp timestamptz timetz tsquery \
    tsvector uuid varbit varchar xid xml";

/// Types that the server takes for another without a function (pg_cast: binary, implicit).
const COERCIBLE: [(&str, &str); 9] = [
    ("varchar", "text"),
    ("varchar", "bpchar"),
    ("text", "bpchar"),
    ("text", "varchar"),
    ("cidr", "inet"),
    ("bit", "varbit"),
    ("varbit", "bit"),
    ("int4", "oid"),
    ("citext", "text"),
];

/// What a type is to an access method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexedType<'a> {
    /// One of PostgreSQL's own, by its name in `pg_type`.
    Own(&'a str),
    /// An array of one of PostgreSQL's own.
    Array(&'a str),
    /// One of an extension's, by its name in `pg_type`.
    Member(&'a str),
    /// An enum.
    Enum,
    /// A composite type.
    Composite,
    /// A range.
    Range,
}

impl IndexedType<'_> {
    /// True where it is known which operator classes take it.
    fn is_judged(self) -> bool {
        match self {
            Self::Own(name) | Self::Array(name) => is_scalar(name),
            Self::Member(_) | Self::Enum | Self::Composite | Self::Range => true,
        }
    }

    /// True where an operator class for this type takes it, too.
    fn is_taken_as(self, class: &str) -> bool {
        match self {
            Self::Own(name) | Self::Member(name) => name == class || COERCIBLE.contains(&(name, class)),
            Self::Array(name) => class == "anyarray" || class.strip_suffix("[]") == Some(name),
            Self::Enum => class == "anyenum",
            Self::Composite => class == "record",
            Self::Range => class == "anyrange",
        }
    }
}

/// True for the types of PostgreSQL's own that are judged.
#[must_use]
pub fn is_scalar(name: &str) -> bool {
    JUDGED.split_whitespace().any(|judged| judged == name)
}

/// The line of a provider and an access method: `name` or `name:type`, with `!` behind the default.
struct Line {
    provider: &'static str,
    method: &'static str,
    classes: &'static str,
}

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = CLASSES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (provider, rest) = line.split_once(' ')?;
        let (method, classes) = rest.split_once(' ')?;
        Some(Line { provider, method, classes })
    });
    lines.collect()
});

impl Line {
    /// Name without `_ops`, type, and whether it is the default.
    fn classes(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        self.classes.split(' ').map(|class| match class.split_once(':') {
            Some((name, data_type)) => {
                let plain = data_type.trim_end_matches('!');
                (name, plain, plain.len() < data_type.len())
            }
            None => (class, class, true),
        })
    }

    fn is_of(&self, method: &str, has: &impl Fn(&str) -> bool) -> bool {
        self.method == method && (self.provider == "-" || has(self.provider))
    }
}

/// True where the operator classes of this extension are known.
#[must_use]
pub fn has_known_classes(extension: &str) -> bool {
    LINES.iter().any(|line| line.provider == extension)
}

/// True where a column of this type needs no operator class in an index of this access method; `None` where that is not
/// known: other types and access methods. `has` says which extensions are there.
#[must_use]
pub fn has_default_operator_class(
    method: &str,
    data_type: IndexedType<'_>,
    has: impl Fn(&str) -> bool,
) -> Option<bool> {
    if !data_type.is_judged() {
        return None;
    }
    let mut lines = LINES.iter().filter(|line| line.is_of(method, &has)).peekable();
    lines.peek()?;
    let mut classes = lines.flat_map(Line::classes);
    Some(classes.any(|(_, class, is_default)| is_default && data_type.is_taken_as(class)))
}

/// What is known of an operator class that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedClass {
    /// It takes the type, or that is not known.
    Fits,
    /// It is there for other types only.
    OtherType,
    /// It is there for other access methods only.
    OtherMethod,
    /// No such name is known.
    Unknown,
}

/// What is known of the operator class of this name for an access method and a type. `has` says which extensions are
/// looked at: without a name, PostgreSQL itself.
#[must_use]
pub fn named_operator_class(
    method: &str,
    name: &str,
    data_type: Option<IndexedType<'_>>,
    has: impl Fn(Option<&str>) -> bool,
) -> NamedClass {
    let mut found = NamedClass::Unknown;
    let judged = data_type.filter(|data_type| data_type.is_judged());
    for line in LINES.iter().filter(|line| has((line.provider != "-").then_some(line.provider))) {
        for (class, of, _) in line.classes() {
            let is_named =
                name == class && class.contains("_ops") || name.strip_suffix("_ops") == Some(class);
            if !is_named {
                continue;
            }
            if line.method != method {
                if found == NamedClass::Unknown {
                    found = NamedClass::OtherMethod;
                }
            } else if judged.is_some_and(|data_type| !data_type.is_taken_as(of)) {
                found = NamedClass::OtherType;
            } else {
                return NamedClass::Fits;
            }
        }
    }
    found
}

/// True where values of this type may lie outside of their row, compressed or not; `None` where that is not known.
#[must_use]
pub fn is_toastable(data_type: IndexedType<'_>) -> Option<bool> {
    match data_type {
        IndexedType::Own(name) => is_scalar(name).then_some(TOASTABLE.contains(&name)),
        IndexedType::Array(_) | IndexedType::Composite | IndexedType::Range => Some(true),
        IndexedType::Enum => Some(false),
        IndexedType::Member(_) => None,
    }
}

/// The scalars whose `typstorage` is not plain (pg_type).
const TOASTABLE: [&str; 15] = [
    "bit", "bpchar", "bytea", "cidr", "inet", "json", "jsonb", "numeric", "path", "polygon", "text",
    "tsvector", "varbit", "varchar", "xml",
];

/// True where a column of this type has a collation; `None` where that is not known.
#[must_use]
pub fn is_collatable(data_type: IndexedType<'_>) -> Option<bool> {
    match data_type {
        IndexedType::Own(name) => {
            is_scalar(name).then_some(matches!(name, "bpchar" | "name" | "text" | "varchar"))
        }
        IndexedType::Array(_) | IndexedType::Member(_) => None,
        IndexedType::Enum | IndexedType::Composite | IndexedType::Range => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IndexedType::{Array, Enum, Member, Own};

    #[test]
    fn default_operator_classes_are_those_of_the_server() {
        for (method, data_type, has) in [
            ("gist", Own("int4"), Some(false)),
            ("gist", Own("tsvector"), Some(true)),
            ("gin", Own("text"), Some(false)),
            ("spgist", Own("varchar"), Some(true)),
            ("hash", Own("varchar"), Some(true)),
            ("brin", Own("int4"), Some(true)),
            ("btree", Own("int4"), Some(true)),
            ("btree", Own("json"), Some(false)),
            ("hnsw", Own("int4"), None),
            ("gin", Array("int4"), Some(true)),
            ("gist", Array("int4"), Some(false)),
            ("gin", Member("geometry"), Some(false)),
            ("brin", Member("citext"), Some(true)),
        ] {
            assert_eq!(
                has_default_operator_class(method, data_type, |_| false),
                has,
                "{method} {data_type:?}"
            );
        }
        let all = |_: &str| true;
        assert_eq!(has_default_operator_class("gist", Own("int4"), all), Some(true));
        assert_eq!(has_default_operator_class("gist", Array("int4"), all), Some(true));
        assert_eq!(has_default_operator_class("gin", Enum, all), Some(true));
        assert_eq!(has_default_operator_class("hnsw", Member("vector"), all), Some(false));
        assert_eq!(has_default_operator_class("ivfflat", Member("vector"), all), Some(true));
    }

    #[test]
    fn named_operator_classes_are_those_of_the_server() {
        let own = |provider: Option<&str>| provider.is_none();
        let of = |method, name, data_type| named_operator_class(method, name, Some(data_type), own);
        assert_eq!(of("btree", "text_pattern_ops", Own("varchar")), NamedClass::Fits);
        assert_eq!(of("btree", "text_pattern_ops", Own("int4")), NamedClass::OtherType);
        assert_eq!(of("gin", "int4_ops", Own("int4")), NamedClass::OtherMethod);
        assert_eq!(of("gin", "gin_trgm_ops", Own("text")), NamedClass::Unknown);
        assert_eq!(of("btree", "array_ops", Array("text")), NamedClass::Fits);
        assert_eq!(of("btree", "bpchar_pattern_ops", Own("text")), NamedClass::Fits);
        assert_eq!(of("btree", "enum_ops", Enum), NamedClass::Fits);
        let all = |_: Option<&str>| true;
        let of = |method, name, data_type| named_operator_class(method, name, Some(data_type), all);
        assert_eq!(of("gin", "int4_ops", Own("int4")), NamedClass::Fits);
        assert_eq!(of("ivfflat", "vector_ops", Member("vector")), NamedClass::OtherMethod);
        assert_eq!(of("gist", "gist_geometry_ops_nd", Member("geometry")), NamedClass::Fits);
        assert_eq!(of("gin", "gin_trgm_ops", Member("citext")), NamedClass::Fits);
        assert_eq!(of("gin", "gin_trgm_ops", Member("ltree")), NamedClass::OtherType);
    }
}
