//! A shortcut changes the time a rule takes and nothing else: results, failures, notes and traces are those of the nodes.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use proptest::prelude::*;
use rosterd_mapping::check::{Sources, compile};
use rosterd_mapping::eval::{Environment, Evaluator, NoTrace, run};
use rosterd_mapping::plan::Plan;
use rosterd_mapping::shortcut::Shortcuts;
use rosterd_mapping::source::{Names, json};
use rosterd_mapping::trace::WithTrace;
use serde_json::{Value as Json, json};

const RICH: &str = include_str!("../../../benches/mapping/mappings/rich.mapping");

/// Shapes beside those of the benchmark's mapping.
const MORE: &str = r#"mapping more from ldap to profile
attrs { a: string, b: string, c: string list, uac: int }
table size { "s" => "small", else => key }
table strict { "s" => "small", else => error }
let a = trim($a)
let b = a ?? upper($b)
name = lower(b) ?? "nobody"
nickname = size[$a] ?? $b
username = strict[$a]
given_name = replace($a, /a/, "ä")
family_name = "{$a}-{lower($b)}-{a}"
groups = [ g for g in $c[*] if g.ends_with("a") ]
app_metadata.each = unique([ upper(trim(g)) for g in $c[*] ])
app_metadata.names = unique([ g.rdn("cn") for g in $c[*] if g.under("dc=x") ]) ?? absent
app_metadata.plain = [ g.rdn("OU") for g in $c[*] ]
app_metadata.until = filetime($a)
app_metadata.bits = bit($uac, 2)
app_metadata.id = $objectGUID
app_metadata.picture = data_uri($thumbnailPhoto, "image/png")
"#;

struct Nothing;

impl Sources for Nothing {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(format!("no {path}"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

fn plan(text: &str) -> Plan {
    let compiled = compile("t", text, &Nothing);
    compiled.plan.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

/// What the plan makes of the entry, with and without a trace, in words. The evaluation's nodes and notes count.
fn outcome(plan: &Plan, entry: &Json) -> [String; 3] {
    let text = entry.to_string();
    let names = Names::new(plan);
    let environment = Environment::at(jiff::Timestamp::UNIX_EPOCH);
    let mut evaluator = Evaluator::new();
    let arena = evaluator.fresh();
    let entry = json::read(arena, &names, text.as_bytes()).expect("an entry");
    let silent = format!("{:?}", run(arena, plan, &entry, &environment, &mut NoTrace));
    let mut trace = WithTrace::new(plan);
    let evaluation = run(arena, plan, &entry, &environment, &mut trace);
    [silent, format!("{evaluation:?}"), format!("{:?}", trace.report(&evaluation))]
}

fn both_ways(text: &str, entry: &Json) {
    let short = plan(text);
    let mut long = plan(text);
    long.shortcuts = Shortcuts::default();
    let (found, expected) = (outcome(&short, entry), outcome(&long, entry));
    assert_eq!(found, expected, "{entry}");
    assert_eq!(found[0], found[1], "a trace changes nothing");
}

#[test]
fn every_rule_of_the_benchmarks_mapping_has_a_shortcut() {
    let plan = plan(RICH);
    let short: Vec<&str> = plan.shortcuts.targets(&plan).collect();
    let long: Vec<&str> = plan.rules.iter().map(|rule| &*rule.target).filter(|target| !short.contains(target)).collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn a_list_beyond_its_bound_fails_as_the_nodes_say() {
    let many: Vec<String> = (0..20_001).map(|n| format!("cn={n},dc=x")).collect();
    both_ways(MORE, &json!({ "c": many }));
}

#[test]
fn what_the_steps_of_an_entry_suffice_for_by_nodes_they_suffice_for_with_shortcuts() {
    // given an entry that takes more steps than there are
    let several: Vec<String> = (0..19_000).map(|n| format!("cn={n},ou={n},dc=x")).collect();
    let entry = json!({ "a": "x".repeat(900_000), "c": several });
    let short = plan(MORE);
    let mut long = plan(MORE);
    long.shortcuts = Shortcuts::default();
    // when it is mapped both ways
    let (short, long) = (given(&short, &entry), given(&long, &entry));
    // then every rule that got its value or its own failure by nodes gets the same with shortcuts
    assert!(long.iter().any(|given| given.contains("M190")), "the steps run out");
    for (short, long) in short.iter().zip(&long).filter(|(_, long)| !long.contains("M190")) {
        assert!(short == long, "{} … instead of {} …", &short[..short.len().min(200)], &long[..long.len().min(200)]);
    }
}

/// What each rule gives, in words.
fn given(plan: &Plan, entry: &Json) -> Vec<String> {
    let text = entry.to_string();
    let names = Names::new(plan);
    let mut evaluator = Evaluator::new();
    let arena = evaluator.fresh();
    let entry = json::read(arena, &names, text.as_bytes()).expect("an entry");
    let evaluation = run(arena, plan, &entry, &Environment::at(jiff::Timestamp::UNIX_EPOCH), &mut NoTrace);
    evaluation.given.iter().map(|given| format!("{given:?}")).collect()
}

#[test]
fn a_text_beyond_its_bound_fails_as_the_nodes_say() {
    both_ways(MORE, &json!({ "a": "a".repeat(1024 * 1024), "b": "b".repeat(1024 * 1024 + 1) }));
}

fn value() -> impl Strategy<Value = Json> {
    let texts = prop::sample::select(vec![
        "Ann@Corp.Example",
        "JÖRG@x",
        "a",
        "s",
        " A a ",
        "smtp:Ann@X",
        "SMTP:b@x",
        "smtp:É@x",
        "0049 (89) 12-34",
        "00",
        "n/a",
        "DE",
        "Sales",
        "Qualitätssicherung",
        "512",
        "514",
        "-2",
        "+2",
        "2.0",
        "0",
        "9223372036854775807",
        "133536743990000000",
        "133536743990000001",
        "2650467743990000000",
        "116444736000000000",
        "soon",
        "MyIRAFVEd2aImaq7zN3u/w==",
        "MyIRAFVEd2aImaq7zN3u/x==",
        "{00112233-4455-6677-8899-AABBCCDDEEFF}",
        "AQIAAAAAAAUgAAAAIAIAAA==",
        "S-1-5-32-544",
        "AQMAAAAAAAUgAAAAIAIAAA==",
        "/9j/4A==",
        "/9j/4B==",
        "/9j/4A",
        "====",
        "CN=Wiki,OU=Apps,DC=corp,DC=example",
        "cn=Wiki,ou=apps,dc=corp,dc=example",
        r"CN=Lee\, Ann,OU=Apps,DC=corp,DC=example",
        "CN=A,OU=List,DC=corp,DC=example",
        r"CN=A\,OU=Apps,DC=corp,DC=example",
        "OU=Apps,DC=corp,DC=example",
        "CN=a+OU=b,OU=Apps,DC=corp,DC=example",
        "commonName=Long,OU=Apps,DC=corp,DC=example",
        "OU=In,CN=Second,OU=Apps,DC=corp,DC=example",
        "Ann Lee",
        "CN= spaced ,OU=Apps,DC=corp,DC=example",
        "CN=#0c0141,OU=Apps,DC=corp,DC=example",
        ",OU=Apps,DC=corp,DC=example",
        "CN=,OU=Apps,DC=corp,DC=example",
        "cn=ü,dc=x",
        "CN=b,DC=X",
        "OU=o,dc=y",
        "",
    ]);
    let leaf = prop_oneof![
        12 => texts.prop_map(Json::from),
        1 => Just(Json::Null),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => "[ -~é]{0,12}".prop_map(Json::from),
    ];
    prop_oneof![3 => leaf.clone(), 1 => prop::collection::vec(leaf, 0..30).prop_map(Json::from)]
}

fn entry(names: &'static [&'static str]) -> impl Strategy<Value = Json> {
    prop::collection::vec(prop::option::weighted(0.8, value()), names.len()).prop_map(move |values| {
        let given = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Json::Object(given.collect())
    })
}

const RICH_NAMES: &[&str] = &[
    "dn",
    "cn",
    "sn",
    "givenName",
    "displayName",
    "sAMAccountName",
    "userPrincipalName",
    "mail",
    "proxyAddresses",
    "telephoneNumber",
    "mobile",
    "c",
    "department",
    "manager",
    "memberOf",
    "userAccountControl",
    "accountExpires",
    "objectGUID",
    "objectSid",
    "thumbnailPhoto",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_benchmarks_mapping_gives_the_same_with_and_without_shortcuts(entry in entry(RICH_NAMES)) {
        both_ways(RICH, &entry);
    }

    #[test]
    fn other_shapes_give_the_same_with_and_without_shortcuts(
        entry in entry(&["a", "b", "c", "uac", "objectGUID", "thumbnailPhoto"]),
    ) {
        both_ways(MORE, &entry);
    }
}
