//! A new person of a database connection (profile.md §7). Pure: who stands where they want to comes from outside.

use super::draft::{APP, Draft, USER};
use super::{Act, Members, Metadata, Refused, Writer, handles, plan};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::event::{InboxEntry, LINK_SUGGESTION, LogEntry};
use crate::model::identity::{Identity, IdentityState};
use crate::model::ids::{IdentityId, ProfileId};
use crate::model::user::User;
use crate::provisioning::plan::{IdentityWrite, UserPlan, ValueDiff};
use crate::provisioning::user_id::{self, hex};
use serde_json::{Map, Value, json};

/// Somebody who is to be made, as far as nothing has to be read for it.
#[derive(Clone, Debug)]
pub struct Newcomer {
    pub identity_id: IdentityId,
    pub external_id: String,
    /// The `user_id` they get if nobody bears it.
    pub user_id: String,
    /// The caller chose it: then nobody else's is taken instead.
    pub is_named: bool,
    /// The roots as they will be stored.
    pub roots: Map<String, Value>,
}

/// Who stands where somebody new wants to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Their identity id is somebody's of this connection.
    pub is_known: bool,
    /// Which of the handles are somebody's of this connection: `email`, …
    pub handles: Vec<String>,
    /// `user_id`s from the wanted one on that are borne or were, and those that are borne now.
    pub user_ids_taken: Vec<String>,
    pub user_ids_borne: Vec<String>,
    /// A profile elsewhere in the organization with the same address, which is verified or fed by a directory.
    pub by_email: Option<(ProfileId, String)>,
    pub erased: bool,
}

/// What is to be looked up before [`create`].
pub fn newcomer(writer: &Writer<'_>, connection: &Connection, new: &Members) -> Newcomer {
    let moment = &writer.moment;
    let identity_id = IdentityId::new(moment.id());
    let named = new.user_id.as_deref().map(|id| own_part(connection, id).to_owned());
    let is_named = named.is_some();
    let external_id = named.unwrap_or_else(|| hex(&moment.entropy.bytes::<12>()));
    let user_id = user_id::wanted(connection, Some(&external_id), identity_id.as_str());
    Newcomer { identity_id, external_id, user_id, is_named, roots: roots(new) }
}

/// An id that was read here may be written with its first part.
fn own_part<'i>(connection: &Connection, id: &'i str) -> &'i str {
    let own = id.strip_prefix(connection.kind.strategy()).and_then(|rest| rest.strip_prefix('|'));
    own.filter(|rest| !rest.is_empty()).unwrap_or(id)
}

/// The roots as they are stored: addresses in lower case, and never verified because nothing was said.
fn roots(new: &Members) -> Map<String, Value> {
    let mut roots = Map::new();
    for (name, value) in &new.roots {
        if let Some(value) = value {
            roots.insert((*name).to_owned(), stored(name, value.clone()));
        }
    }
    for (of, flag) in [("email", "email_verified"), ("phone_number", "phone_verified")] {
        if roots.contains_key(of) && !roots.contains_key(flag) {
            roots.insert(flag.to_owned(), false.into());
        }
    }
    roots
}

/// A value of a person whose connection keeps it itself.
pub(super) fn stored(name: &str, value: Value) -> Value {
    match (name, value.as_str()) {
        ("email", Some(text)) => text.to_lowercase().into(),
        _ => value,
    }
}

/// Makes them, or says why not.
///
/// # Errors
/// The connection is none of ours, somebody has one of the handles or the id, the profile is too large.
pub fn create(
    writer: &Writer<'_>,
    connection: &Connection,
    new: &Members,
    newcomer: Newcomer,
    claims: &Claims,
) -> Result<UserPlan, Refused> {
    if connection.kind != ConnectionKind::Database {
        let (connection, strategy) = (connection.name.clone(), connection.kind.strategy());
        return Err(Refused::NoDatabase { connection, strategy });
    }
    let Newcomer { identity_id, external_id, user_id, is_named, roots } = newcomer;
    if claims.erased {
        return Err(Refused::Erased);
    }
    if claims.is_known || is_named && claims.user_ids_borne.contains(&user_id) {
        return Err(Refused::Exists { attribute: "user_id" });
    }
    let taken = |attribute: &&str| claims.handles.iter().any(|taken| taken == attribute);
    if let Some(attribute) = super::HANDLES.into_iter().find(|attribute| taken(attribute)) {
        return Err(Refused::Exists { attribute });
    }
    let moment = &writer.moment;
    let user = User {
        tenant_id: connection.tenant_id.clone(),
        id: ProfileId::new(moment.id()),
        user_id: user_id::free(&user_id, &claims.user_ids_taken),
        organization_id: connection.organization_id.clone(),
        email: None,
        email_key: None,
        email_trusted: false,
        username_key: None,
        blocked: false,
        doc: "{}".into(),
        was: None,
        provenance: String::new(),
        version: 1,
        created_at: moment.now,
        updated_at: moment.now,
    };
    let identity = identity(writer, connection, &user, (identity_id, external_id), &roots);
    let gained = ValueDiff { gone: Vec::new(), new: handles(&roots) };
    let mut draft = Draft::of(user, Vec::new());
    for (name, value) in roots {
        draft.put(&name, Some(value));
    }
    for (object, said) in [(USER, &new.user_metadata), (APP, &new.app_metadata)] {
        if let Some(said) = said {
            draft.put_metadata(object, &without_nulls(said));
        }
    }
    if new.blocked == Some(true) {
        draft.block(writer, true);
    }
    let changed = draft.insert(writer, writer.by.event(Act::Created))?;
    let mut plan = plan(writer, Act::Created, IdentityWrite::Insert(identity), gained, changed);
    if let Some((profile_id, user_id)) = &claims.by_email {
        suggest(writer, &mut plan, profile_id, user_id);
    }
    Ok(plan)
}

/// A null at the first level of what is new says nothing.
fn without_nulls(said: &Metadata) -> Metadata {
    match said {
        Metadata::Replace(members) => {
            Metadata::Replace(members.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        other => other.clone(),
    }
}

fn identity(
    writer: &Writer<'_>,
    connection: &Connection,
    user: &User,
    (id, external_id): (IdentityId, String),
    roots: &Map<String, Value>,
) -> Identity {
    let now = writer.moment.now;
    let text = |name: &str| roots.get(name).and_then(Value::as_str).map(str::to_owned);
    Identity {
        tenant_id: connection.tenant_id.clone(),
        id,
        connection_id: connection.id.clone(),
        profile_id: Some(user.id.clone()),
        position: 0,
        external_id: Some(external_id),
        user_name: text("username"),
        // No SCIM client names anybody here; who bears a name is in the handles.
        user_name_key: None,
        label: text("name").or_else(|| text("username")).or_else(|| text("email")),
        state: IdentityState::Active,
        listed: false,
        active: None,
        raw: None,
        raw_hash: None,
        mapped: Some(Value::Object(roots.clone()).to_string()),
        mapping: None,
        mapping_version: None,
        login: None,
        last_source: writer.by.source().into(),
        dn_key: None,
        missing_runs: 0,
        version: 1,
        first_seen: now,
        last_seen: now,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

/// The same address elsewhere is no reason to link, and one to tell an administrator (profile.md §8).
fn suggest(writer: &Writer<'_>, plan: &mut UserPlan, profile_id: &ProfileId, user_id: &str) {
    let moment = &writer.moment;
    let identity = plan.identity.identity();
    let detail = json!({"user_id": user_id, "profile_id": profile_id, "identity_id": identity.id}).to_string();
    let inbox = InboxEntry {
        id: moment.id(),
        connection_id: identity.connection_id.clone(),
        kind: LINK_SUGGESTION,
        subject: identity.external_id.clone().unwrap_or_default(),
        detail: detail.clone(),
        at: moment.now,
    };
    let log = LogEntry { kind: "conflict.opened", id: moment.id(), detail: Some(detail), ..plan.log[0].clone() };
    plan.inbox.push(inbox);
    plan.log.push(log);
}
