//! Connections are cut, servers restarted, sessions ended, disks full.

use std::error::Error;
use std::fs::{self};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::Outcome;

use crate::theatre::{Theatre, long};

#[test]
fn connections_are_cut() -> Outcome {
    let Some(theatre) = Theatre::open("connections_are_cut")? else { return Ok(()) };
    // The target's are opened again; what was half copied is copied again.
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.target.cut();
    theatre.survives("the target's connections cut once", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.target.refuse(true);
    theatre.target.cut();
    thread::sleep(Duration::from_secs(3));
    theatre.target.refuse(false);
    theatre.survives("the target not to be reached for a while", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.stall(true);
    theatre.target.stall(true);
    thread::sleep(Duration::from_secs(2));
    theatre.source.stall(false);
    theatre.target.stall(false);
    theatre.survives("both servers silent for a while", child)?;

    // With the source's sessions its snapshot goes.
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.cut();
    theatre.recovers("the source's connections cut", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.cut();
    theatre.target.cut();
    theatre.recovers("all connections cut", child)?;

    // Anywhere: in the schema, in the rows, in the indexes.
    let whole = theatre.target.passed();
    let child = theatre.spawn(&["--verify", "none"])?;
    theatre.survives("undisturbed", child)?;
    let whole = theatre.target.passed() - whole;
    let cuts = if long() { 40 } else { 2 };
    for number in 1..=cuts {
        theatre.far(number % 2 == 0);
        let before = theatre.target.cuts();
        theatre.target.cut_after(whole * number / (cuts + 1));
        theatre.run(&["--verify", "none"])?;
        assert!(theatre.target.cuts() > before, "nothing was cut");
        if theatre.journal().lines().last().is_some_and(|line| line.contains("\"done\"")) {
            theatre.check("cut and recovered")?;
            theatre.stage.empty_target()?;
        } else {
            theatre.recover(&format!("the target cut after {number}/{} of the bytes", cuts + 1))?;
        }
    }
    Ok(())
}

#[test]
fn servers_are_restarted() -> Outcome {
    let Some(theatre) = Theatre::open("servers_are_restarted")? else { return Ok(()) };
    let lab = &theatre.stage.lab;
    for (server, mode) in [
        (Server::Target17, "fast"),
        (Server::Target17, "immediate"),
        (Server::Source17, "fast"),
        (Server::Source17, "immediate"),
    ] {
        // The harder way for each end.
        if !long() && (server == Server::Target17) == (mode == "fast") {
            continue;
        }
        let child = theatre.in_the_rows(&["--verify", "none"])?;
        lab.restart(server, mode)?;
        let what = format!("{server:?} restarted, {mode}");
        if server == Server::Target17 {
            theatre.survives(&what, child)?;
        } else {
            theatre.recovers(&what, child)?;
        }
    }
    Ok(())
}

#[test]
fn sessions_are_cancelled_ended_and_kept_waiting() -> Outcome {
    let test = "sessions_are_cancelled_ended_and_kept_waiting";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    for (uri, end) in [(&stage.admin, "target"), (&stage.source, "source")] {
        for function in ["pg_cancel_backend", "pg_terminate_backend"] {
            if !long() && (end == "target") == (function == "pg_terminate_backend") {
                continue;
            }
            let mut child = theatre.in_the_rows(&["--verify", "none"])?;
            let hit = format!(
                "SELECT count({function}(pid)) FROM pg_stat_activity WHERE application_name ~ '^tsmigrate' \
                 AND state = 'active' AND query LIKE 'COPY%'"
            );
            theatre.until(&mut child, || Ok(stage.sql(uri, &hit)? != "0"))?;
            theatre.survives(&format!("{function} at the {end}"), child)?;
        }
    }
    // Another session has a table for itself alone, longer than one try waits.
    let hold = |uri: &str, table: &str| {
        Command::new(stage.lab.programs()?.join("psql"))
            .args(["-X", "-q", "-d", uri, "-c"])
            .arg(format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(4); ROLLBACK"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(Box::<dyn Error>::from)
    };
    let mut holder = hold(&stage.source, "shop.orders")?;
    thread::sleep(Duration::from_millis(300));
    let child = theatre.spawn(&["--verify", "none"])?;
    theatre.survives("a table of the source locked", child)?;
    holder.wait()?;

    let mut child = theatre.spawn(&["--verify", "none"])?;
    theatre
        .until(&mut child, || Ok(theatre.admin("SELECT to_regclass('shop.orders') IS NOT NULL")? == "t"))?;
    let mut holder = hold(&stage.admin, "shop.orders")?;
    theatre.survives("a table of the target locked", child)?;
    holder.wait()?;
    Ok(())
}

/// A file system of a size of its own below a server's tables.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf, size: &str) -> Result<Self, String> {
        let kept = folder.with_extension("kept");
        let run = |program: &str, arguments: &[&str]| -> Result<(), String> {
            let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(()).ok_or(format!("{program}: {said}"))
        };
        let (path, kept) = (folder.display().to_string(), kept.display().to_string());
        run("mv", &[&path, &kept])?;
        run("cp", &["-a", "--attributes-only", &kept, &path]).or_else(|_| run("mkdir", &[&path]))?;
        let mounted = run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &path]);
        if let Err(error) = mounted {
            run("rm", &["-rf", &path])?;
            run("mv", &[&kept, &path])?;
            return Err(error);
        }
        let disk = Self(folder);
        run("chown", &["--reference", &kept, &path])?;
        run("chmod", &["--reference", &kept, &path])?;
        run("cp", &["-a", &format!("{kept}/."), &path])?;
        Ok(disk)
    }

    fn grow(&self, size: &str) -> Outcome {
        let status =
            Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status()?;
        Ok(status.success().then_some(()).ok_or("it does not grow")?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_that_grows_is_waited_for() -> Outcome {
    let test = "a_full_disk_that_grows_is_waited_for";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let data = theatre.stage.lab.home(Server::Target17)?.join("data/base");
    // The server keeps files open in the old folder until it is restarted.
    let disk = match Disk::mount(data, "40m") {
        Ok(disk) => disk,
        Err(reason) => {
            skipped(test, &format!("no file system of its own can be mounted here: {reason}"));
            return Ok(());
        }
    };
    theatre.stage.lab.restart(Server::Target17, "immediate")?;
    let mut child = theatre.spawn(&["--verify", "none"])?;
    let full = || Ok(fs::read_to_string(theatre.out("stderr"))?.contains("No space left on device"));
    let seen = theatre.until(&mut child, full)?;
    assert!(seen, "the disk was never full: {}", theatre.wait(child)?.all);
    disk.grow("400m")?;
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    theatre.check("a full disk")
}
