//! What becomes of a request: a code, a question or a sign-in first, or a word for the application. Pure.

use super::LOGIN_REQUIRED;
use crate::clock::{Micros, SECOND};
use crate::model::client::Client;
use crate::provider::request::{Prompt, Request, Told};

/// How long a sign-in may take until it no longer counts as the one that was asked for.
const SINCE_LASTS: Micros = 15 * 60 * SECOND;
/// How far the clock of an identity provider may be behind.
const SKEW: Micros = 180 * SECOND;

const NOT_ANEW: Told = Told { error: "login_required", says: "the person was let in by an older proof of who they are" };
/// OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
const NOT_STRONG: Told = Told {
    error: "unmet_authentication_requirements",
    says: "acr is essential, and whoever signed the person in vouches for none of the classes that were asked for",
};
const INTERACTION_REQUIRED: Told =
    Told { error: "interaction_required", says: "the person has to say that it is their own application that asks" };
const CONSENT_REQUIRED: Told = Told { error: "consent_required", says: "the person has to say what the application may know" };

/// What of whoever is signed in counts.
pub(in crate::provider) struct Session {
    pub(in crate::provider) began_at: Micros,
    /// When they proved who they are.
    pub(in crate::provider) auth_time: Micros,
    /// Whether they proved who they are by a class that the application can't do without.
    pub(in crate::provider) is_strong: bool,
    /// Whether they came by a way that was asked for, and that the application takes.
    pub(in crate::provider) fits: bool,
    /// Whether it is whom the application believes to meet.
    pub(in crate::provider) is_meant: bool,
}

/// What the person has to say before they go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Question {
    None,
    /// Whether it is their own program that asks.
    IsItYours,
    /// What the application may know.
    MayItKnow,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider) enum Step {
    Issue,
    /// `anew`: also whoever is signed in already. `prove`: wherever that is, not by a session they have there.
    SignIn {
        anew: bool,
        prove: bool,
    },
    Ask(Question),
    Refuse(Told),
}

/// Since when somebody was sent to sign in anew, if that was lately enough to count.
pub(in crate::provider) fn still(since: Option<Micros>, now: Micros) -> Option<Micros> {
    since.filter(|since| (0..SINCE_LASTS).contains(&now.saturating_sub(*since)))
}

/// `since` = this request was here before, and whoever was to sign in anew was sent to then. `question` = what is still open.
pub(in crate::provider) fn decide(
    request: &Request,
    session: Option<&Session>,
    since: Option<Micros>,
    question: Question,
    now: Micros,
) -> Step {
    let since = still(since, now);
    let asks = request.prompt.login || request.prompt.select;
    let is_older = |session: &Session, at: Micros, by: Micros| {
        let age = at.saturating_sub(session.auth_time);
        request.max_age_seconds.is_some_and(|seconds| age > seconds.saturating_mul(SECOND).saturating_add(by))
    };
    let anew = match (session, since) {
        (Some(session), Some(since)) => session.began_at < since,
        (Some(session), None) => asks || is_older(session, now, 0) || !session.is_strong,
        (None, _) => since.is_some() || asks || request.max_age_seconds == Some(0) || request.strength.is_essential,
    };
    let prove = anew && (request.prompt.login || request.max_age_seconds.is_some());
    let sign_in = |anew| match request.prompt.none {
        true => Step::Refuse(LOGIN_REQUIRED),
        false => Step::SignIn { anew, prove },
    };
    let Some(session) = session else { return sign_in(anew) };
    if anew {
        return sign_in(true);
    }
    // They signed in anew, and yet by what they had proved before: it will not be otherwise the next time.
    let is_from_before = |since: Micros| request.prompt.login && session.auth_time < since.saturating_sub(SKEW);
    if since.is_some_and(|since| is_older(session, since, SKEW) || is_from_before(since)) {
        return Step::Refuse(NOT_ANEW);
    }
    if !session.is_strong {
        return Step::Refuse(NOT_STRONG);
    }
    // Not another one's code for whom the application knows.
    if !session.is_meant {
        return Step::Refuse(LOGIN_REQUIRED);
    }
    if !session.fits {
        return sign_in(false);
    }
    match (question, request.prompt.none) {
        (Question::None, _) => Step::Issue,
        (Question::IsItYours, true) => Step::Refuse(INTERACTION_REQUIRED),
        (Question::MayItKnow, true) => Step::Refuse(CONSENT_REQUIRED),
        (open, false) => Step::Ask(open),
    }
}

/// What `client` has to ask of somebody who said before that it may know `given`.
pub(in crate::provider) fn question(
    client: &Client,
    redirect_uri: &str,
    prompt: Prompt,
    scope: &str,
    given: Option<&str>,
) -> Question {
    let given = |word: &str| given.is_some_and(|given| given.split(' ').any(|known| known == word));
    let may_know = !client.options.asks_consent || (!prompt.consent && scope.split(' ').all(given));
    if !may_know {
        Question::MayItKnow
    } else if client.options.is_anybodys(redirect_uri) {
        Question::IsItYours
    } else {
        Question::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::{ClientKind, ClientOptions};
    use crate::model::ids::{ClientId, TenantId};
    use crate::provider::parameters::Parameters;
    use crate::provider::request::read;

    const NOW: Micros = 1_000 * SECOND;

    fn request(more: &str) -> Request {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let text = format!("response_type=code&scope=openid&code_challenge={challenge}&code_challenge_method=S256&{more}");
        read(&Parameters::parse(text.as_bytes()).expect("readable"), false).expect("valid")
    }

    fn session(began_at: Micros) -> Session {
        Session { began_at, auth_time: began_at, is_strong: true, fits: true, is_meant: true }
    }

    fn of(more: &str, began_at: Option<Micros>, since: Option<Micros>) -> Step {
        decide(&request(more), began_at.map(session).as_ref(), since, Question::None, NOW)
    }

    #[test]
    fn whoever_lacks_an_essential_class_signs_in_once_more_and_then_is_told_of() {
        let request =
            request("claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%22mfa%22%7D%7D%7D");
        let of = |session: Option<Session>, since| decide(&request, session.as_ref(), since, Question::None, NOW);
        let weak = |began_at| Session { is_strong: false, ..session(began_at) };
        assert_eq!(of(Some(session(0)), None), Step::Issue);
        assert_eq!(of(None, None), Step::SignIn { anew: true, prove: false });
        assert_eq!(of(Some(weak(0)), None), Step::SignIn { anew: true, prove: false });
        assert_eq!(of(Some(weak(NOW - 5)), Some(NOW - 10)), Step::Refuse(NOT_STRONG));
        assert_eq!(of(Some(session(NOW - 5)), Some(NOW - 10)), Step::Issue);
        let silent = Request { prompt: Prompt { none: true, ..Prompt::default() }, ..request.clone() };
        assert_eq!(decide(&silent, Some(&weak(0)), None, Question::None, NOW), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn whoever_is_signed_in_goes_on_and_whoever_is_not_signs_in() {
        assert_eq!(of("", Some(0), None), Step::Issue);
        assert_eq!(of("", None, None), Step::SignIn { anew: false, prove: false });
        assert_eq!(of("max_age=1", None, None), Step::SignIn { anew: false, prove: false });
        assert_eq!(of("prompt=login", None, None), Step::SignIn { anew: true, prove: true });
        assert_eq!(of("prompt=none", Some(0), None), Step::Issue);
        assert_eq!(of("prompt=none", None, None), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn whoever_has_to_sign_in_anew_does_so_once() {
        for (more, prove) in [("prompt=login", true), ("prompt=select_account", false), ("max_age=1", true), ("max_age=0", true)]
        {
            assert_eq!(of(more, Some(0), None), Step::SignIn { anew: true, prove }, "{more}");
            assert_eq!(of(more, Some(NOW), Some(NOW)), Step::Issue, "{more}");
            assert_eq!(of(more, Some(NOW - 1), Some(NOW)), Step::SignIn { anew: true, prove }, "{more}: went back");
            let old = NOW - SINCE_LASTS;
            assert_eq!(of(more, Some(old), Some(old)), Step::SignIn { anew: true, prove }, "{more}: long ago");
        }
        assert_eq!(of("max_age=10000", Some(0), None), Step::Issue);
        assert_eq!(of("max_age=1&prompt=none", Some(0), None), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn whoever_was_let_in_anew_by_an_old_proof_does_not_pass_for_a_new_one() {
        let by = |auth_time, more| {
            let session = Session { auth_time, ..session(NOW) };
            decide(&request(more), Some(&session), Some(NOW), Question::None, NOW)
        };
        assert_eq!(by(NOW - SKEW, "max_age=0"), Step::Issue);
        assert_eq!(by(NOW - SKEW - 1, "max_age=0"), Step::Refuse(NOT_ANEW));
        assert_eq!(by(NOW - SKEW - 1, "max_age=10"), Step::Issue);
        assert_eq!(by(0, "prompt=select_account"), Step::Issue);
        assert_eq!((by(NOW - SKEW, "prompt=login"), by(NOW - SKEW - 1, "prompt=login")), (Step::Issue, Step::Refuse(NOT_ANEW)));
        let old = Session { auth_time: 0, ..session(NOW) };
        let step = decide(&request("max_age=10"), Some(&old), None, Question::None, NOW);
        assert_eq!(step, Step::SignIn { anew: true, prove: true }, "of a session that began just now");
    }

    #[test]
    fn nobody_goes_on_in_anothers_place() {
        let of = |is_meant| decide(&request(""), Some(&Session { is_meant, ..session(0) }), None, Question::None, NOW);
        assert_eq!((of(true), of(false)), (Step::Issue, Step::Refuse(LOGIN_REQUIRED)));
    }

    #[test]
    fn whoever_came_by_another_way_than_is_wanted_signs_in_by_that() {
        let session = Session { fits: false, ..session(0) };
        let of = |more| decide(&request(more), Some(&session), None, Question::None, NOW);
        assert_eq!(of(""), Step::SignIn { anew: false, prove: false });
        assert_eq!(of("prompt=none"), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn an_open_question_is_put_to_whoever_is_signed_in_and_to_nobody_where_nothing_may_be_asked() {
        for (open, told) in [(Question::IsItYours, INTERACTION_REQUIRED), (Question::MayItKnow, CONSENT_REQUIRED)] {
            let of = |more, began_at: Option<Micros>| decide(&request(more), began_at.map(session).as_ref(), None, open, NOW);
            assert_eq!(of("", Some(0)), Step::Ask(open));
            assert_eq!(of("", None), Step::SignIn { anew: false, prove: false });
            assert_eq!(of("prompt=none", Some(0)), Step::Refuse(told));
        }
    }

    #[test]
    fn programs_of_the_machine_are_asked_about_each_time_and_others_applications_until_it_was_said() {
        let mut client = Client {
            tenant_id: TenantId::new("t"),
            id: ClientId::new("c"),
            name: String::from("app"),
            options: ClientOptions::plain(ClientKind::Public),
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let none = Prompt::default();
        let of = |client: &Client, uri: &str, prompt, given| question(client, uri, prompt, "openid email", given);
        assert_eq!(of(&client, "http://127.0.0.1:9/cb", none, None), Question::IsItYours);
        assert_eq!(of(&client, "com.example.app:/cb", none, None), Question::IsItYours);
        assert_eq!(of(&client, "https://app.example/cb", none, None), Question::None);
        client.options.asks_consent = true;
        for (given, open) in [
            (None, Question::MayItKnow),
            (Some("openid"), Question::MayItKnow),
            (Some("openid email"), Question::None),
            (Some("email groups openid"), Question::None),
        ] {
            assert_eq!(of(&client, "https://app.example/cb", none, given), open, "{given:?}");
        }
        let again = Prompt { consent: true, ..none };
        assert_eq!(of(&client, "https://app.example/cb", again, Some("openid email")), Question::MayItKnow);
    }
}
