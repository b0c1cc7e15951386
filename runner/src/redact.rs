//! Statements and answers as people may see them: short, and without what is secret. What is secret the analyzer knows.

use tsmigrate_analyzer::secrets;

/// How much of a statement an error shows.
const LINES: usize = 6;
const COLUMNS: usize = 160;

/// The first lines of a statement.
#[must_use]
pub fn statement(sql: &str) -> String {
    first_lines(&secrets::in_sql(sql.trim()))
}

/// The first lines of a message.
#[must_use]
pub fn message(text: &str) -> String {
    first_lines(&secrets::in_text(text.trim()))
}

fn first_lines(text: &str) -> String {
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        if number == LINES {
            out.push_str("\n…");
            break;
        }
        if number > 0 {
            out.push('\n');
        }
        out.extend(line.chars().take(COLUMNS));
        if line.chars().count() > COLUMNS {
            out.push('…');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let sql = "ALTER ROLE \"x\" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:it''s\\'secret' VALID UNTIL 'tomorrow';";
        let shown = statement(sql);
        assert!(
            shown.starts_with("ALTER ROLE \"x\" WITH LOGIN PASSWORD '…'") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_long_statement_is_cut() {
        let sql = "SELECT 1\n".repeat(20);
        assert_eq!(statement(&sql).lines().count(), 7);
    }
}
