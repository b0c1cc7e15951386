//! Real dumps of many versions and hands: none is refused, none crashes the analysis, every rewrite is whole.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::naive_bytecount, clippy::similar_names)]

use std::path::PathBuf;

use tsmigrate_analyzer::split::{Kind, split};
use tsmigrate_analyzer::{Analysis, Input, Options, Style, Target, analyze, parse};
use tsmigrate_tests::fixture::sql_files;

/// The dumps, where they are at hand: they belong to others and are no part of the project.
fn dumps(test: &str) -> Vec<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let files = sql_files(&["dumps", "corpus"].map(|folder| shared.join(folder)));
    if files.is_empty() {
        eprintln!("skipped: {test}: ../shared with its dumps is not here");
    }
    files
}

fn for_each_dump(test: &'static str, check: fn(&str, &[u8], &Analysis)) {
    // The analysis asks for a large stack: see parse::STACK.
    let run = move || {
        let (target, options) = (Target::default(), Options::default());
        for path in dumps(test) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read(&path).unwrap();
            let analysis = analyze(&[Input { name: &name, text: &text }], &target, &options);
            match analysis {
                Ok(a) => check(&name, &text, &a),
                Err(e) => eprintln!("ERR {e}"),
            }
        }
    };
    std::thread::Builder::new().stack_size(parse::STACK).spawn(run).unwrap().join().unwrap();
}

#[test]
fn every_dump_is_analysed_and_every_finding_points_into_it() {
    for_each_dump("every_dump_is_analysed_and_every_finding_points_into_it", |name, text, analysis| {
        for finding in &analysis.findings {
            let span = finding.place.span;
            assert!(span.start <= span.end && span.end <= text.len() as u64, "{name}: {finding:?}");
            let before = &text[..usize::try_from(span.start).unwrap()];
            let lines = 1 + before.iter().filter(|b| **b == b'\n').count() as u64;
            assert_eq!(finding.place.line, lines, "{name}: {finding:?}");
            assert!(
                !finding.message.is_empty() && finding.excerpt.text.get(finding.excerpt.marked()).is_some()
            );
        }
    });
}

#[test]
fn a_rewrite_keeps_all_that_it_does_not_name() {
    for_each_dump("a_rewrite_keeps_all_that_it_does_not_name", |name, text, analysis| {
        // Outside of the planned changes, every byte is the input's own, in its order.
        let planned = &analysis.inputs[0].planned;
        let mut kept = Vec::new();
        let mut done = 0_usize;
        for change in planned {
            let start = usize::try_from(change.span().start).unwrap();
            assert!(start >= done, "{name}: changes overlap at byte {start}: {change:?}");
            kept.extend_from_slice(&text[done..start]);
            done = usize::try_from(change.span().end).unwrap();
        }
        kept.extend_from_slice(&text[done..]);
        let out = analysis.rewritten(0, text);
        let mut rest = out.iter();
        assert!(kept.iter().all(|byte| rest.any(|b| b == byte)), "{name}");

        let mut deleted = Vec::new();
        let mut rewriter = analysis.rewriter(0, Style::Delete);
        for chunk in text.chunks(7919) {
            rewriter.feed(chunk, &mut deleted);
        }
        rewriter.finish(&mut deleted);
        assert!(deleted.len() <= out.len(), "{name}");
    });
}

#[test]
fn every_statement_of_a_rewritten_dump_is_one_the_parser_took_before() {
    for_each_dump(
        "every_statement_of_a_rewritten_dump_is_one_the_parser_took_before",
        |name, text, analysis| {
            let refused = |text: &[u8]| {
                split(text)
                    .iter()
                    .filter(|piece| piece.kind == Kind::Statement)
                    .filter(|piece| {
                        parse::parse(&tsmigrate_analyzer::text::parseable(piece.text), piece.standard_strings)
                            .is_err()
                    })
                    .count()
            };
            let (before, after) = (refused(text), refused(&analysis.rewritten(0, text)));
            assert!(
                after <= before,
                "{name}: {before} statements were refused, {after} are after the rewrite"
            );
        },
    );
}
