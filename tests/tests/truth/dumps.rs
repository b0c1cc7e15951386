//! Whole dumps, each statement replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use tsmigrate_analyzer::parse::STACK;
use tsmigrate_analyzer::{Analysis, Input, Options, Target, analyze};
use tsmigrate_tests::fixture::sql_files;
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::replay::{LIKE_THE_SERVICE, Reply, run};
use tsmigrate_tests::reviewed::Seen;
use tsmigrate_tests::score::{Announced, Judged, Score, Unjudged, restored_hypertables};
use tsmigrate_tests::sent::{Sent, sent, sent_after};

use crate::servers::{TARGETS, answers, as_the_server, lab};
use crate::table::{Line, table};
use crate::{Failure, Outcome, here};

/// The extensions that the service takes and this server does not have.
fn lacking(service: &Target, here: &Target) -> BTreeSet<String> {
    let all = service.extension_list().into_iter().flat_map(|list| &list.extensions);
    all.filter(|name| !here.allows_extension(name) && here.installed_in(name).is_none()).cloned().collect()
}

/// One or several files that make one input of an analysis.
struct Dump {
    name: String,
    files: Vec<PathBuf>,
}

fn analysed(dump: &Dump, texts: &[Vec<u8>], target: &Target) -> Result<Analysis, Failure> {
    let inputs: Vec<Input<'_>> =
        texts.iter().map(|text| Input { name: &dump.name, text: text.as_slice() }).collect();
    Ok(analyze(&inputs, target, &Options::default())?)
}

fn judge(lab: &Lab, at: (Server, u32), dump: &Dump) -> Result<Line, Failure> {
    let (server, version) = at;
    let texts: Vec<Vec<u8>> = dump.files.iter().map(fs::read).collect::<Result<_, _>>()?;
    let reset = || -> Outcome {
        lab.reset(server)?;
        Ok(run(lab.admin_uri(server)?, LIKE_THE_SERVICE)?)
    };
    reset()?;
    let uri = lab.uri(server)?;
    let service = Target::default().with_version(version);
    let here = as_the_server(&service, uri)?;
    let lacking = lacking(&service, &here);
    let (service, here) = (analysed(dump, &texts, &service)?, analysed(dump, &texts, &here)?);
    let restored = restored_hypertables(&service);

    let mut judged = Vec::new();
    for (input, text) in texts.iter().enumerate() {
        let statements = sent(text);
        let unsent: BTreeMap<u64, Unjudged> = statements
            .iter()
            .filter_map(|sent| Some((sent.statement?, Unjudged::before_sending(&service, input, sent)?)))
            .collect();
        let asked: Vec<&Sent> =
            statements.iter().filter(|s| s.statement.is_some_and(|n| !unsent.contains_key(&n))).collect();
        let replies = answers(uri, &asked)?
            .into_iter()
            .filter_map(|(sent, reply)| Some((sent.statement?, reply)))
            .collect();
        let (service, here) = (Announced::of(&service, input), Announced::of(&here, input));
        let lines: BTreeMap<u64, u64> =
            statements.iter().filter_map(|sent| Some((sent.statement?, sent.line))).collect();
        judged.push((
            Judged::before(&service, &here, &statements, &unsent, &lacking, &restored, &replies),
            service,
            lines,
        ));
    }

    reset()?;
    let mut line = Line {
        dump: dump.name.clone(),
        score: Score::default(),
        unjudged: BTreeMap::new(),
        differences: Vec::new(),
    };
    for (input, (text, (mut judged, announced, lines))) in texts.iter().zip(judged).enumerate() {
        let statements = sent_after(&service, input, text);
        let replies = answers(uri, &statements.iter().collect::<Vec<_>>())?;
        let replies: Vec<(&Sent, &Reply)> = replies.iter().map(|(sent, reply)| (*sent, reply)).collect();
        judged.after(&announced, &lines, &replies);
        line.score += judged.score;
        for why in judged.unjudged.values() {
            *line.unjudged.entry(*why).or_default() += 1;
        }
        let file = dump.files.get(input).and_then(|file| file.file_name()).unwrap_or_default();
        line.differences.push((file.to_string_lossy().into_owned(), judged.differences));
    }
    Ok(line)
}

/// All dumps on all versions, each version in a thread of its own: the analysis asks for a large stack.
fn judge_all(lab: &Lab, dumps: &[Dump]) -> Result<Vec<(u32, Vec<Line>)>, Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = TARGETS
            .iter()
            .map(|&at| {
                let work = move || -> Result<Vec<Line>, Failure> {
                    dumps
                        .iter()
                        .map(|dump| {
                            judge(lab, at, dump)
                                .map_err(|error| format!("{} on {}: {error}", dump.name, at.1).into())
                        })
                        .collect()
                };
                std::thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, work)
                    .map(|thread| (at.1, thread))
            })
            .collect::<Result<_, _>>()?;
        threads
            .into_iter()
            .map(|(version, thread)| match thread.join() {
                Ok(lines) => Ok((version, lines?)),
                Err(_) => Err(format!("the thread of version {version} ended early").into()),
            })
            .collect()
    })
}

/// Judges the dumps and compares with what was reviewed.
fn check(test: &str, name: &str, dumps: &[Dump]) -> Outcome {
    let lab = lab(test)?;
    let Some(lab) = lab.as_ref() else { return Ok(()) };
    let only = std::env::var("TRUTH_ONLY").ok();
    let chosen: Vec<Dump> = dumps
        .iter()
        .filter(|dump| only.as_ref().is_none_or(|word| dump.name.contains(word.as_str())))
        .map(|dump| Dump { name: dump.name.clone(), files: dump.files.clone() })
        .collect();
    let versions = judge_all(lab, &chosen)?;
    let mut seen = Seen::default();
    for (version, lines) in &versions {
        for (file, differences) in lines.iter().flat_map(|line| &line.differences) {
            seen.add(file, *version, differences);
        }
        eprintln!("{name} on {version}\n{}", table(lines));
    }
    if only.is_some() {
        for line in seen.told() {
            eprintln!("{line}");
        }
        return Ok(());
    }
    let wrong = seen.compare(&here(&format!("truth/{name}.txt")))?;
    for (version, lines) in &versions {
        insta::assert_snapshot!(format!("{name}_{version}"), table(lines));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} differences:\n{}", wrong.len(), wrong.join("\n")).into())
    }
}

#[test]
fn reports_on_our_own_dumps_say_what_the_server_says() -> Outcome {
    let dumps = fs::read_dir(here("fixtures/dumps"))?.collect::<Result<Vec<_>, _>>()?;
    let files: BTreeSet<PathBuf> = dumps
        .iter()
        .map(fs::DirEntry::path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    let named =
        |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|n| here("fixtures/dumps").join(n)).collect() };
    let dumps = [
        Dump { name: "cluster-15".into(), files: named(&["cluster-15.sql"]) },
        Dump { name: "database-17".into(), files: named(&["roles-17.sql", "database-17.sql"]) },
        Dump { name: "parts-18".into(), files: named(&["schema-18.sql", "data-18.sql"]) },
    ];
    let used: BTreeSet<PathBuf> = dumps.iter().flat_map(|dump| dump.files.clone()).collect();
    assert!(
        files.difference(&used).all(|path| path.ends_with("make.sql")),
        "a dump is not judged: {files:?}"
    );
    check("reports_on_our_own_dumps_say_what_the_server_says", "own", &dumps)
}

#[test]
fn reports_on_real_dumps_say_what_the_server_says() -> Outcome {
    let test = "reports_on_real_dumps_say_what_the_server_says";
    let mut dumps = Vec::new();
    for folder in ["dumps", "corpus"] {
        let files = sql_files(&[here("../../shared").join(folder)]);
        dumps.extend(files.into_iter().map(|file| Dump {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            files: vec![file],
        }));
    }
    if dumps.is_empty() {
        skipped(test, "../shared with its dumps is not here");
        return Ok(());
    }
    check(test, "corpus", &dumps)
}
