//! What a person may say about a restore.

use std::path::PathBuf;
use std::time::Duration;

use crate::capacity::Workers;
use crate::moving::Wish;

/// Options of `tsmigrate restore`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  export TARGET='postgres://tsdbadmin@new.example:5432/tsdb?sslmode=require'
  tsmigrate restore shop.dump --roles roles.sql --dry-run
                                      see what will happen, write nothing
  tsmigrate restore shop.dump --roles roles.sql --accept EXT-01
                                      do it, and lose what EXT-01 loses
  tsmigrate restore shop.dump --roles roles.sql --resume
                                      continue after a stop or a crash

  tsmigrate restore roles.sql shop.sql.gz
                                      the same of dumps that are text
  tsmigrate restore --database shop cluster.sql.zst
                                      one database out of a pg_dumpall file
  tsmigrate restore cluster.sql --into-schema a=a --into-schema b=b
                                      two of them into schemas of their own
  tsmigrate restore cluster.sql --database a --into-schema b=b
                                      a stays as it is, and b comes beside it

FILE is what pg_dump wrote with -Fc, -Fd or -Ft, or text of pg_dump and
pg_dumpall, plain or compressed by gzip, zstd or lz4; the roles are what
pg_dumpall --roles-only wrote, where they are not in a FILE.

Passwords come from the address, PGPASSWORD or ~/.pgpass.

Exit status:
  0  restored and verified, or planned
  1  blocked by a decision: nothing was written
  2  failed, interrupted, an archive or a server that cannot be used so,
     or the target's rows differ from the archive's")]
pub struct Args {
    /// It is a run of several, and others come to the target besides.
    #[arg(skip)]
    pub(super) one_of_several: bool,

    /// Archive of pg_dump, or dumps that are text
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,

    /// Target: postgres://tsdbadmin@host/tsdb
    #[arg(long, env = "TARGET", value_name = "URI", hide_env_values = true, help_heading = "Target")]
    pub target: String,

    /// Roles, from pg_dumpall --roles-only
    #[arg(long, value_name = "FILE", help_heading = "Contents")]
    pub roles: Option<PathBuf>,

    /// One database of a pg_dumpall file, as it is
    #[arg(long, value_name = "NAME", help_heading = "Contents")]
    pub database: Option<String>,

    /// Schemas that move into other names.
    #[command(flatten)]
    pub schemas: Wish,

    /// Accept what these rules lose: RULE,RULE
    #[arg(long, value_name = "RULE", num_args = 1.., value_delimiter = ',', help_heading = "Contents")]
    pub accept: Vec<String>,

    /// Let rows break a key: SCHEMA.TABLE.NAME
    #[arg(long, value_name = "NAME", num_args = 1.., help_heading = "Contents")]
    pub allow_violations: Vec<String>,

    /// Print the plan, write nothing
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,

    /// Logs and reports [default: tsmigrate-DATABASE]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub work_dir: Option<PathBuf>,

    /// Continue the run recorded in --work-dir
    #[arg(long, help_heading = "Run", conflicts_with = "dry_run")]
    pub resume: bool,

    /// Start the jobs on the target at the end
    #[arg(long, help_heading = "Run")]
    pub start_jobs: bool,

    /// Update the target's TimescaleDB at the end
    #[arg(long, help_heading = "Run")]
    pub update_timescaledb: bool,

    /// Compare no rows at the end
    #[arg(long, help_heading = "Run")]
    pub no_verify: bool,

    /// Retries of a step that failed
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Run")]
    pub retries: u32,

    /// Wait for a full disk to grow
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub wait_for_disk: Duration,

    /// Tables at once [default: by distance]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub jobs: Option<u16>,

    /// Indexes and keys at once [default: --jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub index_jobs: Option<u16>,

    /// Do not run ANALYZE at the end
    #[arg(long, help_heading = "Speed")]
    pub no_analyze: bool,

    /// What is shown meanwhile, and how the report is printed.
    #[command(flatten)]
    pub shown: crate::report::Shown,

    /// Also write the report to a file: .html or .json
    #[arg(long, value_name = "FILE", value_parser = crate::report::page_or_json_file, help_heading = "Output")]
    pub report: Option<PathBuf>,
}

impl Args {
    /// The files as people see them.
    #[must_use]
    pub(super) fn shown_files(&self) -> String {
        self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" ")
    }

    /// How many copies and how many builds are to run at once; `otherwise` where nobody says so.
    #[must_use]
    pub fn workers(&self, otherwise: Workers) -> Workers {
        otherwise.asked(self.jobs, self.index_jobs)
    }
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URI may hold a password.
        f.debug_struct("Args")
            .field("files", &self.files)
            .field("dry_run", &self.dry_run)
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}
