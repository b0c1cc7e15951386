//! Plays a migration of made-up tables, to look at the display: `cargo run --example progress [auto|lines|json]`.

use std::time::Duration;

use tokio::time::sleep;
use tsmigrate::progress::{Mode, Progress, TaskKind};

const MB: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let mode = std::env::args().nth(1).and_then(|word| clap::ValueEnum::from_str(&word, true).ok());
    let progress = Progress::new(mode.unwrap_or(Mode::Auto));
    progress.line("work directory: tsmigrate-shop");
    for (name, result) in [
        ("preflight", "PostgreSQL 15 to 17"),
        ("analysis", "3 errors, 12 findings"),
        ("roles", "12 statements"),
    ] {
        sleep(Duration::from_millis(200)).await;
        progress.done(name, result, Duration::from_millis(200));
    }
    progress.start("data", 4_000 * MB);
    let workers = (0..4_u64).map(|worker| tokio::spawn(work(progress.clone(), worker)));
    let workers: Vec<_> = workers.collect();
    sleep(Duration::from_secs(5)).await;
    let why = "08006: the connection was lost";
    progress.retry("copy of sales.orders (part 3 of 8)", why, Duration::from_secs(4), 1, 10);
    sleep(Duration::from_secs(2)).await;
    let full = progress.wait("copy of sales.order_lines", "the target's disk is full (53100)");
    sleep(Duration::from_secs(4)).await;
    drop(full);
    for worker in workers {
        // A worker of this play cannot fail.
        let _ = worker.await;
    }
    progress.stop();
    progress.done("data", "61,000,000 rows, 9 tables, 4.00 GB, 166 MB/s", Duration::from_secs(24));
    let check = progress.task(TaskKind::ForeignKey, "sales.order_lines: order_lines_order_id_fkey", 0);
    let view = progress.task(TaskKind::Refresh, "sales.by_day", 0);
    sleep(Duration::from_secs(4)).await;
    drop((check, view));
    progress.done("post-data", "41 indexes, 12 foreign keys", Duration::from_secs(4));
    progress.flush();
}

async fn work(progress: Progress, worker: u64) {
    let names = [
        "sales.orders",
        "sales.order_lines",
        "\"Odd\".\"na\u{1b}[31mme\nof 表\"",
        "metrics._hyper_1_23_chunk",
    ];
    for round in 0..4_u64 {
        let name = names.iter().cycle().nth(usize::try_from(worker + round).unwrap_or(0)).unwrap_or(&"t");
        let label = format!("{name} (part {} of 4)", round + 1);
        let task = progress.task(TaskKind::Copy, &label, 250 * MB);
        while task.moved() < 250 * MB {
            task.add((worker + 2) * MB);
            sleep(Duration::from_millis(40)).await;
        }
        drop(task);
        let index = progress.task(TaskKind::Index, &format!("{name}_created_at_customer_id_idx"), 0);
        sleep(Duration::from_millis(700)).await;
        drop(index);
    }
}
