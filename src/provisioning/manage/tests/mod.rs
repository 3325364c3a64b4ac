//! Who may write what of a person, by the tables of profile.md §4, §6, §7, §8 and §9, one test per row.

mod creating;
mod linking;
mod members;
mod policies;

use super::update::{Held, Owned, Person, update};
use super::*;
use crate::clock::Entropy;
use crate::clock::Micros;
use crate::model::connection::{Connection, ConnectionKind, Options};
use crate::model::ids::{ConnectionId, IdentityId, ProfileId, TenantId};
use crate::model::user::{Block, BlockKind};
use crate::profile::Profile;
use crate::provisioning::decide::tests::seeded;
use crate::provisioning::plan::Decision;
use crate::provisioning::provenance::Provenance;

const NOW: Micros = 1_764_000_000_000_000;

fn connection(name: &str, kind: ConnectionKind) -> Connection {
    Connection {
        tenant_id: TenantId::new("default"),
        id: ConnectionId::new(format!("con_{name}")),
        name: name.into(),
        kind,
        organization_id: None,
        options: Options::defaults(kind),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn writer(entropy: &Entropy, by: By) -> Writer<'_> {
    let moment = Moment { now: NOW, instant: NOW, actor: "token:t", request_id: "r-1", entropy };
    Writer { moment, by }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn said(form: Form, value: Value) -> Members {
    Members::read(&object(value), form).expect("in order")
}

fn edit(value: Value) -> Members {
    said(Form::Update { deep: false }, value)
}

fn identity(of: &Connection, external_id: &str, position: i64, mapped: &Value) -> Identity {
    let new = said(Form::Create, json!({"connection": "db", "email": "x@x.example"}));
    let entropy = seeded();
    let writer = writer(&entropy, By::Api);
    let database = connection("db", ConnectionKind::Database);
    let newcomer = create::newcomer(&writer, &database, &new);
    let plan = create::create(&writer, &database, &new, newcomer, &create::Claims::default()).expect("made");
    Identity {
        id: IdentityId::new(format!("i-{external_id}")),
        connection_id: of.id.clone(),
        profile_id: None,
        external_id: Some(external_id.into()),
        position,
        mapped: Some(mapped.to_string()),
        ..plan.identity.identity().clone()
    }
}

/// Somebody with this document, of these connections in order.
fn person(user_id: &str, doc: &Value, connections: &[(&str, ConnectionKind)]) -> Person {
    let id = ProfileId::new(format!("p-{user_id}"));
    let text = |name: &str| doc.get(name).and_then(Value::as_str).map(str::to_owned);
    let identities = connections.iter().zip(0..).map(|((name, kind), position)| {
        let connection = connection(name, *kind);
        let roots: Map<String, Value> =
            object(doc.clone()).into_iter().filter(|(name, value)| !name.ends_with("_metadata") && !value.is_null()).collect();
        let external_id = user_id.rsplit('|').next().unwrap_or_default();
        let external_id = if position == 0 { external_id.to_owned() } else { format!("{external_id}-{position}") };
        let identity =
            Identity { profile_id: Some(id.clone()), ..identity(&connection, &external_id, position, &Value::Object(roots)) };
        Held { identity, connection }
    });
    Person {
        identities: identities.collect(),
        blocks: Vec::new(),
        user: User {
            tenant_id: TenantId::new("default"),
            id: id.clone(),
            user_id: user_id.into(),
            organization_id: None,
            email: text("email"),
            email_key: text("email").map(|email| fold(&email)),
            email_trusted: false,
            username_key: None,
            blocked: false,
            doc: doc.to_string(),
            was: None,
            provenance: Provenance::default().to_text(),
            version: 3,
            created_at: NOW,
            updated_at: NOW,
        },
    }
}

fn of_database(doc: &Value) -> Person {
    person("auth0|ana", doc, &[("db", ConnectionKind::Database)])
}

fn admin_block() -> Block {
    Block {
        kind: BlockKind::Admin,
        origin: String::new(),
        since: NOW - 1_000,
        actor: "token:other".into(),
        reason: "left".into(),
        expires_at: None,
    }
}

/// What a change makes of somebody.
fn changed(person: &Person, value: Value) -> UserPlan {
    changed_by(person, &edit(value), &Owned::default())
}

fn changed_by(person: &Person, edit: &Members, owned: &Owned) -> UserPlan {
    let entropy = seeded();
    match update(&writer(&entropy, By::Api), person, edit, owned, &[]).expect("not refused") {
        Decision::Write(plan) => *plan,
        other => panic!("{other:?}"),
    }
}

fn refusal(person: &Person, edit: &Members, owned: &Owned) -> Refused {
    let entropy = seeded();
    update(&writer(&entropy, By::Api), person, edit, owned, &[]).expect_err("refused")
}

fn after(plan: &UserPlan) -> (User, Profile) {
    let user = write::after(plan).expect("a profile").clone();
    let doc = Profile::parse(&user.doc).expect("JSON");
    (user, doc)
}

fn history(plan: &UserPlan) -> Value {
    serde_json::from_str(&plan.history.as_ref().expect("a history row").changes).expect("JSON")
}
