//! Any input, in any chunks.

use super::*;

/// Tokens, their parts and whole lines in an order nobody would write.
fn dump_like() -> impl Strategy<Value = Vec<u8>> {
    let fragments: &[&[u8]] = &[
        b" ",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b";",
        b";\n",
        b"'",
        b"''",
        b"\"",
        b"$$",
        b"$a$",
        b"$a",
        b"a$",
        b"$1",
        b"(",
        b")",
        b"E'",
        b"U&'",
        b"u&\"",
        b"u&",
        b"B'",
        b"N'",
        b"\\'",
        b"\\\\",
        b"\\",
        b"--",
        b"-",
        b"/*",
        b"*/",
        b"/",
        b"*",
        b"-- x\n",
        b"1",
        b"1.",
        b"1e-",
        b"1_0",
        b"..",
        b".",
        b":",
        b"::",
        b":a",
        b"e",
        b"u",
        b"&",
        b"\xc3\xa9",
        b"\xe9",
        b"\0",
        b"\xef\xbb\xbf",
        b"SELECT ",
        b"select 1;\n",
        b"CREATE OR REPLACE FUNCTION f() ",
        b"BEGIN ",
        b"CASE ",
        b"END ",
        b"COPY t ",
        b"FROM ",
        b"stdin",
        b"COPY t FROM stdin;\n",
        b"COPY t FROM stdin; ",
        b"1\t\\N\n",
        b"\\.\n",
        b"\n\\.\n",
        b"\\.\r\n",
        b"\\.",
        b"\\connect a\n",
        b"\\echo '",
        b"\\copy t from stdin\n",
        b"\\g\n",
        b"\\r ",
        b"\\;",
        b"pg_dump: x\n",
        b"pg_du",
        b"WARNING:  x\n",
        b"HINT:  x\n",
        b"SET standard_conforming_strings = off;\n",
        b"SELECT set_config('standard_conforming_strings', 'on', false);",
        b"a_name_that_is_longer_than_any_keyword_and_than_the_longest_word_there_is",
    ];
    prop::collection::vec(prop::sample::select(fragments), 0..40).prop_map(|parts| parts.concat())
}

/// Checks what holds for every input, in one piece and in chunks that end at `cuts`.
fn check_any_input(text: &[u8], cuts: &[Index], longest: usize) -> Result<(), TestCaseError> {
    assert_tiles(text, &split(text));
    let whole = in_chunks([text].into_iter(), longest);
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    ends.extend([0, text.len()]);
    ends.sort_unstable();
    let chunks = ends.windows(2).map(|ends| &text[ends[0]..ends[1]]);
    prop_assert_eq!(&in_chunks(chunks, longest), &whole);
    prop_assert_eq!(&in_chunks(text.chunks(1), longest), &whole);
    let joined: Vec<u8> = whole.iter().flat_map(|piece| piece.text.clone()).collect();
    prop_assert_eq!(joined, text);
    for piece in &whole {
        prop_assert!(
            !piece.text.is_empty() || piece.end == End::CutOff(Open::CopyData),
            "an empty {:?}",
            piece.kind
        );
        let may_be_long = matches!(piece.kind, Kind::CopyData | Kind::CopyEnd);
        prop_assert!(may_be_long || piece.text.len() <= longest);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dump_like_text_splits_the_same_in_any_chunks(text in dump_like(), cuts in any::<Vec<Index>>()) {
        check_any_input(&text, &cuts, Splitter::MAX_STATEMENT)?;
    }

    #[test]
    fn arbitrary_bytes_split_the_same_in_any_chunks(text: Vec<u8>, cuts: Vec<Index>) {
        check_any_input(&text, &cuts, Splitter::MAX_STATEMENT)?;
    }

    #[test]
    fn long_pieces_are_cut_at_the_same_places_in_any_chunks(text in dump_like(), cuts in any::<Vec<Index>>()) {
        // A cut loses sight of the string that a lone CR continues.
        let mut text = text;
        text.retain(|&byte| byte != b'\r');
        check_any_input(&text, &cuts, 80)?;
    }
}

#[test]
fn every_shared_dump_tiles_and_splits_the_same_in_any_chunks() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if !shared.is_dir() {
        eprintln!("skipped: every_shared_dump_tiles_and_splits_the_same_in_any_chunks: ../shared is absent");
        return;
    }
    for folder in ["dumps", "corpus"] {
        for entry in std::fs::read_dir(shared.join(folder)).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            let text = std::fs::read(&path).expect("it can be read");
            assert_tiles(&text, &split(&text));
            let mut whole = Vec::new();
            for piece in split(&text) {
                collect(&mut whole, &piece);
            }
            for size in [if text.len() < 50_000 { 1 } else { 101 }, 4096, 1 << 16] {
                let chunked = in_chunks(text.chunks(size), Splitter::MAX_STATEMENT);
                assert!(chunked == whole, "{} in chunks of {size}", path.display());
            }
        }
    }
}
