//! What is read of a person beside their profile, and what they granted of it, on both stores: addresses and teams of GitHub, what
//! Microsoft Graph says, several profiles of a service that nobody knows. A provider that was asked too often has said nothing.

use crate::support::bad_provider::{At, object};
use crate::support::caller::on_both_gateways;
use crate::support::gateway::Store;
use crate::support::oidc_site::OidcSite;
use serde_json::{Value, json};

const GITHUB_SCOPES: &str = "scopes=read:user user:email read:org";
const TENANT: &str = "1f0c0000-0000-4000-8000-000000000001";

impl OidcSite {
    /// What the one person's last login left as its record.
    async fn record(&self) -> Value {
        let raw = self.site.rows("SELECT login_raw FROM identities").await.remove(0)["login_raw"].clone();
        serde_json::from_str(raw.as_str().expect("a text")).expect("JSON")
    }

    async fn is_let_in(&self) -> Value {
        let mut browser = self.browser();
        let answer = self.log_in(&mut browser).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser.session().await.json()
    }
}

/// GitHub with its shipped mapping, of whom an address is known.
async fn github(store: Store, options: &[&str]) -> OidcSite {
    let site = OidcSite::of_oauth(store, "github", options).await;
    site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=github"]);
    site.provider.act(|act| {
        act.profile = json!({"login": "balint", "id": 583_231, "name": null, "email": null});
        act.emails = json!([{"email": "b@x.example", "primary": true, "verified": true}]);
    });
    site
}

fn teams(count: usize) -> Value {
    let team = |number: usize| json!({"id": number, "slug": format!("t{number}"), "name": "T", "url": "https://api.x", "organization": {"login": "acme", "id": 1}});
    (0..count).map(team).collect()
}

on_both_gateways! {
    async fn a_provider_that_was_asked_too_often_takes_nobodys_address(store) {
        let site = github(store, &[]).await;
        assert_eq!(site.is_let_in().await["email"], "b@x.example");
        let limit = r#"{"message":"API rate limit exceeded for user ID 583231."}"#;
        for (what, status) in [("emails", 403), ("emails", 429), ("userinfo", 403), ("userinfo", 429)] {
            site.provider.act(|act| {
                act.at.clear();
                act.at.insert(what, At::Says(status, "application/json", limit.to_owned()));
            });
            site.refused("oidc_profile_unavailable").await;
            let told = site.site.refusals().await.pop().expect("a refusal")["received"].clone();
            assert_eq!(told, format!("{status}: asked too often, it answers again later"), "{what}");
        }
        site.provider.act(|act| act.at.clear());
        assert_eq!(site.is_let_in().await["email"], "b@x.example");
    }

    async fn somebody_who_granted_less_has_no_address_and_the_trace_says_why(store) {
        let site = github(store, &[]).await;
        site.provider.act(|act| act.scope = Some("read:user"));
        assert_eq!(site.is_let_in().await.get("email"), None);
        assert_eq!(site.provider.asked("emails"), 0, "what was not granted is not asked for");
        site.site.recorded("emails: user:email was not granted").await;
        // Some applications are told nothing of scopes: the answer itself says so.
        site.provider.act(|act| {
            act.scope = None;
            act.at.insert("emails", At::Says(403, "application/json", r#"{"message":"Resource not accessible by integration"}"#.to_owned()));
        });
        assert_eq!(site.is_let_in().await.get("email"), None);
        // Granted and refused is neither: nobody is let in with half of what is known.
        site.provider.act(|act| act.scope = Some("read:user,user:email"));
        site.refused("oidc_profile_refused").await;
    }

    async fn a_scope_that_is_required_and_not_granted_lets_nobody_in(store) {
        let site = github(store, &["required_scopes=user:email"]).await;
        site.provider.act(|act| act.scope = Some("read:user"));
        site.refused("oidc_scope_not_granted").await;
        let told = site.site.refusals().await.remove(0);
        assert_eq!((&told["expected"], &told["received"]), (&json!("user:email"), &json!("read:user")));
        assert_eq!(site.provider.asked("userinfo"), 0);
        site.provider.act(|act| act.scope = Some("user"));
        assert_eq!(site.is_let_in().await["email"], "b@x.example");
    }

    async fn teams_become_groups_and_stay_while_they_can_not_be_read(store) {
        let site = github(store, &[GITHUB_SCOPES]).await;
        let at = format!("teams_url={}/teams", site.provider.url);
        site.site.gateway.cli(&["connection", "update", "acme", "--set", &at]);
        site.provider.act(|act| _ = act.beside.insert("teams", teams(2)));
        assert_eq!(site.is_let_in().await["groups"], json!(["gh:acme/t0", "gh:acme/t1"]));
        let kept = site.record().await["extra"]["teams"][0].clone();
        assert_eq!(kept, json!({"id": 0, "slug": "t0", "name": "T", "organization": {"id": 1, "login": "acme"}}), "and no more");
        // Not granted this time; then more than are read: the list of before stays, whole.
        site.provider.act(|act| act.scope = Some("read:user,user:email"));
        assert_eq!(site.is_let_in().await["groups"], json!(["gh:acme/t0", "gh:acme/t1"]));
        site.provider.act(|act| {
            act.scope = Some("read:user,user:email,read:org");
            act.beside.insert("teams", teams(100));
        });
        assert_eq!(site.is_let_in().await["groups"], json!(["gh:acme/t0", "gh:acme/t1"]), "each page was a full one");
        assert_eq!(site.provider.last("teams")["page"], "10");
        site.provider.act(|act| act.at.insert("teams", At::Says(500, "text/plain", String::new())));
        site.refused("oidc_profile_unavailable").await;
    }

    async fn graph_is_asked_only_where_that_is_set_and_speaks_of_the_same_person(store) {
        let site = OidcSite::without_connection(store, &[]).await;
        let issuer = format!("issuer={}/{TENANT}/v2.0", site.provider.url);
        site.connect("acme", "waad", &[&issuer, &format!("tenant={TENANT}")]);
        let of = format!("{}/{TENANT}/v2.0", site.provider.url);
        site.provider.act(|act| {
            act.document.insert(String::from("issuer"), of.clone().into());
            act.document.shift_remove("authorization_response_iss_parameter_supported");
            act.claims = object(json!({"iss": of, "tid": TENANT, "oid": "7b9b", "email": "e@t.example"}));
            act.profile = json!({"sub": "ann"});
            act.names_issuer = false;
            act.beside.insert("me", json!({"@odata.context": "x", "id": "7b9b", "surname": "Long", "mail": null}));
        });
        site.is_let_in().await;
        assert_eq!(site.provider.asked("me"), 0);
        let graph = format!("graph_url={}/v1.0/me", site.provider.url);
        site.site.gateway.cli(&["connection", "update", "acme", "--set", &graph]);
        site.is_let_in().await;
        assert_eq!(site.record().await["extra"], json!({"graph_me": {"id": "7b9b", "surname": "Long", "mail": null}}));
        // Not granted: the login goes on without.
        site.provider.act(|act| act.at.insert("me", At::Says(403, "application/json", r#"{"error":{"code":"Forbidden"}}"#.to_owned())));
        site.is_let_in().await;
        site.site.recorded("not read: graph_me: 403").await;
        site.provider.act(|act| {
            act.at.clear();
            act.beside.insert("me", json!({"id": "somebody else"}));
        });
        site.refused("oidc_profile_subject").await;
    }

    async fn several_profiles_are_one_and_the_first_says_who_it_is(store) {
        let site = OidcSite::of_oauth(store, "oauth2", &["user_id_path=id"]).await;
        let more = ["more", "company"].map(|path| format!("more_profile_urls={}/{path}", site.provider.url));
        site.site.gateway.cli(&["connection", "update", "acme", "--set", &more[0], "--set", &more[1]]);
        site.provider.act(|act| {
            act.profile = json!({"id": "1", "name": "Ann"});
            act.beside.insert("more", json!({"id": "2", "email": "a@x.example"}));
            act.beside.insert("company", json!({"email": "other@x.example", "company": "acme"}));
        });
        assert_eq!(site.is_let_in().await["user_id"], "oauth2|acme|1");
        assert_eq!(site.record().await, json!({"id": "1", "name": "Ann", "email": "a@x.example", "company": "acme"}));
        assert_eq!(site.provider.last("more")["method"], "GET");
        site.provider.act(|act| act.at.insert("company", At::Says(500, "text/plain", String::new())));
        site.refused("oidc_profile_unavailable").await;
    }

    async fn a_profile_is_asked_for_by_post_and_with_the_token_in_the_address_only_where_that_is_said(store) {
        let site = OidcSite::of_oauth(store, "oauth2", &["user_id_path=id"]).await;
        site.provider.act(|act| act.profile = json!({"id": "1"}));
        site.is_let_in().await;
        let asked = site.provider.last("userinfo");
        assert!(asked["method"] == "GET" && asked.contains_key("authorization") && !asked.contains_key("access_token"), "{asked:?}");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "profile_method=post"]);
        site.is_let_in().await;
        let asked = site.provider.last("userinfo");
        assert!(asked["method"] == "POST" && asked.contains_key("authorization"), "{asked:?}");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "token_in=query", "--set", "profile_method=get"]);
        site.is_let_in().await;
        let asked = site.provider.last("userinfo");
        assert!(asked["method"] == "GET" && asked.contains_key("access_token") && !asked.contains_key("authorization"), "{asked:?}");
        // Not even then it is in what is told.
        site.provider.act(|act| act.at.insert("userinfo", At::Says(403, "text/plain", String::new())));
        site.refused("oidc_profile_refused").await;
        let told = format!("{:?} {}", site.site.refusals().await, site.site.recorded("oidc_profile_refused").await);
        assert!(!told.contains("access-token-of-the-provider") && !site.site.gateway.everything_printed().contains("access-token-of"));
    }

    async fn discord_pictures_that_nobody_chose_are_counted(store) {
        let site = OidcSite::of_oauth(store, "discord", &[]).await;
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=discord"]);
        for (discriminator, avatar, picture) in [
            ("0", Value::Null, "embed/avatars/5.png"),
            ("1337", Value::Null, "embed/avatars/2.png"),
            ("0", json!("8342"), "avatars/80351110224678912/8342.png"),
        ] {
            site.provider.act(|act| {
                act.profile = json!({"id": "80351110224678912", "username": "nelly", "discriminator": discriminator, "avatar": avatar});
            });
            assert_eq!(site.is_let_in().await["picture"], format!("https://cdn.discordapp.com/{picture}"));
        }
    }

    async fn a_warning_comes_with_another_issuer_or_another_id_once_people_came_in(store) {
        let site = OidcSite::start(store, &[]).await;
        let warned = |set: &str| {
            let output = site.site.gateway.run(&["connection", "update", "acme", "--set", set]);
            assert!(output.status.success());
            String::from_utf8_lossy(&output.stderr).contains("warning: people came in through connection acme already")
        };
        assert!(!warned("issuer=https://other.example"), "nobody came in yet");
        let back = format!("issuer={}", site.provider.url);
        assert!(!warned(&back));
        site.is_let_in().await;
        assert!(!warned("scopes=openid") && !warned(&back), "what stays as it is");
        assert!(warned("user_id_path=email") && warned("user_id_path="));
        assert!(warned("issuer=https://other.example"));
    }
}
