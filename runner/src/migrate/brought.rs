//! What a database brings to a target, as far as another one could have it too: compared before anything of either is written.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use tsmigrate_analyzer::facts::names::{self, option, role, strings, text};
use tsmigrate_analyzer::facts::objects::{Object, created, subject};
use tsmigrate_analyzer::parse::{Class as Kind, NodeEnum, parse, pg};

use super::scripts::Scripts;
use crate::error::Blocker;
use crate::human;
use crate::quote::{identifier, quoted};
use crate::script::{Class, Statement};

/// So many are named.
const SHOWN: usize = 8;

/// What a database brings, as far as another one could have it too.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Schemas that it creates; none of those that only extensions are in.
    pub(super) schemas: BTreeSet<String>,
    /// Names that it creates in schemas that it does not create: the schema and the name, as SQL writes them.
    pub(super) named: BTreeSet<String>,
    /// Those schemas.
    pub(super) kept: BTreeSet<String>,
    /// What is in no schema: a word for its kind, and the name.
    pub(super) of_database: BTreeSet<(&'static str, String)>,
    /// Settings of roles for the database: the role and the parameter.
    pub(super) settings: BTreeSet<(String, String)>,
    /// Numbers of large objects.
    pub(super) large_objects: BTreeSet<u32>,
    /// Extensions that it creates, with the schema that each is put into; empty where the statement names none.
    extensions: BTreeMap<String, String>,
    /// Their versions on the source, where they are known.
    pub(super) versions: BTreeMap<String, String>,
    /// Functions that look for names in `public` of the target, and are not accepted as they are.
    pub(super) looks_in_public: usize,
    /// Roles that it lets create in `public`, or that get functions there, as SQL writes them.
    public_creators: BTreeSet<String>,
    /// What would hold for whatever comes later: default privileges of the target's user, publications of all tables.
    wide: BTreeSet<String>,
    /// Attributes, and settings wherever they connect to, of roles: by role and what is set, a hash of the statements.
    roles: BTreeMap<(String, String), String>,
}

impl Brought {
    /// Reads the statements that are to be run. `user` is the target's.
    pub(super) fn of(scripts: &Scripts, user: &str) -> Self {
        let mut brought = Self { looks_in_public: scripts.looks_in_public, ..Self::default() };
        let of_roles = scripts.access.iter().filter(|(part, _)| *part == "roles");
        let of_roles = of_roles.map(|(_, statement)| statement);
        for statement in scripts.roles.iter().chain(of_roles) {
            brought.take_role(&statement.sql);
        }
        for statement in &scripts.extensions {
            if let Class::CreateExtension { name, schema } = &statement.class {
                brought.extensions.insert(name.clone(), schema.clone().unwrap_or_default());
            }
        }
        let access = scripts.access.iter().map(|(_, statement)| statement);
        let all = scripts.extensions.iter().chain(&scripts.pre_data).chain(&scripts.post_data).chain(access);
        let mut found = Vec::new();
        for statement in all {
            let Some(parsed) = parse(&statement.sql, true).ok().flatten() else { continue };
            brought.take(parsed.node(), &mut found);
            brought.wide.extend(wide(parsed.node(), user));
            brought
                .public_creators
                .extend(public_creators(parsed.node()).into_iter().filter(|role| *role != quoted(user)));
        }
        for object in found {
            match &object.id.schema {
                Some(schema) if brought.schemas.contains(schema.as_str()) => {}
                Some(schema) => {
                    brought.kept.insert(schema.to_string());
                    brought.named.insert(object.id.path());
                }
                None => {}
            }
        }
        brought
    }

    fn take(&mut self, node: &NodeEnum, found: &mut Vec<Object>) {
        match node {
            NodeEnum::AlterRoleSetStmt(set) if !set.database.is_empty() => {
                let role = set.role.as_ref().and_then(role).unwrap_or_default();
                let parameter = set.setstmt.as_ref().map(|set| set.name.clone()).unwrap_or_default();
                self.settings.insert((role.to_owned(), parameter));
                return;
            }
            // What may exist is an extension's.
            NodeEnum::CreateSchemaStmt(create) if create.if_not_exists => return,
            _ => {}
        }
        let Some(object) = created(node) else { return };
        match object.id.class {
            Kind::Schema => drop(self.schemas.insert(object.id.name.to_string())),
            Kind::Attached | Kind::Extension | Kind::Role | Kind::Database | Kind::Tablespace => {}
            // Of casts, whose types have schemas of their own, the server says it.
            _ if object.id.name.starts_with('(') => {}
            _ if object.id.schema.is_none() => {
                self.of_database.insert((object.word, object.id.name.to_string()));
            }
            _ => found.push(object),
        }
    }

    fn take_role(&mut self, sql: &str) {
        let Some(parsed) = parse(sql, true).ok().flatten() else { return };
        let key = match parsed.node() {
            // What becomes of schemas differs by itself, and is a decision of its own.
            NodeEnum::AlterRoleSetStmt(set) if set.database.is_empty() => {
                let parameter = set.setstmt.as_ref().map(|set| set.name.as_str()).unwrap_or_default();
                let role = set.role.as_ref().and_then(role).filter(|_| parameter != "search_path");
                role.map(|role| (role.to_owned(), parameter.to_owned()))
            }
            _ => altered(sql).map(|role| (role, String::new())),
        };
        // Statements may hold passwords: their hashes tell whether they are the same.
        if let Some(key) = key {
            let before = self.roles.get(&key).map(String::as_str).unwrap_or_default();
            let hash = human::hex(&Sha256::digest(format!("{before}{sql}")));
            self.roles.insert(key, hash);
        }
    }

    /// What two databases of one run bring both, in words.
    pub(super) fn also_in(&self, other: &Self) -> Vec<String> {
        // One that both keep has objects of both.
        let all = |of: &Self| of.schemas.union(&of.kept).cloned().collect::<BTreeSet<_>>();
        let (ours, theirs) = (all(self), all(other));
        let schemas = ours.intersection(&theirs).map(|name| format!("schema {}", quoted(name)));
        let named = self.named.intersection(&other.named).cloned();
        let of_database = self.of_database.intersection(&other.of_database);
        let of_database = of_database.map(|(word, name)| format!("{word} {}", quoted(name)));
        let settings = self.settings.intersection(&other.settings);
        let settings =
            settings.map(|(role, parameter)| format!("setting {parameter} of role {}", quoted(role)));
        let numbers = self.large_objects.intersection(&other.large_objects);
        let numbers = numbers.map(|number| format!("large object {number}"));
        schemas.chain(named).chain(of_database).chain(settings).chain(numbers).collect()
    }

    /// Extensions that two databases of one run have in different schemas, in words.
    fn elsewhere(&self, other: &Self) -> Vec<String> {
        let both =
            self.extensions.iter().filter_map(|(name, ours)| Some((name, ours, other.extensions.get(name)?)));
        let schema = |name: &str| if name.is_empty() { "its own schema".to_owned() } else { quoted(name) };
        both.filter(|(_, ours, theirs)| ours != theirs)
            .map(|(name, ours, theirs)| format!("{} ({} and {})", quoted(name), schema(theirs), schema(ours)))
            .collect()
    }

    /// True where nothing of it would have to be dropped.
    pub(super) fn is_nothing(&self) -> bool {
        self.named.is_empty() && self.schemas.is_empty() && self.of_database.is_empty()
    }

    /// The statements that take back what is brought; none where some of it is in schemas that it does not create: who owns what
    /// there, no statement tells.
    pub(super) fn undo(&self) -> Vec<String> {
        if !self.named.is_empty() {
            return Vec::new();
        }
        let of_database = self.of_database.iter().map(|(word, name)| {
            let word = word.replace('-', " ").to_uppercase();
            format!("DROP {word} IF EXISTS {} CASCADE", identifier(name))
        });
        let schemas =
            self.schemas.iter().map(|name| format!("DROP SCHEMA IF EXISTS {} CASCADE", identifier(name)));
        // A server's tables and mappings go with it.
        schemas.chain(of_database).collect()
    }
}

/// The role whose attributes a statement changes.
pub(super) fn altered(sql: &str) -> Option<String> {
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::AlterRoleStmt(alter) = parsed.node() else { return None };
    // ALTER GROUP … ADD USER is one too, and takes no attribute away.
    let of_members = alter.options.iter().any(
        |option| matches!(&option.node, Some(NodeEnum::DefElem(option)) if option.defname == "rolemembers"),
    );
    alter.role.as_ref().filter(|_| !of_members).map(|role| role.rolename.clone())
}

/// Roles that a statement lets create in `public`, or gives a function there.
fn public_creators(node: &NodeEnum) -> Vec<String> {
    let is_public = |node: &pg::Node| names::string(node) == Some("public");
    match node {
        NodeEnum::GrantStmt(grant)
            if grant.is_grant
                && grant.objtype == pg::ObjectType::ObjectSchema as i32
                && grant.objects.iter().any(is_public) =>
        {
            let creates = |one: &pg::Node| matches!(&one.node, Some(NodeEnum::AccessPriv(one)) if one.priv_name == "create");
            if !grant.privileges.is_empty() && !grant.privileges.iter().any(creates) {
                return Vec::new();
            }
            names::roles(&grant.grantees)
                .map(|grantee| role(grantee).map_or_else(|| "PUBLIC".to_owned(), quoted))
                .collect()
        }
        NodeEnum::AlterOwnerStmt(owner) => {
            let has_code = [
                pg::ObjectType::ObjectFunction,
                pg::ObjectType::ObjectProcedure,
                pg::ObjectType::ObjectOperator,
            ];
            let schema = subject(node).and_then(|object| object.id.schema);
            let is_ours = has_code.iter().any(|of| *of as i32 == owner.object_type)
                && schema.as_deref() == Some("public");
            owner.newowner.as_ref().and_then(role).filter(|_| is_ours).map(quoted).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What a statement says of whatever is created later, or shows to others.
fn wide(node: &NodeEnum, user: &str) -> Option<String> {
    match node {
        NodeEnum::CreatePublicationStmt(s) if s.for_all_tables => {
            Some(format!("publication {} FOR ALL TABLES", quoted(&s.pubname)))
        }
        NodeEnum::AlterDefaultPrivilegesStmt(s) if option(&s.options, "schemas").is_none() => {
            let roles =
                option(&s.options, "roles").and_then(|option| match option.arg.as_ref()?.node.as_ref()? {
                    NodeEnum::List(list) => Some(&list.items),
                    _ => None,
                });
            let is_ours = |items: &Vec<pg::Node>| names::roles(items).any(|of| role(of) == Some(user));
            let holds = roles.is_none_or(is_ours);
            holds.then(|| format!("ALTER DEFAULT PRIVILEGES of {}", quoted(user)))
        }
        _ => None,
    }
}

/// What stands in the way of two databases that come to one target, in this order, each with what people call it.
pub(super) fn between((first, its): (&str, &Brought), (second, own): (&str, &Brought)) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let both = own.also_in(its);
    if !both.is_empty() {
        blockers.push(Blocker::new(
            "databases-meet",
            format!("databases {first} and {second} have both: {}", human::first(&both, SHOWN)),
            &[
                "rename it in one of them, or give its schema another name: --map-schema DATABASE:OLD=NEW",
                "a setting of one role for two databases: take one back, and set it in the application's connection string",
            ][..if both.iter().any(|one| one.starts_with("setting ")) { 2 } else { 1 }],
        ));
    }
    let elsewhere = own.elsewhere(its);
    if !elsewhere.is_empty() {
        blockers.push(Blocker::new(
            "extensions-meet",
            format!(
                "databases {first} and {second} have extensions in different schemas, and the target has each once: {}",
                human::first(&elsewhere, SHOWN)
            ),
            &["move each into the same schema in one of them: ALTER EXTENSION NAME SET SCHEMA SCHEMA"],
        ));
    }
    if own.looks_in_public > 0 && !its.public_creators.is_empty() {
        let list = its.public_creators.iter().cloned().collect::<Vec<_>>().join(", ");
        blockers.push(Blocker::new(
            "public-shared",
            format!(
                "database {first} lets {list} create in schema public, or gives them functions there, where {} of database {second} look \
                 for names too, and run what they find, as tsdbadmin while rows are copied",
                human::count(own.looks_in_public as u64, "function")
            ),
            &["take it away on the source: REVOKE CREATE ON SCHEMA public, and ALTER FUNCTION … SET SCHEMA", "where all of them are to be trusted, add --accept MAP-06"],
        ));
    }
    if !its.wide.is_empty() {
        blockers.push(Blocker::new(
            "shared-by-all",
            format!(
                "database {first} has what would hold for the objects of database {second} too: {}",
                human::first(&its.wide, SHOWN)
            ),
            &["give it a schema or a list of tables, or drop it there"],
        ));
    }
    blockers
}

/// What a person has to know of two databases that come to one target, in this order, each with what people call it.
pub(super) fn notes((first, its): (&str, &Brought), (second, own): (&str, &Brought)) -> Vec<String> {
    let mut notes = Vec::new();
    let others =
        own.roles.iter().filter(|(key, hash)| its.roles.get(key).is_some_and(|theirs| theirs != *hash));
    let (settings, attributes): (Vec<_>, Vec<_>) =
        others.map(|(key, _)| key).partition(|(_, set)| !set.is_empty());
    if !attributes.is_empty() {
        let names = human::first(attributes.iter().map(|(role, _)| quoted(role)), SHOWN);
        notes.push(format!(
            "roles that differ in attributes or passwords are as database {first} has them, and database {second} shares them: {names}"
        ));
    }
    if !settings.is_empty() {
        let names =
            human::first(settings.iter().map(|(role, set)| format!("{set} of {}", quoted(role))), SHOWN);
        notes.push(format!(
            "settings of roles are as database {second} has them, and hold for {first} too: {names}"
        ));
    }
    let versions = own.versions.iter().filter_map(|(name, ours)| {
        let theirs = its.versions.get(name).filter(|theirs| *theirs != ours)?;
        Some(format!("{} ({theirs} and {ours})", quoted(name)))
    });
    let versions: Vec<String> = versions.collect();
    if !versions.is_empty() {
        notes.push(format!(
            "databases {first} and {second} have extensions of different versions, and the target has one of each: {}",
            human::first(&versions, SHOWN)
        ));
    }
    notes
}

/// The numbers that statements about large objects create.
pub(super) fn large_objects(statements: &[Statement]) -> BTreeSet<u32> {
    let number = |statement: &Statement| {
        let parsed = parse(&statement.sql, true).ok()??;
        let NodeEnum::SelectStmt(select) = parsed.node() else { return None };
        let NodeEnum::ResTarget(target) = select.target_list.first()?.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        if strings(&call.funcname).last() != Some(&"lo_create") {
            return None;
        }
        text(call.args.first()?)?.parse().ok()
    };
    statements.iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    fn brought(sql: &str) -> Brought {
        let pre_data = script::statements("pre-data", sql.as_bytes()).expect("statements");
        let roles = pre_data.clone();
        let extensions = pre_data.iter().filter(|one| matches!(one.class, Class::CreateExtension { .. }));
        let extensions = extensions.cloned().collect();
        Brought::of(&Scripts { roles, extensions, pre_data, ..Scripts::default() }, "tsdbadmin")
    }

    #[test]
    fn what_two_databases_bring_is_known_by_name() {
        let one = brought(
            "CREATE SCHEMA crm; CREATE TABLE crm.t (); CREATE TABLE public.\"T 1\" (); CREATE PUBLICATION p; \
             CREATE SCHEMA IF NOT EXISTS ext; ALTER ROLE app IN DATABASE tsdb SET search_path = crm;",
        );
        let other = brought(
            "CREATE SCHEMA shop; CREATE TABLE shop.t (); CREATE VIEW public.\"T 1\" AS SELECT 1; CREATE PUBLICATION p; \
             CREATE SCHEMA IF NOT EXISTS ext; ALTER ROLE app IN DATABASE tsdb SET search_path = shop;",
        );
        let both = ["schema public", "public.\"T 1\"", "publication p", "setting search_path of role app"];
        assert_eq!(one.also_in(&other), both);
        assert_eq!(one.undo(), Vec::<String>::new());
        let alone = brought("CREATE SCHEMA \"a\"\"b\"; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;");
        assert_eq!(
            alone.undo(),
            ["DROP SCHEMA IF EXISTS \"a\"\"b\" CASCADE", "DROP SERVER IF EXISTS \"s\" CASCADE"]
        );
    }

    #[test]
    fn whoever_may_create_where_functions_look_for_names_is_told() {
        let one = brought(
            "GRANT USAGE ON SCHEMA public TO reader; GRANT ALL ON SCHEMA public TO \"App\"; ALTER FUNCTION public.f() OWNER TO writer; \
             ALTER TABLE public.t OWNER TO other; GRANT CREATE ON SCHEMA app TO other;",
        );
        let moved = Brought { looks_in_public: 2, ..brought("CREATE SCHEMA crm;") };
        let said: Vec<String> = between(("a", &one), ("b", &moved)).iter().map(ToString::to_string).collect();
        assert!(
            said.len() == 1 && said[0].contains("lets \"App\", writer create in schema public"),
            "{said:?}"
        );
        assert!(said[0].contains("2 functions of database b"), "{said:?}");
        assert!(between(("a", &one), ("b", &brought("CREATE SCHEMA crm;"))).is_empty());
    }

    #[test]
    fn what_one_has_for_all_and_what_both_have_elsewhere_is_told() {
        let one = brought(
            "CREATE EXTENSION hstore WITH SCHEMA ext; CREATE EXTENSION citext WITH SCHEMA public; CREATE PUBLICATION \"P p\" FOR ALL TABLES; \
             ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO PUBLIC; ALTER ROLE app WITH LOGIN PASSWORD 'x'; \
             ALTER ROLE app SET work_mem = '1MB'; ALTER ROLE app SET search_path = one; ALTER ROLE r WITH LOGIN;",
        );
        let other = brought(
            "CREATE EXTENSION hstore WITH SCHEMA public; CREATE EXTENSION citext WITH SCHEMA public; \
             ALTER DEFAULT PRIVILEGES FOR ROLE tsdbadmin GRANT SELECT ON TABLES TO PUBLIC; \
             ALTER DEFAULT PRIVILEGES FOR ROLE tsdbadmin IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC; \
             ALTER ROLE app WITH LOGIN PASSWORD 'y'; ALTER ROLE app SET work_mem = '2MB'; ALTER ROLE app SET search_path = other; \
             ALTER ROLE r WITH LOGIN;",
        );
        let said = |a: &Brought, b: &Brought| -> Vec<String> {
            between(("a", a), ("b", b)).iter().map(ToString::to_string).collect()
        };
        let found = said(&one, &other);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("each once: hstore (ext and public)"), "{found:?}");
        assert!(found[1].contains("of database b too: publication \"P p\" FOR ALL TABLES"), "{found:?}");
        let found = said(&other, &one);
        assert!(found[1].contains("of database b too: ALTER DEFAULT PRIVILEGES of tsdbadmin"), "{found:?}");
        let found = notes(("a", &one), ("b", &other));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].ends_with("database b shares them: app"), "{found:?}");
        assert!(found[1].contains("work_mem of app"), "{found:?}");
    }

    #[test]
    fn large_objects_are_known_by_their_numbers() {
        let sql = "SELECT pg_catalog.lo_create('16499'); ALTER LARGE OBJECT 16499 OWNER TO a; SELECT lo_create('7');";
        let statements = script::statements("data", sql.as_bytes()).expect("statements");
        assert_eq!(large_objects(&statements), [7, 16499].into());
    }
}
