//! What will be done: facts of both servers in, blockers and steps out. Pure.

mod preflight;
mod text;
mod versions;

use serde::Serialize;
use tsmigrate_analyzer::report::{count, thousands};

pub use preflight::{of_source, of_target, preflight};
pub use versions::{Bridge, bridge, source_update, stays, timescale_version};

use crate::capacity::{Connections, Workers};
use crate::connect::Side;
use crate::estimate::Estimate;
use crate::human;
use crate::inspect::{Facts, Timescale};
use crate::jobs::Job;
use crate::quote::{psql, quoted};
use crate::volume::{Kind, Volume};

/// What it means that jobs of the source run.
pub const RUNNING: &str = "one that drops or compresses chunks waits until they are copied, with everybody who asks for its \
    hypertable behind it, and what it does afterwards is not moved";

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: String,
}

/// Sessions that a run takes on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sessions {
    /// Which server.
    pub side: Side,
    /// At most so many at once.
    pub needed: u64,
    /// What the server says about its limits.
    #[serde(flatten)]
    pub connections: Connections,
}

/// All steps in their order, and what they take.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// How much there is to move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Bytes that the target will need: about as many as the source's rows and indexes take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_bytes: Option<u64>,
    /// Sessions on either server.
    pub sessions: Vec<Sessions>,
    /// How long it will take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What to know before.
    pub notes: Vec<String>,
}

/// Numbers of statements that a plan names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of the roles.
    pub roles: usize,
    /// `CREATE EXTENSION`.
    pub extensions: usize,
    /// Before the data.
    pub pre_data: usize,
    /// After the data.
    pub post_data: usize,
    /// Owners and privileges.
    pub access: usize,
}

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// The source.
    pub source: &'a Facts,
    /// The target.
    pub target: &'a Facts,
    /// What dumps the schema: `pg_dump (PostgreSQL) 17.2`.
    pub dumped_by: &'a str,
    /// Statements, as the analysis left them.
    pub counts: Counts,
    /// Jobs of the source.
    pub jobs: &'a [Job],
    /// They are paused on the source meanwhile.
    pub pause_jobs: bool,
    /// They are started on the target at the end.
    pub start_jobs: bool,
    /// The target's TimescaleDB is updated at the end.
    pub update_timescaledb: bool,
    /// How much there is to move.
    pub volume: Option<&'a Volume>,
    /// Sessions that the source and the target take.
    pub connections: Option<(Connections, Connections)>,
    /// How long it will take, where that was measured.
    pub estimate: Option<&'a Estimate>,
    /// Copies at once.
    pub copies: u64,
    /// Copies of small tables at once.
    pub small: u64,
    /// Builds at once.
    pub builds: u64,
    /// How rows are compared at the end; none where they are not.
    pub check: Option<&'a str>,
}

/// The steps of a migration, and what they take.
#[must_use]
pub fn plan(basis: &Basis<'_>) -> Plan {
    let workers = Workers { jobs: basis.copies, small: basis.small, builders: basis.builds };
    let sessions = basis.connections.map(|(source, target)| {
        let of = |side, needed, connections| Sessions { side, needed, connections };
        [of(Side::Source, workers.on_source(), source), of(Side::Target, workers.on_target(), target)]
    });
    let mut plan = Plan {
        steps: steps(basis),
        volume: basis.volume.cloned(),
        target_bytes: basis.volume.map(Volume::target_bytes),
        sessions: sessions.into_iter().flatten().collect(),
        estimate: basis.estimate.cloned(),
        notes: Vec::new(),
    };
    plan.notes = notes(basis, &plan);
    plan
}

fn steps(basis: &Basis<'_>) -> Vec<Step> {
    let Basis { source, counts, jobs, .. } = *basis;
    let empty = Volume::default();
    let volume = basis.volume.unwrap_or(&empty);
    let timescale = source.timescale.is_some();
    let mut steps = Vec::new();
    let mut step = |name, what: String| steps.push(Step { name, what });
    let number = |number: usize, noun: &str| count(number as u64, noun);
    let scheduled = jobs.iter().filter(|job| job.scheduled).count();
    let pauses = source.timescale.as_ref().is_some_and(Timescale::runs_jobs);
    if scheduled > 0 && pauses && basis.pause_jobs {
        step(
            "pause jobs",
            format!("{} of the source, put back at the end however it ends", number(scheduled, "job")),
        );
    }
    step("snapshot", format!("one for all reading; the schema with {}", short(basis.dumped_by)));
    let bridge = versions::bridge(source, basis.target);
    if let Some(Bridge { ours, theirs }) = &bridge {
        let what =
            format!("DROP and CREATE EXTENSION on the target, which is empty: {ours} in place of {theirs}");
        step("timescaledb", what);
    }
    step("roles", number(counts.roles, "statement"));
    if counts.extensions > 0 {
        step("extensions", format!("{}, in one session apart", number(counts.extensions, "extension")));
    }
    if timescale {
        step("restoring", "public.timescaledb_pre_restore()".into());
    }
    step(
        "pre-data",
        format!("{}: tables, functions, views, as yet without indexes", number(counts.pre_data, "statement")),
    );
    let chunks = if timescale { "; hypertables with their chunks" } else { "" };
    step("owners", format!("owners and grants, so that whatever is built runs as its owner{chunks}"));
    step("data", data(basis, volume));
    if volume.large_objects > 0 {
        let size = human::bytes(volume.large_object_bytes);
        step(
            "large objects",
            format!("{}, {size}, beside the tables", count(volume.large_objects, "object")),
        );
    }
    if volume.indexes > 0 {
        step(
            "indexes",
            format!(
                "{}, {} at the source, {} at once, each as soon as its table is there",
                index_count(volume.indexes),
                human::bytes(volume.index_bytes),
                basis.builds
            ),
        );
    }
    step(
        "post-data",
        format!("{}, indexes and constraints among them", number(counts.post_data, "statement")),
    );
    if volume.foreign_keys > 0 {
        step(
            "foreign keys",
            format!(
                "{}, added unchecked, then checked, {} at once",
                count(volume.foreign_keys, "foreign key"),
                basis.builds
            ),
        );
    }
    if timescale {
        step("restored", "public.timescaledb_post_restore(), whatever happens before".into());
    }
    step("access", format!("{}: owners, privileges, settings", number(counts.access, "statement")));
    if volume.materialized_views > 0 {
        step(
            "refresh",
            format!(
                "{}, each after what it depends on",
                count(volume.materialized_views, "materialized view")
            ),
        );
    }
    step("analyze", "the planner's statistics".into());
    if let Some(check) = basis.check {
        step("verify", format!("objects, owners, privileges and rows ({check}), source against target"));
    }
    for (name, what) in at_the_end(basis, bridge.as_ref(), scheduled) {
        step(name, what);
    }
    steps
}

/// What is done on the target when all is compared.
fn at_the_end(basis: &Basis<'_>, bridge: Option<&Bridge>, scheduled: usize) -> Vec<(&'static str, String)> {
    let mut steps = Vec::new();
    if let Some(Bridge { theirs, .. }) = bridge {
        let what = if basis.update_timescaledb {
            format!("ALTER EXTENSION UPDATE TO {theirs} if all is verified, and compared once more")
        } else {
            format!(
                "not updated to {theirs} again: --update-timescaledb does it, or ALTER EXTENSION UPDATE later"
            )
        };
        steps.push(("update", what));
    }
    if scheduled > 0 {
        let when = if basis.start_jobs {
            "started if all is verified, each when it is due on the source"
        } else {
            "not started: --start-jobs does it, or start-jobs.sql later"
        };
        let jobs = count(scheduled as u64, "job");
        steps.push(("jobs", format!("{jobs} on the target, with their owners unless it refuses; {when}")));
    }
    steps
}

/// `pg_dump (PostgreSQL) 17.2 (Debian …)` in two words.
fn short(version: &str) -> String {
    let number = version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.map_or_else(|| version.to_owned(), |number| format!("pg_dump {number}"))
}

fn index_count(number: u64) -> String {
    let word = if number == 1 { "index" } else { "indexes" };
    format!("{} {word}", thousands(number))
}

fn data(basis: &Basis<'_>, volume: &Volume) -> String {
    if basis.volume.is_none() {
        return format!("{} at the source", human::bytes(basis.source.size));
    }
    let mut words = vec![format!(
        "{} in {}",
        human::bytes(volume.table_bytes),
        count(volume.count(Kind::Table), "table")
    )];
    for (kind, noun) in
        [(Kind::Hypertable, "hypertable"), (Kind::ContinuousAggregate, "continuous aggregate")]
    {
        match volume.count(kind) {
            0 => {}
            number => words.push(count(number, noun)),
        }
    }
    if let (chunks @ 1.., compressed) = volume.chunks() {
        words.push(match compressed {
            0 => count(chunks, "chunk"),
            some => format!("{} ({} compressed, and so they stay)", count(chunks, "chunk"), thousands(some)),
        });
    }
    let parts: u64 = volume.tables.iter().map(|table| table.parts).sum();
    let parts = if parts > 0 { format!("{}, ", count(parts, "part")) } else { String::new() };
    format!("{}; {parts}{} at once, the largest first", words.join(", "), basis.copies)
}

/// Roles that can log in on the target already, and own what is copied: nobody else can before all is handed over.
fn logins(source: &Facts, target: &Facts) -> Option<String> {
    let owners = source.owners.intersection(&target.logins);
    let owners: Vec<&String> = owners
        .filter(|role| {
            **role != target.user && !target.superusers.contains(*role) && !source.superusers.contains(*role)
        })
        .collect();
    if owners.is_empty() {
        return None;
    }
    let named: Vec<String> = owners.iter().map(|role| human::line(&quoted(role))).collect();
    let (own, them) = if owners.len() == 1 { ("owns", "it") } else { ("own", "them") };
    let mut note = format!(
        "{} can log in on the target while it is filled, and {own} what is copied there: a trigger on such a table runs as \
         {}. Unless {} to be trusted, take the login away first; the run lets {them} log in at its end, where the source does:",
        named.join(", "),
        quoted(&target.user),
        if owners.len() == 1 { "it is" } else { "they are" },
    );
    for role in owners {
        note.push('\n');
        note.push_str(&psql("TARGET", &format!("ALTER ROLE {} NOLOGIN", quoted(role))));
    }
    Some(note)
}

fn notes(basis: &Basis<'_>, plan: &Plan) -> Vec<String> {
    let Basis { source, target, .. } = *basis;
    let size = plan.target_bytes.unwrap_or(source.size);
    let mut notes = vec![
        "a service grows its disk by itself, at most once in six hours; a full disk is waited for".to_owned(),
    ];
    if size > 400_000_000_000 {
        notes.push("above 400 GB, ask the service's support for the room before you start".into());
    }
    if target.superuser {
        notes.push("the target's user is a superuser; a service gives none".into());
    }
    notes.extend(logins(source, target));
    let runs = source.timescale.as_ref().is_some_and(Timescale::runs_jobs);
    if runs && !basis.pause_jobs && basis.jobs.iter().any(|job| job.scheduled) {
        notes.push(format!("the source's jobs run meanwhile: {RUNNING}"));
    }
    if source.locale != target.locale {
        notes.push(format!(
            "the locale is {} on the source and {} on the target: text may sort differently",
            source.locale, target.locale
        ));
    }
    if source.encoding != "UTF8" {
        notes.push(format!("the source's encoding is {}; its text is converted to UTF8", source.encoding));
    }
    if source.timescale.as_ref().is_some_and(|timescale| !timescale.runs_jobs()) {
        notes.push(
            "the source runs TimescaleDB's Apache edition: no compression, no continuous aggregates".into(),
        );
    }
    notes
}
