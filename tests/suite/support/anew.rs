//! What a gateway that followed a directory for a while has of it, beside what an empty one makes of the same directory in
//! one full run. The two have to be the same by external id; what may differ is listed here, each with its reason.

use super::corp::Corp;
use rosterd::model::dn::dn_key;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody by what the directory says of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Never compared between two gateways, and never to change within one: identity, profile, `user_id`.
    pub ids: [String; 3],
    /// Profile, entry, state, names and blocks.
    pub shown: Value,
}

/// A group: what the directory says of it, its members by external id, and the keys of names that nobody bears.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub shown: Value,
    pub people: BTreeSet<String>,
    pub groups: BTreeSet<String>,
    pub unresolved: BTreeSet<String>,
}

/// All that a gateway has of the directory now, by external id.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub people: BTreeMap<String, Person>,
    pub groups: BTreeMap<String, Group>,
    /// Those of whom nobody can be made as their entries are: external id, and the key of their place.
    pub rejected: BTreeMap<String, String>,
    /// Groups that would hold themselves: external id.
    pub rings: BTreeSet<String>,
}

impl View {
    pub async fn of(corp: &Corp) -> Self {
        let mut view = Self::default();
        let text = |row: &Map<String, Value>, column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let mut blocks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in corp.rows("SELECT profile_id, kind, reason FROM blocks").await {
            blocks.entry(text(&row, "profile_id")).or_default().insert(format!(
                "{}: {}",
                text(&row, "kind"),
                text(&row, "reason")
            ));
        }
        // By design: who left stays, blocked, without a place in lists or groups, so that they are the same person when they
        // come back. An empty gateway never heard of them.
        let people = "SELECT i.external_id, i.id, i.user_name, i.label, i.state, i.raw, i.dn_key, u.user_id, u.doc, u.blocked, \
            u.id AS profile FROM identities i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.profile_id WHERE i.listed";
        for row in corp.rows(people).await {
            let profile = text(&row, "profile");
            let shown = json!({
                "profile": row["doc"], "entry": row["raw"], "state": row["state"], "user_name": row["user_name"],
                "label": row["label"], "blocked": row["blocked"], "dn_key": row["dn_key"], "blocks": blocks.get(&profile),
            });
            let ids = [text(&row, "id"), profile, text(&row, "user_id")];
            view.people.insert(text(&row, "external_id"), Person { ids, shown });
        }
        for row in corp.rows("SELECT external_id, name, raw, mapped, dn_key FROM groups WHERE listed").await {
            let shown = json!({"name": row["name"], "entry": row["raw"], "mapped": row["mapped"], "dn_key": row["dn_key"]});
            view.groups.insert(text(&row, "external_id"), Group { shown, ..Group::default() });
        }
        let members = "SELECT g.external_id, m.kind, m.member_id, coalesce(i.external_id, n.external_id) AS member, \
            coalesce(i.listed, n.listed) AS listed FROM groups g JOIN members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id \
            LEFT JOIN identities i ON i.tenant_id = g.tenant_id AND i.id = m.member_id \
            LEFT JOIN groups n ON n.tenant_id = g.tenant_id AND n.id = m.member_id";
        for row in corp.rows(members).await {
            let group = view.groups.get_mut(&text(&row, "external_id")).unwrap_or_else(|| panic!("members of no group: {row:?}"));
            assert_eq!(row["listed"], json!(true), "somebody who left is a member: {row:?}");
            let members = if row["kind"] == "Group" { &mut group.groups } else { &mut group.people };
            members.insert(text(&row, "member"));
        }
        let unresolved = "SELECT g.external_id, u.dn_key FROM groups g \
            JOIN unresolved_members u ON u.tenant_id = g.tenant_id AND u.group_id = g.id WHERE g.listed";
        for row in corp.rows(unresolved).await {
            let group = view.groups.get_mut(&text(&row, "external_id")).expect("it is listed");
            group.unresolved.insert(text(&row, "dn_key"));
        }
        for row in corp.rows("SELECT kind, subject, detail FROM conflicts WHERE state = 'open' AND kind <> 'held_run'").await {
            let detail = text(&row, "detail");
            match text(&row, "kind").as_str() {
                "sync_rejected" => {
                    let told: Value = serde_json::from_str(&detail).expect("a document");
                    view.rejected.insert(text(&row, "subject"), dn_key(told["dn"].as_str().expect("a place")));
                }
                "sync_group" if detail.contains("would hold itself") => drop(view.rings.insert(text(&row, "subject"))),
                _ => panic!("nothing of this waits in a story: {row:?}"),
            }
        }
        view
    }

    /// Whom it lists: login and whether blocked.
    pub fn names(&self) -> BTreeSet<(String, bool)> {
        let name = |one: &Person| one.shown["user_name"].as_str().unwrap_or_default().to_owned();
        self.people.values().map(|one| (name(one), one.shown["blocked"] == json!(true))).collect()
    }

    /// What differs from `anew`; nothing if a gateway that lived through it all has what an empty one would.
    pub fn differences(&self, anew: &Self) -> Vec<String> {
        let mut all = Vec::new();
        if self.rejected != anew.rejected {
            all.push(format!("rejected: {:?}, anew {:?}", self.rejected, anew.rejected));
        }
        // By design: of an entry that nobody can be made of, whoever was known stays as they were; there is no newcomer. Their
        // memberships stay with them, where an empty gateway has a name that nobody bears.
        let rejected = &anew.rejected;
        compare("people", &self.people, &anew.people, |id| rejected.contains_key(id), |one| one.shown.clone(), &mut all);
        compare("groups", &self.groups, &anew.groups, |_| false, |group| group.shown.clone(), &mut all);
        let place_before = |id: &String| self.people.get(id).and_then(|one| one.shown["dn_key"].as_str());
        let places: BTreeSet<&str> =
            rejected.values().map(String::as_str).chain(rejected.keys().filter_map(place_before)).collect();
        let ring = self.ring(anew);
        for (id, group) in &self.groups {
            let Some(other) = anew.groups.get(id) else { continue };
            let without = |all: &BTreeSet<String>, not: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
                all.iter().filter(|one| !not(one)).cloned().collect()
            };
            let mut differ = |what: &str, lived: BTreeSet<String>, anew: BTreeSet<String>| {
                if lived != anew {
                    let (more, less) = (lived.difference(&anew).collect::<Vec<_>>(), anew.difference(&lived).collect::<Vec<_>>());
                    all.push(format!("{what} of {}: too many {more:?}, too few {less:?}", group.shown["name"]));
                }
            };
            let is_rejected = |one: &str| rejected.contains_key(one);
            differ("people", without(&group.people, &is_rejected), other.people.clone());
            // By design: of groups in a ring one membership has no place, the one that would close it. Which one that is depends
            // on what was there before.
            let in_ring = |one: &str| ring.contains(id.as_str()) && ring.contains(one);
            differ("groups", without(&group.groups, &in_ring), without(&other.groups, &in_ring));
            let is_of_rejected = |key: &str| places.contains(key);
            differ("unresolved", without(&group.unresolved, &is_of_rejected), without(&other.unresolved, &is_of_rejected));
        }
        all
    }

    /// The groups of rings that the directory holds: each gateway knows all edges but the one it refused.
    fn ring<'a>(&'a self, anew: &'a Self) -> BTreeSet<&'a str> {
        if self.rings.is_empty() || anew.rings.is_empty() {
            return BTreeSet::new();
        }
        let under = |id: &str| -> BTreeSet<&'a str> {
            let of = |view: &'a Self| view.groups.get(id).into_iter().flat_map(|group| group.groups.iter().map(String::as_str));
            of(self).chain(of(anew)).collect()
        };
        let below = |id: &'a str| {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![id]);
            while let Some(next) = waiting.pop() {
                waiting.extend(under(next).into_iter().filter(|below| seen.insert(*below)));
            }
            seen
        };
        self.groups.keys().map(String::as_str).filter(|id| below(id).contains(id)).collect()
    }
}

fn compare<T>(
    what: &str,
    lived: &BTreeMap<String, T>,
    anew: &BTreeMap<String, T>,
    is_left_out: impl Fn(&str) -> bool,
    shown: impl Fn(&T) -> Value,
    all: &mut Vec<String>,
) {
    let ids: BTreeSet<&String> = lived.keys().chain(anew.keys()).filter(|id| !is_left_out(id)).collect();
    for id in ids {
        match (lived.get(id).map(&shown), anew.get(id).map(&shown)) {
            (lived, anew) if lived == anew => {}
            (lived, anew) => {
                let told = |one: Option<Value>| one.map_or_else(|| String::from("nobody"), |one| one.to_string());
                all.push(format!("{what} {id}:\n  lived {}\n  anew  {}", told(lived), told(anew)));
            }
        }
    }
}

/// Whom a gateway knew, over all runs: the same person has the same identity, profile and `user_id` for good.
#[derive(Default)]
pub struct Survivors(BTreeMap<String, [String; 3]>);

impl Survivors {
    pub fn met(&mut self, view: &View, when: &str) {
        for (id, person) in &view.people {
            let before = self.0.entry(id.clone()).or_insert_with(|| person.ids.clone());
            assert_eq!(*before, person.ids, "{id} is another person by now, {when}");
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person { ids: [name.into(), name.into(), name.into()], shown: json!({"user_name": name, "dn_key": format!("k{name}")}) }
    }

    fn group(people: &[&str], groups: &[&str], unresolved: &[&str]) -> Group {
        let set = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Group { shown: json!({"name": "g"}), people: set(people), groups: set(groups), unresolved: set(unresolved) }
    }

    fn view(people: &[&str], groups: &[(&str, Group)]) -> View {
        View {
            people: people.iter().map(|name| ((*name).to_owned(), person(name))).collect(),
            groups: groups.iter().map(|(id, group)| ((*id).to_owned(), group.clone())).collect(),
            ..View::default()
        }
    }

    #[test]
    fn whatever_differs_is_told() {
        let anew = view(&["a", "b"], &[("g", group(&["a"], &[], &["k"]))]);
        assert_eq!(anew.differences(&anew), Vec::<String>::new());
        let mut renamed = anew.clone();
        renamed.people.get_mut("b").unwrap().shown["user_name"] = "c".into();
        let others = [
            view(&["a"], &[("g", group(&["a"], &[], &["k"]))]),
            view(&["a", "b", "c"], &[("g", group(&["a"], &[], &["k"]))]),
            renamed,
            view(&["a", "b"], &[]),
            view(&["a", "b"], &[("g", group(&["a", "b"], &[], &["k"]))]),
            view(&["a", "b"], &[("g", group(&[], &[], &["k"]))]),
            view(&["a", "b"], &[("g", group(&["a"], &["g"], &["k"]))]),
            view(&["a", "b"], &[("g", group(&["a"], &[], &[]))]),
            View { rejected: BTreeMap::from([("b".into(), "kb".into())]), ..anew.clone() },
        ];
        for other in others {
            assert_eq!(other.differences(&anew).len(), 1, "{other:?}");
        }
    }

    #[test]
    fn whoever_is_rejected_stays_and_a_ring_is_open_at_any_place() {
        let rejected = BTreeMap::from([(String::from("b"), String::from("kb"))]);
        let lived = View { rejected: rejected.clone(), ..view(&["a", "b"], &[("g", group(&["a", "b"], &[], &[]))]) };
        let anew = View { rejected, ..view(&["a"], &[("g", group(&["a"], &[], &["kb"]))]) };
        assert_eq!(lived.differences(&anew), Vec::<String>::new());

        let ringed = |one: &[&str], two: &[&str]| {
            let groups = [("1", group(&[], one, &[])), ("2", group(&[], two, &[]))];
            View { rings: BTreeSet::from([String::from("1")]), ..view(&[], &groups) }
        };
        assert_eq!(ringed(&["2"], &[]).differences(&ringed(&[], &["1"])), Vec::<String>::new());
        let open = View { rings: BTreeSet::new(), ..ringed(&["2"], &[]) };
        assert_eq!(open.differences(&ringed(&[], &["1"])).len(), 2);
    }
}
