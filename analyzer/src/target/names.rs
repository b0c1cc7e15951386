//! Many names that are known when the program is built, ready without a copy of any.

use serde::Deserialize;

/// A set of names that lie in the program itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<&'static str>", bound(deserialize = "'de: 'static"))]
pub struct Names(Vec<&'static str>);

impl From<Vec<&'static str>> for Names {
    fn from(mut names: Vec<&'static str>) -> Self {
        names.sort_unstable();
        Self(names)
    }
}

impl Names {
    /// True where the name is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search(&name).is_ok()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}
