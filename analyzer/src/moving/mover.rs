//! The second look at the inputs: the changes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Doubt;
use super::map::SchemaMap;
use super::names;
use super::scope::Scope;
use super::statement::{Moved, moved};
use super::survey::Survey;
use super::text::LocalEdit;
use crate::edit::Edit;
use crate::facts::names::{option, option_text, role, set_config};
use crate::facts::objects::{created, subject};
use crate::finding::{Place, Unmoved, Why};
use crate::locate::{Statement, excerpt};
use crate::parse::{NodeEnum, Tokens, parse, pg};
use crate::quote::quoted;
use crate::rewrite::Planned;
use crate::secrets::masks;
use crate::split::{Kind, Piece, Splitter};
use crate::text::{Span, parseable, position};

/// What moves, of all inputs.
#[derive(Debug, Default)]
pub struct Moves {
    /// The changes of each input, in the order of its bytes.
    pub planned: Vec<Vec<Planned>>,
    /// What nothing proves.
    pub unmoved: Vec<Unmoved>,
    /// Databases whose schemas move.
    pub databases: BTreeSet<String>,
}

/// Writes the changes of inputs: for each [`Mover::begin`], [`Mover::feed`], [`Mover::end`].
#[derive(Debug)]
pub struct Mover<'a> {
    map: &'a SchemaMap,
    survey: &'a Survey,
    moves: Moves,
    splitter: Splitter,
    statements: u32,
    /// The database at hand.
    current: String,
    /// Schemas that have been created in place of a `public`.
    created: BTreeSet<String>,
    /// The input has set a `search_path` since it connected.
    has_path: bool,
    /// The schema of the database at hand exists.
    begun: bool,
    /// The schemas of extensions that are created.
    extensions: BTreeMap<String, Option<String>>,
    /// The databases that set a parameter, of a role or of everybody.
    settings: BTreeMap<(String, String), String>,
}

impl<'a> Mover<'a> {
    /// A mover that has seen no input.
    #[must_use]
    pub fn new(map: &'a SchemaMap, survey: &'a Survey) -> Self {
        let mut databases = map.names();
        if map.only.is_some() {
            databases.extend(survey.main().map(|(name, _)| name.to_owned()));
        }
        Self {
            map,
            survey,
            moves: Moves { databases, ..Moves::default() },
            splitter: Splitter::new(),
            statements: 0,
            current: String::new(),
            created: BTreeSet::new(),
            has_path: false,
            begun: false,
            extensions: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }

    /// The next input begins, which is of the database of this name until it connects to another.
    pub fn begin(&mut self, database: &str) {
        self.splitter = Splitter::new();
        self.statements = 0;
        self.moves.planned.push(Vec::new());
        self.connect(database);
    }

    fn connect(&mut self, database: &str) {
        self.map.key(database).clone_into(&mut self.current);
        (self.has_path, self.begun) = (false, false);
    }

    /// Takes its next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.feed(chunk, &mut |piece| self.piece(&piece));
        self.splitter = splitter;
    }

    /// It has ended.
    pub fn end(&mut self) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(&mut |piece| self.piece(&piece));
    }

    /// All inputs have ended.
    #[must_use]
    pub fn finish(self) -> Moves {
        self.moves
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece.kind {
            Kind::Meta => {
                let text = parseable(piece.text);
                let target = crate::input::connect_target(&text);
                if target.is_none() {
                    self.unread(&text, piece);
                }
                if let Some(database) = target.filter(|database| database != "-") {
                    // pg_dump connects again after it has set the properties of the database.
                    if self.map.key(&database) == self.current {
                        self.has_path = false;
                    } else {
                        self.connect(&database);
                    }
                }
            }
            Kind::Statement => {
                self.statements += 1;
                let sql = parseable(piece.text);
                let Ok(Some(parsed)) = parse(&sql, piece.standard_strings) else {
                    return self.unread(&sql, piece);
                };
                let input = self.moves.planned.len().saturating_sub(1);
                let statement =
                    Statement::new(&sql, &parsed, input, self.statements, piece.span.start, piece.at);
                let Some(scope) = self.scope(&statement) else {
                    if self.is_left_to_another(statement.node()) {
                        let edit = Edit { span: piece.span, text: String::new() };
                        self.moves
                            .planned
                            .last_mut()
                            .into_iter()
                            .for_each(|all| all.push(Planned::Replace(edit.clone())));
                    }
                    return;
                };
                self.before(&statement, scope, piece.span);
                let mut moved = moved(&statement, &parsed, piece.standard_strings, scope);
                self.shared(&statement, scope, &mut moved);
                let edits = moved.edits.into_iter().map(|edit| {
                    let span = Span::new(edit.range.start as u64, edit.range.end as u64);
                    Planned::Replace(Edit { span: span.shifted(piece.span.start), text: edit.text })
                });
                if let Some(planned) = self.moves.planned.last_mut() {
                    planned.extend(edits);
                }
                for doubt in moved.doubts {
                    self.doubt(&statement, &doubt);
                }
            }
            _ => {}
        }
    }

    fn doubt(&mut self, statement: &Statement<'_>, doubt: &Doubt) {
        let object = created(statement.node()).or_else(|| subject(statement.node()));
        let object = object.map(|object| match statement.sql().get(doubt.range.clone()) {
            Some(column) if doubt.why == Why::Rows => format!("column {column} of {object}"),
            _ => object.to_string(),
        });
        let unmoved = Unmoved {
            why: doubt.why,
            place: statement.place(&doubt.range),
            object,
            excerpt: statement.excerpt(&doubt.range),
        };
        if !self.moves.unmoved.contains(&unmoved) {
            self.moves.unmoved.push(unmoved);
        }
    }

    /// A piece that the parser does not take: where it speaks of a schema, nobody knows what it says.
    fn unread(&mut self, text: &str, piece: &Piece<'_>) {
        let (map, database) = (self.map.database(&self.current), self.survey.databases.get(&self.current));
        let Some((map, database)) = map.zip(database) else { return };
        let scope = Scope { map, database };
        let first =
            scope.spoken().into_iter().find_map(|schema| names::spoken_of(text, schema).into_iter().next());
        let Some(range) = first else { return };
        let at = position(text.as_bytes(), piece.at, range.start);
        let span = Span::new(range.start as u64, range.end as u64).shifted(piece.span.start);
        let input = self.moves.planned.len().saturating_sub(1);
        let tokens = Tokens::scan(text);
        self.moves.unmoved.push(Unmoved {
            why: Why::Text,
            place: Place { input, statement: self.statements, span, line: at.line, column: at.column },
            object: None,
            excerpt: excerpt(text, piece.at, &range, &masks(text, tokens.as_slice())),
        });
    }

    /// What two databases have, and the service once: extensions, and the schemas that hold nothing else.
    fn shared(&mut self, statement: &Statement<'_>, scope: Scope<'_>, moved: &mut Moved) {
        match statement.node() {
            NodeEnum::CreateExtensionStmt(s) => {
                let schema = option(&s.options, "schema").and_then(option_text);
                let new = schema.map(|schema| match scope.schema(schema) {
                    Some(new) if schema != "public" => new,
                    _ => schema.to_owned(),
                });
                let first = self.extensions.entry(s.extname.clone()).or_insert_with(|| new.clone());
                if *first != new {
                    moved.doubts.push(Doubt { why: Why::Shared, range: statement.body() });
                }
            }
            NodeEnum::CreateSchemaStmt(s) if scope.schema(&s.schemaname).is_none() => {
                let again = !self.created.insert(s.schemaname.clone()) || self.map.beside_others;
                if let Some(words) = statement.words(&["SCHEMA"]).filter(|_| again && !s.if_not_exists) {
                    let range = words.end..words.end;
                    moved.edits.insert(LocalEdit { range, text: " IF NOT EXISTS".to_owned() });
                }
            }
            // It would have the tables of the others.
            NodeEnum::CreatePublicationStmt(s) if self.is_shared() && s.for_all_tables => {
                moved.doubts.push(Doubt { why: Why::Shared, range: statement.body() });
            }
            // Without a schema they hold for what the role creates anywhere.
            NodeEnum::AlterDefaultPrivilegesStmt(s)
                if self.is_shared() && option(&s.options, "schemas").is_none() =>
            {
                moved.doubts.push(Doubt { why: Why::Shared, range: statement.body() });
            }
            _ => {}
        }
    }

    /// True where the service has more than this database.
    fn is_shared(&self) -> bool {
        self.map.beside_others || self.map.databases.len() > 1
    }

    /// True for a role's `search_path` that the other databases of a service are told of: the service has it from them.
    fn is_left_to_another(&self, node: &NodeEnum) -> bool {
        let NodeEnum::AlterRoleSetStmt(set) = node else { return false };
        self.map.beside_others
            && self.map.only.is_some()
            && set.database.is_empty()
            && set.setstmt.as_ref().is_some_and(|set| set.name == "search_path" && !set.args.is_empty())
    }

    /// What becomes of the database that the statement belongs to; `None` where that is not one that moves.
    fn scope(&mut self, statement: &Statement<'_>) -> Option<Scope<'a>> {
        let of = |name: &str| {
            let (map, database) = (self.map.database(name)?, self.survey.databases.get(name)?);
            Some(Scope { map, database })
        };
        let (setting, database) = match statement.node() {
            NodeEnum::AlterRoleSetStmt(s) => {
                (s.setstmt.as_ref().map(|set| (role_name(s), set)), s.database.as_str())
            }
            NodeEnum::AlterDatabaseSetStmt(s) => {
                (s.setstmt.as_ref().map(|set| (String::new(), set)), s.dbname.as_str())
            }
            _ => return of(&self.current),
        };
        let (role, set) = setting?;
        let path: Vec<String> =
            set.args.iter().filter_map(crate::facts::names::text).map(str::to_owned).collect();
        let is_path = database.is_empty() && set.name == "search_path";
        if self.map.only.is_some() {
            let scope = self.survey.main().and_then(|(name, _)| of(name))?;
            if is_path && scope.is_path_of_another(&path) {
                return None;
            }
            // What it sets for everybody, or for a role wherever that connects to, holds beside it too.
            let for_role = role.is_empty() || is_path;
            if self.map.beside_others && for_role {
                self.doubt(statement, &Doubt { why: Why::Shared, range: statement.body() });
            }
            return Some(scope);
        }
        if database.is_empty() {
            // A setting of the whole cluster: its schemas may be those of any database.
            let moves = |scope: &Scope<'_>| !scope.is_path_of_another(&path) && scope.path(&path).is_some();
            if is_path && self.map.databases.keys().filter_map(|name| of(name)).any(|scope| moves(&scope)) {
                self.doubt(statement, &Doubt { why: Why::Shared, range: statement.body() });
            }
            return None;
        }
        let scope = of(database)?;
        // What one database sets for everybody holds for the applications of the others too.
        let for_all = role.is_empty() && self.is_shared();
        let first = self.settings.entry((role, set.name.clone())).or_insert_with(|| database.to_owned());
        if first != database || for_all {
            self.doubt(statement, &Doubt { why: Why::Shared, range: statement.body() });
        }
        Some(scope)
    }

    /// What has to stand before the first statement of a database: the schema in place of `public`, which every database
    /// has, and the path of a script that sets none.
    fn before(&mut self, statement: &Statement<'_>, scope: Scope<'_>, span: Span) {
        match statement.node() {
            NodeEnum::VariableSetStmt(s) => {
                self.has_path |= s.name == "search_path";
                return;
            }
            NodeEnum::SelectStmt(s) => {
                if let Some((name, _)) = set_config(s) {
                    self.has_path |= name == "search_path";
                    return;
                }
            }
            NodeEnum::CreateRoleStmt(_)
            | NodeEnum::AlterRoleStmt(_)
            | NodeEnum::AlterRoleSetStmt(_)
            | NodeEnum::GrantRoleStmt(_)
            | NodeEnum::DropRoleStmt(_)
            | NodeEnum::CreatedbStmt(_)
            | NodeEnum::DropdbStmt(_)
            | NodeEnum::AlterDatabaseStmt(_)
            | NodeEnum::AlterDatabaseSetStmt(_)
            | NodeEnum::AlterDatabaseRefreshCollStmt(_)
            | NodeEnum::CreateTableSpaceStmt(_)
            | NodeEnum::DropTableSpaceStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::TransactionStmt(_) => return,
            NodeEnum::GrantStmt(s) if s.objtype == pg::ObjectType::ObjectDatabase as i32 => return,
            NodeEnum::AlterOwnerStmt(s) if s.object_type == pg::ObjectType::ObjectDatabase as i32 => return,
            NodeEnum::CommentStmt(s) if of_the_cluster(s.objtype) => return,
            _ => {}
        }
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let Some(new) = scope.schema("public") else { return };
        let mut text = String::new();
        let creates = |schema: &String| schema == "public" || scope.schema(schema).as_ref() == Some(&new);
        if !scope.database.schemas.iter().any(creates) && self.created.insert(new.clone()) {
            let schema = quoted(&new);
            let _ = write!(text, "CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC; ");
            // Since PostgreSQL 15 public is that of the database's owner.
            if let Some(owner) = &scope.database.owner {
                let _ = write!(text, "ALTER SCHEMA {schema} OWNER TO {}; ", quoted(owner));
            }
        }
        if let Some(path) = scope.default_path().filter(|_| !self.has_path) {
            let path: Vec<String> = path.iter().map(|schema| quoted(schema)).collect();
            let _ = write!(text, "SET search_path TO {}; ", path.join(", "));
        }
        if let Some(planned) = self.moves.planned.last_mut().filter(|_| !text.is_empty()) {
            planned.push(Planned::Replace(Edit::insert(span.start, text)));
        }
    }
}

fn role_name(s: &pg::AlterRoleSetStmt) -> String {
    s.role.as_ref().and_then(role).unwrap_or_default().to_owned()
}

/// True for objects of no database.
fn of_the_cluster(object_type: i32) -> bool {
    use pg::ObjectType as T;
    [T::ObjectRole, T::ObjectDatabase, T::ObjectTablespace].iter().any(|of| *of as i32 == object_type)
}

impl Survey {
    /// The one database that has objects.
    pub(super) fn main(&self) -> Option<(&str, &super::survey::Database)> {
        let mut all = self.databases.iter().filter(|(_, database)| database.has_objects);
        let (name, database) = all.next()?;
        all.next().is_none().then_some((name.as_str(), database))
    }
}
