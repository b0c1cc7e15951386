//! What every PostgreSQL server has in pg_catalog, by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Names;
use super::names::shortened;
use crate::parse::Class;

// Read on 2026-11-22 from pg_proc, pg_type, pg_class and pg_operator (schema pg_catalog, OIDs below 16384) of
// PostgreSQL 15.18, 17.11 and 18.6: the union of their names. Types are without row types and array types,
// relations are tables and views. Operator classes (with families) and operators with their operand types are
// those of 15.20, 17.12 and 18.6. Functions are those that internal_functions.txt does not have. Functions, operator
// classes and operators with types are shortened.
const BUILTIN: &str = include_str!("builtin.json");
const INTERNAL: &str = include_str!("internal_functions.txt");

#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct File {
    #[serde(deserialize_with = "shortened")]
    functions: Names,
    variadic_functions: Names,
    types: Names,
    relations: Names,
    operators: Names,
    information_schema: Names,
    #[serde(deserialize_with = "shortened")]
    operator_classes: Names,
    #[serde(deserialize_with = "shortened")]
    operator_signatures: Names,
}

// A test reads the built-in file; without it names of pg_catalog are taken for others' names.
static ALL: LazyLock<File> = LazyLock::new(|| serde_json::from_str(BUILTIN).unwrap_or_default());

/// The functions of pg_catalog that are in language internal with a plain signature: the name inside of the server, the SQL
/// name, the types of the arguments and of the result.
fn internal_functions() -> impl Iterator<Item = [&'static str; 4]> {
    INTERNAL.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split(' ');
        let (inside, name) = (words.next()?, words.next()?);
        Some([inside, if name == "=" { inside } else { name }, words.next()?, words.next()?])
    })
}

/// Those functions by their SQL name: the types of the arguments, and of the result.
static INTERNAL_BY_NAME: LazyLock<HashMap<&'static str, Vec<[&'static str; 2]>>> = LazyLock::new(|| {
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for [_, name, arguments, result] in internal_functions() {
        all.entry(name).or_default().push([arguments, result]);
    }
    all
});

/// The functions of this SQL name among those.
fn internal_named(name: &str) -> &'static [[&'static str; 2]] {
    INTERNAL_BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// True where pg_catalog has an object of this class and name: it comes before all others that an
/// unqualified name could mean.
#[must_use]
pub fn is_builtin(class: Class, name: &str) -> bool {
    match class {
        Class::Function => ALL.functions.contains(name) || !internal_named(name).is_empty(),
        Class::Type => ALL.types.contains(name),
        Class::Relation => ALL.relations.contains(name),
        Class::Operator => ALL.operators.contains(name),
        Class::AccessMethod => matches!(name, "heap" | "btree" | "hash" | "gist" | "gin" | "spgist" | "brin"),
        Class::Language => matches!(name, "sql" | "c" | "internal" | "plpgsql"),
        _ => false,
    }
}

/// True for a collation or an object of text search that pg_catalog may have: which ones depends on the server's libraries.
#[must_use]
pub fn may_be_in_catalog(class: Class, name: &str) -> bool {
    let is_locale = || {
        let (language, rest) = name.split_once('_').unwrap_or((name, ""));
        language.len() <= 3 && rest.starts_with(|c: char| c.is_ascii_uppercase())
    };
    match class {
        Class::Collation => {
            matches!(
                name,
                "default" | "ucs_basic" | "unicode" | "pg_c_utf8" | "pg_unicode_fast" | "C" | "POSIX"
            ) || name.ends_with("-x-icu")
                || name.starts_with("C.")
                || is_locale()
        }
        Class::TextSearchDictionary => name == "simple" || name.ends_with("_stem"),
        Class::TextSearchTemplate => is_builtin_template(name),
        Class::TextSearchParser => name == "default",
        Class::TextSearchConfiguration => name == "simple" || STEMMED.contains(&name),
        _ => false,
    }
}

/// Languages that have a configuration in some version.
const STEMMED: [&str; 30] = [
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "polish",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
];

/// True where this version has a stemmer, a dictionary and a configuration for the language. Asked of 15.18, 17.12 and 18.6.
#[must_use]
pub fn has_stemmer(language: &str, version: u32) -> bool {
    let since = match language {
        "estonian" => 18,
        "polish" => 19,
        _ => 0,
    };
    STEMMED.contains(&language) && version >= since
}

/// True for a text search template of pg_catalog's.
#[must_use]
pub fn is_builtin_template(name: &str) -> bool {
    matches!(name, "simple" | "synonym" | "ispell" | "thesaurus" | "snowball")
}

/// True where pg_catalog has an operator class or family of this name, for one access method or another.
#[must_use]
pub fn is_builtin_operator_class(name: &str) -> bool {
    ALL.operator_classes.contains(name)
}

/// True where pg_catalog has this operator for these types, by their names in pg_type; `left` is empty for a prefix
/// operator.
#[must_use]
pub fn is_builtin_operator(name: &str, left: &str, right: &str) -> bool {
    ALL.operator_signatures.contains(format!("{name}({left},{right})").as_str())
}

/// True where every server has a table, view, domain or function of this name in information_schema.
#[must_use]
pub fn is_in_information_schema(name: &str) -> bool {
    ALL.information_schema.contains(name)
}

/// True where pg_catalog has a function of this name that takes any number of arguments.
#[must_use]
pub fn is_variadic_builtin(name: &str) -> bool {
    ALL.variadic_functions.contains(name)
}

/// True where pg_catalog may have a function of this name with these arguments (types as pg_type names them, with commas
/// between): the arguments are not known of all functions.
#[must_use]
pub fn may_be_builtin_call(name: &str, arguments: &str) -> bool {
    let arguments = if arguments.is_empty() { "-" } else { arguments };
    ALL.functions.contains(name) || internal_named(name).iter().any(|[types, _]| *types == arguments)
}

/// The type of what a function of pg_catalog gives for arguments of these types, by their names in `pg_type`; an argument
/// without one is a constant. `None` where it is not one certain function.
#[must_use]
pub fn result_of_call(name: &str, arguments: &[Option<&str>]) -> Option<&'static str> {
    if arguments.iter().all(Option::is_none) {
        return None;
    }
    let fits = |types: &str| {
        let types: Vec<&str> = types.split(',').collect();
        types.len() == arguments.len()
            && types.iter().zip(arguments).all(|(own, given)| {
                given.is_none_or(|given| given == *own || given == "varchar" && *own == "text")
            })
    };
    let mut found = internal_named(name).iter().filter(|[types, _]| fits(types));
    let [_, result] = found.next()?;
    found.all(|[_, other]| other == result).then_some(*result)
}

/// The SQL name of the function of pg_catalog that is this function inside the server, with these types of arguments
/// and of the result (as pg_type names them, arrays with `_`), in every version from 15 to 18.
#[must_use]
pub fn builtin_of_internal(inside: &str, arguments: &[String], result: &str) -> Option<&'static str> {
    let arguments = if arguments.is_empty() { "-".to_owned() } else { arguments.join(",") };
    let line = format!("\n{inside} ");
    memchr::memmem::find_iter(INTERNAL.as_bytes(), line.as_bytes()).find_map(|at| {
        let mut words = INTERNAL.get(at + 1..)?.lines().next()?.split(' ');
        let (own, name) = (words.next()?, words.next()?);
        let fits = words.next() == Some(&*arguments) && words.next() == Some(result);
        fits.then_some(if name == "=" { own } else { name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pg_catalog_are_known() {
        assert!(is_builtin(Class::Function, "lower") && is_builtin(Class::Type, "int4"));
        assert!(is_builtin(Class::Relation, "pg_class") && is_builtin(Class::Operator, "="));
        assert!(!is_builtin(Class::Function, "time_bucket"));
        assert!(is_variadic_builtin("concat") && !is_variadic_builtin("lower"));
    }

    #[test]
    fn functions_inside_the_server_are_known_by_their_signature() {
        let of = |inside, arguments: &[&str], result| {
            let arguments: Vec<String> = arguments.iter().map(|name| (*name).to_owned()).collect();
            builtin_of_internal(inside, &arguments, result)
        };
        assert_eq!(of("dsin", &["float8"], "float8"), Some("sin"));
        assert_eq!(of("textlen", &["text"], "int4"), Some("char_length"));
        assert_eq!(of("bitcmp", &["varbit", "varbit"], "int4"), Some("varbitcmp"));
        assert_eq!(of("dsin", &["int4"], "float8"), None);
        assert_eq!(of("now", &[], "timestamptz"), Some("now"));
    }
}
