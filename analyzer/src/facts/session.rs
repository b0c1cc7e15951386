//! The settings of a session that decide what names mean and who acts, as the server keeps them through transactions.

use super::encoding::Encoding;
use super::names::{options, text};
use crate::parse::{NodeEnum, pg};
use crate::text::parse_bool;

/// In `search_path`, the schema named as the user.
pub(super) const OWN_SCHEMA: &str = "$user";

/// The schema of temporary objects: the server looks there first for tables and types.
pub const TEMPORARY: &str = "pg_temp";

/// Settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `search_path` as it was set.
    pub(super) path: Vec<Box<str>>,
    /// The role that acts, where that is not the one who connected.
    pub role: Option<Box<str>>,
    /// The encoding of what the session sends.
    pub encoding: Encoding,
    /// `check_function_bodies` is off.
    pub unchecked_bodies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: vec![OWN_SCHEMA.into(), "public".into()],
            role: None,
            encoding: Encoding::default(),
            unchecked_bodies: false,
        }
    }
}

/// The settings of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// In force at this point.
    pub now: Settings,
    /// In force once the transaction is committed: all but what SET LOCAL has changed.
    kept: Settings,
    /// What RESET goes back to.
    first: Settings,
}

impl Session {
    /// `\\encoding`.
    pub(crate) fn set_encoding(&mut self, encoding: Encoding) {
        self.set(Span::Session, |settings| settings.encoding = encoding);
    }

    /// A session that begins with this path.
    pub(super) fn with_path(path: &[Box<str>]) -> Self {
        let settings = Settings { path: path.to_vec(), ..Settings::default() };
        Self { now: settings.clone(), kept: settings.clone(), first: settings }
    }

    /// True where the acting role is one for the transaction only.
    #[must_use]
    pub fn role_is_local(&self) -> bool {
        self.now.role != self.kept.role
    }

    /// A role gets another name.
    pub(super) fn rename_role(&mut self, old: &str, new: &str) {
        for settings in [&mut self.now, &mut self.kept, &mut self.first] {
            if settings.role.as_deref() == Some(old) {
                settings.role = Some(new.into());
            }
        }
    }

    /// COMMIT.
    pub(crate) fn commit(&mut self) {
        self.now.clone_from(&self.kept);
    }

    fn set(&mut self, span: Span, set: impl Fn(&mut Settings)) {
        match span {
            Span::Session => {
                set(&mut self.now);
                set(&mut self.kept);
            }
            Span::Transaction => set(&mut self.now),
            Span::Nothing => {}
        }
    }

    pub(super) fn set_named(&mut self, span: Span, name: &str, value: &Value<'_>) {
        let first = self.first.clone();
        let name = name.to_ascii_lowercase();
        self.set(span, |settings| match (name.as_str(), value) {
            ("search_path", Value::List(path)) => settings.path.clone_from(path),
            ("search_path", Value::Text(path)) => settings.path = identifiers(path),
            ("search_path", Value::First) => settings.path.clone_from(&first.path),
            ("role", Value::Text(role)) => {
                settings.role = (!role.eq_ignore_ascii_case("none")).then(|| (*role).into());
            }
            ("role" | "session_authorization", Value::First) => settings.role = None,
            ("session_authorization", Value::Text(role)) => settings.role = Some((*role).into()),
            ("client_encoding" | "names", Value::Text(encoding)) => {
                settings.encoding = Encoding::named(encoding);
            }
            ("client_encoding" | "names", _) => settings.encoding = Encoding::Undeclared,
            ("check_function_bodies", Value::Text(value)) => {
                settings.unchecked_bodies = parse_bool(value) == Some(false);
            }
            ("check_function_bodies", Value::First) => settings.unchecked_bodies = first.unchecked_bodies,
            _ => {}
        });
    }

    /// RESET ALL: a role stays.
    pub(super) fn reset_all(&mut self, span: Span) {
        let first = self.first.clone();
        self.set(span, |settings| *settings = Settings { role: settings.role.take(), ..first.clone() });
    }
}

/// How long a setting is in force.
#[derive(Clone, Copy)]
pub(super) enum Span {
    Session,
    Transaction,
    /// SET LOCAL outside of a transaction.
    Nothing,
}

/// What a parameter is set to.
pub(super) enum Value<'a> {
    List(Vec<Box<str>>),
    Text(&'a str),
    /// DEFAULT, or RESET.
    First,
}

/// The names in a list, as the server reads the text of `search_path`: `app, "My Schema"`.
fn identifiers(list: &str) -> Vec<Box<str>> {
    let mut names = vec![String::new()];
    let (mut quoted, mut chars) = (false, list.chars().peekable());
    while let Some(c) = chars.next() {
        let Some(name) = names.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            c if quoted => name.push(c),
            c if c.is_whitespace() => {}
            // In UTF-8 the server folds ASCII alone.
            c => name.push(c.to_ascii_lowercase()),
        }
    }
    names.into_iter().map(Into::into).collect()
}

/// The path that a function's own SET gives its body; `None` where it has none. `$user` is left out.
#[must_use]
pub fn path_of_function(s: &pg::CreateFunctionStmt) -> Option<Vec<Box<str>>> {
    options(&s.options).find_map(|option| match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::VariableSetStmt(set) if option.defname == "set" && set.name == "search_path" => {
            let is_set = set.kind == pg::VariableSetKind::VarSetValue as i32;
            let names = set.args.iter().filter_map(text);
            is_set.then(|| {
                names.filter(|name| !name.is_empty() && *name != OWN_SCHEMA).map(Into::into).collect()
            })
        }
        _ => None,
    })
}
