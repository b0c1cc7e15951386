//! What a person may say about a migration.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::capacity::Workers;
pub use crate::verify::Check;

/// Options of `tsmigrate migrate`.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Ends")]
pub struct Args {
    /// The database to read: postgres://user@host:port/database, or keyword=value pairs
    #[arg(long, env = "SOURCE", value_name = "URI", hide_env_values = true)]
    pub source: String,

    /// The service to write: postgres://tsdbadmin@host:port/tsdb?sslmode=require
    #[arg(long, env = "TARGET", value_name = "URI", hide_env_values = true)]
    pub target: String,

    /// Where pg_dump and pg_dumpall are
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,

    /// Look at both servers, print the plan, write nothing
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,

    /// Where plan, journal, logs and reports are kept: no data, no secret [default: tsmigrate-DATABASE]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub work_dir: Option<PathBuf>,

    /// Go on with the run that the work directory tells of
    #[arg(long, help_heading = "Run", conflicts_with = "dry_run")]
    pub resume: bool,

    /// With --resume, where the source has changed since: look at every table that was copied, copy anew
    /// those that changed, and read the rest as the source is now
    #[arg(long, requires = "resume", help_heading = "Run")]
    pub new_snapshot: bool,

    /// Parts of tables that are copied at once; fewer where a server takes fewer sessions
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub jobs: u16,

    /// Indexes and foreign keys that are built at once [default: as --jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub index_jobs: Option<u16>,

    /// Tables larger than this are copied in parts, several at once [default: those that alone would take longer than all
    /// others, and those above 20 GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Speed")]
    pub split_larger_than: Option<ByteSize>,

    /// Read no more than this in a second, all jobs together: 20MB
    #[arg(long, value_name = "SIZE", help_heading = "Speed")]
    pub max_rate: Option<ByteSize>,

    /// Only these schemas (`sales`) and tables (`sales.orders`, `sales.*`); `*` stands for any text
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "What")]
    pub include: Vec<String>,

    /// Not these schemas and tables
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "What")]
    pub exclude: Vec<String>,

    /// These tables without their rows
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',', help_heading = "What")]
    pub exclude_data: Vec<String>,

    /// Make this table a hypertable on the way: schema.table:column or schema.table:column:interval
    #[arg(long, value_name = "TABLE:COLUMN", help_heading = "What")]
    pub hypertable: Vec<String>,

    /// Go on although findings of these rules cannot be rewritten
    #[arg(long, value_name = "RULE", num_args = 1.., value_delimiter = ',', help_heading = "What")]
    pub accept: Vec<String>,

    /// No roles: everything will belong to the target's user
    #[arg(long, help_heading = "What")]
    pub no_roles: bool,

    /// No owners: everything will belong to the target's user
    #[arg(long, help_heading = "What")]
    pub no_owner: bool,

    /// No privileges
    #[arg(long, help_heading = "What")]
    pub no_privileges: bool,

    /// No comments
    #[arg(long, help_heading = "What")]
    pub no_comments: bool,

    /// No publications
    #[arg(long, help_heading = "What")]
    pub no_publications: bool,

    /// No statistics for the planner: autovacuum makes them later, but never those of tables with partitions
    #[arg(long, help_heading = "Speed")]
    pub no_analyze: bool,

    /// How source and target are compared at the end
    #[arg(long, value_enum, default_value_t, help_heading = "Run")]
    pub verify: Check,

    /// How often a step is tried again after a transient error, such as a lost connection
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Run")]
    pub retries: u32,

    /// How long to wait for a target whose disk is full and growing
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub wait_for_disk: Duration,

    /// How long one try to lock a table may keep others waiting
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub lock_timeout: Duration,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub progress: crate::progress::Mode,

    /// How the report is printed
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub format: crate::report::Format,

    /// Also write the report as JSON into this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
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

    /// How many copies and how many builds are to run at once.
    #[must_use]
    pub fn workers(&self) -> Workers {
        Workers { jobs: self.jobs.into(), builders: self.index_jobs.unwrap_or(self.jobs).into() }
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
