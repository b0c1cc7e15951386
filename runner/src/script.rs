//! A rewritten part of a dump as the statements to run, each with what it does to the order of a migration.

use tsmigrate_analyzer::facts::names::{option, option_is_on};
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};
use tsmigrate_analyzer::split::{End, Kind, Splitter};

use crate::error::Error;
use crate::names::Relation;
use crate::quote::{identifier, quoted};

/// One part of a dump.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Its name: `roles`, `pre-data`, `post-data`.
    pub part: &'static str,
    /// Its text.
    pub text: &'a [u8],
}

/// What a statement is, as far as the order of a migration asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Runs where it stands.
    Plain,
    /// An owner, a privilege or a stored setting: runs when everything is loaded.
    Access,
    /// `CREATE ROLE name`.
    CreateRole(String),
    /// `CREATE EXTENSION name [SCHEMA schema]`: runs in a session of its own, before all others.
    CreateExtension {
        /// The extension.
        name: String,
        /// The schema it is to be in.
        schema: Option<String>,
    },
    /// `CREATE SCHEMA name`.
    CreateSchema(String),
    /// A setting of the session.
    Setting,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// Its line in the part.
    pub line: u64,
    /// Its column in that line.
    pub column: u32,
    /// What it is.
    pub class: Class,
    /// The object it is about, as far as its tree names one.
    pub object: Option<String>,
}

/// The statements of `text`; comments and psql's own commands are left out.
///
/// # Errors
/// When the text is cut off, or is not UTF-8.
pub fn statements(part: &'static str, text: &[u8]) -> Result<Vec<Statement>, Error> {
    let mut found = Vec::new();
    let mut fault = None;
    let mut sink = |piece: tsmigrate_analyzer::split::Piece<'_>| {
        if let End::CutOff(open) = piece.end {
            fault.get_or_insert(Error::CutOff { tool: part, line: piece.at.line, what: format!("{open:?}") });
        }
        if piece.kind != Kind::Statement {
            return;
        }
        match std::str::from_utf8(piece.text) {
            Ok(sql) => found.push(statement(sql, piece.at.line, piece.at.column, piece.standard_strings)),
            Err(_) => {
                fault.get_or_insert(Error::CutOff {
                    tool: part,
                    line: piece.at.line,
                    what: "a text that is not UTF-8".into(),
                });
            }
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(text, &mut sink);
    splitter.finish(&mut sink);
    fault.map_or(Ok(found), Err)
}

/// One statement with what it is.
#[must_use]
pub fn statement(sql: &str, line: u64, column: u32, standard_strings: bool) -> Statement {
    let parsed = parse::parse(sql, standard_strings).ok().flatten();
    let (class, object) =
        parsed.map_or((Class::Plain, None), |parsed| (class(parsed.node()), object(parsed.node())));
    Statement { sql: sql.to_owned(), line, column, class, object }
}

fn class(node: &NodeEnum) -> Class {
    match node {
        NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::GrantStmt(_)
        | NodeEnum::GrantRoleStmt(_)
        // A setting of the database, such as default_transaction_read_only, would reach our own sessions.
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterRoleSetStmt(_)
        | NodeEnum::AlterDefaultPrivilegesStmt(_) => Class::Access,
        NodeEnum::AlterTableStmt(alter)
            if alter.cmds.iter().any(|cmd| {
                matches!(&cmd.node, Some(NodeEnum::AlterTableCmd(cmd)) if cmd.subtype() == pg::AlterTableType::AtChangeOwner)
            }) =>
        {
            Class::Access
        }
        NodeEnum::CreateRoleStmt(role) => Class::CreateRole(role.role.clone()),
        NodeEnum::CreateSchemaStmt(schema) => Class::CreateSchema(schema.schemaname.clone()),
        NodeEnum::CreateExtensionStmt(extension) => Class::CreateExtension {
            name: extension.extname.clone(),
            schema: extension.options.iter().find_map(|option| match &option.node {
                Some(NodeEnum::DefElem(option)) if option.defname == "schema" => string(option.arg.as_deref()?),
                _ => None,
            }),
        },
        NodeEnum::VariableSetStmt(_) => Class::Setting,
        _ => Class::Plain,
    }
}

/// Whether a statement may be said again once it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// With OR REPLACE.
    Replaceable,
    /// As it is.
    Repeatable,
    /// Not at all.
    Other,
}

/// What a statement is about, in words; none of settings of the session.
#[must_use]
pub fn subject(sql: &str) -> Option<(Subject, String)> {
    subject_of(parse::parse(sql, true).ok().flatten()?.node(), sql)
}

/// The same of a statement whose tree is there already.
pub(crate) fn subject_of(node: &NodeEnum, sql: &str) -> Option<(Subject, String)> {
    let (subject, kind) = match node {
        NodeEnum::CommentStmt(_) => {
            let about = sql.split(" IS ").next().unwrap_or_default();
            return Some((Subject::Repeatable, about.replacen("COMMENT ON", "comment on", 1)));
        }
        NodeEnum::CreateTrigStmt(create) => {
            let table = object(node).unwrap_or_default();
            return Some((Subject::Other, format!("trigger {} on {table}", quoted(&create.trigname))));
        }
        NodeEnum::VariableSetStmt(_) | NodeEnum::SelectStmt(_) => return None,
        NodeEnum::CreateFunctionStmt(create) if create.is_procedure => (Subject::Replaceable, "procedure"),
        NodeEnum::CreateFunctionStmt(_) => (Subject::Replaceable, "function"),
        NodeEnum::ViewStmt(_) => (Subject::Replaceable, "view"),
        NodeEnum::CreateStmt(_) => (Subject::Other, "table"),
        NodeEnum::CreateSeqStmt(_) => (Subject::Other, "sequence"),
        NodeEnum::CreateDomainStmt(_) => (Subject::Other, "domain"),
        NodeEnum::CreateEnumStmt(_) => (Subject::Other, "type"),
        NodeEnum::IndexStmt(index) => {
            let schema = index.relation.as_ref().map(|table| table.schemaname.as_str()).unwrap_or_default();
            return Some((Subject::Other, format!("index {}", Relation::new(schema, &index.idxname))));
        }
        NodeEnum::AlterTableStmt(alter) => {
            let command = alter.cmds.iter().find_map(|command| match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => Some(command),
                _ => None,
            });
            let constraint = command.and_then(|command| match command.def.as_ref()?.node.as_ref()? {
                NodeEnum::Constraint(constraint) => {
                    Some(format!("constraint {} of ", quoted(&constraint.conname)))
                }
                _ => None,
            });
            let default =
                command.is_some_and(|command| command.subtype() == pg::AlterTableType::AtColumnDefault);
            let subject = if default { Subject::Repeatable } else { Subject::Other };
            let table = object(node).unwrap_or_default();
            return Some((subject, format!("{}table {table}", constraint.unwrap_or_default())));
        }
        _ => (Subject::Other, ""),
    };
    let first = || sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    Some((
        subject,
        object(node).map_or_else(first, |object| format!("{kind} {object}").trim_start().to_owned()),
    ))
}

/// The relation that `ALTER … OWNER TO` hands over, and to whom: a table, a view or a sequence.
#[must_use]
pub fn new_owner(sql: &str) -> Option<(Relation, String)> {
    // Most statements are about something else, and need no tree.
    if !sql.contains("OWNER TO") {
        return None;
    }
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::AlterTableStmt(alter) = parsed.node() else { return None };
    let relation = alter.relation.as_ref()?;
    let owner = alter.cmds.iter().find_map(|command| match command.node.as_ref()? {
        NodeEnum::AlterTableCmd(command) if command.subtype() == pg::AlterTableType::AtChangeOwner => {
            command.newowner.as_ref()
        }
        _ => None,
    })?;
    Some((Relation::new(&relation.schemaname, &relation.relname), owner.rolename.clone()))
}

/// The schema that `ALTER SCHEMA … OWNER TO` hands over, and to whom.
#[must_use]
pub fn new_owner_of_schema(sql: &str) -> Option<(String, String)> {
    if !sql.contains("OWNER TO") {
        return None;
    }
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::AlterOwnerStmt(alter) = parsed.node() else { return None };
    match alter.object.as_ref()?.node.as_ref()? {
        NodeEnum::String(schema) if alter.object_type() == pg::ObjectType::ObjectSchema => {
            Some((schema.sval.clone(), alter.newowner.as_ref()?.rolename.clone()))
        }
        _ => None,
    }
}

/// The table of the trigger of this name that a statement creates.
#[must_use]
pub fn table_of_trigger(sql: &str, name: &str) -> Option<Relation> {
    // Most statements are about something else, and need no tree.
    if !sql.contains(name) {
        return None;
    }
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::CreateTrigStmt(trigger) = parsed.node() else { return None };
    let table = trigger.relation.as_ref().filter(|_| trigger.trigname == name)?;
    Some(Relation::new(&table.schemaname, &table.relname))
}

/// The statement that puts a function or a view in the place of the one of that name.
#[must_use]
pub fn or_replace(sql: &str) -> String {
    sql.replacen("CREATE ", "CREATE OR REPLACE ", 1)
}

/// The role that `ALTER ROLE` lets log in.
#[must_use]
pub fn login(sql: &str) -> Option<String> {
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::AlterRoleStmt(alter) = parsed.node() else { return None };
    let login = option(&alter.options, "canlogin").is_some_and(option_is_on);
    alter.role.as_ref().filter(|_| login).map(|role| role.rolename.clone())
}

/// The table or view that a GRANT or REVOKE is about, and whether it grants.
#[must_use]
pub fn privileges(sql: &str) -> Option<(Relation, bool)> {
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::GrantStmt(grant) = parsed.node() else { return None };
    let [object] = &grant.objects[..] else { return None };
    match &object.node {
        Some(NodeEnum::RangeVar(range)) if grant.objtype() == pg::ObjectType::ObjectTable => {
            Some((Relation::new(&range.schemaname, &range.relname), grant.is_grant))
        }
        _ => None,
    }
}

/// Of `ALTER SEQUENCE s OWNER TO r` (older dumps say TABLE): what gives `r` the same use of it without owning it.
#[must_use]
pub fn grant_instead_of_owner(sql: &str) -> Option<String> {
    let (sequence, role) = new_owner(sql)?;
    Some(format!("GRANT ALL ON SEQUENCE {} TO {}", sequence.sql(), identifier(&role)))
}

fn string(node: &pg::Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(text.sval.clone()),
        _ => None,
    }
}

/// The relation, role, schema or other name a statement is about: for an error's text, no more.
fn object(node: &NodeEnum) -> Option<String> {
    let relation = |relation: &Option<pg::RangeVar>| relation.as_ref().map(relation_name);
    match node {
        NodeEnum::CreateStmt(create) => relation(&create.relation),
        NodeEnum::AlterTableStmt(alter) => relation(&alter.relation),
        NodeEnum::IndexStmt(index) => relation(&index.relation),
        NodeEnum::ViewStmt(view) => relation(&view.view),
        NodeEnum::CopyStmt(copy) => relation(&copy.relation),
        NodeEnum::CreateTrigStmt(trigger) => relation(&trigger.relation),
        NodeEnum::RuleStmt(rule) => relation(&rule.relation),
        NodeEnum::CreatePolicyStmt(policy) => relation(&policy.table),
        NodeEnum::CreateSeqStmt(sequence) => relation(&sequence.sequence),
        NodeEnum::AlterSeqStmt(sequence) => relation(&sequence.sequence),
        NodeEnum::RefreshMatViewStmt(view) => relation(&view.relation),
        NodeEnum::CreateTableAsStmt(create) => create.into.as_ref().and_then(|into| relation(&into.rel)),
        NodeEnum::CreateRoleStmt(role) => Some(role.role.clone()),
        NodeEnum::AlterRoleStmt(role) => role.role.as_ref().map(|role| role.rolename.clone()),
        NodeEnum::CreateExtensionStmt(extension) => Some(extension.extname.clone()),
        NodeEnum::CreateSchemaStmt(schema) => Some(schema.schemaname.clone()),
        NodeEnum::CreateFunctionStmt(function) => Some(names(&function.funcname)),
        NodeEnum::CreateDomainStmt(domain) => Some(names(&domain.domainname)),
        NodeEnum::CreateEnumStmt(create) => Some(names(&create.type_name)),
        NodeEnum::DefineStmt(define) => Some(names(&define.defnames)),
        NodeEnum::AlterOwnerStmt(alter) => alter.object.as_ref().and_then(|object| match &object.node {
            Some(NodeEnum::List(list)) => Some(names(&list.items)),
            Some(NodeEnum::String(name)) => Some(name.sval.clone()),
            Some(NodeEnum::ObjectWithArgs(function)) => Some(names(&function.objname)),
            _ => None,
        }),
        _ => None,
    }
}

fn names(nodes: &[pg::Node]) -> String {
    // An operator's name is no identifier.
    let operator = |name: &str| name.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c));
    let name = |name: String| if operator(&name) { name } else { quoted(&name) };
    nodes.iter().filter_map(string).map(name).collect::<Vec<_>>().join(".")
}

/// `schema.name`, with quotes where SQL needs them.
#[must_use]
pub fn relation_name(relation: &pg::RangeVar) -> String {
    if relation.schemaname.is_empty() {
        quoted(&relation.relname)
    } else {
        Relation::new(&relation.schemaname, &relation.relname).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_known_by_its_name_and_table() {
        let watch = "CREATE TRIGGER watch AFTER INSERT ON m.\"T\" FOR EACH ROW EXECUTE FUNCTION f('1');";
        assert_eq!(table_of_trigger(watch, "watch"), Some(Relation::new("m", "T")));
        assert_eq!(table_of_trigger(watch, "other"), None);
        assert_eq!(table_of_trigger("ALTER TABLE m.t ENABLE TRIGGER watch;", "watch"), None);
    }
}
