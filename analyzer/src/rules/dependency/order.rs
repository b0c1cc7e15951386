//! Scripts that use an object before they create it. Only the end of the inputs tells such a use from one of an object that
//! the target has: until then it waits.

use std::collections::BTreeMap;

use arcstr::ArcStr;

use super::missing::{Missing, error, what};
use crate::facts::names::is_temporary;
use crate::facts::objects::{created_range, subject};
use crate::facts::{Facts, ObjectId};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum};
use crate::rule::{Context, Draft, Finding, Finish, States};
use crate::target::{Members, members};

/// Uses that are remembered.
const MAX_USES: usize = 10_000;

/// A statement that uses what nothing has created before it.
#[derive(Clone, Debug)]
struct Use {
    finding: Finding,
    /// What is missing, in words.
    words: String,
    /// Where it is created after all.
    created: Option<Place>,
}

/// All such statements.
#[derive(Clone, Debug, Default)]
struct Uses {
    all: Vec<Use>,
    /// Those that wait, by the object that they need.
    waiting: BTreeMap<ObjectId, Vec<usize>>,
    /// What they would create, by the object that they need.
    creates: BTreeMap<ObjectId, ObjectId>,
    /// Objects that were used too early, and where they are created.
    late: BTreeMap<ObjectId, Place>,
    /// Schemas that the inputs create: they hold nothing else.
    new_schemas: Vec<ArcStr>,
    /// What the statement at hand creates once more: a use that came too early had created it before.
    again: Option<ObjectId>,
}

impl Uses {
    /// Nothing waits.
    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes a statement that needs `object` and would create `creates`.
    fn add(&mut self, object: &ObjectId, words: String, finding: Finding, creates: Option<ObjectId>) {
        let same =
            |place: Place| (place.input, place.statement) == (finding.place.input, finding.place.statement);
        if self.all.len() >= MAX_USES || self.all.last().is_some_and(|last| same(last.finding.place)) {
            return;
        }
        let late = self.late.get(object).copied();
        if late.is_none() {
            self.waiting.entry(object.clone()).or_default().push(self.all.len());
        }
        self.all.push(Use { finding, words, created: late });
        if let Some(creates) = creates {
            self.creates.insert(creates, object.clone());
        }
    }

    /// The object whose creation decides whether this one exists: the statement that creates it uses it too early.
    fn decides(&self, object: &ObjectId) -> Option<&ObjectId> {
        self.creates.get(object)
    }

    /// An object is created here: what has used it before fails.
    fn create(&mut self, object: &ObjectId, place: Place) {
        let waiting = self.waiting.remove(object).unwrap_or_default();
        if !waiting.is_empty() {
            self.late.insert(object.clone(), place);
        }
        for index in waiting {
            if let Some(one) = self.all.get_mut(index) {
                one.created = Some(place);
            }
        }
        self.again = self.creates.remove(object).map(|_| object.clone());
    }

    /// An extension is created here: what has used a member of it before fails.
    fn create_members(&mut self, extension: &Members, place: Place) {
        let is_member = |id: &&ObjectId| {
            id.schema.as_deref().is_none_or(|schema| schema == "public")
                && extension.holds(id.class, &id.name)
        };
        for id in self.waiting.keys().filter(is_member).cloned().collect::<Vec<_>>() {
            self.create(&id, place);
        }
    }

    /// Forgets what waits for an object: something unknown may have created it.
    fn forget(&mut self) {
        self.waiting.clear();
        self.creates.clear();
    }

    /// Uses of a name that the inputs have in upper or lower case only: a quoted name keeps its case, and one without quotes
    /// is in lower case.
    fn written_otherwise<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = Finding> + 'a {
        let relations = self.waiting.keys().any(|id| id.class == Class::Relation).then_some(&facts.relations);
        let folded = |id: &ObjectId| (id.schema.clone(), id.name.to_ascii_lowercase());
        let created: BTreeMap<_, _> =
            relations.into_iter().flatten().map(|(id, found)| (folded(id), (id, found.place))).collect();
        self.waiting.iter().filter(|(id, _)| id.class == Class::Relation).flat_map(move |(id, uses)| {
            // A temporary table has its own name only.
            let found = created.get(&folded(id)).copied().filter(|(created, _)| *created != id);
            uses.iter().filter_map(move |index| {
                let (created, place) = found?;
                let Use { finding, words, .. } = self.all.get(*index)?;
                let mut finding = finding.clone();
                finding.message =
                    format!("{words} is not created by these files: {} is", created.path()).into();
                finding.advice = Some("Quotes keep upper case: write the name as it was created.".into());
                let message = format!("{} is created here", created.path());
                finding.relate(place, message.into());
                Some(finding)
            })
        })
    }

    /// Uses of what nothing creates in schemas that the inputs create.
    fn in_new_schemas(&self) -> impl Iterator<Item = Finding> + '_ {
        let is_new = |id: &ObjectId| {
            let schema = if id.class == Class::Schema { None } else { id.schema.as_ref() };
            schema.is_some_and(|schema| self.new_schemas.contains(schema))
        };
        let uses = self.waiting.iter().filter(move |(id, _)| is_new(id)).flat_map(|(_, uses)| uses);
        uses.filter_map(|index| {
            let Use { finding, words, .. } = self.all.get(*index)?;
            let mut finding = finding.clone();
            finding.message =
                format!("{words} is not created by these files, which create its schema").into();
            Some(finding)
        })
    }

    /// The statement at this place used something before it was created.
    fn has_failed(&self, place: Place) -> bool {
        let is_it = |at: Place| (at.input, at.statement) == (place.input, place.statement);
        self.all.iter().any(|one| one.created.is_some() && is_it(one.finding.place))
    }

    /// What is known to fail at the end.
    fn failing(&self) -> impl Iterator<Item = Finding> + '_ {
        self.all.iter().filter_map(|one| {
            let place = one.created?;
            let mut finding = one.finding.clone();
            let advice =
                format!("Put it behind the statement that creates {}, in line {}.", one.words, place.line);
            finding.advice = Some(advice.into());
            finding.relate(place, format!("{} is created here", one.words).into());
            Some(finding)
        })
    }
}

/// True for a statement that used something before it was created: what it would have renamed or moved is where it was.
pub(super) fn has_failed(ctx: &Context<'_>, place: Place) -> bool {
    ctx.states.get::<Uses>().is_some_and(|uses| uses.has_failed(place))
}

/// Keeps a statement of a script that uses what nothing has created yet: a later statement may create it.
pub(super) fn waits(
    ctx: &mut Context<'_>,
    node: &NodeEnum,
    missing: &Missing,
    needed: &ObjectId,
    is_subject: bool,
) {
    let (words, what) = (missing.words(), what(ctx, node));
    let root = Missing::of(needed.clone(), None).words();
    let is_direct = *needed == missing.id(ctx);
    let message = if !is_direct && what == words {
        format!("{words} does not exist: its statement uses {root} before it is created")
    } else if !is_direct {
        format!("{what} needs {words}, whose own statement uses {root} before it is created")
    } else if what == words {
        format!("{words} is used before it is created")
    } else {
        format!("{what} uses {words} before it is created")
    };
    let draft = Draft::new(message).object(what).server(error(node, missing, is_subject));
    ctx.report(draft);
    let creates = ctx.created(node).map(|object| object.id);
    if let Some(finding) = ctx.findings.pop() {
        ctx.states.of::<Uses>().add(needed, root, finding, creates);
    }
}

/// What a statement creates was used too early, where something waits for it.
pub(super) fn creates(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) {
    if let NodeEnum::CreateSchemaStmt(s) = node
        && !s.if_not_exists
        && s.schema_elts.is_empty()
    {
        ctx.states.of::<Uses>().new_schemas.push(s.schemaname.as_str().into());
    }
    if ctx.states.get::<Uses>().is_none_or(Uses::is_empty) {
        return;
    }
    if ctx.facts.dynamic {
        ctx.states.of::<Uses>().forget();
    }
    let temporary = created_range(node).is_some_and(is_temporary);
    if !temporary {
        created(ctx.facts, ctx.states, statement);
    }
}

/// The same of a statement that a fix adds.
pub(crate) fn created(facts: &Facts, states: &mut States, statement: &Statement<'_>) {
    if states.get::<Uses>().is_some_and(|uses| !uses.is_empty())
        && let Some(object) = facts.created(statement.node())
    {
        let place = statement.place(&statement.range());
        let uses = states.of::<Uses>();
        uses.create(&object.id, place);
        if object.id.class == Class::Extension
            && let Some(extension) = members(&object.id.name)
        {
            uses.create_members(extension, place);
        }
    }
}

/// True where the statement that created the object first may have failed: it waits.
pub(super) fn may_have_failed(ctx: &Context<'_>, id: &ObjectId) -> bool {
    ctx.states.get::<Uses>().is_some_and(|uses| uses.again.as_ref() == Some(id))
}

/// A statement that uses what a statement before it would have created, which waits itself.
pub(super) fn uses_what_fails(
    ctx: &mut Context<'_>,
    statement: &Statement<'_>,
    node: &NodeEnum,
    own: Option<&ObjectId>,
) -> bool {
    let Some(uses) = ctx.states.get::<Uses>().filter(|uses| !uses.is_empty()) else { return false };
    let of_subject = subject(node).map(|object| (object.id.table().unwrap_or(object.id), None, true));
    let others = statement.references().iter().map(|reference| {
        let id = ObjectId::of(reference);
        (id, reference.location, false)
    });
    let found = of_subject.into_iter().chain(others).find_map(|(id, location, is_subject)| {
        let id = ctx.resolved(&id);
        if own == Some(&id) {
            return None;
        }
        let root = uses.decides(&id)?.clone();
        Some((Missing::of(id, location), root, is_subject))
    });
    let Some((missing, root, is_subject)) = found else { return false };
    waits(ctx, node, &missing, &root, is_subject);
    true
}

/// What of the inputs uses an object before it is created.
pub(super) fn finish(finish: &mut Finish<'_>) {
    let Some(uses) = finish.states.get::<Uses>() else { return };
    let failing: Vec<Finding> = uses.failing().chain(uses.written_otherwise(finish.facts)).collect();
    let said = |other: &Finding| failing.iter().any(|finding| finding.place == other.place);
    let others: Vec<Finding> = uses.in_new_schemas().filter(|other| !said(other)).collect();
    finish.findings.extend(failing.into_iter().chain(others));
}
