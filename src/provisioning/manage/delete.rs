//! A person goes, with every identity (profile.md §10). Pure. Deleted, their source may bring them again, as somebody new;
//! erased, it may not.

use super::people::PeoplePlan;
use super::update::Person;
use super::{Writer, announcement, entry};
use crate::model::event::LogEntry;
use crate::model::fold::fold;
use crate::model::ids::ConnectionId;
use crate::provisioning::plan::ProfileWrite;
use crate::provisioning::user_id;
use serde_json::json;

pub const DELETED: &str = "api.user.deleted";
pub const ERASED: &str = "erasure.done";

/// `erases`: nothing that names them stays, and no source brings them back.
pub fn delete(writer: &Writer<'_>, person: &Person, erases: bool) -> PeoplePlan {
    let user = &person.user;
    let mut plan = PeoplePlan::nothing(writer, &user.tenant_id);
    plan.profiles.push(ProfileWrite::Remove { user: user.clone(), reason: DELETED });
    if !erases {
        plan.buried.push((user.clone(), DELETED.into()));
    }
    let mut counted: Vec<(ConnectionId, i64)> = Vec::new();
    for held in &person.identities {
        let identity = &held.identity;
        plan.leave_groups.push(identity.id.clone());
        if identity.listed {
            match counted.iter_mut().find(|(connection, _)| *connection == identity.connection_id) {
                Some((_, count)) => *count -= 1,
                None => counted.push((identity.connection_id.clone(), -1)),
            }
        }
        if erases {
            let by_id = identity.external_id.as_ref().map(|id| user_id::tombstone(&identity.connection_id, id));
            let by_name = identity.user_name_key.as_ref().map(|key| user_id::name_tombstone(&identity.connection_id, key));
            // Where people are known by their name, what a login brought is one.
            let known_by = identity.external_id.as_ref().filter(|_| held.connection.knows_by_user_name());
            let by_login = known_by.map(|id| user_id::name_tombstone(&identity.connection_id, &fold(id)));
            for subject in by_id.into_iter().chain(by_name).chain(by_login) {
                if !plan.erased.contains(&subject) {
                    plan.erased.push(subject);
                }
            }
        }
    }
    plan.counted = counted;
    if let Some(held) = person.identities.first() {
        let detail = (!erases).then(|| json!({"user_id": user.user_id}).to_string());
        let kind = if erases { ERASED } else { DELETED };
        let log = LogEntry { detail, profile_id: Some(user.id.clone()), ..entry(writer, kind, &held.identity, None) };
        let gone = json!(["deleted"]);
        plan.outbox.push(announcement(writer, "user.deleted", &held.identity, (user, user.version), &gone, &log.id));
        plan.log.push(log);
    }
    plan
}
