//! Whatever stops a migration: killed, cut off, restarted, refused, full. It goes on with `--resume`, arrives complete,
//! and leaves nothing behind.
//!
//! By default a short choice runs. `TSMIGRATE_FAULTS=long` stops the process at every line of its journal and at a
//! hundred random moments; `TSMIGRATE_SEED=N` repeats the moments of a run that printed N. Every second time that a process
//! is killed or a connection is cut, the target is 20 ms away. Figures are on standard error.

mod killed;
mod resumed;
mod servers;
mod theatre;
