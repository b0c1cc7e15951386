//! What the black-box tests share: the lab of real servers, and asking a server about every statement of a dump.

pub mod dumps;
pub mod fixture;
pub mod lab;
pub mod migration;
pub mod moved;
pub mod program;
pub mod proxy;
pub mod replay;
pub mod reviewed;
pub mod score;
pub mod sent;
mod unmade;
