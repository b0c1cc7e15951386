//! SU-12: a text search dictionary with files of its own.

use crate::edit::Safety;
use crate::facts::names::{option, option_text, options};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::value;

pub(crate) const RULE: Rule = Rule {
    id: "SU-12",
    name: "dictionary-file",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("ts.dict-file", "Dictionaries that read files of the server."),
    statements: &[StatementKind::DefineStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE TEXT SEARCH DICTIONARY that reads a file of the source's server.",
        what: "Dictionaries of the templates ispell, thesaurus, synonym, and others with stop words, read files \
               from the server's folder tsearch_data. PostgreSQL brings stop words of its languages and a few \
               samples; all else was put there by hand.",
        why: "Files cannot be put on the service's disk.",
        server: &[
            "F0000 could not open dictionary file \"…/xx.dict\": No such file or directory",
            "F0000 could not open affix file \"…/xx.affix\": No such file or directory",
            "F0000 could not open stop-word file \"…/xx.stop\": No such file or directory",
            "F0000 could not open synonym file \"…/xx.syn\": No such file or directory",
            "F0000 could not open thesaurus file \"…/xx.ths\": No such file or directory",
        ],
        help: "Use a snowball dictionary of the language, or keep synonyms in a table and expand them in the \
               query. To leave it out with the configurations that use it: --accept SU-12.",
        before: "CREATE TEXT SEARCH DICTIONARY public.czech (\n    TEMPLATE = pg_catalog.ispell,\n    dictfile = 'czech', afffile = 'czech', stopwords = 'czech' );",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/tsearch/spell.c, NIImportDictionary; ts_utils.c, readstoplist; dict_synonym.c; \
                   dict_thesaurus.c",
            "PostgreSQL src/backend/snowball/stopwords and src/backend/tsearch: the files it installs",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Stop words that PostgreSQL installs, without their ending.
const STOP_WORDS: &[&str] = &[
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "nepali",
    "norwegian",
    "portuguese",
    "russian",
    "spanish",
    "swedish",
    "turkish",
];

/// Other files that it and its extensions install, without their endings.
const SAMPLES: &[&str] = &[
    "hunspell_sample",
    "hunspell_sample_long",
    "hunspell_sample_num",
    "ispell_sample",
    "synonym_sample",
    "thesaurus_sample",
    "unaccent",
    "xsyn_sample",
];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::DefineStmt(s) = node else { return };
    if s.kind != pg::ObjectType::ObjectTsdictionary as i32 {
        return;
    }
    let template = option(&s.definition, "template").and_then(option_text).unwrap_or("");
    let file = options(&s.definition).find_map(|option| {
        let (what, ending, known) = match (template, option.defname.to_ascii_lowercase().as_str()) {
            (_, "stopwords") => ("stop-word file", "stop", STOP_WORDS),
            ("ispell", "dictfile") => ("dictionary file", "dict", SAMPLES),
            ("ispell", "afffile") => ("affix file", "affix", SAMPLES),
            ("synonym", "synonyms") => ("synonym file", "syn", SAMPLES),
            ("thesaurus", "dictfile") => ("thesaurus file", "ths", SAMPLES),
            ("unaccent_template" | "unaccent", "rules") => ("unaccent rule file", "rules", SAMPLES),
            _ => return None,
        };
        let name = option_text(option)?;
        (!known.contains(&name)).then(|| (what, format!("{name}.{ending}"), value(statement, option)))
    });
    let Some((what, name, range)) = file else { return };
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let error = format!("could not open {what} \"…/tsearch_data/{name}\": No such file or directory");
    let mut draft = Draft::new(format!("{words} reads {what} {name}, which is not on the target's disk"))
        .object(words.clone())
        .server(ServerError::new("F0000", error))
        .fix(FixDraft::remove("its files cannot be put on the target").review().lost(words));
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
