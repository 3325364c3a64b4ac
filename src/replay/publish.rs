//! Whether a text may be published: the preview it names has to be of this text, over the version that still runs, the same connections,
//! and a roster that did not move on beyond a little. `judge` is pure; what it is told of is read here.

use super::preview::{Asked, KEPT_FOR, Pinned, Progress, pinned};
use super::users_of;
use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::model::ids::TenantId;
use crate::store::{self, Store, connections, walks};

/// Changes of profiles since a preview that may be, whatever it was over; beyond it a share of that.
const MOVED_MAX: u64 = 20;
const MOVED_PERCENT: u64 = 1;

/// Why a text is not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("people are stored whom it would concern, and no preview was named: look at one first")]
    Unseen,
    #[error("there is no preview with this hash, or it is older than a day and forgotten")]
    Unknown,
    #[error("the preview is of mapping {name}")]
    OtherMapping { name: String },
    #[error("the preview is of another text: look at one of this text")]
    OtherText,
    #[error("version {version} was published since the preview, which is over version {base}")]
    OtherBase { base: i64, version: i64 },
    #[error("connections that use the mapping, or their options, changed since the preview")]
    OtherConnections,
    #[error("the preview is older than a day")]
    Old,
    #[error("profiles changed since the preview, more than {allowed} times: what it says may not hold any more")]
    Moved { allowed: u64 },
}

impl Why {
    /// Stable.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unseen => "preview_needed",
            Self::Unknown => "unknown_preview",
            Self::OtherMapping { .. } | Self::OtherText => "preview_of_another_text",
            Self::OtherBase { .. } | Self::OtherConnections | Self::Old | Self::Moved { .. } => "stale_preview",
        }
    }
}

/// What is to be published, and what is so now.
#[derive(Clone, Debug)]
pub struct Now<'n> {
    pub name: &'n str,
    pub checksum: &'n str,
    /// The newest version.
    pub base: i64,
    pub connections: Vec<Pinned>,
}

/// What the preview says, and what happened since.
#[derive(Clone, Debug)]
pub struct Seen<'s> {
    pub asked: &'s Asked,
    pub people: u64,
    pub age: Micros,
    /// Changes of profiles since it began, counted no further than needed.
    pub moved: u64,
}

/// How many changes since a preview over so many people are too few to matter.
pub fn allowed(people: u64) -> u64 {
    MOVED_MAX.max(people.saturating_mul(MOVED_PERCENT) / 100)
}

/// Does the preview hold for what is to be published?
///
/// # Errors
/// Why not.
pub fn judge(now: &Now<'_>, seen: &Seen<'_>) -> Result<(), Why> {
    let asked = seen.asked;
    if asked.name != now.name {
        return Err(Why::OtherMapping { name: asked.name.clone() });
    }
    if asked.checksum != now.checksum {
        return Err(Why::OtherText);
    }
    if asked.base != now.base {
        return Err(Why::OtherBase { base: asked.base, version: now.base });
    }
    if asked.connections != now.connections {
        return Err(Why::OtherConnections);
    }
    if seen.age > KEPT_FOR {
        return Err(Why::Old);
    }
    let allowed = allowed(seen.people);
    if seen.moved > allowed { Err(Why::Moved { allowed }) } else { Ok(()) }
}

/// The same of what is stored. `to_profile`: what comes of the text is a profile; only then is there anything to look at. Where
/// nobody is stored of any connection that uses the name, no preview is needed.
///
/// # Errors
/// The store's.
pub async fn may_publish(
    store: &Store,
    tenant: &TenantId,
    (name, checksum, base): (&str, &str, i64),
    (to_profile, preview): (bool, Option<&str>),
    at: Micros,
) -> Result<Result<(), Why>, store::Error> {
    let used = users_of(store, tenant, name).await?;
    let Some(hash) = preview else {
        let is_free = !to_profile || !anybody(store, &used).await?;
        return Ok(if is_free { Ok(()) } else { Err(Why::Unseen) });
    };
    let Some(walk) = walks::find_by_hash(store, tenant, hash).await?.filter(|walk| walk.state == "done") else {
        return Ok(Err(Why::Unknown));
    };
    let unreadable = store::Error::Corrupt { what: "a row of walks can't be read" };
    let (asked, progress) = (serde_json::from_str::<Asked>(&walk.request), serde_json::from_str::<Progress>(&walk.progress));
    let (Ok(asked), Ok(progress)) = (asked, progress) else { return Err(unreadable) };
    let now = Now { name, checksum, base, connections: used.iter().map(|(connection, _)| pinned(connection)).collect() };
    let people = progress.tally.people;
    let most = i64::try_from(allowed(people) + 1).unwrap_or(i64::MAX);
    let mut moved = 0;
    for (connection, _) in &used {
        if moved < most {
            moved += walks::changed_since(store, connection, walk.created_at, most).await?;
        }
    }
    let seen = Seen { asked: &asked, people, age: at - walk.created_at, moved: u64::try_from(moved).unwrap_or(0) };
    Ok(judge(&now, &seen))
}

async fn anybody(store: &Store, used: &[(Connection, Vec<crate::profile::Side>)]) -> Result<bool, store::Error> {
    for (connection, _) in used {
        if connections::has_identities(store, &connection.tenant_id, &connection.id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let text = serde_json::json!({
            "name": "hr", "language": "mapping", "text": "", "includes": [], "checksum": "c1", "base": 3,
            "connections": [{"id": "con_1", "version": 1}],
        });
        serde_json::from_value(text).unwrap()
    }

    fn now() -> Now<'static> {
        Now { name: "hr", checksum: "c1", base: 3, connections: vec![Pinned { id: "con_1".into(), version: 1 }] }
    }

    #[test]
    fn a_preview_of_the_same_over_the_same_holds() {
        let asked = asked();
        assert_eq!(judge(&now(), &Seen { asked: &asked, people: 100, age: 0, moved: 20 }), Ok(()));
        assert_eq!(judge(&now(), &Seen { asked: &asked, people: 100_000, age: KEPT_FOR, moved: 1_000 }), Ok(()));
    }

    #[test]
    fn whatever_moved_beyond_is_said() {
        let asked = asked();
        let seen = Seen { asked: &asked, people: 100, age: 0, moved: 0 };
        let why = |now: &Now<'_>, seen: &Seen<'_>| judge(now, seen).unwrap_err();
        assert_eq!(why(&Now { name: "it", ..now() }, &seen), Why::OtherMapping { name: "hr".into() });
        assert_eq!(why(&Now { checksum: "c2", ..now() }, &seen), Why::OtherText);
        assert_eq!(why(&Now { base: 4, ..now() }, &seen), Why::OtherBase { base: 3, version: 4 });
        assert_eq!(why(&Now { connections: vec![], ..now() }, &seen), Why::OtherConnections);
        let options = vec![Pinned { id: "con_1".into(), version: 2 }];
        assert_eq!(why(&Now { connections: options, ..now() }, &seen), Why::OtherConnections);
        assert_eq!(why(&now(), &Seen { age: KEPT_FOR + 1, ..seen.clone() }), Why::Old);
        assert_eq!(why(&now(), &Seen { moved: 21, ..seen.clone() }), Why::Moved { allowed: 20 });
        assert_eq!(why(&now(), &Seen { people: 10_000, moved: 101, ..seen }), Why::Moved { allowed: 100 });
    }
}
