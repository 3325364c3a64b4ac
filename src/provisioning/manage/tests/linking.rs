//! profile.md §8: the effects of linking, one by one, and its ways back.

use super::link::{MergeMetadata, find, link, undo, unlink};
use super::people::PeoplePlan;
use super::*;
use crate::provisioning::plan::ProfileWrite;
use crate::store::links::Linked;

fn ana() -> Person {
    let doc = json!({"email": "a@x.example", "name": "Ana", "user_metadata": {"lang": "de", "deep": {"a": 1}}, "app_metadata": {"plan": "gold"}});
    of_database(&doc)
}

fn her_saml() -> Person {
    let doc =
        json!({"email": "ana@acme.example", "name": "Ana of Acme", "user_metadata": {"lang": "en", "deep": {"b": 2}, "own": 1}});
    person("samlp|acme|ana7", &doc, &[("acme", ConnectionKind::Samlp)])
}

fn linked(primary: &Person, secondary: &Person, merge: MergeMetadata) -> PeoplePlan {
    let entropy = seeded();
    link(&writer(&entropy, By::Api), primary, secondary, merge).expect("linked")
}

fn updated(plan: &PeoplePlan) -> (User, Profile) {
    let user = plan.profiles.iter().find_map(|profile| match profile {
        ProfileWrite::Update { user, .. } => Some(user.clone()),
        _ => None,
    });
    let user = user.expect("one stays");
    let doc = Profile::parse(&user.doc).expect("JSON");
    (user, doc)
}

fn made(plan: &PeoplePlan) -> (User, Profile) {
    let user = plan.profiles.iter().find_map(|profile| match profile {
        ProfileWrite::Insert(user) => Some(user.clone()),
        _ => None,
    });
    let user = user.expect("one is new");
    let doc = Profile::parse(&user.doc).expect("JSON");
    (user, doc)
}

/// The person as they are once the plan is stored, and what is kept of the other one.
fn stored(primary: &Person, secondary: &Person, plan: &PeoplePlan) -> (Person, Linked) {
    let mut person = primary.clone();
    person.user = User { version: person.user.version + 1, ..updated(plan).0 };
    for (identity, _) in &plan.moved {
        let connection =
            secondary.identities.iter().find(|held| held.identity.id == identity.id).expect("theirs").connection.clone();
        person.identities.push(Held { identity: identity.clone(), connection });
    }
    person.blocks.extend(plan.blocks.iter().map(|(_, block)| block.clone()));
    let kept = plan.kept.as_ref().expect("kept");
    let linked = Linked {
        user: secondary.user.clone(),
        identities: kept.identities.clone(),
        blocks: kept.blocks.clone(),
        merged: kept.merged.clone(),
        history_id: kept.history_id.clone(),
        linked_at: NOW,
    };
    (person, linked)
}

#[test]
fn effect_1_and_3_the_primarys_id_attributes_and_metadata_stay() {
    let plan = linked(&ana(), &her_saml(), MergeMetadata::None);
    let (user, doc) = updated(&plan);
    assert_eq!((user.user_id.as_str(), Some(doc)), ("auth0|ana", Profile::parse(&ana().user.doc)));
}

#[test]
fn effect_2_the_identities_of_the_other_come_after_the_primarys() {
    let plan = linked(&ana(), &her_saml(), MergeMetadata::None);
    let moved: Vec<(&str, i64, Option<&str>)> = plan
        .moved
        .iter()
        .map(|(identity, _)| (identity.id.as_str(), identity.position, identity.profile_id.as_ref().map(ProfileId::as_str)))
        .collect();
    assert_eq!(moved, [("i-ana7", 1, Some("p-auth0|ana"))]);
}

#[test]
fn effect_4_the_others_metadata_is_discarded_and_kept_in_the_history() {
    let plan = linked(&ana(), &her_saml(), MergeMetadata::None);
    let told: Value = serde_json::from_str(&plan.history[0].changes).expect("JSON");
    assert_eq!(told["identities"]["before"], json!(["auth0|ana"]));
    assert_eq!(told["identities"]["with"]["user_id"], "samlp|acme|ana7");
    assert_eq!(told["identities"]["with"]["user_metadata"]["own"], 1);
}

#[test]
fn effect_5_the_other_profile_leaves_and_nobody_gets_its_id() {
    let plan = linked(&ana(), &her_saml(), MergeMetadata::None);
    assert!(
        plan.profiles
            .iter()
            .any(|profile| matches!(profile, ProfileWrite::Remove { user, .. } if user.user_id == "samlp|acme|ana7"))
    );
    assert_eq!((plan.buried[0].0.user_id.as_str(), plan.buried[0].1.as_str()), ("samlp|acme|ana7", "linked:i-ana7"));
}

#[test]
fn effect_8_one_is_told_as_deleted_and_one_as_updated() {
    let plan = linked(&ana(), &her_saml(), MergeMetadata::None);
    let told: Vec<(&str, Option<&str>)> =
        plan.outbox.iter().map(|event| (event.kind, event.profile_id.as_ref().map(ProfileId::as_str))).collect();
    assert_eq!(told, [("user.deleted", Some("p-samlp|acme|ana7")), ("user.updated", Some("p-auth0|ana"))]);
    assert_eq!((plan.log.len(), plan.log[0].kind), (1, "identity.linked"));
}

#[test]
fn metadata_is_merged_only_when_asked_and_as_asked() {
    let of = |merge| updated(&linked(&ana(), &her_saml(), merge)).1.value("user_metadata").cloned().unwrap_or_default();
    assert_eq!(of(MergeMetadata::None), json!({"lang": "de", "deep": {"a": 1}}));
    assert_eq!(of(MergeMetadata::Fill), json!({"lang": "de", "deep": {"a": 1}, "own": 1}));
    assert_eq!(of(MergeMetadata::PrimaryWins), json!({"lang": "de", "deep": {"b": 2, "a": 1}, "own": 1}));
    assert_eq!(of(MergeMetadata::SecondaryWins), json!({"lang": "en", "deep": {"a": 1, "b": 2}, "own": 1}));
}

#[test]
fn nobody_is_linked_to_themselves() {
    let entropy = seeded();
    assert_eq!(link(&writer(&entropy, By::Api), &ana(), &ana(), MergeMetadata::None), Err(Refused::Itself));
}

#[test]
fn who_has_secondaries_may_become_one_and_all_move() {
    let two = person("samlp|acme|ana7", &json!({}), &[("acme", ConnectionKind::Samlp), ("hub", ConnectionKind::Github)]);
    let plan = linked(&ana(), &two, MergeMetadata::None);
    let moved: Vec<(&str, i64)> = plan.moved.iter().map(|(identity, _)| (identity.id.as_str(), identity.position)).collect();
    assert_eq!(moved, [("i-ana7", 1), ("i-ana7-1", 2)]);
}

#[test]
fn what_barred_either_bars_both() {
    let mut other = her_saml();
    other.user.blocked = true;
    let source = Block { kind: BlockKind::Source, origin: "i-ana7".into(), ..admin_block() };
    other.blocks = vec![admin_block(), source];
    let plan = linked(&ana(), &other, MergeMetadata::None);
    let kinds: Vec<BlockKind> = plan.blocks.iter().map(|(_, block)| block.kind).collect();
    assert_eq!((updated(&plan).0.blocked, kinds), (true, vec![BlockKind::Admin, BlockKind::Source]));
    assert_eq!(plan.signs_out, [ana().user.id], "who is barred by it is signed out");

    let mut barred = ana();
    barred.user.blocked = true;
    barred.blocks = vec![admin_block()];
    let plan = linked(&barred, &other, MergeMetadata::None);
    assert_eq!(
        (plan.blocks.len(), plan.lifts.len(), updated(&plan).0.blocked),
        (1, 0, true),
        "one administrator's block is enough"
    );
}

#[test]
fn an_unlinked_identity_is_a_profile_of_its_own_without_metadata() {
    let (person, kept) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::Fill));
    let held = find(&person, "samlp", "acme|ana7").expect("linked");
    let entropy = seeded();
    let former = Some("samlp|acme|ana7".to_owned());
    let plan =
        unlink(&writer(&entropy, By::Api), &person, held, Some(&kept), (former, "samlp|acme|ana7~2".into())).expect("unlinked");
    let (user, doc) = made(&plan);
    assert_eq!(
        (user.user_id.as_str(), doc.text("name"), doc.value("user_metadata")),
        ("samlp|acme|ana7", Some("Ana of Acme"), None)
    );
    assert_eq!((user.id.clone(), plan.unburied.as_slice()), (her_saml().user.id, &["samlp|acme|ana7".to_owned()][..]));
    assert_eq!(updated(&plan).1.value("user_metadata.own"), Some(&json!(1)), "what the primary took stays with it");
    let told: Vec<&str> = plan.outbox.iter().map(|event| event.kind).collect();
    assert_eq!(told, ["user.created", "user.updated"]);
    assert_eq!(plan.signs_out_by, [(person.user.id.clone(), held.identity.id.clone())]);
}

#[test]
fn the_primary_identity_cant_be_unlinked() {
    let (person, _) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::None));
    let held = find(&person, "auth0", "auth0|ana").expect("the primary one, by its whole name");
    let entropy = seeded();
    let refused = unlink(&writer(&entropy, By::Api), &person, held, None, (None, "x".into()));
    assert_eq!(refused.map(|_| ()), Err(Refused::PrimaryStays));
}

#[test]
fn unlinking_lifts_nothing_and_takes_the_identitys_own_blocks_along() {
    let (mut person, _) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::None));
    let own = Block { kind: BlockKind::Source, origin: "i-ana7".into(), ..admin_block() };
    person.blocks = vec![admin_block(), own.clone()];
    person.user.blocked = true;
    let held = find(&person, "samlp", "acme|ana7").expect("linked");
    let entropy = seeded();
    let plan = unlink(&writer(&entropy, By::Api), &person, held, None, (None, "x".into())).expect("unlinked");
    let new = made(&plan).0;
    let theirs: Vec<BlockKind> = plan.blocks.iter().filter(|(id, _)| *id == new.id).map(|(_, block)| block.kind).collect();
    assert_eq!((new.blocked, theirs), (true, vec![BlockKind::Source, BlockKind::Admin]));
    assert_eq!(plan.lifts, [(person.user.id.clone(), BlockKind::Source, "i-ana7".to_owned())]);
    assert!(updated(&plan).0.blocked);
}

#[test]
fn an_undone_link_leaves_both_as_they_were() {
    let mut other = her_saml();
    other.blocks = vec![admin_block()];
    other.user.blocked = true;
    let plan = linked(&ana(), &other, MergeMetadata::SecondaryWins);
    let (person, kept) = stored(&ana(), &other, &plan);
    assert!(person.user.blocked);
    let entropy = seeded();
    let undone = undo(&writer(&entropy, By::Api), &person, &kept, std::slice::from_ref(&kept)).expect("undone");
    let (user, doc) = updated(&undone);
    assert_eq!(Some(doc), Profile::parse(&ana().user.doc), "what the primary took is gone");
    assert!(!user.blocked, "the block was the other one's");
    let back = undone.back.as_ref().expect("somebody is back");
    assert_eq!((back.linked.id.as_str(), back.whole), ("p-samlp|acme|ana7", Some(true)));
    assert_eq!(undone.unburied, ["samlp|acme|ana7"]);
    assert_eq!(undone.blocks, [(other.user.id.clone(), admin_block())]);
    assert_eq!((undone.moved[0].0.position, undone.moved[0].0.profile_id.clone()), (0, Some(other.user.id)));
}

#[test]
fn what_was_written_since_stays_when_a_link_is_undone() {
    let (mut person, kept) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::Fill));
    let later = seeded();
    // Ids are drawn: these are others than the link's.
    for _ in 0..50 {
        let _ = later.bytes::<8>();
    }
    let edit = edit(json!({"user_metadata": {"own": 2}}));
    let Ok(Decision::Write(since)) = update(&writer(&later, By::Api), &person, &edit, &Owned::default(), &[]) else {
        panic!("written")
    };
    person.user = User { version: person.user.version + 1, ..after(&since).0 };
    let entropy = seeded();
    let undone = undo(&writer(&entropy, By::Api), &person, &kept, &[]).expect("undone");
    assert_eq!(updated(&undone).1.value("user_metadata.own"), Some(&json!(2)));
}

#[test]
fn who_was_barred_since_the_link_stays_barred_on_both_sides_of_its_undoing() {
    let (mut person, kept) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::None));
    person.blocks = vec![Block { since: NOW + 1, ..admin_block() }];
    person.user.blocked = true;
    let entropy = seeded();
    let undone = undo(&writer(&entropy, By::Api), &person, &kept, &[]).expect("undone");
    assert!(updated(&undone).0.blocked && undone.lifts.is_empty());
    assert_eq!(undone.back.as_ref().map(|back| back.whole), Some(Some(true)));
}

#[test]
fn effect_7_deleting_the_primary_deletes_every_identity_with_it() {
    let (mut person, _) = stored(&ana(), &her_saml(), &linked(&ana(), &her_saml(), MergeMetadata::None));
    person.identities[1].identity.listed = true;
    let entropy = seeded();
    let plan = delete::delete(&writer(&entropy, By::Api), &person, false);
    assert_eq!(plan.leave_groups.len(), 2);
    assert_eq!(plan.counted, [(ConnectionId::new("con_acme"), -1)], "who is listed counts");
    assert_eq!((plan.outbox[0].kind, plan.log[0].kind, plan.buried.len()), ("user.deleted", "api.user.deleted", 1));
    let erased = delete::delete(&writer(&entropy, By::Api), &person, true);
    assert_eq!((erased.buried.len(), erased.erased.len(), erased.log[0].detail.clone()), (0, 3, None));
    assert!(erased.erased.iter().all(|subject| !subject.contains("ana")), "{:?}", erased.erased);
}
