//! The registry: rules by id, by name and by what they look at.

use super::{About, Cause, InBodies, Piece, Rule, Subject};
use crate::facts::Absence;
use crate::parse::StatementKind;

/// The pieces, each at the place of its number.
const PIECES: [Piece; 7] =
    [Piece::Unparsed, Piece::Meta, Piece::Noise, Piece::Row, Piece::Server, Piece::End, Piece::Unmoved];

/// All rules, and who looks at what.
#[derive(Debug)]
pub struct Registry {
    /// In the order in which they run, those about a live server at the end.
    rules: Vec<&'static Rule>,
    /// By the number of the statement's kind.
    of_statements: Vec<Vec<&'static Rule>>,
    /// Those of them whose answer holds in bodies too.
    in_bodies: Vec<Vec<&'static Rule>>,
    /// By the number of the piece.
    of_pieces: [Vec<&'static Rule>; PIECES.len()],
}

impl Registry {
    /// A registry of the rules of these families. Rules run in this order.
    #[must_use]
    pub fn new(families: &[&[&'static Rule]]) -> Self {
        let is_live = |rule: &Rule| matches!(rule.about, About::Server | About::Move);
        let all = || families.iter().flat_map(|rules| rules.iter().copied());
        let rules: Vec<_> =
            all().filter(|rule| !is_live(rule)).chain(all().filter(|rule| is_live(rule))).collect();
        let mut of_statements = vec![Vec::new(); StatementKind::ALL.len()];
        let mut in_bodies = of_statements.clone();
        for rule in &rules {
            for kind in rule.statements.iter().chain(rule.statement_groups.iter().copied().flatten()) {
                let holds_in_bodies = match rule.in_bodies {
                    InBodies::No => false,
                    InBodies::Yes { queries, .. } => queries || *kind != StatementKind::SelectStmt,
                };
                add(&mut of_statements, *kind, rule);
                if holds_in_bodies {
                    add(&mut in_bodies, *kind, rule);
                }
            }
        }
        Self {
            of_statements,
            in_bodies,
            of_pieces: PIECES
                .map(|piece| rules.iter().copied().filter(|rule| rule.pieces.contains(&piece)).collect()),
            rules,
        }
    }

    /// All rules, those about a live server at the end.
    #[must_use]
    pub fn rules(&self) -> &[&'static Rule] {
        &self.rules
    }

    /// The rules that look at this piece, in the order in which they run.
    #[must_use]
    pub fn looking_at(&self, subject: &Subject<'_>) -> &[&'static Rule] {
        let piece = match subject {
            Subject::Statement(statement) => return of_kind(&self.of_statements, statement.kind()),
            Subject::Unparsed { .. } => Piece::Unparsed,
            Subject::Meta { .. } => Piece::Meta,
            Subject::Noise { .. } => Piece::Noise,
            Subject::Row(_) => Piece::Row,
            Subject::Server { .. } => Piece::Server,
            Subject::End { .. } => Piece::End,
            Subject::Unmoved(_) => Piece::Unmoved,
        };
        self.of_pieces.get(piece as usize).map_or(&[], Vec::as_slice)
    }

    /// The rules whose answer about statements of this kind holds in the body of a function too.
    #[must_use]
    pub fn in_bodies(&self, kind: StatementKind) -> &[&'static Rule] {
        of_kind(&self.in_bodies, kind)
    }

    /// The rule with this id or name, in any case.
    #[must_use]
    pub fn rule(&self, word: &str) -> Option<&'static Rule> {
        self.rules.iter().copied().find(|rule| rule.is_called(word))
    }

    /// The rules that these words mean: an id or a name, or a family such as `HT-*`; in any case.
    #[must_use]
    pub fn matching(&self, pattern: &str) -> Vec<&'static Rule> {
        let Some(family) = pattern.strip_suffix('*') else { return self.rule(pattern).into_iter().collect() };
        let belongs = |rule: &&Rule| {
            rule.id.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
        };
        // `T*` would be no family, and `*` is more than anybody means.
        if family.ends_with('-') { self.rules.iter().copied().filter(belongs).collect() } else { Vec::new() }
    }

    /// Why the object of an absence is missing, for the findings that follow from it.
    pub(crate) fn cause(&self, absence: &Absence) -> Option<Cause> {
        Some(Cause { rule: self.rule(absence.rule)?, object: absence.root.clone(), place: absence.place })
    }

    /// The id of the rule whose id or name is most like this word, where one is alike at all.
    #[must_use]
    pub fn nearest(&self, word: &str) -> Option<&'static str> {
        let word = word.to_ascii_lowercase();
        self.rules
            .iter()
            .flat_map(|rule| rule.names().map(|name| (name, rule.id)))
            .map(|(name, id)| {
                (strsim::damerau_levenshtein(&word, &name.to_ascii_lowercase()), name.len(), id)
            })
            .filter(|(distance, length, _)| distance * 2 <= *length)
            .min_by_key(|(distance, ..)| *distance)
            .map(|(.., id)| id)
    }
}

/// Adds a rule to those of a kind, once.
fn add(lists: &mut [Vec<&'static Rule>], kind: StatementKind, rule: &'static Rule) {
    if let Some(list) = lists.get_mut(kind as usize)
        && list.last() != Some(&rule)
    {
        list.push(rule);
    }
}

fn of_kind<'r>(rules: &'r [Vec<&'static Rule>], kind: StatementKind) -> &'r [&'static Rule] {
    rules.get(kind as usize).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_stands_at_the_place_of_its_number() {
        assert!(PIECES.iter().enumerate().all(|(place, piece)| *piece as usize == place));
    }

    const OLD: Rule = Rule {
        id: "AB-01",
        name: "new-name",
        aliases: &["old-name"],
        statements: &[StatementKind::CopyStmt],
        ..Rule::DEFAULT
    };
    const LIVE: Rule =
        Rule { id: "AB-02", name: "server", pieces: &[Piece::Server], about: About::Server, ..Rule::DEFAULT };
    const QUERY: Rule = Rule {
        id: "CD-01",
        name: "query",
        statements: &[StatementKind::SelectStmt, StatementKind::CopyStmt],
        in_bodies: InBodies::Yes { queries: false, by_name: false },
        ..Rule::DEFAULT
    };

    fn ids(rules: &[&'static Rule]) -> Vec<&'static str> {
        rules.iter().map(|rule| rule.id).collect()
    }

    #[test]
    fn rules_are_found_by_what_they_look_at() {
        let registry = Registry::new(&[&[&LIVE, &OLD], &[&QUERY]]);
        assert_eq!(ids(registry.rules()), ["AB-01", "CD-01", "AB-02"]);
        assert_eq!(ids(of_kind(&registry.of_statements, StatementKind::CopyStmt)), ["AB-01", "CD-01"]);
        assert_eq!(ids(registry.in_bodies(StatementKind::CopyStmt)), ["CD-01"]);
        assert!(registry.in_bodies(StatementKind::SelectStmt).is_empty());
    }

    #[test]
    fn a_name_of_before_still_means_the_rule() {
        let registry = Registry::new(&[&[&OLD]]);
        assert_eq!(registry.rule("Old-Name").map(|rule| rule.id), Some("AB-01"));
        assert_eq!(ids(&registry.matching("old-name")), ["AB-01"]);
        assert_eq!(registry.nearest("old-nam"), Some("AB-01"));
    }
}
