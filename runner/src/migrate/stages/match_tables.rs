//! Tables of the source as the target has them: those that it lacks are left out, and rows of those whose columns differ
//! go over as text.

use crate::error::Error;
use crate::migrate::copy_plan::TableRanges;
use crate::migrate::driver::{Run, StageResult};
use crate::migrate::loaded::Loaded;
use crate::results::Missing;
use crate::tables;
use crate::tables::format::Format;

/// Compares the tables to copy with those of the target, `shapes`.
pub(in crate::migrate) async fn run(
    run: &Run<'_>,
    tables: &mut Vec<TableRanges>,
    shapes: &tables::Shapes,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let of_source = tables::shapes(&*run.snapshot.holder.turn().await?).await?;
    let mut missing = Vec::new();
    tables.retain(|(table, parts)| {
        let exists = shapes.contains_key(&table.into);
        if !exists {
            loaded.skipped.insert(table.relation.clone());
            if !parts.is_empty() {
                let what = format!("about {} rows of {}", table.rows, table.relation);
                missing.push(Missing { what, why: "its table is not on the target".into(), sql: None });
            }
        }
        exists
    });
    for (table, _) in tables.iter_mut() {
        let shape = |shapes: &tables::Shapes, relation| shapes.get(relation).map(|(_, shape)| shape.clone());
        if shape(shapes, &table.into) != shape(&of_source, table.on_source()) {
            table.format = Format::Text;
        }
    }
    Ok(StageResult { missing, ..StageResult::default() })
}
