//! Differences that a person has looked at: a file of lines, each a difference with the reason why it stays.
//!
//! A line is `FILE:LINE VERSIONS KIND SQLSTATE WORDS`, and the reason stands in the line before it that begins with `#`,
//! which holds for all lines up to the next of its kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::score::Difference;

/// Differences by their lines' text without the versions: the versions that have them, and more words for whoever looks.
#[derive(Clone, Debug, Default)]
pub struct Seen(BTreeMap<(String, u64, String), (BTreeSet<u32>, String)>);

impl Seen {
    /// Adds the differences of a file on a version, without those that only follow.
    pub fn add(&mut self, file: &str, version: u32, differences: &[Difference]) {
        for difference in differences.iter().filter(|difference| !difference.follows) {
            let Difference { kind, line, sqlstate, words, said, .. } = difference;
            let state = if sqlstate.is_empty() { "-" } else { sqlstate };
            let rest = format!("{} {state} {words}", kind.word());
            let entry = self.0.entry((file.to_owned(), *line, rest)).or_default();
            entry.0.insert(version);
            entry.1.clone_from(said);
        }
    }

    /// The lines of the file, in the order of files and lines, with what was said.
    fn lines(&self) -> Vec<(String, &str)> {
        self.0
            .iter()
            .map(|((file, line, rest), (versions, said))| {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                (format!("{file}:{line} {} {rest}", versions.join(",")), said.as_str())
            })
            .collect()
    }

    /// Every line with what was said.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.lines().into_iter().map(|(line, said)| format!("{line}\n    {said}")).collect()
    }

    /// Compares with a reviewed file. With `TRUTH_UPDATE` in the environment the file is written anew: lines that it had
    /// keep their reason, new ones stand behind the last reason `# ?` together with what was said.
    ///
    /// # Errors
    /// When the file cannot be read or written. What differs is the value.
    pub fn compare(&self, path: &Path) -> io::Result<Vec<String>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let (head, reasons) = read(&text);
        let lines = self.lines();
        let known: BTreeMap<&str, &str> = reasons
            .iter()
            .flat_map(|(reason, lines)| lines.iter().map(|line| (line.as_str(), reason.as_str())))
            .collect();
        let unknown: Vec<&(String, &str)> =
            lines.iter().filter(|(line, _)| !known.contains_key(line.as_str())).collect();
        let current: BTreeSet<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();

        let mut wrong: Vec<String> =
            unknown.iter().map(|(line, said)| format!("without a reason: {line}\n    {said}")).collect();
        wrong.extend(
            known.keys().filter(|line| !current.contains(**line)).map(|line| format!("no longer so: {line}")),
        );
        wrong.extend(
            reasons
                .iter()
                .filter(|(reason, lines)| reason.starts_with("# ?") && !lines.is_empty())
                .flat_map(|(_, lines)| lines.iter().map(|line| format!("without a reason: {line}"))),
        );
        if std::env::var_os("TRUTH_UPDATE").is_some() {
            fs::write(path, written(&head, &reasons, &current, &unknown))?;
        }
        Ok(wrong)
    }
}

/// The head (lines up to the first empty one), and reasons with their lines, in order.
fn read(text: &str) -> (String, Vec<(String, Vec<String>)>) {
    let (head, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for line in rest.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('#') {
            match reasons.last_mut() {
                // A reason may have several lines.
                Some((reason, lines)) if lines.is_empty() => {
                    reason.push('\n');
                    reason.push_str(line);
                }
                _ => reasons.push((line.to_owned(), Vec::new())),
            }
        } else if let Some((_, lines)) = reasons.last_mut() {
            lines.push(line.to_owned());
        } else {
            reasons.push(("# ?".into(), vec![line.to_owned()]));
        }
    }
    (head.to_owned(), reasons)
}

fn written(
    head: &str,
    reasons: &[(String, Vec<String>)],
    current: &BTreeSet<&str>,
    unknown: &[&(String, &str)],
) -> String {
    let mut out = format!("{head}\n");
    for (reason, lines) in reasons {
        let kept: Vec<&String> = lines.iter().filter(|line| current.contains(line.as_str())).collect();
        if kept.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{reason}");
        for line in kept {
            let _ = writeln!(out, "{line}");
        }
    }
    for (line, said) in unknown {
        let _ = writeln!(out, "\n# ? {said}\n{line}");
    }
    out
}
