//! Lists that grow by an eighth: a large schema has hundreds of thousands of findings and facts, and what doubles has up to
//! half of its memory to spare.

/// Adds one to a list that may get very long.
pub(crate) fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() == all.capacity() {
        all.reserve_exact((all.len() / 8).max(4));
    }
    all.push(one);
}

/// Adds one to a list that mostly stays as short as it is, of which there are many.
pub(crate) fn push_exact<T>(all: &mut Vec<T>, one: T) {
    all.reserve_exact(1);
    all.push(one);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_long_list_has_little_to_spare() {
        let mut all = Vec::new();
        (0..100_000).for_each(|one| super::push(&mut all, one));
        assert!(all.len() == 100_000 && all.capacity() < 113_000, "{}", all.capacity());
    }
}
