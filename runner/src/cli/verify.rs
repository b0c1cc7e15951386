//! `tsmigrate verify`: compares two databases, and prints what differs.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Reset};
use serde::Serialize;

use tsmigrate::connect::{Connector, Side};
use tsmigrate::error::{Error, Unreachable};
use tsmigrate::human::{self, count, count_or_no, thousands};
use tsmigrate::progress::Progress;
use tsmigrate::report::{self, Format, Shown};
use tsmigrate::signals;
use tsmigrate::verify::known::{self, Known};
use tsmigrate::verify::{self, Check, PERCENT, Verification, VerifyOptions};
use tsmigrate::workdir::WorkDir;

use tsmigrate_analyzer::quote::shell;

use super::failure::{Failure, Status};
use super::output;
use super::runtime::runtime;

/// The version of the report; it grows when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// Options of `tsmigrate verify`.
#[derive(Clone, clap::Args)]
#[command(
    next_help_heading = "Servers",
    after_help = "\
Examples:
  tsmigrate verify             compare SOURCE and TARGET, every row by checksum
  tsmigrate verify --counts    compare the numbers of rows
  tsmigrate verify --sample 5  compare checksums of 5 percent of the rows
  tsmigrate verify --work-dir tsmigrate-shop
                               what that migration announced is no difference

Nothing is written.

Exit status:
  0  the databases are equal
  1  they differ
  2  they could not be compared, or not all of it"
)]
pub(super) struct Args {
    /// Database that is right: postgres://…
    #[arg(long, env = "SOURCE", value_name = "URI", hide_env_values = true)]
    source: String,

    /// Database that should be equal
    #[arg(long, env = "TARGET", value_name = "URI", hide_env_values = true)]
    target: String,

    /// Compare the checksums of a sample [default: 1]
    #[arg(
        long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "1", value_parser = percent,
        help_heading = "Contents", conflicts_with = "counts"
    )]
    sample: Option<f64>,

    /// Compare the numbers of rows, no checksums
    #[arg(long, help_heading = "Contents")]
    counts: bool,

    /// Only these: sales, sales.orders, sales.*
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    include: Vec<String>,

    /// Not these schemas and tables
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    exclude: Vec<String>,

    /// Know what the migration in DIR announced
    #[arg(long, value_name = "DIR", help_heading = "Contents")]
    work_dir: Option<PathBuf>,

    /// Tables compared at once
    #[arg(
        long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64),
        help_heading = "Speed"
    )]
    jobs: u16,

    #[command(flatten)]
    shown: Shown,

    /// Also write the report to a file: .json
    #[arg(long, value_name = "FILE", value_parser = report::json_file, help_heading = "Output")]
    report: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.01..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a percentage from 0.01 to 100 is expected, such as --sample 5".to_owned()),
    }
}

impl Args {
    fn options(&self) -> VerifyOptions {
        let check = match (self.sample, self.counts) {
            (Some(_), _) => Check::Sample,
            (_, true) => Check::Counts,
            _ => Check::Full,
        };
        VerifyOptions {
            check,
            percent: self.sample.unwrap_or(PERCENT),
            jobs: usize::from(self.jobs),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            scheduled: true,
            chosen: verify::Chosen::default(),
            without: verify::Without::default(),
        }
    }
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URIs may hold passwords.
        f.debug_struct("Args")
            .field("sample", &self.sample)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    #[default]
    Failed,
    Equal,
    Different,
    /// Nothing differs of what could be compared: a note says of each table why its rows could not be.
    Incomplete,
}

/// What is written at the end.
#[derive(Clone, Debug, Default, Serialize)]
struct Report {
    version: u32,
    outcome: Outcome,
    /// Without its password.
    source: String,
    /// Without its password.
    target: String,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The server's or the system's words, where a server cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<String>,
    /// The work directory of the migration whose announcements were known.
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<String>,
    /// That migration can go on.
    #[serde(skip)]
    can_go_on: bool,
    /// One beside us that was not named.
    #[serde(skip)]
    beside: Option<String>,
}

impl Report {
    /// The verdict, then its reasons.
    fn text(&self) -> String {
        let paint = |color: AnsiColor, text: &str| format!("{}{text}{Reset}", color.on_default().bold());
        let mut lines = Vec::new();
        match (&self.verification, self.outcome) {
            (Some(found), Outcome::Equal) => {
                lines.push(format!("{} {}", paint(AnsiColor::Green, "✓ equal:"), self.totals(found)));
            }
            (Some(found), Outcome::Incomplete) => {
                let verdict = paint(AnsiColor::Yellow, "! equal as far as it was compared:");
                lines.push(format!("{verdict} {}", self.totals(found)));
            }
            (Some(found), _) => {
                let differences = count_or_no(found.differences.len() as u64, "difference");
                let verdict = paint(AnsiColor::Red, &format!("✗ {differences}:"));
                lines.push(format!("{verdict} {}", self.totals(found)));
            }
            (None, _) => {
                let error = self.error.as_deref().unwrap_or("unknown");
                let head = if self.cause.is_some() { "error:" } else { "✗ failed:" };
                lines.push(format!("{} {}", paint(AnsiColor::Red, head), human::clean(error)));
                lines.extend(self.cause.iter().map(|cause| format!("  cause: {}", human::clean(cause))));
                lines.extend(self.steps());
            }
        }
        // One whose connection string cannot be read has no name.
        let ends = [("source", &self.source), ("target", &self.target)].into_iter();
        let ends = ends.filter(|(_, end)| !end.is_empty());
        lines.extend(ends.map(|(side, end)| format!("  {side}  {}", human::line(end))));
        if let Some(found) = &self.verification {
            lines.extend(self.steps());
            lines.push(String::new());
            lines.extend(found.render());
        }
        lines.join("\n") + "\n"
    }

    /// What to do, below the verdict of a comparison.
    fn steps(&self) -> Vec<String> {
        let head = |number| if number == 0 { "next:" } else { "     " };
        let steps = self.next.iter().enumerate();
        steps.map(|(number, step)| format!("  {} {}", head(number), human::clean(step))).collect()
    }

    /// What comes next, once both are compared.
    fn conclude(&mut self, found: &Verification) {
        if found.differences.is_empty() && found.rows.not_compared > 0 {
            self.next = vec![
                format!(
                    "look at the notes: rows of {} were not compared, and nothing else differs",
                    count(found.rows.not_compared, "table")
                ),
                "what they name may be compared then, or left out with --exclude".to_owned(),
            ];
            return;
        }
        self.next = match (found.differences.is_empty(), &self.announced, &self.beside) {
            (true, Some(_), _) => vec!["point the applications at the target".to_owned()],
            (true, None, _) => vec!["nothing is left to do: the target has what the source has".to_owned()],
            (false, Some(_), _) if self.can_go_on => vec![
                "look at the differences before any application uses the target".to_owned(),
                "then copy what has changed on the source: the command of the migration with --resume --new-snapshot"
                    .to_owned(),
            ],
            (false, Some(_), _) => vec![
                "look at the differences before any application uses the target".to_owned(),
                "nothing adds what is missing to a target that is finished: to have it, migrate anew into an empty database"
                    .to_owned(),
            ],
            (false, None, Some(work)) => vec![format!(
                "see what of it the migration has announced: tsmigrate verify --work-dir {}",
                shell(work)
            )],
            (false, None, None) => vec![
                "look at the differences before any application uses the target".to_owned(),
                "after a migration, see what of it was announced: tsmigrate verify --work-dir DIR".to_owned(),
            ],
        };
    }

    fn totals(&self, found: &Verification) -> String {
        let total: usize = found.compared.values().sum();
        let rows = &found.rows;
        let options = match (rows.summed, rows.counted) {
            (0, _) => "counted".to_owned(),
            (summed, counted) if summed == counted => "by checksum".to_owned(),
            (summed, _) => format!("counted, {} of them by checksum", thousands(summed)),
        };
        let not_compared = match rows.not_compared {
            0 => String::new(),
            number => format!(", {} not compared", count(number, "table")),
        };
        format!(
            "{} compared, {} in {} {options}{not_compared}, in {:.1} s",
            count(total as u64, "thing"),
            count(rows.counted, "row"),
            count(rows.tables, "table"),
            self.seconds
        )
    }
}

/// Clean where both are equal, findings where they differ.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    args.report.iter().try_for_each(|path| output::check(path, &[]))?;
    let start = Instant::now();
    let mut report = Report { version: VERSION, ..Report::default() };
    let result = runtime()?.block_on(supervise(args, &mut report));
    report.seconds = Duration::as_secs_f64(&start.elapsed());
    match result {
        Ok(found) => {
            report.outcome = match (found.differences.is_empty(), found.rows.not_compared) {
                (true, 0) => Outcome::Equal,
                (true, _) => Outcome::Incomplete,
                (false, _) => Outcome::Different,
            };
            report.conclude(&found);
            report.verification = Some(found);
        }
        Err(error) => match error.unreachable() {
            Some(Unreachable { what, cause, next }) => {
                (report.error, report.cause, report.next) = (Some(what), Some(cause), next);
            }
            None => report.error = Some(error.to_string()),
        },
    }
    let written = match &args.report {
        Some(path) => output::write("the report", path, |out| report::json(&report, out)),
        None => Ok(()),
    };
    // Who reads the report may have gone; the exit status still tells.
    let _ = match args.shown.format {
        Format::Json => report::json(&report, &mut std::io::stdout()),
        Format::Text => write!(anstream::stdout(), "{}", report.text()),
    };
    written?;
    Ok(match report.outcome {
        Outcome::Equal => Status::Clean,
        Outcome::Different => Status::Findings,
        Outcome::Incomplete | Outcome::Failed => Status::Failed,
    })
}

async fn supervise(args: &Args, report: &mut Report) -> Result<Verification, Error> {
    let source = Connector::new(Side::Source, &args.source)?;
    report.source = source.endpoint().to_string();
    let target = Connector::new(Side::Target, &args.target)?;
    report.target = target.endpoint().to_string();
    let progress = Progress::new(args.shown.progress);
    let found = known(args, source.endpoint().database())?;
    report.announced = found.as_ref().map(|(place, _)| place.clone());
    let past = args.work_dir.as_deref().map(|named| WorkDir::new(Some(named), "").past()).transpose()?;
    report.can_go_on = past.flatten().is_some_and(|past| !past.done);
    // The one that a migration of this database uses where nobody names another.
    let other = WorkDir::new(None, source.endpoint().database());
    report.beside = other.path().join(known::FILE).exists().then(|| other.path().display().to_string());
    let told = found.as_ref().map(|(place, known)| (place.as_str(), known));
    let result = tokio::select! {
        result = verify::databases(&source, &target, args.options(), told, &progress) => result,
        signal = signals::stop() => Err(Error::Interrupted(signal)),
    };
    if result.is_err() {
        // What the servers still count is of no use to anybody.
        tokio::join!(source.cancel_all(), target.cancel_all());
    }
    result
}

/// What the migration has announced whose work directory is named.
fn known(args: &Args, database: &str) -> Result<Option<(String, Known)>, Error> {
    let Some(named) = &args.work_dir else { return Ok(None) };
    let work = WorkDir::new(Some(named), database);
    let place = work.path().display().to_string();
    match work.kept(known::FILE)? {
        Some(known) => Ok(Some((place, known))),
        None => Err(Error::Refused {
            what: format!("{place} tells of no migration that has come as far as its comparison"),
            next: vec!["name the --work-dir of one, or leave --work-dir out".into()],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_part() {
        assert_eq!(percent("5%"), Ok(5.0));
        assert_eq!(percent("0.5"), Ok(0.5));
        assert!(percent("0").is_err());
        assert!(percent("101").is_err());
        assert!(percent("NaN").is_err());
    }

    #[test]
    fn the_verdict_comes_first() {
        let report =
            |outcome| Report { outcome, verification: Some(Verification::default()), ..Report::default() };
        let text = |outcome| anstream::adapter::strip_str(&report(outcome).text()).to_string();
        assert!(text(Outcome::Equal).starts_with("✓ equal:"));
        assert!(text(Outcome::Different).starts_with("✗ no differences:"));
        let failed = Report { error: Some("gone".into()), ..Report::default() };
        assert!(anstream::adapter::strip_str(&failed.text()).to_string().starts_with("✗ failed: gone"));
    }
}
