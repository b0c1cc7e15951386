//! What statements tell of TimescaleDB.

use super::known::{Edition, INTERNAL, chunk_ids, is_users};
use crate::facts::ObjectId;
use crate::facts::names::{qualified, relation, string, strings, text};
use crate::facts::state::Facts;
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};

impl Facts {
    /// Takes what a statement tells of TimescaleDB.
    pub(in crate::facts) fn observe_timescale(&mut self, statement: &Statement<'_>) {
        let place = || statement.place(&statement.range());
        match statement.node() {
            NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectExtension as i32 => {
                let name = s.object.as_ref().and_then(|object| string(object));
                let edition = match () {
                    () if name != Some("timescaledb") => None,
                    () if s.comment.ends_with("(Community Edition)") => Some(Edition::Community),
                    () if s.comment.ends_with("(Apache 2 Edition)") => Some(Edition::Apache),
                    () => None,
                };
                self.timescale.edition = edition.map(|edition| (edition, place())).or(self.timescale.edition);
            }
            NodeEnum::CreateStmt(s) => self.table_of_timescale(s, place()),
            NodeEnum::CreateFunctionStmt(s) if s.parameters.is_empty() => self.clock(s),
            NodeEnum::CreateTrigStmt(s) if s.trigname.starts_with("ts_") => self.trigger(s, place()),
            NodeEnum::ViewStmt(s) => self.view_of_timescale(statement, s),
            NodeEnum::IndexStmt(s) => self.index_of_timescale(statement, s),
            NodeEnum::CopyStmt(s) if s.is_from => {
                if let Some(range) = &s.relation {
                    self.timescale.evidence.copied(range, &s.attlist);
                    self.catalog_rows(range, place());
                }
            }
            NodeEnum::InsertStmt(s) => {
                if let Some(range) = &s.relation {
                    self.catalog_rows(range, place());
                }
            }
            NodeEnum::SelectStmt(s) => {
                for name in called(s) {
                    match name {
                        "timescaledb_pre_restore" => self.timescale.restoring.0 = Some(place()),
                        "timescaledb_post_restore" => self.timescale.restoring.1 = Some(place()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn catalog_rows(&mut self, range: &pg::RangeVar, place: Place) {
        if range.schemaname == "_timescaledb_catalog" && range.relname == "hypertable" {
            self.timescale.catalogs.get_or_insert(place);
        }
        if range.schemaname == INTERNAL && chunk_ids(&range.relname, "_hyper_").is_some() {
            self.timescale.chunk_rows.get_or_insert(place);
        }
    }

    fn clock(&mut self, s: &pg::CreateFunctionStmt) {
        let Some(returned) = s.return_type.as_ref().filter(|returned| !returned.setof) else { return };
        let data_type = strings(&returned.names).join(".");
        let is_integer = matches!(&*data_type, "pg_catalog.int2" | "pg_catalog.int4" | "pg_catalog.int8");
        if let Some((schema, name)) = qualified(&s.funcname).filter(|_| is_integer) {
            let id = self.resolved(&ObjectId::new(Class::Function, schema, name));
            self.timescale.clocks.push((id, data_type.into()));
        }
    }

    fn trigger(&mut self, s: &pg::CreateTrigStmt, place: Place) {
        let Some(range) = &s.relation else { return };
        let (schema, table) = relation(range);
        let id = self.resolved(&ObjectId::new(Class::Relation, schema, table));
        match &*s.trigname {
            "ts_insert_blocker" => {
                // TimescaleDB up to 2.22 marks every hypertable with this trigger.
                let schema = s.funcname.first().and_then(string).unwrap_or_default();
                self.timescale.evidence.blocker(schema);
                if is_users(&id) {
                    self.timescale.hypertable(&id, place);
                }
                self.hypertables.insert(id);
            }
            "ts_cagg_invalidation_trigger" if is_users(&id) => {
                let number = s.args.first().and_then(text).and_then(|number| number.parse().ok());
                self.timescale.ids.extend(number.map(|number: i64| (number, id.clone())));
                self.timescale.hypertable(&id, place).id = number;
            }
            _ => {}
        }
    }
}

/// The functions that a `SELECT f(…)` calls at its top.
pub(crate) fn called(select: &pg::SelectStmt) -> impl Iterator<Item = &str> {
    select.target_list.iter().filter_map(|target| {
        let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        call.funcname.last().and_then(string)
    })
}
