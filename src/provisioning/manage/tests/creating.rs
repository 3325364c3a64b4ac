//! Somebody new at a database connection (profile.md §7), and what a change does to metadata (§6).

use super::create::{Claims, create, newcomer};
use super::*;

fn made(value: Value, claims: &Claims) -> Result<UserPlan, Refused> {
    made_at(&connection("db", ConnectionKind::Database), value, claims)
}

fn made_at(connection: &Connection, value: Value, claims: &Claims) -> Result<UserPlan, Refused> {
    let (entropy, new) = (seeded(), said(Form::Create, value));
    let writer = writer(&entropy, By::Api);
    let newcomer = newcomer(&writer, connection, &new);
    create(&writer, connection, &new, newcomer, claims)
}

fn ana() -> Value {
    json!({"connection": "db", "email": "Ana@X.example", "user_id": "ana"})
}

#[test]
fn an_address_is_kept_in_lower_case_and_never_verified_by_silence() {
    let plan = made(ana(), &Claims::default()).expect("made");
    let (user, doc) = after(&plan);
    assert_eq!((user.user_id.as_str(), doc.text("email")), ("auth0|ana", Some("ana@x.example")));
    assert_eq!((doc.value("email_verified"), user.email_trusted), (Some(&json!(false)), false));
    assert_eq!(plan.handles.new, [("email".to_owned(), "ana@x.example".to_owned())]);
    assert_eq!((plan.log[0].kind, plan.outbox[0].kind), ("api.user.created", "user.created"));
    assert_eq!(history(&plan), json!({"created": ["email", "email_verified"]}));
}

#[test]
fn an_id_may_be_sent_with_its_first_part_and_else_is_drawn() {
    let with_prefix = json!({"connection": "db", "email": "a@x.example", "user_id": "auth0|ana"});
    assert_eq!(after(&made(with_prefix, &Claims::default()).expect("made")).0.user_id, "auth0|ana");
    let drawn = after(&made(json!({"connection": "db", "email": "a@x.example"}), &Claims::default()).expect("made")).0.user_id;
    let own = drawn.strip_prefix("auth0|").expect("of a database");
    assert!(own.len() == 24 && own.bytes().all(|byte| byte.is_ascii_hexdigit()), "{drawn}");
}

#[test]
fn elsewhere_people_come_from_the_source() {
    for kind in [ConnectionKind::Scim, ConnectionKind::Ldap, ConnectionKind::Samlp, ConnectionKind::Github] {
        let refused = made_at(&connection("acme", kind), ana(), &Claims::default()).expect_err("refused");
        assert_eq!(refused, Refused::NoDatabase { connection: "acme".into(), strategy: kind.strategy() });
    }
}

#[test]
fn who_is_known_by_any_of_it_on_the_connection_exists_already() {
    let borne = || vec!["auth0|ana".to_owned()];
    for (claims, attribute) in [
        (Claims { is_known: true, ..Claims::default() }, "user_id"),
        (Claims { user_ids_borne: borne(), user_ids_taken: borne(), ..Claims::default() }, "user_id"),
        (Claims { handles: vec!["email".into()], ..Claims::default() }, "email"),
        (Claims { handles: vec!["username".into()], ..Claims::default() }, "username"),
        (Claims { handles: vec!["phone_number".into()], ..Claims::default() }, "phone_number"),
    ] {
        assert_eq!(made(ana(), &claims).expect_err("refused"), Refused::Exists { attribute });
    }
}

#[test]
fn the_id_of_somebody_who_was_deleted_is_never_borne_again_and_of_the_erased_not_even_asked_for() {
    let buried = Claims { user_ids_taken: vec!["auth0|ana".into()], ..Claims::default() };
    assert_eq!(after(&made(ana(), &buried).expect("made")).0.user_id, "auth0|ana~2");
    let erased = Claims { erased: true, ..Claims::default() };
    assert_eq!(made(ana(), &erased).expect_err("refused"), Refused::Erased);
}

#[test]
fn the_same_address_in_another_connection_is_another_person_and_a_suggestion() {
    let claims = Claims { by_email: Some((ProfileId::new("p"), "scim|acme|1".into())), ..Claims::default() };
    let plan = made(ana(), &claims).expect("made");
    assert_eq!((plan.inbox.len(), plan.inbox[0].kind, plan.inbox[0].subject.as_str()), (1, "link_suggestion", "ana"));
    assert_eq!(plan.log[1].kind, "conflict.opened");
}

#[test]
fn somebody_may_be_blocked_from_the_beginning() {
    let mut body = ana();
    body["blocked"] = true.into();
    let plan = made(body, &Claims::default()).expect("made");
    assert_eq!((after(&plan).0.blocked, plan.blocks[0].kind, plan.blocks[0].origin.as_str()), (true, BlockKind::Admin, ""));
}

#[test]
fn a_profile_has_a_size_and_is_never_cut() {
    let mut body = ana();
    body["user_metadata"] = json!({"a": "x".repeat(65_536)});
    assert_eq!(made(body, &Claims::default()).expect_err("refused"), Refused::TooLarge { bytes_max: 65_536 });
    let big = json!({"user_metadata": {"a": "x".repeat(65_536)}});
    assert_eq!(refusal(&of_database(&json!({})), &edit(big), &Owned::default()), Refused::TooLarge { bytes_max: 65_536 });
}

#[test]
fn metadata_merges_at_the_first_level_and_deeper_objects_are_replaced() {
    let ana = of_database(&json!({"user_metadata": {"a": {"x": 1, "y": 2}, "b": 1, "c": 1}}));
    let plan = changed(&ana, json!({"user_metadata": {"a": {"x": 9}, "b": null}}));
    assert_eq!(after(&plan).1.value("user_metadata"), Some(&json!({"a": {"x": 9}, "c": 1})));
    let told = history(&plan);
    assert_eq!(told["user_metadata.a"]["before"], json!({"x": 1, "y": 2}));
    assert_eq!((&told["user_metadata.b"]["before"], told.get("user_metadata.c")), (&json!(1), None));
}

#[test]
fn an_empty_object_clears_all_of_it_and_the_history_shows_what() {
    for empty in [json!({}), Value::Null] {
        let ana = of_database(&json!({"user_metadata": {"a": 1}, "app_metadata": {"plan": "gold"}}));
        let plan = changed(&ana, json!({ "user_metadata": empty }));
        let (_, doc) = after(&plan);
        assert_eq!((doc.value("user_metadata"), doc.value("app_metadata")), (None, Some(&json!({"plan": "gold"}))));
        assert_eq!(history(&plan)["user_metadata.a"]["before"], json!(1));
    }
}

#[test]
fn a_merge_patch_goes_down_to_every_level() {
    let ana = of_database(&json!({"user_metadata": {"a": {"x": 1, "y": {"z": 1, "w": 2}}, "b": [1]}}));
    let patch = said(Form::Update { deep: true }, json!({"user_metadata": {"a": {"y": {"z": null, "v": 3}}, "b": {"c": null}}}));
    let plan = changed_by(&ana, &patch, &Owned::default());
    assert_eq!(after(&plan).1.value("user_metadata"), Some(&json!({"a": {"x": 1, "y": {"w": 2, "v": 3}}, "b": {}})));
    let nothing = said(Form::Update { deep: true }, json!({"user_metadata": {}}));
    let entropy = seeded();
    assert!(matches!(update(&writer(&entropy, By::Api), &ana, &nothing, &Owned::default(), &[]), Ok(Decision::Nothing)));
}

#[test]
fn what_is_written_here_is_no_sources_and_so_no_source_takes_it_away() {
    let plan = changed(&of_database(&json!({})), json!({"app_metadata": {"plan": "gold"}, "name": "Ana"}));
    let provenance = Provenance::parse(&after(&plan).0.provenance).expect("readable");
    for path in ["app_metadata.plan", "name"] {
        let (source, line) = provenance.of(path).expect("known");
        assert_eq!(
            (source.event.as_str(), source.actor.as_str(), source.identity_id.as_str(), line),
            ("api.user.updated", "token:t", "", 0)
        );
    }
}
