//! `POST /saml/{connection}/acs`: the answer of an identity provider, from the form to a session.
//!
//! In this order: whether a trusted key vouches for it, whether it is the answer this browser waits for, whom it is about, and
//! that nobody used it before; only then does the roster hear of it. What was used stays used, whatever the roster says.

use super::refuse::Stopped;
use super::waiting::{self, For, Waiting};
use super::{Logins, Site, authenticity, read_form, wants};
use crate::clock::{Micros, SECOND};
use crate::login::answer::{Refused, goes_to};
use crate::login::enter::stopped;
use crate::login::session::Beginning;
use crate::login::told::Noted;
use crate::login::{cookie, return_to};
use crate::profile::verified::{LoginRecord, Verified, Verify};
use crate::provisioning::decide::LoginTrace;
use crate::provisioning::login::Entering;
use crate::saml::known::Known;
use crate::saml::metadata::{IdentityProvider, instant};
use crate::saml::not_a_record::NotARecord;
use crate::saml::proof;
use crate::saml::record::{dropped, record};
use crate::saml::subject::Subject;
use crate::store::{self, Batch, login_used, saml_sessions};
use crate::traffic::Cause;
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use rosterd_saml::protocol::{Awaited, Expectation, PendingRequest, VerifiedAssertion, judge};
use rosterd_saml::read::AuthenticAssertion;
use serde_json::json;

/// Longest of what an identity provider calls a session, as JSON: nobody can end a session that is called more here.
const SUBJECT_BYTES_MAX: usize = 8_192;

pub(super) async fn consume(logins: &Logins, site: &Site, parts: &Parts, body: Body) -> Result<(Response, Noted), Stopped> {
    wants(parts, "POST")?;
    let fields = read_form(logins, body).await?;
    let Some(field) = fields.response else {
        return Err(Stopped::Other(Refused::request("invalid_body", "SAMLResponse: is missing")));
    };
    let _place = logins.place(&site.connection)?;
    let (authentic, idp) = authenticity::of_response(logins, site, field).await?;
    let waiting = awaited(logins, site, parts, &authentic);
    let now = logins.clock.now();
    let assertion = expected(site, &idp, waiting.as_ref(), now, authentic)?;
    let check = Said { assertion: &assertion, site, idp: &idp };
    let verified = Verified::by(check).await?;
    used_up(logins, site, waiting.as_ref(), &assertion).await?;
    entered(logins, site, parts, (&assertion, &verified, &idp), waiting).await
}

/// What this browser is waiting for, if it is what the assertion answers.
fn awaited(logins: &Logins, site: &Site, parts: &Parts, authentic: &AuthenticAssertion) -> Option<Waiting> {
    let id = authentic.in_response_to()?;
    waiting::find(&logins.public_url, &parts.headers, &logins.keys, (For::Login, &site.connection), id)
}

fn expected(
    site: &Site,
    idp: &IdentityProvider,
    waiting: Option<&Waiting>,
    now: Micros,
    authentic: AuthenticAssertion,
) -> Result<VerifiedAssertion, Stopped> {
    let pending = waiting.map(|waiting| PendingRequest {
        id: waiting.id.clone(),
        created_at: instant(waiting.at),
        expires_at: instant(waiting.until()),
        force_authn: waiting.force_authn,
        authn_contexts: site.connection.options.saml.authn_contexts.clone(),
    });
    let awaited = match &pending {
        Some(pending) => Awaited::Answer(pending),
        None => Awaited::Nothing { idp_initiated: site.connection.options.saml.idp_initiated },
    };
    let expectation = Expectation {
        acs_url: &site.addresses.acs,
        sp_entity_id: &site.addresses.entity_id,
        idp_entity_id: &idp.entity_id,
        awaited,
        now: instant(now),
        skew: site.skew(),
    };
    Ok(judge(authentic, &expectation)?)
}

/// Whom a verified assertion is about. There is no other way to one than every check of `rosterd_saml`.
struct Said<'a> {
    assertion: &'a VerifiedAssertion,
    site: &'a Site,
    idp: &'a IdentityProvider,
}

impl Verify for Said<'_> {
    type Record = LoginRecord;
    type Failure = NotARecord;

    async fn verify(self) -> Result<LoginRecord, NotARecord> {
        let known = Known { sp_entity_id: &self.site.addresses.entity_id, scopes: &self.idp.scopes };
        record(self.assertion, &self.site.connection.options.saml, &known)
    }
}

/// Nobody can use the assertion again, nor answer the request, at whichever replica.
async fn used_up(logins: &Logins, site: &Site, waiting: Option<&Waiting>, assertion: &VerifiedAssertion) -> Result<(), Stopped> {
    let once = assertion.one_time();
    let mut batch = Batch::default();
    login_used::insert(&mut batch, &site.tenant.id, &once.idp_entity_id, &once.assertion_id, once.expires_at.as_microsecond());
    if let Some(waiting) = waiting {
        login_used::insert(&mut batch, &site.tenant.id, site.connection.id.as_str(), &waiting.id, waiting.until());
    }
    match logins.store.apply(batch).await {
        Ok(()) => Ok(()),
        Err(store::Error::Conflict) => Err(Stopped::told("saml_replayed", Cause::SamlRequest)),
        Err(error) => Err(error.into()),
    }
}

async fn entered(
    logins: &Logins,
    site: &Site,
    parts: &Parts,
    (assertion, verified, idp): (&VerifiedAssertion, &Verified<LoginRecord>, &IdentityProvider),
    waiting: Option<Waiting>,
) -> Result<(Response, Noted), Stopped> {
    let login = logins.login(&site.connection, parts);
    let until = assertion.authn().session_not_on_or_after.map(|until| until.as_microsecond());
    let proved_at = assertion.authn().instant.as_microsecond();
    let proof = proof::of_context(assertion.authn().context.as_deref());
    let beginning = Beginning::new(logins, &site.tenant.id, parts).until(until);
    let mut beginning = beginning.proved_at(Some(proved_at)).proved_by(proof);
    if let Some(replaced) = waiting.as_ref().and_then(Waiting::replaced) {
        beginning.replace(replaced);
    }
    let subject = Subject::of(assertion);
    let called = subject.as_ref().and_then(|subject| Some((subject, serde_json::to_string(subject).ok()?)));
    let called = called.filter(|(_, text)| text.len() <= SUBJECT_BYTES_MAX);
    let begin = |entering: &Entering<'_>, batch: &mut Batch| {
        beginning.store(entering, batch);
        if let Some((subject, text)) = &called {
            saml_sessions::insert(batch, &site.connection, beginning.session_id(), &subject.name_id, text);
        }
    };
    let entered = logins.provisioner.login_storing(&login, verified, &begin).await.map_err(|error| stopped(&error))?;
    // Why somebody with a good assertion is not let in is logged there, and theirs to ask an administrator.
    let entered = entered.map_err(|denial| Stopped::Denied(Noted::denied(&denial)))?;
    let noted = noted(site, idp, assertion, waiting.is_some(), entered.trace);
    let target = match &waiting {
        Some(waiting) => waiting.return_to.clone(),
        None => unasked_target(logins, site),
    };
    let mut response = goes_to(&target.unwrap_or_else(|| return_to::DEFAULT.to_owned()));
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, cookie::keep(&logins.public_url, &beginning.secret, beginning.lasts() / SECOND));
    if let Some(cookie) = waiting.and_then(|waiting| waiting::forget(&logins.public_url, &waiting.id)) {
        headers.append(SET_COOKIE, cookie);
    }
    Ok((response, noted))
}

/// What an administrator reads of it: whose assertion it was and what of it no mapping saw, by name.
fn noted(
    site: &Site,
    idp: &IdentityProvider,
    assertion: &VerifiedAssertion,
    asked_for: bool,
    trace: Option<LoginTrace>,
) -> Noted {
    let known = Known { sp_entity_id: &site.addresses.entity_id, scopes: &idp.scopes };
    let mut left_out: Vec<String> =
        dropped(assertion, &known).iter().map(|(name, _)| format!("{name} (a foreign scope)")).collect();
    left_out.dedup();
    let source = json!({
        "issuer": assertion.issuer(),
        "authn_context": assertion.authn().context,
        "asked_for": asked_for,
        "left_out": left_out,
    });
    Noted::entered(trace, source, &left_out)
}

/// Where a login goes that nobody here asked for: always to the same place, whatever its form says.
fn unasked_target(logins: &Logins, site: &Site) -> Option<String> {
    let set = site.connection.options.saml.idp_initiated_target.as_deref()?;
    match return_to::check(set, &logins.public_url, &logins.return_to) {
        Ok(target) => Some(target),
        Err(reason) => {
            tracing::warn!(connection = site.connection.name, reason, "idp_initiated_target is none that may be gone to");
            None
        }
    }
}
