//! The command line, end to end: the built program on a SQLite file of its own.

use crate::support::binary::Sandbox;
use crate::support::postgres::cluster;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("an array").iter().map(|object| object["name"].as_str().expect("a name")).collect()
}

// --- bootstrap --------------------------------------------------------------------------------------------------

#[test]
fn bootstrap_prints_exactly_what_a_first_run_needs() {
    let (_, made) = Sandbox::bootstrapped();
    let members: Vec<&String> = made.as_object().expect("an object").keys().collect();
    let wanted = ["tenant", "connection", "connection_id", "scim_base_url", "scim_token", "admin_token", "console_code"];
    assert_eq!(members, wanted);
    let id = made["connection_id"].as_str().expect("an id");
    assert!(id.starts_with("con_") && id.len() == 36, "{id}");
    assert_eq!(made["scim_base_url"], format!("http://127.0.0.1:8080/scim/v2/connections/{id}"));
    assert!(made["scim_token"].as_str().is_some_and(|token| token.starts_with("rst_")));
    assert!(made["admin_token"].as_str().is_some_and(|token| token.starts_with("rma_")));
}

#[test]
fn bootstrap_leaves_a_database_that_is_not_empty_alone() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let before = sandbox.run("token list --json").json();
    assert!(sandbox.run("bootstrap").refusal().contains("not empty"));
    assert_eq!(sandbox.run("token list --json").json(), before);
}

#[test]
fn the_first_command_makes_a_key_that_only_its_owner_reads() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let mode = std::fs::metadata(sandbox.path().join("rosterd.key")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn no_token_is_stored_in_the_clear() {
    let (sandbox, made) = Sandbox::bootstrapped();
    let stored = std::fs::read(sandbox.path().join("rosterd.db")).expect("a file");
    for member in ["scim_token", "admin_token", "console_code"] {
        let text = made[member].as_str().expect("a token").as_bytes();
        assert!(!stored.windows(text.len()).any(|window| window == text), "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bootstrap_works_alike_on_postgresql() {
    let url = cluster().fresh_database().await;
    let sandbox = Sandbox::new();
    let keyless = [("ROSTERD__DATABASE__URL", url.as_str())];
    assert!(sandbox.run_with("bootstrap", &keyless).refusal().contains("secrets.key: is required with PostgreSQL"));
    let key = ("ROSTERD__SECRETS__KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
    let environment = [keyless[0], key];
    let made = sandbox.run_with("bootstrap --json", &environment).json();
    assert_eq!(made["connection"], "scim");
    assert!(sandbox.run_with("bootstrap", &environment).refusal().contains("not empty"));
    let tokens = sandbox.run_with("token list --json", &environment).json();
    assert_eq!(tokens.as_array().expect("an array").len(), 3);
    sandbox.run_with("connection update scim --set strict=true", &environment).succeeded();
    sandbox.run_with("token delete console-code --yes", &environment).succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path()).expect("a folder").count(), 0, "no key file, no database file");
}

// --- tenants and organizations ----------------------------------------------------------------------------------

#[test]
fn a_tenant_is_made_listed_changed_and_removed() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("tenant create acme --host acme.example.com").succeeded();
    assert_eq!(names(&sandbox.run("tenant list --json").json()), ["acme", "default"]);
    assert_eq!(sandbox.run("tenant update acme --host ID.Acme.Example --json").json()["host"], "id.acme.example");
    assert!(sandbox.run("tenant create other --host id.acme.example").refusal().contains("already belongs to tenant acme"));
    assert!(sandbox.run("tenant delete acme").refusal().contains("not done without --yes"));
    assert_eq!(sandbox.run("tenant delete acme --yes").code, 0);
    assert_eq!(names(&sandbox.run("tenant list --json").json()), ["default"]);
}

#[test]
fn a_tenant_in_use_is_not_removed_and_a_mistyped_one_finds_its_name() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("tenant create acme").succeeded();
    sandbox.run("connection create okta --kind scim --tenant acme").succeeded();
    assert!(sandbox.run("tenant delete acme --yes").refusal().contains("still has users or connections"));
    assert!(sandbox.run("tenant show acmee").refusal().contains("did you mean acme?"));
    assert!(sandbox.run("tenant create acme").refusal().contains("there is a tenant acme already"));
}

#[test]
fn an_organization_owns_its_domains_alone() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = sandbox.run("organization create acme --domain Acme.Example --domain acme.test --json").json();
    assert!(made["id"].as_str().is_some_and(|id| id.starts_with("org_") && id.len() == 36));
    assert_eq!(made["domains"], json!(["acme.example", "acme.test"]));
    assert!(sandbox.run("organization create evil --domain acme.example").refusal().contains("belongs to organization acme"));
    let changed = sandbox.run("organization update acme --remove-domain acme.test --domain acme.net --json").json();
    assert_eq!(changed["domains"], json!(["acme.example", "acme.net"]));
    assert_eq!(sandbox.run("organization show acme --json").json()["domains"], json!(["acme.example", "acme.net"]));
    assert_eq!(sandbox.run("organization delete acme --yes").code, 0);
    assert_eq!(sandbox.run("organization list --json").json(), json!([]));
}

#[test]
fn an_organization_with_a_connection_stays() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("organization create acme").succeeded();
    let made = sandbox.run("connection create okta --kind scim --set organization=acme --json").json();
    assert!(made["organization_id"].as_str().is_some_and(|id| id.starts_with("org_")));
    assert!(sandbox.run("organization delete acme --yes").refusal().contains("okta"));
    let twice = sandbox.run("connection update okta --set organization=acme --set organization=other");
    let twice = twice.refusal();
    assert!(twice.contains("organization: ") && twice.contains("several times"), "{twice}");
    assert_eq!(sandbox.run("connection show okta --json").json()["organization_id"], made["organization_id"]);
    assert_eq!(sandbox.run("connection update okta --set organization= --json").json()["organization_id"], Value::Null);
    assert_eq!(sandbox.run("organization delete acme --yes").code, 0);
}

// --- connections ------------------------------------------------------------------------------------------------

#[test]
fn a_connection_is_found_by_name_and_by_id() {
    let (sandbox, made) = Sandbox::bootstrapped();
    let by_name = sandbox.run("connection show scim --json").json();
    let by_id = sandbox.run(&format!("connection show {} --json", made["connection_id"].as_str().expect("an id"))).json();
    assert_eq!(by_name, by_id);
    assert_eq!((&by_name["strategy"], &by_name["options"]["mapping"]), (&json!("scim"), &json!("scim")));
}

#[test]
fn options_are_set_checked_and_set_back() {
    let (sandbox, _) = Sandbox::bootstrapped();
    std::fs::create_dir(sandbox.path().join("mappings")).expect("a folder");
    sandbox.write("mappings/okta.mapping", "mapping okta from scim to profile\nname = $displayName\n");
    let made =
        sandbox.run("connection create okta --kind scim --mapping okta --set deprovision=grace:30 --set strict=true --json");
    let options = &made.json()["options"];
    assert_eq!(options["mapping"], "okta");
    assert_eq!(options["deprovision"], "grace:30");
    assert_eq!(options["strict"], true);
    let refused = sandbox.run("connection update okta --set budget=20 --set deprovison=delete");
    assert!(refused.refusal().contains("budget: wanted off, or COUNT,PERCENT% like 20,10%, got \"20\""), "{refused:?}");
    assert!(refused.refusal().contains("did you mean deprovision?"), "{refused:?}");
    let changed = sandbox.run("connection update okta --set deprovision= --set budget=20,10% --json").json();
    assert_eq!((&changed["options"]["deprovision"], &changed["options"]["budget"]), (&json!("deactivate"), &json!("20,10%")));
}

#[test]
fn names_kinds_and_joins_that_make_no_sense_are_refused() {
    let (sandbox, _) = Sandbox::bootstrapped();
    assert!(sandbox.run("connection create callback --kind scim").refusal().contains("reserved"));
    assert!(sandbox.run("connection create a_b --kind scim").refusal().contains("hyphens"));
    assert!(sandbox.run("connection create scim --kind scim").refusal().contains("there is a connection scim already"));
    assert!(sandbox.run("connection create x --kind scim --set join=scmi").refusal().contains("did you mean scim?"));
    let mapping = sandbox.run("connection create x --kind scim --mapping skim");
    assert!(mapping.refusal().contains("mapping: no mapping skim is published"), "{mapping:?}");
    assert!(mapping.refusal().contains("did you mean scim?"), "{mapping:?}");
    let unknown = sandbox.run("connection create x --kind skim");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("did you mean scim?"), "{unknown:?}");
}

#[test]
fn the_options_of_a_kind_are_listed_with_type_default_and_meaning() {
    let listed = Sandbox::new().run("connection options scim --json").json();
    let listed = listed.as_array().expect("an array");
    let option = |name: &str| listed.iter().find(|option| option["name"] == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!((&option("strict")["type"], &option("strict")["default"]), (&json!("boolean"), &json!("false")));
    assert_eq!(option("put_groups_without_members")["values"], "clear or keep");
    for option in listed {
        assert!(option["meaning"].as_str().is_some_and(|text| text.len() > 20), "{option}");
    }
}

#[test]
fn a_connection_goes_with_its_tokens() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("connection create okta --kind scim").succeeded();
    sandbox.run("token create --connection okta --name okta-token").succeeded();
    assert_eq!(sandbox.run("connection delete okta --yes").code, 0);
    assert!(!names(&sandbox.run("token list --json").json()).contains(&"okta-token"));
}

// --- tokens -----------------------------------------------------------------------------------------------------

#[test]
fn a_token_is_printed_once_and_never_again() {
    let (sandbox, made) = Sandbox::bootstrapped();
    let new =
        sandbox.run("token create --connection scim --name entra --scopes get:users,patch:users --expires 90d --json").json();
    assert!(new["token"].as_str().is_some_and(|token| token.starts_with("rst_")));
    assert_eq!(new["connection_id"], made["connection_id"]);
    assert_eq!(new["scopes"], json!(["get:users", "patch:users"]));
    assert!(new["valid_until"].as_str().is_some_and(|at| at.ends_with('Z')));
    let shown = sandbox.run("token show entra --json").json();
    assert_eq!(shown["token_id"], new["token_id"]);
    assert!(shown.get("token").is_none());
}

#[test]
fn without_a_choice_a_token_may_do_everything_of_its_kind() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let scim = sandbox.run("token create --connection scim --json").json();
    assert_eq!(scim["scopes"].as_array().expect("a list").len(), 10);
    let admin = sandbox.run("token create --admin --json").json();
    assert_eq!(admin["scopes"], json!(["*"]));
    assert!(admin["token"].as_str().is_some_and(|token| token.starts_with("rma_")));
}

#[test]
fn a_revoked_token_stays_in_the_list_and_can_not_be_changed() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let id = sandbox.run("token create --admin --name old --json").json()["token_id"].as_str().expect("an id").to_owned();
    assert_eq!(sandbox.run("token delete old --yes").code, 0);
    assert!(sandbox.run(&format!("token show {id} --json")).json()["revoked_at"].is_string());
    assert!(sandbox.run(&format!("token update {id} --name new")).refusal().contains("was revoked"));
}

#[test]
fn a_token_that_makes_no_sense_is_refused() {
    let (sandbox, _) = Sandbox::bootstrapped();
    assert!(sandbox.run("token create --connection scim --scopes get:user").refusal().contains("did you mean get:users?"));
    assert!(sandbox.run("token create --connection scmi").refusal().contains("did you mean scim?"));
    assert_eq!(sandbox.run("token create").code, 2);
    assert_eq!(sandbox.run("token create --admin --connection scim").code, 2);
    assert_eq!(sandbox.run("token create --admin --expires soon").code, 2);
    assert!(sandbox.run("token create --admin --expires 2020-01-01T00:00:00Z").refusal().contains("expired already"));
    assert!(sandbox.run("token delete bootstrap --yes").refusal().contains("2 tokens are called bootstrap"));
}

// --- the log, users ---------------------------------------------------------------------------------------------

#[test]
fn every_administrative_write_leaves_a_log_row_and_raises_the_tenants_version() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("connection create okta --kind scim").succeeded();
    sandbox.run("token create --connection okta --name t").succeeded();
    sandbox.run("token delete t --yes").succeeded();
    let database = rusqlite::Connection::open(sandbox.path().join("rosterd.db")).expect("opens");
    let mut rows = database.prepare("SELECT kind FROM log WHERE actor = 'cli' ORDER BY created_at, id").expect("valid");
    let kinds: Vec<String> = rows.query_map([], |row| row.get(0)).expect("runs").map(|kind| kind.expect("text")).collect();
    assert_eq!(kinds, ["tenant.created", "connection.created", "token.created", "token.revoked"]);
    let version: i64 = database.query_row("SELECT version FROM tenants", [], |row| row.get(0)).expect("one row");
    assert_eq!(version, 4);
}

#[test]
fn an_unknown_user_is_told_what_was_looked_for() {
    let (sandbox, _) = Sandbox::bootstrapped();
    assert_eq!(sandbox.run("users list --json").json(), json!([]));
    assert!(sandbox.run("users why anna@acme.example email").refusal().contains("no user anna@acme.example"));
}

#[test]
fn why_names_the_connection_the_event_and_the_mapping_line() {
    let (sandbox, made) = Sandbox::bootstrapped();
    let connection = made["connection_id"].as_str().expect("an id");
    let provenance = json!({"email": {"connection": "scim", "connection_id": connection, "identity_id": "i-1", "mapping": "scim",
        "mapping_version": 1, "line": 7, "rule": "email = lower(userName)", "event": "scim.user.created", "at": 1_700_000_000_000_000_i64}});
    let database = rusqlite::Connection::open(sandbox.path().join("rosterd.db")).expect("opens");
    let user = "INSERT INTO users (tenant_id, id, user_id, email, email_key, doc, provenance, created_at, updated_at) VALUES \
        ('default', 'p-1', 'scim|scim|anna', 'anna@acme.example', 'anna@acme.example', ?1, ?2, 1, 1)";
    let doc = json!({"email": "anna@acme.example"}).to_string();
    database.execute(user, [doc.as_str(), &provenance.to_string()]).expect("stored");
    let identity = "INSERT INTO identities (tenant_id, id, connection_id, profile_id, user_name, user_name_key, state, listed, \
        mapped, mapping, mapping_version, last_source, first_seen, last_seen, created_at, updated_at) VALUES ('default', 'i-1', ?1, \
        'p-1', 'Anna', 'anna', 'active', TRUE, ?2, 'scim', 1, 'scim', 1, 1, 1, 1)";
    database.execute(identity, [connection, doc.as_str()]).expect("stored");
    drop(database);

    for name in ["scim|scim|anna", "Anna@Acme.Example", "ANNA", "i-1"] {
        let why = sandbox.run(&format!("users why {name} email --json")).json();
        assert_eq!(why[0]["value"], "anna@acme.example", "{name}");
    }
    let why = sandbox.run("users why anna email").out;
    for part in [
        "email = \"anna@acme.example\"",
        "scim (con_",
        "scim.user.created (2023-11-14",
        "scim version 1, line 7",
        "lower(userName)",
    ] {
        assert!(why.contains(part), "{part}\nnot in\n{why}");
    }
    assert!(sandbox.run("users why anna emial").refusal().contains("did you mean email?"));
    assert_eq!(sandbox.run("users show anna --json").json()["identities"][0]["connection"], "scim");
    assert!(sandbox.run("connection delete scim --yes").refusal().contains("users came in"));
}
