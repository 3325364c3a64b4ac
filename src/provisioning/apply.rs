//! From a plan to one batch. Pure: the order of the parts is all it decides, and that is fixed so that the list of
//! statement shapes stays short (each shape is prepared once on PostgreSQL).

use super::plan::{GroupPlan, GroupWrite, IdentityWrite, ProfileWrite, Refusal, UserPlan};
use super::user_id;
use crate::model::event::{InboxEntry, LogEntry};
use crate::model::identity::IdentityState;
use crate::model::ids::TenantId;
use crate::store::{Batch, events, grants, groups, handles, identities, sessions, users};

/// Everything a user's write leaves behind, in one transaction.
pub fn user(plan: &UserPlan) -> Batch {
    let mut batch = Batch::default();
    let identity = plan.identity.identity();
    let tenant = &identity.tenant_id;
    // The profile first: SQLite checks the identity's foreign key as it goes.
    match &plan.profile {
        ProfileWrite::Insert(user) => users::insert(&mut batch, user, plan.login),
        ProfileWrite::Update { user, expected } => users::update(&mut batch, user, *expected, plan.login),
        ProfileWrite::None | ProfileWrite::Remove { .. } => {}
    }
    if let (Some(at), ProfileWrite::None, Some(profile)) = (plan.login, &plan.profile, &identity.profile_id) {
        users::count_login(&mut batch, tenant, profile, at);
    }
    if plan.leaves_groups {
        groups::leave_all(&mut batch, tenant, identity.id.as_str(), identity.updated_at);
    }
    // Who comes back writes its values anew in this batch, and none are left to delete.
    if plan.leaves_groups && !identity.listed {
        identities::delete_all_values(&mut batch, identity);
    }
    match &plan.identity {
        IdentityWrite::Insert(identity) => identities::insert(&mut batch, identity),
        IdentityWrite::Update { identity, expected } => identities::update(&mut batch, identity, *expected),
        IdentityWrite::Login { identity, expected } => identities::update_login(&mut batch, identity, *expected),
        IdentityWrite::Seen(identity) => identities::seen(&mut batch, identity),
        IdentityWrite::Untouched(_) => {}
        IdentityWrite::Remove { identity, expected } => {
            identities::delete(&mut batch, identity, *expected);
            let connection = &identity.connection_id;
            let by_id = identity.external_id.as_ref().map(|id| user_id::tombstone(connection, id));
            let by_name = identity.user_name_key.as_ref().map(|name| user_id::name_tombstone(connection, name));
            for tombstone in [by_id, by_name].into_iter().flatten().filter(|_| !plan.forgets) {
                users::bury_identity(&mut batch, tenant, &tombstone, "deleted by its source", identity.updated_at);
            }
        }
    }
    match (&plan.identity, &plan.profile) {
        (_, ProfileWrite::Remove { .. }) => {}
        (IdentityWrite::Remove { identity, .. }, _) => identities::promote_next(&mut batch, identity),
        _ => {}
    }
    if let ProfileWrite::Remove { user, reason } = &plan.profile {
        users::delete(&mut batch, user);
        if !plan.forgets {
            users::bury(&mut batch, user, reason, identity.updated_at);
        }
    }
    identities::delete_values(&mut batch, identity, &plan.values.gone);
    identities::insert_values(&mut batch, identity, &plan.values.new);
    handles::delete(&mut batch, identity, &plan.handles.gone);
    handles::insert(&mut batch, identity, &plan.handles.new);
    if let Some(profile) = &identity.profile_id {
        for (kind, origin) in &plan.lifts {
            users::delete_block(&mut batch, tenant, profile, *kind, origin);
        }
        for block in &plan.blocks {
            users::insert_block(&mut batch, tenant, profile, block);
        }
    }
    end_sessions(plan, &mut batch);
    if let Some(history) = &plan.history {
        events::insert_history(&mut batch, tenant, history);
    }
    events::insert_log(&mut batch, tenant, &plan.log);
    events::insert_outbox(&mut batch, tenant, &plan.outbox);
    groups::count(&mut batch, tenant, &identity.connection_id, "user", plan.slot, plan.counted);
    events::open_conflicts(&mut batch, tenant, &plan.inbox);
    batch
}

/// Whoever is blocked or leaves is signed out for good, and applications lose what they were let have: a session that only rested would open again with the way back. So a
/// lifted block ends what is left, too: a login that came in the moment of the block may have begun one that its batch did
/// not see.
fn end_sessions(plan: &UserPlan, batch: &mut Batch) {
    let identity = plan.identity.identity();
    let is_new = matches!(plan.profile, ProfileWrite::Insert(_));
    // A login's own session begins in this batch, and a profile's go with it.
    if plan.login.is_some() || is_new || matches!(plan.profile, ProfileWrite::Remove { .. }) {
        return;
    }
    let Some(profile) = &identity.profile_id else { return };
    let leaves = matches!(plan.identity, IdentityWrite::Remove { .. }) || identity.state != IdentityState::Active;
    if !plan.blocks.is_empty() || !plan.lifts.is_empty() {
        sessions::delete_of_profile(batch, &identity.tenant_id, profile);
        grants::delete_of_profile(batch, &identity.tenant_id, profile);
    } else if leaves {
        sessions::delete_of_identity(batch, &identity.tenant_id, profile, &identity.id);
        grants::delete_of_identity(batch, &identity.tenant_id, profile, &identity.id);
    }
}

/// Everything a group's write leaves behind, in one transaction.
pub fn group(plan: &GroupPlan) -> Batch {
    let mut batch = Batch::default();
    let group = plan.group.group();
    match &plan.group {
        GroupWrite::Insert(group) => groups::insert(&mut batch, group),
        GroupWrite::Update { group, expected } => groups::update(&mut batch, group, *expected),
        GroupWrite::Touch { group, expected } => groups::touch(&mut batch, group, *expected),
        GroupWrite::Remove { group, expected } => groups::end(&mut batch, group, *expected),
    }
    groups::delete_members(&mut batch, group, &plan.leaves);
    groups::insert_members(&mut batch, group, &plan.joins);
    if let Some(seen) = plan.nestings_seen {
        groups::nest(&mut batch, group, seen);
    }
    events::insert_log(&mut batch, &group.tenant_id, &plan.log);
    events::insert_outbox(&mut batch, &group.tenant_id, &plan.outbox);
    groups::count(&mut batch, &group.tenant_id, &group.connection_id, "group", plan.slot, plan.counted);
    batch
}

/// The rows a refusal opens, if it opens any.
pub fn refusal(tenant: &TenantId, refusal: &Refusal) -> Option<Batch> {
    let Refusal::EmailElsewhere { inbox, log } = refusal else { return None };
    Some(opened(tenant, inbox, log))
}

/// A row of the inbox and the log row that tells of it, with nothing else.
pub fn opened(tenant: &TenantId, inbox: &InboxEntry, log: &LogEntry) -> Batch {
    let mut batch = Batch::default();
    events::insert_log(&mut batch, tenant, std::slice::from_ref(log));
    events::open_conflicts(&mut batch, tenant, std::slice::from_ref(inbox));
    batch
}
