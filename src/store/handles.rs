//! What people of a database connection are known by there: address, user name and number, each once per connection. The key of
//! the table is what keeps two people from getting one at the same moment.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::connection::Connection;
use crate::model::identity::Identity;
use crate::model::ids::IdentityId;

statements! {
    FIND_HANDLE = "SELECT identity_id FROM handles WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND handle_key = $4";
    INSERT_HANDLES = "INSERT INTO handles (tenant_id, connection_id, kind, handle_key, identity_id) VALUES ($1, $2, $3, $4, $5)";
    DELETE_HANDLES = "DELETE FROM handles WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND handle_key = $4 \
        AND identity_id = $5";
}

/// What may go together with others of its kind.
pub(super) const LOOK_UPS: &[&str] = &[FIND_HANDLE];

/// Who bears each of these (kind and key) on the connection, in their order.
pub async fn bearers(
    store: &Store,
    connection: &Connection,
    handles: &[(String, String)],
) -> Result<Vec<Option<IdentityId>>, Error> {
    let mut bearers = Vec::with_capacity(handles.len());
    for chunk in handles.chunks(super::EACH_MAX) {
        let asked = chunk.iter().map(|(kind, key)| args![&connection.tenant_id, &connection.id, kind, key]).collect();
        for rows in store.look_up_each(FIND_HANDLE, asked).await? {
            bearers.push(rows.first().map(|row| row.text(0).map(IdentityId::new)).transpose()?);
        }
    }
    Ok(bearers)
}

pub fn insert(batch: &mut Batch, identity: &Identity, handles: &[(String, String)]) {
    batch.each(INSERT_HANDLES, rows(identity, handles));
}

pub fn delete(batch: &mut Batch, identity: &Identity, handles: &[(String, String)]) {
    batch.each_one(DELETE_HANDLES, rows(identity, handles));
}

fn rows(i: &Identity, handles: &[(String, String)]) -> Vec<Vec<super::Value>> {
    handles.iter().map(|(kind, key)| args![&i.tenant_id, &i.connection_id, kind, key, &i.id]).collect()
}
