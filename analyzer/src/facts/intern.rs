//! Names that occur again and again, kept once: a large schema has many columns and few names for them.

use std::collections::HashMap;

use arcstr::ArcStr;

/// A name in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

/// All names that were interned.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: HashMap<ArcStr, Symbol>,
    names: Vec<ArcStr>,
}

impl Names {
    /// The symbol of a name.
    pub fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.known.get(name) {
            return *symbol;
        }
        let name: ArcStr = name.into();
        let symbol = Symbol(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.known.insert(name.clone(), symbol);
        self.names.push(name);
        symbol
    }

    /// The name itself, kept once.
    pub fn shared(&mut self, name: &str) -> ArcStr {
        let symbol = self.symbol(name);
        self.names.get(symbol.0 as usize).cloned().unwrap_or_else(|| name.into())
    }

    /// The symbol of a name that was interned before.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<Symbol> {
        self.known.get(name).copied()
    }

    /// The name of a symbol.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.0 as usize).map_or("", |name| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_symbol() {
        let mut names = Names::default();
        let (a, b, c) = (names.symbol("a"), names.symbol("b"), names.symbol("a"));
        assert_eq!((a, names.name(a), names.name(b)), (c, "a", "b"));
    }
}
