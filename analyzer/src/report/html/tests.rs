use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::*;
use crate::{Input, Options, Target, analyze};

#[test]
fn a_browser_is_told_the_digests_of_the_style_and_the_script() {
    let digest = |text: &str| {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!("sha256-{digest}")
    };
    let digests = [("STYLE_DIGEST", STYLE, STYLE_DIGEST), ("SCRIPT_DIGEST", SCRIPT, SCRIPT_DIGEST)];
    for (name, text, known) in digests {
        assert_eq!(known, digest(text), "{name} in html.rs is not that of the file any more");
    }
}

#[test]
fn nothing_in_the_script_or_the_style_ends_its_element() {
    for text in [STYLE, SCRIPT] {
        let text = text.to_ascii_lowercase();
        assert!(!text.contains("</") && !text.contains("<!--"));
    }
}

#[test]
fn the_data_is_json_and_no_text_in_it_is_markup() {
    let name = "</script><!--<img src=x onerror=alert(1)>&amp;\u{2028}'\"";
    let dump = format!("CREATE EXTENSION hll; CREATE TABLE \"{}\" (u hll);", name.replace('"', "\"\""));
    let (target, options) = (Target::default(), Options::default());
    let analysis = analyze(&[Input { name, text: dump.as_bytes() }], &target, &options).unwrap();
    let mut out = Vec::new();
    write(&Report::new(&analysis, &target, &options), &Around::default(), &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert!(!data.contains(['<', '>', '&', '\u{2028}']), "{data}");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    // What steers is shown in place of being obeyed.
    let name = &name.replace('\u{2028}', "\\u{2028}");
    assert_eq!(data["files"][0], *name);
    assert!(
        data["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["object"].as_str().unwrap().contains(name.as_str()))
    );
    // Of the page's own elements there are as many as it writes.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!((page.matches("<img").count(), page.matches("<!--").count()), (0, 0));
}
