//! What the rows of TimescaleDB's catalogs say.

use super::known::{Compression, Dimension, Job, Kind, Order, Partitioning, Timescale, Unit, is_users};
use super::version::Version;
use crate::facts::ObjectId;
use crate::facts::rows::{CatalogTable, Row};
use crate::facts::state::Facts;
use crate::parse::Class;

impl Facts {
    pub(in crate::facts) fn metadata_row(&mut self, row: &Row) {
        if row.get("key") == Some("timescaledb_version")
            && let Some(version) = row.get("value").and_then(Version::read)
        {
            self.timescale.version = Some((version, row.place));
        }
    }

    pub(in crate::facts) fn tablespace_row(&mut self, row: &Row) {
        if let (Some(table), Some(name)) = (row.number("hypertable_id"), row.get("tablespace_name")) {
            self.timescale.tablespaces.push((table, name.into()));
        }
    }

    pub(in crate::facts) fn hypertable_row(&mut self, row: &Row) {
        let (Some(id), Some(schema), Some(name)) =
            (row.number("id"), row.get("schema_name"), row.get("table_name"))
        else {
            return;
        };
        let table = ObjectId::new(Class::Relation, Some(schema), name);
        self.timescale.ids.insert(id, table.clone());
        if is_users(&table) {
            let known = self.timescale.hypertable(&table, row.place);
            known.id = Some(id);
            known.distributed = row.number("replication_factor").is_some_and(|factor| factor > 0);
            known.adaptive = row.number("chunk_target_size").is_some_and(|size| size > 0);
        }
        self.hypertables.insert(table);
    }
}

impl Timescale {
    pub(in crate::facts) fn dimension_row(&mut self, row: &Row) {
        let Some(table) = row.number("hypertable_id").and_then(|id| self.ids.get(&id)) else { return };
        let Some(table) = self.hypertables.get_mut(table) else { return };
        let Some(column) = row.get("column_name") else { return };
        let function = row
            .get("partitioning_func")
            .zip(row.get("partitioning_func_schema"))
            .filter(|(_, schema)| !schema.starts_with("_timescaledb_"))
            .map(|(name, schema)| ObjectId::new(Class::Function, Some(schema), name));
        let is_number = matches!(row.get("column_type"), Some("smallint" | "integer" | "bigint"));
        let unit = if is_number && function.is_none() { Unit::Integer } else { Unit::Microseconds };
        let range = Partitioning::Range { interval: row.number("interval_length"), unit };
        let partitioning =
            row.number("num_slices").map_or(range, |partitions| Partitioning::Hash { partitions });
        let now = row
            .get("integer_now_func")
            .map(|name| ObjectId::new(Class::Function, row.get("integer_now_func_schema"), name));
        let dimension =
            Dimension { column: column.into(), function, partitioning, now, latest_chunk: 0, first_slice: 0 };
        // The catalog knows better than a chunk.
        match table.dimensions.iter_mut().find(|known| *known.column == *column) {
            Some(known) => *known = dimension,
            None => table.dimensions.push(dimension),
        }
    }

    pub(in crate::facts) fn compression_row(&mut self, row: &Row) {
        if row.table == CatalogTable::HypertableCompression {
            self.old_compression_row(row);
            return;
        }
        let Some(id) = row.get("relid").and_then(relation_name).filter(is_users) else { return };
        let Some(table) = self.hypertables.get_mut(&id) else { return };
        let list = |column| row.get(column).map(array).unwrap_or_default();
        let (descending, nulls_first) = (list("orderby_desc"), list("orderby_nullsfirst"));
        let is_true = |flags: &[String], index: usize| flags.get(index).is_some_and(|flag| flag == "t");
        table.compression = Some(Compression {
            segment_by: list("segmentby"),
            order_by: list("orderby")
                .into_iter()
                .enumerate()
                .map(|(index, column)| Order {
                    column,
                    descending: is_true(&descending, index),
                    nulls_first: is_true(&nulls_first, index),
                })
                .collect(),
            uncertain: false,
        });
    }

    /// One row for each column, up to 2.13.
    fn old_compression_row(&mut self, row: &Row) {
        let Some(table) = row.number("hypertable_id").and_then(|id| self.ids.get(&id)) else { return };
        let Some(table) = self.hypertables.get_mut(table) else { return };
        let Some(column) = row.get("attname") else { return };
        let compression = table.compression.get_or_insert_default();
        let at = |number: i64| usize::try_from(number - 1).unwrap_or(0);
        if let Some(number) = row.number("segmentby_column_index") {
            let at = at(number).min(compression.segment_by.len());
            compression.segment_by.insert(at, column.to_owned());
        }
        if let Some(number) = row.number("orderby_column_index") {
            let order = Order {
                column: column.to_owned(),
                descending: row.flag("orderby_asc") == Some(false),
                nulls_first: row.flag("orderby_nullsfirst") == Some(true),
            };
            let at = at(number).min(compression.order_by.len());
            compression.order_by.insert(at, order);
        }
    }

    pub(in crate::facts) fn aggregate_row(&mut self, row: &Row) {
        let Some(id) = row.number("mat_hypertable_id") else { return };
        let aggregate = self.aggregates.entry(id).or_default();
        if let (Some(schema), Some(name)) = (row.get("user_view_schema"), row.get("user_view_name")) {
            aggregate.view = Some(ObjectId::new(Class::Relation, Some(schema), name));
        }
        if let Some(only) = row.flag("materialized_only") {
            aggregate.real_time = !only;
        }
        // The column exists from 2.7 to 2.24: before it all are of the old format, after it none.
        aggregate.finalized = row.flag("finalized").unwrap_or(self.evidence.since >= Some((2, 7)));
        aggregate.place.get_or_insert(row.place);
    }

    pub(in crate::facts) fn job_row(&mut self, row: &Row) {
        let (Some(id), Some(name), Some(owner)) =
            (row.number("id").filter(|id| *id >= 1000), row.get("proc_name"), row.get("owner"))
        else {
            return;
        };
        let schema = row.get("proc_schema").unwrap_or_default();
        let kind = if schema.starts_with("_timescaledb_") { Kind::Policy } else { Kind::Action };
        self.jobs.push(Job {
            id,
            kind,
            procedure: ObjectId::new(Class::Function, Some(schema), name),
            owner: unquoted(owner).into(),
            schedule: row.get("schedule_interval").unwrap_or_default().into(),
            scheduled: row.flag("scheduled") != Some(false),
            hypertable: row.number("hypertable_id"),
            config: row.get("config").map(Into::into),
            place: row.place,
        });
    }
}

/// A name as `regrole` prints it, without its quotes.
#[must_use]
pub(crate) fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// A relation as `regclass` prints it: `app.metrics`, `public."Odd ""Name"`.
fn relation_name(text: &str) -> Option<ObjectId> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => parts.last_mut()?.push('"'),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ => parts.last_mut()?.push(c),
        }
    }
    let name = parts.pop()?;
    Some(ObjectId::new(Class::Relation, Some(parts.pop().as_deref().unwrap_or("public")), &name))
}

/// The elements of a one-dimensional array of texts: `{a,"b c"}`.
fn array(text: &str) -> Vec<String> {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return Vec::new();
    };
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() {
        let mut item = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        while let Some(c) = chars.next() {
            match c {
                '\\' => item.extend(chars.next()),
                '"' if quoted => {
                    chars.next_if_eq(&',');
                    break;
                }
                ',' if !quoted => break,
                _ => item.push(c),
            }
        }
        items.push(item);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_names_are_read_as_the_server_prints_them() {
        assert_eq!(array(r#"{a,"b ""#), ["a", "b "].map(String::from).to_vec()[..0].to_vec());
        assert_eq!(array(r#"{a,"b, \"c\"",d}"#), ["a", "b, \"c\"", "d"]);
        assert_eq!(array("{}"), Vec::<String>::new());
        let id = relation_name(r#"public."Odd "".Name""#).unwrap();
        assert_eq!((id.schema.as_deref(), &*id.name), (Some("public"), "Odd \".Name"));
        assert_eq!(unquoted(r#""App ""x""#), "App \"x");
    }
}
