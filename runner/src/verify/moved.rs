//! A source whose schemas have moved: what it holds, by the names that it has to have on the target.
//!
//! Servers print names with their schemas, each in quotes. A name of a schema stands before a dot and behind none, unless an alias or a
//! column has its name: such a text is the same where both, read in one way, are. Functions are moved as the dump's were.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::parse::{NodeEnum, TokenKind, Tokens, canonical, parse};

use super::definition;
use super::identity::{self, Place};
use super::object::{Catalog, Object};
use super::relations::Relations;
use crate::error::Error;
use crate::moving::{Moving, renamed};
use crate::names::{self, Relation};
use crate::quote::{identifier, quoted};

/// What every server says of its schema `public`: a dump does not have it, and no other schema does.
const OF_PUBLIC: &str = "standard public schema";

/// What was moved, beside what it was.
pub(super) struct Moved<'a> {
    moving: &'a Moving,
    /// What the source has in its schemas, but for members of extensions.
    own: BTreeSet<Relation>,
    /// What the source says of each object, by its new name.
    said: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// The source's schemas that have moved, with their new names: those hold nothing of others.
    schemas: BTreeMap<String, String>,
}

impl<'a> Moved<'a> {
    /// Gives everything of the source the name that it has on the target.
    ///
    /// # Errors
    /// A defect.
    pub(super) fn new(
        moving: &'a Moving,
        catalog: &mut Catalog,
        relations: &mut Relations,
    ) -> Result<Self, Error> {
        // Parts that an extension's own objects have, too.
        let is_own = |kind: &str| !matches!(kind, "extension member" | "domain constraint");
        let own = catalog.objects.keys().filter(|(kind, _)| is_own(kind));
        let own = own.filter_map(|(kind, identity)| match identity::place(kind, identity) {
            Place::Schema(relation) => Some(relation),
            Place::Database(_) => None,
        });
        let own = own.collect();
        let schemas = catalog.objects.keys().filter(|(kind, _)| kind == "schema");
        let schemas = schemas.filter_map(|(_, identity)| {
            let name = identity::name(identity);
            let new = moving.schema(&name)?;
            Some((name, new))
        });
        let schemas = schemas.collect();
        let mut moved = Self { moving, own, said: BTreeMap::new(), schemas };
        for ((kind, identity), mut object) in std::mem::take(&mut catalog.objects) {
            if moved.is_of_the_server(&kind, &identity, &object) || moved.is_of_another(&kind, &object) {
                continue;
            }
            let key = (kind.clone(), moved.identity(&kind, &identity));
            moved.said.insert(key.clone(), object.says.clone());
            for (name, text) in &mut object.says {
                *text = moved.said_of(&kind, name, text)?;
            }
            moved.of_public(&kind, &identity, &mut object);
            catalog.objects.insert(key, object);
        }
        let rename = |name: Relation| moving.relation(&name);
        catalog.sequences = std::mem::take(&mut catalog.sequences)
            .into_iter()
            .map(|(name, value)| (rename(name), value))
            .collect();
        for all in [&mut relations.tables, &mut relations.roots] {
            *all = std::mem::take(all)
                .into_iter()
                .map(|(name, mut held)| {
                    held.root = held.root.map(rename);
                    let new = rename(name.clone());
                    held.on_source = (new != name).then_some(name);
                    (new, held)
                })
                .collect();
        }
        Ok(moved)
    }

    /// Leaves out what the target has of other databases.
    pub(super) fn without_others(&self, ours: &Catalog, theirs: &mut Catalog) {
        theirs.objects.retain(|key @ (kind, identity), object| {
            !self.is_of_the_server(kind, identity, object)
                && (ours.objects.contains_key(key)
                    || match identity::place(kind, identity) {
                        Place::Schema(relation) => self.is_new(&relation.schema),
                        Place::Database(name) => kind == "schema" && self.is_new(&name),
                    })
        });
    }

    /// A role's `search_path` that names schemas of another database of the cluster, which brings it.
    fn is_of_another(&self, kind: &str, object: &Object) -> bool {
        let path = || {
            let path = object.says.values().find_map(|text| text.strip_prefix("search_path="))?;
            Some(names::list(path).collect::<Vec<String>>())
        };
        kind == "role setting" && path().is_some_and(|path| self.moving.is_path_of_another(&path))
    }

    /// The comment that `public` has by itself: `migrate` writes it for the schema that `public` becomes, and `restore` does
    /// not know of it.
    fn is_of_the_server(&self, kind: &str, identity: &str, object: &Object) -> bool {
        let of_public = || {
            let name = identity::name(identity.strip_prefix("on schema ")?);
            let new = self.schemas.get("public")?;
            (name == "public" || name == *new).then_some(())
        };
        kind == "comment" && object.says.values().any(|text| text == OF_PUBLIC) && of_public().is_some()
    }

    fn is_new(&self, schema: &str) -> bool {
        self.schemas.values().any(|new| new == schema)
    }

    /// `public` is that of whoever owns the database, and what it becomes is a schema like others.
    fn of_public(&self, kind: &str, identity: &str, object: &mut Object) {
        if kind == "schema" && identity == "public" && self.schemas.contains_key("public") {
            object.owner = None;
        }
    }

    fn identity(&self, kind: &str, identity: &str) -> String {
        let schema = |name: &str| {
            let plain = identity::name(name);
            self.schemas.get(&plain).map_or_else(|| name.to_owned(), |new| quoted(new))
        };
        match kind {
            "schema" => schema(identity),
            "comment" => match identity.strip_prefix("on schema ") {
                Some(name) => format!("on schema {}", schema(name)),
                None => self.names(identity),
            },
            "publication schema" => match identity::split_once(identity, " in ") {
                Some((name, of)) => format!("{} in {of}", schema(name)),
                None => identity.to_owned(),
            },
            "default privileges" => match identity::rsplit_once(identity, " in ") {
                Some((of, name)) => format!("{of} in {}", schema(name)),
                None => identity.to_owned(),
            },
            _ => self.names(identity),
        }
    }

    fn said_of(&self, kind: &str, name: &str, text: &str) -> Result<String, Error> {
        Ok(match (kind, name) {
            // Words of the user's own.
            ("comment" | "security label", _) | ("type", "labels") => text.to_owned(),
            ("role setting" | "database setting", _) => self.setting(text),
            ("extension", "schema") => {
                let schema = identity::name(text);
                let new = self.schemas.get(&schema).filter(|_| schema != "public");
                new.map_or_else(|| text.to_owned(), |new| identifier(new))
            }
            ("function" | "procedure" | "window function", "definition") => self.moving.statement(text)?,
            _ => self.names(text),
        })
    }

    /// `search_path=public, audit`
    fn setting(&self, text: &str) -> String {
        let Some(path) = text.strip_prefix("search_path=") else { return text.to_owned() };
        let path: Vec<String> = names::list(path).collect();
        let Some(new) = self.moving.path(&path) else { return text.to_owned() };
        let new: Vec<String> = new.iter().map(|name| quoted(name)).collect();
        format!("search_path={}", new.join(", "))
    }

    /// The new name of a schema before a name of an object, which may be a member of an extension.
    fn schema_of(&self, schema: &str, name: &str) -> Option<String> {
        let object = Relation::new(schema, name);
        let is_own = self.own.contains(&object);
        match self.schemas.get(schema) {
            Some(new) if is_own => Some(new.clone()),
            Some(_) => self.moving.schema_of(&object),
            None if is_own => None,
            None => self.moving.elsewhere(&object),
        }
    }

    /// A text of the server's with its names moved.
    fn names(&self, text: &str) -> String {
        renamed(text, |schema, name| self.schema_of(schema, name), |token| self.string(token))
    }

    /// A string that is the name of an object: `'public.s'`.
    fn string(&self, token: &str) -> Option<String> {
        let inner = token.strip_prefix('\'')?.strip_suffix('\'')?;
        let (object, rest) = names::read(inner)?;
        if !(rest.is_empty() || rest.starts_with('(')) || !self.own.contains(&object) {
            return None;
        }
        let new = self.schemas.get(&object.schema)?;
        Some(format!("'{}{}'", Relation::new(new, &object.name).sql(), self.names(rest)))
    }

    /// A text of the source's with its names moved, and each string as the target has it where it is the source's, or what
    /// may have become of it: what nothing proves stays, and is told before (MAP-01).
    fn with_strings_of(&self, text: &str, theirs: &str) -> String {
        let strings = |text: &str| -> Vec<(usize, usize)> {
            let tokens = Tokens::scan(text);
            let strings = tokens.iter().filter(|token| token.kind == TokenKind::String);
            strings.map(|token| (token.start, token.end)).collect()
        };
        let new = self.names(text);
        let (old_at, new_at, their_at) = (strings(text), strings(&new), strings(theirs));
        if old_at.len() != their_at.len() || new_at.len() != their_at.len() {
            return new;
        }
        let mut out = String::with_capacity(new.len());
        let mut done = 0;
        for ((old, now), their) in old_at.iter().zip(&new_at).zip(&their_at) {
            let (Some(ours), Some(theirs)) = (text.get(old.0..old.1), theirs.get(their.0..their.1)) else {
                return new;
            };
            if self.may_become(ours, theirs) {
                out.push_str(new.get(done..now.0).unwrap_or_default());
                out.push_str(theirs);
                done = now.1;
            }
        }
        out.push_str(new.get(done..).unwrap_or_default());
        out
    }

    /// True where a string stays, or names what has moved by its new name.
    fn may_become(&self, ours: &str, theirs: &str) -> bool {
        let inner = |token: &str| {
            token.strip_prefix('\'').and_then(|token| token.strip_suffix('\'')).map(str::to_owned)
        };
        let (Some(old), Some(new)) = (inner(ours), inner(theirs)) else { return ours == theirs };
        let is_schema =
            || self.schemas.get(&identity::name(&old)).is_some_and(|moved| *moved == identity::name(&new));
        let is_object = || {
            let ((old, of), (new, with)) = (names::read(&old)?, names::read(&new)?);
            let moved = self.schemas.get(&old.schema)?;
            (new.schema == *moved && new.name == old.name && self.names(of) == self.names(with)).then_some(())
        };
        old == new || is_schema() || is_object().is_some()
    }

    /// True where the target says what the source would, although not in the same words.
    pub(super) fn same(
        &self,
        (kind, identity, name): (&str, &str, &str),
        theirs: &str,
        (source, target): (&Catalog, &Catalog),
    ) -> bool {
        let key = (kind.to_owned(), identity.to_owned());
        let Some(text) = self.said.get(&key).and_then(|says| says.get(name)) else { return false };
        let same = |ours: &str, theirs: &str| definition::same(kind, name, ours, theirs, source, target);
        if name == "definition" && matches!(kind, "function" | "procedure" | "window function") {
            return self.moving.statement(text).is_ok_and(|ours| same_function(&ours, theirs));
        }
        let new = self.names(text);
        if same(&self.with_strings_of(text, theirs), theirs) {
            return true;
        }
        // Lists in the order of their names.
        if matches!((kind, name), ("publication", "tables") | ("operator family", "members"))
            && sorted(&new) == sorted(theirs)
        {
            return true;
        }
        // Words that look like names and are none: both stay as they are, or move.
        self.has_alias(text) && same(&new, &self.names(theirs))
    }

    /// True where a word that stands alone is called as a schema that moves: an alias, or a column.
    fn has_alias(&self, text: &str) -> bool {
        let tokens = Tokens::scan(text);
        let tokens: Vec<_> = tokens.iter().collect();
        let is_dot = |at: usize| tokens.get(at).is_some_and(|token| token.text(text) == ".");
        let mut words = tokens.iter().enumerate().filter(|(at, _)| !is_dot(at + 1));
        words.any(|(_, token)| token.identifier(text).is_some_and(|name| self.schemas.contains_key(&name)))
    }
}

/// Leaves out what the target has of other databases beside one that keeps its schemas: what is in schemas that the source does
/// not have, and in none.
pub(super) fn without_neighbours(ours: &Catalog, theirs: &mut Catalog) {
    let schemas = theirs.objects.keys().filter(|key| key.0 == "schema" && !ours.objects.contains_key(*key));
    let schemas: BTreeSet<String> = schemas.map(|(_, identity)| identity::name(identity)).collect();
    theirs.objects.retain(|key @ (kind, identity), _| {
        ours.objects.contains_key(key)
            || match identity::place(kind, identity) {
                Place::Schema(relation) => !schemas.contains(&relation.schema),
                Place::Database(_) => false,
            }
    });
}

fn sorted(list: &str) -> Vec<String> {
    let mut all: Vec<String> = list.split(", ").map(identity::plain).collect();
    all.sort();
    all
}

/// Two functions are the same but for the order of their options and the quotes of a path.
fn same_function(ours: &str, theirs: &str) -> bool {
    let tree = |sql: &str| {
        let parsed = parse(sql, true).ok()??;
        let NodeEnum::CreateFunctionStmt(_) = parsed.node() else { return None };
        let mut tree = canonical(parsed.node());
        let options = tree.pointer_mut("/CreateFunctionStmt/options")?.as_array_mut()?;
        options.sort_by_cached_key(ToString::to_string);
        Some(tree)
    };
    let (ours, theirs) = (tree(ours), tree(theirs));
    ours.is_some() && ours == theirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moving::{Wish, move_texts};

    /// A source with these objects, all of whose statements are `sql`.
    fn with(sql: &str, objects: &[(&str, &str, &str)], test: impl FnOnce(&Moved<'_>, &Catalog)) {
        let wish = Wish { into_schema: vec!["crm".into()], map_schema: vec!["log=history".into()] };
        let map = wish.of("crm").expect("words").expect("a map");
        let texts = move_texts(&map, &[sql.as_bytes()], &BTreeMap::new()).expect("moved");
        let object = |(kind, identity, said): &(&str, &str, &str)| {
            let says = [("definition".to_owned(), (*said).to_owned())].into();
            (((*kind).to_owned(), (*identity).to_owned()), Object { says, ..Object::default() })
        };
        let mut catalog =
            Catalog { objects: objects.iter().map(object).collect(), major: 17, ..Catalog::default() };
        let moved = Moved::new(&texts.moving, &mut catalog, &mut Relations::default()).expect("moved");
        test(&moved, &catalog);
    }

    const SQL: &str = "CREATE EXTENSION hstore WITH SCHEMA public; CREATE SCHEMA log; CREATE TABLE public.t (a public.hstore); \
        CREATE TABLE log.\"T 1\" ();";

    const SCHEMAS: [(&str, &str, &str); 4] = [
        ("schema", "public", ""),
        ("schema", "log", ""),
        ("table", "public.t", ""),
        ("table", "log.\"T 1\"", ""),
    ];

    #[test]
    fn names_of_the_source_become_those_of_the_target() {
        with(SQL, &SCHEMAS, |moved, catalog| {
            let names: Vec<&str> = catalog.objects.keys().map(|(_, identity)| identity.as_str()).collect();
            assert_eq!(names, ["crm", "history", "crm.t", "history.\"T 1\""]);
            for (kind, before, after) in [
                ("column", "public.t.a", "crm.t.a"),
                ("trigger", "public on public.t", "public on crm.t"),
                ("comment", "on schema public", "on schema crm"),
                ("comment", "on table log.\"T 1\"", "on table history.\"T 1\""),
                ("default privileges", "for a on r in log", "for a on r in history"),
                ("publication schema", "public in p", "crm in p"),
                ("function", "public.hstore(text)", "public.hstore(text)"),
                ("role", "public", "public"),
            ] {
                assert_eq!(moved.identity(kind, before), after);
            }
            assert_eq!(
                moved.names("nextval('\"public\".\"t\"'::regclass)"),
                "nextval('\"crm\".\"t\"'::regclass)"
            );
            assert_eq!(
                moved.names("x.\"public\" OPERATOR(\"public\".->) y"),
                "x.\"public\" OPERATOR(\"public\".->) y"
            );
            assert_eq!(
                moved.setting("search_path=public, log, other"),
                "search_path=crm, public, history, crm_other"
            );
        });
    }

    #[test]
    fn what_is_in_schemas_of_others_is_none_of_its_own() {
        let of = |all: &[(&str, &str)]| {
            let objects = all
                .iter()
                .map(|(kind, identity)| (((*kind).to_owned(), (*identity).to_owned()), Object::default()));
            Catalog { objects: objects.collect(), ..Catalog::default() }
        };
        let ours = of(&[("schema", "audit"), ("table", "public.t"), ("publication", "p")]);
        let mut theirs = of(&[
            ("schema", "audit"),
            ("schema", "\"My shop\""),
            ("table", "\"My shop\".t"),
            ("comment", "on schema \"My shop\""),
            ("publication", "of_shop"),
            ("table", "public.t"),
            ("table", "public.new"),
            ("table", "audit.new"),
        ]);
        without_neighbours(&ours, &mut theirs);
        let left: Vec<&str> = theirs.objects.keys().map(|(_, identity)| identity.as_str()).collect();
        assert_eq!(left, ["audit", "audit.new", "public.new", "public.t"]);
    }

    #[test]
    fn an_alias_that_is_called_as_a_schema_is_no_name_of_one() {
        let view = "SELECT \"public\".\"a\" FROM \"public\".\"t\" \"public\"";
        let objects = [&SCHEMAS[..], &[("view", "public.v", view)]].concat();
        with(SQL, &objects, |moved, catalog| {
            let same = |theirs: &str| moved.same(("view", "crm.v", "definition"), theirs, (catalog, catalog));
            assert!(same("SELECT \"public\".\"a\" FROM \"crm\".\"t\" \"public\""));
            assert!(!same("SELECT \"public\".\"a\" FROM \"crm\".\"other\" \"public\""));
        });
        let objects = [&SCHEMAS[..], &[("view", "public.v", "SELECT t.a FROM public.t")]].concat();
        with(SQL, &objects, |moved, catalog| {
            // One that has stayed behind would read another database's table.
            assert!(!moved.same(
                ("view", "crm.v", "definition"),
                "SELECT t.a FROM public.t",
                (catalog, catalog)
            ));
        });
    }

    #[test]
    fn a_function_has_its_options_in_any_order() {
        let ours =
            "CREATE FUNCTION crm.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$ SET search_path TO crm";
        let theirs = "CREATE OR REPLACE FUNCTION crm.f()\n RETURNS integer\n LANGUAGE sql\n SET search_path TO 'crm'\nAS $$ SELECT 1 $$";
        assert!(same_function(&ours.replacen("CREATE", "CREATE OR REPLACE", 1), theirs));
        assert!(!same_function(ours, theirs.replace("SELECT 1", "SELECT 2").as_str()));
    }
}
