//! Passwords from libpq's password file.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::local;

/// The lines of a password file, or why it is not used.
pub(super) fn read(file: Option<&str>) -> Result<String, Option<String>> {
    let path = file.map(PathBuf::from).or_else(|| Some(local::home()?.join(".pgpass"))).ok_or(None)?;
    let Ok(about) = std::fs::metadata(&path) else { return Err(None) };
    if !about.is_file() {
        return Err(Some(format!(
            "the password file {} is not a plain file; it is not used",
            path.display()
        )));
    }
    if about.permissions().mode() & 0o077 != 0 {
        return Err(Some(format!(
            "the password file {0} is open to others; it is not used (chmod 0600 {0})",
            path.display()
        )));
    }
    std::fs::read_to_string(&path)
        .map_err(|error| Some(format!("the password file {} cannot be read: {error}", path.display())))
}

/// The password for host, port, database and user.
pub(super) fn find(file: &str, wanted: [&str; 4]) -> Option<String> {
    file.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for value in wanted {
            let (field, after) = field(rest)?;
            if field != "*" && unescaped(field) != value {
                return None;
            }
            rest = after;
        }
        // What stands behind another colon is none of it, as in libpq.
        let password = field_or_rest(rest);
        Some(unescaped(password)).filter(|password| !password.is_empty())
    })
}

/// Text up to the next colon that is not escaped, and what comes after it.
fn field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let at = text.find(|c| {
        let found = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        found
    })?;
    Some((&text[..at], &text[at + 1..]))
}

fn field_or_rest(text: &str) -> &str {
    field(text).map_or(text, |(field, _)| field)
}

/// `text` as a field: colons and backslashes stand for themselves.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace(':', r"\:")
}

/// A line holds one password: libpq takes every end of a line off it.
pub(super) fn can_hold(password: &str) -> bool {
    !password.contains(['\n', '\0']) && !password.ends_with('\r')
}

fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let file = "# a comment\nother:*:*:*:no\nh:5432:d:u:a\\:b:c\\\\\n\\*:1:d:u:star\n*:*:*:*:late\n";
        assert_eq!(find(file, ["h", "5432", "d", "u"]).as_deref(), Some("a:b"));
        assert_eq!(find(file, ["x", "1", "d", "u"]).as_deref(), Some("late"));
        assert_eq!(find(file, ["*", "1", "d", "u"]).as_deref(), Some("star"));
        assert_eq!(find("h:1:d\n", ["h", "1", "d", "u"]), None);
        assert_eq!(find("h:1:d:u:one:two", ["h", "1", "d", "u"]).as_deref(), Some("one"));
    }

    #[test]
    fn a_password_is_written_so_that_it_is_read_again() {
        for password in
            ["plain", "a:b", r"back\slash\", r"\:", "#hash", " spaces ", "größe 表", "tab\tand\rmiddle", "*"]
        {
            let line = format!("*:*:*:*:{}\n", escaped(password));
            assert!(can_hold(password));
            assert_eq!(find(&line, ["h", "1", "d", "u"]).as_deref(), Some(password));
        }
        for password in ["two\nlines", "end\r", "nul\0"] {
            assert!(!can_hold(password), "{password:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("a plain name");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).expect("ours");
        let why = read(Some(path)).expect_err("it is open").expect("a warning");
        assert!(why.contains("chmod 0600"), "{why}");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        assert_eq!(read(Some(path)).as_deref(), Ok(""));
        assert_eq!(read(Some("/nowhere/at/all")), Err(None));
    }
}
