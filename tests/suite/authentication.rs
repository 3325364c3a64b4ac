//! Bearer tokens at the door, on both databases: who gets in, for how long a look-up is believed, and how much one
//! token may ask.

use crate::support::stores::{TestStore, on_both};
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use rosterd::clock::{Clock, Entropy, SECOND};
use rosterd::http::authenticate::{AuthError, Authenticator};
use rosterd::http::rate::RateLimit;
use rosterd::model::access::{CONSOLE_SCOPE, Principal, Token};
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId, TokenId};
use rosterd::model::tenant::Tenant;
use rosterd::secret::{KeyRing, Secret, TokenKind};
use rosterd::store::audit::Audit;
use rosterd::store::connections::StoredConnection;
use rosterd::store::{Batch, connections, tenants, tokens};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NOW: i64 = 1_764_000_000_000_000;

/// A tenant with one connection, and a door to it.
struct Door {
    test: TestStore,
    keys: KeyRing,
    hand: Arc<AtomicI64>,
    authenticator: Authenticator,
    connection: ConnectionId,
}

impl Door {
    async fn new(test: TestStore, burst: u32) -> Self {
        let (clock, hand) = Clock::manual(NOW);
        let keys = KeyRing::new(Secret::new([7; 32]), Some(Secret::new([6; 32])));
        let rate = RateLimit::new(1, burst, clock.clone());
        let authenticator = Authenticator::new(test.store.clone(), keys.clone(), clock, rate);
        let tenant_id = TenantId::new("acme");
        let tenant = Tenant {
            id: tenant_id.clone(),
            name: String::from("acme"),
            host: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let id = ConnectionId::new("con_1");
        let connection = Connection {
            tenant_id,
            id: id.clone(),
            name: String::from("okta"),
            kind: ConnectionKind::Scim,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Scim),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let mut batch = Batch::default();
        tenants::create(&mut batch, &tenant, &audit());
        connections::insert(&mut batch, &StoredConnection { connection, set: serde_json::Map::new() }, None);
        test.store.apply(batch).await.unwrap();
        Self { test, keys, hand, authenticator, connection: id }
    }

    /// Stores a token of `kind`, hashed with `keys`; gives its text.
    async fn token_by(&self, keys: &KeyRing, kind: TokenKind, change: impl FnOnce(&mut Token)) -> (Token, String) {
        let text = kind.generate(&Entropy::system());
        let mut token = Token {
            tenant_id: TenantId::new("acme"),
            id: TokenId::new(Entropy::system().uuid(NOW)),
            connection_id: (kind == TokenKind::Scim).then(|| self.connection.clone()),
            name: String::from("t"),
            scopes: vec![String::from("get:users")],
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            created_at: NOW,
        };
        change(&mut token);
        let mut batch = Batch::default();
        tokens::create(&mut batch, &token, &keys.hash_token(text.expose()), &audit());
        self.test.store.apply(batch).await.unwrap();
        (token, text.expose().clone())
    }

    async fn token(&self, kind: TokenKind, change: impl FnOnce(&mut Token)) -> (Token, String) {
        self.token_by(&self.keys, kind, change).await
    }

    async fn enter(&self, text: &str) -> Result<Principal, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
        self.authenticator.authenticate(&headers).await
    }

    fn pass(&self, time: i64) {
        self.hand.fetch_add(time, Ordering::SeqCst);
    }
}

fn audit() -> Audit {
    let log_id = Entropy::system().uuid(NOW);
    Audit { actor: String::from("test"), request_id: String::from("r"), log_id, at: NOW, from: None }
}

on_both! {
    async fn each_kind_of_token_opens_its_own_side(test) {
        let door = Door::new(test, 100).await;
        let (_, scim) = door.token(TokenKind::Scim, |_| {}).await;
        let (_, admin) = door.token(TokenKind::Management, |_| {}).await;
        match door.enter(&scim).await.unwrap() {
            Principal::Scim { connection, scopes, .. } => {
                assert_eq!((connection.name.as_str(), scopes.as_slice()), ("okta", &[String::from("get:users")][..]));
            }
            other @ (Principal::Management { .. } | Principal::Person { .. }) => panic!("{other:?}"),
        }
        let principal = door.enter(&admin).await.unwrap();
        assert!(matches!(&principal, Principal::Management { tenant, .. } if tenant.as_str() == "acme"), "{principal:?}");
        assert!(principal.allows("get:users") && !principal.allows("delete:users"));
    }

    async fn a_console_code_opens_no_api(test) {
        let door = Door::new(test, 100).await;
        let (_, code) = door.token(TokenKind::ConsoleCode, |token| token.scopes = vec![CONSOLE_SCOPE.to_owned()]).await;
        assert!(matches!(door.enter(&code).await, Err(AuthError::WrongKind)));
    }

    async fn a_token_nobody_made_is_refused_like_one_that_ended(test) {
        let door = Door::new(test, 100).await;
        let (_, expired) = door.token(TokenKind::Scim, |token| token.expires_at = Some(NOW)).await;
        let unknown = TokenKind::Scim.generate(&Entropy::system());
        let refusals = [
            door.enter(&expired).await.unwrap_err(),
            door.enter(unknown.expose()).await.unwrap_err(),
            door.enter("rst_short").await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!((refusal.status(), refusal.public_message()), (StatusCode::UNAUTHORIZED, "the token is not valid"));
        }
        let nothing = door.authenticator.authenticate(&HeaderMap::new()).await.unwrap_err();
        assert_eq!(nothing.challenge(), "Bearer realm=\"rosterd\"");
    }

    async fn a_revocation_works_within_two_seconds(test) {
        let door = Door::new(test, 100).await;
        let (token, text) = door.token(TokenKind::Scim, |_| {}).await;
        assert!(door.enter(&text).await.is_ok());
        let mut batch = Batch::default();
        tokens::revoke(&mut batch, &token, &audit());
        door.test.store.apply(batch).await.unwrap();
        door.pass(2 * SECOND);
        assert!(matches!(door.enter(&text).await, Err(AuthError::Revoked)));
    }

    async fn an_expiry_works_at_once_also_while_the_look_up_is_believed(test) {
        let door = Door::new(test, 100).await;
        let (_, text) = door.token(TokenKind::Scim, |token| token.expires_at = Some(NOW + SECOND)).await;
        assert!(door.enter(&text).await.is_ok());
        door.pass(SECOND);
        assert!(matches!(door.enter(&text).await, Err(AuthError::Expired)));
    }

    async fn a_token_hashed_with_the_old_key_opens_while_rotating(test) {
        let door = Door::new(test, 100).await;
        let old = KeyRing::new(Secret::new([6; 32]), None);
        let (_, text) = door.token_by(&old, TokenKind::Scim, |_| {}).await;
        assert!(door.enter(&text).await.is_ok());
        let foreign = KeyRing::new(Secret::new([5; 32]), None);
        let (_, text) = door.token_by(&foreign, TokenKind::Scim, |_| {}).await;
        assert!(matches!(door.enter(&text).await, Err(AuthError::Unknown)));
    }

    async fn one_token_that_asks_too_much_waits_and_others_do_not(test) {
        let door = Door::new(test, 2).await;
        let (_, busy) = door.token(TokenKind::Scim, |_| {}).await;
        let (_, calm) = door.token(TokenKind::Management, |_| {}).await;
        for _ in 0..2 {
            assert!(door.enter(&busy).await.is_ok());
        }
        let refusal = door.enter(&busy).await.unwrap_err();
        assert_eq!((refusal.status(), refusal.retry_after_seconds()), (StatusCode::TOO_MANY_REQUESTS, Some(1)));
        assert!(door.enter(&calm).await.is_ok());
        door.pass(SECOND);
        assert!(door.enter(&busy).await.is_ok());
    }

    async fn the_last_use_is_noted_in_the_background(test) {
        let door = Door::new(test, 100).await;
        let (token, text) = door.token(TokenKind::Scim, |_| {}).await;
        door.enter(&text).await.unwrap();
        for _ in 0..200 {
            let stored = tokens::find(&door.test.store, &token.tenant_id, &token.id).await.unwrap().unwrap();
            if stored.last_used_at == Some(NOW) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the use was never noted");
    }

    async fn a_store_that_is_away_is_503_and_not_401(test) {
        let door = Door::new(test, 100).await;
        let (_, text) = door.token(TokenKind::Scim, |_| {}).await;
        door.test.store.close().await;
        let refusal = door.enter(&text).await.unwrap_err();
        assert_eq!((refusal.status(), refusal.retry_after_seconds()), (StatusCode::SERVICE_UNAVAILABLE, Some(1)));
    }
}
