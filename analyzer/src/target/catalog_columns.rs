//! Columns of the server's own tables and views that versions have taken away.

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct GoneColumn {
    /// Its table or view.
    pub relation: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The first version without it; 15 for all that were gone before.
    pub since: u32,
    /// What has the value instead.
    pub instead: &'static str,
}

const fn gone(relation: &'static str, name: &'static str, since: u32, instead: &'static str) -> GoneColumn {
    GoneColumn { relation, name, since, instead }
}

const CHECKPOINTER: &str = "pg_stat_checkpointer has it";
const BACKENDS: &str = "pg_stat_io has it";
const STATEMENTS: &str = "its name has begun with shared_ since pg_stat_statements 1.11";
const TIMES: &str = "its name has ended in _exec_time since pg_stat_statements 1.8";

/// Those of 17 and 18 are what the catalogs of 15.18, 17.12 and 18.6 differ in; older ones are of the release notes.
const GONE: &[GoneColumn] = &[
    gone("pg_attribute", "attcacheoff", 18, "no query needs it"),
    gone("pg_backend_memory_contexts", "parent", 18, "path has it"),
    gone("pg_stat_io", "op_bytes", 18, "read_bytes, write_bytes and extend_bytes have it"),
    gone("pg_stat_wal", "wal_sync", 18, BACKENDS),
    gone("pg_stat_wal", "wal_sync_time", 18, BACKENDS),
    gone("pg_stat_wal", "wal_write", 18, BACKENDS),
    gone("pg_stat_wal", "wal_write_time", 18, BACKENDS),
    gone("pg_collation", "colliculocale", 17, "its name is colllocale"),
    gone("pg_database", "daticulocale", 17, "its name is datlocale"),
    gone("pg_stat_bgwriter", "buffers_backend", 17, BACKENDS),
    gone("pg_stat_bgwriter", "buffers_backend_fsync", 17, BACKENDS),
    gone("pg_stat_bgwriter", "buffers_checkpoint", 17, CHECKPOINTER),
    gone("pg_stat_bgwriter", "checkpoint_sync_time", 17, CHECKPOINTER),
    gone("pg_stat_bgwriter", "checkpoint_write_time", 17, CHECKPOINTER),
    gone("pg_stat_bgwriter", "checkpoints_req", 17, CHECKPOINTER),
    gone("pg_stat_bgwriter", "checkpoints_timed", 17, CHECKPOINTER),
    gone("pg_stat_progress_vacuum", "max_dead_tuples", 17, "its name is max_dead_tuple_bytes"),
    gone("pg_stat_progress_vacuum", "num_dead_tuples", 17, "num_dead_item_ids has it"),
    gone("pg_stat_statements", "blk_read_time", 17, STATEMENTS),
    gone("pg_stat_statements", "blk_write_time", 17, STATEMENTS),
    gone("pg_stat_statements", "max_time", 15, TIMES),
    gone("pg_stat_statements", "mean_time", 15, TIMES),
    gone("pg_stat_statements", "min_time", 15, TIMES),
    gone("pg_stat_statements", "stddev_time", 15, TIMES),
    gone("pg_stat_statements", "total_time", 15, TIMES),
    gone("pg_attrdef", "adsrc", 15, "pg_get_expr(adbin, adrelid) gives it"),
    gone("pg_class", "relhasoids", 15, "no table has oids any more"),
    gone("pg_class", "relhaspkey", 15, "pg_index.indisprimary says it"),
    gone("pg_constraint", "consrc", 15, "pg_get_expr(conbin, conrelid) gives it"),
    gone("pg_database", "datlastsysoid", 15, "no query needs it"),
    gone("pg_proc", "proisagg", 15, "prokind says it"),
    gone("pg_proc", "proiswindow", 15, "prokind says it"),
    gone("pg_stat_activity", "current_query", 15, "query and state have it"),
    gone("pg_stat_activity", "procpid", 15, "its name is pid"),
    gone("pg_stat_activity", "waiting", 15, "wait_event_type and wait_event say it"),
    gone("pg_stat_replication", "flush_location", 15, "its name is flush_lsn"),
    gone("pg_stat_replication", "replay_location", 15, "its name is replay_lsn"),
    gone("pg_stat_replication", "sent_location", 15, "its name is sent_lsn"),
    gone("pg_stat_replication", "write_location", 15, "its name is write_lsn"),
    gone("pg_stat_wal_receiver", "received_lsn", 15, "flushed_lsn has it"),
    gone("pg_tablespace", "spclocation", 15, "pg_tablespace_location(oid) gives it"),
];

/// The columns that a table or view of this name does not have in this version, and had in an older one.
pub fn gone_columns(relation: &str, version: u32) -> impl Iterator<Item = &'static GoneColumn> {
    GONE.iter().filter(move |column| column.relation == relation && column.since <= version)
}
