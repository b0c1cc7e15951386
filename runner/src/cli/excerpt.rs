//! Lines of a dump with the marked part underlined, no wider than the page and cut between words.

use std::ops::Range;

use tsmigrate::human::width;
use tsmigrate_analyzer::finding::Excerpt;
use tsmigrate_analyzer::{Severity, clean};

use super::page::Page;

/// Columns of a tab.
const TAB: &str = "    ";
/// What stands for text that was cut off.
const CUT: &str = "…";

/// The lines, each with its number in a gutter of so many columns.
pub(super) fn lines(page: Page, excerpt: &Excerpt, gutter: usize, severity: Severity) -> Vec<String> {
    let (text, mark) = cleaned(excerpt);
    let bar = if page.unicode { "│" } else { "|" };
    let columns = page.width.saturating_sub(gutter + 5).max(20);
    let marked = |range: &Range<usize>| mark.start.max(range.start)..mark.end.min(range.end);
    let several = text.get(mark.clone()).is_some_and(|marked| marked.contains('\n'));
    let mut out = Vec::new();
    let mut start = 0;
    for (number, line) in (excerpt.line..).zip(text.split('\n')) {
        let range = start..start + line.len();
        start = range.end + 1;
        let part = marked(&range);
        let is_marked = part.start <= part.end && (several || part.start < part.end || mark.is_empty());
        let part =
            part.start.min(part.end).max(range.start) - range.start..part.end.max(range.start) - range.start;
        let (shown, part) = clip(line, part, columns);
        let head = page.dim(&format!("{number:>gutter$} {bar}"));
        // Of a part of several lines each has a sign before it: underlining them would double them.
        let sign = match (several, is_marked) {
            (false, _) => String::new(),
            (true, false) => "  ".to_owned(),
            (true, true) => page.severity(severity, "> "),
        };
        out.push(format!("{head} {sign}{shown}").trim_end().to_owned());
        if is_marked && !several {
            let before = width(shown.get(..part.start).unwrap_or_default());
            let carets = "^".repeat(width(shown.get(part).unwrap_or_default()).max(1));
            let head = page.dim(&format!("{:gutter$} {bar}", ""));
            out.push(format!("{head} {:before$}{}", "", page.severity(severity, &carets)));
        }
    }
    out
}

/// The excerpt as a terminal may show it, and the marked part of that.
fn cleaned(excerpt: &Excerpt) -> (String, Range<usize>) {
    let part =
        |range: Range<usize>| clean::text(excerpt.text.get(range).unwrap_or_default()).replace('\t', TAB);
    let Range { start, end } = excerpt.marked();
    let (before, marked) = (part(0..start), part(start..end));
    let mark = before.len()..before.len() + marked.len();
    (before + &marked + &part(end..excerpt.text.len()), mark)
}

/// True where a line may be cut before this byte: not inside of a word.
fn is_gap(line: &str, at: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    let behind = line.get(at..).and_then(|text| text.chars().next());
    line.is_char_boundary(at) && !(before.is_some_and(is_word) && behind.is_some_and(is_word))
}

/// As much of a line as `columns` hold, with the beginning of the marked part, and where that is in it.
fn clip(line: &str, mark: Range<usize>, columns: usize) -> (String, Range<usize>) {
    if width(line) <= columns {
        return (line.to_owned(), mark);
    }
    let columns = columns.saturating_sub(2 * width(CUT) + 2);
    let of = |range: Range<usize>| width(line.get(range).unwrap_or_default());
    let positions = || (0..=line.len()).filter(|at| line.is_char_boundary(*at));
    let from = if of(0..mark.end) <= columns || of(0..mark.start) <= columns / 3 {
        0
    } else {
        let near = |at: &usize| *at <= mark.start && of(*at..mark.start) <= columns / 3;
        positions().find(|at| near(at) && is_gap(line, *at)).unwrap_or(mark.start)
    };
    let fits = |at: &usize| *at > from && of(from..*at) <= columns;
    let last = positions().rfind(fits).unwrap_or(line.len());
    // A word that is longer than the line is cut all the same.
    let to = positions().rfind(|at| fits(at) && is_gap(line, *at)).unwrap_or(last);
    let front = if from > 0 { format!("{CUT} ") } else { String::new() };
    let end = if to < line.len() { format!(" {CUT}") } else { String::new() };
    let shift = |at: usize| at.clamp(from, to) - from + front.len();
    let mark = shift(mark.start)..shift(mark.end);
    (format!("{front}{}{end}", line.get(from..to).unwrap_or_default().trim_end()), mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, mark: Range<u32>, columns: usize) -> Vec<String> {
        let page = Page { color: false, unicode: true, links: false, width: columns };
        let excerpt = Excerpt { line: 7, text: text.into(), start: mark.start, end: mark.end };
        lines(page, &excerpt, 1, Severity::Error)
    }

    #[test]
    fn the_marked_part_is_underlined() {
        assert_eq!(shown("SET a = fast;", 8..12, 80), ["7 │ SET a = fast;", "  │         ^^^^"]);
        assert_eq!(shown("\ta 表 b", 7..8, 80), ["7 │     a 表 b", "  │          ^"]);
        assert_eq!(shown("x (\n  y\n)", 0..9, 80), ["7 │ > x (", "8 │ >   y", "9 │ > )"]);
    }

    #[test]
    fn a_long_line_is_cut_between_words_and_around_the_mark() {
        let words: Vec<String> = (0..60).map(|n| format!("wordnumber{n}")).collect();
        let text = words.join(" ");
        for word in [0, 3, 30, 59] {
            let start = text.find(&words[word]).unwrap();
            let mark = u32::try_from(start).unwrap()..u32::try_from(start + words[word].len()).unwrap();
            let lines = shown(&text, mark, 80);
            assert!(lines.iter().all(|line| width(line) <= 80), "{lines:?}");
            let shown = lines[0].strip_prefix("7 │").unwrap();
            assert!(
                shown.split_whitespace().all(|all| all == CUT || words.iter().any(|word| word == all)),
                "{shown}"
            );
            let at = lines[1].find('^').map(|at| lines[1][..at].chars().count()).unwrap();
            let under: String = lines[0].chars().skip(at).take(words[word].len()).collect();
            assert_eq!(under, words[word]);
        }
        // One word without an end.
        let long = shown(&"x".repeat(300), 250..260, 80);
        assert!(long.iter().all(|line| width(line) <= 80) && long[1].ends_with("^^^^^^^^^^"), "{long:?}");
    }

    #[test]
    fn a_dump_cannot_steer_the_terminal() {
        let lines = shown("a\u{1b}[31mb\u{202e}", 0..1, 80);
        assert!(!lines.concat().contains(['\u{1b}', '\u{202e}']), "{lines:?}");
    }
}
