//! The guides of docs/guides, on both stores: what each has somebody type, with metadata in the shape in which the product publishes
//! it, until the check passes; then a login with the message that the product sends (`fixtures/saml`), to the profile.

use crate::saml_products::Guided;
use crate::support::caller::on_both_gateways;
use crate::support::minted::Whom;
use crate::support::saml_site::{SamlSite, sent_xml};
use jiff::Timestamp;
use rosterd::clock::Clock;
use serde_json::{Value, json};

/// A product, what its guide calls the connection, and where people are sent to sign in.
const GUIDES: [(&str, &str, &str); 5] = [
    ("entra", "acme-entra", "https://login.microsoftonline.com/"),
    ("okta", "acme-okta", "https://acme.okta.example/"),
    ("google", "acme-google", "https://accounts.google.com/"),
    ("adfs", "acme-adfs", "https://adfs.corp.example/"),
    ("keycloak", "acme-kc", "https://sso.corp.example/"),
];

on_both_gateways! {
    async fn each_guide_leads_to_a_login(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        for (product, name, sign_on) in GUIDES {
            let guided = Guided::of(product);
            let mut line = vec!["connection", "create", name, "--kind", "samlp", "--mapping", &guided.mapping];
            let id = guided.user_id_attribute.as_ref().map(|attribute| format!("user_id_attribute={attribute}"));
            id.iter().for_each(|id| line.extend(["--set", id]));
            site.gateway.cli(&line);
            let check = || site.gateway.run(&["connection", "check", name, "--json"]);
            assert_eq!(check().status.code(), Some(1), "{product}: its metadata is missing so far");
            let file = site.gateway.folder().join(format!("{name}.xml"));
            std::fs::write(&file, &guided.metadata).expect("written");
            site.gateway.cli(&["connection", "metadata", name, "--set", &file.display().to_string()]);
            let report: Value = serde_json::from_slice(&check().stdout).expect("JSON");
            assert_eq!(report["passed"], json!(true), "{product}: {report:#}");
            let known: Value = serde_json::from_str(&site.gateway.cli(&["connection", "metadata", name, "--json"])).expect("JSON");
            assert_eq!((&known["entity_id"], &known["usable"]), (&json!(guided.entity_id), &json!(true)), "{product}");
            assert_eq!(known["certificates"].as_array().map(Vec::len), Some(1), "{product}: the one that signs, once");

            let mut browser = site.browser();
            let begun = browser.send("GET", &format!("/login/{name}"), None).await;
            let location = begun.header("location").unwrap_or_else(|| panic!("{product}: {}", begun.text));
            assert!(location.starts_with(sign_on), "{product}: {location}");
            assert_eq!(location.contains("&Signature="), product == "keycloak", "signed where the metadata wants it");
            let base = site.gateway.base_url();
            let us = Whom {
                acs: format!("{base}/saml/{name}/acs"),
                entity_id: format!("{base}/saml/{name}/metadata"),
                request: Some(sent_xml(location).attribute("ID")),
            };
            let now = Timestamp::from_microsecond(Clock::system().now()).expect("a time");
            let answer = browser.hand_over_at(&format!("/saml/{name}/acs"), &guided.answer(&us, now)).await;
            assert_eq!(answer.status, 303, "{product}: {} {:?}", answer.text, site.refusals().await);
            let profile = browser.session().await.json();
            for (target, value) in guided.expected.as_object().expect("targets") {
                // The last part of an id, and what is not its owner's to see.
                if target == "user_id" || target.starts_with("app_metadata") {
                    continue;
                }
                let (mut shown, mut wanted) = (profile[target].clone(), value.clone());
                for list in [&mut shown, &mut wanted].into_iter().filter_map(Value::as_array_mut) {
                    list.sort_by_key(Value::to_string);
                }
                assert_eq!(shown, wanted, "{product}: {target} of {profile:#}");
            }
        }
    }
}
