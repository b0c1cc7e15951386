//! Rows of every table: counted and summed up on both servers at once, several tables at a time, the largest first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::checksum::Formula;
use super::locked;
use super::options::{Check, Expect, VerifyOptions};
use super::reading;
use super::result::{Difference, Verification};
use super::select::Selection;
use super::sessions::{self, SessionPair, Sessions};
use super::together;
use super::work::{self, Held};
use crate::connect::Session;
use crate::error::Error;
use crate::progress::{Progress, TaskKind};

/// What is to be compared, and how.
pub(super) struct Task<'a> {
    pub(super) expect: &'a Expect<'a>,
    pub(super) options: &'a VerifyOptions,
    pub(super) selection: &'a Selection,
    pub(super) held: &'a Held<'a>,
}

/// Compares the rows of every relation of the source.
pub(super) async fn compare(
    sessions: &Sessions<'_>,
    pair: &SessionPair<'_>,
    task: &Task<'_>,
    progress: &Progress,
    verification: &mut Verification,
) -> Result<(), Error> {
    let Task { expect, options, selection, held } = *task;
    let formula = formula(pair, expect).await?;
    let work = work::list(held, expect, selection);
    let total = work.iter().map(|work| work.size).sum();
    verification.rows.bytes = total;
    let jobs = options.jobs.clamp(1, work.len().max(1));
    let pairs = reading::readers(sessions, pair.snapshot, jobs).await?;
    progress.start("verify", total);
    let lists = together::put_together(&work, jobs);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let workers = pairs.iter().map(|(source, target)| {
        let (source, target) = (source.reader(), target.reader());
        let (lists, next, found) = (&lists, &next, &found);
        async move {
            while let Some(list) = lists.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(first) = list.first() else { continue };
                let more =
                    if list.len() > 1 { format!(" and {} more", list.len() - 1) } else { String::new() };
                let size = list.iter().map(|item| item.size).sum();
                let task = progress.task(TaskKind::Verify, &format!("{}{more}", first.relation), size);
                let same = match list.as_slice() {
                    [_] => vec![None],
                    list => together::same((source, target), list, formula, options).await,
                };
                for (item, same) in list.iter().zip(same) {
                    let outcome = match same {
                        Some(outcome) => outcome,
                        None => {
                            locked::compare(sessions, (source, target), item, formula, options, expect)
                                .await?
                        }
                    };
                    task.add(item.size);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            }
            Ok::<(), Error>(())
        }
    });
    let result = futures_util::future::try_join_all(workers).await;
    progress.stop();
    if options.check == Check::Sample {
        verification.notes.push(format!(
            "a sample: {} percent of each table's rows, chosen by a hash of their key or first short columns, so that it is \
             the same on both servers; all rows were counted",
            options.percent
        ));
    }
    result?;
    let mut uncertain = Vec::new();
    let mut unread = BTreeMap::<_, Vec<String>>::new();
    for mut outcome in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        uncertain.extend(outcome.uncertain.take());
        if let Some((what, relation, why)) = outcome.unread.clone() {
            unread.entry((what, why)).or_default().push(relation);
        }
        outcome.into(options, verification);
    }
    for ((what, why), mut relations) in unread {
        relations.sort();
        verification.notes.push(what.note(&relations, &why));
    }
    // What follows from rows that are the same by a definition that is the same.
    let derived = |difference: &Difference| difference.kind.starts_with("materialized view ");
    let of_rows =
        |difference: &Difference| ["rows", "content"].iter().any(|of| difference.kind.ends_with(of));
    let equal = verification.differences.iter().all(|difference| derived(difference) || !of_rows(difference));
    for (difference, note) in uncertain {
        if equal {
            verification.notes.push(note);
        } else {
            verification.differences.push(difference);
        }
    }
    Ok(())
}

/// How both servers can hash in the same way.
async fn formula(pair: &SessionPair<'_>, expect: &Expect<'_>) -> Result<Formula, Error> {
    let encoded = expect.source.encoding != expect.target.encoding;
    let md5 =
        expect.source.major().min(expect.target.major()) < 14 || !alike(pair.source, pair.target).await?;
    Ok(Formula { md5, encoded, wide: false })
}

/// Both servers hash in the same way: processors of another byte order do not.
async fn alike(source: &Session, target: &Session) -> Result<bool, Error> {
    let probe = "SELECT pg_catalog.hashtextextended('tsmigrate', 1), \
                 pg_catalog.hash_record_extended(ROW(1, true, DATE '2024-01-01', 'x'::name, '\\x01'::bytea, \
                 'c0ffee00-0000-0000-0000-000000000001'::uuid, '08:00:2b:01:02:03'::macaddr), 1)";
    let (ours, theirs) =
        tokio::try_join!(sessions::attempt(source, probe), sessions::attempt(target, probe))?;
    Ok(ours.is_ok() && ours == theirs)
}
