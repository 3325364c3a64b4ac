//! Whether an authentic assertion is the answer that was expected: addressed to us, for us, now, to this browser, about a
//! sign-in of the kind asked for. A pure function of the assertion and an [`Expectation`]; the only way to a
//! [`VerifiedAssertion`], and only that can be mapped.

use jiff::{SignedDuration, Timestamp};

use crate::read::{Assertion, Attribute, AuthenticAssertion, AuthnStatement, Conditions, Confirmation, NameId};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::signed::Envelope;
use crate::time::{instant, written};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(300);
/// How long an assertion nobody asked for may be valid.
const UNSOLICITED_LIFETIME_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A request of ours that waits for its answer.
#[derive(Debug, Clone)]
pub struct PendingRequest {
    pub id: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub force_authn: bool,
    /// Any of these; none: any at all.
    pub authn_contexts: Vec<String>,
}

/// What this browser is waiting for.
#[derive(Debug, Clone, Copy)]
pub enum Awaited<'a> {
    /// The answer to a request it made.
    Answer(&'a PendingRequest),
    /// Nothing: the identity provider may begin a login, or may not.
    Nothing { idp_initiated: bool },
}

/// What the gateway knows beside the message.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    pub acs_url: &'a str,
    pub sp_entity_id: &'a str,
    pub idp_entity_id: &'a str,
    pub awaited: Awaited<'a>,
    pub now: Timestamp,
    /// How far clocks may be apart; five minutes count at most.
    pub skew: SignedDuration,
}

/// A login as a trusted identity provider vouches for it, to us and now. Exists only after every check.
#[derive(Debug, Clone)]
pub struct VerifiedAssertion {
    assertion: Assertion,
    authn: AuthnStatement,
    one_time: OneTime,
}

/// What may be used once: to be stored under a unique constraint before a session is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OneTime {
    pub idp_entity_id: String,
    pub assertion_id: String,
    /// From here on the message would be refused for its times, by whichever confirmation and however far clocks may be apart.
    pub expires_at: Timestamp,
}

impl VerifiedAssertion {
    pub fn issuer(&self) -> &str {
        &self.assertion.issuer
    }

    pub fn id(&self) -> &str {
        &self.assertion.id
    }

    pub fn name_id(&self) -> Option<&NameId> {
        self.assertion.subject.as_ref().and_then(|subject| subject.name_id.as_ref())
    }

    pub fn attributes(&self) -> &[Attribute] {
        &self.assertion.attributes
    }

    pub fn authn(&self) -> &AuthnStatement {
        &self.authn
    }

    pub fn one_time(&self) -> &OneTime {
        &self.one_time
    }
}

/// The assertion, if it is what was expected.
pub fn judge(authentic: AuthenticAssertion, expected: &Expectation<'_>) -> Result<VerifiedAssertion, Refusal> {
    let AuthenticAssertion { envelope, assertion } = authentic;
    let skew = expected.skew.clamp(SignedDuration::ZERO, SKEW_MAX);
    let times = Times { now: expected.now, skew };
    addressed(&envelope, expected)?;
    issued(&envelope, &assertion, expected, times)?;
    let confirmed_until = confirmed(&envelope, &assertion, expected, times)?;
    let valid_until = conditions(assertion.conditions.as_ref(), expected, times)?;
    if matches!(expected.awaited, Awaited::Nothing { .. }) {
        let until = valid_until.map_or(confirmed_until, |until| until.max(confirmed_until));
        let is_short = until.duration_since(assertion.issue_instant) <= UNSOLICITED_LIFETIME_MAX;
        require_with(Rule::IdpInitiatedLifetime, is_short, |refusal| refusal.received(written(until)))?;
    }
    let authn = signed_in(&assertion, expected, times)?;
    let one_time =
        OneTime { idp_entity_id: assertion.issuer.clone(), assertion_id: assertion.id.clone(), expires_at: over(&assertion) };
    Ok(VerifiedAssertion { assertion, authn, one_time })
}

/// When the last of its confirmations and its conditions are over. Not only the one that was taken: the next time it may be
/// another, and the skew another one.
fn over(assertion: &Assertion) -> Timestamp {
    let confirmed = bearers(assertion).filter_map(|one| one.not_on_or_after);
    let valid = assertion.conditions.iter().filter_map(|conditions| conditions.not_on_or_after);
    let last = confirmed.chain(valid).max().unwrap_or(Timestamp::MAX);
    last.saturating_add(SKEW_MAX).unwrap_or(Timestamp::MAX)
}

fn bearers(assertion: &Assertion) -> impl Iterator<Item = &Confirmation> {
    let confirmations = assertion.subject.iter().flat_map(|subject| &subject.confirmations);
    confirmations.filter(|one| one.method.as_deref() == Some(BEARER))
}

#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub now: Timestamp,
    pub skew: SignedDuration,
}

impl Times {
    /// Whether it has come, by the fastest clock.
    pub fn has_come(self, instant: Timestamp) -> bool {
        instant.duration_since(self.now) <= self.skew
    }

    /// Whether it is over, by the slowest clock. The instant itself is over.
    pub fn is_over(self, instant: Timestamp) -> bool {
        self.now.duration_since(instant) >= self.skew
    }

    pub fn facts(self, refusal: Refusal, instant: Timestamp) -> Refusal {
        refusal.expected(format!("{} ± {} s", written(self.now), self.skew.as_secs())).received(written(instant))
    }
}

fn addressed(envelope: &Envelope, expected: &Expectation<'_>) -> Result<(), Refusal> {
    let destination = envelope.destination.as_deref();
    require_with(Rule::DestinationMissing, destination.is_some() || !envelope.is_signed, |refusal| {
        refusal.expected(expected.acs_url)
    })?;
    require_with(Rule::DestinationMismatch, destination.is_none_or(|to| to == expected.acs_url), |refusal| {
        refusal.expected(expected.acs_url).received_any(destination)
    })
}

fn issued(envelope: &Envelope, assertion: &Assertion, expected: &Expectation<'_>, times: Times) -> Result<(), Refusal> {
    let issuer = envelope.issuer.as_deref();
    require_with(Rule::ResponseIssuerMismatch, issuer.is_none_or(|issuer| issuer == expected.idp_entity_id), |refusal| {
        refusal.expected(expected.idp_entity_id).received_any(issuer)
    })?;
    require_with(Rule::IssuerMismatch, assertion.issuer == expected.idp_entity_id, |refusal| {
        refusal.expected(expected.idp_entity_id).received(&*assertion.issuer)
    })?;
    let of_response = envelope.issue_instant.as_deref().map(instant).transpose()?;
    for issued in of_response.into_iter().chain([assertion.issue_instant]) {
        require_with(Rule::IssuedInFuture, times.has_come(issued), |refusal| times.facts(refusal, issued))?;
    }
    Ok(())
}

/// Until when the bearer is confirmed.
fn confirmed(envelope: &Envelope, assertion: &Assertion, expected: &Expectation<'_>, times: Times) -> Result<Timestamp, Refusal> {
    let of_response = envelope.in_response_to.as_deref();
    match expected.awaited {
        Awaited::Answer(pending) => {
            require_with(Rule::RequestExpired, times.now < pending.expires_at, |refusal| {
                refusal.expected(written(pending.expires_at)).received(written(times.now))
            })?;
            answers(of_response, &pending.id)?;
        }
        // Wherever it says so, and be it beside a confirmation that does not.
        Awaited::Nothing { .. } => {
            let confirmed = bearers(assertion).map(|one| one.in_response_to.as_deref());
            std::iter::once(of_response).chain(confirmed).try_for_each(unasked)?;
        }
    }
    if assertion.subject.is_none() {
        return Err(Rule::SubjectMissing.refusal());
    }
    let mut bearers = bearers(assertion);
    let Some(first) = bearers.next() else { return Err(Rule::NoBearerConfirmation.refusal()) };
    // Any one will do; of several that don't, the first says why.
    let until = bearer(first, expected, times);
    let until = until.or_else(|refusal| bearers.find_map(|one| bearer(one, expected, times).ok()).ok_or(refusal))?;
    if let Awaited::Nothing { idp_initiated } = expected.awaited {
        require(Rule::IdpInitiatedOff, idp_initiated)?;
    }
    Ok(until)
}

fn answers(in_response_to: Option<&str>, id: &str) -> Result<(), Refusal> {
    require_with(Rule::InResponseToMissing, in_response_to.is_some(), |refusal| refusal.expected(id))?;
    require_with(Rule::InResponseToMismatch, in_response_to.is_none_or(|answered| answered == id), |refusal| {
        refusal.expected(id).received_any(in_response_to)
    })
}

/// A message that says which request it answers needs that request, whatever the connection allows.
fn unasked(in_response_to: Option<&str>) -> Result<(), Refusal> {
    require_with(Rule::UnknownRequest, in_response_to.is_none(), |refusal| refusal.received_any(in_response_to))
}

fn bearer(one: &Confirmation, expected: &Expectation<'_>, times: Times) -> Result<Timestamp, Refusal> {
    let recipient = one.recipient.as_deref();
    require_with(Rule::RecipientMismatch, recipient == Some(expected.acs_url), |refusal| {
        refusal.expected(expected.acs_url).received_any(recipient)
    })?;
    let Some(until) = one.not_on_or_after else { return Err(Rule::ConfirmationExpired.refusal()) };
    require_with(Rule::ConfirmationExpired, !times.is_over(until), |refusal| times.facts(refusal, until))?;
    if let Some(from) = one.not_before {
        require_with(Rule::ConfirmationNotYet, times.has_come(from), |refusal| times.facts(refusal, from))?;
    }
    if let Awaited::Answer(pending) = expected.awaited {
        answers(one.in_response_to.as_deref(), &pending.id)?;
    }
    Ok(until)
}

/// Until when the conditions let it be used, if they say so.
fn conditions(conditions: Option<&Conditions>, expected: &Expectation<'_>, times: Times) -> Result<Option<Timestamp>, Refusal> {
    let Some(conditions) = conditions else { return Err(Rule::ConditionsMissing.refusal()) };
    if let Some(from) = conditions.not_before {
        require_with(Rule::NotYetValid, times.has_come(from), |refusal| times.facts(refusal, from))?;
    }
    if let Some(until) = conditions.not_on_or_after {
        require_with(Rule::Expired, !times.is_over(until), |refusal| times.facts(refusal, until))?;
    }
    let unknown = conditions.unknown.as_deref();
    require_with(Rule::UnknownCondition, unknown.is_none(), |refusal| refusal.received_any(unknown))?;
    require_with(Rule::AudienceMissing, !conditions.audiences.is_empty(), |refusal| refusal.expected(expected.sp_entity_id))?;
    for audiences in &conditions.audiences {
        let is_ours = audiences.iter().any(|audience| audience == expected.sp_entity_id);
        require_with(Rule::AudienceMismatch, is_ours, |refusal| {
            refusal.expected(expected.sp_entity_id).received(audiences.join(", "))
        })?;
    }
    Ok(conditions.not_on_or_after)
}

/// The statement of the sign-in: the latest, if there are several.
fn signed_in(assertion: &Assertion, expected: &Expectation<'_>, times: Times) -> Result<AuthnStatement, Refusal> {
    let latest = assertion.authn_statements.iter().max_by_key(|statement| statement.instant);
    let Some(authn) = latest else { return Err(Rule::AuthnStatementMissing.refusal()) };
    require_with(Rule::AuthnInFuture, times.has_come(authn.instant), |refusal| times.facts(refusal, authn.instant))?;
    for until in assertion.authn_statements.iter().filter_map(|statement| statement.session_not_on_or_after) {
        require_with(Rule::SessionExpired, !times.is_over(until), |refusal| times.facts(refusal, until))?;
    }
    if let Awaited::Answer(pending) = expected.awaited {
        let is_fresh = pending.created_at.duration_since(authn.instant) <= times.skew;
        require_with(Rule::AuthnTooOld, is_fresh || !pending.force_authn, |refusal| {
            refusal.expected(written(pending.created_at)).received(written(authn.instant))
        })?;
        let wanted = &pending.authn_contexts;
        let is_wanted = authn.context.as_ref().is_some_and(|context| wanted.contains(context));
        require_with(Rule::AuthnContextMismatch, wanted.is_empty() || is_wanted, |refusal| {
            refusal.expected(wanted.join(", ")).received_any(authn.context.as_deref())
        })?;
    }
    Ok(authn.clone())
}
