//! What a group's write comes to.

use super::*;
use crate::clock::Entropy;
use crate::model::connection::{Connection, ConnectionKind, Options};
use crate::model::group::MemberKind;
use crate::model::ids::{ConnectionId, TenantId};
use crate::provisioning::apply;
use crate::provisioning::decide::tests::{overlap, rows_of, seeded};

const NOW: i64 = 1_764_000_000_000_000;

fn connection() -> Connection {
    Connection {
        tenant_id: TenantId::new("default"),
        id: ConnectionId::new("con_1"),
        name: "acme".into(),
        kind: ConnectionKind::Scim,
        organization_id: None,
        options: Options::defaults(ConnectionKind::Scim),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn moment(entropy: &Entropy) -> Moment<'_> {
    Moment { now: NOW + 1_000, instant: NOW + 1_000, actor: "token:t", request_id: "r-1", entropy }
}

fn record(name: &str, external_id: Option<&str>) -> GroupRecord {
    let payload = json!({"displayName": name, "externalId": external_id});
    let payload = payload.as_object().expect("an object").clone();
    GroupRecord { payload, external_id: external_id.map(str::to_owned), name: name.to_owned() }
}

fn member(id: &str) -> Member {
    Member { id: id.to_owned(), kind: MemberKind::User }
}

fn moves(joins: &[&str], leaves: &[&str]) -> Moves {
    Moves {
        joins: joins.iter().map(|id| member(id)).collect(),
        leaves: leaves.iter().map(|&id| id.to_owned()).collect(),
        nestings_seen: None,
    }
}

fn created(joins: &[&str]) -> GroupPlan {
    let joins = moves(joins, &[]).joins;
    let plan = create(&moment(&seeded()), &connection(), GroupId::new("g"), &record("Süd", Some("e1")), joins, None);
    holds_together(&plan);
    plan
}

fn stored() -> Group {
    Group { version: 4, ..created(&[]).group.group().clone() }
}

fn written(record: &GroupRecord, moves: Moves, expected: Option<i64>) -> Decision<GroupPlan> {
    let decision = write(&moment(&seeded()), GroupEvent::Patched, stored(), record, moves, None, expected);
    if let Decision::Write(plan) = &decision {
        holds_together(plan);
    }
    decision
}

fn plan(decision: Decision<GroupPlan>) -> GroupPlan {
    match decision {
        Decision::Write(plan) => *plan,
        other => panic!("nothing is written: {other:?}"),
    }
}

fn announced(plan: &GroupPlan) -> Vec<(&'static str, &str)> {
    plan.outbox.iter().map(|row| (row.kind, row.changed.as_str())).collect()
}

/// One transaction in which no row is written twice and everything announced has its log row.
fn holds_together(plan: &GroupPlan) {
    let rows = rows_of(&apply::group(plan));
    for (at, one) in rows.iter().enumerate() {
        assert!(!rows[at + 1..].iter().any(|other| overlap(one, other)), "{one:?} is written twice");
    }
    assert_eq!(plan.log.len(), 1);
    assert!(plan.outbox.iter().all(|row| row.log_id == plan.log[0].id && row.group_id.is_some()));
}

#[test]
fn a_new_group_is_found_by_its_folded_name_and_counts() {
    let plan = created(&[]);
    let GroupWrite::Insert(group) = &plan.group else { panic!("{:?}", plan.group) };
    assert_eq!((group.name.as_str(), group.name_key.as_str(), group.version), ("Süd", "süd", 1));
    assert_eq!((plan.counted, plan.log[0].kind), (1, "scim.group.created"));
    assert_eq!(announced(&plan), [("group.created", r#"["name"]"#)]);
}

#[test]
fn members_of_a_new_group_are_announced_beside_it() {
    let plan = created(&["a", "b"]);
    assert_eq!(plan.joins.len(), 2);
    assert_eq!(announced(&plan)[1], ("group.member.added", r#"{"members":["a","b"]}"#));
    assert_eq!(plan.log[0].detail.as_deref(), Some(r#"{"joined":2,"left":0}"#), "the log counts");
}

#[test]
fn what_is_so_already_moves_nothing() {
    assert_eq!(written(&record("Süd", Some("e1")), Moves::default(), None), Decision::Nothing);
    assert_eq!(written(&record("Süd", Some("e1")), Moves::default(), Some(4)), Decision::Nothing);
}

#[test]
fn a_membership_change_moves_the_version_blindly_unless_a_version_is_named() {
    let same = record("Süd", Some("e1"));
    let change = plan(written(&same, moves(&["a"], &["b"]), None));
    assert!(matches!(&change.group, GroupWrite::Touch { expected: None, .. }));
    assert_eq!(
        announced(&change),
        [("group.member.added", r#"{"members":["a"]}"#), ("group.member.deleted", r#"{"members":["b"]}"#)]
    );
    assert!(change.outbox.iter().all(|row| row.version == 5), "the version after");
    let conditional = plan(written(&same, moves(&["a"], &[]), Some(4)));
    assert!(matches!(conditional.group, GroupWrite::Touch { expected: Some(4), .. }));
}

#[test]
fn a_group_that_joins_another_compares_how_often_groups_were_nested() {
    let nested = Member { id: "h".into(), kind: MemberKind::Group };
    let moves = Moves { joins: vec![nested], leaves: Vec::new(), nestings_seen: Some(3) };
    let plan = plan(written(&record("Süd", Some("e1")), moves, None));
    assert_eq!(plan.nestings_seen, Some(3), "two at once could close a cycle that neither saw");
}

#[test]
fn a_renamed_group_compares_its_version_and_rewrites_no_member() {
    let renamed = plan(written(&record("Nord", Some("e1")), Moves::default(), None));
    let GroupWrite::Update { group, expected } = &renamed.group else { panic!("{:?}", renamed.group) };
    assert_eq!((group.name_key.as_str(), group.name.as_str(), *expected), ("nord", "Nord", 4));
    assert_eq!(group.created_at, NOW + 1_000);
    assert!(renamed.joins.is_empty() && renamed.leaves.is_empty());
    assert_eq!((announced(&renamed), renamed.counted), (vec![("group.updated", r#"["name"]"#)], 0));
}

#[test]
fn a_new_external_id_alone_is_a_change() {
    let changed = plan(written(&record("Süd", Some("e2")), Moves::default(), None));
    assert_eq!(changed.group.group().external_id.as_deref(), Some("e2"));
    assert!(matches!(changed.group, GroupWrite::Update { .. }));
}

#[test]
fn another_version_than_the_named_one_is_refused() {
    let mismatch = Decision::Refused(Refusal::VersionMismatch);
    assert_eq!(written(&record("Nord", None), Moves::default(), Some(3)), mismatch);
    assert_eq!(written(&record("Süd", Some("e1")), Moves::default(), Some(3)), mismatch, "also where nothing would move");
    assert_eq!(delete(&moment(&seeded()), stored(), Some(3)), mismatch);
}

#[test]
fn a_deleted_group_leaves_the_count_and_takes_no_version_on_trust() {
    let gone = plan(delete(&moment(&seeded()), stored(), None));
    holds_together(&gone);
    assert!(matches!(&gone.group, GroupWrite::Remove { expected: None, .. }));
    assert_eq!((gone.counted, announced(&gone)), (-1, vec![("group.deleted", r#"{"known":{"name":"Süd"}}"#)]));
    let conditional = plan(delete(&moment(&seeded()), stored(), Some(4)));
    assert!(matches!(conditional.group, GroupWrite::Remove { expected: Some(4), .. }));
}

#[test]
fn above_a_thousand_members_are_counted_not_named() {
    let ids: Vec<String> = (0..1_001).map(|n| format!("m{n:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let same = record("Süd", Some("e1"));
    let many = plan(written(&same, moves(&ids, &[]), None));
    assert_eq!(announced(&many), [("group.member.added", r#"{"count":1001}"#)]);
    let named = plan(written(&same, moves(&ids[..1_000], &[]), None));
    assert!(named.outbox[0].changed.contains("m0999"));
}

#[test]
fn a_plan_is_the_same_for_the_same_clock_and_the_same_bytes() {
    let run = || plan(written(&record("Nord", None), moves(&["a"], &["b"]), None));
    assert_eq!(run(), run());
}
