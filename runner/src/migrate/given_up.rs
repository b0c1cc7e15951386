//! A run that is given up: what it has written is dropped, and nothing goes with that which others have created on the target
//! or written there, but where that is asked for.

use std::collections::BTreeSet;

use super::others::Say;
use super::possession::Told;
use super::{of_database, others};
use crate::connect::{Connector, Session};
use crate::engine::marks::{Marks, Owner, SCHEMA};
use crate::error::Error;
use crate::human::{self, count};
use crate::journal::State;
use crate::names::Relation;
use crate::quote::identifier;
use crate::record;
use crate::workdir::{SavedOthers, SavedSchema, WorkDir};

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

/// What stands before the name of a publication that has something.
const OF_A_PUBLICATION: &str = " in publication ";

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
    let Told { others, own } = told(session, work, owner).await?;
    let has_statements = others.beside && (others.brings_nothing || !others.undo.is_empty());
    let drops = if has_statements { Drops::These(&others.undo) } else { Drops::All };
    if !with_others {
        let known = if others.beside {
            let later = of_marks(session, owner).await?;
            let known: BTreeSet<String> = own.into_iter().chain(later.into_iter().flatten()).collect();
            (!known.is_empty()).then_some(known)
        } else {
            known(source, session, work, owner).await?
        };
        refuse_others(target, owner, (known.as_ref(), &others), drops, work, say).await?;
    } else if matches!(drops, Drops::All) {
        refuse_databases(target, &others).await?;
    }
    match drops {
        Drops::All => drop_all(target, owner, say).await,
        Drops::These(_) => drop_these(target, owner, (drops, &others), say).await,
    }
}

/// What the run has to know of others, as the target has it; of a version that kept nothing there, as the work directory has it.
///
/// # Errors
/// When the target refuses the question, or its marks cannot be read.
async fn told(session: &Session, work: &WorkDir, owner: &Owner) -> Result<Told, Error> {
    match Marks::others(session).await? {
        Some(saved) => serde_json::from_str(&saved)
            .map_err(|error| Error::Defect(format!("the table {SCHEMA}.others of the target: {error}"))),
        None => Ok(work.saved_plan(&owner.id).map(Told::of).unwrap_or_default()),
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
async fn drop_these(
    target: &Connector,
    owner: &Owner,
    (drops, others): (Drops<'_>, &SavedOthers),
    say: Say<'_>,
) -> Result<(), Error> {
    let session = target.open().await?;
    drops.run(&session).await?;
    of_database::take_back(&session, others, say).await?;
    session.run(&Marks::unlink_sql()).await?;
    Marks::drop(&session).await?;
    say(&format!(
        "✓ target: what the run begun at {} had brought is removed; the other databases, roles and extensions stay",
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
    if let Some(objects) = of_marks(target, owner).await? {
        known.get_or_insert_default().extend(objects);
    }
    // Without a work directory the source as it is now has to do.
    let planned = work.saved_plan(&owner.id).into_iter().flat_map(|plan| plan.schema.objects);
    if let Some(known) = &mut known {
        known.extend(planned);
    }
    Ok(known)
}

/// Those that its marks tell.
async fn of_marks(target: &Session, owner: &Owner) -> Result<Option<BTreeSet<String>>, Error> {
    if owner.format != record::FORMAT {
        return Ok(None);
    }
    let saved = Marks::schema(target).await?;
    Ok(saved.and_then(|saved| serde_json::from_str::<SavedSchema>(&saved).ok()).map(|schema| schema.objects))
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
    (known, others): (Option<&BTreeSet<String>>, &SavedOthers),
    drops: Drops<'_>,
    work: &WorkDir,
    say: Say<'_>,
) -> Result<(), Error> {
    let session = target.open().await?;
    let mut theirs = Vec::new();
    let gone = match known {
        None if !others.beside => {
            say(
                "! nobody can tell which objects on the target others have created, for neither a source nor the run's marks \
                 tell its own: all of them go",
            );
            None
        }
        _ => Some(gone(&session, drops).await?),
    };
    if let Some(gone) = &gone {
        if known.is_none() {
            say(
                "! nobody can tell which objects in the run's own schemas others have created, for it had not created all of its \
                 own: all of those go",
            );
        }
        let schemas = gone.schemas();
        let is_own = |object: &str, hash: &str| match (known, drops) {
            (Some(known), _) => known.contains(hash),
            (None, Drops::All) => true,
            (None, Drops::These(_)) => is_within(object, &schemas),
        };
        theirs.extend(
            gone.objects
                .iter()
                .filter(|object| {
                    let hash = others::hash(object);
                    others.objects.contains(&hash) || !is_own(object, &hash)
                })
                .cloned(),
        );
    }
    // What marks another version has left is not known.
    if owner.format == record::FORMAT {
        let tables = match (drops, &gone) {
            (Drops::These(_), Some(gone)) => gone.filled.clone(),
            _ => filled(&session).await?,
        };
        if matches!(drops, Drops::All) {
            theirs.extend(large_objects(&session).await?);
        }
        theirs.extend(rows(&session, &tables, say).await?);
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

/// Refuses where other databases would go with a run that has objects in schemas which it has not created: no statements tell
/// them apart.
async fn refuse_databases(target: &Connector, others: &SavedOthers) -> Result<(), Error> {
    if others.objects.is_empty() {
        return Ok(());
    }
    let gone = gone(&target.open().await?, Drops::All).await?;
    let theirs: Vec<&String> =
        gone.objects.iter().filter(|object| others.objects.contains(&others::hash(object))).collect();
    if theirs.is_empty() {
        return Ok(());
    }
    Err(Error::Refused {
        what: format!(
            "the target had other databases before the run, and nothing tells them from it where it kept a schema as it is: {}",
            human::first(&theirs, SHOWN)
        ),
        next: vec![
            "drop what the run created by hand, and then its marks: psql -X \"$TARGET\" -c 'DROP SCHEMA _tsmigrate CASCADE'"
                .into(),
        ],
    })
}

/// What goes when a run is given up.
struct Gone {
    /// Objects, but those that come again or are part of others.
    objects: Vec<String>,
    /// Tables with rows.
    filled: Vec<Relation>,
}

impl Gone {
    /// The schemas among them, as SQL names them.
    fn schemas(&self) -> Vec<String> {
        self.objects.iter().filter_map(|object| object.strip_prefix("schema ")).map(str::to_owned).collect()
    }
}

/// Whether an object is in one of these schemas, or in none.
fn is_within(object: &str, schemas: &[String]) -> bool {
    !object.contains('.')
        || schemas
            .iter()
            .any(|schema| [" ", "("].iter().any(|before| object.contains(&format!("{before}{schema}."))))
}

/// Finds what goes, by trying.
async fn gone(session: &Session, drops: Drops<'_>) -> Result<Gone, Error> {
    let before = others::objects(session).await?;
    let had_rows = filled(session).await?;
    session.run("BEGIN").await?;
    if matches!(drops, Drops::All) {
        session.run(DROP_TIMESCALE).await?;
    }
    let tried = drops.run(session).await;
    let left = match tried {
        Ok(()) => left(session).await,
        Err(error) => Err(error),
    };
    session.run("ROLLBACK").await?;
    let (now, have_rows, publications) = left?;
    // A publication of others loses what goes.
    let is_of_others = |object: &str| {
        matches!(drops, Drops::These(_))
            && object.rsplit_once(OF_A_PUBLICATION).is_some_and(|(_, name)| publications.contains(name))
    };
    let objects = before.difference(&now).filter(|object| {
        *object != COMES_AGAIN
            && !object.starts_with(OF_A_VIEW)
            && (is_of_others(object) || !NAMED_OTHERWISE.iter().any(|kind| object.starts_with(kind)))
    });
    Ok(Gone {
        objects: objects.cloned().collect(),
        filled: had_rows.into_iter().filter(|table| !have_rows.contains(table)).collect(),
    })
}

/// Objects, tables with rows, and publications, as SQL names them.
type Left = (BTreeSet<String>, Vec<Relation>, BTreeSet<String>);

async fn left(session: &Session) -> Result<Left, Error> {
    let publications = "SELECT pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication";
    Ok((others::objects(session).await?, filled(session).await?, session.ask_list(publications).await?))
}

/// Tables that have rows.
async fn filled(session: &Session) -> Result<Vec<Relation>, Error> {
    session.ask(FILLED).await?.iter().map(|row| row.relation(0)).collect()
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

/// Those of `tables` with rows that the run has not copied.
async fn rows(session: &Session, tables: &[Relation], say: Say<'_>) -> Result<Vec<String>, Error> {
    let marks = Marks::read(session).await?;
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
