//! From an `Authorization` header to a [`Principal`]: keyed hash, one statement, a cache of two seconds.
//!
//! Whatever the reason of a refusal, the caller learns only "not valid"; the reason goes to the log.

use super::bearer::{BearerError, bearer};
use super::rate::{Allowance, RateLimit};
use crate::clock::{Clock, Micros, SECOND};
use crate::model::access::{CONSOLE_SCOPE, Principal, Token};
use crate::model::connection::Connection;
use crate::model::ids::TokenId;
use crate::model::tenant::TenantState;
use crate::secret::{KeyRing, TokenHash, TokenKind};
use crate::store::{self, Batch, Store, tokens};
use axum::http::{HeaderMap, StatusCode};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a look-up is believed: a revocation works everywhere within this time.
const CACHE_TIME: Micros = 2 * SECOND;
/// Most look-ups remembered at a time.
const CACHE_MAX: usize = 10_000;
/// How exact `last_used_at` is.
const TOUCH_EVERY: Micros = 60 * SECOND;

/// Why a request has no principal.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("no bearer token was sent")]
    Missing,
    #[error("the authorization header does not hold one bearer token")]
    Malformed,
    #[error("the token is not known")]
    Unknown,
    #[error("the token has expired")]
    Expired,
    #[error("the token was revoked")]
    Revoked,
    /// A token of a kind that opens no API.
    #[error("the token opens nothing here")]
    WrongKind,
    #[error("too many requests with this token")]
    RateLimited { retry_after_seconds: u64 },
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl AuthError {
    /// 401 for whatever is wrong with the token, 429 when it asks too much, 503 when the store can't tell.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The `WWW-Authenticate` header of a 401 (RFC 6750 §3): a bare challenge when nothing was sent.
    pub fn challenge(&self) -> &'static str {
        match self {
            Self::Missing => "Bearer realm=\"rosterd\"",
            Self::Malformed => "Bearer realm=\"rosterd\", error=\"invalid_request\"",
            _ => "Bearer realm=\"rosterd\", error=\"invalid_token\"",
        }
    }

    /// What the caller is told; alike for every token that doesn't open.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is required",
            Self::Malformed => "the Authorization header must hold one bearer token",
            Self::RateLimited { .. } => "too many requests with this token",
            Self::Store(_) => "the token can't be checked at the moment",
            _ => "the token is not valid",
        }
    }

    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_seconds } => Some(*retry_after_seconds),
            Self::Store(_) => Some(1),
            _ => None,
        }
    }
}

/// Checks bearer tokens. Clones share one cache.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    store: Store,
    keys: KeyRing,
    clock: Clock,
    rate: RateLimit,
    cache: Mutex<HashMap<TokenHash, Arc<Cached>>>,
}

/// One look-up.
struct Cached {
    token: Token,
    /// The hash as it is stored.
    hash: TokenHash,
    connection: Option<Arc<Connection>>,
    tenant: TenantState,
    read_at: Micros,
    touched_at: AtomicI64,
}

impl Authenticator {
    pub fn new(store: Store, keys: KeyRing, clock: Clock, rate: RateLimit) -> Self {
        Self(Arc::new(Inner { store, keys, clock, rate, cache: Mutex::default() }))
    }

    /// Who sent a request with these headers. Takes one request from the token's bucket.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, AuthError> {
        self.admit(headers).await.map(|(principal, _)| principal)
    }

    /// Most requests that a token may make at once.
    pub fn burst(&self) -> u32 {
        self.0.rate.burst()
    }

    /// [`Self::authenticate`], and what the token has left.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<(Principal, Allowance), AuthError> {
        let text = bearer(headers).map_err(|error| match error {
            BearerError::Missing => AuthError::Missing,
            BearerError::Malformed => AuthError::Malformed,
        })?;
        let kind = TokenKind::of(text).ok_or(AuthError::Unknown)?;
        let found = self.look_up(text).await?;
        let principal = principal(kind, &found, self.0.clock.now())?;
        let exhausted = |error: super::rate::Exhausted| AuthError::RateLimited { retry_after_seconds: error.retry_after_seconds };
        let allowance = self.0.rate.take(&found.token.id).map_err(exhausted)?;
        self.touch(&found);
        Ok((principal, allowance))
    }

    /// Takes one request from the bucket of a token that somebody else looked up.
    pub fn allow(&self, token: &TokenId) -> Result<Allowance, AuthError> {
        let exhausted = |error: super::rate::Exhausted| AuthError::RateLimited { retry_after_seconds: error.retry_after_seconds };
        self.0.rate.take(token).map_err(exhausted)
    }

    /// Whether the token of these headers still opens anything, asked of the store itself and counted as no request: for what goes on
    /// after it began.
    pub async fn again(&self, headers: &HeaderMap) -> Result<Principal, AuthError> {
        let text = bearer(headers).map_err(|_| AuthError::Malformed)?;
        let kind = TokenKind::of(text).ok_or(AuthError::Unknown)?;
        let now = self.0.clock.now();
        for hash in self.0.keys.token_hashes(text) {
            if let Some(found) = self.find(hash, now).await? {
                return principal(kind, &found, now);
            }
        }
        Err(AuthError::Unknown)
    }

    /// Forgets every look-up, for a process that just revoked a token itself.
    pub fn forget(&self) {
        self.cache().clear();
    }

    async fn look_up(&self, text: &str) -> Result<Arc<Cached>, AuthError> {
        let now = self.0.clock.now();
        for hash in self.0.keys.token_hashes(text) {
            if let Some(known) = self.cached(&hash, now) {
                return Ok(known);
            }
            let Some(cached) = self.find(hash, now).await? else { continue };
            self.remember(&cached, now);
            return Ok(cached);
        }
        Err(AuthError::Unknown)
    }

    async fn find(&self, hash: TokenHash, now: Micros) -> Result<Option<Arc<Cached>>, AuthError> {
        let found = tokens::find_by_hash(&self.0.store, &hash).await;
        let found = found.inspect_err(|error| tracing::warn!(%error, "a token could not be looked up"))?;
        let Some(found) = found.filter(|found| found.hash == hash) else { return Ok(None) };
        Ok(Some(Arc::new(Cached {
            touched_at: AtomicI64::new(found.token.last_used_at.unwrap_or(i64::MIN)),
            connection: found.connection.map(|stored| Arc::new(stored.connection)),
            tenant: found.tenant,
            token: found.token,
            hash,
            read_at: now,
        })))
    }

    fn cached(&self, hash: &TokenHash, now: Micros) -> Option<Arc<Cached>> {
        let known = self.cache().get(hash).cloned()?;
        is_fresh(&known, now).then_some(known)
    }

    fn remember(&self, cached: &Arc<Cached>, now: Micros) {
        let mut cache = self.cache();
        if cache.len() >= CACHE_MAX {
            cache.retain(|_, cached| is_fresh(cached, now));
        }
        if cache.len() < CACHE_MAX {
            cache.insert(cached.hash, Arc::clone(cached));
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<TokenHash, Arc<Cached>>> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the use at most once a minute, in the background: no request waits for it, and losing one is harmless.
    fn touch(&self, found: &Arc<Cached>) {
        let now = self.0.clock.now();
        let last = found.touched_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= TOUCH_EVERY;
        if !due || found.touched_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let (inner, found) = (Arc::clone(&self.0), Arc::clone(found));
        tokio::spawn(async move {
            let mut batch = Batch::default();
            tokens::touch(&mut batch, &found.token.tenant_id, &found.token.id, now);
            if let Err(error) = inner.store.apply(batch).await {
                tracing::debug!(%error, "the last use of a token was not noted");
            }
        });
    }
}

/// A look-up is believed for [`CACHE_TIME`], and not at all by a clock that went back.
fn is_fresh(cached: &Cached, now: Micros) -> bool {
    (0..CACHE_TIME).contains(&(now - cached.read_at))
}

/// The principal behind a found token, if it opens anything at `now`.
fn principal(kind: TokenKind, found: &Cached, now: Micros) -> Result<Principal, AuthError> {
    let Token { tenant_id, id, scopes, expires_at, revoked_at, .. } = &found.token;
    if revoked_at.is_some() {
        return Err(AuthError::Revoked);
    }
    if expires_at.is_some_and(|at| at <= now) {
        return Err(AuthError::Expired);
    }
    match (kind, &found.connection) {
        (TokenKind::Scim, Some(connection)) => {
            let (connection, scopes) = (Arc::clone(connection), scopes.clone());
            Ok(Principal::Scim { token: id.clone(), connection, scopes, state: found.tenant })
        }
        (TokenKind::Management, None) if !scopes.iter().any(|scope| scope == CONSOLE_SCOPE) => {
            Ok(Principal::Management { token: id.clone(), tenant: tenant_id.clone(), scopes: scopes.clone() })
        }
        _ => Err(AuthError::WrongKind),
    }
}
