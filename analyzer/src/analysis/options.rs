//! Options as a person writes them: rules by id, by name or by family.

use crate::options::{Leave, Level, Options};
use crate::rule::Rule;
use crate::rules;

/// Why a level cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No rule has this id or name, or belongs to this family.
    #[error("there is no rule {0}")]
    UnknownRule(String),
    /// A rule that says so itself: [`Rule::may_be_off`].
    #[error("{0} cannot be off: what it finds must be known")]
    NeverOff(&'static str),
    /// Not of the form that [`Options::leave`] reads.
    #[error("{0} is not of the form RULE, RULE@LINE or RULE@FILE:LINE")]
    NoPlace(String),
}

impl Options {
    /// Says what the findings of a rule (by id or name) or of a family (`HT-*`) count as.
    ///
    /// This changes what is reported, not what is true. A statement that fails goes on to fail as a note: its safe
    /// fixes are applied all the same, and what needs the objects that it would have created is reported. Off is more:
    /// the rule is taken to be wrong for this destination, and its statements are taken to work.
    ///
    /// # Errors
    /// Where there is no such rule, or where it cannot be off. A family's other rules are set then.
    pub fn set_level(&mut self, pattern: &str, level: Level) -> Result<(), LevelError> {
        let found = rules::matching(pattern);
        if found.is_empty() {
            return Err(LevelError::UnknownRule(pattern.to_owned()));
        }
        let mut never = None;
        for rule in found {
            if level == Level::Off && !rule.may_be_off {
                never = Some(rule.id);
            } else {
                self.levels.insert(rule.id, level);
            }
        }
        never.map_or(Ok(()), |id| Err(LevelError::NeverOff(id)))
    }

    /// Leaves what fixes would change as it is: `RULE` (an id or a name) for all of a rule's, `RULE@LINE` for that at a
    /// line, `RULE@FILE:LINE` where several inputs have that line. The statements go on to fail.
    ///
    /// # Errors
    /// Where there is no such rule, or the rest is no place.
    pub fn leave(&mut self, given: &str) -> Result<(), LevelError> {
        let (rule, place) = given.split_once('@').map_or((given, None), |(rule, place)| (rule, Some(place)));
        let rule = rules::rule(rule).ok_or_else(|| LevelError::UnknownRule(rule.to_owned()))?.id;
        let (file, line) = match place.map(|place| place.rsplit_once(':').unwrap_or(("", place))) {
            None => (None, None),
            Some((file, line)) => {
                let line = line.parse().map_err(|_| LevelError::NoPlace(given.to_owned()))?;
                (Some(file.to_owned()).filter(|file| !file.is_empty()), Some(line))
            }
        };
        self.leave.insert(Leave { rule, file, line });
        Ok(())
    }

    /// The rule that this id or name means.
    ///
    /// # Errors
    /// Where there is none.
    pub fn accept(&mut self, given: &str) -> Result<&'static Rule, LevelError> {
        let rule = rules::rule(given).ok_or_else(|| LevelError::UnknownRule(given.to_owned()))?;
        self.accept.insert(rule.id.to_owned());
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_family_sets_all_its_rules_and_a_later_id_one_of_them() {
        let mut options = Options::default();
        options.set_level("tsp-*", Level::Note).unwrap();
        options.set_level("default-tablespace", Level::Off).unwrap();
        assert!(options.is_off("TSP-03") && !options.is_off("TSP-01"));
        assert_eq!(options.severity("TSP-01"), Some(Severity::Note));
        assert_eq!(options.set_level("TSP-99", Level::Off), Err(LevelError::UnknownRule("TSP-99".into())));
        assert_eq!(options.set_level("NO-*", Level::Off), Err(LevelError::UnknownRule("NO-*".into())));
    }

    /// `severity rule solved` of each finding, and the text after the rewrite.
    fn with(level: Option<(&str, Level)>, text: &str) -> (Vec<String>, String) {
        let mut options = Options::default();
        if let Some((pattern, level)) = level {
            options.set_level(pattern, level).unwrap();
        }
        let target = crate::Target::default();
        let input = crate::Input { name: "dump.sql", text: text.as_bytes() };
        let analysis = crate::analyze(&[input], &target, &options).unwrap();
        let findings = analysis.findings.iter();
        let findings =
            findings.map(|f| format!("{} {} {}", f.severity.name(), f.rule.id, f.solved)).collect();
        (findings, String::from_utf8(analysis.rewritten(0, text.as_bytes())).unwrap())
    }

    const DUMP: &str = "CREATE EXTENSION hll;\nCREATE TABLE t (u hll);\n";

    #[test]
    fn what_counts_as_less_fails_all_the_same() {
        let (errors, rewritten) = with(None, DUMP);
        assert_eq!(errors, ["error EXT-01 true", "error DEP-01 false"]);
        let (notes, same) = with(Some(("EXT-01", Level::Note)), DUMP);
        assert_eq!(notes, ["note EXT-01 true", "error DEP-01 false"]);
        assert_eq!(same, rewritten);
    }

    #[test]
    fn what_is_off_is_taken_to_work() {
        assert_eq!(with(Some(("EXT-*", Level::Off)), DUMP), (Vec::new(), DUMP.to_owned()));
    }

    #[test]
    fn what_counts_as_more_is_no_failing_statement() {
        let text = "-- PostgreSQL database dump\n\nCREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n\
                    -- PostgreSQL database dump complete\n";
        assert_eq!(with(None, text).0, ["note IN-04 false"]);
        let (findings, rewritten) = with(Some(("IN-04", Level::Error)), text);
        assert_eq!((findings, rewritten), (vec!["error IN-04 false".to_owned()], text.to_owned()));
    }

    #[test]
    fn a_fix_that_is_left_changes_nothing_there_and_the_statement_fails() {
        let text = "SET default_tablespace = a;\nSET default_tablespace = b;\nCREATE EXTENSION hll;\n";
        let target = crate::Target::default();
        for (leave, solved, rest) in [
            ("TSP-03@2", [true, false, true], "\nSET default_tablespace = b;\n"),
            ("default-tablespace@dump.sql:2", [true, false, true], "\nSET default_tablespace = b;\n"),
            ("TSP-03@other.sql:2", [true, true, true], ""),
            ("EXT-01", [true, true, false], "\nCREATE EXTENSION hll;\n"),
        ] {
            let mut options = Options::default();
            options.leave(leave).unwrap();
            let input = crate::Input { name: "dump.sql", text: text.as_bytes() };
            let analysis = crate::analyze(&[input], &target, &options).unwrap();
            let found: Vec<bool> = analysis.findings.iter().map(|finding| finding.solved).collect();
            assert_eq!(found, solved, "{leave}");
            let rewritten = String::from_utf8(analysis.rewritten(0, text.as_bytes())).unwrap();
            assert!(rewritten.contains(rest), "{leave}: {rewritten}");
        }
        let mut options = Options::default();
        assert_eq!(options.leave("TSP-99"), Err(LevelError::UnknownRule("TSP-99".into())));
        assert_eq!(options.leave("TSP-03@x"), Err(LevelError::NoPlace("TSP-03@x".into())));
    }

    #[test]
    fn a_risk_is_taken_where_it_is_accepted_and_not_left() {
        let text = "SELECT pg_catalog.set_config('search_path', '', false);\n\
                    CREATE SCHEMA app;\n\
                    CREATE FUNCTION app.more(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE \
                    AS $$ BEGIN RETURN twice($1); END $$;\n\
                    CREATE TABLE app.item (id integer);\nCOPY app.item (id) FROM stdin;\n1\n\\.\n\
                    CREATE INDEX a ON app.item (app.more(id));\nCREATE INDEX b ON app.item (app.more(id));\n";
        let severities = |accept: &[&str], leave: &[&str]| -> Vec<Severity> {
            let mut options = Options {
                accept: accept.iter().map(|rule| (*rule).to_owned()).collect(),
                ..Options::default()
            };
            for leave in leave {
                options.leave(leave).unwrap();
            }
            let input = crate::Input { name: "dump.sql", text: text.as_bytes() };
            let analysis = crate::analyze(&[input], &crate::Target::default(), &options).unwrap();
            assert_eq!(analysis.rewritten(0, text.as_bytes()), text.as_bytes(), "it is kept");
            analysis
                .findings
                .iter()
                .filter(|finding| finding.rule.id == "FN-04")
                .map(|finding| finding.severity)
                .collect()
        };
        let (open, taken) = (Severity::Error, Severity::Warning);
        assert_eq!(severities(&[], &[]), [open, open]);
        assert_eq!(severities(&["FN-04"], &[]), [taken, taken]);
        assert_eq!(severities(&["FN-04"], &["FN-04@9"]), [taken, open]);
    }

    #[test]
    fn what_must_be_known_cannot_be_off() {
        let mut options = Options::default();
        assert_eq!(options.set_level("IN-10", Level::Off), Err(LevelError::NeverOff("IN-10")));
        assert_eq!(options.set_level("DB-*", Level::Off), Err(LevelError::NeverOff("DB-02")));
        assert!(options.is_off("DB-01") && !options.is_off("DB-02"));
        options.set_level("IN-10", Level::Note).unwrap();
    }
}
