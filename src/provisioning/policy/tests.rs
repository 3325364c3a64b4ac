//! The table of design §3 ("Who may write what") word by word, absence, and what lists do to each other.

use super::*;
use crate::provisioning::provenance::Source;
use serde_json::json;

fn rule(target: &'static str, absent: Absent) -> Rule {
    Rule { target: target.into(), line: 3, policy: None, absent, merge: Merge::Replace, required: false }
}

fn mapped(entries: &[(&'static str, Given)]) -> Mapped {
    Mapped {
        given: entries
            .iter()
            .map(|(target, given)| (rule(target, if *target == "email" { Absent::Keep } else { Absent::Clear }), given.clone()))
            .collect(),
        ..Mapped::default()
    }
}

fn stored(writer: &str) -> (Profile, Provenance) {
    let mut profile = Profile::default();
    profile.set("name", "Old".into());
    profile.set("email", "old@x".into());
    profile.set("app_metadata.title", "Boss".into());
    let mut provenance = Provenance::default();
    let source = Source {
        connection: "c".into(),
        connection_id: "c".into(),
        identity_id: writer.into(),
        mapping: "scim".into(),
        mapping_version: 1,
        event: "e".into(),
        history_id: "h".into(),
        actor: "a".into(),
        at: 0,
    };
    provenance.record(&source, [("name", 1), ("email", 2), ("app_metadata.title", 3)]);
    (profile, provenance)
}

fn run(
    mapped: &Mapped,
    stored: &(Profile, Provenance),
    option: SetUserRootAttributes,
    primary: bool,
    previous: Option<&Map<String, Value>>,
) -> (Vec<String>, Vec<String>) {
    let context =
        Context { side: Side::Push, option, primary, identity_id: "me", stored: Some((&stored.0, &stored.1)), previous };
    let changes = changes(mapped, &context);
    (
        changes.set.iter().map(|(rule, value)| format!("{}={value}", rule.target)).collect(),
        changes.clear.iter().map(|rule| rule.target.to_string()).collect(),
    )
}

#[test]
fn a_push_overwrites_under_on_each_login() {
    let mapped = mapped(&[("name", Given::Value("New".into()))]);
    let (set, _) = run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, true, None);
    assert_eq!(set, [r#"name="New""#]);
}

#[test]
fn on_change_leaves_a_manual_edit_until_the_source_changes_its_mind() {
    let option = SetUserRootAttributes::OnFirstLogin;
    let previous = json!({"name": "Source"});
    let same = mapped(&[("name", Given::Value("Source".into()))]);
    assert_eq!(run(&same, &stored("me"), option, true, previous.as_object()).0, Vec::<String>::new());
    let other = mapped(&[("name", Given::Value("Changed".into()))]);
    assert_eq!(run(&other, &stored("me"), option, true, previous.as_object()).0, [r#"name="Changed""#]);
}

#[test]
fn a_secondary_identity_writes_no_roots_but_its_metadata() {
    let mapped = mapped(&[("name", Given::Value("New".into())), ("app_metadata.title", Given::Value("Clerk".into()))]);
    let (set, _) = run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, false, None);
    assert_eq!(set, [r#"app_metadata.title="Clerk""#]);
}

#[test]
fn absence_clears_only_what_this_identity_wrote_and_never_the_address() {
    let mapped = mapped(&[("app_metadata.title", Given::Absent), ("email", Given::Absent)]);
    let option = SetUserRootAttributes::OnEachLogin;
    assert_eq!(run(&mapped, &stored("me"), option, true, None).1, ["app_metadata.title"]);
    assert_eq!(run(&mapped, &stored("someone else"), option, true, None).1, Vec::<String>::new());
}

/// What one rule does to `name`, of which the store has `stored` and this identity gave `previous` last time: `= value`,
/// `cleared` or `left`.
fn under(
    policy: Option<WritePolicy>,
    option: SetUserRootAttributes,
    stored_name: Option<&str>,
    previous: Option<&str>,
    now: &str,
) -> String {
    let mut kept = stored("me");
    kept.0.clear("name");
    if let Some(name) = stored_name {
        kept.0.set("name", name.into());
    }
    let rule = Rule { policy, ..rule("name", Absent::Clear) };
    let mapped = Mapped { given: vec![(rule, Given::Value(now.into()))], ..Mapped::default() };
    let previous = previous.map(|name| json!({"name": name}));
    let previous = previous.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    let (set, clear) = run(&mapped, &kept, option, true, Some(&previous));
    set.first().or(clear.first()).cloned().unwrap_or_else(|| "left".into())
}

#[test]
fn each_word_writes_when_it_says() {
    use SetUserRootAttributes::{NeverOnLogin, OnEachLogin, OnFirstLogin};
    use WritePolicy::{Always, Create, IfEmpty, OnChange};
    let wrote = r#"name="S2""#;
    // word, option        | stored       | gave before | gives now | then
    let table: &[(Option<WritePolicy>, SetUserRootAttributes, Option<&str>, Option<&str>, &str)] = &[
        (Some(Always), OnFirstLogin, Some("edited"), Some("S2"), wrote),
        (Some(Create), OnEachLogin, Some("S1"), Some("S1"), "left"),
        (Some(Create), OnEachLogin, None, Some("S1"), "left"),
        (Some(IfEmpty), OnEachLogin, Some("edited"), Some("S1"), "left"),
        (Some(IfEmpty), OnEachLogin, None, Some("S2"), wrote),
        (Some(OnChange), OnEachLogin, Some("edited"), Some("S2"), "left"),
        (Some(OnChange), OnEachLogin, Some("edited"), Some("S1"), wrote),
        (None, OnEachLogin, Some("edited"), Some("S2"), wrote),
        (None, OnFirstLogin, Some("edited"), Some("S2"), "left"),
        (None, OnFirstLogin, Some("edited"), Some("S1"), wrote),
        (None, NeverOnLogin, Some("edited"), Some("S2"), "left"),
        (None, NeverOnLogin, Some("edited"), Some("S1"), wrote),
    ];
    for (word, option, stored, previous, then) in table {
        assert_eq!(under(*word, *option, *stored, *previous, "S2"), *then, "{word:?} {option:?} {stored:?} {previous:?}");
    }
}

#[test]
fn what_is_stored_already_is_not_written_again() {
    assert_eq!(under(None, SetUserRootAttributes::OnEachLogin, Some("S2"), Some("S1"), "S2"), "left");
}

#[test]
fn keep_and_a_failure_leave_the_stored_value() {
    let mapped = mapped(&[("name", Given::Keep), ("app_metadata.title", Given::Error("too long".into()))]);
    let (set, clear) = run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, true, None);
    assert_eq!((set, clear), (Vec::new(), Vec::new()));
}

#[test]
fn required_or_reject_without_a_value_refuses_the_record_with_every_reason() {
    let required = Rule { required: true, ..rule("name", Absent::Keep) };
    let given = vec![
        (required.clone(), Given::Absent),
        (rule("email", Absent::Reject), Given::Absent),
        (Rule { target: "username".into(), ..required }, Given::Error("not text".into())),
    ];
    let kept = stored("me");
    let context = Context {
        side: Side::Push,
        option: SetUserRootAttributes::OnEachLogin,
        primary: true,
        identity_id: "me",
        stored: Some((&kept.0, &kept.1)),
        previous: None,
    };
    let rejected = changes(&Mapped { given, ..Mapped::default() }, &context).rejected;
    let reasons: Vec<_> = rejected.iter().map(|(rule, reason)| format!("{} {reason}", rule.target)).collect();
    assert_eq!(reasons, ["name has no value", "email has no value", "username not text"]);
}

/// A list of metadata under `merge`: stored, given before, given now.
fn list(merge: Merge, stored_list: &[&str], before: &[&str], now: Option<&[&str]>) -> String {
    let mut kept = stored("me");
    kept.0.set("app_metadata.title", json!(stored_list));
    let rule = Rule { merge, ..rule("app_metadata.title", Absent::Clear) };
    let given = now.map_or(Given::Absent, |now| Given::Value(json!(now)));
    let previous = json!({"app_metadata.title": before});
    let mapped = Mapped { given: vec![(rule, given)], ..Mapped::default() };
    let (set, clear) = run(&mapped, &kept, SetUserRootAttributes::OnEachLogin, true, previous.as_object());
    set.first()
        .map(|text| text.replace("app_metadata.title=", ""))
        .or(clear.first().map(|_| "cleared".into()))
        .unwrap_or_else(|| "left".into())
}

#[test]
fn owned_exchanges_this_sources_values_and_leaves_the_others() {
    assert_eq!(list(Merge::Owned, &["theirs", "a", "b"], &["a", "b"], Some(&["b", "c"])), r#"["theirs","b","c"]"#);
    assert_eq!(list(Merge::Owned, &["theirs", "a"], &["a"], None), r#"["theirs"]"#);
    assert_eq!(list(Merge::Owned, &["a"], &["a"], None), "cleared");
    assert_eq!(list(Merge::Owned, &["theirs", "a"], &["a"], Some(&["a"])), "left");
}

#[test]
fn union_adds_and_never_removes() {
    assert_eq!(list(Merge::Union, &["a", "b"], &["a", "b"], Some(&["c"])), r#"["a","b","c"]"#);
    assert_eq!(list(Merge::Union, &["a"], &["a"], None), "left");
}

#[test]
fn replace_takes_the_list_as_it_comes() {
    assert_eq!(list(Merge::Replace, &["theirs", "a"], &["a"], Some(&["c"])), r#"["c"]"#);
}

#[test]
fn what_is_no_value_of_the_document_is_not_written_into_it() {
    let mapped = mapped(&[
        ("user_id", Given::Value("u".into())),
        ("groups", Given::Value(json!(["g"]))),
        ("session.note", Given::Value("n".into())),
    ]);
    assert_eq!(run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, true, None).0, Vec::<String>::new());
}

/// Design §3, "Who may write what", a row each: what a rule without a word of its own does at a login and at a push.
#[test]
fn the_option_decides_where_no_rule_has_a_word_of_its_own() {
    use SetUserRootAttributes::{NeverOnLogin, OnEachLogin, OnFirstLogin};
    for (option, login, push) in [
        (OnEachLogin, Some(WritePolicy::Always), WritePolicy::Always),
        (OnFirstLogin, Some(WritePolicy::Create), WritePolicy::OnChange),
        (NeverOnLogin, None, WritePolicy::OnChange),
    ] {
        let plain = rule("name", Absent::Clear);
        assert_eq!(effective(&plain, Side::Login, option), login, "{option:?}");
        assert_eq!(effective(&plain, Side::Push, option), Some(push), "{option:?}");
        for word in [WritePolicy::Always, WritePolicy::Create, WritePolicy::IfEmpty, WritePolicy::OnChange] {
            let own = Rule { policy: Some(word), ..rule("name", Absent::Clear) };
            assert_eq!(effective(&own, Side::Login, option), Some(word), "its own word beats {option:?}");
            assert_eq!(effective(&own, Side::Push, option), Some(word), "its own word beats {option:?}");
        }
    }
}

#[test]
fn never_on_login_writes_nothing_even_where_the_login_makes_the_profile() {
    let mapped = mapped(&[("name", Given::Value("New".into()))]);
    for (option, written) in [(SetUserRootAttributes::NeverOnLogin, 0), (SetUserRootAttributes::OnFirstLogin, 1)] {
        let context = Context { side: Side::Login, option, primary: true, identity_id: "me", stored: None, previous: None };
        assert_eq!(changes(&mapped, &context).set.len(), written, "{option:?}");
    }
}
