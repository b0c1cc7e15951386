//! The engine of the rules: what a rule is, what it sees and how it says what it found. It knows no rule.

mod context;
mod finding;
mod not_judged;
mod registry;
mod states;
mod subject;

pub use context::{Context, Draft, FixDraft};
pub use finding::{Cause, Finding};
pub use not_judged::{NotJudged, NotJudgedList, Unjudged};
pub use registry::Registry;
pub use states::States;
pub use subject::Subject;

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::edit::Safety;
use crate::facts::Facts;
use crate::finding::{Place, Script, Severity};
use crate::grow;
use crate::options::Options;
use crate::parse::StatementKind;
use crate::target::Target;

/// Where the documentation is published: the address of its folder, which whoever builds a release knows.
const SITE: Option<&str> = option_env!("TSMIGRATE_SITE");

/// True in a module for browsers: each visitor waits for its bytes.
const FOR_BROWSERS: bool = cfg!(target_arch = "wasm32");

/// What a person can read about a rule.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// One line: what is found.
    pub summary: &'static str,
    /// What it looks for, in full.
    pub what: &'static str,
    /// Why the target refuses it, or what is lost.
    pub why: &'static str,
    /// The server's words, with their SQLSTATE where it is known.
    pub server: &'static [&'static str],
    /// What to do.
    pub help: &'static str,
    /// A statement that the rule fires on.
    pub before: &'static str,
    /// The same after the rewrite; empty where there is none.
    pub after: &'static str,
    /// Where this is known from.
    pub sources: &'static [&'static str],
    /// A page to read on.
    pub link: &'static str,
}

impl Doc {
    /// What a rule is known from; in a browser nobody reads it.
    #[must_use]
    pub const fn sources(all: &'static [&'static str]) -> &'static [&'static str] {
        if FOR_BROWSERS { &[] } else { all }
    }
}

/// What a rule answers for in the catalogue of the service's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The limit of the rule's own id.
    Limit {
        /// Its name in short.
        slug: &'static str,
        /// How it is answered, in a sentence.
        how: &'static str,
    },
    /// Limits of other ids: see [`Rule::also_answers`].
    Others,
    /// No limit of the service: what it is for.
    Purpose(&'static str),
}

impl Answers {
    /// The limit of the rule's own id: its name in short, and how it is answered. The table of limits is a page of the
    /// repository: a module for browsers does not carry its words.
    #[must_use]
    pub const fn limit(slug: &'static str, how: &'static str) -> Self {
        if FOR_BROWSERS { Self::Others } else { Self::Limit { slug, how } }
    }

    /// What a rule is for that answers for no limit: see [`Answers::limit`].
    #[must_use]
    pub const fn purpose(what: &'static str) -> Self {
        if FOR_BROWSERS { Self::Others } else { Self::Purpose(what) }
    }
}

/// A piece of an input other than a statement that the parser takes: see [`Subject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A statement that the parser does not take.
    Unparsed,
    /// A psql meta-command.
    Meta,
    /// A line of a tool's output.
    Noise,
    /// A row of COPY data.
    Row,
    /// A live server.
    Server,
    /// The end of an input.
    End,
    /// A place that is not moved with its schema.
    Unmoved,
}

/// Whether a rule's answer about a statement holds in the body of a function too: it must be the same at whatever time
/// the statement runs. Rules about what the dump has created so far (owners, grants, roles, dependencies) would judge a
/// call by the wrong moment; ALTER SYSTEM, CREATE TABLESPACE and their like run in no function on any server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InBodies {
    /// It does not.
    No,
    /// It does.
    Yes {
        /// For queries as well; else they hold nothing that the rule looks for.
        queries: bool,
        /// The answer depends on the name of a role, database, extension or parameter: where the body puts it together
        /// at run time there is none.
        by_name: bool,
    },
}

/// What a rule's findings are about, which decides where they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What a dump holds: reported wherever it comes from.
    Dump,
    /// What psql does with a file: not reported where no psql reads it.
    Psql,
    /// What a dump lacks as a file: not reported where the live source is at hand.
    File,
    /// What a live server has: no dump makes the rule fire. See [`crate::server`].
    Server,
    /// What is not proved where schemas move: no dump makes the rule fire by itself. See [`crate::moving`].
    Move,
}

/// A rule. Its defaults are those of [`Rule::DEFAULT`].
#[derive(Debug)]
pub struct Rule {
    /// Its id, such as `TSP-03`. It never changes.
    pub id: &'static str,
    /// Its name in words: the thing that is incompatible.
    pub name: &'static str,
    /// Names that it had before: configurations, comments and options may still use them.
    pub aliases: &'static [&'static str],
    /// The worst severity it reports.
    pub severity: Severity,
    /// The best fix it offers.
    pub fix: Safety,
    /// What it answers for in the catalogue.
    pub answers: Answers,
    /// The ids of other limits of the catalogue that it answers for.
    pub also_answers: &'static [&'static str],
    /// The kinds of statements that it looks at.
    pub statements: &'static [StatementKind],
    /// Groups of kinds that it looks at, too: those that rules share, such as [`StatementKind::SETTING`].
    pub statement_groups: &'static [&'static [StatementKind]],
    /// The other pieces that it looks at.
    pub pieces: &'static [Piece],
    /// Whether it judges the SQL in bodies of functions.
    pub in_bodies: InBodies,
    /// What its findings are about.
    pub about: About,
    /// What it finds is the part of a whole database, not a statement.
    pub of_databases: bool,
    /// What it finds may go well: who accepts it keeps the statement, and takes the risk.
    pub is_a_risk: bool,
    /// False where what it finds must be known: nobody can switch it off.
    pub may_be_off: bool,
    /// Rules (by id) that look at a piece before it does, because it reads what they found or kept. `*` is every rule
    /// that does not say `*` itself.
    pub after: &'static [&'static str],
    /// Its documentation.
    pub doc: Doc,
    /// Looks at one piece.
    pub check: fn(&mut Context<'_>),
    /// Looks at everything once the last input has ended.
    pub finish: Option<fn(&mut Finish<'_>)>,
}

/// The same id is the same rule.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl PartialOrd for Rule {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rule {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(other.id)
    }
}

impl Rule {
    /// What a rule is where it does not say otherwise: one that looks at nothing.
    pub const DEFAULT: Self = Self {
        id: "",
        name: "",
        aliases: &[],
        severity: Severity::Note,
        fix: Safety::None,
        answers: Answers::Others,
        also_answers: &[],
        statements: &[],
        statement_groups: &[],
        pieces: &[],
        in_bodies: InBodies::No,
        about: About::Dump,
        of_databases: false,
        is_a_risk: false,
        may_be_off: true,
        after: &[],
        doc: Doc {
            summary: "",
            what: "",
            why: "",
            server: &[],
            help: "",
            before: "",
            after: "",
            sources: Doc::sources(&[]),
            link: "",
        },
        check: |_| {},
        finish: None,
    };

    /// The rule as one about a live server.
    #[must_use]
    pub const fn of_servers(self) -> Self {
        Self { pieces: &[Piece::Server], about: About::Server, ..self }.without_browsers()
    }

    /// The rule as one about what is not proved where schemas move.
    #[must_use]
    pub const fn of_moves(self) -> Self {
        Self { pieces: &[Piece::Unmoved], about: About::Move, is_a_risk: true, ..self }.without_browsers()
    }

    /// A module for browsers reaches no server and moves nothing: it knows such a rule by its names alone.
    const fn without_browsers(self) -> Self {
        if FOR_BROWSERS {
            let Self { doc, check, finish, .. } = Self::DEFAULT;
            Self { doc, check, finish, ..self }
        } else {
            self
        }
    }

    /// True where these words are its id, its name or a name that it had before, in any case.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        self.names().any(|name| name.eq_ignore_ascii_case(word))
    }

    /// True where the losses of this rule are accepted.
    #[must_use]
    pub fn is_accepted(&self, options: &Options) -> bool {
        options.accept.iter().any(|word| self.is_called(word))
    }

    /// Its page in the documentation, where this build knows an address of that.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        self.page_at(SITE)
    }

    fn page_at(&self, site: Option<&str>) -> Option<String> {
        let site = site.filter(|site| site.starts_with("https://"))?;
        Some(format!("{}/rules/{}.html", site.trim_end_matches('/'), self.id))
    }

    /// The one page to read on: its own in the documentation, else the vendor's.
    #[must_use]
    pub fn link(&self) -> Cow<'static, str> {
        self.page().map_or(Cow::Borrowed(self.doc.link), Cow::Owned)
    }

    /// Its id, its name, and the names that it had before.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.id, self.name].into_iter().chain(self.aliases.iter().copied())
    }
}

/// What a rule sees at the end.
#[derive(Debug)]
pub struct Finish<'a> {
    /// Everything that the dumps declare.
    pub facts: &'a Facts,
    /// The destination.
    pub target: &'a Target,
    /// What the person asked for.
    pub options: &'a Options,
    /// What rules kept on the way.
    pub states: &'a States,
    /// All rules.
    pub registry: &'static Registry,
    /// All findings so far, in the order of the dump.
    pub findings: &'a mut Vec<Finding>,
    /// Scripts for a person to run.
    pub scripts: &'a mut Vec<Script>,
    pub(crate) rule: &'static Rule,
}

impl Finish<'_> {
    /// Reports a finding at the place of a fact. It has no excerpt and no fix: what it says must be enough.
    pub fn report(&mut self, place: Place, draft: Draft) {
        grow::push(self.findings, draft.without_statement(self.rule, place));
    }

    /// Adds a script for a person to run.
    pub fn script(&mut self, file: &'static str, title: impl Into<String>, sql: impl Into<String>) {
        self.scripts.push(Script { rule: self.rule.id, file, title: title.into(), sql: sql.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_lead_to_the_rules_own_page_where_the_documentation_is_published() {
        let rule = Rule { id: "TSP-03", ..Rule::DEFAULT };
        for site in ["https://docs.example/tsmigrate/docs", "https://docs.example/tsmigrate/docs/"] {
            let page = "https://docs.example/tsmigrate/docs/rules/TSP-03.html";
            assert_eq!(rule.page_at(Some(site)).as_deref(), Some(page));
        }
        assert_eq!(rule.page_at(None), None);
        // What a workflow of a fork without pages gives.
        assert_eq!(rule.page_at(Some("/docs")), None);
    }
}
