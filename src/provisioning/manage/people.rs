//! What one act on a whole person, or on two, comes to, as a value; and the batch it becomes. Pure: the order of the parts is
//! fixed so that parents stand before their children and copies before what they copy goes.

use super::Writer;
use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::identity::Identity;
use crate::model::ids::{ConnectionId, IdentityId, ProfileId, TenantId};
use crate::model::user::{Block, BlockKind, User};
use crate::provisioning::plan::ProfileWrite;
use crate::store::{Batch, events, grants, groups, identities, links, sessions, users};

/// A profile that becomes part of another, kept as it was. JSON texts.
#[derive(Debug, PartialEq)]
pub struct Kept {
    pub secondary: ProfileId,
    pub primary: ProfileId,
    pub identities: String,
    pub blocks: String,
    pub merged: String,
    pub history_id: String,
}

/// A profile that is one of its own again.
#[derive(Debug, PartialEq)]
pub struct Back {
    /// As it was.
    pub linked: User,
    pub primary: ProfileId,
    /// Put back from what was kept: whether it is blocked. None: made anew, and only its history comes back.
    pub whole: Option<bool>,
    /// What had been linked to it before.
    pub earlier: Vec<ProfileId>,
}

#[derive(Debug, PartialEq)]
pub struct PeoplePlan {
    pub tenant_id: TenantId,
    pub profiles: Vec<ProfileWrite>,
    pub kept: Option<Kept>,
    pub back: Option<Back>,
    /// Whose identities are somebody else's now, each if it still has that version.
    pub moved: Vec<(Identity, i64)>,
    /// Those whose memberships go.
    pub leave_groups: Vec<IdentityId>,
    pub lifts: Vec<(ProfileId, BlockKind, String)>,
    pub blocks: Vec<(ProfileId, Block)>,
    /// Who is signed out everywhere, and who only where they came by one identity.
    pub signs_out: Vec<ProfileId>,
    pub signs_out_by: Vec<(ProfileId, IdentityId)>,
    /// `user_id`s that nobody gets, each with why; and those that somebody gets back.
    pub buried: Vec<(User, String)>,
    pub unburied: Vec<String>,
    /// External ids that don't come back.
    pub erased: Vec<String>,
    pub history: Vec<History>,
    pub log: Vec<LogEntry>,
    pub outbox: Vec<Announcement>,
    pub inbox: Vec<InboxEntry>,
    pub counted: Vec<(ConnectionId, i64)>,
    pub slot: i64,
    pub at: i64,
}

impl PeoplePlan {
    pub fn nothing(writer: &Writer<'_>, tenant_id: &TenantId) -> Self {
        Self {
            tenant_id: tenant_id.clone(),
            profiles: Vec::new(),
            kept: None,
            back: None,
            moved: Vec::new(),
            leave_groups: Vec::new(),
            lifts: Vec::new(),
            blocks: Vec::new(),
            signs_out: Vec::new(),
            signs_out_by: Vec::new(),
            buried: Vec::new(),
            unburied: Vec::new(),
            erased: Vec::new(),
            history: Vec::new(),
            log: Vec::new(),
            outbox: Vec::new(),
            inbox: Vec::new(),
            counted: Vec::new(),
            slot: writer.moment.slot(),
            at: writer.moment.now,
        }
    }

    /// All of it in one transaction.
    pub fn batch(&self) -> Batch {
        let (mut batch, tenant) = (Batch::default(), &self.tenant_id);
        for profile in &self.profiles {
            match profile {
                ProfileWrite::Insert(user) => users::insert(&mut batch, user, None),
                ProfileWrite::Update { user, expected } => users::update(&mut batch, user, *expected, None),
                ProfileWrite::None | ProfileWrite::Remove { .. } => {}
            }
        }
        if let Some(Back { linked, whole: Some(blocked), .. }) = &self.back {
            links::bring_back(&mut batch, tenant, &linked.id, *blocked, self.at);
            users::arrived(&mut batch, linked);
        }
        if let Some(Kept { secondary, primary, identities, blocks, merged, history_id }) = &self.kept {
            let texts = (identities.as_str(), blocks.as_str(), merged.as_str());
            links::keep(&mut batch, tenant, (secondary, primary), texts, (history_id, self.at));
        }
        for id in &self.leave_groups {
            groups::leave_all(&mut batch, tenant, id.as_str(), self.at);
        }
        for (identity, expected) in &self.moved {
            identities::update(&mut batch, identity, *expected);
        }
        if let Some(Back { linked, primary, earlier, .. }) = &self.back {
            links::follow(&mut batch, tenant, earlier, &linked.id);
            links::forget(&mut batch, tenant, &linked.id, primary);
        }
        // Sessions and grants that go with their profile are not named.
        for profile in &self.signs_out {
            sessions::delete_of_profile(&mut batch, tenant, profile);
            grants::delete_of_profile(&mut batch, tenant, profile);
        }
        for (profile, identity) in &self.signs_out_by {
            sessions::delete_of_identity(&mut batch, tenant, profile, identity);
            grants::delete_of_identity(&mut batch, tenant, profile, identity);
        }
        for profile in &self.profiles {
            if let ProfileWrite::Remove { user, .. } = profile {
                users::delete(&mut batch, user);
            }
        }
        for (user, reason) in &self.buried {
            users::bury(&mut batch, user, reason, self.at);
        }
        for user_id in &self.unburied {
            links::unbury(&mut batch, tenant, user_id);
        }
        for subject in &self.erased {
            users::bury_erased(&mut batch, tenant, subject, self.at);
        }
        for (profile, kind, origin) in &self.lifts {
            users::delete_block(&mut batch, tenant, profile, *kind, origin);
        }
        for (profile, block) in &self.blocks {
            users::insert_block(&mut batch, tenant, profile, block);
        }
        for history in &self.history {
            events::insert_history(&mut batch, tenant, history);
        }
        events::insert_log(&mut batch, tenant, &self.log);
        events::insert_outbox(&mut batch, tenant, &self.outbox);
        for (connection, by) in &self.counted {
            groups::count(&mut batch, tenant, connection, "user", self.slot, *by);
        }
        events::open_conflicts(&mut batch, tenant, &self.inbox);
        batch
    }
}
