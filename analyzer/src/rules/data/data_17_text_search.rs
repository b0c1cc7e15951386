//! DATA-17: text search dictionaries and configurations that the server refuses.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option_text, options, qualified, strict_truth, string};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::target::{has_stemmer, is_builtin_template, members};

pub(crate) const RULE: Rule = Rule {
    id: "DATA-17",
    name: "text-search",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("text search dictionaries and configurations that a server refuses"),
    statements: &[StatementKind::DefineStmt, StatementKind::AlterTsconfigurationStmt],
    after: &["SU-11", "SU-12"],
    doc: Doc {
        summary: "A text search dictionary or configuration that the server refuses.",
        what: "Dictionaries with a template of pg_catalog that does not exist, with parameters that their template does not \
               have or does not find, and with a language that Snowball lacks; configurations that copy one that is not there; \
               mappings of token types that the default parser lacks, that are there already or are not, and to dictionaries of \
               pg_catalog that no server has.",
        why: "The server looks all of it up when the statement runs.",
        server: &[
            "42704 no Snowball stemmer available for language \"klingon\" and encoding \"UTF8\"",
            "42704 text search template \"pg_catalog.nosuch\" does not exist",
            "22023 unrecognized simple dictionary parameter: \"nosuch\"",
            "22023 missing Language parameter",
            "22023 token type \"nosuch\" does not exist",
            "23505 duplicate key value violates unique constraint \"pg_ts_config_map_index\"",
            "42704 mapping for token type \"email\" does not exist",
            "42704 text search configuration \"pg_catalog.klingon\" does not exist",
        ],
        help: "Use a template, a language and dictionaries that the target has: SELECT dictname FROM pg_ts_dict;",
        before: "CREATE TEXT SEARCH DICTIONARY public.klingon (TEMPLATE = pg_catalog.snowball, language = 'klingon');",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tsearchcmds.c, and dict_*.c of src/backend/tsearch and src/backend/snowball",
            "asked of 15.18, 17.12 and 18.6",
        ]),
        link: "https://www.postgresql.org/docs/current/textsearch-dictionaries.html",
    },
    check,
    ..Rule::DEFAULT
};

/// The configurations of the files with the default parser at this point, with the token types that each maps.
#[derive(Clone, Debug, Default)]
struct Mappings(BTreeMap<ObjectId, BTreeSet<Box<str>>>);

/// Token types that configurations of pg_catalog map.
const MAPPED: &str = "asciihword asciiword email file float host hword hword_asciipart hword_numpart hword_part int numhword \
    numword sfloat uint url url_path version word";
/// Those that they do not.
const UNMAPPED: &str = "blank tag protocol entity";

/// A template of pg_catalog's.
struct Template {
    name: &'static str,
    /// How messages name it.
    shown: &'static str,
    parameters: &'static [Parameter],
}

/// A parameter of a dictionary.
struct Parameter {
    /// As messages name it.
    shown: &'static str,
    /// The server refuses a dictionary without it.
    is_needed: bool,
}

const fn may(shown: &'static str) -> Parameter {
    Parameter { shown, is_needed: false }
}

const fn must(shown: &'static str) -> Parameter {
    Parameter { shown, is_needed: true }
}

const fn template(name: &'static str, shown: &'static str, parameters: &'static [Parameter]) -> Template {
    Template { name, shown, parameters }
}

const TEMPLATES: [Template; 5] = [
    template("simple", "simple dictionary", &[may("StopWords"), may("Accept")]),
    template("synonym", "synonym", &[must("Synonyms"), may("CaseSensitive")]),
    template("ispell", "Ispell", &[must("AffFile"), must("DictFile"), may("StopWords")]),
    template("thesaurus", "Thesaurus", &[must("DictFile"), must("Dictionary")]),
    template("snowball", "Snowball", &[must("Language"), may("StopWords")]),
];

fn check(ctx: &mut Context<'_>) {
    use pg::ObjectType as T;
    let Some((_, node)) = ctx.node() else { return };
    let fails = ctx.findings.iter().any(|finding| finding.severity == Severity::Error);
    let error = match node {
        _ if fails => return,
        NodeEnum::DefineStmt(s) => match T::try_from(s.kind) {
            Ok(T::ObjectTsdictionary) => dictionary(ctx, &s.definition),
            Ok(T::ObjectTsconfiguration) => configuration(ctx, node, &s.definition),
            _ => return,
        },
        NodeEnum::AlterTsconfigurationStmt(s) => mapping(ctx, s),
        _ => return,
    };
    let Some(error) = error else { return };
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    ctx.report(Draft::new(format!("{words}: {}", error.text)).object(words).server(error));
}

/// The schema and name that an option's value means.
fn named(option: &pg::DefElem) -> Option<(Option<&str>, &str)> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::TypeName(name) => qualified(&name.names),
        NodeEnum::List(list) => qualified(&list.items),
        _ => option_text(option).map(|name| (None, name)),
    }
}

/// True where nothing can have this object: neither the files, an extension, nor pg_catalog, which `is_builtin` tells.
fn is_missing(ctx: &Context<'_>, class: Class, schema: Option<&str>, name: &str, is_builtin: bool) -> bool {
    let of_extension = |extension: &str| members(extension).is_none_or(|of| of.has(class, name));
    match schema {
        _ if is_builtin && schema.is_none_or(|schema| schema == "pg_catalog") => false,
        Some("pg_catalog") => !ctx.facts.extensions.keys().any(|extension| of_extension(extension)),
        // What is in a schema of the files is DEP-01's and DEP-02's.
        Some(_) => false,
        None => {
            !ctx.facts.dynamic
                && ctx.facts.schemas_with(class, name).is_empty()
                && ctx.target.live_extensions.is_none()
                && !ctx.facts.extensions.keys().any(|extension| of_extension(extension))
        }
    }
}

fn path(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}

/// What the server says of the options of CREATE TEXT SEARCH DICTIONARY.
fn dictionary(ctx: &Context<'_>, definition: &[pg::Node]) -> Option<ServerError> {
    let Some(template) = options(definition).find(|option| option.defname == "template") else {
        return Some(ServerError::new("42P17", "text search template is required"));
    };
    let (schema, name) = named(template)?;
    if is_missing(ctx, Class::TextSearchTemplate, schema, name, is_builtin_template(name)) {
        return Some(ServerError::new(
            "42704",
            format!("text search template \"{}\" does not exist", path(schema, name)),
        ));
    }
    if schema.is_some_and(|schema| schema != "pg_catalog") {
        return None;
    }
    let Template { shown: of, parameters, .. } = TEMPLATES.iter().find(|known| known.name == name)?;
    let mut seen: Vec<&str> = Vec::new();
    for option in options(definition).filter(|option| option.defname != "template") {
        let given = option.defname.as_str();
        let Some(Parameter { shown, .. }) =
            parameters.iter().find(|one| one.shown.to_ascii_lowercase() == given)
        else {
            return Some(ServerError::new("22023", format!("unrecognized {of} parameter: \"{given}\"")));
        };
        if seen.contains(&given) {
            return Some(ServerError::new("22023", format!("multiple {shown} parameters")));
        }
        seen.push(given);
        if matches!(given, "accept" | "casesensitive") && strict_truth(option).is_none() {
            return Some(ServerError::new("42601", format!("{given} requires a Boolean value")));
        }
        if given == "language" {
            let language = option_text(option)?;
            let lower = language.to_ascii_lowercase();
            if lower != "porter" && !has_stemmer(&lower, ctx.target.version) {
                let text = format!(
                    "no Snowball stemmer available for language \"{language}\" and encoding \"UTF8\""
                );
                return Some(ServerError::new("42704", text));
            }
        }
    }
    let missing = parameters
        .iter()
        .find(|one| one.is_needed && !seen.contains(&one.shown.to_ascii_lowercase().as_str()));
    missing.map(|one| ServerError::new("22023", format!("missing {} parameter", one.shown)))
}

/// What the server says of CREATE TEXT SEARCH CONFIGURATION; what it takes is known from then on.
fn configuration(ctx: &mut Context<'_>, node: &NodeEnum, definition: &[pg::Node]) -> Option<ServerError> {
    let find = |name: &str| options(definition).find(|option| option.defname == name);
    if let Some(unknown) = options(definition).find(|option| !matches!(&*option.defname, "parser" | "copy")) {
        let text = format!("text search configuration parameter \"{}\" not recognized", unknown.defname);
        return Some(ServerError::new("42601", text));
    }
    let id = ctx.created(node)?.id;
    let mapped = match (find("parser"), find("copy")) {
        (Some(_), Some(_)) => {
            return Some(ServerError::new("42601", "cannot specify both PARSER and COPY options"));
        }
        (Some(parser), None) => match named(parser)? {
            (None | Some("pg_catalog"), "default") => Some(BTreeSet::new()),
            (schema, name) if is_missing(ctx, Class::TextSearchParser, schema, name, false) => {
                let text = format!("text search parser \"{}\" does not exist", path(schema, name));
                return Some(ServerError::new("42704", text));
            }
            _ => None,
        },
        (None, Some(copy)) => {
            let (schema, name) = named(copy)?;
            let class = Class::TextSearchConfiguration;
            let own = ctx.resolved(&ObjectId::new(class, schema, name));
            let is_builtin = name == "simple" || has_stemmer(name, ctx.target.version);
            if is_missing(ctx, class, schema, name, is_builtin) {
                let text = format!("text search configuration \"{}\" does not exist", path(schema, name));
                return Some(ServerError::new("42704", text));
            }
            if is_builtin && schema.is_none_or(|schema| schema == "pg_catalog") {
                Some(MAPPED.split_whitespace().map(Into::into).collect())
            } else {
                ctx.states.get::<Mappings>().and_then(|known| known.0.get(&own)).cloned()
            }
        }
        (None, None) => return Some(ServerError::new("42P17", "text search parser is required")),
    };
    let known = &mut ctx.states.of::<Mappings>().0;
    match mapped {
        Some(mapped) => known.insert(id, mapped),
        None => known.remove(&id),
    };
    None
}

/// What the server says of a change of mappings; what it takes is known from then on.
fn mapping(ctx: &mut Context<'_>, s: &pg::AlterTsConfigurationStmt) -> Option<ServerError> {
    use pg::AlterTsConfigType as T;
    let (schema, name) = qualified(&s.cfgname)?;
    let id = ctx.resolved(&ObjectId::new(Class::TextSearchConfiguration, schema, name));
    let is_there = ctx.facts.absence(&id).is_none();
    ctx.states.get::<Mappings>()?.0.get(&id).filter(|_| is_there)?;
    let tokens: Vec<&str> = s.tokentype.iter().filter_map(string).collect();
    let is_token = |token: &&&str| {
        MAPPED.split_whitespace().chain(UNMAPPED.split_whitespace()).any(|known| known == **token)
    };
    if let Some(unknown) = tokens.iter().find(|token| !is_token(token)) {
        return Some(ServerError::new("22023", format!("token type \"{unknown}\" does not exist")));
    }
    let missing = s.dicts.iter().find_map(|dictionary| {
        let NodeEnum::List(dictionary) = dictionary.node.as_ref()? else { return None };
        let (schema, name) = qualified(&dictionary.items)?;
        let stemmed = name.strip_suffix("_stem");
        let is_builtin =
            name == "simple" || stemmed.is_some_and(|language| has_stemmer(language, ctx.target.version));
        is_missing(ctx, Class::TextSearchDictionary, schema, name, is_builtin).then(|| path(schema, name))
    });
    if let Some(missing) = missing {
        return Some(ServerError::new(
            "42704",
            format!("text search dictionary \"{missing}\" does not exist"),
        ));
    }
    let known = ctx.states.of::<Mappings>().0.get_mut(&id)?;
    match T::try_from(s.kind).ok()? {
        T::AlterTsconfigAddMapping => {
            if tokens.iter().any(|token| known.contains(*token)) {
                let text = "duplicate key value violates unique constraint \"pg_ts_config_map_index\"";
                return Some(ServerError::new("23505", text));
            }
            known.extend(tokens.iter().map(|token| Box::from(*token)));
        }
        T::AlterTsconfigAlterMappingForToken => known.extend(tokens.iter().map(|token| Box::from(*token))),
        T::AlterTsconfigDropMapping => {
            let missing = tokens.iter().find(|token| !known.contains(**token));
            if let Some(missing) = missing.filter(|_| !s.missing_ok) {
                return Some(ServerError::new(
                    "42704",
                    format!("mapping for token type \"{missing}\" does not exist"),
                ));
            }
            known.retain(|token| !tokens.contains(&&**token));
        }
        _ => {}
    }
    None
}
