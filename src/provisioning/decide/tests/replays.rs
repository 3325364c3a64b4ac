//! Mapping anew what is stored: what a new version changes, what stays whatever it says, and the way back.

use super::*;
use crate::provisioning::decide::login::Denial;
use crate::provisioning::decide::replay::{Replayed, replay, stored_record};
use crate::provisioning::decide::undo::{Did, Done, IdentityBefore, replayed};
use crate::provisioning::difference::{Difference, Fate, after};

/// Somebody pushed under a first version that takes name and address alone.
fn pushed(said: Value) -> World {
    let mut world = World::new();
    world.mapping = Said::with(vec![rule("name"), rule("email"), rule("blocked")]);
    world.post(&record(Some("e1"), "anna", true, said));
    world
}

/// The next version, with these rules.
fn next(world: &mut World, rules: Vec<Rule>) {
    world.now += 1_000_000;
    world.mapping = Said { version: world.mapping.version + 1, rules };
}

fn decided(world: &World) -> Replayed {
    let record = stored_record(Side::Push, &world.known().identity);
    let newcomer = record.map(|record| (world.newcomer(&record), map(&world.desk(), &record)));
    replay(&world.desk(), world.known(), newcomer)
}

/// The plan of a replay, taken in.
fn carried_out(world: &mut World) -> UserPlan {
    let Replayed::Decided(decision) = decided(world) else { panic!("nothing is decided") };
    plan(world.take(decision))
}

fn said() -> Value {
    json!({"name": "Anna", "email": "anna@acme.example", "app_metadata.title": "Engineer", "nickname": "Annie"})
}

#[test]
fn what_a_new_version_makes_of_the_same_is_written_and_nobody_was_seen_by_it() {
    let mut world = pushed(said());
    let before = world.known();
    next(&mut world, vec![rule("name"), rule("app_metadata.title"), rule("email"), rule("blocked")]);
    let plan = carried_out(&mut world);
    assert_eq!((kinds(&plan), announced(&plan)), (vec!["scim.user.replayed"], vec!["user.updated"]));
    assert_eq!((world.value("app_metadata.title"), world.value("name")), (json!("Engineer"), json!("Anna")));
    let (old, new) = (before.identity, world.known().identity);
    assert_eq!((new.raw, new.raw_hash, new.last_seen), (old.raw, old.raw_hash, old.last_seen));
    assert_eq!((new.last_source, new.missing_runs, new.mapping_version), (old.last_source, old.missing_runs, Some(2)));
    assert_eq!(decided(&world), Replayed::Decided(Decision::Nothing), "of this version already");
}

#[test]
fn a_replay_is_no_creation_and_rules_of_creation_rest() {
    let mut world = pushed(said());
    let create = |target| Rule { policy: Some(WritePolicy::Create), ..rule(target) };
    next(&mut world, vec![rule("name"), rule("email"), create("nickname"), rule("blocked")]);
    let plan = carried_out(&mut world);
    assert_eq!((plan.profile, world.value("nickname")), (ProfileWrite::None, Value::Null));
}

#[test]
fn whom_a_former_text_left_out_gets_a_profile_now() {
    let mut world = World::new();
    let mut skipped = said();
    skipped["skip"] = "not yet".into();
    world.post(&record(Some("e1"), "anna", true, skipped));
    assert_eq!(world.known().user, None);
    // Nothing the source says changed but in the text: here the gate is in what was said.
    let raw = world.known().identity.raw.expect("stored").replace("\"skip\":\"not yet\",", "");
    world.known.as_mut().expect("somebody").identity.raw = Some(raw.replace(",\"skip\":\"not yet\"", ""));
    next(&mut world, vec![rule("name"), rule("email"), rule("blocked")]);
    let known = world.known();
    let outcome = decided(&world);
    assert_eq!(Difference::of(&known, &outcome, Side::Push).fate, Fate::LetIn);
    let plan = carried_out(&mut world);
    assert!(matches!(plan.profile, ProfileWrite::Insert(_)));
    assert_eq!(plan.counted, 0, "they were listed all along");
    // And an undo takes it away again, unless another identity joined it.
    let kept = IdentityBefore::of(&known, &plan, Side::Push);
    let history = plan.history.as_ref().map(|row| (row.id.clone(), serde_json::from_str(&row.changes).unwrap()));
    let done = Done { did: Did::Updated, at: plan.log[0].at, history };
    let linked = replayed(&world.desk(), world.known(), &done, &kept, false).expect("it fits");
    assert_eq!((linked.plan.is_none(), linked.kept.len()), (true, 1));
    let undone = replayed(&world.desk(), world.known(), &done, &kept, true).expect("it fits").plan.expect("a plan");
    assert!(matches!(undone.profile, ProfileWrite::Remove { .. }) && undone.forgets);
    let identity = undone.identity.identity();
    assert_eq!((&identity.profile_id, identity.mapping_version, &identity.mapped), (&None, Some(1), &known.identity.mapped));
}

#[test]
fn who_left_is_left_alone() {
    let mut world = pushed(said());
    world.delete(false);
    next(&mut world, vec![rule("name"), rule("app_metadata.title")]);
    assert_eq!(decided(&world), Replayed::NotMeant);
}

#[test]
fn a_difference_tells_what_the_plan_writes_and_the_person_after_it_is_the_one_that_is_stored() {
    let mut world = pushed(said());
    let rules = vec![rule("app_metadata.title"), Rule { required: true, ..rule("name") }, rule("nickname"), rule("blocked")];
    next(&mut world, rules);
    let known = world.known();
    let replayed = decided(&world);
    let difference = Difference::of(&known, &replayed, Side::Push);
    let Replayed::Decided(Decision::Write(plan)) = replayed else { panic!("something is written") };
    let moved: Vec<(&str, bool, bool)> =
        difference.moved.iter().map(|one| (one.path.as_str(), one.before.is_some(), one.after.is_some())).collect();
    assert_eq!(moved, [("app_metadata.title", false, true), ("nickname", false, true)]);
    let told = after(known, &plan);
    world.take(Decision::Write(plan));
    let stored = world.known();
    let bare = |user: Option<User>| user.map(|user| User { was: None, ..user });
    assert_eq!((told.identity, bare(told.user), told.blocks), (stored.identity, bare(stored.user), stored.blocks));
}

#[test]
fn a_deny_blocks_and_an_undo_puts_everything_back() {
    let mut world = pushed(json!({"name": "Anna", "email": "anna@acme.example", "nickname": "Annie", "deny": "interns wait"}));
    // The first text had no such gate: as if it had not been asked.
    let known = world.known.as_mut().expect("somebody");
    known.blocks.clear();
    known.user.as_mut().expect("a profile").blocked = false;
    let before = world.known();
    next(&mut world, vec![rule("email"), rule("nickname"), rule("blocked")]);
    let known = world.known();
    let plan = carried_out(&mut world);
    assert_eq!(world.blocks(), [(BlockKind::Policy, "interns wait".to_owned())]);
    let kept = IdentityBefore::of(&known, &plan, Side::Push);
    let kept: IdentityBefore = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let history = plan.history.as_ref().map(|row| (row.id.clone(), serde_json::from_str(&row.changes).unwrap()));
    let done = Done { did: Did::Updated, at: plan.log[0].at, history };
    world.now += 1_000_000;
    let undone = replayed(&world.desk(), world.known(), &done, &kept, true).expect("it fits");
    assert_eq!(undone.kept, []);
    world.take(Decision::Write(undone.plan.expect("a plan")));
    let (old, new) = (before, world.known());
    let bare = |identity: &Identity| Identity { version: 0, updated_at: 0, ..identity.clone() };
    assert_eq!(bare(&new.identity), bare(&old.identity));
    let bare = |user: &User| User { version: 0, updated_at: 0, was: None, ..user.clone() };
    assert_eq!((new.user.as_ref().map(bare), new.blocks), (old.user.as_ref().map(bare), old.blocks));
    // And once more finds nothing to do.
    let again = replayed(&world.desk(), world.known(), &done, &kept, true).expect("it fits");
    assert!(again.plan.is_none(), "{again:?}");
}

#[test]
fn what_a_push_said_since_stays_when_a_replay_is_undone() {
    let mut world = pushed(said());
    next(&mut world, vec![rule("name"), rule("email"), rule("nickname"), rule("blocked")]);
    let known = world.known();
    let plan = carried_out(&mut world);
    let kept = IdentityBefore::of(&known, &plan, Side::Push);
    let history = plan.history.as_ref().map(|row| (row.id.clone(), serde_json::from_str(&row.changes).unwrap()));
    let done = Done { did: Did::Updated, at: plan.log[0].at, history };
    let mut newer = said();
    newer["nickname"] = "Ännchen".into();
    world.now += 1_000_000;
    world.put(&record(Some("e1"), "anna", true, newer));
    let undone = replayed(&world.desk(), world.known(), &done, &kept, true).expect("it fits");
    assert_eq!((undone.plan.is_none(), undone.kept.len()), (true, 1), "{undone:?}");
    assert_eq!(world.value("nickname"), "Ännchen");
}

#[test]
fn a_login_that_would_be_refused_now_is_told_and_nothing_of_it_is_written() {
    let mut world = pushed(said());
    let login = |raw: Value| crate::model::identity::LoginSide {
        raw: raw.to_string(),
        raw_hash: "h".into(),
        mapped: "{}".into(),
        mapping: "said".into(),
        mapping_version: 1,
    };
    next(&mut world, vec![rule("name"), rule("app_metadata.title")]);
    let of = |world: &World| {
        let desk = Desk { side: Side::Login, ..world.desk() };
        replay(&desk, world.known(), None)
    };
    assert_eq!(of(&world), Replayed::NotMeant, "nobody signed in");
    let set = |world: &mut World, raw: Value| world.known.as_mut().expect("somebody").identity.login = Some(login(raw));
    set(&mut world, json!({"name": "Anna", "deny": "not here"}));
    assert_eq!(of(&world), Replayed::WouldNotEnter(Denial::Denied { reason: "not here".into() }));
    set(&mut world, json!({"name": "Anne", "app_metadata.title": "Chief"}));
    let Replayed::Decided(decision) = of(&world) else { panic!("it is decided") };
    let plan = plan(world.take(decision));
    assert_eq!((kinds(&plan), plan.login), (vec!["login.replayed"], None));
    assert_eq!(world.known().identity.login.map(|side| side.mapping_version), Some(2));
    assert_eq!(world.value("app_metadata.title"), "Chief");
}
