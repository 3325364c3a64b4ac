//! A person's own access to the management API: an access token that an application of theirs got for it, and an ID token as the
//! proof of another account. The store is asked at each use; who is blocked or left has neither.

use super::id_token;
use super::{Provider, keys::KeysError};
use crate::clock::SECOND;
use crate::http::bearer::bearer;
use crate::model::access::OWN_SCOPES;
use crate::model::ids::{ClientId, TenantId, TokenId};
use crate::secret::TokenKind;
use crate::store::{self, access_tokens};
use axum::http::request::Parts;

/// Who calls by an application of theirs.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    /// What the tenant is called towards applications.
    pub issuer: String,
    pub token: TokenId,
    pub user_id: String,
    pub client: ClientId,
    /// Those of their own profile that the application was given.
    pub scopes: Vec<String>,
}

impl Provider {
    /// Is this the kind of token that a person's application brings?
    pub fn is_of_a_person(parts: &Parts) -> bool {
        bearer(&parts.headers).is_ok_and(|text| TokenKind::of(text) == Some(TokenKind::Access))
    }

    /// Who that is, if the token counts.
    ///
    /// # Errors
    /// The store.
    pub async fn caller(&self, parts: &Parts) -> Result<Option<Caller>, store::Error> {
        let (Ok(text), Ok(tenant)) = (bearer(&parts.headers), self.logins.served(parts).await) else { return Ok(None) };
        for hash in self.logins.keys.token_hashes(text) {
            let Some(found) = access_tokens::find(&self.logins.store, &tenant.id, &hash, self.now()).await? else { continue };
            let given = |scope: &&str| found.scope.split(' ').any(|word| word == *scope);
            let scopes = OWN_SCOPES.iter().filter(|scope| given(scope)).map(|scope| (*scope).to_owned()).collect();
            return Ok(Some(Caller {
                issuer: self.logins.issuer(&tenant),
                tenant: tenant.id,
                token: TokenId::new(found.id),
                user_id: found.person.user_id,
                client: found.grant.client_id,
                scopes,
            }));
        }
        Ok(None)
    }

    /// Whose account an ID token proves that we signed by RS256 for the same application, and that has not expired. `None`: it proves
    /// nothing, whatever the reason.
    ///
    /// # Errors
    /// The store.
    pub async fn proven(&self, caller: &Caller, text: &str) -> Result<Option<String>, store::Error> {
        let keys = match self.keys.of(&self.logins, &caller.tenant).await {
            Ok(keys) => keys,
            Err(KeysError::Store(error)) => return Err(error),
            Err(KeysError::NotMade) => return Ok(None),
        };
        let now = self.now() / SECOND;
        Ok(id_token::proof(&keys, &caller.issuer, text, (caller.client.as_str(), now)))
    }
}
