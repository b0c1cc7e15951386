//! What findings say will be different of an object that arrives: which part of it, and by which rule.

use super::identity;
use super::result::Difference;

/// The reason of tables whose rows were not wanted: no rule.
pub(super) const STAYED: &str = "its rows stayed behind";

/// One of them.
pub(super) struct Change {
    /// The object in the rule's words, behind what of it is changed: `setting work_mem of function public.f`.
    words: String,
    /// The rule that changes it.
    rule: String,
}

impl Change {
    /// `words` with names as the server writes them.
    pub(super) fn new(words: &str, rule: &str) -> Self {
        // A reason may follow: `access method m of table t: it is a heap table`.
        Self { words: identity::before(words, ": ").to_owned(), rule: rule.to_owned() }
    }

    /// What of the object of this name is changed, in the rule's words; empty where they name the object alone. None where they are
    /// about another object: the trigger on a table is not the table.
    fn part_of(&self, name: &str) -> Option<&str> {
        let before = self.words.strip_suffix(name)?;
        if before.is_empty() {
            return Some("");
        }
        let before = before.strip_suffix(' ')?;
        // Behind the words for its kind: `setting work_mem of` is left of `setting work_mem of function`.
        let mut part = before;
        while let Some((rest, word)) =
            part.rsplit_once(' ').or_else(|| (!part.is_empty()).then_some(("", part)))
        {
            if !is_word_of_kind(word) {
                break;
            }
            part = rest;
        }
        if part.is_empty() {
            return Some("");
        }
        let is_its_own = part.len() < before.len();
        PREPOSITIONS.iter().find_map(|of| part.strip_suffix(of)).filter(|_| is_its_own)
    }

    /// The rule, where it says that this is different of that object.
    fn explains(&self, name: &str, of: &str, difference: &Difference) -> Option<&str> {
        let part = self.part_of(name)?;
        let is_named = |words: &[&str]| words.iter().any(|word| part.contains(word));
        let by = |rules: &[&str]| part.is_empty() && rules.iter().any(|rule| self.rule.starts_with(rule));
        let explained = match of {
            "owner" => is_named(&["owner"]),
            "privileges" => is_named(&["privileges", "REVOKE", "MAINTAIN"]) || by(&["IN-06"]),
            "comment" => is_named(&["comment"]),
            // A rule that knows the role itself may leave it as it is.
            _ if difference.kind.starts_with("role ") => is_named(&[&of.to_uppercase()]) || by(&["ROLE-01"]),
            _ if difference.kind == "sequence value" => by(&[STAYED]),
            "populated" => is_named(&[of]) || by(&[STAYED]),
            "enabled" => is_named(&["state"]),
            "options" => is_named(&["parameter", "option"]) || by(&["IN-"]),
            // It takes options of columns away, and nothing else.
            _ if by(&["IN-15"]) => false,
            "access method" => is_named(&["access method"]),
            "row security" | "replica identity" | "persistence" | "statistics target" => is_named(&[of]),
            _ if part.starts_with("setting ") => false,
            _ => true,
        };
        explained.then_some(self.rule.as_str())
    }

    /// The parameter that the object loses, where that is what is changed.
    fn setting_of(&self, name: &str) -> Option<&str> {
        self.part_of(name)?.strip_prefix("setting ")
    }
}

/// The rule that says why this is different of an object that both servers have.
pub(super) fn reason(changes: &[Change], difference: &Difference, object: &str) -> Option<String> {
    let of = part(&difference.kind);
    // `of function public.f`, `on view public.v`
    let whose = object.strip_prefix("of ").filter(|_| matches!(of, "owner" | "privileges"));
    let whose = whose.or_else(|| object.strip_prefix("on ").filter(|_| of == "comment"));
    let name = whose.map_or(object, without_kind);
    let found = changes.iter().find_map(|change| change.explains(name, of, difference));
    let lost = || settings_alone(changes, difference, name);
    found.or_else(lost).map(str::to_owned)
}

/// What is compared of an object: `definition` of `function definition`, where one word or two are left of a kind.
fn part(kind: &str) -> &str {
    const PARTS: [&str; 6] = [
        "access method",
        "row security",
        "replica identity",
        "statistics target",
        "connection limit",
        "valid until",
    ];
    let two = PARTS.into_iter().find(|part| kind.ends_with(part));
    two.unwrap_or_else(|| kind.rsplit_once(' ').map_or(kind, |(_, part)| part))
}

/// The name behind the words for a kind.
fn without_kind(object: &str) -> &str {
    let mut name = object;
    while let Some((_, rest)) = name.split_once(' ').filter(|(word, _)| is_word_of_kind(word)) {
        name = rest;
    }
    name
}

/// A definition that differs in nothing but settings that are lost: the rule of the first.
fn settings_alone<'a>(changes: &'a [Change], difference: &Difference, name: &str) -> Option<&'a str> {
    let lost: Vec<(&str, &Change)> =
        changes.iter().filter_map(|change| Some((change.setting_of(name)?, change))).collect();
    let (_, first) = lost.first()?;
    let is_lost = |line: &str| {
        let of = line.trim_start().strip_prefix("SET ").and_then(|of| of.split_once(" TO "));
        // The server quotes a name with a point in it.
        of.is_some_and(|(name, _)| lost.iter().any(|(parameter, _)| *parameter == name.trim_matches('"')))
    };
    let kept = |text: &Option<String>| -> Vec<String> {
        let lines = text.iter().flat_map(|text| text.lines());
        lines.filter(|line| !is_lost(line)).map(str::to_owned).collect()
    };
    (kept(&difference.expected) == kept(&difference.found)).then_some(first.rule.as_str())
}

/// The end of what of an object is changed.
const PREPOSITIONS: [&str; 3] = [" of", " on", " in"];

/// One of the words for a kind of object: `materialized view`.
pub(super) fn is_word_of_kind(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && !["on", "of", "for", "in"].contains(&word)
}
