//! The flight recorder's rows. Written in bulk after the answers, never in the batch of a change: losing one loses no
//! more than a line of a report. A connection that went meanwhile takes no row.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::model::traffic::Exchange;

macro_rules! columns {
    () => {
        "tenant_id, id, connection_id, refused, created_at, token_id, request_id, method, path, query, status, scim_type, cause, \
         detail, duration_us, user_agent, content_type, signs, request_bytes, response_bytes, request_body, response_body"
    };
}

statements! {
    INSERT_EXCHANGE = concat!("INSERT INTO traffic (", columns!(), ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
        $13, $14, $15, $16, $17, $18, $19, $20, $21, $22 FROM connections c WHERE c.tenant_id = $1 AND c.id = $3");
    /// Both halves by their index, newest first, then merged: neither reads more than a page.
    LIST_ALL = concat!("SELECT ", columns!(), " FROM (SELECT * FROM (SELECT * FROM traffic WHERE tenant_id = $1 AND connection_id = $2 \
        AND refused = TRUE AND id < $3 AND id > $4 ORDER BY id DESC LIMIT $5) r UNION ALL SELECT * FROM (SELECT * FROM traffic \
        WHERE tenant_id = $1 AND connection_id = $2 AND refused = FALSE AND id < $3 AND id > $4 ORDER BY id DESC LIMIT $5) s) t \
        ORDER BY id DESC LIMIT $5");
    LIST_REFUSED = concat!("SELECT ", columns!(), " FROM traffic WHERE tenant_id = $1 AND connection_id = $2 AND refused = TRUE \
        AND id < $3 AND id > $4 ORDER BY id DESC LIMIT $5");
    RECENT_SIGNS = "SELECT signs FROM (SELECT * FROM (SELECT id, signs FROM traffic WHERE tenant_id = $1 AND connection_id = $2 \
        AND refused = TRUE ORDER BY id DESC LIMIT $3) r UNION ALL SELECT * FROM (SELECT id, signs FROM traffic WHERE tenant_id = $1 \
        AND connection_id = $2 AND refused = FALSE ORDER BY id DESC LIMIT $3) s) t ORDER BY id DESC LIMIT $3";
    /// The newest row that is one too many.
    FIRST_BEYOND = "SELECT id FROM traffic WHERE tenant_id = $1 AND connection_id = $2 AND refused = $3 \
        ORDER BY id DESC LIMIT 1 OFFSET $4";
    FROM_THERE_ON = "SELECT id FROM traffic WHERE tenant_id = $1 AND connection_id = $2 AND refused = $3 AND id <= $4 \
        ORDER BY id LIMIT $5";
    DELETE_EXCHANGE = "DELETE FROM traffic WHERE tenant_id = $1 AND id = $2";
}

/// What sorts after every id.
const LAST_ID: &str = "~";

/// Which rows of a connection are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub refused_only: bool,
    /// Only rows older than this id; empty: from the newest on.
    pub before: String,
    /// Only rows younger than this id; empty: all.
    pub after: String,
}

fn exchange(row: &Row) -> Result<Exchange, Error> {
    Ok(Exchange {
        tenant_id: TenantId::new(row.text(0)?),
        id: row.text(1)?,
        connection_id: ConnectionId::new(row.text(2)?),
        refused: row.bool(3)?,
        created_at: row.int(4)?,
        token_id: row.opt_text(5)?.map(TokenId::new),
        request_id: row.text(6)?,
        method: row.text(7)?,
        path: row.text(8)?,
        query: row.opt_text(9)?,
        status: row.int(10)?,
        scim_type: row.opt_text(11)?,
        cause: row.opt_text(12)?,
        detail: row.opt_text(13)?,
        duration_us: row.int(14)?,
        user_agent: row.opt_text(15)?,
        content_type: row.opt_text(16)?,
        signs: row.text(17)?,
        request_bytes: row.int(18)?,
        response_bytes: row.int(19)?,
        request_body: row.opt_text(20)?,
        response_body: row.opt_text(21)?,
    })
}

/// One row each; several go in one statement.
pub fn insert(batch: &mut Batch, exchanges: &[Exchange]) {
    let rows = exchanges
        .iter()
        .map(|e| {
            args![
                &e.tenant_id,
                e.id.as_str(),
                &e.connection_id,
                e.refused,
                e.created_at,
                e.token_id.as_ref(),
                e.request_id.as_str(),
                e.method.as_str(),
                e.path.as_str(),
                e.query.as_ref(),
                e.status,
                e.scim_type.as_ref(),
                e.cause.as_ref(),
                e.detail.as_ref(),
                e.duration_us,
                e.user_agent.as_ref(),
                e.content_type.as_ref(),
                e.signs.as_str(),
                e.request_bytes,
                e.response_bytes,
                e.request_body.as_ref(),
                e.response_body.as_ref(),
            ]
        })
        .collect();
    batch.each(INSERT_EXCHANGE, rows);
}

/// Up to `limit` rows of a connection, the newest first.
pub async fn list(
    store: &Store,
    tenant: &TenantId,
    connection: &ConnectionId,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<Exchange>, Error> {
    let sql = if wanted.refused_only { LIST_REFUSED } else { LIST_ALL };
    let before = if wanted.before.is_empty() { LAST_ID } else { wanted.before.as_str() };
    store.read(sql, args![tenant, connection, before, wanted.after.as_str(), limit]).await?.iter().map(exchange).collect()
}

/// The signs of the newest `limit` requests of a connection, one text for each.
pub async fn recent_signs(store: &Store, tenant: &TenantId, connection: &ConnectionId, limit: i64) -> Result<Vec<String>, Error> {
    store.read(RECENT_SIGNS, args![tenant, connection, limit]).await?.iter().map(|row| row.text(0)).collect()
}

/// Deletes up to `limit` of the rows beyond the newest `keep` of their sort. Returns how many went.
pub async fn delete_beyond(
    store: &Store,
    tenant: &TenantId,
    connection: &ConnectionId,
    refused: bool,
    keep: i64,
    limit: i64,
) -> Result<usize, Error> {
    let rows = store.read(FIRST_BEYOND, args![tenant, connection, refused, keep]).await?;
    let Some(first) = rows.first() else { return Ok(0) };
    let rows = store.read(FROM_THERE_ON, args![tenant, connection, refused, first.text(0)?, limit]).await?;
    let mut batch = Batch::default();
    batch.each(DELETE_EXCHANGE, rows.iter().map(|row| Ok(args![tenant, row.text(0)?])).collect::<Result<_, Error>>()?);
    store.apply(batch).await?;
    Ok(rows.len())
}
