//! The calls of one login: the code is exchanged once and never again, the profile is read with what came for it. Every one goes
//! through `outbound` and follows no redirect; only what is asked for by GET is asked again, once, if nobody answered.

use super::discovery::Provider;
use super::hooks;
use super::jose::Unverified;
use super::keys::KeySet;
use super::kind::{Challenge, Hook, Shown};
use super::rule::{Refusal, Rule};
use super::settings::Settings;
use super::token_answer::{self, TokenAnswer};
use crate::clock::Micros;
use crate::model::oidc::{ProfileMethod, TokenIn};
use crate::outbound::{self, Answer, Ask, Outbound};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

/// Calls a provider for one connection.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub(super) outbound: &'a Outbound,
    pub(super) settings: &'a Settings,
}

/// Whether a login carries a challenge.
pub fn wants_challenge(settings: &Settings, provider: &Provider) -> bool {
    match settings.challenge {
        Challenge::Always => true,
        Challenge::Never => false,
        Challenge::IfAdvertised => provider.has_challenge,
    }
}

/// A document by GET, asked for once more if nobody answered.
pub(super) async fn get(outbound: &Outbound, url: &str, allow_plaintext: bool) -> Result<Answer, outbound::Error> {
    let ask = Ask { url: url.to_owned(), allow_plaintext, accept: "application/json", ..Ask::default() };
    got(outbound, &ask).await
}

async fn got(outbound: &Outbound, ask: &Ask) -> Result<Answer, outbound::Error> {
    match outbound.get(ask).await {
        Err(outbound::Error::Unreachable { .. } | outbound::Error::Broken { .. }) if !ask.is_post => outbound.get(ask).await,
        other => other,
    }
}

/// A provider that was asked too often says nothing of what a person granted.
fn is_rate_limited(status: u16, body: &[u8]) -> bool {
    let says_so = || String::from_utf8_lossy(body).to_ascii_lowercase().contains("rate limit");
    status == 429 || (status == 403 && says_so())
}

impl Caller<'_> {
    /// Turns a code into tokens. Never tried twice: the provider may have taken it and lost the answer.
    ///
    /// # Errors
    /// It could not be asked, or said no.
    pub async fn exchange(
        &self,
        provider: &Provider,
        (code, verifier): (&Secret<String>, Option<&str>),
        redirect_uri: &str,
        now: Micros,
    ) -> Result<TokenAnswer, Refusal> {
        let ask = self.token_request(provider, (code, verifier), redirect_uri, now)?;
        match self.outbound.get(&ask).await {
            Ok(Answer::Found { status, body, .. }) => token_answer::parse(status, &body),
            Ok(Answer::NotModified) => Err(Rule::ExchangeFailed.refused().received("304")),
            Err(error) => Err(Rule::ExchangeFailed.refused().expected(&provider.token).received(error.to_string())),
        }
    }

    fn token_request(
        &self,
        provider: &Provider,
        (code, verifier): (&Secret<String>, Option<&str>),
        redirect_uri: &str,
        now: Micros,
    ) -> Result<Ask, Refusal> {
        let settings = self.settings;
        let secret = self.client_secret(now)?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code").append_pair("code", code.expose());
        form.append_pair("redirect_uri", redirect_uri);
        verifier.into_iter().for_each(|verifier| _ = form.append_pair("code_verifier", verifier));
        let is_basic = match settings.shown {
            Shown::Basic => true,
            Shown::Post => false,
            Shown::ByMetadata => !provider.wants_post,
        };
        let authorization = secret.as_ref().filter(|_| is_basic).map(|secret| basic(&settings.client_id, secret));
        if authorization.is_none() {
            form.append_pair("client_id", &settings.client_id);
            secret.iter().for_each(|secret| _ = form.append_pair("client_secret", secret.expose()));
        }
        Ok(Ask {
            url: provider.token.clone(),
            allow_plaintext: settings.allow_plaintext,
            // GitHub answers with a form otherwise.
            accept: "application/json",
            authorization,
            form: Some(Secret::new(form.finish())),
            any_status: true,
            ..Ask::default()
        })
    }

    fn client_secret(&self, now: Micros) -> Result<Option<Secret<String>>, Refusal> {
        match (&self.settings.apple, self.settings.kind.hook) {
            (Some(key), Hook::AppleClientSecret) => hooks::apple_client_secret(key, &self.settings.client_id, now)
                .map(Some)
                .map_err(|why| Rule::Settings.refused().expected("client_key").received(why)),
            _ => Ok(self.settings.client_secret.clone()),
        }
    }

    /// What the provider says of whom the access token is for; `None`: it has no place for that. Of several places the first says who
    /// it is: what stands there already is not changed by a later one.
    ///
    /// # Errors
    /// It could not be asked, said no, or answered something else than claims.
    pub async fn profile(
        &self,
        provider: &Provider,
        access_token: &Secret<String>,
        keys: Option<&KeySet>,
    ) -> Result<Option<Map<String, Value>>, Refusal> {
        let Some(url) = &provider.profile else { return Ok(None) };
        let mut claims = self.claims_at(&self.proven(url, access_token), provider, access_token, keys).await?;
        for url in &self.settings.more_profiles {
            for (name, value) in self.claims_at(url, provider, access_token, keys).await? {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Some(claims))
    }

    async fn claims_at(
        &self,
        url: &str,
        provider: &Provider,
        access_token: &Secret<String>,
        keys: Option<&KeySet>,
    ) -> Result<Map<String, Value>, Refusal> {
        let body = self.read(url, access_token).await?;
        let malformed = |why: &str| Rule::ProfileMalformed.refused().expected("a JSON object").received(why);
        let signed = std::str::from_utf8(&body).ok().map(str::trim).filter(|text| text.starts_with("eyJ"));
        let claims = match (signed, keys) {
            (Some(token), Some(keys)) => Some(self.signed(token, keys, provider)?),
            _ => serde_json::from_slice::<Value>(&body).ok().and_then(|value| match value {
                Value::Object(claims) => Some(claims),
                _ => None,
            }),
        };
        let claims = claims.ok_or_else(|| malformed("something else"))?;
        match claims.get("error") {
            _ if claims.get("ok") == Some(&Value::Bool(false)) => {
                Err(Rule::ProfileRefused.refused().received(claims.get("error").and_then(Value::as_str).unwrap_or("ok: false")))
            }
            // A person has no error; some providers tell one in an answer that went well.
            Some(error) if !error.is_null() => Err(Rule::ProfileRefused.refused().received(error.to_string())),
            _ => Ok(claims),
        }
    }

    /// A profile that comes signed, as its client asked for.
    fn signed(&self, token: &str, keys: &KeySet, provider: &Provider) -> Result<Map<String, Value>, Refusal> {
        let token = Unverified::parse(token, &self.settings.algorithms)?;
        let fitting = keys.fitting(token.kid.as_deref(), token.algorithm)?;
        let fitting: Vec<_> = fitting.iter().map(|key| key.key()).collect();
        let claims = token.verified(&fitting)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_issuers = |issuer: &str| provider.issuer.as_ref().is_some_and(|known| known.is(issuer, text("tid")));
        if !text("iss").is_some_and(is_issuers) {
            return Err(Rule::Issuer.refused().received(text("iss").unwrap_or_default()));
        }
        let is_ours = |aud: &Value| match aud {
            Value::Array(all) => all.iter().any(|one| one == self.settings.client_id.as_str()),
            one => one == self.settings.client_id.as_str(),
        };
        let for_us = claims.get("aud").is_some_and(is_ours);
        if for_us { Ok(claims) } else { Err(Rule::Audience.refused().expected(&self.settings.client_id)) }
    }

    /// # Errors
    /// It could not be asked, or said no.
    pub(super) async fn read(&self, url: &str, access_token: &Secret<String>) -> Result<Vec<u8>, Refusal> {
        let settings = self.settings;
        let mut ask = Ask {
            url: url.to_owned(),
            allow_plaintext: settings.allow_plaintext,
            accept: "application/json",
            is_post: settings.profile_method == ProfileMethod::Post,
            any_status: true,
            ..Ask::default()
        };
        match settings.token_in {
            TokenIn::Header => ask.authorization = Some(Secret::new(format!("Bearer {}", access_token.expose()))),
            TokenIn::Query => {
                let no_address = |_| Rule::ProfileUnavailable.refused().received("profile_url is no address");
                let mut url = Url::parse(url).map_err(no_address)?;
                url.query_pairs_mut().append_pair("access_token", access_token.expose());
                ask.url = url.into();
            }
        }
        let said = |rule: Rule, status: u16, why: &str| rule.refused().expected("200").received(format!("{status}{why}"));
        match got(self.outbound, &ask).await {
            Ok(Answer::Found { status: 200, body, .. }) => Ok(body),
            Ok(Answer::Found { status, body, .. }) if is_rate_limited(status, &body) => {
                Err(said(Rule::ProfileUnavailable, status, ": asked too often, it answers again later"))
            }
            Ok(Answer::Found { status, .. }) if (400..500).contains(&status) => Err(said(Rule::ProfileRefused, status, "")),
            Ok(Answer::Found { status, .. }) => Err(said(Rule::ProfileUnavailable, status, "")),
            Ok(Answer::NotModified) => Err(said(Rule::ProfileUnavailable, 304, "")),
            Err(error) => Err(Rule::ProfileUnavailable.refused().received(error.to_string())),
        }
    }

    fn proven(&self, url: &str, access_token: &Secret<String>) -> String {
        let (Hook::FacebookProof, Some(secret), Ok(mut proven)) =
            (self.settings.kind.hook, &self.settings.client_secret, Url::parse(url))
        else {
            return url.to_owned();
        };
        proven.query_pairs_mut().append_pair("appsecret_proof", &hooks::facebook_proof(access_token, secret));
        proven.into()
    }
}

/// Both halves are encoded like a form before they are joined (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &Secret<String>) -> Secret<String> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_questions_are_told_from_a_no() {
        let limit = br#"{"message":"API rate limit exceeded for user ID 1."}"#;
        assert!(is_rate_limited(429, b"") && is_rate_limited(403, limit));
        assert!(is_rate_limited(403, br#"{"message":"You have exceeded a secondary rate limit."}"#));
        for (status, body) in
            [(403, &br#"{"message":"Resource not accessible by integration"}"#[..]), (404, &limit[..]), (200, b"")]
        {
            assert!(!is_rate_limited(status, body), "{status}");
        }
    }
}
