//! How many bytes of a dump each step takes in a second, on one thread: `cargo bench -p tsmigrate-analyzer`.
//!
//! The dumps are the project's own, written by `pg_dump` and `pg_dumpall`. `TSMIGRATE_BENCH_DUMP=FILE` measures
//! another one too.

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use tsmigrate_analyzer::facts::Facts;
use tsmigrate_analyzer::finding::Place;
use tsmigrate_analyzer::locate::Statement;
use tsmigrate_analyzer::parse::{Parsed, STACK, parse};
use tsmigrate_analyzer::split::{Kind, Piece, Splitter, split};
use tsmigrate_analyzer::text::parseable;
use tsmigrate_analyzer::{Analyzer, Input, Options, ParseCache, Report, Target, analyze};

/// Counts what Rust allocates; what the parser does in C is not in there.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    // The analyzer's own stack: see STACK.
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(divan::main);
    thread.expect("a thread of this size").join().expect("the benchmarks end");
}

const DUMPS: [(&str, &[u8]); 3] = [
    ("cluster-15", include_bytes!("../../tests/fixtures/dumps/cluster-15.sql")),
    ("database-17", include_bytes!("../../tests/fixtures/dumps/database-17.sql")),
    ("schema-18", include_bytes!("../../tests/fixtures/dumps/schema-18.sql")),
];

fn names() -> Vec<String> {
    let own = DUMPS.iter().map(|(name, _)| (*name).to_owned());
    own.chain(std::env::var("TSMIGRATE_BENCH_DUMP")).collect()
}

fn text(name: &str) -> Vec<u8> {
    match DUMPS.iter().find(|(own, _)| *own == name) {
        Some((_, text)) => text.to_vec(),
        None => std::fs::read(name).expect("the file of TSMIGRATE_BENCH_DUMP"),
    }
}

fn statements(text: &[u8]) -> Vec<Piece<'_>> {
    split(text).into_iter().filter(|piece| piece.kind == Kind::Statement).collect()
}

fn parsed<'t>(pieces: &[Piece<'t>]) -> Vec<(Piece<'t>, String, Parsed)> {
    let tree = |piece: &Piece<'t>| {
        let sql = parseable(piece.text).into_owned();
        let parsed = parse(&sql, piece.standard_strings).ok()??;
        Some((piece.clone(), sql, parsed))
    };
    pieces.iter().filter_map(tree).collect()
}

#[divan::bench(args = names())]
fn a_split(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        let mut pieces = 0;
        let mut splitter = Splitter::new();
        splitter.feed(black_box(&text), &mut |_| pieces += 1);
        splitter.finish(&mut |_| pieces += 1);
        pieces
    });
}

#[divan::bench(args = names())]
fn b_parse(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let pieces = statements(&text);
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| parsed(black_box(&pieces)));
}

#[divan::bench(args = names())]
fn c_references(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let pieces = statements(&text);
    bencher.counter(BytesCount::of_slice(&text)).with_inputs(|| parsed(&pieces)).bench_local_refs(|parsed| {
        parsed.iter().map(|(.., parsed)| parsed.references().len()).sum::<usize>()
    });
}

#[divan::bench(args = names())]
fn d_facts(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let pieces = statements(&text);
    let parsed = parsed(&pieces);
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        let mut facts = Facts::default();
        for (number, (piece, sql, parsed)) in parsed.iter().enumerate() {
            let statement =
                Statement::new(sql, parsed, 0, Place::number(number as u64), piece.span.start, piece.at);
            facts.observe(&statement, None);
        }
        facts
    });
}

/// Splitting, parsing, facts, rules and proofs.
#[divan::bench(args = names())]
fn e_whole_check(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let (target, options) = (Target::default(), Options::default());
    let input = Input { name, text: &text };
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| analyze(&[input], &target, &options));
}

#[divan::bench(args = names())]
fn f_rewrite(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let (target, options) = (Target::default(), Options::default());
    let analysis = analyze(&[Input { name, text: &text }], &target, &options).expect("a whole dump");
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| analysis.rewritten(0, black_box(&text)));
}

#[divan::bench(args = names())]
fn g_report_as_json(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let (target, options) = (Target::default(), Options::default());
    let analysis = analyze(&[Input { name, text: &text }], &target, &options).expect("a whole dump");
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| serde_json::to_vec(&Report::new(&analysis, &target, &options)));
}

/// The whole check of a text that was checked just before: what an editor's next check takes at least.
#[divan::bench(args = names())]
fn i_checked_again(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name);
    let (target, options) = (Target::default(), Options::default());
    let cache = ParseCache::new(usize::MAX);
    let check = || {
        let mut analyzer = Analyzer::with_executor(&target, &options, &cache);
        analyzer.begin(name);
        analyzer.feed(black_box(&text))?;
        analyzer.end()?;
        let analysis = analyzer.finish();
        cache.end_check();
        Ok::<_, tsmigrate_analyzer::InputError>(analysis)
    };
    check().expect("a whole dump");
    bencher.counter(BytesCount::of_slice(&text)).bench_local(check);
}

/// Rows of COPY data, which nothing looks into.
#[divan::bench]
fn h_copy_data(bencher: Bencher<'_, '_>) {
    let row = b"2024-05-01 12:00:00+00\t17\t21.5\tthe quick brown fox jumps over the lazy dog\n";
    let mut text =
        b"CREATE TABLE app.t (at timestamptz, id int, v float8, note text);\nCOPY app.t FROM stdin;\n"
            .to_vec();
    while text.len() < 64 << 20 {
        text.extend_from_slice(row);
    }
    text.extend_from_slice(b"\\.\n");
    let (target, options) = (Target::default(), Options::default());
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| analyze(&[Input { name: "rows.sql", text: &text }], &target, &options));
}

/// A statement of some megabytes: a list of constants, what no tree is made of, a body.
#[divan::bench(args = ["list", "case", "body"])]
fn j_large_statement(bencher: Bencher<'_, '_>, kind: &str) {
    let repeated = |part: fn(usize) -> String| (0..200_000).map(part).collect::<String>();
    let text = match kind {
        "list" => format!("SELECT 1 IN ({} 0);", repeated(|n| format!("{n}, "))),
        "case" => format!("SELECT CASE 1 {} END;", repeated(|n| format!(" WHEN {n} THEN {n}"))),
        _ => format!("DO $$ BEGIN {} END $$;", repeated(|n| format!("PERFORM f({n}); "))),
    };
    let (target, options) = (Target::default(), Options::default());
    let input = Input { name: "large.sql", text: text.as_bytes() };
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| analyze(&[input], &target, &options));
}
