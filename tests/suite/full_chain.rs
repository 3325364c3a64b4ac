//! The whole of it in one test, on both stores: a person pushed by SCIM, signed in by OpenID Connect and by SAML as the same person, read
//! by an application (code with PKCE, userinfo), let go by SCIM: the application's next refresh fails, userinfo is refused, and the
//! session is gone. Once on a connection that has both sides, once on connections that are joined.

use crate::support::application::{Application, returned, text};
use crate::support::caller::{Caller, USER_URN, group, on_both_gateways};
use crate::support::gateway::Store;
use crate::support::minted;
use crate::support::oidc_site::OidcSite;
use crate::support::saml_site::Browser;
use serde_json::{Value, json};

const USER_NAME: &str = "alice";
const EXTERNAL_ID: &str = "e-1";

/// A gateway whose people come from a push, and the push.
struct Chain {
    site: OidcSite,
    push: Caller,
    /// The id of the person for SCIM.
    person: String,
}

/// By which a person signs in.
#[derive(Clone, Copy)]
enum By<'a> {
    Saml(&'a str),
    Oidc(&'a str),
}

impl Chain {
    /// `pushed` is made by `connect` and gets a person, in a group.
    async fn start(store: Store, pushed: &str, connect: impl Fn(&OidcSite)) -> Self {
        let site = OidcSite::without_connection(store, &[]).await;
        connect(&site);
        let made = site.site.gateway.cli(&["token", "create", "--connection", pushed, "--json"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let push = Caller::of(&site.site.gateway, pushed, text(&made, "token"));
        let body = json!({
            "schemas": [USER_URN], "userName": USER_NAME, "externalId": EXTERNAL_ID, "displayName": "Alice Lee", "active": true,
            "name": {"givenName": "Alice", "familyName": "Lee"},
            "emails": [{"value": "alice@corp.example", "type": "work", "primary": true}],
        });
        let person = push.create("Users", &body).await;
        push.create("Groups", &group("Engineering", &[&person])).await;
        Self { site, push, person }
    }

    async fn set_active(&self, active: bool) {
        let operations = json!([{"op": "replace", "path": "active", "value": active}]);
        let answer = self.push.patch(&format!("/Users/{}", self.person), operations).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Goes through the identity provider, from `way` on; where that ends.
    async fn through(&self, browser: &mut Browser<'_>, by: By<'_>, way: &str) -> (u16, Option<String>) {
        let answer = match by {
            By::Saml(connection) => {
                let request = browser.begin_at(way).await;
                let mut whom = self.site.site.whom(Some(&request));
                for address in [&mut whom.acs, &mut whom.entity_id] {
                    *address = address.replace("/saml/acme/", &format!("/saml/{connection}/"));
                }
                let login = minted::login(&whom).with(">alice<", &format!(">{}<", self.known_to_saml(connection)));
                browser.hand_over_at(&format!("/saml/{connection}/acs"), &login.signed_assertion(minted::rsa())).await
            }
            By::Oidc(_) => {
                self.site.provider.act(|act| {
                    act.claims.insert(String::from("sub"), EXTERNAL_ID.into());
                    act.profile = json!({"sub": EXTERNAL_ID, "email": "alice@corp.example", "email_verified": true});
                });
                let address = self.site.begin(browser, way).await;
                browser.send("GET", &self.site.provider.authorize(&address), None).await
            }
        };
        (answer.status, answer.header("location").map(str::to_owned))
    }

    /// A push to a SAML connection is known by its user name, a push that is joined by its external id.
    fn known_to_saml(&self, connection: &str) -> &'static str {
        if connection == "acme" { USER_NAME } else { EXTERNAL_ID }
    }

    /// An application sends somebody here who has no session; it gets tokens when they are back.
    async fn read(&self, app: &Application<'_>, browser: &mut Browser<'_>, by: By<'_>) -> Value {
        let (By::Saml(connection) | By::Oidc(connection)) = by;
        let answer = browser.send("GET", &app.request(&[("connection", connection)]), None).await;
        let way = answer.header("location").unwrap_or_else(|| panic!("no way in: {}", answer.text)).to_owned();
        assert!(way.starts_with(&format!("/login/{connection}?")), "{way}");
        let (status, back) = self.through(browser, by, &way).await;
        let back = back.unwrap_or_else(|| panic!("{status}: {:?}", self.site.site.gateway.output()));
        let answer = browser.send("GET", &back, None).await;
        let code = returned(&answer).remove("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
        let tokens = app.exchange(&code).await;
        assert_eq!(tokens.status, 200, "{}", tokens.text);
        tokens.json()
    }

    /// Signed in by each way in turn, read, let go; nothing of it is left, and nothing comes back by itself.
    async fn goes_all_the_way(&self, user_id: &str, ways: &[By<'_>]) {
        let site = &self.site.site;
        let app = Application::register(site, "app", &[]);
        let mut visits = Vec::new();
        for by in ways {
            let mut browser = site.browser();
            let tokens = self.read(&app, &mut browser, *by).await;
            let claims = app.verified(text(&tokens, "id_token")).await;
            let told = app.userinfo(text(&tokens, "access_token")).await.json();
            for told in [&Value::Object(claims), &told] {
                assert_eq!(told["sub"], user_id, "{told}");
                assert_eq!((&told["name"], &told["email"]), (&json!("Alice Lee"), &json!("alice@corp.example")), "{told}");
                let groups = told["groups"].as_array().expect("a list");
                assert!(groups.contains(&json!("Engineering")), "what was pushed, beside what a login says: {told}");
            }
            assert_eq!(browser.session().await.json()["user_id"], user_id);
            let tokens = app.refresh(text(&tokens, "refresh_token")).await;
            assert_eq!(tokens.status, 200, "{}", tokens.text);
            visits.push((browser, tokens.json()));
        }
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 1, "the same person each time");

        self.set_active(false).await;
        for (browser, tokens) in &mut visits {
            let refused = app.refresh(text(tokens, "refresh_token")).await;
            assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
            assert_eq!(app.userinfo(text(tokens, "access_token")).await.status, 401);
            let shown = app.ask("/oauth/introspect", &[("token", text(tokens, "access_token"))]).await.json();
            assert_eq!(shown, json!({"active": false}));
            assert_eq!(browser.session().await.status, 401);
            assert_eq!(app.authorize(browser, &[("prompt", "none")]).await["error"], "login_required");
        }
        for by in ways {
            let (By::Saml(connection) | By::Oidc(connection)) = by;
            let (status, _) = self.through(&mut site.browser(), *by, &format!("/login/{connection}")).await;
            assert_eq!(status, 403, "no new session either");
        }

        self.set_active(true).await;
        for (browser, tokens) in &mut visits {
            assert_eq!(app.refresh(text(tokens, "refresh_token")).await.status, 400, "what was given is gone for good");
            assert_eq!(app.userinfo(text(tokens, "access_token")).await.status, 401);
            assert_eq!(browser.session().await.status, 401);
        }
        let tokens = self.read(&app, &mut site.browser(), ways[0]).await;
        assert_eq!(app.verified(text(&tokens, "id_token")).await["sub"], user_id, "whoever is back signs in, as the same person");
    }
}

on_both_gateways! {
    async fn a_connection_with_both_sides_pushes_signs_in_by_saml_and_lets_go(store) {
        let chain = Chain::start(store, "acme", |site| {
            site.site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &[]);
        }).await;
        chain.goes_all_the_way("samlp|acme|alice", &[By::Saml("acme")]).await;
    }

    async fn a_connection_with_both_sides_pushes_signs_in_by_openid_connect_and_lets_go(store) {
        let chain = Chain::start(store, "people", |site| {
            site.connect("people", "oidc", &[&format!("issuer={}", site.provider.url)]);
        }).await;
        chain.goes_all_the_way("oidc|people|e-1", &[By::Oidc("people")]).await;
    }

    async fn a_push_joined_by_openid_connect_and_by_saml_is_one_person_who_is_let_go_everywhere(store) {
        let chain = Chain::start(store, "scim", |site| {
            let joins = ["join=scim", "join_on=external_id"];
            site.connect("social", "oidc", &[&format!("issuer={}", site.provider.url), joins[0], joins[1]]);
            site.site.connect("work", &minted::metadata(&[minted::rsa()], ""), &joins);
        }).await;
        chain.goes_all_the_way("scim|scim|e-1", &[By::Oidc("social"), By::Saml("work")]).await;
    }
}
