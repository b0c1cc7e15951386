//! Large objects of an archive: read in the background, and written in a transaction for each list of them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::contents::{Contents, ObjectPiece};
use crate::connect::Session;
use crate::engine::marks::Marks;
use crate::engine::retry::retrying;
use crate::engine::target::LiveTarget;
use crate::error::{Error, Server};
use crate::human::{self, count};
use crate::migrate::driver::{StageResult, TargetRun};
use crate::migrate::engine_setup::SETUP;
use crate::progress::TaskKind;
use crate::step::Step;

/// So many pieces wait to be written.
const WAITING: usize = 4;

/// Objects that are noted as the run's in one statement.
const NOTED: usize = 1000;

/// Writes them.
pub(super) async fn run(run: &TargetRun<'_>, contents: &Arc<Contents>) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let (mut objects, mut bytes) = (0, 0);
    for number in 0..contents.lists_of_objects() {
        let step = Step::LargeObjects(number);
        if run.is_done(&step) {
            continue;
        }
        let label = format!("large objects {}", number + 1);
        let (rows, sent) = retrying(engine.retry_policy, &engine.progress, &label, || async {
            let mut target = LiveTarget::new(&engine.target, SETUP);
            if !target.transaction(std::slice::from_ref(&step)).await? {
                // A try before was committed, although nobody heard of it.
                return Ok((0, 0));
            }
            let task = engine.progress.task(TaskKind::LargeObjects, &label, 0);
            let written = write(target.session().await?, contents, number, |bytes| task.add(bytes)).await?;
            target.end(&[written.0]).await?;
            Ok(written)
        })
        .await?;
        engine.finished(&step, rows);
        engine.done().bytes += sent;
        objects += rows;
        bytes += sent;
    }
    if objects == 0 {
        return Ok(StageResult::default());
    }
    Ok(StageResult::done(format!("{}, {}", count(objects, "large object"), human::bytes(bytes))))
}

/// Writes one list: how many objects, and their bytes.
async fn write(
    session: &Session,
    contents: &Arc<Contents>,
    number: usize,
    moved: impl Fn(u64),
) -> Result<(u64, u64), Error> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let reader = contents.clone();
    tokio::task::spawn_blocking(move || {
        let read = reader.read_objects(number, &mut |piece| {
            let gone = |_| std::io::Error::other("nobody writes it");
            sender.blocking_send(Ok(piece)).map_err(gone)
        });
        // An end that was reached is said too: a reader that ends in a defect says none.
        let _ = sender.blocking_send(read.map(|()| ObjectPiece::default()));
    });
    let prepare = async |sql: &str| session.client().prepare(sql).await.map_err(|error| refused(&error));
    let create = prepare("SELECT pg_catalog.lo_from_bytea($1, $2)").await?;
    let put = prepare("SELECT pg_catalog.lo_put($1, $2, $3)").await?;
    let (mut ids, mut sent) = (Vec::new(), 0);
    loop {
        let piece = receiver
            .recv()
            .await
            .unwrap_or_else(|| Err(std::io::Error::other("reading it ended in a defect")));
        let ObjectPiece { id, offset, bytes } = piece
            .map_err(|error| Error::File { what: "read the large objects of the archive".into(), error })?;
        if id == 0 {
            break;
        }
        let data: &[u8] = &bytes;
        let written = if offset == 0 {
            ids.push(id);
            session.client().execute(&create, &[&id, &data]).await
        } else {
            session.client().execute(&put, &[&id, &offset, &data]).await
        };
        written.map_err(|error| refused(&error))?;
        sent += bytes.len() as u64;
        moved(bytes.len() as u64);
    }
    for some in ids.chunks(NOTED) {
        session.run(&Marks::objects_sql(some)).await?;
    }
    Ok((ids.len() as u64, sent))
}

fn refused(error: &tokio_postgres::Error) -> Error {
    Error::Copy { table: "large objects".into(), side: "target", answer: Box::new(Server::new(error)) }
}
