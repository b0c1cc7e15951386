//! Pages to read on.

/// The vendor's page on what does not migrate.
pub const TROUBLESHOOTING: &str = "https://www.tigerdata.com/docs/migrate/latest/troubleshooting";
