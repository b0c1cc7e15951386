//! The report for programs.

use std::io::{self, Write};

use super::Report;
use crate::clean;

/// The JSON Schema of the report.
pub const SCHEMA: &str = include_str!("../../report.schema.json");

pub(super) fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    clean::pretty_json(report, out)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let schema = schemars::generate::SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<Report<'static>>();
        let mut schema = serde_json::to_value(schema).unwrap();
        schema["title"] = "A report of tsmigrate".into();
        schema["description"] = "What tsmigrate check --format json writes.".into();
        let text = format!("{schema:#}\n");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == text, "UPDATE_SCHEMA=1 writes {path} anew");
    }
}
