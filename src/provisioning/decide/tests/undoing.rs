//! What undoing a change of a run puts back, and what it leaves alone.

use super::entries::{ann, desk, entry, followed, meet};
use super::*;
use crate::provisioning::decide::undo::{Did, Done, Undone, undo};

/// As log and history would tell of the plan later.
fn done(did: Did, plan: &UserPlan) -> Done {
    let changes = |text: &str| serde_json::from_str(text).expect("an object");
    let history = plan.history.as_ref().map(|history| (history.id.clone(), changes(&history.changes)));
    Done { did, at: plan.log[0].at, history }
}

/// A run meets an entry a while later.
fn later(world: &mut World, record: &SourceRecord, did: Did) -> Done {
    world.now += 1_000_000;
    let plan = plan(meet(world, record));
    done(did, &plan)
}

fn leaves(world: &mut World) -> Done {
    world.now += 1_000_000;
    let decision = delete(&desk(world), world.known(), true);
    let plan = plan(world.take(decision));
    done(Did::Left, &plan)
}

fn take_back(world: &mut World, done: &Done) -> Undone {
    world.now += 1_000_000;
    let known = world.known.clone();
    let undone = undo(&desk(world), known, done, true).expect("it fits");
    if let Some(plan) = undone.plan.as_ref() {
        assert_eq!(kinds(plan), ["sync.user.undone"]);
    }
    match undone.plan {
        Some(plan) => {
            let Decision::Write(plan) = world.take(Decision::Write(plan)) else { unreachable!("as it was given") };
            Undone { plan: Some(plan), ..undone }
        }
        None => undone,
    }
}

fn said(name: &str, email: &str) -> SourceRecord {
    entry(json!({"username": "ann", "name": name, "email": email, "blocked": false}))
}

fn nothing() -> Undone {
    Undone::default()
}

#[test]
fn values_are_as_before_with_why_they_were_so_and_once_is_enough() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.user();
    let change = later(&mut world, &said("Other", "other@x.example"), Did::Updated);
    let undone = take_back(&mut world, &change);
    assert_eq!((undone.restored, undone.kept), (vec!["name".to_owned(), "email".to_owned()], Vec::new()));
    let after = world.user();
    assert_eq!((&after.doc, &after.email, &after.email_key), (&before.doc, &before.email, &before.email_key));
    assert_eq!((after.email_trusted, &after.provenance), (true, &before.provenance));
    let identity = world.known().identity;
    assert_eq!(identity.raw_hash, None, "the next run compares anew");
    let given: Value = serde_json::from_str(&identity.mapped.unwrap()).unwrap();
    assert_eq!((&given["name"], &given["email"]), (&json!("Ann"), &json!("ann@x.example")));
    assert_eq!(take_back(&mut world, &change), nothing());
}

#[test]
fn what_something_newer_wrote_stays_and_is_told() {
    let mut world = followed();
    meet(&mut world, &ann());
    let first = later(&mut world, &said("Other", "other@x.example"), Did::Updated);
    let second = later(&mut world, &said("Newer", "other@x.example"), Did::Updated);
    let undone = take_back(&mut world, &first);
    assert_eq!(undone.restored, ["email"]);
    assert_eq!(undone.kept, [("name".to_owned(), "written since by sync.user.updated (acme)".to_owned())]);
    assert_eq!((world.value("name"), world.value("email")), (json!("Newer"), json!("ann@x.example")));
    // The newer one first, and the older one can be undone as well.
    assert_eq!(take_back(&mut world, &second).restored, ["name"]);
    assert_eq!(world.value("name"), "Other");
    assert_eq!(take_back(&mut world, &first).restored, ["name"]);
    assert_eq!(world.value("name"), "Ann");
}

#[test]
fn a_block_the_run_set_goes_and_those_of_others_stay() {
    let mut world = followed();
    meet(&mut world, &ann());
    let barred = entry(json!({"username": "ann", "name": "Ann", "email": "ann@x.example", "blocked": true}));
    let change = later(&mut world, &barred, Did::Updated);
    world.block_by_administrator();
    let undone = take_back(&mut world, &change);
    assert_eq!(undone.restored, ["blocked"]);
    assert_eq!(world.blocks(), [(BlockKind::Admin, "left the company".to_owned())]);
    assert_eq!((world.user().blocked, world.known().identity.state), (true, IdentityState::Active));
    assert_eq!(take_back(&mut world, &change), nothing());
    // The directory still says so: the next run blocks again, and counts it as something new.
    let again = plan(meet(&mut world, &barred));
    assert_eq!((again.blocks.len(), world.known().identity.state), (1, IdentityState::DisabledAtSource));
}

#[test]
fn a_block_the_run_lifted_is_back_as_it_was() {
    let mut world = followed();
    let barred = entry(json!({"username": "ann", "name": "Ann", "email": "ann@x.example", "blocked": true}));
    meet(&mut world, &barred);
    let before = world.known().blocks;
    let change = later(&mut world, &ann(), Did::Updated);
    assert_eq!((world.blocks().len(), world.user().blocked), (0, false));
    assert_eq!(take_back(&mut world, &change).restored, ["blocked"]);
    assert_eq!(world.known().blocks, before);
    assert_eq!((world.user().blocked, world.known().identity.state), (true, IdentityState::DisabledAtSource));
    assert_eq!(take_back(&mut world, &change), nothing());
}

#[test]
fn who_left_is_in_the_roster_again_unless_they_left_once_more() {
    let mut world = followed();
    meet(&mut world, &ann());
    let before = world.user();
    let left = leaves(&mut world);
    let undone = take_back(&mut world, &left);
    assert_eq!(undone.restored, ["blocked", "in the roster again"]);
    let plan = undone.plan.unwrap();
    assert_eq!((plan.counted, plan.lifts.len()), (1, 1));
    let known = world.known();
    assert_eq!((known.identity.listed, known.identity.state, known.identity.deleted_at), (true, IdentityState::Active, None));
    assert_eq!((world.blocks().len(), &world.user().doc, &world.user().provenance), (0, &before.doc, &before.provenance));
    assert_eq!(take_back(&mut world, &left), nothing(), "is there");
    leaves(&mut world);
    let late = take_back(&mut world, &left);
    assert_eq!((late.restored.len(), late.kept), (0, vec![("person".to_owned(), "left again since".to_owned())]));
}

#[test]
fn who_was_removed_for_good_is_told() {
    let world = followed();
    let left = Done { did: Did::Left, at: 1, history: None };
    let undone = undo(&desk(&world), None, &left, true).expect("it fits");
    assert_eq!((undone.plan, undone.kept.len()), (None, 1));
}

#[test]
fn who_came_back_is_out_again() {
    let mut world = followed();
    meet(&mut world, &ann());
    leaves(&mut world);
    let blocks = world.known().blocks;
    let back = later(&mut world, &said("Ann", "new@x.example"), Did::Revived);
    assert_eq!(world.blocks().len(), 0);
    let undone = take_back(&mut world, &back);
    assert_eq!(undone.restored, ["email", "blocked", "out again"]);
    let known = world.known();
    assert_eq!((known.identity.listed, known.identity.state), (false, IdentityState::Deleted));
    assert_eq!((known.blocks, world.value("email")), (blocks, json!("ann@x.example")));
    assert_eq!(take_back(&mut world, &back), nothing());
}

#[test]
fn whom_the_run_brought_goes_without_a_trace_if_nothing_happened_to_them_since() {
    let mut world = followed();
    let created = later(&mut world, &ann(), Did::Created);
    let undone = take_back(&mut world, &created);
    let plan = undone.plan.expect("a plan");
    assert_eq!((plan.forgets, plan.counted), (true, -1));
    assert!(matches!(plan.profile, ProfileWrite::Remove { .. }) && matches!(plan.identity, IdentityWrite::Remove { .. }));
    assert_eq!(announced(&plan), ["user.deleted"]);
    let rows = rows_of(&apply::user(&plan));
    assert!(rows.iter().all(|(table, _)| table != "tombstones"), "may come anew under the same id: {rows:?}");
    assert_eq!(take_back(&mut world, &created), nothing());
}

#[test]
fn whom_the_run_brought_stays_once_anything_newer_is_theirs() {
    let since = |world: &mut World, what: &str, change: fn(&mut World)| {
        let created = later(world, &ann(), Did::Created);
        change(world);
        let undone = take_back(world, &created);
        assert_eq!((undone.plan, undone.kept.len()), (None, 1), "{what}");
        assert!(undone.kept[0].1.contains(what), "{what}: {:?}", undone.kept);
    };
    since(&mut followed(), "email was written since", |world| drop(later(world, &said("Ann", "new@x.example"), Did::Updated)));
    since(&mut followed(), "left since", |world| drop(leaves(world)));
    since(&mut followed(), "blocked since (admin)", |world| {
        world.block_by_administrator();
        world.known.as_mut().unwrap().blocks[0].since = world.now + 1;
    });
    // Once what is newer was undone, they go.
    let mut world = followed();
    let created = later(&mut world, &ann(), Did::Created);
    let updated = later(&mut world, &said("Ann", "new@x.example"), Did::Updated);
    take_back(&mut world, &updated);
    assert!(take_back(&mut world, &created).plan.is_some());
    // Another connection's identity at the same profile.
    let mut world = followed();
    let created = later(&mut world, &ann(), Did::Created);
    let undone = undo(&desk(&world), world.known.clone(), &created, false).expect("it fits");
    assert!(undone.plan.is_none() && undone.kept[0].1.contains("linked"), "{undone:?}");
}

#[test]
fn a_user_id_that_was_proposed_is_not_borne_again() {
    let mut world = followed();
    let created = later(&mut world, &ann(), Did::Created);
    world.known.as_mut().unwrap().user.as_mut().unwrap().user_id = "ldap|acme|ann".into();
    let plan = take_back(&mut world, &created).plan.expect("a plan");
    assert!(!plan.forgets && rows_of(&apply::user(&plan)).iter().any(|(table, _)| table == "tombstones"));
}

#[test]
fn a_block_that_keeps_out_who_left_since_stays() {
    let mut world = followed();
    meet(&mut world, &ann());
    let barred = entry(json!({"username": "ann", "name": "Other", "email": "ann@x.example", "blocked": true}));
    let change = later(&mut world, &barred, Did::Updated);
    let left = leaves(&mut world);
    let undone = take_back(&mut world, &change);
    assert_eq!((undone.restored, undone.kept), (vec!["name".to_owned()], vec![("blocked".to_owned(), "left since".to_owned())]));
    assert_eq!((world.blocks().len(), world.user().blocked, world.known().identity.listed), (1, true, false));
    // The newer one first, and both are undone.
    take_back(&mut world, &left);
    assert_eq!(take_back(&mut world, &change).restored, ["blocked"]);
    assert_eq!((world.blocks().len(), world.known().identity.state), (0, IdentityState::Active));
}

/// A run brings somebody to a profile of another connection.
fn joins(world: &mut World, record: &SourceRecord) -> Done {
    world.now += 1_000_000;
    let mut other = followed();
    meet(&mut other, &ann());
    let joined = Joined { user: other.user(), position: 1, blocks: Vec::new() };
    let newcomer = Newcomer { joined: Some(joined), ..Newcomer::default() };
    let decision = create(&desk(world), record, IdentityId::new("i-2"), newcomer);
    let plan = plan(world.take(decision));
    done(Did::Created, &plan)
}

fn barred() -> SourceRecord {
    entry(json!({"username": "ann", "name": "Ann", "email": "ann@x.example", "blocked": true}))
}

#[test]
fn who_joined_a_profile_leaves_it_with_the_block_they_brought() {
    let mut world = followed();
    let joined = joins(&mut world, &barred());
    assert!(world.user().blocked);
    world.now += 1_000_000;
    let undone = undo(&desk(&world), world.known.clone(), &joined, false).expect("it fits");
    let plan = undone.plan.expect("a plan");
    let ProfileWrite::Update { user, .. } = &plan.profile else { panic!("{:?}", plan.profile) };
    assert_eq!((plan.lifts.len(), user.blocked), (1, false));
    let told: Vec<String> = serde_json::from_str(&plan.outbox[0].changed).unwrap();
    assert!(told.contains(&"blocked".to_owned()) && told.contains(&"identities".to_owned()), "{told:?}");
    let history: Value = serde_json::from_str(&plan.history.as_ref().unwrap().changes).unwrap();
    assert_eq!(history["blocked"]["before"], true);
    assert!(Provenance::parse(&user.provenance).unwrap().of("blocked").is_none(), "nobody says so any more");
    // Nobody else's by now: the profile would be left without an identity.
    let alone = undo(&desk(&world), world.known.clone(), &joined, true).expect("it fits");
    assert_eq!((alone.plan, &*alone.kept[0].1), (None, "is the only identity of the profile by now"));
}

#[test]
fn who_joined_a_profile_stays_once_anything_newer_is_theirs() {
    let mut world = followed();
    let joined = joins(&mut world, &ann());
    later(&mut world, &barred(), Did::Updated);
    let undone = undo(&desk(&world), world.known.clone(), &joined, false).expect("it fits");
    assert_eq!((undone.plan, &*undone.kept[0].1), (None, "was blocked since (source)"));
    later(&mut world, &ann(), Did::Updated);
    let undone = undo(&desk(&world), world.known.clone(), &joined, false).expect("it fits");
    assert_eq!((undone.plan, &*undone.kept[0].1), (None, "blocked was written since by sync.user.updated"));
}

#[test]
fn who_was_let_in_after_a_skip_is_told_and_stays() {
    let mut world = followed();
    let mut skipped = ann();
    skipped.payload.insert("skip".into(), "service account".into());
    meet(&mut world, &skipped);
    assert!(world.known().user.is_none());
    world.now += 1_000_000;
    let decision = write(&desk(&world), UserEvent::Replaced, world.known(), &ann(), world.newcomer(&ann()));
    let plan = plan(world.take(decision));
    assert_eq!(kinds(&plan), ["sync.user.updated"]);
    let undone = take_back(&mut world, &done(Did::Updated, &plan));
    assert_eq!((undone.plan, undone.restored.len(), undone.kept.len()), (None, 0, 1));
    assert!(undone.kept[0].1.contains("let them in"), "{:?}", undone.kept);
}
