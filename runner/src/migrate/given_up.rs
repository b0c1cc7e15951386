//! A run that is given up: what it has written is dropped, and nothing goes with that which others have created on the target
//! or written there, but where that is asked for.

use std::collections::BTreeSet;

use super::others;
use crate::connect::{Connector, Session};
use crate::engine::marks::{Marks, Owner, SCHEMA};
use crate::error::Error;
use crate::human::{self, count};
use crate::journal::State;
use crate::names::Relation;
use crate::quote::identifier;
use crate::record;
use crate::workdir::{SavedOthers, SavedSchema, WorkDir};

/// Told of each thing that is closed, in a line.
pub(super) type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// So many are named.
const SHOWN: usize = 10;

/// So many tables are asked about, and locked, in one transaction.
const TOGETHER: usize = 100;

/// Roles that own something here and that we may act for.
const ROLES: &str = "
SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d
JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
JOIN pg_catalog.pg_database b ON b.oid = d.dbid AND b.datname = pg_catalog.current_database()
WHERE r.rolname <> current_user AND NOT r.rolsuper AND r.rolname !~ '^pg_'
AND EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles u ON u.oid = m.member
            WHERE m.roleid = r.oid AND u.rolname = current_user)";

/// What has its owner's name in its own has the administrator's on the target; what a publication of all tables has is listed
/// there.
const NAMED_OTHERWISE: [&str; 4] =
    ["default acl ", "user mapping ", "publication relation ", "publication namespace "];

/// A view is named, and not the rule that it is.
const OF_A_VIEW: &str = "rule \"_RETURN\" on ";

/// What is created again at the end.
const COMES_AGAIN: &str = "extension timescaledb";

/// Tables with rows, but those of extensions.
const FILLED: &str = "
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= 16384 AND pg_catalog.pg_relation_size(c.oid) > 0
AND pg_catalog.pg_has_role(c.relowner, 'MEMBER')
AND n.nspname !~ '^(pg_|_tsmigrate$)' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
  WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')";

/// Gives a run up. Only a target that says of itself that it belongs to a run is emptied.
///
/// # Errors
/// Where the target belongs to none, or to another; where something of others would go, unless it is to; where a server refuses.
pub(super) async fn run(
    (source, target): (Option<&Connector>, &Connector),
    session: &Session,
    (past, owner): (Option<&State>, Option<&Owner>),
    (work, with_others): (&WorkDir, bool),
    say: Say<'_>,
) -> Result<(), Error> {
    let Some(owner) = owner.filter(|owner| past.is_none_or(|past| past.run == owner.id)) else {
        return Err(Error::Refused {
            what: "the target does not belong to an unfinished run: nothing is removed".into(),
            next: vec!["empty it by hand, or create a new service".into()],
        });
    };
    let SavedOthers { beside, objects: theirs, undo } =
        work.saved_plan(&owner.id).map(|plan| plan.others).unwrap_or_default();
    let drops = if undo.is_empty() { Drops::All } else { Drops::These(&undo) };
    if !with_others {
        // A source whose schemas have moved has other names.
        let known = match source {
            Some(_) if beside => None,
            source => known(source, session, work, owner).await?,
        };
        let before = beside.then_some(&theirs);
        refuse_others(target, owner, (known.as_ref(), before), drops, work, say).await?;
    }
    match drops {
        Drops::All => drop_all(target, owner, say).await,
        Drops::These(_) => drop_these(target, owner, drops, say).await,
    }
}

/// What is dropped.
#[derive(Clone, Copy)]
enum Drops<'a> {
    /// Everything that belongs to the administrator and to roles that it may act for.
    All,
    /// What the run has brought to a target that has others: by these statements.
    These(&'a [String]),
}

impl Drops<'_> {
    async fn run(self, session: &Session) -> Result<(), Error> {
        let Self::These(statements) = self else { return drop_owned(session).await };
        act_for_owners(session).await?;
        for statement in statements {
            session.run(statement).await?;
        }
        Ok(())
    }
}

/// Removes what the run has brought, and leaves the rest of the target alone.
async fn drop_these(target: &Connector, owner: &Owner, drops: Drops<'_>, say: Say<'_>) -> Result<(), Error> {
    let session = target.open().await?;
    drops.run(&session).await?;
    session.run(&Marks::unlink_sql()).await?;
    Marks::drop(&session).await?;
    say(&format!(
        "✓ target: what the run begun at {} had brought is removed; the other databases, roles, extensions and settings stay",
        owner.started
    ));
    Ok(())
}

/// Objects that the run may have created: those that the source has, and had; of a restore, those that its marks tell. None where
/// nobody tells.
///
/// # Errors
/// When a server refuses the question.
async fn known(
    source: Option<&Connector>,
    target: &Session,
    work: &WorkDir,
    owner: &Owner,
) -> Result<Option<BTreeSet<String>>, Error> {
    let mut known = match source {
        Some(source) => Some(others::known(&source.open().await?, None).await?),
        None => None,
    };
    if owner.format == record::FORMAT
        && let Some(saved) = Marks::schema(target).await?
        && let Ok(schema) = serde_json::from_str::<SavedSchema>(&saved)
    {
        known.get_or_insert_default().extend(schema.objects);
    }
    // Without a work directory the source as it is now has to do.
    let planned = work.saved_plan(&owner.id).into_iter().flat_map(|plan| plan.schema.objects);
    if let Some(known) = &mut known {
        known.extend(planned);
    }
    Ok(known)
}

/// Removes what the run has written: everything in the database that belongs to the administrator or to a role that the
/// run made.
async fn drop_all(target: &Connector, owner: &Owner, say: Say<'_>) -> Result<(), Error> {
    let session = target.open().await?;
    let timescale = session
        .ask_one("SELECT pg_catalog.quote_ident(extversion) FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'")
        .await?;
    if timescale.is_some() {
        session.run(DROP_TIMESCALE).await?;
    }
    // A session in which the extension was is not asked for more.
    let session = target.open().await?;
    drop_owned(&session).await?;
    Marks::drop(&session).await?;
    if let Some(version) = timescale {
        let session = target.open().await?;
        session
            .run(&format!("CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public VERSION {version}"))
            .await?;
    }
    say(&format!(
        "✓ target: what the run begun at {} had written is removed; roles stay, and extensions that are the service's, and do no harm to a new start",
        owner.started
    ));
    Ok(())
}

const DROP_TIMESCALE: &str = "DROP EXTENSION IF EXISTS timescaledb CASCADE";

async fn drop_owned(session: &Session) -> Result<(), Error> {
    let (admin, roles) = act_for_owners(session).await?;
    for role in roles {
        session.run(&format!("DROP OWNED BY {role} CASCADE")).await?;
    }
    session.run(&format!("DROP OWNED BY {admin} CASCADE")).await
}

/// Makes the administrator a member of all roles that own something and that it may act for: it and those, as SQL writes them.
async fn act_for_owners(session: &Session) -> Result<(String, Vec<String>), Error> {
    let admin = identifier(&session.ask_text("SELECT current_user::text").await?);
    let roles: Vec<String> = session.ask_list(ROLES).await?;
    let roles: Vec<String> = roles.iter().map(|role| identifier(role)).collect();
    for role in &roles {
        session.run(&format!("GRANT {role} TO {admin}")).await?;
    }
    Ok((admin, roles))
}

/// Refuses where something of others would go.
async fn refuse_others(
    target: &Connector,
    owner: &Owner,
    (known, before): (Option<&BTreeSet<String>>, Option<&BTreeSet<String>>),
    drops: Drops<'_>,
    work: &WorkDir,
    say: Say<'_>,
) -> Result<(), Error> {
    let session = target.open().await?;
    let mut theirs = Vec::new();
    if let Some(known) = known {
        theirs.extend(objects(&session, drops, |hash| known.contains(hash)).await?);
    } else if let Some(before) = before {
        theirs.extend(objects(&session, drops, |hash| !before.contains(hash)).await?);
    } else {
        say(
            "! nobody can tell which objects on the target others have created, for neither a source nor the run's marks tell its \
             own: all of them go",
        );
    }
    // What marks another version has left is not known.
    if owner.format == record::FORMAT && matches!(drops, Drops::All) {
        theirs.extend(large_objects(&session).await?);
        theirs.extend(rows(&session, say).await?);
    }
    if theirs.is_empty() {
        return Ok(());
    }
    let named: Vec<&String> = theirs.iter().collect();
    Err(Error::Refused {
        what: format!(
            "others have created or written on the target what would be dropped with what the run wrote: {}",
            human::first(&named, SHOWN)
        ),
        next: vec![
            "keep elsewhere what is needed of it, and drop it, then the same command again".into(),
            format!(
                "or drop it too: {}",
                record::cleanup(work.path(), true).replacen(
                    "--drop-target",
                    "--drop-target --with-others",
                    1
                )
            ),
        ],
    })
}

/// Objects that go and are not known, by trying.
async fn objects(
    session: &Session,
    drops: Drops<'_>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Error> {
    let before = others::objects(session).await?;
    session.run("BEGIN").await?;
    if matches!(drops, Drops::All) {
        session.run(DROP_TIMESCALE).await?;
    }
    let tried = drops.run(session).await;
    let now = others::objects(session).await;
    session.run("ROLLBACK").await?;
    tried?;
    let now = now?;
    let gone = before.difference(&now).filter(|object| !is_known(&others::hash(object))).cloned();
    Ok(gone
        .filter(|object| {
            object != COMES_AGAIN
                && !object.starts_with(OF_A_VIEW)
                && !NAMED_OTHERWISE.iter().any(|kind| object.starts_with(kind))
        })
        .collect())
}

/// Large objects that go and are not the run's.
async fn large_objects(session: &Session) -> Result<Option<String>, Error> {
    let theirs: u64 = session
        .ask_row(&format!(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata m \
             WHERE pg_catalog.pg_has_role(m.lomowner, 'MEMBER') AND m.oid NOT IN (SELECT o.oid FROM {SCHEMA}.large_objects o)"
        ))
        .await?
        .number(0)?;
    Ok((theirs > 0).then(|| count(theirs, "large object")))
}

/// Tables of the run with rows that it has not copied.
async fn rows(session: &Session, say: Say<'_>) -> Result<Vec<String>, Error> {
    let marks = Marks::read(session).await?;
    let tables: Vec<Relation> =
        session.ask(FILLED).await?.iter().map(|row| row.relation(0)).collect::<Result<_, _>>()?;
    let mut theirs = Vec::new();
    for some in tables.chunks(TOGETHER) {
        session.run("BEGIN").await?;
        let all = others::found_in(session, &marks, some).await;
        session.run("ROLLBACK").await?;
        let all = match all {
            Ok(Some(all)) => all,
            // Each by itself, so that one that has gone meanwhile, or cannot be asked about, is told from the others.
            Ok(None) | Err(_) => each(session, &marks, some).await?,
        };
        for (table, found) in some.iter().zip(all) {
            match found {
                others::Rows::Own => {}
                others::Rows::Untold => say(&format!(
                    "! whether all rows of {table} are the run's cannot be told: a query would run its owner's functions"
                )),
                others::Rows::Others { added, missing, .. } => theirs.push(if added > 0 {
                    format!("{} of {table}", count(added, "row"))
                } else {
                    format!("{table}, with {} changed or gone", count(missing, "row"))
                }),
            }
        }
    }
    Ok(theirs)
}

/// Asks about tables one after the other.
async fn each(session: &Session, marks: &Marks, tables: &[Relation]) -> Result<Vec<others::Rows>, Error> {
    let mut all = Vec::new();
    for table in tables {
        session.run("BEGIN").await?;
        let found = others::found(session, marks, table).await;
        session.run("ROLLBACK").await?;
        all.push(found?);
    }
    Ok(all)
}
