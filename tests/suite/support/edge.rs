//! The whole gateway in this process: one connection on an empty store, asked without a socket.

use super::stores::TestStore;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rosterd::app::App;
use rosterd::clock::{Clock, Entropy};
use rosterd::config::Config;
use rosterd::model::access::{SCIM_SCOPES, Token};
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId, TokenId};
use rosterd::model::tenant::Tenant;
use rosterd::secret::{KeyRing, Secret, TokenKind};
use rosterd::store::audit::Audit;
use rosterd::store::connections::StoredConnection;
use rosterd::store::{Batch, connections, tenants, tokens};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tower::ServiceExt;

const NOW: i64 = 1_764_000_000_000_000;

/// One connection's SCIM endpoint. Its clock stands until it is moved; its ids are the same in every run.
pub struct Edge {
    pub test: TestStore,
    pub hand: Arc<AtomicI64>,
    pub app: App,
    router: Router,
    token: String,
}

/// An answer: status and body; null where there is none.
pub type Answer = (u16, Value);

impl Edge {
    pub async fn new(test: TestStore) -> Self {
        Self::with(test, &[]).await
    }

    /// [`Self::new`] with options of the connection, as text.
    pub async fn with(test: TestStore, options: &[(&str, &str)]) -> Self {
        let (clock, hand) = Clock::manual(NOW);
        let counted = AtomicU64::new(1);
        let entropy = Entropy::from_fn(move |bytes| {
            for chunk in bytes.chunks_mut(8) {
                let drawn = counted.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                chunk.copy_from_slice(&drawn.to_be_bytes()[..chunk.len()]);
            }
        });
        let keys = KeyRing::new(Secret::new([7; 32]), None);
        let text = TokenKind::Scim.generate(&entropy);
        let tenant_id = TenantId::new("default");
        let id = ConnectionId::new("con_1");
        let times = (NOW, NOW);
        let tenant = Tenant {
            id: tenant_id.clone(),
            name: "default".into(),
            host: None,
            version: 1,
            created_at: times.0,
            updated_at: times.1,
        };
        let connection = Connection {
            tenant_id: tenant_id.clone(),
            id: id.clone(),
            name: "scim".into(),
            kind: ConnectionKind::Scim,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Scim),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let token = Token {
            tenant_id,
            id: TokenId::new("t"),
            connection_id: Some(id),
            name: "t".into(),
            scopes: SCIM_SCOPES.map(str::to_owned).to_vec(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            created_at: NOW,
        };
        let audit = Audit { actor: "cli".into(), request_id: "r".into(), log_id: entropy.uuid(NOW), at: NOW, from: None };
        let set: Map<String, Value> = options.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let mut batch = Batch::default();
        tenants::create(&mut batch, &tenant, &audit);
        connections::insert(&mut batch, &StoredConnection { connection, set }, None);
        tokens::insert(&mut batch, &token, &keys.hash_token(text.expose()));
        test.store.apply(batch).await.unwrap();
        let app = App::build(Config::defaults(), test.store.clone(), keys, clock, entropy, "https://roster.example");
        let router = app.router(app.edges());
        Self { test, hand, app, router, token: text.expose().clone() }
    }

    /// One request below the connection's base address. `path` is sent as it is.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/scim/v2/connections/scim{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/scim+json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }
}

/// A text as a value in a query string.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
