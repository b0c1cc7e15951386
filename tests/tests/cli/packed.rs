//! Compressed dumps, and standard input that nobody named.

use std::io::Write as _;

use crate::folder::{Folder, Ran};
use flate2::{Compression, write::GzEncoder};
use lz4_flex::frame::FrameEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tsmigrate_tests::program::run_with;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

fn lz4(text: &[u8]) -> Vec<u8> {
    let mut out = FrameEncoder::new(Vec::new());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_compressed_dump_is_read_as_what_is_in_it() {
    let folder = Folder::new();
    let schema = folder.read("schema.sql");
    let (start, end) = schema.as_bytes().split_at(schema.len() / 2);
    // A frame that is to be skipped, as parallel compressors write them.
    let skipped = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice(), &zstd(start), &zstd(end)].concat();
    folder
        .write("one.sql.gz", gzip(schema.as_bytes()))
        .write("two.sql.gz", [gzip(start), gzip(end)].concat())
        .write("one.sql.zst", zstd(schema.as_bytes()))
        .write("two.sql.zst", skipped)
        .write("one.sql.lz4", lz4(schema.as_bytes()))
        .write("two.sql.LZ4", [lz4(start), lz4(end)].concat())
        // Its bytes tell, not its name.
        .write("three.sql", gzip(schema.as_bytes()))
        .write("four", lz4(schema.as_bytes()));
    let plain = folder.run(&["rewrite", "-q", "--with", "roles.sql", "schema.sql"]).out;
    for name in [
        "one.sql.gz",
        "two.sql.gz",
        "one.sql.zst",
        "two.sql.zst",
        "one.sql.lz4",
        "two.sql.LZ4",
        "three.sql",
        "four",
    ] {
        let ran = folder.run(&["rewrite", "-q", "--with", "roles.sql", name]);
        assert_eq!(ran.out, plain, "{name} {}", ran.err);
    }
    // Roles come first, whatever they are packed in.
    folder.write("roles.sql.gz", gzip(folder.read("roles.sql").as_bytes()));
    let ran = folder.run(&["rewrite", "-q", "one.sql.gz", "roles.sql.gz", "--output-dir", "new"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert_eq!(folder.read("new/one.sql"), plain);
    assert!(folder.run(&["check", "one.sql.zst"]).out.contains(" one.sql.zst -o one.rewritten.sql"));
    let piped = |text: &[u8]| {
        Ran::new(run_with(&mut folder.command(&["check", "-", "--format", "json"]), text).unwrap()).out
    };
    assert_eq!(piped(&gzip(schema.as_bytes())), piped(schema.as_bytes()));
}

#[test]
fn a_compressed_dump_that_is_cut_off_or_damaged_is_told_apart() {
    let folder = Folder::new();
    let schema = folder.read("schema.sql").repeat(3);
    for (name, whole, test) in [
        ("a.sql.gz", gzip(schema.as_bytes()), "gzip -t"),
        ("a.sql.zst", zstd(schema.as_bytes()), "zstd -t"),
        ("a.sql.lz4", lz4(schema.as_bytes()), "lz4 -t"),
    ] {
        for length in [7, whole.len() / 2, whole.len() - 1] {
            folder.write(name, &whole[..length]);
            let ran = folder.run(&["check", name]);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{length}");
            assert!(
                ran.err.contains("cut off") && ran.err.contains(&format!("{test} {name}")),
                "{name} {length}: {}",
                ran.err
            );
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0x55);
        folder.write(name, &damaged);
        let ran = folder.run(&["rewrite", name, "-o", "out.sql"]);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.err.contains("the compressed file is "), "{}", ran.err);
        assert!(!folder.path("out.sql").exists());
    }
}

#[test]
fn standard_input_needs_no_name_where_a_dump_is_piped_in() {
    let folder = Folder::new();
    let schema = folder.read("schema.sql");
    for command in [["check", "-q"], ["rewrite", "-q"]] {
        let bare = Ran::new(run_with(&mut folder.command(&command), schema.as_bytes()).unwrap());
        let named =
            Ran::new(run_with(&mut folder.command(&[command[0], "-q", "-"]), schema.as_bytes()).unwrap());
        assert_eq!(bare.all(), named.all());
        // A file that is named is what counts.
        folder.write("a.sql", "SELECT 1;\n");
        let file = [&command[..], &["a.sql"]].concat();
        let ran = Ran::new(run_with(&mut folder.command(&file), schema.as_bytes()).unwrap());
        assert_eq!(ran.code, 0, "{}", ran.all());
        let nothing = folder.command(&command).stdin(std::process::Stdio::null()).output().unwrap();
        let ran = Ran::new(nothing);
        assert!(ran.code == 2 && ran.err.contains("no dump is named"), "{}", ran.all());
    }
}
