//! Many writers of the same rows (scim.md §0.4, §11.9): no update is lost, the version counts every effective change and
//! no other, a unique value is given once. On PostgreSQL through two gateways at once, as replicas.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::caller::{Caller, ENTERPRISE_URN, assert_refused, group, on_both_gateways, replicas, user, version};
use super::support::gateway::{Answer, Gateway};

/// Writers at once, and requests each makes one after the other.
const WRITERS: usize = 16;
const REQUESTS: usize = 50;

/// One attribute per writer.
const ATTRIBUTES: [&str; WRITERS] = [
    "displayName",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "timezone",
    "profileUrl",
    "name.formatted",
    "name.givenName",
    "name.familyName",
    "name.middleName",
    "name.honorificPrefix",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
];

/// Calls of the same connection, spread over the replicas.
fn callers(gateways: &[Gateway]) -> Vec<Caller> {
    (0..WRITERS).map(|writer| Caller::new(&gateways[writer % gateways.len()])).collect()
}

/// Runs one task per item at once; their results in order.
async fn at_once<T: Send + 'static, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut results = vec![];
    for task in running {
        results.push(task.await.expect("no task fails"));
    }
    results
}

/// The value an attribute path names in a resource.
fn at<'r>(resource: &'r Value, path: &str) -> &'r Value {
    if let Some(name) = path.strip_prefix(&format!("{ENTERPRISE_URN}:")) {
        return &resource[ENTERPRISE_URN][name];
    }
    path.split('.').fold(resource, |value, name| &value[name])
}

fn members(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: BTreeSet<String> = members.iter().map(|member| member["value"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), members.len(), "nobody is a member twice");
    ids
}

/// Creates this many people, in parallel; their ids.
async fn people(callers: &[Caller], count: usize) -> Vec<String> {
    let each = count / callers.len();
    let created = at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| async move {
        let mut ids = vec![];
        for number in 0..each {
            ids.push(caller.create("Users", &user(&format!("person-{writer}-{number}"))).await);
        }
        ids
    }));
    created.await.into_iter().flatten().collect()
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

on_both_gateways! {
    async fn sixteen_writers_of_sixteen_attributes_of_one_user_all_win(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let id = callers[0].create("Users", &user("shared")).await;
        let before = callers[0].get(&format!("/Users/{id}")).await;
        at_once(callers.iter().cloned().zip(ATTRIBUTES).map(|(caller, attribute)| {
            let path = format!("/Users/{id}");
            async move {
                for number in 0..REQUESTS {
                    // The second time nothing changes, and that is no new version.
                    for _ in 0..=usize::from(number % 10 == 0) {
                        let value = format!("{number}");
                        let answer = caller.patch(&path, json!([{"op": "replace", "path": attribute, "value": value}])).await;
                        assert_eq!(answer.status, 200, "{attribute} {number}: {}", answer.text);
                        assert_eq!(at(&answer.json(), attribute), &json!(value), "the answer shows the write");
                    }
                }
            }
        }))
        .await;
        let after = callers[0].get(&format!("/Users/{id}")).await;
        let resource = after.json();
        for attribute in ATTRIBUTES {
            assert_eq!(at(&resource, attribute), &json!("49"), "{attribute} kept its last value");
        }
        let changes = i64::try_from(WRITERS * REQUESTS).unwrap();
        let moved = version(after.header("etag").unwrap()) - version(before.header("etag").unwrap());
        assert_eq!(moved, changes, "one version per effective change");
    }

    async fn sixteen_writers_of_the_members_of_one_group_all_win(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS * REQUESTS).await;
        let id = callers[0].create("Groups", &group("Everybody", &[])).await;
        let before = callers[0].get(&format!("/Groups/{id}")).await;
        at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
            let path = format!("/Groups/{id}?excludedAttributes=members");
            let own = people[writer * REQUESTS..][..REQUESTS].to_vec();
            async move {
                for (number, person) in own.iter().enumerate() {
                    for _ in 0..=usize::from(number % 10 == 0) {
                        let add = json!([{"op": "add", "path": "members", "value": [{"value": person}]}]);
                        let answer = caller.patch(&path, add).await;
                        assert!(answer.status < 400, "{} {}", answer.status, answer.text);
                    }
                }
            }
        }))
        .await;
        let after = callers[0].get(&format!("/Groups/{id}")).await;
        assert_eq!(members(&after.json()), people.iter().cloned().collect());
        let changes = i64::try_from(WRITERS * REQUESTS).unwrap();
        let moved = version(after.header("etag").unwrap()) - version(before.header("etag").unwrap());
        assert_eq!(moved, changes, "one version per effective change");
    }

    async fn members_that_join_and_leave_at_once_end_exactly_right(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS).await;
        let id = callers[0].create("Groups", &group("Shifts", &[])).await;
        at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
            let (path, person) = (format!("/Groups/{id}"), people[writer].clone());
            async move {
                // Ends inside for every second writer.
                for number in 0..20 + writer % 2 {
                    let operation = match (number % 2, number % 3) {
                        (0, _) => json!({"op": "add", "path": "members", "value": [{"value": person}]}),
                        (_, 0) => json!({"op": "remove", "path": "members", "value": [{"value": person}]}),
                        _ => json!({"op": "remove", "path": format!("members[value eq \"{person}\"]")}),
                    };
                    let answer = caller.patch(&path, json!([operation])).await;
                    assert!(answer.status < 400, "{} {}", answer.status, answer.text);
                }
            }
        }))
        .await;
        let inside: BTreeSet<String> = people.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(members(&callers[0].get(&format!("/Groups/{id}")).await.json()), inside);
    }

    async fn a_rename_and_member_changes_of_one_group_at_once_all_survive(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS * 10).await;
        let id = callers[0].create("Groups", &group("Before", &[])).await;
        at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
            let (path, own) = (format!("/Groups/{id}"), people[writer * 10..][..10].to_vec());
            async move {
                for (number, person) in own.iter().enumerate() {
                    let add = json!([{"op": "add", "path": "members", "value": [{"value": person}]}]);
                    assert!(caller.patch(&path, add).await.status < 400);
                    if writer < 2 {
                        let name = json!([{"op": "replace", "path": "displayName", "value": format!("Name {writer} {number}")}]);
                        let answer = caller.patch(&path, name).await;
                        assert!(answer.status < 400, "{} {}", answer.status, answer.text);
                    }
                }
            }
        }))
        .await;
        let after = callers[0].get(&format!("/Groups/{id}")).await.json();
        assert_eq!(members(&after), people.iter().cloned().collect());
        assert!(["Name 0 9", "Name 1 9"].iter().any(|name| after["displayName"] == *name), "{}", after["displayName"]);
    }

    async fn writers_who_add_and_remove_the_same_people_never_stand_in_each_others_way(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS * 2).await;
        let id = callers[0].create("Groups", &group("The same", &[])).await;
        at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
            let (path, mut people) = (format!("/Groups/{id}"), people.clone());
            // Each in another order, several at a time, so that they meet in every way.
            people.rotate_left(writer * 2);
            if writer % 2 == 1 {
                people.reverse();
            }
            async move {
                for verb in ["add", "remove", "add"] {
                    for some in people.chunks(5) {
                        let some: Vec<Value> = some.iter().map(|person| json!({"value": person})).collect();
                        let answer = caller.patch(&path, json!([{"op": verb, "path": "members", "value": some}])).await;
                        assert!(answer.status < 400, "{verb}: {} {}", answer.status, answer.text);
                    }
                }
            }
        }))
        .await;
        // Whoever was removed after they were added for the last time comes in again.
        let all: Vec<Value> = people.iter().map(|person| json!({"value": person})).collect();
        let answers = at_once(callers.iter().cloned().map(|caller| {
            let (path, add) = (format!("/Groups/{id}"), json!([{"op": "add", "path": "members", "value": all}]));
            async move { caller.patch(&path, add).await }
        }))
        .await;
        assert_eq!(statuses(&answers), [200; WRITERS]);
        assert_eq!(members(&callers[0].get(&format!("/Groups/{id}")).await.json()), people.iter().cloned().collect());
    }

    async fn of_many_whole_replacements_of_one_group_the_last_one_stands_whole(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS * 4).await;
        let id = callers[0].create("Groups", &group("Replaced", &[])).await;
        let own = |writer: usize| people[writer * 4..][..4].to_vec();
        at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
            let (path, own) = (format!("/Groups/{id}"), own(writer));
            async move {
                for _ in 0..5 {
                    let ids: Vec<&str> = own.iter().map(String::as_str).collect();
                    let answer = caller.send("PUT", &path, Some(&group("Replaced", &ids))).await;
                    assert_eq!(answer.status, 200, "{}", answer.text);
                }
            }
        }))
        .await;
        let left = members(&callers[0].get(&format!("/Groups/{id}")).await.json());
        let is_one_writers = (0..WRITERS).any(|writer| left == own(writer).into_iter().collect());
        assert!(is_one_writers, "the members of several replacements are mixed: {left:?}");
    }

    async fn of_fifty_posts_of_one_user_name_in_different_case_one_is_taken(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let answers = at_once((0..50).map(|number| {
            let caller = callers[number % WRITERS].clone();
            // Bit by bit another letter is a capital.
            let letters = "racecondition".chars().enumerate();
            let name: String = letters.map(|(bit, c)| if number >> bit & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect();
            let mut body = user(&name);
            body["externalId"] = format!("racer-{number}").into();
            async move { caller.send("POST", "/Users", Some(&body)).await }
        }))
        .await;
        let expected: Vec<u16> = std::iter::once(201).chain([409; 49]).collect();
        assert_eq!(statuses(&answers), expected);
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            assert_refused(answer, 409, Some("uniqueness"));
        }
        let found = callers[0].find("Users", "userName eq \"raceCondition\"").await.json();
        assert_eq!(found["totalResults"], 1);
        assert_eq!(callers[0].get("/Users?count=0").await.json()["totalResults"], 1, "the refused ones are not counted");
    }

    async fn of_many_posts_of_one_external_id_one_is_taken(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let answers = at_once((0..30).map(|number| {
            let caller = callers[number % WRITERS].clone();
            let mut body = user(&format!("name-{number}"));
            body["externalId"] = "the-same".into();
            async move { caller.send("POST", "/Users", Some(&body)).await }
        }))
        .await;
        let expected: Vec<u16> = std::iter::once(201).chain([409; 29]).collect();
        assert_eq!(statuses(&answers), expected);
        let found = callers[0].find("Users", "externalId eq \"the-same\"").await.json();
        assert_eq!(found["totalResults"], 1);
    }

    async fn of_many_groups_of_one_name_one_is_taken(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let answers = at_once((0..30).map(|number| {
            let caller = callers[number % WRITERS].clone();
            let name = if number % 2 == 0 { "Sales" } else { "SALES" };
            async move { caller.send("POST", "/Groups", Some(&group(name, &[]))).await }
        }))
        .await;
        let expected: Vec<u16> = std::iter::once(201).chain([409; 29]).collect();
        assert_eq!(statuses(&answers), expected);
    }

    async fn of_many_renames_to_one_user_name_one_is_taken(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let people = people(&callers, WRITERS).await;
        let answers = at_once(callers.iter().cloned().zip(people.clone()).map(|(caller, id)| async move {
            let rename = json!([{"op": "replace", "path": "userName", "value": "wanted-by-all"}]);
            caller.patch(&format!("/Users/{id}"), rename).await
        }))
        .await;
        let expected: Vec<u16> = std::iter::once(200).chain([409; WRITERS - 1]).collect();
        assert_eq!(statuses(&answers), expected);
    }

    async fn if_match_lets_one_of_many_through_and_tells_the_rest_412(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        for (resources, body, attribute) in [("Users", user("guarded"), "title"), ("Groups", group("Guarded", &[]), "externalId")] {
            let id = callers[0].create(resources, &body).await;
            let path = format!("/{resources}/{id}");
            let tag = callers[0].get(&path).await.header("etag").unwrap().to_owned();
            let answers = at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| {
                let (path, tag) = (path.clone(), tag.clone());
                async move {
                    let value = format!("writer {writer}");
                    let body = super::super::support::caller::patch(json!([{"op": "add", "path": attribute, "value": value}]));
                    caller.send_with("PATCH", &path, &[("if-match", &tag)], Some(&body)).await
                }
            }))
            .await;
            let expected: Vec<u16> = std::iter::once(200).chain([412; WRITERS - 1]).collect();
            assert_eq!(statuses(&answers), expected, "{resources}");
            let won = answers.iter().find(|answer| answer.status == 200).unwrap();
            let now = callers[0].get(&path).await;
            assert_eq!(now.json()[attribute], won.json()[attribute]);
            assert_eq!(now.header("etag"), won.header("etag"), "the losers moved no version");
            for answer in answers.iter().filter(|answer| answer.status == 412) {
                assert_refused(answer, 412, None);
            }
            let stale = [("if-match", tag.as_str())];
            assert_refused(&callers[0].send_with("PUT", &path, &stale, Some(&body)).await, 412, None);
            assert_refused(&callers[0].send_with("DELETE", &path, &stale, None).await, 412, None);
            let current = now.header("etag").unwrap().to_owned();
            let deleted = callers[0].send_with("DELETE", &path, &[("if-match", &current)], None).await;
            assert_eq!(deleted.status, 204);
        }
    }

    async fn of_many_deletes_of_one_user_one_finds_it(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let id = callers[0].create("Users", &user("leaving")).await;
        let answers = at_once(callers.iter().cloned().map(|caller| {
            let path = format!("/Users/{id}");
            async move { caller.send("DELETE", &path, None).await }
        }))
        .await;
        let expected: Vec<u16> = std::iter::once(204).chain([404; WRITERS - 1]).collect();
        assert_eq!(statuses(&answers), expected);
        assert_eq!(callers[0].get("/Users?count=0").await.json()["totalResults"], 0, "counted off once");
    }

    async fn of_many_posts_that_bring_a_deleted_person_back_one_does(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        let id = callers[0].create("Users", &user("returning")).await;
        assert_eq!(callers[0].send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        let answers = at_once(callers.iter().cloned().map(|caller| async move { caller.send("POST", "/Users", Some(&user("returning"))).await })).await;
        let expected: Vec<u16> = std::iter::once(201).chain([409; WRITERS - 1]).collect();
        assert_eq!(statuses(&answers), expected);
        let back = answers.iter().find(|answer| answer.status == 201).unwrap().json();
        assert_eq!(back["id"], id.as_str(), "the same person");
        assert_eq!(callers[0].get("/Users?count=0").await.json()["totalResults"], 1, "counted once");
    }

    async fn nobody_who_leaves_while_they_are_added_stays_a_member(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        for round in 0..4 {
            let people = at_once(callers.iter().cloned().enumerate().map(|(writer, caller)| async move {
                caller.create("Users", &user(&format!("short-stay-{round}-{writer}"))).await
            }))
            .await;
            let id = callers[0].create("Groups", &group(&format!("Short stays {round}"), &[])).await;
            let path = format!("/Groups/{id}");
            at_once(callers.iter().cloned().zip(people.clone()).flat_map(|(caller, person)| {
                let (adding, leaving, path) = (caller.clone(), caller, path.clone());
                let task = |adds: bool, caller: Caller, path: String, person: String| async move {
                    if adds {
                        let add = json!([{"op": "add", "path": "members", "value": [{"value": person}]}]);
                        let answer = caller.patch(&path, add).await;
                        assert!(answer.status == 200 || answer.status == 400, "{} {}", answer.status, answer.text);
                    } else {
                        let answer = caller.send("DELETE", &format!("/Users/{person}"), None).await;
                        assert_eq!(answer.status, 204, "{}", answer.text);
                    }
                };
                [task(true, adding, path.clone(), person.clone()), task(false, leaving, path, person)]
            }))
            .await;
            assert_eq!(members(&callers[0].get(&path).await.json()), BTreeSet::new(), "round {round}");
            for (writer, person) in people.iter().enumerate() {
                let found = callers[0].find("Groups", &format!("members eq \"{person}\"")).await.json();
                assert_eq!(found["totalResults"], 0, "round {round}");
                // Whoever comes back is in no group before they are added again.
                let back = callers[writer].create("Users", &user(&format!("short-stay-{round}-{writer}"))).await;
                assert_eq!(&back, person);
                assert!(callers[0].get(&format!("/Users/{back}")).await.json().get("groups").is_none(), "round {round}");
            }
            assert_eq!(members(&callers[0].get(&path).await.json()), BTreeSet::new(), "round {round}");
        }
    }

    async fn groups_that_take_each_other_in_at_once_close_no_cycle(store) {
        let gateways = replicas(store).await;
        let callers = callers(&gateways);
        for round in 0..10 {
            let first = callers[0].create("Groups", &group(&format!("First {round}"), &[])).await;
            let second = callers[0].create("Groups", &group(&format!("Second {round}"), &[])).await;
            let pairs = [(callers[0].clone(), first.clone(), second.clone()), (callers[1].clone(), second, first)];
            let answers = at_once(pairs.into_iter().map(|(caller, outer, inner)| async move {
                let add = json!([{"op": "add", "path": "members", "value": [{"value": inner}]}]);
                caller.patch(&format!("/Groups/{outer}"), add).await
            }))
            .await;
            assert_eq!(statuses(&answers), [200, 400], "round {round}: one takes the other in");
            assert_refused(answers.iter().find(|answer| answer.status == 400).unwrap(), 400, Some("invalidValue"));
        }
    }
}
