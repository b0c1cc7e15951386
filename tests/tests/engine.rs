//! What arrives: everything that a source can hold, whatever way it is copied, compared by an independent digest.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tsmigrate::connect::{Connector, Side};
use tsmigrate::engine::copy::Target;
use tsmigrate::engine::marks::Marks;
use tsmigrate::engine::retry::transient;
use tsmigrate::engine::target::LiveTarget;
use tsmigrate::names::Relation;
use tsmigrate::step::Step;
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// Migrates, and holds the outcome to what a complete one is.
fn migrate(stage: &Stage, arguments: &[&str]) -> Result<Value, Box<dyn std::error::Error>> {
    let (code, report, all) = stage.migrate(arguments)?;
    let why = || {
        let parts = [&report["error"], &report["blockers"], &report["verification"]["differences"]];
        let tail = all.rsplit("\n}\n").next().unwrap_or_default();
        format!("{arguments:?}: {parts:#?}\n{tail}")
    };
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{}", why());
    if !report["verification"].is_null() {
        assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{}", why());
    }
    Ok(report)
}

fn nothing() -> Vec<String> {
    Vec::new()
}

fn everything_arrives(test: &str, source: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, Server::Target17)? else { return Ok(()) };
    stage.fixture("everything.sql")?;
    migrate(&stage, &[])?;
    assert_eq!(stage.differences(&[])?, nothing());
    assert_eq!(stage.left_behind()?, nothing());
    // A trigger or rule that a copied row had set off would have refused it or written here.
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM ev.guarded_log")?, "0");
    // What comes next is the same on both servers.
    for next in [
        "INSERT INTO ev.generated (a, t) VALUES (1, 'x') RETURNING *",
        "INSERT INTO ev.by_default DEFAULT VALUES RETURNING *",
        "SELECT nextval('ev.s_down'), nextval('ev.s_cycle'), nextval('ev.s_untouched'), nextval('ev.s_not_called')",
        "INSERT INTO ev.uses DEFAULT VALUES RETURNING *",
        "INSERT INTO ev.parent (id) VALUES (500) RETURNING *",
        "SELECT * FROM ev.many(1, 'a', 'b')",
    ] {
        assert_eq!(stage.sql(&stage.source, next)?, stage.sql(&stage.admin, next)?, "{next}");
    }
    for refused in [
        "INSERT INTO ev.guarded VALUES (0)",
        "INSERT INTO ev.city VALUES (1000, 'zz')",
        "INSERT INTO ev.checks (a, b) VALUES (NULL, NULL)",
        "SELECT nextval('ev.s_top')",
        "SELECT * FROM ev.unpopulated",
    ] {
        assert!(stage.sql(&stage.admin, refused).is_err(), "{refused}");
    }
    Ok(())
}

#[test]
fn everything_arrives_from_15() -> Outcome {
    everything_arrives("everything_arrives_from_15", Server::Source15)
}

#[test]
fn everything_arrives_from_17() -> Outcome {
    everything_arrives("everything_arrives_from_17", Server::Source17)
}

#[test]
fn however_it_is_copied_it_is_the_same() -> Outcome {
    let test = "however_it_is_copied_it_is_the_same";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("everything.sql")?;
    stage.sql_text(
        "CREATE TABLE public.large (id integer PRIMARY KEY, t text);
         INSERT INTO public.large SELECT n, md5(n::text) || repeat('x', n % 50) FROM generate_series(1, 150000) n;
         DELETE FROM public.large WHERE id % 3 = 0; -- parts by ctid have gaps
         CREATE TABLE public.holes (id integer, t text);
         INSERT INTO public.holes SELECT n, md5(n::text) FROM generate_series(1, 60000) n;
         DELETE FROM public.holes WHERE id < 59000;",
    )?;
    for arguments in [
        &["--jobs", "1", "--split-larger-than", "1MB"][..],
        &["--jobs", "8", "--index-jobs", "5", "--split-larger-than", "100kB"],
        &["--jobs", "2", "--index-jobs", "1", "--split-larger-than", "100GB"],
    ] {
        migrate(&stage, arguments)?;
        assert_eq!(stage.differences(&[])?, nothing(), "{arguments:?}");
        assert_eq!(stage.left_behind()?, nothing(), "{arguments:?}");
        stage.empty_target()?;
    }
    Ok(())
}

#[test]
fn a_rate_is_kept_to() -> Outcome {
    let Some(stage) = Stage::new("a_rate_is_kept_to", Server::Source15, Server::Target17)? else {
        return Ok(());
    };
    stage.sql_text(
        "CREATE TABLE t (id integer, t text); INSERT INTO t SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 12000) n",
    )?;
    let begun = std::time::Instant::now();
    migrate(&stage, &["--max-rate", "3MB", "--verify", "none"])?;
    // 12 MB, and the first second is free.
    assert!(begun.elapsed().as_secs_f64() > 2.5, "{:?}", begun.elapsed());
    assert_eq!(stage.differences(&[])?, nothing());
    Ok(())
}

#[test]
fn a_selection_of_schemas_and_tables_arrives_alone() -> Outcome {
    let test = "a_selection_of_schemas_and_tables_arrives_alone";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE SCHEMA sales; CREATE SCHEMA hr; CREATE SCHEMA \"Odd.one\";
         CREATE TABLE sales.orders (id int PRIMARY KEY); CREATE TABLE sales.order_log (id int);
         CREATE TABLE sales.items (id int, \"order\" int REFERENCES sales.orders);
         CREATE TABLE hr.people (id int); CREATE TABLE \"Odd.one\".\"T\" (x int); CREATE TABLE loose (x int);
         INSERT INTO sales.orders SELECT generate_series(1, 10); INSERT INTO sales.order_log SELECT generate_series(1, 20);
         INSERT INTO sales.items SELECT n, n FROM generate_series(1, 5) n;
         INSERT INTO hr.people SELECT generate_series(1, 30); INSERT INTO \"Odd.one\".\"T\" VALUES (1); INSERT INTO loose VALUES (1);",
    )?;
    let rows = "SELECT string_agg(format('%s.%s %s', schemaname, relname, (xpath('/row/c/text()', query_to_xml(format(\
                'SELECT count(*) AS c FROM %I.%I', schemaname, relname), false, true, '')))[1]), ', ' ORDER BY schemaname COLLATE \"C\", relname COLLATE \"C\") \
                FROM pg_stat_user_tables WHERE schemaname !~ 'timescaledb'";
    for (arguments, expected) in [
        (&["--include", "sales"][..], "sales.items 5, sales.order_log 20, sales.orders 10"),
        (&["--include", "sales.order*", "hr"], "hr.people 30, sales.order_log 20, sales.orders 10"),
        (&["--exclude", "sales", "public.loose"], "Odd.one.T 1, hr.people 30"),
        (
            &["--exclude", "hr", "\"Odd.one\"", "--exclude-data", "sales.order_log", "sales.items"],
            "public.loose 1, sales.items 0, sales.order_log 0, sales.orders 10",
        ),
        (&["--include", "sales", "--exclude", "*.*_log"], "sales.items 5, sales.orders 10"),
    ] {
        migrate(&stage, arguments)?;
        assert_eq!(stage.sql(&stage.admin, rows)?, expected, "{arguments:?}");
        assert_eq!(stage.left_behind()?, nothing());
        stage.empty_target()?;
    }
    let untouched = stage.target_objects()?;
    for option in ["--include", "--exclude", "--exclude-data"] {
        let (code, report, all) = stage.migrate(&[option, "sales.nothing_like_this"])?;
        assert_ne!(code, 0, "{all}");
        let said = format!("{}{}", report["error"], report["blockers"]);
        assert!(said.contains("sales.nothing_like_this"), "{all}");
    }
    assert_eq!(stage.target_objects()?, untouched);
    Ok(())
}

#[test]
fn hypertables_and_chunks_arrive_as_they_are() -> Outcome {
    let test = "hypertables_and_chunks_arrive_as_they_are";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    for arguments in [
        &["--jobs", "8", "--split-larger-than", "16kB", "--start-jobs"][..],
        &["--jobs", "1", "--start-jobs"],
    ] {
        stage.empty_target()?;
        migrate(&stage, arguments)?;
        assert_eq!(stage.differences(&[])?, nothing());
        assert_eq!(stage.left_behind()?, nothing());
        assert_eq!(catalogs(&stage, &stage.source)?, catalogs(&stage, &stage.admin)?);
    }
    // New rows find their old chunks, and new ones are made beside them.
    let chunks = "SELECT count(*) FROM timescaledb_information.chunks";
    let before: u32 = stage.sql(&stage.target, chunks)?.parse()?;
    stage.sql(&stage.target, "INSERT INTO metrics VALUES ('2024-01-02 00:00:01+00', 1, 1)")?;
    assert_eq!(stage.sql(&stage.target, chunks)?, before.to_string());
    stage.sql(&stage.target, "INSERT INTO metrics VALUES ('2031-01-02', 1, 1)")?;
    assert_eq!(stage.sql(&stage.target, chunks)?, (before + 1).to_string());
    Ok(())
}

/// TimescaleDB's own tables, as far as they are a matter of the data.
fn catalogs(stage: &Stage, uri: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    for table in [
        "hypertable",
        "dimension",
        "dimension_slice",
        "chunk",
        "chunk_constraint",
        "compression_settings",
        "compression_chunk_size",
        "continuous_agg",
        "continuous_aggs_bucket_function",
        "continuous_aggs_watermark",
        "continuous_aggs_invalidation_threshold",
        "continuous_aggs_materialization_invalidation_log",
        "continuous_aggs_hypertable_invalidation_log",
    ] {
        let sql = format!("SELECT t::text FROM _timescaledb_catalog.{table} t ORDER BY 1");
        all.push(format!("{table}: {}", stage.sql(uri, &sql)?));
    }
    Ok(all.join("\n"))
}

#[test]
fn compressed_chunks_and_continuous_aggregates_arrive_as_they_are() -> Outcome {
    let test = "compressed_chunks_and_continuous_aggregates_arrive_as_they_are";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    if !stage.is_full_edition()? {
        skipped(
            test,
            "this TimescaleDB is the Apache edition, without compression and continuous aggregates",
        );
        return Ok(());
    }
    stage.fixture("timescale-full.sql")?;
    let jobs = "SELECT json_agg(j ORDER BY id) FROM _timescaledb_config.bgw_job j";
    let before = stage.sql(&stage.source, jobs)?;
    for arguments in [&["--jobs", "8", "--split-larger-than", "16kB"][..], &["--jobs", "1", "--start-jobs"]] {
        stage.empty_target()?;
        migrate(&stage, arguments)?;
        assert_eq!(stage.differences(&[])?, nothing());
        assert_eq!(stage.left_behind()?, nothing());
        assert_eq!(stage.sql(&stage.source, jobs)?, before);
        assert_eq!(catalogs(&stage, &stage.source)?, catalogs(&stage, &stage.admin)?);
    }
    let policies = "SELECT string_agg(concat_ws(' ', id, proc_name, schedule_interval, scheduled, hypertable_id, config), '; ' ORDER BY id) \
                    FROM _timescaledb_config.bgw_job WHERE id >= 1000";
    assert_eq!(stage.sql(&stage.source, policies)?, stage.sql(&stage.admin, policies)?);
    for query in [
        "SELECT md5(string_agg(h::text, '' ORDER BY h::text)) FROM hourly h",
        "SELECT md5(string_agg(d::text, '' ORDER BY d::text)) FROM daily d",
        "SELECT md5(string_agg(r::text, '' ORDER BY r::text)) FROM readings r",
        "SELECT string_agg(concat_ws(' ', chunk_name, is_compressed), ', ' ORDER BY chunk_name) FROM timescaledb_information.chunks",
    ] {
        assert_eq!(stage.sql(&stage.source, query)?, stage.sql(&stage.admin, query)?, "{query}");
    }
    // The service can go on with them.
    for next in [
        "INSERT INTO readings VALUES ('2024-03-05 00:00:01+00', 3, 4.5, 'late')",
        "CALL refresh_continuous_aggregate('hourly', NULL, NULL)",
        "SELECT count(decompress_chunk(c, true)) FROM show_chunks('readings') c",
    ] {
        stage.sql(&stage.target, next)?;
    }
    Ok(())
}

/// Text of more than 1 GB is beyond the protocol; the value's binary form is not.
#[test]
fn a_value_whose_text_is_beyond_a_gigabyte_goes_over_in_binary() -> Outcome {
    let test = "a_value_whose_text_is_beyond_a_gigabyte_goes_over_in_binary";
    if std::env::var_os("TSMIGRATE_SLOW").is_none() {
        skipped(test, "it takes 10 GB of memory and a minute: set TSMIGRATE_SLOW=1");
        return Ok(());
    }
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE giant (id int, b bytea);
         INSERT INTO giant VALUES (1, convert_to(repeat('giant ', 100000000), 'UTF8')), (2, '\\x01');",
    )?;
    assert!(stage.sql(&stage.source, "COPY giant TO '/dev/null'").is_err(), "its text fits");
    let report = migrate(&stage, &["--verify", "counts"])?;
    let size = "SELECT string_agg(id || ' ' || length(b) || ' ' || md5(b), ', ' ORDER BY id) FROM giant";
    assert_eq!(stage.sql(&stage.source, size)?, stage.sql(&stage.admin, size)?, "{report}");
    // The other way, text that has no binary: refused by name, not lost.
    Ok(())
}

#[test]
fn the_work_directory_holds_no_secret_and_no_rows() -> Outcome {
    let test = "the_work_directory_holds_no_secret_and_no_rows";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.fixture("everything.sql")?;
    let (_, _, all) = stage.migrate(&["--verify", "none"])?;
    let password = stage.target.split([':', '@']).nth(2).ok_or("no password")?.to_owned();
    let mut written = all;
    collect(&stage.work, &mut written)?;
    assert!(written.len() > 1000);
    for secret in ["ev-owner-secret", "SCRAM-SHA-256$", &password, "0123456789 \\\\ abcdef", "secret 17"] {
        assert!(!written.contains(secret), "{secret} was written down");
    }
    Ok(())
}

fn collect(folder: &Path, all: &mut String) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, all)?;
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path)?));
        }
    }
    Ok(())
}

fn step(table: &str) -> Step {
    Step::Table(Relation::new("public", table))
}

/// A connection that ends between the rows and their commit must take the step's mark with it.
#[test]
fn a_step_whose_connection_ends_before_its_commit_has_not_happened() -> Outcome {
    let test = "a_step_whose_connection_ends_before_its_commit_has_not_happened";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql(&stage.target, "CREATE TABLE public.t (n integer)")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let connector = Connector::new(Side::Target, &stage.target)?;
        let session = connector.open().await?;
        Marks::create(&session, "run", "source", None).await?;
        let mut target = LiveTarget::new(&connector, "SET lock_timeout = '10s'");
        for attempt in 0..2 {
            assert!(target.transaction(&[step("t")]).await?);
            target.copy(&Relation::new("public", "t"), "COPY public.t FROM STDIN").await?;
            target.send("1\n2\n".into()).await?;
            let rows = target.copied().await?;
            assert_eq!(rows, 2);
            if attempt == 0 {
                stage.sql(
                    &stage.admin,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND usename = 'tsdbadmin'",
                )?;
                // The driver hears of it a moment later.
                tokio::time::sleep(Duration::from_millis(500)).await;
                let Err(error) = target.end(&[rows]).await else { return Err("it was committed".into()) };
                assert!(transient(&error), "{error}");
                let there = "SELECT (SELECT count(*) FROM public.t), (SELECT count(*) FROM _tsmigrate.done)";
                assert_eq!(stage.sql(&stage.admin, there)?, "0|0");
                target.reset().await;
            } else {
                target.end(&[rows]).await?;
            }
        }
        assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM public.t")?, "2");
        assert_eq!(stage.sql(&stage.admin, "SELECT step, rows FROM _tsmigrate.done")?, "data/public.t|2");

        // In a transaction that has failed COMMIT alone would answer that all is well.
        assert!(target.transaction(&[step("u")]).await?);
        assert!(target.session().await?.run("SELECT 1/0").await.is_err());
        let Err(error) = target.end(&[0]).await else { return Err("it was committed".into()) };
        assert_eq!(error.code(), "25P02");
        assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM _tsmigrate.done")?, "1");
        Ok(())
    })
}
