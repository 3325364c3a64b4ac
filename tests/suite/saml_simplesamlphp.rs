//! Logins through a real SimpleSAMLphp on both stores, by a browser that follows redirects and scripts: what they make of people,
//! however it signs and encrypts, who is kept out, a certificate that changes in the middle of use, and signing out.

use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::support::federation::{Federation, PUBLIC_URL, fetched};
use crate::support::gateway::{Gateway, Store};
use crate::support::page::{Form, Page};
use crate::support::simplesamlphp::{PERSISTENT, SimpleSamlPhp, TRANSIENT, alice};
use serde_json::{Value, json};
use std::ops::Deref;

/// A gateway and a SimpleSAMLphp that know each other as `acme`.
struct Site {
    federation: Federation,
    idp: SimpleSamlPhp,
}

impl Deref for Site {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.federation
    }
}

impl Site {
    async fn start(store: Store, options: &[&str]) -> Self {
        Self::start_with(store, json!({}), options).await
    }

    /// With settings of the identity provider that its metadata may tell of.
    async fn start_with(store: Store, settings: Value, options: &[&str]) -> Self {
        let site = Self { federation: Federation::start(store).await, idp: SimpleSamlPhp::start() };
        site.idp.set(settings);
        site.connect("acme", "simplesamlphp", &fetched(&site.idp.metadata_url()).await, options);
        site.introduce().await;
        site
    }

    /// Hands our metadata over to the identity provider.
    async fn introduce(&self) {
        self.idp.trust("acme", &self.metadata_of("acme").await);
    }

    /// Goes to the page for user name and password.
    async fn begin(&self) -> Browser {
        let mut browser = self.browser();
        browser.open(&self.login("acme")).await;
        browser
    }

    /// A login with a new browser, to wherever it ends.
    async fn log_in(&self, name: &str) -> Browser {
        let mut browser = self.begin().await;
        browser.sign_in(name, &format!("{name}pw")).await;
        browser
    }

    /// A login with a new browser, up to the answer.
    async fn answer_for(&self, name: &str) -> (Browser, Form) {
        let mut browser = self.begin().await;
        let answer = browser.sign_in_until_answer(name, &format!("{name}pw")).await;
        (browser, answer)
    }
}

/// What an administrator changed is in force everywhere within two seconds.
async fn settled() {
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
}

/// Nobody is let in, and reads a plain page that says nothing of the message.
fn is_plain_refusal(page: &Page, code: &str) {
    assert_eq!(page.status, 403, "{page:?}");
    assert!(page.is_html() && page.text.contains(code), "{page:?}");
    assert!(!page.text.contains("alice") && !page.text.contains("saml:") && page.forms().is_empty(), "{page:?}");
}

on_both_gateways! {
    async fn a_first_login_makes_the_person_with_a_reason_for_every_value(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/session"));
        let profile = site.profile(&mut browser).await;
        assert_eq!(profile["user_id"], "samlp|acme|alice@example.org");
        for (name, value) in [
            ("username", json!("alice")), ("email", json!("alice@example.org")), ("given_name", json!("Alice")),
            ("family_name", json!("Liddell")), ("name", json!("Alice Liddell")), ("groups", json!(["readers & writers", "staff"])),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        assert_eq!(profile["session"]["connection"], "acme", "{profile}");
        let shown = site.gateway.cli(&["users", "show", "samlp|acme|alice@example.org"]);
        assert!(shown.contains("Alice Liddell") && shown.contains("acme"), "{shown}");
        let why = site.gateway.cli(&["users", "why", "samlp|acme|alice@example.org", "family_name"]);
        assert!(why.contains("simplesamlphp") && why.contains("Liddell") && why.contains("acme"), "{why}");
        assert!(browser.cookies.value("id.example.test", "__Host-rosterd_session").is_some());
    }

    async fn the_next_login_brings_what_changed_meanwhile(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.log_in("alice").await;
        let before = site.profile(&mut browser).await;
        let mut changed = alice();
        changed["sn"] = json!(["Hargreaves"]);
        changed["displayName"] = json!(["Alice Hargreaves"]);
        changed["groups"] = json!(["emeriti"]);
        site.idp.person("alice", changed);
        let mut browser = site.log_in("alice").await;
        let after = site.profile(&mut browser).await;
        assert_eq!(after["user_id"], before["user_id"]);
        assert_eq!((&after["family_name"], &after["groups"]), (&json!("Hargreaves"), &json!(["emeriti"])), "{after}");
        assert_eq!(after["logins_count"], 2, "{after}");
    }

    async fn letters_of_other_scripts_and_marks_of_html_arrive_as_they_were_sent(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.log_in("bob").await;
        let profile = site.profile(&mut browser).await;
        assert_eq!((&profile["family_name"], &profile["name"]), (&json!("Ørsted"), &json!("Bob \"the Builder\" Ørsted")));
    }

    async fn a_login_ends_where_it_was_to_end(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.browser();
        browser.open(&format!("{}?return_to=/session?from=app", site.login("acme"))).await;
        let page = browser.sign_in("alice", "alicepw").await;
        assert_eq!((page.url.as_str(), page.status), (format!("{PUBLIC_URL}/session?from=app").as_str(), 200));
    }

    async fn a_wrong_password_gets_nobody_in_and_the_right_one_after_it_does(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.begin().await;
        let page = browser.sign_in("alice", "wrong").await;
        assert!(page.url.as_str().starts_with(&site.idp.base), "{}", page.url);
        assert_eq!(site.session(&mut browser).await.status, 401);
        browser.sign_in("alice", "alicepw").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
    }

    async fn however_it_signs_and_encrypts_it_is_let_in(store) {
        let site = Site::start(store, &["allow_cbc=true"]).await;
        for (response, assertion) in [(false, true), (true, false), (true, true)] {
            for encrypted in [false, true] {
                site.idp.set(json!({
                    "saml20.sign.response": response, "saml20.sign.assertion": assertion, "assertion.encryption": encrypted,
                    // Heeded only with a secret that both sides share: for a key out of our metadata it has one cipher alone, whatever
                    // it is told (SAML2\EncryptedAssertion::setAssertion). pysaml2 and samlp encrypt by GCM.
                    "sharedkey_algorithm": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
                }));
                let (mut browser, answer) = site.answer_for("alice").await;
                assert_eq!(encrypted_with(&answer).as_deref(), encrypted.then_some("http://www.w3.org/2001/04/xmlenc#aes128-cbc"));
                browser.submit(&answer).await;
                assert_eq!(site.profile(&mut browser).await["family_name"], "Liddell", "{response} {assertion} {encrypted}");
            }
        }
    }

    async fn what_it_encrypts_is_refused_unless_the_connection_takes_its_cipher(store) {
        let site = Site::start_with(store, json!({"assertion.encryption": true}), &["encrypt_assertions=true"]).await;
        is_plain_refusal(site.log_in("alice").await.page(), "saml_encryption_algorithm");
        site.set("acme", &["allow_cbc=true"]);
        settled().await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
        assert_eq!(site.reasons().await, ["saml_encryption_algorithm"]);
    }

    async fn an_answer_that_nobody_signed_gets_nobody_in(store) {
        let site = Site::start_with(store, json!({"saml20.sign.assertion": false}), &["allow_cbc=true"]).await;
        is_plain_refusal(site.log_in("alice").await.page(), "saml_unsigned");
        site.idp.set(json!({"assertion.encryption": true}));
        is_plain_refusal(site.log_in("alice").await.page(), "saml_decryption_failed");
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 0);
    }

    async fn our_signed_requests_are_taken_both_ways_where_it_takes_no_others(store) {
        let site = Site::start_with(store, json!({"validate.authnrequest": true}), &[]).await;
        for binding in ["redirect", "post"] {
            site.set("acme", &[&format!("request_binding={binding}")]);
            settled().await;
            let mut browser = site.log_in("alice").await;
            assert_eq!(site.profile(&mut browser).await["username"], "alice", "{binding}");
        }
        site.set("acme", &["sign_requests=false", "request_binding=redirect"]);
        settled().await;
        let browser = site.begin().await;
        assert!(browser.page().text.contains("no signature found on message"), "{:?}", browser.page());
    }

    async fn a_login_that_begins_at_the_identity_provider_is_taken_only_where_that_is_switched_on(store) {
        let site = Site::start(store, &["idp_initiated_target=/session?landed"]).await;
        let begin = async || {
            let mut browser = site.browser();
            browser.open(&site.idp.unsolicited(&site.entity_id("acme"))).await;
            browser.sign_in("alice", "alicepw").await;
            browser
        };
        is_plain_refusal(begin().await.page(), "saml_idp_initiated_off");
        site.set("acme", &["idp_initiated=true"]);
        settled().await;
        let mut browser = begin().await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/session?landed"));
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
    }

    async fn somebody_who_is_signed_in_there_is_asked_again_only_where_the_connection_wants_it(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.log_in("alice").await;
        browser.cookies.forget("id.example.test");
        browser.open(&site.login("acme")).await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/session"), "nobody typed a password");
        site.set("acme", &["force_authn=true"]);
        settled().await;
        browser.cookies.forget("id.example.test");
        let page = browser.open(&site.login("acme")).await;
        assert!(page.url.as_str().starts_with(&site.idp.base), "{}", page.url);
        browser.sign_in("alice", "alicepw").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
    }

    async fn a_name_that_is_another_one_tomorrow_makes_nobody_unless_an_attribute_names_the_person(store) {
        let site = Site::start_with(store, json!({"NameIDFormat": TRANSIENT, "simplesaml.nameidattribute": null}), &[]).await;
        let browser = site.log_in("alice").await;
        assert_eq!(browser.page().status, 403, "{:?}", browser.page());
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 0);
        site.set("acme", &["user_id_attribute=uid"]);
        settled().await;
        for count in 1..=2 {
            let mut browser = site.log_in("alice").await;
            let profile = site.profile(&mut browser).await;
            assert_eq!((&profile["user_id"], &profile["logins_count"]), (&json!("samlp|acme|alice"), &json!(count)));
        }
    }

    async fn a_persistent_name_is_a_persons_for_good(store) {
        let settings = json!({"NameIDFormat": PERSISTENT, "simplesaml.nameidattribute": "uid"});
        let site = Site::start_with(store, settings, &[]).await;
        site.log_in("alice").await;
        let mut married = alice();
        married["mail"] = json!(["a.hargreaves@example.org"]);
        site.idp.person("alice", married);
        let mut browser = site.log_in("alice").await;
        let profile = site.profile(&mut browser).await;
        assert_eq!((&profile["user_id"], &profile["email"]), (&json!("samlp|acme|alice"), &json!("a.hargreaves@example.org")));
    }
}

on_both_gateways! {
    async fn a_certificate_that_changes_without_a_word_stops_nobody(store) {
        let federation = Federation::start(store).await;
        let idp = SimpleSamlPhp::start();
        federation.connect_by_url("acme", "simplesamlphp", &idp.metadata_url(), &[]);
        let site = Site { federation, idp };
        site.introduce().await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["logins_count"], 1);
        site.idp.roll_over();
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["logins_count"], 2);
        assert_eq!(site.reasons().await, Vec::<String>::new(), "nobody had to try twice");
    }

    async fn a_certificate_that_was_announced_is_taken_when_it_comes(store) {
        let federation = Federation::start(store).await;
        let idp = SimpleSamlPhp::start();
        idp.announce_roll_over();
        federation.connect_by_url("acme", "simplesamlphp", &idp.metadata_url(), &[]);
        let site = Site { federation, idp };
        site.introduce().await;
        site.log_in("alice").await;
        site.idp.finish_roll_over();
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["logins_count"], 2);
    }

    async fn a_certificate_in_place_of_all_others_waits_for_the_administrator(store) {
        let federation = Federation::start(store).await;
        let idp = SimpleSamlPhp::start();
        federation.connect_by_url("acme", "simplesamlphp", &idp.metadata_url(), &[]);
        let site = Site { federation, idp };
        site.introduce().await;
        site.log_in("alice").await;
        site.idp.replace_certificate();
        is_plain_refusal(site.log_in("alice").await.page(), "saml_signature_invalid");
        let told = site.rows("SELECT detail FROM log WHERE kind = 'login' AND outcome = 'refused'").await;
        let told = told[0]["detail"].as_str().expect("a detail");
        assert!(told.contains("newer metadata waits for your word: rosterd connection metadata acme"), "{told}");
        let printed = site.gateway.cli(&["connection", "metadata", "acme", "--json"]);
        let waits: Value = serde_json::from_str(&printed).expect("JSON");
        let shown = waits["waiting"]["sha256"].as_str().expect("what waits").to_owned();
        site.gateway.cli(&["connection", "metadata", "acme", "--approve", &shown]);
        settled().await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["logins_count"], 2);
    }

    async fn a_file_of_metadata_that_is_replaced_is_taken_at_once_on_the_administrators_word(store) {
        let site = Site::start(store, &[]).await;
        site.idp.roll_over();
        is_plain_refusal(site.log_in("alice").await.page(), "saml_signature_invalid");
        let metadata = fetched(&site.idp.metadata_url()).await;
        std::fs::write(site.gateway.folder().join("acme.xml"), metadata).expect("written");
        site.gateway.cli(&["connection", "metadata", "acme", "--refresh"]);
        settled().await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
    }
}

on_both_gateways! {
    async fn whoever_signs_out_here_is_signed_out_there(store) {
        let site = Site::start(store, &[]).await;
        let mut browser = site.log_in("alice").await;
        let page = browser.open(&format!("{PUBLIC_URL}/saml/acme/slo?return_to=/bye")).await;
        let form = page.forms().into_iter().next().expect("a button");
        browser.submit(&form).await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/bye"), "{}", browser.told());
        assert_eq!(site.session(&mut browser).await.status, 401);
        let page = browser.open(&site.login("acme")).await;
        assert!(page.url.as_str().starts_with(&site.idp.base), "it asks for the password again: {}", page.url);
    }

    async fn whoever_signs_out_there_is_signed_out_here(store) {
        let site = Site::start(store, &[]).await;
        let (mut alice, mut bob) = (site.log_in("alice").await, site.log_in("bob").await);
        let bye = format!("{PUBLIC_URL}/session?bye");
        alice.open(&site.idp.sign_out(&bye)).await;
        assert_eq!(alice.page().url.as_str(), bye, "{}", alice.told());
        assert_eq!(site.session(&mut alice).await.status, 401);
        assert_eq!(site.profile(&mut bob).await["username"], "bob", "another person's session stays");
        let logged = site.rows("SELECT id FROM log WHERE kind = 'logout'").await;
        assert_eq!(logged.len(), 1);
    }

    async fn the_session_that_a_sign_out_there_names_ends_and_the_same_persons_other_one_stays(store) {
        let site = Site::start(store, &[]).await;
        let (mut at_work, mut at_home) = (site.log_in("alice").await, site.log_in("alice").await);
        at_work.open(&site.idp.sign_out(&format!("{PUBLIC_URL}/session"))).await;
        assert_eq!(site.session(&mut at_work).await.status, 401);
        assert_eq!(site.profile(&mut at_home).await["username"], "alice");
    }
}

on_both_gateways! {
    async fn nobody_new_is_let_in_where_logins_make_nobody(store) {
        let site = Site::start(store, &["create_on_login=false"]).await;
        is_plain_refusal(site.log_in("alice").await.page(), "access_denied");
        assert_eq!(site.reasons().await, ["no_jit"]);
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 0);
    }

    async fn somebody_whom_the_directory_calls_gone_is_refused_and_let_in_again_when_back(store) {
        let site = Site::start(store, &[]).await;
        let folder = site.gateway.folder().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = "mapping strict from saml to profile\nusername = $uid\nemail = $mail\nblocked = $employment == \"gone\"\n";
        std::fs::write(folder.join("strict.mapping"), text).expect("written");
        site.set("acme", &["mapping=strict"]);
        settled().await;
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
        let mut gone = alice();
        gone["employment"] = json!(["gone"]);
        site.idp.person("alice", gone);
        is_plain_refusal(site.log_in("alice").await.page(), "access_denied");
        site.idp.person("alice", alice());
        let mut browser = site.log_in("alice").await;
        assert_eq!(site.profile(&mut browser).await["username"], "alice");
        assert_eq!(site.reasons().await, ["blocked_at_source"]);
    }

    async fn somebody_whom_the_same_customer_pushes_is_one_person_and_refused_once_deprovisioned(store) {
        let site = Site::start(store, &["create_on_login=false"]).await;
        let printed = site.gateway.cli(&["token", "create", "--connection", "acme", "--json"]);
        let token: Value = serde_json::from_str(&printed).expect("JSON");
        let headers = vec![
            (String::from("authorization"), format!("Bearer {}", token["token"].as_str().expect("a token"))),
            (String::from("content-type"), String::from("application/scim+json")),
        ];
        let pushed = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "alice@example.org", "active": true,
            "name": {"givenName": "Alice", "familyName": "Pleasance"},
        });
        let made = site.gateway.request("POST", "acme", "/Users", &headers, Some(pushed.to_string())).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let mut browser = site.log_in("alice").await;
        let profile = site.profile(&mut browser).await;
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 1, "{profile}");
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": false}],
        });
        let gone = site.gateway.request("PATCH", "acme", &format!("/Users/{id}"), &headers, Some(patch.to_string())).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        assert_eq!(site.session(&mut browser).await.status, 401, "what was open is over");
        is_plain_refusal(site.log_in("alice").await.page(), "access_denied");
    }
}

on_both_gateways! {
    async fn attack_an_answer_is_replayed_in_its_browser_in_another_and_at_another_replica(store) {
        let site = Site::start(store, &["idp_initiated=true"]).await;
        let (mut browser, answer) = site.answer_for("alice").await;
        // Another browser asked for nothing that this answers, whether it comes first or later.
        let mut other = site.browser();
        is_plain_refusal(other.submit(&answer).await, "saml_unknown_request");
        let page = browser.submit(&answer).await;
        assert_eq!(page.status, 200, "{page:?}");
        let replica = Gateway::beside(&site.gateway);
        browser.route(PUBLIC_URL, replica.base_url());
        assert_eq!(browser.submit(&answer).await.status, 403);
        // One that nobody asked for fits any browser, once.
        let mut browser = site.browser();
        browser.open(&site.idp.unsolicited(&site.entity_id("acme"))).await;
        let answer = browser.sign_in_until_answer("alice", "alicepw").await;
        assert_eq!(browser.submit(&answer).await.status, 200);
        let mut other = site.browser();
        other.route(PUBLIC_URL, replica.base_url());
        is_plain_refusal(other.submit(&answer).await, "saml_replayed");
        assert_eq!(site.session(&mut other).await.status, 401);
    }

    async fn attack_an_answer_is_posted_where_another_connection_takes_answers(store) {
        let site = Site::start(store, &[]).await;
        let metadata = fetched(&site.idp.metadata_url()).await;
        // Both believe the same identity provider, and globex calls itself what acme is called.
        let copied = format!("sp_entity_id={}", site.entity_id("acme"));
        site.connect("globex", "simplesamlphp", &metadata, &["idp_initiated=true", &copied]);
        let (mut browser, answer) = site.answer_for("alice").await;
        let moved = Form { action: site.acs("globex").parse().expect("a URL"), ..answer.clone() };
        is_plain_refusal(browser.submit(&moved).await, "saml_destination_mismatch");
        assert_eq!(site.session(&mut browser).await.status, 401);
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 0);
        assert_eq!(browser.submit(&answer).await.status, 200, "and it was good where it belongs");
    }

    async fn attack_an_answer_is_posted_where_another_tenant_takes_answers(store) {
        let site = Site::start(store, &[]).await;
        site.gateway.cli(&["tenant", "create", "globex", "--host", "globex.example.test"]);
        site.gateway.cli(&["mapping", "publish", "simplesamlphp", "--tenant", "globex"]);
        let file = format!("metadata_file={}", site.gateway.folder().join("acme.xml").display());
        let copied = format!("sp_entity_id={}", site.entity_id("acme"));
        let made = site.gateway.cli(&[
            "connection", "create", "acme", "--tenant", "globex", "--kind", "samlp", "--mapping", "simplesamlphp", "--json",
            "--set", &file, "--set", &copied, "--set", "idp_initiated=true",
        ]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let path = format!("/saml/{}/acs", made["id"].as_str().expect("an id"));
        let (mut browser, answer) = site.answer_for("alice").await;
        browser.route("https://globex.example.test", site.gateway.base_url());
        for (host, code) in [("https://globex.example.test", "saml_destination_mismatch"), (PUBLIC_URL, "inexistent_connection")] {
            let moved = Form { action: format!("{host}{path}").parse().expect("a URL"), ..answer.clone() };
            let page = browser.submit(&moved).await.clone();
            assert!(matches!(page.status, 403 | 404) && page.text.contains(code), "{host}: {page:?}");
        }
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 0);
        assert_eq!(browser.submit(&answer).await.status, 200, "and it was good where it belongs");
    }

    async fn attack_an_answer_is_changed_on_its_way(store) {
        let site = Site::start(store, &[]).await;
        let (mut browser, answer) = site.answer_for("alice").await;
        let xml = decoded(&answer);
        assert!(xml.contains(">alice@example.org<"));
        let changed = answer.with("SAMLResponse", &encoded(&xml.replace("alice", "bobby")));
        is_plain_refusal(browser.submit(&changed).await, "saml_signature_invalid");
        assert_eq!(site.session(&mut browser).await.status, 401);
        let printed = site.gateway.printed_with("/saml/{connection}/acs").await;
        assert!(!printed.contains("xmlSec"), "a library writes into our log: {printed}");
    }
}

fn decoded(answer: &Form) -> String {
    use base64::Engine;
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(answer.field("SAMLResponse").expect("a message")).expect("base64");
    String::from_utf8(bytes).expect("text")
}

fn encoded(xml: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(xml)
}

/// The cipher of an answer whose assertion is encrypted.
fn encrypted_with(answer: &Form) -> Option<String> {
    let xml = decoded(answer);
    let (_, data) = xml.split_once("EncryptedAssertion")?;
    let (_, method) = data.split_once("EncryptionMethod Algorithm=\"").expect("a cipher");
    method.split('"').next().map(str::to_owned)
}
