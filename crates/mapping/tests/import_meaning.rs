//! What is imported means what the original means: for generated entries (missing, empty, one, several, beyond ASCII) a
//! small interpreter of the original format and the imported mapping give the same. The interpreters know nothing of
//! the importer: a map of candidates, and SCIM paths by hand.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use proptest::prelude::*;
use rosterd_mapping::check::{self, Sources};
use rosterd_mapping::eval::{Environment, Evaluator, NoTrace, run};
use rosterd_mapping::import::{Format, import};
use rosterd_mapping::output::to_json;
use rosterd_mapping::plan::{Given, Plan};
use rosterd_mapping::source::{Names, json};
use serde_json::{Map, Value, json};

struct NoFiles;

impl Sources for NoFiles {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(path.to_owned())
    }
}

fn plan(format: Format, map: &Value) -> Plan {
    let imported = import("map.json", &map.to_string(), format, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(imported.untranslated, [], "all of it is translated");
    check::compile("map", &imported.text, &NoFiles).plan.unwrap_or_else(|| panic!("{}", imported.text))
}

/// Target → value; what gave nothing is null.
fn mapped(plan: &Plan, entry: &Map<String, Value>) -> Map<String, Value> {
    let mut evaluator = Evaluator::new();
    let arena = evaluator.fresh();
    let names = Names::new(plan);
    let read = json::read_map(arena, &names, entry).expect("a readable entry");
    let now = jiff::Timestamp::UNIX_EPOCH;
    let evaluation = run(arena, plan, &read, &Environment::at(now), &mut NoTrace);
    let value = |given: &Given<'_>| match given {
        Given::Value(value) => to_json(*value),
        Given::Absent | Given::Keep => Value::Null,
        other => panic!("{other:?}"),
    };
    plan.rules.iter().zip(evaluation.given).map(|(rule, given)| (rule.target.to_string(), value(given))).collect()
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_something),
        _ => true,
    }
}

/// The first value there is.
fn scalar(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().find(|item| is_something(item)).cloned().unwrap_or(Value::Null),
        one if is_something(one) => one.clone(),
        _ => Value::Null,
    }
}

fn all(value: &Value) -> Value {
    let items: Vec<Value> = match value {
        Value::Array(items) => items.iter().filter(|item| is_something(item)).cloned().collect(),
        one if is_something(one) => vec![one.clone()],
        _ => Vec::new(),
    };
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

/// The value at a dotted path, or under the name as a whole.
fn at(entry: &Map<String, Value>, path: &str) -> Value {
    if let Some(value) = entry.get(path) {
        return value.clone();
    }
    let mut parts = path.split('.');
    let first = parts.next().and_then(|first| entry.get(first)).cloned().unwrap_or(Value::Null);
    parts.fold(first, |value, part| match part.parse::<usize>() {
        // A difference that is told: values that say nothing do not count.
        Ok(index) => all(&value).get(index).cloned().unwrap_or(Value::Null),
        Err(_) => value.get(part).cloned().unwrap_or(Value::Null),
    })
}

/// A map of candidates: the first that holds something.
fn by_candidates(map: &Value, entry: &Map<String, Value>) -> Map<String, Value> {
    let rule = |(target, candidates): (&String, &Value)| {
        let candidates: Vec<&str> = match candidates {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let found = candidates.iter().map(|path| at(entry, path)).find(is_something).unwrap_or(Value::Null);
        let value = if target == "groups" { all(&found) } else { scalar(&found) };
        let ours = if matches!(&**target, "department") { format!("app_metadata.{target}") } else { target.clone() };
        (ours, value)
    };
    map.as_object().into_iter().flatten().map(rule).collect()
}

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["", "a", "Ann Lee", "zoë@größe.example", "🙂", " ", "\"q\" {x} \\", "İ"]).prop_map(Value::from)
}

/// Missing, null, "", [], one, a list of one, several.
fn attribute() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!([]))),
        text().prop_map(Some),
        prop::collection::vec(text(), 1..4).prop_map(|items| Some(Value::Array(items))),
    ]
}

fn entry(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(attribute(), names.len())
        .prop_map(|values| names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect())
}

const SAML: &[&str] =
    &["http://x/claims/mail", "http://x/claims/upn", "urn:oid:2.5.4.4", "cn", "http://x/Group", "urn:oid:2.5.4.42"];

fn saml_map() -> Value {
    json!({
        "email": ["http://x/claims/mail", "http://x/claims/upn"],
        "name": ["cn", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4"],
        "family_name": "urn:oid:2.5.4.4",
        "groups": ["http://x/Group", "cn"],
        "department": ["cn", "http://x/claims/upn"]
    })
}

const CLAIMS: &[&str] = &["sub", "mail", "login", "teams", "odd-name"];

fn oauth_map() -> Value {
    json!({
        "user_id": "sub",
        "email": ["mail", "nested.mail"],
        "nickname": ["odd-name", "login"],
        "groups": ["teams", "nested.list"],
        "department": "nested.list.0",
        "name": "nested.deep.name"
    })
}

#[derive(Clone, Debug)]
struct Address {
    value: Option<Value>,
    kind: Option<&'static str>,
    primary: Option<bool>,
}

fn address() -> impl Strategy<Value = Address> {
    let kind = prop::option::of(prop::sample::select(vec!["work", "Work", "home"]));
    (prop::option::of(text()), kind, prop::option::of(any::<bool>())).prop_map(|(value, kind, primary)| Address {
        value,
        kind,
        primary,
    })
}

impl Address {
    fn json(&self) -> Value {
        let mut out = Map::new();
        out.extend(self.value.clone().map(|value| ("value".to_owned(), value)));
        out.extend(self.kind.map(|kind| ("type".to_owned(), kind.into())));
        out.extend(self.primary.map(|primary| ("primary".to_owned(), primary.into())));
        Value::Object(out)
    }
}

proptest! {
    #[test]
    fn a_saml_map_takes_the_first_claim_with_a_value(entry in entry(SAML)) {
        let map = saml_map();
        prop_assert_eq!(mapped(&plan(Format::Auth0Saml, &map), &entry), by_candidates(&map, &entry));
    }

    #[test]
    fn an_oauth_map_takes_the_first_path_with_a_value(
        entry in entry(CLAIMS), mail in text(), list in prop::collection::vec(text(), 0..3), name in text(),
    ) {
        let mut entry = entry;
        entry.insert("nested".into(), json!({ "mail": mail, "list": list, "deep": { "name": name } }));
        let map = oauth_map();
        prop_assert_eq!(mapped(&plan(Format::Auth0Oauth, &map), &entry), by_candidates(&map, &entry));
    }

    #[test]
    fn a_scim_map_reads_the_paths_and_turns_active_round(
        addresses in prop::collection::vec(address(), 0..5), active in prop::option::of(any::<bool>()), user in prop::option::of(text()),
        department in prop::option::of(text()),
    ) {
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let map = json!([
            { "auth0": "username", "scim": "userName" },
            { "auth0": "blocked", "scim": "active" },
            { "auth0": "email", "scim": "emails[primary eq true].value" },
            { "auth0": "nickname", "scim": "emails[type eq \"work\"].value" },
            { "auth0": "app_metadata.mails", "scim": "emails.value" },
            { "auth0": "app_metadata.department", "scim": format!("{ENTERPRISE}:department") },
        ]);
        let mut entry = Map::new();
        entry.extend(user.clone().map(|user| ("userName".to_owned(), user)));
        entry.extend(active.map(|active| ("active".to_owned(), active.into())));
        entry.insert("emails".into(), addresses.iter().map(Address::json).collect());
        entry.insert(ENTERPRISE.into(), department.clone().map_or_else(|| json!({}), |department| json!({ "department": department })));
        let or_null = |value: Option<Value>| value.filter(is_something).unwrap_or(Value::Null);
        let first = |fits: &dyn Fn(&Address) -> bool| {
            or_null(addresses.iter().filter(|address| fits(address)).find_map(|address| address.value.clone().filter(is_something)))
        };
        let values: Vec<Value> = addresses.iter().filter_map(|address| address.value.clone()).collect();
        let got = mapped(&plan(Format::Auth0Scim, &map), &entry);
        prop_assert_eq!(&got["username"], &or_null(user));
        prop_assert_eq!(&got["blocked"], &active.map_or(Value::Null, |active| Value::Bool(!active)));
        prop_assert!(same(&got["email"], &first(&|address| address.primary == Some(true))), "{:?}", got);
        prop_assert!(same(&got["nickname"], &first(&|address| address.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work")))), "{:?}", got);
        prop_assert!(same(&all(&got["app_metadata.mails"]), &all(&Value::Array(values))), "{:?}", got);
        prop_assert!(same(&got["app_metadata.department"], &or_null(department)), "{:?}", got);
    }
}

/// An empty text inside a record says nothing as well.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (!is_something(a) && !is_something(b))
}
