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
use crate::split::{Kind, Piece};
use crate::target::is_builtin;
use crate::text::Span;

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
        if let Some(place) = place
            && self.empty_databases.insert(section.database.clone())
        {
            let draft = rules::database::db_02_multiple_databases::empty(&section.database);
            self.report_section(Subject::End { place }, draft);
        }
        self.analysis.left_out.push(section);
    }

    /// Roles belong to the whole cluster, whatever database they were made from: the section of another database ends before
    /// such a statement. Gives that database: its section goes on behind the statement.
    pub(super) fn leave_section(&mut self, statement: &Statement<'_>) -> Option<String> {
        if matches!(self.section, DatabaseSection::Kept) || !is_of_cluster(statement.node()) {
            return None;
        }
        self.end_section();
        self.section = DatabaseSection::Kept;
        self.analysis.facts.current_database.as_deref().map(str::to_owned)
    }

    /// A `\connect` at this place: true where it begins a section. pg_dump connects again after it has set the
    /// properties of the database, and that is the same section.
    pub(super) fn begins_section(&self, database: &str) -> bool {
        database != "-"
            && !matches!(&self.section, DatabaseSection::Undecided(u) if u.section.database == database)
    }

    /// A piece of the section has gone by. One that goes on behind a statement about roles begins with the next line.
    pub(super) fn extend_section(&mut self, piece: &Piece<'_>) {
        let section = match &mut self.section {
            DatabaseSection::Kept => return,
            DatabaseSection::Undecided(undecided) => &mut undecided.section,
            DatabaseSection::LeftOut { index, .. } => match self.analysis.left_out.get_mut(*index) {
                Some(section) => section,
                None => return,
            },
        };
        let has_begun = section.span.start < section.span.end;
        if has_begun || piece.kind != Kind::Blank {
            let start = if has_begun { section.span.start } else { piece.span.start.max(section.span.start) };
            section.span = Span::new(start, piece.span.end);
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

    /// True for the database that new ones are copies of, unless it was asked for.
    fn is_pattern(&self) -> bool {
        self.analysis.facts.current_database.as_deref() == Some("template1")
            && self.options.database.as_deref() != Some("template1")
    }

    /// The section of the pattern for new databases goes, whatever is in it: the database to keep has its own.
    fn leave_pattern(&mut self, statement: &Statement<'_>) {
        if let DatabaseSection::Undecided(undecided) = &mut self.section {
            undecided.place = None;
        }
        self.end_section();
        let index = self.analysis.left_out.len().saturating_sub(1);
        self.section = DatabaseSection::LeftOut { index, reported: true };
        let draft = rules::database::db_02_multiple_databases::pattern("template1");
        self.report_section(Subject::Statement(statement), draft);
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

    /// Says once of a database that is left out, and has no objects so far, that its part goes.
    fn report_empty(&mut self, subject: Subject<'_>) {
        let current = self.analysis.facts.current_database.as_deref().unwrap_or_default().to_owned();
        if !self.left_out_databases.contains(&current) && self.empty_databases.insert(current.clone()) {
            self.report_section(subject, rules::database::db_02_multiple_databases::empty(&current));
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
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::DoStmt(_)
            | NodeEnum::CallStmt(_) => !service,
            NodeEnum::DropStmt(_) => !self.is_of_service(),
            node => objects::is_user_object(node) || matches!(node, NodeEnum::AlterTableStmt(_)),
        };
        let is_pattern = self.is_pattern();
        match &mut self.section {
            DatabaseSection::Kept => false,
            DatabaseSection::Undecided(_) if has_content && is_pattern => {
                self.leave_pattern(statement);
                true
            }
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
                } else if !is_of_every_database(statement.node()) {
                    self.report_empty(Subject::Statement(statement));
                }
                true
            }
        }
    }
}

/// True for a statement about roles, which all databases share.
fn is_of_cluster(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::DropRoleStmt(_)
        | NodeEnum::GrantRoleStmt(_) => true,
        NodeEnum::AlterRoleSetStmt(s) => s.database.is_empty(),
        _ => false,
    }
}

/// False for text that surely creates nothing and is no statement about roles: of a database that is left out no other is
/// parsed.
pub(super) fn may_matter(sql: &[u8]) -> bool {
    let mut words = sql.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_one_of = |word: Option<&[u8]>, of: &[&str]| {
        word.is_some_and(|word| of.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes())))
    };
    let first = words.next();
    if is_one_of(first, &["ALTER", "DROP"]) {
        is_one_of(words.next(), &["ROLE", "USER", "GROUP"])
    } else {
        is_one_of(first, &["CREATE"])
            || is_one_of(first, &["GRANT", "REVOKE"]) && words.all(|word| !word.eq_ignore_ascii_case(b"ON"))
    }
}

/// True for what pg_dumpall writes of a database that has nothing of its own, and for settings of a session.
fn is_of_every_database(node: &NodeEnum) -> bool {
    use pg::ObjectType as T;
    let is_common =
        |kind: i32| matches!(T::try_from(kind), Ok(T::ObjectDatabase | T::ObjectSchema | T::ObjectExtension));
    match node {
        NodeEnum::VariableSetStmt(_)
        | NodeEnum::SelectStmt(_)
        | NodeEnum::TransactionStmt(_)
        | NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterRoleSetStmt(_) => true,
        NodeEnum::CommentStmt(s) => is_common(s.objtype),
        NodeEnum::GrantStmt(s) => is_common(s.objtype),
        NodeEnum::AlterOwnerStmt(s) => is_common(s.object_type),
        _ => false,
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
