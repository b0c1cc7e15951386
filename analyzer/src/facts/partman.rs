//! What pg_partman knows of the tables that it partitions: its rows in `part_config`.

pub use super::declared::Partman;
use super::rows::Row;
use super::state::Facts;

/// Takes a row of `part_config`. Its columns are named in every dump but those of `pg_dump --inserts`, and the first
/// ones have kept their order: `parent_table`, `control`, then (version 4) `partition_type`, `partition_interval` or
/// (version 5) `time_encoder`…: without names only the first two could be told, so such rows are passed over.
pub(super) fn part_config(facts: &mut Facts, row: &Row) {
    let (Some(parent), Some(control), Some(interval)) =
        (row.get("parent_table"), row.get("control"), row.get("partition_interval"))
    else {
        return;
    };
    facts.partman.push(Partman {
        parent: parent.into(),
        control: control.into(),
        interval: interval.into(),
        retention: row.get("retention").map(Into::into),
        keeps: row.get("retention_keep_table") != Some("f"),
        place: row.place,
    });
}

#[cfg(test)]
mod tests {
    use crate::{Analyzer, Options, Target};

    #[test]
    fn rows_are_the_same_however_their_bytes_arrive() {
        let dump = "COPY partman.part_config (parent_table, control, partition_interval, retention) FROM stdin;\n\
                    public.a\tts\t1 day\t30 days\npublic.b\tts\t7 days\t\\N\n\\.\n\
                    INSERT INTO partman.part_config (parent_table, control, partition_interval) VALUES \
                    ('public.c', 'id', '100000');\nSELECT 1;\n";
        let (target, options) = (Target::default(), Options::default());
        let read = |size: usize| {
            let mut analyzer = Analyzer::new(&target, &options);
            analyzer.begin("d");
            for chunk in dump.as_bytes().chunks(size) {
                analyzer.feed(chunk).unwrap();
            }
            analyzer.end().unwrap();
            analyzer.finish().facts.partman
        };
        let whole = read(dump.len());
        let parents: Vec<_> = whole.iter().map(|one| (&*one.parent, one.retention.as_deref())).collect();
        assert_eq!(parents, [("public.a", Some("30 days")), ("public.b", None), ("public.c", None)]);
        for size in [1, 2, 7, 64] {
            assert_eq!(read(size), whole, "{size}");
        }
    }
}
