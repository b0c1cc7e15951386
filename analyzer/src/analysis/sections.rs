//! Database sections of a cluster dump: one database fits the target, and the sections of others are left out.

use super::result::LeftOutSection;
use super::state::{DatabaseSection, Pass, UndecidedSection};
use crate::facts::names::set_config;
use crate::facts::objects;
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::{Draft, Subject};
use crate::rules;
use crate::target::is_builtin;

impl Pass<'_> {
    /// True inside the section of a database that is left out.
    pub(super) fn is_left_out(&self) -> bool {
        matches!(self.section, DatabaseSection::LeftOut { .. })
    }

    /// A `\connect` to a database begins its section.
    pub(super) fn begin_section(&mut self, database: &str, place: Place) {
        if self.options.moved.contains(database) {
            self.section = DatabaseSection::Kept;
            return;
        }
        let section = LeftOutSection { input: place.input, span: place.span, database: database.to_owned() };
        self.section = match &self.analysis.facts.kept_database {
            Some(kept) if **kept == *database => DatabaseSection::Kept,
            Some(_) => {
                let index = self.analysis.left_out.len();
                self.analysis.left_out.push(section);
                DatabaseSection::LeftOut { index, reported: false }
            }
            None => DatabaseSection::Undecided(Box::new(UndecidedSection {
                section,
                facts: self.analysis.facts.clone(),
                states: self.states.clone(),
                undo: self.undo.clone(),
                findings: self.analysis.findings.len(),
                allowances: self.allowances.count(),
                place: None,
            })),
        };
    }

    /// A section that ends without an object of its own is left out: what it changed is undone.
    pub(super) fn end_section(&mut self) {
        let DatabaseSection::Undecided(undecided) =
            std::mem::replace(&mut self.section, DatabaseSection::Kept)
        else {
            return;
        };
        let UndecidedSection { section, facts, states, undo, findings, allowances, place } = *undecided;
        let old = std::mem::replace(&mut self.analysis.facts, facts);
        // Marks of a begin and an end count wherever they stand, and a database was named.
        self.analysis.facts.headers = old.headers;
        self.analysis.facts.databases = old.databases;
        self.states = states;
        self.undo = undo;
        let dropped = self.analysis.findings.split_off(findings.min(self.analysis.findings.len()));
        // What the parser does not take may be anything: it does not vanish with the section.
        let unparsed = &rules::input::in_10_syntax_error::RULE;
        self.analysis.findings.extend(dropped.into_iter().filter(|finding| finding.rule == unparsed));
        self.allowances.forget(allowances);
        if let Some(place) = place {
            let draft = rules::database::db_02_multiple_databases::empty(&section.database);
            self.report_section(Subject::End { place }, draft);
        }
        self.analysis.left_out.push(section);
    }

    /// A `\connect` at this place: true where it begins a section. pg_dump connects again after it has set the
    /// properties of the database, and that is the same section.
    pub(super) fn begins_section(&self, database: &str) -> bool {
        database != "-"
            && !matches!(&self.section, DatabaseSection::Undecided(u) if u.section.database == database)
    }

    /// A piece of the section has gone by.
    pub(super) fn extend_section(&mut self, end: u64) {
        match &mut self.section {
            DatabaseSection::Kept => {}
            DatabaseSection::Undecided(undecided) => undecided.section.span.end = end,
            DatabaseSection::LeftOut { index, .. } => {
                if let Some(left_out) = self.analysis.left_out.get_mut(*index) {
                    left_out.span.end = end;
                }
            }
        }
    }

    fn report_section(&mut self, subject: Subject<'_>, draft: Draft) {
        self.context(&rules::database::db_02_multiple_databases::RULE, subject, |context| {
            context.report(draft);
        });
    }

    /// True where the current database belongs to the source's service: the rows of an extension there (cron.job) are no data
    /// of the user's.
    fn is_of_service(&self) -> bool {
        matches!(self.analysis.facts.current_database.as_deref(), Some("postgres" | "template1"))
    }

    /// True where a statement that does not parse belongs to a database that is left out. What it would do is not known, so
    /// that its database is one to keep.
    pub(super) fn unparsed_of_other_database(&mut self, place: Place) -> bool {
        let is_of_service = self.is_of_service();
        match &mut self.section {
            DatabaseSection::Kept => false,
            DatabaseSection::Undecided(undecided) => {
                if is_of_service {
                    undecided.place.get_or_insert(place);
                } else {
                    self.keep_section();
                }
                false
            }
            DatabaseSection::LeftOut { .. } => {
                self.report_left_out(Subject::End { place });
                true
            }
        }
    }

    /// The section is that of the database to keep.
    fn keep_section(&mut self) {
        self.analysis.facts.kept_database = self.analysis.facts.current_database.clone();
        self.section = DatabaseSection::Kept;
    }

    /// Says once of a database that it is left out.
    fn report_left_out(&mut self, subject: Subject<'_>) {
        let DatabaseSection::LeftOut { reported, .. } = &mut self.section else { return };
        if std::mem::replace(reported, true) {
            return;
        }
        let current = self.analysis.facts.current_database.as_deref().unwrap_or_default().to_owned();
        if self.left_out_databases.insert(current.clone()) {
            let kept = self.analysis.facts.kept_database.clone().unwrap_or_default();
            let draft = rules::database::db_02_multiple_databases::draft(&kept, &current, self.options);
            self.report_section(subject, draft);
        }
    }

    /// True where the statement belongs to a database that is left out.
    pub(super) fn other_database(&mut self, statement: &Statement<'_>) -> bool {
        let service = self.is_of_service() && !self.analysis.facts.extensions.is_empty();
        let has_content = match statement.node() {
            NodeEnum::CopyStmt(s) => s.is_from && !service,
            NodeEnum::SelectStmt(s) => !service && does_something(s, statement),
            NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::DoStmt(_)
            | NodeEnum::CallStmt(_) => !service,
            node => objects::is_user_object(node) || matches!(node, NodeEnum::AlterTableStmt(_)),
        };
        match &mut self.section {
            DatabaseSection::Kept => false,
            DatabaseSection::Undecided(_) if has_content => {
                self.keep_section();
                false
            }
            DatabaseSection::Undecided(undecided) => {
                let node = statement.node();
                if !matches!(node, NodeEnum::VariableSetStmt(_) | NodeEnum::SelectStmt(_)) {
                    undecided.place.get_or_insert_with(|| statement.place(&statement.range()));
                }
                false
            }
            DatabaseSection::LeftOut { .. } => {
                if has_content {
                    self.report_left_out(Subject::Statement(statement));
                }
                true
            }
        }
    }
}

/// True for a query that calls a function which changes something, as far as its name tells: `lo_create`, `setval`,
/// `create_hypertable`.
fn does_something(select: &pg::SelectStmt, statement: &Statement<'_>) -> bool {
    set_config(select).is_none()
        && statement.references().iter().any(|called| {
            called.class == Class::Function
                && (matches!(&*called.name, "setval" | "nextval")
                    || called.name.starts_with("lo_")
                    || !is_builtin(Class::Function, &called.name))
        })
}
