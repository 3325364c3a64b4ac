//! Logins: who gets in, what of it is written, what a block, a gate and a departure do (`profile.md` §11, first rows).

use super::*;
use crate::model::connection::SetUserRootAttributes::{self, NeverOnLogin, OnEachLogin, OnFirstLogin};
use crate::profile::verified::{LoginRecord, Verified, Verify};
use crate::provisioning::decide::login::{self, Denial};
use std::convert::Infallible;

struct Passed(LoginRecord);

impl Verify for Passed {
    type Record = LoginRecord;
    type Failure = Infallible;

    async fn verify(self) -> Result<LoginRecord, Infallible> {
        Ok(self.0)
    }
}

async fn verified(said: Value) -> Verified<LoginRecord> {
    let Value::Object(payload) = said else { panic!("an object") };
    let Ok(verified) = Verified::by(Passed(LoginRecord::new("e1", payload).expect("a record"))).await;
    verified
}

impl World {
    fn of_login() -> Self {
        let mut world = Self::new();
        world.connection.kind = ConnectionKind::Oidc;
        world.connection.options = Options::defaults(ConnectionKind::Oidc);
        world
    }

    /// A login as the shell runs it, under what the option came to. A plan is taken in.
    async fn log_in(&mut self, option: SetUserRootAttributes, said: Value) -> Result<UserPlan, Denial> {
        self.log_in_as(option, said, Newcomer { user_id: "oidc|acme|e1".into(), ..Newcomer::default() }).await
    }

    async fn log_in_as(&mut self, option: SetUserRootAttributes, said: Value, newcomer: Newcomer) -> Result<UserPlan, Denial> {
        let record = verified(said).await;
        let desk = Desk { side: Side::Login, root_attributes: option, ..self.desk() };
        let plan = match self.known.clone() {
            Some(known) => login::known(&desk, known, &record)?,
            None => login::first(&desk, &record, &login::map(&desk, &record), IdentityId::new(desk.moment.id()), newcomer)?,
        };
        let Decision::Write(plan) = self.take(Decision::Write(Box::new(plan))) else { panic!("a plan is taken in") };
        Ok(*plan)
    }
}

#[tokio::test]
async fn the_option_decides_what_the_first_and_the_next_login_write() {
    for (option, first, next) in [
        (OnEachLogin, json!("Anna"), json!("Anne")),
        (OnFirstLogin, json!("Anna"), json!("Anna")),
        (NeverOnLogin, Value::Null, Value::Null),
    ] {
        let mut world = World::of_login();
        let plan = world.log_in(option, json!({"name": "Anna", "nickname": "Ann"})).await.expect("gets in");
        assert_eq!((kinds(&plan), announced(&plan)), (vec!["login"], vec!["user.created"]));
        assert_eq!(world.value("name"), first, "{option:?}");
        assert_eq!(world.value("nickname"), "Ann", "with create, under any option");
        let plan = world.log_in(option, json!({"name": "Anne", "nickname": "Annie"})).await.expect("gets in");
        assert_eq!(world.value("name"), next, "{option:?}");
        assert_eq!(world.value("nickname"), "Ann");
        assert_eq!(plan.history.is_some(), option == OnEachLogin, "only what changed is told");
    }
}

#[tokio::test]
async fn a_login_tells_of_each_attribute_which_line_set_it_or_why_it_was_left() {
    fn fate(plan: &UserPlan, name: &str) -> String {
        let trace = plan.trace.as_ref().expect("a login has one").to_json();
        let one = trace["attributes"].as_array().and_then(|all| all.iter().find(|one| one["attribute"] == name)).cloned();
        let one = one.unwrap_or_default();
        assert!(one["line"].as_u64().is_some(), "{trace}");
        [&one["outcome"], &one["because"]].into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    }
    for (option, first, next) in [
        (OnEachLogin, "set", "set"),
        (OnFirstLogin, "set", "kept create"),
        (NeverOnLogin, "kept set_user_root_attributes", "kept set_user_root_attributes"),
    ] {
        let mut world = World::of_login();
        let plan = world.log_in(option, json!({"name": "Anna", "nickname": "Ann"})).await.expect("gets in");
        assert_eq!((fate(&plan, "name").as_str(), fate(&plan, "nickname").as_str()), (first, "set"), "{option:?}");
        assert!(plan.trace.expect("a trace").line().starts_with("somebody new: "));
        let plan = world.log_in(option, json!({"name": "Anne", "nickname": "Ann"})).await.expect("gets in");
        assert_eq!((fate(&plan, "name").as_str(), fate(&plan, "nickname").as_str()), (next, "same"), "{option:?}");
        let plan = world.log_in(option, json!({"name": "Anne", "nickname": "Ann"})).await.expect("gets in");
        assert_eq!(plan.trace.expect("a trace").line(), "somebody known: said what was said the last time");
    }
    let mut pushed = World::of_login();
    pushed.post(&anna(true));
    assert!(pushed.log_in(OnEachLogin, json!({"name": "Anne"})).await.expect("gets in").trace.is_some());
}

#[tokio::test]
async fn an_unchanged_record_moves_no_version_and_a_new_version_of_the_mapping_does() {
    let mut world = World::of_login();
    world.log_in(OnEachLogin, json!({"name": "Anna"})).await.expect("gets in");
    let before = world.known();
    let plan = world.log_in(OnEachLogin, json!({"name": "Anna"})).await.expect("gets in");
    assert!(matches!(plan.identity, IdentityWrite::Seen(_)));
    assert_eq!((plan.history, plan.outbox, plan.login), (None, vec![], Some(NOW)));
    assert_eq!((world.known().identity, world.known().user), (before.identity, before.user));
    world.mapping.version = 2;
    let plan = world.log_in(OnEachLogin, json!({"name": "Anna"})).await.expect("gets in");
    assert!(matches!(plan.identity, IdentityWrite::Login { .. }));
}

#[tokio::test]
async fn no_block_and_no_departure_is_passed_or_lifted() {
    let mut pushed = World::of_login();
    pushed.post(&anna(true));
    pushed.log_in(NeverOnLogin, json!({"name": "Anna"})).await.expect("active");

    let mut inactive = World::of_login();
    inactive.post(&anna(false));
    let denial = inactive.log_in(OnEachLogin, json!({"name": "Anna", "blocked": false})).await.expect_err("inactive");
    assert_eq!(denial, Denial::Blocked { kinds: vec![BlockKind::Source] });
    assert_eq!(inactive.blocks().len(), 1);

    pushed.block_by_administrator();
    let denial = pushed.log_in(OnEachLogin, json!({"name": "Anna"})).await.expect_err("blocked");
    assert_eq!(denial, Denial::Blocked { kinds: vec![BlockKind::Admin] });

    let mut gone = World::of_login();
    gone.post(&anna(true));
    gone.delete(false);
    assert_eq!(gone.log_in(OnEachLogin, json!({"name": "Anna"})).await, Err(Denial::Deprovisioned));
}

#[tokio::test]
async fn gates_and_a_mapped_block_refuse_newcomers_and_known_people_alike() {
    let cases = [
        (json!({"skip": "robot"}), Denial::Skipped { reason: "robot".into() }),
        (json!({"deny": "waits"}), Denial::Denied { reason: "waits".into() }),
        (json!({"blocked": true}), Denial::BlockedAtSource),
    ];
    for (said, denial) in cases {
        let mut world = World::of_login();
        assert_eq!(world.log_in(OnEachLogin, said.clone()).await, Err(denial.clone()));
        assert!(world.known.is_none(), "nobody is made");
        world.log_in(OnEachLogin, json!({"name": "Anna"})).await.expect("gets in");
        assert_eq!(world.log_in(OnEachLogin, said).await, Err(denial));
        assert_eq!((world.value("name"), world.blocks()), (json!("Anna"), vec![]), "the next login is asked anew");
    }
}

#[tokio::test]
async fn an_unknown_person_is_made_only_where_the_connection_says_so() {
    let mut world = World::of_login();
    world.connection.options.create_on_login = false;
    assert_eq!(world.log_in(OnEachLogin, json!({"name": "Anna"})).await, Err(Denial::NoJit));
}

#[tokio::test]
async fn an_address_known_elsewhere_is_a_suggestion_only_if_the_source_verified_it() {
    let elsewhere = || Newcomer {
        user_id: "oidc|acme|e1".into(),
        by_email: Some((ProfileId::new("p-9"), "scim|hr|9".into())),
        ..Newcomer::default()
    };
    for (verified, suggestions) in [(true, 1), (false, 0)] {
        let mut world = World::of_login();
        world.mapping = Said::with(vec![rule("email"), rule("email_verified")]);
        let said = json!({"email": "a@x", "email_verified": verified});
        let plan = world.log_in_as(OnEachLogin, said, elsewhere()).await.expect("gets in");
        assert_eq!((plan.inbox.len(), world.user().email_trusted), (suggestions, verified));
        assert_eq!(announced(&plan), ["user.created"], "a person of their own either way");
    }
}
