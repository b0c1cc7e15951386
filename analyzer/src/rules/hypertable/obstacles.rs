//! What stands in the way of making a table a hypertable, in the order in which the server looks at it.

use super::interval::time_type;
use super::tables::{Table, Tables};
use crate::facts::ObjectId;
use crate::facts::names::quoted;
use crate::facts::tables::{Attachment, Strategy, Traits};
use crate::finding::{Place, ServerError, Severity};
use crate::parse::pg::ConstrType as Kind;
use crate::rule::Rule;

/// One obstacle.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// Its rule.
    pub rule: &'static Rule,
    /// Where the dump makes it.
    pub place: Place,
    /// What it is about, where that is not the table itself.
    pub object: Option<String>,
    /// What it is.
    pub message: String,
    /// What the server answers.
    pub server: Option<ServerError>,
    /// What to do.
    pub advice: String,
    /// How bad it is for a table that has to be a hypertable.
    pub severity: Severity,
    /// Its cure takes something away that an application may need: a person decides.
    pub decision: bool,
}

/// When the table becomes a hypertable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When<'a> {
    /// By a statement of the dump.
    Now {
        /// `migrate_data => true`.
        migrates: bool,
    },
    /// After the restore, with these other tables.
    Later(&'a [&'a ObjectId]),
}

/// Everything that stands in the way of a hypertable with these columns, the time column first.
pub(crate) fn obstacles(
    tables: &Tables<'_>,
    table: &Table<'_>,
    columns: &[&str],
    when: When<'_>,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let time = columns.first().copied().unwrap_or_default();
    partitions(tables, table, &mut found);
    rules_and_triggers(table, &mut found);
    published(table, when, &mut found);
    time_column(table, time, &mut found);
    no_inherit(table, &mut found);
    unique(table, columns, &mut found);
    foreign_keys(table, when, &mut found);
    if let When::Now { migrates: false } = when
        && table.facts.filled.contains(table.id)
    {
        found.push(Obstacle {
            rule: &super::ht_09_nonempty::RULE,
            place: table.relation.place,
            object: Some(format!("table {}", path(table))),
            message: format!("{} has rows by now", path(table)),
            server: Some(super::ht_09_nonempty::answer(&table.id.name)),
            advice:
                "Make the table a hypertable before its rows come, or say migrate_data => true: the rows are \
                     moved into chunks then, and the table is locked while they are."
                    .into(),
            severity: Severity::Error,
            decision: false,
        });
    }
    row_security(table, when, &mut found);
    found
}

fn path(table: &Table<'_>) -> String {
    table.id.path()
}

const INHERITS: &str = "It is not possible to turn tables that use inheritance into hypertables.";

fn partitions(tables: &Tables<'_>, table: &Table<'_>, found: &mut Vec<Obstacle>) {
    let mut add = |rule, message: String, detail: &str, state: &'static str, advice: String| {
        found.push(Obstacle {
            rule,
            place: table.relation.place,
            object: Some(format!("table {}", path(table))),
            message,
            server: Some(
                ServerError::new(state, format!("table \"{}\" is already partitioned", table.id.name))
                    .detail(detail),
            ),
            advice,
            severity: Severity::Error,
            decision: false,
        });
    };
    let partitioned = table.facts.partitioned.get(table.id);
    if let Some(by) = partitioned.filter(|by| by.strategy != Strategy::Inheritance) {
        add(
            &super::ht_03_partitioned::RULE,
            format!(
                "{} is partitioned by PostgreSQL ({} partitions in the dump)",
                path(table),
                by.partitions
            ),
            "It is not possible to turn partitioned tables into hypertables.",
            "42809",
            format!(
                "A hypertable with the same columns takes the rows of all partitions; chunks take the partitions' \
                 place. The script convert-to-hypertables.sql does so for {} after the restore.",
                path(table)
            ),
        );
        return;
    }
    let parent = table.relation.parents.first();
    if let Some(parent) = parent.filter(|parent| table.facts.partitioned.contains_key(*parent)) {
        add(
            &super::ht_04_partition::RULE,
            format!("{} is a partition of {}", path(table), parent.path()),
            INHERITS,
            "0A000",
            format!("Make {} a hypertable, not its partition.", parent.path()),
        );
    } else if let Some(parent) = parent {
        add(
            &super::ht_05_inheritance::RULE,
            format!("{} inherits from {}", path(table), parent.path()),
            INHERITS,
            "0A000",
            format!(
                "Take the inheritance away first: ALTER TABLE {} NO INHERIT {};",
                path(table),
                parent.path()
            ),
        );
    } else if tables.has_children(table.id) {
        add(
            &super::ht_05_inheritance::RULE,
            format!("other tables inherit from {}", path(table)),
            INHERITS,
            "0A000",
            format!(
                "Put the rows of the child tables into one table that nothing inherits from: that one becomes a \
                 hypertable. {}",
                if partitioned.is_some() { "The script convert-to-hypertables.sql does so after the restore." } else { "" }
            )
            .trim_end()
            .to_owned(),
        );
    }
}

fn rules_and_triggers(table: &Table<'_>, found: &mut Vec<Obstacle>) {
    for rule in table.attached(Attachment::Rule) {
        let name = table.name(rule.name);
        found.push(Obstacle {
            rule: &super::ht_06_rule::RULE,
            place: rule.place,
            object: Some(format!("rule {} on {}", quoted(name), path(table))),
            message: format!("{} has the rule {}", path(table), quoted(name)),
            server: Some(super::ht_06_rule::answer(Some(&table.id.name))),
            advice: format!(
                "DROP RULE {} ON {}; what it does belongs into a trigger, or into chunks where it sends rows to \
                 partitions.",
                quoted(name),
                path(table)
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
    for trigger in table.attached(Attachment::TransitionTrigger) {
        let name = table.name(trigger.name);
        found.push(Obstacle {
            rule: &super::ht_08_transition_trigger::RULE,
            place: trigger.place,
            object: Some(format!("trigger {} on {}", quoted(name), path(table))),
            message: format!("{} has the row trigger {} with a transition table", path(table), quoted(name)),
            server: Some(super::ht_08_transition_trigger::answer()),
            advice: "Make it FOR EACH STATEMENT, where its function does not need single rows, or leave the \
                     transition table out."
                .into(),
            severity: Severity::Error,
            decision: true,
        });
    }
}

fn published(table: &Table<'_>, when: When<'_>, found: &mut Vec<Obstacle>) {
    for publication in table.attached(Attachment::Publication) {
        let name = table.name(publication.name);
        found.push(Obstacle {
            rule: &super::ht_18_publication::RULE,
            place: publication.place,
            object: Some(format!("publication {}", quoted(name))),
            message: format!("{} belongs to the publication {}", path(table), quoted(name)),
            server: Some(super::ht_18_publication::answer(&table.id.name)),
            advice: format!(
                "ALTER PUBLICATION {} DROP TABLE {}; before, and ADD TABLE after. Rows of a hypertable lie in chunks, \
                 and a publication of the hypertable does not send their changes.",
                quoted(name),
                path(table)
            ),
            severity: Severity::Error,
            decision: matches!(when, When::Later(_)),
        });
    }
}

fn time_column(table: &Table<'_>, time: &str, found: &mut Vec<Obstacle>) {
    let Some(column) = table.column(time) else { return };
    let data_type = table.data_type(column);
    let mut add = |rule, message: String, server: Option<ServerError>, advice: String, severity| {
        let object = Some(format!("column {}.{}", path(table), quoted(time)));
        let place = table.relation.place;
        found.push(Obstacle { rule, place, object, message, server, advice, severity, decision: false });
    };
    if column.traits.has(Traits::GENERATED) {
        add(
            &super::ht_11_generated::RULE,
            format!("{} of {} is a generated column", quoted(time), path(table)),
            Some(super::ht_11_generated::answer()),
            "Use the column that it is made from, or make it an ordinary column that a trigger or the application \
             fills."
                .into(),
            Severity::Error,
        );
        return;
    }
    if super::ht_10_column_type::is_refused(data_type) {
        add(
            &super::ht_10_column_type::RULE,
            format!("{} of {} is {}", quoted(time), path(table), super::ht_10_column_type::words(data_type)),
            Some(super::ht_10_column_type::answer(time)),
            format!(
                "Give the column a time type: ALTER TABLE {} ALTER COLUMN {} TYPE timestamptz USING {}::timestamptz;",
                path(table),
                quoted(time),
                quoted(time)
            ),
            Severity::Error,
        );
        return;
    }
    if !column.traits.has(Traits::NOT_NULL) {
        add(
            &super::ht_12_nullable::RULE,
            format!("{} of {} may be NULL: a hypertable makes it NOT NULL", quoted(time), path(table)),
            Some(super::ht_12_nullable::answer(time)),
            format!(
                "Look for such rows on the source: SELECT count(*) FROM {} WHERE {} IS NULL;",
                path(table),
                quoted(time)
            ),
            Severity::Warning,
        );
    }
    if time_type(data_type) == Some(super::interval::TimeType::Timestamp) {
        add(
            &super::ht_15_column_types::RULE,
            format!("{} of {} is timestamp without time zone", quoted(time), path(table)),
            Some(super::ht_15_column_types::answer(time)),
            format!(
                "It works, with a warning. ALTER TABLE {} ALTER COLUMN {} TYPE timestamptz; while the table is \
                 empty, under the time zone that its values are meant in.",
                path(table),
                quoted(time)
            ),
            Severity::Note,
        );
    }
}

fn no_inherit(table: &Table<'_>, found: &mut Vec<Obstacle>) {
    for check in
        table.constraints().filter(|c| c.no_inherit && Kind::try_from(c.kind) == Ok(Kind::ConstrCheck))
    {
        let name = table.constraint_name(check);
        found.push(Obstacle {
            rule: &super::ht_13_no_inherit::RULE,
            place: check.place,
            object: Some(format!("constraint {} on {}", quoted(&name), path(table))),
            message: format!("the CHECK {} of {} is NO INHERIT", quoted(&name), path(table)),
            server: Some(super::ht_13_no_inherit::answer(&table.id.name, true)),
            advice: "Without NO INHERIT it says the same of a table that nothing inherits from.".into(),
            severity: Severity::Error,
            decision: false,
        });
    }
}

fn unique(table: &Table<'_>, columns: &[&str], found: &mut Vec<Obstacle>) {
    for key in table.unique() {
        let has = |column: &&&str| !key.columns.iter().any(|symbol| table.name(*symbol) == **column);
        let Some(missing) = columns.iter().find(has) else { continue };
        let list: Vec<String> = key
            .columns
            .iter()
            .map(|column| {
                Some(table.name(*column)).filter(|n| !n.is_empty()).map_or("(expression)".into(), quoted)
            })
            .collect();
        let name = table.name(key.name);
        let named = if name.is_empty() { String::new() } else { format!(" {}", quoted(name)) };
        let word = if key.word == "UNIQUE INDEX" { "index" } else { "constraint" };
        found.push(Obstacle {
            rule: &super::ht_02_unique::RULE,
            place: key.place,
            object: (!name.is_empty()).then(|| format!("{word} {} on {}", quoted(name), path(table))),
            message: format!(
                "the {}{named} ({}) of {} lacks the column {}",
                key.word,
                list.join(", "),
                path(table),
                quoted(missing)
            ),
            server: Some(super::ht_02_unique::answer(missing)),
            advice: format!(
                "With the time column in it, ({}, {}), it no longer keeps two rows of the same {} apart at different \
                 times. Decide whether the application needs more.",
                list.join(", "),
                quoted(missing),
                list.join(", ")
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
}

fn foreign_keys(table: &Table<'_>, when: When<'_>, found: &mut Vec<Obstacle>) {
    let is_hypertable = |schema, name| {
        let id = table.facts.id_of(schema, name);
        let later = matches!(when, When::Later(others) if others.contains(&&id));
        (later || table.facts.converted.contains_key(&id)) && id != *table.id
    };
    for key in table.constraints() {
        let Some((schema, name)) = key.references.filter(|(schema, name)| is_hypertable(*schema, *name))
        else {
            continue;
        };
        let other = table.facts.id_of(schema, name).path();
        let by = table.constraint_name(key);
        found.push(Obstacle {
            rule: &super::ht_07_foreign_key::RULE,
            place: key.place,
            object: Some(format!("constraint {} on {}", quoted(&by), path(table))),
            message: format!("{} refers to {other}: both would be hypertables", path(table)),
            server: Some(super::ht_07_foreign_key::answer()),
            advice: format!(
                "Leave the foreign key {} out, or keep one of the two an ordinary table.",
                quoted(&by)
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
    // Rows that move into chunks leave the table empty for a moment.
    if matches!(when, When::Now { migrates: false }) {
        return;
    }
    for key in table.referenced_by() {
        let other = table.facts.id_of(key.schema, key.table).path();
        let by = table.constraint_name(key);
        found.push(Obstacle {
            rule: &super::ht_07_foreign_key::RULE,
            place: key.place,
            object: Some(format!("constraint {} on {other}", quoted(&by))),
            message: format!("{other} refers to {}, whose rows cannot move into chunks meanwhile", path(table)),
            server: Some(super::ht_07_foreign_key::moved(
                &table.id.name,
                &table.facts.id_of(key.schema, key.table).name,
            )),
            advice: format!(
                "Drop the foreign key {} before. Afterwards it can only refer to a key that holds the time column.",
                quoted(&by)
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
}

fn row_security(table: &Table<'_>, when: When<'_>, found: &mut Vec<Obstacle>) {
    if matches!(when, When::Now { .. }) {
        return;
    }
    if let Some(security) = table.attached(Attachment::RowSecurity).next() {
        found.push(Obstacle {
            rule: &super::ht_17_columnstore_security::RULE,
            place: security.place,
            object: Some(format!("table {}", path(table))),
            message: format!("{} has row-level security: its columnstore cannot be used", path(table)),
            server: Some(super::ht_17_columnstore_security::answer()),
            advice: "A hypertable it can be. Whether policies or compression matter more is for you to say; views \
                     with privileges may do what the policies do."
                .into(),
            severity: Severity::Note,
            decision: false,
        });
    }
}
