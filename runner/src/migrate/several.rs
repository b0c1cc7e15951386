//! Several databases in one command, each a run of its own with a work directory of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Args;
use crate::connect::{Connector, Side};
use crate::error::Error;
use crate::human::count;
use crate::moving::Wish;
use crate::quote::quoted;
use crate::workdir::WorkDir;

/// What becomes of one of them.
#[derive(Debug)]
pub struct One<A> {
    /// What people call it.
    pub name: String,
    /// Its own run; none where that has come to its end.
    pub args: Option<A>,
    /// It goes on with what was begun.
    pub goes_on: bool,
}

/// Where one of them has its records, and how far it is: whether it goes on, or has come to its end.
pub(super) struct Place {
    pub(super) work_dir: PathBuf,
    pub(super) report: Option<PathBuf>,
    pub(super) goes_on: bool,
    pub(super) has_ended: bool,
}

impl Place {
    /// The place of the one of this name, below the directory that was named.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub(super) fn of(
        name: &str,
        (below, report): (Option<&Path>, Option<&Path>),
        resume: bool,
    ) -> Result<Self, Error> {
        let own = WorkDir::new(None, name).path().to_owned();
        let work_dir = below.map_or(own.clone(), |below| below.join(&own));
        let past = if resume { WorkDir::new(Some(&work_dir), name).past()? } else { None };
        let has_ended = past.as_ref().is_some_and(|past| past.done);
        Ok(Self {
            report: report.map(|path| beside(path, &own)),
            work_dir,
            goes_on: past.is_some() && !has_ended,
            has_ended,
        })
    }
}

/// `report-shop.html` beside `report.html`.
fn beside(path: &Path, own: &Path) -> PathBuf {
    let text =
        |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    let own = own.to_string_lossy().replacen("tsmigrate-", "", 1);
    path.with_file_name(format!("{}-{own}.{}", text(path.file_stem()), text(path.extension())))
}

/// The migrations that a person asks for, in their order; none where it is one.
///
/// # Errors
/// When it is not said where each goes.
pub(super) fn several(args: &Args) -> Result<Vec<One<Args>>, Error> {
    let Wish { into_schema, map_schema } = &args.schemas;
    if args.source.len() < 2 {
        return Ok(Vec::new());
    }
    let refused = |what: String| Error::Refused {
        what,
        next: vec![
            "give each database a schema: --source URI --into-schema NAME --source URI --into-schema NAME"
                .into(),
        ],
    };
    if into_schema.len() != args.source.len() {
        let (sources, schemas) =
            (count(args.source.len() as u64, "database"), count(into_schema.len() as u64, "schema"));
        return Err(refused(format!(
            "{sources} and {schemas} are named: --source and --into-schema go in pairs"
        )));
    }
    let mut seen = BTreeSet::new();
    let mut left: BTreeSet<&String> = map_schema.iter().collect();
    let mut all = Vec::new();
    for (source, into) in args.source.iter().zip(into_schema) {
        let database = Connector::new(Side::Source, source)?.endpoint().database().to_owned();
        let schema = into.strip_prefix(&format!("{database}=")).unwrap_or(into);
        if !seen.insert(schema) {
            return Err(refused(format!("two databases would go into schema {}", quoted(schema))));
        }
        let own: Vec<&String> =
            map_schema.iter().filter(|word| word.starts_with(&format!("{database}:"))).collect();
        left.retain(|word| !own.contains(word));
        let schemas = Wish {
            into_schema: vec![schema.to_owned()],
            map_schema: own.iter().filter_map(|word| Some(word.split_once(':')?.1.to_owned())).collect(),
        };
        schemas.read()?;
        let Place { work_dir, report, goes_on, has_ended } =
            Place::of(schema, (args.work_dir.as_deref(), args.report.as_deref()), args.resume)?;
        let args = Args {
            source: vec![source.clone()],
            schemas,
            work_dir: Some(work_dir),
            report,
            resume: goes_on,
            ..args.clone()
        };
        all.push(One {
            name: format!("{database} into {schema}"),
            args: (!has_ended).then_some(args),
            goes_on,
        });
    }
    match left.first() {
        None => Ok(all),
        Some(word) => Err(Error::Refused {
            what: format!("--map-schema {word}: it does not say of which database"),
            next: vec!["write DATABASE:OLD=NEW".into()],
        }),
    }
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

    fn of(words: &str) -> Result<Vec<One<Args>>, String> {
        let words = ["tsmigrate", "--target", "postgres://t/tsdb", "--work-dir", "w"]
            .into_iter()
            .chain(words.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        several(&cli.args).map_err(|error| error.to_string())
    }

    #[test]
    fn sources_and_schemas_go_in_pairs() {
        assert!(of("--source postgres://h/a").expect("one").is_empty());
        let all = of(
            "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema b=y --map-schema b:log=z",
        );
        let all = all.expect("two");
        let args: Vec<&Args> = all.iter().filter_map(|one| one.args.as_ref()).collect();
        assert_eq!(
            args.iter().map(|args| args.source[0].as_str()).collect::<Vec<_>>(),
            ["postgres://h/a", "postgres://h/b"]
        );
        assert_eq!(args[1].schemas, Wish { into_schema: vec!["y".into()], map_schema: vec!["log=z".into()] });
        assert_eq!(args[1].work_dir.as_deref(), Some(Path::new("w/tsmigrate-y")));
        for (words, why) in [
            ("--source postgres://h/a --source postgres://h/b --into-schema x", "go in pairs"),
            (
                "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema x",
                "two databases",
            ),
            (
                "--source postgres://h/a --into-schema x --source postgres://h/b --into-schema y --map-schema a=b",
                "of which database",
            ),
        ] {
            let error = of(words).expect_err(words);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn each_has_a_report_of_its_own() {
        let path = beside(Path::new("out/report.html"), Path::new("tsmigrate-my_db"));
        assert_eq!(path, Path::new("out/report-my_db.html"));
    }
}
