//! Reports in every format: what stands in them, that they keep their schemas, and that no text of a dump is anything
//! but text in them.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tsmigrate_analyzer::finding::Script;
use tsmigrate_analyzer::report::{Around, Block, Format, SCHEMA, Section, Step};
use tsmigrate_analyzer::{Input, Options, Report, Target, analyze, parse};
use tsmigrate_tests::fixture::sql_files;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// A report of texts, in a format. The analysis asks for a large stack: see `parse::STACK`.
fn written(format: Format, texts: Vec<(String, Vec<u8>)>, options: Options, most: Option<usize>) -> String {
    let work = move || {
        let target = Target::default();
        let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
        let mut analysis = analyze(&inputs, &target, &options).unwrap();
        if texts.len() > 1 {
            analysis.scripts.push(Script {
                rule: "EXT-01",
                file: "by-hand.sql",
                title: "Run it after </pre><script> the restore".into(),
                sql: "-- </script>\nSELECT '<b>&';\n".into(),
            });
        }
        let next = [Step { what: "rewrite the dump:".into(), command: "tsmigrate rewrite '<b>.sql'".into() }];
        let sections = [Section {
            id: "moved".into(),
            title: "What was moved <b>".into(),
            blocks: vec![
                Block::Text("two <b>tables</b>".into()),
                Block::Table {
                    head: vec!["table".into(), "rows".into()],
                    rows: vec![vec!["a|<b>".into(), "2".into()]],
                },
                Block::Code("SELECT '<b>';".into()),
            ],
        }];
        let more = texts.len() > 1;
        let around = Around {
            max_findings: most,
            all: false,
            next: if more { &next } else { &[] },
            sections: if more { &sections } else { &[] },
        };
        let mut out = Vec::new();
        Report::new(&analysis, &target, &options).write(format, &around, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    std::thread::Builder::new().stack_size(parse::STACK).spawn(work).unwrap().join().unwrap()
}

fn fixture(name: &str) -> (String, Vec<u8>) {
    (name.to_owned(), std::fs::read(Path::new(FIXTURES).join("reports").join(name)).unwrap())
}

/// Every feature at once: several files, hostile names, what is solved, open, lost, and a script.
fn everything(format: Format) -> String {
    written(format, vec![fixture("roles.sql"), fixture("hostile.sql")], Options::default(), None)
}

fn nothing(format: Format) -> String {
    written(
        format,
        vec![("clean.sql".into(), b"CREATE TABLE public.a (b integer);\n".to_vec())],
        Options::default(),
        None,
    )
}

fn many(format: Format, most: Option<usize>) -> String {
    let dump = "SET default_tablespace = a;\nCREATE EXTENSION hll;\n".repeat(2000)
        + "CREATE TABLE t (u hll);\nSELECT broken broken broken;\n";
    written(format, vec![("many.sql".into(), dump.into_bytes())], Options::default(), most)
}

/// A page without its style and its program, its data on lines.
fn readable(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, rest) = rest.split_once("id=\"data\">").unwrap();
    let (data, rest) = rest.split_once("</script>").unwrap();
    let (middle, rest) = rest.split_once("<script>").unwrap();
    let (_, tail) = rest.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let head =
        head.lines().filter(|line| !line.contains("Content-Security-Policy")).collect::<Vec<_>>().join("\n");
    format!("{head}<style>…</style>{body}id=\"data\">{data:#}</script>{middle}<script>…</script>{tail}")
}

#[test]
fn a_report_has_everything_in_every_format() {
    for format in Format::ALL {
        let text = everything(format);
        let text = match format {
            Format::Html => readable(&text),
            Format::Sarif => format!("{:#}", serde_json::from_str::<Value>(&text).unwrap()),
            _ => text,
        };
        insta::assert_snapshot!(format!("everything_{}", format.name()), text);
    }
}

#[test]
fn a_report_of_nothing_is_a_whole_report() {
    for format in [Format::Github, Format::Markdown] {
        insta::assert_snapshot!(format!("nothing_{}", format.name()), nothing(format));
    }
    let page = nothing(Format::Html);
    assert!(page.contains("<h1><span class=\"sign\" aria-hidden=\"true\">✓</span> Ready</h1>"), "{page}");
    let sarif: Value = serde_json::from_str(&nothing(Format::Sarif)).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], 0);
}

#[test]
fn a_report_for_people_has_its_measure() {
    let github = many(Format::Github, None);
    assert_eq!(github.matches("\n::error ").count() + 1, 10, "{github}");
    assert!(github.contains("(GitHub shows 10 errors, 10 warnings and 10 notices of a step)"), "{github}");
    // Each rule once, before any rule again.
    assert!(github.lines().take(4).any(|line| line.contains("title=EXT-01")), "{github}");
    let markdown = many(Format::Markdown, None);
    assert!(markdown.len() < 65_536 && markdown.contains("… and 1,997 more"), "{markdown}");
    let html = many(Format::Html, Some(7));
    let data: Value =
        serde_json::from_str(html.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap())
            .unwrap();
    assert_eq!(data["findings"].as_array().unwrap().len(), 7);
    // The worst first; the counts stay whole, from which the view says that there are more.
    assert_eq!(
        (&data["findings"][0]["severity"], &data["findings"][0]["decision"]),
        (&"error".into(), &1.into())
    );
    assert!(data["counts"]["error"].as_u64() > Some(4000), "{}", data["counts"]);
}

#[test]
fn the_page_loads_nothing_and_runs_only_its_own_program() {
    let page = everything(Format::Html);
    for attribute in
        ["src=", "srcset=", "action=", "data=", "style=", "onclick=", "onerror=", "@import", "url("]
    {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert!(!page.contains("<link") && !page.contains("<base") && !page.contains("<iframe"));
    for href in page.split("href=\"").skip(1) {
        assert!(href.starts_with('#'), "{}", &href[..80]);
    }
    let policy =
        page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    // The elements are the page's own: no name of the dump made one.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert_eq!(page.matches("<b>").count(), 3, "one for each input, and for the decision");
}

#[test]
fn no_text_for_people_turns_around() {
    for format in [Format::Github, Format::Markdown] {
        assert!(!everything(format).contains('\u{202e}'), "{}", format.name());
    }
}

#[test]
fn secrets_are_in_no_format() {
    for format in Format::ALL {
        let text = everything(format);
        assert!(!text.contains("c3RvcmVk") && !text.contains("SCRAM-SHA-256"), "{}", format.name());
    }
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_valid(validator: &jsonschema::Validator, text: &str, what: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

/// The schema of SARIF 2.1.0 as it comes with a crate; it belongs to others.
fn sarif_schema() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package =
        metadata["packages"].as_array().unwrap().iter().find(|p| p["name"] == "serde-sarif").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let text = std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    // Its pattern for languages is no regular expression by the standard's own words (a bracket too many).
    serde_json::from_str(&text.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$")).unwrap()
}

/// Every fixture, and the dumps of others where they are at hand.
fn dumps() -> Vec<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let rules =
        std::fs::read_dir(Path::new(FIXTURES).join("rules")).unwrap().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = rules.collect();
    folders.extend(["reports", "cli", "dumps"].map(|name| Path::new(FIXTURES).join(name)));
    folders.extend(["dumps", "corpus"].map(|name| shared.join(name)));
    sql_files(&folders)
}

#[test]
fn every_report_keeps_its_schema() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/dumps").is_dir() {
        eprintln!(
            "skipped: every_report_keeps_its_schema: ../shared with its dumps is not here; the fixtures are tried"
        );
    }
    let run = || {
        let (json, sarif) = (validator(&serde_json::from_str(SCHEMA).unwrap()), validator(&sarif_schema()));
        let options =
            [Options::default(), Options { accept: ["EXT-01".to_owned()].into(), ..Options::default() }];
        let target = Target::default();
        for (number, path) in dumps().into_iter().enumerate() {
            let (name, text) = (path.display().to_string(), std::fs::read(&path).unwrap());
            // Each of them with one of the two: the fixtures stand in both halves.
            for options in options.iter().skip(number % 2).take(1) {
                let Ok(analysis) = analyze(&[Input { name: &name, text: &text }], &target, options) else {
                    continue;
                };
                let report = Report::new(&analysis, &target, options);
                let text = |format: Format| {
                    let mut out = Vec::new();
                    report.write(format, &Around::default(), &mut out).unwrap();
                    String::from_utf8(out).unwrap()
                };
                assert_valid(&json, &text(Format::Json), &name);
                assert_valid(&sarif, &text(Format::Sarif), &name);
                for format in [Format::Github, Format::Html, Format::Markdown] {
                    assert!(!text(format).is_empty(), "{name}");
                }
            }
        }
        assert_valid(&json, &everything(Format::Json), "everything");
        assert_valid(&sarif, &everything(Format::Sarif), "everything");
    };
    std::thread::Builder::new().stack_size(parse::STACK).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_changed_report_breaks_its_schema() {
    let json = validator(&serde_json::from_str(SCHEMA).unwrap());
    let report: Value = serde_json::from_str(&everything(Format::Json)).unwrap();
    assert!(json.is_valid(&report));
    let mut other = report.clone();
    other["version"] = 2.into();
    assert!(!json.is_valid(&other));
    let mut other = report;
    other["findings"][0].as_object_mut().unwrap().remove("message");
    assert!(!json.is_valid(&other));
}

#[test]
fn fixes_in_sarif_make_the_rewritten_dump() {
    let dump = "SET default_tablespace = größe;\nCREATE TABLE public.t (a integer) TABLESPACE fast;\n";
    let text = written(Format::Sarif, vec![("a.sql".into(), dump.into())], Options::default(), None);
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    for result in sarif["runs"][0]["results"].as_array().unwrap() {
        for edit in result["fixes"][0]["artifactChanges"][0]["replacements"].as_array().unwrap() {
            let number = |name: &str| usize::try_from(edit["deletedRegion"][name].as_u64().unwrap()).unwrap();
            let (start, length) = (number("byteOffset"), number("byteLength"));
            edits.push((
                start,
                length,
                edit["insertedContent"]["text"].as_str().unwrap_or_default().to_owned(),
            ));
        }
    }
    edits.sort();
    let mut new = dump.to_owned();
    for (start, length, text) in edits.into_iter().rev() {
        new.replace_range(start..start + length, &text);
    }
    assert_eq!(new, "SET default_tablespace = '';\nCREATE TABLE public.t (a integer);\n");
}
