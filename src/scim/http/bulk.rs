//! `POST /Bulk` (RFC 7644 §3.7): each operation goes the way of a request of its own, one after the other, and the answer
//! lists them as they were listed. Every one asks for the token again, so that rate, revocation and scopes hold between
//! operations too. A client that goes away ends the run at the operation it is at; what was done stays.

use super::answer::{Answer, Refused, not_found};
use super::conditions::Conditions;
use super::operation::{Operation, operate, permitted};
use super::render;
use super::route::{Resources, Route};
use super::{Call, with_challenge};
use crate::model::access::Principal;
use crate::model::tenant::DEFAULT_TENANT;
use crate::scim::bulk::message::{self, Asked, BulkRequest, Verb};
use crate::scim::bulk::order::{self, Needs, Step};
use crate::scim::bulk::references::{self, Resolved};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::json;
use crate::scim::schema::BULK_RESPONSE_URN;
use axum::body::Body;
use axum::http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) async fn post(call: &Call<'_>, body: Body) -> Result<Answer, Refused> {
    let limits = call.scim.bulk.ok_or_else(|| ScimError::status(501, "/Bulk is switched off here"))?;
    let bytes = call.bytes(body, limits.payload_bytes_max).await?;
    let request = message::read(json::text(&bytes)?, call.mode(), limits.operations_max)?;
    let creators = message::creators(&request.operations)?;
    let (targets, needs): (Vec<_>, Vec<_>) =
        request.operations.iter().map(|operation| target(call, &operation.asked, &creators)).unzip();
    let done = request.operations.iter().map(|_| None).collect();
    let mut run = Run { call, request: &request, creators: &creators, targets, done, errors: 0 };
    for step in order::steps(&needs) {
        match step {
            Step::One(index) => run.one(index).await,
            Step::Circle { run: order, stuck } => run.circle(&order, &stuck).await,
        }
    }
    Ok(Answer::json(200, run.answer()))
}

/// What an operation works on.
struct Target {
    resources: Resources,
    /// `None`: the collection.
    id: Option<Named>,
}

enum Named {
    Known(String),
    /// What that operation creates.
    Created(usize),
}

/// What an operation works on and what has to run before it; or why it can't run.
fn target(
    call: &Call<'_>,
    asked: &Result<Asked<'_>, ScimError>,
    creators: &HashMap<&str, usize>,
) -> (Result<Target, ScimError>, Needs) {
    let refused = |error| (Err(error), Needs::default());
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return refused(error.clone()),
    };
    let target = match located(call, asked, creators) {
        Ok(target) => target,
        Err(error) => return refused(error),
    };
    let mut needs = Needs::default();
    if let Some(Named::Created(index)) = target.id {
        needs.first.push(index);
    }
    // What can't be read is told when the operation's turn comes.
    if let Some(mut data) = asked.data.filter(|data| references::may_refer(data)).and_then(|data| data_of(call, data).ok()) {
        // A manager may be filled in later, a member may not: without it the group would be another.
        let is_new_user = asked.verb == Verb::Post && target.resources == Resources::Users;
        let into = if is_new_user { &mut needs.later } else { &mut needs.first };
        for id in references::found(&mut data) {
            match creators.get(id.as_str()) {
                Some(index) => into.push(*index),
                None => return refused(unknown(&id)),
            }
        }
    }
    (Ok(target), needs)
}

fn located(call: &Call<'_>, asked: &Asked<'_>, creators: &HashMap<&str, usize>) -> Result<Target, ScimError> {
    let route = relative(call, &asked.path).and_then(Route::parse).ok_or_else(not_found)?;
    match (route, asked.verb) {
        (Route::Collection(resources), Verb::Post) => Ok(Target { resources, id: None }),
        (Route::One(resources, id), Verb::Put | Verb::Patch | Verb::Delete) => {
            let named = match references::bulk_id(&id) {
                Some(id) => Named::Created(*creators.get(id).ok_or_else(|| unknown(id))?),
                None => Named::Known(id),
            };
            Ok(Target { resources, id: Some(named) })
        }
        (Route::Collection(_) | Route::One(..), verb) => {
            Err(ScimError::status(405, format!("{} is not allowed on this path", verb.as_str())))
        }
        _ => Err(ScimError::of(ScimType::InvalidValue, "path: a bulk request works on /Users and /Groups")),
    }
}

fn unknown(bulk_id: &str) -> ScimError {
    let detail = format!("no operation of this request creates something under the bulkId \"{}\"", excerpt(bulk_id));
    ScimError::of(ScimType::InvalidValue, detail)
}

/// The part of a path below the connection: it may be relative, or an absolute URL of this connection.
fn relative<'p>(call: &Call<'_>, path: &'p str) -> Option<&'p str> {
    let connection = call.connection;
    let by_name = (connection.tenant_id.as_str() == DEFAULT_TENANT).then_some(connection.name.as_str());
    for named in std::iter::once(connection.id.as_str()).chain(by_name) {
        let root = format!("/scim/v2/connections/{named}/");
        let local = path.strip_prefix(call.scim.public_url.as_str()).unwrap_or(path);
        if let Some(rest) = local.strip_prefix(root.as_str()) {
            return Some(rest);
        }
    }
    (!path.contains("://")).then(|| path.trim_start_matches('/'))
}

fn data_of(call: &Call<'_>, text: &str) -> Result<Value, ScimError> {
    json::parse(text.as_bytes(), &json::Limits::for_body(call.scim.body_bytes_max))
}

/// What became of one operation.
struct Outcome {
    status: u16,
    location: Option<String>,
    version: Option<String>,
    /// Of the resource, where it is there afterwards.
    id: Option<String>,
    error: Option<Value>,
}

struct Run<'r> {
    call: &'r Call<'r>,
    request: &'r BulkRequest<'r>,
    creators: &'r HashMap<&'r str, usize>,
    targets: Vec<Result<Target, ScimError>>,
    /// By the index of the operation; `None`: not run.
    done: Vec<Option<Outcome>>,
    errors: usize,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.request.fail_on_errors.is_some_and(|accepted| self.errors >= accepted)
    }

    fn note(&mut self, index: usize, outcome: Outcome) {
        self.errors += usize::from(outcome.error.is_some());
        self.done[index] = Some(outcome);
    }

    async fn one(&mut self, index: usize) {
        if self.is_over() {
            return;
        }
        let outcome = match self.attempt(index, false).await {
            Ok((outcome, _)) => outcome,
            Err(refused) => self.failed(index, &refused.error),
        };
        self.note(index, outcome);
    }

    /// Creates what refers to each other without the references that can't be there yet, then fills those in.
    async fn circle(&mut self, order: &[usize], stuck: &[usize]) {
        let mut unfinished = Vec::new();
        for index in order {
            if self.is_over() {
                break;
            }
            match self.attempt(*index, true).await {
                Ok((outcome, left_out)) => {
                    unfinished.extend(left_out.then_some(*index));
                    self.note(*index, outcome);
                }
                Err(refused) => {
                    let outcome = self.failed(*index, &refused.error);
                    self.note(*index, outcome);
                }
            }
        }
        for index in stuck {
            if self.is_over() {
                break;
            }
            let detail = "what it refers to refers back to it: one of them has to exist before the other";
            let outcome = self.failed(*index, &ScimError::status(409, detail));
            self.note(*index, outcome);
        }
        for index in unfinished {
            self.finish(index).await;
        }
    }

    /// Runs one operation like a request of its own. Whether references were left out of it.
    async fn attempt(&self, index: usize, may_leave_out: bool) -> Result<(Outcome, bool), Refused> {
        let scim = self.call.scim;
        let principal = scim.authenticator.authenticate(&self.call.headers).await?;
        let Principal::Scim { connection, .. } = &principal else {
            return Err(with_challenge(ScimError::status(401, "this token is not a SCIM connection's").into()));
        };
        let asked = self.request.operations[index].asked.as_ref().map_err(Clone::clone)?;
        let target = self.targets[index].as_ref().map_err(Clone::clone)?;
        let method = match asked.verb {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        };
        permitted(&principal, &method, &[target.resources])?;
        let conditions = match target.id {
            Some(_) => Conditions::of_version(asked.version.as_deref())?,
            None => Conditions::default(),
        };
        let (sent, left_out) = self.data(asked, may_leave_out)?;
        let id = self.id(target)?;
        let call = self.call_of(connection, method);
        let answer = operate(&call, Operation { id: id.clone(), resources: target.resources, conditions, sent }).await?;
        let created = answer.header(&header::LOCATION).and_then(|location| location.rsplit('/').next()).map(str::to_owned);
        let id = id.or(created);
        Ok((
            Outcome {
                status: answer.status,
                location: id.as_deref().map(|id| render::location(&self.call.base, target.resources, id)),
                version: answer.header(&header::ETAG).map(str::to_owned),
                id,
                error: None,
            },
            left_out,
        ))
    }

    /// Fills in what was left out of a resource that was just created. Part of its creation: no scope of its own.
    async fn finish(&mut self, index: usize) {
        let Some(Outcome { id: Some(id), version, location, .. }) = &self.done[index] else { return };
        let (id, version, location) = (id.clone(), version.clone(), location.clone());
        match self.fill_in(index, id.clone(), version.as_deref()).await {
            Ok(answer) => {
                let version = answer.header(&header::ETAG).map(str::to_owned);
                self.done[index] = Some(Outcome { status: 201, location, version, id: Some(id), error: None });
            }
            Err(refused) => {
                let detail = format!("created, but without what it refers to: {}", refused.error.detail);
                let error = ScimError { detail, ..refused.error };
                let outcome = Outcome { location, version, ..self.failed(index, &error) };
                self.note(index, outcome);
            }
        }
    }

    async fn fill_in(&self, index: usize, id: String, version: Option<&str>) -> Result<Answer, Refused> {
        let asked = self.request.operations[index].asked.as_ref().map_err(Clone::clone)?;
        let target = self.targets[index].as_ref().map_err(Clone::clone)?;
        let (sent, _) = self.data(asked, false)?;
        let conditions = Conditions::of_version(version)?;
        let call = self.call_of(self.call.connection, Method::PUT);
        operate(&call, Operation { id: Some(id), resources: target.resources, conditions, sent }).await
    }

    fn call_of<'c>(&'c self, connection: &'c crate::model::connection::Connection, method: Method) -> Call<'c> {
        Call {
            scim: self.call.scim,
            connection,
            registry: self.call.registry,
            base: self.call.base.clone(),
            actor: self.call.actor.clone(),
            request_id: self.call.request_id.clone(),
            method,
            headers: HeaderMap::new(),
            body_read: self.call.body_read,
            // No resource is echoed: nothing beyond the id is read for an answer.
            query: vec![("attributes".to_owned(), "id".to_owned())],
        }
    }

    /// The body of the operation with ids in the place of its references. Whether some were left out.
    fn data(&self, asked: &Asked<'_>, may_leave_out: bool) -> Result<(Value, bool), ScimError> {
        let Some(text) = asked.data else { return Ok((Value::Null, false)) };
        let mut data = data_of(self.call, text)?;
        if !references::may_refer(text) {
            return Ok((data, false));
        }
        let left_out = references::put(&mut data, |bulk_id| {
            let index = *self.creators.get(bulk_id).ok_or_else(|| unknown(bulk_id))?;
            if may_leave_out && self.done[index].is_none() {
                return Ok(Resolved::LeftOut);
            }
            let (id, location) = self.created(index)?;
            Ok(Resolved::To { id: id.to_owned(), location: location.to_owned() })
        })?;
        Ok((data, left_out))
    }

    fn id(&self, target: &Target) -> Result<Option<String>, ScimError> {
        match &target.id {
            None => Ok(None),
            Some(Named::Known(id)) => Ok(Some(id.clone())),
            Some(Named::Created(index)) => self.created(*index).map(|(id, _)| Some(id.to_owned())),
        }
    }

    /// Id and URL of what an operation created; 409 if it did not.
    fn created(&self, index: usize) -> Result<(&str, &str), ScimError> {
        let outcome = self.done[index].as_ref().filter(|outcome| outcome.error.is_none());
        match outcome.map(|outcome| (outcome.id.as_deref(), outcome.location.as_deref())) {
            Some((Some(id), Some(location))) => Ok((id, location)),
            _ => {
                let bulk_id = self.request.operations[index].bulk_id.as_deref().unwrap_or_default();
                let detail = format!("bulkId:{} was not created, see its operation", excerpt(bulk_id));
                Err(ScimError::status(409, detail))
            }
        }
    }

    fn failed(&self, index: usize, error: &ScimError) -> Outcome {
        let target = self.targets[index].as_ref().ok().filter(|target| target.id.is_some());
        let id = target.and_then(|target| Some((target.resources, self.id(target).ok()??)));
        Outcome {
            status: error.status,
            location: id.map(|(resources, id)| render::location(&self.call.base, resources, &id)),
            version: None,
            id: None,
            error: Some(error.body()),
        }
    }

    /// The BulkResponse: what ran, in the order of the request.
    fn answer(&self) -> String {
        let mut text = format!("{{\"schemas\":[\"{BULK_RESPONSE_URN}\"],\"Operations\":[");
        let ran = self.request.operations.iter().zip(&self.done).filter_map(|(sent, done)| Some((sent, done.as_ref()?)));
        for (at, (sent, outcome)) in ran.enumerate() {
            let mut operation = json!({ "method": sent.method });
            let texts = [("bulkId", &sent.bulk_id), ("version", &outcome.version), ("location", &outcome.location)];
            for (name, value) in texts {
                if let Some(value) = value {
                    operation[name] = value.as_str().into();
                }
            }
            operation["status"] = outcome.status.to_string().into();
            if let Some(error) = &outcome.error {
                operation["response"] = error.clone();
            }
            if at > 0 {
                text.push(',');
            }
            text.push_str(&operation.to_string());
        }
        text.push_str("]}");
        text
    }
}
