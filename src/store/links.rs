//! Profiles that became part of another: their rows as they were, their history beside them, and the way back. Each move is one
//! statement that copies, so that nothing is read and written again on the way.

use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::{IdentityId, ProfileId, TenantId};
use crate::model::user::User;

statements! {
    INSERT_LINKED = "INSERT INTO linked_profiles (tenant_id, id, primary_id, user_id, organization_id, email, email_key, email_trusted, \
        username_key, blocked, doc, provenance, version, created_at, updated_at, last_login_at, logins_count, identities, blocks, merged, \
        history_id, linked_at) SELECT u.tenant_id, u.id, $3, u.user_id, u.organization_id, u.email, u.email_key, u.email_trusted, \
        u.username_key, u.blocked, u.doc, u.provenance, u.version, u.created_at, u.updated_at, u.last_login_at, u.logins_count, $4, $5, $6, \
        $7, $8 FROM users u WHERE u.tenant_id = $1 AND u.id = $2";
    KEEP_HISTORY = "INSERT INTO linked_history (tenant_id, profile_id, id, version, event, connection_id, identity_id, mapping, \
        mapping_version, actor, changes, created_at) SELECT h.tenant_id, h.profile_id, h.id, h.version, h.event, h.connection_id, \
        h.identity_id, h.mapping, h.mapping_version, h.actor, h.changes, h.created_at FROM history h \
        WHERE h.tenant_id = $1 AND h.profile_id = $2";
    BACK_HISTORY = "INSERT INTO history (tenant_id, profile_id, id, version, event, connection_id, identity_id, mapping, \
        mapping_version, actor, changes, created_at) SELECT h.tenant_id, h.profile_id, h.id, h.version, h.event, h.connection_id, \
        h.identity_id, h.mapping, h.mapping_version, h.actor, h.changes, h.created_at FROM linked_history h \
        WHERE h.tenant_id = $1 AND h.profile_id = $2";
    /// A version on, and as it was.
    BACK_PROFILE = "INSERT INTO users (tenant_id, id, user_id, organization_id, email, email_key, email_trusted, username_key, blocked, doc, \
        provenance, version, created_at, updated_at, last_login_at, logins_count) SELECT l.tenant_id, l.id, l.user_id, l.organization_id, \
        l.email, l.email_key, l.email_trusted, l.username_key, CAST($3 AS BOOLEAN), l.doc, l.provenance, l.version + 1, l.created_at, CAST($4 AS BIGINT), \
        l.last_login_at, l.logins_count FROM linked_profiles l WHERE l.tenant_id = $1 AND l.id = $2";
    /// What was linked to a profile goes along with it.
    LINKED_ELSEWHERE = "UPDATE linked_profiles SET primary_id = $3 WHERE tenant_id = $1 AND primary_id = $2";
    /// One of them, back.
    LINKED_BACK = "UPDATE linked_profiles SET primary_id = $3 WHERE tenant_id = $1 AND id = $2";
    DELETE_LINKED = "DELETE FROM linked_profiles WHERE tenant_id = $1 AND id = $2 AND primary_id = $3";
    FIND_LINKED = "SELECT id, user_id, organization_id, email, email_key, email_trusted, username_key, blocked, doc, provenance, version, \
        created_at, updated_at, identities, blocks, merged, history_id, linked_at FROM linked_profiles \
        WHERE tenant_id = $1 AND primary_id = $2 ORDER BY linked_at DESC, id DESC LIMIT 100";
    OLD_LINKED = "SELECT id FROM linked_profiles WHERE tenant_id = $1 AND linked_at < $2 ORDER BY linked_at LIMIT $3";
    DELETE_OLD_LINKED = "DELETE FROM linked_profiles WHERE tenant_id = $1 AND id = $2 AND linked_at < $3";
    /// The `user_id` that an identity's profile had before it was linked.
    FIND_FORMER = "SELECT subject FROM tombstones WHERE tenant_id = $1 AND kind = 'user_id' AND subject >= $2 AND subject <= $3 \
        AND reason = $4 LIMIT 1";
    UNBURY = "DELETE FROM tombstones WHERE tenant_id = $1 AND kind = 'user_id' AND subject = $2";
}

/// A profile that was linked, as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked {
    pub user: User,
    /// JSON texts, as the table says.
    pub identities: String,
    pub blocks: String,
    pub merged: String,
    pub history_id: String,
    pub linked_at: i64,
}

/// What was linked to a profile and is still known, the newest first; at most 100.
pub async fn of_primary(store: &Store, tenant: &TenantId, primary: &ProfileId) -> Result<Vec<Linked>, Error> {
    let linked = |row: &Row| {
        Ok(Linked {
            user: User {
                tenant_id: tenant.clone(),
                id: ProfileId::new(row.text(0)?),
                user_id: row.text(1)?,
                organization_id: row.opt_text(2)?.map(crate::model::ids::OrganizationId::new),
                email: row.opt_text(3)?,
                email_key: row.opt_text(4)?,
                email_trusted: row.bool(5)?,
                username_key: row.opt_text(6)?,
                blocked: row.bool(7)?,
                doc: row.text(8)?,
                was: None,
                provenance: row.text(9)?,
                version: row.int(10)?,
                created_at: row.int(11)?,
                updated_at: row.int(12)?,
            },
            identities: row.text(13)?,
            blocks: row.text(14)?,
            merged: row.text(15)?,
            history_id: row.text(16)?,
            linked_at: row.int(17)?,
        })
    };
    store.read(FIND_LINKED, args![tenant, primary]).await?.iter().map(linked).collect()
}

/// What a `user_id` is kept for while its profile is part of another.
pub fn reason(identity: &IdentityId) -> String {
    format!("linked:{identity}")
}

/// The `user_id` that comes back when this identity is a profile of its own again.
pub async fn former_user_id(
    store: &Store,
    tenant: &TenantId,
    wanted: &str,
    identity: &IdentityId,
) -> Result<Option<String>, Error> {
    let rows = store.read(FIND_FORMER, args![tenant, wanted, format!("{wanted}~9999"), reason(identity)]).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Keeps the profile `secondary` as it stands, and its history, before its row goes.
pub fn keep(
    batch: &mut Batch,
    tenant: &TenantId,
    (secondary, primary): (&ProfileId, &ProfileId),
    (identities, blocks, merged): (&str, &str, &str),
    (history_id, at): (&str, i64),
) {
    batch.one(INSERT_LINKED, args![tenant, secondary, primary, identities, blocks, merged, history_id, at]);
    batch.any(KEEP_HISTORY, args![tenant, secondary]);
    batch.any(LINKED_ELSEWHERE, args![tenant, secondary, primary]);
}

/// Puts the profile back as it was but for its blocks.
pub fn bring_back(batch: &mut Batch, tenant: &TenantId, linked: &ProfileId, blocked: bool, at: i64) {
    batch.one(BACK_PROFILE, args![tenant, linked, blocked, at]);
}

/// Puts its history back; the row that kept it goes.
pub fn forget(batch: &mut Batch, tenant: &TenantId, linked: &ProfileId, primary: &ProfileId) {
    batch.any(BACK_HISTORY, args![tenant, linked]);
    batch.one(DELETE_LINKED, args![tenant, linked, primary]);
}

/// What was linked to `linked` before it was linked itself is its own again.
pub fn follow(batch: &mut Batch, tenant: &TenantId, earlier: &[ProfileId], linked: &ProfileId) {
    batch.each(LINKED_BACK, earlier.iter().map(|id| args![tenant, id, linked]).collect());
}

/// The `user_id` is somebody's again.
pub fn unbury(batch: &mut Batch, tenant: &TenantId, user_id: &str) {
    batch.any(UNBURY, args![tenant, user_id]);
}

/// Deletes up to `limit` that were linked before `before`. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    let rows = store.read(OLD_LINKED, args![tenant, before, limit]).await?;
    let old = rows.iter().map(|row| Ok(args![tenant, row.text(0)?, before])).collect::<Result<_, Error>>()?;
    let mut batch = Batch::default();
    batch.each(DELETE_OLD_LINKED, old);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
