//! Every recording of the repository has to be recognised, or honestly not.

use super::*;
use crate::traffic::sign::{Request, signs_of};
use serde_json::Value;
use std::path::Path;

/// The signs of every request of a recording.
fn signs_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let recording: Value = serde_json::from_str(&text).expect("a recording");
    let steps = recording["steps"].as_array().expect("steps");
    steps.iter().map(|step| words(&recording["headers"], &step["request"])).collect()
}

fn words(common: &Value, request: &Value) -> String {
    let header = |name: &str| {
        let own = request["headers"].get(name);
        own.or_else(|| common.get(name)).and_then(Value::as_str)
    };
    let address = request["path"].as_str().expect("a path");
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let signs = signs_of(&Request {
        method: request["method"].as_str().expect("a method"),
        path,
        query,
        user_agent: header("user-agent"),
        content_type: header("content-type"),
        body: request.get("body"),
    });
    signs.iter().map(|sign| sign.as_str()).collect::<Vec<_>>().join(" ")
}

/// Recording, product, dialect. What is `unknown` here sends nothing that others do not.
const EXPECTED: &[(&str, Idp, Option<Dialect>)] = &[
    ("authentik/sync", Idp::Authentik, None),
    ("entra/create-and-match", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/disable-and-delete", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/groups", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/manager-second-pass", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/postman", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/same-address-elsewhere", Idp::Entra, None),
    ("entra/same-address-new", Idp::Entra, None),
    ("entra/test-connection", Idp::Entra, Some(Dialect::EntraFlag)),
    ("entra/validator", Idp::Entra, Some(Dialect::EntraFlag)),
    ("entra/wire-forms-default", Idp::Entra, Some(Dialect::EntraDefault)),
    ("entra/wire-forms-flag", Idp::Entra, Some(Dialect::EntraFlag)),
    ("google/lifecycle", Idp::Unknown, None),
    ("jumpcloud/activation", Idp::JumpCloud, None),
    ("jumpcloud/deactivate", Idp::Unknown, None),
    ("okta/app-wizard-put", Idp::Okta, Some(Dialect::OktaWizard)),
    ("okta/catalogue-app-patch", Idp::Okta, Some(Dialect::OktaCatalogue)),
    ("okta/group-push", Idp::Okta, None),
    ("okta/group-push-204", Idp::Okta, Some(Dialect::OktaCatalogue)),
    ("okta/import", Idp::Okta, None),
    ("okta/repost-conflict", Idp::Okta, Some(Dialect::OktaWizard)),
    ("okta/spec-test", Idp::Okta, Some(Dialect::OktaCatalogue)),
    ("onelogin/groups", Idp::OneLogin, Some(Dialect::Legacy)),
    ("onelogin/legacy-template", Idp::OneLogin, Some(Dialect::Legacy)),
    ("ping/filters", Idp::Ping, None),
    ("ping/lifecycle", Idp::Ping, None),
    ("rippling/lifecycle", Idp::Unknown, None),
];

fn recordings() -> Vec<(String, std::path::PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for vendor in std::fs::read_dir(folder).expect("the folder of recordings").flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(vendor.path()).expect("a folder").flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
                found.push((format!("{}/{stem}", vendor.file_name().to_string_lossy()), file));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_recording_is_recognised_with_its_dialect() {
    let recordings = recordings();
    let names: Vec<&str> = recordings.iter().map(|(name, _)| name.as_str()).collect();
    let expected: Vec<&str> = EXPECTED.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, expected, "each recording stands in the table");
    let mut wrong = Vec::new();
    for ((name, file), (_, idp, dialect)) in recordings.iter().zip(EXPECTED) {
        let signs = signs_in(file);
        let source = recognise(signs.iter().map(String::as_str));
        if (source.idp, source.dialect) != (*idp, *dialect) {
            wrong.push(format!("{name}: {:?} {:?} by {:?}", source.idp, source.dialect, source.reasons));
        }
        assert!(source.idp == Idp::Unknown || !source.reasons.is_empty(), "{name} says why");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No recording may be taken for another product's, request by request, unless it names none.
#[test]
fn no_single_request_names_the_wrong_product_with_certainty() {
    for (name, file) in recordings() {
        let vendor = name.split('/').next().unwrap_or_default().to_owned();
        for words in signs_in(&file) {
            let idp = recognise([words.as_str()]).idp;
            let strong = words
                .split(' ')
                .filter_map(Sign::parse)
                .any(|sign| weight(sign).iter().any(|(whose, w)| *whose == idp && *w >= 5));
            assert!(idp == Idp::Unknown || !strong || idp.as_str() == vendor, "{name} is taken for {idp:?} by {words}");
        }
    }
}

#[test]
fn one_stray_request_turns_nothing_round() {
    let mut requests = vec!["agent_okta user_put"; 20];
    requests.push("aad_flag capital_operations");
    assert_eq!(recognise(requests).idp, Idp::Okta);
}

#[test]
fn a_client_that_sends_nothing_of_its_own_is_not_guessed() {
    let source = recognise(["", "reads_discovery", "no_such_sign"]);
    assert_eq!((source.idp, source.requests), (Idp::Unknown, 3));
    assert_eq!(recognise([]).line(), "nothing recorded yet");
}

#[test]
fn every_sign_but_the_put_of_a_user_says_something_and_words_are_read_back() {
    for sign in Sign::ALL {
        assert_eq!(Sign::parse(sign.as_str()), Some(*sign));
        assert!(!weight(*sign).is_empty() || *sign == Sign::UserPut);
    }
}
