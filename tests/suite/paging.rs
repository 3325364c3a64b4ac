//! Lists from the first page to the last: in order (RFC 7644 §3.4.2.3), by index and by cursor (RFC 9865), and the same
//! answer whether it is asked for by GET or by `/.search`.

use std::cmp::Ordering;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::support::caller::{Caller, ENTERPRISE_URN, assert_refused, encoded, group, on_both_gateways, user};
use super::support::gateway::Gateway;

fn ids(page: &Value) -> Vec<String> {
    let resources = page["Resources"].as_array().unwrap_or_else(|| panic!("no list: {page}"));
    resources.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

/// Every page by cursor; `between` runs after each.
async fn walk(caller: &Caller, path: &str, count: usize, mut between: impl AsyncFnMut(usize)) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (vec![], String::new());
    let mark = if path.contains('?') { '&' } else { '?' };
    loop {
        let answer = caller.get(&format!("{path}{mark}count={count}&cursor={cursor}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        let found = ids(&page);
        assert_eq!(page["itemsPerPage"], found.len());
        assert!(page.get("startIndex").is_none(), "{page}");
        pages.push(found);
        between(pages.len()).await;
        match page.get("nextCursor") {
            None => return pages,
            Some(next) => next.as_str().expect("a text").clone_into(&mut cursor),
        }
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{cursor}");
        assert!(pages.len() < 200, "it ends");
    }
}

/// A person whose attributes come, go and repeat.
fn anybody(random: &mut StdRng, number: usize) -> Value {
    let mut person = user(&format!("{}{number}", ["a", "B", "Ä", "z", "\u{1F600}"].choose(random).unwrap()));
    let texts = ["alpha", "Alpha", "beta", "ALPHABET", "ünï", "~", "0"];
    for name in ["title", "nickName", "displayName"] {
        match random.random_range(0..4) {
            0 => {
                person.as_object_mut().unwrap().remove(name);
            }
            _ => person[name] = (*texts.choose(random).unwrap()).into(),
        }
    }
    if random.random_bool(0.3) {
        person.as_object_mut().unwrap().remove("externalId");
    }
    if random.random_bool(0.6) {
        let many = random.random_range(1..4_usize);
        let mut emails: Vec<Value> =
            (0..many).map(|n| json!({"value": format!("{}{n}@x", texts.choose(random).unwrap())})).collect();
        if random.random_bool(0.5) {
            emails.choose(random).unwrap();
            let chosen = random.random_range(0..many);
            emails[chosen]["primary"] = true.into();
        }
        person["emails"] = emails.into();
    }
    if random.random_bool(0.5) {
        person["name"] = json!({"familyName": texts.choose(random).unwrap()});
    }
    if random.random_bool(0.5) {
        person["active"] = random.random_bool(0.5).into();
    }
    if random.random_bool(0.5) {
        person[ENTERPRISE_URN] = json!({"department": texts.choose(random).unwrap()});
    }
    person
}

/// What a resource is ordered by, taken from the answer itself.
fn key(resource: &Value, path: &[&str], exact: bool) -> Option<String> {
    let mut at = resource;
    for name in path {
        at = at.get(name)?;
        if let Some(list) = at.as_array() {
            at = list.iter().find(|one| one["primary"] == true).or(list.first())?;
        }
    }
    match at {
        Value::String(text) if exact => Some(text.clone()),
        Value::String(text) => Some(rosterd::model::fold::fold(text)),
        Value::Bool(boolean) => Some(u8::from(*boolean).to_string()),
        _ => None,
    }
}

fn compare(one: &(Option<String>, String), other: &(Option<String>, String)) -> Ordering {
    match (&one.0, &other.0) {
        (Some(a), Some(b)) => a.as_bytes().cmp(b.as_bytes()),
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
    }
    .then(one.1.cmp(&other.1))
}

on_both_gateways! {
    async fn any_order_is_the_one_the_rfc_says_by_index_and_by_cursor(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut random = StdRng::seed_from_u64(9_865);
        for number in 0..60 {
            caller.create("Users", &anybody(&mut random, number)).await;
        }
        let everybody = caller.get("/Users?count=200").await.json()["Resources"].as_array().unwrap().clone();
        let department = format!("{ENTERPRISE_URN}:department");
        let orders: [(&str, Vec<&str>, bool); 11] = [
            ("userName", vec!["userName"], false),
            ("externalId", vec!["externalId"], true),
            ("id", vec!["id"], true),
            ("meta.created", vec!["meta", "created"], true),
            ("title", vec!["title"], false),
            ("NickName", vec!["nickName"], false),
            ("displayName", vec!["displayName"], false),
            ("emails", vec!["emails", "value"], false),
            ("name.familyName", vec!["name", "familyName"], false),
            ("active", vec!["active"], false),
            (&department, vec![ENTERPRISE_URN, "department"], false),
        ];
        for (sort_by, path, exact) in orders {
            for filter in ["", "&filter=title pr", "&filter=userName sw \"a\"", "&filter=not (title co \"lph\")"] {
                let filter = filter.replace(' ', "%20").replace('"', "%22");
                let matching = ids(&caller.get(&format!("/Users?count=200{filter}")).await.json());
                let mut keyed: Vec<(Option<String>, String)> = everybody
                    .iter()
                    .map(|one| (key(one, &path, exact), one["id"].as_str().unwrap().to_owned()))
                    .filter(|(_, id)| matching.contains(id))
                    .collect();
                keyed.sort_by(compare);
                for order in ["ascending", "descending"] {
                    let expected: Vec<String> = keyed.iter().map(|(_, id)| id.clone()).collect();
                    let path = format!("/Users?sortBy={sort_by}&sortOrder={order}{filter}");
                    let whole = caller.get(&format!("{path}&count=200")).await.json();
                    assert_eq!(ids(&whole), expected, "{path}");
                    assert_eq!(whole["totalResults"], expected.len());
                    let from = expected.len() / 2;
                    let half = caller.get(&format!("{path}&startIndex={}&count=200", from + 1)).await.json();
                    assert_eq!(ids(&half), expected[from..], "{path} from the middle");
                    assert_eq!(walk(&caller, &path, 7, async |_| {}).await.concat(), expected, "{path} by cursor");
                    keyed.reverse();
                }
            }
        }
    }

    async fn what_comes_and_goes_between_two_pages_shifts_none_of_the_others(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut people = vec![];
        for number in 0..30 {
            people.push(caller.create("Users", &user(&format!("m{number:02}"))).await);
        }
        let mut comers = 0;
        for path in ["/Users", "/Users?sortBy=userName", "/Users?sortBy=title", "/Users?filter=displayName%20co%20%22m%22"] {
            let mut gone = vec![];
            let stays: Vec<String> = people.clone();
            let seen = walk(&caller, path, 4, async |page| {
                // Somebody before everybody, somebody behind, and one of ours who was shown already.
                comers += 1;
                let number = comers;
                caller.create("Users", &user(&format!("a{number}"))).await;
                let late = caller.create("Users", &user(&format!("z{number}"))).await;
                if page % 2 == 0 {
                    gone.push(late.clone());
                    assert_eq!(caller.send("DELETE", &format!("/Users/{late}"), None).await.status, 204);
                }
            });
            let seen = seen.await.concat();
            let ours: Vec<&String> = seen.iter().filter(|id| stays.contains(id)).collect();
            assert_eq!(ours.len(), stays.len(), "{path}: each once");
            assert!(stays.iter().all(|id| ours.contains(&id)), "{path}: nobody is missing");
        }
    }

    async fn a_search_answers_as_the_list_does(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut random = StdRng::seed_from_u64(4);
        for number in 0..12 {
            caller.create("Users", &anybody(&mut random, number)).await;
        }
        for name in ["alpha", "beta"] {
            caller.create("Groups", &group(name, &[])).await;
        }
        let questions = [
            json!({}),
            json!({"filter": "title pr or displayName co \"a\""}),
            json!({"filter": "userName pr", "sortBy": "userName", "sortOrder": "descending", "count": 3, "startIndex": 2}),
            json!({"attributes": ["displayName"], "count": 5}),
            json!({"excludedAttributes": ["displayName", "emails"], "startIndex": 3}),
            json!({"count": 0}),
            json!({"sortBy": "displayName", "count": 4, "cursor": ""}),
            json!({"filter": "displayName pr", "count": 3, "cursor": ""}),
            json!({"filter": "no such thing"}),
            json!({"sortOrder": "upwards", "sortBy": "id"}),
            json!({"count": 2, "cursor": "forged"}),
            json!({"startIndex": 1, "cursor": ""}),
        ];
        for place in ["/Users", "/Groups", "/"] {
            for question in &questions {
                let pairs = question.as_object().unwrap().iter().map(|(name, value)| {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(","),
                        other => other.to_string(),
                    };
                    format!("{name}={}", encoded(&text))
                });
                let listed = caller.get(&format!("{place}?{}", pairs.collect::<Vec<_>>().join("&"))).await;
                let mut body = question.clone();
                body["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]);
                let searched = caller.send("POST", &format!("{}/.search", place.trim_end_matches('/')), Some(&body)).await;
                assert_eq!(searched.status, listed.status, "{place} {question}: {} and {}", listed.text, searched.text);
                let (mut one, mut other) = (listed.json(), searched.json());
                // Sealed anew each time.
                for page in [&mut one, &mut other] {
                    if let Some(next) = page.get_mut("nextCursor") {
                        *next = "sealed".into();
                    }
                }
                assert_eq!(one, other, "{place} {question}");
            }
        }
    }

    async fn users_and_groups_are_one_list_at_the_root(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut names: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
        names.shuffle(&mut StdRng::seed_from_u64(3));
        for (number, name) in names.iter().enumerate() {
            if number % 2 == 0 {
                caller.create("Users", &user(name)).await;
            } else {
                caller.create("Groups", &group(name, &[])).await;
            }
        }
        let sorted = caller.get("/?sortBy=displayName&attributes=displayName").await.json();
        let shown: Vec<&str> = sorted["Resources"].as_array().unwrap().iter().map(|one| one["displayName"].as_str().unwrap()).collect();
        names.sort();
        assert_eq!(shown, names);
        assert_eq!(walk(&caller, "/?sortBy=displayName", 3, async |_| {}).await.concat(), ids(&sorted));
        assert_eq!(walk(&caller, "/", 3, async |_| {}).await.concat(), ids(&caller.get("/").await.json()));
        // An attribute that one kind lacks does not match there.
        assert_eq!(caller.get("/?filter=userName%20pr").await.json()["totalResults"], 5);
        assert_refused(&caller.get("/?filter=nobodyHasThis%20pr").await, 400, Some("invalidFilter"));
    }

    async fn a_page_by_index_is_the_same_from_whichever_end_it_is_counted(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut gone = vec![];
        for number in 0..23 {
            let id = caller.create("Users", &user(&format!("p{:02}", number * 7 % 23))).await;
            let group_id = caller.create("Groups", &group(&format!("g{:02}", number * 7 % 23), &[])).await;
            if [0, 11, 22].contains(&number) {
                gone.extend([format!("/Users/{id}"), format!("/Groups/{group_id}")]);
            }
        }
        // The row at a place is no longer the one that was made as so many-eth.
        for path in gone {
            assert_eq!(caller.send("DELETE", &path, None).await.status, 204);
        }
        for list in [
            "/Users?", "/Users?sortBy=id&sortOrder=descending", "/Users?sortBy=userName", "/Users?sortBy=externalId&sortOrder=descending",
            "/Groups?", "/Groups?sortBy=displayName", "/Groups?sortBy=displayName&sortOrder=descending",
        ] {
            let whole = ids(&caller.get(&format!("{list}&count=200")).await.json());
            assert_eq!(whole.len(), 20, "{list}");
            for start in 1..=22 {
                let page = caller.get(&format!("{list}&startIndex={start}&count=3")).await.json();
                let expected: Vec<_> = whole.iter().skip(start - 1).take(3).cloned().collect();
                assert_eq!((ids(&page), &page["totalResults"]), (expected, &json!(20)), "{list}, {start}");
            }
        }
    }

    /// What is read from the far end relies on how many there are: both are of one instant.
    async fn the_end_of_a_list_that_grows_is_where_it_is(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let writer = caller.clone();
        let growing = tokio::spawn(async move {
            for number in 0..150 {
                writer.create("Users", &user(&format!("p{number}"))).await;
            }
        });
        let mut seen = vec![];
        while !growing.is_finished() {
            let total = caller.get("/Users?count=0").await.json()["totalResults"].as_u64().unwrap();
            let at = usize::try_from(total).unwrap();
            if at > 2 {
                let page = ids(&caller.get(&format!("/Users?startIndex={at}&count=1")).await.json());
                assert_eq!(page.len(), 1, "there are {at}");
                seen.push((at, page[0].clone()));
            }
        }
        growing.await.unwrap();
        let whole = ids(&caller.get("/Users?count=200").await.json());
        assert!(seen.len() > 10 && whole.len() == 150, "{} looks", seen.len());
        for (at, id) in seen {
            assert_eq!(id, whole[at - 1], "at {at}");
        }
    }

    async fn past_the_budget_an_order_without_an_index_is_refused_and_a_cursor_goes_on(store) {
        let gateway = Gateway::start_with(store, &[("scim.filter_scan_max", "100")]).await;
        let caller = Caller::new(&gateway);
        for number in 0..130 {
            let mut person = user(&format!("p{number:03}"));
            person["title"] = if number % 50 == 49 { "found" } else { "other" }.into();
            caller.create("Users", &person).await;
        }
        assert_refused(&caller.get("/Users?sortBy=title").await, 400, Some("tooMany"));
        assert_refused(&caller.get("/Users?filter=title%20co%20%22oun%22").await, 400, Some("tooMany"));
        assert_eq!(caller.get("/Users?sortBy=userName&startIndex=125").await.json()["itemsPerPage"], 6, "an index has it");
        let pages = walk(&caller, "/Users?filter=title%20co%20%22oun%22", 10, async |_| {}).await;
        assert_eq!(pages.concat().len(), 2, "page after page looks on where the last one stopped: {pages:?}");
    }
}
