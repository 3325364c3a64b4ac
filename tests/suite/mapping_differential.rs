//! Two languages, one meaning: a connector's mapper in JavaScript, run by QuickJS, and its twin in the mapping language
//! agree on thousands of generated entries, in which every attribute that is read is missing, `[]`, one value, many, and
//! beyond ASCII, and every condition goes both ways.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rosterd::mapping::{self, Given, Input, Language, Mapped, Mapping, Published};
use serde_json::{Map, Value, json};

const ENTRIES: usize = 3_000;
const SEED: u64 = 20_261_126;

/// Text attributes both mappers read.
const TEXTS: [&str; 7] = ["mail", "userPrincipalName", "sAMAccountName", "givenName", "sn", "cn", "displayName"];
const LISTS: [&str; 2] = ["objectClass", "memberOf"];
const WORDS: [&str; 8] = ["Ann", "Zoë", "Ωμέγας", "İpek", "Straße", "Čapek-Lee", "O'Neill", "李"];

/// What an attribute is like in one entry.
const SHAPES: [&str; 4] = ["missing", "[]", "one", "many"];

fn load(name: &str, language: Language) -> std::sync::Arc<dyn Mapping> {
    let path = format!("{}/fixtures/auth0/{name}.{}", env!("CARGO_MANIFEST_DIR"), language.extension());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let published = Published { name: name.into(), version: 1, language, text, includes: Vec::new() };
    mapping::compile(&published).unwrap_or_else(|reason| panic!("{path}: {reason}"))
}

fn word(random: &mut StdRng) -> &'static str {
    WORDS[random.random_range(0..WORDS.len())]
}

fn text(random: &mut StdRng, name: &str) -> Value {
    let number = random.random_range(0..1_000);
    let word = word(random);
    if name == "mail" || name == "userPrincipalName" {
        json!(format!("{word}.{number}@Corp.example"))
    } else {
        json!(format!("{word} {number}"))
    }
}

fn list_item(random: &mut StdRng, name: &str) -> Value {
    if name == "objectClass" {
        return json!(["top", "person", "user", "contractor"][random.random_range(0..4)]);
    }
    let unit = ["OU=Apps", "OU=Lists", "OU=EU,OU=Apps"][random.random_range(0..3)];
    json!(format!("CN={} {},{unit},DC=corp,DC=example", word(random), random.random_range(0..3)))
}

/// One value goes as it is, several as a list: the JSON form of a directory entry.
fn shaped(shape: &str, mut value: impl FnMut() -> Value) -> Option<Value> {
    match shape {
        "missing" => None,
        "[]" => Some(json!([])),
        "one" => Some(value()),
        _ => Some(json!([value(), value(), value()])),
    }
}

/// An entry, and the shape of each attribute in it.
fn entry(random: &mut StdRng) -> (Map<String, Value>, BTreeMap<&'static str, &'static str>) {
    let mut entry = Map::new();
    let mut shapes = BTreeMap::new();
    entry.insert("dn".into(), json!("CN=x,OU=Users,DC=corp,DC=example"));
    let mut guid = [0u8; 16];
    random.fill_bytes(&mut guid);
    entry.insert("objectGUID".into(), json!(STANDARD.encode(guid)));
    for name in TEXTS.into_iter().chain(LISTS) {
        let shape = SHAPES[random.random_range(0..SHAPES.len())];
        shapes.insert(name, shape);
        let value =
            if LISTS.contains(&name) { shaped(shape, || list_item(random, name)) } else { shaped(shape, || text(random, name)) };
        if let Some(value) = value {
            entry.insert(name.into(), value);
        }
    }
    (entry, shapes)
}

/// The values by target; what is absent is not there, and an empty list is none.
fn values(mapped: &Mapped) -> BTreeMap<String, Value> {
    assert!(mapped.gate.is_none(), "{mapped:?}");
    let value = |(rule, given): &(mapping::Rule, Given)| match given {
        Given::Value(value) if *value == json!([]) => None,
        Given::Value(value) => Some((rule.target.to_string(), value.clone())),
        Given::Absent | Given::Keep => None,
        Given::FirstFree(_) | Given::Error(_) => panic!("{}: {given:?}", rule.target),
    };
    mapped.given.iter().filter_map(value).collect()
}

#[test]
fn a_script_and_its_twin_agree_on_thousands_of_entries() {
    let (script, twin) = (load("twin", Language::JavaScript), load("twin", Language::Mapping));
    let mut random = StdRng::seed_from_u64(SEED);
    let mut seen_shapes = BTreeSet::new();
    let mut outcomes: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for number in 0..ENTRIES {
        let (payload, shapes) = entry(&mut random);
        let input = Input { payload: &payload, stored: None, now: 1_764_000_000_000_000, seed: [0; 32] };
        let (by_script, by_twin) = (values(&script.map(&input)), values(&twin.map(&input)));
        assert_eq!(by_script, by_twin, "entry {number} of seed {SEED}: {}", Value::Object(payload));
        seen_shapes.extend(shapes);
        for target in ["user_id", "email", "name", "given_name", "family_name", "nickname", "groups"] {
            outcomes.entry(target.into()).or_default()[usize::from(by_twin.contains_key(target))] += 1;
        }
        let is = |name: &str, yes: bool| (name.to_owned(), yes);
        let contractor = by_twin.get("nickname").and_then(Value::as_str).is_some_and(|name| name.starts_with("ext-"));
        let by_mail = payload.get("mail").is_some_and(|mail| *mail != json!([]));
        let by_display = payload.get("displayName").is_some_and(|name| *name != json!([]));
        for (condition, yes) in [is("contractor", contractor), is("mail first", by_mail), is("displayName first", by_display)] {
            outcomes.entry(condition).or_default()[usize::from(yes)] += 1;
        }
    }
    assert_eq!(seen_shapes.len(), (TEXTS.len() + LISTS.len()) * SHAPES.len(), "every attribute took every shape");
    println!("seed {SEED}, {ENTRIES} entries; absent or no, present or yes: {outcomes:?}");
    for (what, [no, yes]) in &outcomes {
        assert!(*yes > 50 && (*no > 50 || what == "user_id"), "{what} went one way only: {no} / {yes}");
    }
}
