//! The script that converts candidates after a restore, for a person to read and run.

use std::fmt::Write as _;

use super::interval::{TimeType, words};
use super::obstacle::Obstacle;
use super::score::Candidate;
use crate::facts::Facts;
use crate::facts::names::{quoted, quoted_path};
use crate::facts::tables::{Attachment, Strategy, Traits};
use crate::human::count;
use crate::parse::pg::ConstrType as Kind;
use crate::quote::literal;

/// The name of its file.
pub(crate) const FILE: &str = "convert-to-hypertables.sql";

/// What it does, in one line.
pub(crate) const TITLE: &str =
    "Makes hypertables of the tables that look like time series. Run it after the restore.";

/// What a line begins with whose statement a person has to decide about.
const UNDECIDED: &str = "--? ";

/// The line that divides conversions from what comes on top of them.
pub(crate) const PART_TWO: &str = "-- PART 2: columnstore and retention";

/// A candidate with what stands in its way.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// The table.
    pub candidate: &'a Candidate<'a>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
}

impl Section<'_> {
    /// True where a person has to decide first.
    pub(crate) fn is_undecided(&self) -> bool {
        self.candidate.interval.guessed || self.obstacles.iter().any(|one| one.decision)
    }
}

/// A text as the rest of a line of a comment.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The statement that makes the hypertable.
pub(crate) fn call(candidate: &Candidate<'_>) -> String {
    let has_index = candidate.score.iter().any(|(_, why)| why.starts_with("an index or key"));
    format!(
        "SELECT public.create_hypertable({}, public.by_range({}, {}), create_default_indexes => {}, migrate_data => \
         true, if_not_exists => true);",
        literal(&candidate.table.id.path()),
        literal(candidate.column),
        candidate.interval.sql,
        !has_index
    )
}

/// The whole script.
pub(crate) fn script(facts: &Facts, sections: &[Section<'_>]) -> String {
    let mut out = String::new();
    let undecided = sections.iter().filter(|section| section.is_undecided()).count();
    let _ = writeln!(
        out,
        "-- Converts {} to hypertables. Run it as tsdbadmin after the restore, while nothing writes:\n\
         --   psql -X -v ON_ERROR_STOP=1 -f {FILE} \"$TARGET\"\n\
         -- Each table is one transaction: it is converted whole or left as it was. Rows move into chunks under a\n\
         -- lock, and need their disk space twice meanwhile. It can be run again: what is a hypertable is left alone.",
        count(sections.len() as u64, "table")
    );
    if undecided > 0 {
        let _ = writeln!(
            out,
            "-- {} a decision, because something of the table would be lost. Statements of such a section\n\
             -- begin with \"{}\": read what it says, and take that away to run them.",
            if undecided == 1 { "One section needs".into() } else { format!("{undecided} sections need") },
            UNDECIDED.trim_end()
        );
    }
    out.push_str("\nSET client_min_messages = warning;\n");
    if sections.iter().any(|section| section.candidate.partitioned.is_some()) {
        out.push('\n');
        out.push_str(CARRY_OVER);
    }
    for (index, section) in sections.iter().enumerate() {
        let _ = writeln!(out, "\n-- {} of {}: {}", index + 1, sections.len(), head(section));
        let mut body = guard(section);
        if section.candidate.partitioned.is_some() {
            copied(facts, section, &mut body);
        } else {
            in_place(section, &mut body);
        }
        body.push_str("\\endif\n");
        push(&mut out, &body, section.is_undecided());
    }
    let _ = write!(
        out,
        "\n{PART_TWO}\n\
         -- Rows that are older than this are kept by columns and compressed. It can wait until the conversion is\n\
         -- looked at.\n"
    );
    for section in sections {
        let _ = writeln!(out, "\n-- {}", line(&section.candidate.table.id.path()));
        let mut body = String::new();
        columnstore(section, &mut body);
        retention(section, &mut body);
        push(&mut out, &body, section.is_undecided());
    }
    out
}

/// What is a hypertable already is left alone: psql passes over the section.
fn guard(section: &Section<'_>) -> String {
    let id = section.candidate.table.id;
    format!(
        "SELECT NOT EXISTS (SELECT FROM timescaledb_information.hypertables\n    WHERE (hypertable_schema, \
         hypertable_name) = ({}, {})) AS convert \\gset\n\\if :convert\n",
        literal(id.schema.as_deref().unwrap_or("public")),
        literal(&id.name)
    )
}

/// Appends lines; where a person has to decide, statements among them as comments.
fn push(out: &mut String, body: &str, undecided: bool) {
    for line in body.lines() {
        if undecided && !line.is_empty() && !line.starts_with("--") {
            out.push_str(UNDECIDED);
        }
        out.push_str(line);
        out.push('\n');
    }
}

fn head(section: &Section<'_>) -> String {
    let candidate = section.candidate;
    let mut head = format!(
        "{}, time column {} (score {}: {})\n-- Chunks of {}: {}.",
        line(&candidate.table.id.path()),
        line(&quoted(candidate.column)),
        candidate.total(),
        candidate.spelled(),
        candidate.interval.sql,
        line(&candidate.interval.why)
    );
    if candidate.interval.hours.is_some() {
        head.push_str(
            "\n-- A good interval is one whose rows of all hypertables fit in a quarter of the service's memory.",
        );
    }
    for obstacle in &section.obstacles {
        let _ = write!(
            head,
            "\n--   {} (line {} of the dump): {}",
            obstacle.rule.id,
            obstacle.place.line,
            line(&obstacle.message)
        );
        if obstacle.decision {
            let _ = write!(head, "\n--     {}", line(&obstacle.advice));
        }
    }
    head
}

/// What has to go before the table can be converted where it is.
fn in_place(section: &Section<'_>, out: &mut String) {
    let candidate = section.candidate;
    let table = &candidate.table;
    let path = table.id.path();
    out.push_str("BEGIN;\n");
    no_nulls(section, &path, out);
    for publication in table.attached(Attachment::Publication) {
        let _ =
            writeln!(out, "ALTER PUBLICATION {} DROP TABLE {path};", quoted(table.name(publication.name)));
    }
    for rule in table.attached(Attachment::Rule) {
        let _ = writeln!(out, "DROP RULE IF EXISTS {} ON {path};", quoted(table.name(rule.name)));
    }
    for trigger in table.attached(Attachment::TransitionTrigger) {
        let _ = writeln!(out, "DROP TRIGGER IF EXISTS {} ON {path};", quoted(table.name(trigger.name)));
    }
    if section.obstacles.iter().any(|one| one.rule.id == "HT-13") {
        let _ = writeln!(
            out,
            "DO $$\nDECLARE\n    c record;\nBEGIN\n    FOR c IN SELECT conname, pg_get_constraintdef(oid) AS \
             definition FROM pg_constraint\n        WHERE conrelid = {}::regclass AND contype = 'c' AND connoinherit\n    \
             LOOP\n        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %3$s', {}, c.conname, \
             replace(c.definition, ' NO INHERIT', ''));\n    END LOOP;\nEND $$;",
            literal(&path),
            literal(&path)
        );
    }
    foreign_keys(section, out);
    keys(section, &path, out);
    let _ = writeln!(out, "{}", call(candidate));
    for publication in table.attached(Attachment::Publication) {
        let _ = writeln!(out, "ALTER PUBLICATION {} ADD TABLE {path};", quoted(table.name(publication.name)));
    }
    let _ = writeln!(out, "COMMIT;\nANALYZE {path};");
}

/// Foreign keys that no hypertable can have go.
fn foreign_keys(section: &Section<'_>, out: &mut String) {
    let table = &section.candidate.table;
    for key in table.referenced_by() {
        let other = table.facts.id_of(key.schema, key.table).path();
        let name = table.constraint_name(key);
        let _ = writeln!(out, "ALTER TABLE {other} DROP CONSTRAINT IF EXISTS {};", quoted(&name));
    }
    for key in table.constraints().filter(|key| Kind::try_from(key.kind) == Ok(Kind::ConstrForeign)) {
        if section.obstacles.iter().any(|one| one.rule.id == "HT-07" && one.place == key.place) {
            let name = table.constraint_name(key);
            let _ =
                writeln!(out, "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {};", table.id.path(), quoted(&name));
        }
    }
}

fn no_nulls(section: &Section<'_>, path: &str, out: &mut String) {
    if section.obstacles.iter().any(|one| one.rule.id == "HT-12") {
        let column = quoted(section.candidate.column);
        let message = format!("{path} has rows without {column}: give them a time, or delete them");
        let _ = writeln!(
            out,
            "DO $$\nBEGIN\n    IF EXISTS (SELECT FROM {path} WHERE {column} IS NULL) THEN\n        RAISE EXCEPTION \
             USING MESSAGE = {};\n    END IF;\nEND $$;",
            literal(&message)
        );
    }
}

/// Keys without the time column are made anew with it.
fn keys(section: &Section<'_>, path: &str, out: &mut String) {
    let candidate = section.candidate;
    let table = &candidate.table;
    let time = quoted(candidate.column);
    for key in table.unique() {
        if key.columns.iter().any(|column| table.name(*column) == candidate.column) {
            continue;
        }
        let list: Vec<String> = key.columns.iter().map(|column| quoted(table.name(*column))).collect();
        let is_plain = key.columns.iter().all(|column| !table.name(*column).is_empty());
        let name = table.key_name(&key);
        if key.word == "UNIQUE INDEX" {
            let index = quoted_path(table.id.schema.as_deref(), &name);
            let _ = writeln!(out, "DROP INDEX IF EXISTS {index};");
            if is_plain {
                let _ = writeln!(
                    out,
                    "CREATE UNIQUE INDEX {} ON {path} ({}, {time}); -- and its WHERE, where it had one",
                    quoted(&name),
                    list.join(", ")
                );
            }
            continue;
        }
        let _ = writeln!(out, "ALTER TABLE {path} DROP CONSTRAINT IF EXISTS {};", quoted(&name));
        if key.word != "EXCLUDE" && is_plain {
            let _ = writeln!(
                out,
                "ALTER TABLE {path} ADD CONSTRAINT {} {} ({}, {time});",
                quoted(&name),
                key.word,
                list.join(", ")
            );
        }
    }
}

/// Partitions cannot become chunks: a new table takes their rows, and the old one stays until somebody has looked.
fn copied(facts: &Facts, section: &Section<'_>, out: &mut String) {
    let candidate = section.candidate;
    let table = &candidate.table;
    let path = table.id.path();
    let old = format!("{}_partitioned", table.id.name);
    let old_path = quoted_path(table.id.schema.as_deref(), &old);
    let inherits = candidate.partitioned.is_some_and(|one| one.strategy == Strategy::Inheritance);
    let has_bad_keys = section.obstacles.iter().any(|one| one.rule.id == "HT-02");
    let columns: Vec<String> = table
        .relation
        .columns
        .iter()
        .filter(|column| !column.traits.has(Traits::GENERATED))
        .map(|column| quoted(facts.names.name(column.name)))
        .collect();
    let numbered = table.relation.columns.iter().any(|column| column.traits.has(Traits::NUMBERED));
    out.push_str("BEGIN;\n");
    no_nulls(section, &path, out);
    foreign_keys(section, out);
    let _ = writeln!(out, "ALTER TABLE {path} RENAME TO {};", quoted(&old));
    let _ = writeln!(
        out,
        "CREATE TABLE {path} (LIKE {old_path} INCLUDING ALL{});",
        if has_bad_keys { " EXCLUDING INDEXES" } else { "" }
    );
    let has_index = candidate.score.iter().any(|(_, why)| why.starts_with("an index or key"));
    let _ = writeln!(
        out,
        "SELECT public.create_hypertable({}, public.by_range({}, {}), create_default_indexes => {});",
        literal(&path),
        literal(candidate.column),
        candidate.interval.sql,
        !has_index || has_bad_keys
    );
    let list = columns.join(", ");
    let _ = writeln!(
        out,
        "INSERT INTO {path} ({list}){}\n    SELECT {list} FROM {old_path};",
        if numbered { " OVERRIDING SYSTEM VALUE" } else { "" }
    );
    if has_bad_keys {
        for key in table.unique().filter(|key| matches!(key.word, "PRIMARY KEY" | "UNIQUE")) {
            let mut list: Vec<String> =
                key.columns.iter().map(|column| quoted(table.name(*column))).collect();
            let time = quoted(candidate.column);
            if !list.contains(&time) {
                list.push(time);
            }
            let _ = writeln!(out, "ALTER TABLE {path} ADD {} ({});", key.word, list.join(", "));
        }
    }
    // What routed rows to child tables has nothing to do any more.
    let routing: Vec<String> = if inherits {
        table.attached(Attachment::InsertTrigger).map(|trigger| literal(table.name(trigger.name))).collect()
    } else {
        Vec::new()
    };
    let _ = writeln!(
        out,
        "SELECT pg_temp.carry_over({}, {}, ARRAY[{}]::text[]);",
        literal(&old_path),
        literal(&path),
        routing.join(", ")
    );
    let _ = writeln!(out, "COMMIT;\nANALYZE {path};");
    let _ = writeln!(
        out,
        "-- Once you have seen that all is there: DROP TABLE {}{};",
        line(&old_path),
        if inherits { " CASCADE" } else { "" }
    );
    if candidate.partman.is_some() {
        let _ = writeln!(
            out,
            "-- pg_partman has nothing to do for it any more: its row in part_config is needless."
        );
    }
}

fn columnstore(section: &Section<'_>, out: &mut String) {
    let candidate = section.candidate;
    let path = candidate.table.id.path();
    if section.obstacles.iter().any(|one| one.rule.id == "HT-17") {
        out.push_str("-- No columnstore: the table has row-level security (HT-17).\n");
        return;
    }
    let segment = candidate.segment_by.map(|column| {
        let by = literal(&quoted(column));
        format!(", timescaledb.segmentby = {by}")
    });
    if segment.is_none() {
        out.push_str(
            "-- Where queries ask for one device, account or the like, name its column: timescaledb.segmentby = \
             'column'.\n",
        );
    }
    let _ = writeln!(
        out,
        "ALTER TABLE {path} SET (timescaledb.enable_columnstore = true{}, timescaledb.orderby = {});",
        segment.unwrap_or_default(),
        literal(&format!("{} DESC", quoted(candidate.column)))
    );
    if candidate.kind == TimeType::Integer {
        out.push_str(
            "-- Policies count from now: set_integer_now_func() first, then add_columnstore_policy() and \
             add_retention_policy().\n",
        );
        return;
    }
    // Two chunks stay as rows, and never less than a week: that is where late rows and updates go.
    let after = candidate.interval.hours.map_or(14 * 24, |hours| (2 * hours).max(7 * 24));
    let _ = writeln!(
        out,
        "CALL public.add_columnstore_policy({}, after => INTERVAL '{}', if_not_exists => true);",
        literal(&path),
        words(after)
    );
}

fn retention(section: &Section<'_>, out: &mut String) {
    let candidate = section.candidate;
    let path = literal(&candidate.table.id.path());
    if candidate.kind == TimeType::Integer {
        return;
    }
    match candidate.partman.and_then(|partman| Some((partman, partman.retention.as_deref()?))) {
        Some((partman, retention)) => {
            let policy = format!(
                "SELECT public.add_retention_policy({path}, drop_after => INTERVAL {}, if_not_exists => true);",
                literal(retention)
            );
            if partman.keeps {
                let _ = writeln!(
                    out,
                    "-- pg_partman detaches partitions after {}, and keeps them as tables. This drops them:\n-- {}",
                    line(retention),
                    line(&policy)
                );
            } else {
                let _ = writeln!(
                    out,
                    "-- pg_partman drops partitions after {}: so does this.\n{policy}",
                    line(retention)
                );
            }
        }
        None => {
            let _ = writeln!(
                out,
                "-- Where old rows may go: SELECT public.add_retention_policy({}, drop_after => INTERVAL '1 year');",
                line(&path)
            );
        }
    }
}

/// A function of the session: what LIKE leaves behind. PostgreSQL keeps all of it in its catalogs, so it is read there.
const CARRY_OVER: &str = include_str!("carry_over.sql");
