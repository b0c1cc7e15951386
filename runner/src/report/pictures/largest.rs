//! The largest tables, as bars.

use super::super::pieces::bar;
use crate::human;

/// Tables that are drawn.
const TABLES: usize = 15;

/// Draws the largest of some tables by their bytes.
pub(in super::super) fn largest(page: &mut String, tables: &[(&str, u64)]) {
    let mut all: Vec<_> = tables.iter().filter(|(_, bytes)| *bytes > 0).collect();
    all.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    let Some((_, most)) = all.first() else { return };
    *page += "<figure class=\"picture card\">\n<h3>Largest tables</h3>\n<dl class=\"time\">\n";
    for (name, bytes) in all.iter().take(TABLES) {
        bar(page, "rows", name, &human::bytes(*bytes), 0.0, *bytes as f64 / *most as f64);
    }
    *page += "</dl>\n</figure>\n";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_comes_first_and_its_bar_is_whole() {
        let mut page = String::new();
        largest(&mut page, &[("public.b", 10), ("public.<a>", 1000), ("public.none", 0)]);
        let (a, b) = (page.find("public.&lt;a&gt;").unwrap(), page.find("public.b").unwrap());
        assert!(a < b && page.contains("width=\"1000.0\"") && !page.contains("public.none"), "{page}");
    }
}
