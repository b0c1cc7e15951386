//! What a person and a program are told by `tsmigrate migrate`: the plan, how far it is, and the reports.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

/// Every line that was written for programs, by its event.
fn events(stderr: &[u8]) -> Result<BTreeMap<String, Vec<Value>>, Box<dyn std::error::Error>> {
    let mut events = BTreeMap::<String, Vec<Value>>::new();
    for line in String::from_utf8(stderr.to_vec())?.lines() {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        assert_eq!(value["version"], 1, "{line}");
        assert!(value["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        let name = value["event"].as_str().ok_or("no event")?.to_owned();
        events.entry(name).or_default().push(value);
    }
    Ok(events)
}

#[test]
fn a_dry_run_tells_sizes_times_and_limits_and_writes_nothing() -> Outcome {
    let test = "a_dry_run_tells_sizes_times_and_limits_and_writes_nothing";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    stage.sql(&stage.source, "ANALYZE")?;
    let before = stage.target_objects()?;
    let output =
        stage.command(&["--dry-run", "--progress", "json", "--jobs", "3", "--index-jobs", "2"])?.output()?;
    let (code, report, all) = told(&output)?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    assert_eq!(stage.target_objects()?, before);
    assert!(!stage.work.exists(), "a plan leaves no work directory");
    let events = events(&output.stderr)?;
    assert!(events.contains_key("done"), "{all}");

    let plan = &report["plan"];
    let steps: Vec<_> = plan["steps"].as_array().ok_or("steps")?.iter().map(|step| &step["name"]).collect();
    for name in
        ["snapshot", "roles", "restoring", "pre-data", "data", "indexes", "restored", "access", "verify"]
    {
        assert!(steps.iter().any(|step| *step == name), "{name} is not among {steps:?}");
    }
    let tables = plan["volume"]["tables"].as_array().ok_or("tables")?;
    let table = |name: &str| tables.iter().find(|table| table["name"] == name).ok_or(name.to_owned());
    let metrics = table("public.metrics")?;
    let chunks = stage.sql(&stage.source, "SELECT count(*) FROM show_chunks('public.metrics')")?;
    assert_eq!(metrics["kind"], "hypertable");
    assert_eq!(metrics["chunks"].to_string(), chunks);
    assert_eq!(metrics["rows"].to_string(), stage.sql(&stage.source, "SELECT count(*) FROM metrics")?);
    assert!(
        tables.iter().all(|table| !table["name"].to_string().contains("_hyper_")),
        "chunks stand under their hypertable"
    );
    let device = table("sensors.device")?;
    assert_eq!(
        (&device["kind"], &device["parts"], &device["format"]),
        (&"table".into(), &1.into(), &"binary".into())
    );
    let sum: u64 = tables.iter().filter_map(|table| table["bytes"].as_u64()).sum();
    assert_eq!(plan["volume"]["table_bytes"].as_u64(), Some(sum));
    assert!(plan["target_bytes"].as_u64() > Some(sum), "indexes need room too");

    let estimate = &plan["estimate"];
    let (low, high) = (estimate["low"].as_f64().ok_or("low")?, estimate["high"].as_f64().ok_or("high")?);
    assert!(0.0 < low && low <= high, "{estimate}");
    assert!(estimate["rates"]["send"].as_u64() > Some(1_000_000), "{estimate}");
    let most = stage.sql(
        &stage.admin,
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
         - current_setting('reserved_connections')::int",
    )?;
    for (side, needed) in [(0, 6), (1, 8)] {
        let sessions = &plan["sessions"][side];
        assert_eq!((sessions["needed"].as_u64(), sessions["most"].to_string()), (Some(needed), most.clone()));
        assert!(sessions["left"].as_u64() >= Some(needed), "{sessions}");
    }
    Ok(())
}

#[test]
fn a_run_is_told_as_it_goes_and_its_reports_stay() -> Outcome {
    let test = "a_run_is_told_as_it_goes_and_its_reports_stay";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.fixture("plain.sql")?;
    stage.sql_text(
        "CREATE TABLE public.\"<script>alert(1)</script> '\"\"&\nx\" AS SELECT n FROM generate_series(1, 1000) n",
    )?;
    let output = stage.command(&["--progress", "json"])?.output()?;
    let (code, report, all) = told(&output)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");

    let events = events(&output.stderr)?;
    let of = |name: &str| events.get(name).map_or(&[][..], Vec::as_slice);
    let copies = |name: &str| of(name).iter().filter(|event| event["kind"] == "copy").count();
    assert!(copies("task-start") > 5 && copies("task-start") == copies("task-end"), "{all}");
    assert!(of("task-end").iter().all(|event| event["finished"] == true), "{all}");
    let done: Vec<_> = of("done").iter().map(|event| &event["stage"]).collect();
    let stages: Vec<_> =
        report["stages"].as_array().ok_or("stages")?.iter().map(|stage| &stage["name"]).collect();
    assert_eq!(done, stages);

    let tables = report["tables"].as_array().ok_or("tables")?;
    let odd =
        tables.iter().find(|table| table["name"].to_string().contains("<script>")).ok_or("no such table")?;
    assert_eq!(odd["rows"], 1000);
    let times: Vec<f64> = ["begun", "ended"]
        .iter()
        .filter_map(|time| odd[time].as_f64())
        .chain(report["seconds"].as_f64())
        .collect();
    assert!(times.len() == 3 && times.is_sorted() && times[0] > 0.0, "{times:?}");

    let kept: Value = serde_json::from_slice(&fs::read(stage.work.join("report.json"))?)?;
    assert_eq!(kept, report, "the file says what was printed");
    let page = fs::read_to_string(stage.work.join("report.html"))?;
    assert!(
        page.matches("<script").count() == 2
            && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &#39;&quot;&quot;&amp;")
    );
    assert!(
        page.contains("<h1><span class=\"sign\" aria-hidden=\"true\">✓</span> Migrated and verified</h1>")
    );
    for entry in fs::read_dir(&stage.work)? {
        let path = entry?.path();
        let kept = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        for secret in ["app-owner-secret", "weird-secret", "SCRAM-SHA-256$"] {
            assert!(!kept.contains(secret), "{secret} is in {}", path.display());
        }
    }
    Ok(())
}

#[test]
fn people_read_the_verdict_where_the_eye_is() -> Outcome {
    let Some(stage) =
        Stage::new("people_read_the_verdict_where_the_eye_is", Server::Source15, Server::Target17)?
    else {
        return Ok(());
    };
    stage.sql(&stage.source, "CREATE TABLE t (id integer PRIMARY KEY)")?;
    let folder = tempfile::tempdir()?;
    for (name, words) in
        [("nowhere/a.html", "directory does not exist"), ("plan.pdf", "ends with .html or .json")]
    {
        let mut command = stage.command(&["--dry-run", "--report"])?;
        let output = command.arg(folder.path().join(name)).output()?;
        let told = String::from_utf8(output.stderr)?;
        assert!(output.status.code() == Some(2) && told.contains(words), "{told}");
        assert!(!told.contains("inspect"), "before anything is asked of a server: {told}");
    }
    for (name, arguments, title) in [
        ("planned.html", &["--dry-run"][..], "planned; nothing was written"),
        ("done.HTML", &[], "migrated and verified"),
    ] {
        let verdict = format!("✓ {title} in ");
        let page = folder.path().join(name);
        // The last of two formats counts for nobody: the first is taken away.
        let mut command = stage.command(&[])?;
        let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = std::process::Command::new(command.get_program());
        command.args(words.iter().filter(|word| *word != "--format" && *word != "json")).args(arguments);
        command.args(["--format", "text", "--report"]).arg(&page);
        command.env("SOURCE", &stage.source).env("TARGET", &stage.target);
        let output = command.output()?;
        let (text, told) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        // Behind it stand the servers and what to do next.
        let end = text.find(&verdict).map(|at| text.split_at(at).1);
        let end = end.ok_or_else(|| format!("no verdict: {text}{told}"))?;
        assert!(end.lines().count() <= 6 && !end.contains("\n\n"), "{text}{told}");
        assert!(
            !text.contains('\u{1b}') && !told.contains('\u{1b}'),
            "colours are for terminals: {text}{told}"
        );
        assert!(
            told.lines()
                .all(|line| line.starts_with("✓ ") || line.starts_with("  ") || line.starts_with("! ")),
            "{told}"
        );
        // The same as a page, for those who look rather.
        let page = std::fs::read_to_string(page)?;
        assert!(page.contains(&format!("<title>tsmigrate: {title}")), "{page}");
        assert!(page.contains(">The plan</h2>"), "{page}");
    }
    Ok(())
}

/// Runs a migration at a terminal, where somebody types `answer` at the end. What the terminal shows.
fn at_a_terminal(stage: &Stage, answer: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut command = Command::new("script");
    // Words without quotes of ours: the lab's paths have none.
    let migrate = format!(
        "{} migrate --progress none --pg-bin {} --work-dir {}",
        program::path().display(),
        stage.programs.display(),
        stage.work.display()
    );
    command.args(["--quiet", "--return", "--command", &migrate, "/dev/null"]);
    command.env("SOURCE", &stage.source).env("TARGET", &stage.target);
    let output = program::run_with(&mut command, answer.as_bytes())?;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    Ok(shown)
}

#[test]
fn a_terminal_is_asked_whether_jobs_are_to_start() -> Outcome {
    let test = "a_terminal_is_asked_whether_jobs_are_to_start";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    let jobs = "SELECT string_agg(id || ' ' || scheduled, ', ' ORDER BY id) FROM _timescaledb_config.bgw_job WHERE id >= 1000";
    let script = stage.work.join("start-jobs.sql");
    let shown = at_a_terminal(&stage, "no\n")?;
    assert!(shown.contains("Starts 1 job on the target") && shown.contains("Run it now? [y/N]"), "{shown}");
    assert_eq!(stage.sql(&stage.admin, jobs)?, "1000 false, 1001 false");
    assert!(script.exists(), "it can be started later");

    stage.empty_target()?;
    let shown = at_a_terminal(&stage, "Yes\n")?;
    assert!(shown.contains("started 1 job on the target"), "{shown}");
    assert_eq!(stage.sql(&stage.admin, jobs)?, "1000 true, 1001 false");
    assert!(!script.exists(), "what is done needs no script");
    let report: Value = serde_json::from_slice(&fs::read(stage.work.join("report.json"))?)?;
    assert_eq!(report["jobs"][0]["scheduled"], true);
    assert!(!report["next"].to_string().contains("start 1 job"), "{report}");
    Ok(())
}
