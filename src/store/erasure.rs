//! What names somebody beside their rows, for whoever asked to be erased: log rows and the inbox. Log rows stay, as what happened and
//! when; what they say besides goes.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::ids::{ConnectionId, IdentityId, ProfileId, TenantId};

statements! {
    LOG_OF_PERSON = "SELECT id FROM log WHERE tenant_id = $1 AND profile_id = $2 AND id > $3 ORDER BY id LIMIT $4";
    /// $3: the person, as an actor.
    CLEAN_LOG_ROW = "UPDATE log SET detail = NULL, user_id = NULL, ip = NULL, user_agent = NULL, actor = CASE WHEN actor = $3 THEN 'erased' ELSE actor END \
        WHERE tenant_id = $1 AND id = $2";
    FORGET_CONFLICT = "DELETE FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND subject = $4";
    FORGET_ATTRIBUTE_ERRORS = "DELETE FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'attribute_error' \
        AND subject >= $3 AND subject < $4";
    IS_ERASED = "SELECT subject FROM tombstones WHERE tenant_id = $1 AND kind = 'erased' AND subject = $2";
}

/// What may go together with others of its kind.
pub(super) const LOOK_UPS: &[&str] = &[IS_ERASED];

/// Kinds of inbox rows whose subject is somebody's id or name at the source.
const KINDS: [&str; 3] = ["email_match", crate::model::event::LINK_SUGGESTION, "rejected"];

/// Up to `limit` log rows about the profile, whose ids come after `after` (at first "").
pub async fn log_of(
    store: &Store,
    tenant: &TenantId,
    profile: &ProfileId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    store.read(LOG_OF_PERSON, args![tenant, profile, after, limit]).await?.iter().map(|row| row.text(0)).collect()
}

/// Takes out of these rows what names somebody.
pub fn clean_log(batch: &mut Batch, tenant: &TenantId, ids: &[String], actor: &str) {
    batch.each(CLEAN_LOG_ROW, ids.iter().map(|id| args![tenant, id, actor]).collect());
}

/// Takes the inbox rows about an identity away, which is known by `names` at its source.
pub fn forget_conflicts(batch: &mut Batch, tenant: &TenantId, connection: &ConnectionId, identity: &IdentityId, names: &[&str]) {
    for kind in KINDS {
        batch.each(FORGET_CONFLICT, names.iter().map(|name| args![tenant, connection, kind, *name]).collect());
    }
    batch.any(FORGET_ATTRIBUTE_ERRORS, args![tenant, connection, format!("{identity}:"), format!("{identity};")]);
}

/// Which of these subjects are somebody's who asked to be erased, in their order.
pub async fn are_erased(store: &Store, tenant: &TenantId, subjects: &[String]) -> Result<Vec<bool>, Error> {
    let mut erased = Vec::with_capacity(subjects.len());
    for chunk in subjects.chunks(super::EACH_MAX) {
        let asked = chunk.iter().map(|subject| args![tenant, subject]).collect();
        erased.extend(store.look_up_each(IS_ERASED, asked).await?.iter().map(|rows| !rows.is_empty()));
    }
    Ok(erased)
}
