//! Events as whoever follows them gets them: in the order of their positions, each made when it is asked for. Owns which part is read
//! and how much of it at a time. Refuses to wait, and to know who follows.

use super::envelope::{self, Known};
use crate::model::ids::TenantId;
use crate::store::outbox::{self, Announced, Passing};
use crate::store::positions::{self, Feed};
use crate::store::users_read::{self, IdentityRecord, UserRecord};
use crate::store::{Error, Store};
use serde_json::Value;

/// Announcements looked at for one part, whether somebody wants them or not.
pub const PASSING_MAX: i64 = 1_000;
/// Members of groups that one part names before it ends early.
const MEMBERS_MAX: usize = 2_000;

/// How a user is shown.
pub type ShowUser = fn(&UserRecord, &[IdentityRecord]) -> Value;

/// Reads events. Clones are one.
#[derive(Clone)]
pub struct Reader {
    pub store: Store,
    pub show_user: ShowUser,
}

fn distinct(mut ids: Vec<&str>) -> Vec<&str> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Which events somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// None: all.
    pub types: Vec<String>,
    /// A profile or a group.
    pub subject: Option<String>,
}

impl Wanted {
    pub fn takes(&self, passing: &Passing) -> bool {
        (self.types.is_empty() || self.types.contains(&passing.kind))
            && self.subject.as_ref().is_none_or(|subject| *subject == passing.subject)
    }
}

/// One event, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    pub position: i64,
    pub kind: String,
    pub body: Value,
}

/// A part of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub events: Vec<Event>,
    /// Where the next part begins.
    pub next: i64,
    /// Whether there may be more at once.
    pub more: bool,
}

impl Reader {
    /// Up to `take` of the events after `position` that are wanted, of the next [`PASSING_MAX`].
    pub async fn part(&self, tenant: &TenantId, position: i64, wanted: &Wanted, take: usize) -> Result<Part, Error> {
        let all = i64::try_from(take).unwrap_or(PASSING_MAX).min(PASSING_MAX);
        let limit = if *wanted == Wanted::default() { all } else { PASSING_MAX };
        let passing = outbox::passing(&self.store, tenant, position, limit).await?;
        let mut next = passing.last().map_or(position, |last| last.position);
        let mut more = i64::try_from(passing.len()).is_ok_and(|passed| passed >= limit);
        let mut ids = Vec::new();
        for one in passing.iter().filter(|one| wanted.takes(one)) {
            if ids.len() == take {
                more = true;
                break;
            }
            if ids.len() + 1 == take {
                next = one.position;
                more = more || passing.last().is_some_and(|last| last.position > next);
            }
            ids.push(one.id.clone());
        }
        let mut found = outbox::announced(&self.store, tenant, &ids).await?;
        let (mut announced, mut named) = (Vec::new(), 0);
        for one in ids.iter().filter_map(|id| found.remove(id)) {
            named += envelope::members(&one).count();
            if named > MEMBERS_MAX && !announced.is_empty() {
                next = one.position - 1;
                more = true;
                break;
            }
            announced.push(one);
        }
        Ok(Part { events: self.made(tenant, announced).await?, next, more })
    }

    /// The events with these ids, in this order; those that retention took are missing.
    pub async fn with_ids(&self, tenant: &TenantId, ids: &[String]) -> Result<Vec<Event>, Error> {
        let mut found = outbox::announced(&self.store, tenant, ids).await?;
        self.made(tenant, ids.iter().filter_map(|id| found.remove(id)).collect()).await
    }

    async fn made(&self, tenant: &TenantId, announced: Vec<Announced>) -> Result<Vec<Event>, Error> {
        let known = self.known(tenant, &announced).await?;
        let event = |one: Announced| {
            let body = envelope::event(tenant, &one, &known);
            Event { id: one.id, position: one.position, kind: one.kind, body }
        };
        Ok(announced.into_iter().map(event).collect())
    }

    async fn known(&self, tenant: &TenantId, announced: &[Announced]) -> Result<Known, Error> {
        let users = distinct(announced.iter().filter_map(|one| one.profile_id.as_deref()).collect());
        let groups = distinct(announced.iter().filter_map(|one| one.group_id.as_deref()).collect());
        let members: Vec<String> = announced.iter().flat_map(envelope::members).map(str::to_owned).collect();
        let members = distinct(members.iter().map(String::as_str).collect());
        let users = users_read::many(&self.store, tenant, &users).await?;
        Ok(Known {
            users: users.iter().map(|(user, identities)| (user.id.to_string(), (self.show_user)(user, identities))).collect(),
            groups: outbox::groups(&self.store, tenant, &groups).await?,
            people: outbox::people(&self.store, tenant, &members).await?,
        })
    }

    /// The place of the newest event that has one.
    pub async fn newest(&self, tenant: &TenantId) -> Result<i64, Error> {
        Ok(positions::find_last(&self.store, Feed::Outbox, tenant.as_str()).await?.unwrap_or(0))
    }

    /// A place before the oldest event that is kept.
    pub async fn oldest(&self, tenant: &TenantId) -> Result<i64, Error> {
        // In this order: what gets its place between the two is not passed over.
        let newest = self.newest(tenant).await?;
        Ok(outbox::first_kept(&self.store, tenant).await?.map_or(newest, |first| first - 1))
    }

    /// A place before everything that happened at `at` or later.
    pub async fn since(&self, tenant: &TenantId, at: i64) -> Result<i64, Error> {
        let newest = self.newest(tenant).await?;
        Ok(outbox::before_instant(&self.store, tenant, at).await?.unwrap_or(newest))
    }

    /// Whether all that came after this place is still kept.
    pub async fn reaches(&self, tenant: &TenantId, position: i64) -> Result<bool, Error> {
        Ok(position >= self.oldest(tenant).await?)
    }
}
