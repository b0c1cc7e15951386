//! A name that a statement refers to.

/// What kind of object a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A table, view, materialized view, sequence, index, foreign table or composite type's relation.
    Relation,
    /// A data type or domain.
    Type,
    /// A function, procedure or aggregate.
    Function,
    /// An operator.
    Operator,
    /// A collation.
    Collation,
    /// An operator class (of an index column).
    OperatorClass,
    /// An index or table access method.
    AccessMethod,
    /// A procedural language.
    Language,
    /// A foreign server.
    Server,
    /// A foreign-data wrapper.
    ForeignDataWrapper,
    /// A schema.
    Schema,
    /// An extension.
    Extension,
    /// A text search parser.
    TextSearchParser,
    /// A text search dictionary.
    TextSearchDictionary,
    /// A text search template.
    TextSearchTemplate,
    /// A text search configuration.
    TextSearchConfiguration,
    /// A role.
    Role,
    /// A trigger, policy, rule or constraint: an object that lives in a relation.
    Attached,
    /// An event trigger.
    EventTrigger,
    /// A publication.
    Publication,
    /// A subscription.
    Subscription,
    /// A database.
    Database,
    /// A tablespace.
    Tablespace,
    /// A cast, transform or other object without a name of its own.
    Nameless,
}

/// A name that a statement refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What it names.
    pub class: Class,
    /// The schema, where the statement writes one.
    pub schema: Option<Box<str>>,
    /// The name.
    pub name: Box<str>,
    /// Byte offset in the statement, where the tree knows it.
    pub location: Option<u32>,
    /// How many arguments a call has; `None` where it is no call.
    pub arguments: Option<usize>,
    /// The parameter that a call of `set_config`, or of `current_setting` where it must exist, names.
    pub parameter: Option<Box<str>>,
}

impl Class {
    /// The word for it in the server's messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Relation => "relation",
            Self::Type => "type",
            Self::Function => "function",
            Self::Operator => "operator",
            Self::Collation => "collation",
            Self::OperatorClass => "operator class",
            Self::AccessMethod => "access method",
            Self::Language => "language",
            Self::Server => "server",
            Self::ForeignDataWrapper => "foreign-data wrapper",
            Self::TextSearchParser => "text search parser",
            Self::TextSearchDictionary => "text search dictionary",
            Self::TextSearchTemplate => "text search template",
            Self::TextSearchConfiguration => "text search configuration",
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Publication => "publication",
            Self::EventTrigger => "event trigger",
            _ => "object",
        }
    }

    /// True for what has a name in a schema, and is found along `search_path` where the schema is not written.
    #[must_use]
    pub const fn is_in_search_path(self) -> bool {
        matches!(
            self,
            Self::Relation
                | Self::Type
                | Self::Function
                | Self::Operator
                | Self::OperatorClass
                | Self::Collation
        ) || self.is_text_search()
    }

    /// True for text search objects, each kind of which has names of its own.
    #[must_use]
    pub const fn is_text_search(self) -> bool {
        matches!(
            self,
            Self::TextSearchParser
                | Self::TextSearchDictionary
                | Self::TextSearchTemplate
                | Self::TextSearchConfiguration
        )
    }
}

impl Reference {
    /// A reference without a place.
    #[must_use]
    pub fn new(class: Class, schema: Option<&str>, name: &str) -> Self {
        Self {
            class,
            schema: schema.map(Into::into),
            name: name.into(),
            location: None,
            arguments: None,
            parameter: None,
        }
    }
}
