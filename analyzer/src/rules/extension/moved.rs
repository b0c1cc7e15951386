//! Extensions that the target has in another schema than the dump.

/// Extensions that the target has in another schema than the dump.
#[derive(Clone, Debug, Default)]
pub(crate) struct MovedExtensions(pub(crate) Vec<Moved>);

/// An extension in another schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The extension.
    pub(crate) extension: String,
    /// The schema that the dump has it in.
    pub(crate) from: String,
    /// The schema that the target has it in.
    pub(crate) to: String,
}
