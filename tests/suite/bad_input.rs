//! What no well-behaved client sends: each request gets the SCIM error of RFC 7644 §3.12 that fits, within a bound, and leaves no
//! row behind. The table is the specification; the random part looks for what nobody thought of.

mod strict;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::support::caller::{
    Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, encoded, group, on_both_gateways, refusal_faults, user,
};
use super::support::gateway::Gateway;
use super::support::rows::Database;

/// A refusal takes at most this long (goal: 250 ms alone on the machine; tests share it).
const BOUND: Duration = Duration::from_secs(2);
/// Random requests per store, and the seed they come from.
const RANDOM_REQUESTS: usize = 10_000;
const SEED: u64 = 0x5C1A;

const SCIM_JSON: &str = "application/scim+json";

/// One bad request and how it is refused.
struct Case {
    name: &'static str,
    method: &'static str,
    path: String,
    media_type: &'static str,
    body: Option<Vec<u8>>,
    status: u16,
    scim_type: Option<&'static str>,
}

impl Case {
    fn media(self, media_type: &'static str) -> Self {
        Self { media_type, ..self }
    }

    fn refused(self, status: u16) -> Self {
        Self { status, scim_type: None, ..self }
    }
}

/// A body that is refused with 400 and this type.
fn raw(name: &'static str, method: &'static str, path: &str, body: impl Into<Vec<u8>>, scim_type: &'static str) -> Case {
    let body = Some(body.into());
    Case { name, method, path: path.to_owned(), media_type: SCIM_JSON, body, status: 400, scim_type: Some(scim_type) }
}

/// A new user with one member more or another.
fn with(name: &'static str, member: &str, value: Value) -> Case {
    let mut body = user("refused");
    body[member] = value;
    raw(name, "POST", "/Users", body.to_string(), "invalidValue")
}

fn get(name: &'static str, path: &str, scim_type: &'static str) -> Case {
    Case { body: None, ..raw(name, "GET", path, "", scim_type) }
}

const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A list of users by a filter, in the URL and as a search.
fn filter(name: &'static str, text: &str) -> [Case; 2] {
    [
        get(name, &format!("/Users?filter={}", encoded(text)), "invalidFilter"),
        raw(name, "POST", "/Users/.search", json!({"schemas": [SEARCH_URN], "filter": text}).to_string(), "invalidFilter"),
    ]
}

fn operations(name: &'static str, path: &str, operations: Value, scim_type: &'static str) -> Case {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    raw(name, "PATCH", path, body.to_string(), scim_type)
}

/// Texts that are no JSON, or JSON of another shape.
fn broken_bodies(one: &str) -> Vec<Case> {
    let mut cases = vec![];
    for (method, path) in [("POST", "/Users"), ("POST", "/Groups"), ("PUT", one), ("PATCH", one), ("POST", "/Users/.search")] {
        cases.extend([
            raw("an empty body", method, path, "", "invalidSyntax"),
            raw("blanks", method, path, " \n\t ", "invalidSyntax"),
            raw("an unclosed object", method, path, "{\"userName\":\"a\"", "invalidSyntax"),
            raw("an unclosed string", method, path, "{\"userName\":\"a", "invalidSyntax"),
            raw("a trailing comma", method, path, "{\"userName\":\"a\",}", "invalidSyntax"),
            raw("single quotes", method, path, "{'userName':'a'}", "invalidSyntax"),
            raw("a comment", method, path, "{/* a */\"userName\":\"a\"}", "invalidSyntax"),
            raw("something after the end", method, path, "{\"userName\":\"a\"}{}", "invalidSyntax"),
            raw("not a number", method, path, "{\"userName\":NaN}", "invalidSyntax"),
            raw("a number too large", method, path, "{\"userName\":1e999}", "invalidSyntax"),
            raw("half a surrogate pair", method, path, "{\"userName\":\"\\ud800\"}", "invalidSyntax"),
            raw("a control character", method, path, "{\"userName\":\"a\nb\"}", "invalidSyntax"),
            raw("U+0000", method, path, "{\"userName\":\"a\\u0000b\"}", "invalidSyntax"),
            raw("invalid UTF-8", method, path, b"{\"userName\":\"\xff\xfe\"}".to_vec(), "invalidSyntax"),
            raw("an overlong UTF-8 form", method, path, b"{\"userName\":\"\xc0\xaf\"}".to_vec(), "invalidSyntax"),
            raw(
                "UTF-16",
                method,
                path,
                "{\"userName\":\"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
                "invalidSyntax",
            ),
            raw("binary", method, path, (0..=255).collect::<Vec<u8>>(), "invalidSyntax"),
            raw("a form", method, path, "userName=a&active=true", "invalidSyntax"),
            raw("XML", method, path, "<user><userName>a</userName></user>", "invalidSyntax"),
            raw("an array", method, path, "[{\"userName\":\"a\"}]", "invalidSyntax"),
            raw("a string", method, path, "\"userName\"", "invalidSyntax"),
            raw("null", method, path, "null", "invalidSyntax"),
            raw("a number", method, path, "42", "invalidSyntax"),
            raw("a key twice", method, path, "{\"userName\":\"a\",\"userName\":\"b\"}", "invalidSyntax"),
            raw("a key twice in another case", method, path, "{\"userName\":\"a\",\"USERNAME\":\"b\"}", "invalidSyntax"),
            raw("absurd nesting", method, path, "[".repeat(100_000), "invalidSyntax"),
            raw("absurd nesting of objects", method, path, "{\"a\":".repeat(100_000), "invalidSyntax"),
            raw("no media type", method, path, "{\"userName\":\"a\"}", "").media("").refused(415),
            raw("another media type", method, path, "{\"userName\":\"a\"}", "").media("text/plain").refused(415),
            raw("a form's media type", method, path, "a=b", "").media("application/x-www-form-urlencoded").refused(415),
            raw("another charset", method, path, "{\"userName\":\"a\"}", "")
                .media("application/json; charset=utf-16")
                .refused(415),
        ]);
    }
    cases
}

/// Users of well-formed JSON that are no users.
fn wrong_users(one: &str) -> Vec<Case> {
    let enterprise = |name, value| with(name, ENTERPRISE_URN, value);
    let mut cases = vec![
        raw("no userName", "POST", "/Users", json!({"schemas": [USER_URN], "displayName": "x"}).to_string(), "invalidValue"),
        raw("no userName in a PUT", "PUT", one, json!({"schemas": [USER_URN], "displayName": "x"}).to_string(), "invalidValue"),
        raw("an empty object", "POST", "/Users", "{}", "invalidValue"),
        with("an empty userName", "userName", json!("")),
        with("a blank userName", "userName", json!("  \t ")),
        with("userName null", "userName", Value::Null),
        with("userName a number", "userName", json!(7)),
        with("userName a list", "userName", json!(["a"])),
        with("userName an object", "userName", json!({"value": "a"})),
        with("userName of 1 MB", "userName", json!("x".repeat(1_000_000))),
        with("externalId a number", "externalId", json!(7)),
        with("externalId of 1 MB", "externalId", json!("x".repeat(1_000_000))),
        with("active a word", "active", json!("maybe")),
        with("active a number", "active", json!(1)),
        with("active a list", "active", json!([true])),
        with("name a string", "name", json!("Ada")),
        with("name a list", "name", json!([{"givenName": "Ada"}])),
        with("a name's part a number", "name", json!({"givenName": 7})),
        with("emails a number", "emails", json!(7)),
        with("emails of numbers", "emails", json!([1, 2])),
        with("an address that is a list", "emails", json!([{"value": ["a@b"]}])),
        with("lists in lists", "emails", json!([[{"value": "a@b"}]])),
        with("primary a number", "emails", json!([{"value": "a@b", "primary": 1}])),
        with("two primaries", "emails", json!([{"value": "a@b", "primary": true}, {"value": "c@d", "primary": true}])),
        with("1,001 addresses", "emails", (0..1_001).map(|n| json!({"value": format!("{n}@b")})).collect()),
        with("a certificate that is no base64", "x509Certificates", json!([{"value": "not base64!"}])),
        with("schemas a string", "schemas", json!(7)),
        with("schemas of numbers", "schemas", json!([7])),
        with("password a list", "password", json!(["a"])),
        enterprise("an extension that is a string", json!("x")),
        enterprise("an extension that is a list", json!([])).refused(0),
        enterprise("a department that is an object", json!({"department": {"value": "x"}})),
        enterprise("a manager that is a list", json!({"manager": [{"value": "x"}, {"value": "y"}]})),
        enterprise("a manager that is a number", json!({"manager": 7})),
    ];
    // An empty list is the same as nothing (RFC 7643 §2.5).
    cases.retain(|case| case.status != 0);
    cases
}

fn wrong_groups(group: &str) -> Vec<Case> {
    let body = |value: Value| json!({"schemas": [GROUP_URN], "displayName": "Refused", "members": value}).to_string();
    let ghost = json!([{"value": "01900000-0000-7000-8000-00000000dead"}]);
    vec![
        raw("no displayName", "POST", "/Groups", json!({"schemas": [GROUP_URN]}).to_string(), "invalidValue"),
        raw("displayName a number", "POST", "/Groups", json!({"displayName": 7}).to_string(), "invalidValue"),
        raw("members a number", "POST", "/Groups", body(json!(7)), "invalidValue"),
        raw("members of numbers", "POST", "/Groups", body(json!([7])), "invalidValue"),
        raw("a member that nobody is", "POST", "/Groups", body(ghost.clone()), "invalidValue"),
        raw("a forged member id", "POST", "/Groups", body(json!([{"value": "' OR 1=1 --"}])), "invalidValue"),
        raw("a member without value", "POST", "/Groups", body(json!([{"display": "Ada"}])), "invalidValue"),
        raw("a member that nobody is in a PUT", "PUT", group, body(ghost.clone()), "invalidValue"),
        operations(
            "to add a member that nobody is",
            group,
            json!([{"op": "add", "path": "members", "value": ghost}]),
            "invalidValue",
        ),
        operations(
            "members edited in place",
            group,
            json!([{"op": "replace", "path": "members[value eq \"x\"].value", "value": "y"}]),
            "mutability",
        ),
        operations("displayName removed", group, json!([{"op": "remove", "path": "displayName"}]), "mutability"),
    ]
}

fn wrong_patches(one: &str) -> Vec<Case> {
    let of = |name, operation: Value, scim_type| operations(name, one, json!([operation]), scim_type);
    let replace = |path: &str, value: Value| json!({"op": "replace", "path": path, "value": value});
    vec![
        raw("no Operations", "PATCH", one, "{}", "invalidSyntax"),
        operations("no operation", one, json!([]), "invalidSyntax"),
        operations("Operations a string", one, json!("add"), "invalidSyntax"),
        operations("an operation that is a string", one, json!(["add"]), "invalidSyntax"),
        of("no op", json!({"path": "title", "value": "x"}), "invalidSyntax"),
        of("an unknown op", json!({"op": "copy", "path": "title", "value": "x"}), "invalidSyntax"),
        of("op a number", json!({"op": 1, "path": "title"}), "invalidSyntax"),
        of("path a list", json!({"op": "add", "path": ["title"], "value": "x"}), "invalidPath"),
        of("remove without path", json!({"op": "remove"}), "noTarget"),
        of("add without value", json!({"op": "add", "path": "title"}), "invalidValue"),
        of("a path-less string", json!({"op": "add", "value": "x"}), "invalidValue"),
        of("an unknown attribute", replace("nosuch", json!("x")), "invalidPath"),
        of("an unknown sub-attribute", replace("name.nosuch", json!("x")), "invalidPath"),
        of("an unknown URN", replace("urn:example:none:1.0:User:x", json!("x")), "invalidPath"),
        of("a path of three parts", replace("name.givenName.x", json!("x")), "invalidPath"),
        of("an unclosed bracket", replace("emails[type eq \"work\"", json!("x")), "invalidFilter"),
        of("an empty bracket", replace("emails[]", json!("x")), "invalidFilter"),
        of("a filter on no list", replace("title[value eq \"x\"]", json!("x")), "invalidPath"),
        of("an unknown part in a path's filter", replace("emails[nosuch eq \"x\"].value", json!("x")), "invalidFilter"),
        of("something after the bracket", replace("emails[type eq \"work\"]value", json!("x")), "invalidPath"),
        of("id replaced", replace("id", json!("x")), "mutability"),
        of("meta replaced", replace("meta.version", json!("x")), "mutability"),
        of("groups replaced", replace("groups", json!([{"value": "x"}])), "mutability"),
        of("userName removed", json!({"op": "remove", "path": "userName"}), "mutability"),
        of("a forged id in a value", json!({"op": "replace", "value": {"id": "other"}}), "mutability"),
        of("active a word", replace("active", json!("maybe")), "invalidValue"),
        of("userName emptied", replace("userName", json!("")), "invalidValue"),
        of("a title of 1 MB", replace("title", json!("x".repeat(1_000_000))), "invalidValue"),
        of(
            "two primaries",
            json!({"op": "add", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            "invalidValue",
        ),
        operations(
            "the third of three",
            one,
            json!([replace("title", json!("x")), replace("nickName", json!("y")), replace("nosuch", json!("z"))]),
            "invalidPath",
        ),
    ]
}

fn wrong_lists() -> Vec<Case> {
    let mut cases = vec![
        get("count a word", "/Users?count=many", "invalidValue"),
        get("startIndex a word", "/Groups?startIndex=first", "invalidValue"),
        get("two filters", "/Users?filter=userName%20pr&filter=title%20pr", "invalidFilter"),
        get("both projections", "/Users?attributes=title&excludedAttributes=name", "invalidValue"),
        get("a query that is not UTF-8", "/Users?filter=%ff%fe", "invalidValue"),
        raw("count a list", "POST", "/Users/.search", json!({"count": [1]}).to_string(), "invalidValue"),
        raw("filter a number", "POST", "/Users/.search", json!({"filter": 7}).to_string(), "invalidValue"),
        raw("attributes of numbers", "POST", "/Groups/.search", json!({"attributes": [7]}).to_string(), "invalidValue"),
        get("a filter of discovery", "/Schemas?filter=id%20pr", "").refused(403),
    ];
    for (name, text) in [
        ("an empty filter", ""),
        ("a word alone", "userName"),
        ("no value", "userName eq"),
        ("an unknown operator", "userName like \"a\""),
        ("an unclosed string", "userName eq \"a"),
        ("an unclosed parenthesis", "(userName eq \"a\""),
        ("a parenthesis too much", "userName eq \"a\")"),
        ("and without an end", "userName eq \"a\" and"),
        ("two filters without a word between", "userName pr title pr"),
        ("not without parentheses", "not userName pr"),
        ("an unknown attribute", "nosuch eq \"a\""),
        ("an unknown sub-attribute", "name.nosuch eq \"a\""),
        ("an unknown URN", "urn:example:none:1.0:User:x eq \"a\""),
        ("a complex attribute", "name eq \"a\""),
        ("an order of booleans", "active gt true"),
        ("part of a boolean", "active co \"t\""),
        ("part of nothing", "userName co \"\""),
        ("a text for a time", "meta.created gt \"yesterday\""),
        ("a text for a boolean", "active eq \"perhaps\""),
        ("brackets in brackets", "emails[type[value eq \"a\"] eq \"b\"]"),
        ("a bad escape", "userName eq \"\\x41\""),
        ("what can't be asked", "password eq \"a\""),
        ("null's order", "title gt null"),
        ("control characters", "userName\u{1}eq\u{1}\"a\""),
    ] {
        cases.extend(filter(name, text));
    }
    cases
}

fn wrong_places(one: &str) -> Vec<Case> {
    let plain = |name, method, path: &str, status| Case { body: None, ..raw(name, method, path, "", "") }.refused(status);
    let ghost = "/Users/01900000-0000-7000-8000-00000000dead";
    let put = raw("a PUT of nobody", "PUT", ghost, user("nobody").to_string(), "").refused(404);
    let patched = operations("a PATCH of nobody", ghost, json!([{"op": "add", "path": "title", "value": "x"}]), "").refused(404);
    vec![
        put,
        patched,
        plain("nobody", "GET", ghost, 404),
        plain("to delete nobody", "DELETE", ghost, 404),
        plain("a forged id", "GET", "/Users/1%27%20OR%20%271%27=%271", 404),
        plain("an id that is not UTF-8", "GET", "/Users/%ff%fe", 404),
        plain("an id with a line's end", "DELETE", "/Users/%0d%0a", 404),
        plain("an unknown path", "GET", "/Nothing", 404),
        plain("a path that is too long", "GET", &format!("{one}/emails"), 404),
        plain("an unknown schema", "GET", "/Schemas/urn:example:none", 404),
        plain("no such method on a list", "DELETE", "/Users", 405),
        plain("no such method on one", "POST", one, 405),
        plain("a search by GET", "GET", "/Users/.search", 405),
        plain("to delete a schema", "DELETE", &format!("/Schemas/{USER_URN}"), 405),
        plain("a made-up method", "BREW", "/Users", 405),
    ]
}

/// How many rows each table that a write moves has.
async fn counts(database: &mut Database) -> Map<String, Value> {
    let tables = [
        "users",
        "user_values",
        "identities",
        "identity_values",
        "groups",
        "members",
        "blocks",
        "conflicts",
        "history",
        "log",
        "outbox",
    ];
    let columns: Vec<String> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table}) AS {table}_n")).collect();
    database.rows(&format!("SELECT {}", columns.join(", "))).await.remove(0)
}

async fn populated(gateway: &Gateway) -> (Caller, String, String) {
    let caller = Caller::new(gateway);
    let one = caller.create("Users", &user("somebody")).await;
    let group = caller.create("Groups", &group("Some", &[&one])).await;
    (caller, format!("/Users/{one}"), format!("/Groups/{group}"))
}

/// Sends every case; what is wrong with the answers and with what they left.
async fn faults_of(caller: &Caller, database: &mut Database, cases: impl IntoIterator<Item = Case>) -> Vec<String> {
    let before = counts(database).await;
    let mut faults = vec![];
    for case in cases {
        let media = Some(case.media_type).filter(|media| !media.is_empty());
        let headers: Vec<(&str, &str)> = media.map(|media| ("content-type", media)).into_iter().collect();
        let answer = caller.try_send(case.method, &case.path, &headers, case.body).await.expect("an answer");
        let what = format!("{} ({} {})", case.name, case.method, case.path.chars().take(80).collect::<String>());
        faults.extend(refusal_faults(&answer, case.status, case.scim_type).map(|fault| format!("{what}: {fault}")));
        if answer.took > BOUND {
            faults.push(format!("{what}: took {:?}", answer.took));
        }
        if answer.text.len() > 2_000 {
            faults.push(format!("{what}: a refusal of {} bytes", answer.text.len()));
        }
        let after = counts(database).await;
        if after != before {
            faults.push(format!("{what}: left rows, {before:?} became {after:?}"));
            break;
        }
    }
    faults
}

on_both_gateways! {
    async fn every_bad_request_gets_its_scim_error_and_leaves_no_row(store) {
        let gateway = Gateway::start(store).await;
        let (caller, one, group) = populated(&gateway).await;
        let mut database = Database::open(gateway.database_url()).await;
        let (resource, members) = (caller.get(&one).await.text, caller.get(&group).await.text);
        let cases = [broken_bodies(&one), wrong_users(&one), wrong_groups(&group), wrong_patches(&one), wrong_lists(), wrong_places(&one)];
        let faults = faults_of(&caller, &mut database, cases.into_iter().flatten()).await;
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        assert_eq!(caller.get(&one).await.text, resource);
        assert_eq!(caller.get(&group).await.text, members);
    }

    async fn ten_thousand_random_requests_find_no_panic_and_no_5xx(store) {
        let gateway = Gateway::start(store).await;
        let (caller, one, group) = populated(&gateway).await;
        let mut random = StdRng::seed_from_u64(SEED);
        let mut slowest = (Duration::ZERO, String::new());
        for number in 0..RANDOM_REQUESTS {
            let (method, path, body) = random_request(&mut random, &one, &group, number);
            let headers = [("content-type", SCIM_JSON), ("x-request-id", &format!("random-{number}"))];
            let answer = caller.try_send(method, &path, &headers, body.clone()).await;
            let shown = || format!("seed {SEED:#x}, request {number}: {method} {path}\n{}", String::from_utf8_lossy(body.as_deref().unwrap_or_default()));
            let answer = answer.unwrap_or_else(|error| panic!("{error}: {}", shown()));
            assert!(answer.status < 500, "{} {}: {}", answer.status, answer.text, shown());
            if answer.status >= 400 {
                assert_eq!(refusal_faults(&answer, answer.status, answer.json()["scimType"].as_str()), None, "{}", shown());
            }
            if answer.took > slowest.0 {
                slowest = (answer.took, format!("{method} {}", path.chars().take(200).collect::<String>()));
            }
            assert!(answer.took < BOUND, "{:?}: {}", answer.took, shown());
        }
        eprintln!("{store:?}: the slowest of {RANDOM_REQUESTS} took {:?}: {}", slowest.0, slowest.1);
        let printed = gateway.everything_printed();
        assert!(!printed.contains("panicked") && !printed.contains("internal error"), "{printed}");
    }
}

/// A request that is nearly right, or not at all.
fn random_request(random: &mut StdRng, one: &str, group: &str, number: usize) -> (&'static str, String, Option<Vec<u8>>) {
    let method = *["GET", "GET", "POST", "POST", "PUT", "PATCH", "PATCH", "PATCH"].choose(random).unwrap();
    match method {
        "GET" => {
            let list = *["/Users", "/Groups", one, group, "/Schemas", "/ResourceTypes"].choose(random).unwrap();
            let parameter = *["filter", "filter", "filter", "attributes", "excludedAttributes", "sortBy", "count", "startIndex"]
                .choose(random)
                .unwrap();
            (method, format!("{list}?{parameter}={}", encoded_bytes(random_filter(random).as_bytes(), random)), None)
        }
        "POST" if random.random_ratio(1, 3) => {
            let body =
                json!({"filter": random_filter(random), "count": random_value(random, 1), "attributes": random_value(random, 2)});
            ("POST", (*["/Users/.search", "/Groups/.search"].choose(random).unwrap()).to_owned(), Some(damaged(random, body)))
        }
        "PATCH" => {
            let operations: Vec<Value> = (0..random.random_range(1..5)).map(|_| random_operation(random)).collect();
            let path = *[one, group].choose(random).unwrap();
            ("PATCH", path.to_owned(), Some(damaged(random, json!({"Operations": operations}))))
        }
        _ => {
            let mut body = user(&format!("random-{number}"));
            for _ in 0..random.random_range(1..5) {
                body[random_name(random)] = random_value(random, 4);
            }
            let path = if method == "PUT" {
                *[one, group].choose(random).unwrap()
            } else {
                *["/Users", "/Groups"].choose(random).unwrap()
            };
            (method, path.to_owned(), Some(damaged(random, body)))
        }
    }
}

fn random_operation(random: &mut StdRng) -> Value {
    let op = *["add", "replace", "remove", "Add", "move", ""].choose(random).unwrap();
    let mut path = random_name(random);
    if random.random_bool(0.3) {
        path = format!("{path}[{}]", random_filter(random));
    }
    if random.random_bool(0.3) {
        path = format!("{path}.{}", random_name(random));
    }
    match random.random_range(0..4) {
        0 => json!({"op": op, "value": {path: random_value(random, 3)}}),
        1 => json!({"op": op, "path": path}),
        _ => json!({"op": op, "path": path, "value": random_value(random, 3)}),
    }
}

fn random_name(random: &mut StdRng) -> String {
    const NAMES: [&str; 24] = [
        "userName",
        "externalId",
        "id",
        "meta",
        "schemas",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "active",
        "password",
        "groups",
        "members",
        "members.value",
        "displayName",
        "title",
        "phoneNumbers",
        "addresses",
        "x509Certificates",
        "photos",
        "nosuch",
        ENTERPRISE_URN,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "urn:",
    ];
    (*NAMES.choose(random).unwrap()).to_owned()
}

fn random_value(random: &mut StdRng, depth: usize) -> Value {
    match random.random_range(0..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.random_bool(0.5)),
        2 => json!(random.random::<i64>()),
        3 => json!(random.random::<f64>() * 1e300),
        4 => json!(*["", "x", "True", "2026-01-01T00:00:00Z", "ß\u{130}\u{1F600}", "a@b.example"].choose(random).unwrap()),
        5 => json!("x".repeat(random.random_range(0..3_000))),
        6 => json!((0..random.random_range(0..20)).map(|_| random.random::<char>()).collect::<String>()),
        7 => (0..random.random_range(0..5)).map(|_| random_value(random, depth - 1)).collect(),
        _ => {
            let members = (0..random.random_range(0..5)).map(|_| {
                let name = *["value", "type", "primary", "display", "$ref", "givenName", "nosuch"].choose(random).unwrap();
                (name.to_owned(), random_value(random, depth - 1))
            });
            Value::Object(members.collect())
        }
    }
}

/// Words of the grammar in no particular order.
fn random_filter(random: &mut StdRng) -> String {
    const WORDS: [&str; 30] = [
        "userName",
        "emails",
        "emails.value",
        "meta.created",
        "active",
        "groups",
        "members",
        "displayName",
        "eq",
        "ne",
        "co",
        "sw",
        "ew",
        "gt",
        "le",
        "pr",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        "\"a\"",
        "\"\\u0041\"",
        "true",
        "null",
        "7",
        "1e5",
        "\"",
    ];
    if random.random_bool(0.4) {
        // Mostly right, so that it gets further than the parser.
        let mut one = || {
            let (name, operator) = (random_name(random), *["eq", "ne", "co", "sw", "gt", "le"].choose(random).unwrap());
            format!("{name} {operator} {}", random_value(random, 0))
        };
        return [one(), one()].join(" or ");
    }
    (0..random.random_range(1..25)).map(|_| *WORDS.choose(random).unwrap()).collect::<Vec<_>>().join(" ")
}

/// The JSON text, sometimes with bytes that were changed, left out, put in or cut off.
fn damaged(random: &mut StdRng, body: Value) -> Vec<u8> {
    let mut bytes = body.to_string().into_bytes();
    for _ in 0..*[0, 0, 1, 1, 3, 20].choose(random).unwrap() {
        let at = random.random_range(0..bytes.len().max(1));
        match random.random_range(0..4) {
            0 if !bytes.is_empty() => bytes[at] = random.random(),
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            2 => bytes.insert(at.min(bytes.len()), *b"{}[]\",:0\\".choose(random).unwrap()),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Percent-encoded, sometimes with a byte that UTF-8 does not have.
fn encoded_bytes(bytes: &[u8], random: &mut impl Rng) -> String {
    let mut text = percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string();
    if random.random_ratio(1, 20) {
        text.push_str("%C3");
    }
    text
}
