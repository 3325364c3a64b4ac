//! Positions of log and outbox rows: given after the commit, so that a reader who follows them misses no row that was
//! committed late. The last position of each tenant is a row of its own: retention must not make them start again.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;

statements! {
    WAITING_LOG = "SELECT tenant_id, id, '', CAST(0 AS BIGINT), '' FROM log WHERE position IS NULL ORDER BY tenant_id, id LIMIT $1";
    WAITING_OUTBOX = "SELECT tenant_id, id, coalesce(profile_id, group_id, ''), version, kind FROM outbox WHERE position IS NULL \
        ORDER BY tenant_id, id LIMIT $1";
    LAST = "SELECT total FROM counters WHERE tenant_id = $1 AND scope = $2 AND kind = 'position' AND slot = 0";
    FIRST_POSITION = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, 'position', 0, $3)";
    /// Compared, so that two holders of the lease can never give the same position.
    MOVE_POSITION = "UPDATE counters SET total = $3 WHERE tenant_id = $1 AND scope = $2 AND kind = 'position' AND slot = 0 AND total = $4";
    GIVE_LOG = "UPDATE log SET position = $3 WHERE tenant_id = $1 AND id = $2 AND position IS NULL";
    GIVE_OUTBOX = "UPDATE outbox SET position = $3 WHERE tenant_id = $1 AND id = $2 AND position IS NULL";
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Log,
    Outbox,
}

impl Feed {
    pub const ALL: [Self; 2] = [Self::Log, Self::Outbox];

    fn scope(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Outbox => "outbox",
        }
    }
}

/// A committed row without a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub tenant_id: String,
    pub id: String,
    /// Whose order matters: a profile or a group; empty for log rows.
    pub subject: String,
    pub version: i64,
    /// Of an announcement.
    pub kind: String,
}

/// Up to `limit` waiting rows, by tenant and id.
pub async fn find_waiting(store: &Store, feed: Feed, limit: i64) -> Result<Vec<Waiting>, Error> {
    let sql = match feed {
        Feed::Log => WAITING_LOG,
        Feed::Outbox => WAITING_OUTBOX,
    };
    let rows = store.read(sql, args![limit]).await?;
    let waiting = |row: &Row| {
        let (tenant_id, id, subject) = (row.text(0)?, row.text(1)?, row.text(2)?);
        Ok(Waiting { tenant_id, id, subject, version: row.int(3)?, kind: row.text(4)? })
    };
    rows.iter().map(waiting).collect()
}

/// The last position given in a tenant, if any was.
pub async fn find_last(store: &Store, feed: Feed, tenant: &str) -> Result<Option<i64>, Error> {
    let rows = store.read(LAST, args![tenant, feed.scope()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Gives the rows of one tenant the positions after `last`, in their order.
pub fn give(batch: &mut Batch, feed: Feed, tenant: &str, last: Option<i64>, rows: &[Waiting]) {
    let first = last.unwrap_or(0) + 1;
    let end = last.unwrap_or(0) + i64::try_from(rows.len()).unwrap_or(i64::MAX);
    match last {
        None => batch.one(FIRST_POSITION, args![tenant, feed.scope(), end]),
        Some(last) => batch.one(MOVE_POSITION, args![tenant, feed.scope(), end, last]),
    }
    let sql = match feed {
        Feed::Log => GIVE_LOG,
        Feed::Outbox => GIVE_OUTBOX,
    };
    batch.each(sql, (first..).zip(rows).map(|(position, row)| args![tenant, row.id.as_str(), position]).collect());
}
