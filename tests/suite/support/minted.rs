//! An identity provider of the suite's own: messages minted now, for a gateway that runs, with the keys and by the code of
//! `rosterd-saml`'s tests. A test takes a login that is right in everything and changes one thing.

#[path = "../../../crates/saml/tests/suite/mint.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of rosterd-saml, which use more of it")]
pub mod mint;
#[path = "../../../crates/saml/tests/suite/seal.rs"]
#[expect(dead_code, reason = "shared with the tests of rosterd-saml, which use more of it")]
pub mod seal;
/// By this alone signatures are verified in the suite's own process: samael, which signs for some tests, sets libxmlsec1 up
/// without looking whether somebody has, so it has to come first.
#[path = "../../../crates/saml/tests/suite/verifier.rs"]
pub mod verifier;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rosterd::clock::Clock;
use std::sync::atomic::{AtomicU64, Ordering};

pub use mint::{Key, Login, rsa, stranger};

/// What this identity provider is called.
pub const IDP: &str = mint::IDP;
/// Where it signs people in and out; nobody listens there.
pub const SSO: &str = "http://127.0.0.1:9/sso";
pub const SLO: &str = "http://127.0.0.1:9/slo";

/// Its metadata, with the certificates of these keys.
pub fn metadata(keys: &[&Key], more: &str) -> String {
    let keys: String = keys
        .iter()
        .map(|key| {
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data><ds:X509Certificate>{}\
                 </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                mint::DSIG,
                STANDARD.encode(key.der())
            )
        })
        .collect();
    let service = |what: &str, binding: &str, url: &str| {
        format!("<md:{what} Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" Location=\"{url}\"/>")
    };
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{IDP}\"><md:IDPSSODescriptor \
         protocolSupportEnumeration=\"{}\"{more}>{keys}{}{}{}</md:IDPSSODescriptor></md:EntityDescriptor>",
        mint::PROTOCOL,
        service("SingleLogoutService", "HTTP-Redirect", SLO),
        service("SingleSignOnService", "HTTP-Redirect", SSO),
        service("SingleSignOnService", "HTTP-POST", SSO),
    )
}

/// Whom a message is for.
#[derive(Clone, Debug)]
pub struct Whom {
    pub acs: String,
    pub entity_id: String,
    /// The request it answers; `None`: nobody asked.
    pub request: Option<String>,
}

fn text(at: Timestamp) -> String {
    at.round(jiff::Unit::Second).expect("a second").to_string()
}

/// A login of `alice`, right in everything, with ids of its own.
pub fn login(whom: &Whom) -> Login {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let (response, assertion) = (format!("_response{process}x{number}"), format!("_assertion{process}x{number}"));
    let now = Timestamp::from_microsecond(Clock::system().now()).expect("a time");
    let at = |seconds: i64| text(now.saturating_add(SignedDuration::from_secs(seconds)).expect("a time"));
    let mut login = Login { response_id: response.clone(), assertion_id: assertion.clone(), ..Login::default() }
        .with("_response1", &response)
        .with("_assertion1", &assertion)
        .with(mint::ACS, &whom.acs)
        .with(mint::SP, &whom.entity_id);
    for seconds in [0, 300, -60, -5] {
        login = login.with(&mint::at(seconds), &at(seconds));
    }
    match &whom.request {
        Some(request) => login.with(mint::REQUEST, request),
        None => login.with(&mint::answered(), ""),
    }
}

/// So many seconds from now, as messages have it.
pub fn at(seconds: i64) -> String {
    let now = Timestamp::from_microsecond(Clock::system().now()).expect("a time");
    text(now.saturating_add(SignedDuration::from_secs(seconds)).expect("a time"))
}
