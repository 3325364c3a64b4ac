//! Becoming somebody by pushing their address or name, and gaining rights by pushing attributes.

use serde_json::json;

use super::World;
use crate::support::caller::{USER_URN, assert_refused, group, on_both_gateways, user};

on_both_gateways! {
    async fn taking_over_a_person_of_another_connection_by_their_address(store) {
        let world = World::new(store).await;
        let mut victim = user("victim");
        victim["emails"] = json!([{"value": "victim@example.com", "type": "work", "primary": true}]);
        let victim_id = world.ours.create("Users", &victim).await;
        let before = world.rows_of("default").await;
        let mut thief = user("thief");
        thief["emails"] = json!([{"value": "Victim@Example.com", "type": "work", "primary": true}]);
        for _ in 0..2 {
            assert_refused(&world.sibling.send("POST", "/Users", Some(&thief)).await, 409, Some("uniqueness"));
        }
        let after = world.rows_of("default").await;
        let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
        let of = |table: &str| new.iter().filter(|(name, _)| *name == table).count();
        assert_eq!(of("conflicts"), 1, "one question in the inbox, however often it is pushed");
        assert_eq!(of("conflicts") + of("log"), new.len(), "nothing else is stored: {new:#?}");
        assert!(before.iter().all(|row| after.contains(row)), "nothing of the victim changed");
        // The way around, by a change of address: the thief's own profile may not become the victim's.
        thief["emails"] = json!([{"value": "thief@example.com"}]);
        let id = world.sibling.create("Users", &thief).await;
        let moved = json!([{"op": "replace", "path": "emails", "value": [{"value": "victim@example.com"}]}]);
        let answer = world.sibling.patch(&format!("/Users/{id}"), moved).await;
        assert!([200, 409].contains(&answer.status), "{}", answer.text);
        assert_eq!(world.ours.get(&format!("/Users/{victim_id}")).await.json()["emails"], victim["emails"]);
        let shown = world.gateway.cli(&["users", "show", "scim|scim|x-victim", "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["identities"].as_array().map(Vec::len), Some(1), "still one identity: {shown}");
        assert_eq!(shown["email"], "victim@example.com");
    }

    async fn taking_over_a_person_of_another_connection_by_their_user_name(store) {
        let world = World::new(store).await;
        let victim_id = world.ours.create("Users", &user("Victim")).await;
        let victim = world.ours.get(&format!("/Users/{victim_id}")).await;
        let mut thief = user("victim");
        thief["externalId"] = "x-Victim".into();
        let id = world.sibling.create("Users", &thief).await;
        assert_ne!(id, victim_id);
        let replaced = world.sibling.send("PUT", &format!("/Users/{id}"), Some(&user("Victim"))).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        assert_eq!(world.sibling.send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        let after = world.ours.get(&format!("/Users/{victim_id}")).await;
        assert_eq!((after.status, &after.text), (200, &victim.text), "the victim is untouched");
    }

    async fn giving_oneself_rights_by_attributes(store) {
        let world = World::new(store).await;
        let admins = world.ours.create("Groups", &group("Admins", &[])).await;
        let before: Vec<_> = world.rows_of("default").await;
        let mut body = user("climber");
        for (name, value) in [
            ("id", json!("00000000-0000-0000-0000-000000000000")),
            ("groups", json!([{"value": admins, "display": "Admins", "type": "direct"}])),
            ("roles", json!([{"value": "admin", "primary": true}, {"value": "rosterd:*"}])),
            ("entitlements", json!([{"value": "*"}])),
            ("meta", json!({"version": "W/\"999\"", "created": "1999-01-01T00:00:00Z"})),
            ("app_metadata", json!({"roles": ["owner"], "admin": true})),
            ("user_metadata", json!({"x": 1})),
            ("blocked", json!(false)),
            ("email_verified", json!(true)),
            ("user_id", json!("auth0|root")),
            ("tenant_id", json!("rival")),
            ("connection_id", json!(world.theirs_id)),
            ("scopes", json!(["*"])),
        ] {
            body[name] = value;
        }
        let created = world.ours.send("POST", "/Users", Some(&body)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        assert_ne!(created.json()["id"], body["id"], "the server gives ids");
        let replaced = world.ours.send("PUT", &format!("/Users/{id}"), Some(&body)).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        for path in ["groups", "id", "meta.version"] {
            let operations = json!([{"op": "replace", "path": path, "value": body[path.split('.').next().unwrap()]}]);
            assert_refused(&world.ours.patch(&format!("/Users/{id}"), operations).await, 400, Some("mutability"));
        }
        let read = world.ours.get(&format!("/Users/{id}")).await.json();
        assert_eq!(read["id"], id.as_str());
        assert!(read.get("groups").is_none(), "membership is the group's to say: {read}");
        assert_eq!(read["schemas"], json!([USER_URN]));
        let shown = world.gateway.cli(&["users", "show", "scim|scim|x-climber", "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["user_id"], "scim|scim|x-climber");
        assert_ne!(shown["email_verified"], json!(true));
        assert_eq!(shown["app_metadata"], json!({"roles": ["admin", "rosterd:*"]}), "what the mapping says, nothing beside");
        let after = world.rows_of("default").await;
        for table in ["tenants", "connections", "members", "blocks"] {
            let rows = |all: &[(&str, String)]| all.iter().filter(|(name, _)| *name == table).cloned_text();
            assert_eq!(rows(&before), rows(&after), "{table}");
        }
        // The roles are data about a person: the token of the connection opens no more than before.
        let headers = [("authorization".to_owned(), format!("Bearer {}", world.gateway.token()))];
        let api = format!("{}/api/v2/users", world.gateway.base_url());
        assert!(world.gateway.send("GET", &api, &headers, None).await.expect("an answer").status >= 400);
    }
}

/// The texts of rows.
trait ClonedText {
    fn cloned_text(self) -> Vec<String>;
}

impl<'r, I: Iterator<Item = &'r (&'r str, String)>> ClonedText for I {
    fn cloned_text(self) -> Vec<String> {
        self.map(|(_, text)| text.clone()).collect()
    }
}
