//! A source that goes on being written: the migration is killed again and again, resumed each time with a new snapshot, and
//! is equal once the writing has ended.

use std::error::Error;
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// As long as one run may take on a machine that is busy itself.
const LONG: Duration = Duration::from_secs(240);

/// What the Apache edition has, with all that comes behind rows: triggers, keys in and out of hypertables, row security, a
/// rule, statistics, a view to fill.
const SOURCE: &str = "
CREATE EXTENSION timescaledb; CREATE ROLE writer LOGIN; CREATE SCHEMA w AUTHORIZATION writer; SET SESSION AUTHORIZATION writer;
CREATE TABLE w.sensor (id integer PRIMARY KEY, name text); INSERT INTO w.sensor SELECT n, 'sensor ' || n FROM generate_series(0, 9) n;
CREATE TABLE w.readings (time timestamptz NOT NULL, sensor integer NOT NULL REFERENCES w.sensor, value double precision, note text, PRIMARY KEY (time, sensor));
SELECT public.create_hypertable('w.readings', public.by_range('time', interval '1 day'));
INSERT INTO w.readings SELECT t, s, s + extract(hour FROM t), repeat('note', 9) FROM generate_series('2024-03-01 00:00+00'::timestamptz,
  '2024-03-10 23:55+00', interval '5 minutes') t, generate_series(0, 9) s;
CREATE TABLE w.plain (id serial PRIMARY KEY, v text, sensor integer REFERENCES w.sensor);
INSERT INTO w.plain (v, sensor) SELECT md5(i::text), i % 10 FROM generate_series(1, 20000) i;
CREATE TABLE w.mark (time timestamptz, sensor integer, FOREIGN KEY (time, sensor) REFERENCES w.readings);
INSERT INTO w.mark VALUES ('2024-03-10 00:00+00', 1);
CREATE FUNCTION w.twist() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = NEW.v || ''!''; RETURN NEW; END';
CREATE TRIGGER twisted BEFORE INSERT OR UPDATE ON w.plain FOR EACH ROW EXECUTE FUNCTION w.twist();
CREATE FUNCTION w.turn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.value = NEW.value + 1000; RETURN NEW; END';
CREATE TRIGGER turned BEFORE INSERT ON w.readings FOR EACH ROW EXECUTE FUNCTION w.turn();
ALTER TABLE w.plain ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON w.plain USING (true);
CREATE RULE quiet AS ON DELETE TO w.sensor DO INSTEAD NOTHING; CREATE STATISTICS w.both ON sensor, v FROM w.plain;
CREATE MATERIALIZED VIEW w.counted AS SELECT sensor, count(*) FROM w.plain GROUP BY 1;
CREATE UNIQUE INDEX counted_by ON w.counted (sensor);
CREATE TABLE w.split (n integer PRIMARY KEY, v text) PARTITION BY RANGE (n); CREATE INDEX split_v ON w.split (v);
CREATE TABLE w.split_1 PARTITION OF w.split FOR VALUES FROM (0) TO (100); CREATE TABLE w.split_rest PARTITION OF w.split DEFAULT;
INSERT INTO w.split SELECT n, 'v' || n FROM generate_series(1, 300) n;
RESET SESSION AUTHORIZATION;
";

/// What the application does, over and over; `{n}` counts. It gives up a lock that it has to wait for.
const WRITES: [&str; 7] = [
    "INSERT INTO w.readings SELECT '2024-03-11 00:00+00'::timestamptz + {n} * interval '6 hours' + i * interval '1 minute', 1, i, 'new' \
     FROM generate_series(1, 100) i",
    "INSERT INTO w.plain (v, sensor) SELECT 'new', i FROM generate_series(0, 9) i",
    "UPDATE w.readings SET note = 'late {n}' WHERE time = '2024-03-09 00:00+00'::timestamptz + {n} * interval '5 minutes'",
    "INSERT INTO w.readings VALUES ('2024-03-09 00:00:01+00'::timestamptz + {n} * interval '1 minute', 1, 1, 'late')",
    "DELETE FROM w.readings WHERE time = '2024-03-08 00:00+00'::timestamptz + {n} * interval '5 minutes'",
    "UPDATE w.plain SET v = 'x{n}' WHERE id % 997 = {n} % 997",
    "SELECT public.drop_chunks('w.readings', older_than => (SELECT min(time) + interval '1 day' FROM w.readings WHERE time < '2024-03-07'))",
];

/// And where the edition has it.
const COMPRESSES: [&str; 3] = [
    "SELECT public.compress_chunk(c, true) FROM (SELECT c FROM public.show_chunks('w.readings') c ORDER BY random() LIMIT 2) x",
    "UPDATE w.readings SET value = -{n} WHERE time < '2024-03-09 00:05+00' AND sensor = {n} % 10",
    "SELECT public.decompress_chunk(c, true) FROM (SELECT c FROM public.show_chunks('w.readings') c ORDER BY random() LIMIT 1) x",
];

fn write(stage: &Stage, full: bool, stop: &AtomicBool) {
    let writes: Vec<&str> = WRITES.iter().chain(COMPRESSES.iter().filter(|_| full)).copied().collect();
    for n in 0..usize::MAX {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let sql = writes[n % writes.len()].replace("{n}", &(n / writes.len()).to_string());
        let sql = format!("SET lock_timeout = '500ms'; SET client_min_messages = error; {sql}");
        // A lock of the run's, or of a chunk that was dropped meanwhile: the next does something else.
        let _ = stage.sql(&stage.source, &sql);
        thread::sleep(Duration::from_millis(100));
    }
}

fn journal(stage: &Stage) -> String {
    fs::read_to_string(stage.work.join("journal.jsonl")).unwrap_or_default()
}

/// Kills a run as soon as `now` says so; false where it had ended before.
fn killed(stage: &Stage, arguments: &[&str], mut now: impl FnMut() -> bool) -> Result<bool, Box<dyn Error>> {
    let mut command = stage.command(arguments)?;
    let said = stage.lab.folder().join("said");
    let mut child = command
        .stdout(fs::File::create(&said)?)
        .stderr(Stdio::null())
        .args(["--progress", "none"])
        .spawn()?;
    let begun = Instant::now();
    while !now() {
        if let Some(status) = child.try_wait()? {
            let said = fs::read_to_string(&said)?;
            assert!(status.success(), "{arguments:?}: {said}");
            return Ok(false);
        }
        assert!(begun.elapsed() < LONG, "{arguments:?}: nothing happens");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(true)
}

/// Numbers that look random, the same for a seed.
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)) >> 8
}

/// The suite that takes its time.
fn is_long() -> bool {
    std::env::var("TSMIGRATE_FAULTS").is_ok_and(|wish| wish == "long")
}

#[test]
fn a_run_that_is_killed_again_and_again_follows_a_source_at_work() -> Outcome {
    let test = "a_run_that_is_killed_again_and_again_follows_a_source_at_work";
    follows(test, Server::Source17, Server::Target17)
}

#[test]
fn a_run_that_is_killed_again_and_again_follows_a_source_at_work_of_18() -> Outcome {
    let test = "a_run_that_is_killed_again_and_again_follows_a_source_at_work_of_18";
    if !is_long() {
        skipped(test, "the long suite has it");
        return Ok(());
    }
    follows(test, Server::Source18, Server::Target18)
}

fn follows(test: &str, source: Server, target: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, target)? else { return Ok(()) };
    let full = stage.is_full_edition()?;
    stage.sql_text(SOURCE)?;
    if full {
        stage.sql_text(
            "ALTER TABLE w.readings SET (timescaledb.compress, timescaledb.compress_segmentby = 'sensor')",
        )?;
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        scope.spawn(|| write(&stage, full, &stop));
        let done = (|| -> Outcome {
            let mut arguments = vec!["--jobs", "2", "--max-rate", "8MB"];
            let mut kills = 0;
            // In the rows; behind them; when all is handed over and being compared.
            for moment in ["\"data/", "\"restored\"", "\"access\""] {
                let before = journal(&stage).matches(moment).count();
                let reached = || journal(&stage).matches(moment).count() > before;
                assert!(killed(&stage, &arguments, reached)?, "it ended before {moment}");
                kills += 1;
                if kills == 1 {
                    arguments.extend(["--resume", "--new-snapshot"]);
                }
            }
            for round in 0..if is_long() { 27 } else { 0 } {
                let (begun, after) = (Instant::now(), Duration::from_millis(random(round) % 20_000));
                if !killed(&stage, &arguments, || begun.elapsed() > after)? {
                    stage.empty_target()?;
                    arguments.truncate(4);
                } else if stage.work.join("journal.jsonl").exists() && arguments.len() == 4 {
                    arguments.extend(["--resume", "--new-snapshot"]);
                }
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        done
    })?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    stage.sql_text("REFRESH MATERIALIZED VIEW w.counted")?;
    stage.sql(&stage.admin, "REFRESH MATERIALIZED VIEW w.counted")?;
    assert_eq!(stage.differences(&[])?, Vec::<String>::new(), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    // All that comes behind rows is there again, and the owner goes on.
    stage.script(
        &stage.admin,
        "SET SESSION AUTHORIZATION writer; INSERT INTO w.readings VALUES ('2031-01-01', 1, 1, 'after'); INSERT INTO w.plain (v) VALUES ('a')",
    )?;
    let answers = "SELECT (SELECT value FROM w.readings WHERE note = 'after'), (SELECT count(*) FROM w.plain WHERE v = 'a!')";
    assert_eq!(stage.sql(&stage.admin, answers)?, "1001|1");
    Ok(())
}
