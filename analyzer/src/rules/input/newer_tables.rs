//! What IN-06 finds in tables: columns and constraints that came after the target's version.

use super::newer::Hit;
use crate::facts::names::{options, quoted, string};
use crate::finding::ServerError;
use crate::locate::Statement;
use crate::parse::{NodeEnum, pg};
use crate::rule::FixDraft;

/// Storage parameters that came with 18 (reloptions.c).
const STORAGE_PARAMETERS: [&str; 2] =
    ["autovacuum_vacuum_max_threshold", "vacuum_max_eager_freeze_failure_rate"];

/// True for a constraint of this kind.
pub(crate) fn is(constraint: &pg::Constraint, kind: pg::ConstrType) -> bool {
    constraint.contype == kind as i32
}

fn constraints(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::Constraint> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::Constraint(constraint) => Some(constraint.as_ref()),
        _ => None,
    })
}

/// What is too new in a CREATE TABLE.
pub(crate) fn table(statement: &Statement<'_>, s: &pg::CreateStmt, hits: &mut Vec<Hit>) {
    for element in &s.table_elts {
        match &element.node {
            Some(NodeEnum::ColumnDef(column)) => self::column(statement, column, hits),
            Some(NodeEnum::Constraint(c)) => {
                if is(c, pg::ConstrType::ConstrNotnull) {
                    hits.push(
                        Hit::syntax("NOT NULL as a constraint of the table", 18, "NOT")
                            .at_constraint(statement, c),
                    );
                }
                constraint(statement, c, hits);
            }
            _ => {}
        }
    }
    for option in options(&s.options).filter(|o| STORAGE_PARAMETERS.contains(&&*o.defname)) {
        let name = &option.defname;
        let error = ServerError::new("22023", format!("unrecognized parameter \"{name}\""));
        hits.push(Hit::new(format!("the storage parameter {name}"), 18, error).at(statement, &[name]));
    }
}

fn column(statement: &Statement<'_>, column: &pg::ColumnDef, hits: &mut Vec<Hit>) {
    if !column.storage_name.is_empty() {
        hits.push(
            Hit::syntax("STORAGE in the definition of a column", 16, "STORAGE")
                .at(statement, &["STORAGE", &column.storage_name]),
        );
    }
    for c in constraints(&column.constraints) {
        if is(c, pg::ConstrType::ConstrNotnull) && c.is_no_inherit {
            hits.push(Hit::syntax("NOT NULL … NO INHERIT", 18, "NO").at(statement, &["NO", "INHERIT"]));
        }
        // A generated column is virtual where it does not say STORED.
        if is(c, pg::ConstrType::ConstrGenerated) && c.generated_kind == "v" {
            let near = behind_expression(statement, c);
            hits.push(
                Hit::syntax(format!("the virtual generated column {}", quoted(&column.colname)), 18, &near)
                    .at_constraint(statement, c),
            );
        }
        constraint(statement, c, hits);
    }
}

/// The token where an older server misses STORED: the one behind `GENERATED ALWAYS AS (…)`.
fn behind_expression(statement: &Statement<'_>, c: &pg::Constraint) -> String {
    let start = usize::try_from(c.location).unwrap_or_default();
    let depth = statement.token_at(start).map_or(0, |token| token.depth);
    let sql = statement.sql();
    statement
        .code()
        .skip_while(|token| token.start < start)
        .skip_while(|token| token.depth > depth || token.text(sql) != ")")
        .nth(1)
        .map_or_else(String::new, |token| token.text(sql).to_owned())
}

/// What a constraint of a table or column may say since 18.
fn constraint(statement: &Statement<'_>, c: &pg::Constraint, hits: &mut Vec<Hit>) {
    let enforceable = is(c, pg::ConstrType::ConstrCheck) || is(c, pg::ConstrType::ConstrForeign);
    if enforceable && !c.is_enforced || is(c, pg::ConstrType::ConstrAttrNotEnforced) {
        hits.push(
            Hit::syntax("a constraint NOT ENFORCED", 18, "ENFORCED").at(statement, &["NOT", "ENFORCED"]),
        );
    }
    if c.without_overlaps {
        hits.push(Hit::syntax("WITHOUT OVERLAPS", 18, "WITHOUT").at(statement, &["WITHOUT", "OVERLAPS"]));
    }
    if c.fk_with_period || c.pk_with_period {
        let near = string_after_period(statement).unwrap_or_default();
        hits.push(Hit::syntax("PERIOD in a foreign key", 18, &near).at(statement, &["PERIOD"]));
    }
}

/// The parser stumbles over the column's name behind PERIOD, which it takes for a column.
fn string_after_period(statement: &Statement<'_>) -> Option<String> {
    let period = statement.words_where(&["PERIOD"], |_| true)?;
    let name = statement.name_at(period.end)?;
    Some(statement.sql().get(name)?.to_owned())
}

/// What is too new in an ALTER TABLE.
pub(crate) fn alter_table(statement: &Statement<'_>, s: &pg::AlterTableStmt, hits: &mut Vec<Hit>) {
    use pg::AlterTableType as T;
    for node in &s.cmds {
        let Some(NodeEnum::AlterTableCmd(command)) = &node.node else { continue };
        let def = command.def.as_ref().and_then(|def| def.node.as_ref());
        match T::try_from(command.subtype) {
            Ok(T::AtAddConstraint) => {
                let Some(NodeEnum::Constraint(c)) = def else { continue };
                if is(c, pg::ConstrType::ConstrNotnull) {
                    hits.push(added_not_null(statement, s, c));
                }
                constraint(statement, c, hits);
            }
            Ok(T::AtAddColumn) => {
                if let Some(NodeEnum::ColumnDef(column)) = def {
                    self::column(statement, column, hits);
                }
            }
            Ok(T::AtAlterConstraint) => {
                if let Some(word) = statement.words(&["NO", "INHERIT"]) {
                    let error =
                        ServerError::new("0A000", "FOREIGN KEY constraints cannot be marked NO INHERIT");
                    let mut hit = Hit::new("ALTER CONSTRAINT … NO INHERIT", 18, error);
                    hit.at = Some(word);
                    hits.push(hit);
                } else if let Some(word) = statement.words(&["INHERIT"]) {
                    let mut hit = Hit::syntax("ALTER CONSTRAINT … INHERIT", 18, "INHERIT");
                    hit.at = Some(word);
                    hits.push(hit);
                }
                if let Some(word) = statement.words(&["ENFORCED"]) {
                    let mut hit = Hit::syntax("ALTER CONSTRAINT … ENFORCED", 18, "ENFORCED");
                    hit.at = Some(word);
                    hits.push(hit);
                }
            }
            Ok(T::AtSetExpression) => hits
                .push(Hit::syntax("SET EXPRESSION", 17, "EXPRESSION").at(statement, &["SET", "EXPRESSION"])),
            Ok(T::AtSetStatistics) if def.is_none() => hits.push(
                Hit::syntax("SET STATISTICS DEFAULT", 17, "DEFAULT")
                    .at(statement, &["STATISTICS", "DEFAULT"]),
            ),
            Ok(T::AtSetStorage) if statement.words(&["STORAGE", "DEFAULT"]).is_some() => hits.push(
                Hit::syntax("SET STORAGE DEFAULT", 16, "DEFAULT").at(statement, &["STORAGE", "DEFAULT"]),
            ),
            Ok(T::AtSetAccessMethod) if command.name.is_empty() => hits.push(
                Hit::syntax("SET ACCESS METHOD DEFAULT", 17, "DEFAULT").at(statement, &["METHOD", "DEFAULT"]),
            ),
            _ => {}
        }
    }
}

/// `ADD CONSTRAINT n NOT NULL c` says the same as `ALTER COLUMN c SET NOT NULL`, but for the name.
fn added_not_null(statement: &Statement<'_>, s: &pg::AlterTableStmt, c: &pg::Constraint) -> Hit {
    let hit = Hit::syntax("NOT NULL as a constraint of the table", 18, "NOT").at_constraint(statement, c);
    let (Some(column), [_]) = (c.keys.first().and_then(string), s.cmds.as_slice()) else { return hit };
    let Some(add) = statement.words(&["ADD"]) else { return hit };
    let head = statement.sql().get(..add.start).unwrap_or_default();
    if c.skip_validation {
        return hit.fix(
            FixDraft::remove("only a newer server has it NOT VALID")
                .review()
                .lost(format!("NOT NULL of new rows' column {column}")),
        );
    }
    if c.is_no_inherit {
        return hit;
    }
    hit.fix(FixDraft::replace_with(
        "Say it in older words",
        vec![format!("{head}ALTER COLUMN {} SET NOT NULL;", quoted(column))],
    ))
}
