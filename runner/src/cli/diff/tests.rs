use std::process::Command;

use tsmigrate_analyzer::{Input, Options, Style, Target, analyze};

use super::*;

/// What `patch` makes of a text with its diff, and what the rewriter makes of it.
fn patched(text: &str, longest: usize, chunk: usize) -> (String, String, String) {
    let analysis = analyze(
        &[Input { name: "dump.sql", text: text.as_bytes() }],
        &Target::default(),
        &Options::default(),
    )
    .expect("a dump");
    let mut diff = Vec::new();
    let planned = &analysis.inputs[0].planned;
    let rewriter = analysis.rewriter(0, Style::Comment);
    let mut writer = Diff::with_longest(&mut diff, "dump.sql", planned, rewriter, Secrets::new(&[]), longest);
    for chunk in text.as_bytes().chunks(chunk) {
        writer.feed(chunk).expect("memory");
    }
    writer.finish().expect("memory");
    drop(writer);
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("dump.sql"), text).expect("written");
    std::fs::write(dir.path().join("diff"), &diff).expect("written");
    let result = Command::new("patch")
        .args(["--fuzz=0", "--quiet", "dump.sql", "diff"])
        .current_dir(dir.path())
        .output()
        .expect("patch");
    assert!(result.status.success(), "{result:?}\n{}", String::from_utf8_lossy(&diff));
    let patched = std::fs::read_to_string(dir.path().join("dump.sql")).expect("read");
    let rewritten = String::from_utf8(analysis.rewritten(0, text.as_bytes())).expect("text");
    (patched, rewritten, String::from_utf8(diff).expect("text"))
}

const DUMPS: &[&str] = &[
    "SET default_tablespace = a;",
    "SET default_tablespace = a;\n",
    "SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\nSET default_tablespace = a;\nSELECT 5;\nSELECT 6;",
    "SELECT 1;\nSET\n default_tablespace\n = a\n;\n\n\n\n\n\n\nSET default_tablespace = b; SELECT 1;\n",
    "SET default_tablespace = a;\n\n\n\n\n\n\nSET default_tablespace = b;\n\n\n\n\n\n\n\nSET default_tablespace = c;\n",
    "SELECT 1;\nCREATE EXTENSION hll;\nCOMMENT ON EXTENSION hll IS 'a\nb\nc\nd\ne\nf\ng\nh';\nSELECT 1;\n\n\n\nSELECT 2;\n",
    "CREATE ROLE app;\nCREATE TABLE public.t (a integer);\nALTER TABLE public.t OWNER TO app;",
    "CREATE ROLE app;\r\nCREATE TABLE public.t (a integer);\r\nALTER TABLE public.t OWNER TO app;\r\n",
];

#[test]
fn patch_makes_of_a_diff_what_the_rewriter_makes_of_the_dump() {
    for text in DUMPS {
        for longest in [LONGEST, 40, 1] {
            for chunk in [1, 7, 4096] {
                let (patched, rewritten, diff) = patched(text, longest, chunk);
                assert_eq!(patched, rewritten, "{longest} {chunk}\n{diff}");
                assert_ne!(&patched, text);
            }
        }
    }
}

#[test]
fn changes_apart_are_hunks_apart() {
    let (.., diff) = patched(DUMPS[4], LONGEST, 4096);
    assert_eq!(diff.lines().filter(|line| line.starts_with("@@")).count(), 2, "{diff}");
    assert!(diff.contains("-SET default_tablespace = b;\n+SET default_tablespace = '';\n"), "{diff}");
}
