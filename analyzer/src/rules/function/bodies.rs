//! What rules on bodies share: the SQL in the body at hand, and what the other rules say of it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::body::{BodyPart, UNKNOWN, parts};
use crate::edit::Action;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Context, Finding, InBodies, States, Subject};
use crate::text::Position;

/// The SQL in the body of the statement at hand.
#[derive(Clone, Debug, Default)]
struct BodyAtHand {
    /// The statement's input, first byte and length.
    key: (usize, u64, usize),
    /// The pieces.
    parts: Arc<Vec<BodyPart>>,
}

/// True for statements that evaluate what they hold when they run: a view's definition, a column's default and a body
/// are only stored.
pub(crate) fn runs(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::CopyStmt(s) => s.query.is_some() || !s.is_from,
        NodeEnum::CreateTableAsStmt(s) => s.into.as_ref().is_none_or(|into| !into.skip_data),
        node => StatementKind::RUNNING.contains(&StatementKind::of(node)),
    }
}

/// True where another rule takes the statement out, or it fails anyway: what its body does is of no interest.
pub(crate) fn fails_already(ctx: &Context<'_>) -> bool {
    ctx.findings.iter().any(|f| {
        f.severity == Severity::Error
            && !matches!(
                f.fix.as_ref().map(|fix| &fix.action),
                Some(Action::Edit { .. } | Action::Surround { .. })
            )
    })
}

/// The SQL in the body of the statement at hand. Read once for all rules.
pub(crate) fn body(ctx: &mut Context<'_>) -> Arc<Vec<BodyPart>> {
    let Some(statement) = ctx.statement() else { return Arc::default() };
    let key = key(statement);
    if let Some(known) = ctx.states.get::<BodyAtHand>().filter(|known| known.key == key) {
        return Arc::clone(&known.parts);
    }
    let parts = Arc::new(parts(statement));
    *ctx.states.of() = BodyAtHand { key, parts: Arc::clone(&parts) };
    parts
}

/// What tells the body at hand from others.
fn key(statement: &Statement<'_>) -> (usize, u64, usize) {
    let place = statement.place(&(0..0));
    (place.input, place.span.start, statement.sql().len())
}

/// The body of the statement to come is known, where an earlier check has read it.
pub(crate) fn know_body(
    states: &mut States,
    statement: &Statement<'_>,
    known: &OnceLock<Arc<Vec<BodyPart>>>,
) {
    if let Some(parts) = known.get() {
        *states.of() = BodyAtHand { key: key(statement), parts: Arc::clone(parts) };
    }
}

/// Keeps the body of the statement that rules have looked at, where they have read it.
pub(crate) fn keep_body(states: &States, statement: &Statement<'_>, known: &OnceLock<Arc<Vec<BodyPart>>>) {
    if let Some(body) = states.get::<BodyAtHand>().filter(|body| body.key == key(statement)) {
        known.get_or_init(|| Arc::clone(&body.parts));
    }
}

/// What makes a piece of SQL fail.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What the rule says, places in the piece.
    pub(crate) finding: Finding,
    /// Its bytes in the piece.
    pub(crate) range: Range<usize>,
}

/// What the rules say of a piece of a body.
pub(crate) fn troubles(ctx: &Context<'_>, part: &BodyPart) -> Vec<Trouble> {
    let start = Position { line: 1, column: 1 };
    let inner = Statement::new(part.sql(), part.parsed(), 0, 0, 0, start);
    let mut states = States::default();
    let mut findings = Vec::new();
    for rule in ctx.registry.in_bodies(inner.kind()) {
        (rule.check)(&mut Context {
            subject: Subject::Statement(&inner),
            facts: ctx.facts,
            target: ctx.target,
            options: ctx.options,
            states: &mut states,
            registry: ctx.registry,
            rule,
            findings: &mut findings,
        });
    }
    findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error && stands(ctx, &inner, finding))
        .filter_map(|mut finding| {
            let range = usize::try_from(finding.place.span.start).ok()?
                ..usize::try_from(finding.place.span.end).ok()?;
            finding.message = finding.message.replace(UNKNOWN, "…").into();
            if let Some(error) = finding.server_error.take() {
                let known = ServerError::new(error.sqlstate, error.text.replace(UNKNOWN, "…"));
                finding.server_error = Some(if error.text.contains(UNKNOWN) { known } else { error });
            }
            Some(Trouble { finding, range })
        })
        .collect()
}

/// False where the answer depends on what is only known at run time.
fn stands(ctx: &Context<'_>, inner: &Statement<'_>, finding: &Finding) -> bool {
    let unknown = finding.message.contains(UNKNOWN)
        || finding.server_error.as_ref().is_some_and(|error| error.text.contains(UNKNOWN));
    if unknown && matches!(finding.rule.in_bodies, InBodies::Yes { by_name: true, .. }) {
        return false;
    }
    match inner.node() {
        // Who calls may be in the role. Nobody can be in those of the service, but for the ones it hands out.
        NodeEnum::VariableSetStmt(set) if set.name == "role" => {
            set.args.first().and_then(crate::facts::names::text).is_some_and(|role| {
                ctx.target.reserved_roles.contains_key(role) && !ctx.target.grantable_roles.contains(role)
            })
        }
        _ => true,
    }
}
