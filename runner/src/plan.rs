//! What will be done: facts of both ends in, blockers and steps out. Pure.

use serde::Serialize;

use crate::error::Blocker;
use crate::inspect::{Facts, Timescale};
use crate::jobs::Job;
use crate::tools::Tools;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: String,
}

/// All steps in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What to know before.
    pub notes: Vec<String>,
}

impl Plan {
    /// The plan for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let steps = self.steps.iter().enumerate();
        let steps = steps.map(|(number, step)| format!("{:>2}. {:<12} {}", number + 1, step.name, step.what));
        steps.chain(self.notes.iter().map(|note| format!("    note: {note}"))).collect()
    }
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

/// What is wrong with one of the ends, other than TimescaleDB's version.
#[must_use]
pub fn preflight(source: &Facts, target: &Facts) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let mut block = |check, what: String, next: &[&str]| {
        blockers.push(Blocker { check, what, next: next.iter().map(|&next| next.to_owned()).collect() });
    };
    if source.in_recovery {
        block(
            "source-standby",
            "the source is a standby, and a standby exports no snapshot".into(),
            &["name the primary with --source"],
        );
    }
    if target.in_recovery {
        block("target-standby", "the target is a standby".into(), &["name the primary with --target"]);
    }
    if target.major() < source.major() {
        block(
            "postgresql-version",
            format!(
                "the target's PostgreSQL {} is older than the source's {}",
                target.version, source.version
            ),
            &["choose a service with the source's major version of PostgreSQL, or a newer one"],
        );
    }
    if target.encoding != "UTF8" {
        block(
            "target-encoding",
            format!("the target's database has the encoding {}, not UTF8", target.encoding),
            &["make a new service: the encoding of a database cannot be changed"],
        );
    }
    for (check, side, facts) in
        [("source-restoring", "SOURCE", source), ("target-restoring", "TARGET", target)]
    {
        if let Some(timescale) = facts.timescale.as_ref().filter(|timescale| timescale.restoring) {
            let command =
                format!("psql -X \"${side}\" -c 'SELECT {}.timescaledb_post_restore()'", timescale.schema);
            block(
                check,
                format!("the {} is in restoring mode: hypertables read as empty there", side.to_lowercase()),
                &["a restore is under way, or one was left half done; if it is the latter:", &command],
            );
        }
    }
    if !target.objects.is_empty() {
        let shown = target.objects.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let more = if target.objects.len() > 8 { ", …" } else { "" };
        block(
            "target-not-empty",
            format!("the target's database already has objects: {shown}{more}"),
            &[
                "a migration writes into an empty database only, so that it overwrites nothing:",
                "drop them, or make a new service",
            ],
        );
    }
    if source.timescale.is_some() && target.timescale.is_none() && !target.creatable.contains("timescaledb") {
        block(
            "timescaledb-missing",
            "the source has TimescaleDB, and the target neither has it nor lets it be created".into(),
            &["choose a service of the type \"time-series and analytics\""],
        );
    }
    blockers
}

/// A difference of TimescaleDB's versions, with the commands that end it.
#[must_use]
pub fn timescale_version(source: &Facts, target: &Facts) -> Option<Blocker> {
    let ours = &source.timescale.as_ref()?.version;
    let offers_ours = target.timescale_versions.contains(ours);
    let theirs = match &target.timescale {
        Some(timescale) => &timescale.version,
        // It is not there yet and will be created in the version that is wanted.
        None if offers_ours => return None,
        None => target.available.get("timescaledb")?,
    };
    if ours == theirs {
        return None;
    }
    let mut next = Vec::new();
    if older(ours, theirs) {
        next.push(format!(
            "update the source (install TimescaleDB {theirs} on its server first), as the first command of a new session:"
        ));
        next.push(format!("  psql -X \"$SOURCE\" -c \"ALTER EXTENSION timescaledb UPDATE TO '{theirs}'\""));
    }
    if offers_ours {
        next.push(format!(
            "{}put the target's extension back to {ours}, each command in a session of its own:",
            if next.is_empty() { "" } else { "or " }
        ));
        next.push("  psql -X \"$TARGET\" -c 'DROP EXTENSION timescaledb'".into());
        next.push(format!("  psql -X \"$TARGET\" -c \"CREATE EXTENSION timescaledb VERSION '{ours}'\""));
    }
    if next.is_empty() {
        next.push(format!(
            "the target offers {theirs} and not {ours}, and a version cannot be taken back: update the target to {ours} first"
        ));
        next.push(format!("  psql -X \"$TARGET\" -c \"ALTER EXTENSION timescaledb UPDATE TO '{ours}'\""));
    }
    Some(Blocker {
        check: "timescaledb-version",
        what: format!(
            "TimescaleDB is {ours} on the source and {theirs} on the target; a dump fits its own version only"
        ),
        next,
    })
}

fn older(left: &str, right: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    numbers(left) < numbers(right)
}

/// The steps of a migration.
#[must_use]
pub fn plan(source: &Facts, target: &Facts, tools: &Tools, counts: Counts, jobs: &[Job]) -> Plan {
    let mut steps = Vec::new();
    let mut step = |name, what: String| steps.push(Step { name, what });
    let scheduled = jobs.iter().filter(|job| job.scheduled).count();
    if scheduled > 0 {
        step("pause jobs", format!("{scheduled} jobs of the source, put back at the end however it ends"));
    }
    step("snapshot", format!("one for all reading, with {}", tools.version));
    step("roles", format!("{} statements", counts.roles));
    step("extensions", format!("{} of them, in a session of their own", counts.extensions));
    if source.timescale.is_some() {
        step("restoring", "public.timescaledb_pre_restore()".into());
    }
    step("pre-data", format!("{} statements", counts.pre_data));
    step("data", format!("{} at the source", indicatif::HumanBytes(source.size)));
    step("post-data", format!("{} statements", counts.post_data));
    if source.timescale.is_some() {
        step("restored", "public.timescaledb_post_restore(), whatever happens before".into());
    }
    step("access", format!("{} statements: owners, privileges, settings", counts.access));
    step("analyze", "the planner's statistics".into());
    step("verify", "rows, objects, owners and privileges, source against target".into());
    Plan { steps, notes: notes(source, target) }
}

fn notes(source: &Facts, target: &Facts) -> Vec<String> {
    let mut notes = vec![format!(
        "the source's database has {}; a service grows its disk by itself, at most once in six hours",
        indicatif::HumanBytes(source.size)
    )];
    if source.size > 400 << 30 {
        notes.push("above 400 GB, ask the service's support for the room before you start".into());
    }
    if target.superuser {
        notes.push("the target's user is a superuser; a service gives none".into());
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
    if source.timescale.as_ref().is_some_and(|timescale: &Timescale| timescale.license == "apache") {
        notes.push(
            "the source runs TimescaleDB's Apache edition: no compression, no continuous aggregates".into(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(version: &str) -> Facts {
        Facts {
            version_num: 170_002,
            encoding: "UTF8".into(),
            timescale: Some(Timescale {
                version: version.into(),
                schema: "public".into(),
                ..Timescale::default()
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn an_older_source_is_updated() {
        let blocker = timescale_version(&with("2.9.3"), &with("2.19.3")).expect("they differ");
        assert!(
            blocker.next.iter().any(|line| line.contains("ALTER EXTENSION timescaledb UPDATE TO '2.19.3'"))
        );
        assert!(!blocker.next.iter().any(|line| line.contains("DROP EXTENSION")));
    }

    #[test]
    fn a_target_that_offers_the_sources_version_can_go_back() {
        let mut target = with("2.19.3");
        target.timescale_versions = vec!["2.17.2".into(), "2.19.3".into()];
        let blocker = timescale_version(&with("2.17.2"), &target).expect("they differ");
        assert!(
            blocker.next.iter().any(|line| line.contains("CREATE EXTENSION timescaledb VERSION '2.17.2'"))
        );
        target.timescale = None;
        assert_eq!(timescale_version(&with("2.17.2"), &target), None);
    }

    #[test]
    fn every_fault_of_the_ends_is_named_at_once() {
        let mut source = with("2.19.3");
        source.version_num = 180_000;
        let mut target = with("2.19.3");
        target.encoding = "SQL_ASCII".into();
        target.objects = vec!["relation t".into()];
        target.timescale.as_mut().expect("it is there").restoring = true;
        let checks: Vec<_> = preflight(&source, &target).into_iter().map(|blocker| blocker.check).collect();
        assert_eq!(checks, ["postgresql-version", "target-encoding", "target-restoring", "target-not-empty"]);
    }
}
