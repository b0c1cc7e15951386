//! Which statement makes a table a hypertable.

use crate::facts::ObjectId;
use crate::facts::hypertables::{CallKind, declared};
use crate::parse::NodeEnum;
use crate::rule::Context;

/// What a statement makes a hypertable.
#[derive(Debug)]
pub(crate) enum Making {
    /// `SELECT create_hypertable(…)`: of this table, by these columns.
    Called {
        /// The table.
        table: ObjectId,
        /// Its columns.
        columns: Vec<Box<str>>,
        /// `migrate_data => true`.
        migrates: bool,
    },
    /// `SELECT add_dimension(…)`.
    Dimension {
        /// The table.
        table: ObjectId,
        /// The new column.
        columns: Vec<Box<str>>,
    },
    /// `CREATE TABLE … WITH (tsdb.hypertable)`.
    Declared,
    /// CREATE TABLE of a table that the person wants to have as a hypertable.
    Chosen {
        /// The table.
        table: ObjectId,
    },
}

/// What the statement makes a hypertable, if that is what it does.
pub(crate) fn making(ctx: &Context<'_>) -> Option<Making> {
    let (_, node) = ctx.node()?;
    match node {
        NodeEnum::SelectStmt(_) => {
            let call = ctx.facts.hypertable_call(node)?;
            let is_one = ctx.facts.converted.contains_key(&call.table);
            match call.kind {
                CallKind::Create if is_one => None,
                CallKind::Create => {
                    Some(Making::Called { table: call.table, columns: call.columns, migrates: call.migrates })
                }
                CallKind::AddDimension => {
                    is_one.then_some(Making::Dimension { table: call.table, columns: call.columns })
                }
            }
        }
        NodeEnum::CreateStmt(s) => {
            if declared(s).is_some() {
                return Some(Making::Declared);
            }
            if ctx.options.convert.is_empty() {
                return None;
            }
            let table = ctx.facts.table_id(s.relation.as_ref()?);
            chosen(ctx, &table).map(|_| Making::Chosen { table })
        }
        _ => None,
    }
}

/// What the person wants of a table.
pub(crate) fn chosen<'a>(ctx: &Context<'a>, table: &ObjectId) -> Option<&'a crate::conversion::Conversion> {
    if ctx.options.convert.is_empty() {
        return None;
    }
    let schema = table.schema.as_deref().unwrap_or("public");
    ctx.options.convert.get(&(schema.to_owned(), table.name.to_string()))
}
