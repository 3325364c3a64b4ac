//! Whether a trusted key vouches for a message: the part that costs time, on threads that may block, so many at a time as there
//! are cores. A signature that no known key made is looked at once more with the identity provider's metadata fetched anew:
//! that is how a rotated certificate looks.

use super::refuse::Stopped;
use super::{Logins, Site, VERIFIED_WITHIN};
use crate::login::answer::Refused;
use crate::saml::metadata::IdentityProvider;
use rosterd_saml::read::AuthenticAssertion;
use rosterd_saml::redirect::{Received, Vouched};
use rosterd_saml::response::authenticate;
use rosterd_saml::rule::{Refusal, Rule};
use rosterd_saml::signed::Trust;
use rosterd_saml::verify::{Certificates, Xmlsec};
use std::sync::Arc;
use tokio::time::timeout;

/// An assertion, and whom it was checked by.
pub(super) async fn of_response(
    logins: &Logins,
    site: &Site,
    field: String,
) -> Result<(AuthenticAssertion, Arc<IdentityProvider>), Stopped> {
    let keys = logins.service_keys(site).await?;
    let check = move |certificates: &Certificates| {
        authenticate(&field, Trust { verifier: &Xmlsec, certificates, decryption: &keys.decryption })
    };
    by_known_or_new_keys(logins, site, Arc::new(check)).await
}

/// A posted message of a logout.
pub(super) async fn of_form(logins: &Logins, site: &Site, field: String) -> Result<(Vouched, Arc<IdentityProvider>), Stopped> {
    let check = move |certificates: &Certificates| Vouched::from_form(&field, &Xmlsec, certificates);
    by_known_or_new_keys(logins, site, Arc::new(check)).await
}

/// A message of a logout in a query.
pub(super) async fn of_query(logins: &Logins, site: &Site, query: &str) -> Result<(Vouched, Arc<IdentityProvider>), Stopped> {
    let query = query.to_owned();
    let check = move |certificates: &Certificates| Received::from_query(&query)?.verify(certificates);
    by_known_or_new_keys(logins, site, Arc::new(check)).await
}

type Check<T> = Arc<dyn Fn(&Certificates) -> Result<T, Refusal> + Send + Sync>;

async fn by_known_or_new_keys<T: Send + 'static>(
    logins: &Logins,
    site: &Site,
    check: Check<T>,
) -> Result<(T, Arc<IdentityProvider>), Stopped> {
    let idp = logins.identity_provider(site).await?;
    let refusal = match of_core(logins, &idp, &check).await? {
        Ok(found) => return Ok((found, idp)),
        Err(refusal) => refusal,
    };
    // What is inside AES-CBC fails in one way only, whatever was wrong with it.
    let may_be_a_new_key = matches!(refusal.rule, Rule::SignatureInvalid | Rule::NoMatchingCertificate | Rule::DecryptionFailed);
    if !may_be_a_new_key || !logins.has_new_key(site, &idp).await? {
        return Err(refusal.into());
    }
    let idp = logins.identity_provider(site).await?;
    Ok((of_core(logins, &idp, &check).await??, idp))
}

/// Runs a check where it may block. `Err`: it was not come to, or did not come to an end in time.
async fn of_core<T: Send + 'static>(
    logins: &Logins,
    idp: &Arc<IdentityProvider>,
    check: &Check<T>,
) -> Result<Result<T, Refusal>, Stopped> {
    let busy = |what: &'static str| {
        logins.metrics.refused(what);
        Stopped::Other(Refused::Unavailable)
    };
    let waited = timeout(VERIFIED_WITHIN, Arc::clone(&logins.saml.verifying).acquire_owned()).await;
    let Ok(Ok(core)) = waited else { return Err(busy("saml_cores")) };
    let (idp, check) = (Arc::clone(idp), Arc::clone(check));
    let checking = tokio::task::spawn_blocking(move || {
        let _core = core;
        check(&idp.certificates)
    });
    match timeout(VERIFIED_WITHIN, checking).await {
        Ok(Ok(checked)) => Ok(checked),
        Ok(Err(error)) => {
            tracing::error!(%error, "the check of a signature failed");
            Err(Stopped::Other(Refused::Internal))
        }
        Err(_) => Err(busy("saml_verification")),
    }
}
