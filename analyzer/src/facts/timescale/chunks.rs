//! What chunks tell of their hypertables: the CHECK constraints hold the column, the kind and the size of
//! every dimension; the columns of compressed chunks hold the compression settings.

use super::known::{
    Aggregate, Compressed, Compression, Dimension, INTERNAL, Order, Partitioning, Unit, chunk_ids, is_users,
    number_after,
};
use crate::facts::ObjectId;
use crate::facts::names::{qualified, relation, strings, text};
use crate::facts::state::Facts;
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};

/// The largest value of TimescaleDB's hash functions.
const MAX_HASH: i64 = 2_147_483_647;

/// What one CHECK says of one column.
#[derive(Debug, Default)]
struct Bounds {
    column: String,
    function: Option<ObjectId>,
    lower: Option<(i64, Unit)>,
    upper: Option<(i64, Unit)>,
}

impl Facts {
    /// A table of TimescaleDB's own: a chunk, a compressed chunk.
    pub(super) fn table_of_timescale(&mut self, s: &pg::CreateStmt, place: Place) {
        let Some(range) = s.relation.as_ref().filter(|range| range.schemaname == INTERNAL) else { return };
        if let Some((table, chunk)) = chunk_ids(&range.relname, "_hyper_") {
            self.chunk(s, table, chunk, place);
        } else if let Some((table, _)) = chunk_ids(&range.relname, "compress_hyper_") {
            self.timescale.compressed.entry(table).or_insert_with(|| compressed(s, None));
        } else if let Some(name) = range.relname.strip_suffix("_compressed")
            && let Some((table, _)) = chunk_ids(name, "_hyper_")
        {
            self.timescale.evidence.new_compressed_name();
            self.timescale.compressed.entry(table).or_insert_with(|| compressed(s, Some(table)));
        } else if let Some(id) = number_after(&range.relname, "_compressed_hypertable_") {
            self.timescale.compressed_tables.insert(id);
        } else if let Some(id) = number_after(&range.relname, "_materialized_hypertable_") {
            self.hypertables.insert(ObjectId::new(Class::Relation, Some(INTERNAL), &range.relname));
            self.timescale.aggregates.entry(id).or_insert_with(|| Aggregate {
                finalized: true,
                place: Some(place),
                ..Aggregate::default()
            });
        }
    }

    fn chunk(&mut self, s: &pg::CreateStmt, number: i64, chunk: i64, place: Place) {
        let Some(NodeEnum::RangeVar(parent)) = s.inh_relations.first().and_then(|p| p.node.as_ref()) else {
            return;
        };
        let (schema, name) = relation(parent);
        let id = self.resolved(&ObjectId::new(Class::Relation, schema, name));
        self.timescale.ids.entry(number).or_insert_with(|| id.clone());
        self.hypertables.insert(id.clone());
        if !is_users(&id) {
            return;
        }
        let table = self.timescale.hypertable(&id, place);
        table.id = Some(number);
        table.chunks += 1;
        for element in &s.table_elts {
            let Some(NodeEnum::Constraint(constraint)) = &element.node else { continue };
            if let Some(bounds) = constraint.raw_expr.as_ref().and_then(|expr| bounds(expr)) {
                let slice = number_after(&constraint.conname, "constraint_").unwrap_or(i64::MAX);
                learn(&mut table.dimensions, bounds, chunk, slice);
            }
        }
    }

    /// A view of a continuous aggregate: the one that users read, or the one that holds its query.
    pub(super) fn view_of_timescale(&mut self, statement: &Statement<'_>, s: &pg::ViewStmt) {
        let Some(range) = &s.view else { return };
        let place = statement.place(&statement.range());
        let new = || Aggregate { finalized: true, place: Some(place), ..Aggregate::default() };
        if range.schemaname == INTERNAL {
            let Some(id) = number_after(&range.relname, "_direct_view_") else { return };
            let body = statement.words(&["AS"]).map(|word| word.end..statement.body().end);
            let query = body.and_then(|body| statement.sql().get(body)).map(|query| query.trim().into());
            self.timescale.aggregates.entry(id).or_insert_with(new).definition = query;
            return;
        }
        let references = statement.references();
        let of = |prefix| {
            references
                .iter()
                .filter(|r| r.class == Class::Relation && r.schema.as_deref() == Some(INTERNAL))
                .find_map(|r| number_after(&r.name, prefix))
        };
        let Some(id) = of("_materialized_hypertable_") else { return };
        let calls = |name: &str| references.iter().any(|r| r.class == Class::Function && &*r.name == name);
        let (schema, name) = relation(range);
        let view = self.resolved(&ObjectId::new(Class::Relation, schema, name));
        let aggregate = self.timescale.aggregates.entry(id).or_insert_with(new);
        aggregate.view = Some(view);
        aggregate.real_time = calls("cagg_watermark");
        aggregate.finalized = !calls("finalize_agg");
        aggregate.place = Some(place);
    }

    /// An index on a compressed chunk or on a materialization.
    pub(super) fn index_of_timescale(&mut self, statement: &Statement<'_>, s: &pg::IndexStmt) {
        let Some(range) = s.relation.as_ref().filter(|range| range.schemaname == INTERNAL) else { return };
        if let Some(id) = number_after(&range.relname, "_materialized_hypertable_") {
            // TimescaleDB's own are named after the table; those for groups have two columns.
            if s.idxname.starts_with("_materialized_hypertable_") && s.index_params.len() > 1 {
                let place = statement.place(&statement.range());
                let aggregate = self.timescale.aggregates.entry(id).or_default();
                aggregate.group_indexes = true;
                aggregate.place.get_or_insert(place);
            }
            return;
        }
        let name = range.relname.strip_suffix("_compressed");
        let number = chunk_ids(&range.relname, "compress_hyper_")
            .or_else(|| chunk_ids(name?, "_hyper_"))
            .map(|(table, _)| table);
        let Some(known) = number.and_then(|number| self.timescale.compressed.get_mut(&number)) else {
            return;
        };
        if !known.descending.is_empty() {
            return;
        }
        for parameter in &s.index_params {
            let Some(NodeEnum::IndexElem(element)) = &parameter.node else { continue };
            if element.name.starts_with("_ts_meta_min_") {
                known.descending.push(element.ordering == pg::SortByDir::SortbyDesc as i32);
            }
        }
    }
}

/// The bounds that a CHECK of a chunk sets: `((ts >= '…'::t) AND (ts < '…'::t))`, or one of both.
fn bounds(expr: &pg::Node) -> Option<Bounds> {
    let mut bounds = Bounds::default();
    match expr.node.as_ref()? {
        NodeEnum::BoolExpr(both) if both.boolop == pg::BoolExprType::AndExpr as i32 => {
            for arg in &both.args {
                bound(arg, &mut bounds)?;
            }
        }
        _ => bound(expr, &mut bounds)?,
    }
    Some(bounds)
}

fn bound(expr: &pg::Node, bounds: &mut Bounds) -> Option<()> {
    let NodeEnum::AExpr(compare) = expr.node.as_ref()? else { return None };
    let (column, function) = match compare.lexpr.as_ref()?.node.as_ref()? {
        NodeEnum::ColumnRef(column) => (column, None),
        NodeEnum::FuncCall(call) => {
            let (schema, name) = qualified(&call.funcname)?;
            let [argument] = call.args.as_slice() else { return None };
            let argument = match argument.node.as_ref()? {
                NodeEnum::TypeCast(cast) => cast.arg.as_ref()?.node.as_ref()?,
                argument => argument,
            };
            let NodeEnum::ColumnRef(column) = argument else { return None };
            (column, Some(ObjectId::new(Class::Function, schema, name)))
        }
        _ => return None,
    };
    let column = strings(&column.fields).pop()?.to_owned();
    if !bounds.column.is_empty() && bounds.column != column {
        return None;
    }
    bounds.column = column;
    bounds.function = function;
    let value = value(compare.rexpr.as_ref()?)?;
    match strings(&compare.name).as_slice() {
        [">="] => bounds.lower = Some(value),
        ["<"] => bounds.upper = Some(value),
        _ => return None,
    }
    Some(())
}

/// A bound as a number: `10000`, `'-10000'::bigint`, `'2024-01-01 00:00:00+00'::timestamptz`, a UUID of version 7.
fn value(node: &pg::Node) -> Option<(i64, Unit)> {
    let (constant, name) = match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => {
            let name = cast.type_name.as_ref().and_then(|name| name.names.last());
            (cast.arg.as_ref()?.node.as_ref()?, name.and_then(text))
        }
        constant => (constant, None),
    };
    let NodeEnum::AConst(constant) = constant else { return None };
    let literal = match constant.val.as_ref()? {
        pg::a_const::Val::Ival(value) => return Some((i64::from(value.ival), Unit::Integer)),
        pg::a_const::Val::Fval(value) => return Some((value.fval.parse().ok()?, Unit::Integer)),
        pg::a_const::Val::Sval(value) => &*value.sval,
        _ => return None,
    };
    match name {
        Some("timestamptz" | "timestamp" | "date") => Some((microseconds(literal)?, Unit::Microseconds)),
        Some("uuid") => {
            let digits: String = literal.chars().filter(|c| *c != '-').take(12).collect();
            Some((i64::from_str_radix(&digits, 16).ok()?.checked_mul(1000)?, Unit::Microseconds))
        }
        _ => Some((literal.parse().ok()?, Unit::Integer)),
    }
}

/// `2024-01-10 00:00:00.5+05:30` as microseconds since 1970 in UTC; `None` for infinity and years BC.
fn microseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let zone_at = rest.find(['+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (rest.get(..zone_at)?, rest.get(zone_at..)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let seconds = |text: &str| -> Option<i64> {
        let mut total = 0;
        let mut unit = 3600;
        for part in text.split(':') {
            total += part.parse::<i64>().ok()? * unit;
            unit /= 60;
        }
        Some(total)
    };
    let offset = match zone.split_at_checked(1) {
        Some(("-", zone)) => -seconds(zone)?,
        Some((_, zone)) => seconds(zone)?,
        None => 0,
    };
    // Days from civil, by Howard Hinnant.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (days * 86_400 + seconds(clock)? - offset).checked_mul(1_000_000)?.checked_add(fraction)
}

/// Takes what one chunk says of one dimension.
fn learn(dimensions: &mut Vec<Dimension>, bounds: Bounds, chunk: i64, slice: i64) {
    let unit = bounds.lower.or(bounds.upper).map_or(Unit::Integer, |(_, unit)| unit);
    let (lower, upper) = (bounds.lower.map(|(value, _)| value), bounds.upper.map(|(value, _)| value));
    let is_hash = bounds.function.is_some() && unit == Unit::Integer;
    let function =
        bounds.function.filter(|f| !f.schema.as_deref().is_some_and(|s| s.starts_with("_timescaledb_")));
    let at = dimensions.iter().position(|known| *known.column == *bounds.column);
    let at = at.unwrap_or_else(|| {
        let partitioning = if is_hash {
            Partitioning::Hash { partitions: 1 }
        } else {
            Partitioning::Range { interval: None, unit }
        };
        let column = bounds.column.as_str().into();
        let dimension =
            Dimension { column, function, partitioning, now: None, latest_chunk: 0, first_slice: slice };
        dimensions.push(dimension);
        dimensions.len() - 1
    });
    let Some(known) = dimensions.get_mut(at) else { return };
    known.first_slice = known.first_slice.min(slice);
    match &mut known.partitioning {
        Partitioning::Hash { partitions } => {
            let size = match (lower, upper) {
                (Some(lower), Some(upper)) => upper.saturating_sub(lower),
                (None, Some(upper)) => upper,
                // The last partition takes what a division leaves over.
                (Some(lower), None) => MAX_HASH.saturating_sub(lower),
                (None, None) => return,
            };
            if size > 0 {
                *partitions = (*partitions).max((MAX_HASH + size / 2) / size);
            }
        }
        Partitioning::Range { interval, .. } => {
            if let (Some(lower), Some(upper)) = (lower, upper)
                && chunk >= known.latest_chunk
            {
                *interval = upper.checked_sub(lower);
                known.latest_chunk = chunk;
            }
        }
    }
    // The first dimension is a range, and almost always one of time.
    let rank = |partitioning: &Partitioning| match partitioning {
        Partitioning::Range { unit: Unit::Microseconds, .. } => 0,
        Partitioning::Range { unit: Unit::Integer, .. } => 1,
        Partitioning::Hash { .. } => 2,
    };
    dimensions.sort_by_key(|dimension| dimension.first_slice);
    let first = (0..dimensions.len()).min_by_key(|at| dimensions.get(*at).map(|d| rank(&d.partitioning)));
    if let Some(first) = first {
        dimensions.get_mut(..=first).unwrap_or_default().rotate_right(1);
    }
}

fn compressed(s: &pg::CreateStmt, hypertable: Option<i64>) -> Compressed {
    let mut found = Compressed { hypertable, ..Compressed::default() };
    for element in &s.table_elts {
        let Some(NodeEnum::ColumnDef(column)) = &element.node else { continue };
        let data_type =
            column.type_name.as_ref().map(|name| strings(&name.names).join(".")).unwrap_or_default();
        if column.colname.starts_with("_ts_meta_min_") {
            found.order_types.push(data_type.into());
        } else if !column.colname.starts_with("_ts_meta_") {
            found.columns.push((column.colname.as_str().into(), data_type.into()));
        }
    }
    found
}

impl Compressed {
    /// True where these are the columns of the table.
    #[must_use]
    pub fn has_columns(&self, columns: &[&str]) -> bool {
        self.columns.len() == columns.len() && self.columns.iter().all(|(name, _)| columns.contains(&&**name))
    }

    /// The settings that a hypertable with this time column and these columns (name, type) had.
    #[must_use]
    pub fn settings(&self, time: &str, columns: &[(&str, &str)]) -> Compression {
        let is_data = |data_type: &str| data_type.ends_with("compressed_data");
        let segment_by: Vec<String> =
            self.columns.iter().filter(|(_, t)| !is_data(t)).map(|(name, _)| (**name).to_owned()).collect();
        let data: Vec<(&str, &str)> = columns
            .iter()
            .copied()
            .filter(|(name, _)| !segment_by.iter().any(|segment| segment == name))
            .collect();
        let mut uncertain = false;
        let mut order_by: Vec<Order> = Vec::new();
        for (index, wanted) in self.order_types.iter().enumerate() {
            let free = |name: &str| !order_by.iter().any(|order| order.column == name);
            let fitting: Vec<&str> = data
                .iter()
                .filter(|(name, data_type)| *data_type == &**wanted && free(name))
                .map(|(name, _)| *name)
                .collect();
            let Some(column) = fitting.iter().find(|name| **name == time).or_else(|| fitting.first()) else {
                uncertain = true;
                continue;
            };
            uncertain |= fitting.len() > 1 && *column != time;
            let descending = self.descending.get(index).copied().unwrap_or(*column == time);
            order_by.push(Order { column: (*column).to_owned(), descending, nulls_first: descending });
        }
        Compression { segment_by, order_by, uncertain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_utc() {
        assert_eq!(microseconds("1970-01-01"), Some(0));
        assert_eq!(microseconds("2024-03-01 05:30:00.25+05:30"), Some(1_709_251_200_250_000));
        assert_eq!(microseconds("1969-12-31 19:00:00-05"), Some(0));
        assert_eq!(microseconds("infinity"), None);
        assert_eq!(microseconds("0044-03-15 00:00:00 BC"), None);
    }
}
