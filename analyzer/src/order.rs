//! Sorting that is compiled once for all types. Each instance of the standard library's stable sort is some 5 KB of code
//! in the module for browsers, and sets and maps that are collected sort first: those are extended instead.

use std::cmp::Ordering;

/// Sorts by a key. What has the same key stays in its order.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let order = order(items.len(), &|a, b| items.get(a).map(&key).cmp(&items.get(b).map(&key)));
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|at| taken.get_mut(at)?.take()));
}

/// The places of so many items in the order that the comparison of two places gives.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    use super::sort_by_key;

    #[test]
    fn items_are_sorted_and_equal_ones_stay_in_their_order() {
        let mut words: Vec<String> = ["bb", "a", "cc", "", "aa", "b"].map(str::to_owned).into();
        sort_by_key(&mut words, String::len);
        assert_eq!(words, ["", "a", "b", "bb", "cc", "aa"]);
    }
}
