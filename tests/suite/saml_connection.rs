//! A SAML connection on the command line and in a running gateway: what it learns of its identity provider, what it says of it,
//! and what `connection check` says to change.

use crate::support::binary::{Answer, Sandbox};
use crate::support::idp_metadata::{IDP, Publisher, federation, keys, metadata};
use crate::support::stores::TestStore;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const OTHER: &str = "https://other.example.com";

/// `connection create acme --kind samlp` with more options.
fn create(sandbox: &Sandbox, options: &[&str]) -> Answer {
    let set: String = options.iter().map(|option| format!(" --set {option}")).collect();
    sandbox.run(&format!("connection create acme --kind samlp --json{set}"))
}

fn by_url(publisher: &Publisher) -> (Sandbox, Answer) {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = create(&sandbox, &[&format!("metadata_url={}", publisher.url()), "allow_plaintext=true"]);
    (sandbox, made)
}

fn check(sandbox: &Sandbox) -> Value {
    let answer = sandbox.run("connection check acme --json");
    let report: Value = serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    assert_eq!(answer.code == 0, report["passed"] == json!(true), "{answer:?}");
    report
}

/// Detail and advice of the findings of a step with that outcome.
fn found(report: &Value, step: &str, outcome: &str) -> String {
    let all = report["steps"].as_array().expect("steps").iter();
    let here = all.filter(|finding| finding["step"] == step && finding["outcome"] == outcome);
    here.map(|finding| format!("{} → {}\n", finding["detail"].as_str().unwrap(), finding["advice"].as_str().unwrap_or("")))
        .collect()
}

#[track_caller]
fn says(report: &Value, step: &str, outcome: &str, words: &[&str]) {
    let said = found(report, step, outcome);
    for word in words {
        assert!(said.contains(word), "{word:?} is not said by {step} ({outcome}): {said:?} in {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_reads_its_metadata_at_once_and_says_what_it_learned() {
    let publisher = Publisher::of(&metadata(IDP, &["one", "soon"])).await;
    let (sandbox, made) = by_url(&publisher);
    let learned = &made.json()["metadata"];
    assert_eq!((&learned["entity_id"], &learned["usable"], &learned["origin"]), (&json!(IDP), &json!(true), &json!("url")));
    assert_eq!(learned["certificates"].as_array().map(Vec::len), Some(2));
    assert_eq!(learned["sign_on"][0]["location"], "https://idp.example.com/sso");
    assert_eq!(learned["warnings"], json!([]), "the last certificate ends in ten years");

    let shown = sandbox.run("connection metadata acme");
    for word in [IDP, "redirect https://idp.example.com/sso", "CERTIFICATE (SHA-256)", "RSA", "listed", "next read"] {
        assert!(shown.out.contains(word), "{word}: {shown:?}");
    }
    let shown = sandbox.run("connection show acme");
    assert!(shown.out.contains(&format!("{IDP} from url http://127.0.0.1")), "{shown:?}");
    assert_eq!(sandbox.run("connection show acme --json").json()["metadata"]["entity_id"], IDP);
    assert!(sandbox.run("connection metadata scim").refusal().contains("only a SAML connection"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_metadata_can_not_be_read_is_one_all_the_same() {
    let publisher = Publisher::of("").await;
    let (sandbox, made) = by_url(&publisher);
    assert!(made.err.contains("is stored") && made.err.contains("500") && made.err.contains("tries again"), "{made:?}");
    let learned = &made.json()["metadata"];
    assert_eq!(
        (&learned["usable"], &learned["reason"], &learned["failures"]),
        (&json!(false), &json!("saml_no_metadata"), &json!(1))
    );
    publisher.publish(&metadata(IDP, &["one"]));
    let again = sandbox.run("connection metadata acme --refresh --json").json();
    assert_eq!((&again["usable"], &again["last_error"]), (&json!(true), &Value::Null));
}

#[test]
fn what_contradicts_itself_is_not_stored_and_private_addresses_are_not_called() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let both = create(&sandbox, &["metadata_url=https://idp.example.com/", "metadata_file=idp.xml"]);
    assert!(both.refusal().contains("both set"), "{both:?}");
    assert!(create(&sandbox, &["metadata_url=http://idp.example.com/"]).refusal().contains("http://"));
    assert!(create(&sandbox, &["decryption_cert_file=a.pem"]).refusal().contains("decryption_key_file"));
    let inside = create(&sandbox, &["metadata_url=https://10.9.8.7/metadata"]);
    assert!(inside.code == 0 && inside.err.contains("outbound.allow"), "{inside:?}");
    assert!(inside.err.contains("10.9.8.7 lies in a private network"), "named once: {inside:?}");
    let here = sandbox.run("connection update acme --set metadata_url=https://127.0.0.1:9443/ --json");
    assert!(here.code == 0 && here.err.contains("this machine") && here.err.contains("allow_plaintext"), "{here:?}");
    assert!(sandbox.run_with("config check", &[("ROSTERD__OUTBOUND__ALLOW", "10.0.0.0/33")]).code != 0);
}

#[test]
fn metadata_is_pasted_and_its_last_certificate_warned_of() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = create(&sandbox, &[]);
    assert!(made.code == 0 && made.err.contains("connection metadata acme --set"), "{made:?}");
    let pasted = sandbox.run_fed("connection metadata acme --set - --json", metadata(IDP, &["soon"]).as_bytes());
    let view = pasted.json();
    assert_eq!((&view["origin"], &view["usable"]), (&json!("paste"), &json!(true)));
    assert!(view["warnings"][0].as_str().unwrap().contains("the last certificate ends in 19 days"), "{view:#}");
    sandbox.write("two.xml", &metadata(OTHER, &["two"]));
    let other = sandbox.run("connection metadata acme --set two.xml --json").json();
    assert_eq!(
        (&other["entity_id"], other["certificates"].as_array().map(Vec::len)),
        (&json!(OTHER), Some(1)),
        "the word of who pastes"
    );
    let page = sandbox.run_fed("connection metadata acme --set -", b"<html><body>Sign in</body></html>");
    assert!(page.refusal().contains("web page") && page.err.contains("serves the XML"), "{page:?}");
    assert_eq!(sandbox.run("connection metadata acme --json").json()["entity_id"], OTHER);
    let word = format!("connection metadata acme --approve {}", "0".repeat(64));
    assert!(sandbox.run(&word).refusal().contains("waits"));
}

#[test]
fn a_new_connection_ends_with_what_to_enter_at_the_identity_provider() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let public = [("ROSTERD__SERVER__PUBLIC_URL", "https://id.example.com")];
    let made = sandbox.run_with("connection create acme --kind samlp", &public);
    made.succeeded();
    let told = made.out.split_once("At the identity provider:").expect("its own part").1;
    for word in ["ACS URL", "https://id.example.com/saml/acme/acs", "entity id", "https://id.example.com/saml/acme/metadata"] {
        assert!(told.contains(word), "{word}: {made:?}");
    }
    assert!(told.ends_with("next: rosterd connection check acme\n"), "{made:?}");
    let other = sandbox.run("connection create pushed --kind scim");
    assert!(other.code == 0 && !other.out.contains("identity provider:"), "{other:?}");
}

#[test]
fn nothing_is_said_of_a_scim_client_where_nobody_is_pushed_to() {
    let (sandbox, _) = Sandbox::bootstrapped();
    create(&sandbox, &[]).succeeded();
    let says = |line: &str, word: &str| sandbox.run(line).out.contains(word);
    assert!(!says("connection show acme", "\nsource") && !says("connection show acme --json", "\"source\""));
    assert!(!says("connection traffic acme", "nothing recorded yet"));
    sandbox.run("token create --connection acme").succeeded();
    assert!(says("connection show acme", "\nsource") && says("connection show acme --json", "\"source\""));
    assert!(says("connection traffic acme", "nothing recorded yet"));
}

#[test]
fn what_was_pasted_is_not_read_again_and_an_address_that_is_not_encrypted_is_told_once() {
    let (sandbox, _) = Sandbox::bootstrapped();
    create(&sandbox, &[]).succeeded();
    let text = metadata(IDP, &["one"]).replace("https://idp.example.com/slo", "http://idp.example.com/sso");
    let pasted = sandbox.run_fed(
        "connection metadata acme --set - --json",
        text.replace("https://idp.example.com/sso", "http://idp.example.com/sso").as_bytes(),
    );
    let view = pasted.json();
    assert_eq!((&view["next_at"], &view["warnings"]), (&Value::Null, &json!(["http://idp.example.com/sso is not encrypted"])));
    assert!(!sandbox.run("connection metadata acme").out.contains("next read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_document_that_can_not_be_read_any_more_is_told_and_read_again_or_replaced_by_hand() {
    let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
    let (sandbox, _) = by_url(&publisher);
    let spoil = "UPDATE saml_metadata SET document = '<!DOCTYPE x><x/>', version = version + 1";
    crate::support::rows::Database::change(&sandbox.database_url(), spoil).await;
    let view = sandbox.run("connection metadata acme --json").json();
    assert_eq!((&view["usable"], &view["entity_id"]), (&json!(false), &Value::Null));
    assert_eq!(view["reason"], "saml_metadata_unreadable");
    assert!(view["warnings"][0].as_str().expect("a warning").contains("--refresh, or --set FILE"), "{view:#}");
    assert!(sandbox.run("connection metadata acme").out.contains("--refresh, or --set FILE"));
    assert!(sandbox.run("connection show acme").out.contains("can't be read any more"));
    says(&check(&sandbox), "metadata", "failed", &["can't be read any more", "--refresh", "--set FILE"]);
    let again = sandbox.run("connection metadata acme --refresh");
    assert!(again.code == 0 && again.out.starts_with("Taken") && again.out.contains(IDP), "{again:?}");
    // Another key: what waits is shown, though what is in force can't be.
    crate::support::rows::Database::change(&sandbox.database_url(), spoil).await;
    publisher.publish(&metadata(IDP, &["three"]));
    let held = sandbox.run("connection metadata acme --refresh");
    let shown = sandbox.run("connection metadata acme --json").json()["waiting"]["sha256"].as_str().expect("a digest").to_owned();
    assert!(held.code == 3 && held.out.contains(&format!("--approve {shown}")), "{held:?}");
    sandbox.write("idp.xml", &metadata(IDP, &["two"]));
    assert_eq!(sandbox.run("connection metadata acme --set idp.xml --json").json()["usable"], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_entity_of_the_same_document_is_taken_at_once_when_an_administrator_names_it() {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7_u8; 32]);
    let both = federation(&[metadata(IDP, &["one"]), metadata(OTHER, &["two", "three"])]);
    let (postgres, _folder) = TestStore::postgres_options().await;
    for database in [None, Some(postgres.url.expose().as_str())] {
        let sandbox = Sandbox::new();
        let mut environment = vec![("ROSTERD__SECRETS__KEY", key.as_str())];
        environment.extend(database.map(|url| ("ROSTERD__DATABASE__URL", url)));
        let run = |line: &str| sandbox.run_with(line, &environment);
        let learned = |line: &str| {
            let view = run(&format!("{line} --json")).json();
            let view = view.get("metadata").unwrap_or(&view).clone();
            let counting =
                view["certificates"].as_array().expect("certificates").iter().filter(|one| one["counts"] == true).count();
            (view["entity_id"].as_str().expect("an entity").to_owned(), counting)
        };
        run("bootstrap").succeeded();
        sandbox.write("federation.xml", &both);
        let publisher = Publisher::of(&both).await;
        let url = format!("--set metadata_url={} --set allow_plaintext=true", publisher.url());
        for (name, place) in [("filed", "--set metadata_file=federation.xml"), ("fetched", &url), ("pasted", "")] {
            run(&format!("connection create {name} --kind samlp --set idp_entity_id={IDP} {place}")).succeeded();
            if place.is_empty() {
                run(&format!("connection metadata {name} --set federation.xml")).succeeded();
            }
            let shown = format!("connection metadata {name}");
            assert_eq!(learned(&shown), (IDP.to_owned(), 1), "{name}");
            let named = format!("connection update {name} --set idp_entity_id={OTHER}");
            assert_eq!(learned(&named), (OTHER.to_owned(), 2), "{name}: none of the former's counts");
            assert_eq!(learned(&shown), (OTHER.to_owned(), 2), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_shown_and_taken_by_an_administrators_word() {
    let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
    let (sandbox, _) = by_url(&publisher);
    publisher.publish(&metadata(OTHER, &["two"]));
    let held = sandbox.run("connection metadata acme --refresh");
    assert!(held.code == 3 && held.out.contains("another entity id") && held.out.contains(OTHER), "{held:?}");
    let view = sandbox.run("connection metadata acme --json").json();
    assert_eq!((&view["entity_id"], &view["waiting"]["reason"]), (&json!(IDP), &json!("other_entity")));
    assert_eq!(view["waiting"]["entity_id"], OTHER);
    let report = check(&sandbox);
    says(&report, "metadata", "warning", &["another entity id", "logins go on with the former metadata", IDP, "--approve"]);
    assert_eq!(report["passed"], json!(true), "the former one still serves: {report:#}");
    // The word is for the document that was looked at.
    let shown = view["waiting"]["sha256"].as_str().expect("a digest").to_owned();
    assert!(held.out.contains(&format!("--approve {shown}")), "{held:?}");
    publisher.publish(&metadata(OTHER, &["two", "three"]));
    assert_eq!(sandbox.run("connection metadata acme --refresh").code, 3);
    let replaced = sandbox.run(&format!("connection metadata acme --approve {shown} --json"));
    let now: Value = serde_json::from_str(&replaced.out).expect("what waits now");
    assert!(replaced.refusal().contains("another document waits"), "{replaced:?}");
    assert_eq!((&now["entity_id"], now["waiting"]["certificates"].as_array().map(Vec::len)), (&json!(IDP), Some(2)));
    for word in ["", "abc", &shown[..12], &shown[..63], "not-hexadecimal", &format!("{shown}0")] {
        assert_eq!(sandbox.run(&format!("connection metadata acme --approve {word}")).code, 2, "{word}");
    }
    // As other tools write it.
    let digest = now["waiting"]["sha256"].as_str().expect("a digest").to_uppercase();
    let pairs: Vec<&str> = (0..32).map(|at| &digest[2 * at..2 * at + 2]).collect();
    let approved = sandbox.run(&format!("connection metadata acme --approve {} --json", pairs.join(":"))).json();
    assert_eq!((&approved["entity_id"], &approved["waiting"], &approved["usable"]), (&json!(OTHER), &Value::Null, &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_set_up_passes_its_check_and_says_what_to_paste_at_the_identity_provider() {
    let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
    let (sandbox, _) = by_url(&publisher);
    let public = [("ROSTERD__SERVER__PUBLIC_URL", "https://id.example.com")];
    let report = sandbox.run_with("connection check acme --json", &public).json();
    assert_eq!(report["passed"], json!(true), "{report:#}");
    says(&report, "metadata", "ok", &[IDP, "from http://127.0.0.1"]);
    says(&report, "certificates", "ok", &["ends 20"]);
    says(&report, "endpoints", "ok", &["sign-on by redirect https://idp.example.com/sso", "logout by redirect"]);
    says(&report, "mapping", "ok", &["entra-saml"]);
    says(
        &report,
        "addresses",
        "ok",
        &["ACS URL", "https://id.example.com/saml/acme/acs", "https://id.example.com/saml/acme/metadata"],
    );
    assert_eq!(found(&report, "addresses", "warning"), "");
    let steps: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    for step in ["settings", "metadata", "certificates", "endpoints", "keys", "mapping", "joining", "addresses"] {
        assert!(steps.contains(&step), "{step} is not in {steps:?}");
    }
    let asked = publisher.asked();
    let before = sandbox.run("connection metadata acme --json").json();
    publisher.publish(&metadata(IDP, &["one", "two"]));
    assert_eq!(check(&sandbox)["passed"], json!(true));
    assert!(publisher.asked() > asked);
    assert_eq!(
        sandbox.run("connection metadata acme --json").json()["certificates"],
        before["certificates"],
        "a check writes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_of_each_step_what_to_change() {
    let publisher = Publisher::of(&metadata(IDP, &["soon"])).await;
    let (sandbox, _) = by_url(&publisher);
    let set = |options: &str| {
        let line: String = options.split(' ').map(|option| format!(" --set {option}")).collect();
        sandbox.run(&format!("connection update acme{line}")).succeeded();
    };
    let report = check(&sandbox);
    says(&report, "certificates", "warning", &["ends in 19 days", "taken by itself"]);
    says(&report, "addresses", "warning", &["server.public_url"]);

    set("request_binding=post idp_initiated=true mapping=scim sign_requests=false");
    let report = check(&sandbox);
    assert_eq!(report["passed"], json!(false));
    says(&report, "settings", "warning", &["begin at the identity provider"]);
    says(&report, "endpoints", "failed", &["sign-on is by redirect", "request_binding=auto"]);
    says(&report, "endpoints", "warning", &["wants signed requests"]);
    says(&report, "mapping", "failed", &["is from scim", "from saml"]);

    let file = |name: &str| keys().join(name).display().to_string();
    set(&format!("decryption_key_file={} decryption_cert_file={}", file("one.key"), file("two.pem")));
    says(&check(&sandbox), "keys", "failed", &["the certificate of another key"]);
    set(&format!("decryption_cert_file={}", file("one.pem")));
    says(&check(&sandbox), "keys", "ok", &["decryption by"]);
    set("decryption_key_file=/nowhere.key");
    says(&check(&sandbox), "keys", "failed", &["/nowhere.key", "may read"]);

    publisher.publish(&metadata(IDP, &["one"]).replace("https://idp", "http://idp").replace(&IDP.replace("https", "http"), IDP));
    set("request_binding= mapping= decryption_key_file= decryption_cert_file=");
    publisher.publish(&metadata(IDP, &["soon", "one"]).replace("Location=\"https://", "Location=\"http://"));
    says(&check(&sandbox), "endpoints", "warning", &["http://idp.example.com/sso", "by https"]);

    publisher.publish("");
    says(&check(&sandbox), "metadata", "warning", &["500", "last good document is in force"]);
    let (empty, _) = Sandbox::bootstrapped();
    create(&empty, &[]).succeeded();
    says(&check(&empty), "metadata", "failed", &["nothing was pasted", "--set FILE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_who_will_not_join() {
    let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
    let (sandbox, _) = by_url(&publisher);
    sandbox.run("connection update acme --set join=scim --set join_on=external_id").succeeded();
    says(&check(&sandbox), "joining", "warning", &["they will not join", "user_id_attribute"]);
}

/// Waits until what `rosterd connection metadata acme --json` says is as wanted.
fn until(sandbox: &Sandbox, environment: &[(&str, &str)], wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let view = sandbox.run_with("connection metadata acme --json", environment).json();
        if wanted(&view) {
            return view;
        }
        assert!(Instant::now() < deadline, "{view:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_reads_what_is_due_once_and_files_when_they_change() {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7_u8; 32]);
    let (postgres, _folder) = TestStore::postgres_options().await;
    for database in [None, Some(postgres.url.expose().as_str())] {
        let sandbox = Sandbox::new();
        let mut environment = vec![("ROSTERD__SECRETS__KEY", key.as_str())];
        environment.extend(database.map(|url| ("ROSTERD__DATABASE__URL", url)));
        let run = |line: &str| sandbox.run_with(line, &environment);
        run("bootstrap").succeeded();
        let publisher = Publisher::of("").await;
        let url = publisher.url();
        run(&format!("connection create acme --kind samlp --set metadata_url={url} --set allow_plaintext=true")).succeeded();
        sandbox.write("idp.xml", &metadata(IDP, &["one"]));
        run("connection create filed --kind samlp --set metadata_file=idp.xml").succeeded();
        publisher.publish(&metadata(IDP, &["one"]));
        let asked = publisher.asked();
        // Due after two minutes; as if they were over.
        let rows = "UPDATE saml_metadata SET next_at = 5";
        crate::support::rows::Database::change(database.unwrap_or(&sandbox.database_url()), rows).await;
        let (one, other) = (sandbox.serve_with("", &environment), sandbox.serve_with("", &environment));
        until(&sandbox, &environment, |view| view["usable"] == true);
        // Both look again in the meantime.
        sandbox.write("idp.xml", &metadata(IDP, &["one", "two"]));
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let filed = run("connection metadata filed --json").json();
            if filed["certificates"].as_array().map(Vec::len) == Some(2) {
                break;
            }
            assert!(Instant::now() < deadline, "{filed:#}");
            std::thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(publisher.asked(), asked + 1, "one of the two");
        drop((one, other));
    }
}
