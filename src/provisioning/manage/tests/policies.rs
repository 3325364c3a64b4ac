//! profile.md §4 and design §3: which PATCH is refused, row by row; §9: what an administrator's block is.

use super::*;
use crate::mapping::{Absent, Input, Mapped, Mapping, Merge, Reads, Rule, WritePolicy};
use crate::model::connection::SetUserRootAttributes;
use crate::profile::Side;
use SetUserRootAttributes::{NeverOnLogin, OnEachLogin, OnFirstLogin};

const FIVE: [&str; 5] = ["name", "given_name", "family_name", "nickname", "picture"];

struct Written(Option<Vec<Rule>>);

impl Written {
    fn all(policy: Option<WritePolicy>) -> Self {
        let rule = |target: &str| Rule {
            target: target.into(),
            line: 7,
            policy,
            absent: Absent::Keep,
            merge: Merge::Replace,
            required: false,
        };
        Self(Some(FIVE.iter().copied().chain(["email", "app_metadata.title"]).map(rule).collect()))
    }
}

impl Mapping for Written {
    fn name(&self) -> &'static str {
        "said"
    }
    fn version(&self) -> i64 {
        1
    }
    fn text(&self) -> String {
        String::new()
    }
    fn reads(&self) -> Reads {
        Reads::default()
    }
    fn rules(&self) -> Option<&[Rule]> {
        self.0.as_deref()
    }
    fn map(&self, _input: &Input<'_>) -> Mapped {
        Mapped::default()
    }
}

fn owned(mapping: &Written, side: Side, option: SetUserRootAttributes, given: Option<&str>) -> Owned {
    let mut owned = Owned::default();
    owned.add(mapping, side, option, given);
    owned
}

fn value_of(name: &str) -> Value {
    if name == "picture" { "https://x.example/p.png".into() } else { "Ana".into() }
}

fn of_saml() -> Person {
    person("samlp|acme|ana", &json!({"name": "Old"}), &[("acme", ConnectionKind::Samlp)])
}

/// Are all five refused, or none?
fn five_are_refused(person: &Person, owned: &Owned) -> bool {
    let refused = FIVE.map(|name| {
        let edit = edit(json!({ name: value_of(name) }));
        let entropy = seeded();
        update(&writer(&entropy, By::Api), person, &edit, owned, &[]).is_err()
    });
    assert!(refused.iter().all(|one| *one == refused[0]), "{refused:?}");
    refused[0]
}

#[test]
fn row_database_all_five_may_be_written() {
    assert!(!five_are_refused(&of_database(&json!({})), &Owned::default()));
}

#[test]
fn row_on_each_login_all_five_are_refused_for_what_overwrites_them() {
    for side in [Side::Login, Side::Push, Side::Sync] {
        let owned = owned(&Written::all(None), side, OnEachLogin, None);
        assert!(five_are_refused(&of_saml(), &owned));
        let refused = refusal(&of_saml(), &edit(json!({"name": "Ana"})), &owned);
        let policy = "set_user_root_attributes=on_each_login".to_owned();
        assert_eq!(refused, Refused::Owned { attribute: "name", connection: "acme".into(), policy });
    }
}

#[test]
fn row_on_first_login_all_five_may_be_written() {
    assert!(!five_are_refused(&of_saml(), &owned(&Written::all(None), Side::Login, OnFirstLogin, None)));
    assert!(!five_are_refused(&of_saml(), &owned(&Written::all(None), Side::Push, OnFirstLogin, None)));
}

#[test]
fn row_never_on_login_all_five_may_be_written_whoever_pushes() {
    assert!(!five_are_refused(&of_saml(), &owned(&Written::all(None), Side::Login, NeverOnLogin, None)));
    assert!(!five_are_refused(&of_saml(), &owned(&Written::all(None), Side::Push, NeverOnLogin, None)));
}

#[test]
fn a_rules_own_word_beats_the_option_both_ways() {
    let never = owned(&Written::all(Some(WritePolicy::Always)), Side::Push, NeverOnLogin, None);
    assert!(five_are_refused(&of_saml(), &never));
    let Refused::Owned { policy, .. } = refusal(&of_saml(), &edit(json!({"name": "Ana"})), &never) else { panic!("owned") };
    assert_eq!(policy, "mapping said line 7: always");
    for word in [WritePolicy::Create, WritePolicy::IfEmpty, WritePolicy::OnChange] {
        assert!(!five_are_refused(&of_saml(), &owned(&Written::all(Some(word)), Side::Login, OnEachLogin, None)));
    }
}

#[test]
fn what_no_rule_writes_may_be_written_under_every_option() {
    let without = owned(&Written(Some(Vec::new())), Side::Login, OnEachLogin, None);
    assert!(!five_are_refused(&of_saml(), &without));
}

#[test]
fn a_script_owns_what_it_gave_last_time() {
    let given = json!({"name": "Old", "nickname": "old", "app_metadata.x": 1}).to_string();
    let owned = owned(&Written(None), Side::Login, OnEachLogin, Some(&given));
    assert!(matches!(refusal(&of_saml(), &edit(json!({"name": "A"})), &owned), Refused::Owned { attribute: "name", .. }));
    assert_eq!(after(&changed_by(&of_saml(), &edit(json!({"given_name": "A"})), &owned)).1.text("given_name"), Some("A"));
}

#[test]
fn metadata_and_blocks_are_an_administrators_under_every_policy() {
    let owned = owned(&Written::all(None), Side::Login, OnEachLogin, None);
    let all = edit(json!({"app_metadata": {"title": "CTO"}, "user_metadata": {"lang": "de"}, "blocked": true}));
    let plan = changed_by(&of_saml(), &all, &owned);
    let (user, doc) = after(&plan);
    assert_eq!((user.blocked, doc.text("app_metadata.title"), doc.text("user_metadata.lang")), (true, Some("CTO"), Some("de")));
}

#[test]
fn address_name_number_and_password_are_a_database_connections_alone() {
    for (name, value) in [
        ("email", json!("a@x.example")),
        ("username", json!("ana")),
        ("phone_number", json!("+1")),
        ("password", json!("geheim")),
    ] {
        for kind in [ConnectionKind::Samlp, ConnectionKind::Scim, ConnectionKind::Ldap, ConnectionKind::Github] {
            let somebody = person("x|acme|ana", &json!({}), &[("acme", kind)]);
            let refused = refusal(&somebody, &edit(json!({ name: value.clone() })), &Owned::default());
            let Refused::OfDatabase { attribute, connection, .. } = refused else { panic!("{refused:?}") };
            assert_eq!((attribute, connection.as_str()), (name, "acme"));
        }
    }
}

#[test]
fn a_verified_flag_is_a_customers_to_say_and_not_a_social_providers() {
    let at = |kind| person("x|acme|ana", &json!({"email": "a@x.example"}), &[("acme", kind)]);
    let verified = edit(json!({"email_verified": true}));
    assert!(matches!(refusal(&at(ConnectionKind::Samlp), &verified, &Owned::default()), Refused::OfDatabase { .. }));
    let plan = changed_by(&at(ConnectionKind::Github), &verified, &Owned::default());
    assert!(after(&plan).0.email_trusted);
}

#[test]
fn a_refusal_comes_before_anything_is_changed() {
    let owned = owned(&Written::all(None), Side::Login, OnEachLogin, None);
    let both = edit(json!({"user_metadata": {"a": 1}, "blocked": true, "name": "Ana"}));
    assert!(matches!(refusal(&of_saml(), &both, &owned), Refused::Owned { attribute: "name", .. }));
}

#[test]
fn another_address_is_not_verified_because_the_former_was() {
    let ana = of_database(&json!({"email": "a@x.example", "email_verified": true}));
    let plan = changed(&ana, json!({"email": "B@X.example"}));
    let (user, doc) = after(&plan);
    assert_eq!(
        (doc.text("email"), doc.value("email_verified"), user.email_trusted),
        (Some("b@x.example"), Some(&json!(false)), false)
    );
    assert_eq!(plan.handles.gone, [("email".to_owned(), "a@x.example".to_owned())]);
    assert_eq!(plan.handles.new, [("email".to_owned(), "b@x.example".to_owned())]);
    let vouched = changed(&ana, json!({"email": "b@x.example", "email_verified": true}));
    assert!(after(&vouched).0.email_trusted);
}

#[test]
fn a_secondary_identity_is_meant_by_its_connection_and_changes_no_root() {
    let doc = json!({"email": "a@x.example", "name": "Ana"});
    let two = person("samlp|acme|ana", &doc, &[("acme", ConnectionKind::Samlp), ("db", ConnectionKind::Database)]);
    assert!(matches!(refusal(&two, &edit(json!({"email": "b@x.example"})), &Owned::default()), Refused::OfDatabase { .. }));
    let plan = changed(&two, json!({"email": "b@x.example", "connection": "db"}));
    let (_, after) = after(&plan);
    assert_eq!(after.text("email"), Some("a@x.example"), "the profile's is the primary identity's");
    let mapped: Value = serde_json::from_str(plan.identity.identity().mapped.as_deref().expect("mapped")).expect("JSON");
    assert_eq!(mapped["email"], "b@x.example");
    let elsewhere = edit(json!({"email": "b@x.example", "connection": "nowhere"}));
    assert_eq!(refusal(&two, &elsewhere, &Owned::default()), Refused::NoIdentity { connection: "nowhere".into() });
}

#[test]
fn a_handle_of_somebody_else_on_the_connection_is_theirs() {
    let entropy = seeded();
    let ana = of_database(&json!({"email": "a@x.example"}));
    let edit = edit(json!({"email": "b@x.example"}));
    assert_eq!(update::gained(&ana.identities[0], &edit), [("email".to_owned(), "b@x.example".to_owned())]);
    let taken = ["email".to_owned()];
    let refused = update(&writer(&entropy, By::Api), &ana, &edit, &Owned::default(), &taken).expect_err("taken");
    assert_eq!(refused, Refused::Exists { attribute: "email" });
}

#[test]
fn null_removes_a_value_and_nothing_is_written_where_all_is_so() {
    let ana = of_database(&json!({"name": "Ana", "nickname": "an"}));
    assert_eq!(after(&changed(&ana, json!({"nickname": null}))).1.value("nickname"), None);
    let entropy = seeded();
    let same = edit(json!({"name": "Ana", "blocked": false}));
    assert!(matches!(update(&writer(&entropy, By::Api), &ana, &same, &Owned::default(), &[]), Ok(Decision::Nothing)));
}

#[test]
fn an_administrator_sets_and_lifts_their_own_block_and_no_other() {
    let mut ana = of_database(&json!({}));
    let plan = changed(&ana, json!({"blocked": true}));
    assert_eq!((plan.blocks.len(), plan.blocks[0].kind, plan.blocks[0].expires_at), (1, BlockKind::Admin, None));
    let source = Block { kind: BlockKind::Source, origin: "i-ana".into(), ..admin_block() };
    let failures = Block { kind: BlockKind::BruteForce, origin: "i-ana".into(), ..admin_block() };
    ana.blocks = vec![admin_block(), source, failures];
    ana.user.blocked = true;
    let plan = changed(&ana, json!({"blocked": false}));
    assert_eq!(plan.lifts, [(BlockKind::Admin, String::new())]);
    assert!(after(&plan).0.blocked, "what others barred stays");
    assert_eq!(history(&plan)["blocked"]["lifted"][0]["kind"], "admin");
    ana.blocks.truncate(1);
    assert!(!after(&changed(&ana, json!({"blocked": false}))).0.blocked);
}
