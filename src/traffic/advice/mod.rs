//! What to change on the identity provider's side after a refusal, in the words its administrators see on their screens.
//! Every cause has words for any client; products have their own where a screen of theirs is the way out.

mod entra;
mod generic;
mod okta;
mod others;

use super::cause::Cause;
use super::source::Idp;

/// One refusal, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What happened.
    pub why: &'static str,
    /// What to change, and where.
    pub change: &'static str,
}

/// The advice for a refusal of `cause` that was met by `idp`.
pub fn advice(cause: Cause, idp: Idp) -> Advice {
    let own = match idp {
        Idp::Entra => entra::change(cause),
        Idp::Okta => okta::change(cause),
        other => others::change(cause, other),
    };
    Advice { why: generic::why(cause), change: own.unwrap_or_else(|| generic::change(cause)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_advice_for_every_product() {
        for cause in Cause::ALL {
            for idp in Idp::ALL {
                let advice = advice(*cause, idp);
                for text in [advice.why, advice.change] {
                    assert!(text.len() > 20 && text.ends_with('.') && !text.contains("  "), "{cause:?} {idp:?}: {text}");
                }
            }
        }
    }

    /// What an administrator of these two meets daily is told in the words of their screens.
    #[test]
    fn entra_and_okta_have_words_of_their_own_for_what_they_meet() {
        let met = [
            Cause::TokenUnknown,
            Cause::TokenExpired,
            Cause::ScopeMissing,
            Cause::AnotherConnection,
            Cause::NoSuchEndpoint,
            Cause::NotFound,
            Cause::UserNameTaken,
            Cause::ExternalIdTaken,
            Cause::GroupNameTaken,
            Cause::EmailElsewhere,
            Cause::InvalidValue,
            Cause::InvalidFilter,
            Cause::InvalidPath,
            Cause::UnknownMembers,
            Cause::MappingRefuses,
            Cause::OverBudget,
        ];
        for cause in met {
            let (entra, okta, any) = (advice(cause, Idp::Entra), advice(cause, Idp::Okta), advice(cause, Idp::Unknown));
            assert_ne!(entra.change, any.change, "Entra: {cause:?}");
            assert_ne!(okta.change, any.change, "Okta: {cause:?}");
            assert_ne!(entra.change, okta.change, "{cause:?}");
        }
        assert!(advice(Cause::TokenUnknown, Idp::Entra).change.contains("Secret token"));
        assert!(advice(Cause::InvalidFilter, Idp::Entra).change.contains("Matching precedence"));
        assert!(advice(Cause::UserNameTaken, Idp::Okta).change.contains("Application username format"));
    }
}
