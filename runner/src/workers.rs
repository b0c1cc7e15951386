//! Threads that parse statements while the analyzer looks at those before them.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tsmigrate_analyzer::batches::{Batch, Executor};
use tsmigrate_analyzer::parse::STACK;

/// More threads than this only wait for the one that runs the rules.
const MAX_THREADS: usize = 2;

/// Batches under way for each thread: enough that none waits for the next one.
const BATCHES: usize = 2;

type Answer = std::sync::mpsc::SyncSender<Batch>;

/// A few threads, ended when this is dropped.
#[derive(Debug)]
pub struct Workers {
    /// Where batches are left; `None` once the threads are to end.
    batches: Option<Sender<(Batch, Answer)>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Workers {
    /// A thread for each core but the one that runs the rules, which parses by itself where there is no other.
    #[must_use]
    pub fn start() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with_threads((cores - 1).min(MAX_THREADS))
    }

    /// So many threads; fewer where the system gives no more.
    #[must_use]
    pub fn with_threads(count: usize) -> Self {
        let (batches, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..count)
            .map_while(|number| {
                let queue = Arc::clone(&queue);
                // Address space, not memory: only the pages that are used count.
                let builder = thread::Builder::new().name(format!("parse {number}")).stack_size(STACK);
                builder.spawn(move || parse(&queue)).ok()
            })
            .collect();
        Self { batches: Some(batches), threads }
    }
}

fn parse(queue: &Mutex<Receiver<(Batch, Answer)>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((mut batch, answer)) = next else { return };
        batch.parse();
        // Nobody waits for it any more where the analysis has failed.
        let _ = answer.send(batch);
    }
}

impl Executor for Workers {
    fn submit(&self, batch: Batch) -> Box<dyn FnOnce() -> Batch> {
        let inline = |mut batch: Batch| -> Box<dyn FnOnce() -> Batch> {
            Box::new(move || {
                batch.parse();
                batch
            })
        };
        let Some(batches) = self.batches.as_ref().filter(|_| !self.threads.is_empty()) else {
            return inline(batch);
        };
        let (answer, result) = sync_channel(1);
        match batches.send((batch, answer)) {
            // A thread answers unless it panics, and then so does this one: nothing was analysed.
            Ok(()) => Box::new(move || result.recv().expect("a thread that parses has ended")),
            Err(refused) => inline(refused.0.0),
        }
    }

    fn depth(&self) -> usize {
        self.threads.len() * BATCHES
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.batches = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use tsmigrate_analyzer::{Analyzer, Options, Report, Target};

    #[test]
    fn the_report_does_not_depend_on_the_number_of_threads() {
        let mut text = String::new();
        for n in 0..5_000 {
            writeln!(text, "SET default_tablespace = ts{n};").unwrap();
            writeln!(text, "CREATE TABLE t{n} (a int REFERENCES t0);").unwrap();
            writeln!(text, "ALTER TABLE t{n} OWNER TO r;").unwrap();
        }
        let report = |threads| {
            let (target, options) = (Target::default(), Options::default());
            let workers = Workers::with_threads(threads);
            let mut analyzer = Analyzer::with_executor(&target, &options, &workers);
            analyzer.begin("dump.sql");
            for chunk in text.as_bytes().chunks(100_000) {
                analyzer.feed(chunk).unwrap();
            }
            analyzer.end().unwrap();
            let analysis = analyzer.finish();
            serde_json::to_string(&Report::new(&analysis, &target, &options)).unwrap()
        };
        let alone = report(0);
        assert!(alone.matches("TSP-03").count() > 4_000);
        assert!(report(1) == alone);
        assert!(report(3) == alone);
    }
}
