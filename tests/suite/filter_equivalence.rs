//! Random filters over random resources find the same on SQLite, on PostgreSQL and in an evaluator that lives here and
//! shares only the syntax tree. At least 2,000 filters a run, in them every operator of every published attribute.
//!
//! The seed is printed; `ROSTERD_SEED` repeats a run, `ROSTERD_FILTERS` makes it longer.

use crate::support::edge::{Edge, encoded};
use crate::support::filter_dice::{Dice, Maker, Place, resource};
use crate::support::filter_oracle::{Catalogue, fold};
use crate::support::stores::TestStore;
use axum::http::Method;
use rosterd::clock::Entropy;
use rosterd::scim::filter::{self, LENGTH_MAX, ast::Filter, ast::Operator};
use rosterd::scim::mode::Mode;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const USERS: usize = 70;
const GROUPS: usize = 11;
/// Random filters beside those that make sure of every operator and attribute.
const FILTERS: usize = 1_200;
/// Mismatches that are told in full.
const TOLD_MAX: usize = 5;
/// Number of a question that is asked in one page by GET.
const WHOLE: usize = 1;

/// The resources of one type, as they are answered.
struct Kind {
    endpoint: &'static str,
    catalogue: Catalogue,
    places: Vec<Place>,
    resources: Vec<Map<String, Value>>,
}

impl Kind {
    fn expected(&self, filter: &Filter) -> BTreeSet<String> {
        let matching = self.resources.iter().filter(|resource| self.catalogue.holds(filter, resource));
        matching.map(|resource| resource["id"].as_str().expect("an id").to_owned()).collect()
    }
}

fn seed() -> u64 {
    let chosen = std::env::var("ROSTERD_SEED").ok().map(|text| text.parse().expect("ROSTERD_SEED is a number"));
    chosen.unwrap_or_else(|| u64::from_le_bytes(Entropy::system().bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_filters_find_the_same_everywhere() {
    let seed = seed();
    eprintln!("filter_equivalence: ROSTERD_SEED={seed}");
    let (sqlite, postgres) = tokio::join!(populated(TestStore::sqlite(), seed), populated(TestStore::postgres(), seed));
    for (one, other) in sqlite.1.iter().zip(&postgres.1) {
        assert_eq!(one.resources, other.resources, "seed {seed}: both stores answer the same resources");
    }
    let ((sqlite, kinds), (postgres, _)) = (sqlite, postgres);
    let questions: Vec<Question> = filters(&mut Dice::new(seed ^ 1), &kinds)
        .into_iter()
        .map(|(kind, filter)| Question { kind, expected: kinds[kind].expected(&filter), filter })
        .collect();
    let asked = questions.len();
    assert!(asked >= 2_000, "only {asked} filters");
    let (kinds, questions) = (Arc::new(kinds), Arc::new(questions));
    let both = [("SQLite", sqlite), ("PostgreSQL", postgres)]
        .map(|(store, edge)| tokio::spawn(ask_all(store, edge, Arc::clone(&kinds), Arc::clone(&questions))));
    let mut differ = Vec::new();
    for one in both {
        differ.extend(one.await.unwrap());
    }
    let told = differ[..differ.len().min(TOLD_MAX)].join("\n\n");
    assert!(differ.is_empty(), "seed {seed}: {} of {asked} filters differ\n\n{told}", differ.len());
}

/// A filter and whom it means.
struct Question {
    kind: usize,
    filter: Filter,
    expected: BTreeSet<String>,
}

/// Enough of a resource to see who it is; the seed brings it back whole.
fn cut(text: &str) -> String {
    const CHARS: usize = 1_500;
    if text.chars().count() <= CHARS { text.to_owned() } else { text.chars().take(CHARS).chain("…".chars()).collect() }
}

async fn ask_all(store: &str, edge: Edge, kinds: Arc<Vec<Kind>>, questions: Arc<Vec<Question>>) -> Vec<String> {
    let mut differ = Vec::new();
    for (at, Question { kind, filter, expected }) in questions.iter().enumerate() {
        let kind = &kinds[*kind];
        if differs(&edge, kind, filter, expected, at).await.is_some() {
            let (smallest, told) = smallest(&edge, kind, filter, expected).await;
            differ.push(format!("{store}, {}: {filter}\nsmallest: {smallest}\n{told}", kind.endpoint));
        }
    }
    differ
}

/// What is wrong with the answer to a filter, if anything. `at` chooses how it is asked.
async fn differs(edge: &Edge, kind: &Kind, filter: &Filter, expected: &BTreeSet<String>, at: usize) -> Option<String> {
    let (total, found) = match listed(edge, kind.endpoint, filter, at).await {
        Ok(answer) => answer,
        Err(refused) => return Some(refused),
    };
    let unique: BTreeSet<String> = found.iter().cloned().collect();
    if unique == *expected && total == expected.len() && found.len() == unique.len() {
        return None;
    }
    let told = |ids: &[&String]| -> String {
        let of =
            |id: &&String| kind.resources.iter().find(|resource| resource["id"] == ***id).map(|r| cut(&json!(r).to_string()));
        ids.iter().take(2).map(|id| format!("\n  {}", of(id).unwrap_or_else(|| (*id).clone()))).collect()
    };
    let (missing, extra) = (expected.difference(&unique).collect::<Vec<_>>(), unique.difference(expected).collect::<Vec<_>>());
    Some(format!(
        "totalResults {total}, {} listed, {} expected\nmissing ({}):{}\nnot expected ({}):{}",
        found.len(),
        expected.len(),
        missing.len(),
        told(&missing),
        extra.len(),
        told(&extra),
    ))
}

/// The smallest part that is answered wrongly on its own, and what is wrong with it.
async fn smallest(edge: &Edge, kind: &Kind, filter: &Filter, expected: &BTreeSet<String>) -> (Filter, String) {
    let told = differs(edge, kind, filter, expected, WHOLE).await;
    let mut found = (filter.clone(), told.unwrap_or_else(|| "only when asked in pages".into()));
    'smaller: loop {
        for part in parts(&found.0) {
            if let Some(told) = differs(edge, kind, &part, &kind.expected(&part), WHOLE).await {
                found = (part, told);
                continue 'smaller;
            }
        }
        return found;
    }
}

fn parts(filter: &Filter) -> Vec<Filter> {
    match filter {
        Filter::And(left, right) | Filter::Or(left, right) => vec![(**left).clone(), (**right).clone()],
        Filter::Not(inner) => vec![(**inner).clone()],
        Filter::Element(path, inner) => {
            parts(inner).into_iter().map(|part| Filter::Element(path.clone(), Box::new(part))).collect()
        }
        Filter::Present(_) | Filter::Compare(..) => Vec::new(),
    }
}

/// `totalResults` and all ids: by GET, by `/.search`, or page by page.
async fn listed(edge: &Edge, endpoint: &str, filter: &Filter, at: usize) -> Result<(usize, Vec<String>), String> {
    let text = filter.to_string();
    let count = if at.is_multiple_of(10) { 9 } else { 200 };
    let mut ids = Vec::new();
    loop {
        let start = ids.len() + 1;
        let (status, body) = if at % 3 == 2 {
            let search = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
                "filter": text, "startIndex": start, "count": count, "attributes": ["id"],
            });
            edge.ask(Method::POST, &format!("{endpoint}/.search"), Some(&search)).await
        } else {
            let query = format!("{endpoint}?filter={}&startIndex={start}&count={count}&attributes=id", encoded(&text));
            edge.get(&query).await
        };
        if status != 200 {
            return Err(format!("{status} {body}"));
        }
        let total = usize::try_from(body["totalResults"].as_u64().expect("totalResults")).expect("it fits");
        let page = body["Resources"].as_array().expect("Resources");
        ids.extend(page.iter().map(|resource| resource["id"].as_str().expect("an id").to_owned()));
        if page.is_empty() || ids.len() >= total {
            return Ok((total, ids));
        }
    }
}

/// Each operator of each attribute at least twice, alone and inside something, then any filter at all. What is printed
/// reads back as the same tree.
fn filters(dice: &mut Dice, kinds: &[Kind]) -> Vec<(usize, Filter)> {
    let mut filters = Vec::new();
    let mut covered: BTreeMap<(usize, String), BTreeSet<&'static str>> = BTreeMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        let maker = Maker { places: &kind.places, resources: &kind.resources };
        for place in &kind.places {
            let operators = place.target().operators().iter().copied().map(Some).chain([None]);
            for operator in operators {
                let alone = maker.leaf(dice, place, operator);
                let inside = maker.leaf(dice, place, operator);
                filters.push((at, alone));
                filters.push((at, within(dice, &maker, inside)));
                covered.entry((at, place.name())).or_default().insert(operator.map_or("pr", Operator::as_str));
            }
        }
        let any = std::env::var("ROSTERD_FILTERS").ok().and_then(|text| text.parse().ok()).unwrap_or(FILTERS);
        // Groups are fewer, and so are their attributes.
        let any = if at == 0 { any } else { any / 4 };
        filters.extend((0..any).map(|round| (at, if round % 4 == 0 { maker.element(dice, 2) } else { maker.filter(dice, 3) })));
    }
    for (at, kind) in kinds.iter().enumerate() {
        for place in &kind.places {
            let operators: BTreeSet<&str> =
                place.target().operators().iter().map(|operator| operator.as_str()).chain(["pr"]).collect();
            assert_eq!(covered[&(at, place.name())], operators, "{}", place.name());
        }
    }
    filters.retain(|(_, filter)| filter.to_string().len() <= LENGTH_MAX);
    for (_, filter) in &filters {
        let text = filter.to_string();
        assert_eq!(filter::parse(&text, Mode { strict: true }).as_ref(), Ok(filter), "{text}");
    }
    filters
}

fn within(dice: &mut Dice, maker: &Maker<'_>, leaf: Filter) -> Filter {
    let other = maker.filter(dice, 1);
    match dice.below(3) {
        0 => Filter::And(Box::new(leaf), Box::new(Filter::Not(Box::new(other)))),
        1 => Filter::Or(Box::new(other), Box::new(leaf)),
        _ => Filter::Not(Box::new(leaf)),
    }
}

/// Random users and groups, written through the front door: created, replaced, patched, deleted.
async fn populated(test: impl Future<Output = TestStore>, seed: u64) -> (Edge, Vec<Kind>) {
    let edge = Edge::new(test.await).await;
    let (status, schemas) = edge.get("/Schemas").await;
    assert_eq!(status, 200, "{schemas}");
    let users = Catalogue::read(&schemas, "User", &["EnterpriseUser"]);
    let groups = Catalogue::read(&schemas, "Group", &[]);
    let mut writer = Writer { edge: &edge, dice: Dice::new(seed), taken: HashSet::new() };
    let mut ids = Vec::new();
    for _ in 0..USERS {
        let id = writer.create("/Users", &users, "userName").await;
        for _ in 0..writer.dice.below(3) {
            writer.change(&id, &users).await;
        }
        ids.push(id);
    }
    let mut group_ids: Vec<String> = Vec::new();
    for _ in 0..GROUPS {
        let id = writer.create("/Groups", &groups, "displayName").await;
        writer.add_members(&id, &ids, &group_ids).await;
        group_ids.push(id);
    }
    // Who left is in no list and in no group.
    for (endpoint, id) in [("/Users", &ids[3]), ("/Users", &ids[17]), ("/Groups", &group_ids[4])] {
        let (status, body) = edge.ask(Method::DELETE, &format!("{endpoint}/{id}"), None).await;
        assert_eq!(status, 204, "{body}");
    }
    let kinds = vec![kind(&edge, "/Users", users).await, kind(&edge, "/Groups", groups).await];
    memberships_agree(&kinds);
    (edge, kinds)
}

async fn kind(edge: &Edge, endpoint: &'static str, catalogue: Catalogue) -> Kind {
    let places = Place::all(&catalogue);
    // Also what is returned on request alone: a filter sees it.
    let names: Vec<String> = places.iter().map(Place::name).collect();
    let (status, body) = edge.get(&format!("{endpoint}?count=200&attributes={}", encoded(&names.join(",")))).await;
    assert_eq!(status, 200, "{body}");
    let resources = body["Resources"].as_array().expect("Resources").iter().map(|r| r.as_object().expect("an object").clone());
    let resources: Vec<_> = resources.collect();
    assert_eq!(body["totalResults"], resources.len());
    Kind { endpoint, catalogue, places, resources }
}

/// `groups` of the users is what `members` of the groups says, nested ones included.
fn memberships_agree(kinds: &[Kind]) {
    let members = |group: &str| -> Vec<String> {
        let group = kinds[1].resources.iter().find(|resource| resource["id"] == group);
        let list = group.and_then(|group| group.get("members")).and_then(Value::as_array);
        list.into_iter().flatten().map(|member| member["value"].as_str().expect("a value").to_owned()).collect()
    };
    let mut groups: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for group in &kinds[1].resources {
        let id = group["id"].as_str().expect("an id");
        let mut open = vec![(id.to_owned(), "direct")];
        let mut seen = BTreeSet::new();
        while let Some((inner, how)) = open.pop() {
            for member in members(&inner) {
                let entry = groups.entry(member.clone()).or_default().entry(id.to_owned()).or_insert(how);
                if how == "direct" {
                    *entry = "direct";
                }
                if seen.insert(member.clone()) {
                    open.push((member, "indirect"));
                }
            }
        }
    }
    for user in &kinds[0].resources {
        let shown: BTreeMap<String, &str> = user
            .get("groups")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|group| (group["value"].as_str().expect("a value").to_owned(), group["type"].as_str().expect("a type")))
            .collect();
        let id = user["id"].as_str().expect("an id");
        assert_eq!(shown, groups.get(id).cloned().unwrap_or_default(), "groups of {id}");
    }
}

/// Sends what the dice choose.
struct Writer<'a> {
    edge: &'a Edge,
    dice: Dice,
    /// Unique values, folded, with their attribute.
    taken: HashSet<(String, String)>,
}

impl Writer<'_> {
    fn tick(&mut self) {
        let micros = i64::try_from(self.dice.below(5_000_000)).expect("it fits");
        self.edge.hand.fetch_add(micros, Ordering::SeqCst);
    }

    /// A text nobody else has at `name`, whatever the case. The shipped mapping takes no longer user name.
    fn unique(&mut self, endpoint: &str, name: &str) -> String {
        let mut text = crate::support::filter_dice::text(&mut self.dice);
        while name == "userName" && text.len() > 340 {
            text = crate::support::filter_dice::text(&mut self.dice);
        }
        while !self.taken.insert((format!("{endpoint} {name}"), fold(text.trim()))) {
            text = format!("{}{}", text, self.dice.below(100));
        }
        text
    }

    async fn create(&mut self, endpoint: &str, catalogue: &Catalogue, name: &str) -> String {
        self.tick();
        let mut document = resource(&mut self.dice, catalogue);
        document.insert(name.into(), self.unique(endpoint, name).into());
        if self.dice.percent(60) {
            document.insert("externalId".into(), self.unique(endpoint, "externalId").into());
        }
        let (status, body) = self.edge.ask(Method::POST, endpoint, Some(&document.clone().into())).await;
        assert_eq!(status, 201, "{body}\n{}", json!(document));
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Some are replaced, some lose `active` or get another address later, so that rows come and go.
    async fn change(&mut self, id: &str, catalogue: &Catalogue) {
        let path = format!("/Users/{id}");
        self.tick();
        let patch =
            |operation: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
        let (status, body) = match self.dice.below(10) {
            0..2 => {
                let mut document = resource(&mut self.dice, catalogue);
                document.insert("userName".into(), self.unique("/Users", "userName").into());
                self.edge.ask(Method::PUT, &path, Some(&document.into())).await
            }
            2 => self.edge.ask(Method::PATCH, &path, Some(&patch(json!({"op": "remove", "path": "active"})))).await,
            3 => {
                let value = crate::support::filter_dice::text(&mut self.dice);
                let operation = json!({"op": "add", "path": "emails", "value": [{"value": value, "type": "work"}]});
                self.edge.ask(Method::PATCH, &path, Some(&patch(operation))).await
            }
            _ => return,
        };
        assert!(status == 200 || status == 204, "{status} {body}");
    }

    /// Users, and groups that were there before, so that nothing holds itself.
    async fn add_members(&mut self, id: &str, users: &[String], groups: &[String]) {
        self.tick();
        let mut members: BTreeSet<&String> = (0..self.dice.below(12)).map(|_| self.dice.one_of(users)).collect();
        if !groups.is_empty() {
            members.extend((0..self.dice.below(3)).map(|_| self.dice.one_of(groups)));
        }
        if members.is_empty() {
            return;
        }
        let value: Vec<Value> = members.into_iter().map(|member| json!({ "value": member })).collect();
        let operation = json!({"op": "add", "path": "members", "value": value});
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
        let (status, body) = self.edge.ask(Method::PATCH, &format!("/Groups/{id}"), Some(&body)).await;
        assert!(status == 200 || status == 204, "{status} {body}");
    }
}
