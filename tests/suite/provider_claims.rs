//! Claims by mappings from profile to oidc, on both stores: who is told them, where, and what is refused before anybody is.

use crate::support::application::{Application, text};
use crate::support::caller::on_both_gateways;
use crate::support::saml_site::{Browser, SamlSite};
use serde_json::{Value, json};

const ROLES: &str = "https://example.com/roles";

fn write(site: &SamlSite, name: &str, rules: &str) {
    let text = format!("mapping {name} from profile to oidc\n{rules}\n");
    std::fs::write(site.gateway.folder().join(format!("mappings/{name}.mapping")), text).expect("written");
}

/// `acme`, whose customer is Globex; what is said of alice is what [`crate::support::minted`] says of her.
async fn globex(store: crate::support::gateway::Store) -> SamlSite {
    let site = SamlSite::without_connection(store, &[]).await;
    site.gateway.cli(&["organization", "create", "globex", "--domain", "globex.example"]);
    let metadata = crate::support::minted::metadata(&[crate::support::minted::rsa()], "");
    site.connect("acme", &metadata, &["organization=globex"]);
    site
}

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

/// What an application is told in the ID token and at `/userinfo`.
async fn told(app: &Application<'_>, browser: &mut Browser<'_>, scope: &str) -> (Value, Value) {
    let tokens = app.tokens(browser, &[("scope", scope)]).await;
    let id_token = Value::Object(app.verified(text(&tokens, "id_token")).await);
    (id_token, app.userinfo(text(&tokens, "access_token")).await.json())
}

on_both_gateways! {
    async fn an_application_with_a_mapping_is_told_more_and_no_other_is(store) {
        let site = globex(store).await;
        let mut browser = signed_in(&site).await;
        site.change("UPDATE users SET doc = '{\"username\":\"alice\",\"email\":\"alice@acme.example\",\"app_metadata\":{\"roles\":[\"admin\"],\"salary\":1}}'").await;
        write(&site, "shop", &format!(
            "\"{ROLES}\" = $app_metadata.roles[*]\ncustomer = $organization.name with in id_token\nid = $user_id with in userinfo\n\
             teams = $groups[*] with scope groups\npreferred_username = upper($username) with scope profile"
        ));
        let shop = Application::register(&site, "shop", &["--claims-mapping", "shop"]);
        let plain = Application::register(&site, "plain", &[]);
        let by_userinfo = Application::register(&site, "by-userinfo", &["--claims-mapping", "shop", "--claims-by-userinfo"]);

        let (id_token, userinfo) = told(&shop, &mut browser, "openid profile groups").await;
        for place in [&id_token, &userinfo] {
            assert_eq!((&place[ROLES], &place["preferred_username"]), (&json!(["admin"]), &json!("ALICE")), "{place}");
            assert_eq!(place["teams"], place["groups"]);
            assert!(!place.to_string().contains("salary") && place.get("app_metadata").is_none());
            assert_eq!(place["sub"], "samlp|acme|alice");
        }
        assert_eq!((&id_token["customer"], id_token.get("id")), (&json!("globex"), None));
        assert_eq!((userinfo.get("customer"), &userinfo["id"]), (None, &json!("samlp|acme|alice")));

        let (id_token, userinfo) = told(&shop, &mut browser, "openid").await;
        assert!(id_token.get("teams").is_none() && userinfo.get("preferred_username").is_none(), "scopes that were not given");

        for place in <[Value; 2]>::from(told(&plain, &mut browser, "openid profile groups").await) {
            assert!(place.get(ROLES).is_none() && place.get("teams").is_none() && place.get("customer").is_none(), "{place}");
            assert_eq!(place["preferred_username"], "alice");
        }
        let (id_token, userinfo) = told(&by_userinfo, &mut browser, "openid profile").await;
        assert_eq!((id_token.get(ROLES), &userinfo[ROLES]), (None, &json!(["admin"])));
    }

    async fn a_rule_that_fails_costs_its_claim_and_is_logged_without_the_value(store) {
        let site = globex(store).await;
        let mut browser = signed_in(&site).await;
        site.change("UPDATE users SET doc = '{\"email\":\"alice@acme.example\",\"name\":\"Alice\",\"app_metadata\":{\"level\":\"topsecret\"}}'").await;
        write(&site, "shop", "level = int($app_metadata.level)\nemail = $user_metadata.mail\nnick = lower($name)");
        let shop = Application::register(&site, "shop", &["--claims-mapping", "shop"]);
        for place in <[Value; 2]>::from(told(&shop, &mut browser, "openid profile email").await) {
            assert_eq!((place.get("level"), &place["nick"], &place["name"]), (None, &json!("alice"), &json!("Alice")), "{place}");
            assert_eq!(place.get("email"), None, "the rule hides what the scope would give");
        }
        let printed = site.gateway.printed_with("a claim is left out").await;
        assert!(printed.contains("level") && printed.contains("shop") && !printed.contains("topsecret"), "{printed}");
    }

    async fn a_new_version_runs_at_once_and_one_that_goes_elsewhere_gives_no_tokens(store) {
        let site = globex(store).await;
        let mut browser = signed_in(&site).await;
        write(&site, "shop", "tier = \"one\"");
        let shop = Application::register(&site, "shop", &["--claims-mapping", "shop"]);
        assert_eq!(told(&shop, &mut browser, "openid").await.0["tier"], "one");
        write(&site, "shop", "tier = \"two\"");
        assert_eq!(told(&shop, &mut browser, "openid").await.0["tier"], "one", "a file is a draft");
        site.gateway.cli(&["mapping", "publish", "shop", "--no-tests"]);
        let tokens = shop.tokens(&mut browser, &[]).await;
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let again = shop.refresh(text(&tokens, "refresh_token")).await.json();
        assert_eq!(shop.verified(text(&again, "id_token")).await["tier"], "two", "also at a refresh");
        assert_eq!(shop.userinfo(text(&again, "access_token")).await.json()["tier"], "two");

        let text_of = "mapping shop from oidc to profile\nname = $name\n";
        std::fs::write(site.gateway.folder().join("mappings/shop.mapping"), text_of).expect("written");
        site.gateway.cli(&["mapping", "publish", "shop", "--no-tests"]);
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let code = shop.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        let refused = shop.exchange(&code).await;
        assert_eq!((refused.status, &refused.json()["error"]), (500, &json!("server_error")), "{}", refused.text);
        assert_eq!(shop.userinfo(text(&again, "access_token")).await.status, 500);
        site.gateway.cli(&["client", "update", "shop", "--no-claims-mapping"]);
        assert_eq!(shop.exchange(&code).await.status, 200, "the code was not used up");
    }

    async fn what_no_mapping_may_write_is_refused_before_it_runs(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let refused = |line: &[&str]| {
            let output = site.gateway.run(line);
            assert!(!output.status.success(), "{line:?}");
            String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
        };
        let create = ["client", "create", "shop", "--redirect-uri", "https://a.example/cb", "--claims-mapping", "shop"];
        for claim in ["iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "sid", "jti", "org_id"] {
            write(&site, "shop", &format!("{claim} = $email"));
            let said = refused(&["mapping", "publish", "shop"]);
            let own = format!("`{claim}` is the provider's own claim, which no mapping writes");
            assert!(said.contains(&own), "{said}");
            assert!(refused(&create).contains(&own));
        }
        for (rules, says) in [
            ("team = $app_metadata.team with in access_token", "nobody reads an access token"),
            ("team = $app_metadata.team with scope profil", "unknown scope `profil`"),
            ("email_verified = \"yes\"\n", "email_verified"),
            ("deny when $email == \"x\" because \"no\"\nteam = $email", "`deny` is for what comes in"),
        ] {
            write(&site, "shop", rules);
            let said = refused(&["mapping", "check", "mappings/shop.mapping"]);
            assert!(said.contains(says), "{rules}: {said}");
        }
        for (name, says) in [("nothing", "no mapping nothing is published"), ("scim", "goes from scim to profile"), ("minted", "goes from saml to profile")] {
            let line = ["client", "create", "shop", "--redirect-uri", "https://a.example/cb", "--claims-mapping", name];
            let said = refused(&line);
            assert!(said.contains(says) && said.contains("--claims-mapping"), "{said}");
        }
        let connection = ["connection", "create", "in", "--kind", "scim", "--mapping", "application"];
        assert!(refused(&connection).contains("says what goes out"), "and nothing comes in by it");
        std::fs::write(site.gateway.folder().join("mappings/script.js"), "module.exports = function (raw) { return {}; };").expect("written");
        assert!(refused(&["client", "create", "shop", "--redirect-uri", "https://a.example/cb", "--claims-mapping", "script"]).contains("is a script"));
        assert_eq!(site.rows("SELECT id FROM clients").await.len(), 0);
    }

    async fn the_example_that_comes_with_the_program_serves_an_application(store) {
        let site = globex(store).await;
        let mut browser = signed_in(&site).await;
        site.change("UPDATE users SET doc = '{\"email\":\"alice@acme.example\",\"app_metadata\":{\"roles\":[\"admin\",\"admin\"]}}'").await;
        let shop = Application::register(&site, "shop", &["--claims-mapping", "application"]);
        let (id_token, _) = told(&shop, &mut browser, "openid profile").await;
        assert_eq!((&id_token[ROLES], &id_token["preferred_username"]), (&json!(["admin"]), &json!("alice")));
        assert_eq!(id_token["https://example.com/organization"], "globex");
    }
}
