//! Who somebody is who logs in by SAML, on both stores: the person a push brought to the same connection or to another one, and
//! what a push that lets them go does to where they are signed in.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::Answer;
use crate::support::minted::{self, mint};
use crate::support::samba::{Ou, SYNC, domain_controller, replace};
use crate::support::saml_site::{Browser, SamlSite};
use crate::support::slapd::PASSWORD;
use serde_json::{Value, json};

const OBJECT_GUID: &str = "http://corp.example/claims/objectguid";
const OBJECT_ID: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

/// Pushes to a connection over SCIM.
struct Push<'a> {
    site: &'a SamlSite,
    connection: &'a str,
    token: String,
}

impl<'a> Push<'a> {
    fn to(site: &'a SamlSite, connection: &'a str) -> Self {
        let made = site.gateway.cli(&["token", "create", "--connection", connection, "--json"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { site, connection, token: made["token"].as_str().expect("a token").to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let headers = [
            (String::from("authorization"), format!("Bearer {}", self.token)),
            (String::from("content-type"), String::from("application/scim+json")),
        ];
        self.site.gateway.request(method, self.connection, path, &headers, Some(body.to_string())).await
    }

    /// A person; their id.
    async fn person(&self, user_name: &str, external_id: &str) -> String {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name, "externalId": external_id,
            "displayName": "Alice Lee", "active": true,
        });
        let answer = self.send("POST", "/Users", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn set_active(&self, id: &str, active: bool) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": active }],
        });
        let answer = self.send("PATCH", &format!("/Users/{id}"), body).await;
        assert!(answer.status < 300, "{}", answer.text);
    }
}

async fn with_object_id(browser: &mut Browser<'_>, id: &str) -> Answer {
    let attribute = mint::attribute(OBJECT_ID, &[id]);
    browser.log_in(|login| login.with("<saml:AttributeStatement>", &format!("<saml:AttributeStatement>{attribute}"))).await
}

on_both_gateways! {
    async fn somebody_pushed_to_the_connection_logs_in_as_the_same_person(store) {
        let site = SamlSite::start(store, &[]).await;
        let push = Push::to(&site, "acme");
        let id = push.person("alice", "e-1").await;
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        assert_eq!(browser.session().await.json()["user_id"], "samlp|acme|alice");
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 1);
        let name = browser.session().await.json()["name"].clone();
        assert_eq!(name, "Alice Lee", "what a push says of the roots a login leaves alone");
        push.set_active(&id, false).await;
        assert_eq!(browser.session().await.status, 401, "signed out at once");
        assert_eq!(site.browser().log_in(|login| login).await.status, 403);
        assert_eq!(site.reasons().await, ["blocked"]);
        push.set_active(&id, true).await;
        assert_eq!(site.browser().log_in(|login| login).await.status, 303);
    }

    async fn somebody_who_logged_in_first_is_met_by_the_push(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        Push::to(&site, "acme").person("alice", "e-1").await;
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 1);
        assert_eq!(browser.session().await.status, 200);
    }

    async fn whom_a_push_lets_go_is_signed_out_by_it_however_it_lets_them_go(store) {
        for deprovision in ["deactivate", "grace:7", "delete"] {
            let site = SamlSite::start(store, &[&format!("deprovision={deprovision}")]).await;
            let push = Push::to(&site, "acme");
            let (alice, _) = (push.person("alice", "e-1").await, push.person("bob", "e-2").await);
            let (mut one, mut another, mut bob) = (site.browser(), site.browser(), site.browser());
            for browser in [&mut one, &mut another] {
                assert_eq!(browser.log_in(|login| login).await.status, 303);
            }
            assert_eq!(bob.log_in(|login| login.with(">alice<", ">bob<")).await.status, 303);
            assert_eq!(push.send("DELETE", &format!("/Users/{alice}"), json!({})).await.status, 204);
            assert_eq!((one.session().await.status, another.session().await.status), (401, 401), "{deprovision}");
            assert_eq!(bob.session().await.status, 200, "{deprovision}");
            assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 1, "{deprovision}: for good");
        }
    }

    async fn whoever_is_put_to_inactive_is_signed_out_for_good_by_a_patch_and_by_a_put(store) {
        let site = SamlSite::start(store, &[]).await;
        let push = Push::to(&site, "acme");
        let id = push.person("alice", "e-1").await;
        let body = |active: bool| json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "alice", "externalId": "e-1",
            "displayName": "Alice Lee", "active": active,
        });
        for by_put in [false, true] {
            let mut browser = site.browser();
            assert_eq!(browser.log_in(|login| login).await.status, 303);
            match by_put {
                false => push.set_active(&id, false).await,
                true => assert_eq!(push.send("PUT", &format!("/Users/{id}"), body(false)).await.status, 200),
            }
            assert_eq!(browser.session().await.status, 401);
            assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 0);
            assert_eq!(push.send("PUT", &format!("/Users/{id}"), body(true)).await.status, 200);
            assert_eq!(browser.session().await.status, 401, "and the way back opens none of them");
        }
    }

    async fn whom_an_administrator_blocks_is_signed_out_whatever_their_connection_says(store) {
        let site = SamlSite::start(store, &[]).await;
        let push = Push::to(&site, "acme");
        let id = push.person("alice", "e-1").await;
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        // As an administrator's block lies there; `users.blocked` says that there is one.
        site.change(
            "INSERT INTO blocks (tenant_id, profile_id, kind, origin, reason, actor, since) \
             SELECT tenant_id, id, 'admin', '', 'left the company', 'token:admin', 0 FROM users",
        )
        .await;
        site.change("UPDATE users SET blocked = TRUE").await;
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(site.browser().log_in(|login| login).await.status, 403);
        push.set_active(&id, false).await;
        push.set_active(&id, true).await;
        assert_eq!(site.browser().log_in(|login| login).await.status, 403, "the source lifts its own block alone");
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(site.reasons().await, ["blocked", "blocked"]);
    }

    async fn somebody_the_push_deleted_does_not_come_back_by_a_login(store) {
        let site = SamlSite::start(store, &[]).await;
        let push = Push::to(&site, "acme");
        let id = push.person("alice", "e-1").await;
        assert_eq!(push.send("DELETE", &format!("/Users/{id}"), json!({})).await.status, 204);
        assert_eq!(site.browser().log_in(|login| login).await.status, 403);
        assert_eq!(site.reasons().await, ["deprovisioned"]);
    }

    async fn a_login_joins_whom_another_connection_brought_by_the_object_id(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let push = Push::to(&site, "scim");
        let id = push.person("alice@example.com", "o-1").await;
        let options = ["join=scim", "join_on=external_id", &format!("user_id_attribute={OBJECT_ID}")];
        site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &options);
        let mut browser = site.browser();
        let answer = with_object_id(&mut browser, "o-1").await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!(browser.session().await.json()["user_id"], "scim|scim|o-1", "the profile is the one that was there");
        let linked = site.rows("SELECT kind FROM log WHERE kind = 'identity.linked'").await;
        assert_eq!(linked.len(), 1);
        push.set_active(&id, false).await;
        assert_eq!(browser.session().await.status, 401, "a block of either side counts");
        assert_eq!(with_object_id(&mut site.browser(), "o-1").await.status, 403);
        assert_eq!(with_object_id(&mut site.browser(), "o-2").await.status, 303, "somebody else is somebody else");
    }

    async fn whom_a_real_active_directory_brought_logs_in_as_the_same_person_by_the_guid_that_ad_fs_sends(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let (samba, ou) = (domain_controller(), Ou::new());
        samba.modify(&["ann", "bob"].map(|name| ou.person(name)).concat());
        std::fs::write(site.gateway.folder().join("bind-password"), PASSWORD).expect("written");
        let (url, ca) = (format!("url={}", samba.ldaps()), format!("ca_file={}", samba.ca().display()));
        let (bind, base) = (format!("bind_dn={SYNC}"), format!("user_base={}", ou.dn));
        let mut line = vec!["connection", "create", "corp", "--kind", "ldap", "--secret", "bind_password=file:bind-password"];
        ["server=ad", "delta=off", &url, &ca, &bind, &base].iter().for_each(|option| line.extend(["--set", option]));
        site.gateway.cli(&line);
        site.gateway.cli(&["sync", "corp", "--full"]);
        let options = ["join=corp", "join_on=external_id", &format!("user_id_attribute={OBJECT_GUID}")];
        site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &options);
        let check = String::from_utf8_lossy(&site.gateway.run(&["connection", "check", "acme"]).stdout).into_owned();
        assert!(check.contains("set user_id_format=guid, or they will not join"), "{check}");
        site.gateway.cli(&["connection", "update", "acme", "--set", "user_id_format=guid"]);
        let check = String::from_utf8_lossy(&site.gateway.run(&["connection", "check", "acme"]).stdout).into_owned();
        assert!(check.contains("ok       joining"), "{check}");
        // The bytes as the directory hands them out: base64, in LDIF and in AD FS's claim alike.
        let entry = samba.search(&ou.dn, &format!("(sAMAccountName={})", ou.login("ann")), &["objectGUID"]);
        let (_, sent) = entry.split_once("objectGUID:: ").expect("a GUID");
        let sent = sent.lines().next().expect("a value").to_owned();
        let log_in = async |browser: &mut Browser<'_>| {
            let attribute = mint::attribute(OBJECT_GUID, &[&sent]);
            let first = format!("<saml:AttributeStatement>{attribute}");
            browser.log_in(|login| login.with("<saml:AttributeStatement>", &first)).await
        };
        let mut browser = site.browser();
        let answer = log_in(&mut browser).await;
        assert_eq!(answer.status, 303, "{} {:?}", answer.text, site.refusals().await);
        let profile = browser.session().await.json();
        assert_eq!(profile["username"], ou.login("ann"), "{profile}");
        assert!(profile["user_id"].as_str().expect("an id").starts_with("ldap|corp|"), "{profile}");
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 2, "nobody is there twice");
        // And who is switched off there is signed out here, by the run that sees it.
        samba.modify(&replace(&ou.dn_of("ann"), "userAccountControl", "514"));
        site.gateway.cli(&["sync", "corp", "--full"]);
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(log_in(&mut site.browser()).await.status, 403);
        let by_name = site.browser().log_in(|login| login.with("<saml:AttributeStatement>", &format!("<saml:AttributeStatement>{}", mint::attribute(OBJECT_GUID, &["ann"])))).await;
        assert_eq!(by_name.status, 403);
        assert_eq!(site.reasons().await, ["blocked", "saml_user_id_not_a_guid"]);
    }

    async fn attack_an_address_in_an_assertion_takes_over_whoever_has_it(store) {
        let site = SamlSite::start(store, &[]).await;
        let push = Push::to(&site, "scim");
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "admin", "externalId": "root",
            "emails": [{ "value": "alice@example.com", "type": "work", "primary": true }],
        });
        assert_eq!(push.send("POST", "/Users", body).await.status, 201);
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        assert_eq!(browser.session().await.json()["user_id"], "samlp|acme|alice", "matching by e-mail is off");
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 2);
    }

    async fn an_address_joins_only_where_the_connections_own_mapping_vouches_for_it(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        site.gateway.cli(&["organization", "create", "acme", "--domain", "example.com"]);
        site.gateway.cli(&["connection", "create", "hr", "--kind", "scim", "--set", "organization=acme"]);
        let push = Push::to(&site, "hr");
        for name in ["alice", "bob"] {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{name}.hr"), "externalId": name,
                "emails": [{ "value": format!("{name}@example.com"), "type": "work", "primary": true }],
            });
            assert_eq!(push.send("POST", "/Users", body).await.status, 201);
        }
        let own = "mapping acme from saml to profile\nuse \"simplesamlphp.mapping\"\n\
            override email_verified = new.email like \"*@example.com\"\n";
        std::fs::write(site.gateway.folder().join("mappings/acme.mapping"), own).expect("written");
        let options = ["organization=acme", "join=hr", "join_on=email"];
        site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &options);
        let mapped_by = async |name: &str| {
            site.gateway.cli(&["connection", "update", "acme", "--set", &format!("mapping={name}")]);
            tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        };
        mapped_by("simplesamlphp").await;
        let log_in = async |browser: &mut Browser<'_>, name: &str, address: &str| {
            browser.log_in(|login| login.with(">alice<", &format!(">{name}<")).with("alice@example.com", address)).await
        };
        let mut browser = site.browser();
        assert_eq!(log_in(&mut browser, "alice", "alice@example.com").await.status, 303);
        let profile = browser.session().await.json();
        assert_eq!((&profile["user_id"], &profile["email_verified"]), (&json!("samlp|acme|alice"), &json!(false)), "somebody new");
        mapped_by("acme").await;
        let mut browser = site.browser();
        assert_eq!(log_in(&mut browser, "bob", "bob@example.com").await.status, 303);
        assert_eq!(browser.session().await.json()["username"], "bob.hr", "the one who was pushed");
        // The organization has proven nothing about other domains, whatever a mapping says of them.
        let mut browser = site.browser();
        assert_eq!(log_in(&mut browser, "carol", "bob@elsewhere.example").await.status, 303);
        let profile = browser.session().await.json();
        assert_eq!((&profile["user_id"], &profile["email_verified"]), (&json!("samlp|acme|carol"), &json!(false)));
    }

    async fn an_attribute_that_names_people_has_to_be_there_once(store) {
        let site = SamlSite::start(store, &["user_id_attribute=employeeNumber"]).await;
        let numbered = |values: &[&str]| {
            let attribute = mint::attribute("employeeNumber", values);
            move |login: minted::Login| login.with("<saml:AttributeStatement>", &format!("<saml:AttributeStatement>{attribute}"))
        };
        assert_eq!(site.browser().log_in(|login| login).await.status, 403);
        assert_eq!(site.browser().log_in(numbered(&["7", "8"])).await.status, 403);
        assert_eq!(site.browser().log_in(numbered(&["7"])).await.status, 303);
        assert_eq!(site.reasons().await, ["saml_user_id_attribute_missing", "saml_user_id_attribute_several"]);
        let ids = site.rows("SELECT user_id FROM users").await;
        assert_eq!(ids[0]["user_id"], "samlp|acme|7");
    }
}
