//! One authenticated call: whose tenant, which scopes, the decoded path and query, and the body, once somebody may send one.

use super::Api;
use super::problem::Problem;
use crate::http::body;
use crate::http::request_id::RequestId;
use crate::model::access::Principal;
use crate::model::connection::Connection;
use crate::model::ids::{ConnectionId, TenantId};
use crate::store::audit::Audit;
use crate::store::connections;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Longest body in bytes.
const BODY_BYTES_MAX: usize = 512 << 10;

pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) tenant: TenantId,
    pub(super) method: Method,
    request_id: String,
    content_type: String,
    principal: Principal,
    /// Decoded, each segment once.
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    /// # Errors
    /// 401 for a SCIM token, 400 for a path or query that is no text.
    pub(super) fn new(api: &'a Api, principal: Principal, parts: &Parts) -> Result<Self, Problem> {
        let Principal::Management { tenant, .. } = &principal else { return Err(Problem::another_kind()) };
        let tenant = tenant.clone();
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
        Ok(Self { api, tenant, method, request_id, content_type, principal, segments, query })
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

    /// What a write of this call carries.
    pub(super) fn audit(&self) -> Audit {
        let at = self.api.clock.now();
        let actor = self.principal.token().to_string();
        Audit { actor, request_id: self.request_id.clone(), log_id: self.api.registrar.entropy.uuid(at), at }
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

    /// A parameter; the last one counts where it stands twice.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
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

fn content_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
