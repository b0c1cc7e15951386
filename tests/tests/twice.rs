//! Rewriting what was rewritten changes nothing more and finds nothing new, and bytes that come in chunks are judged as
//! those that come at once: over all fixtures and the project's own dumps. `MUTATIONS=n` makes n mutations of each fixture
//! too, and `CORPUS=1` takes the dumps of ../shared: for a person who looks for what is still wrong. What holds for any bytes
//! is asked of some thousand that are nearly fixtures; tests/fuzz asks the same of millions.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic)]

// The fuzz targets use all of it.
#[allow(dead_code, unreachable_pub)]
#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::path::Path;

use properties::{
    Chance, Texts, faults_of_chunks, faults_of_pieces, faults_of_reports, faults_of_rewrite, one,
};
use tsmigrate_analyzer::split::{Kind, split};
use tsmigrate_analyzer::{Input, Options, Target, analyze, parse};
use tsmigrate_tests::fixture::{Fixture, sql_files};

/// Checks the properties of some inputs; what is wrong.
fn faults(texts: &Texts, target: &Target, options: &Options, chance: &mut Chance) -> Vec<String> {
    let mut wrong = faults_of_chunks(texts, target, options, &mut || 1 + chance.below(3_000));
    wrong.extend(faults_of_rewrite(texts, target, options));
    wrong
}

/// The statements of a text with what stands before each.
fn pieces(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = vec![Vec::new()];
    for piece in split(text) {
        all.last_mut().unwrap().extend_from_slice(piece.text);
        if piece.kind == Kind::Statement {
            all.push(Vec::new());
        }
    }
    all
}

const PREAMBLE: &str = "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
                        SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\n";

/// Another input made of one: statements that change places, come twice or are gone, a preamble, transactions, sections of
/// databases, two files.
fn mutated(texts: &Texts, others: &[Texts], chance: &mut Chance) -> Texts {
    let mut texts = texts.clone();
    for _ in 0..=chance.below(3) {
        let index = chance.below(texts.len());
        let (name, text) = &mut texts[index];
        let mut parts = pieces(text);
        let (one, other) = (chance.below(parts.len()), chance.below(parts.len()));
        match chance.below(9) {
            0 => parts.swap(one, other),
            1 => drop(parts.remove(one)),
            2 => parts.insert(one, parts[other].clone()),
            3 => parts.insert(0, PREAMBLE.into()),
            4 => {
                parts.insert(one.min(other), b"\nBEGIN;\n".to_vec());
                parts.push(if chance.below(2) == 0 {
                    b"\nCOMMIT;\n".to_vec()
                } else {
                    b"\nROLLBACK;\n".to_vec()
                });
            }
            5 => parts.insert(one, b"\n\\connect other\n".to_vec()),
            6 => {
                parts[one] = String::from_utf8_lossy(&parts[one]).replace("public.", "").into_bytes();
            }
            7 => {
                let more = &others[chance.below(others.len())];
                let renamed = format!("{name}-2");
                texts.push((renamed, more[0].1.clone()));
                continue;
            }
            _ => {
                let more = &others[chance.below(others.len())];
                parts.extend(pieces(&more[0].1));
            }
        }
        *text = parts.concat();
    }
    texts
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn run(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(parse::STACK).spawn(test).unwrap().join().unwrap();
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn fixtures_and_their_mutations_are_rewritten_once() {
    run(|| {
        let fixtures = Fixture::all(None).unwrap();
        let texts = |fixture: &Fixture| -> Texts {
            fixture.inputs.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect()
        };
        let all: Vec<Texts> = fixtures.iter().map(texts).collect();
        let mut chance = Chance(number("SEED", 1) as u64);
        let mut wrong = Vec::new();
        for (fixture, original) in fixtures.iter().zip(&all) {
            let mut check = |texts: &Texts, what: &str, chance: &mut Chance| {
                for fault in faults(texts, &fixture.target, &fixture.options, chance) {
                    let shown: Vec<String> = texts
                        .iter()
                        .map(|(name, text)| format!("-- {name}\n{}", String::from_utf8_lossy(text)))
                        .collect();
                    let shown = if what.is_empty() { String::new() } else { shown.concat() };
                    wrong.push(format!("{}{what}: {fault}\n{shown}", fixture.name));
                }
            };
            check(original, "", &mut chance);
            for _ in 0..number("MUTATIONS", 0) {
                let texts = mutated(original, &all, &mut chance);
                check(&texts, ", mutated", &mut chance);
            }
        }
        report(&wrong);
    });
}

#[test]
fn dumps_are_rewritten_once() {
    run(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shared = root.join("../../shared");
        let own = [root.join("fixtures/dumps"), root.join("fixtures/cli"), root.join("fixtures/reports")];
        let mut others = ["dumps", "corpus", "cases/dumps"].map(|folder| shared.join(folder)).to_vec();
        if number("CORPUS", 0) == 0 {
            others.clear();
        }
        let mut chance = Chance(1);
        let mut wrong = Vec::new();
        for path in sql_files(&[own.as_slice(), others.as_slice()].concat()) {
            let text = std::fs::read(&path).unwrap();
            if text.len() > 2_000_000 {
                continue;
            }
            let texts = vec![("dump.sql".to_owned(), text)];
            for fault in faults(&texts, &Target::default(), &Options::default(), &mut chance) {
                wrong.push(format!("{}: {fault}", path.display()));
            }
        }
        report(&wrong);
    });
}

/// Bytes that are nearly a fixture: some are gone, come twice, change places or are others.
fn spoilt(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    const BYTES: &[u8] = b"'\"$;:()\\-/*\n\0\xc3\xe9EUx1 ";
    let mut text = text.to_vec();
    for _ in 0..=chance.below(4) {
        let (from, to) = (chance.below(text.len()), chance.below(text.len()));
        let range = from.min(to)..from.max(to).min(from.min(to) + 200);
        let byte = BYTES[chance.below(BYTES.len())];
        match chance.below(5) {
            0 => drop(text.drain(range)),
            1 => {
                let part = text[range].to_vec();
                text.splice(to..to, part);
            }
            2 => text.insert(from, byte),
            3 => text.truncate(from.max(1)),
            _ => text[from] = byte,
        }
        if text.is_empty() {
            text.push(byte);
        }
    }
    text
}

#[test]
fn any_bytes_are_split_judged_and_reported_to_the_end() {
    run(|| {
        let (target, options, mut chance) = (Target::default(), Options::default(), Chance(1));
        // Some of them: the whole takes minutes where the build is not optimised.
        for fixture in Fixture::all(None).unwrap().into_iter().step_by(12) {
            for (_, text) in &fixture.inputs {
                let whole = text.as_bytes();
                let text = spoilt(&whole[..whole.len().min(2_000)], &mut chance);
                let wrong = [
                    faults_of_pieces(&text, &mut || 1 + chance.below(40)),
                    faults_of_chunks(&one(&text), &target, &options, &mut || 1 + chance.below(400)),
                    faults_of_reports(&one(&text), &target, &options),
                ];
                let wrong = wrong.concat();
                let shown = String::from_utf8_lossy(&text);
                assert!(wrong.is_empty(), "{}: {}\n{shown}", fixture.name, wrong.join("\n"));
            }
        }
    });
}

#[test]
fn inputs_in_any_order_are_judged_the_same() {
    run(|| {
        let dump = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSET check_function_bodies = false;\n";
        let parts = [
            ("roles.sql", "CREATE ROLE app;\nALTER ROLE app WITH SUPERUSER;\n".to_owned()),
            (
                "schema.sql",
                format!(
                    "{dump}CREATE TABLE public.t (a integer);\nALTER TABLE public.t OWNER TO app;\nCREATE EXTENSION hll;\n"
                ),
            ),
            ("rows.sql", format!("{dump}COPY public.t (a) FROM stdin;\n1\n\\.\n")),
            ("indexes.sql", format!("{dump}CREATE INDEX t_a ON public.t USING btree (a);\n")),
        ];
        let (target, options) = (Target::default(), Options::default());
        let judged = |order: [usize; 4]| {
            let texts: Vec<_> = order.map(|index| &parts[index]).into();
            let inputs: Vec<Input<'_>> =
                texts.iter().map(|(name, text)| Input { name, text: text.as_bytes() }).collect();
            let analysis = analyze(&inputs, &target, &options).unwrap();
            let name = |input: usize| analysis.inputs[input].name.clone();
            let mut found: Vec<_> = analysis
                .findings
                .iter()
                .map(|finding| {
                    (name(finding.place.input), finding.rule.id, finding.place.span, finding.solved)
                })
                .collect();
            found.sort();
            let mut rewritten: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(index, (name, text))| {
                    assert_eq!(*name, analysis.inputs[index].name);
                    (*name, analysis.rewritten(index, text.as_bytes()))
                })
                .collect();
            rewritten.sort();
            (found, rewritten)
        };
        let first = judged([0, 1, 2, 3]);
        assert!(first.0.iter().any(|(_, rule, ..)| *rule == "EXT-01"), "{:?}", first.0);
        for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
            assert_eq!(judged(order), first, "{order:?}");
        }
    });
}
