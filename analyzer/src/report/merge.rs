//! Several databases of a dump: the commands that keep them all in one service.

use std::fmt::Write as _;

use super::choice::{Choice, Way};
use crate::analysis::Analysis;
use crate::moving::into_schema;
use crate::options::Options;
use crate::quote::{quoted, shell, shell_file};
use crate::rule::Finding;

/// The ways to keep databases of which all but one are left out. `inputs` are the names of the files.
pub(super) fn choices(
    analysis: &Analysis,
    options: &Options,
    left: &[&Finding],
    inputs: &[&str],
) -> Vec<Choice> {
    let kept = analysis.databases.iter().find(|database| database.is_kept && options.moved.is_empty());
    let kept = kept.map(|database| database.name.as_str());
    if kept.is_none() && options.moved.is_empty() {
        return Vec::new();
    }
    let left = left.iter().filter_map(|finding| finding.object.as_deref()?.strip_prefix("database "));
    let all: Vec<&str> = kept.into_iter().chain(left).collect();
    // Chunks are in there.
    let has_hypertables = |name: &&&str| {
        let mut databases = analysis.databases.iter();
        databases.any(|database| {
            database.name == ***name && database.schemas.contains_key("_timescaledb_internal")
        })
    };
    let with_hypertables: Vec<&str> = all.iter().filter(has_hypertables).copied().collect();
    let choice =
        |what: &str, command: Option<String>, way| Choice { what: what.to_owned(), lost: None, command, way };
    if with_hypertables.len() > 1 {
        let names: Vec<String> = with_hypertables.iter().map(|name| quoted(name)).collect();
        let what = format!(
            "Keep one database with hypertables here, and give each other one a service of its own, with --database: {}",
            names.join(", ")
        );
        return vec![choice(&what, None, Way::Elsewhere)];
    }
    let (mut words, mut sources) = (String::new(), String::new());
    for (number, name) in all.iter().enumerate() {
        let into = into_schema(name);
        let source = format!(" --source \"$SOURCE_{}\"", number + 1);
        if with_hypertables.contains(name) {
            words.insert_str(0, &format!(" --database {}", shell(name)));
            sources.insert_str(0, &source);
        } else {
            let schema = into.rsplit_once('=').map_or(into.as_str(), |(_, schema)| schema);
            // Writing to a String cannot fail.
            let _ = write!(words, " --into-schema {}", shell(&into));
            let _ = write!(sources, "{source} --into-schema {}", shell(schema));
        }
    }
    let keep =
        choice("Keep them all, each in schemas of its own", Some(words.trim_start().to_owned()), Way::Option);
    // Beside others that move already, the same command is enough.
    if kept.is_none() || inputs.contains(&"-") {
        return vec![keep];
    }
    let files: Vec<String> = inputs.iter().map(|name| shell_file(name)).collect();
    let restore = format!("tsmigrate restore {} --target \"$TARGET\"{words}", files.join(" "));
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
        choices.filter_map(|choice| choice.command.clone()).collect()
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
}
