//! Reading as RFC 7644 §3.1, §3.4 and §3.9 to §3.10 have it, through the wire on both stores: media types, one resource,
//! lists, which attributes an answer shows, and names written out with their URN.

use serde_json::{Value, json};

use super::support::caller::{
    Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, assert_refused, encoded, group, on_both_gateways, patch, user,
};
use super::support::gateway::Gateway;

const SCIM_JSON: &str = "application/scim+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// A person with something of everything that the projections below ask for.
fn person(name: &str) -> Value {
    let mut body = user(name);
    let more = json!({
        "title": "T", "password": "Not-shown-1", "name": {"givenName": "G", "familyName": "F"},
        "emails": [{"value": format!("{name}@example.com"), "type": "work"}], ENTERPRISE_URN: {"department": "D", "division": "V"},
    });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

fn names(resource: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = resource.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The first resource of a list, or the resource itself.
fn shown(body: &Value) -> &Value {
    body.get("Resources").map_or(body, |list| &list[0])
}

on_both_gateways! {
    async fn both_json_media_types_are_taken_and_the_one_that_is_asked_for_is_answered(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (number, media) in
            ["application/scim+json", "application/json", "application/scim+json; charset=utf-8", "Application/JSON;charset=UTF-8"].iter().enumerate()
        {
            let body = user(&format!("zoë-{number}")).to_string().into_bytes();
            let created = caller.try_send("POST", "/Users", &[("content-type", media)], Some(body)).await.expect("an answer");
            assert_eq!((created.status, created.header("content-type")), (201, Some(SCIM_JSON)), "{media}: {}", created.text);
            assert_eq!(created.json()["userName"], format!("zoë-{number}").as_str());
        }
        for (accept, answered) in [
            (None, SCIM_JSON), (Some("*/*"), SCIM_JSON), (Some("application/scim+json"), SCIM_JSON), (Some("application/json"), JSON),
            (Some("application/json, text/plain, */*"), JSON), (Some("application/scim+json, application/json"), SCIM_JSON), (Some("text/html"), SCIM_JSON),
        ] {
            let headers: Vec<(&str, &str)> = accept.map(|accept| ("accept", accept)).into_iter().collect();
            for path in ["/Users", "/Users/nobody", "/Schemas", "/Nothing", "/Users?filter=x"] {
                let answer = caller.send_with("GET", path, &headers, None).await;
                assert_eq!(answer.header("content-type"), Some(answered), "{accept:?} {path}");
            }
        }
        let id = caller.create("Users", &user("written")).await;
        for media in ["text/plain", "application/xml", "application/scim", "application/json; charset=latin1", "multipart/form-data; boundary=x", ""] {
            let headers: Vec<(&str, &str)> = Some(("content-type", media)).filter(|_| !media.is_empty()).into_iter().collect();
            for (method, path) in [("POST", "/Users".to_owned()), ("PUT", format!("/Users/{id}")), ("PATCH", format!("/Users/{id}")), ("POST", "/.search".to_owned())] {
                let body = user("written").to_string().into_bytes();
                let refused = caller.try_send(method, &path, &headers, Some(body)).await.expect("an answer");
                assert_refused(&refused, 415, None);
            }
        }
    }

    async fn one_resource_is_found_by_its_id_at_its_own_endpoint(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (person, team) = (caller.create("Users", &user("found")).await, caller.create("Groups", &group("Found", &[])).await);
        for (resources, id, elsewhere) in [("Users", &person, "Groups"), ("Groups", &team, "Users")] {
            let path = format!("/{resources}/{id}");
            let read = caller.get(&path).await;
            assert_eq!((read.status, &read.json()["id"]), (200, &json!(id)));
            assert_eq!(read.header("etag"), read.json()["meta"]["version"].as_str());
            for same in [format!("{path}?"), format!("{path}/"), format!("{path}?x=y&&"), format!("{path}?aadOptscim062020")] {
                assert_eq!(caller.get(&same).await.text, read.text, "{same}");
            }
            let head = caller.send("HEAD", &path, None).await;
            assert_eq!((head.status, head.text.as_str(), head.header("etag")), (200, "", read.header("etag")));
            for missing in [format!("/{elsewhere}/{id}"), format!("/{resources}/{}", id.to_uppercase()), format!("/{resources}/{id}x"), format!("/{resources}/00919288221112222")] {
                assert_refused(&caller.get(&missing).await, 404, None);
            }
        }
    }

    async fn a_list_holds_what_there_is_and_says_how_much(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for place in ["/Users", "/Groups", "/"] {
            let empty = caller.get(place).await.json();
            let expected = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []});
            assert_eq!(empty, expected, "{place}");
        }
        let id = caller.create("Users", &person("listed")).await;
        caller.create("Groups", &group("Listed", &[&id])).await;
        let everybody = caller.get("/Users").await;
        let mut one = caller.get(&format!("/Users/{id}")).await.json();
        assert_eq!(everybody.json()["Resources"], json!([one.take()]));
        for same in ["/Users/", "/Users?", "/Users?&", "/Users?x=y", "/Users/?count=100&", "/Users?startIndex=1&aadOptscim062020"] {
            assert_eq!(caller.get(same).await.text, everybody.text, "{same}");
        }
        assert_eq!(caller.find("Users", "userName eq \"nobody\"").await.json()["Resources"], json!([]), "nobody is no error");
        for (query, scim_type) in [
            ("filter=userName%20pr&filter=title%20pr", "invalidFilter"), ("filter=", "invalidFilter"), ("filter=nosuch%20pr", "invalidFilter"),
            ("count=many", "invalidValue"), ("startIndex=1.5", "invalidValue"),
        ] {
            for place in ["/Users", "/Groups", "/"] {
                assert_refused(&caller.get(&format!("{place}?{query}")).await, 400, Some(scim_type));
            }
        }
    }

    async fn what_has_no_order_is_refused_as_one(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for name in ["b", "a"] {
            caller.create("Users", &user(name)).await;
        }
        let unsorted = caller.get("/Users").await.json();
        assert_eq!(caller.get("/Users?sortOrder=descending").await.json(), unsorted, "a direction of nothing says nothing");
        for query in [
            "sortBy=name", "sortBy=addresses", "sortBy=meta", "sortBy=nosuch", "sortBy=name.nosuch", "sortBy=password", "sortBy=emails%5Btype%20eq%20%22work%22%5D",
            "sortBy=urn:example:none:1.0:User:x", "sortBy=userName&sortOrder=upwards",
        ] {
            assert_refused(&caller.get(&format!("/Users?{query}")).await, 400, Some("invalidValue"));
            let pairs = query.split('&').map(|pair| pair.split_once('=').expect("a pair"));
            let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
            let body: Value = pairs.map(|(name, value)| (name.to_owned(), json!(decoded(value)))).collect::<serde_json::Map<_, _>>().into();
            assert_refused(&caller.send("POST", "/Users/.search", Some(&body)).await, 400, Some("invalidValue"));
        }
    }

    async fn a_search_goes_on_by_the_cursor_in_its_body(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for number in 0..7 {
            caller.create("Users", &user(&format!("n{number}"))).await;
        }
        let ids = |page: &Value| page["Resources"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        let all = ids(&caller.get("/Users?sortBy=userName").await.json());
        for place in ["/Users/.search", "/.search"] {
            let (mut seen, mut cursor) = (vec![], json!(""));
            loop {
                let asked = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "sortBy": "userName", "count": 3, "cursor": cursor});
                let page = caller.send("POST", place, Some(&asked)).await;
                assert_eq!(page.status, 200, "{}", page.text);
                let page = page.json();
                assert!(page.get("previousCursor").is_none() && page.get("startIndex").is_none(), "{page}");
                assert_eq!(page["totalResults"], 7);
                seen.extend(ids(&page));
                match page.get("nextCursor") {
                    None => break,
                    Some(next) => cursor = next.clone(),
                }
                let other = json!({"sortBy": "title", "count": 3, "cursor": cursor});
                assert_refused(&caller.send("POST", place, Some(&other)).await, 400, Some("invalidCursor"));
            }
            assert_eq!(seen, all, "{place}");
        }
    }

    async fn every_answer_shows_the_attributes_that_were_asked_for(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let id = caller.create("Users", &person("projected")).await;
        let path = format!("/Users/{id}");
        caller.create("Groups", &group("Projected", &[&id])).await;
        let all = vec!["active", "displayName", "emails", "externalId", "groups", "id", "meta", "name", "schemas", "title", ENTERPRISE_URN, "userName"];
        let without = |hidden: &[&str]| all.iter().copied().filter(|name| !hidden.contains(name)).collect::<Vec<_>>();
        let extension = format!("{ENTERPRISE_URN}:department");
        for (list, names_asked, expected) in [
            ("attributes", "title", vec!["id", "schemas", "title"]),
            ("attributes", "TITLE, name.givenName ,nosuch", vec!["id", "name", "schemas", "title"]),
            ("attributes", "password", vec!["id", "schemas"]),
            ("attributes", ENTERPRISE_URN, vec!["id", "schemas", ENTERPRISE_URN]),
            ("attributes", &extension, vec!["id", "schemas", ENTERPRISE_URN]),
            ("attributes", "groups,meta.version", vec!["groups", "id", "meta", "schemas"]),
            ("excludedAttributes", "title,emails", without(&["title", "emails"])),
            ("excludedAttributes", "id,schemas,groups,nosuch", without(&["groups"])),
            ("excludedAttributes", ENTERPRISE_URN, without(&[ENTERPRISE_URN])),
        ] {
            let query = format!("{list}={}", encoded(names_asked));
            let asked: Vec<&str> = names_asked.split(',').map(str::trim).collect();
            let search = json!({"filter": "userName eq \"projected\"", list: asked});
            let other = json!([{"op": "replace", "path": "title", "value": "T"}]);
            let mut put = person("projected");
            put["active"] = json!(true);
            for (place, answer) in [
                ("one", caller.get(&format!("{path}?{query}")).await),
                ("list", caller.get(&format!("/Users?{query}")).await),
                ("root", caller.get(&format!("/?filter=userName%20pr&{query}")).await),
                ("search", caller.send("POST", "/Users/.search", Some(&search)).await),
                ("search everywhere", caller.send("POST", "/.search", Some(&search)).await),
                ("PUT", caller.send("PUT", &format!("{path}?{query}"), Some(&put)).await),
                ("PATCH", caller.send("PATCH", &format!("{path}?{query}"), Some(&patch(other))).await),
            ] {
                assert_eq!(answer.status, 200, "{place} {query}: {}", answer.text);
                let mut expected = expected.clone();
                expected.sort_unstable();
                assert_eq!(names(shown(&answer.json())), expected, "{place} {query}");
            }
        }
        let created = caller.send("POST", "/Users?attributes=userName", Some(&person("second"))).await;
        assert_eq!((created.status, names(&created.json())), (201, vec!["id", "schemas", "userName"]));
        let cut = caller.get(&format!("{path}?attributes=name.givenName,emails.value,{ENTERPRISE_URN}:division")).await.json();
        assert_eq!((&cut["name"], &cut["emails"]), (&json!({"givenName": "G"}), &json!([{"value": "projected@example.com"}])));
        assert_eq!(cut[ENTERPRISE_URN], json!({"division": "V"}));
        let team = caller.send("POST", "/Groups?excludedAttributes=members", Some(&group("Second", &[&id]))).await;
        assert_eq!((team.status, team.json().get("members")), (201, None));
        let asked = format!("/Groups/{}?attributes=displayName", team.json()["id"].as_str().expect("an id"));
        let renamed = caller.patch(&asked, json!([{"op": "replace", "path": "displayName", "value": "Third"}])).await;
        assert_eq!((renamed.status, names(&renamed.json())), (200, vec!["displayName", "id", "schemas"]), "asked for attributes, a PATCH has a body");
    }

    async fn two_lists_of_attributes_at_once_are_refused_everywhere(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &user("projected")).await);
        let before = caller.get(&path).await.text;
        let both = "attributes=title&excludedAttributes=name";
        let operations = patch(json!([{"op": "add", "path": "title", "value": "T"}]));
        for (method, place, body) in [
            ("GET", path.as_str(), None), ("GET", "/Users", None), ("GET", "/Groups", None), ("GET", "/", None),
            ("POST", "/Users", Some(user("second"))), ("POST", "/Groups", Some(group("Second", &[]))),
            ("PUT", path.as_str(), Some(user("second"))), ("PATCH", path.as_str(), Some(operations)),
        ] {
            assert_refused(&caller.send(method, &format!("{place}?{both}"), body.as_ref()).await, 400, Some("invalidValue"));
        }
        for place in ["/Users/.search", "/Groups/.search", "/.search"] {
            let asked = json!({"attributes": ["title"], "excludedAttributes": ["name"]});
            assert_refused(&caller.send("POST", place, Some(&asked)).await, 400, Some("invalidValue"));
        }
        assert_eq!(caller.get(&path).await.text, before, "nothing was written");
        assert_eq!(caller.get("/").await.json()["totalResults"], 1);
    }

    async fn names_may_be_written_out_with_their_urn_wherever_names_stand(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let caller = Caller::of(&gateway, "strict", &token);
        let mut body = person("urned");
        body.as_object_mut().expect("an object").remove("password");
        body["schemas"] = json!([USER_URN, ENTERPRISE_URN]);
        let path = format!("/Users/{}", caller.create("Users", &body).await);
        let department = format!("{ENTERPRISE_URN}:department");
        for filter in [
            format!("{USER_URN}:userName eq \"urned\""), format!("{USER_URN}:name.givenName sw \"g\""), format!("{USER_URN}:emails[type eq \"work\"]"),
            format!("{department} eq \"d\""), format!("{}:MANAGER.value eq null", ENTERPRISE_URN.to_lowercase()),
        ] {
            assert_eq!(caller.find("Users", &filter).await.json()["totalResults"], 1, "{filter}");
        }
        for (to, at, value) in [
            (format!("{USER_URN}:title"), "/title", "B"), (format!("{USER_URN}:name.familyName"), "/name/familyName", "N"),
            (format!("{USER_URN}:emails[type eq \"work\"].value"), "/emails/0/value", "w@example.com"), (department.clone(), "", "E"),
        ] {
            let answer = caller.patch(&path, json!([{"op": "replace", "path": to, "value": value}])).await;
            assert_eq!(answer.status, 200, "{to}: {}", answer.text);
            let answer = answer.json();
            let found = if at.is_empty() { &answer[ENTERPRISE_URN]["department"] } else { answer.pointer(at).expect("it is there") };
            assert_eq!(found, value, "{to}");
        }
        for sort_by in [format!("{USER_URN}:userName"), department.clone()] {
            assert_eq!(caller.get(&format!("/Users?sortBy={sort_by}")).await.json()["totalResults"], 1, "{sort_by}");
        }
        let cut = caller.get(&format!("{path}?attributes={USER_URN}:title,{department}")).await.json();
        assert_eq!((names(&cut), &cut[ENTERPRISE_URN]), (vec!["id", "schemas", "title", ENTERPRISE_URN], &json!({"department": "E"})));
        let hidden = caller.get(&format!("{path}?excludedAttributes={USER_URN}:name.familyName,{ENTERPRISE_URN}")).await.json();
        assert_eq!((&hidden["name"], hidden.get(ENTERPRISE_URN)), (&json!({"givenName": "G"}), None));
        // A URN that names nothing here: another schema's, another type's, one cut at a dot.
        let before = caller.get(&path).await.text;
        for urn in ["urn:example:none:1.0:User", GROUP_URN, "urn:ietf:params:scim:schemas:core:2", "urn:ietf:params:scim:schemas:extension:enterprise:2.0"] {
            let name = format!("{urn}:displayName");
            assert_refused(&caller.find("Users", &format!("{name} pr")).await, 400, Some("invalidFilter"));
            assert_refused(&caller.get(&format!("/Users?sortBy={name}")).await, 400, Some("invalidValue"));
            assert_refused(&caller.patch(&path, json!([{"op": "replace", "path": name, "value": "x"}])).await, 400, Some("invalidPath"));
            assert_eq!(names(&caller.get(&format!("{path}?attributes={name}")).await.json()), ["id", "schemas"]);
        }
        assert_eq!(caller.get(&path).await.text, before);
    }
}
