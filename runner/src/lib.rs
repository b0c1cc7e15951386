//! Moves PostgreSQL and TimescaleDB databases to a managed Timescale service.
//!
//! In the order a migration happens: [`connect`], [`inspect`], [`plan`], then [`migrate`] with the dump's parts,
//! [`verify`] and [`report`].
//!
//! Where there is no Unix, only what reads dumps is here.
// Live databases use the rest of it.
#![cfg_attr(not(unix), allow(dead_code, rustdoc::broken_intra_doc_links))]

#[cfg(unix)]
pub mod altered_builtins;
#[cfg(unix)]
pub mod altered_members;
#[cfg(unix)]
pub mod analysis;
pub mod archive;
#[cfg(unix)]
pub mod capacity;
#[cfg(unix)]
mod child;
#[cfg(unix)]
pub mod clashes;
#[cfg(unix)]
pub mod connect;
#[cfg(unix)]
pub mod converted;
pub mod defect;
#[cfg(unix)]
pub mod engine;
#[cfg(unix)]
pub mod error;
#[cfg(unix)]
pub mod estimate;
#[cfg(unix)]
pub mod filter;
pub mod frames;
#[cfg(unix)]
pub mod guard;
#[cfg(unix)]
pub mod guarded;
#[cfg(unix)]
pub mod hazards;
pub mod human;
pub mod inserts;
#[cfg(unix)]
pub mod inspect;
#[cfg(unix)]
pub mod jobs;
#[cfg(unix)]
pub mod journal;
#[cfg(unix)]
pub mod left_out;
#[cfg(unix)]
pub mod live;
#[cfg(unix)]
pub mod migrate;
#[cfg(unix)]
pub mod moving;
pub mod names;
#[cfg(unix)]
pub mod omitted;
pub mod os;
#[cfg(unix)]
pub mod plan;
#[cfg(unix)]
mod private_file;
#[cfg(unix)]
pub mod progress;
pub mod quote;
#[cfg(unix)]
pub mod record;
#[cfg(unix)]
pub mod redact;
#[cfg(unix)]
pub mod report;
#[cfg(unix)]
pub mod results;
#[cfg(unix)]
pub mod script;
#[cfg(unix)]
pub mod signals;
#[cfg(unix)]
pub mod states;
#[cfg(unix)]
pub mod step;
#[cfg(unix)]
pub mod tables;
#[cfg(unix)]
pub mod text_dump;
#[cfg(unix)]
pub mod timescale;
#[cfg(unix)]
pub mod tools;
#[cfg(unix)]
pub mod verify;
#[cfg(unix)]
pub mod volume;
#[cfg(unix)]
pub mod watch;
#[cfg(unix)]
pub mod workdir;
pub mod workers;
