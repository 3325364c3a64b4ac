//! Attributes as RFC 7643 §2 has them, through the wire on both stores: names, types, lists, what counts as no value, and
//! every attribute of a user (§4.1, §4.3) there and back. What there is to send is read from `/Schemas`.

use base64::Engine;
use serde_json::{Map, Value, json};

use super::support::caller::{
    Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, assert_refused, encoded, on_both_gateways, patch, user,
};
use super::support::gateway::Gateway;

/// The attributes that a schema publishes.
async fn published(caller: &Caller, urn: &str) -> Vec<Value> {
    let schema = caller.get(&format!("/Schemas/{urn}")).await;
    assert_eq!(schema.status, 200, "{}", schema.text);
    schema.json()["attributes"].as_array().expect("attributes").clone()
}

fn name(attribute: &Value) -> &str {
    attribute["name"].as_str().expect("a name")
}

/// Whether a client may write it and read it back.
fn is_kept(attribute: &Value) -> bool {
    attribute["mutability"] != "readOnly" && attribute["returned"] != "never"
}

fn parts(attribute: &Value) -> Vec<Value> {
    attribute["subAttributes"].as_array().cloned().unwrap_or_default()
}

/// A value of the attribute's type, another for each `n`; of a list two elements, of which the first is primary.
fn sample(attribute: &Value, n: usize) -> Value {
    let one = |n: usize| match attribute["type"].as_str().expect("a type") {
        "string" => json!(format!("{} {n} \u{c4}'", name(attribute))),
        "boolean" => json!(n % 2 == 1),
        "reference" => json!(format!("https://example.com/{}/{n}", name(attribute).trim_start_matches('$'))),
        "binary" => json!(base64::engine::general_purpose::STANDARD.encode(format!("certificate {n}"))),
        "complex" => {
            let kept = parts(attribute).into_iter().filter(is_kept);
            Value::Object(kept.map(|part| (name(&part).to_owned(), sample(&part, n))).collect())
        }
        other => panic!("{other} is published and not known here"),
    };
    if attribute["multiValued"] == true { json!([one(2 * n + 1), one(2 * n)]) } else { one(n) }
}

/// A user with a value for every attribute there is.
fn everything(core: &[Value], enterprise: &[Value], n: usize) -> Map<String, Value> {
    let of = |attributes: &[Value]| -> Map<String, Value> {
        attributes.iter().filter(|attribute| is_kept(attribute)).map(|one| (name(one).to_owned(), sample(one, n))).collect()
    };
    let mut body = of(core);
    body.insert("schemas".into(), json!([USER_URN, ENTERPRISE_URN]));
    body.insert("externalId".into(), json!("always-the-same"));
    body.insert(ENTERPRISE_URN.into(), of(enterprise).into());
    body
}

/// Values that no attribute of that type takes.
fn wrong(attribute: &Value) -> Vec<Value> {
    let object = json!({"colour": 1});
    match (attribute["type"].as_str().expect("a type"), attribute["multiValued"] == true) {
        ("string" | "reference", false) => vec![json!(7), json!(true), json!(["a"]), object],
        ("boolean", false) => vec![json!("maybe"), json!(7), json!([true]), object],
        ("binary", false) => vec![json!("not base64!"), json!(7), json!(["YQ=="]), object],
        ("complex", false) => vec![json!(7), json!(true), json!([{"value": "a"}])],
        ("complex", true) => vec![json!(7), json!([true]), json!([[{"value": "a"}]])],
        other => panic!("{other:?} is published and not known here"),
    }
}

/// `wrong` put where the path of a user's attribute leads.
fn with(path: &[&str], value: Value, list: bool) -> Value {
    let mut body = user("wrong");
    match path {
        [ENTERPRISE_URN, one] => body[ENTERPRISE_URN] = json!({*one: value}),
        [ENTERPRISE_URN, one, part] => body[ENTERPRISE_URN] = json!({*one: {*part: value}}),
        [one, part] if list => body[*one] = json!([{*part: value}]),
        [one, part] => body[*one] = json!({*part: value}),
        [one] => body[*one] = value,
        other => panic!("{other:?}"),
    }
    body
}

on_both_gateways! {
    async fn every_attribute_of_a_user_comes_back_as_it_was_sent(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (core, enterprise) = (published(&caller, USER_URN).await, published(&caller, ENTERPRISE_URN).await);
        assert_eq!((core.len(), enterprise.len()), (21, 6));
        let shows = |answer: &Value, body: &Map<String, Value>| {
            for (name, value) in body {
                assert_eq!(&answer[name], value, "{name}");
            }
        };
        let body = everything(&core, &enterprise, 1);
        let created = caller.send("POST", "/Users", Some(&body.clone().into())).await;
        assert_eq!(created.status, 201, "{}", created.text);
        shows(&created.json(), &body);
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        shows(&caller.get(&path).await.json(), &body);
        shows(&caller.find("Users", "externalId eq \"always-the-same\"").await.json()["Resources"][0], &body);
        let replaced = everything(&core, &enterprise, 2);
        shows(&caller.send("PUT", &path, Some(&replaced.clone().into())).await.json(), &replaced);
        shows(&caller.get(&path).await.json(), &replaced);
        // One by one: another value, and none.
        let mut patched = everything(&core, &enterprise, 3);
        let extension = patched.remove(ENTERPRISE_URN).expect("it is there");
        let mut changes: Vec<(String, Vec<&str>, Value)> = vec![];
        for attribute in core.iter().filter(|one| is_kept(one)) {
            changes.push((name(attribute).to_owned(), vec![name(attribute)], patched[name(attribute)].clone()));
        }
        for attribute in &enterprise {
            let one = name(attribute);
            changes.push((format!("{ENTERPRISE_URN}:{one}"), vec![ENTERPRISE_URN, one], extension[one].clone()));
        }
        for (to, at, value) in changes {
            let found = |answer: &Value| at.iter().fold(answer.clone(), |value, name| value[*name].clone());
            let answer = caller.patch(&path, json!([{"op": "replace", "path": to, "value": value}])).await;
            assert_eq!((answer.status, found(&answer.json())), (200, value), "{to}: {}", answer.text);
            if to != "userName" {
                let answer = caller.patch(&path, json!([{"op": "remove", "path": to}])).await;
                assert_eq!((answer.status, found(&answer.json())), (200, Value::Null), "{to}: {}", answer.text);
            }
        }
        let left = caller.get(&path).await.json();
        let names: Vec<&String> = left.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["id", "schemas", "userName", "externalId", "meta"], "{left}");
    }

    async fn a_value_of_another_type_is_refused_with_the_name_of_its_attribute(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut tried = 0;
        let subject = format!("/Users/{}", caller.create("Users", &user("subject")).await);
        let before = caller.get(&subject).await.text;
        for (urn, prefix) in [(USER_URN, None), (ENTERPRISE_URN, Some(ENTERPRISE_URN))] {
            for attribute in published(&caller, urn).await.iter().filter(|one| one["mutability"] != "readOnly") {
                let path: Vec<&str> = prefix.into_iter().chain([name(attribute)]).collect();
                let mut places = vec![(path.clone(), attribute.clone())];
                let parts: Vec<Value> = parts(attribute).into_iter().filter(|part| part["mutability"] != "readOnly").collect();
                places.extend(parts.iter().map(|part| (path.iter().copied().chain([name(part)]).collect(), part.clone())));
                for (path, target) in &places {
                    for value in wrong(target) {
                        let body = with(path, value.clone(), attribute["multiValued"] == true);
                        let created = caller.send("POST", "/Users", Some(&body)).await;
                        let put = caller.send("PUT", &subject, Some(&body)).await;
                        let top = path[prefix.map_or(0, |_| 1)];
                        let (to, sent) = match prefix {
                            Some(urn) => (format!("{urn}:{top}"), body[urn][top].clone()),
                            None => (top.to_owned(), body[top].clone()),
                        };
                        let patched = caller.patch(&subject, json!([{"op": "replace", "path": to, "value": sent}])).await;
                        for answer in [&created, &put, &patched] {
                            assert_refused(answer, 400, Some("invalidValue"));
                            let named = path.last().expect("a name");
                            assert!(answer.text.contains(named) || answer.text.contains(top), "{path:?} {value}: {}", answer.text);
                        }
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 200, "{tried} values");
        assert_eq!(caller.get(&subject).await.text, before);
        assert_eq!(caller.get("/Users?count=0").await.json()["totalResults"], 1, "nothing was stored");
    }

    async fn names_and_urns_match_in_any_case_and_come_back_in_the_schemas_spelling(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let upper = ENTERPRISE_URN.to_uppercase();
        let body = json!({
            "SCHEMAS": [USER_URN.to_uppercase(), upper], "USERNAME": "Case", "externalID": "E-1", "NAME": {"GIVENNAME": "G"},
            "Emails": [{"VALUE": "a@b.example", "Type": "work"}], upper.as_str(): {"DEPARTMENT": "D"},
        });
        let created = caller.send("POST", "/Users", Some(&body)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        let mut read = created.json();
        for (name, expected) in [
            ("schemas", json!([USER_URN, ENTERPRISE_URN])), ("userName", json!("Case")), ("externalId", json!("E-1")),
            ("name", json!({"givenName": "G"})), ("emails", json!([{"value": "a@b.example", "type": "work"}])),
            (ENTERPRISE_URN, json!({"department": "D"})),
        ] {
            assert_eq!(read.as_object_mut().expect("an object").remove(name), Some(expected), "{name}");
        }
        let mut left: Vec<&String> = read.as_object().expect("an object").keys().collect();
        left.sort();
        assert_eq!(left, ["active", "id", "meta"]);
        let operations = json!({"SCHEMAS": patch(json!([]))["schemas"], "OPERATIONS": [
            {"OP": "REPLACE", "PATH": "EMAILS[TYPE EQ \"WORK\"].VALUE", "VALUE": "c@d.example"},
            {"op": "Add", "path": format!("{upper}:DIVISION"), "value": "V"},
            {"op": "add", "value": {"NICKname": "N"}},
        ]});
        let patched = caller.send("PATCH", &path, Some(&operations)).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        let patched = patched.json();
        assert_eq!((&patched["emails"][0]["value"], &patched["nickName"]), (&json!("c@d.example"), &json!("N")));
        assert_eq!(patched[ENTERPRISE_URN], json!({"department": "D", "division": "V"}));
        let filter = format!("USERNAME EQ \"case\" AND NOT (name.GIVENNAME NE \"g\") And {upper}:Department PR");
        let query = format!("/Users?FILTER={}&SORTBY=UserNAME&SortOrder=DESCENDING&Attributes=NICKNAME", encoded(&filter));
        let found = caller.get(&query).await.json();
        assert_eq!((&found["totalResults"], &found["Resources"][0]["nickName"]), (&json!(1), &json!("N")), "{found}");
        assert!(found["Resources"][0].get("userName").is_none(), "{found}");
        // One attribute under two spellings is two values of one attribute.
        for twice in [
            json!({"userName": "a", "USERNAME": "b"}), json!({"userName": "a", "name": {"givenName": "b", "GivenName": "c"}}),
            json!({"userName": "a", ENTERPRISE_URN: {"division": "b"}, upper.as_str(): {"division": "c"}}),
        ] {
            assert_refused(&caller.send("POST", "/Users", Some(&twice)).await, 400, Some("invalidSyntax"));
        }
    }

    async fn what_a_schema_does_not_say_is_the_default_of_the_rfc(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut told = vec![];
        for urn in [USER_URN, ENTERPRISE_URN, GROUP_URN] {
            for attribute in published(&caller, urn).await {
                let parts = parts(&attribute).into_iter().map(|part| (format!("{}.{}", name(&attribute), name(&part)), part));
                for (path, one) in std::iter::once((name(&attribute).to_owned(), attribute.clone())).chain(parts) {
                    told.extend(deviations(&one).into_iter().map(|deviation| format!("{path} {deviation}")));
                }
            }
        }
        let expected = include_str!("attributes/deviations.txt").lines().collect::<Vec<_>>();
        assert_eq!(told, expected);
        // What the word says is what happens.
        let id = caller.create("Users", &user("defaults")).await;
        assert_eq!(caller.find("Users", "title eq null and userName eq \"DEFAULTS\"").await.json()["totalResults"], 1);
        assert_refused(&caller.send("PUT", &format!("/Users/{id}"), Some(&json!({"title": "T"}))).await, 400, Some("invalidValue"));
        assert_refused(&caller.send("POST", "/Users", Some(&user("DEFAULTS"))).await, 409, Some("uniqueness"));
    }

    async fn at_most_one_element_is_primary(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let lists = ["emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates"];
        let element = |list: &str, value: &str, primary: bool| {
            let name = if list == "addresses" { "locality" } else { "value" };
            json!({name: value, "type": value, "primary": primary})
        };
        for list in lists {
            let mut body = user(list);
            body[list] = json!([element(list, "aaaa", true), element(list, "bbbb", true)]);
            assert_refused(&caller.send("POST", "/Users", Some(&body)).await, 400, Some("invalidValue"));
            body[list] = json!([element(list, "aaaa", true), element(list, "bbbb", false)]);
            let path = format!("/Users/{}", caller.create("Users", &body).await);
            let before = caller.get(&path).await.text;
            body[list][1]["primary"] = json!(true);
            assert_refused(&caller.send("PUT", &path, Some(&body)).await, 400, Some("invalidValue"));
            let two = json!([{"op": "add", "path": list, "value": [element(list, "cccc", true), element(list, "dddd", true)]}]);
            assert_refused(&caller.patch(&path, two).await, 400, Some("invalidValue"));
            assert_eq!(caller.get(&path).await.text, before, "{list}");
            for (operation, primary) in [
                (json!({"op": "add", "path": list, "value": [element(list, "cccc", true)]}), "cccc"),
                (json!({"op": "replace", "path": format!("{list}[type eq \"bbbb\"].primary"), "value": true}), "bbbb"),
            ] {
                let patched = caller.patch(&path, json!([operation])).await.json();
                let primaries: Vec<&Value> = patched[list].as_array().expect("a list").iter().filter(|one| one["primary"] == true).collect();
                assert_eq!(primaries.iter().map(|one| &one["type"]).collect::<Vec<_>>(), [primary], "{list}: {patched}");
            }
            // The same type and value again is the same element.
            let count = caller.get(&path).await.json()[list].as_array().map(Vec::len);
            let again = caller.patch(&path, json!([{"op": "add", "path": list, "value": [element(list, "aaaa", false)]}])).await;
            assert_eq!(again.json()[list].as_array().map(Vec::len), count, "{list}");
        }
    }

    async fn null_an_empty_list_and_nothing_are_the_same(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let unassigned = json!({
            "title": null, "name": null, "emails": [], "phoneNumbers": null, "addresses": [{}], "roles": [null], "profileUrl": null,
            "locale": null, ENTERPRISE_URN: {"department": null, "manager": {"value": null}},
        });
        let mut body = user("nothing");
        body.as_object_mut().expect("an object").extend(unassigned.as_object().expect("an object").clone());
        let created = caller.send("POST", "/Users", Some(&body)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        assert!(!created.text.contains("null") && !created.text.contains("[]") && !created.text.contains("{}"), "{}", created.text);
        assert_eq!(created.json()["schemas"], json!([USER_URN]), "an extension without data is not there");
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        let nothing = caller.get(&path).await;
        let filled = |body: &mut Value| {
            body["title"] = json!("T");
            body["emails"] = json!([{"value": "a@b.example"}]);
            body["name"] = json!({"givenName": "G"});
            body[ENTERPRISE_URN] = json!({"department": "D"});
        };
        let mut full = user("nothing");
        filled(&mut full);
        let same = |answer: &Value| {
            let mut answer = answer.clone();
            answer.as_object_mut().expect("an object").remove("meta");
            answer
        };
        // By PUT, by PATCH with a path and without one.
        for (method, emptied) in [
            ("PUT", body.clone()),
            ("PATCH", patch(json!([{"op": "replace", "value": unassigned.clone()}]))),
            ("PATCH", patch(json!([
                {"op": "replace", "path": "title", "value": null}, {"op": "replace", "path": "emails", "value": []},
                {"op": "replace", "path": "name", "value": null}, {"op": "replace", "path": ENTERPRISE_URN, "value": null},
            ]))),
        ] {
            assert_eq!(caller.send("PUT", &path, Some(&full)).await.json()["title"], "T");
            assert_eq!(caller.find("Users", "title pr and emails pr and name pr").await.json()["totalResults"], 1);
            let answer = caller.send(method, &path, Some(&emptied)).await;
            assert_eq!((answer.status, same(&answer.json())), (200, same(&nothing.json())), "{method} {emptied}");
            assert_eq!(caller.find("Users", "title pr or emails pr or name pr").await.json()["totalResults"], 0);
        }
        // What has to be there is missing, whichever way that is said.
        let before = caller.get(&path).await.text;
        for none in [Value::Null, json!(""), json!([])] {
            let mut body = user("nobody");
            body["userName"] = none.clone();
            assert_refused(&caller.send("POST", "/Users", Some(&body)).await, 400, Some("invalidValue"));
            assert_refused(&caller.send("PUT", &path, Some(&body)).await, 400, Some("invalidValue"));
            let answer = caller.patch(&path, json!([{"op": "replace", "path": "userName", "value": none}])).await;
            assert_refused(&answer, 400, Some("invalidValue"));
        }
        assert_eq!(caller.get(&path).await.text, before);
    }
}

/// Where a published attribute is other than RFC 7643 §2.2 says it is unless stated.
fn deviations(attribute: &Value) -> Vec<String> {
    let defaults = json!({
        "type": "string", "multiValued": false, "required": false, "caseExact": false, "mutability": "readWrite",
        "returned": "default", "uniqueness": "none",
    });
    let defaults = defaults.as_object().expect("an object");
    let deviating = defaults.iter().filter(|(name, default)| attribute[name.as_str()] != **default);
    deviating.map(|(name, _)| format!("{name}={}", attribute[name].to_string().trim_matches('"'))).collect()
}
