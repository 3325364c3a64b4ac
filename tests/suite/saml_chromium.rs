//! A login by a real browser, on both stores: our page that posts a request, the password, the identity provider's page that
//! posts the answer from its own site, and the session. What a browser forbids (cookies of another site's form, scripts without
//! the nonce, forms to elsewhere) would show here and nowhere else.

use crate::support::caller::on_both_gateways;
use crate::support::chromium::Chromium;
use crate::support::federation::{Federation, fetched};
use crate::support::simplesamlphp::SimpleSamlPhp;
use serde_json::Value;

on_both_gateways! {
    async fn a_person_signs_in_with_chromium_and_out_again(store) {
        let site = Federation::start_in_the_open(store).await;
        let idp = SimpleSamlPhp::start();
        let options = ["request_binding=post", "sign_requests=true"];
        site.connect("acme", "simplesamlphp", &fetched(&idp.metadata_url()).await, &options);
        idp.trust("acme", &site.metadata_of("acme").await);
        idp.set(serde_json::json!({"validate.authnrequest": true}));
        let browser = Chromium::start().await;
        browser.open(&site.login("acme")).await;
        browser.type_into("input[name=username]", "alice").await;
        browser.type_into("input[name=password]", "alicepw").await;
        browser.screenshot(&format!("{store:?}-password")).await;
        browser.click("button[type=submit], input[type=submit], #submit_button").await;
        let session = format!("{}/session", site.public_url);
        browser.wait_until_at(&session).await;
        let profile: Value = serde_json::from_str(&browser.text().await).expect("JSON");
        assert_eq!((&profile["user_id"], &profile["name"]), (&"samlp|acme|alice@example.org".into(), &"Alice Liddell".into()));
        let kept = browser.screenshot(&format!("{store:?}-signed-in")).await;
        assert!(std::fs::metadata(kept).expect("a picture").len() > 1_000);
        let cookies = browser.cookies().await;
        let cookie = cookies.iter().find(|cookie| cookie["name"] == "rosterd_session").expect("a session");
        assert_eq!(cookie["httpOnly"], true, "{cookie}");
        let waiting = cookies.iter().filter(|cookie| cookie["name"].as_str().is_some_and(|name| name.starts_with("rosterd_saml")));
        assert_eq!(waiting.count(), 0, "nothing is waited for any more: {cookies:?}");

        browser.open(&format!("{}/saml/acme/slo", site.public_url)).await;
        browser.click("button").await;
        browser.wait_for_text("You are signed out.").await;
        browser.open(&session).await;
        assert!(browser.text().await.contains("login_required"), "{}", browser.text().await);
        browser.open(&site.login("acme")).await;
        browser.type_into("input[name=password]", "there is a password to be typed again").await;
    }
}
