//! What a dump tells of a TimescaleDB source: from the rows of its catalogs in a full dump, and from
//! chunks, triggers and views where a dump has no rows.

mod catalog;
mod chunks;
mod known;
mod statements;
mod version;

pub(crate) use catalog::unquoted;
pub use known::{
    Aggregate, Compressed, Compression, Dimension, Edition, Hypertable, INTERNAL, Job, Kind, Order,
    Partitioning, Timescale, Unit, chunk_ids, number_after,
};
pub use version::{Evidence, Version};
