//! The inbox: what waits for a person's decision, what may be decided of it, and what a decision comes to.
//!
//! [`offers`] and [`decide`] are pure. A decision about somebody whom a source could not bring is no write of a profile: it stands in
//! the row, and the source's next attempt is decided by it ([`ruled`]). So the one path of a record stays the one path. Refuses
//! to decide what was not seen: a row that says something else by now is stale.

use super::Provisioner;
use super::decide::Joined;
use crate::clock::rfc3339;
use crate::model::conflict::{ConflictKind, ConflictState, Resolution};
use crate::model::connection::{Connection, OnEmailMatch};
use crate::store::conflicts::{self, Conflict};
use crate::store::identities::{self, Claims};
use crate::store::users_read::{self, UserRecord};
use crate::store::{self, Store};
use serde_json::{Value, json};

/// A row with what a decision about it reads.
#[derive(Clone, Debug)]
pub struct Item {
    pub row: Conflict,
    pub connection: Connection,
    /// Whose profile is in the way, while it is there.
    pub other: Option<UserRecord>,
    /// The profile that `subject` has by now: a login made it.
    pub own: Option<UserRecord>,
}

/// What a decision comes to, shown before it is carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolutionPlan {
    pub resolution: Resolution,
    /// In words, in the order in which it happens.
    pub effects: Vec<String>,
}

impl ResolutionPlan {
    pub fn as_json(&self) -> Value {
        json!({ "action": self.resolution.as_str(), "effects": self.effects })
    }
}

/// Why something can't be decided so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDecided {
    /// It was decided, or the reason went.
    NotOpen(ConflictState),
    /// Not of this kind; what is.
    NotOffered { offered: Vec<Resolution> },
    /// The profile it is about is gone.
    OtherGone,
}

impl std::fmt::Display for NotDecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOpen(state) => write!(f, "it is {} already", state.as_str()),
            Self::NotOffered { offered } if offered.is_empty() => {
                write!(f, "nothing is decided of it here: a run is confirmed by its hash")
            }
            Self::NotOffered { offered } => {
                let words: Vec<&str> = offered.iter().map(|resolution| resolution.as_str()).collect();
                write!(f, "of this kind may be decided: {}", words.join(", "))
            }
            Self::OtherGone => write!(f, "the profile it is about is gone: dismiss it, or let the source try again"),
        }
    }
}

/// What may be decided of an item.
pub fn offers(item: &Item) -> Vec<Resolution> {
    match item.row.kind {
        // They are in: whether they are one person is for `POST /users/{id}/identities`.
        ConflictKind::EmailMatch if item.own.is_some() => vec![Resolution::Dismiss],
        ConflictKind::EmailMatch => vec![Resolution::CreateNew, Resolution::Link, Resolution::Dismiss],
        ConflictKind::UserNameTaken | ConflictKind::JoinAmbiguous | ConflictKind::AttributeError => vec![Resolution::Dismiss],
        ConflictKind::SyncRejected
        | ConflictKind::SyncIdTwice
        | ConflictKind::SyncWithoutId
        | ConflictKind::SyncFailed
        | ConflictKind::SyncGroup => vec![Resolution::Retry, Resolution::Dismiss],
        ConflictKind::HeldRun => Vec::new(),
    }
}

/// What a decision would come to.
///
/// # Errors
/// [`NotDecided`].
pub fn decide(item: &Item, resolution: Resolution) -> Result<ResolutionPlan, NotDecided> {
    if item.row.state != ConflictState::Open {
        return Err(NotDecided::NotOpen(item.row.state));
    }
    let offered = offers(item);
    if !offered.contains(&resolution) {
        return Err(NotDecided::NotOffered { offered });
    }
    let (subject, connection) = (&item.row.subject, &item.connection.name);
    let other = item.other.as_ref().map(|other| other.user_id.as_str());
    let effects = match (resolution, other) {
        (Resolution::CreateNew, other) => vec![
            format!("the next time {connection} brings {subject}, a profile of its own is made"),
            format!("{} stays as it is", other.unwrap_or("the other profile")),
        ],
        (Resolution::Link, Some(other)) => vec![
            format!("the next time {connection} brings {subject}, it becomes a secondary identity of {other}"),
            "root attributes of the profile stay as they are: a secondary identity writes none".to_owned(),
            format!("blocks stay as they are; what {connection} blocks from then on blocks {other}"),
        ],
        (Resolution::Link, None) => return Err(NotDecided::OtherGone),
        (Resolution::Retry, _) => {
            vec![format!("the next run over {connection} begins as soon as one may, and looks at {subject} again")]
        }
        (Resolution::Dismiss, _) => {
            vec![format!("nothing of {subject} changes"), "the same is not told again while it says the same".to_owned()]
        }
    };
    Ok(ResolutionPlan { resolution, effects })
}

/// What to do, in words.
pub fn proposal(item: &Item) -> String {
    let (subject, connection) = (&item.row.subject, &item.connection.name);
    let other = item.other.as_ref().map_or("the other profile", |other| other.user_id.as_str());
    match item.row.kind {
        ConflictKind::EmailMatch => match &item.own {
            Some(own) => format!(
                "if {} and {other} are one person, link them (`POST /api/v2/users/{{id}}/identities`); else dismiss this",
                own.user_id
            ),
            None => format!(
                "if {subject} and {other} are one person: link. If they are two: create_new. Until then {connection} is refused, and \
                 nothing of {subject} is stored"
            ),
        },
        ConflictKind::UserNameTaken => {
            format!("rename one of the two at {connection}, or have it delete whoever left; its next attempt then passes")
        }
        ConflictKind::JoinAmbiguous => {
            format!("{subject} got a profile of its own; link it to the right one, or set `join_on` to what only one person has")
        }
        ConflictKind::AttributeError => {
            "mend the rule, and publish the mapping: the next write, or a replay, brings the value".to_owned()
        }
        ConflictKind::HeldRun => {
            format!("look at what it holds (`rosterd runs show {subject}`), and confirm it by its hash, or mend the source")
        }
        _ => "mend the entry or the mapping: the next run closes this by itself".to_owned(),
    }
}

/// The item as the management API shows it; the command line prints the same.
pub fn as_json(item: &Item) -> Value {
    let row = &item.row;
    let actions: Vec<&str> = offers(item).into_iter().map(Resolution::as_str).collect();
    json!({
        "conflict_id": row.id,
        "kind": row.kind.as_str(),
        "state": row.state.as_str(),
        "connection": item.connection.name,
        "connection_id": row.connection_id,
        "subject": row.subject,
        "reason": row.kind.reason(),
        "proposal": proposal(item),
        "actions": if row.state == ConflictState::Open { actions } else { Vec::new() },
        "other_user_id": item.other.as_ref().map(|other| other.user_id.as_str()),
        "user_id": item.own.as_ref().map(|own| own.user_id.as_str()),
        "detail": row.detail,
        "occurrences": row.occurrences,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "resolved_at": row.resolved_at.map(rfc3339),
        "resolved_by": row.resolved_by,
        "resolution": row.resolution.map(Resolution::as_str),
    })
}

/// [`as_json`] with what each decision would come to.
pub fn with_preview(item: &Item) -> Value {
    let mut shown = as_json(item);
    let plans = offers(item).into_iter().filter_map(|resolution| decide(item, resolution).ok());
    shown["preview"] = plans.map(|plan| plan.as_json()).collect();
    shown
}

/// A row with what a decision about it reads; `None` if its connection is gone.
///
/// # Errors
/// The store's.
pub async fn load(store: &Store, row: Conflict, tenant: &crate::model::ids::TenantId) -> Result<Option<Item>, store::Error> {
    let Some(found) = store::connections::find(store, tenant, &row.connection_id).await? else { return Ok(None) };
    let connection = found.connection;
    let (mut other, mut own) = (None, None);
    if matches!(row.kind, ConflictKind::EmailMatch | ConflictKind::JoinAmbiguous) {
        if let Some(id) = row.detail.get("profile_id").and_then(Value::as_str) {
            other = users_read::find_by_id(store, tenant, id).await?;
        }
        let identity = identities::find_by_external_id(store, &connection, &row.subject).await?;
        if let Some(user) = identity.and_then(|found| found.user) {
            own = users_read::find_by_id(store, tenant, user.id.as_str()).await?;
        }
    }
    Ok(Some(Item { row, connection, other, own }))
}

impl Provisioner {
    /// What somebody decided of a person whose address another connection feeds: they join that profile, or nobody is in the way.
    /// Asked only where an address is in the way.
    pub(super) async fn ruled(
        &self,
        connection: &Connection,
        subject: Option<&str>,
        claims: &mut Claims,
        joined: &mut Option<Joined>,
    ) -> Result<(), super::Error> {
        let in_the_way = !claims.by_email.is_empty() && connection.options.on_email_match == OnEmailMatch::Conflict;
        let Some(subject) = subject.filter(|_| in_the_way && joined.is_none()) else { return Ok(()) };
        match conflicts::find_ruling(&self.store, connection, subject).await? {
            Some((Resolution::CreateNew, _)) => claims.by_email.clear(),
            // Only while it still is that address: what was decided was about these two.
            Some((Resolution::Link, Some(profile))) if claims.by_email.iter().any(|(id, _)| *id == profile) => {
                *joined = self.as_joined(&connection.tenant_id, &profile).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};

    fn item(kind: ConflictKind) -> Item {
        let connection = Connection {
            tenant_id: TenantId::new("t"),
            id: ConnectionId::new("con_1"),
            name: "acme".into(),
            kind: ConnectionKind::Scim,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Scim),
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let row = Conflict {
            id: "c".into(),
            connection_id: connection.id.clone(),
            kind,
            state: ConflictState::Open,
            subject: "e-7".into(),
            detail: serde_json::Map::new(),
            detail_text: "{}".into(),
            occurrences: 1,
            created_at: 0,
            updated_at: 0,
            resolved_at: None,
            resolved_by: None,
            resolution: None,
        };
        Item { row, connection, other: Some(super::super::history::tests::user()), own: None }
    }

    /// Each kind with each decision.
    #[test]
    fn what_may_be_decided_depends_on_the_kind_and_everything_else_is_refused_with_what_may() {
        for kind in ConflictKind::ALL {
            let item = item(kind);
            let offered = offers(&item);
            for resolution in Resolution::ALL {
                match decide(&item, resolution) {
                    Ok(plan) => assert!(offered.contains(&resolution) && !plan.effects.is_empty(), "{kind:?} {resolution:?}"),
                    Err(error) => assert_eq!(error, NotDecided::NotOffered { offered: offered.clone() }),
                }
            }
            assert!(proposal(&item).len() > 20, "{kind:?}");
        }
        assert!(offers(&item(ConflictKind::HeldRun)).is_empty(), "a run is confirmed by its hash and nothing else");
    }

    #[test]
    fn what_was_decided_is_not_decided_again() {
        let mut item = item(ConflictKind::EmailMatch);
        item.row.state = ConflictState::Resolved;
        assert_eq!(decide(&item, Resolution::Dismiss), Err(NotDecided::NotOpen(ConflictState::Resolved)));
    }

    #[test]
    fn nobody_is_linked_to_a_profile_that_is_gone_or_anew_once_they_are_in() {
        let gone = Item { other: None, ..item(ConflictKind::EmailMatch) };
        assert_eq!(decide(&gone, Resolution::Link), Err(NotDecided::OtherGone));
        let there = item(ConflictKind::EmailMatch);
        let own = Item { own: there.other.clone(), ..there };
        assert_eq!(offers(&own), [Resolution::Dismiss]);
    }

    #[test]
    fn a_plan_names_who_and_whom() {
        let plan = decide(&item(ConflictKind::EmailMatch), Resolution::Link).expect("may be");
        assert!(plan.effects[0].contains("acme brings e-7") && plan.effects[0].contains("scim|scim|anna"), "{plan:?}");
        assert_eq!(with_preview(&item(ConflictKind::EmailMatch))["preview"].as_array().map(Vec::len), Some(3));
    }
}
