//! Text or binary: COPY's binary format where every column's type sends what any other server receives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connect::Session;
use crate::error::Error;

/// COPY's format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What every type can.
    #[default]
    Text,
    /// Faster, and without the limit of 1 GB on a value's text.
    Binary,
}

impl Format {
    /// As COPY names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// Built-in types (pg_type.dat) whose `send` functions write no object ids, and the same in every version since 14.
/// Left out are types that are object ids (`regclass` and the like) and such without a `send` function.
const SAFE: [u32; 56] = [
    16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 28, 29, 114, 142, 600, 601, 602, 603, 604, 628, 650, 700, 701,
    718, 774, 790, 829, 869, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 2970,
    3220, 3614, 3615, 3802, 3904, 3906, 3908, 3910, 3912, 3926, 4072, 4451, 4532, 4533, 5069,
];

/// Types of extensions whose `send` functions write no object ids either.
const SAFE_OF_EXTENSIONS: [(&str, &str); 7] = [
    ("citext", "citext"),
    ("hstore", "hstore"),
    ("ltree", "ltree"),
    ("timescaledb", "compressed_data"),
    ("vector", "vector"),
    ("vector", "halfvec"),
    ("vector", "sparsevec"),
];

/// The first object id of a user's own.
const FIRST_USER_OID: u32 = 16384;

#[derive(Clone, Debug, Default)]
struct Type {
    /// `b`, `d`, `e`, `r`, `m`, … as pg_type.typtype.
    kind: String,
    /// A domain's base, a range's subtype, an array's element.
    of: u32,
    array: bool,
    extension: Option<(String, String)>,
}

/// The types of a database.
#[derive(Clone, Debug, Default)]
pub struct Types(BTreeMap<u32, Type>);

impl Types {
    /// Reads them.
    ///
    /// # Errors
    /// When the server refuses the question.
    pub async fn read(session: &Session) -> Result<Self, Error> {
        let rows = session
            .ask(
                "SELECT t.oid, t.typtype, CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype \
                 WHEN 'm' THEN r.rngsubtype ELSE t.typelem END, t.typcategory = 'A' AND t.typlen = -1, x.extname, t.typname \
                 FROM pg_catalog.pg_type t \
                 LEFT JOIN pg_catalog.pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid) \
                 LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass \
                   AND d.objid = t.oid AND d.deptype = 'e' \
                 LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid \
                 WHERE t.typtype <> 'c' AND (t.oid >= 16384 OR t.typcategory = 'A')",
            )
            .await?;
        let mut types = BTreeMap::new();
        for row in rows {
            let extension = match row.optional(4)? {
                Some(name) => Some((name.to_owned(), row.text(5)?.to_owned())),
                None => None,
            };
            // A range type of which the catalog knows no subtype has none that is binary.
            let (of, array) = (row.optional_number(2)?.unwrap_or_default(), row.flag(3)?);
            types.insert(row.number(0)?, Type { kind: row.text(1)?.to_owned(), of, array, extension });
        }
        Ok(Self(types))
    }

    /// The type that TimescaleDB keeps a batch of compressed values in.
    #[must_use]
    pub fn is_compressed(&self, oid: u32) -> bool {
        let of = self.0.get(&oid).and_then(|found| found.extension.as_ref());
        of.is_some_and(|(extension, name)| extension == "timescaledb" && name == "compressed_data")
    }

    /// True where a binary value of this type means the same on another server.
    #[must_use]
    pub fn binary(&self, oid: u32) -> bool {
        if SAFE.contains(&oid) {
            return true;
        }
        let Some(found) = self.0.get(&oid) else { return false };
        if let Some((extension, name)) = &found.extension {
            return SAFE_OF_EXTENSIONS.contains(&(extension, name));
        }
        match found.kind.as_str() {
            // An array names its elements' type by its object id, which is the same only for built-in ones.
            _ if found.array => found.of < FIRST_USER_OID && SAFE.contains(&found.of),
            "d" | "r" | "m" if found.of != 0 => self.binary(found.of),
            // By its label.
            "e" => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(kind: &str, of: u32, array: bool) -> Type {
        Type { kind: kind.into(), of, array, extension: None }
    }

    #[test]
    fn a_type_is_safe_where_it_sends_no_object_id() {
        let mut types = Types::default();
        types.0.insert(1007, kind("b", 23, true));
        types.0.insert(2210, kind("b", 2205, true));
        types.0.insert(20000, kind("e", 0, false));
        types.0.insert(20001, kind("b", 20000, true));
        types.0.insert(20002, kind("d", 1700, false));
        types.0.insert(20003, kind("d", 20000, false));
        types.0.insert(20004, kind("r", 701, false));
        types.0.insert(20005, kind("c", 0, false));
        types.0.insert(
            20006,
            Type { extension: Some(("postgis".into(), "geometry".into())), ..kind("b", 0, false) },
        );
        for safe in [23, 1700, 1007, 20000, 20002, 20003, 20004] {
            assert!(types.binary(safe), "{safe}");
        }
        for unsafe_ in [2205, 2210, 20001, 20005, 20006, 30000] {
            assert!(!types.binary(unsafe_), "{unsafe_}");
        }
    }
}
