//! ROLE-06: who granted a role, and how a membership works, where the target takes neither.

use super::lists::{granted_by, items, listed};
use super::membership::Membership;
use crate::edit::Safety;
use crate::facts::names::{option, option_is_on, options, quoted, role};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-06",
    name: "grant-options",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "role.grant-options",
        "GRANTED BY, and options of memberships that came with 16.",
    ),
    also_answers: &["IN-06", "PG-16"],
    statements: &[StatementKind::GrantRoleStmt],
    doc: Doc {
        summary: "GRANT of a role with GRANTED BY another role, or with INHERIT and SET before 16.",
        what: "pg_dumpall writes of every membership who granted it, and from 16 on also WITH INHERIT TRUE or FALSE \
               and SET FALSE.",
        why: "tsdbadmin cannot grant in the name of another role. Servers up to 15 do not know INHERIT and SET of a \
              single membership.",
        server: &[
            "42501 permission denied to grant privileges as role \"postgres\" (16 and newer)",
            "DETAIL Only roles with privileges of role \"postgres\" may grant privileges as this role.",
            "42501 must be superuser to set grantor (15 and older)",
            "42601 syntax error at or near \"INHERIT\" (15 and older)",
        ],
        help: "GRANTED BY is removed: tsdbadmin grants it. Up to 15 INHERIT and SET go too; where that changes what the member can do, the report says so. A membership that several roles granted becomes one, with all that any of them gave.",
        before: "CREATE ROLE grp;\nCREATE ROLE app;\nGRANT grp TO app WITH INHERIT TRUE GRANTED BY postgres;",
        after: "CREATE ROLE grp;\nCREATE ROLE app;\nGRANT grp TO app WITH INHERIT TRUE;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/user.c, check_role_grantor, AddRoleMems"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(m) = Membership::of(ctx) else { return };
    let (s, node) = (m.statement, m.node);
    let old = ctx.target.version <= 15;
    let foreign = node.grantor.as_ref().and_then(|spec| Some((spec, grantor(ctx, node)?)));
    if let Some(fix) = merged(ctx, &m) {
        let mut draft = Draft::new("this membership already exists, granted by another role")
            .severity(Severity::Warning)
            .object(words(&m))
            .fix(fix);
        if let Some((_, name)) = foreign {
            draft = draft.severity(Severity::Error).server(refused(ctx, name));
        }
        ctx.report(draft);
        return;
    }
    let mut fix = FixDraft::edit("");
    let (mut said, mut title, mut lost): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    let (mut error, mut at) = (None, None);

    let is_late = |o: &&pg::DefElem| matches!(o.defname.as_str(), "inherit" | "set");
    if old && options(&node.opt).any(|o| is_late(&o)) && node.is_grant {
        let Some(clause) = options_clause(&m) else { return };
        let late: Vec<&str> = options(&node.opt).filter(is_late).map(|o| o.defname.as_str()).collect();
        let names = listed(late.iter().copied()).to_ascii_uppercase();
        said.push(format!("{names} of a membership came with PostgreSQL 16"));
        title.push(names);
        let near = if option(&node.opt, "admin").is_some() { "," } else { "INHERIT" };
        error = Some(ServerError::new("42601", format!("syntax error at or near \"{near}\"")));
        fix = match clause.without_late(s, node, fix) {
            Some(fix) => fix,
            None => return,
        };
        at = Some(clause.range.clone());
        lost.extend(changed_rights(ctx, &m));
    }
    if let Some((spec, name)) = foreign {
        let Some(range) = granted_by(s, spec) else { return };
        said.push(format!("{} cannot grant in the name of {name}", ctx.target.admin));
        title.push(format!("GRANTED BY {name}"));
        error.get_or_insert_with(|| refused(ctx, name));
        fix = fix.delete(s.with_gap(&range)).change(Change::unset("/GrantRoleStmt/grantor"));
        at.get_or_insert(range);
    }
    let Some(error) = error else { return };
    fix = fix.title(format!("Remove {}", title.join(" and ")));
    if !lost.is_empty() {
        fix = fix.lost(lost.join("; "));
    }
    let mut draft = Draft::new(said.join("; ")).object(words(&m)).server(error).fix(fix);
    if let Some(at) = at {
        draft = draft.at(at);
    }
    ctx.report(draft);
}

/// The role in whose name it grants, where that is not the restoring role.
pub(crate) fn grantor<'a>(ctx: &Context<'_>, node: &'a pg::GrantRoleStmt) -> Option<&'a str> {
    node.grantor.as_ref().and_then(role).filter(|name| *name != ctx.target.admin)
}

fn words(m: &Membership<'_>) -> String {
    format!("membership in {}", listed(m.granted.iter().map(|(name, _)| *name)))
}

/// What the server says to a grant in the name of this role.
pub(crate) fn refused(ctx: &Context<'_>, name: &str) -> ServerError {
    if ctx.target.version >= 16 {
        ServerError::new("42501", format!("permission denied to grant privileges as role \"{name}\"")).detail(
            format!("Only roles with privileges of role \"{name}\" may grant privileges as this role."),
        )
    } else {
        ServerError::new("42501", "must be superuser to set grantor")
    }
}

/// The options of a GRANT: `WITH ADMIN OPTION, INHERIT TRUE`.
struct OptionsClause {
    range: std::ops::Range<usize>,
    items: Vec<std::ops::Range<usize>>,
}

fn options_clause(m: &Membership<'_>) -> Option<OptionsClause> {
    let s = m.statement;
    let to = s.words(&["TO"])?;
    let with = s.words_from(to.end, &["WITH"])?;
    let items = items(s, with.end, &["GRANTED"]);
    let range = with.start..items.last()?.end;
    (items.len() == m.node.opt.len()).then_some(OptionsClause { range, items })
}

impl OptionsClause {
    /// What a server up to 15 takes: ADMIN OPTION or nothing.
    fn without_late(
        &self,
        s: &crate::locate::Statement<'_>,
        node: &pg::GrantRoleStmt,
        mut fix: FixDraft,
    ) -> Option<FixDraft> {
        let mut admin = None;
        for (index, o) in options(&node.opt).enumerate() {
            if o.defname == "admin" && option_is_on(o) {
                admin = Some(self.items.get(index)?.clone());
            } else {
                fix = fix.change(Change::Remove(format!("/GrantRoleStmt/opt/{index}")));
            }
        }
        Some(match admin {
            Some(item) => {
                // From `WITH` on everything but the one item; its words may be ADMIN TRUE.
                let word = s.code().find(|token| token.start >= item.start)?.end;
                fix.replace(self.range.start..item.start, "WITH ").replace(word..self.range.end, " OPTION")
            }
            None => fix.delete(s.with_gap(&self.range)),
        })
    }
}

/// What the members can do on a target up to 15 that they could not, or no longer can.
fn changed_rights(ctx: &Context<'_>, m: &Membership<'_>) -> Option<String> {
    let granted = listed(m.granted.iter().map(|(name, _)| *name));
    let inherit = option(&m.node.opt, "inherit").map(option_is_on);
    let may_set = option(&m.node.opt, "set").is_none_or(option_is_on);
    let mut said = Vec::new();
    for member in m.members.iter().filter_map(|(name, _)| *name).filter(|name| *name != ctx.target.admin) {
        let inherits = !ctx.facts.roles.get(member).is_some_and(|role| role.noinherit);
        match inherit {
            Some(true) if !inherits => {
                said.push(format!("INHERIT TRUE: {member} is NOINHERIT and must SET ROLE {granted} first"));
            }
            Some(false) if inherits => {
                said.push(format!("INHERIT FALSE: {member} has the privileges of {granted} at once"));
            }
            _ => {}
        }
        if !may_set {
            said.push(format!("SET FALSE: {member} can SET ROLE {granted}"));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// A second GRANT of the same membership would undo what the first gave: on the source they were
/// different grantors'. Where it gives less or other things, a GRANT that gives all of it.
fn merged(ctx: &Context<'_>, m: &Membership<'_>) -> Option<FixDraft> {
    let ([(role, _)], [(Some(member), _)]) = (m.granted.as_slice(), m.members.as_slice()) else {
        return None;
    };
    // A script that grants twice means what it says last; a dump names the grantors.
    if ctx.target.version <= 15 || !m.node.is_grant || m.node.grantor.is_none() {
        return None;
    }
    let mut earlier = ctx.facts.memberships.iter().filter(|e| &*e.role == *role && &*e.member == *member);
    let first = earlier.next()?;
    let all = earlier.fold((first.admin, first.inherit, first.set), |(admin, inherit, set), e| {
        (admin || e.admin, inherit || e.inherit, set || e.set)
    });
    let given = |name: &str| option(&m.node.opt, name).map(option_is_on);
    let (admin, inherit, set) = (given("admin"), given("inherit"), given("set"));
    let weaker =
        all.0 && admin == Some(false) || all.1 && inherit == Some(false) || all.2 && set == Some(false);
    if !weaker {
        return None;
    }
    let adds =
        !all.0 && admin == Some(true) || !all.1 && inherit == Some(true) || !all.2 && set == Some(true);
    if !adds {
        return Some(FixDraft::remove(format!("{member} has more of {role} already")));
    }
    let on = |flag: bool| if flag { "TRUE" } else { "FALSE" };
    Some(FixDraft::replace_with(
        "Grant one membership with all that was granted",
        vec![format!(
            "GRANT {} TO {} WITH ADMIN {}, INHERIT {}, SET {};",
            quoted(role),
            quoted(member),
            on(all.0 || admin == Some(true)),
            on(all.1 || inherit == Some(true)),
            on(all.2 || set == Some(true))
        )],
    ))
}
