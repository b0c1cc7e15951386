use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::*;
use crate::{Input, Options, Target, analyze};

#[test]
fn a_browser_is_told_the_digests_of_the_style_and_the_view() {
    for (name, text, known) in [("view.css", STYLE, STYLE_DIGEST), ("view.js", VIEW, VIEW_DIGEST)] {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert_eq!(known, format!("sha256-{digest}"), "node web/view/build.mjs makes {name} and its digest");
    }
}

#[test]
fn nothing_in_the_view_or_the_style_ends_its_element() {
    for text in [STYLE, VIEW] {
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
    let findings = data["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["object"].as_str().unwrap().contains(name)));
    assert_eq!(findings[0]["file"], *name);
    assert_eq!(data["decisions"][0]["blocks"], 1);
    // What steers is shown where no program runs, too.
    assert!(page.contains("\\u{2028}") && !page.contains('\u{2028}'));
    // Of the page's own elements there are as many as it writes.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!((page.matches("<img").count(), page.matches("<!--").count()), (0, 0));
}
