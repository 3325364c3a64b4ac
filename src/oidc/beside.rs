//! What is read of a person beside their profile, where the kind or the connection wants it: GitHub's addresses and teams, what
//! Microsoft Graph says; and what Discord leaves to be counted.
//!
//! What the person did not grant is not there, and the login goes on; the trace says so. What can't be had for the moment is no such
//! answer: nobody loses an address or a group because a provider was asked too often.

use super::client::Caller;
use super::discovery::Provider;
use super::hooks::{discord_default_picture, github_team};
use super::id_token::VerifiedIdToken;
use super::kind::Hook;
use super::rule::{Refusal, Rule};
use super::token_answer::TokenAnswer;
use serde_json::{Map, Value};
use url::Url;

/// What GitHub puts on a page at most.
const PER_PAGE: usize = 100;
/// Addresses of one person that are kept: a page.
const EMAIL_PAGES: usize = 1;
/// Pages of teams that are read.
const TEAM_PAGES: usize = 10;

#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub extra: Map<String, Value>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

impl Beside {
    /// What a person did not grant is left out; everything else that goes wrong ends the login.
    fn keep(&mut self, name: &str, read: Result<Option<Value>, Refusal>, says_scopes: bool) -> Result<(), Refusal> {
        match read {
            Ok(Some(value)) => _ = self.extra.insert(name.to_owned(), value),
            Ok(None) => self.left_out.push(format!("{name}: there are too many")),
            // Some say nothing of what was granted but by their answer.
            Err(refusal) if refusal.rule == Rule::ProfileRefused && !says_scopes => {
                self.left_out.push(format!("{name}: {}", refusal.received.unwrap_or_default()));
            }
            Err(refusal) => return Err(refusal),
        }
        Ok(())
    }
}

impl Caller<'_> {
    /// # Errors
    /// It could not be asked, or is of somebody else.
    pub async fn beside(
        &self,
        provider: &Provider,
        answer: &TokenAnswer,
        (id_token, profile): (Option<&VerifiedIdToken>, Option<&Map<String, Value>>),
    ) -> Result<Beside, Refusal> {
        let mut beside = Beside::default();
        match self.settings.kind.hook {
            Hook::GithubEmails => self.github(provider, answer, &mut beside).await?,
            Hook::MicrosoftTenants => self.graph(answer, id_token, &mut beside).await?,
            Hook::DiscordPicture => {
                let has_none = |profile: &&Map<String, Value>| profile.get("avatar").is_none_or(Value::is_null);
                let drawn = profile.filter(has_none).and_then(discord_default_picture);
                beside.extra.extend(drawn.map(|number| (String::from("default_picture"), number.into())));
            }
            Hook::None | Hook::AppleClientSecret | Hook::FacebookProof => {}
        }
        Ok(beside)
    }

    async fn github(&self, provider: &Provider, answer: &TokenAnswer, beside: &mut Beside) -> Result<(), Refusal> {
        let under_profile = |profile: &String| format!("{}/emails", profile.trim_end_matches('/'));
        let emails = self.settings.emails_url.clone().or_else(|| provider.profile.as_ref().map(under_profile));
        for (name, url, scope, pages) in
            [("emails", emails, "user:email", EMAIL_PAGES), ("teams", self.settings.teams_url.clone(), "read:org", TEAM_PAGES)]
        {
            let Some(url) = url else { continue };
            if !answer.not_granted(&[scope.to_owned()]).is_empty() {
                beside.left_out.push(format!("{name}: {scope} was not granted"));
                continue;
            }
            let mut read = self.pages(&url, answer, pages).await;
            if name == "teams"
                && let Ok(Some(Value::Array(teams))) = &mut read
            {
                *teams = teams.iter().filter_map(github_team).collect();
            }
            beside.keep(name, read, answer.scopes.is_some())?;
        }
        Ok(())
    }

    /// A list that comes in pages; `None`: it has more. Of a list that is one page, the rest is left.
    async fn pages(&self, url: &str, answer: &TokenAnswer, pages_max: usize) -> Result<Option<Value>, Refusal> {
        let malformed = |why: &str| Rule::ProfileMalformed.refused().expected("a list").received(why);
        let mut all = Vec::new();
        for page in 1..=pages_max {
            let mut url = Url::parse(url).map_err(|_| malformed("no address"))?;
            url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string()).append_pair("page", &page.to_string());
            let body = self.read(url.as_str(), &answer.access_token).await?;
            let Ok(Value::Array(mut found)) = serde_json::from_slice(&body) else { return Err(malformed("something else")) };
            let is_last = found.len() < PER_PAGE;
            found.truncate(PER_PAGE);
            all.append(&mut found);
            if is_last || pages_max == 1 {
                return Ok(Some(Value::Array(all)));
            }
        }
        Ok(None)
    }

    async fn graph(&self, answer: &TokenAnswer, id_token: Option<&VerifiedIdToken>, beside: &mut Beside) -> Result<(), Refusal> {
        let Some(url) = &self.settings.graph_url else { return Ok(()) };
        let read = self.read(url, &answer.access_token).await.and_then(|body| {
            let Ok(Value::Object(mut me)) = serde_json::from_slice(&body) else {
                return Err(Rule::ProfileMalformed.refused().expected("a JSON object of Graph"));
            };
            let of_token = id_token.and_then(|token| token.claims().get("oid")).and_then(Value::as_str);
            let found = me.get("id").and_then(Value::as_str);
            if of_token.is_none() || of_token != found {
                let refused = Rule::ProfileSubject.refused().expected(of_token.unwrap_or_default());
                return Err(refused.received(found.unwrap_or_default()));
            }
            me.retain(|name, _| !name.starts_with('@'));
            Ok(Some(Value::Object(me)))
        });
        // Its scopes are spelled in several ways; what is granted shows in what it answers.
        beside.keep("graph_me", read, false)
    }
}
