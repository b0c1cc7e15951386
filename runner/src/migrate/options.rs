//! What a person may say about a migration.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use super::order::Order;
use crate::capacity::Workers;
use crate::moving::Wish;
pub use crate::verify::Check;

/// Options of `tsmigrate migrate`.
#[derive(Clone, clap::Args)]
#[command(
    next_help_heading = "Servers",
    after_help = "\
Examples:
  export SOURCE='postgres://postgres@old.example:5432/shop'
  export TARGET='postgres://tsdbadmin@new.example:5432/tsdb?sslmode=require'
  tsmigrate migrate --dry-run         see what will happen, write nothing
  tsmigrate migrate --accept EXT-01   do it, and lose what EXT-01 loses
  tsmigrate migrate --resume          continue after a stop or a crash
  tsmigrate migrate --include metrics.readings
                                      move one hypertable with its chunks
  tsmigrate migrate --into-schema shop
                                      move public into schema shop
  tsmigrate migrate --source URI --into-schema a --source URI --into-schema b
                                      two databases, the one after the other
  tsmigrate migrate --source URI --source URI --into-schema b
                                      the first stays as it is

Passwords come from the addresses, PGPASSWORD or ~/.pgpass.

Exit status:
  0  migrated and verified, or planned
  1  blocked by a decision: nothing was written
  2  failed, interrupted, a server that cannot be used so, or the target differs"
)]
pub struct Args {
    /// Which `--source` each `--into-schema` stands behind.
    #[command(flatten)]
    pub(super) order: Order,

    /// It is a run of several, and others come to the target besides.
    #[arg(skip)]
    pub(super) one_of_several: bool,

    /// Source: postgres://postgres@host/database
    #[arg(long, env = "SOURCE", value_name = "URI", required = true, hide_env_values = true)]
    pub source: Vec<String>,

    /// Target: postgres://tsdbadmin@host/tsdb
    #[arg(long, env = "TARGET", value_name = "URI", hide_env_values = true)]
    pub target: String,

    /// Directory of pg_dump and pg_dumpall
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,

    /// Print the plan, write nothing
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,

    /// Logs and reports [default: tsmigrate-DATABASE]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub work_dir: Option<PathBuf>,

    /// Start the jobs on the target at the end
    #[arg(long, help_heading = "Run")]
    pub start_jobs: bool,

    /// Update the target's TimescaleDB at the end
    #[arg(long, help_heading = "Run")]
    pub update_timescaledb: bool,

    /// Let the source's jobs run meanwhile
    #[arg(long, help_heading = "Run")]
    pub no_pause_jobs: bool,

    /// Continue the run recorded in --work-dir
    #[arg(long, help_heading = "Run", conflicts_with = "dry_run")]
    pub resume: bool,

    /// With --resume: copy what has changed again
    #[arg(long, requires = "resume", help_heading = "Run")]
    pub new_snapshot: bool,

    /// COPY ranges at once [default: by distance]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub jobs: Option<u16>,

    /// Indexes and keys at once [default: --jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub index_jobs: Option<u16>,

    /// Copy larger tables in ranges
    #[arg(long, value_name = "SIZE", help_heading = "Speed")]
    pub split_larger_than: Option<ByteSize>,

    /// Most bytes in a second, all jobs: 20MB
    #[arg(long, value_name = "SIZE", help_heading = "Speed")]
    pub max_rate: Option<ByteSize>,

    /// Only these: sales, sales.orders, sales.*
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    pub include: Vec<String>,

    /// Not these schemas and tables
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    pub exclude: Vec<String>,

    /// These tables without their rows
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    pub exclude_data: Vec<String>,

    /// Tables that become hypertables, each with its time column and the length of its chunks.
    #[arg(
        help = "Make a hypertable: TABLE:COLUMN[:INTERVAL]",
        long,
        value_name = "TABLE",
        help_heading = "Contents"
    )]
    pub hypertable: Vec<String>,

    /// Schemas that move into other names.
    #[command(flatten)]
    pub schemas: Wish,

    /// Accept what these rules lose: RULE,RULE
    #[arg(long, value_name = "RULE", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    pub accept: Vec<String>,

    /// Let rows break a key: SCHEMA.TABLE.NAME
    #[arg(long, value_name = "NAME", num_args = 1.., help_heading = "Contents")]
    pub allow_violations: Vec<String>,

    /// Create no roles: the target's user owns all
    #[arg(long, help_heading = "Contents")]
    pub no_roles: bool,

    /// Keep no owners: the target's user owns all
    #[arg(long, help_heading = "Contents")]
    pub no_owner: bool,

    /// Copy no privileges
    #[arg(long, help_heading = "Contents")]
    pub no_privileges: bool,

    /// Copy no comments
    #[arg(long, help_heading = "Contents")]
    pub no_comments: bool,

    /// Copy no publications
    #[arg(long, help_heading = "Contents")]
    pub no_publications: bool,

    /// Do not run ANALYZE at the end
    #[arg(long, help_heading = "Speed")]
    pub no_analyze: bool,

    /// full, sample, counts or none
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        hide_possible_values = true,
        help_heading = "Run"
    )]
    pub verify: Check,

    /// Retries of a step that failed
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Run")]
    pub retries: u32,

    /// Wait for a full disk to grow
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub wait_for_disk: Duration,

    /// Longest wait for a lock
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub lock_timeout: Duration,

    /// What is shown meanwhile, and how the report is printed.
    #[command(flatten)]
    pub shown: crate::report::Shown,

    /// Also write the report to a file: .html or .json
    #[arg(long, value_name = "FILE", value_parser = crate::report::page_or_json_file, help_heading = "Output")]
    pub report: Option<PathBuf>,
}

impl Args {
    /// Which schemas and tables are meant.
    #[must_use]
    pub fn wish(&self) -> crate::filter::Wish {
        crate::filter::Wish {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            exclude_data: self.exclude_data.clone(),
        }
    }

    /// How many copies and how many builds are to run at once; `otherwise` where nobody says so.
    #[must_use]
    pub fn workers(&self, otherwise: Workers) -> Workers {
        otherwise.asked(self.jobs, self.index_jobs)
    }
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URIs may hold passwords.
        f.debug_struct("Args")
            .field("dry_run", &self.dry_run)
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}
