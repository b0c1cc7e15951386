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
        "node web/view/build.mjs makes page.css and its digest"
    );
}

#[test]
fn no_name_is_markup_and_only_the_view_runs() {
    let page = page(&report());
    assert_eq!(page.matches("<script").count(), 2, "a name became markup");
    assert!(!page.contains("alert(1)</"), "a name became markup");
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
fn commands_are_there_to_copy_and_tables_are_reached_with_the_keyboard() {
    let next = vec!["go on without it: tsmigrate migrate --accept 'EXT-01'".into()];
    let page = page(&Report { next, ..report() });
    assert!(page.contains(
        "<p>Go on without it:</p>\n<div class=\"block copyable\"><pre tabindex=\"0\">tsmigrate migrate --accept &#39;EXT-01&#39;</pre>"
    ));
    assert!(page.contains("class=\"card table\" tabindex=\"0\"") && !page.contains("class=\"card table\">"));
}

#[test]
fn every_picture_is_there_with_its_words_and_what_waited_for_whom() {
    let page = page(&report());
    for title in ["Workers", "Throughput", "Largest tables"] {
        assert_eq!(page.matches(&format!("<h3>{title}</h3>")).count(), 1, "{title}");
    }
    assert!(page.contains("<table class=\"sides\">"));
    assert!(
        page.contains("role=\"img\" aria-label=\"2 workers at once at most"),
        "a reader hears what is seen"
    );
    // A table stands behind each picture that draws more than it says.
    assert_eq!(page.matches("<summary>The same as a table</summary>").count(), 2);
    assert!(page.contains("<rect class=\"wait\" x="));
}

#[test]
fn what_has_to_be_decided_is_said_with_and_without_the_view() {
    let way = |what: &str, command: Option<&str>| tsmigrate_analyzer::report::Choice {
        what: what.into(),
        lost: None,
        command: command.map(Into::into),
        way: tsmigrate_analyzer::report::Way::default(),
    };
    let decision = crate::results::Decision {
        title: "The target will not have extension \"<b>\"".into(),
        blocks: 2,
        ways: vec![way("Change it", None), way("Leave it out", Some("--accept EXT-01"))],
        number: 1,
        ..Default::default()
    };
    let page = page(&Report { outcome: Outcome::Blocked, decisions: vec![decision], ..report() });
    assert!(page.contains("extension &quot;&lt;b&gt;&quot;</b> (2 errors)<ul><li>Change it</li>"));
    assert!(page.contains("<li>Leave it out: <code>--accept EXT-01</code></li>"));
    assert!(page.find("id=\"decisions\"") < page.find("id=\"next\""), "decisions come first");
    let data =
        page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("data");
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["decisions"][0]["choices"][1]["command"], "--accept EXT-01");
    assert_eq!(data["findings"].as_array().map(Vec::len), Some(report().findings.len()));
}

#[test]
fn a_plan_says_what_will_happen_before_what_was_found() {
    let volume = Some(crate::volume::Volume { table_bytes: 5_000_000, ..Default::default() });
    let plan = Some(crate::plan::Plan { volume, ..Default::default() });
    let page = page(&Report { outcome: Outcome::Planned, work_dir: None, plan, ..report() });
    assert!(page.find("id=\"plan\"").is_some_and(|plan| Some(plan) < page.find("id=\"findings\"")));
    assert!(page.contains("What you will lose</h2>"));
    assert!(page.contains("<dt>of rows to copy</dt><dd>5.00 MB</dd>"));
    for done in ["did not arrive", "id=\"timeline\"", "report.json beside it"] {
        assert!(!page.contains(done), "{done}");
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
    for (begun, length) in [(0.0, 0.0), (0.5, 10.0), (5.0, 0.1), (-1.0, -2.0)] {
        let mut page = String::new();
        bar(&mut page, "", "t", "1 s", begun, length);
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
