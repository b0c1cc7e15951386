//! Several databases of the files that were named: the one of `--database` as it is, the others into schemas beside it.

use super::options::Args;
use crate::error::Error;
use crate::migrate::several::{One, Place, apart};
use crate::moving::Wish;
use crate::quote::quoted;

/// The runs that a person asks for, the one of the database that stays before the others; none where it is one database.
///
/// # Errors
/// When what is asked for cannot be read.
pub(super) fn each(args: &Args) -> Result<Vec<One<Args>>, Error> {
    let map = args.schemas.read()?;
    let stays = args.database.as_ref().filter(|database| !map.databases.contains_key(*database));
    if map.databases.is_empty() || stays.is_none() && map.databases.len() < 2 {
        return Ok(Vec::new());
    }
    if let Some(database) = args.database.as_ref().filter(|_| stays.is_none()) {
        let database = quoted(database);
        return Err(Error::Refused {
            what: format!(
                "--database names {database}, which is to stay as it is, and --into-schema moves it as one of several"
            ),
            next: vec!["leave one of the two out for that database".into()],
        });
    }
    let mut all = Vec::new();
    let mut places = Vec::new();
    for database in stays.into_iter().chain(map.databases.keys()) {
        let place = Place::of(database, (args.work_dir.as_deref(), args.report.as_deref()), args.resume)?;
        let mut own = Args {
            database: Some(database.clone()),
            work_dir: Some(place.work_dir.clone()),
            report: place.report.clone(),
            resume: place.goes_on,
            one_of_several: true,
            ..args.clone()
        };
        if stays == Some(database) {
            own.schemas = Wish::default();
        } else if stays.is_some() {
            // TimescaleDB is that of the database that stays.
            own.update_timescaledb = false;
        }
        all.push(One {
            name: quoted(database),
            args: own,
            goes_on: place.goes_on,
            has_ended: place.has_ended,
        });
        places.push((database, place.work_dir));
    }
    apart(places.iter().map(|(name, work)| (name.as_str(), work.as_path())))?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn of(words: &str) -> Result<Vec<(String, bool)>, String> {
        let words =
            ["tsmigrate", "all.sql", "--target", "postgres://t/tsdb"].into_iter().chain(words.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let all = each(&cli.args).map_err(|error| error.to_string())?;
        let moves = |one: One<Args>| (one.name, !one.args.schemas.is_empty());
        Ok(all.into_iter().map(moves).collect())
    }

    #[test]
    fn the_database_that_stays_comes_first() {
        let of_all = of("--database metrics --into-schema crm=crm --into-schema blog=b");
        let expected = [("metrics", false), ("blog", true), ("crm", true)];
        assert_eq!(of_all, Ok(expected.map(|(name, moves)| (name.to_owned(), moves)).to_vec()));
        assert_eq!(of("--database metrics --into-schema crm=crm").map(|all| all.len()), Ok(2));
        for one in [
            "--database crm --into-schema crm=crm",
            "--database crm --into-schema x",
            "--into-schema crm=crm",
        ] {
            assert_eq!(of(one), Ok(Vec::new()), "{one}");
        }
        let error = of("--database crm --into-schema crm=crm --into-schema blog=b").expect_err("both");
        assert!(error.contains("which is to stay as it is"), "{error}");
        let error = of("--into-schema a;b=x --into-schema a_b=y").expect_err("one directory");
        assert!(error.contains("one work directory"), "{error}");
    }
}
