//! Event × state → result: the SCIM columns of `profile.md` §11, with what design §3 rules differently (a re-posted
//! inactive person comes back, whoever else blocks it).

use super::*;

/// A person in each state a push can meet.
#[derive(Clone, Copy, Debug)]
enum State {
    NoIdentity,
    Active,
    BlockedBySource,
    BlockedByAdministrator,
    BlockedByBoth,
    Deleted,
}
use State::{Active, BlockedByAdministrator, BlockedByBoth, BlockedBySource, Deleted, NoIdentity};

fn in_state(state: State, set: impl FnOnce(&mut Options)) -> World {
    let mut world = World::with(set);
    if !matches!(state, NoIdentity) {
        plan(world.post(&anna(true)));
    }
    if matches!(state, BlockedByAdministrator | BlockedByBoth) {
        world.block_by_administrator();
    }
    if matches!(state, BlockedBySource | BlockedByBoth) {
        plan(world.put(&anna(false)));
    }
    if matches!(state, Deleted) {
        plan(world.delete(false));
    }
    world.now += 1_000_000;
    world
}

/// Block kinds that stand, whether the profile is blocked, and what SCIM sees.
fn stands(world: &World) -> (Vec<BlockKind>, bool, bool, IdentityState) {
    let identity = world.known().identity;
    let kinds = world.known().blocks.iter().map(|block| block.kind).collect();
    (kinds, world.user().blocked, identity.listed, identity.state)
}

const SOURCE: BlockKind = BlockKind::Source;
const ADMIN: BlockKind = BlockKind::Admin;

#[test]
fn post() {
    for (state, expected) in [
        (NoIdentity, Ok("scim.user.created")),
        (Active, Err(Refusal::Taken { attribute: "externalId" })),
        (BlockedBySource, Ok("scim.user.revived")),
        (BlockedByAdministrator, Err(Refusal::Taken { attribute: "externalId" })),
        (BlockedByBoth, Ok("scim.user.revived")),
        (Deleted, Ok("scim.user.revived")),
    ] {
        let mut world = in_state(state, |_| {});
        let before = world.known.clone();
        let decision = world.post(&anna(true));
        match expected {
            Err(reason) => {
                assert_eq!(refusal(decision), reason, "{state:?}");
                assert_eq!(world.user(), before.and_then(|known| known.user).expect("unchanged"));
            }
            Ok(event) => {
                let plan = plan(decision);
                assert_eq!(kinds(&plan), [event], "{state:?}");
                let left = if matches!(state, BlockedByBoth) { vec![ADMIN] } else { vec![] };
                let blocked = !left.is_empty();
                assert_eq!(stands(&world), (left, blocked, true, IdentityState::Active), "{state:?}");
                if let Some(before) = before {
                    assert_eq!(world.known().identity.id, before.identity.id, "the SCIM id stays");
                    assert_eq!(world.user().user_id, before.user.expect("a profile").user_id);
                }
            }
        }
    }
}

#[test]
fn post_under_repost_conflict_revives_nobody() {
    for state in [BlockedBySource, BlockedByBoth, Deleted] {
        let mut world = in_state(state, |options| options.repost = Repost::Conflict);
        assert_eq!(refusal(world.post(&anna(true))), Refusal::Repost, "{state:?}");
    }
    let mut world = in_state(NoIdentity, |options| options.repost = Repost::Conflict);
    plan(world.post(&anna(true)));
}

#[test]
fn put_and_patch_of_an_active_person() {
    for (state, kinds_after) in [
        (Active, vec![]),
        // Only the source's own block is lifted by the source.
        (BlockedBySource, vec![]),
        (BlockedByAdministrator, vec![ADMIN]),
        (BlockedByBoth, vec![ADMIN]),
    ] {
        let mut world = in_state(state, |_| {});
        let renamed = record(Some("e1"), "anna", true, json!({"name": "Anna B.", "email": "anna@acme.example"}));
        let plan = plan(world.put(&renamed));
        assert_eq!((kinds(&plan), announced(&plan)), (vec!["scim.user.replaced"], vec!["user.updated"]), "{state:?}");
        assert_eq!(world.value("name"), "Anna B.", "attributes apply whatever blocks");
        let blocked = !kinds_after.is_empty();
        assert_eq!(stands(&world), (kinds_after, blocked, true, IdentityState::Active), "{state:?}");
    }
}

#[test]
fn put_and_patch_of_an_inactive_person() {
    for (state, kinds_after) in [
        (Active, vec![SOURCE]),
        (BlockedBySource, vec![SOURCE]),
        (BlockedByAdministrator, vec![ADMIN, SOURCE]),
        (BlockedByBoth, vec![ADMIN, SOURCE]),
    ] {
        let mut world = in_state(state, |_| {});
        let renamed = record(Some("e1"), "anna", false, json!({"name": "Anna B."}));
        plan(world.put(&renamed));
        assert_eq!(world.value("name"), "Anna B.");
        assert_eq!(stands(&world), (kinds_after, true, true, IdentityState::DisabledAtSource), "{state:?}");
    }
}

#[test]
fn delete_ends_the_identity_and_blocks_the_profile() {
    for deprovision in [Deprovision::Deactivate, Deprovision::Grace { days: 30 }] {
        for (state, kinds_after) in [
            (Active, vec![SOURCE]),
            (BlockedBySource, vec![SOURCE]),
            (BlockedByAdministrator, vec![ADMIN, SOURCE]),
            (BlockedByBoth, vec![ADMIN, SOURCE]),
        ] {
            let mut world = in_state(state, |options| options.deprovision = deprovision);
            let plan = plan(world.delete(true));
            assert_eq!(kinds(&plan), ["scim.user.deleted"]);
            assert!(plan.leaves_groups && plan.counted == -1, "{state:?}");
            assert_eq!(stands(&world), (kinds_after, true, false, IdentityState::Deleted), "{state:?}");
            let identity = world.known().identity;
            assert_eq!(identity.external_id.as_deref(), Some("e1"), "kept for revival");
            assert_eq!(identity.deleted_at, Some(world.now));
            assert_eq!(world.value("name"), "Anna", "nothing of the profile goes");
        }
        assert_eq!(refusal(in_state(Deleted, |_| {}).delete(true)), Refusal::NotFound);
    }
}

#[test]
fn delete_of_the_last_identity_takes_the_profile_where_the_connection_says_so() {
    for state in [Active, BlockedBySource, BlockedByAdministrator, BlockedByBoth] {
        let mut world = in_state(state, |options| options.deprovision = Deprovision::Delete);
        let user = world.user();
        let plan = plan(world.delete(true));
        assert!(matches!(&plan.identity, IdentityWrite::Remove { .. }));
        assert_eq!(plan.profile, ProfileWrite::Remove { user, reason: "deleted by its source" });
        assert_eq!(announced(&plan), ["user.deleted"]);
        assert!(plan.history.is_none(), "history lives as long as the user");
    }
}

#[test]
fn delete_of_one_identity_of_several_leaves_the_profile_without_its_blocks() {
    let mut world = in_state(BlockedByBoth, |options| options.deprovision = Deprovision::Delete);
    let plan = plan(world.delete(false));
    assert!(matches!(&plan.identity, IdentityWrite::Remove { .. }));
    let ProfileWrite::Update { user, .. } = &plan.profile else { panic!("{:?}", plan.profile) };
    assert_eq!(plan.lifts, [(SOURCE, plan.identity.identity().id.to_string())], "nobody could lift it later");
    assert!(user.blocked, "the administrator's block stays");
    assert_eq!(announced(&plan), ["user.updated"]);
}

#[test]
fn the_end_of_a_grace_takes_who_left_before_it_and_nobody_else() {
    let mut world = in_state(Active, |options| options.deprovision = Deprovision::Grace { days: 30 });
    assert_eq!(world.end_grace(Micros::MAX, true), Decision::Refused(Refusal::NotFound), "never left");
    plan(world.delete(true));
    let left = world.known().identity.deleted_at.expect("left");
    assert_eq!(world.end_grace(left, true), Decision::Refused(Refusal::NotFound), "the grace goes on");
    let plan = plan(world.end_grace(left + 1, true));
    assert!(matches!(&plan.identity, IdentityWrite::Remove { .. }));
    assert!(matches!(&plan.profile, ProfileWrite::Remove { .. }));
    assert_eq!(plan.counted, 0, "it was counted out when it left");
    assert_eq!(announced(&plan), ["user.deleted"]);
}

#[test]
fn a_delete_leaves_a_policy_block_standing() {
    let mut world = World::new();
    let mut denied = anna(true);
    denied.payload.insert("deny".into(), "contractor".into());
    plan(world.post(&denied));
    plan(world.delete(true));
    assert_eq!(stands(&world).0, [BlockKind::Policy, SOURCE]);
}

#[test]
fn the_count_of_listed_users_follows() {
    let mut world = World::new();
    let counted = |decision| plan(decision).counted;
    assert_eq!(counted(world.post(&anna(true))), 1);
    assert_eq!(counted(world.put(&anna(false))), 0);
    assert_eq!(counted(world.post(&anna(true))), 0, "it was listed all the time");
    assert_eq!(counted(world.delete(false)), -1);
    assert_eq!(counted(world.post(&anna(true))), 1);
}

#[test]
fn a_deactivation_is_one_block_with_its_reason_and_one_history_row() {
    let mut world = in_state(Active, |_| {});
    let plan = plan(world.put(&anna(false)));
    assert_eq!(world.blocks(), [(SOURCE, "inactive at the source".to_owned())]);
    let changes: Value = serde_json::from_str(&plan.history.expect("a row").changes).expect("JSON");
    assert_eq!(changes, json!({"blocked": {"before": false, "by": null}}));
    assert_eq!(plan.outbox[0].changed, r#"["blocked"]"#);
}

#[test]
fn the_same_resource_again_moves_nothing() {
    let mut world = in_state(Active, |_| {});
    assert_eq!(world.put(&anna(true)), Decision::Nothing);
    world.mapping.version = 2;
    plan(world.put(&anna(true)));
    assert_eq!(world.known().identity.mapping_version, Some(2), "unchanged means equal resource and equal version");
    assert_eq!(world.put(&anna(true)), Decision::Nothing);
}

#[test]
fn a_plan_is_the_same_for_the_same_clock_and_the_same_bytes() {
    let run = || {
        let mut world = in_state(BlockedByBoth, |_| {});
        let first = plan(world.post(&anna(true)));
        (first, plan(world.delete(true)))
    };
    assert_eq!(run(), run());
}
