//! An authentic assertion that is not the answer that was expected.

use jiff::SignedDuration;

use crate::mint::*;
use rosterd_saml::rule::Rule;

fn later(seconds: i64) -> Gateway {
    let now = now().saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    let mut pending = pending();
    pending.expires_at = now.saturating_add(SignedDuration::from_secs(1)).unwrap();
    Gateway { now, pending: Some(pending), ..Gateway::default() }
}

#[track_caller]
fn refuses_both_ways(login: &Login, rule: Rule) {
    refuses(&login.signed_assertion(rsa()), rule);
    refuses(&login.signed_response(rsa()), rule);
}

#[test]
fn another_audience_is_refused() {
    for other in ["https://other.example.net", &format!("{SP}/"), &SP.to_uppercase(), ""] {
        let login = Login::default().with(&audience(SP), &audience(other));
        refuses_both_ways(&login, Rule::AudienceMismatch);
    }
}

#[test]
fn every_restriction_has_to_name_us() {
    let login = Login::default().with(&audience(SP), &format!("{}{}", audience(SP), audience("https://other.example.net")));
    refuses_both_ways(&login, Rule::AudienceMismatch);
    let both = "<saml:AudienceRestriction><saml:Audience>https://other.example.net</saml:Audience><saml:Audience>";
    accepts(&Login::default().with("<saml:AudienceRestriction><saml:Audience>", both).signed_assertion(rsa()));
}

#[test]
fn a_missing_audience_is_refused() {
    refuses_both_ways(&Login::default().with(&audience(SP), ""), Rule::AudienceMissing);
    refuses_both_ways(
        &Login::default().with(&audience(SP), "<saml:AudienceRestriction></saml:AudienceRestriction>"),
        Rule::AudienceMismatch,
    );
}

#[test]
fn missing_conditions_are_refused() {
    let mut login = Login::default();
    login.conditions = String::new();
    refuses_both_ways(&login, Rule::ConditionsMissing);
}

#[test]
fn a_condition_nobody_knows_is_refused() {
    let login = Login::default().with("</saml:Conditions>", "<saml:Condition></saml:Condition></saml:Conditions>");
    refuses_both_ways(&login, Rule::UnknownCondition);
    let known =
        "<saml:OneTimeUse></saml:OneTimeUse><saml:ProxyRestriction Count=\"0\"></saml:ProxyRestriction></saml:Conditions>";
    accepts(&Login::default().with("</saml:Conditions>", known).signed_assertion(rsa()));
}

#[test]
fn another_recipient_is_refused_also_of_another_tenant() {
    for other in ["https://gateway.example.net/saml/globex/acs", &format!("{ACS}/"), "HTTPS://gateway.example.net/saml/acme/acs"]
    {
        let mut login = Login::default();
        login.subject = login.subject.replace(ACS, other);
        refuses_both_ways(&login, Rule::RecipientMismatch);
    }
    let login = Login::default().with(&format!(" Recipient=\"{ACS}\""), "");
    refuses_both_ways(&login, Rule::RecipientMismatch);
}

#[test]
fn a_message_for_one_tenant_is_refused_at_the_address_of_another() {
    let login = Login::default();
    let other = Gateway { acs_url: ACS.replace("acme", "globex"), ..Gateway::default() };
    other.refuses(&login.signed_response(rsa()), Rule::DestinationMismatch);
    let undirected = Login::default().with(&format!(" Destination=\"{ACS}\""), "");
    other.refuses(&undirected.signed_assertion(rsa()), Rule::RecipientMismatch);
}

#[test]
fn another_destination_is_refused_signed_or_not() {
    let mut login = Login::default();
    login.response_attributes = login.response_attributes.replace(ACS, "https://other.example.net/acs");
    refuses_both_ways(&login, Rule::DestinationMismatch);
}

#[test]
fn a_signed_response_has_to_say_where_it_goes() {
    let login = Login::default().with(&format!(" Destination=\"{ACS}\""), "");
    refuses(&login.signed_response(rsa()), Rule::DestinationMissing);
    accepts(&login.signed_assertion(rsa()));
}

#[test]
fn another_issuer_of_the_assertion_is_refused() {
    for other in ["https://evil.example.com", &format!("{IDP}#"), "<a></a>"] {
        let mut login = Login::default();
        login.issuer = login.issuer.replace(IDP, other);
        let rule = if other.starts_with('<') { Rule::NestedMarkup } else { Rule::IssuerMismatch };
        refuses_both_ways(&login, rule);
    }
}

#[test]
fn another_issuer_of_the_response_is_refused() {
    let mut login = Login::default();
    login.response_issuer = login.response_issuer.replace(IDP, "https://evil.example.com");
    refuses_both_ways(&login, Rule::ResponseIssuerMismatch);
}

#[test]
fn an_expired_assertion_is_refused_from_the_second_on() {
    let mut login = Login::default();
    login.subject = login.subject.replace(&at(300), &at(3_000));
    for seconds in [360, 361, 100_000] {
        let rule = if seconds > 3_060 { Rule::ConfirmationExpired } else { Rule::Expired };
        later(seconds).refuses(&login.signed_assertion(rsa()), rule);
    }
    later(359).accepts(&login.signed_assertion(rsa()));
}

#[test]
fn an_expired_confirmation_is_refused() {
    let mut login = Login::default();
    login.conditions = conditions(-60, 3_000, &audience(SP));
    later(360).refuses(&login.signed_assertion(rsa()), Rule::ConfirmationExpired);
    later(359).accepts(&login.signed_assertion(rsa()));
    let endless = Login::default().with(&format!(" NotOnOrAfter=\"{}\" Recipient", at(300)), " Recipient");
    refuses_both_ways(&endless, Rule::ConfirmationExpired);
}

#[test]
fn an_assertion_of_the_future_is_refused() {
    later(-61).refuses(&Login::default().signed_assertion(rsa()), Rule::IssuedInFuture);
    let mut login = Login::default();
    login.conditions = conditions(61, 300, &audience(SP));
    refuses_both_ways(&login, Rule::NotYetValid);
    login.conditions = conditions(60, 300, &audience(SP));
    accepts(&login.signed_assertion(rsa()));
    let mut login = Login::default();
    login.assertion_attributes = login.assertion_attributes.replace(&at(0), &at(61));
    refuses_both_ways(&login, Rule::IssuedInFuture);
}

#[test]
fn a_confirmation_of_the_future_is_refused() {
    let login = Login::default().with(&answered(), &format!("{} NotBefore=\"{}\"", answered(), at(61)));
    // The Response has no such attribute; its signature covers none.
    let login = Login { response_attributes: Login::default().response_attributes, ..login };
    refuses_both_ways(&login, Rule::ConfirmationNotYet);
}

#[test]
fn however_long_the_skew_five_minutes_count() {
    let gateway = Gateway { skew: SignedDuration::from_hours(24), ..later(601) };
    gateway.refuses(&Login::default().signed_assertion(rsa()), Rule::ConfirmationExpired);
    let gateway = Gateway { skew: SignedDuration::from_hours(-24), ..later(0) };
    gateway.accepts(&Login::default().signed_assertion(rsa()));
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let mut login = Login::default();
    login.response_attributes = login.response_attributes.replace(REQUEST, "_request2");
    refuses_both_ways(&login, Rule::InResponseToMismatch);
    let mut login = Login::default();
    login.subject = login.subject.replace(REQUEST, "_request2");
    refuses_both_ways(&login, Rule::InResponseToMismatch);
}

#[test]
fn an_answer_has_to_say_so_twice() {
    let mut login = Login::default();
    login.response_attributes = login.response_attributes.replace(&answered(), "");
    refuses_both_ways(&login, Rule::InResponseToMissing);
    let mut login = Login::default();
    login.subject = login.subject.replace(&answered(), "");
    refuses_both_ways(&login, Rule::InResponseToMissing);
}

#[test]
fn an_answer_after_its_request_expired_is_refused() {
    let mut late = pending();
    late.expires_at = now();
    let gateway = Gateway { pending: Some(late), ..Gateway::default() };
    gateway.refuses(&Login::default().signed_assertion(rsa()), Rule::RequestExpired);
}

#[test]
fn an_answer_that_this_browser_does_not_wait_for_is_refused_whatever_is_allowed() {
    for idp_initiated in [false, true] {
        let gateway = Gateway { pending: None, idp_initiated, ..Gateway::default() };
        gateway.refuses(&Login::default().signed_assertion(rsa()), Rule::UnknownRequest);
        gateway.refuses(&Login::default().signed_response(rsa()), Rule::UnknownRequest);
        // Stripped from the Response, which is not signed here, it still stands in the assertion.
        let mut stripped = Login::default();
        stripped.response_attributes = stripped.response_attributes.replace(&answered(), "");
        gateway.refuses(&stripped.signed_assertion(rsa()), Rule::UnknownRequest);
        // And a second confirmation that answers nothing does not make up for it.
        let unasked = confirmation("", ACS, 300);
        let answer = confirmation(&answered(), ACS, 300);
        for both in [format!("{unasked}{answer}"), format!("{answer}{unasked}")] {
            stripped.subject = format!("<saml:Subject>{}{both}</saml:Subject>", name_id("alice"));
            gateway.refuses(&stripped.signed_assertion(rsa()), Rule::UnknownRequest);
            gateway.refuses(&stripped.signed_response(rsa()), Rule::UnknownRequest);
        }
    }
}

#[test]
fn a_login_nobody_asked_for_is_refused_by_default() {
    let login = Login::default().with(&answered(), "");
    let gateway = Gateway { pending: None, ..Gateway::default() };
    gateway.refuses(&login.signed_assertion(rsa()), Rule::IdpInitiatedOff);
}

#[test]
fn a_login_nobody_asked_for_is_valid_for_ten_minutes_at_most() {
    let gateway = Gateway { pending: None, idp_initiated: true, ..Gateway::default() };
    let mut login = Login::default().with(&answered(), "");
    login.conditions = conditions(-60, 601, &audience(SP));
    gateway.refuses(&login.signed_assertion(rsa()), Rule::IdpInitiatedLifetime);
    login.conditions = conditions(-60, 600, &audience(SP));
    gateway.accepts(&login.signed_assertion(rsa()));
}

#[test]
fn a_subject_is_needed_and_a_bearer_confirmation() {
    let mut login = Login::default();
    login.subject = String::new();
    refuses_both_ways(&login, Rule::SubjectMissing);
    for method in ["holder-of-key", "sender-vouches", "Bearer"] {
        refuses_both_ways(&Login::default().with("cm:bearer", &format!("cm:{method}")), Rule::NoBearerConfirmation);
    }
    let mut login = Login::default();
    login.subject = format!("<saml:Subject>{}</saml:Subject>", name_id("alice"));
    refuses_both_ways(&login, Rule::NoBearerConfirmation);
}

#[test]
fn of_several_confirmations_one_will_do() {
    let other = confirmation(&answered(), "https://other.example.net/acs", 300);
    let ours = confirmation(&answered(), ACS, 300);
    for confirmations in [format!("{other}{ours}"), format!("{ours}{other}")] {
        let mut login = Login::default();
        login.subject = format!("<saml:Subject>{}{confirmations}</saml:Subject>", name_id("alice"));
        accepts(&login.signed_assertion(rsa()));
    }
    let mut login = Login::default();
    login.subject = format!("<saml:Subject>{}{other}{other}</saml:Subject>", name_id("alice"));
    refuses_both_ways(&login, Rule::RecipientMismatch);
}

#[test]
fn it_is_remembered_until_no_confirmation_of_it_can_be_taken() {
    let [short, long] = [300, 3_000].map(|until| confirmation(&answered(), ACS, until));
    for confirmations in [format!("{short}{long}"), format!("{long}{short}")] {
        let mut login = Login::default();
        login.subject = format!("<saml:Subject>{}{confirmations}</saml:Subject>", name_id("alice"));
        let expires_at = |login: &Login| accepts(&login.signed_assertion(rsa())).one_time().expires_at.to_string();
        // The widest skew, not that of the moment.
        assert_eq!(expires_at(&login), at(3_300));
        login.conditions = conditions(-60, 4_000, &audience(SP));
        assert_eq!(expires_at(&login), at(4_300));
        login.conditions = format!("<saml:Conditions>{}</saml:Conditions>", audience(SP));
        assert_eq!(expires_at(&login), at(3_300));
    }
}

#[test]
fn an_assertion_without_a_sign_in_is_refused() {
    let mut login = Login::default();
    login.authn = String::new();
    refuses_both_ways(&login, Rule::AuthnStatementMissing);
}

#[test]
fn a_sign_in_of_the_future_is_refused() {
    let mut login = Login::default();
    login.authn = authn(61, "");
    refuses_both_ways(&login, Rule::AuthnInFuture);
}

#[test]
fn an_old_sign_in_is_refused_where_a_fresh_one_was_asked_for() {
    let mut login = Login::default();
    login.authn = authn(-81, "");
    accepts(&login.signed_assertion(rsa()));
    let mut fresh = pending();
    fresh.force_authn = true;
    let gateway = Gateway { pending: Some(fresh), ..Gateway::default() };
    gateway.refuses(&login.signed_assertion(rsa()), Rule::AuthnTooOld);
    login.authn = authn(-80, "");
    gateway.accepts(&login.signed_assertion(rsa()));
}

#[test]
fn a_session_that_has_ended_is_refused() {
    let mut login = Login::default();
    login.authn = authn(-300, &format!(" SessionNotOnOrAfter=\"{}\"", at(-60)));
    refuses_both_ways(&login, Rule::SessionExpired);
    login.authn = authn(-300, &format!(" SessionNotOnOrAfter=\"{}\"", at(-59)));
    accepts(&login.signed_assertion(rsa()));
}

#[test]
fn another_kind_of_sign_in_than_asked_for_is_refused() {
    let mut wanted = pending();
    wanted.authn_contexts = vec!["https://refeds.org/profile/mfa".into()];
    let gateway = Gateway { pending: Some(wanted), ..Gateway::default() };
    let login = Login::default();
    gateway.refuses(&login.signed_assertion(rsa()), Rule::AuthnContextMismatch);
    let with_two =
        login.with("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "https://refeds.org/profile/mfa");
    gateway.accepts(&with_two.signed_assertion(rsa()));
    let mut without = Login::default();
    without.authn = format!("<saml:AuthnStatement AuthnInstant=\"{}\"></saml:AuthnStatement>", at(0));
    gateway.refuses(&without.signed_assertion(rsa()), Rule::AuthnContextMismatch);
}
