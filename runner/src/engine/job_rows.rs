//! Rows of TimescaleDB's own tables that must not arrive as they are.

use std::collections::BTreeMap;

use crate::names::Relation;
use crate::timescale;

/// What becomes of the rows of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// They go over as they are.
    Keep,
    /// They stay behind, for this reason.
    Skip(String),
    /// Jobs: not scheduled until all is verified, and with an owner that exists.
    Jobs,
    /// Sizes of compressed chunks: those of chunks that exist.
    Sizes,
}

/// The rows of a job table with `owner` and `scheduled` set, as COPY's text. Columns go by their names: their
/// order has changed between versions.
pub(super) fn jobs(columns: &[String], rows: &[u8], admin: &str) -> Option<Vec<u8>> {
    let position: BTreeMap<&str, usize> =
        columns.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let (owner, scheduled) = (*position.get("owner")?, *position.get("scheduled")?);
    let mut out = Vec::with_capacity(rows.len());
    for line in rows.split_inclusive(|&byte| byte == b'\n') {
        let line = std::str::from_utf8(line).ok()?.trim_end_matches(['\n', '\r']);
        let mut fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        if fields.len() != columns.len() {
            return None;
        }
        fields[owner] = escape(&crate::quote::identifier(admin));
        "f".clone_into(&mut fields[scheduled]);
        out.extend_from_slice(fields.join("\t").as_bytes());
        out.push(b'\n');
    }
    Some(out)
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\t', r"\t").replace('\n', r"\n")
}

/// What to do with the rows of `table`.
pub(super) fn treatment(table: &Relation, exists: bool) -> Treatment {
    let is = |catalog| timescale::is_catalog(&table.schema, &table.name, catalog);
    if is("bgw_job") {
        Treatment::Jobs
    } else if is("compression_chunk_size") {
        Treatment::Sizes
    } else if is("tablespace") {
        // The restore would succeed, and the first INSERT that needs a new chunk would fail.
        Treatment::Skip("a service has no tablespaces of its own; new chunks go to the default one".into())
    } else if exists {
        Treatment::Keep
    } else {
        Treatment::Skip("its table is not on the target".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_gets_an_owner_that_exists_and_waits() {
        let columns: Vec<_> = ["id", "application_name", "owner", "scheduled"].map(str::to_owned).into();
        let rows = b"1000\tRetention Policy [1000]\t\"Odd Role\"\tt\n1001\tx\tpostgres\tf\n";
        let out = jobs(&columns, rows, "tsdbadmin").expect("rows that fit");
        let out = String::from_utf8(out).expect("text");
        assert_eq!(out, "1000\tRetention Policy [1000]\t\"tsdbadmin\"\tf\n1001\tx\t\"tsdbadmin\"\tf\n");
    }
}
