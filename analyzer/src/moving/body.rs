//! The names in the body of a function or DO block: what is proved of them, and what is not.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Doubt;
use super::names;
use super::scope::Scope;
use super::text::{LocalEdit, Text};
use crate::body::{BodyPart, Executed, UNKNOWN, body_text, parts};
use crate::facts::names::{option, option_text};
use crate::finding::Why;
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, TokenKind, Tokens, canonical, parse};
use crate::split::{Kind, split};

/// What the body of a statement needs.
#[derive(Debug, Default)]
pub(super) struct BodyChanges {
    /// Changes of the statement's bytes.
    pub(super) edits: BTreeSet<LocalEdit>,
    /// Changes of the trees of its parts, in their order.
    pub(super) trees: Vec<Vec<Change>>,
    /// What is not proved.
    pub(super) doubts: Vec<Doubt>,
    /// The `search_path` that its unqualified names need.
    pub(super) path: Option<Vec<String>>,
}

/// The changes of a statement's body. `None` where it has none.
pub(super) fn changes(statement: &Statement<'_>, scope: Scope<'_>) -> Option<BodyChanges> {
    let (options, is_do) = match statement.node() {
        NodeEnum::CreateFunctionStmt(s) if s.sql_body.is_none() => (s.options.as_slice(), false),
        NodeEnum::DoStmt(s) => (s.args.as_slice(), true),
        _ => return None,
    };
    let default = if is_do { "plpgsql" } else { "sql" };
    let language = option(options, "language").and_then(option_text).unwrap_or(default).to_ascii_lowercase();
    if matches!(language.as_str(), "c" | "internal") {
        return None;
    }
    let mut changes = BodyChanges::default();
    if !matches!(language.as_str(), "sql" | "plpgsql") {
        changes.doubts = in_other_language(statement, scope);
        // What it asks for, it asks for by the path of its caller.
        changes.path = scope.default_path();
        return Some(changes);
    }
    let parts = parts(statement);
    for part in &parts {
        changes.part(statement, part, scope);
    }
    changes.sweep(statement, &parts, scope);
    changes.unqualified(statement, &parts, scope, is_do);
    Some(changes)
}

/// The text of a part of a body.
fn text(part: &BodyPart) -> Text<'_> {
    // `x app.t.c%TYPE`, and no `app.t%ROWTYPE`.
    let trimmed = part.sql().trim_end().to_ascii_lowercase();
    let marked = trimmed.strip_suffix("type").is_some_and(|rest| rest.trim_end().ends_with('%'));
    Text {
        sql: part.sql(),
        parsed: part.parsed(),
        standard_strings: true,
        type_of_column: part.declares && marked,
    }
}

impl BodyChanges {
    fn doubt(&mut self, why: Why, range: Range<usize>) {
        self.doubts.push(Doubt { why, range });
    }

    fn part(&mut self, statement: &Statement<'_>, part: &BodyPart, scope: Scope<'_>) {
        let found = text(part).changes(&canonical(part.parsed().node()), scope);
        for edit in found.edits {
            let range = part.range(&edit.range);
            // Where the two do not read the same, a quote is escaped in between.
            if statement.sql().get(range.clone()) == part.sql().get(edit.range) {
                self.edits.insert(LocalEdit { range, text: edit.text });
            } else {
                self.doubt(Why::Text, range);
            }
        }
        self.trees.push(found.tree);
        for range in found.unknown {
            self.doubt(Why::Text, part.range(&range));
        }
        let whole = part.range(&(0..part.sql().len()));
        match &part.executed {
            Some(Executed::Unknown) => self.doubt(Why::Dynamic, whole),
            Some(Executed::Text(text)) if is_open(text) => self.doubt(Why::Dynamic, whole),
            _ => {}
        }
    }

    /// What speaks of a schema and was not read as its name: strings, and what the parser did not take.
    fn sweep(&mut self, statement: &Statement<'_>, parts: &[BodyPart], scope: Scope<'_>) {
        let Some(body) = body_text(statement) else { return };
        let sql = body.sql();
        let read: Vec<Range<usize>> = parts
            .iter()
            .filter(|part| !part.dynamic)
            .map(|part| part.range(&(0..part.sql().len())))
            .collect();
        let tokens = Tokens::scan(sql);
        if tokens.as_slice().is_empty() && !sql.trim().is_empty() {
            for schema in scope.spoken() {
                for range in names::spoken_of(sql, schema) {
                    self.doubt(Why::Text, body.range(&range));
                }
            }
            return;
        }
        for (at, token) in tokens.as_slice().iter().enumerate() {
            let mut found = Vec::new();
            let is_string = token.kind == TokenKind::String;
            for schema in scope.spoken() {
                if is_string {
                    let places = names::spoken_of(token.text(sql), schema).into_iter();
                    found.extend(places.map(|place| token.start + place.start..token.start + place.end));
                } else if token.identifier(sql).is_some_and(|name| name == schema)
                    && tokens.as_slice().get(at + 1).is_some_and(|next| next.text(sql) == ".")
                    && at
                        .checked_sub(1)
                        .and_then(|at| tokens.as_slice().get(at))
                        .is_none_or(|before| before.text(sql) != ".")
                {
                    found.push(token.start..token.end);
                }
            }
            for range in found {
                let range = body.range(&range);
                let is_read =
                    !is_string && read.iter().any(|part| part.start <= range.start && range.end <= part.end);
                let edited = |edit: &LocalEdit| edit.range.start < range.end && range.start < edit.range.end;
                if !is_read && !self.edits.iter().any(edited) {
                    self.doubt(Why::Text, range);
                }
            }
            // A schema by its bare name, where the body asks the catalogs.
            if is_string && names::asks_catalogs(sql) && is_bare(token.text(sql), scope) {
                let range = body.range(&(token.start..token.end));
                if !self
                    .edits
                    .iter()
                    .any(|edit| range.start <= edit.range.start && edit.range.end <= range.end)
                {
                    self.doubt(Why::Text, range);
                }
            }
        }
    }

    /// The path that unqualified names of moving objects need.
    fn unqualified(&mut self, statement: &Statement<'_>, parts: &[BodyPart], scope: Scope<'_>, is_do: bool) {
        let mut schemas: BTreeSet<&str> = BTreeSet::new();
        let mut first = None;
        let mut ambiguous = false;
        for part in parts {
            let by_path = part.executed == Some(Executed::Unknown);
            if by_path {
                schemas.insert("public");
                first.get_or_insert_with(|| part.range(&(0..part.sql().len())));
            }
            for reference in part.parsed().references().iter().filter(|reference| reference.schema.is_none())
            {
                let mut found = scope.database.schemas_with(reference.class, &reference.name);
                let Some(schema) = found.next() else { continue };
                if reference.class != Class::Relation
                    && crate::target::is_builtin(reference.class, &reference.name)
                {
                    continue;
                }
                ambiguous |= found.next().is_some();
                if scope.schema(schema).is_some() {
                    schemas.insert(schema);
                    first.get_or_insert_with(|| part.range(&(0..part.sql().len())));
                }
            }
        }
        let Some(first) = first else { return };
        if statement_sets_path(statement.node()) {
            return;
        }
        let mut path = vec!["public".to_owned()];
        path.extend(schemas.into_iter().filter(|schema| *schema != "public").map(str::to_owned));
        // Callers found members of extensions by their own path: operators among them, which no text shows.
        let of_extensions =
            scope.database.schemas_of_extensions().filter(|schema| !path.iter().any(|own| own == schema));
        path.extend(of_extensions.map(str::to_owned).collect::<BTreeSet<String>>());
        let is_left = body_text(statement).is_some_and(|body| {
            let is_procedure = matches!(statement.node(), NodeEnum::CreateFunctionStmt(s) if s.is_procedure);
            is_of_caller(body.sql(), is_procedure)
        });
        // A function that is left to the path of its caller goes on to see it only where those that call it are.
        let own = crate::facts::objects::created(statement.node()).map(|object| object.id.name);
        let calls_others = scope.database.has_namesakes
            && parts.iter().flat_map(|part| part.parsed().references()).any(|reference| {
                let schema = reference.schema.as_deref();
                let of_schema = |schema| scope.database.creates(Class::Function, schema, &reference.name);
                reference.class == Class::Function
                    && own.as_deref() != Some(&*reference.name)
                    && schema.map_or_else(
                        || scope.database.schemas_with(Class::Function, &reference.name).next().is_some(),
                        of_schema,
                    )
            });
        // A DO block takes no setting.
        if is_do || is_left || ambiguous || calls_others {
            self.doubt(Why::Path, first);
            return;
        }
        self.path = scope.path(&path);
    }
}

/// True for a body that would do something else with a setting of its own: a procedure with one may not commit, nor may one that it
/// calls; what the body sets for its caller's transaction ends with it; and it asks which schemas its caller has.
fn is_of_caller(sql: &str, is_procedure: bool) -> bool {
    // Texts that EXECUTE runs, too.
    let lower = sql.to_ascii_lowercase();
    let has = |word: &str| {
        let ends = |c: char| !(c.is_alphanumeric() || c == '_');
        lower.match_indices(word).any(|(at, _)| {
            lower.get(..at).is_none_or(|before| before.chars().next_back().is_none_or(ends))
                && lower.get(at + word.len()..).is_none_or(|behind| behind.chars().next().is_none_or(ends))
        })
    };
    is_procedure && ["commit", "rollback", "call"].into_iter().any(has)
        || ["search_path", "current_schema", "current_schemas"].into_iter().any(has)
}

/// True for a string that is the bare name of a schema that moves.
fn is_bare(token: &str, scope: Scope<'_>) -> bool {
    scope.spoken().contains(token.trim_matches('\''))
}

/// True where the function brings its own `search_path`.
fn statement_sets_path(node: &NodeEnum) -> bool {
    let NodeEnum::CreateFunctionStmt(s) = node else { return false };
    crate::facts::names::options(&s.options).any(|option| {
        option.defname == "set"
            && matches!(option.arg.as_ref().and_then(|arg| arg.node.as_ref()),
                        Some(NodeEnum::VariableSetStmt(set)) if set.name == "search_path")
    })
}

/// True for a text of EXECUTE that may name a schema only when it runs: one that the parser does not take, or with a name that is
/// not known.
fn is_open(text: &str) -> bool {
    let mut statements = 0;
    let open = split(text.as_bytes()).iter().filter(|piece| piece.kind == Kind::Statement).any(|piece| {
        statements += 1;
        let Ok(Some(parsed)) = parse(&String::from_utf8_lossy(piece.text), true) else { return true };
        parsed.references().iter().any(|reference| {
            let names = [Some(&reference.name), reference.schema.as_ref()];
            let unknown = names.iter().flatten().any(|name| name.contains(UNKNOWN));
            // Under a schema that is written there, the name may be any.
            let below = reference.schema.as_ref().is_some_and(|schema| !schema.contains(UNKNOWN));
            unknown
                && !below
                && matches!(reference.class, Class::Relation | Class::Type | Class::Function | Class::Schema)
        })
    });
    open || statements == 0
}

/// Bodies that nobody reads: where they speak of a schema.
fn in_other_language(statement: &Statement<'_>, scope: Scope<'_>) -> Vec<Doubt> {
    let sql = statement.sql();
    let mut doubts = Vec::new();
    for token in statement.code().filter(|token| token.kind == TokenKind::String) {
        for schema in scope.spoken() {
            for place in names::spoken_of(token.text(sql), schema) {
                doubts.push(Doubt {
                    why: Why::Text,
                    range: token.start + place.start..token.start + place.end,
                });
            }
        }
    }
    doubts
}
