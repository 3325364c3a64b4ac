use super::*;
use proptest::prelude::*;
use serde_json::json;

const SECRET: &str = "Swordfish-7f3a9c";

fn kept(body: &Value) -> String {
    let text = body.to_string();
    Redactor::default().body(text.as_bytes(), Some(&mut body.clone())).expect("a body")
}

#[test]
fn a_secret_is_masked_wherever_an_attribute_can_stand() {
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User:password";
    for body in [
        json!({"userName": "a", "password": SECRET}),
        json!({"userName": "a", "PassWord": [SECRET]}),
        json!({"a": {"b": [{"newPassword": {"value": SECRET}}]}}),
        json!({"urn:acme:2.0:User": {"api_key": SECRET, "clientSecret": SECRET, "pin": SECRET}}),
        json!({"Operations": [{"op": "replace", "path": "password", "value": SECRET}]}),
        json!({"Operations": [{"op": "replace", "value": SECRET, "path": urn}]}),
        json!({"Operations": [{"op": "add", "value": {urn: SECRET, "title": "t"}}]}),
        json!({"Operations": [{"op": "Add", "path": format!("credentials[value eq \"{SECRET}\"].type"), "value": "x"}]}),
        json!({"Operations": [{"op": "remove", "path": "password", "value": {"value": SECRET}}]}),
        json!({"Operations": [{"op": SECRET, "path": "password"}]}),
        json!({"Operations": [{"op": SECRET, "value": {"password": "x"}}]}),
        json!({"Operations": [{"method": "POST", "bulkId": "q", "data": {"userName": "a", "password": SECRET}}]}),
        json!({"Operations": [{"op": "replace", "value": {format!("tokens[value eq \"{SECRET}\"].x"): "y"}}]}),
        json!({"x": [{"type": "password", "value": SECRET}]}),
        json!({"x": [{"value": SECRET, "name": "api-key"}]}),
        json!({"roles": [{"value": format!("{{\"password\":\"{SECRET}\"}}")}]}),
        json!({"filter": format!("userName eq \"a\" and not (password eq \"{SECRET}\")")}),
        json!({"note": format!("Bearer {SECRET}")}),
    ] {
        let kept = kept(&body);
        assert!(!kept.contains("Swordfish") && kept.contains(MASK), "{body} is kept as {kept}");
    }
}

#[test]
fn what_is_no_secret_stays_as_it_was_sent() {
    let body = json!({"userName": "ada@example.com", "title": "Bearer of news", "secretary": "Eve", "members": [{"value": "1", "display": "Token Team"}], "active": true, "Operations": [
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@b"}]});
    assert_eq!(kept(&body), body.to_string());
}

#[test]
fn what_was_masked_in_the_body_is_masked_in_every_other_text() {
    let mut redactor = Redactor::default();
    let mut body = json!({"password": SECRET});
    redactor.body(b"{}", Some(&mut body));
    assert_eq!(redactor.short("value \"swordfish-7f3a9c\" is odd"), "value \"***\" is odd");
    assert_eq!(redactor.short("near Swordfish-7…"), "near ***");
    let mut redactor = Redactor::default();
    assert_eq!(redactor.query("filter=password+eq+%22Swordfish-7f3a9c%22&count=1"), "filter=***&count=1");
    assert_eq!(redactor.short("password eq \"Swordfish"), "password eq \"***");
}

#[test]
fn a_filter_by_name_or_address_is_kept_and_unknown_parameters_lose_their_values() {
    let query = |text: &str| Redactor::default().query(text);
    assert_eq!(query("filter=displayName+eq+%22Password+Admins%22"), "filter=displayName+eq+%22Password+Admins%22");
    let kept = "filter=userName+eq+%22ada%40example.com%22&startIndex=1&count=100&aadOptscim062020";
    assert_eq!(query(kept), kept);
    assert_eq!(query("access_token=abc&count=1"), "access_token=***&count=1");
    assert_eq!(query("rst_abcdefgh"), "***");
    assert_eq!(query("rst_abc123=x"), "***=***");
}

#[test]
fn tokens_are_masked_by_their_looks() {
    let redactor = Redactor::default();
    let token = format!("rst_{}", "a".repeat(49));
    assert_eq!(redactor.path(&format!("/Users/{token}")), "/Users/***");
    assert_eq!(redactor.path(&format!("/Users/{}/x", token.replace('_', "%5F"))), "/Users/***/x");
    assert_eq!(Redactor::default().query(&format!("filter=a+eq+{}&count=1", token.replace('_', "%5f"))), "filter=***&count=1");
    assert_eq!(redactor.short(&format!("got {token}, sorry")), "got ***, sorry");
    assert_eq!(redactor.short("Authorization: Basic cGluZzpwYXNzd29yZA=="), "Authorization: Basic ***");
}

#[test]
fn a_body_that_is_no_json_shows_its_shape_alone() {
    let shown = shape(format!("{{\"userName\":\"a\",\"password\":\"{SECRET}").as_bytes());
    assert_eq!(shown, "(no JSON; its shape up to where it breaks: {\"…\":\"…\",\"…\":\"…)");
    assert_eq!(shape(b"{\"a\": 1,}\nhello"), "(no JSON; its shape up to where it breaks: {\"…\":…,})");
    assert_eq!(shape(&[0xff, 0xfe]), "(2 bytes that are no UTF-8)");
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let text = Redactor::default().text(&"ä".repeat(10), 5);
    assert_eq!(text, "ää…");
}

#[test]
fn a_body_is_kept_up_to_its_limit() {
    let large = json!({"members": vec![json!({"value": "0190c2f5-5b1e-7c3a-9d6e-2f4a8b1c0d3e"}); 1_000]});
    assert_eq!(kept(&large).len(), BODY_BYTES_MAX + "…".len());
}

proptest! {
    /// Whatever the document around it: a value under a secret's name is gone.
    #[test]
    fn no_document_lets_a_secret_through(depth in 0usize..6, list in any::<bool>(), name in "(new_?)?(password|Secret|api-key|TOKEN)(s|Value)?") {
        let mut value = json!({ name: SECRET });
        for level in 0..depth {
            value = if list { json!([value]) } else { json!({ format!("a{level}"): value }) };
        }
        prop_assert!(!kept(&value).contains(SECRET));
    }

    #[test]
    fn no_text_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
        shape(&bytes);
        let mut redactor = Redactor::default();
        redactor.query(&text);
        redactor.body(b"x", Some(&mut json!({"password": text.clone()})));
        redactor.short(&text);
    }
}

#[test]
fn names_that_are_told_to_be_secrets_are_masked_like_those_that_look_like_it() {
    let names = || Arc::from([String::from("motto"), String::from("box-no")]);
    for body in [
        json!({"urn:acme:2.0:User": {"Motto": SECRET}}),
        json!({"urn:acme:2.0:User:motto": {"value": SECRET}}),
        json!({"Operations": [{"op": "add", "path": "urn:acme:2.0:User:motto", "value": SECRET}]}),
        json!({"Operations": [{"op": "add", "path": format!("urn:acme:2.0:User:box-no[value eq \"{SECRET}\"].type"), "value": "x"}]}),
        json!({"Operations": [{"op": "add", "value": {"urn:acme:2.0:User:box-no.value": SECRET}}]}),
        json!({"filter": format!("urn:acme:2.0:User:motto sw \"{SECRET}\"")}),
    ] {
        let kept = Redactor::of(names()).body(body.to_string().as_bytes(), Some(&mut body.clone())).expect("a body");
        assert!(!kept.contains("Swordfish") && kept.contains(MASK), "{body} is kept as {kept}");
        assert!(self::kept(&body).contains("Swordfish"), "{body}: only where it is told");
    }
    assert_eq!(Redactor::of(names()).query("filter=urn:acme:2.0:User:motto+eq+%22Swordfish%22"), "filter=***");
    let near = json!({"mottos": "x", "title": "motto", "box": "no"});
    let kept = Redactor::of(names()).body(near.to_string().as_bytes(), Some(&mut near.clone())).expect("a body");
    assert_eq!(kept, near.to_string(), "no other name, and no value");
}
