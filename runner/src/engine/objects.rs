//! Large objects: their bytes in batches, and their owners, privileges and comments as the statements that `pg_dump`
//! would write.

use std::fmt::Write;

use futures_util::TryStreamExt;

use super::copy::LiveSource;
use super::marks::Marks;
use super::rate::Rate;
use super::target::LiveTarget;
use crate::connect::Session;
use crate::error::{Error, Server};
use crate::quote::{identifier, literal};
use crate::step::Step;

/// So many objects go over in one transaction.
const BATCH: usize = 500;

/// So much of one is read at once, in bytes.
const CHUNK: i32 = 1 << 20;

/// So many are written at once.
const AT_ONCE: usize = 16;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub number: usize,
    /// Object ids.
    pub ids: Vec<u32>,
}

impl Batch {
    /// The step that copies it.
    #[must_use]
    pub fn step(&self) -> Step {
        Step::LargeObjects(self.number)
    }
}

/// All large objects of the snapshot, in batches.
///
/// # Errors
/// When the source refuses the question.
pub async fn list(session: &Session) -> Result<Vec<Batch>, Error> {
    let rows = session.ask("SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid").await?;
    let ids: Vec<u32> = rows.iter().map(|row| row.number(0)).collect::<Result<_, _>>()?;
    let batches = ids.chunks(BATCH).enumerate();
    Ok(batches.map(|(number, ids)| Batch { number, ids: ids.to_vec() }).collect())
}

/// Copies a batch; the bytes, or none where it is there already.
///
/// # Errors
/// Those of both servers.
pub async fn copy(
    source: &mut LiveSource,
    target: &mut LiveTarget,
    batch: &Batch,
    rate: &Rate,
    moved: impl Fn(u64) + Send + Sync,
) -> Result<Option<u64>, Error> {
    if !target.transaction(&[batch.step()]).await? {
        return Ok(None);
    }
    target.session().await?.run(&Marks::objects_sql(&batch.ids)).await?;
    let mut bytes = 0;
    let mut long = Vec::new();
    {
        let (reader, writer) = (source.session().await?, target.session().await?);
        let create = prepare(writer, "SELECT pg_catalog.lo_from_bytea($1, $2)").await?;
        let sql = "SELECT o, pg_catalog.lo_get(o, 0, $2) FROM pg_catalog.unnest($1::pg_catalog.oid[]) o";
        let read = prepare(reader, sql).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&batch.ids, &CHUNK];
        let rows = reader.client().query_raw(&read, parameters).await;
        let rows = rows.map_err(|error| refused("source", &error))?;
        // Several at once: a large object of a few bytes costs the way to the target and back.
        let written = rows
            .map_err(|error| refused("source", &error))
            .map_ok(|row| {
                let create = &create;
                async move {
                    let (id, data): (u32, Vec<u8>) = (row.get(0), row.get(1));
                    rate.take(data.len() as u64).await;
                    let done = writer.client().execute(create, &[&id, &data]).await;
                    done.map_err(|error| refused("target", &error))?;
                    Ok::<_, Error>((id, data.len()))
                }
            })
            .try_buffered(AT_ONCE);
        let mut written = std::pin::pin!(written);
        while let Some((id, length)) = written.try_next().await? {
            bytes += length as u64;
            moved(length as u64);
            if usize::try_from(CHUNK).is_ok_and(|chunk| length >= chunk) {
                long.push(id);
            }
        }
        if !long.is_empty() {
            let get = prepare(reader, "SELECT pg_catalog.lo_get($1, $2, $3)").await?;
            let put = prepare(writer, "SELECT pg_catalog.lo_put($1, $2, $3)").await?;
            for id in long {
                let mut offset = i64::from(CHUNK);
                loop {
                    let row = reader.client().query_one(&get, &[&id, &offset, &CHUNK]).await;
                    let row = row.map_err(|error| refused("source", &error))?;
                    let data: &[u8] = row.get(0);
                    if data.is_empty() {
                        break;
                    }
                    rate.take(data.len() as u64).await;
                    let put = writer.client().execute(&put, &[&id, &offset, &data]).await;
                    put.map_err(|error| refused("target", &error))?;
                    bytes += data.len() as u64;
                    moved(data.len() as u64);
                    offset += i64::from(CHUNK);
                }
            }
        }
    }
    target.end(&[batch.ids.len() as u64]).await?;
    Ok(Some(bytes))
}

async fn prepare(session: &Session, sql: &str) -> Result<tokio_postgres::Statement, Error> {
    session.client().prepare(sql).await.map_err(|error| refused(session.side().name(), &error))
}

fn refused(side: &'static str, error: &tokio_postgres::Error) -> Error {
    Error::Copy { table: "large objects".into(), side, answer: Box::new(Server::new(error)) }
}

/// Owners, privileges and comments.
const ACCESS: &str = "
SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner), pg_catalog.obj_description(m.oid, 'pg_largeobject'),
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.privilege_type, a.is_grantable,
          CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END), E'\\n')
        FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner)
FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid";

/// The statements that give large objects to their owners, with privileges and comments.
///
/// # Errors
/// When the source refuses the question.
pub async fn access(session: &Session) -> Result<String, Error> {
    let mut text = String::new();
    for row in session.ask(ACCESS).await? {
        let (id, owner) = (row.text(0)?, row.text(1)?);
        let (comment, privileges) = (row.optional(2)?, row.optional(3)?);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "ALTER LARGE OBJECT {id} OWNER TO {};", identifier(owner));
        if let Some(comment) = comment {
            let _ = writeln!(text, "COMMENT ON LARGE OBJECT {id} IS {};", literal(comment).trim_start());
        }
        for grant in privileges.iter().flat_map(|text| text.lines()) {
            let mut words = grant.splitn(3, ' ');
            let (Some(privilege), Some(grantable), Some(role)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let role = if role.is_empty() { "PUBLIC".to_owned() } else { identifier(role) };
            let option = if grantable == "t" { " WITH GRANT OPTION" } else { "" };
            let _ = writeln!(text, "GRANT {privilege} ON LARGE OBJECT {id} TO {role}{option};");
        }
    }
    Ok(text)
}
