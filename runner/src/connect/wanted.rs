//! `target_session_attrs`: which of several servers will do.

use tokio_postgres::Client;

/// What the server that we connect to has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any.
    #[default]
    Any,
    /// Sessions can write.
    ReadWrite,
    /// Sessions cannot write.
    ReadOnly,
    /// It is no standby.
    Primary,
    /// It is a standby.
    Standby,
    /// A standby if there is one, else any.
    PreferStandby,
}

impl Wanted {
    /// Reads the parameter.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return None,
        })
    }

    /// What to look for, in this order.
    pub(super) fn rounds(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Why a server will not do; `None` where it will.
    pub(super) async fn refuses(
        self,
        client: &Client,
    ) -> Result<Option<&'static str>, tokio_postgres::Error> {
        let (question, good, why) = match self {
            Self::Any | Self::PreferStandby => return Ok(None),
            Self::ReadWrite => ("SHOW transaction_read_only", "off", "its sessions are read-only"),
            Self::ReadOnly => ("SHOW transaction_read_only", "on", "its sessions are not read-only"),
            Self::Primary => ("SELECT pg_catalog.pg_is_in_recovery()", "f", "it is a standby"),
            Self::Standby => ("SELECT pg_catalog.pg_is_in_recovery()", "t", "it is no standby"),
        };
        let messages = client.simple_query(question).await?;
        let fits = messages.iter().any(|message| {
            matches!(message, tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some(good))
        });
        Ok((!fits).then_some(why))
    }
}
