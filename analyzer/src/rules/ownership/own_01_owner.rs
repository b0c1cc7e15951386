//! OWN-01: `OWNER TO` a role that tsdbadmin cannot give objects to yet, or ever.

use std::ops::Range;

use super::handover::{Handover, hand_over, is_chunk, member_by_dump};
use crate::edit::{Action, Safety};
use crate::facts::names::{options, qualified, quoted, relation, role, roles};
use crate::facts::objects::subject;
use crate::facts::{Object, ObjectId};
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, Finish, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::{DATABASE_OWNER, Known, known, missing_advice, missing_message};
use crate::rules::role::lists::role_range;

pub(crate) const RULE: Rule = Rule {
    id: "OWN-01",
    name: "owner",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "owner.to",
        "Owners are kept by lending memberships; those of superusers become tsdbadmin's, and those of hypertables where a dump is restored by hand. REASSIGN OWNED is OWN-07's.",
    ),
    also_answers: &["DATA-02", "PG-16"],
    statements: &[
        StatementKind::AlterOwnerStmt,
        StatementKind::AlterSeqStmt,
        StatementKind::AlterTableStmt,
        StatementKind::GrantStmt,
        StatementKind::RenameStmt,
        StatementKind::ViewStmt,
    ],
    doc: Doc {
        summary: "ALTER … OWNER TO a role that the restoring role cannot hand objects to.",
        what: "pg_dump gives every object its owner with ALTER … OWNER TO.",
        why: "tsdbadmin must be able to act as the new owner (SET ROLE; membership up to 15), and the new owner must have CREATE on the object's schema (on the database, for a publication). Nobody but the provider is superuser on the service.",
        server: &[
            "42501 must be able to SET ROLE \"app\" (16 and newer)",
            "42501 must be member of role \"app\" (15 and older)",
            "42501 permission denied for schema app",
            "42704 role \"app\" does not exist",
        ],
        help: "Owners are kept: tsdbadmin becomes a member of the owner once, and the owner gets CREATE on the schema for as long as ownership is handed over. What postgres or a provider's administrator owned is owned by tsdbadmin on the target. A superuser of the source with another name is an ordinary role on the target, and keeps what it owned. tsmigrate migrate hands over hypertables and continuous aggregates too, with their chunks and sequences. Where a dump is restored by hand they stay tsdbadmin's, as nobody else can create in the schema of the chunks; the former owner gets all privileges on them.",
        before: "CREATE ROLE app;\nCREATE TABLE public.t (a integer);\nALTER TABLE public.t OWNER TO app;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/adt/acl.c, check_can_set_role; commands/tablecmds.c, ATExecChangeOwner; \
             commands/alter.c, AlterObjectOwner_internal; commands/publicationcmds.c, AlterPublicationOwner_internal",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    remember(ctx, node);
    identity_of_hypertable(ctx, node);
    let Some(change) = OwnerChange::of(ctx, statement, node) else { return };
    // The server's own objects are rule SU-20's.
    let id = &change.object.id;
    if matches!(id.schema.as_deref(), Some("pg_catalog" | "information_schema")) && !ctx.facts.declares(id) {
        return;
    }
    if let Some(draft) = change.to_unusable_owner(ctx).or_else(|| change.of_unmovable_object(ctx)) {
        ctx.report(draft);
        return;
    }
    let draft = change.draft("");
    hand_over(ctx, draft, &change.object, change.owner, change.refused);
}

/// A change of an object's owner.
struct OwnerChange<'a> {
    object: Object,
    id: ObjectId,
    /// The object's words for messages.
    words: String,
    owner: &'a str,
    /// The bytes of the owner's name.
    range: Option<Range<usize>>,
    known: Known<'a>,
    /// What the server says to one who is no member of the owner.
    refused: ServerError,
}

impl<'a> OwnerChange<'a> {
    /// The change that the statement makes; `None` where it makes none that could fail.
    fn of(ctx: &Context<'a>, statement: &Statement<'_>, node: &'a NodeEnum) -> Option<Self> {
        let spec = new_owner(node)?;
        let object = subject(node)?;
        let owner = role(spec)?;
        let class = object.id.class;
        if matches!(
            class,
            Class::Database
                | Class::Tablespace
                | Class::EventTrigger
                | Class::Subscription
                | Class::ForeignDataWrapper
        ) || ctx.facts.absence(&object.id).is_some()
            || owner == ctx.target.admin
            // What owns a schema, or may create in public.
            || owner == DATABASE_OWNER
                && (class == Class::Schema || object.id.schema.as_deref() == Some("public"))
        {
            return None;
        }
        // The language is the bootstrap superuser's already: asking for that again is no change, and passes.
        if class == Class::Language && owner == "postgres" {
            return None;
        }
        let known = known(ctx, owner);
        // An index follows its table: to ask for another owner is a warning at most.
        if object.word == "index" && matches!(known, Known::Made | Known::Target) {
            return None;
        }
        let refused = if ctx.target.version >= 16 {
            ServerError::new("42501", format!("must be able to SET ROLE \"{owner}\""))
        } else {
            ServerError::new("42501", format!("must be member of role \"{owner}\""))
        };
        Some(Self {
            id: ctx.resolved(&object.id),
            words: ctx.describe(&object),
            range: role_range(statement, spec),
            object,
            owner,
            known,
            refused,
        })
    }

    fn draft(&self, message: impl Into<String>) -> Draft {
        let draft = Draft::new(message).object(self.words.clone());
        match &self.range {
            Some(range) => draft.at(range.clone()),
            None => draft,
        }
    }

    /// The fix that leaves the object with the restoring role.
    fn stays(&self, ctx: &Context<'_>) -> FixDraft {
        FixDraft::remove(format!("{} remains the owner of {}", ctx.target.admin, self.words))
    }

    /// The owner is a role of the service or of a provider, or does not exist.
    fn to_unusable_owner(&self, ctx: &Context<'_>) -> Option<Draft> {
        let (owner, words, admin) = (self.owner, &self.words, &ctx.target.admin);
        let absent = || ServerError::missing_role(owner);
        let becomes = || {
            let message = format!("{owner} cannot own {words} on the target");
            self.draft(message).fix(self.stays(ctx))
        };
        if ctx.target.reserved_roles.contains_key(owner) || ctx.target.predefined_roles.contains_key(owner) {
            return Some(becomes().server(self.refused.clone()));
        }
        if let Known::Provider(_) = self.known {
            return Some(becomes().server(absent()));
        }
        (self.known == Known::Missing).then(|| {
            self.draft(missing_message(owner))
            .server(absent())
            .advice(format!(
                "{} Owners are kept then. Or leave owners out (--accept OWN-01): {admin} owns everything.",
                missing_advice(ctx)
            ))
            .fix(self.stays(ctx).review().lost(format!("owner {owner} of {words}")))
        })
    }

    /// The object cannot have another owner on the target.
    fn of_unmovable_object(&self, ctx: &Context<'_>) -> Option<Draft> {
        let Self { object, id, words, owner, .. } = self;
        let admin = &ctx.target.admin;
        if let Some(keeper) = out_of_reach(ctx, object, id) {
            let fix = FixDraft::remove(format!("{keeper} remains the owner of {words}"))
                .lost(format!("owner {owner} of {words}"));
            return Some(
                self.draft(format!("{keeper} owns {words} on the target: nobody else can become its owner"))
                    .server(ServerError::new(
                        "42501",
                        format!("must be owner of {} {}", object.word, id.name),
                    ))
                    .fix(fix),
            );
        }
        if id.class == Class::Server {
            return Some(self.of_foreign_server(ctx));
        }
        if ctx.options.hands_over_chunks && id.class == Class::Relation {
            return None;
        }
        let chunks = ServerError::new("42501", "permission denied for schema _timescaledb_internal");
        if let Some(kind) = self.kept_kind(ctx) {
            let fix = FixDraft::replace_with(title_instead(owner), vec![grant_all("TABLE", id, owner)])
                .lost(lost_owner(kind, id, owner, admin));
            let path = id.path();
            return Some(
                self.draft(format!(
                    "{admin} cannot hand over {kind} {path} to {owner}: its chunks are in a schema of the service"
                ))
                .server(chunks)
                .fix(fix),
            );
        }
        if is_chunk(ctx, id) {
            return Some(
                self.draft(format!(
                    "{admin} cannot hand over chunk {} to {owner}: TimescaleDB refuses it",
                    id.path()
                ))
                .server(ServerError::new("0A000", "operation not supported on chunk tables"))
                .fix(self.stays(ctx)),
            );
        }
        id.schema.as_deref().is_some_and(|schema| schema.starts_with("_timescaledb_")).then(|| {
            self.draft(format!("{admin} owns {words}: it is part of TimescaleDB"))
                .server(chunks)
                .fix(self.stays(ctx))
        })
    }

    fn of_foreign_server(&self, ctx: &Context<'_>) -> Draft {
        let Self { id, words, owner, .. } = self;
        let error = if member_by_dump(ctx, owner) {
            ServerError::new("42501", "permission denied for foreign-data wrapper …")
        } else {
            self.refused.clone()
        };
        let usage = format!("GRANT USAGE ON FOREIGN SERVER {} TO {};", quoted(&id.name), quoted(owner));
        let lost = format!("owner {owner} of {words}: {} owns it, {owner} may use it", ctx.target.admin);
        self.draft(format!(
            "{} cannot hand over {words} to {owner}: only a superuser can grant USAGE on its wrapper",
            ctx.target.admin
        ))
        .server(error)
        .fix(FixDraft::replace_with(format!("Let {owner} use it instead"), vec![usage]).lost(lost))
    }

    /// What the relation is, where TimescaleDB keeps its rows in chunks that nobody can hand over.
    fn kept_kind(&self, ctx: &Context<'_>) -> Option<&'static str> {
        if self.object.id.class != Class::Relation {
            return None;
        }
        if ctx.facts.hypertables.contains(&self.id) {
            return Some("hypertable");
        }
        let known = ctx.states.get::<Handover>();
        known
            .is_some_and(|known| known.continuous_aggregates.contains(&self.id))
            .then_some("continuous aggregate")
    }
}

/// The sequence of an identity column follows its table, and no statement of a dump names its owner: where the table is a
/// hypertable that tsdbadmin owns, the former owner would have lost the sequence without a word.
fn identity_of_hypertable(ctx: &mut Context<'_>, node: &NodeEnum) {
    let NodeEnum::AlterTableStmt(s) = node else { return };
    let Some(range) = &s.relation else { return };
    let (schema, name) = relation(range);
    let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    if ctx.options.hands_over_chunks || !ctx.facts.hypertables.contains(&table) {
        return;
    }
    let Some(owner) = ctx.facts.owner(&table).map(str::to_owned) else { return };
    let admin = ctx.target.admin.as_str();
    if owner == admin
        || ctx.target.reserved_roles.contains_key(&owner)
        || ctx.target.predefined_roles.contains_key(&owner)
        || !matches!(known(ctx, &owner), Known::Made | Known::Target)
    {
        return;
    }
    for sequence in s.cmds.iter().filter_map(identity_sequence) {
        let id = ctx.resolved(&sequence);
        let words = format!("sequence {}", id.path());
        let grant = vec![grant_all("SEQUENCE", &id, &owner)];
        let draft = Draft::new(format!(
            "{admin} remains the owner of {words}, as of its hypertable {}",
            table.path()
        ))
        .object(words)
        .severity(Severity::Warning)
        .fix(FixDraft::surround(format!("Grant {owner} all privileges on it"), Vec::new(), grant));
        ctx.report(draft);
    }
}

/// What the finish, and later statements, have to know of this one.
fn remember(ctx: &mut Context<'_>, node: &NodeEnum) {
    let table_of = |names: &[pg::Node]| {
        let (_, table) = names.split_last()?;
        let (schema, name) = qualified(table)?;
        Some(ctx.resolved(&ObjectId::new(Class::Relation, schema, name)))
    };
    match node {
        NodeEnum::AlterSeqStmt(s) => {
            let owned_by = options(&s.options).find(|option| option.defname == "owned_by");
            if let Some(NodeEnum::List(list)) = owned_by.and_then(|o| o.arg.as_ref()?.node.as_ref())
                && let Some(table) = table_of(&list.items)
                && let Some(object) = subject(node)
            {
                let sequence = ctx.resolved(&object.id);
                ctx.states.of::<Handover>().sequence_tables.insert(sequence, table);
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some(range) = &s.relation else { return };
            let (schema, name) = relation(range);
            let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
            for sequence in s.cmds.iter().filter_map(identity_sequence) {
                let sequence = ctx.resolved(&sequence);
                ctx.states.of::<Handover>().sequence_tables.insert(sequence, table.clone());
            }
        }
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectRole as i32 => {
            ctx.states.of::<Handover>().rename_role(&s.subname, &s.newname);
        }
        NodeEnum::ViewStmt(_) => {
            let materialized = ctx.statement().is_some_and(|statement| {
                statement.references().iter().any(|r| {
                    r.class == Class::Relation
                        && r.schema.as_deref() == Some("_timescaledb_internal")
                        && r.name.starts_with("_materialized_hypertable_")
                })
            });
            if let Some(object) = ctx.created(node).filter(|_| materialized) {
                ctx.states.of::<Handover>().continuous_aggregates.insert(object.id);
            }
        }
        NodeEnum::GrantStmt(s) if s.is_grant && s.objtype == pg::ObjectType::ObjectSchema as i32 => {
            // CREATE that the dump itself grants is no loan any more.
            let creates = s.privileges.is_empty()
                || s.privileges.iter().any(|p| {
                    matches!(&p.node, Some(NodeEnum::AccessPriv(p)) if p.priv_name.eq_ignore_ascii_case("create"))
                });
            for schema in s.objects.iter().filter_map(crate::facts::names::string).filter(|_| creates) {
                for grantee in roles(&s.grantees).filter_map(role) {
                    let key = (schema.to_owned(), grantee.to_owned());
                    if let Some(loan) = ctx.states.of::<Handover>().borrowed_create.get_mut(&key) {
                        loan.kept = true;
                    }
                }
            }
        }
        _ => {}
    }
}

/// The sequence of `ADD GENERATED … AS IDENTITY (SEQUENCE NAME …)`.
fn identity_sequence(command: &pg::Node) -> Option<ObjectId> {
    let NodeEnum::AlterTableCmd(command) = command.node.as_ref()? else { return None };
    if command.subtype != pg::AlterTableType::AtAddIdentity as i32 {
        return None;
    }
    let NodeEnum::Constraint(constraint) = command.def.as_ref()?.node.as_ref()? else { return None };
    let name = options(&constraint.options).find(|option| option.defname == "sequence_name")?;
    let NodeEnum::List(list) = name.arg.as_ref()?.node.as_ref()? else { return None };
    let (schema, name) = qualified(&list.items)?;
    Some(ObjectId::new(Class::Relation, schema, name))
}

/// Who owns an object that is not tsdbadmin's to give.
fn out_of_reach(ctx: &Context<'_>, object: &Object, id: &ObjectId) -> Option<String> {
    if object.id.class == Class::Language {
        return Some("the service".into());
    }
    super::own_03_grant::extension_of(ctx, id).map(|extension| format!("extension {extension}"))
}

fn title_instead(owner: &str) -> String {
    format!("Grant {owner} all privileges instead")
}

fn grant_all(word: &str, id: &ObjectId, owner: &str) -> String {
    format!("GRANT ALL ON {word} {} TO {};", id.path(), quoted(owner))
}

fn lost_owner(kind: &str, id: &ObjectId, owner: &str, admin: &str) -> String {
    format!("owner {owner} of {kind} {}: {admin} owns it, {owner} has all privileges on it", id.path())
}

/// The role that the statement makes an owner.
pub(super) fn new_owner(node: &NodeEnum) -> Option<&pg::RoleSpec> {
    match node {
        NodeEnum::AlterOwnerStmt(s) => s.newowner.as_ref(),
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().find_map(|command| match command.node.as_ref()? {
            NodeEnum::AlterTableCmd(c) if c.subtype == pg::AlterTableType::AtChangeOwner as i32 => {
                c.newowner.as_ref()
            }
            _ => None,
        }),
        _ => None,
    }
}

/// Keeps what turned out to belong to a hypertable, and takes back what was lent, after the last
/// statement that needed it.
fn finish(all: &mut Finish<'_>) {
    let known = all.states.get::<Handover>();
    for owner in all.facts.owners.iter().filter(|_| !all.options.hands_over_chunks) {
        let (word, kind) = if all.facts.hypertables.contains(&owner.object) {
            ("TABLE", "hypertable")
        } else if let Some(table) = known.and_then(|known| known.sequence_tables.get(&owner.object))
            && all.facts.hypertables.contains(table)
        {
            ("SEQUENCE", "sequence of a hypertable")
        } else {
            continue;
        };
        let Some(finding) = handed_over(all.findings, owner.place) else { continue };
        keep(finding, word, kind, &owner.object, &owner.role, &all.target.admin);
        if word == "SEQUENCE" {
            finding.message = format!(
                "{} cannot hand over {kind} {} to {}: a sequence has the owner of its table",
                all.target.admin,
                owner.object.path(),
                owner.role
            )
            .into();
        }
    }
    let loans = known.into_iter().flat_map(|known| &known.borrowed_create);
    for ((schema, _), loan) in loans.filter(|(_, loan)| !loan.kept) {
        let take_back = format!("REVOKE CREATE ON SCHEMA {} FROM {};", quoted(schema), quoted(&loan.role));
        let last = all.findings.iter_mut().rfind(|f| {
            *f.rule == RULE
                && f.solved
                && f.place.input == loan.place.input
                && f.place.statement == loan.place.statement
        });
        match last.and_then(|f| f.fix.as_mut()).map(|fix| &mut fix.action) {
            Some(Action::Surround { after, .. }) => after.push(take_back),
            Some(Action::Replace { with, .. }) => with.push(take_back),
            _ => {}
        }
    }
}

/// The finding of a statement that gives an object away.
fn handed_over(findings: &mut [Finding], place: Place) -> Option<&mut Finding> {
    findings.iter_mut().find(|f| {
        *f.rule == RULE
            && f.solved
            && f.place.input == place.input
            && f.place.statement == place.statement
            && matches!(f.fix.as_ref().map(|fix| &fix.action), Some(Action::Surround { .. }))
    })
}

/// Turns a hand-over into a GRANT: what later statements need of what it lent, they still get.
fn keep(finding: &mut Finding, word: &str, kind: &str, id: &ObjectId, owner: &str, admin: &str) {
    let Some(fix) = &mut finding.fix else { return };
    let Action::Surround { before, after, span } = &fix.action else { return };
    let mut with = before.clone();
    with.push(grant_all(word, id, owner));
    with.extend(after.iter().cloned());
    finding.message = format!(
        "{admin} cannot hand over {kind} {} to {owner}: its chunks are in a schema of the service",
        id.path()
    )
    .into();
    if word == "TABLE" {
        let text = "permission denied for schema _timescaledb_internal";
        finding.server_error = Some(ServerError::new("42501", text));
    }
    fix.title = title_instead(owner).into();
    fix.lost = Some(lost_owner(kind, id, owner, admin).into());
    fix.action = Action::Replace { span: *span, with };
}
