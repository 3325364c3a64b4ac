//! An application by the crate `openidconnect`, which takes nothing that is not right to the letter: the name of the issuer, a signature
//! by one algorithm, the nonce, the hash of the access token, the subject of userinfo, the types of all answers.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RefreshToken, RevocationUrl, Scope,
    SubjectIdentifier, TokenResponse,
};
use std::collections::HashMap;
use url::Url;

type Discovered = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

pub struct StrictParty {
    client: Discovered,
    alg: CoreJwsSigningAlgorithm,
    end_session: Url,
}

/// A login that began.
pub struct Waiting {
    pub url: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// One request, without following where it leads. The crate revokes by https alone, even on loopback, which has no TLS: whatever ends
/// TLS in front of a gateway is this function.
async fn http(mut request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    if let Some(rest) = request.uri().to_string().strip_prefix("https://") {
        *request.uri_mut() = format!("http://{rest}").parse().expect("an address");
    }
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let answer = client.execute(request.try_into()?).await?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    Ok(response.body(answer.bytes().await?.to_vec()).expect("what came is an answer"))
}

impl StrictParty {
    /// Reads the discovery document, which has to be of this issuer, and takes ID tokens by `alg` alone.
    pub async fn discover(issuer: &str, id: &str, secret: &str, redirect_uri: &str, alg: CoreJwsSigningAlgorithm) -> Self {
        let issuer = IssuerUrl::new(issuer.to_owned()).expect("an address");
        let metadata = ProviderMetadataWithLogout::discover_async(issuer.clone(), &http).await.expect("a document");
        let end_session = metadata.additional_metadata().end_session_endpoint.clone().expect("a way out").url().clone();
        let revocation = issuer.replacen("http://", "https://", 1) + "/oauth/revoke";
        let client = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(id.to_owned()),
            Some(ClientSecret::new(secret.to_owned())),
        );
        let client = client
            .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned()).expect("an address"))
            .set_revocation_url(RevocationUrl::new(revocation).expect("an address"));
        Self { client, alg, end_session }
    }

    pub fn begin(&self, scopes: &[&str]) -> Waiting {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request =
            self.client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in scopes.iter().filter(|scope| **scope != "openid") {
            request = request.add_scope(Scope::new((*scope).to_owned()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        Waiting { url, state, nonce, verifier }
    }

    fn verifier(&self) -> CoreIdTokenVerifier<'_> {
        self.client.id_token_verifier().set_allowed_algs([self.alg.clone()])
    }

    /// The tokens for what came back, and whom they are about.
    pub async fn finish(&self, waiting: Waiting, returned: &HashMap<String, String>) -> (CoreTokenResponse, String) {
        assert_eq!(returned.get("state"), Some(waiting.state.secret()), "{returned:?}");
        let code = returned.get("code").unwrap_or_else(|| panic!("no code in {returned:?}"));
        let request = self.client.exchange_code(AuthorizationCode::new(code.clone())).expect("a token endpoint");
        let tokens = request.set_pkce_verifier(waiting.verifier).request_async(&http).await.expect("tokens");
        let sub = self.sub(&tokens, &waiting.nonce);
        (tokens, sub)
    }

    fn sub(&self, tokens: &CoreTokenResponse, nonce: &Nonce) -> String {
        let claims = tokens.id_token().expect("an ID token").claims(&self.verifier(), nonce).expect("a valid one");
        self.check_hash(tokens, claims.access_token_hash().expect("a hash"));
        claims.subject().to_string()
    }

    /// Whom refreshed tokens are about: these have no nonce.
    pub fn sub_without_nonce(&self, tokens: &CoreTokenResponse) -> String {
        let none = |nonce: Option<&Nonce>| nonce.map_or(Ok(()), |_| Err(String::from("a nonce")));
        let claims = tokens.id_token().expect("an ID token").claims(&self.verifier(), none).expect("a valid one");
        self.check_hash(tokens, claims.access_token_hash().expect("a hash"));
        claims.subject().to_string()
    }

    fn check_hash(&self, tokens: &CoreTokenResponse, said: &AccessTokenHash) {
        let (token, verifier) = (tokens.id_token().expect("an ID token"), self.verifier());
        let key = token.signing_key(&verifier).expect("a published key");
        let hash = AccessTokenHash::from_token(tokens.access_token(), token.signing_alg().expect("an algorithm"), key);
        assert_eq!(&hash.expect("a hash"), said);
    }

    /// # Errors
    /// If it is refused or is about somebody else than `sub`.
    pub async fn userinfo(&self, token: &AccessToken, sub: &str) -> Result<CoreUserInfoClaims, String> {
        let request = self.client.user_info(token.clone(), Some(SubjectIdentifier::new(sub.to_owned())));
        request.expect("an endpoint").request_async(&http).await.map_err(|error| format!("{error:?}"))
    }

    /// # Errors
    /// If it is refused.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse, String> {
        let request = self.client.exchange_refresh_token(token).expect("a token endpoint");
        request.request_async(&http).await.map_err(|error| format!("{error:?}"))
    }

    pub async fn revoke(&self, token: &RefreshToken) {
        let request = self.client.revoke_token(CoreRevocableToken::RefreshToken(token.clone())).expect("TLS, or loopback");
        request.request_async(&http).await.expect("revoked");
    }

    /// Where a person is sent to sign out.
    pub fn logout(&self, token: &CoreIdToken, to: &str) -> String {
        let request = LogoutRequest::from(openidconnect::EndSessionUrl::from_url(self.end_session.clone()))
            .set_id_token_hint(token)
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(to.to_owned()).expect("an address"))
            .set_state(CsrfToken::new(String::from("bye")));
        request.http_get_url().to_string()
    }
}
