//! Moves PostgreSQL and TimescaleDB databases to a managed Timescale service.
//!
//! In the order a migration happens: [`connect`], [`inspect`], [`plan`], then [`migrate`] with the dump's parts,
//! [`verify`] and [`report`].

pub mod altered_builtins;
pub mod altered_members;
pub mod analysis;
pub mod archive;
pub mod capacity;
mod child;
pub mod clashes;
pub mod connect;
pub mod converted;
pub mod defect;
pub mod engine;
pub mod error;
pub mod estimate;
pub mod filter;
pub mod frames;
pub mod guard;
pub mod guarded;
pub mod hazards;
pub mod human;
pub mod inserts;
pub mod inspect;
pub mod jobs;
pub mod journal;
pub mod left_out;
pub mod live;
pub mod migrate;
pub mod moving;
pub mod names;
pub mod omitted;
pub mod plan;
mod private_file;
pub mod progress;
pub mod quote;
pub mod record;
pub mod redact;
pub mod report;
pub mod results;
pub mod script;
pub mod signals;
pub mod states;
pub mod step;
pub mod tables;
pub mod text_dump;
pub mod timescale;
pub mod tools;
pub mod verify;
pub mod volume;
pub mod watch;
pub mod workdir;
pub mod workers;
