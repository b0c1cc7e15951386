//! Views whose owners read past row security where they were dumped: what they hold was not what policies allow.

use std::collections::BTreeSet;

use tsmigrate_analyzer::archive::Section;
use tsmigrate_analyzer::facts::names::{option, option_is_on};
use tsmigrate_analyzer::parse::{NodeEnum, parse};
use tsmigrate_analyzer::split::{Kind, Piece, Splitter};

use super::context::Restore;
use crate::names::Relation;
use crate::script;

/// Views that belong to roles of whom the roles' dump says that they are superusers, or have BYPASSRLS. None without one, and of
/// a dump without owners.
pub(super) fn views(context: &Restore) -> BTreeSet<Relation> {
    let roles: BTreeSet<String> =
        statements(&context.roles, b"ALTER ROLE").iter().filter_map(|sql| past(sql)).collect();
    if roles.is_empty() {
        return BTreeSet::new();
    }
    let text =
        [context.contents.section(Section::PreData), context.contents.section(Section::PostData)].concat();
    let owners = statements(&text, b"ALTER");
    let owners = owners.iter().filter_map(|sql| script::new_owner(sql));
    owners.filter(|(_, owner)| roles.contains(owner)).map(|(relation, _)| relation).collect()
}

/// Statements of a text that begin with this word.
fn statements(text: &[u8], word: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut take = |piece: &Piece<'_>| {
        if piece.kind == Kind::Statement && piece.text.starts_with(word) {
            found.extend(str::from_utf8(piece.text).ok().map(str::to_owned));
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(text, &mut |piece| take(&piece));
    splitter.finish(&mut |piece| take(&piece));
    found
}

/// The role that a statement lets read past row security.
fn past(sql: &str) -> Option<String> {
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::AlterRoleStmt(alter) = parsed.node() else { return None };
    let is_on = |name: &str| option(&alter.options, name).is_some_and(option_is_on);
    let role = alter.role.as_ref().filter(|_| is_on("superuser") || is_on("bypassrls"))?;
    Some(role.rolename.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_read_past_row_security_are_known() {
        let text = b"CREATE ROLE a;\nALTER ROLE a WITH SUPERUSER INHERIT;\nALTER ROLE \"b c\" WITH NOSUPERUSER BYPASSRLS;\n\
            ALTER ROLE d WITH NOSUPERUSER NOBYPASSRLS;\nALTER ROLE d SET x = 'ALTER ROLE d WITH SUPERUSER';\n\
            COMMENT ON ROLE d IS '\nALTER ROLE d WITH SUPERUSER;\n';\n";
        let roles: Vec<String> = statements(text, b"ALTER ROLE").iter().filter_map(|sql| past(sql)).collect();
        assert_eq!(roles, ["a", "b c"]);
    }
}
