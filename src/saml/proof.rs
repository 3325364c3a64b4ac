//! What an assertion says of how somebody proved who they are: its class as it stands there, and the ways that the well-known
//! classes stand for. Pure.

use crate::model::proof::Proof;

const CLASSES: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:";

/// Of a class; no way is made up for one that names none.
pub fn of_context(context: Option<&str>) -> Proof {
    let ways: &[&str] = match context.map(|class| class.strip_prefix(CLASSES).unwrap_or(class)) {
        Some("Password" | "PasswordProtectedTransport") => &["pwd"],
        Some("TimeSyncToken") => &["otp"],
        Some("Smartcard" | "SmartcardPKI") => &["sc"],
        Some(
            "MobileTwoFactorUnregistered"
            | "MobileTwoFactorContract"
            | "https://refeds.org/profile/mfa"
            | "http://schemas.microsoft.com/claims/multipleauthn",
        ) => &["mfa"],
        _ => &[],
    };
    Proof::new(context, ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_stands_as_it_was_sent_and_for_the_ways_it_names() {
        for (class, ways) in [
            ("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", vec!["pwd"]),
            ("https://refeds.org/profile/mfa", vec!["mfa"]),
            ("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified", vec![]),
            ("urn:oasis:names:tc:SAML:2.0:ac:classes:X509", vec![]),
        ] {
            let proof = of_context(Some(class));
            assert_eq!((proof.acr.as_deref(), proof.amr), (Some(class), ways.into_iter().map(str::to_owned).collect()));
        }
        assert_eq!(of_context(None), Proof::default());
    }
}
