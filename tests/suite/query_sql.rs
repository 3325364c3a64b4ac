//! Queries in SQL against the same queries asked of plain values: every field, comparison and literal, alone and
//! combined, on both databases. An exact condition finds the matches and nothing else; any other one loses none.

use crate::support::stores::{TestStore, on_both};
use rosterd::args;
use rosterd::model::fold::{fold, value_key};
use rosterd::model::query::{Comparison, Field, Index, Kind, Literal, Query};
use rosterd::store::query_sql::{Target, compile};
use rosterd::store::{Batch, Store, Value};
use std::collections::BTreeSet;

const TENANT: &str = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)";
const CONNECTION: &str =
    "INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ($1, $2, $2, 'scim', 0, 0)";
const IDENTITY: &str = "INSERT INTO identities (tenant_id, id, connection_id, external_id, user_name, user_name_key, state, \
    listed, active, last_source, first_seen, last_seen, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, 'active', TRUE, $7, 'push', 0, 0, $8, $8)";
const VALUE: &str =
    "INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) VALUES ($1, $2, $3, $4, $5)";
const GROUP: &str = "INSERT INTO groups (tenant_id, id, connection_id, external_id, name, name_key, raw, raw_hash, \
    created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, '{}', '', $7, $7)";
const MEMBER: &str = "INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) VALUES ($1, $2, $3, $4, 0)";

const COMPARISONS: [Comparison; 9] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Contains,
    Comparison::StartsWith,
    Comparison::EndsWith,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
];

/// What the rows say, as a client would see it.
#[derive(Default)]
struct Resource {
    id: String,
    external_id: Option<String>,
    name: Option<String>,
    active: bool,
    created_at: i64,
    emails: Vec<String>,
    /// A case-exact attribute.
    codes: Vec<String>,
    members: Vec<String>,
}

fn long(end: &str) -> String {
    format!("{}{end}", "lü".repeat(300))
}

fn users() -> Vec<Resource> {
    let user = |id: &str, external_id: Option<&str>, name: Option<&str>, emails: &[&str], codes: &[&str]| Resource {
        id: id.to_owned(),
        external_id: external_id.map(str::to_owned),
        name: name.map(str::to_owned),
        active: !id.ends_with('3'),
        created_at: 1_700_000_000_000_000 + i64::from(id.as_bytes()[1]) * 700,
        emails: emails.iter().map(|text| (*text).to_owned()).collect(),
        codes: codes.iter().map(|text| (*text).to_owned()).collect(),
        members: Vec::new(),
    };
    let mut users = vec![
        user("u1", Some("E1"), Some("BJensen"), &["bj@Example.com", "babs@home.example"], &["AbC", "x"]),
        user("u2", None, Some("straße%"), &["STRASSE@example.com"], &["abc"]),
        user("u3", Some("e1"), None, &[], &[]),
        user("u4", Some("x_y%z!"), Some("é_!"), &["100%@example.com"], &["a%c", "\u{10ffff}z"]),
        user("u5", Some(""), Some("zz"), &["a\u{1f}b"], &["É"]),
        user("u6", Some("ab"), Some("bjense"), &["bj@example.co"], &["ABC"]),
    ];
    users[2].emails.push(long("tail"));
    users[5].emails.push(long("other"));
    users
}

async fn with_users(store: &Store) -> Vec<Resource> {
    let users = users();
    let mut batch = Batch::default();
    batch.each(TENANT, vec![args!["t"], args!["other"]]);
    batch.each(CONNECTION, vec![args!["t", "c"], args!["t", "d"], args!["other", "c"]]);
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for user in &users {
        let (id, key) = (user.id.as_str(), user.name.as_deref().map(fold));
        rows.push(args!["t", id, "c", user.external_id.clone(), user.name.clone(), key, user.active, user.created_at]);
        for email in &user.emails {
            values.push(args!["t", "c", "emails.value", value_key(email, false), id]);
        }
        for code in &user.codes {
            values.push(args!["t", "c", "code", value_key(code, true), id]);
        }
    }
    // Another tenant's and another connection's users of the same names: never found.
    for (tenant, id, connection) in [("other", "u1", "c"), ("t", "d1", "d")] {
        rows.push(args![tenant, id, connection, "E1", "BJensen", "bjensen", true, 0]);
        values.push(args![tenant, connection, "emails.value", "bj@example.com", id]);
    }
    batch.each(IDENTITY, rows);
    batch.each(VALUE, values);
    store.apply(batch).await.unwrap();
    users
}

fn field(index: Index, case_exact: bool) -> Field {
    Field { path: vec![format!("{index:?}")], kind: Kind::Text, case_exact, index }
}

fn user_fields() -> Vec<Field> {
    vec![
        field(Index::Id, true),
        field(Index::ExternalId, true),
        field(Index::UserName, false),
        field(Index::Values(String::from("emails.value")), false),
        field(Index::Values(String::from("code")), true),
    ]
}

/// Every comparison of every field with literals that are, are nearly, or are not there.
fn leaves(fields: &[Field]) -> Vec<Query> {
    let texts = [
        "u2",
        "E1",
        "e1",
        "bjensen",
        "BJENSEN",
        "BJ",
        "strasse",
        "@example.co",
        "ABC",
        "abc",
        "b",
        "%",
        "_",
        "!",
        "a%",
        "É",
        "é",
        "z",
        "\u{10ffff}",
        "\u{1f}",
        "g2",
        "Staff",
    ];
    let mut leaves = Vec::new();
    for field in fields {
        leaves.push(Query::Present(field.clone()));
        for comparison in COMPARISONS {
            for text in texts.iter().map(|text| (*text).to_owned()).chain([long("tail"), long(""), long("").to_uppercase()]) {
                leaves.push(Query::Compare(field.clone(), comparison, Literal::Text(text)));
            }
        }
    }
    let created = |kind| Field { kind, ..field(Index::CreatedAt, false) };
    for at in users().iter().flat_map(|user| [user.created_at, user.created_at.div_euclid(1_000) * 1_000, user.created_at + 1]) {
        for comparison in COMPARISONS {
            leaves.push(Query::Compare(created(Kind::Instant), comparison, Literal::Instant(at)));
        }
    }
    for active in [true, false] {
        let field = Field { kind: Kind::Boolean, ..field(Index::Active, false) };
        leaves.push(Query::Compare(field.clone(), Comparison::Equal, Literal::Boolean(active)));
        leaves.push(Query::Compare(field, Comparison::NotEqual, Literal::Boolean(active)));
    }
    leaves
}

/// The leaves, their opposites, and a sample of pairs in every combination, also within one element.
fn queries(fields: &[Field]) -> Vec<Query> {
    let leaves = leaves(fields);
    let mut queries = leaves.clone();
    let not = |query: Query| Query::Not(Box::new(query));
    for (i, leaf) in leaves.iter().enumerate() {
        let other = leaves[(i * 7 + 11) % leaves.len()].clone();
        let third = leaves[(i * 13 + 5) % leaves.len()].clone();
        let (and, or) = (Query::And(vec![leaf.clone(), other.clone()]), Query::Or(vec![leaf.clone(), other]));
        queries.push(not(leaf.clone()));
        queries.extend([
            not(and.clone()),
            not(or.clone()),
            Query::And(vec![or, not(third.clone())]),
            Query::Or(vec![and, third]),
        ]);
        let document = Query::Present(field(Index::Document, false));
        let element = |matches| Query::Element { list: field(Index::Document, false), matches: Box::new(matches) };
        if matches!(leaf, Query::Compare(Field { index: Index::Values(_), .. }, _, _)) {
            queries.push(element(leaf.clone()));
            queries.push(element(Query::And(vec![leaf.clone(), document])));
        }
    }
    queries
}

/// The meaning of a query over plain values. A field only the document has is taken as present.
fn holds(query: &Query, resource: &Resource) -> bool {
    match query {
        Query::All => true,
        Query::And(parts) => parts.iter().all(|part| holds(part, resource)),
        Query::Or(parts) => parts.iter().any(|part| holds(part, resource)),
        Query::Not(inner) => !holds(inner, resource),
        Query::Present(field) => field.index == Index::Document || !values(field, resource).is_empty(),
        Query::Compare(_, comparison, Literal::Instant(at)) => {
            let printed = resource.created_at.div_euclid(1_000) * 1_000;
            ordered(*comparison, printed.cmp(at)).unwrap_or(false)
        }
        Query::Compare(_, comparison, Literal::Boolean(active)) => {
            (resource.active == *active) == (*comparison == Comparison::Equal)
        }
        Query::Compare(field, comparison, Literal::Text(text)) => {
            let form = |text: &str| if field.case_exact { text.to_owned() } else { fold(text) };
            let (values, text) = (values(field, resource), form(text));
            let one = |value: &String| {
                let value = form(value);
                match comparison {
                    Comparison::Contains => value.contains(&text),
                    Comparison::StartsWith => value.starts_with(&text),
                    Comparison::EndsWith => value.ends_with(&text),
                    other => ordered(*other, value.as_bytes().cmp(text.as_bytes())).expect("an order"),
                }
            };
            values.iter().any(one) || (values.is_empty() && *comparison == Comparison::NotEqual)
        }
        Query::Compare(..) => false,
        Query::Element { matches, .. } => element_holds(matches, resource),
    }
}

/// Each element has one value here; an element without one is not among the rows.
fn element_holds(query: &Query, resource: &Resource) -> bool {
    let one = |email: Option<&String>, code: Option<&String>| Resource {
        emails: email.into_iter().cloned().collect(),
        codes: code.into_iter().cloned().collect(),
        ..Resource::default()
    };
    resource.emails.iter().any(|email| holds(query, &one(Some(email), None)))
        || resource.codes.iter().any(|code| holds(query, &one(None, Some(code))))
}

fn ordered(comparison: Comparison, order: std::cmp::Ordering) -> Option<bool> {
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => return None,
    })
}

fn values(field: &Field, resource: &Resource) -> Vec<String> {
    match &field.index {
        Index::Id => vec![resource.id.clone()],
        Index::ExternalId => resource.external_id.iter().cloned().collect(),
        Index::UserName | Index::GroupName => resource.name.iter().cloned().collect(),
        Index::Values(name) if name == "code" => resource.codes.clone(),
        Index::Values(_) => resource.emails.clone(),
        Index::MembersOfGroup => resource.members.clone(),
        _ => Vec::new(),
    }
}

/// Asks the database, and compares with what the resources say.
async fn check(store: &Store, target: Target, queries: &[Query], resources: &[Resource]) {
    let table = if target == Target::Users { "identities" } else { "groups" };
    let (mut exact, mut narrowed) = (0, 0);
    for query in queries {
        let compiled = compile(query, target, 3, 1_000);
        let condition = compiled.condition.as_deref().unwrap_or("TRUE");
        let sql = format!("SELECT id FROM {table} WHERE tenant_id = $1 AND connection_id = $2 AND listed AND {condition}");
        let mut args: Vec<Value> = args!["t", "c"];
        args.extend(compiled.args.clone());
        let rows = store.read_built(sql, args).await.unwrap_or_else(|error| panic!("{error}\n{query:?}\n{compiled:?}"));
        let found: BTreeSet<String> = rows.iter().map(|row| row.text(0).unwrap()).collect();
        let wanted: BTreeSet<String> =
            resources.iter().filter(|resource| holds(query, resource)).map(|resource| resource.id.clone()).collect();
        if compiled.exact {
            exact += 1;
            assert_eq!(found, wanted, "{query:?}\n{compiled:?}");
        } else {
            narrowed += usize::from(compiled.condition.is_some());
            assert!(found.is_superset(&wanted), "{query:?}\n{compiled:?}\nfound {found:?}\nwanted {wanted:?}");
        }
    }
    assert!(exact > queries.len() / 2, "only {exact} of {} were decided", queries.len());
    assert!(target == Target::Groups || narrowed > 0);
}

on_both! {
    async fn queries_over_users_find_what_they_mean(test) {
        let users = with_users(&test.store).await;
        check(&test.store, Target::Users, &queries(&user_fields()), &users).await;
    }

    async fn queries_over_groups_find_what_they_mean(test) {
        with_users(&test.store).await;
        let group = |id: &str, external_id: Option<&str>, name: &str, members: &[&str]| Resource {
            id: id.to_owned(),
            external_id: external_id.map(str::to_owned),
            name: Some(name.to_owned()),
            created_at: 1_700_000_000_034_500,
            members: members.iter().map(|id| (*id).to_owned()).collect(),
            ..Resource::default()
        };
        let groups = [
            group("g1", Some("E1"), "Staff", &["u2", "g2"]),
            group("g2", None, "straße", &["u1"]),
            group("g3", Some("e1"), "bjensen%", &[]),
        ];
        let mut batch = Batch::default();
        let mut members = Vec::new();
        batch.each(GROUP, groups.iter().map(|group| {
            let name = group.name.clone().unwrap();
            for member in &group.members {
                members.push(args!["t", group.id.as_str(), member.as_str(), if member.starts_with('u') { "User" } else { "Group" }]);
            }
            args!["t", group.id.as_str(), "c", group.external_id.clone(), name.as_str(), fold(&name), group.created_at]
        }).collect());
        // A row that points to nobody a client can see.
        members.push(args!["t", "g3", "bjensen", "User"]);
        batch.each(MEMBER, members);
        test.store.apply(batch).await.unwrap();
        let fields = [
            field(Index::Id, true),
            field(Index::ExternalId, true),
            field(Index::GroupName, false),
            field(Index::MembersOfGroup, true),
        ];
        let queries: Vec<_> = queries(&fields).into_iter().filter(|query| !format!("{query:?}").contains("Active")).collect();
        check(&test.store, Target::Groups, &queries, &groups).await;
    }
}

#[tokio::test]
async fn sqlite_looks_indexed_values_up() {
    let test = TestStore::sqlite().await;
    let equal = |field: Field, text: &str| Query::Compare(field, Comparison::Equal, Literal::Text(text.to_owned()));
    let starts = Query::Compare(field(Index::UserName, false), Comparison::StartsWith, Literal::Text(String::from("b")));
    let looked_up = [
        (equal(field(Index::UserName, false), "b"), "user_name_key=?"),
        (starts, "user_name_key>? AND user_name_key<?"),
        (equal(field(Index::ExternalId, true), "b"), "external_id=?"),
        (equal(field(Index::Id, true), "b"), "id=?"),
        (equal(field(Index::Values(String::from("emails.value")), false), "b"), "attribute=? AND value_key=?"),
    ];
    for (query, expected) in looked_up {
        let compiled = compile(&query, Target::Users, 3, 1_000);
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT id FROM identities WHERE tenant_id = $1 AND connection_id = $2 AND listed \
            AND {} ORDER BY id LIMIT 100",
            compiled.condition.unwrap()
        );
        let mut args: Vec<Value> = args!["t", "c"];
        args.extend(compiled.args);
        let rows = test.store.read_built(sql, args).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text(3).unwrap()).collect();
        assert!(plan[0].contains(" id=?") || plan[0].contains(expected), "{plan:#?}");
        assert!(plan.iter().any(|step| step.contains(expected)), "{plan:#?}");
    }
}
