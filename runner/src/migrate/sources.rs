//! Several sources of one migration: which of them stays as it is, and where the others go.

use std::collections::BTreeSet;

use super::Args;
use super::several::{One, Place, apart};
use crate::connect::{Connector, Side};
use crate::error::Error;
use crate::human::count;
use crate::moving::Wish;
use crate::quote::quoted;

/// How they are named.
const PAIRS: &str =
    "give each database a schema: --source URI --into-schema NAME --source URI --into-schema NAME";

/// A source, and where it goes.
struct Source<'a> {
    uri: &'a String,
    database: String,
    into: Option<&'a str>,
    /// Its `--map-schema`, without its name.
    map: Vec<String>,
}

impl Source<'_> {
    /// One that nobody moves stays as it is.
    fn stays(&self) -> bool {
        self.into.is_none() && self.map.is_empty()
    }

    fn title(&self) -> String {
        match self.into {
            Some(schema) => format!("{} into {}", quoted(&self.database), quoted(schema)),
            None => quoted(&self.database),
        }
    }
}

fn refused(what: String, next: &str) -> Error {
    Error::Refused { what, next: vec![next.to_owned()] }
}

/// The migrations that a person asks for, the one of the database that stays before the others; none where it is one.
///
/// # Errors
/// When it is not said where each goes.
pub(super) fn each(args: &Args) -> Result<Vec<One<Args>>, Error> {
    if args.source.len() < 2 {
        return Ok(Vec::new());
    }
    let mut sources = Vec::new();
    for uri in &args.source {
        let database = Connector::new(Side::Source, uri)?.endpoint().database().to_owned();
        sources.push(Source { uri, database, into: None, map: Vec::new() });
    }
    assign(&mut sources, args)?;
    map(&mut sources, &args.schemas.map_schema)?;
    let staying: Vec<String> =
        sources.iter().filter(|source| source.stays()).map(|source| quoted(&source.database)).collect();
    if staying.len() > 1 {
        let names = staying.join(", ");
        return Err(refused(
            format!("one database of several can stay as it is, and these are to: {names}"),
            "give the others a schema, each behind its --source: --source URI --into-schema NAME",
        ));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = sources.iter().filter_map(|source| source.into).find(|schema| !seen.insert(*schema))
    {
        return Err(refused(format!("two databases would go into schema {}", quoted(twice)), PAIRS));
    }
    sources.sort_by_key(|source| !source.stays());
    let has_first = !staying.is_empty();
    let mut all = Vec::new();
    let mut places = Vec::new();
    for source in &sources {
        let (one, place) = run_of(args, source, has_first)?;
        places.push((one.name.clone(), place));
        all.push(one);
    }
    apart(places.iter().map(|(name, place)| (name.as_str(), place.work_dir.as_path())))?;
    Ok(all)
}

/// Its own run.
fn run_of(args: &Args, source: &Source<'_>, has_first: bool) -> Result<(One<Args>, Place), Error> {
    let schemas = Wish {
        into_schema: source.into.iter().map(|&into| into.to_owned()).collect(),
        map_schema: source.map.clone(),
    };
    schemas.read()?;
    let name = source.into.unwrap_or(&source.database);
    let place = Place::of(name, (args.work_dir.as_deref(), args.report.as_deref()), args.resume)?;
    let mut own = Args {
        source: vec![source.uri.clone()],
        schemas,
        work_dir: Some(place.work_dir.clone()),
        report: place.report.clone(),
        resume: place.goes_on,
        one_of_several: true,
        ..args.clone()
    };
    if has_first && !source.stays() {
        // What is said of hypertables is said of the database that stays.
        own.hypertable.clear();
        own.update_timescaledb = false;
    }
    let (goes_on, has_ended) = (place.goes_on, place.has_ended);
    let one = One { name: source.title(), args: own, goes_on, has_ended };
    Ok((one, place))
}

/// Gives each the schema that was named for it: by its name, `DATABASE=NAME`, else the one behind its `--source`.
fn assign<'a>(sources: &mut [Source<'a>], args: &'a Args) -> Result<(), Error> {
    let words = &args.schemas.into_schema;
    let (all, named) = (count(args.source.len() as u64, "database"), count(words.len() as u64, "schema"));
    if words.len() > args.source.len() {
        return Err(refused(
            format!("{all} and {named} are named: --source and --into-schema go in pairs"),
            PAIRS,
        ));
    }
    let mut places = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let by_name = word.rsplit_once('=').and_then(|(database, schema)| {
            let mut of = sources.iter().enumerate().filter(|(_, source)| source.database == database);
            let (place, _) = of.next()?;
            of.next().is_none().then_some((place, schema))
        });
        let before = args.order.schemas.get(number).and_then(|schema| {
            let place = args.order.sources.iter().rposition(|source| source < schema)?;
            // Two servers may have a database of one name.
            let database = &sources.get(place)?.database;
            Some((place, word.strip_prefix(&format!("{database}=")).unwrap_or(word)))
        });
        places.push(by_name.or(before));
    }
    let mut seen = BTreeSet::new();
    let is_clear = places.iter().flatten().count() == words.len()
        && places.iter().flatten().all(|(place, _)| seen.insert(*place));
    if !is_clear && words.len() == args.source.len() {
        // All sources, then all schemas.
        places = words.iter().enumerate().map(|(place, word)| Some((place, word.as_str()))).collect();
    } else if !is_clear {
        return Err(refused(
            format!("{all} and {named} are named, and it is not clear which goes where"),
            "write each --into-schema behind its --source, or with its database: --into-schema DATABASE=NAME",
        ));
    }
    for (place, schema) in places.into_iter().flatten() {
        if let Some(source) = sources.get_mut(place) {
            source.into = Some(schema.strip_prefix(&format!("{}=", source.database)).unwrap_or(schema));
        }
    }
    Ok(())
}

/// Gives each its `--map-schema`.
fn map(sources: &mut [Source<'_>], words: &[String]) -> Result<(), Error> {
    let mut left: BTreeSet<&String> = words.iter().collect();
    for source in sources {
        let start = format!("{}:", source.database);
        for word in words {
            if let Some(own) = word.strip_prefix(&start) {
                left.remove(word);
                source.map.push(own.to_owned());
            }
        }
    }
    match left.first() {
        None => Ok(()),
        Some(word) => Err(refused(
            format!("--map-schema {word}: it does not say of which database"),
            "write DATABASE:OLD=NEW",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn of(words: &str) -> Result<Vec<One<Args>>, String> {
        let words = ["tsmigrate", "--target", "postgres://t/tsdb", "--work-dir", "w"]
            .into_iter()
            .chain(words.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        each(&cli.args).map_err(|error| error.to_string())
    }

    fn names(words: &str) -> Vec<String> {
        of(words).expect(words).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn sources_and_schemas_go_in_pairs() {
        assert!(of("--source postgres://h/a --into-schema x").expect("one").is_empty());
        let all = of(
            "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema b=y --map-schema b:log=z",
        );
        let all = all.expect("two");
        let args: Vec<&Args> = all.iter().map(|one| &one.args).collect();
        assert_eq!(
            args.iter().map(|args| args.source[0].as_str()).collect::<Vec<_>>(),
            ["postgres://h/a", "postgres://h/b"]
        );
        assert_eq!(args[1].schemas, Wish { into_schema: vec!["y".into()], map_schema: vec!["log=z".into()] });
        assert_eq!(args[1].work_dir.as_deref(), Some(Path::new("w/tsmigrate-y")));
        let pairs = "--source postgres://h/a --source postgres://h/b --into-schema x --into-schema y";
        assert_eq!(names(pairs), ["a into x", "b into y"]);
        for (words, why) in [
            (
                "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema x",
                "two databases would go into schema x",
            ),
            (
                "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema y --map-schema a=b",
                "of which database",
            ),
            (
                "--source postgres://h/a --into-schema x --into-schema y --source postgres://h/b --into-schema z",
                "in pairs",
            ),
            (
                "--into-schema x --source postgres://h/a --source postgres://h/b --source postgres://h/c",
                "not clear which goes where",
            ),
            (
                "--source postgres://h/a --source postgres://h/b --into-schema x --into-schema y --source postgres://h/c",
                "not clear which goes where",
            ),
            ("--source postgres://h/a --source postgres://h/b", "these are to: a, b"),
        ] {
            let error = of(words).expect_err(words);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn one_that_nobody_moves_stays_and_comes_first() {
        let all = of(
            "--source postgres://h/b --into-schema x --source postgres://h/metrics --source postgres://h/c --map-schema c:public=public \
             --hypertable public.t:time --update-timescaledb",
        );
        let all = all.expect("three");
        let said: Vec<(&str, bool, usize)> = all
            .iter()
            .map(|one| (one.name.as_str(), one.args.schemas.is_empty(), one.args.hypertable.len()))
            .collect();
        assert_eq!(said, [("metrics", true, 1), ("b into x", false, 0), ("c", false, 0)]);
        assert_eq!(
            names("--source postgres://h/metrics --source postgres://h/b --into-schema x"),
            ["metrics", "b into x"]
        );
        // By its name, wherever that stands.
        assert_eq!(
            names("--into-schema b=x --source postgres://h/metrics --source postgres://h/b"),
            ["metrics", "b into x"]
        );
        let error =
            of("--source postgres://h/x --source postgres://h/b --into-schema x").expect_err("one directory");
        assert!(error.contains("would have one work directory, w/tsmigrate-x"), "{error}");
    }
}
