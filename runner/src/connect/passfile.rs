//! Passwords from where libpq takes them: PGPASSWORD, then the password file.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The password for a connection whose string has none.
pub(super) fn password(params: &BTreeMap<String, String>) -> Option<String> {
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Some(password);
    }
    let path = params.get("passfile").map(PathBuf::from).or_else(default_path)?;
    let get = |keyword, default| params.get(keyword).map_or(default, String::as_str);
    find(
        &std::fs::read_to_string(path).ok()?,
        [get("host", "localhost"), get("port", "5432"), get("dbname", ""), get("user", "")],
    )
}

fn default_path() -> Option<PathBuf> {
    std::env::var_os("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")))
}

fn find(file: &str, wanted: [&str; 4]) -> Option<String> {
    file.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = split(line);
        if fields.len() < 5 {
            return None;
        }
        let password = fields.split_off(4).join(":");
        fields.iter().zip(wanted).all(|(field, value)| field == "*" || field == value).then_some(password)
    })
}

fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => fields.push(String::new()),
            '\\' => fields.last_mut().into_iter().for_each(|field| field.extend(chars.next())),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let file = "# a comment\nother:*:*:*:no\nh:5432:d:u:a\\:b\n*:*:*:*:late\n";
        assert_eq!(find(file, ["h", "5432", "d", "u"]).as_deref(), Some("a:b"));
        assert_eq!(find(file, ["x", "1", "d", "u"]).as_deref(), Some("late"));
    }
}
