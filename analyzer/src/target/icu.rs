//! The ICU collation that takes the place of a locale of the C library.

use std::collections::BTreeSet;

const COLLATIONS: &str = include_str!("icu_collations.txt");

/// Names of languages and countries in locales of Windows, in the order of their use (setlocale of the C runtime).
const WINDOWS: [(&str, &str); 16] = [
    ("English_United States", "en-US"),
    ("English_United Kingdom", "en-GB"),
    ("German_Germany", "de-DE"),
    ("German_Austria", "de-AT"),
    ("French_France", "fr-FR"),
    ("Spanish_Spain", "es-ES"),
    ("Spanish_Mexico", "es-MX"),
    ("Italian_Italy", "it-IT"),
    ("Portuguese_Brazil", "pt-BR"),
    ("Portuguese_Portugal", "pt-PT"),
    ("Russian_Russia", "ru-RU"),
    ("Polish_Poland", "pl-PL"),
    ("Dutch_Netherlands", "nl-NL"),
    ("Turkish_Turkey", "tr-TR"),
    ("Japanese_Japan", "ja-JP"),
    ("Korean_Korea", "ko-KR"),
];

/// Languages that ICU names otherwise (CLDR, languageAlias).
const RENAMED: [(&str, &str); 6] =
    [("no", "nb"), ("iw", "he"), ("in", "id"), ("tl", "fil"), ("mo", "ro"), ("sh", "sr-Latn")];

/// The script of a language, where ICU has several, by language and region (CLDR, likelySubtags); `*` is any region.
const SCRIPTS: [(&str, &str, &str); 16] = [
    ("zh", "TW", "Hant"),
    ("zh", "HK", "Hant"),
    ("zh", "MO", "Hant"),
    ("zh", "*", "Hans"),
    ("yue", "CN", "Hans"),
    ("yue", "*", "Hant"),
    ("sr", "*", "Cyrl"),
    ("uz", "AF", "Arab"),
    ("uz", "*", "Latn"),
    ("pa", "PK", "Arab"),
    ("pa", "*", "Guru"),
    ("az", "*", "Latn"),
    ("bs", "*", "Latn"),
    ("ks", "*", "Arab"),
    ("sd", "IN", "Deva"),
    ("sd", "*", "Arab"),
];

/// The predefined ICU collation that sorts as this locale of libc does, as `de-DE` of `de_DE.utf8@euro`; `None` for C and
/// its like, and for what no locale's name is. A region that ICU does not have is left out: `de-ZZ` is `de`.
#[must_use]
pub fn icu_of_locale(locale: &str) -> Option<String> {
    // A name of another ICU, or of one without its end: `zh-CN-x-icu`, `en-US`.
    let name = locale.strip_suffix("-x-icu").or((!locale.contains(['_', '.'])).then_some(locale));
    let spelt = name.map(|name| name.replace('-', "_"));
    let locale = spelt.as_deref().unwrap_or(locale);
    let name = locale.split(['.', '@']).next()?;
    if let Some((_, icu)) = WINDOWS.iter().find(|(windows, _)| *windows == name) {
        return Some((*icu).to_owned());
    }
    let (language, region) = language_and_region(locale)?;
    let modifier = locale.split_once('@').map_or("", |(_, modifier)| modifier);
    let language = RENAMED.iter().find(|(old, _)| *old == language).map_or(language, |(_, new)| *new);
    let script = match modifier.to_ascii_lowercase().as_str() {
        "latin" => "Latn",
        "cyrillic" => "Cyrl",
        "devanagari" => "Deva",
        _ => SCRIPTS
            .iter()
            .find(|(of, place, _)| *of == language && (*place == region || *place == "*"))
            .map_or("", |(.., script)| *script),
    };
    let with = |parts: &[&str]| {
        let name = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("-");
        is_icu_collation(&name).then_some(name)
    };
    with(&[language, script, region])
        .or_else(|| with(&[language, region]))
        .or_else(|| with(&[language, script]))
        .or_else(|| with(&[language]))
}

/// Language and region of a locale of libc: `de` and `DE` of `de_DE.utf8@euro`. `None` for C and its like.
fn language_and_region(locale: &str) -> Option<(&str, &str)> {
    let name = locale.split(['.', '@']).next()?;
    let (language, region) = name.split_once('_').unwrap_or((name, ""));
    let is_language = (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase());
    let is_region = region.is_empty() || region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase());
    (is_language && is_region).then_some((language, region))
}

/// True for a name that a collation of a system's locale may have: `de_DE.utf8`, `English_United States.1252`.
#[must_use]
pub fn is_locale(name: &str) -> bool {
    let is_page = |page: &str| !page.is_empty() && page.bytes().all(|b| b.is_ascii_digit());
    let of_windows = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.rsplit_once('.').is_some_and(|(_, page)| is_page(page));
    of_windows || name.contains(['_', '.']) && language_and_region(name).is_some()
}

/// Collations of PostgreSQL itself with the version that brought them.
const OWN: [(&str, u32); 7] = [
    ("C", 0),
    ("POSIX", 0),
    ("default", 0),
    ("pg_c_utf8", 17),
    ("pg_unicode_fast", 18),
    ("ucs_basic", 0),
    ("unicode", 16),
];

/// True where `pg_catalog` may have a collation of this name in this version, on a system with these locales: initdb takes
/// over their names as `locale -a` of the GNU C library prints them, which never writes `UTF-8`.
#[must_use]
pub fn may_be_collation(name: &str, version: u32, locales: &BTreeSet<String>) -> bool {
    OWN.iter().any(|(own, since)| *own == name && *since <= version)
        || name.strip_suffix("-x-icu").is_some_and(|name| !is_no_icu_collation(name))
        || locales.contains(name) && !name.contains("UTF-8")
}

/// True where a version is too old for a collation of PostgreSQL itself.
#[must_use]
pub fn is_newer_collation(name: &str, version: u32) -> bool {
    OWN.iter().any(|(own, since)| *own == name && *since > version)
}

/// True where every version from 15 to 18 has this ICU collation; the name is without `-x-icu`.
fn is_icu_collation(name: &str) -> bool {
    section(0).any(|one| one == name)
}

/// True where no version has this ICU collation; the name is without `-x-icu`.
#[must_use]
pub fn is_no_icu_collation(name: &str) -> bool {
    !section(0).chain(section(1)).any(|one| one == name)
}

/// The names of a section of the file: each begins with a comment.
fn section(index: usize) -> impl Iterator<Item = &'static str> {
    let lines = COLLATIONS.lines().scan(0_usize, |sections, line| {
        let begins = line.starts_with('#');
        *sections += usize::from(begins);
        Some((*sections, begins, line))
    });
    lines.filter(move |(at, begins, _)| !begins && *at == index + 1).flat_map(|(.., line)| line.split(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_of_libc_has_a_collation_that_icu_has() {
        for (locale, name) in [
            ("de_DE.utf8@euro", Some("de-DE")),
            ("en_US", Some("en-US")),
            ("zh_CN.utf8", Some("zh-Hans-CN")),
            ("zh_TW.utf8", Some("zh-Hant-TW")),
            ("no_NO.utf8", Some("nb-NO")),
            ("nn_NO", Some("nn-NO")),
            ("sr_RS.utf8@latin", Some("sr-Latn-RS")),
            ("sr_RS", Some("sr-Cyrl-RS")),
            ("uz_UZ", Some("uz-Latn-UZ")),
            ("pa_IN", Some("pa-Guru-IN")),
            ("iw_IL", Some("he-IL")),
            ("de_ZZ", Some("de")),
            ("fr", Some("fr")),
            ("C", None),
            ("POSIX", None),
            ("xx_YY", None),
            ("zh-CN-x-icu", Some("zh-Hans-CN")),
            ("en-US", Some("en-US")),
            ("en-us", None),
            ("utf8_general_ci", None),
            ("English_United States.1252", Some("en-US")),
            ("Welsh_United Kingdom.1252", None),
        ] {
            assert_eq!(icu_of_locale(locale).as_deref(), name, "{locale}");
        }
    }
}
