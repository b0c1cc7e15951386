//! What stands in the way of making a table a hypertable. Each rule says so for itself.

use super::obstacle::{NewHypertable, Obstacle, When};
use super::tables::{Table, Tables};
use super::{
    ht_02_unique, ht_03_partitioned, ht_04_partition, ht_05_inheritance, ht_06_rule, ht_07_foreign_key,
    ht_08_transition_trigger, ht_09_nonempty, ht_10_column_type, ht_11_generated, ht_12_nullable,
    ht_13_no_inherit, ht_15_column_types, ht_17_columnstore_security, ht_18_publication,
};

/// How a rule says what stands in the way.
type Check = fn(&NewHypertable<'_>, &mut Vec<Obstacle>);

/// In the order in which the server looks.
const CHECKS: [Check; 15] = [
    ht_03_partitioned::obstacle,
    ht_04_partition::obstacle,
    ht_05_inheritance::obstacle,
    ht_06_rule::obstacle,
    ht_08_transition_trigger::obstacle,
    ht_18_publication::obstacle,
    ht_11_generated::obstacle,
    ht_10_column_type::obstacle,
    ht_12_nullable::obstacle,
    ht_15_column_types::obstacle,
    ht_13_no_inherit::obstacle,
    ht_02_unique::obstacle,
    ht_07_foreign_key::obstacle,
    ht_09_nonempty::obstacle,
    ht_17_columnstore_security::obstacle,
];

/// Everything that stands in the way of a hypertable with these columns, the time column first.
pub(crate) fn obstacles(
    tables: &Tables<'_>,
    table: &Table<'_>,
    columns: &[&str],
    when: When<'_>,
) -> Vec<Obstacle> {
    let new = NewHypertable { tables, table: *table, columns, when };
    let mut found = Vec::new();
    for check in CHECKS {
        check(&new, &mut found);
    }
    found
}
