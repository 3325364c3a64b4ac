//! `rosterd connection check` of a connection by OAuth or OpenID Connect: what a login would need, step by step, and what to
//! change. Reads what the provider says of itself and writes nothing.

use super::check::mapping;
use super::report::Report;
use super::secrets;
use crate::cli::context::Context;
use crate::login::callback_address;
use crate::model::connection::Connection;
use crate::model::tenant::Tenant;
use crate::oidc::client::wants_challenge;
use crate::oidc::providers::Providers;
use crate::oidc::settings::Settings;
use crate::oidc::{Refusal, Rule};
use crate::outbound::Outbound;
use crate::saml::addresses::base_url;
use rosterd_mapping::target::Kind;

pub const STEPS: [&str; 5] = ["settings", "provider", "keys", "mapping", "addresses"];

pub async fn check(context: &Context, tenant: &Tenant, connection: &Connection, report: &mut Report) -> anyhow::Result<()> {
    let secrets = secrets::of(context, connection).await?;
    match Settings::of(connection, &secrets) {
        Ok(settings) => {
            report.ok("settings", "whole");
            if settings.tenants.iter().any(|tenant| tenant == "*") {
                let advice = "Name the tenants in allowed_tenants unless everybody with an account of any company is meant.";
                report.warning("settings", "people of every company are let in", advice);
            }
            provider(context, connection, &settings, report).await;
            let from = if settings.kind.is_oidc() { Kind::Oidc } else { Kind::Oauth };
            mapping(context, connection, from, report).await?;
        }
        Err(wrong) => wrong.iter().for_each(|invalid| report.failed("settings", invalid.what, invalid.advice)),
    }
    addresses(context, tenant, connection, report);
    Ok(())
}

async fn provider(context: &Context, connection: &Connection, settings: &Settings, report: &mut Report) {
    let providers = Providers::new(&Outbound::new(&context.config.outbound.allow), context.clock.clone());
    let provider = match providers.provider(connection, settings).await {
        Ok(provider) => provider,
        Err(refusal) => return report.failed("provider", refusal.to_string(), advice(&refusal)),
    };
    if let Some(issuer) = &provider.issuer {
        report.ok("provider", format!("issuer {}", issuer.shown()));
    }
    report.ok("provider", format!("sign-in at {}", provider.authorization));
    report.ok("provider", format!("tokens from {}", provider.token));
    match &provider.profile {
        Some(profile) => report.ok("provider", format!("profiles from {profile}")),
        None => report.ok("provider", "no profiles: what the ID token says is all there is"),
    }
    if !wants_challenge(settings, &provider) {
        report.ok("provider", "logins carry no challenge (PKCE): the kind, the provider or the option says so");
    }
    if provider.jwks.is_none() || provider.issuer.is_none() {
        return report.skipped("keys", "no ID tokens: the kind signs people in without");
    }
    match providers.keys(connection, (settings, &provider), false).await {
        Ok(keys) if keys.is_empty() => {
            report.failed("keys", "none that can be used", "The provider has to sign with RSA, ECDSA (P-256, P-384) or Ed25519.");
        }
        Ok(keys) => report.ok("keys", format!("{} from {}", keys.len(), provider.jwks.as_deref().unwrap_or_default())),
        Err(refusal) => report.failed("keys", refusal.to_string(), advice(&refusal)),
    }
}

fn advice(refusal: &Refusal) -> &'static str {
    match refusal.rule {
        Rule::DiscoveryIssuer => {
            "Set issuer to what the provider's document calls itself, letter by letter, if that is whom you mean."
        }
        Rule::DiscoveryEndpoint => {
            "The provider has to name it by https://; authorization_url, token_url and jwks_url go before it."
        }
        Rule::DiscoveryMalformed => "Look at the address in a browser: it has to be a JSON document.",
        _ => {
            "Look whether the address answers in a browser, without a redirect. A host in a network of yours has to be opened by \
              the operator (outbound.allow in rosterd.toml); http:// needs allow_plaintext=true and a server on this machine."
        }
    }
}

/// What to register at the provider.
fn addresses(context: &Context, tenant: &Tenant, connection: &Connection, report: &mut Report) {
    let base = base_url(&context.public_url(), tenant);
    report.ok("addresses", format!("redirect URI (callback URL): {}", callback_address(&base, connection)));
    if context.config.server.public_url.is_none() {
        let advice = "Set server.public_url: what a provider is told has to stay.";
        report.warning("addresses", "it is that of this machine, since server.public_url is not set", advice);
    }
}
