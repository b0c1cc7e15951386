//! Statements as people may see them: short, and without what is secret.

/// How much of a statement an error shows.
const LINES: usize = 6;
const COLUMNS: usize = 160;

/// The first lines of `sql`, with what may be a password left out.
#[must_use]
pub fn statement(sql: &str) -> String {
    let sql = secrets(sql.trim());
    let mut out = String::new();
    for (number, line) in sql.lines().enumerate() {
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

/// `sql` without passwords and their hashes. It leaves out too much rather than too little: a statement that
/// speaks of a password ends at its first quote, for where a string ends depends on the server's settings.
#[must_use]
pub fn secrets(sql: &str) -> String {
    let upper = sql.to_ascii_uppercase();
    if !["PASSWORD", "SCRAM-SHA-256$", "USER MAPPING", "CONNECTION "].iter().any(|word| upper.contains(word))
    {
        return sql.to_owned();
    }
    match sql.split_once('\'') {
        Some((before, _)) => format!("{before}'***' …"),
        None => sql.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let sql = "ALTER ROLE \"x\" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:it''s\\'secret' VALID UNTIL 'tomorrow';";
        assert_eq!(statement(sql), "ALTER ROLE \"x\" WITH LOGIN PASSWORD '***' …");
    }

    #[test]
    fn a_long_statement_is_cut() {
        let sql = "SELECT 1\n".repeat(20);
        assert_eq!(statement(&sql).lines().count(), 7);
    }
}
