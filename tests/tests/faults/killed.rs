//! The process is killed or interrupted.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::Outcome;

use crate::theatre::{JOBS, Theatre, long};

#[expect(clippy::print_stderr, reason = "the figures of a long run")]
fn say(line: &str) {
    eprintln!("faults: {line}");
}

#[test]
fn killed_at_every_step_of_its_journal() -> Outcome {
    let Some(theatre) = Theatre::open("killed_at_every_step_of_its_journal")? else { return Ok(()) };
    let begun = Instant::now();
    theatre.survives("undisturbed", theatre.spawn(&["--verify", "none"])?)?;
    let whole = begun.elapsed();
    theatre.wait(theatre.spawn(&["--verify", "none"])?)?;
    let all = theatre.journal().lines().count();
    theatre.stage.empty_target()?;
    assert!(all > 20, "{all} lines of journal");
    let step = if long() { 1 } else { all.div_ceil(4) };
    let mut killed = 0;
    for (number, line) in (1..all).step_by(step).enumerate() {
        theatre.far(number % 2 == 1);
        let mut child = theatre.spawn(&["--verify", "none"])?;
        if theatre.until(&mut child, || Ok(theatre.journal().lines().count() >= line))? {
            child.kill()?;
            killed += 1;
        }
        let ended = theatre.wait(child)?;
        let journal = theatre.journal();
        if ended.code.is_none() && journal.contains("\"snapshot\"") {
            // Without --resume it says what is open, and does nothing.
            let ended = theatre.run(&["--verify", "none"])?;
            assert_eq!(ended.code, Some(2), "{}", ended.all);
            assert!(ended.error().contains("--resume") && ended.error().contains("cleanup"), "{}", ended.all);
        }
        theatre.recover(&format!(
            "killed at line {line} of {all}: {}",
            journal.lines().last().unwrap_or_default()
        ))?;
    }
    say(&format!(
        "killed at {killed} of {all} lines of the journal; a whole run takes {:.1} s",
        whole.as_secs_f64()
    ));
    Ok(())
}

#[test]
fn killed_in_the_rows_on_18() -> Outcome {
    let test = "killed_in_the_rows_on_18";
    let Some(theatre) = Theatre::between(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let mut child = theatre.in_the_rows(&["--verify", "none"])?;
    child.kill()?;
    theatre.wait(child)?;
    theatre.recover("killed in the rows")
}

#[test]
fn killed_at_random_moments() -> Outcome {
    let Some(theatre) = Theatre::open("killed_at_random_moments")? else { return Ok(()) };
    let seed = match std::env::var("TSMIGRATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    say(&format!("TSMIGRATE_SEED={seed}"));
    let mut random = Random(seed);
    let begun = Instant::now();
    theatre.survives("undisturbed", theatre.spawn(&["--verify", "none"])?)?;
    let mut whole = u64::try_from(begun.elapsed().as_millis())?;
    let (mut kills, mut late) = (0, 0);
    for round in 0..if long() { 100 } else { 2 } {
        theatre.far(round % 2 == 1);
        let mut moments = Vec::new();
        let mut arguments = vec!["--verify", "none"];
        // One in two is killed once more on its way back.
        for _ in 0..=random.below(2) {
            let moment = random.below(whole);
            moments.push(moment);
            let mut child = theatre.spawn(&arguments)?;
            thread::sleep(Duration::from_millis(moment));
            child.kill()?;
            if theatre.wait(child)?.code.is_some() {
                late += 1;
                // A machine that was busy at first is faster now.
                whole = moment.max(1);
            } else {
                kills += 1;
            }
            if theatre.journal().contains("\"snapshot\"") && !arguments.contains(&"--resume") {
                arguments.extend(["--resume", "--new-snapshot"]);
            }
        }
        let last = theatre.journal().lines().last().unwrap_or_default().to_owned();
        if last.contains("\"done\"") {
            theatre.check("done in time")?;
            theatre.stage.empty_target()?;
            continue;
        }
        theatre.recover(&format!("seed {seed}, round {round}, killed after {moments:?} ms: {last}"))?;
    }
    say(&format!("{kills} times killed, {late} times too late, seed {seed}"));
    Ok(())
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

#[test]
fn interrupted_once_and_twice() -> Outcome {
    let Some(theatre) = Theatre::open("interrupted_once_and_twice")? else { return Ok(()) };
    let interrupt = |child: &Child| -> Outcome {
        let id = child.id().to_string();
        Ok(Command::new("kill")
            .args(["-INT", &id])
            .status()?
            .success()
            .then_some(())
            .ok_or("no such process")?)
    };
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    interrupt(&child)?;
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(2), "{}", ended.all);
    assert!(ended.error().contains("--resume"), "{}", ended.all);
    // At once, not after a cleanup.
    assert_eq!(theatre.stage.restoring()?, "0 off");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, JOBS)?, theatre.jobs);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(tsmigrate|pg_dump)'";
    assert_eq!(theatre.admin(sessions)?, "0");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, sessions)?, "0");
    theatre.recover("interrupted once")?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    interrupt(&child)?;
    // It may have ended by now.
    drop(interrupt(&child));
    let begun = Instant::now();
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(2), "{}", ended.all);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let (code, said) = theatre.stage.cleanup(&[])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(theatre.stage.restoring()?, "0 off");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, JOBS)?, theatre.jobs);
    theatre.recover("interrupted twice")
}
