//! Real dumps that move: each arrives with nothing lost but what was announced and accepted by name.

use std::path::{Path, PathBuf};

use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::program::program;

use crate::stage::Outcome;

/// A dump of `../shared`, and where its databases go.
struct Dump {
    file: &'static str,
    words: &'static [&'static str],
    /// How many databases arrive.
    databases: usize,
}

const DUMPS: [Dump; 9] = [
    Dump {
        file: "dumps/all13",
        words: &["--into-schema", "srcdb=src", "--into-schema", "tpl=tpl"],
        databases: 2,
    },
    Dump {
        file: "dumps/all15",
        words: &[
            "--database",
            "otherdb",
            "--into-schema",
            "srcdb=src",
            "--into-schema",
            "tsdb=ts",
            "--into-schema",
            "tpl=tpl",
        ],
        databases: 4,
    },
    Dump {
        file: "dumps/all18",
        words: &[
            "--into-schema",
            "srcdb=src",
            "--into-schema",
            "tsdb=ts",
            "--into-schema",
            "otherdb=my;other",
        ],
        databases: 3,
    },
    Dump {
        file: "corpus/03-course-dumpall-tablespaces",
        words: &["--into-schema", "laboratorio=lab", "--into-schema", "recetas=recetas"],
        databases: 2,
    },
    Dump {
        file: "corpus/05-pgbench-grafana-dumpall-verbose",
        words: &["--database", "grafana", "--into-schema", "pgbench=bench"],
        databases: 2,
    },
    Dump { file: "corpus/25-pagila-devrim-schema-vector", words: &["--into-schema", "pagila"], databases: 1 },
    Dump { file: "corpus/26-pagila-neon-copy-data", words: &["--into-schema", "pagila"], databases: 1 },
    Dump { file: "corpus/28-discourse-schema", words: &["--into-schema", "a%b"], databases: 1 },
    Dump { file: "corpus/31-supermarket-clean-matview", words: &["--into-schema", "é"], databases: 1 },
];

/// Those that are restored where `TSMIGRATE_FAULTS=long` does not ask for all.
const SHORT: [&str; 2] = ["dumps/all18", "corpus/31-supermarket-clean-matview"];

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")
}

/// The rules of the last command that accepts some.
fn offered(words: &str) -> Option<String> {
    let (_, rest) = words.rsplit_once("--accept ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[test]
fn dumps_found_elsewhere_arrive_moved_but_for_what_is_accepted() -> Outcome {
    let test = "dumps_found_elsewhere_arrive_moved_but_for_what_is_accepted";
    if !shared().is_dir() {
        skipped(test, "there is no ../shared");
        return Ok(());
    }
    let long = std::env::var("TSMIGRATE_FAULTS").is_ok_and(|wish| wish == "long");
    let dumps = DUMPS.iter().filter(|dump| long || SHORT.contains(&dump.file));
    for Dump { file, words, databases } in dumps {
        let Some(lab) = Lab::start_or_skip(test, &[Server::Target18])? else { return Ok(()) };
        let (target, path) = (lab.uri(Server::Target18)?, shared().join(format!("{file}.sql")));
        let mut accept: Vec<String> = Vec::new();
        let said = loop {
            let mut command = program();
            command.args(["restore", "--target", target, "--progress", "none"]).arg(&path).args(*words);
            if !accept.is_empty() {
                command.args(["--accept", &accept.join(",")]);
            }
            let output = command.current_dir(lab.folder()).output()?;
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            match output.status.code() {
                Some(0) => break said,
                Some(1) if accept.len() < 5 => accept.extend(offered(&said)),
                _ => panic!("{file} {accept:?}: {said}"),
            }
        };
        assert_eq!(said.matches("restored and verified").count(), *databases, "{file}: {said}");
    }
    Ok(())
}
