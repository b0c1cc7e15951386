use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::super::text::tests::report;
use super::*;

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    report.html(&mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("text")
}

#[test]
fn a_browser_is_told_the_digest_of_the_style() {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    assert_eq!(
        STYLE_DIGEST,
        format!("sha256-{digest}"),
        "STYLE_DIGEST in html.rs is not that of page.css any more"
    );
}

#[test]
fn no_name_is_markup_and_nothing_runs() {
    let page = page(&report());
    assert!(!page.contains("<script") && !page.contains("alert(1)</"), "a name became markup");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    assert!(!page.contains("<b>\n") && page.contains("owner &lt;b&gt;"));
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    for attribute in [" onerror=", " onload=", " style=", "javascript:"] {
        assert!(!page.contains(attribute), "{attribute}");
    }
}

#[test]
fn every_part_of_a_run_has_its_section() {
    let page = page(&report());
    for id in
        ["next", "verification", "missing", "timeline", "tables", "builds", "findings", "jobs", "warnings"]
    {
        assert_eq!(page.matches(&format!("<section id=\"{id}\"")).count(), 1, "{id}");
    }
    for (open, close) in
        [("<section", "</section>"), ("<details", "</details>"), ("<dl", "</dl>"), ("<table", "</table>")]
    {
        assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
    }
}

#[test]
fn a_run_that_did_nothing_is_a_page_too() {
    let page = page(&Report { error: Some("cannot start".into()), ..Report::default() });
    assert!(page.contains("<h1><span class=\"sign\" aria-hidden=\"true\">✗</span> Failed</h1>"));
    assert!(page.contains("cannot start"));
    assert!(!page.contains("id=\"timeline\""));
}

#[test]
fn a_long_list_says_what_is_left_out() {
    let mut long = report();
    let missing = long.missing[0].clone();
    long.missing = vec![missing; ROWS + 7];
    let page = page(&long);
    assert!(page.contains("1,975 more</summary>") && page.contains("… and 7 more, in report.json."));
}

#[test]
fn bars_stay_inside_whatever_the_times_are() {
    for (begun, took, all) in [(0.0, 0.0, 1.0), (5.0, 100.0, 10.0), (50.0, 1.0, 10.0), (-1.0, -2.0, 1.0)] {
        let mut page = String::new();
        bar(&mut page, "", "t", begun, took, all);
        let number = |name: &str| -> f64 {
            page.split(&format!(" {name}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next()?.parse().ok())
                .expect(name)
        };
        let (x, width) = (number("x"), number("width"));
        assert!(x >= 0.0 && width >= 2.0 && x + width <= 1000.0, "{page}");
    }
}
