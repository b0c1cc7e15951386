//! What holds for every input of the analyzer. The fuzz targets and `tests/tests/twice.rs` ask the same.

// What does not hold is a failure with its reason.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::order::{HEAD, begins};
use tsmigrate_analyzer::report::{Around, Format};
use tsmigrate_analyzer::split::{Kind, Piece, Splitter, split};
use tsmigrate_analyzer::{Analysis, Analyzer, Finding, Input, Options, Report, Severity, Target, analyze};

/// Inputs with their names.
pub type Texts = Vec<(String, Vec<u8>)>;

/// One input.
pub fn one(text: &[u8]) -> Texts {
    vec![("dump.sql".to_owned(), text.to_vec())]
}

/// An analysis of the inputs as they are; `None` where they are refused as a whole.
pub fn analysed(texts: &Texts, target: &Target, options: &Options) -> Option<Analysis> {
    let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
    analyze(&inputs, target, options).ok()
}

/// The same, fed in chunks of these lengths.
pub fn chunked(
    texts: &Texts,
    target: &Target,
    options: &Options,
    length: &mut dyn FnMut() -> usize,
) -> Option<Analysis> {
    let mut analyzer = Analyzer::new(target, options);
    for (name, text) in texts {
        analyzer.begin(name);
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(length().max(1)));
            analyzer.feed(chunk).ok()?;
            rest = after;
        }
        analyzer.end().ok()?;
    }
    Some(analyzer.finish())
}

fn said(analysis: &Analysis) -> Vec<String> {
    let said = |f: &Finding| {
        format!(
            "{} {:?} {}:{} {} {}",
            f.rule.id, f.severity, f.place.input, f.place.span.start, f.solved, f.message
        )
    };
    analysis.findings.iter().map(said).collect()
}

/// The statements that fail and are not solved.
fn open(analysis: &Analysis) -> BTreeSet<(usize, u32)> {
    analysis.unsolved().map(|finding| (finding.place.input, finding.place.statement)).collect()
}

/// What is wrong with the pieces that a text is cut into: they tile it, in whatever chunks it comes.
pub fn faults_of_pieces(text: &[u8], length: &mut dyn FnMut() -> usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let whole = split(text);
    let joined: Vec<u8> = whole.iter().flat_map(|piece| piece.text).copied().collect();
    if joined != text {
        wrong.push("the pieces are another text".to_owned());
    }
    let mut at = 0;
    for piece in &whole {
        if piece.span.start != at || piece.span.len() != piece.text.len() as u64 {
            wrong.push(format!("a piece at {:?} behind byte {at}", piece.span));
        }
        at = piece.span.end;
    }
    // Rows of COPY data may come in more pieces: those beside each other are one.
    let mut pieces: Vec<(Kind, Vec<u8>, bool)> = Vec::new();
    let mut take = |piece: Piece<'_>| match pieces.last_mut() {
        Some((Kind::CopyData, text, _)) if piece.kind == Kind::CopyData => text.extend(piece.text),
        _ => pieces.push((piece.kind, piece.text.to_vec(), piece.standard_strings)),
    };
    let mut splitter = Splitter::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(length().max(1)));
        splitter.feed(chunk, &mut take);
        rest = after;
    }
    splitter.finish(&mut take);
    let mut expected: Vec<(Kind, Vec<u8>, bool)> = Vec::new();
    for piece in &whole {
        match expected.last_mut() {
            Some((Kind::CopyData, text, _)) if piece.kind == Kind::CopyData => text.extend(piece.text),
            _ => expected.push((piece.kind, piece.text.to_vec(), piece.standard_strings)),
        }
    }
    if pieces != expected {
        wrong.push("in chunks other pieces".to_owned());
    }
    wrong
}

/// What is wrong where the inputs come in chunks: they are judged as those that come at once.
pub fn faults_of_chunks(
    texts: &Texts,
    target: &Target,
    options: &Options,
    length: &mut dyn FnMut() -> usize,
) -> Vec<String> {
    // What comes in chunks is taken in the order in which it comes.
    let mut texts = texts.clone();
    texts.sort_by_cached_key(|(_, text)| begins(text.get(..HEAD).unwrap_or(text)));
    let whole = analysed(&texts, target, options);
    let parts = chunked(&texts, target, options, length);
    let told = |analysis: Option<&Analysis>| {
        let Some(analysis) = analysis else { return vec!["refused as a whole".to_owned()] };
        let not_judged = analysis.not_judged.iter().map(|entry| format!("{entry:?}"));
        said(analysis).into_iter().chain(not_judged).collect()
    };
    let (whole, parts) = (told(whole.as_ref()), told(parts.as_ref()));
    if whole == parts { Vec::new() } else { vec![format!("in chunks {parts:#?}, at once {whole:#?}")] }
}

/// What is wrong with the rewrite of the inputs: a second one changes nothing and finds nothing new.
pub fn faults_of_rewrite(texts: &Texts, target: &Target, options: &Options) -> Vec<String> {
    let Some(first) = analysed(texts, target, options) else { return Vec::new() };
    let mut wrong = Vec::new();
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

/// Writes the report of an input in every format. What is wrong: one that is no JSON.
pub fn faults_of_reports(texts: &Texts, target: &Target, options: &Options) -> Vec<String> {
    let Some(analysis) = analysed(texts, target, options) else { return Vec::new() };
    let report = Report::new(&analysis, target, options);
    let mut wrong = Vec::new();
    for format in Format::ALL {
        for max_findings in [None, Some(1)] {
            let mut out = Vec::new();
            let around = Around { max_findings, ..Around::default() };
            report.write(format, &around, &mut out).unwrap();
            let is_json = matches!(format, Format::Json | Format::Sarif);
            if is_json && serde_json::from_slice::<serde_json::Value>(&out).is_err() {
                wrong.push(format!("{} is no JSON", format.name()));
            }
            if std::str::from_utf8(&out).is_err() {
                wrong.push(format!("{} is no UTF-8", format.name()));
            }
        }
    }
    wrong
}

/// Numbers that look like chance, and are the same in every run (Knuth, MMIX).
pub struct Chance(pub u64);

impl Chance {
    /// The next one, below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Lengths of chunks out of the input itself, the same every time.
pub fn lengths(text: &[u8]) -> impl FnMut() -> usize + use<> {
    let seed = text.iter().fold(1, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let mut chance = Chance(seed);
    move || 1 + chance.below(64)
}

/// Ends the run where something is wrong.
pub fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
