//! Pages to read on about hypertables.

/// The page on making hypertables.
pub(crate) const PAGE: &str = "https://www.tigerdata.com/docs/use-timescale/latest/hypertables";

/// The page on what hypertables cannot do.
pub(crate) const LIMITS: &str = "https://www.tigerdata.com/docs/use-timescale/latest/limitations";
