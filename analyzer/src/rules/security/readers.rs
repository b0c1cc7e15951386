//! Views, and in whose name they read: as their owner, or as whoever queries them.

use std::collections::BTreeMap;

use crate::facts::names::{option, option_is_on};
use crate::facts::{Facts, ObjectId};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum};
use crate::rule::{Context, States};
use crate::rules::ownership::handover::Handover;
use crate::target::Target;

/// The views and materialized views that the dump has created so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Views(pub(super) BTreeMap<ObjectId, View>);

/// A view or a materialized view.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// What it reads.
    pub(super) reads: Vec<ObjectId>,
    /// It holds its rows: who reads it reads no table.
    pub(super) is_filled: bool,
    /// It reads as who queries it, not as its owner.
    pub(super) as_invoker: bool,
    /// Where it is created.
    pub(super) place: Place,
}

impl Views {
    /// Keeps the view that this statement creates.
    pub(super) fn keep(ctx: &mut Context<'_>, statement: &Statement<'_>) {
        let Some(view) = ctx.created(statement.node()).map(|object| object.id) else { return };
        let (is_filled, as_invoker) = match statement.node() {
            NodeEnum::ViewStmt(s) => {
                (false, option(&s.options, "security_invoker").is_some_and(option_is_on))
            }
            _ => (true, false),
        };
        let reads = read(ctx, statement).into_iter().filter(|id| *id != view).collect();
        let place = statement.place(&statement.range());
        ctx.states.of::<Self>().0.insert(view, View { reads, is_filled, as_invoker, place });
    }
}

/// The relations that a statement names.
pub(super) fn read(ctx: &Context<'_>, statement: &Statement<'_>) -> Vec<ObjectId> {
    let named = statement.references().iter().filter(|used| used.class == Class::Relation);
    named.map(|used| ctx.resolved(&ObjectId::new(used.class, used.schema.as_deref(), &used.name))).collect()
}

/// Who owns what on the target.
#[derive(Clone, Copy)]
pub(super) struct Owners<'a> {
    pub(super) facts: &'a Facts,
    pub(super) states: &'a States,
    pub(super) target: &'a Target,
}

impl<'a> Owners<'a> {
    pub(super) fn of(ctx: &'a Context<'_>) -> Self {
        Self { facts: ctx.facts, states: ctx.states, target: ctx.target }
    }

    /// The owner that an object has there.
    pub(super) fn owner(self, id: &ObjectId) -> &'a str {
        self.facts.owner(id).filter(|name| self.facts.makes_role(name)).unwrap_or(&self.target.admin)
    }

    /// True where `reader` has the rights of the object's owner.
    pub(super) fn owns(self, reader: &str, id: &ObjectId) -> bool {
        let owner = self.owner(id);
        let is_lent = || self.states.get::<Handover>().is_some_and(|all| all.lent_membership.contains(owner));
        reader == owner || self.facts.reaches(owner, reader) || *reader == *self.target.admin && is_lent()
    }
}
