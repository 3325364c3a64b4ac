//! Whatever a source pushes in whatever order.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Post(SourceRecord),
    Put(SourceRecord),
    Delete,
    AdministratorBlocks,
}

fn value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        2 => Just(None),
        6 => prop::sample::select(vec!["a", "b", "Ä", "a longer value"]).prop_map(|text| Some(text.into())),
    ]
}

fn pushed() -> impl Strategy<Value = SourceRecord> {
    (value(), value(), value(), value(), any::<bool>(), prop::option::weighted(0.1, Just("no licence")), 0..3_u8).prop_map(
        |(name, email, title, unmapped, active, deny, user_name)| {
            let mut said = Map::new();
            let members = [("name", name), ("email", email), ("app_metadata.title", title), ("unmapped", unmapped)];
            said.extend(members.into_iter().filter_map(|(target, value)| Some((target.to_owned(), value?))));
            said.extend(deny.map(|reason| ("deny".to_owned(), reason.into())));
            record(Some("e1"), &format!("anna{user_name}"), active, Value::Object(said))
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => pushed().prop_map(Step::Post),
        6 => pushed().prop_map(Step::Put),
        1 => Just(Step::Delete),
        1 => Just(Step::AdministratorBlocks),
    ];
    prop::collection::vec(step, 1..12)
}

/// What the last record alone would have made, except for an address it left out.
fn expected(last: &SourceRecord, email: Option<&Value>) -> Profile {
    let mut profile = Profile::default();
    for target in ["name", "app_metadata.title"] {
        if let Some(value) = last.payload.get(target) {
            profile.set(target, value.clone());
        }
    }
    if let Some(email) = email {
        profile.set("email", email.clone());
    }
    profile
}

/// Runs a step if the state allows it; true if a record was taken.
fn take(world: &mut World, step: &Step) -> bool {
    let listed = world.known.as_ref().is_some_and(|known| known.identity.listed);
    match step {
        Step::Post(record) => !matches!(world.post(record), Decision::Refused(_)),
        Step::Put(record) if listed => !matches!(world.put(record), Decision::Refused(_)),
        Step::Delete if listed => {
            plan(world.delete(true));
            false
        }
        Step::AdministratorBlocks
            if world.known.as_ref().is_some_and(|known| known.blocks.iter().all(|b| b.kind != BlockKind::Admin)) =>
        {
            world.block_by_administrator();
            false
        }
        _ => false,
    }
}

proptest! {
    /// Under `always` history leaves no trace in the profile: it is what the last record maps to. Blocks are those of
    /// the last record and the administrator's.
    #[test]
    fn the_profile_is_what_the_last_record_maps_to(steps in steps()) {
        let mut world = World::new();
        world.mapping = Said::with(vec![
            rule("name"), Rule { absent: Absent::Keep, ..rule("email") }, rule("app_metadata.title"), rule("blocked"),
        ]);
        let (mut last, mut email, mut by_administrator) = (None, None, false);
        for step in &steps {
            world.now += 1_000;
            if take(&mut world, step) && let Step::Post(record) | Step::Put(record) = step {
                last = Some(record);
                email = record.payload.get("email").or(email);
            }
            let Some(last) = last else { continue };
            by_administrator |= matches!(step, Step::AdministratorBlocks);
            let known = world.known();
            let profile = Profile::parse(&world.user().doc).expect("a document");
            prop_assert_eq!(&profile, &expected(last, email));
            let deleted = !known.identity.listed;
            let of = |kind| known.blocks.iter().filter(|block| block.kind == kind).count();
            prop_assert_eq!(of(BlockKind::Source) == 1, deleted || last.active == Some(false));
            prop_assert_eq!(of(BlockKind::Policy) == 1, last.payload.contains_key("deny"));
            prop_assert_eq!(of(BlockKind::Admin) == 1, by_administrator);
            prop_assert_eq!(world.user().blocked, !known.blocks.is_empty());
            prop_assert_eq!(&known.identity.user_name, &last.user_name);
        }
    }

    /// The same pushes make the same rows.
    #[test]
    fn the_same_steps_make_the_same_state(steps in steps()) {
        let run = || {
            let mut world = World::new();
            for step in &steps {
                take(&mut world, step);
            }
            world.known.map(|known| (known.identity, known.user, known.blocks, known.values))
        };
        prop_assert_eq!(run(), run());
    }

    /// Pushing what is there already moves no row.
    #[test]
    fn a_push_is_idempotent(first in pushed(), second in pushed()) {
        let mut world = World::new();
        plan(world.post(&first));
        world.put(&second);
        prop_assert_eq!(world.put(&second), Decision::Nothing);
    }
}
