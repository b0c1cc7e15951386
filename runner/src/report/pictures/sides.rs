//! Source and target side by side: how many objects of each kind either has.

use std::cmp::Reverse;
use std::fmt::Write as _;

use tsmigrate_analyzer::report::page::{capital, text};

use crate::human::thousands;
use crate::verify::{Difference, Verification, plural};

/// One kind of objects.
#[derive(Debug, PartialEq, Eq)]
struct Kind {
    name: String,
    source: u64,
    target: u64,
    /// Differences of any sort that nobody announced.
    differences: u64,
    /// Those that the run announced before.
    announced: u64,
}

impl Kind {
    /// Its differences in words.
    fn differences(&self) -> String {
        let number = thousands(self.differences);
        match (self.differences, self.announced) {
            (_, 0) => number,
            (0, announced) => format!("{} announced", thousands(announced)),
            (_, announced) => format!("{number}, {} announced", thousands(announced)),
        }
    }
}

/// The kinds that were compared, those with differences first. What is on one server alone is a difference without the other's words.
fn kinds(found: &Verification) -> Vec<Kind> {
    let of = |differences: &[Difference], name: &str, is: &dyn Fn(&Difference) -> bool| {
        differences.iter().filter(|one| plural(&one.kind) == name && is(one)).count() as u64
    };
    let both = |name: &str, is: &dyn Fn(&Difference) -> bool| {
        of(&found.differences, name, is) + of(&found.announced, name, is)
    };
    let kind = |(name, number): (&String, &usize)| {
        let source = *number as u64;
        let missing = both(name, &|one| one.expected.is_some() && one.found.is_none());
        let more = both(name, &|one| one.expected.is_none() && one.found.is_some());
        Kind {
            name: name.clone(),
            source,
            target: source.saturating_sub(missing) + more,
            differences: of(&found.differences, name, &|_| true),
            announced: of(&found.announced, name, &|_| true),
        }
    };
    let mut kinds: Vec<Kind> = found.compared.iter().map(kind).collect();
    kinds.sort_by_key(|kind| (Reverse(kind.differences), Reverse(kind.announced)));
    kinds
}

/// Draws both servers beside each other, a line for each kind.
pub(in super::super) fn sides(page: &mut String, found: &Verification) {
    let kinds = kinds(found);
    if kinds.is_empty() {
        return;
    }
    let most = kinds.iter().map(|kind| kind.source.max(kind.target)).max().unwrap_or(1).max(1);
    *page += "<div class=\"card table\" tabindex=\"0\"><table class=\"sides\">\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\" class=\"number\">Source</th>\
              <th scope=\"col\"><span class=\"hidden\">Source and target as bars</span></th><th scope=\"col\" class=\"number\">Target</th>\
              <th scope=\"col\" class=\"number\">Differences</th></tr></thead>\n<tbody>\n";
    for kind in &kinds {
        let class = if kind.differences > 0 { " class=\"differs\"" } else { "" };
        let _ = write!(
            page,
            "<tr{class}><td>{}</td><td class=\"number\">{}</td><td>",
            text(&capital(&kind.name)),
            thousands(kind.source)
        );
        // By their root: a hundred stays in sight beside a million.
        let width = |number: u64| (number as f64 / most as f64).sqrt() * 100.0;
        let (source, target) = (width(kind.source), width(kind.target));
        let _ = writeln!(
            page,
            "<svg viewBox=\"0 0 204 10\" aria-hidden=\"true\"><rect class=\"check\" x=\"{:.1}\" width=\"{source:.1}\" height=\"10\"/>\
             <rect class=\"rows\" x=\"102\" width=\"{target:.1}\" height=\"10\"/></svg></td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            100.0 - source,
            thousands(kind.target),
            kind.differences()
        );
    }
    *page += "</tbody></table></div>\n";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_one_server_alone_is_counted_there() {
        let difference = |kind: &str, expected: Option<&str>, found: Option<&str>| Difference {
            kind: kind.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            ..Difference::default()
        };
        let found = Verification {
            compared: [("casts".to_owned(), 2), ("indexes".to_owned(), 7), ("tables".to_owned(), 3)].into(),
            differences: vec![
                difference("index", Some("i"), None),
                difference("table", Some("a"), Some("b")),
            ],
            announced: vec![difference("index", None, Some("j")), difference("index", Some("k"), None)],
            ..Verification::default()
        };
        let kind = |name: &str, source, target, differences, announced| Kind {
            name: name.to_owned(),
            source,
            target,
            differences,
            announced,
        };
        // What differs leads.
        let wanted = [kind("indexes", 7, 6, 1, 2), kind("tables", 3, 3, 1, 0), kind("casts", 2, 2, 0, 0)];
        assert_eq!(kinds(&found), wanted);
        assert_eq!(wanted.map(|kind| kind.differences()), ["1, 2 announced", "1", "0"]);
        assert_eq!(kind("views", 2, 1, 0, 1).differences(), "1 announced");
        let mut page = String::new();
        sides(&mut page, &found);
        assert_eq!(page.matches("<tr class=\"differs\">").count(), 2);
    }
}
