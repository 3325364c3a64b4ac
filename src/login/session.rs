//! Sessions: begun with a login, shown, ended. The secret is in the cookie alone; stored is its keyed hash.

use super::answer::{Refused, json};
use super::{Logins, cookie, request_id, user_agent};
use crate::clock::{Micros, SECOND, rfc3339};
use crate::model::event::LogEntry;
use crate::model::ids::{SessionId, TenantId};
use crate::model::proof::Proof;
use crate::model::session::{ABSOLUTE, Session, SignedIn};
use crate::provisioning::login::Entering;
use crate::secret::{Secret, TokenHash, TokenKind};
use crate::store::{Batch, events, grants, groups, sessions};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// How exact `last_seen_at` is.
const TOUCH_EVERY: Micros = 60 * SECOND;

/// What of a profile is not its owner's to see (profile reference §6).
const NOT_SHOWN: &str = "app_metadata";

/// A session that is about to begin.
pub(super) struct Beginning {
    pub(super) secret: Secret<String>,
    hash: TokenHash,
    tenant: TenantId,
    id: SessionId,
    now: Micros,
    /// When it ends at the latest.
    expires_at: Micros,
    /// The browser's session until now, whoever's that was.
    replaced: Vec<TokenHash>,
    auth_time: Micros,
    proof: Proof,
}

impl Beginning {
    /// A new secret, whatever the browser brought.
    pub(super) fn new(logins: &Logins, tenant: &TenantId, parts: &Parts) -> Self {
        let secret = TokenKind::Session.generate(&logins.entropy);
        let now = logins.clock.now();
        let old = cookie::read(&logins.public_url, &parts.headers);
        Self {
            hash: logins.keys.hash_token(secret.expose()),
            secret,
            tenant: tenant.clone(),
            id: SessionId::new(logins.entropy.uuid(now)),
            now,
            expires_at: now.saturating_add(ABSOLUTE),
            replaced: old.map(|old| logins.keys.token_hashes(old.expose())).unwrap_or_default(),
            auth_time: now,
            proof: Proof::default(),
        }
    }

    /// Whoever vouches for the person saw them prove who they are at `at`. Never later than now: clocks differ.
    pub(super) fn proved_at(mut self, at: Option<Micros>) -> Self {
        self.auth_time = at.map_or(self.auth_time, |at| at.min(self.now));
        self
    }

    /// And how they proved it.
    pub(super) fn proved_by(self, proof: Proof) -> Self {
        Self { proof, ..self }
    }

    /// It ends at `until`, if that comes first: the source says how long it vouches for the person.
    pub(super) fn until(mut self, until: Option<Micros>) -> Self {
        self.expires_at = until.map_or(self.expires_at, |until| until.min(self.expires_at));
        self
    }

    /// It takes another session's place too.
    pub(super) fn replace(&mut self, session: TokenHash) {
        // Mostly the same that the cookie says.
        if !self.replaced.contains(&session) {
            self.replaced.push(session);
        }
    }

    /// For how long it lasts at most.
    pub(super) fn lasts(&self) -> Micros {
        (self.expires_at - self.now).max(0)
    }

    pub(super) fn session_id(&self) -> &SessionId {
        &self.id
    }

    /// Stores it with the login that it begins with.
    pub(super) fn store(&self, entering: &Entering<'_>, batch: &mut Batch) {
        for hash in &self.replaced {
            grants::move_to_session(batch, &self.tenant, (entering.profile_id, entering.identity_id), hash, &self.id);
            sessions::delete(batch, &self.tenant, hash);
        }
        let session = Session {
            tenant_id: self.tenant.clone(),
            id: self.id.clone(),
            profile_id: entering.profile_id.clone(),
            identity_id: entering.identity_id.clone(),
            data: Value::Object(entering.session.clone()).to_string(),
            created_at: self.now,
            last_seen_at: self.now,
            expires_at: self.expires_at,
            auth_time: self.auth_time,
            proof: self.proof.clone(),
        };
        sessions::insert(batch, &session, &self.hash);
    }

    /// As `GET /session` will show it.
    pub(super) async fn shown(&self, logins: &Logins) -> Result<Value, Refused> {
        match sessions::find_by_hash(&logins.store, &self.hash).await? {
            Some(signed_in) => shown(logins, &signed_in).await,
            // Blocked in the same moment.
            None => Err(Refused::InvalidCredentials),
        }
    }
}

/// `GET /session`: the profile of whoever is signed in.
pub(super) async fn show(logins: &Logins, parts: &Parts) -> Result<Response, Refused> {
    let signed_in = find(logins, parts).await?.ok_or(Refused::NotSignedIn)?;
    let body = shown(logins, &signed_in).await?;
    touch(logins, &signed_in.session);
    Ok(json(StatusCode::OK, &body))
}

/// `DELETE /session`: nobody is signed in any more; also where nobody was.
pub(super) async fn end(logins: &Logins, parts: &Parts) -> Result<Response, Refused> {
    logins.same_origin(parts)?;
    let tenant = logins.tenant(parts).await?;
    let known = find(logins, parts).await?;
    if let Some(secret) = cookie::read(&logins.public_url, &parts.headers) {
        let mut batch = Batch::default();
        for hash in logins.keys.token_hashes(secret.expose()) {
            sessions::delete(&mut batch, &tenant, &hash);
        }
        if let Some(signed_in) = &known {
            events::insert_log(&mut batch, &tenant, &[logged_out(logins, parts, signed_in)]);
        }
        logins.store.apply(batch).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie::forget(&logins.public_url));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Who is signed in by the cookie of a request, in the tenant of its host.
pub(super) async fn find(logins: &Logins, parts: &Parts) -> Result<Option<SignedIn>, Refused> {
    let Some(secret) = cookie::read(&logins.public_url, &parts.headers) else { return Ok(None) };
    let tenant = logins.tenant(parts).await?;
    let now = logins.clock.now();
    for hash in logins.keys.token_hashes(secret.expose()) {
        let found = sessions::find_by_hash(&logins.store, &hash).await?;
        if let Some(found) = found.filter(|found| found.session.tenant_id == tenant && found.session.is_live(now)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn shown(logins: &Logins, signed_in: &SignedIn) -> Result<Value, Refused> {
    let SignedIn { session, .. } = signed_in;
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let mut profile = Map::new();
    profile.insert("user_id".into(), signed_in.user_id.as_str().into());
    let doc = object(&signed_in.doc).into_iter();
    profile.extend(doc.filter(|(name, _)| name != NOT_SHOWN && name != "user_id"));
    let groups = groups::of_profile(&logins.store, &session.tenant_id, &session.profile_id).await?;
    profile.insert("groups".into(), groups.into());
    profile.insert("created_at".into(), rfc3339(signed_in.created_at).into());
    profile.insert("updated_at".into(), rfc3339(signed_in.updated_at).into());
    if let Some(at) = signed_in.last_login_at {
        profile.insert("last_login".into(), rfc3339(at).into());
        profile.insert("logins_count".into(), signed_in.logins_count.into());
    }
    let mut own = object(&session.data);
    own.insert("connection".into(), signed_in.connection.as_str().into());
    own.insert("created_at".into(), rfc3339(session.created_at).into());
    own.insert("expires_at".into(), rfc3339(session.expires_at).into());
    profile.insert("session".into(), own.into());
    Ok(Value::Object(profile))
}

/// Notes the use at most once a minute, in the background: no request waits for it, and losing one is harmless.
pub(super) fn touch(logins: &Logins, session: &Session) {
    let now = logins.clock.now();
    if now.saturating_sub(session.last_seen_at) < TOUCH_EVERY {
        return;
    }
    let mut batch = Batch::default();
    sessions::touch(&mut batch, session, now);
    let store = logins.store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.apply(batch).await {
            tracing::debug!(%error, "the use of a session was not noted");
        }
    });
}

fn logged_out(logins: &Logins, parts: &Parts, signed_in: &SignedIn) -> LogEntry {
    let now = logins.clock.now();
    let entry = LogEntry {
        id: logins.entropy.uuid(now),
        kind: "logout",
        outcome: "ok",
        connection_id: Some(signed_in.connection_id.clone()),
        identity_id: Some(signed_in.session.identity_id.clone()),
        profile_id: Some(signed_in.session.profile_id.clone()),
        actor: String::from("login"),
        request_id: request_id(parts).to_owned(),
        at: now - now % 1_000,
        ..LogEntry::default()
    };
    entry.from_where(Some(logins.client_address(parts)), user_agent(parts))
}
