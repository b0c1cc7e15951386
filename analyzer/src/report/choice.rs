//! One way to decide something.

use serde::Serialize;

/// One way to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Choice {
    /// What to do.
    pub what: String,
    /// What the target will not have then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// What to type: a command, an option of the same command, or SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What of it that is.
    #[serde(skip)]
    pub way: Way,
}

/// How one goes the way of a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Something is changed on the source, or on the target.
    #[default]
    Elsewhere,
    /// Roles are created on the target, and the next check has to be told of them.
    Create,
    /// The roles' dump is added to the files.
    Roles,
    /// The same command is given again with an option.
    Option,
}

impl Choice {
    /// It in one line, with its words and its command as a format writes each.
    pub fn written(&self, words: impl Fn(&str) -> String, command: impl Fn(&str) -> String) -> String {
        let what = match self.command {
            Some(_) => self.what.trim_end_matches('.'),
            None => &self.what,
        };
        let command = self.command.as_ref().map_or_else(String::new, |it| format!(": {}", command(it)));
        let lost = self.lost.as_ref().map_or_else(String::new, |lost| format!(" (lost: {})", words(lost)));
        format!("{}{command}{lost}", words(what))
    }
}
