//! TimescaleDB's own functions, called so that nobody else's is meant.

use crate::connect::Session;
use crate::error::Error;
use crate::quote::literal;

/// One of them. It stands in a schema in which others may create functions, of that name too: one of those can fit a short call
/// better, with a text in place of a regclass or without arguments that have defaults. A call with all arguments in their types
/// can only be this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    pub(crate) name: String,
    /// Names and types of its arguments.
    pub(crate) arguments: Vec<(String, String)>,
}

impl Function {
    /// Finds it among those of the extension.
    ///
    /// # Errors
    /// When the server refuses the question, or TimescaleDB has no such function.
    pub async fn find(session: &Session, name: &str) -> Result<Self, Error> {
        let rows = session.ask(&format!("{FUNCTION} AND p.proname = {}", literal(name))).await?;
        let Some(row) = rows.first() else {
            return Err(Error::Defect(format!("this TimescaleDB has no {name}")));
        };
        Ok(Self { name: row.text(0)?.to_owned(), arguments: row.json(1)? })
    }

    /// A call; `value` knows the argument of a name as SQL, and NULL stands for those that it does not.
    #[must_use]
    pub fn call(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let arguments: Vec<String> = self
            .arguments
            .iter()
            .map(|(name, of_type)| format!("{}::{of_type}", value(name).as_deref().unwrap_or("NULL")))
            .collect();
        format!("{}({})", self.name, arguments.join(", "))
    }
}

const FUNCTION: &str = "
SELECT pg_catalog.format('%I.%I', n.nspname, p.proname),
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(coalesce(p.proargnames[i], ''),
          pg_catalog.format_type(p.proargtypes[i - 1], NULL)) ORDER BY i) FROM pg_catalog.generate_series(1, p.pronargs) i)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.oid = d.refobjid
WHERE x.extname = 'timescaledb'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_every_argument_with_its_type() {
        let argument = |name: &str, of_type: &str| (name.to_owned(), of_type.to_owned());
        let arguments = vec![argument("uncompressed_chunk", "regclass"), argument("later", "boolean")];
        let function = Function { name: "public.compress_chunk".into(), arguments };
        let value = |name: &str| (name == "uncompressed_chunk").then(|| literal("a.b'c"));
        assert_eq!(function.call(value), "public.compress_chunk('a.b''c'::regclass, NULL::boolean)");
    }
}
