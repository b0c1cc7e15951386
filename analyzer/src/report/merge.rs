//! Several databases of a dump: the commands that keep them all in one service.

use std::fmt::Write as _;

use super::choice::{Choice, Way};
use super::databases::PATTERN;
use crate::analysis::{Analysis, DatabaseCensus};
use crate::moving::into_schema;
use crate::options::Options;
use crate::quote::{quoted, shell, shell_file};

/// What keeps databases beside each other: options, and the sources of a live migration that does the same.
struct Together {
    options: String,
    sources: String,
}

/// The databases that do not move yet.
fn unmoved<'a>(analysis: &'a Analysis, options: &Options) -> Vec<&'a DatabaseCensus> {
    let all = analysis.databases.iter();
    all.filter(|database| !options.moved.contains(&database.name) && database.name != PATTERN).collect()
}

/// The error has those with hypertables, where one service cannot hold them all.
fn together<'a>(all: &[&'a DatabaseCensus]) -> Result<Together, Vec<&'a DatabaseCensus>> {
    let with_hypertables: Vec<_> =
        all.iter().copied().filter(|database| database.has_hypertables()).collect();
    if with_hypertables.len() > 1 {
        return Err(with_hypertables);
    }
    let (mut words, mut sources) = (String::new(), String::new());
    for (number, database) in all.iter().enumerate() {
        let source = format!(" --source \"$SOURCE_{}\"", number + 1);
        if database.has_hypertables() {
            words.insert_str(0, &format!(" --database {}", shell(&database.name)));
            sources.insert_str(0, &source);
        } else {
            let into = into_schema(&database.name);
            let schema = into.rsplit_once('=').map_or(into.as_str(), |(_, schema)| schema);
            // Writing to a String cannot fail.
            let _ = write!(words, " --into-schema {}", shell(&into));
            let _ = write!(sources, "{source} --into-schema {}", shell(schema));
        }
    }
    Ok(Together { options: words.trim_start().to_owned(), sources })
}

/// The options that keep all databases, each in schemas of its own: none where all are kept, or cannot be.
pub(super) fn keep_all(analysis: &Analysis, options: &Options) -> Option<String> {
    let all = unmoved(analysis, options);
    let is_any_left_out = all.iter().any(|database| !database.is_kept);
    is_any_left_out.then(|| together(&all).ok())?.map(|together| together.options)
}

/// The ways to keep databases of which all but one are left out. `inputs` are the names of the files.
pub(super) fn choices(analysis: &Analysis, options: &Options, inputs: &[&str]) -> Vec<Choice> {
    let all = unmoved(analysis, options);
    if all.is_empty() {
        return Vec::new();
    }
    let choice =
        |what: &str, command: Option<String>, way| Choice { what: what.to_owned(), lost: None, command, way };
    let Together { options: words, sources } = match together(&all) {
        Ok(together) => together,
        Err(with_hypertables) => {
            let names: Vec<String> = with_hypertables.iter().map(|database| quoted(&database.name)).collect();
            let what = format!(
                "Keep one database with hypertables here, and give each other one a service of its own, with --database: {}",
                names.join(", ")
            );
            return vec![choice(&what, None, Way::Elsewhere)];
        }
    };
    let keep = choice("Keep them all, each in schemas of its own", Some(words.clone()), Way::Option);
    // Beside others that move already, the same command is enough.
    if !options.moved.is_empty() || inputs.contains(&"-") {
        return vec![keep];
    }
    let files: Vec<String> = inputs.iter().map(|name| shell_file(name)).collect();
    let restore = format!("tsmigrate restore {} --target \"$TARGET\" {words}", files.join(" "));
    let migrate = format!("tsmigrate migrate --target \"$TARGET\"{sources}");
    vec![
        keep,
        choice("Restore them so", Some(restore), Way::Elsewhere),
        choice("Move the live databases so, with their addresses", Some(migrate), Way::Elsewhere),
    ]
}

#[cfg(test)]
mod tests {
    use crate::report::Report;
    use crate::{Input, Options, Target, analyze};

    fn commands(text: &str, moved: &[&str]) -> Vec<String> {
        let target = Target::default();
        let moved = moved.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { moved, ..Options::default() };
        let inputs = [Input { name: "a b.sql", text: text.as_bytes() }];
        let analysis = analyze(&inputs, &target, &options).unwrap();
        let report = Report::new(&analysis, &target, &options);
        let choices = report.decisions.iter().flat_map(|decision| &decision.choices);
        let all: Vec<String> = choices.filter_map(|choice| choice.command.clone()).collect();
        // The table of databases says the same as the decision.
        let options = report.keep_all_databases.as_deref().unwrap_or("--accept DB-02");
        assert_eq!(all.first().map(String::as_str), Some(options));
        all
    }

    fn part(name: &str, sql: &str) -> String {
        format!("\\connect {name}\nCREATE TABLE public.t (x int);\n{sql}\n")
    }

    const CHUNK: &str = "CREATE TABLE _timescaledb_internal._hyper_1_1_chunk (x int);";

    #[test]
    fn databases_are_kept_by_commands_that_can_be_pasted() {
        let text = part("a", "") + &part("\"it's; b\"", "") + &part("c", "");
        assert_eq!(
            commands(&text, &[])[..3],
            [
                r"--into-schema a=a --into-schema 'it'\''s; b=it_s; b' --into-schema c=c",
                r#"tsmigrate restore 'a b.sql' --target "$TARGET" --into-schema a=a --into-schema 'it'\''s; b=it_s; b' --into-schema c=c"#,
                r#"tsmigrate migrate --target "$TARGET" --source "$SOURCE_1" --into-schema a --source "$SOURCE_2" --into-schema 'it_s; b' --source "$SOURCE_3" --into-schema c"#,
            ]
        );
        assert_eq!(commands(&text, &["a", "c"])[0], r"--into-schema 'it'\''s; b=it_s; b'");
    }

    #[test]
    fn one_with_hypertables_stays_as_it_is() {
        let text = part("a", "") + &part("b", "") + &part("m", CHUNK);
        let all = commands(&text, &[]);
        assert_eq!(all[0], "--database m --into-schema a=a --into-schema b=b");
        assert!(all[2].contains(r#"--source "$SOURCE_3" --source "$SOURCE_1" --into-schema a"#), "{all:?}");
        // Two cannot.
        let all = commands(&(text + &part("n", CHUNK)), &[]);
        assert_eq!(all, ["--accept DB-02"]);
    }

    #[test]
    fn one_that_was_chosen_can_still_be_kept_with_the_others() {
        let target = Target::default();
        let text = part("a", "") + &part("b", "") + &part("m", CHUNK);
        let inputs = [Input { name: "all.sql", text: text.as_bytes() }];
        let with = |options: &Options| {
            let analysis = analyze(&inputs, &target, options).unwrap();
            Report::new(&analysis, &target, options).keep_all_databases
        };
        let chosen = Options { database: Some("m".into()), ..Options::default() };
        let all = "--database m --into-schema a=a --into-schema b=b";
        assert_eq!(with(&chosen).as_deref(), Some(all));
        let moved = ["a", "b"].map(str::to_owned).into();
        assert_eq!(with(&Options { moved, ..chosen }), None);
    }
}
