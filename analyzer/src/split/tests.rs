use super::*;
use proptest::prelude::*;
use std::path::Path;

/// Pieces as kind and text, blanks left out, joined text checked.
fn pieces(text: &str) -> Vec<(Kind, String)> {
    let all = split(text.as_bytes());
    assert_tiles(text.as_bytes(), &all);
    all.iter()
        .filter(|piece| piece.kind != Kind::Blank)
        .map(|piece| (piece.kind, String::from_utf8_lossy(piece.text).into_owned()))
        .collect()
}

fn statements(text: &str) -> Vec<String> {
    pieces(text).into_iter().filter(|(kind, _)| *kind == Kind::Statement).map(|(_, text)| text).collect()
}

fn last_end(text: &str) -> End {
    split(text.as_bytes()).last().expect("a piece").end
}

fn assert_tiles(text: &[u8], pieces: &[Piece<'_>]) {
    let mut offset = 0;
    let mut at = Position { line: 1, column: 1 };
    for piece in pieces {
        assert_eq!(piece.span, Span::new(offset, offset + piece.text.len() as u64));
        assert_eq!(piece.at, at);
        offset = piece.span.end;
        at = crate::text::position(piece.text, at, piece.text.len());
    }
    let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.text).copied().collect();
    assert!(joined == text, "pieces joined differ from the input");
}

#[derive(Debug, PartialEq, Eq)]
struct Owned {
    kind: Kind,
    text: Vec<u8>,
    span: Span,
    at: Position,
    end: End,
    standard_strings: bool,
}

/// The pieces with neighbouring rows merged, since chunks may cut those anywhere.
fn collect(into: &mut Vec<Owned>, piece: &Piece<'_>) {
    if let Some(before) = into.last_mut()
        && before.kind == Kind::CopyData
        && piece.kind == Kind::CopyData
    {
        before.text.extend_from_slice(piece.text);
        before.span.end = piece.span.end;
        before.end = piece.end;
        return;
    }
    into.push(Owned {
        kind: piece.kind,
        text: piece.text.to_vec(),
        span: piece.span,
        at: piece.at,
        end: piece.end,
        standard_strings: piece.standard_strings,
    });
}

fn in_chunks<'c>(chunks: impl Iterator<Item = &'c [u8]>, longest: usize) -> Vec<Owned> {
    let mut owned = Vec::new();
    let mut splitter = Splitter::with_longest(longest);
    for chunk in chunks {
        splitter.feed(chunk, &mut |piece| collect(&mut owned, &piece));
    }
    splitter.finish(&mut |piece| collect(&mut owned, &piece));
    owned
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
            split(&text).iter().for_each(|piece| collect(&mut whole, piece));
            for size in [1, 7, 4096, 1 << 16] {
                let chunked = in_chunks(text.chunks(size), Splitter::MAX_STATEMENT);
                assert!(chunked == whole, "{} in chunks of {size}", path.display());
            }
        }
    }
}
