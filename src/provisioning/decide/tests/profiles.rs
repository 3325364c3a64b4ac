//! What a record does to the profile: policies, absence, errors, gates, limits.

use super::*;

fn said(said: Value) -> SourceRecord {
    record(Some("e1"), "anna", true, said)
}

fn world_with(record: &SourceRecord) -> World {
    let mut world = World::new();
    plan(world.post(record));
    world
}

#[test]
fn a_creation_writes_every_result_and_names_them() {
    let mut world = World::new();
    let all = said(
        json!({"name": "Anna", "email": "Anna@Acme.example", "nickname": "An", "locale": "de", "app_metadata.title": "Clerk"}),
    );
    let plan = plan(world.post(&all));
    let user = world.user();
    let stored: Value = serde_json::from_str(&user.doc).expect("JSON");
    assert_eq!(
        stored,
        json!({"name": "Anna", "email": "Anna@Acme.example", "nickname": "An", "locale": "de", "app_metadata": {"title": "Clerk"}})
    );
    assert_eq!((user.email.as_deref(), user.email_key.as_deref()), (Some("Anna@Acme.example"), Some("anna@acme.example")));
    assert!(user.email_trusted, "a pushed address is fed by a directory");
    let history = plan.history.expect("a creation row");
    assert_eq!(history.changes, r#"{"created":["name","email","nickname","locale","app_metadata.title"]}"#, "names, no values");
    assert_eq!((history.event, history.version), ("scim.user.created", 1));
    assert_eq!(world.provenance_of("name"), Some(world.known().identity.id.to_string()));
}

#[test]
fn a_person_that_arrives_inactive_is_blocked_from_the_start_and_that_is_announced() {
    let mut world = World::new();
    let plan = plan(world.post(&anna(false)));
    assert!(world.user().blocked);
    assert_eq!(plan.outbox[0].changed, r#"["name","email","blocked"]"#);
}

#[test]
fn each_rules_word_counts() {
    let mut world = world_with(&said(json!({"name": "Anna", "nickname": "An"})));
    plan(world.put(&said(json!({"name": "Berta", "nickname": "Be", "locale": "de"}))));
    assert_eq!(world.value("name"), "Berta", "always");
    assert_eq!(world.value("nickname"), "An", "create");
    assert_eq!(world.value("locale"), "de", "if_empty, and it was");
    plan(world.put(&said(json!({"name": "Berta", "nickname": "Be", "locale": "fr"}))));
    assert_eq!(world.value("locale"), "de", "if_empty, and it was not");
}

#[test]
fn under_on_change_a_manual_edit_stays_until_the_source_changes_its_mind() {
    use crate::model::connection::SetUserRootAttributes::OnFirstLogin;
    let mut world = World::with(|options| options.set_user_root_attributes = Some(OnFirstLogin));
    plan(world.post(&said(json!({"name": "Anna"}))));
    let user = world.known.as_mut().and_then(|known| known.user.as_mut()).expect("a profile");
    user.doc = json!({"name": "Ännchen"}).to_string();
    plan(world.put(&said(json!({"name": "Anna", "locale": "de"}))));
    assert_eq!(world.value("name"), "Ännchen");
    plan(world.put(&said(json!({"name": "Annika", "locale": "de"}))));
    assert_eq!(world.value("name"), "Annika");
}

#[test]
fn an_absent_value_goes_unless_its_rule_keeps() {
    let mut world = world_with(&said(json!({"name": "Anna", "email": "a@acme.example", "app_metadata.title": "Clerk"})));
    let plan = plan(world.put(&said(json!({"name": "Anna"}))));
    assert_eq!((world.value("email"), world.value("app_metadata.title")), ("a@acme.example".into(), Value::Null));
    let changes: Value = serde_json::from_str(&plan.history.expect("a row").changes).expect("JSON");
    assert_eq!(changes["app_metadata.title"]["before"], "Clerk");
    assert_eq!(changes["app_metadata.title"]["by"]["event"], "scim.user.created", "why it was so");
}

#[test]
fn an_attributes_error_keeps_the_old_value_and_warns_in_log_and_inbox() {
    let mut world = world_with(&said(json!({"name": "Anna", "email": "a@acme.example"})));
    let plan = plan(world.put(&said(json!({"name": "Berta", "email": {"error": "not an e-mail address"}}))));
    assert_eq!((world.value("email"), world.value("name")), ("a@acme.example".into(), "Berta".into()), "the others are not lost");
    let detail: Value = serde_json::from_str(plan.log[0].detail.as_deref().expect("a warning")).expect("JSON");
    assert_eq!(detail, json!({"warnings": [{"attribute": "email", "line": 7, "reason": "not an e-mail address"}]}));
    assert_eq!((plan.inbox[0].kind, plan.log[0].outcome), ("attribute_error", "ok"));
    assert_eq!(plan.inbox[0].subject, format!("{}:email", world.known().identity.id));
}

#[test]
fn an_error_in_blocked_moves_no_block_and_warns() {
    let mut world = world_with(&anna(false));
    for (failure, reason) in [(json!({"error": "unreadable"}), "unreadable"), (json!("no"), "not a boolean")] {
        let mut record = anna(true);
        record.payload.insert("blocked".into(), failure);
        let plan = plan(world.put(&record));
        assert!(plan.lifts.is_empty() && world.user().blocked);
        let detail = plan.inbox[0].detail.clone();
        assert!(detail.contains(reason) && detail.contains("blocked"), "{detail}");
    }
}

#[test]
fn a_record_without_what_is_required_is_refused_with_all_reasons() {
    let mut world = World::new();
    let required = |target| Rule { required: true, ..rule(target) };
    world.mapping = Said::with(vec![required("name"), required("email"), Rule { absent: Absent::Reject, ..rule("locale") }]);
    let refused = refusal(world.post(&said(json!({"name": {"error": "too long"}}))));
    let reasons = [("name", "too long"), ("email", "has no value"), ("locale", "has no value")];
    let reasons = reasons.map(|(attribute, reason)| (attribute.to_owned(), reason.to_owned())).to_vec();
    assert_eq!(refused, Refusal::Rejected { reasons });
    assert!(world.known.is_none(), "nothing is stored");
}

#[test]
fn a_later_record_without_what_is_required_leaves_everything_as_it_was() {
    let mut world = World::new();
    world.mapping = Said::with(vec![Rule { required: true, ..rule("name") }]);
    plan(world.post(&said(json!({"name": "Anna"}))));
    let before = world.known();
    assert!(matches!(refusal(world.put(&said(json!({})))), Refusal::Rejected { .. }));
    assert_eq!((world.known().identity, world.known().user), (before.identity, before.user));
}

#[test]
fn skip_keeps_the_resource_and_makes_no_profile_until_a_later_push_passes() {
    let mut world = World::new();
    let first = plan(world.post(&said(json!({"name": "Printer", "skip": "not a person"}))));
    let identity = world.known().identity;
    assert!(identity.listed && identity.raw.is_some() && identity.profile_id.is_none());
    assert_eq!((announced(&first), first.counted), (vec![], 1));
    assert!(first.log[0].detail.as_deref().is_some_and(|detail| detail.contains("not a person")));
    let second = plan(world.put(&said(json!({"name": "Anna"}))));
    assert_eq!(announced(&second), ["user.created"]);
    assert_eq!(world.known().identity.profile_id, Some(world.user().id));
    assert_eq!(world.known().identity.id, identity.id);
}

#[test]
fn skip_leaves_alone_who_is_in_the_roster_already() {
    let mut world = world_with(&said(json!({"name": "Anna"})));
    let before = world.user();
    let plan = plan(world.put(&said(json!({"name": "Berta", "skip": "contractor"}))));
    assert_eq!((world.user(), plan.profile), (before, ProfileWrite::None));
    assert!(world.known().identity.raw.is_some_and(|raw| raw.contains("Berta")), "the resource is what was pushed");
}

#[test]
fn skip_never_keeps_a_pushed_inactive_person_in() {
    let mut world = world_with(&said(json!({"name": "Anna"})));
    plan(world.put(&record(Some("e1"), "anna", false, json!({"name": "Berta", "skip": "contractor"}))));
    assert_eq!(world.blocks(), [(BlockKind::Source, "inactive at the source".to_owned())]);
    assert_eq!(world.value("name"), "Anna", "nothing else of the profile moves");
    plan(world.put(&said(json!({"name": "Berta", "skip": "contractor"}))));
    assert!(world.user().blocked, "a skipped record lets nobody back in");
}

#[test]
fn deny_takes_the_person_in_behind_a_policy_block_with_the_reason() {
    let mut world = World::new();
    let first = plan(world.post(&said(json!({"name": "Anna", "deny": "no licence"}))));
    assert_eq!(world.blocks(), [(BlockKind::Policy, "no licence".to_owned())]);
    assert!(world.user().blocked);
    assert_eq!(world.value("name"), "Anna");
    assert!(first.outbox[0].changed.contains("blocked"));
    plan(world.put(&said(json!({"name": "Berta", "deny": "no licence"}))));
    assert_eq!(world.blocks().len(), 1, "one block, however often it is said");
    plan(world.put(&said(json!({"name": "Berta"}))));
    assert!(world.blocks().is_empty() && !world.user().blocked, "the mapping lifts its own");
}

#[test]
fn a_denied_and_inactive_person_has_two_blocks_and_each_goes_for_itself() {
    let mut world = World::new();
    plan(world.post(&record(Some("e1"), "anna", false, json!({"deny": "no licence"}))));
    assert_eq!(world.blocks().len(), 2);
    plan(world.put(&record(Some("e1"), "anna", true, json!({"deny": "no licence"}))));
    assert_eq!(world.blocks(), [(BlockKind::Policy, "no licence".to_owned())]);
    assert!(world.user().blocked);
}

#[test]
fn a_profile_over_its_limit_is_refused_never_cut() {
    let most = |bytes: usize| said(json!({"name": "x".repeat(bytes - r#"{"name":""}"#.len())}));
    let mut world = World::new();
    assert_eq!(refusal(world.post(&most(PROFILE_BYTES_MAX + 1))), Refusal::TooLarge { bytes_max: PROFILE_BYTES_MAX });
    plan(world.post(&most(PROFILE_BYTES_MAX)));
    let before = world.user();
    assert_eq!(refusal(world.put(&most(PROFILE_BYTES_MAX + 1))), Refusal::TooLarge { bytes_max: PROFILE_BYTES_MAX });
    assert_eq!(world.user(), before);
}

#[test]
fn an_update_of_the_resource_alone_leaves_the_profile_its_version() {
    let mut world = world_with(&said(json!({"name": "Anna"})));
    let before = world.user();
    let plan = plan(world.put(&said(json!({"name": "Anna", "unmapped": "stays in raw"}))));
    assert_eq!((world.user(), announced(&plan)), (before, vec![]));
    assert_eq!(world.known().identity.version, 2);
}

#[test]
fn what_a_connection_never_stores_reaches_neither_document_nor_mapping_nor_search() {
    let mut world = World::with(|options| options.non_persistent_attrs = vec!["email".into(), "displayName".into()]);
    let mut record = said(json!({"name": "Ana", "email": "a@x.example", "displayName": "Ana of Acme"}));
    record.label = Some("Ana of Acme".into());
    record.values =
        vec![("emails.value".into(), "e".into()), ("email.value".into(), "a@x.example".into()), ("name".into(), "ana".into())];
    let Decision::Write(plan) = world.post(&record) else { panic!("made") };
    let identity = plan.identity.identity();
    let raw: Value = serde_json::from_str(identity.raw.as_deref().expect("raw")).expect("JSON");
    assert_eq!((raw.get("email"), raw.get("displayName"), &raw["name"]), (None, None, &json!("Ana")));
    assert_eq!((world.value("email"), identity.label.clone()), (Value::Null, record.user_name.clone()));
    assert!(plan.values.new.iter().all(|(attribute, _)| attribute != "email.value") && plan.values.new.len() == 2);
    assert!(matches!(world.put(&record), Decision::Nothing), "the same again is the same");
}
