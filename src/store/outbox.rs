//! Announcements as readers follow them: by position, which is given after the commit, so that none who follows it misses a row that
//! was committed late. First what passes by, which is little, then the whole of what somebody wants.

use super::statements::statements;
use super::{EACH_MAX, Error, Row, Store};
use crate::args;
use crate::model::ids::TenantId;
use serde_json::Value as Json;
use std::collections::HashMap;

statements! {
    PASSING = "SELECT id, position, kind, coalesce(profile_id, group_id, '') FROM outbox WHERE tenant_id = $1 AND position > $2 \
        ORDER BY position LIMIT $3";
    /// With who did it, and the values before.
    ANNOUNCED = "SELECT o.id, o.position, o.kind, o.profile_id, o.group_id, o.connection_id, o.version, o.changed, o.created_at, \
        c.name, c.kind, l.request_id, l.actor, h.changes FROM outbox o \
        LEFT JOIN connections c ON c.tenant_id = o.tenant_id AND c.id = o.connection_id \
        LEFT JOIN log l ON l.tenant_id = o.tenant_id AND l.id = o.log_id \
        LEFT JOIN history h ON h.tenant_id = o.tenant_id AND h.profile_id = o.profile_id AND h.id = l.history_id \
        WHERE o.tenant_id = $1 AND o.id = $2";
    PLACE = "SELECT position, coalesce(profile_id, group_id, '') FROM outbox WHERE tenant_id = $1 AND id = $2 AND position IS NOT NULL";
    /// Some that were made at about that time: the first of them may have got its place after others.
    SINCE = "SELECT min(o.position) FROM (SELECT position FROM outbox WHERE tenant_id = $1 AND created_at >= $2 \
        ORDER BY created_at LIMIT 1000) o";
    MEMBER = "SELECT i.id, i.profile_id, u.user_id FROM identities i \
        LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id WHERE i.tenant_id = $1 AND i.id = $2";
    ANNOUNCED_GROUP = "SELECT id, name, external_id, version, created_at, updated_at FROM groups \
        WHERE tenant_id = $1 AND id = $2 AND listed";
    PROFILE_CALLED = "SELECT id FROM users WHERE tenant_id = $1 AND user_id = $2 LIMIT 1";
    /// Of the oldest rows that go, those that some webhook did not have yet.
    COUNT_UNSENT = "SELECT count(*) FROM (SELECT position FROM outbox WHERE tenant_id = $1 AND created_at < $2 \
        ORDER BY created_at LIMIT $3) o WHERE o.position > \
        (SELECT min(w.position) FROM webhooks w WHERE w.tenant_id = $1 AND w.enabled)";
}

/// May go together with others that wait.
pub(super) const LOOK_UPS: &[&str] = &[ANNOUNCED, MEMBER, ANNOUNCED_GROUP];

/// What is needed to say whether somebody wants an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    pub id: String,
    pub position: i64,
    pub kind: String,
    /// The profile or group whose order is kept.
    pub subject: String,
}

/// A row of `outbox` with what stands about it elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Announced {
    pub id: String,
    pub position: i64,
    pub kind: String,
    pub profile_id: Option<String>,
    pub group_id: Option<String>,
    pub connection_id: Option<String>,
    pub version: i64,
    pub changed: Json,
    pub at: i64,
    /// Name and kind of the connection, unless it is gone.
    pub connection: Option<(String, String)>,
    /// Request id and actor, unless the log row is gone.
    pub done_by: Option<(String, String)>,
    /// The values before, by path, as the history keeps them.
    pub before: Option<Json>,
}

/// A group as an event shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedGroup {
    pub id: String,
    pub name: String,
    pub external_id: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Whose profile a member is: the profile's id and `user_id`.
pub type Person = (String, String);

/// Up to `limit` announcements that have their place after `position`, in their order.
pub async fn passing(store: &Store, tenant: &TenantId, position: i64, limit: i64) -> Result<Vec<Passing>, Error> {
    let rows = store.read(PASSING, args![tenant, position, limit]).await?;
    let read = |row: &Row| Ok(Passing { id: row.text(0)?, position: row.int(1)?, kind: row.text(2)?, subject: row.text(3)? });
    rows.iter().map(read).collect()
}

/// The announcements with these ids, by id; those that retention took are missing.
pub async fn announced(store: &Store, tenant: &TenantId, ids: &[String]) -> Result<HashMap<String, Announced>, Error> {
    let mut found = HashMap::new();
    for part in ids.chunks(EACH_MAX) {
        for rows in store.look_up_each(ANNOUNCED, part.iter().map(|id| args![tenant, id]).collect()).await? {
            for row in &rows {
                let one = of_row(row)?;
                found.insert(one.id.clone(), one);
            }
        }
    }
    Ok(found)
}

fn of_row(row: &Row) -> Result<Announced, Error> {
    let json =
        |text: String| serde_json::from_str(&text).map_err(|_| Error::Corrupt { what: "a document of an event is no JSON" });
    Ok(Announced {
        id: row.text(0)?,
        position: row.opt_int(1)?.unwrap_or_default(),
        kind: row.text(2)?,
        profile_id: row.opt_text(3)?,
        group_id: row.opt_text(4)?,
        connection_id: row.opt_text(5)?,
        version: row.int(6)?,
        changed: json(row.text(7)?)?,
        at: row.int(8)?,
        connection: row.opt_text(9)?.zip(row.opt_text(10)?),
        done_by: row.opt_text(11)?.zip(row.opt_text(12)?),
        before: row.opt_text(13)?.map(json).transpose()?,
    })
}

/// Where an event stands and whose order it keeps; `None`: there is none with this id, or it has no place yet.
pub async fn find_place(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<(i64, String)>, Error> {
    let rows = store.read(PLACE, args![tenant, id]).await?;
    rows.first().map(|row| Ok((row.int(0)?, row.text(1)?))).transpose()
}

/// The position of the oldest announcement that is still there.
pub async fn first_kept(store: &Store, tenant: &TenantId) -> Result<Option<i64>, Error> {
    Ok(passing(store, tenant, 0, 1).await?.first().map(|first| first.position))
}

/// A position before everything that was announced at `at` or later; `None`: nothing was.
pub async fn before_instant(store: &Store, tenant: &TenantId, at: i64) -> Result<Option<i64>, Error> {
    let rows = store.read(SINCE, args![tenant, at]).await?;
    let first = rows.first().map(|row| row.opt_int(0)).transpose()?.flatten();
    Ok(first.map(|position| position - 1))
}

/// Whose profiles these members of groups are, by the identity's id. Groups in groups are nobody's.
pub async fn people(store: &Store, tenant: &TenantId, members: &[&str]) -> Result<HashMap<String, Person>, Error> {
    let mut found = HashMap::new();
    for part in members.chunks(EACH_MAX) {
        for rows in store.look_up_each(MEMBER, part.iter().map(|id| args![tenant, *id]).collect()).await? {
            for row in &rows {
                if let Some(person) = row.opt_text(1)?.zip(row.opt_text(2)?) {
                    found.insert(row.text(0)?, person);
                }
            }
        }
    }
    Ok(found)
}

/// The groups with these ids, by id; those that ended are missing.
pub async fn groups(store: &Store, tenant: &TenantId, ids: &[&str]) -> Result<HashMap<String, AnnouncedGroup>, Error> {
    let mut found = HashMap::new();
    for part in ids.chunks(EACH_MAX) {
        for rows in store.look_up_each(ANNOUNCED_GROUP, part.iter().map(|id| args![tenant, *id]).collect()).await? {
            for row in &rows {
                let group = AnnouncedGroup {
                    id: row.text(0)?,
                    name: row.text(1)?,
                    external_id: row.opt_text(2)?,
                    version: row.int(3)?,
                    created_at: row.int(4)?,
                    updated_at: row.int(5)?,
                };
                found.insert(group.id.clone(), group);
            }
        }
    }
    Ok(found)
}

/// The id of the profile with this `user_id`.
pub async fn find_profile_called(store: &Store, tenant: &TenantId, user_id: &str) -> Result<Option<String>, Error> {
    store.read(PROFILE_CALLED, args![tenant, user_id]).await?.first().map(|row| row.text(0)).transpose()
}

/// Of the `limit` oldest rows made before `before`, how many some webhook that is on did not have yet.
pub async fn count_unsent(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<i64, Error> {
    store.read(COUNT_UNSENT, args![tenant, before, limit]).await?.first().map_or(Ok(0), |row| row.int(0))
}
