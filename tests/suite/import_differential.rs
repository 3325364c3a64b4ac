//! `rosterd mapping import` against what it imports: a `profileMapper.js`, run by QuickJS, and the mapping made of it agree
//! on thousands of generated entries. Every attribute the script reads is missing, `[]`, one value, several, bytes and
//! beyond ASCII, and every condition of the result goes both ways.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rosterd::mapping::{self, Given, Input, Language, Mapped, Mapping, Published};
use rosterd_mapping::ast::Item;
use rosterd_mapping::check::{self, Compiled, Sources};
use rosterd_mapping::import::{Format, Imported, import};
use rosterd_mapping::plan::{Node, NodeId, Plan};
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ENTRIES: usize = 3_000;
const SEED: u64 = 20_261_127;
/// How often each condition has to go each way.
const EACH_WAY: usize = 20;

const WORDS: [&str; 8] = ["Ann", "Zoë", "Ωμέγας", "İpek", "Straße", "Čapek-Lee", "O'Neill", "李"];
const SHAPES: [&str; 6] = ["missing", "[]", "one", "several", "bytes", "beyond ASCII"];
/// What only one value stands for, or none.
const PLAIN: [&str; 3] = ["one", "bytes", "beyond ASCII"];

struct NoFiles;

impl Sources for NoFiles {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(path.to_owned())
    }
}

/// A script and what was made of it.
struct Case {
    script: String,
    imported: Imported,
    compiled: Compiled,
    original: Arc<dyn Mapping>,
    translation: Arc<dyn Mapping>,
}

impl Case {
    fn load(name: &str) -> Self {
        let path = format!("{}/crates/mapping/tests/import/profile-mapper/{name}.js", env!("CARGO_MANIFEST_DIR"));
        let script = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let imported = import(&format!("{name}.js"), &script, Format::ProfileMapper, &[]).expect("a script");
        assert_eq!(imported.untranslated, [], "{name}: all of it is translated");
        let ready = |language, text: &str| {
            let published = Published { name: name.into(), version: 1, language, text: text.into(), includes: Vec::new() };
            mapping::compile(&published).unwrap_or_else(|reason| panic!("{name}: {reason}"))
        };
        Self {
            original: ready(Language::JavaScript, &script),
            translation: ready(Language::Mapping, &imported.text),
            compiled: check::compile(name, &imported.text, &NoFiles),
            script,
            imported,
        }
    }

    fn plan(&self) -> &Plan {
        self.compiled.plan.as_ref().expect("what is imported compiles")
    }

    /// Every attribute the script names: `raw.name`, `raw['name']` and names in lists; `groups` and the like are none.
    fn attributes(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for start in ["raw.", "raw_data.", "raw['", "raw_data['"] {
            for rest in self.script.split(start).skip(1) {
                names.insert(rest.chars().take_while(char::is_ascii_alphanumeric).collect());
            }
        }
        for list in self.script.split(".forEach(").filter_map(|before| before.rsplit_once('[').map(|(_, list)| list)) {
            let words = list.split('\'').skip(1).step_by(2);
            names.extend(words.filter(|word| word.chars().all(|letter| letter.is_ascii_alphanumeric())).map(str::to_owned));
        }
        names.retain(|name| !["dn", "groups", "organizationUnits", ""].contains(&name.as_str()));
        names.into_iter().collect()
    }

    /// Words the script compares with.
    fn literals(&self) -> Vec<String> {
        let quoted = self.script.lines().filter(|line| line.contains("===") || line.contains("== ")).flat_map(|line| {
            let words = line.split('\'').skip(1).step_by(2);
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        });
        quoted.collect()
    }
}

fn bytes(random: &mut StdRng, count: usize) -> String {
    let mut bytes = vec![0; count];
    random.fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}

fn one_of<'w>(random: &mut StdRng, words: &[&'w str]) -> &'w str {
    words[random.random_range(0..words.len())]
}

/// A value as a directory would hold it.
fn value(random: &mut StdRng, name: &str, shape: &str, literals: &[String]) -> Value {
    let number = random.random_range(1..1_000);
    let word = if shape == "beyond ASCII" { one_of(random, &WORDS[1..]) } else { WORDS[0] };
    let text = match name {
        "objectGUID" => return bytes(random, 16).into(),
        "thumbnailPhoto" => return bytes(random, 30).into(),
        "sAMAccountType" => (805_306_368 + number).to_string(),
        "userAccountControl" => one_of(random, &["512", "514", "2", "66048", "66050"]).to_owned(),
        "accountExpires" => (133_000_000_000_000_000_i64 + i64::from(number) * 864_000_000_000).to_string(),
        "mail" | "userPrincipalName" => format!("{word}.{number}@Corp.example"),
        "proxyAddresses" => format!("{}{word}.{number}@Corp.example", one_of(random, &["smtp:", "SMTP:", "x500:"])),
        "memberOf" | "manager" => {
            format!("CN={word} {number},{},DC=corp,DC=example", one_of(random, &["OU=Apps", "OU=Lists", "OU=EU,OU=Apps"]))
        }
        "objectClass" => one_of(random, &["top", "person", "user", "contractor"]).to_owned(),
        "telephoneNumber" | "mobile" => format!("+49 ({number}) {number}-{number} {word}"),
        _ if shape == "bytes" => return bytes(random, 12).into(),
        _ if shape == "one" && random.random_range(0..2) == 0 && !literals.is_empty() => {
            literals[random.random_range(0..literals.len())].clone()
        }
        _ => format!("{word} {number}"),
    };
    text.into()
}

/// An entry, and the shape of each attribute in it.
fn entry(random: &mut StdRng, names: &[String], literals: &[String]) -> (Map<String, Value>, BTreeMap<String, &'static str>) {
    let mut entry = Map::new();
    let mut shapes = BTreeMap::new();
    entry.insert("dn".into(), json!("CN=x,OU=Users,DC=corp,DC=example"));
    for name in names {
        let shape = SHAPES[random.random_range(0..SHAPES.len())];
        shapes.insert(name.clone(), shape);
        let values = match shape {
            "missing" => continue,
            "[]" => json!([]),
            "several" => (0..3).map(|_| value(random, name, shape, literals)).collect(),
            _ => value(random, name, shape, literals),
        };
        entry.insert(name.clone(), values);
    }
    (entry, shapes)
}

/// What the script gave for a target: a member the connector reads, or one handed on under its own name.
fn by_script(original: &Mapped, target: &str) -> Value {
    if let Some((_, given)) = original.given.iter().find(|(rule, _)| &*rule.target == target) {
        return shown(given);
    }
    let path: Vec<&str> = target.split('.').collect();
    let at = |path: &[&str]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(original.extras.get(*first)?, |value, name| value.get(*name)).cloned()
    };
    at(&path).or_else(|| at(path.strip_prefix(&["app_metadata"])?)).unwrap_or(Value::Null)
}

fn shown(given: &Given) -> Value {
    match given {
        Given::Value(value) => value.clone(),
        Given::Error(reason) => json!({ "error": reason }),
        Given::Absent | Given::Keep | Given::FirstFree(_) => Value::Null,
    }
}

/// Nothing is nothing however it is said, and an instant is one in either spelling.
fn same(a: &Value, b: &Value) -> bool {
    let nothing = |value: &Value| matches!(value, Value::Null) || *value == json!("") || *value == json!([]);
    let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    a == b || (nothing(a) && nothing(b)) || instant(a).is_some_and(|at| Some(at) == instant(b))
}

/// Why the script refuses the entry.
fn refusal(original: &Mapped) -> Option<&str> {
    original.given.iter().find_map(|(rule, given)| match given {
        Given::Error(reason) if rule.required => Some(reason.as_str()),
        _ => None,
    })
}

/// The conditions of the translation as rules of their own: what each is on an entry.
struct Probes {
    texts: Vec<String>,
    mapping: Arc<dyn Mapping>,
    /// No and yes.
    seen: Vec<[usize; 2]>,
}

impl Probes {
    fn of(case: &Case) -> Self {
        let plan = case.plan();
        let written = |node: NodeId| plan.text_at(plan.spans[node as usize]).to_owned();
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for (index, node) in plan.nodes.iter().enumerate() {
            if reads_a_variable(plan, index) {
                continue;
            }
            match node {
                Node::If { condition, .. } => {
                    texts.insert(written(*condition));
                }
                Node::Coalesce(left, right) if !matches!(written(*right).as_str(), "absent" | "false" | "0") => {
                    texts.insert(format!("present({})", written(*left)));
                }
                Node::Comprehension { list, condition: Some(_), .. } => {
                    let own = plan.text_at(plan.spans[index]);
                    texts.insert(format!("count({own}) > 0"));
                    texts.insert(format!("count({own}) < count({})", written(*list)));
                }
                _ => {}
            }
        }
        texts.extend(plan.gates.iter().map(|gate| written(gate.condition)));
        let parsed = syntax::parse(&case.imported.text, FileId(0));
        let attrs = parsed.file.items.iter().filter_map(|item| match item {
            Item::Attrs { span, .. } => Some(&case.imported.text[span.range()]),
            _ => None,
        });
        let mut text = String::from("mapping probes from ldap to profile\n");
        text.extend(attrs.map(|attrs| format!("{attrs}\n")));
        text.extend(texts.iter().enumerate().map(|(index, probe)| format!("app_metadata.p{index} = ({probe}) == true\n")));
        let published = Published { name: "probes".into(), version: 1, language: Language::Mapping, text, includes: Vec::new() };
        let mapping = mapping::compile(&published).unwrap_or_else(|reason| panic!("{reason}\n{}", published.text));
        Self { seen: vec![[0; 2]; texts.len()], texts: texts.into_iter().collect(), mapping }
    }

    fn look(&mut self, input: &Input<'_>) {
        for (seen, (_, given)) in self.seen.iter_mut().zip(&self.mapping.map(input).given) {
            seen[usize::from(*given == Given::Value(true.into()))] += 1;
        }
    }

    fn went_both_ways(&self) {
        assert!(self.texts.len() >= 3, "there are conditions: {:?}", self.texts);
        for (text, [no, yes]) in self.texts.iter().zip(&self.seen) {
            assert!(*no >= EACH_WAY && *yes >= EACH_WAY, "`{text}` was false {no} times and true {yes} times");
        }
    }
}

/// Whether a loop's variable stands below this node, outside of its loop.
fn reads_a_variable(plan: &Plan, node: usize) -> bool {
    let mut open = vec![(u32::try_from(node).expect("few nodes"), Vec::new())];
    while let Some((at, bound)) = open.pop() {
        let node = &plan.nodes[at as usize];
        let mut inner: Vec<u16> = bound;
        match node {
            Node::Local(local) if !inner.contains(local) => return true,
            Node::Comprehension { local, .. } | Node::Filter { local, .. } => inner.push(*local),
            _ => {}
        }
        node.each_child(|child| open.push((child, inner.clone())));
    }
    false
}

/// What a run over generated entries came to.
#[derive(Debug, Default)]
struct Tally {
    compared: usize,
    refused_by_both: usize,
    refused_by_the_script: usize,
    values: usize,
}

/// Runs both over the entries. `told` says of a rule's attributes whether a difference is one the import tells of.
fn compare(name: &str, told: impl Fn(&Case, &[&str]) -> bool) -> Tally {
    let case = Case::load(name);
    let (names, literals) = (case.attributes(), case.literals());
    let mut probes = Probes::of(&case);
    let mut random = StdRng::seed_from_u64(SEED);
    let mut shapes_seen = BTreeSet::new();
    let mut tally = Tally::default();
    let reads: Vec<Vec<&str>> = case
        .compiled
        .facts
        .iter()
        .map(|facts| facts.reads.iter().map(|slot| &*case.plan().slots[usize::from(*slot)].name).collect())
        .collect();
    for number in 0..ENTRIES {
        let (payload, shapes) = entry(&mut random, &names, &literals);
        let input = Input { payload: &payload, stored: None, now: 1_764_000_000_000_000, seed: [0; 32] };
        let (original, translation) = (case.original.map(&input), case.translation.map(&input));
        probes.look(&input);
        shapes_seen.extend(shapes.iter().map(|(name, shape)| (name.clone(), *shape)));
        let shown_entry = || format!("{name}, entry {number} of seed {SEED}: {}", Value::Object(payload.clone()));
        let all: Vec<&str> = shapes.values().copied().collect();
        match (refusal(&original), &translation.gate) {
            (Some(_), Some(_)) => {
                tally.refused_by_both += 1;
                continue;
            }
            (Some(reason), None) => {
                assert!(told(&case, &all), "{}: the script refuses: {reason}", shown_entry());
                tally.refused_by_the_script += 1;
                continue;
            }
            (None, Some(gate)) => panic!("{}: the script takes it, and {gate:?}", shown_entry()),
            (None, None) => tally.compared += 1,
        }
        for ((rule, given), reads) in translation.given.iter().zip(&reads) {
            let (was, is) = (by_script(&original, &rule.target), shown(given));
            let read: Vec<&str> = reads.iter().filter_map(|name| shapes.get(*name)).copied().collect();
            // The sandbox looks at addresses itself, which no connector does.
            let of_the_sandbox = &*rule.target == "email" && was == json!({ "error": "not an e-mail address" });
            if of_the_sandbox || same(&was, &is) {
                tally.values += usize::from(!is.is_null());
                continue;
            }
            assert!(told(&case, &read), "{}: {}: {was} became {is}", shown_entry(), rule.target);
        }
    }
    assert_eq!(shapes_seen.len(), names.len() * SHAPES.len(), "every attribute took every shape");
    probes.went_both_ways();
    tally
}

#[test]
fn a_script_that_minds_every_shape_and_its_import_agree_on_every_entry() {
    let tally = compare("shapes", |_, _| false);
    assert_eq!(tally.compared, ENTRIES);
    assert!(tally.values > 10 * ENTRIES, "{tally:?}");
}

#[test]
fn a_script_that_leaves_early_and_its_import_refuse_the_same_entries() {
    let tally = compare("early", |_, _| false);
    assert!(tally.compared > 500 && tally.refused_by_both > 500, "{tally:?}");
    assert_eq!(tally.refused_by_the_script, 0);
}

#[test]
fn other_scripts_and_their_imports_differ_only_where_the_import_says_so() {
    // Missing, without a value, with several: for each the text at the top says what is different.
    let told =
        |case: &Case, shapes: &[&str]| !case.imported.differences.is_empty() && shapes.iter().any(|shape| !PLAIN.contains(shape));
    for name in ["default", "rich"] {
        let tally = compare(name, told);
        assert!(tally.values > 500, "{name}: {tally:?}");
    }
}
