//! Which of several sources each schema was named for, as far as their order on the command line tells.

/// The places of `--source` and `--into-schema` on the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub(super) sources: Vec<usize>,
    pub(super) schemas: Vec<usize>,
}

impl clap::FromArgMatches for Order {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let places = |id| matches.indices_of(id).map(Iterator::collect).unwrap_or_default();
        Ok(Self { sources: places("source"), schemas: places("into_schema") })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|order| *self = order)
    }
}

/// It adds no option of its own.
impl clap::Args for Order {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}
