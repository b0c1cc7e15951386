//! What is there at this point of the restore, or may be: schemas, members of extensions, the server's own.

use super::missing::is_implied;
use crate::facts::ObjectId;
use crate::facts::session::TEMPORARY;
use crate::parse::Class;
use crate::rule::Context;
use crate::rules::extension::moved::MovedExtensions;
use crate::target::{
    Members, Target, is_builtin, is_builtin_operator_class, is_in_information_schema, known, members,
};

/// True where the schema is there at this point, or may be.
pub(super) fn has_schema(ctx: &Context<'_>, schema: &str) -> bool {
    let id = ObjectId::new(Class::Schema, None, schema);
    if ctx.facts.renamed.contains_key(&id) {
        return false;
    }
    ctx.facts.schemas.contains_key(schema)
        || ctx.facts.absence(&id).is_some()
        || ctx.facts.missing_schema(schema).is_some()
        || matches!(schema, "public" | "information_schema")
        || schema.starts_with("pg_")
        || schema.starts_with("_timescaledb")
        || schema.starts_with("timescaledb_")
        || extensions(ctx).any(|(_, of)| of.is_none_or(|of| makes_schema(of, schema)))
}

/// Extensions that are there at this point, with what is known of their members.
fn extensions<'a>(ctx: &'a Context<'_>) -> impl Iterator<Item = (&'a str, Option<&'static Members>)> {
    let made = ctx.facts.extensions.keys().map(|name| &**name);
    let live = ctx.target.live_extensions.iter().flatten().map(|(name, _)| name.as_str());
    let always = ctx.target.installed_extensions.iter().map(String::as_str);
    let all = made.chain(live).chain(always);
    // CASCADE creates what they require.
    let required = |name: &'a str| {
        let requires = members(name).map_or(&[][..], |of| of.requires.as_slice());
        std::iter::once(name).chain(requires.iter().copied())
    };
    all.flat_map(required).map(|name| (name, members(name)))
}

fn makes_schema(of: &Members, schema: &str) -> bool {
    of.schemas.contains(schema) || of.schema == Some(schema)
}

pub(super) fn extension_of_schema(target: &Target, schema: &str) -> Option<&'static str> {
    let mut all = known().filter(|(name, of)| makes_schema(of, schema) && target.allows_extension(name));
    all.next().map(|(name, _)| name)
}

/// True where the object is there at this point, or may be.
pub(super) fn is_known(ctx: &Context<'_>, class: Class, schema: Option<&str>, name: &str) -> bool {
    let facts = ctx.facts;
    let is_of_server = schema.is_none_or(|schema| schema == "pg_catalog");
    let comes_with_another = class == Class::Type && is_implied_type(name);
    if comes_with_another || is_of_server && (is_servers_own(class, name) || is_in_information_schema(name)) {
        return true;
    }
    let classes: &[Class] = match class {
        Class::Type | Class::Function | Class::Relation => &[Class::Type, Class::Relation, Class::Function],
        ref class => std::slice::from_ref(class),
    };
    let of_session = || std::iter::once(TEMPORARY).chain(facts.search_path.iter().map(|schema| &**schema));
    let path: Vec<Option<&str>> =
        schema.map_or_else(|| of_session().map(Some).collect(), |schema| vec![Some(schema)]);
    let is_declared = path.iter().any(|schema| {
        classes.iter().any(|class| {
            let id = ObjectId::new(*class, *schema, name);
            facts.declares(&id) || facts.overloads.contains_key(&id) || facts.absent.contains_key(&id)
        }) || class == Class::Relation && !is_absent(ctx, *schema, name) && is_implied(facts, *schema, name)
    });
    // A bare name is looked for along search_path, and an empty one leads nowhere.
    let is_seen =
        |of: &Members| schema.is_some() || !facts.search_path.is_empty() || of.schema == Some("pg_catalog");
    let has = |of: &Members| of.holds(class, name) || of.overloads(class, name);
    let is_there = |extension: &str, of: &Members| {
        schema.is_none_or(|schema| {
            placed(ctx, extension).is_none_or(|own| own == schema || makes_schema(of, schema))
        })
    };
    is_declared
        || extensions(ctx)
            .any(|(extension, of)| of.is_none_or(|of| is_seen(of) && has(of) && is_there(extension, of)))
}

/// The schema that these files put an extension into: none where the target has it, or may have it elsewhere.
pub(super) fn placed<'a>(ctx: &'a Context<'_>, extension: &str) -> Option<&'a str> {
    let is_live = || ctx.target.live_extensions.iter().flatten().any(|(name, _)| name == extension);
    let is_moved = || {
        let moved = ctx.states.get::<MovedExtensions>();
        moved.is_some_and(|all| all.0.iter().any(|moved| moved.extension == extension))
    };
    let own = ctx.facts.extensions.get(extension)?.schema.as_deref()?;
    let is_elsewhere = ctx.target.installed_extensions.contains(extension) || is_live() || is_moved();
    (!is_elsewhere && members(extension).is_some_and(|of| of.schema.is_none())).then_some(own)
}

/// True for what every server has in pg_catalog.
pub(super) fn is_servers_own(class: Class, name: &str) -> bool {
    match class {
        Class::OperatorClass => is_builtin_operator_class(name),
        Class::Type => is_builtin(class, name) || is_implied_type(name) || is_builtin(Class::Relation, name),
        // A type's name is a function, which converts to it.
        Class::Function => is_builtin(class, name) || is_builtin(Class::Type, name),
        class => is_builtin(class, name),
    }
}

/// True for a relation that is known to be left out.
fn is_absent(ctx: &Context<'_>, schema: Option<&str>, name: &str) -> bool {
    let absent = &ctx.options.absent;
    !absent.is_empty() && schema.is_some_and(|schema| absent.contains(&(schema.to_owned(), name.to_owned())))
}

/// Types that come with others: arrays, multiranges; and what CREATE TABLE takes for a type.
fn is_implied_type(name: &str) -> bool {
    name.starts_with('_')
        || name.contains("multirange")
        || matches!(name, "serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8")
}
