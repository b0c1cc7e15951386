//! What rules keep from one piece to later ones, beyond the facts of the dump: a type for each rule or family that keeps
//! something, which stands in its file.

use std::any::{Any, TypeId};
use std::fmt;

/// What a rule or a family keeps: any plain data. It is never printed: that would take every tree's own words for it into
/// the module for browsers, a twentieth of its size.
pub trait State: Any {
    #[doc(hidden)]
    fn boxed_clone(&self) -> Box<dyn State>;
}

impl<T: Any + Clone> State for T {
    fn boxed_clone(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }
}

/// The states of all rules, by type.
///
/// ```
/// use tsmigrate_analyzer::rule::States;
///
/// #[derive(Clone, Debug, Default)]
/// struct Seen(u32);
///
/// let mut states = States::default();
/// assert!(states.get::<Seen>().is_none());
/// states.of::<Seen>().0 += 1;
/// assert_eq!(states.get::<Seen>().map(|seen| seen.0), Some(1));
/// ```
#[derive(Default)]
pub struct States(Vec<(TypeId, Box<dyn State>)>);

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").finish_non_exhaustive()
    }
}

impl Clone for States {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|(id, state)| (*id, (**state).boxed_clone())).collect())
    }
}

impl States {
    /// The state of this type, where something was kept.
    #[must_use]
    pub fn get<T: State>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        let (_, state) = self.0.iter().find(|(known, _)| *known == id)?;
        let state: &dyn Any = &**state;
        state.downcast_ref()
    }

    /// The state of this type: its default where nothing was kept yet.
    #[allow(clippy::missing_panics_doc, reason = "a state stands under its own type")]
    pub fn of<T: State + Default>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let place = self.0.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.0.push((id, Box::new(T::default())));
            self.0.len() - 1
        });
        let state: &mut dyn Any = &mut *self.0[place].1;
        state.downcast_mut().expect("a state of this type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Names(Vec<&'static str>);

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Count(u32);

    #[test]
    fn a_copy_keeps_what_was_known_when_it_was_taken() {
        let mut states = States::default();
        states.of::<Names>().0.push("a");
        states.of::<Count>().0 = 1;
        let before = states.clone();
        states.of::<Names>().0.push("b");
        states.of::<Count>().0 = 2;
        assert_eq!((before.get(), before.get()), (Some(&Names(vec!["a"])), Some(&Count(1))));
        assert_eq!((states.get(), states.get()), (Some(&Names(vec!["a", "b"])), Some(&Count(2))));
    }
}
