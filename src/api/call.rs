//! One authenticated call: whose tenant, which scopes, the decoded path and query, and the body, once somebody may send one.

use super::Api;
use super::problem::Problem;
use crate::http::body;
use crate::http::client_address::client_address;
use crate::http::request_id::RequestId;
use crate::model::access::Principal;
use crate::model::connection::Connection;
use crate::model::event::bounded_user_agent;
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::provider::person::Caller;
use crate::provisioning::Expected;
use crate::store::audit::{Audit, CameFrom};
use crate::store::connections;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, IF_MATCH, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use std::net::SocketAddr;

/// Longest body in bytes.
const BODY_BYTES_MAX: usize = 512 << 10;

pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) tenant: TenantId,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    request_id: String,
    /// For the log.
    from: CameFrom,
    content_type: String,
    if_match: Option<String>,
    principal: Principal,
    person: Option<Caller>,
    /// Decoded, each segment once.
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    /// # Errors
    /// 401 for a SCIM token, 400 for a path or query that is no text.
    pub(super) fn new(api: &'a Api, principal: Principal, person: Option<Caller>, parts: &Parts) -> Result<Self, Problem> {
        if matches!(principal, Principal::Scim { .. }) {
            return Err(Problem::another_kind());
        }
        let tenant = principal.tenant().clone();
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let clean = |text: String| (!text.contains('\0')).then_some(text);
        let segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        let segments =
            segments.map(|segment| decode(segment).and_then(clean).ok_or_else(Problem::uri)).collect::<Result<_, _>>()?;
        let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| decode(&text.replace('+', " ")).and_then(clean);
            let unreadable = || Problem::query("the query string holds bytes that are no text");
            Ok((decoded(name).ok_or_else(unreadable)?, decoded(value).ok_or_else(unreadable)?))
        });
        let query = query.collect::<Result<_, Problem>>()?;
        let request_id = parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
        let (method, content_type) = (parts.method.clone(), content_type(&parts.headers));
        let if_match = parts.headers.get(IF_MATCH).map(|value| value.to_str().unwrap_or_default().to_owned());
        let headers = parts.headers.clone();
        let from = came_from(api, parts);
        Ok(Self { api, tenant, method, headers, request_id, from, content_type, if_match, principal, person, segments, query })
    }

    /// The members of a body that is a JSON object; none where there is no body.
    ///
    /// # Errors
    /// 413 beyond [`BODY_BYTES_MAX`], 415 for another kind of body, 400 for what is no object.
    pub(super) async fn object(&self, body: Body) -> Result<Map<String, Value>, Problem> {
        let bytes = body::read(body, BODY_BYTES_MAX, self.api.body_timeout).await?;
        if bytes.is_empty() {
            return Ok(Map::new());
        }
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::media_type());
        }
        serde_json::from_slice(&bytes).map_err(|_| Problem::body("the body is no JSON object"))
    }

    /// [`Self::object`], or the same as a merge patch (RFC 7396): then `true`.
    pub(super) async fn object_or_merge_patch(&self, body: Body) -> Result<(Map<String, Value>, bool), Problem> {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/merge-patch+json") {
            return self.object(body).await.map(|object| (object, false));
        }
        let bytes = body::read(body, BODY_BYTES_MAX, self.api.body_timeout).await?;
        let object = serde_json::from_slice(&bytes).map_err(|_| Problem::body("the body is no JSON object"))?;
        Ok((object, true))
    }

    /// Which versions the caller wants it to have (RFC 9110 §13.1.1), compared weakly.
    pub(super) fn if_match(&self) -> Result<Expected, Problem> {
        let Some(text) = self.if_match.as_deref().map(str::trim) else { return Ok(Expected::Any) };
        if text == "*" {
            return Ok(Expected::Any);
        }
        let version = |tag: &str| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?.parse::<i64>().ok()
        };
        // A tag that is none of ours is no version of it.
        Ok(Expected::OneOf(text.split(',').filter_map(version).collect()))
    }

    /// Does a person call, by an application of theirs?
    pub(super) const fn is_person(&self) -> bool {
        self.person.is_some()
    }

    /// Whose account `text` proves; of nobody else than the application's own people.
    pub(super) async fn proven(&self, text: &str) -> Result<String, Problem> {
        let Some(caller) = &self.person else { return Err(Problem::body("link_with is for a person's own token")) };
        let proven = self.api.provider.proven(caller, text).await?;
        proven.ok_or_else(|| {
            Problem::body("link_with is no ID token that was given to this application, signed with RS256 and not expired")
        })
    }

    /// 403 where a person asks for something else than their own profile.
    pub(super) fn is_its_own(&self, scopes: &[&str]) -> Result<(), Problem> {
        let Principal::Person { user_id, .. } = &self.principal else { return Ok(()) };
        let is_own = self.segments.iter().any(|segment| segment == "users") && self.id_after("users") == user_id;
        if is_own { Ok(()) } else { Err(Problem::scope(scopes)) }
    }

    /// The two segments after `name`, the second with whatever follows it.
    pub(super) fn two_after(&self, name: &str) -> (&str, &str) {
        let mut segments = self.segments.iter().skip_while(|segment| *segment != name).skip(1).map(String::as_str);
        (segments.next().unwrap_or_default(), segments.next().unwrap_or_default())
    }

    /// What a write of this call carries.
    pub(super) fn audit(&self) -> Audit {
        let at = self.api.clock.now();
        let actor = match &self.principal {
            Principal::Person { user_id, .. } => format!("user:{user_id}"),
            other => other.token().to_string(),
        };
        let log_id = self.api.registrar.entropy.uuid(at);
        Audit { actor, request_id: self.request_id.clone(), log_id, at, from: Some(self.from.clone()) }
    }

    /// 403 unless the token itself has all of `scopes`: nobody gives away more than they have.
    pub(super) fn may_give(&self, scopes: &[String]) -> Result<(), Problem> {
        match scopes.iter().find(|scope| !self.principal.allows(scope)) {
            None => Ok(()),
            Some(scope) => Err(Problem::scope(&[scope])),
        }
    }

    /// Whether the caller only wants to see what would be done.
    pub(super) fn is_dry_run(&self) -> Result<bool, Problem> {
        self.flag("dry_run")
    }

    /// 403 unless the token has one of these scopes.
    pub(super) fn needs(&self, any_of: &[&str]) -> Result<(), Problem> {
        if self.allows(any_of) { Ok(()) } else { Err(Problem::scope(any_of)) }
    }

    pub(super) fn allows(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|scope| self.principal.allows(scope))
    }

    /// What follows `name` in the path: `/connections/{id}`.
    pub(super) fn id_after(&self, name: &str) -> &str {
        let mut segments = self.segments.iter().skip_while(|segment| *segment != name);
        segments.nth(1).map_or("", String::as_str)
    }

    /// The end of the path.
    pub(super) fn last_segment(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    /// A parameter; the last one counts where it stands twice.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The token that was shown.
    pub(super) fn token(&self) -> &TokenId {
        self.principal.token()
    }

    /// All that stand under a name, one after the other.
    pub(super) fn parameters(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str()).collect()
    }

    /// A part of the path below `/api/v2`, from 0; empty where there is none.
    pub(super) fn segment(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// `true` or `false`; absent is false.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.parameter(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::query(format!("Query validation error: '{name}' must be true or false"))),
        }
    }

    /// The connection that the path names by its id.
    pub(super) async fn connection(&self) -> Result<Connection, Problem> {
        let id = ConnectionId::new(self.id_after("connections"));
        let found = connections::find(&self.api.store, &self.tenant, &id).await?;
        Ok(found.ok_or_else(Problem::no_connection)?.connection)
    }
}

/// From where the call came: behind a trusted proxy, what that one says.
fn came_from(api: &Api, parts: &Parts) -> CameFrom {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    CameFrom {
        ip: peer.map(|peer| client_address(peer, &parts.headers, &api.trusted_proxies).to_string()),
        user_agent: agent.map(bounded_user_agent),
    }
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
