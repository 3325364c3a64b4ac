//! Every page that an application's people see, in a real Chromium, on a phone and on a desk, light and dark, on both stores: nothing in
//! the console, nothing that a policy forbade, and what people need who see little, use a keyboard, or have a thumb. Pictures are kept
//! under `target/test`; those of docs/guides/pictures are from here.

use crate::support::application::text;
use crate::support::caller::on_both_gateways;
use crate::support::chromium::Chromium;
use crate::support::federation::Federation;
use crate::support::gateway::Store;
use crate::support::minted;
use crate::support::saml_site::MAPPING;
use crate::support::slapd::{PASSWORD, Slapd};
use crate::support::web::{Web, answer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const LOOKS: [(&str, (u32, u32), &str); 4] = [
    ("phone", (390, 844), "light"),
    ("phone-dark", (390, 844), "dark"),
    ("desk", (1280, 800), "light"),
    ("desk-dark", (1280, 800), "dark"),
];

/// A gateway with a directory, a SAML connection and a customer with a domain, and an application that shows what it is told.
struct Site {
    federation: Federation,
    application: Web,
    client_id: String,
    browser: Chromium,
    store: Store,
    _slapd: Slapd,
}

impl Site {
    async fn start(store: Store) -> Self {
        let (slapd, federation) = (Slapd::start(3), Federation::start_in_the_open(store).await);
        let (gateway, folder) = (&federation.gateway, federation.gateway.folder());
        std::fs::create_dir_all(folder.join("mappings")).expect("a folder");
        std::fs::write(folder.join("mappings/minted.mapping"), MAPPING).expect("written");
        federation.connect_directory("staff", &slapd);
        gateway.cli(&["organization", "create", "globex", "--domain", "globex.example"]);
        let metadata = minted::metadata(&[minted::rsa()], "");
        federation.connect("partners", "minted", &metadata, &[]);
        federation.connect("globex", "minted", &metadata, &["organization=globex"]);
        let page = "<!doctype html><html lang=\"en\"><title>app</title><link rel=\"icon\" href=\"data:,\"><p>the application";
        let application = Web::plain(move |_| answer("200 OK", &["content-type: text/html"], page)).await;
        let at = |path: &str| format!("http://127.0.0.1:{}/{path}", application.port);
        let line = ["client", "create", "Shop", "--json", "--redirect-uri", &at("cb"), "--post-logout-redirect-uri", &at("bye")];
        let made: Value = serde_json::from_str(&gateway.cli(&line)).expect("JSON");
        let client_id = text(&made, "client_id").to_owned();
        Self { federation, application, client_id, browser: Chromium::start().await, store, _slapd: slapd }
    }

    fn request(&self, more: &[(&str, &str)]) -> String {
        let redirect_uri = format!("http://127.0.0.1:{}/cb", self.application.port);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("a verifier"));
        let all = [
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &redirect_uri),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).extend_pairs(more).finish();
        format!("{}/authorize?{query}", self.federation.public_url)
    }

    /// The page it shows is right in every look, and a picture of each is kept.
    async fn judge(&self, page: &str, status: u16) {
        for (look, size, scheme) in LOOKS {
            self.browser.look(size, scheme).await;
            let faults = self.browser.run(include_str!("support/judged.js")).await;
            assert_eq!(faults, json!([]), "{page}, {look}");
            let kept = self.browser.screenshot(&format!("{:?}-{page}-{look}", self.store)).await;
            let bytes = std::fs::metadata(kept).expect("a picture").len();
            assert!((1_500..60_000).contains(&bytes), "{page}, {look}: {bytes} bytes");
        }
        // A browser notes the status of a page itself that is an error, and looks for an icon.
        let complaints = self.browser.console().await;
        let is_known = |line: &String| {
            line.contains("favicon.ico")
                || (status >= 400 && line.contains(&format!("the server responded with a status of {status}")))
        };
        let complaints: Vec<&String> = complaints.iter().filter(|line| !is_known(line)).collect();
        assert!(complaints.is_empty(), "{page}: {complaints:?}");
    }
}

#[tokio::test]
async fn a_page_that_serves_nobody_is_found_out() {
    let browser = Chromium::start().await;
    let page = "<meta name=viewport content='width=device-width,initial-scale=1'><p style='color:#999;width:900px'>Hello<input><a href='#' style='outline:none'>on</a><script>nothing()</script>";
    browser.open(&format!("data:text/html;base64,{}", base64::engine::general_purpose::STANDARD.encode(page))).await;
    browser.look((390, 844), "light").await;
    let faults = browser.run(include_str!("support/judged.js")).await.to_string();
    for fault in [
        "no language",
        "no title",
        "not one heading",
        "no main part",
        "contrast",
        "no label",
        "thumb",
        "focus is",
        "wider than the window",
    ] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
    assert!(browser.console().await.iter().any(|line| line.contains("nothing is not defined")));
}

on_both_gateways! {
    async fn every_page_of_a_login_is_right_on_a_phone_and_on_a_desk_light_and_dark(store) {
        let site = Site::start(store).await;
        let (browser, base) = (&site.browser, site.federation.public_url.clone());

        // How do you sign in?
        browser.open(&site.request(&[])).await;
        browser.wait_for_text("Choose how you sign in to Shop.").await;
        site.judge("ways", 200).await;
        browser.type_into("input[name=login_hint]", "mia@nowhere.example").await;
        browser.click("form[method=get] button").await;
        browser.wait_for_text("Choose how you sign in to Shop.").await;
        assert!(!browser.text().await.contains("globex"), "a domain that nobody has proven");

        // The password of a directory: a wrong one, then the right one.
        browser.open(&site.request(&[("connection", "staff")])).await;
        browser.type_into("input[name=username]", "u000001").await;
        site.judge("password", 200).await;
        browser.type_into("input[name=password]", "not-the-password").await;
        browser.click("form[method=post] button").await;
        browser.wait_for_text("Sign-in did not work").await;
        site.judge("wrong-password", 401).await;
        browser.click("a.way").await;
        browser.type_into("input[name=username]", "u000001").await;
        browser.type_into("input[name=password]", PASSWORD).await;
        browser.click("form[method=post] button").await;
        browser.wait_for_text("the application").await;
        let at = url::Url::parse(&browser.url().await).expect("an address");
        assert!(at.query_pairs().any(|(name, value)| name == "code" && !value.is_empty()), "{at}");

        // By form: a page that posts itself, by the one script that its policy lets run.
        browser.open(&site.request(&[("response_mode", "form_post")])).await;
        browser.wait_for_text("the application").await;
        assert!(!browser.url().await.contains("code="), "it came in the body");
        assert_eq!(browser.console().await, Vec::<String>::new());

        // What an application may not ask for.
        browser.open(&site.request(&[]).replace("%2Fcb", "%2Felsewhere")).await;
        browser.wait_for_text("unregistered_redirect_uri").await;
        site.judge("refused", 400).await;

        // Out again.
        browser.open(&format!("{base}/oidc/logout")).await;
        browser.wait_for_text("Do you want to sign out?").await;
        site.judge("sign-out", 200).await;
        browser.click("button").await;
        browser.wait_for_text("You are signed out.").await;
        site.judge("signed-out", 200).await;
        browser.open(&format!("{base}/session")).await;
        assert!(browser.text().await.contains("login_required"), "{}", browser.text().await);
    }
}
