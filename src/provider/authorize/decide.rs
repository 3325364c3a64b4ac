//! What becomes of a request: a code, a sign-in first, or a word for the application. Pure.

use super::LOGIN_REQUIRED;
use crate::clock::{Micros, SECOND};
use crate::provider::request::{Request, Told};

/// What of whoever is signed in counts.
pub(in crate::provider) struct Session {
    pub(in crate::provider) sub: String,
    pub(in crate::provider) began_at: Micros,
    /// Whether they came by a way that was asked for, and that the application takes.
    pub(in crate::provider) fits: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider) enum Step {
    Issue,
    /// `anew`: also whoever is signed in already.
    SignIn {
        anew: bool,
    },
    Refuse(Told),
}

/// `hint` = whom the application believes to meet; `since` = this request was here before, and whoever was to sign in anew was sent
/// to then.
pub(in crate::provider) fn decide(
    request: &Request,
    session: Option<&Session>,
    hint: Option<&str>,
    since: Option<Micros>,
    now: Micros,
) -> Step {
    let asks = request.prompt.login || request.prompt.select;
    let too_old = |session: &Session| {
        let age = now.saturating_sub(session.began_at);
        request.max_age_seconds.is_some_and(|seconds| age > seconds.saturating_mul(SECOND))
    };
    let anew = match (session, since) {
        (Some(session), Some(since)) => session.began_at < since,
        (Some(session), None) => asks || too_old(session),
        (None, _) => since.is_some() || asks,
    };
    let sign_in = |anew| if request.prompt.none { Step::Refuse(LOGIN_REQUIRED) } else { Step::SignIn { anew } };
    let Some(session) = session else { return sign_in(anew) };
    if anew {
        return sign_in(true);
    }
    // Not another one's code for whom the application knows.
    if hint.is_some_and(|hint| hint != session.sub) {
        return Step::Refuse(LOGIN_REQUIRED);
    }
    if session.fits { Step::Issue } else { sign_in(false) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::parameters::Parameters;
    use crate::provider::request::read;

    const NOW: Micros = 1_000 * SECOND;

    fn request(more: &str) -> Request {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let text = format!("response_type=code&scope=openid&code_challenge={challenge}&code_challenge_method=S256&{more}");
        read(&Parameters::parse(text.as_bytes()).expect("readable")).expect("valid")
    }

    fn of(more: &str, began_at: Option<Micros>, since: Option<Micros>) -> Step {
        let session = began_at.map(|began_at| Session { sub: String::from("mia"), began_at, fits: true });
        decide(&request(more), session.as_ref(), None, since, NOW)
    }

    #[test]
    fn whoever_is_signed_in_goes_on_and_whoever_is_not_signs_in() {
        assert_eq!(of("", Some(0), None), Step::Issue);
        assert_eq!(of("", None, None), Step::SignIn { anew: false });
        assert_eq!(of("prompt=none", Some(0), None), Step::Issue);
        assert_eq!(of("prompt=none", None, None), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn whoever_has_to_sign_in_anew_does_so_once() {
        for more in ["prompt=login", "prompt=select_account", "max_age=1", "max_age=0"] {
            assert_eq!(of(more, Some(0), None), Step::SignIn { anew: true }, "{more}");
            assert_eq!(of(more, Some(NOW), Some(NOW)), Step::Issue, "{more}");
            assert_eq!(of(more, Some(NOW - 1), Some(NOW)), Step::SignIn { anew: true }, "{more}: went back");
        }
        assert_eq!(of("max_age=10000", Some(0), None), Step::Issue);
        assert_eq!(of("max_age=1&prompt=none", Some(0), None), Step::Refuse(LOGIN_REQUIRED));
    }

    #[test]
    fn nobody_goes_on_in_anothers_place() {
        let session = Session { sub: String::from("mia"), began_at: 0, fits: true };
        let of = |hint| decide(&request(""), Some(&session), hint, None, NOW);
        assert_eq!((of(Some("mia")), of(Some("bo"))), (Step::Issue, Step::Refuse(LOGIN_REQUIRED)));
    }

    #[test]
    fn whoever_came_by_another_way_than_is_wanted_signs_in_by_that() {
        let session = Session { sub: String::from("mia"), began_at: 0, fits: false };
        assert_eq!(decide(&request(""), Some(&session), None, None, NOW), Step::SignIn { anew: false });
        assert_eq!(decide(&request("prompt=none"), Some(&session), None, None, NOW), Step::Refuse(LOGIN_REQUIRED));
    }
}
