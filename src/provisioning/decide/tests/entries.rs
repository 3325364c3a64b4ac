//! Entries of a directory that is followed: what differs from a push.

use super::*;

/// What a directory says of ann. `said` is the mapping's result.
pub(super) fn entry(said: Value) -> SourceRecord {
    let Value::Object(mut payload) = said else { panic!("an object") };
    payload.insert("dn".into(), "uid=ann,dc=x".into());
    SourceRecord {
        side: Side::Sync,
        payload,
        external_id: Some("guid-1".into()),
        user_name: None,
        label: None,
        active: None,
        values: Vec::new(),
    }
}

pub(super) fn followed() -> World {
    let mut world = World::new();
    world.connection.kind = ConnectionKind::Ldap;
    world.connection.options = Options::defaults(ConnectionKind::Ldap);
    world.mapping = Said::with(vec![rule("username"), rule("name"), Rule { required: true, ..rule("email") }, rule("blocked")]);
    world
}

pub(super) fn desk(world: &World) -> Desk<'_> {
    let root_attributes = world.connection.options.root_attributes(false);
    Desk { side: Side::Sync, root_attributes, ..world.desk() }
}

/// A run meets the entry.
pub(super) fn meet(world: &mut World, record: &SourceRecord) -> Decision<UserPlan> {
    let decision = match &world.known {
        None => create(&desk(world), record, IdentityId::new("i-1"), world.newcomer(record)),
        Some(known) => {
            let event = if known.identity.listed { UserEvent::Replaced } else { UserEvent::Revived };
            super::super::write(&desk(world), event, known.clone(), record, None)
        }
    };
    world.take(decision)
}

pub(super) fn ann() -> SourceRecord {
    entry(json!({"username": "ann", "name": "Ann", "email": "ann@x.example", "blocked": false}))
}

#[test]
fn an_entry_is_called_what_the_mapping_calls_it_and_its_name_is_no_key() {
    let mut world = followed();
    let plan = plan(meet(&mut world, &ann()));
    assert_eq!(kinds(&plan), ["sync.user.created"]);
    let identity = world.known().identity;
    assert_eq!((identity.user_name.as_deref(), identity.label.as_deref()), (Some("ann"), Some("Ann")));
    assert_eq!((identity.user_name_key, identity.listed, identity.last_source.as_str()), (None, true, "sync"));
    assert_eq!(identity.dn_key, Some(dn_key("UID=Ann, DC=x")));
}

#[test]
fn the_same_entry_is_nothing_and_other_result_of_the_same_entry_is_something() {
    let mut world = followed();
    meet(&mut world, &ann());
    assert_eq!(meet(&mut world, &ann()), Decision::Nothing);
    let mut turned = ann().payload;
    turned.sort_keys();
    assert_eq!(meet(&mut world, &SourceRecord { payload: turned, ..ann() }), Decision::Nothing);
    // As if the clock had moved: the same entry, another result.
    world.known.as_mut().unwrap().identity.mapped = Some(json!({"username": "ann", "blocked": true}).to_string());
    assert_ne!(meet(&mut world, &ann()), Decision::Nothing);
}

#[test]
fn a_disabled_entry_blocks_its_person_whatever_else_the_mapping_refuses() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.known().identity;
    let gone = entry(json!({"username": "ann", "blocked": true}));
    let barred = plan(meet(&mut world, &gone));
    assert_eq!(barred.rejected, Some(vec![("email".to_owned(), "has no value".to_owned())]));
    assert_eq!(world.blocks(), [(BlockKind::Source, "inactive at the source".to_owned())]);
    let after = world.known().identity;
    assert_eq!((after.raw, after.mapped), (before.raw, before.mapped), "the entry is not taken");
    assert_eq!(after.raw_hash, None, "as it was before it is not unchanged");
    assert_eq!(after.state, IdentityState::DisabledAtSource);
    assert_eq!(world.value("email"), "ann@x.example");
    // Once is enough.
    assert!(matches!(refusal(meet(&mut world, &gone)), Refusal::Rejected { .. }));
    // And back, whole.
    meet(&mut world, &ann());
    assert_eq!((world.blocks().len(), world.known().identity.state), (0, IdentityState::Active));
}

#[test]
fn a_disabled_entry_blocks_its_person_though_their_profile_would_be_too_large() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.user();
    let huge = |blocked: bool| {
        let name = "x".repeat(PROFILE_BYTES_MAX);
        entry(json!({"username": "ann", "name": name, "email": "ann@x.example", "blocked": blocked}))
    };
    assert_eq!(refusal(meet(&mut world, &huge(false))), Refusal::TooLarge { bytes_max: PROFILE_BYTES_MAX });
    let barred = plan(meet(&mut world, &huge(true)));
    assert_eq!(barred.rejected, Some(vec![(String::new(), "the profile would be larger than 65536 bytes".to_owned())]));
    assert_eq!(world.blocks(), [(BlockKind::Source, "inactive at the source".to_owned())]);
    assert_eq!((world.user().blocked, world.user().doc), (true, before.doc));
    assert_eq!(world.known().identity.state, IdentityState::DisabledAtSource);
    // Once is enough.
    assert!(matches!(refusal(meet(&mut world, &huge(true))), Refusal::Rejected { .. }));
}

#[test]
fn what_a_store_refuses_of_a_disabled_entry_blocks_its_person_once_and_takes_nothing_else() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.user();
    let said = |blocked: bool| entry(json!({"username": "ann", "name": "Other", "email": "ann@x.example", "blocked": blocked}));
    let bar = |world: &World, record: &SourceRecord| bar(&desk(world), world.known(), record, "the index is full");
    assert_eq!(bar(&world, &said(false)), Decision::Nothing);
    let decision = bar(&world, &said(true));
    assert_eq!(plan(world.take(decision)).rejected, Some(vec![(String::new(), "the index is full".to_owned())]));
    assert_eq!((world.user().blocked, world.user().doc), (true, before.doc));
    assert_eq!(bar(&world, &said(true)), Decision::Nothing);
}

#[test]
fn a_newcomer_who_is_refused_and_barred_joins_nobody() {
    let mut world = followed();
    meet(&mut world, &ann());
    let joined = Joined { user: world.user(), position: 1, blocks: Vec::new() };
    let newcomer = Newcomer { joined: Some(joined), ..Newcomer::default() };
    let gone = entry(json!({"username": "ann", "blocked": true}));
    let decision = create(&desk(&world), &gone, IdentityId::new("i-2"), newcomer);
    assert!(matches!(refusal(decision), Refusal::Rejected { .. }));
}

#[test]
fn a_refused_entry_that_bars_nobody_changes_nothing() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.user();
    assert!(matches!(
        refusal(meet(&mut world, &entry(json!({"username": "other", "blocked": false})))),
        Refusal::Rejected { .. }
    ));
    assert_eq!(world.user(), before);
}

#[test]
fn who_left_and_is_there_again_loses_the_block_of_having_left_though_no_rule_speaks_of_blocks() {
    let mut world = followed();
    world.mapping = Said::with(vec![rule("username")]);
    meet(&mut world, &entry(json!({"username": "ann"})));
    let left = delete(&desk(&world), world.known(), true);
    assert_eq!(kinds(&plan(world.take(left))), ["sync.user.deleted"]);
    assert_eq!(world.blocks().len(), 1);
    world.block_by_administrator();
    let back = plan(meet(&mut world, &entry(json!({"username": "ann"}))));
    assert_eq!(kinds(&back), ["sync.user.revived"]);
    assert_eq!(world.blocks(), [(BlockKind::Admin, "left the company".to_owned())], "others' blocks stay");
}

/// The mapping language's answer under a gate that skips: nothing but that the source bars the person.
fn skipped(world: &mut World, blocked: bool) -> SourceRecord {
    world.mapping = Said::with(if blocked { vec![rule("blocked")] } else { Vec::new() });
    entry(json!({"skip": "temps wait", "blocked": blocked, "title": "temp"}))
}

#[test]
fn a_skipped_entry_that_is_disabled_locks_its_person_out_and_takes_nothing_else() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.known();
    let record = skipped(&mut world, false);
    meet(&mut world, &record);
    assert_eq!((world.blocks().len(), world.known().identity.state), (0, IdentityState::Active));
    let record = skipped(&mut world, true);
    meet(&mut world, &record);
    assert_eq!(world.blocks(), [(BlockKind::Source, "inactive at the source".to_owned())]);
    let identity = world.known().identity;
    assert_eq!((identity.user_name.as_deref(), identity.label.as_deref()), (Some("ann"), Some("Ann")), "still called so");
    assert_eq!((identity.state, world.user().doc), (IdentityState::DisabledAtSource, before.user.unwrap().doc));
    let given: Value = serde_json::from_str(&identity.mapped.unwrap()).unwrap();
    assert_eq!(given, json!({"username": "ann", "name": "Ann", "email": "ann@x.example", "blocked": true}));
    // Enabled again, and still skipped: the person stays as they are.
    let record = skipped(&mut world, false);
    meet(&mut world, &record);
    assert_eq!((world.blocks().len(), world.known().identity.state), (1, IdentityState::DisabledAtSource));
    world.mapping = followed().mapping;
    meet(&mut world, &ann());
    assert_eq!((world.blocks().len(), world.known().identity.state), (0, IdentityState::Active));
}

#[test]
fn who_left_does_not_come_back_as_what_is_skipped() {
    let mut world = followed();
    meet(&mut world, &ann());
    let left = delete(&desk(&world), world.known(), true);
    world.take(left);
    let record = skipped(&mut world, false);
    assert_eq!(meet(&mut world, &record), Decision::Nothing);
    assert_eq!((world.known().identity.listed, world.blocks().len()), (false, 1));
    world.mapping = followed().mapping;
    assert_eq!(kinds(&plan(meet(&mut world, &ann()))), ["sync.user.revived"]);
    assert_eq!(world.blocks().len(), 0);
}
