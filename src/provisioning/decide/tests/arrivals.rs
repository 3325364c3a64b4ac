//! Whom a POST means: external id, user name where neither side has one, joining, the address; and the user_id a new
//! person gets.

use super::*;
use crate::model::connection::ScimUserIdAttribute;

fn id(text: &str) -> IdentityId {
    IdentityId::new(text)
}

fn post(external_id: Option<&str>) -> SourceRecord {
    record(external_id, "Anna", true, json!({"name": "Anna", "email": "anna@acme.example"}))
}

const BY_ID: ScimUserIdAttribute = ScimUserIdAttribute::ExternalId;
const BY_NAME: ScimUserIdAttribute = ScimUserIdAttribute::UserName;

#[test]
fn the_external_id_names_a_person() {
    let claims = Claims { by_external_id: Some(id("i")), ..Claims::default() };
    assert_eq!(arrival(&post(Some("e1")), &claims, BY_ID), Ok(Arrival::Known(id("i"))));
    assert_eq!(arrival(&post(Some("e1")), &Claims::default(), BY_ID), Ok(Arrival::New));
}

#[test]
fn a_returning_person_cannot_take_the_user_name_of_another() {
    let claims = |other: &str| Claims {
        by_external_id: Some(id("i")),
        by_user_name: Some((id(other), Some("e2".into()))),
        ..Claims::default()
    };
    assert_eq!(arrival(&post(Some("e1")), &claims("j"), BY_ID), Err(Refusal::Taken { attribute: "userName" }));
    assert_eq!(arrival(&post(Some("e1")), &claims("i"), BY_ID), Ok(Arrival::Known(id("i"))), "its own name");
}

#[test]
fn the_user_name_names_a_person_only_if_neither_side_has_an_external_id() {
    let taken = Err(Refusal::Taken { attribute: "userName" });
    let claims =
        |external_id: Option<&str>| Claims { by_user_name: Some((id("i"), external_id.map(str::to_owned))), ..Claims::default() };
    assert_eq!(arrival(&post(None), &claims(None), BY_ID), Ok(Arrival::Known(id("i"))));
    assert_eq!(arrival(&post(Some("e2")), &claims(None), BY_ID), taken);
    assert_eq!(arrival(&post(None), &claims(Some("e1")), BY_ID), taken);
    assert_eq!(arrival(&post(Some("e2")), &claims(Some("e1")), BY_ID), taken);
}

#[test]
fn the_user_name_of_a_deleted_person_under_another_external_id_is_a_new_person() {
    let claims = |external_id: Option<&str>| Claims {
        by_former_name: vec![(id("i"), external_id.map(str::to_owned))],
        ..Claims::default()
    };
    assert_eq!(arrival(&post(Some("e2")), &claims(Some("e1")), BY_ID), Ok(Arrival::New));
    assert_eq!(arrival(&post(Some("e2")), &claims(None), BY_ID), Ok(Arrival::New));
    assert_eq!(arrival(&post(None), &claims(Some("e1")), BY_ID), Ok(Arrival::New));
    assert_eq!(arrival(&post(None), &claims(None), BY_ID), Ok(Arrival::Known(id("i"))));
    let several = Claims { by_former_name: vec![(id("i1"), None), (id("i3"), None), (id("i2"), None)], ..Claims::default() };
    assert_eq!(arrival(&post(None), &several, BY_ID), Ok(Arrival::Known(id("i3"))), "the newest of that name");
}

#[test]
fn who_asked_to_be_erased_does_not_come_back() {
    let claims = Claims { by_external_id: Some(id("i")), erased: true, ..Claims::default() };
    assert_eq!(arrival(&post(Some("e1")), &claims, BY_ID), Err(Refusal::Erased));
}

#[test]
fn a_repost_of_a_person_without_external_ids_says_that_the_name_is_taken() {
    let mut world = World::new();
    plan(world.post(&post(None)));
    assert_eq!(refusal(world.post(&post(None))), Refusal::Taken { attribute: "userName" });
    plan(world.delete(false));
    let plan = plan(world.post(&post(None)));
    assert_eq!(kinds(&plan), ["scim.user.revived"]);
}

/// As a login leaves it: an identity with a profile, never pushed.
fn made_by_a_login() -> World {
    let mut world = World::new();
    plan(world.post(&post(Some("e1"))));
    let known = world.known.as_mut().expect("somebody");
    let identity = &mut known.identity;
    (identity.listed, identity.raw, identity.raw_hash, identity.mapped) = (false, None, None, None);
    (identity.user_name, identity.user_name_key, identity.last_source) = (None, None, "login".into());
    known.values.clear();
    world
}

#[test]
fn a_post_attaches_to_an_identity_that_a_login_made() {
    for repost in [Repost::Reactivate, Repost::Conflict] {
        let mut world = made_by_a_login();
        world.connection.options.repost = repost;
        let before = world.known();
        let plan = plan(world.post(&post(Some("e1"))));
        assert_eq!(kinds(&plan), ["scim.user.created"], "201, not a revival");
        assert_eq!(world.known().identity.id, before.identity.id);
        assert_eq!(world.user().user_id, before.user.expect("a profile").user_id);
        assert_eq!((plan.counted, world.known().identity.listed), (1, true));
        assert_eq!(plan.values.new, [("userName".to_owned(), "anna".to_owned())]);
    }
}

// The user_id.

fn user_id_of(kind: ConnectionKind, external_id: Option<&str>) -> String {
    let connection = Connection { kind, ..World::new().connection };
    user_id::wanted(&connection, external_id, "0198-identity")
}

#[test]
fn a_user_id_is_strategy_connection_and_external_id() {
    assert_eq!(user_id_of(ConnectionKind::Scim, Some("e1")), "scim|acme|e1");
    assert_eq!(user_id_of(ConnectionKind::Database, Some("e1")), "auth0|e1");
    assert_eq!(user_id_of(ConnectionKind::Scim, None), "scim|acme|0198-identity");
    let plain = "Aa0._@+:~-";
    assert_eq!(user_id_of(ConnectionKind::Scim, Some(plain)), format!("scim|acme|{plain}"));
}

#[test]
fn an_external_id_that_does_not_fit_is_hashed() {
    let longest = "x".repeat(128);
    assert_eq!(user_id_of(ConnectionKind::Scim, Some(&longest)), format!("scim|acme|{longest}"));
    for text in [&*"x".repeat(129), "a b", "a|b", "a/b", "ä", "CN=Anna,DC=acme"] {
        let hash = &user_id::hex(&Sha256::digest(text))[..32];
        assert_eq!(user_id_of(ConnectionKind::Scim, Some(text)), format!("scim|acme|~{hash}"), "{text}");
    }
}

#[test]
fn a_user_id_that_is_borne_or_was_goes_to_nobody_else() {
    let claims = Claims { user_ids_taken: vec!["scim|acme|e1".into()], ..Claims::default() };
    let world = World::new();
    let newcomer = Newcomer::new("scim|acme|e1", &claims, None);
    let plan = plan(create(&world.desk(), &post(Some("e1")), id("i"), newcomer));
    let ProfileWrite::Insert(user) = plan.profile else { panic!("a profile") };
    assert_eq!(user.user_id, "scim|acme|e1~2");
}

// The address.

fn elsewhere() -> Newcomer {
    let claims = Claims { by_email: vec![(ProfileId::new("p9"), "ldap|corp|9".into())], ..Claims::default() };
    Newcomer::new("scim|acme|e1", &claims, None)
}

#[test]
fn an_address_that_another_connection_feeds_is_a_conflict_with_an_inbox_row() {
    let world = World::new();
    let Refusal::EmailElsewhere { inbox, log } = refusal(create(&world.desk(), &post(Some("e1")), id("i"), elsewhere())) else {
        panic!("a conflict");
    };
    assert_eq!((inbox.kind, inbox.subject.as_str()), ("email_match", "e1"));
    assert!(inbox.detail.contains("ldap|corp|9"));
    assert_eq!((log.kind, log.outcome, log.profile_id), ("conflict.opened", "refused", Some(ProfileId::new("p9"))));
}

#[test]
fn on_email_match_new_makes_another_person() {
    let world = World::with(|options| options.on_email_match = crate::model::connection::OnEmailMatch::New);
    let plan = plan(create(&world.desk(), &post(Some("e1")), id("i"), elsewhere()));
    assert!(matches!(plan.profile, ProfileWrite::Insert(_)));
}

#[test]
fn an_address_matters_only_where_a_profile_would_be_made() {
    let world = World::new();
    let mut skipped = post(Some("e1"));
    skipped.payload.insert("skip".into(), "service account".into());
    let plan = plan(create(&world.desk(), &skipped, id("i"), elsewhere()));
    assert_eq!(plan.profile, ProfileWrite::None);
    let joins = Newcomer { joined: Some(joined("p9")), ..elsewhere() };
    assert!(matches!(create(&world.desk(), &post(Some("e1")), id("i"), joins), Decision::Write(_)), "joining comes first");
}

#[test]
fn an_address_is_asked_for_when_a_skipped_person_passes_later() {
    let mut world = World::new();
    let mut skipped = post(Some("e1"));
    skipped.payload.insert("skip".into(), "service account".into());
    plan(world.post(&skipped));
    let decision = write(&world.desk(), UserEvent::Replaced, world.known(), &post(Some("e1")), elsewhere());
    assert!(matches!(refusal(decision), Refusal::EmailElsewhere { .. }));
}

#[test]
fn a_skipped_person_that_passes_later_gets_a_user_id_nobody_bore() {
    let mut world = World::new();
    let mut skipped = post(Some("e1"));
    skipped.payload.insert("skip".into(), "service account".into());
    plan(world.post(&skipped));
    let claims = Claims { user_ids_taken: vec!["scim|acme|e1".into()], ..Claims::default() };
    let newcomer = Newcomer::new("scim|acme|e1", &claims, None);
    let decision = write(&world.desk(), UserEvent::Replaced, world.known(), &post(Some("e1")), newcomer);
    plan(world.take(decision));
    assert_eq!(world.user().user_id, "scim|acme|e1~2");
}

// Joining.

/// A profile that another identity made, as its primary.
fn joined(profile: &str) -> Joined {
    let mut other = World::new();
    plan(other.post(&record(Some("o1"), "other", true, json!({"name": "Annette", "email": "a@corp.example"}))));
    let user = User { id: ProfileId::new(profile), ..other.user() };
    Joined { user, position: 2, blocks: other.known().blocks }
}

fn joining() -> Newcomer {
    Newcomer { joined: Some(joined("p9")), ..Newcomer::default() }
}

#[test]
fn a_join_makes_a_secondary_that_writes_no_roots() {
    let world = World::new();
    let pushed = record(Some("e1"), "anna", true, json!({"name": "Anna", "app_metadata.title": "Clerk"}));
    let plan = plan(create(&world.desk(), &pushed, id("i"), joining()));
    holds_together(&plan);
    let identity = plan.identity.identity();
    assert_eq!((identity.profile_id.as_ref(), identity.position), (Some(&ProfileId::new("p9")), 2));
    assert!(matches!(plan.identity, IdentityWrite::Insert(_)));
    let ProfileWrite::Update { user, .. } = &plan.profile else { panic!("{:?}", plan.profile) };
    let profile = Profile::parse(&user.doc).expect("a document");
    assert_eq!(profile.text("name"), Some("Annette"));
    assert_eq!(profile.text("app_metadata.title"), Some("Clerk"), "metadata is not a root");
    assert_eq!(user.user_id, joined("p9").user.user_id, "a profile's user_id is its primary's");
    assert_eq!((kinds(&plan), announced(&plan)), (vec!["scim.user.created", "identity.linked"], vec!["user.updated"]));
    assert_eq!(plan.log[1].profile_id, Some(ProfileId::new("p9")));
}

#[test]
fn a_join_that_brings_nothing_is_history_all_the_same() {
    let world = World::new();
    let plan = plan(create(&world.desk(), &record(Some("e1"), "anna", true, json!({})), id("i"), joining()));
    holds_together(&plan);
    assert_eq!(plan.outbox[0].changed, r#"["identities"]"#);
}

#[test]
fn an_inactive_secondary_blocks_the_whole_profile_by_its_own_block() {
    let world = World::new();
    let plan = plan(create(&world.desk(), &record(Some("e1"), "anna", false, json!({})), id("i"), joining()));
    assert_eq!(plan.blocks.len(), 1);
    assert_eq!((plan.blocks[0].kind, plan.blocks[0].origin.as_str()), (BlockKind::Source, "i"));
    let ProfileWrite::Update { user, .. } = &plan.profile else { panic!("{:?}", plan.profile) };
    assert!(user.blocked);
}

#[test]
fn linking_lifts_no_block_of_the_profile() {
    let mut newcomer = joining();
    let target = newcomer.joined.as_mut().expect("a profile");
    let origin = "o".to_owned();
    let reason = "inactive at the source".to_owned();
    target.blocks =
        vec![Block { kind: BlockKind::Source, origin, since: NOW, actor: "token:t".into(), reason, expires_at: None }];
    target.user.blocked = true;
    let world = World::new();
    let plan = plan(create(&world.desk(), &post(Some("e1")), id("i"), newcomer));
    assert_eq!(plan.lifts, []);
    let ProfileWrite::Update { user, .. } = &plan.profile else { panic!("{:?}", plan.profile) };
    assert!(user.blocked);
}

#[test]
fn a_skipped_record_joins_nobody() {
    let world = World::new();
    let mut skipped = post(Some("e1"));
    skipped.payload.insert("skip".into(), "service account".into());
    let plan = plan(create(&world.desk(), &skipped, id("i"), joining()));
    assert_eq!((plan.identity.identity().profile_id.as_ref(), kinds(&plan)), (None, vec!["scim.user.created"]));
}

#[test]
fn where_people_are_known_by_their_name_it_decides_and_the_external_id_may_be_another() {
    let named = |name: &str, external_id: Option<&str>| Some((id(name), external_id.map(str::to_owned)));
    let now = Claims { by_user_name: named("i", Some("e1")), ..Claims::default() };
    assert_eq!(arrival(&post(Some("e2")), &now, BY_NAME), Ok(Arrival::Known(id("i"))));
    let before = Claims { by_former_name: vec![(id("i1"), Some("e1".into())), (id("i2"), None)], ..Claims::default() };
    assert_eq!(arrival(&post(Some("e3")), &before, BY_NAME), Ok(Arrival::Known(id("i2"))), "the newest of that name");
    let another = Claims { by_external_id: Some(id("j")), ..now };
    assert_eq!(arrival(&post(Some("e1")), &another, BY_NAME), Err(Refusal::Taken { attribute: "externalId" }));
    assert_eq!(arrival(&post(Some("e1")), &Claims::default(), BY_NAME), Ok(Arrival::New));
    let erased = Claims { erased: true, ..Claims::default() };
    assert_eq!(arrival(&post(Some("e1")), &erased, BY_NAME), Err(Refusal::Erased));
}
