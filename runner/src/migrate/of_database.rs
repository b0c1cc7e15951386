//! What a run beside others gives to the database itself: settings of the database and of roles in it, and privileges. When
//! the run is given up, what is still as it gave it is taken back.

use std::collections::BTreeSet;

use tsmigrate_analyzer::facts::names::role;
use tsmigrate_analyzer::parse::{self, NodeEnum, Parsed, pg};

use super::all_roles::LISTS;
use super::others::{self, Say};
use super::scripts::Scripts;
use crate::connect::Session;
use crate::error::Error;
use crate::human;
use crate::quote::{identifier, quoted};
use crate::workdir::SavedOthers;

/// So many are named.
const SHOWN: usize = 8;

/// What PUBLIC is called.
const PUBLIC: &str = "PUBLIC";

/// Settings of the database and of roles in it: the role, the parameter and its value.
const SETTINGS: &str = "
SELECT r.rolname, pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) c
WHERE s.setrole = 0 OR r.oid IS NOT NULL ORDER BY 1 NULLS FIRST, 2";

/// Privileges of the database: who has them, and their names.
const PRIVILEGES: &str = "
SELECT DISTINCT r.rolname, a.privilege_type FROM pg_catalog.pg_database d,
LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = pg_catalog.current_database() AND (a.grantee = 0 OR r.oid IS NOT NULL) ORDER BY 1 NULLS FIRST, 2";

/// Hashes of what statements give that the database does not have yet. No value is kept, for it may be a secret.
///
/// # Errors
/// When the server refuses a question.
pub(super) async fn given(session: &Session, scripts: &Scripts) -> Result<BTreeSet<String>, Error> {
    let mut given = wanted(scripts);
    for (hash, ..) in all(session).await? {
        given.remove(&hash);
    }
    Ok(given)
}

/// Settings that statements give another value than the database has, in words.
///
/// # Errors
/// When the server refuses a question.
pub(super) async fn replaced(session: &Session, scripts: &Scripts) -> Result<BTreeSet<String>, Error> {
    let wanted = wanted(scripts);
    let set = parsed(scripts).filter_map(|parsed| parameter(parsed.node())).collect::<BTreeSet<_>>();
    let mut replaced = BTreeSet::new();
    for row in session.ask(SETTINGS).await? {
        let (role, name) = (row.optional(0)?, row.text(1)?);
        if set.contains(&(role.map(str::to_owned), name.to_lowercase()))
            && !wanted.contains(&setting(role, name, row.text(2)?))
        {
            replaced.insert(words(role, name));
        }
    }
    Ok(replaced)
}

/// A setting in words.
fn words(role: Option<&str>, parameter: &str) -> String {
    match role {
        Some(role) => format!("{parameter} of role {}", quoted(role)),
        None => format!("{parameter} of the database"),
    }
}

/// The role, if it is one's, and the parameter that a statement sets for the database.
fn parameter(node: &NodeEnum) -> Option<(Option<String>, String)> {
    let (of, set) = match node {
        NodeEnum::AlterRoleSetStmt(alter) if !alter.database.is_empty() => {
            (Some(alter.role.as_ref().and_then(role)?.to_owned()), alter.setstmt.as_ref()?)
        }
        NodeEnum::AlterDatabaseSetStmt(alter) => (None, alter.setstmt.as_ref()?),
        _ => return None,
    };
    Some((of, set.name.to_lowercase()))
}

/// Takes back what is still as it was given. What the server does not take back is named, and stays.
///
/// # Errors
/// When it refuses a question.
pub(super) async fn take_back(session: &Session, others: &SavedOthers, say: Say<'_>) -> Result<(), Error> {
    let mut kept = Vec::new();
    let all = all(session).await?.into_iter().filter(|(hash, ..)| others.given.contains(hash));
    for (_, what, sql) in all {
        if others.replaced.contains(&what) {
            say(&format!(
                "! {what} had another value before the run, and has none now: set it again for the others"
            ));
        }
        if let Err(error) = session.run(&sql).await {
            let why = error.answer().map_or_else(|| error.to_string(), |answer| answer.message.clone());
            kept.push(format!("{what} ({why})"));
        }
    }
    if !kept.is_empty() {
        say(&format!(
            "! what the run gave to the database, and could not be taken back: {}",
            human::first(&kept, SHOWN)
        ));
    }
    Ok(())
}

/// What the database has: the hash of each, in words, and the statement that takes it back.
async fn all(session: &Session) -> Result<Vec<(String, String, String)>, Error> {
    let database = identifier(&session.ask_text("SELECT pg_catalog.current_database()::text").await?);
    let mut all = Vec::new();
    for row in session.ask(SETTINGS).await? {
        let (role, parameter) = (row.optional(0)?, row.text(1)?);
        let name: Vec<String> = parameter.split('.').map(identifier).collect();
        let what = words(role, parameter);
        let of = match role {
            Some(role) => format!("ROLE {} IN DATABASE {database}", identifier(role)),
            None => format!("DATABASE {database}"),
        };
        all.push((
            setting(role, parameter, row.text(2)?),
            what,
            format!("ALTER {of} RESET {}", name.join(".")),
        ));
    }
    for row in session.ask(PRIVILEGES).await? {
        let (role, privilege) = (row.optional(0)?, row.text(1)?);
        let of = role.map_or_else(|| PUBLIC.to_owned(), identifier);
        let sql = format!("REVOKE {privilege} ON DATABASE {database} FROM {of}");
        let what = format!("{privilege} of {}", role.map_or_else(|| PUBLIC.to_owned(), quoted));
        all.push((self::privilege(role, privilege), what, sql));
    }
    Ok(all)
}

/// The hash of a setting; a parameter is the same in upper case.
fn setting(role: Option<&str>, parameter: &str, value: &str) -> String {
    others::hash(&format!("setting\0{}\0{}\0{value}", role.unwrap_or_default(), parameter.to_lowercase()))
}

/// The hash of a privilege.
fn privilege(role: Option<&str>, privilege: &str) -> String {
    others::hash(&format!("privilege\0{}\0{privilege}", role.unwrap_or_default()))
}

/// Hashes of what statements give.
fn wanted(scripts: &Scripts) -> BTreeSet<String> {
    parsed(scripts).flat_map(|parsed| gives(parsed.node())).collect()
}

fn parsed(scripts: &Scripts) -> impl Iterator<Item = Parsed> {
    let access = scripts.access.iter().map(|(_, statement)| statement);
    let statements = scripts.roles.iter().chain(&scripts.pre_data).chain(&scripts.post_data).chain(access);
    statements.filter_map(|statement| parse::parse(&statement.sql, true).ok().flatten())
}

fn gives(node: &NodeEnum) -> Vec<String> {
    let set = |role: Option<&str>, set: Option<&pg::VariableSetStmt>| {
        let found = set.and_then(|set| Some(setting(role, &set.name, &value(set)?)));
        found.into_iter().collect()
    };
    match node {
        NodeEnum::AlterRoleSetStmt(alter) if !alter.database.is_empty() => {
            match alter.role.as_ref().and_then(role) {
                Some(role) => set(Some(role), alter.setstmt.as_ref()),
                None => Vec::new(),
            }
        }
        NodeEnum::AlterDatabaseSetStmt(alter) => set(None, alter.setstmt.as_ref()),
        NodeEnum::GrantStmt(grant)
            if grant.is_grant && grant.objtype == pg::ObjectType::ObjectDatabase as i32 =>
        {
            granted(grant)
        }
        _ => Vec::new(),
    }
}

fn granted(grant: &pg::GrantStmt) -> Vec<String> {
    let named = grant.privileges.iter().filter_map(|one| match one.node.as_ref()? {
        NodeEnum::AccessPriv(one) => Some(match one.priv_name.to_uppercase().as_str() {
            "TEMP" => "TEMPORARY".to_owned(),
            name => name.to_owned(),
        }),
        _ => None,
    });
    let mut privileges: Vec<String> = named.collect();
    if privileges.is_empty() {
        privileges = ["CONNECT", "CREATE", "TEMPORARY"].map(str::to_owned).into();
    }
    let grantees = tsmigrate_analyzer::facts::names::roles(&grant.grantees).filter_map(|grantee| {
        if grantee.roletype == pg::RoleSpecType::RolespecPublic as i32 {
            return Some(None);
        }
        role(grantee).map(Some)
    });
    grantees.flat_map(|grantee| privileges.iter().map(move |one| privilege(grantee, one))).collect()
}

/// A value as the server keeps it: of several, one after the other, and names of a list in quotes where they need them.
fn value(set: &pg::VariableSetStmt) -> Option<String> {
    let is_list = LISTS.contains(&format!("'{}'", set.name.to_lowercase()));
    let one = |node: &pg::Node| match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            pg::a_const::Val::Sval(text) if is_list => Some(quoted(&text.sval)),
            pg::a_const::Val::Sval(text) => Some(text.sval.clone()),
            pg::a_const::Val::Ival(number) => Some(number.ival.to_string()),
            pg::a_const::Val::Fval(number) => Some(number.fval.clone()),
            _ => None,
        },
        _ => None,
    };
    let values: Vec<String> = set.args.iter().map(one).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn what_statements_give_is_as_the_server_keeps_it() {
        let sql = "ALTER ROLE \"A b\" IN DATABASE d SET search_path TO 'Shop', 'public'; ALTER DATABASE d SET \"App.X\" TO 'a=b';
            ALTER DATABASE d SET work_mem TO 64; GRANT CREATE, TEMP ON DATABASE d TO a, PUBLIC; ALTER ROLE a SET work_mem TO 1;
            REVOKE CONNECT ON DATABASE d FROM PUBLIC; GRANT SELECT ON TABLE t TO a;";
        let pre_data = script::statements("pre-data", sql.as_bytes()).expect("statements");
        let expected = [
            setting(Some("A b"), "search_path", "\"Shop\", public"),
            setting(None, "app.x", "a=b"),
            setting(None, "work_mem", "64"),
            privilege(Some("a"), "CREATE"),
            privilege(Some("a"), "TEMPORARY"),
            privilege(None, "CREATE"),
            privilege(None, "TEMPORARY"),
        ];
        assert_eq!(wanted(&Scripts { pre_data, ..Scripts::default() }), expected.into());
    }
}
