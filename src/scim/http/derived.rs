//! What the server adds to stored resources, `groups` of users and `members` of groups, read for many in one go.

use super::Call;
use super::answer::Refused;
use super::render::{Also, Owned};
use super::route::Resources;
use crate::store::groups::{self, Listed, Membership};
use crate::store::lists::Item;
use std::collections::HashMap;

/// The derived lists of some resources of one kind.
#[derive(Default)]
pub(super) struct Derived {
    groups: HashMap<String, Vec<Membership>>,
    members: HashMap<String, Vec<Listed>>,
}

/// The top-level attribute that is derived.
pub(super) fn attribute(which: Resources) -> &'static str {
    match which {
        Resources::Users => "groups",
        Resources::Groups => "members",
    }
}

impl Derived {
    /// Reads the derived list of each of `items`.
    pub(super) async fn read(call: &Call<'_>, which: Resources, items: &[&Item]) -> Result<Self, Refused> {
        Self::read_within(call, which, items, usize::MAX).await
    }

    /// The same, ended once more than `members_max` member rows were read: then it is not all, and [`Self::members_read`]
    /// tells.
    pub(super) async fn read_within(
        call: &Call<'_>,
        which: Resources,
        items: &[&Item],
        members_max: usize,
    ) -> Result<Self, Refused> {
        let (store, tenant) = (&call.scim.store, &call.connection.tenant_id);
        let mut derived = Self::default();
        match which {
            Resources::Users => {
                let ids: Vec<String> = items.iter().filter(|item| item.in_groups).map(|item| item.id.clone()).collect();
                if !ids.is_empty() {
                    derived.groups = groups::find_memberships(store, tenant, &ids).await?;
                }
            }
            Resources::Groups => {
                let mut left = members_max;
                for item in items {
                    let members = groups::find_members_beyond(store, tenant, &item.id, left).await?;
                    let is_over = members.len() > left;
                    left = left.saturating_sub(members.len());
                    derived.members.insert(item.id.clone(), members);
                    if is_over {
                        break;
                    }
                }
            }
        }
        Ok(derived)
    }

    /// Member rows that were read.
    pub(super) fn members_read(&self) -> usize {
        self.members.values().map(Vec::len).sum()
    }

    /// What the server owns of `item`.
    pub(super) fn owned<'a>(&'a self, item: &'a Item) -> Owned<'a> {
        let also = if let Some(members) = self.members.get(&item.id) {
            Also::Members(members)
        } else if let Some(groups) = self.groups.get(&item.id) {
            Also::Groups(groups)
        } else {
            Also::None
        };
        Owned { id: &item.id, version: item.version, created_at: item.created_at, updated_at: item.updated_at, also }
    }
}
