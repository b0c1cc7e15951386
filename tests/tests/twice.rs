//! Rewriting what was rewritten changes nothing more and finds nothing new, and bytes that come in chunks are judged as
//! those that come at once: over all fixtures and the project's own dumps. `MUTATIONS=n` makes n mutations of each fixture
//! too, and `CORPUS=1` takes the dumps of ../shared: for a person who looks for what is still wrong.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tsmigrate_analyzer::split::{Kind, split};
use tsmigrate_analyzer::{Analysis, Analyzer, Input, Options, Severity, Target, analyze, parse};
use tsmigrate_tests::fixture::{Fixture, sql_files};

type Texts = Vec<(String, Vec<u8>)>;

/// Numbers that look like chance, and are the same in every run (Knuth, MMIX).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn analysed(texts: &Texts, target: &Target, options: &Options) -> Option<Analysis> {
    let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
    analyze(&inputs, target, options).ok()
}

/// The same, fed in chunks.
fn chunked(texts: &Texts, target: &Target, options: &Options, chance: &mut Chance) -> Option<Analysis> {
    let mut analyzer = Analyzer::new(target, options);
    for (name, text) in texts {
        analyzer.begin(name);
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(1 + chance.below(3_000)));
            analyzer.feed(chunk).ok()?;
            rest = after;
        }
        analyzer.end().ok()?;
    }
    Some(analyzer.finish())
}

fn said(analysis: &Analysis) -> Vec<String> {
    let said = |f: &tsmigrate_analyzer::Finding| {
        format!(
            "{} {:?} {}:{} {} {}",
            f.rule.id, f.severity, f.place.input, f.place.span.start, f.solved, f.message
        )
    };
    analysis.findings.iter().map(said).collect()
}

/// The statements that fail and are not solved.
fn open(analysis: &Analysis) -> BTreeSet<(usize, u64)> {
    analysis.unsolved().map(|finding| (finding.place.input, finding.place.statement)).collect()
}

/// Checks the properties of some inputs; what is wrong.
fn faults(texts: &Texts, target: &Target, options: &Options, chance: &mut Chance) -> Vec<String> {
    let Some(first) = analysed(texts, target, options) else { return Vec::new() };
    let mut wrong = Vec::new();
    if chunked(texts, target, options, chance).map(|analysis| said(&analysis)) != Some(said(&first)) {
        wrong.push("in chunks other findings".to_owned());
    }
    let rewritten = |analysis: &Analysis, texts: &Texts| -> Texts {
        let texts = texts.iter().enumerate();
        texts.map(|(index, (name, text))| (name.clone(), analysis.rewritten(index, text))).collect()
    };
    let mut second = rewritten(&first, texts);
    // An input of which nothing but comments is left is not given again.
    let has_statements = |text: &[u8]| split(text).iter().any(|piece| piece.kind == Kind::Statement);
    second.retain(|(_, text)| has_statements(text));
    // The tables that a person chose are hypertables now.
    let options = &Options { convert: BTreeMap::default(), ..options.clone() };
    let Some(again) = analysed(&second, target, options) else {
        if !second.is_empty() {
            wrong.push("what was rewritten cannot be analysed".to_owned());
        }
        return wrong;
    };
    let third = rewritten(&again, &second);
    for ((name, before), (_, after)) in second.iter().zip(&third) {
        if before != after {
            let at = before.iter().zip(after).take_while(|(a, b)| a == b).count();
            let line = |text: &[u8]| {
                let start =
                    text[..at.min(text.len())].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let end = text.len().min(start + 200);
                String::from_utf8_lossy(&text[start..end]).into_owned()
            };
            wrong.push(format!("{name}: a second rewrite changes\n{}\nto\n{}", line(before), line(after)));
        }
    }
    let (before, after) = (open(&first).len(), open(&again).len());
    if after > before {
        wrong.push(format!("{before} statements fail, and {after} of what was rewritten"));
    }
    let solved = again.findings.iter().find(|f| f.solved && f.severity > Severity::Note);
    wrong.extend(
        solved.map(|f| format!("still to solve: {} {} in line {}", f.rule.id, f.message, f.place.line)),
    );
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
