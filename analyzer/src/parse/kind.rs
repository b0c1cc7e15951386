//! Kinds of statements: the root nodes of PostgreSQL's grammar.

use super::NodeEnum;

macro_rules! kinds {
    ($($kind:ident,)*) => {
        /// The kind of a statement: the name of its root node in PostgreSQL's `parsenodes.h`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum StatementKind {
            $($kind,)*
            /// A node that is no statement of its own.
            Other,
        }

        impl StatementKind {
            /// All of them, each at the place of its number.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)* Self::Other];

            /// The kind of the statement with this root node.
            #[must_use]
            pub fn of(node: &NodeEnum) -> Self {
                match node {
                    $(NodeEnum::$kind(_) => Self::$kind,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

impl StatementKind {
    /// Those that set a parameter: for a session, a role, a database or a function.
    pub const SETTING: &'static [Self] = &[
        Self::VariableSetStmt,
        Self::AlterRoleSetStmt,
        Self::AlterDatabaseSetStmt,
        Self::CreateFunctionStmt,
        Self::AlterFunctionStmt,
    ];

    /// Statements that create what is found along `search_path`: relations, types and functions.
    pub const CREATING: &'static [Self] = &[
        Self::CreateStmt,
        Self::CreateForeignTableStmt,
        Self::CreateTableAsStmt,
        Self::ViewStmt,
        Self::CreateSeqStmt,
        Self::CompositeTypeStmt,
        Self::CreateEnumStmt,
        Self::CreateRangeStmt,
        Self::CreateDomainStmt,
        Self::DefineStmt,
        Self::CreateFunctionStmt,
    ];

    /// Those that may evaluate what they hold when they run: a view's definition or a column's default is only stored.
    pub const RUNNING: &'static [Self] = &[
        Self::SelectStmt,
        Self::InsertStmt,
        Self::UpdateStmt,
        Self::DeleteStmt,
        Self::MergeStmt,
        Self::CallStmt,
        Self::DeclareCursorStmt,
        Self::ExplainStmt,
        Self::CopyStmt,
        Self::CreateTableAsStmt,
    ];
}

kinds! {
    AlterCollationStmt,
    AlterDatabaseRefreshCollStmt,
    AlterDatabaseSetStmt,
    AlterDatabaseStmt,
    AlterDefaultPrivilegesStmt,
    AlterDomainStmt,
    AlterEnumStmt,
    AlterEventTrigStmt,
    AlterExtensionContentsStmt,
    AlterExtensionStmt,
    AlterFdwStmt,
    AlterForeignServerStmt,
    AlterFunctionStmt,
    AlterObjectDependsStmt,
    AlterObjectSchemaStmt,
    AlterOpFamilyStmt,
    AlterOperatorStmt,
    AlterOwnerStmt,
    AlterPolicyStmt,
    AlterPublicationStmt,
    AlterRoleSetStmt,
    AlterRoleStmt,
    AlterSeqStmt,
    AlterStatsStmt,
    AlterSubscriptionStmt,
    AlterSystemStmt,
    AlterTableMoveAllStmt,
    AlterTableSpaceOptionsStmt,
    AlterTableStmt,
    AlterTsconfigurationStmt,
    AlterTsdictionaryStmt,
    AlterTypeStmt,
    AlterUserMappingStmt,
    CallStmt,
    CheckPointStmt,
    ClosePortalStmt,
    ClusterStmt,
    CommentStmt,
    CompositeTypeStmt,
    ConstraintsSetStmt,
    CopyStmt,
    CreateAmStmt,
    CreateCastStmt,
    CreateConversionStmt,
    CreateDomainStmt,
    CreateEnumStmt,
    CreateEventTrigStmt,
    CreateExtensionStmt,
    CreateFdwStmt,
    CreateForeignServerStmt,
    CreateForeignTableStmt,
    CreateFunctionStmt,
    CreateOpClassStmt,
    CreateOpFamilyStmt,
    CreatePlangStmt,
    CreatePolicyStmt,
    CreatePublicationStmt,
    CreateRangeStmt,
    CreateRoleStmt,
    CreateSchemaStmt,
    CreateSeqStmt,
    CreateStatsStmt,
    CreateStmt,
    CreateSubscriptionStmt,
    CreateTableAsStmt,
    CreateTableSpaceStmt,
    CreateTransformStmt,
    CreateTrigStmt,
    CreateUserMappingStmt,
    CreatedbStmt,
    DeallocateStmt,
    DeclareCursorStmt,
    DefineStmt,
    DeleteStmt,
    DiscardStmt,
    DoStmt,
    DropOwnedStmt,
    DropRoleStmt,
    DropStmt,
    DropSubscriptionStmt,
    DropTableSpaceStmt,
    DropUserMappingStmt,
    DropdbStmt,
    ExecuteStmt,
    ExplainStmt,
    FetchStmt,
    GrantRoleStmt,
    GrantStmt,
    ImportForeignSchemaStmt,
    IndexStmt,
    InsertStmt,
    ListenStmt,
    LoadStmt,
    LockStmt,
    MergeStmt,
    NotifyStmt,
    PrepareStmt,
    ReassignOwnedStmt,
    RefreshMatViewStmt,
    ReindexStmt,
    RenameStmt,
    RuleStmt,
    SecLabelStmt,
    SelectStmt,
    TransactionStmt,
    TruncateStmt,
    UnlistenStmt,
    UpdateStmt,
    VacuumStmt,
    VariableSetStmt,
    VariableShowStmt,
    ViewStmt,
}

#[cfg(test)]
mod tests {
    use super::StatementKind;

    #[test]
    fn each_kind_stands_at_the_place_of_its_number() {
        assert!(StatementKind::ALL.iter().enumerate().all(|(place, kind)| *kind as usize == place));
    }

    #[test]
    fn the_root_node_gives_the_kind() {
        let kind = |sql| StatementKind::of(crate::parse::parse(sql, true).unwrap().unwrap().node());
        assert_eq!(kind("SET a = 1;"), StatementKind::VariableSetStmt);
        assert_eq!(kind("ALTER SYSTEM SET a = 1;"), StatementKind::AlterSystemStmt);
        assert_eq!(kind("VALUES (1);"), StatementKind::SelectStmt);
    }
}
