//! Tenants, organizations, connections, tokens and mapping versions in the store, on both databases.

use crate::support::stores::on_both;
use rosterd::clock::Entropy;
use rosterd::model::access::Token;
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, OrganizationId, TenantId, TokenId};
use rosterd::model::tenant::{Organization, Tenant};
use rosterd::secret::{KeyRing, Secret};
use rosterd::store::audit::Audit;
use rosterd::store::connections::StoredConnection;
use rosterd::store::mapping_versions::MappingVersion;
use rosterd::store::retention::{Kept, delete_some};
use rosterd::store::schema_extensions::{self, Scanned, StoredSchema};
use rosterd::store::{Batch, Error, Store, connections, mapping_versions, organizations, tenants, tokens};
use serde_json::json;

const NOW: i64 = 1_764_000_000_000_000;

fn audit() -> Audit {
    let log_id = Entropy::system().uuid(NOW);
    Audit { actor: String::from("test"), request_id: String::from("r"), log_id, at: NOW, from: None }
}

fn tenant(name: &str) -> Tenant {
    Tenant { id: TenantId::new(name), name: name.to_owned(), host: None, version: 1, created_at: NOW, updated_at: NOW }
}

fn connection(tenant: &str, name: &str) -> StoredConnection {
    let set = json!({"strict": true}).as_object().cloned().unwrap_or_default();
    let connection = Connection {
        tenant_id: TenantId::new(tenant),
        id: ConnectionId::new(format!("con_{tenant}_{name}")),
        name: name.to_owned(),
        kind: ConnectionKind::Scim,
        organization_id: None,
        options: Options::parse(ConnectionKind::Scim, &set).unwrap(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    };
    StoredConnection { connection, set }
}

fn token(tenant: &str, connection: Option<&ConnectionId>, name: &str) -> Token {
    Token {
        tenant_id: TenantId::new(tenant),
        id: TokenId::new(Entropy::system().uuid(NOW)),
        connection_id: connection.cloned(),
        name: name.to_owned(),
        scopes: vec![String::from("get:users")],
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        created_at: NOW,
    }
}

async fn apply(store: &Store, fill: impl FnOnce(&mut Batch, &Audit)) -> Result<(), Error> {
    let mut batch = Batch::default();
    fill(&mut batch, &audit());
    store.apply(batch).await
}

async fn with_tenants(store: &Store, names: &[&str]) {
    for name in names {
        apply(store, |batch, audit| tenants::create(batch, &tenant(name), audit)).await.unwrap();
    }
}

on_both! {
    async fn a_tenants_name_is_taken_once_and_its_host_finds_it(test) {
        let store = &test.store;
        with_tenants(store, &["default", "acme"]).await;
        let again = apply(store, |batch, audit| tenants::create(batch, &tenant("acme"), audit)).await;
        assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
        let mut acme = tenant("acme");
        acme.host = Some(String::from("id.acme.example"));
        apply(store, |batch, audit| tenants::update(batch, &acme, audit)).await.unwrap();
        let found = async |host| tenants::find_by_host(store, host).await.unwrap().unwrap().name;
        assert_eq!(found("id.acme.example").await, "acme");
        assert_eq!(found("elsewhere.example").await, "default");
        assert_eq!(tenants::version(store, &acme.id).await.unwrap(), Some(2));
        let stale = apply(store, |batch, audit| tenants::update(batch, &acme, audit)).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    }

    async fn a_connection_is_only_found_in_its_own_tenant(test) {
        let store = &test.store;
        with_tenants(store, &["a", "b"]).await;
        let stored = connection("a", "okta");
        apply(store, |batch, audit| connections::create(batch, &stored, Some(vec![1, 2]), audit)).await.unwrap();
        let (a, b, id) = (TenantId::new("a"), TenantId::new("b"), &stored.connection.id);
        assert!(connections::find(store, &a, id).await.unwrap().is_some_and(|found| found.connection.options.strict));
        assert!(connections::find(store, &b, id).await.unwrap().is_none());
        assert!(connections::find_by_name(store, &b, "okta").await.unwrap().is_none());
        assert_eq!(connections::secrets(store, &a, id).await.unwrap(), Some(vec![1, 2]));
        assert_eq!(tenants::version(store, &a).await.unwrap(), Some(2));
        assert_eq!(tenants::version(store, &b).await.unwrap(), Some(1));
    }

    async fn a_change_of_a_connection_that_changed_meanwhile_is_stale_and_leaves_no_log_row(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let stored = connection("a", "okta");
        apply(store, |batch, audit| connections::create(batch, &stored, None, audit)).await.unwrap();
        apply(store, |batch, audit| connections::update(batch, &stored, audit)).await.unwrap();
        let stale = apply(store, |batch, audit| connections::update(batch, &stored, audit)).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        assert_eq!(tenants::version(store, &TenantId::new("a")).await.unwrap(), Some(3));
    }

    async fn lists_come_in_pages_by_name(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        for name in ["c", "a", "b"] {
            apply(store, |batch, audit| connections::create(batch, &connection("a", name), None, audit)).await.unwrap();
        }
        let page = async |after| {
            let page = connections::list(store, &TenantId::new("a"), after, 2).await.unwrap();
            page.into_iter().map(|stored| stored.connection.name).collect::<Vec<_>>()
        };
        assert_eq!(page("").await, ["a", "b"]);
        assert_eq!(page("b").await, ["c"]);
        assert!(page("c").await.is_empty());
    }

    async fn a_domain_has_one_owner(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let organization = |name: &str, domains: &[&str]| Organization {
            tenant_id: TenantId::new("a"),
            id: OrganizationId::new(format!("org_{name}")),
            name: name.to_owned(),
            look: rosterd::model::look::Look::default(),
            display_name: None,
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let acme = organization("acme", &["acme.example", "acme.test"]);
        apply(store, |batch, audit| organizations::create(batch, &acme, audit)).await.unwrap();
        let evil = organization("evil", &["acme.example"]);
        let taken = apply(store, |batch, audit| organizations::create(batch, &evil, audit)).await;
        assert!(matches!(taken, Err(Error::Conflict)), "{taken:?}");
        let (added, removed) = ([String::from("acme.net")], [String::from("acme.test")]);
        apply(store, |batch, audit| organizations::update(batch, &acme, &added, &removed, audit)).await.unwrap();
        let found = organizations::find_by_name(store, &acme.tenant_id, "acme").await.unwrap().unwrap();
        assert_eq!(found.domains, ["acme.example", "acme.net"]);
        apply(store, |batch, audit| organizations::delete(batch, &found, audit)).await.unwrap();
        assert!(organizations::find_domain_owner(store, &acme.tenant_id, "acme.net").await.unwrap().is_none());
    }

    async fn one_statement_tells_all_about_a_token(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let stored = connection("a", "okta");
        apply(store, |batch, audit| connections::create(batch, &stored, None, audit)).await.unwrap();
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        let (scim, admin) = (token("a", Some(&stored.connection.id), "scim"), token("a", None, "admin"));
        apply(store, |batch, audit| tokens::create(batch, &scim, &keys.hash_token("one"), audit)).await.unwrap();
        apply(store, |batch, audit| tokens::create(batch, &admin, &keys.hash_token("two"), audit)).await.unwrap();
        let found = tokens::find_by_hash(store, &keys.hash_token("one")).await.unwrap().unwrap();
        assert_eq!(found.token, scim);
        assert_eq!(found.connection.unwrap().connection.name, "okta");
        assert!(tokens::find_by_hash(store, &keys.hash_token("two")).await.unwrap().unwrap().connection.is_none());
        assert!(tokens::find_by_hash(store, &keys.hash_token("three")).await.unwrap().is_none());
    }

    async fn a_replaced_token_is_revoked_with_the_birth_of_the_new_one(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        let (old, new) = (token("a", None, "run"), token("a", None, "run"));
        apply(store, |batch, audit| tokens::create(batch, &old, &keys.hash_token("old"), audit)).await.unwrap();
        apply(store, |batch, audit| tokens::replace(batch, &new, &keys.hash_token("new"), std::slice::from_ref(&old), audit)).await.unwrap();
        let live = tokens::find_by_name(store, &old.tenant_id, "run").await.unwrap();
        assert_eq!(live, [new]);
        assert_eq!(tokens::find(store, &old.tenant_id, &old.id).await.unwrap().unwrap().revoked_at, Some(NOW));
    }

    async fn the_newest_mapping_version_runs_and_a_number_is_published_once(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let a = TenantId::new("a");
        let version = |number| MappingVersion {
            name: String::from("scim"),
            version: number,
            language: "mapping".into(),
            includes: "{}".into(),
            text: format!("text {number}"),
            checksum: number.to_string(),
            published_at: NOW,
            published_by: String::from("test"),
        };
        for number in [1, 2] {
            apply(store, |batch, audit| mapping_versions::publish(batch, &a, &version(number), audit)).await.unwrap();
        }
        assert_eq!(mapping_versions::latest(store, &a, "scim").await.unwrap(), Some(version(2)));
        assert_eq!(mapping_versions::find(store, &a, "scim", 1).await.unwrap(), Some(version(1)));
        assert_eq!(mapping_versions::list(store, &a, "", 10).await.unwrap(), [version(2)]);
        let again = apply(store, |batch, audit| mapping_versions::publish(batch, &a, &version(2), audit)).await;
        assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
    }

    async fn a_schema_extension_is_its_tenants_alone_and_one_urn_is_there_once(test) {
        let store = &test.store;
        with_tenants(store, &["a", "b"]).await;
        let (a, b) = (TenantId::new("a"), TenantId::new("b"));
        let schema = |urn: &str, at| StoredSchema {
            urn: urn.to_owned(), resource_type: "User".into(), document: format!("about {urn}"), created_at: at, updated_at: at,
        };
        let (first, second) = (schema("urn:x:Zebra", NOW), schema("urn:x:ape", NOW + 1));
        apply(store, |batch, audit| schema_extensions::create(batch, &a, 1, &first, audit)).await.unwrap();
        apply(store, |batch, audit| schema_extensions::create(batch, &a, 2, &second, audit)).await.unwrap();
        assert_eq!(schema_extensions::list(store, &a).await.unwrap(), [first.clone(), second.clone()], "the oldest first");
        assert!(schema_extensions::list(store, &b).await.unwrap().is_empty());
        let again = apply(store, |batch, audit| schema_extensions::create(batch, &a, 3, &schema("URN:X:zebra", NOW), audit)).await;
        assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
        apply(store, |batch, audit| schema_extensions::create(batch, &b, 1, &first, audit)).await.unwrap();
        let changed = StoredSchema { document: "anew".into(), updated_at: NOW + 2, ..first.clone() };
        apply(store, |batch, audit| schema_extensions::update(batch, &b, 2, &changed, audit)).await.unwrap();
        assert_eq!(schema_extensions::list(store, &b).await.unwrap(), std::slice::from_ref(&changed));
        assert_eq!(schema_extensions::list(store, &a).await.unwrap()[0], first, "the other tenant's is as it was");
        apply(store, |batch, audit| schema_extensions::delete(batch, &a, 3, "URN:x:ZEBRA", audit)).await.unwrap();
        assert_eq!(schema_extensions::list(store, &a).await.unwrap(), [second]);
        assert_eq!(schema_extensions::list(store, &b).await.unwrap(), [changed], "the other tenant's stays");
    }

    async fn a_schema_is_changed_only_while_the_tenants_settings_hold_still(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let a = TenantId::new("a");
        let schema = StoredSchema { urn: "urn:x:y".into(), resource_type: "User".into(), document: "{}".into(), created_at: NOW, updated_at: NOW };
        apply(store, |batch, audit| connections::create(batch, &connection("a", "okta"), None, audit)).await.unwrap();
        let stale = apply(store, |batch, audit| schema_extensions::create(batch, &a, 1, &schema, audit)).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        apply(store, |batch, audit| schema_extensions::create(batch, &a, 2, &schema, audit)).await.unwrap();
        let stale = apply(store, |batch, audit| schema_extensions::delete(batch, &a, 2, "urn:x:y", audit)).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        assert_eq!(schema_extensions::list(store, &a).await.unwrap(), [schema]);
        assert_eq!(tenants::version(store, &a).await.unwrap(), Some(3));
    }

    async fn a_holder_is_found_by_the_member_of_its_document_and_in_its_own_tenant(test) {
        let store = &test.store;
        with_tenants(store, &["a", "b"]).await;
        for tenant in ["a", "b"] {
            apply(store, |batch, audit| connections::create(batch, &connection(tenant, "okta"), None, audit)).await.unwrap();
        }
        const IDENTITY: &str = "INSERT INTO identities (tenant_id, id, connection_id, state, listed, raw, last_source, first_seen, \
            last_seen, created_at, updated_at) VALUES ($1, $2, $3, 'active', $4, $5, 'push', 0, 0, 0, 0)";
        let mut batch = Batch::default();
        for (tenant, id, listed, raw) in [
            ("a", "1", true, r#"{"title":"urn:x_y:z","other":{"urn:x_y:z":1}}"#),
            ("a", "2", true, r#"{"urn:xay:z":{"badge":1},"URN:X_Y:Z":{}}"#),
            ("a", "3", false, r#"{"urn:x_y:z":{"badge":1}}"#),
            ("a", "4", true, r#"{"urn:x_y:z":{"badge":1}}"#),
            ("b", "1", true, r#"{"urn:only:b":{"badge":1}}"#),
        ] {
            let connection = format!("con_{tenant}_okta");
            batch.one(IDENTITY, rosterd::args![tenant, id, connection, listed, raw]);
        }
        store.apply(batch).await.unwrap();
        let find = async |tenant: &str, member: &str| {
            let found = schema_extensions::find_holder(store, &TenantId::new(tenant), Scanned::Users, member).await.unwrap();
            found.map(|holder| (holder.id, holder.connection.to_string()))
        };
        assert_eq!(find("a", "urn:x_y:z").await, Some(("4".into(), "con_a_okta".into())));
        assert_eq!(find("a", "urn:only:b").await, None);
        assert_eq!(find("b", "urn:only:b").await, Some(("1".into(), "con_b_okta".into())));
        assert_eq!(schema_extensions::find_holder(store, &TenantId::new("a"), Scanned::Groups, "urn:x_y:z").await.unwrap(), None);
    }

    async fn retention_takes_old_rows_in_batches_and_leaves_the_rest(test) {
        let store = &test.store;
        with_tenants(store, &["a", "b"]).await;
        for name in ["c1", "c2", "c3"] {
            apply(store, |batch, audit| connections::create(batch, &connection("a", name), None, audit)).await.unwrap();
        }
        let a = TenantId::new("a");
        assert_eq!(delete_some(store, &a, Kept::Log, NOW, 10).await.unwrap(), 0);
        assert_eq!(delete_some(store, &a, Kept::Log, NOW + 1, 3).await.unwrap(), 3);
        assert_eq!(delete_some(store, &a, Kept::Log, NOW + 1, 3).await.unwrap(), 1);
        assert_eq!(delete_some(store, &a, Kept::Events, NOW + 1, 3).await.unwrap(), 0);
        assert_eq!(delete_some(store, &TenantId::new("b"), Kept::Log, NOW + 1, 3).await.unwrap(), 1);
    }

    async fn an_empty_tenant_goes_with_its_log_and_tokens(test) {
        let store = &test.store;
        with_tenants(store, &["a"]).await;
        let a = TenantId::new("a");
        let keys = KeyRing::new(Secret::new([1; 32]), None);
        apply(store, |batch, audit| tokens::create(batch, &token("a", None, "t"), &keys.hash_token("t"), audit)).await.unwrap();
        assert!(tenants::is_empty(store, &a).await.unwrap());
        apply(store, |batch, _| tenants::delete(batch, &a)).await.unwrap();
        assert!(tenants::none_exists(store).await.unwrap());
        assert!(tokens::find_by_hash(store, &keys.hash_token("t")).await.unwrap().is_none());
        assert_eq!(delete_some(store, &a, Kept::Log, i64::MAX, 10).await.unwrap(), 0);
    }
}
