//! How well a report foretells a server's answers, in numbers: see [`Score`] for what counts as what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::AddAssign;

use tsmigrate_analyzer::facts::ObjectId;
use tsmigrate_analyzer::facts::objects::subject;
use tsmigrate_analyzer::parse::{Class, NodeEnum, parse, references};
use tsmigrate_analyzer::rewrite::Planned;
use tsmigrate_analyzer::target::{Members, is_builtin, members};
use tsmigrate_analyzer::text::parseable;
use tsmigrate_analyzer::{Analysis, Severity};

use crate::replay::{Answer, Reply, ServerMessage};
use crate::sent::Sent;
use crate::unmade::{MISSING, Unmade};

/// Counts of statements. A *prediction* is an error finding whose place is in the statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Statements of the text.
    pub statements: usize,
    /// Of them, those about which the server's word does not count: see [`Unjudged`].
    pub unjudged: usize,
    /// Refused by the server (of those that count, as in all that follows).
    pub refused: usize,
    /// Refused and predicted, with the same SQLSTATE or one of the same kind ([`agree`]).
    pub predicted: usize,
    /// Refused and predicted, but for another reason than the server's.
    pub otherwise: usize,
    /// Refused and not predicted, nor the consequence of a predicted refusal.
    pub missed: usize,
    /// Refused because something is missing that a statement was to make whose refusal was predicted: whether the
    /// rewritten statement will pass, which is what the report is about, is not seen here.
    pub following: usize,
    /// Predicted, but the server takes it.
    pub unconfirmed: usize,
    /// Refused after the rewrite.
    pub after: usize,
    /// Of those, not announced: no error of the report stays unsolved on the statement.
    pub unannounced: usize,
}

impl Score {
    /// The names of the columns, as [`Score`] prints its numbers.
    pub const HEAD: &str = "statements unjudged  refused predicted otherwise missed following unconfirmed  after \
                            unannounced";

    /// Predicted refusals of a hundred that could be predicted, rounded down to a tenth.
    #[must_use]
    pub fn recall(&self) -> String {
        percent(self.predicted, self.predicted + self.otherwise + self.missed)
    }

    /// Confirmed predictions of a hundred, rounded down to a tenth.
    #[must_use]
    pub fn precision(&self) -> String {
        let confirmed = self.predicted + self.otherwise;
        percent(confirmed, confirmed + self.unconfirmed)
    }
}

fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "none".into();
    }
    let tenths = part * 1000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10} {:>8} {:>8} {:>9} {:>9} {:>6} {:>9} {:>11} {:>6} {:>11}",
            self.statements,
            self.unjudged,
            self.refused,
            self.predicted,
            self.otherwise,
            self.missed,
            self.following,
            self.unconfirmed,
            self.after,
            self.unannounced
        )
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.statements += other.statements;
        self.unjudged += other.unjudged;
        self.refused += other.refused;
        self.predicted += other.predicted;
        self.otherwise += other.otherwise;
        self.missed += other.missed;
        self.following += other.following;
        self.unconfirmed += other.unconfirmed;
        self.after += other.after;
        self.unannounced += other.unannounced;
    }
}

/// Why a server's word about a statement does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unjudged {
    /// The report leaves the part of another database out; one replay is one session with one database. Not sent.
    OtherDatabase,
    /// CREATE DATABASE: only the service's private module refuses it (`tsdb_admin: database … is not an allowed
    /// database name`), which no other server has. Not sent.
    CreateDatabase,
    /// The server's extensions are not the service's, and that decides: for the one target the statement is predicted to
    /// fail, for the other it is not; or it uses something of an extension that only the service has.
    Extension,
    /// It names a tablespace that the recorded servers had; the service has none.
    Tablespace,
    /// It is refused over something in TimescaleDB's own schemas: they are those of the server's version of
    /// TimescaleDB, and not of the source's. The service can have the source's version.
    TimescaleVersion,
    /// The report says that the dump is restored in restoring mode, and the replay does not do that: TimescaleDB
    /// refuses the statement on a hypertable of the source outside of it. On the source's own version in restoring mode
    /// (2.17.2, full edition, was asked both ways) it passes.
    RestoringMode,
    /// The server gave no answer.
    NoAnswer,
}

impl Unjudged {
    /// What is not sent at all.
    #[must_use]
    pub fn before_sending(analysis: &Analysis, input: usize, sent: &Sent) -> Option<Self> {
        let planned = analysis.inputs.get(input).map_or(&[][..], |input| &input.planned);
        let left_out = planned.iter().any(|planned| {
            matches!(planned, Planned::Remove { span, rule: "DB-02", .. }
                if (span.start..span.end).contains(&sent.start))
        });
        if left_out {
            return Some(Self::OtherDatabase);
        }
        let sql = parseable(sent.step.sql());
        match parse(&sql, true) {
            Ok(Some(parsed)) if matches!(parsed.node(), NodeEnum::CreatedbStmt(_)) => {
                Some(Self::CreateDatabase)
            }
            _ => None,
        }
    }
}

/// How report and server differ on a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Refused, not predicted.
    Missed,
    /// Refused for another reason than predicted.
    Otherwise,
    /// Predicted, not refused.
    Unconfirmed,
    /// Refused after the rewrite, not announced.
    After,
    /// The lab's server does not answer as it was recorded.
    Lab,
}

impl Kind {
    /// The word for it in lists.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Otherwise => "otherwise",
            Self::Unconfirmed => "unconfirmed",
            Self::After => "after",
            Self::Lab => "lab",
        }
    }
}

/// A statement on which report and server differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub kind: Kind,
    /// The line in the text (for [`Kind::After`] in the original text; 0 for an added statement).
    pub line: u64,
    /// The server's SQLSTATE, or the predicted one where the server takes the statement.
    pub sqlstate: String,
    /// The beginning of the statement.
    pub words: String,
    /// The server's message and what the report says.
    pub said: String,
    /// It follows from an earlier difference, and is not listed.
    pub follows: bool,
}

impl Difference {
    /// The lab's server answers with this SQLSTATE (or `ok`), and it was recorded otherwise.
    #[must_use]
    pub fn of_lab(line: u64, sqlstate: &str, words: String) -> Self {
        let sqlstate = sqlstate.to_owned();
        Self { kind: Kind::Lab, line, sqlstate, words, said: String::new(), follows: false }
    }
}

/// What the report says of each statement of an input.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    /// The SQLSTATEs and rules of the error findings, by statement.
    pub errors: BTreeMap<u64, BTreeSet<(&'static str, &'static str)>>,
    /// Statements with an error that the rewrite does not fix.
    pub unsolved: BTreeSet<u64>,
}

impl Announced {
    /// What a report says of one of its inputs.
    #[must_use]
    pub fn of(analysis: &Analysis, input: usize) -> Self {
        let mut all = Self::default();
        for finding in &analysis.findings {
            let place = finding.place;
            if place.input != input || place.statement == 0 || finding.severity != Severity::Error {
                continue;
            }
            let state = finding.server_error.as_ref().map_or("", |error| error.sqlstate);
            all.errors.entry(place.statement.into()).or_default().insert((state, finding.rule.id));
            if !finding.solved {
                all.unsolved.insert(place.statement.into());
            }
        }
        all
    }

    fn says(&self, statement: u64) -> String {
        let all = self.errors.get(&statement).into_iter().flatten();
        let words: Vec<String> = all.map(|(state, rule)| format!("{rule} {state}")).collect();
        words.join(", ")
    }
}

/// True where the server's refusal is the predicted one: the same SQLSTATE; or both are about something that is
/// missing, where which of several missing things the server looks for first does not matter.
#[must_use]
pub fn agree(predicted: &str, server: &str) -> bool {
    predicted.is_empty() || predicted == server || MISSING.contains(&predicted) && MISSING.contains(&server)
}

/// True where the statement fills, changes or refers to something in TimescaleDB's own schemas.
fn is_of_timescaledb(sent: &Sent) -> bool {
    let sql = parseable(sent.step.sql());
    let Ok(Some(parsed)) = parse(&sql, true) else { return false };
    let subject = subject(parsed.node()).and_then(|object| object.id.schema);
    let references =
        references(parsed.node()).into_iter().filter_map(|reference| Some(reference.schema?.into()));
    subject.into_iter().chain(references).any(|schema| schema.starts_with("_timescaledb"))
}

/// The hypertables of the source that a dump restores in restoring mode; none where the report does not ask for it.
#[must_use]
pub fn restored_hypertables(analysis: &Analysis) -> BTreeSet<ObjectId> {
    let timescale = &analysis.facts.timescale;
    let asks = timescale.catalogs.is_some() && timescale.restoring.0.is_none();
    if asks { analysis.facts.hypertables.clone() } else { BTreeSet::new() }
}

/// True where the statement changes one of these tables, or creates something of it.
fn changes_one_of(sent: &Sent, tables: &BTreeSet<ObjectId>) -> bool {
    let sql = parseable(sent.step.sql());
    let Ok(Some(parsed)) = parse(&sql, true) else { return false };
    subject(parsed.node()).is_some_and(|object| tables.contains(&object.id))
}

/// True where the statement refers to a member of one of these extensions, or sets a parameter of one of them.
fn uses_one_of(sent: &Sent, extensions: &BTreeSet<String>) -> bool {
    let sql = parseable(sent.step.sql());
    let Ok(Some(parsed)) = parse(&sql, true) else { return false };
    let references = references(parsed.node());
    extensions.iter().any(|extension| {
        let has = |of: &Members| {
            references.iter().any(|r| {
                of.has(r.class, &r.name) && !is_builtin(r.class, &r.name)
                    || r.schema.as_deref().is_some_and(|schema| of.has(Class::Schema, schema))
            })
        };
        sql.contains(&format!("{extension}.")) || members(extension).is_some_and(has)
    })
}

/// What came of one input.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The numbers.
    pub score: Score,
    /// Every difference, in the order of the statements.
    pub differences: Vec<Difference>,
    /// Statements that are not judged.
    pub unjudged: BTreeMap<u64, Unjudged>,
}

impl Judged {
    /// Judges the server's answers to the statements of an input. `service` is what the report says for the service,
    /// `server` what it says for this server with its own extensions; `replies` are the answers to the statements that
    /// were sent, by statement; `restored` are the hypertables that are restored in restoring mode.
    #[must_use]
    pub fn before(
        service: &Announced,
        server: &Announced,
        statements: &[Sent],
        unsent: &BTreeMap<u64, Unjudged>,
        lacking: &BTreeSet<String>,
        restored: &BTreeSet<ObjectId>,
        replies: &BTreeMap<u64, Reply>,
    ) -> Self {
        let mut judged = Self { unjudged: unsent.clone(), ..Self::default() };
        let mut unmade = Unmade::default();
        for sent in statements {
            let Some(number) = sent.statement else { continue };
            judged.score.statements += 1;
            if unsent.contains_key(&number) {
                judged.score.unjudged += 1;
                unmade.add(sent, true);
                continue;
            }
            let predicted = server.errors.get(&number);
            let refusal = match replies.get(&number).map(|reply| &reply.answer) {
                Some(Answer::Ok) => None,
                Some(Answer::Refused(message)) => Some(message),
                Some(Answer::NotSent(_)) | None => {
                    judged.unjudged(number, Unjudged::NoAnswer);
                    continue;
                }
            };
            if let Some(refusal) = refusal {
                let follows = unmade.cause(refusal) == Some(true);
                unmade.add(sent, predicted.is_some() || follows);
            } else {
                unmade.made(sent);
            }
            if predicted.is_some() != service.errors.contains_key(&number)
                || server.unsolved.contains(&number) != service.unsolved.contains(&number)
            {
                judged.unjudged(number, Unjudged::Extension);
                continue;
            }
            let foreseen = |refusal: &&ServerMessage| {
                predicted
                    .is_some_and(|states| states.iter().any(|(state, _)| agree(state, &refusal.sqlstate)))
            };
            if refusal.is_some_and(|refusal| !foreseen(&refusal)) && is_of_timescaledb(sent) {
                judged.unjudged(number, Unjudged::TimescaleVersion);
                continue;
            }
            if refusal.is_some_and(|refusal| !foreseen(&refusal)) && changes_one_of(sent, restored) {
                judged.unjudged(number, Unjudged::RestoringMode);
                continue;
            }
            if refusal.is_some_and(|refusal| !foreseen(&refusal)) && uses_one_of(sent, lacking) {
                judged.unjudged(number, Unjudged::Extension);
                continue;
            }
            judged.statement(sent, number, refusal, server, &unmade);
            if let Some(refusal) = refusal.filter(foreseen) {
                unmade.foreseen(refusal);
            }
        }
        judged
    }

    fn unjudged(&mut self, statement: u64, why: Unjudged) {
        self.score.unjudged += 1;
        self.unjudged.insert(statement, why);
    }

    fn statement(
        &mut self,
        sent: &Sent,
        number: u64,
        refusal: Option<&ServerMessage>,
        announced: &Announced,
        unmade: &Unmade,
    ) {
        let predicted = announced.errors.get(&number);
        let score = &mut self.score;
        score.refused += usize::from(refusal.is_some());
        let (kind, follows) = match (refusal, predicted) {
            (None, None) => return,
            (Some(refusal), Some(states)) if states.iter().any(|(s, _)| agree(s, &refusal.sqlstate)) => {
                score.predicted += 1;
                return;
            }
            (Some(refusal), predicted) => match unmade.cause(refusal) {
                Some(true) => {
                    score.following += 1;
                    return;
                }
                _ if predicted.is_some() => {
                    score.otherwise += 1;
                    (Kind::Otherwise, false)
                }
                cause => {
                    score.missed += 1;
                    (Kind::Missed, cause.is_some())
                }
            },
            (None, Some(_)) => {
                score.unconfirmed += 1;
                (Kind::Unconfirmed, false)
            }
        };
        let state = predicted.and_then(|states| states.first()).map_or("", |(state, _)| *state);
        self.differences.push(Difference {
            kind,
            line: sent.line,
            sqlstate: refusal.map_or(state, |refusal| &refusal.sqlstate).to_owned(),
            words: sent.words(60),
            said: [announced.says(number), refusal.map_or("passes".into(), |r| r.message.clone())]
                .join(" | "),
            follows,
        });
    }

    /// Adds the server's answers to the rewritten statements. `lines` are the lines of the original statements.
    pub fn after(&mut self, service: &Announced, lines: &BTreeMap<u64, u64>, answers: &[(&Sent, &Reply)]) {
        let mut unmade = Unmade::default();
        for (sent, reply) in answers {
            let refusal = match &reply.answer {
                Answer::Ok => {
                    unmade.made(sent);
                    continue;
                }
                Answer::NotSent(_) => continue,
                Answer::Refused(refusal) => refusal,
            };
            if sent.statement.is_some_and(|number| self.unjudged.contains_key(&number)) {
                continue;
            }
            self.score.after += 1;
            if sent.statement.is_some_and(|number| service.unsolved.contains(&number)) {
                unmade.add(sent, true);
                continue;
            }
            let line = sent.statement.and_then(|number| lines.get(&number).copied()).unwrap_or(0);
            // The same as before the rewrite, or the consequence of it.
            let known =
                |d: &Difference| d.kind == Kind::Missed && d.line == line && d.sqlstate == refusal.sqlstate;
            let follows = unmade.cause(refusal) == Some(false) || self.differences.iter().any(known);
            unmade.add(sent, false);
            self.score.unannounced += 1;
            self.differences.push(Difference {
                kind: Kind::After,
                line,
                sqlstate: refusal.sqlstate.clone(),
                words: sent.words(60),
                said: refusal.message.clone(),
                follows,
            });
        }
    }
}
