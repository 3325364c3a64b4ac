//! What is old enough to go, in small batches: the ids are read, then deleted by key, so that a pass never holds
//! the writer for long and says exactly how many rows went.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::TenantId;

statements! {
    OLD_LOG_ROWS = "SELECT id FROM log WHERE tenant_id = $1 AND created_at < $2 ORDER BY created_at LIMIT $3";
    DELETE_LOG_ROW = "DELETE FROM log WHERE tenant_id = $1 AND id = $2";
    OLD_OUTBOX_ROWS = "SELECT id FROM outbox WHERE tenant_id = $1 AND created_at < $2 ORDER BY created_at LIMIT $3";
    DELETE_OUTBOX_ROW = "DELETE FROM outbox WHERE tenant_id = $1 AND id = $2";
}

/// What retention removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    Log,
    /// Events nobody fetched.
    Events,
}

impl Kept {
    pub const ALL: [Self; 2] = [Self::Log, Self::Events];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Events => "events",
        }
    }
}

/// Deletes up to `limit` rows of `kept` made before `before`. Returns how many were found; fewer than `limit` means
/// that none is left.
pub async fn delete_some(store: &Store, tenant: &TenantId, kept: Kept, before: i64, limit: usize) -> Result<usize, Error> {
    let (find, delete) = match kept {
        Kept::Log => (OLD_LOG_ROWS, DELETE_LOG_ROW),
        Kept::Events => (OLD_OUTBOX_ROWS, DELETE_OUTBOX_ROW),
    };
    let rows = store.read(find, args![tenant, before, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let mut batch = Batch::default();
    batch.each(delete, rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
